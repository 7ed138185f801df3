//! Logins at the gateway without a credential: confirmed in a browser, then let in under what is held or asked for.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use wane_app::{AppError, Arriving, AskInput, Goal, NewRole};
use wane_connector::broker::{By, Invitation, Next, Proof};
use wane_domain::closure::EndCause;
use wane_domain::grant::{GrantData, GrantState};
use wane_domain::id::{ArrivalId, GrantId, RequestId};
use wane_domain::stored;
use wane_domain::time::{Span, Time};
use wane_store::{Put, RecordFilter, RequestFilter, Slice, Store as _, Write};

use crate::house::{House, ask, granted, mins, name};
use crate::passages::host;
use crate::tasks::{claim, house};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const CLIENT: &str = "SSH-2.0-test";
const ASKS: &str = "confirmed by ann; you hold no access for that, so `deploy` is asked for";

fn to(resource: &str, login: &str) -> Arriving {
    let goal = Goal::Session { resource: resource.to_owned(), login: login.to_owned() };
    Arriving { goal, peer: PEER, client: CLIENT.to_owned() }
}

/// What is behind the link that somebody is shown: a page of ours.
fn reference(house: &House, shown: &Invitation) -> String {
    let ours = format!("{}/login/", house.app.public_url());
    shown.link.strip_prefix(&ours).unwrap_or_else(|| panic!("{} is not at {ours}", shown.link)).to_owned()
}

async fn confirm(house: &House, person: &str, shown: &Invitation) -> Result<(), AppError> {
    house.app.confirm_arrival(&house.caller(person).await, &reference(house, shown), &shown.code).await
}

/// A login at a host that ann has confirmed.
async fn confirmed(house: &House, login: &str) -> ArrivalId {
    let (id, shown) = house.app.arrive(to("web1", login)).await.unwrap();
    confirm(house, "ann", &shown).await.unwrap();
    id
}

async fn next(house: &House, id: ArrivalId) -> Next {
    house.app.arrival_next(id, None).await.unwrap().0
}

/// What whoever waits reads next, having typed this.
async fn told(house: &House, id: ArrivalId, typed: Option<&str>) -> String {
    match house.app.arrival_next(id, typed).await.unwrap().0 {
        Next::Say(text) => text,
        Next::Ask { text, prompt } => text + &prompt,
        other => panic!("{other:?}"),
    }
}

/// The grant that a login is let in under.
async fn entered(house: &House, id: ArrivalId) -> GrantId {
    match next(house, id).await {
        Next::Enter { grant, arrival } if arrival == id => grant,
        other => panic!("{other:?}"),
    }
}

/// What ann asked for and waits for.
async fn waiting(house: &House) -> RequestId {
    let filter = RequestFilter { person: Some(house.id("ann").await), waiting: Some(true) };
    house.store.requests(filter, Slice::first(1)).await.unwrap().items[0].value.id
}

async fn approved_by_two(house: &House) {
    house.change_policy("@id(\"staging-freely\")", "@approve(\"2 of group:dba\") @id(\"staging-freely\")").await;
}

/// A role for one command, as this login.
async fn role_for_a_command(house: &House, role: &str, login: &str) {
    let definition = json!({ "principals": [login], "commands": [["systemctl", "restart", "nginx"]] });
    let (kind, description) = (name("ssh"), String::new().try_into().unwrap());
    let new = NewRole { name: name(role), kind, description, definition };
    house.app.add_role(&house.caller("root").await, &new).await.unwrap();
}

/// A connection of ann's that she opened by a certificate for `deploy` on a host.
async fn passage(house: &House) -> ArrivalId {
    let grant = house.hold("ann", "web1", "deploy", 1).await;
    let By::Credential { serial, .. } = claim(house, grant).await.by else { panic!("it is no certificate") };
    house.app.admit(&Proof::Credential { grant, serial }, PEER, CLIENT).await.unwrap()
}

