//! Sessions through the gateway: SSH with the person on one side, SSH with the host on the other.
//!
//! Owns: who may log in as what ([`login`], [`arrival`], [`jump`]), what a session shows to its host ([`pass`]), which
//! programs run ([`commands`]), the program behind a terminal in a page ([`terminal`]), which channels and requests pass ([`person`], [`host`], [`pump`]), what is understood of
//! it beside the bytes ([`sense`]), and that neither side is read faster than the other takes it ([`flow`]). Refuses to
//! know: sockets, limits, the grant, when it is over. The gateway does.

mod arrival;
mod asks;
mod commands;
mod flow;
mod frames;
mod front;
pub(crate) mod fuzzed;
mod greeting;
mod host;
mod joining;
mod jump;
mod login;
mod nested;
mod pass;
mod person;
mod pump;
mod scp;
mod screen;
mod sense;
mod session;
mod sftp;
mod shell;
mod terminal;
mod variables;

use std::sync::Arc;

use wane_connector::broker::{Broker, Claim, Front, Pass};
use wane_connector::terminal::Terminals;
use wane_connector::{ConnectError, Signer, Target};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::secret::Secret;
use wane_domain::time::Time;
use wane_finding::Rules;

use crate::role::Definition;
use crate::{HOST_CA, key};

pub(crate) use front::CERTIFIED;
pub(crate) use jump::STANDS;

/// Whose the gateway's own certificate is.
pub(crate) const GATEWAY: &str = "gateway";
/// The same of one by which it stands for a host for minutes, with a key of the moment; the host's id follows.
pub(crate) const STANDS_FOR: &str = "gateway for ";

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

    fn opens(&self, role: &Role, login: &str) -> bool {
        Definition::read(&role.definition)
            .is_ok_and(|definition| definition.principals.iter().any(|name| name == login))
    }

    fn rules(&self, role: &Role) -> Result<Arc<Rules>, ConnectError> {
        let definition = Definition::read(&role.definition).map_err(|e| ConnectError::Input(e.to_string()))?;
        Rules::of(definition.findings).map(Arc::new).map_err(|e| ConnectError::Input(e.to_string()))
    }

    fn known_by(&self, host: &str, port: u16) -> Result<String, ConnectError> {
        let authority = key::line(&key::own(self.signer.public_key(HOST_CA)?)).map_err(ConnectError::Input)?;
        let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
        Ok(format!("@cert-authority {name} {authority}"))
    }

    fn targets_known_by(&self) -> Result<String, ConnectError> {
        let authority = key::line(&key::own(self.signer.public_key(HOST_CA)?)).map_err(ConnectError::Input)?;
        Ok(format!("@cert-authority * {authority}"))
    }

    fn answers_to(&self, resource: &Resource, host: &str, port: u16) -> bool {
        jump::answers_to(resource, host, port)
    }

    fn stands_for(
        &self,
        resource: &Resource,
        asked: &str,
        public_key: &str,
        now: Time,
        serial: u64,
    ) -> Result<String, ConnectError> {
        jump::stands_for(self.signer.as_ref(), resource, asked, public_key, now, serial)
    }

    fn front(&self, key: &Secret, names: &[String], now: Time, serial: u64) -> Result<Arc<dyn Front>, ConnectError> {
        Ok(Arc::new(front::SshFront::new(self.signer.as_ref(), key, names, now, serial)?))
    }

    fn terminals(&self) -> Option<Arc<dyn Terminals>> {
        Some(Arc::new(terminal::SshTerminals))
    }
}
