//! Of all that an SSH key can be made to say, one thing counts.

use ssh_key::HashAlg;
use wane_approval::{BadSignature, Counter, KeyError, ssh_key, verify};
use wane_domain::approval::{KeyMaterial, Seat, Signature, Signed, Statement, StatementError};
use wane_domain::canonical::Digest;

use crate::hand::{Hand, SORTS, Sort, id, statement};

fn judge(signed: &Signed, key: &KeyMaterial) -> Result<Statement, BadSignature> {
    verify(signed, key, Counter::Moves).map(|good| good.statement)
}

#[test]
fn of_all_signatures_one_is_taken() {
    for sort in SORTS {
        let hand = Hand::of(sort);
        let (key, good) = (hand.material(), hand.signs(&statement()));
        let by = |hand: Hand| hand.signs(&statement());
        let other = |change: fn(&mut Statement)| {
            let mut said = statement();
            change(&mut said);
            Signed { statement: said.text().unwrap(), ..good.clone() }
        };
        let armored = |change: fn(String) -> String| {
            let Signature::Ssh(text) = good.signature.clone() else { panic!() };
            Signed { signature: Signature::Ssh(change(text)), ..good.clone() }
        };
        let spelt = |from: &str, to: &str| Signed { statement: good.statement.replace(from, to), ..good.clone() };
        let broken = vec![
            ("another purpose", by(Hand { namespace: "file", ..hand.clone() })),
            ("a purpose that begins alike", by(Hand { namespace: "wane-approval@wane2", ..hand.clone() })),
            ("another hash", by(Hand { hash: HashAlg::Sha256, ..hand.clone() })),
            ("another key", by(Hand { seed: 8, ..hand.clone() })),
            ("another request", other(|said| said.request = Digest::of_bytes("t", b"another"))),
            ("less than was asked", other(|said| said.narrowed = Some(Digest::of_bytes("t", b"less")))),
            ("another item", other(|said| said.seats = vec![Seat { item: 1, stage: 0 }])),
            ("another stage", other(|said| said.seats = vec![Seat { item: 0, stage: 1 }])),
            ("another approver", other(|said| said.approver = id(9))),
            ("another organisation", other(|said| said.org = id(9))),
            ("another key's name", other(|said| said.key = id(9))),
            ("another time", other(|said| said.at = wane_domain::time::Time::from_micros(0))),
            ("another nonce", other(|said| said.nonce = "ff".to_owned())),
            ("spaces", spelt(":", ": ")),
            ("a line feed after it", Signed { statement: format!("{}\n", good.statement), ..good.clone() }),
            ("something it does not know", spelt("{\"approver\"", "{\"a\":1,\"approver\"")),
            ("a request's digest", spelt("wane.approval.v1", "wane.request.v1")),
            ("cut short", armored(|text| text.lines().take(3).collect::<Vec<_>>().join("\n"))),
            ("nothing", armored(|_| String::new())),
            ("bytes turned over", armored(|text| text.chars().rev().collect())),
            ("twice as much", armored(|text| text.clone() + &text)),
            ("a passkey's", Signed { signature: Signature::Passkey(serde_json::json!({})), ..good.clone() }),
        ];
        let mut taken = 0;
        for (what, signed) in broken.iter().chain([&("as it should be", good.clone())]) {
            match judge(signed, &key) {
                Ok(said) => {
                    assert_eq!((*what, &said), ("as it should be", &statement()), "{sort:?}");
                    taken += 1;
                }
                Err(why) => assert!(*what != "as it should be", "{sort:?}: {why}"),
            }
        }
        assert_eq!(taken, 1, "{sort:?}");
        // The key that came along is not asked: by the key that is trusted, it is another's.
        let trusted = Hand { seed: 8, ..hand.clone() }.material();
        assert_eq!(judge(&good, &trusted), Err(BadSignature::Key), "{sort:?}");
        for other in SORTS.into_iter().filter(|other| *other != sort) {
            assert_eq!(judge(&good, &Hand::of(other).material()), Err(BadSignature::Key), "{sort:?} as {other:?}");
        }
    }
}

