//! Compares what stands at a target with what the ledger says. Shares no code with the server: it
//! reads the store with `sqlite3` and its own SQL, and is told what `psql` or `ssh` saw.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wane_testkit::Postgres;

/// The ledger, as it lies on disk.
pub(crate) struct Ledger {
    leases: Vec<Value>,
    pub(crate) grants: Vec<Value>,
    requests: Vec<Value>,
    issued: Vec<Value>,
    roles: Vec<Value>,
    /// Records of the trail, oldest first.
    trail: Vec<Value>,
}

/// An account at a database server.
#[derive(Debug)]
pub(crate) struct Account {
    name: String,
    mark: String,
}

/// Everything at a database server that is ours: accounts, what they are members of, who is logged in.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) accounts: Vec<Account>,
    /// An account and the role it is a member of.
    memberships: Vec<(String, String)>,
    /// The login of a session, or the oid it had if there is no such role any more.
    sessions: Vec<String>,
}

/// What left the server in somebody's hands.
#[derive(Clone, Debug)]
pub(crate) enum Handed {
    /// A database account, by its name.
    Account(String),
    /// A certificate, by its serial number.
    Certificate(u64),
}

/// Rows of a query, by the `sqlite3` program.
pub(crate) fn sqlite(db: &Path, sql: &str) -> Vec<Value> {
    let output = Command::new("sqlite3").arg("-json").arg(db).args([".timeout 10000", sql]).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    if text.trim().is_empty() { Vec::new() } else { serde_json::from_str(&text).unwrap() }
}

impl Ledger {
    pub(crate) fn read(db: &Path) -> Self {
        let parsed = |row: Value| serde_json::from_str(row["body"].as_str().unwrap()).unwrap();
        Self {
            // The trail first: what is written meanwhile is in the tables and not yet in it, never the reverse.
            trail: sqlite(db, "SELECT body FROM trail ORDER BY seq").into_iter().map(parsed).collect(),
            leases: sqlite(db, "SELECT id, phase, grant_id, role, doc FROM leases"),
            grants: sqlite(db, "SELECT id, phase, holder, request FROM grants"),
            requests: sqlite(db, "SELECT id FROM requests"),
            issued: sqlite(db, "SELECT serial, lease FROM issuances"),
            roles: sqlite(db, "SELECT id, doc FROM roles"),
        }
    }

    /// The ledger of a server that is dead, read from a copy: whoever opens the file itself does what the
    /// server has to do at its start.
    pub(crate) fn at_rest(db: &Path, scratch: &Path) -> Self {
        let copy = scratch.join("ledger.db");
        for end in ["", "-wal"] {
            let from = db.with_file_name(format!("wane.db{end}"));
            let to = copy.with_file_name(format!("ledger.db{end}"));
            let _ = fs::remove_file(&to);
            if from.exists() {
                fs::copy(from, to).unwrap();
            }
        }
        let _ = fs::remove_file(copy.with_file_name("ledger.db-shm"));
        Self::read(&copy)
    }

    /// What is not over, for whoever has to understand why.
    pub(crate) fn owed(&self) -> Vec<&str> {
        let owed = self.leases.iter().filter(|l| l["phase"] != "gone").map(|l| text(&l["doc"]));
        owed.chain(self.grants.iter().filter(|g| g["phase"] != "closed").map(|g| text(&g["id"]))).collect()
    }

    /// Whether something happened to a grant, and how often.
    pub(crate) fn times(&self, event: &str, grant: &str) -> usize {
        self.trail.iter().filter(|r| r["event"] == event && r["about"]["grant"] == grant).count()
    }

    /// Whether somebody approved something of a request.
    pub(crate) fn was_approved(&self, request: &str) -> bool {
        self.trail.iter().any(|r| r["event"] == "request.item.approved" && r["about"]["request"] == request)
    }

    /// Whether there is such a request.
    pub(crate) fn knows_request(&self, id: &str) -> bool {
        self.requests.iter().any(|r| r["id"] == id)
    }

    /// Whether every grant is closed and nothing is owed.
    pub(crate) fn is_settled(&self) -> bool {
        self.grants.iter().all(|g| g["phase"] == "closed") && self.leases.iter().all(|l| l["phase"] == "gone")
    }

    /// Whether a credential under a grant was seen accepted at its target.
    pub(crate) fn is_confirmed(&self, grant: &str) -> bool {
        self.times("lease.confirmed", grant) > 0
    }

    /// What is not as it must be, seen from the ledger alone (INV-8, INV-11, INV-13).
    pub(crate) fn complaints(&self, handed: &[Handed]) -> Vec<String> {
        let mut wrong = Vec::new();
        let leases = self.last("lease", |event| match event {
            "lease.intended" => Some("intended"),
            "lease.made" | "lease.reissued" => Some("live"),
            "lease.ending" => Some("revoking"),
            "lease.gone" => Some("gone"),
            _ => None,
        });
        let grants = self.last("grant", |event| match event {
            "grant.minted" => Some("scheduled"),
            "grant.activated" => Some("active"),
            "grant.ending" => Some("ending"),
            "grant.closed" => Some("closed"),
            _ => None,
        });
        for (what, rows, last) in [("lease", &self.leases, &leases), ("grant", &self.grants, &grants)] {
            for row in rows {
                let said = last.get(text(&row["id"])).copied();
                if said != row["phase"].as_str() {
                    wrong.push(format!("{what} {} is {}, and the trail says {said:?}", row["id"], row["phase"]));
                }
            }
            for id in last.keys().filter(|id| !rows.iter().any(|row| row["id"] == **id)) {
                wrong.push(format!("the trail knows {what} {id}, and there is no such row"));
            }
        }
        for row in &self.requests {
            if !self.trail.iter().any(|r| r["event"] == "request.opened" && r["about"]["request"] == row["id"]) {
                wrong.push(format!("request {} was opened without a record", row["id"]));
            }
        }
        for row in &self.leases {
            let first = self.trail.iter().find(|r| r["about"]["lease"] == row["id"]).map(|r| &r["event"]);
            if first.is_none_or(|event| event != "lease.intended") {
                wrong.push(format!("lease {} began with {first:?} and not with an intent", row["id"]));
            }
        }
        for one in handed {
            let (there, recorded) = match one {
                Handed::Account(name) => {
                    let lease = self.leases.iter().find(|l| artifact(l) == *name).map(|l| &l["id"]);
                    (
                        lease.is_some(),
                        self.trail.iter().any(|r| r["event"] == "lease.made" && Some(&r["about"]["lease"]) == lease),
                    )
                }
                Handed::Certificate(serial) => (
                    self.issued.iter().any(|i| i["serial"] == *serial),
                    self.trail.iter().any(|r| r["event"] == "credential.issued" && r["detail"]["serial"] == *serial),
                ),
            };
            if !there || !recorded {
                wrong.push(format!("{one:?} was handed out; row: {there}, record: {recorded}"));
            }
        }
        wrong
    }

