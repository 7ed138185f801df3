//! What is to be done about a directory's word. Pure: people, groups and the word in, what changes out.
//!
//! INVARIANT: a directory never makes anybody active again, and never extends anything: it enters, describes,
//! disables, and says who is in its groups (held by `who_is_disabled_here_stays_so`).

use std::collections::{BTreeMap, BTreeSet};

use wane_domain::directory::{Group, Person, Standing};
use wane_domain::id::PersonId;
use wane_domain::text::{Line, Name};
use wane_domain::world::World;

use super::image::{Told, Word};
use super::{Newcomers, PullRules};

/// Fewer than this may always go: one or two who leave are no mistake.
const FEW: usize = 3;

/// A change that a directory brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody is new: under which name, and which entry they are.
    Enter { name: Name, entry: String },
    /// Somebody is described otherwise.
    Describe(Person),
    /// Somebody may do nothing any more, and why.
    Disable(Person, &'static str),
}

/// The people a directory keeps, by the ids of their entries.
pub(super) type Kept = BTreeMap<String, Person>;

/// What changes about people; what the directory says that is not taken is added to `refused`.
pub(super) fn people(
    world: &World,
    rules: &PullRules,
    kept: &Kept,
    word: &Word,
    refused: &mut Vec<String>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (entry, person) in kept {
        let gone = match word.people.get(entry) {
            None => Some("is not in the directory any more"),
            Some(told) if told.disabled => Some("is disabled in the directory"),
            Some(told) => {
                let described = described(rules, person, told);
                if described != *person {
                    steps.push(Step::Describe(described));
                }
                None
            }
        };
        if let Some(why) = gone
            && person.standing == Standing::Active
        {
            steps.push(Step::Disable(Person { standing: Standing::Disabled, ..person.clone() }, why));
        }
    }
    if rules.newcomers == Newcomers::Left {
        return steps;
    }
    let mut names = BTreeSet::new();
    for (entry, told) in word.people.iter().filter(|(entry, told)| !kept.contains_key(*entry) && !told.disabled) {
        let said = told.name.as_deref().unwrap_or_default();
        // As it stands: to change a letter of it could make it somebody else's.
        match said.parse::<Name>() {
            Err(_) => {
                let shown: String = said.chars().take(64).filter(|c| !c.is_control()).collect();
                refused.push(format!("{entry}: `{shown}` is no name that people have here: a-z, 0-9, `.`, `_` and `-`"));
            }
            Ok(name) if world.person(name.as_str()).is_some() || !names.insert(name.clone()) => refused.push(format!(
                "{entry}: there is a `{name}` here already, who may be somebody else; if it is them: `wane person identity add {name} --provider {} --subject {entry}`",
                rules.name
            )),
            Ok(name) => steps.push(Step::Enter { name, entry: entry.clone() }),
        }
    }
    steps
}

/// Somebody with what the directory says of them, and without what it no longer says.
pub(super) fn described(rules: &PullRules, person: &Person, told: &Told) -> Person {
    let mut described = person.clone();
    if let Some(display) = told.display.as_ref().and_then(|text| text.parse::<Line>().ok()) {
        described.display = display;
    }
    for name in rules.attributes.keys() {
        match told.attributes.get(name).and_then(|text| text.parse::<Line>().ok()) {
            Some(value) => drop(described.attributes.insert(name.clone(), value)),
            None => drop(described.attributes.remove(name)),
        }
    }
    described
}

/// The groups that change: as they are to be.
pub(super) fn groups(
    world: &World,
    rules: &PullRules,
    kept: &Kept,
    word: &Word,
    refused: &mut Vec<String>,
) -> Vec<(Name, BTreeSet<PersonId>)> {
    let mut changed = Vec::new();
    for (name, entries) in &word.groups {
        let said = |entry: &String| word.people.get(entry).is_some_and(|told| !told.disabled);
        let members: BTreeSet<PersonId> =
            entries.iter().filter(|entry| said(entry)).filter_map(|entry| Some(kept.get(entry)?.id)).collect();
        match world.group(name.as_str()) {
            Some(group) if group.kept_by.as_ref() != Some(&rules.name) => {
                refused.push(format!("group `{name}` is kept here or by somebody else, and stays as it is"));
            }
            Some(group) if group.members == members => {}
            None if members.is_empty() => {}
            Some(_) | None => changed.push((name.clone(), members)),
        }
    }
    changed
}

