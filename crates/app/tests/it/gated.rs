//! A stand-in for a kind whose targets a test can hold, fail or make lie.
//!
//! It only controls *when* things happen at a target and what is said about them, so that an
//! interleaving can be forced. What real targets do is shown by the kinds' own suites.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Notify;
use wane_connector::{
    Acme, Artifact, CertNames, CertRead, CertRequest, ConnectError, Created, Describe, Effects, EndOutcome, Handed,
    Inventory, Kind, KindError, Presence, RoleProbe, StandingRight, Target,
};
use wane_domain::catalogue::Role;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseKind};
use wane_domain::secret::SecretOnce;
use wane_domain::time::Time;

/// How a target behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Does {
    /// As it should.
    #[default]
    Work,
    /// Nothing, until it is told otherwise.
    Hold,
    /// It is not there.
    Dead,
    /// It says that it did, and did not.
    Lie,
    /// It says that a person has to look.
    Quarantine,
}

/// How a round of ends deals with one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InRound {
    /// It has to be ended by itself.
    LeftOut,
    /// It is said to be ended, and is not.
    Lied,
}

#[derive(Debug, Default)]
struct State {
    /// How many ends share a round; none as good as one.
    round: usize,
    in_round: HashMap<String, InRound>,
    /// Whether a round answers for one less than it was asked about.
    short: bool,
    create: HashMap<String, Does>,
    end: HashMap<String, Does>,
    accounts: BTreeMap<(String, String), Time>,
    /// Calls that have begun, by target and what they do.
    begun: HashMap<(String, &'static str), usize>,
    passwords: usize,
    /// Who holds a right at a target that nobody gave them here.
    standing: BTreeMap<String, Vec<String>>,
}

/// What a test holds.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    moved: Notify,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How creating goes at a target from now on; what is held there goes on accordingly.
    pub(crate) fn create(&self, target: &str, does: Does) {
        self.state().create.insert(target.to_owned(), does);
        self.moved.notify_waiters();
    }

    /// How ending goes at a target from now on.
    pub(crate) fn end(&self, target: &str, does: Does) {
        self.state().end.insert(target.to_owned(), does);
        self.moved.notify_waiters();
    }

    /// From now on so many ends share a round.
    pub(crate) fn rounds_of(&self, ends: usize) {
        self.state().round = ends;
    }

    /// How every round deals with an account from now on.
    pub(crate) fn in_round(&self, artifact: &str, how: InRound) {
        self.state().in_round.insert(artifact.to_owned(), how);
    }

    /// Rounds forget one from now on.
    pub(crate) fn rounds_fall_short(&self) {
        self.state().short = true;
    }

    /// The accounts at a target, with the ends it enforces.
    pub(crate) fn accounts(&self, target: &str) -> BTreeMap<String, Time> {
        let of = |(key, end): (&(String, String), &Time)| (key.0 == target).then(|| (key.1.clone(), *end));
        self.state().accounts.iter().filter_map(of).collect()
    }

    /// Puts an account there that nobody made.
    pub(crate) fn plant(&self, target: &str, name: &str) {
        self.state().accounts.insert((target.to_owned(), name.to_owned()), Time::from_micros(0));
    }

    /// Who holds a right at a target from now on that nobody gave them here.
    pub(crate) fn stand(&self, target: &str, principals: &[&str]) {
        let principals = principals.iter().map(|one| (*one).to_owned()).collect();
        self.state().standing.insert(target.to_owned(), principals);
    }

    /// How often something was begun at a target: `create`, `end`.
    pub(crate) fn begun(&self, target: &str, what: &'static str) -> usize {
        self.state().begun.get(&(target.to_owned(), what)).copied().unwrap_or(0)
    }

    /// Waits until something was begun at a target so often.
    pub(crate) async fn until_begun(&self, target: &str, what: &'static str, times: usize) {
        let deadline = Duration::from_secs(20);
        wane_testkit::eventually("a call at the target", deadline, async || self.begun(target, what) >= times)
            .await
            .unwrap();
    }

    fn begin(&self, target: &str, what: &'static str) {
        *self.state().begun.entry((target.to_owned(), what)).or_default() += 1;
    }

    async fn pass(&self, target: &str, of: impl Fn(&State) -> &HashMap<String, Does>) -> Result<Does, ConnectError> {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let does = of(&self.state()).get(target).copied().unwrap_or_default();
            match does {
                Does::Hold => moved.await,
                Does::Dead => {
                    return Err(ConnectError::Unreachable { target: target.to_owned(), why: "it is dead".to_owned() });
                }
                Does::Work | Does::Lie | Does::Quarantine => return Ok(does),
            }
        }
    }
}

/// The kind `gate`.
#[derive(Clone, Debug)]
pub(crate) struct GatedKind(pub(crate) Arc<Gate>);

fn key(target: &Target<'_>, lease: &LeaseData) -> (String, String) {
    (target.resource.name.to_string(), lease.artifact.clone())
}

#[async_trait]
impl Effects for GatedKind {
    async fn create(
        &self,
        target: &Target<'_>,
        _role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        let name = target.resource.name.as_str();
        self.0.begin(name, "create");
        self.0.pass(name, |s| &s.create).await?;
        let mut state = self.0.state();
        state.accounts.insert(key(target, lease), permit.not_after());
        state.passwords += 1;
        let secret = format!("canary-{}", state.passwords);
        Ok(Created {
            object: Some(format!("oid-{}", state.passwords)),
            notes: json!({}),
            handed: Handed {
                public: json!({ "user": lease.artifact }),
                secret: Some(SecretOnce::new(secret)),
                not_after: Some(permit.not_after()),
            },
        })
    }

