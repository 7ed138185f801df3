//! One place in one group: looked up, made, taken, and read back.
//!
//! INVARIANT: a place is touched only in the group and for the account that were looked up, whatever they are called now, and
//! never in others that have taken their names (held by `a_group_made_anew_under_the_name_is_another`).

use serde_json::json;
use wane_connector::{Created, EndOutcome, Handed, Prepared, Presence};
use wane_domain::directory::Person;
use wane_domain::lease::LeaseData;
use wane_failpoint::{around, point};

use crate::application::{Application, Change, Fail, Sort};
use crate::notes::Notes;
use crate::resource::Resource;
use crate::settings::Settings;
use crate::who;

/// Somebody else may change the same group at the same time; each is told, and looks again.
const TRIES: u32 = 8;

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
        object: format!("members/{}/{}", group.id, person.id),
        notes: notes.json()?,
        there: there.then(|| format!("`{wanted}` was in `{named}`, seen at {}", app.name())),
    })
}

/// The group, and whether the account is in it; nothing if the group is gone.
///
/// INVARIANT: an application that leaves members out of a large group proves no absence by that: the account is asked as well (held
/// by `a_group_that_hides_its_members_proves_no_absence`).
async fn seen(app: &Application, place: Place<'_>) -> Result<Option<(Resource, bool)>, Fail> {
    let Some(group) = app.get(Sort::Group, place.group_id).await? else { return Ok(None) };
    let is_in = group.has(place.person_id)
        || app.get(Sort::User, place.person_id).await?.is_some_and(|account| account.is_in(place.group_id));
    Ok(Some((group, is_in)))
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
        if tries >= TRIES {
            return Err(Fail::refused(format!("read back, `{person}` is not in `{group}`")));
        }
        tries += 1;
        match around(point!("scim.place.add"), app.change(Sort::Group, &at, &Change::add_member(person_id))).await {
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

/// Takes the place of a lease, and reads back.
pub(crate) async fn end(app: &Application, place: Place<'_>) -> Result<EndOutcome, Fail> {
    let Place { group, person, person_id, .. } = place;
    for _ in 0..TRIES {
        let Some((at, is_in)) = seen(app, place).await? else { return Ok(EndOutcome::Done) };
        if !is_in {
            return Ok(EndOutcome::Done);
        }
        match around(point!("scim.place.take"), app.change(Sort::Group, &at, &Change::remove_member(person_id))).await {
            Err(no) if no.is(412) => {}
            other => other?,
        }
    }
    Ok(EndOutcome::Retry { why: format!("read back, `{person}` is still in `{group}`") })
}

/// Whether a place is there.
pub(crate) async fn read_back(app: &Application, place: Place<'_>) -> Result<Presence, Fail> {
    let Place { group, group_id, person, person_id } = place;
    let at = app.name();
    Ok(match seen(app, place).await? {
        None => Presence::Absent { proof: format!("{at}: there is no group {group_id}, once `{group}`") },
        Some((_, true)) => {
            Presence::Present { seen: format!("{at}: `{group}` ({group_id}) has the member `{person}` ({person_id})") }
        }
        Some((_, false)) => {
            Presence::Absent { proof: format!("{at}: `{group}` ({group_id}) has no member `{person}` ({person_id})") }
        }
    })
}
