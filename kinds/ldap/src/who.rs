//! Whose entry is meant: found by one attribute with exactly their value, told from then on by its id.

use wane_connector::Target;
use wane_domain::directory::Person;
use wane_domain::text::Name;
use wane_ldap::{Entry, EntryId, Fail, Scope, Session, in_filter};

use crate::settings::People;

/// An entry that was found, and which it is.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) dn: String,
    pub(crate) id: EntryId,
    pub(crate) entry: Entry,
}

impl Known {
    fn of(entry: Entry) -> Result<Self, Fail> {
        let id = entry.id().ok_or_else(|| {
            Fail::refused(format!(
                "`{}` shows neither entryUUID nor objectGUID; let the connector read it, or it cannot be told from another of its name",
                entry.dn
            ))
        })?;
        Ok(Self { dn: entry.dn.clone(), id, entry })
    }
}

/// The text that is theirs and nobody else's.
pub(crate) fn value_of<'a>(people: &People, person: &'a Person) -> Result<&'a str, Fail> {
    if people.is == "name" {
        return Ok(person.name.as_str());
    }
    let attribute: Option<Name> = people.is.parse().ok();
    attribute.and_then(|a| person.attributes.get(&a)).map(|line| line.as_str()).ok_or_else(|| {
        Fail::refused(format!(
            "person `{}` has no attribute `{}` in Wane, by which their entry is found; enter it",
            person.name, people.is
        ))
    })
}

/// The one entry of a person.
///
/// INVARIANT: a directory compares without regard to case, to forms of Unicode and to spaces; what it found is
/// therefore compared once more, byte for byte, so that nobody gets the place of somebody who is almost called
/// like them (held by `almost_the_same_name_is_somebody_else`).
pub(crate) async fn person(session: &mut Session, people: &People, holder: &Person) -> Result<Known, Fail> {
    let wanted = value_of(people, holder)?;
    let attribute = &people.attribute;
    let theirs = format!("({attribute}={})", in_filter(wanted));
    let filter = people.filter.as_ref().map_or_else(|| theirs.clone(), |also| format!("(&{theirs}{also})"));
    let mut found = session.few(&people.base, Scope::Subtree, &filter, &[attribute, "uid", "objectClass"]).await?;
    let (Some(one), true) = (found.pop(), found.is_empty()) else {
        let how_many = if found.is_empty() { "no entry has" } else { "more than one entry has" };
        return Err(Fail::refused(format!("{how_many} `{attribute}` {wanted} below `{}`", people.base)));
    };
    if !one.texts(attribute).any(|is| is == wanted) {
        let is: Vec<&str> = one.texts(attribute).take(3).collect();
        return Err(Fail::refused(format!(
            "`{}` has `{attribute}` {}, which is not written as `{wanted}` is in Wane; make them equal, letter by letter",
            one.dn,
            is.join(", ")
        )));
    }
    Known::of(one)
}

/// The group of a name.
pub(crate) async fn group(session: &mut Session, dn: &str) -> Result<Known, Fail> {
    let found = session.entry(dn, &["objectClass"]).await?;
    Known::of(found.ok_or_else(|| Fail::refused(format!("there is no entry `{dn}`, or the connector may not see it")))?)
}

/// Where an entry is now: under the name it had, or wherever it was moved to. Nothing if it is nowhere.
pub(crate) async fn locate(session: &mut Session, base: &str, dn: &str, id: &EntryId) -> Result<Option<Known>, Fail> {
    if let Some(entry) = session.entry(dn, &["objectClass"]).await?
        && entry.id().as_ref() == Some(id)
    {
        return Known::of(entry).map(Some);
    }
    let mut found = session.few(base, Scope::Subtree, &id.filter(), &["objectClass"]).await.map_err(|no| {
        let nowhere = no.is(wane_ldap::code::NO_SUCH_OBJECT);
        // A base that is not there would make everything below it absent.
        if nowhere { Fail::refused(format!("`base` `{base}` is not there, or not to be seen")) } else { no }
    })?;
    match found.pop() {
        None if session.entry(base, &["objectClass"]).await?.is_none() => {
            Err(Fail::refused(format!("`base` `{base}` is not there, or not to be seen")))
        }
        None => Ok(None),
        Some(entry) => Known::of(entry).map(Some),
    }
}

pub(crate) async fn open(target: &Target<'_>, place: &wane_ldap::Place) -> Result<Session, Fail> {
    Session::open(place, target.credential, target.now).await
}
