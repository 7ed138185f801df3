//! The texts, as they are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::canonical::Digest;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::delegation::{Delegation, Ended, Scope};
use wane_domain::directory::{Person, Standing};
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::id::{DelegationId, OrgId, PersonId, ResourceId, RoleId, TypedId};
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind};
use wane_domain::request::AskItem;
use wane_domain::time::{Span, Time};
use wane_domain::world::{Epoch, PolicyVersion, Table, World};
use wane_notice::{
    Class, Delivery, DeliveryState, Kind, Said, Seen, To, WaitsFor, before_end, delivery_id, letter, message, said,
    wants,
};
use wane_testkit::{FakeClock, Held, hold, plain_ask};

/// 2026-11-21T10:00:00Z.
const T0: Time = Time::from_micros(1_795_255_200_000_000);

fn id<T: TypedId>(n: u8) -> T {
    T::mint(T0, &[n; 10])
}

const RESOURCE: u8 = 20;
const ROLE: u8 = 21;

fn person(id: PersonId, name: &str, display: &str) -> Person {
    Person {
        id,
        name: name.parse().unwrap(),
        display: display.parse().unwrap(),
        manager: None,
        attributes: BTreeMap::new(),
        standing: Standing::Active,
        since: T0,
        stay: wane_domain::directory::Stay::default(),
        kept_by: None,
    }
}

struct Stage {
    world: World,
    held: Held,
    omar: PersonId,
}

fn stage(hours: u64) -> Stage {
    let clock = FakeClock::at(T0);
    let ambient = clock.ambient(1);
    let item = AskItem {
        resource: id::<ResourceId>(RESOURCE),
        role: id::<RoleId>(ROLE),
        role_digest: Digest::of_bytes("t", b"role"),
        task: None,
    };
    let mut ask = plain_ask(&ambient, item, Span::from_hours(hours));
    ask.justification = Some("the disk is full, see https://evil.example/\u{e9}".parse().unwrap());
    ask.ticket = Some("OPS-7".parse().unwrap());
    let maya = ask.requester;
    let held = hold(&ambient, ask, "ssh", LeaseKind::Credential, T0);
    let omar = id::<PersonId>(9);
    let people = [person(maya, "maya", "Maya Ng"), person(omar, "omar", "Omar <b>bold</b> www.evil.example")];
    let resource = Resource {
        id: id(RESOURCE),
        name: "web-1".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        labels: BTreeMap::new(),
        owner: None,
        settings: Value::Null,
        since: T0,
    };
    let role = Role {
        id: id(ROLE),
        name: "deploy".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        description: "x".parse().unwrap(),
        definition: Value::Null,
        since: T0,
    };
    let digest = Digest::of_bytes("t", b"set");
    let world = World {
        org: id(1),
        epoch: Epoch(1),
        people: people.into_iter().collect(),
        groups: Table::default(),
        resources: [resource].into_iter().collect(),
        roles: [role].into_iter().collect(),
        locks: Table::default(),
        packages: Table::default(),
        delegations: Table::default(),
        issuers: Table::default(),
        workloads: Table::default(),
        directories: Table::default(),
        approver_keys: Table::default(),
        policy: PolicyVersion { version: 1, digest, text: String::new(), by: None, at: T0 },
    };
    Stage { world, held, omar }
}

impl Stage {
    fn maya(&self) -> PersonId {
        self.held.grant.holder
    }

    fn record(&self, actor: Actor, event: &str, detail: Value) -> Record {
        let about = Subjects {
            person: Some(self.maya()),
            resource: Some(id(RESOURCE)),
            request: Some(self.held.request.id),
            grant: Some(self.held.grant.id),
            lease: None,
            ticket: self.held.request.ask.ticket.clone(),
        };
        Record { id: id(50), org: id(1), at: T0, actor, event: event.to_owned(), outcome: Outcome::Done, about, detail }
    }

    fn said(&self, record: &Record, lease: Option<&Lease>) -> Option<Said> {
        let Held { request, grant, .. } = &self.held;
        let seen = Seen { world: &self.world, request: Some(request), grant: Some(grant), lease };
        said(record, &seen).into_iter().next()
    }

