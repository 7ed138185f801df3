//! People and groups.

use wane_api::directory::{GroupView, PersonView, Standing};
use wane_domain::directory::{self, Group, Person};

use super::{Names, at};

pub(crate) fn person(names: Names<'_>, person: &Person) -> PersonView {
    PersonView {
        name: person.name.to_string(),
        display: person.display.to_string(),
        manager: person.manager.map(|id| names.person(id)),
        attributes: person.attributes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        standing: match person.standing {
            directory::Standing::Active => Standing::Active,
            directory::Standing::Disabled => Standing::Disabled,
        },
        groups: names.0.groups_of(person.id).into_iter().map(ToString::to_string).collect(),
        since: at(person.since),
        until: person.stay.until.map(at),
        sponsor: person.stay.sponsor.map(|id| names.person(id)),
        unsponsored: names.0.is_unsponsored(person),
        left: person.stay.left.map(at),
        kept_by: person.kept_by.as_ref().map(ToString::to_string),
    }
}

pub(crate) fn group(names: Names<'_>, group: &Group) -> GroupView {
    GroupView {
        name: group.name.to_string(),
        description: group.description.to_string(),
        members: names.people(group.members.iter().copied()),
        kept_by: group.kept_by.as_ref().map(ToString::to_string),
    }
}

pub(crate) fn directory(status: wane_app::PullStatus) -> wane_api::directory::LdapView {
    wane_api::directory::LdapView {
        name: status.name.to_string(),
        people: u64::try_from(status.people).unwrap_or(u64::MAX),
        read: status.read.map(at),
        hears: status.hears.map(|hears| match hears {
            wane_app::Hears::AtOnce => wane_api::directory::Hears::AtOnce,
            wane_app::Hears::AtIntervals => wane_api::directory::Hears::AtIntervals,
        }),
        silent: status.silent,
        held_back: status.held_back,
        refused: status.refused,
        stale: status.is_stale,
    }
}
