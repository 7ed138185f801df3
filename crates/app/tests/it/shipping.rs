//! Recordings on their way to an object store: whatever fails at whichever step, one that is not deleted can be read
//! somewhere that is written down, and in the end it is there once.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use wane_app::listing::{Recording, RecordingState, StoredObject};
use wane_app::{Afar, Depot, DepotError, OnFailure, Recordings, Rules, Shipped, Tape, Waiting, Which};
use wane_connector::broker::Files;
use wane_domain::id::SessionId;
use wane_domain::time::Span;
use wane_recording::{Header, SessionKey};
use wane_store::{Lies, RecordFilter, RecordingEnd, Slice, Store, Write};

use crate::faulty::Goes;
use crate::house::{House, mins};

/// What goes wrong once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The object store is away before it does something.
    Away,
    /// It does it, and the answer is lost.
    Lost,
    /// It refuses this one.
    Refused,
    /// The file cannot be removed.
    File,
    /// The store of rows cannot be written.
    Rows,
    /// The process dies and comes back.
    Dies,
    /// The recording's time is up.
    Deleted,
}

const FAULTS: [Fault; 7] =
    [Fault::Away, Fault::Lost, Fault::Refused, Fault::File, Fault::Rows, Fault::Dies, Fault::Deleted];

/// A folder and an object store in memory.
#[derive(Default)]
struct Places {
    files: Mutex<BTreeMap<SessionId, Vec<u8>>>,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    fault: Mutex<Option<Fault>>,
}

impl Places {
    fn takes(&self, one: Fault) -> bool {
        let mut fault = self.fault.lock().unwrap();
        let takes = *fault == Some(one);
        if takes {
            *fault = None;
        }
        takes
    }

    fn before(&self) -> Result<(), DepotError> {
        if self.takes(Fault::Away) {
            return Err(DepotError::Away("nobody answers".to_owned()));
        }
        if self.takes(Fault::Refused) {
            return Err(DepotError::This("not this one".to_owned()));
        }
        Ok(())
    }

    fn after<T>(&self, done: T) -> Result<T, DepotError> {
        if self.takes(Fault::Lost) { Err(DepotError::Away("no answer came".to_owned())) } else { Ok(done) }
    }
}

#[async_trait]
impl Recordings for Places {
    async fn begin(&self, _: &Header, _: SessionKey) -> Result<Arc<dyn Tape>, String> {
        Err("nothing is recorded here".to_owned())
    }
    fn read(&self, session: SessionId) -> Result<Option<Box<dyn Read + Send + Sync>>, String> {
        let file = self.files.lock().unwrap().get(&session).cloned();
        Ok(file.map(|file| Box::new(Cursor::new(file)) as Box<dyn Read + Send + Sync>))
    }
    fn all(&self) -> Result<Vec<SessionId>, String> {
        Ok(self.files.lock().unwrap().keys().copied().collect())
    }
    fn remove(&self, session: SessionId) -> Result<(), String> {
        if self.takes(Fault::File) {
            return Err("the folder is read-only".to_owned());
        }
        self.files.lock().unwrap().remove(&session);
        Ok(())
    }
}

#[async_trait]
impl Depot for Places {
    fn name_of(&self, session: SessionId) -> Result<String, DepotError> {
        Ok(format!("wane/{session}"))
    }
    async fn put(&self, session: SessionId) -> Result<Option<StoredObject>, DepotError> {
        self.before()?;
        let Some(file) = self.files.lock().unwrap().get(&session).cloned() else { return Ok(None) };
        let name = self.name_of(session)?;
        let there = self.objects.lock().unwrap().entry(name.clone()).or_insert_with(|| file.clone()).clone();
        if there != file {
            return Err(DepotError::This("something else is there".to_owned()));
        }
        self.after(Some(StoredObject { name, bytes: file.len() as u64, sha256: [1; 32].into() }))
    }
    async fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send + Sync>>, DepotError> {
        let object = self.objects.lock().unwrap().get(name).cloned();
        Ok(object.map(|object| Box::new(Cursor::new(object)) as Box<dyn Read + Send + Sync>))
    }
    async fn remove(&self, name: &str) -> Result<(), DepotError> {
        self.before()?;
        self.objects.lock().unwrap().remove(name);
        self.after(())
    }
    async fn sweep(&self) -> Result<usize, DepotError> {
        self.before()?;
        let mut objects = self.objects.lock().unwrap();
        let there = objects.len();
        objects.retain(|name, _| !name.starts_with("part/"));
        Ok(there - objects.len())
    }
}

