//! Leaving a setting out is never a way to have less protection than was set, or none at all.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wane_config::{
    EmailSecurity, IssuingSeal, KEYS, Loaded, LogLevel, RecordingFailure, RecordingFiles, RecordingSessions, Settings,
};

/// A deployment others can reach, with every setting set: as strict as the default or stricter.
const FULL: &[(&str, &str)] = &[
    ("server.listen", "192.0.2.7:443"),
    ("server.public_url", "https://wane.example.org"),
    ("server.data_dir", "/srv/wane"),
    ("server.zone", "Europe/Berlin"),
    ("hooks.programs", "/srv/wane/programs"),
    ("hooks.without_landlock", "false"),
    ("server.tls.cert", "/srv/tls/cert.pem"),
    ("server.tls.key", "/srv/tls/key.pem"),
    ("server.plaintext_behind_proxy", "false"),
    ("signer.socket", "/run/wane-signer/signer.sock"),
    ("signer.data_dir", "/srv/signer"),
    ("signer.server_user", "wane"),
    ("signer.most_per_minute", "9000"),
    ("seal.ends.kind", "machine"),
    ("seal.ends.file", "/srv/keys/ends.key"),
    ("seal.issuing.kind", "passphrase"),
    ("seal.issuing.passphrase.env", "PASSPHRASE"),
    ("seal.signing.kind", "passphrase"),
    ("seal.signing.passphrase.env", "SIGNING"),
    ("log.level", "warn"),
    ("log.format", "json"),
    ("engine.inventory_every", "5m"),
    ("engine.retry_cap", "10s"),
    ("login.session_max", "4h"),
    ("login.session_idle", "15m"),
    ("login.reproof_grace", "1m"),
    ("gateway.ssh.listen", "192.0.2.7:22"),
    ("gateway.ssh.address", "ssh.example.org:22"),
    ("gateway.http.listen", "192.0.2.7:8443"),
    ("gateway.http.cert", "/srv/tls/apps.pem"),
    ("gateway.http.key", "/srv/tls/apps.key"),
    ("gateway.rules", "/srv/rules.toml"),
    ("recording.folder", "/srv/recordings"),
    ("recording.sessions", "all"),
    ("recording.on_failure", "close"),
    ("recording.keep", "90d"),
    ("recording.store.bucket", "recordings"),
    ("recording.store.endpoint", "https://objects.example.org"),
    ("recording.store.region", "eu-central-1"),
    ("recording.store.prefix", "audit/wane"),
    ("recording.store.access_key_id.env", "KEY_ID"),
    ("recording.store.secret_access_key.env", "KEY"),
    ("recording.store.path_style", "true"),
    ("recording.store.ca", "/srv/tls/objects.pem"),
    ("recording.store.allow_http", "false"),
    ("recording.store.keep_local", "1h"),
    ("recording.files", "contents"),
    ("notices.email.host", "mail.example.org"),
    ("notices.email.port", "2525"),
    ("notices.email.security", "starttls"),
    ("notices.email.user", "wane"),
    ("notices.email.password.env", "MAIL"),
    ("notices.email.from", "wane@example.org"),
    ("notices.email.ca", "/srv/tls/mail.pem"),
    ("notices.email.timeout", "5s"),
    ("notices.try_for", "1d"),
    ("notices.keep", "7d"),
    ("limits.body_bytes", "64 KiB"),
    ("limits.open_requests", "10"),
];

/// These cannot be set beside the others: a seal has one source, and so has a key.
const OTHER_SOURCES: &[&str] = &[
    "seal.issuing.file",
    "seal.issuing.passphrase.file",
    "seal.signing.file",
    "seal.signing.passphrase.file",
    "recording.store.access_key_id.file",
    "recording.store.secret_access_key.file",
    "notices.email.password.file",
];

fn load(said: &BTreeMap<&str, &str>) -> Result<Loaded, String> {
    let flags: Vec<_> = said.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Settings::load(None, std::iter::empty(), &flags).map_err(|e| e.to_string())
}

