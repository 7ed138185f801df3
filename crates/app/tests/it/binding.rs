//! What was approved is what is granted: one cell, as it was asked, and in bulk as one by one.

use wane_app::{AppError, AskInput, Class, Narrower, ResourceChange, RevokeWhat};
use wane_domain::id::RequestId;
use wane_domain::request::{AccessRequest, ItemState};
use wane_store::{GrantFilter, RequestFilter, Slice, Store as _};

use crate::house::{House, ask, granted, name, reason};

const PEOPLE: [&str; 8] = ["root", "mia", "ann", "ben", "dan", "eva", "fay", "zoe"];

/// Two people, two roles, two resources: eight asks, one approval, one grant, and only for its holder.
#[tokio::test(flavor = "multi_thread")]
async fn one_approval_lets_exactly_one_cell_through() {
    let cells: Vec<(&str, &str, &str)> = ["ann", "ben"]
        .into_iter()
        .flat_map(|who| ["vault", "annex"].map(|on| (who, on)))
        .flat_map(|(who, on)| ["read", "write"].map(|role| (who, on, role)))
        .collect();
    for chosen in 0..cells.len() {
        let house = House::new().await;
        let prod = ResourceChange {
            labels: Some([(name("env"), "prod".parse().unwrap())].into()),
            ..ResourceChange::default()
        };
        house.app.change_resource(&house.caller("root").await, "annex", &prod).await.unwrap();
        house.change_policy("2 of group:dba", "1 of group:dba").await;
        let mut asked = Vec::new();
        for (who, on, role) in &cells {
            asked.push(house.ask(who, &[(on, role)], 1).await);
        }
        let (holder, on, role) = cells[chosen];
        house.approve("eva", asked[chosen].id).await.unwrap();
        let grants = house.store.grants(GrantFilter::default(), Slice::first(100)).await.unwrap().items;
        assert_eq!(grants.len(), 1, "{:?}", cells[chosen]);
        let grant = &grants[0].value;
        assert_eq!((grant.request, grant.digest), (asked[chosen].id, asked[chosen].digest));
        for who in PEOPLE {
            let handed = house.hand_out(who, grant.id).await;
            assert_eq!(handed.is_ok(), who == holder, "{who}: {handed:?}");
        }
        for (n, request) in asked.iter().enumerate() {
            let waits = house.request(request.id).await.is_waiting();
            assert_eq!(waits, n != chosen, "{:?} moved with {:?}", cells[n], cells[chosen]);
        }
        let there = ["vault", "annex"].map(|target| (target, house.gate.accounts(target).len()));
        assert_eq!(there, ["vault", "annex"].map(|target| (target, usize::from(target == on))), "{role}");
    }
}

/// How it came out, without ids and moments.
fn shape(outcome: &Result<AccessRequest, AppError>) -> String {
    let item = |state: &ItemState| match state {
        ItemState::Denied { by, reason, .. } => format!("denied by a person: {} ({reason})", by.is_some()),
        other => other.name().to_owned(),
    };
    match outcome {
        Ok(request) => {
            let items = request.items.iter().map(|i| format!("{} {}", i.approvals.len(), item(&i.state)));
            items.collect::<Vec<_>>().join(", ")
        }
        Err(error) => {
            // A request's id is random, and so is no part of what is compared.
            let told = error.to_string();
            format!("{:?} {}", error.class(), told.split("`req_").next().unwrap_or_default())
        }
    }
}

/// What can be done to a request whole or item by item.
#[derive(Clone, Copy, Debug)]
enum Act {
    Approve,
    ApproveLess,
    Deny,
    Withdraw,
}

async fn act(
    house: &House,
    act: Act,
    who: &str,
    id: RequestId,
    item: Option<usize>,
) -> Result<AccessRequest, AppError> {
    let caller = house.caller(who).await;
    let less = Narrower { duration: Some(crate::house::mins(5)), role: None };
    match act {
        Act::Approve => house.app.approve(&caller, id, item, &Narrower::default()).await,
        Act::ApproveLess => house.app.approve(&caller, id, item, &less).await,
        Act::Deny => house.app.deny(&caller, id, item, &reason("no")).await,
        Act::Withdraw => house.app.withdraw(&caller, id, item).await,
    }
}

