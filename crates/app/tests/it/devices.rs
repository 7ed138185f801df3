//! Command lines that are signed in by a browser: once, by their code, and no longer than the browser is.

use wane_app::{AppError, Caller, DeviceAnswer, DeviceAsks, DeviceBegun};
use wane_audit::{Actor, Outcome};
use wane_domain::directory::Standing;
use wane_domain::time::{Span, Time};
use wane_store::RecordFilter;

use crate::faulty::Goes;
use crate::house::{House, mins};
use crate::signing_in::Login;

/// A command line that waits: what it asks with, its reference, its code.
struct Line {
    asks: String,
    reference: String,
    code: String,
}

impl Line {
    async fn waits(house: &House, peer: &str) -> Self {
        Self::of(house.app.begin_device(peer.parse().ok(), "wane 1 on box", DeviceAsks::SignIn).await.unwrap())
    }

    fn of(begun: DeviceBegun) -> Self {
        let reference = begun.link.rsplit('/').next().unwrap().to_owned();
        assert!(!begun.link.contains(&begun.code), "the link alone is not enough");
        Self { asks: begun.device_code.reveal().to_string(), reference, code: begun.code }
    }

    async fn asks(&self, house: &House) -> Result<DeviceAnswer, AppError> {
        house.app.ask_device(&self.asks).await
    }

    async fn confirmed(&self, house: &House, by: &Caller) -> Result<(), AppError> {
        house.app.confirm_device(by, &self.reference, &self.code).await
    }
}

async fn signed_in(house: &House, login: &Login) -> Caller {
    let token = login.sign_in(house).await;
    house.app.authenticate(&token).await.unwrap()
}

