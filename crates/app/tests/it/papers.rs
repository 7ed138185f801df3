//! What everybody may fetch: a list of what is over and would still work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::Value;
use wane_connector::{
    ConnectError, Describe, Effects, Issuer, Kind, KindError, Paper, Published, Revoked, RoleProbe, Signer, Target,
};
use wane_domain::catalogue::Role;
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::lease::LeaseKind;
use wane_domain::time::{Span, Time};
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_kind_ssh::{HOST_CA, KRL, SshKind, USER_CA, check_user_certificate};
use wane_store::Issuance;

use crate::faulty::{Faulty, Goes};
use crate::house::{House, limits, mins, name};

/// Hosts of whose certificates everybody is told which are over.
struct Listed(SshKind, Arc<AtomicUsize>);

#[async_trait]
impl Kind for Listed {
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
        self.0.needs_credential()
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
    fn published(&self) -> Option<Arc<dyn Published>> {
        Some(Arc::new(List(Arc::clone(&self.1))))
    }
}

/// Says the serial numbers of what is over, and how often it was asked to.
struct List(Arc<AtomicUsize>);

impl Published for List {
    fn paper(&self, name: &str, _: u64, _: Time, revoked: &[Revoked]) -> Result<Option<Paper>, ConnectError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let serials: Vec<_> = revoked.iter().map(|one| one.inventory["serial"].clone()).collect();
        let bytes = Value::Array(serials).to_string().into_bytes();
        Ok((name == "list").then_some(Paper { media: "application/json", bytes }))
    }
}

async fn house() -> (House, Arc<AtomicUsize>) {
    let (mut house, signed) = (House::new().await, Arc::new(AtomicUsize::new(0)));
    let keys = SignerKeys::generate(&[USER_CA, HOST_CA, KRL], &house.ambient);
    let signer: Arc<dyn Signer> = Arc::new(LocalSigner::new(keys, vec![(USER_CA, check_user_certificate)]).unwrap());
    let store = Arc::new(Faulty { store: house.store.clone(), door: Arc::clone(&house.door) });
    house.reopen_over(store, vec![Arc::new(Listed(SshKind::new(signer), Arc::clone(&signed)))], limits());
    (house, signed)
}

async fn listed(house: &House) -> Vec<u64> {
    let paper = house.app.published(&name("ssh"), "list").await.unwrap();
    let mut serials: Vec<u64> = serde_json::from_slice(&paper.bytes).unwrap();
    serials.sort_unstable();
    serials
}

/// A certificate that is issued now, and its lease.
async fn issued(house: &House, who: &str, grant: GrantId) -> (Issuance, LeaseId) {
    let lease = house.hand_out(who, grant).await.unwrap().lease;
    (house.store_issuances(lease).await.pop().unwrap(), lease)
}

/// Once each, and until nobody's clock is so far behind that it would work there.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_without_the_store_is_listed_as_long_as_it_would_work() {
    let (house, signed) = house().await;
    let (anns, bens) = (house.hold("ann", "web1", "deploy", 3).await, house.hold("ben", "web1", "deploy", 3).await);
    let ann = house.caller("ann").await;
    let (first, lease) = issued(&house, "ann", anns).await;
    house.app.end_handed_out(&ann, lease).await.unwrap();
    let (second, _) = issued(&house, "ann", anns).await;
    issued(&house, "ben", bens).await;
    assert_eq!(listed(&house).await, [first.serial]);
    house.advance(mins(1));
    house.door.writes(Goes::Failing);
    house.app.give_back(&ann, anns).await.unwrap();
    let both = vec![first.serial, second.serial];
    assert_eq!(listed(&house).await, both);
    // Whoever asks again costs no signature.
    let before = signed.load(Ordering::SeqCst);
    house.advance(Span::from_secs(1));
    assert_eq!(listed(&house).await, both);
    assert_eq!(signed.load(Ordering::SeqCst), before);
    let last = second.not_after.plus(mins(60));
    for (at, serials) in [(last.minus(Span::from_micros(1)), both), (last, Vec::new())] {
        house.clock.set(at);
        assert_eq!(listed(&house).await, serials, "{at}");
    }
}
