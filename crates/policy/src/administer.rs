//! Every action other than `access`: who may approve, administer, watch, read.
//!
//! Denied unless a permit applies; a forbid or a failing policy denies.

use cedar_policy::{Effect, RestrictedExpression};
use serde::{Deserialize, Serialize};
use wane_domain::catalogue::Role;
use wane_domain::directory::Standing;
use wane_domain::time::Span;

use crate::query::{Moment, Proof, Subject, Thing};
use crate::schema::{Action, On};
use crate::set::{PolicySet, Said};
use crate::sheet::{Cast, Scene, SheetError, common};

/// What an action is about.
#[derive(Clone, Debug)]
pub enum Object<'a> {
    /// The deployment as a whole: `System::"wane"`.
    System,
    /// The deployment as a whole, for [`Action::ManagePolicy`] alone: putting in force what this person proposed.
    Proposal(Subject<'a>),
    /// A person.
    Person(Subject<'a>),
    /// A resource.
    Thing(Thing<'a>),
    /// An item of a request, for [`Action::Approve`] alone.
    Ask {
        /// The resource.
        what: Thing<'a>,
        /// The role.
        role: &'a Role,
        /// Who asks.
        requester: Subject<'a>,
        /// For how long.
        duration: Span,
        /// In whose place somebody would answer, if they stand in.
        instead_of: Option<Subject<'a>>,
    },
}

/// One question about an action.
#[derive(Clone, Debug)]
pub struct ActionQuery<'a> {
    /// Who would act.
    pub who: Subject<'a>,
    /// On what.
    pub on: Object<'a>,
    /// How they proved who they are.
    pub proof: Proof<'a>,
    /// When.
    pub moment: Moment<'a>,
}

/// What policy says about an action, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionDecision {
    /// Whether it may be done.
    pub allowed: bool,
    /// The policies that decided it, by id.
    pub determining: Vec<String>,
    /// What failed; any of these denies.
    pub errors: Vec<String>,
}

impl ActionDecision {
    fn failed(errors: Vec<String>) -> Self {
        Self { allowed: false, determining: Vec::new(), errors }
    }

    /// Whether a guardrail objects, or something failed: more than that nothing permits it.
    #[must_use]
    pub fn is_objected_to(&self) -> bool {
        !(self.allowed || self.determining.is_empty() && self.errors.is_empty())
    }
}

/// Whether somebody may do something. [`Action::Access`] is never allowed here: it has terms, and is [judged](crate::judge::judge).
#[must_use]
pub fn allows(set: &PolicySet, action: Action, query: &ActionQuery<'_>) -> ActionDecision {
    // INVARIANT: what the schema does not have is never allowed (held by `every_action_by_everyone`): no policy was validated for it.
    let fits = match (action.on(), &query.on) {
        (On::ResourcesOnly, Object::Ask { .. }) => action == Action::Approve,
        (On::System, Object::Proposal(_)) => action == Action::ManagePolicy,
        (On::System | On::People | On::Resources | On::Both, Object::System)
        | (On::People | On::Both, Object::Person(_))
        | (On::Resources | On::Both, Object::Thing(_)) => true,
        (On::ResourcesOnly | On::People | On::Resources | On::Both, Object::Proposal(_))
        | (On::ResourcesOnly, Object::System | Object::Person(_) | Object::Thing(_))
        | (On::System | On::Resources, Object::Person(_))
        | (On::System | On::People, Object::Thing(_))
        | (On::System | On::People | On::Resources | On::Both, Object::Ask { .. }) => false,
    };
    if !fits {
        return ActionDecision::failed(vec![format!("`{}` is nothing that can be done to that", action.name())]);
    }
    if query.who.person.standing == Standing::Disabled {
        return ActionDecision::failed(vec!["the person is disabled".to_owned()]);
    }
    let (scene, context) = match prepare(set, query) {
        Ok(ready) => ready,
        Err(e) => return ActionDecision::failed(vec![e.to_string()]),
    };
    let request = match scene.request(action, context) {
        Ok(request) => request,
        Err(e) => return ActionDecision::failed(vec![e.to_string()]),
    };
    let (mut permits, mut forbids, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for policy in set.index.slice(action, &scene.keys).into_iter().filter_map(|at| set.policies.get(at)) {
        match (set.ask(policy, &request, &scene.entities), policy.effect) {
            (Said::Nothing, _) => {}
            (Said::Applies, Effect::Permit) => permits.push(policy.id.clone()),
            (Said::Applies, Effect::Forbid) => forbids.push(policy.id.clone()),
            (Said::Failed(message), _) => errors.push(format!("policy `{}`: {message}", policy.id)),
        }
    }
    if !errors.is_empty() {
        return ActionDecision::failed(errors);
    }
    let allowed = forbids.is_empty() && !permits.is_empty();
    ActionDecision { allowed, determining: if forbids.is_empty() { permits } else { forbids }, errors }
}

type Ready = (Scene, Vec<(String, RestrictedExpression)>);

fn prepare(set: &PolicySet, query: &ActionQuery<'_>) -> Result<Ready, SheetError> {
    let mut context = common(query.proof, query.moment)?;
    let mut cast = Cast::new(&set.parts);
    let resource = match &query.on {
        Object::System => cast.system(),
        Object::Proposal(by) => {
            let uid = cast.person(by)?.uid;
            context.push(("proposed_by".to_owned(), RestrictedExpression::new_entity_uid(uid)));
            cast.system()
        }
        Object::Person(subject) => cast.person(subject)?,
        Object::Thing(thing) => cast.thing(thing)?,
        Object::Ask { what, role, requester, duration, instead_of } => {
            let requester = cast.person(requester)?;
            let seconds = i64::try_from(duration.micros().div_ceil(1_000_000)).unwrap_or(i64::MAX);
            context.extend([
                ("role".to_owned(), RestrictedExpression::new_string(role.name.to_string())),
                ("kind".to_owned(), RestrictedExpression::new_string(role.kind.to_string())),
                ("requester".to_owned(), RestrictedExpression::new_entity_uid(requester.uid)),
                ("duration".to_owned(), RestrictedExpression::new_long(seconds)),
            ]);
            if let Some(instead_of) = instead_of {
                let uid = cast.person(instead_of)?.uid;
                context.push(("instead_of".to_owned(), RestrictedExpression::new_entity_uid(uid)));
            }
            cast.thing(what)?
        }
    };
    let principal = cast.person(&query.who)?;
    Ok((cast.scene(principal, resource)?, context))
}
