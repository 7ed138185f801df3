//! What a signer reads in a host certificate before it signs one: whose it is, for which names, for how long.

use russh::keys::HashAlg;
use russh::keys::ssh_key::certificate::CertType;
use wane_connector::Named;
use wane_domain::id::ResourceId;
use wane_domain::time::{Span, Time};

use crate::broker::{CERTIFIED, GATEWAY, STANDS, STANDS_FOR};
use crate::certificate::{SKEW, parse_unsigned, seconds};
use crate::host_docs::HOST_CERTIFICATE;
use crate::settings;

/// By how much a server's clock may be off the signer's.
const OFF: Span = Span::from_mins(5);

/// Reads a host certificate: the reader of the purpose `ssh-host-ca`.
///
/// # Errors
/// When the bytes are no host certificate in its one encoding, are for nobody that there is, have no name or one that is not of one
/// host, say anything else, or are good for longer than such a one is.
pub fn host_names(tbs: &[u8], now: Time) -> Result<Named, String> {
    let cert = parse_unsigned(tbs)?;
    let refuse = |why: &str| Err(why.to_owned());
    if cert.cert_type() != CertType::Host {
        return refuse("it is not a host certificate");
    }
    let said = cert.key_id();
    let (host, moment) = match said.strip_prefix(STANDS_FOR) {
        Some(host) => (host, true),
        None => (said, false),
    };
    if host != GATEWAY && host.parse::<ResourceId>().is_err() {
        return refuse("it is for no host that is registered");
    }
    let longest = match (host == GATEWAY, moment) {
        (false, false) => HOST_CERTIFICATE,
        (true, false) => CERTIFIED,
        (_, true) => STANDS,
    };
    if cert.valid_principals().is_empty() {
        return refuse("it has no name, which some clients take for all");
    }
    let mut names = Vec::new();
    for name in cert.valid_principals() {
        names.push(settings::host(name).ok_or_else(|| format!("its name {name:?} is not of one host"))?);
    }
    if !cert.critical_options().is_empty() || !cert.extensions().is_empty() {
        return refuse("it says more than a host certificate does");
    }
    let (earliest, latest) = (seconds(now.minus(SKEW).minus(OFF)), seconds(now.plus(longest).plus(OFF)));
    if cert.valid_after() < earliest || cert.valid_after() > seconds(now.plus(OFF)) {
        return refuse("it does not begin now");
    }
    if cert.valid_before() > latest {
        return refuse("it is good for longer than such a certificate is");
    }
    let key = cert.public_key().fingerprint(HashAlg::Sha256).to_string();
    Ok(Named { names, whose: host.to_owned(), key: (!moment).then_some(key) })
}
