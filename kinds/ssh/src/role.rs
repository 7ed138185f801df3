//! What a role means on a host: which accounts, and what may be done over the connection.
//!
//! INVARIANT: a principal is one login name from an allow-list and a role has at least one, so a
//! list separator can never smuggle in a second account and "no principals" can never mean "all"
//! (held by `a_principal_is_one_login_name`, `a_role_without_principals_is_refused`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};
use wane_connector::KindError;
use wane_domain::id::ResourceId;
use wane_domain::issue::Reach;
use wane_domain::task::Task;
use wane_finding::{Rule, Rules};

use crate::cidr::Cidr;
use crate::commands::Commands;
use wane_connector::strict::{object, text, texts, unknown_word, wrong};

const KEYS: [&str; 6] = ["principals", "extensions", "force_command", "source_address", "commands", "findings"];
/// Everything a certificate can allow on top of running a command. A role starts from none of them.
pub(crate) const EXTENSIONS: [&str; 5] =
    ["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc"];
pub(crate) const FORWARDING: &str = "permit-port-forwarding";
pub(crate) const FORCE_COMMAND: &str = "force-command";
pub(crate) const SOURCE_ADDRESS: &str = "source-address";
const MOST_PRINCIPALS: usize = 32;
const MOST_RANGES: usize = 64;
const LONGEST_COMMAND: usize = 4096;

/// A role's definition, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// Login names, the first being the one a client takes unless told.
    pub(crate) principals: Vec<String>,
    extensions: Vec<&'static str>,
    force_command: Option<String>,
    source_address: Vec<Cidr>,
    /// The commands that may be run, and nothing else; none for whatever there is.
    pub(crate) commands: Option<Commands>,
    /// Rules over what happens in its sessions through the gateway.
    pub(crate) findings: Vec<Rule>,
}

/// Whether this is one login name: `^[a-z_][a-z0-9_-]{0,31}$`.
pub(crate) fn is_principal(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|c| c.is_ascii_lowercase() || c == b'_');
    first && text.len() <= 32 && bytes.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-'))
}

/// A login name at one host, as it stands in a certificate: `deploy@res_…`. All hosts trust the same
/// authority, so a bare login name would open the account of that name on every one of them.
pub(crate) fn principal_at(login: &str, host: ResourceId) -> String {
    format!("{login}@{host}")
}

/// What stands before a login name that is good through the gateway only. No login name has a colon, and
/// hosts list login names, so that none lets it in.
const THROUGH_THE_GATEWAY: &str = "gateway:";

/// A login name at one host, as it stands in a certificate that is good where it says.
pub(crate) fn principal_for(reach: Reach, login: &str, host: ResourceId) -> String {
    match reach {
        Reach::Target => principal_at(login, host),
        Reach::Gateway => format!("{THROUGH_THE_GATEWAY}{}", principal_at(login, host)),
    }
}

/// The login name at its host, wherever it is good.
pub(crate) fn login_in(principal: &str) -> &str {
    principal.strip_prefix(THROUGH_THE_GATEWAY).unwrap_or(principal)
}

/// Whether this is a login name at this host, good where it says.
pub(crate) fn is_principal_for(text: &str, reach: Reach, host: ResourceId) -> bool {
    let login_at = match reach {
        Reach::Target => Some(text),
        Reach::Gateway => text.strip_prefix(THROUGH_THE_GATEWAY),
    };
    login_at
        .and_then(|text| text.split_once('@'))
        .is_some_and(|(login, at)| is_principal(login) && at == host.to_string())
}

