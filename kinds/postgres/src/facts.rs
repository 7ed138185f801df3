//! What a server says about one account: who it is, and what of it is still there.
//!
//! INVARIANT: an account is touched only if its name or its oid is the recorded one *and* the mark
//! on it, or both, say that it is ours (held by `a_stranger_under_our_name_is_left_alone`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::SimpleQueryRow;
use wane_connector::Target;
use wane_domain::ambient::Ambient;
use wane_domain::id::ResourceId;
use wane_domain::lease::LeaseData;
use wane_failpoint::point;

use crate::pool::{Pool, Whose};
use crate::quote::literal;
use crate::session::{Fail, Session, number, text};
use crate::settings::Settings;

/// Databases that every server is born with.
const EVERYWHERE: [&str; 2] = ["postgres", "template1"];

/// One server, as one effect sees it.
pub(crate) struct Desk<'a> {
    pub(crate) settings: Settings,
    pub(crate) target: &'a Target<'a>,
    pub(crate) ambient: &'a Ambient,
    pub(crate) pool: &'a Pool,
    pub(crate) whose: Whose,
    /// Whether a kept connection was used; if it fails, that says little about the server.
    pub(crate) reused: AtomicBool,
}

impl Desk<'_> {
    /// A new connection to a database, as the connector: who the server is, and that it still lets us
    /// in, is established now.
    pub(crate) async fn open(&self, database: &str) -> Result<Session, Fail> {
        Session::open(&self.settings, self.target, database).await
    }

    /// A connection to the database Wane works in: one kept from an earlier effect, or a new one.
    pub(crate) async fn main(&self) -> Result<Session, Fail> {
        match self.pool.take(&self.whose, self.ambient.now()) {
            Some(session) => {
                self.reused.store(true, Ordering::Relaxed);
                Ok(session)
            }
            None => self.open(self.settings.main_database()).await,
        }
    }

    /// Keeps a connection of [`Desk::main`] for the next effect. Only one on which everything went well:
    /// it has no transaction open and is nobody but the connector.
    pub(crate) fn keep(&self, session: Session) {
        if session.database == self.settings.main_database() {
            self.pool.keep(&self.whose, session, self.ambient.now());
        }
    }

    /// A connection to whichever database lets us in, for what is known in all of them: accounts, their
    /// sessions, their end. That the database Wane works in was dropped keeps no account alive.
    pub(crate) async fn any(&self) -> Result<Session, Fail> {
        let main = match self.main().await {
            Err(shut @ Fail::Refused { .. }) if shut.is_shut() => shut,
            other => return other,
        };
        let others = self.settings.databases.iter().skip(1).map(String::as_str);
        for database in others.chain(EVERYWHERE) {
            match self.open(database).await {
                Err(shut) if shut.is_shut() => {}
                other => return other,
            }
        }
        Err(main)
    }

    /// A connection to one more database, where the server itself lets us in: that this one does not is
    /// a refusal like any other there.
    pub(crate) async fn also(&self, database: &str) -> Result<Session, Fail> {
        match self.open(database).await {
            Err(Fail::Trust(why)) => Err(Fail::refused(why)),
            other => other,
        }
    }

    /// 32 bytes nobody can guess, as text (base64url).
    pub(crate) fn password(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.ambient.bytes::<32>())
    }
}

/// What the comments of this resource's accounts begin with.
pub(crate) fn mark_of(resource: ResourceId) -> String {
    format!("wane resource={resource} ")
}

/// The comment on a lease's account.
pub(crate) fn mark(lease: &LeaseData) -> String {
    format!("{}grant={}", mark_of(lease.resource), lease.grant)
}

/// Which account is meant.
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) oid: Option<u32>,
    /// What its comment begins with.
    pub(crate) mark: String,
}

impl Who {
    pub(crate) fn of(lease: &LeaseData) -> Self {
        let oid = lease.object.as_deref().and_then(|oid| oid.parse().ok());
        Self { name: lease.artifact.clone(), oid, mark: mark(lease) }
    }
}

/// An account as it stands.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) can_login: bool,
    pub(crate) comment: String,
}

/// What was found where an account should be.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    Ours(Account),
    /// Something that we must not touch.
    Stranger(String),
}

/// What asks for accounts by oid and by name.
fn find_sql(all: &[&Who]) -> Result<String, Fail> {
    let names = all.iter().map(|who| literal(&who.name)).collect::<Result<Vec<_>, _>>()?;
    let mut sql = format!(
        "SELECT oid, rolname, rolcanlogin, coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname IN ({})",
        names.join(", ")
    );
    let oids: Vec<u32> = all.iter().filter_map(|who| who.oid).collect();
    if !oids.is_empty() {
        let _ = write!(sql, " OR oid IN ({})", listed(&oids));
    }
    Ok(sql)
}

