//! Every way to get it wrong, with what is said about it.

use std::path::Path;

use wane_config::Settings;

use crate::load;

#[test]
fn what_is_wrong_is_told() {
    for (toml, want) in [
        (
            "[server]\nlistne = '127.0.0.1:1'",
            "wane.toml:2: there is no setting `server.listne`; did you mean `server.listen`?",
        ),
        ("data_dir = 'x'", "wane.toml:1: there is no setting `data_dir`; did you mean `server.data_dir`?"),
        ("[zebra]\nstripes = 7\n", "wane.toml:1: there is no setting `zebra`"),
        ("server = 3", "wane.toml:1: `server` is a section; write its settings as `server.…`"),
        ("[log]\nlevel = { a = 1 }", "wane.toml:2: `log.level` is one value, not a table"),
        ("[log]\n\nlevel = ['info']", "wane.toml:3: `log.level` is one value, not a list"),
        (
            "[seal.issuing]\nkind = 'passphrase'\npassphrase = 'hunter2'",
            "wane.toml:3: `seal.issuing.passphrase` is a secret and is never written in settings; refer to it with `{ file = \"…\" }` or `{ env = \"…\" }`",
        ),
        (
            "[seal.issuing]\npassphrase = ['hunter2']",
            "wane.toml:2: `seal.issuing.passphrase` is a secret and is never written in settings; refer to it with `{ file = \"…\" }` or `{ env = \"…\" }`",
        ),
        (
            "[seal.issuing]\nkind = 'passphrase'",
            "wane.toml:2: the seal is `passphrase` but none is referred to; set `seal.issuing.passphrase` to `{ file = \"…\" }` or `{ env = \"…\" }`",
        ),
        (
            "[seal.issuing]\npassphrase = { env = 'P' }",
            "default: `seal.issuing.passphrase` is given but the seal is `machine`; set `seal.issuing.kind = \"passphrase\"`, or leave the passphrase out",
        ),
        (
            "[seal.issuing]\nkind = 'passphrase'\npassphrase = { file = 'p', env = 'P' }",
            "wane.toml:3: `seal.issuing.passphrase` is given as a file and as an environment variable; choose one",
        ),
        ("[seal.ends]\nkind = 'passphrase'", "wane.toml:2: `seal.ends.kind` is `passphrase`; write `machine`"),
        (
            "[server]\nlisten = 'localhost:80'",
            "wane.toml:2: `server.listen` is `localhost:80`; write an IP address and port, for instance `127.0.0.1:7440` or `[::]:443`",
        ),
        (
            "[server]\nlisten = '0.0.0.0:443'",
            "wane.toml:2: `server.listen` is `0.0.0.0:443`, which others can reach, without TLS; set `server.tls`, or `server.plaintext_behind_proxy = true` if a proxy in front does TLS",
        ),
        (
            "[recording.store]\nbuckett = 'b'",
            "wane.toml:2: there is no setting `recording.store.buckett`; did you mean `recording.store.bucket`?",
        ),
        (
            "[recording.store]\nendpoint = 'https://o'",
            "wane.toml:2: `recording.store.endpoint` needs `recording.store.bucket`; set it, or leave `[recording.store]` out",
        ),
        (
            "[recording.store]\nbucket = 'abc'\naccess_key_id = { env = 'I' }\nsecret_access_key = 'hunter2'",
            "wane.toml:4: `recording.store.secret_access_key` is a secret and is never written in settings; refer to it with `{ file = \"…\" }` or `{ env = \"…\" }`",
        ),
        (
            "[recording.store]\nbucket = 'abc'\naccess_key_id = { env = 'I' }",
            "wane.toml:2: `recording.store.bucket` needs `recording.store.secret_access_key`; refer to it with `{ file = \"…\" }` or `{ env = \"…\" }`",
        ),
        (
            "[recording.store]\nbucket = 'abc'\naccess_key_id = { env = 'I' }\nsecret_access_key = { env = 'S' }\nendpoint = 'http://objects.example.org:9000'",
            "wane.toml:5: `recording.store.endpoint` is `http://objects.example.org:9000`, which is not this machine, without TLS; use `https://`, or set `recording.store.allow_http = true` if the network in between is trusted",
        ),
        (
            "[recording.store]\nbucket = 'abc'\naccess_key_id = { env = 'I' }\nsecret_access_key = { env = 'S' }\nprefix = 'a/../b'",
            "wane.toml:5: `recording.store.prefix` is `a/../b`; write letters, digits, dots, hyphens and single slashes, for instance `audit/wane`",
        ),
        ("[server.tls]\ncert = 'c.pem'", "wane.toml:2: `server.tls.cert` needs `server.tls.key`; set both or none"),
        ("[server.tls]\nkey = 'k.pem'", "wane.toml:2: `server.tls.key` needs `server.tls.cert`; set both or none"),
        (
            "[server]\nzone = 'Mars/Olympus'",
            "wane.toml:2: `server.zone` is `Mars/Olympus`; write an IANA time zone, for instance `Europe/Berlin`",
        ),
        ("[server]\ndata_dir = ''", "wane.toml:2: `server.data_dir` is ``; write something, or leave it out"),
        (
            "[server]\npublic_url = 'wane.example.org'",
            "wane.toml:2: `server.public_url` is `wane.example.org`; write `https://` or `http://` with host and, if need be, port, for instance `https://wane.example.org`",
        ),
        (
            "[server]\npublic_url = 'https://wane.example.org/app?x'",
            "wane.toml:2: `server.public_url` is `https://wane.example.org/app?x`; write `https://` or `http://` with host and, if need be, port, for instance `https://wane.example.org`",
        ),
        (
            "[server]\nplaintext_behind_proxy = 'yes'",
            "wane.toml:2: `server.plaintext_behind_proxy` is `yes`; write `true` or `false`",
        ),
        (
            "[log]\nlevel = 'loud'",
            "wane.toml:2: `log.level` is `loud`; write `error`, `warn`, `info`, `debug` or `trace`",
        ),
        ("[log]\nformat = 'xml'", "wane.toml:2: `log.format` is `xml`; write `text` or `json`"),
        (
            "[engine]\ninventory_every = 15",
            "wane.toml:2: `engine.inventory_every` is `15`; write a length of time longer than zero, for instance `30s`, `15m` or `8h`",
        ),
        (
            "[engine]\nretry_cap = '-1s'",
            "wane.toml:2: `engine.retry_cap` is `-1s`; write a length of time longer than zero, for instance `30s`, `15m` or `8h`",
        ),
        (
            "[login]\nsession_idle = '9h'",
            "wane.toml:2: `login.session_idle` is longer than `login.session_max`; make it shorter",
        ),
        (
            "[limits]\nbody_bytes = 0",
            "wane.toml:2: `limits.body_bytes` is `0`; write a number of bytes from `1 KiB` to `64 MiB`, for instance `1 MiB`",
        ),
        (
            "[limits]\nbody_bytes = '99999999999999999999 MiB'",
            "wane.toml:2: `limits.body_bytes` is `99999999999999999999 MiB`; write a number of bytes from `1 KiB` to `64 MiB`, for instance `1 MiB`",
        ),
        (
            "[limits]\nopen_requests = 2.5",
            "wane.toml:2: `limits.open_requests` is `2.5`; write a whole number from 1 to 10000",
        ),
    ] {
        assert_eq!(load(toml, &[], &[]).map(|_| ()), Err(want.to_owned()), "{toml}");
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let told = load(
        "[server]\nlisten = 'here'\n[log]\nlevel = 'loud'\ncolour = true\n",
        &[("WANE__login__session_max", "never"), ("WANE__sever__zone", "UTC"), ("WANE_OTHER", "x"), ("PATH", "/bin")],
        &[("limits.open_requests", "none"), ("server", "x")],
    )
    .unwrap_err();
    let lines: Vec<&str> = told.lines().collect();
    for want in [
        "wane.toml:2: `server.listen` is `here`;",
        "wane.toml:4: `log.level` is `loud`;",
        "wane.toml:5: there is no setting `log.colour`",
        "environment variable `WANE__login__session_max`: `login.session_max` is `never`;",
        "environment variable `WANE__sever__zone`: there is no setting `sever.zone`; did you mean `server.zone`?",
        "flag `limits.open_requests`: `limits.open_requests` is `none`;",
        "flag `server`: `server` is a section;",
    ] {
        assert_eq!(lines.iter().filter(|l| l.starts_with(want)).count(), 1, "{want} in\n{told}");
    }
    assert_eq!(lines.len(), 7, "{told}");
}

#[test]
fn a_secret_is_never_repeated() {
    let secret = "correct horse battery staple";
    let in_file = load(&format!("[seal.issuing]\nkind = 'passphrase'\npassphrase = '{secret}'"), &[], &[]);
    let in_env = load("", &[("WANE__seal__issuing__passphrase", secret)], &[]);
    let in_flag = load("", &[], &[("seal.issuing.passphrase", secret)]);
    for told in [in_file, in_env, in_flag].map(|r| r.map(|_| ()).unwrap_err()) {
        assert!(told.contains("never written in settings") && !told.contains("horse"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let told = load("[server]\nlisten = \n", &[], &[]).unwrap_err();
    assert!(told.starts_with("wane.toml:2: "), "{told}");
    let told = load("[log]\nlevel = 'info'\nlevel = 'warn'\n", &[], &[]).unwrap_err();
    assert!(told.contains("wane.toml:3: duplicate key"), "{told}");
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let told = Settings::load(Some(Path::new("/nowhere/wane.toml")), std::iter::empty(), &[]).unwrap_err().to_string();
    assert!(told.starts_with("cannot read `/nowhere/wane.toml`: "), "{told}");
}
