//! Directories that push: when they called, how long their tokens last, and what only they say of their people.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wane_app::{AppError, DirectoryShown, PersonChange, Sending};
use wane_domain::directory::{DirectoryRules, Standing};

use crate::house::{House, mins, name};

fn rules() -> DirectoryRules {
    DirectoryRules {
        name: "userName".to_owned(),
        display: "displayName".to_owned(),
        attributes: BTreeMap::from([(name("job"), "title".to_owned())]),
        groups: BTreeMap::new(),
        sign_in: None,
    }
}

async fn shown(house: &House) -> DirectoryShown {
    house.app.directory(&house.caller("root").await, "corp").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_directory_called_and_which_of_its_tokens_last_is_shown() {
    let mut house = House::new().await;
    let root = house.caller("root").await;
    let (added, former) = house.app.add_directory(&root, &name("corp"), &rules()).await.unwrap();
    let former = former.reveal().to_string();
    assert_eq!((added.seen, added.tokens.len()), (None, 1), "it never called");
    let called = house.advance(mins(5));
    house.app.authenticate_directory(&former).await.unwrap();
    // What is in memory is gone with the process; what was written down is not.
    house.reopen();
    house.advance(mins(1));
    assert_eq!(shown(&house).await.seen, Some(called));
    let over = house.app.now().plus(mins(60));
    let (rotated, _) = house.app.rotate_directory(&root, "corp", mins(60)).await.unwrap();
    assert!(rotated.tokens.len() == 2 && rotated.tokens.contains(&over), "{:?}", rotated.tokens);
    house.clock.set(over);
    assert!(house.app.authenticate_directory(&former).await.is_err());
    let left = shown(&house).await.tokens;
    assert!(left.len() == 1 && !left.contains(&over), "a token that is over is shown: {left:?}");
}

/// What a directory says of somebody is changed there; a hand disables them, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_directory_says_no_hand_changes() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let (_, token) = house.app.add_directory(&root, &name("corp"), &rules()).await.unwrap();
    let by = house.app.authenticate_directory(&token.reveal()).await.unwrap();
    let says = |active: bool| -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "nina", "displayName": "Nina", "title": "clerk", "active": active
        })
    };
    house.app.push_person(&by, says(true)).await.unwrap();
    let nina = house.app.world().await.unwrap().person("nina").unwrap().clone();
    let wants = |change: PersonChange| {
        let (app, root) = (std::sync::Arc::clone(&house.app), root.clone());
        async move { app.change_person(&root, "nina", &change).await }
    };
    let nothing = PersonChange::default;
    for change in [
        PersonChange { display: Some("Somebody else".parse().unwrap()), ..nothing() },
        PersonChange { manager: Some(Some("mia".to_owned())), ..nothing() },
        PersonChange { attributes: Some(BTreeMap::new()), ..nothing() },
    ] {
        let said = wants(change).await;
        assert!(matches!(said, Err(AppError::Taken(_))), "{said:?}");
    }
    // What it does not speak of is open to a hand.
    let mut more = nina.attributes.clone();
    more.insert(name("desk"), "4".parse().unwrap());
    wants(PersonChange { attributes: Some(more), ..nothing() }).await.unwrap();
    let standing = |standing: Standing| PersonChange { standing: Some(standing), ..nothing() };
    let push = async |active: bool| {
        let id = nina.id.to_string();
        house.app.change_pushed_person(&by, &id, &None, Sending::Whole(says(active))).await.unwrap();
        house.app.world().await.unwrap().person("nina").unwrap().standing
    };
    wants(standing(Standing::Disabled)).await.unwrap();
    assert_eq!(push(true).await, Standing::Disabled, "the directory undid what a hand did");
    wants(standing(Standing::Active)).await.unwrap();
    assert_eq!(push(false).await, Standing::Disabled);
    let said = wants(standing(Standing::Active)).await;
    assert!(matches!(said, Err(AppError::Taken(_))), "a hand undid what the directory says: {said:?}");
}
