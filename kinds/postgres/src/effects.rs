//! The effects, each within its time, with no more connections to a server than it can spare.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wane_connector::{
    Artifact, ConnectError, Created, Effects, EndOutcome, Inventory, Presence, RoleProbe, Target, permits,
};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::id::ResourceId;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_failpoint::point;

use crate::facts::{Desk, Found, Left, Who, find, find_with_left, mark_of};
use crate::pool::{Pool, Whose};
use crate::quote::{ident, literal};
use crate::role::Definition;
use crate::session::Fail;
use crate::settings::Settings;
use crate::{create, end, probe, survey, together};

/// The bound on every effect. A create that fails is undone within the same bound once more.
const BOUND: Duration = Duration::from_secs(10);
/// How often one effect begins again because others were at the same rows.
const CONTENDED: u32 = 5;

/// What an effect is for: each sort has places of its own at a server, so that none waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sort {
    Make,
    End,
    Look,
}

impl Sort {
    /// How many work at one server at a time. Each has one connection, and for a moment a second one if
    /// it has to go into another database.
    const fn at_once(self) -> usize {
        match self {
            Self::Make | Self::End => 8,
            Self::Look => 2,
        }
    }
}

/// The effects at PostgreSQL servers.
pub(crate) struct PostgresEffects {
    ambient: Ambient,
    gates: Mutex<HashMap<(ResourceId, Sort), Arc<Semaphore>>>,
    pool: Pool,
}

/// How an effect has fared so far.
#[derive(Debug, Default)]
struct Tries {
    contended: u32,
    broken: bool,
}

impl Tries {
    /// Whether to begin again: a kept connection that breaks says nothing about the server, and rows that
    /// others were at are free a moment later. Every effect may be repeated.
    async fn again(&mut self, desk: &Desk<'_>, fail: &Fail) -> bool {
        if matches!(fail, Fail::Unreachable(_)) && desk.reused.load(Ordering::Relaxed) && !self.broken {
            self.broken = true;
            desk.pool.forget(&desk.whose);
            return true;
        }
        if fail.is_contention() && self.contended < CONTENDED {
            self.contended = self.contended.saturating_add(1);
            tokio::time::sleep(Duration::from_millis(10).saturating_mul(self.contended)).await;
            return true;
        }
        false
    }
}

/// Does something at a desk, and again as long as [`Tries::again`] says so.
macro_rules! attempt {
    ($effects:expr, $target:expr, |$desk:ident| $work:expr) => {
        async {
            let mut tries = Tries::default();
            loop {
                let $desk = $effects.desk($target)?;
                match $work.await {
                    Err(fail) if tries.again(&$desk, &fail).await => {}
                    done => break done,
                }
            }
        }
    };
}

impl PostgresEffects {
    pub(crate) fn new(ambient: Ambient) -> Self {
        Self { ambient, gates: Mutex::default(), pool: Pool::default() }
    }

    fn desk<'a>(&'a self, target: &'a Target<'a>) -> Result<Desk<'a>, Fail> {
        let settings = Settings::parse(&target.resource.settings).map_err(|e| Fail::refused(e.to_string()))?;
        let whose = Whose::of(target, &settings)?;
        let (ambient, pool) = (&self.ambient, &self.pool);
        Ok(Desk { settings, target, ambient, pool, whose, reused: AtomicBool::new(false) })
    }

    /// Waits for a free place at the server.
    async fn enter(&self, target: &Target<'_>, sort: Sort) -> Option<OwnedSemaphorePermit> {
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            let places = || Arc::new(Semaphore::new(sort.at_once()));
            Arc::clone(gates.entry((target.resource.id, sort)).or_insert_with(places))
        };
        gate.acquire_owned().await.ok()
    }

    async fn bounded<T>(
        &self,
        target: &Target<'_>,
        sort: Sort,
        work: impl Future<Output = Result<T, Fail>>,
    ) -> Result<T, Fail> {
        let placed = async {
            let _place = self.enter(target, sort).await;
            work.await
        };
        tokio::time::timeout(BOUND, placed)
            .await
            .unwrap_or_else(|_| Err(Fail::Unreachable(format!("not done within {} s", BOUND.as_secs()))))
    }

    pub(crate) async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        let work = async { probe::probe(&self.desk(target)?, roles).await };
        self.bounded(target, Sort::Look, work).await.map_err(|fail| fail.at(target))
    }

    async fn end_account(&self, target: &Target<'_>, sort: Sort, who: Who) -> Result<EndOutcome, Fail> {
        let work = attempt!(self, target, |desk| end::end(&desk, &who));
        match self.bounded(target, sort, work).await {
            // Whatever it said: an end is tried again.
            Err(Fail::Refused { why, .. }) => Ok(EndOutcome::Retry { why }),
            other => other,
        }
    }
}

#[async_trait]
impl Effects for PostgresEffects {
    async fn create(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        permits(target, role, lease, &permit).map_err(|why| Fail::refused(why).at(target))?;
        let until = lease.end.min(permit.not_after());
        let work = async {
            let definition = Definition::parse(&role.definition).map_err(|e| Fail::refused(e.to_string()))?;
            attempt!(self, target, |desk| create::create(&desk, &definition, lease, until)).await
        };
        match self.bounded(target, Sort::Make, work).await {
            Ok(created) => Ok(created),
            Err(fail) => {
                // Whatever was made is ended before the failure is told; if that fails too, the
                // lease is still open and its name finds it.
                let undone = self.end_account(target, Sort::Make, Who::of(lease)).await;
                tracing::debug!(account = lease.artifact, ?undone, "a create failed and was undone");
                Err(fail.at(target))
            }
        }
    }

