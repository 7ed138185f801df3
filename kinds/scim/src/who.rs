//! Who is meant: found by one attribute with exactly their value, told from then on by the application's own id.

use wane_domain::directory::Person;
use wane_domain::text::Name;

use crate::application::{Application, Fail, Sort, literal};
use crate::resource::Resource;
use crate::settings::People;

/// The text that is theirs and nobody else's.
pub(crate) fn value_of<'a>(people: &People, person: &'a Person) -> Result<&'a str, Fail> {
    if people.is == "name" {
        return Ok(person.name.as_str());
    }
    attribute(&people.is, person).ok_or_else(|| {
        Fail::refused(format!(
            "person `{}` has no attribute `{}` in Wane, by which their account is found; enter it",
            person.name, people.is
        ))
    })
}

pub(crate) fn attribute<'a>(named: &str, person: &'a Person) -> Option<&'a str> {
    let attribute: Name = named.parse().ok()?;
    person.attributes.get(&attribute).map(|line| line.as_str())
}

/// The one account with a value; nothing if there is none.
///
/// INVARIANT: an application compares without regard to case, and may take less into account; what it found is therefore
/// compared once more, byte for byte, so that nobody gets what is somebody's who is almost called like them (held by
/// `almost_the_same_name_is_somebody_else`).
pub(crate) async fn account(app: &Application, attribute: &str, wanted: &str) -> Result<Option<Resource>, Fail> {
    one(app, Sort::User, attribute, wanted, "account").await
}

/// The one group of a display name.
pub(crate) async fn group(app: &Application, name: &str) -> Result<Resource, Fail> {
    let found = one(app, Sort::Group, "displayName", name, "group").await?;
    found.ok_or_else(|| Fail::refused(format!("there is no group `{name}`, or Wane's token may not see it")))
}

async fn one(
    app: &Application,
    sort: Sort,
    attribute: &str,
    wanted: &str,
    what: &str,
) -> Result<Option<Resource>, Fail> {
    let mut found = app.find(sort, Some(&format!("{attribute} eq {}", literal(wanted)))).await?;
    let Some(one) = found.pop() else { return Ok(None) };
    if !found.is_empty() {
        return Err(Fail::refused(format!("more than one {what} has `{attribute}` `{wanted}`")));
    }
    let is = one.texts(attribute);
    if is.contains(&wanted) {
        return Ok(Some(one));
    }
    let is: Vec<String> =
        is.iter().take(3).map(|is| is.chars().filter(|c| !c.is_control()).take(64).collect()).collect();
    Err(Fail::refused(format!(
        "the {what} that it found has `{attribute}` `{}`, which is not written as `{wanted}` is in Wane; make them equal, letter by letter",
        is.join("`, `")
    )))
}
