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
mod tests;
