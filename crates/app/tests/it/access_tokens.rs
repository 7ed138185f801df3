//! Access tokens that come back: who is told what of one, on what it stands, what it is exchanged for, and which are
//! told to be over. Real servers and libraries ask end to end.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wane_app::{AppError, Exchange, ExchangeSubject, GoodToken, HandedOut, NotGood, ShownToken, TokensOver};
use wane_connector::{PublishPermit, Signer as _};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::closure::EndCause;
use wane_domain::directory::Standing;
use wane_domain::grant::GrantEvent;
use wane_domain::id::GrantId;
use wane_domain::lease::LeaseKind;
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::request::Ask;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_keys::signer::LocalSigner;
use wane_kind_oauth::keys::{KeptKey, TokenKeys};
use wane_kind_oauth::{OauthKind, TOKEN_KEYS, check_token};
use wane_store::{Put, RecordFilter, Store as _, Write};
use wane_testkit::{ServerCertificate, plain_ask};

use crate::faulty::{Faulty, Goes};
use crate::house::{House, limits, mins, name, reason};
use crate::signing_in::Login;

const US: &str = "https://wane.example";
const ORDERS: &str = "https://orders.example";
const BILLING: &str = "https://billing.example";
const LIST: &str = "https://orders.example/list";
/// The least there is.
const MICRO: Span = Span::from_micros(1);

/// A house with two servers that take tokens, and somebody who has the key that signs those.
struct Office {
    house: House,
    forger: LocalSigner,
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

fn secret(handed: HandedOut) -> String {
    handed.secret.unwrap().reveal().to_string()
}

fn jti(handed: &HandedOut) -> String {
    handed.public["jti"].as_str().unwrap().to_owned()
}

/// A call that comes with this token alone.
fn bare(token: &str) -> ShownToken<'_> {
    ShownToken { token, proof: None, method: Some("GET"), url: Some(LIST), certificate: None }
}

fn for_token(token: &str) -> Exchange<'_> {
    let subject = ExchangeSubject::Token(token);
    Exchange { subject, audience: None, grant: None, scope: None, proof: None }
}

fn for_session<'a>(session: &'a str, audience: &'a str) -> Exchange<'a> {
    let subject = ExchangeSubject::Session(session);
    Exchange { subject, audience: Some(audience), grant: None, scope: None, proof: None }
}