impl Definition {
    /// Reads a definition, given by people or in normal form.
    pub(crate) fn read(given: &Value) -> Result<Self, KindError> {
        let map = object("definition", given, &KEYS)?;
        let mut principals: Vec<String> = Vec::new();
        for name in texts(map, "principals")?.unwrap_or_default() {
            let shown: String = name.chars().take(64).collect();
            if !is_principal(name) {
                return Err(wrong(
                    "principals",
                    format!(
                        "`{shown}` is not one login name: use 1 to 32 of a-z, 0-9, `_`, `-`, beginning with a letter or `_`"
                    ),
                ));
            }
            if principals.iter().any(|known| known == name) {
                return Err(wrong("principals", format!("`{shown}` stands there twice")));
            }
            principals.push(name.to_owned());
        }
        if principals.is_empty() || principals.len() > MOST_PRINCIPALS {
            return Err(wrong(
                "principals",
                format!("name 1 to {MOST_PRINCIPALS} login names, such as `[\"deploy\"]`"),
            ));
        }
        let mut extensions = Vec::new();
        for given in texts(map, "extensions")?.unwrap_or_default() {
            let Some(known) = EXTENSIONS.iter().find(|known| **known == given) else {
                return Err(wrong("extensions", unknown_word(given, &EXTENSIONS)));
            };
            extensions.push(*known);
        }
        extensions.sort_unstable();
        extensions.dedup();
        let force_command = text(map, "force_command")?.map(check_command).transpose()?;
        let commands = map.get("commands").map(Commands::read).transpose()?;
        if commands.is_some() && force_command.is_some() {
            let why =
                "a role has either `commands` that may be run or one `force_command` that always is; leave one out";
            return Err(wrong("commands", why));
        }
        let source_address = ranges(texts(map, "source_address")?)?;
        let mut findings = match map.get("findings") {
            None => Vec::new(),
            Some(given) => Rules::from_json(given).map_err(|e| wrong("findings", e.to_string()))?.rules().to_vec(),
        };
        findings.sort_unstable();
        Ok(Self { principals, extensions, force_command, source_address, commands, findings })
    }

    /// The normal form.
    pub(crate) fn json(&self) -> Value {
        let mut out = json!({ "principals": self.principals, "extensions": self.extensions });
        if let Some(map) = out.as_object_mut() {
            if let Some(command) = &self.force_command {
                map.insert("force_command".to_owned(), json!(command));
            }
            if let Some(commands) = &self.commands {
                map.insert("commands".to_owned(), commands.json());
            }
            if !self.source_address.is_empty() {
                map.insert(
                    "source_address".to_owned(),
                    json!(self.source_address.iter().map(Cidr::to_string).collect::<Vec<_>>()),
                );
            }
            if !self.findings.is_empty() {
                map.insert("findings".to_owned(), json!(self.findings));
            }
        }
        out
    }

    /// The critical options of its certificates: what must hold.
    pub(crate) fn critical_options(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        if let Some(command) = &self.force_command {
            out.insert(FORCE_COMMAND.to_owned(), command.clone());
        }
        if !self.source_address.is_empty() {
            let list = self.source_address.iter().map(Cidr::to_string).collect::<Vec<_>>().join(",");
            out.insert(SOURCE_ADDRESS.to_owned(), list);
        }
        out
    }

    /// The extensions of its certificates: what is allowed, and nothing else is.
    pub(crate) fn extensions(&self) -> BTreeMap<String, String> {
        self.extensions.iter().map(|name| ((*name).to_owned(), String::new())).collect()
    }

    /// Whether it may be used from this address.
    pub(crate) fn lets_come_from(&self, peer: IpAddr) -> bool {
        self.source_address.is_empty() || self.source_address.iter().any(|range| range.contains(peer))
    }

    /// Whether it allows what an extension of this name stands for.
    pub(crate) fn allows(&self, extension: &str) -> bool {
        self.extensions.contains(&extension)
    }

    /// Whether it can be kept to at the gateway only: no certificate holds anybody to a list of commands.
    pub(crate) fn needs_gateway(&self) -> bool {
        self.commands.is_some()
    }

    /// What a host is given to run for a task: the task as it stands, or, where the role lists what may be run,
    /// its words quoted anew.
    pub(crate) fn line_of(&self, task: &Task) -> Result<String, String> {
        if self.force_command.is_some() {
            return Err(
                "the role runs its `force_command` whatever is asked for, so nothing else can be a task".to_owned()
            );
        }
        match &self.commands {
            None => Ok(task.to_string()),
            Some(commands) => commands.line_of(task.as_str().as_bytes()),
        }
    }

