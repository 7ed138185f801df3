//! Of all that an authenticator can be made to say, one thing counts.

use data_encoding::BASE64URL_NOPAD;
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wane_approval::{BadSignature, Counter, is_same, passkey, passkey_options, verify};
use wane_domain::approval::{KeyMaterial, Signature, Signed, Statement};

use crate::hand::{Hand, Sort, statement};

const RP: &str = "wane.example";
const ORIGIN: &str = "https://wane.example";

/// An authenticator that can be told to answer wrongly.
#[derive(Clone, Debug)]
struct Authenticator {
    seed: u8,
    rp: &'static str,
    origin: &'static str,
    sort: &'static str,
    flags: u8,
    counter: u32,
    credential: &'static [u8],
    challenge: Option<Vec<u8>>,
    extensions: Value,
}

fn authenticator() -> Authenticator {
    Authenticator {
        seed: 5,
        rp: RP,
        origin: ORIGIN,
        sort: "webauthn.get",
        flags: 0b101,
        counter: 8,
        credential: b"credential-1",
        challenge: None,
        extensions: json!({}),
    }
}

impl Authenticator {
    fn key(&self) -> p256::ecdsa::SigningKey {
        p256::ecdsa::SigningKey::from_slice(&[self.seed; 32]).unwrap()
    }

    /// What would be kept of it, counted up to `counter`.
    fn kept(&self, counter: u32) -> Value {
        let point = self.key().verifying_key().to_sec1_point(false);
        let (x, y) = (&point.as_bytes()[1..33], &point.as_bytes()[33..]);
        json!({ "cred": {
            "cred_id": BASE64URL_NOPAD.encode(self.credential),
            "cred": { "type_": "ES256", "key": { "EC_EC2": { "curve": "SECP256R1",
                "x": BASE64URL_NOPAD.encode(x), "y": BASE64URL_NOPAD.encode(y) } } },
            "counter": counter, "transports": null, "user_verified": true, "backup_eligible": false,
            "backup_state": false, "registration_policy": "required",
            "extensions": { "cred_protect": "NotRequested", "hmac_create_secret": "NotRequested" },
            "attestation": { "data": "None", "metadata": "None" }, "attestation_format": "none",
        } })
    }

    fn material(&self, counter: u32) -> KeyMaterial {
        passkey(&self.kept(counter), RP, ORIGIN).unwrap()
    }

