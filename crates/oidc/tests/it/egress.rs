//! A provider that leads astray, talks without end, or says it is somebody else.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wane_domain::time::Span;
use wane_oidc::{
    EgressError, Fresh, JobIssuer, JobIssuerSettings, OidcError, Provider, ProviderSettings, TokenError, Userinfo,
};
use wane_testkit::FakeClock;

/// Answers every call with the same bytes, and counts them.
struct Stub {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Stub {
    fn answering(answer: impl Fn(SocketAddr) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, calls) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&calls);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    if line.map_or(true, |line| line.is_empty()) {
                        break;
                    }
                }
                // Whoever asked may have had enough.
                let _ = stream.write_all(&answer(address));
            }
        });
        Self { address, calls }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn json(body: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    format!("{head}{body}").into_bytes()
}

fn document(issuer: &str, more: &str) -> String {
    format!(
        "{{\"issuer\":\"{issuer}\",\"authorization_endpoint\":\"{issuer}/a\",\"token_endpoint\":\"{issuer}/t\",\"jwks_uri\":\"{issuer}/k\"{more}}}"
    )
}

fn provider(issuer: String) -> Provider {
    Provider::new(ProviderSettings {
        issuer,
        client_id: "wane".to_owned(),
        secret: None,
        scopes: vec!["profile".to_owned()],
        acr_values: vec!["phr".to_owned()],
        userinfo: Userinfo::NotAsked,
        ca_pem: None,
        redirect_uri: "http://127.0.0.1:1/sign-in/oidc/corp/callback".to_owned(),
    })
    .unwrap()
}

/// What comes of beginning a sign-in at whoever answers so.
async fn begun(stub: &Stub) -> Result<String, OidcError> {
    let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
    let fresh = Fresh::Within(Span::from_hours(8));
    let at = provider(format!("http://{}", stub.address));
    at.begin(fresh, &clock.ambient(1)).await.map(|(url, _)| url.to_string())
}

#[tokio::test]
async fn a_sign_in_is_begun_with_everything_that_binds_it() {
    let stub = Stub::answering(|at| json(&document(&format!("http://{at}"), "")));
    let url = begun(&stub).await.unwrap();
    assert!(url.starts_with(&format!("http://{}/a?", stub.address)), "{url}");
    for part in [
        "response_type=code",
        "client_id=wane",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fsign-in%2Foidc%2Fcorp%2Fcallback",
        "scope=openid+profile",
        "code_challenge_method=S256",
        "max_age=28800",
        "acr_values=phr",
    ] {
        assert!(url.contains(part), "{part}: {url}");
    }
    let value = |name: &str| url.split(['?', '&']).find_map(|p| p.strip_prefix(&format!("{name}="))).unwrap().len();
    assert_eq!([value("state"), value("nonce"), value("code_challenge")], [43; 3], "256 bits each");
}

#[tokio::test]
async fn nothing_is_followed_and_nothing_without_end_is_read() {
    let elsewhere = Stub::answering(|at| json(&document(&format!("http://{at}"), "")));
    let to = elsewhere.address;
    let leads = Stub::answering(move |_| {
        format!("HTTP/1.1 302 Found\r\nLocation: http://{to}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .into_bytes()
    });
    let error = begun(&leads).await.unwrap_err();
    assert!(matches!(error, OidcError::Egress(EgressError::Status { status: 302, .. })), "{error}");
    assert_eq!(elsewhere.calls(), 0);

    let talks = Stub::answering(|_| {
        let mut answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"issuer\":\"".to_vec();
        answer.resize(8 << 20, b'x');
        answer
    });
    let error = begun(&talks).await.unwrap_err();
    assert!(matches!(error, OidcError::Egress(EgressError::TooMuch(_))), "{error}");
}

#[tokio::test]
async fn who_is_somebody_else_is_not_asked_again() {
    let other = Stub::answering(|_| json(&document("https://login.example.org", "")));
    assert!(matches!(begun(&other).await, Err(OidcError::Discovery(_))));
    let away = Stub::answering(|at| {
        let own = format!("http://{at}");
        json(&document(&own, "").replace(&format!("{own}/t"), "https://collector.example/t"))
    });
    assert!(
        matches!(begun(&away).await, Err(OidcError::Egress(EgressError::Forbidden(_)))),
        "a token endpoint elsewhere"
    );
    for answer in ["{\"issuer\":1}", "[]", "{\"a\":1,\"a\":2}", "<html>"] {
        let odd = Stub::answering(move |_| json(answer));
        assert!(begun(&odd).await.is_err(), "{answer}");
    }
}

#[tokio::test]
async fn one_that_does_not_answer_is_left_alone_for_a_moment() {
    let broken = Stub::answering(|_| b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec());
    let clock = FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap());
    let ambient = clock.ambient(1);
    let at = provider(format!("http://{}", broken.address));
    for _ in 0..5 {
        at.begin(Fresh::Required, &ambient).await.unwrap_err();
    }
    assert_eq!(broken.calls(), 1);
    clock.advance(Span::from_secs(3));
    at.begin(Fresh::Required, &ambient).await.unwrap_err();
    assert_eq!(broken.calls(), 2);
}

