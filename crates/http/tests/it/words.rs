//! Hostile words in every field that takes words: a name is a name or nothing, a length of time is one,
//! and whatever is refused leaves nothing behind.

use serde_json::{Value, json};

use crate::stage::{Op, Stage, is_clear, ops};

const JSON: &str = "application/json";

/// Words that are meant as something else than themselves somewhere.
fn hostile() -> Vec<String> {
    let mut out: Vec<String> = [
        "",
        " ",
        "'",
        "\"",
        "\\",
        "`",
        "$$",
        "$(id)",
        "`id`",
        "{{7*7}}",
        "%s%n",
        "a,b",
        "a;b",
        "a|b",
        "a/b",
        "../..",
        "a\0b",
        "a\nb",
        "a\r\nX: y",
        "a\tb",
        "\u{1b}[2J",
        "\u{202e}nimda",
        "\u{200b}ada",
        "ada\u{200d}",
        "\u{feff}ada",
        " ada",
        "ada ",
        "a da",
        "Ada",
        "ADA",
        "аda",
        "ａｄａ",
        "ada\u{301}",
        "\u{1d41}da",
        "ﬁ",
        "İstanbul",
        "ß",
        "null",
        "true",
        "0",
        "-1",
        "1e999",
        "<script>",
        "x\"; drop schema public; --",
        "' or 1=1 --",
        "Group::\"admins\"",
        "*",
        "root,backup",
        "per_00000000000000000000000000",
        "__proto__",
        "constructor",
        "-ada",
        ".ada",
        "_ada",
        "a@b@c",
        "\u{10ffff}",
        "\u{e000}",
        "🦀",
    ]
    .map(str::to_owned)
    .into();
    out.extend([
        "é".repeat(40),
        "🦀".repeat(20),
        "a".repeat(64),
        "a".repeat(129),
        "a".repeat(257),
        "a".repeat(4097),
        "é".repeat(5000),
    ]);
    out
}

/// Where a body has words, and where it has names that somebody chose for facts.
fn leaves(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| leaves(v, format!("{at}/{k}"), out)),
        Value::Array(list) => list.iter().enumerate().for_each(|(n, v)| leaves(v, format!("{at}/{n}"), out)),
        Value::String(_) => out.push(at),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What of a route's answer to hostile words stays behind: nothing, unless it took them.
async fn answered(stage: &Stage, op: &Op, body: &Value, what: &str) {
    // Failed sign-ins are written down, jobs that nobody let in among them, and whom somebody wanted to stand in who is nobody; that is what they leave.
    let audited = ["/v1/sessions", "/v1/sessions/proof", "/v1/delegations", "/v1/jobs"].contains(&op.path.as_str());
    let head = stage.head().await;
    let said = stage.send(&op.method, &stage.fill(&op.path), &stage.house.token, JSON, body.to_string()).await;
    if said.status.is_success() {
        return;
    }
    is_clear(&said, what);
    if !audited {
        assert_eq!(stage.head().await, head, "{what}: {said:?} and something was written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_words_break_nothing_in_any_field() {
    let stage = Stage::set().await;
    let mut fields = 0;
    for op in ops().into_iter().filter(|op| op.takes) {
        let base = stage.body(&op);
        let mut at = Vec::new();
        leaves(&base, String::new(), &mut at);
        for leaf in at {
            fields += 1;
            for word in hostile() {
                let mut body = base.clone();
                *body.pointer_mut(&leaf).unwrap() = json!(word);
                let shown = word.chars().take(40).collect::<String>();
                answered(&stage, &op, &body, &format!("{} {} {leaf} {shown:?}", op.method, op.path)).await;
            }
            for other in
                [json!(null), json!(7), json!(-1), json!(1e300), json!(true), json!([]), json!({}), json!([{}])]
            {
                let mut body = base.clone();
                *body.pointer_mut(&leaf).unwrap() = other.clone();
                answered(&stage, &op, &body, &format!("{} {} {leaf} {other}", op.method, op.path)).await;
            }
        }
        for facts in ["attributes", "labels"].into_iter().filter(|facts| base.get(facts).is_some()) {
            for word in hostile() {
                let mut body = base.clone();
                body[facts] = json!({ word.as_str(): "x" });
                answered(&stage, &op, &body, &format!("{} {} {facts} {word:?}", op.method, op.path)).await;
            }
        }
    }
    assert!(fields > 50, "{fields}");
    // And it works as before.
    for path in ["/v1/people", "/v1/groups", "/v1/resources", "/v1/roles", "/v1/requests", "/v1/log?limit=1000"] {
        assert_eq!(stage.house.get(path).await.status, 200, "{path}");
    }
}

/// Wherever something gets its name, one spelling is a name and everything else is refused for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_a_name_or_nothing() {
    let stage = Stage::set().await;
    let is_name = |word: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        (1..=63).contains(&word.len())
            && word.starts_with(plain)
            && word.chars().all(|c| plain(c) || ['.', '_', '-'].contains(&c))
    };
    let each_byte = (0..=255u8).flat_map(|b| [format!("n{}", char::from(b)), format!("{}n", char::from(b))]);
    let words: Vec<String> = hostile().into_iter().chain(each_byte).collect();
    for (path, key) in [
        ("/v1/people", "name"),
        ("/v1/groups", "name"),
        ("/v1/resources", "name"),
        ("/v1/roles", "name"),
        ("/v1/people", "attributes"),
        ("/v1/resources", "labels"),
    ] {
        let op = Op { method: "POST".to_owned(), path: path.to_owned(), takes: true };
        let (mut taken, mut refused) = (0, 0);
        for (n, word) in words.iter().enumerate() {
            let mut body = stage.body(&op);
            // A name of its own, so that only the word in question decides.
            body["name"] = json!(format!("n{}-{n}-{key}", path.len()));
            body[key] = if key == "name" { json!(word) } else { json!({ word.as_str(): "x" }) };
            let head = stage.head().await;
            let said = stage.send("POST", path, &stage.house.token, JSON, body.to_string()).await;
            let what = format!("{path} {key} {word:?}: {said:?}");
            if is_name(word) {
                // The same name twice among the words is taken once.
                assert!([201, 409].contains(&said.status.as_u16()), "{what}");
                taken += 1;
            } else {
                assert_eq!(said.status.as_u16(), 422, "{what}");
                assert!(said.body["detail"].as_str().unwrap().contains("is not a name: use 1 to 63 of"), "{what}");
                assert_eq!(stage.head().await, head, "{what}");
                refused += 1;
            }
        }
        assert!(taken > 70 && refused > 400, "{taken} {refused}");
    }
}

