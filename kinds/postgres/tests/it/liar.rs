//! A server that says it did and did not: the real one, behind something on its unix socket that
//! puts a harmless statement where a chosen one was.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use wane_connector::{EndOutcome, Kind, Presence};

use crate::stage::Stage;

const PORT: u16 = 5432;
const INSTEAD: &str = "SET application_name TO 'wane'";

/// Which statements are not done, by how they begin.
type Lies = Arc<Mutex<Vec<&'static str>>>;

pub(crate) struct Liar {
    lies: Lies,
    folder: tempfile::TempDir,
    _serving: JoinSet<()>,
}

impl Liar {
    fn before(upstream: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(format!(".s.PGSQL.{PORT}"))).unwrap();
        let lies = Lies::default();
        let mut serving = JoinSet::new();
        let of = Arc::clone(&lies);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, lies) = (upstream.clone(), Arc::clone(&of));
                connections.spawn(async move {
                    let _ = talk(client, &upstream, &lies).await;
                });
            }
        });
        Self { lies, folder, _serving: serving }
    }

    pub(crate) fn lie(&self, about: &[&'static str]) {
        *self.lies.lock().unwrap() = about.to_vec();
    }
}

/// Passes messages on; answers go back as they come.
async fn talk(client: UnixStream, upstream: &Path, lies: &Lies) -> std::io::Result<()> {
    let (mut from_server, mut to_server) = UnixStream::connect(upstream).await?.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    let mut back = JoinSet::new();
    back.spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    // The first message has no type.
    let mut kind = None;
    loop {
        let length = from_client.read_u32().await?;
        let mut body = vec![0; usize::try_from(length - 4).unwrap()];
        from_client.read_exact(&mut body).await?;
        if kind == Some(b'Q') {
            body = instead(&String::from_utf8(body).unwrap(), &lies.lock().unwrap()).into_bytes();
        }
        if let Some(kind) = kind {
            to_server.write_u8(kind).await?;
        }
        to_server.write_u32(u32::try_from(body.len() + 4).unwrap()).await?;
        to_server.write_all(&body).await?;
        kind = Some(from_client.read_u8().await?);
    }
}

/// None of our texts holds a semicolon.
fn instead(sql: &str, lies: &[&str]) -> String {
    let (sql, end) = sql.split_at(sql.len() - 1);
    let is_lie = |statement: &&str| lies.iter().any(|lie| statement.starts_with(lie));
    let statements = sql.split("; ").map(|statement| if is_lie(&statement) { INSTEAD } else { statement });
    statements.collect::<Vec<_>>().join("; ") + end
}

pub(crate) fn through_a_liar() -> (Stage, Liar) {
    let mut stage = Stage::usual();
    let sockets = stage.server.ca_path().parent().unwrap().join("sockets");
    let liar = Liar::before(sockets.join(format!(".s.PGSQL.{}", stage.server.port())));
    let settings = json!({ "socket": liar.folder.path(), "port": PORT, "user": "wane", "databases": ["app", "other"] });
    stage.resource.settings = stage.kind.settings(&settings).unwrap();
    (stage, liar)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_to_be_made_is_read_back() {
    let (stage, liar) = through_a_liar();
    let honest = stage.account(&stage.readers()).await;
    assert!(stage.sql_as(&honest, "app", "SELECT x FROM t").success(), "the way itself is sound");
    stage.end_for_good(&honest).await;
    for (lies, said) in [
        (&["CREATE ROLE", "COMMENT", "GRANT"][..], "is not there"),
        (&["GRANT"], "its memberships"),
        (&["COMMIT"], "still open"),
    ] {
        let intended = stage.lease(&stage.readers());
        liar.lie(lies);
        let failed = stage.create(&intended).await.unwrap_err().to_string();
        assert!(failed.contains(said), "{lies:?}: {failed}");
        liar.lie(&[]);
        stage.end_for_good(&intended).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_to_be_gone_is_read_back() {
    let (stage, liar) = through_a_liar();
    for lies in [&["DROP ROLE"][..], &["COMMIT"], &["DROP ROLE", "COMMIT", "ALTER ROLE", "REVOKE"]] {
        let account = stage.account(&stage.readers()).await;
        liar.lie(lies);
        let ended = stage.try_end(&account).await;
        let presence = stage.presence(&account).await;
        assert!(matches!(presence, Presence::Present { .. }), "{lies:?}: {ended:?}, {presence:?}");
        match &ended {
            Ok(EndOutcome::Quarantined { why }) => assert!(why.contains("still there"), "{lies:?}: {why}"),
            Err(failed) => assert!(failed.to_string().contains("still open"), "{lies:?}: {failed}"),
            other => panic!("{lies:?}: {other:?}"),
        }
        liar.lie(&[]);
        stage.end_for_good(&account).await;
    }
}
