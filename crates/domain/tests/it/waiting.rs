//! What happens to a request while nobody decides.

use wane_domain::request::{AccessRequest, Approval, ItemEvent, Opening, Start};
use wane_domain::terms::{Approvers, Later, Stage};
use wane_domain::time::{Span, Time};

use crate::approvers::world;
use crate::fixtures::{T0, as_json, ask, id, person, terms};

fn mins(n: u64) -> Time {
    T0.plus(Span::from_mins(n))
}

/// One of the owners, after 30 minutes also the manager, after 60 also `p7`; then two more owners, after 10 the manager.
fn stages() -> Vec<Stage> {
    let later = |mins: u64, who: Approvers| Later { after: Span::from_mins(mins), approvers: vec![who] };
    let first = vec![later(30, Approvers::Manager), later(60, Approvers::Person("p7".parse().unwrap()))];
    vec![
        Stage { quorum: 1, approvers: vec![Approvers::Owner], later: first },
        Stage { quorum: 2, approvers: vec![Approvers::Owner], later: vec![later(10, Approvers::Manager)] },
    ]
}

fn waits(hours: u64) -> AccessRequest {
    let terms = wane_domain::terms::Terms { stages: stages(), ..terms(Span::from_hours(8), &[]) };
    let path = Opening::Path { terms, path: "path".to_owned() };
    let asked = ask(Span::from_hours(2), Start::Now, None);
    AccessRequest::open(id(30), asked, vec![path], T0, T0.plus(Span::from_hours(hours))).unwrap().0
}

fn approved(request: AccessRequest, who: u8, stage: u16, at: u64) -> AccessRequest {
    let digest = request.digest;
    let approval = Approval {
        approver: person(who),
        instead_of: None,
        asked_after: None,
        stage,
        digest,
        at: mins(at),
        signed: None,
    };
    request.apply(0, ItemEvent::Approve(approval), mins(at)).unwrap().0
}

fn escalated(request: AccessRequest, at: u64) -> AccessRequest {
    request.apply(0, ItemEvent::Escalate, mins(at)).unwrap().0
}

/// Nobody is asked early, nobody twice, and what is asked for stays what it was.
#[test]
fn more_people_are_asked_in_time_and_as_many_are_needed_as_before() {
    let fresh = waits(4);
    assert!(fresh.clone().apply(0, ItemEvent::Escalate, mins(29)).is_err(), "too early");
    let (one, fact) = fresh.clone().apply(0, ItemEvent::Escalate, mins(30)).unwrap();
    assert_eq!((fact.event, &fact.detail["approvers"]), ("request.item.escalated", &serde_json::json!(["manager"])));
    assert_eq!(
        (one.state_name(), one.items[0].open_stage(), one.items[0].waited(0)),
        ("waiting", Some(0), Some(Span::from_mins(30)))
    );
    assert!(one.clone().apply(0, ItemEvent::Escalate, mins(59)).is_err(), "the second too early");
    let two = escalated(one, 60);
    assert!(two.clone().apply(0, ItemEvent::Escalate, mins(200)).is_err(), "there is nobody more");
    assert!(fresh.clone().apply(0, ItemEvent::Escalate, mins(240)).is_err(), "it has lapsed by then");
    // The second stage is open from the approval that completed the first, and has people of its own.
    let second = approved(two, 11, 0, 70);
    assert_eq!((second.items[0].open_stage(), second.items[0].waited(1)), (Some(1), None));
    assert!(second.clone().apply(0, ItemEvent::Escalate, mins(79)).is_err());
    let asked = escalated(second, 80);
    let half = approved(asked, 12, 1, 81);
    assert_eq!(half.state_name(), "waiting", "asking more people needs no fewer");
    assert_eq!(approved(half, 13, 1, 82).state_name(), "approved");
}

