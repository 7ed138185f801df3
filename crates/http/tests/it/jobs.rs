//! What a job of a workload may call, route by route, and what its bearer and its token are good for.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::house::House;
use crate::stage::{Op, Stage, ops};

const ISSUER: &str = "https://issuer.example";

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// Has `pipe` known as what `job-1` at the issuer is.
pub(crate) async fn register(house: &House) {
    let public = BASE64URL_NOPAD.encode(key().public_key().as_ref());
    let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": public }] }).to_string();
    let issuer = json!({
        "name": "corp", "sort": "generic", "issuer": ISSUER, "algorithms": ["EdDSA"], "jwks": jwks,
    });
    let workload =
        json!({ "name": "pipe", "sponsor": "ada", "rule": { "issuer": "corp", "claims": { "sub": "job-1" } } });
    for (path, body) in [("/v1/issuers", issuer), ("/v1/workloads", workload)] {
        let said = house.call("POST", path, Some(&house.token), None, body).await;
        assert_eq!(said.status, StatusCode::CREATED, "{said:?}");
    }
}

/// A token about `job-1` that nobody has shown yet.
fn token(house: &House, jti: &str) -> String {
    let now = house.app.now().seconds();
    let claims = json!({
        "iss": ISSUER, "sub": "job-1", "aud": "http://wane.example", "jti": jti, "iat": now, "exp": now + 300,
    });
    let part = |json: Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let body = format!("{}.{}", part(json!({ "alg": "EdDSA", "kid": "k1" })), part(claims));
    format!("{body}.{}", BASE64URL_NOPAD.encode(key().sign(body.as_bytes()).as_ref()))
}

async fn begun(house: &House, jti: &str) -> String {
    let body = json!({ "token": token(house, jti) });
    let said = house.call("POST", "/v1/jobs", None, None, body).await;
    assert_eq!(said.status, StatusCode::CREATED, "{said:?}");
    assert_eq!((&said.body["workload"], &said.body["silence"]["secs"]), (&json!("pipe"), &json!(60)));
    said.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_calls_what_it_takes_to_use_access_and_nothing_else() {
    let stage = Stage::set().await;
    register(&stage.house).await;
    let bearer = begun(&stage.house, "one").await;
    let document = serde_json::to_value(wane_http::document()).unwrap();
    let (mut open, mut closed) = (BTreeSet::new(), 0);
    let last = |op: &Op| op.method == "DELETE" && op.path == "/v1/jobs/current";
    let (end, others): (Vec<Op>, Vec<Op>) = ops().into_iter().partition(last);
    for op in others.into_iter().chain(end) {
        let needs = &document["paths"][op.path.as_str()][op.method.to_lowercase()]["security"];
        if !needs.is_null() {
            continue;
        }
        let before = stage.head().await;
        let body = if op.takes { stage.body(&op).to_string() } else { String::new() };
        let said = stage.send(&op.method, &stage.fill(&op.path), &bearer, "application/json", body).await;
        if said.status == StatusCode::FORBIDDEN && said.body["code"] == "not-allowed" {
            assert_eq!(stage.head().await, before, "{op:?} wrote something");
            closed += 1;
        } else {
            open.insert((format!("{} {}", op.method, op.path), said.status.as_u16()));
        }
    }
    assert!(closed > 70, "{closed}");
    // What is others' is not there.
    let expected = [
        ("DELETE /v1/jobs/current", 200),
        ("GET /v1/askable", 200),
        ("GET /v1/grants", 200),
        ("GET /v1/grants/{id}", 404),
        ("GET /v1/me", 200),
        ("GET /v1/requests", 200),
        ("GET /v1/requests/{id}", 404),
        ("POST /v1/grants/{id}/credential", 404),
        ("POST /v1/grants/{id}/extend", 404),
        ("POST /v1/grants/{id}/return", 404),
        ("POST /v1/jobs/current/beat", 200),
        ("POST /v1/requests/{id}/withdraw", 404),
    ];
    // `POST /v1/requests` and `POST /v1/why` are a job's own as well; here both are about somebody else, which is refused.
    assert_eq!(open, expected.map(|(route, status)| (route.to_owned(), status)).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_job_outlives_it() {
    let house = House::built().await;
    register(&house).await;
    let bearer = begun(&house, "one").await;
    // A bearer has one spelling, and so has the token that began it.
    let me = |bearer: String| {
        let house = &house;
        async move { house.call("GET", "/v1/me", Some(&bearer), None, Value::Null).await.status }
    };
    assert_eq!(me(bearer.clone()).await, StatusCode::OK);
    for cut in [&bearer[..bearer.len() - 1], &bearer[1..], &format!("{bearer}0"), &bearer.to_uppercase()] {
        assert_eq!(me(cut.to_owned()).await, StatusCode::UNAUTHORIZED, "{cut}");
    }
    assert_eq!(me(bearer.replacen("wane_w_", "wane_s_", 1)).await, StatusCode::UNAUTHORIZED);
    let whole = token(&house, "two");
    for variant in [
        format!("{whole}="),
        format!("{whole}."),
        format!(" {whole}"),
        whole[..whole.len() - 1].to_owned(),
        whole.replacen('.', "..", 1),
        whole.split('.').take(2).collect::<Vec<_>>().join("."),
    ] {
        let said = house.call("POST", "/v1/jobs", None, None, json!({ "token": variant })).await;
        assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{variant}");
    }
    let again = house.call("POST", "/v1/jobs", None, None, json!({ "token": token(&house, "one") })).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "{again:?}");
    assert!(again.body["detail"].as_str().unwrap().contains("began a job already"), "{again:?}");
    let beat = house.call("POST", "/v1/jobs/current/beat", Some(&bearer), None, Value::Null).await;
    assert_eq!(beat.status, StatusCode::OK, "{beat:?}");
    let jobs = house.get("/v1/jobs").await;
    assert_eq!((&jobs.body["items"][0]["subject"], jobs.body["items"].as_array().unwrap().len()), (&json!("job-1"), 1));
    let over = house.call("DELETE", "/v1/jobs/current", Some(&bearer), None, Value::Null).await;
    assert_eq!((over.status, &over.body["grants"]), (StatusCode::OK, &json!([])), "{over:?}");
    assert_eq!(me(bearer.clone()).await, StatusCode::UNAUTHORIZED);
    let none = house.call("POST", "/v1/jobs/current/beat", Some(&house.token), None, Value::Null).await;
    assert_eq!(none.status, StatusCode::FORBIDDEN, "somebody who is signed in is no job");
    // Neither the token nor the bearer stands in the trail.
    let log = house.get("/v1/log?limit=1000").await.body.to_string();
    assert!(log.contains("job.begun") && !log.contains(&bearer) && !log.contains(whole.rsplit('.').next().unwrap()));
}
