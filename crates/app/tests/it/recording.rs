//! Which sessions are recorded, and that each recording is read with its own key and no other.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use wane_app::{
    Afar, AppError, At, Depot, DepotError, Membership, OnFailure, Playing, Purpose, RecordOutcome, Recordings, Rules,
    Searched, SessionEnd, Sought, Tape, Taped, Which, Within,
};
use wane_connector::broker::Files;
use wane_domain::id::{PersonId, ResourceId, SessionId};
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_recording::{Ending, Event, Header, Piece, Press, Recorder, SessionKey};
use wane_store::{
    Lies, RecordFilter, Recording, RecordingEnd, RecordingFilter, RecordingState, Slice, Store as _, StoredObject,
    Write,
};

use crate::house::{House, ask, denied, granted, mins, name};
use crate::tasks::{claim, closed, session_as};

/// Keeps of each session that something was said in it.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<SessionId, Vec<u8>>>);

struct Kept;

#[async_trait]
impl Tape for Kept {
    async fn event(&self, _: Time, _: &Event<'_>) -> Result<(), String> {
        Ok(())
    }
    async fn finish(&self, _: Time, _: &str) -> Result<Taped, String> {
        Err("it does not end here".to_owned())
    }
}

#[async_trait]
impl Recordings for Shelf {
    async fn begin(&self, header: &Header, key: SessionKey) -> Result<Arc<dyn Tape>, String> {
        let (mut recorder, mut sealer, mut file) = Recorder::begin(header, key).unwrap();
        let refused = Event::Refused { channel: None, what: format!("port 25 in {}", header.session).into() };
        recorder.event(header.began, &refused).unwrap();
        sealer.seal(&mut Press::new().unwrap(), &recorder.take_away(), &mut file).unwrap();
        self.0.lock().unwrap().insert(header.session, file);
        Ok(Arc::new(Kept))
    }
    fn read(&self, session: SessionId) -> Result<Option<Box<dyn Read + Send + Sync>>, String> {
        let file = self.0.lock().unwrap().get(&session).cloned();
        Ok(file.map(|file| Box::new(Cursor::new(file)) as Box<dyn Read + Send + Sync>))
    }
    fn all(&self) -> Result<Vec<SessionId>, String> {
        Ok(self.0.lock().unwrap().keys().copied().collect())
    }
    fn remove(&self, session: SessionId) -> Result<(), String> {
        self.0.lock().unwrap().remove(&session);
        Ok(())
    }
}

#[async_trait]
impl Depot for Shelf {
    fn name_of(&self, session: SessionId) -> Result<String, DepotError> {
        Ok(session.to_string())
    }
    async fn put(&self, _: SessionId) -> Result<Option<StoredObject>, DepotError> {
        Ok(None)
    }
    async fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send + Sync>>, DepotError> {
        let session = self.0.lock().unwrap().keys().copied().find(|session| session.to_string() == name);
        Ok(session.and_then(|session| self.read(session).unwrap()))
    }
    async fn remove(&self, _: &str) -> Result<(), DepotError> {
        Ok(())
    }
    async fn sweep(&self) -> Result<usize, DepotError> {
        Ok(0)
    }
}

/// One that has no room.
struct Full;

#[async_trait]
impl Recordings for Full {
    async fn begin(&self, _: &Header, _: SessionKey) -> Result<Arc<dyn Tape>, String> {
        Err("it is full".to_owned())
    }
    fn read(&self, _: SessionId) -> Result<Option<Box<dyn Read + Send + Sync>>, String> {
        Ok(None)
    }
    fn all(&self) -> Result<Vec<SessionId>, String> {
        Ok(Vec::new())
    }
    fn remove(&self, _: SessionId) -> Result<(), String> {
        Ok(())
    }
}

/// The next process, with a gateway, that records this much.
fn records(house: &mut House, which: Which, shelf: Option<Arc<dyn Recordings>>) {
    records_or(house, which, OnFailure::Close, shelf);
}

