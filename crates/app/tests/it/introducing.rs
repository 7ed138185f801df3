//! Credentials at other places than they were handed out for: what somebody begins there by one, and what is written
//! down of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64;
use serde_json::json;
use wane_app::{AppError, Class, HandedOut};
use wane_connector::broker::{By, Claim};
use wane_connector::web::{Introduced, Means};
use wane_connector::{Kind, PublishPermit, Signer};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::directory::Standing;
use wane_domain::grant::GrantData;
use wane_domain::id::GrantId;
use wane_domain::lease::LeaseKind;
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::secret::Secret;
use wane_domain::stored;
use wane_domain::time::Span;
use wane_keys::signer::LocalSigner;
use wane_kind_x509::authority::{Authorities, Authority, Confined, State};
use wane_kind_x509::{AUTHORITY_KEYS, X509Kind, check_certificate};
use wane_store::{Put, RecordFilter, Store as _, Write};

use crate::faulty::Goes;
use crate::house::{House, PUBLIC_KEY, name, reason};
use crate::passages::host;
use crate::tasks::{claim, closed, house};
use crate::visits::{PEER, SHOP, with_apps};

const MESH: &str = r#"
@id("mesh") @max_ttl("8h")
permit (principal in Group::"engineers", action == Action::"access", resource is Service);
@id("whoever-is-asked")"#;

/// Certifies keys, by an authority of its own.
fn certifies(house: &House) -> Arc<dyn Kind> {
    let (purpose, key) = (AUTHORITY_KEYS[0], house.ambient.bytes::<32>());
    let keys = || vec![(purpose, Secret::new(key.to_vec()))];
    let own = LocalSigner::new(keys(), Vec::new()).unwrap();
    let sign = |message: &[u8]| own.publish(purpose, PublishPermit { what: "its own".to_owned() }, message);
    let (public, serial, now) = (own.key(purpose).unwrap(), house.ambient.bytes(), house.ambient.now());
    let root = Authority::root(purpose, public, &sign, &Confined::default(), serial, now, Span::from_hours(99));
    let issues = Authority { state: State::Issuing, ..root.unwrap() };
    let signer: Arc<dyn Signer> = Arc::new(LocalSigner::new(keys(), vec![(purpose, check_certificate)]).unwrap());
    let (authorities, troubles) = Authorities::read(&*signer, &[issues]);
    assert!(troubles.is_empty(), "{troubles:?}");
    Arc::new(X509Kind::new(signer, authorities, house.ambient.clone()))
}

/// A company with applications, and with a service whose callers are certified.
async fn certified() -> House {
    let house = House::new().await;
    let kind = certifies(&house);
    let house = with_apps(house, vec![kind]).await;
    house.change_policy("@id(\"whoever-is-asked\")", MESH).await;
    let (since, kind, labels) = (house.app.now(), name("x509"), BTreeMap::new());
    let settings = json!({ "read_back": "none" });
    let mesh = Resource {
        id: house.ambient.id(),
        name: name("mesh"),
        kind: kind.clone(),
        labels,
        owner: None,
        settings,
        since,
    };
    let (description, definition) = (String::new().try_into().unwrap(), json!({ "use": "client" }));
    let calls = Role { id: house.ambient.id(), name: name("calls"), kind, description, definition, since };
    house.write(vec![Write::Resource(Put::new(mesh)), Write::Role(Put::new(calls))]).await;
    house
}

