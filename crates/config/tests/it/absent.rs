//! A security setting that is left out means the strict thing or an error, never "no check".

use std::time::Duration;

use wane_config::{IssuingSeal, Settings};

use crate::load;

const STRICT: [(&str, &str); 9] = [
    ("server.listen", "'[::]:443'"),
    ("server.tls.cert", "'c.pem'"),
    ("server.tls.key", "'k.pem'"),
    ("seal.issuing.kind", "'passphrase'"),
    ("seal.issuing.passphrase.env", "'P'"),
    ("login.session_max", "'1h'"),
    ("login.session_idle", "'5m'"),
    ("limits.body_bytes", "'64 KiB'"),
    ("limits.open_requests", "3"),
];

fn without(left_out: &[&str]) -> Option<Settings> {
    let kept = STRICT.iter().filter(|(key, _)| !left_out.contains(key));
    let text: String = kept.map(|(key, value)| format!("{key} = {value}\n")).collect();
    load(&text, &[], &[]).ok().map(|loaded| loaded.settings)
}

/// What holds of settings that start, whatever was left out.
fn is_strict(s: &Settings) -> bool {
    let reachable = !s.server.listen.ip().is_loopback();
    let bounded = |d: Duration, most: u64| d > Duration::ZERO && d <= Duration::from_secs(most);
    (!reachable || s.server.tls.is_some())
        && !s.server.plaintext_behind_proxy
        && bounded(s.login.session_max, 8 * 3600)
        && bounded(s.login.session_idle, 3600)
        && (1..=1024 * 1024).contains(&s.limits.body_bytes)
        && (1..=50).contains(&s.limits.open_requests)
}

#[test]
fn what_is_left_out_is_strict_or_an_error() {
    assert!(is_strict(&without(&[]).expect("all of it is good")));
    for (key, _) in STRICT {
        let left = without(&[key]);
        let must_fail = ["server.tls.cert", "server.tls.key", "seal.issuing.passphrase.env"].contains(&key);
        assert_eq!(left.is_none(), must_fail || key == "seal.issuing.kind", "{key}");
        assert!(left.as_ref().is_none_or(is_strict), "{key}: {left:?}");
    }
    assert!(without(&["server.tls.cert", "server.tls.key"]).is_none(), "reachable by others, without TLS");
    let machine = without(&["seal.issuing.kind", "seal.issuing.passphrase.env"]).expect("a machine seal");
    assert!(matches!(machine.seal.issuing, IssuingSeal::Machine { .. }));
    let all: Vec<&str> = STRICT.iter().map(|(key, _)| *key).collect();
    assert!(is_strict(&without(&all).expect("the defaults are good")));
    // And what says that there is no check is said in so many words, or not at all.
    let proxied = |word: &str| load(&format!("server.listen = '[::]:80'\n{word}"), &[], &[]).is_ok();
    assert!(proxied("server.plaintext_behind_proxy = true") && !proxied(""));
}
