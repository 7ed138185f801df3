//! What happens at a service when a certificate has to end: nothing but the list it reads. So this says what is known,
//! by asking the service where that can be done, and never more.

use std::sync::Arc;

use async_trait::async_trait;
use wane_connector::{Artifact, ConnectError, Created, Effects, EndOutcome, Inventory, Presence, Target};
use wane_domain::catalogue::Role;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::time::Time;

use crate::authority::Authorities;
use crate::certificate::SKEW;
use crate::notes::Notes;
use crate::query::{self, Answer};
use crate::settings::{ReadBack, Settings};

/// The effects of certificates at services.
pub(crate) struct X509Effects {
    pub(crate) authorities: Arc<Authorities>,
}

fn refused(target: &Target<'_>, why: impl Into<String>) -> ConnectError {
    ConnectError::Refused { target: target.resource.name.to_string(), why: why.into() }
}

fn settings(target: &Target<'_>) -> Result<Settings, ConnectError> {
    Settings::read(&target.resource.settings).map_err(|e| refused(target, e.to_string()))
}

/// From when on a certificate is over even for a service whose clock is behind.
fn over_at(notes: &Notes) -> Time {
    notes.not_after.plus(SKEW)
}

#[async_trait]
impl Effects for X509Effects {
    async fn create(
        &self,
        target: &Target<'_>,
        _role: &Role,
        _lease: &LeaseData,
        _permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        Err(refused(target, "nothing is made at a service: access to it is a certificate, which is issued"))
    }

    async fn extend(&self, _target: &Target<'_>, _lease: &LeaseData) -> Result<(), ConnectError> {
        // The next issue is valid longer; a service keeps no end of its own.
        Ok(())
    }

    async fn end(&self, target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        let Some(notes) = Notes::read(&lease.notes) else { return Ok(EndOutcome::Done) };
        let until = over_at(&notes);
        let unproved = |why: &str| Ok(EndOutcome::Unrecallable { until, why: why.to_owned() });
        let settings = settings(target)?;
        match (settings.read_back, settings.crl_pull_secs) {
            (_, None) => unproved("the service reads no revocation list; the certificate runs out by itself"),
            (ReadBack::None, Some(_)) => unproved(
                "it is on the revocation list, and the service cannot be asked; the certificate runs out by itself",
            ),
            (ReadBack::Handshake, Some(_)) if lease.confirmed.is_none() => unproved(
                "it is on the revocation list; the service was never seen to accept it, so that its refusal would prove nothing",
            ),
            (ReadBack::Handshake, Some(_)) => Ok(EndOutcome::Done),
        }
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let settings = settings(target)?;
        let Some(notes) = Notes::read(&lease.notes) else {
            return Ok(Presence::Absent { proof: "no certificate was ever issued".to_owned() });
        };
        let ran_out = target.now >= over_at(&notes);
        let by_itself = |why: &str| Presence::LoginRefused {
            proof: format!("certificate {} ran out by itself at {}; {why}", notes.serial, notes.not_after),
        };
        match (settings.read_back, &settings.address) {
            (ReadBack::None, _) | (ReadBack::Handshake, None) if ran_out => Ok(by_itself("the service was not asked")),
            (ReadBack::None, _) | (ReadBack::Handshake, None) => {
                Err(refused(target, "it is registered with `read_back` `none`, so it is never asked"))
            }
            (ReadBack::Handshake, Some(address)) => {
                let asked = query::Asked {
                    target: target.resource.name.as_str(),
                    address,
                    server_ca: settings.server_ca.as_deref(),
                    authorities: &self.authorities,
                    now: target.now,
                };
                match query::offer(&asked, &notes.certificate).await? {
                    Answer::Accepted if ran_out => Ok(by_itself("in the handshake the service does not say so")),
                    Answer::Accepted => Ok(Presence::Present {
                        seen: format!("`{address}` accepts certificate {} and asks for its key", notes.serial),
                    }),
                    Answer::Refused { alert } => Ok(Presence::LoginRefused {
                        proof: format!("`{address}` refuses certificate {}: {alert}", notes.serial),
                    }),
                }
            }
        }
    }

    async fn inventory(&self, _target: &Target<'_>) -> Result<Inventory, ConnectError> {
        // A service holds nothing of ours.
        Ok(Inventory::default())
    }

    async fn remove_orphan(&self, target: &Target<'_>, _artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        Err(refused(target, "a service holds nothing of ours that could be removed"))
    }

    async fn traces(&self, _target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(Vec::new())
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        // TLS tells no time that means anything.
        Ok(None)
    }
}
