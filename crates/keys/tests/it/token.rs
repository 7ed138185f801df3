//! Bearer tokens: one spelling, one kind, one keyed hash.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use wane_domain::id::TokenId;
use wane_domain::secret::Secret;
use wane_keys::token::{Bearer, BearerError, BearerKind, LENGTH, Pepper};

use crate::ambient;

fn mint(kind: BearerKind, seed: u64) -> (TokenId, String) {
    let ambient = ambient(seed);
    let id = ambient.id();
    (id, Bearer::mint(kind, id, &ambient).into_secret().reveal().to_string())
}

fn pepper(seed: u64) -> Pepper {
    Pepper::new(&Pepper::generate(&ambient(seed))).unwrap()
}

/// The same text with a checksum that fits.
fn summed(body: &str) -> String {
    format!("{body}_{:08x}", crc32fast::hash(body.as_bytes()))
}

#[test]
fn a_token_says_what_it_is() {
    for kind in BearerKind::ALL {
        let (id, text) = mint(kind, 1);
        assert_eq!(text.len(), LENGTH);
        assert!(text.starts_with(&format!("wane_{}_{}_", kind.letter(), id.suffix())), "{text}");
        let read = Bearer::parse(&text).unwrap();
        assert_eq!((read.kind(), read.id()), (kind, id));
        assert_eq!(*read.into_secret().reveal(), text);
    }
}

#[test]
fn a_token_of_one_kind_is_none_of_another() {
    for kind in BearerKind::ALL {
        for wanted in BearerKind::ALL {
            let got = Bearer::parse_as(wanted, &mint(kind, 1).1).map(|b| b.kind());
            assert_eq!(got, if kind == wanted { Ok(kind) } else { Err(BearerError::OtherKind { wanted }) });
        }
    }
}

#[test]
fn no_variant_of_a_token_is_a_token() {
    let (_, text) = mint(BearerKind::Session, 1);
    let refused = |variant: &str| {
        assert_eq!(Bearer::parse(variant).map(|b| b.kind()), Err(BearerError::Malformed), "{variant:?}");
    };
    for at in 0..text.len() {
        refused(&text[..at]);
        refused(&text[at + 1..]);
        refused(&format!("{}{}", &text[..at], &text[at + 1..]));
        for other in (0x20..0x7f_u8).map(char::from).filter(|c| *c != text.as_bytes()[at] as char) {
            refused(&format!("{}{other}{}", &text[..at], &text[at + 1..]));
        }
    }
    for extra in [" ", "\t", "\n", "\r\n", "\0", "=", "_", "0", "a", ".", "\u{a0}", "\u{feff}", "\u{200b}"] {
        for at in 0..=text.len() {
            refused(&format!("{}{extra}{}", &text[..at], &text[at..]));
        }
    }
    refused(&text.to_uppercase());
    refused(&format!("{text}{text}"));
    refused(&format!("Bearer {text}"));
    refused("");
}

#[test]
fn a_fitting_checksum_does_not_excuse_another_spelling() {
    let (_, text) = mint(BearerKind::Session, 1);
    let (body, _) = text.rsplit_once('_').unwrap();
    assert_eq!(summed(body), text);
    let parts: Vec<&str> = body.split('_').collect();
    let [_, _, id, secret] = parts[..] else { unreachable!("four parts") };
    let tail = &secret[..51];
    let check = |body: String| {
        let variant = summed(&body);
        assert_eq!(Bearer::parse(&variant).map(|b| b.kind()), Err(BearerError::Malformed), "{variant}");
    };
    check(format!("WANE_s_{id}_{secret}"));
    check(format!("wane_S_{id}_{secret}"));
    check(format!("wane_x_{id}_{secret}"));
    check(format!("wane_s_{}_{secret}", id.to_uppercase()));
    check(format!("wane_s_{id}_{}", secret.to_uppercase()));
    check(format!("wane_s_{id}_{}", &secret[..51]));
    check(format!("wane_s_{id}_{secret}0"));
    check(format!("wane_s_{id}_{secret}_"));
    check(format!("wane_s_{id}_{tail}z"));
    // The last character carries one bit; the rest of it must be nought.
    for last in "123456789abcdefhijklmnopqrstuv".chars() {
        check(format!("wane_s_{id}_{tail}{last}"));
    }
}

#[test]
fn only_the_very_token_matches_its_verifier() {
    let (pepper, other) = (pepper(1), pepper(2));
    let (_, text) = mint(BearerKind::Session, 3);
    let read = |text: &str| Bearer::parse(text).unwrap();
    let verifier = pepper.verifier(&read(&text));
    assert!(pepper.matches(&read(&text), &verifier));
    assert!(!other.matches(&read(&text), &verifier), "the pepper counts");

    // Another kind or id around the same secret, or another secret under the same id.
    let (body, _) = text.rsplit_once('_').unwrap();
    let (head, secret) = body.rsplit_once('_').unwrap();
    let (stranger, _) = mint(BearerKind::Session, 4);
    for body in [
        body.replacen("wane_s_", "wane_h_", 1),
        format!("wane_s_{}_{secret}", stranger.suffix()),
        format!("{head}_{}", "0".repeat(52)),
    ] {
        assert!(!pepper.matches(&read(&summed(&body)), &verifier), "{body}");
    }
}

#[test]
fn all_of_the_verifier_is_compared() {
    let pepper = pepper(1);
    let bearer = Bearer::parse(&mint(BearerKind::Join, 3).1).unwrap();
    let verifier = pepper.verifier(&bearer);
    for at in 0..verifier.len() {
        let mut changed = verifier;
        changed[at] ^= 1;
        assert!(!pepper.matches(&bearer, &changed));
        assert!(!pepper.matches(&bearer, &verifier[..at]));
    }
    assert!(!pepper.matches(&bearer, &[verifier.as_slice(), &[0]].concat()));
}

#[test]
fn a_pepper_has_its_length() {
    for length in [0, 31, 33] {
        assert!(Pepper::new(&Secret::new(vec![1; length])).is_err());
    }
}

#[test]
fn neither_debug_nor_errors_show_a_secret() {
    let (id, text) = mint(BearerKind::Enrol, 1);
    let bearer = Bearer::parse(&text).unwrap();
    assert_eq!(format!("{bearer:?}"), format!("Bearer {{ kind: Enrol, id: {id}, .. }}"));
    assert_eq!(format!("{:?}", pepper(1)), "Pepper(…)");
    let secret = text.rsplit('_').nth(1).unwrap();
    for error in
        [Bearer::parse(&format!("{text} ")).unwrap_err(), Bearer::parse_as(BearerKind::Host, &text).unwrap_err()]
    {
        assert!(!format!("{error} {error:?}").contains(secret));
    }
}

proptest! {
    /// A text that parses is written back as itself: there is no second spelling.
    #[test]
    fn one_spelling(seed in any::<u64>(), at in 0..LENGTH, with in "[ -~]{0,3}", fit in any::<bool>()) {
        let (_, text) = mint(BearerKind::Session, seed);
        let end = (at + with.len()).min(LENGTH);
        let mut variant = format!("{}{with}{}", &text[..at], &text[end..]);
        if fit && let Some((body, _)) = variant.rsplit_once('_') {
            variant = summed(body);
        }
        if let Ok(read) = Bearer::parse(&variant) {
            prop_assert_eq!(&*read.into_secret().reveal(), &variant);
        }
    }

    #[test]
    fn rubbish_is_no_token(text in "\\PC{0,120}") {
        prop_assert!(Bearer::parse(&text).is_err());
    }
}
