//! One place in one group: looked up, made, taken, and read back.
//!
//! INVARIANT: a place is touched only in the group and for the account that were looked up, whatever they are called now, and
//! never in others that have taken their names (held by `a_group_made_anew_under_the_name_is_another`).

use std::collections::BTreeMap;

use serde_json::json;
use wane_connector::{Created, EndOutcome, Handed, Prepared, Presence};
use wane_domain::directory::Person;
use wane_domain::lease::{LeaseData, LeaseState};
use wane_failpoint::{around, point};

use crate::application::{Application, Change, Fail, Sort};
use crate::notes::Notes;
use crate::resource::Resource;
use crate::settings::Settings;
use crate::who;

/// Somebody else may change the same group at the same time; each is told, and looks again.
const TRIES: u32 = 8;
/// So often an end goes by what was read. After that, who changes the group all the time keeps nobody in it.
const CAREFUL_TRIES: u32 = 4;

/// A place, as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) group: &'a str,
    pub(crate) group_id: &'a str,
    pub(crate) person: &'a str,
    pub(crate) person_id: &'a str,
}

/// Who is meant, where, and whether they are there.
pub(crate) async fn prepare(
    app: &Application,
    settings: &Settings,
    named: &str,
    holder: &Person,
) -> Result<Prepared, Fail> {
    if !settings.gives(named) {
        return Err(Fail::refused(format!("group `{named}` is not among the resource's `groups`")));
    }
    let group = who::group(app, named).await?;
    let wanted = who::value_of(&settings.people, holder)?;
    let attribute = &settings.people.attribute;
    let person = who::account(app, attribute, wanted).await?.ok_or_else(|| {
        Fail::refused(format!(
            "no account has `{attribute}` `{wanted}`; ask for a role that gives one first, or have it made"
        ))
    })?;
    if !person.is_awake() {
        return Err(Fail::refused(format!(
            "the account `{wanted}` is not active; a place in a group would be of no use"
        )));
    }
    let place = Place { group: named, group_id: &group.id, person: wanted, person_id: &person.id };
    let there = seen(app, place).await?.is_some_and(|(_, is_in)| is_in);
    let notes = Notes::Place {
        group: named.to_owned(),
        group_id: group.id.clone(),
        person: wanted.to_owned(),
        person_id: person.id.clone(),
    };
    Ok(Prepared {
        object: object(&group.id, &person.id),
        notes: notes.json()?,
        there: there.then(|| format!("`{wanted}` was in `{named}`, seen at {}", app.name())),
    })
}

/// How the place is known: two ids, whatever characters they have.
fn object(group: &str, person: &str) -> String {
    let escaped = |id: &str| id.replace('%', "%25").replace('/', "%2F");
    format!("members/{}/{}", escaped(group), escaped(person))
}

/// The group, and whether the account is in it; nothing if the group is gone.
async fn seen(app: &Application, place: Place<'_>) -> Result<Option<(Resource, bool)>, Fail> {
    let Some(group) = app.get(Sort::Group, place.group_id).await? else { return Ok(None) };
    let is_in = is_in(app, place, &group).await?;
    Ok(Some((group, is_in)))
}

/// Whether the account is in the group, as that was read.
///
/// INVARIANT: an application that leaves members out of a large group proves no absence by that: the account is asked as well (held
/// by `a_group_that_hides_its_members_proves_no_absence`).
async fn is_in(app: &Application, place: Place<'_>, group: &Resource) -> Result<bool, Fail> {
    Ok(group.has(place.person_id)
        || app.get(Sort::User, place.person_id).await?.is_some_and(|account| account.is_in(place.group_id)))
}

