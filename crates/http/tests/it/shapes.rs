//! Input of every shape, at every route that the description has: what is not meant to be there is
//! refused, clearly, and leaves nothing behind.

use serde_json::{Value, json};

use crate::stage::{Op, Stage, is_clear, ops};

const JSON: &str = "application/json";
/// What holds fields of a kind's own, or facts of any name.
const FREE: [&str; 5] = ["settings", "definition", "input", "attributes", "labels"];

/// Where a body has objects whose fields are all known.
fn closed(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            out.push(at.clone());
            for (key, value) in map.iter().filter(|(key, _)| !FREE.contains(&key.as_str())) {
                closed(value, format!("{at}/{key}"), out);
            }
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(n, v)| closed(v, format!("{at}/{n}"), out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Refused as unusable, and nothing was written.
async fn refused(stage: &Stage, op: &Op, kind: &str, body: String, allowed: &[u16]) -> Value {
    let (path, head) = (stage.fill(&op.path), stage.head().await);
    let shown: String = body.chars().take(200).collect();
    let said = stage.send(&op.method, &path, &stage.house.token, kind, body).await;
    let what = format!("{} {path} {kind} {shown}", op.method);
    is_clear(&said, &what);
    assert!(allowed.contains(&said.status.as_u16()), "{what}: {said:?}");
    assert_eq!(stage.head().await, head, "{what}: something was written");
    said.body
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_route_knows_every_route_refuses() {
    let stage = Stage::set().await;
    let mut looked_at = 0;
    for op in ops() {
        if op.method == "GET" {
            let op = Op { path: format!("{}?is_admin=true", op.path), ..op };
            // The list that hosts pull is theirs; they ask for it with a token of their own.
            let allowed: &[u16] = if op.path.starts_with("/v1/hosts/") { &[401] } else { &[422] };
            refused(&stage, &op, JSON, String::new(), allowed).await;
            continue;
        }
        let query = Op { path: format!("{}?is_admin=true", op.path), ..op.clone() };
        refused(&stage, &query, JSON, stage.body(&op).to_string(), &[422]).await;
        let base = stage.body(&op);
        let mut objects = Vec::new();
        closed(&base, String::new(), &mut objects);
        for at in objects {
            let mut body = base.clone();
            body.pointer_mut(&at).unwrap()["is_admin"] = json!(true);
            let problem = refused(&stage, &op, JSON, body.to_string(), &[422]).await.to_string();
            assert!(problem.contains("is_admin") || at.ends_with("/owner"), "{op:?}: {problem}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 35, "{looked_at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_twice_is_refused() {
    let stage = Stage::set().await;
    for op in ops().into_iter().filter(|op| op.takes) {
        let base = stage.body(&op);
        for (key, value) in base.as_object().unwrap() {
            let rest = base.to_string();
            let twice = format!("{{{}:{value},{}", json!(key), rest.trim_start_matches('{'));
            refused(&stage, &op, JSON, twice, &[422]).await;
        }
        for facts in FREE.into_iter().filter(|facts| base.get(facts).is_some()) {
            let mut body = base.clone();
            body[facts] = json!("TWICE");
            let body = body.to_string().replace("\"TWICE\"", r#"{"team":"db","team":"hr"}"#);
            let problem = refused(&stage, &op, JSON, body, &[422]).await.to_string();
            assert!(problem.contains("`team` is said twice"), "{op:?}: {problem}");
        }
        if let Some(first) = base.pointer("/items/0") {
            let twice = format!("{{\"role\":\"read\",{}", first.to_string().trim_start_matches('{'));
            let body = base.to_string().replace(&first.to_string(), &twice);
            refused(&stage, &op, JSON, body, &[422]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_body_of_the_route_is_refused() {
    let stage = Stage::set().await;
    let deep = 100_000;
    for op in ops().into_iter().filter(|op| op.method != "GET") {
        let good = stage.body(&op).to_string();
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]
        {
            refused(&stage, &op, kind, good.clone(), &[415]).await;
        }
        for body in
            ["null", "[]", "\"x\"", "0", "true", "{", "{]", "{}}", "{} {}", "\u{feff}{}", "{\"\u{0}\":1}", "NaN"]
        {
            refused(&stage, &op, JSON, body.to_owned(), &[400, 422]).await;
        }
        for body in [
            "[".repeat(deep),
            "{\"a\":".repeat(deep),
            format!("{}{}", "[".repeat(deep), "]".repeat(deep)),
            format!("{{\"a\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
        ] {
            refused(&stage, &op, JSON, body, &[400, 422]).await;
        }
        refused(&stage, &op, JSON, " ".repeat((1 << 20) + 1), &[413]).await;
    }
    // Where a field takes a kind's own JSON, that has a depth too.
    let at = |method: &str, path: &str| Op { method: method.to_owned(), path: path.to_owned(), takes: true };
    for (op, field) in [
        (at("POST", "/v1/resources"), "settings"),
        (at("PATCH", "/v1/resources/{name}"), "settings"),
        (at("POST", "/v1/roles"), "definition"),
        (at("PATCH", "/v1/roles/{kind}/{name}"), "definition"),
        (at("POST", "/v1/grants/{id}/credential"), "input"),
    ] {
        let mut body = stage.body(&op);
        body[field] = json!("DEEP");
        for nest in [("[".repeat(deep), "]".repeat(deep)), ("{\"a\":".repeat(deep), format!("0{}", "}".repeat(deep)))] {
            let body = body.to_string().replace("\"DEEP\"", &format!("{}{}", nest.0, nest.1));
            refused(&stage, &op, JSON, body, &[400, 413, 422]).await;
        }
    }
    // And bytes that are no text.
    for op in ops().into_iter().filter(|op| op.takes) {
        let (path, bytes) = (stage.fill(&op.path), vec![0x7b, 0x22, 0xff, 0x22]);
        let said = stage.send(&op.method, &path, &stage.house.token, JSON, bytes).await;
        assert_eq!(said.status.as_u16(), 400, "{op:?}");
    }
}

/// A header or an address out of all bounds is an error like any other.
#[tokio::test(flavor = "multi_thread")]
async fn paths_and_queries_of_any_sort_are_answered() {
    let stage = Stage::set().await;
    let hostile = [
        "%00",
        "%ff",
        "%2e%2e%2f",
        "..%2f..%2fetc",
        "a%20b",
        "%E2%80%AE",
        "%F0%9F%A6%80",
        "'",
        "%22",
        "a%2Cb",
        "a;b",
        "%25s",
        "%C3%28",
        "BO",
        "bo%20",
        "%EF%BD%82%EF%BD%8F",
        "x%0d%0aSet-Cookie:%20a=b",
    ];
    let long = "x".repeat(9000);
    let head = stage.head().await;
    for op in ops().into_iter().filter(|op| op.path.contains('{')) {
        for value in hostile.iter().copied().chain([long.as_str()]) {
            let mut path = String::new();
            for (n, part) in op.path.split('/').enumerate() {
                let part = if part.starts_with('{') { value } else { part };
                path.push_str(if n > 0 { "/" } else { "" });
                path.push_str(part);
            }
            let body = if op.takes { stage.body(&op).to_string() } else { String::new() };
            let said = stage.send(&op.method, &path, &stage.house.token, JSON, body).await;
            let shown = path.chars().take(60).collect::<String>();
            is_clear(&said, &format!("{} {shown}", op.method));
            assert!([404, 405, 422].contains(&said.status.as_u16()), "{} {shown}: {said:?}", op.method);
        }
    }
    for op in ops().into_iter().filter(|op| op.method == "GET" && !op.path.contains('{')) {
        for query in [
            "cursor=%00",
            "limit=-1",
            "limit=99999999999999999999",
            "limit=1&limit=2",
            "cursor=%ff",
            "=",
            "&&",
            "person=%00",
        ] {
            let path = format!("{}?{query}", op.path);
            let said = stage.send(&op.method, &path, &stage.house.token, JSON, "").await;
            assert!(said.status.is_success() || said.status.is_client_error(), "{path}: {said:?}");
        }
    }
    assert_eq!(stage.head().await, head, "a look that found nothing wrote something");
}
