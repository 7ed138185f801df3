//! Keys that take over from one another.

use std::sync::Arc;

use serde_json::{Value, json};
use wane_connector::{ConnectError, Kind as _};
use wane_domain::time::Span;
use wane_kind_oauth::keys::{Going, KeptKey, KeyError, TokenKeys, another, remove};
use wane_kind_oauth::{LONGEST, OauthKind, SKEW, TOKEN_KEYS};

use crate::world::{ISSUER, With, World, decoded, kept, new_key, secret, signer};

/// When nothing can work any more that was signed by a key from which another took over.
fn run_out() -> Span {
    Span::from_micros(LONGEST.micros() + 5 * SKEW.micros())
}

#[test]
fn a_key_stays_published_until_its_last_token_ran_out() {
    let world = World::new(40, With::P256);
    let (now, ahead) = (world.now(), Span::from_mins(30));
    let mut all: Vec<KeptKey> = Vec::new();
    let first = another(&mut all, ahead, now).unwrap();
    assert_eq!((all.len(), all[0].from), (1, now), "the first signs at once");
    assert!(matches!(remove(&mut all, first, Going::InTime, now), Err(KeyError::InUse(_))));
    let second = another(&mut all, ahead, now).unwrap();
    assert_ne!(first, second);
    let over = now.plus(ahead).plus(run_out());
    for early in [now, now.plus(ahead), over.minus(Span::from_micros(1))] {
        assert!(matches!(another(&mut all.clone(), ahead, early), Err(KeyError::NotYet(until)) if until == over));
        assert!(matches!(remove(&mut all.clone(), first, Going::InTime, early), Err(KeyError::NotYet(_))));
    }
    let mut dropped = all.clone();
    remove(&mut dropped, first, Going::InTime, over).unwrap();
    assert_eq!(dropped.len(), 1);
    let third = another(&mut all, ahead, over).unwrap();
    assert_eq!((third, all.len(), all[1].from), (first, 2, over.plus(ahead)), "in the place of the first");
    assert!(matches!(remove(&mut all, "ssh-user-ca", Going::Compromised, over), Err(KeyError::None(_))));
    // One that somebody else may have goes at once, and the other signs at once.
    let late = over.plus(Span::from_secs(1));
    remove(&mut all, second, Going::Compromised, late).unwrap();
    assert_eq!((all.len(), all[0].from), (1, late));
    remove(&mut all, third, Going::Compromised, late).unwrap();
    assert_eq!(all, []);
}

#[test]
fn one_key_takes_over_from_another_and_both_are_known() {
    let world = World::new(41, With::P256);
    let now = world.now();
    let keys =
        [(TOKEN_KEYS[0], new_key(With::P256, &world.ambient)), (TOKEN_KEYS[1], new_key(With::Ed25519, &world.ambient))];
    let signer = Arc::new(signer(&keys));
    let later = now.plus(Span::from_mins(10));
    let (read, troubles) = TokenKeys::read(&*signer, &[kept(TOKEN_KEYS[0], now), kept(TOKEN_KEYS[1], later)]);
    assert_eq!(troubles, Vec::<String>::new());
    let kind = OauthKind::new(signer, read, ISSUER, &world.ambient);
    let published = kind.published().unwrap().paper("jwks.json", 1, now, &[]).unwrap().unwrap();
    let set: Value = serde_json::from_slice(&published.bytes).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2, "both are published before the second signs");
    assert!(!String::from_utf8_lossy(&published.bytes).contains("\"d\""), "no private half");
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["read"], "life_secs": 3600 })));
    let held = world.hold(&api, &role, Span::from_hours(2));
    let issue = || {
        let issuer = kind.issuer().unwrap();
        let issued = issuer.issue(&world.target(&api), &role, &held.lease, held.permit(world.now()), &Value::Null, 7);
        secret(issued.unwrap())
    };
    let old = issue();
    world.clock.advance(Span::from_mins(10));
    let new = issue();
    assert_eq!(
        [decoded(&old, 0)["kid"].clone(), decoded(&new, 0)["kid"].clone()],
        [set["keys"][0]["kid"].clone(), set["keys"][1]["kid"].clone()]
    );
    let tokens = kind.tokens().unwrap();
    assert!(tokens.read(&old, world.now()).is_some() && tokens.read(&new, world.now()).is_some());
}

#[test]
fn without_a_key_nothing_is_issued_and_nothing_is_told() {
    let world = World::new(42, With::P256);
    let none = OauthKind::new(Arc::new(signer(&[])), TokenKeys::default(), ISSUER, &world.ambient);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["read"] })));
    let held = world.hold(&api, &role, Span::from_hours(1));
    let issuer = none.issuer().unwrap();
    let refused = issuer.issue(&world.target(&api), &role, &held.lease, held.permit(world.now()), &Value::Null, 7);
    assert!(
        matches!(&refused, Err(ConnectError::Refused { why, .. }) if why.contains("wane token-key new")),
        "{refused:?}"
    );
    assert!(none.tokens().unwrap().metadata().is_none());
    // Of a key that is kept and is not there it is told.
    let (read, troubles) =
        TokenKeys::read(&signer(&[]), &[kept(TOKEN_KEYS[0], world.now()), kept("other", world.now())]);
    assert_eq!((read.ids().len(), troubles.len()), (0, 2), "{troubles:?}");
    let metadata = world.paper("authorization-server.json").unwrap();
    assert_eq!(metadata["issuer"], ISSUER);
    assert!(world.paper("none.json").is_none());
}
