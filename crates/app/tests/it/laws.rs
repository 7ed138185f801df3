//! Laws that hold whatever is called in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wane_app::{LockInput, Narrower, RevokeWhat, rejudge_all};
use wane_domain::grant::GrantState;
use wane_domain::id::{GrantId, RequestId};
use wane_domain::lock::LockTarget;
use wane_domain::time::Span;
use wane_store::{GrantFilter, LeaseFilter, RecordFilter, Slice, Store as _, whole};

use crate::house::{House, ask, mins, name, reason};

const PEOPLE: [&str; 8] = ["root", "mia", "ann", "ben", "dan", "eva", "fay", "zoe"];
const ROLES: [&str; 3] = ["read", "write", "super"];

/// One call by somebody; numbers choose among what there is by then.
#[derive(Clone, Debug)]
enum Step {
    Ask { who: usize, prod: bool, role: usize, mins: u64 },
    Approve { who: usize, request: usize, less: bool },
    Deny { who: usize, request: usize },
    Withdraw { who: usize, request: usize },
    HandOut { who: usize, grant: usize },
    Extend { who: usize, grant: usize, mins: u64 },
    Return { who: usize, grant: usize },
    Revoke { who: usize, grant: usize },
    Lock { who: usize, person: usize },
    LiftAll,
    Leave { person: usize },
    Join { person: usize },
    Pass { mins: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..PEOPLE.len();
    prop_oneof![
        4 => (who(), any::<bool>(), 0..3usize, 1..300u64).prop_map(|(who, prod, role, mins)| Step::Ask { who, prod, role, mins }),
        4 => (who(), 0..8usize, prop::bool::weighted(0.2)).prop_map(|(who, request, less)| Step::Approve { who, request, less }),
        1 => (who(), 0..8usize).prop_map(|(who, request)| Step::Deny { who, request }),
        1 => (who(), 0..8usize).prop_map(|(who, request)| Step::Withdraw { who, request }),
        4 => (who(), 0..8usize).prop_map(|(who, grant)| Step::HandOut { who, grant }),
        2 => (who(), 0..8usize, 1..200u64).prop_map(|(who, grant, mins)| Step::Extend { who, grant, mins }),
        1 => (who(), 0..8usize).prop_map(|(who, grant)| Step::Return { who, grant }),
        1 => (who(), 0..8usize).prop_map(|(who, grant)| Step::Revoke { who, grant }),
        1 => (who(), who()).prop_map(|(who, person)| Step::Lock { who, person }),
        1 => Just(Step::LiftAll),
        1 => who().prop_map(|person| Step::Leave { person }),
        1 => who().prop_map(|person| Step::Join { person }),
        2 => (1..120u64).prop_map(|mins| Step::Pass { mins }),
    ]
}

struct Run {
    house: House,
    requests: Vec<RequestId>,
}

impl Run {
    async fn grants(&self) -> Vec<GrantId> {
        let page = self.house.store.grants(GrantFilter::default(), Slice::first(1000)).await.unwrap();
        page.items.into_iter().map(|g| g.value.id).collect()
    }

