//! The book of sessions that this process carries through its gateway.
//!
//! Owns: what each session is told (until when, or that it is over), how much passed, and that it is
//! closed. It is memory only: a session lives exactly as long as the process that holds its sockets, so
//! what is not in the book has no connection. Refuses to know: sockets, protocols, the store.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use wane_domain::closure::EndCause;
use wane_domain::grant::GrantState;
use wane_domain::id::{GrantId, LeaseId, PersonId, ResourceId, RoleId, SessionId};
use wane_domain::lease::{Lease, LeaseKind, LeaseState};
use wane_domain::time::{Span, Time};
use wane_store::Write;

use crate::company::Company;
use crate::introduced::Ground;
use crate::reproof::{Fresh, Reproof, Turn, of_token};

/// Why a session is over that was opened with a credential of another grant.
const LOST_GROUND: &str = "the credential it was opened with is over";

/// What a session is told by those who decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may go on until this moment.
    Until(Time),
    /// It is over, and why.
    Over(String),
}

/// Whether a session stayed inside what its role names, as far as that can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// All that was done is known, and is what the role names.
    #[default]
    Inside,
    /// Nobody here knows all that was done.
    Unknown,
    /// Something was asked for that the role does not name, or a rule found something.
    Outside,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Inside, Self::Unknown, Self::Outside];

    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Unknown => "unknown",
            Self::Outside => "outside",
        }
    }
}

/// How much passed, counted by whoever carries it, and what they think of it so far.
#[derive(Debug, Default)]
pub struct Meter {
    up: AtomicU64,
    down: AtomicU64,
    verdict: AtomicU8,
    findings: AtomicU32,
}

