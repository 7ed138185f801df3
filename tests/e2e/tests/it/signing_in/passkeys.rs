//! Passkeys, with a real browser and an authenticator that is not there.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use wane_testkit::{Interactive, PersonSession, WaneServer, wait_until};

use super::provider::modules;
use crate::people::{Deployment, SOON, items, text};

/// A browser that does what it is told.
pub(crate) struct Chromium {
    process: Interactive,
    answers: usize,
    base: String,
}

impl Chromium {
    pub(crate) fn at(base: &str) -> Self {
        Self::with(base, &[])
    }

    /// One that takes every certificate for the one it should be.
    pub(crate) fn trusting_everything(base: &str) -> Self {
        Self::with(base, &["--ignore-certificate-errors"])
    }

    fn with(base: &str, more: &[&str]) -> Self {
        let program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
        let program = program
            .into_iter()
            .find(|p| Path::new(p).exists())
            .unwrap_or_else(|| panic!("no browser: run `cargo xtask deps`"));
        let mut node = Command::new("node");
        node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node/browser.mjs")).arg(modules()).arg(program).args(more);
        let process = Interactive::spawn(&mut node).unwrap();
        process.wait_for("ready", SOON).unwrap_or_else(|e| panic!("{e}: {}", process.stderr()));
        Self { process, answers: 1, base: base.to_owned() }
    }

    pub(crate) fn act(&mut self, act: &Value) -> Value {
        self.process.send_line(&act.to_string()).unwrap();
        self.answers += 1;
        let done = || self.process.stdout().lines().count() >= self.answers && self.process.stdout().ends_with('\n');
        wait_until("the browser", SOON, done).unwrap_or_else(|e| panic!("{e}: {act} {}", self.process.stderr()));
        let said: Value = serde_json::from_str(self.process.stdout().lines().last().unwrap()).unwrap();
        assert!(said.get("failed").is_none(), "{act}: {}", said["failed"].as_str().unwrap());
        said["said"].clone()
    }

    pub(crate) fn open(&mut self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.act(&json!({ "do": "goto", "url": url }));
    }

    pub(crate) fn fill(&mut self, selector: &str, value: &str) {
        self.act(&json!({ "do": "fill", "selector": selector, "value": value }));
    }

    pub(super) fn click(&mut self, button: &str) {
        self.act(&json!({ "do": "click", "selector": format!("button:has-text(\"{button}\")") }));
    }

    pub(crate) fn sees(&mut self, words: &str) -> String {
        self.act(&json!({ "do": "wait", "text": words }));
        text(&self.act(&json!({ "do": "text" })))
    }

    fn cookie(&mut self) -> Option<String> {
        self.act(&json!({ "do": "cookie", "name": "wane" })).as_str().map(str::to_owned)
    }

    /// Sets a sign-in up with a one-time code; the recovery codes.
    pub(crate) fn enrols(&mut self, code: &str, name: &str) -> Vec<String> {
        self.open("/enrol");
        self.fill("input[name=code]", code);
        self.fill("input[name=name]", name);
        self.click("Set up a passkey");
        let page = self.sees("lets you in from now on");
        page.split_whitespace().filter(|word| word.starts_with("wane_r_")).map(str::to_owned).collect()
    }

    fn signs_in(&mut self) {
        self.open("/sign-in");
        self.click("Sign in with a passkey");
    }

    fn signs_out(&mut self) {
        self.open("/sign-in");
        self.click("Sign out");
        self.sees("You are signed out here");
    }

    /// A command line with the browser's session.
    fn held(&mut self, wane: &WaneServer) -> PersonSession {
        let token = self.cookie().unwrap();
        wane.person_with(&token[7..33], &token).unwrap()
    }
}

pub(crate) fn deployment() -> Deployment {
    let mut server = WaneServer::builder().prepare().unwrap();
    let named = server.url().replace("127.0.0.1", "localhost");
    server.set("server.public_url", &named);
    Deployment::on(server)
}

