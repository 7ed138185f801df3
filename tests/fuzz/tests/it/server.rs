//! The oracles: a real PostgreSQL reads what was quoted, `ssh-keygen` reads the revocation list.

use std::fmt::Write as _;

use wane_kind_ssh::fuzzed::revocation_list;
use wane_testkit::{Postgres, SshKey};

use crate::mutation::Mutation;

const SEEDS: &[&str] = &[
    "plain",
    "x\"; drop role y; --",
    "it's \\ here",
    "\\'; select 1; --",
    "$$ %I :name",
    "é\u{202e}\u{feff}",
    "a\nb\\\n",
    "U&\"d!0061\"",
];

fn hostile(rounds: usize) -> Vec<String> {
    let seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let mut mutation = Mutation::new("server");
    let mutated = (0..rounds).map(|_| String::from_utf8_lossy(&mutation.of(&seeds)).into_owned());
    SEEDS.iter().map(|seed| (*seed).to_owned()).chain(mutated).collect()
}

fn hex(text: &str) -> String {
    data_encoding::HEXLOWER.encode(text.as_bytes())
}

/// Whatever is quoted is one token with exactly that text to the server, and nothing follows it.
#[test]
fn the_server_reads_every_quoted_text_as_one_token() {
    use wane_kind_postgres::fuzzed::{ident, literal};
    let server = Postgres::launch().unwrap();
    let (mut sql, mut wanted) = (String::new(), Vec::new());
    for text in hostile(600) {
        if let Ok(name) = ident(&text) {
            // The one key of a row's JSON is the column's name as the server has it.
            let _ = writeln!(
                sql,
                "SELECT 'n', encode(convert_to(k, 'UTF8'), 'hex') FROM (SELECT to_jsonb(t) j FROM (SELECT 1 AS {name}) t) x, jsonb_object_keys(j) k;"
            );
            wanted.push(format!("n|{}", hex(&text)));
        }
        if let Ok(quoted) = literal(&text) {
            let _ = writeln!(sql, "SELECT 't', encode(convert_to({quoted}, 'UTF8'), 'hex');");
            wanted.push(format!("t|{}", hex(&text)));
        }
    }
    for conforming in ["on", "off"] {
        let set = format!("SET client_min_messages = error; SET standard_conforming_strings = {conforming};\n");
        let said = server.psql("postgres", &format!("\\set ON_ERROR_STOP on\n{set}{sql}")).unwrap();
        let read: Vec<&str> = said.lines().filter(|line| line.contains('|')).collect();
        assert_eq!(read, wanted, "with standard_conforming_strings = {conforming}");
    }
}

/// OpenSSH reads the list, and it revokes what stands on it and nothing else.
#[test]
fn ssh_keygen_reads_every_revocation_list() {
    let folder = tempfile::tempdir().unwrap();
    let ca = SshKey::generate(folder.path(), "ca").unwrap();
    let at = "2026-11-21T09:00:00Z".parse().unwrap();
    for (n, ids) in hostile(60).chunks(6).enumerate() {
        let ids: Vec<String> = ids.iter().filter(|id| !id.contains('\0')).cloned().collect();
        let path = folder.path().join(format!("list-{n}"));
        let list = revocation_list(u64::try_from(n).unwrap(), at, &ca.public_line().unwrap(), &ids).unwrap();
        std::fs::write(&path, list).unwrap();
        let asked = std::process::Command::new("ssh-keygen").arg("-Q").arg("-l").arg("-f").arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert!(asked.status.success(), "{said}{}", String::from_utf8_lossy(&asked.stderr));
        assert!(said.contains(&format!("# KRL version {n}\n")), "{said}");
        let revoked = ids.iter().filter(|id| !id.is_empty()).collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(said.matches("id: ").count(), revoked, "{ids:?}: {said}");
    }
}
