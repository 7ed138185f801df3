//! Answering a login at the gateway in a browser: what the person is shown, their yes and their no.
//!
//! INVARIANT: a yes holds once its record is on disk, and for the one connection whose code was entered
//! (held by `a_login_is_confirmed_once_by_its_code`).

use std::net::IpAddr;

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_connector::broker::Goal;
use wane_domain::id::PersonId;
use wane_domain::time::Span;
use wane_failpoint::point;

use crate::App;
use crate::arrivals::{NotThere, Stage};
use crate::caller::Caller;
use crate::error::AppError;
use crate::tries::{Failed, Tries};

/// What somebody is shown of a login before they answer. The code is not among it: they have to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivalShown {
    /// Where it leads.
    pub goal: Goal,
    /// Where the connection comes from.
    pub peer: IpAddr,
    /// What the program there calls itself.
    pub client: String,
    /// How long it may still be answered.
    pub left: Span,
}

impl App {
    /// A login that waits to be answered.
    ///
    /// # Errors
    /// When there is none under this reference that still waits.
    pub fn arrival(&self, caller: &Caller, reference: &str) -> Result<ArrivalShown, AppError> {
        let now = self.now();
        let arrival = self.arrivals.open(reference, caller.person, now).map_err(said)?;
        let left = arrival.left(now);
        let who = arrival.who;
        Ok(ArrivalShown { goal: who.goal, peer: who.peer, client: who.client, left })
    }

    /// Says yes: whoever is at the other end of that connection is this caller.
    ///
    /// # Errors
    /// When the code is another, it was answered before, or its time is over.
    pub async fn confirm_arrival(&self, caller: &Caller, reference: &str, code: &str) -> Result<(), AppError> {
        let actor = Actor::Person(caller.person);
        self.codes.check(caller.person, self.now())?;
        let (id, arrival) = match self.arrivals.claim(reference, code, caller.person, self.now()) {
            Ok(claimed) => claimed,
            Err(why) => {
                if matches!(why, NotThere::Mistaken { .. })
                    && let Some((id, arrival)) = self.arrivals.find(reference)
                {
                    self.failed_at_gateway(caller.person, &self.codes).await?;
                    let wrong = Some("the code was wrong");
                    self.note_arrival(actor, "arrival.mistaken", Outcome::Denied, id, &arrival.who, wrong).await?;
                }
                return Err(said(why));
            }
        };
        let noted = self.note_arrival(actor, "arrival.confirmed", Outcome::Done, id, &arrival.who, None).await;
        let stage = if noted.is_ok() { Stage::Confirmed(caller.clone()) } else { Stage::Asked };
        self.arrivals.put(id, stage);
        noted
    }

    /// Counts a login of a person that failed. That it was one too many is written down.
    pub(crate) async fn failed_at_gateway(&self, person: PersonId, tries: &Tries) -> Result<(), AppError> {
        match tries.failed(person, self.now()) {
            Failed::Counted => Ok(()),
            Failed::Shut => {
                let mut change = self.change(Actor::System, self.now());
                let about = Subjects { person: Some(person), ..Subjects::default() };
                change.note("gateway.shut_out", Outcome::Denied, about, json!({ "why": "too many failed logins" }));
                change.commit(point!("app.arrival.shut_out.commit")).await.map(|_| ())
            }
        }
    }

    /// Says no.
    ///
    /// # Errors
    /// When it was answered before, or its time is over.
    pub async fn refuse_arrival(&self, caller: &Caller, reference: &str) -> Result<(), AppError> {
        let (id, arrival) = self.arrivals.refuse(reference, caller.person, self.now()).map_err(said)?;
        let actor = Actor::Person(caller.person);
        self.note_arrival(actor, "arrival.refused", Outcome::Denied, id, &arrival.who, None).await
    }
}

fn said(why: NotThere) -> AppError {
    match why {
        NotThere::Gone => AppError::Missing { what: "login that waits under", name: "this link".to_owned() },
        NotThere::Answered => AppError::Taken("this login was answered already".to_owned()),
        NotThere::Mistaken { left: 0 } => {
            AppError::Taken("the code is wrong, and was too often: this login is over; begin a new one".to_owned())
        }
        NotThere::Mistaken { left } => AppError::invalid("code", format!("it is another; {left} more tries")),
        NotThere::TooMany => {
            AppError::Taken("you have confirmed too many logins that still wait; let some of them go".to_owned())
        }
    }
}
