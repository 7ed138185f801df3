//! Issuers and workloads as they are entered: whose address is whose, and every bound where it is said to be.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wane_app::{AppError, IssuerInput, NewWorkload, RuleInput};
use wane_domain::time::Span;
use wane_domain::workload::IssuerSort;

use crate::house::{House, mins, name};

/// The longest key set, and the longest address.
const LONGEST_KEYS: usize = 64 * 1024;
const LONGEST: usize = 512;

fn issuer(called: &str, issuer: &str) -> IssuerInput {
    IssuerInput {
        name: name(called),
        sort: IssuerSort::Github,
        issuer: issuer.to_owned(),
        audience: None,
        algorithms: BTreeSet::new(),
        ca_pem: None,
        keys: None,
    }
}

/// What of an input is refused.
fn field<T>(said: Result<T, AppError>) -> Option<String> {
    match said {
        Ok(_) => None,
        Err(AppError::Invalid { field, .. }) => Some(field),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_one_issuers_for_as_long_as_that_is_there() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let add = async |called: &str, address: &str| {
        house.app.add_issuer_of_jobs(&root, &issuer(called, address)).await.map(drop)
    };
    add("one", "https://one.example").await.unwrap();
    add("two", "https://two.example").await.unwrap();
    let taken = |said: Result<(), AppError>| assert!(matches!(said, Err(AppError::Taken(_))), "{said:?}");
    taken(add("three", "https://one.example").await);
    house.app.remove_issuer_of_jobs(&root, "one").await.unwrap();
    taken(add("one", "https://three.example").await);
    add("three", "https://one.example").await.unwrap();
    let there: Vec<_> = house.app.issuers(&root).await.unwrap().into_iter().map(|one| one.name.to_string()).collect();
    assert_eq!(there, ["three", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_an_issuer_is_bounded() {
    let house = House::new().await;
    let root = house.caller("root").await;
    for (n, (audience, good)) in [
        (String::new(), false),
        ("a".to_owned(), true),
        ("a\nb".to_owned(), false),
        ("a".repeat(LONGEST), true),
        ("a".repeat(LONGEST + 1), false),
    ]
    .into_iter()
    .enumerate()
    {
        let said = format!("{audience:?}");
        let input =
            IssuerInput { audience: Some(audience), ..issuer(&format!("a{n}"), &format!("https://a{n}.example")) };
        let wrong = field(house.app.add_issuer_of_jobs(&root, &input).await);
        assert_eq!(wrong.as_deref(), (!good).then_some("audience"), "{said}");
    }
    for (n, (bytes, good)) in [(LONGEST_KEYS, true), (LONGEST_KEYS + 1, false)].into_iter().enumerate() {
        let input =
            IssuerInput { keys: Some(keys(bytes)), ..issuer(&format!("k{n}"), &format!("https://k{n}.example")) };
        let wrong = field(house.app.add_issuer_of_jobs(&root, &input).await);
        assert_eq!(wrong.as_deref(), (!good).then_some("keys"), "{bytes}");
    }
}

/// A key set that is so long as it is written.
fn keys(bytes: usize) -> Value {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "A".repeat(43) });
    let of = |rest: String| json!({ "keys": [key], "rest": rest });
    let keys = of("a".repeat(bytes - of(String::new()).to_string().len()));
    assert_eq!(keys.to_string().len(), bytes);
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_lasts_and_is_silent_no_longer_and_no_shorter_than_there_may_be() {
    let house = House::new().await;
    let root = house.caller("root").await;
    house.app.add_issuer_of_jobs(&root, &issuer("actions", "https://one.example")).await.unwrap();
    let rule = |longest, silence| RuleInput {
        issuer: "actions".to_owned(),
        claims: [("repository_id".to_owned(), "74".parse().unwrap())].into(),
        longest,
        silence,
    };
    let (least, day, quarter) = (Span::from_secs(5), Span::from_hours(24), mins(15));
    let display = "Deploy".parse().unwrap();
    let new = NewWorkload { name: name("deploy"), display, sponsor: "ann".to_owned(), rule: rule(mins(60), mins(1)) };
    house.app.add_workload(&root, &new).await.unwrap();
    let (less, more) =
        (|span: Span| Span::from_micros(span.micros() - 1), |span: Span| Span::from_micros(span.micros() + 1));
    for (longest, silence, wrong) in [
        (less(least), least, Some("longest")),
        (least, least, None),
        (day, least, None),
        (more(day), least, Some("longest")),
        (day, less(least), Some("silence")),
        (day, quarter, None),
        (day, more(quarter), Some("silence")),
    ] {
        let said = house.app.change_workload(&root, "deploy", &rule(longest, silence)).await;
        assert_eq!(field(said).as_deref(), wrong, "{longest} and {silence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workloads_that_are_there_are_told_by_name_to_whom_may_read_the_directory() {
    let house = House::new().await;
    let root = house.caller("root").await;
    house.app.add_issuer_of_jobs(&root, &issuer("actions", "https://one.example")).await.unwrap();
    for (called, repository) in [("ship", "74"), ("build", "75"), ("check", "76")] {
        let claims = [("repository_id".to_owned(), repository.parse().unwrap())].into();
        let rule = RuleInput { issuer: "actions".to_owned(), claims, longest: mins(60), silence: mins(1) };
        let (name, display) = (name(called), called.parse().unwrap());
        house.app.add_workload(&root, &NewWorkload { name, display, sponsor: "ann".to_owned(), rule }).await.unwrap();
    }
    house.app.remove_workload(&root, "check").await.unwrap();
    let told = house.app.workloads(&root).await.unwrap();
    assert_eq!(told.iter().map(|one| one.person.name.as_str()).collect::<Vec<_>>(), ["build", "ship"]);
    let said = house.app.workloads(&house.caller("ann").await).await;
    assert!(matches!(said, Err(AppError::NotAllowed { .. })), "{said:?}");
}
