//! Who stands in for whom.

use wane_api::delegation::{DelegationState, DelegationView};
use wane_domain::delegation::Delegation;
use wane_domain::time::Time;

use super::{Names, at};

pub(crate) fn delegation(names: Names<'_>, one: &Delegation, now: Time) -> DelegationView {
    let state = if one.ended.is_some() {
        DelegationState::TakenBack
    } else if now < one.from {
        DelegationState::ToCome
    } else if one.holds(now) {
        DelegationState::Holds
    } else {
        DelegationState::Over
    };
    DelegationView {
        id: one.id.to_string(),
        by: names.person(one.by),
        to: names.person(one.to),
        from: at(one.from),
        until: at(one.until),
        resources: one.scope.resources.iter().map(|id| names.resource(*id)).collect(),
        policies: one.scope.policies.iter().map(ToString::to_string).collect(),
        reason: one.reason.as_ref().map(ToString::to_string),
        since: at(one.since),
        state,
        ended: one.ended.map(|ended| at(ended.at)),
        ended_by: one.ended.map(|ended| names.person(ended.by)),
    }
}
