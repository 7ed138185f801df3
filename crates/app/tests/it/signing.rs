//! Approvals that have to be signed: what counts, what never does, what a key that is taken away takes with it.

use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey, SshSig};
use wane_app::{Answered, AppError, Caller, Class, Narrower, ToSign, WithKey, rejudge_all};
use wane_audit::Outcome;
use wane_connector::{PublicKey, PublishPermit, SignError, Signer, Vouched};
use wane_domain::approval::{ApproverKey, KeyMaterial, Signature, Voucher};
use wane_domain::id::{PersonId, RequestId};
use wane_domain::issue::IssuePermit;
use wane_domain::request::{AccessRequest, ItemState};
use wane_domain::time::Span;
use wane_store::{EnteredBy, Put, RecordFilter, Way, WayIn, Write, passkey_key};

use crate::house::{House, granted, mins};

/// `prod-read` by one, `prod-write` by two, each signed.
async fn house() -> House {
    let house = House::new().await;
    house.change_policy("@approve(\"1 of group:dba\")", "@approve(\"1 of group:dba\") @signature(\"required\")").await;
    house.change_policy("@approve(\"2 of group:dba\")", "@approve(\"2 of group:dba\") @signature(\"required\")").await;
    house
}

pub(crate) fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
}

pub(crate) fn sign(key: &PrivateKey, text: &str) -> Signature {
    let signed = SshSig::sign(key, wane_app::SIGNING_NAMESPACE, HashAlg::Sha512, text.as_bytes()).unwrap();
    Signature::Ssh(signed.to_pem(LineEnding::LF).unwrap())
}

pub(crate) async fn enter(house: &House, person: &str, seed: u8) -> ApproverKey {
    let line = key(seed).public_key().to_openssh().unwrap();
    let entered = house.app.add_ssh_approver_key(&house.caller(person).await, &"laptop".parse().unwrap(), &line).await;
    house.advance(Span::from_secs(1));
    entered.unwrap()
}

async fn draft(house: &House, person: &str, id: RequestId, less: &Narrower) -> Result<ToSign, AppError> {
    house.app.to_sign(&house.caller(person).await, id, None, less, &WithKey::Ssh).await
}

async fn send(house: &House, person: &str, id: RequestId, signature: Signature) -> Result<AccessRequest, AppError> {
    house.app.approve_signed(&house.caller(person).await, id, &Answered { reference: None, signature }).await
}

