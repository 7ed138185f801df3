//! An application that is down, silent, not the one it should be, or says no.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wane_connector::{ConnectError, EndOutcome, Presence};
use wane_domain::catalogue::Resource;
use wane_domain::secret::Secret;
use wane_testkit::free_port;

use crate::between::{Between, list};
use crate::stage::Stage;

fn elsewhere(stage: Stage, url: &str) -> Stage {
    let mut settings = stage.resource.settings.clone();
    settings["url"] = json!(url);
    let resource = Resource { settings, ..stage.resource.clone() };
    Stage { resource, ..stage }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_down_or_silent_proves_nothing() {
    let stage = Stage::usual();
    let given = stage.give(&stage.admins_role(), "alice").await;
    stage.app.freeze().unwrap();
    let met = stage.end(&given).await.unwrap_err();
    assert!(matches!(met, ConnectError::Unreachable { .. }), "{met}");
    stage.app.thaw().unwrap();
    let url = stage.app.url();
    let stage = elsewhere(stage, &format!("http://127.0.0.1:{}/v2", free_port().unwrap()));
    for met in [
        stage.end(&given).await.map(drop),
        stage.effects().read_back(&stage.target(), &given.lease).await.map(drop),
        stage.probe(&[stage.admins_role()]).await.map(drop),
    ] {
        assert!(matches!(met, Err(ConnectError::Unreachable { .. })), "{met:?}");
    }
    let stage = elsewhere(stage, &url);
    stage.end_for_good(&given).await;
}

/// Behind another path everything is absent; none of that is believed.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_not_there_proves_no_absence() {
    let stage = Stage::usual();
    let (given, url) = (stage.give(&stage.admins_role(), "alice").await, stage.app.url());
    let stage = elsewhere(stage, &format!("{url}/nowhere"));
    let met = stage.effects().read_back(&stage.target(), &given.lease).await;
    assert!(!matches!(met, Ok(Presence::Absent { .. })), "{met:?}");
    let ended = stage.end(&given).await.unwrap();
    assert!(matches!(ended, EndOutcome::Retry { .. }), "{ended:?}");
    let stage = elsewhere(stage, &url);
    stage.end_for_good(&given).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_taken_is_said_and_shows_nowhere() {
    let stage = Stage::usual();
    let given = stage.give(&stage.admins_role(), "alice").await;
    let stage = Stage { secret: Secret::new(b"canary-token".to_vec()), ..stage };
    let met = stage.end(&given).await.unwrap_err();
    assert!(matches!(&met, ConnectError::Trust { .. }), "{met}");
    assert!(!format!("{met} {met:?}").contains("canary"), "{met:?}");
    for odd in [&b""[..], b"two\r\nlines", b"\xff"] {
        let stage = Stage { secret: Secret::new(odd.to_vec()), ..Stage::usual() };
        let met = stage.probe(&[]).await.unwrap_err();
        assert!(matches!(met, ConnectError::Trust { .. }), "{met}");
    }
}

/// Something that answers HTTP, and not as an application does: nothing is followed, nothing long is read, nothing is taken
/// for what it is not.
#[tokio::test(flavor = "multi_thread")]
async fn what_answers_otherwise_is_neither_followed_nor_believed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v2", listener.local_addr().unwrap());
    let stage = elsewhere(Stage::usual(), &url);
    let given = |stage: &Stage| {
        let (grant, lease) = stage.lease(&stage.admins_role());
        let notes = json!({ "place": { "group": "Admins", "group_id": "7", "person": "alice", "person_id": "8" } });
        let event = wane_domain::lease::LeaseEvent::Prepared { object: "x".to_owned(), notes, standing: None };
        let lease = lease.apply(event, stage.now()).unwrap().0;
        crate::stage::Given { grant, lease, role: stage.admins_role() }
    };
    let given = given(&stage);
    let json = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/scim+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let long = format!("{{\"id\":\"7\",\"x\":\"{}\"}}", "x".repeat(5 * 1024 * 1024));
    for (what, answer, is) in [
        (
            "elsewhere",
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_owned(),
            "trust",
        ),
        ("not HTTP", "\x16\x03\x01\x02".to_owned(), "unreachable"),
        ("busy", json("429 Too Many Requests", "{}"), "unreachable"),
        ("broken", json("500 Oops", "{\"detail\":\"a\\u001b[31mb\"}"), "unreachable"),
        ("no JSON", json("200 OK", "<html>"), "refused"),
        ("another resource", json("200 OK", "{\"id\":\"9\",\"members\":[]}"), "refused"),
        ("no resource", json("200 OK", "[]"), "refused"),
        ("without end", json("200 OK", &long), "refused"),
        ("not for Wane", json("403 Forbidden", "{\"detail\":\"no\"}"), "refused"),
        ("gone, from nobody", json("404 Not Found", "{}"), "refused"),
    ] {
        let talking = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        };
        let (target, effects) = (stage.target(), stage.effects());
        let asking = effects.read_back(&target, &given.lease);
        let met = tokio::select! {
            () = talking => unreachable!(),
            met = asking => met,
        };
        let said = match &met {
            Err(ConnectError::Trust { .. }) => "trust",
            Err(ConnectError::Unreachable { .. }) => "unreachable",
            Err(ConnectError::Refused { .. }) => "refused",
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(said, is, "{what}: {met:?}");
        assert!(!format!("{}", met.unwrap_err()).contains('\u{1b}'), "{what}");
    }
}

