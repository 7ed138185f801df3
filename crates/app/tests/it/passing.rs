//! Connections at the gateway inside which sessions are opened, and where that gateway is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use wane_app::AppError;
use wane_audit::Actor;
use wane_connector::broker::{By, Proof};
use wane_connector::{ConnectError, PublicKey, PublishPermit, SignError, Signature, Signer};
use wane_domain::issue::IssuePermit;
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_kind_ssh::{HOST_CA, KRL, SshKind, USER_CA, check_user_certificate};
use wane_store::RecordFilter;

use crate::house::{House, PUBLIC_KEY, limits};
use crate::tasks::claim;

/// Signs for people, and lets no gateway stand for any host.
struct NamesNoHost(LocalSigner);

impl Signer for NamesNoHost {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        self.0.key(purpose)
    }
    fn issue(&self, purpose: &'static str, permit: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        self.0.issue(purpose, permit, message)
    }
    fn publish(&self, _: &'static str, _: PublishPermit, _: &[u8]) -> Result<Signature, SignError> {
        Err(SignError::Named("`web1` is nobody's".to_owned()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_signer_refuses_a_gateway_is_on_record_with_who_meant_which_host() {
    let mut house = House::new().await;
    let keys = SignerKeys::generate(&[USER_CA, HOST_CA, KRL], &house.ambient);
    let signer = NamesNoHost(LocalSigner::new(keys, vec![(USER_CA, check_user_certificate)]).unwrap());
    house.reopen_over(Arc::new(house.store.clone()), vec![Arc::new(SshKind::new(Arc::new(signer)))], limits());
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let By::Credential { serial, .. } = claim(&house, grant).await.by else { panic!("it is no certificate") };
    let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let passage = house.app.admit(&Proof::Credential { grant, serial }, peer, "SSH-2.0-test").await.unwrap();
    let refused = house.app.inside(passage, "web1", 22, PUBLIC_KEY).await;
    assert!(matches!(refused, Err(AppError::Target(ConnectError::Sign(SignError::Named(_))))), "{refused:?}");
    let filter = RecordFilter { event: Some("signer.refused".to_owned()), ..RecordFilter::default() };
    let told = house.records(filter).await.pop().unwrap();
    let (ann, host) = (house.id("ann").await, house.resource("web1").await);
    assert_eq!((told.actor, told.about.person, told.about.resource), (Actor::Person(ann), Some(ann), Some(host)));
    assert_eq!(told.detail["refused"], "names");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_serves_anew_is_where_it_serves_now() {
    let house = House::new().await;
    for port in [22, 2222] {
        house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), port).unwrap();
    }
    let there: Vec<_> = house.app.gateways().into_iter().map(|gateway| (gateway.kind, gateway.port)).collect();
    assert_eq!(there, [("ssh", 2222)]);
}
