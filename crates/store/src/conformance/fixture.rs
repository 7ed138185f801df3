//! Values to store, made the way the domain makes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::{Basis, Permit};
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::id::{GrantId, OrgId, PersonId, ResourceId, RoleId, TypedId};
use wane_domain::lease::{Lease, LeaseKind};
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::proved::ProvedBy;
use wane_domain::request::{AccessRequest, Ask, AskItem, Opening, Start};
use wane_domain::terms::{Approvers, Mode, Need, Stage, Terms};
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_domain::world::PolicyVersion;

use super::Founded;
use crate::commit::{Commit, Put, Write};
use crate::rows::{Issuance, Token, TokenKind, TokenOwner};

/// A source of values whose ids rise, at a time that stands still unless told.
#[derive(Debug)]
pub struct Fixture {
    count: u64,
    /// The present moment.
    pub now: Time,
    org: OrgId,
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new()
    }
}

/// What went wrong while a value was made, as text.
pub(crate) fn told(e: impl std::fmt::Display) -> String {
    e.to_string()
}

impl Fixture {
    /// At 2026-11-21T09:00:00Z.
    #[must_use]
    pub fn new() -> Self {
        let now = Time::from_micros(1_795_251_600_000_000);
        Self { count: 0, now, org: OrgId::mint(now, &[0; 10]) }
    }

    /// A fresh id, after all before it.
    pub fn id<T: TypedId>(&mut self) -> T {
        self.count = self.count.saturating_add(1);
        let mut entropy = [0; 10];
        for (to, from) in entropy.iter_mut().skip(2).zip(self.count.to_be_bytes()) {
            *to = from;
        }
        T::mint(self.now, &entropy)
    }

    /// What the store is to be founded with.
    pub fn founded(&mut self) -> Founded {
        Founded { org: self.org, policy: self.policy(1), event: self.id() }
    }

    /// A version of the policy set.
    #[must_use]
    pub fn policy(&self, version: u64) -> PolicyVersion {
        let text = format!("// version {version}\npermit (principal, action, resource);");
        PolicyVersion {
            version,
            digest: Digest::of_bytes("wane.policy.v1", text.as_bytes()),
            text,
            by: None,
            at: self.now,
        }
    }

    /// A record of this event.
    pub fn record(&mut self, event: &str) -> Record {
        Record {
            id: self.id(),
            org: self.org,
            at: self.now,
            actor: Actor::System,
            event: event.to_owned(),
            outcome: Outcome::Done,
            about: Subjects::default(),
            detail: json!({ "n": self.count }),
        }
    }

    /// A commit of these writes with one record.
    ///
    /// # Errors
    /// Never: it has a record.
    pub fn commit(&mut self, writes: Vec<Write>) -> Result<Commit, String> {
        Commit::new(writes, vec![self.record("kit.wrote")]).map_err(told)
    }

    /// An active person.
    ///
    /// # Errors
    /// When `name` is no name.
    pub fn person(&mut self, name: &str) -> Result<Person, String> {
        Ok(Person {
            id: self.id(),
            name: name.parse().map_err(told)?,
            display: format!("{name} with \"quotes\" and ünïcode").parse().map_err(told)?,
            manager: Some(self.id()),
            attributes: BTreeMap::from([("team".parse().map_err(told)?, "db".parse().map_err(told)?)]),
            standing: Standing::Active,
            since: self.now,
            stay: wane_domain::directory::Stay::default(),
            kept_by: None,
        })
    }

    /// A group.
    ///
    /// # Errors
    /// When `name` is no name.
    pub fn group(&mut self, name: &str, members: impl IntoIterator<Item = PersonId>) -> Result<Group, String> {
        let members: BTreeSet<PersonId> = members.into_iter().collect();
        Ok(Group {
            id: self.id(),
            name: name.parse().map_err(told)?,
            description: String::new().try_into().map_err(told)?,
            members,
            kept_by: None,
        })
    }

    /// A resource.
    ///
    /// # Errors
    /// When `name` is no name.
    pub fn resource(&mut self, name: &str) -> Result<Resource, String> {
        Ok(Resource {
            id: self.id(),
            name: name.parse().map_err(told)?,
            kind: "kind-a".parse().map_err(told)?,
            labels: BTreeMap::from([("env".parse().map_err(told)?, "prod".parse().map_err(told)?)]),
            owner: None,
            settings: json!({ "port": 22 }),
            since: self.now,
        })
    }

    /// A role.
    ///
    /// # Errors
    /// When `kind` or `name` is no name.
    pub fn role(&mut self, kind: &str, name: &str) -> Result<Role, String> {
        Ok(Role {
            id: self.id(),
            name: name.parse().map_err(told)?,
            kind: kind.parse().map_err(told)?,
            description: String::new().try_into().map_err(told)?,
            definition: json!({ "login": name }),
            since: self.now,
        })
    }

