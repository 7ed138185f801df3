//! Places and values: one spelling, and a value that stays one value wherever it stands.

use proptest::prelude::*;
use serde_json::json;
use url::Url;

use super::*;
use crate::document::Node;

const ALL: &[Sort] =
    &[Sort::Name, Sort::Id, Sort::Secret, Sort::Whose, Sort::End, Sort::Parameter, Sort::Role, Sort::Answer];

fn piece() -> Piece {
    let now = Time::from_micros(1_796_000_000_500_000);
    Piece {
        name: "wane_x".to_owned(),
        grant: "grt_x".to_owned(),
        lease: "lse_x".to_owned(),
        resource: "mq".to_owned(),
        end: now.plus(Span::from_mins(10)),
        now,
    }
}

#[test]
fn a_text_is_read_strictly_and_has_one_spelling() {
    for (text, problem) in [
        ("plain", None),
        ("{name}", None),
        ("a{name}b{parameters.x}", None),
        ("{{name}}", None),
        ("{answer/data/0/key}", None),
        ("{nam}", Some("does not stand here")),
        ("{}", Some("does not stand here")),
        ("{role.X}", Some("does not stand here")),
        ("{name", Some("do not go together")),
        ("name}", Some("do not go together")),
    ] {
        let read = Text::read("it", text, ALL);
        match problem {
            None => assert_eq!(read.unwrap().written(), text),
            Some(word) => assert!(read.unwrap_err().why.contains(word), "{text}"),
        }
    }
    assert!(Text::read("it", "{secret}", &[Sort::Name]).is_err());
    for path in ["users", "/a//b", "/a?b", "/a b", "/../b", "/a/..", "/./a", "/a#b", "/a\\b"] {
        assert!(Text::read_path("it", path, ALL).is_err(), "{path}");
    }
}

#[test]
fn the_end_is_written_as_targets_want_it() {
    let piece = piece();
    let none = Map::new();
    let values = Values { piece: Some(&piece), ..Values::of(&none) };
    for (word, value) in [
        ("{end.time}", json!("2026-11-30T01:03:20Z")),
        ("{end.next_day}", json!("2026-12-01")),
        ("{end.unix}", json!(1_796_000_600)),
        ("{end.millis}", json!(1_796_000_600_500_i64)),
        ("{end.in_seconds}", json!(600)),
        ("{end.in_seconds}s", json!("600s")),
        ("{end.in_days}", json!(1)),
    ] {
        assert_eq!(Text::read("it", word, ALL).unwrap().json(&values).unwrap(), value, "{word}");
    }
}

#[test]
fn a_value_in_a_path_is_one_segment() {
    let path = Text::read_path("it", "/hosts/{role.v}/users/.{role.w}", ALL).unwrap();
    let filled = |v: &str, w: &str| {
        let (none, role) = (Map::new(), json!({ "v": v, "w": w }));
        path.path(&Values { role: role.as_object(), ..Values::of(&none) })
    };
    assert_eq!(filled("/", "x").unwrap(), "/hosts/%2F/users/.x");
    assert_eq!(filled("%2e%2e", "x").unwrap(), "/hosts/%252e%252e/users/.x");
    for (v, w) in [("..", "x"), (".", "x"), ("", "x"), ("a", ".")] {
        assert!(filled(v, w).is_err(), "{v:?} {w:?}");
    }
}

proptest! {
    /// Whatever a value is, what was declared around it stays as it was.
    #[test]
    fn a_value_stays_one_value(value in any::<String>()) {
        let (none, role) = (Map::new(), json!({ "v": value }));
        let values = Values { role: role.as_object(), ..Values::of(&none) };
        let body = Node::read("it", &json!({ "a": ["{role.v}", "x{role.v}y"], "b": 1 }), ALL).unwrap();
        let sent = serde_json::to_vec(&body.fill(&values).unwrap()).unwrap();
        let read: Value = serde_json::from_slice(&sent).unwrap();
        prop_assert_eq!(read, json!({ "a": [value, format!("x{value}y")], "b": 1 }));
        if let Ok(path) = Text::read_path("it", "/a/{role.v}/z", ALL).unwrap().path(&values) {
            let url = Url::parse(&format!("https://h.example{path}")).unwrap();
            prop_assert_eq!(url.path(), &path);
            prop_assert_eq!(url.query(), None);
            prop_assert_eq!(url.host_str(), Some("h.example"));
            let parts: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(parts.len(), 3);
            let back = percent_encoding::percent_decode_str(parts[1]).decode_utf8().unwrap();
            prop_assert_eq!(back, value);
        }
    }
}
