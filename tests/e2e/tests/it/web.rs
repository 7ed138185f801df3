//! The web UI, in a real browser against the real server, a real sshd and a real PostgreSQL: each journey on a phone and
//! on a wide screen, in light and in dark. A page that the accessibility checker finds fault with fails, as does one that
//! is wider than its screen, breaks its own policy, or says an error to the console.

mod guarded;
mod looking_after;
mod policies;
mod sessions;
mod signing;

use std::path::PathBuf;

use serde_json::{Value, json};
use wane_testkit::{PersonSession, Postgres, wait_until};

use crate::database::{database, register};
use crate::gateway::lab::{Lab, TERMINAL};
use crate::people::{POLICY, SOON, ask_and_wait, items, text};
use crate::signing_in::passkeys::Chromium;

const SIGNED: &str = r#"
@id("signed") @max_ttl("1h") @approve("1 of group:approvers") @signature("required")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"gate=signed");
"#;
/// Approvers see what else somebody holds and held.
const READS: &str =
    r#"@id("reads") permit (principal in Group::"approvers", action == Action::"read_access", resource);"#;
/// What people write is text, and nothing else.
const HOSTILE: &str = "look <img src=x onerror=alert(1)> \u{5d0}";
/// What is said where a picture is taken, which is nothing that nobody would say.
const PLAIN: &str = "reproduce the double charge on the replica";
const PHONE: (u32, u32) = (390, 844);
const WIDE: (u32, u32) = (1280, 860);

pub(crate) struct Browsing {
    pub(crate) chromium: Chromium,
    url: String,
    pictures: Option<PathBuf>,
}

impl Browsing {
    pub(crate) fn at(url: &str) -> Self {
        let pictures = std::env::var_os("WANE_PICTURES").map(PathBuf::from);
        Self { chromium: Chromium::at(url), url: url.to_owned(), pictures }
    }

    pub(crate) fn is(&mut self, person: &PersonSession) {
        let token = person.token().unwrap();
        self.chromium.act(&json!({ "do": "as", "name": "wane", "value": token, "url": self.url }));
    }

    fn view(&mut self, (width, height): (u32, u32), scheme: &str) {
        self.chromium.act(&json!({ "do": "view", "width": width, "height": height, "scheme": scheme }));
    }

    pub(crate) fn open(&mut self, page: &str) {
        self.chromium.open(&format!("/ui/{page}"));
    }

    pub(crate) fn sees(&mut self, words: &str) -> String {
        self.chromium.sees(words)
    }

    /// What is pressed, by what it is and what it says.
    pub(crate) fn presses(&mut self, role: &str, name: &str) {
        self.chromium.act(
            &json!({ "do": "click", "selector": format!("role={role}[name=\"{name}\"i] >> visible=true >> nth=0") }),
        );
    }

    /// Presses what copies something, which says that it did; what was copied.
    fn copies(&mut self, what: &str) -> String {
        let selector = format!("role=button[name=\"Copy {what}\"i] >> visible=true >> nth=0");
        text(&self.chromium.act(&json!({ "do": "copies", "selector": selector })))
    }

    fn fills(&mut self, label: &str, value: &str) {
        self.chromium
            .act(&json!({ "do": "fill", "selector": format!("role=textbox[name=\"{label}\"i]"), "value": value }));
    }

    fn key(&mut self, keys: &str) {
        self.chromium.act(&json!({ "do": "press", "keys": keys }));
    }

    fn count(&mut self, selector: &str) -> u64 {
        self.chromium.act(&json!({ "do": "count", "selector": selector })).as_u64().unwrap()
    }

    /// Nothing is wrong with what is shown, on a phone in the one light and on a wide screen in the other.
    pub(crate) fn holds(&mut self, name: &str) {
        for (size, scheme, wide) in [(PHONE, "light", "phone"), (WIDE, "dark", "wide")] {
            self.view(size, scheme);
            let found = self.chromium.act(&json!({ "do": "axe" }));
            assert_eq!(found, json!([]), "{name}, {wide}");
            let over = self.chromium.act(&json!({ "do": "overflow" }));
            assert!(over.as_i64().unwrap() <= 0, "{name}, {wide}: {over} pixels too wide");
        }
        self.is_quiet(name);
        self.view(WIDE, "light");
    }

