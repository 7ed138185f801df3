//! Policies that one proposes and another puts in force, and policies that are rehearsed.

use wane_app::{AppError, Class, PersonChange};
use wane_domain::canonical::Digest;
use wane_domain::directory::Standing;
use wane_domain::id::GrantId;
use wane_domain::request::{Ask, RequestData};
use wane_domain::stored;
use wane_store::{Commit, RecordFilter, Store as _};

use crate::house::{House, POLICY, granted, mins};

const FOUR_EYES: &str = r#"
@id("four-eyes") @reason("somebody else has to put a policy in force")
forbid (principal, action == Action::"manage_policy", resource)
unless { context has proposed_by && context.proposed_by != principal };
@id("second")
permit (principal in Group::"dba", action in [Action::"read_policy", Action::"manage_policy"], resource);
"#;

async fn version(house: &House) -> u64 {
    house.app.world().await.unwrap().policy.version
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proposed_is_put_in_force_by_somebody_else_as_it_was_looked_at() {
    let house = House::new().await;
    let (root, eva, ann) = (house.caller("root").await, house.caller("eva").await, house.caller("ann").await);
    let strict = format!("{POLICY}{FOUR_EYES}");
    // As long as policy lets one alone, one alone may propose and put in force.
    assert!(house.app.proposal(&root).await.unwrap().is_none());
    let first = house.app.propose_policy(&root, &strict, version(&house).await, "two from now on").await.unwrap();
    assert_eq!(house.app.proposal(&root).await.unwrap(), Some(first.clone()));
    assert_eq!(house.app.activate_proposal(&ann, first.digest).await.unwrap_err().class(), Class::Denied);
    house.app.activate_proposal(&root, first.digest).await.unwrap();
    assert!(house.app.proposal(&root).await.unwrap().is_none(), "it is in force");

    // From now on it takes two, whichever way it is tried.
    let next = strict.replacen("8h", "7h", 1);
    let seen = version(&house).await;
    assert_eq!(house.app.load_policy(&root, &next, Some(seen)).await.unwrap_err().class(), Class::Denied);
    let proposed = house.app.propose_policy(&root, &next, seen, "").await.unwrap();
    assert_eq!(house.app.activate_proposal(&root, proposed.digest).await.unwrap_err().class(), Class::Denied);
    assert_eq!(house.app.propose_policy(&ann, &next, seen, "").await.unwrap_err().class(), Class::Denied);
    assert_eq!(house.app.withdraw_proposal(&ann, proposed.digest).await.unwrap_err().class(), Class::Denied);

    // What is put in force is what was looked at: neither another text in its place, nor one from another version.
    let slipped = strict.replacen("8h", "6h", 1);
    let second = house.app.propose_policy(&root, &slipped, seen, "").await.unwrap();
    let refused = house.app.activate_proposal(&eva, proposed.digest).await.unwrap_err();
    assert!(matches!(refused, AppError::Taken(_)), "{refused}");
    let nothing = Digest::of_text("something else");
    assert!(house.app.activate_proposal(&eva, nothing).await.is_err());
    let (loaded, _) = house.app.activate_proposal(&eva, second.digest).await.unwrap();
    assert_eq!((loaded.text.as_str(), loaded.by, loaded.version), (slipped.as_str(), Some(eva.person), seen + 1));
    let told = house.records(RecordFilter { event: Some("policy.loaded".to_owned()), ..Default::default() }).await;
    let is_it = |record: &&wane_audit::Record| record.detail["version"] == loaded.version;
    let last = told.iter().find(is_it).unwrap();
    assert_eq!(last.detail["proposed"]["by"], root.person.to_string());
    assert!(house.app.propose_policy(&root, &next, seen, "").await.is_err(), "it was written from another version");

    // Taken back it is gone; and nobody can propose what nobody could replace.
    let seen = version(&house).await;
    let third = house.app.propose_policy(&root, &next, seen, "").await.unwrap();
    house.app.withdraw_proposal(&eva, third.digest).await.unwrap();
    assert!(house.app.activate_proposal(&eva, third.digest).await.is_err());
    let locked = slipped.replacen(
        "@id(\"second\")",
        "@id(\"nobody\") forbid (principal, action == Action::\"manage_policy\", resource);\n@id(\"second\")",
        1,
    );
    let third = house.app.propose_policy(&root, &locked, seen, "").await.unwrap();
    assert!(matches!(house.app.activate_proposal(&eva, third.digest).await, Err(AppError::Policy { .. })));
    assert_eq!(version(&house).await, seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_rehearsed_over_what_was_really_asked() {
    let house = House::new().await;
    let given = house.hold("ann", "attic", "read", 1).await;
    let waits = house.ask("ann", &[("vault", "read")], 1).await.id;
    let (root, ann) = (house.caller("root").await, house.caller("ann").await);
    let head = house.store_head().await;
    let same = house.app.rehearse_policy(&root, POLICY).await.unwrap();
    assert_eq!((same.differ, same.looked_at, same.gone, same.more), (0, 2, 0, false));
    let closed = format!(
        "{POLICY}\n@id(\"closed\") forbid (principal, action == Action::\"access\", resource is Gate in Label::\"env=dev\");"
    );
    let said = house.app.rehearse_policy(&root, &closed).await.unwrap();
    assert_eq!((said.differ, said.told.len()), (1, 1), "{said:?}");
    let told = &said.told[0];
    assert_ne!(told.request, waits);
    assert!(told.now.terms.is_some() && told.then.terms.is_none() && !told.then.reasons.is_empty(), "{told:?}");
    assert_eq!(house.app.rehearse_policy(&ann, POLICY).await.unwrap_err().class(), Class::Denied);
    assert!(matches!(house.app.rehearse_policy(&root, "permit(").await, Err(AppError::Policy { .. })));
    assert_eq!(house.store_head().await, head, "a rehearsal writes nothing");
    let _: GrantId = given;
    assert!(granted(&house.request(waits).await, 0).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_rehearsed_over_the_newest_thousand() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("attic", "read")], 1).await;
    house.advance(mins(1));
    // By somebody who is gone since.
    let ask = Ask { beneficiary: house.ambient.id(), ..asked.ask.clone() };
    let theirs = stored::request(RequestData { ask, ..(*asked).clone() });
    let root = house.caller("root").await;
    for (others, gone, more) in [(999, 999, false), (1, 1000, true)] {
        house.was_asked_again(&theirs, others).await;
        let said = house.app.rehearse_policy(&root, POLICY).await.unwrap();
        assert_eq!((said.looked_at, said.gone, said.more), (1000, gone, more));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_reads_policy_proposes_none() {
    let house = House::new().await;
    let readers = r#"
@id("readers") permit (principal == Person::"fay", action == Action::"read_policy", resource);
@id("whoever-is-asked")"#;
    house.change_policy("@id(\"whoever-is-asked\")", readers).await;
    let fay = house.caller("fay").await;
    let (text, seen) = (house.app.policy_in_force(&fay).await.unwrap().text, version(&house).await);
    let said = house.app.propose_policy(&fay, &text.replacen("8h", "7h", 1), seen, "").await;
    assert!(matches!(said, Err(AppError::NotAllowed { .. })), "{said:?}");
    assert!(house.app.proposal(&fay).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proposed_stays_so_whatever_else_happens() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let next = POLICY.replacen("8h", "7h", 1);
    let proposed = house.app.propose_policy(&root, &next, version(&house).await, "").await.unwrap();
    house.hold("ann", "attic", "read", 1).await;
    assert_eq!(house.app.proposal(&root).await.unwrap(), Some(proposed.clone()));
    house.app.activate_proposal(&root, proposed.digest).await.unwrap();
}

/// What is put in force is what its digest says, whatever the trail shows beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_was_slipped_under_a_proposal_is_not_put_in_force() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let seen = version(&house).await;
    let proposed = house.app.propose_policy(&root, &POLICY.replacen("8h", "7h", 1), seen, "").await.unwrap();
    let filter = RecordFilter { event: Some("policy.proposed".to_owned()), ..RecordFilter::default() };
    let mut record = house.records(filter).await.remove(0);
    record.id = house.ambient.id();
    record.detail["text"] = POLICY.replacen("8h", "6h", 1).into();
    house.store.commit(Commit::new(Vec::new(), vec![record]).unwrap()).await.unwrap();
    let refused = house.app.activate_proposal(&root, proposed.digest).await.unwrap_err();
    assert!(matches!(refused, AppError::Taken(_)), "{refused}");
    assert_eq!(version(&house).await, seen);
}

/// Where it takes two, there have to be two who are there, and each has to be able to second the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_takes_two_leaves_two() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let (alone, second) = FOUR_EYES.split_once("@id(\"second\")").unwrap();
    let second = second.replace("principal in Group::\"dba\"", "principal == Person::\"eva\"");
    let alone = format!("{POLICY}{alone}");
    let both = format!("{alone}@id(\"second\"){second}");
    let locks_out = |said: AppError| {
        let is_it =
            matches!(&said, AppError::Policy { problems } if problems[0].message.contains("could not load another"));
        assert!(is_it, "{said:?}");
    };
    // What Eva proposed root could put in force; but nobody what root did.
    locks_out(house.app.load_policy(&root, &alone, None).await.unwrap_err());
    // Whoever seconds themselves is not two.
    let own = alone.replace(" && context.proposed_by != principal", "");
    assert_ne!(own, alone);
    locks_out(house.app.load_policy(&root, &own, None).await.unwrap_err());
    for (standing, loads) in [(Standing::Disabled, false), (Standing::Active, true)] {
        let change = PersonChange { standing: Some(standing), ..PersonChange::default() };
        house.app.change_person(&root, "eva", &change).await.unwrap();
        match house.app.load_policy(&root, &both, None).await {
            Ok(_) => assert!(loads, "Eva is not there"),
            Err(said) => {
                assert!(!loads, "{said}");
                locks_out(said);
            }
        }
    }
}
