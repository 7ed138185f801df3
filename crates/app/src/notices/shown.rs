//! Who may see notices, try a channel, and have one sent again.

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::DeliveryId;
use wane_domain::time::Time;
use wane_failpoint::{around, point};
use wane_notice::{Delivery, DeliveryState, WaitsFor, address, test_notice};
use wane_policy::schema::Action;
use wane_store::{DeliveryFilter, Page, Put, Slice, Write};

use super::{Carries, Parcel};
use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, decide};

/// A delivery, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeShown {
    /// The delivery.
    pub delivery: Delivery,
    /// To whom, by name.
    pub to: Option<String>,
}

/// A channel, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelShown {
    /// Its name.
    pub name: String,
    /// How many deliveries wait.
    pub waiting: u64,
    /// When the next of them is due.
    pub next: Option<Time>,
    /// How many were given up, of those that are kept.
    pub given_up: u64,
    /// Since when it is closed, and why.
    pub closed: Option<(Time, String)>,
    /// Whether the settings still have it.
    pub set: bool,
}

impl App {
    /// Notices and where they stand, newest first: all for those who may read the log, else those to oneself.
    ///
    /// # Errors
    /// When the store cannot be read, or there is no such person.
    pub async fn list_notices(
        &self,
        caller: &Caller,
        mut filter: DeliveryFilter,
        slice: Slice,
    ) -> Result<Page<NoticeShown>, AppError> {
        let world = self.world().await?;
        if !self.allows(caller, &world, Action::ReadLog)? {
            filter.to = Some(caller.person);
        }
        let page = self.store.deliveries(filter, slice).await?;
        let shown = |delivery: Delivery| {
            let to = delivery.to.and_then(|id| world.people.get(&id)).map(|person| person.name.to_string());
            NoticeShown { delivery, to }
        };
        Ok(Page { items: page.items.into_iter().map(|seen| shown(seen.value)).collect(), next: page.next })
    }

    /// How the channels stand.
    ///
    /// # Errors
    /// When policy does not let the caller read the log.
    pub async fn list_channels(&self, caller: &Caller) -> Result<Vec<ChannelShown>, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadLog)?;
        let (stands, closed) = (self.store.channels().await?, self.store.closed_channels().await?);
        let mut names: Vec<String> = self.channels().iter().map(|channel| channel.name.clone()).collect();
        for other in &stands {
            if !names.contains(&other.channel) {
                names.push(other.channel.clone());
            }
        }
        let shown = |name: String| {
            let stand = stands.iter().find(|stands| stands.channel == name);
            ChannelShown {
                waiting: stand.map_or(0, |stand| stand.waiting),
                next: stand.and_then(|stand| stand.next),
                given_up: stand.map_or(0, |stand| stand.given_up),
                closed: closed.iter().find(|c| c.channel == name).map(|c| (c.at, c.why.clone())),
                set: self.channel(&name).is_some(),
                name,
            }
        };
        Ok(names.into_iter().map(shown).collect())
    }

    /// Has a delivery that was given up, or waits, tried again at once.
    ///
    /// # Errors
    /// When policy does not let the caller, there is none, or it is delivered or needless.
    pub async fn retry_notice(&self, caller: &Caller, id: DeliveryId) -> Result<NoticeShown, AppError> {
        let shown = decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageCatalogue)?;
            let missing = || AppError::missing("notice", id);
            let seen = self.store.delivery(id).await?.ok_or_else(missing)?;
            let now = self.now();
            match seen.value.state {
                DeliveryState::Waiting(_) | DeliveryState::GivenUp { .. } => {}
                DeliveryState::Delivered { .. } | DeliveryState::Dropped { .. } => {
                    let why = format!("notice `{id}` is {}; there is nothing to try again", seen.value.state.name());
                    return Err(AppError::Taken(why));
                }
            }
            let try_for =
                self.notices.get().map_or(seen.value.expires.since(seen.value.made), |notices| notices.try_for);
            let expires = if seen.value.only.is_some() { seen.value.expires } else { now.plus(try_for) };
            let state = DeliveryState::Waiting(WaitsFor { next: now, last: None });
            let delivery = Delivery { state, expires, tries: 0, ..seen.value.clone() };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            let about = Subjects { person: delivery.to, ..Subjects::default() };
            change.note("notice.retried", Outcome::Done, about, json!({ "delivery": id, "channel": delivery.channel }));
            change.write(Write::Delivery(Put::over(&seen, delivery.clone())));
            change.commit(point!("app.notices.retry.commit")).await?;
            let to = delivery.to.and_then(|id| world.people.get(&id)).map(|person| person.name.to_string());
            Ok(NoticeShown { delivery, to })
        })?;
        self.noticed.notify_one();
        Ok(shown)
    }

    /// Sends a notice over a channel now, to the caller if it goes to people; one that arrives opens a closed channel.
    ///
    /// # Errors
    /// When policy does not let the caller, there is no such channel, or the other side did not take it.
    pub async fn test_channel(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ManageCatalogue)?;
        let channel = self.channel(name).ok_or_else(|| AppError::missing("channel", name))?;
        let (now, to) = (self.now(), (channel.carries == Carries::ToPeople).then_some(caller.person));
        let address = to.and_then(|id| world.people.get(&id)).and_then(address);
        if to.is_some() && address.is_none() {
            return Err(AppError::Taken("you have no address; set your attribute `email` first".to_owned()));
        }
        let delivery = Delivery {
            id: self.ambient.id(),
            channel: name.to_owned(),
            to,
            notice: test_notice(caller.name.as_str(), now),
            made: now,
            expires: now,
            only: None,
            tries: 1,
            state: DeliveryState::Waiting(WaitsFor { next: now, last: None }),
        };
        let parcel = Parcel { delivery: &delivery, address, org: self.org, server: &self.public_url, now };
        let carried = around(point!("app.notices.test"), channel.courier.carry(&parcel)).await;
        let mut change = self.change(Actor::Person(caller.person), self.now());
        let why = carried.as_ref().err().map(ToString::to_string);
        let outcome = if carried.is_ok() { Outcome::Done } else { Outcome::Failed };
        let about = Subjects { person: to, ..Subjects::default() };
        let detail = json!({ "channel": name, "delivery": delivery.id, "why": why });
        change.note("notices.tested", outcome, about, detail);
        if carried.is_ok() {
            change.write(Write::OpenChannel(name.to_owned()));
        }
        change.commit(point!("app.notices.test.commit")).await?;
        self.noticed.notify_one();
        match why {
            None => Ok(()),
            Some(why) => Err(AppError::Taken(format!("`{name}` did not take it: {why}"))),
        }
    }

    /// Resolves when somebody wants a notice sent that was not known to be due.
    pub async fn notices_wanted(&self) {
        self.noticed.notified().await;
    }
}
