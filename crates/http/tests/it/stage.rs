//! A deployment with something of everything in it, and a body for each route that takes one.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use wane_http::Limits;

use crate::house::{House, PASSWORD, Said};

/// A deployment with people, a catalogue, a request that waits, a grant, a lock and a delegation.
pub(crate) struct Stage {
    pub(crate) house: House,
    /// The session of an ordinary person.
    pub(crate) bo: String,
    pub(crate) request: String,
    pub(crate) grant: String,
    pub(crate) lock: String,
    /// The administrator has `cy` stand in for them.
    pub(crate) delegation: String,
}

/// A route as the description has it.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Whether it takes a body with fields.
    pub(crate) takes: bool,
}

/// Routes whose answer has no end.
const STREAMS: [&str; 4] =
    ["/v1/events", "/v1/sessions/{id}/recording", "/v1/sessions/{id}/watch", "/v1/grants/{id}/terminal"];

/// Every route there is, out of the description that is made from them. Streams have no end and are left out.
pub(crate) fn ops() -> Vec<Op> {
    let document = serde_json::to_value(wane_http::document()).unwrap();
    let mut out = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, op) in item.as_object().unwrap() {
            if !["get", "post", "put", "patch", "delete"].contains(&method.as_str()) || STREAMS.contains(&path.as_str())
            {
                continue;
            }
            // What is typed at a terminal, as it is: none of this is about such bytes, which have tests of their own.
            if op.pointer("/requestBody/content/application~1octet-stream").is_some() {
                continue;
            }
            let takes = op.pointer("/requestBody/content/application~1json").is_some();
            out.push(Op { method: method.to_uppercase(), path: path.clone(), takes });
        }
    }
    assert!(out.len() > 60, "{}", out.len());
    out
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let mut house = House::built().await;
        house.router = wane_http::router(house.app.clone(), &Limits::default(), house.stop.clone());
        let ada = house.token.clone();
        let make = async |method: &str, path: &str, token: &str, body: Value| {
            let said = house.call(method, path, Some(token), None, body).await;
            assert!(said.status.is_success(), "{method} {path}: {said:?}");
            said.body
        };
        for (method, path, body) in [
            ("POST", "/v1/people", json!({ "name": "bo" })),
            ("POST", "/v1/people", json!({ "name": "cy" })),
            ("POST", "/v1/groups", json!({ "name": "staff" })),
            ("PUT", "/v1/groups/staff/members/bo", Value::Null),
            ("POST", "/v1/resources", json!({ "name": "ledger", "kind": "paper", "settings": {} })),
            ("POST", "/v1/roles", json!({ "name": "read", "kind": "paper", "definition": {} })),
        ] {
            make(method, path, &ada, body).await;
        }
        let code = make("POST", "/v1/people/bo/enrolment", &ada, Value::Null).await["code"].clone();
        let bo = house.enrolled("bo", code.as_str().unwrap()).await;
        let ask = json!({ "items": [{ "resource": "ledger", "role": "read" }], "duration": "30m", "reason": "r" });
        let id = |body: &Value| body["id"].as_str().unwrap().to_owned();
        let first = id(&make("POST", "/v1/requests", &bo, ask.clone()).await);
        let approved = make("POST", &format!("/v1/requests/{first}/approve"), &ada, json!({})).await;
        let grant = approved["items"][0]["grant"].as_str().unwrap().to_owned();
        let request = id(&make("POST", "/v1/requests", &bo, ask).await);
        let lock = id(&make("POST", "/v1/locks", &ada, json!({ "person": "cy", "reason": "r" })).await);
        let leave = json!({ "to": "cy", "until": "2026-11-22T09:00:00Z" });
        let delegation = id(&make("POST", "/v1/delegations", &ada, leave).await);
        Self { house, bo, request, grant, lock, delegation }
    }

    /// A path with what it names filled in.
    pub(crate) fn fill(&self, path: &str) -> String {
        let name = match path.split('/').nth(2) {
            Some("people") => "bo",
            Some("groups") => "staff",
            Some("resources") => "ledger",
            _ => "read",
        };
        let id = match path.split('/').nth(2) {
            Some("requests") => &self.request,
            Some("grants") => &self.grant,
            Some("delegations") => &self.delegation,
            // No gateway here: a session there may have been.
            Some("live" | "sessions") => &self.grant.replace("grt_", "ses_"),
            _ => &self.lock,
        };
        let pairs = [
            ("{name}", name),
            ("{person}", "bo"),
            ("{kind}", "paper"),
            ("{version}", "1"),
            ("{id}", id.as_str()),
            ("{place}", "x"),
        ];
        pairs.into_iter().fold(path.to_owned(), |path, (from, to)| path.replace(from, to))
    }

    /// A body as the route means it, with every field that it knows.
    pub(crate) fn body(&self, op: &Op) -> Value {
        let facts = json!({ "team": "db" });
        let rules = json!({
            "name": "userName", "display": "displayName", "attributes": { "team": "title" }, "groups": { "Theirs": "ours" },
            "sign_in": { "provider": "corp", "subject": "externalId" },
        });
        match (op.method.as_str(), op.path.as_str()) {
            ("POST", "/v1/enrolments") => json!({ "code": "wane_e_x", "password": PASSWORD }),
            ("POST", "/v1/sessions") => json!({ "person": "cy", "password": PASSWORD, "totp": "000000" }),
            ("POST", "/v1/sessions/proof") => json!({ "password": PASSWORD, "totp": "000000" }),
            ("POST", "/v1/hosts/join") => json!({ "code": "wane_j_x", "host_keys": ["ssh-ed25519 x"] }),
            ("POST", "/v1/people") => {
                json!({ "name": "newcomer", "display": "N", "manager": "ada", "attributes": facts })
            }
            ("PATCH", "/v1/people/{name}") => json!({ "display": "B", "manager": "ada", "attributes": facts }),
            ("POST", "/v1/devices") => json!({ "client": "wane" }),
            ("POST", "/v1/devices/token") => json!({ "device_code": "wane_d_x" }),
            ("POST", "/v1/people/{name}/identities") => json!({ "provider": "corp", "subject": "1" }),
            ("POST", "/v1/people/{name}/offboard") => json!({ "reason": "r" }),
            ("POST", "/v1/packages") => json!({
                "name": "newpack", "description": "d", "items": [{ "role": "read", "resource": "ledger" }],
                "groups": ["staff"], "attributes": facts, "at_most": "1h",
            }),
            ("POST", "/v1/directories") => json!({ "name": "newdir", "rules": rules }),
            ("PUT", "/v1/directories/{name}/rules") => rules,
            ("DELETE", "/v1/directories/{name}") => json!({ "people": "kept" }),
            ("POST", "/v1/directories/{name}/token") => json!({ "overlap": "1h" }),
            ("POST", "/v1/people/{name}/approver-keys") => {
                json!({ "name": "laptop", "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8CKC1x68pjayo+dFja7RGv5nDlVdtF9H18cfluwIfk" })
            }
            ("POST", "/v1/delegations") => json!({
                "to": "bo", "from": "2026-11-22T09:00:00Z", "until": "2026-11-23T09:00:00Z", "resources": ["ledger"],
                "policies": ["p"], "reason": "r",
            }),
            ("POST", "/v1/approver-keys/{id}/to-vouch") => json!({ "key": "apk_00000000000000000000000000" }),
            ("POST", "/v1/approver-keys/{id}/vouchers") => json!({ "text": "wane.approver-key.v1", "ssh": "x" }),
            ("POST", "/v1/requests/{id}/to-sign") => json!({ "item": 0, "duration": "5m", "role": "read" }),
            ("POST", "/v1/groups") => json!({ "name": "newgroup", "description": "d" }),
            ("POST", "/v1/resources") => json!({
                "name": "newres", "kind": "paper", "labels": facts, "owner": { "person": "ada" }, "settings": {},
            }),
            ("PATCH", "/v1/resources/{name}") => {
                json!({ "labels": facts, "owner": { "person": "ada" }, "settings": {} })
            }
            ("PUT", "/v1/resources/{name}/credential") => json!({ "credential": "c" }),
            ("POST", "/v1/roles") => {
                json!({ "name": "newrole", "kind": "paper", "description": "d", "definition": {} })
            }
            ("PATCH", "/v1/roles/{kind}/{name}") => json!({ "description": "d" }),
            ("POST", "/v1/policy") => json!({ "text": "permit(", "seen_version": 1 }),
            ("POST", "/v1/policy/check") => json!({ "text": "permit(" }),
            ("POST", "/v1/policy/rehearse") => json!({ "text": "permit(" }),
            ("POST", "/v1/policy/proposal") => json!({ "text": "permit(", "seen_version": 1, "note": "n" }),
            ("DELETE", "/v1/policy/proposal") | ("POST", "/v1/policy/proposal/activate") => {
                json!({ "digest": "0".repeat(64) })
            }
            ("POST", "/v1/why") => json!({
                "person": "bo", "resource": "ledger", "role": "read", "duration": "10m", "reason": "r", "ticket": "T-1",
                "policy_version": 1,
            }),
            ("POST", "/v1/requests") => json!({
                "items": [{ "resource": "ledger", "role": "read" }], "for_person": "bo", "duration": "10m",
                "start": "2026-11-22T09:00:00Z", "reason": "r", "ticket": "T-1",
            }),
            ("POST", "/v1/requests/{id}/approve") => json!({ "item": 0, "duration": "5m", "role": "read" }),
            ("POST", "/v1/requests/{id}/deny") => json!({ "item": 0, "reason": "r" }),
            ("POST", "/v1/requests/{id}/withdraw") => json!({ "item": 0 }),
            ("POST", "/v1/grants/{id}/credential") => json!({ "input": {} }),
            ("POST", "/v1/grants/{id}/extend") => json!({ "duration": "5m", "reason": "r" }),
            ("POST", "/v1/grants/{id}/deny") => json!({ "reason": "r" }),
            ("POST", "/v1/live/sessions/{id}/kill") => json!({ "reason": "r" }),
            ("POST", "/v1/issuers") => json!({
                "name": "newissuer", "sort": "generic", "issuer": "https://new.example", "audience": "a",
                "algorithms": ["RS256"], "ca_pem": "x", "jwks": "{}",
            }),
            ("POST", "/v1/workloads") => json!({
                "name": "newpipe", "display": "d", "sponsor": "ada",
                "rule": { "issuer": "corp", "claims": { "sub": "x" }, "longest": "1h", "silence": "1m" },
            }),
            ("PUT", "/v1/workloads/{name}/rule") => {
                json!({ "issuer": "corp", "claims": { "sub": "x" }, "longest": "1h", "silence": "1m" })
            }
            ("POST", "/v1/jobs") => json!({ "token": "a.b.c", "workload": "pipe" }),
            ("POST", "/v1/keys/{of}") => json!({ "change": "take_over" }),
            ("POST", "/v1/revoke") => json!({ "grant": self.grant, "reason": "r" }),
            ("POST", "/v1/locks") => json!({ "role": { "kind": "paper", "name": "read" }, "reason": "r" }),
            (method, path) if op.takes => panic!("{method} {path} takes a body: say here what one looks like"),
            _ => json!({}),
        }
    }

    /// How long the trail is: longer if anything was written.
    pub(crate) async fn head(&self) -> u64 {
        self.house.app.store().head().await.unwrap()
    }

    /// Sends what need not be JSON.
    pub(crate) async fn send(&self, method: &str, path: &str, token: &str, kind: &str, body: impl Into<Body>) -> Said {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", kind)
            .body(body.into())
            .unwrap();
        let (parts, body) = self.house.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 22).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Said { status: parts.status, headers: parts.headers, body }
    }
}

/// An error says what it is, in the one form there is.
pub(crate) fn is_clear(said: &Said, what: &str) {
    assert!(said.status.is_client_error(), "{what}: {said:?}");
    assert_eq!(said.headers["content-type"], "application/problem+json", "{what}");
    for field in ["detail", "code", "title"] {
        assert!(!said.body[field].as_str().unwrap_or_default().is_empty(), "{what}: no {field}: {said:?}");
    }
}
