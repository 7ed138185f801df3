//! A receiver of one's own: each call is signed over all that it says, and its answer is read strictly.

use std::sync::Mutex;

use serde_json::{Value, json};
use wane_connector::conformance::run;
use wane_connector::{ConnectError, Kind as _, Presence};
use wane_domain::secret::Secret;
use wane_egress::{HookSecret, signatures};

use crate::sim::{Asked, ByState, Mood, Said, Sim, State};
use crate::stage::{Real, Stage};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Ids that were seen: a call that comes twice is somebody else's.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn receiver(state: &mut State, asked: &Asked) -> Said {
    let header = |name: &str| asked.headers.get(name).cloned().unwrap_or_default();
    let (id, moment) = (header("webhook-id"), header("webhook-timestamp"));
    let secret = HookSecret::read(&Secret::new(SECRET.as_bytes().to_vec())).unwrap();
    let wanted = signatures(&[secret], &id, moment.parse().unwrap_or_default(), &asked.bytes);
    let again = SEEN.lock().unwrap().contains(&id);
    SEEN.lock().unwrap().push(id);
    if header("webhook-signature") != wanted || again {
        return (401, Some(json!({ "error": "who is it" })));
    }
    let name = asked.body["name"].as_str().unwrap_or_default().to_owned();
    (
        200,
        Some(match asked.body["call"].as_str().unwrap_or_default() {
            "create" => {
                state.remove(|thing| thing.name == name);
                let made = state.make(&name, None, asked.body["role"].clone());
                json!({ "id": made.id.to_string(), "secret": made.secret, "shows": { "login": format!("svc-{name}") } })
            }
            "revoke" => {
                state.remove(|thing| thing.name == name);
                json!({})
            }
            "verify_absent" => json!({ "absent": state.by_name(&name).is_none(), "seen": "looked in the table" }),
            "inventory" => {
                // In pages of two.
                let after = asked.body["after"].as_str().and_then(|n| n.parse().ok()).unwrap_or(0_usize);
                let items: Vec<Value> = state
                    .things
                    .iter()
                    .skip(after)
                    .take(2)
                    .map(|t| json!({ "name": t.name, "id": t.id.to_string() }))
                    .collect();
                let next = (after + 2 < state.things.len()).then(|| (after + 2).to_string());
                json!({ "items": items, "next": next })
            }
            "extend" => {
                state.by_name(&name).unwrap().more = asked.body["end"].clone();
                json!({})
            }
            _ => return (400, None),
        }),
    )
}

fn settings(sim: &Sim) -> Value {
    json!({
        "of": "desk", "hands_out": "a login at the desk", "receiver": true, "url": format!("{}/wane", sim.url()),
        "residual": { "logins_secs": 1 },
        "calls": ["create", "revoke", "verify_absent", "inventory", "extend"], "secret": "answered",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_passes_the_kit() {
    let sim = Sim::start(receiver).await;
    let role = json!({ "of": "desk", "values": { "queue": "returns" } });
    let stage = Stage::new(&settings(&sim), &role, Some(SECRET));
    assert_eq!(stage.probe().await.unwrap(), [None]);
    let granted = stage.make().await;
    assert_eq!(granted.public["login"], format!("svc-{}", granted.name()));
    assert_eq!(sim.things()[0].more, json!({ "queue": "returns" }));
    stage.effects().extend(&stage.target(), &granted.lease).await.unwrap();
    assert_eq!(sim.things()[0].more, json!(granted.lease.end));
    stage.end_for_good(&granted).await;
    let subject = Real::new(stage, ByState(std::sync::Arc::clone(&sim.state)));
    run(&subject).await.unwrap();
    assert!(sim.things().is_empty());
}

/// Signed with another secret it is nobody; and what is answered besides is not taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_knows_who_calls_and_is_read_strictly() {
    let sim = Sim::start(receiver).await;
    let role = json!({ "of": "desk" });
    let other = Stage::new(&settings(&sim), &role, Some("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    let met = other.probe().await.unwrap_err();
    assert!(matches!(met, ConnectError::Trust { .. }), "{met}");
    let none = Stage::new(&settings(&sim), &role, None);
    assert!(matches!(none.probe().await.unwrap_err(), ConnectError::Trust { .. }));
    let mut stage = Stage::new(&settings(&sim), &role, Some(SECRET));
    for (body, word) in [
        ("{\"absent\": \"yes\"}", "not what belongs there"),
        ("{\"absent\": true, \"more\": 1}", "not what belongs there"),
        ("[]", "not what belongs there"),
        ("{}", "not what belongs there"),
    ] {
        sim.mood(Mood::Says("POST", "application/json", body.to_owned()));
        let met = stage.presence(&stage.lease()).await.unwrap_err().to_string();
        assert!(met.contains(word), "{body}: {met}");
    }
    // What it says it saw is told, unless it is what its calls are signed with; and what does not belong there is not told.
    let mut only_asked = settings(&sim);
    only_asked["calls"] = json!(["create", "revoke", "verify_absent"]);
    stage.resource.settings = stage.kind.settings(&only_asked).unwrap();
    for (body, told) in [
        (json!({ "absent": true, "seen": "looked twice" }).to_string(), true),
        (json!({ "absent": true, "seen": format!("not {SECRET}") }).to_string(), false),
    ] {
        sim.mood(Mood::Says("POST", "application/json", body));
        let presence = stage.presence(&stage.lease()).await.unwrap();
        let Presence::Absent { proof } = presence else { panic!("{presence:?}") };
        assert!(proof.contains("looked twice") == told && !proof.contains(SECRET), "{proof}");
    }
    for body in [r#"{"absent": "hunter2"}"#, r#"{"hunter2": true}"#] {
        sim.mood(Mood::Says("POST", "application/json", body.to_owned()));
        let met = stage.presence(&stage.lease()).await.unwrap_err().to_string();
        assert!(!met.contains("hunter2"), "{met}");
    }
    sim.mood(Mood::Says("POST", "text/plain", "{\"absent\": true}".to_owned()));
    assert!(stage.presence(&stage.lease()).await.is_err());
}
