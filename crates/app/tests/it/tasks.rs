//! Grants for one command: asked for, judged and approved as it stands, let run once, over with its session.

use std::net::IpAddr;

use serde_json::json;
use wane_app::{App, AskInput, Class, ItemInput, Narrower, NewRole, SessionEnd, TaskEnd};
use wane_connector::broker::{By, Claim};
use wane_domain::closure::EndCause;
use wane_domain::id::{GrantId, SessionId};
use wane_domain::request::AccessRequest;

use crate::faulty::Goes;
use crate::house::{self, House, PUBLIC_KEY, ask, denied, granted, mins, name};

const TASK: &str = "systemctl restart nginx";

/// A company with a gateway to its hosts.
pub(crate) async fn house() -> House {
    let house = House::new().await;
    serve(&house);
    house
}

fn serve(house: &House) {
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
}

fn for_task(resource: &str, role: &str, task: &str) -> AskInput {
    let task = Some(task.parse().unwrap());
    AskInput {
        items: vec![ItemInput { resource: resource.to_owned(), role: role.to_owned(), task }],
        ..ask(&[(resource, role)], 1)
    }
}

async fn asked(house: &House, task: &str) -> AccessRequest {
    house.try_ask("ann", for_task("web1", "deploy", task)).await.unwrap()
}

async fn task_grant(house: &House) -> GrantId {
    granted(&asked(house, TASK).await, 0).unwrap()
}

/// A session of a grant for a task that its target let in.
async fn session(house: &House, grant: GrantId) -> SessionId {
    open(house, grant, Some(TASK)).await
}

/// A session of a grant that its target let in.
pub(crate) async fn session_as(house: &House, grant: GrantId) -> SessionId {
    open(house, grant, None).await
}

/// What the holder of a grant for a host claims, by a certificate that is issued now.
pub(crate) async fn claim(house: &House, grant: GrantId) -> Claim {
    let (world, holder) = (house.app.world().await.unwrap(), house.grant(grant).await.holder);
    let handed = house.hand_out(world.people.get(&holder).unwrap().name.as_str(), grant).await.unwrap();
    let issued = house.store_issuances(handed.lease).await;
    let by = By::Credential {
        serial: issued.last().unwrap().serial,
        credential: handed.public["certificate"].as_str().unwrap().to_owned(),
    };
    Claim {
        grant,
        by,
        resource: "web1".to_owned(),
        login: "deploy".to_owned(),
        public_key: PUBLIC_KEY.to_owned(),
        peer: IpAddr::from([192, 0, 2, 1]),
        client: "SSH-2.0-test".to_owned(),
    }
}

async fn open(house: &House, grant: GrantId, task: Option<&str>) -> SessionId {
    let opened = house.app.open_session(&claim(house, grant).await, None).await.unwrap();
    assert_eq!(opened.pass["task"].as_str(), task);
    house.app.session_begun(opened.session, &json!({})).await.unwrap();
    opened.session
}

pub(crate) fn closed(task: Option<TaskEnd>) -> SessionEnd {
    SessionEnd { tally: json!({}), proof: "closed".to_owned(), recorded: None, task }
}

async fn spend(app: &App, session: SessionId, command: &str) -> Result<(), String> {
    app.spend_task(session, command.as_bytes()).await.map_err(|e| e.to_string())
}

async fn cause(house: &House, grant: GrantId) -> Option<EndCause> {
    house::cause(&house.grant(grant).await)
}