/// Oids, for a list in a statement.
pub(crate) fn listed(oids: &[u32]) -> String {
    oids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn account(row: &SimpleQueryRow) -> Result<Account, Fail> {
    let column = |n| Ok::<_, Fail>(text(row, n)?.unwrap_or_default().to_owned());
    Ok(Account { oid: number(Some(row), 0)?, name: column(1)?, can_login: column(2)? == "t", comment: column(3)? })
}

/// Looks for an account by oid and by name.
pub(crate) async fn find(session: &mut Session, who: &Who) -> Result<Found, Fail> {
    find_all(session, &[who]).await?.pop().ok_or_else(|| Fail::refused("the server answered nothing"))
}

/// Looks for each of several accounts by oid and by name.
pub(crate) async fn find_all(session: &mut Session, all: &[&Who]) -> Result<Vec<Found>, Fail> {
    let answers = session.batch(point!("postgres.find"), &find_sql(all)?).await?;
    judge_all(answers.first().ok_or_else(|| Fail::refused("the server answered nothing"))?, all)
}

/// Looks for accounts, and for what is left of each.
pub(crate) async fn find_with_left(session: &mut Session, all: &[&Who]) -> Result<Vec<(Found, Left)>, Fail> {
    let oids: Vec<u32> = all.iter().map(|who| who.oid.unwrap_or(0)).collect();
    let sql = format!("{}; {}", find_sql(all)?, Left::sql(&oids));
    let answers = session.batch(point!("postgres.read_back"), &sql).await?;
    let (accounts, left) = answers.split_first().ok_or_else(|| Fail::refused("the server answered nothing"))?;
    Ok(judge_all(accounts, all)?.into_iter().zip(Left::read(left, &oids)?).collect())
}

fn judge_all(rows: &[SimpleQueryRow], all: &[&Who]) -> Result<Vec<Found>, Fail> {
    let accounts = rows.iter().map(account).collect::<Result<Vec<_>, _>>()?;
    let of = |who: &Who| accounts.iter().filter(|a| a.name == who.name || Some(a.oid) == who.oid).cloned().collect();
    Ok(all.iter().map(|who| judge(of(who), who)).collect())
}

fn judge(accounts: Vec<Account>, who: &Who) -> Found {
    let mut ours = None;
    for account in accounts {
        let marked = account.comment.starts_with(&who.mark);
        let named = account.name == who.name;
        match who.oid {
            Some(oid) if account.oid == oid && (marked || named) => ours = Some(account),
            Some(oid) if account.oid == oid => {
                return Found::Stranger(format!(
                    "oid {oid} now belongs to role `{}`, which is not marked as ours",
                    account.name
                ));
            }
            Some(oid) => {
                return Found::Stranger(format!(
                    "role `{}` now has oid {}, not {oid}: it is not the one we made",
                    account.name, account.oid
                ));
            }
            None if marked => ours = Some(account),
            None => return Found::Stranger(format!("role `{}` exists and is not marked as ours", account.name)),
        }
    }
    ours.map_or(Found::Nothing, Found::Ours)
}

/// How much of an account is left, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) sessions: i64,
    pub(crate) prepared: i64,
    pub(crate) dependent: i64,
    /// Backends that are letting somebody in and do not say yet whom: it may be this account.
    pub(crate) logging_in: BTreeSet<i32>,
}

/// A backend that lets somebody in is inside a transaction from before it looks the role up until it
/// shows in `pg_stat_activity`. Whoever is in the first list and not in the second, which is read after
/// it, is on the way.
const LOGGING_IN: &str = "SELECT to_json(array_agg(DISTINCT l.pid)) FROM pg_locks l LEFT JOIN LATERAL pg_stat_get_activity(l.pid) a ON true \
     WHERE l.locktype = 'virtualxid' AND l.pid IS NOT NULL AND a.pid IS NULL";

/// Whether this session has changed something that is not committed.
///
/// INVARIANT: nothing is read back inside the transaction that made or ended it (held by
/// `what_was_said_to_be_made_is_read_back`, `what_was_said_to_be_gone_is_read_back`).
pub(crate) const UNCOMMITTED: &str = "pg_current_xact_id_if_assigned() IS NOT NULL";

