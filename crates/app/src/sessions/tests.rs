//! What sessions are told, and when.

use futures::FutureExt as _;
use wane_domain::closure::ClosureBasis;
use wane_domain::id::TypedId;
use wane_domain::lease::{Debt, LeaseData, artifact_name};
use wane_domain::proved::ProvedBy;
use wane_store::{Put, Token, TokenKind, TokenOwner};

use super::*;

const NOW: Time = Time::from_micros(1_000_000);

fn line(n: u8) -> SessionLine {
    SessionLine {
        session: SessionId::mint(NOW, &[n; 10]),
        grant: GrantId::mint(NOW, &[9; 10]),
        holder: PersonId::mint(NOW, &[1; 10]),
        resource: ResourceId::mint(NOW, &[2; 10]),
        role: RoleId::mint(NOW, &[3; 10]),
        login: "deploy".to_owned(),
        peer: IpAddr::from([192, 0, 2, 1]),
        client: "ssh".to_owned(),
        since: NOW,
        standing: Standing::Until(NOW),
        meter: Arc::default(),
        company: Arc::default(),
        proved: NOW,
        reproof: None,
        ground: None,
    }
}

#[test]
fn what_is_over_stays_over() {
    let sessions = Sessions::default();
    let (lease, (told, _)) = (line(1).session.lease(), sessions.enter(line(1)));
    sessions.tell(lease, Standing::Until(Time::from_micros(7)));
    assert_eq!(*told.borrow(), Standing::Until(Time::from_micros(7)));
    sessions.tell_over(line(1).grant, "its time is up");
    sessions.tell(lease, Standing::Over("it was ended".to_owned()));
    sessions.tell(lease, Standing::Until(Time::from_micros(9)));
    assert_eq!(*told.borrow(), Standing::Over("its time is up".to_owned()));
}

#[test]
fn what_a_session_stands_on_bounds_it() {
    let until = NOW.plus(Span::from_mins(5));
    let ground = |n: u8| {
        let (grant, lease) = (GrantId::mint(NOW, &[40 + n; 10]), LeaseId::mint(NOW, &[50 + n; 10]));
        Some(Ground { grant, lease, until })
    };
    let sessions = Sessions::default();
    let on = |n: u8| SessionLine { ground: ground(n), standing: Standing::Until(until), ..line(n) };
    let told: Vec<_> = [on(1), on(2), on(3), line(4)].map(|line| sessions.enter(line).0).into();
    let now = || told.iter().map(|told| told.borrow().clone()).collect::<Vec<_>>();
    // However long its grant lasts, what it was opened with is good no longer.
    for n in 1..=4 {
        sessions.tell(line(n).session.lease(), Standing::Until(NOW.plus(Span::from_hours(1))));
    }
    let all = now();
    assert!(all[..3].iter().all(|told| *told == Standing::Until(until)), "{all:?}");
    assert_eq!(all[3], Standing::Until(NOW.plus(Span::from_hours(1))));
    // That which it stands under ends, or its lease alone does.
    sessions.tell_over(ground(1).unwrap().grant, "its time is up");
    sessions.spread(vec![News::Ground(ground(2).unwrap().lease)]);
    let lost = Standing::Over(LOST_GROUND.to_owned());
    assert_eq!(now(), [lost.clone(), lost, Standing::Until(until), all[3].clone()]);
}

#[test]
fn who_is_to_be_told_is_found_by_grant_until_it_is_over() {
    let sessions = Sessions::default();
    let other = SessionLine { grant: GrantId::mint(NOW, &[8; 10]), ..line(3) };
    let (grant, another) = (line(1).grant, other.grant);
    let _hears = [sessions.enter(line(1)), sessions.enter(line(2)), sessions.enter(other)];
    let mut both = sessions.by_grant()[&grant].clone();
    both.sort();
    assert_eq!(both, [line(1).session.lease(), line(2).session.lease()]);
    assert_eq!(sessions.by_grant()[&another].len(), 1);
    sessions.tell(line(1).session.lease(), Standing::Over("it was ended".to_owned()));
    sessions.tell_over(another, "its time is up");
    assert_eq!(sessions.by_grant().into_iter().collect::<Vec<_>>(), [(grant, vec![line(2).session.lease()])]);
}

