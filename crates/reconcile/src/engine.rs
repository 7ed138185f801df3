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
use crate::residue::{Scan, Watch};
use crate::saying::Sayings;
use crate::scan::scan;

/// The longest the loop sleeps: a clock that jumped, or a nudge that was lost, costs no more.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// The shortest time between two looks, so that a burst of nudges is one look.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// How many due things one look takes. What waits for a target that is held stays among them.
const LOOK: u32 = 200_000;
/// How many leases one look puts into queues; the next, at once, takes more.
const TAKE: usize = 1_000;
/// How soon a pass over all live grants that failed is tried again.
const JUDGE_AGAIN: Span = Span::from_secs(5);
/// The longest time between two looks.
const LOOK_AT_LEAST: Span = Span::from_secs(5);
/// How soon what is still owed is looked for again.
const OWED_AGAIN: Span = Span::from_secs(1);
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
    Said(DueWhat, Result<(), AppError>),
    Confirmed(LeaseId, Result<bool, AppError>),
    Judged(Result<Epoch, AppError>),
    Visited(Sightings),
    Scanned(Scan),
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
    judge_from: Time,
    /// Grants and requests whose end is being said.
    sayings: Sayings,
    /// What is known of the traces at each target, and of which world the targets are.
    residue: Watch,
    watched: Option<Epoch>,
    /// When the store is asked next what is due.
    next_look: Time,
    next_visit: Time,
    next_sweep: Time,
    /// Until it succeeded once, the intents of earlier processes are all swept, however young.
    swept: Sweep,
    /// Whether the credentials that no target was seen accepting were read from the store.
    loaded: bool,
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
            judge_from: now,
            sayings: Sayings::default(),
            residue: Watch::default(),
            watched: None,
            next_look: now,
            swept: Sweep::AtStart,
            loaded: false,
        }
    }

    /// Runs until it is told to stop. Whatever fails is tried again; nothing makes it give up.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            let sleep = match self.pass(&mut tasks).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "the engine could not look what is due; it goes on trying");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.app.nudged() => {
                    tokio::time::sleep(SHORTEST_SLEEP).await;
                    // While plenty is known to be done, one look in a while is enough.
                    let wait = if self.sayings.is_waiting() { OWED_AGAIN } else { Span::ZERO };
                    self.next_look = self.next_look.min(self.app.now().plus(wait));
                }
                // Whatever the clock says: a clock that stands still must not keep the engine from looking.
                () = tokio::time::sleep(sleep) => self.next_look = self.app.now(),
                Some(back) = tasks.join_next(), if !tasks.is_empty() => self.back(back),
            }
            while let Some(back) = tasks.try_join_next() {
                self.back(back);
            }
        }
        // What is half done at a target is finished or found again by its name.
        tasks.shutdown().await;
    }

    fn back(&mut self, back: Result<Back, tokio::task::JoinError>) {
        match back {
            Ok(back) => self.take(back),
            Err(error) => {
                // Which task it was is not known, so nothing is taken to be under way any more.
                tracing::error!(%error, "a pass of the engine died; what it was at is due again");
                self.queues = Queues::default();
                self.sayings = Sayings::default();
                (self.residue, self.watched) = (Watch::default(), None);
                self.judging = false;
                self.sightings.get_or_insert_default();
                self.next_look = self.app.now();
            }
        }
    }

    /// Starts what is due; says how long nothing will be.
    async fn pass(&mut self, tasks: &mut JoinSet<Back>) -> Result<Duration, AppError> {
        let now = self.app.now();
        if now >= self.next_look {
            self.look(now).await?;
        }
        for what in self.sayings.start() {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Said(what, say(&app, what).await) });
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
        let world = self.app.world().await?;
        if self.watched != Some(world.epoch) {
            self.watched = Some(world.epoch);
            self.residue.only(world.resources.iter().map(|(id, resource)| (*id, &resource.settings)), now);
        }
        for due in self.residue.start(now, |target| self.queues.is_busy(target)) {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Scanned(scan(&app, due).await) });
        }
        if !self.judging && now >= self.judge_from && self.judged != Some(world.epoch) {
            self.judging = true;
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Judged(rejudge_all(&app).await) });
        }
        if now >= self.next_sweep {
            self.next_sweep = now.plus(SWEEP_EVERY.min(OWED_AGAIN));
            self.sweep().await?;
            self.load_unconfirmed().await?;
            self.next_sweep = now.plus(SWEEP_EVERY);
        }
        if now >= self.next_visit
            && let Some(sightings) = self.sightings.take()
        {
            self.next_visit = now.plus(self.settings.inventory_every);
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Visited(visit_all(&app, sightings).await) });
        }
        let next = [self.queues.next(), self.confirmations.next(), self.residue.next(now), Some(self.next_look)];
        let next = next.into_iter().chain([Some(self.next_visit), Some(self.next_sweep)]).flatten().min();
        Ok(next.unwrap_or(now).since(self.app.now()).to_std().clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
    }

    /// Asks the store what is due. Done when something may be due that is not known here, and not
    /// after each thing that was done: with 50,000 ends owed that would be 50,000 looks.
    async fn look(&mut self, now: Time) -> Result<(), AppError> {
        // Set before anything can fail, so that a failing store is not asked without pause.
        self.next_look = now.plus(OWED_AGAIN);
        let mut taken = 0usize;
        let mut more = false;
        for due in self.app.store().due(now, LOOK).await? {
            match due.what {
                what @ (DueWhat::Request(_) | DueWhat::Grant(_)) => self.sayings.add(what),
                DueWhat::Lease(id) if self.queues.knows(id) => {}
                DueWhat::Lease(_) if taken >= TAKE => more = true,
                DueWhat::Lease(id) => {
                    taken = taken.saturating_add(1);
                    if let Some(lease) = self.app.store().lease(id).await? {
                        self.queues.add(lease.value.resource, due.at, id);
                    }
                }
            }
        }
        self.next_look = if more {
            now
        } else {
            let next = self.app.store().next_due(now).await?;
            next.unwrap_or(now.plus(LOOK_AT_LEAST)).min(now.plus(LOOK_AT_LEAST))
        };
        Ok(())
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
                if matches!(result, Ok(TryEnd::Gone)) {
                    self.residue.ended(target, lease, now);
                } else {
                    self.next_look = self.next_look.min(now.plus(OWED_AGAIN));
                }
            }
            Back::Said(what, result) => {
                self.sayings.done(what);
                match result {
                    Ok(()) if self.sayings.is_waiting() => {}
                    Ok(()) => self.next_look = now,
                    Err(error) => {
                        tracing::error!(?what, %error, "an end could not be said; it is tried again");
                        self.next_look = self.next_look.min(now.plus(OWED_AGAIN));
                    }
                }
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
                    Err(error) => {
                        self.judge_from = now.plus(JUDGE_AGAIN);
                        tracing::error!(%error, "live grants could not all be judged again; tried again");
                    }
                }
            }
            Back::Visited(sightings) => {
                self.sightings = Some(sightings);
                self.residue.visited(now);
            }
            Back::Scanned(scan) => self.residue.done(scan, now),
        }
    }

    async fn sweep(&mut self) -> Result<(), AppError> {
        let filter = LeaseFilter { phases: vec![LeasePhase::Intended], ..LeaseFilter::default() };
        let mut slice = Slice::first(1000);
        loop {
            let page = self.app.store().leases(filter.clone(), slice.clone()).await?;
            for lease in page.items {
                self.app.sweep_intent(lease.value.id, self.swept == Sweep::AtStart).await?;
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => break,
            }
        }
        self.swept = Sweep::Old;
        Ok(())
    }

    async fn load_unconfirmed(&mut self) -> Result<(), AppError> {
        if self.loaded {
            return Ok(());
        }
        let filter = LeaseFilter { phases: vec![LeasePhase::Live], ..LeaseFilter::default() };
        let mut slice = Slice::first(1000);
        loop {
            let page = self.app.store().leases(filter.clone(), slice.clone()).await?;
            let open = page.items.iter().filter(|l| l.value.confirmed.is_none()).map(|l| l.value.id).collect();
            self.confirmations.add(open, self.app.now());
            match page.next {
                Some(next) => slice.after = Some(next),
                None => break,
            }
        }
        self.loaded = true;
        Ok(())
    }
}

async fn say(app: &App, what: DueWhat) -> Result<(), AppError> {
    match what {
        DueWhat::Request(id) => app.lapse(id).await,
        DueWhat::Grant(id) => app.end_if_due(id).await,
        DueWhat::Lease(_) => Ok(()),
    }
}

/// Which intents are swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
