//! The server's settings: the file, and the words of environment and flags.

use std::path::PathBuf;
use std::sync::LazyLock;

use wane_config::{ConfigErrors, KEYS, Loaded, Origin, Settings};

use crate::draw::Draw;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use crate::draw::{texts, words};

    pub(crate) fn settings_file() -> Vec<Vec<u8>> {
        texts(&[
            "[server]\nlisten = \"0.0.0.0:7440\"\npublic_url = \"https://wane.example.org\"\nzone = \"UTC\"\ntls = { cert = \"a.pem\", key = \"b.pem\" }\n[seal.issuing]\nkind = \"passphrase\"\npassphrase = { env = \"P\" }\n[limits]\nbody_bytes = \"64 KiB\"\n",
            "server.listen = \"[::1]:1\"\nserver.plaintext_behind_proxy = true\nlogin.session_max = \"8h\"\nlimits.open_requests = 7\nlimits.body_bytes = 4096\n",
            "[seal.issuing]\npassphrase = \"in the clear\"\n[log]\nlevel = \"loud\"\n",
            "a.b.c = [1, 2, { d = 1979-05-27T07:32:00Z }]\nlog = 1\n[[server]]\n",
        ])
    }

    pub(crate) fn settings_words() -> Vec<Vec<u8>> {
        let pairs = [
            ["WANE__engine__retry_cap", "30s", "login.session_max", "8h"],
            ["WANE__SERVER__LISTEN", "[::]:443", "server.plaintext_behind_proxy", "true"],
            ["WANE__limits__body_bytes", "1 MiB", "limits.body_bytes", "1KKiB"],
            ["WANE__", "", "limits.open_requests", "+7"],
            ["PATH", "/bin", "server.public_url", "https://h/"],
        ];
        pairs.iter().map(|words_of| words(words_of)).collect()
    }
}

/// A file of this process's own; it stays, since nothing at a process's end removes it.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| tempfile::Builder::new().tempdir().unwrap().keep().join("wane.toml"));

fn load(text: &[u8]) -> Result<Loaded, ConfigErrors> {
    std::fs::write(&*FILE, text).unwrap();
    Settings::load(Some(&FILE), std::iter::empty(), &[])
}

pub(crate) fn settings_file(data: &[u8]) {
    match load(data) {
        Ok(loaded) => sound(&loaded),
        Err(errors) => assert!(!errors.0.is_empty()),
    }
    // A secret written where only a reference belongs is not told to whoever reads the errors.
    let inline = [data, b"\n[seal.issuing]\npassphrase = \"c4n4ry\"\n"].concat();
    let errors = load(&inline).unwrap_err();
    assert!(!errors.to_string().contains("c4n4ry") || data.windows(6).any(|part| part == b"c4n4ry"), "{errors}");
}

pub(crate) fn settings_words(data: &[u8]) {
    let mut draw = Draw::new(data);
    let [variable, value, flag, word] = std::array::from_fn(|_| draw.word());
    let known = variable.starts_with("WANE__") || KEYS.iter().any(|key| key.name == flag);
    match Settings::load(None, [(variable, value)].into_iter(), &[(flag, word)]) {
        Ok(loaded) => {
            sound(&loaded);
            assert!(known, "a flag nobody knows was taken");
        }
        Err(errors) => assert!(!errors.0.is_empty()),
    }
}

/// What holds of all settings that were taken.
fn sound(loaded: &Loaded) {
    let settings = &loaded.settings;
    let (server, login) = (&settings.server, &settings.login);
    assert!(server.listen.ip().is_loopback() || server.tls.is_some() || server.plaintext_behind_proxy);
    assert!(login.session_idle <= login.session_max && !login.session_idle.is_zero());
    assert!((1024..=64 << 20).contains(&settings.limits.body_bytes));
    assert!((1..=10_000).contains(&settings.limits.open_requests));
    assert!(!settings.engine.retry_cap.is_zero() && !settings.engine.inventory_every.is_zero());
    assert_eq!(loaded.explain().len(), KEYS.len());
    // What is explained, said again as flags, means the same.
    let said = loaded.explain().iter().filter(|said| said.origin != Origin::Default);
    let flags: Vec<_> = said.map(|said| (said.key.to_owned(), said.value.clone())).collect();
    // Providers are written in the file alone.
    let mut plain = settings.clone();
    plain.login.providers.clear();
    assert_eq!(Settings::load(None, std::iter::empty(), &flags).unwrap().settings, plain);
}