#[test]
fn a_key_in_hardware_says_that_somebody_was_there() {
    for sort in [Sort::SkEd25519, Sort::SkEcdsa] {
        for (flags, there) in [(0, false), (1, true), (4, false), (5, true), (0xfe, false), (0xff, true)] {
            let hand = Hand { flags, ..Hand::of(sort) };
            let judged = judge(&hand.signs(&statement()), &hand.material());
            assert_eq!(judged.is_ok(), there, "{sort:?} {flags:x}");
            assert!(there || judged == Err(BadSignature::Absent), "{sort:?} {flags:x}: {judged:?}");
        }
        // Claimed afterwards, it is not what was signed.
        let absent = Hand { flags: 0, ..Hand::of(sort) };
        let text = statement().text().unwrap();
        let pem = absent.armored(text.as_bytes());
        let sig = ssh_key::SshSig::from_pem(&pem).unwrap();
        let mut bytes = sig.signature_bytes().to_vec();
        let at = bytes.len() - 5;
        bytes[at] = 1;
        let forged = ssh_key::Signature::new(sig.algorithm(), bytes).unwrap();
        let forged = ssh_key::SshSig::new(sig.public_key().clone(), sig.namespace(), sig.hash_alg(), forged).unwrap();
        let signed = Signed {
            statement: text,
            key: absent.material(),
            signature: Signature::Ssh(forged.to_pem(ssh_key::LineEnding::LF).unwrap()),
        };
        assert_eq!(judge(&signed, &absent.material()), Err(BadSignature::Wrong), "{sort:?}");
    }
}

#[test]
fn keys_of_these_sorts_are_taken_and_no_others() {
    for sort in SORTS {
        let hand = Hand::of(sort);
        let commented = format!("  {} somebody@somewhere \n", hand.line());
        assert_eq!(ssh_key(&commented).unwrap(), hand.material(), "{sort:?}");
    }
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7vbqajDRpdHG3AWm4Ss8RlWhMLmVP2aHvg6jiIyWtPGZwVpMTzMLQWcQTs7nZvaBPlqYVvMFHmP1JE9eQ9gPsVsdiT1C9c8cS8mc4XWNGRu5qKWJP5X4UPdHmNnQoL6eWaMLRxbTHVqMNzvD8IPmsZNWBZNaxAuGDEqgCwEUiQVV7ULXsDiNQTzLAEs9hnqYGYVDgBEe5Hgc9PbVqyDKZqMFMdtQ7Ztc9AlxLZpEr0T0GeRvxlMDDqFEAkGW0qAGKs1lb8xXxhBjkAFjwoTDXvJyH7nW6T3wJRPy3RWzmD5TdBLbRThYdxRVq3mV6mM4SPqV4mXW0yjYGJPQp";
    for bad in [
        rsa,
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "nonsense",
        &format!("{}\n{}", Hand::of(Sort::Ed25519).line(), Hand::of(Sort::Ecdsa).line()),
    ] {
        assert!(ssh_key(bad).is_err(), "{bad}");
    }
    for sort in [Sort::SkEd25519, Sort::SkEcdsa] {
        let web = Hand { application: "webauthn.example", ..Hand::of(sort) };
        assert_eq!(ssh_key(&web.line()), Err(KeyError::Application("webauthn.example".to_owned())));
    }
}

#[test]
fn what_is_no_statement_is_told_apart() {
    let hand = Hand::of(Sort::Ed25519);
    let good = hand.signs(&statement());
    let refuse = |text: String| judge(&Signed { statement: text, ..good.clone() }, &hand.material()).unwrap_err();
    assert_eq!(refuse("hello".to_owned()), BadSignature::Statement(StatementError::Domain));
    assert_eq!(refuse(format!("{} ", good.statement)), BadSignature::Statement(StatementError::Spelling));
}
