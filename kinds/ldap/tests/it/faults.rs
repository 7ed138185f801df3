//! A directory that is down, silent, somebody else, or says no.

use serde_json::json;
use wane_connector::{ConnectError, EndOutcome, Presence};
use wane_domain::secret::Secret;
use wane_testkit::{Slapd, free_port};

use crate::stage::{ADMINS, POSIX, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_down_or_silent_proves_nothing() {
    let mut stage = Stage::usual();
    let place = stage.give(&stage.admins(), "alice").await;
    stage.server.freeze().unwrap();
    let met = stage.end(&place).await.unwrap_err();
    assert!(matches!(met, ConnectError::Unreachable { .. }), "{met}");
    stage.server.thaw().unwrap();
    stage.server.stop().unwrap();
    let met = stage.end(&place).await.unwrap_err();
    assert!(matches!(met, ConnectError::Unreachable { .. }), "{met}");
    let met = stage.effects().read_back(&stage.target(), &place.lease).await.unwrap_err();
    assert!(matches!(met, ConnectError::Unreachable { .. }), "{met}");
    stage.server.resume().unwrap();
    stage.end_for_good(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_server_is_asked_where_the_first_is_down() {
    let server = Slapd::builder().start().unwrap();
    let urls = json!([
        format!("ldaps://127.0.0.1:{}", free_port().unwrap()),
        format!("ldaps://127.0.0.1:{}", server.secure_port())
    ]);
    let stage = Stage::with(server, &json!({ "urls": urls }));
    let place = stage.give(&stage.admins(), "alice").await;
    stage.end_for_good(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn starttls_is_tls_and_somebody_else_is_not_believed() {
    let server = Slapd::builder().start().unwrap();
    let urls = json!([format!("ldap://127.0.0.1:{}", server.plain_port())]);
    let stage = Stage::with(server, &json!({ "urls": urls, "starttls": true }));
    let place = stage.give(&stage.admins(), "alice").await;
    stage.end_for_good(&place).await;

    let other = Slapd::builder().start().unwrap();
    for starttls in [true, false] {
        let server = Slapd::builder().start().unwrap();
        let url = if starttls {
            format!("ldap://127.0.0.1:{}", server.plain_port())
        } else {
            format!("ldaps://127.0.0.1:{}", server.secure_port())
        };
        let settings = json!({ "urls": [url], "starttls": starttls, "tls": { "ca_pem": other.ca_pem().unwrap() } });
        let stage = Stage::with(server, &settings);
        let met = stage.look(&stage.admins(), &stage.person("alice")).await.unwrap_err();
        assert!(matches!(met, ConnectError::Trust { .. }), "{met}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_connector_may_not_do_is_refused_and_said() {
    let mut stage = Stage::usual();
    let place = stage.give(&stage.admins(), "alice").await;
    stage.secret = Secret::new(b"wrong".to_vec());
    let met = stage.end(&place).await.unwrap_err();
    assert!(matches!(&met, ConnectError::Trust { .. }), "{met}");
    assert!(!met.to_string().contains("wrong"), "{met}");

    let server = Slapd::builder().start().unwrap();
    let stage = Stage::with(server, &json!({ "bind_dn": "uid=reader,ou=people,dc=example,dc=org" }));
    stage.server.person("uid=reader", "reader").unwrap();
    let stage = Stage { secret: Secret::new(b"a person's own".to_vec()), ..stage };
    let met = stage.try_give(&stage.admins(), "alice").await.unwrap_err();
    assert!(matches!(&met, ConnectError::Refused { why, .. } if why.contains("insufficientAccessRights")), "{met}");
}

/// A base that nobody sees would make everything below it absent.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_not_there_proves_no_absence() {
    let server = Slapd::builder().start().unwrap();
    let stage = Stage::with(server, &json!({ "base": "ou=gone,dc=example,dc=org" }));
    let place = stage.give(&stage.admins(), "alice").await;
    stage.server.modify(&format!("dn: {ADMINS}\nchangetype: delete\n")).unwrap();
    let ended = stage.end(&place).await.unwrap();
    assert!(matches!(&ended, EndOutcome::Retry { why } if why.contains("base")), "{ended:?}");
    let met = stage.effects().read_back(&stage.target(), &place.lease).await;
    assert!(!matches!(met, Ok(Presence::Absent { .. })), "{met:?}");
}

/// Something that answers, and not LDAP.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_ldap_ends_the_connection_and_nothing_else() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Slapd::builder().start().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    let stage = Stage::with(server, &json!({ "urls": [url], "tls": null }));
    let answers: [&[u8]; 6] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x00",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04",
        b"\x30\x05\x02\x01\x01\x61\x00",
        // A bind that succeeded, then nonsense under the next message's id.
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00\x30\x05\x02\x01\x02\x64\x00",
        b"\xff\xff\xff\xff\xff\xff",
    ];
    let talking = async {
        for answer in answers.iter().cycle() {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 512];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    };
    let asking = async {
        for _ in 0..answers.len() {
            let met = stage.look(&stage.admins(), &stage.person("alice")).await.unwrap_err();
            assert!(matches!(met, ConnectError::Unreachable { .. }), "{met}");
        }
    };
    tokio::select! {
        () = talking => {}
        () = asking => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_no_group_of_the_settings_is_not_touched() {
    let server = Slapd::builder().start().unwrap();
    let stage = Stage::with(server, &json!({ "groups": [POSIX] }));
    let met = stage.look(&stage.admins(), &stage.person("alice")).await.unwrap_err();
    assert!(met.to_string().contains("not among the resource's `groups`"), "{met}");
    let probes = stage.kind_probe(&[stage.admins()]).await;
    assert!(probes[0].as_ref().unwrap().contains("not among"), "{probes:?}");
}
