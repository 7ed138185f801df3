//! Decisions over a large set of policies, and the same set put to Cedar whole.
//!
//! A policy for each team on each service: as many groups, hosts and labels as policies, and as many people unless
//! it is told otherwise; then each is in five of the groups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use cedar_policy::{Authorizer, Context, Decision as Said, Entities, Entity, EntityUid, Request};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::id::{GroupId, PersonId, ResourceId, RoleId, TypedId};
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_domain::world::{Epoch, PolicyVersion, Table, World};
use wane_policy::explain::{Verdict, why};
use wane_policy::judge::judge;
use wane_policy::query::{AccessQuery, Capabilities, Facts, Moment, Proof, Subject, Thing, Ways};
use wane_policy::schema::{KindFragment, SchemaParts};
use wane_policy::set::PolicySet;

use crate::rank;

const NOW: Time = Time::from_micros(1_795_255_200_000_000);
const KIND: &str = "ssh";
/// The groups somebody is in besides the one that counts, where there are more people than groups.
const MORE_GROUPS: u32 = 4;

#[derive(Deserialize)]
struct Plan {
    /// How many policies.
    policies: u32,
    /// How many people; as many as policies if left out.
    #[serde(default)]
    people: Option<u32>,
    /// How many decisions by ours.
    times: u32,
    /// How many by Cedar over the whole set.
    whole: u32,
}

/// Puts questions to which the answer is yes, each about another person and host.
pub(crate) fn run(plan: &str) -> Result<Value> {
    let plan: Plan = serde_json::from_str(plan)?;
    let text = policies(plan.policies);
    let begun = Instant::now();
    let parts = SchemaParts::new([KindFragment { kind: KIND.parse()?, entity: "Host".to_owned() }])?;
    let set = PolicySet::load(&text, &parts).map_err(|problems| anyhow!("the policies: {problems:?}"))?;
    let load_seconds = begun.elapsed().as_secs_f64();
    let people = plan.people.unwrap_or(plan.policies);
    let world = world(plan.policies, people, &text)?;
    let role = role()?;
    let (zone, mut told, mut judged) = (TimeZone::UTC, Vec::new(), Vec::new());
    for turn in 0..plan.times {
        let number = turn.wrapping_mul(7919) % people;
        let begun = Instant::now();
        let query = query(&world, &role, (number, number % plan.policies), &zone).context("nobody is there")?;
        let explained = why(&set, &query);
        told.push(begun.elapsed().as_secs_f64() * 1e6);
        ensure!(matches!(explained.verdict, Verdict::Permit { .. }), "the answer is no: {:?}", explained.verdict);
        let begun = Instant::now();
        std::hint::black_box(judge(&set, &query));
        judged.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let whole = whole(&plan, &text)?;
    Ok(json!({
        "load_seconds": load_seconds,
        "told": quantiles(told),
        "judged": quantiles(judged),
        "whole": quantiles(whole),
    }))
}

fn quantiles(mut micros: Vec<f64>) -> Value {
    micros.sort_by(f64::total_cmp);
    json!({ "p50_us": rank::at(&micros, 0.5), "p99_us": rank::at(&micros, 0.99) })
}

fn policies(many: u32) -> String {
    let line = |n: u32| {
        format!(
            "@id(\"path-{n}\") @max_ttl(\"8h\") permit (principal in Group::\"team-{n}\", action == Action::\"access\", resource in Label::\"service=s{n}\");\n"
        )
    };
    (0..many).map(line).collect()
}

fn id<T: TypedId>(number: u32) -> T {
    let mut random = [0; 10];
    for (to, from) in random.iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
    T::mint(NOW, &random)
}

fn world(many: u32, of_people: u32, text: &str) -> Result<World> {
    let (mut people, mut groups, mut resources) = (Table::default(), Table::default(), Table::default());
    let mut members = vec![BTreeSet::new(); usize::try_from(many)?];
    for n in 0..of_people {
        let person: PersonId = id(n);
        let more = if of_people > many { MORE_GROUPS } else { 0 };
        for group in (0..=more).map(|turn| n.wrapping_add(turn * 211) % many) {
            members.get_mut(usize::try_from(group)?).context("there is no such group")?.insert(person);
        }
        people.put(Person {
            id: person,
            name: format!("person-{n}").parse()?,
            display: format!("Person {n}").parse()?,
            manager: None,
            attributes: BTreeMap::new(),
            standing: Standing::Active,
            since: NOW,
            stay: wane_domain::directory::Stay::default(),
            kept_by: None,
        });
    }
    for (n, members) in (0..many).zip(members) {
        let group: GroupId = id(n);
        let name: Name = format!("team-{n}").parse()?;
        groups.put(Group { id: group, name, description: "".parse()?, members, kept_by: None });
        let resource: ResourceId = id(n);
        resources.put(Resource {
            id: resource,
            name: format!("host-{n}").parse()?,
            kind: KIND.parse()?,
            labels: BTreeMap::from([("service".parse()?, format!("s{n}").parse()?)]),
            owner: None,
            settings: Value::Null,
            since: NOW,
        });
    }
    let policy = PolicyVersion {
        version: 1,
        digest: Digest::of_bytes("wane.bench", text.as_bytes()),
        text: String::new(),
        by: None,
        at: NOW,
    };
    Ok(World {
        org: id(0),
        epoch: Epoch(1),
        people,
        groups,
        resources,
        roles: Table::default(),
        locks: Table::default(),
        packages: Table::default(),
        delegations: Table::default(),
        issuers: Table::default(),
        workloads: Table::default(),
        approver_keys: Table::default(),
        directories: Table::default(),
        policy,
    })
}

fn role() -> Result<Role> {
    Ok(Role {
        id: id::<RoleId>(0),
        name: "deploy".parse()?,
        kind: KIND.parse()?,
        description: "".parse()?,
        definition: Value::Null,
        since: NOW,
    })
}

fn query<'a>(
    world: &'a World,
    role: &'a Role,
    (person, host): (u32, u32),
    zone: &'a TimeZone,
) -> Option<AccessQuery<'a>> {
    Some(AccessQuery {
        who: Subject::of(world, id(person))?,
        what: Thing::of(world, id(host))?,
        role,
        facts: Facts {
            job: None,
            duration: Span::from_hours(1),
            start_in: Span::ZERO,
            justified: true,
            ticket: None,
            task: None,
            proof: Proof::said("password+totp", Span::from_mins(1)),
            moment: Moment { now: NOW, zone },
            residual_sessions: None,
        },
        ways: Ways::Any,
        serves: Capabilities { brokered: false, recording: false },
    })
}

