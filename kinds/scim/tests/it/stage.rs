//! An application set up as its administrator would, and the leases tests work under.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use wane_connector::{ConnectError, Created, Effects, EndOutcome, Kind, Prepared, Presence, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::directory::{Person, Standing};
use wane_domain::grant::Grant;
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind};
use wane_domain::request::AskItem;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_kind_scim::ScimKind;
use wane_testkit::{FakeClock, ScimApplication, hold, lax_permit, plain_ask};

pub(crate) const ADMINS: &str = "Admins";

pub(crate) struct Stage {
    pub(crate) app: ScimApplication,
    pub(crate) kind: ScimKind,
    pub(crate) resource: Resource,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) ambient: Ambient,
    pub(crate) secret: Secret,
    /// The application's ids.
    pub(crate) admins: String,
    pub(crate) alice: String,
}

impl Stage {
    /// An application with `alice` in it, and somebody else in its groups `Admins` and `Operators`.
    pub(crate) fn usual() -> Self {
        Self::with(&json!({}))
    }

    /// The same, with these settings instead of the usual.
    pub(crate) fn with(settings: &Value) -> Self {
        let app = ScimApplication::start().unwrap();
        let (alice, keeper) = (app.user("alice").unwrap(), app.user("keeper").unwrap());
        let (admins, operators) = (app.group(ADMINS).unwrap(), app.group("Operators").unwrap());
        app.add(&admins, &keeper).unwrap();
        app.add(&operators, &keeper).unwrap();
        let mut all = json!({ "url": app.url(), "groups": [ADMINS, "Operators"], "accounts": { "email": "mail" } });
        for (key, value) in settings.as_object().unwrap() {
            match value {
                Value::Null => drop(all.as_object_mut().unwrap().remove(key)),
                value => all[key] = value.clone(),
            }
        }
        let clock = FakeClock::at("2026-11-29T10:00:00Z".parse().unwrap());
        let (ambient, kind) = (clock.ambient(7), ScimKind::new());
        let resource = Resource {
            id: ambient.id(),
            name: "application".parse().unwrap(),
            kind: "scim".parse().unwrap(),
            labels: BTreeMap::new(),
            owner: None,
            settings: kind.settings(&all).unwrap(),
            since: ambient.now(),
        };
        let secret = Secret::new(app.token().as_bytes().to_vec());
        Self { app, kind, resource, clock, ambient, secret, admins, alice }
    }

    pub(crate) fn now(&self) -> Time {
        self.ambient.now()
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { resource: &self.resource, credential: Some(&self.secret), now: self.now() }
    }

    pub(crate) fn effects(&self) -> Arc<dyn Effects> {
        self.kind.effects()
    }

    pub(crate) fn person(&self, name: &str) -> Person {
        Person {
            id: self.ambient.id(),
            name: name.parse().unwrap(),
            display: "Somebody".parse().unwrap(),
            manager: None,
            attributes: BTreeMap::from([("mail".parse().unwrap(), format!("{name}@example.org").parse().unwrap())]),
            standing: Standing::Active,
            since: self.now(),
            stay: wane_domain::directory::Stay::default(),
            kept_by: None,
        }
    }

    pub(crate) fn role(&self, definition: &Value) -> Role {
        Role {
            id: self.ambient.id(),
            name: "admins".parse().unwrap(),
            kind: "scim".parse().unwrap(),
            description: "runs the application".parse().unwrap(),
            definition: self.kind.definition(definition).unwrap(),
            since: self.now(),
        }
    }

    pub(crate) fn admins_role(&self) -> Role {
        self.role(&json!({ "group": ADMINS }))
    }

    /// A lease as the use-cases would begin it, before anything was looked up.
    pub(crate) fn lease(&self, role: &Role) -> (Grant, Lease) {
        let item =
            AskItem { resource: self.resource.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
        let ask = plain_ask(&self.ambient, item, Span::from_mins(10));
        let held = hold(&self.ambient, ask, "scim", LeaseKind::Membership, self.now());
        (held.grant, held.lease)
    }

    pub(crate) async fn look(&self, role: &Role, person: &Person) -> Result<Prepared, ConnectError> {
        self.effects().prepare(&self.target(), role, person).await
    }

    /// What is wrong with roles here.
    pub(crate) async fn probe(&self, roles: &[Role]) -> Result<Vec<Option<String>>, ConnectError> {
        let probes = self.kind.probe(&self.target(), roles).await?;
        Ok(probes.into_iter().map(|probe| probe.problem).collect())
    }

    /// Looks, writes down, makes.
    pub(crate) async fn give(&self, role: &Role, name: &str) -> Given {
        self.try_give(role, &self.person(name)).await.unwrap()
    }

    /// What was looked up and written down, with nothing made.
    pub(crate) async fn intend(&self, role: &Role, person: &Person) -> Result<Given, ConnectError> {
        let prepared = self.look(role, person).await?;
        let standing = prepared.there.clone();
        Ok(self.intended(role, prepared, standing))
    }

    pub(crate) fn intended(&self, role: &Role, prepared: Prepared, standing: Option<String>) -> Given {
        let (grant, lease) = self.lease(role);
        let event = LeaseEvent::Prepared { object: prepared.object, notes: prepared.notes, standing };
        let lease = lease.apply(event, self.now()).unwrap().0;
        Given { grant, lease, role: role.clone() }
    }

    pub(crate) async fn try_give(&self, role: &Role, person: &Person) -> Result<Given, ConnectError> {
        let mut given = self.intend(role, person).await?;
        let made = self.make(&given).await?;
        let event = LeaseEvent::Made { object: made.object, notes: made.notes };
        given.lease = given.lease.clone().apply(event, self.now()).unwrap().0;
        Ok(given)
    }

    pub(crate) async fn make(&self, given: &Given) -> Result<Created, ConnectError> {
        let permit = given.grant.issue_permit(&given.lease, lax_permit(self.now()), self.now()).unwrap();
        self.effects().create(&self.target(), &given.role, &given.lease, permit).await
    }

    /// The same, once its end was ordered.
    pub(crate) fn ending(&self, given: Given) -> Given {
        Given { lease: given.lease.apply(LeaseEvent::End, self.now()).unwrap().0, ..given }
    }

    pub(crate) async fn end(&self, given: &Given) -> Result<EndOutcome, ConnectError> {
        self.effects().end(&self.target(), &given.lease).await
    }

    pub(crate) async fn presence(&self, given: &Given) -> Presence {
        self.effects().read_back(&self.target(), &given.lease).await.unwrap()
    }

    pub(crate) async fn end_for_good(&self, given: &Given) {
        assert_eq!(self.end(given).await.unwrap(), EndOutcome::Done);
        let presence = self.presence(given).await;
        assert!(matches!(presence, Presence::Absent { .. }), "{presence:?}");
    }

    pub(crate) fn is_admin(&self, id: &str) -> bool {
        self.app.members(ADMINS).unwrap().iter().any(|member| member == id)
    }
}

#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) grant: Grant,
    pub(crate) lease: Lease,
    pub(crate) role: Role,
}
