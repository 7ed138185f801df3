//! Asking: the answer comes in the same call, and nothing goes round policy.

use wane_app::{AppError, Class, RevokeWhat, WhyInput};
use wane_domain::grant::GrantState;
use wane_domain::request::ItemState;
use wane_domain::time::Span;

use crate::house::{House, ask, denied, end_of, granted, item, reason};

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
    house.advance(Span::from_hours(4));
    let after = house.ask("ann", &[("attic", "read")], 1).await;
    assert_ne!(granted(&after, 0), Some(grant), "a grant that is over covers nothing, though no engine ran");
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
    let check = async |change: &dyn Fn(&mut wane_app::AskInput), class: Class| {
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

#[tokio::test(flavor = "multi_thread")]
async fn for_others_only_managers_and_admins_ask() {
    let house = House::new().await;
    let for_person =
        |name: &str| wane_app::AskInput { for_person: Some(name.to_owned()), ..ask(&[("attic", "read")], 1) };
    let request = house.try_ask("mia", for_person("ann")).await.unwrap();
    let grant = house.grant(granted(&request, 0).unwrap()).await;
    assert_eq!(grant.holder, house.id("ann").await);
    assert!(house.hand_out("mia", grant.id).await.is_err(), "who asked does not hold");
    house.try_ask("root", for_person("ben")).await.unwrap();
    let there = house.try_ask("ann", for_person("ben")).await.unwrap_err();
    let nobody = house.try_ask("ann", for_person("nobody")).await.unwrap_err();
    assert_eq!(there.to_string(), nobody.to_string(), "the answer tells who exists");
    assert!(matches!(house.try_ask("root", for_person("nobody")).await, Err(AppError::Missing { .. })));
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

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_start_opens_then_and_ends_by_the_clock() {
    let house = House::new().await;
    let start = house.app.now().plus(Span::from_hours(3));
    let input = wane_app::AskInput { start: Some(start), ..ask(&[("attic", "read")], 2) };
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
