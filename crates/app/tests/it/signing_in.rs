//! One-time codes, passwords with TOTP, sessions, and tokens that are never taken for another kind.

use std::sync::Arc;

use tokio::task::JoinSet;
use totp_rs::{Builder, Secret as TotpSecret, Totp};
use wane_app::{AppError, Class, PersonChange};
use wane_domain::directory::Standing;
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_keys::token::BearerKind;

use crate::house::{House, mins};

const PASSWORD: &str = "four plain words here";

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

/// Somebody who can sign in.
struct Login {
    name: &'static str,
    totp: Totp,
}

impl Login {
    async fn of(house: &House, name: &'static str) -> Self {
        let code = code(house, name).await;
        let enrolled = house.app.enrol(&code, secret(PASSWORD)).await.unwrap();
        let bytes = TotpSecret::try_from_base32(enrolled.totp_secret.reveal().as_str()).unwrap();
        Self { name, totp: Builder::new().with_secret(bytes).with_account_name(name).build().unwrap() }
    }

    fn code(&self, house: &House) -> String {
        self.totp.generate(u64::try_from(house.app.now().seconds()).unwrap()).to_string()
    }

    /// Signs in with the next code; returns the token.
    async fn sign_in(&self, house: &House) -> String {
        house.advance(Span::from_secs(60));
        let code = self.code(house);
        house.app.sign_in(self.name, secret(PASSWORD), Some(&code)).await.unwrap().token.reveal().to_string()
    }
}

