//! What was answered. Whatever died since, it must still be so: that is all this knows of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::crash::auditor::{Handed, Ledger, sqlite};
use crate::people::text;

/// A password that was handed out, and where it was good.
#[derive(Clone, Debug)]
pub(super) struct Password {
    pub(super) shop: usize,
    pub(super) user: String,
    pub(super) password: String,
}

/// What was answered so far.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) handed: Vec<Handed>,
    pub(super) passwords: Vec<Password>,
    pub(super) certificates: Vec<PathBuf>,
    requests: BTreeSet<String>,
    granted: BTreeSet<String>,
    approved: BTreeSet<String>,
    declined: BTreeSet<String>,
    ended: BTreeSet<String>,
    extended: BTreeMap<String, usize>,
    /// What stands in the directory: what was answered last, and what was asked for since.
    facts: BTreeMap<String, Vec<String>>,
    /// What was wrong at once.
    pub(super) wrong: Vec<String>,
    /// How often each thing came out how.
    pub(super) tally: BTreeMap<String, usize>,
}

impl Memory {
    /// A request was answered as standing, with these grants.
    pub(super) fn asked(&mut self, request: &Value) {
        self.requests.insert(text(&request["id"]));
        self.granted
            .extend(request["items"].as_array().unwrap().iter().filter_map(|i| i["grant"].as_str()).map(str::to_owned));
    }

    pub(super) fn approved(&mut self, request: &str) {
        self.approved.insert(request.to_owned());
    }

    /// Denied or withdrawn.
    pub(super) fn declined(&mut self, request: &str) {
        self.declined.insert(request.to_owned());
    }

    pub(super) fn ended(&mut self, grant: &str) {
        self.ended.insert(grant.to_owned());
    }

    pub(super) fn extended(&mut self, grant: &str) {
        *self.extended.entry(grant.to_owned()).or_default() += 1;
    }

    /// Something in the directory may be so from now on.
    pub(super) fn may_be(&mut self, what: &str, value: &str) {
        self.facts.entry(what.to_owned()).or_insert_with(|| vec![String::new()]).push(value.to_owned());
    }

    /// It is so.
    pub(super) fn is(&mut self, what: &str, value: &str) {
        self.facts.insert(what.to_owned(), vec![value.to_owned()]);
    }

    /// What was answered and is not so (INV-8, INV-13).
    pub(super) fn complaints(&self, ledger: &Ledger, facts: &BTreeMap<String, String>) -> Vec<String> {
        let mut wrong = ledger.complaints(&self.handed);
        let grant = |id: &String| ledger.grants.iter().find(|g| g["id"] == *id);
        let of_request = |id: &String| ledger.grants.iter().any(|g| g["request"] == *id);
        let say = |what: &str, id: &String| format!("{what} {id}, and the ledger does not know");
        wrong.extend(self.requests.iter().filter(|id| !ledger.knows_request(id)).map(|id| say("asked as", id)));
        wrong.extend(self.granted.iter().filter(|id| grant(id).is_none()).map(|id| say("granted as", id)));
        // Approved and yet judged "no", by what was locked or redefined meanwhile, makes no grant.
        wrong.extend(self.approved.iter().filter(|id| !ledger.was_approved(id)).map(|id| say("approved", id)));
        wrong
            .extend(self.declined.iter().filter(|id| of_request(id)).map(|id| format!("declined {id} became a grant")));
        for id in &self.ended {
            let phase = grant(id).map(|g| &g["phase"]);
            if phase.is_none_or(|phase| phase != "ending" && phase != "closed") {
                wrong.push(format!("the end of {id} was answered, and it is {phase:?}"));
            }
        }
        for (id, times) in &self.extended {
            if ledger.times("grant.extended", id) < *times {
                wrong.push(format!("{id} was extended {times} times, and the trail does not know all"));
            }
        }
        for (what, could) in &self.facts {
            let is = facts.get(what).map_or("", String::as_str);
            if !could.iter().any(|one| one == is) {
                wrong.push(format!("{what} is `{is}`, and was answered to be one of {could:?}"));
            }
        }
        wrong
    }
}

/// What stands in the directory, as text; what is not there is not in it.
pub(in crate::crash) fn facts(db: &Path) -> BTreeMap<String, String> {
    let sql = "SELECT 'role ' || name AS what, json_extract(doc, '$.description') AS value FROM roles \
        UNION ALL SELECT 'resource ' || name, 'there' FROM resources \
        UNION ALL SELECT 'lock ' || id, CASE holds WHEN 1 THEN 'holds' ELSE 'lifted' END FROM locks \
        UNION ALL SELECT 'person ' || name, 'there' FROM people UNION ALL SELECT 'group ' || name, 'there' FROM groups \
        UNION ALL SELECT 'left ' || name, 'out' FROM people WHERE json_extract(doc, '$.stay.left') IS NOT NULL \
        UNION ALL SELECT 'package ' || name, 'there' FROM packages \
        UNION ALL SELECT 'login ' || p.name, 'there' FROM people p JOIN logins l ON l.id = p.id \
        UNION ALL SELECT 'member ' || g.name || ' ' || p.name, 'in' FROM groups g, json_each(g.doc, '$.members') m \
            JOIN people p ON p.id = m.value";
    sqlite(db, sql).into_iter().map(|row| (text(&row["what"]), text(&row["value"]))).collect()
}
