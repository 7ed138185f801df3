//! What resource servers take, and what they are told.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wane_testkit::{Interactive, Nginx, wait_until};

use super::office::{AUDIENCE, Library, Office, SCOPES, token_key, try_token_key};
use crate::people::{SOON, granted, text};

#[test]
fn libraries_take_a_token_that_is_theirs_and_no_other() {
    let office = Office::new();
    let orders = office.joined("orders");
    let (grant, token) = office.token("use", "orders");
    for library in Library::OFFLINE.into_iter().chain([Library::Introspection]) {
        let claims = office.checked(library, &token, AUDIENCE, &orders).unwrap_or_else(|e| panic!("{library:?}: {e}"));
        assert_eq!((&claims["wane_grant"], &claims["aud"]), (&json!(grant), &json!(AUDIENCE)), "{library:?}");
        assert_eq!(claims["scope"], SCOPES.join(" "), "{library:?}");
    }
    // A second audience: of another server, and of the same under another name.
    let (_, other) = office.token("use", "billing");
    for library in Library::OFFLINE {
        office.checked(library, &token, "https://billing.example", &orders).unwrap_err();
        office.checked(library, &other, AUDIENCE, &orders).unwrap_err();
        // Another type, another algorithm, another's signature.
        let parts: Vec<&str> = token.split('.').collect();
        let theirs: Vec<&str> = other.split('.').collect();
        let head = |text: &str| {
            let done =
                Command::new("sh").args(["-c", "printf %s \"$0\" | basenc --base64url | tr -d '=\\n'", text]).output();
            String::from_utf8(done.unwrap().stdout).unwrap()
        };
        let kid = office.curl(&text(&office.metadata()["jwks_uri"]), &[], &[]).json()["keys"][0]["kid"].clone();
        for bad in [
            format!(
                "{}.{}.{}",
                head(&json!({ "alg": "ES256", "typ": "JWT", "kid": kid }).to_string()),
                parts[1],
                parts[2]
            ),
            format!("{}.{}.", head(r#"{"alg":"none","typ":"at+jwt"}"#), parts[1]),
            format!(
                "{}.{}.{}",
                head(&json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid }).to_string()),
                parts[1],
                parts[2]
            ),
            format!("{}.{}.{}", parts[0], parts[1], theirs[2]),
        ] {
            office.checked(library, &bad, AUDIENCE, &orders).unwrap_err();
            assert!(!office.is_good(&orders, &bad), "{bad}");
        }
    }
    // A stolen copy after the end: whoever asks is told at once; whoever does not takes it until it runs out.
    let (brief, stolen) = office.token("brief", "orders");
    assert!(office.is_good(&orders, &stolen));
    office.maya().json(&["done", &brief]).unwrap();
    let refused = office.checked(Library::Introspection, &stolen, AUDIENCE, &orders).unwrap_err();
    assert!(refused.contains("InvalidTokenError"), "{refused}");
    for library in Library::OFFLINE {
        wait_until("the copy to have run out", SOON, || office.checked(library, &stolen, AUDIENCE, &orders).is_err())
            .unwrap();
    }
    let described = office.wane.ada.json(&["resource", "show", "orders"]).unwrap();
    assert!(described.to_string().contains("OAuth access token"), "{described:#}");
}

