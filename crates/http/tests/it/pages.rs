//! The pages on which somebody confirms a login: who gets what, and what a form has to come with.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;
use wane_app::{Arriving, Federated, Goal, ProviderRules, Says, Strangers};
use wane_domain::time::Span;
use wane_oidc::{Provider, ProviderSettings, Userinfo};

use crate::house::{House, PASSWORD};
use crate::stage::Stage;

const OWN: &str = "http://wane.example";

struct Shown {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

async fn send(house: &House, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Shown {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = house.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    Shown { status: parts.status, headers: parts.headers, text }
}

/// A login that waits; the path of its page, and its code.
async fn waiting(house: &House) -> (String, String) {
    let who = Arriving {
        goal: Goal::Session { resource: "ledger".to_owned(), login: "clerk".to_owned() },
        peer: "192.0.2.7".parse().unwrap(),
        client: "SSH-2.0-<b>".to_owned(),
    };
    let (_, invitation) = house.app.arrive(who).await.unwrap();
    (invitation.link.strip_prefix(OWN).unwrap().to_owned(), invitation.code)
}

fn token(page: &Shown) -> String {
    page.text.split_once("name=\"token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_good_only_from_its_own_page() {
    let house = House::built().await;
    let (path, code) = waiting(&house).await;
    let (other, _) = waiting(&house).await;
    let cookie = format!("wane={}", house.token);
    let me = ("cookie", cookie.as_str());
    let page = send(&house, "GET", &path, &[me], "").await;
    assert_eq!(page.status, StatusCode::OK);
    for shown in ["192.0.2.7", "SSH-2.0-&lt;b&gt;", "ledger", "clerk", "ada"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    assert_eq!(page.headers["cache-control"], "no-store");
    let foreign = token(&send(&house, "GET", &other, &[me], "").await);
    let (own, origin) = (token(&page), ("origin", OWN));
    let yes = |token: &str| format!("token={token}&code={code}&answer=yes");
    for (what, headers, body, status) in [
        ("nobody", vec![FORM, origin], yes(&own), StatusCode::UNAUTHORIZED),
        ("another page's token", vec![me, FORM, origin], yes(&foreign), StatusCode::FORBIDDEN),
        ("no token", vec![me, FORM, origin], yes(""), StatusCode::FORBIDDEN),
        ("another site", vec![me, FORM, ("origin", "http://evil.example")], yes(&own), StatusCode::FORBIDDEN),
        ("no site", vec![me, FORM, ("origin", "null")], yes(&own), StatusCode::FORBIDDEN),
        ("from elsewhere", vec![me, FORM, origin, ("sec-fetch-site", "cross-site")], yes(&own), StatusCode::FORBIDDEN),
        ("no form", vec![me, ("content-type", "text/plain"), origin], yes(&own), StatusCode::FORBIDDEN),
        ("twice", vec![me, FORM, origin], format!("{}&answer=no", yes(&own)), StatusCode::FORBIDDEN),
        ("neither", vec![me, FORM, origin], format!("token={own}&code={code}"), StatusCode::UNPROCESSABLE_ENTITY),
        ("a bearer", vec![FORM, origin, ("authorization", &house.token)], yes(&own), StatusCode::UNAUTHORIZED),
    ] {
        let said = send(&house, "POST", &path, &headers, &body).await;
        assert_eq!(said.status, status, "{what}: {}", said.text);
    }
    assert_eq!(send(&house, "GET", &path, &[me], "").await.status, StatusCode::OK, "it still waits");
    let said = send(&house, "POST", &path, &[me, FORM, origin], &yes(&own)).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.text);
    let again = send(&house, "POST", &path, &[me, FORM, origin], &yes(&own)).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);
    house.clock.advance(Span::from_mins(5));
    let late = send(&house, "GET", &other, &[me], "").await;
    assert_eq!(late.status, StatusCode::NOT_FOUND, "{}", late.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_opens_pages_only() {
    let house = House::built().await;
    let cookie = format!("wane={}", house.token);
    for path in ["/v1/me", "/v1/people", "/v1/grants"] {
        let said = send(&house, "GET", path, &[("cookie", &cookie)], "").await;
        assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_on_the_page_and_comes_back_to_the_question() {
    let house = House::built().await;
    house.call("POST", "/v1/people", Some(&house.token), None, json!({ "name": "bo" })).await;
    let code =
        house.call("POST", "/v1/people/bo/enrolment", Some(&house.token), None, json!({})).await.body["code"].clone();
    let said = house.call("POST", "/v1/enrolments", None, None, json!({ "code": code, "password": PASSWORD })).await;
    let totp = totp_rs::Totp::from_url(said.body["otpauth_url"].as_str().unwrap()).ok().unwrap();
    let (path, _) = waiting(&house).await;
    let page = send(&house, "GET", &path, &[], "").await;
    assert!(page.text.contains("Sign in to Wane") && !page.text.contains("ledger"), "{}", page.text);
    let now = house.clock.advance(Span::from_secs(60)).seconds();
    let code = totp.generate(u64::try_from(now).unwrap()).to_string();
    let sign_in = format!("{path}/sign-in");
    let form = |password: &str| format!("person=bo&password={}&totp={code}", password.replace(' ', "+"));
    let origin = ("origin", OWN);
    let wrong = send(&house, "POST", &sign_in, &[FORM, origin], &form("wrong wrong wrong")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.headers.contains_key("set-cookie"));
    let foreign = send(&house, "POST", &sign_in, &[FORM, ("origin", "http://evil.example")], &form(PASSWORD)).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "nobody else signs a browser in");
    let right = send(&house, "POST", &sign_in, &[FORM, origin], &form(PASSWORD)).await;
    assert_eq!((right.status, right.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, path.as_str()));
    let cookie = right.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let page = send(&house, "GET", &path, &[("cookie", cookie)], "").await;
    assert!(page.text.contains("Log in to ledger as clerk?") && page.text.contains("you, bo"), "{}", page.text);
}

/// A provider that is in the settings and never asked.
fn federated() -> Federated {
    let provider = Provider::new(ProviderSettings {
        issuer: "https://login.example.org".to_owned(),
        client_id: "wane".to_owned(),
        secret: None,
        scopes: Vec::new(),
        acr_values: Vec::new(),
        userinfo: Userinfo::NotAsked,
        ca_pem: None,
        redirect_uri: format!("{OWN}/sign-in/oidc/corp/callback"),
    });
    let rules = ProviderRules {
        name: "corp".parse().unwrap(),
        display: "Corp <ID>".to_owned(),
        strangers: Strangers::Refused,
        display_claim: "name".to_owned(),
        groups_claim: "groups".to_owned(),
        groups: BTreeMap::new(),
        attributes: BTreeMap::new(),
        several_factors: Says::default(),
        phishing_resistant: Says::default(),
    };
    Federated { rules, provider: provider.unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_can_be_answered_by_way_of_a_provider() {
    let house = House::built().await;
    house.app.federate(vec![federated()]);
    let (path, _) = waiting(&house).await;
    let page = send(&house, "GET", &path, &[], "").await;
    let way = format!("/sign-in/oidc/corp?then={}", path.trim_start_matches('/'));
    assert!(page.text.contains(&way) && page.text.contains("Corp &lt;ID&gt;"), "{}", page.text);
    let home = send(&house, "GET", "/sign-in", &[], "").await;
    assert!(home.text.contains("/sign-in/oidc/corp?then=home"), "{}", home.text);
    assert!(!home.text.contains("passkey"), "this address has no name that browsers trust");

    // What nobody asked for signs nobody in, and one that is not there is not.
    for (path, status) in [
        ("/sign-in/oidc/corp/callback?state=x&code=y", StatusCode::UNAUTHORIZED),
        ("/sign-in/oidc/corp/callback", StatusCode::UNAUTHORIZED),
        ("/sign-in/oidc/other/callback?state=x&code=y", StatusCode::NOT_FOUND),
        ("/sign-in/oidc/other", StatusCode::NOT_FOUND),
    ] {
        let said = send(&house, "GET", path, &[], "").await;
        assert_eq!(said.status, status, "{path}: {}", said.text);
        assert!(!said.headers.contains_key("set-cookie"), "{path}");
    }
    let cookie = format!("wane={}", house.token);
    let me = send(&house, "GET", "/sign-in", &[("cookie", &cookie)], "").await;
    assert!(me.text.contains("You are signed in as <b>ada</b>"), "{}", me.text);
    let out = |token: String| {
        let (house, cookie) = (&house, cookie.clone());
        async move {
            let headers = [FORM, ("origin", OWN), ("cookie", cookie.as_str())];
            send(house, "POST", "/sign-in/out", &headers, &format!("token={token}")).await
        }
    };
    assert_eq!(out(String::new()).await.status, StatusCode::FORBIDDEN, "a form of somebody else");
    let gone = out(token(&me)).await;
    assert_eq!(gone.status, StatusCode::OK);
    assert!(gone.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let after = send(&house, "GET", "/sign-in", &[("cookie", &cookie)], "").await;
    assert!(after.text.contains("Sign in to Wane"), "the session is over, not only its cookie");
}

/// What waits for somebody is listed for them alone, and leads to where it is decided.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_listed_for_whoever_could_decide_it() {
    let stage = Stage::set().await;
    let path = format!("/approve/{}", stage.request.strip_prefix("req_").unwrap());
    let page = async |token: &str| {
        let cookie = format!("wane={token}");
        send(&stage.house, "GET", "/waiting", &[("cookie", cookie.as_str())], "").await
    };
    let mine = page(&stage.house.token).await;
    assert_eq!(mine.status, StatusCode::OK);
    for shown in [path.as_str(), "read on ledger", "bo", "It lapses"] {
        assert!(mine.text.contains(shown), "{shown}: {}", mine.text);
    }
    assert!(mine.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let theirs = page(&stage.bo).await;
    assert!(theirs.text.contains("Nothing waits for you") && !theirs.text.contains("ledger"), "{}", theirs.text);
    let nobody = send(&stage.house, "GET", "/waiting", &[], "").await;
    assert!(nobody.text.contains("Sign in to Wane") && !nobody.text.contains("ledger"), "{}", nobody.text);
    let home = send(&stage.house, "GET", "/sign-in", &[("cookie", &format!("wane={}", stage.house.token))], "").await;
    assert!(home.text.contains("href=\"/waiting\""), "{}", home.text);
}
