//! Sessions through the gateway: what they are opened with, how many there are, and what they are told.

use serde_json::json;
use wane_app::{App, AppError, RevokeWhat, SessionOpened, Standing};
use wane_connector::broker::{By, Claim};
use wane_domain::id::SessionId;
use wane_store::RecordFilter;

use crate::house::{end_of, mins, reason};
use crate::signing_in::Login;
use crate::tasks::{claim, closed, house};

async fn begun(app: &App, claim: &Claim) -> Result<SessionOpened, AppError> {
    let opened = app.open_session(claim, None).await?;
    app.session_begun(opened.session, &json!({})).await?;
    Ok(opened)
}

async fn close(app: &App, session: SessionId) {
    app.session_closed(session, closed(None)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_grant_is_said_in_its_sessions_with_why() {
    let house = house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let claim = claim(&house, grant).await;
    let opened = begun(&house.app, &claim).await.unwrap();
    house.app.extend(&house.caller("ann").await, grant, mins(30), None).await.unwrap();
    assert_eq!(*opened.told.borrow(), Standing::Until(end_of(&house.grant(grant).await)));
    let root = house.caller("root").await;
    house.app.revoke(&root, RevokeWhat::Grant(grant), &reason("wrong host")).await.unwrap();
    let Standing::Over(why) = opened.told.borrow().clone() else { panic!("it goes on") };
    assert!(why.contains("revoked") && why.contains("wrong host"), "{why}");
    // The log says by which certificate it was opened.
    let about = RecordFilter { event: Some("session.opened".to_owned()), ..RecordFilter::default() };
    let By::Credential { serial, .. } = claim.by else { panic!("{claim:?}") };
    assert_eq!(house.records(about).await[0].detail["by"]["serial"], serial);
}

/// What a session shows to its target was issued under the session, and opens none.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_opened_by_a_credential_and_not_by_another_session() {
    let house = house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let claim = claim(&house, grant).await;
    let opened = begun(&house.app, &claim).await.unwrap();
    let passed = house.store_issuances(opened.session.lease()).await[0].serial;
    let By::Credential { credential, .. } = claim.by.clone() else { panic!("{claim:?}") };
    let other = Claim { by: By::Credential { serial: passed, credential }, ..claim };
    let refused = house.app.open_session(&other, None).await.unwrap_err().to_string();
    assert!(refused.contains("live credential"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_has_so_many_sessions_at_once() {
    let house = house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let claim = claim(&house, grant).await;
    let mut last = None;
    for n in 0..64 {
        last = Some(house.app.open_session(&claim, None).await.unwrap_or_else(|e| panic!("{n}: {e}")).session);
    }
    let more = house.app.open_session(&claim, None).await;
    assert!(matches!(&more, Err(AppError::Taken(why)) if why.contains("64 open sessions")), "{more:?}");
    close(&house.app, last.unwrap()).await;
    house.app.open_session(&claim, None).await.unwrap();
}

/// Signing in is a proof of identity, and carries what asks for one.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_carries_the_sessions_of_its_person() {
    let house = house().await;
    let asks = "@mode(\"brokered\") @reproof(\"30m\") @id(\"staging-freely\")";
    house.change_policy("@id(\"staging-freely\")", asks).await;
    let login = Login::of(&house, "ann").await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let opened = begun(&house.app, &claim(&house, grant).await).await.unwrap();
    let before = opened.proof.borrow().unwrap().proved;
    house.advance(mins(20));
    login.sign_in(&house).await;
    house.app.mind_proofs().await.unwrap();
    let proved = opened.proof.borrow().unwrap().proved;
    assert!(before < proved && proved == house.app.now(), "{before}, {proved}");
}
