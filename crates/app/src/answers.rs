//! Doing a call under an idempotency key once, whatever happens to its answer.
//!
//! INVARIANT: the first commit of a keyed call also commits that the call began, so that no crash and
//! no lost connection lets a retry act again (held by `a_call_whose_answer_was_lost_is_not_done_again`).

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::{LeaseId, PersonId};
use wane_domain::time::Time;
use wane_failpoint::point;
use wane_store::{Answer, Seen, Write};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// The status under which it is kept that a call began and its answer is not known.
pub const BEGUN: u16 = 102;

tokio::task_local! {
    static CALL: Keyed;
}

/// A call under an idempotency key.
struct Keyed {
    person: PersonId,
    key: String,
    fingerprint: String,
    /// The lease it began, whose secret only its answer carries.
    lease: Mutex<Option<LeaseId>>,
    begun: Arc<AtomicBool>,
}

/// Adds to a commit that the call it belongs to began.
pub(crate) fn mark(writes: &mut Vec<Write>, at: Time) {
    let marker = CALL.try_with(|call| {
        let mut lease = call.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let new = writes.iter().find_map(|write| match write {
            Write::Lease(put) if put.seen == Seen::Nothing => Some(put.value.id),
            _ => None,
        });
        *lease = new.or(*lease);
        Answer {
            person: call.person,
            key: call.key.clone(),
            fingerprint: call.fingerprint.clone(),
            status: BEGUN,
            body: json!({ "lease": *lease }),
            at,
        }
    });
    writes.extend(marker.ok().map(Write::Answer));
}

/// The commit that was marked is on disk.
pub(crate) fn marked() {
    // Outside a keyed call there is nothing to remember.
    let _ = CALL.try_with(|call| call.begun.store(true, Ordering::SeqCst));
}

impl App {
    /// Does the work of a call under a key; says whether it changed anything.
    pub async fn keyed<T>(
        &self,
        caller: &Caller,
        key: &str,
        fingerprint: &str,
        work: impl Future<Output = T>,
    ) -> (T, bool) {
        let begun = Arc::new(AtomicBool::new(false));
        let call = Keyed {
            person: caller.person,
            key: key.to_owned(),
            fingerprint: fingerprint.to_owned(),
            lease: Mutex::new(None),
            begun: Arc::clone(&begun),
        };
        let done = CALL.scope(call, work).await;
        (done, begun.load(Ordering::SeqCst))
    }

    /// Keeps an answer that holds no secret. `fingerprint` says which call it answers.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn keep_answer(
        &self,
        caller: &Caller,
        key: &str,
        fingerprint: &str,
        status: u16,
        body: Value,
    ) -> Result<(), AppError> {
        let at = self.now();
        let mut change = self.change(Actor::Person(caller.person), at);
        let about = Subjects { person: Some(caller.person), ..Subjects::default() };
        change.note("answer.kept", Outcome::Done, about, json!({ "key": key, "call": fingerprint, "status": status }));
        change.write(Write::Answer(Answer {
            person: caller.person,
            key: key.to_owned(),
            fingerprint: fingerprint.to_owned(),
            status,
            body,
            at,
        }));
        change.commit(point!("app.answer.commit")).await.map(|_| ())
    }
}