    /// No error was said, and nothing was kept from happening by the page's own policy.
    fn is_quiet(&mut self, name: &str) {
        assert_eq!(self.chromium.act(&json!({ "do": "problems" })), json!([]), "{name}");
    }

    /// What people write here.
    fn written(&self) -> &'static str {
        if self.pictures.is_some() { PLAIN } else { HOSTILE }
    }

    /// What something is called here.
    fn called(&self, plain: &'static str) -> &'static str {
        if self.pictures.is_some() { plain } else { HOSTILE }
    }

    /// For the documentation, if pictures were asked for.
    fn picture(&mut self, name: &str, size: (u32, u32), scheme: &str) {
        let Some(folder) = self.pictures.clone() else { return };
        self.view(size, scheme);
        let path = folder.join(format!("{name}.png"));
        self.chromium.act(&json!({ "do": "picture", "path": path }));
        self.view(WIDE, "light");
    }
}

struct Stage {
    lab: Lab,
    postgres: Postgres,
    omar: PersonSession,
    browser: Browsing,
}

impl Stage {
    fn set() -> Self {
        let lab = Lab::new(TERMINAL);
        let (wane, postgres) = (&lab.wane, database());
        wane.load(&format!("{POLICY}{SIGNED}{READS}"));
        register(wane, &postgres, "shop", "one");
        wane.paper_host("vault", "classification=restricted");
        wane.paper_host("ledger", "gate=signed");
        let readonly = ["role", "add", "postgres/readonly", "--set", r#"member_of=["app_read"]"#];
        wane.ada.json(&[&readonly[..], &["--description", "look, but change nothing"]].concat()).unwrap();
        let omar = wane.approver("omar");
        let browser = Browsing::at(&wane.server.url());
        Self { lab, postgres, omar, browser }
    }

    fn maya(&self) -> &PersonSession {
        &self.lab.wane.maya
    }

    fn waiting_of_maya(&self) -> Vec<Value> {
        items(&self.maya().json(&["requests", "--mine", "--waiting"]).unwrap()).clone()
    }
}

#[test]
fn every_journey_on_a_phone_and_on_a_wide_screen() {
    let mut stage = Stage::set();
    sign_in_and_come_back(&mut stage);
    ask_and_connect(&mut stage);
    let grant = ask_and_follow(&mut stage);
    extend_and_give_back(&mut stage, &grant);
    approve(&mut stage);
    operate(&mut stage);
    be_signed_out(&mut stage);
}

/// Nobody is let see anything, and whoever signs in is where they wanted to be.
fn sign_in_and_come_back(stage: &mut Stage) {
    let mut newcomer = stage.lab.wane.server.newcomer(&stage.lab.wane.ada, "kim", &["engineers"]).unwrap();
    let browser = &mut stage.browser;
    browser.view(PHONE, "light");
    browser.open("ask");
    browser.sees("Sign in to Wane");
    browser.holds("signed out");
    browser.presses("link", "Sign in");
    browser.sees("Six-digit code");
    let password = std::fs::read_to_string(newcomer.password_file()).unwrap();
    let code = newcomer.totp().unwrap();
    for (field, value) in [("person", "kim"), ("password", password.trim_end()), ("totp", code.as_str())] {
        browser.chromium.fill(&format!("input[name={field}]"), value);
    }
    browser.chromium.act(&json!({ "do": "click", "selector": "form[action='/ui/sign-in'] button" }));
    browser.sees("What do you need?");
    let url = text(&browser.chromium.act(&json!({ "do": "url" })));
    assert!(url.ends_with("/ui/ask"), "{url}");
    browser.is_quiet("signing in");
}

/// Policy alone grants it; the line to connect with is there to be copied.
fn ask_and_connect(stage: &mut Stage) {
    let maya = stage.lab.wane.maya.json(&["me"]).unwrap();
    assert_eq!(maya["may"], json!(["read_catalogue"]), "what is worth showing her");
    stage.browser.is(&stage.lab.wane.maya);
    let browser = &mut stage.browser;
    browser.open("");
    browser.sees("You hold nothing right now");
    browser.holds("home, empty");
    assert_eq!(browser.count("text=Owed ends"), 0, "no entry for what she may not see");
    browser.presses("link", "Ask for access");
    browser.sees("at once");
    browser.holds("ask, choosing");

    // Why not, and what would help.
    browser.chromium.fill("role=combobox", "deploy on vault");
    browser.sees("Why not deploy on vault?");
    browser.holds("ask, nothing found");
    browser.key("Enter");
    browser.sees("restricted data is for nobody");
    browser.holds("ask, denied");
    browser.presses("link", "Choose something else");

    browser.chromium.fill("role=combobox", "web deploy");
    browser.key("Enter");
    browser.sees("You get it at once.");
    browser.chromium.act(&json!({ "do": "click", "selector": "label:has-text('30m')" }));
    browser.holds("ask, at once");
    browser.presses("button", "Get access");
    browser.sees("You have it.");
    browser.holds("request, granted");
    browser.presses("link", "Use it");
    browser.sees("left");
    browser.presses("button", "Connect");
    browser.sees("plain ssh, through the gateway");
    browser.holds("connect");
    let line = browser.copies("plain ssh, through the gateway");
    let (login, port) = (stage.lab.sshd.user().name(), stage.lab.port);
    assert_eq!(line, format!("ssh -p {port} {login}%web@127.0.0.1"));
    browser.key("Escape");
}

/// Somebody has to approve it; what they do shows by itself. The account is taken up on the page. Its grant.
fn ask_and_follow(stage: &mut Stage) -> String {
    let browser = &mut stage.browser;
    browser.open("ask?resource=shop&role=readonly");
    let shown = browser.sees("Somebody has to approve it.");
    browser.sees("omar");
    assert!(shown.contains("look, but change nothing"), "{shown}");
    browser.chromium.act(&json!({ "do": "click", "selector": "label:has-text('30m')" }));
    let written = browser.written();
    browser.fills("Why?", written);
    browser.holds("ask, approval");
    browser.picture("ask", WIDE, "light");
    browser.presses("button", "Send for approval");
    browser.sees("Could answer now: omar");
    browser.holds("request, waiting");
    let request = text(&stage.waiting_of_maya()[0]["id"]);
    stage.omar.json(&["approve", &request]).unwrap();
    let browser = &mut stage.browser;
    browser.sees("You have it.");
    let shown = browser.sees("approved by omar");
    assert!(shown.contains(written), "{shown}");
    browser.presses("link", "Use it");
    browser.sees("readonly on shop");
    browser
        .chromium
        .act(&json!({ "do": "click", "selector": "li:has-text('readonly on shop') >> role=button[name=\"Connect\"]" }));
    browser.sees("wane psql --role readonly shop");
    browser.presses("button", "Take it up here");
    browser.sees("Yours until the grant ends");
    browser.holds("connect, taken up");
    let password = browser.copies("password");
    let decided = stage.maya().json(&["requests", &request]).unwrap();
    let grant = text(&decided["items"][0]["grant"]);
    let user = text(&stage.lab.wane.grant(&grant)["leases"][0]["artifact"]);
    let said = stage.postgres.psql_as(&user, &password, "shop", "SELECT item FROM orders").unwrap();
    assert!(said.success() && said.stdout.contains("teapot"), "{said:?}");
    stage.browser.key("Escape");
    grant
}

/// More time, given back, and its story to the end.
fn extend_and_give_back(stage: &mut Stage, grant: &str) {
    let browser = &mut stage.browser;
    browser.open("");
    browser.sees("left");
    browser.holds("home");
    browser.picture("home", WIDE, "light");
    browser.picture("home-phone", PHONE, "dark");
    let more = "li:has-text('readonly on shop') >> role=button[name=\"More time\"]";
    browser.chromium.act(&json!({ "do": "click", "selector": more }));
    browser.sees("More time for readonly on shop");
    browser.chromium.act(&json!({ "do": "click", "selector": "dialog label:has-text('15m')" }));
    browser.holds("more time");
    browser.presses("button", "Ask for more time");
    browser.sees("Your approvers are asked");
    let more = text(&stage.waiting_of_maya()[0]["id"]);
    stage.omar.json(&["approve", &more]).unwrap();
    let browser = &mut stage.browser;
    browser.sees("You have it.");

    browser.open("");
    browser.sees("readonly on shop");
    let done = "li:has-text('readonly on shop') >> role=button[name=\"Done\"]";
    browser.chromium.act(&json!({ "do": "click", "selector": done }));
    browser.sees("Give readonly on shop back?");
    browser.holds("give back");
    browser.presses("button", "Give it back");
    browser.sees("Given back: readonly on shop");
    browser.sees("Held before");
    browser.chromium.act(&json!({ "do": "click", "selector": "a:has-text('Ask again: readonly on shop')" }));
    browser.sees("Somebody has to approve it.");
    browser.open(&format!("grants/{grant}"));
    browser.sees("The target itself said that it is not there.");
    let shown = browser.sees("What happened");
    let closure = stage.lab.wane.wait_closed(grant)["closure"].clone();
    let proof = text(&closure["leases"][0]["basis"]["proof"]);
    assert!(shown.contains(&proof), "{proof}: {shown}");
    stage.browser.holds("story");
    stage.browser.picture("story", WIDE, "light");
}

/// An inbox made for a phone.
fn approve(stage: &mut Stage) {
    let maya = stage.maya();
    let more =
        ["request", "readonly@shop", "--for", "45m", "--reason", stage.browser.written(), "--ticket", "OPS-1442"];
    let wide = text(&maya.json_with_code(&more, 6).unwrap()["id"]);
    let signed = ask_and_wait(maya, "deploy@ledger", "20m");
    stage.browser.is(&stage.omar);
    let browser = &mut stage.browser;
    browser.view(PHONE, "light");
    browser.open("approve");
    let shown = browser.sees("maya wants");
    for words in
        ["readonly on shop", "45m", "OPS-1442", browser.written(), "Sign with a passkey", "given to `wane_left_behind`"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // What is worth a look, of each: what it survives of one, that the other is new.
    for (card, sign) in
        [("readonly on shop", "Something outlives its end"), ("deploy on ledger", "They never had this before")]
    {
        browser.sees(sign);
        let count =
            browser.count(&format!("li:has(h2:text('{card}')):has(h3:text('Worth a look')) li:text-is('{sign}')"));
        assert_eq!(count, 1, "{card}: {sign}");
    }
    assert_eq!(browser.count("li:has(h2:text('readonly on shop')) li:text-is('They never had this before')"), 0);
    browser.holds("inbox");
    browser.picture("approve-phone", PHONE, "light");

    // Less than was asked, and what is left of it goes on.
    browser.presses("button", "Approve less…");
    browser.fills("No longer than", "10m");
    browser.holds("approve less");
    browser.presses("button", "Approve that");
    browser.sees("Approved: readonly on shop");
    let child = text(&stage.lab.wane.ada.json(&["requests", &wide]).unwrap()["items"][0]["child"]);
    assert_eq!(stage.lab.wane.ada.json(&["requests", &child]).unwrap()["duration"]["secs"], 600);

    // A no says why.
    let second = ask_and_wait(stage.maya(), "readonly@shop", "1h");
    let browser = &mut stage.browser;
    browser.open("approve");
    browser.sees("Longer than they ever had it");
    let deny = "li:has(h2:text('readonly on shop')) >> role=button[name=\"Deny…\"]";
    browser.chromium.act(&json!({ "do": "click", "selector": deny }));
    browser.fills("Why not?", "use the replica");
    browser.holds("deny");
    browser.presses("button", "Deny");
    browser.sees("Denied: readonly on shop");
    let denied = stage.lab.wane.ada.json(&["requests", &second]).unwrap();
    assert_eq!((&denied["state"], &denied["items"][0]["reasons"][0]), (&json!("denied"), &json!("use the replica")));

    // A plain yes; and where policy wants a signature, a passkey has to be there that gives it.
    let third = ask_and_wait(stage.maya(), "readonly@shop", "15m");
    let browser = &mut stage.browser;
    browser.open("approve");
    browser.chromium.act(&json!({ "do": "click", "selector": "button:has-text('Approve: readonly on shop')" }));
    browser.sees("Approved: readonly on shop");
    assert_eq!(stage.lab.wane.ada.json(&["requests", &third]).unwrap()["state"], "approved");
    stage.browser.chromium.act(&json!({ "do": "click", "selector": "button:has-text('Sign with a passkey…')" }));
    stage.browser.sees("You have no passkey that signs approvals");
    stage.browser.holds("sign, without a key");
    stage.browser.key("Escape");
    stage.browser.is_quiet("approving");
    assert_eq!(stage.lab.wane.ada.json(&["requests", &signed]).unwrap()["state"], "waiting");

    // Nobody is asked about what is their own.
    stage.browser.is(&stage.lab.wane.maya);
    stage.browser.open("approve");
    stage.browser.sees("Nobody waits for you.");
    stage.browser.holds("inbox, empty");
    let kept_out = stage.browser.chromium.act(&json!({ "do": "uninstallable" }));
    assert_eq!(kept_out, json!([]), "as an app on a phone");
}

/// Sessions are seen and cut, people are locked out and let in again.
fn operate(stage: &mut Stage) {
    let (lab, browser) = (&stage.lab, &mut stage.browser);
    browser.is(&lab.wane.ada);
    let visitor = lab.comes(&lab.wane.maya, "20m");
    let mut session = visitor.open(&["-tt"], &[]);
    session.send_line("echo $((6 * 7))").unwrap();
    session.wait_for("42", SOON).unwrap();
    browser.open("live");
    browser.sees(&format!("{} at web", lab.sshd.user().name()));
    browser.holds("live");
    browser.picture("live", WIDE, "dark");
    browser.chromium.act(&json!({ "do": "click", "selector": "tr:has-text('maya') >> button:has-text('Cut…')" }));
    browser.fills("Why?", "drill");
    browser.holds("cut");
    browser.presses("button", "Cut it");
    browser.sees("The session is cut.");
    session.wait_exit(SOON).unwrap();
    browser.sees("Nobody is in a session through the gateway.");
    browser.presses("link", "deploy on web");
    browser.sees(&format!("{} at web", lab.sshd.user().name()));
    browser.presses("button", "Revoke…");
    browser.fills("Why?", "drill");
    browser.presses("button", "Revoke");
    browser.sees("Its end has begun.");

    browser.open("locks");
    browser.sees("Nothing is locked.");
    browser.presses("button", "Set a lock…");
    browser.fills("Name of the person", "kim");
    browser.fills("Why?", "lost laptop");
    browser.holds("set a lock");
    browser.presses("button", "Set it");
    browser.sees("It is locked.");
    browser.holds("locks");
    assert_eq!(items(&lab.wane.ada.json(&["lock", "list"]).unwrap())[0]["person"], "kim");
    browser.chromium.act(&json!({ "do": "click", "selector": "li:has-text('kim') >> button:has-text('Lift…')" }));
    browser.presses("button", "Lift it");
    browser.sees("The lock is lifted.");
    assert!(items(&lab.wane.ada.json(&["lock", "list"]).unwrap()).is_empty());

    for (page, words) in [
        ("owed", "Owed ends"),
        ("resources", "gate=signed"),
        ("people", "omar"),
        ("policy", "never-restricted"),
        ("requests", "You have asked for nothing yet."),
        ("recordings", "maya"),
        ("figures", "From an end to the proof"),
        ("settings", "IANA time zone"),
    ] {
        browser.open(page);
        browser.sees(words);
        browser.holds(page);
    }
    browser.open("figures");
    browser.sees("Promised");
    browser.open("resources");
    browser.chromium.fill("role=searchbox", "restricted");
    browser.sees("vault");
    assert_eq!(browser.count("tbody tr"), 1);
    browser.open("nowhere");
    browser.sees("There is no such page");
    browser.holds("no such page");
    browser.view(PHONE, "light");
    browser.presses("button", "Menu");
    browser.holds("menu");
    browser.view(PHONE, "light");
    browser.presses("link", "Locks");
    browser.sees("Nothing is locked.");
}

/// A session that is over elsewhere is over here, and the page says so.
fn be_signed_out(stage: &mut Stage) {
    stage.browser.is(&stage.omar);
    stage.browser.open("");
    stage.browser.sees("What you hold");
    stage.browser.is_quiet("before signing out");
    assert!(stage.omar.run(&["logout"]).unwrap().success());
    let browser = &mut stage.browser;
    wait_until("the page to notice", SOON, || {
        text(&browser.chromium.act(&json!({ "do": "text" }))).contains("Your session is over")
    })
    .unwrap();
}
