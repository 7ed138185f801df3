//! Notices of the trail: which are made and for whom, and what becomes of one that is tried. How mail and webhooks are
//! sent is the end-to-end tests' to show; here a courier keeps what it is handed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt as _;
use wane_app::{
    AppError, Carries, Channel, Courier, MOST_WAITING, Membership, NotCarried, Notices, Parcel, PersonChange,
    ResourceChange, RevokeWhat, Sent, SessionFinding,
};
use wane_audit::{Outcome, Record};
use wane_domain::directory::Standing;
use wane_domain::id::{DeliveryId, GrantId};
use wane_domain::time::Span;
use wane_notice::{Delivery, DeliveryState, Kind, WaitsFor, test_notice};
use wane_recording::Then;
use wane_store::{DeliveryFilter, Put, RecordFilter, Slice, Store as _, Write};

use crate::house::{House, mins, reason};
use crate::tasks::session_as;

/// Keeps to which address it was to go, and answers as it is told.
#[derive(Default)]
struct Rider {
    rode: Mutex<Vec<Option<String>>>,
    answer: Mutex<Option<NotCarried>>,
}

#[async_trait]
impl Courier for Rider {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), NotCarried> {
        self.rode.lock().unwrap().push(parcel.address.map(str::to_owned));
        self.answer.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

const KEEP: Span = Span::from_hours(48);
const SOONEST: Span = Span::from_micros(1);

struct Post {
    house: House,
    rider: Arc<Rider>,
}

impl Post {
    /// Mail to people, of whom Ann has an address, a hook that is told of everything, and two that are told of one
    /// thing.
    async fn open() -> Self {
        let house = House::new().await;
        let rider = Arc::new(Rider::default());
        let channel = |name: &str, carries| {
            let courier: Arc<dyn Courier> = rider.clone();
            Channel { name: name.to_owned(), carries, at_once: 4, courier }
        };
        let told_of = |kinds: &[Kind]| Carries::Messages(kinds.iter().copied().collect());
        let channels = vec![
            channel("mail", Carries::ToPeople),
            channel("hook", told_of(&[])),
            channel("siren", told_of(&[Kind::TakenAway])),
            channel("bell", told_of(&[Kind::EndingSoon])),
        ];
        house.app.notify_over(Notices { channels, try_for: Span::from_hours(72), keep: KEEP });
        let post = Self { house, rider };
        post.reaches_ann_at(Some("ann@example.org")).await;
        post.read().await;
        post
    }

    async fn reaches_ann_at(&self, address: Option<&str>) {
        self.reaches("ann", address).await;
    }

    async fn reaches(&self, person: &str, address: Option<&str>) {
        let email = address.map(|address| ("email".parse().unwrap(), address.parse().unwrap()));
        let change = PersonChange { attributes: Some(email.into_iter().collect()), ..PersonChange::default() };
        self.house.app.change_person(&self.house.caller("root").await, person, &change).await.unwrap();
    }

    async fn hold(&self, person: &str, resource: &str) -> GrantId {
        self.house.hold(person, resource, "read", 1).await
    }

    async fn revoke(&self, grant: GrantId) {
        let root = self.house.caller("root").await;
        self.house.app.revoke(&root, RevokeWhat::Grant(grant), &reason("enough")).await.unwrap();
    }

    /// Makes what follows from the trail.
    async fn read(&self) {
        while self.house.app.read_for_notices(None).await.unwrap().more {}
    }

    /// What goes over a channel, oldest first.
    async fn over(&self, channel: &str) -> Vec<Delivery> {
        let filter = DeliveryFilter { channel: Some(channel.to_owned()), ..DeliveryFilter::default() };
        let page = self.house.store.deliveries(filter, Slice::first(100)).await.unwrap();
        page.items.into_iter().rev().map(|seen| seen.value).collect()
    }

