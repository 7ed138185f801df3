//! What directories push, and directories themselves: each is one commit, and is there or not whenever the server dies
//! over it. Pushed again, it is there, once.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use wane_testkit::{WaneServer, wait_until};

use super::lab::{Lab, Who};
use super::points;
use crate::directory::corp::{Corp, group, user};
use crate::people::{Deployment, SOON, text};

/// A call over which the server may die: whatever comes back, or nothing.
fn shout(corp: &Corp, method: &str, path: &str, body: &Value) {
    let url = corp.url.strip_prefix("http://").unwrap();
    let (server, root) = url.split_at(url.find('/').unwrap());
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let Ok(mut stream) = TcpStream::connect(server) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let path = path.trim_start_matches('/');
    let head = format!(
        "{method} {root}/{path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n",
        corp.token,
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    let _ = stream.read_to_end(&mut Vec::new());
}

struct House {
    lab: Lab,
    corp: Corp,
}

impl House {
    /// The directory pushes something over which the server dies.
    fn dies_over(&mut self, place: &str, method: &str, path: &str, body: &Value) {
        let before = self.lab.deaths;
        self.lab.wane.server.plan(&format!("{place}=kill")).unwrap();
        shout(&self.corp, method, path, body);
        wait_until(place, SOON, || {
            self.lab.revive();
            self.lab.deaths > before
        })
        .unwrap_or_else(|e| panic!("{e}\n{}", self.lab.wane.server.log()));
        self.lab.reached.insert(place.to_owned());
    }

    fn standing(&self, name: &str) -> String {
        text(&self.lab.wane.ada.json(&["person", "show", name]).unwrap()["standing"])
    }

    fn people(&self) -> u64 {
        self.corp.does("GET", "/Users", &Value::Null, 200).body["totalResults"].as_u64().unwrap()
    }

    fn push(&mut self, side: &str) {
        let after = side == "after";
        let (name, crew) = (format!("p-{side}"), format!("crew-{side}"));
        let before = self.people();
        self.dies_over(&format!("app.pushed.person_new.commit:{side}"), "POST", "/Users", &user(&name, &json!({})));
        assert_eq!(self.people() - before, u64::from(after));
        let again = self.corp.call("POST", "/Users", &user(&name, &json!({})));
        assert_eq!((again.status, self.people() - before), (if after { 409 } else { 201 }, 1), "{again:?}");
        let found = self.corp.does("GET", &format!("/Users?filter=userName eq \"{name}\""), &Value::Null, 200);
        let id = text(&found.body["Resources"][0]["id"]);

        let place = format!("app.pushed.group_new.commit:{side}");
        self.dies_over(&place, "POST", "/Groups", &group(&crew, &[&id]));
        let again = self.corp.call("POST", "/Groups", &group(&crew, &[&id]));
        assert_eq!(again.status, if after { 409 } else { 201 }, "{again:?}");
        let found = self.corp.does("GET", &format!("/Groups?filter=displayName eq \"{crew}\""), &Value::Null, 200);
        let team = text(&found.body["Resources"][0]["id"]);
        let members = |house: &Self| {
            let group = house.lab.wane.ada.json(&["group", "show", &format!("corp.{crew}")]).unwrap();
            group["members"].as_array().unwrap().len()
        };
        let empty = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{ "op": "remove", "path": "members" }] });
        self.dies_over(&format!("app.pushed.group.commit:{side}"), "PATCH", &format!("/Groups/{team}"), &empty);
        assert_eq!(members(self), usize::from(!after));
        self.corp.does("PUT", &format!("/Groups/{team}"), &group(&crew, &[&id]), 200);
        self.dies_over(
            &format!("app.pushed.group_left.commit:{side}"),
            "DELETE",
            &format!("/Groups/{team}"),
            &Value::Null,
        );
        assert_eq!(members(self), usize::from(!after));
        self.corp.does("DELETE", &format!("/Groups/{team}"), &Value::Null, if after { 404 } else { 204 });

        let path = format!("Users/{id}");
        let off = |more: Value| user(&name, &json!({ "active": false, "title": more }));
        self.dies_over(&format!("app.pushed.person.commit:{side}"), "PUT", &path, &off(json!("t")));
        assert_eq!(self.standing(&name), if after { "disabled" } else { "active" });
        self.corp.does("PUT", &path, &user(&name, &json!({ "active": true })), 200);
        // Refused as a whole, and an end all the same.
        self.dies_over(&format!("app.pushed.person_ended.commit:{side}"), "PUT", &path, &off(json!({})));
        assert_eq!(self.standing(&name), if after { "disabled" } else { "active" });
        self.dies_over(&format!("app.pushed.person_left.commit:{side}"), "DELETE", &path, &Value::Null);
        self.corp.does("DELETE", &path, &Value::Null, if after { 404 } else { 204 });
        assert_eq!(self.standing(&name), "disabled");
    }

    fn administer(&mut self, side: &str) {
        let after = side == "after";
        let other = format!("other-{side}");
        let there =
            |house: &Self| house.lab.wane.ada.json(&["directory", "list"]).unwrap().to_string().contains(&other);
        let add =
            self.lab.die_over(&format!("app.directory.add.commit:{side}"), Who::Ada, &["directory", "add", &other]);
        assert!(there(self), "{add:?}");
        // A token that nobody heard of is replaced.
        let rotate = ["directory", "rotate", &other, "--overlap", "0s"];
        let rotated = self.lab.die_over(&format!("app.directory.rotate.commit:{side}"), Who::Ada, &rotate);
        let token = text(&self.lab.wane.ada.json(&rotate).unwrap()["token"]);
        let corp = Corp { token, ..self.corp.clone() };
        corp.does("GET", "/Users", &Value::Null, 200);
        let change = ["directory", "change", &other, "--attribute", "title=title"];
        self.lab.die_over(&format!("app.directory.change.commit:{side}"), Who::Ada, &change);
        let shown = self.lab.wane.ada.json(&["directory", "show", &other]).unwrap();
        assert_eq!(shown["rules"]["attributes"]["title"], "title", "{rotated:?}");
        corp.person(&format!("o-{side}"), &json!({}));
        self.lab.die_over(&format!("app.directory.remove.commit:{side}"), Who::Ada, &["directory", "remove", &other]);
        assert!(!there(self), "after {after}");
        corp.does("GET", "/Users", &Value::Null, 401);
        assert_eq!(self.standing(&format!("o-{side}")), "disabled");
        // Cut off before it is removed: said again, it goes on.
        for (point, name) in [("silence", format!("s-{side}")), ("orphans", format!("u-{side}"))] {
            Corp::added(&self.lab.wane.ada, &name, &[]).person(&name, &json!({}));
            self.lab.die_over(
                &format!("app.directory.{point}.commit:{side}"),
                Who::Ada,
                &["directory", "remove", &name],
            );
            assert!(!self.lab.wane.ada.json(&["directory", "list"]).unwrap().to_string().contains(&name));
            assert_eq!(self.standing(&name), "disabled");
        }
    }
}

/// INV-8, FLT-1.
#[test]
fn killed_over_every_push_it_is_there_or_not() {
    let lab = Lab::new(Deployment::with(WaneServer::builder().failpoints()));
    let corp = Corp::added(&lab.wane.ada, "corp", &[]);
    let mut house = House { lab, corp };
    for side in ["before", "after"] {
        house.push(side);
        house.administer(side);
    }
    points::assert_killed(&house.lab.reached, points::PUSHED);
    let reached: BTreeSet<String> =
        house.lab.reached.iter().filter(|place| place.contains("pushed")).cloned().collect();
    assert_eq!(reached.len(), 14, "{reached:?}");
}
