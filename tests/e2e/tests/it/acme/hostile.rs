//! What nobody gets, whatever they send.

use serde_json::{Value, json};
use wane_testkit::{WaneServer, wait_until};

use super::office::{Binding, Client, NAMES, Office, path, serial_of};
use crate::people::{SOON, text};

fn bind(binding: &Binding, key: &str) -> Value {
    json!({ "kid": binding.kid, "secret": binding.secret, "key": key })
}

fn new_account(client: &Client, key: &str, binding: &Binding) -> super::office::Answer {
    client.call(&json!({ "path": "/acme/new-account", "by": key, "payload": {}, "bind": bind(binding, key) }))
}

#[test]
fn a_call_is_believed_once_and_where_it_was_sent() {
    let office = Office::new();
    let grant = office.grant("serve");
    let client = Client::new(&office);
    for (key, alg) in [("a", "ES256"), ("b", "RS256"), ("c", "EdDSA"), ("d", "ES384"), ("x", "ES256")] {
        client.key(key, alg);
    }
    let kid = client.account("a", &office.binding(&grant));
    let others = client.account("b", &office.binding(&grant));
    client.account("c", &office.binding(&grant));
    client.account("d", &office.binding(&grant));
    let account = path(&kid);
    let asks = |more: &Value| {
        let mut order = json!({ "path": account, "by": "a", "kid": kid });
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.call(&order)
    };
    let honest = asks(&json!({}));
    assert_eq!((honest.status(), &honest.body()["status"]), (200, &json!("valid")), "{honest:?}");
    assert!(honest.0["headers"]["replay-nonce"].is_string() && honest.0["headers"]["link"].is_string(), "{honest:?}");
    let used = text(&honest.0["nonce"]);
    assert_eq!(asks(&json!({ "nonce": used })).refused(), "badNonce", "it was used");
    // The nonce of a refusal is good as well, and clients go on with it.
    let refused = asks(&json!({ "nonce": "bm9uc2Vuc2U" }));
    assert_eq!(refused.refused(), "badNonce");
    assert_eq!(asks(&json!({ "nonce": refused.0["headers"]["replay-nonce"] })).status(), 200);
    // What nobody signed uses no nonce up.
    let fresh = text(&asks(&json!({})).0["headers"]["replay-nonce"]);
    assert_eq!(asks(&json!({ "by": "x", "nonce": fresh })).refused(), "malformed");
    assert_eq!(asks(&json!({ "nonce": fresh })).status(), 200);
    let elsewhere = format!("{}/acme/new-order", office.wane.server.url());
    for (what, more, why) in [
        ("for elsewhere", json!({ "header": { "url": elsewhere } }), "unauthorized"),
        ("for another host", json!({ "header": { "url": format!("http://evil.example{account}") } }), "unauthorized"),
        ("with another's key", json!({ "by": "x" }), "malformed"),
        ("in another's name", json!({ "kid": others }), "badSignatureAlgorithm"),
        ("about another's account", json!({ "path": path(&others) }), "unauthorized"),
        ("by nobody's account", json!({ "kid": kid.replace("acm_", "acm_0") }), "accountDoesNotExist"),
        ("by an account elsewhere", json!({ "kid": "https://other.example/acme/account/1" }), "accountDoesNotExist"),
        ("by a key where an account is needed", json!({ "kid": null }), "malformed"),
        ("with both", json!({ "header": { "jwk": client.key("y", "ES256") } }), "malformed"),
        ("without algorithm", json!({ "header": { "alg": "none" } }), "badSignatureAlgorithm"),
        ("with a secret's algorithm", json!({ "header": { "alg": "HS256" } }), "badSignatureAlgorithm"),
        ("without nonce", json!({ "header": { "nonce": null } }), "badNonce"),
        ("as something else", json!({ "raw": "{}" }), "malformed"),
        ("as nothing", json!({ "raw": "" }), "malformed"),
        ("deep", json!({ "raw": "[".repeat(20_000) }), "malformed"),
        ("as JSON that is no call", json!({ "type": "application/json" }), "malformed"),
    ] {
        assert_eq!(asks(&more).refused(), why, "{what}");
    }
    assert_eq!(asks(&json!({ "type": "application/json" })).status(), 415);
    // What is refused before it is read is refused in the same words, and with a nonce as well.
    let long = asks(&json!({ "raw": "x".repeat(100_000) }));
    assert_eq!((long.status(), long.refused().as_str()), (413, "malformed"), "{long:?}");
    assert_eq!(asks(&json!({ "nonce": long.0["headers"]["replay-nonce"] })).status(), 200, "{long:?}");
    for at in [account.as_str(), "/acme/new-order", "/acme/order/aco_1/finalize"] {
        let asked = client.get(at);
        assert_eq!((asked.status(), asked.refused().as_str()), (405, "malformed"), "{at}: {asked:?}");
        assert_eq!(asks(&json!({ "nonce": asked.0["headers"]["replay-nonce"] })).status(), 200, "{at}: {asked:?}");
    }
    // What nobody knows is not read.
    assert_eq!(
        asks(&json!({ "header": { "typ": "JWT", "x": { "y": [] } }, "payload": { "contact": [], "z": 1 } })).status(),
        200
    );
    // A nonce is not of yesterday's server.
    let nonce = text(&asks(&json!({})).0["headers"]["replay-nonce"]);
    let mut office = office;
    office.wane.server.stop().unwrap();
    office.wane.server.start().unwrap();
    assert_eq!(asks(&json!({ "nonce": nonce })).refused(), "badNonce");
    assert_eq!(asks(&json!({})).status(), 200, "the account is still there");
}