#[test]
fn a_proof_carries_the_sessions_of_its_person_and_only_once_policy_took_it() {
    let sessions = Sessions::default();
    let reproof = Reproof { every: Span::from_mins(30), grace: Span::from_mins(5), proved: NOW, asked: NOW };
    let anothers = SessionLine { holder: PersonId::mint(NOW, &[7; 10]), reproof: Some(reproof), ..line(2) };
    let (_hears, told) = sessions.enter(SessionLine { reproof: Some(reproof), ..line(1) });
    let (_others, others) = sessions.enter(anothers);
    let fresh = Fresh { person: line(1).holder, at: NOW.plus(Span::from_mins(31)), how: "passkey".to_owned() };
    let older = Fresh { at: NOW, ..fresh.clone() };
    let lease = line(1).session.lease();
    sessions.spread(vec![News::Proof(older)]);
    assert!(sessions.fresh().is_empty(), "policy is asked about what is known");
    assert!(sessions.proof_heard().now_or_never().is_none(), "whoever minds proofs is woken for nothing");
    sessions.spread(vec![News::Proof(fresh.clone())]);
    sessions.proof_heard().now_or_never().expect("nobody is woken");
    assert_eq!(sessions.fresh(), [(lease, line(1).grant, fresh.clone())]);
    // Policy does not take it, and then another that it takes.
    sessions.proved(lease, &fresh, false);
    assert_eq!((sessions.fresh(), told.borrow().unwrap().proved), (vec![], NOW));
    assert_eq!(sessions.turns(reproof.pauses()).len(), 2, "both are paused");
    sessions.turned(lease, Turn::Pauses);
    sessions.proved(lease, &fresh, true);
    assert_eq!(told.borrow().unwrap().proved, fresh.at);
    assert_eq!(others.borrow().unwrap().proved, NOW, "the proof of another");
    let turns = sessions.turns(fresh.at);
    assert!(turns.contains(&(lease, Turn::GoesOn)) && turns.contains(&(line(2).session.lease(), Turn::Pauses)));
}

/// A code that others make for somebody says nothing about who they are, and neither does a session that ends.
#[test]
fn a_proof_is_a_session_that_begins_and_no_other_token() {
    let later = NOW.plus(Span::from_mins(1));
    let kinds = [(TokenKind::Session, None, 1), (TokenKind::Session, Some(later), 0), (TokenKind::Enrol, None, 0)];
    for (kind, spent, heard) in kinds {
        let token = Token {
            id: TypedId::mint(NOW, &[70; 10]),
            kind,
            owner: TokenOwner::Person(line(1).holder),
            verifier: Vec::new(),
            at: later,
            proved: later,
            expires: later,
            used: later,
            spent,
            by: ProvedBy::PasswordAndCode,
        };
        let sessions = Sessions::default();
        let _hears = sessions.enter(line(1));
        sessions.spread(sessions.news(&[Write::Token(Put::new(token))]));
        assert_eq!(sessions.fresh().len(), heard, "{kind:?} {spent:?}");
    }
}

#[test]
fn what_policy_comes_to_ask_for_pauses_sessions_that_are_open() {
    let sessions = Sessions::default();
    let (half, five) = (Span::from_mins(30), Span::from_mins(5));
    let held = Reproof { every: Span::from_mins(10), grace: five, proved: NOW, asked: NOW };
    let (_plain, told) = sessions.enter(line(1));
    let (_strict, strict) = sessions.enter(SessionLine { reproof: Some(held), ..line(2) });
    let another = SessionLine { grant: GrantId::mint(NOW, &[8; 10]), ..line(3) };
    let (_another, others) = sessions.enter(another);
    sessions.tighten(line(1).grant, half, five, NOW);
    assert_eq!(*told.borrow(), Some(Reproof { every: half, grace: five, proved: NOW, asked: NOW }));
    assert_eq!(*strict.borrow(), Some(held), "it may wait longer than it was told");
    assert_eq!(*others.borrow(), None, "the sessions of another grant");
    assert_eq!(sessions.turns(NOW.plus(half)).len(), 2, "both are paused");
    // A proof carries it from then on as any other.
    let fresh = Fresh { person: line(1).holder, at: NOW.plus(half), how: "passkey".to_owned() };
    sessions.spread(vec![News::Proof(fresh.clone())]);
    sessions.proved(line(1).session.lease(), &fresh, true);
    assert_eq!(told.borrow().unwrap().pauses(), fresh.at.plus(half));
}

#[test]
fn who_is_asked_for_a_proof_late_has_the_time_to_give_it() {
    let sessions = Sessions::default();
    let (half, five) = (Span::from_mins(30), Span::from_mins(5));
    let (old, proven) = (line(1), SessionLine { grant: GrantId::mint(NOW, &[8; 10]), ..line(2) });
    let (_old, old_told) = sessions.enter(old.clone());
    let (_proven, proven_told) = sessions.enter(proven.clone());
    // A proof is kept where nothing asks for one yet.
    let late = NOW.plus(Span::from_hours(2));
    let fresh = Fresh { person: proven.holder, at: late.minus(five), how: "passkey".to_owned() };
    sessions.spread(vec![News::Proof(fresh.clone())]);
    assert_eq!(sessions.fresh().len(), 2);
    sessions.proved(proven.session.lease(), &fresh, true);
    sessions.proved(old.session.lease(), &fresh, false);
    for line in [&old, &proven] {
        sessions.tighten(line.grant, half, five, late);
    }
    let (old_told, proven_told) = (old_told.borrow().unwrap(), proven_told.borrow().unwrap());
    assert_eq!((old_told.pauses() < late, old_told.cuts()), (true, late.plus(five)));
    assert_eq!((proven_told.pauses(), proven_told.cuts()), (fresh.at.plus(half), fresh.at.plus(half).plus(five)));
    // Asked for more while it waits already, it does not wait longer.
    sessions.tighten(old.grant, Span::from_mins(10), five, late.plus(Span::from_mins(1)));
    assert!(sessions.line(old.session.lease()).unwrap().reproof.unwrap().cuts() <= late.plus(five));
}

