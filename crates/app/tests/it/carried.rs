//! Sessions through the gateway: what they are opened with, how many there are, and what they are told.

use std::sync::Arc;

use serde_json::json;
use wane_app::{App, AppError, Arriving, Class, Goal, RevokeWhat, SessionOpened, Standing};
use wane_audit::Actor;
use wane_connector::broker::{By, Claim, Next, Proof};
use wane_domain::closure::EndCause;
use wane_domain::decision::Why;
use wane_domain::grant::{GrantData, GrantState};
use wane_domain::id::{ArrivalId, GrantId, SessionId};
use wane_domain::lease::LeaseState;
use wane_domain::stored;
use wane_domain::time::Span;
use wane_finding::Rules;
use wane_store::{Put, RecordFilter, Store as _, Write};

use crate::faulty::Goes;
use crate::house::{House, cause, end_of, mins, reason};
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

/// Certificates are counted that open nothing, and not what their holder can do nothing about.
#[tokio::test(flavor = "multi_thread")]
async fn whose_certificates_open_nothing_too_often_is_shut_out() {
    let house = house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let good = claim(&house, grant).await;
    let By::Credential { credential, .. } = good.by.clone() else { panic!("{good:?}") };
    let bad = Claim { by: By::Credential { serial: 0, credential }, ..good.clone() };
    let opens = async |claim: &Claim| house.app.open_session(claim, None).await;
    for n in 1..200 {
        let missing = opens(&bad).await;
        assert!(matches!(missing, Err(AppError::Missing { .. })), "{n}: {missing:?}");
    }
    house.door.writes(Goes::Failing);
    let unwritten = opens(&good).await;
    assert!(matches!(unwritten, Err(AppError::Store(_))), "{unwritten:?}");
    house.door.writes(Goes::Well);
    opens(&good).await.unwrap();
    assert!(matches!(opens(&bad).await, Err(AppError::Missing { .. })));
    let shut = opens(&good).await;
    assert!(matches!(shut, Err(AppError::Closed { .. })), "{shut:?}");
    let about = RecordFilter { event: Some("gateway.shut_out".to_owned()), ..RecordFilter::default() };
    let said: Vec<_> = house.records(about).await.into_iter().map(|record| record.about.person).collect();
    assert_eq!(said, [Some(house.id("ann").await)]);
}

/// Those of a session that is open stay as they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_watched_by_the_rules_in_force_when_it_begins() {
    let house = house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let claim = claim(&house, grant).await;
    for id in ["no-dd", "no-mkfs"] {
        let rule = json!([{ "id": id, "when": "command", "matches": "*", "then": "notify" }]);
        house.app.watch_for(Arc::new(Rules::from_json(&rule).unwrap())).await.unwrap();
        let opened = house.app.open_session(&claim, None).await.unwrap();
        let rules: Vec<_> = opened.rules.iter().flat_map(|rules| rules.rules()).map(|rule| &rule.id).collect();
        assert_eq!(rules, [id]);
    }
}

async fn ask_for_proof(house: &House) {
    let asks = "@mode(\"brokered\") @reproof(\"30m\") @id(\"staging-freely\")";
    house.change_policy("@id(\"staging-freely\")", asks).await;
}

/// It would be paused from the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_does_not_begin_on_a_proof_that_carries_it_no_longer() {
    let house = house().await;
    ask_for_proof(&house).await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let claim = claim(&house, grant).await;
    house.advance(Span::from_micros(mins(30).micros() - 1));
    begun(&house.app, &claim).await.unwrap();
    house.advance(Span::from_micros(1));
    let refused = house.app.open_session(&claim, None).await.unwrap_err();
    let AppError::Refused { reasons } = refused else { panic!("{refused}") };
    assert_eq!(reasons, [Why::StepUpNeeded { max_age_micros: mins(30).micros() }]);
}

