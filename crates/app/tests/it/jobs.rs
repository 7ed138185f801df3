//! Jobs of workloads: who gets in, what a job may do, and that it ends with everything it has.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wane_app::{AppError, Caller, IssuerInput, JobBegun, Narrower, NewWorkload, PersonChange, RuleInput};
use wane_domain::closure::EndCause;
use wane_domain::directory::Standing;
use wane_domain::grant::GrantState;
use wane_domain::id::GrantId;
use wane_domain::request::ItemState;
use wane_domain::secret::Secret;
use wane_domain::time::Span;
use wane_domain::workload::{IssuerSort, Signing};
use wane_policy::explain::Verdict;
use wane_policy::schema::Action;
use wane_store::{RecordFilter, Store as _};

use crate::faulty::Goes;
use crate::house::{House, ask, cause, granted, mins, name, reason};
use crate::seeing::why;

const ISSUER: &str = "https://token.actions.githubusercontent.com";
/// What the house is called, for which tokens are made.
const US: &str = "https://wane.example";

/// The path by which the pipeline gets in, and the one by which it has to be let in.
const PATHS: &str = r#"
@id("pipelines") @max_ttl("2h")
permit (principal == Person::"deploy", action == Action::"access", resource is Gate in Label::"env=dev")
when { context has workload && context.workload has environment && context.workload.environment == "prod"
  && context.workload.issuer == "actions" && context.workload has ref_protected && context.workload.ref_protected };

@id("pipelines-prod") @max_ttl("2h") @approve("1 of group:dba")
permit (principal == Person::"deploy", action == Action::"access", resource is Gate in Label::"env=prod")
when { context has workload && context.proof == "workload" };
"#;

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// A house in which `deploy` is the pipeline of one repository, and `ann` answers for it.
async fn house() -> House {
    let house = House::new().await;
    house.change_policy("@id(\"dev-freely\")", &format!("{PATHS}\n@id(\"dev-freely\")")).await;
    let root = house.caller("root").await;
    house.app.add_issuer_of_jobs(&root, &issuer("actions", IssuerSort::Github, ISSUER)).await.unwrap();
    house.app.add_workload(&root, &deploy("deploy", &[("repository_id", "74")])).await.unwrap();
    house
}

/// One whose key is ours.
fn issuer(called: &str, sort: IssuerSort, issuer: &str) -> IssuerInput {
    let public = BASE64URL_NOPAD.encode(key().public_key().as_ref());
    IssuerInput {
        name: name(called),
        sort,
        issuer: issuer.to_owned(),
        audience: None,
        algorithms: BTreeSet::from([Signing::EdDSA]),
        ca_pem: None,
        keys: Some(json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": public }] })),
    }
}

fn rule(claims: &[(&str, &str)]) -> RuleInput {
    let claims = claims.iter().map(|(claim, said)| ((*claim).to_owned(), said.parse().unwrap())).collect();
    RuleInput { issuer: "actions".to_owned(), claims, longest: mins(60), silence: mins(1) }
}

fn deploy(called: &str, claims: &[(&str, &str)]) -> NewWorkload {
    let display = called.parse().unwrap();
    NewWorkload { name: name(called), display, sponsor: "ann".to_owned(), rule: rule(claims) }
}

/// What GitHub says of a job, as it documents it, with something said otherwise.
fn token(house: &House, other: &[(&str, Value)]) -> Secret {
    let now = house.app.now().seconds();
    let mut claims: BTreeMap<&str, Value> = BTreeMap::from([
        ("jti", json!(format!("{:x}", house.ambient.bytes::<8>().iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b))))),
        ("sub", json!("repo:octo/app:environment:prod")),
        ("aud", json!(US)),
        ("iss", json!(ISSUER)),
        ("repository", json!("octo/app")),
        ("repository_id", json!("74")),
        ("environment", json!("prod")),
        ("ref", json!("refs/heads/main")),
        ("ref_protected", json!("true")),
        ("event_name", json!("push")),
        ("nbf", json!(now - 600)),
        ("iat", json!(now)),
        ("exp", json!(now + 300)),
    ]);
    claims.extend(other.iter().cloned());
    claims.retain(|_, value| !value.is_null());
    let header = json!({ "typ": "JWT", "alg": "EdDSA", "x5t": "example-thumbprint", "kid": "k1" });
    let part = |json: String| BASE64URL_NOPAD.encode(json.as_bytes());
    let body = format!("{}.{}", part(header.to_string()), part(serde_json::to_string(&claims).unwrap()));
    let signature = BASE64URL_NOPAD.encode(key().sign(body.as_bytes()).as_ref());
    Secret::new(format!("{body}.{signature}").into_bytes())
}

