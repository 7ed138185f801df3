//! The laws of a request: what was asked stays as it was asked; nobody approves for themselves; one
//! person counts once.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use wane_domain::id::{RequestId, ResourceId, RoleId};
use wane_domain::request::{AccessRequest, Ask, ItemEvent, ItemState, MOST_ITEMS, Opening, Start};
use wane_domain::time::Span;
use wane_domain::workload::{JobAsks, JobClaims};

use crate::digest::{change, panic_at, walk};
use crate::fixtures::{HOLDER, REQUESTER, T0, approval, as_json, ask, id, item, person, request, terms};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_approves_for_themselves(
        quorums in proptest::collection::vec(1..4u16, 1..4),
        yes in proptest::collection::vec((1..8u8, 0..4u16), 0..40),
    ) {
        let mut r = request(&quorums);
        let frozen = (r.ask.clone(), r.digest);
        for (who, stage) in yes {
            if let Ok((next, _)) = r.clone().apply(0, approval(&r, who, stage), T0) {
                prop_assert!(who != REQUESTER && who != HOLDER);
                r = next;
            }
        }
        prop_assert_eq!(frozen, (r.ask.clone(), r.digest));
    }

    #[test]
    fn one_person_counts_once(
        quorums in proptest::collection::vec(1..4u16, 1..4),
        yes in proptest::collection::vec((3..12u8, 0..4u16), 0..60),
    ) {
        let mut r = request(&quorums);
        for (who, stage) in yes {
            if let Ok((next, _)) = r.clone().apply(0, approval(&r, who, stage), T0) {
                r = next;
            }
        }
        let item = &r.items[0];
        let people: BTreeSet<_> = item.approvals.iter().map(|a| a.approver).collect();
        prop_assert_eq!(people.len(), item.approvals.len(), "somebody counted twice");
        // Approved exactly when each stage has its number of different people.
        let full = quorums.iter().zip(0u16..).all(|(quorum, stage)| item.approvals_at(stage) == usize::from(*quorum));
        prop_assert_eq!(matches!(item.state, ItemState::Approved { .. }), full);
        // No stage was begun before the one ahead of it was full.
        prop_assert!(item.approvals.windows(2).all(|pair| pair[0].stage <= pair[1].stage));
    }

    /// Nothing wider is ever within: each part of the narrower ask is checked against the wider.
    #[test]
    fn is_within_never_holds_for_something_wider(
        mine in (1..200u64, proptest::option::of(0..100u64), proptest::collection::vec((20..24u8, 30..33u8), 0..4)),
        theirs in (1..200u64, proptest::option::of(0..100u64), proptest::collection::vec((20..24u8, 30..33u8), 0..4)),
        narrower in any::<bool>(),
        same_people in any::<bool>(),
    ) {
        let build = |(minutes, start, items): &(u64, Option<u64>, Vec<(u8, u8)>)| Ask {
            items: items
                .iter()
                .map(|(resource, role)| {
                    let mut asked = item();
                    asked.resource = id::<ResourceId>(*resource);
                    asked.role = id::<RoleId>(*role);
                    asked
                })
                .collect(),
            ..ask(Span::from_mins(*minutes), start.map_or(Start::Now, |m| Start::At(T0.plus(Span::from_mins(m)))), None)
        };
        let (mut a, b) = (build(&mine), build(&theirs));
        if !same_people {
            a.beneficiary = person(77);
        }
        // Role 30 is narrower than every other, if roles may be narrower at all.
        let role_within = |mine: &wane_domain::request::AskItem, _: &wane_domain::request::AskItem| narrower && mine.role == id::<RoleId>(30);
        let within = a.is_within(&b, role_within);
        prop_assert!(a.items.is_empty() || a.is_within(&a, |_, _| false), "an ask is within itself");
        if within {
            prop_assert!(same_people && a.duration <= b.duration && !a.items.is_empty());
            for want in &a.items {
                prop_assert!(b.items.iter().any(|have| have.resource == want.resource
                    && (have.role == want.role || (narrower && want.role == id::<RoleId>(30)))));
            }
            match (a.start, b.start) {
                (Start::At(mine), Start::At(theirs)) => {
                    prop_assert!(mine >= theirs && mine.plus(a.duration) <= theirs.plus(b.duration));
                }
                (mine, theirs) => prop_assert_eq!(mine, theirs),
            }
        }
    }
}

#[test]
fn an_item_yields_one_grant() {
    let r = request(&[]);
    assert_eq!(r.state_name(), "approved");
    let (minted, _) = r.clone().mint_from(0, id(40)).unwrap();
    assert!(minted.clone().mint_from(0, id(41)).is_err());
    assert!(minted.apply(0, ItemEvent::Deny { by: None, instead_of: None, reason: "late".to_owned() }, T0).is_err());
    assert!(request(&[1]).mint_from(0, id(40)).is_err(), "a waiting item yielded a grant");
    assert!(r.clone().mint_from(1, id(40)).is_err());
    assert!(r.apply(7, ItemEvent::Lapse, T0).is_err());
}

#[test]
fn a_request_has_one_to_thirty_two_items_and_as_many_answers() {
    let open = |items: usize, answers: usize| {
        let asked = Ask { items: vec![item(); items], ..ask(Span::from_hours(1), Start::Now, None) };
        let answers = vec![Opening::Denied { reason: "no".to_owned() }; answers];
        AccessRequest::open(id::<RequestId>(30), asked, answers, T0, T0).is_ok()
    };
    assert!(open(1, 1) && open(MOST_ITEMS, MOST_ITEMS));
    assert!(!open(0, 0) && !open(MOST_ITEMS + 1, MOST_ITEMS + 1) && !open(2, 1) && !open(1, 2));
}

