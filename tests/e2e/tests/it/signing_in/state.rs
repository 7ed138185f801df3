//! Signing in at a provider: who gets in as whom, what of its word counts, and when it no longer does.

use serde_json::{Value, json};
use wane_testkit::{PersonSession, WaneServer, wait_until};

use super::provider::Provider;
use super::roaming::{Came, Roaming, http};
use crate::people::{Deployment, SOON, granted, items, text};

/// A deployment whose people sign in at a provider as well.
struct Corp {
    wane: Deployment,
    provider: Provider,
}

impl Corp {
    fn new(settings: &str, client: &Value) -> Self {
        let server = WaneServer::builder().prepare().unwrap();
        let provider = Provider::for_server(&server, client);
        let issuer = &provider.issuer;
        let file = format!(
            "[[login.oidc]]\nname = \"corp\"\ndisplay = \"Corp <ID>\"\nissuer = \"{issuer}\"\nclient_id = \"wane\"\n\
             scopes = [\"profile\", \"groups\"]\n{settings}"
        );
        server.configure(&file).unwrap();
        Self { wane: Deployment::on(server), provider }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.wane.server.url())
    }

    /// Begins; where the provider is to be asked.
    fn begins(&self, browser: &mut Roaming) -> String {
        let page = browser.open(&self.url("/sign-in/oidc/corp"));
        assert_eq!(page.status, 303, "{page:?}\n{}", self.wane.server.log());
        page.location().unwrap()
    }

    /// Begins, and is vouched for; what is brought back, not yet delivered.
    fn vouched(&self, browser: &mut Roaming, sub: &str) -> String {
        let at = self.begins(browser);
        self.provider.vouches(browser, &at, sub)
    }

    /// Somebody with a fresh browser signs in, whatever comes of it.
    fn signs_in(&self, sub: &str) -> (Roaming, Came) {
        let mut browser = Roaming::default();
        let back = self.vouched(&mut browser, sub);
        let page = browser.open(&back);
        (browser, page)
    }

    /// Somebody signs in; their session as a command line has it.
    fn session(&self, sub: &str) -> PersonSession {
        let (browser, page) = self.signs_in(sub);
        assert_eq!(page.status, 200, "{page:?}\n{}", self.wane.server.log());
        self.holds(&browser)
    }

    /// A command line with the session of a browser.
    fn holds(&self, browser: &Roaming) -> PersonSession {
        let token = browser.cookie(&self.wane.server.url(), "wane").unwrap();
        // What tells tokens apart tells their homes apart.
        self.wane.server.person_with(&token[7..33], token).unwrap()
    }
}

const RULES: &str = "provision = \"create\"\nphishing_resistant_amr = [\"hwk\"]\nmfa_acr = [\"mfa\"]\n\
     groups = { eng = \"staff\", Eng = \"dba\", ops = \"on-call\" }\nattributes = { department = \"department\" }\n";

fn me(person: &PersonSession) -> Value {
    person.json(&["me"]).unwrap()
}

fn events(wane: &Deployment, event: &str) -> Vec<Value> {
    items(&wane.ada.json(&["log", "--event", event, "--all"]).unwrap()).clone()
}

