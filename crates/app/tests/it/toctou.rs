//! Between approval and use the world changes: what counts is the world at the moment of use.

use wane_app::{AppError, PersonChange, ResourceChange, RoleChange, rejudge_all};
use wane_domain::directory::Standing;
use wane_domain::id::GrantId;
use wane_domain::lock::LockTarget;
use wane_store::Store as _;

use crate::house::{House, denied, granted, name, reason};

/// What may happen in between.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    PolicyTightens,
    ApproverDisabled,
    HolderDisabled,
    HolderLocked,
    RoleRedefined,
    Relabelled,
    HolderLeavesGroup,
}

const ALL: [Meanwhile; 7] = [
    Meanwhile::PolicyTightens,
    Meanwhile::ApproverDisabled,
    Meanwhile::HolderDisabled,
    Meanwhile::HolderLocked,
    Meanwhile::RoleRedefined,
    Meanwhile::Relabelled,
    Meanwhile::HolderLeavesGroup,
];

async fn happens(house: &House, what: Meanwhile) {
    let root = house.caller("root").await;
    let disabled = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
    match what {
        Meanwhile::PolicyTightens => {
            house.change_policy("@approve(\"1 of group:dba\")", "@approve(\"2 of group:dba\")").await
        }
        Meanwhile::ApproverDisabled => drop(house.app.change_person(&root, "eva", &disabled).await.unwrap()),
        Meanwhile::HolderDisabled => drop(house.app.change_person(&root, "ann", &disabled).await.unwrap()),
        Meanwhile::HolderLocked => {
            let target = LockTarget::Person(house.id("ann").await);
            // The lock alone, as if the process had died before it ended what it covers.
            let (lock, _) = wane_domain::lock::Lock::impose(
                house.ambient.id(),
                target,
                reason("stolen laptop"),
                root.person,
                house.app.now(),
            );
            house.write(vec![wane_store::Write::Lock(wane_store::Put::new(lock))]).await;
        }
        Meanwhile::RoleRedefined => {
            let change =
                RoleChange { definition: Some(serde_json::json!({ "level": 1, "more": true })), description: None };
            drop(house.app.change_role(&root, &name("gate"), "read", &change).await.unwrap());
        }
        Meanwhile::Relabelled => {
            let labels = [(name("env"), "secret".parse().unwrap())].into_iter().collect();
            let change = ResourceChange { labels: Some(labels), ..ResourceChange::default() };
            drop(house.app.change_resource(&root, "vault", &change).await.unwrap());
        }
        Meanwhile::HolderLeavesGroup => {
            let out = wane_app::Membership::Out;
            drop(house.app.set_member(&root, &name("engineers"), "ann", out).await.unwrap());
        }
    }
}