/// Whatever of the ask is changed once it is approved, nothing comes of it; so with the digest of an approval.
#[test]
fn what_was_changed_after_it_was_approved_yields_nothing() {
    let (approved, _) = request(&[1]).apply(0, approval(&request(&[1]), 5, 0), T0).unwrap();
    approved.clone().mint_from(0, id(40)).unwrap();
    let whole = as_json(&approved);
    let mut leaves = Vec::new();
    walk(&whole["ask"], "/ask".to_owned(), &mut leaves);
    leaves.extend(["/digest".to_owned(), "/items/0/approvals/0/digest".to_owned()]);
    assert!(leaves.len() >= 11, "{leaves:?}");
    for leaf in leaves {
        let mut changed = whole.clone();
        change(changed.pointer_mut(&leaf).unwrap());
        let data = serde_json::from_value(changed).unwrap_or_else(|e| panic_at(&leaf, &e));
        let minted = wane_domain::stored::request(data).mint_from(0, id(40));
        assert!(minted.is_err(), "{leaf} was changed, and it was minted");
    }
}

/// One word for the whole: waiting while any item waits, the word they share, or mixed.
#[test]
fn a_request_waits_while_any_item_does() {
    let two = Ask { items: vec![item(), item()], ..ask(Span::from_hours(1), Start::Now, None) };
    let path = || Opening::Path { terms: terms(Span::from_hours(8), &[1]), path: "path".to_owned() };
    let (r, _) =
        AccessRequest::open(id::<RequestId>(30), two, vec![path(), path()], T0, T0.plus(Span::from_hours(1))).unwrap();
    let deny = |r: AccessRequest, at| {
        r.apply(at, ItemEvent::Deny { by: None, instead_of: None, reason: "no".to_owned() }, T0).unwrap().0
    };
    assert_eq!((r.is_waiting(), r.state_name()), (true, "waiting"));
    let one = deny(r.clone(), 0);
    assert_eq!((one.is_waiting(), one.state_name()), (true, "waiting"));
    let none = deny(one.clone(), 1);
    assert_eq!((none.is_waiting(), none.state_name()), (false, "denied"));
    let yes = approval(&one, 11, 0);
    let mixed = one.apply(1, yes, T0).unwrap().0;
    assert_eq!((mixed.is_waiting(), mixed.state_name()), (false, "mixed"));
}

#[test]
fn the_record_of_an_ask_says_what_policy_answered() {
    let asked = ask(Span::from_hours(2), Start::Now, None);
    let path = |quorums: &[u16]| Opening::Path { terms: terms(Span::from_hours(8), quorums), path: "night".to_owned() };
    for (answer, said) in [
        (path(&[1]), json!({ "state": "waiting", "path": "night" })),
        (path(&[]), json!({ "state": "approved", "path": "night" })),
        (
            Opening::Denied { reason: "no path".to_owned() },
            json!({ "state": "denied", "path": null, "reason": "no path" }),
        ),
    ] {
        let (_, fact) = AccessRequest::open(id::<RequestId>(30), asked.clone(), vec![answer], T0, T0).unwrap();
        assert_eq!(fact.detail["items"], json!([said]));
    }
}

/// Less than was asked is asked by and for whom it was, in the job it was.
#[test]
fn what_is_within_an_ask_is_for_the_same_people_in_the_same_job() {
    let wider = || ask(Span::from_hours(2), Start::Now, None);
    let job = Some(JobAsks {
        job: id(80),
        issuer: id(70),
        issuer_name: "actions".parse().unwrap(),
        claims: JobClaims::default(),
    });
    for (what, other, within) in [
        ("the same", wider(), true),
        ("shorter", Ask { duration: Span::from_hours(1), ..wider() }, true),
        ("elsewhere", Ask { org: id(8), ..wider() }, false),
        ("asked by another", Ask { requester: person(77), ..wider() }, false),
        ("for another", Ask { beneficiary: person(77), ..wider() }, false),
        ("in a job", Ask { job, ..wider() }, false),
        (
            "elsewhere, by and for others",
            Ask { org: id(8), requester: person(77), beneficiary: person(78), ..wider() },
            false,
        ),
    ] {
        assert_eq!(other.is_within(&wider(), |_, _| true), within, "{what}");
        assert_eq!(wider().is_within(&other, |_, _| true), within && what == "the same", "{what}, the other way");
    }
}

#[test]
fn whoever_loses_their_approval_leaves_the_others_theirs() {
    let step = |r: AccessRequest, e: ItemEvent| r.apply(0, e, T0).unwrap().0;
    let mut r = request(&[3]);
    for who in [11, 12] {
        let yes = approval(&r, who, 0);
        r = step(r, yes);
    }
    let r = step(r, ItemEvent::Void { approver: person(11) });
    assert_eq!(r.items[0].approvals.iter().map(|a| a.approver).collect::<Vec<_>>(), [person(12)]);
    // Nobody is the worse for it: who gave it can give it again, and counts then.
    let (again, last) = (approval(&r, 11, 0), approval(&r, 13, 0));
    let r = step(r, again);
    assert_eq!(r.state_name(), "waiting");
    assert_eq!(step(r, last).state_name(), "approved");
}
