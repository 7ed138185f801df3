//! Text that becomes part of a statement, and what people write about a database.

use wane_connector::Kind;
use wane_kind_postgres::{PostgresKind, Setup, fuzzed, setup_sql};

use crate::access::ambient;
use crate::draw::Draw;
use crate::ssh::{LONGEST_REFUSAL, normal};

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use crate::draw::{texts, words};

    const HOSTILE: &[&str] = &[
        "plain",
        "x\"; drop role y; --",
        "a'b",
        "a\\'b",
        "\\",
        "$$;",
        "a\0b",
        "é\u{202e}",
        "U&\"d!0061\"",
        "a\nb",
        "%I",
        ":name",
        "\u{feff}",
    ];

    pub(crate) fn sql_identifier() -> Vec<Vec<u8>> {
        texts(HOSTILE)
    }

    pub(crate) fn sql_text() -> Vec<Vec<u8>> {
        texts(HOSTILE)
    }

    pub(crate) fn sql_setup() -> Vec<Vec<u8>> {
        vec![words(&["wane", "wane_left_behind", "app_read", "shop"]), words(HOSTILE)]
    }

    pub(crate) fn sql_settings() -> Vec<Vec<u8>> {
        texts(&[
            r#"{"socket":"/run/postgresql","user":"wane","databases":["shop","two"],"port":5433}"#,
            r#"{"address":"localhost:5432","user":"wane","databases":["shop"],"tls":{"spki_sha256":"0000000000000000000000000000000000000000000000000000000000000000","allow_tls12":true},"connection_limit":3,"reassign_to":"kept"}"#,
            r#"{"address":"localhost:5432","user":"wane","databases":["shop"],"tls":{"ca_pem":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}}"#,
        ])
    }

    pub(crate) fn sql_role() -> Vec<Vec<u8>> {
        texts(&[
            r#"{"member_of":["app_read","pg_monitor"],"connection_limit":2,"settings":{"search_path":["a","b\"c"],"statement_timeout":"30s"}}"#,
            r#"{"grants":[{"database":"shop","schema":"public","on":"table","name":"orders","privileges":["select","Insert"]},{"database":"shop","on":"database","privileges":["temp"]}]}"#,
            r#"{"grants":[{"database":"shop","schema":"public","on":"all tables","privileges":["SELECT"]}]}"#,
        ])
    }
}

/// What a quoted identifier says, read as the server's scanner does: the text between the quotes, and
/// what follows the token.
fn read_identifier(sql: &str) -> Option<(String, &str)> {
    let mut rest = sql.strip_prefix('"')?;
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

/// As [`read_identifier`], for a string, whatever `standard_conforming_strings` says.
fn read_text(sql: &str) -> Option<(String, &str)> {
    let sql = sql.trim_start_matches(' ');
    let (escapes, sql) = sql.strip_prefix('E').map_or((false, sql), |rest| (true, rest));
    let mut chars = sql.strip_prefix('\'')?.char_indices();
    let mut text = String::new();
    while let Some((_, c)) = chars.next() {
        match c {
            '\\' if !escapes => return None,
            '\\' => text.push(chars.next()?.1),
            '\'' => match chars.clone().next() {
                Some((_, '\'')) => {
                    chars.next();
                    text.push('\'');
                }
                _ => return Some((text, chars.as_str())),
            },
            c => text.push(c),
        }
    }
    None
}

pub(crate) fn sql_identifier(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    match fuzzed::ident(&name) {
        Ok(quoted) => {
            assert_eq!(read_identifier(&quoted), Some((name.to_string(), "")), "{quoted}");
            assert!((1..=63).contains(&name.len()) && !name.contains('\0'));
        }
        Err(why) => assert!((name.is_empty() || name.len() > 63 || name.contains('\0')) && why.len() < LONGEST_REFUSAL),
    }
}

pub(crate) fn sql_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match fuzzed::literal(&text) {
        Ok(quoted) => assert_eq!(read_text(&quoted), Some((text.to_string(), "")), "{quoted}"),
        Err(_) => assert!(text.contains('\0')),
    }
}

pub(crate) fn sql_setup(data: &[u8]) {
    let mut draw = Draw::new(data);
    let [connector, reassign_to, group, database] = std::array::from_fn(|_| draw.word());
    let setup = Setup { connector: &connector, reassign_to: &reassign_to, groups: &[&group], databases: &[&database] };
    // Its reader, psql, takes a line for a command of its own, whatever quotes are open.
    match setup_sql(&setup) {
        Ok(sql) => {
            let begins: Vec<_> = sql.lines().map(|line| line.split_once(' ').map_or(line, |(word, _)| word)).collect();
            let meant = "SELECT SELECT ALTER GRANT ALTER GRANT GRANT SELECT GRANT \\connect REVOKE";
            assert_eq!(begins.join(" "), meant, "{sql}");
        }
        Err(why) => assert!(why.len() < LONGEST_REFUSAL, "{why}"),
    }
}

pub(crate) fn sql_settings(data: &[u8]) {
    let kind = PostgresKind::new(ambient());
    let Some(settings) = normal(data, |given| kind.settings(given)) else { return };
    assert!(settings.get("address").is_some() != settings.get("socket").is_some());
    assert!(settings.get("socket").is_some() || settings.get("tls").is_some(), "plaintext over TCP: {settings}");
    assert_ne!(settings["user"], settings["reassign_to"]);
}

pub(crate) fn sql_role(data: &[u8]) {
    let kind = PostgresKind::new(ambient());
    let Some(role) = normal(data, |given| kind.definition(given)) else { return };
    assert!(!kind.is_narrower(&role, &role));
    for group in role["member_of"].as_array().unwrap() {
        let group = group.as_str().unwrap();
        assert!(!group.starts_with("pg_") || group.starts_with("pg_read_") || !group.contains("server"), "{group}");
    }
    let mut more = role.clone();
    more["member_of"].as_array_mut().unwrap().push("zz_another".into());
    if let Ok(more) = kind.definition(&more) {
        assert!(!kind.is_narrower(&more, &role), "more groups are not narrower");
    }
}