    /// Whether everything this gives, `wide` gives too.
    pub(crate) fn is_within(&self, wide: &Self) -> bool {
        let command = wide.force_command.is_none() || wide.force_command == self.force_command;
        let from = wide.source_address.is_empty()
            || (!self.source_address.is_empty()
                && self
                    .source_address
                    .iter()
                    .all(|mine| wide.source_address.iter().any(|theirs| theirs.covers(*mine))));
        self.principals.iter().all(|name| wide.principals.contains(name))
            && self.extensions.iter().all(|name| wide.extensions.contains(name))
            && command
            && from
            && commands_within(self.commands.as_ref(), wide.commands.as_ref())
            // A rule fewer is a freedom more.
            && wide.findings.iter().all(|rule| self.findings.contains(rule))
    }
}

fn commands_within(mine: Option<&Commands>, theirs: Option<&Commands>) -> bool {
    match (mine, theirs) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(mine), Some(theirs)) => mine.is_within(theirs),
    }
}

fn check_command(command: &str) -> Result<String, KindError> {
    if command.trim().is_empty() {
        return Err(wrong("force_command", "name a command, or leave the key out"));
    }
    if command.len() > LONGEST_COMMAND {
        return Err(wrong(
            "force_command",
            format!("the command is {} bytes long; the most is {LONGEST_COMMAND}", command.len()),
        ));
    }
    if command.chars().any(char::is_control) {
        return Err(wrong("force_command", "the command contains a control character; write it on one line"));
    }
    Ok(command.to_owned())
}