    /// Does a step; that it is refused is an answer like any other.
    async fn step(&mut self, step: &Step) {
        let house = &self.house;
        let app = &house.app;
        let pick = |list: &[RequestId], at: usize| (!list.is_empty()).then(|| list[at % list.len()]);
        let grants = self.grants().await;
        let grant = |at: usize| (!grants.is_empty()).then(|| grants[at % grants.len()]);
        match *step {
            Step::Ask { who, prod, role, mins: n } => {
                let input = wane_app::AskInput {
                    duration: mins(n),
                    ..ask(&[(if prod { "vault" } else { "attic" }, ROLES[role])], 1)
                };
                if let Ok(request) = house.try_ask(PEOPLE[who], input).await {
                    self.requests.push(request.id);
                }
            }
            Step::Approve { who, request, less } => {
                let Some(id) = pick(&self.requests, request) else { return };
                let less = Narrower { duration: less.then(|| mins(1)), role: None };
                if let Ok(request) = app.approve(&house.caller(PEOPLE[who]).await, id, None, &less).await
                    && request.id != id
                {
                    self.requests.push(request.id);
                }
            }
            Step::Deny { who, request } => {
                let Some(id) = pick(&self.requests, request) else { return };
                let _ = app.deny(&house.caller(PEOPLE[who]).await, id, None, &reason("no")).await;
            }
            Step::Withdraw { who, request } => {
                let Some(id) = pick(&self.requests, request) else { return };
                let _ = app.withdraw(&house.caller(PEOPLE[who]).await, id, None).await;
            }
            Step::HandOut { who, grant: at } => {
                let Some(id) = grant(at) else { return };
                let holder = house.grant(id).await.holder == house.id(PEOPLE[who]).await;
                let usable = house.grant(id).await.state == GrantState::Scheduled
                    || house.grant(id).await.usable_until(app.now()).is_ok();
                let handed = house.hand_out(PEOPLE[who], id).await;
                assert!(handed.is_err() || (holder && usable), "{} got into `{id}`", PEOPLE[who]);
            }
            Step::Extend { who, grant: at, mins: n } => {
                let Some(id) = grant(at) else { return };
                if let Ok(request) = app.extend(&house.caller(PEOPLE[who]).await, id, mins(n), None).await {
                    self.requests.push(request.id);
                }
            }
            Step::Return { who, grant: at } => {
                let Some(id) = grant(at) else { return };
                let _ = app.give_back(&house.caller(PEOPLE[who]).await, id).await;
            }
            Step::Revoke { who, grant: at } => {
                let Some(id) = grant(at) else { return };
                let _ = app.revoke(&house.caller(PEOPLE[who]).await, RevokeWhat::Grant(id), &reason("stop")).await;
            }
            Step::Lock { who, person } => {
                let target = LockTarget::Person(house.id(PEOPLE[person]).await);
                let _ =
                    app.impose_lock(&house.caller(PEOPLE[who]).await, &LockInput { target, reason: reason("x") }).await;
            }
            Step::LiftAll => {
                let root = house.caller("root").await;
                for lock in app.locks(&root).await.unwrap() {
                    app.lift_lock(&root, lock.id).await.unwrap();
                }
            }
            Step::Leave { person } | Step::Join { person } => {
                let member = if matches!(step, Step::Leave { .. }) {
                    wane_app::Membership::Out
                } else {
                    wane_app::Membership::In
                };
                let root = house.caller("root").await;
                app.set_member(&root, &name("engineers"), PEOPLE[person], member).await.unwrap();
                rejudge_all(app).await.unwrap();
            }
            Step::Pass { mins: n } => {
                house.advance(mins(n));
                for id in &grants {
                    app.end_if_due(*id).await.unwrap();
                    house.try_ends(*id).await;
                }
                for id in &self.requests {
                    app.request_is_due(*id).await.unwrap();
                }
            }
        }
    }

    async fn check(&self) {
        self.the_trail_gives_the_state().await;
        let page = self.house.store.grants(GrantFilter::default(), Slice::first(1000)).await.unwrap();
        for grant in page.items.into_iter().map(|g| g.value) {
            let request = self.house.request(grant.request).await;
            // INV-5: nobody had a say in what they hold or asked for.
            for approval in &grant.approvals {
                assert_ne!(approval.approver, grant.holder);
                assert_ne!(approval.approver, request.ask.requester);
            }
            // INV-4: as many different people as its terms ask for.
            let approvers: std::collections::BTreeSet<_> = grant.approvals.iter().map(|a| a.approver).collect();
            let asked: usize = grant.terms.stages.iter().map(|s| usize::from(s.quorum)).sum();
            assert!(approvers.len() >= asked, "{approvers:?} for {:?}", grant.terms.stages);
            // INV-6: no longer than policy, extensions included; nothing under it outlives it.
            if let GrantState::Active { since, end } = grant.state {
                assert!(end.since(since) <= grant.terms.max_ttl);
                for lease in self.house.leases(grant.id).await {
                    assert!(lease.end <= end || !lease.is_open() || lease.state.name() == "revoking");
                }
            }
            // Closed means that nothing of it is there.
            if matches!(grant.state, GrantState::Closed { .. }) {
                assert!(self.house.leases(grant.id).await.iter().all(|l| !l.is_open()));
            }
        }
        // INV-2, INV-9: every account at a target belongs to an open lease.
        for target in ["vault", "attic"] {
            for account in self.house.gate.accounts(target).keys() {
                let lease = wane_domain::lease::lease_of_artifact(account).unwrap();
                let lease = self.house.store.lease(lease).await.unwrap().unwrap().value;
                assert!(lease.is_open(), "`{account}` at `{target}` is {}", lease.state.name());
            }
        }
    }

