//! What a server says about one account: who it is, and what of it is still there.
//!
//! INVARIANT: an account is touched only if its name or its oid is the recorded one *and* the mark
//! on it, or both, say that it is ours (held by `a_stranger_under_our_name_is_left_alone`).

use wane_connector::Target;
use wane_domain::ambient::Ambient;
use wane_domain::id::ResourceId;
use wane_domain::lease::LeaseData;

use crate::session::{Fail, Session};
use crate::settings::Settings;

/// One server, as one effect sees it.
pub(crate) struct Desk<'a> {
    pub(crate) settings: Settings,
    pub(crate) target: &'a Target<'a>,
    pub(crate) ambient: &'a Ambient,
}

impl Desk<'_> {
    /// A connection to a database, as the connector.
    pub(crate) async fn open(&self, database: &str) -> Result<Session, Fail> {
        Session::open(&self.settings, self.target, database).await
    }

    /// A connection to the database Wane works in.
    pub(crate) async fn main(&self) -> Result<Session, Fail> {
        self.open(self.settings.main_database()).await
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

/// Looks for an account by oid and by name.
pub(crate) async fn find(session: &mut Session, who: &Who) -> Result<Found, Fail> {
    let sql = "SELECT oid, rolname::text, rolcanlogin, coalesce(shobj_description(oid, 'pg_authid'), '') \
               FROM pg_roles WHERE oid = $1 OR rolname = $2";
    let mut accounts = Vec::new();
    for row in session.rows(sql, &[&who.oid.unwrap_or(0), &who.name]).await? {
        let (oid, name, can_login, comment) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        accounts.push(Account { oid, name, can_login, comment });
    }
    Ok(judge(accounts, who))
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) sessions: i64,
    pub(crate) prepared: i64,
    pub(crate) dependent: i64,
}

impl Left {
    pub(crate) async fn of(session: &mut Session, oid: u32) -> Result<Self, Fail> {
        let sql = "SELECT (SELECT count(*) FROM pg_stat_activity WHERE usesysid = $1), \
                          (SELECT count(*) FROM pg_prepared_xact() WHERE ownerid = $1), \
                          (SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1)";
        let row = session.one(sql, &[&oid]).await?;
        Ok(Self { sessions: row.try_get(0)?, prepared: row.try_get(1)?, dependent: row.try_get(2)? })
    }

    pub(crate) fn is_nothing(self) -> bool {
        self == Self { sessions: 0, prepared: 0, dependent: 0 }
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sessions, prepared, dependent } = self;
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
