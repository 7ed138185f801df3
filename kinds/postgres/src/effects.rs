//! The effects, each within its time, with no more connections to a server than it can spare.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wane_connector::{Artifact, ConnectError, Created, Effects, EndOutcome, Inventory, Presence, RoleProbe, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::id::ResourceId;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;

use crate::facts::{Desk, Found, Left, Who, find, mark_of};
use crate::quote::{ident, literal};
use crate::role::Definition;
use crate::session::Fail;
use crate::settings::Settings;
use crate::{create, end, probe, survey};

/// The bound on every effect. A create that fails is undone within the same bound once more.
const BOUND: Duration = Duration::from_secs(10);
/// How many effects work at one server at a time. Each has at most two connections.
const AT_ONCE: usize = 4;

/// The effects at PostgreSQL servers.
pub(crate) struct PostgresEffects {
    ambient: Ambient,
    gates: Mutex<HashMap<ResourceId, Arc<Semaphore>>>,
}

impl PostgresEffects {
    pub(crate) fn new(ambient: Ambient) -> Self {
        Self { ambient, gates: Mutex::default() }
    }

    fn desk<'a>(&'a self, target: &'a Target<'a>) -> Result<Desk<'a>, Fail> {
        let settings = Settings::parse(&target.resource.settings).map_err(|e| Fail::refused(e.to_string()))?;
        Ok(Desk { settings, target, ambient: &self.ambient })
    }

    /// Waits for a free place at the server.
    async fn enter(&self, target: &Target<'_>) -> Option<OwnedSemaphorePermit> {
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(target.resource.id).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        gate.acquire_owned().await.ok()
    }

    async fn bounded<T>(&self, target: &Target<'_>, work: impl Future<Output = Result<T, Fail>>) -> Result<T, Fail> {
        let placed = async {
            let _place = self.enter(target).await;
            work.await
        };
        tokio::time::timeout(BOUND, placed)
            .await
            .unwrap_or_else(|_| Err(Fail::Unreachable(format!("not done within {} s", BOUND.as_secs()))))
    }

    pub(crate) async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        let work = async { probe::probe(&self.desk(target)?, roles).await };
        self.bounded(target, work).await.map_err(|fail| fail.at(target))
    }

    async fn end_account(&self, target: &Target<'_>, who: Who) -> EndOutcome {
        let work = async { end::end(&self.desk(target)?, &who).await };
        // Whatever it was: an end is tried again.
        self.bounded(target, work).await.unwrap_or_else(|fail| EndOutcome::Retry { why: fail.to_string() })
    }
}

fn check_permit(target: &Target<'_>, role: &Role, lease: &LeaseData, permit: &IssuePermit) -> Result<(), Fail> {
    let digest = role.digest().map_err(|e| Fail::refused(e.to_string()))?;
    let item = permit.item();
    let fits = permit.lease() == lease.id
        && permit.grant() == lease.grant
        && item.resource == target.resource.id
        && lease.resource == target.resource.id
        && item.role == role.id
        && item.role_digest == digest;
    if fits {
        Ok(())
    } else {
        Err(Fail::refused("the permit is for something else: another lease, resource, or role definition"))
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
        check_permit(target, role, lease, &permit).map_err(|fail| fail.at(target))?;
        let until = lease.end.min(permit.not_after());
        let work = async {
            let definition = Definition::parse(&role.definition).map_err(|e| Fail::refused(e.to_string()))?;
            create::create(&self.desk(target)?, &definition, lease, until).await
        };
        match self.bounded(target, work).await {
            Ok(created) => Ok(created),
            Err(fail) => {
                // Whatever was made is ended before the failure is told; if that fails too, the
                // lease is still open and its name finds it.
                let undone = self.end_account(target, Who::of(lease)).await;
                tracing::debug!(account = lease.artifact, ?undone, "a create failed and was undone");
                Err(fail.at(target))
            }
        }
    }

    async fn extend(&self, target: &Target<'_>, lease: &LeaseData) -> Result<(), ConnectError> {
        let work = async {
            let mut session = self.desk(target)?.main().await?;
            let Found::Ours(account) = find(&mut session, &Who::of(lease)).await? else {
                return Err(Fail::refused(format!("role `{}` is not there to be extended", lease.artifact)));
            };
            session
                .run(&format!("ALTER ROLE {} VALID UNTIL {}", ident(&account.name)?, literal(&lease.end.to_string())?))
                .await?;
            let sql = "SELECT count(*) FROM pg_roles WHERE oid = $1 AND (extract(epoch FROM rolvaliduntil) * 1000000)::int8 = $2";
            let same = session.count(sql, &[&account.oid, &lease.end.micros()]).await?;
            session.close().await;
            if same == 1 { Ok(()) } else { Err(Fail::refused("read back, VALID UNTIL is not what was set")) }
        };
        self.bounded(target, work).await.map_err(|fail| fail.at(target))
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        Ok(self.end_account(target, Who::of(lease)).await)
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let work = async {
            let mut session = self.desk(target)?.main().await?;
            let who = Who::of(lease);
            let found = find(&mut session, &who).await?;
            let left = Left::of(&mut session, who.oid.unwrap_or(0)).await?;
            session.close().await;
            Ok(presence(&who, &found, left))
        };
        self.bounded(target, work).await.map_err(|fail| fail.at(target))
    }

    async fn inventory(&self, target: &Target<'_>) -> Result<Inventory, ConnectError> {
        let work = async { survey::inventory(&self.desk(target)?).await };
        self.bounded(target, work).await.map_err(|fail| fail.at(target))
    }

    async fn remove_orphan(&self, target: &Target<'_>, artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        let oid = artifact.object.as_deref().and_then(|oid| oid.parse().ok());
        let who = Who { name: artifact.name.clone(), oid, mark: mark_of(target.resource.id) };
        if oid.is_none() || wane_domain::lease::lease_of_artifact(&artifact.name).is_none() {
            return Ok(EndOutcome::Quarantined {
                why: format!("`{}` is not a name of ours with an oid", artifact.name),
            });
        }
        Ok(self.end_account(target, who).await)
    }

    async fn traces(&self, target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        let work = async { survey::traces(&self.desk(target)?).await };
        self.bounded(target, work).await.map_err(|fail| fail.at(target))
    }

    async fn clock_skew(&self, target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        let work = async {
            let mut session = self.desk(target)?.main().await?;
            let theirs = session.count("SELECT extract(epoch FROM clock_timestamp())::int8", &[]).await?;
            session.close().await;
            Ok(Some(theirs.saturating_sub(target.now.seconds())))
        };
        self.bounded(target, work).await.map_err(|fail| fail.at(target))
    }
}

fn presence(who: &Who, found: &Found, left: Left) -> Presence {
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
