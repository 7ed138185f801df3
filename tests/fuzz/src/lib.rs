//! One function per reader of hostile bytes, each with what must hold of it.
//!
//! Owns: the list of targets, what each asserts, where its inputs begin. Refuses to know: who makes
//! the inputs. `tests/it` runs every target over its seeds, the kept corpus and some thousand
//! mutations of them, the same ones each time; `cargo xtask fuzz` has libFuzzer look for new ones.
//!
//! A target takes any bytes and panics if what it asserts does not hold. That it does not crash is
//! the least of it:
//!
//! | room | targets | what must hold |
//! |---|---|---|
//! | `kinds/ssh` | `ssh_key` `ssh_cidr` `ssh_host_name` `ssh_settings` `ssh_role` `ssh_notes` | one spelling, read again as itself; no text that is more than one name |
//! | | `ssh_certificate` | what the signer lets pass says no more than its permit, read by other code |
//! | | `ssh_command` | a line taken is words and nothing else, also as it is given to the host, read by other code |
//! | | `ssh_login` `ssh_greeting` | one login name at one resource; what is decided on a beginning stays so |
//! | | `ssh_packets` | before a login nothing is opened, asked or connected to, whatever comes before and after the key exchange |
//! | | `ssh_userauth` | nobody is in who has not proved it, nobody as somebody else, one session a connection |
//! | | `ssh_channels` | nothing reaches the other side that was not reported first, or that the role does not name |
//! | | `ssh_agent` | signs logins with its own certificate, nothing else |
//! | | `ssh_revocations` `ssh_revocation_answer` | a list is read as it was written; no list passes but the signed one |
//! | | `ssh_sftp` `ssh_scp` `shell_marks` | the same in whatever pieces; no name that nobody said, no key that was not shown |
//! | | `sshd_config` | our block is there once, and all else is left as it was |
//! | `kinds/postgres` | `sql_identifier` `sql_text` `sql_setup` `sql_settings` `sql_role` | one token, read by another reader; no line that was not meant |
//! | `kinds/x509` | `x509_request` `x509_certificate` | one spelling, and what another reader finds there; nothing is a certificate and a list |
//! | `kinds/oauth` | `access_token` `key_proof` | one spelling, and what another reader finds there; a proof is by the key it names |
//! | `acme` | `acme_call` | who a call is by stands in what is signed; another payload is another call; nobody else's nonce is taken |
//! | `http` | `oauth_form` | each parameter once, read again as it was |
//! | `kinds/http` | `http_path` `http_cookies` `http_key` | decoded again it is the same; of our cookies nothing goes further; a key has one spelling, and nobody makes one |
//! | `kinds/hook` | `hook_settings` `hook_path` `hook_answer` | one normal form; a value in a URL is one segment; an answer belongs to one call |
//! | `keys` | `bearer` `sealed` `keyring` `password` | nothing opens but what was made, to the bit |
//! | | `signer_call` | one reply to whatever is said; a head announces no more than is read, and has one spelling |
//! | `oidc` | `oidc_token` `job_token` | of all texts one is believed, the one that was signed |
//! | `scim` | `scim_filter` `scim_patch` | a filter and its opposite never agree; what is patched is in its one spelling |
//! | `approval` | `approval` | what is taken is over the statement that was signed, and a statement has one spelling |
//! | `domain` | `text` `time` `id` `ask` | one spelling; two asks share a digest only if they are the same |
//! | `policy` | `policy_text` `policy_notes` `policy_facts` | strictly read or refused; a guardrail added to any text denies; facts stay text |
//! | `config` | `settings_file` `settings_words` | explained settings, read again, are the same settings |
//! | `http` | `call` | no fault, the problem document on every refusal, nothing for those who are not signed in |
//! | `store` | `row` | read and written, it is the same row; an unknown state is no state |
//! | `audit` | `record` | one line, from which the same record is read |
//! | `recording` | `recording` | only what was recorded is read, each chunk at its own place; whole is whole to the bit |
//! | `finding` | `session_rules` | written again they are the same; what is found is what a rule looks for |
//! | `cli` | `words` `moment` `shown` | nothing that reaches a terminal moves it |
//!
//! `call` covers every route's path, query, body, cursor, bearer header and idempotency key.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a target fails by panicking")]