    /// What somebody took from Ann, on its way to her and to the hook.
    async fn taken(&self) -> (GrantId, Delivery, Delivery) {
        let grant = self.hold("ann", "attic").await;
        self.revoke(grant).await;
        self.read().await;
        (grant, self.over("mail").await.pop().unwrap(), self.over("hook").await.pop().unwrap())
    }

    async fn delivery(&self, id: DeliveryId) -> Delivery {
        self.house.store.delivery(id).await.unwrap().unwrap().value
    }

    fn answers(&self, answer: Option<NotCarried>) {
        *self.rider.answer.lock().unwrap() = answer;
    }

    fn rode(&self) -> Vec<Option<String>> {
        self.rider.rode.lock().unwrap().clone()
    }

    async fn noted(&self, event: &str) -> Vec<Record> {
        self.house.records(RecordFilter { event: Some(event.to_owned()), ..RecordFilter::default() }).await
    }
}

fn later() -> NotCarried {
    NotCarried::NotNow { why: "greylisted:\ntry again".to_owned(), after: None }
}

/// Whoever did it knows; a hook is told all the same.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_what_others_did_where_they_have_an_address() {
    let post = Post::open().await;
    let (mine, taken, bens) =
        (post.hold("ann", "attic").await, post.hold("ann", "annex").await, post.hold("ben", "attic").await);
    post.house.app.give_back(&post.house.caller("ann").await, mine).await.unwrap();
    post.revoke(taken).await;
    post.revoke(bens).await;
    post.read().await;
    let told = |all: Vec<Delivery>| {
        let ends = all.into_iter().filter(|one| [Kind::Ended, Kind::TakenAway].contains(&one.notice.kind));
        ends.map(|one| (one.to, one.notice.about.grant.unwrap())).collect::<BTreeSet<_>>()
    };
    assert_eq!(told(post.over("mail").await), [(Some(post.house.id("ann").await), taken)].into());
    assert_eq!(told(post.over("hook").await), [(None, mine), (None, taken), (None, bens)].into());
    assert_eq!(told(post.over("siren").await), [(None, taken), (None, bens)].into());
    assert_eq!(told(post.over("bell").await), [].into());
    assert!(post.noted("notices.overflowed").await.is_empty());
}

