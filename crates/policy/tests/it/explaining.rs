//! Why, told in full.

use wane_domain::decision::Why;
use wane_domain::time::Span;
use wane_policy::STARTER;
use wane_policy::explain::{Explanation, MOST_OTHERS, Verdict, why};

use crate::world::{Question, load, question};

fn explain(text: &str, q: &Question) -> Explanation {
    why(&load(text), &q.query())
}

fn paths(e: &Explanation) -> Vec<(&str, bool, bool, usize)> {
    e.paths.iter().map(|p| (p.policy.as_str(), p.scope_matches, p.satisfied, p.unmet.len())).collect()
}

#[test]
fn a_refusal_says_what_would_do() {
    let mut q = question("ana", &["engineers"], "readonly", "postgres:orders", &[("env", "prod")]);
    q.duration = Span::from_hours(5);
    let e = explain(STARTER, &q);
    assert!(matches!(&e.verdict, Verdict::Deny { reasons } if matches!(reasons[..], [Why::Forbidden { .. }])));
    assert_eq!(paths(&e), [("prod-databases-readonly", true, true, 2)]);
    assert_eq!(
        e.paths[0].unmet,
        [Why::TooLong { most_micros: Span::from_hours(4).micros() }, Why::JustificationNeeded]
    );
    assert_eq!(
        e.paths[0].description.as_deref(),
        Some("engineers read production databases once the owner or a DBA has agreed")
    );
    assert_eq!(e.forbids.len(), 1);
    assert_eq!((e.forbids[0].policy.as_str(), e.forbids[0].to_path.as_deref()), ("prod-at-most-4h", None));
    // Another role: the path is there, its condition does not hold.
    q.role.name = "owner".parse().unwrap();
    q.duration = Span::from_hours(1);
    let e = explain(STARTER, &q);
    assert_eq!(e.verdict, Verdict::Deny { reasons: vec![Why::NoPath] });
    assert_eq!(paths(&e), [("prod-databases-readonly", true, false, 1)]);
}

#[test]
fn a_stranger_sees_whose_path_it_is() {
    let q = question("eve", &[], "deploy", "ssh:web1", &[("env", "staging")]);
    let e = explain(STARTER, &q);
    assert_eq!(paths(&e), [("engineers-on-staging", false, false, 0)]);
    let many: String = (0..50)
        .map(|i| format!("@id(\"p{i}\") @max_ttl(\"1h\") permit (principal in Group::\"g{i}\", action == Action::\"access\", resource);\n"))
        .collect();
    assert_eq!(explain(&many, &q).paths.len(), MOST_OTHERS);
}

#[test]
fn a_yes_says_by_which_path_and_what_else_there_was() {
    let text = "@id(\"self\") @max_ttl(\"1h\") permit (principal, action == Action::\"access\", resource);
@id(\"seen\") @max_ttl(\"8h\") @approve(\"1 of owner\") permit (principal, action == Action::\"access\", resource);
@id(\"floor\") forbid (principal, action == Action::\"access\", resource) unless { context has terms && context.terms.quorum > 0 };";
    let q = question("ana", &[], "deploy", "ssh:web1", &[]);
    let e = explain(text, &q);
    assert!(matches!(&e.verdict, Verdict::Permit { path, terms } if path == "seen" && terms.stages.len() == 1));
    assert_eq!(e.basis.path.as_deref(), Some("seen"));
    assert_eq!(paths(&e), [("self", true, true, 0), ("seen", true, true, 0)]);
    assert_eq!((e.forbids[0].policy.as_str(), e.forbids[0].to_path.as_deref()), ("floor", Some("self")));
    assert_eq!(e.forbids.len(), 1);
    assert_eq!((e.candidates, e.of), (3, 3));
}