impl Left {
    /// Asks for what is left of several accounts.
    fn sql(oids: &[u32]) -> String {
        let oids = oids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        format!(
            "{LOGGING_IN}; SELECT coalesce(s.n, 0), coalesce(p.n, 0), coalesce(d.n, 0), {UNCOMMITTED}, o.oid \
             FROM unnest('{{{oids}}}'::oid[]) o(oid) \
             LEFT JOIN (SELECT usesysid, count(*) n FROM pg_stat_get_activity(NULL) GROUP BY 1) s ON s.usesysid = o.oid \
             LEFT JOIN (SELECT ownerid, count(*) n FROM pg_prepared_xact() GROUP BY 1) p ON p.ownerid = o.oid \
             LEFT JOIN (SELECT refobjid, count(*) n FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass \
                          AND refobjid = ANY ('{{{oids}}}'::oid[]) GROUP BY 1) d ON d.refobjid = o.oid"
        )
    }

    /// Reads the answers to the two questions, for each oid in turn. They are of one moment: the second sees
    /// what the first saw.
    fn read(answers: &[Vec<SimpleQueryRow>], oids: &[u32]) -> Result<Vec<Self>, Fail> {
        let (first, rows) = (answers.first().and_then(|rows| rows.first()), answers.get(1));
        let second = rows.and_then(|rows| rows.first());
        // What one has changed and nobody else sees proves nothing; on another connection it is not there.
        if second.map(|row| text(row, 3)).transpose()?.flatten() == Some("t") {
            return Err(Fail::Unreachable("what was said to be committed is still open".to_owned()));
        }
        let logging_in = first.map(pids).transpose()?.unwrap_or_default();
        let mut known = BTreeMap::new();
        for row in rows.into_iter().flatten() {
            let count = |column| number(Some(row), column);
            let logging_in = logging_in.clone();
            let left = Self { sessions: count(0)?, prepared: count(1)?, dependent: count(2)?, logging_in };
            known.insert(number::<u32>(Some(row), 4)?, left);
        }
        let of = |oid: &u32| known.get(oid).cloned();
        let all = oids.iter().map(|oid| of(oid).ok_or_else(|| Fail::refused(format!("nothing was said of oid {oid}"))));
        all.collect()
    }

    /// What is left of each of these.
    pub(crate) async fn of(session: &mut Session, oids: &[u32]) -> Result<Vec<Self>, Fail> {
        Self::read(&session.batch(point!("postgres.left"), &Self::sql(oids)).await?, oids)
    }

    /// Whoever is on the way is somebody else, or no longer let in.
    pub(crate) fn is_nothing(&self) -> bool {
        (self.sessions, self.prepared, self.dependent) == (0, 0, 0)
    }
}

fn pids(row: &SimpleQueryRow) -> Result<BTreeSet<i32>, Fail> {
    let Some(list) = text(row, 0)? else { return Ok(BTreeSet::new()) };
    serde_json::from_str(list).map_err(|e| Fail::refused(format!("the server answered `{list}`: {e}")))
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sessions, prepared, dependent, logging_in: _ } = self;
        write!(
            f,
            "pg_stat_activity: {sessions} sessions; pg_prepared_xacts: {prepared}; pg_shdepend: {dependent} owned objects and rights"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_ours_only_by_name_or_oid_and_mark() {
        let account = |oid, name: &str, comment: &str| Account {
            oid,
            name: name.into(),
            can_login: true,
            comment: comment.into(),
        };
        let who = |oid| Who { name: "wane_a".into(), oid, mark: "wane resource=r ".into() };
        let word = |accounts, who: &Who| match judge(accounts, who) {
            Found::Nothing => "nothing",
            Found::Ours(_) => "ours",
            Found::Stranger(_) => "stranger",
        };
        let marked = "wane resource=r grant=g";
        for (accounts, oid, expected) in [
            (vec![], Some(7), "nothing"),
            (vec![account(7, "wane_a", marked)], Some(7), "ours"),
            (vec![account(7, "renamed", marked)], Some(7), "ours"),
            (vec![account(7, "wane_a", "")], Some(7), "ours"),
            (vec![account(7, "recycled", "")], Some(7), "stranger"),
            (vec![account(8, "wane_a", marked)], Some(7), "stranger"),
            (vec![account(7, "renamed", marked), account(8, "wane_a", "")], Some(7), "stranger"),
            (vec![account(8, "wane_a", marked)], None, "ours"),
            (vec![account(8, "wane_a", "")], None, "stranger"),
            (vec![account(8, "wane_a", "wane resource=other grant=g")], None, "stranger"),
        ] {
            assert_eq!(word(accounts.clone(), &who(oid)), expected, "{accounts:?} {oid:?}");
        }
    }
}