    /// INV-13: what the trail says happened, in its order, is what the tables hold.
    async fn the_trail_gives_the_state(&self) {
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        let mut ends: BTreeMap<String, i64> = BTreeMap::new();
        for record in self.all_records().await {
            let of = |key: &str| record.detail.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            let put =
                |states: &mut BTreeMap<String, String>, key: String, state: &str| states.insert(key, state.to_owned());
            match record.event.as_str() {
                "grant.minted" => drop(put(&mut states, of("grant"), "scheduled")),
                "grant.activated" | "grant.extended" | "grant.shortened" => {
                    ends.insert(of("grant"), record.detail["end"].as_i64().unwrap());
                    put(&mut states, of("grant"), "active");
                }
                "grant.ending" => drop(put(&mut states, of("grant"), "ending")),
                "grant.closed" => drop(put(&mut states, of("grant"), "closed")),
                "lease.intended" => drop(put(&mut states, of("lease"), "intended")),
                "lease.made" => drop(put(&mut states, of("lease"), "live")),
                "lease.ending" => drop(put(&mut states, of("lease"), "revoking")),
                "lease.gone" => drop(put(&mut states, of("lease"), "gone")),
                _ => {}
            }
        }
        let mut held = BTreeMap::new();
        let grants = self.house.store.grants(GrantFilter::default(), Slice::first(1000)).await.unwrap().items;
        for grant in grants.into_iter().map(|g| g.value) {
            if let GrantState::Active { end, .. } = grant.state {
                assert_eq!(ends.get(&grant.id.to_string()), Some(&end.micros()));
            }
            held.insert(grant.id.to_string(), grant.state.name().to_owned());
        }
        let leases = self.house.store.leases(LeaseFilter::default(), Slice::first(1000)).await.unwrap().items;
        held.extend(leases.into_iter().map(|l| (l.value.id.to_string(), l.value.state.name().to_owned())));
        assert_eq!(states, held);
    }

    async fn all_records(&self) -> Vec<wane_audit::Record> {
        let all = whole(Slice::first(1000), |slice| self.house.store.records(RecordFilter::default(), slice));
        all.await.unwrap().into_iter().rev().map(|r| r.record).collect()
    }
}

#[test]
fn whatever_is_called_the_invariants_hold() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, max_shrink_iters: 40, ..Config::default() });
    runner
        .run(&prop::collection::vec(step(), 1..60), |steps| {
            runtime.block_on(async {
                let mut run = Run { house: House::new().await, requests: Vec::new() };
                for step in &steps {
                    run.step(step).await;
                }
                run.check().await;
                run.house.advance(Span::from_hours(24 * 30));
                run.step(&Step::Pass { mins: 1 }).await;
                for id in run.grants().await {
                    run.house.try_ends(id).await;
                    assert_eq!(run.house.grant(id).await.state.name(), "closed", "something never ends");
                }
                run.check().await;
                assert!(run.house.gate.accounts("vault").is_empty() && run.house.gate.accounts("attic").is_empty());
            });
            Ok(())
        })
        .unwrap();
}