/// A certificate that is handed out now.
async fn certificate(house: &House, who: &str, grant: GrantId) -> (HandedOut, Means) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let spki = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], pair.public_key().as_ref()].concat();
    let key = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&spki));
    let input = json!({ "public_key": key });
    let handed = house.app.hand_out(&house.caller(who).await, grant, &input).await.unwrap();
    let pem = handed.public["certificate"].as_str().unwrap();
    let der = BASE64.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>().as_bytes());
    let means = Means::Certificate(der.unwrap().into());
    (handed, means)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_opens_the_one_grant_of_its_holder_that_is_good_there() {
    let house = certified().await;
    let mesh = house.hold("ann", "mesh", "calls", 1).await;
    let (handed, means) = certificate(&house, "ann", mesh).await;
    let opens = async |grant| {
        let (origin, resource, client) = (SHOP.to_owned(), "shop".to_owned(), "curl".to_owned());
        let who = Introduced { origin, resource, means: means.clone(), grant, client };
        house.app.introduced(&who, PEER).await
    };
    house.hold("ben", "shop", "view", 1).await;
    let none = opens(None).await.unwrap_err().to_string();
    assert!(none.contains("you hold no access to `shop`") && none.contains("`wane request view@shop`"), "{none}");
    let view = house.hold("ann", "shop", "view", 1).await;
    let claim = opens(None).await.unwrap();
    let serial = house.store_issuances(handed.lease).await[0].serial;
    assert_eq!((claim.grant, claim.by), (view, By::Known { lease: handed.lease, serial }));
    // What a job of theirs holds it holds alone.
    let held = house.grant(view).await;
    let of_job = GrantData { id: house.ambient.id(), job: Some(house.ambient.id()), ..(*held).clone() };
    house.write(vec![Write::Grant(Put::new(stored::grant(of_job)))]).await;
    assert_eq!(opens(None).await.unwrap().grant, view);
    let edit = house.hold("ann", "shop", "edit", 1).await;
    let several = opens(None).await.unwrap_err().to_string();
    assert!(several.contains(&view.to_string()) && several.contains(&edit.to_string()), "{several}");
    for one in [view, edit] {
        assert_eq!(opens(Some(one)).await.unwrap().grant, one);
    }
    let other = opens(Some(mesh)).await.unwrap_err().to_string();
    assert!(other.contains("you hold no access to `shop`"), "{other}");
}

/// On disk, or in memory alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_ended_is_nobodys() {
    let house = certified().await;
    let (ann, grant) = (house.caller("ann").await, house.hold("ann", "mesh", "calls", 1).await);
    let known = async |means: &Means| house.app.known_by(SHOP, means).await;
    let (handed, first) = certificate(&house, "ann", grant).await;
    assert_eq!(known(&first).await.unwrap(), ann.person);
    house.app.end_handed_out(&ann, handed.lease).await.unwrap();
    let (_, second) = certificate(&house, "ann", grant).await;
    let ended = known(&first).await;
    assert!(matches!(ended, Err(AppError::SignedOut)), "{ended:?}");
    assert_eq!(known(&second).await.unwrap(), ann.person);
    house.door.writes(Goes::Failing);
    house.app.give_back(&ann, grant).await.unwrap();
    let ended = known(&second).await;
    assert!(matches!(ended, Err(AppError::SignedOut)), "{ended:?}");
}

/// Whoever says all the ends may still be at it.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_nobodys_once_a_lock_covers_it_or_its_holder_is_out() {
    let house = certified().await;
    let (anns, bens) = (house.hold("ann", "mesh", "calls", 1).await, house.hold("ben", "mesh", "calls", 1).await);
    let (ann, ben) = (certificate(&house, "ann", anns).await.1, certificate(&house, "ben", bens).await.1);
    let is_good = async |means: &Means| match house.app.known_by(SHOP, means).await {
        Ok(_) => true,
        Err(AppError::SignedOut) => false,
        Err(other) => panic!("{other:?}"),
    };
    assert!(is_good(&ann).await && is_good(&ben).await);
    let (by, now) = (house.id("root").await, house.app.now());
    let (lock, _) = Lock::impose(house.ambient.id(), LockTarget::Grant(anns), reason("incident"), by, now);
    house.write(vec![Write::Lock(Put::new(lock))]).await;
    assert!(!is_good(&ann).await && is_good(&ben).await);
    let mut out = house.app.world().await.unwrap().person("ben").unwrap().clone();
    let seen = house.store.seen(&out.id.to_string()).await.unwrap();
    out.standing = Standing::Disabled;
    house.write(vec![Write::Person(Put { value: out, seen })]).await;
    assert!(house.grant(bens).await.is_live() && !is_good(&ben).await);
}