fn ranges(given: Option<Vec<&str>>) -> Result<Vec<Cidr>, KindError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    // An empty list could be read as "from nowhere" or "from anywhere".
    if given.is_empty() || given.len() > MOST_RANGES {
        return Err(wrong("source_address", format!("name 1 to {MOST_RANGES} ranges, or leave the key out")));
    }
    let mut out = Vec::new();
    for text in given {
        let shown: String = text.chars().take(64).collect();
        out.push(Cidr::read(text).ok_or_else(|| {
            wrong(
                "source_address",
                format!("`{shown}` is no range; write `192.0.2.0/24`, the bits after the mask being zero"),
            )
        })?);
    }
    out.sort_unstable();
    out.dedup();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value: Value) -> Definition {
        Definition::read(&value).unwrap()
    }

    #[test]
    fn definitions_are_strict_and_normal() {
        let role = read(
            json!({ "principals": ["deploy", "backup"], "extensions": ["permit-pty", "permit-X11-forwarding", "permit-pty"], "source_address": ["10.0.0.0/8", "10.0.0.0/8"] }),
        );
        assert_eq!(
            role.json(),
            json!({ "principals": ["deploy", "backup"], "extensions": ["permit-X11-forwarding", "permit-pty"], "source_address": ["10.0.0.0/8"] })
        );
        assert_eq!(Definition::read(&role.json()).unwrap(), role);
        for (bad, key, word) in [
            (json!({ "principal": ["a"] }), "principal", "did you mean `principals`?"),
            (json!({ "principals": ["a", "a"] }), "principals", "twice"),
            (json!({ "principals": ["a"], "extensions": ["permit-ptty"] }), "extensions", "did you mean `permit-pty`?"),
            (json!({ "principals": ["a"], "extensions": ["no-touch-required"] }), "extensions", "is unknown"),
            (json!({ "principals": ["a"], "force_command": " " }), "force_command", "name a command"),
            (json!({ "principals": ["a"], "force_command": "a\nb" }), "force_command", "control"),
            (json!({ "principals": ["a"], "commands": [] }), "commands", "leave the key out"),
            (json!({ "principals": ["a"], "commands": [["id"]], "force_command": "id" }), "commands", "leave one out"),
            (json!({ "principals": ["a"], "source_address": [] }), "source_address", "leave the key out"),
            (json!({ "principals": ["a"], "source_address": ["10.0.0.1/8"] }), "source_address", "no range"),
            (json!({ "principals": ["a"], "findings": [{ "id": "x" }] }), "findings", "missing field `when`"),
            (
                json!({ "principals": ["a"], "findings": [{ "id": "x", "when": "output", "matches": "(", "then": "cut" }] }),
                "findings",
                "rule `x`: `(` is no regular expression",
            ),
        ] {
            let error = Definition::read(&bad).unwrap_err();
            assert_eq!(error.what, key, "{bad}");
            assert!(error.why.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn a_role_without_principals_is_refused() {
        for bad in
            [json!({}), json!({ "principals": [] }), json!({ "principals": [""] }), json!({ "principals": null })]
        {
            assert!(Definition::read(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn narrower_means_strictly_fewer_rights() {
        let wide = read(json!({ "principals": ["deploy", "backup"], "extensions": ["permit-pty"] }));
        for (other, within) in [
            (json!({ "principals": ["deploy"] }), true),
            (json!({ "principals": ["deploy", "backup"], "extensions": ["permit-pty"], "force_command": "id" }), true),
            (json!({ "principals": ["deploy"], "source_address": ["10.0.0.0/8"] }), true),
            (json!({ "principals": ["deploy"], "commands": [["id"]] }), true),
            (json!({ "principals": ["root"] }), false),
            (json!({ "principals": ["deploy"], "extensions": ["permit-port-forwarding"] }), false),
        ] {
            let other = read(other);
            assert_eq!(other.is_within(&wide), within, "{other:?}");
            assert!(!within || !wide.is_within(&other), "{other:?} is not strictly narrower");
        }
        let listed = read(json!({ "principals": ["deploy"], "commands": [["id"], ["ls", "*"]] }));
        for (other, within) in [
            (json!({ "principals": ["deploy"], "commands": [["ls", "a"]] }), true),
            (json!({ "principals": ["deploy"], "commands": [["reboot"]] }), false),
            (json!({ "principals": ["deploy"], "force_command": "id" }), false),
            (json!({ "principals": ["deploy"] }), false),
        ] {
            assert_eq!(read(other.clone()).is_within(&listed), within, "{other}");
        }
        let ranged = read(json!({ "principals": ["deploy"], "source_address": ["10.0.0.0/8"], "force_command": "id" }));
        for (other, within) in [
            (json!({ "principals": ["deploy"], "source_address": ["10.2.0.0/16"], "force_command": "id" }), true),
            (json!({ "principals": ["deploy"], "source_address": ["10.2.0.0/16"], "force_command": "ls" }), false),
            (
                json!({ "principals": ["deploy"], "source_address": ["10.2.0.0/16", "11.0.0.0/8"], "force_command": "id" }),
                false,
            ),
            (json!({ "principals": ["deploy"], "force_command": "id" }), false),
        ] {
            assert_eq!(read(other.clone()).is_within(&ranged), within, "{other}");
        }
    }

    #[test]
    fn a_role_with_fewer_rules_is_no_narrower_one() {
        let rule =
            |id: &str| json!({ "id": id, "when": "file", "matches": "/etc/**", "deeds": ["write"], "then": "cut" });
        let none = read(json!({ "principals": ["a"] }));
        let one = read(json!({ "principals": ["a"], "findings": [rule("x")] }));
        let two = read(json!({ "principals": ["a"], "findings": [rule("y"), rule("x")] }));
        assert_eq!(two.json()["findings"], json!([rule("x"), rule("y")]), "in one order");
        assert_eq!(Definition::read(&two.json()).unwrap(), two);
        for (narrow, wide, within) in
            [(&two, &one, true), (&one, &none, true), (&one, &two, false), (&none, &one, false), (&two, &two, true)]
        {
            assert_eq!(narrow.is_within(wide), within, "{narrow:?} {wide:?}");
        }
    }

    #[test]
    fn a_principal_is_one_login_name() {
        // Every byte, at the start, in the middle and at the end.
        for byte in 0..=u8::MAX {
            let c = char::from(byte);
            let inner = c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
            let first = c.is_ascii_lowercase() || c == '_';
            for (text, good) in
                [(format!("{c}"), first), (format!("root{c}"), inner), (format!("root{c}backup"), inner)]
            {
                let read = Definition::read(&json!({ "principals": [text] }));
                assert_eq!(read.is_ok(), good, "byte {byte:#04x}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_list_separator_gets_through(text in prop_oneof!["\\PC{0,40}", "[a-z_][a-z0-9_,*?! -]{0,31}"]) {
            if let Ok(role) = Definition::read(&json!({ "principals": [text] })) {
                prop_assert!(role.principals.iter().all(|p| !p.is_empty() && !p.contains([',', ' ', '*', '?', '!', '\0', '\n'])));
            }
        }
    }
}