#[test]
fn a_binding_makes_one_account() {
    let office = Office::new();
    let grant = office.grant("serve");
    let client = Client::new(&office);
    for key in ["a", "b", "c"] {
        client.key(key, "ES256");
    }
    let call = |by: &str, more: &Value| {
        let mut order = json!({ "path": "/acme/new-account", "by": by, "payload": {} });
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.call(&order)
    };
    assert_eq!(call("a", &json!({})).refused(), "externalAccountRequired");
    assert_eq!(call("a", &json!({ "payload": { "onlyReturnExisting": true } })).refused(), "accountDoesNotExist");
    let binding = office.binding(&grant);
    let other = office.binding(&grant);
    let with = |change: &Value| {
        let mut bound = bind(&binding, "a");
        bound.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        call("a", &json!({ "bind": bound }))
    };
    for (what, change) in [
        ("of another secret", json!({ "secret": other.secret })),
        ("of another account", json!({ "kid": other.kid })),
        ("of no account", json!({ "kid": "acm_none" })),
        ("over another key", json!({ "key": "b" })),
        ("for elsewhere", json!({ "url": "https://other.example/acme/new-account" })),
    ] {
        assert_eq!(with(&change).refused(), "unauthorized", "{what}");
    }
    assert_eq!(office.count(&grant, "acme.account_made"), 0);
    let made = new_account(&client, "a", &binding);
    assert_eq!(made.status(), 201, "{made:?}");
    // The same key again is the same account, with a binding or without.
    for more in
        [json!({}), json!({ "bind": bind(&binding, "a") }), json!({ "payload": { "onlyReturnExisting": true } })]
    {
        let again = call("a", &more);
        assert_eq!((again.status(), again.location()), (200, made.location()), "{again:?}");
    }
    // Somebody who comes with it again is written down, and not as often as they like.
    for key in ["b", "c", "b"] {
        assert_eq!(new_account(&client, key, &binding).refused(), "unauthorized", "it made an account");
    }
    assert_eq!(office.count(&grant, "acme.binding_refused"), 1);
    assert_eq!(office.count(&grant, "acme.account_made"), 1);

    // A key changes hands if both say so, and to none that an account has.
    let kid = made.location();
    let change = |by: &str, new: &str, old: &str, account: &str| {
        let inner = json!({ "by": new, "old": old, "account": account });
        client.call(&json!({ "path": "/acme/key-change", "by": by, "kid": kid, "payload": { "inner": inner } }))
    };
    let second = new_account(&client, "c", &other).location();
    assert_eq!(change("a", "b", "c", &kid).refused(), "malformed", "not the key it has");
    assert_eq!(change("a", "b", "a", &second).refused(), "malformed", "not its account");
    let taken = change("a", "c", "a", &kid);
    assert_eq!((taken.status(), taken.refused().as_str()), (409, "malformed"), "{taken:?}");
    assert_eq!(taken.location(), second, "which account has it");
    assert_eq!(change("b", "b", "a", &kid).refused(), "malformed", "the new key alone");
    assert_eq!(change("a", "b", "a", &kid).status(), 200);
    let asks = |by: &str| client.call(&json!({ "path": path(&kid), "by": by, "kid": kid }));
    assert_eq!(asks("a").refused(), "malformed", "the old key is nobody's");
    assert_eq!(asks("b").status(), 200);

    // Given up, it stays so, and its key with it.
    let given_up = json!({ "path": path(&kid), "by": "b", "kid": kid, "payload": { "status": "deactivated" } });
    assert_eq!(client.call(&given_up).body()["status"], "deactivated");
    assert_eq!(asks("b").refused(), "unauthorized");
    assert_eq!(client.order("b", &kid, &NAMES).refused(), "unauthorized");
    assert_eq!(new_account(&client, "b", &office.binding(&grant)).refused(), "unauthorized");
    assert_eq!(call("b", &json!({ "payload": { "onlyReturnExisting": true } })).refused(), "unauthorized");
    let events = office.wane.events(&grant);
    for event in ["acme.offered", "acme.account_made", "acme.key_changed", "acme.given_up"] {
        assert!(events.contains(&event.to_owned()), "{event}: {events:?}");
    }
    let told = office.wane.ada.json(&["log", "--grant", &grant, "--all"]).unwrap().to_string();
    assert!(!told.contains(&binding.secret) && !office.wane.server.log().contains(&binding.secret));
    // There is a bound to how many are handed out.
    let more = (0..40).take_while(|_| office.wane.maya.run(&["acme", &grant]).unwrap().success()).count();
    assert_eq!(more, 29);
}

