//! Resources and roles: who answers for them, and what their targets say of them.

use serde_json::{Value, json};
use wane_app::{AppError, NewRole, OwnerName, ResourceChange, RoleChange};
use wane_domain::catalogue::Owner;

use crate::house::{House, name};

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
