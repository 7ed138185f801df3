//! A small company to judge over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use wane_domain::catalogue::{Owner, Resource, Role};
use wane_domain::directory::{Person, Standing};
use wane_domain::id::{PersonId, ResourceId, RoleId, TypedId};
use wane_domain::text::{Line, Name, Task, Ticket};
use wane_domain::time::{Span, Time};
use wane_policy::query::{AccessQuery, Capabilities, Facts, Moment, OwnedBy, Proof, Subject, Thing, Ways};
use wane_policy::schema::{KindFragment, SchemaParts};
use wane_policy::set::{LoadProblem, PolicySet};

pub(crate) const NOW: Time = Time::from_micros(1_795_255_200_000_000); // Sat 2026-11-21T10:00:00Z
pub(crate) const ZONE: TimeZone = TimeZone::UTC;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn line(text: &str) -> Line {
    text.parse().unwrap()
}

pub(crate) fn id<T: TypedId>(n: u8) -> T {
    T::mint(NOW, &[n; 10])
}

pub(crate) fn parts() -> SchemaParts {
    let kind = |kind, entity: &str| KindFragment { kind: name(kind), entity: entity.to_owned() };
    SchemaParts::new([kind("ssh", "Host"), kind("postgres", "Database")]).unwrap()
}

pub(crate) fn load(text: &str) -> PolicySet {
    PolicySet::load(text, &parts()).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

pub(crate) fn problems(text: &str) -> Vec<LoadProblem> {
    PolicySet::load(text, &parts()).err().unwrap_or_default()
}

pub(crate) fn shown(problems: &[LoadProblem]) -> String {
    problems.iter().map(|p| format!("{p}\n")).collect()
}

/// Everything one question borrows from.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) person: Person,
    pub(crate) groups: Vec<Name>,
    pub(crate) resource: Resource,
    pub(crate) owner: Option<Name>,
    pub(crate) role: Role,
    pub(crate) duration: Span,
    pub(crate) justified: bool,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) proof_age: Span,
    pub(crate) residual: Option<Span>,
    pub(crate) now: Time,
    pub(crate) task: Option<Task>,
    pub(crate) ways: Ways,
    pub(crate) serves: Capabilities,
}

pub(crate) fn person(called: &str) -> Person {
    Person {
        id: id::<PersonId>(called.as_bytes()[0]),
        name: name(called),
        display: line(called),
        manager: None,
        attributes: BTreeMap::new(),
        standing: Standing::Active,
        since: NOW,
        stay: wane_domain::directory::Stay::default(),
        kept_by: None,
    }
}

pub(crate) fn resource(called: &str, kind: &str, labels: &[(&str, &str)]) -> Resource {
    Resource {
        id: id::<ResourceId>(called.as_bytes()[0]),
        name: name(called),
        kind: name(kind),
        labels: labels.iter().map(|(k, v)| (name(k), line(v))).collect(),
        owner: None::<Owner>,
        settings: serde_json::Value::Null,
        since: NOW,
    }
}

pub(crate) fn role(called: &str, kind: &str) -> Role {
    Role {
        id: id::<RoleId>(called.as_bytes()[0]),
        name: name(called),
        kind: name(kind),
        description: line(""),
        definition: serde_json::json!({}),
        since: NOW,
    }
}

/// `who` in `groups` asks for `role` on `resource` (`kind:name`) under `labels`, for an hour.
pub(crate) fn question(who: &str, groups: &[&str], asked: &str, on: &str, labels: &[(&str, &str)]) -> Question {
    let (kind, called) = on.split_once(':').unwrap();
    Question {
        person: person(who),
        groups: groups.iter().map(|g| name(g)).collect(),
        resource: resource(called, kind, labels),
        owner: None,
        role: role(asked, kind),
        duration: Span::from_hours(1),
        justified: false,
        ticket: None,
        proof_age: Span::from_mins(1),
        residual: None,
        now: NOW,
        task: None,
        ways: Ways::Any,
        serves: Capabilities { brokered: true, recording: true },
    }
}

impl Question {
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { person: &self.person, groups: self.groups.iter().collect::<BTreeSet<_>>() }
    }

    pub(crate) fn thing(&self) -> Thing<'_> {
        Thing { resource: &self.resource, owner: self.owner.as_ref().map(OwnedBy::Group) }
    }

    pub(crate) fn proof(&self) -> Proof<'_> {
        Proof::said("password+totp", self.proof_age)
    }

    pub(crate) fn moment(&self) -> Moment<'_> {
        static UTC: TimeZone = ZONE;
        Moment { now: self.now, zone: &UTC }
    }

    pub(crate) fn query(&self) -> AccessQuery<'_> {
        AccessQuery {
            who: self.subject(),
            what: self.thing(),
            role: &self.role,
            facts: Facts {
                job: None,
                duration: self.duration,
                start_in: Span::ZERO,
                justified: self.justified,
                ticket: self.ticket.as_ref(),
                task: self.task.as_ref(),
                proof: self.proof(),
                moment: self.moment(),
                residual_sessions: self.residual,
            },
            ways: self.ways,
            serves: self.serves,
        }
    }
}

/// Compares with a golden file; `WANE_GOLDEN=write` writes it instead, to be read before it is committed.
pub(crate) fn golden(file: &str, got: &str) {
    let path = format!("{}/tests/it/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("WANE_GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, got).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(got == wanted, "`{file}` differs; it now reads:\n{got}");
}
