//! Leaving: everything of a person ends in one commit, whichever way they go.
//!
//! Owns: what goes with somebody who is disabled (what they hold, what they asked for, what they are signed in
//! with) and what besides with somebody who leaves (how they sign in, which groups they are in), and the record
//! that says so. Refuses to know: how anything ends at its target, and what came of it (`leaving`).

use std::collections::HashMap;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::closure::EndCause;
use wane_domain::directory::{Person, Standing};
use wane_domain::grant::Grant;
use wane_domain::id::{GrantId, PersonId};
use wane_domain::request::{AccessRequest, ItemEvent};
use wane_domain::text::Reason;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{GrantFilter, GrantPhase, Put, RequestFilter, Slice, TokenKind, Versioned, Write, whole};

use crate::asked::waiting_items;
use crate::caller::Caller;
use crate::change::{Change, about_request};
use crate::error::AppError;
use crate::{App, WayKind, decide};

/// The event that says what somebody who left took with them.
pub(crate) const LEFT: &str = "person.left";

/// How somebody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// They may come back: how they sign in and their groups stay.
    Disabled,
    /// Somebody sent them away.
    Left,
    /// The time that they were here for is over.
    TimeIsOver,
}

impl Farewell {
    /// Why what they hold ends.
    fn cause(self, actor: &Actor, why: &str) -> EndCause {
        match (self, actor) {
            (Self::Left, Actor::Person(by)) => EndCause::Revoked { by: *by, reason: why.to_owned() },
            (Self::Disabled, _) => EndCause::LostEligibility { reason: "the holder is disabled".to_owned() },
            (Self::Left | Self::TimeIsOver, _) => EndCause::LostEligibility { reason: why.to_owned() },
        }
    }
}

/// What went with somebody, for the record.
#[derive(Debug, Default)]
struct Gone {
    sessions: usize,
    codes: usize,
    login: Value,
    ways: Vec<Value>,
    identities: Vec<Value>,
    groups: Vec<String>,
    kept: Vec<Value>,
    requests: Vec<String>,
    grants: Vec<GrantId>,
}

impl Gone {
    fn is_nothing(&self) -> bool {
        let none = self.ways.is_empty() && self.groups.is_empty() && self.requests.is_empty();
        none && self.sessions == 0 && self.codes == 0 && self.login.is_null() && self.grants.is_empty()
    }

    fn told(&self, why: &str) -> Value {
        json!({
            "why": why, "sessions": self.sessions, "codes": self.codes, "password": !self.login.is_null(),
            "passkeys": self.ways, "identities": self.identities, "groups": self.groups, "kept": self.kept, "requests": self.requests,
            "grants": self.grants,
        })
    }
}

