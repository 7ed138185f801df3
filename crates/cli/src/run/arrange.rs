//! People, groups, resources, hosts, roles, policy.

use std::path::PathBuf;

use serde_json::{Value, json};
use wane_api::directory::{EditPerson, GroupView, NewGroup, NewPerson, Standing};
use wane_api::policy::{CheckPolicy, LoadPolicy, PolicyView};
use wane_api::query::Listing;
use wane_api::resource::{EditResource, NewResource, ResourceView, SetCredential};
use wane_api::role::{EditRole, NewRole};
use wane_api::ways_in::NewIdentity;
use wane_api::{Edit, SecretText};
use wane_client::{Client, ClientError};

use super::{Done, facts, more, object};
use crate::access::{Session, pages};
use crate::args::{Many, arrange as args};
use crate::exit::{Exit, Stop};
use crate::show;

/// Lists: calls, shows, says if there is more.
macro_rules! list {
    ($s:expr, $client:expr, $many:expr, $call:ident, $show:expr) => {{
        let many: Many = $many;
        let listing = pages(many.into(), |cursor, limit| {
            let client = &$client;
            async move { client.$call(&Listing { cursor, limit }).await }
        });
        let page = $s.out.busy("the server is asked", listing).await?;
        $s.out.put(&page, |layout| $show(&page.items, layout));
        more($s, page.next.as_ref());
    }};
}

pub(super) async fn person(args: args::Person, s: &Session) -> Done {
    let client = s.client()?;
    let edited = match args {
        args::Person::Add(args) => {
            let input = NewPerson {
                name: args.person,
                display: args.display,
                manager: args.manager,
                attributes: facts(&args.attributes)?,
                until: args.until.as_deref().map(|until| s.present().parse(until)).transpose()?,
                sponsor: args.sponsor,
            };
            s.out.busy("the person is entered", client.new_person(&input)).await?
        }
        args::Person::List(many) => {
            let now = s.present();
            list!(s, client, many, people, |people, layout| show::directory::people(people, &now, layout));
            return Ok(Exit::Done);
        }
        args::Person::Show(args) => s.out.busy("the server is asked", client.person(&args.person)).await?,
        args::Person::Change(args) => {
            let input = EditPerson {
                display: args.display,
                manager: edit(args.manager, Clear::when(args.no_manager)),
                attributes: replaced(facts(&args.attributes)?, Clear::when(args.no_attributes)),
                ..EditPerson::default()
            };
            if input == EditPerson::default() {
                return Err(nothing_to_change());
            }
            s.out.busy("the person is changed", client.edit_person(&args.person, &input)).await?
        }
        args::Person::Disable(args) => stand(&client, &args.person, Standing::Disabled, s).await?,
        args::Person::Enable(args) => stand(&client, &args.person, Standing::Active, s).await?,
        args::Person::Until(args) => {
            let until = match args.until.as_str() {
                "never" => Edit::Clear,
                until => Edit::Set(s.present().parse(until)?),
            };
            let input = EditPerson { until, ..EditPerson::default() };
            s.out.busy("the person is changed", client.edit_person(&args.person, &input)).await?
        }
        args::Person::Sponsor(args) => {
            let sponsor = args.sponsor.map_or(Edit::Clear, Edit::Set);
            let input = EditPerson { sponsor, ..EditPerson::default() };
            s.out.busy("the person is changed", client.edit_person(&args.person, &input)).await?
        }
        args::Person::Enrol(args) => {
            let code = s.out.busy("a code is made", client.new_enrolment(&args.person)).await?;
            s.out.put(&code, |layout| show::identity::code(&code, "wane enrol CODE", &s.present(), layout));
            return Ok(Exit::Done);
        }
        args::Person::Identity(args) => return identity(args, &client, s).await,
    };
    s.out.put(&edited, |layout| show::directory::person(&edited, &s.present(), layout));
    Ok(Exit::Done)
}

async fn identity(args: args::Identity, client: &Client, s: &Session) -> Done {
    match args {
        args::Identity::Add(args) => {
            let input = NewIdentity { provider: args.provider, subject: args.subject };
            let way = s.out.busy("the identity is entered", client.new_identity(&args.person, &input)).await?;
            s.out.put(&way, |layout| show::directory::ways_in(std::slice::from_ref(&way), &s.present(), layout));
        }
        args::Identity::List(args) => {
            let ways = s.out.busy("the server is asked", client.ways_in(&args.person)).await?;
            s.out.put(&ways, |layout| show::directory::ways_in(&ways.items, &s.present(), layout));
        }
        args::Identity::Remove(args) => {
            s.out.busy("it is taken away", client.remove_way_in(&args.person, &args.way)).await?;
            s.put(&json!({ "removed": args.way }), &format!("{} no longer lets anybody in", args.way));
        }
    }
    Ok(Exit::Done)
}

async fn stand(
    client: &Client,
    person: &str,
    standing: Standing,
    s: &Session,
) -> Result<wane_api::directory::PersonView, Stop> {
    let input = EditPerson { standing: Some(standing), ..EditPerson::default() };
    Ok(s.out.busy("the person is changed", client.edit_person(person, &input)).await?)
}

