//! From a wish to a live grant: the one held already, or one asked for and waited for.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use wane_api::grant::{GrantState, GrantView};
use wane_api::query::{Grants, Listing};
use wane_api::request::{AskItem, ItemState, ItemView, NewRequest, RequestView};
use wane_api::why::{AskableView, Outcome as Verdict, Suppose};
use wane_client::Client;

use super::wait::{Outcome, Patience};
use super::{Session, Take, pages};
use crate::exit::{Exit, Stop};

/// What a command wants access to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// The resource's name.
    pub resource: String,
    /// The role; none to take the one the person holds or may ask for, if it is the only one.
    pub role: Option<String>,
    /// For how long, if it has to be asked for (`2h`).
    pub duration: Option<String>,
    /// Why, if it has to be asked for.
    pub reason: Option<String>,
    /// Under which ticket, if it has to be asked for.
    pub ticket: Option<String>,
    /// What is to be run, where that is one command: a grant for just that serves before any other.
    pub command: Option<String>,
}

/// A grant that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The grant's id.
    pub grant: String,
    /// On what.
    pub resource: String,
    /// As what.
    pub role: String,
    /// The kind that serves the resource.
    pub kind: String,
    /// Until when; if it is not yet activated, until when it would last if it were now.
    pub end: Timestamp,
}

impl Session {
    /// Finds a live grant or asks for one, and waits for approval with a live status.
    ///
    /// # Errors
    /// When it is denied, nobody decided in time, or the person stopped waiting.
    pub async fn ensure(&self, want: &Want) -> Result<Held, Stop> {
        self.ensure_within(want, Patience::Forever).await
    }

    /// The same, waiting only so long.
    pub(crate) async fn ensure_within(&self, want: &Want, patience: Patience) -> Result<Held, Stop> {
        let client = self.client()?;
        let held = self.out.busy("your grants are looked up", self.held(&client, want)).await?;
        if let Some(held) = held {
            return Ok(held);
        }
        let ask = self.out.busy("what you may ask for is looked up", self.plan(&client, want)).await?;
        let asked = self.out.busy("access is asked for", client.ask(&ask)).await?;
        if asked.state == ItemState::Waiting.name() {
            self.say(&format!("asked for {} on {}: {}", first(&ask, |i| &i.role), want.resource, asked.id));
        }
        let grant = match self.settle(&client, asked, patience).await? {
            Outcome::Granted(grants) => grants.into_iter().next(),
            Outcome::Waits(request) => {
                return Err(Stop::new(Exit::Waiting, format!("`{}` still waits for approval", request.id)));
            }
            Outcome::Refused(request) => return Err(self.refusal(&client, &request).await),
        };
        let grant = grant.ok_or_else(|| Stop::failed("the request was approved, but names no grant"))?;
        let view = client.grant(&grant).await?;
        self.usable(&view)
    }

    /// The grant as it stands now.
    ///
    /// # Errors
    /// When it has ended: refused, saying why.
    pub async fn standing(&self, grant: &str) -> Result<Held, Stop> {
        let view = self.client()?.grant(grant).await?;
        self.usable(&view)
    }

    fn usable(&self, view: &GrantView) -> Result<Held, Stop> {
        let now = self.now();
        match view.state {
            GrantState::Scheduled if view.opens > now => {
                Err(Stop::new(Exit::Waiting, format!("your access opens {}", self.present().both(view.opens)))
                    .todo("run this again then"))
            }
            GrantState::Scheduled => Ok(self.hold(view)),
            GrantState::Active if view.end.is_none_or(|end| end > now) => Ok(self.hold(view)),
            GrantState::Active | GrantState::Ending | GrantState::Closed => {
                Err(Stop::new(Exit::Refused, how_it_ended(view)).todo("ask again if you still need it"))
            }
        }
    }

    fn hold(&self, view: &GrantView) -> Held {
        let secs = i64::try_from(view.duration.secs).unwrap_or(i64::MAX);
        let full = self.now().saturating_add(SignedDuration::from_secs(secs)).unwrap_or(Timestamp::MAX);
        Held {
            grant: view.id.clone(),
            resource: view.resource.clone(),
            role: view.role.clone(),
            kind: view.kind.clone(),
            end: view.end.unwrap_or(full),
        }
    }

    /// The grant that serves, of those held: the wanted role, or the only role; the one that is for just what is to
    /// be run, or else lasts longest. One for another task serves for nothing.
    async fn held(&self, client: &Client, want: &Want) -> Result<Option<Held>, Stop> {
        let query = Grants {
            mine: true,
            resource: Some(want.resource.clone()),
            state: Some("scheduled,active".to_owned()),
            ..Grants::default()
        };
        let page = pages(Take::All, |cursor, limit| {
            let query = Grants { cursor, limit, ..query.clone() };
            async move { client.grants(&query).await }
        })
        .await?;
        let wanted = |view: &&GrantView| want.role.as_ref().is_none_or(|role| *role == view.role);
        let (for_task, plain): (Vec<_>, Vec<_>) =
            page.items.iter().filter(wanted).partition(|view| view.task.is_some());
        let just_that = for_task.into_iter().filter(|view| {
            view.task.as_ref().is_some_and(|task| task.spent.is_none() && want.command.as_ref() == Some(&task.text))
        });
        if let Some(held) = just_that.filter_map(|view| self.usable(view).ok()).max_by_key(|h| h.end) {
            return Ok(Some(held));
        }
        let held: Vec<Held> = plain.into_iter().filter_map(|view| self.usable(view).ok()).collect();
        let roles: BTreeSet<&str> = held.iter().map(|h| h.role.as_str()).collect();
        if roles.len() > 1 {
            return Err(choose(&want.resource, &roles, "you hold several roles on"));
        }
        Ok(held.into_iter().max_by_key(|h| h.end))
    }

