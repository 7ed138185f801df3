//! What stands in an application for another reason than a lease, and what is odd about it.

use wane_connector::{Inventory, RoleProbe, StandingRight};
use wane_domain::catalogue::Role;
use wane_domain::closure::ClosureBasis;
use wane_domain::lease::{LeaseData, LeaseState};

use crate::application::{Application, Fail, Sort};
use crate::notes::Notes;
use crate::role::Definition;
use crate::settings::Settings;
use crate::who;

/// The members of every group, and the active accounts, that no open lease accounts for.
pub(crate) async fn inventory(app: &Application, settings: &Settings, leases: &[LeaseData]) -> Result<Inventory, Fail> {
    let mut inventory = Inventory::default();
    let known: Vec<(&LeaseData, Notes)> = leases.iter().filter_map(|l| Some((l, Notes::read(&l.notes)?))).collect();
    for named in &settings.groups {
        let found = match who::group(app, named).await {
            Ok(found) => found,
            Err(Fail::Refused { why, .. }) => {
                inventory.findings.push(why);
                continue;
            }
            Err(other) => return Err(other),
        };
        let Some(group) = app.get(Sort::Group, &found.id).await? else { continue };
        for (member, display) in group.members() {
            let is_theirs = |notes: &Notes| matches!(notes, Notes::Place { group_id, person_id, .. } if *group_id == group.id && person_id == member);
            let who = display.unwrap_or(member);
            beside(&mut inventory, &known, is_theirs, who, &format!("member of {named}"));
        }
    }
    if settings.accounts.is_some() {
        for account in app.find(Sort::User, None).await? {
            let Some(user_name) = account.text("userName").filter(|_| account.is_awake()) else { continue };
            let is_theirs = |notes: &Notes| matches!(notes, Notes::Account { user_name: of, id, .. } if of == user_name || id.as_deref() == Some(&account.id));
            beside(&mut inventory, &known, is_theirs, user_name, "an account");
        }
    }
    Ok(inventory)
}

/// Enters something that stands there, unless an open lease gives it; and that it came back after one ended.
fn beside(
    inventory: &mut Inventory,
    known: &[(&LeaseData, Notes)],
    is_theirs: impl Fn(&Notes) -> bool,
    principal: &str,
    right: &str,
) {
    let theirs = || known.iter().filter(|(_, notes)| is_theirs(notes)).map(|(lease, _)| *lease);
    if theirs().any(|lease| is_open(lease) && lease.standing.is_none()) {
        return;
    }
    let shown: String = principal.chars().filter(|c| !c.is_control()).take(256).collect();
    if let Some(lease) = theirs().filter(|lease| was_taken(lease)).max_by_key(|lease| lease.at) {
        inventory.findings.push(format!(
            "`{shown}` is {right} again, after {} ended and was read back gone: somebody gave it past Wane",
            lease.grant
        ));
    }
    inventory.standing.push(StandingRight { principal: shown, right: right.to_owned() });
}

fn is_open(lease: &LeaseData) -> bool {
    !matches!(lease.state, LeaseState::Gone { .. })
}

fn was_taken(lease: &LeaseData) -> bool {
    matches!(lease.state, LeaseState::Gone { basis: ClosureBasis::AbsentReadBack { .. }, .. })
}

/// Checks what the application can do, then each role.
pub(crate) async fn probe(app: &Application, settings: &Settings, roles: &[Role]) -> Result<Vec<RoleProbe>, Fail> {
    let config = app.config().await?;
    for (what, why) in [
        ("patch", "a place could only be made by writing a whole group anew, over what others change meanwhile"),
        ("filter", "nobody could be found but by reading everybody"),
    ] {
        if config.pointer(&format!("/{what}/supported")).and_then(serde_json::Value::as_bool) != Some(true) {
            return Err(Fail::refused(format!("its `ServiceProviderConfig` says that it has no `{what}`: {why}")));
        }
    }
    let mut probes = Vec::new();
    for role in roles {
        let problem = match Definition::parse(&role.definition) {
            Ok(definition) => problem(app, settings, &definition).await?,
            Err(unusable) => Some(unusable.to_string()),
        };
        probes.push(RoleProbe { role: role.name.to_string(), problem });
    }
    Ok(probes)
}

async fn problem(app: &Application, settings: &Settings, role: &Definition) -> Result<Option<String>, Fail> {
    match role {
        Definition::Account(_) if settings.accounts.is_none() => {
            Ok(Some("the resource's settings do not let accounts be given (`accounts`)".to_owned()))
        }
        Definition::Account(_) => Ok(None),
        Definition::Group(group) if !settings.gives(group) => {
            Ok(Some(format!("group `{group}` is not among the resource's `groups`")))
        }
        Definition::Group(group) => match who::group(app, group).await {
            Ok(_) => Ok(None),
            Err(Fail::Refused { why, .. }) => Ok(Some(why)),
            Err(other) => Err(other),
        },
    }
}
