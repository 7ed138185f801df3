//! Targets that say they did and did not, and one that says yes to everything.

use serde_json::{Value, json};
use wane_connector::{Artifact, ConnectError, EndOutcome, Presence};

use crate::apis;
use crate::sim::{Mood, Sim, Thing};
use crate::stage::{CREDENTIAL, Stage, thing, things};

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_lies_is_found_out() {
    let sim = Sim::start(apis::things).await;
    let stage = Stage::new(&things(sim.port), &thing(), Some(CREDENTIAL));
    // It says that it made something.
    sim.mood(Mood::Lies("POST"));
    let met = stage.create(&stage.lease()).await.unwrap_err();
    assert!(matches!(&met, ConnectError::Refused { why, .. } if why.contains("read back it is not there")), "{met}");
    // It says that it is gone.
    sim.mood(Mood::Well);
    let granted = stage.make().await;
    sim.mood(Mood::Lies("DELETE"));
    assert_eq!(stage.end(&granted).await.unwrap(), EndOutcome::Done);
    let presence = stage.presence(&granted).await.unwrap();
    assert!(matches!(&presence, Presence::Present { seen } if seen.contains(granted.name())), "{presence:?}");
    let artifact = Artifact { name: granted.name().to_owned(), object: None, detail: String::new() };
    let removed = stage.effects().remove_orphan(&stage.target(), &artifact).await.unwrap();
    assert!(matches!(removed, EndOutcome::Retry { .. }), "{removed:?}");
    sim.mood(Mood::Well);
    stage.end_for_good(&granted).await;
}

/// By its id it says "not found", and lists it all the same; or the other way round. Both have to say that it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_two_ways_has_to_be_said_in_both() {
    let sim = Sim::start(|state, asked| match (asked.method.as_str(), asked.path.len()) {
        ("GET", 2) => {
            let shown = state.things.iter().any(|thing| thing.id.to_string() == asked.path[1] && !thing.revoked);
            if shown { (200, Some(json!({}))) } else { (404, None) }
        }
        ("DELETE", _) => {
            state.things.iter_mut().for_each(|thing| thing.revoked = true);
            (204, None)
        }
        _ => apis::things(state, asked),
    })
    .await;
    let stage = Stage::new(&things(sim.port), &thing(), Some(CREDENTIAL));
    let granted = stage.make().await;
    stage.end(&granted).await.unwrap();
    let presence = stage.presence(&granted).await.unwrap();
    assert!(matches!(&presence, Presence::Present { seen } if seen.contains("lists")), "{presence:?}");
}

/// The list gives it another name: by its id it is there, and no end would ever find it.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_list_shows_is_not_handed_out() {
    let sim = Sim::start(|state, asked| match (asked.method.as_str(), asked.path.len()) {
        ("GET", 1) => {
            let shown = |thing: &Thing| json!({ "id": thing.id, "name": format!("robot${}", thing.name) });
            (200, Some(state.things.iter().map(shown).collect()))
        }
        _ => apis::things(state, asked),
    })
    .await;
    let stage = Stage::new(&things(sim.port), &thing(), Some(CREDENTIAL));
    let met = stage.create(&stage.lease()).await.unwrap_err().to_string();
    assert!(met.contains("no list shows it"), "{met}");
    assert!(sim.things().is_empty(), "what nobody finds again is still there: {:?}", sim.things());
    // The same where it is made and a call after it fails.
    let mut settings = things(sim.port);
    settings["create"]["then"] = json!([{ "path": "/rights/{id}" }]);
    let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    let met = stage.create(&stage.lease()).await.unwrap_err().to_string();
    assert!(met.contains("/rights/"), "{met}");
    assert!(sim.things().is_empty(), "what nobody finds again is still there: {:?}", sim.things());
}

/// Whoever says that everything is there, or nothing, is found out before anything is registered or handed out.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_answer_is_known_is_asked_first() {
    let sim = Sim::start(|state, asked| match (asked.method.as_str(), asked.path.len()) {
        ("GET", 2) => (200, Some(json!({ "page": "please sign in" }))),
        _ => apis::things(state, asked),
    })
    .await;
    let mut settings = things(sim.port);
    settings["verify_absent"]["path"] = json!("/things/{name}");
    let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    let met = stage.probe().await.unwrap_err();
    assert!(met.to_string().contains("what nobody made is said to be there"), "{met}");

    // "Not found" to everything: what is made cannot be read back.
    let sim = Sim::start(|state, asked| match (asked.method.as_str(), asked.path.len()) {
        ("GET", 2) => (404, None),
        _ => apis::things(state, asked),
    })
    .await;
    let mut settings = things(sim.port);
    settings["verify_absent"]["path"] = json!("/things/{name}");
    settings["revoke"]["path"] = json!("/things/{name}");
    settings.as_object_mut().unwrap().remove("inventory");
    settings.as_object_mut().unwrap().remove("extend");
    let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    stage.probe().await.unwrap();
    let met = stage.create(&stage.lease()).await.unwrap_err();
    assert!(met.to_string().contains("read back it is not there"), "{met}");
}

/// What is shown besides must not hold the secret: it would be kept and told.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_besides_holds_no_secret() {
    let sim = Sim::start(apis::things).await;
    let mut settings = things(sim.port);
    settings["create"]["shows"] = json!({ "hint": "use {answer/token} there" });
    let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    let met = stage.create(&stage.lease()).await.unwrap_err().to_string();
    assert!(met.contains("change `shows`") && !met.contains("secret-"), "{met}");
    assert!(sim.things().is_empty(), "what was made is still there");
}

