//! One row of each type, as the use-cases write them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_domain::catalogue::{Owner, Resource, Role};
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::lease::LeaseEvent;
use wane_domain::lock::{Lock, LockTarget};
use wane_domain::time::Span;
use wane_store::{Answer, Issuance, Login, Token, TokenKind, TokenOwner};
use wane_testkit::Held;

use crate::access::{NOW, ambient, ask, hold};

pub(crate) fn row() -> Vec<Vec<u8>> {
    let ambient = ambient();
    let (resource, role) = catalogue();
    let Held { request, grant, lease } = hold(&ambient, &resource, &role);
    let (live, _) = lease
        .clone()
        .apply(LeaseEvent::Made { object: Some("16384".to_owned()), notes: json!({ "serial": 1 }) }, NOW)
        .unwrap();
    let person = Person {
        id: ambient.id(),
        name: "maya".parse().unwrap(),
        display: "Maya".parse().unwrap(),
        manager: Some(ambient.id()),
        attributes: BTreeMap::from([("team".parse().unwrap(), "red".parse().unwrap())]),
        standing: Standing::Disabled,
        since: NOW,
        stay: wane_domain::directory::Stay::default(),
        kept_by: None,
    };
    let group = Group {
        id: ambient.id(),
        name: "staff".parse().unwrap(),
        description: "all".parse().unwrap(),
        members: BTreeSet::from([person.id]),
        kept_by: None,
    };
    let reason = "left the company".parse().unwrap();
    let (lock, _) = Lock::impose(ambient.id(), LockTarget::Person(person.id), reason, person.id, NOW);
    let token = Token {
        id: ambient.id(),
        kind: TokenKind::Session,
        owner: TokenOwner::Person(person.id),
        verifier: vec![7; 32],
        at: NOW,
        proved: NOW,
        expires: NOW.plus(Span::from_hours(1)),
        used: NOW,
        spent: Some(NOW),
        by: wane_domain::proved::ProvedBy::Passkey,
    };
    let login = Login {
        person: person.id,
        password: "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA".to_owned(),
        totp: Some(vec![1, 2, 3]),
        totp_step: Some(5),
        failures: 2,
        closed_until: Some(NOW),
    };
    let issuance = Issuance {
        serial: 1,
        lease: lease.id,
        grant: grant.id,
        kind: "ssh".parse().unwrap(),
        at: NOW,
        not_after: NOW,
        detail: json!({ "fingerprint": "SHA256:x" }),
        revoked: None,
    };
    let answer = Answer {
        person: person.id,
        key: "one-key".to_owned(),
        fingerprint: "00".to_owned(),
        status: 201,
        body: json!({ "id": "x" }),
        at: NOW,
    };
    vec![
        doc(b'q', &request),
        doc(b'g', &grant),
        doc(b'l', &lease),
        doc(b'l', &live),
        doc(b'k', &lock),
        doc(b'r', &resource),
        doc(b'R', &role),
        doc(b'p', &person),
        doc(b'G', &group),
        doc(b't', &token),
        doc(b'L', &login),
        doc(b'i', &issuance),
        doc(b'K', &answer),
    ]
}

fn doc(sort: u8, value: &impl Serialize) -> Vec<u8> {
    [&[sort][..], &serde_json::to_vec(value).unwrap()].concat()
}

fn catalogue() -> (Resource, Role) {
    let ambient = ambient();
    let resource = Resource {
        id: ambient.id(),
        name: "web".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        labels: BTreeMap::from([("env".parse().unwrap(), "prod".parse().unwrap())]),
        owner: Some(Owner::Group(ambient.id())),
        settings: json!({ "address": "127.0.0.1:22" }),
        since: NOW,
    };
    let role = Role {
        id: ambient.id(),
        name: "deploy".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        description: "deploys".parse().unwrap(),
        definition: json!({ "principals": ["deploy"] }),
        since: NOW,
    };
    (resource, role)
}

pub(crate) fn asks() -> Vec<Vec<u8>> {
    let (resource, role) = catalogue();
    let one = ask(&ambient(), &resource, &role);
    let mut other = one.clone();
    other.start = wane_domain::request::Start::At(NOW);
    other.ticket = None;
    [one, other].map(|ask| serde_json::to_vec(&ask).unwrap()).into()
}

pub(crate) fn record() -> Vec<Vec<u8>> {
    let ambient = ambient();
    let record = Record {
        id: ambient.id(),
        org: ambient.id(),
        at: NOW,
        actor: Actor::Person(ambient.id()),
        event: "grant.activated".to_owned(),
        outcome: Outcome::Done,
        about: Subjects { grant: Some(ambient.id()), ticket: Some("INC-1".parse().unwrap()), ..Subjects::default() },
        detail: json!({ "z": 1, "a": ["ü\n", null, true, 1.5, -0.0, 1e300], "é": "\u{7}\u{2028}\"" }),
    };
    vec![serde_json::to_vec(&record).unwrap()]
}
