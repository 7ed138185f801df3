//! Names, free text, moments, spans, ids, digests, and what is asked.

use serde_json::Value;
use wane_domain::canonical::Digest;
use wane_domain::id::{GrantId, PersonId, TokenId};
use wane_domain::request::Ask;
use wane_domain::text::{Line, Name, Reason, Ticket};
use wane_domain::time::{Span, Time};

use crate::ssh::LONGEST_REFUSAL;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use wane_domain::canonical::Digest;
    use wane_domain::id::{GrantId, PersonId};

    use crate::access::ambient;
    use crate::draw::texts;
    use crate::stored;

    pub(crate) fn text() -> Vec<Vec<u8>> {
        texts(&[
            "maya",
            "a.b_c-9",
            "Maya",
            "zwölf",
            "two\nlines\tand a tab",
            "a\u{202e}b",
            "\u{200b}",
            "INC-1",
            "а",
            "x\u{1b}[2J",
            " ",
        ])
    }

    pub(crate) fn time() -> Vec<Vec<u8>> {
        texts(&[
            "2h",
            "90m",
            "1d 12h",
            "PT2M",
            "-1h",
            "0s",
            "1mo",
            "1.5h",
            "2026-11-21T09:00:00Z",
            "2026-11-21T10:00:00+01:00",
            "-009999-01-02T01:59:59Z",
            "9999-12-30T22:00:00.999999999Z",
            "P1DT999999999H",
            "1ns",
            "2026-11-21T09:00:60Z",
            "175307616h 10518456960m 631107417600s",
        ])
    }

    pub(crate) fn id() -> Vec<Vec<u8>> {
        let ambient = ambient();
        let (grant, person) = (ambient.id::<GrantId>(), ambient.id::<PersonId>());
        texts(&[
            &grant.to_string(),
            &person.to_string(),
            &grant.to_string().to_uppercase(),
            &Digest::of_bytes("a", b"").to_string(),
        ])
    }

    pub(crate) fn ask() -> Vec<Vec<u8>> {
        stored::seeds::asks()
    }
}

/// Whether a text holds anything that hides or reorders what a reader sees.
fn hides(text: &str) -> bool {
    text.chars().any(|c| matches!(u32::from(c), 0..=8 | 0xB..=0x1F | 0x7F..=0x9F | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2069 | 0xFEFF))
}

pub(crate) fn text(data: &[u8]) {
    let given = String::from_utf8_lossy(data);
    match given.parse::<Name>() {
        Ok(name) => {
            assert_eq!((name.as_str(), name.to_string()), (given.as_ref(), given.to_lowercase()));
            assert!(
                (1..=63).contains(&given.len())
                    && given.is_ascii()
                    && !given.contains(['/', ' ', ',', '"', '\'', '\\'])
            );
        }
        Err(why) => assert!(why.to_string().len() < LONGEST_REFUSAL),
    }
    let free = [
        (given.parse::<Reason>().ok().map(String::from), 4096),
        (given.parse::<Ticket>().ok().map(String::from), 128),
        (given.parse::<Line>().ok().map(String::from), 256),
    ];
    for (n, (read, most)) in free.into_iter().enumerate() {
        let Some(read) = read else { continue };
        assert_eq!(read, given);
        assert!(read.len() <= most && !hides(&read), "{read:?}");
        assert!(n == 0 || !read.contains('\n'), "{read:?}");
    }
    // The same rule on the road through JSON.
    let json = Value::String(given.to_string());
    assert_eq!(serde_json::from_value::<Name>(json.clone()).is_ok(), given.parse::<Name>().is_ok());
    assert_eq!(serde_json::from_value::<Reason>(json).is_ok(), given.parse::<Reason>().is_ok());
}

pub(crate) fn time(data: &[u8]) {
    let given = String::from_utf8_lossy(data);
    if let Ok(span) = given.parse::<Span>() {
        assert!(span > Span::ZERO && !span.to_string().is_empty());
        // Of longer ones the reader refuses what is shown.
        if span.micros() % 1_000_000 == 0 && span < Span::from_hours(24 * 365 * 1000) {
            assert_eq!(span.to_string().parse(), Ok(span), "{given:?} is shown as {span}");
        }
        let end = Time::from_micros(0).plus(span);
        assert!(end > Time::from_micros(0), "time does not run backwards");
    }
    if let Ok(at) = given.parse::<Time>() {
        assert_eq!(at.to_string().parse(), Ok(at), "{given:?} is shown as {at}");
        assert!(at.plus(Span::from_hours(1)) > at && at.minus(Span::from_hours(1)) < at);
    }
}

pub(crate) fn id(data: &[u8]) {
    let given = String::from_utf8_lossy(data);
    let read = [
        given.parse::<GrantId>().ok().map(|id| id.to_string()),
        given.parse::<PersonId>().ok().map(|id| id.to_string()),
        given.parse::<TokenId>().ok().map(|id| id.to_string()),
        given.parse::<Digest>().ok().map(|digest| digest.to_string()),
    ];
    let read: Vec<String> = read.into_iter().flatten().collect();
    assert!(read.len() <= 1, "an id of two types");
    assert!(read.iter().all(|shown| *shown == given), "a second spelling: {given:?}");
}

/// The same value with every object's keys the other way round.
fn turned(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs =
                map.iter().rev().map(|(key, value)| format!("{}: {}", Value::String(key.clone()), turned(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(" ,\n"))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(turned).collect::<Vec<_>>().join(", ")),
        plain => plain.to_string(),
    }
}

pub(crate) fn ask(data: &[u8]) {
    let Ok(ask) = serde_json::from_slice::<Ask>(data) else { return };
    let digest = ask.digest().unwrap();
    let value = serde_json::to_value(&ask).unwrap();
    if !crate::stored::is_exact(&value) {
        return;
    }
    let again: Ask = serde_json::from_str(&turned(&value)).unwrap();
    assert_eq!((again.digest().unwrap(), &again), (digest, &ask), "the spelling changed the digest");
    for genuine in seeds::ask() {
        let genuine: Ask = serde_json::from_slice(&genuine).unwrap();
        assert_eq!(genuine.digest().unwrap() == digest, genuine == ask, "two asks under one digest");
        // Within is an order: two asks within each other want the same.
        let within = ask.is_within(&genuine, |_, _| false) && genuine.is_within(&ask, |_, _| false);
        assert!(!within || (ask.duration == genuine.duration && ask.beneficiary == genuine.beneficiary));
    }
}