/// However JSON would write it, and where it is the id itself: it would be kept, told, and stand in URLs.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_with_quotes_or_in_an_id_is_found_as_well() {
    let sim = Sim::start(|state, asked| {
        if asked.method != "POST" {
            return apis::things(state, asked);
        }
        let secret = "a\"b\\c\nd";
        let made = state.make(asked.body["name"].as_str().unwrap_or_default(), Some(secret), Value::Null);
        let long = "x".repeat(20_000);
        (201, Some(json!({ "id": made.id, "token": secret, "same": format!("<{secret}>"), "long": long })))
    })
    .await;
    for (at, value, word) in [
        ("shows", json!({ "hint": "{answer/same}" }), "change `shows`"),
        ("shows", json!({ "long": "{answer/long}" }), "larger than"),
        ("id", json!({ "at": "/same" }), "own id of it has the secret"),
    ] {
        let mut settings = things(sim.port);
        settings["create"][at] = value;
        let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
        let met = stage.create(&stage.lease()).await.unwrap_err().to_string();
        assert!(met.contains(word) && !met.contains("a\"b"), "{at}: {met}");
        assert!(sim.things().is_empty(), "what was made is still there");
    }
}

/// What a target says against us is told, but no part of what we showed it, and nothing of what it made.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_says_a_secret_is_not_told() {
    let sim = Sim::start(|_, asked| {
        let all = asked.headers.iter().filter(|(name, _)| name.starts_with("x-") || *name == "authorization");
        let mut said = all.map(|(_, value)| value.strip_prefix("Basic ").map_or_else(|| value.clone(), decoded));
        // The last part of what it was shown.
        let last = said.next_back().unwrap_or_default();
        (422, Some(json!({ "message": format!("`{}` is nobody", last.rsplit(':').next().unwrap_or_default()) })))
    })
    .await;
    for (auth, credential, part) in [
        (json!({ "as": "header", "name": "x-key" }), "plain-part", "plain-part"),
        (json!({ "as": "basic" }), "somebody:basic-part", "basic-part"),
        (json!({ "as": "headers", "names": ["x-a", "x-b"] }), r#"{"x-a":"one-part","x-b":"other-part"}"#, "other-part"),
    ] {
        let mut settings = things(sim.port);
        settings["auth"] = auth;
        let stage = Stage::new(&settings, &thing(), Some(credential));
        let met = stage.presence(&stage.lease()).await.unwrap_err().to_string();
        assert!(met.contains("422") && !met.contains(part), "{met}");
    }
    let sim = Sim::start(|state, asked| match asked.path[0].as_str() {
        "rights" => (422, Some(json!({ "message": format!("{} is weak", state.things[0].secret) }))),
        _ => apis::things(state, asked),
    })
    .await;
    let mut settings = things(sim.port);
    settings["create"]["then"] = json!([{ "path": "/rights" }]);
    let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    let met = stage.create(&stage.lease()).await.unwrap_err().to_string();
    assert!(met.contains("422") && !met.contains("secret-"), "{met}");
}

fn decoded(base64: &str) -> String {
    String::from_utf8(data_encoding::BASE64.decode(base64.as_bytes()).unwrap()).unwrap()
}

/// What a target calls things by goes into the record: in one line, and bounded.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_writes_into_the_record_is_plain_and_bounded() {
    let sim = Sim::start(|state, asked| match (asked.method.as_str(), asked.path.len()) {
        ("GET", 1) => {
            let long = if asked.headers["x-key"] == "long" { 600 } else { 400 };
            let id = |n: usize| format!("{n}\u{1b}[2J\n{}", "y".repeat(long));
            let many =
                state.things.iter().flat_map(|thing| (0..50).map(|n| json!({ "id": id(n), "name": thing.name })));
            (200, Some(many.collect()))
        }
        _ => (204, None),
    })
    .await;
    let mut stage = Stage::new(&things(sim.port), &thing(), Some(CREDENTIAL));
    let granted = stage.lease();
    sim.state.lock().unwrap().make(granted.name(), None, Value::Null);
    let presence = stage.presence(&granted).await.unwrap();
    let Presence::Present { seen } = presence else { panic!("{presence:?}") };
    assert!(seen.len() < 1000 && !seen.contains(char::is_control), "{} {seen}", seen.len());
    let found = stage.effects().inventory(&stage.target()).await.unwrap().marked.remove(0);
    assert!(found.detail.len() < 300 && !found.detail.contains(char::is_control), "{found:?}");
    stage.secret = Some(wane_domain::secret::Secret::new(b"long".to_vec()));
    let met = stage.presence(&granted).await.unwrap_err().to_string();
    assert!(met.contains("more than 512 bytes"), "{met}");
}

/// A permit is for one lease, one resource, one role as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_permit_for_something_else_makes_nothing() {
    let sim = Sim::start(apis::things).await;
    let stage = Stage::new(&things(sim.port), &thing(), Some(CREDENTIAL));
    let (one, other) = (stage.lease(), stage.lease());
    let met = stage.effects().create(&stage.target(), &stage.role, &one.lease, other.permit()).await.unwrap_err();
    assert!(met.to_string().contains("for something else"), "{met}");
    // A role of another sort of target is given nowhere else, and is no problem of this one.
    let mut stage = stage;
    stage.role.definition = json!({ "of": "other" });
    assert_eq!(stage.probe().await.unwrap(), []);
    let granted = stage.lease();
    let met = stage.create(&granted).await.unwrap_err();
    assert!(met.to_string().contains("it is of `other`"), "{met}");
    assert!(sim.calls().iter().all(|call| call.starts_with("GET")), "something was made");
}
