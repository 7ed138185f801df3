//! Killed at every point at which something of ACME is made or ended.

use serde_json::{Value, json};
use wane_testkit::{WaneServer, wait_until};

use super::office::{Binding, Client, NAMES, Office, path};
use crate::people::{SOON, text};

fn again(office: &mut Office) {
    wait_until("the server to be dead", SOON, || office.wane.server.died().is_some()).unwrap();
    office.wane.server.plan("").unwrap();
    office.wane.server.start().unwrap();
}

#[test]
fn what_was_cut_off_is_there_whole_or_not_at_all() {
    let mut office = Office::with(WaneServer::builder().failpoints());
    let grant = office.grant("serve");
    let client = Client::new(&office);
    for (place, there) in
        [("app.acme.offer.commit:before", 0), ("app.acme.offer.commit:after", 1), ("http.acme_binding.leaves", 2)]
    {
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        let cut = office.wane.maya.run(&["acme", &grant]).unwrap();
        assert!(!cut.success() && cut.stdout.is_empty(), "{place}: {cut:?}");
        again(&mut office);
        assert_eq!(office.count(&grant, "acme.offered"), there, "{place}");
    }

    // An account: taken up or not; the same call again makes it so.
    let mut kids = Vec::new();
    for (n, (place, there)) in
        [("app.acme.account.commit:before", false), ("app.acme.account.commit:after", true)].into_iter().enumerate()
    {
        let key = format!("key {n}");
        client.key(&key, "ES256");
        let Binding { kid, secret } = office.binding(&grant);
        let order = json!({
            "path": "/acme/new-account", "by": key, "payload": {},
            "bind": { "kid": kid, "secret": secret, "key": key },
        });
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        assert_eq!(client.call(&order).status(), 0, "{place}");
        again(&mut office);
        let done = client.call(&order);
        assert_eq!(done.status(), if there { 200 } else { 201 }, "{place}: {done:?}");
        kids.push((key, done.location()));
    }
    let (key, kid) = kids.remove(0);

    // An order, and the certificate that comes of it: both or neither.
    for (place, made) in [("app.acme.order.commit:before", 0), ("app.acme.order.commit:after", 1)] {
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        assert_eq!(client.order(&key, &kid, &NAMES).status(), 0, "{place}");
        again(&mut office);
        assert_eq!(office.count(&grant, "acme.ordered"), made, "{place}");
    }
    client.key("own", "ES256");
    let csr = client.csr(&json!({ "key": "own", "dns": NAMES }));
    let mut issued = 0;
    for (place, status) in [
        ("x509.sign:before", "ready"),
        ("x509.sign:after", "ready"),
        ("app.sign.commit:before", "ready"),
        ("app.sign.commit:after", "valid"),
        ("http.acme.leaves", "valid"),
    ] {
        let order = client.order(&key, &kid, &NAMES);
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        assert_eq!(client.finalize(&key, &kid, &order, &csr).status(), 0, "{place}");
        again(&mut office);
        let shown = client.call(&json!({ "path": path(&order.location()), "by": key, "kid": kid }));
        assert_eq!(shown.body()["status"], status, "{place}: {shown:?}");
        issued += usize::from(status == "valid");
        assert_eq!(office.count(&grant, "credential.issued"), issued, "{place}");
        let done = client.finalize(&key, &kid, &order, &csr);
        if status == "ready" {
            assert_eq!(done.body()["status"], "valid", "{place}: {done:?}");
            issued += 1;
        } else {
            assert_eq!(done.refused(), "orderNotReady", "{place}");
        }
        let chain = client
            .call(&json!({ "path": path(&order.location()).replace("/order/", "/cert/"), "by": key, "kid": kid }));
        assert!(text(chain.body()).contains("BEGIN CERTIFICATE"), "{place}: {chain:?}");
        assert_eq!(office.count(&grant, "acme.finalized"), issued, "{place}");
    }

    // Revoked, given another key, given up: it is so or it is not, and said again it is.
    for (place, over) in [("app.acme.revoke.commit:before", false), ("app.acme.revoke.commit:after", true)] {
        let (der, _) = client.certificate(&client.obtain(&key, &kid, &NAMES));
        let revoke = json!({ "path": "/acme/revoke-cert", "by": key, "kid": kid, "payload": { "certificate": der } });
        let before = office.listed().len();
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        assert_eq!(client.call(&revoke).status(), 0, "{place}");
        again(&mut office);
        assert_eq!(office.listed().len(), before + usize::from(over), "{place}");
        let done = client.call(&revoke);
        assert!(if over { done.refused() == "alreadyRevoked" } else { done.status() == 200 }, "{place}: {done:?}");
        assert_eq!(office.listed().len(), before + 1, "{place}");
    }
    client.key("next", "ES256");
    let change = json!({
        "path": "/acme/key-change", "by": key, "kid": kid,
        "payload": { "inner": { "by": "next", "old": key, "account": kid } },
    });
    let asks = |by: &str, payload: Value| {
        client.call(&json!({ "path": path(&kid), "by": by, "kid": kid, "payload": payload })).status()
    };
    for (place, has) in [("app.acme.key.commit:before", key.as_str()), ("app.acme.key.commit:after", "next")] {
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        assert_eq!(client.call(&change).status(), 0, "{place}");
        again(&mut office);
        for by in [key.as_str(), "next"] {
            assert_eq!(asks(by, Value::Null) == 200, by == has, "{place}: {by}");
        }
    }
    let give_up = json!({ "status": "deactivated" });
    for (place, stands) in [("app.acme.given_up.commit:before", true), ("app.acme.given_up.commit:after", false)] {
        office.wane.server.plan(&format!("{place}=kill")).unwrap();
        assert_eq!(asks("next", give_up.clone()), 0, "{place}");
        again(&mut office);
        assert_eq!(asks("next", Value::Null) == 200, stands, "{place}");
    }
}

/// Of many that finalize one order at once, one certificate comes.
#[test]
fn one_certificate_comes_of_an_order() {
    let office = Office::new();
    let grant = office.grant("serve");
    let clients: Vec<Client> = (0..4).map(|_| Client::new(&office)).collect();
    let first = &clients[0];
    first.key("a", "ES256");
    first.key("own", "ES256");
    let kid = first.account("a", &office.binding(&grant));
    let order = first.order("a", &kid, &NAMES);
    let csr = first.csr(&json!({ "key": "own", "dns": NAMES }));
    let nonces: Vec<String> = (0..8)
        .map(|_| text(&first.call(&json!({ "path": path(&kid), "by": "a", "kid": kid })).0["headers"]["replay-nonce"]))
        .collect();
    let body = |nonce: &str| {
        let at = path(&text(&order.body()["finalize"]));
        let signed =
            first.signed(&json!({ "path": at, "by": "a", "kid": kid, "payload": { "csr": csr }, "nonce": nonce }));
        (at, signed)
    };
    let calls: Vec<(String, String)> = nonces.iter().map(|nonce| body(nonce)).collect();
    let done: Vec<u64> = std::thread::scope(|scope| {
        let each = clients.iter().zip(calls.chunks(2)).map(|(client, two)| {
            scope.spawn(move || {
                two.iter()
                    .map(|(path, raw)| client.call(&json!({ "path": path, "raw": raw })).status())
                    .collect::<Vec<_>>()
            })
        });
        let all: Vec<_> = each.collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(done.iter().filter(|status| **status == 200).count(), 1, "{done:?}");
    assert_eq!(office.count(&grant, "credential.issued"), 1);
    assert_eq!(office.count(&grant, "acme.finalized"), 1);
}
