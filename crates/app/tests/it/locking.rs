//! Locks: they end what they cover, refuse anything new, and lifting them restores asking.

use wane_app::{AppError, Class, LockInput};
use wane_domain::closure::EndCause;
use wane_domain::grant::GrantState;
use wane_domain::id::GrantId;
use wane_domain::lock::LockTarget;

use crate::house::{House, denied, granted, mins, name, reason};

async fn target(house: &House, what: &str, grant: GrantId) -> LockTarget {
    let world = house.app.world().await.unwrap();
    match what {
        "person" => LockTarget::Person(house.id("ann").await),
        "resource" => LockTarget::Resource(house.resource("attic").await),
        "role" => LockTarget::Role(world.role(&name("gate"), "read").unwrap().id),
        _ => LockTarget::Grant(grant),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_what_it_covers_and_refuses_anything_new_until_lifted() {
    for what in ["person", "resource", "role", "grant"] {
        let house = House::new().await;
        let id = house.hold("ann", "attic", "read", 1).await;
        house.hand_out("ann", id).await.unwrap();
        let other = house.hold("ben", "annex", "write", 1).await;
        let root = house.caller("root").await;
        let input = LockInput { target: target(&house, what, id).await, reason: reason("incident") };
        let (lock, ended) = house.app.impose_lock(&root, &input).await.unwrap();
        assert_eq!(ended, [id], "{what}");
        let GrantState::Ending { cause, .. } = house.grant(id).await.state.clone() else {
            panic!("{what}: not ending")
        };
        assert_eq!(cause, EndCause::Locked { lock: lock.id.to_string() });
        assert!(house.grant(other).await.is_live(), "{what}: it covers too much");
        assert!(house.hand_out("ann", id).await.is_err());
        let asked = house.ask("ann", &[("attic", "read")], 1).await;
        if what == "grant" {
            assert!(granted(&asked, 0).is_some(), "a lock on one grant is no lock on its holder");
        } else {
            assert!(denied(&asked, 0).contains("locked"), "{what}: {}", denied(&asked, 0));
            assert!(
                house
                    .app
                    .askable(&house.caller("ann").await)
                    .await
                    .unwrap()
                    .iter()
                    .all(|a| { !(a.resource.name.as_str() == "attic" && a.role.name.as_str() == "read") })
            );
        }
        house.app.lift_lock(&root, lock.id).await.unwrap();
        assert!(!house.grant(id).await.is_live(), "what it ended stays ended");
        assert!(granted(&house.ask("ann", &[("attic", "read")], 1).await, 0).is_some(), "{what}");
        assert_eq!(house.app.lift_lock(&root, lock.id).await.unwrap_err().class(), Class::Missing, "lifted twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_imposed_by_those_who_may_on_what_is_there() {
    let house = House::new().await;
    let person = LockInput { target: LockTarget::Person(house.id("ann").await), reason: reason("x") };
    let ben = house.app.impose_lock(&house.caller("ben").await, &person).await;
    assert!(matches!(ben, Err(AppError::NotAllowed { .. })));
    let nobody = LockInput { target: LockTarget::Grant(house.ambient.id()), reason: reason("x") };
    let before = house.store_head().await;
    assert_eq!(house.app.impose_lock(&house.caller("root").await, &nobody).await.unwrap_err().class(), Class::Missing);
    assert_eq!(house.store_head().await, before, "a lock on nothing is left");
}

/// Whoever may impose them, and whoever may see who holds what.
#[tokio::test(flavor = "multi_thread")]
async fn locks_are_seen_by_who_may_lock_and_by_who_may_see_access() {
    let house = House::new().await;
    let more = r#"@id("dba-lock") permit (principal in Group::"dba", action == Action::"lock", resource);
@id("engineers-look") permit (principal in Group::"engineers", action == Action::"read_access", resource);
@id("whoever-is-asked")"#;
    house.change_policy(r#"@id("whoever-is-asked")"#, more).await;
    let mut imposed = Vec::new();
    for who in ["ann", "ben"] {
        let input = LockInput { target: LockTarget::Person(house.id(who).await), reason: reason("incident") };
        imposed.push(house.app.impose_lock(&house.caller("eva").await, &input).await.unwrap().0);
    }
    imposed.sort_by_key(|lock| lock.id);
    for who in ["root", "eva", "mia"] {
        assert_eq!(house.app.locks(&house.caller(who).await).await.unwrap(), imposed, "{who}");
    }
    let zoe = house.app.locks(&house.caller("zoe").await).await;
    assert!(matches!(zoe, Err(AppError::NotAllowed { .. })), "{zoe:?}");
    house.app.lift_lock(&house.caller("eva").await, imposed[0].id).await.unwrap();
    assert_eq!(house.app.locks(&house.caller("mia").await).await.unwrap(), imposed[1..], "one that was lifted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_person_approves_nothing() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let input = LockInput { target: LockTarget::Person(house.id("eva").await), reason: reason("stolen laptop") };
    let (lock, _) = house.app.impose_lock(&house.caller("root").await, &input).await.unwrap();
    assert!(house.approve("eva", id).await.is_err());
    house.app.lift_lock(&house.caller("root").await, lock.id).await.unwrap();
    house.approve("eva", id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_grant_is_not_extended() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    let id = granted(&house.approve("eva", asked).await.unwrap(), 0).unwrap();
    house.hand_out("ann", id).await.unwrap();
    let more = house.app.extend(&house.caller("ann").await, id, mins(30), None).await.unwrap();
    let input = LockInput { target: LockTarget::Grant(id), reason: reason("incident") };
    house.app.impose_lock(&house.caller("root").await, &input).await.unwrap();
    let decided = house.approve("eva", more.id).await.unwrap();
    assert!(!denied(&decided, 0).is_empty());
}