#[test]
fn somebody_signs_in_at_a_provider_and_is_whom_it_says() {
    let corp = Corp::new(RULES, &json!({}));
    let wane = &corp.wane;
    corp.provider.person(
        "00u1",
        &json!({ "preferred_username": "nia", "name": "Nia N.", "groups": ["eng", "ops", "else"], "department": "db" }),
        &json!({ "amr": ["hwk"] }),
    );
    let page = Roaming::default().open(&corp.url("/sign-in"));
    assert!(page.text.contains("Corp &lt;ID&gt;") && page.text.contains("/sign-in/oidc/corp"), "{page:?}");

    let (browser, page) = corp.signs_in("00u1");
    assert_eq!(page.status, 200, "{page:?}\n{}", wane.server.log());
    let session = page.cookies().into_iter().find(|c| c.starts_with("wane=")).unwrap();
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Strict"), "{session}");
    let nia = corp.holds(&browser);
    let said = me(&nia);
    assert_eq!((said["person"].as_str(), said["display"].as_str()), (Some("nia"), Some("Nia N.")));
    assert_eq!(said["groups"], json!(["on-call", "staff"]), "`dba` is another's spelling, and kept here");
    assert_eq!(said["session"]["proof"], "oidc+phishing-resistant");
    let shown = wane.ada.json(&["person", "show", "nia"]).unwrap();
    assert_eq!(shown["attributes"], json!({ "department": "db" }));
    let ways = wane.ada.json(&["person", "identity", "list", "nia"]).unwrap();
    assert_eq!((&ways["items"][0]["provider"], &ways["items"][0]["subject"]), (&json!("corp"), &json!("00u1")));

    // A group of the provider is the provider's; one that was here before is ours.
    let refused = crate::people::refused(&wane.ada, &["group", "join", "staff", "maya"], 5);
    assert!(refused.contains("corp"), "{refused}");
    wane.ada.json(&["group", "join", "dba", "maya"]).unwrap();
    assert_eq!(wane.ada.json(&["group", "show", "staff"]).unwrap()["kept_by"], "corp");

    // What the provider takes away is gone with the next sign-in, and what was held by it ends.
    wane.paper_host("web", "gate=staff");
    wane.deploy_role();
    wane.load(&format!(
        "{}\n@id(\"staff\") @max_ttl(\"1h\") permit (principal in Group::\"staff\", action == Action::\"access\", resource is Host);",
        crate::people::POLICY
    ));
    let grant = granted(&nia, "deploy@web", "30m");
    corp.provider.person("00u1", &json!({ "preferred_username": "mallory", "groups": ["ops"] }), &json!({}));
    let again = corp.session("00u1");
    let said = me(&again);
    assert_eq!(said["person"], "nia", "a name that changes there changes nobody here");
    assert_eq!(said["groups"], json!(["on-call"]));
    assert_eq!(said["session"]["proof"], "oidc");
    assert_eq!(wane.ada.json(&["person", "show", "nia"]).unwrap()["attributes"], json!({}));
    let ended = wane.wait_closed(&grant);
    assert!(ended.to_string().contains("policy"), "{ended}");
    assert_eq!(events(wane, "person.entered").iter().filter(|r| r["detail"]["provider"] == "corp").count(), 1);
    assert!(events(wane, "session.begun").iter().any(|r| r["detail"]["provider"] == "corp"));
}

