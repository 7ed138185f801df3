//! Answers of a server, for the stand-in to give.

use serde_json::{Value, json};

pub(crate) fn me() -> Value {
    json!({
        "person": "maya", "display": "Maya", "groups": ["sre"], "may": ["read_log"],
        "session": { "expires": "2026-11-21T20:04:00Z", "proved": "2026-11-21T12:00:00Z" },
    })
}

pub(crate) fn item(resource: &str, role: &str, state: &str) -> Value {
    json!({
        "resource": resource, "role": role, "state": state, "path": "sre-deploys",
        "stages": [], "approvals": [], "reasons": [], "grant": null, "already_covered_by": null,
    })
}

pub(crate) fn request(id: &str, items: Vec<Value>) -> Value {
    let state = items[0]["state"].clone();
    json!({
        "id": id, "digest": "ab12", "requester": "maya", "beneficiary": "maya", "items": items, "state": state,
        "at": "2026-11-21T12:03:00Z", "lapses": "2026-11-21T13:03:00Z", "duration": { "text": "2h", "secs": 7200 },
        "start": null, "reason": "roll out 1.2", "ticket": "OPS-7", "parent": null,
    })
}

pub(crate) fn waiting(id: &str) -> Value {
    let mut item = item("db", "readonly", "waiting");
    item["stages"] = json!([{ "needs": 1, "have": 0, "who_could": ["ada", "joe"], "text": "1 of group:dba" }]);
    request(id, vec![item])
}

pub(crate) fn approved(id: &str, grant: &str) -> Value {
    let mut item = item("db", "readonly", "approved");
    item["grant"] = json!(grant);
    request(id, vec![item])
}

pub(crate) fn denied(id: &str) -> Value {
    let mut item = item("db", "readonly", "denied");
    item["reasons"] = json!(["a ticket is needed"]);
    request(id, vec![item])
}

pub(crate) fn grant(id: &str, state: &str) -> Value {
    json!({
        "id": id, "holder": "maya", "resource": "db", "role": "readonly", "kind": "postgres", "state": state,
        "since": "2026-11-21T12:00:00Z", "end": "2026-11-21T14:02:00Z", "opens": "2026-11-21T12:00:00Z",
        "activate_by": "2026-11-21T13:00:00Z", "duration": { "text": "2h", "secs": 7200 }, "approvals": [],
        "path": "dba-reads", "policy_digest": "cd34", "request": "req_1", "ticket": null, "leases": [],
        "residual": null, "ending": null, "closure": null,
    })
}

pub(crate) fn why() -> Value {
    json!({
        "person": "maya", "resource": "db", "role": "readonly", "outcome": "denied",
        "reasons": ["a ticket is needed"],
        "paths": [{ "policy": "dba-reads", "description": "reading under a ticket", "applies": true,
                    "unmet": ["give a ticket"], "asks": ["1 of group:dba"] }],
        "forbids": [], "who_could_approve": ["ada"],
        "narrower": [{ "role": "peek", "outcome": "granted", "asks": [] }],
        "residual": null, "policy_digest": "cd34", "policy_version": 3,
    })
}

pub(crate) fn page(items: Vec<Value>) -> Value {
    json!({ "items": items, "next": null })
}