fn proof(person: &PersonSession) -> (String, String) {
    let me = person.json(&["me"]).unwrap();
    (text(&me["person"]), text(&me["session"]["proof"]))
}

/// The path and the code that a command line shows.
fn shown(said: &str) -> (String, String) {
    let found = |test: &dyn Fn(&str) -> bool| said.lines().map(str::trim).find(|line| test(line)).unwrap().to_owned();
    let link = found(&|line| line.contains("/device/"));
    let code = found(&|line| line.len() == 9 && line.as_bytes()[4] == b'-');
    (format!("/device/{}", link.split("/device/").nth(1).unwrap()), code)
}

#[test]
fn a_passkey_lets_its_person_in_and_nobody_else() {
    let wane = deployment();
    wane.ada.json(&["person", "add", "kim"]).unwrap();
    let code = text(&wane.ada.json(&["person", "enrol", "kim"]).unwrap()["code"]);
    let mut browser = Chromium::at(&wane.server.url().replace("127.0.0.1", "localhost"));

    let recovery = browser.enrols(&code, "this <b>phone");
    assert_eq!(recovery.len(), 8, "{recovery:?}");
    let first = browser.held(&wane.server);
    assert_eq!(proof(&first), ("kim".to_owned(), "passkey".to_owned()));
    let ways = first.json(&["passkey", "list"]).unwrap();
    assert_eq!((&ways["items"][0]["kind"], &ways["items"][0]["name"]), (&json!("passkey"), &json!("this <b>phone")));

    // The code is spent, and the browser's own sign-out ends the session.
    browser.open("/enrol");
    browser.fill("input[name=code]", &code);
    browser.click("Set up a passkey");
    browser.sees("That code is no good");
    browser.signs_out();
    assert_eq!(browser.cookie(), None);
    assert!(!first.run(&["me"]).unwrap().success());

    // Nobody says a name: the passkey does.
    browser.signs_in();
    browser.sees("You are signed in as kim");
    let second = browser.held(&wane.server);
    assert_eq!(proof(&second), ("kim".to_owned(), "passkey".to_owned()));
    // A command line is signed in by it, and as strongly.
    let line = wane.server.person("terminal").unwrap();
    let waiting = line.interactive(&["--json", "login"]).unwrap();
    waiting.wait_for("Nobody but you needs this code", SOON).unwrap_or_else(|_| {
        assert!(waiting.stderr().contains("Nobody but you needs this code"), "{}", waiting.stderr());
    });
    let (path, code) = shown(&waiting.stderr());
    browser.open(&path);
    browser.fill("input[name=code]", &code);
    browser.click("Sign it in");
    browser.sees("is signed in as you");
    let outcome = waiting.wait_exit(SOON).unwrap();
    assert!(outcome.success(), "{outcome:?}");
    assert_eq!(proof(&line), ("kim".to_owned(), "passkey".to_owned()));
    browser.signs_out();
    assert_eq!(proof(&line).0, "kim", "it is a session of its own once it was handed over");

    // Its person proves who they are once more, the same way.
    let before = line.token().unwrap();
    let waiting = line.interactive(&["--json", "prove"]).unwrap();
    wait_until("a link and a code", SOON, || waiting.stderr().contains("Nobody but you needs this code")).unwrap();
    let (path, code) = shown(&waiting.stderr());
    browser.signs_in();
    browser.sees("You are signed in as kim");
    browser.open(&path);
    browser.sees("the proof you just gave");
    browser.fill("input[name=code]", &code);
    browser.click("Sign it in");
    browser.sees("is signed in as you");
    let outcome = waiting.wait_exit(SOON).unwrap();
    assert!(outcome.success(), "{outcome:?}");
    assert_eq!(proof(&line), ("kim".to_owned(), "passkey".to_owned()));
    assert_ne!(line.token().unwrap(), before, "it goes on under the old token");
    let held = wane.server.person_with("before", &before).unwrap();
    assert!(!held.run(&["me"]).unwrap().success(), "the old token is good still");
    browser.signs_out();

    // Unlocked by nobody, it proves nothing.
    browser.act(&json!({ "do": "verified", "is": false }));
    browser.signs_in();
    browser.sees("It came to nothing");
    assert_eq!(browser.cookie(), None);
    browser.act(&json!({ "do": "verified", "is": true }));

    // Of an authenticator whose copy claims to be somebody else's, nothing is believed.
    let mut stolen = browser.act(&json!({ "do": "credentials" }));
    let kept = stolen.clone();
    stolen[0]["userHandle"] = json!("AAAAAAAAAAAAAAAAAAAAAA==");
    browser.act(&json!({ "do": "swap", "credentials": stolen }));
    browser.signs_in();
    browser.sees("lets nobody in");
    browser.act(&json!({ "do": "swap", "credentials": kept }));
    browser.signs_in();
    browser.sees("You are signed in as kim");

    // Lost: a recovery code lets in once, and is no passkey.
    browser.signs_out();
    for n in 0..2 {
        browser.open("/sign-in");
        browser.act(&json!({ "do": "click", "selector": "summary:has-text(\"recovery\")" }));
        browser.fill("form[action=\"/sign-in/recovery\"] input[name=code]", &recovery[0]);
        browser.click("Use the code");
        if n == 0 {
            browser.sees("You are signed in as kim");
            let by_code = browser.held(&wane.server);
            assert_eq!(proof(&by_code), ("kim".to_owned(), "recovery-code".to_owned()));
            // With a policy that asks for what resists phishing, it sets up a passkey and nothing else.
            browser.signs_out();
        } else {
            browser.sees("is wrong");
            assert_eq!(browser.cookie(), None);
        }
    }

    // Taken away, it lets nobody in.
    let ways = wane.ada.json(&["person", "identity", "list", "kim"]).unwrap();
    let way = text(&items(&ways)[0]["id"]);
    wane.ada.json(&["person", "identity", "remove", "kim", &way]).unwrap();
    browser.signs_in();
    browser.sees("lets nobody in");
    assert!(!line.run(&["me"]).unwrap().success(), "what was begun by it is over");
    let failed = wane.ada.json(&["log", "--event", "login.failed", "--all"]).unwrap();
    assert!(items(&failed).iter().any(|r| r["detail"]["with"] == "passkey"), "{failed}");
    let problems = browser.act(&json!({ "do": "problems" }));
    assert!(!problems.to_string().contains("Content Security Policy"), "{problems}");
}

#[test]
fn a_policy_can_ask_for_what_resists_phishing() {
    let wane = deployment();
    wane.ada.json(&["person", "add", "kim"]).unwrap();
    wane.ada.json(&["group", "join", "engineers", "kim"]).unwrap();
    let code = text(&wane.ada.json(&["person", "enrol", "kim"]).unwrap()["code"]);
    wane.paper_host("web", "gate=open");
    wane.deploy_role();
    wane.load(&format!(
        "{}\n@id(\"resists\") @reason(\"sign in with a passkey\") forbid (principal, action == Action::\"access\", resource) unless {{ context.phishing_resistant }};",
        crate::people::POLICY
    ));
    let refused = crate::people::refused(&wane.maya, &["request", "deploy@web", "--for", "10m"], 3);
    assert!(refused.contains("passkey"), "{refused}");
    let mut browser = Chromium::at(&wane.server.url().replace("127.0.0.1", "localhost"));
    browser.enrols(&code, "");
    let kim = browser.held(&wane.server);
    let grant = crate::people::granted(&kim, "deploy@web", "10m");
    // Looked at again with nobody there, it stands.
    wane.ada.json(&["group", "add", "changed"]).unwrap();
    assert_eq!(wane.grant(&grant)["state"], "active");
}