async fn approved(house: &House) -> GrantId {
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    granted(&house.approve("eva", id).await.unwrap(), 0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_after_the_approval_counts_when_it_is_begun() {
    for what in ALL {
        let house = House::new().await;
        let id = approved(&house).await;
        happens(&house, what).await;
        let begun = house.hand_out("ann", id).await;
        // Whoever is disabled holds nothing from that commit on.
        let gone = matches!(what, Meanwhile::HolderDisabled);
        let refused = matches!(begun, Err(AppError::Refused { .. })) || (gone && begun.is_err());
        assert!(refused, "{what:?}: {begun:?}");
        let state = house.grant(id).await.state.name();
        assert_eq!(state, if gone { "closed" } else { "scheduled" }, "{what:?}");
        assert!(house.gate.accounts("vault").is_empty(), "{what:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_after_it_began_counts_for_the_next_secret_and_ends_it() {
    for what in ALL {
        let house = House::new().await;
        let id = approved(&house).await;
        house.hand_out("ann", id).await.unwrap();
        happens(&house, what).await;
        let again = house.hand_out("ann", id).await;
        let gone = matches!(what, Meanwhile::HolderDisabled);
        assert!(matches!(again, Err(AppError::Refused { .. })) || (gone && again.is_err()), "{what:?}: {again:?}");
        rejudge_all(&house.app).await.unwrap();
        assert_eq!(house.grant(id).await.state.name(), "ending", "{what:?}");
        house.try_ends(id).await;
        assert!(house.gate.accounts("vault").is_empty(), "{what:?}");
    }
}

/// The last approval comes after the change: it is refused in the same commit, with the reason.
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_before_the_last_approval_denies_it() {
    for what in ALL {
        let house = House::new().await;
        let id = house.ask("ann", &[("vault", "write")], 1).await.id;
        house.approve("eva", id).await.unwrap();
        match what {
            Meanwhile::PolicyTightens => house.change_policy("2 of group:dba", "3 of group:dba").await,
            Meanwhile::RoleRedefined => {
                let root = house.caller("root").await;
                let change =
                    RoleChange { definition: Some(serde_json::json!({ "level": 2, "more": true })), description: None };
                house.app.change_role(&root, &name("gate"), "write", &change).await.unwrap();
            }
            other => happens(&house, other).await,
        }
        let decided = house.approve("fay", id).await;
        if matches!(what, Meanwhile::HolderDisabled) {
            // Whatever was asked for them was withdrawn with it.
            assert!(matches!(decided, Err(AppError::Taken(_))), "{decided:?}");
            assert_eq!(house.request(id).await.state_name(), "withdrawn");
            continue;
        }
        let decided = decided.unwrap();
        assert!(!denied(&decided, 0).is_empty(), "{what:?}");
        assert!(granted(&decided, 0).is_none(), "{what:?}");
    }
}

/// Who asked for somebody else counts too, until it is granted.
#[tokio::test(flavor = "multi_thread")]
async fn a_requester_who_is_locked_or_disabled_asks_for_nobody() {
    for locked in [true, false] {
        let house = House::new().await;
        let root = house.caller("root").await;
        let mia = house.caller("mia").await;
        let for_ann =
            || wane_app::AskInput { for_person: Some("ann".to_owned()), ..crate::house::ask(&[("vault", "read")], 1) };
        let before = house.app.request_access(&mia, for_ann()).await.unwrap();
        if locked {
            let input = wane_app::LockInput { target: LockTarget::Person(mia.person), reason: reason("stolen laptop") };
            house.app.impose_lock(&root, &input).await.unwrap();
            let asked = house.app.request_access(&mia, for_ann()).await.unwrap();
            assert!(denied(&asked, 0).contains("locked"));
        } else {
            let disabled = PersonChange { standing: Some(Standing::Disabled), ..PersonChange::default() };
            house.app.change_person(&root, "mia", &disabled).await.unwrap();
            let asked = house.app.request_access(&mia, for_ann()).await;
            assert!(matches!(asked, Err(AppError::SignedOut)), "a session of before is used after: {asked:?}");
        }
        let decided = house.approve("eva", before.id).await;
        if locked {
            assert!(!denied(&decided.unwrap(), 0).is_empty());
        } else {
            assert!(matches!(decided, Err(AppError::Taken(_))), "what they asked for others still waits: {decided:?}");
        }
    }
}

/// Nobody has booked yet that whoever asked for somebody else has left: their hour alone counts.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_another_is_not_granted_once_the_time_of_who_asked_is_over() {
    let house = House::new().await;
    let until = house.app.now().plus(crate::house::mins(30));
    house.until("mia", Some(until)).await;
    let for_ann =
        wane_app::AskInput { for_person: Some("ann".to_owned()), ..crate::house::ask(&[("vault", "read")], 1) };
    let asked = house.try_ask("mia", for_ann).await.unwrap().id;
    house.clock.set(until);
    let decided = house.approve("eva", asked).await.unwrap();
    assert!(denied(&decided, 0).contains("who asked is disabled"), "{}", denied(&decided, 0));
}

/// A cap that came nearer than what was asked for: it is not cut short unasked, and the answer says what would do.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_longer_than_policy_has_come_to_allow_is_denied_with_what_it_allows() {
    for (cap, fits) in [("2h", true), ("119m", false)] {
        let house = House::new().await;
        let id = house.ask("ann", &[("vault", "read")], 2).await.id;
        house
            .change_policy("@id(\"prod-read\") @max_ttl(\"8h\")", &format!("@id(\"prod-read\") @max_ttl(\"{cap}\")"))
            .await;
        let decided = house.approve("eva", id).await.unwrap();
        match granted(&decided, 0) {
            Some(grant) => assert!(fits, "{grant} is longer than {cap}"),
            None => assert!(!fits && denied(&decided, 0).contains("policy now allows at most"), "{decided:?}"),
        }
    }
}

/// A justification that policy asks for today is not invented for a grant that has none.
#[tokio::test(flavor = "multi_thread")]
async fn a_justification_that_was_never_given_is_not_assumed() {
    let house = House::new().await;
    let silent = wane_app::AskInput { reason: None, ..crate::house::ask(&[("attic", "read")], 1) };
    let silent = granted(&house.try_ask("ann", silent).await.unwrap(), 0).unwrap();
    let said = house.hold("ben", "attic", "read", 1).await;
    house.change_policy("@id(\"dev-freely\")", "@id(\"dev-freely\") @justification(\"required\")").await;
    rejudge_all(&house.app).await.unwrap();
    assert!(!house.grant(silent).await.is_live());
    assert!(house.grant(said).await.is_live());
}

/// A nearer cap shortens what lives; a further one never lengthens it.
#[tokio::test(flavor = "multi_thread")]
async fn judging_again_shortens_and_never_widens() {
    let house = House::new().await;
    let id = house.hold("ann", "attic", "read", 4).await;
    house.hand_out("ann", id).await.unwrap();
    let since = house.app.now();
    house.change_policy("@id(\"dev-freely\") @max_ttl(\"8h\")", "@id(\"dev-freely\") @max_ttl(\"2h\")").await;
    rejudge_all(&house.app).await.unwrap();
    let short = since.plus(crate::house::mins(120));
    assert_eq!(crate::house::end_of(&house.grant(id).await), short);
    assert_eq!(house.gate.accounts("attic").into_values().collect::<Vec<_>>(), [short]);
    house.change_policy("@id(\"dev-freely\") @max_ttl(\"2h\")", "@id(\"dev-freely\") @max_ttl(\"8h\")").await;
    rejudge_all(&house.app).await.unwrap();
    assert_eq!(crate::house::end_of(&house.grant(id).await), short, "it grew");
    house.change_policy("@id(\"dev-freely\") @max_ttl(\"8h\")", "@id(\"dev-freely\") @max_ttl(\"1m\")").await;
    house.advance(crate::house::mins(5));
    rejudge_all(&house.app).await.unwrap();
    assert_eq!(house.grant(id).await.state.name(), "ending");
}

/// A decision made over a world that has moved is made again over the new one: the trail never shows
/// a grant after the change that took its ground away.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_holds_only_in_the_world_it_was_made_over() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let engineers = name("engineers");
    let (mut before, mut after) = (0, 0);
    for _ in 0..40 {
        let head = house.store_head().await;
        let leave = house.app.set_member(&root, &engineers, "ann", wane_app::Membership::Out);
        let (asked, left) = tokio::join!(house.ask("ann", &[("attic", "read")], 1), leave);
        left.unwrap();
        let records = house.store.records_after(head, 100).await.unwrap();
        let at = |event: &str| records.iter().position(|r| r.record.event == event);
        match (granted(&asked, 0), at("grant.minted"), at("group.changed")) {
            (Some(grant), Some(minted), Some(changed)) => {
                assert!(minted < changed, "it was granted after its ground was gone");
                house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
                before += 1;
            }
            (None, None, Some(_)) => {
                assert!(denied(&asked, 0).contains("no policy"));
                after += 1;
            }
            other => panic!("{other:?}"),
        }
        house.app.set_member(&root, &engineers, "ann", wane_app::Membership::In).await.unwrap();
    }
    assert!(after > 0, "never at once: {before} before, {after} after");
}
