//! One place in one group: looked up, made, taken, and read back, each on one connection to one server.
//!
//! INVARIANT: a place is touched only in the group that was looked up, whatever it is called now, and never in
//! another that has taken its name (held by `a_group_made_anew_under_the_name_is_another`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wane_connector::{Created, EndOutcome, Handed, Prepared, Presence};
use wane_domain::directory::Person;
use wane_domain::lease::LeaseData;
use wane_failpoint::{around, point};
use wane_ldap::{EntryId, Fail, Session, code};

use crate::role::{Attribute, Definition};
use crate::settings::{Settings, same};
use crate::who::{self, Known};

/// How many values one place can have had: its person was renamed so often.
const MOST_VALUES: usize = 16;

/// What is kept of a place: enough to take it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub(crate) group: String,
    pub(crate) group_id: String,
    pub(crate) person: String,
    pub(crate) person_id: String,
    pub(crate) attribute: Attribute,
    /// What stands, or stood, in the group for them.
    pub(crate) values: Vec<String>,
}

impl Notes {
    pub(crate) fn of(lease: &LeaseData) -> Result<Self, Fail> {
        serde_json::from_value(lease.notes.clone())
            .map_err(|e| Fail::refused(format!("what was looked up is lost: {e}")))
    }

    pub(crate) fn group_id(&self) -> Result<EntryId, Fail> {
        EntryId::parse(&self.group_id).ok_or_else(|| Fail::refused("the group's id is unreadable"))
    }

    pub(crate) fn person_id(&self) -> Result<EntryId, Fail> {
        EntryId::parse(&self.person_id).ok_or_else(|| Fail::refused("the person's id is unreadable"))
    }
}

/// What stands for somebody in a group.
fn value(attribute: Attribute, person: &Known) -> Result<String, Fail> {
    match attribute {
        Attribute::Member | Attribute::UniqueMember => Ok(person.dn.clone()),
        Attribute::MemberUid => person.entry.only("uid").map(str::to_owned).ok_or_else(|| {
            Fail::refused(format!(
                "`{}` has no `uid`, or more than one; a posixGroup names its members by it",
                person.dn
            ))
        }),
    }
}

/// Who is meant, where, and whether they are there.
pub(crate) async fn prepare(
    session: &mut Session,
    settings: &Settings,
    role: &Definition,
    holder: &Person,
) -> Result<Prepared, Fail> {
    if !settings.gives(&role.group) {
        return Err(Fail::refused(format!("group `{}` is not among the resource's `groups`", role.group)));
    }
    let group = who::group(session, &role.group).await?;
    let person = who::person(session, &settings.people, holder).await?;
    let value = value(role.attribute, &person)?;
    if settings.placeholder.as_ref().is_some_and(|placeholder| same(placeholder, &value)) {
        return Err(Fail::refused(format!("`{value}` is the resource's `placeholder`, and nobody's place")));
    }
    let attribute = role.attribute.name();
    let there = session.has(&group.dn, attribute, &value).await?;
    let notes = Notes {
        group: group.dn.clone(),
        group_id: group.id.to_string(),
        person: person.dn,
        person_id: person.id.to_string(),
        attribute: role.attribute,
        values: vec![value.clone()],
    };
    Ok(Prepared {
        object: format!("{attribute}/{}/{}", group.id, person.id),
        notes: serde_json::to_value(notes).map_err(|e| Fail::refused(e.to_string()))?,
        there: there.then(|| format!("`{}` had `{attribute}` `{value}`, seen on {}", group.dn, session.url)),
    })
}

/// Makes the place of a lease, or finds it made.
pub(crate) async fn create(session: &mut Session, settings: &Settings, lease: &LeaseData) -> Result<Created, Fail> {
    let mut notes = Notes::of(lease)?;
    let gone = |what: &str, dn: &str| {
        Fail::refused(format!("{what} `{dn}` is gone from the directory; another of its name is not meant"))
    };
    let group = who::locate(session, &settings.base, &notes.group, &notes.group_id()?).await?;
    let group = group.ok_or_else(|| gone("the group", &notes.group))?;
    let person = who::locate(session, &settings.base, &notes.person, &notes.person_id()?).await?;
    let person = person.ok_or_else(|| gone("the entry", &notes.person))?;
    let attribute = notes.attribute.name();
    let value = match notes.attribute {
        Attribute::Member | Attribute::UniqueMember => person.dn.clone(),
        Attribute::MemberUid => notes.values.first().cloned().unwrap_or_default(),
    };
    if !session.has(&group.dn, attribute, &value).await? {
        // INVARIANT: nothing is made in the name of what was there before: it would stay (held by the kit).
        if lease.standing.is_some() {
            return Err(Fail::refused(format!(
                "`{value}` was in `{}` before this grant, and somebody took them out since; return the grant and ask anew",
                group.dn
            )));
        }
        if !notes.values.contains(&value) && notes.values.len() >= MOST_VALUES {
            return Err(Fail::refused(format!("`{}` was renamed too often", person.dn)));
        }
        match around(point!("ldap.create.add"), session.change(&group.dn, attribute, &[&value], &[])).await {
            // Somebody else was quicker; what counts is read back.
            Err(no) if no.is(code::EXISTS) => {}
            other => other?,
        }
        if !session.has(&group.dn, attribute, &value).await? {
            return Err(Fail::refused(format!("read back on {}, `{value}` is not in `{}`", session.url, group.dn)));
        }
    }
    if !notes.values.contains(&value) {
        notes.values.push(value.clone());
    }
    Ok(Created {
        object: lease.object.clone(),
        notes: serde_json::to_value(&notes).map_err(|e| Fail::refused(e.to_string()))?,
        handed: Handed {
            public: json!({
                "group": group.dn,
                "member": value,
                "how": "sign in again where the directory's groups count; what you opened before may not know yet",
            }),
            secret: None,
            not_after: None,
        },
    })
}

