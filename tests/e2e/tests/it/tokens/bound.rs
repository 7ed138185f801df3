//! Tokens that are bound to a key or a certificate: a copy alone opens nothing.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::office::{Office, next_second};
use super::servers::claims;
use crate::people::{granted, refused, text};

#[test]
fn a_bound_token_opens_nothing_without_what_it_is_bound_to() {
    let office = Office::new();
    let orders = office.joined("orders");
    let credential = format!("Wane-Server: {}", orders.split_once(':').unwrap().1);
    let folder = office.wane.server.folder().to_owned();
    let (key, other, file) = (folder.join("key.pem"), folder.join("other.pem"), folder.join("bound"));
    let maya = office.maya();
    let words = |key: &str, file: &str| {
        ["token", "orders", "--role", "bound", "--for", "10m", "--dpop-key", key, "--out", file].map(str::to_owned)
    };
    let theirs = folder.join("theirs");
    for (key, file) in [(&key, &file), (&other, &theirs)] {
        let got = maya.run(&words(key.to_str().unwrap(), file.to_str().unwrap())).unwrap();
        assert!(got.success(), "{got:?}");
    }
    next_second();
    let token = fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(claims(&token)["cnf"]["jkt"].is_string(), "{}", claims(&token));
    let shown = office.introspect(&orders, &token).json();
    assert_eq!((&shown["token_type"], &shown["cnf"]), (&json!("DPoP"), &claims(&token)["cnf"]));
    let url = "https://orders.example/list";
    let proof = |key: &std::path::Path, method: &str, url: &str, file: &std::path::Path| {
        let words = ["token-proof", method, url, "--key", key.to_str().unwrap(), "--token", file.to_str().unwrap()];
        text(&maya.json(&words).unwrap()["dpop"])
    };
    let check = |query: &str, headers: &[String]| {
        let mut words: Vec<&str> = vec!["-H", &credential];
        words.extend(headers.iter().flat_map(|header| ["-H", header.as_str()]));
        office.curl(&format!("/oauth2/check{query}"), &words, &[]).status
    };
    let call = |scheme: &str, proof: Option<&str>, method: &str, at: &str| {
        let mut headers = vec![
            format!("Authorization: {scheme} {token}"),
            format!("Wane-Method: {method}"),
            format!("Wane-Url: {at}"),
        ];
        headers.extend(proof.map(|proof| format!("DPoP: {proof}")));
        headers
    };
    let sets = "?sets=method,url";
    let good = proof(&key, "GET", url, &file);
    assert_eq!(check(sets, &call("DPoP", Some(&good), "GET", &format!("{url}?page=2"))), 204);
    assert_eq!(check(sets, &call("DPoP", Some(&good), "GET", url)), 401, "a proof is taken once");
    for (what, query, headers) in [
        ("a copy alone", sets, call("DPoP", None, "GET", url)),
        ("as a bearer's", sets, call("Bearer", Some(&proof(&key, "GET", url, &file)), "GET", url)),
        ("with another key", sets, call("DPoP", Some(&proof(&other, "GET", url, &file)), "GET", url)),
        ("for another token", sets, call("DPoP", Some(&proof(&key, "GET", url, &theirs)), "GET", url)),
        ("for another method", sets, call("DPoP", Some(&proof(&key, "GET", url, &file)), "POST", url)),
        (
            "for another address",
            sets,
            call("DPoP", Some(&proof(&key, "GET", url, &file)), "GET", "https://orders.example/all"),
        ),
        // What the server does not say that it sets is the caller's word.
        ("by its caller's word", "", call("DPoP", Some(&proof(&key, "GET", url, &file)), "GET", url)),
        ("by half of it", "?sets=method", call("DPoP", Some(&proof(&key, "GET", url, &file)), "GET", url)),
    ] {
        assert_eq!(check(query, &headers), 401, "{what}");
    }
    let twice =
        [call("DPoP", Some(&proof(&key, "GET", url, &file)), "GET", url), vec!["Wane-Url: x".to_owned()]].concat();
    assert_eq!(check(sets, &twice), 401, "a header that is sent twice is none");
    let fresh = proof(&key, "GET", url, &file);
    assert_eq!(check(sets, &call("DPoP", Some(&fresh), "GET", url)), 204, "and it still is good");
    // A plain token is no bound one.
    let (_, plain) = office.token("use", "orders");
    assert_eq!(check("", &[format!("Authorization: Bearer {plain}")]), 204);
    assert_eq!(check("", &[format!("Authorization: DPoP {plain}")]), 401);
    assert_eq!(office.curl("/oauth2/check", &["-H", &format!("Authorization: Bearer {plain}")], &[]).status, 401);

    // To a certificate.
    let made = |name: &str| {
        let done = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-nodes",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-subj",
                "/CN=x",
                "-days",
                "1",
            ])
            .args(["-keyout", "x.key", "-out", name])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(done.status.success());
        fs::read_to_string(folder.join(name)).unwrap()
    };
    let (mine, another) = (made("mine.pem"), made("another.pem"));
    let mine_file = folder.join("mine.pem");
    let given =
        maya.json(&["token", "orders", "--role", "bound", "--certificate", mine_file.to_str().unwrap()]).unwrap();
    let token = text(&given["token"]);
    assert!(claims(&token)["cnf"]["x5t#S256"].is_string(), "{given}");
    let escaped = |pem: &str| pem.replace('%', "%25").replace('\n', "%0A").replace(' ', "%20").replace('=', "%3D");
    let with = |pem: Option<&str>| {
        let mut headers = vec![format!("Authorization: Bearer {token}")];
        headers.extend(pem.map(|pem| format!("Wane-Certificate: {}", escaped(pem))));
        headers
    };
    assert_eq!(check("?sets=certificate", &with(Some(&mine))), 204);
    for (what, query, headers) in [
        ("without it", "?sets=certificate", with(None)),
        ("with another", "?sets=certificate", with(Some(&another))),
        ("by its caller's word", "", with(Some(&mine))),
    ] {
        assert_eq!(check(query, &headers), 401, "{what}");
    }
    // A role that asks for it gives none that is not bound.
    let grant = granted(maya, "bound@orders", "10m");
    let said = refused(maya, &["credential", &grant, "--input", "{}"], 2);
    assert!(said.contains("bound to their holder"), "{said}");
    let said = office.curl(
        "/oauth2/token",
        &["-H", "DPoP: a.b.c"],
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", &maya.token().unwrap()),
            ("subject_token_type", "urn:wane:token-type:session"),
            ("audience", "orders"),
            ("wane_grant", &grant),
        ],
    );
    assert_eq!((said.status, &said.json()["error"]), (400, &json!("invalid_dpop_proof")), "{said:?}");
}