/// Makes the place of a lease, or finds it made.
pub(crate) async fn create(app: &Application, place: Place<'_>, lease: &LeaseData) -> Result<Created, Fail> {
    let gone = |what: &str, named: &str| {
        Fail::refused(format!("{what} `{named}` is gone from the application; another of its name is not meant"))
    };
    let Place { group, person, person_id, .. } = place;
    if !app.get(Sort::User, person_id).await?.ok_or_else(|| gone("the account", person))?.is_awake() {
        return Err(Fail::refused(format!("the account `{person}` is not active any more")));
    }
    let mut tries = 0;
    let at = loop {
        let (at, is_in) = seen(app, place).await?.ok_or_else(|| gone("the group", group))?;
        if is_in {
            break at;
        }
        // INVARIANT: nothing is made in the name of what was there before: it would stay (held by the kit).
        if lease.standing.is_some() {
            return Err(Fail::refused(format!(
                "`{person}` was in `{group}` before this grant, and somebody took them out since; return the grant and ask anew"
            )));
        }
        // INVARIANT: whom somebody took out past Wane is not put back by asking once more (held by
        // `who_was_taken_out_past_wane_is_not_put_back_by_asking_again`).
        if matches!(lease.state, LeaseState::Live { .. }) {
            return Err(Fail::refused(format!(
                "somebody took `{person}` out of `{group}` since; return the grant and ask anew"
            )));
        }
        if tries >= TRIES {
            return Err(Fail::refused(format!("read back, `{person}` is not in `{group}`")));
        }
        tries += 1;
        let add = Change::add_member(person_id);
        let adding = app.change(Sort::Group, &at.id, at.version.as_deref(), &add);
        match around(point!("scim.place.add"), adding).await {
            Err(no) if no.is(412) => {}
            other => other?,
        }
    };
    Ok(Created {
        object: lease.object.clone(),
        notes: lease.notes.clone(),
        handed: Handed {
            public: json!({
                "group": at.text("displayName").unwrap_or(group),
                "member": person,
                "application": app.name(),
                "how": "sign in to the application again; what you opened before may not know yet",
            }),
            secret: None,
            not_after: None,
        },
    })
}

/// Takes the place of a lease, and reads back. `nothing` is what it comes to that they are not in the group.
pub(crate) async fn end(app: &Application, place: Place<'_>, nothing: EndOutcome) -> Result<EndOutcome, Fail> {
    let Place { group, person, .. } = place;
    let mut taken = nothing;
    for tried in 0..TRIES {
        let (at, is_in) = match seen(app, place).await {
            Ok(Some(seen)) => seen,
            Ok(None) => return Ok(EndOutcome::Done),
            Err(unread) => return Err(take_unread(app, place, unread).await),
        };
        if !is_in {
            return Ok(taken);
        }
        let version = at.version.as_deref().filter(|_| tried < CAREFUL_TRIES);
        match take(app, place, version).await {
            Err(no) if no.is(412) => {}
            other => {
                other?;
                taken = EndOutcome::Done;
            }
        }
    }
    Ok(EndOutcome::Retry { why: format!("read back, `{person}` is still in `{group}`") })
}

async fn take(app: &Application, place: Place<'_>, version: Option<&str>) -> Result<(), Fail> {
    let remove = Change::remove_member(place.person_id);
    around(point!("scim.place.take"), app.change(Sort::Group, place.group_id, version, &remove)).await
}

/// Takes the place although the group cannot be read; what was met in reading it, because that proves no end.
///
/// INVARIANT: nothing about a group keeps its end from being tried (held by `a_group_that_cannot_be_read_is_left_all_the_same`).
async fn take_unread(app: &Application, place: Place<'_>, unread: Fail) -> Fail {
    match &unread {
        Fail::Refused { .. } => {}
        Fail::Unreachable(_) | Fail::Trust(_) => return unread,
    }
    match take(app, place, None).await {
        Ok(()) => Fail::refused(format!("`{}` was taken out of `{}` unseen: {unread}", place.person, place.group)),
        Err(_) => unread,
    }
}

/// Groups as they were read, by their ids; nothing where one is gone.
pub(crate) type Groups = BTreeMap<String, Option<Resource>>;

/// Whether a place is there. A group that was read is not read again.
pub(crate) async fn read_back(app: &Application, place: Place<'_>, groups: &mut Groups) -> Result<Presence, Fail> {
    let Place { group, group_id, person, person_id } = place;
    let at = app.name();
    if !groups.contains_key(group_id) {
        groups.insert(group_id.to_owned(), app.get(Sort::Group, group_id).await?);
    }
    let Some(read) = groups.get(group_id).and_then(Option::as_ref) else {
        return Ok(Presence::Absent { proof: format!("{at}: there is no group {group_id}, once `{group}`") });
    };
    Ok(if is_in(app, place, read).await? {
        Presence::Present { seen: format!("{at}: `{group}` ({group_id}) has the member `{person}` ({person_id})") }
    } else {
        Presence::Absent { proof: format!("{at}: `{group}` ({group_id}) has no member `{person}` ({person_id})") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two places of one name would share what is given.
    #[test]
    fn ids_of_any_characters_name_one_place() {
        let pairs = [("a/b", "c"), ("a", "b/c"), ("a%2Fb", "c"), ("a", "b%2Fc"), ("a%252Fb", "c"), ("a", "c")];
        let mut objects: Vec<String> = pairs.iter().map(|(group, person)| object(group, person)).collect();
        objects.sort_unstable();
        objects.dedup();
        assert_eq!(objects.len(), pairs.len(), "{objects:?}");
        assert_eq!(object("9f1c-7", "u.1"), "members/9f1c-7/u.1");
    }
}
