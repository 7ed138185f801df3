//! What is read, from where, and how it is shown.

use std::path::PathBuf;
use std::time::Duration;

use wane_config::{
    EndsSeal, IssuingSeal, KEYS, LogFormat, LogLevel, Origin, SecretError, SecretRef, Settings, StoreAddressing, Tls,
};

use crate::load;

#[test]
fn defaults_are_what_the_table_says() {
    let loaded = Settings::load(None, std::iter::empty(), &[]).expect("the defaults are good");
    let s = &loaded.settings;
    assert_eq!(s.server.listen.to_string(), "127.0.0.1:7440");
    assert_eq!(s.server.public_url, "http://127.0.0.1:7440");
    assert_eq!(s.server.data_dir, PathBuf::from("./wane-data"));
    assert_eq!(s.server.zone, "UTC");
    assert_eq!((&s.server.tls, s.server.plaintext_behind_proxy), (&None, false));
    assert_eq!(s.seal.ends, EndsSeal::Machine { file: "./wane-data/ends.key".into() });
    assert_eq!(s.seal.issuing, IssuingSeal::Machine { file: "./wane-data/issuing.key".into() });
    assert_eq!((s.log.level, s.log.format), (LogLevel::Info, LogFormat::Text));
    assert_eq!((s.engine.inventory_every, s.engine.retry_cap), (Duration::from_mins(15), Duration::from_secs(30)));
    assert_eq!((s.login.session_max, s.login.session_idle), (Duration::from_hours(8), Duration::from_hours(1)));
    assert_eq!((s.limits.body_bytes, s.limits.open_requests), (1024 * 1024, 50));
    for explained in loaded.explain() {
        assert_eq!(explained.origin, Origin::Default);
    }
}

#[test]
fn every_setting_is_explained_once_in_order() {
    let loaded = Settings::load(None, std::iter::empty(), &[]).expect("the defaults are good");
    let explained: Vec<&str> = loaded.explain().iter().map(|e| e.key).collect();
    assert_eq!(explained, KEYS.iter().map(|k| k.name).collect::<Vec<_>>());
    for key in KEYS {
        assert!(key.doc.len() > 10 && key.doc.ends_with('.'), "{} is not documented", key.name);
    }
}

#[test]
fn flags_beat_environment_beats_file() {
    let toml = "[log]\nlevel = 'error'\nformat = 'json'\n[server]\nzone = 'Europe/Berlin'\n";
    let env = [("WANE__log__level", "warn"), ("WANE__LOG__FORMAT", "text"), ("HOME", "/")];
    let loaded = load(toml, &env, &[("log.level", "debug")]).expect("good");
    let told = |key: &str| {
        let e = loaded.explain().iter().find(|e| e.key == key).expect("it is explained");
        let origin = match &e.origin {
            Origin::File { path, line } => format!("{}:{line}", path.file_name().expect("a name").display()),
            other => other.to_string(),
        };
        (e.value.clone(), origin)
    };
    for (key, value, origin) in [
        ("log.level", "debug", "flag `log.level`"),
        ("log.format", "text", "environment variable `WANE__LOG__FORMAT`"),
        ("server.zone", "Europe/Berlin", "wane.toml:5"),
        ("server.listen", "127.0.0.1:7440", "default"),
        ("server.public_url", "http://127.0.0.1:7440", "default"),
    ] {
        assert_eq!(told(key), (value.to_owned(), origin.to_owned()), "{key}");
    }
    assert_eq!(loaded.settings.log.level, LogLevel::Debug);
}

#[test]
fn all_of_it_can_be_set() {
    let loaded = load(
        "[server]
        listen = '[::]:443'
        public_url = 'https://wane.example.org/'
        data_dir = '/var/lib/wane'
        tls = { cert = 'c.pem', key = 'k.pem' }
        [seal]
        ends.file = '/etc/wane/ends.key'
        issuing = { kind = 'passphrase', passphrase = { env = 'WANE_PASSPHRASE' } }
        [engine]
        inventory_every = '1d'
        [limits]
        body_bytes = '64 KiB'
        open_requests = 3",
        &[],
        &[],
    )
    .expect("good");
    let s = &loaded.settings;
    assert_eq!(s.server.public_url, "https://wane.example.org");
    assert_eq!(s.server.tls, Some(Tls { cert: "c.pem".into(), key: "k.pem".into() }));
    assert_eq!(s.seal.ends, EndsSeal::Machine { file: "/etc/wane/ends.key".into() });
    assert_eq!(s.seal.issuing, IssuingSeal::Passphrase(SecretRef::Env("WANE_PASSPHRASE".to_owned())));
    assert_eq!(s.engine.inventory_every, Duration::from_hours(24));
    assert_eq!((s.limits.body_bytes, s.limits.open_requests), (64 * 1024, 3));
}

