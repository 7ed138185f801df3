//! A bucket of a real object store: put once, read back, told apart from what only looks like it.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wane_archive::{Addressing, Bucket, BucketError, KeyPair, Reach};
use wane_domain::ambient::Ambient;
use wane_domain::id::SessionId;
use wane_domain::time::Time;
use wane_testkit::{FakeClock, ObjectStore, Proxy, Way};

struct Lab {
    store: ObjectStore,
    folder: tempfile::TempDir,
    ambient: Ambient,
}

impl Lab {
    fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self {
            store: ObjectStore::start().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            ambient: FakeClock::at(Time::from_micros(1)).ambient(7),
        }
    }

    fn setting(&self, name: &str) -> String {
        let settings = self.store.settings();
        settings.into_iter().find(|(key, _)| key.ends_with(name)).unwrap().1
    }

    fn bucket(&self) -> Bucket {
        self.at(self.store.port(), &self.setting("bucket"))
    }

    fn at(&self, port: u16, bucket: &str) -> Bucket {
        let reach = Reach {
            endpoint: format!("http://127.0.0.1:{port}"),
            bucket: bucket.to_owned(),
            prefix: "wane".to_owned(),
            region: "us-east-1".to_owned(),
            addressing: Addressing::Path,
            ca: None,
            // One of its own for each.
            org: self.ambient.id(),
        };
        let (id, secret) = (PathBuf::from(self.setting("id.file")), PathBuf::from(self.setting("key.file")));
        let keys = move || {
            let read = |path: &PathBuf| fs::read_to_string(path).map_err(|e| e.to_string());
            Ok(KeyPair { id: read(&id)?, secret: read(&secret)?.into() })
        };
        Bucket::at(&reach, Arc::new(keys)).unwrap()
    }

    fn session(&self) -> SessionId {
        self.ambient.id()
    }

    fn file(&self, bytes: &[u8]) -> File {
        let path = self.folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        File::open(path).unwrap()
    }
}

/// Bytes that differ from place to place.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn read(bucket: &Bucket, name: &str) -> Option<Vec<u8>> {
    let mut object = bucket.open(name).await.unwrap()?;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        object.read_to_end(&mut bytes).map(|_| bytes)
    });
    Some(read.await.unwrap().unwrap())
}

#[tokio::test]
async fn what_is_put_is_read_as_it_was_and_may_be_put_again() {
    let lab = Lab::new();
    let bucket = lab.bucket();
    // In one piece, at the bound, in parts with a short last one.
    for count in [1, 70_000, 8 << 20, (20 << 20) + 3] {
        let (name, bytes) = (bucket.name_of(lab.session()), bytes(count));
        assert!(read(&bucket, &name).await.is_none(), "{count}");
        let put = bucket.put(&name, lab.file(&bytes)).await.unwrap();
        assert_eq!(put.bytes, count as u64);
        assert!(read(&bucket, &name).await.unwrap() == bytes, "{count}");
        assert_eq!(bucket.put(&name, lab.file(&bytes)).await.unwrap(), put, "once more");
        bucket.remove(&name).await.unwrap();
        assert!(read(&bucket, &name).await.is_none(), "{count}");
        bucket.remove(&name).await.unwrap();
    }
    assert_eq!((lab.store.objects().unwrap().len(), lab.store.uploads().unwrap()), (0, 0));
}

#[tokio::test]
async fn nothing_is_put_over_what_is_there() {
    let lab = Lab::new();
    let bucket = lab.bucket();
    for count in [100, 9 << 20] {
        let (name, mut other) = (bucket.name_of(lab.session()), bytes(count));
        let ours = other.clone();
        other[count - 1] ^= 1;
        lab.store.overwrite(&name, &other).unwrap();
        let met = bucket.put(&name, lab.file(&ours)).await.unwrap_err();
        assert!(matches!(&met, BucketError::Taken(named) if *named == name), "{met}");
        assert!(!met.is_about_all());
        assert!(lab.store.read(&name).unwrap() == other, "it was changed");
    }
}

