//! Carrying one delivery, and booking what came of it.

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::grant::GrantState;
use wane_domain::id::{DeliveryId, RequestId};
use wane_domain::time::{Span, Time};
use wane_failpoint::{around, point};
use wane_notice::{Delivery, DeliveryState, Only, WaitsFor, address, line, wait};
use wane_store::{ClosedChannel, Put, Versioned, Write};

use super::{Carries, Channel, NotCarried, Parcel};
use crate::App;
use crate::error::AppError;

/// The longest a courier is let work.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);
/// The longest that another side can have us wait.
const LONGEST_AFTER: Span = Span::from_hours(24);

/// How a try came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The other side took it, or never will.
    Done,
    /// There was nothing to carry.
    Needless,
    /// It waits for another try, and others need not.
    Waits,
    /// Nothing is taken over this channel before this moment.
    Away(Time),
    /// Nothing goes over this channel until somebody has seen to it.
    Closed,
}

impl App {
    /// Carries a delivery that is due, and books what came of it. Whatever is booked, the other side may have taken
    /// it: then it gets it again, under the same id.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn deliver(&self, id: DeliveryId) -> Result<Sent, AppError> {
        let Some(seen) = self.store.delivery(id).await? else { return Ok(Sent::Needless) };
        let now = self.now();
        if seen.value.due().is_none_or(|due| due > now) {
            return Ok(Sent::Needless);
        }
        if let Some(why) = self.needless(&seen.value, now).await? {
            return self
                .book_notice(&seen, DeliveryState::Dropped { at: now, why }, None)
                .await
                .map(|()| Sent::Needless);
        }
        if now >= seen.value.expires {
            let DeliveryState::Waiting(WaitsFor { last, .. }) = &seen.value.state else { return Ok(Sent::Needless) };
            let why = last.clone().unwrap_or_else(|| "the channel was away all the time".to_owned());
            return self
                .book_notice(&seen, DeliveryState::GivenUp { at: now, why }, None)
                .await
                .map(|()| Sent::Needless);
        }
        let Some(channel) = self.channel(&seen.value.channel) else { return Ok(Sent::Waits) };
        let carried = around(point!("app.notices.carry"), self.carry(channel, &seen.value)).await;
        self.came_out(seen, carried).await
    }

    /// Why nobody needs it any more.
    async fn needless(&self, delivery: &Delivery, now: Time) -> Result<Option<String>, AppError> {
        let (grant, end) = match delivery.only {
            None => return Ok(None),
            Some(Only::Waits(request)) => return self.waits_no_more(delivery, request).await,
            Some(Only::Ends(grant, end)) => (grant, end),
        };
        if now >= delivery.expires {
            return Ok(Some("its time has passed".to_owned()));
        }
        let ends = self.store.grant(grant).await?.and_then(|seen| match seen.value.state {
            GrantState::Active { end, .. } => Some(end),
            GrantState::Scheduled | GrantState::Ending { .. } | GrantState::Closed { .. } => None,
        });
        Ok((ends != Some(end)).then(|| "the grant has another end by now".to_owned()))
    }

    /// Why nobody need be reminded of a request any more.
    async fn waits_no_more(&self, delivery: &Delivery, request: RequestId) -> Result<Option<String>, AppError> {
        let (world, seen) = (self.world().await?, self.store.request(request).await?);
        let Some(request) = seen.map(|seen| seen.value).filter(|request| request.is_waiting()) else {
            return Ok(Some("it is decided by now".to_owned()));
        };
        let Some(person) = delivery.to else { return Ok(None) };
        let could = self.who_decides(&world, Some(&request))?.contains(&person);
        Ok((!could).then(|| "it does not wait for them any more".to_owned()))
    }

    async fn carry(&self, channel: &Channel, delivery: &Delivery) -> Result<(), NotCarried> {
        let world = match self.store.world().await {
            Ok(world) => world,
            Err(why) => return Err(NotCarried::NotNow { why: why.to_string(), after: None }),
        };
        let person = delivery.to.and_then(|id| world.people.get(&id));
        let address = person.and_then(address);
        if channel.carries == Carries::ToPeople && address.is_none() {
            return Err(NotCarried::Never("the person has no address: no attribute `email`".to_owned()));
        }
        let parcel = Parcel { delivery, address, org: self.org, server: &self.public_url, now: self.now() };
        match tokio::time::timeout(LONGEST, channel.courier.carry(&parcel)).await {
            Ok(carried) => carried,
            Err(_) => Err(NotCarried::Away { why: "it takes too long".to_owned(), after: None }),
        }
    }

    async fn came_out(&self, seen: Versioned<Delivery>, carried: Result<(), NotCarried>) -> Result<Sent, AppError> {
        let now = self.now();
        let tried = Delivery { tries: seen.value.tries.saturating_add(1), ..seen.value.clone() };
        let next =
            |after: Option<Span>| now.plus(wait(tried.tries).max(after.unwrap_or(Span::ZERO).min(LONGEST_AFTER)));
        let waits = |next, why: &str| DeliveryState::Waiting(WaitsFor { next, last: Some(line(why)) });
        let (state, sent, close) = match carried {
            Ok(()) => (DeliveryState::Delivered { at: now }, Sent::Done, None),
            Err(NotCarried::Never(why)) => (DeliveryState::GivenUp { at: now, why: line(&why) }, Sent::Done, None),
            Err(NotCarried::NotNow { why, after }) => (waits(next(after), &why), Sent::Waits, None),
            Err(NotCarried::Away { why, after }) => (waits(next(after), &why), Sent::Away(next(after)), None),
            Err(NotCarried::Closed(why)) => {
                let closed = ClosedChannel { channel: tried.channel.clone(), at: now, why: line(&why) };
                (DeliveryState::GivenUp { at: now, why: line(&why) }, Sent::Closed, Some(closed))
            }
        };
        let seen = Versioned { value: tried, ..seen };
        self.book_notice(&seen, state, close).await?;
        Ok(sent)
    }

    async fn book_notice(
        &self,
        seen: &Versioned<Delivery>,
        state: DeliveryState,
        close: Option<ClosedChannel>,
    ) -> Result<(), AppError> {
        let delivery = Delivery { state, ..seen.value.clone() };
        let (event, outcome, why): (_, _, Value) = match &delivery.state {
            DeliveryState::Waiting(waits) => ("notice.tried", Outcome::Failed, json!(waits.last)),
            DeliveryState::Delivered { .. } => ("notice.delivered", Outcome::Done, Value::Null),
            DeliveryState::GivenUp { why, .. } => ("notice.given_up", Outcome::Failed, json!(why)),
            DeliveryState::Dropped { why, .. } => ("notice.dropped", Outcome::Done, json!(why)),
        };
        let detail = json!({
            "delivery": delivery.id, "channel": delivery.channel, "notice": delivery.notice.kind, "tries": delivery.tries,
            "why": why, "next": delivery.due(),
        });
        let about = Subjects {
            person: delivery.to,
            request: delivery.notice.about.request,
            grant: delivery.notice.about.grant,
            ..Subjects::default()
        };
        let mut change = self.change(Actor::System, self.now());
        change.note(event, outcome, about, detail);
        if let Some(closed) = close {
            tracing::error!(channel = %closed.channel, why = %closed.why, "nothing goes over this channel until `wane notices test` succeeds");
            let detail = json!({ "channel": closed.channel, "why": closed.why });
            change.note("notices.channel_closed", Outcome::Failed, Subjects::default(), detail);
            change.write(Write::CloseChannel(closed));
        }
        change.write(Write::Delivery(Put::over(seen, delivery)));
        change.commit(point!("app.notices.book.commit")).await.map(|_| ())
    }

    /// Forgets deliveries that were done long ago.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn forget_notices(&self) -> Result<(), AppError> {
        let Some(notices) = self.notices.get() else { return Ok(()) };
        let before = self.now().minus(notices.keep);
        let stands = self.store.channels().await?;
        if !stands.iter().any(|stands| stands.oldest_done.is_some_and(|done| done < before)) {
            return Ok(());
        }
        let mut change = self.change(Actor::System, self.now());
        change.note("notices.forgotten", Outcome::Done, Subjects::default(), json!({ "done_before": before }));
        change.write(Write::ForgetDeliveries(before));
        change.commit(point!("app.notices.forget.commit")).await.map(|_| ())
    }
}
