//! Sessions on the web UI: a terminal in a page, recordings played, sessions watched.

use std::fs;

use serde_json::json;
use wane_testkit::wait_until;

use super::{Browsing, PHONE, WIDE};
use crate::gateway::lab::{Lab, TERMINAL};
use crate::people::{SOON, granted, items, text};

/// What a program might ask the terminal of whoever looks at it for, beyond letters.
const HOSTILE: &str = r"printf '\033]0;pwned\007\033]52;c;cHduZWQ=\007\033]11;#ff0000\007\033]8;;javascript:alert(1)\007click\033]8;;\007\033P$qm\033\\\033[21t\033[c<img src=x onerror=alert(1)>\033[38;2;1;200;3mgreen\033[0m'";

fn browser(lab: &Lab) -> Browsing {
    Browsing::at(&lab.wane.server.url())
}

impl Browsing {
    fn types(&mut self, text: &str) {
        self.chromium.act(&json!({ "do": "type", "text": text }));
        self.key("Enter");
    }

    /// How wide a program there finds its terminal. What says that it has said so is not what is typed.
    fn columns(&mut self, turn: u32) -> u32 {
        self.types(&format!("clear; stty size | tr ' ' x; echo sized-$(({turn} + 100))"));
        columns(&self.sees(&format!("sized-{}", turn + 100)))
    }
}

#[test]
fn a_terminal_is_typed_into_on_a_page_and_ends_with_its_grant() {
    let lab = Lab::new(TERMINAL);
    let (maya, ada) = (&lab.wane.maya, &lab.wane.ada);
    let grant = granted(maya, "deploy@web", "30m");
    let mut page = browser(&lab);
    page.is(maya);
    page.view(WIDE, "dark");
    page.open("");
    page.presses("button", "Connect");
    assert_eq!(page.count(&format!("a[href='/ui/terminal/{grant}']")), 1);
    page.open(&format!("terminal/{grant}"));
    page.sees("The terminal is open.");
    page.types("echo one-$((1 + 1))");
    page.sees("one-2");
    page.holds("terminal");
    page.picture("terminal", WIDE, "dark");

    // It is on the board, from where the page is looked at, and can be seen by those who may.
    let sessions = lab.wane.ada.json(&["sessions"]).unwrap();
    let session = items(&sessions)[0].clone();
    assert_eq!(items(&sessions).len(), 1, "{sessions}");
    assert_eq!((&session["person"], &session["peer"]), (&json!("maya"), &json!("127.0.0.1")), "{session}");
    assert!(text(&session["client"]).contains("Wane_page"), "{session}");

    // The terminal is as large as the page has room for, and follows it.
    page.view((700, 860), "dark");
    // Asked twice: the first may have been typed before the page was laid out anew.
    page.columns(1);
    let (narrow, mut turn) = (page.columns(2), 2);
    assert!(narrow > 20, "{narrow}");
    page.view((1280, 860), "dark");
    wait_until("the terminal to get wider", SOON, || {
        turn += 1;
        page.columns(turn) > narrow
    })
    .unwrap_or_else(|e| panic!("{e}: {narrow}"));

    // How what ran there ended.
    page.types("exit 3");
    page.sees("The session is over, with exit status 3.");
    page.holds("terminal, over");
    page.presses("button", "Open another");
    page.sees("The terminal is open.");
    page.types("echo second-$((20 + 2))");
    page.sees("second-22");

    // Cut with its grant, and the page says why.
    ada.json(&["revoke", &grant, "--reason", "drill over"]).unwrap();
    page.sees("*** Wane:");
    page.sees("drill over");
    page.is_quiet("terminal");
    wait_until("the board to be empty", SOON, || items(&ada.json(&["sessions"]).unwrap()).is_empty()).unwrap();
    wait_until("both recordings to be whole", SOON, || {
        let recordings = ada.json(&["recordings"]).unwrap();
        let of_it = items(&recordings).iter().filter(|one| one["grant"] == grant.as_str() && one["state"] == "whole");
        of_it.count() == 2
    })
    .unwrap();

    // Without a grant there is none, and the page says so.
    page.open(&format!("terminal/{grant}"));
    let said = page.sees("drill over");
    assert!(said.contains("ended: revoked") && !said.contains("The terminal is open"), "{said}");

    // Whoever is signed out has no terminal either.
    let other = granted(maya, "deploy@web", "20m");
    page.open(&format!("terminal/{other}"));
    page.sees("The terminal is open.");
    assert!(maya.run(&["logout"]).unwrap().success());
    page.sees("not signed in any more");
    wait_until("the session to be over", SOON, || items(&ada.json(&["sessions"]).unwrap()).is_empty()).unwrap();
}

