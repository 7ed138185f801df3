//! Recordings in an object store: they go there, are read there, and nothing that happens on the way loses one.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use wane_testkit::{ObjectStore, WaneServer, WaneServerBuilder, wait_until};

use super::lab::{Lab, TERMINAL, Visitor};
use crate::people::{SOON, text};

struct Shop {
    lab: Lab,
    store: ObjectStore,
    maya: Visitor,
}

/// As big as one that goes in parts; it does not get smaller.
const BIG: &str = "head -c 20000000 /dev/urandom | base64 | head -c 20000000; echo kanarienvogel";
const SMALL: &str = "echo kanarienvogel";

impl Shop {
    fn new(builder: WaneServerBuilder) -> Self {
        let store = ObjectStore::start().unwrap();
        let builder = store.settings().iter().fold(builder, |builder, (key, value)| builder.set(key, value));
        let lab = Lab::built(builder, TERMINAL, &[]);
        let maya = lab.comes(&lab.wane.maya, "30m");
        Self { lab, store, maya }
    }

    /// Runs something, and waits until its session is written down as over.
    fn session(&self, command: &str) -> String {
        let before = self.recordings().len();
        assert!(self.maya.run(command).stdout.contains("kanarienvogel"));
        let mut session = String::new();
        wait_until("the session to be over", SOON, || {
            let all = self.recordings();
            session = text(&all[0]["session"]);
            all.len() == before + 1 && all[0]["state"] == "whole"
        })
        .unwrap();
        session
    }

    fn recordings(&self) -> Vec<Value> {
        self.lab.wane.ada.json(&["recordings"]).unwrap()["items"].as_array().unwrap().clone()
    }

    fn place(&self, session: &str) -> String {
        let all = self.recordings();
        text(&all.iter().find(|recording| recording["session"] == session).unwrap()["where"])
    }

    fn lies(&self, session: &str, place: &str) {
        wait_until(&format!("it to be in place `{place}`"), SOON, || self.place(session) == place)
            .unwrap_or_else(|error| panic!("{error:#}: {}\n{}", self.place(session), self.lab.wane.server.log()));
    }

    /// A session whose recording is in the object store alone.
    fn stored(&self, command: &str) -> String {
        let session = self.session(command);
        self.lies(&session, "store");
        session
    }

    /// The object of a session.
    fn object(&self, session: &str) -> String {
        let objects = self.store.objects().unwrap();
        let mut of = objects.iter().filter(|name| name.contains(session));
        let name = of.next().unwrap_or_else(|| panic!("{objects:?}")).clone();
        assert!(of.next().is_none(), "{objects:?}");
        name
    }

    fn file(&self, session: &str) -> PathBuf {
        self.lab.wane.server.data().join(format!("recordings/{session}.wane-recording"))
    }

    fn noted(&self, session: &str, event: &str) -> Vec<Value> {
        let page = self.lab.wane.ada.json(&["log", "--grant", &self.maya.grant, "--event", event]).unwrap();
        page["items"].as_array().unwrap().iter().filter(|item| item["detail"]["session"] == session).cloned().collect()
    }

    fn verify(&self, session: &str, code: i32) -> Value {
        self.lab.wane.ada.json_with_code(&["recording", "verify", session], code).unwrap()
    }

    /// It is whole where it lies, and it lies there once.
    fn is_stored_well(&self, session: &str) {
        let verified = self.verify(session, 0);
        assert_eq!(
            (&verified["whole"], &verified["where"]),
            (&Value::from(true), &Value::from("store")),
            "{verified:#}"
        );
        assert!(!self.file(session).exists());
        assert_eq!(self.store.uploads().unwrap(), 0);
        for event in ["recording.stored", "recording.moved"] {
            assert_eq!(self.noted(session, event).len(), 1, "{event}");
        }
        let stored = &self.noted(session, "recording.stored")[0]["detail"];
        let bytes = self.store.read(&self.object(session)).unwrap();
        assert_eq!(stored["bytes"].as_u64(), Some(bytes.len() as u64), "{stored}");
    }

    /// Past the waits between two tries while the store is away.
    fn restart(&mut self) {
        self.lab.wane.server.restart().unwrap();
    }
}

#[test]
fn a_recording_goes_to_the_object_store_and_is_read_there() {
    let shop = Shop::new(WaneServer::builder());
    let (session, big) = (shop.stored(SMALL), shop.stored(BIG));
    for session in [&session, &big] {
        shop.is_stored_well(session);
        let name = shop.object(session);
        let parts: Vec<&str> = name.split('/').collect();
        assert!(
            matches!(parts[..], ["wane", org, file] if org.starts_with("org_")
            && file == format!("{session}.wane-recording")),
            "{name}"
        );
    }
    let bytes = shop.store.read(&shop.object(&session)).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"kanari"), "what was said stands in the open");
    let ada = &shop.lab.wane.ada;
    let played = ada.run(&["replay", &session, "--events"]).unwrap();
    for word in [" command echo kanarienvogel", " data target kanarienvogel", " exited 0", "end whole"] {
        assert!(played.stdout.contains(word), "{word}: {played:?}");
    }
    let played = ada.run(&["replay", &big, "--events"]).unwrap();
    assert!(played.stdout.len() > 20_000_000 && played.stdout.contains("end whole"), "{}", played.stdout.len());
    let found = ada.json(&["recordings", "--text", "kanarienvogel"]).unwrap();
    assert_eq!(found["found"].as_array().unwrap().len(), 2, "{found:#}");
    let late = ada.run(&["watch", &session]).unwrap();
    assert!(late.stderr.contains("that session is over; replay it"), "{late:?}");
    assert!(!shop.lab.wane.maya.run(&["replay", &session]).unwrap().success(), "it is no less guarded there");
}