    /// What to ask for.
    async fn plan(&self, client: &Client, want: &Want) -> Result<NewRequest, Stop> {
        let role = match &want.role {
            Some(role) => role.clone(),
            None => self.only_role(client, &want.resource).await?.role,
        };
        let duration = match &want.duration {
            Some(duration) => duration.clone(),
            None => usual_duration(&self.askable_on(client, &want.resource).await?, &role),
        };
        Ok(NewRequest {
            items: vec![AskItem { resource: want.resource.clone(), role, task: None }],
            for_person: None,
            duration,
            start: None,
            reason: want.reason.clone(),
            ticket: want.ticket.clone(),
        })
    }

    /// The only role that may be asked for on a resource.
    pub(crate) async fn only_role(&self, client: &Client, resource: &str) -> Result<AskableView, Stop> {
        let mut open = self.askable_on(client, resource).await?;
        open.retain(|a| a.outcome != Verdict::Denied);
        let roles: BTreeSet<&str> = open.iter().map(|a| a.role.as_str()).collect();
        if roles.len() > 1 {
            return Err(choose(resource, &roles, "you may ask for several roles on"));
        }
        open.into_iter().next().ok_or_else(|| {
            Stop::new(Exit::Refused, format!("there is no role you may ask for on `{resource}`"))
                .todo(format!("`wane why {resource}` says what is missing"))
        })
    }

    async fn askable_on(&self, client: &Client, resource: &str) -> Result<Vec<AskableView>, Stop> {
        let page =
            pages(Take::All, |cursor, limit| async move { client.askable(&Listing { cursor, limit }).await }).await?;
        Ok(page.items.into_iter().filter(|a| a.resource == resource).collect())
    }

    /// Why a request came to nothing, and what would do.
    pub(crate) async fn refusal(&self, client: &Client, request: &RequestView) -> Stop {
        let mut message = Vec::new();
        let mut todo = None;
        let mut exit = Exit::Refused;
        for item in &request.items {
            let what = format!("{} on {}", item.role, item.resource);
            match item.state {
                ItemState::Denied => {
                    let by = item.denied_by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
                    message.push(format!("{what} was denied{by}"));
                    message.extend(item.reasons.iter().map(|reason| format!("  {reason}")));
                    todo = todo.or(self.what_would_do(client, request, item).await);
                }
                ItemState::Lapsed => {
                    exit = Exit::Waiting;
                    message.push(format!("nobody decided on {what} in time"));
                    todo = todo.or_else(|| Some("ask again, and tell who could approve".to_owned()));
                }
                ItemState::Withdrawn => message.push(format!("the request for {what} was taken back")),
                ItemState::Waiting | ItemState::Approved | ItemState::Narrowed => {}
            }
        }
        let stop = Stop::new(exit, message.join("\n"));
        match todo {
            Some(todo) => stop.todo(todo),
            None => stop,
        }
    }

    async fn what_would_do(&self, client: &Client, request: &RequestView, item: &ItemView) -> Option<String> {
        let (resource, role) = (&item.resource, &item.role);
        let suppose = Suppose {
            person: None,
            resource: resource.clone(),
            role: Some(role.clone()),
            duration: Some(request.duration.text.clone()),
            reason: request.reason.clone(),
            ticket: request.ticket.clone(),
            task: item.task.clone(),
            policy_version: None,
            policy_text: None,
        };
        // The denial stands whether or not it can be explained.
        let why = client.why(&suppose).await.ok()?;
        let mut would: Vec<String> = why
            .paths
            .iter()
            .filter(|path| path.applies && !path.unmet.is_empty())
            .map(|path| path.unmet.join("; "))
            .take(2)
            .collect();
        would.extend(
            why.narrower
                .iter()
                .filter(|n| n.outcome != Verdict::Denied)
                .map(|n| format!("`wane request {}@{resource}` would be {}", n.role, verdict(n.outcome)))
                .take(2),
        );
        if would.is_empty() {
            would.push(format!("`wane why {role}@{resource}` says more"));
        }
        Some(would.join(", or "))
    }
}

/// A verdict after "would be".
const fn verdict(outcome: Verdict) -> &'static str {
    match outcome {
        Verdict::Granted => "granted",
        Verdict::Approval => "put to an approver",
        Verdict::Denied => "denied",
    }
}

fn first(ask: &NewRequest, part: impl Fn(&AskItem) -> &String) -> &str {
    ask.items.first().map_or("", |item| part(item))
}

/// An hour, or as long as the role may be asked for if that is less.
fn usual_duration(askable: &[AskableView], role: &str) -> String {
    askable
        .iter()
        .find(|a| a.role == role)
        .and_then(|a| a.max_ttl.as_ref())
        .filter(|max| max.secs < 3600)
        .map_or_else(|| "1h".to_owned(), |max| max.text.clone())
}

fn choose(resource: &str, roles: &BTreeSet<&str>, what: &str) -> Stop {
    let roles: Vec<&str> = roles.iter().copied().collect();
    Stop::usage(format!("{what} `{resource}`: {}", roles.join(", "))).todo("name the role")
}

/// How a grant that cannot be used any more ended.
pub(crate) fn how_it_ended(view: &GrantView) -> String {
    let what = format!("the access to {} as {} has ended", view.resource, view.role);
    let Some(end) = &view.ending else {
        return format!("{what}: expired");
    };
    let by = end.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
    let why = end.reason.as_ref().map_or(String::new(), |why| format!(": {why}"));
    format!("{what}: {}{by}{why}", end.cause)
}