#[test]
fn nobody_becomes_somebody_by_what_they_are_called() {
    let corp = Corp::new("provision = \"create\"\n", &json!({}));
    let wane = &corp.wane;
    for (sub, claims) in [
        ("evil1", json!({ "preferred_username": "maya", "email": "maya@example.org", "email_verified": true })),
        ("evil2", json!({ "preferred_username": "MAYA" })),
        ("evil3", json!({ "preferred_username": "maya " })),
        ("evil4", json!({ "preferred_username": "m\u{430}ya" })),
        ("evil5", json!({ "preferred_username": "" })),
        ("evil6", json!({})),
        ("maya", json!({ "preferred_username": "ada" })),
    ] {
        corp.provider.person(sub, &claims, &json!({}));
        let (browser, page) = corp.signs_in(sub);
        assert_eq!(page.status, 401, "{sub}: {page:?}");
        assert!(browser.cookie(&wane.server.url(), "wane").is_none(), "{sub}");
    }
    assert_eq!(items(&wane.ada.json(&["person", "list"]).unwrap()).len(), 2, "nobody was entered");
    assert_eq!(events(wane, "login.failed").iter().filter(|r| r["detail"]["provider"] == "corp").count(), 7);

    // An administrator says who it is; then the name there is no matter.
    let add = |person: &str, sub: &str| {
        vec!["person", "identity", "add", person, "--provider", "corp", "--subject", sub]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let said = |words: &[String]| wane.ada.run(words).unwrap();
    assert!(!wane.maya.run(&add("maya", "evil1")).unwrap().success(), "nobody says so of themselves");
    assert!(said(&add("maya", "evil1")).success());
    let maya = corp.session("evil1");
    assert_eq!(me(&maya)["person"], "maya");
    let taken = said(&add("ada", "evil1"));
    assert!(!taken.success() && taken.stderr.contains("maya"), "{taken:?}");

    // Taken away, it lets nobody in, and whoever was in by it is out.
    let ways = wane.ada.json(&["person", "identity", "list", "maya"]).unwrap();
    let way = text(&ways["items"][0]["id"]);
    wane.ada.json(&["person", "identity", "remove", "maya", &way]).unwrap();
    assert!(!maya.run(&["me"]).unwrap().success());
    assert!(wane.maya.run(&["me"]).unwrap().success(), "her own sign-in is another");
    assert_eq!(corp.signs_in("evil1").1.status, 401);

    // Who is disabled stays out.
    assert!(said(&add("maya", "evil1")).success());
    wane.ada.json(&["person", "disable", "maya"]).unwrap();
    assert_eq!(corp.signs_in("evil1").1.status, 401);
}

/// Neither by the identity that was theirs, nor by a name that the provider says for the first time.
#[test]
fn who_was_sent_away_does_not_come_back_as_somebody_new() {
    let corp = Corp::new("provision = \"create\"\n", &json!({}));
    corp.provider.person("00u1", &json!({ "preferred_username": "maya.smith" }), &json!({}));
    let ada = &corp.wane.ada;
    ada.json(&["person", "identity", "add", "maya", "--provider", "corp", "--subject", "00u1"]).unwrap();
    let maya = corp.session("00u1");
    assert_eq!(me(&maya)["person"], "maya");
    let until = ada.json(&["person", "until", "maya", "+4s"]).unwrap();
    wait_until("her time to be over", SOON, || !maya.run(&["me"]).unwrap().success()).unwrap();
    assert!(until["until"].is_string());
    assert_eq!(corp.signs_in("00u1").1.status, 401, "let in by a provider after her time was over");
    wait_until("that she left to be booked", SOON, || {
        ada.json(&["person", "show", "maya"]).unwrap()["left"].is_string()
    })
    .unwrap();
    assert_eq!(corp.signs_in("00u1").1.status, 401, "let in by a provider after she left");
    let people = ada.json(&["person", "list", "--all"]).unwrap();
    assert!(items(&people).iter().all(|p| p["name"] != "maya.smith"), "she is somebody new: {people:#}");
    let report = ada.json(&["offboard", "maya", "--report"]).unwrap();
    assert_eq!(report["identities"][0]["subject"], "00u1", "{report:#}");
}

#[test]
fn an_answer_counts_once_and_where_it_was_asked_for() {
    let corp = Corp::new("provision = \"create\"\n", &json!({}));
    corp.provider.person("00u1", &json!({ "preferred_username": "nia" }), &json!({}));
    let tampered = |change: &dyn Fn(&str) -> String| {
        let mut browser = Roaming::default();
        let back = corp.vouched(&mut browser, "00u1");
        let page = browser.open(&change(&back));
        assert!(browser.cookie(&corp.wane.server.url(), "wane").is_none(), "{page:?}");
        page.status
    };
    let part = |url: &str, name: &str| {
        let query = url.split_once('?').unwrap().1.to_owned();
        query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned()
    };
    assert_eq!(tampered(&|url| url.replace(&part(url, "state"), "x")), 401, "another state");
    assert_eq!(tampered(&|url| format!("{url}&state={}", part(url, "state"))), 401, "two states");
    assert_eq!(tampered(&|url| url.replace(&part(url, "iss"), "https%3A%2F%2Fevil.example")), 401, "another issuer");
    assert_eq!(tampered(&|url| url.replace("&iss=", "&xss=")), 401, "no issuer, where it says that it names it");
    assert_eq!(tampered(&|url| url.replace(&part(url, "code"), "x")), 401, "another code");
    assert_eq!(tampered(&|url| url.replace("code=", "error=access_denied&xode=")), 401, "refused there");

    // Not in another browser, and not in this one afterwards: it is used.
    let mut browser = Roaming::default();
    let back = corp.vouched(&mut browser, "00u1");
    assert_eq!(Roaming::default().open(&back).status, 401);
    assert_eq!(browser.open(&back).status, 401);
    // Once, where it was asked for.
    let back = corp.vouched(&mut browser, "00u1");
    assert_eq!(browser.open(&back).status, 200);
    assert_eq!(browser.open(&back).status, 401, "a second time");

    // A code that was redeemed, and one of another sign-in, under a state that waits.
    let redeemed = part(&back, "code");
    let other = corp.vouched(&mut browser, "00u1");
    let mixed = corp.vouched(&mut browser, "00u1");
    let page = browser.open(&mixed.replace(&part(&mixed, "code"), &redeemed));
    assert_eq!(page.status, 401, "{page:?}");
    let third = corp.vouched(&mut browser, "00u1");
    let page = browser.open(&third.replace(&part(&third, "code"), &part(&other, "code")));
    assert_eq!(page.status, 401, "PKCE binds a code to its sign-in: {page:?}");

    // The provider is asked under another nonce than ours.
    let mut browser = Roaming::default();
    let at = corp.begins(&mut browser);
    let back = corp.provider.vouches(&mut browser, &at.replace(&part(&at, "nonce"), "another"), "00u1");
    let page = browser.open(&back);
    assert!(page.status == 401 && page.text.contains("nonce"), "{page:?}");
}

#[test]
fn keys_change_and_sign_outs_are_heard() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "qu:et & word-of-thirty-two-letters").unwrap();
    let settings = format!("provision = \"create\"\nclient_secret = {{ file = \"{}\" }}\n", secret.path().display());
    let client = json!({
        "token_endpoint_auth_method": "client_secret_basic", "client_secret": "qu:et & word-of-thirty-two-letters",
        "id_token_signed_response_alg": "ES256",
    });
    let corp = Corp::new(&settings, &client);
    corp.provider.person("00u1", &json!({ "preferred_username": "nia" }), &json!({}));
    let first = corp.session("00u1");
    corp.provider.rotates();
    let second = corp.session("00u1");
    assert!(first.run(&["me"]).unwrap().success() && second.run(&["me"]).unwrap().success());

    let said = corp.provider.signs_out("00u1");
    assert_eq!(said.get("error"), None, "{said}\n{}", corp.wane.server.log());
    assert!(!second.run(&["me"]).unwrap().success(), "the session that ended there");
    assert!(first.run(&["me"]).unwrap().success(), "another of its sessions");
    let ended = events(&corp.wane, "session.ended_by_provider");
    assert_eq!(ended.len(), 1, "{ended:?}");

    // Said again, changed, or said by somebody else, it is not taken.
    let token = text(&said["token"]);
    let (mut broken, form) = (token.clone(), "Content-Type: application/x-www-form-urlencoded\r\n");
    broken.replace_range(token.len() - 8.., "AAAAAAAA");
    for bad in [token.as_str(), broken.as_str(), "", "a.b.c"] {
        let came = http("POST", &corp.url("/sign-in/oidc/corp/logout"), form, &format!("logout_token={bad}"));
        assert_eq!(came.status, 400, "{bad}");
    }
    assert_eq!(events(&corp.wane, "session.ended_by_provider").len(), 1);
    let again = corp.provider.signs_out("00u1");
    assert_eq!(again.get("error"), None, "{again}");
}

