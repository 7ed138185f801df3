//! Targets that are declared: a real broker by the calls of its own API, a real Redis by a program of the operator's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wane_testkit::{RabbitMq, Redis, WaneServer, WaneServerBuilder, wait_until};

use crate::people::{Deployment, SOON, granted, refused, text};

/// A deployment with the broker `mq`, and its role `publisher`.
pub(crate) struct Mill {
    // First, so that the server still reaches it when it ends what it must.
    pub(crate) wane: Deployment,
    pub(crate) broker: RabbitMq,
}

impl Mill {
    pub(crate) fn with(builder: WaneServerBuilder) -> Self {
        let wane = Deployment::with(builder);
        let broker = RabbitMq::start().unwrap();
        let (user, password) = broker.administrator();
        let settings = json!({
            "template": "rabbitmq-user", "url": broker.url(), "ca_pem": broker.ca_pem().unwrap(),
            "parameters": { "user": user, "vhost": "/" },
        });
        add(&wane, "mq", &settings, password);
        let values = json!({ "configure": "^$", "write": "^orders$", "read": "^orders$", "tags": "management" });
        let (of, values) = ("of=rabbitmq-user".to_owned(), format!("values={values}"));
        wane.ada.json(&["role", "add", "hook/publisher", "--set", &of, "--set", &values]).unwrap();
        Self { wane, broker }
    }

    /// The users of grants that exist at the broker.
    pub(crate) fn users(&self) -> Vec<String> {
        self.broker.users().unwrap().into_iter().filter(|name| name.starts_with("wane_")).collect()
    }
}

/// Registers a declared target, whose gate is open.
fn add(wane: &Deployment, name: &str, settings: &Value, credential: &str) {
    let file = wane.server.data().join(format!("{name}.credential"));
    fs::write(&file, credential).unwrap();
    let (settings, path) = (settings.to_string(), file.display().to_string());
    let words = ["resource", "add", name, "--kind", "hook", "--label", "gate=open", "--settings", &settings];
    wane.ada.json(&[&words[..], &["--credential-file", &path]].concat()).unwrap();
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_user_of_a_broker_comes_with_a_grant_and_goes_with_it() {
    let mill = Mill::with(WaneServer::builder().set("engine.inventory_every", "2s"));
    // What is declared is shown before anybody asks, and what is registered needs no template any more.
    let shown = mill.wane.ada.json(&["resource", "show", "mq"]).unwrap();
    assert!(shown["settings"]["template"].is_null() && shown["settings"]["of"] == "rabbitmq-user", "{shown:#}");
    assert!(text(&shown["residual"]["survives"]).contains("queues"), "{shown:#}");

    let grant = granted(&mill.wane.maya, "publisher@mq", "20m");
    assert!(mill.users().is_empty(), "nothing is made before it is taken up");
    let given = mill.wane.maya.json(&["credential", &grant]).unwrap();
    let (user, secret) = (text(&given["public"]["user"]), text(&given["secret"]));
    assert_eq!(mill.users(), std::slice::from_ref(&user));
    assert!(mill.broker.lets_in(&user, &secret).unwrap());
    // Asked for again, a secret is another one, and the first is none any more.
    let again = text(&mill.wane.maya.json(&["credential", &grant]).unwrap()["secret"]);
    assert!(!mill.broker.lets_in(&user, &secret).unwrap() && mill.broker.lets_in(&user, &again).unwrap());
    for (what, secret) in
        [("the first", &secret), ("the second", &again), ("the connector's", &mill.broker.administrator().1.to_owned())]
    {
        let found = Path::new(mill.wane.server.folder());
        assert!(!holds(found, secret), "{what} secret lies in the server's folder");
    }
    mill.wane.maya.json(&["done", &grant]).unwrap();
    let closed = mill.wane.wait_closed(&grant);
    assert_eq!(closed["closure"]["word"], "gone", "{closed:#}");
    let proof = text(&closed["closure"]["leases"][0]["basis"]["proof"]);
    assert!(proof.contains(&user) && proof.contains("404"), "{proof}");
    assert!(mill.users().is_empty() && !mill.broker.lets_in(&user, &again).unwrap());

    // What carries a name of ours and belongs to nobody goes, after it was seen twice; what does not stays.
    let orphan = user.clone();
    for name in [orphan.as_str(), "wane_somebody"] {
        mill.broker.add_user(name, "a password").unwrap();
    }
    wait_until("the orphan to be removed", SOON, || mill.users() == ["wane_somebody"])
        .unwrap_or_else(|e| panic!("{e}: {:?}\n{}", mill.users(), mill.wane.server.log()));
}

/// Whether anything below a folder holds a text.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, text);
        }
        fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    })
}

