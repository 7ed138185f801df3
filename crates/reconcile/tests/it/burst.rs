//! Very many ends in one instant, over the real store: all come, each once, nobody waits for them, and
//! what is read grows with how many there are and not with its square.

use std::time::Duration;

use wane_domain::id::LeaseId;
use wane_domain::lease::{LeaseEvent, LeaseKind};
use wane_domain::request::{Ask, AskItem};
use wane_domain::time::Span;
use wane_store::{GrantFilter, GrantPhase, LeaseFilter, LeasePhase, Put, RecordFilter, Slice, Store as _, Write};
use wane_testkit::{Held, hold, plain_ask};

use crate::counted::Counted;
use crate::gated::Does;
use crate::house::{House, ask, mins, name};
use crate::running::{SOON, run};

/// Generous, for so many on a busy machine.
const ALL: Duration = Duration::from_secs(240);

/// Enough for several pages of everything.
const MANY: usize = 2_400;
const TARGETS: [&str; 2] = ["attic", "annex"];

/// Live grants with an account each, all over at the same microsecond; written as the use-cases would
/// have, a few hundred to a commit. Returns the leases.
async fn many_live(house: &House) -> Vec<LeaseId> {
    let (now, world) = (house.app.now(), house.app.world().await.unwrap());
    let role = world.role(&name("gate"), "read").unwrap();
    let holder = house.id("ann").await;
    let (mut writes, mut leases) = (Vec::new(), Vec::new());
    for n in 0..MANY {
        let target = TARGETS[n % 2];
        let resource = world.resource(target).unwrap().id;
        let item = AskItem { resource, role: role.id, role_digest: role.digest().unwrap(), task: None };
        let ask =
            Ask { org: world.org, requester: holder, beneficiary: holder, ..plain_ask(&house.ambient, item, mins(60)) };
        let Held { request, grant, lease } = hold(&house.ambient, ask, "gate", LeaseKind::Account, now);
        let made = LeaseEvent::Made { object: None, notes: serde_json::json!({}) };
        let (lease, _) = lease.apply(made, now).unwrap();
        house.gate.plant(target, &lease.artifact);
        leases.push(lease.id);
        writes.extend([
            Write::Request(Put::new(request)),
            Write::Grant(Put::new(grant)),
            Write::Lease(Put::new(lease)),
        ]);
        if writes.len() >= 600 || n + 1 == MANY {
            house.write(std::mem::take(&mut writes)).await;
        }
    }
    leases
}

async fn closed(house: &House) -> bool {
    let phases = vec![GrantPhase::Active, GrantPhase::Ending];
    let filter = GrantFilter { phases, holder: Some(house.id("ann").await), ..GrantFilter::default() };
    house.store.grants(filter, Slice::first(1)).await.unwrap().items.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_read_about_once() {
    let mut house = House::new().await;
    let leases = many_live(&house).await;
    let store = Counted::under(&mut house);
    house.gate.rounds_of(16);
    house.advance(mins(61));
    // As a start with as many overdue: the engine finds all of it there.
    let _engine = run(&house, Span::from_hours(1));
    // Somebody asks again and again until it is over.
    let mut answered = 0;
    while !closed(&house).await {
        let asked = house.try_ask("zoe", ask(&[("attic", "read")], 1));
        tokio::time::timeout(SOON, asked).await.expect("an answer meanwhile").unwrap();
        answered += 1;
        assert!(answered < 100_000, "the ends never come");
    }
    assert!(answered > 0, "nobody was answered before it was over");

    let [looks, rows, reads] = store.read();
    // A grant is due, then its lease: each is named about twice, by the page of what is new and by a round.
    assert!(rows <= 8 * MANY, "{rows} rows were read for {MANY} ends");
    assert!(reads <= 8 * MANY, "{reads} leases were read for {MANY} ends");
    // One for each thing would be a look for each end and more.
    assert!(looks <= MANY, "{looks} looks for {MANY} ends");
    for target in TARGETS {
        assert!(house.gate.accounts(target).is_empty());
        assert_eq!(house.gate.begun(target, "end"), MANY / 2, "an end was done twice, or not at all");
        let rounds = house.gate.begun(target, "round");
        assert!(rounds > 0 && rounds < MANY / 4, "{rounds} rounds for {} ends", MANY / 2);
    }
    let mut proofs = 0;
    for lease in leases.iter().step_by(97) {
        let lease = house.store.lease(*lease).await.unwrap().unwrap().value;
        assert_eq!(lease.state.name(), "gone");
        let about =
            RecordFilter { grant: Some(lease.grant), event: Some("grant.closed".to_owned()), ..Default::default() };
        proofs += house.records(about).await.len();
    }
    assert_eq!(proofs, leases.iter().step_by(97).count(), "a grant was closed twice, or not at all");
}

/// A dead target with very many ends owed holds back nobody's end elsewhere, and is itself drained once it is back.
#[tokio::test(flavor = "multi_thread")]
async fn many_owed_at_a_dead_target_delay_no_other() {
    let house = House::new().await;
    many_live(&house).await;
    house.gate.end("attic", Does::Dead);
    house.advance(mins(61));
    let _engine = run(&house, Span::from_hours(1));
    let annex = async || house.gate.accounts("annex").is_empty();
    wane_testkit::eventually("the ends at the living target", ALL, annex).await.unwrap();
    assert_eq!(house.gate.accounts("attic").len(), MANY / 2);
    let owed = LeaseFilter { phases: vec![LeasePhase::Revoking], ..LeaseFilter::default() };
    let owed = async || house.store.leases(owed.clone(), Slice::first(1)).await.unwrap().items.len();
    assert_eq!(owed().await, 1, "a debt was forgotten");
    house.gate.end("attic", Does::Work);
    // The clock moves on by itself: waits between tries are waited out.
    let paid = async || {
        house.advance(Span::from_secs(1));
        owed().await == 0 && closed(&house).await
    };
    wane_testkit::eventually("every debt to be paid", ALL, paid).await.unwrap();
    assert!(house.gate.accounts("attic").is_empty());
}
