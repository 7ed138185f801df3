//! The effects, each within its time.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use wane_connector::{
    Artifact, ConnectError, Created, Effects, EndOutcome, Handed, Inventory, Presence, RoleProbe, Target, permits,
};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::id::LeaseId;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, lease_of_artifact};
use wane_domain::secret::SecretOnce;
use wane_domain::time::Time;
use zeroize::Zeroizing;

use crate::api::Api;
use crate::fail::{Fail, told};
use crate::life;
use crate::line::Line;
use crate::own::Ours;
use crate::program::{ProgramSettings, Programs};
use crate::role::Definition;
use crate::settings::{Settings, Way};
use crate::text::Piece;
use crate::wire::Clients;

/// The bound on making something; one that fails is undone within the other.
pub(crate) const MAKE: Duration = Duration::from_secs(15);
pub(crate) const UNDO: Duration = Duration::from_secs(10);
/// The bound on everything else: each call of it has its own.
pub(crate) const LOOK: Duration = Duration::from_secs(25);

/// The effects at whatever is declared.
#[derive(Debug)]
pub(crate) struct HookEffects {
    pub(crate) ambient: Ambient,
    clients: Clients,
    programs: Programs,
}

/// What is kept of what was made.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Notes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// When the target ends it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<Time>,
}

impl Notes {
    fn of(lease: &LeaseData) -> Self {
        serde_json::from_value(lease.notes.clone()).unwrap_or_default()
    }
}

pub(crate) async fn bounded<T>(bound: Duration, work: impl Future<Output = Result<T, Fail>>) -> Result<T, Fail> {
    let late = |_| Err(Fail::Unreachable(format!("not done within {} s", bound.as_secs())));
    tokio::time::timeout(bound, work).await.unwrap_or_else(late)
}

pub(crate) fn settings(target: &Target<'_>) -> Result<Settings, Fail> {
    let settings = Settings::read(&target.resource.settings).map_err(|e| Fail::refused(e.to_string()))?;
    match settings.unusable_with(target.credential) {
        None => Ok(settings),
        Some(why) => Err(Fail::Trust(why)),
    }
}

fn piece(target: &Target<'_>, lease: &LeaseData, end: Time) -> Piece {
    Piece {
        name: lease.artifact.clone(),
        grant: lease.grant.to_string(),
        lease: lease.id.to_string(),
        resource: target.resource.name.to_string(),
        end,
        now: target.now,
    }
}

impl HookEffects {
    pub(crate) fn new(ambient: Ambient, programs: ProgramSettings) -> Self {
        Self { ambient, clients: Clients::default(), programs: Programs::new(programs) }
    }