    /// A lock on a person.
    ///
    /// # Errors
    /// Never: the reason is a text.
    pub fn lock(&mut self, person: PersonId) -> Result<Lock, String> {
        let by = self.id();
        Ok(Lock::impose(self.id(), LockTarget::Person(person), "laptop lost".parse().map_err(told)?, by, self.now).0)
    }

    /// Terms with so many stages.
    #[must_use]
    pub fn terms(stages: usize) -> Terms {
        Terms {
            stages: vec![Stage { quorum: 1, approvers: vec![Approvers::Owner], later: Vec::new() }; stages],
            max_ttl: Span::from_hours(8),
            approval_window: Span::from_hours(24),
            activation_window: Span::from_hours(1),
            justification: Need::Optional,
            ticket: Need::Optional,
            step_up: None,
            reproof: None,
            signature: Need::Optional,
            recording: Need::Optional,
            mode: Mode::Any,
        }
    }

    /// A permit, as policy would give it.
    #[must_use]
    pub fn permit(&self) -> Permit {
        let digest = Digest::of_bytes("kit", b"");
        let basis = Basis {
            policy_set: digest,
            path: Some("kit".to_owned()),
            determining: Vec::new(),
            facts: digest,
            at: self.now,
        };
        wane_domain::evidence::permit(Self::terms(0), basis, None)
    }

    /// A request for an hour of one role on one resource: waiting if it has stages, else approved.
    ///
    /// # Errors
    /// When the domain refuses.
    pub fn request(
        &mut self,
        who: PersonId,
        on: ResourceId,
        role: RoleId,
        stages: usize,
    ) -> Result<AccessRequest, String> {
        let ask = Ask {
            org: self.org,
            requester: who,
            beneficiary: who,
            items: vec![AskItem { resource: on, role, role_digest: Digest::of_bytes("kit", b"role"), task: None }],
            start: Start::Now,
            duration: Span::from_hours(1),
            justification: Some("to mend\nthe index".parse().map_err(told)?),
            ticket: Some("INC-1".parse().map_err(told)?),
            parent: None,
            nonce: format!("{:032x}", self.count),
            arrival: None,
            package: None,
            job: None,
        };
        let answers = vec![Opening::Path { terms: Self::terms(stages), path: "kit".to_owned() }];
        let lapses = self.now.plus(Span::from_hours(24));
        AccessRequest::open(self.id(), ask, answers, self.now, lapses).map(|(r, _)| r).map_err(told)
    }

    /// An approved request with the scheduled grant it yields.
    ///
    /// # Errors
    /// When the domain refuses.
    pub fn granted(&mut self, who: PersonId, on: ResourceId, role: RoleId) -> Result<(AccessRequest, Grant), String> {
        let request = self.request(who, on, role, 0)?;
        let id: GrantId = self.id();
        let (request, item) = request.mint_from(0, id).map_err(told)?;
        let (grant, _) = Grant::mint(item, self.permit(), self.now).map_err(told)?;
        Ok((request, grant))
    }

    /// An activated grant with its request and a lease that is intended.
    ///
    /// # Errors
    /// When the domain refuses.
    pub fn leased(
        &mut self,
        who: PersonId,
        on: ResourceId,
        role: RoleId,
    ) -> Result<(AccessRequest, Grant, Lease), String> {
        let (request, grant) = self.granted(who, on, role)?;
        let (grant, _) = grant.apply(GrantEvent::Activate(self.permit()), self.now).map_err(told)?;
        let kind: Name = "kind-a".parse().map_err(told)?;
        let (lease, _) = grant.lease(self.id(), kind, LeaseKind::Credential, self.now).map_err(told)?;
        Ok((request, grant, lease))
    }

    /// The writes that put a fresh request, grant and lease in place.
    #[must_use]
    pub fn writes((request, grant, lease): (&AccessRequest, &Grant, &Lease)) -> Vec<Write> {
        vec![
            Write::Request(Put::new(request.clone())),
            Write::Grant(Put::new(grant.clone())),
            Write::Lease(Put::new(lease.clone())),
        ]
    }

    /// One issue under a lease, good for a quarter of an hour.
    #[must_use]
    pub fn issuance(&self, serial: u64, lease: &Lease) -> Issuance {
        Issuance {
            serial,
            lease: lease.id,
            grant: lease.grant,
            kind: lease.kind.clone(),
            at: self.now,
            not_after: self.now.plus(Span::from_mins(15)),
            detail: json!({ "fingerprint": "SHA256:kit" }),
            revoked: None,
        }
    }

    /// An unspent token, good for a day.
    pub fn token(&mut self, kind: TokenKind, owner: TokenOwner) -> Token {
        Token {
            id: self.id(),
            kind,
            owner,
            verifier: vec![0, 1, 255],
            at: self.now,
            proved: self.now,
            expires: self.now.plus(Span::from_hours(24)),
            used: self.now,
            spent: None,
            by: ProvedBy::PasswordAndCode,
        }
    }
}