const KEEP: Span = Span::from_hours(24);

struct Yard {
    house: House,
    places: Arc<Places>,
}

impl Yard {
    async fn new() -> Self {
        let mut yard = Self { house: House::new().await, places: Arc::default() };
        yard.dies();
        yard
    }

    fn dies(&mut self) {
        self.house.reopen();
        let rules =
            Rules { which: Which::All, on_failure: OnFailure::Close, keep: Some(KEEP), files: Files::default() };
        let afar = Afar { depot: Arc::<Places>::clone(&self.places), keep_local: Span::from_secs(0) };
        self.house.app.record_in(Some(Arc::<Places>::clone(&self.places)), rules, Some(afar));
    }

    /// A recording of a session that is over.
    async fn recording(&self, state: RecordingState) -> SessionId {
        let (ambient, at) = (&self.house.ambient, self.house.ambient.now());
        let end =
            RecordingEnd { at, state, chunks: 1, bytes: 3, root: None, why: None, facts: serde_json::Value::Null };
        let recording = Recording {
            session: ambient.id(),
            grant: ambient.id(),
            holder: ambient.id(),
            resource: ambient.id(),
            role: ambient.id(),
            login: "deploy".to_owned(),
            began: at,
            end: Some(end),
            deleted: None,
            lies: Lies::Local,
        };
        let session = recording.session;
        self.house.write(vec![Write::Recording(recording)]).await;
        self.places.files.lock().unwrap().insert(session, session.to_string().into_bytes());
        session
    }

    async fn row(&self, session: SessionId) -> Recording {
        self.house.store.recording(session).await.unwrap().unwrap()
    }

    /// Whatever happened: it can be read where its row says, or its row says that it is deleted.
    async fn holds(&self, session: SessionId, why: &str) {
        let row = self.row(session).await;
        let whole = session.to_string().into_bytes();
        let file = self.places.files.lock().unwrap().get(&session).cloned();
        let object =
            row.lies.object().and_then(|object| self.places.objects.lock().unwrap().get(&object.name).cloned());
        if row.deleted.is_some() {
            return;
        }
        match row.lies {
            Lies::Local => assert_eq!(file, Some(whole), "{why}"),
            Lies::Both(_) | Lies::Store(_) => assert_eq!(object, Some(whole), "{why}"),
            Lies::Gone => panic!("{why}: it is gone and was never deleted"),
        }
        if matches!(row.lies, Lies::Store(_)) {
            assert_eq!(file, None, "{why}");
        }
    }

    async fn noted(&self, session: SessionId, event: &str) -> usize {
        let filter = RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() };
        let page = self.house.store.records(filter, Slice::first(1_000)).await.unwrap();
        let of = |record: &&wane_store::Sequenced| record.record.detail["session"] == session.to_string();
        page.items.iter().filter(of).count()
    }

    /// One recording, through passes in which this goes wrong.
    async fn survives(&mut self, faults: [Option<Fault>; 3]) {
        let why = format!("{faults:?}");
        let session = self.recording(RecordingState::Whole).await;
        for fault in faults {
            self.pass(fault).await;
            self.holds(session, &why).await;
        }
        let row = self.row(session).await;
        let stored = self.noted(session, "recording.stored").await;
        let moved = self.noted(session, "recording.moved").await;
        if row.deleted.is_none() {
            assert!(matches!(row.lies, Lies::Store(_)), "{why}: {row:?}");
            assert_eq!((stored, moved), (1, 1), "{why}");
        } else {
            assert_eq!(row.lies, Lies::Gone, "{why}");
            assert!(stored <= 1 && moved <= stored, "{why}");
            assert_eq!(self.noted(session, "recording.removed").await, 1, "{why}");
            assert!(self.places.objects.lock().unwrap().is_empty(), "{why}");
        }
        assert!(self.places.files.lock().unwrap().is_empty(), "{why}");
        // Cleared away before the next.
        self.pass(Some(Fault::Deleted)).await;
        assert!(self.places.objects.lock().unwrap().is_empty(), "{why}");
    }

    async fn pass(&mut self, fault: Option<Fault>) {
        *self.places.fault.lock().unwrap() = fault;
        match fault {
            Some(Fault::Rows) => self.house.door.writes(Goes::Failing),
            Some(Fault::Dies) => self.dies(),
            Some(Fault::Deleted) => {
                self.house.advance(KEEP);
                self.house.advance(mins(1));
                self.house.app.delete_old_recordings().await.unwrap();
            }
            _ => {}
        }
        let passed = self.house.app.ship_recordings().await;
        assert!(passed.is_ok() || fault == Some(Fault::Rows), "{fault:?}: {passed:?}");
        self.house.door.writes(Goes::Well);
        *self.places.fault.lock().unwrap() = None;
        // Past the wait of one that failed by itself.
        self.house.advance(mins(11));
    }
}

