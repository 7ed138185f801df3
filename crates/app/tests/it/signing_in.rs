//! One-time codes, passwords with TOTP, sessions, and tokens that are never taken for another kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::task::JoinSet;
use totp_rs::{Builder, Secret as TotpSecret, Totp};
use wane_app::{AppError, Class, Limits, PersonChange};
use wane_domain::directory::{DirectoryRules, Standing};
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_keys::password::Cost;
use wane_keys::token::BearerKind;
use wane_store::{RecordFilter, Store as _};

use crate::faulty::Goes;
use crate::house::{House, limits, mins};

pub(crate) const PASSWORD: &str = "four plain words here";

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

/// Somebody who can sign in.
pub(crate) struct Login {
    name: &'static str,
    totp: Totp,
}

impl Login {
    pub(crate) async fn of(house: &House, name: &'static str) -> Self {
        let code = code(house, name).await;
        // A weak password is refused, and spends nothing.
        for weak in ["short", "aaaaaaaaaaaaaaaa"] {
            let refused = house.app.enrol(&code, secret(weak)).await;
            assert!(matches!(refused, Err(AppError::Invalid { .. })), "`{weak}` is a password");
        }
        let enrolled = house.app.enrol(&code, secret(PASSWORD)).await.unwrap();
        let bytes = TotpSecret::try_from_base32(enrolled.totp_secret.reveal().as_str()).unwrap();
        Self { name, totp: Builder::new().with_secret(bytes).with_account_name(name).build().unwrap() }
    }

    pub(crate) fn code(&self, house: &House) -> String {
        self.totp.generate(u64::try_from(house.app.now().seconds()).unwrap()).to_string()
    }

    /// Tries to sign in with the code of the moment.
    pub(crate) async fn try_sign_in(&self, house: &House) -> Result<wane_app::SignedIn, AppError> {
        house.app.sign_in(self.name, secret(PASSWORD), Some(&self.code(house))).await
    }

    /// Signs in with the next code; returns the token.
    pub(crate) async fn sign_in(&self, house: &House) -> String {
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

/// When a session was last used is kept to the minute, and is not written more often.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_session_is_written_down_once_a_minute() {
    let house = House::new().await;
    let token = Login::of(&house, "ann").await.sign_in(&house).await;
    let head = house.store_head().await;
    for (later, written) in [(59, 0), (1, 1), (59, 1), (1, 2)] {
        house.advance(Span::from_secs(later));
        house.app.authenticate(&token).await.unwrap();
        assert_eq!(house.store_head().await - head, written);
    }
}

/// Failures count in a row: whoever comes in begins anew, with every one of the free ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_forgets_the_failures_before_it() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    for round in ["at first", "after four and a sign-in", "after five and a sign-in"] {
        for _ in 0..4 {
            let wrong = house.app.sign_in("ann", secret("wrong wrong wrong"), None).await.unwrap_err();
            assert!(matches!(wrong, AppError::BadSignIn), "{round}: {wrong}");
        }
        if round == "after four and a sign-in" {
            house.app.sign_in("ann", secret("wrong wrong wrong"), None).await.unwrap_err();
        }
        ann.sign_in(&house).await;
        let kept = house.store.login(house.id("ann").await).await.unwrap().unwrap().value;
        assert_eq!((kept.failures, kept.closed_until), (0, None), "{round}");
    }
}