/// How much each setting lets through; more is looser.
fn looseness(settings: &Settings) -> BTreeMap<&'static str, u128> {
    let server = &settings.server;
    let reach = match server.listen.ip() {
        ip if ip.is_loopback() => 0,
        IpAddr::V4(ip) if !ip.is_unspecified() => 1,
        IpAddr::V6(ip) if !ip.is_unspecified() => 1,
        _ => 2,
    };
    let plain = server.tls.is_none() && reach > 0;
    let unattended = matches!(settings.seal.issuing, IssuingSeal::Machine { .. });
    let signs_unattended = matches!(settings.seal.signing, IssuingSeal::Machine { .. });
    BTreeMap::from([
        ("reach", reach),
        ("others are answered without TLS", u128::from(plain)),
        ("a proxy is trusted", u128::from(server.plaintext_behind_proxy)),
        ("signing keys open without a person", u128::from(unattended)),
        ("a signer's keys open without a person", u128::from(signs_unattended)),
        ("the server has the signing keys", u128::from(settings.signer.socket.is_none())),
        ("a key signs in a minute", u128::from(settings.signer.most_per_minute.get())),
        ("secrets may be logged", u128::from(settings.log.level >= LogLevel::Debug)),
        ("sign-in lasts", settings.login.session_max.as_micros()),
        ("sign-in idles", settings.login.session_idle.as_micros()),
        ("a paused session waits", settings.login.reproof_grace.as_micros()),
        ("search is late by", settings.engine.inventory_every.as_micros()),
        ("an end is late by", settings.engine.retry_cap.as_micros()),
        ("a session goes unrecorded", u128::from(settings.recording.sessions != RecordingSessions::All)),
        ("a session outlives its recording", u128::from(settings.recording.on_failure != RecordingFailure::Close)),
        ("files go unrecorded", u128::from(settings.recording.files != RecordingFiles::Contents)),
        ("recordings are kept", settings.recording.keep.map_or(u128::MAX, |keep| keep.as_micros())),
        (
            "recordings may pass without TLS",
            u128::from(settings.recording.store.as_ref().is_some_and(|store| store.allow_http)),
        ),
        (
            "mail may pass without TLS",
            u128::from(settings.notices.email.as_ref().is_some_and(|email| email.security == EmailSecurity::None)),
        ),
        ("programs run for targets", u128::from(settings.hooks.programs.is_some())),
        ("programs run unconfined by Landlock", u128::from(settings.hooks.without_landlock)),
        ("body", settings.limits.body_bytes.into()),
        ("requests", settings.limits.open_requests.into()),
    ])
}

/// For every setting there is: without it nothing starts, or what was protected still is. A bound that
/// is left out is the documented one, never none.
#[test]
fn a_setting_left_out_is_never_looser() {
    let full: BTreeMap<&str, &str> = FULL.iter().copied().collect();
    for key in KEYS {
        assert!(full.contains_key(key.name) || OTHER_SOURCES.contains(&key.name), "`{}` is not looked at", key.name);
    }
    let set = looseness(&load(&full).expect("all of it is good").settings);
    let default = looseness(&load(&BTreeMap::new()).expect("none of it is good").settings);
    let mut refused = Vec::new();
    for key in full.keys() {
        let mut less = full.clone();
        less.remove(key);
        match load(&less) {
            Err(_) => refused.push(*key),
            Ok(loaded) => {
                for (what, now) in looseness(&loaded.settings) {
                    let (before, usual) = (set[what], default[what]);
                    // A protection that is on or off stays as it was; a bound falls back to the usual one.
                    let allowed = if usual > 1 && what != "reach" { before.max(usual) } else { before };
                    assert!(now <= allowed, "without `{key}`, {what}: {now} instead of {before}");
                }
            }
        }
    }
    // What a protection rests on is missed, not done without.
    let needed = [
        "gateway.http.cert",
        "gateway.http.key",
        "gateway.http.listen",
        "gateway.ssh.listen",
        "notices.email.from",
        "notices.email.host",
        "notices.email.password.env",
        "notices.email.user",
        "recording.store.access_key_id.env",
        "recording.store.bucket",
        "recording.store.secret_access_key.env",
        "seal.issuing.kind",
        "seal.issuing.passphrase.env",
        "seal.signing.kind",
        "seal.signing.passphrase.env",
        "server.tls.cert",
        "server.tls.key",
        "signer.socket",
    ];
    assert_eq!(refused, needed);
}

/// Nor are several: all of TLS left out is refused as well, where others can reach it.
#[test]
fn tls_left_out_is_refused_where_others_reach_it() {
    let mut less: BTreeMap<&str, &str> = FULL.iter().copied().collect();
    less.retain(|key, _| !key.starts_with("server.tls"));
    let why = load(&less).expect_err("plain HTTP for everybody");
    assert!(why.contains("without TLS"), "{why}");
    // Also if the word that would allow it is left out with it.
    less.remove("server.plaintext_behind_proxy");
    assert!(load(&less).is_err());
}

/// A setting that is there and empty is a mistake, not a default.
#[test]
fn an_empty_setting_is_refused() {
    for key in KEYS {
        for empty in ["", " "] {
            let mut said: BTreeMap<&str, &str> = FULL.iter().copied().collect();
            if OTHER_SOURCES.contains(&key.name) {
                said.retain(|name, _| !name.starts_with("seal.issuing") && !name.starts_with("seal.signing"));
            }
            said.insert(key.name, empty);
            assert!(load(&said).is_err(), "`{}` = {empty:?} was taken", key.name);
        }
    }
}