/// INVARIANT of `leave_folder`, with every fault in every one of two passes.
#[tokio::test]
async fn a_file_goes_only_after_its_object_is_written_down() {
    let mut yard = Yard::new().await;
    let choices: Vec<Option<Fault>> = FAULTS.map(Some).into_iter().chain([None]).collect();
    for first in &choices {
        for second in &choices {
            yard.survives([*first, *second, None]).await;
        }
    }
}

#[tokio::test]
async fn one_that_was_cut_off_waits_for_its_last_chunk_and_one_of_which_nothing_is_for_nothing() {
    let mut yard = Yard::new().await;
    let cut = yard.recording(RecordingState::Cut).await;
    let lost = yard.recording(RecordingState::Lost).await;
    yard.house.app.ship_recordings().await.unwrap();
    assert_eq!(yard.row(cut).await.lies, Lies::Local);
    assert_eq!(yard.house.app.waiting_recordings().await.unwrap().count, 1);
    yard.house.advance(mins(1));
    yard.pass(None).await;
    assert!(matches!(yard.row(cut).await.lies, Lies::Store(_)));
    assert_eq!(yard.row(lost).await.lies, Lies::Local);
    assert_eq!(yard.house.app.waiting_recordings().await.unwrap().count, 0);
}

#[tokio::test]
async fn one_that_cannot_be_put_keeps_no_other_waiting_and_is_tried_later_and_later() {
    let yard = Yard::new().await;
    let stuck = yard.recording(RecordingState::Whole).await;
    yard.places.objects.lock().unwrap().insert(format!("wane/{stuck}"), b"of somebody else".to_vec());
    let mut tries = 0;
    for _ in 0..100 {
        let other = yard.recording(RecordingState::Whole).await;
        let shipped = yard.house.app.ship_recordings().await.unwrap();
        assert_eq!((shipped.put, shipped.moved, &shipped.away), (1, 1, &None), "{shipped:?}");
        assert!(matches!(yard.row(other).await.lies, Lies::Store(_)));
        tries += shipped.failed;
        yard.house.advance(Span::from_secs(30));
    }
    // 50 minutes: after 10, 20, … seconds, then every ten minutes.
    assert!((6..=14).contains(&tries), "{tries}");
    assert_eq!(yard.row(stuck).await.lies, Lies::Local);
    let waiting = yard.house.app.waiting_recordings().await.unwrap();
    assert_eq!((waiting.count, waiting.oldest), (1, yard.row(stuck).await.end.map(|end| end.at)));
}

#[tokio::test]
async fn a_file_that_a_crash_brought_back_goes_again() {
    let mut yard = Yard::new().await;
    let session = yard.recording(RecordingState::Whole).await;
    yard.pass(None).await;
    assert!(yard.places.files.lock().unwrap().is_empty());
    yard.places.files.lock().unwrap().insert(session, b"half of it, out of a journal".to_vec());
    yard.house.app.delete_old_recordings().await.unwrap();
    assert!(yard.places.files.lock().unwrap().is_empty());
    assert_eq!(yard.row(session).await.deleted, None, "its time is not up");
    yard.holds(session, "still there").await;
}