/// Whoever turns notices on again wants those of today.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_what_happened_more_than_a_day_ago() {
    let post = Post::open().await;
    let (old, new) = (post.hold("ann", "attic").await, post.hold("ann", "annex").await);
    post.revoke(old).await;
    post.house.advance(SOONEST);
    post.revoke(new).await;
    post.house.advance(Span::from_hours(24));
    post.read().await;
    let told: Vec<_> = post.over("mail").await.into_iter().map(|one| one.notice.about.grant).collect();
    assert_eq!(told, [Some(new)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_more_than_may_wait_over_a_channel_the_last_are_left_out_and_that_is_told() {
    let post = Post::open().await;
    let (now, ann) = (post.house.app.now(), post.house.id("ann").await);
    let waiting = |_| {
        Write::EnterDelivery(Delivery {
            id: post.house.ambient.id(),
            channel: "mail".to_owned(),
            to: Some(ann),
            notice: test_notice("root", now),
            made: now,
            expires: now.plus(KEEP),
            only: None,
            tries: 0,
            state: DeliveryState::Waiting(WaitsFor { next: now, last: None }),
        })
    };
    post.house.write((1..MOST_WAITING).map(waiting).collect()).await;
    for resource in ["attic", "annex"] {
        post.revoke(post.hold("ann", resource).await).await;
    }
    post.read().await;
    assert_eq!(post.house.store.deliveries_waiting("mail").await.unwrap(), MOST_WAITING);
    let told: Vec<_> = post.noted("notices.overflowed").await.into_iter().map(|record| record.detail).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["channel"], &told[0]["count"]), (&"mail".into(), &1.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_is_tried_later_and_later_and_not_before() {
    let post = Post::open().await;
    let (grant, mail, _) = post.taken().await;
    post.answers(Some(later()));
    for (tries, wait) in [(1, 5), (2, 10), (3, 20)] {
        assert_eq!(post.house.app.deliver(mail.id).await.unwrap(), Sent::Waits);
        let next = post.house.app.now().plus(Span::from_secs(wait));
        let waits = WaitsFor { next, last: Some("greylisted: try again".to_owned()) };
        let tried = post.delivery(mail.id).await;
        assert_eq!((tried.tries, tried.state), (tries, DeliveryState::Waiting(waits)));
        post.house.advance(Span::from_micros(wait * 1_000_000 - 1));
        assert_eq!(post.house.app.deliver(mail.id).await.unwrap(), Sent::Needless, "before it was due");
        post.house.advance(SOONEST);
    }
    post.answers(None);
    post.house.advance(mins(1));
    assert_eq!(post.house.app.deliver(mail.id).await.unwrap(), Sent::Done);
    assert_eq!(post.rode(), vec![Some("ann@example.org".to_owned()); 4]);
    let of_grant = RecordFilter { grant: Some(grant), event: Some("notice.".to_owned()), ..RecordFilter::default() };
    let said: Vec<_> = post.house.records(of_grant).await.into_iter().map(|record| record.event).collect();
    assert_eq!(said, ["notice.tried", "notice.tried", "notice.tried", "notice.delivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_needs_an_address_and_a_message_does_not() {
    let post = Post::open().await;
    let (_, mail, message) = post.taken().await;
    post.reaches_ann_at(None).await;
    post.answers(Some(later()));
    assert_eq!(post.house.app.deliver(message.id).await.unwrap(), Sent::Waits);
    assert_eq!(post.house.app.deliver(mail.id).await.unwrap(), Sent::Done);
    assert_eq!(post.rode(), [None], "mail went nowhere");
    let DeliveryState::GivenUp { why, .. } = post.delivery(mail.id).await.state else { panic!("it is not given up") };
    assert!(why.contains("no address"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_with_is_kept_as_long_as_was_said() {
    let post = Post::open().await;
    let (_, mail, _) = post.taken().await;
    post.house.app.deliver(mail.id).await.unwrap();
    for (later, kept) in [(KEEP, true), (SOONEST, false)] {
        post.house.advance(later);
        post.house.app.forget_notices().await.unwrap();
        assert_eq!(post.house.store.delivery(mail.id).await.unwrap().is_some(), kept);
    }
    assert_eq!(post.noted("notices.forgotten").await.len(), 1, "said where nothing was forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_carries_is_woken_for_what_is_to_be_tried_again() {
    let post = Post::open().await;
    let (_, mail, _) = post.taken().await;
    post.answers(Some(NotCarried::Never("no such mailbox".to_owned())));
    post.house.app.deliver(mail.id).await.unwrap();
    let woken = || post.house.app.notices_wanted().now_or_never().is_some();
    assert!(!woken());
    post.house.app.retry_notice(&post.house.caller("root").await, mail.id).await.unwrap();
    assert!(woken() && !woken());
    assert_eq!(post.delivery(mail.id).await.due(), Some(post.house.app.now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_asked_hears_that_the_ask_was_taken_back() {
    let post = Post::open().await;
    post.reaches("eva", Some("eva@example.org")).await;
    let id = post.house.ask("ann", &[("vault", "read")], 1).await.id;
    post.house.app.withdraw(&post.house.caller("ann").await, id, None).await.unwrap();
    post.read().await;
    let mail = post.over("mail").await.into_iter().filter(|one| one.notice.kind == Kind::Withdrawn);
    assert_eq!(mail.map(|one| one.to).collect::<Vec<_>>(), [Some(post.house.id("eva").await)]);
}

/// Of a resource that has no owner those hear who may end access to it, and are there.
#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_rule_found_the_owners_hear() {
    let post = Post::open().await;
    let (house, root) = (&post.house, post.house.caller("root").await);
    let ends =
        "@id(\"dba-ends\") permit (principal in Group::\"dba\", action == Action::\"revoke\", resource is Host);";
    house.change_policy("@id(\"admins\")", &format!("{ends}\n@id(\"admins\")")).await;
    for person in ["root", "dan", "eva", "zoe", "mia"] {
        post.reaches(person, Some(&format!("{person}@example.org"))).await;
    }
    house.app.set_member(&root, &"admins".parse().unwrap(), "mia", Membership::In).await.unwrap();
    house.app.gateway_serves("ssh", "127.0.0.1".to_owned(), 22).unwrap();
    let session = session_as(house, house.hold("ann", "web1", "deploy", 1).await).await;
    let found = async |number| {
        let begun = house.advance(mins(1));
        let (since, rule) = (Span::from_secs(1), "no-dumps".to_owned());
        let finding = SessionFinding { number, since, rule, channel: None, then: Then::Notify };
        house.app.session_finding(session, &finding).await.unwrap();
        post.read().await;
        let world = house.app.world().await.unwrap();
        let mail =
            post.over("mail").await.into_iter().filter(|one| one.notice.kind == Kind::Finding && one.made == begun);
        mail.map(|one| world.people.get(&one.to.unwrap()).unwrap().name.to_string()).collect::<BTreeSet<_>>()
    };
    let people = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(found(1).await, people(&["dan", "eva"]));
    let nobodys = ResourceChange { owner: Some(None), ..ResourceChange::default() };
    house.app.change_resource(&root, "web1", &nobodys).await.unwrap();
    assert_eq!(found(2).await, people(&["dan", "eva", "mia", "root"]));
    for person in ["dan", "mia"] {
        let mut out = house.app.world().await.unwrap().person(person).unwrap().clone();
        let seen = house.store.seen(&out.id.to_string()).await.unwrap();
        out.standing = Standing::Disabled;
        house.write(vec![Write::Person(Put { value: out, seen })]).await;
    }
    assert_eq!(found(3).await, people(&["eva", "root"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_grant_is_warned_while_its_end_is_to_come_and_stays_where_it_was() {
    let post = Post::open().await;
    let (back, soon) = (post.hold("ann", "attic").await, post.hold("ann", "annex").await);
    let late = post.house.hold("ann", "web1", "deploy", 1).await;
    post.hold("ben", "attic").await;
    post.read().await;
    let warnings = async |channel| {
        let all = post.over(channel).await.into_iter();
        all.filter(|one| one.notice.kind == Kind::EndingSoon).collect::<Vec<_>>()
    };
    let (ann, mail) = (post.house.id("ann").await, warnings("mail").await);
    assert!(mail.len() == 3 && mail.iter().all(|one| one.to == Some(ann)), "{mail:?}");
    for (channel, told) in [("hook", 4), ("bell", 4), ("siren", 0)] {
        let told_there = warnings(channel).await;
        assert!(told_there.len() == told && told_there.iter().all(|one| one.to.is_none()), "{channel}");
    }
    post.house.app.give_back(&post.house.caller("ann").await, back).await.unwrap();
    for (wait, grant, sent, why) in [
        (50, back, Sent::Needless, "the grant has another end by now"),
        (0, soon, Sent::Done, ""),
        (10, late, Sent::Needless, "its time has passed"),
    ] {
        post.house.advance(mins(wait));
        let id = mail.iter().find(|one| one.notice.about.grant == Some(grant)).unwrap().id;
        assert_eq!(post.house.app.deliver(id).await.unwrap(), sent, "{why}");
        match post.delivery(id).await.state {
            DeliveryState::Dropped { why: said, .. } => assert_eq!(said, why),
            other => assert_eq!((other.name(), why), ("delivered", "")),
        }
    }
    assert_eq!(post.rode().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_to_others_are_shown_to_who_may_read_the_log_alone() {
    let post = Post::open().await;
    post.reaches("ben", Some("ben@example.org")).await;
    for person in ["ann", "ben"] {
        post.revoke(post.hold(person, "attic").await).await;
    }
    post.read().await;
    let ben = post.house.id("ben").await;
    for (who, of, seen) in [
        ("root", None, vec!["ann", "ben"]),
        ("root", Some(ben), vec!["ben"]),
        ("ann", None, vec!["ann"]),
        ("ann", Some(ben), vec!["ann"]),
    ] {
        let filter = DeliveryFilter { channel: Some("mail".to_owned()), to: of, ..DeliveryFilter::default() };
        let page = post.house.app.list_notices(&post.house.caller(who).await, filter, Slice::first(99)).await.unwrap();
        let to: BTreeSet<_> = page.items.into_iter().map(|shown| shown.to.unwrap()).collect();
        assert_eq!(to.iter().map(String::as_str).collect::<Vec<_>>(), seen, "{who} {of:?}");
    }
}

/// Also one that is not in the settings any more and over which something is to go.
#[tokio::test(flavor = "multi_thread")]
async fn channels_are_shown_as_they_stand_to_who_may_read_the_log() {
    let post = Post::open().await;
    let (_, mail, message) = post.taken().await;
    let stray = Delivery { id: post.house.ambient.id(), channel: "pigeon".to_owned(), ..mail.clone() };
    post.house.write(vec![Write::EnterDelivery(stray)]).await;
    post.answers(Some(NotCarried::Closed("gone away".to_owned())));
    assert_eq!(post.house.app.deliver(message.id).await.unwrap(), Sent::Closed);
    let shown = post.house.app.list_channels(&post.house.caller("root").await).await.unwrap();
    let names: Vec<_> = shown.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["mail", "hook", "siren", "bell", "pigeon"]);
    let mut waiting = BTreeSet::new();
    for one in &shown {
        assert_eq!(one.waiting, post.house.store.deliveries_waiting(&one.name).await.unwrap(), "{one:?}");
        waiting.insert(one.waiting);
        let (hook, why) = (one.name == "hook", one.closed.as_ref().map(|(_, why)| why.as_str()));
        assert_eq!((one.given_up, why), (u64::from(hook), hook.then_some("gone away")), "{one:?}");
        assert_eq!(one.set, one.name != "pigeon");
    }
    assert!(waiting.len() > 1, "they all wait alike: {shown:?}");
    let anns = post.house.app.list_channels(&post.house.caller("ann").await).await;
    assert!(matches!(anns, Err(AppError::NotAllowed { .. })), "{anns:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_tried_by_who_manages_it_and_opens_once_something_arrives() {
    let post = Post::open().await;
    let (_, _, message) = post.taken().await;
    post.answers(Some(NotCarried::Closed("gone away".to_owned())));
    post.house.app.deliver(message.id).await.unwrap();
    let (ann, root) = (post.house.caller("ann").await, post.house.caller("root").await);
    let tries = async |who, channel| post.house.app.test_channel(who, channel).await;
    let closed = async || post.house.store.closed_channels().await.unwrap().len();
    let refused = |tried: Result<(), AppError>, why| matches!(tried, Err(AppError::Taken(said)) if said.contains(why));
    assert!(refused(tries(&root, "hook").await, "`hook` did not take it: gone away"));
    assert_eq!(closed().await, 1);
    post.answers(None);
    tries(&root, "hook").await.unwrap();
    assert_eq!(closed().await, 0);
    assert!(refused(tries(&root, "mail").await, "you have no address"));
    post.reaches("root", Some("root@example.org")).await;
    tries(&root, "mail").await.unwrap();
    assert!(matches!(tries(&ann, "hook").await, Err(AppError::NotAllowed { .. })));
    assert!(matches!(tries(&root, "owl").await, Err(AppError::Missing { .. })));
    assert_eq!(post.rode(), [None, None, None, Some("root@example.org".to_owned())]);
    let said = post.noted("notices.tested").await.into_iter().map(|record| (record.outcome, record.about.person));
    let expected = [(Outcome::Failed, None), (Outcome::Done, None), (Outcome::Done, Some(root.person))];
    assert_eq!(said.collect::<Vec<_>>(), expected);
}