    fn by_omar(&self, event: &str, detail: Value) -> Record {
        self.record(Actor::Person(self.omar), event, detail)
    }
}

fn delivered(said: &Said) -> Delivery {
    Delivery {
        id: delivery_id(said.since, &said.cause, said.notice.kind.word(), "mail", "x"),
        channel: "mail".to_owned(),
        to: None,
        notice: said.notice.clone(),
        made: T0,
        expires: T0,
        only: None,
        tries: 0,
        state: DeliveryState::Waiting(WaitsFor { next: T0, last: None }),
    }
}

/// Compares with a golden file; `WANE_GOLDEN=write` writes it instead, to be read before it is committed.
fn golden(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name);
    if std::env::var_os("WANE_GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == now, "{} is not what is said now; WANE_GOLDEN=write takes it:\n{now}", path.display());
}

#[test]
fn the_texts_are_these() {
    let stage = stage(8);
    let end = T0.plus(Span::from_hours(8));
    let records = [
        stage.by_omar("request.item.approved", json!({ "item": 0, "approver": stage.omar, "stage": 0 })),
        stage.by_omar("request.item.denied", json!({ "item": 0, "by": stage.omar, "reason": "not\nnow: www.evil.example" })),
        stage.record(Actor::System, "request.item.lapsed", json!({ "item": 0 })),
        stage.record(Actor::Person(stage.maya()), "request.item.withdrawn", json!({ "item": 0, "by": stage.maya() })),
        stage.by_omar("request.item.narrowed", json!({ "item": 0, "by": stage.omar, "child": stage.held.request.id })),
        stage.by_omar("grant.minted", json!({})),
        stage.record(Actor::Person(stage.maya()), "grant.activated", json!({ "end": end })),
        stage.by_omar("grant.extended", json!({ "from": T0, "end": end })),
        stage.record(Actor::System, "grant.shortened", json!({ "from": end, "end": T0 })),
        stage.record(Actor::System, "grant.ending", json!({ "cause": { "cause": "expired" } })),
        stage.by_omar(
            "grant.ending",
            json!({ "cause": { "cause": "revoked", "by": stage.omar, "reason": "\u{202e}enough\r\nBcc: x@y.example" } }),
        ),
        stage.record(Actor::System, "grant.closed", json!({ "word": "gone", "leases": [] })),
        stage.by_omar("session.killed", json!({ "session": "ses_x", "reason": "wrong host" })),
        stage.record(Actor::System, "session.finding", json!({ "session": "ses_x", "rule": "no-curl", "then": "cut" })),
        stage.record(Actor::System, "gateway.shut_out", json!({ "why": "too many failed logins" })),
        stage.record(
            Actor::Unknown,
            "key.refused",
            json!({ "serial": 7, "why": "it may not be used from 192.0.2.9", "peer": "192.0.2.9" }),
        ),
        stage.record(
            Actor::System,
            "token.refused",
            json!({ "jti": "lse_x.7", "why": "it is bound to a key, and came without a proof of that", "server": "orders" }),
        ),
        stage.record(Actor::Person(stage.maya()), "passkey.added", json!({ "name": "key" })),
        stage.record(
            Actor::System,
            "request.item.escalated",
            json!({ "item": 0, "stage": 0, "after": Span::from_mins(30), "approvers": ["manager", "group:leads"] }),
        ),
        stage.by_omar("request.item.approved", json!({ "item": 0, "approver": stage.omar, "stage": 0, "instead_of": {
            "person": stage.maya(), "delegation": id::<DelegationId>(60),
        } })),
        stage.by_omar("delegation.given", json!({ "delegation": Delegation {
            id: id(60), by: stage.omar, to: stage.maya(), from: T0, until: end, scope: Scope::default(),
            reason: Some("holidays".parse().unwrap()), since: T0, ended: None,
        } })),
        stage.by_omar("delegation.ended", json!({ "delegation": Delegation {
            id: id(60), by: stage.omar, to: stage.maya(), from: T0, until: end, scope: Scope::default(),
            reason: None, since: T0, ended: Some(Ended { by: stage.omar, at: T0 }),
        } })),
    ];
    let mut all = String::new();
    for record in &records {
        let said = stage.said(record, None).unwrap_or_else(|| panic!("{} says nothing", record.event));
        let to: Vec<String> = said.to.iter().map(|to| shown(&stage, *to)).collect();
        let letter = letter(&delivered(&said), "https://wane.example.org");
        all.push_str(&format!(
            "==== {} to {}\nSubject: {}\n\n{}\n",
            record.event,
            to.join(", "),
            letter.subject,
            letter.text
        ));
    }
    golden("letters.txt", &all);
    let said = stage.said(&records[10], None).unwrap();
    golden("letter.html", &letter(&delivered(&said), "https://wane.example.org").html);
    let body = message(&delivered(&said), id::<OrgId>(1));
    // In whatever order the members come.
    let kept: Value = serde_json::from_str(include_str!("golden/message.json")).unwrap();
    assert_eq!(body, kept);
}

