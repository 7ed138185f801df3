//! The bookkeeping of residue, without a target.

use super::*;
use wane_domain::id::TypedId as _;
use wane_domain::lease::artifact_name;

fn lease(n: u8) -> LeaseId {
    LeaseId::mint(Time::from_micros(i64::from(n)), &[n; 10])
}

fn target(n: u8) -> ResourceId {
    ResourceId::mint(Time::from_micros(0), &[n; 10])
}

fn at(secs: i64) -> Time {
    Time::from_micros(secs * 1_000_000)
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Scans of one second each.
fn ledger(scans: &[(i64, &[&str])]) -> Ledger {
    let enter = |before, (begun, seen): &(i64, &[&str])| {
        Some(Ledger::enter(before, lines(seen), at(*begun), at(begun + 1)).unwrap())
    };
    scans.iter().fold(None, enter).unwrap()
}

fn left(ledger: &Ledger, ended: &[(LeaseId, Time)], open: &[LeaseId]) -> Vec<(LeaseId, Vec<String>)> {
    let found = ledger.judge(ended, &open.iter().copied().collect());
    found.into_iter().map(|one| (one.lease, one.left)).collect()
}

#[test]
fn what_came_after_a_lease_began_may_be_of_it_and_no_more() {
    let ledger = ledger(&[(10, &["old"]), (20, &["old", "early", "gone"]), (40, &["old", "early", "late"])]);
    let both = lines(&["early", "late"]);
    for (began, expected) in [
        (5, None),
        // During the first scan: whether its lines were there before cannot be known.
        (10, None),
        (11, Some((10, both.clone()))),
        (15, Some((10, both))),
        (21, Some((20, lines(&["late"])))),
        (41, Some((40, lines(&[])))),
    ] {
        let found = ledger.judge(&[(lease(1), at(began))], &HashSet::new());
        let found = found.first().map(|one| (one.since, one.left.clone()));
        let expected = expected.map(|(since, left)| (at(since), left));
        assert_eq!(found, expected, "of a lease that began at {began}");
    }
}

#[test]
fn a_line_that_went_and_came_again_is_new() {
    let ledger = ledger(&[(10, &["x"]), (20, &[]), (30, &["x"])]);
    assert_eq!(left(&ledger, &[(lease(1), at(25))], &[]), [(lease(1), lines(&["x"]))]);
}

#[test]
fn what_names_another_lease_is_left_to_it() {
    let [one, two, open, gone] = [1, 2, 3, 4].map(|n| format!("role {}", artifact_name(lease(n))));
    let ledger = ledger(&[(10, &["old"]), (20, &["old", "free", &one, &two, &open, &gone])]);
    let ended = [(lease(1), at(12)), (lease(2), at(13))];
    let mut others = ledger.others(&ended);
    others.sort();
    assert_eq!(others, [lease(3), lease(4)]);
    let found = left(&ledger, &ended, &[lease(3)]);
    // Its own first; what names a lease that is long gone is anybody's.
    let anybodys = || lines(&["free", &gone]);
    let with = |own: &str| [lines(&[own]), anybodys()].concat();
    assert_eq!(found, [(lease(1), with(&one)), (lease(2), with(&two))]);
    // What was seen by the moment a lease began is not of it, whatever name it carries.
    let then = [(lease(1), at(21))];
    assert_eq!((ledger.others(&then), left(&ledger, &then, &[])), (vec![], vec![(lease(1), vec![])]));
    // A name that only begins like one names nobody.
    assert_eq!(names(&format!("{}x, wane_left_behind", artifact_name(lease(1)))), []);
    assert_eq!(names(&format!("function \"{}\".f()", artifact_name(lease(1)))), [lease(1)]);
}

#[test]
fn a_target_that_never_shows_a_trace_is_not_judged() {
    let nothing = ledger(&[(10, &[]), (20, &[])]);
    assert_eq!(left(&nothing, &[(lease(1), at(12))], &[]), []);
    // One that did once is, even with nothing there.
    let clean = ledger(&[(10, &["x"]), (20, &[])]);
    assert_eq!(left(&clean, &[(lease(1), at(12))], &[]), [(lease(1), lines(&[]))]);
}

#[test]
fn everything_is_bounded() {
    let many = |n: usize| (0..n).map(|n| format!("line {n}")).collect::<Vec<_>>();
    assert_eq!(Ledger::enter(None, many(MOST_LINES + 1), at(1), at(2)), Err(TooMany(MOST_LINES + 1)));
    let before = ledger(&[(1, &["x"])]);
    let full = Ledger::enter(Some(before), many(MOST_LINES), at(10), at(11)).unwrap();
    let found = full.judge(&[(lease(1), at(5))], &HashSet::new());
    assert_eq!((found[0].left.len(), found[0].more), (MOST_LEFT, MOST_LINES - MOST_LEFT));
    // A burst of ends that all left something is told in fewer lines each.
    let burst: Vec<_> = (0..=255).map(|n| (lease(n), at(5))).collect();
    let told: usize = full.judge(&burst, &HashSet::new()).iter().map(|one| one.left.len()).sum();
    assert!(told <= MOST_TOLD, "{told} lines in the records of one scan");

    let mut long = ledger(&[(0, &["x"])]);
    for n in 1..5_000 {
        long = Ledger::enter(Some(long), lines(&["x"]), at(n * 10), at(n * 10 + 1)).unwrap();
    }
    assert!(long.scans.len() <= MOST_SCANS, "{} scans are kept", long.scans.len());
    assert_eq!((long.before(at(5)), long.before(at(49_995))), (Some(at(0)), Some(at(49_990))));
}

#[test]
fn the_newer_half_of_many_scans_is_kept_and_every_second_of_the_older() {
    let scan = |before, n| Some(Ledger::enter(before, lines(&["x"]), at(n), at(n)).unwrap());
    let kept = |ledger: &Ledger| ledger.scans.iter().map(|(begun, _)| begun.seconds()).collect::<Vec<_>>();
    let most = i64::try_from(MOST_SCANS).unwrap();
    let full = (0..most).fold(None, scan).unwrap();
    assert_eq!(kept(&full), (0..most).collect::<Vec<_>>(), "not yet too many");
    let one_more = scan(Some(full), most).unwrap();
    assert_eq!(kept(&one_more), (0..most / 2).step_by(2).chain(most / 2..=most).collect::<Vec<_>>());
}

/// A watch over targets whose baseline was taken.
fn watch(targets: &[ResourceId]) -> Watch {
    let mut watch = Watch::default();
    watch.only(targets.iter().map(|id| (*id, &Value::Null)), at(0));
    for scan in watch.start(at(0), |_| false) {
        watch.done(with(scan, &["x"], 0), at(1));
    }
    watch
}

fn with(mut scan: Scan, seen: &[&str], begun: i64) -> Scan {
    scan.ledger = Some(Ledger::enter(scan.ledger, lines(seen), at(begun), at(begun + 1)).unwrap());
    scan
}

#[test]
fn a_burst_of_ends_is_one_scan() {
    let (here, other) = (target(1), target(2));
    let mut watch = watch(&[here, other]);
    assert_eq!(watch.start(at(100), |_| false).len(), 0, "a scan that nothing asked for");
    (0..50).for_each(|n| watch.ended(here, lease(n), at(100 + i64::from(n) / 20)));
    assert_eq!(watch.start(at(102), |id| id == here).len(), 0, "not waited for the queue");
    assert_eq!(watch.next(at(102)), Some(at(105)));
    let scans = watch.start(at(105), |id| id == here);
    let [scan] = <[Scan; 1]>::try_from(scans).unwrap();
    assert_eq!((scan.target, scan.ended.len()), (here, 50));
    // Whoever ends meanwhile is of the next.
    watch.ended(here, lease(60), at(105));
    assert_eq!(watch.start(at(200), |_| false).len(), 0, "two scans of one target at once");
    let done = Scan { ended: BTreeSet::new(), took: Span::from_secs(2), ..with(scan, &["x"], 105) };
    watch.done(done, at(200));
    assert_eq!((watch.start(at(207), |_| false).len(), watch.next(at(207))), (0, Some(at(208))), "no rest");
    let scans = watch.start(at(208), |_| false);
    assert_eq!(scans[0].ended, BTreeSet::from([lease(60)]));
    assert!(scans[0].ledger.is_some(), "what was known is lost");
}

#[test]
fn an_idle_queue_is_not_waited_for() {
    let mut watch = watch(&[target(1)]);
    watch.ended(target(1), lease(1), at(10));
    assert_eq!(watch.start(at(10), |_| false).len(), 1);
}

#[test]
fn a_target_that_has_rested_waits_for_its_queue_alone() {
    let mut watch = watch(&[target(1)]);
    watch.ended(target(1), lease(1), at(1));
    assert_eq!(watch.next(at(1)), Some(at(1).plus(LONGEST_WAIT)));
}

#[test]
fn only_so_many_ended_leases_wait_for_one_target() {
    let mut watch = watch(&[target(1)]);
    let lease = |n: usize| LeaseId::mint(Time::from_micros(i64::try_from(n).unwrap() * 1_000), &[0; 10]);
    (0..=MOST_ENDED).for_each(|n| watch.ended(target(1), lease(n), at(10)));
    let scan = watch.start(at(10), |_| false).pop().unwrap();
    assert_eq!(scan.ended.len(), MOST_ENDED);
}

#[test]
fn what_failed_is_judged_at_the_next_visit() {
    let mut watch = watch(&[target(1)]);
    watch.ended(target(1), lease(1), at(10));
    let failed = watch.start(at(10), |_| false).pop().unwrap();
    watch.done(failed, at(11));
    assert_eq!((watch.start(at(500), |_| false).len(), watch.next(at(500))), (0, None), "tried again at once");
    watch.visited(at(900));
    let again = watch.start(at(900), |_| true).pop().unwrap();
    assert_eq!(again.ended, BTreeSet::from([lease(1)]));
    assert!(again.ledger.is_some(), "the baseline is lost");
}

#[test]
fn another_machine_begins_anew() {
    let (here, settings) = (target(1), serde_json::json!({ "address": "elsewhere" }));
    let mut watch = watch(&[here]);
    watch.ended(here, lease(1), at(10));
    let old = watch.start(at(10), |_| false).pop().unwrap();
    watch.only([(here, &settings)].into_iter(), at(11));
    watch.done(old, at(12));
    let new = watch.start(at(12), |_| false).pop().unwrap();
    assert!(new.ledger.is_none() && new.ended.is_empty(), "{new:?}");
    watch.only(std::iter::empty(), at(13));
    watch.done(new, at(14));
    watch.visited(at(15));
    assert_eq!(watch.start(at(15), |_| false).len(), 0, "a target that is no longer registered");
}

#[test]
fn few_are_scanned_at_once() {
    let targets: Vec<_> = (0..20).map(target).collect();
    let mut watch = Watch::default();
    watch.only(targets.iter().map(|id| (*id, &Value::Null)), at(0));
    let first = watch.start(at(0), |_| false);
    assert_eq!((first.len(), watch.next(at(0))), (AT_ONCE, None));
    first.into_iter().for_each(|scan| watch.done(scan, at(1)));
    assert_eq!(watch.start(at(1), |_| false).len(), AT_ONCE);
}