#[test]
fn what_the_role_does_not_name_is_not_certified_over_acme() {
    let office = Office::new();
    let grant = office.grant("serve");
    let client = Client::new(&office);
    client.key("a", "ES256");
    client.key("own", "ES256");
    let kid = client.account("a", &office.binding(&grant));
    for names in
        [&["other.example"][..], &["shop.example", "other.example"], &["*.shop.example"], &["sub.shop.example"]]
    {
        let refused = client.order("a", &kid, names);
        assert_eq!(refused.refused(), "rejectedIdentifier", "{names:?}");
        assert_eq!(refused.body()["subproblems"].as_array().map(Vec::len), Some(1), "{refused:?}");
    }
    let order =
        |payload: &Value| client.call(&json!({ "path": "/acme/new-order", "by": "a", "kid": kid, "payload": payload }));
    let shop = json!([{ "type": "dns", "value": "shop.example" }]);
    for (payload, why) in [
        (json!({}), "malformed"),
        (json!({ "identifiers": [] }), "malformed"),
        (json!({ "identifiers": [{ "type": "email", "value": "a@shop.example" }] }), "unsupportedIdentifier"),
        (json!({ "identifiers": [{ "type": "ip", "value": "127.0.0.2" }] }), "rejectedIdentifier"),
        (json!({ "identifiers": shop, "notAfter": "2040-01-01T00:00:00Z" }), "malformed"),
        (json!({ "identifiers": shop, "replaces": "x".repeat(1000) }), "malformed"),
        (json!([]), "malformed"),
    ] {
        assert_eq!(order(&payload).refused(), why, "{payload}");
    }
    // What a certificate is to take the place of stays with its order (RFC 9773).
    let made = order(&json!({ "identifiers": shop, "replaces": "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE" }));
    let shown = client.call(&json!({ "path": path(&made.location()), "by": "a", "kid": kid }));
    for answer in [&made, &shown] {
        assert_eq!(answer.body()["replaces"], "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", "{answer:?}");
    }
    let made = client.order("a", &kid, &["SHOP.example"]);
    assert_eq!(made.body()["identifiers"], shop, "{made:?}");
    assert!(made.body().get("replaces").is_none(), "{made:?}");
    let authorization = path(&text(&made.body()["authorizations"][0]));
    let shown = client.call(&json!({ "path": authorization, "by": "a", "kid": kid }));
    assert_eq!((&shown.body()["status"], &shown.body()["identifier"]), (&json!("valid"), &shop[0]), "{shown:?}");
    let finalize = |csr: &str| client.finalize("a", &kid, &made, csr);
    let csr = |order: Value| client.csr(&order);
    for (what, csr) in [
        ("with another name", csr(json!({ "key": "own", "dns": ["shop.example", "other.example"] }))),
        ("with another name of the role", csr(json!({ "key": "own", "dns": ["shop.example", "www.shop.example"] }))),
        ("with another name alone", csr(json!({ "key": "own", "dns": ["other.example"] }))),
        ("with another common name", csr(json!({ "key": "own", "dns": ["shop.example"], "cn": "other.example" }))),
        ("with an address", csr(json!({ "key": "own", "dns": ["shop.example"], "ip": ["127.0.0.1"] }))),
        ("with no name", csr(json!({ "key": "own" }))),
        ("with the account's own key", csr(json!({ "key": "a", "dns": ["shop.example"] }))),
        ("that is none", "AAAA".to_owned()),
        ("that is empty", String::new()),
    ] {
        assert_eq!(finalize(&csr).refused(), "badCSR", "{what}");
    }
    assert_eq!(office.count(&grant, "credential.issued"), 0);
    assert_eq!(finalize("A+A=").refused(), "malformed");
    // By its common name alone, with a key of another sort; then once and no more.
    client.key("rsa", "RS256");
    let good = csr(json!({ "key": "rsa", "cn": "shop.example" }));
    assert_eq!(finalize(&good).body()["status"], "valid");
    assert_eq!(finalize(&good).refused(), "orderNotReady");
    assert_eq!(office.count(&grant, "credential.issued"), 1);
    // An address as a name.
    let by_address = order(&json!({ "identifiers": [{ "type": "ip", "value": "127.0.0.1" }] }));
    let done = client.finalize("a", &kid, &by_address, &csr(json!({ "key": "own", "ip": ["127.0.0.1"] })));
    assert_eq!(done.body()["status"], "valid", "{done:?}");
    // A role that names less is what counts from then on.
    let kept = client.order("a", &kid, &NAMES);
    let narrower = [r#"use=server"#, r#"dns_names=["shop.example"]"#];
    office.wane.ada.json(&["role", "change", "x509/serve", "--set", narrower[0], "--set", narrower[1]]).unwrap();
    let done = client.finalize("a", &kid, &kept, &csr(json!({ "key": "own", "dns": NAMES })));
    assert_eq!(done.refused(), "unauthorized", "judged anew: {done:?}");
}

#[test]
fn an_order_is_its_own_accounts() {
    let office = Office::new();
    let grant = office.grant("serve");
    let client = Client::new(&office);
    for key in ["a", "b", "own"] {
        client.key(key, "ES256");
    }
    let (mine, others) = (client.account("a", &office.binding(&grant)), client.account("b", &office.binding(&grant)));
    let order = client.order("a", &mine, &["shop.example"]);
    let at = path(&order.location());
    let csr = client.csr(&json!({ "key": "own", "dns": ["shop.example"] }));
    let authorization = path(&text(&order.body()["authorizations"][0]));
    for path in [at.clone(), authorization, at.replace("/order/", "/cert/")] {
        let asked = client.call(&json!({ "path": path, "by": "b", "kid": others }));
        assert_eq!((asked.status(), asked.refused().as_str()), (404, "malformed"), "{path}: {asked:?}");
    }
    assert_eq!(client.finalize("b", &others, &order, &csr).status(), 404);
    assert_eq!(client.finalize("a", &mine, &order, &csr).status(), 200);
    let cert = at.replace("/order/", "/cert/");
    assert_eq!(client.call(&json!({ "path": cert, "by": "b", "kid": others })).status(), 404);
    assert_eq!(client.call(&json!({ "path": cert, "by": "a", "kid": mine })).status(), 200);
    let list = |key: &str, kid: &str, of: &str| {
        client.call(&json!({ "path": format!("{}/orders", path(of)), "by": key, "kid": kid }))
    };
    assert_eq!(list("a", &mine, &mine).body()["orders"], json!([order.location()]));
    assert_eq!(list("b", &others, &others).body()["orders"], json!([]));
    assert_eq!(list("b", &others, &mine).refused(), "unauthorized");
    // There is a bound to what waits.
    let made = (0..60).map(|_| client.order("b", &others, &["shop.example"])).find(|made| made.status() != 201);
    assert_eq!(made.unwrap().refused(), "rateLimited");
}

#[test]
fn strangers_revoke_nothing() {
    let office = Office::new();
    let (grant, other) = (office.grant("serve"), office.grant("brief"));
    let client = Client::new(&office);
    for key in ["a", "b", "c", "x"] {
        client.key(key, "ES256");
    }
    let mine = client.account("a", &office.binding(&grant));
    let beside = client.account("b", &office.binding(&grant));
    let stranger = client.account("c", &office.binding(&other));
    let (first, second) = (client.obtain("a", &mine, &NAMES), client.obtain("a", &mine, &["shop.example"]));
    let third = client.obtain("a", &mine, &["www.shop.example"]);
    let (der, id) = client.certificate(&first);
    let revoke = |by: &str, kid: Option<&str>, der: &str, more: &Value| {
        let mut payload = json!({ "certificate": der });
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.call(&json!({ "path": "/acme/revoke-cert", "by": by, "kid": kid, "payload": payload }))
    };
    let none = json!({});
    let renewal = |id: &str| client.get(&format!("/acme/renewal-info/{id}"));
    let window = renewal(&id);
    assert_eq!(window.status(), 200, "{window:?}");
    let start: jiff::Timestamp = text(&window.body()["suggestedWindow"]["start"]).parse().unwrap();
    assert!(start > machine_now() && window.0["headers"]["retry-after"].is_string(), "{window:?}");
    assert_eq!(renewal("AAAA.AAAA").status(), 404);
    assert_eq!(revoke("c", Some(&stranger), &der, &none).refused(), "unauthorized", "of another grant");
    assert_eq!(revoke("x", None, &der, &none).refused(), "unauthorized", "a key that is not its");
    assert_eq!(revoke("a", Some(&mine), &der, &json!({ "reason": 2 })).refused(), "badRevocationReason");
    assert_eq!(revoke("a", Some(&mine), "AAAA", &none).refused(), "malformed");
    let root = std::fs::read_to_string(office.paper("trust.pem")).unwrap();
    let (root, _) = client.certificate(&root);
    assert_eq!(revoke("a", Some(&mine), &root, &none).status(), 404, "the authority's own");
    assert_eq!(office.listed(), Vec::<String>::new());

    assert_eq!(revoke("a", Some(&mine), &der, &json!({ "reason": 4 })).status(), 200);
    assert_eq!(office.listed(), [serial_of(&office, &first)], "that one, and no other under its grant");
    assert_eq!(revoke("a", Some(&mine), &der, &none).refused(), "alreadyRevoked");
    let start: jiff::Timestamp = text(&renewal(&id).body()["suggestedWindow"]["start"]).parse().unwrap();
    assert!(start < machine_now(), "its client is told to renew it now");
    // Another account of the same grant, and whoever has the key of the certificate.
    let (der, _) = client.certificate(&second);
    assert_eq!(revoke("b", Some(&beside), &der, &none).status(), 200);
    let (der, _) = client.certificate(&third);
    assert_eq!(revoke("cert of a", None, &der, &none).status(), 200);
    assert_eq!(office.listed().len(), 3);
    assert_eq!(office.count(&grant, "credential.revoked"), 3);
    assert_eq!(office.wane.grant(&grant)["state"], "active", "the grant goes on");
    let (der, _) = client.certificate(&client.obtain("a", &mine, &NAMES));
    office.wane.maya.json(&["done", &grant]).unwrap();
    assert_eq!(office.listed().len(), 4, "each is on the list once");
    assert_eq!(revoke("cert of a", None, &der, &none).refused(), "alreadyRevoked");
}

#[test]
fn an_account_is_over_with_its_grant_whoever_has_its_key() {
    let office = Office::new();
    let client = Client::new(&office);
    for key in ["a", "b", "own"] {
        client.key(key, "ES256");
    }
    let grant = office.grant("serve");
    let (unused, used) = (office.binding(&grant), office.binding(&grant));
    let kid = client.account("a", &used);
    let chain = client.obtain("a", &kid, &NAMES);
    let ready = client.order("a", &kid, &["shop.example"]);
    assert_eq!(ready.status(), 201);
    office.wane.maya.json(&["done", &grant]).unwrap();
    let csr = client.csr(&json!({ "key": "own", "dns": ["shop.example"] }));
    let late = client.finalize("a", &kid, &ready, &csr);
    assert_eq!(late.refused(), "unauthorized");
    let words = text(&late.body()["detail"]);
    assert!(words.contains(&grant) && words.contains("wane acme serve@shop"), "{words}");
    let (der, id) = client.certificate(&chain);
    for (path, payload) in [
        (path(&kid), Value::Null),
        (path(&ready.location()), Value::Null),
        ("/acme/new-order".to_owned(), json!({ "identifiers": [{ "type": "dns", "value": "shop.example" }] })),
        ("/acme/revoke-cert".to_owned(), json!({ "certificate": der })),
        ("/acme/key-change".to_owned(), json!({ "inner": { "by": "b", "old": "a", "account": kid } })),
    ] {
        let refused = client.call(&json!({ "path": path, "by": "a", "kid": kid, "payload": payload }));
        assert_eq!(refused.refused(), "unauthorized", "{path}");
    }
    assert_eq!(new_account(&client, "b", &unused).refused(), "unauthorized", "and so is what binds");
    assert_eq!(new_account(&client, "b", &used).refused(), "unauthorized");
    assert_eq!(office.count(&grant, "acme.binding_refused"), 0, "it opens nothing any more, whoever has it");
    let window = client.get(&format!("/acme/renewal-info/{id}"));
    let start: jiff::Timestamp = text(&window.body()["suggestedWindow"]["start"]).parse().unwrap();
    assert!(start < machine_now());
    assert_eq!(office.listed().len(), 1);

    // Access that is given again is another account, with the same key if its client likes.
    let again = office.grant("serve");
    let other = client.account("a", &office.binding(&again));
    assert_ne!(other, kid);
    client.obtain("a", &other, &NAMES);
    let old = client.call(&json!({ "path": path(&kid), "by": "a", "kid": kid }));
    assert_eq!(old.refused(), "accountDoesNotExist");
    // Nobody under a lock orders anything; nor does somebody who may not act any more, or have what they ordered.
    office.wane.ada.json(&["lock", "add", "--grant", &again, "--reason", "looking"]).unwrap();
    assert_eq!(client.order("a", &other, &NAMES).refused(), "unauthorized");
    let fresh = office.grant("brief");
    let third = client.account("b", &office.binding(&fresh));
    let ready = client.order("b", &third, &["brief.example"]);
    assert_eq!(ready.status(), 201, "{ready:?}");
    office.wane.ada.json(&["person", "disable", "maya"]).unwrap();
    let csr = client.csr(&json!({ "key": "own", "dns": ["brief.example"] }));
    assert_eq!(client.finalize("b", &third, &ready, &csr).refused(), "unauthorized");
    assert_eq!(client.order("b", &third, &["brief.example"]).refused(), "unauthorized");
    assert_eq!(office.count(&fresh, "credential.issued"), 0);
}

#[test]
fn an_account_is_over_by_the_clock() {
    let office = Office::with(WaneServer::builder().with_clock());
    let client = Client::new(&office);
    client.key("a", "EdDSA");
    let kid = client.account("a", &office.binding(&office.grant("brief")));
    client.obtain("a", &kid, &["brief.example"]);
    office.wane.server.set_clock(31 * 60).unwrap();
    let over = || client.order("a", &kid, &["brief.example"]).refused() == "unauthorized";
    wait_until("the grant to be over", SOON, over).unwrap();
    assert_eq!(client.call(&json!({ "path": path(&kid), "by": "a", "kid": kid })).refused(), "unauthorized");
}

#[expect(clippy::disallowed_methods, reason = "held against when a client is told to renew")]
fn machine_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
