//! What was asked and approved can be taken back, narrowed or ended, and never rewritten; and what one
//! may not see is not there, in the same words.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::stage::{Stage, is_clear, ops};

const JSON: &str = "application/json";

/// Every member that an answer shows, anywhere in it.
fn members(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            out.extend(map.keys().cloned());
            map.values().for_each(|v| members(v, out));
        }
        Value::Array(list) => list.iter().for_each(|v| members(v, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Under a request and a grant there are these routes and no others, and none of them edits.
#[tokio::test(flavor = "multi_thread")]
async fn no_route_rewrites_what_was_asked() {
    let stage = Stage::set().await;
    let (request, grant) = (format!("/v1/requests/{}", stage.request), format!("/v1/grants/{}", stage.grant));
    let before = (stage.house.get(&request).await.body, stage.house.get(&grant).await.body);
    let head = stage.head().await;
    let known: BTreeSet<(String, String)> = ops().into_iter().map(|op| (op.method, op.path)).collect();
    let ours = |path: &str| path.starts_with("/v1/requests") || path.starts_with("/v1/grants");
    let paths: BTreeSet<String> = known.iter().map(|(_, path)| path.clone()).filter(|path| ours(path)).collect();
    assert_eq!(paths.len(), 16, "{paths:?}");
    let all = json!({ "duration": "90m", "resource": "ledger", "role": "read", "state": "approved", "item": 0 });
    for path in &paths {
        for method in ["PATCH", "PUT", "DELETE"] {
            assert!(!known.contains(&(method.to_owned(), path.clone())), "{method} {path} edits what was approved");
            for token in [&stage.house.token, &stage.bo] {
                let said = stage.send(method, &stage.fill(path), token, JSON, all.to_string()).await;
                assert_eq!(said.status.as_u16(), 405, "{method} {path}: {said:?}");
            }
        }
    }
    // Whatever an answer shows, none of the calls that decide or use takes it as input, besides its own few words.
    let (mut shown, mut tried) = (BTreeSet::new(), 0);
    members(&before.0, &mut shown);
    members(&before.1, &mut shown);
    shown.extend(
        ["ask", "approvals", "digest", "terms", "nonce", "beneficiary", "requester", "max_ttl", "owner"]
            .map(str::to_owned),
    );
    for op in ops().into_iter().filter(|op| op.method == "POST" && ours(&op.path) && op.path.contains("{id}")) {
        let takes = stage.body(&op);
        for member in shown.iter().filter(|m| takes.get(m.as_str()).is_none()) {
            let mut body = takes.clone();
            body[member] = json!("1h");
            for token in [&stage.house.token, &stage.bo] {
                let said = stage.send("POST", &stage.fill(&op.path), token, JSON, body.to_string()).await;
                assert_eq!(said.status.as_u16(), 422, "{op:?} took `{member}`: {said:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
    assert_eq!(stage.head().await, head, "something was written");
    assert_eq!((stage.house.get(&request).await.body, stage.house.get(&grant).await.body), before);
}

/// The requester, in every session of theirs and through every route that decides.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides_for_themselves_over_any_route() {
    let stage = Stage::set().await;
    // The one administrator asks for somebody else, and is the one who asks all the same.
    let ask = json!({ "items": [{ "resource": "ledger", "role": "read" }, ], "for_person": "bo", "duration": "5m", "reason": "r" });
    let asked = stage.house.call("POST", "/v1/requests", Some(&stage.house.token), None, ask).await;
    let theirs = asked.body["id"].as_str().unwrap().to_owned();
    for (token, id) in [(&stage.bo, &stage.request), (&stage.house.token, &theirs), (&stage.bo, &theirs)] {
        let head = stage.head().await;
        for body in
            [json!({}), json!({ "item": 0 }), json!({ "duration": "1m" }), json!({ "item": 0, "duration": "1m" })]
        {
            for key in [None, Some("again")] {
                let path = format!("/v1/requests/{id}/approve");
                let said = stage.house.call("POST", &path, Some(token), key, body.clone()).await;
                assert_eq!((said.status.as_u16(), &said.body["code"]), (403, &json!("not-allowed")), "{said:?}");
            }
        }
        assert_eq!(stage.head().await, head, "a refused approval wrote something");
    }
    for id in [&stage.request, &theirs] {
        let shown = stage.house.get(&format!("/v1/requests/{id}")).await.body;
        assert_eq!((&shown["state"], &shown["items"][0]["approvals"]), (&json!("waiting"), &json!([])), "{shown}");
    }
}

/// An id of something hidden and an id of nothing get the same answer at every route.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_answered_like_what_is_not() {
    let stage = Stage::set().await;
    let ada = Some(stage.house.token.as_str());
    let code = stage.house.call("POST", "/v1/people", ada, None, json!({ "name": "di" })).await;
    assert_eq!(code.status.as_u16(), 201);
    let code = stage.house.call("POST", "/v1/people/di/enrolment", ada, None, Value::Null).await.body["code"].clone();
    let di = stage.house.enrolled("di", code.as_str().unwrap()).await;
    let nothing = |id: &str| format!("{}_{}", id.split('_').next().unwrap(), "0".repeat(26));
    let mut looked_at = 0;
    for op in ops().into_iter().filter(|op| op.path.contains("{id}")) {
        let there = stage.fill(&op.path);
        let at = op.path.split('/').position(|part| part == "{id}").unwrap();
        let id = there.split('/').nth(at).unwrap();
        let body = if op.takes { stage.body(&op).to_string() } else { String::new() };
        let mut answers = Vec::new();
        for id_of in [id.to_owned(), nothing(id)] {
            let path = there.replace(id, &id_of);
            let said = stage.send(&op.method, &path, &di, JSON, body.clone()).await;
            is_clear(&said, &path);
            answers.push((said.status, said.body.to_string().replace(&id_of, "ID")));
        }
        assert_eq!(answers[0], answers[1], "{op:?}");
        assert!([403, 404].contains(&answers[0].0.as_u16()), "{op:?}: {answers:?}");
        looked_at += 1;
    }
    assert_eq!(looked_at, 24);
    // Names of people, groups, resources, roles and the trail: those who may not read them learn nothing from asking.
    for op in ops().into_iter().filter(|op| op.path.contains('{') && !op.path.contains("{id}")) {
        let mut answers = Vec::new();
        for (name, path) in [
            ("there", stage.fill(&op.path)),
            (
                "not",
                stage
                    .fill(&op.path)
                    .replace("/bo", "/zz")
                    .replace("staff", "zz")
                    .replace("ledger", "zz")
                    .replace("read", "zz")
                    .replace("paper", "zz"),
            ),
        ] {
            let body = if op.takes { stage.body(&op).to_string() } else { String::new() };
            let said = stage.send(&op.method, &path, &di, JSON, body).await;
            let shown = ["bo", "staff", "ledger", "read", "paper", "zz"]
                .iter()
                .fold(said.body["detail"].to_string(), |t, w| t.replace(w, "X"));
            answers.push((name, said.status, shown));
        }
        if op.path.starts_with("/v1/roles") {
            // The kinds are part of the program, and no secret.
            continue;
        }
        assert_eq!((&answers[0].1, &answers[0].2), (&answers[1].1, &answers[1].2), "{op:?}");
    }
    for (there, not) in [
        ("/v1/requests?person=ada", "/v1/requests?person=zz"),
        ("/v1/grants?person=ada", "/v1/grants?person=zz"),
        ("/v1/grants?resource=ledger", "/v1/grants?resource=zz"),
        ("/v1/log?person=ada", "/v1/log?person=zz"),
        ("/v1/log?resource=ledger", "/v1/log?resource=zz"),
    ] {
        let answer = async |path: &str| {
            let said = stage.send("GET", path, &di, JSON, "").await;
            (said.status, said.body.to_string())
        };
        assert_eq!(answer(there).await, answer(not).await, "{there}");
    }
    for (path, field, there) in [
        ("/v1/revoke", "person", "bo"),
        ("/v1/revoke", "resource", "ledger"),
        ("/v1/locks", "person", "bo"),
        ("/v1/locks", "resource", "ledger"),
        ("/v1/requests", "for_person", "bo"),
    ] {
        let mut answers = Vec::new();
        for name in [there, "zz"] {
            let mut body = if path == "/v1/requests" {
                json!({ "items": [{ "resource": "ledger", "role": "read" }], "duration": "5m" })
            } else {
                json!({ "reason": "r" })
            };
            body[field] = json!(name);
            let said = stage.send("POST", path, &di, JSON, body.to_string()).await;
            answers.push((said.status, said.body));
        }
        assert_eq!(answers[0], answers[1], "{path} {field}");
    }
    for (path, body) in [
        ("/v1/requests", json!({ "items": [{ "resource": "NAME", "role": "read" }], "duration": "5m" })),
        ("/v1/why", json!({ "resource": "NAME", "role": "read" })),
        ("/v1/why", json!({ "resource": "NAME" })),
    ] {
        let mut answers = Vec::new();
        for name in ["ledger", "zz"] {
            let said = stage.send("POST", path, &di, JSON, body.to_string().replace("NAME", name)).await;
            answers.push((said.status, said.body.to_string().replace(name, "NAME")));
        }
        assert_eq!(answers[0], answers[1], "{path} {body}");
    }
}