pub(super) async fn group(args: args::GroupCommand, s: &Session) -> Done {
    let client = s.client()?;
    let group = match args {
        args::GroupCommand::Add(args) => {
            let input = NewGroup { name: args.group, description: args.description };
            s.out.busy("the group is made", client.new_group(&input)).await?
        }
        args::GroupCommand::List(many) => {
            list!(s, client, many, groups, show::directory::groups);
            return Ok(Exit::Done);
        }
        args::GroupCommand::Show(args) => s.out.busy("the server is asked", client.group(&args.group)).await?,
        args::GroupCommand::Join(args) => {
            let mut group = None;
            for person in &args.people {
                group = Some(s.out.busy("the group is changed", client.add_member(&args.group, person)).await?);
            }
            last(group)?
        }
        args::GroupCommand::Leave(args) => {
            let mut group = None;
            for person in &args.people {
                group = Some(s.out.busy("the group is changed", client.remove_member(&args.group, person)).await?);
            }
            last(group)?
        }
    };
    s.out.put(&group, |layout| show::directory::group(&group, layout));
    Ok(Exit::Done)
}

fn last(group: Option<GroupView>) -> Result<GroupView, Stop> {
    group.ok_or_else(|| Stop::usage("nobody is named"))
}

pub(super) async fn resource(args: args::Resource, s: &Session) -> Done {
    let client = s.client()?;
    let resource = match args {
        args::Resource::Add(args) => {
            let credential = credential(s, &args.credential)?;
            let input = NewResource {
                name: args.resource,
                kind: args.kind,
                labels: facts(&args.labels)?,
                owner: args.owner.map(|o| o.0),
                settings: settings(s, &args.settings)?.unwrap_or_else(|| json!({})),
                credential,
            };
            s.out.busy("the resource is registered", client.new_resource(&input)).await?
        }
        args::Resource::List(many) => {
            list!(s, client, many, resources, show::catalogue::resources);
            return Ok(Exit::Done);
        }
        args::Resource::Show(args) => s.out.busy("the server is asked", client.resource(&args.resource)).await?,
        args::Resource::Change(args) => {
            let input = EditResource {
                labels: replaced(facts(&args.labels)?, Clear::when(args.no_labels)),
                owner: edit(args.owner.map(|o| o.0), Clear::when(args.no_owner)),
                settings: settings(s, &args.settings)?,
            };
            if input == EditResource::default() {
                return Err(nothing_to_change());
            }
            s.out.busy("the resource is changed", client.edit_resource(&args.resource, &input)).await?
        }
        args::Resource::Remove(args) => {
            s.out.busy("the resource is taken out", client.remove_resource(&args.resource)).await?;
            s.put(&json!({ "removed": args.resource }), &format!("{} is taken out", args.resource));
            return Ok(Exit::Done);
        }
        args::Resource::Credential(args) => {
            let credential = match credential(s, &args.from)? {
                Some(credential) => credential,
                None if s.interactive => rpassword::prompt_password("Credential: ")
                    .map(SecretText::new)
                    .map_err(|e| Stop::failed(format!("the terminal cannot be read: {e}")))?,
                None => {
                    return Err(
                        Stop::usage("no credential is given").todo("give --credential-file or --credential-stdin")
                    );
                }
            };
            let input = SetCredential { credential };
            s.out.busy("the credential is replaced", client.set_credential(&args.resource, &input)).await?;
            s.put(&json!({ "replaced": args.resource }), &format!("the credential at {} is replaced", args.resource));
            return Ok(Exit::Done);
        }
        args::Resource::Probe(args) => {
            let probe = s.out.busy("the resource is asked", client.probe(&args.resource)).await?;
            s.out.put(&probe, |layout| show::catalogue::probe(&probe, layout));
            let bad = probe.roles.iter().any(|r| r.problem.is_some());
            return Ok(if bad { Exit::Failed } else { Exit::Done });
        }
        args::Resource::Inventory(args) => {
            let found = s.out.busy("the resource is asked", client.inventory(&args.resource)).await?;
            s.out.put(&found, |layout| show::catalogue::inventory(&found, layout));
            return Ok(Exit::Done);
        }
    };
    shown(&resource, s);
    Ok(Exit::Done)
}

fn shown(resource: &ResourceView, s: &Session) {
    s.out.put(resource, |layout| show::catalogue::resource(resource, &s.present(), layout));
}