/// How much a directory has lost since its interval began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    people: usize,
    memberships: usize,
}

/// How much a directory has lost with this word, and before it; or why the word is held back: it has lost so many
/// people or memberships that the directory, or how it is read, is more likely wrong than they are gone.
pub(super) fn too_much(
    world: &World,
    rules: &PullRules,
    kept: &Kept,
    word: &Word,
    before: Loss,
) -> Result<Loss, String> {
    let share = usize::from(rules.shrink_percent);
    let active: Vec<(&String, &Person)> = kept.iter().filter(|(_, p)| p.standing == Standing::Active).collect();
    let is_gone = |entry: &String| word.people.get(entry).is_none_or(|told| told.disabled);
    let gone = active.iter().filter(|(entry, _)| is_gone(entry)).count();
    // Those who went before count on both sides: many one by one are as many as many at once.
    let says = |now: usize, before: usize, of: usize, what: &str| {
        let (lost, of) = (now.saturating_add(before), of.saturating_add(before));
        let much = now > 0 && lost >= FEW && lost.saturating_mul(100) > of.saturating_mul(share);
        if much {
            Err(format!("{lost} of {of} {what} would go at once, and `shrink_percent` is {share}"))
        } else {
            Ok(lost)
        }
    };
    if word.people.is_empty() && !active.is_empty() {
        return Err(format!("it shows nobody at all, and kept {}", active.len()));
    }
    let people = says(gone, before.people, active.len(), "people")?;
    let ours = |group: &&Group| group.kept_by.as_ref() == Some(&rules.name);
    let by_id: BTreeMap<PersonId, &String> = kept.iter().map(|(entry, person)| (person.id, entry)).collect();
    let (mut lost, mut of) = (0usize, 0usize);
    for group in world.groups.values().filter(ours) {
        let Some(entries) = word.groups.get(&group.name) else { continue };
        of = of.saturating_add(group.members.len());
        // Who is gone altogether is counted above.
        let left = |id: &&PersonId| by_id.get(id).is_some_and(|entry| !entries.contains(*entry) && !is_gone(entry));
        lost = lost.saturating_add(group.members.iter().filter(left).count());
    }
    let memberships = says(lost, before.memberships, of, "memberships")?;
    Ok(Loss { people, memberships })
}