/// The same with what becomes of a session whose recording fails.
fn records_or(house: &mut House, which: Which, on_failure: OnFailure, shelf: Option<Arc<dyn Recordings>>) {
    house.reopen();
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
    let rules = Rules { which, on_failure, keep: None, files: Files::default() };
    house.app.record_in(shelf, rules, None);
}

async fn require(house: &House) {
    house.change_policy("@id(\"staging-freely\")", "@id(\"staging-freely\") @recording(\"required\")").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_recorded_is_and_nothing_else() {
    for (which, required, recorded) in [
        (Which::All, false, true),
        (Which::Required, false, false),
        (Which::All, true, true),
        (Which::Required, true, true),
    ] {
        let mut house = House::new().await;
        let shelf = Arc::<Shelf>::default();
        records(&mut house, which, Some(Arc::<Shelf>::clone(&shelf)));
        if required {
            require(&house).await;
        }
        let grant = house.hold("ann", "web1", "deploy", 1).await;
        let session = session_as(&house, grant).await;
        let (file, row) = (shelf.all().unwrap(), house.store.recording(session).await.unwrap());
        assert_eq!((file.len(), row.is_some()), (usize::from(recorded), recorded), "{which:?} {required}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_be_recorded_is_not_given_where_nothing_is() {
    let mut house = House::new().await;
    require(&house).await;
    let asked = async |house: &House| house.try_ask("ann", ask(&[("web1", "deploy")], 1)).await.unwrap();
    records(&mut house, Which::All, None);
    let request = asked(&house).await;
    assert!(denied(&request, 0).contains("recorded sessions"), "{:?}", request.items[0].state);
    records(&mut house, Which::Required, Some(Arc::<Shelf>::default()));
    assert!(granted(&asked(&house).await, 0).is_some());
}

/// What its terms ask for nobody lets it do without.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_unrecorded_only_where_it_may() {
    for (required, on_failure, goes_on) in
        [(false, OnFailure::GoOn, true), (false, OnFailure::Close, false), (true, OnFailure::GoOn, false)]
    {
        let mut house = House::new().await;
        records_or(&mut house, Which::All, on_failure, Some(Arc::new(Full)));
        if required {
            require(&house).await;
        }
        let grant = house.hold("ann", "web1", "deploy", 1).await;
        match house.app.open_session(&claim(&house, grant).await, None).await {
            Ok(opened) => {
                let roll = opened.roll.unwrap();
                assert!(goes_on && roll.on_failure == OnFailure::GoOn, "{required} {on_failure:?}");
                let event = Event::Refused { channel: None, what: "x".into() };
                assert_eq!(roll.tape.event(house.app.now(), &event).await, Err("it is full".to_owned()));
                assert_eq!(roll.tape.finish(house.app.now(), "").await, Err("it is full".to_owned()));
            }
            Err(AppError::Unrecorded(why)) => assert!(!goes_on && why == "it is full", "{required} {on_failure:?}"),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Lets administrators read recordings of this.
async fn let_read(house: &House, of: &str) {
    let_group_read(house, "admins", of).await;
}

async fn let_group_read(house: &House, group: &str, of: &str) {
    let actions = "[Action::\"watch\", Action::\"replay\"]";
    let who = format!("principal in Group::\"{group}\"");
    let reads = format!("@id(\"{group}-read\") permit ({who}, action in {actions}, {of});");
    house.change_policy("@id(\"whoever-is-asked\")", &format!("{reads}\n@id(\"whoever-is-asked\")")).await;
}

async fn noted(house: &House, event: &str) -> usize {
    house.records(RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() }).await.len()
}

/// Be it by what it is of, or by whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_read_by_whom_policy_lets_and_each_attempt_is_written_down() {
    for (of, lets) in [("resource is Gate", false), ("resource is Host", true), ("resource is Person", true)] {
        let mut house = House::new().await;
        let_read(&house, of).await;
        records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
        let grant = house.hold("ann", "web1", "deploy", 1).await;
        let session = session_as(&house, grant).await;
        let read = house.app.read_recording(&house.caller("root").await, session, Purpose::Replay).await;
        assert_eq!(read.is_ok(), lets, "{of}");
        let said = (noted(&house, "recording.refused").await, noted(&house, "recording.replayed").await);
        assert_eq!(said, if lets { (0, 1) } else { (1, 0) }, "{of}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_is_waited_for_by_whoever_watches_it() {
    let mut house = House::new().await;
    let_read(&house, "resource").await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let session = session_as(&house, grant).await;
    let root = house.caller("root").await;
    let read = async |purpose| house.app.read_recording(&root, session, purpose).await;
    let next = |playing: &mut Playing| playing.next(|_, _| {}).unwrap();
    let (mut watched, mut replayed) = (read(Purpose::Watch).await.unwrap(), read(Purpose::Replay).await.unwrap());
    assert_eq!([next(&mut watched), next(&mut replayed)], [Piece::Chunk, Piece::Chunk]);
    assert_eq!(next(&mut watched), Piece::Waiting);
    assert!(matches!(next(&mut replayed), Piece::End(Ending::Cut { .. })));
    house.app.session_closed(session, closed(None)).await.unwrap();
    assert!(matches!(next(&mut watched), Piece::End(Ending::Cut { .. })));
    let late = read(Purpose::Watch).await;
    assert!(matches!(&late, Err(AppError::Taken(why)) if why.contains("is over")), "{late:?}");
    read(Purpose::Replay).await.unwrap();
    assert_eq!((noted(&house, "recording.watched").await, noted(&house, "recording.replayed").await), (1, 2));
}

/// And of one that is not whole there is what was kept of it.
#[tokio::test(flavor = "multi_thread")]
async fn how_a_recording_came_out_is_written_down_as_its_session_is_closed() {
    let mut house = House::new().await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let taped = Taped { root: [7; 32].into(), chunks: 3, bytes: 99 };
    for (recorded, state, why) in [
        (Some(RecordOutcome::Whole(taped)), RecordingState::Whole, None),
        (Some(RecordOutcome::Failed("it is full".to_owned())), RecordingState::Cut, Some("it is full")),
        (None, RecordingState::Cut, Some(LOST)),
    ] {
        let session = session_as(&house, grant).await;
        house.app.session_closed(session, SessionEnd { recorded, ..closed(None) }).await.unwrap();
        let end = house.store.recording(session).await.unwrap().unwrap().end.unwrap();
        assert_eq!((end.state, end.why.as_deref()), (state, why));
        assert_eq!(end.chunks, if state == RecordingState::Whole { 3 } else { 1 });
    }
    assert_eq!(noted(&house, "recording.gap").await, 2);
}

const LOST: &str = "the process that recorded it stopped before the session was over";

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_a_crash_cut_off_gets_its_end_and_one_that_goes_on_does_not() {
    let (mut house, shelf) = (House::new().await, Arc::<Shelf>::default());
    records(&mut house, Which::All, Some(Arc::<Shelf>::clone(&shelf)));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let lost = session_as(&house, grant).await;
    records(&mut house, Which::All, Some(shelf));
    let goes_on = session_as(&house, grant).await;
    for _ in 0..2 {
        house.app.settle_lost_recordings().await.unwrap();
    }
    let end = async |session| house.store.recording(session).await.unwrap().unwrap().end;
    let cut = end(lost).await.unwrap();
    assert_eq!((cut.state, cut.chunks, cut.why.as_deref()), (RecordingState::Cut, 1, Some(LOST)));
    assert_eq!(end(goes_on).await, None);
    let gap = RecordFilter { event: Some("recording.gap".to_owned()), ..RecordFilter::default() };
    let said: Vec<_> = house.records(gap).await.into_iter().map(|record| record.detail).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((&said[0]["session"], &said[0]["why"]), (&lost.to_string().into(), &LOST.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recording_is_read_with_its_own_key() {
    let mut house = House::new().await;
    let_read(&house, "resource").await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let sessions = [session_as(&house, grant).await, session_as(&house, grant).await];
    let root = house.caller("root").await;
    for session in sessions {
        let mut playing = house.app.read_recording(&root, session, Purpose::Replay).await.unwrap();
        assert_eq!(playing.header().session, session);
        let mut said = Vec::new();
        let piece = playing.next(|_, event| said.push(format!("{event:?}"))).unwrap();
        assert!(matches!(piece, Piece::Chunk), "{piece:?}");
        assert!(said[0].contains(&session.to_string()), "{said:?}");
    }
}

/// A folder whose files cannot be read, or an object store that does not answer.
struct Torn;

impl Read for Torn {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("nobody answers"))
    }
}

#[async_trait]
impl Recordings for Torn {
    async fn begin(&self, _: &Header, _: SessionKey) -> Result<Arc<dyn Tape>, String> {
        Err("nothing is recorded here".to_owned())
    }
    fn read(&self, _: SessionId) -> Result<Option<Box<dyn Read + Send + Sync>>, String> {
        Ok(Some(Box::new(Self)))
    }
    fn all(&self) -> Result<Vec<SessionId>, String> {
        Ok(Vec::new())
    }
    fn remove(&self, _: SessionId) -> Result<(), String> {
        Ok(())
    }
}

#[async_trait]
impl Depot for Torn {
    fn name_of(&self, session: SessionId) -> Result<String, DepotError> {
        Ok(session.to_string())
    }
    async fn put(&self, _: SessionId) -> Result<Option<StoredObject>, DepotError> {
        Ok(None)
    }
    async fn open(&self, _: &str) -> Result<Option<Box<dyn Read + Send + Sync>>, DepotError> {
        Ok(Some(Box::new(Self)))
    }
    async fn remove(&self, _: &str) -> Result<(), DepotError> {
        Ok(())
    }
    async fn sweep(&self) -> Result<usize, DepotError> {
        Ok(0)
    }
}

/// What lies in a store that does not answer may be whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_a_finding_and_an_object_store_that_does_not_answer_is_none() {
    let mut house = House::new().await;
    let_read(&house, "resource").await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let session = session_as(&house, grant).await;
    house.reopen();
    let rules = Rules { which: Which::All, on_failure: OnFailure::Close, keep: None, files: Files::default() };
    let afar = Afar { depot: Arc::new(Torn), keep_local: Span::from_secs(0) };
    house.app.record_in(Some(Arc::new(Torn)), rules, Some(afar));
    let root = house.caller("root").await;
    let row = house.store.recording(session).await.unwrap().unwrap();
    let object = StoredObject { name: session.to_string(), bytes: 9, sha256: [1; 32].into() };
    for lies in [Lies::Local, Lies::Store(object)] {
        let in_file = lies == Lies::Local;
        house.write(vec![Write::Recording(Recording { lies, ..row.clone() })]).await;
        let read = house.app.read_recording(&root, session, Purpose::Replay).await;
        let verified = house.app.verify_recording(&root, session).await;
        if in_file {
            assert!(matches!(&read, Err(AppError::Taken(why)) if why.contains("cannot be read")), "{read:?}");
            assert_eq!(verified.unwrap().unreadable.as_deref(), Some("it could not be read"));
        } else {
            assert!(matches!(read, Err(AppError::Afar)), "{read:?}");
            assert!(matches!(verified, Err(AppError::Afar)), "{verified:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_others_are_listed_for_who_may_read_access_alone() {
    let mut house = House::new().await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let anns = session_as(&house, grant).await;
    let (ann, ben) = (house.id("ann").await, house.id("ben").await);
    let row = house.store.recording(anns).await.unwrap().unwrap();
    let (began, bens) = (house.advance(mins(1)), house.ambient.id());
    house.write(vec![Write::Recording(Recording { session: bens, holder: ben, began, ..row })]).await;
    for (who, of, seen) in [
        ("root", None, Some(vec![bens, anns])),
        ("root", Some(ben), Some(vec![bens])),
        ("ann", None, Some(vec![anns])),
        ("ann", Some(ann), Some(vec![anns])),
        ("ann", Some(ben), None),
    ] {
        let filter = RecordingFilter { holder: of, ..RecordingFilter::default() };
        let listed = house.app.list_recordings(&house.caller(who).await, filter, Slice::first(9)).await;
        match (listed, seen) {
            (Ok(page), Some(seen)) => {
                assert_eq!(page.items.iter().map(|one| one.session).collect::<Vec<_>>(), seen, "{who} {of:?}");
            }
            (Err(AppError::NotAllowed { .. }), None) => {}
            (other, _) => panic!("{who} {of:?}: {other:?}"),
        }
    }
}

/// Its holder, whoever may read access, and whoever may replay it; to others there is none.
#[tokio::test(flavor = "multi_thread")]
async fn that_there_is_a_recording_is_known_to_whom_it_concerns_alone() {
    let mut house = House::new().await;
    let_group_read(&house, "dba", "resource").await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let session = session_as(&house, grant).await;
    for (who, knows, reads) in [("ann", true, false), ("root", true, false), ("eva", true, true), ("ben", false, false)]
    {
        let caller = house.caller(who).await;
        let verified = house.app.verify_recording(&caller, session).await;
        match house.app.read_recording(&caller, session, Purpose::Replay).await {
            Ok(_) => assert!(reads, "{who}"),
            Err(AppError::NotAllowed { .. }) => assert!(knows && !reads, "{who}"),
            Err(AppError::Missing { .. }) => assert!(!knows, "{who}"),
            Err(other) => panic!("{who}: {other}"),
        }
        match verified {
            Ok(verified) => assert!(knows && verified.whole, "{who}: {verified:?}"),
            Err(AppError::Missing { .. }) => assert!(!knows, "{who}"),
            Err(other) => panic!("{who}: {other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_on_whose_right_is_gone_or_in_whose_place_somebody_else_asks() {
    let mut house = House::new().await;
    let_read(&house, "resource").await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let session = session_as(&house, grant).await;
    let (root, admins) = (house.caller("root").await, name("admins"));
    house.app.set_member(&root, &admins, "eva", Membership::In).await.unwrap();
    let eva = house.caller("eva").await;
    for purpose in [Purpose::Replay, Purpose::Watch] {
        let playing = house.app.read_recording(&eva, session, purpose).await.unwrap();
        let refused = async |caller| matches!(playing.still(caller).await, Err(AppError::NotAllowed { .. }));
        playing.still(&eva).await.unwrap();
        assert!(refused(&root).await, "{purpose:?}: root may, but does not read this");
        house.app.set_member(&root, &admins, "eva", Membership::Out).await.unwrap();
        assert!(refused(&eva).await, "{purpose:?}");
        house.app.set_member(&root, &admins, "eva", Membership::In).await.unwrap();
    }
}

/// The recording of a session: what lies there if it is whole, and what is written down of its end.
fn whole(house: &House, session: SessionId) -> (Vec<u8>, RecordingEnd) {
    let header = Header {
        org: house.ambient.id(),
        session,
        grant: house.ambient.id(),
        holder: house.ambient.id(),
        resource: house.ambient.id(),
        role: house.ambient.id(),
        kind: name("ssh"),
        began: house.app.now(),
    };
    let key = SessionKey::new(&Secret::new(vec![9; 32])).unwrap();
    let (mut recorder, sealer, mut file) = Recorder::begin(&header, key).unwrap();
    recorder.event(header.began, &Event::Refused { channel: None, what: "x".into() }).unwrap();
    let (root, chunks) = sealer.finish(&mut Press::new().unwrap(), &recorder.take_away(), &mut file).unwrap();
    let (at, state, bytes) = (header.began, RecordingState::Whole, file.len() as u64);
    (file, RecordingEnd { at, state, chunks, bytes, root: Some(root), why: None, facts: serde_json::Value::Null })
}

fn row(house: &House, holder: PersonId, resource: ResourceId) -> Recording {
    Recording {
        session: house.ambient.id(),
        grant: house.ambient.id(),
        holder,
        resource,
        role: house.ambient.id(),
        login: "deploy".to_owned(),
        began: house.app.now(),
        end: None,
        deleted: None,
        lies: Lies::Local,
    }
}

/// Each copy is looked at, and the first that is not what it should be is told of.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_held_against_what_the_trail_says_wherever_it_lies() {
    let mut house = House::new().await;
    house.reopen();
    let (files, objects) = (Arc::<Shelf>::default(), Arc::<Shelf>::default());
    let rules = Rules { which: Which::All, on_failure: OnFailure::Close, keep: None, files: Files::default() };
    let afar = Afar { depot: Arc::<Shelf>::clone(&objects), keep_local: Span::from_secs(0) };
    house.app.record_in(Some(Arc::<Shelf>::clone(&files)), rules, Some(afar));
    let row = row(&house, house.id("ann").await, house.resource("web1").await);
    let session = row.session;
    let (good, end) = whole(&house, session);
    let mut torn = good.clone();
    *torn.last_mut().unwrap() ^= 1;
    let (of_other, end_of_other) = whole(&house, house.ambient.id());
    let longer = RecordingEnd { chunks: end.chunks + 1, ..end.clone() };
    let changed = RecordingEnd { root: Some([7; 32].into()), ..end.clone() };
    let object = StoredObject { name: session.to_string(), bytes: end.bytes, sha256: [1; 32].into() };
    let (both, there) = (Lies::Both(object.clone()), Lies::Store(object));
    let (good, torn, of_other) = (Some(&good), Some(&torn), Some(&of_other));
    let root = house.caller("root").await;
    for (number, (lies, file, stored, end, at, is_whole)) in [
        (&Lies::Local, good, None, Some(&end), At::Folder, true),
        (&Lies::Local, torn, None, Some(&end), At::Folder, false),
        (&Lies::Local, None, None, Some(&end), At::Folder, false),
        (&Lies::Local, good, None, None, At::Folder, true),
        (&Lies::Local, torn, None, None, At::Folder, false),
        (&Lies::Local, good, None, Some(&longer), At::Folder, false),
        (&Lies::Local, good, None, Some(&changed), At::Folder, false),
        (&Lies::Local, of_other, None, Some(&end_of_other), At::Folder, false),
        (&both, good, good, Some(&end), At::Store, true),
        (&both, torn, good, Some(&end), At::Folder, false),
        (&both, good, torn, Some(&end), At::Store, false),
        (&both, None, good, Some(&end), At::Store, true),
        (&there, None, good, Some(&end), At::Store, true),
        (&there, None, None, Some(&end), At::Store, false),
    ]
    .into_iter()
    .enumerate()
    {
        for (place, copy) in [(&files, file), (&objects, stored)] {
            *place.0.lock().unwrap() = copy.map(|copy| (session, copy.clone())).into_iter().collect();
        }
        house.write(vec![Write::Recording(Recording { lies: lies.clone(), end: end.cloned(), ..row.clone() })]).await;
        let verified = house.app.verify_recording(&root, session).await.unwrap();
        assert_eq!((verified.at, verified.whole), (at, is_whole), "{number}: {verified:?}");
        let looked_at = if at == At::Folder { file } else { stored };
        assert_eq!(verified.has_end, looked_at.is_some() && looked_at != torn, "{number}");
        let said = RecordFilter { event: Some("recording.verified".to_owned()), ..RecordFilter::default() };
        let said = house.records(said).await.pop().unwrap().detail;
        let at = if at == At::Folder { "local" } else { "store" };
        assert_eq!((&said["where"], &said["whole"]), (&at.into(), &is_whole.into()), "{number}");
    }
}

fn sought(text: &str) -> Sought {
    Sought { text: text.to_owned(), within: Within::All, holder: None, resource: None, from: None, until: None }
}

/// Those it was asked for, those that may be read, and none that is deleted; what is found is written down.
#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_searched_by_whom_may_replay_them_and_no_others() {
    let mut house = House::new().await;
    let_read(&house, "resource").await;
    let_group_read(&house, "dba", "resource is Host").await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let grants = [house.hold("ann", "web1", "deploy", 1).await, house.hold("ben", "web1", "deploy", 1).await];
    let (anns, gone) = (session_as(&house, grants[0]).await, session_as(&house, grants[0]).await);
    let deleted = house.store.recording(gone).await.unwrap().unwrap();
    let later = house.advance(mins(1));
    house.write(vec![Write::Recording(Recording { deleted: Some(later), ..deleted })]).await;
    let bens = session_as(&house, grants[1]).await;
    let (ben, attic) = (house.id("ben").await, house.resource("attic").await);
    let mut written_down = 0;
    for (who, sought, read, found) in [
        ("root", sought("port 25"), 2, vec![bens, anns]),
        ("root", sought(&bens.to_string()), 2, vec![bens]),
        ("root", sought("port 26"), 2, vec![]),
        ("root", Sought { holder: Some(ben), ..sought("port 25") }, 1, vec![bens]),
        ("root", Sought { resource: Some(attic), ..sought("port 25") }, 0, vec![]),
        ("root", Sought { from: Some(later), ..sought("port 25") }, 1, vec![bens]),
        ("root", Sought { until: Some(later), ..sought("port 25") }, 1, vec![anns]),
        ("eva", sought("port 25"), 2, vec![bens, anns]),
        ("ann", sought("port 25"), 0, vec![]),
    ] {
        let why = format!("{who} {sought:?}");
        let searched = house.app.search_recordings(&house.caller(who).await, sought).await.unwrap();
        let sessions: Vec<_> = searched.found.iter().map(|one| one.recording.session).collect();
        assert_eq!((searched.read, searched.more, &sessions), (read, false, &found), "{why}");
        assert_eq!(searched.unread, [], "{why}");
        assert!(searched.found.iter().all(|one| one.places.len() == 1), "{why}");
        written_down += found.len();
        assert_eq!(noted(&house, "recording.searched").await, written_down, "{why}");
    }
}

/// What was not looked through is told, so that nothing found is not taken for nothing there.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_says_which_recordings_could_not_be_read_whole() {
    let mut house = House::new().await;
    let_read(&house, "resource").await;
    let shelf = Arc::<Shelf>::default();
    records(&mut house, Which::All, Some(Arc::<Shelf>::clone(&shelf)));
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let session = session_as(&house, grant).await;
    let row = house.store.recording(session).await.unwrap().unwrap();
    let sealed = shelf.0.lock().unwrap()[&session].clone();
    let end = |state| {
        let (at, facts) = (row.began, serde_json::Value::Null);
        Some(RecordingEnd { at, state, chunks: 2, bytes: 0, root: None, why: None, facts })
    };
    let (whole, cut) = (end(RecordingState::Whole), end(RecordingState::Cut));
    let mut changed = sealed.clone();
    *changed.last_mut().unwrap() ^= 1;
    let head = sealed.get(..8).unwrap().to_vec();
    let root = house.caller("root").await;
    for (why, file, end, is_told) in [
        ("it goes on", Some(&sealed), None, false),
        ("its session was cut off", Some(&sealed), cut, false),
        ("it was whole once", Some(&sealed), whole, true),
        ("a byte of it was changed", Some(&changed), None, true),
        ("it has no header", Some(&head), None, true),
        ("there is no file", None, None, true),
    ] {
        *shelf.0.lock().unwrap() = file.map(|file| (session, file.clone())).into_iter().collect();
        house.write(vec![Write::Recording(Recording { end, ..row.clone() })]).await;
        let searched = house.app.search_recordings(&root, sought("port 26")).await.unwrap();
        let told = if is_told { vec![session] } else { vec![] };
        assert_eq!((searched.found.len(), searched.read, searched.unread), (0, 1, told), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_reads_so_many_recordings_and_says_that_there_are_more() {
    let mut house = House::new().await;
    let_read(&house, "resource").await;
    records(&mut house, Which::All, Some(Arc::<Shelf>::default()));
    let (ann, web1) = (house.id("ann").await, house.resource("web1").await);
    let root = house.caller("root").await;
    let search = async || {
        let Searched { found, read, unread, more } = house.app.search_recordings(&root, sought("x")).await.unwrap();
        (found.len(), read, unread.len(), more)
    };
    house.write((0..200).map(|_| Write::Recording(row(&house, ann, web1))).collect()).await;
    // Of none of them is there a file, and it is said of each.
    assert_eq!(search().await, (0, 200, 200, false));
    house.write(vec![Write::Recording(row(&house, ann, web1))]).await;
    assert_eq!(search().await, (0, 200, 200, true));
}
