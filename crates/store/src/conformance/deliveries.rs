//! Notices on their way.

use wane_domain::time::{Span, Time};
use wane_notice::{Delivery, DeliveryState, WaitsFor, test_notice};

use super::fixture::{Fixture, told};
use super::same;
use crate::commit::{Put, Seen, Write};
use crate::port::{Store, StoreError};
use crate::query::{DeliveryFilter, Slice};
use crate::rows::{ChannelStands, ClosedChannel};

fn delivery(f: &mut Fixture, channel: &str, next: Time) -> Delivery {
    Delivery {
        id: f.id(),
        channel: channel.to_owned(),
        to: Some(f.id()),
        notice: test_notice("ada", f.now),
        made: f.now,
        expires: f.now.plus(Span::from_hours(1)),
        only: None,
        tries: 0,
        state: DeliveryState::Waiting(WaitsFor { next, last: None }),
    }
}

pub(crate) async fn they_are_entered_once_and_found_when_due<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    let (now, later) = (f.now, f.now.plus(Span::from_secs(60)));
    let (first, second, other) = (delivery(f, "mail", now), delivery(f, "mail", later), delivery(f, "webhook", now));
    let enter = |one: &Delivery| Write::EnterDelivery(one.clone());
    s.commit(f.commit(vec![enter(&first), enter(&second), enter(&other)])?).await.map_err(told)?;
    // What is derived again is there already, and stays as it is.
    let again = Delivery { tries: 7, ..first.clone() };
    s.commit(f.commit(vec![enter(&again)])?).await.map_err(told)?;
    let seen = s.delivery(first.id).await.map_err(told)?.ok_or("a delivery is gone")?;
    same("one that was entered twice", &seen.value, &first)?;
    same("what is due", &s.deliveries_due("mail", now, 10).await.map_err(told)?, &vec![first.id])?;
    same("what is due later", &s.deliveries_due("mail", later, 10).await.map_err(told)?, &vec![first.id, second.id])?;
    same("at most so many", &s.deliveries_due("mail", later, 1).await.map_err(told)?, &vec![first.id])?;
    same("how many wait", &s.deliveries_waiting("mail").await.map_err(told)?, &2)?;
    let gone = Delivery { state: DeliveryState::GivenUp { at: now, why: "550".to_owned() }, ..first.clone() };
    s.commit(f.commit(vec![Write::Delivery(Put::over(&seen, gone.clone()))])?).await.map_err(told)?;
    match s.commit(f.commit(vec![Write::Delivery(Put::over(&seen, gone.clone()))])?).await {
        Err(StoreError::Conflict(_)) => {}
        done => return Err(format!("a delivery was booked twice: {done:?}")),
    }
    let stands = |channel: &str, waiting, next, given_up, oldest_done| ChannelStands {
        channel: channel.to_owned(),
        waiting,
        next,
        given_up,
        oldest_done,
    };
    let want = vec![stands("mail", 1, Some(later), 1, Some(now)), stands("webhook", 1, Some(now), 0, None)];
    same("how the channels stand", &s.channels().await.map_err(told)?, &want)?;
    for (filter, want) in [
        (DeliveryFilter::default(), vec![other.id, second.id, first.id]),
        (DeliveryFilter { to: second.to, ..DeliveryFilter::default() }, vec![second.id]),
        (DeliveryFilter { channel: Some("mail".to_owned()), ..DeliveryFilter::default() }, vec![second.id, first.id]),
        (DeliveryFilter { state: Some("given_up".to_owned()), ..DeliveryFilter::default() }, vec![first.id]),
    ] {
        let page = s.deliveries(filter.clone(), Slice::first(10)).await.map_err(told)?;
        let found: Vec<_> = page.items.iter().map(|seen| seen.value.id).collect();
        // They were made in this order, and the channel first.
        let (mut found, mut want) = (found, want);
        found.sort();
        want.sort();
        same(&format!("a listing by {filter:?}"), &found, &want)?;
    }
    s.commit(f.commit(vec![Write::ForgetDeliveries(now)])?).await.map_err(told)?;
    same("one that is not old", &s.delivery(first.id).await.map_err(told)?.is_some(), &true)?;
    s.commit(f.commit(vec![Write::ForgetDeliveries(later)])?).await.map_err(told)?;
    same("one that was forgotten", &s.delivery(first.id).await.map_err(told)?, &None)?;
    same("one that waits", &s.delivery(second.id).await.map_err(told)?.is_some(), &true)?;
    let closed = ClosedChannel { channel: "webhook".to_owned(), at: now, why: "410".to_owned() };
    s.commit(f.commit(vec![Write::CloseChannel(closed.clone())])?).await.map_err(told)?;
    same("a channel that is closed", &s.closed_channels().await.map_err(told)?, &vec![closed])?;
    s.commit(f.commit(vec![Write::OpenChannel("webhook".to_owned())])?).await.map_err(told)?;
    same("a channel that was opened", &s.closed_channels().await.map_err(told)?, &Vec::new())
}

pub(crate) async fn how_far_was_read_moves_from_where_it_was<S: Store>(s: &S, f: &mut Fixture) -> Result<(), String> {
    same("where nothing was read", &s.notices_read().await.map_err(told)?, &None)?;
    let to = |seen, to| vec![Write::NoticesRead(seen, to)];
    s.commit(f.commit(to(Seen::Nothing, 3))?).await.map_err(told)?;
    s.commit(f.commit(to(Seen::Generation(3), 5))?).await.map_err(told)?;
    for stale in [Seen::Nothing, Seen::Generation(3)] {
        match s.commit(f.commit(to(stale, 9))?).await {
            Err(StoreError::Conflict(_)) => {}
            done => return Err(format!("two read on from {stale:?}: {done:?}")),
        }
    }
    same("how far was read", &s.notices_read().await.map_err(told)?, &Some(5))
}
