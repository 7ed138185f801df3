//! What targets are reached with: the credential that was kept for each, in sessions, and without the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use wane_app::NewResource;
use wane_connector::broker::{Claim, Front, Pass};
use wane_connector::{Broker, ConnectError, Target};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseData;
use wane_domain::secret::Secret;
use wane_domain::time::Time;
use wane_finding::Rules;

use crate::altered::{self, With};
use crate::faulty::Goes;
use crate::house::{House, name};
use crate::signing_in::secret;
use crate::tasks::claim;

/// Nothing is connected anywhere.
struct Shows;

impl Broker for Shows {
    fn pass(
        &self,
        _: &Target<'_>,
        _: &Role,
        _: &LeaseData,
        permit: IssuePermit,
        _: &Claim,
        _: u64,
    ) -> Result<Pass, ConnectError> {
        Ok(Pass { public: json!({}), inventory: json!({}), not_after: permit.not_after() })
    }
    fn opens(&self, _: &Role, _: &str) -> bool {
        true
    }
    fn rules(&self, _: &Role) -> Result<Arc<Rules>, ConnectError> {
        Ok(Arc::default())
    }
    fn known_by(&self, _: &str, _: u16) -> Result<String, ConnectError> {
        Ok(String::new())
    }
    fn targets_known_by(&self) -> Result<String, ConnectError> {
        Ok(String::new())
    }
    fn answers_to(&self, _: &Resource, _: &str, _: u16) -> bool {
        false
    }
    fn stands_for(&self, _: &Resource, _: &str, _: &str, _: Time, _: u64) -> Result<String, ConnectError> {
        Ok(String::new())
    }
    fn front(&self, _: &Secret, _: &[String], _: Time, _: u64) -> Result<Arc<dyn Front>, ConnectError> {
        Err(ConnectError::Input("nobody connects here".to_owned()))
    }
    fn shows_credential(&self) -> bool {
        true
    }
}

/// Two hosts, each with a credential of its own.
const HOSTS: [(&str, &str); 2] = [("web2", "the one"), ("web3", "the other")];

async fn house() -> House {
    let broker = Some(Arc::new(Shows) as _);
    let house = altered::house(With { needs_credential: true, broker, published: None }).await;
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
    for (host, credential) in HOSTS {
        let new = NewResource {
            name: name(host),
            kind: name("ssh"),
            labels: BTreeMap::from([(name("env"), "staging".parse().unwrap())]),
            owner: None,
            settings: json!({ "address": "127.0.0.1:23", "read_back": "none" }),
            credential: Some(secret(credential)),
        };
        house.app.add_resource(&house.caller("root").await, new).await.unwrap();
    }
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_shows_its_target_what_was_kept_for_that_target() {
    let house = house().await;
    for (host, credential) in HOSTS {
        let grant = house.hold("ann", host, "deploy", 1).await;
        let claim = Claim { resource: host.to_owned(), ..claim(&house, grant).await };
        let opened = house.app.open_session(&claim, None).await.unwrap();
        assert_eq!(opened.kept.secret.unwrap().expose_str(), Some(credential));
    }
}

/// As it was set last, and without it having been read before.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_for_a_target_is_known_without_the_store() {
    let house = house().await;
    let ids = [house.resource(HOSTS[0].0).await, house.resource(HOSTS[1].0).await];
    house.app.set_credential(&house.caller("root").await, HOSTS[0].0, secret("a new one")).await.unwrap();
    house.door.reads(Goes::Failing);
    for (id, credential) in ids.into_iter().zip(["a new one", HOSTS[1].1]) {
        let handle = house.app.target(id).await.unwrap();
        assert_eq!(handle.target(house.app.now()).credential.unwrap().expose_str(), Some(credential));
    }
}
