//! `wane psql` with the real `psql`, the real server, and a port that stands for the CLI's.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use wane_connector::verb::{Access, AccessPort, Credential, Verb, VerbError, Want};
use wane_domain::time::Time;
use wane_kind_postgres::PsqlVerb;

use crate::stage::{Granted, Stage, real_now};

struct Port<'a> {
    stage: &'a Stage,
    granted: &'a Granted,
    over: AtomicBool,
    said: Mutex<Vec<String>>,
    wanted: Mutex<Option<Want>>,
}

impl<'a> Port<'a> {
    fn new(stage: &'a Stage, granted: &'a Granted) -> Self {
        Self { stage, granted, over: AtomicBool::new(false), said: Mutex::default(), wanted: Mutex::default() }
    }
}

#[async_trait]
impl AccessPort for Port<'_> {
    async fn ensure(&self, want: &Want) -> Result<Access, VerbError> {
        *self.wanted.lock().unwrap() = Some(want.clone());
        Ok(Access { grant: self.granted.grant.id.to_string(), end: self.granted.lease.end })
    }
    async fn credential(&self, _: &str, _: Value) -> Result<Credential, VerbError> {
        let created = self.stage.create(self.granted).await.map_err(|e| VerbError::Failed(e.to_string()))?;
        let (public, secret, not_after) = (created.handed.public, created.handed.secret, created.handed.not_after);
        Ok(Credential { public, secret, not_after, grant_end: self.granted.lease.end })
    }
    async fn standing(&self, grant: &str) -> Result<Access, VerbError> {
        if self.over.load(Ordering::SeqCst) {
            return Err(VerbError::Denied("revoked by ada: incident over".to_owned()));
        }
        Ok(Access { grant: grant.to_owned(), end: self.granted.lease.end })
    }
    async fn call(&self, _: &str, _: &str, _: Option<&str>, _: Option<Value>) -> Result<Value, VerbError> {
        Err(VerbError::Failed("not used".to_owned()))
    }
    fn say(&self, line: &str) {
        self.said.lock().unwrap().push(line.to_owned());
    }
    fn put(&self, _: &Value, text: &str) {
        self.said.lock().unwrap().push(text.to_owned());
    }
    fn now(&self) -> Time {
        real_now()
    }
    fn entropy(&self, buf: &mut [u8]) {
        buf.copy_from_slice(&vec![0; buf.len()]);
    }
    fn beat(&self) -> Duration {
        Duration::from_millis(50)
    }
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|&word| word.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_psql_runs_with_a_password_from_memory() {
    let stage = Stage::usual();
    let granted = stage.lease(&stage.readers());
    let port = Port::new(&stage, &granted);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    // What psql was told: its own environment, and what else it could have seen.
    let sql = format!("\\o {out}\nSELECT x FROM t;\n\\! env | grep ^PG; cat /proc/$PPID/cmdline");
    let script = folder.path().join("script");
    std::fs::write(&script, sql).unwrap();
    let script = script.display().to_string();
    let run = async |line: &[&str]| PsqlVerb::new().run(&words(line), &port).await;
    assert_eq!(run(&["orders", "--role", "readonly", "--", "-X", "-A", "-t", "-f", &script]).await.unwrap(), 0);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "42\n");
    assert_eq!(port.wanted.lock().unwrap().as_ref().unwrap().role.as_deref(), Some("readonly"));

    // psql's own exit codes, and another database.
    assert_eq!(run(&["orders", "--", "-X", "-v", "ON_ERROR_STOP=1", "-c", "SELECT nothing"]).await.unwrap(), 1);
    assert_eq!(run(&["orders", "-d", "nowhere", "--", "-X", "-c", "SELECT 1"]).await.unwrap(), 2);
    let log = stage.server.log().unwrap();
    assert!(log.contains(&format!("user={} db=app", granted.name())), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_arguments_or_environment() {
    let stage = Stage::usual();
    let granted = stage.lease(&stage.readers());
    let port = Port::new(&stage, &granted);
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let spy = folder.path().join("psql");
    let script = format!(
        "#!/bin/sh\n{{ tr '\\0' '\\n' </proc/$$/cmdline; tr '\\0' '\\n' </proc/$$/environ; stat -Lc %a \"$PGPASSFILE\"; }} >{0}\ncat \"$PGPASSFILE\" >{0}.password\n",
        seen.display()
    );
    std::fs::write(&spy, script).unwrap();
    std::fs::set_permissions(&spy, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(PsqlVerb::with_program(&spy).run(&words(&["orders"]), &port).await.unwrap(), 0);
    let password = std::fs::read_to_string(folder.path().join("seen.password")).unwrap();
    let password = password.trim().rsplit(':').next().unwrap().to_owned();
    assert_eq!(password.len(), 43);
    let seen = std::fs::read_to_string(&seen).unwrap();
    assert!(!seen.contains(&password) && !seen.contains("PGPASSWORD"), "{seen}");
    assert!(
        seen.contains("PGSSLMODE=verify-full") && seen.contains("PGPASSFILE=/proc/") && seen.ends_with("600\n"),
        "{seen}"
    );
    // It is the password that works.
    assert!(stage.server.psql_as(granted.name(), &password, "app", "SELECT x FROM t").unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_grant_ends_the_person_is_told_why_and_how_to_ask_again() {
    let stage = Stage::usual();
    let granted = stage.lease(&stage.readers());
    let port = Port::new(&stage, &granted);
    let args = words(&["orders", "--role", "readonly", "--", "-X", "-c", "SELECT pg_sleep(600)"]);
    let verb = PsqlVerb::new();
    let running = verb.run(&args, &port);
    let ending = async {
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
        wane_testkit::eventually("psql to sleep", crate::stage::SOON, async || stage.sql("app", asleep) == "1")
            .await
            .unwrap();
        port.over.store(true, Ordering::SeqCst);
        wane_testkit::eventually("the person to be told", crate::stage::SOON, async || {
            !port.said.lock().unwrap().is_empty()
        })
        .await
        .unwrap();
        stage.end_for_good(&granted).await;
    };
    let (code, ()) = tokio::join!(running, ending);
    assert_eq!(code.unwrap(), 2);
    let said = port.said.lock().unwrap().clone();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("revoked by ada: incident over") && said[0].ends_with("wane psql orders --role readonly"),
        "{said:?}"
    );
}
