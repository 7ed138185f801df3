//! Text from outside stays text.

use std::str::FromStr;

use proptest::prelude::*;
use wane_domain::decision::Decision;
use wane_domain::text::{Line, Name};
use wane_policy::judge::judge;

use crate::world::{line, load, name, problems, question, shown};

const LABELLED: &str = "@id(\"a\") @max_ttl(\"8h\") permit (principal, action == Action::\"access\", resource in Label::\"env=prod\");
@id(\"b\") @max_ttl(\"8h\") permit (principal, action == Action::\"access\", resource) when { resource.hasTag(\"env\") && resource.getTag(\"env\") == \"prod\" };
@id(\"c\") @max_ttl(\"8h\") permit (principal, action == Action::\"access\", resource) when { principal.hasTag(\"team\") && principal.getTag(\"team\") == \"red\" };";

fn permitted(env: Line, team: Line, more: Line) -> bool {
    let mut q = question("ana", &[], "deploy", "ssh:one", &[]);
    q.resource.labels.insert(name("env"), env);
    q.resource.labels.insert(name("other"), more);
    q.person.attributes.insert(name("team"), team);
    static SET: std::sync::OnceLock<wane_policy::set::PolicySet> = std::sync::OnceLock::new();
    matches!(judge(SET.get_or_init(|| load(LABELLED)), &q.query()), Decision::Permit(_))
}

#[test]
fn hostile_text_stays_text() {
    for value in [
        "prod\"",
        "prod\" || true || \"",
        "prod\\",
        "Prod",
        " prod",
        "prod,env=prod",
        "x=prod",
        "*",
        "${env}",
        "__entity",
        "pro\u{0064}\u{0301}",
        "{\"__entity\":{\"type\":\"Label\",\"id\":\"env=prod\"}}",
        "__extn",
    ] {
        assert!(!permitted(line(value), line(value), line("env=prod")), "{value}");
    }
    assert!(permitted(line("prod"), line("x"), line("x")));
    assert!(permitted(line("x"), line("red"), line("x")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Whatever a label's or an attribute's value is, it matches itself and nothing else.
    #[test]
    fn any_value_is_itself_alone(value in ".{0,40}", other in ".{0,40}") {
        let (Ok(value), Ok(other)) = (Line::from_str(&value), Line::from_str(&other)) else { return Ok(()) };
        let expected = value.as_str() == "prod" || other.as_str() == "red";
        prop_assert_eq!(permitted(value, other, line("x")), expected);
    }
}

/// Of all 256 bytes, only those of a name make one, so none with a meaning in a policy gets that far.
#[test]
fn no_byte_with_a_meaning_is_in_a_name() {
    for byte in 0..=255u8 {
        let text = String::from_utf8_lossy(&[b'a', byte, b'a']).into_owned();
        let plain = byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
        assert_eq!(text.parse::<Name>().is_ok(), plain, "{byte:#x}");
    }
}

/// Whoever reads a policy piles up what is nested in it, and its conditions: without end, they are refused before.
#[test]
fn what_is_piled_up_without_end_is_refused_and_brings_nobody_down() {
    let many = |part: &str| part.repeat(50_000);
    for (what, condition) in [
        ("brackets", format!("{}true{}", many("("), many(")"))),
        // To whom reads it the comment ends there.
        ("brackets behind a carriage return", format!("true && // \r {}true{}", many("("), many(")"))),
        ("conditions", format!("principal in principal{}", many(" } when { principal in principal"))),
        ("exceptions", format!("principal in principal{}", many(" } unless { principal in principal"))),
    ] {
        let text = format!(
            "@id(\"x\") @max_ttl(\"1h\") permit (principal, action == Action::\"access\", resource) when {{ {condition} }};"
        );
        let said = shown(&problems(&text));
        assert!(said.starts_with("line 1: a policy goes too deep here"), "{what}: {said:.300}");
    }
}