    /// The way to a target.
    pub(crate) fn line<'a>(
        &'a self,
        target: &'a Target<'a>,
        settings: &'a Settings,
    ) -> Result<Box<dyn Line + 'a>, Fail> {
        Ok(match &settings.way {
            Way::Calls { place, auth, calls } => {
                Box::new(Api::new(&self.clients, target, &settings.parameters, (place, auth.as_ref(), calls))?)
            }
            Way::Receiver { place, own } => {
                Box::new(Ours::receiver(&self.clients, &self.ambient, target, settings, (place, own))?)
            }
            Way::Program { file, sha256, own } => {
                Box::new(Ours::program(&self.programs, target, settings, (file, sha256.as_deref(), own)))
            }
        })
    }

    /// Whether the target answers, lets us, and says of what nobody made that it is not there.
    pub(crate) async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            self.reach(target, &settings).await?;
            let of = |role: &Role| match Definition::read(&role.definition) {
                Ok(definition) if definition.is_of(&settings) => {
                    Some(RoleProbe { role: role.name.to_string(), problem: definition.problem(&settings) })
                }
                // Roles of other targets are none of this one's.
                Ok(_) => None,
                Err(e) => Some(RoleProbe { role: role.name.to_string(), problem: Some(e.to_string()) }),
            };
            Ok(roles.iter().filter_map(of).collect())
        };
        bounded(LOOK, work).await.map_err(|fail| fail.at(target))
    }

    async fn reach(&self, target: &Target<'_>, settings: &Settings) -> Result<(), Fail> {
        if let Way::Program { file, sha256, .. } = &settings.way {
            self.programs.find(file, sha256.as_deref())?;
        }
        let (line, offers) = (self.line(target, settings)?, settings.offers());
        let nobody: LeaseId = self.ambient.id();
        let name = format!("wane_{}", nobody.suffix());
        let piece = Piece {
            name,
            grant: "grt_0".to_owned(),
            lease: nobody.to_string(),
            resource: target.resource.name.to_string(),
            end: target.now,
            now: target.now,
        };
        if settings.lists_all() {
            life::ours(&*line).await?;
        }
        if !offers.proves() {
            return Ok(());
        }
        // A question whose answer is known: whoever says that this is there says so of everything.
        match life::read_back(&*line, offers, &piece, None).await? {
            Presence::Absent { .. } => Ok(()),
            Presence::LoginRefused { proof: seen } | Presence::Present { seen } => Err(Fail::refused(format!(
                "what nobody made is said to be there, so nothing could be proved to be gone: {seen}"
            ))),
        }
    }

    async fn make(
        &self,
        target: &Target<'_>,
        role: &Definition,
        lease: &LeaseData,
        until: Time,
    ) -> Result<Created, Fail> {
        let settings = settings(target)?;
        if let Some(problem) = role.problem(&settings) {
            return Err(Fail::refused(problem));
        }
        let (line, offers) = (self.line(target, &settings)?, settings.offers());
        let piece = piece(target, lease, until);
        let generated = offers.generated.then(|| self.secret());
        let values = role.map();
        let made = life::make(&*line, offers, &piece, &values, generated.as_ref().map(|s| s.as_str())).await?;
        let moment = match settings.moment() {
            Some(moment) => Some(moment.ends(until, target.now)),
            None => offers.ends_itself.then_some(until),
        };
        let notes = Notes { id: made.id, ends: moment };
        let mut public = Map::from_iter([("name".to_owned(), json!(lease.artifact))]);
        public.extend(made.shows);
        let secret = made.secret.or(generated).map(|secret| SecretOnce::new(secret.as_str().to_owned()));
        Ok(Created {
            // What it is there under its own id changes with its secret; the notes have it.
            object: None,
            notes: serde_json::to_value(notes).map_err(|e| Fail::refused(e.to_string()))?,
            handed: Handed { public: Value::Object(public), secret, not_after: offers.ends_exactly.then_some(until) },
        })
    }

    async fn end_it(&self, target: &Target<'_>, lease: &LeaseData, bound: Duration) -> Result<EndOutcome, Fail> {
        let work = async {
            let settings = settings(target)?;
            let (line, offers) = (self.line(target, &settings)?, settings.offers());
            let outcome = life::end(&*line, offers, &piece(target, lease, lease.end)).await;
            if offers.proves() {
                return outcome;
            }
            // INVARIANT: nothing counts as over that the target may still let in, also where the answer to its make got lost or it
            // was given more time since (held by `what_may_live_on_for_a_day_counts_as_over_no_sooner`).
            let latest = settings.moment().map_or(lease.end, |moment| moment.latest(lease.end));
            let until = Notes::of(lease).ends.unwrap_or(latest).max(latest);
            let why = match outcome {
                Ok(_) => "the target took the call, and cannot be asked whether it is gone".to_owned(),
                Err(fail) => fail.to_string(),
            };
            Ok(EndOutcome::Unrecallable { until, why })
        };
        match bounded(bound, work).await {
            // Whatever it said: an end is tried again.
            Err(Fail::Refused(why)) => Ok(EndOutcome::Retry { why }),
            other => other,
        }
    }

    /// 256 bits that nobody can guess, in letters that stand anywhere.
    pub(crate) fn secret(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.ambient.bytes::<32>());
        Zeroizing::new(data_encoding::BASE64URL_NOPAD.encode(bytes.as_slice()))
    }
}

