//! The golden table of every lifecycle: each state, each event, no blank.
//!
//! The table is made by running `apply` on every pair. A cell reads `→ state (fact)` or says why not.

use std::fmt::Write as _;

use serde_json::json;
use wane_domain::closure::{ClosureBasis, EndCause};
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::id::{GrantId, LockId, RequestId};
use wane_domain::lease::LeaseEvent;
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::request::{AccessRequest, Approval, ItemEvent, Start};
use wane_domain::time::{Span, Time};
use wane_domain::transition::{Fact, IllegalTransition};

use crate::fixtures::{
    REQUESTER, T0, active, approval, approved, golden, grant, id, leases, permit, person, request, spend, task_grant,
};

const HOUR: Span = Span::from_hours(1);
const DAY: Span = Span::from_hours(24);

fn cell<T>(result: Result<(T, Fact), IllegalTransition>, state: impl Fn(&T) -> String) -> String {
    match result {
        Ok((next, fact)) => format!("→ {} ({})", state(&next), fact.event),
        Err(e) => format!("✗ {e}"),
    }
}

fn table<S, E>(title: &str, states: &[(&str, S)], events: &[(&str, E)], run: impl Fn(&S, &E) -> String) -> String {
    let mut out = format!("# {title}\n");
    for (state, from) in states {
        writeln!(out, "\n{state}").unwrap();
        for (event, what) in events {
            let cell = run(from, what);
            assert!(!cell.is_empty());
            writeln!(out, "  {event:<34} {cell}").unwrap();
        }
    }
    out + "\n"
}

type MakeItem = fn(&AccessRequest) -> (ItemEvent, Time);

fn items() -> String {
    let fresh = || request(&[2]);
    let step = |r: AccessRequest, e: ItemEvent| r.apply(0, e, T0).unwrap().0;
    let one = step(fresh(), approval(&fresh(), 11, 0));
    let both = step(one.clone(), approval(&fresh(), 12, 0));
    let minted = both.clone().mint_from(0, id::<GrantId>(40)).unwrap().0;
    let states = [
        ("waiting", fresh()),
        ("waiting, one of two approved", one),
        ("approved", both),
        ("approved, its grant minted", minted),
        ("denied", step(fresh(), ItemEvent::Deny { by: Some(person(11)), instead_of: None, reason: "no".to_owned() })),
        ("withdrawn", step(fresh(), ItemEvent::Withdraw { by: person(REQUESTER) })),
        ("lapsed", fresh().apply(0, ItemEvent::Lapse, T0.plus(DAY)).unwrap().0),
        ("narrowed", step(fresh(), ItemEvent::Narrow { by: person(11), child: id::<RequestId>(33) })),
    ];
    let events: [(&str, MakeItem); 18] = [
        ("approve, by one more", |r| (approval(r, 12, 0), T0)),
        ("approve, by the same again", |r| (approval(r, 11, 0), T0)),
        ("approve, by the requester", |r| (approval(r, 1, 0), T0)),
        ("approve, by the beneficiary", |r| (approval(r, 2, 0), T0)),
        ("approve, at another stage", |r| (approval(r, 12, 1), T0)),
        ("approve, over another digest", |_| {
            let digest = wane_domain::canonical::Digest::of_bytes("t", b"other");
            (
                ItemEvent::Approve(Approval {
                    approver: person(12),
                    instead_of: None,
                    asked_after: None,
                    stage: 0,
                    digest,
                    at: T0,
                    signed: None,
                }),
                T0,
            )
        }),
        ("approve, as its time runs out", |r| (approval(r, 12, 0), T0.plus(DAY))),
        ("deny, by a person", |_| {
            (ItemEvent::Deny { by: Some(person(12)), instead_of: None, reason: "no".to_owned() }, T0)
        }),
        ("deny, by policy", |_| (ItemEvent::Deny { by: None, instead_of: None, reason: "no".to_owned() }, T0)),
        ("withdraw, by the requester", |_| (ItemEvent::Withdraw { by: person(1) }, T0)),
        ("withdraw, by somebody else", |_| (ItemEvent::Withdraw { by: person(12) }, T0)),
        ("ask more people, whom nobody named", |_| (ItemEvent::Escalate, T0.plus(HOUR))),
        ("lapse, early", |_| (ItemEvent::Lapse, T0)),
        ("lapse, in time", |_| (ItemEvent::Lapse, T0.plus(DAY))),
        ("lose the approval of somebody who gave it", |_| (ItemEvent::Void { approver: person(11) }, T0)),
        ("lose the approval of somebody who did not", |_| (ItemEvent::Void { approver: person(13) }, T0)),
        ("narrow, by an approver", |_| (ItemEvent::Narrow { by: person(12), child: id(33) }, T0)),
        ("narrow, by the requester", |_| (ItemEvent::Narrow { by: person(1), child: id(33) }, T0)),
    ];
    let name = |r: &AccessRequest| match r.items[0].state {
        wane_domain::request::ItemState::Approved { grant: Some(_), .. } => "approved, its grant minted".to_owned(),
        ref state => state.name().to_owned(),
    };
    let mut out = table("request item", &states, &events, |r, make| {
        let (event, now) = make(r);
        cell(r.clone().apply(0, event, now), name)
    });
    out.push_str("mint a grant from it\n");
    for (state, r) in states {
        let cell = match r.mint_from(0, id::<GrantId>(41)) {
            Ok((next, _)) => format!("→ {}", name(&next)),
            Err(e) => format!("✗ {}", e.detail.unwrap()),
        };
        writeln!(out, "  {state:<34} {cell}").unwrap();
    }
    out + "\n"
}

