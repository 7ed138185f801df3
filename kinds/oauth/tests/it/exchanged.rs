//! Tokens that are got for tokens, and constraints on every way to one.

use serde_json::{Value, json};
use wane_connector::ConnectError;
use wane_domain::time::Span;

use crate::world::{Client, With, World, decoded};

#[test]
fn what_is_exchanged_is_within_and_never_more() {
    let world = World::new(20, With::P256);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["a", "b", "c"], "life_secs": 600 })));
    let held = world.hold(&api, &role, Span::from_hours(1));
    let first = world.token(&held, &api, &role, &json!({ "scope": "a b", "life_secs": 60 }));
    world.clock.advance(Span::from_secs(10));
    let within = |input: Value| {
        let mut input = input;
        input["within"] = json!(first);
        world.issue(&held, &api, &role, &input)
    };
    let second = crate::world::secret(within(json!({ "scope": "b" })).unwrap());
    assert_eq!(decoded(&second, 1)["scope"], "b");
    assert_eq!(decoded(&second, 1)["exp"], decoded(&first, 1)["exp"], "no longer than the one before");
    assert_eq!(decoded(&crate::world::secret(within(json!({})).unwrap()), 1)["scope"], "a b");
    for more in ["c", "a c", "a b c"] {
        let refused = within(json!({ "scope": more }));
        assert!(matches!(&refused, Err(ConnectError::Input(why)) if why.starts_with("scope: ")), "{more}: {refused:?}");
    }
    // A chain only narrows.
    let third = world.issue(&held, &api, &role, &json!({ "within": second, "scope": "a" }));
    assert!(third.is_err(), "{third:?}");
    // Of another grant, and of a lease that is over though its grant is not.
    let other = world.hold(&api, &role, Span::from_hours(1));
    let crossed = world.issue(&other, &api, &role, &json!({ "within": first }));
    assert!(matches!(crossed, Err(ConnectError::Over(_))), "{crossed:?}");
    let elsewhere = world.resource(&json!({ "audience": "https://other.example" }));
    let moved = wane_domain::catalogue::Resource { id: api.id, ..elsewhere };
    let refused = world.issue(&held, &moved, &role, &json!({ "within": first }));
    assert!(matches!(&refused, Err(ConnectError::Input(why)) if why.contains("another audience")), "{refused:?}");
    world.clock.advance(Span::from_secs(51));
    assert!(within(json!({})).is_err(), "what ran out gives nothing");
}

#[test]
fn what_is_got_for_a_bound_token_is_bound_to_the_same() {
    let world = World::new(21, With::P256);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["a"], "life_secs": 600, "bound": "key" })));
    let held = world.hold(&api, &role, Span::from_hours(1));
    let (mine, thief) = (Client::new(1), Client::new(2));
    let unbound = world.issue(&held, &api, &role, &json!({}));
    assert!(matches!(&unbound, Err(ConnectError::Input(why)) if why.starts_with("dpop: ")), "{unbound:?}");
    let first = world.token(&held, &api, &role, &json!({ "dpop": mine.proof("1", &held, world.now()) }));
    let key = decoded(&first, 1)["cnf"]["jkt"].as_str().unwrap().to_owned();
    assert_eq!(world.read(&first).unwrap().key.as_deref(), Some(key.as_str()));
    for (what, input) in [
        ("without a proof", json!({ "within": first })),
        ("with a proof of another key", json!({ "within": first, "dpop": thief.proof("2", &held, world.now()) })),
        ("with a proof that was taken", json!({ "within": first, "dpop": mine.proof("1", &held, world.now()) })),
    ] {
        let refused = world.issue(&held, &api, &role, &input);
        assert!(matches!(&refused, Err(ConnectError::Input(why)) if why.starts_with("dpop: ")), "{what}: {refused:?}");
    }
    let second =
        world.token(&held, &api, &role, &json!({ "within": first, "dpop": mine.proof("3", &held, world.now()) }));
    assert_eq!(decoded(&second, 1)["cnf"]["jkt"], key.as_str());
}

#[test]
fn every_constraint_holds_on_every_way_to_a_token() {
    // Each of what a role asks for, on each way by which a token is got: at first, again, and for another.
    let world = World::new(22, With::Ed25519);
    let api = world.api();
    let client = Client::new(3);
    let folder = tempfile::tempdir().unwrap();
    let certificate = wane_testkit::ServerCertificate::generate(folder.path()).unwrap();
    let pem = std::fs::read_to_string(certificate.certificate_path()).unwrap();
    let mut number = 0;
    for (bound, key, cert) in [
        ("no", false, false),
        ("key", true, false),
        ("certificate", false, true),
        ("either", true, false),
        ("either", false, true),
        ("either", true, true),
    ] {
        let role = world.role(&json!({ "scopes": ["a"], "life_secs": 30, "bound": bound }));
        let held = world.hold(&api, &role, Span::from_secs(3000));
        let mut before: Option<String> = None;
        for way in ["first", "again", "for another"] {
            let full = |number: &mut u32| {
                *number += 1;
                let mut input = json!({ "life_secs": 3600 });
                if key {
                    input["dpop"] = json!(client.proof(&number.to_string(), &held, world.now()));
                }
                if cert {
                    input["certificate"] = json!(pem);
                }
                if way == "for another" {
                    input["within"] = json!(before);
                }
                input
            };
            let token = world.token(&held, &api, &role, &full(&mut number));
            let claims = decoded(&token, 1);
            assert!(claims["exp"].as_i64().unwrap() <= world.now().seconds() + 30, "{bound} {way}");
            assert_eq!(claims["cnf"]["jkt"].is_string(), key, "{bound} {way}");
            assert_eq!(claims["cnf"]["x5t#S256"].is_string(), cert, "{bound} {way}");
            for lacking in ["dpop", "certificate"] {
                let mut input = full(&mut number);
                if input.as_object_mut().unwrap().remove(lacking).is_none() {
                    continue;
                }
                let got = world.issue(&held, &api, &role, &input);
                let still = match got {
                    Ok(issued) => decoded(&crate::world::secret(issued), 1)["cnf"].clone(),
                    Err(ConnectError::Input(_)) => continue,
                    Err(other) => panic!("{bound} {way}: {other}"),
                };
                let enough = bound == "either" && (still["jkt"].is_string() || still["x5t#S256"].is_string());
                let kept = way == "for another" && still == claims["cnf"];
                assert!(enough || kept, "{bound} {way} without {lacking}: {still}");
            }
            before = Some(token);
            world.clock.advance(Span::from_secs(1));
        }
    }
}
