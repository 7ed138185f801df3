//! Turns facts into Cedar's entities and context, and into the digest a decision rests on.
//!
//! INVARIANT: text from outside enters Cedar only as a typed value or an entity id, never as
//! policy or schema text (held by `hostile_text_stays_text`). Durations round up to whole seconds,
//! so that a guardrail never sees less than was asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use serde::Serialize;
use wane_domain::canonical::Digest;
use wane_domain::directory::Standing;
use wane_domain::terms::{Mode, Need, Terms};
use wane_domain::text::{Line, Name};
use wane_domain::time::Span;
use wane_domain::workload::JobAsks;

use crate::index::Keys;
use crate::query::{AccessQuery, Capabilities, Facts, Moment, OwnedBy, Proof, Subject, Thing};
use crate::schema::{Action, SchemaParts};

/// Why facts could not be put before Cedar. Doubt is a no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SheetError {
    #[error("kind `{0}` has no entity type in this deployment")]
    UnknownKind(String),
    #[error("the facts could not be put to policy: {0}")]
    Unspeakable(String),
}

fn unspeakable(e: impl std::fmt::Display) -> SheetError {
    SheetError::Unspeakable(e.to_string())
}

/// A principal, a resource, everything known about them, and where to look for policies.
pub(crate) struct Scene {
    pub(crate) principal: EntityUid,
    pub(crate) resource: EntityUid,
    action: EntityTypeName,
    pub(crate) entities: Entities,
    pub(crate) keys: Keys,
}

/// The entities of one question, gathered one by one.
pub(crate) struct Cast<'a> {
    parts: &'a SchemaParts,
    entities: HashMap<EntityUid, Entity>,
}

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn tags(from: &BTreeMap<Name, Line>) -> impl Iterator<Item = (String, RestrictedExpression)> {
    from.iter().map(|(k, v)| (k.as_str().to_owned(), text(v.as_str())))
}

/// A member of the cast: itself and what it stands under.
pub(crate) struct Placed {
    pub(crate) uid: EntityUid,
    pub(crate) within: Vec<EntityUid>,
}

impl<'a> Cast<'a> {
    pub(crate) fn new(parts: &'a SchemaParts) -> Self {
        Self { parts, entities: HashMap::new() }
    }

    pub(crate) fn person(&mut self, subject: &Subject<'_>) -> Result<Placed, SheetError> {
        let me = uid(&self.parts.core.person, subject.person.name.as_str());
        let mut groups = Vec::with_capacity(subject.groups.len());
        for name in &subject.groups {
            groups.push(self.bare(&self.parts.core.group, name.as_str()));
        }
        let disabled = match subject.person.standing {
            Standing::Active => false,
            Standing::Disabled => true,
        };
        let attrs = [
            ("name".to_owned(), text(subject.person.name.as_str())),
            ("disabled".to_owned(), RestrictedExpression::new_bool(disabled)),
        ];
        let entity = Entity::new_with_tags(me.clone(), attrs, groups.iter().cloned(), tags(&subject.person.attributes))
            .map_err(unspeakable)?;
        self.entities.insert(me.clone(), entity);
        Ok(Placed { uid: me, within: groups })
    }

    pub(crate) fn thing(&mut self, thing: &Thing<'_>) -> Result<Placed, SheetError> {
        let resource = thing.resource;
        let Some(entity_type) = self.parts.entity_of(&resource.kind) else {
            return Err(SheetError::UnknownKind(resource.kind.to_string()));
        };
        let me = uid(entity_type, resource.name.as_str());
        let mut labels = Vec::with_capacity(resource.labels.len());
        for (key, value) in &resource.labels {
            // A name has no `=`, so key and value cannot be read in two ways.
            labels.push(self.bare(&self.parts.core.label, &format!("{key}={value}")));
        }
        let mut attrs =
            vec![("name".to_owned(), text(resource.name.as_str())), ("kind".to_owned(), text(resource.kind.as_str()))];
        match &thing.owner {
            Some(OwnedBy::Person(owner)) => {
                let owner = self.person(owner)?;
                attrs.push(("ownerPerson".to_owned(), RestrictedExpression::new_entity_uid(owner.uid)));
            }
            Some(OwnedBy::Group(name)) => {
                let group = self.bare(&self.parts.core.group, name.as_str());
                attrs.push(("ownerGroup".to_owned(), RestrictedExpression::new_entity_uid(group)));
            }
            None => {}
        }
        let entity = Entity::new_with_tags(me.clone(), attrs, labels.iter().cloned(), tags(&resource.labels))
            .map_err(unspeakable)?;
        self.entities.insert(me.clone(), entity);
        Ok(Placed { uid: me, within: labels })
    }

