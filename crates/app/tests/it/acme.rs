//! Accounts and orders of ACME, by calls that are made by hand: who is believed, what an account stands under, and every
//! bound where it is said to be. What is issued and revoked is shown by real clients, end to end.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wane_acme::{Identifier, Refused, Sort};
use wane_app::{AcmeOrderShown, AppError};
use wane_domain::catalogue::Role;
use wane_domain::directory::Standing;
use wane_domain::id::{AcmeAccountId, GrantId};
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::time::Span;
use wane_store::{Put, RecordFilter, Store as _, Write};

use crate::house::{House, mins, name, reason};

/// What the house is called, for which calls are made.
const US: &str = "https://wane.example";
const NEW: &str = "/acme/new-account";
const CHANGE: &str = "/acme/key-change";
const ORDER: &str = "/acme/new-order";
/// Bindings under one grant, and orders of one account that wait.
const MOST: usize = 32;

/// What binds an account.
struct Binding {
    account: AcmeAccountId,
    secret: Vec<u8>,
}

/// A house with a role that gives names.
async fn house() -> House {
    let house = House::new().await;
    let serve = Role {
        id: house.ambient.id(),
        name: name("serve"),
        kind: name("gate"),
        description: String::new().try_into().unwrap(),
        definition: json!({ "level": 1, "dns_names": ["shop.example", "www.shop.example"] }),
        since: house.app.now(),
    };
    house.write(vec![Write::Role(Put::new(serve))]).await;
    house
}

async fn grant(house: &House) -> GrantId {
    house.hold("ann", "attic", "serve", 4).await
}

async fn binding(house: &House, grant: GrantId) -> Binding {
    let offered = house.app.acme_offer(&house.caller("ann").await, grant).await.unwrap();
    let secret = BASE64URL_NOPAD.decode(offered.secret.reveal().as_bytes()).unwrap();
    Binding { account: offered.account, secret }
}

