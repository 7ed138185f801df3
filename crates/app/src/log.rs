//! Reading the trail: all of it for those who may, else what one did or what is about oneself.

use wane_audit::{Actor, Record};
use wane_policy::schema::Action;
use wane_store::{Page, RecordFilter, Sequenced, Slice};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

impl App {
    /// Records, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn records(
        &self,
        caller: &Caller,
        filter: RecordFilter,
        slice: Slice,
    ) -> Result<Page<Sequenced>, AppError> {
        let world = self.world().await?;
        let filter = if self.allows(caller, &world, Action::ReadLog)? {
            filter
        } else {
            match filter.person {
                Some(person) if person != caller.person => return Err(AppError::NotAllowed { what: "read_log" }),
                Some(_) | None => RecordFilter { person: Some(caller.person), ..filter },
            }
        };
        Ok(self.store.records(filter, slice).await?)
    }

    /// Records after a place in the trail that the caller may see, oldest first, and where the next call goes on.
    /// Waits until there is something new.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_records(&self, caller: &Caller, after: u64) -> Result<(Vec<Sequenced>, u64), AppError> {
        self.store.changed(after).await;
        // Asked anew each time: who may read may change while a stream is open.
        let world = self.world().await?;
        let all = self.allows(caller, &world, Action::ReadLog)?;
        let mut records = self.store.records_after(after, 500).await?;
        let last = records.last().map_or(after, |r| r.seq);
        records.retain(|r| all || concerns(caller, &r.record));
        Ok((records, last))
    }
}

fn concerns(caller: &Caller, record: &Record) -> bool {
    record.about.person == Some(caller.person) || record.actor == Actor::Person(caller.person)
}
