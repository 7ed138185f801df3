//! Domain values as the contract shows them: names in place of ids, words in place of states.

pub(crate) mod approval;
pub(crate) mod board;
pub(crate) mod catalogue;
pub(crate) mod delegation;
pub(crate) mod directory;
pub(crate) mod grant;
pub(crate) mod leaving;
pub(crate) mod package;
pub(crate) mod recording;
pub(crate) mod request;
pub(crate) mod sentence;
pub(crate) mod trail;
pub(crate) mod why;

use jiff::Timestamp;
use wane_api::SpanView;
use wane_domain::id::{GroupId, PersonId, ResourceId, RoleId};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;

/// Looks names up in one snapshot. What is no longer in it is shown by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a>(pub(crate) &'a World);

impl Names<'_> {
    pub(crate) fn person(self, id: PersonId) -> String {
        self.0.people.get(&id).map_or_else(|| id.to_string(), |p| p.name.to_string())
    }

    pub(crate) fn people(self, ids: impl IntoIterator<Item = PersonId>) -> Vec<String> {
        let mut names: Vec<_> = ids.into_iter().map(|id| self.person(id)).collect();
        names.sort();
        names
    }

    pub(crate) fn group(self, id: GroupId) -> String {
        self.0.groups.get(&id).map_or_else(|| id.to_string(), |g| g.name.to_string())
    }

    pub(crate) fn resource(self, id: ResourceId) -> String {
        self.0.resources.get(&id).map_or_else(|| id.to_string(), |r| r.name.to_string())
    }

    pub(crate) fn role(self, id: RoleId) -> String {
        self.0.roles.get(&id).map_or_else(|| id.to_string(), |r| r.name.to_string())
    }

    pub(crate) fn kind(self, id: ResourceId) -> String {
        self.0.resources.get(&id).map(|r| r.kind.to_string()).unwrap_or_default()
    }
}

/// A moment as RFC 3339 on the wire; the nearest one that can be written, if it cannot.
pub(crate) fn at(time: Time) -> Timestamp {
    let edge = if time.micros() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(time.micros()).unwrap_or(edge)
}

pub(crate) fn span(span: Span) -> SpanView {
    SpanView { text: span.to_string(), secs: span.secs() }
}