async fn refused_bindings(house: &House) -> usize {
    let filter = RecordFilter { event: Some("acme.binding_refused".to_owned()), ..RecordFilter::default() };
    house.records(filter).await.len()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

fn flattened(header: &Value, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> Value {
    let (header, payload) = (encoded(header.to_string()), encoded(payload));
    let signature = sign(format!("{header}.{payload}").as_bytes());
    json!({ "protected": header, "payload": payload, "signature": encoded(signature) })
}

fn account_path(id: AcmeAccountId) -> String {
    format!("/acme/account/{id}")
}

fn kid(id: AcmeAccountId) -> String {
    format!("{US}{}", account_path(id))
}

fn sort<T: std::fmt::Debug>(done: Result<T, Refused>) -> Sort {
    done.unwrap_err().sort
}

/// A client that signs whatever it is told to.
struct Client(Ed25519KeyPair);

impl Client {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn jwk(&self) -> Value {
        json!({ "crv": "Ed25519", "kty": "OKP", "x": encoded(self.0.public_key()) })
    }

    fn signed(&self, header: &Value, payload: &str) -> Value {
        flattened(header, payload, |message| self.0.sign(message).as_ref().to_vec())
    }

    /// The body of a call with this nonce: by an account, or with the key itself.
    fn with_nonce(&self, nonce: &str, account: Option<AcmeAccountId>, path: &str, payload: &str) -> Vec<u8> {
        let mut header = json!({ "alg": "EdDSA", "nonce": nonce, "url": format!("{US}{path}") });
        match account {
            Some(id) => header["kid"] = json!(kid(id)),
            None => header["jwk"] = self.jwk(),
        }
        self.signed(&header, payload).to_string().into_bytes()
    }

    fn call(&self, house: &House, account: Option<AcmeAccountId>, path: &str, payload: &str) -> Vec<u8> {
        self.with_nonce(&house.app.acme_nonce(), account, path, payload)
    }

    async fn new_account(&self, house: &House, payload: &Value) -> Result<(AcmeAccountId, bool), Refused> {
        house.app.acme_new_account(&self.call(house, None, NEW, &payload.to_string())).await
    }

    async fn bind(&self, house: &House, binding: &Binding) -> Result<(AcmeAccountId, bool), Refused> {
        let header = json!({ "alg": "HS256", "kid": binding.account.to_string(), "url": format!("{US}{NEW}") });
        let key = hmac::Key::new(hmac::HMAC_SHA256, &binding.secret);
        let bound = flattened(&header, &self.jwk().to_string(), |message| hmac::sign(&key, message).as_ref().to_vec());
        self.new_account(house, &json!({ "externalAccountBinding": bound })).await
    }

    /// An account of this client under a grant.
    async fn account(&self, house: &House, grant: GrantId) -> AcmeAccountId {
        let binding = binding(house, grant).await;
        assert_eq!(self.bind(house, &binding).await, Ok((binding.account, true)));
        binding.account
    }

    async fn asks(&self, house: &House, id: AcmeAccountId) -> Result<bool, Refused> {
        self.update(house, id, "").await
    }

    async fn update(&self, house: &House, id: AcmeAccountId, payload: &str) -> Result<bool, Refused> {
        let body = self.call(house, Some(id), &account_path(id), payload);
        house.app.acme_account(&body, &id.to_string()).await
    }

    async fn change(&self, house: &House, id: AcmeAccountId, new: &Self) -> Result<AcmeAccountId, Refused> {
        let header = json!({ "alg": "EdDSA", "jwk": new.jwk(), "url": format!("{US}{CHANGE}") });
        let inside = new.signed(&header, &json!({ "account": kid(id), "oldKey": self.jwk() }).to_string());
        house.app.acme_change_key(&self.call(house, Some(id), CHANGE, &inside.to_string())).await
    }

    async fn order(&self, house: &House, id: AcmeAccountId, dns: &str) -> Result<AcmeOrderShown, Refused> {
        let payload = json!({ "identifiers": [{ "type": "dns", "value": dns }] });
        house.app.acme_new_order(&self.call(house, Some(id), ORDER, &payload.to_string())).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_believed_is_not_believed_again() {
    let house = house().await;
    let grant = grant(&house).await;
    let (client, other) = (Client::new(1), Client::new(2));
    let id = client.account(&house, grant).await;
    let asks = |by: &Client, nonce: &str| by.with_nonce(nonce, Some(id), &account_path(id), "");
    let ask = async |body: &[u8]| house.app.acme_account(body, &id.to_string()).await;
    let once = asks(&client, &house.app.acme_nonce());
    assert_eq!(ask(&once).await, Ok(true));
    assert_eq!(sort(ask(&once).await), Sort::BadNonce, "it was sent again");
    assert_eq!(sort(ask(&asks(&client, "bm9uc2Vuc2U")).await), Sort::BadNonce, "it is not one of ours");
    // What its key did not sign uses no nonce up.
    let nonce = house.app.acme_nonce();
    assert_eq!(sort(ask(&asks(&other, &nonce)).await), Sort::Malformed);
    assert_eq!(ask(&asks(&client, &nonce)).await, Ok(true));
    let old = house.app.acme_nonce();
    house.advance(mins(60));
    assert_eq!(sort(ask(&asks(&client, &old)).await), Sort::BadNonce, "it is too old");
    // The same of a call that brings its key.
    let nobody = other.call(&house, None, NEW, r#"{"onlyReturnExisting":true}"#);
    for why in [Sort::AccountDoesNotExist, Sort::BadNonce] {
        assert_eq!(sort(house.app.acme_new_account(&nobody).await), why);
    }
}

/// What takes an account's ground away before anybody ended its grant.
enum Taken {
    Locked(Lock),
    Disabled,
}

impl Taken {
    async fn of(house: &House, what: &str, grant: GrantId) -> Self {
        let world = house.app.world().await.unwrap();
        let target = match what {
            "person" => LockTarget::Person(house.id("ann").await),
            "resource" => LockTarget::Resource(house.resource("attic").await),
            "role" => LockTarget::Role(world.role(&name("gate"), "serve").unwrap().id),
            "grant" => LockTarget::Grant(grant),
            _ => return Self::Disabled,
        };
        let by = house.id("root").await;
        Self::Locked(Lock::impose(house.ambient.id(), target, reason("incident"), by, house.app.now()).0)
    }

    /// Written as it is between its own commit and those of the ends that follow.
    async fn write(&self, house: &House) {
        match self {
            Self::Locked(lock) => house.write(vec![Write::Lock(Put::new(lock.clone()))]).await,
            Self::Disabled => stands(house, Standing::Disabled).await,
        }
    }

    async fn give_back(self, house: &House) {
        match self {
            Self::Locked(lock) => drop(house.app.lift_lock(&house.caller("root").await, lock.id).await.unwrap()),
            Self::Disabled => stands(house, Standing::Active).await,
        }
    }
}

async fn stands(house: &House, standing: Standing) {
    let mut ann = house.app.world().await.unwrap().person("ann").unwrap().clone();
    ann.standing = standing;
    let seen = house.store.seen(&ann.id.to_string()).await.unwrap();
    house.write(vec![Write::Person(Put { value: ann, seen })]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_locked_or_may_not_act_has_nothing_of_an_account_though_its_grant_was_not_ended_yet() {
    for what in ["person", "resource", "role", "grant", "standing"] {
        let house = house().await;
        let grant = grant(&house).await;
        let (client, other) = (Client::new(1), Client::new(2));
        let (used, unused) = (binding(&house, grant).await, binding(&house, grant).await);
        let id = used.account;
        assert_eq!(client.bind(&house, &used).await, Ok((id, true)));
        let order = client.order(&house, id, "shop.example").await.unwrap();
        let taken = Taken::of(&house, what, grant).await;
        taken.write(&house).await;
        assert!(house.grant(grant).await.is_live(), "{what}");
        let list = client.call(&house, Some(id), &format!("{}/orders", account_path(id)), "");
        let look = client.call(&house, Some(id), &format!("/acme/order/{}", order.id), "");
        for (call, refused) in [
            ("ask", sort(client.asks(&house, id).await)),
            ("give up", sort(client.update(&house, id, r#"{"status":"deactivated"}"#).await)),
            ("change its key", sort(client.change(&house, id, &other).await)),
            ("order", sort(client.order(&house, id, "shop.example").await)),
            ("list its orders", sort(house.app.acme_orders(&list, &id.to_string()).await)),
            ("look at an order", sort(house.app.acme_order(&look, &order.id.to_string()).await)),
            ("find itself", sort(client.new_account(&house, &json!({})).await)),
            ("find itself with what bound it", sort(client.bind(&house, &used).await)),
            ("bind another", sort(other.bind(&house, &unused).await)),
        ] {
            assert_eq!(refused, Sort::Unauthorized, "{what}: {call}");
        }
        assert_eq!(refused_bindings(&house).await, 0, "{what}: whoever has the key of it took nothing from anybody");
        let offer = house.app.acme_offer(&house.caller("ann").await, grant).await;
        assert!(matches!(offer, Err(AppError::Refused { .. })), "{what}: {offer:?}");
        // All of it is as it was once the ground is back.
        taken.give_back(&house).await;
        assert_eq!(client.asks(&house, id).await, Ok(true), "{what}");
        assert_eq!(other.bind(&house, &unused).await, Ok((unused.account, true)), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_with_a_binding_that_was_used_is_written_down_once_in_a_while() {
    let house = house().await;
    let grant = grant(&house).await;
    let client = Client::new(1);
    let binding = binding(&house, grant).await;
    assert_eq!(sort(client.new_account(&house, &json!({})).await), Sort::ExternalAccountRequired);
    assert_eq!(client.bind(&house, &binding).await, Ok((binding.account, true)));
    // Its own client comes as often as it likes.
    assert_eq!(client.bind(&house, &binding).await, Ok((binding.account, false)));
    let own = client.new_account(&house, &json!({ "onlyReturnExisting": true })).await;
    assert_eq!(own, Ok((binding.account, false)));
    assert_eq!(refused_bindings(&house).await, 0);
    for seed in [2, 3, 2] {
        assert_eq!(sort(Client::new(seed).bind(&house, &binding).await), Sort::Unauthorized);
    }
    assert_eq!(refused_bindings(&house).await, 1);
    house.advance(Span::from_hours(4));
    assert_eq!(sort(Client::new(2).bind(&house, &binding).await), Sort::Unauthorized);
    assert_eq!(refused_bindings(&house).await, 1, "it opens nothing any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_with_its_key_under_access_that_is_given_again() {
    let house = house().await;
    let first = grant(&house).await;
    let client = Client::new(1);
    let old = client.account(&house, first).await;
    house.app.give_back(&house.caller("ann").await, first).await.unwrap();
    assert_eq!(sort(client.asks(&house, old).await), Sort::Unauthorized);
    let new = client.account(&house, grant(&house).await).await;
    assert_ne!(new, old);
    assert_eq!(client.asks(&house, new).await, Ok(true));
    assert_eq!(sort(client.asks(&house, old).await), Sort::AccountDoesNotExist);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_its_own_clients_to_change_and_to_give_up() {
    let house = house().await;
    let grant = grant(&house).await;
    let (client, new, other) = (Client::new(1), Client::new(2), Client::new(3));
    let (id, others) = (client.account(&house, grant).await, other.account(&house, grant).await);
    let about_another = client.call(&house, Some(id), &account_path(others), "");
    assert_eq!(sort(house.app.acme_account(&about_another, &others.to_string()).await), Sort::Unauthorized);

    let taken = client.change(&house, id, &other).await.unwrap_err();
    assert_eq!((taken.sort, taken.at), (Sort::Conflict, Some(kid(others))), "which account has it");
    assert_eq!(client.change(&house, id, &new).await, Ok(id));
    assert_eq!(sort(client.asks(&house, id).await), Sort::Malformed, "the old key is nobody's");
    assert_eq!(new.asks(&house, id).await, Ok(true));

    for (says, stands) in [("{}", true), (r#"{"status":"valid"}"#, true), (r#"{"status":"deactivated"}"#, false)] {
        assert_eq!(new.update(&house, id, says).await, Ok(stands), "{says}");
    }
    assert_eq!(sort(new.asks(&house, id).await), Sort::Unauthorized);
    let again = binding(&house, grant).await;
    assert_eq!(sort(new.bind(&house, &again).await), Sort::Unauthorized, "its key went with it");
    assert_eq!(other.asks(&house, others).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_is_for_names_and_there_is_a_bound_to_them() {
    let house = house().await;
    let ann = house.caller("ann").await;
    let nameless = house.hold("ann", "annex", "read", 1).await;
    let offer = house.app.acme_offer(&ann, nameless).await;
    assert!(matches!(offer, Err(AppError::Invalid { .. })), "{offer:?}");
    let grant = grant(&house).await;
    for n in 0..MOST {
        let offered = house.app.acme_offer(&ann, grant).await.unwrap_or_else(|e| panic!("{n}: {e}"));
        assert_eq!(offered.names, ["shop.example", "www.shop.example"]);
        assert_eq!(offered.directory, format!("{US}/acme/directory"));
    }
    let offer = house.app.acme_offer(&ann, grant).await;
    assert!(matches!(offer, Err(AppError::Taken(_))), "{offer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_looked_at_by_its_own_account_and_changed_by_no_call() {
    let house = house().await;
    let grant = grant(&house).await;
    let (client, other) = (Client::new(1), Client::new(2));
    let (id, others) = (client.account(&house, grant).await, other.account(&house, grant).await);
    assert_eq!(sort(client.order(&house, id, "other.example").await), Sort::RejectedIdentifier);
    let order = client.order(&house, id, "shop.example").await.unwrap();
    let name = Identifier::Dns("shop.example".to_owned());
    assert_eq!((order.status, &order.names), ("ready", &vec![name.clone()]));
    let at = order.id.to_string();

    let look = async |by: &Client, account: AcmeAccountId, says: &str| {
        let body = |path: &str| by.call(&house, Some(account), path, says);
        let shown = house.app.acme_order(&body(&format!("/acme/order/{at}")), &at).await.map(|order| order.id);
        let authorization = |n: &str| (body(&format!("/acme/authz/{at}/{n}")), n.to_owned());
        let mut named = Vec::new();
        for (body, n) in [authorization("0"), authorization("1")] {
            named.push(house.app.acme_authorization(&body, &at, &n).await.map(|(name, _)| name));
        }
        let chain = house.app.acme_certificate(&body(&format!("/acme/cert/{at}")), &at).await;
        let owner = account.to_string();
        let list = house.app.acme_orders(&body(&format!("{}/orders", account_path(account))), &owner).await;
        (shown, named, chain, list)
    };
    let (shown, named, chain, list) = look(&client, id, "").await;
    assert_eq!((shown, list), (Ok(order.id), Ok(vec![order.id])));
    assert_eq!(named[0], Ok(name));
    assert_eq!((sort(named[1].clone()), sort(chain)), (Sort::Missing, Sort::Missing), "there is none");
    let (shown, named, chain, list) = look(&other, others, "").await;
    assert_eq!((sort(shown), sort(named[0].clone()), sort(chain)), (Sort::Missing, Sort::Missing, Sort::Missing));
    assert_eq!(list, Ok(Vec::new()));
    let path = format!("{}/orders", account_path(id));
    let list = house.app.acme_orders(&other.call(&house, Some(others), &path, ""), &id.to_string()).await;
    assert_eq!(sort(list), Sort::Unauthorized, "they are another's");
    // Whoever says something wants something changed, and nothing is (RFC 8555, section 6.3).
    let (shown, named, chain, list) = look(&client, id, "{}").await;
    let said = [sort(shown), sort(named[0].clone()), sort(chain), sort(list)];
    assert_eq!(said, [Sort::Malformed; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_orders_wait_and_one_whose_time_is_over_waits_no_longer() {
    let house = house().await;
    let client = Client::new(1);
    let id = client.account(&house, grant(&house).await).await;
    let mut first = None;
    for _ in 0..MOST {
        first = first.or(Some(client.order(&house, id, "shop.example").await.unwrap()));
    }
    let first = first.unwrap();
    assert_eq!(first.expires, house.app.now().plus(mins(60)));
    assert_eq!(sort(client.order(&house, id, "shop.example").await), Sort::RateLimited);
    house.advance(Span::from_micros(mins(60).micros() - 1));
    assert_eq!(sort(client.order(&house, id, "shop.example").await), Sort::RateLimited);
    house.advance(Span::from_micros(1));
    assert_eq!(client.order(&house, id, "shop.example").await.unwrap().status, "ready");
    let look = client.call(&house, Some(id), &format!("/acme/order/{}", first.id), "");
    assert_eq!(house.app.acme_order(&look, &first.id.to_string()).await.unwrap().status, "invalid");
}