/// Reasons, tickets and lines: plain text within a bound.
#[tokio::test(flavor = "multi_thread")]
async fn text_is_plain_and_has_a_bound() {
    let stage = Stage::set().await;
    let at = |method: &str, path: &str| Op { method: method.to_owned(), path: path.to_owned(), takes: true };
    let ask = at("POST", "/v1/requests");
    for (op, field, most, lines) in [
        (ask.clone(), "reason", 4096, true),
        (ask.clone(), "ticket", 128, false),
        (at("POST", "/v1/requests/{id}/deny"), "reason", 4096, true),
        (at("POST", "/v1/grants/{id}/extend"), "reason", 4096, true),
        (at("POST", "/v1/grants/{id}/deny"), "reason", 4096, true),
        (at("POST", "/v1/revoke"), "reason", 4096, true),
        (at("POST", "/v1/locks"), "reason", 4096, true),
        (at("PATCH", "/v1/people/{name}"), "display", 256, false),
        (at("POST", "/v1/groups"), "description", 256, false),
        (at("PATCH", "/v1/roles/{kind}/{name}"), "description", 256, false),
    ] {
        let mut bad = vec!["x".repeat(most + 1), "é".repeat(most / 2 + 1)];
        bad.extend(
            ["a\0b", "a\u{202e}b", "a\u{2066}b", "a\u{200b}b", "a\u{feff}b", "a\u{1b}b", "a\u{85}b"].map(str::to_owned),
        );
        if !lines {
            bad.push("a\nb".to_owned());
        }
        if ["reason", "ticket"].contains(&field) {
            bad.extend(["", "   ", "\u{3000}"].map(str::to_owned));
        }
        for word in bad {
            let mut body = stage.body(&op);
            body[field] = json!(word);
            let head = stage.head().await;
            let said = stage.send(&op.method, &stage.fill(&op.path), &stage.house.token, JSON, body.to_string()).await;
            let shown: String = word.chars().take(20).collect();
            assert_eq!(said.status.as_u16(), 422, "{op:?} {field} {shown:?}: {said:?}");
            assert_eq!(said.body["fields"][0]["field"], field, "{said:?}");
            assert_eq!(stage.head().await, head);
        }
    }
}

/// Lengths of time and moments that are none, are over, or are out of all bounds.
#[tokio::test(flavor = "multi_thread")]
async fn times_are_checked_before_anything() {
    let stage = Stage::set().await;
    let at = |path: &str| Op { method: "POST".to_owned(), path: path.to_owned(), takes: true };
    let spans = [
        "",
        "0",
        "0s",
        "-1h",
        "-0s",
        "PT-2H",
        "1",
        "h",
        "1x",
        "99999999999999999999h",
        "9223372036854775807s",
        "1e3s",
        "1.5",
        "NaN",
        "∞",
        "1h ago",
        "1 fortnight",
        "PT",
        "P",
        "PT0S",
        "1us2",
        "１h",
        "0x10s",
        "1h\0",
    ];
    for path in ["/v1/requests", "/v1/requests/{id}/approve", "/v1/grants/{id}/extend", "/v1/why"] {
        for span in spans {
            let mut body = stage.body(&at(path));
            body["duration"] = json!(span);
            let head = stage.head().await;
            let said = stage.send("POST", &stage.fill(path), &stage.house.token, JSON, body.to_string()).await;
            assert_eq!(said.status.as_u16(), 422, "{path} {span:?}: {said:?}");
            assert_eq!(stage.head().await, head, "{path} {span:?}");
        }
    }
    for (span, start) in [
        ("367d", "2026-11-22T09:00:00Z"),
        ("10000d", "2026-11-22T09:00:00Z"),
        ("1h", "2026-11-21T08:00:00Z"),
        ("1h", "1970-01-01T00:00:00Z"),
        ("1h", "-009999-01-02T01:59:59Z"),
        ("1h", "9999-12-30T22:00:00Z"),
        ("1h", "2028-01-01T00:00:00Z"),
        ("1h", "2026-13-01T00:00:00Z"),
        ("1h", "2026-02-30T00:00:00Z"),
        ("1h", "2026-11-22T25:00:00Z"),
        ("1h", "2026-11-22"),
        ("1h", "tomorrow"),
        ("1h", "1795255200"),
        ("1h", ""),
    ] {
        let mut body = stage.body(&at("/v1/requests"));
        (body["duration"], body["start"]) = (json!(span), json!(start));
        let head = stage.head().await;
        let said = stage.send("POST", "/v1/requests", &stage.house.token, JSON, body.to_string()).await;
        assert_eq!(said.status.as_u16(), 422, "{span} from {start}: {said:?}");
        assert_eq!(stage.head().await, head, "{span} from {start}");
    }
}
