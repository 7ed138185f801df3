//! The loop: look what is due, start it, sleep until the next thing is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wane_app::{App, AppError, TryEnd, rejudge_all};
use wane_domain::id::{JobId, LeaseId, PersonId, ResourceId};
use wane_domain::lease::{Lease, LeaseKind};
use wane_domain::time::{Span, Time};
use wane_domain::world::Epoch;
use wane_store::{Due, DueWhat, LeaseFilter, LeasePhase, Slice};

use crate::confirm::Confirmations;
use crate::inventory::Sightings;
use crate::looking::{LOOK_AT_LEAST, Looking, PAGE};
use crate::queues::{Queues, Reached};
use crate::residue::{Scan, Watch};
use crate::saying::Sayings;
use crate::scan::scan;

/// The longest the loop sleeps: a clock that jumped, or a nudge that was lost, costs no more.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// The shortest time between two looks, so that a burst of nudges is one look.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
/// How soon a pass over all live grants that failed is tried again.
const JUDGE_AGAIN: Span = Span::from_secs(5);
/// How often packages are looked at although nothing has changed: what is held comes to its end.
const PACKAGES_EVERY: Span = Span::from_secs(30);
/// How soon booking that somebody has left is tried again.
const LEAVE_AGAIN: Span = Span::from_secs(5);
/// How many are booked as left at once.
const LEAVING_AT_ONCE: usize = 16;
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
    Ended(ResourceId, Vec<(LeaseId, Result<TryEnd, AppError>)>),
    Said(DueWhat, Result<(), AppError>),
    Confirmed(LeaseId, Result<bool, AppError>),
    Judged(Result<Epoch, AppError>),
    Visited(Sightings),
    Scanned(Scan),
    Left(PersonId, Result<(), AppError>),
    JobOver(JobId, Result<(), AppError>),
    Packaged(Result<Epoch, AppError>),
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
    /// People whose time is over and who are being booked as left, and from when on the next may be.
    leaving: HashSet<PersonId>,
    leave_from: Time,
    /// Jobs of workloads that are being ended, and from when on that is tried.
    jobs: HashSet<JobId>,
    jobs_from: Time,
    /// At which world packages were given last, and when they are looked at next whatever happens.
    packaged: Option<Epoch>,
    packaging: bool,
    package_by: Time,
    package_from: Time,
    /// When the store is asked next what is due, and from where on.
    looking: Looking,
    next_visit: Time,
    next_sweep: Time,
    /// Until it succeeded once, the intents of earlier processes are all swept, however young.
    swept: Sweep,
    /// Where reading the credentials that no target was seen accepting goes on; none once all are read.
    unread: Option<Slice>,
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
            leaving: HashSet::new(),
            jobs: HashSet::new(),
            jobs_from: now,
            leave_from: now,
            packaged: None,
            packaging: false,
            package_by: now,
            package_from: now,
            looking: Looking::new(now),
            swept: Sweep::AtStart,
            unread: Some(Slice::first(PAGE)),
        }
    }

    /// Runs until it is told to stop. Whatever fails is tried again; nothing makes it give up.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            let sleep = match self.pass(&mut tasks).await {
                Ok(next) => next,
                Err(error) => {
                    if let AppError::Store(why) = &error {
                        self.app.store_failed(why);
                    }
                    tracing::error!(%error, "the engine could not look what is due; it goes on trying");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.app.nudged() => {
                    tokio::time::sleep(SHORTEST_SLEEP).await;
                    self.looking.by(self.app.now());
                }
                // Whatever the clock says: a clock that stands still must not keep the engine from looking.
                () = tokio::time::sleep(sleep) => self.looking.by(self.app.now()),
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
                self.leaving.clear();
                self.jobs.clear();
                self.packaging = false;
                self.sightings.get_or_insert_default();
                self.confirmations.none_under_way();
                self.looking = Looking::new(self.app.now());
            }
        }
    }

    /// Starts what is due; says how long nothing will be.
    async fn pass(&mut self, tasks: &mut JoinSet<Back>) -> Result<Duration, AppError> {
        let now = self.app.now();
        self.take_owed();
        if now >= self.looking.next {
            self.look(now).await?;
        }
        for what in self.sayings.start() {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Said(what, say(&app, what).await) });
        }
        // Ends do not wait for a world that cannot be read: then they go one by one.
        let world = self.app.world().await;
        let together = |target| world.as_ref().map_or(1, |world| self.app.ends_in_one_round(world, target));
        for (target, round) in self.queues.start(now, together) {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Ended(target, app.try_end_together(target, &round).await) });
        }
        self.confirmations.add(self.app.take_unconfirmed(), now);
        for lease in self.confirmations.due(now) {
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Confirmed(lease, app.confirm(lease).await) });
        }
        let world = world?;
        if self.watched != Some(world.epoch) {
            self.watched = Some(world.epoch);
            self.residue.only(world.resources.values().map(|resource| (resource.id, &resource.settings)), now);
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
        let due = self.packaged != Some(world.epoch) || now >= self.package_by;
        if due && !self.packaging && now >= self.package_from {
            self.packaging = true;
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Packaged(app.give_packages().await) });
        }
        if now >= self.leave_from {
            for person in world.over(now).take(LEAVING_AT_ONCE) {
                if self.leaving.insert(person) {
                    let app = Arc::clone(&self.app);
                    tasks.spawn(async move { Back::Left(person, app.leave_if_over(person).await) });
                }
            }
        }
        let next_job = self.end_jobs(tasks, now).await?;
        if now >= self.next_sweep {
            self.next_sweep = now.plus(SWEEP_EVERY.min(OWED_AGAIN));
            self.sweep().await?;
            self.app.wait_for_machine().await?;
            self.next_sweep = now.plus(SWEEP_EVERY);
        }
        self.read_unconfirmed().await?;
        if now >= self.next_visit
            && let Some(sightings) = self.sightings.take()
        {
            self.next_visit = now.plus(self.settings.inventory_every);
            let app = Arc::clone(&self.app);
            tasks.spawn(async move { Back::Visited(visit_all(&app, sightings).await) });
        }
        let next = [self.queues.next(), self.confirmations.next(), self.residue.next(now), Some(self.looking.next)];
        let others = [Some(self.next_visit), Some(self.next_sweep), world.next_over(now), next_job];
        let next = next.into_iter().chain(others).flatten().min();
        Ok(next.unwrap_or(now).since(self.app.now()).to_std().clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
    }

    /// Ends the jobs of workloads that are over; when the next one will be.
    async fn end_jobs(&mut self, tasks: &mut JoinSet<Back>, now: Time) -> Result<Option<Time>, AppError> {
        let (over, next) = self.app.jobs_over(now).await?;
        if now < self.jobs_from {
            return Ok(Some(self.jobs_from));
        }
        for job in over.into_iter().take(LEAVING_AT_ONCE) {
            if self.jobs.insert(job) {
                let app = Arc::clone(&self.app);
                tasks.spawn(async move { Back::JobOver(job, app.end_job_if_over(job).await) });
            }
        }
        Ok(next)
    }

    /// Ends that were said in this process are begun without asking the store.
    fn take_owed(&mut self) {
        for due in self.app.take_owed() {
            self.enter(due);
        }
    }

    fn enter(&mut self, due: Due) {
        match due.what {
            // It was said already; the store is told as soon as it can be.
            DueWhat::Grant(id) if self.app.is_ended_from_memory(id) => {}
            what @ (DueWhat::Request(_) | DueWhat::Grant(_)) => self.sayings.add(what),
            DueWhat::Lease(id, target) => self.queues.add(target, due.at, id),
        }
    }

    /// Asks the store what is due: a page of what fell due since, and a page of everything.
    /// INVARIANT: whatever is due is read about once, not once for each thing that is done about it
    /// (held by `a_burst_is_read_about_once`).
    async fn look(&mut self, now: Time) -> Result<(), AppError> {
        // Set before anything can fail, so that a failing store is not asked without pause.
        self.looking.next = now.plus(OWED_AGAIN);
        for (reader, after) in self.looking.pages(now) {
            let page = self.app.store().due(now, after, PAGE).await?;
            self.looking.read(reader, &page, now);
            for due in page {
                self.enter(due);
            }
        }
        self.looking.next = if self.looking.is_midway() {
            now
        } else {
            let next = [self.app.store().next_due(now).await?, self.looking.next_round()];
            next.into_iter().flatten().min().unwrap_or(now).min(now.plus(LOOK_AT_LEAST))
        };
        Ok(())
    }

    fn take(&mut self, back: Back) {
        let now = self.app.now();
        match back {
            Back::Ended(target, round) => self.ended(target, &round, now),
            Back::Said(what, result) => {
                self.sayings.done(what);
                if let Err(error) = result {
                    tracing::error!(?what, %error, "an end could not be said; it is tried again");
                    self.looking.round_by(now.plus(OWED_AGAIN));
                }
            }
            Back::Confirmed(lease, Ok(true)) => self.confirmations.settle(lease),
            Back::Confirmed(lease, Err(error)) => {
                self.confirmations.not_yet();
                tracing::debug!(%lease, %error, "a credential could not be tried at its target")
            }
            Back::Confirmed(_, Ok(false)) => self.confirmations.not_yet(),
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
            Back::Packaged(result) => {
                self.packaging = false;
                self.package_by = now.plus(PACKAGES_EVERY);
                match result {
                    Ok(epoch) => self.packaged = Some(epoch),
                    Err(error) => {
                        self.package_from = now.plus(JUDGE_AGAIN);
                        tracing::error!(%error, "what is in packages could not all be asked for; tried again");
                    }
                }
            }
            Back::JobOver(job, result) => {
                self.jobs.remove(&job);
                if let Err(error) = result {
                    self.jobs_from = now.plus(LEAVE_AGAIN);
                    tracing::error!(%job, %error, "a job that is over could not be ended; tried again");
                }
            }
            Back::Left(person, result) => {
                self.leaving.remove(&person);
                if let Err(error) = result {
                    self.leave_from = now.plus(LEAVE_AGAIN);
                    tracing::error!(%person, %error, "somebody whose time is over could not be booked as left; tried again");
                }
            }
        }
    }

    /// A round of ends is over.
    fn ended(&mut self, target: ResourceId, round: &[(LeaseId, Result<TryEnd, AppError>)], now: Time) {
        let missed = round.iter().any(|(_, result)| matches!(result, Ok(TryEnd::Unreachable)));
        let reached = if missed { Reached::No } else { Reached::Yes };
        let leases: Vec<LeaseId> = round.iter().map(|(lease, _)| *lease).collect();
        self.queues.done(target, &leases, reached, now, self.settings.retry_cap);
        for (lease, result) in round {
            match result {
                Ok(TryEnd::Gone) => self.residue.ended(target, *lease, now),
                Ok(TryEnd::Open | TryEnd::Unreachable) => self.looking.by(now.plus(OWED_AGAIN)),
                // Our own store failed, not the target.
                Err(error) => {
                    tracing::error!(%lease, %error, "an end could not be booked; it is tried again");
                    self.looking.round_by(now.plus(OWED_AGAIN));
                }
            }
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

    /// Reads one page of the credentials that no target was seen accepting: there may be very many.
    async fn read_unconfirmed(&mut self) -> Result<(), AppError> {
        let Some(slice) = self.unread.clone() else { return Ok(()) };
        let filter = LeaseFilter { phases: vec![LeasePhase::Live], ..LeaseFilter::default() };
        let page = self.app.store().leases(filter, slice).await?;
        let unseen = |lease: &Lease| lease.what == LeaseKind::Credential && lease.confirmed.is_none();
        for lease in &page.items {
            self.app.settle_lost_session(&lease.value).await?;
        }
        let open = page.items.iter().filter(|l| unseen(&l.value)).map(|l| l.value.id).collect();
        self.confirmations.add(open, self.app.now());
        self.unread = page.next.map(|next| Slice { after: Some(next), limit: PAGE });
        if self.unread.is_some() {
            // Go on as soon as what is due has been begun.
            self.looking.by(self.app.now());
        }
        Ok(())
    }
}

async fn say(app: &App, what: DueWhat) -> Result<(), AppError> {
    match what {
        DueWhat::Request(id) => app.request_is_due(id).await,
        DueWhat::Grant(id) => app.end_if_due(id).await,
        DueWhat::Lease(..) => Ok(()),
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