#[test]
fn a_kill_at_any_step_loses_nothing_and_leaves_nothing_behind() {
    let mut shop = Shop::new(WaneServer::builder().failpoints());
    for (command, places) in [
        (
            SMALL,
            &[
                "archive.bucket.put:before",
                "archive.bucket.put:after",
                "archive.bucket.read_back:after",
                "app.recording.lies.commit:before",
                "app.recording.lies.commit:after",
                "app.recording.file.remove:before",
                "app.recording.file.remove:after",
            ][..],
        ),
        (
            BIG,
            &[
                "archive.bucket.begin:after",
                "archive.bucket.part:after",
                "archive.bucket.complete:before",
                "archive.bucket.complete:after",
            ][..],
        ),
    ] {
        for place in places {
            shop.lab.wane.server.plan(&format!("{place}=kill")).unwrap();
            assert!(shop.maya.run(command).stdout.contains("kanarienvogel"), "{place}");
            let mut died = false;
            wait_until(&format!("the server to be killed at {place}"), SOON, || {
                died |= shop.lab.wane.server.died().is_some();
                died
            })
            .unwrap();
            shop.lab.wane.server.plan("").unwrap();
            shop.lab.wane.server.start().unwrap();
            let session = text(&shop.recordings()[0]["session"]);
            shop.lies(&session, "store");
            shop.is_stored_well(&session);
            let played = shop.lab.wane.ada.run(&["replay", &session, "--events"]).unwrap();
            assert!(played.stdout.contains("kanarienvogel") && played.stdout.contains("end whole"), "{place}");
        }
    }
    let all = shop.recordings().len();
    assert_eq!((all, shop.store.objects().unwrap().len()), (11, 11));
}

#[test]
fn a_store_that_is_away_keeps_nothing_from_being_recorded_and_gets_it_later() {
    let mut shop = Shop::new(WaneServer::builder());
    let early = shop.stored(SMALL);
    shop.store.stop().unwrap();
    // It starts all the same.
    shop.restart();
    let late = shop.session(SMALL);
    wait_until("it to be said", SOON, || {
        let log = shop.lab.wane.server.log();
        log.contains("the object store cannot be used; recordings wait in the folder") && log.contains("waiting=1")
    })
    .unwrap();
    assert_eq!(shop.place(&late), "local");
    assert!(shop.file(&late).exists());
    let ada = &shop.lab.wane.ada;
    // What is here is read, and what is there is neither whole nor damaged, but away.
    assert_eq!(shop.verify(&late, 0)["where"], "local");
    for words in
        [&["replay", &early, "--events"][..], &["recording", "verify", &early], &["recordings", "--text", "kanarie"]]
    {
        let refused = ada.run(words).unwrap();
        assert!(!refused.success() && refused.stderr.contains("object store that cannot be used now"), "{refused:?}");
    }
    assert!(shop.noted(&early, "recording.verified").is_empty());
    shop.store.resume().unwrap();
    shop.lies(&late, "store");
    for session in [&early, &late] {
        shop.is_stored_well(session);
    }
}

#[test]
fn a_wrong_key_says_what_to_do_and_a_right_one_is_taken_up() {
    let shop = Shop::new(WaneServer::builder());
    shop.store.tell_secret(Some("wrong")).unwrap();
    let session = shop.session(SMALL);
    wait_until("it to be said", SOON, || {
        let log = shop.lab.wane.server.log();
        log.contains("SignatureDoesNotMatch") && log.contains("`recording.store.secret_access_key`")
    })
    .unwrap();
    assert!(!shop.lab.wane.server.log().contains("not-a-secret-of-anybody"));
    assert_eq!(shop.place(&session), "local");
    shop.store.tell_secret(None).unwrap();
    shop.lies(&session, "store");
    shop.is_stored_well(&session);
}

