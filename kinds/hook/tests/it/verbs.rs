//! `wane hook templates` and `wane hook try`, as somebody who writes a declaration uses them.

use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Value, json};
use wane_connector::verb::{Access, AccessPort, Credential, Verb, VerbError, Want};
use wane_domain::time::Time;
use wane_kind_hook::verbs::{HookTemplates, HookTry};

use crate::apis;
use crate::sim::Sim;
use crate::stage::{CREDENTIAL, real_now, things};

/// A command line that has no server.
#[derive(Default)]
struct Port(Mutex<(Value, String)>);

#[async_trait]
impl AccessPort for Port {
    async fn ensure(&self, _want: &Want) -> Result<Access, VerbError> {
        Err(VerbError::Failed("there is no server here".to_owned()))
    }
    async fn credential(&self, _grant: &str, _input: Value) -> Result<Credential, VerbError> {
        Err(VerbError::Failed("there is no server here".to_owned()))
    }
    async fn standing(&self, _grant: &str) -> Result<Access, VerbError> {
        Err(VerbError::Failed("there is no server here".to_owned()))
    }
    async fn call(&self, _: &str, _: &str, _: Option<&str>, _: Option<Value>) -> Result<Value, VerbError> {
        Err(VerbError::Failed("there is no server here".to_owned()))
    }
    fn say(&self, _line: &str) {}
    fn put(&self, json: &Value, text: &str) {
        *self.0.lock().unwrap() = (json.clone(), text.to_owned());
    }
    fn now(&self) -> Time {
        real_now()
    }
    fn entropy(&self, buf: &mut [u8]) {
        // Different each time, which is all that is asked of it here.
        let now = real_now().micros().to_le_bytes();
        buf.iter_mut().zip(now.iter().cycle()).for_each(|(to, byte)| *to = *byte);
    }
}

async fn run(verb: &dyn Verb, words: &[&str]) -> Result<(Value, String), String> {
    let port = Port::default();
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let done = verb.run(&words, &port).await;
    let shown = port.0.into_inner().unwrap();
    match done {
        Ok(0) => Ok(shown),
        Ok(code) => Err(format!("{code}: {}", shown.1)),
        Err(error) => Err(format!("{error}\n{}", shown.1)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_listed_and_shown() {
    let (json, text) = run(&HookTemplates, &[]).await.unwrap();
    assert!(json["templates"].as_array().unwrap().len() >= 12 && text.contains("gitea-token"));
    let (json, text) = run(&HookTemplates, &["gitea-token"]).await.unwrap();
    assert_eq!(json["settings"]["create"]["secret"]["at"], "/sha1");
    assert!(text.contains("wane resource add NAME --kind hook") && text.contains("a simulator after"), "{text}");
    let met = run(&HookTemplates, &["gitea-tokn"]).await.unwrap_err();
    assert!(met.contains("did you mean `gitea-token`"), "{met}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_is_tried_before_it_is_registered() {
    let sim = Sim::start(apis::things).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = file("good.json", &things(sim.port).to_string());
    let key = file("key", &format!("{CREDENTIAL}\n"));

    // Nothing is called, and no secret is needed or shown.
    let (json, text) = run(&HookTry, &[&good]).await.unwrap();
    assert!(sim.calls().is_empty());
    assert!(text.contains(&format!("POST {}/things", sim.url())) && text.contains("x-key: CREDENTIAL"), "{text}");
    assert!(text.contains("{\"name\":\"wane_00000000000000000000000000\"}") && text.contains("DELETE"), "{text}");
    assert!(text.contains("logins are refused within 1 s"), "{text}");
    assert_eq!(json["calls"][0]["call"], "create");

    let role = json!({ "of": "things" }).to_string();
    let (_, text) =
        run(&HookTry, &[&good, "--credential-file", &key, "--role", &role, "--probe", "--rehearse"]).await.unwrap();
    for step in ["the target answers", "read back present", "revoked", "read back absent", "as after a crash"] {
        assert!(text.contains(step), "{step}: {text}");
    }
    assert!(!text.contains(CREDENTIAL) && !text.contains("secret-"), "{text}");
    assert!(sim.things().is_empty(), "what was rehearsed is still there");

    let wrong = file("wrong", "another");
    let met = run(&HookTry, &[&good, "--credential-file", &wrong, "--probe"]).await.unwrap_err();
    assert!(met.contains("401"), "{met}");
    let mut bad = things(sim.port);
    bad["revok"] = bad["revoke"].clone();
    let bad = file("bad.json", &bad.to_string());
    let met = run(&HookTry, &[&bad]).await.unwrap_err();
    assert!(met.contains("did you mean `revoke`"), "{met}");
    let met = run(&HookTry, &[&good, "--role", "{\"of\":\"things\",\"values\":{\"x\":1}}"]).await.unwrap_err();
    assert!(met.contains("stands nowhere"), "{met}");
}
