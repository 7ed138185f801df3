//! What a token says, and what is never signed or believed.

use serde_json::{Value, json};
use wane_connector::{ConnectError, Kind as _, SignError, Signer as _};
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_keys::signer::LocalSigner;
use wane_kind_oauth::keys::TokenKeys;
use wane_kind_oauth::{OauthKind, TOKEN_KEYS, check_token};

use crate::world::{AUDIENCE, ISSUER, With, World, decoded, encoded, kept, new_key, secret, signer};

#[test]
fn a_token_says_what_was_meant() {
    for (seed, with) in [(1, With::P256), (2, With::Ed25519)] {
        let world = World::new(seed, with);
        let (api, role) = (world.api(), world.role(&json!({ "scopes": ["write", "read"], "life_secs": 600 })));
        let held = world.hold(&api, &role, Span::from_hours(2));
        let issued = world.issue(&held, &api, &role, &Value::Null).unwrap();
        let (inventory, public, debug) =
            (issued.inventory.clone(), issued.handed.public.clone(), format!("{issued:?}"));
        let token = secret(issued);
        let (header, claims) = (decoded(&token, 0), decoded(&token, 1));
        let keys = world.paper("jwks.json").unwrap();
        assert_eq!(header, json!({ "alg": keys["keys"][0]["alg"], "typ": "at+jwt", "kid": keys["keys"][0]["kid"] }));
        let now = world.now().seconds();
        let expected = json!({
            "iss": ISSUER, "sub": held.grant.holder, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 600,
            "jti": format!("tok_{}_7", held.lease.id.suffix()), "client_id": "wane", "scope": "read write",
            "wane_grant": held.grant.id,
        });
        assert_eq!(claims, expected, "{with:?}");
        assert_eq!((&inventory["jti"], &public["scope"]), (&claims["jti"], &claims["scope"]));
        for place in [inventory.to_string(), public.to_string(), debug] {
            assert!(!place.contains(token.rsplit('.').next().unwrap()), "{place}");
        }
        let read = world.read(&token).unwrap();
        assert_eq!((read.lease, read.grant, read.serial), (held.lease.id, held.grant.id, 7));
        assert!(world.tokens().is_for(&read, &api));
        assert!(!world.tokens().is_for(&read, &world.resource(&json!({ "audience": "https://other.example" }))));
        let less = world.token(&held, &api, &role, &json!({ "scope": "read", "life_secs": 30 }));
        assert_eq!(
            (decoded(&less, 1)["scope"].as_str(), decoded(&less, 1)["exp"].as_i64()),
            (Some("read"), Some(now + 30))
        );
    }
}

#[test]
fn what_is_sent_along_gives_no_more_than_the_role() {
    let world = World::new(3, With::P256);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["read"], "life_secs": 60 })));
    let held = world.hold(&api, &role, Span::from_hours(2));
    for (input, word) in [
        (json!({ "scope": "write" }), "more than is given"),
        (json!({ "scope": "read write" }), "more than is given"),
        (json!({ "scope": "" }), "no scope"),
        (json!({ "scope": "read read" }), "twice"),
        (json!({ "scope": ["read"] }), "text"),
        (json!({ "life_secs": 0 }), "at least"),
        (json!({ "life_secs": -1 }), "whole number"),
        (json!({ "aud": "x" }), "unknown"),
        (json!({ "certificate": "none" }), "PEM"),
        (json!({ "dpop": "a.b.c" }), "dpop:"),
        (json!({ "within": "a.b.c" }), "within:"),
        (json!([]), "JSON object"),
    ] {
        let refused = world.issue(&held, &api, &role, &input);
        assert!(matches!(&refused, Err(ConnectError::Input(why)) if why.contains(word)), "{input}: {refused:?}");
    }
    // Longer than the role gives is what the role gives.
    let token = world.token(&held, &api, &role, &json!({ "life_secs": 3600 }));
    assert_eq!(decoded(&token, 1)["exp"].as_i64(), Some(world.now().seconds() + 60));
}

