//! Who stands in for an approver who is away: what they may answer, and what never.

use wane_app::{AppError, Footing, Narrower, NewDelegation, WhichDelegations, WithKey, rejudge_all};
use wane_audit::Outcome;
use wane_domain::approval::Statement;
use wane_domain::delegation::Delegation;
use wane_domain::directory::Standing;
use wane_domain::id::RequestId;
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::request::ItemState;
use wane_domain::time::{Span, Time};
use wane_store::{Put, RecordFilter, Write};

use crate::house::{House, denied, granted, mins, name, reason};
use crate::signing::{enter, key, sign};

fn leave(house: &House, to: &str) -> NewDelegation {
    NewDelegation {
        to: to.to_owned(),
        from: None,
        until: house.app.now().plus(Span::from_hours(48)),
        resources: Vec::new(),
        policies: Vec::new(),
        reason: Some(reason("holidays")),
    }
}

async fn gives(house: &House, by: &str, to: &str) -> Delegation {
    house.app.delegate(&house.caller(by).await, &leave(house, to)).await.unwrap()
}

fn approvals(request: &wane_domain::request::AccessRequest) -> usize {
    request.items[0].approvals.len()
}

/// `fay` stands in for the manager, `mia`, whom nothing else makes her.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_in_decides_in_the_others_place_and_both_are_on_record() {
    let house = House::new().await;
    let before = house.ask("ann", &[("vault", "super")], 1).await.id;
    assert!(house.approve("zoe", before).await.is_err(), "nobody said that zoe stands in");
    let given = gives(&house, "mia", "zoe").await;
    let world = house.app.world().await.unwrap();
    let could = house.app.who_could(&world, &house.request(before).await, 0).unwrap().people;
    let (mia, zoe) = (house.id("mia").await, house.id("zoe").await);
    assert!(could.len() == 2 && could[&mia] == Footing::default(), "{could:?}");
    assert_eq!(could[&zoe].instead_of.map(|i| (i.person, i.delegation)), Some((mia, given.id)));
    house.approve("zoe", before).await.unwrap();
    // The second stage is none of `zoe`'s, and one of `dan`'s.
    assert!(house.approve("zoe", before).await.is_err());
    let done = house.approve("dan", before).await.unwrap();
    let grant = granted(&done, 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    let kept = &house.grant(grant).await.approvals[0];
    assert_eq!((kept.approver, kept.instead_of.map(|i| i.person)), (zoe, Some(mia)));
    let records = house.records(RecordFilter { request: Some(before), ..RecordFilter::default() }).await;
    let told = records.iter().find(|r| r.event == "request.item.approved").unwrap();
    assert_eq!(told.detail["approver"], serde_json::json!(zoe));
    assert_eq!(told.detail["instead_of"]["person"], serde_json::json!(mia));
    // Whoever is back sees what was decided in their place, and may take it back.
    house.app.story(&house.caller("mia").await, grant).await.unwrap();
    house.app.deny_granted(&house.caller("mia").await, grant, &reason("no")).await.unwrap();
    assert!(!house.grant(grant).await.is_live());
    // So is a denial, in both names.
    let other = house.ask("ben", &[("vault", "super")], 1).await.id;
    house.app.deny(&house.caller("zoe").await, other, None, &reason("no")).await.unwrap();
    let records = house.records(RecordFilter { request: Some(other), ..RecordFilter::default() }).await;
    let told = records.iter().find(|r| r.event == "request.item.denied").unwrap();
    assert_eq!(
        (&told.detail["by"], &told.detail["instead_of"]["person"]),
        (&serde_json::json!(zoe), &serde_json::json!(mia))
    );
}