pub(crate) async fn signs(house: &House, person: &str, seed: u8, id: RequestId) -> Result<AccessRequest, AppError> {
    let draft = draft(house, person, id, &Narrower::default()).await?;
    send(house, person, id, sign(&key(seed), &draft.text)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_signatures_are_asked_for_nothing_else_is_an_approval() {
    let house = house().await;
    enter(&house, "dan", 1).await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let bare = house.approve("dan", id).await.unwrap_err().to_string();
    assert!(bare.contains("asks for your signature") && bare.contains("--sign-with"), "{bare}");
    assert_eq!(house.request(id).await.items[0].state, ItemState::Waiting);
    let decided = signs(&house, "dan", 1, id).await.unwrap();
    let grant = granted(&decided, 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    // What policy alone grants stays instant.
    house.hold("ann", "attic", "read", 1).await;
    // The record has all that anybody needs to check it.
    let records = house.records(RecordFilter { request: Some(id), ..RecordFilter::default() }).await;
    let told = records.iter().find(|r| r.event == "request.item.approved").unwrap();
    let signed: wane_domain::approval::Signed = serde_json::from_value(told.detail["signed"].clone()).unwrap();
    let good = wane_approval::verify(&signed, &signed.key, wane_approval::Counter::WasChecked).unwrap();
    assert_eq!((good.statement.request, good.statement.approver), (decided.digest, house.id("dan").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signature_is_for_all_of_a_request() {
    let house = house().await;
    enter(&house, "dan", 1).await;
    let id = house.ask("ann", &[("vault", "read"), ("vault", "write")], 1).await.id;
    let decided = signs(&house, "dan", 1, id).await.unwrap();
    assert!(granted(&decided, 0).is_some());
    assert!(matches!(decided.items[1].state, ItemState::Waiting) && decided.items[1].approvals.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_begins_to_ask_for_signatures_ends_what_has_none() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let grant = granted(&house.approve("dan", id).await.unwrap(), 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    house.change_policy("@approve(\"1 of group:dba\")", "@approve(\"1 of group:dba\") @signature(\"required\")").await;
    rejudge_all(&house.app).await.unwrap();
    assert!(!house.grant(grant).await.is_live());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_what_was_drafted() {
    let house = house().await;
    enter(&house, "dan", 1).await;
    enter(&house, "eva", 2).await;
    let id = house.ask("ann", &[("vault", "write")], 2).await.id;
    let other = house.ask("ben", &[("vault", "write")], 2).await.id;
    let mine = draft(&house, "dan", id, &Narrower::default()).await.unwrap();
    // By another's key, over another's draft, over bytes of one's own, for another request.
    for (person, request, signature) in [
        ("dan", id, sign(&key(2), &mine.text)),
        ("eva", id, sign(&key(2), &mine.text)),
        ("dan", id, sign(&key(1), &mine.text.replace("approve\"", "deny\""))),
        ("dan", other, sign(&key(1), &mine.text)),
    ] {
        let refused = send(&house, person, request, signature).await;
        assert!(matches!(refused, Err(AppError::Invalid { .. })), "{person}: {refused:?}");
    }
    assert!(house.request(id).await.items[0].approvals.is_empty());
    let refusals = house.records(RecordFilter { request: Some(id), ..RecordFilter::default() }).await;
    assert!(refusals.iter().any(|r| r.event == "approval.signature_refused" && r.outcome == Outcome::Denied));
    // Once, and not again: neither for the other item's sake nor for another request.
    let signature = sign(&key(1), &mine.text);
    send(&house, "dan", id, signature.clone()).await.unwrap();
    assert!(send(&house, "dan", id, signature.clone()).await.is_err());
    assert!(send(&house, "dan", other, signature).await.is_err());
    // Too late is too late.
    let late = draft(&house, "eva", id, &Narrower::default()).await.unwrap();
    house.advance(mins(10));
    assert!(send(&house, "eva", id, sign(&key(2), &late.text)).await.is_err());
    signs(&house, "eva", 2, id).await.unwrap();
    assert!(granted(&house.request(id).await, 0).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_void_once_anything_in_it_changed() {
    let house = house().await;
    enter(&house, "dan", 1).await;
    enter(&house, "eva", 2).await;
    let id = house.ask("ann", &[("vault", "write")], 2).await.id;
    let half = Narrower { duration: Some(mins(30)), role: None };
    let narrower = draft(&house, "eva", id, &half).await.unwrap();
    signs(&house, "dan", 1, id).await.unwrap();
    // Somebody signed the wider ask meanwhile, which the narrower one is not.
    let refused = send(&house, "eva", id, sign(&key(2), &narrower.text)).await.unwrap_err().to_string();
    assert!(refused.contains("others have signed what was asked"), "{refused}");
    assert_eq!(house.request(id).await.items[0].approvals.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn approving_less_signs_the_digest_of_what_is_granted() {
    let house = house().await;
    enter(&house, "dan", 1).await;
    let wide = house.ask("ann", &[("vault", "read")], 2).await;
    let less = Narrower { duration: Some(mins(30)), role: None };
    let drafted = draft(&house, "dan", wide.id, &less).await.unwrap();
    let child = send(&house, "dan", wide.id, sign(&key(1), &drafted.text)).await.unwrap();
    assert_eq!((drafted.statement.request, drafted.statement.narrowed), (wide.digest, Some(child.digest)));
    let grant = house.grant(granted(&child, 0).unwrap()).await;
    assert_eq!((grant.window.duration, grant.digest), (mins(30), child.digest));
}

/// Every road on which somebody could have a hand in their own access, with a key of their own.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_signs_for_themselves() {
    let house = house().await;
    // `dan` may ask, and is in the group that is asked.
    enter(&house, "dan", 1).await;
    let own = house.ask("dan", &[("vault", "read")], 1).await.id;
    let mut for_other = crate::house::ask(&[("vault", "read")], 1);
    for_other.for_person = Some("ann".parse().unwrap());
    let asked_for = house.try_ask("dan", for_other).await;
    let mut roads = vec![own];
    roads.extend(asked_for.ok().map(|request| request.id));
    for id in roads {
        for item in [None, Some(0)] {
            for less in [Narrower::default(), Narrower { duration: Some(mins(5)), role: None }] {
                let caller = house.caller("dan").await;
                let refused = house.app.to_sign(&caller, id, item, &less, &WithKey::Ssh).await;
                assert!(matches!(refused, Err(AppError::NotAllowed { .. })), "{refused:?}");
            }
        }
        assert!(house.approve("dan", id).await.is_err());
        assert!(house.request(id).await.items[0].approvals.is_empty());
    }
    // A key is one person's: nobody enters another's, and one's own counts for nobody else.
    let line = key(1).public_key().to_openssh().unwrap();
    let twin = house.app.add_ssh_approver_key(&house.caller("eva").await, &"x".parse().unwrap(), &line).await;
    assert!(matches!(twin, Err(AppError::Taken(_))), "{twin:?}");
    // Two of one person are one: the same with a second key.
    let id = house.ask("ann", &[("vault", "write")], 1).await.id;
    let second = key(9).public_key().to_openssh().unwrap();
    house.app.add_ssh_approver_key(&house.caller("dan").await, &"two".parse().unwrap(), &second).await.unwrap();
    signs(&house, "dan", 1, id).await.unwrap();
    assert!(signs(&house, "dan", 9, id).await.is_err());
    assert_eq!(house.request(id).await.items[0].approvals.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_taken_away_voids_what_was_not_begun() {
    for begun in [false, true] {
        let house = house().await;
        let dans = enter(&house, "dan", 1).await;
        enter(&house, "eva", 2).await;
        let waits = house.ask("ann", &[("vault", "write")], 1).await.id;
        signs(&house, "dan", 1, waits).await.unwrap();
        let id = house.ask("ann", &[("vault", "read")], 1).await.id;
        let grant = granted(&signs(&house, "dan", 1, id).await.unwrap(), 0).unwrap();
        if begun {
            house.hand_out("ann", grant).await.unwrap();
        }
        house.advance(Span::from_secs(1));
        house.app.remove_approver_key(&house.caller("dan").await, dans.id).await.unwrap();
        rejudge_all(&house.app).await.unwrap();
        assert_eq!(house.hand_out("ann", grant).await.is_ok(), begun);
        assert_eq!(house.grant(grant).await.is_live(), begun);
        // What waits is as if nothing had been said, and can be signed by others, and by another key.
        assert!(house.request(waits).await.items[0].approvals.is_empty());
        assert!(signs(&house, "dan", 1, waits).await.is_err());
        signs(&house, "eva", 2, waits).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_approves_nothing_that_was_asked_before_it() {
    let house = house().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    house.advance(Span::from_secs(1));
    enter(&house, "dan", 1).await;
    let refused = draft(&house, "dan", id, &Narrower::default()).await.unwrap_err().to_string();
    assert!(refused.contains("after this was asked for"), "{refused}");
    let later = house.ask("ben", &[("vault", "read")], 1).await.id;
    signs(&house, "dan", 1, later).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_entered_under_a_fresh_proof() {
    let house = house().await;
    let line = key(1).public_key().to_openssh().unwrap();
    let stale = house.caller("dan").await;
    house.advance(mins(11));
    let old = house.app.add_ssh_approver_key(&stale, &"x".parse().unwrap(), &line).await.unwrap_err().to_string();
    assert!(old.contains("prove your identity again"), "{old}");
    // Whoever shows a credential that was issued to them is not signed in.
    let issued = Caller { token: None, ..house.caller("dan").await };
    assert!(house.app.add_ssh_approver_key(&issued, &"x".parse().unwrap(), &line).await.is_err());
    // A passkey approves only if it was shown just now.
    let way = house.ambient.id();
    let weak = house.app.add_passkey_approver_key(&house.caller("dan").await, None, way).await.unwrap_err();
    assert!(weak.to_string().contains("sign in with a passkey first"), "{weak}");
    assert!(house.app.approver_keys(&house.caller("dan").await, "dan").await.unwrap().is_empty());
}

/// Whoever can write the store still cannot make an approval: what is not signed by an entered key is none.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_into_the_store_is_no_signature() {
    let house = house().await;
    enter(&house, "dan", 1).await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let grant = granted(&signs(&house, "dan", 1, id).await.unwrap(), 0).unwrap();
    let seen = house.app.store().grant(grant).await.unwrap().unwrap();
    let mut data = (*seen.value).clone();
    if let Some(signed) = data.approvals[0].signed.as_mut() {
        signed.signature = sign(&key(9), &signed.statement);
    }
    house.write(vec![Write::Grant(Put::over(&seen, wane_domain::stored::grant(data)))]).await;
    let refused = house.hand_out("ann", grant).await.unwrap_err().to_string();
    assert!(refused.contains("each signed"), "{refused}");
}

/// Whose keys there are is for themselves and for who may read the directory; each record names whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_seen_and_taken_away_by_whose_they_are_and_by_who_may() {
    let house = house().await;
    let (dans, evas) = (enter(&house, "dan", 1).await, enter(&house, "eva", 2).await);
    for (who, whose, key) in [("dan", "dan", &dans), ("eva", "eva", &evas), ("root", "dan", &dans)] {
        let seen = house.app.approver_keys(&house.caller(who).await, whose).await.unwrap();
        assert_eq!(seen, std::slice::from_ref(key), "{who} about {whose}");
    }
    let eva = house.caller("eva").await;
    assert_eq!(house.app.approver_keys(&eva, "dan").await.unwrap_err().class(), Class::Denied);
    let nobody = house.app.approver_keys(&house.caller("root").await, "nobody").await;
    assert_eq!(nobody.unwrap_err().class(), Class::Missing);
    assert_eq!(house.app.remove_approver_key(&eva, dans.id).await.unwrap_err().class(), Class::Missing);
    // Whose it is, not who took it away.
    house.app.remove_approver_key(&house.caller("root").await, dans.id).await.unwrap();
    let told = house.records(RecordFilter { event: Some("approver_key.".to_owned()), ..RecordFilter::default() }).await;
    let told: Vec<_> = told.iter().map(|r| (r.event.as_str(), r.about.person)).collect();
    let (dan, eva) = (Some(dans.person), Some(evas.person));
    let [added, removed] = ["approver_key.added", "approver_key.removed"];
    assert_eq!(told, [(added, dan), (added, eva), (removed, dan)]);
}

/// A signer that signs nothing, and believes everybody who vouches.
#[derive(Default)]
struct Believes(Mutex<Vec<String>>);

impl Signer for Believes {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        Err(SignError::NoKey(purpose.to_owned()))
    }

    fn issue(&self, purpose: &'static str, _: IssuePermit, _: &[u8]) -> Result<wane_connector::Signature, SignError> {
        Err(SignError::NoKey(purpose.to_owned()))
    }

    fn publish(
        &self,
        purpose: &'static str,
        _: PublishPermit,
        _: &[u8],
    ) -> Result<wane_connector::Signature, SignError> {
        Err(SignError::NoKey(purpose.to_owned()))
    }

    fn vouched(&self, voucher: &str, _: &Signature) -> Result<Vouched, SignError> {
        let mut all = self.0.lock().unwrap();
        all.push(voucher.to_owned());
        Ok(Vouched { have: u16::try_from(all.len()).unwrap(), of: 2 })
    }
}

/// Whatever its signature is worth: what the signer hears is over a key as it is entered, by whoever sends it.
#[tokio::test(flavor = "multi_thread")]
async fn who_vouches_for_a_key_signs_which_it_is_and_whose() {
    let house = house().await;
    let signer = Arc::new(Believes::default());
    house.app.tell_signer(Arc::clone(&signer) as Arc<dyn Signer>);
    let [dans, evas, fays] =
        [enter(&house, "dan", 1).await, enter(&house, "eva", 2).await, enter(&house, "fay", 3).await];
    let dan = house.caller("dan").await;
    let drawn = house.app.to_vouch(&dan, evas.id, &WithKey::Ssh).await.unwrap();
    assert_eq!((drawn.with.id, drawn.key.id, drawn.owner.as_str()), (dans.id, evas.id, "eva"));
    let said = Voucher::read(&drawn.text).unwrap();
    for (what, other) in [
        ("for another key", Voucher { key: fays.id, ..said.clone() }),
        ("of somebody else", Voucher { person: fays.person, ..said.clone() }),
        ("of another make", Voucher { material: fays.material, ..said.clone() }),
        ("in another's name", Voucher { by: evas.person, ..said.clone() }),
        ("with another's key", Voucher { with: evas.id, ..said.clone() }),
    ] {
        let text = other.text().unwrap();
        let refused = house.app.vouch(&dan, evas.id, &text, &sign(&key(1), &text)).await;
        assert!(matches!(refused, Err(AppError::Invalid { .. })), "{what}: {refused:?}");
    }
    let forged = house.app.vouch(&dan, evas.id, &drawn.text, &sign(&key(3), &drawn.text)).await;
    assert!(matches!(&forged, Err(AppError::Invalid { field, .. }) if field == "signature"), "{forged:?}");
    assert_eq!(*signer.0.lock().unwrap(), Vec::<String>::new());

    let vouched = house.app.vouch(&dan, evas.id, &drawn.text, &sign(&key(1), &drawn.text)).await.unwrap();
    assert_eq!((vouched.have, vouched.counts()), (1, false));
    assert_eq!(*signer.0.lock().unwrap(), [drawn.text]);
    for event in ["approver_key.vouched", "approver_key.heard"] {
        let filter = RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() };
        let about: Vec<_> = house.records(filter).await.iter().map(|record| record.about.person).collect();
        assert_eq!(about, [Some(evas.person)], "{event}: whose key it is");
    }
}

/// A passkey that counts as it is told.
pub(crate) struct Passkey(EcdsaKeyPair);

impl Passkey {
    pub(crate) const ID: &[u8] = b"credential-1";
    /// Somebody was there.
    pub(crate) const LOCKED: u8 = 0b001;
    /// Somebody was there, and unlocked it.
    pub(crate) const UNLOCKED: u8 = 0b101;

    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    /// What is kept of it for signing in.
    fn kept(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let (x, y) = (BASE64URL_NOPAD.encode(&point[1..33]), BASE64URL_NOPAD.encode(&point[33..]));
        json!({ "cred": {
            "cred_id": BASE64URL_NOPAD.encode(Self::ID),
            "cred": { "type_": "ES256", "key": { "EC_EC2": { "curve": "SECP256R1", "x": x, "y": y } } },
            "counter": 0, "transports": null, "user_verified": true, "backup_eligible": false,
            "backup_state": false, "registration_policy": "required",
            "extensions": { "cred_protect": "NotRequested", "hmac_create_secret": "NotRequested" },
            "attestation": { "data": "None", "metadata": "None" }, "attestation_format": "none",
        } })
    }

    /// Somebody signs in with it, and has it approve from now on.
    pub(crate) async fn enter(&self, house: &House, person: &str) -> ApproverKey {
        let caller = Caller { proof: "passkey".to_owned(), ..house.caller(person).await };
        let way = WayIn {
            id: house.ambient.id(),
            key: passkey_key(Self::ID),
            person: caller.person,
            name: "phone".parse().unwrap(),
            at: house.app.now(),
            entered_by: EnteredBy::Person(caller.person),
            used: None,
            what: Way::Passkey { credential: self.kept() },
        };
        let id = way.id;
        house.write(vec![Write::WayIn(Put::new(way))]).await;
        let entered = house.app.add_passkey_approver_key(&caller, None, id).await.unwrap();
        house.advance(Span::from_secs(1));
        entered
    }

    /// What it says to a challenge: whether it was unlocked, how far it has counted, and whose it says that it is.
    #[expect(clippy::disallowed_types, reason = "the library takes its randomness in no other way")]
    pub(crate) fn shows(&self, challenge: &str, (flags, counter): (u8, u32), whose: Option<PersonId>) -> Value {
        let client = json!({
            "type": "webauthn.get", "challenge": challenge, "origin": "https://wane.example", "crossOrigin": false,
        });
        let client = client.to_string();
        let data = [digest(&SHA256, b"wane.example").as_ref(), &[flags], &counter.to_be_bytes()].concat();
        let message = [data.as_slice(), digest(&SHA256, client.as_bytes()).as_ref()].concat();
        let signature = self.0.sign(&aws_lc_rs::rand::SystemRandom::new(), &message).unwrap();
        json!({
            "id": BASE64URL_NOPAD.encode(Self::ID), "rawId": BASE64URL_NOPAD.encode(Self::ID),
            "type": "public-key", "extensions": {},
            "response": {
                "authenticatorData": BASE64URL_NOPAD.encode(&data),
                "clientDataJSON": BASE64URL_NOPAD.encode(client.as_bytes()),
                "signature": BASE64URL_NOPAD.encode(signature.as_ref()),
                "userHandle": whose.map(|person| BASE64URL_NOPAD.encode(&person.bytes())),
            },
        })
    }

    fn signs(&self, text: &str, counter: u32) -> Signature {
        let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, text.as_bytes()).as_ref());
        Signature::Passkey(self.shows(&challenge, (Self::UNLOCKED, counter), None))
    }
}

/// How far a passkey has counted is kept with what it approved: a copy of it that counts for itself is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_that_has_not_counted_on_approves_nothing() {
    let house = house().await;
    let passkey = Passkey::new();
    passkey.enter(&house, "dan").await;
    let first = house.ask("ann", &[("vault", "read")], 1).await.id;
    let second = house.ask("ben", &[("vault", "read")], 1).await.id;
    let dan = house.caller("dan").await;
    for (id, counter, counts) in [(first, 8, true), (second, 8, false), (second, 7, false), (second, 9, true)] {
        let draft = house.app.to_sign(&dan, id, None, &Narrower::default(), &WithKey::Passkey).await.unwrap();
        let decided = send(&house, "dan", id, passkey.signs(&draft.text, counter)).await;
        assert_eq!(decided.is_ok(), counts, "{counter}: {decided:?}");
        assert_eq!(house.request(id).await.items[0].approvals.len(), usize::from(counts), "{counter}");
    }
    let keys = house.app.approver_keys(&dan, "dan").await.unwrap();
    let KeyMaterial::Passkey { credential, .. } = &keys[0].material else { panic!("{keys:?}") };
    assert_eq!(credential["counter"], 9);
    // What was signed before it counted on stands.
    for (who, id) in [("ann", first), ("ben", second)] {
        house.hand_out(who, granted(&house.request(id).await, 0).unwrap()).await.unwrap();
    }
}