    /// What stands at a server against the ledger (INV-2, INV-9).
    pub(crate) fn against(&self, standing: &Standing) -> Vec<String> {
        let mut wrong = Vec::new();
        for account in &standing.accounts {
            let mut owners = self.leases.iter().filter(|l| artifact(l) == account.name);
            match (owners.next(), owners.next()) {
                (None, _) => wrong.push(format!("{account:?} belongs to no lease")),
                (Some(_), Some(_)) => wrong.push(format!("{account:?} belongs to two leases")),
                (Some(lease), None) => self.owned(account, lease, &mut wrong),
            }
        }
        for (account, group) in &standing.memberships {
            let lease = self.leases.iter().find(|l| artifact(l) == *account);
            let role = lease.and_then(|l| self.roles.iter().find(|r| r["id"] == l["role"]));
            let meant: Option<Value> = role.map(|r| serde_json::from_str(text(&r["doc"])).unwrap());
            let groups = meant.as_ref().and_then(|r| r["definition"]["member_of"].as_array());
            if !groups.is_some_and(|groups| groups.iter().any(|g| g == group)) {
                wrong.push(format!("`{account}` is a member of `{group}`, which its role does not give"));
            }
        }
        for login in &standing.sessions {
            let lease = self.leases.iter().find(|l| artifact(l) == *login);
            if lease.is_none_or(|l| l["phase"] == "intended" || l["phase"] == "gone") {
                wrong.push(format!("`{login}` is logged in, and its lease is {:?}", lease.map(|l| &l["phase"])));
            }
        }
        wrong
    }

    fn owned(&self, account: &Account, lease: &Value, wrong: &mut Vec<String>) {
        if lease["phase"] == "gone" {
            wrong.push(format!("{account:?} is there, and lease {} is said to be gone", lease["id"]));
        }
        if !account.mark.contains(text(&lease["grant_id"])) {
            wrong.push(format!("{account:?} is marked for another grant than {}", lease["grant_id"]));
        }
        let grant = self.grants.iter().find(|g| g["id"] == lease["grant_id"]);
        let alive = grant.is_some_and(|g| g["phase"] == "active" || g["phase"] == "scheduled");
        if !alive && lease["phase"] != "revoking" {
            wrong.push(format!("{account:?}: its grant is over and nothing is owed"));
        }
    }

    fn last(&self, what: &str, state: impl Fn(&str) -> Option<&'static str>) -> BTreeMap<&str, &'static str> {
        let mut last = BTreeMap::new();
        for record in &self.trail {
            let id = record["about"][what].as_str();
            if let (Some(id), Some(state)) = (id, state(text(&record["event"]))) {
                last.insert(id, state);
            }
        }
        last
    }
}

/// Everything at a server that is named like an account of a grant, or is a session of nobody any more.
pub(crate) fn standing(postgres: &Postgres) -> Standing {
    const OURS: &str = r"LIKE 'wane\_%'";
    let sql = format!(
        "SELECT 'account', rolname, coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles \
           WHERE rolname {OURS} AND rolname <> 'wane_left_behind' \
         UNION ALL SELECT 'membership', m.rolname, r.rolname FROM pg_auth_members a \
           JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid \
           WHERE m.rolname {OURS} AND m.rolname <> 'wane_left_behind' \
         UNION ALL SELECT 'session', coalesce(r.rolname, 'oid ' || s.usesysid), '' FROM pg_stat_activity s \
           LEFT JOIN pg_roles r ON r.oid = s.usesysid WHERE s.usesysid IS NOT NULL AND (r.rolname IS NULL OR r.rolname {OURS})"
    );
    let mut found = Standing::default();
    for line in postgres.psql("postgres", &sql).unwrap().lines() {
        let mut parts = line.splitn(3, '|').map(str::to_owned);
        match (parts.next().as_deref(), parts.next(), parts.next()) {
            (Some("account"), Some(name), Some(mark)) => found.accounts.push(Account { name, mark }),
            (Some("membership"), Some(member), Some(group)) => found.memberships.push((member, group)),
            (Some("session"), Some(login), _) => found.sessions.push(login),
            _ => panic!("no row: {line}"),
        }
    }
    found
}

impl Standing {
    /// Nothing of ours is there.
    pub(crate) fn is_bare(&self) -> bool {
        self.accounts.is_empty() && self.memberships.is_empty() && self.sessions.is_empty()
    }
}

fn artifact(lease: &Value) -> String {
    let doc: Value = serde_json::from_str(text(&lease["doc"])).unwrap();
    text(&doc["artifact"]).to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
