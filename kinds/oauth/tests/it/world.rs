//! A kind with a key that signs tokens, and a forger who has that key too.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use wane_connector::{ConnectError, Issued, Kind as _, PublishPermit, Signer as _, Target, TokenRead, Tokens};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::lease::LeaseKind;
use wane_domain::request::AskItem;
use wane_domain::secret::Secret;
use wane_domain::time::{Span, Time};
use wane_keys::signer::{LocalSigner, SignerKeys};
use wane_kind_oauth::keys::{KeptKey, TokenKeys};
use wane_kind_oauth::{OauthKind, TOKEN_KEYS, check_token};
use wane_testkit::{FakeClock, Held, plain_ask};

pub(crate) const ISSUER: &str = "https://wane.example";
pub(crate) const AUDIENCE: &str = "https://api.example";

pub(crate) struct World {
    pub(crate) kind: OauthKind,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) ambient: Ambient,
    /// The key that signs, in a signer that signs whatever it is given.
    forger: LocalSigner,
}

#[expect(clippy::disallowed_methods, reason = "what real servers judge by")]
pub(crate) fn machine_now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// Which sort of key signs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum With {
    P256,
    Ed25519,
}

pub(crate) fn new_key(with: With, ambient: &Ambient) -> Vec<u8> {
    match with {
        With::P256 => SignerKeys::p256(ambient).expose().to_vec(),
        With::Ed25519 => ambient.bytes::<32>().to_vec(),
    }
}

/// A signer as the server has it, for these keys.
pub(crate) fn signer(keys: &[(&'static str, Vec<u8>)]) -> LocalSigner {
    let checkers = keys.iter().map(|(purpose, _)| (*purpose, check_token as wane_connector::Checker)).collect();
    LocalSigner::new(keys.iter().map(|(purpose, key)| (*purpose, Secret::new(key.clone()))).collect(), checkers)
        .unwrap()
}

pub(crate) fn kept(purpose: &str, from: Time) -> KeptKey {
    KeptKey { purpose: purpose.to_owned(), made: from, from }
}

impl World {
    pub(crate) fn new(seed: u64, with: With) -> Self {
        let clock = FakeClock::at(machine_now());
        let ambient = clock.ambient(seed);
        let key = new_key(with, &ambient);
        let forger = vec![(TOKEN_KEYS[0], Secret::new(key.clone()))];
        let forger = LocalSigner::new(forger, Vec::new()).unwrap();
        let signer = Arc::new(signer(&[(TOKEN_KEYS[0], key)]));
        let (keys, troubles) = TokenKeys::read(&*signer, &[kept(TOKEN_KEYS[0], ambient.now())]);
        assert_eq!(troubles, Vec::<String>::new());
        let kind = OauthKind::new(signer, keys, ISSUER, &ambient);
        // Proofs of the second in which it began are not taken.
        clock.advance(Span::from_secs(2));
        Self { kind, clock, ambient, forger }
    }

    pub(crate) fn now(&self) -> Time {
        self.ambient.now()
    }

    pub(crate) fn tokens(&self) -> Arc<dyn Tokens> {
        self.kind.tokens().unwrap()
    }

    pub(crate) fn read(&self, token: &str) -> Option<TokenRead> {
        self.tokens().read(token, self.now())
    }

    pub(crate) fn resource(&self, settings: &Value) -> Resource {
        Resource {
            id: self.ambient.id(),
            name: "orders".parse().unwrap(),
            kind: "oauth".parse().unwrap(),
            labels: Default::default(),
            owner: None,
            settings: self.kind.settings(settings).unwrap(),
            since: self.now(),
        }
    }

    pub(crate) fn api(&self) -> Resource {
        self.resource(&json!({ "audience": AUDIENCE }))
    }

    pub(crate) fn role(&self, definition: &Value) -> Role {
        Role {
            id: self.ambient.id(),
            name: "use".parse().unwrap(),
            kind: "oauth".parse().unwrap(),
            description: String::new().try_into().unwrap(),
            definition: self.kind.definition(definition).unwrap(),
            since: self.now(),
        }
    }

    pub(crate) fn hold(&self, resource: &Resource, role: &Role, duration: Span) -> Held {
        let item = AskItem { resource: resource.id, role: role.id, role_digest: role.digest().unwrap(), task: None };
        let ask = plain_ask(&self.ambient, item, duration);
        wane_testkit::hold(&self.ambient, ask, "oauth", LeaseKind::Credential, self.now())
    }

    pub(crate) fn target<'a>(&self, resource: &'a Resource) -> Target<'a> {
        Target { resource, credential: None, now: self.now() }
    }

    /// Issues for what was sent, as the engine does.
    pub(crate) fn issue(
        &self,
        held: &Held,
        resource: &Resource,
        role: &Role,
        input: &Value,
    ) -> Result<Issued, ConnectError> {
        let issuer = self.kind.issuer().unwrap();
        issuer.issue(&self.target(resource), role, &held.lease, held.permit(self.now()), input, 7)
    }

    /// The token of an issue that goes well.
    pub(crate) fn token(&self, held: &Held, resource: &Resource, role: &Role, input: &Value) -> String {
        secret(self.issue(held, resource, role, input).unwrap())
    }

    /// Whatever it says, signed with the key that signs.
    pub(crate) fn forged(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signed = self.forger.publish(TOKEN_KEYS[0], PublishPermit { what: "test".to_owned() }, message.as_bytes());
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signed.unwrap().0))
    }

    pub(crate) fn paper(&self, name: &str) -> Option<Value> {
        let paper = self.kind.published().unwrap().paper(name, 1, self.now(), &[]).unwrap();
        paper.map(|paper| serde_json::from_slice(&paper.bytes).unwrap())
    }
}

pub(crate) fn secret(issued: Issued) -> String {
    issued.handed.secret.unwrap().reveal().to_string()
}

pub(crate) fn encoded(text: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(text.as_ref())
}

pub(crate) fn decoded(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

/// A client with a key of its own.
pub(crate) struct Client(SigningKey);

impl Client {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.0.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) })
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() })
    }

    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature: Signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", encoded(signature.to_bytes()))
    }

    /// A proof for having a token issued under a grant.
    pub(crate) fn proof(&self, id: &str, held: &Held, now: Time) -> String {
        let url = format!("{ISSUER}/v1/grants/{}/credential", held.grant.id);
        self.signed(&self.header(), &json!({ "jti": id, "htm": "POST", "htu": url, "iat": now.seconds() }))
    }
}
