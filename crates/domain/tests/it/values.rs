//! Small values that everything rests on: moments, spans, digests, the two ambient powers, and the
//! words people read for what happened.

use std::sync::{Arc, Mutex};

use serde_json::json;
use wane_domain::ambient::{Ambient, Clock, Entropy};
use wane_domain::canonical::Digest;
use wane_domain::closure::EndCause;
use wane_domain::id::{GrantId, TypedId};
use wane_domain::secret::{Secret, SecretOnce};
use wane_domain::terms::{Approvers, Later, Stage};
use wane_domain::text::{Name, Reason};
use wane_domain::time::{Span, Time};

use crate::fixtures::{T0, id, person};

#[test]
fn moments_and_spans_add_up_and_stop_at_the_far_end() {
    let (second, far) = (Span::from_secs(1), Time::from_micros(i64::MAX));
    assert_eq!(T0.plus(second).micros(), T0.micros() + 1_000_000);
    assert_eq!(T0.minus(second).micros(), T0.micros() - 1_000_000);
    assert_eq!(T0.plus(second).since(T0), second);
    assert_eq!(T0.since(T0.plus(second)), Span::ZERO, "no time is less than none");
    assert_eq!(far.plus(second), far);
    assert_eq!(T0.plus(Span::from_micros(u64::MAX)), far);
    assert_eq!(Time::from_micros(i64::MIN).minus(second), Time::from_micros(i64::MIN));
    assert_eq!(Time::from_micros(1_999_999).seconds(), 1);
    assert_eq!(Time::from_micros(-1).seconds(), -1, "rounded down, before 1970 too");
    for (span, micros) in [
        (Span::ZERO, 0),
        (Span::from_micros(7), 7),
        (Span::from_secs(2), 2_000_000),
        (Span::from_mins(2), 120_000_000),
        (Span::from_hours(2), 7_200_000_000),
        (Span::from_hours(u64::MAX), u64::MAX),
    ] {
        assert_eq!(span.micros(), micros);
        assert_eq!(span.secs(), micros / 1_000_000);
        assert_eq!(span.to_std(), std::time::Duration::from_micros(micros));
    }
    assert_eq!("1ms".parse::<Span>().unwrap().micros(), 1_000);
    assert!("0s".parse::<Span>().is_err() && "-1s".parse::<Span>().is_err());
}

#[test]
fn a_digest_has_one_spelling_and_a_short_one_for_people() {
    let digest = Digest::of_bytes("wane.test", b"x");
    let text = digest.to_string();
    assert_eq!(text.len(), 64);
    assert_eq!(digest.short(), text[..12]);
    assert_eq!(text.parse::<Digest>().unwrap(), digest);
    assert_eq!(serde_json::from_value::<Digest>(json!(text)).unwrap(), digest);
    assert_eq!(data_encoding::HEXLOWER.encode(digest.as_bytes()), text);
    for bad in [text.to_uppercase(), text[1..].to_owned(), format!("{text}00"), format!(" {text}")] {
        assert!(bad.parse::<Digest>().is_err(), "{bad}");
    }
    assert_ne!(digest, Digest::of_bytes("wane.test2", b"x"), "the domain is part of it");
}

/// Stands, and writes down what it is told.
#[derive(Default)]
struct Still {
    saw: Mutex<Vec<Time>>,
    let_stand: Mutex<u32>,
}
impl Clock for Still {
    fn now(&self) -> Time {
        T0
    }
    fn behind(&self) -> Span {
        Span::from_secs(3)
    }
    fn saw(&self, at: Time) {
        self.saw.lock().unwrap().push(at);
    }
    fn let_stand(&self) {
        *self.let_stand.lock().unwrap() += 1;
    }
}

/// Counts up, so that every byte asked for can be told from one that was not filled.
struct Counting;
impl Entropy for Counting {
    fn fill(&self, buf: &mut [u8]) {
        (10..).zip(buf).for_each(|(n, byte)| *byte = n);
    }
}

#[test]
fn the_ambient_powers_are_passed_on_unchanged() {
    let clock = Arc::new(Still::default());
    let ambient = Ambient::new(clock.clone(), Arc::new(Counting));
    assert_eq!((ambient.now(), ambient.behind()), (T0, Span::from_secs(3)));
    ambient.saw(T0.plus(Span::from_secs(1)));
    assert_eq!(
        (clock.saw.lock().unwrap().clone(), *clock.let_stand.lock().unwrap()),
        (vec![T0.plus(Span::from_secs(1))], 0)
    );
    ambient.let_stand();
    assert_eq!((clock.saw.lock().unwrap().len(), *clock.let_stand.lock().unwrap()), (1, 1));
    assert_eq!(ambient.bytes::<4>(), [10, 11, 12, 13]);
    let mut buf = [0; 3];
    ambient.fill(&mut buf);
    assert_eq!(buf, [10, 11, 12]);
    assert_eq!(ambient.id::<GrantId>(), GrantId::mint(T0, &ambient.bytes()));
}

#[test]
fn the_words_for_an_end_are_these() {
    let (by, reason) = (person(1), "r".to_owned());
    for (cause, word) in [
        (EndCause::Expired, "expired"),
        (EndCause::Returned, "returned"),
        (EndCause::Revoked { by, reason: reason.clone() }, "revoked"),
        (EndCause::DeniedAfterApproval { by, reason: reason.clone() }, "denied after approval"),
        (EndCause::Locked { lock: "l".to_owned() }, "locked"),
        (EndCause::LostEligibility { reason }, "lost eligibility"),
        (EndCause::NeverActivated, "never activated"),
    ] {
        assert_eq!(cause.name(), word);
    }
}

#[test]
fn text_and_secrets_come_out_as_they_went_in() {
    let name: Name = "web1".parse().unwrap();
    let borrowed: &str = std::borrow::Borrow::borrow(&name);
    assert_eq!(
        (name.as_str(), name.as_ref(), borrowed, String::from(name.clone())),
        ("web1", "web1", "web1", "web1".to_owned())
    );
    assert_eq!(SecretOnce::new("s".to_owned()).reveal().as_str(), "s");
    let secret = Secret::new(vec![0x66, 0xff]);
    assert_eq!((secret.expose(), secret.expose_str()), (&[0x66, 0xff][..], None));
    assert_eq!(Secret::new(b"f".to_vec()).expose_str(), Some("f"));
    assert_eq!(id::<GrantId>(1).suffix(), id::<GrantId>(1).to_string()["grt_".len()..]);
    assert!("x".repeat(4096).parse::<Reason>().is_ok() && "x".repeat(4097).parse::<Reason>().is_err());
    assert!("a".repeat(63).parse::<Name>().is_ok() && "a".repeat(64).parse::<Name>().is_err());
}

#[test]
fn a_stage_says_who_approves_and_who_is_asked_later() {
    let group = |name: &str| Approvers::Group(name.parse().unwrap());
    let later = Later { after: Span::from_mins(30), approvers: vec![Approvers::Manager, group("ops")] };
    for (quorum, approvers, later, says) in [
        (1, vec![Approvers::Owner], vec![], "1 of owner"),
        (2, vec![Approvers::Person("ann".parse().unwrap()), group("dba")], vec![], "2 of person:ann, group:dba"),
        (1, vec![Approvers::Owner], vec![later], "1 of owner, or after 30m also manager, group:ops"),
    ] {
        assert_eq!(Stage { quorum, approvers, later }.to_string(), says);
    }
}
