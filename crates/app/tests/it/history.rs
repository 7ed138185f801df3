//! The past: every policy version is kept, old decisions are told as they were, stories begin with the first ask.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use wane_app::{AppError, Class, Era, Narrower, Said, StoryLine, WhyInput};
use wane_domain::catalogue::Role;
use wane_domain::id::{GrantId, RequestId};
use wane_domain::request::{AccessRequest, RequestData};
use wane_domain::stored;
use wane_domain::time::Span;
use wane_policy::explain::Verdict;
use wane_store::{Put, RecordFilter, Slice, Write};

use crate::house::{House, POLICY, denied, granted, mins, name, reason};

const DEV: &str =
    "principal in Group::\"engineers\", action == Action::\"access\", resource is Gate in Label::\"env=dev\"";
const DEV_FOR_DBA: &str =
    "principal in Group::\"dba\", action == Action::\"access\", resource is Gate in Label::\"env=dev\"";

impl House {
    /// As if the same had been asked so many more times, and answered the same.
    pub(crate) async fn was_asked_again(&self, what: &AccessRequest, times: usize) {
        let (id, at) = (|| self.ambient.id(), self.app.now());
        let again = || stored::request(RequestData { id: id(), at, ..(**what).clone() });
        self.write((0..times).map(|_| Write::Request(Put::new(again()))).collect()).await;
    }
}

