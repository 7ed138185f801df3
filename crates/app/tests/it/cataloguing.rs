//! Resources and roles: who answers for them, what their targets say of them, and where they are reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use wane_app::{AppError, Class, NewResource, NewRole, OwnerName, ResourceChange, RoleChange};
use wane_domain::catalogue::{Owner, Resource, Role};
use wane_kind_http::HttpKind;
use wane_store::{Put, RecordFilter, Write};

use crate::house::{House, limits, name};

/// A role that no target can give is not entered; the target is asked about the roles of its kind alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_its_targets_refuse_is_not_entered() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let mut asked: Vec<String> =
        house.app.probe_resource(&root, "attic").await.unwrap().into_iter().map(|probe| probe.role).collect();
    asked.sort();
    assert_eq!(asked, ["read", "super", "write"]);
    let role = |level: u64| NewRole {
        name: name("more"),
        kind: name("gate"),
        description: "more".parse().unwrap(),
        definition: json!({ "level": level }),
    };
    let refused = |said: Result<Value, AppError>| match said {
        Err(AppError::Invalid { field, .. }) => assert_eq!(field, "definition"),
        other => panic!("{other:?}"),
    };
    refused(house.app.add_role(&root, &role(10)).await.map(|role| role.definition));
    assert!(house.app.world().await.unwrap().role(&name("gate"), "more").is_none());
    house.app.add_role(&root, &role(9)).await.unwrap();
    let higher = RoleChange { definition: Some(json!({ "level": 10 })), ..RoleChange::default() };
    refused(house.app.change_role(&root, &name("gate"), "more", &higher).await.map(|role| role.definition));
    let world = house.app.world().await.unwrap();
    assert_eq!(world.role(&name("gate"), "more").unwrap().definition, json!({ "level": 9 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_for_a_resource_is_who_was_named() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let eva = Owner::Person(house.id("eva").await);
    let admins = Owner::Group(house.app.world().await.unwrap().group("admins").unwrap().id);
    let person = |who: &str| Some(OwnerName::Person(who.to_owned()));
    let group = |which: &str| Some(OwnerName::Group(which.to_owned()));
    for (wanted, answers) in [(person("eva"), Some(eva)), (group("admins"), Some(admins)), (None, None)] {
        let change = ResourceChange { owner: Some(wanted), ..ResourceChange::default() };
        house.app.change_resource(&root, "attic", &change).await.unwrap();
        assert_eq!(house.app.world().await.unwrap().resource("attic").unwrap().owner, answers);
    }
    for nobody in [person("admins"), group("eva")] {
        let change = ResourceChange { owner: Some(nobody), ..ResourceChange::default() };
        let said = house.app.change_resource(&root, "attic", &change).await;
        assert!(matches!(said, Err(AppError::Missing { .. })), "{said:?}");
    }
}

/// One origin is one application's, and that of this server's own pages is none's.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_reached_at_an_origin_of_its_own() {
    let mut house = House::new().await;
    house.reopen_over(Arc::new(house.store.clone()), vec![Arc::new(HttpKind::new(None))], limits());
    let settings = |origin: &str| json!({ "origin": origin, "upstream": "http://127.0.0.1:9" });
    for app in ["shop", "wiki"] {
        let resource = Resource {
            id: house.ambient.id(),
            name: name(app),
            kind: name("http"),
            labels: BTreeMap::new(),
            owner: None,
            settings: settings(&format!("https://{app}.example")),
            since: house.app.now(),
        };
        house.write(vec![Write::Resource(Put::new(resource))]).await;
    }
    let root = house.caller("root").await;
    let adds = async |origin| {
        let (name, kind, settings) = (name("blog"), name("http"), settings(origin));
        let new = NewResource { name, kind, labels: BTreeMap::new(), owner: None, settings, credential: None };
        house.app.add_resource(&root, new).await
    };
    let moves = async |origin| {
        let change = ResourceChange { settings: Some(settings(origin)), ..ResourceChange::default() };
        house.app.change_resource(&root, "shop", &change).await
    };
    for said in [adds("https://wiki.example").await, moves("https://wiki.example").await] {
        assert!(matches!(&said, Err(AppError::Taken(why)) if why.contains("`wiki`")), "{said:?}");
    }
    for said in [adds("https://wane.example:8443").await, moves("https://wane.example:8443").await] {
        assert!(matches!(&said, Err(AppError::Invalid { field, .. }) if field == "origin"), "{said:?}");
    }
    moves("https://shop.example").await.expect("it is its own");
    moves("https://market.example").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_is_open_under_is_removed() {
    let house = House::new().await;
    let root = house.caller("root").await;
    house.hold("ann", "attic", "read", 1).await;
    let resource = async |called| house.app.remove_resource(&root, called).await.map_err(|error| error.class());
    let role = async |called| house.app.remove_role(&root, &name("gate"), called).await.map_err(|error| error.class());
    assert_eq!([resource("attic").await, role("read").await], [Err(Class::Conflict); 2]);
    assert_eq!([resource("annex").await, role("super").await], [Ok(()); 2]);
    let world = house.app.world().await.unwrap();
    assert!(world.resource("attic").is_some() && world.role(&name("gate"), "read").is_some());
    assert!(world.resource("annex").is_none() && world.role(&name("gate"), "super").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn which_roles_a_new_target_cannot_give_is_written_down() {
    let house = House::new().await;
    let role = Role {
        id: house.ambient.id(),
        name: name("more"),
        kind: name("gate"),
        description: "more".parse().unwrap(),
        definition: json!({ "level": 10 }),
        since: house.app.now(),
    };
    house.write(vec![Write::Role(Put::new(role))]).await;
    let (name, kind, settings) = (name("shed"), name("gate"), json!({}));
    let new = NewResource { name, kind, labels: BTreeMap::new(), owner: None, settings, credential: None };
    house.app.add_resource(&house.caller("root").await, new).await.unwrap();
    let about = RecordFilter { event: Some("resource.registered".to_owned()), ..RecordFilter::default() };
    let said = house.records(about).await.pop().unwrap().detail;
    assert_eq!(said["role_problems"], json!([{ "role": "more", "problem": "there is no such level" }]));
}
