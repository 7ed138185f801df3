//! Connections at the gateway inside which sessions are opened: where it serves, which hosts are meant and reached there,
//! and as long as what the connection rests on.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::json;
use wane_app::{AppError, Arriving, Caller, Goal};
use wane_audit::{Actor, Outcome, Record};
use wane_connector::broker::{By, Next, Proof};
use wane_connector::{ConnectError, PublicKey, PublishPermit, SignError, Signature, Signer};
use wane_domain::catalogue::Resource;
use wane_domain::closure::EndCause;
use wane_domain::grant::{GrantData, GrantState};
use wane_domain::id::{ArrivalId, GrantId};
use wane_domain::issue::IssuePermit;
use wane_domain::request::AskItem;
use wane_domain::stored;
use wane_domain::time::Span;
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_kind_ssh::{HOST_CA, KRL, SshKind, USER_CA, check_user_certificate};
use wane_store::{Put, RecordFilter, Write};

use crate::house::{House, PUBLIC_KEY, limits, name};
use crate::signing_in::Login;
use crate::tasks::{claim, house};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const CLIENT: &str = "SSH-2.0-test";

pub(crate) async fn host(house: &House, called: &str, env: &str, address: &str) {
    let resource = Resource {
        id: house.ambient.id(),
        name: name(called),
        kind: name("ssh"),
        labels: BTreeMap::from([(name("env"), env.parse().unwrap())]),
        owner: None,
        settings: json!({ "address": address, "read_back": "none" }),
        since: house.app.now(),
    };
    house.write(vec![Write::Resource(Put::new(resource))]).await;
}

/// How ann shows that she holds a grant for a host.
async fn proof(house: &House, grant: GrantId) -> Proof {
    let By::Credential { serial, .. } = claim(house, grant).await.by else { panic!("it is no certificate") };
    Proof::Credential { grant, serial }
}

/// A connection of ann's that she opened by a certificate for a host, and the grant for that.
async fn passage(house: &House) -> (ArrivalId, GrantId) {
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    (house.app.admit(&proof(house, grant).await, PEER, CLIENT).await.unwrap(), grant)
}

/// Which host is reached there, if one is.
async fn reached(house: &House, passage: ArrivalId, host: &str, port: u16) -> Option<String> {
    match house.app.inside(passage, host, port, PUBLIC_KEY).await {
        Ok(inside) => Some(inside.resource),
        Err(AppError::Missing { .. }) => None,
        Err(other) => panic!("{other:?}"),
    }
}

/// Whether such a connection counts.
async fn counts(house: &House, passage: ArrivalId) -> bool {
    match house.app.inside(passage, "web1", 22, PUBLIC_KEY).await {
        Ok(_) => true,
        Err(AppError::Taken(why)) if why.contains("does not count any more") => false,
        Err(other) => panic!("{other:?}"),
    }
}

