//! Ending an account: block logins, strip, cut sessions, roll back, give away, drop.
//!
//! Each step can be repeated, and as many as possible are done even if one is refused: an account
//! that cannot be dropped is at least harmless. What it owned is given to the quarantine role,
//! never dropped, and loses the power to run with its owner's rights.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use wane_connector::EndOutcome;
use wane_failpoint::point;

use crate::create::{RIGHTS_LOCK, SET_FALSE, making_lock};
use crate::facts::{Account, Desk, Found, Left, Who, find, listed};
use crate::quote::{ident, literal};
use crate::session::{Fail, Session, number};

/// How long after a look the next is worth it: sessions that were cut need a moment to go.
const LOOK_AGAIN: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(10), Duration::from_millis(25), Duration::from_millis(50)];
/// How many looks before the next try has to go on.
const LOOKS: usize = 60;
/// So many looks in a row without a session are enough, though somebody who was logging in when logins
/// were blocked is still at it: who hangs there must not keep others from ending.
const CALM: u32 = 25;

/// Runs the whole sequence once.
pub(crate) async fn end(desk: &Desk<'_>, who: &Who) -> Result<EndOutcome, Fail> {
    let mut session = desk.any().await?;
    let mut found = find(&mut session, who).await?;
    if matches!(found, Found::Nothing) && who.oid.is_none() {
        found = find_made(&mut session, who).await?;
    }
    let outcome = match found {
        Found::Ours(account) => end_account(desk, &mut session, &account).await?,
        Found::Stranger(why) => EndOutcome::Quarantined { why },
        Found::Nothing => end_remains(&mut session, who).await?,
    };
    desk.keep(session);
    Ok(outcome)
}

/// Looks once more when nobody is making the account any more: one whose maker gave up waiting may be
/// made a moment later.
async fn find_made(session: &mut Session, who: &Who) -> Result<Found, Fail> {
    session.run(point!("postgres.end.wait"), &format!("BEGIN; {}; COMMIT", making_lock(&who.name)?)).await?;
    find(session, who).await
}

/// The role is gone; a session of it may have stayed.
async fn end_remains(session: &mut Session, who: &Who) -> Result<EndOutcome, Fail> {
    let Some(oid) = who.oid else {
        return Ok(EndOutcome::Done);
    };
    let left = Left::of(session, &[oid]).await?;
    match cut_sessions(session, &[oid], left).await?.into_iter().find(|left| !left.is_nothing()) {
        None => Ok(EndOutcome::Done),
        Some(left) => Ok(EndOutcome::Quarantined {
            why: format!("the role is gone, yet of oid {oid} there is left: {left}; only a superuser can remove that"),
        }),
    }
}

async fn end_account(desk: &Desk<'_>, session: &mut Session, account: &Account) -> Result<EndOutcome, Fail> {
    if let Err(refused) = kept(session.run(point!("postgres.end.block"), &block(&[account])?).await)? {
        session.run(point!("postgres.end.block.refused"), "ROLLBACK").await?;
        return Ok(EndOutcome::Quarantined {
            why: format!("logins of `{}` could not be blocked: {refused}", account.name),
        });
    }
    let mut snags = Snags::default();
    let mut left = Left::of(session, &[account.oid]).await?;
    if sessions(&left) > 0 {
        // What they have by membership goes before they do.
        snags.note("memberships", strip_memberships(session, account).await)?;
    }
    left = cut_sessions(session, &[account.oid], left).await?;
    if sessions(&left) > 0 {
        return Ok(still_there(sessions(&left)));
    }
    if !left.iter().all(Left::is_nothing) {
        snags.note("memberships", strip_memberships(session, account).await)?;
        give_away(desk, session, account, &mut snags).await?;
    }
    match kept(drop_role(session, account).await)? {
        Ok(()) => Ok(EndOutcome::Done),
        Err(why) => {
            snags.0.push(format!("drop: {why}"));
            Ok(EndOutcome::Quarantined {
                why: format!(
                    "`{}` cannot log in and has no sessions, but is not gone: {}",
                    account.name,
                    snags.0.join("; ")
                ),
            })
        }
    }
}

