//! Resources and roles: checked by their kind, probed at the real target when registered.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_connector::RoleProbe;
use wane_domain::catalogue::{Owner, Resource, Role};
use wane_domain::id::ResourceId;
use wane_domain::secret::Secret;
use wane_domain::text::{Line, Name};
use wane_domain::world::World;
use wane_failpoint::{around, point};
use wane_policy::schema::Action;
use wane_store::{Put, Sealed, Write};

use crate::caller::Caller;
use crate::error::AppError;
use crate::targets::{CheckedInventory, connector_key};
use crate::{App, decide};

/// Who answers for a resource, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerName {
    /// A person.
    Person(String),
    /// A group.
    Group(String),
}

/// A resource to be registered.
#[derive(Debug)]
pub struct NewResource {
    /// Its name.
    pub name: Name,
    /// Its kind.
    pub kind: Name,
    /// Facts for policy.
    pub labels: BTreeMap<Name, Line>,
    /// Who answers for it.
    pub owner: Option<OwnerName>,
    /// The kind's settings.
    pub settings: Value,
    /// The connector's own credential at the target.
    pub credential: Option<Secret>,
}

/// What changes about a resource; what is none stays.
#[derive(Debug, Default)]
pub struct ResourceChange {
    /// All labels.
    pub labels: Option<BTreeMap<Name, Line>>,
    /// Who answers for it; `Some(None)` for nobody.
    pub owner: Option<Option<OwnerName>>,
    /// The kind's settings.
    pub settings: Option<Value>,
}

/// A role to be entered.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its name.
    pub name: Name,
    /// Its kind.
    pub kind: Name,
    /// What it is for.
    pub description: Line,
    /// What it means at the target.
    pub definition: Value,
}

/// What changes about a role; what is none stays. A new definition ends what was granted under the old one.
#[derive(Clone, Debug, Default)]
pub struct RoleChange {
    /// What it is for.
    pub description: Option<Line>,
    /// What it means at the target.
    pub definition: Option<Value>,
}

