//! Browsers that come from an application to sign in: where they come from, and what they go back with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::json;
use wane_app::AppError;
use wane_connector::Kind;
use wane_connector::web::{Ticket, Visit};
use wane_domain::catalogue::{Resource, Role};
use wane_kind_http::HttpKind;
use wane_store::{Put, Write};

use crate::faulty::Faulty;
use crate::house::{House, limits, name};

pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(crate) const SHOP: &str = "https://shop.example";
const WIKI: &str = "https://wiki.example";
const APPS: &str = r#"
@id("apps") @max_ttl("8h")
permit (principal in Group::"engineers", action == Action::"access", resource is Application);
@id("whoever-is-asked")"#;

async fn app(house: &House, called: &str, origin: &str) {
    let resource = Resource {
        id: house.ambient.id(),
        name: name(called),
        kind: name("http"),
        labels: BTreeMap::new(),
        owner: None,
        settings: json!({ "origin": origin, "upstream": "http://127.0.0.1:9" }),
        since: house.app.now(),
    };
    house.write(vec![Write::Resource(Put::new(resource))]).await;
}

/// With two applications, of which engineers may see some and change all.
pub(crate) async fn with_apps(mut house: House, more: Vec<Arc<dyn Kind>>) -> House {
    let store = Arc::new(Faulty { store: house.store.clone(), door: Arc::clone(&house.door) });
    let http: Arc<dyn Kind> = Arc::new(HttpKind::new(None));
    house.reopen_over(store, [more, vec![http]].concat(), limits());
    for kind in ["ssh", "http"] {
        house.app.gateway_serves(kind, "127.0.0.1".to_owned(), 22).unwrap();
    }
    house.change_policy("@id(\"whoever-is-asked\")", APPS).await;
    app(&house, "shop", SHOP).await;
    app(&house, "wiki", WIKI).await;
    for (role, method) in [("view", "GET"), ("edit", "*")] {
        let definition = json!({ "allow": [{ "methods": [method], "paths": ["/**"] }] });
        let (id, since, description) = (house.ambient.id(), house.app.now(), String::new().try_into().unwrap());
        let role = Role { id, name: name(role), kind: name("http"), description, definition, since };
        house.write(vec![Write::Role(Put::new(role))]).await;
    }
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_is_one_application_of_its_kind() {
    let house = with_apps(House::new().await, Vec::new()).await;
    let at = async |kind: &str, origin: &str| {
        house.app.resource_at(kind, origin).await.unwrap().map(|resource| resource.name.to_string())
    };
    assert_eq!((at("http", SHOP).await.as_deref(), at("http", WIKI).await.as_deref()), (Some("shop"), Some("wiki")));
    for (kind, origin) in [("http", "https://nobody.example"), ("http", "https://wane.example"), ("ssh", SHOP)] {
        assert_eq!(at(kind, origin).await, None, "{kind} {origin}");
    }
    app(&house, "twin", WIKI).await;
    assert_eq!((at("http", SHOP).await.as_deref(), at("http", WIKI).await), (Some("shop"), None));
    let visit = |origin: &str| Visit { origin: origin.to_owned(), back: "/".to_owned(), mark: "m".to_owned() };
    let nowhere = house.app.visit("http", &visit(WIKI), PEER).await;
    assert!(matches!(nowhere, Err(AppError::Missing { .. })), "{nowhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_goes_back_with_what_opens_the_grant_that_its_person_chose() {
    let house = with_apps(House::new().await, Vec::new()).await;
    let (view, edit) = (house.hold("ann", "shop", "view", 1).await, house.hold("ann", "shop", "edit", 1).await);
    let (bens, elsewhere) = (house.hold("ben", "shop", "edit", 1).await, house.hold("ann", "wiki", "edit", 1).await);
    let (ann, mark) = (house.caller("ann").await, "m".to_owned());
    let visit = Visit { origin: SHOP.to_owned(), back: "/cart".to_owned(), mark: mark.clone() };
    let page = house.app.visit("http", &visit, PEER).await.unwrap();
    let reference = page.strip_prefix("https://wane.example/app/").unwrap_or_else(|| panic!("{page}"));
    let shown = house.app.visit_shown(&ann, reference).await.unwrap();
    assert_eq!((shown.resource.as_str(), shown.origin.as_str()), ("shop", SHOP));
    let grants: BTreeSet<_> = shown.grants.iter().map(|one| (one.grant, one.role.as_str())).collect();
    assert_eq!(grants, BTreeSet::from([(view, "view"), (edit, "edit")]));
    for other in [bens, elsewhere] {
        let refused = house.app.admit_visit(&ann, reference, other).await;
        assert!(matches!(refused, Err(AppError::Missing { .. })), "{refused:?}");
    }
    let back = house.app.admit_visit(&ann, reference, edit).await.unwrap();
    let code = back.strip_prefix("https://shop.example/.well-known/wane/enter?code=");
    let code = code.unwrap_or_else(|| panic!("{back}")).to_owned();
    let ticket = Ticket { code, origin: SHOP.to_owned(), mark, client: "a browser".to_owned() };
    let (claim, path) = house.app.take_visit(&ticket, PEER).unwrap();
    assert_eq!((claim.grant, claim.resource.as_str(), path.as_str()), (edit, "shop", "/cart"));
    let opened = house.app.open_session(&claim, None).await.unwrap();
    assert_eq!((opened.kept.person.as_str(), opened.kept.role.as_str()), ("ann", "edit"));
}