/// What another holds there does not count, and neither what they hold elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_whose_person_holds_nothing_there_asks_and_waits_for_approval() {
    let house = house().await;
    host(&house, "web2", "staging", "127.0.0.1:23").await;
    house.hold("ben", "web1", "deploy", 1).await;
    house.hold("ann", "web2", "deploy", 1).await;
    approved_by_two(&house).await;
    let id = confirmed(&house, "deploy").await;
    assert_eq!(told(&house, id, None).await, ASKS);
    let said = told(&house, id, None).await;
    let request = waiting(&house).await;
    assert!(said.starts_with(&format!("`{request}` waits for 2 more approvals: ")), "{said}");
    house.approve("dan", request).await.unwrap();
    let said = told(&house, id, None).await;
    assert!(said.starts_with(&format!("`{request}` waits for 1 more approval: ")), "{said}");
    assert!(said.contains("eva") && said.contains("fay") && !said.contains("dan"), "{said}");
    let approved = house.approve("eva", request).await.unwrap();
    assert_eq!(told(&house, id, None).await, "approved");
    assert_eq!(Some(entered(&house, id).await), granted(&approved, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_has_its_time_anew_once_it_is_confirmed() {
    let house = house().await;
    approved_by_two(&house).await;
    let (id, shown) = house.app.arrive(to("web1", "deploy")).await.unwrap();
    assert_eq!(shown.until, house.app.now().plus(mins(5)));
    house.advance(mins(4));
    confirm(&house, "ann", &shown).await.unwrap();
    let until = house.app.arrival_next(id, None).await.unwrap().1;
    assert_eq!(until, house.app.now().plus(mins(10)), "to say what they need");
    house.advance(mins(9));
    let until = house.app.arrival_next(id, None).await.unwrap().1;
    assert_eq!(until, house.app.now().plus(mins(10)), "to be approved");
    let request = waiting(&house).await;
    house.advance(mins(10));
    let over = house.app.arrival_next(id, None).await.unwrap_err().to_string();
    assert!(over.contains("nobody decided in time"), "{over}");
    house.app.arrival_left(id).await;
    assert_eq!(house.request(request).await.state_name(), "withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_lets_a_login_in_however_much_of_it_ended_since() {
    let house = house().await;
    let held = house.hold("ann", "web1", "deploy", 1).await;
    let first = house.grant(held).await;
    let now = house.advance(mins(1));
    let ended = || {
        let state = GrantState::Ending { since: Some(now), at: now, cause: EndCause::Returned };
        stored::grant(GrantData { id: house.ambient.id(), state, ..(*first).clone() })
    };
    house.write((0..100).map(|_| Write::Grant(Put::new(ended()))).collect()).await;
    let id = confirmed(&house, "deploy").await;
    assert_eq!(told(&house, id, None).await, "confirmed by ann");
    assert_eq!(entered(&house, id).await, held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_let_in_from_when_its_grant_begins_until_that_lapses() {
    let house = house().await;
    let begins = house.app.now().plus(mins(60));
    let asked = house.try_ask("ann", AskInput { start: Some(begins), ..ask(&[("web1", "deploy")], 1) }).await.unwrap();
    let lapses = house.grant(granted(&asked, 0).unwrap()).await.window.activate_by;
    let before = |at: Time| at.minus(Span::from_micros(1));
    for (at, lets_in) in [(before(begins), false), (begins, true), (before(lapses), true), (lapses, false)] {
        house.clock.set(at);
        let id = confirmed(&house, "deploy").await;
        assert_eq!(told(&house, id, None).await, if lets_in { "confirmed by ann" } else { ASKS }, "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_the_gateway_lets_no_login_in() {
    let house = house().await;
    house.change_policy("@id(\"staging-freely\")", "@mode(\"direct\") @id(\"staging-freely\")").await;
    house.hold("ann", "web1", "deploy", 1).await;
    let id = confirmed(&house, "deploy").await;
    let none = house.app.arrival_next(id, None).await.unwrap_err().to_string();
    assert_eq!(none, "there is no access that you hold or may ask for as `deploy` on `web1`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_asks_for_a_role_that_is_good_for_it() {
    let house = house().await;
    role_for_a_command(&house, "operate", "operator").await;
    house.hold("ann", "web1", "deploy", 1).await;
    let id = confirmed(&house, "root").await;
    let none = house.app.arrival_next(id, None).await.unwrap_err().to_string();
    assert_eq!(none, "there is no access that you hold or may ask for as `root` on `web1`");
    // There is none but for some commands.
    let id = confirmed(&house, "operator").await;
    assert_eq!(told(&house, id, None).await, ASKS.replace("deploy", "operate"));
    assert_eq!(told(&house, id, None).await, "approved");
    entered(&house, id).await;
}

/// What they will do is not known, so that less would do for all that is.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_says_why_where_a_narrower_role_would_do() {
    let house = house().await;
    role_for_a_command(&house, "restart", "deploy").await;
    let id = confirmed(&house, "deploy").await;
    assert_eq!(told(&house, id, None).await, ASKS);
    assert_eq!(told(&house, id, None).await, "Why do you need it? ");
    assert_eq!(told(&house, id, Some(" ")).await, "Why do you need it? ", "nothing was said");
    assert_eq!(told(&house, id, Some("a rollout ")).await, "approved");
    let request = house.grant(entered(&house, id).await).await.request;
    assert_eq!(house.request(request).await.ask.justification.as_ref().unwrap().as_str(), "a rollout");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_by_a_certificate_is_there_in_person_to_ask_for_more() {
    let house = house().await;
    role_for_a_command(&house, "operate", "operator").await;
    let passage = passage(&house).await;
    let held = house.app.arrive_known(passage, to("web1", "deploy")).await.unwrap();
    assert_eq!(told(&house, held, None).await, "confirmed by ann");
    entered(&house, held).await;
    let more = house.app.arrive_known(passage, to("web1", "operator")).await.unwrap();
    let Next::Invite(shown) = next(&house, more).await else { panic!("nobody was asked") };
    let other = confirm(&house, "ben", &shown).await;
    assert!(matches!(other, Err(AppError::Missing { .. })), "{other:?}");
    confirm(&house, "ann", &shown).await.unwrap();
    assert_eq!(told(&house, more, None).await, ASKS.replace("deploy", "operate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_known_logins_of_one_person_wait_at_once() {
    let house = house().await;
    role_for_a_command(&house, "operate", "operator").await;
    let passage = passage(&house).await;
    for n in 0..8 {
        let id = house.app.arrive_known(passage, to("web1", "operator")).await.unwrap_or_else(|e| panic!("{n}: {e}"));
        if n > 4 {
            assert!(matches!(next(&house, id).await, Next::Invite(_)), "{n}");
        }
    }
    let more = house.app.arrive_known(passage, to("web1", "deploy")).await;
    assert!(matches!(&more, Err(AppError::Taken(why)) if why.contains("too many of your logins")), "{more:?}");
    house.app.arrive(to("web1", "deploy")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_carries_sessions_once_it_was_confirmed_for_that() {
    let house = house().await;
    let (id, shown) = house.app.arrive(Arriving { goal: Goal::Passage, ..to("web1", "deploy") }).await.unwrap();
    let admit = async |id, peer| house.app.admit(&Proof::Confirmed(id), peer, CLIENT).await;
    admit(id, PEER).await.expect_err("nobody confirmed it");
    confirm(&house, "ann", &shown).await.unwrap();
    assert_eq!(next(&house, id).await, Next::Pass(id));
    admit(id, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))).await.expect_err("it comes from elsewhere");
    assert_eq!(admit(id, PEER).await.unwrap(), id);
    admit(id, PEER).await.expect_err("twice");
    admit(confirmed(&house, "deploy").await, PEER).await.expect_err("it was confirmed for one session");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_login_is_written_down() {
    let house = house().await;
    let (one, shown) = house.app.arrive(to("web1", "deploy")).await.unwrap();
    let mistaken = Invitation { code: "BBBB-BBBB".to_owned(), ..shown.clone() };
    confirm(&house, "ann", &mistaken).await.unwrap_err();
    confirm(&house, "ann", &shown).await.unwrap();
    house.app.arrival_left(one).await;
    let (other, shown) = house.app.arrive(to("web1", "root")).await.unwrap();
    house.app.refuse_arrival(&house.caller("ann").await, &reference(&house, &shown)).await.unwrap();
    house.app.arrival_left(other).await;
    let records = house.records(RecordFilter { event: Some("arrival.".to_owned()), ..RecordFilter::default() }).await;
    let said = records.iter().map(|r| (r.event.as_str(), &r.detail["login"], &r.detail["why"]));
    let all = [
        ("arrival.asked", json!("deploy"), Value::Null),
        ("arrival.mistaken", json!("deploy"), json!("the code was wrong")),
        ("arrival.confirmed", json!("deploy"), Value::Null),
        ("arrival.lapsed", json!("deploy"), json!("nobody waits for it any more")),
        ("arrival.asked", json!("root"), Value::Null),
        ("arrival.refused", json!("root"), Value::Null),
        ("arrival.lapsed", json!("root"), json!("it was refused in the browser")),
    ];
    assert!(said.eq(all.iter().map(|(event, login, why)| (*event, login, why))), "{records:?}");
}