fn shown(stage: &Stage, to: To) -> String {
    match to {
        To::Person(id) => stage.world.people.get(&id).unwrap().name.to_string(),
        To::Approvers(_) => "approvers".to_owned(),
        To::Asked(_) => "whoever was asked".to_owned(),
        To::Owners(_) => "owners".to_owned(),
    }
}

#[test]
fn nothing_of_people_is_a_tag_or_a_line() {
    let stage = stage(8);
    let record =
        stage.by_omar("request.item.denied", json!({ "item": 0, "by": stage.omar, "reason": "<script>\r\n.\r\n" }));
    let letter = letter(&delivered(&stage.said(&record, None).unwrap()), "https://wane.example.org");
    assert!(!letter.html.contains("<script") && !letter.html.contains("<b>"), "{}", letter.html);
    assert!(!letter.subject.chars().any(char::is_control));
    assert!(!letter.text.lines().any(|line| line == "."), "{}", letter.text);
}

#[test]
fn who_did_it_is_not_told_but_of_security() {
    let stage = stage(8);
    let by_maya = |event: &str, detail| stage.record(Actor::Person(stage.maya()), event, detail);
    let own = stage.said(&by_maya("grant.ending", json!({ "cause": { "cause": "returned" } })), None).unwrap();
    assert_eq!((own.notice.kind, own.not), (Kind::Ended, Some(stage.maya())));
    let way = stage.said(&by_maya("passkey.added", json!({})), None).unwrap();
    assert_eq!((way.notice.kind.class(), way.not), (Class::Security, None));
}

#[test]
fn what_nobody_is_told_makes_no_notice() {
    let stage = stage(8);
    for event in ["session.used", "notice.delivered", "notices.made", "answer.kept", "person.changed", "lease.made"] {
        assert_eq!(stage.said(&stage.record(Actor::System, event, json!({})), None), None, "{event}");
    }
}

