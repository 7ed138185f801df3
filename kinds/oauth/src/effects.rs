//! What happens at a resource server when a token has to end: nothing but what it asks and is told. So this says what it
//! was told, and never more.

use std::sync::Arc;

use async_trait::async_trait;
use wane_connector::{Artifact, ConnectError, Created, Effects, EndOutcome, Inventory, Presence, Target};
use wane_domain::catalogue::Role;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{LeaseData, LeaseState};
use wane_domain::time::{Span, Time};

use crate::SKEW;
use crate::desk::Desk;
use crate::notes::Notes;
use crate::settings::{Hears, Settings};

/// The effects of tokens at resource servers.
pub(crate) struct TokenEffects(pub(crate) Arc<Desk>);

fn settings(target: &Target<'_>) -> Result<Settings, ConnectError> {
    Settings::read(&target.resource.settings).map_err(|e| target.refuses(e.to_string()))
}

/// From when on all tokens are over even for a server whose clock is behind.
fn over_at(notes: &Notes) -> Time {
    notes.not_after.plus(SKEW)
}

#[async_trait]
impl Effects for TokenEffects {
    async fn create(
        &self,
        target: &Target<'_>,
        _role: &Role,
        _lease: &LeaseData,
        _permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        Err(target.refuses("nothing is made at a resource server: access to it is a token, which is issued"))
    }

    async fn extend(&self, _target: &Target<'_>, _lease: &LeaseData) -> Result<(), ConnectError> {
        // The next token is valid longer; a server keeps no end of its own.
        Ok(())
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        let Some(notes) = Notes::read(&lease.notes) else { return Ok(EndOutcome::Done) };
        let until = over_at(&notes);
        let unproved = |why: &str| Ok(EndOutcome::Unrecallable { until, why: why.to_owned() });
        let said = self.0.heard.of(lease.id);
        let asked = lease.confirmed.is_some();
        match settings(target)?.hears {
            Hears::Nothing => unproved("the server does not ask; its tokens run out by themselves"),
            Hears::Introspection { .. } if asked => Ok(EndOutcome::Done),
            Hears::Introspection { .. } => unproved(
                "introspection says that it is over; the server was never seen to ask about it, so that this proves nothing",
            ),
            Hears::Feed if asked && said.is_some_and(|said| said.over.is_some()) => Ok(EndOutcome::Done),
            Hears::Feed => unproved("the server is told on its feed; whether it acts on that is not seen from here"),
        }
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let Some(notes) = Notes::read(&lease.notes) else {
            return Ok(Presence::Absent { proof: "no token was ever issued".to_owned() });
        };
        let jti = &notes.jti;
        if target.now >= over_at(&notes) {
            let proof = format!("token {jti} ran out by itself at {}; the server was not asked", notes.not_after);
            return Ok(Presence::LoginRefused { proof });
        }
        let said = self.0.heard.of(lease.id);
        let hears = settings(target)?.hears;
        if let (Hears::Introspection { .. } | Hears::Feed, Some(at)) = (hears, said.and_then(|said| said.over)) {
            let proof = format!("the server asked about token {jti} and was told at {at} that it is over");
            return Ok(Presence::LoginRefused { proof });
        }
        let Hears::Introspection { cache_secs } = hears else {
            return Err(target.refuses("it is not seen from here which tokens the server takes"));
        };
        let good = said.and_then(|said| said.good);
        let ended = match lease.state {
            LeaseState::Revoking { since, .. } => Some(since),
            LeaseState::Intended | LeaseState::Live { .. } | LeaseState::Gone { .. } => None,
        };
        match (good, ended) {
            // It asks about each token: so from its end on it is told, once the last answer it keeps is old.
            (_, Some(since)) if good.is_some() || lease.confirmed.is_some() => {
                let last = good.map_or(since, |good| good.max(since));
                let kept = last.plus(Span::from_secs(cache_secs));
                if target.now < kept {
                    return Ok(Presence::Present { seen: format!("the server may keep its last answer until {kept}") });
                }
                let proof = format!(
                    "the server asks about its tokens, was told of {jti} that it is good no later than {last}, keeps an answer for {cache_secs} s, and is told since that it is over"
                );
                Ok(Presence::LoginRefused { proof })
            }
            (Some(good), None) => Ok(Presence::Present {
                seen: format!("the server asked about token {jti} and was told at {good} that it is good"),
            }),
            (_, _) => Err(target.refuses("the server has asked about none of its tokens yet")),
        }
    }

    async fn inventory(&self, _target: &Target<'_>) -> Result<Inventory, ConnectError> {
        // A resource server holds nothing of ours.
        Ok(Inventory::default())
    }

    async fn remove_orphan(&self, target: &Target<'_>, _artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        Err(target.refuses("a resource server holds nothing of ours that could be removed"))
    }

    async fn traces(&self, _target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(Vec::new())
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        // Nobody asks it anything.
        Ok(None)
    }
}