impl Meter {
    /// So many bytes went to the target.
    pub fn up(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes came from the target.
    pub fn down(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// This is what is thought of it so far.
    pub fn judged(&self, verdict: Verdict) {
        let place = Verdict::ALL.iter().position(|known| *known == verdict).and_then(|place| u8::try_from(place).ok());
        self.verdict.store(place.unwrap_or_default(), Ordering::Relaxed);
    }

    /// A rule found something.
    pub fn found(&self) {
        self.findings.fetch_add(1, Ordering::Relaxed);
    }

    /// What is thought of it so far, and how often rules found something.
    #[must_use]
    pub fn verdict(&self) -> (Verdict, u32) {
        let verdict = Verdict::ALL.get(usize::from(self.verdict.load(Ordering::Relaxed))).copied().unwrap_or_default();
        (verdict, self.findings.load(Ordering::Relaxed))
    }

    /// Bytes to the target, and from it.
    #[must_use]
    pub fn read(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }
}

/// A session as a board shows it.
#[derive(Clone, Debug)]
pub struct SessionLine {
    /// Which.
    pub session: SessionId,
    /// The grant it hangs under.
    pub grant: GrantId,
    /// Whose it is.
    pub holder: PersonId,
    /// On what.
    pub resource: ResourceId,
    /// As what.
    pub role: RoleId,
    /// The login name there.
    pub login: String,
    /// Where the person comes from.
    pub peer: IpAddr,
    /// What their program calls itself.
    pub client: String,
    /// Since when.
    pub since: Time,
    /// What it was told last.
    pub standing: Standing,
    /// How much passed.
    pub meter: Arc<Meter>,
    /// Who is there besides.
    pub company: Arc<Company>,
    /// When its person had proved who they are as it began.
    pub proved: Time,
    /// How long the last proof of identity carries it, if it has to be proved again.
    pub reproof: Option<Reproof>,
    /// What it stands on besides its grant, if it was opened with a credential of another.
    pub ground: Option<Ground>,
}

/// A session of the book.
#[derive(Debug)]
struct Entry {
    line: SessionLine,
    told: watch::Sender<Standing>,
    /// How long its person's proof carries it, where it has to be proved again.
    proof: watch::Sender<Option<Reproof>>,
    /// A newer one, which policy has not been asked about yet.
    fresh: Option<Fresh>,
    /// The log says that it is paused.
    paused: bool,
    /// What proves that nothing of it is left.
    closed: watch::Sender<Option<String>>,
}

/// The book, and whether somebody proved who they are whom a session waits for.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<LeaseId, Entry>>, Notify);

/// What a commit has to tell a session.
#[derive(Debug)]
pub(crate) enum News {
    Lease(LeaseId, Standing),
    /// What was handed out under this lease is over.
    Ground(LeaseId),
    Grant(GrantId, String),
    Proof(Fresh),
}

impl Sessions {
    fn book(&self) -> MutexGuard<'_, HashMap<LeaseId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a session, before the store is told.
    pub(crate) fn enter(&self, line: SessionLine) -> (watch::Receiver<Standing>, watch::Receiver<Option<Reproof>>) {
        let (told, hears) = watch::channel(line.standing.clone());
        let (proof, proves) = watch::channel(line.reproof);
        let entry = Entry { told, proof, fresh: None, paused: false, closed: watch::channel(None).0, line };
        self.book().insert(entry.line.session.lease(), entry);
        (hears, proves)
    }

    /// Waits until somebody proved who they are whose session has to have it proved again.
    pub(crate) async fn proof_heard(&self) {
        self.1.notified().await;
    }

    /// The sessions whose person has a newer proof that policy has not been asked about.
    pub(crate) fn fresh(&self) -> Vec<(LeaseId, GrantId, Fresh)> {
        let book = self.book();
        book.iter().filter_map(|(lease, entry)| Some((*lease, entry.line.grant, entry.fresh.clone()?))).collect()
    }

    /// What policy said of a proof: whether it carries a session. One that came meanwhile is asked about next.
    pub(crate) fn proved(&self, lease: LeaseId, fresh: &Fresh, carries: bool) {
        if let Some(entry) = self.book().get_mut(&lease) {
            if entry.fresh.as_ref() == Some(fresh) {
                entry.fresh = None;
            }
            if carries {
                // Kept where nothing asks for it too: something may come to.
                entry.line.proved = entry.line.proved.max(fresh.at);
                if let Some(reproof) = &mut entry.line.reproof {
                    reproof.proved = reproof.proved.max(fresh.at);
                    entry.proof.send_replace(Some(*reproof));
                }
            }
        }
    }

    /// Has the sessions of a grant prove who their person is at least so often from now on.
    ///
    /// INVARIANT: what a policy or a fact comes to ask for counts for sessions that are open, and nothing lets them wait longer
    /// than they were told (held by `what_policy_comes_to_ask_for_pauses_sessions_that_are_open`).
    pub(crate) fn tighten(&self, grant: GrantId, every: Span, grace: Span, now: Time) {
        for entry in self.book().values_mut().filter(|entry| entry.line.grant == grant) {
            let stricter = match entry.line.reproof {
                Some(held) if held.every <= every => continue,
                Some(held) => Reproof { every, asked: held.pauses().min(now), ..held },
                None => Reproof { every, grace, proved: entry.line.proved, asked: now },
            };
            entry.line.reproof = Some(stricter);
            entry.proof.send_replace(Some(stricter));
            self.1.notify_one();
        }
    }

    /// The sessions that are paused or go on, and of which the log says otherwise.
    pub(crate) fn turns(&self, now: Time) -> Vec<(LeaseId, Turn)> {
        let turn = |entry: &Entry| {
            let paused = entry.line.reproof?.pauses() <= now;
            (paused != entry.paused).then_some(if paused { Turn::Pauses } else { Turn::GoesOn })
        };
        self.book().iter().filter_map(|(lease, entry)| Some((*lease, turn(entry)?))).collect()
    }

    /// The log says so.
    pub(crate) fn turned(&self, lease: LeaseId, turn: Turn) {
        if let Some(entry) = self.book().get_mut(&lease) {
            entry.paused = turn == Turn::Pauses;
        }
    }

    /// Strikes a session off: it never began, or its end is in the store.
    pub(crate) fn strike(&self, lease: LeaseId) {
        self.book().remove(&lease);
    }

    /// Whether this process carries it.
    pub(crate) fn has(&self, lease: LeaseId) -> bool {
        self.book().contains_key(&lease)
    }

    /// Tells a session where it stands. What is over stays so.
    pub(crate) fn tell(&self, lease: LeaseId, standing: Standing) {
        if let Some(entry) = self.book().get_mut(&lease) {
            entry.tell(standing);
        }
    }

    /// Tells every session of a grant that it is over, and each that stands on it besides its own.
    pub(crate) fn tell_over(&self, grant: GrantId, why: &str) {
        for entry in self.book().values_mut() {
            if entry.line.grant == grant {
                entry.tell(Standing::Over(why.to_owned()));
            } else if entry.line.ground.is_some_and(|ground| ground.grant == grant) {
                entry.tell(Standing::Over(LOST_GROUND.to_owned()));
            }
        }
    }

    /// Tells every session that was opened with what was handed out under a lease that it is over.
    fn tell_lost_ground(&self, lease: LeaseId) {
        let stands_on = |entry: &&mut Entry| entry.line.ground.is_some_and(|ground| ground.lease == lease);
        for entry in self.book().values_mut().filter(stands_on) {
            entry.tell(Standing::Over(LOST_GROUND.to_owned()));
        }
    }

    /// Nothing of a session is left.
    pub(crate) fn closed(&self, lease: LeaseId, proof: String) {
        if let Some(entry) = self.book().get(&lease) {
            entry.closed.send_replace(Some(proof));
        }
    }

    /// What will prove that a session is closed; nothing if this process does not carry it.
    pub(crate) fn closing(&self, lease: LeaseId) -> Option<watch::Receiver<Option<String>>> {
        self.book().get(&lease).map(|entry| entry.closed.subscribe())
    }

    /// One session.
    pub(crate) fn line(&self, lease: LeaseId) -> Option<SessionLine> {
        self.book().get(&lease).map(|entry| entry.line.clone())
    }

    /// Those that are open, oldest first.
    pub(crate) fn lines(&self) -> Vec<SessionLine> {
        let open = |entry: &&Entry| entry.closed.borrow().is_none();
        let mut lines: Vec<_> = self.book().values().filter(open).map(|entry| entry.line.clone()).collect();
        lines.sort_by_key(|line| line.session);
        lines
    }

    /// Those that were not told yet that they are over, by their grant.
    pub(crate) fn by_grant(&self) -> BTreeMap<GrantId, Vec<LeaseId>> {
        let mut grants = BTreeMap::<_, Vec<_>>::new();
        for (lease, entry) in self.book().iter().filter(|(_, entry)| matches!(entry.line.standing, Standing::Until(_)))
        {
            grants.entry(entry.line.grant).or_default().push(*lease);
        }
        grants
    }

    /// What a commit will have to tell, once it is on disk.
    pub(crate) fn news(&self, writes: &[Write]) -> Vec<News> {
        if self.book().is_empty() {
            return Vec::new();
        }
        // A grant's cause says more than its leases' ends, and what was said first stays.
        let mut news: Vec<News> = writes.iter().filter_map(of_grant).collect();
        news.extend(writes.iter().filter_map(of_lease));
        news.extend(writes.iter().filter_map(of_ground));
        news.extend(writes.iter().filter_map(of_token).map(News::Proof));
        news
    }

    fn heard_proof(&self, fresh: &Fresh) {
        for entry in self.book().values_mut().filter(|entry| entry.line.holder == fresh.person) {
            let known = entry.line.reproof.map_or(entry.line.proved, |held| held.proved);
            if entry.fresh.as_ref().map_or(known, |newer| newer.at.max(known)) < fresh.at {
                entry.fresh = Some(fresh.clone());
                self.1.notify_one();
            }
        }
    }

    /// Tells it.
    pub(crate) fn spread(&self, news: Vec<News>) {
        for one in news {
            match one {
                News::Lease(lease, standing) => self.tell(lease, standing),
                News::Ground(lease) => self.tell_lost_ground(lease),
                News::Grant(grant, why) => self.tell_over(grant, &why),
                News::Proof(fresh) => self.heard_proof(&fresh),
            }
        }
    }
}

impl Entry {
    fn tell(&mut self, standing: Standing) {
        // INVARIANT: nothing goes on after what it was opened with has run out (held by `what_a_session_stands_on_bounds_it`).
        let standing = match (standing, self.line.ground) {
            (Standing::Until(end), Some(ground)) => Standing::Until(end.min(ground.until)),
            (standing, _) => standing,
        };
        // INVARIANT: no word brings back a session that is over (held by `what_is_over_stays_over`).
        if matches!(self.line.standing, Standing::Over(_)) || self.line.standing == standing {
            return;
        }
        self.line.standing = standing.clone();
        self.told.send_replace(standing);
    }
}

fn of_grant(write: &Write) -> Option<News> {
    let Write::Grant(put) = write else { return None };
    match &put.value.state {
        GrantState::Ending { cause, .. } => Some(News::Grant(put.value.id, in_words(cause))),
        GrantState::Closed { closure, .. } => Some(News::Grant(put.value.id, in_words(&closure.cause))),
        GrantState::Scheduled | GrantState::Active { .. } => None,
    }
}

fn of_lease(write: &Write) -> Option<News> {
    let Write::Lease(put) = write else { return None };
    standing_of(&put.value).map(|standing| News::Lease(put.value.id, standing))
}

/// Whether a lease under which a credential was handed out is over.
fn of_ground(write: &Write) -> Option<News> {
    let Write::Lease(put) = write else { return None };
    let over = matches!(put.value.state, LeaseState::Revoking { .. } | LeaseState::Gone { .. });
    (put.value.what == LeaseKind::Credential && over).then_some(News::Ground(put.value.id))
}

/// Where a lease puts its session; nothing if it stands for something else.
pub(crate) fn standing_of(lease: &Lease) -> Option<Standing> {
    if lease.what != LeaseKind::Session {
        return None;
    }
    Some(match lease.state {
        LeaseState::Intended | LeaseState::Live { .. } => Standing::Until(lease.end),
        LeaseState::Revoking { .. } | LeaseState::Gone { .. } => Standing::Over("it was ended".to_owned()),
    })
}

/// Why a grant ended, for whoever sits in its session.
pub(crate) fn in_words(cause: &EndCause) -> String {
    match cause {
        EndCause::Expired => "its time is up".to_owned(),
        EndCause::Returned => "it was given back".to_owned(),
        EndCause::Revoked { reason, .. } => format!("it was revoked: {reason}"),
        EndCause::DeniedAfterApproval { reason, .. } => format!("its approval was taken back: {reason}"),
        EndCause::Locked { .. } => "a lock covers it".to_owned(),
        EndCause::LostEligibility { reason } => format!("policy no longer allows it: {reason}"),
        EndCause::NeverActivated => "it was never activated".to_owned(),
        EndCause::TakenAway { seen } => format!("somebody took at the target what it gave: {seen}"),
        EndCause::TaskDone { outcome } => format!("its task is done: {outcome}"),
        EndCause::JobOver { how } => format!("the job that it was for is over: {how}"),
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId;

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
        sessions.spread(vec![News::Proof(older), News::Proof(fresh.clone())]);
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
}
