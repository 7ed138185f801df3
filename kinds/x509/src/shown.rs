//! Certificates that come back, shown at a door of ours.

use std::sync::Arc;

use wane_connector::{CertificateRead, Certificates};
use wane_domain::time::Time;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use crate::authority::Authorities;
use crate::certificate::hex;
use crate::key::verify;
use crate::role::Usage;
use crate::said;

/// The longest certificate that is read; ours are far shorter.
const LONGEST: usize = 16 * 1024;

/// What is known of certificates.
pub(crate) struct Shown(pub(crate) Arc<Authorities>);

impl Certificates for Shown {
    fn roots(&self) -> Vec<Vec<u8>> {
        self.0.all().iter().filter_map(|ca| ca.chain.last().cloned()).collect()
    }

    fn read(&self, der: &[u8], now: Time) -> Option<CertificateRead> {
        if der.len() > LONGEST {
            return None;
        }
        let cert = Certificate::from_der(der).ok()?;
        // One spelling of the whole, and of what is signed in it.
        if cert.to_der().ok()?.as_slice() != der || cert.signature_algorithm() != cert.tbs_certificate().signature() {
            return None;
        }
        let tbs = cert.tbs_certificate().to_der().ok()?;
        let said = said::read(&tbs).ok()?;
        let all = self.0.all();
        let ca = all.iter().find(|ca| ca.subject == said.issuer && ca.key_id == said.authority_key_id)?;
        // A signature is whole octets: what says that bits of it are unused is another spelling.
        verify(&ca.spki, cert.signature_algorithm(), &tbs, cert.signature().as_bytes()?).ok()?;
        let is_now = said.not_before <= now.seconds() && now.seconds() < said.not_after;
        if !is_now || said.usage != Usage::Client {
            return None;
        }
        Some(CertificateRead { grant: said.grant.parse().ok()?, serial: serial(&said.serial) })
    }
}

/// A serial number as the inventory has it: of 128 bits, whatever of them are zero.
fn serial(significant: &[u8]) -> String {
    let mut bytes = vec![0; 16_usize.saturating_sub(significant.len())];
    bytes.extend_from_slice(significant);
    hex(&bytes)
}
