//! Authorities and keys of tokens that take over from one another while the server runs.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use wane_testkit::{Interactive, PersonSession, WaneServer, WaneServerBuilder, wait_until};

use crate::people::{Deployment, SOON, granted, items, text};

const SETTINGS: &str = r#"{"crl_pull_secs": 5}"#;

fn deployed(builder: WaneServerBuilder) -> Deployment {
    let wane = Deployment::with(builder);
    wane.ada
        .json(&["resource", "add", "web", "--kind", "x509", "--label", "gate=open", "--settings", SETTINGS])
        .unwrap();
    wane.ada.json(&["role", "add", "x509/operate", "--set", "use=client"]).unwrap();
    wane
}

fn states(shown: &Value) -> Vec<String> {
    items(shown).iter().map(|one| one["state"].as_str().unwrap_or("other").to_owned()).collect()
}

fn show(ada: &PersonSession, of: &str) -> Value {
    ada.json(&[of, "--live", "show"]).unwrap()
}

/// A certificate under a grant: itself, and who issued it.
fn issued(wane: &Deployment, grant: &str) -> (String, String) {
    let given = wane.maya.json(&["credential", grant, "--input", &input(wane)]).unwrap();
    (text(&given["public"]["certificate"]), text(&given["public"]["authority"]))
}

fn input(wane: &Deployment) -> String {
    let folder = wane.server.folder();
    if !folder.join("key.csr").exists() {
        let done = Command::new("openssl")
            .args(["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=x"])
            .args(["-keyout", "key.pem", "-out", "key.csr"])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(done.status.success());
    }
    json!({ "csr": std::fs::read_to_string(folder.join("key.csr")).unwrap() }).to_string()
}

/// A change of authorities, sent as it is.
fn sends(wane: &Deployment, body: &Value) -> Command {
    let bearer = format!("Authorization: Bearer {}", wane.ada.token().unwrap());
    let url = format!("{}/v1/keys/authorities", wane.server.url());
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "60", "-H", &bearer, "-H", "Content-Type: application/json"]);
    curl.args(["-d", &body.to_string(), &url]);
    curl
}

/// What is answered to it.
fn sent(wane: &Deployment, body: &Value) -> String {
    String::from_utf8(sends(wane, body).output().unwrap().stdout).unwrap()
}

fn fetched(wane: &Deployment, name: &str) -> String {
    let url = format!("{}/v1/published/{name}", wane.server.url());
    let done = Command::new("curl").args(["-fsS", &url]).output().unwrap();
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Whether a certificate is good under what is published now.
fn is_good(wane: &Deployment, certificate: &str) -> bool {
    let folder = wane.server.folder();
    std::fs::write(folder.join("judged.pem"), certificate).unwrap();
    std::fs::write(folder.join("trust.pem"), fetched(wane, "x509/trust.pem")).unwrap();
    std::fs::write(folder.join("crl.pem"), fetched(wane, "x509/crl.pem")).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-crl_check", "-CAfile", "trust.pem", "-CRLfile", "crl.pem", "judged.pem"]);
    openssl.current_dir(folder).output().unwrap().status.success()
}

#[test]
fn while_one_takes_over_there_is_always_one_that_issues() {
    let wane = deployed(WaneServer::builder());
    assert_eq!(states(&show(&wane.ada, "authority")), Vec::<String>::new());
    let first = wane.ada.json(&["authority", "--live", "new", "--permit-dns", "corp.example"]).unwrap();
    assert_eq!(states(&first), ["issuing"], "{first}");
    let grant = granted(&wane.maya, "operate@web", "1h");
    let (old, old_authority) = issued(&wane, &grant);
    assert!(is_good(&wane, &old));

    // A second is published and trusted at once, and issues nothing.
    assert_eq!(states(&wane.ada.json(&["authority", "--live", "new"]).unwrap()), ["issuing", "ready"]);
    assert_eq!(fetched(&wane, "x509/trust.pem").matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(issued(&wane, &grant).1, old_authority);
    // While it takes over, whoever asks is given a certificate by one or the other.
    let (stop, wane_ref) = (AtomicBool::new(false), &wane);
    let by = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut by = Vec::new();
            while !stop.load(Ordering::SeqCst) || by.len() < 3 {
                let (certificate, authority) = issued(wane_ref, &grant);
                assert!(is_good(wane_ref, &certificate), "by {authority}");
                by.push(authority);
            }
            by
        });
        // The state of the former has a moment, and is no word.
        assert_eq!(states(&wane.ada.json(&["authority", "--live", "take-over"]).unwrap()), ["other", "issuing"]);
        stop.store(true, Ordering::SeqCst);
        asking.join().unwrap()
    });
    let new_authority = issued(&wane, &grant).1;
    assert_ne!(new_authority, old_authority);
    let changes = by.windows(2).filter(|two| two[0] != two[1]).count();
    assert!(changes <= 1 && by.iter().all(|one| *one == old_authority || *one == new_authority), "{by:?}");
    assert!(is_good(&wane, &old), "what the former issued works on, and its list is signed");
    wane.maya.json(&["done", &grant]).unwrap();
    assert!(!is_good(&wane, &old), "and can be revoked");

    // It is not taken away before what it issued has run out, and there is no room for a third.
    let refused = wane.ada.run(&["authority", "--live", "drop"]).unwrap();
    assert!(!refused.success() && refused.stderr.contains("can work until"), "{refused:?}");
    let refused = wane.ada.run(&["authority", "--live", "new"]).unwrap();
    assert!(!refused.success() && refused.stderr.contains("two authorities already"), "{refused:?}");
    let told = wane.ada.json(&["log", "--all"]).unwrap();
    for event in ["authority.made", "authority.took_over"] {
        let record = items(&told).iter().find(|record| record["event"] == event).unwrap_or_else(|| panic!("{event}"));
        assert!(record.to_string().contains("ada"), "who it was is written down: {record}");
    }
}