fn task_done() -> GrantEvent {
    GrantEvent::End(EndCause::TaskDone { outcome: "it exited with status 0".to_owned() })
}

type MakeGrant = fn(&Grant) -> (GrantEvent, Time);

fn grants() -> String {
    let cause = |c| GrantEvent::End(c);
    let live = || active(HOUR, Span::from_hours(3));
    let for_task = || task_grant("id", HOUR, Span::from_hours(3));
    let ending = live().apply(cause(EndCause::Returned), T0).unwrap().0;
    let later = Grant::mint(approved(HOUR, Start::At(T0.plus(HOUR)), None), permit(HOUR), T0).unwrap().0;
    let states = [
        ("scheduled", grant(HOUR, Span::from_hours(3))),
        ("scheduled, not yet open", later),
        ("active", live()),
        ("active, for a task", for_task()),
        ("active, its task let run", for_task().apply(spend("id"), T0).unwrap().0),
        ("ending", ending.clone()),
        ("closed", ending.apply(GrantEvent::Close(Vec::new()), T0).unwrap().0),
    ];
    let events: [(&str, MakeGrant); 27] = [
        ("activate", |_| (GrantEvent::Activate(permit(HOUR)), T0)),
        ("activate, too late", |g| (GrantEvent::Activate(permit(HOUR)), g.window.activate_by)),
        ("extend", |g| (GrantEvent::Extend(approved(HOUR, Start::Now, Some(g)), permit(Span::from_hours(3))), T0)),
        ("extend, at its very end", |g| {
            (GrantEvent::Extend(approved(HOUR, Start::Now, Some(g)), permit(DAY)), T0.plus(HOUR))
        }),
        ("extend, cap reached", |g| (GrantEvent::Extend(approved(HOUR, Start::Now, Some(g)), permit(HOUR)), T0)),
        ("extend, with an item of its own", |_| {
            (GrantEvent::Extend(approved(HOUR, Start::Now, None), permit(DAY)), T0)
        }),
        ("shorten", |_| (GrantEvent::Shorten { end: T0.plus(Span::from_mins(30)) }, T0)),
        ("shorten, to what it is", |_| (GrantEvent::Shorten { end: T0.plus(HOUR) }, T0)),
        ("run its task", |_| (spend("id"), T0)),
        ("run its task, at its very end", |_| (spend("id"), T0.plus(HOUR))),
        ("run another command", |_| (spend("id -u"), T0)),
        ("end: task done", |_| (task_done(), T0)),
        ("end: expired", |_| (GrantEvent::End(EndCause::Expired), T0.plus(HOUR))),
        ("end: expired, early", |_| (GrantEvent::End(EndCause::Expired), T0)),
        ("end: returned", |_| (GrantEvent::End(EndCause::Returned), T0)),
        ("end: revoked", |_| (GrantEvent::End(EndCause::Revoked { by: person(11), reason: "x".to_owned() }), T0)),
        ("end: denied after approval", |_| {
            (GrantEvent::End(EndCause::DeniedAfterApproval { by: person(11), reason: "x".to_owned() }), T0)
        }),
        ("end: locked", |_| (GrantEvent::End(EndCause::Locked { lock: "lck".to_owned() }), T0)),
        ("end: lost eligibility", |_| (GrantEvent::End(EndCause::LostEligibility { reason: "x".to_owned() }), T0)),
        ("end: taken away", |_| (GrantEvent::End(EndCause::TakenAway { seen: "x".to_owned() }), T0)),
        ("end: never activated", |g| (GrantEvent::End(EndCause::NeverActivated), g.window.activate_by)),
        ("end: never activated, early", |_| (GrantEvent::End(EndCause::NeverActivated), T0)),
        ("close, nothing made", |_| (GrantEvent::Close(Vec::new()), T0)),
        ("close, its lease gone", |_| (GrantEvent::Close(vec![leases(&active(HOUR, HOUR))["gone"].clone()]), T0)),
        ("close, its lease intended", |_| {
            (GrantEvent::Close(vec![leases(&active(HOUR, HOUR))["intended"].clone()]), T0)
        }),
        ("close, its lease live", |_| (GrantEvent::Close(vec![leases(&active(HOUR, HOUR))["live"].clone()]), T0)),
        ("close, its lease revoking", |_| {
            (GrantEvent::Close(vec![leases(&active(HOUR, HOUR))["revoking"].clone()]), T0)
        }),
    ];
    table("grant", &states, &events, |g, make| {
        let (event, now) = make(g);
        cell(g.clone().apply(event, now), |g| g.state.name().to_owned())
    })
}