#[test]
fn a_token_never_outlives_its_grant() {
    let world = World::new(4, With::P256);
    let api = world.api();
    for (duration, life, lived) in [
        (Span::from_secs(120), 3600, 120),
        (Span::from_hours(8), 3600, 3600),
        (Span::from_hours(8), 300, 300),
        (Span::from_micros(2_500_000), 60, 2),
    ] {
        let role = world.role(&json!({ "scopes": ["read"], "life_secs": life }));
        let held = world.hold(&api, &role, duration);
        let not_after = world.issue(&held, &api, &role, &Value::Null).unwrap().handed.not_after.unwrap();
        assert!(not_after <= held.lease.end, "{duration}");
        let life = not_after.seconds() - world.now().seconds();
        assert!((lived - 1..=lived + 1).contains(&life), "{duration}: {life} s");
    }
    // Renewed in steps of a millisecond until its grant is over, never beyond. That is half a second into a second.
    world.clock.set(wane_domain::time::Time::from_micros((world.now().seconds() + 1) * 1_000_000 + 500_000));
    let role = world.role(&json!({ "scopes": ["read"], "life_secs": 60 }));
    let held = world.hold(&api, &role, Span::from_secs(62));
    world.clock.advance(Span::from_secs(58));
    let mut refused = 0;
    for _ in 0..3_990 {
        world.clock.advance(Span::from_micros(1_000));
        match world.issue(&held, &api, &role, &json!({ "life_secs": 3600 })) {
            Ok(issued) => assert!(issued.handed.not_after.unwrap() <= held.grant.usable_until(world.now()).unwrap()),
            Err(ConnectError::Over(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0, "a token of no second at all is none");
}

#[test]
fn what_is_over_is_over_to_the_second() {
    let world = World::new(5, With::Ed25519);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["read"], "life_secs": 10 })));
    let held = world.hold(&api, &role, Span::from_hours(1));
    let issued = world.issue(&held, &api, &role, &Value::Null).unwrap();
    let (until, token) = (issued.handed.not_after.unwrap(), secret(issued));
    assert!(world.read(&token).is_some());
    for (before, good) in [(1_000_000, true), (1, true), (0, false), (-1, false), (-3_600_000_000, false)] {
        world.clock.set(wane_domain::time::Time::from_micros(until.micros() - before));
        assert_eq!(world.read(&token).is_some(), good, "{before} µs before");
    }
    world.clock.set(until.minus(Span::from_secs(12)));
    assert!(world.read(&token).is_none(), "it has not begun");
}

/// The claims of a token, in the order of its one spelling.
fn claims(world: &World, held: &wane_testkit::Held) -> Vec<(&'static str, Value)> {
    let now = world.now().seconds();
    vec![
        ("iss", json!(ISSUER)),
        ("sub", json!(held.grant.holder)),
        ("aud", json!(AUDIENCE)),
        ("exp", json!(now + 60)),
        ("nbf", json!(now)),
        ("iat", json!(now)),
        ("jti", json!(format!("tok_{}_7", held.lease.id.suffix()))),
        ("client_id", json!("wane")),
        ("scope", json!("read write")),
        ("wane_grant", json!(held.grant.id)),
    ]
}