/// The next commit that waits for the disk takes this one along, and nothing is said to be done before
/// that. Everybody sees it at once.
const SOON_ON_DISK: &str = "SET LOCAL synchronous_commit TO off";

/// Lets nobody in under these accounts any more.
pub(crate) fn block(accounts: &[&Account]) -> Result<String, Fail> {
    let mut sql = format!("BEGIN; {SOON_ON_DISK}");
    for account in accounts {
        let name = ident(&account.name)?;
        sql.push_str(&format!("; ALTER ROLE {name} NOLOGIN CONNECTION LIMIT 0 PASSWORD NULL"));
    }
    sql.push_str("; COMMIT");
    Ok(sql)
}

pub(crate) fn sessions(left: &[Left]) -> i64 {
    left.iter().map(|left| left.sessions).fold(0, i64::saturating_add)
}

pub(crate) fn still_there(sessions: i64) -> EndOutcome {
    EndOutcome::Retry { why: format!("{sessions} sessions are still there") }
}

/// Rolls back what the account prepared and gives away what it owns, wherever it is.
async fn give_away(desk: &Desk<'_>, session: &mut Session, account: &Account, snags: &mut Snags) -> Result<(), Fail> {
    // To do either, one must be it.
    let name = ident(&account.name)?;
    let with = if session.version >= SET_FALSE { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    let placed = session.run(point!("postgres.end.place"), &format!("GRANT {name} TO CURRENT_USER{with}")).await;
    snags.note("taking its place", placed)?;
    snags.note("prepared transactions", roll_back_prepared(desk, session, account).await)?;
    for database in places(session, account.oid).await? {
        let cleared = if database == session.database {
            clear(session, account, &desk.settings.reassign_to).await
        } else {
            clear_elsewhere(desk, account, &database).await
        };
        snags.note(&format!("database `{database}`"), cleared)?;
    }
    Ok(())
}

/// What was refused on the way, while the rest went on.
#[derive(Default)]
struct Snags(Vec<String>);

impl Snags {
    fn note(&mut self, what: &str, outcome: Result<(), Fail>) -> Result<(), Fail> {
        if let Err(why) = kept(outcome)? {
            self.0.push(format!("{what}: {why}"));
        }
        Ok(())
    }
}

/// Keeps a refusal as words; everything else ends this try.
fn kept(outcome: Result<(), Fail>) -> Result<Result<(), String>, Fail> {
    match outcome {
        Ok(()) => Ok(Ok(())),
        Err(again) if again.is_contention() => Err(again),
        Err(Fail::Refused { why, .. }) => Ok(Err(why)),
        Err(other @ (Fail::Unreachable(_) | Fail::Trust(_))) => Err(other),
    }
}

async fn strip_memberships(session: &mut Session, account: &Account) -> Result<(), Fail> {
    for revoke in revokes(session, &[account]).await? {
        session.run(point!("postgres.end.strip"), &revoke).await?;
    }
    Ok(())
}

/// What takes their memberships from these accounts, one statement for each.
pub(crate) async fn revokes(session: &mut Session, accounts: &[&Account]) -> Result<Vec<String>, Fail> {
    let sql = "SELECT m.member, r.rolname::text, g.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid \
               JOIN pg_roles g ON g.oid = m.grantor WHERE m.member = ANY ($1)";
    let oids: Vec<u32> = accounts.iter().map(|account| account.oid).collect();
    let mut all = Vec::new();
    for row in session.rows(sql, &[&oids]).await? {
        let (member, group, grantor): (u32, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let Some(account) = accounts.iter().find(|account| account.oid == member) else { continue };
        let by = if session.version >= SET_FALSE { format!(" GRANTED BY {}", ident(&grantor)?) } else { String::new() };
        all.push(format!("REVOKE {} FROM {}{by}", ident(&group)?, ident(&account.name)?));
    }
    Ok(all)
}

/// Ends every session whose *login* was one of these accounts, whatever role it has set since. To be
/// called once nobody is let in any more; `left` is what was there of each after that.
pub(crate) async fn cut_sessions(session: &mut Session, oids: &[u32], mut left: Vec<Left>) -> Result<Vec<Left>, Fail> {
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_get_activity(NULL) WHERE usesysid IN ({}) AND pid <> pg_backend_pid()",
        listed(oids)
    );
    // INVARIANT: who was let in before logins were blocked is either in `pg_stat_activity` or among these
    // (held by `a_login_under_way_does_not_outlive_the_end`). Who comes later is refused.
    let mut logging_in = logging_in_beside(&left);
    let mut calm = 0;
    for look in 0..LOOKS {
        let still = logging_in_beside(&left);
        logging_in.retain(|pid| still.contains(pid));
        if sessions(&left) > 0 {
            calm = 0;
            session.batch(point!("postgres.end.cut"), &cut).await?;
        } else if logging_in.is_empty() || calm == CALM {
            break;
        } else {
            calm = calm.saturating_add(1);
        }
        tokio::time::sleep(LOOK_AGAIN.get(look).or(LOOK_AGAIN.last()).copied().unwrap_or_default()).await;
        left = Left::of(session, oids).await?;
    }
    Ok(left)
}

/// Who was being let in, to whatever account, when these were looked at.
fn logging_in_beside(left: &[Left]) -> BTreeSet<i32> {
    left.first().map(|left| left.logging_in.clone()).unwrap_or_default()
}

async fn roll_back_prepared(desk: &Desk<'_>, session: &mut Session, account: &Account) -> Result<(), Fail> {
    let sql = "SELECT p.gid, d.datname::text FROM pg_prepared_xact() p JOIN pg_database d ON d.oid = p.dbid WHERE p.ownerid = $1";
    let name = ident(&account.name)?;
    for row in session.rows(sql, &[&account.oid]).await? {
        let (gid, database): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        // Only who prepared a transaction may end it, and only from its own database.
        let mut other = desk.also(&database).await?;
        other.run(point!("postgres.end.prepared.become"), &format!("SET ROLE {name}")).await?;
        other.run(point!("postgres.end.prepared"), &format!("ROLLBACK PREPARED {}", literal(&gid)?)).await?;
        other.close().await;
    }
    Ok(())
}

/// The databases in which something depends on the account. Shared things are reached from any.
async fn places(session: &mut Session, oid: u32) -> Result<BTreeSet<String>, Fail> {
    let here = session.database.clone();
    let sql = "SELECT DISTINCT coalesce(d.datname::text, $2) FROM pg_shdepend s LEFT JOIN pg_database d ON d.oid = s.dbid \
               WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = $1";
    Ok(session.texts(sql, &[&oid, &here]).await?.into_iter().collect())
}

async fn clear_elsewhere(desk: &Desk<'_>, account: &Account, database: &str) -> Result<(), Fail> {
    let mut other = desk.also(database).await?;
    let cleared = clear(&mut other, account, &desk.settings.reassign_to).await;
    other.close().await;
    cleared
}

async fn clear(session: &mut Session, account: &Account, reassign_to: &str) -> Result<(), Fail> {
    session.run(point!("postgres.end.clear.begin"), "BEGIN").await?;
    let cleared = clear_inside(session, account, reassign_to).await;
    let over = if cleared.is_ok() { "COMMIT" } else { "ROLLBACK" };
    session.run(point!("postgres.end.clear.over"), over).await?;
    cleared
}

/// In one transaction, so that nobody sees the quarantine role hold the account's rights.
async fn clear_inside(session: &mut Session, account: &Account, reassign_to: &str) -> Result<(), Fail> {
    session.run(point!("postgres.end.rights_lock"), RIGHTS_LOCK).await?;
    let (name, quarantine) = (ident(&account.name)?, ident(reassign_to)?);
    let owned = session.texts(OWNED, &[&account.oid]).await?;
    if !owned.is_empty() {
        // The new owner needs CREATE where the objects are, which the account still has.
        session.run(point!("postgres.end.quarantine"), &format!("GRANT {name} TO {quarantine}")).await?;
        for statement in session.texts(DISARM, &[&account.oid]).await? {
            session.run(point!("postgres.end.disarm"), &statement).await?;
        }
        session.run(point!("postgres.end.reassign"), &format!("REASSIGN OWNED BY {name} TO {quarantine}")).await?;
        session.run(point!("postgres.end.quarantine.over"), &format!("REVOKE {name} FROM {quarantine}")).await?;
        tracing::info!(account = account.name, to = reassign_to, objects = ?owned, "objects left behind were given to the quarantine role");
    }
    session.run(point!("postgres.end.drop_owned"), &format!("DROP OWNED BY {name}")).await
}

const OWNED: &str = "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend \
    WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1 AND deptype = 'o' AND classid <> 'pg_default_acl'::regclass \
      AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) LIMIT 200";

/// What would run with its owner's rights runs with its caller's from now on. The statements are
/// put together by the server, which quotes and qualifies the names.
const DISARM: &str = "SELECT format('ALTER ROUTINE %s SECURITY INVOKER', oid::regprocedure) FROM pg_proc \
      WHERE proowner = $1 AND prosecdef AND prokind IN ('f', 'p') \
    UNION ALL \
    SELECT format('ALTER VIEW %s SET (security_invoker = true)', oid::regclass) FROM pg_class \
      WHERE relowner = $1 AND relkind = 'v' AND current_setting('server_version_num')::int >= 150000";

/// Drops the role if it is the one.
async fn drop_role(session: &mut Session, account: &Account) -> Result<(), Fail> {
    match drop_roles(session, &[account]).await {
        Err(gone) if gone.is(&SqlState::UNDEFINED_OBJECT) => Ok(()),
        other => other,
    }
}

/// Drops roles, all or none, if they are the ones: the names are checked against the oids before and
/// after, and only then it is committed.
pub(crate) async fn drop_roles(session: &mut Session, accounts: &[&Account]) -> Result<(), Fail> {
    let (mut names, mut pairs, mut oids) = (Vec::new(), Vec::new(), Vec::new());
    for Account { oid, name, .. } in accounts {
        names.push(ident(name)?);
        pairs.push(format!("({oid}, {})", literal(name)?));
        oids.push(*oid);
    }
    let same = format!("SELECT count(*) FROM pg_roles WHERE (oid, rolname) IN ({})", pairs.join(", "));
    let still = format!("SELECT count(*) FROM pg_roles WHERE oid IN ({})", listed(&oids));
    let all = i64::try_from(accounts.len()).unwrap_or(i64::MAX);
    let dropped = async {
        let sql = format!("BEGIN; {same}; DROP ROLE {}; {still}", names.join(", "));
        let answers = session.batch(point!("postgres.end.drop"), &sql).await?;
        let mut counts = answers.iter().flatten().map(|row| number::<i64>(Some(row), 0));
        match (counts.next().transpose()?, counts.next().transpose()?) {
            (Some(same), Some(0)) if same == all => Ok(()),
            (Some(same), _) if same == all => Err(Fail::refused(format!("oid {} is still there", listed(&oids)))),
            _ => Err(Fail::refused(format!("{} no longer has oid {}", names.join(", "), listed(&oids)))),
        }
    }
    .await;
    let over = if dropped.is_ok() { "COMMIT" } else { "ROLLBACK" };
    session.run(point!("postgres.end.drop.over"), over).await?;
    dropped
}