#[test]
fn an_object_store_is_all_there_or_not_at_all() {
    let key = "access_key_id = { env = 'I' }\nsecret_access_key = { file = 's' }";
    let of = |more: &str| {
        let loaded = load(&format!("[recording.store]\nbucket = 'recordings'\n{key}\n{more}"), &[], &[]);
        loaded.map(|loaded| loaded.settings.recording.store.expect("a store"))
    };
    let amazon = of("region = 'eu-central-1'").expect("good");
    assert_eq!(amazon.endpoint, "https://s3.eu-central-1.amazonaws.com");
    assert_eq!((amazon.addressing, amazon.prefix.as_str()), (StoreAddressing::Host, "wane"));
    assert_eq!((amazon.keep_local, amazon.allow_http), (Duration::ZERO, false));
    let own = of("endpoint = 'http://127.0.0.1:9000/'\nprefix = '/a/b/'\nkeep_local = '7d'").expect("good");
    assert_eq!((own.endpoint.as_str(), own.addressing), ("http://127.0.0.1:9000", StoreAddressing::Path));
    assert_eq!((own.prefix.as_str(), own.keep_local), ("a/b", Duration::from_hours(7 * 24)));
    assert_eq!(own.secret_access_key, SecretRef::File("s".into()));
    for (endpoint, allowed, good) in [
        ("http://localhost:9000", false, true),
        ("http://[::1]:9000", false, true),
        ("http://localhost.example.org", false, false),
        ("http://127.0.0.1.example.org:80", false, false),
        ("http://objects.internal:9000", true, true),
        ("https://objects.internal", false, true),
    ] {
        let read = of(&format!("endpoint = '{endpoint}'\nallow_http = {allowed}"));
        assert_eq!(read.is_ok(), good, "{endpoint} {allowed}");
    }
    let none = load("", &[], &[]).expect("good");
    assert_eq!(none.settings.recording.store, None);
}

#[test]
fn plain_http_needs_loopback_or_a_proxy() {
    for (listen, behind_proxy, good) in [
        ("127.0.0.2:1", false, true),
        ("[::1]:1", false, true),
        ("10.0.0.1:1", false, false),
        ("0.0.0.0:1", true, true),
        ("[::]:1", false, false),
    ] {
        let toml = format!("[server]\nlisten = '{listen}'\nplaintext_behind_proxy = {behind_proxy}");
        assert_eq!(load(&toml, &[], &[]).is_ok(), good, "{toml}");
    }
    let with_tls = load("[server]\nlisten = '0.0.0.0:443'\ntls = { cert = 'c', key = 'k' }", &[], &[]).expect("good");
    assert_eq!(with_tls.settings.server.public_url, "https://0.0.0.0:443");
}

#[test]
fn explain_and_check_are_readable() {
    let loaded = load("", &[("WANE__log__format", "json")], &[]).expect("good");
    assert_eq!(
        loaded.check(),
        format!("the settings are good; 1 of {} is set, the rest are as by default", KEYS.len())
    );
    let text = loaded.render();
    assert!(text.contains("log.format = json  (environment variable `WANE__log__format`)\n    Form of log lines: `text` for people, `json` for machines.\n"));
    assert!(text.contains("server.tls.cert = (not set)  (default)\n"));
}

#[test]
fn secrets_are_read_where_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    let file = SecretRef::File(path.clone());
    let nothing = |_: &str| None;
    assert!(matches!(file.read(nothing), Err(SecretError::Unreadable { .. })));
    for (text, want) in
        [("s3cret\n", Ok("s3cret")), ("two\nlines\n\n", Ok("two\nlines\n")), ("\n", Err(())), ("", Err(()))]
    {
        std::fs::write(&path, text).expect("it is written");
        assert_eq!(
            file.read(nothing).map_err(|e| assert_eq!(e, SecretError::Empty(file.clone()))),
            want.map(str::to_owned),
            "{text:?}"
        );
    }
    let env = SecretRef::Env("P".to_owned());
    assert_eq!(env.read(|name| (name == "P").then(|| "s3cret\n".to_owned())), Ok("s3cret\n".to_owned()));
    assert_eq!(env.read(nothing), Err(SecretError::Unset("P".to_owned())));
    assert_eq!(
        env.read(nothing).unwrap_err().to_string(),
        "the environment variable `P` is not set; it is to hold a secret"
    );
}