#[test]
fn nobody_is_told_of_a_token_that_is_for_another() {
    let office = Office::new();
    let (orders, billing) = (office.joined("orders"), office.joined("billing"));
    let (grant, token) = office.token("use", "orders");
    let good = office.introspect(&orders, &token).json();
    assert_eq!(
        (&good["active"], &good["username"], &good["wane_grant"]),
        (&json!(true), &json!("maya"), &json!(grant))
    );
    let (over, ended) = office.token("use", "orders");
    office.maya().json(&["done", &over]).unwrap();
    // The same, to the byte, of all that is not good.
    for (who, what) in [
        (&billing, token.as_str()),
        (&orders, ended.as_str()),
        (&orders, "nonsense"),
        (&orders, "a.b.c"),
        (&orders, &token[..token.len() - 4]),
        (&orders, &office.maya().token().unwrap()),
    ] {
        let answer = office.introspect(who, what);
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"active":false}"#));
    }
    // And nothing to whoever is no server.
    let password = orders.split_once(':').unwrap().1;
    let session = office.maya().token().unwrap();
    for user in [format!("billing:{password}"), "orders:none".to_owned(), ":".to_owned(), format!("orders:{session}")] {
        let answer = office.introspect(&user, &token);
        assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("invalid_client")), "{user}: {answer:?}");
    }
    for words in [
        &[][..],
        &["-H", &format!("Authorization: Bearer {session}")],
        &["-H", &format!("Authorization: Bearer {token}")],
    ] {
        assert_eq!(office.curl("/oauth2/introspect", words, &[("token", &token)]).status, 401);
    }
    let bearer = format!("Authorization: Bearer {password}");
    assert_eq!(office.curl("/oauth2/introspect", &["-H", &bearer], &[("token", &token)]).json()["active"], true);
    // What is off is refused.
    for (words, form) in [
        (&["--user", &orders][..], &[("token", token.as_str()), ("token", "x")][..]),
        (&["--user", &orders], &[("tokens", "x")]),
        (&["--user", &orders, "-H", "Content-Type: application/json"], &[("token", &token)]),
    ] {
        let answer = office.curl("/oauth2/introspect", words, form);
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_request")), "{answer:?}");
    }
    let in_address = office.curl("/oauth2/introspect?token=x", &["--user", &orders], &[("token", &token)]);
    assert_eq!(in_address.status, 400, "{in_address:?}");
    // A server that joins again gets another credential, and the former is good no more.
    let again = office.joined("orders");
    assert_eq!(office.introspect(&orders, &token).status, 401);
    assert!(office.is_good(&again, &token));
}

#[test]
fn a_token_is_over_with_whatever_it_stands_under() {
    let office = Office::new();
    let orders = office.joined("orders");
    let revoked = |token: &str| office.curl("/oauth2/revoke", &[], &[("token", token)]).status;
    // Its grant is given back; the server was seen to ask, so what it was told is evidence.
    let (grant, token) = office.token("use", "orders");
    assert!(office.is_good(&orders, &token));
    let confirmed = || office.wane.events(&grant).contains(&"lease.confirmed".to_owned());
    wait_until("it to be written down that the server asks", SOON, confirmed).unwrap();
    office.maya().json(&["done", &grant]).unwrap();
    assert!(!office.is_good(&orders, &token), "at once");
    let closed = office.wane.wait_closed(&grant);
    assert!(closed.to_string().contains("told"), "{closed:#}");
    // Whoever has it ends it, and with it all of the same grant; the grant gives another.
    let (grant, first) = office.token("use", "orders");
    let second = office.token_under(&grant, &json!({ "scope": "orders.read" }));
    assert!(office.is_good(&orders, &first) && office.is_good(&orders, &second));
    assert_eq!(revoked(&second), 200);
    assert!(!office.is_good(&orders, &first) && !office.is_good(&orders, &second));
    let third = office.token_under(&grant, &json!({}));
    assert!(office.is_good(&orders, &third) && !office.is_good(&orders, &first), "what is over stays over");
    for nothing in [second.as_str(), "nonsense", "a.b.c"] {
        assert_eq!(revoked(nothing), 200, "the same is said of whatever it is");
    }
    assert!(office.is_good(&orders, &third), "and nothing else is ended");
    assert!(office.wane.events(&grant).contains(&"credential.revoked".to_owned()));
    // Its holder is locked out, or is not let in any more.
    let (_, token) = office.token("use", "orders");
    office.wane.ada.json(&["revoke", "--resource", "orders", "--reason", "a copy was found"]).unwrap();
    assert!(!office.is_good(&orders, &token) && !office.is_good(&orders, &third));
    let (_, token) = office.token("use", "orders");
    assert!(office.is_good(&orders, &token));
    office.wane.ada.json(&["person", "disable", "maya"]).unwrap();
    assert!(!office.is_good(&orders, &token));
}

