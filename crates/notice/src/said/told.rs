//! The words that notices share: who, what, and the command that is one step.

use wane_audit::{Actor, Record};
use wane_domain::grant::GrantState;
use wane_domain::id::{PersonId, ResourceId, RoleId};
use wane_domain::request::{AskItem, Parent};
use wane_domain::text::Task;
use wane_domain::time::{Span, Time};

use super::Seen;
use crate::kind::Kind;
use crate::notice::{About, Notice, Todo};
use crate::plain::quoted;

/// A record with what it is about.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) record: &'a Record,
    pub(crate) seen: Seen<'a>,
}

impl Told<'_> {
    /// A notice about what the record is about.
    pub(crate) fn notice(&self, kind: Kind, subject: String, mut lines: Vec<String>, todo: Option<Todo>) -> Notice {
        let about = self.about();
        lines.extend(about.ticket.as_ref().map(|ticket| format!("Ticket: {ticket}")));
        Notice { kind, at: self.record.at, subject, lines, todo, about }
    }

    fn about(&self) -> About {
        let grant = self.seen.grant;
        let asked = self.seen.request.and_then(|r| r.ask.items.first());
        let item = grant.map(|g| &g.item).or(asked);
        let person = self.record.about.person.or(grant.map(|g| g.holder));
        let end = grant.and_then(|g| match &g.state {
            GrantState::Active { end, .. } => Some(*end),
            GrantState::Ending { at, .. } => Some(*at),
            GrantState::Scheduled | GrantState::Closed { .. } => None,
        });
        let said = |member: &str| self.record.detail.get(member).and_then(|value| value.as_str());
        let resource = self.record.about.resource.or(item.map(|item| item.resource));
        About {
            person: person.and_then(|id| self.login(id)),
            by: match &self.record.actor {
                Actor::Person(id) => self.login(*id),
                Actor::System | Actor::Host(_) | Actor::Directory(_) | Actor::Unknown => None,
            },
            resource: resource.map(|id| self.resource(id)),
            role: item.map(|item| self.role(item.role)),
            request: self.record.about.request,
            grant: self.record.about.grant,
            session: said("session").and_then(|id| id.parse().ok()),
            ticket: self.record.about.ticket.as_ref().map(|ticket| quoted(ticket.as_str())),
            end: said("end").and_then(|_| serde_json::from_value(self.record.detail.get("end")?.clone()).ok()).or(end),
            reason: said("reason").map(quoted),
        }
    }

    /// That something of a request waits.
    pub(crate) fn waits(&self) -> Option<Notice> {
        let request = self.seen.request?;
        let ask = &request.ask;
        let (what, _) = self.asked()?;
        let more = if matches!(ask.parent, Some(Parent::Extends { .. })) { " more" } else { "" };
        let text = format!("{} asks for {}{more} of {what}", self.name(ask.requester), ask.duration);
        let mut lines = Vec::new();
        if ask.beneficiary != ask.requester {
            lines.push(format!("To be held by {}.", self.name(ask.beneficiary)));
        }
        lines.push(match &ask.justification {
            Some(reason) => format!("Reason: {}", quoted(reason.as_str())),
            None => "No reason was given.".to_owned(),
        });
        lines.extend(
            ask.items.iter().filter_map(|i| i.task.as_ref()).map(|t| format!("For the one command: {}", task(t))),
        );
        lines.push(format!(
            "It lapses at {}, unless somebody decides. Denying is `wane deny {}`.",
            request.lapses, request.id
        ));
        let todo = Self::todo("to see and approve it", format!("wane requests {0} && wane approve {0}", request.id));
        let notice = self.notice(Kind::Waiting, text, lines, Some(todo));
        let about = About { reason: ask.justification.as_ref().map(|r| quoted(r.as_str())), ..notice.about };
        Some(Notice { about, ..notice })
    }

    /// What was asked, and how to ask for it again.
    pub(crate) fn asked(&self) -> Option<(String, String)> {
        let ask = &self.seen.request?.ask;
        let of = |item: &AskItem| self.access(item);
        let what = match self.item().and_then(|index| ask.items.get(index)) {
            Some(item) => of(item),
            None => ask.items.iter().map(of).collect::<Vec<_>>().join(", "),
        };
        let items: Vec<String> = ask.items.iter().map(|item| self.named(item)).collect();
        Some((what, request(&items, ask.duration, ask.items.first().and_then(|item| item.task.as_ref()))))
    }

    /// What is held, by whom.
    pub(crate) fn held(&self) -> Option<String> {
        let grant = self.seen.grant?;
        Some(format!("{} of {}", self.access(&grant.item), self.name(grant.holder)))
    }

    /// How to ask for a grant once more.
    pub(crate) fn again(&self) -> Option<String> {
        let grant = self.seen.grant?;
        Some(request(&[self.named(&grant.item)], grant.window.duration, grant.item.task.as_ref()))
    }

    /// How to use what was granted.
    pub(crate) fn use_it(&self) -> Option<Todo> {
        let request = self.record.about.request?;
        Some(Self::todo("to see what you have", format!("wane requests {request}")))
    }

    pub(crate) fn todo(to: &str, command: String) -> Todo {
        Todo { to: to.to_owned(), command }
    }

    /// A person as others know them.
    pub(crate) fn name(&self, id: PersonId) -> String {
        match self.seen.world.people.get(&id) {
            None => id.to_string(),
            Some(person) => match quoted(person.display.as_str()) {
                shown if shown.is_empty() || shown == person.name.as_str() => person.name.to_string(),
                shown => format!("{shown} ({})", person.name),
            },
        }
    }

    pub(crate) fn actor(&self) -> String {
        match &self.record.actor {
            Actor::Person(id) => self.name(*id),
            Actor::Host(id) => self.resource(*id),
            Actor::Directory(id) => self
                .seen
                .world
                .directories
                .get(id)
                .map_or_else(|| id.to_string(), |directory| directory.name.to_string()),
            Actor::System | Actor::Unknown => "Wane".to_owned(),
        }
    }

    pub(crate) fn resource(&self, id: ResourceId) -> String {
        self.seen.world.resources.get(&id).map_or_else(|| id.to_string(), |resource| resource.name.to_string())
    }

    fn role(&self, id: RoleId) -> String {
        self.seen.world.roles.get(&id).map_or_else(|| id.to_string(), |role| role.name.to_string())
    }

    fn login(&self, id: PersonId) -> Option<String> {
        self.seen.world.people.get(&id).map(|person| person.name.to_string())
    }

    fn access(&self, item: &AskItem) -> String {
        format!("{} on {}", self.role(item.role), self.resource(item.resource))
    }

    fn named(&self, item: &AskItem) -> String {
        format!("{}@{}", self.role(item.role), self.resource(item.resource))
    }

    /// That a grant ends soon, in so long.
    pub(crate) fn soon(&self, end: Time, left: Span) -> Option<Notice> {
        let grant = self.seen.grant?;
        let text = format!("{} ends in {left}, at {end}", self.held()?);
        let lines = vec!["Open sessions are cut then, and what was made for it is taken away.".to_owned()];
        let command = format!("wane extend {} --for {}", grant.id, grant.window.duration.min(MOST_MORE));
        let notice = self.notice(Kind::EndingSoon, text, lines, Some(Self::todo("to ask for more time", command)));
        Some(Notice { about: About { end: Some(end), ..notice.about }, ..notice })
    }
}

/// The longest extension that is proposed.
const MOST_MORE: Span = Span::from_hours(1);

/// The command that asks for this. Roles and resources are names, which need no quotes.
fn request(items: &[String], duration: Span, one: Option<&Task>) -> String {
    let task = one.map(|one| format!(" --task {}", shell(one.as_str()))).unwrap_or_default();
    format!("wane request {} --for {duration}{task}", items.join(" "))
}

fn task(task: &Task) -> String {
    quoted(task.as_str())
}

/// One word of a shell, whatever it holds.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
