//! Issues certificates: exactly what the role names, signed in memory, read back, handed out.

use std::sync::Arc;

use serde_json::{Value, json};
use wane_connector::{ConnectError, Handed, Issued, Issuer, Signer, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::time::Span;
use wane_failpoint::{around_call, point};

use crate::authority::{Authorities, Ca, positive, to_pem};
use crate::certificate::{self, LONGEST, Plan, SKEW, grant_uri};
use crate::describe;
use crate::key::{self, HolderKey, Sent};
use crate::notes::Notes;
use crate::role::Definition;
use crate::settings::Settings;

/// Issues certificates.
pub(crate) struct X509Issuer {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) ambient: Ambient,
}

impl Issuer for X509Issuer {
    fn issue(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
        input: &Value,
        _serial: u64,
    ) -> Result<Issued, ConnectError> {
        let refused = |why: String| ConnectError::Refused { target: target.resource.name.to_string(), why };
        let settings = Settings::read(&target.resource.settings).map_err(|e| refused(e.to_string()))?;
        let definition = Definition::read(&role.definition).map_err(|e| refused(e.to_string()))?;
        if permit.lease() != lease.id || permit.item().resource != target.resource.id || permit.item().role != role.id {
            return Err(ConnectError::Input("the permit is for another lease, service or role".to_owned()));
        }
        if let Some(why) = definition.unusable_at(&settings) {
            return Err(refused(why));
        }
        let ca = self.authorities.issuing().ok_or_else(|| {
            refused(
                "there is no authority that issues; its administrator makes one with `wane authority new`".to_owned(),
            )
        })?;
        let ca = &*ca;
        let Sent { key: holder_key, names } = key::sent(input).map_err(ConnectError::Input)?;
        let definition = match names {
            Some(names) => definition.of_names(names).map_err(ConnectError::Input)?,
            None => definition,
        };
        if holder_key.spki == x509_cert::der::Encode::to_der(&ca.spki).unwrap_or_default() {
            return Err(ConnectError::Input("this is the authority's own key".to_owned()));
        }
        let plan = self.plan(&definition, &settings, ca, &permit, holder_key).map_err(|e| match e {
            Unplanned::Over(why) => ConnectError::Over(why),
            Unplanned::Refused(why) => refused(why),
        })?;
        let der = certificate::sign(&plan, ca, |tbs| {
            around_call(point!("x509.sign"), || self.signer.issue(ca.purpose, permit, tbs))
        })?;
        let (certificate, chain) = (to_pem("CERTIFICATE", &der)?, ca.between()?);
        let not_after = plan.not_after();
        let inventory = plan.inventory(ca);
        let serial = certificate::hex(&plan.serial);
        let notes = Notes { certificate: format!("{certificate}{chain}"), serial, not_after }.after(&lease.notes);
        let handed = Handed {
            public: json!({
                "certificate": certificate,
                "chain": chain,
                "above": ca.above()?,
                "trust": self.trust()?,
                "identity": plan.uri,
                "use": plan.usage.word(),
                "serial": inventory.get("serial"),
                "authority": ca.id(),
                "address": settings.address.as_ref().map(ToString::to_string),
                "not_after": not_after,
                "residual": describe::of(&settings).survives,
            }),
            secret: None,
            not_after: Some(not_after),
        };
        Ok(Issued { notes: notes.json(), inventory, handed })
    }

    fn longest(&self) -> Span {
        LONGEST
    }
}

enum Unplanned {
    Over(String),
    Refused(String),
}

impl X509Issuer {
    /// What the roots of all authorities are, so that a peer of either generation is trusted.
    fn trust(&self) -> Result<String, ConnectError> {
        Ok(self.authorities.all().iter().map(|ca| ca.root()).collect::<Result<String, _>>()?)
    }

    fn plan(
        &self,
        definition: &Definition,
        settings: &Settings,
        ca: &Ca,
        permit: &IssuePermit,
        key: HolderKey,
    ) -> Result<Plan, Unplanned> {
        let from = permit.not_before();
        let not_after = permit.not_after().min(from.plus(definition.life)).seconds().min(ca.not_after);
        if not_after <= from.seconds() {
            let why = "the grant ends within the second, or its authority has run out; ask for access again";
            return Err(Unplanned::Over(why.to_owned()));
        }
        let confined =
            definition.dns_names.iter().find(|name| !ca.constraints.permit_name(name)).cloned().or_else(|| {
                definition.ip_addresses.iter().find(|ip| !ca.constraints.permit_address(**ip)).map(ToString::to_string)
            });
        if let Some(name) = confined {
            return Err(Unplanned::Refused(format!("its authority may not name `{name}` (name constraints)")));
        }
        let domain = settings.trust_domain.as_deref().unwrap_or_default();
        let identity = definition.spiffe_id(domain, &permit.holder().to_string());
        Ok(Plan {
            serial: positive(self.ambient.bytes()),
            grant: permit.grant(),
            common_name: definition.common_name.clone().unwrap_or_else(|| permit.grant().to_string()),
            usage: definition.usage,
            uri: identity.unwrap_or_else(|| grant_uri(permit.grant())),
            dns_names: definition.dns_names.clone(),
            ip_addresses: definition.ip_addresses.clone(),
            key,
            not_before: from.minus(SKEW).seconds(),
            not_after,
        })
    }
}