/// For every act, everybody and every role: the whole of one item is that item, and where somebody may
/// do it to no item alone they may not do it to all of them at once.
#[tokio::test(flavor = "multi_thread")]
async fn in_bulk_is_as_one_by_one() {
    let house = House::new().await;
    let ann = house.caller("ann").await;
    for role in ["read", "write", "super"] {
        for what in [Act::Approve, Act::ApproveLess, Act::Deny, Act::Withdraw] {
            for who in PEOPLE {
                let items = [("vault", role)];
                let (whole, single) = (house.ask("ann", &items, 1).await.id, house.ask("ann", &items, 1).await.id);
                let (of_all, of_one) =
                    (act(&house, what, who, whole, None).await, act(&house, what, who, single, Some(0)).await);
                assert_eq!(shape(&of_all), shape(&of_one), "{what:?} {role} by {who}");

                // A bundle of two, at once and one after the other.
                let pair = [("vault", role), ("vault", if role == "read" { "write" } else { "read" })];
                let (at_once, one_by_one) = (house.ask("ann", &pair, 1).await.id, house.ask("ann", &pair, 1).await.id);
                let all = act(&house, what, who, at_once, None).await;
                let each = [
                    act(&house, what, who, one_by_one, Some(0)).await,
                    act(&house, what, who, one_by_one, Some(1)).await,
                ];
                assert_eq!(all.is_ok(), each.iter().any(Result::is_ok), "{what:?} {role} by {who}: {each:?}");
                let states = async |id| {
                    let request = house.request(id).await;
                    request.items.iter().map(|i| (i.approvals.len(), i.state.name())).collect::<Vec<_>>()
                };
                assert_eq!(states(at_once).await, states(one_by_one).await, "{what:?} {role} by {who}");
                // What still waits, narrower children too, is in nobody's way.
                let waiting = RequestFilter { person: Some(ann.person), waiting: Some(true) };
                for request in house.store.requests(waiting, Slice::first(100)).await.unwrap().items {
                    house.app.withdraw(&ann, request.value.id, None).await.unwrap();
                }
            }
        }
    }
}

/// Everything somebody holds, or all of a resource, is revoked by whoever could revoke each of it.
#[tokio::test(flavor = "multi_thread")]
async fn revoking_in_bulk_is_as_one_by_one() {
    for who in PEOPLE {
        for bulk in ["person", "resource"] {
            let house = House::new().await;
            let caller = house.caller(who).await;
            let (one, two) =
                (house.hold("ann", "attic", "read", 1).await, house.hold("ann", "attic", "write", 1).await);
            let target = match bulk {
                "person" => RevokeWhat::Person(house.id("ann").await),
                _ => RevokeWhat::Resource(house.resource("attic").await),
            };
            let single = house.app.revoke(&caller, RevokeWhat::Grant(one), &reason("r")).await;
            let all = house.app.revoke(&caller, target, &reason("r")).await;
            if let Err(error) = &single {
                assert!([Class::Denied, Class::Missing].contains(&error.class()), "{who}: {error}");
            }
            assert_eq!(single.is_ok(), all.is_ok(), "{who}, by {bulk}: {single:?} {all:?}");
            assert_eq!(house.grant(two).await.is_live(), all.is_err(), "{who}, by {bulk}");
        }
    }
}

/// A bundle is judged like its items alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_judged_as_its_items_are() {
    let house = House::new().await;
    let all = [("vault", "read"), ("vault", "write"), ("vault", "super"), ("attic", "read"), ("web1", "deploy")];
    for who in PEOPLE {
        let caller = house.caller(who).await;
        let bundle = house.app.request_access(&caller, ask(&all, 1)).await.unwrap();
        if let Some(grant) = granted(&bundle, 3) {
            house.app.give_back(&caller, grant).await.unwrap();
            house.app.give_back(&caller, granted(&bundle, 4).unwrap()).await.unwrap();
        }
        for (n, item) in all.iter().enumerate() {
            let alone = house.app.request_access(&caller, AskInput { ..ask(&[*item], 1) }).await.unwrap();
            let (of_all, of_one) = (&bundle.items[n], &alone.items[0]);
            assert_eq!((&of_all.terms, &of_all.path), (&of_one.terms, &of_one.path), "{who} {item:?}");
            assert_eq!(of_all.state.name(), of_one.state.name(), "{who} {item:?}");
            if alone.is_waiting() {
                house.app.withdraw(&caller, alone.id, None).await.unwrap();
            }
        }
        if bundle.is_waiting() {
            house.app.withdraw(&caller, bundle.id, None).await.unwrap();
        }
    }
}