    async fn extend(&self, target: &Target<'_>, lease: &LeaseData) -> Result<(), ConnectError> {
        let work = attempt!(self, target, |desk| extend(&desk, lease));
        self.bounded(target, Sort::Make, work).await.map_err(|fail| fail.at(target))
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        self.end_account(target, Sort::End, Who::of(lease)).await.map_err(|fail| fail.at(target))
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let one = self.read_back_together(target, &[lease]).await?.pop();
        one.ok_or_else(|| Fail::refused("the server answered nothing").at(target))
    }

    fn in_one_round(&self) -> usize {
        together::ROUND
    }

    async fn end_together(
        &self,
        target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Option<EndOutcome>>, ConnectError> {
        let all: Vec<Who> = leases.iter().map(|lease| Who::of(lease)).collect();
        let work = attempt!(self, target, |desk| together::end_together(&desk, &all));
        self.bounded(target, Sort::End, work).await.map_err(|fail| fail.at(target))
    }

    async fn read_back_together(
        &self,
        target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Presence>, ConnectError> {
        let all: Vec<Who> = leases.iter().map(|lease| Who::of(lease)).collect();
        let work = attempt!(self, target, |desk| read_back(&desk, &all));
        self.bounded(target, Sort::End, work).await.map_err(|fail| fail.at(target))
    }

    async fn inventory(&self, target: &Target<'_>) -> Result<Inventory, ConnectError> {
        let work = async { survey::inventory(&self.desk(target)?).await };
        self.bounded(target, Sort::Look, work).await.map_err(|fail| fail.at(target))
    }

    async fn remove_orphan(&self, target: &Target<'_>, artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        let oid = artifact.object.as_deref().and_then(|oid| oid.parse().ok());
        let who = Who { name: artifact.name.clone(), oid, mark: mark_of(target.resource.id) };
        if oid.is_none() || wane_domain::lease::lease_of_artifact(&artifact.name).is_none() {
            return Ok(EndOutcome::Quarantined {
                why: format!("`{}` is not a name of ours with an oid", artifact.name),
            });
        }
        self.end_account(target, Sort::End, who).await.map_err(|fail| fail.at(target))
    }

    async fn traces(&self, target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        let work = attempt!(self, target, |desk| survey::traces(&desk));
        self.bounded(target, Sort::Look, work).await.map_err(|fail| fail.at(target))
    }

    async fn clock_skew(&self, target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        let work = attempt!(self, target, |desk| clock(&desk));
        let theirs = self.bounded(target, Sort::Look, work).await.map_err(|fail| fail.at(target))?;
        Ok(Some(theirs.saturating_sub(target.now.seconds())))
    }
}

async fn extend(desk: &Desk<'_>, lease: &LeaseData) -> Result<(), Fail> {
    let mut session = desk.main().await?;
    let Found::Ours(account) = find(&mut session, &Who::of(lease)).await? else {
        return Err(Fail::refused(format!("role `{}` is not there to be extended", lease.artifact)));
    };
    let later = format!("ALTER ROLE {} VALID UNTIL {}", ident(&account.name)?, literal(&lease.end.to_string())?);
    session.run(point!("postgres.extend"), &later).await?;
    let sql =
        "SELECT count(*) FROM pg_roles WHERE oid = $1 AND (extract(epoch FROM rolvaliduntil) * 1000000)::int8 = $2";
    let same = session.count(sql, &[&account.oid, &lease.end.micros()]).await?;
    desk.keep(session);
    if same == 1 { Ok(()) } else { Err(Fail::refused("read back, VALID UNTIL is not what was set")) }
}

async fn read_back(desk: &Desk<'_>, all: &[Who]) -> Result<Vec<Presence>, Fail> {
    let mut session = desk.any().await?;
    let found = find_with_left(&mut session, &all.iter().collect::<Vec<_>>()).await?;
    desk.keep(session);
    Ok(all.iter().zip(found).map(|(who, (found, left))| presence(who, &found, &left)).collect())
}

/// Seconds since 1970 by the server's clock.
async fn clock(desk: &Desk<'_>) -> Result<i64, Fail> {
    let mut session = desk.main().await?;
    let theirs = session.count("SELECT extract(epoch FROM clock_timestamp())::int8", &[]).await?;
    desk.keep(session);
    Ok(theirs)
}

fn presence(who: &Who, found: &Found, left: &Left) -> Presence {
    let oid = who.oid.map_or("unknown".to_owned(), |oid| oid.to_string());
    match found {
        Found::Ours(account) => {
            let login = if account.can_login { "can log in" } else { "cannot log in" };
            Presence::Present {
                seen: format!("pg_roles: `{}` with oid {}, {login}; {left}", account.name, account.oid),
            }
        }
        Found::Stranger(why) => Presence::Present { seen: format!("{why}; {left}") },
        Found::Nothing if left.is_nothing() => {
            Presence::Absent { proof: format!("pg_roles: no row named `{}` or with oid {oid}; {left}", who.name) }
        }
        Found::Nothing => Presence::Present { seen: format!("pg_roles: no row with oid {oid}, but {left}") },
    }
}