/// Cedar's own authorizer over all policies and all entities; how long each took, in microseconds.
fn whole(plan: &Plan, text: &str) -> Result<Vec<f64>> {
    let set: cedar_policy::PolicySet = text.parse().map_err(|e| anyhow!("Cedar reads it otherwise: {e}"))?;
    let uid = |kind: &str, name: String| -> Result<EntityUid> {
        format!("{kind}::\"{name}\"").parse().map_err(|e| anyhow!("`{name}` names nothing: {e}"))
    };
    let mut all = Vec::new();
    for n in 0..plan.policies {
        let (team, service) = (uid("Group", format!("team-{n}"))?, uid("Label", format!("service=s{n}"))?);
        let (person, host) = (uid("Person", format!("person-{n}"))?, uid("Host", format!("host-{n}"))?);
        all.push(Entity::new_no_attrs(person, [team.clone()].into()));
        all.push(Entity::new_no_attrs(host, [service.clone()].into()));
        all.push(Entity::new_no_attrs(team, [].into()));
        all.push(Entity::new_no_attrs(service, [].into()));
    }
    let entities = Entities::from_entities(all, None)?;
    let authorizer = Authorizer::new();
    let mut took = Vec::new();
    for turn in 0..plan.whole {
        let number = turn.wrapping_mul(7919) % plan.policies;
        let (person, host) = (uid("Person", format!("person-{number}"))?, uid("Host", format!("host-{number}"))?);
        let request = Request::new(person, uid("Action", "access".to_owned())?, host, Context::empty(), None)?;
        let begun = Instant::now();
        let answer = authorizer.is_authorized(&request, &set, &entities);
        took.push(begun.elapsed().as_secs_f64() * 1e6);
        ensure!(answer.decision() == Said::Allow, "Cedar says no");
    }
    Ok(took)
}