/// Whoever would end something is let in although their session's last use cannot be written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_holds_while_the_store_cannot_be_used() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let token = ann.sign_in(&house).await;
    house.app.authenticate(&token).await.unwrap();
    house.door.writes(Goes::Failing);
    house.advance(mins(2));
    house.app.authenticate(&token).await.expect("a store that cannot be written");
    house.door.reads(Goes::Failing);
    house.app.authenticate(&token).await.expect("a store that cannot be read");
    let other = house.app.authenticate(&token.replace(&token[token.len() - 4..], "AAAA")).await;
    assert!(other.is_err(), "any token is taken");
    house.advance(mins(60));
    assert!(
        matches!(house.app.authenticate(&token).await, Err(AppError::SignedOut)),
        "a session outlives its idle time"
    );
    house.door.all(Goes::Well);
    let token = ann.sign_in(&house).await;
    let caller = house.app.authenticate(&token).await.unwrap();
    house.app.sign_out(&caller).await.unwrap();
    house.door.reads(Goes::Failing);
    assert!(house.app.authenticate(&token).await.is_err(), "a session that was ended is remembered");
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
            let AppError::Closed { until, .. } = error else { panic!("`{name}`: the door is open: {error}") };
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
    let caller = house.app.authenticate(&session).await.unwrap();
    let recovery = house.app.new_recovery_codes(&caller).await.unwrap().remove(0).reveal().to_string();
    let rules = DirectoryRules {
        name: "userName".to_owned(),
        display: "displayName".to_owned(),
        attributes: BTreeMap::new(),
        groups: BTreeMap::new(),
        sign_in: None,
    };
    let (_, directory) = house.app.add_directory(&root, &"corp".parse().unwrap(), &rules).await.unwrap();
    let directory = directory.reveal().to_string();
    let tokens = [
        (BearerKind::Session, &session),
        (BearerKind::Enrol, &enrol),
        (BearerKind::Join, &join),
        (BearerKind::Recovery, &recovery),
        (BearerKind::Directory, &directory),
    ];
    for (kind, text) in tokens {
        for cut in [&text[1..], &text[..text.len() - 1], &format!("{text}="), &format!(" {text}"), &text.to_uppercase()]
        {
            assert!(house.app.authenticate(cut).await.is_err(), "`{cut}` was taken");
        }
        for other in BearerKind::ALL {
            // As it is, and dressed up as the other kind.
            let dressed = text.replacen(kind.letter(), other.letter(), 1);
            let forms = if kind == other { vec![] } else { vec![text.clone(), dressed] };
            for form in forms {
                let refused = match other {
                    BearerKind::Session => house.app.authenticate(&form).await.err(),
                    BearerKind::Enrol => house.app.enrol(&form, secret(PASSWORD)).await.err(),
                    BearerKind::Join => house.app.join_host(&form, &serde_json::json!({})).await.err(),
                    BearerKind::Host => house.app.authenticate_host(&form).await.err(),
                    BearerKind::Recovery => house.app.redeem_recovery(&form).await.err(),
                    BearerKind::Directory => house.app.authenticate_directory(&form).await.err(),
                    BearerKind::Job => house.app.authenticate_job(&form).await.err(),
                };
                assert!(
                    matches!(refused, Some(AppError::SignedOut | AppError::BadSignIn)),
                    "{kind:?} as {other:?}: {refused:?}"
                );
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
    let proved = house.app.prove(&caller, secret(PASSWORD), Some(&ann.code(&house))).await.unwrap();
    assert_eq!(proved.expires, caller.expires, "a proof makes no session longer");
    let again = house.app.authenticate(proved.token.reveal().as_str()).await.unwrap();
    assert_eq!(again.proof_age(house.app.now()), Span::ZERO);
}

/// Whoever knew the token before the proof, by whatever way, has nothing in hand after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_identity_changes_the_token() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let token = ann.sign_in(&house).await;
    house.advance(mins(5));
    let caller = house.app.authenticate(&token).await.unwrap();
    let fresh = house.app.prove(&caller, secret(PASSWORD), Some(&ann.code(&house))).await.unwrap().token.reveal();
    assert!(matches!(house.app.authenticate(&token).await, Err(AppError::SignedOut)), "the former token holds");
    let now = house.app.authenticate(&fresh).await.unwrap();
    assert_ne!(now.token, caller.token);
    // A call that began under the former token proves nothing for it any more.
    house.advance(mins(1));
    let late = house.app.prove(&caller, secret(PASSWORD), Some(&ann.code(&house))).await;
    assert!(matches!(late, Err(AppError::SignedOut)), "{late:?}");
    house.app.sign_out(&now).await.unwrap();
    assert!(house.app.authenticate(&fresh).await.is_err());
}

/// Whoever tries, and whatever is wrong, one hash is made; the closed door is no shorter way.
#[tokio::test(flavor = "multi_thread")]
async fn every_try_costs_one_hash() {
    let house = House::new().await;
    let root = house.caller("root").await;
    for who in ["ann", "fay", "mia"] {
        Login::of(&house, who).await;
    }
    let disabled = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
    house.app.change_person(&root, "fay", &disabled).await.unwrap();
    let long = "x".repeat(2000);
    for name in ["ann", "fay", "ben", "nobody", "Ann", " ann", "", "a\0b", "mia"] {
        for password in ["wrong wrong wrong", PASSWORD, "", &long] {
            for code in [None, Some("000000"), Some("")] {
                let before = house.app.password_hashes();
                let tried = house.app.sign_in(name, secret(password), code).await;
                assert!(tried.is_err(), "{name:?}");
                assert_eq!(house.app.password_hashes() - before, 1, "{name:?} {code:?}: {tried:?}");
            }
        }
    }
}

/// There is one spelling of each name: no other signs in, and none opens a second count.
#[tokio::test(flavor = "multi_thread")]
async fn no_other_spelling_reaches_an_account() {
    let house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let other = ["Ann", "ANN", " ann", "ann ", "ａｎｎ", "an\u{200b}n", "аnn", "ann@x", "ann\0", "a\u{301}nn", "ann\n"];
    for name in other {
        house.advance(Span::from_secs(60));
        let code = ann.code(&house);
        let signed_in = house.app.sign_in(name, secret(PASSWORD), Some(&code)).await;
        assert!(matches!(signed_in, Err(AppError::BadSignIn)), "{name:?}: {signed_in:?}");
    }
    // Twelve failures under other spellings count against nobody; five under the name close its door.
    ann.sign_in(&house).await;
    for _ in 0..5 {
        house.app.sign_in("ann", secret("wrong wrong wrong"), None).await.unwrap_err();
    }
    house.advance(Span::from_secs(1));
    let closed = house.app.sign_in("ann", secret(PASSWORD), Some(&ann.code(&house))).await;
    assert!(matches!(closed, Err(AppError::Closed { .. })), "{closed:?}");
}

/// A hash made when less work was asked is made again with today's at the next sign-in.
#[tokio::test(flavor = "multi_thread")]
async fn a_weak_hash_is_made_strong_at_the_next_sign_in() {
    let mut house = House::new().await;
    let ann = Login::of(&house, "ann").await;
    let id = house.id("ann").await;
    let weak = house.store.login(id).await.unwrap().unwrap().value.password;
    house.reopen_with(Cost::Standard, limits());
    ann.sign_in(&house).await;
    let strong = house.store.login(id).await.unwrap().unwrap().value.password;
    assert!(weak.contains("m=64,t=1") && strong.contains("m=65536,t=3"), "{weak} {strong}");
    ann.sign_in(&house).await;
    assert_eq!(house.store.login(id).await.unwrap().unwrap().value.password, strong, "made again for nothing");
    let proved = RecordFilter { event: Some("login.proved".to_owned()), ..RecordFilter::default() };
    let rehashed: Vec<_> = house.records(proved).await.iter().map(|r| r.detail["rehashed"].as_bool()).collect();
    assert_eq!(rehashed, [Some(true), Some(false)], "the log says when a hash was made again");
}

/// So many wait for a password check, and no more; who waits too long is told to come again.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_turned_away() {
    let mut house = House::new().await;
    house.reopen_with(Cost::WeakForTests, Limits { password_checks: 0, ..limits() });
    let tries = (0..200).map(|n| {
        let app = Arc::clone(&house.app);
        async move { (app.sign_in("ann", secret(PASSWORD), Some("000000")).await, n) }
    });
    let mut all: FuturesUnordered<_> = tries.collect();
    let mut turned_away = async |how_many: usize| {
        for _ in 0..how_many {
            let (tried, _) = all.next().await.unwrap();
            assert!(matches!(tried, Err(AppError::Crowded)), "{tried:?}");
        }
    };
    // Whoever finds the line full is told at once, though the line itself does not move.
    let at_once = std::time::Duration::from_secs(4);
    tokio::time::timeout(at_once, turned_away(72)).await.unwrap();
    turned_away(128).await;
    assert_eq!(house.app.password_hashes(), 0);
}
