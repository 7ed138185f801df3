//! The effects, each within its time.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use wane_connector::{
    Artifact, ConnectError, Created, Effects, EndOutcome, Inventory, Prepared, Presence, RoleProbe, Target, permits,
};
use wane_domain::catalogue::Role;
use wane_domain::directory::Person;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseState};
use wane_domain::time::{Span, Time};

use crate::account::{self, Account};
use crate::application::{Application, Fail};
use crate::notes::Notes;
use crate::place::{self, Groups, Place};
use crate::role::Definition;
use crate::settings::Settings;
use crate::survey;

/// The bound on every effect.
const BOUND: Duration = Duration::from_secs(10);
/// After its end was ordered, so long something may come about that was asked for before and not answered: making takes its
/// bound at most, and the application may take longer than that.
const COMES_LATE: Span = Span::from_secs(30);
/// The bound on looking through everything.
const LOOK: Duration = Duration::from_secs(60);

/// The effects at applications.
#[derive(Debug, Default)]
pub(crate) struct ScimEffects;

/// What a lease is of.
enum Kept<'a> {
    Place(Place<'a>),
    Account(Account<'a>),
}

impl<'a> Kept<'a> {
    fn of(notes: &'a Notes) -> Self {
        match notes {
            Notes::Place { group, group_id, person, person_id } => {
                Self::Place(Place { group, group_id, person, person_id })
            }
            Notes::Account { user_name, id, before, at_end, mark, body } => {
                let (before, at_end) = (*before, *at_end);
                Self::Account(Account { user_name, id: id.as_deref(), before, at_end, mark, body })
            }
        }
    }
}

fn opened(target: &Target<'_>) -> Result<(Application, Settings), Fail> {
    let settings = Settings::parse(&target.resource.settings).map_err(|e| Fail::refused(e.to_string()))?;
    Ok((Application::open(target, &settings)?, settings))
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

async fn presence(app: &Application, lease: &LeaseData, groups: &mut Groups) -> Result<Presence, Fail> {
    match Kept::of(&Notes::of(lease)?) {
        Kept::Place(of) => place::read_back(app, of, groups).await,
        Kept::Account(of) => account::read_back(app, of, lease).await,
    }
}

/// What it comes to that nothing of a lease is there.
///
/// INVARIANT: what was asked for and never seen made may come about for a while; until then that it is not there ends nothing (held
/// by `what_was_asked_for_may_come_late_and_is_ended_still`).
fn nothing_there(lease: &LeaseData, now: Time) -> EndOutcome {
    match &lease.state {
        LeaseState::Revoking { since, was_live: false } if now < since.plus(COMES_LATE) => EndOutcome::Retry {
            why: "it is not there, but was asked for just now and may come about still; it is looked at once more"
                .to_owned(),
        },
        LeaseState::Revoking { .. } | LeaseState::Intended | LeaseState::Live { .. } | LeaseState::Gone { .. } => {
            EndOutcome::Done
        }
    }
}

impl ScimEffects {
    pub(crate) async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        let work = async {
            let (app, settings) = opened(target)?;
            survey::probe(&app, &settings, roles).await
        };
        bounded(target, LOOK, work).await
    }
}

#[async_trait]
impl Effects for ScimEffects {
    async fn prepare(&self, target: &Target<'_>, role: &Role, holder: &Person) -> Result<Prepared, ConnectError> {
        let work = async {
            let (app, settings) = opened(target)?;
            match Definition::parse(&role.definition).map_err(|e| Fail::refused(e.to_string()))? {
                Definition::Group(group) => place::prepare(&app, &settings, &group, holder).await,
                Definition::Account(at_end) => account::prepare(&app, &settings, at_end, holder).await,
            }
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
            let (app, _) = opened(target)?;
            match Kept::of(&Notes::of(lease)?) {
                Kept::Place(of) => place::create(&app, of, lease).await,
                Kept::Account(of) => account::create(&app, of, lease).await,
            }
        };
        bounded(target, BOUND, work).await
    }

    /// An application ends nothing by itself, so there is nothing to move.
    async fn extend(&self, _target: &Target<'_>, _lease: &LeaseData) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        let work = async {
            let (app, _) = opened(target)?;
            match Kept::of(&Notes::of(lease)?) {
                Kept::Place(of) => place::end(&app, of, nothing_there(lease, target.now)).await,
                Kept::Account(of) => account::end(&app, of, nothing_there(lease, target.now)).await,
            }
        };
        match bounded(target, BOUND, work).await {
            // Whatever it said: an end is tried again.
            Err(ConnectError::Refused { why, .. }) => Ok(EndOutcome::Retry { why }),
            other => other,
        }
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let work = async {
            let (app, _) = opened(target)?;
            presence(&app, lease, &mut Groups::new()).await
        };
        bounded(target, BOUND, work).await
    }

    async fn read_back_together(
        &self,
        target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Presence>, ConnectError> {
        let work = async {
            let (app, _) = opened(target)?;
            let (mut all, mut groups) = (Vec::with_capacity(leases.len()), Groups::new());
            for lease in leases {
                all.push(presence(&app, lease, &mut groups).await?);
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
            let (app, settings) = opened(target)?;
            survey::inventory(&app, &settings, leases).await
        };
        bounded(target, LOOK, work).await
    }

    async fn remove_orphan(&self, _target: &Target<'_>, artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        let why = format!("`{}`: nothing there carries a mark by which it is known to be Wane's alone", artifact.name);
        Ok(EndOutcome::Quarantined { why })
    }

    /// A place or account leaves nothing but itself; who stands there is the inventory's.
    async fn traces(&self, _target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(Vec::new())
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        Ok(None)
    }
}
