//! People who are here for a time: nothing works for them once it is over, and nothing they hold outlives it.

use wane_app::{AppError, Caller, DeviceAnswer, NewPerson, NewStay, PersonChange, rejudge_all};
use wane_domain::directory::Standing;
use wane_domain::id::GrantId;
use wane_domain::time::{Span, Time};
use wane_store::{RecordFilter, Store as _};

use crate::faulty::Goes;
use crate::house::{House, ask, denied, end_of, granted, mins, name};
use crate::signing_in::{Login, PASSWORD, secret};

impl House {
    /// Says when somebody's time is over.
    pub(crate) async fn until(&self, who: &str, until: Option<Time>) {
        let change = PersonChange { until: Some(until), ..PersonChange::default() };
        self.app.change_person(&self.caller("root").await, who, &change).await.unwrap();
    }

    async fn sponsor(&self, who: &str, sponsor: Option<&str>) -> Result<(), AppError> {
        let change = PersonChange { sponsor: Some(sponsor.map(str::to_owned)), ..PersonChange::default() };
        self.app.change_person(&self.caller("root").await, who, &change).await.map(|_| ())
    }

    pub(crate) async fn stand(&self, who: &str, standing: Standing) -> Result<(), AppError> {
        let change = PersonChange { standing: Some(standing), ..PersonChange::default() };
        self.app.change_person(&self.caller("root").await, who, &change).await.map(|_| ())
    }

    async fn soon(&self, minutes: u64) -> Time {
        self.app.now().plus(mins(minutes))
    }
}

async fn signed_in(house: &House, login: &Login) -> Caller {
    let token = login.sign_in(house).await;
    house.app.authenticate(&token).await.unwrap()
}

/// Every way in, every way to ask, use, approve and administer; with nothing booked, and with nobody who could have.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_works_once_ones_time_is_over() {
    let mut house = House::new().await;
    let root = house.caller("root").await;
    let login = Login::of(&house, "eva").await;
    let token = login.sign_in(&house).await;
    let eva = house.app.authenticate(&token).await.unwrap();
    let codes = house.app.new_recovery_codes(&eva).await.unwrap();
    let recovery: Vec<String> = codes.into_iter().map(|code| code.reveal().to_string()).collect();
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    let held = house.hold("ann", "web1", "deploy", 8).await;
    let until = house.soon(30).await;
    house.until("eva", Some(until)).await;
    house.until("ann", Some(until)).await;

    // A moment before, all of it works.
    house.clock.set(until.minus(Span::from_secs(60)));
    house.app.authenticate(&token).await.expect("a session, a minute before");
    house.app.redeem_recovery(&recovery[0]).await.expect("a code, a minute before");
    house.hand_out("ann", held).await.expect("a credential, a minute before");
    let (enrol, _) = house.app.enrolment_code(&root, "eva").await.unwrap();
    let enrol = enrol.reveal().to_string();
    let begun = house.app.begin_device(None, "wane 1 on box", wane_app::DeviceAsks::SignIn).await.unwrap();
    let reference = begun.link.rsplit('/').next().unwrap().to_owned();
    house.app.confirm_device(&eva, &reference, &begun.code).await.unwrap();
    let device = begun.device_code.reveal().to_string();
    let passkey = house.app.begin_passkey_with_code(&enrol, "phone".parse().unwrap()).await;
    passkey.expect("a passkey, a minute before");

    for restarted in [false, true] {
        if restarted {
            house.reopen();
        } else {
            house.clock.set(until);
        }
        let refused = |what: &str, failed: bool| assert!(failed, "{what} (restarted: {restarted})");
        refused("a session", matches!(house.app.authenticate(&token).await, Err(AppError::SignedOut)));
        house.advance(Span::from_secs(60));
        let code = login.code(&house);
        let by_password = house.app.sign_in("eva", secret(PASSWORD), Some(&code)).await;
        refused("a password", matches!(by_password, Err(AppError::BadSignIn)));
        refused("proving oneself", house.app.prove(&eva, secret(PASSWORD), Some(&code)).await.is_err());
        refused("a recovery code", house.app.redeem_recovery(&recovery[1]).await.is_err());
        let enrolled = house.app.enrol(&enrol, secret(PASSWORD)).await;
        refused("a one-time code", enrolled.is_err());
        let begun = house.app.begin_passkey_with_code(&enrol, "phone".parse().unwrap()).await;
        refused("a passkey by a code", begun.is_err());
        refused("a passkey", house.app.begin_passkey(&eva, "phone".parse().unwrap()).await.is_err());
        let signed = matches!(house.app.ask_device(&device).await, Ok(DeviceAnswer::SignedIn(_)));
        refused("a command line that waited", !signed);
        refused("an approval", house.approve("eva", asked).await.is_err());
        refused("a denial", house.app.deny(&eva, asked, None, &"no".parse().unwrap()).await.is_err());
        let asks = house.try_ask("ann", ask(&[("attic", "read")], 1)).await;
        refused("an ask", matches!(asks, Err(AppError::SignedOut)));
        refused("a credential", house.hand_out("ann", held).await.is_err());
        let more = house.app.extend(&house.caller("ann").await, held, mins(5), None).await;
        refused("more time", more.is_err());
        let read = house.app.ways_in(&house.caller("eva").await, "ann").await;
        refused("reading", read.is_err());
    }
    // Nobody has booked anything: it was the hour alone.
    let stored = house.store.world().await.unwrap();
    assert!(stored.person("eva").unwrap().stay.left.is_none() && stored.is_active(eva.person));
    // Who comes later counts neither as approver.
    let other = house.ask("ben", &[("vault", "read")], 1).await.id;
    assert!(house.approve("fay", other).await.is_ok());
}

