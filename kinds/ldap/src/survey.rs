//! What stands in the groups of a directory for another reason than a lease, and what is odd about it.

use wane_connector::{Inventory, RoleProbe, StandingRight};
use wane_domain::catalogue::Role;
use wane_domain::closure::ClosureBasis;
use wane_domain::lease::{LeaseData, LeaseState};
use wane_ldap::{Fail, Session};

use crate::place::{Notes, notes_of};
use crate::role::{Attribute, Definition};
use crate::settings::{Settings, same};
use crate::who;

/// How many members of one group are listed.
const MOST_MEMBERS: usize = 5_000;

/// The members of every group that no open lease accounts for.
pub(crate) async fn inventory(
    session: &mut Session,
    settings: &Settings,
    leases: &[LeaseData],
) -> Result<Inventory, Fail> {
    let mut inventory = Inventory::default();
    let known: Vec<(&LeaseData, Notes)> = leases.iter().filter_map(|l| Some((l, notes_of(&l.notes)?))).collect();
    for named in &settings.groups {
        let group = match who::group(session, named).await {
            Ok(group) => group,
            Err(Fail::Refused { why, .. }) => {
                inventory.findings.push(why);
                continue;
            }
            Err(other) => return Err(other),
        };
        let id = group.id.to_string();
        for attribute in Attribute::ALL {
            let members = match session.values(&group.dn, attribute.name(), MOST_MEMBERS).await {
                Ok(members) => members,
                Err(Fail::Refused { why, .. }) => {
                    inventory.findings.push(format!("members of `{}` are not listed: {why}", group.dn));
                    continue;
                }
                Err(other) => return Err(other),
            };
            let here = |notes: &Notes| notes.group_id == id && notes.attribute == attribute;
            let mut given = Vec::new();
            for (_, notes) in known.iter().filter(|(l, n)| here(n) && is_open(l) && l.standing.is_none()) {
                given.extend(notes.values.clone());
                if !notes.values.iter().any(|v| members.iter().any(|m| same(m, v)))
                    && let Some(moved) =
                        who::locate(session, &settings.base, &notes.person, &notes.person_id()?).await?
                {
                    given.push(moved.dn);
                }
            }
            for member in members {
                let is_placeholder = settings.placeholder.as_ref().is_some_and(|p| same(p, &member));
                if is_placeholder || given.iter().any(|g| same(g, &member)) {
                    continue;
                }
                let ended =
                    known.iter().filter(|(l, n)| here(n) && n.values.iter().any(|v| same(v, &member)) && was_taken(l));
                if let Some((lease, _)) = ended.max_by_key(|(l, _)| l.at) {
                    inventory.findings.push(format!(
                        "`{member}` is in `{}` again, after {} ended and was read back gone: somebody added them past Wane",
                        group.dn, lease.grant
                    ));
                }
                inventory
                    .standing
                    .push(StandingRight { principal: member, right: format!("{} of {}", attribute.name(), group.dn) });
            }
        }
    }
    Ok(inventory)
}

fn is_open(lease: &LeaseData) -> bool {
    !matches!(lease.state, LeaseState::Gone { .. })
}

fn was_taken(lease: &LeaseData) -> bool {
    matches!(lease.state, LeaseState::Gone { basis: ClosureBasis::AbsentReadBack { .. }, .. })
}

/// Checks the directory, then each role.
pub(crate) async fn probe(session: &mut Session, settings: &Settings, roles: &[Role]) -> Result<Vec<RoleProbe>, Fail> {
    for (key, dn) in [("base", &settings.base), ("people.base", &settings.people.base)] {
        if session.entry(dn, &["objectClass"]).await?.is_none() {
            return Err(Fail::refused(format!(
                "`{key}` `{dn}` is not there, or `{}` may not see it",
                settings.bind_dn
            )));
        }
    }
    if let Some(filter) = &settings.people.filter {
        session.few(&settings.people.base, wane_ldap::Scope::Base, filter, &["objectClass"]).await.map_err(|no| {
            match no {
                Fail::Refused { why, .. } => Fail::refused(format!("`people.filter` `{filter}`: {why}")),
                other => other,
            }
        })?;
    }
    let mut probes = Vec::new();
    for role in roles {
        let problem = match Definition::parse(&role.definition) {
            Ok(definition) => problem(session, settings, &definition).await?,
            Err(unusable) => Some(unusable.to_string()),
        };
        probes.push(RoleProbe { role: role.name.to_string(), problem });
    }
    Ok(probes)
}

async fn problem(session: &mut Session, settings: &Settings, role: &Definition) -> Result<Option<String>, Fail> {
    if !settings.gives(&role.group) {
        return Ok(Some(format!("group `{}` is not among the resource's `groups`", role.group)));
    }
    let group = match who::group(session, &role.group).await {
        Ok(group) => group,
        Err(Fail::Refused { why, .. }) => return Ok(Some(why)),
        Err(other) => return Err(other),
    };
    let (class, fits) = match role.attribute {
        Attribute::Member => {
            ("groupOfNames", ["groupOfNames", "group", "groupOfMembers"].iter().any(|c| group.entry.is_a(c)))
        }
        Attribute::UniqueMember => ("groupOfUniqueNames", group.entry.is_a("groupOfUniqueNames")),
        Attribute::MemberUid => ("posixGroup", group.entry.is_a("posixGroup")),
    };
    if !fits {
        return Ok(Some(format!("`{}` is no {class}, so its members are not `{}`", group.dn, role.attribute.name())));
    }
    // INVARIANT: no end is made impossible by the schema (held by `the_last_member_leaves_a_placeholder`).
    let wants_one = group.entry.is_a("groupOfNames") || group.entry.is_a("groupOfUniqueNames");
    if wants_one && role.attribute != Attribute::MemberUid && settings.placeholder.is_none() {
        return Ok(Some(format!(
            "`{}` may not be empty by its schema, so its last member could not be taken out; set the resource's `placeholder` to an entry that nobody can use",
            group.dn
        )));
    }
    Ok(None)
}
