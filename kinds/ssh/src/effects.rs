//! What happens at a host when a certificate has to end: nothing but the list it pulls. So this
//! says what is known, by asking the host, and never more.

use std::sync::Arc;

use async_trait::async_trait;
use russh::keys::Certificate;
use wane_connector::{Artifact, ConnectError, Created, Effects, EndOutcome, Inventory, Presence, Signer, Target};
use wane_domain::catalogue::Role;
use wane_domain::issue::{IssuePermit, Reach};
use wane_domain::lease::{LeaseData, LeaseState};
use wane_domain::time::Time;

use crate::certificate::SKEW;
use crate::notes::Notes;
use crate::query::{self, Answer, Asked};
use crate::settings::{ReadBack, Settings};
use crate::{HOST_CA, key};

/// The effects of certificates at hosts.
pub(crate) struct SshEffects {
    pub(crate) signer: Arc<dyn Signer>,
}

impl SshEffects {
    fn settings(target: &Target<'_>) -> Result<Settings, ConnectError> {
        Settings::read(&target.resource.settings).map_err(|e| target.refuses(e.to_string()))
    }

    fn asked<'a>(&self, target: &'a Target<'_>, settings: &'a Settings) -> Result<Asked<'a>, ConnectError> {
        let host_ca = key::own(self.signer.public_key(HOST_CA)?);
        Ok(Asked { target: target.resource.name.as_str(), settings, host_ca, now: target.now })
    }
}

/// From when on a certificate is over even on a host whose clock is behind.
fn over_at(notes: &Notes) -> Time {
    notes.not_after.plus(SKEW)
}

/// A certificate that no host takes: the gateway does while the lease lives, and asks for that each time.
fn at_the_gateway(notes: &Notes, state: &LeaseState) -> Presence {
    let serial = notes.serial;
    match state {
        LeaseState::Intended | LeaseState::Live { .. } => {
            Presence::Present { seen: format!("the gateway takes certificate {serial}") }
        }
        LeaseState::Revoking { .. } | LeaseState::Gone { .. } => Presence::Absent {
            proof: format!(
                "certificate {serial} is for the gateway only, which opens nothing for it any more; no host takes it, \
                 and each session has an end of its own"
            ),
        },
    }
}

#[async_trait]
impl Effects for SshEffects {
    async fn create(
        &self,
        target: &Target<'_>,
        _role: &Role,
        _lease: &LeaseData,
        _permit: IssuePermit,
    ) -> Result<Created, ConnectError> {
        Err(target.refuses("nothing is made on a host: access to it is a certificate, which is issued"))
    }

    async fn extend(&self, _target: &Target<'_>, _lease: &LeaseData) -> Result<(), ConnectError> {
        // The next issue is valid longer; a host keeps no end of its own.
        Ok(())
    }

    async fn end(&self, _target: &Target<'_>, lease: &LeaseData) -> Result<EndOutcome, ConnectError> {
        let Some(notes) = Notes::read(&lease.notes) else {
            return Ok(EndOutcome::Done);
        };
        if notes.reach == Reach::Gateway {
            return Ok(EndOutcome::Done);
        }
        let until = over_at(&notes);
        // Before its own end and after: first tried late, it has to be over all the same.
        if lease.confirmed.is_none() {
            let why = "the host was never seen to accept the certificate, so that its refusal would prove nothing; the certificate runs out by itself";
            return Ok(EndOutcome::Unrecallable { until, why: why.to_owned() });
        }
        Ok(EndOutcome::Done)
    }

    async fn read_back(&self, target: &Target<'_>, lease: &LeaseData) -> Result<Presence, ConnectError> {
        let settings = Self::settings(target)?;
        let Some(notes) = Notes::read(&lease.notes) else {
            return Ok(Presence::Absent { proof: "no certificate was ever issued".to_owned() });
        };
        if notes.reach == Reach::Gateway {
            return Ok(at_the_gateway(&notes, &lease.state));
        }
        match settings.read_back {
            ReadBack::None if target.now >= over_at(&notes) => Ok(Presence::LoginRefused {
                proof: format!("the certificate ran out by itself at {}; the host was not asked", notes.not_after),
            }),
            ReadBack::None => Err(target.refuses("it is registered with `read_back` `none`, so it is never asked")),
            ReadBack::Query => {
                let cert = Certificate::from_openssh(&notes.certificate)
                    .map_err(|e| target.refuses(format!("the noted certificate cannot be read: {e}")))?;
                let offered = format!(
                    "certificate {} (key id {}) for `{}` at {}",
                    notes.serial,
                    cert.key_id(),
                    notes.user,
                    settings.address
                );
                match query::offer(&self.asked(target, &settings)?, &notes.user, cert).await? {
                    Answer::Accepted => Ok(Presence::Present { seen: format!("sshd accepts {offered}") }),
                    Answer::Refused { instead } => {
                        let why = if target.now >= over_at(&notes) { "; it had run out" } else { "" };
                        Ok(Presence::LoginRefused {
                            proof: format!("sshd refuses {offered}{why}; it offers: {instead}"),
                        })
                    }
                }
            }
        }
    }

    async fn inventory(&self, target: &Target<'_>) -> Result<Inventory, ConnectError> {
        let settings = Self::settings(target)?;
        // A host holds nothing of ours; what can be seen from here is whether it proves itself.
        if settings.read_back == ReadBack::None {
            return Ok(Inventory::default());
        }
        match query::greet(&self.asked(target, &settings)?).await {
            Ok(()) => Ok(Inventory::default()),
            Err(ConnectError::Trust { why, .. }) => Ok(Inventory { findings: vec![why], ..Inventory::default() }),
            Err(other) => Err(other),
        }
    }

    async fn remove_orphan(&self, target: &Target<'_>, _artifact: &Artifact) -> Result<EndOutcome, ConnectError> {
        Err(target.refuses("a host holds nothing of ours that could be removed"))
    }

    async fn traces(&self, _target: &Target<'_>) -> Result<Vec<String>, ConnectError> {
        Ok(Vec::new())
    }

    async fn clock_skew(&self, _target: &Target<'_>) -> Result<Option<i64>, ConnectError> {
        // sshd does not tell its time before a login.
        Ok(None)
    }
}
