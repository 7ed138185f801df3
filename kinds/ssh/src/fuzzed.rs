//! Doors for the fuzz targets: this kind's readers of hostile bytes as they are. Not an interface;
//! nothing but the targets calls them, and nothing here does more than hand over.

use russh::keys::Certificate;
use serde_json::Value;
use wane_domain::time::Time;
use wane_recording::{Event, Side};
use zeroize::Zeroizing;

use crate::agent::Agent;
use crate::broker::fuzzed as broker;
use crate::cidr::Cidr;
use crate::commands::Argv;
use crate::notes::Notes;
use crate::verbs::fuzzed as verbs;
use crate::{key, krl, settings};

/// A public key line in its one spelling.
///
/// # Errors
/// When it is none that is taken.
pub fn public_key(line: &str) -> Result<String, String> {
    key::read(line).and_then(|key| key::line(&key))
}

/// A range of addresses in its one spelling.
#[must_use]
pub fn cidr(text: &str) -> Option<String> {
    Cidr::read(text).map(|range| range.to_string())
}

/// Whether every address of one range is in the other; none if one is no range.
#[must_use]
pub fn cidr_covers(wide: &str, narrow: &str) -> Option<bool> {
    Some(Cidr::read(wide)?.covers(Cidr::read(narrow)?))
}

/// A host name or address in its one spelling.
#[must_use]
pub fn host(text: &str) -> Option<String> {
    settings::host(text)
}

/// A user name at the gateway, as it is understood.
#[must_use]
pub fn login_name(user: &str) -> Option<(String, String)> {
    broker::wanted(user)
}

/// What somebody reads at the gateway who may not come in.
#[must_use]
pub fn login_refusal(user: &str, why: Option<&str>) -> String {
    broker::refusal(user, why)
}

/// Whether these first bytes of a client offer strict key exchange; none while that is open.
#[must_use]
pub fn offers_strict_kex(bytes: &[u8]) -> Option<bool> {
    broker::offers_strict_kex(bytes)
}

/// What is understood of an SFTP conversation.
#[must_use]
pub fn sftp(said: &[(Side, &[u8])]) -> Vec<Event<'static>> {
    broker::sftp(said)
}

/// What is understood of the conversation of an `scp` that was started so; nothing if it was not.
#[must_use]
pub fn scp(line: &str, said: &[(Side, &[u8])]) -> Option<Vec<Event<'static>>> {
    broker::scp(line, said)
}

/// What is understood of a shell at a terminal.
#[must_use]
pub fn shell(columns: u32, said: &[(Side, &[u8])]) -> Vec<Event<'static>> {
    broker::shell(columns, said)
}

/// A command line at the gateway: its words, and the line that a host is given for them.
///
/// # Errors
/// When it is none that is taken where commands are listed.
pub fn command_words(line: &[u8]) -> Result<(Vec<String>, String), String> {
    let argv = Argv::read(line)?;
    let quoted = argv.quoted()?;
    Ok((argv.words().to_vec(), quoted))
}

/// What a lease keeps about its certificates, read and written again.
#[must_use]
pub fn notes(given: &Value) -> Option<Value> {
    Notes::read(given).map(|notes| notes.json())
}

/// A revocation list.
///
/// # Errors
/// When the key is none, or an id is too long for the format.
pub fn revocation_list(version: u64, at: Time, ca: &str, revoked: &[String]) -> Result<Vec<u8>, String> {
    krl::write(version, at, &key::read(ca)?, revoked).map_err(|e| e.to_string())
}

/// Version and moment of a revocation list.
///
/// # Errors
/// When it is none.
pub fn revocation_stamp(list: &[u8]) -> Result<(u64, u64), String> {
    krl::stamp(list).map(|stamp| (stamp.version, stamp.generated))
}

/// The revocation list in a server's answer, if it is by this signer.
///
/// # Errors
/// When it is not.
pub fn revocations_verified(answer: &Value, signer: &str) -> Result<Vec<u8>, String> {
    verbs::verified(answer, &key::read(signer)?)
}

/// The configuration of sshd with this line in our block.
///
/// # Errors
/// When it has half a block already.
pub fn with_block(config: &str, line: &str) -> Result<String, String> {
    verbs::with_block(config, line)
}

/// The private agent with one certificate.
pub struct PrivateAgent(Agent);

impl PrivateAgent {
    /// With a key from this seed, and the certificate that `certify` makes for its public half.
    ///
    /// # Errors
    /// When there is no such key or certificate.
    pub fn new(seed: [u8; 32], certify: impl FnOnce(&str) -> String) -> Result<Self, String> {
        let agent = Agent::new(&Zeroizing::new(seed), 0).map_err(|e| e.to_string())?;
        let line = agent.public_line().map_err(|e| e.to_string())?;
        let cert = Certificate::from_openssh(&certify(&line)).map_err(|e| e.to_string())?;
        agent.renew(&cert)?;
        Ok(Self(agent))
    }

    /// Its answer to one message.
    #[must_use]
    pub fn reply(&self, message: &[u8]) -> Vec<u8> {
        self.0.reply(message)
    }
}

impl std::fmt::Debug for PrivateAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateAgent").finish_non_exhaustive()
    }
}
