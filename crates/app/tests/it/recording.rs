//! Which sessions are recorded, and that each recording is read with its own key and no other.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use wane_app::{OnFailure, Purpose, Recordings, Rules, Tape, Taped, Which};
use wane_connector::broker::Files;
use wane_domain::id::SessionId;
use wane_domain::time::Time;
use wane_recording::{Event, Header, Piece, Press, Recorder, SessionKey};
use wane_store::Store as _;

use crate::house::{House, ask, denied, granted};
use crate::tasks::session_as;

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
        let refused = Event::Refused { channel: None, what: header.session.to_string().into() };
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

/// The next process, with a gateway, that records this much.
fn records(house: &mut House, which: Which, shelf: Option<Arc<dyn Recordings>>) {
    house.reopen();
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
    let rules = Rules { which, on_failure: OnFailure::Close, keep: None, files: Files::default() };
    house.app.record_in(shelf, rules, None);
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
            house.change_policy("@id(\"staging-freely\")", "@id(\"staging-freely\") @recording(\"required\")").await;
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
    house.change_policy("@id(\"staging-freely\")", "@id(\"staging-freely\") @recording(\"required\")").await;
    let asked = async |house: &House| house.try_ask("ann", ask(&[("web1", "deploy")], 1)).await.unwrap();
    records(&mut house, Which::All, None);
    let request = asked(&house).await;
    assert!(denied(&request, 0).contains("recorded sessions"), "{:?}", request.items[0].state);
    records(&mut house, Which::Required, Some(Arc::<Shelf>::default()));
    assert!(granted(&asked(&house).await, 0).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recording_is_read_with_its_own_key() {
    let mut house = House::new().await;
    let replay = "@id(\"replays\") permit (principal in Group::\"admins\", action == Action::\"replay\", resource);";
    house.change_policy("@id(\"whoever-is-asked\")", &format!("{replay}\n@id(\"whoever-is-asked\")")).await;
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