/// Every road on which a stand-in could have a hand in their own access, or be one more.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_anything_for_themselves_through_who_stands_in() {
    let house = House::new().await;
    let refused = async |who: &str, id: RequestId| {
        for item in [None, Some(0)] {
            for less in [Narrower::default(), Narrower { duration: Some(mins(5)), role: None }] {
                let said = house.app.approve(&house.caller(who).await, id, item, &less).await;
                assert!(matches!(said, Err(AppError::NotAllowed { .. } | AppError::Missing { .. })), "{who}: {said:?}");
            }
        }
        assert_eq!(approvals(&house.request(id).await), 0, "{who}");
    };
    // Who asks stands in for who is asked.
    gives(&house, "mia", "ann").await;
    refused("ann", house.ask("ann", &[("vault", "super")], 1).await.id).await;
    // Who is asked asks, and has somebody stand in: `dan` is among those he would ask.
    gives(&house, "dan", "zoe").await;
    let own = house.ask("dan", &[("vault", "read")], 1).await.id;
    refused("dan", own).await;
    refused("zoe", own).await;
    // A stand-in of a stand-in.
    gives(&house, "zoe", "ben").await;
    let theirs = house.ask("ann", &[("vault", "read")], 1).await.id;
    refused("ben", theirs).await;
    // Two of a quorum of two are not one with who stands in for them, in either order.
    for (first, second) in [("zoe", "dan"), ("dan", "zoe")] {
        let two = house.ask("ann", &[("vault", "write")], 1).await.id;
        house.approve(first, two).await.unwrap();
        assert!(house.approve(second, two).await.is_err(), "{first} then {second}");
        assert_eq!(approvals(&house.request(two).await), 1);
        assert!(granted(&house.approve("eva", two).await.unwrap(), 0).is_some());
    }
}

/// What becomes of the leave, or of either of the two.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Since {
    Nothing,
    TimeOver,
    TakenBack,
    AwayDisabled,
    StandInDisabled,
    AwayLocked,
    StandInLocked,
    AwayOutOfTheGroup,
    PolicyLetsTheAwayNot,
    PolicyLetsTheStandInNot,
    PolicyLetsNobodyStandIn,
}

const ALL: [Since; 11] = [
    Since::Nothing,
    Since::TimeOver,
    Since::TakenBack,
    Since::AwayDisabled,
    Since::StandInDisabled,
    Since::AwayLocked,
    Since::StandInLocked,
    Since::AwayOutOfTheGroup,
    Since::PolicyLetsTheAwayNot,
    Since::PolicyLetsTheStandInNot,
    Since::PolicyLetsNobodyStandIn,
];

async fn happens(house: &House, given: &Delegation, since: Since) {
    let root = house.caller("root").await;
    let disabled = || wane_app::PersonChange { standing: Some(Standing::Disabled), ..Default::default() };
    let forbid = async |when: &str| {
        let anybody = "permit (principal, action == Action::\"approve\", resource);";
        let more = format!(
            "{anybody}\n@id(\"not-these\") forbid (principal, action == Action::\"approve\", resource) when {{ {when} }};"
        );
        house.change_policy(anybody, &more).await;
    };
    let lock = async |who: &str| {
        let target = LockTarget::Person(house.id(who).await);
        let lock = Lock::impose(house.ambient.id(), target, reason("stolen"), root.person, house.app.now()).0;
        house.write(vec![Write::Lock(Put::new(lock))]).await;
    };
    match since {
        Since::Nothing => {}
        Since::TimeOver => drop(house.advance(Span::from_mins(31))),
        Since::TakenBack => house.app.end_delegation(&house.caller("dan").await, given.id).await.unwrap(),
        Since::AwayDisabled => drop(house.app.change_person(&root, "dan", &disabled()).await.unwrap()),
        Since::StandInDisabled => drop(house.app.change_person(&root, "zoe", &disabled()).await.unwrap()),
        Since::AwayLocked => lock("dan").await,
        Since::StandInLocked => lock("zoe").await,
        Since::AwayOutOfTheGroup => {
            house.app.set_member(&root, &name("dba"), "dan", wane_app::Membership::Out).await.unwrap();
        }
        Since::PolicyLetsTheAwayNot => forbid("principal == Person::\"dan\"").await,
        Since::PolicyLetsTheStandInNot => forbid("principal == Person::\"zoe\"").await,
        Since::PolicyLetsNobodyStandIn => forbid("context has instead_of").await,
    }
}

