//! Resources and roles.

use wane_api::resource::{Artifact, Inventory, Owner, Probe, Residual, ResourceView, RoleProbe, StandingRight};
use wane_api::role::RoleView;
use wane_app::{App, AppError, CheckedInventory};
use wane_connector::contract::{self, Describe};
use wane_connector::kind;
use wane_domain::catalogue::{self, Resource, Role};

use super::{Names, at};

pub(crate) fn resource(app: &App, names: Names<'_>, resource: &Resource) -> ResourceView {
    ResourceView {
        id: resource.id.to_string(),
        name: resource.name.to_string(),
        kind: resource.kind.to_string(),
        labels: resource.labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        owner: resource.owner.map(|o| owner(names, o)),
        settings: resource.settings.clone(),
        since: at(resource.since),
        residual: residual_of(app, resource),
    }
}

pub(crate) fn owner(names: Names<'_>, owner: catalogue::Owner) -> Owner {
    match owner {
        catalogue::Owner::Person(id) => Owner::Person(names.person(id)),
        catalogue::Owner::Group(id) => Owner::Group(names.group(id)),
    }
}

/// What can and cannot be ended at a resource; none if its kind is not in this binary.
pub(crate) fn residual_of(app: &App, resource: &Resource) -> Option<Residual> {
    app.kinds().get(resource.kind.as_str()).map(|kind| residual(kind.describe(&resource.settings)))
}

pub(crate) fn residual(said: Describe) -> Residual {
    Residual {
        hands_out: said.hands_out,
        revokes_logins: said.revokes_logins,
        kills_sessions: said.kills_sessions,
        residual_logins_secs: said.residual_logins_secs,
        residual_sessions_secs: said.residual_sessions_secs,
        survives: said.survives,
    }
}

pub(crate) fn role(role: &Role) -> Result<RoleView, AppError> {
    Ok(RoleView {
        name: role.name.to_string(),
        kind: role.kind.to_string(),
        description: role.description.to_string(),
        definition: role.definition.clone(),
        digest: role.digest()?.to_string(),
        since: at(role.since),
    })
}

pub(crate) fn probe(roles: Vec<kind::RoleProbe>) -> Probe {
    Probe { roles: roles.into_iter().map(|r| RoleProbe { role: r.role, problem: r.problem }).collect() }
}

pub(crate) fn inventory(taken: CheckedInventory) -> Inventory {
    let right = |r: contract::StandingRight| StandingRight { principal: r.principal, right: r.right };
    Inventory {
        marked: taken.inventory.marked.into_iter().map(artifact).collect(),
        standing: taken.inventory.standing.into_iter().map(right).collect(),
        findings: taken.inventory.findings,
        orphans: taken.orphans.into_iter().map(artifact).collect(),
    }
}

fn artifact(found: contract::Artifact) -> Artifact {
    Artifact { name: found.name, object: found.object, detail: found.detail }
}