impl App {
    /// Registers a resource: settings checked, the target reached, the kind's roles probed there.
    ///
    /// # Errors
    /// When policy does not let the caller, the settings are unusable, or the target cannot be worked with.
    pub async fn add_resource(&self, caller: &Caller, new: NewResource) -> Result<Resource, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageCatalogue)?;
        let kind = self.kind(&new.kind)?;
        let settings = kind.settings(&new.settings)?;
        if kind.needs_credential() && new.credential.is_none() {
            return Err(AppError::invalid(
                "credential",
                format!("kind `{}` needs a credential of its own at the target", new.kind),
            ));
        }
        if !kind.takes_credential() && new.credential.is_some() {
            return Err(AppError::invalid("credential", format!("kind `{}` takes no credential", new.kind)));
        }
        let resource = Resource {
            id: self.ambient.id(),
            name: new.name,
            kind: new.kind,
            labels: new.labels,
            owner: owner(&world, new.owner.as_ref())?,
            settings,
            since: self.now(),
        };
        self.check_origin(&world, &resource)?;
        let sealed = new.credential.as_ref().map(|c| self.seal_connector(resource.id, c)).transpose()?;
        let handle = self.new_target(kind, resource.clone(), new.credential);
        let probes = if handle.kind.takes_credential() {
            let (target, roles) = (handle.target(self.now()), roles_of(&world, &resource.kind));
            around(point!("app.resource_add.probe"), handle.kind.probe(&target, &roles)).await?
        } else {
            Vec::new()
        };
        decide!(async {
            // Asked again: reaching the target took its time.
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            self.check_origin(&world, &resource)?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            let problems: Vec<Value> = probes.iter().filter_map(problem).collect();
            change.note(
                "resource.registered",
                Outcome::Done,
                about(resource.id),
                json!({ "resource": resource, "role_problems": problems }),
            );
            change.write(Write::Resource(Put::new(resource.clone())));
            if let Some(sealed) = &sealed {
                change.write(Write::Sealed(Sealed { key: connector_key(resource.id), sealed: sealed.clone() }));
            }
            change.commit(point!("app.resource_add.commit")).await
        })?;
        // The engine looks at it before anybody works there.
        self.nudge();
        Ok(resource)
    }

    /// Changes a resource.
    ///
    /// # Errors
    /// When policy does not let the caller, or the settings are unusable.
    pub async fn change_resource(
        &self,
        caller: &Caller,
        name: &str,
        wanted: &ResourceChange,
    ) -> Result<Resource, AppError> {
        let resource = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            let mut resource = world.resource(name).cloned().ok_or_else(|| AppError::missing("resource", name))?;
            if let Some(labels) = &wanted.labels {
                resource.labels = labels.clone();
            }
            if let Some(wanted) = &wanted.owner {
                resource.owner = owner(&world, wanted.as_ref())?;
            }
            if let Some(settings) = &wanted.settings {
                resource.settings = self.kind(&resource.kind)?.settings(settings)?;
                self.check_origin(&world, &resource)?;
            }
            let seen = self.seen(resource.id).await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("resource.changed", Outcome::Done, about(resource.id), json!({ "resource": resource }));
            change.write(Write::Resource(Put { value: resource.clone(), seen }));
            change.commit(point!("app.resource_change.commit")).await?;
            Ok(resource)
        })?;
        self.nudge();
        Ok(resource)
    }

    /// Removes a resource. Refused while anything under it is open: end it first.
    ///
    /// # Errors
    /// When policy does not let the caller, or something is still open.
    pub async fn remove_resource(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            let resource = world.resource(name).ok_or_else(|| AppError::missing("resource", name))?;
            let seen = self.seen(resource.id).await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("resource.removed", Outcome::Done, about(resource.id), json!({ "name": resource.name }));
            change.write(Write::RemoveResource(resource.id, seen));
            change.write(Write::RemoveSealed(connector_key(resource.id)));
            for token in self.store.tokens_of_resource(resource.id).await? {
                change.write(Write::RemoveToken(token.value.id));
            }
            change.commit(point!("app.resource_remove.commit")).await.map(|_| ())
        })
    }

    /// Replaces the connector's credential, after seeing that the target accepts it.
    ///
    /// # Errors
    /// When policy does not let the caller, or the target refuses it.
    pub async fn set_credential(&self, caller: &Caller, name: &str, credential: Secret) -> Result<(), AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageCatalogue)?;
        let resource = world.resource(name).cloned().ok_or_else(|| AppError::missing("resource", name))?;
        let kind = self.kind(&resource.kind)?;
        if !kind.takes_credential() {
            return Err(AppError::invalid("credential", format!("kind `{}` takes no credential", resource.kind)));
        }
        let sealed = self.seal_connector(resource.id, &credential)?;
        let handle = self.new_target(kind, resource.clone(), Some(credential));
        around(point!("app.connector.probe"), handle.kind.probe(&handle.target(self.now()), &[])).await?;
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("resource.credential_set", Outcome::Done, about(resource.id), json!({}));
            change.write(Write::Sealed(Sealed { key: connector_key(resource.id), sealed: sealed.clone() }));
            change.commit(point!("app.connector.commit")).await.map(|_| ())
        })?;
        // Debts that met the old credential are tried again now.
        self.nudge();
        Ok(())
    }

    /// Checks at the real target whether the roles of its kind can be given there.
    ///
    /// # Errors
    /// When policy does not let the caller, or the target does not answer.
    pub async fn probe_resource(&self, caller: &Caller, name: &str) -> Result<Vec<RoleProbe>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadCatalogue)?;
        let resource = world.resource(name).ok_or_else(|| AppError::missing("resource", name))?;
        let handle = self.target(resource.id).await?;
        let (target, roles) = (handle.target(self.now()), roles_of(&world, &resource.kind));
        Ok(around(point!("app.probe"), handle.kind.probe(&target, &roles)).await?)
    }

    /// Lists what stands at a resource.
    ///
    /// # Errors
    /// When policy does not let the caller, or the target does not answer.
    pub async fn inventory(&self, caller: &Caller, name: &str) -> Result<CheckedInventory, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadCatalogue)?;
        let resource = world.resource(name).ok_or_else(|| AppError::missing("resource", name))?;
        let found = self.take_inventory(resource.id).await?;
        // Whoever asks is told what stands there, whatever becomes of the figures.
        if let Err(error) = self.keep_inventory(resource.id, &found).await {
            tracing::warn!(resource = %resource.name, %error, "what stands at a target could not be written down");
        }
        Ok(found)
    }

    /// Enters a role, after checking it at every registered resource of its kind that answers.
    ///
    /// # Errors
    /// When policy does not let the caller, the definition is unusable, or a target says it cannot be given.
    pub async fn add_role(&self, caller: &Caller, new: &NewRole) -> Result<Role, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageCatalogue)?;
        let definition = self.kind(&new.kind)?.definition(&new.definition)?;
        let role = Role {
            id: self.ambient.id(),
            name: new.name.clone(),
            kind: new.kind.clone(),
            description: new.description.clone(),
            definition,
            since: self.now(),
        };
        self.check_role(&world, &role).await?;
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("role.entered", Outcome::Done, Subjects::default(), json!({ "role": role }));
            change.write(Write::Role(Put::new(role.clone())));
            change.commit(point!("app.role_add.commit")).await
        })?;
        Ok(role)
    }

    /// Changes a role. A new definition ends what was granted under the old one.
    ///
    /// # Errors
    /// As [`App::add_role`].
    pub async fn change_role(
        &self,
        caller: &Caller,
        kind: &Name,
        name: &str,
        wanted: &RoleChange,
    ) -> Result<Role, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageCatalogue)?;
        let mut role = world.role(kind, name).cloned().ok_or_else(|| AppError::missing("role", name))?;
        if let Some(description) = &wanted.description {
            role.description = description.clone();
        }
        if let Some(definition) = &wanted.definition {
            role.definition = self.kind(kind)?.definition(definition)?;
            self.check_role(&world, &role).await?;
        }
        let seen = self.seen(role.id).await?;
        let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
        change.note("role.changed", Outcome::Done, Subjects::default(), json!({ "role": role }));
        change.write(Write::Role(Put { value: role.clone(), seen }));
        change.commit(point!("app.role_change.commit")).await?;
        self.nudge();
        Ok(role)
    }

    /// Removes a role. Refused while anything granted under it is open.
    ///
    /// # Errors
    /// When policy does not let the caller, or something is still open.
    pub async fn remove_role(&self, caller: &Caller, kind: &Name, name: &str) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            let role = world.role(kind, name).ok_or_else(|| AppError::missing("role", name))?;
            let seen = self.seen(role.id).await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            change.note("role.removed", Outcome::Done, Subjects::default(), json!({ "kind": kind, "name": role.name }));
            change.write(Write::RemoveRole(role.id, seen));
            change.commit(point!("app.role_remove.commit")).await.map(|_| ())
        })
    }

    /// A target that cannot be reached does not keep a role from being entered; one that says no does.
    async fn check_role(&self, world: &World, role: &Role) -> Result<(), AppError> {
        for resource in world.resources.values().filter(|r| r.kind == role.kind) {
            let handle = self.target(resource.id).await?;
            let target = handle.target(self.now());
            let probing = handle.kind.probe(&target, std::slice::from_ref(role));
            let Ok(probes) = around(point!("app.role.probe"), probing).await else {
                continue;
            };
            if let Some(problem) = probes.into_iter().find_map(|p| p.problem) {
                return Err(AppError::invalid("definition", format!("on `{}`: {problem}", resource.name)));
            }
        }
        Ok(())
    }
}

fn roles_of(world: &World, kind: &Name) -> Vec<Role> {
    world.roles.values().filter(|r| r.kind == *kind).cloned().collect()
}

fn problem(probe: &RoleProbe) -> Option<Value> {
    probe.problem.as_ref().map(|problem| json!({ "role": probe.role, "problem": problem }))
}

fn owner(world: &World, name: Option<&OwnerName>) -> Result<Option<Owner>, AppError> {
    Ok(match name {
        None => None,
        Some(OwnerName::Person(name)) => {
            Some(Owner::Person(world.person(name).ok_or_else(|| AppError::missing("person", name))?.id))
        }
        Some(OwnerName::Group(name)) => {
            Some(Owner::Group(world.group(name).ok_or_else(|| AppError::missing("group", name))?.id))
        }
    })
}

fn about(resource: ResourceId) -> Subjects {
    Subjects { resource: Some(resource), ..Subjects::default() }
}
