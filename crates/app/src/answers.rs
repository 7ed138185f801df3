//! Keeping what a write answered under an idempotency key, so that it is done once.

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_store::{Answer, Write};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

impl App {
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
        change.commit().await.map(|_| ())
    }
}
