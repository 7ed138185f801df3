//! The loop: look what is due, start it, sleep until the next thing is.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_app::{App, AppError, TryEnd, rejudge_all};
use wane_domain::id::{LeaseId, ResourceId};
use wane_domain::time::{Span, Time};
use wane_domain::world::Epoch;
use wane_store::{DueWhat, LeaseFilter, LeasePhase, Slice};

use crate::confirm::Confirmations;
use crate::inventory::Sightings;
use crate::queues::{Queues, Reached};

/// The longest the loop sleeps: a clock that jumped, or a nudge that was lost, costs no more.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// The shortest time between two looks, so that a burst of nudges is one look.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// How many due things one look takes.
const LOOK: u32 = 100_000;
/// How often abandoned intents are looked for.
const SWEEP_EVERY: Span = Span::from_secs(30);

/// How the engine runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often every target is visited.
    pub inventory_every: Span,
    /// The longest wait between tries.
    pub retry_cap: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self { inventory_every: Span::from_mins(15), retry_cap: Span::from_secs(30) }
    }
}

/// What a task came back with.
enum Back {
    Ended(ResourceId, LeaseId, Result<TryEnd, AppError>),
    Confirmed(LeaseId, Result<bool, AppError>),
    Judged(Result<Epoch, AppError>),
    Visited(Sightings),
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    app: Arc<App>,
    settings: Settings,
    queues: Queues,
    confirmations: Confirmations,
    sightings: Option<Sightings>,
    judged: Option<Epoch>,
    judging: bool,
    next_visit: Time,
    next_sweep: Time,
}

impl Engine {
    /// An engine over the use-cases.
    #[must_use]
    pub fn new(app: Arc<App>, settings: Settings) -> Self {
        let now = app.now();
        Self {
            next_visit: now.plus(settings.inventory_every.min(Span::from_secs(10))),
            next_sweep: now,
            app,
            settings,
            queues: Queues::default(),
            confirmations: Confirmations::default(),
            sightings: Some(Sightings::default()),
            judged: None,
            judging: false,
        }
    }

    /// Runs until it is told to stop. Whatever fails is tried again; nothing makes it give up.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        // No earlier process is still making anything: its intents are abandoned.
        log("sweep", self.sweep(Sweep::AtStart).await);
        log("unconfirmed", self.load_unconfirmed().await);
        loop {
            let sleep = match self.look(&mut tasks).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "the engine could not look what is due; it goes on trying");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = async { tokio::time::sleep(SHORTEST_SLEEP).await; self.app.nudged().await } => {}
                () = tokio::time::sleep(sleep) => {}
                Some(back) = tasks.join_next(), if !tasks.is_empty() => match back {
                    Ok(back) => self.take(back),
                    Err(error) => tracing::error!(%error, "a pass of the engine died; what it was at is due again"),
                },
            }
            while let Some(Ok(back)) = tasks.try_join_next() {
                self.take(back);
            }
        }
        // What is half done at a target is finished or found again by its name.
        tasks.shutdown().await;
    }

    /// Starts what is due; says how long nothing will be.
    async fn look(&mut self, tasks: &mut JoinSet<Back>) -> Result<Duration, AppError> {
        let now = self.app.now();
        for due in self.app.store().due(now, LOOK).await? {
            match due.what {
                DueWhat::Request(id) => log("lapse", self.app.lapse(id).await),
                DueWhat::Grant(id) => log("expire", self.app.end_if_due(id).await),
                DueWhat::Lease(id) if !self.queues.knows(id) => {
                    if let Some(lease) = self.app.store().lease(id).await? {
                        self.queues.add(lease.value.resource, due.at, id);
                    }
                }
                DueWhat::Lease(_) => {}
            }
        }
        for (target, lease) in self.queues.start(now) {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Ended(target, lease, app.try_end(lease).await) });
        }
        self.confirmations.add(self.app.take_unconfirmed(), now);
        for lease in self.confirmations.due(now) {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Confirmed(lease, app.confirm(lease).await) });
        }
        if !self.judging && self.judged != Some(self.app.world().await?.epoch) {
            self.judging = true;
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Judged(rejudge_all(&app).await) });
        }
        if now >= self.next_sweep {
            self.next_sweep = now.plus(SWEEP_EVERY);
            log("sweep", self.sweep(Sweep::Old).await);
        }
        if now >= self.next_visit
            && let Some(sightings) = self.sightings.take()
        {
            self.next_visit = now.plus(self.settings.inventory_every);
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Visited(visit_all(&app, sightings).await) });
        }
        let next = self.app.store().next_due(now).await?;
        let wake = [next, self.queues.next(), self.confirmations.next(), Some(self.next_visit), Some(self.next_sweep)];
        let wake = wake.into_iter().flatten().min().unwrap_or(now);
        Ok(wake.since(self.app.now()).to_std().clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
    }

    fn take(&mut self, back: Back) {
        let now = self.app.now();
        match back {
            Back::Ended(target, lease, result) => {
                let reached = match &result {
                    Ok(TryEnd::Gone | TryEnd::Open) => Reached::Yes,
                    Ok(TryEnd::Unreachable) => Reached::No,
                    // Our own store failed, not the target.
                    Err(error) => {
                        tracing::error!(%lease, %error, "an end could not be booked; it is tried again");
                        Reached::Yes
                    }
                };
                self.queues.done(target, lease, reached, now, self.settings.retry_cap);
            }
            Back::Confirmed(lease, Ok(true)) => self.confirmations.settle(lease),
            Back::Confirmed(lease, Err(error)) => {
                tracing::debug!(%lease, %error, "a credential could not be tried at its target")
            }
            Back::Confirmed(_, Ok(false)) => {}
            Back::Judged(result) => {
                self.judging = false;
                match result {
                    Ok(epoch) => self.judged = Some(epoch),
                    Err(error) => tracing::error!(%error, "live grants could not all be judged again; tried again"),
                }
            }
            Back::Visited(sightings) => self.sightings = Some(sightings),
        }
    }

    async fn sweep(&self, which: Sweep) -> Result<(), AppError> {
        let filter = LeaseFilter { phases: vec![LeasePhase::Intended], ..LeaseFilter::default() };
        let mut slice = Slice::first(1000);
        loop {
            let page = self.app.store().leases(filter.clone(), slice.clone()).await?;
            for lease in page.items {
                self.app.sweep_intent(lease.value.id, which == Sweep::AtStart).await?;
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn load_unconfirmed(&mut self) -> Result<(), AppError> {
        let filter = LeaseFilter { phases: vec![LeasePhase::Live], ..LeaseFilter::default() };
        let mut slice = Slice::first(1000);
        loop {
            let page = self.app.store().leases(filter.clone(), slice.clone()).await?;
            let open = page.items.iter().filter(|l| l.value.confirmed.is_none()).map(|l| l.value.id).collect();
            self.confirmations.add(open, self.app.now());
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

fn log(what: &str, result: Result<(), AppError>) {
    if let Err(error) = result {
        tracing::error!(what, %error, "a pass failed; it is tried again");
    }
}

/// Which intents are swept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sweep {
    /// All: the process that wrote them is gone.
    AtStart,
    /// Those that stand too long.
    Old,
}

async fn visit_all(app: &App, mut sightings: Sightings) -> Sightings {
    match app.world().await {
        Ok(world) => {
            for target in world.resources.keys() {
                if let Err(error) = sightings.visit(app, *target).await {
                    tracing::warn!(%target, %error, "a target could not be visited");
                }
            }
        }
        Err(error) => tracing::error!(%error, "no target could be visited"),
    }
    sightings
}