#[test]
fn a_stage_means_those_it_names_later_once_it_has_waited() {
    let world = world();
    let meant = |waited: Option<u64>| {
        let waited = waited.map(Span::from_mins);
        let found = world.meant(&stages()[0], |_| waited, (person(2), id(21)), &[person(1), person(2)]);
        found.into_iter().map(|(who, after)| (who, after.map(|a| a.secs() / 60))).collect::<Vec<_>>()
    };
    // The owner of resource 21 is person 7: whoever is named at once is not asked in addition.
    assert_eq!(meant(None), [(person(7), None)]);
    assert_eq!(meant(Some(29)), [(person(7), None)]);
    assert_eq!(meant(Some(30)), [(person(3), Some(30)), (person(7), None)]);
    assert_eq!(meant(Some(60)), [(person(3), Some(30)), (person(7), None)]);
    // Nobody is asked about what they asked for.
    let own = world.meant(&stages()[0], |_| Some(Span::from_mins(60)), (person(2), id(21)), &[person(3), person(7)]);
    assert!(own.is_empty());
}

#[test]
fn it_is_due_when_something_happens_to_it() {
    let mut request = waits(4);
    let due = |request: &AccessRequest| request.due().map(|at| at.since(T0).secs() / 60);
    // Four hours: reminders after half of it and nine tenths.
    for (at, what) in [(30, "asks"), (60, "asks"), (120, "reminds"), (216, "reminds"), (240, "lapses")] {
        assert_eq!(due(&request), Some(at), "{what}");
        request = match what {
            "asks" => escalated(request, at),
            "reminds" => request.remind(mins(at)).unwrap().0,
            _ => request.apply(0, ItemEvent::Lapse, mins(at)).unwrap().0,
        };
    }
    assert_eq!((due(&request), request.state_name()), (None, "lapsed"));
    assert_eq!(due(&approved(escalated(waits(4), 30), 11, 0, 31)), Some(41), "the next stage is due by its own clock");
}

#[test]
fn reminders_are_scaled_to_the_wait_and_those_that_were_missed_are_one() {
    let plain = |mins: u64| {
        let path = Opening::Path { terms: terms(Span::from_hours(8), &[2]), path: "path".to_owned() };
        let asked = ask(Span::from_hours(2), Start::Now, None);
        AccessRequest::open(id(30), asked, vec![path], T0, T0.plus(Span::from_mins(mins))).unwrap().0
    };
    for (window, at) in [
        (9, vec![]),
        (10, vec![5]),
        (60, vec![30, 54]),
        (480, vec![120, 240, 360, 456]),
        (1440, vec![360, 720, 1080, 1368]),
    ] {
        let mut request = plain(window);
        let mut told = Vec::new();
        while let Some(next) = request.next_reminder() {
            told.push(next.since(T0).secs() / 60);
            assert!(request.clone().remind(next.minus(Span::from_micros(1))).is_err(), "too early");
            request = request.remind(next).unwrap().0;
        }
        assert_eq!(told, at, "{window} min");
        assert_eq!(request.due(), Some(request.lapses));
    }
    let late = plain(480).remind(mins(400)).unwrap().0;
    assert_eq!((late.reminded, late.next_reminder()), (3, Some(mins(456))));
    assert!(late.clone().remind(mins(400)).is_err(), "said once");
    assert!(late.remind(mins(480)).is_err(), "it has lapsed");
    let gone = plain(480).apply(0, ItemEvent::Withdraw { by: person(1) }, T0).unwrap().0;
    assert!(gone.remind(mins(400)).is_err(), "nothing waits");
}

/// A stage waits from the moment that it was begun, however many of those it needs have said yes since.
#[test]
fn an_approval_that_completes_no_stage_puts_nothing_off() {
    let second = approved(waits(4), 11, 0, 20);
    let due = |request: &AccessRequest| request.items[0].next_escalation(T0).map(|(stage, _, at)| (stage, at));
    assert_eq!(due(&second), Some((1, mins(30))));
    let half = approved(second, 12, 1, 25);
    assert_eq!(due(&half), Some((1, mins(30))));
    assert!(half.clone().apply(0, ItemEvent::Escalate, mins(29)).is_err());
    assert_eq!(due(&escalated(half, 30)), None);
}

/// What was stored before there were reminders reads as it did, and those that were said are not said again.
#[test]
fn a_request_is_stored_with_its_reminders_where_there_were_any() {
    let fresh = waits(4);
    let told = fresh.clone().remind(mins(120)).unwrap().0;
    for (request, stored) in [(fresh, None), (told, Some(1))] {
        let written = as_json(&request);
        assert_eq!(written.get("reminded").and_then(serde_json::Value::as_u64), stored);
        assert_eq!(wane_domain::stored::request(serde_json::from_value(written).unwrap()), request);
    }
}
