//! Passkeys and recovery codes, as far as no authenticator is needed: whose a ceremony is, and that a code is
//! one code, once.

use data_encoding::BASE64URL_NOPAD;
use futures::future::join_all;
use wane_app::{AppError, Caller};
use wane_domain::id::PersonId;
use wane_domain::time::Span;
use wane_store::RecordFilter;

use crate::house::{House, mins};
use crate::signing::Passkey;
use crate::signing_in::Login;

async fn signed_in(house: &House, name: &'static str) -> Caller {
    let login = Login::of(house, name).await;
    let token = login.sign_in(house).await;
    house.app.authenticate(&token).await.unwrap()
}

async fn codes(house: &House, caller: &Caller) -> Vec<String> {
    let codes = house.app.new_recovery_codes(caller).await.unwrap();
    codes.into_iter().map(|code| code.reveal().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceremony_is_finished_by_whom_and_where_it_was_begun() {
    let house = House::new().await;
    let (ann, ben) = (signed_in(&house, "ann").await, signed_in(&house, "ben").await);
    let begun = house.app.begin_passkey(&ann, "phone".parse().unwrap()).await.unwrap();
    let options = begun.options["publicKey"].clone();
    assert_eq!(options["rp"]["id"], "wane.example");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    let said = house.app.finish_passkey(&ben, &begun.reference, "{}").await.unwrap_err().to_string();
    assert!(said.contains("too old"), "it is not Ben's to finish: {said}");
    let said = house.app.finish_passkey(&ann, &begun.reference, "{}").await.unwrap_err().to_string();
    assert!(said.contains("too old"), "it was used: {said}");

    let begun = house.app.begin_passkey(&ann, "phone".parse().unwrap()).await.unwrap();
    let said = house.app.finish_passkey(&ann, &begun.reference, "{}").await.unwrap_err().to_string();
    assert!(said.contains("its answer is not"), "it is hers, and the answer is none: {said}");

    // Another session of the same person, another person in the same, another purpose, or too late.
    let begun = house.app.begin_passkey(&ann, "phone".parse().unwrap()).await.unwrap();
    let other = Caller { person: ben.person, ..ann.clone() };
    let said = house.app.finish_passkey(&other, &begun.reference, "{}").await.unwrap_err().to_string();
    assert!(said.contains("too old"), "{said}");
    let begun = house.app.begin_passkey(&ann, "phone".parse().unwrap()).await.unwrap();
    let other = Caller { token: ben.token, ..ann.clone() };
    let said = house.app.finish_passkey(&other, &begun.reference, "{}").await.unwrap_err().to_string();
    assert!(said.contains("too old"), "{said}");
    let begun = house.app.begin_passkey(&ann, "phone".parse().unwrap()).await.unwrap();
    assert!(
        house.app.finish_passkey_with_code(&begun.reference, "{}").await.unwrap_err().to_string().contains("too old")
    );
    let begun = house.app.begin_passkey(&ann, "phone".parse().unwrap()).await.unwrap();
    assert!(
        house.app.finish_passkey_sign_in(&begun.reference, "{}").await.unwrap_err().to_string().contains("too old")
    );
    let begun = house.app.begin_passkey(&ann, "phone".parse().unwrap()).await.unwrap();
    house.advance(mins(5));
    let said = house.app.finish_passkey(&ann, &begun.reference, "{}").await.unwrap_err().to_string();
    assert!(said.contains("too old"), "{said}");

    // A stale proof sets nothing up.
    house.advance(mins(6));
    assert!(matches!(house.app.begin_passkey(&ann, "phone".parse().unwrap()).await, Err(AppError::Invalid { .. })));
    assert!(matches!(house.app.new_recovery_codes(&ann).await, Err(AppError::Invalid { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_is_one_code_once() {
    let house = House::new().await;
    let ann = signed_in(&house, "ann").await;
    let all = codes(&house, &ann).await;
    assert_eq!(all.len(), 8);
    let code = &all[0];
    let (upper, spaced, cut) = (code.to_uppercase(), format!("{} {}", &code[..9], &code[9..]), &code[..code.len() - 1]);
    for spelling in [upper.as_str(), spaced.as_str(), cut, "", "wane_r_"] {
        assert!(matches!(house.app.redeem_recovery(spelling).await, Err(AppError::BadSignIn)), "{spelling}");
    }
    // As nothing else, and nothing else as it.
    assert!(house.app.authenticate(code).await.is_err());
    assert!(house.app.begin_passkey_with_code(code, "x".parse().unwrap()).await.is_err());
    let (enrol, _) = house.app.enrolment_code(&house.caller("root").await, "ann").await.unwrap();
    assert!(matches!(house.app.redeem_recovery(&enrol.reveal()).await, Err(AppError::BadSignIn)));

    let tries = join_all((0..32).map(|_| house.app.redeem_recovery(code))).await;
    let won: Vec<_> = tries.into_iter().flatten().collect();
    assert_eq!(won.len(), 1, "of thirty-two at once");
    let token = won.into_iter().next().unwrap().token.reveal().to_string();
    let by_code = house.app.authenticate(&token).await.unwrap();
    assert_eq!((by_code.person, by_code.proof.as_str()), (ann.person, "recovery-code"));
    assert!(house.app.redeem_recovery(code).await.is_err());

    let fresh = codes(&house, &by_code).await;
    assert!(house.app.redeem_recovery(&all[1]).await.is_err(), "void since there are new ones");
    house.advance(Span::from_hours(24 * 30));
    house.app.redeem_recovery(&fresh[0]).await.unwrap();
}

/// By it a passkey says whose it is, and it has to mean the person that it is entered for.
#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_is_told_whose_passkey_it_makes() {
    let house = House::new().await;
    for who in ["ann", "ben"] {
        let caller = signed_in(&house, who).await;
        let begun = house.app.begin_passkey(&caller, "phone".parse().unwrap()).await.unwrap();
        let user = &begun.options["publicKey"]["user"];
        assert_eq!(user["id"], BASE64URL_NOPAD.encode(&caller.person.bytes()), "{user}");
        assert_eq!(user["name"], who);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_in_is_set_up_up_to_ten_minutes_after_a_proof() {
    let house = House::new().await;
    let ann = signed_in(&house, "ann").await;
    let last = house.app.now().minus(mins(10));
    for (proved, begins) in [(last, true), (last.minus(Span::from_micros(1)), false)] {
        let caller = Caller { proved, ..ann.clone() };
        let begun = house.app.begin_passkey(&caller, "phone".parse().unwrap()).await;
        assert_eq!(begun.is_ok(), begins, "{begun:?}");
        assert_eq!(house.app.new_recovery_codes(&caller).await.is_ok(), begins);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_ceremonies_are_under_way_at_once() {
    let house = House::new().await;
    let begin = || house.app.begin_passkey_sign_in();
    for _ in 0..4096 {
        begin().unwrap();
    }
    assert!(matches!(begin(), Err(AppError::Crowded)));
    house.advance(mins(5));
    let reference = begin().expect("those before are too old").reference;
    let said = house.app.finish_passkey_sign_in(&reference, "{}").await.unwrap_err().to_string();
    assert!(said.contains("lets nobody in"), "its page is good, and its answer none: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_is_told_which_passkeys_there_are() {
    let house = House::new().await;
    let ann = signed_in(&house, "ann").await;
    Passkey::new().enter(&house, "ann").await;
    let excluded = async |caller: &Caller| {
        let begun = house.app.begin_passkey(caller, "phone".parse().unwrap()).await.unwrap();
        begun.options["publicKey"]["excludeCredentials"].clone()
    };
    let hers = excluded(&ann).await;
    assert_eq!(hers.as_array().map(Vec::len), Some(1), "{hers}");
    assert_eq!(hers[0]["id"], BASE64URL_NOPAD.encode(Passkey::ID));
    let his = excluded(&signed_in(&house, "ben").await).await;
    assert!(his.as_array().is_none_or(Vec::is_empty), "{his}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_signs_in_whose_it_is_where_it_says_so_and_was_unlocked() {
    let house = House::new().await;
    assert!(house.app.serves_passkeys());
    let passkey = Passkey::new();
    passkey.enter(&house, "dan").await;
    let (dan, eva) = (house.id("dan").await, house.id("eva").await);
    let try_in = async |flags: u8, counter: u32, whose: PersonId| {
        let begun = house.app.begin_passkey_sign_in().unwrap();
        let challenge = begun.options["publicKey"]["challenge"].as_str().unwrap();
        let shown = passkey.shows(challenge, (flags, counter), Some(whose)).to_string();
        house.app.finish_passkey_sign_in(&begun.reference, &shown).await
    };
    for (flags, whose) in [(Passkey::UNLOCKED, eva), (Passkey::LOCKED, dan)] {
        let refused = try_in(flags, 1, whose).await;
        assert!(matches!(refused, Err(AppError::NotSignedIn(_))), "{refused:?}");
    }
    let failed = RecordFilter { event: Some("login.failed".to_owned()), ..RecordFilter::default() };
    let about: Vec<_> = house.records(failed).await.iter().map(|record| record.about.person).collect();
    assert_eq!(about, [Some(dan), Some(dan)], "whose passkey it is, whatever it says");

    let bearer = try_in(Passkey::UNLOCKED, 2, dan).await.unwrap().token.reveal().to_string();
    let caller = house.app.authenticate(&bearer).await.unwrap();
    assert_eq!((caller.person, caller.proof.as_str()), (dan, "passkey"));
    let again = try_in(Passkey::UNLOCKED, 2, dan).await;
    assert!(matches!(again, Err(AppError::NotSignedIn(_))), "it has not counted on: {again:?}");

    let way = &house.app.ways_in(&caller, "dan").await.unwrap()[0];
    let last = house.app.remove_way_in(&caller, "dan", way.id).await;
    assert!(matches!(last, Err(AppError::Taken(_))), "{last:?}");
    house.app.remove_way_in(&house.caller("root").await, "dan", way.id).await.unwrap();
    assert!(matches!(house.app.authenticate(&bearer).await, Err(AppError::SignedOut)));
    assert!(matches!(try_in(Passkey::UNLOCKED, 3, dan).await, Err(AppError::NotSignedIn(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_passkey_is_served_where_there_is_no_name_for_it() {
    let house = House::at("https://192.0.2.7").await;
    assert!(!house.app.serves_passkeys());
    assert!(matches!(house.app.begin_passkey_sign_in(), Err(AppError::Taken(_))));
}
