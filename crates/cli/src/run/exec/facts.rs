//! The facts of a connection as a command finds them in its environment.
//!
//! INVARIANT: no secret stands in the environment, and the server chooses no variable outside
//! `WANE_` and the fixed libpq names (held by `facts_reach_the_command_and_secrets_do_not`).

use std::ffi::OsString;

use serde_json::{Map, Value};
use wane_api::grant::CredentialView;

use super::private::PrivateDir;
use crate::access::Held;
use crate::exit::Stop;

pub(super) type Environment = Vec<(String, OsString)>;

pub(super) fn environment(held: &Held, made: &CredentialView, dir: &PrivateDir) -> Result<Environment, Stop> {
    let empty = Map::new();
    let public = made.public.as_object().unwrap_or(&empty);
    let mut all: Environment = Vec::new();
    for (key, value) in public {
        if let (Some(name), Some(text)) = (variable(key), plain(value)) {
            all.push((name, text.into()));
        }
    }
    // After the public facts: ours have the last word.
    all.extend(ours(held));
    if let Some(secret) = &made.secret {
        let path = dir.file("secret", secret.expose().as_bytes())?;
        all.push(("WANE_SECRET_FILE".to_owned(), path.into()));
    }
    libpq(public, made, dir, &mut all)?;
    Ok(all)
}

