//! Signing in at a provider: what of its word is so here, how much it vouches for, and what ends when it says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wane_app::{
    AppError, Caller, Federated, Freshness, Membership, PersonChange, ProviderAnswer, ProviderRules, Says, Strangers,
    WayKind,
};
use wane_audit::{Actor, Outcome, Record};
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::id::PersonId;
use wane_domain::time::Span;
use wane_oidc::{Provider, ProviderSettings, Userinfo};
use wane_store::RecordFilter;

use crate::house::{House, mins, name};
use crate::signing_in::Login;

/// What a token says that ends a session (OpenID Connect Back-Channel Logout 1.0).
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

fn signed(claims: &Value) -> String {
    let part = |said: &Value| BASE64URL_NOPAD.encode(said.to_string().as_bytes());
    let body = format!("{}.{}", part(&json!({ "alg": "EdDSA", "kid": "k1" })), part(claims));
    format!("{body}.{}", BASE64URL_NOPAD.encode(key().sign(body.as_bytes()).as_ref()))
}

/// A provider on loopback that vouches for whomever it is told to.
struct Idp {
    issuer: String,
    /// What it says when a code is redeemed.
    says: Arc<Mutex<Value>>,
    _serving: JoinSet<()>,
}

impl Idp {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (at, says, mut serving) = (issuer.clone(), Arc::new(Mutex::new(Value::Null)), JoinSet::new());
        let said = Arc::clone(&says);
        serving.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                answer(stream, &at, &said).await;
            }
        });
        Self { issuer, says, _serving: serving }
    }

    fn federated(&self, called: &str, strangers: Strangers) -> Federated {
        let says = |acr: &str, amr: &str| Says { acr: vec![acr.to_owned()], amr: vec![amr.to_owned()] };
        let groups = [("eng", "staff"), ("ops", "on-call"), ("adm", "admins")];
        let rules = ProviderRules {
            name: name(called),
            display: "Corp".to_owned(),
            strangers,
            display_claim: "name".to_owned(),
            groups_claim: "groups".to_owned(),
            groups: groups.map(|(theirs, ours)| (theirs.to_owned(), name(ours))).into(),
            attributes: BTreeMap::from([(name("unit"), "department".to_owned())]),
            several_factors: says("mfa", "otp"),
            phishing_resistant: says("phr", "hwk"),
        };
        Federated { rules, provider: provider(&self.issuer, called) }
    }
}

/// What is asked there, as Wane.
pub(crate) fn provider(issuer: &str, called: &str) -> Provider {
    let settings = ProviderSettings {
        issuer: issuer.to_owned(),
        client_id: "wane".to_owned(),
        secret: None,
        scopes: Vec::new(),
        acr_values: Vec::new(),
        userinfo: Userinfo::NotAsked,
        ca_pem: None,
        redirect_uri: format!("https://wane.example/sign-in/oidc/{called}/callback"),
    };
    Provider::new(settings).unwrap()
}