/// Before it is used, while it waits for a second, and once it lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_is_worth_what_both_are_worth() {
    for (since, begun) in ALL.into_iter().flat_map(|since| [(since, false), (since, true)]) {
        let house = House::new().await;
        let dan = house.caller("dan").await;
        let short = NewDelegation { until: house.app.now().plus(mins(30)), ..leave(&house, "zoe") };
        let given = house.app.delegate(&dan, &short).await.unwrap();
        let waits = house.ask("ann", &[("vault", "write")], 1).await.id;
        house.approve("zoe", waits).await.unwrap();
        let later = house.ask("ben", &[("vault", "read")], 1).await.id;
        let id = house.ask("ann", &[("vault", "read")], 1).await.id;
        let grant = granted(&house.approve("zoe", id).await.unwrap(), 0).unwrap();
        if begun {
            house.hand_out("ann", grant).await.unwrap();
        }
        house.advance(Span::from_secs(1));
        happens(&house, &given, since).await;
        // What was begun goes on if the leave is taken back; what is over by its time stood while it was given.
        let stands = match since {
            Since::Nothing | Since::TimeOver => true,
            Since::TakenBack => begun,
            _ => false,
        };
        rejudge_all(&house.app).await.unwrap();
        assert_eq!(house.grant(grant).await.is_live(), stands, "{since:?}, begun: {begun}");
        assert_eq!(house.hand_out("ann", grant).await.is_ok(), stands, "{since:?}, begun: {begun}");
        let second = house.approve("eva", waits).await.unwrap();
        match since {
            Since::Nothing | Since::TimeOver => assert!(granted(&second, 0).is_some(), "{since:?}"),
            // It waits as if nothing had been said.
            Since::TakenBack => assert_eq!((approvals(&second), second.state_name()), (1, "waiting")),
            _ => assert!(denied(&second, 0).contains("2 of group:dba"), "{since:?}: {}", denied(&second, 0)),
        }
        assert_eq!(house.approve("zoe", later).await.is_ok(), since == Since::Nothing, "{since:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_one_who_is_away_says_who_stands_in() {
    let house = House::new().await;
    let stale = house.caller("dan").await;
    house.advance(mins(11));
    let old = house.app.delegate(&stale, &leave(&house, "zoe")).await.unwrap_err().to_string();
    assert!(old.contains("prove your identity again"), "{old}");
    // Whoever shows a credential that was issued to them is not signed in.
    let issued = wane_app::Caller { token: None, ..house.caller("dan").await };
    assert!(house.app.delegate(&issued, &leave(&house, "zoe")).await.is_err());
    let dan = house.caller("dan").await;
    let now = house.app.now();
    let root = house.caller("root").await;
    let gone = wane_app::PersonChange { standing: Some(Standing::Disabled), ..Default::default() };
    house.app.change_person(&root, "fay", &gone).await.unwrap();
    for (what, new) in [
        ("nobody", leave(&house, "nobody")),
        ("somebody who is disabled", leave(&house, "fay")),
        ("oneself", leave(&house, "dan")),
        ("until now", NewDelegation { until: now, ..leave(&house, "zoe") }),
        ("from after its end", NewDelegation { from: Some(now.plus(Span::from_hours(49))), ..leave(&house, "zoe") }),
        ("for ever", NewDelegation { until: now.plus(Span::from_hours(24 * 93)), ..leave(&house, "zoe") }),
        ("on nothing", NewDelegation { resources: vec!["nowhere".to_owned()], ..leave(&house, "zoe") }),
        ("under no path", NewDelegation { policies: vec![name("whoever-is-asked")], ..leave(&house, "zoe") }),
        ("under nothing", NewDelegation { policies: vec![name("nothing")], ..leave(&house, "zoe") }),
    ] {
        let refused = house.app.delegate(&dan, &new).await;
        assert!(matches!(refused, Err(AppError::Invalid { .. } | AppError::Missing { .. })), "{what}: {refused:?}");
    }
    assert!(house.app.delegations(&dan, None, WhichDelegations::All).await.unwrap().is_empty());
    // It is theirs to see and to take back who are part of it, and an administrator's; to others it is not there.
    let given = gives(&house, "dan", "zoe").await;
    for who in ["dan", "zoe"] {
        let seen = house.app.delegations(&house.caller(who).await, None, WhichDelegations::Open).await.unwrap();
        assert_eq!(seen, std::slice::from_ref(&given), "{who}");
    }
    let eva = house.caller("eva").await;
    assert!(house.app.delegations(&eva, None, WhichDelegations::All).await.unwrap().is_empty());
    assert!(matches!(
        house.app.delegations(&eva, Some("dan"), WhichDelegations::All).await,
        Err(AppError::NotAllowed { .. })
    ));
    assert!(matches!(house.app.end_delegation(&eva, given.id).await, Err(AppError::Missing { .. })));
    assert_eq!(house.app.delegations(&root, Some("dan"), WhichDelegations::Open).await.unwrap().len(), 1);
    house.app.end_delegation(&house.caller("zoe").await, given.id).await.unwrap();
    assert!(matches!(house.app.end_delegation(&dan, given.id).await, Err(AppError::Taken(_))));
    assert!(house.app.delegations(&dan, None, WhichDelegations::Open).await.unwrap().is_empty());
    let records =
        house.records(RecordFilter { event: Some("delegation.".to_owned()), ..RecordFilter::default() }).await;
    let told: Vec<(&str, Outcome)> = records.iter().map(|r| (r.event.as_str(), r.outcome)).collect();
    // A name that was tried out and is nobody's, or nothing's, is on record as well.
    let mut wanted = vec![("delegation.refused", Outcome::Denied); 5];
    wanted.extend([("delegation.given", Outcome::Done), ("delegation.ended", Outcome::Done)]);
    assert_eq!(told, wanted);
    // There is an end to how many.
    for _ in 0..16 {
        gives(&house, "dan", "zoe").await;
    }
    assert!(matches!(house.app.delegate(&dan, &leave(&house, "zoe")).await, Err(AppError::Taken(_))));
}

/// Nobody sees more requests by standing in than those that wait for the one who is away, and only then.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_in_sees_what_they_may_decide() {
    let house = House::new().await;
    let (theirs, other) =
        (house.ask("ann", &[("vault", "super")], 1).await.id, house.ask("dan", &[("vault", "read")], 1).await.id);
    let sees = async |id: RequestId| {
        let world = house.app.world().await.unwrap();
        house.app.request_for(&house.caller("zoe").await, &world, id).await.is_ok()
    };
    assert!(!sees(theirs).await);
    let from = Some(house.app.now().plus(mins(10)));
    house.app.delegate(&house.caller("mia").await, &NewDelegation { from, ..leave(&house, "zoe") }).await.unwrap();
    assert!(!sees(theirs).await);
    house.advance(mins(10));
    assert!(sees(theirs).await);
    assert!(!sees(other).await);
}