impl Office {
    async fn new() -> Self {
        let mut house = House::new().await;
        let key = || vec![(TOKEN_KEYS[0], Secret::new(vec![5; 32]))];
        let signer = Arc::new(LocalSigner::new(key(), vec![(TOKEN_KEYS[0], check_token)]).unwrap());
        let made = house.app.now();
        let kept = KeptKey { purpose: TOKEN_KEYS[0].to_owned(), made, from: made };
        let (keys, troubles) = TokenKeys::read(&*signer, &[kept]);
        assert_eq!(troubles, Vec::<String>::new());
        let kind = OauthKind::new(signer, keys, US, &house.ambient);
        let store = Arc::new(Faulty { store: house.store.clone(), door: Arc::clone(&house.door) });
        house.reopen_over(store, vec![Arc::new(kind)], limits());
        let office = Self { house, forger: LocalSigner::new(key(), Vec::new()).unwrap() };
        let mut writes = vec![office.server("orders", ORDERS), office.server("billing", BILLING)];
        for (role, definition) in [
            ("use", json!({ "scopes": ["orders.pay", "orders.read"], "life_secs": 600 })),
            ("look", json!({ "scopes": ["orders.read"], "life_secs": 60 })),
        ] {
            writes.push(Write::Role(Put::new(Role {
                id: office.house.ambient.id(),
                name: name(role),
                kind: name("oauth"),
                description: String::new().try_into().unwrap(),
                definition,
                since: made,
            })));
        }
        office.house.write(writes).await;
        let apis = r#"@id("apis") @max_ttl("8h")
permit (principal in Group::"engineers", action == Action::"access", resource is Api);
@id("whoever-is-asked")"#;
        office.house.change_policy(r#"@id("whoever-is-asked")"#, apis).await;
        // Proofs of the second in which it began are not taken.
        office.house.advance(Span::from_secs(2));
        office
    }

    /// One more server.
    fn server(&self, server: &str, audience: &str) -> Write {
        Write::Resource(Put::new(Resource {
            id: self.house.ambient.id(),
            name: name(server),
            kind: name("oauth"),
            labels: BTreeMap::new(),
            owner: None,
            settings: json!({ "audience": audience, "hears": "introspection", "cache_secs": 0 }),
            since: self.house.app.now(),
        }))
    }

    /// What is handed out for what somebody asks for now.
    async fn held(&self, who: &str, server: &str, role: &str) -> (GrantId, HandedOut) {
        let grant = self.house.hold(who, server, role, 1).await;
        (grant, self.more(who, grant, &json!({})).await)
    }

    async fn more(&self, who: &str, grant: GrantId, input: &Value) -> HandedOut {
        self.house.app.hand_out(&self.house.caller(who).await, grant, input).await.unwrap()
    }

    /// What a server is told of a token.
    async fn told(&self, server: &str, token: &str) -> Option<GoodToken> {
        self.house.app.introspect(self.house.resource(server).await, token).await.unwrap()
    }

    /// Whether a token is good at the server of orders. One that is not opens nothing there, and gives nothing.
    async fn is_good(&self, token: &str) -> bool {
        if self.told("orders", token).await.is_some() {
            return true;
        }
        let opened = self.house.app.check_call(self.house.resource("orders").await, &bare(token)).await.unwrap();
        assert_eq!(opened.unwrap_err(), NotGood::Token);
        let given = self.house.app.exchange(&for_token(token)).await;
        assert!(matches!(given, Err(AppError::SignedOut)), "{given:?}");
        false
    }

    /// A token that says something else, signed with the key that signs.
    fn forged(&self, token: &str, from: &str, to: &str) -> String {
        let parts: Vec<&str> = token.split('.').collect();
        let claims = String::from_utf8(BASE64URL_NOPAD.decode(parts[1].as_bytes()).unwrap()).unwrap();
        assert!(claims.contains(from), "{claims} has no {from}");
        let message = format!("{}.{}", parts[0], encoded(claims.replace(from, to)));
        let signed = self.forger.publish(TOKEN_KEYS[0], PublishPermit { what: "test".to_owned() }, message.as_bytes());
        format!("{message}.{}", encoded(signed.unwrap().0))
    }

    /// Ann is written down as she stands, before anything of hers was ended for it.
    async fn ann_stands(&self, standing: Standing) {
        let mut ann = self.house.app.world().await.unwrap().person("ann").unwrap().clone();
        ann.standing = standing;
        let seen = self.house.store.seen(&ann.id.to_string()).await.unwrap();
        self.house.write(vec![Write::Person(Put { value: ann, seen })]).await;
    }

    /// The server of orders calls itself so from now on.
    async fn calls_itself(&self, audience: &str) {
        let mut orders = self.house.app.world().await.unwrap().resource("orders").unwrap().clone();
        orders.settings["audience"] = json!(audience);
        let seen = self.house.store.seen(&orders.id.to_string()).await.unwrap();
        self.house.write(vec![Write::Resource(Put { value: orders, seen })]).await;
    }

    async fn over_after(&self, server: &str, after: u64) -> Vec<TokensOver> {
        let (over, last) = self.house.app.tokens_over_after(self.house.resource(server).await, after).await.unwrap();
        assert_eq!(last, self.house.store_head().await, "where the next call goes on");
        assert!(over.iter().all(|one| one.seq.is_some_and(|seq| after < seq && seq <= last)), "{over:?}");
        over
    }

    async fn over(&self, server: &str) -> Vec<TokensOver> {
        self.house.app.tokens_over(self.house.resource(server).await).await.unwrap()
    }
}

/// What is told of tokens, without where it stands.
fn said(over: Vec<TokensOver>) -> Vec<(GrantId, Time, Vec<String>)> {
    over.into_iter().map(|one| (one.grant, one.at, one.tokens)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_token_its_own_server_alone_is_told() {
    let office = Office::new().await;
    let (grant, handed) = office.held("ann", "orders", "use").await;
    let (id, token) = (jti(&handed), secret(handed));
    let good = office.told("orders", &token).await.unwrap();
    assert_eq!((good.holder.as_str(), good.read.holder), ("ann", office.house.id("ann").await));
    assert_eq!((good.read.grant, good.read.id, good.read.scope.as_str()), (grant, id, "orders.pay orders.read"));
    // One that calls itself like another is not the other for that.
    office.house.write(vec![office.server("twin", ORDERS)]).await;
    for other in ["twin", "billing", "web1", "attic"] {
        assert!(office.told(other, &token).await.is_none(), "{other}");
    }
    // And one that calls itself something else is not the one that the token was for.
    office.calls_itself("https://new.example").await;
    assert!(office.told("orders", &token).await.is_none());
    office.calls_itself(ORDERS).await;
    assert!(office.told("orders", &token).await.is_some());
    for none in ["nonsense", "a.b.c", &token[..token.len() - 4]] {
        assert!(!office.is_good(none).await, "{none}");
    }
    let refused = RecordFilter { event: Some("token.refused".to_owned()), ..RecordFilter::default() };
    let refused = office.house.records(refused).await;
    assert_eq!(refused.len(), 1, "who shows it everywhere is written down once in a while: {refused:?}");
    assert_eq!((refused[0].about.grant, &refused[0].detail["server"]), (Some(grant), &json!("twin")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_over_with_each_of_what_it_stands_on() {
    let office = Office::new().await;
    let house = &office.house;
    let (grant, handed) = office.held("ann", "orders", "look").await;
    let (until, token) = (handed.not_after.unwrap(), secret(handed));
    assert!(office.is_good(&token).await);

    // Its holder may not act, or something of it is locked, and nobody has ended its grant for that yet.
    office.ann_stands(Standing::Disabled).await;
    assert!(!office.is_good(&token).await, "its holder may not act");
    office.ann_stands(Standing::Active).await;
    let root = house.caller("root").await;
    let (world, orders) = (house.app.world().await.unwrap(), house.resource("orders").await);
    for target in [
        LockTarget::Person(house.id("ann").await),
        LockTarget::Resource(orders),
        LockTarget::Role(world.role(&name("oauth"), "look").unwrap().id),
        LockTarget::Grant(grant),
    ] {
        let (lock, _) = Lock::impose(house.ambient.id(), target, reason("incident"), root.person, house.app.now());
        house.write(vec![Write::Lock(Put::new(lock.clone()))]).await;
        assert!(!office.is_good(&token).await, "{:?}", lock.target);
        house.app.lift_lock(&root, lock.id).await.unwrap();
        assert!(office.is_good(&token).await, "{:?}", lock.target);
    }
    assert!(house.grant(grant).await.is_live());

    // It alone was revoked; its own time is up.
    let other = secret(office.more("ann", grant, &json!({})).await);
    let serial = office.told("orders", &token).await.unwrap().read.serial;
    house.write(vec![Write::RevokeIssuance(serial, house.app.now())]).await;
    assert!(!office.is_good(&token).await, "it alone was revoked");
    house.clock.set(until.minus(MICRO));
    assert!(office.is_good(&other).await, "a moment before");
    house.clock.set(until);
    assert!(!office.is_good(&other).await, "its time is up");

    // What was ended while the store cannot be written is over although the store does not know.
    let token = secret(office.more("ann", grant, &json!({})).await);
    assert!(office.is_good(&token).await);
    house.door.writes(Goes::Failing);
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    assert!(house.grant(grant).await.is_live());
    assert!(!office.is_good(&token).await, "its grant was ended from memory");
}

/// Somebody has the key, and signs what was never issued.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_signature_alone_makes_no_good_token() {
    let office = Office::new().await;
    let house = &office.house;
    let (grant, handed) = office.held("ann", "orders", "use").await;
    let (id, token) = (jti(&handed), secret(handed));
    let (another, others) = office.held("ann", "orders", "look").await;
    let (of_ben, bens) = office.held("ben", "orders", "use").await;
    let (lease, serial) = id.rsplit_once('_').unwrap();
    let of_other = |id: &str| format!("{lease}_{}", id.rsplit_once('_').unwrap().1);
    let [ann, ben] = [house.id("ann").await, house.id("ben").await].map(|id| id.to_string());
    for (what, from, to) in [
        ("another grant of its holder's", grant.to_string(), another.to_string()),
        ("somebody else's grant", grant.to_string(), of_ben.to_string()),
        ("another holder", ann, ben),
        ("one that was never issued", id.clone(), format!("{lease}_{serial}0000")),
        ("one that was issued under another grant", id.clone(), of_other(&jti(&others))),
        ("one that was issued to another", id.clone(), of_other(&jti(&bens))),
    ] {
        let forged = office.forged(&token, &from, &to);
        assert!(!office.is_good(&forged).await, "{what}");
        // Nor does it end what another grant gave.
        if from == grant.to_string() {
            house.app.end_token(&forged).await.unwrap();
        }
    }
    assert!(office.is_good(&token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_token_ends_it_with_those_beside_it_and_the_grant_gives_another() {
    let office = Office::new().await;
    let house = &office.house;
    let (grant, handed) = office.held("ann", "orders", "use").await;
    let (first, second) = (secret(handed), secret(office.more("ann", grant, &json!({})).await));
    let (_, bens) = office.held("ben", "orders", "use").await;
    let bens = secret(bens);
    house.app.end_token(&second).await.unwrap();
    assert!(!office.is_good(&first).await && !office.is_good(&second).await);
    assert!(house.grant(grant).await.is_live() && office.is_good(&bens).await);
    let third = secret(office.more("ann", grant, &json!({})).await);
    for nothing in [&first, &second, "nonsense"] {
        house.app.end_token(nothing).await.unwrap();
        assert!(office.is_good(&third).await && !office.is_good(&first).await, "what is over stays over");
    }
    let revoked = RecordFilter { event: Some("credential.revoked".to_owned()), ..RecordFilter::default() };
    assert_eq!(house.records(revoked).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_server_asks_is_written_down_once_and_it_is_told_whether_or_not() {
    let office = Office::new().await;
    let house = &office.house;
    let (grant, handed) = office.held("ann", "orders", "use").await;
    let token = secret(handed);
    assert_eq!(house.leases(grant).await[0].confirmed, None);
    assert!(office.told("orders", &token).await.is_some());
    let confirmed = house.leases(grant).await[0].confirmed;
    assert_eq!(confirmed, Some(house.app.now()));
    let head = house.store_head().await;
    house.advance(mins(1));
    assert!(office.told("orders", &token).await.is_some());
    assert_eq!((house.leases(grant).await[0].confirmed, house.store_head().await), (confirmed, head));

    let (grant, handed) = office.held("ben", "orders", "use").await;
    let token = secret(handed);
    house.door.writes(Goes::Failing);
    house.try_ask("ben", crate::house::ask(&[("attic", "read")], 1)).await.unwrap_err();
    assert!(house.app.is_storeless());
    house.door.writes(Goes::Failing);
    assert!(office.told("orders", &token).await.is_some());
    assert_eq!(*house.door.asked.borrow(), 0, "nothing is written that cannot be");
    house.door.writes(Goes::Well);
    house.ask("ben", &[("attic", "read")], 1).await;
    assert!(office.told("orders", &token).await.is_some());
    assert!(house.leases(grant).await[0].confirmed.is_some(), "it is written down later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_known_by_its_own_credential_and_name() {
    let office = Office::new().await;
    let house = &office.house;
    let root = house.caller("root").await;
    let mut credentials = Vec::new();
    for server in ["orders", "web1"] {
        let code = house.app.join_code(&root, server).await.unwrap().0.reveal();
        let keys = if server == "web1" { json!({ "host_keys": [crate::house::PUBLIC_KEY] }) } else { json!({}) };
        credentials.push(house.app.join_host(&code, &keys).await.unwrap().host_token.reveal().to_string());
    }
    let (orders, web1) = (&credentials[0], &credentials[1]);
    let known = async |name: Option<&str>, credential: &str| house.app.resource_server(name, credential).await;
    for name in [None, Some("orders")] {
        assert_eq!(known(name, orders).await.unwrap(), house.resource("orders").await);
    }
    for (name, credential, why) in [
        (Some("billing"), orders.as_str(), "another's name"),
        (Some("web1"), web1, "it takes no tokens"),
        (None, web1, "it takes no tokens"),
        (Some("orders"), web1, "another's name, and it takes none"),
        (Some("orders"), "nonsense", "no credential"),
    ] {
        let refused = known(name, credential).await;
        assert!(matches!(refused, Err(AppError::SignedOut)), "{why}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_says_of_itself_where_it_is_and_who_issues_nothing_is_none() {
    let (office, plain) = (Office::new().await, House::new().await);
    for said in [office.house.app.token_metadata().unwrap(), office.house.app.token_discovery().unwrap()] {
        assert_eq!((&said["issuer"], &said["token_endpoint"]), (&json!(US), &json!(format!("{US}/oauth2/token"))));
    }
    for said in [plain.app.token_metadata(), plain.app.token_discovery()] {
        assert!(matches!(said, Err(AppError::Missing { .. })), "{said:?}");
    }
    let (_, handed) = office.held("ann", "orders", "use").await;
    let told = plain.app.introspect(plain.resource("web1").await, &secret(handed)).await.unwrap();
    assert!(told.is_none(), "{told:?}");
}

/// Somebody with a key of their own, to which tokens are bound.
struct Client(Ed25519KeyPair);

impl Client {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    /// A proof for one call, with the token that it comes with.
    fn proof(&self, id: &str, (method, url): (&str, &str), token: Option<&str>, now: Time) -> String {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(self.0.public_key()) });
        let header = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk });
        let mut claims = json!({ "jti": id, "htm": method, "htu": url, "iat": now.seconds() });
        if let Some(token) = token {
            claims["ath"] = json!(encoded(digest(&SHA256, token.as_bytes())));
        }
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        format!("{message}.{}", encoded(self.0.sign(message.as_bytes())))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_opens_a_call_that_shows_what_it_is_bound_to_and_no_other() {
    let office = Office::new().await;
    let house = &office.house;
    let (server, now) = (house.resource("orders").await, house.app.now());
    let (client, thief) = (Client::new(1), Client::new(2));
    let folder = tempfile::tempdir().unwrap();
    let made = ServerCertificate::generate(folder.path()).unwrap();
    let [own, other] = [made.certificate_path(), made.ca_path()].map(|path| fs::read_to_string(path).unwrap());
    let grant = house.hold("ann", "orders", "use", 1).await;
    let url = format!("{US}/v1/grants/{grant}/credential");
    let dpop = client.proof("0", ("POST", &url), None, now);
    let keyed = secret(office.more("ann", grant, &json!({ "dpop": dpop })).await);
    let certified = secret(office.more("ann", grant, &json!({ "certificate": own })).await);
    let free = secret(office.more("ann", grant, &json!({})).await);
    let opens =
        async |call: &ShownToken<'_>| house.app.check_call(server, call).await.unwrap().map(|good| good.read.grant);

    let get = ("GET", LIST);
    let good = client.proof("1", get, Some(&keyed), now);
    let theirs = thief.proof("2", get, Some(&keyed), now);
    let elsewhere = client.proof("3", ("POST", LIST), Some(&keyed), now);
    let of_another = client.proof("4", get, Some(&free), now);
    let next = client.proof("5", get, Some(&keyed), now);
    let with = |proof| ShownToken { proof, ..bare(&keyed) };
    for (what, call, opened) in [
        ("no proof", with(None), false),
        ("another key", with(Some(&theirs)), false),
        ("another call", with(Some(&elsewhere)), false),
        ("another token", with(Some(&of_another)), false),
        ("a server that says no method", ShownToken { method: None, ..with(Some(&good)) }, false),
        ("a server that says no address", ShownToken { url: None, ..with(Some(&good)) }, false),
        ("its key", with(Some(&good)), true),
        ("the same once more", with(Some(&good)), false),
        ("its key again", with(Some(&next)), true),
        ("a certificate instead", ShownToken { certificate: Some(&own), ..with(None) }, false),
        ("its certificate", ShownToken { certificate: Some(&own), ..bare(&certified) }, true),
        ("another certificate", ShownToken { certificate: Some(&other), ..bare(&certified) }, false),
        ("what is no certificate", ShownToken { certificate: Some("none"), ..bare(&certified) }, false),
        ("no certificate", bare(&certified), false),
        ("one that is bound to nothing", bare(&free), true),
    ] {
        assert_eq!(opens(&call).await, if opened { Ok(grant) } else { Err(NotGood::Unproved) }, "{what}");
    }
    // What it is bound to does not make a token good that is over.
    house.app.end_token(&free).await.unwrap();
    let proof = client.proof("6", get, Some(&keyed), now);
    assert_eq!(opens(&with(Some(&proof))).await, Err(NotGood::Token));
    let call = ShownToken { certificate: Some(&own), ..bare(&certified) };
    assert_eq!(opens(&call).await, Err(NotGood::Token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_gives_another_for_less_of_the_same_and_nothing_else() {
    let office = Office::new().await;
    let house = &office.house;
    let (grant, handed) = office.held("ann", "orders", "use").await;
    let (until, token) = (handed.not_after, secret(handed));
    let (elsewhere, _) = office.held("ann", "billing", "use").await;
    let (another, _) = office.held("ann", "orders", "look").await;
    house.advance(Span::from_secs(30));
    let of = for_token(&token);
    for audience in [None, Some(ORDERS), Some("orders")] {
        let less = Exchange { audience, scope: Some("orders.read"), ..of };
        let given = house.app.exchange(&less).await.unwrap();
        assert_eq!((given.not_after, &given.public["scope"]), (until, &json!("orders.read")), "{audience:?}");
        let good = office.told("orders", &secret(given)).await.unwrap();
        assert_eq!((good.read.grant, good.holder.as_str()), (grant, "ann"));
    }
    for (audience, other) in [
        (Some(BILLING), None),
        (Some("billing"), None),
        (Some("web1"), None),
        (Some("https://nowhere.example"), None),
        (Some(ORDERS), Some(another)),
        (None, Some(another)),
        (Some("billing"), Some(elsewhere)),
    ] {
        let given = house.app.exchange(&Exchange { audience, grant: other, ..of }).await;
        assert!(matches!(given, Err(AppError::Missing { .. })), "{audience:?} {other:?}: {given:?}");
    }
    let more = house.app.exchange(&Exchange { scope: Some("orders.drop"), ..of }).await;
    assert!(more.is_err(), "{more:?}");
    let session = house.app.exchange(&for_session(&token, ORDERS)).await;
    assert!(matches!(session, Err(AppError::SignedOut)), "{session:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_gives_a_token_under_the_one_live_grant_that_is_meant() {
    let office = Office::new().await;
    let house = &office.house;
    let session = Login::of(house, "ann").await.sign_in(house).await;
    let exchange = async |ask: Exchange<'_>| house.app.exchange(&ask).await;
    let none = exchange(for_session(&session, ORDERS)).await;
    assert!(matches!(none, Err(AppError::Missing { .. })), "nothing is held there: {none:?}");
    // Others hold there, and she holds elsewhere.
    office.held("ben", "orders", "use").await;
    let (elsewhere, _) = office.held("ann", "billing", "use").await;
    house.hand_out("ann", house.hold("ann", "web1", "deploy", 1).await).await.unwrap();
    for audience in [ORDERS, "orders", "web1", "https://nowhere.example"] {
        let none = exchange(for_session(&session, audience)).await;
        assert!(matches!(none, Err(AppError::Missing { .. })), "{audience}: {none:?}");
    }
    let (grant, _) = office.held("ann", "orders", "use").await;
    for audience in [ORDERS, "orders"] {
        let given = exchange(for_session(&session, audience)).await.unwrap();
        assert_eq!(given.public["audience"], ORDERS);
        let good = office.told("orders", &secret(given)).await.unwrap();
        assert_eq!((good.read.grant, good.holder.as_str()), (grant, "ann"));
    }
    let given = exchange(Exchange { scope: Some("orders.pay"), ..for_session(&session, ORDERS) }).await.unwrap();
    assert_eq!(given.public["scope"], "orders.pay");
    let nowhere = exchange(Exchange { audience: None, ..for_session(&session, ORDERS) }).await;
    assert!(matches!(&nowhere, Err(AppError::Invalid { field, .. }) if field == "audience"), "{nowhere:?}");

    // Of several she says which.
    let (another, _) = office.held("ann", "orders", "look").await;
    let several = exchange(for_session(&session, ORDERS)).await;
    let names = |why: &str| [grant, another].iter().all(|id| why.contains(&id.to_string()));
    assert!(
        matches!(&several, Err(AppError::Invalid { field, why }) if field == "wane_grant" && names(why)),
        "{several:?}"
    );
    for (meant, scope) in [(grant, "orders.pay orders.read"), (another, "orders.read")] {
        let ask = Exchange { grant: Some(meant), ..for_session(&session, ORDERS) };
        assert_eq!(exchange(ask).await.unwrap().public["scope"], scope);
    }
    let other = exchange(Exchange { grant: Some(elsewhere), ..for_session(&session, ORDERS) }).await;
    assert!(matches!(other, Err(AppError::Missing { .. })), "it is not there: {other:?}");
    // What was ended while the store cannot be written is none.
    house.door.writes(Goes::Failing);
    for over in [grant, another] {
        house.app.give_back(&house.caller("ann").await, over).await.unwrap();
    }
    let over = exchange(for_session(&session, ORDERS)).await;
    assert!(matches!(over, Err(AppError::Missing { .. })), "{over:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_grant_is_found_behind_any_number_that_are_over() {
    let office = Office::new().await;
    let house = &office.house;
    let session = Login::of(house, "ann").await.sign_in(house).await;
    let (grant, _) = office.held("ann", "orders", "use").await;
    let now = house.advance(Span::from_secs(1));
    let live = house.grant(grant).await;
    let over = |_| {
        let ask = Ask { beneficiary: live.holder, ..plain_ask(&house.ambient, live.item.clone(), mins(10)) };
        let held = wane_testkit::hold(&house.ambient, ask, "oauth", LeaseKind::Credential, now);
        let ended = held.grant.apply(GrantEvent::End(EndCause::Returned), now).unwrap().0;
        [Write::Request(Put::new(held.request)), Write::Grant(Put::new(ended))]
    };
    house.write((0..100).flat_map(over).collect()).await;
    let given = house.app.exchange(&for_session(&session, ORDERS)).await.unwrap();
    assert_eq!(office.told("orders", &secret(given)).await.unwrap().read.grant, grant);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_told_which_of_its_tokens_are_over_until_they_run_out() {
    let office = Office::new().await;
    let house = &office.house;
    let begun = house.store_head().await;
    let (grant, brief) = office.held("ann", "orders", "look").await;
    let (first, until) = (jti(&brief), brief.not_after.unwrap());
    house.advance(Span::from_secs(20));
    let second = office.more("ann", grant, &json!({})).await;
    let (second, last) = (jti(&second), second.not_after.unwrap());
    office.held("ben", "orders", "use").await;
    let (elsewhere, theirs) = office.held("ann", "billing", "use").await;
    let head = house.store_head().await;
    assert_eq!(said(office.over_after("orders", begun).await), [], "nothing is over");
    assert_eq!(said(office.over("orders").await), []);

    let ended = house.advance(Span::from_secs(1));
    house.app.end_token(&secret(brief)).await.unwrap();
    let orders = vec![(grant, ended, vec![first.clone(), second.clone()])];
    assert_eq!(said(office.over("orders").await), orders);
    assert_eq!(said(office.over("billing").await), []);
    assert_eq!(said(office.over_after("billing", head).await), [], "it is another's");
    house.app.give_back(&house.caller("ann").await, elsewhere).await.unwrap();
    let billing = vec![(elsewhere, ended, vec![jti(&theirs)])];
    for (server, over) in [("orders", orders), ("billing", billing)] {
        assert_eq!(said(office.over(server).await), over, "{server}");
        assert!(office.over(server).await.iter().all(|one| one.seq.is_none()));
        // From anywhere before it on, and once.
        for after in [begun, head] {
            assert_eq!(said(office.over_after(server, after).await), over, "{server} after {after}");
        }
    }
    // What runs out is not told of any more, to the moment.
    for (now, left) in [
        (until.minus(MICRO), vec![vec![first, second.clone()]]),
        (until, vec![vec![second.clone()]]),
        (last.minus(MICRO), vec![vec![second]]),
        (last, vec![]),
    ] {
        house.clock.set(now);
        for over in [office.over("orders").await, office.over_after("orders", head).await] {
            assert_eq!(over.into_iter().map(|one| one.tokens).collect::<Vec<_>>(), left, "{now}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_begins_to_listen_hears_of_what_was_ended_without_the_store() {
    let office = Office::new().await;
    let house = &office.house;
    let (grant, handed) = office.held("ann", "orders", "use").await;
    office.held("ben", "orders", "use").await;
    house.door.writes(Goes::Failing);
    assert_eq!(office.over("orders").await, []);
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    let over = TokensOver { seq: None, grant, at: house.app.now(), tokens: vec![jti(&handed)] };
    assert_eq!(office.over("orders").await, [over]);
    assert_eq!(office.over("billing").await, []);
}