#[test]
fn what_somebody_did_to_objects_is_found_and_named() {
    let shop = Shop::new(WaneServer::builder());
    let sessions = [0, 1, 2, 3, 4].map(|_| shop.stored(SMALL));
    let [changed, cut, one, other, gone] = &sessions;
    let names = sessions.each_ref().map(|session| shop.object(session));
    let bytes = names.each_ref().map(|name| shop.store.read(name).unwrap());
    let mut flipped = bytes[0].clone();
    let at = flipped.len() - 50;
    flipped[at] ^= 1;
    shop.store.overwrite(&names[0], &flipped).unwrap();
    shop.store.overwrite(&names[1], &bytes[1][..bytes[1].len() / 2]).unwrap();
    shop.store.overwrite(&names[2], &bytes[3]).unwrap();
    shop.store.overwrite(&names[3], &bytes[2]).unwrap();
    shop.store.take_away(&names[4]).unwrap();

    let bad = shop.verify(changed, 1);
    let damage = &bad["damage"][0];
    assert!((damage["from"].as_u64().unwrap()..damage["to"].as_u64().unwrap()).contains(&(at as u64)), "{bad:#}");
    let bad = shop.verify(cut, 1);
    assert_eq!((&bad["whole"], &bad["has_end"]), (&Value::from(false), &Value::from(false)), "{bad:#}");
    for (session, is) in [(one, other), (other, one)] {
        let bad = shop.verify(session, 1);
        assert!(text(&bad["unreadable"]).contains(&format!("another session, `{is}`")), "{bad:#}");
        let played = shop.lab.wane.ada.run(&["replay", session, "--events"]).unwrap();
        assert!(!played.stdout.contains("kanarienvogel"), "under the key of another: {played:?}");
    }
    let bad = shop.verify(gone, 1);
    assert!(text(&bad["unreadable"]).contains(&format!("there is no object `{}`", names[4])), "{bad:#}");
    for session in &sessions {
        let found = shop.noted(session, "recording.verified");
        assert_eq!(
            (&found[0]["outcome"], &found[0]["detail"]["where"]),
            (&Value::from("failed"), &Value::from("store"))
        );
    }
    // None is taken for one that could be made good again.
    for (name, had) in names.iter().zip(&bytes).take(1) {
        shop.store.overwrite(name, had).unwrap();
    }
    assert_eq!(shop.verify(changed, 0)["whole"], true);
}

#[test]
fn nothing_is_ever_put_over_an_object() {
    let shop = Shop::new(WaneServer::builder().failpoints());
    let earlier = shop.stored(SMALL);
    let first = shop.object(&earlier);
    for (command, place) in [(SMALL, "archive.bucket.put:before"), (BIG, "archive.bucket.complete:before")] {
        let go_on = shop.lab.wane.server.folder().join(place.replace(':', "-"));
        shop.lab.wane.server.plan(&format!("{place}=hold:{}", go_on.display())).unwrap();
        let session = shop.session(command);
        let reached = PathBuf::from(format!("{}.reached", go_on.display()));
        wait_until("it to be about to be put", SOON, || reached.exists()).unwrap();
        // Somebody is quicker.
        let name = first.replace(&earlier, &session);
        shop.store.overwrite(&name, b"something else").unwrap();
        fs::write(&go_on, "").unwrap();
        let said = format!("the object `{name}` is in the bucket already and is not this recording");
        wait_until("it to be said", SOON, || shop.lab.wane.server.log().contains(&said)).unwrap();
        assert_eq!(shop.store.read(&name).unwrap(), b"something else");
        assert_eq!((shop.place(&session).as_str(), shop.file(&session).exists()), ("local", true));
        // The others are not kept waiting by it.
        shop.lab.wane.server.plan("").unwrap();
        shop.is_stored_well(&shop.stored(SMALL));
    }
}

#[test]
fn a_file_stays_as_long_as_it_is_to_and_an_old_recording_goes_from_both_places() {
    let builder = WaneServer::builder().with_clock();
    let mut shop = Shop::new(builder.set("recording.keep", "10m").set("recording.store.keep_local", "5m"));
    let session = shop.session(SMALL);
    shop.lies(&session, "both");
    assert!(shop.file(&session).exists());
    assert_eq!(shop.verify(&session, 0)["where"], "store", "both are looked at");
    let name = shop.object(&session);
    let bytes = shop.store.read(&name).unwrap();
    shop.store.overwrite(&name, &bytes[..100]).unwrap();
    let bad = shop.verify(&session, 1);
    assert_eq!((&bad["whole"], &bad["where"]), (&Value::from(false), &Value::from("store")), "{bad:#}");
    shop.store.overwrite(&name, &bytes).unwrap();
    shop.lab.wane.server.set_clock(6 * 60).unwrap();
    shop.lies(&session, "store");
    shop.is_stored_well(&session);
    // Signatures are good for a quarter of an hour around the store's clock.
    shop.lab.wane.server.set_clock(12 * 60).unwrap();
    shop.restart();
    shop.lies(&session, "gone");
    assert_eq!(shop.store.objects().unwrap(), Vec::<String>::new());
    for event in ["recording.deleted", "recording.removed"] {
        assert_eq!(shop.noted(&session, event).len(), 1, "{event}");
    }
    let refused = shop.lab.wane.ada.run(&["replay", &session]).unwrap();
    assert!(refused.stderr.contains("deleted when its time was up"), "{refused:?}");
}