/// A token about a job that somebody at this issuer might have signed.
const OF_A_JOB: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.eyJpc3MiOiJ4In0.AAAA";

async fn asked(stub: &Stub) -> Result<(), OidcError> {
    job_issuer(stub)
        .check(OF_A_JOB, FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap()).ambient(1).now())
        .await
        .map(drop)
}

fn job_issuer(stub: &Stub) -> JobIssuer {
    let settings = JobIssuerSettings {
        issuer: format!("http://{}", stub.address),
        audience: "wane".to_owned(),
        algorithms: vec!["EdDSA"],
        ca_pem: None,
        keys: None,
    };
    JobIssuer::new(settings).unwrap()
}

#[tokio::test]
async fn an_issuer_of_jobs_is_asked_for_its_own_keys_and_leads_nowhere() {
    let elsewhere = Stub::answering(|at| json(&document(&format!("http://{at}"), "")));
    let to = elsewhere.address;
    let leads = Stub::answering(move |_| {
        format!("HTTP/1.1 307 Go\r\nLocation: http://{to}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .into_bytes()
    });
    let error = asked(&leads).await.unwrap_err();
    assert!(matches!(error, OidcError::Egress(EgressError::Status { status: 307, .. })), "{error}");
    let away = Stub::answering(move |at| {
        let own = format!("http://{at}");
        json(&document(&own, "").replace(&format!("{own}/k"), "https://collector.example/k"))
    });
    assert!(matches!(asked(&away).await, Err(OidcError::Egress(EgressError::Forbidden(_)))), "keys elsewhere");
    let link = Stub::answering(move |at| {
        let own = format!("http://{at}");
        json(&document(&own, "").replace(&format!("{own}/k"), "http://169.254.169.254/k"))
    });
    assert!(matches!(asked(&link).await, Err(OidcError::Egress(EgressError::Forbidden(_)))), "keys of the link");
    let other = Stub::answering(|_| json(&document("https://issuer.example", "")));
    assert!(matches!(asked(&other).await, Err(OidcError::Discovery(_))), "somebody else's");
    assert_eq!((elsewhere.calls(), other.calls()), (0, 1));
    // It signs nobody in, so it has no endpoints for that.
    let plain = Stub::answering(|at| json(&format!("{{\"issuer\":\"http://{at}\",\"jwks_uri\":\"http://{at}/k\"}}")));
    assert!(matches!(asked(&plain).await, Err(OidcError::Token(TokenError::UnknownKey))));
    // Tokens with keys that nobody published have its keys looked up a few times, and then not for a while.
    let (one, now) = (job_issuer(&plain), FakeClock::at("2026-11-22T09:00:00Z".parse().unwrap()).ambient(1).now());
    let before = plain.calls();
    for _ in 0..50 {
        one.check(OF_A_JOB, now).await.unwrap_err();
    }
    assert!((2..12).contains(&(plain.calls() - before)), "{}", plain.calls() - before);
}