mod access;
mod acme;
mod approval;
mod call;
mod calls;
mod draw;
mod gate;
mod hook;
mod house;
mod http;
mod keys;
mod line;
mod oauth;
mod oidc;
mod policy;
mod recording;
mod scim;
mod settings;
mod sql;
mod ssh;
mod stored;
mod text;
mod understood;
mod x509;

use std::path::{Path, PathBuf};

/// A reader of hostile bytes, and what must hold of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its file in `corpus`.
    pub name: &'static str,
    /// Panics if what must hold does not.
    pub run: fn(&[u8]),
    /// Inputs that get somewhere.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many mutations the short run tries.
    pub rounds: u32,
}

/// Calls a macro with every target: its name, its module, and the rounds of the short run.
#[macro_export]
macro_rules! for_each_target {
    ($then:ident) => {
        $then! {
            ssh_key ssh 10000, ssh_certificate ssh 10000, ssh_agent ssh 20000, ssh_revocations ssh 4000,
            ssh_revocation_answer ssh 600, ssh_notes ssh 20000, ssh_cidr ssh 40000, ssh_host_name ssh 40000,
            ssh_settings ssh 20000, ssh_role ssh 20000, sshd_config ssh 20000, ssh_login ssh 20000, ssh_greeting ssh 10000,
            ssh_packets gate 120, ssh_userauth gate 100, ssh_channels gate 80, ssh_command ssh 40000,
            sql_identifier sql 40000, sql_text sql 40000, sql_setup sql 20000, sql_settings sql 4000, sql_role sql 20000,
            oidc_token oidc 20000, job_token oidc 20000, approval approval 10000,
            scim_filter scim 4000, scim_patch scim 10000,
            x509_request x509 10000, x509_certificate x509 10000,
            access_token oauth 20000, key_proof oauth 4000, oauth_form oauth 20000,
            acme_call acme 20000,
            bearer keys 40000, sealed keys 3000, keyring keys 5000, password keys 4000,
            signer_call calls 10000,
            text text 40000, time text 40000, id text 40000, ask text 5000,
            policy_text policy 100, policy_notes policy 150, policy_facts policy 800,
            settings_file settings 1500, settings_words settings 1200,
            call call 500,
            hook_settings hook 4000, hook_path hook 40000, hook_answer hook 10000,
            http_path http 20000, http_cookies http 10000, http_key http 10000,
            row stored 10000, record stored 10000,
            recording recording 4000,
            ssh_sftp understood 10000, ssh_scp understood 10000, shell_marks understood 10000, session_rules understood 400,
            words line 250, moment line 20000, shown line 8000,
        }
    };
}

macro_rules! table {
    ($($name:ident $module:ident $rounds:literal,)*) => {
        &[$(Target { name: stringify!($name), run: $module::$name, seeds: $module::seeds::$name, rounds: $rounds },)*]
    };
}

/// Every target.
pub const TARGETS: &[Target] = for_each_target!(table);

impl Target {
    /// By name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Its seeds and the inputs kept in the tree.
    ///
    /// # Panics
    /// When the kept file is damaged.
    #[must_use]
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        let kept = std::fs::read_to_string(self.kept()).unwrap_or_default();
        let lines = kept.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let decoded = lines.map(|line| data_encoding::BASE64.decode(line.as_bytes()).unwrap());
        (self.seeds)().into_iter().chain(decoded).collect()
    }

    /// The file of inputs kept in the tree: one in Base64 a line, as libFuzzer prints what it found.
    #[must_use]
    pub fn kept(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{}.txt", self.name))
    }

    /// Writes the inputs into a folder, a file each, as libFuzzer reads them.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn sow(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for (n, input) in self.inputs().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n}")), input).unwrap();
        }
    }
}
