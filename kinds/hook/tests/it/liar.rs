//! Targets that say they did and did not, and one that says yes to everything.

use serde_json::json;
use wane_connector::{Artifact, ConnectError, EndOutcome, Presence};

use crate::apis;
use crate::sim::{Mood, Sim};
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
