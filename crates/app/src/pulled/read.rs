//! One reading of a directory, whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::text::Name;
use wane_domain::time::Time;
use wane_ldap::{Entry, Fail, Scope, Session};

use super::{PullRules, PulledDirectory};

/// How many people a directory has at most.
const MOST_PEOPLE: usize = 200_000;
/// How many members a group has at most.
const MOST_MEMBERS: usize = 200_000;
/// What a policy of passwords writes into an account that an administrator has locked for good; any other value
/// is a lock of some minutes, which anybody brings about by wrong passwords.
const LOCKED_FOR_GOOD: &str = "000001010000Z";
/// `ACCOUNTDISABLE` of `userAccountControl` (MS-ADTS 2.2.16).
const ACCOUNT_DISABLED: i64 = 2;

/// Somebody, as the directory has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// What is to be their name here, as it stands there.
    pub(super) name: Option<String>,
    pub(super) display: Option<String>,
    pub(super) attributes: BTreeMap<Name, String>,
    pub(super) disabled: bool,
}

/// What a directory says.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    /// Its people, by the ids of their entries.
    pub(super) people: BTreeMap<String, Told>,
    /// Who of them is in our groups.
    pub(super) groups: BTreeMap<Name, BTreeSet<String>>,
    /// What could not be taken.
    pub(super) refused: Vec<String>,
}

/// Reads all of it.
pub(super) async fn read(directory: &PulledDirectory, now: Time) -> Result<Word, Fail> {
    let rules = &directory.rules;
    let mut session = Session::open(&directory.place, Some(&directory.credential), now).await?;
    let mut wanted: Vec<&str> = rules.attributes.values().map(String::as_str).collect();
    wanted.extend([
        &*rules.name_attribute,
        &rules.display_attribute,
        "uid",
        "userAccountControl",
        "pwdAccountLockedTime",
    ]);
    let entries = session.all(&rules.people_base, Scope::Subtree, &rules.people_filter, &wanted, MOST_PEOPLE).await?;
    let disabled: BTreeSet<String> = match &rules.disabled_filter {
        None => BTreeSet::new(),
        Some(also) => {
            let filter = format!("(&{}{also})", rules.people_filter);
            let found = session.all(&rules.people_base, Scope::Subtree, &filter, &[], MOST_PEOPLE).await?;
            found.iter().filter_map(|entry| Some(entry.id()?.to_string())).collect()
        }
    };
    let mut word = Word::default();
    let (mut by_dn, mut by_uid) = (BTreeMap::new(), BTreeMap::new());
    for entry in &entries {
        let Some(id) = entry.id().map(|id| id.to_string()) else {
            word.refused.push(format!("`{}` shows neither entryUUID nor objectGUID", entry.dn));
            continue;
        };
        by_dn.insert(plain(&entry.dn), id.clone());
        by_uid.extend(entry.only("uid").map(|uid| (uid.to_owned(), id.clone())));
        word.people.insert(id.clone(), told(entry, rules, disabled.contains(&id)));
    }
    let by_uids = rules.member_attribute.eq_ignore_ascii_case("memberUid");
    for (dn, ours) in &rules.groups {
        if session.entry(dn, &["objectClass"]).await?.is_none() {
            word.refused.push(format!("there is no group `{dn}`, or it is not to be seen"));
        }
        let members = session.values(dn, &rules.member_attribute, MOST_MEMBERS).await?;
        let known = |member: &String| if by_uids { by_uid.get(member) } else { by_dn.get(&plain(member)) };
        let ids = members.iter().filter_map(known).cloned();
        word.groups.entry(ours.clone()).or_default().extend(ids);
    }
    Ok(word)
}

fn told(entry: &Entry, rules: &PullRules, disabled: bool) -> Told {
    let by_policy = entry.texts("pwdAccountLockedTime").any(|at| at == LOCKED_FOR_GOOD);
    let flags = entry.only("userAccountControl").and_then(|flags| flags.parse::<i64>().ok()).unwrap_or_default();
    let attributes = rules.attributes.iter();
    Told {
        name: entry.only(&rules.name_attribute).map(str::to_owned),
        display: entry.texts(&rules.display_attribute).next().map(str::to_owned),
        attributes: attributes
            .filter_map(|(ours, theirs)| Some((ours.clone(), entry.texts(theirs).next()?.to_owned())))
            .collect(),
        disabled: disabled || by_policy || flags & ACCOUNT_DISABLED != 0,
    }
}

/// A name of an entry, without what says nothing: case, and spaces beside commas and equals signs.
fn plain(dn: &str) -> String {
    let mut out = String::with_capacity(dn.len());
    let mut escaped = false;
    for c in dn.to_lowercase().chars() {
        let after_mark = out.ends_with([',', '=']) && !out.ends_with("\\,") && !out.ends_with("\\=");
        if c == ' ' && after_mark {
            continue;
        }
        if matches!(c, ',' | '=') && !escaped {
            out.truncate(out.trim_end_matches(' ').len());
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_name_is_the_same_however_it_is_spaced() {
        assert_eq!(plain("UID=Alice , OU = People,DC=x"), "uid=alice,ou=people,dc=x");
        assert_eq!(plain("cn=O\\, Neil,dc=x"), "cn=o\\, neil,dc=x");
        assert_ne!(plain("cn=a b,dc=x"), plain("cn=ab,dc=x"));
    }
}