    pub(crate) fn system(&mut self) -> Placed {
        Placed { uid: self.bare(&self.parts.core.system, "wane"), within: Vec::new() }
    }

    fn bare(&mut self, of: &EntityTypeName, id: &str) -> EntityUid {
        let me = uid(of, id);
        self.entities.entry(me.clone()).or_insert_with(|| Entity::with_uid(me.clone()));
        me
    }

    pub(crate) fn scene(self, principal: Placed, resource: Placed) -> Result<Scene, SheetError> {
        let keys = Keys::new(&principal.uid, &principal.within, &resource.uid, &resource.within);
        // Every value was built with its type; the schema would say nothing new here.
        let entities = Entities::from_entities(self.entities.into_values(), None).map_err(unspeakable)?;
        let action = self.parts.core.action.clone();
        Ok(Scene { principal: principal.uid, resource: resource.uid, action, entities, keys })
    }
}

/// Sets the scene for a question about access.
pub(crate) fn scene(query: &AccessQuery<'_>, parts: &SchemaParts) -> Result<Scene, SheetError> {
    let mut cast = Cast::new(parts);
    let resource = cast.thing(&query.what)?;
    let principal = cast.person(&query.who)?;
    cast.scene(principal, resource)
}

impl Scene {
    pub(crate) fn request(
        &self,
        action: Action,
        pairs: Vec<(String, RestrictedExpression)>,
    ) -> Result<Request, SheetError> {
        let context = Context::from_pairs(pairs).map_err(unspeakable)?;
        let action = uid(&self.action, action.name());
        Request::new(self.principal.clone(), action, self.resource.clone(), context, None).map_err(unspeakable)
    }
}

fn secs(span: Span) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(span.micros().div_ceil(1_000_000)).unwrap_or(i64::MAX))
}

/// The part of the context that every action has.
pub(crate) fn common(proof: Proof<'_>, moment: Moment<'_>) -> Result<Vec<(String, RestrictedExpression)>, SheetError> {
    let at = jiff::Timestamp::from_microsecond(moment.now.micros()).map_err(unspeakable)?;
    let local = at.to_zoned(moment.zone.clone());
    let weekday = match local.weekday() {
        jiff::civil::Weekday::Monday => "mon",
        jiff::civil::Weekday::Tuesday => "tue",
        jiff::civil::Weekday::Wednesday => "wed",
        jiff::civil::Weekday::Thursday => "thu",
        jiff::civil::Weekday::Friday => "fri",
        jiff::civil::Weekday::Saturday => "sat",
        jiff::civil::Weekday::Sunday => "sun",
    };
    let clock = RestrictedExpression::new_record([
        ("hour".to_owned(), RestrictedExpression::new_long(i64::from(local.hour()))),
        ("minute".to_owned(), RestrictedExpression::new_long(i64::from(local.minute()))),
        ("weekday".to_owned(), text(weekday)),
        ("zone".to_owned(), text(moment.zone.iana_name().unwrap_or("fixed"))),
    ])
    .map_err(unspeakable)?;
    let now = at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    Ok(vec![
        ("proof".to_owned(), text(proof.how)),
        ("proof_age".to_owned(), secs(proof.age)),
        ("phishing_resistant".to_owned(), RestrictedExpression::new_bool(proof.phishing_resistant)),
        ("now".to_owned(), RestrictedExpression::new_datetime(now)),
        ("local".to_owned(), clock),
    ])
}

/// A context in the making.
pub(crate) type Pairs = Vec<(String, RestrictedExpression)>;

/// The context of `access`, without terms.
pub(crate) fn access_context(query: &AccessQuery<'_>) -> Result<Pairs, SheetError> {
    let Facts { duration, start_in, justified, ticket, task, job, proof, moment, residual_sessions } = query.facts;
    let mut out = common(proof, moment)?;
    out.extend([
        ("role".to_owned(), text(query.role.name.as_str())),
        ("kind".to_owned(), text(query.what.resource.kind.as_str())),
        ("duration".to_owned(), secs(duration)),
        ("start_in".to_owned(), secs(start_in)),
        ("justified".to_owned(), RestrictedExpression::new_bool(justified)),
    ]);
    out.extend(ticket.map(|t| ("ticket".to_owned(), text(t.as_str()))));
    out.extend(task.map(|t| ("task".to_owned(), text(t.as_str()))));
    if let Some(job) = job {
        out.push(("workload".to_owned(), workload(job)?));
    }
    out.extend(residual_sessions.map(|r| ("residual_sessions".to_owned(), secs(r))));
    Ok(out)
}

