//! The laws of a grant for one command: let run once, that command and no other, and what comes of it.

use proptest::prelude::*;
use wane_domain::closure::EndCause;
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::id::{GrantId, LeaseId};
use wane_domain::issue::Reach;
use wane_domain::lease::{Lease, LeaseKind};
use wane_domain::request::{Ask, Parent, Start};
use wane_domain::task::Task;
use wane_domain::time::{Span, Time};

use crate::fixtures::{T0, active, approved_of, ask, golden, id, item, lease, permit, spend, task_grant, task_item};

const HOUR: Span = Span::from_hours(1);
const DAY: Span = Span::from_hours(24);
const COMMANDS: [&str; 3] = ["id", "id ", "reboot"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Spend(usize),
    Extend,
    Shorten,
    End,
    Done,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..COMMANDS.len()).prop_map(Step::Spend),
        2 => Just(Step::Extend),
        1 => Just(Step::Shorten),
        1 => Just(Step::End),
        1 => Just(Step::Done),
        1 => Just(Step::Close),
    ]
}

/// An extension of a grant for `duration`, of what it is for or of something else.
fn more(of: &Grant, item: wane_domain::request::AskItem) -> GrantEvent {
    let parent = Some(Parent::Extends { digest: of.digest, grant: of.id });
    let ask = Ask { items: vec![item], ..ask(Span::from_mins(5), Start::Now, parent) };
    GrantEvent::Extend(approved_of(ask, of.id), permit(DAY))
}

fn session(of: &Grant, now: Time) -> Lease {
    of.lease(id::<LeaseId>(51), "ssh".parse().unwrap(), LeaseKind::Session, now).unwrap().0
}

proptest! {
    #[test]
    fn a_task_is_let_run_once_whatever_else_happens(steps in proptest::collection::vec((step(), 0..9u64), 1..24)) {
        let mut grant = task_grant("id", HOUR, DAY);
        let mut now = T0;
        let mut ran = 0;
        for (step, later) in steps {
            now = now.plus(Span::from_mins(later));
            let before = grant.clone();
            let event = match step {
                Step::Spend(at) => spend(COMMANDS[at]),
                Step::Extend => more(&grant, task_item("id")),
                Step::Shorten => GrantEvent::Shorten { end: now.plus(Span::from_mins(30)) },
                Step::End => GrantEvent::End(EndCause::Returned),
                Step::Done => GrantEvent::End(EndCause::TaskDone { outcome: "done".to_owned() }),
                Step::Close => GrantEvent::Close(Vec::new()),
            };
            let Ok((next, _)) = before.clone().apply(event, now) else { continue };
            match step {
                Step::Spend(at) => {
                    prop_assert_eq!(COMMANDS[at], "id");
                    prop_assert!(before.usable_until(now).is_ok());
                    ran += 1;
                }
                Step::Done => prop_assert!(before.spent.is_some()),
                Step::Extend | Step::Shorten | Step::End | Step::Close => {
                    prop_assert_eq!(&next.spent, &before.spent);
                }
            }
            prop_assert_eq!(&next.item, &before.item);
            grant = next;
        }
        prop_assert!(ran <= 1);
        prop_assert_eq!(grant.spent.is_some(), ran == 1);
    }
}

#[test]
fn a_task_opens_no_session_once_it_was_let_run() {
    let fresh = task_grant("id", HOUR, DAY);
    let at = session(&fresh, T0);
    assert!(fresh.session_permit(&at, permit(DAY), T0).is_ok());
    let (spent, fact) = fresh.apply(spend("id"), T0).unwrap();
    assert_eq!(fact.event, "grant.task_spent");
    assert_eq!(fact.detail["task"], Task::digest_of(b"id").to_string());
    let refused = spent.session_permit(&session(&spent, T0), permit(DAY), T0).unwrap_err();
    assert!(refused.to_string().contains("was let run already"), "{refused}");
}

/// No target could hold anybody to one command.
#[test]
fn what_is_issued_for_a_task_is_good_at_the_gateway_only() {
    let of = |grant: &Grant| grant.issue_permit(&lease(grant), permit(HOUR), T0).unwrap();
    assert_eq!(of(&active(HOUR, HOUR)).reach(), Reach::Target, "the control");
    assert_eq!(of(&task_grant("id", HOUR, HOUR)).reach(), Reach::Gateway);
    assert_eq!(of(&active(HOUR, HOUR)).at_the_gateway().reach(), Reach::Gateway);
}

#[test]
fn more_time_is_for_the_same_task() {
    let grant = task_grant("id", HOUR, DAY);
    for (other, good) in [(task_item("id"), true), (task_item("id -u"), false), (item(), false)] {
        assert_eq!(grant.clone().apply(more(&grant, other.clone()), T0).is_ok(), good, "{other:?}");
    }
    let plain = active(HOUR, DAY);
    assert!(plain.clone().apply(more(&plain, task_item("id")), T0).is_err());
}

#[test]
fn less_than_was_asked_is_for_the_same_task() {
    let asked = |item| Ask { items: vec![item], ..ask(HOUR, Start::Now, None) };
    let any_role = |_: &_, _: &_| true;
    for (narrow, wide, within) in [
        (task_item("id"), task_item("id"), true),
        (task_item("id"), task_item("id -u"), false),
        (task_item("id"), item(), false),
        (item(), task_item("id"), false),
    ] {
        assert_eq!(asked(narrow.clone()).is_within(&asked(wide.clone()), any_role), within, "{narrow:?} {wide:?}");
    }
}

/// What was stored before there were tasks reads as it did, and is written as it was.
#[test]
fn a_grant_without_a_task_is_stored_as_before() {
    let plain = serde_json::to_value(active(HOUR, HOUR)).unwrap();
    assert!(plain["item"].get("task").is_none() && plain.get("spent").is_none(), "{plain}");
    assert_eq!(active(HOUR, HOUR).id, id::<GrantId>(40));
}

/// Whoever takes the digest of a command elsewhere checks it against these.
#[test]
fn test_vectors() {
    let mut out = String::from("SHA-256 over `wane.task.v1`, a line feed, and the command.\n");
    for task in ["id", "systemctl restart nginx", "printf '%s\\n' \"déjà vu 🦀\"; exit 7"] {
        let task: Task = task.parse().unwrap();
        out.push_str(&format!("\n{task}\n{}\n", task.digest()));
    }
    golden("tasks.txt", &out);
}
