//! A directory that pushes, as an identity provider of a company does.

use serde_json::{Value, json};
use wane_testkit::{PersonSession, WaneServer};

use crate::people::{Deployment, text};
use crate::signing_in::roaming::http;

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A directory with its token.
#[derive(Clone)]
pub(crate) struct Corp {
    pub(crate) url: String,
    pub(crate) token: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn id(&self) -> String {
        text(&self.body["id"])
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        Some(line.split_once(':').unwrap().1.trim().to_owned())
    }
}

impl Corp {
    /// Added to a deployment in these words, besides its name.
    pub(crate) fn added(ada: &PersonSession, name: &str, words: &[&str]) -> Self {
        let made = ada.json(&[&["directory", "add", name], words].concat()).unwrap();
        Self { url: text(&made["directory"]["url"]), token: text(&made["token"]) }
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.call_with(method, path, "", &if body.is_null() { String::new() } else { body.to_string() })
    }

    pub(crate) fn call_with(&self, method: &str, path: &str, more: &str, body: &str) -> Answer {
        let head = format!("Authorization: Bearer {}\r\nContent-Type: application/scim+json\r\n{more}", self.token);
        let path = path.trim_start_matches('/');
        let came = http(method, &format!("{}/{}", self.url, path.replace(' ', "%20").replace('"', "%22")), &head, body);
        let body = serde_json::from_str(&came.text).unwrap_or_default();
        Answer { status: came.status, head: came.head, body }
    }

    /// As [`call`](Self::call), which must come out so.
    pub(crate) fn does(&self, method: &str, path: &str, body: &Value, status: u16) -> Answer {
        let answer = self.call(method, path, body);
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
        answer
    }

    /// Somebody is pushed; their id.
    pub(crate) fn person(&self, name: &str, more: &Value) -> String {
        self.does("POST", "/Users", &user(name, more), 201).id()
    }

    /// A group is pushed; its id.
    pub(crate) fn group(&self, name: &str, members: &[&str]) -> String {
        self.does("POST", "/Groups", &group(name, members), 201).id()
    }

    pub(crate) fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
        self.call("PATCH", path, &body)
    }

    /// Takes somebody's standing, as Entra ID does.
    pub(crate) fn disables(&self, id: &str) {
        let off = self.patch(&format!("Users/{id}"), json!([{ "op": "Replace", "path": "active", "value": "False" }]));
        assert_eq!((off.status, &off.body["active"]), (200, &json!(false)), "{off:?}");
    }
}

pub(crate) fn user(name: &str, more: &Value) -> Value {
    let mut body = json!({ "schemas": [USER, ENTERPRISE], "userName": name });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    body
}

pub(crate) fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": name, "members": members })
}

/// Somebody who was pushed sets a sign-in up here, and is in.
pub(crate) fn arrives(server: &WaneServer, ada: &PersonSession, name: &str) -> PersonSession {
    let code = text(&ada.json(&["person", "enrol", name]).unwrap()["code"]);
    let mut person = server.person(name).unwrap();
    person.enrol(&code).unwrap();
    person.sign_in().unwrap();
    person
}

/// What the members of a group of the directory may do.
pub(crate) fn policy(group: &str) -> String {
    format!(
        "{}\n@id(\"pushed\") @max_ttl(\"1h\") permit (principal in Group::\"{group}\", action == Action::\"access\", resource);",
        crate::people::POLICY
    )
}

/// A deployment with the directory `corp`.
pub(crate) fn deployed(words: &[&str]) -> (Deployment, Corp) {
    let wane = Deployment::new();
    let corp = Corp::added(&wane.ada, "corp", words);
    (wane, corp)
}