/// What an issuer says of a job, each with its type.
fn workload(job: &JobAsks) -> Result<RestrictedExpression, SheetError> {
    let always = [("issuer", job.issuer_name.as_str()), ("subject", job.claims.subject())];
    let texts = always.into_iter().chain(job.claims.texts()).map(|(name, said)| (name.to_owned(), text(said)));
    let truths = job.claims.truths().map(|(name, said)| (name.to_owned(), RestrictedExpression::new_bool(said)));
    RestrictedExpression::new_record(texts.chain(truths)).map_err(unspeakable)
}

/// The same with the terms of the path in question.
pub(crate) fn with_terms(facts: &Pairs, terms: &Terms) -> Result<Pairs, SheetError> {
    let mut out = Vec::with_capacity(facts.len().saturating_add(1));
    out.extend_from_slice(facts);
    out.push(("terms".to_owned(), terms_record(terms)?));
    Ok(out)
}

fn terms_record(terms: &Terms) -> Result<RestrictedExpression, SheetError> {
    let stages = i64::try_from(terms.stages.len()).unwrap_or(i64::MAX);
    let quorum = terms.stages.iter().map(|s| i64::from(s.quorum)).sum();
    let mode = match terms.mode {
        Mode::Any => "any",
        Mode::Direct => "direct",
        Mode::Brokered => "brokered",
    };
    RestrictedExpression::new_record([
        ("human_stages".to_owned(), RestrictedExpression::new_long(stages)),
        ("quorum".to_owned(), RestrictedExpression::new_long(quorum)),
        ("recording".to_owned(), RestrictedExpression::new_bool(terms.recording == Need::Required)),
        ("step_up".to_owned(), RestrictedExpression::new_bool(terms.step_up.is_some())),
        ("reproof".to_owned(), RestrictedExpression::new_bool(terms.reproof.is_some())),
        ("signature".to_owned(), RestrictedExpression::new_bool(terms.signature == Need::Required)),
        ("mode".to_owned(), text(mode)),
        ("max_ttl".to_owned(), secs(terms.max_ttl)),
    ])
    .map_err(unspeakable)
}

/// The digest of everything that was judged.
pub(crate) fn digest(query: &AccessQuery<'_>) -> Digest {
    #[derive(Serialize)]
    struct Sheet<'a> {
        person: &'a Name,
        standing: Standing,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<wane_domain::time::Time>,
        groups: &'a BTreeSet<&'a Name>,
        attributes: &'a BTreeMap<Name, Line>,
        resource: &'a Name,
        kind: &'a Name,
        labels: &'a BTreeMap<Name, Line>,
        owner: Option<String>,
        role: &'a Name,
        role_digest: Option<Digest>,
        duration: Span,
        start_in: Span,
        justified: bool,
        ticket: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        job: Option<&'a JobAsks>,
        proof: &'a str,
        proof_age: Span,
        phishing_resistant: bool,
        now: wane_domain::time::Time,
        zone: Option<&'a str>,
        residual_sessions: Option<Span>,
        serves: Capabilities,
    }
    let Facts { duration, start_in, justified, ticket, task, job, proof, moment, residual_sessions } = query.facts;
    let resource = query.what.resource;
    let sheet = Sheet {
        person: &query.who.person.name,
        standing: query.who.person.standing,
        until: query.who.person.stay.until,
        groups: &query.who.groups,
        attributes: &query.who.person.attributes,
        resource: &resource.name,
        kind: &resource.kind,
        labels: &resource.labels,
        owner: query.what.owner.as_ref().map(|owner| match owner {
            OwnedBy::Person(subject) => format!("person:{}", subject.person.name),
            OwnedBy::Group(name) => format!("group:{name}"),
        }),
        role: &query.role.name,
        role_digest: query.role.digest().ok(),
        duration,
        start_in,
        justified,
        ticket: ticket.map(wane_domain::text::Ticket::as_str),
        task: task.map(wane_domain::text::Task::as_str),
        job,
        proof: proof.how,
        proof_age: proof.age,
        phishing_resistant: proof.phishing_resistant,
        now: moment.now,
        zone: moment.zone.iana_name(),
        residual_sessions,
        serves: query.serves,
    };
    // Names, lines and whole numbers always have a JSON form; were it ever otherwise, the digest says that nothing was readable.
    Digest::of_json("wane.facts.v1", &sheet).unwrap_or_else(|_| Digest::of_bytes("wane.facts.v1", b"unreadable"))
}
