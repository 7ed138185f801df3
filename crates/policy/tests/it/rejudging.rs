//! What becomes of a grant when the world has changed.

use std::collections::BTreeSet;

use wane_domain::decision::Why;
use wane_domain::id::PersonId;
use wane_domain::terms::{Approvers, Stage};
use wane_domain::time::Span;
use wane_policy::rejudge::{HeldApprovals, Rejudged, rejudge};

use crate::world::{Question, id, load, question};

/// Who is meant: `group:abc` is the people a, b and c; `person:a` is a.
fn meant(stage: &Stage) -> BTreeSet<PersonId> {
    let of = |who: &Approvers| match who {
        Approvers::Group(name) => name.as_str().bytes().map(id::<PersonId>).collect::<Vec<_>>(),
        Approvers::Person(name) => vec![id(name.as_str().as_bytes()[0])],
        Approvers::Manager | Approvers::Owner => Vec::new(),
    };
    stage.approvers.iter().flat_map(of).collect()
}

fn outcome(text: &str, q: &Question, approved: &str) -> String {
    outcome_signed(text, q, approved, approved)
}

/// The same where only some of those who approved signed it.
fn outcome_signed(text: &str, q: &Question, approved: &str, signed: &str) -> String {
    let [approvers, signers] = [approved, signed].map(|who| who.bytes().map(id).collect::<BTreeSet<PersonId>>());
    match rejudge(&load(text), &q.query(), &HeldApprovals { approvers: &approvers, signers: &signers, meant: &meant }) {
        Rejudged::Keep { cap, permit } => {
            assert_eq!(cap, permit.terms().max_ttl);
            format!("{} {cap}", permit.basis().path.as_deref().unwrap())
        }
        Rejudged::Lost(denial) => {
            assert!(!denial.reasons.is_empty());
            denial.reasons.iter().map(Why::to_string).collect::<Vec<_>>().join("; ")
        }
    }
}

fn ask(hours: u64) -> Question {
    let mut q = question("zoe", &["eng"], "deploy", "ssh:web1", &[("env", "prod")]);
    q.duration = Span::from_hours(hours);
    q
}

fn path(id: &str, annotations: &str) -> String {
    format!(
        "@id(\"{id}\") {annotations} permit (principal in Group::\"eng\", action == Action::\"access\", resource);\n"
    )
}

#[test]
fn it_survives_if_what_it_holds_meets_some_path() {
    let check = |stages: &str, approved: &str, expected: bool| {
        let got = outcome(&path("p", &format!("@max_ttl(\"4h\") @approve(\"{stages}\")")), &ask(4), approved);
        assert_eq!(got == "p 4h", expected, "`{stages}` with `{approved}`: {got}");
        if !expected {
            assert_eq!(got, format!("the approvals held no longer meet policy: {stages}"));
        }
    };
    check("1 of group:abc", "a", true);
    check("1 of group:abc", "d", false);
    check("1 of group:abc", "", false);
    check("2 of group:abc", "a", false);
    check("2 of group:abc", "ac", true);
    check("1 of group:abc; then 1 of group:abc", "a", false);
    check("1 of group:abc; then 1 of group:abc", "ab", true);
    // One person counts once, and sits where they are needed: a alone fits the second stage.
    check("1 of group:ab; then 1 of person:a", "ab", true);
    check("1 of group:ab; then 1 of person:a", "bc", false);
    check("1 of group:abc; then 1 of group:ab; then 1 of person:a", "abc", true);
    check("2 of group:abcd; then 2 of group:ab", "abcd", true);
    check("2 of group:abcd; then 2 of group:ab", "acd", false);
    // Who sits somewhere is remembered, and is not asked up for somebody who sits nowhere.
    check("1 of person:a; then 1 of person:b; then 1 of person:c", "abc", true);
    check("1 of person:a; then 1 of person:b; then 1 of person:a", "abc", false);
}

/// A path that asks for none is content with an approval that nobody signed.
#[test]
fn where_signatures_are_asked_for_only_who_signed_has_approved() {
    let lost = "the approvals held no longer meet policy: 2 of group:abc, each signed";
    for (signature, approved, signed, expected) in [
        ("required", "ab", "ab", "p 4h"),
        ("required", "abc", "bc", "p 4h"),
        ("required", "abc", "a", lost),
        ("required", "ab", "", lost),
        ("optional", "ab", "a", "p 4h"),
        ("optional", "ab", "", "p 4h"),
    ] {
        let text = path("p", &format!("@max_ttl(\"4h\") @approve(\"2 of group:abc\") @signature(\"{signature}\")"));
        let got = outcome_signed(&text, &ask(4), approved, signed);
        assert_eq!(got, expected, "{signature}: `{approved}` approved, `{signed}` signed");
    }
}

#[test]
fn its_end_comes_nearer_and_never_further() {
    // A shorter cap shortens; it does not end.
    assert_eq!(outcome(&path("p", "@max_ttl(\"2h\")"), &ask(8), ""), "p 2h");
    // The roomiest path that is met, though another asks less; a wider cap than was granted gains nothing.
    let two = path("self", "@max_ttl(\"1h\")") + &path("seen", "@max_ttl(\"8h\") @approve(\"1 of group:abc\")");
    assert_eq!(outcome(&two, &ask(4), "a"), "seen 8h");
    assert_eq!(outcome(&two, &ask(4), ""), "self 1h");
    assert_eq!(outcome(&two, &ask(1), "a"), "self 1h");
}

#[test]
fn it_is_lost() {
    let open = path("p", "@max_ttl(\"8h\")");
    let mut left = ask(1);
    left.groups.clear();
    assert_eq!(outcome(&open, &left, ""), "no policy gives you this role on this resource");
    let guard =
        open.clone() + "@id(\"g\") @reason(\"frozen\") forbid (principal, action == Action::\"access\", resource);";
    assert_eq!(outcome(&guard, &ask(1), ""), "guardrail `g` forbids it: frozen");
    let floor = open.clone()
        + "@id(\"g\") @reason(\"two eyes\") forbid (principal, action == Action::\"access\", resource) unless { context has terms && context.terms.quorum > 0 };";
    assert_eq!(outcome(&floor, &ask(1), "a"), "guardrail `g` forbids it: two eyes");
    let stale = path("p", "@max_ttl(\"8h\") @step_up(\"30s\")");
    assert_eq!(outcome(&stale, &ask(1), ""), "prove your identity again; the last proof may be 30s old");
    let bare = path("p", "@max_ttl(\"8h\") @ticket(\"required\") @justification(\"required\")");
    assert_eq!(
        outcome(&bare, &ask(1), ""),
        "a justification is needed; say why you need it; a ticket is needed; name the ticket this is for"
    );
    let failing = open
        + "@id(\"f\") forbid (principal, action == Action::\"access\", resource) when { context.duration * 9223372036854775807 > 0 };";
    assert!(outcome(&failing, &ask(1), "").starts_with("policy `f` failed, and doubt is a no"));
}
