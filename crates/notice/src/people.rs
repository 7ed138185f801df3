//! Who gets mail, and where: two attributes of a person.

use wane_domain::directory::{Person, Standing};
use wane_domain::text::Name;

use crate::kind::Class;

/// Where a person gets mail: their attribute `email`.
#[must_use]
pub fn address(person: &Person) -> Option<&str> {
    attribute(person, "email")
}

/// Whether a person is there to get a notice of this sort, and wants it: who has `notices` set to `few` wants no news.
///
/// INVARIANT: nobody can do without notices of security (held by `less_mail_is_never_less_security`).
#[must_use]
pub fn wants(person: &Person, class: Class) -> bool {
    let few = attribute(person, "notices") == Some("few");
    let there = person.standing == Standing::Active || class == Class::Security;
    address(person).is_some() && there && (class != Class::News || !few)
}

fn attribute<'p>(person: &'p Person, name: &str) -> Option<&'p str> {
    let name: Name = name.parse().ok()?;
    person.attributes.get(&name).map(|line| line.as_str()).filter(|text| !text.is_empty())
}