/// Signing in is a proof of identity, and carries what asks for one, where policy takes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_carries_the_sessions_of_its_person() {
    let house = house().await;
    ask_for_proof(&house).await;
    let login = Login::of(&house, "ann").await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let opened = begun(&house.app, &claim(&house, grant).await).await.unwrap();
    let before = opened.proof.borrow().unwrap().proved;
    house.advance(mins(20));
    login.sign_in(&house).await;
    house.app.mind_proofs().await.unwrap();
    let proved = opened.proof.borrow().unwrap().proved;
    assert!(before < proved && proved == house.app.now(), "{before}, {proved}");
    house.change_policy("env=staging\");", "env=staging\") when { context.proof == \"passkey\" };").await;
    login.sign_in(&house).await;
    house.app.mind_proofs().await.unwrap();
    assert_eq!(opened.proof.borrow().unwrap().proved, proved, "policy takes passkeys only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_seen_by_its_person_and_by_who_may_read_access() {
    let house = house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let opened = begun(&house.app, &claim(&house, grant).await).await.unwrap();
    for (who, sees) in [("ann", true), ("root", true), ("ben", false)] {
        let lines = house.app.sessions(&house.caller(who).await).await.unwrap();
        let seen: Vec<_> = lines.iter().map(|line| line.session).collect();
        assert_eq!(seen, vec![opened.session; usize::from(sees)], "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_ended_by_its_person_or_who_may_revoke_and_its_grant_goes_on() {
    let house = house().await;
    let reads = "permit (principal in Group::\"dba\", action == Action::\"read_access\", resource is Host);";
    house.change_policy("@id(\"admins\")", &format!("@id(\"reads\") {reads}\n@id(\"admins\")")).await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let claim = claim(&house, grant).await;
    for (who, comes_of_it) in
        [("ben", Err(Class::Missing)), ("eva", Err(Class::Denied)), ("ann", Ok(())), ("root", Ok(()))]
    {
        let opened = begun(&house.app, &claim).await.unwrap();
        let ended = house.app.kill_session(&house.caller(who).await, opened.session, &reason("enough")).await;
        assert_eq!(ended.map_err(|error| error.class()), comes_of_it, "{who}");
        let over = Standing::Over(format!("`{who}` ended it: enough"));
        let told = if comes_of_it.is_ok() { over } else { Standing::Until(opened.end) };
        assert_eq!(*opened.told.borrow(), told, "{who}");
        let leases = house.leases(grant).await.into_iter();
        let of_it = leases.filter(|lease| lease.id == opened.session.lease());
        let ends: Vec<_> = of_it.map(|lease| matches!(lease.state, LeaseState::Revoking { .. })).collect();
        assert_eq!(ends, [comes_of_it.is_ok()], "{who}");
    }
    assert_eq!(cause(&house.grant(grant).await), None);
    let about = RecordFilter { event: Some("session.killed".to_owned()), ..RecordFilter::default() };
    let by: Vec<_> = house.records(about).await.into_iter().map(|record| record.actor).collect();
    assert_eq!(by, [Actor::Person(house.id("ann").await), Actor::Person(house.id("root").await)]);
}

/// Whoever wrote it there, and when nobody was told.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_told_what_the_store_says_of_it() {
    let house = house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let opened = begun(&house.app, &claim(&house, grant).await).await.unwrap();
    let goes_on = Standing::Until(opened.end);
    house.app.tell_sessions().await.unwrap();
    assert_eq!(*opened.told.borrow(), goes_on);
    let (seen, now) = (house.store.grant(grant).await.unwrap().unwrap(), house.app.now());
    let state = GrantState::Ending { since: Some(now), at: now, cause: EndCause::Returned };
    let ended = stored::grant(GrantData { state, ..(*seen.value).clone() });
    house.write(vec![Write::Grant(Put::over(&seen, ended))]).await;
    assert_eq!(*opened.told.borrow(), goes_on);
    house.app.tell_sessions().await.unwrap();
    assert_eq!(*opened.told.borrow(), Standing::Over("it was ended".to_owned()));
}

/// A connection of somebody's that they opened by a certificate.
async fn passage(house: &House, person: &str, grant: GrantId) -> ArrivalId {
    let lease = house.hand_out(person, grant).await.unwrap().lease;
    let serial = house.store_issuances(lease).await.last().unwrap().serial;
    let proof = Proof::Credential { grant, serial };
    house.app.admit(&proof, [192, 0, 2, 1].into(), "SSH-2.0-test").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_inside_a_connection_is_of_the_same_person() {
    let house = house().await;
    let (grant, bens) = (house.hold("ann", "web1", "deploy", 1).await, house.hold("ben", "web1", "deploy", 1).await);
    let (own, anothers) = (passage(&house, "ann", grant).await, passage(&house, "ben", bens).await);
    let claim = claim(&house, grant).await;
    let inside = async |passage| house.app.open_session(&claim, Some(passage)).await;
    for other in [anothers, house.ambient.id()] {
        let refused = inside(other).await;
        assert!(matches!(refused, Err(AppError::Missing { .. })), "{refused:?}");
    }
    inside(own).await.unwrap();
    let about = RecordFilter { event: Some("session.opened".to_owned()), ..RecordFilter::default() };
    let within: Vec<_> = house.records(about).await.into_iter().map(|record| record.detail["inside"].clone()).collect();
    assert_eq!(within, [json!(own)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_its_person_confirmed_opens_one_session() {
    let house = house().await;
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let with = claim(&house, grant).await;
    let goal = Goal::Session { resource: with.resource.clone(), login: with.login.clone() };
    let who = Arriving { goal, peer: with.peer, client: with.client.clone() };
    let (arrival, shown) = house.app.arrive(who).await.unwrap();
    let claim = Claim { by: By::Confirmed(arrival), ..with };
    let opens = async || house.app.open_session(&claim, None).await;
    let early = opens().await;
    assert!(matches!(early, Err(AppError::Taken(_))), "{early:?}");
    let reference = shown.link.rsplit('/').next().unwrap();
    house.app.confirm_arrival(&house.caller("ann").await, reference, &shown.code).await.unwrap();
    let mut next = house.app.arrival_next(arrival, None).await.unwrap().0;
    while let Next::Say(_) = next {
        next = house.app.arrival_next(arrival, None).await.unwrap().0;
    }
    assert_eq!(next, Next::Enter { grant, arrival });
    opens().await.unwrap();
    let twice = opens().await;
    assert!(matches!(twice, Err(AppError::Taken(_))), "{twice:?}");
    let about = RecordFilter { event: Some("session.opened".to_owned()), ..RecordFilter::default() };
    assert_eq!(house.records(about).await.pop().unwrap().detail["by"], json!({ "arrival": arrival }));
}
