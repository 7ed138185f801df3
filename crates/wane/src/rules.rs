//! Rules over what happens in sessions, from a file: read at the start, and again when it has changed.
//!
//! A file that is no set of rules keeps the server from starting. One that becomes so later changes nothing, and
//! the log says what is wrong with it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wane_app::App;
use wane_finding::Rules;
use wane_runtime::Supervisor;

/// How often it is looked whether the file has changed.
const LOOK: Duration = Duration::from_secs(2);
/// The largest file.
const MOST_BYTES: u64 = 1024 * 1024;

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    #[error("`{path}`, the file of `gateway.rules`, cannot be read: {why}")]
    Unreadable { path: PathBuf, why: std::io::Error },
    #[error("`{path}`, the file of `gateway.rules`, has {bytes} bytes; the most is {MOST_BYTES}")]
    TooLong { path: PathBuf, bytes: u64 },
    #[error("`{path}`, the file of `gateway.rules`: {why}")]
    Wrong { path: PathBuf, why: wane_finding::RuleError },
}

/// A file of rules, and what stood in it.
pub(crate) struct Watched {
    path: PathBuf,
    rules: Arc<Rules>,
    /// What was taken last, or refused.
    done: Result<String, String>,
    /// What stood there at the last look: what is being written is left alone.
    seen: Result<String, String>,
}

impl Watched {
    /// Reads it.
    pub(crate) fn read(path: &Path) -> Result<Self, RulesError> {
        let text = text(path)?;
        let rules = Arc::new(parsed(path, &text)?);
        Ok(Self { path: path.to_owned(), rules, done: Ok(text.clone()), seen: Ok(text) })
    }

    /// Puts the rules in force, and has the file looked at from now on.
    pub(crate) async fn keep(self, supervisor: &mut Supervisor, app: &Arc<App>) {
        put(app, &self.rules).await;
        let (app, watched) = (Arc::clone(app), Arc::new(Mutex::new(self)));
        supervisor.spawn("rules", move |stop| {
            let (app, watched) = (Arc::clone(&app), Arc::clone(&watched));
            async move {
                loop {
                    tokio::select! {
                        () = stop.cancelled() => return Ok::<(), Infallible>(()),
                        () = tokio::time::sleep(LOOK) => {}
                    }
                    let changed = watched.lock().unwrap_or_else(PoisonError::into_inner).changed();
                    if let Some(rules) = changed {
                        put(&app, &rules).await;
                    }
                }
            }
        });
    }

    /// The rules, if the file has others than before. What is wrong with it is said once.
    fn changed(&mut self) -> Option<Arc<Rules>> {
        let now = text(&self.path).map_err(|error| error.to_string());
        let still = std::mem::replace(&mut self.seen, now.clone()) == now;
        if !still || now == self.done {
            return None;
        }
        self.done.clone_from(&now);
        match now.and_then(|text| parsed(&self.path, &text).map_err(|error| error.to_string())) {
            Ok(rules) => {
                self.rules = Arc::new(rules);
                Some(Arc::clone(&self.rules))
            }
            Err(error) => {
                tracing::error!(%error, "the rules over sessions stay as they were");
                None
            }
        }
    }
}

async fn put(app: &App, rules: &Arc<Rules>) {
    tracing::info!(count = rules.rules().len(), "rules over sessions are in force for sessions that begin now");
    if let Err(error) = app.watch_for(Arc::clone(rules)).await {
        tracing::warn!(%error, "that rules were loaded could not be written down");
    }
}

fn text(path: &Path) -> Result<String, RulesError> {
    let unreadable = |why| RulesError::Unreadable { path: path.to_owned(), why };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MOST_BYTES {
        return Err(RulesError::TooLong { path: path.to_owned(), bytes });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

fn parsed(path: &Path, text: &str) -> Result<Rules, RulesError> {
    Rules::from_toml(text).map_err(|why| RulesError::Wrong { path: path.to_owned(), why })
}