#[tokio::test]
async fn what_keeps_a_store_from_being_used_is_told_apart() {
    let mut lab = Lab::new();
    let name = lab.bucket().name_of(lab.session());
    let nowhere = lab.at(lab.store.port(), "no-such-bucket");
    // Its key opens one bucket only, and whether there is another is not for it to know.
    let met = nowhere.open(&name).await.unwrap_err();
    assert!(matches!(met, BucketError::Denied(_) | BucketError::NoBucket(_)), "{met}");
    let bucket = lab.bucket();
    lab.store.tell_secret(Some("wrong")).unwrap();
    for met in [bucket.open(&name).await.unwrap_err(), bucket.sweep().await.unwrap_err()] {
        assert!(matches!(&met, BucketError::Denied(said) if said.contains("SignatureDoesNotMatch")), "{met}");
        assert!(met.to_string().contains("`recording.store.secret_access_key`") && met.is_about_all(), "{met}");
    }
    lab.store.tell_secret(None).unwrap();
    assert!(bucket.open(&name).await.unwrap().is_none(), "the key is read anew");
    let proxy = Proxy::to(lab.store.port()).unwrap();
    // One for each, or a connection that is open would answer once more.
    let through = || lab.at(proxy.port(), &lab.setting("bucket"));
    assert!(through().open(&name).await.unwrap().is_none());
    for way in [Way::Reset, Way::CutAfter(10), Way::Silent] {
        proxy.set(way);
        let met = tokio::time::timeout(Duration::from_secs(60), through().open(&name)).await.unwrap().unwrap_err();
        assert!(matches!(met, BucketError::Away(_)) && met.is_about_all(), "{way:?}: {met}");
    }
    lab.store.stop().unwrap();
    let met = bucket.put(&name, lab.file(b"x")).await.unwrap_err();
    assert!(matches!(met, BucketError::Away(_)), "{met}");
    lab.store.resume().unwrap();
    bucket.put(&name, lab.file(b"x")).await.unwrap();
}

#[tokio::test]
async fn an_object_that_is_cut_off_or_goes_while_it_is_read_is_an_error() {
    let lab = Lab::new();
    let bucket = lab.bucket();
    let name = bucket.name_of(lab.session());
    bucket.put(&name, lab.file(&bytes(3 << 20))).await.unwrap();
    let mut object = bucket.open(&name).await.unwrap().unwrap();
    assert_eq!(object.size(), 3 << 20);
    lab.store.take_away(&name).unwrap();
    let read = tokio::task::spawn_blocking(move || object.read_to_end(&mut Vec::new())).await.unwrap();
    assert!(read.unwrap_err().to_string().contains("did not go on with it"));
}

#[tokio::test]
async fn an_upload_that_was_cut_off_is_swept_away() {
    let lab = Lab::new();
    let proxy = Proxy::to(lab.store.port()).unwrap();
    let through = lab.at(proxy.port(), &lab.setting("bucket"));
    let name = through.name_of(lab.session());
    let file = lab.file(&bytes(40 << 20));
    let putting = through.put(&name, file);
    // Dropped in the middle, as by the end of the process.
    let begun = async {
        while lab.store.uploads().unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = putting => panic!("it was done at once: {done:?}"),
        () = begun => {}
    }
    assert_eq!(lab.store.uploads().unwrap(), 1);
    // What others have there is not ours to clear away.
    let other = lab.bucket();
    assert_eq!(other.sweep().await.unwrap(), 0, "of another organisation");
    assert_eq!(through.sweep().await.unwrap(), 1);
    assert_eq!(lab.store.uploads().unwrap(), 0);
    let put = through.put(&name, lab.file(&bytes(40 << 20))).await.unwrap();
    assert_eq!(put.bytes, 40 << 20);
}
