//! Targets that are down, slow, silent, in trouble, or say something else than was asked for; and what is lost on the way.

use std::time::Duration;

use serde_json::{Value, json};
use wane_connector::{ConnectError, EndOutcome, Kind as _, Presence};
use wane_domain::lease::LeaseEvent;
use wane_domain::time::Span;
use wane_testkit::RabbitMq;

use crate::apis;
use crate::conformance::{of_broker, of_broker_role};
use crate::sim::{Mood, Sim};
use crate::stage::{CREDENTIAL, Stage, real_now, thing, things};

async fn stage() -> (Sim, Stage) {
    let sim = Sim::start(apis::things).await;
    let stage = Stage::new(&things(sim.port), &thing(), Some(CREDENTIAL));
    (sim, stage)
}

/// Whatever a target says that is not what belongs there, nothing is handed out and nothing counts as gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_proves_nothing() {
    let (sim, stage) = stage().await;
    let granted = stage.make().await;
    let huge = format!("[{}]", "0,".repeat(3_000_000) + "0");
    for mood in [
        Mood::Status("*", 500),
        Mood::Status("*", 503),
        Mood::Status("*", 401),
        Mood::Status("*", 403),
        Mood::Status("*", 429),
        Mood::Status("*", 400),
        Mood::Says("*", "text/html", "<html>please sign in</html>".to_owned()),
        Mood::Says("*", "text/html", "[]".to_owned()),
        Mood::Says("*", "application/json", "[".to_owned()),
        Mood::Says("*", "application/json", "{}".to_owned()),
        Mood::Says("*", "application/json", "[{\"name\":\"x\"}]".to_owned()),
        Mood::Says("*", "application/json", huge),
        Mood::Elsewhere("http://127.0.0.1:1/".to_owned()),
        Mood::Lost("*"),
    ] {
        let what = format!("{:?}", mood).chars().take(80).collect::<String>();
        let too_large = matches!(&mood, Mood::Says(_, _, body) if body.len() > 4 * 1024 * 1024);
        sim.mood(mood);
        let presence = stage.presence(&granted).await;
        assert!(presence.is_err(), "{what}: {presence:?}");
        if too_large {
            let met = presence.unwrap_err().to_string();
            assert!(met.contains("larger than"), "it was read whole: {met}");
        }
        let ended = stage.end(&granted).await;
        assert!(!matches!(ended, Ok(EndOutcome::Done | EndOutcome::Unrecallable { .. })), "{what}: {ended:?}");
        assert!(stage.create(&stage.lease()).await.is_err(), "{what}");
        assert!(stage.probe().await.is_err(), "{what}");
        assert!(stage.effects().inventory(&stage.target()).await.is_err(), "{what}");
    }
    sim.mood(Mood::Well);
    stage.end_for_good(&granted).await;
}

/// A status says whose trouble it is: a target that does not take our credential is not tried for others.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_is_trust_and_a_busy_target_is_away() {
    let (sim, mut stage) = stage().await;
    let granted = stage.make().await;
    stage.secret = Some(wane_domain::secret::Secret::new(b"another".to_vec()));
    for met in
        [stage.end(&granted).await.map(drop), stage.presence(&granted).await.map(drop), stage.probe().await.map(drop)]
    {
        let met = met.unwrap_err();
        assert!(
            matches!(&met, ConnectError::Trust { why, .. } if why.contains("401") && !why.contains("another")),
            "{met}"
        );
    }
    stage.secret = None;
    assert!(matches!(stage.end(&granted).await, Err(ConnectError::Trust { .. })));
    stage.secret = Some(wane_domain::secret::Secret::new(CREDENTIAL.as_bytes().to_vec()));
    sim.mood(Mood::Status("*", 503));
    assert!(matches!(stage.end(&granted).await, Err(ConnectError::Unreachable { .. })));
    sim.mood(Mood::Status("DELETE", 500));
    let ended = stage.end(&granted).await;
    assert!(matches!(&ended, Ok(EndOutcome::Retry { why }) if why.contains("500")), "{ended:?}");
    sim.mood(Mood::Well);
    stage.end_for_good(&granted).await;
}

/// What was asked for in vain is bounded, and says that it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_silent_or_down_is_given_up_in_time() {
    let (mut sim, stage) = stage().await;
    let granted = stage.make().await;
    sim.mood(Mood::Silent);
    let begun = real_now();
    let presence = stage.presence(&granted).await;
    assert!(
        matches!(&presence, Err(ConnectError::Unreachable { why, .. }) if why.contains("too long")),
        "{presence:?}"
    );
    assert!(real_now().since(begun) < Span::from_secs(24), "{:?}", real_now().since(begun));
    sim.mood(Mood::Slow(Duration::from_millis(300)));
    assert!(matches!(stage.presence(&granted).await, Ok(Presence::Present { .. })));
    sim.stop().await;
    assert!(matches!(stage.end(&granted).await, Err(ConnectError::Unreachable { .. })));
}