#[test]
fn a_real_nginx_asks_about_each_call() {
    let office = Office::new();
    let orders = office.joined("orders");
    let folder = office.wane.server.folder().join("nginx");
    fs::create_dir(&folder).unwrap();
    let credential = orders.split_once(':').unwrap().1;
    let check = office.url("/oauth2/check?sets=method,url&scope=orders.read");
    let nginx = Nginx::asking(&folder, &check, credential).unwrap();
    let url = format!("http://127.0.0.1:{}/", nginx.port());
    let call = |token: &str| office.curl(&url, &["-i", "-H", &format!("Authorization: Bearer {token}")], &[]);
    let (grant, token) = office.token("use", "orders");
    let answer = call(&token);
    assert!(answer.status == 200 && answer.body.contains("Holder: maya"), "{answer:?}\n{}", nginx.log());
    let write_only = office.token_under(&grant, &json!({ "scope": "orders.write" }));
    assert_eq!(call(&write_only).status, 403, "a scope that it has not");
    let (_, other) = office.token("use", "billing");
    for bad in [other.as_str(), "nonsense", ""] {
        assert_eq!(call(bad).status, 401, "{bad:.20}");
    }
    assert_eq!(office.curl(&url, &[], &[]).status, 401, "no token at all");
    // A copy that somebody else has is refused from the end on.
    office.maya().json(&["done", &grant]).unwrap();
    assert_eq!(call(&token).status, 401, "{}", nginx.log());
    office.wane.wait_closed(&grant);
}

/// A server that listens: what it heard, an event a line.
struct Listening(Interactive);

impl Listening {
    fn begin(office: &Office, user: &str, after: Option<&str>) -> Self {
        let mut curl = Command::new("curl");
        curl.args(["-sSN", "--user", user]).stdin(Stdio::null());
        if let Some(after) = after {
            curl.args(["-H", &format!("Last-Event-ID: {after}")]);
        }
        curl.arg(office.url("/oauth2/feed"));
        let here = Self(Interactive::spawn(&mut curl).unwrap());
        if after.is_none() {
            here.0.wait_for("event: listening", SOON).unwrap_or_else(|e| panic!("{e}: {}", here.0.stderr()));
        }
        here
    }

    fn hears(&self, grant: &str) {
        let heard = wait_until("the end to be told", SOON, || self.over().iter().any(|over| over["grant"] == grant));
        heard.unwrap_or_else(|e| panic!("{e}: {}", self.0.stdout()));
    }

    /// The events that are there whole.
    fn heard(&self) -> String {
        self.0.stdout().rsplit_once("\n\n").map_or_else(String::new, |(whole, _)| whole.to_owned())
    }

    fn over(&self) -> Vec<Value> {
        let said = self.heard();
        let data = said.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
        data.filter_map(|data| serde_json::from_str(&data).ok())
            .filter(|event: &Value| event["grant"].is_string())
            .collect()
    }

    fn last_id(&self) -> String {
        let said = self.heard();
        said.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().trim().to_owned()
    }
}

