//! Asking: the answer comes in the same call, and nothing goes round policy.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wane_app::{AppError, Arriving, AskInput, Class, Goal, MOST_DURATION, RevokeWhat, WhyInput};
use wane_domain::grant::{Grant, GrantData, GrantState};
use wane_domain::request::{ItemState, MOST_ITEMS};
use wane_domain::stored;
use wane_domain::time::Span;
use wane_store::{Put, RequestFilter, Slice, Store as _, Write};

use crate::house::{House, ask, denied, end_of, granted, item, mins, reason};

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_comes_in_the_same_call() {
    let house = House::new().await;
    let request = house.ask("ann", &[("attic", "read"), ("vault", "read")], 1).await;
    let grant = house.grant(granted(&request, 0).unwrap()).await;
    assert_eq!(end_of(&grant), house.app.now().plus(Span::from_hours(1)), "granted, and active at once");
    assert_eq!(request.items[1].state, ItemState::Waiting);
    let who = house.app.who_could(&house.app.world().await.unwrap(), &request, 1).unwrap();
    assert_eq!((who.stage, who.missing, who.people.len()), (Some(0), 1, 3));
    let refused = house.ask("zoe", &[("vault", "read")], 1).await;
    assert!(denied(&refused, 0).contains("no policy"), "{}", denied(&refused, 0));
    let long = house.ask("ann", &[("vault", "read")], 7).await;
    assert!(denied(&long, 0).contains("six hours at most"), "{}", denied(&long, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_grant_that_gives_it_already_is_named() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 2).await;
    let again = house.ask("ann", &[("attic", "read")], 1).await;
    assert_eq!(granted(&again, 0), Some(grant));
    let longer = house.ask("ann", &[("attic", "read")], 3).await;
    assert_ne!(granted(&longer, 0), Some(grant), "a grant that ends earlier does not cover");
    let other = house.ask("ann", &[("attic", "write")], 1).await;
    assert_ne!(granted(&other, 0), Some(grant), "another role is not covered");
    let start = Some(house.app.now().plus(mins(30)));
    let later = house.try_ask("ann", AskInput { start, ..ask(&[("attic", "read")], 1) }).await.unwrap();
    let later = house.grant(granted(&later, 0).unwrap()).await;
    assert_eq!(later.state, GrantState::Scheduled, "what begins later is its own");
    house.advance(Span::from_hours(4));
    let after = house.ask("ann", &[("attic", "read")], 1).await;
    assert_ne!(granted(&after, 0), Some(grant), "a grant that is over covers nothing, though no engine ran");
}

type Change<'a> = &'a dyn Fn(&mut GrantData);

/// A page full of newer ones, and none of those would do.
#[tokio::test(flavor = "multi_thread")]
async fn the_live_grant_is_found_among_any_number_that_would_not_do() {
    let house = House::new().await;
    let held = house.hold("ann", "attic", "read", 2).await;
    let world = house.app.world().await.unwrap();
    let write = world.roles.values().find(|role| role.name.as_str() == "write").unwrap().id;
    let now = house.advance(mins(1));
    let of_another_role = |data: &mut GrantData| data.item.role = write;
    let not_begun = |data: &mut GrantData| {
        data.state = GrantState::Scheduled;
        data.window.activate_by = now.plus(Span::from_hours(24));
    };
    let ends_earlier = |data: &mut GrantData| data.state = GrantState::Active { since: now, end: now.plus(mins(30)) };
    let of_a_job = |data: &mut GrantData| data.job = Some(house.ambient.id());
    let those: [(&str, Change<'_>); 4] = [
        ("of another role", &of_another_role),
        ("not begun", &not_begun),
        ("ending earlier", &ends_earlier),
        ("of a job", &of_a_job),
    ];
    let first = house.grant(held).await;
    for (what, change) in those {
        let another = || -> Grant {
            let mut data = GrantData { id: house.ambient.id(), ..(*first).clone() };
            change(&mut data);
            stored::grant(data)
        };
        house.write((0..1000).map(|_| Write::Grant(Put::new(another()))).collect()).await;
        let again = house.ask("ann", &[("attic", "read")], 1).await;
        assert_eq!(granted(&again, 0), Some(held), "not found among those {what}");
        house.advance(mins(1));
    }
}

/// Who gives no reason is told of the least that would be had with no more approvals; a reason answers that.
#[tokio::test(flavor = "multi_thread")]
async fn who_says_no_reason_is_given_the_least_that_is_had_as_easily() {
    let house = House::new().await;
    let without = |resource: &str, role: &str| AskInput { reason: None, ..ask(&[(resource, role)], 1) };
    for (resource, role, instead) in [
        ("attic", "read", None),
        ("attic", "write", Some("read")),
        ("attic", "super", Some("read")),
        ("web1", "deploy", None),
        // One stage of approval each, and two for the widest.
        ("vault", "read", None),
        ("vault", "write", Some("read")),
        ("vault", "super", Some("read")),
    ] {
        let request = house.try_ask("ann", without(resource, role)).await.unwrap();
        match instead {
            Some(instead) => {
                let why = denied(&request, 0);
                assert!(why.contains(&format!("role `{instead}` gives less")), "{role} on {resource}: {why}");
                let said = house.ask("ann", &[(resource, role)], 1).await;
                assert!(said.items[0].terms.is_some(), "{role} on {resource} with a reason");
            }
            None => assert!(request.items[0].terms.is_some(), "{role} on {resource}: {:?}", request.items[0].state),
        }
    }
    // What takes an approval is not had as easily as what takes none.
    house.change_policy("@approve(\"1 of manager; then 1 of group:dba\") @approval_window(\"2h\")", "").await;
    let request = house.try_ask("ann", without("vault", "super")).await.unwrap();
    assert!(granted(&request, 0).is_some(), "{:?}", request.items[0].state);
}

/// What was approved of one is not approved of the other.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_asked_again_is_something_else_to_approve() {
    let house = House::new().await;
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(house.ask("ann", &[("vault", "read")], 1).await);
    }
    assert_eq!(asked.iter().map(|request| request.digest).collect::<BTreeSet<_>>().len(), 3);
    assert!(asked.iter().all(|request| request.ask.nonce.len() == 32), "16 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_is_each_alone() {
    let house = House::new().await;
    let asks = [
        ("ann", "attic", "read", 1),
        ("ann", "vault", "read", 1),
        ("ann", "vault", "write", 5),
        ("ann", "vault", "super", 1),
        ("ann", "web1", "deploy", 9),
        ("zoe", "attic", "read", 1),
        ("root", "vault", "read", 1),
    ];
    let root = house.caller("root").await;
    for (who, resource, role, hours) in asks {
        let person = RevokeWhat::Person(house.id(who).await);
        let alone = house.ask(who, &[(resource, role)], hours).await;
        house.app.revoke(&root, person, &reason("next")).await.unwrap();
        let among = house.ask(who, &[("annex", "super"), (resource, role)], hours).await;
        house.app.revoke(&root, person, &reason("next")).await.unwrap();
        let (one, other) = (&alone.items[0], &among.items[1]);
        assert_eq!(one.state.name(), other.state.name(), "{who} {role} on {resource}");
        assert_eq!((&one.path, &one.terms), (&other.path, &other.terms), "{who} {role} on {resource}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_asks_are_refused_whole() {
    let house = House::new().await;
    let now = house.app.now();
    let check = async |change: &dyn Fn(&mut AskInput), class: Class| {
        let mut input = ask(&[("attic", "read")], 1);
        change(&mut input);
        let error = house.try_ask("ann", input).await.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
    };
    let before = house.store_head().await;
    check(&|i| i.items.clear(), Class::Invalid).await;
    check(&|i| i.items = vec![item("attic", "read"); 33], Class::Invalid).await;
    check(&|i| i.items = vec![item("attic", "read"); 2], Class::Invalid).await;
    check(&|i| i.duration = Span::ZERO, Class::Invalid).await;
    check(&|i| i.duration = Span::from_hours(24 * 367), Class::Invalid).await;
    check(&|i| i.start = Some(now), Class::Invalid).await;
    check(&|i| i.start = Some(now.minus(Span::from_secs(1))), Class::Invalid).await;
    check(&|i| i.items = vec![item("cellar", "read")], Class::Missing).await;
    check(&|i| i.items = vec![item("attic", "deploy")], Class::Missing).await;
    check(&|i| i.items = vec![item("Attic", "read")], Class::Missing).await;
    assert_eq!(house.store_head().await, before, "a refused ask left something");
}

/// What is just within a bound is not refused for it, what is just beyond is.
#[tokio::test(flavor = "multi_thread")]
async fn an_ask_is_bounded_where_it_is_said_to_be() {
    let house = House::new().await;
    let plain = ask(&[("attic", "read")], 1);
    let many = |n: usize| AskInput { items: (0..n).map(|n| item(&format!("n{n}"), "read")).collect(), ..plain.clone() };
    let lasting = |duration| AskInput { duration, ..plain.clone() };
    let starting = |after| AskInput { start: Some(house.app.now().plus(after)), ..plain.clone() };
    let second = Span::from_secs(1);
    let beyond = Span::from_secs(MOST_DURATION.secs() + 1);
    for (what, input, expected) in [
        // None of these is there, which is found out after they were counted.
        ("so many items", many(MOST_ITEMS), Some(Class::Missing)),
        ("one more", many(MOST_ITEMS + 1), Some(Class::Invalid)),
        ("a second", lasting(second), None),
        ("the longest", lasting(MOST_DURATION), None),
        ("longer", lasting(beyond), Some(Class::Invalid)),
        ("in a second", starting(second), None),
        ("in a year", starting(MOST_DURATION), None),
        ("later", starting(beyond), Some(Class::Invalid)),
    ] {
        let said = house.try_ask("ann", input).await;
        assert_eq!(said.as_ref().err().map(AppError::class), expected, "{what}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_others_only_managers_and_admins_ask() {
    let house = House::new().await;
    let for_person = |name: &str| AskInput { for_person: Some(name.to_owned()), ..ask(&[("attic", "read")], 1) };
    let request = house.try_ask("mia", for_person("ann")).await.unwrap();
    let grant = house.grant(granted(&request, 0).unwrap()).await;
    assert_eq!(grant.holder, house.id("ann").await);
    assert!(house.hand_out("mia", grant.id).await.is_err(), "who asked does not hold");
    house.try_ask("root", for_person("ben")).await.unwrap();
    // Who names themselves asks for themselves.
    let own = house.try_ask("ben", for_person("ben")).await.unwrap();
    assert_eq!((own.ask.requester, own.ask.beneficiary), (house.id("ben").await, house.id("ben").await));
    let there = house.try_ask("ann", for_person("ben")).await.unwrap_err();
    let nobody = house.try_ask("ann", for_person("nobody")).await.unwrap_err();
    assert_eq!(there.to_string(), nobody.to_string(), "the answer tells who exists");
    assert!(matches!(house.try_ask("root", for_person("nobody")).await, Err(AppError::Missing { .. })));
}

/// Neither who asked nor whom it is for, whoever else policy asks; and they are told why.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_part_in_a_request_decides_nothing_of_it() {
    let house = House::new().await;
    let root = house.caller("root").await;
    for who in ["mia", "ann"] {
        let dba = crate::house::name("dba");
        house.app.set_member(&root, &dba, who, wane_app::Membership::In).await.unwrap();
    }
    let for_ann = AskInput { for_person: Some("ann".to_owned()), ..ask(&[("vault", "read")], 1) };
    let id = house.try_ask("mia", for_ann).await.unwrap().id;
    for who in ["mia", "ann"] {
        let refused = house.approve(who, id).await.unwrap_err();
        assert!(matches!(refused, AppError::NotAllowed { what } if what.contains("of your own")), "{who}: {refused}");
    }
    assert_eq!(house.request(id).await.items[0].state, ItemState::Waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_requests_are_bounded() {
    let house = House::new().await;
    for _ in 0..20 {
        house.ask("ann", &[("vault", "read")], 1).await;
    }
    let error = house.try_ask("ann", ask(&[("vault", "read")], 1)).await.unwrap_err();
    assert!(matches!(error, AppError::TooMany { have: 20, most: 20 }), "{error}");
    house.ask("ben", &[("vault", "read")], 1).await;
}

/// Many at the same instant all see the same number of open ones.
#[tokio::test(flavor = "multi_thread")]
async fn open_requests_are_bounded_at_one_instant_too() {
    let house = House::new().await;
    for _ in 0..19 {
        house.ask("ann", &[("vault", "read")], 1).await;
    }
    let tries = (0..8).map(|_| house.try_ask("ann", ask(&[("vault", "read")], 1)));
    let said = futures::future::join_all(tries).await;
    assert_eq!(said.iter().filter(|said| said.is_ok()).count(), 1, "{said:?}");
}

/// It is a request of that login: when its process is gone nobody waits for it any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_login_asked_for_is_taken_back_once_its_process_is_gone() {
    let mut house = House::new().await;
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
    house.change_policy("@id(\"staging-freely\")", "@approve(\"1 of group:dba\") @id(\"staging-freely\")").await;
    let ann = house.caller("ann").await;
    let by_hand = house.ask("ann", &[("web1", "deploy")], 1).await.id;
    let who = Arriving {
        goal: Goal::Session { resource: "web1".to_owned(), login: "deploy".to_owned() },
        peer: IpAddr::from([192, 0, 2, 1]),
        client: "SSH-2.0-test".to_owned(),
    };
    let (login, shown) = house.app.arrive(who).await.unwrap();
    let reference = shown.link.rsplit('/').next().unwrap();
    house.app.confirm_arrival(&ann, reference, &shown.code).await.unwrap();
    // What it may do is found, and then asked for.
    for _ in 0..2 {
        house.app.arrival_next(login, None).await.unwrap();
    }
    let filter = RequestFilter { person: Some(ann.person), waiting: Some(true) };
    let waiting = house.store.requests(filter, Slice::first(10)).await.unwrap().items;
    let of_login = waiting.iter().find(|seen| seen.value.ask.arrival == Some(login)).unwrap().value.id;
    assert_eq!(house.app.take_back_lost_logins().await.unwrap(), 0, "its login waits");
    house.reopen();
    assert_eq!(house.app.take_back_lost_logins().await.unwrap(), 1);
    assert_eq!(house.request(of_login).await.state_name(), "withdrawn");
    assert_eq!(house.request(by_hand).await.items[0].state, ItemState::Waiting, "nobody waits at a gateway for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_start_opens_then_and_ends_by_the_clock() {
    let house = House::new().await;
    let start = house.app.now().plus(Span::from_hours(3));
    let input = AskInput { start: Some(start), ..ask(&[("attic", "read")], 2) };
    let grant = granted(&house.try_ask("ann", input).await.unwrap(), 0).unwrap();
    assert_eq!(house.grant(grant).await.state, GrantState::Scheduled);
    assert!(matches!(house.hand_out("ann", grant).await, Err(AppError::Illegal(_))), "before it opens");
    house.clock.set(start.plus(Span::from_mins(20)));
    house.hand_out("ann", grant).await.unwrap();
    assert_eq!(end_of(&house.grant(grant).await), start.plus(Span::from_hours(2)), "late use does not move the end");
}

/// What `why` and `askable` say agrees with what asking does.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_explained_is_what_happens() {
    let house = House::new().await;
    let gate_roles = ["read", "write", "super"];
    let pairs: Vec<(&str, &str)> = ["vault", "attic", "annex"]
        .iter()
        .flat_map(|resource| gate_roles.iter().map(move |role| (*resource, *role)))
        .chain([("web1", "deploy")])
        .collect();
    for who in ["root", "mia", "ann", "dan", "eva", "zoe"] {
        let caller = house.caller(who).await;
        let askable = house.app.askable(&caller).await.unwrap();
        for (resource, role) in &pairs {
            let input = WhyInput {
                person: None,
                resource: (*resource).to_owned(),
                role: (*role).to_owned(),
                duration: None,
                start: None,
                reason: None,
                ticket: None,
                task: None,
                policy_version: None,
                policy_text: None,
            };
            let why = house.app.why(&caller, &input).await.unwrap();
            let request = house.ask(who, &[(resource, role)], 1).await;
            let item = &request.items[0];
            let listed =
                askable.iter().find(|a| a.resource.name.as_str() == *resource && a.role.name.as_str() == *role);
            let label = format!("{who} {role} on {resource}: {}", item.state.name());
            assert_eq!(listed.is_some(), item.terms.is_some(), "{label}");
            assert_eq!(listed.and_then(|a| a.terms.clone()), item.terms, "{label}");
            let could = house.app.who_could(&house.app.world().await.unwrap(), &request, 0).unwrap();
            let explained = why.who_could.first().cloned().unwrap_or_default();
            assert_eq!(could.people.into_keys().collect::<Vec<_>>(), explained, "{label}");
        }
    }
}
