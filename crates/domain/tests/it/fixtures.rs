//! Values to live through: one request, one grant, one lease, at fixed moments with fixed ids.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wane_domain::canonical::Digest;
use wane_domain::decision::{Basis, Permit};
use wane_domain::evidence;
use wane_domain::grant::Grant;
use wane_domain::id::{GrantId, LeaseId, OrgId, PersonId, RequestId, ResourceId, RoleId, TypedId};
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind};
use wane_domain::request::{AccessRequest, Approval, ApprovedItem, Ask, AskItem, ItemEvent, Opening, Parent, Start};
use wane_domain::terms::{Approvers, Mode, Need, Stage, Terms};
use wane_domain::time::{Span, Time};
use wane_domain::workload::{LONGEST_JOB, SILENCE, Workload};

/// 2026-11-21T10:00:00Z.
pub(crate) const T0: Time = Time::from_micros(1_795_255_200_000_000);

pub(crate) fn id<T: TypedId>(n: u8) -> T {
    T::mint(T0, &[n; 10])
}

/// Whoever asks, in every fixture.
pub(crate) const REQUESTER: u8 = 1;
/// Whoever holds.
pub(crate) const HOLDER: u8 = 2;

pub(crate) fn person(n: u8) -> PersonId {
    id(n)
}

pub(crate) fn terms(max_ttl: Span, quorums: &[u16]) -> Terms {
    let stage = |quorum: &u16| Stage { quorum: *quorum, approvers: vec![Approvers::Owner], later: Vec::new() };
    Terms {
        stages: quorums.iter().map(stage).collect(),
        max_ttl,
        approval_window: Span::from_hours(24),
        activation_window: Span::from_hours(1),
        justification: Need::Optional,
        ticket: Need::Optional,
        step_up: None,
        reproof: None,
        signature: Need::Optional,
        recording: Need::Optional,
        mode: Mode::Any,
    }
}

pub(crate) fn permit(max_ttl: Span) -> Permit {
    let basis = Basis {
        policy_set: Digest::of_bytes("t", b"set"),
        path: Some("path".to_owned()),
        determining: vec!["path".to_owned()],
        facts: Digest::of_bytes("t", b"facts"),
        at: T0,
    };
    evidence::permit(terms(max_ttl, &[]), basis, None)
}

/// The same for somebody whose time is over then.
pub(crate) fn permit_until(max_ttl: Span, latest: Time) -> Permit {
    let plain = permit(max_ttl);
    evidence::permit(plain.terms().clone(), plain.basis().clone(), Some(latest))
}

pub(crate) fn item() -> AskItem {
    AskItem {
        resource: id::<ResourceId>(20),
        role: id::<RoleId>(21),
        role_digest: Digest::of_bytes("t", b"role"),
        task: None,
    }
}

/// The same for one command.
pub(crate) fn task_item(task: &str) -> AskItem {
    AskItem { task: Some(task.parse().unwrap()), ..item() }
}

pub(crate) fn ask(duration: Span, start: Start, parent: Option<Parent>) -> Ask {
    Ask {
        org: id::<OrgId>(9),
        requester: person(REQUESTER),
        beneficiary: person(HOLDER),
        items: vec![item()],
        start,
        duration,
        justification: Some("to look at the queue".parse().unwrap()),
        ticket: Some("OPS-1".parse().unwrap()),
        parent,
        arrival: None,
        package: None,
        job: None,
        nonce: "000102030405060708090a0b0c0d0e0f".to_owned(),
    }
}

/// A request whose one item asks for these quorums; it lapses after a day.
pub(crate) fn request(quorums: &[u16]) -> AccessRequest {
    let ask = ask(Span::from_hours(2), Start::Now, None);
    let path = Opening::Path { terms: terms(Span::from_hours(8), quorums), path: "path".to_owned() };
    AccessRequest::open(id::<RequestId>(30), ask, vec![path], T0, T0.plus(Span::from_hours(24))).unwrap().0
}