/// An application that does not say who is in a large group says of whom it asks in which groups they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_hides_its_members_proves_no_absence() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v2", listener.local_addr().unwrap());
    let stage = elsewhere(Stage::usual(), &url);
    let (_, lease) = stage.lease(&stage.admins_role());
    let notes = json!({ "place": { "group": "Admins", "group_id": "7", "person": "alice", "person_id": "8" } });
    let event = wane_domain::lease::LeaseEvent::Prepared { object: "x".to_owned(), notes, standing: None };
    let lease = lease.apply(event, stage.now()).unwrap().0;
    let talking = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let n = stream.read(&mut asked).await.unwrap_or_default();
            let asked = String::from_utf8_lossy(&asked[..n]).into_owned();
            let body = if asked.contains("/Groups/7") {
                r#"{"id":"7","displayName":"Admins"}"#
            } else {
                r#"{"id":"8","userName":"alice","groups":[{"value":"7"}]}"#
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/scim+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    };
    let (target, effects) = (stage.target(), stage.effects());
    let met = tokio::select! {
        () = talking => unreachable!(),
        met = effects.read_back(&target, &lease) => met,
    };
    assert!(matches!(met, Ok(Presence::Present { .. })), "{met:?}");
}

/// An application that says there is one and shows none, as it may while its index lags, has not said that nobody is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_ends_too_soon_proves_no_absence() {
    let (between, stage) = Between::at(Stage::usual()).await;
    let given = stage.intend(&stage.role(&json!({ "account": "deleted" })), &stage.person("bob")).await.unwrap();
    stage.make(&given).await.unwrap();
    between.answers(|asked| asked.is("GET", "/Users?").then(|| list(1, &[])).flatten());
    let met = stage.effects().read_back(&stage.target(), &given.lease).await;
    assert!(matches!(&met, Err(ConnectError::Refused { why, .. }) if why.contains("ends after 0")), "{met:?}");
    let ended = stage.end(&given).await.unwrap();
    assert!(matches!(ended, EndOutcome::Retry { .. }), "{ended:?}");
    assert!(stage.app.is_active("bob").unwrap());
    between.answers(|_| None);
    stage.end_for_good(&given).await;
}

/// Each page is short enough, and there are many.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_end_is_not_read() {
    let (between, stage) = Between::at(Stage::usual()).await;
    let someone = |n: usize| json!({ "id": format!("{n}"), "userName": "zoe", "x": "x".repeat(2 * 1024 * 1024) });
    between.answers(move |asked| {
        asked.is("GET", "/Users?").then(|| {
            let first: usize =
                asked.path.split(['&', '?']).find_map(|p| p.strip_prefix("startIndex=")?.parse().ok()).unwrap();
            list(12, &[someone(first)])
        })?
    });
    let met = stage.effects().inventory(&stage.target()).await.unwrap_err();
    assert!(met.to_string().contains("its list is longer than"), "{met}");
    // Of whom there are two, nobody is meant: nobody more is looked at.
    between.heard();
    let met = stage.look(&stage.role(&json!({ "account": "deleted" })), &stage.person("zoe")).await.unwrap_err();
    assert!(met.to_string().contains("more than one account"), "{met}");
    assert_eq!(between.heard().len(), 2);
}