async fn answer(mut stream: TcpStream, issuer: &str, says: &Mutex<Value>) {
    let mut reader = BufReader::new(&mut stream);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        let line = line.to_lowercase();
        length = line.strip_prefix("content-length:").map_or(length, |said| said.trim().parse().unwrap());
        head.push(line);
    }
    reader.read_exact(&mut vec![0; length]).await.unwrap();
    let public = BASE64URL_NOPAD.encode(key().public_key().as_ref());
    let body = match head[0].split(' ').nth(1).unwrap() {
        "/keys" => json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": public }] }),
        "/token" => json!({ "id_token": signed(&says.lock().unwrap()) }),
        _ => json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/begin"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys")
        }),
    };
    let (body, kind) = (body.to_string(), "Content-Type: application/json\r\nConnection: close");
    let answer = format!("HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// A company whose people sign in at `idp`, which enters whom it knows, or at `other`, which does not.
struct Corp {
    house: House,
    idp: Idp,
    other: Idp,
}

impl Corp {
    async fn new() -> Self {
        let (house, idp, other) = (House::new().await, Idp::start().await, Idp::start().await);
        let entered = Strangers::Entered { name_claim: "preferred_username".to_owned() };
        house.app.federate(vec![idp.federated("idp", entered), other.federated("other", Strangers::Refused)]);
        Self { house, idp, other }
    }

    /// What is in every token.
    fn said(&self, idp: &Idp, more: &Value) -> Value {
        let now = self.house.app.now().seconds();
        let mut said = json!({ "iss": idp.issuer, "aud": "wane", "iat": now, "exp": now + 300 });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        said
    }

    /// Somebody begins to sign in; what their provider is asked.
    async fn begin(&self, called: &str, browser: &str) -> BTreeMap<String, String> {
        let then = "/next".to_owned();
        let to = self.house.app.begin_at_provider(called, Freshness::AsItIs, (browser, None), then).await.unwrap();
        to.parse::<url::Url>().unwrap().query_pairs().into_owned().collect()
    }

    /// They come back; their bearer.
    async fn come_back(
        &self,
        (called, browser): (&str, &str),
        asked: &BTreeMap<String, String>,
        more: &Value,
    ) -> Result<String, AppError> {
        let idp = if called == "idp" { &self.idp } else { &self.other };
        let mut said = self.said(idp, more);
        said["nonce"] = json!(asked["nonce"]);
        *idp.says.lock().unwrap() = said;
        let (state, code) = (Some(asked["state"].clone()), Some("code".to_owned()));
        let answer = ProviderAnswer { state, code, issuer: None, error: None };
        let returned = self.house.app.finish_at_provider(called, &answer, browser).await?;
        assert_eq!(returned.then, "/next");
        Ok(returned.signed_in.token.reveal().to_string())
    }

    /// Somebody signs in; their bearer.
    async fn try_in(&self, called: &str, more: &Value) -> Result<String, AppError> {
        let asked = self.begin(called, "browser").await;
        self.come_back((called, "browser"), &asked, more).await
    }

    async fn sign_in(&self, more: &Value) -> String {
        self.try_in("idp", more).await.unwrap()
    }

    async fn records(&self, event: &str) -> Vec<Record> {
        self.house.records(RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() }).await
    }

    async fn caller(&self, bearer: &str) -> Result<Caller, AppError> {
        self.house.app.authenticate(bearer).await
    }

    async fn person(&self, called: &str) -> Person {
        self.house.app.world().await.unwrap().person(called).unwrap().clone()
    }

    async fn group(&self, called: &str) -> Option<Group> {
        self.house.app.world().await.unwrap().group(called).cloned()
    }

    /// The provider says that somebody signed out there.
    async fn out(&self, more: &Value) -> Result<(), AppError> {
        let mut said = self.said(&self.idp, more);
        said["events"] = json!({ LOGOUT: {} });
        self.house.app.signed_out_at_provider("idp", &signed(&said)).await
    }

    /// Whom the last record of a sign-out is about, and how many sessions it ended; and how many records there are.
    async fn ended(&self) -> (Option<PersonId>, usize, usize) {
        let records = self.records("session.ended_by_provider").await;
        let last = records.last().unwrap();
        assert_eq!(last.detail["provider"], "idp");
        (last.about.person, last.detail["tokens"].as_array().unwrap().len(), records.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_of_somebody_is_so_for_as_long_as_it_says_it() {
    let corp = Corp::new().await;
    let says = async |groups: &[&str], department: Value| {
        let said = json!({ "sub": "u1", "preferred_username": "nia", "groups": groups, "department": department });
        corp.sign_in(&said).await;
        corp.person("nia").await
    };
    let unit = |of: &str| BTreeMap::from([(name("unit"), of.parse().unwrap())]);
    let nia = says(&["eng", "adm", "else"], json!("db")).await;
    assert_eq!(nia.attributes, unit("db"));
    let staff = corp.group("staff").await.unwrap();
    assert_eq!((staff.members, staff.kept_by), (BTreeSet::from([nia.id]), Some(name("idp"))));
    assert_eq!(corp.group("on-call").await, None);
    assert!(!corp.group("admins").await.unwrap().members.contains(&nia.id), "that group is not the provider's");

    assert_eq!(says(&["ops"], json!("web")).await.attributes, unit("web"));
    assert!(corp.group("staff").await.unwrap().members.is_empty());
    assert_eq!(corp.group("on-call").await.unwrap().members, BTreeSet::from([nia.id]));
    for nothing in [json!(""), json!(["web"])] {
        assert_eq!(says(&[], json!("web")).await.attributes, unit("web"));
        assert_eq!(says(&[], nothing).await.attributes, BTreeMap::new());
    }
    assert!(corp.group("on-call").await.unwrap().members.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_vouches_for_what_it_says_and_for_no_more() {
    let corp = Corp::new().await;
    for (acr, amr, proof) in [
        ("", json!([]), "oidc"),
        ("hwk", json!(["phr", "mfa"]), "oidc"),
        ("mfa", json!(["pwd"]), "oidc+mfa"),
        ("1", json!(["pwd", "otp"]), "oidc+mfa"),
        ("phr", json!(["pwd"]), "oidc+phishing-resistant"),
        ("mfa", json!(["otp", "hwk"]), "oidc+phishing-resistant"),
    ] {
        let said = json!({ "sub": "u1", "preferred_username": "nia", "acr": acr, "amr": amr });
        assert_eq!(corp.caller(&corp.sign_in(&said).await).await.unwrap().proof, proof, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_at_a_provider_is_signed_out_of_what_came_from_there_and_nothing_else() {
    let corp = Corp::new().await;
    let root = corp.house.caller("root").await;
    let session = |sid: &str| json!({ "sub": "u1", "preferred_username": "nia", "sid": sid });
    let [first, second] = [corp.sign_in(&session("s1")).await, corp.sign_in(&session("s2")).await];
    let others = corp.sign_in(&json!({ "sub": "u2", "preferred_username": "otto", "sid": "s3" })).await;
    // The same person, who happens to be called the same at another provider.
    corp.house.app.link_identity(&root, "nia", "other", "u1").await.unwrap();
    let elsewhere = corp.try_in("other", &json!({ "sub": "u1", "sid": "s1" })).await.unwrap();
    let nia = corp.house.id("nia").await;
    let lasts = async || {
        let mut all = [false; 4];
        for (lasts, bearer) in all.iter_mut().zip([&first, &second, &others, &elsewhere]) {
            *lasts = corp.caller(bearer).await.is_ok();
        }
        all
    };
    assert_eq!(lasts().await, [true; 4]);

    // Where it names both, both must be so.
    corp.out(&json!({ "jti": "1", "sid": "s1", "sub": "u2" })).await.unwrap();
    assert_eq!((lasts().await, corp.ended().await), ([true; 4], (None, 0, 1)));
    corp.out(&json!({ "jti": "2", "sub": "u9" })).await.unwrap();
    assert_eq!((lasts().await, corp.ended().await), ([true; 4], (None, 0, 2)));

    corp.out(&json!({ "jti": "3", "sid": "s1" })).await.unwrap();
    assert_eq!((lasts().await, corp.ended().await), ([false, true, true, true], (Some(nia), 1, 3)));
    let again = corp.out(&json!({ "jti": "3", "sub": "u2" })).await;
    assert!(matches!(again, Err(AppError::Invalid { .. })), "it counts once: {again:?}");
    assert_eq!(lasts().await, [false, true, true, true]);

    corp.out(&json!({ "jti": "4", "sub": "u1" })).await.unwrap();
    assert_eq!((lasts().await, corp.ended().await), ([false, false, true, true], (Some(nia), 1, 4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_soon_and_where_it_was_asked_for() {
    let corp = Corp::new().await;
    let nia = json!({ "sub": "u1", "preferred_username": "nia" });
    corp.sign_in(&nia).await;
    corp.house.app.link_identity(&corp.house.caller("root").await, "nia", "other", "u1").await.unwrap();
    let here = ("idp", "browser");
    for (begun_in, later, back) in [
        ("browser", Span::ZERO, ("idp", "another")),
        ("browser", Span::ZERO, ("idp", "")),
        ("", Span::ZERO, ("idp", "")),
        ("browser", Span::ZERO, ("other", "browser")),
        ("browser", mins(15), here),
    ] {
        let asked = corp.begin("idp", begun_in).await;
        corp.house.advance(later);
        // Whatever came of it, it is used.
        for back in [back, here] {
            let refused = corp.come_back(back, &asked, &nia).await.unwrap_err().to_string();
            assert!(refused.contains("belongs to no sign-in"), "{begun_in:?} {back:?}: {refused}");
        }
    }
    let asked = corp.begin("idp", "browser").await;
    corp.house.advance(Span::from_micros(15 * 60 * 1_000_000 - 1));
    corp.come_back(here, &asked, &nia).await.expect("a moment before");
    let again = corp.come_back(here, &asked, &nia).await.unwrap_err().to_string();
    assert!(again.contains("belongs to no sign-in"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_sign_ins_are_at_providers_at_once() {
    let corp = Corp::new().await;
    let begin = async |from: Option<&str>| {
        let from = ("browser", from.map(|from| from.parse().unwrap()));
        corp.house.app.begin_at_provider("idp", Freshness::AsItIs, from, String::new()).await
    };
    for _ in 0..64 {
        begin(Some("192.0.2.1")).await.unwrap();
    }
    assert!(matches!(begin(Some("192.0.2.1")).await, Err(AppError::Crowded)));
    begin(Some("192.0.2.2")).await.expect("another address");
    for _ in 65..4096 {
        begin(None).await.unwrap();
    }
    for from in [None, Some("192.0.2.3")] {
        assert!(matches!(begin(from).await, Err(AppError::Crowded)), "{from:?}");
    }
    corp.house.advance(mins(15));
    begin(Some("192.0.2.1")).await.expect("those before are too old");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_come_in_from_a_provider_is_written_down() {
    let corp = Corp::new().await;
    let root = corp.house.caller("root").await;
    corp.sign_in(&json!({ "sub": "u1", "preferred_username": "nia" })).await;
    let disabled = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
    corp.house.app.change_person(&root, "nia", &disabled).await.unwrap();
    let cases = [
        ("idp", json!({ "sub": "u1" }), json!("u1"), "may not sign in"),
        ("idp", json!({ "sub": "u2", "preferred_username": "ann" }), json!("u2"), "who may be somebody else"),
        ("idp", json!({ "sub": "u2", "preferred_username": "Nia N" }), json!("u2"), "is no name"),
        ("idp", json!({ "sub": "u2", "aud": "else" }), Value::Null, "is not taken"),
        ("other", json!({ "sub": "u1" }), json!("u1"), "nobody here is known by that"),
    ];
    for (provider, said, subject, why) in &cases {
        let refused = corp.try_in(provider, said).await;
        assert!(matches!(&refused, Err(AppError::NotSignedIn(said)) if said.contains(why)), "{refused:?}");
        let failed = corp.records("login.failed").await;
        let last = failed.last().unwrap();
        assert_eq!((&last.actor, last.outcome), (&Actor::Unknown, Outcome::Denied));
        assert_eq!((&last.detail["provider"], &last.detail["subject"]), (&json!(provider), subject), "{last:?}");
        assert!(last.detail["why"].as_str().unwrap().contains(why), "{last:?}");
    }
    assert_eq!(corp.records("login.failed").await.len(), cases.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_provider_enters_and_changes_is_written_down_with_who_said_so() {
    let corp = Corp::new().await;
    for department in ["db", "web"] {
        corp.house.advance(mins(1));
        let said = json!({ "sub": "u1", "preferred_username": "nia", "groups": ["eng"], "department": department });
        corp.sign_in(&said).await;
        let used = corp.house.app.ways_in(&corp.house.caller("root").await, "nia").await.unwrap()[0].used;
        assert_eq!(used, Some(corp.house.app.now()));
    }
    let nia = corp.house.id("nia").await;
    for event in ["person.entered", "identity.linked", "group.changed", "person.changed"] {
        let records = corp.records(event).await;
        assert_eq!(records.len(), 1, "{event}: {records:?}");
        assert_eq!((&records[0].actor, records[0].about.person), (&Actor::System, Some(nia)), "{event}");
        assert_eq!(records[0].detail["provider"], "idp", "{event}");
    }
    assert_eq!(corp.records("person.changed").await[0].detail["person"]["attributes"]["unit"], "web");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_its_providers_for_as_long_as_there_is_that_provider() {
    let mut corp = Corp::new().await;
    let root = corp.house.caller("root").await;
    corp.sign_in(&json!({ "sub": "u1", "preferred_username": "nia", "groups": ["eng"] })).await;
    let put = async |corp: &Corp, group: &str| {
        corp.house.app.set_member(&root, &name(group), "ann", Membership::In).await.map(|group| group.members.len())
    };
    let refused = put(&corp, "staff").await;
    assert!(matches!(&refused, Err(AppError::Taken(why)) if why.contains("the provider `idp` says")), "{refused:?}");
    assert_eq!(put(&corp, "admins").await.unwrap(), 2, "that group is nobody's");
    corp.house.reopen();
    corp.house.app.federate(vec![corp.other.federated("other", Strangers::Refused)]);
    assert_eq!(put(&corp, "staff").await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_is_taken_away_takes_its_own_sessions_along_and_no_others() {
    let corp = Corp::new().await;
    let (app, root) = (&corp.house.app, corp.house.caller("root").await);
    corp.sign_in(&json!({ "sub": "u1", "preferred_username": "nia" })).await;
    let with_password = Login::of(&corp.house, "nia").await.sign_in(&corp.house).await;
    let gone = app.link_identity(&root, "nia", "other", "u1").await.unwrap();
    let there = WayKind::Identity { provider: "other".to_owned(), subject: "u1".to_owned() };
    assert_eq!((&gone.what, gone.used), (&there, None));
    app.link_identity(&root, "nia", "other", "u2").await.unwrap();
    let [first, other, second] = [("idp", "u1"), ("other", "u1"), ("other", "u2")];
    let first = corp.try_in(first.0, &json!({ "sub": first.1 })).await.unwrap();
    let other = corp.try_in(other.0, &json!({ "sub": other.1 })).await.unwrap();
    let second = corp.try_in(second.0, &json!({ "sub": second.1 })).await.unwrap();
    let lasts = async || {
        let mut all = [false; 4];
        for (lasts, bearer) in all.iter_mut().zip([&with_password, &first, &second, &other]) {
            *lasts = corp.caller(bearer).await.is_ok();
        }
        all
    };
    for who in ["nia", "ann"] {
        let refused = app.remove_way_in(&corp.house.caller(who).await, "nia", gone.id).await;
        assert!(matches!(refused, Err(AppError::NotAllowed { .. })), "{who}: {refused:?}");
    }
    let refused = app.remove_way_in(&root, "ann", gone.id).await;
    assert!(matches!(refused, Err(AppError::Missing { .. })), "it is not Ann's: {refused:?}");
    assert_eq!(lasts().await, [true; 4]);

    app.remove_way_in(&root, "nia", gone.id).await.unwrap();
    assert_eq!(lasts().await, [true, true, true, false]);
    let again = corp.try_in("other", &json!({ "sub": "u1" })).await;
    assert!(matches!(again, Err(AppError::NotSignedIn(_))), "{again:?}");
    assert_eq!(app.ways_in(&root, "nia").await.unwrap().len(), 2);
    let nia = Some(corp.house.id("nia").await);
    for (event, times) in [("identity.linked", 3), ("identity.unlinked", 1)] {
        let about: Vec<_> = corp.records(event).await.iter().map(|record| record.about.person).collect();
        assert_eq!(about, vec![nia; times], "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_one_that_a_provider_can_say() {
    let corp = Corp::new().await;
    let root = corp.house.caller("root").await;
    let (longest, longer) = ("x".repeat(255), "x".repeat(256));
    for (subject, taken) in [("", false), (&longer, false), ("a\nb", false), (&longest, true), ("|0 é", true)] {
        let linked = corp.house.app.link_identity(&root, "ann", "other", subject).await;
        assert_eq!(linked.is_ok(), taken, "{subject:?}: {linked:?}");
        if taken {
            corp.try_in("other", &json!({ "sub": subject })).await.unwrap();
            let again = corp.house.app.link_identity(&root, "ben", "other", subject).await;
            assert!(matches!(&again, Err(AppError::Taken(why)) if why.contains("is `ann`'s")), "{again:?}");
        } else {
            assert!(matches!(linked, Err(AppError::Invalid { .. })), "{linked:?}");
        }
    }
}
