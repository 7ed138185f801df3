//! Booking what was ended without the store: a record of each, then the ordinary end, which reads back once more.
//!
//! INVARIANT: an entry leaves memory and journal only after its record is in the log and what it says
//! was said there, and its record is booked once however often it is tried
//! (held by `what_was_ended_without_the_store_is_booked_once`).

use serde_json::json;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::closure::EndCause;
use wane_domain::id::GrantId;
use wane_domain::lock::Lock;
use wane_failpoint::{around, point};
use wane_store::{Commit, Put, Seen, StoreError, Write};

use super::entry::{KeptWhere, What};
use super::spool::Pending;
use crate::App;
use crate::error::AppError;

/// How many records one commit carries.
const TOGETHER: usize = 100;

/// How a try to book came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// Nothing is left.
    All,
    /// There is more to book, at once.
    More,
}

impl App {
    /// Books some of what was ended without the store, oldest first.
    ///
    /// # Errors
    /// When the store cannot be used yet; everything that is not booked is kept.
    pub async fn book_storeless(&self) -> Result<Booked, AppError> {
        let spool = &self.storeless.spool;
        if let Some((since, why)) = self.storeless.trouble.state() {
            // That it is written is how it shows that the store can be written.
            let detail = json!({ "since": since, "why": why });
            self.book_records(vec![self.system_record("store.recovered", detail)]).await?;
        }
        let oldest = spool.oldest(TOGETHER);
        if oldest.is_empty() {
            return Ok(Booked::All);
        }
        let new: Vec<&(u64, Pending)> = oldest.iter().filter(|(_, pending)| !pending.recorded).collect();
        if !new.is_empty() {
            let records = new.iter().map(|(_, pending)| self.record_of(pending)).collect();
            match self.book_records(records).await {
                Ok(()) => {}
                // An earlier try, or an earlier process, booked some of them.
                Err(StoreError::Refused(_)) => {
                    for (_, pending) in &new {
                        match self.book_records(vec![self.record_of(pending)]).await {
                            Ok(()) | Err(StoreError::Refused(_)) => {}
                            Err(error) => return Err(error.into()),
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
            spool.recorded(&new.iter().map(|(seq, _)| *seq).collect::<Vec<_>>());
        }
        for (seq, Pending { entry, .. }) in oldest {
            match entry.what {
                What::Said { grant, cause } => self.say_late(entry.actor, grant, cause).await?,
                What::Locked { lock } => self.impose_late(entry.actor, entry.about, &lock).await?,
                What::Cut { .. } => {}
            }
            spool.booked(seq);
        }
        self.nudge();
        Ok(Booked::More)
    }

    async fn book_records(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let commit = Commit::new(Vec::new(), records).map_err(|e| StoreError::Refused(e.to_string()))?;
        around(point!("app.storeless.book"), self.store.commit(commit)).await?;
        self.storeless.trouble.over();
        Ok(())
    }

    fn system_record(&self, event: &str, detail: serde_json::Value) -> Record {
        Record {
            id: self.ambient.id(),
            org: self.org,
            at: self.now(),
            actor: Actor::System,
            event: event.to_owned(),
            outcome: Outcome::Done,
            about: Subjects::default(),
            detail,
        }
    }

    /// What the log says of an entry: what was done, when, by whom, and how it got there.
    fn record_of(&self, pending: &Pending) -> Record {
        let entry = &pending.entry;
        let (event, mut detail) = match &entry.what {
            What::Said { grant, cause } => ("storeless.said", json!({ "grant": grant, "cause": cause })),
            What::Cut { lease, artifact, basis } => {
                ("storeless.ended", json!({ "lease": lease, "artifact": artifact, "basis": basis }))
            }
            What::Locked { lock } => ("storeless.locked", json!({ "lock": lock.id, "target": lock.target })),
        };
        if let Some(detail) = detail.as_object_mut() {
            let kept = match pending.kept {
                Some(KeptWhere::Journal) => "journal",
                Some(KeptWhere::Memory) | None => "memory",
            };
            detail.insert("acted".to_owned(), json!(entry.at));
            detail.insert("kept_in".to_owned(), json!(kept));
        }
        Record {
            id: entry.id,
            org: self.org,
            at: self.now(),
            actor: entry.actor.clone(),
            event: event.to_owned(),
            outcome: Outcome::Done,
            about: entry.about.clone(),
            detail,
        }
    }

    /// Says in the store that a grant ends, as it was said without.
    async fn say_late(&self, actor: Actor, grant: GrantId, cause: EndCause) -> Result<(), AppError> {
        match self.say_end(actor.clone(), grant, cause).await {
            Ok(_) | Err(AppError::Missing { .. }) => Ok(()),
            // It was given more time by a commit that nobody waited for; what it gave access to is gone.
            Err(AppError::Illegal(why)) => {
                let reason = format!("what it gave was ended while the store could not be written ({why})");
                match self.say_end(actor, grant, EndCause::LostEligibility { reason }).await {
                    Ok(_) | Err(AppError::Illegal(_)) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn impose_late(&self, actor: Actor, about: Subjects, lock: &Lock) -> Result<(), AppError> {
        if self.seen(lock.id).await? != Seen::Nothing {
            return Ok(());
        }
        let (lock, fact) = Lock::impose(lock.id, lock.target, lock.reason.clone(), lock.by, lock.at);
        let mut change = self.change(actor, self.now());
        change.fact(about, fact);
        change.write(Write::Lock(Put::new(lock)));
        change.commit(point!("app.storeless.lock")).await.map(drop)
    }
}
