//! What the book of waiting logins holds to.

use futures::FutureExt as _;
use wane_domain::id::TokenId;
use wane_testkit::FakeClock;

use super::*;

fn to(login: &str) -> Goal {
    Goal::Session { resource: "web-1".to_owned(), login: login.to_owned() }
}

fn who(peer: &str) -> Arriving {
    Arriving { goal: to("deploy"), peer: peer.parse().unwrap(), client: "SSH-2.0-OpenSSH_9.9".to_owned() }
}

fn maya(ambient: &Ambient) -> Caller {
    let now = ambient.now();
    Caller {
        person: ambient.id(),
        name: "maya".parse().unwrap(),
        token: Some(ambient.id::<TokenId>()),
        proved: now,
        proof: "password+totp".to_owned(),
        expires: now.plus(Span::from_hours(8)),
        job: None,
    }
}

#[test]
fn a_login_is_confirmed_once_by_its_code() {
    let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
    let (ambient, book) = (clock.ambient(1), Arrivals::default());
    let (now, caller) = (ambient.now(), maya(&ambient));
    let (id, code) = book.enter(who("192.0.2.7"), &ambient, "one".to_owned()).unwrap();
    let (_, other) = book.enter(who("192.0.2.7"), &ambient, "two".to_owned()).unwrap();
    assert_ne!(code, other);
    let claim = |reference: &str, code: &str, now| book.claim(reference, code, caller.person, now).map(|_| ());
    assert_eq!(claim("three", &code, now), Err(NotThere::Gone));
    assert_eq!(claim("one", &other, now), Err(NotThere::Mistaken { left: 4 }), "the code of another login");
    assert_eq!(claim("one", "", now), Err(NotThere::Mistaken { left: 3 }));
    assert_eq!(claim("one", &format!("{code}B"), now), Err(NotThere::Mistaken { left: 2 }));
    assert_eq!(claim("one", &code, now.plus(Span::from_mins(5))), Err(NotThere::Gone), "too late");
    let typed = code.to_lowercase().replace('-', " ");
    assert_eq!(claim("one", &typed, now), Ok(()), "as people type");
    assert_eq!(claim("one", &code, now), Err(NotThere::Answered));
    assert_eq!(book.refuse("one", caller.person, now).map(|_| ()), Err(NotThere::Answered));
    book.put(id, Stage::Confirmed(caller.clone()));
    assert_eq!(claim("one", &code, now), Err(NotThere::Answered));
}

#[test]
fn guessing_ends_a_login() {
    let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
    let (ambient, book) = (clock.ambient(1), Arrivals::default());
    let (now, caller) = (ambient.now(), maya(&ambient));
    let (id, code) = book.enter(who("192.0.2.7"), &ambient, "one".to_owned()).unwrap();
    for left in (0..5).rev() {
        let said = book.claim("one", "BBBB-BBBB", caller.person, now).map(|_| ());
        assert_eq!(said, Err(NotThere::Mistaken { left }), "not the code {code}");
    }
    assert_eq!(book.claim("one", &code, caller.person, now).map(|_| ()), Err(NotThere::Gone));
    assert!(matches!(book.get(id).unwrap().stage, Stage::Over(_)));
}

#[test]
fn one_confirmation_is_one_session() {
    let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
    let (ambient, book) = (clock.ambient(1), Arrivals::default());
    let (caller, grant, other) = (maya(&ambient), ambient.id(), ambient.id());
    let ready = || {
        let (id, _) = book.enter(who("192.0.2.7"), &ambient, ambient.id::<TokenId>().to_string()).unwrap();
        book.put(id, Stage::Ready(caller.clone(), grant));
        id
    };
    let id = ready();
    assert!(book.take(id, grant, &who("192.0.2.8")).is_none(), "another address");
    assert!(book.take(id, grant, &Arriving { goal: to("root"), ..who("192.0.2.7") }).is_none());
    assert_eq!(book.take(id, grant, &who("192.0.2.7")).unwrap().person, caller.person);
    assert!(book.take(id, grant, &who("192.0.2.7")).is_none(), "twice");
    assert!(book.take(ready(), other, &who("192.0.2.7")).is_none(), "another grant");
    let (unconfirmed, _) = book.enter(who("192.0.2.7"), &ambient, "x".to_owned()).unwrap();
    assert!(book.take(unconfirmed, grant, &who("192.0.2.7")).is_none());
}

#[test]
fn a_login_of_somebody_known_is_answered_by_nobody_else() {
    let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
    let (ambient, book) = (clock.ambient(1), Arrivals::default());
    let (now, caller, other) = (ambient.now(), maya(&ambient), maya(&ambient).person);
    let id = book.enter_known(who("192.0.2.7"), caller.clone(), &ambient, "one".to_owned()).unwrap();
    let (_, code) = book.ask_again(id, now).unwrap();
    assert_eq!(book.open("one", other, now).map(|_| ()), Err(NotThere::Gone));
    assert_eq!(book.claim("one", &code, other, now).map(|_| ()), Err(NotThere::Gone));
    assert_eq!(book.refuse("one", other, now).map(|_| ()), Err(NotThere::Gone));
    assert_eq!(book.open("one", caller.person, now).map(|_| ()), Ok(()));
    assert_eq!(book.claim("one", &code, caller.person, now).map(|_| ()), Ok(()));
}

#[test]
fn whoever_waits_hears_of_an_answer() {
    let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
    let (ambient, book) = (clock.ambient(1), Arrivals::default());
    let (id, _) = book.enter(who("192.0.2.7"), &ambient, "one".to_owned()).unwrap();
    let arrival = book.get(id).unwrap();
    assert!(arrival.heard().now_or_never().is_none(), "nobody answered");
    book.put(id, Stage::Confirmed(maya(&ambient)));
    arrival.heard().now_or_never().unwrap();
}

#[test]
fn those_who_wait_are_bounded() {
    let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
    let (ambient, book) = (clock.ambient(1), Arrivals::default());
    let enter = |peer: &str| book.enter(who(peer), &ambient, ambient.id::<TokenId>().to_string());
    let first = enter("2001:db8::1").unwrap().0;
    for n in 1..16 {
        enter(&format!("2001:db8::{n}")).unwrap();
    }
    assert!(enter("2001:db8::ffff").is_none(), "one network");
    book.put(first, Stage::Confirmed(maya(&ambient)));
    enter("2001:db8::ffff").unwrap();
    let mut entered = 17;
    for n in 0..2000u32 {
        entered += usize::from(enter(&IpAddr::V4((0xC000_0200 + n).into()).to_string()).is_some());
    }
    assert_eq!(entered, 1000, "all together");
    book.strike(first).unwrap();
    enter("198.51.100.1").unwrap();
    let caller = maya(&ambient);
    let waiting: Vec<ArrivalId> = book.book().keys().copied().collect();
    for id in waiting.iter().take(8) {
        book.put(*id, Stage::Confirmed(caller.clone()));
    }
    let next = book.get(waiting[8]).unwrap();
    let said = book.claim(&next.reference, &shown(next.code), caller.person, ambient.now()).map(|_| ());
    assert_eq!(said, Err(NotThere::TooMany), "one person");
}