/// The call was done and its answer got lost: by its name it is found again, and it is gone before the failure is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_by_name() {
    let (sim, stage) = stage().await;
    let granted = stage.lease();
    sim.mood(Mood::Lost("POST"));
    assert!(stage.create(&granted).await.is_err());
    assert!(sim.things().is_empty(), "what was made is still there: {:?}", sim.things());
    // The undoing fails as well: what is there is the lease's all the same, and its end takes it, by its name alone.
    sim.mood(Mood::Lost("POST"));
    let other = stage.lease();
    let state = std::sync::Arc::clone(&sim.state);
    state.lock().unwrap().make(other.name(), None, Value::Null);
    sim.mood(Mood::Well);
    stage.end_for_good(&other).await;
    assert!(sim.things().is_empty());
}

/// What is there already, from a try that is not remembered, is revoked before another is made: there is never a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_make_takes_the_place_of_the_first() {
    let (sim, stage) = stage().await;
    let granted = stage.lease();
    stage.create(&granted).await.unwrap();
    let first = sim.things();
    stage.create(&granted).await.unwrap();
    let second = sim.things();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first[0].id, second[0].id);
}

/// The id that was written down belongs to something else by now: that is not touched.
#[tokio::test(flavor = "multi_thread")]
async fn what_took_over_an_id_is_left_alone() {
    let (sim, stage) = stage().await;
    let granted = stage.make().await;
    // The target was set back, and gave the id to somebody else's.
    sim.state.lock().unwrap().things[0].name = "somebody-elses".to_owned();
    let ended = stage.end(&granted).await;
    assert_eq!(ended.unwrap(), EndOutcome::Done);
    assert_eq!(sim.things()[0].name, "somebody-elses");
    // By its id something is there, so it does not count as gone: a person has to look.
    assert!(matches!(stage.presence(&granted).await, Ok(Presence::Present { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_time_is_told_where_that_is_declared() {
    let (sim, stage) = stage().await;
    let mut granted = stage.make().await;
    let later = granted.lease.end.plus(Span::from_mins(5));
    granted.lease = granted.lease.clone().apply(LeaseEvent::Moved { end: later }, real_now()).unwrap().0;
    stage.effects().extend(&stage.target(), &granted.lease).await.unwrap();
    assert_eq!(sim.things()[0].more, json!(later.seconds()));
    stage.end_for_good(&granted).await;
    assert!(stage.effects().extend(&stage.target(), &granted.lease).await.is_err(), "what is gone got more time");

    // Without `extend`, a target that ends it by itself cannot be told; one that does not need not be.
    let sim = Sim::start(apis::things).await;
    let mut settings = things(sim.port);
    settings.as_object_mut().unwrap().remove("extend");
    let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    let granted = stage.make().await;
    stage.effects().extend(&stage.target(), &granted.lease).await.unwrap();
    settings["create"]["json"]["until"] = json!("{end.time}");
    let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    let granted = stage.make().await;
    let met = stage.effects().extend(&stage.target(), &granted.lease).await.unwrap_err();
    assert!(met.to_string().contains("ends by itself"), "{met}");
    let survives = stage.kind.describe(&stage.resource.settings).survives;
    assert!(survives.contains("ends at its first end"), "{survives}");
}

/// Where nothing can be asked, nothing is claimed: it is over when it ends by itself, and approvers are told.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_counts_as_over_when_it_ends_by_itself() {
    let sim = Sim::start(|state, asked| match asked.method.as_str() {
        "POST" => {
            let name = asked.body["name"].as_str().unwrap_or_default().to_owned();
            let made = state.make(&name, None, Value::Null);
            (201, Some(json!({ "token": made.secret })))
        }
        _ => (204, None),
    })
    .await;
    let settings = json!({
        "of": "blind", "hands_out": "a token", "url": sim.url(), "residual": { "logins_secs": 1 },
        "create": { "path": "/t", "json": { "name": "{name}", "until": "{end.time}" }, "secret": { "at": "/token" } },
        "revoke": { "path": "/t/{name}" },
    });
    let stage = Stage::new(&settings, &json!({ "of": "blind" }), None);
    stage.probe().await.unwrap();
    let described = stage.kind.describe(&stage.resource.settings);
    assert!(!described.revokes_logins && described.survives.contains("cannot be asked"), "{described:?}");
    assert!(described.survives.contains("is not found"), "{described:?}");
    let granted = stage.make().await;
    let ended = stage.end(&granted).await.unwrap();
    let EndOutcome::Unrecallable { until, why } = ended else { panic!("{ended:?}") };
    assert_eq!(until, granted.lease.end);
    assert!(why.contains("cannot be asked"), "{why}");
    assert!(sim.calls().iter().any(|call| call.starts_with("DELETE /t/wane_")), "it was not even revoked");
    assert!(stage.presence(&granted).await.is_err());
    // Nothing is listed, so nothing is found, and that is said.
    assert_eq!(stage.effects().inventory(&stage.target()).await.unwrap().marked, []);
}

/// A list that does not end says nothing about what is not on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_end_proves_nothing() {
    let sim = Sim::start(|state, asked| match asked.path.as_slice() {
        [one] if one == "things" && asked.method == "GET" => {
            (200, Some(json!({ "items": [{ "id": 1, "name": "x" }], "next": "again" })))
        }
        _ => apis::things(state, asked),
    })
    .await;
    let mut settings = things(sim.port);
    settings["inventory"] = json!({
        "path": "/things", "items": "/items", "name": { "at": "/name" }, "id": "/id",
        "pages": { "by": "cursor", "parameter": "after", "at": "/next" },
    });
    let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    let granted = stage.lease();
    let met = stage.presence(&granted).await.unwrap_err();
    assert!(met.to_string().contains("goes on and on"), "{met}");
    assert!(!matches!(stage.end(&granted).await, Ok(EndOutcome::Done)));
}

/// A target may give fewer of a list than it is asked for: its list ends where nothing more comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_smaller_pages_than_asked_for_is_read_to_its_end() {
    let sim = Sim::start(|state, asked| match asked.path.as_slice() {
        [one] if one == "things" && asked.method == "GET" => {
            let number = |key: &str| asked.query.get(key).and_then(|n| n.parse::<usize>().ok());
            let most = number("size").unwrap_or(1).min(2);
            let from = number("from").or(number("page").map(|page| (page - 1) * most)).unwrap_or_default();
            let shown = |thing: &crate::sim::Thing| json!({ "id": thing.id, "name": thing.name });
            (200, Some(state.things.iter().skip(from).take(most).map(shown).collect()))
        }
        // By its id it says of nothing that it is there.
        [_, _] if asked.method == "GET" => (404, None),
        _ => apis::things(state, asked),
    })
    .await;
    for pages in [
        json!({ "by": "page", "parameter": "page", "size": { "parameter": "size", "of": 100 } }),
        json!({ "by": "offset", "parameter": "from", "size": { "parameter": "size", "of": 100 } }),
    ] {
        let mut settings = things(sim.port);
        settings["inventory"]["pages"] = pages.clone();
        let stage = Stage::new(&settings, &thing(), Some(CREDENTIAL));
        for other in 0..5 {
            sim.state.lock().unwrap().make(&format!("other-{other}"), None, Value::Null);
        }
        let granted = stage.make().await;
        let presence = stage.presence(&granted).await.unwrap();
        assert!(matches!(presence, Presence::Present { .. }), "{pages}: {presence:?}");
        stage.end_for_good(&granted).await;
        assert!(sim.things().iter().all(|thing| thing.name.starts_with("other-")), "{pages}");
    }
}

/// What is neither a mark of what comes next nor says that nothing does is no end.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_says_strangely_where_it_goes_on_proves_nothing() {
    let sim = Sim::start(|state, asked| match asked.path.as_slice() {
        [one] if one == "things" && asked.method == "GET" => {
            let second = asked.query.contains_key("after");
            // The name of the only thing there is what it says of where it goes on.
            let next = state.things.first().map(|thing| thing.more.clone()).unwrap_or_default();
            let items = if second { json!([{ "id": 7, "name": "last" }]) } else { json!([]) };
            (200, Some(json!({ "items": items, "next": if second { Value::Null } else { next } })))
        }
        _ => apis::things(state, asked),
    })
    .await;
    let stage = |pages: Value| {
        let mut settings = things(sim.port);
        settings["inventory"]["items"] = json!("/items");
        settings["inventory"]["pages"] = pages;
        Stage::new(&settings, &thing(), Some(CREDENTIAL))
    };
    let next = |next: Value| {
        let mut state = sim.state.lock().unwrap();
        state.things.clear();
        state.make("x", None, next);
    };
    let by_mark = stage(json!({ "by": "cursor", "parameter": "after", "at": "/next" }));
    let by_url = stage(json!({ "by": "url", "at": "/next" }));
    for (stage, said, whole) in [
        (&by_mark, json!("a"), true),
        (&by_mark, json!(17), true),
        (&by_mark, json!(""), true),
        (&by_mark, Value::Null, true),
        (&by_mark, json!(true), false),
        (&by_mark, json!(["a"]), false),
        (&by_url, json!("/things?after=1"), true),
        (&by_url, Value::Null, true),
        (&by_url, json!("/things/2"), false),
        (&by_url, json!({ "href": "/things?after=1" }), false),
    ] {
        next(said.clone());
        let asked = sim.calls().len();
        let presence = stage.presence(&stage.lease()).await;
        assert_eq!(presence.is_ok(), whole, "{said}: {presence:?} after {asked}");
        let goes_on = whole && !said.is_null() && said != "";
        assert!(!goes_on || sim.calls().len() == 2, "{said}: what comes next was not asked for");
    }
}

/// "Not found" of whoever stands in front of an API says nothing of what is behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_whoever_stands_in_front_proves_nothing() {
    let (sim, _) = stage().await;
    let mut settings = things(sim.port);
    for key in ["inventory", "extend"] {
        settings.as_object_mut().unwrap().remove(key);
    }
    settings["revoke"] = json!({ "path": "/named/{name}" });
    settings["verify_absent"] = json!({ "path": "/named/{name}" });
    let by_name = Stage::new(&settings, &thing(), Some(CREDENTIAL));
    let mut listed = things(sim.port);
    listed["inventory"]["none"] = json!([404]);
    let listed = Stage::new(&listed, &thing(), Some(CREDENTIAL));
    for stage in [&by_name, &listed] {
        let granted = stage.lease();
        sim.mood(Mood::Page(404));
        let presence = stage.presence(&granted).await;
        let why = presence.unwrap_err().to_string();
        assert!(why.contains("404 and a page"), "{why}");
        let ended = stage.end(&granted).await;
        assert!(!matches!(ended, Ok(EndOutcome::Done)), "{ended:?}");
        assert!(stage.probe().await.is_err());
        // Of the API itself it counts.
        sim.mood(Mood::Status("*", 404));
        assert!(matches!(stage.presence(&granted).await, Ok(Presence::Absent { .. })));
        assert!(matches!(stage.end(&granted).await, Ok(EndOutcome::Done)));
    }
}

