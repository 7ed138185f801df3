//! Approving less than was asked: a child request, provably within its parent, carries on.

use wane_domain::approval::Signed;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::id::RequestId;
use wane_domain::request::{AccessRequest, Ask, AskItem, ItemEvent, Opening, Parent};
use wane_domain::time::Span;
use wane_domain::world::World;
use wane_store::{Put, Versioned, Write};

use crate::App;
use crate::asked::Mine;
use crate::caller::Caller;
use crate::change::{Change, about_request};
use crate::error::AppError;

/// Less than was asked.
#[derive(Clone, Debug, Default)]
pub struct Narrower {
    /// Shorter.
    pub duration: Option<Span>,
    /// A narrower role of the same kind.
    pub role: Option<String>,
}

impl Narrower {
    pub(crate) fn is_nothing(&self) -> bool {
        self.duration.is_none() && self.role.is_none()
    }
}

impl App {
    /// The child request of an approval that narrows; the approval counts for the child.
    pub(crate) async fn approve_less(
        &self,
        change: &mut Change<'_>,
        world: &World,
        caller: &Caller,
        (seen, items): (&Versioned<AccessRequest>, &[Mine]),
        (less, nonce): (&Narrower, &str),
        signed: Option<&Signed>,
    ) -> Result<AccessRequest, AppError> {
        let (wide, now) = (&seen.value, change.at());
        let (ask, openings) = self.narrowed(world, wide, items, less, nonce)?;
        let id = self.ambient.id::<RequestId>();
        let (mut child, opened) = AccessRequest::open(id, ask, openings, now, wide.lapses)?;
        change.fact(about_request(&child, None), opened);
        let mut parent_request = wide.clone();
        for (at, mine) in items.iter().enumerate() {
            let index = &mine.index;
            let (narrowed, fact) =
                parent_request.apply(*index, ItemEvent::Narrow { by: caller.person, child: id }, now)?;
            change.fact(about_request(&narrowed, Some(*index)), fact);
            parent_request = narrowed;
            // Whoever approved the wider ask approved this one too: it is within it.
            let earlier = wide.items.get(*index).map(|i| i.approvals.clone()).unwrap_or_default();
            for approval in earlier {
                let (next, fact) = child.apply(at, ItemEvent::Approve(approval), now)?;
                change.fact(about_request(&next, Some(at)), fact);
                child = next;
            }
            let mine = Mine { index: at, ..*mine };
            child = self.approve_item(change, world, child, mine, (caller.person, signed), now).await?;
        }
        change.write(Write::Request(Put::over(seen, parent_request)));
        change.write(Write::Request(Put::new(child.clone())));
        Ok(child)
    }

    /// What would be asked if less were approved, and under which terms.
    pub(crate) fn narrowed(
        &self,
        world: &World,
        wide: &AccessRequest,
        items: &[Mine],
        less: &Narrower,
        nonce: &str,
    ) -> Result<(Ask, Vec<Opening>), AppError> {
        if matches!(wide.ask.parent, Some(Parent::Extends { .. })) {
            return Err(AppError::invalid("narrower", "an extension is approved as asked, or denied"));
        }
        let mut asked = Vec::new();
        let mut openings = Vec::new();
        for Mine { index, .. } in items {
            let (resource, role) = self.item_of(world, wide, *index)?;
            let role = self.narrower_role(world, &resource, &role, less)?;
            // What was asked for is that one command, whatever role it runs under.
            let task = wide.ask.items.get(*index).and_then(|asked| asked.task.clone());
            if let Some(task) = &task {
                self.kind(&resource.kind)?.check_task(&role.definition, task)?;
            }
            asked.push(AskItem { resource: resource.id, role: role.id, role_digest: role.digest()?, task });
            let item = wide.items.get(*index).ok_or_else(|| AppError::missing("item", index))?;
            if item.needs_signatures() && !item.approvals.is_empty() {
                let why = "others have signed what was asked, which is not this; approve as asked, or deny it";
                return Err(AppError::invalid("narrower", why));
            }
            match (&item.terms, &item.path) {
                (Some(terms), Some(path)) => openings.push(Opening::Path { terms: terms.clone(), path: path.clone() }),
                (Some(_) | None, _) => return Err(AppError::Fault("a waiting item has no terms".to_owned())),
            }
        }
        let parent = Parent::Narrows { request: wide.id, digest: wide.digest };
        let duration = less.duration.unwrap_or(wide.ask.duration);
        let ask = Ask { items: asked, duration, parent: Some(parent), nonce: nonce.to_owned(), ..wide.ask.clone() };
        let within = ask.is_within(&wide.ask, |mine, theirs| self.role_within(world, mine, theirs));
        if !within || (ask.duration == wide.ask.duration && ask.items.iter().all(|i| wide.ask.items.contains(i))) {
            return Err(AppError::invalid(
                "narrower",
                "approve a shorter time or a narrower role than was asked, or approve as asked",
            ));
        }
        Ok((ask, openings))
    }

    fn narrower_role(
        &self,
        world: &World,
        resource: &Resource,
        role: &Role,
        less: &Narrower,
    ) -> Result<Role, AppError> {
        let Some(name) = &less.role else { return Ok(role.clone()) };
        let found = world.role(&resource.kind, name).ok_or_else(|| AppError::missing("role", name))?;
        let kind = self.kind(&resource.kind)?;
        if found.id != role.id && !kind.is_narrower(&found.definition, &role.definition) {
            return Err(AppError::invalid("role", format!("`{name}` is not narrower than `{}`", role.name)));
        }
        Ok(found.clone())
    }

    fn role_within(&self, world: &World, mine: &AskItem, theirs: &AskItem) -> bool {
        let (Some(narrow), Some(wide)) = (world.roles.get(&mine.role), world.roles.get(&theirs.role)) else {
            return false;
        };
        narrow.kind == wide.kind
            && self.kinds.get(narrow.kind.as_str()).is_some_and(|k| k.is_narrower(&narrow.definition, &wide.definition))
    }
}
