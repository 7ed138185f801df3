//! Named tasks that are watched, and an orderly end to all of them.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::Backoff;

/// Why everything ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A signal asked for it: SIGTERM or SIGINT.
    Signal(&'static str),
    /// The token was cancelled from within.
    Asked,
    /// A task that must not end did.
    Lost(&'static str),
}

/// How the end went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Why.
    pub cause: Cause,
    /// Tasks that did not end in time and were cut off.
    pub cut_off: Vec<&'static str>,
}

/// The tasks of the process. Dropping it cuts all of them off.
#[derive(Debug)]
pub struct Supervisor {
    token: CancellationToken,
    backoff: Backoff,
    workers: Crew,
    kept: Crew,
}

/// Tasks with their names.
#[derive(Debug, Default)]
struct Crew {
    tasks: JoinSet<&'static str>,
    names: Vec<(&'static str, AbortHandle)>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new(Backoff::default())
    }
}

impl Supervisor {
    /// Nobody yet; failed tasks are begun again after these waits.
    #[must_use]
    pub fn new(backoff: Backoff) -> Self {
        Self { token: CancellationToken::new(), backoff, workers: Crew::default(), kept: Crew::default() }
    }

    /// Cancelled when everything is to end; cancelling it ends everything.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs a task until shutdown. It is given the token and should end soon after its cancellation.
    /// When it fails or panics it is begun again, after a wait that grows; when it returns `Ok` it is done.
    pub fn spawn<E, F>(&mut self, name: &'static str, mut begin: impl FnMut(CancellationToken) -> F + Send + 'static)
    where
        E: Display + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let (token, backoff) = (self.token.clone(), self.backoff);
        self.workers.take(name, async move {
            let mut failures = 0u32;
            while !token.is_cancelled() {
                let began = Instant::now();
                // A set of one: it is cut off with its watcher, and its panic is a value here.
                let mut attempt = JoinSet::new();
                attempt.spawn(begin(token.clone()));
                let why = match attempt.join_next().await {
                    None | Some(Ok(Ok(()))) => return,
                    Some(Ok(Err(e))) => e.to_string(),
                    Some(Err(e)) => e.to_string(),
                };
                failures = if began.elapsed() > backoff.most { 1 } else { failures.saturating_add(1) };
                let wait = backoff.after(failures);
                tracing::error!(task = name, error = %why, failures, wait_ms = wait.as_millis(), "a task failed; it is begun again");
                tokio::select! {
                    () = sleep(wait) => {}
                    () = token.cancelled() => {}
                }
            }
        });
    }

    /// Runs a task that everything else rests on (the store's writer). It outlives shutdown, so that the
    /// others can end in order, and is awaited by [`Supervisor::finish`]. Its end before that ends everything.
    pub fn keep(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.kept.take(name, task);
    }

    /// Waits for SIGTERM, SIGINT, a cancelled token or the loss of a kept task; then cancels the token and
    /// gives the others `grace` to end. Kept tasks go on.
    ///
    /// # Errors
    /// When signals cannot be waited for.
    pub async fn run_until_shutdown(&mut self, grace: Duration) -> std::io::Result<Shutdown> {
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let cause = tokio::select! {
            _ = term.recv() => Cause::Signal("SIGTERM"),
            _ = int.recv() => Cause::Signal("SIGINT"),
            () = self.token.cancelled() => Cause::Asked,
            name = self.kept.lost() => Cause::Lost(name),
        };
        tracing::info!(?cause, "ending");
        self.token.cancel();
        let cut_off = self.workers.end(grace).await;
        Ok(Shutdown { cause, cut_off })
    }

    /// Waits for the kept tasks, after they were told to end by their own means; returns those that did not in time.
    pub async fn finish(mut self, grace: Duration) -> Vec<&'static str> {
        self.kept.end(grace).await
    }
}

impl Crew {
    fn take(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(async move {
            task.await;
            name
        });
        self.names.push((name, handle));
    }

    /// The first that ends, well or not; never, if there is none.
    async fn lost(&mut self) -> &'static str {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            Some(Ok(name)) => name,
            Some(Err(e)) => {
                let name =
                    self.names.iter().find(|(_, handle)| handle.id() == e.id()).map_or("unknown", |(name, _)| *name);
                tracing::error!(task = name, error = %e, "a task that must not end was lost");
                name
            }
        }
    }

    /// Waits for all, then cuts off the rest and names it.
    async fn end(&mut self, grace: Duration) -> Vec<&'static str> {
        let until = Instant::now() + grace;
        while let Ok(Some(_)) = timeout_at(until, self.tasks.join_next()).await {}
        let late =
            self.names.drain(..).filter(|(_, handle)| !handle.is_finished()).map(|(name, _)| name).collect::<Vec<_>>();
        for name in &late {
            tracing::warn!(task = name, "a task did not end in time and is cut off");
        }
        self.tasks.shutdown().await;
        late
    }
}