/// The target is told days, its answer got lost, and it cannot be asked: it may let somebody in for a day more.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_live_on_for_a_day_counts_as_over_no_sooner() {
    let sim = Sim::start(|_, _| (204, None)).await;
    let until = async |moment: &str, made: bool, longer: bool| {
        let settings = json!({
            "of": "blind", "hands_out": "a token", "url": sim.url(), "residual": { "logins_secs": 1 },
            "create": { "path": "/t", "json": { "name": "{name}", "until": moment } }, "revoke": { "path": "/t/{name}" },
        });
        let stage = Stage::new(&settings, &json!({ "of": "blind" }), None);
        let mut granted = if made { stage.make().await } else { stage.lease() };
        if longer {
            let end = granted.lease.end.plus(Span::from_hours(3));
            granted.lease = granted.lease.clone().apply(LeaseEvent::Moved { end }, real_now()).unwrap().0;
        }
        let ended = stage.end(&granted).await.unwrap();
        let EndOutcome::Unrecallable { until, .. } = ended else { panic!("{ended:?}") };
        until.since(granted.lease.end)
    };
    for (moment, most) in [
        ("{end.time}", Span::ZERO),
        ("{end.in_seconds}", Span::from_mins(1)),
        ("{end.next_day}", Span::from_hours(24)),
        ("{end.in_days}", Span::from_mins(24 * 60 + 1)),
    ] {
        for (made, longer) in [(false, false), (true, false), (true, true), (false, true)] {
            assert_eq!(until(moment, made, longer).await, most, "{moment} {made} {longer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_down_is_an_open_debt_until_it_is_back() {
    let mut broker = RabbitMq::start().unwrap();
    let (_, password) = broker.administrator();
    let stage = Stage::new(&of_broker(&broker), &of_broker_role(), Some(password));
    let granted = stage.make().await;
    broker.stop().unwrap();
    assert!(matches!(stage.end(&granted).await, Err(ConnectError::Unreachable { .. })));
    assert!(matches!(stage.presence(&granted).await, Err(ConnectError::Unreachable { .. })));
    assert!(matches!(stage.create(&stage.lease()).await, Err(ConnectError::Unreachable { .. })));
    broker.resume().unwrap();
    assert!(broker.lets_in(granted.name(), &granted.secret).unwrap(), "it outlived the broker's restart");
    stage.end_for_good(&granted).await;
    assert!(!broker.lets_in(granted.name(), &granted.secret).unwrap());
    // A wrong authority is nobody we know.
    let mut settings = of_broker(&broker);
    let folder = tempfile::tempdir().unwrap();
    let other = wane_testkit::ServerCertificate::generate(folder.path()).unwrap();
    settings["ca_pem"] = json!(std::fs::read_to_string(other.ca_path()).unwrap());
    let stage = Stage::new(&settings, &of_broker_role(), Some(password));
    assert!(stage.probe().await.is_err());
}
