//! Asking sshd whether it would still accept a certificate.

use serde_json::json;
use wane_connector::{ConnectError, EndOutcome, Kind as _, Presence};
use wane_domain::time::Span;
use wane_testkit::{Held, Sshd};

use crate::grants::{confirmed, noted};
use crate::world::{Holder, Host, World};

async fn asked(world: &World, host: &Host, held: &Held) -> Result<Presence, ConnectError> {
    world.kind.effects().read_back(&world.target(&host.resource), &held.lease).await
}

fn held(world: &World, host: &Host, definition: &serde_json::Value) -> (Holder, Held, wane_connector::Issued) {
    let holder = Holder::new();
    let role = world.role(definition);
    let held = world.hold(&host.resource, &role, Span::from_hours(1));
    let issued = world.issue(&held, &host.resource, &role, &holder.public_line(), 5).unwrap();
    let held = noted(held, issued.notes.clone(), world.now());
    (holder, held, issued)
}

#[tokio::test]
async fn accepted_before_the_end_and_refused_after_the_pull() {
    let world = World::new(21);
    let host = Host::start(&world, &[]);
    let (holder, lease, issued) = held(&world, &host, &json!({ "principals": [host.user()] }));
    let Presence::Present { seen } = asked(&world, &host, &lease).await.unwrap() else {
        panic!("not accepted: {}", host.sshd.log())
    };
    assert!(seen.contains(&lease.grant.id.to_string()), "{seen}");
    assert!(host.client(&holder, &issued).run("true").unwrap().success());
    // A second issue under the same grant dies with it: what is revoked is the grant.
    let lease = confirmed(lease, world.now());
    let again = Holder::new();
    let role = world.role(&json!({ "principals": [host.user()] }));
    let bystander = world.hold(&host.resource, &role, Span::from_hours(1));
    let others = world.issue(&bystander, &host.resource, &role, &again.public_line(), 6).unwrap();

    assert_eq!(world.kind.effects().end(&world.target(&host.resource), &lease.lease).await.unwrap(), EndOutcome::Done);
    assert!(
        matches!(asked(&world, &host, &lease).await.unwrap(), Presence::Present { .. }),
        "before the pull nothing has changed"
    );
    host.pull(&world, 2, &[lease.grant.id.to_string()]);
    let Presence::LoginRefused { proof } = asked(&world, &host, &lease).await.unwrap() else {
        panic!("still accepted: {}", host.sshd.log())
    };
    assert!(proof.contains("refuses") && proof.contains("publickey"), "{proof}");
    assert!(host.client(&holder, &issued).run("true").unwrap().stderr.contains("Permission denied"));
    assert!(host.client(&again, &others).run("true").unwrap().success(), "another grant's certificate goes on");
}

#[tokio::test]
async fn a_host_that_does_not_prove_itself_is_not_asked() {
    let world = World::new(22);
    let host = Host::start(&world, &[]);
    // The same host, seen from a deployment with another host authority.
    let other = World::new(23);
    let (_, lease, _) = held(&other, &host, &json!({ "principals": [host.user()] }));
    let error = asked(&other, &host, &lease).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Trust { why, .. } if why.contains("another authority")), "{error}");
    assert!(!host.sshd.log().contains("publickey"), "the certificate was offered to an unproven host");
    let found = other.kind.effects().inventory(&other.target(&host.resource)).await.unwrap();
    assert_eq!(found.findings.len(), 1, "{found:?}");
    assert!(world.kind.effects().inventory(&world.target(&host.resource)).await.unwrap().findings.is_empty());
    // A certificate of ours, for another name.
    let mut renamed = host.resource.clone();
    renamed.settings["host_names"] = json!(["db1"]);
    let (_, lease, _) = held(&world, &host, &json!({ "principals": [host.user()] }));
    let error = world.kind.effects().read_back(&world.target(&renamed), &lease.lease).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Trust { why, .. } if why.contains("for `127.0.0.1`, not for `db1`")),
        "{error}"
    );
}

#[tokio::test]
async fn a_bare_host_key_is_not_trusted() {
    let world = World::new(24);
    let sshd = Sshd::builder().start().unwrap();
    let resource = world.resource(&json!({ "address": format!("127.0.0.1:{}", sshd.port()) }));
    let error = world.kind.effects().inventory(&world.target(&resource)).await.unwrap();
    assert!(error.findings[0].contains("wane host setup"), "{error:?}");
}

#[tokio::test]
async fn down_or_silent_is_unreachable_and_bounded() {
    let world = World::new(25);
    let mut host = Host::start(&world, &[]);
    let (_, lease, _) = held(&world, &host, &json!({ "principals": [host.user()] }));
    host.sshd.pause();
    let silent = asked(&world, &host, &lease).await;
    host.sshd.resume();
    assert!(matches!(silent, Err(ConnectError::Unreachable { .. })), "{silent:?}");
    host.sshd.stop().unwrap();
    assert!(matches!(asked(&world, &host, &lease).await, Err(ConnectError::Unreachable { .. })));
}

