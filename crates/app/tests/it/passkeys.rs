//! Passkeys and recovery codes, as far as no authenticator is needed: whose a ceremony is, and that a code is
//! one code, once.

use data_encoding::BASE64URL_NOPAD;
use futures::future::join_all;
use wane_app::{AppError, Caller};
use wane_domain::time::Span;

use crate::house::{House, mins};
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

    // Another session of the same person, another purpose, or too late.
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
async fn a_passkey_is_set_up_up_to_ten_minutes_after_a_proof() {
    let house = House::new().await;
    let ann = signed_in(&house, "ann").await;
    let last = house.app.now().minus(mins(10));
    for (proved, begins) in [(last, true), (last.minus(Span::from_micros(1)), false)] {
        let caller = Caller { proved, ..ann.clone() };
        let begun = house.app.begin_passkey(&caller, "phone".parse().unwrap()).await;
        assert_eq!(begun.is_ok(), begins, "{begun:?}");
    }
}
