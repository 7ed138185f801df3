//! A policy that cannot see the terms of a path is asked once. Here everybody is also asked twice.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wane_domain::decision::{Decision, Denial, Why};
use wane_domain::id::PersonId;
use wane_domain::terms::{Stage, Terms};
use wane_policy::judge::judge;
use wane_policy::rejudge::{HeldApprovals, Rejudged, rejudge};
use wane_policy::set::PolicySet;

use crate::slice::{asked, policy};
use crate::world::{Question, load};

/// A path with terms of its own, or what there was.
fn with_terms(policy: String, sort: usize) -> String {
    let terms = ["", "@recording(\"required\") ", "@mode(\"brokered\") ", "@step_up(\"1h\") "];
    let terms = terms.get(sort).copied().unwrap_or_default();
    if policy.starts_with("@max_ttl") { format!("{terms}{policy}") } else { policy }
}

/// The same policy, that takes the context whole to no effect: it has to be asked again.
fn seeing(policy: &str) -> String {
    policy.replace(';', " when { context == context };")
}

fn named(policies: &[String], each: impl Fn(&str) -> String) -> PolicySet {
    let text = policies.iter().enumerate().map(|(i, p)| format!("@id(\"p{i:02}\") {}\n", each(p)));
    load(&text.collect::<String>())
}

/// What an answer comes to: the path and its terms, or which policies failed. What else is said of a no
/// depends on when a guardrail is heard.
type Came = Result<(String, Terms), BTreeSet<String>>;

fn no(denial: &Denial) -> Came {
    let failed = denial.reasons.iter().filter_map(|why| match why {
        Why::PolicyError { policy, .. } => Some(policy.clone()),
        _ => None,
    });
    Err(failed.collect())
}

fn came(set: &PolicySet, q: &Question) -> [Came; 2] {
    let yes = |permit: &wane_domain::decision::Permit| {
        Ok((permit.basis().path.clone().unwrap_or_default(), permit.terms().clone()))
    };
    let judged = match judge(set, &q.query()) {
        Decision::Permit(permit) => yes(&permit),
        Decision::Deny(denial) => no(&denial),
    };
    let (approvers, nobody) = (BTreeSet::new(), |_: &Stage| BTreeSet::<PersonId>::new());
    let again =
        match rejudge(set, &q.query(), &HeldApprovals { approvers: &approvers, signers: &approvers, meant: &nobody }) {
            Rejudged::Keep { permit, .. } => yes(&permit),
            Rejudged::Lost(denial) => no(&denial),
        };
    [judged, again]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn asked_once_or_twice_the_answer_is_the_same(
        policies in proptest::collection::vec((policy(), 0..4usize).prop_map(|(p, sort)| with_terms(p, sort)), 0..12),
        questions in proptest::collection::vec(asked(), 10),
    ) {
        let once = named(&policies, str::to_owned);
        let twice = named(&policies, seeing);
        for q in &questions {
            prop_assert_eq!(came(&once, q), came(&twice, q), "{:#?}", policies);
        }
    }
}
