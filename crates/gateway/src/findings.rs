//! What rules find in one session: held against every event, written down, and the end of it where a rule says so.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
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
    /// The write that is under way: no end of anything breaks it off half way.
    writing: tokio::sync::Mutex<Option<Pin<Box<dyn Future<Output = bool> + Send>>>>,
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
            writing: tokio::sync::Mutex::default(),
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

    /// Has what is found written down, for as long as the session lasts.
    pub(crate) async fn write_down(&self, port: &Arc<dyn Port>, session: SessionId) {
        loop {
            self.settle(port, session).await;
            self.news.notified().await;
        }
    }

    /// Has all of it written down that is not, each once.
    pub(crate) async fn settle(&self, port: &Arc<dyn Port>, session: SessionId) {
        loop {
            let next = self.unwritten().0.front().cloned();
            let Some(next) = next else { return };
            if self.write(port, session, next).await {
                self.unwritten().0.pop_front();
            } else {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Writes one down. If whoever waits for it is gone, the next goes on with the same write.
    async fn write(&self, port: &Arc<dyn Port>, session: SessionId, next: SessionFinding) -> bool {
        let mut writing = self.writing.lock().await;
        let port = Arc::clone(port);
        let under_way = writing.get_or_insert_with(|| Box::pin(async move { port.finding(session, &next).await }));
        let written = under_way.as_mut().await;
        *writing = None;
        written
    }
}
