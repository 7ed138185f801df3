//! What a plan does to a program.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use wane_testkit::wait_until;

use crate::child::{finish, start};

const ALL: &[&str] = &["step", "effect", "call", "step", "effect", "call", "end"];

#[test]
fn without_a_plan_nothing_happens() {
    let (said, status) = finish(start("", None));
    assert_eq!(said, ALL);
    assert!(status.success());
}

#[test]
fn a_kill_is_a_kill_at_the_hit_that_was_named() {
    for (plan, expected) in [
        ("child.step=kill", 0),
        ("child.effect:before=kill", 1),
        ("child.effect:after=kill", 2),
        ("child.call:before=kill@2", 5),
        ("child.call:after=kill@2", 6),
    ] {
        let (said, status) = finish(start(plan, None));
        assert_eq!(said, &ALL[..expected], "{plan}");
        assert_eq!(status.signal(), Some(9), "{plan}");
    }
}

#[test]
fn every_hit_is_traced_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let (_, status) = finish(start("", Some(&trace)));
    assert!(status.success());
    let once = ["child.step", "child.effect:before", "child.effect:after", "child.call:before", "child.call:after"];
    let lines: Vec<String> = fs::read_to_string(&trace).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines, [once, once].concat());
}

#[test]
fn a_plan_that_cannot_be_followed_is_refused_at_the_start() {
    let (said, _) = finish(start("child.step=explode", None));
    assert!(said.concat().contains("`explode` is no action of a failpoint"), "{said:?}");
    let (said, _) = finish(start("@/nowhere/plan", None));
    assert!(said.concat().contains("cannot be read"), "{said:?}");
}

#[test]
fn a_held_place_waits_until_it_is_let_go_and_a_plan_may_change_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, gate) = (folder.path().join("plan"), folder.path().join("gate"));
    fs::write(&plan, format!("child.effect:before=hold:{}", gate.display())).unwrap();
    let child = start(&format!("@{}", plan.display()), None);
    let reached = folder.path().join("gate.reached");
    wait_until("the held place", Duration::from_secs(30), || reached.exists()).unwrap();
    fs::write(&plan, "child.call:before=kill").unwrap();
    fs::write(&gate, "").unwrap();
    let (said, status) = finish(child);
    assert_eq!(said, ["step", "effect"]);
    assert_eq!(status.signal(), Some(9));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a delay is seen by the clock alone")]
fn a_delay_waits_from_the_hit_on_that_was_named() {
    let began = Instant::now();
    let (said, _) = finish(start("child.call:after=delay:300@2..;child.step=delay:300@2..", None));
    assert_eq!(said, ALL);
    assert!(began.elapsed() >= Duration::from_millis(600));
}
