//! What a directory's word of somebody comes to here. Pure: rules and what was said in, what is to be so out.

use std::collections::HashSet;

use serde_json::{Map, Value};
use wane_domain::directory::{Directory, Person};
use wane_domain::id::PersonId;
use wane_domain::text::{Line, Name, TextError};
use wane_domain::world::World;
use wane_scim::path::text;
use wane_scim::resource::Sent;
use wane_scim::schema::{ENTERPRISE, ResourceKind};
use wane_scim::{Kind, Refused};

/// All that was said, with what the directory calls it.
pub(super) fn whole(sent: &Sent) -> Map<String, Value> {
    let mut whole = sent.doc.clone();
    whole.extend(sent.external.clone().map(|external| ("externalId".to_owned(), Value::String(external))));
    whole
}

/// What somebody is called here. As it stands: to change a letter of it could make it somebody else's.
pub(super) fn name_of(directory: &Directory, whole: &Map<String, Value>) -> Result<Name, Refused> {
    let path = &directory.rules.name;
    let said = text(ResourceKind::User, path, whole)?;
    let said = said.ok_or_else(|| wrong(format!("`{path}` is needed: it is what people are called here")))?;
    said.parse().map_err(|e: TextError| wrong(format!("`{path}`: {e}; have the directory send such a name")))
}

/// Somebody as the directory describes them: what it does not say any more is gone.
pub(super) fn described(
    world: &World,
    directory: &Directory,
    keeper: &Name,
    whole: &Map<String, Value>,
    person: &Person,
) -> Result<Person, Refused> {
    let mut described = person.clone();
    described.display = display(directory, whole, &person.name)?;
    for (name, path) in &directory.rules.attributes {
        match text(ResourceKind::User, path, whole)? {
            Some(said) => {
                let fact = said.parse().map_err(|e| wrong(format!("`{path}`, which is `{name}` here: {e}")))?;
                described.attributes.insert(name.clone(), fact);
            }
            None => drop(described.attributes.remove(name)),
        }
    }
    described.manager = manager(world, keeper, whole, person.id)?;
    Ok(described)
}

fn display(directory: &Directory, whole: &Map<String, Value>, name: &Name) -> Result<Line, Refused> {
    let part = |path: &str| text(ResourceKind::User, path, whole);
    let mut said = part(&directory.rules.display)?;
    if said.is_none() {
        said = part("name.formatted")?;
    }
    if said.is_none() {
        let both: Vec<String> = [part("name.givenName")?, part("name.familyName")?].into_iter().flatten().collect();
        said = Some(both.join(" ")).filter(|both| !both.is_empty());
    }
    let said = said.unwrap_or_else(|| name.to_string());
    said.parse().map_err(|e: TextError| wrong(format!("the name people read: {e}")))
}

/// The longest chain of managers that is followed.
const HIGHEST: usize = 1000;

fn manager(
    world: &World,
    keeper: &Name,
    whole: &Map<String, Value>,
    person: PersonId,
) -> Result<Option<PersonId>, Refused> {
    let part = |name: &str| whole.get(ENTERPRISE)?.get("manager")?.get(name)?.as_str();
    let Some(said) = part("value").or_else(|| part("$ref")?.rsplit('/').next()) else { return Ok(None) };
    let id = said.parse().ok().filter(|id| is_kept(world, keeper, *id));
    let id = id.ok_or_else(|| wrong("the manager is nobody of this directory; push them first".to_owned()))?;
    // Whoever manages themselves, by however many others, could approve for themselves.
    let (mut at, mut seen) = (Some(id), HashSet::new());
    while let Some(next) = at {
        if next == person || seen.len() > HIGHEST {
            return Err(wrong("nobody manages themselves, nor through others".to_owned()));
        }
        if !seen.insert(next) {
            break;
        }
        at = world.people.get(&next).and_then(|one| one.manager);
    }
    Ok(Some(id))
}

/// Whether somebody is kept by a directory.
pub(super) fn is_kept(world: &World, keeper: &Name, person: PersonId) -> bool {
    world.people.get(&person).is_some_and(|one| one.kept_by.as_ref() == Some(keeper))
}

/// What a group is called here: what it is mapped to, or the directory's name and its own.
pub(super) fn group_name(directory: &Directory, display: &str) -> Result<Name, Refused> {
    if let Some(name) = directory.rules.groups.get(display) {
        return Ok(name.clone());
    }
    let called = &directory.name;
    format!("{called}.{display}").parse().map_err(|_| {
        wrong(format!(
            "`{called}.` and the group's name make no name that groups have here (a-z, 0-9, `.`, `_`, `-`, at most 63); map it: `wane directory change {called} --group 'ITS NAME=NAME'`"
        ))
    })
}

pub(super) fn wrong(why: String) -> Refused {
    Refused::new(Kind::InvalidValue, why)
}