#[test]
fn a_command_line_is_signed_in_by_way_of_a_provider_and_out_with_it() {
    let corp = Corp::new("provision = \"create\"\nmfa_acr = [\"mfa\"]\n", &json!({}));
    corp.provider.person("00u1", &json!({ "preferred_username": "nia" }), &json!({ "acr": "mfa" }));
    let line = corp.wane.server.person("terminal").unwrap();
    let waiting = line.interactive(&["--json", "login"]).unwrap();
    wait_until("a link and a code", SOON, || waiting.stderr().contains("Nobody but you needs this code")).unwrap();
    let said = waiting.stderr();
    let found = |test: &dyn Fn(&str) -> bool| said.lines().map(str::trim).find(|line| test(line)).unwrap().to_owned();
    let link = found(&|line| line.contains("/device/"));
    let code = found(&|line| line.len() == 9 && line.as_bytes()[4] == b'-');
    let path = link.strip_prefix(&corp.wane.server.url()).unwrap();

    let (mut stranger, mut browser) = (corp.signs_in("00u1").0, Roaming::default());
    let page = browser.open(&link);
    assert!(page.text.contains("Sign in to Wane") && !page.text.contains("command line"), "{page:?}");
    let way = format!("/sign-in/oidc/corp?then={}", path.trim_start_matches('/'));
    assert!(page.text.contains(&way), "{page:?}");
    let at = browser.open(&corp.url(&way)).location().unwrap();
    let back = corp.provider.vouches(&mut browser, &at, "00u1");
    let page = browser.open(&back);
    assert!(page.status == 200 && page.text.contains(&format!("url={path}")), "{page:?}");

    let page = browser.open(&link);
    assert!(page.text.contains("127.0.0.1") && page.text.contains("wane ") && page.text.contains("nia"), "{page:?}");
    assert!(!page.text.contains(&code), "the page does not give the code away");
    let token = page.token();
    assert_eq!(stranger.post(&link, &format!("token={token}&code={code}&answer=yes")).status, 403, "another's form");
    assert_eq!(browser.post(&link, &format!("token={token}&code=BBBB-BBBB&answer=yes")).status, 422);
    let page = browser.post(&link, &format!("token={token}&code={}&answer=yes", code.to_lowercase()));
    assert_eq!(page.status, 200, "{page:?}");
    let outcome = waiting.wait_exit(SOON).unwrap();
    assert!(outcome.success(), "{outcome:?}\n{}", corp.wane.server.log());
    let said = me(&line);
    assert_eq!((said["person"].as_str(), said["session"]["proof"].as_str()), (Some("nia"), Some("oidc+mfa")));

    // What it came out of is over there, and so it is over here.
    let first = corp.holds(&browser);
    assert!(first.run(&["me"]).unwrap().success() && first.token().unwrap() != line.token().unwrap());
    corp.provider.signs_out("00u1");
    for held in [&first, &line] {
        assert!(!held.run(&["me"]).unwrap().success());
    }
    assert!(corp.holds(&stranger).run(&["me"]).unwrap().success(), "another of its sessions");

    // Refused in the browser, a command line is told so.
    let refused = line.interactive(&["--json", "login"]).unwrap();
    wait_until("a link and a code", SOON, || refused.stderr().contains("/device/")).unwrap();
    let link = refused.stderr().lines().map(str::trim).find(|line| line.contains("/device/")).unwrap().to_owned();
    let page = stranger.open(&link);
    let page = stranger.post(&link, &format!("token={}&code=&answer=no", page.token()));
    assert_eq!(page.status, 200, "{page:?}");
    let outcome = refused.wait_exit(SOON).unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("refused"), "{outcome:?}");
}