async fn begin(house: &House) -> JobBegun {
    house.app.begin_job(&token(house, &[]), None).await.unwrap()
}

/// Whom a job's bearer stands for, each time anew as a call does.
struct Works(String);

impl Works {
    async fn begun(house: &House) -> Self {
        Self::of(begin(house).await)
    }

    fn of(begun: JobBegun) -> Self {
        Self(begun.token.reveal().to_string())
    }

    async fn caller(&self, house: &House) -> Result<Caller, AppError> {
        house.app.authenticate_any(&self.0).await
    }

    async fn hold(&self, house: &House, resource: &str) -> GrantId {
        let caller = self.caller(house).await.unwrap();
        let request = house.app.request_access(&caller, ask(&[(resource, "read")], 1)).await.unwrap();
        granted(&request, 0).unwrap_or_else(|| panic!("{:?}", request.items[0].state))
    }

    async fn is_over(&self, house: &House) -> bool {
        matches!(self.caller(house).await, Err(AppError::SignedOut))
    }
}

async fn events(house: &House, event: &str) -> Vec<Value> {
    let filter = RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() };
    house.records(filter).await.into_iter().map(|record| record.detail).collect()
}

/// What the engine does about jobs, once.
async fn pass(house: &House) {
    let (over, _) = house.app.jobs_over(house.app.now()).await.unwrap();
    for job in over {
        house.app.end_job_if_over(job).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gets_what_its_workload_may_have_and_it_ends_with_the_job() {
    let house = house().await;
    let works = Works::begun(&house).await;
    let grant = works.hold(&house, "attic").await;
    let caller = works.caller(&house).await.unwrap();
    house.app.hand_out(&caller, grant, &json!({})).await.unwrap();
    assert_eq!(house.grant(grant).await.job, caller.job.as_ref().map(|asks| asks.job));
    // Nothing but its own is good: the token began a job, the bearer is no session, the session of a person is no job.
    let ended = house.app.end_own_job(&caller).await.unwrap();
    assert_eq!(ended, [grant]);
    assert!(works.is_over(&house).await);
    let why = cause(&house.grant(grant).await);
    assert!(matches!(&why, Some(EndCause::JobOver { how }) if how == "it said so"), "{why:?}");
    house.try_ends(grant).await;
    assert!(matches!(house.grant(grant).await.state, GrantState::Closed { .. }));
    // Said again it changes nothing.
    assert!(house.app.end_own_job(&caller).await.unwrap().is_empty());
    assert_eq!((events(&house, "job.begun").await.len(), events(&house, "job.over").await.len()), (1, 1));
    let told = house.records(RecordFilter::default()).await;
    assert!(!serde_json::to_string(&told).unwrap().contains(&works.0), "a bearer is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_begins_one_job_whoever_shows_it() {
    let house = house().await;
    let stolen = token(&house, &[]);
    house.app.begin_job(&stolen, None).await.unwrap();
    // Once more, at once, and after a restart, until it has run out.
    let again = |house: &House| {
        let (app, stolen) = (std::sync::Arc::clone(&house.app), Secret::new(stolen.expose().to_vec()));
        async move { app.begin_job(&stolen, None).await }
    };
    let refused = |said: Result<JobBegun, AppError>| assert!(matches!(said, Err(AppError::NotSignedIn(_))), "{said:?}");
    refused(again(&house).await);
    let mut house = house;
    house.reopen();
    refused(again(&house).await);
    house.advance(mins(5));
    refused(again(&house).await);
    assert!(events(&house, "job.refused").await.iter().any(|e| e["why"].as_str().unwrap().contains("already")));
    // Of many at once with one token, one begins.
    let fresh = token(&house, &[]);
    let tries = (0..8).map(|_| async { house.app.begin_job(&Secret::new(fresh.expose().to_vec()), None).await });
    let begun = futures::future::join_all(tries).await;
    assert_eq!(begun.iter().filter(|said| said.is_ok()).count(), 1, "{begun:?}");
    // Of two tokens without a name of their own, each is one.
    let nameless =
        [token(&house, &[("jti", Value::Null)]), token(&house, &[("jti", Value::Null), ("run_id", json!("2"))])];
    for one in nameless {
        house.app.begin_job(&Secret::new(one.expose().to_vec()), None).await.unwrap();
        refused(house.app.begin_job(&one, None).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_jobs_that_its_rule_means_are_a_workloads() {
    let house = house().await;
    for (what, other) in [
        ("another repository", vec![("repository_id", json!("75"))]),
        ("the old name, taken by somebody else", vec![("repository_id", json!("99"))]),
        ("a pull request", vec![("event_name", json!("pull_request")), ("sub", json!("repo:octo/app:pull_request"))]),
        ("a pull request in the name of the branch", vec![("event_name", json!("pull_request_target"))]),
        ("no repository", vec![("repository_id", Value::Null)]),
        ("a repository that is a list", vec![("repository_id", json!(["74"]))]),
        ("for another", vec![("aud", json!("https://github.com/octo"))]),
        ("for another as well", vec![("aud", json!([US, "other"]))]),
        ("of another issuer", vec![("iss", json!("https://gitlab.com"))]),
        ("of the issuer with a slash", vec![("iss", json!(format!("{ISSUER}/")))]),
        ("run out", vec![("exp", json!(house.app.now().seconds() - 120))]),
        ("a person's", vec![("nonce", json!("n"))]),
    ] {
        let said = house.app.begin_job(&token(&house, &other), None).await;
        assert!(matches!(said, Err(AppError::NotSignedIn(_))), "{what}: {said:?}");
    }
    assert!(events(&house, "job.begun").await.is_empty());
    let why: Vec<String> = events(&house, "job.refused").await.iter().map(|e| e["why"].to_string()).collect();
    assert!(why.len() == 12 && why[0].contains("repository_id") && why[2].contains("pull_request"), "{why:?}");
    // Renamed, with its id kept, it is the same repository.
    house.app.begin_job(&token(&house, &[("repository", json!("octo/renamed"))]), None).await.unwrap();
    // Whose it is has to be said where it could be two's.
    let root = house.caller("root").await;
    house.app.add_workload(&root, &deploy("deploy2", &[("repository", "octo/*")])).await.unwrap();
    assert!(house.app.begin_job(&token(&house, &[]), None).await.is_err());
    let begun = house.app.begin_job(&token(&house, &[]), Some("deploy2")).await.unwrap();
    assert_eq!(begun.workload.as_str(), "deploy2");
    assert!(house.app.begin_job(&token(&house, &[]), Some("ann")).await.is_err(), "a person is no workload");
    // Where one was named, the log says which claim is not as that one's rule says.
    let other = token(&house, &[("repository_id", json!("75")), ("repository", json!("other/app"))]);
    house.app.begin_job(&other, Some("deploy2")).await.unwrap_err();
    let why = events(&house, "job.refused").await.pop().unwrap()["why"].as_str().unwrap().to_owned();
    assert!(why.starts_with("deploy2: ") && !why.contains("deploy: "), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_sees_what_the_issuer_says_and_sees_it_again() {
    let house = house().await;
    // The same repository, from a branch that nobody protects, or without its environment.
    for other in [("ref_protected", json!("false")), ("ref_protected", json!("yes")), ("environment", json!("test"))] {
        let works = Works::of(house.app.begin_job(&token(&house, std::slice::from_ref(&other)), None).await.unwrap());
        let caller = works.caller(&house).await.unwrap();
        let said = house.app.request_access(&caller, ask(&[("attic", "read")], 1)).await;
        assert!(matches!(said, Err(AppError::Missing { .. })), "{other:?}: {said:?}");
    }
    let works = Works::begun(&house).await;
    let said = house.app.why(&works.caller(&house).await.unwrap(), &why("attic", "read")).await.unwrap();
    assert!(matches!(said.explanation.verdict, Verdict::Permit { .. }), "{:?}", said.explanation.verdict);
    let grant = works.hold(&house, "attic").await;
    assert!(cause(&house.grant(grant).await).is_none());
    wane_app::rejudge_all(&house.app).await.unwrap();
    assert!(cause(&house.grant(grant).await).is_none(), "judged again by the same claims it stands");
    house.change_policy(r#"environment == "prod""#, r#"environment == "live""#).await;
    wane_app::rejudge_all(&house.app).await.unwrap();
    assert!(matches!(cause(&house.grant(grant).await), Some(EndCause::LostEligibility { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_job_is_over_and_so_is_what_it_holds() {
    let mut house = house().await;
    let (silent, speaks) = (Works::begun(&house).await, Works::begun(&house).await);
    let (lost, kept) = (silent.hold(&house, "attic").await, speaks.hold(&house, "attic").await);
    assert_ne!(lost, kept, "what one job has is not the other's");
    for _ in 0..3 {
        house.advance(Span::from_secs(30));
        let caller = speaks.caller(&house).await.unwrap();
        house.app.beat(&caller).unwrap();
        pass(&house).await;
    }
    assert!(silent.is_over(&house).await && cause(&house.grant(kept).await).is_none());
    let why = cause(&house.grant(lost).await);
    assert!(matches!(&why, Some(EndCause::JobOver { how }) if how.contains("heard")), "{why:?}");
    // Whoever speaks in the instant after it, before anything is booked, speaks for nothing.
    let late = Works::begun(&house).await;
    let last = late.hold(&house, "attic").await;
    house.advance(mins(1));
    assert!(late.is_over(&house).await && cause(&house.grant(last).await).is_none(), "not booked yet");
    pass(&house).await;
    assert!(matches!(cause(&house.grant(last).await), Some(EndCause::JobOver { .. })));
    // The server dies: whoever speaks again within the time goes on, whoever does not is over.
    let (speaks, silent) = (Works::begun(&house).await, Works::begun(&house).await);
    let (kept, lost) = (speaks.hold(&house, "attic").await, silent.hold(&house, "attic").await);
    house.advance(Span::from_secs(50));
    house.reopen();
    pass(&house).await;
    house.advance(Span::from_secs(50));
    speaks.caller(&house).await.unwrap();
    house.advance(Span::from_secs(20));
    pass(&house).await;
    assert!(cause(&house.grant(kept).await).is_none() && cause(&house.grant(lost).await).is_some());
    // However busy, its time is up once: no beat moves it.
    let mut spoke = 0;
    while !speaks.is_over(&house).await {
        house.advance(Span::from_secs(30));
        spoke += 1;
    }
    assert!((100..120).contains(&spoke), "{spoke}");
    pass(&house).await;
    assert!(cause(&house.grant(kept).await).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_waits_for_goes_with_it() {
    let house = house().await;
    let works = Works::begun(&house).await;
    let caller = works.caller(&house).await.unwrap();
    let asked = house.app.request_access(&caller, ask(&[("vault", "read")], 1)).await.unwrap();
    assert!(matches!(asked.items[0].state, ItemState::Waiting));
    house.app.end_own_job(&caller).await.unwrap();
    let after = house.request(asked.id).await;
    assert!(matches!(after.items[0].state, ItemState::Withdrawn { .. }), "{:?}", after.items[0].state);
    assert!(house.approve("eva", asked.id).await.is_err(), "nobody approves what nobody waits for");
    // Nor does anything begin by a job that is over, with whatever was known of it.
    let late = house.app.request_access(&caller, ask(&[("attic", "read")], 1)).await;
    assert!(matches!(late, Err(AppError::SignedOut)), "{late:?}");
    // Approved in time, it is the job's as anything else is.
    let works = Works::begun(&house).await;
    let caller = works.caller(&house).await.unwrap();
    let asked = house.app.request_access(&caller, ask(&[("vault", "read")], 1)).await.unwrap();
    let approved = house.approve("eva", asked.id).await.unwrap();
    let grant = granted(&approved, 0).unwrap();
    house.app.activate(&caller, grant).await.unwrap();
    assert_eq!(house.app.end_own_job(&caller).await.unwrap(), [grant]);
}

/// BUG-61: an id that leaked to another job of the same workload, or to a person, opens and ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_has_is_no_other_jobs_of_its_workload() {
    let house = house().await;
    let (one, other) = (Works::begun(&house).await, Works::begun(&house).await);
    let grant = one.hold(&house, "attic").await;
    let (caller, theirs) = (one.caller(&house).await.unwrap(), other.caller(&house).await.unwrap());
    let asked = house.app.request_access(&caller, ask(&[("vault", "read")], 1)).await.unwrap();
    let world = house.app.world().await.unwrap();
    let missing = |said: Result<(), AppError>| assert!(matches!(said, Err(AppError::Missing { .. })), "{said:?}");
    missing(house.app.grant_for(&theirs, &world, grant).await.map(drop));
    missing(house.app.hand_out(&theirs, grant, &json!({})).await.map(drop));
    missing(house.app.activate(&theirs, grant).await.map(drop));
    missing(house.app.extend(&theirs, grant, mins(5), None).await.map(drop));
    missing(house.app.give_back(&theirs, grant).await.map(drop));
    missing(house.app.request_for(&theirs, &world, asked.id).await.map(drop));
    missing(house.app.withdraw(&theirs, asked.id, None).await.map(drop));
    assert!(house.app.end_own_job(&theirs).await.unwrap().is_empty());
    assert!(cause(&house.grant(grant).await).is_none());
    // Asked by another job, the same is another grant.
    assert_ne!(Works::begun(&house).await.hold(&house, "attic").await, grant);
    house.app.give_back(&caller, grant).await.unwrap();
}

/// BUG-01 and BUG-06, INV-5: a workload never approves, whoever names it and in whoever's place.
#[tokio::test(flavor = "multi_thread")]
async fn a_workload_never_approves() {
    let house = house().await;
    let root = house.caller("root").await;
    // Policy asks a group, and the workload is put into it; it answers for a resource; somebody has it stand in.
    house.app.set_member(&root, &name("dba"), "deploy", wane_app::Membership::In).await.unwrap();
    let asked = house.ask("ben", &[("vault", "read")], 1).await;
    let works = Works::begun(&house).await;
    let caller = works.caller(&house).await.unwrap();
    let said = house.app.approve(&caller, asked.id, None, &Narrower::default()).await;
    assert!(said.is_err(), "{said:?}");
    assert!(house.app.deny(&caller, asked.id, None, &reason("no")).await.is_err());
    let world = house.app.world().await.unwrap();
    let could = house.app.who_could(&world, &asked, 0).unwrap();
    assert!(!could.people.contains_key(&caller.person) && could.people.len() == 3, "{could:?}");
    // Its sponsor approves nothing of it.
    house.app.set_member(&root, &name("dba"), "ann", wane_app::Membership::In).await.unwrap();
    let theirs = house.app.request_access(&caller, ask(&[("vault", "read")], 1)).await.unwrap();
    assert!(house.approve("ann", theirs.id).await.is_err(), "whoever answers for it");
    house.approve("eva", theirs.id).await.unwrap();
    assert!(matches!(house.request(asked.id).await.items[0].state, ItemState::Waiting));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_does_nothing_but_ask() {
    let house = house().await;
    let root = house.caller("root").await;
    // As far as policy goes it may do everything.
    house.app.set_member(&root, &name("admins"), "deploy", wane_app::Membership::In).await.unwrap();
    let works = Works::begun(&house).await;
    let caller = works.caller(&house).await.unwrap();
    let world = house.app.world().await.unwrap();
    for action in Action::ALL {
        if !matches!(action, Action::Access | Action::Approve) {
            assert!(!house.app.allows(&caller, &world, action).unwrap(), "{action:?}");
        }
    }
    let resource = house.resource("attic").await;
    assert!(!house.app.allows_on(&caller, &world, Action::Revoke, resource).unwrap());
    assert!(!house.app.allows_about(&caller, &world, Action::ReadAccess, caller.person).unwrap());
    // Nobody else asks in its name, nor it in anybody's.
    let for_other = wane_app::AskInput { for_person: Some("ben".to_owned()), ..ask(&[("attic", "read")], 1) };
    let said = house.app.request_access(&caller, for_other).await;
    assert!(matches!(said, Err(AppError::NotAllowed { .. })), "{said:?}");
}

/// Whoever may do something to everything may do it to each; whoever may to one thing, or about one person, to no other.
/// Who is not there any more, and a workload, may nothing, whatever policy says.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_may_do_to_one_thing_is_that_thing_alone() {
    let house = house().await;
    let some = r#"
@id("one-thing") permit (principal == Person::"dan", action == Action::"read_access", resource == Gate::"vault");
@id("one-person") permit (principal == Person::"dan", action == Action::"read_access", resource == Person::"ann");
@id("whoever-is-asked")"#;
    house.change_policy("@id(\"whoever-is-asked\")", some).await;
    let root = house.caller("root").await;
    for who in ["deploy", "fay"] {
        house.app.set_member(&root, &name("admins"), who, wane_app::Membership::In).await.unwrap();
    }
    let disabled = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
    house.app.change_person(&root, "fay", &disabled).await.unwrap();
    let works = Works::begun(&house).await;
    let grant = works.hold(&house, "attic").await;
    let world = house.app.world().await.unwrap();
    let (things, people) = (
        [house.resource("vault").await, house.resource("attic").await],
        [house.id("ann").await, house.id("ben").await],
    );
    for (who, everything, one, other) in [
        ("root", true, true, true),
        ("dan", false, true, false),
        ("zoe", false, false, false),
        ("fay", false, false, false),
        ("deploy", false, false, false),
    ] {
        let caller = if who == "deploy" { works.caller(&house).await.unwrap() } else { house.caller(who).await };
        let (app, read) = (&house.app, Action::ReadAccess);
        assert_eq!(app.allows(&caller, &world, read).unwrap(), everything, "{who}");
        let on = things.map(|thing| app.allows_on(&caller, &world, read, thing).unwrap());
        assert_eq!(on, [one, other], "{who}: on a thing");
        let about = people.map(|person| app.allows_about(&caller, &world, read, person).unwrap());
        assert_eq!(about, [one, other], "{who}: about a person");
    }
    // What a job has is not there for its workload outside of it; the credential that was issued in it stands for it.
    let outside = house.caller("deploy").await;
    let said = house.app.grant_for(&outside, &world, grant).await;
    assert!(matches!(said, Err(AppError::Missing { .. })), "{said:?}");
    let credential = Caller { token: None, ..outside };
    house.app.grant_for(&credential, &world, grant).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_in_the_name_of_a_workload() {
    let house = house().await;
    let for_it = wane_app::AskInput { for_person: Some("deploy".to_owned()), ..ask(&[("attic", "read")], 1) };
    let said = house.try_ask("root", for_it).await;
    assert!(matches!(said, Err(AppError::NotAllowed { .. })), "{said:?}");
    // Known by a credential that it holds, at a gateway, it asks for nothing more.
    let credential = Caller { token: None, ..house.caller("deploy").await };
    let said = house.app.request_access(&credential, ask(&[("attic", "read")], 1)).await;
    assert!(matches!(said, Err(AppError::NotAllowed { .. })), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_signs_in_as_a_workload() {
    let house = house().await;
    let root = house.caller("root").await;
    let said = house.app.enrolment_code(&root, "deploy").await;
    assert!(matches!(said, Err(AppError::Invalid { .. })), "{said:?}");
    // The bearer of a job is no session: what asks for a person refuses it.
    let works = Works::begun(&house).await;
    assert!(matches!(house.app.authenticate(&works.0).await, Err(AppError::SignedOut)));
    // It never stops being one, and somebody always answers for it.
    let nobody = PersonChange { sponsor: Some(None), ..PersonChange::default() };
    assert!(house.app.change_person(&root, "deploy", &nobody).await.is_err());
    let new = wane_app::NewPerson {
        name: name("eve"),
        display: "Eve".parse().unwrap(),
        manager: None,
        attributes: BTreeMap::new(),
        stay: wane_app::NewStay { until: None, sponsor: Some("deploy".to_owned()) },
    };
    assert!(house.app.add_person(&root, &new).await.is_err(), "a workload answers for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_changes_ends_the_jobs_that_it_does_not_mean() {
    let house = house().await;
    let root = house.caller("root").await;
    for change in 0..4 {
        let works = Works::begun(&house).await;
        let grant = works.hold(&house, "attic").await;
        match change {
            0 => drop(house.app.change_workload(&root, "deploy", &rule(&[("repository_id", "75")])).await.unwrap()),
            1 => {
                let off = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
                house.app.change_person(&root, "deploy", &off).await.unwrap();
            }
            2 => {
                let gone = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
                house.app.change_person(&root, "ann", &gone).await.unwrap();
            }
            3 => house.app.remove_issuer_of_jobs(&root, "actions").await.unwrap(),
            _ => unreachable!("four changes"),
        }
        wane_app::rejudge_all(&house.app).await.unwrap();
        match change {
            // Whoever answered for it has left: what was given goes on to its end, and nothing begins.
            2 => {
                let caller = works.caller(&house).await.unwrap();
                let more = house.app.request_access(&caller, ask(&[("annex", "read")], 1)).await.unwrap();
                assert!(matches!(more.items[0].state, ItemState::Denied { .. }), "{:?}", more.items[0].state);
                assert!(house.app.begin_job(&token(&house, &[]), None).await.is_err());
                let back = PersonChange { standing: Some(Standing::Active), ..PersonChange::default() };
                house.app.change_person(&root, "ann", &back).await.unwrap();
            }
            3 => {
                assert!(works.is_over(&house).await && cause(&house.grant(grant).await).is_some());
                assert!(house.app.begin_job(&token(&house, &[]), None).await.is_err());
                return;
            }
            _ => {
                assert!(works.is_over(&house).await, "{change}");
                assert!(cause(&house.grant(grant).await).is_some(), "{change}");
                assert!(house.app.begin_job(&token(&house, &[]), None).await.is_err(), "{change}");
                house.app.change_workload(&root, "deploy", &rule(&[("repository_id", "74")])).await.unwrap();
                let on = PersonChange { standing: Some(Standing::Active), ..PersonChange::default() };
                house.app.change_person(&root, "deploy", &on).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_was_removed_is_none_again() {
    let house = house().await;
    let root = house.caller("root").await;
    let works = Works::begun(&house).await;
    let grant = works.hold(&house, "attic").await;
    house.app.remove_workload(&root, "deploy").await.unwrap();
    assert!(works.is_over(&house).await && cause(&house.grant(grant).await).is_some());
    let on = PersonChange { standing: Some(Standing::Active), ..PersonChange::default() };
    house.app.change_person(&root, "deploy", &on).await.unwrap();
    assert!(house.app.begin_job(&token(&house, &[]), None).await.is_err());
    assert!(house.app.enrolment_code(&root, "deploy").await.is_err(), "nor is it somebody");
    // Nor does the log say in what another's job is not one of its.
    let other = token(&house, &[("repository_id", json!("75"))]);
    assert!(house.app.begin_job(&other, None).await.is_err());
    let why = events(&house, "job.refused").await.pop().unwrap()["why"].to_string();
    assert!(why.contains("no workload here") && !why.contains("deploy"), "{why}");
    // The name of an issuer that was removed leads to nobody else.
    house.app.remove_issuer_of_jobs(&root, "actions").await.unwrap();
    let again = IssuerInput {
        name: name("actions"),
        sort: IssuerSort::Generic,
        issuer: "https://other.example".to_owned(),
        audience: None,
        algorithms: BTreeSet::new(),
        ca_pem: None,
        keys: None,
    };
    assert!(matches!(house.app.add_issuer_of_jobs(&root, &again).await, Err(AppError::Taken(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_trusted_is_not_entered() {
    let house = house().await;
    let root = house.caller("root").await;
    for (what, issuer) in [
        ("in the clear", "http://issuer.example"),
        ("with a query", "https://issuer.example/?a"),
        ("of somebody", "https://me@issuer.example"),
        ("a file", "file:///etc/passwd"),
        ("nothing", ""),
        ("entered already", ISSUER),
    ] {
        let input = IssuerInput {
            name: name("other"),
            sort: IssuerSort::Generic,
            issuer: issuer.to_owned(),
            audience: None,
            algorithms: BTreeSet::new(),
            ca_pem: None,
            keys: None,
        };
        assert!(house.app.add_issuer_of_jobs(&root, &input).await.is_err(), "{what}");
    }
    for claims in [&[("ref", "refs/heads/main")][..], &[("repository", "*/app")], &[]] {
        let said = house.app.add_workload(&root, &deploy("wide", claims)).await;
        assert!(matches!(said, Err(AppError::Invalid { .. })), "{claims:?}: {said:?}");
    }
    let ben = house.caller("ben").await;
    let said = house.app.add_workload(&ben, &deploy("mine", &[("repository_id", "1")])).await;
    assert!(matches!(said, Err(AppError::NotAllowed { .. })), "{said:?}");
    let orphan = NewWorkload { sponsor: "deploy".to_owned(), ..deploy("orphan", &[("repository_id", "1")]) };
    assert!(house.app.add_workload(&root, &orphan).await.is_err(), "a workload answers for none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ends_without_the_store_is_ended_once_there_is_one() {
    let house = house().await;
    let works = Works::begun(&house).await;
    let grant = works.hold(&house, "attic").await;
    let caller = works.caller(&house).await.unwrap();
    house.door.writes(Goes::Failing);
    assert!(house.app.end_own_job(&caller).await.is_err());
    house.advance(mins(2));
    let (over, _) = house.app.jobs_over(house.app.now()).await.unwrap();
    assert_eq!(over.len(), 1);
    assert!(house.app.end_job_if_over(over[0]).await.is_err(), "it is tried again");
    house.door.writes(Goes::Well);
    pass(&house).await;
    assert!(matches!(cause(&house.grant(grant).await), Some(EndCause::JobOver { .. })));
    assert!(house.store.open_jobs().await.unwrap().is_empty());
}

/// And to people that of every job.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_job_of_its_workload_has_is_not_there_for_a_job() {
    let house = house().await;
    let works = [Works::begun(&house).await, Works::begun(&house).await];
    let held = [works[0].hold(&house, "attic").await, works[1].hold(&house, "attic").await];
    let (root, grants) = (house.caller("root").await, [house.grant(held[0]).await, house.grant(held[1]).await]);
    for (job, other) in [(0, 1), (1, 0)] {
        let caller = works[job].caller(&house).await.unwrap();
        assert!(caller.has(&grants[job]) && !caller.has(&grants[other]), "{job}");
        assert!(root.has(&grants[job]), "{job}");
    }
}

/// What stands elsewhere by such a name is something else, and is told of nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_says_in_one_place_what_a_pod_is() {
    let (house, cluster) = (house().await, "https://cluster.example");
    let root = house.caller("root").await;
    house.app.add_issuer_of_jobs(&root, &issuer("cluster", IssuerSort::Kubernetes, cluster)).await.unwrap();
    let rule = RuleInput { issuer: "cluster".to_owned(), ..rule(&[("namespace", "ci")]) };
    house.app.add_workload(&root, &NewWorkload { rule, ..deploy("pods", &[]) }).await.unwrap();
    let token = token(
        &house,
        &[
            ("iss", json!(cluster)),
            ("kubernetes.io", json!({ "namespace": "ci", "serviceaccount": { "name": "web" } })),
            ("namespace", json!("elsewhere")),
            ("pod", json!("another")),
            ("team", json!("blue")),
        ],
    );
    house.app.begin_job(&token, None).await.unwrap();
    let claims = house.app.jobs(&root).await.unwrap().remove(0).job.asks.claims;
    let told = ["namespace", "serviceaccount", "pod", "team"].map(|name| claims.get(name));
    assert_eq!(told, [Some("ci"), Some("web"), None, Some("blue")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_shown_with_when_it_was_last_heard_of() {
    let house = house().await;
    let (works, root) = (Works::begun(&house).await, house.caller("root").await);
    let heard = async || house.app.jobs(&root).await.unwrap().remove(0).heard;
    assert_eq!(heard().await, house.app.now());
    let spoke = house.advance(Span::from_secs(30));
    works.caller(&house).await.unwrap();
    house.advance(Span::from_secs(20));
    assert_eq!(heard().await, spoke);
}