fn object(members: &[(&str, Value)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn of_all_the_tokens_one_is_believed() {
    let world = World::new(6, With::P256);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["read", "write"], "life_secs": 60 })));
    let held = world.hold(&api, &role, Span::from_hours(1));
    let kid = world.paper("jwks.json").unwrap()["keys"][0]["kid"].as_str().unwrap().to_owned();
    let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#);
    let good = claims(&world, &held);
    let valid = world.forged(&header, &object(&good));
    assert!(world.read(&valid).is_some(), "the one that is");
    let mut bad: Vec<(String, String)> = Vec::new();
    let mut try_header =
        |what: &str, text: String| bad.push((format!("header: {what}"), world.forged(&text, &object(&good))));
    for (what, text) in [
        ("alg none", format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{kid}"}}"#)),
        ("alg HS256", format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{kid}"}}"#)),
        ("alg EdDSA", format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#)),
        ("alg es256", format!(r#"{{"alg":"es256","typ":"at+jwt","kid":"{kid}"}}"#)),
        ("alg ES384", format!(r#"{{"alg":"ES384","typ":"at+jwt","kid":"{kid}"}}"#)),
        ("no alg", format!(r#"{{"typ":"at+jwt","kid":"{kid}"}}"#)),
        ("typ JWT", format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{kid}"}}"#)),
        ("typ AT+JWT", format!(r#"{{"alg":"ES256","typ":"AT+JWT","kid":"{kid}"}}"#)),
        ("typ with media type", format!(r#"{{"alg":"ES256","typ":"application/at+jwt","kid":"{kid}"}}"#)),
        ("typ of a proof", format!(r#"{{"alg":"ES256","typ":"dpop+jwt","kid":"{kid}"}}"#)),
        ("no typ", format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#)),
        ("no kid", r#"{"alg":"ES256","typ":"at+jwt"}"#.to_owned()),
        ("another kid", r#"{"alg":"ES256","typ":"at+jwt","kid":"x"}"#.to_owned()),
        ("kid a path", r#"{"alg":"ES256","typ":"at+jwt","kid":"../../dev/null"}"#.to_owned()),
        ("crit", format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","crit":["exp"]}}"#)),
        ("jku", format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","jku":"https://evil.example"}}"#)),
        ("jwk", format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","jwk":{{}}}}"#)),
        ("b64", format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","b64":false}}"#)),
        ("twice", format!(r#"{{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#)),
        ("another order", format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#)),
        ("a space", format!(r#"{{"alg":"ES256", "typ":"at+jwt","kid":"{kid}"}}"#)),
        ("a list", "[]".to_owned()),
        ("nothing", String::new()),
    ] {
        try_header(what, text);
    }
    let with = |name: &str, value: Value| {
        let changed =
            good.iter().map(|(member, old)| (*member, if *member == name { value.clone() } else { old.clone() }));
        object(&changed.collect::<Vec<_>>())
    };
    let now = world.now().seconds();
    let other = format!("per_{}", held.lease.id.suffix());
    let mut said: Vec<(String, String)> = Vec::new();
    for (name, values) in [
        (
            "iss",
            vec![json!("https://evil.example"), json!(format!("{ISSUER}/")), json!(""), json!([ISSUER]), json!(null)],
        ),
        ("sub", vec![json!(""), json!(held.grant.id), json!("root"), json!(null), json!(1)]),
        ("aud", vec![json!(""), json!([AUDIENCE]), json!([AUDIENCE, "x"]), json!(null)]),
        (
            "exp",
            vec![
                json!(now),
                json!(now - 1),
                json!(0),
                json!(-1),
                json!((now + 60).to_string()),
                json!(1e300),
                json!(null),
            ],
        ),
        ("nbf", vec![json!(now + 30), json!(now - 1), json!("0"), json!(null)]),
        ("iat", vec![json!(now + 30), json!(now - 1), json!(0), json!(null)]),
        (
            "jti",
            vec![
                json!(""),
                json!("7"),
                json!(format!("tok_{}_07", held.lease.id.suffix())),
                json!(format!("tok_{}_-7", held.lease.id.suffix())),
                json!(null),
            ],
        ),
        ("client_id", vec![json!("other"), json!(""), json!(null)]),
        (
            "scope",
            vec![
                json!(""),
                json!("write read"),
                json!("read  write"),
                json!(" read"),
                json!("read read"),
                json!(["read"]),
                json!(null),
            ],
        ),
        ("wane_grant", vec![json!(""), json!(other), json!(null)]),
    ] {
        for value in values {
            said.push((format!("{name} {value}"), with(name, value)));
        }
        let without: Vec<(&str, Value)> = good.iter().filter(|(member, _)| *member != name).cloned().collect();
        said.push((format!("no {name}"), object(&without)));
        let twice: Vec<(&str, Value)> = good
            .iter()
            .flat_map(|one| if one.0 == name { vec![one.clone(), one.clone()] } else { vec![one.clone()] })
            .collect();
        said.push((format!("{name} twice"), object(&twice)));
    }
    let more = |name: &'static str, value: Value| object(&[good.clone(), vec![(name, value)]].concat());
    for (what, text) in [
        ("another claim", more("admin", json!(true))),
        ("an actor", more("act", json!({ "sub": "root" }))),
        ("a binding to nothing", more("cnf", json!({}))),
        ("a binding to null", more("cnf", json!(null))),
        ("another order", object(&good.iter().rev().cloned().collect::<Vec<_>>())),
        ("a space", object(&good).replacen(',', ", ", 1)),
        ("an escape", object(&good).replacen("wane", "\\u0077ane", 1)),
        ("a line behind", format!("{}\n", object(&good))),
    ] {
        said.push((what.to_owned(), text));
    }
    bad.extend(said.into_iter().map(|(what, text)| (what, world.forged(&header, &text))));
    // What is not of this key, or not of one spelling.
    let (message, signature) = valid.rsplit_once('.').unwrap();
    let theirs = World::new(60, With::P256).forged(&header, &object(&good));
    let zeros = encoded([0_u8; 64]);
    let last = signature.chars().next_back().unwrap();
    let neighbour = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = neighbour.find(last).unwrap();
    let loose = format!("{}{}", &signature[..signature.len() - 1], neighbour.chars().nth(at ^ 1).unwrap());
    for (what, text) in [
        ("another's key", theirs),
        ("no signature", format!("{message}.")),
        ("two parts", message.to_owned()),
        ("four parts", format!("{valid}.x")),
        ("a signature of zeros", format!("{message}.{zeros}")),
        ("a padded signature", format!("{valid}==")),
        ("another spelling of the signature", format!("{message}.{loose}")),
        ("a longer signature", format!("{valid}AA")),
        ("a shorter signature", valid[..valid.len() - 2].to_owned()),
        ("a space in front", format!(" {valid}")),
        ("a line behind", format!("{valid}\n")),
        ("with its scheme", format!("Bearer {valid}")),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("very long", format!("{valid}{}", "A".repeat(100_000))),
        ("a session", "wane_s_0000000000000000000000000_x".to_owned()),
    ] {
        bad.push((what.to_owned(), text));
    }
    assert!(bad.len() > 100, "{}", bad.len());
    for (what, token) in bad {
        assert!(world.read(&token).is_none(), "{what} is believed: {token}");
    }
}

#[test]
fn the_signer_refuses_what_exceeds_the_permit() {
    let world = World::new(7, With::P256);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["read"], "life_secs": 60 })));
    let held = world.hold(&api, &role, Span::from_secs(1800));
    let strict = signer(&[(TOKEN_KEYS[0], new_key(With::P256, &world.ambient))]);
    let header = encoded(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#);
    let good = claims(&world, &held);
    let signed = |claims: &[(&'static str, Value)]| {
        let message = format!("{header}.{}", encoded(object(claims)));
        strict.issue(TOKEN_KEYS[0], held.permit(world.now()), message.as_bytes())
    };
    signed(&good).unwrap();
    let other = world.hold(&api, &role, Span::from_secs(1800));
    let now = world.now().seconds();
    for (name, value) in [
        ("sub", json!(other.grant.holder)),
        ("wane_grant", json!(other.grant.id)),
        ("jti", json!(format!("tok_{}_7", other.lease.id.suffix()))),
        ("exp", json!(now + 1801)),
        ("exp", json!(now + 3601)),
        ("iat", json!(now - 1)),
        ("iss", json!("")),
        ("scope", json!("")),
    ] {
        let claims: Vec<_> =
            good.iter().map(|(m, old)| (*m, if *m == name { value.clone() } else { old.clone() })).collect();
        // What begins earlier begins earlier in both.
        let claims =
            claims.into_iter().map(|(m, v)| if name == "iat" && m == "nbf" { (m, value.clone()) } else { (m, v) });
        let refused = signed(&claims.collect::<Vec<_>>());
        assert!(matches!(refused, Err(SignError::Exceeds(_))), "{name} {value}: {refused:?}");
    }
    let gate = held.permit(world.now()).at_the_gateway();
    let message = format!("{header}.{}", encoded(object(&good)));
    assert!(strict.issue(TOKEN_KEYS[0], gate, message.as_bytes()).is_err(), "nothing is good at the gateway alone");
    for garbage in ["", ".", "a.b", "certificate", &"x".repeat(100_000)] {
        assert!(check_token(&held.permit(world.now()), garbage.as_bytes()).is_err(), "{garbage:.10}");
    }
    let refused =
        strict.publish(TOKEN_KEYS[0], wane_connector::PublishPermit { what: "list".to_owned() }, message.as_bytes());
    assert!(matches!(refused, Err(SignError::WrongRoad { .. })), "a key of tokens publishes nothing: {refused:?}");
}

#[test]
fn a_token_that_is_signed_by_another_key_does_not_leave() {
    let world = World::new(8, With::P256);
    let key = |seed: u8| {
        LocalSigner::new(
            vec![(TOKEN_KEYS[0], Secret::new(vec![seed; 32]))],
            vec![(TOKEN_KEYS[0], check_token as wane_connector::Checker)],
        )
        .unwrap()
    };
    // What is published is of one key, and another signs: a signer that was swapped.
    let (keys, _) = TokenKeys::read(&key(1), &[kept(TOKEN_KEYS[0], world.now())]);
    let kind = OauthKind::new(std::sync::Arc::new(key(2)), keys, ISSUER, &world.ambient);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["read"] })));
    let held = world.hold(&api, &role, Span::from_hours(1));
    let issuer = kind.issuer().unwrap();
    let refused = issuer.issue(&world.target(&api), &role, &held.lease, held.permit(world.now()), &Value::Null, 7);
    assert!(matches!(&refused, Err(ConnectError::Input(why)) if why.contains("read back")), "{refused:?}");
}

#[test]
fn the_permit_has_to_be_for_this_server_role_and_lease() {
    let world = World::new(9, With::P256);
    let (api, role) = (world.api(), world.role(&json!({ "scopes": ["read"] })));
    let held = world.hold(&api, &role, Span::from_hours(1));
    let (other_api, other_role) = (world.api(), world.role(&json!({ "scopes": ["write"] })));
    assert!(world.issue(&held, &other_api, &role, &Value::Null).is_err());
    assert!(world.issue(&held, &api, &other_role, &Value::Null).is_err());
    let other = world.hold(&api, &role, Span::from_hours(1));
    let issuer = world.kind.issuer().unwrap();
    let swapped = issuer.issue(&world.target(&api), &role, &other.lease, held.permit(world.now()), &Value::Null, 7);
    assert!(swapped.is_err());
}
