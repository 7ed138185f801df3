//! What hosts pull: the signed revocation list, and what a host needs to set itself up.

use std::sync::Arc;

use data_encoding::BASE64;
use russh::keys::HashAlg;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wane_connector::kind::HostDocs;
use wane_connector::strict;
use wane_connector::{ConnectError, PublishPermit, Signer, Target};
use wane_domain::time::{Span, Time};
use wane_failpoint::{around_call, point};

use crate::certificate::{self, Plan, SKEW, seconds};
use crate::settings::Settings;
use crate::{HOST_CA, KRL, USER_CA, key, krl};

/// How long a host certificate is valid. It only ties a key the host has anyway to its names, and a
/// host whose certificate ran out locks everybody out, so it is long; the puller warns in time.
pub(crate) const HOST_CERTIFICATE: Span = Span::from_hours(365 * 24);
const MOST_HOST_KEYS: usize = 8;

/// Signs what hosts pull.
pub(crate) struct SshHostDocs {
    pub(crate) signer: Arc<dyn Signer>,
}

impl HostDocs for SshHostDocs {
    fn revocations(&self, version: u64, at: Time, revoked: &[String]) -> Result<Value, ConnectError> {
        let ca = key::own(self.signer.public_key(USER_CA)?);
        let by = key::own(self.signer.public_key(KRL)?);
        let list = krl::write(version, at, &ca, revoked).map_err(|e| ConnectError::Input(e.to_string()))?;
        let message = krl::to_be_signed(&list).map_err(|e| ConnectError::Input(e.to_string()))?;
        let permit = PublishPermit { what: format!("krl version {version}") };
        let signature = around_call(point!("ssh.revocations.sign"), || self.signer.publish(KRL, permit, &message))?;
        let armoured = krl::armour(by.clone(), &signature).map_err(|e| ConnectError::Input(e.to_string()))?;
        krl::verify(&by, &list, &armoured).map_err(ConnectError::Input)?;
        Ok(
            json!({ "version": version, "krl": BASE64.encode(&list), "signature": armoured, "namespace": krl::NAMESPACE }),
        )
    }

    fn enrol(&self, target: &Target<'_>, sent: &Value, serial: u64) -> Result<Value, ConnectError> {
        let name = target.resource.name.to_string();
        let settings = Settings::read(&target.resource.settings)
            .map_err(|e| ConnectError::Refused { target: name.clone(), why: e.to_string() })?;
        let keys = host_keys(sent)?;
        let ca = key::own(self.signer.public_key(HOST_CA)?);
        let mut certificates = Vec::new();
        for subject in keys {
            let plan = plan(target, &settings, subject, serial);
            let permit = PublishPermit { what: format!("host certificate for {}", target.resource.id) };
            let cert = certificate::sign(&plan, &ca, |tbs| {
                around_call(point!("ssh.host.sign"), || self.signer.publish(HOST_CA, permit, tbs))
            })?;
            certificates.push(cert.to_openssh().map_err(|e| ConnectError::Input(e.to_string()))?.trim_end().to_owned());
        }
        let line = |purpose| key::line(&key::own(self.signer.public_key(purpose)?)).map_err(ConnectError::Input);
        Ok(json!({
            "user_ca": line(USER_CA)?,
            "krl_signer": line(KRL)?,
            "host_ca": line(HOST_CA)?,
            "host_certificates": certificates,
            "names": settings.host_names,
            "pull_secs": settings.pull_secs,
        }))
    }
}

/// The keys the host sent: `{"host_keys": ["ssh-ed25519 AAAA…"]}`.
fn host_keys(sent: &Value) -> Result<Vec<KeyData>, ConnectError> {
    let map = strict::object("host", sent, &["host_keys"]).map_err(|e| ConnectError::Input(e.to_string()))?;
    let lines = strict::texts(map, "host_keys").map_err(|e| ConnectError::Input(e.to_string()))?.unwrap_or_default();
    if lines.is_empty() || lines.len() > MOST_HOST_KEYS {
        return Err(ConnectError::Input(format!("send 1 to {MOST_HOST_KEYS} public host keys as `host_keys`")));
    }
    let mut keys = Vec::new();
    for line in lines {
        let key = key::read(line).map_err(ConnectError::Input)?;
        if keys.contains(&key) {
            return Err(ConnectError::Input("a host key was sent twice".to_owned()));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn plan(target: &Target<'_>, settings: &Settings, key: KeyData, serial: u64) -> Plan {
    let mut nonce = Sha256::new();
    nonce.update(format!(
        "wane.ssh.host-nonce.v1\n{}\n{serial}\n{}\n{}",
        target.resource.id,
        target.now.micros(),
        key.fingerprint(HashAlg::Sha256)
    ));
    Plan {
        kind: CertType::Host,
        key,
        nonce: nonce.finalize().into(),
        serial,
        key_id: target.resource.id.to_string(),
        principals: settings.host_names.clone(),
        valid_after: seconds(target.now.minus(SKEW)),
        valid_before: seconds(target.now.plus(HOST_CERTIFICATE)),
        critical_options: Default::default(),
        extensions: Default::default(),
    }
}