/// Where a signature is asked for, it is the stand-in's, and says for whom.
#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_signs_with_their_own_key_and_says_for_whom() {
    let house = House::new().await;
    house.change_policy("@approve(\"1 of group:dba\")", "@approve(\"1 of group:dba\") @signature(\"required\")").await;
    enter(&house, "zoe", 5).await;
    gives(&house, "dan", "zoe").await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let zoe = house.caller("zoe").await;
    let draft = house.app.to_sign(&zoe, id, None, &Narrower::default(), &WithKey::Ssh).await.unwrap();
    let (dan, me) = (house.id("dan").await, zoe.person);
    assert_eq!((draft.statement.approver, draft.statement.instead_of), (me, Some(dan)));
    assert!(draft.text.starts_with("wane.approval.v2\n"), "{}", draft.text);
    // The same without saying for whom is not what was drafted.
    let bare = Statement { instead_of: None, ..draft.statement.clone() }.text().unwrap();
    let answered = |text: &str| wane_app::Answered { reference: None, signature: sign(&key(5), text) };
    assert!(house.app.approve_signed(&zoe, id, &answered(&bare)).await.is_err());
    let done = house.app.approve_signed(&zoe, id, &answered(&draft.text)).await.unwrap();
    house.hand_out("ann", granted(&done, 0).unwrap()).await.unwrap();

    // What was drafted in another's place is void once that is taken back.
    let given = gives(&house, "eva", "zoe").await;
    let of_dan = house.app.delegations(&zoe, None, WhichDelegations::Open).await.unwrap();
    let of_dan = of_dan.iter().find(|d| d.by == dan).unwrap().id;
    let next = house.ask("ann", &[("vault", "read")], 2).await;
    if next.items[0].state == ItemState::Waiting {
        let draft = house.app.to_sign(&zoe, next.id, None, &Narrower::default(), &WithKey::Ssh).await.unwrap();
        house.app.end_delegation(&zoe, of_dan).await.unwrap();
        let refused = house.app.approve_signed(&zoe, next.id, &answered(&draft.text)).await.unwrap_err().to_string();
        assert!(refused.contains("not what would be approved now"), "{refused}");
        assert_eq!(approvals(&house.request(next.id).await), 0);
        house.app.end_delegation(&zoe, given.id).await.unwrap();
        assert!(house.app.approve_signed(&zoe, next.id, &answered(&draft.text)).await.is_err());
    } else {
        panic!("it is {}", next.state_name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_how_long_and_for_how_much_somebody_stands_in() {
    let house = House::new().await;
    let (dan, zoe) = (house.caller("dan").await, house.id("zoe").await);
    let until = |until: Time| NewDelegation { until, ..leave(&house, "zoe") };
    let naming = |resources: usize, policies: usize| NewDelegation {
        resources: vec!["vault".to_owned(); resources],
        policies: vec![name("prod-read"); policies],
        ..leave(&house, "zoe")
    };
    let longest = house.app.now().plus(Span::from_hours(24 * 92));
    for (what, new, may) in [
        ("as long as may be", until(longest), true),
        ("longer", until(longest.plus(Span::from_micros(1))), false),
        ("as many as may be", naming(64, 64), true),
        ("on too many", naming(65, 0), false),
        ("under too many", naming(0, 65), false),
    ] {
        let said = house.app.delegate(&dan, &new).await;
        assert!(said.is_ok() == may && (may || matches!(said, Err(AppError::Invalid { .. }))), "{what}: {said:?}");
        let Ok(given) = said else { continue };
        house.app.end_delegation(&dan, given.id).await.unwrap();
    }
    let records =
        house.records(RecordFilter { event: Some("delegation.".to_owned()), ..RecordFilter::default() }).await;
    assert_eq!(records.len(), 4);
    for record in records {
        let told = &record.detail["delegation"];
        assert_eq!(told["to"], serde_json::json!(zoe), "{record:?}");
        let ended =
            if record.event == "delegation.ended" { serde_json::json!(dan.person) } else { serde_json::Value::Null };
        assert_eq!(told["ended"]["by"], ended, "{record:?}");
    }
}

/// Either of the two who may not approve keeps the other from it.
#[tokio::test(flavor = "multi_thread")]
async fn in_anothers_place_nobody_answers_unless_policy_lets_both() {
    for who in ["dan", "zoe"] {
        let house = House::new().await;
        gives(&house, "dan", "zoe").await;
        let id = house.ask("ann", &[("vault", "read")], 1).await.id;
        let anybody = "permit (principal, action == Action::\"approve\", resource);";
        let but = format!(
            "@id(\"not-them\") forbid (principal == Person::\"{who}\", action == Action::\"approve\", resource);"
        );
        house.change_policy(anybody, &format!("{anybody}\n{but}")).await;
        assert!(house.approve("zoe", id).await.is_err(), "{who} may not");
        assert_eq!(approvals(&house.request(id).await), 0, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_began_is_lost_with_the_leave_it_was_approved_under() {
    let house = House::new().await;
    let given = gives(&house, "dan", "zoe").await;
    let id = house.ask("ann", &[("vault", "read")], 1).await.id;
    let grant = granted(&house.approve("zoe", id).await.unwrap(), 0).unwrap();
    house.advance(Span::from_secs(1));
    house.app.end_delegation(&house.caller("dan").await, given.id).await.unwrap();
    assert!(house.hand_out("ann", grant).await.is_err());
    rejudge_all(&house.app).await.unwrap();
    assert!(!house.grant(grant).await.is_live());
}
