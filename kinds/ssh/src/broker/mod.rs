//! Sessions through the gateway: SSH with the person on one side, SSH with the host on the other.
//!
//! Owns: who may log in as what ([`login`]), what a session shows to its host ([`pass`]), which channels
//! and requests pass ([`person`], [`host`], [`pump`]), and that neither side is read faster than the other
//! takes it ([`flow`]). Refuses to know: sockets, limits, the grant, when it is over. The gateway does.

mod asks;
mod flow;
mod front;
pub(crate) mod fuzzed;
mod greeting;
mod host;
mod login;
mod pass;
mod person;
mod pump;
mod session;
mod variables;

use std::sync::Arc;

use wane_connector::broker::{Broker, Claim, Front, Pass};
use wane_connector::{ConnectError, Signer, Target};
use wane_domain::catalogue::Role;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::secret::Secret;
use wane_domain::time::Time;

/// The broker of this kind.
pub(crate) struct SshBroker {
    pub(crate) signer: Arc<dyn Signer>,
}

impl Broker for SshBroker {
    fn pass(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
        claim: &Claim,
        serial: u64,
    ) -> Result<Pass, ConnectError> {
        pass::pass(self.signer.as_ref(), target, role, lease, permit, claim, serial)
    }

    fn front(&self, key: &Secret, names: &[String], now: Time, serial: u64) -> Result<Arc<dyn Front>, ConnectError> {
        Ok(Arc::new(front::SshFront::new(self.signer.as_ref(), key, names, now, serial)?))
    }
}