#[cfg(test)]
pub(super) mod tests {
    use wane_domain::canonical::Digest;
    use wane_domain::directory::Stay;
    use wane_domain::id::TypedId;
    use wane_domain::time::{Span, Time};
    use wane_domain::world::{Epoch, PolicyVersion, Table};

    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);

    /// A company of nobody.
    fn nobody() -> World {
        let digest = Digest::of_bytes("test", b"");
        World {
            org: TypedId::mint(NOW, &[1; 10]),
            epoch: Epoch(1),
            people: Table::default(),
            groups: Table::default(),
            directories: Table::default(),
            resources: Table::default(),
            roles: Table::default(),
            locks: Table::default(),
            packages: Table::default(),
            approver_keys: Table::default(),
            delegations: Table::default(),
            issuers: Table::default(),
            workloads: Table::default(),
            policy: PolicyVersion { version: 1, digest, text: String::new(), by: None, at: NOW },
        }
    }

    pub(in crate::pulled) fn rules() -> PullRules {
        PullRules {
            name: "dir".parse().unwrap(),
            people_base: "ou=people".to_owned(),
            people_filter: "(uid=*)".to_owned(),
            disabled_filter: None,
            name_attribute: "uid".to_owned(),
            display_attribute: "cn".to_owned(),
            newcomers: Newcomers::Entered,
            attributes: BTreeMap::new(),
            groups: BTreeMap::new(),
            member_attribute: "member".to_owned(),
            shrink_percent: 20,
            stale_after: Span::from_mins(10),
        }
    }

    /// One of several, `p1` and so on.
    fn one(n: u8, standing: Standing) -> Person {
        Person {
            id: TypedId::mint(NOW, &[n; 10]),
            name: format!("p{n}").parse().unwrap(),
            display: "Nina".parse().unwrap(),
            manager: None,
            attributes: BTreeMap::new(),
            standing,
            since: NOW,
            stay: Stay::default(),
            kept_by: None,
        }
    }

    /// So many, as entries `e1` and so on.
    fn many(all: impl IntoIterator<Item = u8>, standing: Standing) -> Kept {
        all.into_iter().map(|n| (format!("e{n}"), one(n, standing))).collect()
    }

    fn ids(all: impl IntoIterator<Item = u8>) -> BTreeSet<PersonId> {
        all.into_iter().map(|n| one(n, Standing::Active).id).collect()
    }

    fn entries(all: impl IntoIterator<Item = u8>) -> BTreeSet<String> {
        all.into_iter().map(|n| format!("e{n}")).collect()
    }

    fn group(called: &str, kept_by: Option<&str>, members: impl IntoIterator<Item = u8>) -> Group {
        Group {
            id: TypedId::mint(NOW, &[u8::try_from(called.len()).unwrap(); 10]),
            name: called.parse().unwrap(),
            description: "A group".parse().unwrap(),
            members: ids(members),
            kept_by: kept_by.map(|keeper| keeper.parse().unwrap()),
        }
    }

    fn told(called: &str, display: &str, disabled: bool) -> Told {
        let (name, display) = (Some(called.to_owned()), Some(display.to_owned()));
        Told { name, display, attributes: BTreeMap::new(), disabled }
    }

    /// That these are there as ever.
    fn there(all: impl IntoIterator<Item = u8>) -> BTreeMap<String, Told> {
        all.into_iter().map(|n| (format!("e{n}"), told(&format!("p{n}"), "Nina", false))).collect()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn who_is_new_is_entered_unless_they_may_do_nothing_there_or_their_name_is_somebodys() {
        let world = World {
            people: [Person { name: name("mia"), ..one(9, Standing::Active) }].into_iter().collect(),
            ..nobody()
        };
        let mut word = Word { people: there([1]), ..Word::default() };
        for (entry, called, disabled) in [
            ("e2", "mia", false),
            ("e3", "nina", false),
            ("e4", "nina", false),
            ("e5", "otto", true),
            ("e6", "No\u{7} Name", false),
        ] {
            word.people.insert(entry.to_owned(), told(called, "Somebody", disabled));
        }
        let mut refused = Vec::new();
        let steps = people(&world, &rules(), &many([1], Standing::Active), &word, &mut refused);
        assert_eq!(steps, [Step::Enter { name: name("nina"), entry: "e3".to_owned() }]);
        let of: Vec<_> = refused.iter().filter_map(|why| why.split(':').next()).collect();
        assert_eq!(of, ["e2", "e4", "e6"], "{refused:?}");
        assert!(refused.last().is_some_and(|why| why.contains("`No Name`")), "{refused:?}");
    }

    #[test]
    fn who_is_gone_or_disabled_there_may_do_nothing_here_and_everybody_else_stays_as_they_are() {
        let mut kept = many(1..=5, Standing::Active);
        kept.append(&mut many(6..=7, Standing::Disabled));
        // The first and the sixth are gone.
        let mut word = Word { people: there([3, 7]), ..Word::default() };
        for (entry, display, disabled) in
            [("e2", "Nina", true), ("e4", "Nora", false), ("e5", "Nora", true), ("e8", "Ny", false)]
        {
            word.people.insert(entry.to_owned(), told("new", display, disabled));
        }
        word.people.insert("e7".to_owned(), told("p7", "Nina", true));
        let left = PullRules { newcomers: Newcomers::Left, ..rules() };
        let mut refused = Vec::new();
        let steps = people(&nobody(), &left, &kept, &word, &mut refused);
        let disabled = |n| one(n, Standing::Disabled);
        let expected = [
            Step::Disable(disabled(1), "is not in the directory any more"),
            Step::Disable(disabled(2), "is disabled in the directory"),
            Step::Describe(Person { display: "Nora".parse().unwrap(), ..one(4, Standing::Active) }),
            Step::Disable(disabled(5), "is disabled in the directory"),
        ];
        assert_eq!((steps.as_slice(), refused.len()), (expected.as_slice(), 0));
    }

    #[test]
    fn the_groups_of_a_directory_are_as_it_says_and_no_other_group_is_touched() {
        let groups_here = [
            group("same", Some("dir"), [1]),
            group("grown", Some("dir"), [1]),
            group("emptied", Some("dir"), [1]),
            group("of-another", Some("other"), []),
            group("by-a-hand", None, []),
        ];
        let world = World { groups: groups_here.into_iter().collect(), ..nobody() };
        let mut word = Word { people: there(1..=4), ..Word::default() };
        word.people.insert("e3".to_owned(), told("p3", "Nina", true));
        // The third is disabled there, the fourth nobody here, the fifth nobody at all.
        for (called, of) in [
            ("same", vec![1, 3, 4]),
            ("grown", vec![1, 2]),
            ("emptied", vec![5]),
            ("of-another", vec![1]),
            ("by-a-hand", vec![1]),
            ("new", vec![2, 3, 4, 5]),
            ("nobody", vec![3, 4]),
        ] {
            word.groups.insert(name(called), entries(of));
        }
        let mut refused = Vec::new();
        let changed = groups(&world, &rules(), &many(1..=3, Standing::Active), &word, &mut refused);
        let expected = [("emptied", ids([])), ("grown", ids([1, 2])), ("new", ids([2]))];
        assert_eq!(changed, expected.map(|(called, members)| (name(called), members)));
        assert!(
            refused.len() == 2 && refused[0].contains("`by-a-hand`") && refused[1].contains("`of-another`"),
            "{refused:?}"
        );
    }

    #[test]
    fn a_directory_that_shows_nobody_is_believed_if_it_keeps_nobody_who_may_do_anything() {
        for (keeps, believed) in [(None, true), (Some(Standing::Disabled), true), (Some(Standing::Active), false)] {
            let kept: Kept = keeps.into_iter().map(|standing| ("e1".to_owned(), one(1, standing))).collect();
            let loss = too_much(&nobody(), &rules(), &kept, &Word::default(), Loss::default());
            assert_eq!(loss.is_ok(), believed, "{keeps:?}: {loss:?}");
        }
    }

    #[test]
    fn so_many_people_who_go_are_believed_and_no_more() {
        // Of how many who may do something how many go now, and how many went before.
        for (of, now, before, believed) in [
            (4, 2, 0, true),
            (4, 3, 0, false),
            (15, 3, 0, true),
            (14, 3, 0, false),
            (13, 1, 2, true),
            (12, 1, 2, false),
            (3, 0, 3, true),
        ] {
            let mut kept = many(1..=of, Standing::Active);
            // They are gone as well, and could do nothing anyway.
            kept.append(&mut many(200..=209, Standing::Disabled));
            let word = Word { people: there(now + 1..=of), ..Word::default() };
            let before = Loss { people: before, memberships: 0 };
            let loss = too_much(&nobody(), &rules(), &kept, &word, before);
            let lost = loss.as_ref().ok().map(|loss| loss.people);
            assert_eq!(lost, believed.then_some(usize::from(now) + before.people), "{of} {now} {before:?}: {loss:?}");
        }
    }

    #[test]
    fn so_many_memberships_that_go_are_believed_and_no_more() {
        // Of how many in a group how many are no longer in it, and how many are gone altogether besides.
        for (of, now, gone, believed) in [(15, 3, 0, true), (14, 3, 0, false), (15, 3, 2, true), (14, 0, 2, true)] {
            let all = 1..=of;
            let here = [group("ours", Some("dir"), all.clone()), group("by-hand", None, all.clone())];
            let world = World { groups: here.into_iter().collect(), ..nobody() };
            let mut word = Word { people: there(gone + 1..=of), ..Word::default() };
            word.groups.insert(name("ours"), entries(gone + now + 1..=of));
            // It has no say in this one.
            word.groups.insert(name("by-hand"), entries([]));
            let loss = too_much(&world, &rules(), &many(all, Standing::Active), &word, Loss::default());
            let lost = loss.as_ref().ok().map(|loss| loss.memberships);
            assert_eq!(lost, believed.then_some(usize::from(now)), "{of} {now} {gone}: {loss:?}");
        }
    }
}
