//! The effects, each within its time, on a connection of its own.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use wane_connector::{
    Artifact, ConnectError, Created, Effects, EndOutcome, Inventory, Prepared, Presence, RoleProbe, Target, permits,
};
use wane_domain::catalogue::Role;
use wane_domain::directory::Person;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_ldap::{Fail, Session};

use crate::role::Definition;
use crate::settings::Settings;
use crate::{place, survey, who};

/// The bound on every effect.
const BOUND: Duration = Duration::from_secs(10);
/// The bound on looking through all groups.
const LOOK: Duration = Duration::from_secs(60);

/// The effects at directories.
#[derive(Debug, Default)]
pub(crate) struct LdapEffects;

fn settings(target: &Target<'_>) -> Result<Settings, Fail> {
    Settings::parse(&target.resource.settings).map_err(|e| Fail::refused(e.to_string()))
}

async fn open(target: &Target<'_>, settings: &Settings) -> Result<Session, Fail> {
    who::open(target, &settings.place()).await
}

async fn bounded<T>(
    target: &Target<'_>,
    bound: Duration,
    work: impl Future<Output = Result<T, Fail>>,
) -> Result<T, ConnectError> {
    let late = |_| Err(Fail::Unreachable(format!("not done within {} s", bound.as_secs())));
    let done = tokio::time::timeout(bound, work).await.unwrap_or_else(late);
    let name = || target.resource.name.to_string();
    done.map_err(|fail| match fail {
        Fail::Unreachable(why) => ConnectError::Unreachable { target: name(), why },
        Fail::Trust(why) => ConnectError::Trust { target: name(), why },
        Fail::Refused { why, .. } => ConnectError::Refused { target: name(), why },
    })
}

impl LdapEffects {
    pub(crate) async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            survey::probe(&mut open(target, &settings).await?, &settings, roles).await
        };
        bounded(target, LOOK, work).await
    }
}

#[async_trait]
impl Effects for LdapEffects {
    async fn prepare(&self, target: &Target<'_>, role: &Role, holder: &Person) -> Result<Prepared, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            let definition = Definition::parse(&role.definition).map_err(|e| Fail::refused(e.to_string()))?;
            place::prepare(&mut open(target, &settings).await?, &settings, &definition, holder).await
        };
        bounded(target, BOUND, work).await
    }

    async fn create(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        let work = async {
            permits(target, role, lease, &permit).map_err(Fail::refused)?;
            let settings = settings(target)?;
            place::create(&mut open(target, &settings).await?, &settings, lease).await
        };
        bounded(target, BOUND, work).await
    }

    /// A directory ends nothing by itself, so there is nothing to move.
    async fn extend(&self, _target: &Target<'_>, _lease: &LeaseData) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            place::end(&mut open(target, &settings).await?, &settings, lease).await
        };
        match bounded(target, BOUND, work).await {
            // Whatever it said: an end is tried again.
            Err(ConnectError::Refused { why, .. }) => Ok(EndOutcome::Retry { why }),
            other => other,
        }
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            place::read_back(&mut open(target, &settings).await?, &settings, lease).await
        };
        bounded(target, BOUND, work).await
    }

    async fn read_back_together(
        &self,
        target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Presence>, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            let mut session = open(target, &settings).await?;
            let mut all = Vec::with_capacity(leases.len());
            for lease in leases {
                all.push(place::read_back(&mut session, &settings, lease).await?);
            }
            Ok(all)
        };
        bounded(target, LOOK, work).await
    }

    async fn inventory(&self, target: &Target<'_>) -> Result<Inventory, ConnectError> {
        self.inventory_beside(target, &[]).await
    }

    async fn inventory_beside(&self, target: &Target<'_>, leases: &[LeaseData]) -> Result<Inventory, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            survey::inventory(&mut open(target, &settings).await?, &settings, leases).await
        };
        bounded(target, LOOK, work).await
    }

    async fn remove_orphan(&self, _target: &Target<'_>, artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        let why =
            format!("`{}`: a place in a group carries no mark, so none is known to be Wane's by itself", artifact.name);
        Ok(EndOutcome::Quarantined { why })
    }

    /// A place leaves nothing but itself; who stands in the groups is the inventory's.
    async fn traces(&self, _target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(Vec::new())
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        Ok(None)
    }
}
