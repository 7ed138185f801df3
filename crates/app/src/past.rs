//! Decisions of the past: which version of policy made them, and what an older one would say today.
//!
//! Every version of the policy set is kept, the facts it was asked about are not: a decision that was
//! made is told from the trail, and an older text is asked about the people, groups, resources and
//! locks of today. The two are never mixed.

use std::sync::Arc;

use wane_domain::canonical::Digest;
use wane_domain::grant::Grant;
use wane_domain::request::AccessRequest;
use wane_domain::time::Time;
use wane_domain::world::{PolicyVersion, World};
use wane_policy::schema::Action;
use wane_policy::set::PolicySet;
use wane_store::{Page, PolicyEntry, RecordFilter, Slice};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// Which policy set explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// The one in force.
    Now,
    /// One that was in force once.
    Then,
    /// One that never was.
    Never,
}

/// A world to explain in: the facts of today, and the policy set that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Lens {
    pub(crate) world: Arc<World>,
    pub(crate) era: Era,
}

/// To what policy said yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the steps of a grant that consume a permit")]
pub enum Said {
    Granted,
    Activated,
    Extended,
}

/// One time that policy said yes to a grant, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastDecision {
    /// To what.
    pub said: Said,
    /// When.
    pub at: Time,
    /// The policy set.
    pub digest: Digest,
    /// Its version; none if the store has no such version.
    pub version: Option<u64>,
    /// The path, where the record names it.
    pub path: Option<String>,
}

/// What was recorded when a grant was decided.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The grant as it stands, with its approvals, its terms and the last decision it rests on.
    pub grant: Grant,
    /// The request it came from.
    pub request: AccessRequest,
    /// Each time policy said yes, oldest first.
    pub decisions: Vec<PastDecision>,
}

impl App {
    /// A version of the policy set, with its text.
    ///
    /// # Errors
    /// When there is no such version, or policy does not let the caller read policy.
    pub async fn policy_version(&self, caller: &Caller, version: u64) -> Result<PolicyVersion, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadPolicy)?;
        self.version(version).await
    }

    /// Every version of the policy set, newest first, without texts.
    ///
    /// # Errors
    /// When policy does not let the caller read policy.
    pub async fn policy_versions(&self, caller: &Caller, slice: Slice) -> Result<Page<PolicyEntry>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadPolicy)?;
        Ok(self.store.policy_versions(slice).await?)
    }

    /// The version of the policy set that a decision named by its digest.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn version_of(&self, digest: Digest, at: Time) -> Result<Option<u64>, AppError> {
        Ok(self.store.policy_by_digest(digest, at).await?.map(|found| found.version))
    }

    async fn version(&self, version: u64) -> Result<PolicyVersion, AppError> {
        let found = self.store.policy_version(version).await?;
        found.ok_or_else(|| AppError::missing("policy version", version))
    }

    /// The version that was in force at a moment.
    pub(crate) async fn version_at(&self, at: Time) -> Result<Option<u64>, AppError> {
        let mut slice = Slice::first(100);
        loop {
            let page = self.store.policy_versions(slice.clone()).await?;
            if let Some(found) = page.items.iter().find(|v| v.at <= at) {
                return Ok(Some(found.version));
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return Ok(None),
            }
        }
    }

    /// The world under a version of the policy set. Whoever may see a decision may see it explained by
    /// the set in force and by the one that made it (`made_by`); any other set is for those who read policy.
    pub(crate) async fn lens(
        &self,
        caller: &Caller,
        version: Option<u64>,
        made_by: Option<Digest>,
    ) -> Result<Lens, AppError> {
        let world = self.world().await?;
        let Some(version) = version.filter(|v| *v != world.policy.version) else {
            return Ok(Lens { world, era: Era::Now });
        };
        let Some(policy) = self.store.policy_version(version).await? else {
            self.allow(caller, &world, Action::ReadPolicy)?;
            return Err(AppError::missing("policy version", version));
        };
        if made_by != Some(policy.digest) {
            self.allow(caller, &world, Action::ReadPolicy)?;
        }
        self.remember(&policy)?;
        Ok(Lens { world: Arc::new(World { policy, ..(*world).clone() }), era: Era::Then })
    }

    /// The world under a text that is in force nowhere, for those who read policy.
    pub(crate) async fn draft_lens(&self, caller: &Caller, text: &str) -> Result<Lens, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadPolicy)?;
        let set = self.compile(text)?;
        let digest = set.digest();
        let policy = PolicyVersion { digest, text: text.to_owned(), ..world.policy.clone() };
        if digest != world.policy.digest {
            *self.past.write().map_err(|_| AppError::Fault("the policy cache is poisoned".to_owned()))? =
                Some((digest, set));
        }
        Ok(Lens { world: Arc::new(World { policy, ..(*world).clone() }), era: Era::Never })
    }

    /// Compiles an older set, beside the one in force.
    fn remember(&self, policy: &PolicyVersion) -> Result<(), AppError> {
        let poisoned = || AppError::Fault("the policy cache is poisoned".to_owned());
        if self.past.read().map_err(|_| poisoned())?.as_ref().is_some_and(|(digest, _)| *digest == policy.digest) {
            return Ok(());
        }
        let set = PolicySet::load(&policy.text, &self.schema()?).map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let version = policy.version;
            AppError::invalid("version", format!("version {version} does not validate here any more: {first}"))
        })?;
        *self.past.write().map_err(|_| poisoned())? = Some((policy.digest, Arc::new(set)));
        Ok(())
    }

    /// What was recorded when a grant was decided, out of the trail.
    pub(crate) async fn recorded(&self, grant: Grant) -> Result<Recorded, AppError> {
        let request =
            self.store.request(grant.request).await?.ok_or_else(|| AppError::missing("request", grant.request))?.value;
        let mut decisions = Vec::new();
        let of_grant = RecordFilter { grant: Some(grant.id), event: Some("grant.".to_owned()), ..Default::default() };
        for line in self.all_records(&of_grant).await? {
            let said = match line.record.event.as_str() {
                "grant.minted" => Said::Granted,
                "grant.activated" => Said::Activated,
                "grant.extended" => Said::Extended,
                _ => continue,
            };
            let detail = &line.record.detail;
            let Some(digest) = detail.get("policy_set").and_then(|d| d.as_str()).and_then(|d| d.parse().ok()) else {
                continue;
            };
            let (at, version) = (line.record.at, self.version_of(digest, line.record.at).await?);
            let path = detail.get("path").and_then(|p| p.as_str()).map(str::to_owned);
            decisions.push(PastDecision { said, at, digest, version, path });
        }
        Ok(Recorded { grant, request, decisions })
    }
}
