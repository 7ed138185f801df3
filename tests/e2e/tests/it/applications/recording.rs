//! What is recorded of requests, and the archive format that other programs read.

use std::fs;

use serde_json::{Value, json};

use super::lab::{Lab, SECRET};
use crate::people::text;
use crate::web::Browsing;

#[test]
fn requests_are_recorded_with_bodies_where_the_role_says() {
    let lab = Lab::new();
    lab.register(
        "other",
        &json!({ "inject": { "as": "header", "name": "Authorization", "prefix": "Bearer " } }),
        Some(SECRET),
    );
    lab.role("kept", &json!({ "allow": [{ "methods": ["GET", "POST"], "paths": ["/**"] }], "bodies": true }));
    for (item, bodies) in [("kept@other", true), ("viewer@other", false)] {
        let guest = lab.enters(&lab.wane.maya, item, "10m");
        let cookie = guest.cookie().split_once('=').unwrap().1.to_owned();
        guest.send(
            &["-X", "POST", "-H", "Content-Type: text/plain", "--data-binary", "sent-words"],
            "/up?token=query-words",
        );
        assert_eq!(guest.get("/moved").status, 302);
        assert_eq!(guest.get("/a/../b").status, 400);
        lab.wane.maya.json(&["done", &guest.grant]).unwrap();
        lab.wane.wait_closed(&guest.grant);
        let grant = guest.grant.clone();
        let recordings = lab.wane.ada.json(&["recordings", "--person", "maya"]).unwrap();
        let of = |one: &&Value| one["grant"] == json!(grant);
        let recording = recordings["items"].as_array().unwrap().iter().find(of).cloned();
        let recording = recording.unwrap_or_else(|| panic!("{recordings:#}\n{}", lab.wane.server.log()));
        let session = text(&recording["session"]);
        assert_eq!(recording["verdict"], "outside", "{recording}");
        let file = lab.wane.server.folder().join(format!("{session}.har"));
        let wrote = lab.wane.ada.run(&["replay", &session, "--har", file.to_str().unwrap()]).unwrap();
        assert!(wrote.success(), "{wrote:?}");
        let har: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let entries = har["log"]["entries"].as_array().unwrap();
        assert_eq!((&har["log"]["version"], entries.len()), (&json!("1.2"), 2), "{har:#}");
        let (up, moved) = (&entries[0], &entries[1]);
        assert_eq!((&up["request"]["method"], &up["response"]["status"]), (&json!("POST"), &json!(200)));
        assert_eq!((&up["request"]["bodySize"], &moved["response"]["status"]), (&json!(10), &json!(302)));
        assert!(up["response"]["bodySize"].as_u64().unwrap() > 10 && up["time"].as_f64().unwrap() >= 0.0, "{up}");
        let all = har.to_string();
        assert_eq!((all.contains("sent-words"), all.contains("query-words")), (bodies, bodies), "{all}");
        let events = lab.wane.ada.run(&["replay", &session, "--events"]).unwrap();
        assert!(events.success() && events.stdout.contains("/up"), "{events:?}");
        // What nobody may see is not in what everybody who replays sees; with bodies, what the application says of it is
        // the application's own word.
        if !bodies {
            assert!(!all.contains(SECRET) && !events.stdout.contains(SECRET), "{all}");
        }
        assert!(!all.contains(&cookie) && !events.stdout.contains(&cookie));
        let verified = lab.wane.ada.json(&["recording", "verify", &session]).unwrap();
        assert_eq!(verified["whole"], true, "{verified}");
        // The same on a page: each request with its answer, and kept as a file.
        if bodies {
            continue;
        }
        let mut page = Browsing::at(&lab.wane.server.url());
        page.is(&lab.wane.ada);
        page.open(&format!("recordings/{session}"));
        page.presses("button", "Play it");
        page.sees("This is all of it.");
        let shown = page.sees("/moved");
        assert!(shown.contains("status 302") && !shown.contains("query-words"), "{shown}");
        page.holds("recording of requests");
        let saved = page.chromium.act(&json!({ "do": "saved", "selector": "button:has-text('Save the requests')" }));
        let saved: Value = serde_json::from_str(&text(&saved)).unwrap();
        assert_eq!(saved["log"]["entries"].as_array().unwrap().len(), 2, "{saved:#}");
    }
}