async fn noted(house: &House, event: &str) -> Vec<Record> {
    house.records(RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_meant_by_its_name_or_its_address_and_never_the_gateway_itself() {
    let house = house().await;
    host(&house, "web2", "staging", "127.0.0.1:23").await;
    let (passage, _) = passage(&house).await;
    for (host, port, meant) in [
        ("web1", 22, Some("web1")),
        ("web1", 2222, None),
        ("web2", 22, Some("web2")),
        ("web2", 23, Some("web2")),
        ("127.0.0.1", 22, Some("web1")),
        ("127.0.0.1", 23, Some("web2")),
        ("127.0.0.1", 24, None),
        ("attic", 22, None),
    ] {
        assert_eq!(reached(&house, passage, host, port).await.as_deref(), meant, "{host}:{port}");
    }
    house.app.gateway_serves("ssh", "WEB2".to_owned(), 22).unwrap();
    assert_eq!(reached(&house, passage, "web2", 22).await, None);
    assert_eq!(reached(&house, passage, "web1", 22).await.as_deref(), Some("web1"));
}

/// What another holds there does not count, nor what they hold elsewhere, nor what they held.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_reached_by_who_holds_access_there_or_may_ask_for_it() {
    let house = house().await;
    host(&house, "open", "test", "127.0.0.1:23").await;
    host(&house, "shut", "closed", "127.0.0.1:24").await;
    let test = r#"
@id("test") @max_ttl("8h") @approve("1 of group:dba")
permit (principal in Group::"engineers", action == Action::"access", resource is Host in Label::"env=test")
when { context.role == "deploy" };
@id("whoever-is-asked")"#;
    house.change_policy("@id(\"whoever-is-asked\")", test).await;
    let (passage, grant) = passage(&house).await;
    assert_eq!(reached(&house, passage, "open", 22).await.as_deref(), Some("open"));
    let (held, shut, now) = (house.grant(grant).await, house.resource("shut").await, house.app.now());
    let over = GrantState::Ending { since: Some(now), at: now, cause: EndCause::Returned };
    let (ann, ben) = (house.id("ann").await, house.id("ben").await);
    for (holder, state, lets) in [(ben, held.state.clone(), false), (ann, over, false), (ann, held.state.clone(), true)]
    {
        let item = AskItem { resource: shut, ..held.item.clone() };
        let data = GrantData { id: house.ambient.id(), holder, item, state, ..(*held).clone() };
        house.write(vec![Write::Grant(Put::new(stored::grant(data.clone())))]).await;
        assert_eq!(reached(&house, passage, "shut", 22).await.is_some(), lets, "{holder} {:?}", data.state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_connection_with_sessions_inside_is_written_down() {
    let house = house().await;
    let (passage, grant) = passage(&house).await;
    assert_eq!(reached(&house, passage, "web1", 22).await.as_deref(), Some("web1"));
    assert_eq!(reached(&house, passage, "no\u{7}\nwhere", 22).await, None);
    house.app.passage_left(passage).await;
    assert!(!counts(&house, passage).await, "it is over");
    let (ann, host) = (Some(house.id("ann").await), Some(house.resource("web1").await));
    for (event, outcome, grant, resource, to) in [
        ("passage.opened", Outcome::Done, Some(grant), None, None),
        ("passage.inside", Outcome::Done, None, host, Some("web1:22")),
        ("passage.refused", Outcome::Denied, Some(grant), None, Some("nowhere:22")),
        ("passage.closed", Outcome::Done, Some(grant), None, None),
    ] {
        let records = noted(&house, event).await;
        let [told] = records.as_slice() else { panic!("{event}: {records:?}") };
        assert_eq!((told.outcome, told.about.person, told.about.grant), (outcome, ann, grant), "{event}");
        assert_eq!((told.about.resource, told.detail["to"].as_str()), (resource, to), "{event}");
        assert_eq!(told.detail["arrival"], passage.to_string(), "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_counts_no_longer_than_the_grant_of_its_certificate() {
    let house = house().await;
    let (passage, grant) = passage(&house).await;
    let proof = proof(&house, grant).await;
    assert!(counts(&house, passage).await);
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    assert!(!counts(&house, passage).await);
    house.app.admit(&proof, PEER, CLIENT).await.unwrap_err();
}

/// A connection that somebody confirmed who is signed in.
async fn confirmed(house: &House, caller: &Caller) -> ArrivalId {
    let who = Arriving { goal: Goal::Passage, peer: PEER, client: CLIENT.to_owned() };
    let (id, shown) = house.app.arrive(who).await.unwrap();
    let reference = shown.link.rsplit('/').next().unwrap();
    house.app.confirm_arrival(caller, reference, &shown.code).await.unwrap();
    assert_eq!(house.app.arrival_next(id, None).await.unwrap().0, Next::Pass(id));
    house.app.admit(&Proof::Confirmed(id), PEER, CLIENT).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_counts_no_longer_than_the_sign_in_that_it_was_confirmed_in() {
    let house = house().await;
    let login = Login::of(&house, "ann").await;
    let first = house.app.authenticate(&login.sign_in(&house).await).await.unwrap();
    let second = house.app.authenticate(&login.sign_in(&house).await).await.unwrap();
    let (out, late) = (confirmed(&house, &first).await, confirmed(&house, &second).await);
    assert!(counts(&house, out).await && counts(&house, late).await);
    house.app.sign_out(&first).await.unwrap();
    assert!(!counts(&house, out).await && counts(&house, late).await);
    for (at, good) in [(second.expires.minus(Span::from_micros(1)), true), (second.expires, false)] {
        house.clock.set(at);
        assert_eq!(counts(&house, late).await, good, "{at}");
    }
}

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
    let passage = house.app.admit(&proof(&house, grant).await, PEER, CLIENT).await.unwrap();
    let refused = house.app.inside(passage, "web1", 22, PUBLIC_KEY).await;
    assert!(matches!(refused, Err(AppError::Target(ConnectError::Sign(SignError::Named(_))))), "{refused:?}");
    let told = noted(&house, "signer.refused").await.pop().unwrap();
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