/// Nothing is written between the one and the other: it is the hour alone.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_whose_time_ends_each_is_out_at_their_own_hour() {
    let house = House::new().await;
    let (first, second) = (house.soon(10).await, house.soon(20).await);
    house.until("ann", Some(first)).await;
    house.until("ben", Some(second)).await;
    let ids = [house.id("ann").await, house.id("ben").await];
    for (at, here) in [(first.minus(Span::from_micros(1)), [true; 2]), (first, [false, true]), (second, [false; 2])] {
        house.clock.set(at);
        let world = house.app.world().await.unwrap();
        assert_eq!(ids.map(|id| world.is_active(id)), here, "at {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_time_needs_no_store() {
    let house = House::new().await;
    let login = Login::of(&house, "ann").await;
    let until = house.soon(20).await;
    house.until("ann", Some(until)).await;
    let token = login.sign_in(&house).await;
    let held = house.hold("ann", "attic", "read", 4).await;
    house.hand_out("ann", held).await.unwrap();
    house.door.writes(Goes::Failing);
    house.advance(mins(2));
    house.app.authenticate(&token).await.expect("known without a store that can be written");
    house.door.reads(Goes::Failing);
    house.app.authenticate(&token).await.expect("known without a store");
    house.clock.set(until);
    assert!(matches!(house.app.authenticate(&token).await, Err(AppError::SignedOut)));
    house.app.expire_from_memory().await;
    assert!(house.app.is_ended_from_memory(held), "what they hold outlives their time without a store");
    for lease in house.app.owed_storeless().await {
        house.app.end_at_target(&lease).await;
    }
    assert!(house.gate.accounts("attic").is_empty());
    assert!(house.app.leave_if_over(house.id("ann").await).await.is_err(), "booked without a store");
    house.door.all(Goes::Well);
    while house.app.book_storeless().await.unwrap() != wane_app::Booked::All {}
    house.app.leave_if_over(house.id("ann").await).await.unwrap();
    assert!(house.store.world().await.unwrap().person("ann").unwrap().stay.left.is_some());
}

/// Given, asked for more, or begun later: never past the end of their time.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_ends_with_its_holders_time() {
    let house = House::new().await;
    let until = house.soon(90).await;
    house.until("ann", Some(until)).await;
    let held = house.hold("ann", "attic", "read", 8).await;
    assert_eq!(end_of(&house.grant(held).await), until);
    house.hand_out("ann", held).await.unwrap();
    assert_eq!(house.leases(held).await[0].end, until);
    assert_eq!(house.gate.accounts("attic").into_values().collect::<Vec<_>>(), [until], "the target knows better");
    let again = house.ask("ann", &[("attic", "read")], 8).await;
    assert_eq!(granted(&again, 0), Some(held), "it is all that can be had");
    let asked = house.ask("ann", &[("vault", "read")], 6).await.id;
    let scheduled = granted(&house.approve("eva", asked).await.unwrap(), 0).unwrap();
    assert!(house.grant(scheduled).await.window.latest_end <= until);
    let short = house.hold("ann", "annex", "read", 1).await;
    let more = house.app.extend(&house.caller("ann").await, short, Span::from_hours(4), None).await.unwrap();
    assert_eq!(more.items[0].state.name(), "approved");
    assert_eq!(end_of(&house.grant(short).await), until);
    house.advance(mins(10));
    house.app.activate(&house.caller("ann").await, scheduled).await.unwrap();
    assert_eq!(end_of(&house.grant(scheduled).await), until);
    // What would begin afterwards is not granted at all.
    let late = wane_app::AskInput { start: Some(until), ..ask(&[("attic", "write")], 1) };
    let late = house.try_ask("ann", late).await.unwrap();
    assert!(denied(&late, 0).contains("time here is over"), "{}", denied(&late, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nearer_end_brings_forward_what_is_held_and_a_later_one_gives_nothing_back() {
    let house = House::new().await;
    let held = house.hold("ann", "attic", "read", 8).await;
    house.hand_out("ann", held).await.unwrap();
    let before = end_of(&house.grant(held).await);
    let until = house.soon(45).await;
    house.until("ann", Some(until)).await;
    rejudge_all(&house.app).await.unwrap();
    assert_eq!(end_of(&house.grant(held).await), until);
    assert_eq!(house.leases(held).await[0].end, until);
    assert_eq!(house.gate.accounts("attic").into_values().collect::<Vec<_>>(), [until]);
    for later in [Some(house.soon(600).await), None] {
        house.until("ann", later).await;
        rejudge_all(&house.app).await.unwrap();
        assert_eq!(end_of(&house.grant(held).await), until, "something was given back (before: {before})");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_time_is_over_is_booked_as_left_once_and_who_was_given_more_is_not() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let ann = house.id("ann").await;
    let login = Login::of(&house, "ann").await;
    signed_in(&house, &login).await;
    let waits = house.ask("ann", &[("vault", "read")], 1).await.id;
    let until = house.soon(30).await;
    house.until("ann", Some(until)).await;
    house.app.leave_if_over(ann).await.unwrap();
    assert!(house.store.world().await.unwrap().is_active(ann), "left before their time was over");
    house.clock.set(until);
    // Given more time in the last moment, before anybody booked it.
    house.until("ann", Some(until.plus(mins(5)))).await;
    house.app.leave_if_over(ann).await.unwrap();
    assert!(house.app.world().await.unwrap().is_active(ann), "somebody who was given more time may not act");
    house.clock.set(until.plus(mins(5)));
    let second = house.id("ben").await;
    for _ in 0..3 {
        house.app.leave_if_over(ann).await.unwrap();
        house.app.leave_if_over(second).await.unwrap();
    }
    let world = house.store.world().await.unwrap();
    let person = world.person("ann").unwrap();
    assert_eq!((person.standing, person.stay.left), (Standing::Disabled, Some(until.plus(mins(5)))));
    assert!(world.groups_of(ann).is_empty() && world.is_active(second));
    assert_eq!(house.request(waits).await.state_name(), "withdrawn");
    assert!(house.store.login(ann).await.unwrap().is_none());
    let left = house.records(RecordFilter { event: Some("person.left".to_owned()), ..RecordFilter::default() }).await;
    assert_eq!(left.len(), 1, "booked {} times", left.len());
    assert_eq!(left[0].detail["why"], "their time is over");

    // To be here again they are given time first, and a way in.
    let early = house.stand("ann", Standing::Active).await.unwrap_err().to_string();
    assert!(early.contains("was over"), "{early}");
    let past = PersonChange { until: Some(Some(until)), ..PersonChange::default() };
    let past = house.app.change_person(&root, "ann", &past).await.unwrap_err().to_string();
    assert!(past.contains("offboard"), "{past}");
    house.until("ann", None).await;
    house.stand("ann", Standing::Active).await.unwrap();
    let person = house.app.world().await.unwrap().person("ann").unwrap().clone();
    assert_eq!((person.standing, person.stay.left), (Standing::Active, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_for_themselves() {
    let house = House::new().await;
    let root = house.caller("root").await;
    house.stand("zoe", Standing::Disabled).await.unwrap();
    for (who, sponsor, why) in
        [("ann", "ann", "themselves"), ("ann", "zoe", "disabled"), ("ann", "nobody", "there is no person")]
    {
        let said = house.sponsor(who, Some(sponsor)).await.unwrap_err().to_string();
        assert!(said.contains(why), "{who} by {sponsor}: {said}");
    }
    house.sponsor("ann", Some("mia")).await.unwrap();
    // Not in a circle, not in a row: whoever answers for somebody answers for themselves.
    let said = house.sponsor("mia", Some("ann")).await.unwrap_err().to_string();
    assert!(said.contains("answered for"), "{said}");
    let said = house.sponsor("mia", Some("fay")).await.unwrap_err().to_string();
    assert!(said.contains("answers for others"), "{said}");
    let said = house.sponsor("ben", Some("ann")).await.unwrap_err().to_string();
    assert!(said.contains("answered for"), "{said}");
    let new = |sponsor: &str| NewPerson {
        name: name("gil"),
        display: "".parse().unwrap(),
        manager: None,
        attributes: std::collections::BTreeMap::new(),
        stay: NewStay { until: None, sponsor: Some(sponsor.to_owned()) },
    };
    assert!(house.app.add_person(&root, &new("gil")).await.is_err(), "nobody is there to answer for themselves");
    let gil = house.app.add_person(&root, &new("mia")).await.unwrap();
    assert_eq!(gil.stay.sponsor, Some(house.id("mia").await));
    let ben = house.caller("ben").await;
    let change = PersonChange { until: Some(None), ..PersonChange::default() };
    assert!(matches!(house.app.change_person(&ben, "gil", &change).await, Err(AppError::NotAllowed { .. })));
}

/// Whoever answers for somebody does not approve for them, whichever way they would.
#[tokio::test(flavor = "multi_thread")]
async fn a_sponsor_does_not_approve_for_their_guest_nor_a_guest_for_their_sponsor() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    house.sponsor("ann", Some("eva")).await.unwrap();
    assert!(house.approve("eva", asked).await.is_err(), "a sponsor approved for their guest");
    // One that was given before they answered for them counts no more when it is to be minted.
    let two = house.ask("ann", &[("vault", "write")], 1).await.id;
    house.approve("fay", two).await.unwrap();
    house.sponsor("ann", Some("fay")).await.unwrap();
    let minted = house.approve("eva", two).await;
    assert!(minted.is_err() || granted(&minted.unwrap(), 0).is_none(), "an approval of a sponsor was counted");
    house.sponsor("ann", None).await.unwrap();
    house.sponsor("fay", Some("ann")).await.unwrap();
    assert!(house.approve("fay", asked).await.is_err(), "a guest approved for their sponsor");
    assert!(granted(&house.approve("eva", asked).await.unwrap(), 0).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_sponsor_left_asks_for_nothing_until_somebody_else_answers_for_them() {
    let house = House::new().await;
    house.sponsor("ann", Some("mia")).await.unwrap();
    let held: GrantId = house.hold("ann", "attic", "read", 1).await;
    let waits = house.ask("ann", &[("vault", "read")], 1).await.id;
    house.stand("mia", Standing::Disabled).await.unwrap();
    let world = house.app.world().await.unwrap();
    assert!(world.is_unsponsored(world.person("ann").unwrap()));
    let refused = house.ask("ann", &[("annex", "read")], 1).await;
    assert!(denied(&refused, 0).contains("has left"), "{}", denied(&refused, 0));
    let more = house.app.extend(&house.caller("ann").await, held, mins(10), None).await.unwrap();
    assert!(denied(&more, 0).contains("has left"), "{}", denied(&more, 0));
    let answered = house.approve("eva", waits).await.unwrap();
    assert!(denied(&answered, 0).contains("has left"), "{}", denied(&answered, 0));
    // For somebody else neither.
    rejudge_all(&house.app).await.unwrap();
    assert!(house.grant(held).await.is_live(), "what was given stays");
    house.sponsor("ann", Some("fay")).await.unwrap();
    house.hold("ann", "annex", "read", 1).await;
}
