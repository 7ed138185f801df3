//! What a read-back establishes.

use wane_domain::id::TypedId;
use wane_domain::lease::{Debt, artifact_name};

use super::*;

/// A refusal proves the end of what was seen accepted; of anything else only its own end does.
#[test]
fn what_was_never_seen_accepted_is_over_at_its_own_end_although_it_is_refused() {
    let at = Time::from_micros;
    let proof = || "permission denied".to_owned();
    let lease = |confirmed, unrecallable_until| LeaseData {
        id: LeaseId::mint(at(0), &[1; 10]),
        grant: TypedId::mint(at(0), &[2; 10]),
        holder: TypedId::mint(at(0), &[3; 10]),
        resource: TypedId::mint(at(0), &[4; 10]),
        kind: "gate".parse().unwrap(),
        role: TypedId::mint(at(0), &[5; 10]),
        what: LeaseKind::Account,
        artifact: artifact_name(LeaseId::mint(at(0), &[1; 10])),
        object: None,
        notes: serde_json::Value::Null,
        standing: None,
        end: at(10),
        at: at(0),
        confirmed,
        debt: Debt { unrecallable_until, ..Debt::default() },
        state: LeaseState::Revoking { since: at(0), was_live: true },
    };
    let until = at(10);
    let over = || Some(ClosureBasis::Unrecallable { until });
    for (confirmed, unrecallable, now, proven) in [
        (None, None, 99, None),
        (None, Some(until), 9, None),
        (None, Some(until), 10, over()),
        (None, Some(until), 11, over()),
        (Some(at(1)), Some(until), 9, Some(ClosureBasis::LoginRefusedReadBack { proof: proof() })),
    ] {
        let tried = settle(&lease(confirmed, unrecallable), Presence::LoginRefused { proof: proof() }, at(now));
        match (tried, proven) {
            (Tried::Proven(basis), Some(proven)) => assert_eq!(basis, proven, "at {now}"),
            (Tried::Not { unrecallable_until, .. }, None) => assert_eq!(unrecallable_until, unrecallable, "at {now}"),
            other => panic!("at {now}: {other:?}"),
        }
    }
}