/// It counts from when it was asked for, as far as a proof was good until then.
#[test]
fn who_is_asked_for_a_proof_more_often_has_the_time_to_give_it() {
    let sessions = Sessions::default();
    let held = Reproof { every: Span::from_mins(30), grace: Span::from_mins(5), proved: NOW, asked: NOW };
    let (_hears, told) = sessions.enter(SessionLine { reproof: Some(held), ..line(1) });
    let (every, asked) = (Span::from_mins(10), NOW.plus(Span::from_mins(20)));
    sessions.tighten(line(1).grant, every, held.grace, asked);
    assert_eq!(*told.borrow(), Some(Reproof { every, asked, ..held }));
}

/// A lease as it is about to be written.
fn lease(id: LeaseId, what: LeaseKind, end: Time, state: &LeaseState) -> Vec<Write> {
    let lease = wane_domain::stored::lease(LeaseData {
        id,
        grant: TypedId::mint(NOW, &[60; 10]),
        holder: line(1).holder,
        resource: line(1).resource,
        kind: "ssh".parse().unwrap(),
        role: line(1).role,
        what,
        artifact: artifact_name(id),
        object: None,
        notes: serde_json::Value::Null,
        standing: None,
        end,
        at: NOW,
        confirmed: None,
        debt: Debt::default(),
        state: state.clone(),
    });
    vec![Write::Lease(Put::new(lease))]
}

#[test]
fn what_is_written_of_a_lease_is_told_to_the_sessions_that_it_is_about() {
    let live = LeaseState::Live { since: NOW };
    let revoking = LeaseState::Revoking { since: NOW, was_live: true };
    let gone = LeaseState::Gone { at: NOW, basis: ClosureBasis::AbsentReadBack { proof: String::new() } };
    for over in [&revoking, &gone] {
        let (sessions, until) = (Sessions::default(), NOW.plus(Span::from_mins(5)));
        let credential = LeaseId::mint(NOW, &[50; 10]);
        let ground = Ground { grant: GrantId::mint(NOW, &[40; 10]), lease: credential, until };
        let (own, _) = sessions.enter(line(1));
        let (stands_on_it, _) = sessions.enter(SessionLine { ground: Some(ground), ..line(2) });
        let both = || (own.borrow().clone(), stands_on_it.borrow().clone());
        let write = |id, what, state| sessions.spread(sessions.news(&lease(id, what, until, state)));
        // Issued once more, and an account that ended: nothing of either.
        write(credential, LeaseKind::Credential, &live);
        write(credential, LeaseKind::Account, over);
        assert_eq!(both(), (Standing::Until(NOW), Standing::Until(NOW)));
        write(line(1).session.lease(), LeaseKind::Session, &live);
        assert_eq!(both(), (Standing::Until(until), Standing::Until(NOW)));
        write(credential, LeaseKind::Credential, over);
        assert_eq!(both(), (Standing::Until(until), Standing::Over(LOST_GROUND.to_owned())));
        write(line(1).session.lease(), LeaseKind::Session, over);
        assert_eq!(both().0, Standing::Over("it was ended".to_owned()));
    }
}

#[test]
fn a_closed_session_is_on_no_board_and_proves_it() {
    let sessions = Sessions::default();
    let _hears = [sessions.enter(line(1)), sessions.enter(line(2))];
    let (first, second) = (line(1).session.lease(), line(2).session.lease());
    sessions.closed(first, "both connections closed".to_owned());
    assert_eq!(sessions.lines().iter().map(|l| l.session.lease()).collect::<Vec<_>>(), [second]);
    assert_eq!(sessions.closing(first).unwrap().borrow().as_deref(), Some("both connections closed"));
    sessions.strike(first);
    assert!(!sessions.has(first) && sessions.closing(first).is_none() && sessions.has(second));
}

#[test]
fn what_passed_and_what_is_thought_of_it_are_counted() {
    let meter = Meter::default();
    assert_eq!((meter.read(), meter.verdict()), ((0, 0), (Verdict::Inside, 0)));
    for bytes in [3, 4] {
        meter.up(bytes);
        meter.down(10 * bytes);
        meter.found();
    }
    assert_eq!(meter.read(), (7, 70));
    for (verdict, called) in Verdict::ALL.into_iter().zip(["inside", "unknown", "outside"]) {
        meter.judged(verdict);
        assert_eq!((meter.verdict(), verdict.name()), ((verdict, 2), called));
    }
}