#[test]
fn an_authority_is_certified_outside_while_the_server_runs() {
    let wane = deployed(WaneServer::builder());
    let made = wane.ada.json(&["authority", "--live", "new", "--request"]).unwrap();
    let folder = wane.server.folder();
    let openssl = |words: &str| {
        let done = Command::new("openssl").args(words.split(' ')).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&done.stderr));
    };
    std::fs::write(folder.join("ca.csr"), text(&made["items"][0]["state"]["requested"]["request"])).unwrap();
    std::fs::write(
        folder.join("ca.ext"),
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
    )
    .unwrap();
    openssl(
        "req -x509 -nodes -days 30 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=root -keyout root.key -out root.pem",
    );
    openssl("x509 -req -in ca.csr -CA root.pem -CAkey root.key -CAcreateserial -days 20 -extfile ca.ext -out ca.pem");
    let chain = ["ca.pem", "root.pem"].map(|file| std::fs::read_to_string(folder.join(file)).unwrap()).concat();
    std::fs::write(folder.join("chain.pem"), &chain).unwrap();
    let wrong = wane.ada.run(&["authority", "--live", "certify", folder.join("root.pem").to_str().unwrap()]).unwrap();
    assert!(!wrong.success() && wrong.stderr.contains("the chain is not taken"), "{wrong:?}");
    let done = wane.ada.json(&["authority", "--live", "certify", folder.join("chain.pem").to_str().unwrap()]).unwrap();
    assert_eq!(states(&done), ["issuing"]);
    let grant = granted(&wane.maya, "operate@web", "10m");
    issued(&wane, &grant);
    assert!(
        fetched(&wane, "x509/trust.pem").contains(std::fs::read_to_string(folder.join("root.pem")).unwrap().trim())
    );
}

#[test]
fn keys_turn_for_an_administrator_with_a_fresh_proof_alone() {
    let wane = deployed(WaneServer::builder().with_clock());
    for of in ["authority", "token-key"] {
        for words in [&[of, "--live", "new"][..], &[of, "--live", "show"]] {
            let refused = wane.maya.run(words).unwrap();
            assert!(!refused.success() && refused.stdout.is_empty(), "{words:?}: {refused:?}");
        }
        let made = wane.ada.json(&[of, "--live", "new"]).unwrap();
        assert_eq!(items(&made).len(), 1, "{made}");
    }
    for (change, why) in [
        (json!("turn"), "unknown variant"),
        (json!({ "new": { "years": 99 } }), "1 to 30"),
        (json!({ "new": { "permit_ip": ["10.0.0.0"] } }), "no network"),
        (json!({ "new": { "key": "mine" } }), "unknown field"),
        (json!({ "new": { "request": true, "permit_dns": ["a"] } }), "root outside"),
    ] {
        let said = sent(&wane, &json!({ "change": change }));
        assert!(said.contains(why), "{change}: {said}");
    }
    wane.server.set_clock(11 * 60).unwrap();
    for words in
        [&["authority", "--live", "new"][..], &["authority", "--live", "take-over"], &["token-key", "--live", "new"]]
    {
        let refused = wane.ada.run(words).unwrap();
        assert!(!refused.success() && refused.stderr.contains("wane prove"), "{words:?}: {refused:?}");
    }
    assert_eq!(states(&show(&wane.ada, "authority")), ["issuing"], "looking takes none");
}