impl App {
    /// Sends somebody away: they are disabled, everything of theirs is taken away, and all that they hold ends.
    /// Doing it twice changes nothing more.
    ///
    /// # Errors
    /// When policy does not let the caller, there is no such person, nobody could enter people any more, or the
    /// store cannot be written: then all that they hold ends all the same, and it is to be said again.
    pub async fn offboard(&self, caller: &Caller, name: &str, why: Option<&Reason>) -> Result<(), AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageDirectory)?;
        let person = world.person(name).ok_or_else(|| AppError::missing("person", name))?.id;
        self.check_not_last(caller, &world, person)?;
        let why = why.map_or_else(|| "they have left".to_owned(), |why| format!("they have left: {}", why.as_str()));
        self.leave(Actor::Person(caller.person), person, Farewell::Left, &why).await
    }

    /// Refuses to have the last one go who may enter people.
    pub(crate) fn check_not_last(&self, caller: &Caller, world: &World, person: PersonId) -> Result<(), AppError> {
        // Of somebody else the caller is one who stays.
        if person != caller.person {
            return Ok(());
        }
        for other in world.people.keys().filter(|id| **id != person && world.is_active(**id)) {
            let may = self.judge_action(
                world,
                *other,
                &caller.proof,
                wane_domain::time::Span::ZERO,
                Action::ManageDirectory,
            )?;
            if may {
                return Ok(());
            }
        }
        Err(AppError::Taken("nobody else may enter people here; let somebody else do so first".to_owned()))
    }

    /// Has somebody go. While the store cannot be written, what they hold is ended from memory.
    pub(crate) async fn leave(&self, actor: Actor, id: PersonId, how: Farewell, why: &str) -> Result<(), AppError> {
        let said = match self.in_time(self.say_gone(&actor, id, how, why)).await {
            // What began in the same instant, before that was on disk, is found now, and nothing begins any more.
            Ok(()) => self.in_time(self.say_gone(&actor, id, how, why)).await,
            said => said,
        };
        if let Err(AppError::Store(_)) = &said {
            let held = self.live_or_known(GrantFilter { holder: Some(id), ..GrantFilter::default() }).await?;
            self.end_each(&actor, &held, || how.cause(&actor, why)).await?;
        }
        self.nudge();
        said
    }

    async fn say_gone(&self, actor: &Actor, id: PersonId, how: Farewell, why: &str) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            let now = self.now();
            let mut person = world.people.get(&id).cloned().ok_or_else(|| AppError::missing("person", id))?;
            if how == Farewell::TimeIsOver && person.stay.until.is_none_or(|until| until > now) {
                return Ok(());
            }
            let seen = self.seen(id).await?;
            let mut change = self.change_at(actor.clone(), &world, now);
            let again = person.stay.left.is_some();
            let gone = self.take_all(&mut change, &world, &person, how, &how.cause(actor, why)).await?;
            if again && gone.is_nothing() {
                return Ok(());
            }
            person.standing = Standing::Disabled;
            person.stay.left = person.stay.left.or(Some(now));
            change.note(LEFT, Outcome::Done, about(id), gone.told(why));
            change.write(Write::Person(Put { value: person, seen }));
            change.commit(point!("app.leave.commit")).await.map(|_| ())
        })
    }

    /// Disables somebody in a change that writes them: everything but how they sign in and their groups.
    pub(crate) async fn disable_in(
        &self,
        change: &mut Change<'_>,
        world: &World,
        person: &Person,
    ) -> Result<(), AppError> {
        let cause = Farewell::Disabled.cause(&Actor::System, "");
        self.take_all(change, world, person, Farewell::Disabled, &cause).await.map(|_| ())
    }

    /// Puts into a change that everything of a person is taken away.
    async fn take_all(
        &self,
        change: &mut Change<'_>,
        world: &World,
        person: &Person,
        how: Farewell,
        cause: &EndCause,
    ) -> Result<Gone, AppError> {
        let mut gone = Gone::default();
        // All asked at once: the sooner it is decided, the less begins meanwhile.
        let tokens = async { self.store.tokens_of(person.id).await.map_err(AppError::from) };
        let asked = futures::future::try_join3(tokens, self.waiting_of(person.id), self.held_now(person.id));
        let (tokens, waiting, held) = asked.await?;
        for token in tokens {
            match token.value.kind {
                TokenKind::Session => gone.sessions += 1,
                TokenKind::Enrol
                | TokenKind::Join
                | TokenKind::Host
                | TokenKind::Recovery
                | TokenKind::Directory
                | TokenKind::Job => {
                    gone.codes += 1;
                }
            }
            change.write(Write::RemoveToken(token.value.id));
        }
        take_asked(change, person.id, waiting, &mut gone)?;
        gone.grants = self.ends_in(change, &held, cause).await?.into_iter().collect();
        match how {
            Farewell::Disabled => {}
            Farewell::Left | Farewell::TimeIsOver => {
                self.take_ways(change, person.id, &mut gone).await?;
                self.take_groups(change, world, person.id, &mut gone).await?;
            }
        }
        Ok(gone)
    }

    pub(crate) async fn waiting_of(&self, id: PersonId) -> Result<Vec<Versioned<AccessRequest>>, AppError> {
        let filter = RequestFilter { person: Some(id), waiting: Some(true) };
        Ok(whole(Slice::first(PAGE), |slice| self.store.requests(filter.clone(), slice)).await?)
    }

    pub(crate) async fn held_now(&self, id: PersonId) -> Result<HashMap<GrantId, Versioned<Grant>>, AppError> {
        let phases = vec![GrantPhase::Scheduled, GrantPhase::Active];
        let filter = GrantFilter { holder: Some(id), phases, ..GrantFilter::default() };
        let held = whole(Slice::first(PAGE), |slice| self.store.grants(filter.clone(), slice)).await?;
        Ok(held.into_iter().map(|seen| (seen.value.id, seen)).collect())
    }

    /// How they sign in. An identity at a provider stays theirs, and leads to somebody who may do nothing: taken away,
    /// it would be nobody's, and a provider that may enter people could enter them anew.
    ///
    /// INVARIANT: who left is not somebody else by their next sign-in at a provider (held by
    /// `who_was_sent_away_does_not_come_back_as_somebody_new`).
    async fn take_ways(&self, change: &mut Change<'_>, id: PersonId, gone: &mut Gone) -> Result<(), AppError> {
        for way in self.store.ways_in(id).await? {
            let shown = self.way_shown(&way.value);
            match shown.what {
                WayKind::Identity { provider, subject } => {
                    gone.identities.push(json!({ "provider": provider, "subject": subject }));
                }
                WayKind::Passkey => {
                    gone.ways.push(json!(shown.name));
                    change.write(Write::RemoveWayIn(way.value.id));
                }
            }
        }
        if let Some(login) = self.store.login(id).await? {
            gone.login = json!(true);
            change.write(Write::RemoveLogin(id, login.generation));
        }
        Ok(())
    }

    /// Which groups they are in. Of one that a provider keeps, that provider says so.
    async fn take_groups(
        &self,
        change: &mut Change<'_>,
        world: &World,
        id: PersonId,
        gone: &mut Gone,
    ) -> Result<(), AppError> {
        let mut groups: Vec<_> = world.groups.values().filter(|group| group.members.contains(&id)).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        for group in groups {
            if let Some(keeper) = group.kept_by.as_ref().filter(|keeper| self.is_provider(keeper)) {
                gone.kept.push(json!({ "group": group.name, "kept_by": keeper }));
                continue;
            }
            let mut without = group.clone();
            without.members.remove(&id);
            let seen = self.seen(group.id).await?;
            gone.groups.push(group.name.to_string());
            change.note("group.changed", Outcome::Done, about(id), json!({ "group": without }));
            change.write(Write::Group(Put { value: without, seen }));
        }
        Ok(())
    }
}

/// What they asked for, and what others asked for them.
fn take_asked(
    change: &mut Change<'_>,
    id: PersonId,
    waiting: Vec<Versioned<AccessRequest>>,
    gone: &mut Gone,
) -> Result<(), AppError> {
    for seen in waiting {
        let mut request = seen.value.clone();
        for index in waiting_items(&seen.value, None) {
            let (next, fact) = request.apply(index, ItemEvent::Withdraw { by: id }, change.at())?;
            change.fact(about_request(&next, Some(index)), fact);
            request = next;
        }
        gone.requests.push(request.id.to_string());
        change.write(Write::Request(Put::over(&seen, request)));
    }
    Ok(())
}

/// As many as a page of the store may hold.
const PAGE: u32 = 1_000;

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