    fn answers(&self, text: &str) -> Value {
        let asked = Sha256::digest(text.as_bytes()).to_vec();
        let challenge = BASE64URL_NOPAD.encode(self.challenge.as_ref().unwrap_or(&asked));
        let client = json!({ "type": self.sort, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string();
        let mut data = Sha256::digest(self.rp.as_bytes()).to_vec();
        data.push(self.flags);
        data.extend(self.counter.to_be_bytes());
        let message = [data.clone(), Sha256::digest(client.as_bytes()).to_vec()].concat();
        let signature: p256::ecdsa::Signature = self.key().sign(&message);
        json!({
            "id": BASE64URL_NOPAD.encode(self.credential), "rawId": BASE64URL_NOPAD.encode(self.credential),
            "type": "public-key", "extensions": self.extensions,
            "response": {
                "authenticatorData": BASE64URL_NOPAD.encode(&data),
                "clientDataJSON": BASE64URL_NOPAD.encode(client.as_bytes()),
                "signature": BASE64URL_NOPAD.encode(signature.to_der().as_bytes()),
                "userHandle": null,
            },
        })
    }

    fn signs(&self, said: &Statement) -> Signed {
        let text = said.text().unwrap();
        Signed { key: self.material(0), signature: Signature::Passkey(self.answers(&text)), statement: text }
    }
}

#[test]
fn of_all_answers_one_is_taken() {
    let key = authenticator().material(7);
    let good = authenticator().signs(&statement());
    let by = |change: fn(&mut Authenticator)| {
        let mut told = authenticator();
        change(&mut told);
        told.signs(&statement())
    };
    let edited = |at: &str, to: Value| {
        let Signature::Passkey(mut answer) = good.signature.clone() else { panic!() };
        *answer.pointer_mut(at).unwrap() = to;
        Signed { signature: Signature::Passkey(answer), ..good.clone() }
    };
    let said = |change: fn(&mut Statement)| {
        let mut other = statement();
        change(&mut other);
        Signed { statement: other.text().unwrap(), ..good.clone() }
    };
    let signature = |text: &str| json!(BASE64URL_NOPAD.encode(text.as_bytes()));
    let broken = vec![
        ("another host", by(|a| a.rp = "evil.example")),
        ("another page", by(|a| a.origin = "https://evil.example")),
        ("another port", by(|a| a.origin = "https://wane.example:8443")),
        ("a page below", by(|a| a.origin = "https://a.wane.example")),
        ("a page in the clear", by(|a| a.origin = "http://wane.example")),
        ("a challenge of its own", by(|a| a.challenge = Some(vec![1; 32]))),
        ("an empty challenge", by(|a| a.challenge = Some(Vec::new()))),
        ("a new key", by(|a| a.sort = "webauthn.create")),
        ("nobody there", by(|a| a.flags = 0b100)),
        ("not unlocked", by(|a| a.flags = 0b001)),
        ("neither", by(|a| a.flags = 0)),
        ("a counter that stands", by(|a| a.counter = 7)),
        ("a counter that goes back", by(|a| a.counter = 6)),
        ("no counter where there was one", by(|a| a.counter = 0)),
        ("another key", by(|a| a.seed = 6)),
        ("another credential", by(|a| a.credential = b"credential-2")),
        ("claims an older host", by(|a| (a.rp, a.extensions) = ("old.example", json!({ "appid": true })))),
        ("another signature", edited("/response/signature", signature("nonsense"))),
        ("no signature", edited("/response/signature", json!(""))),
        ("no data", edited("/response/authenticatorData", json!(""))),
        ("no client", edited("/response/clientDataJSON", json!(""))),
        ("nothing", Signed { signature: Signature::Passkey(Value::Null), ..good.clone() }),
        ("an SSH key's", Hand::of(Sort::Ed25519).signs(&statement())),
        ("another stage", said(|s| s.seats[0].stage = 1)),
        ("another request", said(|s| s.request = wane_domain::canonical::Digest::of_bytes("t", b"x"))),
        ("another approver", said(|s| s.approver = crate::hand::id(9))),
    ];
    let mut taken = 0;
    for (what, signed) in broken.iter().chain([&("as it should be", good.clone())]) {
        match verify(signed, &key, Counter::Moves) {
            Ok(found) => {
                assert_eq!((*what, &found.statement), ("as it should be", &statement()));
                taken += 1;
            }
            Err(why) => assert!(*what != "as it should be", "{why}"),
        }
    }
    assert_eq!(taken, 1);
}

#[test]
fn a_counter_moves_once_and_may_be_looked_at_again() {
    let good = authenticator().signs(&statement());
    let moved = verify(&good, &authenticator().material(7), Counter::Moves).unwrap().key;
    assert!(is_same(&moved, &authenticator().material(7)));
    assert!(matches!(verify(&good, &moved, Counter::Moves), Err(BadSignature::Answer(_))), "the same once more");
    let again = verify(&good, &moved, Counter::WasChecked).unwrap();
    assert_eq!(again.key, moved, "looking at it moves nothing");
    let later = Authenticator { counter: 9, ..authenticator() }.signs(&statement());
    verify(&later, &moved, Counter::Moves).unwrap();
}

#[test]
fn a_browser_is_asked_for_this_statement_by_this_key() {
    let text = statement().text().unwrap();
    let options = passkey_options(&authenticator().material(7), &text).unwrap();
    let asked = &options["publicKey"];
    assert_eq!(asked["challenge"], BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes())));
    assert_eq!((&asked["rpId"], &asked["userVerification"]), (&json!(RP), &json!("required")));
    assert_eq!(asked["allowCredentials"][0]["id"], BASE64URL_NOPAD.encode(b"credential-1"));
    assert!(passkey_options(&Hand::of(Sort::Ed25519).material(), &text).is_err());
}