#[expect(clippy::disallowed_methods, reason = "that it is told as it happens is a matter of time")]
#[test]
fn a_server_that_listens_is_told_of_every_end_once_it_listens_again() {
    let office = Office::new();
    let (orders, billing) = (office.joined("orders"), office.joined("billing"));
    let before = office.token("use", "billing");
    office.maya().json(&["done", &before.0]).unwrap();
    let (feed, theirs) = (Listening::begin(&office, &billing, None), Listening::begin(&office, &orders, None));
    feed.hears(&before.0);
    let id = |token: &str| text(&claims(token)["jti"]);
    let (grant, token) = office.token("use", "billing");
    let again = office.token_under(&grant, &json!({ "scope": "orders.read" }));
    let begun = Instant::now();
    office.maya().json(&["done", &grant]).unwrap();
    let said = begun.elapsed();
    feed.hears(&grant);
    let took = begun.elapsed();
    // A figure would belong in the bench; this only says that it is told as it happens and not found by looking.
    assert!(
        took.saturating_sub(said) < Duration::from_secs(10),
        "told {took:?} after it was asked for, which took {said:?}"
    );
    let told = feed.over().into_iter().find(|over| over["grant"] == grant).unwrap();
    assert_eq!(told["tokens"], json!([id(&token), id(&again)]));
    assert_eq!(theirs.over(), Vec::<Value>::new(), "of another's tokens nothing is told");
    // Whoever breaks off goes on where they were, and hears what they missed, once.
    let last = feed.last_id();
    drop(feed);
    let missed = office.token("use", "billing");
    assert_eq!(office.curl("/oauth2/revoke", &[], &[("token", &missed.1)]).status, 200);
    let feed = Listening::begin(&office, &billing, Some(&last));
    feed.hears(&missed.0);
    assert_eq!(feed.over().len(), 1, "{}", feed.0.stdout());
    for (words, status) in [
        (&["-m", "30", "--user", &billing, "-H", "Last-Event-ID: x"][..], 400),
        (&["-m", "30", "--user", &billing, "-H", "Last-Event-ID: 99999999"], 400),
        (&["-m", "30"], 401),
    ] {
        assert_eq!(office.curl("/oauth2/feed", words, &[]).status, status, "{words:?}");
    }
    // A credential that is taken away ends what it opened.
    office.joined("billing");
    let feed = feed.0;
    feed.wait_exit(SOON).unwrap();
}

pub(super) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    let done = Command::new("sh")
        .args(["-c", "printf '%s' \"$0\" | tr '_-' '/+' | { cat; printf '%s' '==='; } | base64 -di 2>/dev/null", part])
        .output()
        .unwrap();
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {part}"))
}

#[test]
fn less_is_got_for_what_one_has_and_never_more() {
    let office = Office::new();
    let orders = office.joined("orders");
    let exchange = |subject: &str, sort: &str, more: &[(&str, &str)]| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject),
            ("subject_token_type", sort),
        ];
        office.curl("/oauth2/token", &[], &[&form[..], more].concat())
    };
    let (session_type, access) = ("urn:wane:token-type:session", "urn:ietf:params:oauth:token-type:access_token");
    let session = office.maya().token().unwrap();
    let none = exchange(&session, session_type, &[("audience", AUDIENCE)]);
    assert_eq!((none.status, &none.json()["error"]), (400, &json!("invalid_target")), "nothing is held there yet");
    let grant = granted(office.maya(), "use@orders", "10m");
    // Scheduled until it is begun: by its holder's first use of it.
    let first = office.token_under(&grant, &json!({}));
    let by_session = exchange(&session, session_type, &[("audience", "orders"), ("scope", "orders.read")]);
    assert_eq!(by_session.status, 200, "{by_session:?}");
    let by_session = by_session.json();
    assert_eq!(
        (&by_session["token_type"], &by_session["scope"], &by_session["issued_token_type"]),
        (&json!("Bearer"), &json!("orders.read"), &json!(access))
    );
    let narrow = text(&by_session["access_token"]);
    assert!(office.is_good(&orders, &narrow));
    let by_token = exchange(&first, access, &[("scope", "orders.write"), ("resource", AUDIENCE)]);
    assert_eq!(by_token.json()["scope"], "orders.write", "{by_token:?}");
    let write = text(&by_token.json()["access_token"]);
    assert!(claims(&write)["exp"].as_i64() <= claims(&first)["exp"].as_i64());
    for (subject, sort, more, error) in [
        (narrow.as_str(), access, &[("scope", "orders.write")][..], "invalid_scope"),
        (&narrow, access, &[("scope", "orders.read orders.write")], "invalid_scope"),
        (&first, access, &[("audience", "https://billing.example")], "invalid_target"),
        (&first, access, &[("audience", "nowhere")], "invalid_target"),
        (&first, session_type, &[("audience", AUDIENCE)], "invalid_grant"),
        (&session, access, &[("audience", AUDIENCE)], "invalid_grant"),
        ("nonsense", access, &[("audience", AUDIENCE)], "invalid_grant"),
        (&first, "urn:ietf:params:oauth:token-type:saml2", &[], "invalid_request"),
        (&first, access, &[("actor_token", "x")], "invalid_request"),
        (
            &first,
            access,
            &[("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")],
            "invalid_request",
        ),
        (&first, access, &[("wane_grant", "none")], "invalid_request"),
        (&session, session_type, &[], "invalid_request"),
    ] {
        let refused = exchange(subject, sort, more);
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!(error)), "{more:?}: {refused:?}");
    }
    let other = office.curl("/oauth2/token", &[], &[("grant_type", "password"), ("username", "maya")]);
    assert_eq!(other.json()["error"], "unsupported_grant_type", "{other:?}");
    // What is over gives nothing, though its grant would.
    assert_eq!(office.curl("/oauth2/revoke", &[], &[("token", &first)]).status, 200);
    let late = exchange(&first, access, &[]);
    assert_eq!(late.json()["error"], "invalid_grant", "{late:?}");
    assert!(!office.is_good(&orders, &narrow) && !office.is_good(&orders, &write), "with what it stood under");
    let issued = office.wane.events(&grant).iter().filter(|event| *event == "credential.issued").count();
    assert_eq!(issued, 3, "each is written down");
}

