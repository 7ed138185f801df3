//! A directory that pushes over SCIM, and the deployment it pushes to.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wane_testkit::WaneServerBuilder;

use super::super::deployment::Deployment;
use super::super::ground::{Ground, number, text, with};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Connections of a directory; its pushes have their turn one after the other.
const CLIENTS: usize = 4;

/// A directory with its token.
#[derive(Debug)]
pub(crate) struct Corp {
    address: String,
    token: String,
}

impl Corp {
    /// Added to a deployment; its group `staff` is `engineers` here.
    pub(crate) fn added(wane: &Deployment) -> Result<Self> {
        let words = ["directory", "add", "corp", "--group", "staff=engineers"];
        let made = wane.admin.json(&words)?;
        Ok(Self { address: wane.address(), token: text(&made, "/token")?.to_owned() })
    }

    /// A deployment whose people this directory pushed, so many of them, each signed in once.
    pub(crate) fn keeping(
        builder: WaneServerBuilder,
        ground: &Ground,
        people: usize,
    ) -> Result<(Deployment, Self, Vec<String>)> {
        let mut wane = Deployment::bare(builder, ground)?;
        let corp = Self::added(&wane)?;
        let names: Vec<String> = (0..people).map(|n| format!("pushed-{n}")).collect();
        let users: Vec<Value> = names.iter().map(|name| user(name)).collect();
        let ids = corp.push(ground, "Users", &users)?.1;
        corp.push(ground, "Groups", &[group("staff", &ids)])?;
        for name in &names {
            let code = wane.admin.json(&["person", "enrol", name])?;
            let mut person = wane.server.person(name)?;
            person.enrol(text(&code, "/code")?)?;
            person.sign_in()?;
            wane.people.push(person);
        }
        Ok((wane, corp, ids))
    }

    /// Pushes each of these; what the load came to, and the ids they got.
    pub(crate) fn push(&self, ground: &Ground, what: &str, bodies: &[Value]) -> Result<(Value, Vec<String>)> {
        let calls = bodies.iter().map(|body| self.call("POST", what, body)).collect();
        let found = self.loaded(ground, with(self.plan(calls), "keep", json!("/id")))?;
        let kept = found.get("kept").and_then(Value::as_array).context("no ids were kept")?;
        let ids: Vec<String> = kept.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        ensure!(ids.len() == bodies.len(), "{} of {} were pushed", ids.len(), bodies.len());
        Ok((found, ids))
    }

    /// Says of each of these people that they are not active; what the load came to.
    pub(crate) fn disable(&self, ground: &Ground, ids: &[String]) -> Result<Value> {
        let one = |id: &String| {
            let operations = json!([{ "op": "replace", "path": "active", "value": false }]);
            let body = json!({ "schemas": [PATCH], "Operations": operations });
            self.call("PATCH", &format!("Users/{id}"), &body)
        };
        self.loaded(ground, self.plan(ids.iter().map(one).collect()))
    }

    fn call(&self, method: &str, what: &str, body: &Value) -> Value {
        json!({ "method": method, "path": format!("/scim/v2/{what}"), "body": body })
    }

    fn plan(&self, calls: Vec<Value>) -> Value {
        let headers = json!([["authorization", format!("Bearer {}", self.token)]]);
        json!({ "address": self.address, "clients": CLIENTS, "patient": true, "headers": headers, "calls": calls })
    }

    fn loaded(&self, ground: &Ground, plan: Value) -> Result<Value> {
        let found = ground.tool("load", &plan)?;
        let failed = number(&found, "/failed")?;
        ensure!(failed == 0.0, "{failed} pushes were refused, the first: {}", text(&found, "/failure").unwrap_or("?"));
        Ok(found)
    }
}

/// Somebody, as a directory pushes them.
pub(crate) fn user(name: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": name,
        "externalId": format!("id-{name}"),
        "displayName": format!("Person {name}"),
        "name": { "givenName": "Person", "familyName": name },
        "emails": [{ "value": format!("{name}@corp.example"), "type": "work", "primary": true }],
        "active": true,
    })
}

/// A group, as a directory pushes it.
pub(crate) fn group(name: &str, members: &[String]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": name, "members": members })
}
