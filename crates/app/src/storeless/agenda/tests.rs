//! Which accounts are worth the room.

use wane_domain::id::TypedId;

use super::*;

fn lease(n: u32, what: LeaseKind, end: i64, state: LeaseState) -> Lease {
    let mut seed = [0; 10];
    seed[6..].copy_from_slice(&n.to_be_bytes());
    let at = Time::from_micros(0);
    let id = LeaseId::mint(at, &seed);
    stored::lease(LeaseData {
        id,
        grant: TypedId::mint(at, &seed),
        holder: TypedId::mint(at, &seed),
        resource: TypedId::mint(at, &seed),
        kind: "gate".parse().unwrap(),
        role: TypedId::mint(at, &seed),
        what,
        artifact: wane_domain::lease::artifact_name(id),
        object: None,
        notes: serde_json::Value::Null,
        standing: None,
        end: Time::from_micros(end),
        at,
        confirmed: None,
        debt: wane_domain::lease::Debt::default(),
        state,
    })
}

fn write(lease: Lease) -> Write {
    Write::Lease(wane_store::Put::new(lease))
}

const LIVE: LeaseState = LeaseState::Live { since: Time::from_micros(0) };

#[test]
fn accounts_are_known_until_they_are_gone() {
    let agenda = Agenda::default();
    let revoking = LeaseState::Revoking { since: Time::from_micros(0), was_live: true };
    agenda.before(&[
        write(lease(1, LeaseKind::Account, 10, LIVE)),
        write(lease(2, LeaseKind::Account, 20, LIVE)),
        write(lease(3, LeaseKind::Credential, 5, LIVE)),
        write(lease(4, LeaseKind::Account, 99, revoking)),
    ]);
    let due = |now| agenda.due(Time::from_micros(now)).iter().map(|l| l.end.micros()).collect::<Vec<_>>();
    assert_eq!(due(0), [99], "what is being ended is owed at once, and nothing else");
    assert_eq!(due(10), [99, 10]);
    let moved = lease(1, LeaseKind::Account, 30, LIVE);
    agenda.before(&[write(moved.clone())]);
    assert_eq!(due(20), [99, 20], "an account that was given more time is due as before");
    assert_eq!(agenda.of(moved.grant), vec![moved.clone()]);
    let gone = LeaseState::Gone {
        at: Time::from_micros(1),
        basis: wane_domain::closure::ClosureBasis::Unrecallable { until: Time::from_micros(1) },
    };
    let over = [write(lease(1, LeaseKind::Account, 30, gone))];
    agenda.before(&over);
    assert_eq!(agenda.of(moved.grant).len(), 1, "it is gone before that is on disk");
    agenda.after(&Agenda::gone(&over));
    assert!(agenda.of(moved.grant).is_empty());
}

#[test]
fn those_that_end_soonest_are_kept() {
    // Where there are as many as there may be, and where they take as much room as they may.
    for (there, room, left) in [(MOST, 0, MOST), (100, MOST_BYTES / 100, 109)] {
        let agenda = Agenda::default();
        for n in (10..).take(there) {
            let (other, mut inner) = (lease(n, LeaseKind::Account, n.into(), LIVE), agenda.inner());
            let known = Known { due: other.end, grant: other.grant, doc: vec![0; room].into(), seen: 0 };
            inner.leases.insert(other.id, known);
            inner.by_due.insert((other.end, other.id), ());
            inner.bytes += room;
        }
        for n in (0..10).rev() {
            agenda.before(&[write(lease(n, LeaseKind::Account, n.into(), LIVE))]);
        }
        assert_eq!((agenda.len(), agenda.due(Time::from_micros(9)).len()), (left, 10), "the soonest were left out");
        assert!(agenda.inner().bytes <= MOST_BYTES);
    }
}
