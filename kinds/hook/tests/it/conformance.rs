//! The kit that every kind passes: each template against its simulator, RabbitMQ and Redis against the real servers.

use async_trait::async_trait;
use serde_json::{Value, json};
use wane_connector::conformance::{Live, Used, run};
use wane_kind_hook::templates;
use wane_testkit::{RabbitMq, Redis, RedisSession};

use crate::amqp::Amqp;
use crate::apis;
use crate::programs::Folder;
use crate::sim::{ByState, Sim};
use crate::stage::{Real, Stage, Use, programs_in};

/// What only a real server can show is shown there.
const REAL: &[&str] = &["rabbitmq-user"];

/// An example of a template, at a simulator.
fn at(sim: &Sim, settings: &Value) -> Value {
    let mut settings = settings.clone();
    let whole = wane_kind_hook::fuzzed::settings(&settings).unwrap();
    let url = url::Url::parse(whole["url"].as_str().unwrap()).unwrap();
    settings["url"] = json!(format!("{}{}", sim.url(), url.path()));
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn every_template_passes_the_kit() {
    for template in templates() {
        let Some((handler, credential)) = apis::of(template.name) else {
            assert!(REAL.contains(&template.name), "`{}` is played through nowhere", template.name);
            continue;
        };
        let sim = Sim::start(handler).await;
        let (settings, role) = template.example().unwrap();
        let stage = Stage::new(&at(&sim, &settings), &role, Some(credential));
        assert_eq!(stage.probe().await.unwrap(), [None], "{}", template.name);
        let subject = Real::new(stage, ByState(std::sync::Arc::clone(&sim.state)));
        let report = run(&subject).await.unwrap_or_else(|e| panic!("{}: {e}\n{:#?}", template.name, sim.calls()));
        assert!(report.shown.len() >= 9, "{}: {report:#?}", template.name);
        // Nothing that works is left, whatever the API goes on showing.
        assert!(sim.things().iter().all(|thing| thing.revoked), "{}: {:?}", template.name, sim.things());
    }
}

struct Broker(RabbitMq);

#[async_trait]
impl Use for Broker {
    async fn use_it(&self, name: &str, secret: &str) -> Result<Used, String> {
        let amqp = Amqp::sign_in(self.0.amqp_port(), name, secret).await.map_err(|e| e.to_string())?;
        let web = self.0.lets_in(name, secret).map_err(|e| e.to_string())?;
        match (amqp.is_some(), web) {
            (true, true) => Ok(Used::Accepted),
            (false, false) => Ok(Used::Refused { why: "neither AMQP nor the management API lets it in".to_owned() }),
            other => Err(format!("AMQP and the management API disagree: {other:?}")),
        }
    }

    async fn open(&self, name: &str, secret: &str) -> Result<Box<dyn Live>, String> {
        let amqp = Amqp::sign_in(self.0.amqp_port(), name, secret).await.map_err(|e| e.to_string())?;
        Ok(Box::new(amqp.ok_or("not let in")?))
    }
}

/// The settings of a broker, as somebody would write them.
pub(crate) fn of_broker(broker: &RabbitMq) -> Value {
    let (user, _) = broker.administrator();
    json!({
        "template": "rabbitmq-user", "url": broker.url(), "ca_pem": broker.ca_pem().unwrap(),
        "parameters": { "user": user, "vhost": "/" },
        // A broker takes a second over each login that it refuses, and a busy machine more.
        "residual": { "logins_secs": 15 },
    })
}

pub(crate) fn of_broker_role() -> Value {
    json!({
        "of": "rabbitmq-user",
        "values": { "configure": "^$", "write": "^orders$", "read": "^orders$", "tags": "management" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_passes_the_kit() {
    let broker = RabbitMq::start().unwrap();
    let (_, password) = broker.administrator();
    let stage = Stage::new(&of_broker(&broker), &of_broker_role(), Some(password));
    assert_eq!(stage.probe().await.unwrap(), [None]);
    let subject = Real::new(stage, Broker(broker));
    let report = run(&subject).await.unwrap();
    assert!(report.shown.len() >= 10, "{report:#?}");
    assert!(report.logins_refused_after.is_some(), "{report:#?}");
    assert_eq!(subject.using.0.users().unwrap(), ["wane"]);
}

struct Acl(Redis);

struct Signed(RedisSession);

#[async_trait]
impl Live for Signed {
    async fn works(&mut self) -> Result<bool, String> {
        Ok(self.0.say("GET orders:1").map_err(|e| e.to_string())? == "42")
    }
}

#[async_trait]
impl Use for Acl {
    async fn use_it(&self, name: &str, secret: &str) -> Result<Used, String> {
        match self.0.sign_in(name, secret).map_err(|e| e.to_string())? {
            None => Ok(Used::Refused { why: "AUTH was refused".to_owned() }),
            Some(mut session) => {
                let read = session.say("GET orders:1").map_err(|e| e.to_string())?;
                let wrote = session.say("SET orders:1 43").map_err(|e| e.to_string())?;
                let beside = session.say("GET other").map_err(|e| e.to_string())?;
                if read == "42" && wrote.starts_with("-NOPERM") && beside.starts_with("-NOPERM") {
                    Ok(Used::Accepted)
                } else {
                    Err(format!("it may do something else: {read} / {wrote} / {beside}"))
                }
            }
        }
    }

    async fn open(&self, name: &str, secret: &str) -> Result<Box<dyn Live>, String> {
        let session = self.0.sign_in(name, secret).map_err(|e| e.to_string())?;
        Ok(Box::new(Signed(session.ok_or("not let in")?)))
    }
}

/// A Redis behind the program that the documentation shows, with a role of these values.
fn redis_stage(redis: &Redis, folder: &Folder, values: &Value) -> Stage {
    folder.add("redis-acl", include_str!("../../examples/redis-acl"));
    let settings = json!({
        "of": "redis-user", "hands_out": "a Redis user of its own", "program": "redis-acl",
        "parameters": { "host": "127.0.0.1", "port": redis.port() },
        // Each call is a program that begins, and a busy machine takes its time over that.
        "residual": { "logins_secs": 10, "sessions_secs": 10 },
        "calls": ["create", "revoke", "verify_absent", "inventory"], "secret": "generated",
    });
    let role = json!({ "of": "redis-user", "values": values });
    let (_, password) = redis.connector();
    Stage::with_programs(&settings, &role, Some(password), programs_in(folder.path()))
}

/// In a line for redis-cli a role's value stays one word of one command.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_says_nothing_to_redis_but_what_it_may() {
    let redis = Redis::start().unwrap();
    let folder = Folder::new();
    for (values, word) in [
        (
            json!({ "keys": ["a\"\nACL SETUSER evil on nopass +@all ~*\n\""], "commands": ["+@read"] }),
            "control characters",
        ),
        (json!({ "keys": ["a*"], "commands": ["+get\r\nACL SETUSER evil on nopass +@all ~*"] }), "control characters"),
        (json!({ "keys": ["a*"], "commands": ["+@read", "allkeys"] }), "begin with"),
        (json!({ "keys": "a*", "commands": ["+@read"] }), "a list of texts"),
    ] {
        let stage = redis_stage(&redis, &folder, &values);
        let met = stage.create(&stage.lease()).await.unwrap_err().to_string();
        assert!(met.contains(word), "{values}: {met}");
        assert!(redis.sign_in("evil", "x").unwrap().is_none(), "{values}: a user that nobody asked for");
    }
}

/// The program that the documentation shows, in a confined child.
#[tokio::test(flavor = "multi_thread")]
async fn redis_passes_the_kit_through_a_program() {
    let redis = Redis::start().unwrap();
    let folder = Folder::new();
    let stage = redis_stage(&redis, &folder, &json!({ "keys": ["orders:*"], "commands": ["+@read"] }));
    assert_eq!(stage.probe().await.unwrap(), [None]);
    let subject = Real::new(stage, Acl(redis));
    let report = run(&subject).await.unwrap();
    assert!(report.session_cut_after.is_some() && report.logins_refused_after.is_some(), "{report:#?}");
}