    async fn extend(&self, target: &Target<'_>, lease: &LeaseData) -> Result<(), ConnectError> {
        self.0.begin(target.resource.name.as_str(), "extend");
        self.0.state().accounts.insert(key(target, lease), lease.end);
        Ok(())
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        let name = target.resource.name.as_str();
        self.0.begin(name, "end");
        match self.0.pass(name, |s| &s.end).await? {
            Does::Quarantine => Ok(EndOutcome::Quarantined { why: "it owns objects".to_owned() }),
            Does::Lie => Ok(EndOutcome::Done),
            Does::Work | Does::Hold | Does::Dead => {
                self.0.state().accounts.remove(&key(target, lease));
                Ok(EndOutcome::Done)
            }
        }
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        Ok(if self.0.state().accounts.contains_key(&key(target, lease)) {
            Presence::Present { seen: "one account".to_owned() }
        } else {
            Presence::Absent { proof: "no account".to_owned() }
        })
    }

    fn in_one_round(&self) -> usize {
        self.0.state().round.max(1)
    }

    async fn end_together(
        &self,
        target: &Target<'_>,
        leases: &[&LeaseData],
    ) -> Result<Vec<Option<EndOutcome>>, ConnectError> {
        let name = target.resource.name.as_str();
        self.0.begin(name, "round");
        self.0.pass(name, |s| &s.end).await?;
        let mut state = self.0.state();
        let mut out = Vec::new();
        for lease in leases {
            out.push(match state.in_round.get(&lease.artifact) {
                Some(InRound::LeftOut) => None,
                Some(InRound::Lied) => Some(EndOutcome::Done),
                None => {
                    state.accounts.remove(&key(target, lease));
                    *state.begun.entry((name.to_owned(), "end")).or_default() += 1;
                    Some(EndOutcome::Done)
                }
            });
        }
        if state.short {
            out.pop();
        }
        Ok(out)
    }

    async fn inventory(&self, target: &Target<'_>) -> Result<Inventory, ConnectError> {
        let marked = self.0.accounts(target.resource.name.as_str()).into_keys();
        let marked = marked.map(|name| Artifact { name, object: None, detail: "an account".to_owned() }).collect();
        let standing = self.0.state().standing.get(target.resource.name.as_str()).cloned().unwrap_or_default();
        let right = |principal| StandingRight { principal, right: "everything".to_owned() };
        Ok(Inventory { marked, standing: standing.into_iter().map(right).collect(), findings: Vec::new() })
    }

    async fn remove_orphan(&self, target: &Target<'_>, artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        self.0.state().accounts.remove(&(target.resource.name.to_string(), artifact.name.clone()));
        Ok(EndOutcome::Done)
    }

    async fn traces(&self, _target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(Vec::new())
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        Ok(None)
    }
}

fn level(definition: &Value) -> Option<u64> {
    definition.get("level").and_then(Value::as_u64)
}

#[async_trait]
impl Kind for GatedKind {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn entity(&self) -> &'static str {
        "Gate"
    }

    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        Ok(given.clone())
    }

    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        match level(given) {
            Some(_) => Ok(given.clone()),
            None => Err(KindError { what: "level".to_owned(), why: "give a number".to_owned() }),
        }
    }

    fn is_narrower(&self, narrow: &Value, wide: &Value) -> bool {
        level(narrow) < level(wide)
    }

    fn describe(&self, _settings: &Value) -> Describe {
        Describe {
            hands_out: "an account".to_owned(),
            revokes_logins: true,
            kills_sessions: true,
            residual_logins_secs: 1,
            residual_sessions_secs: Some(1),
            survives: String::new(),
        }
    }

    fn gives(&self) -> LeaseKind {
        LeaseKind::Account
    }

    fn needs_credential(&self) -> bool {
        false
    }

    fn takes_credential(&self) -> bool {
        true
    }

    /// Every target has nine levels.
    async fn probe(&self, _target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        let problem = |role: &Role| (level(&role.definition) > Some(9)).then(|| "there is no such level".to_owned());
        Ok(roles.iter().map(|role| RoleProbe { role: role.name.to_string(), problem: problem(role) }).collect())
    }

    fn effects(&self) -> Arc<dyn Effects> {
        Arc::new(self.clone())
    }

    fn acme(&self) -> Option<Arc<dyn Acme>> {
        Some(Arc::new(Names))
    }
}

/// A role at a gate gives the names that its definition says.
struct Names;

impl Acme for Names {
    fn names(&self, definition: &Value) -> Result<CertNames, KindError> {
        let names = definition.get("dns_names").and_then(Value::as_array).into_iter().flatten();
        Ok(CertNames { dns: names.filter_map(Value::as_str).map(str::to_owned).collect(), ..CertNames::default() })
    }

    fn request(&self, _der: &[u8]) -> Result<CertRequest, String> {
        Err("a gate certifies nothing".to_owned())
    }

    fn certificate(&self, _der: &[u8]) -> Result<CertRead, String> {
        Err("a gate certifies nothing".to_owned())
    }

    fn handed(&self, _public: &Value) -> Result<(CertRead, String), String> {
        Err("a gate certifies nothing".to_owned())
    }
}
