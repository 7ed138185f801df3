//! The kind of SSH hosts with something else in place of its own.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wane_connector::{
    Broker, ConnectError, Describe, Effects, Issuer, Kind, KindError, Published, RoleProbe, Signer, Target,
};
use wane_domain::catalogue::Role;
use wane_domain::lease::LeaseKind;
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_kind_ssh::{HOST_CA, KRL, SshKind, USER_CA, check_user_certificate};

use crate::faulty::Faulty;
use crate::house::{House, limits};

/// What is not its own.
#[derive(Default)]
pub(crate) struct With {
    /// Sessions show a credential that is kept here.
    pub(crate) needs_credential: bool,
    pub(crate) broker: Option<Arc<dyn Broker>>,
    pub(crate) published: Option<Arc<dyn Published>>,
}

struct Altered(SshKind, With);

#[async_trait]
impl Kind for Altered {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn entity(&self) -> &'static str {
        self.0.entity()
    }
    fn settings(&self, given: &Value) -> Result<Value, KindError> {
        self.0.settings(given)
    }
    fn definition(&self, given: &Value) -> Result<Value, KindError> {
        self.0.definition(given)
    }
    fn is_narrower(&self, narrow: &Value, wide: &Value) -> bool {
        self.0.is_narrower(narrow, wide)
    }
    fn describe(&self, settings: &Value) -> Describe {
        self.0.describe(settings)
    }
    fn gives(&self) -> LeaseKind {
        self.0.gives()
    }
    fn needs_credential(&self) -> bool {
        self.1.needs_credential
    }
    async fn probe(&self, target: &Target<'_>, roles: &[Role]) -> Result<Vec<RoleProbe>, ConnectError> {
        self.0.probe(target, roles).await
    }
    fn effects(&self) -> Arc<dyn Effects> {
        self.0.effects()
    }
    fn issuer(&self) -> Option<Arc<dyn Issuer>> {
        self.0.issuer()
    }
    fn broker(&self) -> Option<Arc<dyn Broker>> {
        self.1.broker.clone()
    }
    fn published(&self) -> Option<Arc<dyn Published>> {
        self.1.published.clone()
    }
}

/// A company with such hosts, whose store is behind its door.
pub(crate) async fn house(with: With) -> House {
    let mut house = House::new().await;
    let keys = SignerKeys::generate(&[USER_CA, HOST_CA, KRL], &house.ambient);
    let signer: Arc<dyn Signer> = Arc::new(LocalSigner::new(keys, vec![(USER_CA, check_user_certificate)]).unwrap());
    let store = Arc::new(Faulty { store: house.store.clone(), door: Arc::clone(&house.door) });
    house.reopen_over(store, vec![Arc::new(Altered(SshKind::new(signer), with))], limits());
    house
}