/// Killed before and after a change is on disk, and before it counts in the process: never two that issue, never none.
#[test]
fn a_change_that_was_cut_off_counts_or_does_not() {
    let mut wane = deployed(WaneServer::builder().failpoints());
    wane.ada.json(&["authority", "--live", "new"]).unwrap();
    wane.ada.json(&["token-key", "--live", "new"]).unwrap();
    let issuing =
        |wane: &Deployment| states(&show(&wane.ada, "authority")).iter().filter(|one| *one == "issuing").count();
    for (place, words, of, before, after) in [
        ("authority.commit:before", &["authority", "--live", "new"][..], "authority", 1, false),
        ("authority.commit:after", &["authority", "--live", "new"], "authority", 1, true),
        ("turning.before", &["authority", "--live", "take-over"], "authority", 2, true),
        ("token_key.commit:before", &["token-key", "--live", "new"], "token-key", 1, false),
        ("token_key.commit:after", &["token-key", "--live", "new"], "token-key", 1, true),
    ] {
        let was = show(&wane.ada, of);
        assert_eq!(items(&was).len(), before, "{place}");
        wane.server.plan(&format!("{place}=kill")).unwrap();
        assert!(!wane.ada.run(words).unwrap().success(), "{place}");
        wait_until("the server to be dead", SOON, || wane.server.died().is_some()).unwrap();
        wane.server.plan("").unwrap();
        wane.server.start().unwrap();
        assert_eq!(show(&wane.ada, of) != was, after, "{place}");
        assert_eq!(issuing(&wane), 1, "{place}");
        let grant = granted(&wane.maya, "operate@web", "10m");
        assert!(is_good(&wane, &issued(&wane, &grant).0), "{place}");
        wane.maya.json(&["done", &grant]).unwrap();
    }
}

/// What was said is done, whether or not whoever said it waits for the answer.
#[test]
fn whoever_hangs_up_stops_no_change_of_keys() {
    let wane = deployed(WaneServer::builder().failpoints());
    let hangs_up = |place: &str, change: &Value| {
        wane.server.trace().unwrap();
        wane.server.plan(&format!("{place}=delay:3000")).unwrap();
        let asks = Interactive::spawn(&mut sends(&wane, &json!({ "change": change }))).unwrap();
        // Not taken, which would empty it: a place that is hit just then would be lost.
        let trace = wane.server.folder().join("failpoints.trace");
        let hit = || std::fs::read_to_string(&trace).is_ok_and(|hit| hit.lines().any(|one| one == place));
        wait_until("the change to be under way", SOON, hit).unwrap();
        assert_eq!(asks.stdout(), "", "{place}: it was answered");
        drop(asks);
        wane.server.plan("").unwrap();
    };
    wane.ada.json(&["authority", "--live", "new"]).unwrap();
    let grant = granted(&wane.maya, "operate@web", "10m");
    let first = issued(&wane, &grant).1;
    hangs_up("authority.commit:before", &json!({ "new": {} }));
    let two = || states(&show(&wane.ada, "authority")) == ["issuing", "ready"];
    wait_until("the second to be there", SOON, two).unwrap();
    hangs_up("turning.before", &json!("take_over"));
    wait_until("the second to issue", SOON, || issued(&wane, &grant).1 != first).unwrap();
}

#[test]
fn a_key_of_tokens_takes_over_while_the_server_runs() {
    let wane = Deployment::new();
    let settings = json!({ "audience": "https://orders.example", "hears": "introspection" }).to_string();
    wane.ada
        .json(&["resource", "add", "orders", "--kind", "oauth", "--label", "gate=open", "--settings", &settings])
        .unwrap();
    wane.ada.json(&["role", "add", "oauth/use", "--set", r#"scopes=["orders.read"]"#]).unwrap();
    let made = wane.ada.json(&["token-key", "--live", "new"]).unwrap();
    assert_eq!(states(&made), ["signing"], "{made}");
    let grant = granted(&wane.maya, "use@orders", "10m");
    let token = || text(&wane.maya.json(&["credential", &grant, "--input", "{}"]).unwrap()["secret"]);
    let kid = |token: &str| {
        let code = "import base64,json,sys; h=sys.argv[1].split('.')[0]; print(json.loads(base64.urlsafe_b64decode(h+'=='))['kid'])";
        let said = Command::new("python3").args(["-c", code, token]).output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    };
    let first = kid(&token());
    assert_eq!(first, text(&made["items"][0]["kid"]));
    // Known at once, and signing when it was said.
    let two = wane.ada.json(&["token-key", "--live", "new", "--ahead", "5s"]).unwrap();
    let second = text(&two["items"][1]["kid"]);
    let set: Value = serde_json::from_str(&fetched(&wane, "oauth/jwks.json")).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2, "{set}");
    wait_until("the second to sign", SOON, || kid(&token()) == second).unwrap();
    let refused = wane.ada.run(&["token-key", "--live", "drop", "oauth-token-a"]).unwrap();
    assert!(!refused.success() && refused.stderr.contains("can work until"), "{refused:?}");
    let left = wane.ada.json(&["token-key", "--live", "drop", "oauth-token-a", "--compromised"]).unwrap();
    assert_eq!(items(&left).len(), 1);
    let set = fetched(&wane, "oauth/jwks.json");
    assert!(set.contains(&second) && !set.contains(&first), "{set}");
    assert_eq!(kid(&token()), second);
}
