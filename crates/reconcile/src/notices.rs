//! The pass over notices: read on in the trail, carry what is due, forget what is old.
//!
//! Owns: *when* a delivery is tried, and that one dead channel delays no other. Runs beside the engine and shares nothing
//! with it, so that nothing here delays an end. Refuses to know: what a notice says and how it is carried.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_app::{App, AppError, Sent};
use wane_domain::id::DeliveryId;
use wane_domain::time::{Span, Time};

/// The longest this sleeps: a clock that jumped, or a word that was lost, costs no more.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// The pause between two stretches of the trail while there is more: whatever is urgent goes in between.
const BREATH: Duration = Duration::from_millis(20);
/// How soon it is tried again when the store failed.
const STORE_AGAIN: Duration = Duration::from_secs(1);
/// How soon a delivery is tried again whose outcome could not be booked.
const BOOK_AGAIN: Span = Span::from_secs(1);
/// How often old deliveries are forgotten.
const FORGET_EVERY: Span = Span::from_mins(10);
/// How many due deliveries of a channel are read at once.
const PAGE: u32 = 64;

/// What is under way over one channel.
#[derive(Debug, Default)]
struct Line {
    under_way: HashSet<DeliveryId>,
    /// The other side takes nothing before this.
    away: Option<Time>,
    /// It did not take the last; it is felt for by one.
    felt_for: bool,
    closed: bool,
}

impl Line {
    /// How many more may be begun now.
    fn room(&self, at_once: usize, now: Time) -> usize {
        if self.closed || self.away.is_some_and(|until| now < until) {
            return 0;
        }
        let most = if self.felt_for { 1 } else { at_once };
        most.saturating_sub(self.under_way.len())
    }

    /// One came back.
    fn came_back(&mut self, id: DeliveryId, sent: &Result<Sent, AppError>, now: Time) {
        self.under_way.remove(&id);
        match sent {
            Ok(Sent::Done | Sent::Waits) => (self.away, self.felt_for) = (None, false),
            Ok(Sent::Needless) => {}
            Ok(Sent::Away(until)) => {
                self.away = self.away.max(Some(*until));
                self.felt_for = true;
            }
            Ok(Sent::Closed) => self.closed = true,
            Err(_) => self.away = Some(now.plus(BOOK_AGAIN)),
        }
    }
}

/// Carries notices for as long as the server runs.
#[derive(Debug)]
pub struct Couriers {
    app: Arc<App>,
    lines: HashMap<String, Line>,
    read_to: Option<u64>,
    next_forgetting: Time,
}

type Back = (String, DeliveryId, Result<Sent, AppError>);

impl Couriers {
    /// Over the use-cases.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self { next_forgetting: app.now(), app, lines: HashMap::new(), read_to: None }
    }

    /// Runs until it is told to stop. Whatever fails is tried again.
    pub async fn run(mut self, stop: CancellationToken) {
        if self.app.channels().is_empty() {
            return stop.cancelled().await;
        }
        let mut tasks = JoinSet::new();
        loop {
            let sleep = match self.pass(&mut tasks).await {
                Ok(sleep) => sleep,
                Err(error) => {
                    tracing::warn!(%error, "notices wait: the store cannot be used; it is tried again");
                    STORE_AGAIN
                }
            };
            let (app, read_to) = (Arc::clone(&self.app), self.read_to.unwrap_or(u64::MAX));
            let news = async {
                app.store().changed(read_to).await;
                // What is committed together is read together.
                tokio::time::sleep(BREATH).await;
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(sleep) => {}
                () = news => {}
                () = self.app.notices_wanted() => {}
                Some(back) = tasks.join_next(), if !tasks.is_empty() => self.back(back),
            }
            while let Some(back) = tasks.try_join_next() {
                self.back(back);
            }
        }
        // What was sent and not booked is sent once more, under the same id.
        tasks.shutdown().await;
    }

    fn back(&mut self, back: Result<Back, tokio::task::JoinError>) {
        let now = self.app.now();
        match back {
            Ok((channel, id, sent)) => {
                if let Err(error) = &sent {
                    tracing::warn!(delivery = %id, %error, "what became of a notice could not be booked; it is sent again");
                }
                self.lines.entry(channel).or_default().came_back(id, &sent, now);
            }
            Err(error) => {
                tracing::error!(%error, "a courier died; what it carried is due again");
                self.lines.values_mut().for_each(|line| line.under_way.clear());
            }
        }
    }

    /// Reads on, starts what is due; says how long nothing will be.
    async fn pass(&mut self, tasks: &mut JoinSet<Back>) -> Result<Duration, AppError> {
        let read = self.app.read_for_notices(self.read_to).await?;
        self.read_to = Some(read.to);
        let now = self.app.now();
        let closed = self.app.store().closed_channels().await?;
        for channel in self.app.channels() {
            let line = self.lines.entry(channel.name.clone()).or_default();
            line.closed = closed.iter().any(|closed| closed.channel == channel.name);
            let room = line.room(channel.at_once, now);
            if room == 0 {
                continue;
            }
            let due = self.app.store().deliveries_due(&channel.name, now, PAGE).await?;
            let fresh: Vec<DeliveryId> = due.into_iter().filter(|id| !line.under_way.contains(id)).take(room).collect();
            for id in fresh {
                line.under_way.insert(id);
                let (app, name) = (Arc::clone(&self.app), channel.name.clone());
                tasks.spawn(async move { (name, id, app.deliver(id).await) });
            }
        }
        if now >= self.next_forgetting {
            self.app.forget_notices().await?;
            self.next_forgetting = now.plus(FORGET_EVERY);
        }
        Ok(if read.more { BREATH } else { LONGEST_SLEEP })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wane_domain::id::TypedId as _;

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    fn delivery(n: u8) -> DeliveryId {
        DeliveryId::mint(at(0), &[n; 10])
    }

    #[test]
    fn a_channel_that_is_away_is_felt_for_by_one() {
        let mut line = Line::default();
        assert_eq!(line.room(4, at(0)), 4);
        line.under_way.extend((0..4).map(delivery));
        assert_eq!(line.room(4, at(0)), 0);
        for n in 0..4 {
            line.came_back(delivery(n), &Ok(Sent::Away(at(10 + i64::from(n)))), at(1));
        }
        assert_eq!((line.room(4, at(12)), line.room(4, at(13))), (0, 1));
        line.under_way.insert(delivery(5));
        assert_eq!(line.room(4, at(13)), 0, "a channel that is away is not felt for by one");
        line.came_back(delivery(5), &Ok(Sent::Needless), at(13));
        assert_eq!(line.room(4, at(13)), 1, "what was not carried says nothing of the channel");
        line.under_way.insert(delivery(5));
        line.came_back(delivery(5), &Ok(Sent::Done), at(14));
        assert_eq!(line.room(4, at(14)), 4, "a channel that came back is not used in full");
    }
}