fn token(answer: DeviceAnswer) -> String {
    let DeviceAnswer::SignedIn(session) = answer else { panic!("{answer:?}") };
    session.token.reveal().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_for_a_command_line_is_given_after_it_asked() {
    let house = House::new().await;
    let login = Login::of(&house, "ann").await;
    let before = signed_in(&house, &login).await;
    house.advance(mins(2));
    let begun = house.app.begin_device("192.0.2.7".parse().ok(), "wane 1 on box", DeviceAsks::Proof).await.unwrap();
    let line = Line::of(begun);
    let shown = house.app.device(&before, &line.reference).unwrap();
    assert!(shown.unproved && shown.asks == DeviceAsks::Proof);
    // A provider's clock may be a minute behind, and no more.
    for (behind, unproved) in [(60_000_000, false), (60_000_001, true)] {
        let proved = Time::from_micros(house.app.now().micros() - behind);
        let seen = house.app.device(&Caller { proved, ..before.clone() }, &line.reference).unwrap();
        assert_eq!(seen.unproved, unproved, "{behind} µs behind");
    }
    let refused = line.confirmed(&house, &before).await;
    assert!(matches!(refused, Err(AppError::Invalid { .. })), "an older proof was handed on: {refused:?}");
    let after = signed_in(&house, &login).await;
    assert!(!house.app.device(&after, &line.reference).unwrap().unproved);
    line.confirmed(&house, &after).await.unwrap();
    house.advance(Span::from_secs(5));
    let session = house.app.authenticate(&token(line.asks(&house).await.unwrap())).await.unwrap();
    assert_eq!(session.proved, after.proved);
    // Who only wants to be signed in takes what there is.
    let line = Line::waits(&house, "192.0.2.7").await;
    assert!(!house.app.device(&before, &line.reference).unwrap().unproved);
    line.confirmed(&house, &before).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_is_signed_in_once_by_its_code() {
    let house = House::new().await;
    let (ann, other) = (Login::of(&house, "ann").await, Login::of(&house, "ben").await);
    let (ann, bob) = (signed_in(&house, &ann).await, signed_in(&house, &other).await);
    house.advance(mins(7));
    let (line, second) = (Line::waits(&house, "192.0.2.7").await, Line::waits(&house, "192.0.2.7").await);
    assert_ne!(line.code, second.code);
    assert!(matches!(line.asks(&house).await, Ok(DeviceAnswer::Wait(_) | DeviceAnswer::SlowDown(_))));

    let shown = house.app.device(&ann, &line.reference).unwrap();
    assert_eq!((shown.peer, shown.client.as_str()), ("192.0.2.7".parse().ok(), "wane 1 on box"));
    for (reference, code) in
        [(&line.reference, &second.code), (&second.reference, &line.code), (&line.reference, &String::new())]
    {
        assert!(matches!(house.app.confirm_device(&ann, reference, code).await, Err(AppError::Invalid { .. })));
    }
    for wrong in ["wane_d_x", &second.asks[..second.asks.len() - 1], "", &line.reference] {
        assert!(house.app.ask_device(wrong).await.is_err(), "{wrong}");
    }
    house.app.confirm_device(&ann, &line.reference, &line.code.to_lowercase().replace('-', " ")).await.unwrap();
    assert!(matches!(line.confirmed(&house, &bob).await, Err(AppError::Taken(_))), "answered");
    assert!(matches!(house.app.refuse_device(&ann, &line.reference).await, Err(AppError::Taken(_))), "answered");

    let both = tokio::join!(line.asks(&house), line.asks(&house));
    let won: Vec<_> = [both.0, both.1].into_iter().flatten().collect();
    assert_eq!(won.len(), 1, "one confirmation is one session");
    let session = house.app.authenticate(&token(won.into_iter().next().unwrap())).await.unwrap();
    assert_eq!((session.person, &session.proof), (ann.person, &ann.proof));
    assert_eq!(session.proved, ann.proved, "to confirm proves nothing new");
    assert_eq!(session.expires, ann.expires, "nor does it make anything last longer");
    assert!(line.asks(&house).await.is_err(), "a second time");
    assert!(matches!(second.asks(&house).await, Ok(DeviceAnswer::Wait(_) | DeviceAnswer::SlowDown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_late_or_of_a_session_that_is_over_signs_nobody_in() {
    let house = House::new().await;
    let login = Login::of(&house, "ann").await;
    let ann = signed_in(&house, &login).await;
    let refused = Line::waits(&house, "192.0.2.7").await;
    house.app.refuse_device(&ann, &refused.reference).await.unwrap();
    assert!(matches!(refused.asks(&house).await, Err(AppError::NotSignedIn(_))));

    let guessed = Line::waits(&house, "192.0.2.7").await;
    for _ in 0..5 {
        house.app.confirm_device(&ann, &guessed.reference, "BBBB-BBBB").await.unwrap_err();
    }
    assert!(guessed.confirmed(&house, &ann).await.is_err(), "guessing ends it");
    assert!(guessed.asks(&house).await.is_err());

    let late = Line::waits(&house, "192.0.2.7").await;
    house.advance(mins(10));
    assert!(late.confirmed(&house, &ann).await.is_err());
    assert!(late.asks(&house).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_hands_nothing_on() {
    let house = House::new().await;
    let login = Login::of(&house, "ann").await;
    let ann = signed_in(&house, &login).await;
    let old = Line::waits(&house, "192.0.2.7").await;
    old.confirmed(&house, &ann).await.unwrap();
    house.clock.advance(mins(9));
    let person = wane_app::PersonChange { standing: Some(Standing::Disabled), ..wane_app::PersonChange::default() };
    let root = house.caller("root").await;
    house.app.change_person(&root, "ann", &person).await.unwrap();
    assert!(matches!(old.asks(&house).await, Err(AppError::NotSignedIn(_))), "disabled meanwhile");
    let person = wane_app::PersonChange { standing: Some(Standing::Active), ..wane_app::PersonChange::default() };
    house.app.change_person(&root, "ann", &person).await.unwrap();

    let ann = signed_in(&house, &login).await;
    let over = Line::waits(&house, "192.0.2.7").await;
    over.confirmed(&house, &ann).await.unwrap();
    house.app.sign_out(&ann).await.unwrap();
    assert!(matches!(over.asks(&house).await, Err(AppError::NotSignedIn(_))), "the browser signed out before");

    let ann = signed_in(&house, &login).await;
    house.clock.advance(ann.expires.minus(mins(2)).since(house.app.now()));
    let late = Line::waits(&house, "192.0.2.7").await;
    late.confirmed(&house, &ann).await.unwrap();
    house.clock.advance(mins(2));
    assert!(matches!(late.asks(&house).await, Err(AppError::NotSignedIn(_))), "the session ran out before");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_soon_is_told_to_ask_less_and_those_who_wait_are_bounded() {
    let house = House::new().await;
    let line = Line::waits(&house, "192.0.2.7").await;
    house.advance(Span::from_secs(2));
    let Ok(DeviceAnswer::Wait(interval)) = line.asks(&house).await else { panic!("in time") };
    let Ok(DeviceAnswer::SlowDown(slower)) = line.asks(&house).await else { panic!("too soon") };
    assert_eq!(slower.secs(), interval.secs() + 5);
    house.advance(slower);
    assert!(matches!(line.asks(&house).await, Ok(DeviceAnswer::Wait(_))));
    for n in 0..15 {
        house.app.begin_device("192.0.2.7".parse().ok(), &n.to_string(), DeviceAsks::SignIn).await.unwrap();
    }
    assert!(matches!(
        house.app.begin_device("192.0.2.7".parse().ok(), "", DeviceAsks::SignIn).await,
        Err(AppError::Crowded)
    ));
    house.app.begin_device("192.0.2.8".parse().ok(), "", DeviceAsks::SignIn).await.unwrap();
    house.advance(mins(10));
    for n in 0..16 {
        let next = house.app.begin_device("192.0.2.7".parse().ok(), "", DeviceAsks::SignIn).await;
        assert!(next.is_ok(), "those whose time is over are counted: {n} {next:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_may_come_out_a_quarter_of_a_second_short() {
    let house = House::new().await;
    for (short, in_time) in [(250_000, true), (250_001, false)] {
        let line = Line::waits(&house, "192.0.2.7").await;
        house.advance(Span::from_micros(2_000_000 - short));
        let told = line.asks(&house).await.unwrap();
        assert_eq!(matches!(told, DeviceAnswer::Wait(_)), in_time, "{short} µs short: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_command_line_is_on_record() {
    let house = House::new().await;
    let login = Login::of(&house, "ann").await;
    let ann = signed_in(&house, &login).await;
    let (yes, no) = (Line::waits(&house, "192.0.2.7").await, Line::waits(&house, "192.0.2.7").await);
    house.app.confirm_device(&ann, &yes.reference, "BBBB-BBBB").await.unwrap_err();
    yes.confirmed(&house, &ann).await.unwrap();
    house.app.refuse_device(&ann, &no.reference).await.unwrap();
    // It says of itself what fits, and what does not fit is not kept.
    for (chars, fits) in [(256, true), (257, false)] {
        let said = house.app.begin_device(None, &"ä".repeat(chars), DeviceAsks::Proof).await;
        assert!(said.is_ok() == fits && (fits || matches!(said, Err(AppError::Invalid { .. }))), "{chars}: {said:?}");
    }
    let records = house.records(RecordFilter { event: Some("device.".to_owned()), ..RecordFilter::default() }).await;
    let told: Vec<_> = records.iter().map(|r| (r.event.as_str(), r.outcome, r.actor.clone())).collect();
    let of_ann = || Actor::Person(ann.person);
    let wanted = [
        ("device.asked", Outcome::Done, Actor::Unknown),
        ("device.asked", Outcome::Done, Actor::Unknown),
        ("device.mistaken", Outcome::Denied, of_ann()),
        ("device.confirmed", Outcome::Done, of_ann()),
        ("device.refused", Outcome::Denied, of_ann()),
        ("device.asked", Outcome::Done, Actor::Unknown),
    ];
    assert_eq!(told, wanted);
    let shown = serde_json::json!({ "peer": "192.0.2.7", "client": "wane 1 on box", "wants": "sign_in" });
    for place in [0, 1, 3, 4] {
        assert_eq!(records[place].detail, shown, "{}", records[place].event);
    }
    assert_eq!(records[5].detail["wants"], "proof");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_that_could_not_be_written_down_takes_no_room() {
    let house = House::new().await;
    house.door.writes(Goes::Failing);
    for n in 0..16 {
        let begun = house.app.begin_device("192.0.2.7".parse().ok(), "wane 1 on box", DeviceAsks::SignIn).await;
        assert!(matches!(begun, Err(AppError::Store(_))), "{n}: {begun:?}");
    }
    house.door.writes(Goes::Well);
    Line::waits(&house, "192.0.2.7").await;
}