async fn code(house: &House, name: &str) -> String {
    let (code, _) = house.app.enrolment_code(&house.caller("root").await, name).await.unwrap();
    code.reveal().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_idle_when_old_and_when_it_is_ended() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let token = ann.sign_in(&house).await;
    let caller = house.app.authenticate(&token).await.unwrap();
    assert_eq!((caller.person, caller.proof.as_str()), (house.id("ann").await, "password+totp"));
    house.advance(mins(60));
    assert!(matches!(house.app.authenticate(&token).await, Err(AppError::SignedOut)), "idle for an hour");
    let token = ann.sign_in(&house).await;
    for _ in 0..9 {
        house.advance(mins(50));
        house.app.authenticate(&token).await.unwrap();
    }
    house.advance(mins(29));
    house.app.authenticate(&token).await.expect("a minute before eight hours");
    house.advance(mins(1));
    assert!(matches!(house.app.authenticate(&token).await, Err(AppError::SignedOut)), "eight hours, however busy");
    let token = ann.sign_in(&house).await;
    let caller = house.app.authenticate(&token).await.unwrap();
    house.app.sign_out(&caller).await.unwrap();
    assert!(matches!(house.app.authenticate(&token).await, Err(AppError::SignedOut)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_the_authenticator_counts_once() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let code = ann.code(&house);
    house.app.sign_in("ann", secret(PASSWORD), Some(&code)).await.unwrap();
    let again = house.app.sign_in("ann", secret(PASSWORD), Some(&code)).await;
    assert!(matches!(again, Err(AppError::BadSignIn)), "{again:?}");
    house.advance(Span::from_secs(60));
    let code = ann.code(&house);
    let both = (
        house.app.sign_in("ann", secret(PASSWORD), Some(&code)),
        house.app.sign_in("ann", secret(PASSWORD), Some(&code)),
    );
    let (one, other) = tokio::join!(both.0, both.1);
    assert!(one.is_ok() != other.is_ok(), "both or none at once: {one:?} {other:?}");
    for bad in ["", "12345", "1234567", " 12345", "12345a", "１２３４５６"] {
        house.advance(mins(20));
        let padded = house.app.sign_in("ann", secret(PASSWORD), Some(bad)).await;
        assert!(padded.is_err(), "`{bad}` was taken");
    }
    house.advance(mins(20));
    assert!(house.app.sign_in("ann", secret(PASSWORD), None).await.is_err(), "no code at all");
}

/// What is wrong is never said, and the door closes for people who exist and who do not.
#[tokio::test(flavor = "multi_thread")]
async fn five_failures_close_every_door_alike() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let mut told = Vec::new();
    // With a sign-in, without one, disabled, and nobody at all.
    let disabled = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
    house.app.change_person(&house.caller("root").await, "fay", &disabled).await.unwrap();
    for name in ["ann", "ben", "fay", "nobody", "No Name"] {
        let mut words = Vec::new();
        for _ in 0..5 {
            words.push(
                house.app.sign_in(name, secret("wrong wrong wrong"), Some("000000")).await.unwrap_err().to_string(),
            );
        }
        let mut waits = Vec::new();
        for _ in 0..10 {
            let error = house.app.sign_in(name, secret("wrong wrong wrong"), Some("000000")).await.unwrap_err();
            let AppError::Closed { until } = error else { panic!("`{name}`: the door is open: {error}") };
            waits.push(until.since(house.app.now()));
            house.clock.set(until);
            let open = house.app.sign_in(name, secret("wrong wrong wrong"), Some("000000")).await.unwrap_err();
            assert!(matches!(open, AppError::BadSignIn), "`{name}`: {open}");
        }
        assert!(waits.is_sorted() && waits[0] == Span::from_secs(5) && waits[9] == mins(15), "`{name}`: {waits:?}");
        told.push((words, waits));
    }
    assert!(told.iter().all(|t| *t == told[0]), "a door tells who exists: {told:?}");
    house.advance(mins(20));
    ann.sign_in(&house).await;
    let wrong = house.app.sign_in("ann", secret("wrong wrong wrong"), None).await.unwrap_err();
    assert!(matches!(wrong, AppError::BadSignIn), "a success did not open the door: {wrong}");
}

/// Asking faster passes no limit.
#[tokio::test(flavor = "multi_thread")]
async fn failures_in_one_instant_are_each_counted() {
    let house = Arc::new(House::new().await);
    Login::of(&house, "ann").await;
    let mut tasks = JoinSet::new();
    for _ in 0..40 {
        let house = Arc::clone(&house);
        tasks.spawn(async move { house.app.sign_in("ann", secret("wrong wrong wrong"), Some("000000")).await });
    }
    let errors = tasks.join_all().await.into_iter().map(Result::unwrap_err).collect::<Vec<_>>();
    let tried = errors.iter().filter(|e| matches!(e, AppError::BadSignIn)).count();
    // Two passwords are checked at once, so one more than five may be on its way when the door closes.
    assert!((5..=6).contains(&tried), "{tried} guesses in one instant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_code_serves_one_of_a_hundred() {
    let house = Arc::new(House::new().await);
    let code = code(&house, "ann").await;
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let (house, code) = (Arc::clone(&house), code.clone());
        tasks.spawn(async move { house.app.enrol(&code, secret(PASSWORD)).await });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    for error in results.iter().filter_map(|r| r.as_ref().err()) {
        assert!(matches!(error, AppError::SignedOut | AppError::Crowded), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_up_anew_ends_what_was_before() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let token = ann.sign_in(&house).await;
    let stray = code(&house, "ann").await;
    let old = ann.code(&house);
    Login::of(&house, "ann").await;
    assert!(house.app.authenticate(&token).await.is_err(), "a former session goes on");
    assert!(house.app.enrol(&stray, secret(PASSWORD)).await.is_err(), "a stray code undoes it");
    house.advance(Span::from_secs(60));
    assert!(house.app.sign_in("ann", secret(PASSWORD), Some(&old)).await.is_err());
    let late = code(&house, "ben").await;
    house.advance(Span::from_hours(24));
    assert!(house.app.enrol(&late, secret(PASSWORD)).await.is_err(), "a day old");
    for weak in ["short", "aaaaaaaaaaaaaaaa"] {
        let code = code(&house, "ben").await;
        let weak = house.app.enrol(&code, secret(weak)).await.unwrap_err();
        assert_eq!(weak.class(), Class::Invalid);
        house.app.enrol(&code, secret(PASSWORD)).await.expect("the code is not spent by a weak password");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_kind_never_serves_as_another() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let ann = Login::of(&house, "ann").await;
    let session = ann.sign_in(&house).await;
    let enrol = code(&house, "ben").await;
    let (join, _) = house.app.join_code(&root, "web1").await.unwrap();
    let join = join.reveal().to_string();
    let tokens = [(BearerKind::Session, &session), (BearerKind::Enrol, &enrol), (BearerKind::Join, &join)];
    for (kind, text) in tokens {
        for cut in [&text[1..], &text[..text.len() - 1], &format!("{text}="), &format!(" {text}"), &text.to_uppercase()]
        {
            assert!(house.app.authenticate(cut).await.is_err(), "`{cut}` was taken");
        }
        for other in [BearerKind::Session, BearerKind::Enrol, BearerKind::Join, BearerKind::Host] {
            // As it is, and dressed up as the other kind.
            let dressed = text.replacen(kind.letter(), other.letter(), 1);
            let forms = if kind == other { vec![] } else { vec![text.clone(), dressed] };
            for form in forms {
                let refused = match other {
                    BearerKind::Session => house.app.authenticate(&form).await.err(),
                    BearerKind::Enrol => house.app.enrol(&form, secret(PASSWORD)).await.err(),
                    BearerKind::Join => house.app.join_host(&form, &serde_json::json!({})).await.err(),
                    BearerKind::Host => house.app.authenticate_host(&form).await.err(),
                };
                assert!(matches!(refused, Some(AppError::SignedOut)), "{kind:?} as {other:?}: {refused:?}");
            }
        }
    }
    house.app.authenticate(&session).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_is_out_at_once_and_stays_out() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let token = ann.sign_in(&house).await;
    let root = house.caller("root").await;
    for standing in [Standing::Disabled, Standing::Active] {
        let change = PersonChange { standing: Some(standing), ..PersonChange::default() };
        house.app.change_person(&root, "ann", &change).await.unwrap();
        assert!(house.app.authenticate(&token).await.is_err(), "{standing:?}: a former session holds");
    }
    ann.sign_in(&house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_is_proved_again_only_by_the_same_person() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let token = ann.sign_in(&house).await;
    house.advance(mins(30));
    let caller = house.app.authenticate(&token).await.unwrap();
    assert!(caller.proof_age(house.app.now()) >= mins(30));
    let wrong = house.app.prove(&caller, secret("wrong wrong wrong"), Some(&ann.code(&house))).await;
    assert!(matches!(wrong, Err(AppError::BadSignIn)));
    house.app.prove(&caller, secret(PASSWORD), Some(&ann.code(&house))).await.unwrap();
    let caller = house.app.authenticate(&token).await.unwrap();
    assert_eq!(caller.proof_age(house.app.now()), Span::ZERO);
}