fn supposed(version: Option<u64>) -> WhyInput {
    WhyInput {
        person: None,
        resource: "attic".to_owned(),
        role: "read".to_owned(),
        duration: None,
        start: None,
        reason: None,
        ticket: None,
        task: None,
        policy_version: version,
        policy_text: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_can_be_read_by_those_who_read_policy() {
    let house = House::new().await;
    house.change_policy("8h", "7h").await;
    house.change_policy("7h", "6h").await;
    let (root, ann) = (house.caller("root").await, house.caller("ann").await);
    let all = house.app.policy_versions(&root, Slice::first(10)).await.unwrap().items;
    assert_eq!(
        all.iter().map(|v| (v.version, v.by)).collect::<Vec<_>>(),
        [(3, Some(root.person)), (2, Some(root.person)), (1, None)]
    );
    assert_eq!(house.app.policy_version(&root, 1).await.unwrap().text, POLICY);
    assert_eq!(house.app.policy_version(&root, 4).await.unwrap_err().class(), Class::Missing);
    assert_eq!(house.app.policy_version(&ann, 1).await.unwrap_err().class(), Class::Denied);
    assert_eq!(house.app.policy_versions(&ann, Slice::first(10)).await.unwrap_err().class(), Class::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_tells_what_decided_it_and_what_policy_says_now() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    house.change_policy("@id(\"prod-read\") @max_ttl(\"8h\")", "@id(\"prod-look\") @max_ttl(\"8h\")").await;
    let grant = granted(&house.approve("eva", asked).await.unwrap(), 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    house
        .change_policy(
            "@id(\"prod-at-most-6h\")",
            "@id(\"closed\") forbid (principal, action == Action::\"access\", resource);\n@id(\"prod-at-most-6h\")",
        )
        .await;
    let ann = house.caller("ann").await;
    let (recorded, now) = house.app.why_grant(&ann, grant, None).await.unwrap();
    let told: Vec<_> = recorded.decisions.iter().map(|d| (d.said, d.version, d.path.as_deref())).collect();
    assert_eq!(told, [(Said::Granted, Some(2), Some("prod-look")), (Said::Activated, Some(2), Some("prod-look"))]);
    assert_eq!(recorded.grant.approvals[0].approver, house.id("eva").await);
    assert_eq!((now.version, now.era), (3, Era::Now));
    assert!(matches!(now.explanation.verdict, Verdict::Deny { .. }), "{:?}", now.explanation.verdict);
    // The holder may ask the set that decided, and no other.
    let (_, then) = house.app.why_grant(&ann, grant, Some(2)).await.unwrap();
    assert_eq!((then.version, then.era), (2, Era::Then));
    assert!(matches!(&then.explanation.verdict, Verdict::Permit { path, .. } if path == "prod-look"));
    assert_eq!(house.app.why_grant(&ann, grant, Some(1)).await.unwrap_err().class(), Class::Denied);
    assert_eq!(house.app.why_grant(&ann, grant, Some(9)).await.unwrap_err().class(), Class::Denied);
    let root = house.caller("root").await;
    let (_, first) = house.app.why_grant(&root, grant, Some(1)).await.unwrap();
    assert!(matches!(&first.explanation.verdict, Verdict::Permit { path, .. } if path == "prod-read"));
    assert_eq!(house.app.why_grant(&root, grant, Some(9)).await.unwrap_err().class(), Class::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_text_is_asked_about_today_and_changes_nothing() {
    let house = House::new().await;
    house.change_policy(DEV, DEV_FOR_DBA).await;
    let root = house.caller("root").await;
    for (person, version, permitted) in [
        ("ann", None, false),
        ("ann", Some(1), true),
        ("ann", Some(2), false),
        ("eva", Some(1), false),
        ("eva", Some(2), true),
    ] {
        let input = WhyInput { person: Some(person.to_owned()), ..supposed(version) };
        let answer = house.app.why(&root, &input).await.unwrap();
        let said = matches!(answer.explanation.verdict, Verdict::Permit { .. });
        assert_eq!(said, permitted, "{person} under {version:?}");
    }
    assert_eq!(house.app.why(&house.caller("ann").await, &supposed(Some(1))).await.unwrap_err().class(), Class::Denied);
    let request = house.ask("ann", &[("attic", "read")], 1).await;
    assert!(denied(&request, 0).contains("no policy"), "an old set decided");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_in_force_nowhere_is_asked_about_today_and_changes_nothing() {
    let house = House::new().await;
    let (root, other) = (house.caller("root").await, POLICY.replace(DEV, DEV_FOR_DBA));
    let about = |person: &str, text: &str, policy_version| {
        let (person, policy_text) = (Some(person.to_owned()), Some(text.to_owned()));
        WhyInput { person, policy_text, ..supposed(policy_version) }
    };
    for (person, text, permitted) in [
        ("ann", other.as_str(), false),
        ("eva", &other, true),
        ("ann", POLICY, true),
        ("eva", POLICY, false),
        ("eva", &other, true),
    ] {
        let answer = house.app.why(&root, &about(person, text, None)).await.unwrap();
        let said = matches!(answer.explanation.verdict, Verdict::Permit { .. });
        assert_eq!((said, answer.era), (permitted, Era::Never), "{person}");
        assert!(granted(&house.ask("ann", &[("attic", "read")], 1).await, 0).is_some(), "it decided");
    }
    let both = house.app.why(&root, &about("ann", &other, Some(1))).await;
    assert!(matches!(&both, Err(AppError::Invalid { field, .. }) if field == "policy_text"), "{both:?}");
    let ann = house.app.why(&house.caller("ann").await, &about("ann", &other, None)).await;
    assert_eq!(ann.unwrap_err().class(), Class::Denied);
}

/// One such text is kept compiled, and it is not always one's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_ask_about_two_texts_at_once_are_each_told_of_their_own() {
    let house = House::new().await;
    let root = house.caller("root").await;
    let text = |who: &str| format!("@id(\"x\") @max_ttl(\"8h\") permit ({});", DEV.replace("engineers", who));
    let mut asking = JoinSet::new();
    for n in 0..60 {
        let (person, text, permitted) =
            if n % 2 == 0 { ("eva", text("dba"), true) } else { ("ann", text("admins"), false) };
        let (person, policy_text) = (Some(person.to_owned()), Some(text));
        let (app, root) = (Arc::clone(&house.app), root.clone());
        asking.spawn(async move {
            let answer = app.why(&root, &WhyInput { person, policy_text, ..supposed(None) }).await.unwrap();
            (matches!(answer.explanation.verdict, Verdict::Permit { .. }), permitted)
        });
    }
    for (said, permitted) in asking.join_all().await {
        assert_eq!(said, permitted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_tells_of_more_time_by_which_policy_it_was_given() {
    let house = House::new().await;
    let grant = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", grant).await.unwrap();
    house.advance(mins(1));
    house.change_policy("8h", "7h").await;
    let ann = house.caller("ann").await;
    house.app.extend(&ann, grant, mins(10), None).await.unwrap();
    let (recorded, _) = house.app.why_grant(&ann, grant, None).await.unwrap();
    let told: Vec<_> = recorded.decisions.iter().map(|d| (d.said, d.version)).collect();
    assert_eq!(told, [(Said::Granted, Some(1)), (Said::Activated, Some(1)), (Said::Extended, Some(2))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_tells_what_is_missing_and_who_could() {
    let house = House::new().await;
    let id = house.ask("ann", &[("vault", "super"), ("attic", "read")], 1).await.id;
    house.advance(mins(1));
    house.change_policy("8h", "7h").await;
    let ann = house.caller("ann").await;
    let why = house.app.why_request(&ann, id, None).await.unwrap();
    assert_eq!(why.version, Some(1), "the version that was in force when it was asked");
    assert_eq!(why.items[0].missing, ["approval by 1 of manager", "approval by 1 of group:dba"]);
    assert_eq!(why.items[0].who_could, [house.id("mia").await].into());
    let narrower: Vec<_> =
        why.items[0].now.as_ref().unwrap().narrower.iter().map(|n| n.role.name.to_string()).collect();
    assert!(narrower.contains(&"read".to_owned()), "{narrower:?}");
    assert_eq!((why.items[1].missing.len(), why.items[1].who_could.len()), (0, 0));
    house.approve("mia", id).await.unwrap();
    let why = house.app.why_request(&ann, id, None).await.unwrap();
    assert_eq!(why.items[0].missing, ["approval by 1 of group:dba"]);
    assert_eq!(house.app.why_request(&house.caller("zoe").await, id, None).await.unwrap_err().class(), Class::Missing);
    let long = house.ask("ann", &[("vault", "read")], 7).await.id;
    let why = house.app.why_request(&ann, long, None).await.unwrap();
    assert_eq!(why.version, Some(2), "the next version was in force by then");
    assert!(why.items[0].who_could.is_empty() && why.items[0].now.is_some());
    // Of two of one group one is left.
    let both = house.ask("ann", &[("vault", "write")], 1).await.id;
    let missing = async || house.app.why_request(&ann, both, None).await.unwrap().items.remove(0).missing;
    assert_eq!(missing().await, ["approval by 2 of group:dba"]);
    house.approve("eva", both).await.unwrap();
    assert_eq!(missing().await, ["approval by 1 of group:dba"]);
}

/// A role is named that would do, if it asks no more of people; the least of them first.
#[tokio::test(flavor = "multi_thread")]
async fn what_gives_less_and_asks_no_more_is_named_the_least_first() {
    let house = House::new().await;
    house
        .change_policy(
            "@id(\"prod-read\") @max_ttl(\"8h\") @approve(\"1 of group:dba\")",
            "@id(\"prod-read\") @max_ttl(\"8h\") @ticket(\"required\") @approve(\"1 of manager; then 1 of group:dba\")",
        )
        .await;
    // The least of all came last.
    let (id, since) = (house.ambient.id(), house.app.now());
    let (kind, description, definition) = (name("gate"), "a look".parse().unwrap(), json!({ "level": 0 }));
    let peek = Role { id, name: name("peek"), kind, description, definition, since };
    house.write(vec![Write::Role(Put::new(peek))]).await;
    let ann = house.caller("ann").await;
    let all: [(&str, &str, &[&str]); 7] = [
        ("attic", "peek", &[]),
        ("attic", "read", &["peek"]),
        ("attic", "write", &["peek", "read"]),
        ("attic", "super", &["peek", "read", "write"]),
        // A read takes two stages and a ticket there, a write one stage, all of it two.
        ("vault", "read", &[]),
        ("vault", "write", &[]),
        ("vault", "super", &["write"]),
    ];
    for (resource, role, narrower) in all {
        let (resource, role) = (resource.to_owned(), role.to_owned());
        let ticket = Some("OPS-7".parse().unwrap());
        let input = WhyInput { resource, role, ticket, ..supposed(None) };
        let why = house.app.why(&ann, &input).await.unwrap();
        assert!(matches!(why.explanation.verdict, Verdict::Permit { .. }), "{input:?}");
        let named: Vec<_> = why.narrower.iter().map(|less| less.role.name.as_str()).collect();
        assert_eq!(named, narrower, "{input:?}");
    }
}

/// Anybody else is supposed to have just proved who they are.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_about_themselves_is_told_how_they_stand() {
    let house = House::new().await;
    house.change_policy(&format!("{DEV});"), &format!("{DEV}) when {{ context.proof_age < 300 }};")).await;
    let (root, stale) = (house.caller("root").await, house.caller("ann").await);
    house.advance(mins(10));
    for (caller, permitted) in [(&stale, false), (&house.caller("ann").await, true), (&root, true)] {
        let input = WhyInput { person: Some("ann".to_owned()), ..supposed(None) };
        let answer = house.app.why(caller, &input).await.unwrap();
        let said = matches!(answer.explanation.verdict, Verdict::Permit { .. });
        assert_eq!(said, permitted, "{caller:?}: {:?}", answer.explanation.verdict);
    }
    let other = WhyInput { person: Some("ben".to_owned()), ..supposed(None) };
    assert_eq!(house.app.why(&stale, &other).await.unwrap_err().class(), Class::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_a_narrowed_grant_begins_with_the_first_ask() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("attic", "read"), ("vault", "write"), ("vault", "super")], 3).await;
    let less = Narrower { duration: Some(mins(60)), role: Some("read".to_owned()) };
    let eva = house.caller("eva").await;
    let narrowed = house.app.approve(&eva, asked.id, Some(1), &less).await.unwrap();
    house.app.deny(&house.caller("mia").await, asked.id, Some(2), &reason("too much")).await.unwrap();
    let narrowed = match granted(&narrowed, 0) {
        Some(_) => narrowed,
        None => house.approve("dan", narrowed.id).await.unwrap(),
    };
    let grant = granted(&narrowed, 0).unwrap();
    house.hand_out("ann", grant).await.unwrap();
    let ann = house.caller("ann").await;
    let refused = house.app.extend(&ann, grant, mins(600), None).await.unwrap();
    let more = house.app.extend(&ann, grant, mins(30), Some(reason("not done"))).await.unwrap();
    house.app.deny(&eva, more.id, None, &reason("enough")).await.unwrap();
    let again = house.app.extend(&ann, grant, mins(10), None).await.unwrap();
    house.approve("eva", again.id).await.unwrap();
    let story = house.app.story(&ann, grant).await.unwrap();
    let requests: Vec<_> = story.requests.iter().map(|r| r.id).collect();
    assert_eq!(requests, [asked.id, narrowed.id, refused.id, more.id, again.id]);
    assert_eq!(story.request.id, narrowed.id);
    let when = |event: &str| story.lines.iter().find(|l| l.record.event == event).unwrap().record.at;
    assert_eq!(story.granted_after(), Some(when("grant.minted").since(asked.at)), "from the first ask on");
    assert_eq!(story.usable_after(), Some(when("lease.made").since(asked.at)));
    let events: Vec<&str> = story.lines.iter().map(|l| l.record.event.as_str()).collect();
    assert_eq!(story.lines[0].record.about.request, Some(asked.id), "{events:?}");
    let count = |event: &str| events.iter().filter(|e| **e == event).count();
    assert_eq!(count("request.opened"), 5, "{events:?}");
    assert_eq!((count("request.item.narrowed"), count("grant.extended")), (1, 1), "{events:?}");
    let denied: Vec<_> = story
        .lines
        .iter()
        .filter(|l| l.record.event == "request.item.denied")
        .map(|l| l.record.detail["reason"].as_str().unwrap())
        .collect();
    assert_eq!(denied, ["enough"], "what became of another item of the ask is another story");
    let opened = |id| story.lines.iter().find(|l| l.record.about.request == Some(id)).unwrap();
    let answer = &opened(refused.id).record.detail["items"][0];
    assert!(answer["reason"].as_str().is_some_and(|why| !why.is_empty()), "{answer}");
    assert_eq!(opened(asked.id).record.detail["items"][0]["reason"], Value::Null);
    assert!(story.lines.is_sorted_by_key(|l| l.seq));
    // The grant of another item of the same ask has its own story.
    let other = granted(&house.request(asked.id).await, 0).unwrap();
    let story = house.app.story(&ann, other).await.unwrap();
    assert_eq!((story.requests.len(), story.usable_after()), (1, None));
    assert!(
        story
            .lines
            .iter()
            .all(|l| !["request.item.narrowed", "request.item.denied"].contains(&l.record.event.as_str()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_is_of_one_grant_though_two_were_asked_for_at_once() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("attic", "read"), ("annex", "read")], 1).await;
    let ann = house.caller("ann").await;
    for item in [0, 1] {
        let grant = granted(&asked, item).unwrap();
        let story = house.app.story(&ann, grant).await.unwrap();
        let its = |line: &StoryLine| line.record.about.grant.is_none_or(|one| one == grant);
        assert!(story.lines.iter().all(its), "{:?}", story.lines);
        assert!(story.granted_after().is_some());
    }
}

/// A grant of ann's that was used and given more time, and the request for that.
async fn extended(house: &House) -> (GrantId, RequestId) {
    let grant = house.hold("ann", "attic", "read", 1).await;
    house.hand_out("ann", grant).await.unwrap();
    house.advance(mins(1));
    let more = house.app.extend(&house.caller("ann").await, grant, mins(10), None).await.unwrap().id;
    (grant, more)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_tells_of_more_time_however_much_was_asked_since() {
    let house = House::new().await;
    let ((grant, more), ann) = (extended(&house).await, house.caller("ann").await);
    // More than is looked at in one go, and none of it open.
    for _ in 0..101 {
        house.advance(Span::from_secs(1));
        let refused = house.ask("ann", &[("vault", "read")], 7).await;
        assert!(!denied(&refused, 0).is_empty());
    }
    let story = house.app.story(&ann, grant).await.unwrap();
    assert_eq!(story.requests.iter().map(|one| one.id).collect::<Vec<_>>(), [story.grant.request, more]);
}

/// However busy its holder is, no more is read than so much.
#[tokio::test(flavor = "multi_thread")]
async fn a_story_looks_for_more_time_among_the_newest_thousand_requests() {
    let house = House::new().await;
    let ((grant, more), ann) = (extended(&house).await, house.caller("ann").await);
    house.advance(mins(1));
    let first = house.request(house.grant(grant).await.request).await;
    for (others, told) in [(999, true), (1, false)] {
        house.was_asked_again(&first, others).await;
        let story = house.app.story(&ann, grant).await.unwrap();
        assert_eq!(story.requests.iter().any(|one| one.id == more), told, "after {others} more");
    }
}

/// Whoever may not read all of it reads what they did and what was done about them, page by page and as it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn the_trail_shows_each_what_they_did_and_what_is_about_them() {
    let house = House::new().await;
    let asked = house.ask("ann", &[("vault", "read")], 1).await.id;
    house.approve("eva", asked).await.unwrap();
    let event = "request.item.approved";
    for (who, sees) in [("ann", true), ("eva", true), ("ben", false), ("zoe", false)] {
        let caller = house.caller(who).await;
        let (news, _) = house.app.next_records(&caller, 0).await.unwrap();
        assert_eq!(news.iter().any(|line| line.record.event == event), sees, "{who}");
        for person in [None, Some(caller.person)] {
            let own = RecordFilter { person, event: Some(event.to_owned()), ..RecordFilter::default() };
            let told = house.app.records(&caller, own, Slice::first(10)).await.unwrap().items;
            assert_eq!(!told.is_empty(), sees, "{who} of {person:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_little_leave_nothing_out() {
    let house = House::new().await;
    house.hold("ann", "attic", "read", 1).await;
    let figures = house.app.figures(&house.caller("root").await, 3).await.unwrap();
    assert_eq!((figures.days.len(), figures.days[2].by_policy, figures.more), (3, 1, false));
}

/// Of each sort the newest 20,000 are read.
#[tokio::test(flavor = "multi_thread")]
async fn figures_of_much_say_that_there_was_more() {
    let house = House::new().await;
    house.hold("ann", "attic", "read", 1).await;
    let root = house.caller("root").await;
    // The last five are of what was granted, which is read to its end.
    house.door.full_pages.send_replace(25);
    let figures = house.app.figures(&root, 3).await.unwrap();
    assert_eq!((figures.days[2].asked, figures.more), (20_000, true));
    let figures = house.app.figures(&root, 3).await.unwrap();
    assert_eq!((figures.days[2].asked, figures.more), (1, false));
}