/// What is known of every access.
pub(super) fn ours(held: &Held) -> Environment {
    let facts = [
        ("WANE_GRANT", held.grant.clone()),
        ("WANE_RESOURCE", held.resource.clone()),
        ("WANE_ROLE", held.role.clone()),
        ("WANE_KIND", held.kind.clone()),
        ("WANE_END", held.end.to_string()),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// What every client of libpq understands, where a place, a port and a user are known.
///
/// A server is always verified: where no authority is named, libpq looks for one and fails without.
fn libpq(
    public: &Map<String, Value>,
    made: &CredentialView,
    dir: &PrivateDir,
    all: &mut Environment,
) -> Result<(), Stop> {
    let fact = |name: &str| public.get(name).and_then(plain);
    let (Some(port), Some(user)) = (fact("port"), fact("user")) else { return Ok(()) };
    let (place, place_in_passfile) = match (fact("socket"), fact("host")) {
        // A folder is written differently by different versions; the file is ours alone anyway.
        (Some(folder), _) => (folder, "*".to_owned()),
        (None, Some(host)) => {
            all.push(("PGSSLMODE".to_owned(), "verify-full".into()));
            all.push(("PGGSSENCMODE".to_owned(), "disable".into()));
            (host.clone(), host)
        }
        (None, None) => return Ok(()),
    };
    all.push(("PGHOST".to_owned(), place.into()));
    all.push(("PGPORT".to_owned(), port.clone().into()));
    all.push(("PGUSER".to_owned(), user.clone().into()));
    if let Some(database) = fact("database") {
        all.push(("PGDATABASE".to_owned(), database.into()));
    }
    let nested = || public.get("tls").and_then(|tls| tls.get("ca_pem")).and_then(plain);
    if let Some(pem) = nested().or_else(|| fact("ca_pem")) {
        all.push(("PGSSLROOTCERT".to_owned(), dir.file("root.crt", pem.as_bytes())?.into()));
    }
    if let Some(secret) = &made.secret
        && !secret.expose().contains('\n')
    {
        let place = if place_in_passfile == "*" { place_in_passfile } else { passfile_field(&place_in_passfile) };
        let fields = [passfile_field(&port), "*".to_owned(), passfile_field(&user), passfile_field(secret.expose())];
        let path = dir.file("pgpass", format!("{place}:{}\n", fields.join(":")).as_bytes())?;
        all.push(("PGPASSFILE".to_owned(), path.into()));
    }
    Ok(())
}

/// A field of a libpq password file: `:` and `\` are escaped.
fn passfile_field(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

/// `WANE_` and a key in capitals; none for a key that makes no variable's name.
fn variable(key: &str) -> Option<String> {
    let sound = !key.is_empty()
        && key.len() <= 64
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    // The client's own settings are not for the server to choose.
    let own = ["server", "token", "ca", "secret_file", "id_token", "id_token_file", "audience"]
        .contains(&key.to_ascii_lowercase().replace('-', "_").as_str());
    (sound && !own).then(|| format!("WANE_{}", key.to_ascii_uppercase().replace('-', "_")))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.contains('\0')).then(|| text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use wane_api::SecretText;

    use super::*;

    fn of(public: Value, secret: Option<&str>) -> (BTreeMap<String, String>, PrivateDir, tempfile::TempDir) {
        let place = tempfile::tempdir().unwrap();
        let dir = PrivateDir::under(place.path(), "x").unwrap();
        let end = "2026-11-21T14:00:00Z".parse().unwrap();
        let held = Held {
            grant: "grt_1".to_owned(),
            resource: "db".to_owned(),
            role: "readonly".to_owned(),
            kind: "postgres".to_owned(),
            end,
        };
        let made = CredentialView {
            lease: "lse_1".to_owned(),
            public,
            secret: secret.map(|s| SecretText::new(s.to_owned())),
            not_after: None,
            grant_end: end,
        };
        let all = environment(&held, &made, &dir).unwrap();
        let all = all.into_iter().map(|(k, v)| (k, v.into_string().unwrap())).collect();
        (all, dir, place)
    }

    #[test]
    fn facts_reach_the_command_and_secrets_do_not() {
        let public = json!({
            "host": "db.example.org", "port": 5432, "user": "wane_x", "database": "main", "sslmode": "disable",
            "tls": { "ca_pem": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n" },
            "LD_PRELOAD": "/evil.so", "bad key": "x", "PATH=": "x", "token": "theirs", "server": "theirs",
            "nested": {"a": 1}, "grant": "lie",
        });
        let (all, dir, _place) = of(public, Some("ca:na\\ry"));
        for (name, value) in [
            ("PGHOST", "db.example.org"),
            ("PGPORT", "5432"),
            ("PGUSER", "wane_x"),
            ("PGDATABASE", "main"),
            ("PGSSLMODE", "verify-full"),
            ("WANE_HOST", "db.example.org"),
            ("WANE_GRANT", "grt_1"),
            ("WANE_ROLE", "readonly"),
            ("WANE_END", "2026-11-21T14:00:00Z"),
        ] {
            assert_eq!(all[name], value, "{name}");
        }
        assert_eq!(
            std::fs::read_to_string(&all["PGPASSFILE"]).unwrap(),
            "db.example.org:5432:*:wane_x:ca\\:na\\\\ry\n"
        );
        assert_eq!(std::fs::read_to_string(&all["WANE_SECRET_FILE"]).unwrap(), "ca:na\\ry");
        assert!(std::fs::read_to_string(&all["PGSSLROOTCERT"]).unwrap().contains("BEGIN"));
        for (name, value) in &all {
            assert!(!value.contains("na\\ry"), "{name} holds the secret");
            assert!(name.starts_with("WANE_") || name.starts_with("PG"), "{name}");
        }
        assert!(!all.contains_key("WANE_TOKEN") && !all.contains_key("WANE_SERVER"));
        drop(dir);
        assert!(!std::path::Path::new(&all["PGPASSFILE"]).exists());
    }

    #[test]
    fn a_socket_is_a_place_too() {
        let (all, ..) = of(json!({ "socket": "/run/pg:1", "port": 5432, "user": "wane_x" }), Some("canary"));
        assert_eq!(all["PGHOST"], "/run/pg:1");
        assert!(!all.contains_key("PGSSLMODE") && !all.contains_key("PGSSLROOTCERT"));
        // `dir` is gone here, and the files with it.
        assert!(!std::path::Path::new(&all["PGPASSFILE"]).exists());
    }

    #[test]
    fn without_a_host_there_is_nothing_for_libpq() {
        let (all, ..) = of(json!({ "user": "wane_x", "url": "https://x" }), None);
        assert!(all.keys().all(|name| name.starts_with("WANE_")), "{all:?}");
        assert_eq!(all["WANE_URL"], "https://x");
    }
}
