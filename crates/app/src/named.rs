//! What the names in an ask stand for, to the one who says them.

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::Decision;
use wane_domain::directory::Person;
use wane_domain::task::Task;
use wane_domain::text::Name;
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;

use crate::App;
use crate::ask::{AskInput, ItemInput};
use crate::caller::Caller;
use crate::error::AppError;
use crate::judge::AskFacts;

/// A resource and a role of its kind.
type Pair<'w> = (&'w Resource, &'w Role);

impl App {
    /// What the names of an ask stand for, item by item.
    pub(crate) fn found(
        &self,
        caller: &Caller,
        world: &World,
        person: &Person,
        items: &[ItemInput],
    ) -> Result<Vec<(Resource, Role)>, AppError> {
        let one = |ItemInput { resource, role, task }: &ItemInput| {
            let (resource, role) = self.look_up(caller, world, person, (resource, role), task.as_ref())?;
            Ok((resource.clone(), role.clone()))
        };
        items.iter().map(one).collect()
    }

    /// Says in the log that somebody asked for what they may not know of. There is no request of it: a request
    /// names what is there, and whoever asked may look at it.
    ///
    /// INVARIANT: what is not there is noted as what is hidden is (held by `asking_tells_nobody_what_there_is`).
    pub(crate) async fn note_refused(
        &self,
        caller: &Caller,
        world: &World,
        person: &Person,
        input: &AskInput,
        now: Time,
    ) -> Result<(), AppError> {
        // Those who may read the catalogue misspelt a name, and nobody denied them anything.
        if self.allows(caller, world, Action::ReadCatalogue)? {
            return Ok(());
        }
        // Only a name is short, and fit for a record.
        let shown = |text: &str| text.parse::<Name>().map_or_else(|_| "(no name)".to_owned(), |name| name.to_string());
        let items: Vec<_> = input
            .items
            .iter()
            .map(|item| json!({ "resource": shown(&item.resource), "role": shown(&item.role) }))
            .collect();
        let mut change = self.change(Actor::Person(caller.person), now);
        let about = Subjects { person: Some(person.id), ..Subjects::default() };
        change.note("request.refused", Outcome::Denied, about, json!({ "items": items }));
        change.commit(point!("app.ask_refused.commit")).await.map(drop)
    }

    /// What two names stand for. Whoever may not read the catalogue learns of what policy opens to the person they
    /// ask for, and of nothing else.
    ///
    /// INVARIANT: to them a name that nothing has is answered like one with nothing behind it for them, after the same
    /// work (held by `asking_tells_nobody_what_there_is`).
    pub(crate) fn look_up<'w>(
        &self,
        caller: &Caller,
        world: &'w World,
        person: &Person,
        names: (&str, &str),
        task: Option<&Task>,
    ) -> Result<Pair<'w>, AppError> {
        let there = resolve(world, names);
        if self.allows(caller, world, Action::ReadCatalogue)? {
            return there;
        }
        let there = there.ok();
        let opens = match there.or_else(|| any(world)) {
            Some((resource, role)) => {
                let facts = AskFacts::smallest(caller, self.now()).for_task(task);
                matches!(self.judge(world, person, resource, role, &facts)?, Decision::Permit(_))
            }
            None => false,
        };
        let (resource, role) = names;
        there.filter(|_| opens).ok_or_else(|| AppError::missing("role", format!("{role}` on `{resource}")))
    }
}

/// What two names stand for, to whoever may know.
pub(crate) fn resolve<'w>(world: &'w World, (resource, role): (&str, &str)) -> Result<Pair<'w>, AppError> {
    let found = world.resource(resource).ok_or_else(|| AppError::missing("resource", resource))?;
    let role = world.role(&found.kind, role).ok_or_else(|| AppError::missing("role", role))?;
    Ok((found, role))
}

/// Something to judge where there is nothing.
fn any(world: &World) -> Option<Pair<'_>> {
    world
        .resources
        .values()
        .find_map(|resource| world.roles.values().find(|role| role.kind == resource.kind).map(|role| (resource, role)))
}
