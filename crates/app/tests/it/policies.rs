//! Loading policy: all of it or nothing, and never so that its author is locked out.

use wane_app::{AppError, Class};

use crate::house::{House, POLICY};

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_does_not_validate_changes_nothing() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let before = (house.app.world().await.unwrap().policy.clone(), house.store_head().await);
    for bad in [
        "permit (principal, action, resource",
        "@id(\"x\") permit (principal, action == Action::\"acces\", resource);",
        "@id(\"x\") @max_ttl(\"for ever\") permit (principal, action == Action::\"access\", resource);",
        "@id(\"x\") @aprove(\"1 of owner\") @max_ttl(\"1h\") permit (principal, action == Action::\"access\", resource);",
        "@id(\"x\") @max_ttl(\"1h\") permit (principal, action == Action::\"access\", resource) when { principal.nothing == 1 };",
    ] {
        let text = format!("{POLICY}\n{bad}");
        let loaded = house.app.load_policy(&root, &text, None).await;
        assert!(matches!(&loaded, Err(AppError::Policy { problems }) if !problems.is_empty()), "{bad}: {loaded:?}");
        assert!(!house.app.check_policy(&root, &text).await.unwrap().problems.is_empty());
    }
    assert_eq!((house.app.world().await.unwrap().policy.clone(), house.store_head().await), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_locks_themselves_out_of_policy() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let text = POLICY.replace("Action::\"manage_policy\",", "");
    let error = house.app.load_policy(&root, &text, None).await.unwrap_err();
    assert!(matches!(&error, AppError::Policy { problems } if problems[0].message.contains("could not load another")));
    assert_eq!(house.app.world().await.unwrap().policy.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_edit_one_version_the_second_is_told() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let (version, _) = house.app.load_policy(&root, &POLICY.replace("8h", "7h"), Some(1)).await.unwrap();
    assert_eq!(version.version, 2);
    let second = house.app.load_policy(&root, &POLICY.replace("8h", "6h"), Some(1)).await.unwrap_err();
    assert_eq!(second.class(), Class::Conflict);
    assert!(second.to_string().contains("version 2 is in force"), "{second}");
    let both = [house.app.load_policy(&root, POLICY, Some(2)), house.app.load_policy(&root, POLICY, Some(2))];
    let [one, other] = both;
    let (one, other) = tokio::join!(one, other);
    assert!(one.is_ok() != other.is_ok(), "two took the same version for the one they edited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_counts_for_the_very_next_ask() {
    let house = House::new().await;
    house.hold("ann", "attic", "read", 1).await;
    house
        .change_policy(
            "principal in Group::\"engineers\", action == Action::\"access\", resource is Gate in Label::\"env=dev\"",
            "principal in Group::\"dba\", action == Action::\"access\", resource is Gate in Label::\"env=dev\"",
        )
        .await;
    let request = house.ask("ann", &[("annex", "read")], 1).await;
    assert!(crate::house::denied(&request, 0).contains("no policy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_read_or_load_it() {
    let house = House::new().await;
    let ann = house.caller("ann").await;
    for class in [
        house.app.load_policy(&ann, POLICY, None).await.unwrap_err().class(),
        house.app.check_policy(&ann, POLICY).await.unwrap_err().class(),
        house.app.policy_in_force(&ann).await.unwrap_err().class(),
    ] {
        assert_eq!(class, Class::Denied);
    }
}

/// A policy that asks for a fresh proof of identity is asked with the one at hand.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_judged_with_the_proof_at_hand() {
    let house = House::new().await;
    house
        .change_policy(
            "@id(\"whoever-is-asked\") permit (principal, action == Action::\"approve\", resource);",
            "@id(\"whoever-is-asked\") permit (principal, action == Action::\"approve\", resource) when { context.proof_age < 300 };",
        )
        .await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let stale = house.caller("eva").await;
    house.advance(crate::house::mins(10));
    let less = wane_app::Narrower::default();
    assert_eq!(house.app.approve(&stale, id, None, &less).await.unwrap_err().class(), Class::Denied);
    house.approve("eva", id).await.unwrap();
}