#[test]
fn a_key_takes_over_while_tokens_of_the_other_are_good() {
    let mut office = Office::new();
    let orders = office.joined("orders");
    let (_, token) = office.token("use", "orders");
    let kids = |office: &Office| -> Vec<Value> {
        let set = office.curl(&text(&office.metadata()["jwks_uri"]), &[], &[]).json();
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
    };
    assert_eq!(kids(&office).len(), 1);
    office.wane.server.stop().unwrap();
    let made = token_key(&office.wane.server, &["new", "--ed25519", "--ahead", "1s"]);
    assert_eq!(
        (&made["items"][0]["state"], &made["items"][1]["state"]),
        (&json!("signing"), &json!("ready")),
        "{made}"
    );
    let (done, said) = try_token_key(&office.wane.server, "", &["new"]);
    assert!(!done && said.contains("has to be published until"), "{said}");
    let (done, said) = try_token_key(&office.wane.server, "", &["drop", "oauth-token-a"]);
    assert!(!done && said.contains("until"), "{said}");
    office.wane.server.start().unwrap();
    assert_eq!(kids(&office).len(), 2);
    let head = |token: &str| token.split('.').next().unwrap().to_owned();
    let mut fresh = String::new();
    wait_until("the second key to sign", SOON, || {
        fresh = office.token("use", "orders").1;
        head(&fresh) != head(&token)
    })
    .unwrap();
    // Authlib's validator takes no EdDSA unless it is told to.
    for (token, alg, libraries) in
        [(&token, "ES256", &Library::OFFLINE[..]), (&fresh, "EdDSA", &[Library::PyJwt, Library::Jose])]
    {
        assert!(office.is_good(&orders, token), "{alg}");
        for library in libraries {
            office.checked(*library, token, AUDIENCE, &orders).unwrap_or_else(|e| panic!("{library:?} {alg}: {e}"));
        }
    }
    // One that somebody else may have goes at once, with what it signed.
    office.wane.server.stop().unwrap();
    token_key(&office.wane.server, &["drop", "oauth-token-b", "--compromised"]);
    office.wane.server.start().unwrap();
    assert_eq!(kids(&office).len(), 1);
    assert!(office.is_good(&orders, &token) && !office.is_good(&orders, &fresh));
    let shown = office.wane.ada.json(&["log", "--all"]).unwrap().to_string();
    assert!(shown.contains("token_key.made") && shown.contains("token_key.dropped"));
}
