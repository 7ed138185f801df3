//! A directory set up as an administrator would, and the leases tests work under.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

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
use wane_kind_ldap::LdapKind;
use wane_testkit::{FakeClock, Slapd, hold, lax_permit, plain_ask};

pub(crate) const PEOPLE: &str = "ou=people,dc=example,dc=org";
pub(crate) const ADMINS: &str = "cn=admins,ou=groups,dc=example,dc=org";
pub(crate) const UNIQUE: &str = "cn=unique,ou=groups,dc=example,dc=org";
pub(crate) const POSIX: &str = "cn=posix,ou=groups,dc=example,dc=org";

pub(crate) struct Stage {
    pub(crate) server: Slapd,
    pub(crate) kind: LdapKind,
    pub(crate) resource: Resource,
    pub(crate) ambient: Ambient,
    pub(crate) secret: Secret,
}

#[expect(clippy::disallowed_methods, reason = "a certificate is judged by the real clock")]
pub(crate) fn real_now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap())
}

impl Stage {
    /// A directory over LDAPS, with `alice` in it and nobody but the keeper in its groups.
    pub(crate) fn usual() -> Self {
        Self::with(Slapd::builder().start().unwrap(), &json!({}))
    }

    /// The same, with these settings instead of the usual.
    pub(crate) fn with(server: Slapd, settings: &Value) -> Self {
        server.person("uid=alice", "alice").unwrap();
        let mut all = json!({
            "urls": [format!("ldaps://127.0.0.1:{}", server.secure_port())],
            "tls": { "ca_pem": server.ca_pem().unwrap() },
            "bind_dn": "cn=wane,dc=example,dc=org",
            "base": "dc=example,dc=org",
            "people": { "base": PEOPLE },
            "groups": [ADMINS, UNIQUE, POSIX],
            "placeholder": "cn=nobody,dc=example,dc=org",
        });
        for (key, value) in settings.as_object().unwrap() {
            all[key] = value.clone();
        }
        let all = Value::Object(
            all.as_object()
                .unwrap()
                .iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        );
        let (ambient, kind) = (FakeClock::at(real_now()).ambient(7), LdapKind::new());
        let resource = Resource {
            id: ambient.id(),
            name: "directory".parse().unwrap(),
            kind: "ldap".parse().unwrap(),
            labels: BTreeMap::new(),
            owner: None,
            settings: kind.settings(&all).unwrap(),
            since: real_now(),
        };
        let secret = Secret::new(server.connector_password().as_bytes().to_vec());
        Self { server, kind, resource, ambient, secret }
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { resource: &self.resource, credential: Some(&self.secret), now: real_now() }
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
            attributes: BTreeMap::new(),
            standing: Standing::Active,
            since: real_now(),
            stay: wane_domain::directory::Stay::default(),
            kept_by: None,
        }
    }

    pub(crate) fn role(&self, group: &str, attribute: &str) -> Role {
        Role {
            id: self.ambient.id(),
            name: "admins".parse().unwrap(),
            kind: "ldap".parse().unwrap(),
            description: "reads the plan".parse().unwrap(),
            definition: self.kind.definition(&json!({ "group": group, "attribute": attribute })).unwrap(),
            since: real_now(),
        }
    }

    pub(crate) fn admins(&self) -> Role {
        self.role(ADMINS, "member")
    }

    /// A lease as the use-cases would begin it, before anything was looked up.
    pub(crate) fn lease(&self, role: &Role) -> (Grant, Lease) {
        let item =
            AskItem { resource: self.resource.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
        let ask = plain_ask(&self.ambient, item, Span::from_mins(10));
        let held = hold(&self.ambient, ask, "ldap", LeaseKind::Membership, real_now());
        (held.grant, held.lease)
    }

    pub(crate) async fn look(&self, role: &Role, person: &Person) -> Result<Prepared, ConnectError> {
        self.effects().prepare(&self.target(), role, person).await
    }

    /// What is wrong with roles here.
    pub(crate) async fn kind_probe(&self, roles: &[Role]) -> Vec<Option<String>> {
        let probes = self.kind.probe(&self.target(), roles).await.unwrap();
        probes.into_iter().map(|probe| probe.problem).collect()
    }

    /// Looks, writes down, makes.
    pub(crate) async fn give(&self, role: &Role, name: &str) -> Place {
        self.try_give(role, name).await.unwrap()
    }

    pub(crate) async fn try_give(&self, role: &Role, name: &str) -> Result<Place, ConnectError> {
        self.try_give_to(role, &self.person(name)).await
    }

    pub(crate) async fn give_to(&self, role: &Role, person: &Person) -> Place {
        self.try_give_to(role, person).await.unwrap()
    }

    async fn try_give_to(&self, role: &Role, person: &Person) -> Result<Place, ConnectError> {
        let prepared = self.look(role, person).await?;
        let (grant, lease) = self.lease(role);
        let event = LeaseEvent::Prepared { object: prepared.object, notes: prepared.notes, standing: prepared.there };
        let lease = lease.apply(event, real_now()).unwrap().0;
        let mut place = Place { grant, lease, role: role.clone() };
        let made = self.make(&place).await?;
        let event = LeaseEvent::Made { object: made.object, notes: made.notes };
        place.lease = place.lease.clone().apply(event, real_now()).unwrap().0;
        Ok(place)
    }

    pub(crate) async fn make(&self, place: &Place) -> Result<Created, ConnectError> {
        let permit = place.grant.issue_permit(&place.lease, lax_permit(real_now()), real_now()).unwrap();
        self.effects().create(&self.target(), &place.role, &place.lease, permit).await
    }

    pub(crate) async fn end(&self, place: &Place) -> Result<EndOutcome, ConnectError> {
        self.effects().end(&self.target(), &place.lease).await
    }

    pub(crate) async fn presence(&self, place: &Place) -> Presence {
        self.effects().read_back(&self.target(), &place.lease).await.unwrap()
    }

    pub(crate) async fn end_for_good(&self, place: &Place) {
        assert_eq!(self.end(place).await.unwrap(), EndOutcome::Done);
        let presence = self.presence(place).await;
        assert!(matches!(presence, Presence::Absent { .. }), "{presence:?}");
    }
}

#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) grant: Grant,
    pub(crate) lease: Lease,
    pub(crate) role: Role,
}
