//! Issues user certificates: exactly what the role names, signed in memory, read back, handed out.

use std::sync::Arc;

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use serde_json::{Value, json};
use wane_connector::strict;
use wane_connector::{ConnectError, Handed, Issued, Issuer, Signer, Target};
use wane_domain::catalogue::Role;
use wane_domain::issue::{IssuePermit, Reach};
use wane_domain::lease::LeaseData;
use wane_domain::time::Span;
use wane_failpoint::{around_call, point};

use crate::certificate::{self, LONGEST, Plan, SKEW, nonce, seconds};
use crate::notes::Notes;
use crate::role::{Definition, principal_for};
use crate::settings::Settings;
use crate::{HOST_CA, USER_CA, describe, key};

/// Issues user certificates.
pub(crate) struct SshIssuer {
    pub(crate) signer: Arc<dyn Signer>,
}

impl Issuer for SshIssuer {
    fn issue(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
        input: &Value,
        serial: u64,
    ) -> Result<Issued, ConnectError> {
        let refused = |e: wane_connector::KindError| ConnectError::Refused {
            target: target.resource.name.to_string(),
            why: e.to_string(),
        };
        let settings = Settings::read(&target.resource.settings).map_err(refused)?;
        let definition = Definition::read(&role.definition).map_err(refused)?;
        if permit.lease() != lease.id || permit.item().resource != target.resource.id || permit.item().role != role.id {
            return Err(ConnectError::Input("the permit is for another lease, host or role".to_owned()));
        }
        let subject = public_key(input)?;
        // INVARIANT: what only the gateway can hold its holder to is certified for nowhere else (held by
        // `a_role_with_commands_is_certified_for_the_gateway_only`).
        let permit = if definition.needs_gateway() { permit.at_the_gateway() } else { permit };
        let ca = key::own(self.signer.public_key(USER_CA)?);
        let host_ca = key::own(self.signer.public_key(HOST_CA)?);
        let plan = plan(&definition, &permit, subject, serial)?;
        let reach = permit.reach();
        let cert = certificate::sign(&plan, &ca, |tbs| {
            around_call(point!("ssh.sign"), || self.signer.issue(USER_CA, permit, tbs))
        })?;
        let text = cert.to_openssh().map_err(|e| ConnectError::Input(e.to_string()))?.trim_end().to_owned();
        let not_after = plan.not_after();
        let user = definition.principals.first().cloned().unwrap_or_default();
        let notes =
            Notes { certificate: text.clone(), user: user.clone(), not_after, serial, reach }.after(&lease.notes);
        let handed = Handed {
            public: json!({
                "certificate": text,
                "address": settings.address.to_string(),
                "host_names": settings.host_names,
                "user": user,
                "principals": definition.principals,
                "not_after": not_after,
                "host_ca": known_hosts_line(&settings, &host_ca).map_err(ConnectError::Input)?,
                "residual": match reach {
                    Reach::Target => describe::of(&settings).survives,
                    Reach::Gateway => "nothing: it is good at the gateway only, which ends sessions with their grant".to_owned(),
                },
                "gateway_only": reach == Reach::Gateway,
            }),
            secret: None,
            not_after: Some(not_after),
        };
        Ok(Issued { notes: notes.json(), inventory: plan.inventory(), handed })
    }

    fn longest(&self) -> Span {
        LONGEST
    }
}

/// The key the holder sent: `{"public_key": "ssh-ed25519 AAAA…"}`.
fn public_key(input: &Value) -> Result<KeyData, ConnectError> {
    let map = strict::object("input", input, &["public_key"]).map_err(|e| ConnectError::Input(e.to_string()))?;
    let line = strict::text(map, "public_key").map_err(|e| ConnectError::Input(e.to_string()))?;
    key::read(
        line.ok_or_else(|| ConnectError::Input("send the public key to be certified as `public_key`".to_owned()))?,
    )
    .map_err(ConnectError::Input)
}

fn plan(definition: &Definition, permit: &IssuePermit, key: KeyData, serial: u64) -> Result<Plan, ConnectError> {
    let valid_after = seconds(permit.not_before().minus(SKEW));
    let valid_before = seconds(permit.not_after().min(permit.not_before().plus(LONGEST)));
    if valid_before <= seconds(permit.not_before()) {
        return Err(ConnectError::Over("the grant ends within the second; ask for access again".to_owned()));
    }
    Ok(Plan {
        kind: CertType::User,
        nonce: nonce("wane.ssh.nonce.v1", permit, &key, serial),
        key,
        serial,
        key_id: permit.grant().to_string(),
        principals: definition
            .principals
            .iter()
            .map(|login| principal_for(permit.reach(), login, permit.item().resource))
            .collect(),
        valid_after,
        valid_before,
        critical_options: definition.critical_options(),
        extensions: definition.extensions(),
    })
}

/// Trusts the host authority for this host's names, with and without its port.
fn known_hosts_line(settings: &Settings, host_ca: &KeyData) -> Result<String, String> {
    let mut patterns = settings.host_names.clone();
    let port = settings.address.port;
    if port != 22 {
        patterns.extend(settings.host_names.iter().map(|name| format!("[{name}]:{port}")));
    }
    Ok(format!("@cert-authority {} {}", patterns.join(","), key::line(host_ca)?))
}
