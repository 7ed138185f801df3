//! Records of the trail.

use wane_api::trail::RecordView;
use wane_app::listing::Sequenced;
use wane_audit::{Actor, Outcome};

use super::{Names, at};

pub(crate) fn record(names: Names<'_>, entry: Sequenced) -> RecordView {
    let Sequenced { seq, record } = entry;
    RecordView {
        seq,
        id: record.id.to_string(),
        at: at(record.at),
        who: actor(names, &record.actor),
        event: record.event,
        outcome: match record.outcome {
            Outcome::Done => "done",
            Outcome::Denied => "denied",
            Outcome::Failed => "failed",
        }
        .to_owned(),
        person: record.about.person.map(|id| names.person(id)),
        resource: record.about.resource.map(|id| names.resource(id)),
        request: record.about.request.map(|id| id.to_string()),
        grant: record.about.grant.map(|id| id.to_string()),
        lease: record.about.lease.map(|id| id.to_string()),
        ticket: record.about.ticket.map(|t| t.to_string()),
        detail: record.detail,
    }
}

pub(crate) fn actor(names: Names<'_>, actor: &Actor) -> String {
    match actor {
        Actor::Person(id) => names.person(*id),
        Actor::System => "wane".to_owned(),
        Actor::Host(id) => format!("host:{}", names.resource(*id)),
        Actor::Directory(id) => {
            names.0.directories.get(id).map_or_else(|| id.to_string(), |one| format!("directory:{}", one.name))
        }
        Actor::Unknown => "unknown".to_owned(),
    }
}
