//! The one task of a session, as its line follows it: asked for, let run, seen to end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use wane_app::TaskEnd;
use wane_recording::{Event, Exit};

/// How long the person's program has to leave by itself once the task is done.
const LEAVES: Duration = Duration::from_secs(2);

/// What is known of it.
#[derive(Debug, Default)]
enum Known {
    /// Nobody asked for it.
    #[default]
    Nothing,
    /// It was asked for; whether it may run is not known.
    Asked,
    /// It may run, on this channel.
    Runs(u32),
    /// It was seen to end, on this channel.
    Ended(u32, String),
}

/// The task of a session.
#[derive(Debug, Default)]
pub(crate) struct Task {
    known: Mutex<Known>,
    closed: Notify,
}

impl Task {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is asked for. Whatever the answer, and whether one comes, it may be spent from now on.
    pub(crate) fn asked(&self) {
        let mut known = self.known();
        if matches!(*known, Known::Nothing) {
            *known = Known::Asked;
        }
    }

    /// It may run.
    pub(crate) fn runs(&self, channel: u32) {
        *self.known() = Known::Runs(channel);
    }

    /// Something is about to pass.
    pub(crate) fn see(&self, event: &Event<'_>) {
        let mut known = self.known();
        match (&*known, event) {
            (Known::Runs(on), Event::Exited { channel, exit }) if on == channel => {
                *known = Known::Ended(*channel, in_words(exit));
            }
            (Known::Runs(on) | Known::Ended(on, _), Event::Closed { channel }) if on == channel => {
                self.closed.notify_one();
            }
            _ => {}
        }
    }

    /// Waits until its channel is closed, and its person had time to leave.
    pub(crate) async fn is_over(&self) {
        self.closed.notified().await;
        tokio::time::sleep(LEAVES).await;
    }

    /// How it came out, if it was asked for.
    pub(crate) fn end(&self) -> Option<TaskEnd> {
        match &*self.known() {
            Known::Nothing => None,
            Known::Asked | Known::Runs(_) => Some(TaskEnd::Unseen),
            Known::Ended(_, how) => Some(TaskEnd::Seen(how.clone())),
        }
    }
}

fn in_words(exit: &Exit<'_>) -> String {
    match exit {
        Exit::Status(status) => format!("it exited with status {status}"),
        Exit::Signal(name) => format!("it was ended by the signal {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_is_followed_on_its_own_channel() {
        let exited = |channel, exit| Event::Exited { channel, exit };
        let task = Task::default();
        task.see(&exited(1, Exit::Status(0)));
        assert_eq!(task.end(), None);
        task.asked();
        assert_eq!(task.end(), Some(TaskEnd::Unseen));
        task.runs(1);
        task.asked();
        for event in [exited(0, Exit::Status(1)), Event::Closed { channel: 0 }] {
            task.see(&event);
        }
        assert_eq!(task.end(), Some(TaskEnd::Unseen));
        task.see(&exited(1, Exit::Status(7)));
        task.see(&exited(1, Exit::Signal("TERM".into())));
        assert_eq!(task.end(), Some(TaskEnd::Seen("it exited with status 7".to_owned())));
        task.see(&Event::Closed { channel: 1 });
        task.is_over().await;
    }
}
