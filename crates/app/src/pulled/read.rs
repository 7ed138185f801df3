//! One reading of a directory, whole or not at all.

use wane_ldap::{Fail, Scope, Session};

use super::PullRules;
use super::image::{Image, MOST_PEOPLE, Members};

/// How many members a group has at most.
const MOST_MEMBERS: usize = 200_000;

/// The attributes of people that are asked for.
pub(super) fn of_people(rules: &PullRules) -> Vec<&str> {
    let mut wanted: Vec<&str> = rules.attributes.values().map(String::as_str).collect();
    wanted.extend([
        &*rules.name_attribute,
        &rules.display_attribute,
        "uid",
        "userAccountControl",
        "primaryGroupID",
        "pwdAccountLockedTime",
    ]);
    wanted
}

/// Reads all of it.
pub(super) async fn read(session: &mut Session, rules: &PullRules) -> Result<Image, Fail> {
    let (base, filter) = (&rules.people_base, &rules.people_filter);
    let entries = session.all(base, Scope::Subtree, filter, &of_people(rules), MOST_PEOPLE).await?;
    let mut image = Image::default();
    for entry in &entries {
        image.person(rules, entry);
    }
    disabled(session, rules, &mut image).await?;
    for dn in rules.groups.keys() {
        let members = members(session, rules, dn).await?;
        image.group(dn, members);
    }
    Ok(image)
}

/// Finds those of the people whom the settings say may do nothing.
pub(super) async fn disabled(session: &mut Session, rules: &PullRules, image: &mut Image) -> Result<(), Fail> {
    let Some(also) = &rules.disabled_filter else { return Ok(()) };
    let filter = format!("(&{}{also})", rules.people_filter);
    let found = session.all(&rules.people_base, Scope::Subtree, &filter, &[], MOST_PEOPLE).await?;
    for id in found.iter().filter_map(wane_ldap::Entry::id) {
        image.disable(&id.to_string());
    }
    Ok(())
}

/// Who is in a group there; nothing if there is no such group.
pub(super) async fn members(session: &mut Session, rules: &PullRules, dn: &str) -> Result<Option<Members>, Fail> {
    let Some(group) = session.entry(dn, &["objectSid"]).await? else { return Ok(None) };
    let named = session.values(dn, &rules.member_attribute, MOST_MEMBERS).await?;
    Ok(Some(Members::of(&group, named)))
}
