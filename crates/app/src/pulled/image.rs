//! A directory as it was told: its people and the members of our groups, whole, and then moved along with each notice.

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::text::Name;
use wane_ldap::Entry;

use super::PullRules;

/// How many people a directory has at most.
pub(super) const MOST_PEOPLE: usize = 200_000;
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

/// Somebody's entry: what is said of them, and what members of groups are called by.
#[derive(Clone, Debug)]
struct Known {
    dn: String,
    called: String,
    uid: Option<String>,
    /// The group somebody of Active Directory is in without being its `member` (MS-ADTS 3.1.1.1.4, `primaryGroupID`).
    primary: Option<u32>,
    told: Told,
}

/// Who is in a group there.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    named: Vec<String>,
    /// What those call it whose primary group it is.
    rid: Option<u32>,
}

impl Members {
    /// Those that are listed in a group.
    pub(super) fn of(group: &Entry, named: Vec<String>) -> Self {
        // The last part of a security identifier (MS-DTYP 2.4.2.2).
        let sid = group.values("objectSid").next().filter(|sid| sid.len() >= 12);
        let rid = sid.and_then(|sid| sid.last_chunk::<4>()).map(|last| u32::from_le_bytes(*last));
        Self { named, rid }
    }
}

/// The directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    people: BTreeMap<String, Known>,
    /// Members by the names of the groups there; none of one that is not there.
    groups: BTreeMap<String, Option<Members>>,
    /// Entries of which it cannot be told which they are, by their names.
    nameless: BTreeSet<String>,
}

impl Image {
    /// Somebody is there, as they are now.
    pub(super) fn person(&mut self, rules: &PullRules, entry: &Entry) {
        let Some(id) = entry.id().map(|id| id.to_string()) else {
            self.nameless.insert(entry.dn.clone());
            return;
        };
        let uid = entry.only("uid").map(str::to_owned);
        let primary = entry.only("primaryGroupID").and_then(|rid| rid.parse().ok());
        let known = Known { called: plain(&entry.dn), dn: entry.dn.clone(), uid, primary, told: told(entry, rules) };
        self.people.insert(id, known);
    }

    /// Somebody is there no more.
    pub(super) fn gone(&mut self, id: &str) {
        self.people.remove(id);
    }

    /// Somebody may do nothing, whatever their entry says by itself.
    pub(super) fn disable(&mut self, id: &str) {
        if let Some(known) = self.people.get_mut(id) {
            known.told.disabled = true;
        }
    }

    /// What somebody's entry is called.
    pub(super) fn dn(&self, id: &str) -> Option<&str> {
        self.people.get(id).map(|known| known.dn.as_str())
    }

    /// Who is in a group; none if it is not there.
    pub(super) fn group(&mut self, dn: &str, members: Option<Members>) {
        self.groups.insert(dn.to_owned(), members);
    }

    /// How many people it holds.
    pub(super) fn len(&self) -> usize {
        self.people.len()
    }

    /// What it comes to.
    pub(super) fn word(&self, rules: &PullRules) -> Word {
        let mut word = Word::default();
        let unnamed = self.nameless.iter().map(|dn| format!("`{dn}` shows neither entryUUID nor objectGUID"));
        word.refused.extend(unnamed);
        let (mut by_dn, mut by_uid) = (BTreeMap::new(), BTreeMap::new());
        let mut by_primary: BTreeMap<u32, Vec<&String>> = BTreeMap::new();
        for (id, known) in &self.people {
            by_dn.insert(known.called.as_str(), id);
            by_uid.extend(known.uid.as_deref().map(|uid| (uid, id)));
            if let Some(rid) = known.primary {
                by_primary.entry(rid).or_default().push(id);
            }
            word.people.insert(id.clone(), known.told.clone());
        }
        let by_uids = rules.member_attribute.eq_ignore_ascii_case("memberUid");
        for (dn, ours) in &rules.groups {
            let Some(members) = self.groups.get(dn).and_then(Option::as_ref) else {
                word.refused.push(format!("there is no group `{dn}`, or it is not to be seen"));
                word.groups.entry(ours.clone()).or_default();
                continue;
            };
            let known = |member: &String| {
                let found = if by_uids { by_uid.get(member.as_str()) } else { by_dn.get(plain(member).as_str()) };
                found.map(|id| (*id).clone())
            };
            let primary =
                members.rid.and_then(|rid| by_primary.get(&rid)).into_iter().flatten().map(|id| (*id).clone());
            let ids = members.named.iter().filter_map(known).chain(primary);
            word.groups.entry(ours.clone()).or_default().extend(ids);
        }
        word
    }
}