/// A folder of programs as an operator makes it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("wane-programs-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../kinds/hook/examples/redis-acl");
        let program = folder.path().join("redis-acl");
        fs::copy(example, &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }
}

#[test]
fn a_program_of_the_operator_is_run_and_no_other() {
    let (folder, mut redis) = (Folder::new(), Redis::start().unwrap());
    let programs = folder.0.path().display().to_string();
    let wane = Deployment::with(WaneServer::builder().set("hooks.programs", &programs));
    let settings = |program: &str| {
        json!({
            "of": "redis-user", "hands_out": "a Redis user of its own", "program": program,
            "parameters": { "host": "127.0.0.1", "port": redis.port() },
            "residual": { "logins_secs": 2, "sessions_secs": 2 },
            "calls": ["create", "revoke", "verify_absent", "inventory"], "secret": "generated",
        })
    };
    let (_, password) = redis.connector();
    for (program, said) in [("/bin/sh", "hooks.programs"), ("../sh", "hooks.programs"), ("sh", "not in the folder")] {
        let given = settings(program).to_string();
        let words = ["resource", "add", "bad", "--kind", "hook", "--settings", &given];
        let outcome = wane.ada.run(&words).unwrap();
        assert!(!outcome.success() && outcome.stderr.contains(said), "{program}: {outcome:?}");
    }
    add(&wane, "cache", &settings("redis-acl"), password);
    let values = format!("values={}", json!({ "keys": ["orders:*"], "commands": ["+@read"] }));
    wane.ada.json(&["role", "add", "hook/reader", "--set", "of=redis-user", "--set", &values]).unwrap();
    let grant = granted(&wane.maya, "reader@cache", "20m");
    let given = wane.maya.json(&["credential", &grant]).unwrap();
    let (user, secret) = (text(&given["public"]["name"]), text(&given["secret"]));
    let mut session = redis.sign_in(&user, &secret).unwrap().unwrap();
    assert_eq!(session.say("GET orders:1").unwrap(), "42");

    // Redis forgets its users when it ends, and is away for a while: what is owed stays owed until it can be asked.
    redis.stop().unwrap();
    wane.maya.json(&["done", &grant]).unwrap();
    wait_until("the end to be tried in vain", SOON, || {
        let story = wane.ada.run(&["story", &grant]).unwrap().stdout;
        story.contains("not answer")
    })
    .unwrap_or_else(|e| panic!("{e}\n{}\n{}", wane.ada.run(&["story", &grant]).unwrap().stdout, wane.server.log()));
    redis.resume().unwrap();
    let closed = wane.wait_closed(&grant);
    assert_eq!(closed["closure"]["word"], "gone", "{closed:#}");
    assert!(text(&closed["closure"]["leases"][0]["basis"]["proof"]).contains("ACL USERS"), "{closed:#}");
    assert!(redis.sign_in(&user, &secret).unwrap().is_none());
}

/// A server whose operator says nothing runs no program, whoever may register resources.
#[test]
fn whoever_may_add_resources_runs_nothing_by_that() {
    let wane = Deployment::new();
    let settings = json!({
        "of": "x", "hands_out": "x", "program": "id", "residual": { "logins_secs": 1 },
        "calls": ["create", "revoke", "verify_absent"], "secret": "none",
    })
    .to_string();
    let said = refused(&wane.ada, &["resource", "add", "x", "--kind", "hook", "--settings", &settings], 1);
    assert!(said.contains("runs no programs"), "{said}");
}