/// What `stty size` said last, as `ROWSxCOLUMNS`.
fn columns(shown: &str) -> u32 {
    let mut sizes = shown.split_whitespace().filter_map(|word| {
        let (rows, columns) = word.split_once('x')?;
        rows.parse::<u32>().ok()?;
        columns.parse::<u32>().ok()
    });
    sizes.next_back().unwrap_or_else(|| panic!("no size: {shown}"))
}

#[test]
fn a_recording_is_played_on_a_page_and_nothing_in_it_acts() {
    let lab = Lab::new(TERMINAL);
    let maya = lab.comes(&lab.wane.maya, "20m");
    let mut shell = maya.open(&["-tt"], &[]);
    shell.send_line("echo kanarienvogel-$((40 + 2))").unwrap();
    shell.wait_for("kanarienvogel-42", SOON).unwrap();
    let mut page = browser(&lab);
    // For a picture something is shown that somebody would look at.
    shell.send_line(if page.pictures.is_some() { "ls -l /etc/ssh; uptime; echo green" } else { HOSTILE }).unwrap();
    shell.wait_for("green", SOON).unwrap();

    // While it goes on it is watched by the same player.
    page.is(&lab.wane.ada);
    page.open("live");
    page.presses("link", "Watch maya, web");
    page.sees("That you watch is written down");
    let noted = |event: &str| {
        let page = lab.wane.ada.json(&["log", "--event", event, "--all"]).unwrap();
        items(&page).len()
    };
    assert_eq!(noted("recording.watched"), 0, "nothing is read before they say so");
    page.presses("button", "Watch it");
    page.sees("kanarienvogel-42");
    shell.send_line("echo live-$((50 + 5))").unwrap();
    page.sees("live-55");
    page.holds("watching");
    assert_eq!(noted("recording.watched"), 1);
    shell.send_line("exit").unwrap();
    shell.wait_exit(SOON).unwrap();
    page.sees("This is all of it.");
    let session = text(&items(&lab.wane.ada.json(&["recordings"]).unwrap())[0]["session"]);
    wait_until("the recording to be whole", SOON, || {
        items(&lab.wane.ada.json(&["recordings"]).unwrap())[0]["state"] == "whole"
    })
    .unwrap();

    page.open("recordings");
    page.sees("maya");
    page.chromium.fill("role=searchbox[name=\"Find in recordings\"]", "kanarienvogel");
    page.presses("button", "Search");
    page.sees("Found in 1 recording");
    page.holds("recordings");
    page.open(&format!("recordings/{session}"));
    page.presses("button", "Play it");
    page.sees("This is all of it.");
    // To the end, at once; what is found is jumped to.
    page.chromium.act(&json!({ "do": "click", "selector": "section.show >> role=slider" }));
    page.key("End");
    page.sees("live-55");
    assert_eq!(page.count(".screen :is(a, img, iframe)"), 0, "what was shown is letters");
    assert_eq!(text(&page.chromium.act(&json!({ "do": "title" }))), "Recording · Wane");
    assert_ne!(page.chromium.act(&json!({ "do": "copied" })), json!("pwned"));
    let ground =
        page.chromium.act(&json!({ "do": "style", "selector": ".screen .xterm-viewport", "name": "background-color" }));
    assert_ne!(ground, json!("rgb(255, 0, 0)"), "a program says how the page looks");
    page.chromium.fill("role=searchbox[name=\"Find in this recording\"]", "kanarienvogel");
    page.sees("kanarienvogel-$((40 + 2))");
    page.holds("player");
    page.picture("player", WIDE, "light");
    page.picture("player-phone", PHONE, "dark");
    page.chromium.act(&json!({ "do": "click", "selector": ".events button >> nth=0" }));
    page.sees("kanarienvogel-42");
    page.is_quiet("player");
    assert_eq!(noted("recording.replayed"), 1);

    // Whoever may not is told so, and that they tried is written down.
    page.is(&lab.wane.maya);
    page.open(&format!("recordings/{session}"));
    page.presses("button", "Play it");
    page.sees("replay");
    assert_eq!(noted("recording.refused"), 1);

    // What cannot be read is named, for what is sought may stand there.
    page.is(&lab.wane.ada);
    for file in fs::read_dir(lab.wane.server.data().join("recordings")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    page.open("recordings");
    page.chromium.fill("role=searchbox[name=\"Find in recordings\"]", "kanarienvogel");
    page.presses("button", "Search");
    page.sees("could not be read whole");
    page.sees(&session);
}