#[async_trait]
impl Effects for HookEffects {
    async fn create(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        permits(target, role, lease, &permit).map_err(|why| Fail::refused(why).at(target))?;
        let until = lease.end.min(permit.not_after());
        let definition = Definition::read(&role.definition).map_err(|e| Fail::refused(e.to_string()).at(target))?;
        match bounded(MAKE, self.make(target, &definition, lease, until)).await {
            Ok(created) => Ok(created),
            Err(fail) => {
                // Whatever was made is ended before the failure is told; if that fails too, the lease is still open
                // and its name finds it.
                let undone = self.end_it(target, lease, UNDO).await;
                tracing::debug!(artifact = lease.artifact, ?undone, "a create failed and was undone");
                Err(fail.at(target))
            }
        }
    }

    async fn extend(&self, target: &Target<'_>, lease: &LeaseData) -> Result<(), ConnectError> {
        let work = async {
            let settings = settings(target)?;
            let offers = settings.offers();
            match (offers.extend, offers.ends_itself) {
                (true, _) => {
                    life::extend(&*self.line(target, &settings)?, offers, &piece(target, lease, lease.end)).await
                }
                // Nothing there has an end that could be moved.
                (false, false) => Ok(()),
                (false, true) => Err(Fail::refused(
                    "it ends by itself at the end it was made with, and `extend` is not declared: ask for a new one",
                )),
            }
        };
        bounded(LOOK, work).await.map_err(|fail| fail.at(target))
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        self.end_it(target, lease, LOOK).await.map_err(|fail| fail.at(target))
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            let line = self.line(target, &settings)?;
            let (piece, notes) = (piece(target, lease, lease.end), Notes::of(lease));
            life::read_back(&*line, settings.offers(), &piece, notes.id.as_deref()).await
        };
        bounded(LOOK, work).await.map_err(|fail| fail.at(target))
    }

    async fn inventory(&self, target: &Target<'_>) -> Result<Inventory, ConnectError> {
        let work = async {
            let settings = settings(target)?;
            let mut inventory = Inventory::default();
            if !settings.lists_all() {
                return Ok(inventory);
            }
            for item in life::ours(&*self.line(target, &settings)?).await? {
                let detail = item.id.and_then(|id| told(&id)).map(|id| format!("`{id}` there")).unwrap_or_default();
                inventory.marked.push(Artifact { name: item.name, object: None, detail });
            }
            inventory.marked.sort_by(|a, b| a.name.cmp(&b.name));
            // Several of one name are ended together.
            inventory.marked.dedup_by(|a, b| a.name == b.name);
            Ok(inventory)
        };
        bounded(LOOK, work).await.map_err(|fail| fail.at(target))
    }

    async fn remove_orphan(&self, target: &Target<'_>, artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        // INVARIANT: what has no name of ours is never touched (held by the kit).
        let Some(lease) = lease_of_artifact(&artifact.name) else {
            return Ok(EndOutcome::Quarantined { why: format!("`{}` is not a name of ours", artifact.name) });
        };
        let piece = Piece {
            name: artifact.name.clone(),
            grant: String::new(),
            lease: lease.to_string(),
            resource: target.resource.name.to_string(),
            end: target.now,
            now: target.now,
        };
        let work = async {
            let settings = settings(target)?;
            let (line, offers) = (self.line(target, &settings)?, settings.offers());
            life::end(&*line, offers, &piece).await?;
            match life::read_back(&*line, offers, &piece, None).await? {
                Presence::Absent { .. } => Ok(EndOutcome::Done),
                Presence::Present { seen } | Presence::LoginRefused { proof: seen } => {
                    Ok(EndOutcome::Retry { why: format!("read back: still there: {seen}") })
                }
            }
        };
        match bounded(LOOK, work).await {
            Err(Fail::Refused(why)) => Ok(EndOutcome::Retry { why }),
            other => other.map_err(|fail| fail.at(target)),
        }
    }

    /// What is listed; what else a target keeps of somebody is its own.
    async fn traces(&self, target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        let inventory = self.inventory(target).await?;
        Ok(inventory.marked.into_iter().map(|artifact| artifact.name).collect())
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        Ok(None)
    }
}
