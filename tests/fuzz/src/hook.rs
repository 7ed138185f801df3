//! What people declare about targets, what stands in a URL of one, and what a receiver or program of one's own answers.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use wane_kind_hook::{fuzzed, templates};

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use wane_kind_hook::templates;

    use crate::draw::texts;

    pub(crate) fn hook_settings() -> Vec<Vec<u8>> {
        let examples = templates().iter().map(|template| template.example().unwrap().0);
        let whole = examples.clone().map(|example| wane_kind_hook::fuzzed::settings(&example).unwrap());
        let own = serde_json::json!({
            "of": "acl", "hands_out": "a user", "program": "redis-acl", "residual": { "logins_secs": 1 },
            "calls": ["create", "revoke", "inventory"], "secret": "generated",
        });
        examples.chain(whole).chain([own]).map(|value| value.to_string().into_bytes()).collect()
    }

    pub(crate) fn hook_path() -> Vec<Vec<u8>> {
        texts(&["a", "/", "..", "%2e%2e", "a?b#c", "\u{202e}x", "a b", ".", "@host", "\\"])
    }

    pub(crate) fn hook_answer() -> Vec<Vec<u8>> {
        texts(&[
            r#"{"id":"7","secret":"s","shows":{"user":"x"}}"#,
            r#"{"absent":true,"seen":"not in the table"}"#,
            r#"{"items":[{"name":"wane_x","id":"7"}],"next":"2"}"#,
            "{}",
        ])
    }
}

/// What is taken has one normal form, which is taken as itself, and never needs its template again.
pub(crate) fn hook_settings(data: &[u8]) {
    let Ok(given) = serde_json::from_slice::<Value>(data) else { return };
    if let Ok(normal) = fuzzed::settings(&given) {
        assert_eq!(fuzzed::settings(&normal).as_ref(), Ok(&normal));
        assert!(normal.get("template").is_none() && normal.get("of").is_some());
    }
    if let Ok(normal) = fuzzed::role(&given) {
        assert_eq!(fuzzed::role(&normal).as_ref(), Ok(&normal));
    }
    assert!(templates().len() >= 12);
}

/// A value in a path is one segment of it, and the URL is the one that was declared.
pub(crate) fn hook_path(data: &[u8]) {
    let value = String::from_utf8_lossy(data);
    let Ok(url) = fuzzed::path(&value) else { return };
    assert_eq!((url.host_str(), url.query(), url.fragment()), (Some("target.example"), None, None));
    let parts: Vec<&str> = url.path().split('/').collect();
    let [_, "a", part, "z"] = parts.as_slice() else { panic!("{url}") };
    assert_eq!(percent_decode_str(part).decode_utf8().unwrap(), value);
}

/// Of what is answered to one call nothing counts as the answer to another, but that nothing was to be said.
pub(crate) fn hook_answer(data: &[u8]) {
    let calls = ["create", "revoke", "verify_absent", "inventory", "extend"];
    let taken: Vec<&str> = calls.into_iter().filter(|call| fuzzed::answers(call, data)).collect();
    assert!(!(taken.contains(&"verify_absent") && taken.len() > 1), "{taken:?}");
    assert!(!(taken.contains(&"inventory") && taken.len() > 1), "{taken:?}");
}
