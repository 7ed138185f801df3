//! A deployment with people in it, and the words they say.

use std::time::Duration;

use serde_json::Value;
use wane_testkit::{PersonSession, WaneServer, WaneServerBuilder, wait_until};

/// Generous: a busy machine is not a fault.
pub(crate) const SOON: Duration = Duration::from_secs(90);

pub(crate) const POLICY: &str = include_str!("policy.cedar");

/// A server whose policy is [`POLICY`], its administrator `ada` and the engineer `maya`.
pub(crate) struct Deployment {
    pub(crate) server: WaneServer,
    pub(crate) ada: PersonSession,
    pub(crate) maya: PersonSession,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        Self::with(WaneServer::builder())
    }

    pub(crate) fn with(builder: WaneServerBuilder) -> Self {
        Self::on(builder.prepare().unwrap())
    }

    /// Made where it was prepared.
    pub(crate) fn on(server: WaneServer) -> Self {
        let (server, ada) = server.found().unwrap();
        for group in ["engineers", "approvers", "dba"] {
            ada.json(&["group", "add", group]).unwrap();
        }
        let maya = server.newcomer(&ada, "maya", &["engineers"]).unwrap();
        let here = Self { server, ada, maya };
        here.load(POLICY);
        here
    }

    /// Loads a policy set, which must be good.
    pub(crate) fn load(&self, text: &str) {
        let outcome = self.ada.run_with(&["policy", "load", "-"], text).unwrap();
        assert!(outcome.success(), "{outcome:?}");
    }

    /// Somebody who may be asked.
    pub(crate) fn approver(&self, name: &str) -> PersonSession {
        self.server.newcomer(&self.ada, name, &["approvers"]).unwrap()
    }

    /// A host that is only registered: enough for whatever is decided before it is touched.
    pub(crate) fn paper_host(&self, name: &str, label: &str) {
        self.ada
            .json(&["host", "add", name, "--label", label, "--address", "127.0.0.1:9", "--read-back", "none"])
            .unwrap();
    }

    /// The role `deploy` of hosts.
    pub(crate) fn deploy_role(&self) {
        self.ada.json(&["role", "add", "ssh/deploy", "--set", r#"principals=["deploy"]"#]).unwrap();
    }

    /// The state of a grant, as the administrator sees it.
    pub(crate) fn grant(&self, id: &str) -> Value {
        self.ada.json(&["grant", id]).unwrap()
    }

    pub(crate) fn wait_closed(&self, id: &str) -> Value {
        wait_until("the grant to be closed", SOON, || self.grant(id)["state"] == "closed")
            .unwrap_or_else(|e| panic!("{e}\n{:#}\n{}", self.grant(id), self.server.log()));
        self.grant(id)
    }

    /// The texts of the log's events about a grant, oldest first.
    pub(crate) fn events(&self, grant: &str) -> Vec<String> {
        let page = self.ada.json(&["log", "--grant", grant, "--all"]).unwrap();
        let mut events: Vec<String> =
            items(&page).iter().map(|record| record["event"].as_str().unwrap().to_owned()).collect();
        events.reverse();
        events
    }
}

/// Asks; the request as it stands.
pub(crate) fn ask(person: &PersonSession, item: &str, duration: &str) -> Value {
    ask_coming_out(person, &[item, "--for", duration], 0)
}

/// Asks and has to wait.
pub(crate) fn ask_and_wait(person: &PersonSession, item: &str, duration: &str) -> String {
    text(&ask_coming_out(person, &[item, "--for", duration], 6)["id"])
}

/// Asks in these words, which must come out with this exit code.
pub(crate) fn ask_coming_out(person: &PersonSession, words: &[&str], code: i32) -> Value {
    person.json_with_code(&[&["request"], words].concat(), code).unwrap()
}

/// Asks, and is granted at once.
pub(crate) fn granted(person: &PersonSession, item: &str, duration: &str) -> String {
    text(&ask(person, item, duration)["items"][0]["grant"])
}

pub(crate) fn approve(person: &PersonSession, request: &str) -> Value {
    person.json(&["approve", request]).unwrap()
}

pub(crate) fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("no listing: {page}"))
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Runs the words, which must come out with this exit code; what was said on standard error.
pub(crate) fn refused(person: &PersonSession, words: &[&str], code: i32) -> String {
    let outcome = person.run(words).unwrap();
    assert_eq!(outcome.ended, wane_testkit::Ended::Code(code), "`wane {}`: {outcome:?}", words.join(" "));
    outcome.stderr
}
