//! What one session shows to its host: a certificate for this login alone, good for two minutes.

use std::net::IpAddr;

use russh::keys::Certificate;
use russh::keys::ssh_key::certificate::CertType;
use serde_json::{Value, json};
use wane_connector::broker::{By, Claim, Pass};
use wane_connector::{ConnectError, Signer, Target};
use wane_domain::catalogue::Role;
use wane_domain::id::ResourceId;
use wane_domain::issue::{IssuePermit, Reach};
use wane_domain::lease::LeaseData;
use wane_domain::task::Task;
use wane_domain::time::Span;
use wane_failpoint::{around_call, point};

use crate::certificate::{self, Plan, SKEW, nonce, seconds};
use crate::cidr::Cidr;
use crate::role::{Definition, FORCE_COMMAND, FORWARDING, SOURCE_ADDRESS, principal_at, principal_for};
use crate::settings::Settings;
use crate::{HOST_CA, USER_CA, key};

/// Long enough to connect, and no longer.
const LIFE: Span = Span::from_mins(2);

pub(crate) fn pass(
    signer: &dyn Signer,
    target: &Target<'_>,
    role: &Role,
    lease: &LeaseData,
    permit: IssuePermit,
    claim: &Claim,
    serial: u64,
) -> Result<Pass, ConnectError> {
    let name = target.resource.name.to_string();
    let refused = |why: String| ConnectError::Refused { target: name.clone(), why };
    let settings = Settings::read(&target.resource.settings).map_err(|e| refused(e.to_string()))?;
    let definition = Definition::read(&role.definition).map_err(|e| refused(e.to_string()))?;
    if permit.lease() != lease.id || permit.item().resource != target.resource.id || permit.item().role != role.id {
        return Err(ConnectError::Input("the permit is for another session, host or role".to_owned()));
    }
    let host = target.resource.id;
    let principal = principal_at(&claim.login, host);
    if !definition.principals.contains(&claim.login) {
        return Err(refused(not_for(&claim.login)));
    }
    if let By::Credential { credential, .. } = &claim.by {
        check_held(credential, &definition, claim, host).map_err(refused)?;
    }
    if !definition.lets_come_from(claim.peer) {
        return Err(refused(not_from(claim.peer)));
    }
    let task = permit.item().task.clone();
    let ca = key::own(signer.public_key(USER_CA)?);
    let host_ca = key::own(signer.public_key(HOST_CA)?);
    let plan = plan(&definition, &permit, claim, principal, serial)?;
    let cert = certificate::sign(&plan, &ca, |tbs| {
        around_call(point!("ssh.session.sign"), || signer.issue(USER_CA, permit, tbs))
    })?;
    let text = cert.to_openssh().map_err(|e| ConnectError::Input(e.to_string()))?.trim_end().to_owned();
    Ok(Pass {
        public: json!({
            "certificate": text,
            "login": claim.login,
            "settings": settings.json(),
            "host_ca": key::line(&host_ca).map_err(ConnectError::Input)?,
            "definition": definition.json(),
            "task": task,
        }),
        inventory: plan.inventory(),
        not_after: plan.not_after(),
    })
}

fn not_for(login: &str) -> String {
    format!("this access is not for the login name `{login}`")
}

fn not_from(peer: IpAddr) -> String {
    format!("this access may not be used from {peer}")
}

/// What a certificate demands holds here as it would at the host.
fn check_held(credential: &str, definition: &Definition, claim: &Claim, host: ResourceId) -> Result<(), String> {
    let held = Certificate::from_openssh(credential).map_err(|e| e.to_string())?;
    let good = [Reach::Target, Reach::Gateway].map(|reach| principal_for(reach, &claim.login, host));
    if !held.valid_principals().iter().any(|held| good.contains(held)) {
        return Err(not_for(&claim.login));
    }
    if held.critical_options().get(FORCE_COMMAND) != definition.critical_options().get(FORCE_COMMAND) {
        return Err("the certificate is for another command than the role".to_owned());
    }
    let ranges = held.critical_options().get(SOURCE_ADDRESS).map(String::as_str);
    if comes_from(claim.peer, ranges) { Ok(()) } else { Err(not_from(claim.peer)) }
}

/// Whether an address is in one of the ranges a certificate names; without any, all are.
pub(super) fn comes_from(peer: IpAddr, ranges: Option<&str>) -> bool {
    let Some(ranges) = ranges else { return true };
    ranges.split(',').any(|range| Cidr::read(range).is_some_and(|range| range.contains(peer)))
}

fn plan(
    definition: &Definition,
    permit: &IssuePermit,
    claim: &Claim,
    principal: String,
    serial: u64,
) -> Result<Plan, ConnectError> {
    let key = key::read(&claim.public_key).map_err(ConnectError::Input)?;
    let mut critical_options = definition.critical_options();
    // The host sees the gateway's address; the person's was checked above.
    critical_options.remove(SOURCE_ADDRESS);
    let mut extensions = definition.extensions();
    if let Some(task) = &permit.item().task {
        // The gateway keeps the session to its task; were it not to, the host would run nothing else all the same.
        let line = definition.line_of(task).map_err(ConnectError::Input)?;
        critical_options.insert(FORCE_COMMAND.to_owned(), line);
        extensions.remove(FORWARDING);
    }
    Ok(Plan {
        kind: CertType::User,
        nonce: nonce("wane.ssh.session-nonce.v1", permit, &key, serial),
        key,
        serial,
        key_id: permit.grant().to_string(),
        principals: vec![principal],
        valid_after: seconds(permit.not_before().minus(SKEW)),
        valid_before: seconds(permit.not_after().min(permit.not_before().plus(LIFE))),
        critical_options,
        extensions,
    })
}

/// What the broker reads back out of its own pass.
pub(crate) struct Shown {
    pub(crate) certificate: Certificate,
    pub(crate) login: String,
    pub(crate) settings: Settings,
    pub(crate) host_ca: russh::keys::ssh_key::public::KeyData,
    pub(crate) definition: Definition,
    /// The one command that the session is for, if for one.
    pub(crate) task: Option<Task>,
}

impl Shown {
    pub(crate) fn read(pass: &Value) -> Result<Self, String> {
        let text =
            |name: &str| pass.get(name).and_then(Value::as_str).ok_or_else(|| format!("the session has no `{name}`"));
        let part = |name: &str| pass.get(name).ok_or_else(|| format!("the session has no `{name}`"));
        Ok(Self {
            certificate: Certificate::from_openssh(text("certificate")?).map_err(|e| e.to_string())?,
            login: text("login")?.to_owned(),
            settings: Settings::read(part("settings")?).map_err(|e| e.to_string())?,
            host_ca: key::read(text("host_ca")?)?,
            definition: Definition::read(part("definition")?).map_err(|e| e.to_string())?,
            task: serde_json::from_value(part("task")?.clone()).map_err(|e| e.to_string())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_names_ranges_is_good_from_nowhere_else() {
        let peer: IpAddr = "192.0.2.7".parse().unwrap();
        for (ranges, good) in [
            (None, true),
            (Some("192.0.2.0/24"), true),
            (Some("198.51.100.0/24,192.0.2.7"), true),
            (Some("198.51.100.0/24"), false),
            (Some(""), false),
            (Some("nonsense"), false),
            (Some("::/0"), false),
        ] {
            assert_eq!(comes_from(peer, ranges), good, "{ranges:?}");
        }
    }
}
