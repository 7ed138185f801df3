//! What others try with somebody's browser, in a real one: a page of theirs beside ours, whoever comes after, and what
//! goes on in a page once the right to it has gone.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};
use wane_testkit::wait_until;

use super::{Browsing, WIDE};
use crate::gateway::lab::{Lab, TERMINAL};
use crate::people::{Deployment, POLICY, SOON, granted, items, text};

/// Under which approvers may join sessions.
const JOINS: &str = r#"@id("joins") permit (principal in Group::"approvers", action == Action::"join", resource);"#;

/// Tries everything a page can try to speak to Wane in the session of whoever looks at it, and writes down what came of it.
const HOSTILE: &str = r#"<!doctype html><meta charset="utf-8"><title>x</title><main>trying</main>
<iframe name="framed" src="WANE/ui/"></iframe>
<form id="form" method="post" action="WANE/sign-in/out" target="sunk"><input name="token" value=""></form>
<form id="json" method="post" enctype="text/plain" action="WANE/v1/groups" target="sunk"><input name='{"name":"evil","description":"' value='"}'></form>
<iframe name="sunk"></iframe>
<script>
const came = {};
const tried = async (what, work) => { came[what] = await Promise.race([work().catch((e) => e.name), new Promise((r) => setTimeout(r, 30000, 'nothing'))]); };
const body = JSON.stringify({ name: 'evil' });
(async () => {
  await tried('read', async () => (await fetch('WANE/v1/me', { credentials: 'include' })).status);
  await tried('blind', async () => (await fetch('WANE/v1/groups', { method: 'POST', mode: 'no-cors', credentials: 'include', body })).type);
  await tried('json', async () => (await fetch('WANE/v1/groups', { method: 'POST', credentials: 'include', body, headers: { 'content-type': 'application/json', 'wane-page': 'x' } })).status);
  await tried('word', async () => (await fetch('WANE/sign-in/session', { credentials: 'include' })).status);
  await tried('events', () => new Promise((done) => { const s = new EventSource('WANE/v1/events', { withCredentials: true }); s.onopen = () => done('open'); s.onerror = () => done('refused'); }));
  await tried('socket', () => new Promise((done) => { const s = new WebSocket('SOCKET', ['wane.terminal.v1', 'wane.page.x']); s.onopen = () => done('open'); s.onerror = () => done('refused'); }));
  document.getElementById('form').submit();
  await new Promise((r) => setTimeout(r, 500));
  document.getElementById('json').submit();
  await new Promise((r) => setTimeout(r, 500));
  document.querySelector('main').textContent = 'done ' + JSON.stringify(came);
})();
</script>"#;

/// A site of somebody else, on another port of the same machine: the same site to a browser, so that the session's cookie
/// goes along with whatever it has the browser ask for.
fn site_of_somebody_else(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), page) = (stream, page.clone()) else { return };
            // Each by itself: a browser opens connections ahead, on which it says nothing for now.
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    page.len()
                );
                let _ = stream.write_all(format!("{head}{page}").as_bytes());
            });
        }
    });
    format!("http://{address}/")
}

#[test]
fn a_page_of_somebody_else_gets_nothing_in_a_session() {
    let wane = Deployment::new();
    wane.paper_host("web", "gate=open");
    wane.deploy_role();
    let grant = granted(&wane.maya, "deploy@web", "30m");
    let url = wane.server.url();
    let mut page = Browsing::at(&url);
    // Of an administrator's session everything could be had.
    page.is(&wane.ada);
    page.open("");
    page.sees("You hold nothing right now");
    page.is_quiet("our own page");
    let socket = format!("{}/v1/grants/{grant}/terminal?columns=80&rows=24", url.replacen("http", "ws", 1));
    let evil = site_of_somebody_else(HOSTILE.replace("SOCKET", &socket).replace("WANE", &url));
    page.chromium.act(&json!({ "do": "goto", "url": evil }));
    let said = page.sees("done");
    let came: Value = serde_json::from_str(said.trim().strip_prefix("done ").unwrap()).unwrap();
    assert_eq!(
        came,
        json!({ "read": "TypeError", "blind": "opaque", "json": "TypeError", "word": "TypeError", "events": "refused", "socket": "refused" })
    );
    let problems = page.chromium.act(&json!({ "do": "problems" })).to_string();
    assert!(problems.contains("frame-ancestors"), "our page is shown in theirs: {problems}");
    // What was sent blindly came with the same: of the page itself its own word counts.
    let heads = Command::new("curl").args(["-sSI", &format!("{url}/ui/")]).output().unwrap();
    let heads = String::from_utf8(heads.stdout).unwrap();
    assert!(heads.contains("200 OK") && heads.contains("frame-ancestors 'none'"), "{heads}");
    // Nothing was done, whatever was sent blindly; and nobody is signed out.
    let groups = wane.ada.json(&["group", "list"]).unwrap();
    assert!(!groups.to_string().contains("evil"), "{groups}");
    assert!(items(&wane.ada.json(&["log", "--event", "session.ended"]).unwrap()).is_empty());
    page.open("");
    page.sees("You hold nothing right now");
}