/// Under its own lease, by its holder, and until it runs out.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_by_a_credential_as_it_was_handed_out() {
    let house = with_apps(House::new().await, Vec::new()).await;
    let (ann, shop) = (house.caller("ann").await, house.hold("ann", "shop", "view", 8).await);
    house.app.activate(&ann, shop).await.unwrap();
    let issued = async |who: &str, grant| {
        let input = json!({ "public_key": PUBLIC_KEY });
        let lease = house.app.hand_out(&house.caller(who).await, grant, &input).await.unwrap().lease;
        house.store_issuances(lease).await.pop().unwrap()
    };
    let opens = async |lease, serial| {
        let claim = Claim {
            grant: shop,
            by: By::Known { lease, serial },
            resource: "shop".to_owned(),
            login: "certificate".to_owned(),
            public_key: String::new(),
            peer: PEER,
            client: "curl".to_owned(),
        };
        match house.app.open_session(&claim, None).await {
            Ok(_) => true,
            Err(AppError::SignedOut) => false,
            Err(other) => panic!("{other:?}"),
        }
    };
    let (host, bens) = (house.hold("ann", "web1", "deploy", 8).await, house.hold("ben", "web1", "deploy", 8).await);
    let (first, bens) = (issued("ann", host).await, issued("ben", bens).await);
    assert!(opens(first.lease, first.serial).await);
    house.app.end_handed_out(&ann, first.lease).await.unwrap();
    let second = issued("ann", host).await;
    for (lease, serial) in [
        (first.lease, first.serial),
        (first.lease, second.serial),
        (second.lease, first.serial),
        (second.lease, bens.serial),
        (bens.lease, bens.serial),
    ] {
        assert!(!opens(lease, serial).await, "{serial} under {lease}");
    }
    for (at, good) in [(second.not_after.minus(Span::from_micros(1)), true), (second.not_after, false)] {
        house.clock.set(at);
        assert_eq!(opens(second.lease, second.serial).await, good, "{at}");
    }
}

/// It rests on two grants, and what it writes down is under one of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_does_not_begin_by_a_credential_that_ended_meanwhile() {
    let house = house().await;
    host(&house, "web2", "staging", "127.0.0.1:23").await;
    let (shown, grant) = (house.hold("ann", "web1", "deploy", 1).await, house.hold("ann", "web2", "deploy", 1).await);
    house.hand_out("ann", grant).await.unwrap();
    let claim = claim(&house, shown).await;
    let By::Credential { serial, .. } = claim.by else { panic!("{claim:?}") };
    let by = By::Known { lease: house.leases(shown).await[0].id, serial };
    let known = Claim { grant, by, resource: "web2".to_owned(), ..claim };
    let session = house.app.open_session(&known, None).await.unwrap().session;
    house.app.session_closed(session, closed(None)).await.unwrap();

    let mut serials = house.door.serials.subscribe();
    let before = *serials.borrow();
    house.door.writes(Goes::Hanging);
    let ends = async {
        serials.wait_for(|asked| *asked > before).await.unwrap();
        house.door.passes.send_replace(1);
        house.app.give_back(&house.caller("ann").await, shown).await.unwrap();
        house.door.writes(Goes::Well);
    };
    let (opened, ()) = tokio::join!(house.app.open_session(&known, None), ends);
    assert!(matches!(opened, Err(AppError::SignedOut)), "{opened:?}");
    let leases = house.leases(grant).await;
    let sessions: Vec<_> = leases.iter().filter(|lease| lease.what == LeaseKind::Session).collect();
    assert!(sessions.len() == 2 && sessions.iter().all(|lease| !lease.is_open()), "{sessions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_used_where_it_may_not_be_is_written_down_with_why() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    let peer = "192.0.2.1".parse().unwrap();
    house.app.note_misuse(grant, 7, "it is for elsewhere", peer).await.unwrap();
    let of_it = RecordFilter { grant: Some(grant), event: Some("key.refused".to_owned()), ..RecordFilter::default() };
    let said: Vec<_> = house.records(of_it).await.into_iter().map(|record| record.detail).collect();
    assert_eq!(said, [json!({ "serial": 7, "why": "it is for elsewhere", "peer": "192.0.2.1" })]);
    let nobodys = house.app.note_misuse(house.ambient.id(), 7, "it is for elsewhere", peer).await.unwrap_err();
    assert_eq!(nobodys.class(), Class::Missing);
}