fn leases_table() -> String {
    let all = leases(&active(HOUR, HOUR));
    let unsure = all["intended"].clone().apply(LeaseEvent::End, T0).unwrap().0;
    let states = [
        ("intended", all["intended"].clone()),
        ("live", all["live"].clone()),
        ("revoking", all["revoking"].clone()),
        ("revoking, perhaps never made", unsure),
        ("gone", all["gone"].clone()),
    ];
    let tried = |quarantined: Option<&str>| LeaseEvent::Tried {
        next: T0.plus(HOUR),
        met: "connection refused".to_owned(),
        quarantined: quarantined.map(str::to_owned),
        unrecallable_until: None,
    };
    let proof = || "no such user".to_owned();
    let events = [
        ("prepared", LeaseEvent::Prepared { object: "group/person".to_owned(), notes: json!({}), standing: None }),
        ("made", LeaseEvent::Made { object: None, notes: json!({}) }),
        ("reissued", LeaseEvent::Reissued { notes: json!({}) }),
        ("confirmed", LeaseEvent::Confirmed),
        ("moved", LeaseEvent::Moved { end: T0.plus(HOUR) }),
        ("end", LeaseEvent::End),
        ("tried", tried(None)),
        ("tried, a person has to look", tried(Some("owned objects"))),
        ("proven: absent", LeaseEvent::Proven { basis: ClosureBasis::AbsentReadBack { proof: proof() } }),
        ("proven: login refused", LeaseEvent::Proven { basis: ClosureBasis::LoginRefusedReadBack { proof: proof() } }),
        (
            "proven: still given",
            LeaseEvent::Proven { basis: ClosureBasis::StillGiven { by: Vec::new(), proof: proof() } },
        ),
        ("proven: standing", LeaseEvent::Proven { basis: ClosureBasis::Standing { proof: proof() } }),
        ("proven: unrecallable", LeaseEvent::Proven { basis: ClosureBasis::Unrecallable { until: T0 } }),
    ];
    table("lease", &states, &events, |lease, event| {
        cell(lease.clone().apply(event.clone(), T0), |l| l.state.name().to_owned())
    })
}

fn locks() -> String {
    let (lock, _) =
        Lock::impose(id::<LockId>(60), LockTarget::Person(person(2)), "incident".parse().unwrap(), person(11), T0);
    let lifted = lock.clone().lift(person(11), T0).unwrap().0;
    let name = |l: &Lock| if l.holds() { "holds".to_owned() } else { "lifted".to_owned() };
    table("lock", &[("holds", lock), ("lifted", lifted)], &[("lift", ())], |l, ()| {
        cell(l.clone().lift(person(12), T0), name)
    })
}

#[test]
fn every_state_meets_every_event() {
    golden("lifecycle.txt", &(items() + &grants() + &leases_table() + &locks()));
}