/// A session that is over shows nothing more, and whoever comes after at the same browser finds nothing of who was there.
#[test]
fn what_one_person_saw_is_not_there_for_the_next() {
    let wane = Deployment::new();
    wane.paper_host("secret-plans", "gate=open");
    let mut page = Browsing::at(&wane.server.url());
    page.is(&wane.ada);
    page.view(WIDE, "light");
    page.open("resources");
    page.sees("secret-plans");
    assert!(wane.ada.run(&["logout"]).unwrap().success());
    wait_until("the page to notice", SOON, || {
        text(&page.chromium.act(&json!({ "do": "text" }))).contains("Your session is over")
    })
    .unwrap();
    page.chromium.act(&json!({ "do": "reload" }));
    let shown = page.sees("Sign in to Wane");
    assert!(!shown.contains("secret-plans"), "{shown}");
    page.chromium.act(&json!({ "do": "problems" }));
    // The next one, who may not see who is here: nothing is kept in the browser that would tell.
    page.is(&wane.maya);
    page.open("people");
    let shown = page.sees("read_directory");
    assert!(!shown.contains("ada"), "{shown}");
    assert_eq!(page.count("table"), 0);
}

/// Somebody sits down at the terminal of a session: allowed, seen and written down; out when the right goes. Whoever has
/// no right sees nothing, and that they tried is written down.
#[test]
fn a_session_is_joined_on_a_page_by_those_who_may_and_for_as_long() {
    let lab = Lab::new(TERMINAL);
    lab.wane.load(&format!("{POLICY}\n{JOINS}\n"));
    let dan = lab.wane.approver("dan");
    let noted = |event: &str| items(&lab.wane.ada.json(&["log", "--event", event]).unwrap()).len();
    let maya = lab.comes(&lab.wane.maya, "20m");
    let mut hers = maya.open(&["-tt"], &[]);
    hers.send_line("echo her$((40+2))self").unwrap();
    hers.wait_for("her42self", SOON).unwrap();
    // What runs there asks its terminal where its cursor is, what it is and whether it has the focus: nobody who joins answers.
    hers.send_line(r"printf '\033[6n\033[c\033[>c\033[?25$p\033[?1004h%s\n' as''ked").unwrap();
    hers.wait_for("asked", SOON).unwrap();
    let session = text(&items(&lab.wane.ada.json(&["sessions"]).unwrap())[0]["id"]);

    let mut page = Browsing::at(&lab.wane.server.url());
    page.is(&lab.wane.ada);
    page.open("live");
    page.presses("link", "Join maya, web");
    page.sees("Its person is told that you are there");
    page.holds("join, before");
    assert_eq!(noted("session.join"), 0, "nothing is asked for before they say so");
    page.presses("button", "Join it");
    page.sees("not let you");
    assert_eq!((noted("session.join_refused"), noted("session.joined")), (1, 0));
    assert!(!page.sees("not let you").contains("her42self"), "without the right nothing is shown");
    page.chromium.act(&json!({ "do": "problems" }));

    page.is(&dan);
    page.open(&format!("join/{session}"));
    page.presses("button", "Join it");
    page.sees("You are in it, and its person knows.");
    page.sees("her42self");
    hers.wait_for("*** Wane: dan joined this session", SOON).unwrap();
    let typed = "echo his$((40+2))words";
    page.chromium.act(&json!({ "do": "type", "text": typed }));
    page.key("Enter");
    hers.wait_for("his42words", SOON).unwrap();
    page.sees("his42words");
    page.holds("join");
    assert_eq!(noted("session.joined"), 1);

    // The right goes, and so does what is shown.
    lab.wane.load(POLICY);
    page.sees("you may not be there any more");
    hers.send_line("echo after$((40+2))wards").unwrap();
    hers.wait_for("after42wards", SOON).unwrap();
    wait_until("it to be written down", SOON, || noted("session.left") == 1).unwrap();
    let left = items(&lab.wane.ada.json(&["log", "--event", "session.left"]).unwrap())[0].clone();
    assert_eq!(left["detail"]["bytes"], typed.len() + 1, "only what was typed, and Enter: {left}");
    let shown = text(&page.chromium.act(&json!({ "do": "text" })));
    assert!(!shown.contains("after42wards"), "{shown}");
    page.is_quiet("join, out");
    hers.send_line("exit").unwrap();
    assert!(hers.wait_exit(SOON).unwrap().success());
}

/// A replay that does not come to its end breaks off: nobody keeps a part of it as the whole.
#[test]
fn a_replay_that_is_cut_breaks_off() {
    let lab = Lab::new(TERMINAL);
    let eve = lab.wane.server.newcomer(&lab.wane.ada, "eve", &["admins"]).unwrap();
    let maya = lab.comes(&lab.wane.maya, "20m");
    // More than is under way at once between a server and a reader who takes their time.
    let much = maya.open(&["-T"], &["head -c 48000000 /dev/zero | tr '\\0' x"]);
    assert!(much.wait_exit(4 * SOON).unwrap().success());
    let recordings = || items(&lab.wane.ada.json(&["recordings"]).unwrap()).clone();
    wait_until("the recording to be whole", SOON, || recordings()[0]["state"] == "whole").unwrap();
    let session = text(&recordings()[0]["session"]);
    let url = format!("{}/v1/sessions/{session}/recording?form=asciicast", lab.wane.server.url());
    let token = format!("authorization: Bearer {}", eve.token().unwrap());
    let slowly = |rate: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let words = ["-fsS", "--limit-rate", rate, "-H", &token, "-o"];
        (Command::new("curl").args(words).arg(file.path()).arg(&url).spawn().unwrap(), file)
    };
    let (mut whole, kept) = slowly("1G");
    assert!(whole.wait().unwrap().success());
    let all = kept.as_file().metadata().unwrap().len();
    let (mut cut, kept) = slowly("2M");
    wait_until("some of it to be there", SOON, || kept.as_file().metadata().unwrap().len() > 0).unwrap();
    lab.wane.ada.json(&["group", "leave", "admins", "eve"]).unwrap();
    let status = cut.wait().unwrap();
    assert_eq!(status.code(), Some(18), "curl says that it got a part");
    assert!(kept.as_file().metadata().unwrap().len() < all);
}