#[tokio::test]
async fn without_a_positive_control_the_end_is_the_certificates_own() {
    let world = World::new(26);
    let host = Host::start(&world, &[]);
    // From here the host refuses it although it is good elsewhere.
    let (_, lease, issued) =
        held(&world, &host, &json!({ "principals": [host.user()], "source_address": ["192.0.2.0/24"] }));
    assert!(matches!(asked(&world, &host, &lease).await.unwrap(), Presence::LoginRefused { .. }));
    let until = issued.handed.not_after.unwrap().plus(Span::from_secs(60));
    let effects = world.kind.effects();
    let ended = effects.end(&world.target(&host.resource), &lease.lease).await.unwrap();
    assert!(matches!(&ended, EndOutcome::Unrecallable { until: at, .. } if *at == until), "{ended:?}");
    // First tried after it ran out, it is over on the same ground: its refusal still proves nothing.
    world.clock.set(until);
    assert_eq!(effects.end(&world.target(&host.resource), &lease.lease).await.unwrap(), ended);
}

#[tokio::test]
async fn a_host_that_is_never_asked_says_so() {
    let world = World::new(27);
    let resource = world.resource(&json!({ "address": "192.0.2.1:22", "read_back": "none" }));
    let role = world.role(&json!({ "principals": ["deploy"] }));
    let held = world.hold(&resource, &role, Span::from_hours(1));
    let effects = world.kind.effects();
    assert!(matches!(effects.read_back(&world.target(&resource), &held.lease).await.unwrap(), Presence::Absent { .. }));
    assert_eq!(effects.end(&world.target(&resource), &held.lease).await.unwrap(), EndOutcome::Done);
    let issued = world.issue(&held, &resource, &role, &Holder::new().public_line(), 1).unwrap();
    let held = noted(held, issued.notes, world.now());
    assert!(matches!(
        effects.read_back(&world.target(&resource), &held.lease).await,
        Err(ConnectError::Refused { .. })
    ));
    assert!(matches!(
        effects.end(&world.target(&resource), &held.lease).await.unwrap(),
        EndOutcome::Unrecallable { .. }
    ));
    world.clock.advance(Span::from_mins(17));
    let ended = effects.end(&world.target(&resource), &held.lease).await.unwrap();
    assert!(matches!(&ended, EndOutcome::Unrecallable { until, .. } if *until <= world.now()), "{ended:?}");
    let after = effects.read_back(&world.target(&resource), &held.lease).await.unwrap();
    assert!(matches!(&after, Presence::LoginRefused { proof } if proof.contains("was not asked")), "{after:?}");
}

/// A host that is behind goes on accepting what has run out here, and it is said that it does, until
/// the list it pulls tells it otherwise.
#[tokio::test]
async fn a_host_that_is_behind_is_not_taken_at_our_clocks_word() {
    const BEHIND: u64 = 300;
    let world = World::new(28);
    let host = Host::built(&world, Sshd::builder().clock_off(-i64::try_from(BEHIND).unwrap()));
    // It was issued as long ago as the host is behind.
    let issued_at = world.now().minus(Span::from_secs(BEHIND));
    world.clock.set(issued_at);
    let (holder, lease, issued) = held(&world, &host, &json!({ "principals": [host.user()] }));
    let lease = confirmed(lease, world.now());
    let not_after = issued.handed.not_after.unwrap();
    assert!(not_after <= lease.lease.end, "it outlives its grant");
    world.clock.set(not_after.plus(Span::from_secs(90)));
    assert!(host.client(&holder, &issued).run("true").unwrap().success(), "{}", host.sshd.log());
    let presence = asked(&world, &host, &lease).await.unwrap();
    assert!(matches!(&presence, Presence::Present { seen } if seen.contains("accepts")), "{presence:?}");
    host.pull(&world, 2, &[lease.grant.id.to_string()]);
    assert!(matches!(asked(&world, &host, &lease).await.unwrap(), Presence::LoginRefused { .. }));
    assert!(!host.client(&holder, &issued).run("true").unwrap().success());
}

/// Another key where the old one was, and no certificate over it: whoever answers there is not believed.
#[tokio::test]
async fn a_host_that_came_back_with_another_key_is_not_asked() {
    let world = World::new(29);
    let mut host = Host::start(&world, &[]);
    let (_, lease, _) = held(&world, &host, &json!({ "principals": [host.user()] }));
    assert!(matches!(asked(&world, &host, &lease).await.unwrap(), Presence::Present { .. }));
    host.sshd.stop().unwrap();
    host.replace_key();
    host.sshd.start().unwrap();
    let error = asked(&world, &host, &lease).await.unwrap_err();
    assert!(matches!(error, ConnectError::Trust { .. }), "{error}");
    host.pull(&world, 2, &[lease.grant.id.to_string()]);
    assert!(asked(&world, &host, &lease).await.is_err(), "the word of a stranger was taken for the host's");
}