/// Whose session goes on, and what is deleted already, are not to be put.
#[tokio::test]
async fn what_waits_to_be_put_is_over_and_there() {
    let mut yard = Yard::new().await;
    yard.recording(RecordingState::Whole).await;
    yard.pass(Some(Fault::Away)).await;
    assert_eq!(yard.house.app.waiting_recordings().await.unwrap().count, 1);
    yard.house.advance(KEEP);
    yard.house.app.delete_old_recordings().await.unwrap();
    let session = yard.recording(RecordingState::Whole).await;
    let goes_on = Recording { end: None, ..yard.row(session).await };
    yard.house.write(vec![Write::Recording(goes_on)]).await;
    assert_eq!(yard.house.app.waiting_recordings().await.unwrap(), Waiting::default());
}

#[tokio::test]
async fn what_is_removed_is_not_asked_for_again() {
    let mut yard = Yard::new().await;
    yard.recording(RecordingState::Whole).await;
    yard.pass(None).await;
    yard.house.advance(KEEP);
    yard.house.app.delete_old_recordings().await.unwrap();
    assert_eq!(yard.house.app.ship_recordings().await.unwrap(), Shipped { removed: 1, ..Shipped::default() });
    *yard.places.fault.lock().unwrap() = Some(Fault::Away);
    assert_eq!(yard.house.app.ship_recordings().await.unwrap(), Shipped::default(), "somebody asked");
}

/// A step that is done at last says nothing about the next.
#[tokio::test]
async fn what_went_on_waits_as_at_first_when_it_fails_again() {
    let yard = Yard::new().await;
    yard.recording(RecordingState::Whole).await;
    let ships = async |fault| {
        *yard.places.fault.lock().unwrap() = Some(fault);
        yard.house.app.ship_recordings().await.unwrap()
    };
    let failed = Shipped { failed: 1, ..Shipped::default() };
    for wait in [10, 20] {
        assert_eq!(ships(Fault::Refused).await, failed);
        yard.house.advance(Span::from_secs(wait));
    }
    assert_eq!(ships(Fault::File).await, Shipped { put: 1, ..failed });
    yard.house.advance(Span::from_secs(10));
    assert_eq!(yard.house.app.ship_recordings().await.unwrap().moved, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cut_off_tries_left_is_cleared_away_where_there_is_an_object_store() {
    let mut yard = Yard::new().await;
    let session = yard.recording(RecordingState::Whole).await;
    yard.pass(None).await;
    for part in ["part/1", "part/2"] {
        yard.places.objects.lock().unwrap().insert(part.to_owned(), Vec::new());
    }
    assert_eq!(yard.house.app.sweep_depot().await, Ok(2));
    assert_eq!(yard.house.app.sweep_depot().await, Ok(0));
    yard.holds(session, "it is no part").await;
    *yard.places.fault.lock().unwrap() = Some(Fault::Away);
    assert!(matches!(yard.house.app.sweep_depot().await, Err(DepotError::Away(_))));
    yard.house.reopen();
    assert_eq!(yard.house.app.sweep_depot().await, Ok(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_wait_is_what_was_counted_last() {
    let mut yard = Yard::new().await;
    assert_eq!(yard.house.app.recordings_waiting(), 0);
    for _ in 0..2 {
        yard.recording(RecordingState::Whole).await;
    }
    assert_eq!(yard.house.app.waiting_recordings().await.unwrap().count, 2);
    assert_eq!(yard.house.app.recordings_waiting(), 2);
    yard.pass(None).await;
    assert_eq!(yard.house.app.recordings_waiting(), 2, "nobody counted since");
    yard.house.app.waiting_recordings().await.unwrap();
    assert_eq!(yard.house.app.recordings_waiting(), 0);
}

/// What lies in the folder, and what is deleted, is missed by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_out_of_reach_that_lie_in_an_object_store_which_is_not_set() {
    let mut yard = Yard::new().await;
    let out_of_reach = async |yard: &Yard| yard.house.app.recordings_are_out_of_reach().await.unwrap();
    let moved = yard.recording(RecordingState::Whole).await;
    yard.pass(None).await;
    yard.recording(RecordingState::Whole).await;
    assert!(matches!(yard.row(moved).await.lies, Lies::Store(_)));
    assert!(!out_of_reach(&yard).await);
    yard.house.reopen();
    assert!(out_of_reach(&yard).await);
    let deleted = Recording { deleted: Some(yard.house.app.now()), ..yard.row(moved).await };
    yard.house.write(vec![Write::Recording(deleted)]).await;
    assert!(!out_of_reach(&yard).await);
}
