//! Doing a call under an idempotency key once, whatever happens to its answer.
//!
//! INVARIANT: the first commit of a keyed call also commits that the call began, so that no crash and
//! no lost connection lets a retry act again (held by `a_call_whose_answer_was_lost_is_not_done_again`).
//! A use-case that knows its answer before it commits has it kept in that very commit: one sync, not two.

use std::future::Future;
use std::sync::atomic::{AtomicU8, Ordering};
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

const NOTHING: u8 = 0;
const STARTED: u8 = 1;
const ANSWER: u8 = 2;

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
    /// What it will answer, once the use-case knows.
    answer: Mutex<Option<(u16, Value)>>,
    kept: Arc<AtomicU8>,
}

/// What is kept of a call under an idempotency key by its own commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKept {
    /// Nothing: it changed nothing.
    Nothing,
    /// That it began.
    Begun,
    /// What it answers.
    Answer,
}

/// Says what the call will answer, so that the next commit keeps it.
pub(crate) fn will_be(answer: Option<(u16, Value)>) {
    // Outside a keyed call there is nothing to keep it for.
    let _ = CALL.try_with(|call| *call.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer);
}

/// Adds to a commit that the call it belongs to began, or what it answers.
pub(crate) fn mark(writes: &mut Vec<Write>, at: Time) {
    let marker = CALL.try_with(|call| {
        if call.kept.load(Ordering::SeqCst) == ANSWER {
            return None;
        }
        let answer = call.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut lease = call.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let new = writes.iter().find_map(|write| match write {
            Write::Lease(put) if put.seen == Seen::Nothing => Some(put.value.id),
            _ => None,
        });
        *lease = new.or(*lease);
        let (status, body) = answer.unwrap_or_else(|| (BEGUN, json!({ "lease": *lease })));
        Some(Answer {
            person: call.person,
            key: call.key.clone(),
            fingerprint: call.fingerprint.clone(),
            status,
            body,
            at,
        })
    });
    writes.extend(marker.ok().flatten().map(Write::Answer));
}

/// The commit that was marked is on disk.
pub(crate) fn marked() {
    // Outside a keyed call there is nothing to remember.
    let _ = CALL.try_with(|call| {
        let answered = call.answer.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        call.kept.fetch_max(if answered { ANSWER } else { STARTED }, Ordering::SeqCst);
    });
}

impl App {
    /// Does the work of a call under a key; says what its commits kept of it.
    pub async fn keyed<T>(
        &self,
        caller: &Caller,
        key: &str,
        fingerprint: &str,
        work: impl Future<Output = T>,
    ) -> (T, CallKept) {
        let kept = Arc::new(AtomicU8::new(NOTHING));
        let call = Keyed {
            person: caller.person,
            key: key.to_owned(),
            fingerprint: fingerprint.to_owned(),
            lease: Mutex::new(None),
            answer: Mutex::new(None),
            kept: Arc::clone(&kept),
        };
        let done = CALL.scope(call, work).await;
        let kept = match kept.load(Ordering::SeqCst) {
            ANSWER => CallKept::Answer,
            NOTHING => CallKept::Nothing,
            _ => CallKept::Begun,
        };
        (done, kept)
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