#[test]
fn what_is_derived_twice_is_one() {
    let stage = stage(8);
    let record = stage.record(Actor::System, "grant.ending", json!({ "cause": { "cause": "expired" } }));
    let of = || delivered(&stage.said(&record, None).unwrap()).id;
    assert_eq!(of(), of());
    let ids: BTreeSet<_> = [("a", "b"), ("ab", ""), ("a", "c"), ("b", "b")]
        .iter()
        .map(|(channel, to)| delivery_id(T0, "evt", "grant.ended", channel, to))
        .collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn an_end_that_is_owed_is_told_after_a_while_and_once_a_day() {
    let stage = stage(8);
    let (lease, _) = stage.held.lease.clone().apply(LeaseEvent::End, T0).unwrap();
    let at = |mins: u64| {
        let tried =
            stage.record(Actor::System, "lease.end_tried", json!({ "met": "no route to host", "quarantined": null }));
        stage.said(&Record { at: T0.plus(Span::from_mins(mins)), ..tried }, Some(&lease))
    };
    assert_eq!(at(14), None);
    let first = at(15).unwrap();
    assert_eq!((first.notice.kind, first.to.clone()), (Kind::Debt, vec![To::Owners(id(RESOURCE))]));
    let cause = |mins| at(mins).unwrap().cause;
    assert_eq!(first.cause, cause(24 * 60 - 1));
    assert_ne!(first.cause, cause(24 * 60));
    let stuck = stage.record(Actor::System, "lease.end_tried", json!({ "met": "odd", "quarantined": "look" }));
    assert!(stage.said(&stuck, Some(&lease)).is_some(), "what a person has to look at waits");
}

#[test]
fn a_key_that_is_misused_is_told_of_once_an_hour() {
    let stage = stage(8);
    let at = |serial: u64, mins: u64| {
        let detail = json!({ "serial": serial, "why": "it is not for this path", "peer": "192.0.2.9" });
        let refused = stage.record(Actor::Unknown, "key.refused", detail);
        stage.said(&Record { at: T0.plus(Span::from_mins(mins)), ..refused }, None).unwrap()
    };
    let first = at(7, 0);
    assert_eq!(first.to, [To::Person(stage.maya()), To::Owners(id(RESOURCE))]);
    assert_eq!((first.notice.kind.class(), first.not), (Class::Security, None));
    let sent = |said: &Said| delivered(said).id;
    assert_eq!(sent(&first), sent(&at(7, 59)));
    assert_ne!(sent(&first), sent(&at(7, 60)));
    assert_ne!(sent(&first), sent(&at(8, 0)));
}

#[test]
fn what_is_said_before_an_end_follows_it() {
    let stage = stage(8);
    let end = T0.plus(Span::from_hours(8));
    let began = stage.record(Actor::Person(stage.maya()), "grant.activated", json!({ "end": end }));
    let warnings = |grant: &Grant, record: &Record| {
        before_end(record, &Seen { world: &stage.world, request: None, grant: Some(grant), lease: None })
    };
    let both = warnings(&stage.held.grant, &began);
    let minutes: Vec<_> =
        both.iter().map(|w| (end.since(w.due).secs() / 60, end.since(w.expires).secs() / 60)).collect();
    assert_eq!(
        minutes,
        [(60, 10), (10, 0)],
        "an hour before until ten minutes before, ten minutes before until the end"
    );
    assert_eq!(both[0].notice.todo.as_ref().unwrap().command, format!("wane extend {} --for 1h", stage.held.grant.id));
    assert_ne!(both[0].id("mail"), both[1].id("mail"));
    assert_eq!(both[0].id("mail"), warnings(&stage.held.grant, &began)[0].id("mail"));
    // Another end since: the older record says nothing any more.
    let (shorter, _) =
        Grant::apply(again(&stage), GrantEvent::Shorten { end: T0.plus(Span::from_mins(5)) }, T0).unwrap();
    assert!(warnings(&shorter, &began).is_empty());
    let moved = stage.record(Actor::System, "grant.shortened", json!({ "end": T0.plus(Span::from_mins(5)) }));
    assert!(warnings(&shorter, &moved).is_empty(), "five minutes need no warning");
}

/// The same grant once more: what it is made by comes out the same each time.
fn again(_: &Stage) -> Grant {
    stage(8).held.grant
}

#[test]
fn less_mail_is_never_less_security() {
    let mut maya = person(id(1), "maya", "Maya Ng");
    let all = |person: &Person| [Class::News, Class::Work, Class::Security].map(|class| wants(person, class));
    assert_eq!(all(&maya), [false; 3], "nobody knows her address");
    maya.attributes.insert("email".parse().unwrap(), "maya@example.org".parse().unwrap());
    assert_eq!(all(&maya), [true; 3]);
    maya.attributes.insert("notices".parse().unwrap(), "few".parse().unwrap());
    assert_eq!(all(&maya), [false, true, true]);
    let gone = Person { standing: Standing::Disabled, ..maya };
    assert_eq!(all(&gone), [false, false, true]);
}