fn done(outcome: &str) -> Option<EndCause> {
    Some(EndCause::TaskDone { outcome: outcome.to_owned() })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_would_run_a_task_one_does() {
    let house = house().await;
    let grant = task_grant(&house).await;
    let (one, two) = (session(&house, grant).await, session(&house, grant).await);
    assert!(spend(&house.app, one, "systemctl restart nginx ").await.unwrap_err().contains("not the task"));
    let (first, second) = tokio::join!(spend(&house.app, one, TASK), spend(&house.app, two, TASK));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let (won, lost) = if first.is_ok() { (one, two) } else { (two, one) };
    for session in [won, lost] {
        assert!(spend(&house.app, session, TASK).await.unwrap_err().contains("was let run already"));
    }
    // The other session leaves, and the task goes on.
    house.app.session_closed(lost, closed(Some(TaskEnd::Unseen))).await.unwrap();
    assert_eq!(cause(&house, grant).await, None);
    house.app.session_closed(won, closed(Some(TaskEnd::Seen("it exited with status 3".to_owned())))).await.unwrap();
    assert_eq!(cause(&house, grant).await, done("it exited with status 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_spending_was_not_written_down_does_not_run() {
    let house = house().await;
    let grant = task_grant(&house).await;
    let session = session(&house, grant).await;
    house.door.writes(Goes::Failing);
    assert!(spend(&house.app, session, TASK).await.is_err());
    house.door.writes(Goes::Well);
    assert!(house.grant(grant).await.spent.is_none());
    spend(&house.app, session, TASK).await.unwrap();
    assert_eq!(house.grant(grant).await.spent.clone().unwrap().session, session.lease());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_a_session_that_is_lost_is_over_with_it() {
    let mut house = house().await;
    let grant = task_grant(&house).await;
    let session = session(&house, grant).await;
    spend(&house.app, session, TASK).await.unwrap();
    // The process dies with the session; the next one finds what it left.
    house.reopen();
    serve(&house);
    let lost = house.leases(grant).await.into_iter().find(|lease| lease.id == session.lease()).unwrap();
    house.app.settle_lost_session(&lost).await.unwrap();
    assert!(
        matches!(cause(&house, grant).await, Some(EndCause::TaskDone { outcome }) if outcome.contains("nobody saw"))
    );
    assert!(house.hand_out("ann", grant).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_did_not_run_its_task_ends_nothing() {
    let house = house().await;
    let grant = task_grant(&house).await;
    let session = session(&house, grant).await;
    house.app.session_closed(session, closed(None)).await.unwrap();
    assert_eq!(cause(&house, grant).await, None);
    assert!(spend(&house.app, session, TASK).await.unwrap_err().contains("is over"));
    house.app.give_back(&house.caller("ann").await, grant).await.unwrap();
    assert_eq!(cause(&house, grant).await, Some(EndCause::Returned));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_covered_by_nothing_and_covers_nothing() {
    let house = house().await;
    let plain = house.hold("ann", "web1", "deploy", 2).await;
    let first = task_grant(&house).await;
    let second = task_grant(&house).await;
    assert!(plain != first && first != second);
    house.app.give_back(&house.caller("ann").await, plain).await.unwrap();
    let again = house.hold("ann", "web1", "deploy", 1).await;
    assert!(![plain, first, second].contains(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_gateway_serves_or_no_kind_runs_is_no_task() {
    let house = House::new().await;
    let request = asked(&house, TASK).await;
    assert!(denied(&request, 0).contains("sessions through the gateway"), "{}", denied(&request, 0));
    serve(&house);
    let refused = house.try_ask("ann", for_task("attic", "read", TASK)).await.unwrap_err();
    assert_eq!(refused.class(), Class::Invalid);
    assert!(refused.to_string().contains("runs no single commands"), "{refused}");
    // A path straight to the target serves no task either.
    house.change_policy("@id(\"staging-freely\")", "@mode(\"direct\") @id(\"staging-freely\")").await;
    let request = asked(&house, TASK).await;
    assert!(denied(&request, 0).contains("without the gateway"), "{}", denied(&request, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn judging_leaves_to_the_gateway_what_no_host_holds_anybody_to() {
    let house = House::new().await;
    let definition = json!({ "principals": ["deploy"], "commands": [["systemctl", "restart", "nginx"]] });
    let (kind, description) = (name("ssh"), String::new().try_into().unwrap());
    let new = NewRole { name: name("restart"), kind, description, definition };
    house.app.add_role(&house.caller("root").await, &new).await.unwrap();
    let listed = house.ask("ann", &[("web1", "restart")], 1).await;
    for (what, request) in [("some commands", listed), ("one command", asked(&house, TASK).await)] {
        assert!(denied(&request, 0).contains("sessions through the gateway"), "{what}: {}", denied(&request, 0));
    }
    house.hold("ann", "web1", "deploy", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_sees_the_task_as_it_stands() {
    let house = house().await;
    let only = format!(
        "@id(\"one-command\") @reason(\"that command only\") forbid (principal, action == Action::\"access\", resource is Host) unless {{ context has task && context.task == \"{TASK}\" }};\n@id(\"whoever-is-asked\")"
    );
    house.change_policy("@id(\"whoever-is-asked\")", &only).await;
    assert!(granted(&asked(&house, TASK).await, 0).is_some());
    for (what, request) in [
        ("another", asked(&house, "systemctl restart nginx2").await),
        ("none", house.ask("ann", &[("web1", "deploy")], 1).await),
    ] {
        assert!(denied(&request, 0).contains("that command only"), "{what}");
    }
    // Judged again, the grant is for its task still.
    let grant = task_grant(&house).await;
    wane_app::rejudge_all(&house.app).await.unwrap();
    assert_eq!(cause(&house, grant).await, None);
    session(&house, grant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_approves_less_approves_the_same_task() {
    let house = house().await;
    house.change_policy("@id(\"staging-freely\")", "@approve(\"1 of group:dba\") @id(\"staging-freely\")").await;
    let request = asked(&house, TASK).await;
    assert_ne!(request.digest, asked(&house, TASK).await.digest);
    let less = Narrower { duration: Some(mins(10)), role: None };
    let child = house.app.approve(&house.caller("eva").await, request.id, None, &less).await.unwrap();
    assert_eq!(child.ask.items[0].task, request.ask.items[0].task);
    let grant = house.grant(granted(&child, 0).unwrap()).await;
    assert_eq!(grant.item.task.as_ref().map(ToString::to_string).as_deref(), Some(TASK));
    assert_eq!(grant.digest, child.digest);
}