fn told(entry: &Entry, rules: &PullRules) -> Told {
    let attributes = rules.attributes.iter();
    Told {
        name: entry.only(&rules.name_attribute).map(str::to_owned),
        display: entry.texts(&rules.display_attribute).next().map(str::to_owned),
        attributes: attributes
            .filter_map(|(ours, theirs)| Some((ours.clone(), entry.texts(theirs).next()?.to_owned())))
            .collect(),
        disabled: is_disabled(entry.texts("pwdAccountLockedTime"), entry.only("userAccountControl")),
    }
}

/// Whether an entry says by itself that its person may do nothing.
fn is_disabled<'a>(mut locked: impl Iterator<Item = &'a str>, flags: Option<&str>) -> bool {
    let flags = flags.and_then(|flags| flags.parse::<i64>().ok()).unwrap_or_default();
    locked.any(|at| at == LOCKED_FOR_GOOD) || flags & ACCOUNT_DISABLED != 0
}

/// A name of an entry, without what says nothing: case, and spaces beside the marks between its parts. What is escaped
/// is no mark, nor is an equals sign within a value: those say which entry it is.
fn plain(dn: &str) -> String {
    let mut out = String::with_capacity(dn.len());
    // Up to where nothing is taken off: what was escaped stays.
    let mut kept = 0;
    let (mut escaped, mut after_mark, mut in_value) = (false, false, false);
    for c in dn.to_lowercase().chars() {
        if c == ' ' && after_mark {
            continue;
        }
        after_mark = !escaped && (matches!(c, ',' | '+') || c == '=' && !in_value);
        if after_mark {
            out.truncate(out.trim_end_matches(' ').len().max(kept));
            in_value = c == '=';
        }
        out.push(c);
        if escaped {
            kept = out.len();
        }
        escaped = c == '\\' && !escaped;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Image, Known, Told, is_disabled, plain};

    #[test]
    fn who_is_gone_or_disabled_there_is_nobody_else() {
        let known = |called: &str| {
            let told =
                Told { name: Some(called.to_owned()), display: None, attributes: BTreeMap::new(), disabled: false };
            let dn = format!("CN={called}");
            (called.to_owned(), Known { called: plain(&dn), dn, uid: None, primary: None, told })
        };
        let mut image = Image { people: ["anna", "bert", "cora"].map(known).into(), ..Image::default() };
        assert_eq!((image.len(), image.dn("bert"), image.dn("dirk")), (3, Some("CN=bert"), None));
        image.disable("bert");
        image.gone("cora");
        let left = image.people.iter().map(|(id, known)| (id.as_str(), known.told.disabled));
        assert!(left.eq([("anna", false), ("bert", true)]), "{image:?}");
    }

    #[test]
    fn who_is_locked_for_some_minutes_or_has_other_marks_is_not_disabled() {
        for (locked, flags, disabled) in [
            (&[][..], None, false),
            (&["000001010000Z"], None, true),
            (&["20261121100000Z"], None, false),
            (&["20261121100000Z", "000001010000Z"], None, true),
            (&[], Some("514"), true),
            (&[], Some("512"), false),
            (&[], Some("many"), false),
            (&["20261121100000Z"], Some("66050"), true),
        ] {
            assert_eq!(is_disabled(locked.iter().copied(), flags), disabled, "{locked:?} {flags:?}");
        }
    }

    #[test]
    fn a_name_is_the_same_however_it_is_spaced() {
        assert_eq!(plain("UID=Alice , OU = People,DC=x"), "uid=alice,ou=people,dc=x");
        assert_eq!(plain("cn=O\\, Neil + uid = b,dc=x"), "cn=o\\, neil+uid=b,dc=x");
        assert_eq!(plain("cn=ends in \\\\ , dc=x"), "cn=ends in \\\\,dc=x");
    }

    #[test]
    fn what_is_part_of_a_value_tells_two_names_apart() {
        for (one, other) in [("cn=a b,dc=x", "cn=ab,dc=x"), ("cn=a = b", "cn=a=b"), ("cn=a\\ ,dc=x", "cn=a\\,dc=x")] {
            assert_ne!(plain(one), plain(other));
        }
    }
}