pub(crate) fn approval(of: &AccessRequest, who: u8, stage: u16) -> ItemEvent {
    ItemEvent::Approve(Approval {
        approver: person(who),
        instead_of: None,
        asked_after: None,
        stage,
        digest: of.digest,
        at: T0,
        signed: None,
    })
}

/// An approved item for a fresh grant, or for more time on one.
pub(crate) fn approved(duration: Span, start: Start, extends: Option<&Grant>) -> ApprovedItem {
    let parent = extends.map(|g| Parent::Extends { digest: g.digest, grant: g.id });
    approved_of(ask(duration, start, parent), extends.map_or_else(|| id::<GrantId>(40), |g| g.id))
}

/// The approved item of an ask, for this grant.
pub(crate) fn approved_of(ask: Ask, grant: GrantId) -> ApprovedItem {
    let path = Opening::Path { terms: terms(Span::from_hours(8), &[]), path: "path".to_owned() };
    let (request, _) =
        AccessRequest::open(id::<RequestId>(31), ask, vec![path], T0, T0.plus(Span::from_hours(24))).unwrap();
    request.mint_from(0, grant).unwrap().1
}

/// A scheduled grant of this duration under this cap, minted at `T0`.
pub(crate) fn grant(duration: Span, cap: Span) -> Grant {
    Grant::mint(approved(duration, Start::Now, None), permit(cap), T0).unwrap().0
}

pub(crate) fn active(duration: Span, cap: Span) -> Grant {
    use wane_domain::grant::GrantEvent;
    grant(duration, cap).apply(GrantEvent::Activate(permit(cap)), T0).unwrap().0
}

/// An active grant for this one command.
pub(crate) fn task_grant(task: &str, duration: Span, cap: Span) -> Grant {
    use wane_domain::grant::GrantEvent;
    let asked = Ask { items: vec![task_item(task)], ..ask(duration, Start::Now, None) };
    let minted = Grant::mint(approved_of(asked, id::<GrantId>(40)), permit(cap), T0).unwrap().0;
    minted.apply(GrantEvent::Activate(permit(cap)), T0).unwrap().0
}

/// That command is to run.
pub(crate) fn spend(task: &str) -> wane_domain::grant::GrantEvent {
    let task = wane_domain::task::Task::digest_of(task.as_bytes());
    wane_domain::grant::GrantEvent::Spend { session: id::<LeaseId>(50), task }
}

/// A workload that acts as this person.
pub(crate) fn workload(n: u8, acts_as: PersonId) -> Workload {
    let rule = BTreeMap::from([("sub".to_owned(), "job".parse().unwrap())]);
    let (longest, silence) = (LONGEST_JOB, SILENCE.0);
    Workload { id: id(n), person: acts_as, issuer: id(70), rule, longest, silence, since: T0, removed: None }
}

pub(crate) fn lease(of: &Grant) -> Lease {
    of.lease(id::<LeaseId>(50), "ssh".parse().unwrap(), LeaseKind::Credential, T0).unwrap().0
}

/// A lease in each state, by name.
pub(crate) fn leases(of: &Grant) -> BTreeMap<&'static str, Lease> {
    use wane_domain::closure::ClosureBasis;
    let step = |lease: &Lease, event: LeaseEvent| lease.clone().apply(event, T0).unwrap().0;
    let intended = lease(of);
    let live = step(&intended, LeaseEvent::Made { object: Some("16384".to_owned()), notes: json!({}) });
    let revoking = step(&live, LeaseEvent::End);
    let gone = step(
        &revoking,
        LeaseEvent::Proven { basis: ClosureBasis::AbsentReadBack { proof: "no such user".to_owned() } },
    );
    BTreeMap::from([("intended", intended), ("live", live), ("revoking", revoking), ("gone", gone)])
}

/// Compares with a golden file; `WANE_GOLDEN=write` writes it instead, to be read before it is committed.
pub(crate) fn golden(file: &str, got: &str) {
    let path = format!("{}/tests/it/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("WANE_GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, got).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(got == wanted, "`{file}` differs; it now reads:\n{got}");
}

/// A value as the JSON it is stored and digested as.
pub(crate) fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}
