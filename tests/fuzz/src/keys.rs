//! Tokens, sealed bytes, key rings, password hashes: nothing opens but what was made, to the bit.

use std::sync::LazyLock;

use wane_domain::id::{OrgId, TokenId};
use wane_domain::secret::Secret;
use wane_keys::envelope::{Keyring, Place};
use wane_keys::password::{Cost, Hasher};
use wane_keys::seal::{Seal, SealName};
use wane_keys::token::{Bearer, BearerKind, LENGTH, Pepper};

use crate::access::ambient;
use crate::draw::Draw;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use super::{KEYS, PASSWORD};
    use crate::draw::texts;

    pub(crate) fn bearer() -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = KEYS.tokens.iter().map(|(_, text)| text.as_bytes().to_vec()).collect();
        all.extend(texts(&["wane_s_", "wane_x_00000000000000000000000000_0000_00000000"]));
        all
    }

    pub(crate) fn sealed() -> Vec<Vec<u8>> {
        vec![KEYS.sealed.clone(), vec![1, 0, 0, 0, 1]]
    }

    pub(crate) fn keyring() -> Vec<Vec<u8>> {
        vec![KEYS.wrapped.clone()]
    }

    pub(crate) fn password() -> Vec<Vec<u8>> {
        let text = |password: &str| [password.as_bytes(), b"\0", KEYS.hash.as_bytes()].concat();
        vec![text(PASSWORD), text("another"), b"x\0$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA".to_vec()]
    }
}

const PASSWORD: &str = "correct horse battery";
const SECRET: &[u8] = b"the connector's password";
const PLACE: Place<'static> = Place { table: "sealed", row: "connector/res_1", column: "secret" };

struct Keys {
    pepper: Pepper,
    tokens: Vec<([u8; 32], String)>,
    seal: Seal,
    org: OrgId,
    ring: Keyring,
    wrapped: Vec<u8>,
    sealed: Vec<u8>,
    hasher: Hasher,
    hash: String,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let ambient = ambient();
    let folder = tempfile::tempdir().unwrap();
    let seal = Seal::open_machine(SealName::Ends, &folder.path().join("k/ends"), &ambient).unwrap();
    let org = ambient.id();
    let (ring, wrapped) = Keyring::create(&seal, org, &ambient).unwrap();
    let pepper = Pepper::new(&Pepper::generate(&ambient)).unwrap();
    let tokens = BearerKind::ALL.map(|kind| {
        let bearer = Bearer::mint(kind, ambient.id::<TokenId>(), &ambient);
        (pepper.verifier(&bearer), bearer.into_secret().reveal().to_string())
    });
    let hasher = Hasher::new(Cost::WeakForTests, &ambient).unwrap();
    let hash = hasher.hash(&Secret::new(PASSWORD.as_bytes().to_vec()), &ambient).unwrap();
    let sealed = ring.seal(&PLACE, SECRET).unwrap();
    Keys { pepper, tokens: tokens.into(), seal, org, ring, wrapped, sealed, hasher, hash }
});

pub(crate) fn bearer(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(bearer) = Bearer::parse(&text) else {
        assert!(KEYS.tokens.iter().all(|(_, token)| *token != text), "a genuine token was refused");
        return;
    };
    assert_eq!(text.len(), LENGTH);
    assert!(!format!("{bearer:?}").contains(text.get(34..86).unwrap()), "its secret is shown");
    for (verifier, token) in &KEYS.tokens {
        assert_eq!(KEYS.pepper.matches(&bearer, verifier), *token == text);
        assert!(!KEYS.pepper.matches(&bearer, &verifier[..31]) && !KEYS.pepper.matches(&bearer, &[]));
    }
    let kinds = BearerKind::ALL.into_iter().filter(|kind| Bearer::parse_as(*kind, &text).is_ok());
    assert_eq!(kinds.collect::<Vec<_>>(), [bearer.kind()]);
    assert_eq!(*bearer.into_secret().reveal(), text);
}

pub(crate) fn sealed(data: &[u8]) {
    match KEYS.ring.open(&PLACE, data) {
        Ok(secret) => {
            assert_eq!((data, secret.expose()), (KEYS.sealed.as_slice(), SECRET), "changed bytes opened");
            for place in [Place { table: "x", ..PLACE }, Place { row: "x", ..PLACE }, Place { column: "x", ..PLACE }] {
                assert!(KEYS.ring.open(&place, data).is_err(), "it opened at {place:?}");
            }
        }
        Err(_) => assert_ne!(data, KEYS.sealed),
    }
    // Whatever was sealed comes back whole.
    let sealed = KEYS.ring.seal(&PLACE, data).unwrap();
    assert_eq!(KEYS.ring.open(&PLACE, &sealed).unwrap().expose(), data);
}

pub(crate) fn keyring(data: &[u8]) {
    let opened = Keyring::unlock(&KEYS.seal, KEYS.org, data, &ambient()).is_ok();
    assert_eq!(opened, data == KEYS.wrapped);
}

pub(crate) fn password(data: &[u8]) {
    let mut draw = Draw::new(data);
    let (password, stored) = (draw.word(), draw.text());
    // More memory than this is not the parser's business here.
    if stored.split(',').any(|part| part.rsplit_once("m=").is_some_and(|(_, n)| n.len() > 3)) {
        return;
    }
    let verdict = KEYS.hasher.verify(&Secret::new(password.clone().into_bytes()), &stored);
    if verdict.is_ok_and(|verdict| verdict.is_right()) {
        assert!(stored != KEYS.hash || password == PASSWORD, "`{password}` opened somebody else's hash");
        assert!(stored.starts_with("$argon2id$"), "{stored}");
    }
}