/// Everything that stands in a group for a person now, and the group; nothing if the group is gone.
async fn standing_in(
    session: &mut Session,
    settings: &Settings,
    notes: &Notes,
) -> Result<Option<(Known, Vec<String>)>, Fail> {
    let Some(group) = who::locate(session, &settings.base, &notes.group, &notes.group_id()?).await? else {
        return Ok(None);
    };
    let mut values = notes.values.clone();
    if matches!(notes.attribute, Attribute::Member | Attribute::UniqueMember)
        && let Some(person) = who::locate(session, &settings.base, &notes.person, &notes.person_id()?).await?
        && !values.iter().any(|v| same(v, &person.dn))
    {
        // Renamed: a directory that keeps its references whole has written the new name by itself.
        values.push(person.dn);
    }
    let mut there = Vec::new();
    for value in values {
        if session.has(&group.dn, notes.attribute.name(), &value).await? {
            there.push(value);
        }
    }
    Ok(Some((group, there)))
}

/// Takes the place of a lease, and reads back on the same server.
pub(crate) async fn end(session: &mut Session, settings: &Settings, lease: &LeaseData) -> Result<EndOutcome, Fail> {
    let notes = Notes::of(lease)?;
    let Some((group, there)) = standing_in(session, settings, &notes).await? else { return Ok(EndOutcome::Done) };
    let attribute = notes.attribute.name();
    for value in there {
        let taken = around(point!("ldap.end.take"), session.change(&group.dn, attribute, &[], &[&value])).await;
        match taken {
            Err(no) if no.is(code::NO_SUCH_ATTRIBUTE) => {}
            Err(no) if no.is(code::CLASS_VIOLATION) => {
                if let Some(stuck) = take_the_last(session, settings, &group, attribute, &value, &no).await? {
                    return Ok(stuck);
                }
            }
            other => other?,
        }
        if session.has(&group.dn, attribute, &value).await? {
            return Ok(EndOutcome::Retry {
                why: format!("read back on {}, `{value}` is still in `{}`", session.url, group.dn),
            });
        }
    }
    Ok(EndOutcome::Done)
}

/// Takes the last member of a group whose schema wants one, by leaving the placeholder.
async fn take_the_last(
    session: &mut Session,
    settings: &Settings,
    group: &Known,
    attribute: &str,
    value: &str,
    no: &Fail,
) -> Result<Option<EndOutcome>, Fail> {
    let Some(placeholder) = &settings.placeholder else {
        let why = format!(
            "`{value}` is the last member of `{}`, and the schema wants one ({no}); add another member, or set the resource's `placeholder` to an entry that nobody can use",
            group.dn
        );
        return Ok(Some(EndOutcome::Quarantined { why }));
    };
    let changed = around(point!("ldap.end.swap"), session.change(&group.dn, attribute, &[placeholder], &[value])).await;
    match changed {
        Ok(()) => Ok(None),
        Err(Fail::Refused { why, .. }) => Ok(Some(EndOutcome::Quarantined {
            why: format!("`{value}` is the last member of `{}`, and the placeholder was refused: {why}", group.dn),
        })),
        Err(other) => Err(other),
    }
}

/// Whether a place is there.
pub(crate) async fn read_back(session: &mut Session, settings: &Settings, lease: &LeaseData) -> Result<Presence, Fail> {
    let notes = Notes::of(lease)?;
    let server = session.url.clone();
    Ok(match standing_in(session, settings, &notes).await? {
        None => Presence::Absent {
            proof: format!("{server}: no entry with {} is there, once `{}`", notes.group_id, notes.group),
        },
        Some((group, there)) if there.is_empty() => Presence::Absent {
            proof: format!(
                "{server}: `{}` has no `{}` {}",
                group.dn,
                notes.attribute.name(),
                notes.values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(" nor ")
            ),
        },
        Some((group, there)) => Presence::Present {
            seen: format!("{server}: `{}` has `{}` `{}`", group.dn, notes.attribute.name(), there.join("`, `")),
        },
    })
}

/// The notes, for a reader who only compares.
pub(crate) fn notes_of(value: &Value) -> Option<Notes> {
    serde_json::from_value(value.clone()).ok()
}
