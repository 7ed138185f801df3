//! API keys as credentials of a grant: made in memory, checked by the gateway that made them, kept nowhere.

use std::sync::Arc;

use serde_json::{Value, json};
use wane_connector::strict::{object, text};
use wane_connector::{ConnectError, Handed, Issued, Issuer, Target};
use wane_domain::catalogue::Role;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::secret::SecretOnce;
use wane_domain::time::Span;

use crate::key::{Caveat, Key, Root};
use crate::settings::Settings;

/// What a key can be narrowed to as it is made, and afterwards.
pub(crate) const NARROWED: [&str; 5] = ["until", "methods", "paths", "from", "uses"];

/// The issuer of this kind.
pub(crate) struct KeyIssuer {
    pub(crate) root: Arc<Root>,
}

impl Issuer for KeyIssuer {
    fn issue(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
        input: &Value,
        serial: u64,
    ) -> Result<Issued, ConnectError> {
        let said = |why: String| ConnectError::Input(why);
        if permit.lease() != lease.id || permit.item().resource != target.resource.id || permit.item().role != role.id {
            return Err(said("the permit is for another key, application or role".to_owned()));
        }
        let settings = Settings::read(&target.resource.settings).map_err(|e| said(e.to_string()))?;
        let map = object("input", input, &NARROWED).map_err(|e| said(e.to_string()))?;
        let mut key = Key::made(&self.root, lease.grant, serial, target.resource.name.as_str());
        for name in NARROWED {
            if let Some(value) = text(map, name).map_err(|e| said(e.to_string()))? {
                let caveat = Caveat::said(name, value).map_err(|why| said(format!("{name}: {why}")))?;
                key = key.narrowed(caveat).map_err(|e| said(e.to_string()))?;
            }
        }
        // Read back as whoever is shown it reads it.
        let secret = key.text();
        Key::read(&secret).and_then(|read| read.check(&self.root)).map_err(|e| said(e.to_string()))?;
        let narrowed: Vec<String> = key.caveats.iter().map(Caveat::to_string).collect();
        Ok(Issued {
            notes: json!({ "serial": serial }),
            inventory: json!({ "serial": serial, "narrowed": narrowed, "not_after": permit.not_after() }),
            handed: Handed {
                public: json!({ "url": format!("{}/", settings.origin.as_str()), "header": "Authorization: Bearer KEY" }),
                secret: Some(SecretOnce::new(secret)),
                not_after: Some(permit.not_after()),
            },
        })
    }

    fn longest(&self) -> Span {
        // As long as its grant: the gateway asks at each session, and cuts it at the end.
        Span::from_micros(u64::MAX)
    }
}
