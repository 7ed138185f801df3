//! What logins asked for that waited at the gateway of an earlier process: nobody waits for it any more.

use serde_json::json;
use wane_audit::{Actor, Outcome};
use wane_domain::id::{ArrivalId, RequestId};
use wane_domain::request::ItemEvent;
use wane_failpoint::point;
use wane_store::{Put, RequestFilter, Slice, Write, whole};

use crate::asked::waiting_items;
use crate::change::about_request;
use crate::error::AppError;
use crate::{App, decide};

/// Requests that are looked at in one go.
const PAGE: u32 = 200;
/// What the log says about each.
const WHY: &str = "the server stopped while this login waited";

impl App {
    /// Takes back what was asked for by logins that waited when an earlier process ended, which could not do it
    /// itself. To be called before the gateway serves; returns how many there were.
    ///
    /// # Errors
    /// When the store cannot be used; what was not taken back lapses by itself.
    pub async fn take_back_lost_logins(&self) -> Result<usize, AppError> {
        let filter = RequestFilter { person: None, waiting: Some(true) };
        let waiting = whole(Slice::first(PAGE), |slice| self.store.requests(filter.clone(), slice)).await?;
        let of_login = |id, arrival: Option<ArrivalId>| arrival.map(|arrival| (id, arrival));
        let found = waiting.iter().filter_map(|seen| of_login(seen.value.id, seen.value.ask.arrival));
        let lost: Vec<_> = found.filter(|(_, arrival)| self.arrivals.get(*arrival).is_none()).collect();
        for (request, arrival) in &lost {
            self.take_back(*request, *arrival).await?;
        }
        Ok(lost.len())
    }

    /// Takes a request back for whoever made it: as if they had, and the log says that the server did.
    async fn take_back(&self, id: RequestId, arrival: ArrivalId) -> Result<(), AppError> {
        decide!(async {
            let now = self.now();
            let Some(seen) = self.store.request(id).await? else { return Ok(()) };
            let waiting = waiting_items(&seen.value, None);
            if waiting.is_empty() {
                return Ok(());
            }
            let by = seen.value.ask.requester;
            let mut change = self.change(Actor::System, now);
            let mut request = seen.value.clone();
            for index in waiting {
                let (next, fact) = request.apply(index, ItemEvent::Withdraw { by }, now)?;
                change.fact(about_request(&next, Some(index)), fact);
                request = next;
            }
            let detail = json!({ "arrival": arrival, "request": id, "why": WHY });
            change.note("arrival.lapsed", Outcome::Denied, about_request(&request, None), detail);
            change.write(Write::Request(Put::over(&seen, request)));
            change.commit(point!("app.arrival.lost.commit")).await.map(|_| ())
        })
    }
}
