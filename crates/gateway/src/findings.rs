//! What rules find in one session: held against every event, written down, and the end of it where a rule says so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use wane_app::SessionFinding;
use wane_domain::id::SessionId;
use wane_domain::time::Span;
use wane_finding::{Found, Rules, Watcher};
use wane_recording::{Event, Then};

use crate::port::Port;

/// How soon a finding is said again that could not be written down.
const AGAIN: Duration = Duration::from_secs(1);

/// The findings of one session.
pub(crate) struct Findings {
    watcher: Option<Mutex<Watcher>>,
    /// Whether what programs write is looked at: if not, it costs nothing.
    reads_output: bool,
    /// What is not written down yet, and how many there were.
    unwritten: Mutex<(VecDeque<SessionFinding>, u32)>,
    news: Notify,
    /// Writes them down: a task of its own, so that no end of anything breaks off a write half way.
    writer: Mutex<Option<JoinHandle<()>>>,
    /// No more will come.
    last: AtomicBool,
    /// Set once, by a rule that ends the session.
    cut: OnceLock<String>,
    cuts: Notify,
}

impl Findings {
    pub(crate) fn new(rules: Vec<Arc<Rules>>) -> Self {
        let watcher = Watcher::new(rules);
        Self {
            reads_output: watcher.as_ref().is_some_and(Watcher::reads_output),
            watcher: watcher.map(Mutex::new),
            unwritten: Mutex::default(),
            news: Notify::new(),
            writer: Mutex::default(),
            last: AtomicBool::new(false),
            cut: OnceLock::new(),
            cuts: Notify::new(),
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, (VecDeque<SessionFinding>, u32)> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the rules find in something that is about to pass.
    pub(crate) fn of(&self, event: &Event<'_>) -> Vec<Found> {
        match &self.watcher {
            Some(_) if !self.reads_output && matches!(event, Event::Data { .. }) => Vec::new(),
            Some(watcher) => watcher.lock().unwrap_or_else(PoisonError::into_inner).event(event),
            None => Vec::new(),
        }
    }

    /// It is to be written down. A rule that cuts ends the session from here on.
    pub(crate) fn note(&self, since: Span, found: Found) {
        let Found { rule, channel, what: _, then } = found;
        if then == Then::Cut {
            let _ = self.cut.set(format!("the rule `{rule}` ended it"));
            self.cuts.notify_one();
        }
        {
            let (waiting, number) = &mut *self.unwritten();
            *number = number.saturating_add(1);
            waiting.push_back(SessionFinding { number: *number, since, rule, channel, then });
        }
        self.news.notify_one();
    }

    /// Why the session is over, if a rule ended it.
    pub(crate) fn ended(&self) -> Option<String> {
        self.cut.get().cloned()
    }

    /// Waits until a rule ends the session.
    pub(crate) async fn cuts(&self) -> String {
        loop {
            if let Some(why) = self.ended() {
                return why;
            }
            self.cuts.notified().await;
        }
    }

    /// Has what is found written down from now on, each once.
    pub(crate) fn write_down(self: &Arc<Self>, port: Arc<dyn Port>, session: SessionId) {
        if self.watcher.is_none() {
            return;
        }
        let findings = Arc::clone(self);
        self.writer()
            .get_or_insert_with(|| tokio::spawn(async move { findings.keep_writing(port.as_ref(), session).await }));
    }

    /// Has all of it written down that is not.
    pub(crate) async fn settle(&self, port: &dyn Port, session: SessionId) {
        self.last.store(true, Ordering::SeqCst);
        self.news.notify_one();
        let writer = self.writer().take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%session, %error, "what writes down the findings of a session died; the rest is written now");
        }
        self.keep_writing(port, session).await;
    }

    fn writer(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the last is written down.
    async fn keep_writing(&self, port: &dyn Port, session: SessionId) {
        loop {
            let last = self.last.load(Ordering::SeqCst);
            while let Some(next) = self.next() {
                if port.finding(session, &next).await {
                    self.unwritten().0.pop_front();
                } else {
                    tokio::time::sleep(AGAIN).await;
                }
            }
            if last {
                return;
            }
            self.news.notified().await;
        }
    }

    fn next(&self) -> Option<SessionFinding> {
        self.unwritten().0.front().cloned()
    }
}