pub(super) async fn role(args: args::Role, s: &Session) -> Done {
    let client = s.client()?;
    let definition = |from: &args::DefinitionFrom| object(s, from.definition.as_deref(), &from.set);
    let role = match args {
        args::Role::Add(args) => {
            let input = NewRole {
                definition: definition(&args.definition)?.unwrap_or_else(|| json!({})),
                name: args.role.name,
                kind: args.role.kind,
                description: args.description.unwrap_or_default(),
            };
            s.out.busy("the role is entered", client.new_role(&input)).await?
        }
        args::Role::List(many) => {
            list!(s, client, many, roles, show::catalogue::roles);
            return Ok(Exit::Done);
        }
        args::Role::Show(args) => {
            s.out.busy("the server is asked", client.role(&args.role.kind, &args.role.name)).await?
        }
        args::Role::Change(args) => {
            let input = EditRole { definition: definition(&args.definition)?, description: args.description };
            if input == EditRole::default() {
                return Err(nothing_to_change());
            }
            s.out.busy("the role is changed", client.edit_role(&args.role.kind, &args.role.name, &input)).await?
        }
        args::Role::Remove(args) => {
            let name = format!("{}/{}", args.role.kind, args.role.name);
            s.out.busy("the role is taken out", client.remove_role(&args.role.kind, &args.role.name)).await?;
            s.put(&json!({ "removed": name }), &format!("{name} is taken out"));
            return Ok(Exit::Done);
        }
    };
    s.out.put(&role, |layout| show::catalogue::role(&role, &s.present(), layout));
    Ok(Exit::Done)
}

pub(super) async fn policy(args: args::Policy, s: &Session) -> Done {
    let client = s.client()?;
    match args {
        args::Policy::Show(args) => {
            let policy = s.out.busy("the server is asked", version(&client, args.version)).await?;
            s.out.put(&policy, |_| show::policy::set(&policy, &s.present()));
        }
        args::Policy::Versions(many) => {
            let listing = pages(many.into(), |cursor, limit| {
                let client = &client;
                async move { client.policy_versions(&Listing { cursor, limit }).await }
            });
            let page = s.out.busy("the server is asked", listing).await?;
            s.out.put(&page, |layout| show::policy::versions(&page.items, &s.present(), layout));
            more(s, page.next.as_ref());
        }
        args::Policy::Diff(args) => {
            let from = s.out.busy("the server is asked", version(&client, Some(args.from))).await?;
            let to = s.out.busy("the server is asked", version(&client, args.to)).await?;
            let diff = show::policy::Diff::between(&from, &to);
            s.out.put(&diff, |_| diff.text());
        }
        args::Policy::Load(args) => {
            let input = LoadPolicy { text: joined(s, &args.files)?, seen_version: args.seen_version };
            let loaded = s.out.busy("the policy set is loaded", client.load_policy(&input)).await?;
            s.out.put(&loaded, |layout| show::policy::loaded(&loaded, layout));
        }
        args::Policy::Check(args) => {
            let input = CheckPolicy { text: joined(s, &args.files)? };
            let checked = s.out.busy("the policy set is checked", client.check_policy(&input)).await?;
            s.out.put(&checked, |layout| show::policy::checked(&checked, layout));
            if !checked.ok {
                return Ok(Exit::Failed);
            }
        }
    }
    Ok(Exit::Done)
}

/// A version of the policy set; the one in force if none is named.
async fn version(client: &Client, version: Option<u64>) -> Result<PolicyView, ClientError> {
    match version {
        Some(version) => client.policy_version(version).await,
        None => client.policy().await,
    }
}

fn joined(s: &Session, files: &[PathBuf]) -> Result<String, Stop> {
    let mut text = String::new();
    for file in files {
        let part =
            String::from_utf8(s.read(file)?).map_err(|_| Stop::usage(format!("`{}` is not text", file.display())))?;
        text.push_str(&part);
        if !part.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

fn settings(s: &Session, from: &args::SettingsFrom) -> Result<Option<Value>, Stop> {
    object(s, from.settings.as_deref(), &from.set)
}

fn credential(s: &Session, from: &args::CredentialFrom) -> Result<Option<SecretText>, Stop> {
    let bytes = match &from.credential_file {
        Some(file) => s.read(file)?,
        None if from.credential_stdin => s.read("-".as_ref())?,
        None => return Ok(None),
    };
    let mut text = String::from_utf8(bytes).map_err(|_| Stop::usage("the credential is not text"))?;
    // The line break an editor leaves is not part of it.
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if text.is_empty() {
        return Err(Stop::usage("the credential is empty"));
    }
    Ok(Some(SecretText::new(text)))
}

/// Whether a flag asked for a field to be emptied.
#[derive(Clone, Copy)]
enum Clear {
    Yes,
    No,
}

impl Clear {
    const fn when(flag: bool) -> Self {
        if flag { Self::Yes } else { Self::No }
    }
}

fn edit<T>(set: Option<T>, clear: Clear) -> Edit<T> {
    match (set, clear) {
        (Some(value), _) => Edit::Set(value),
        (None, Clear::Yes) => Edit::Clear,
        (None, Clear::No) => Edit::Keep,
    }
}

fn replaced<K, V>(set: std::collections::BTreeMap<K, V>, clear: Clear) -> Option<std::collections::BTreeMap<K, V>> {
    match clear {
        Clear::Yes => Some(set),
        Clear::No => (!set.is_empty()).then_some(set),
    }
}

fn nothing_to_change() -> Stop {
    Stop::usage("nothing to change is given").todo("add --help to see what can be")
}
