//! Waiting until a request is decided, with a live status.

use std::future::pending;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::SignedDuration;
use wane_api::request::{ItemState, ItemView, RequestView};
use wane_client::Client;

use super::Session;
use crate::exit::{Exit, Stop};

/// How often to look while the event stream tells nothing; it may be broken, or not for us.
const LOOK: Duration = Duration::from_secs(5);

/// How long to wait for a decision.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Until it is decided or lapses.
    Forever,
    /// At most so long.
    For(Duration),
    /// Not at all.
    None,
}

impl Patience {
    /// What `--wait` said.
    pub(crate) fn parse(wait: Option<&str>) -> Result<Self, Stop> {
        match wait {
            None => Ok(Self::None),
            Some("") => Ok(Self::Forever),
            Some(text) => text
                .parse::<SignedDuration>()
                .ok()
                .and_then(|span| Duration::try_from(span).ok())
                .map(Self::For)
                .ok_or_else(|| Stop::usage(format!("`{text}` is not a time to wait")).todo("write `--wait=10m`")),
        }
    }
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Everything that was not refused was granted; at least one was.
    Granted(Vec<String>),
    /// Something still waits.
    Waits(RequestView),
    /// Something was refused, and nothing waits.
    Refused(RequestView),
}

impl Session {
    /// Follows a request until nothing of it waits, through the narrower ones an approver left of it.
    pub(crate) async fn settle(
        &self,
        client: &Client,
        request: RequestView,
        patience: Patience,
    ) -> Result<Outcome, Stop> {
        let mut grants = Vec::new();
        let mut open = vec![request];
        while let Some(request) = open.pop() {
            let request = if waits(&request) { self.wait(client, request, patience).await? } else { request };
            if waits(&request) {
                return Ok(Outcome::Waits(request));
            }
            for item in &request.items {
                match (item.state, &item.grant, &item.child) {
                    (ItemState::Approved, Some(grant), _) => grants.push(grant.clone()),
                    (ItemState::Narrowed, _, Some(child)) => {
                        self.say(&format!("{} was approved narrower: {child}", item.role));
                        open.push(client.request(child).await?);
                    }
                    (ItemState::Denied | ItemState::Withdrawn | ItemState::Lapsed, ..) => {
                        return Ok(Outcome::Refused(request));
                    }
                    (ItemState::Approved | ItemState::Narrowed | ItemState::Waiting, ..) => {}
                }
            }
        }
        Ok(Outcome::Granted(grants))
    }

    /// Waits until nothing of a request waits, or patience ends; then it is returned as it stands.
    async fn wait(&self, client: &Client, request: RequestView, patience: Patience) -> Result<RequestView, Stop> {
        let over = async {
            match patience {
                Patience::Forever => pending().await,
                Patience::For(time) => tokio::time::sleep(time).await,
                Patience::None => {}
            }
        };
        let id = request.id.clone();
        let status = self.out.status();
        let mut request = request;
        let mut streams = true;
        let mut events = client.events(None);
        // The first look comes at once: it closes the gap between the answer and the stream.
        let mut look = tokio::time::interval(LOOK);
        let (mut over, mut interrupted) = (std::pin::pin!(over), std::pin::pin!(tokio::signal::ctrl_c()));
        if matches!(patience, Patience::None) {
            return Ok(request);
        }
        loop {
            status.show_or(&self.waiting_line(&request), &waits_for(&request));
            tokio::select! {
                biased;
                _ = &mut interrupted => {
                    drop(status);
                    return Err(Stop::new(Exit::Interrupted, format!("you stopped waiting; `{id}` stands"))
                        .todo(format!("`wane withdraw {id}` takes it back; run this again to go on waiting")));
                }
                () = &mut over => return Ok(request),
                event = events.next(), if streams => match event {
                    Some(Ok(record)) if record.request.as_deref() == Some(id.as_str()) => {}
                    // Somebody else's business, or a stream that opens itself again.
                    Some(_) => continue,
                    // It is not for us: then looking now and then must do.
                    None => { streams = false; continue }
                },
                _ = look.tick() => {}
            }
            match client.request(&id).await.map_err(Stop::from) {
                Ok(fresh) => request = fresh,
                // The request stands whether or not the server can be reached just now.
                Err(stop) if stop.exit == Exit::Unreachable => continue,
                Err(stop) => return Err(stop),
            }
            if !waits(&request) {
                return Ok(request);
            }
        }
    }

    fn waiting_line(&self, request: &RequestView) -> String {
        format!(
            "{}; lapses {}; Ctrl-C leaves the request standing",
            waits_for(request),
            self.present().both(request.lapses)
        )
    }
}

fn waits(request: &RequestView) -> bool {
    request.items.iter().any(|item| item.state == ItemState::Waiting)
}

/// Whom a request waits for, in a line.
pub(crate) fn waits_for(request: &RequestView) -> String {
    let waiting = request.items.iter().filter(|item| item.state == ItemState::Waiting);
    let parts: Vec<String> = waiting
        .map(|item| match next_stage(item) {
            Some(text) => format!("{} on {} waits for {text}", item.role, item.resource),
            None => format!("{} on {} waits", item.role, item.resource),
        })
        .collect();
    parts.join("; ")
}

/// The first stage of an item that is not yet through.
pub(crate) fn next_stage(item: &ItemView) -> Option<String> {
    let stage = item.stages.iter().find(|stage| stage.have < stage.needs)?;
    let named = |name: &String| match stage.standing_in.get(name) {
        Some(whom) => format!("{name} for {whom}"),
        None => name.clone(),
    };
    let names: Vec<String> = stage.who_could.iter().map(named).collect();
    let who = match names.as_slice() {
        [] => "nobody who could approve it is known now".to_owned(),
        some if some.len() <= 4 => some.join(", "),
        [a, b, c, rest @ ..] => format!("{a}, {b}, {c} and {} more", rest.len()),
        some => some.join(", "),
    };
    Some(format!("{} ({who})", stage.text))
}
