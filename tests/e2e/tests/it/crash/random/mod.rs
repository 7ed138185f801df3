//! Kills at random, while people work: what was answered holds, and in the end nothing is left.
//!
//! The seed says what is chosen; when threads and servers come by is not in its hand, so a seed finds
//! again what it found often and not always.

mod chance;
mod field;
mod killer;
mod memory;
mod office;
mod work;

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wane_testkit::wait_until;

use self::chance::{Chance, Run};
use self::field::Field;
use self::killer::Killer;
pub(in crate::crash) use self::memory::facts;
use self::office::Office;
use self::work::Engineer;
use crate::crash::auditor::{Ledger, standing};
use crate::people::SOON;

/// How many kills every test run has.
const KILLS: usize = 20;

/// BUG-47, BUG-65, INV-2, INV-8, INV-9, INV-11, INV-13, LIV-3, LIV-4, FLT-1.
#[test]
#[expect(clippy::disallowed_methods, reason = "a run of so many minutes")]
fn killed_at_random_while_people_work_nothing_is_forgotten() {
    let run = Run::told();
    println!("seed {}; the same choices again: WANE_SEED={}", run.seed, run.seed);
    let (mut server, field) = Field::prepare();
    let began = Instant::now();
    let more = |kills: usize| match run.minutes {
        Some(minutes) => began.elapsed() < Duration::from_secs(60 * minutes),
        None => kills < KILLS,
    };
    let office = Office::new(&field, &server, Chance::new(run.seed, 3));
    // What only the making of a deployment hits comes never again.
    server.trace().unwrap();
    let mut killer = Killer::new(&mut server, &field, Chance::new(run.seed, 0));
    let mut wrong = Vec::new();
    let open = std::thread::scope(|scope| {
        let engineers = [1, 2].map(|n| {
            let engineer = Engineer::new(&field, n - 1, Chance::new(run.seed, n as u64));
            scope.spawn(move || engineer.work())
        });
        let office = scope.spawn(move || office.work());
        // A panic in here must not leave the others at work.
        let over = Over(&field);
        while wrong.is_empty() && more(killer.kills) {
            wrong = killer.kill();
        }
        drop(over);
        killer.calm();
        office.join().unwrap();
        engineers.into_iter().flat_map(|engineer| engineer.join().unwrap()).collect::<Vec<_>>()
    });
    if wrong.is_empty() {
        wrong = killer.settle();
    }
    if wrong.is_empty() {
        wrong = left(&field, &killer);
    }
    wrong.extend(field.memory().wrong.iter().cloned());
    let sum = format!(
        "seed {}: {} kills ({} at a place), {} troubles of targets, {} handed out, {} sessions opened",
        run.seed,
        killer.kills,
        killer.at_places,
        killer.troubles,
        field.memory().handed.len(),
        open.len(),
    );
    println!("{sum}\n{:?}\n{}", field.memory().tally, killer.story.join("\n"));
    report(&sum);
    assert!(wrong.is_empty(), "{sum}: {wrong:#?}\n{}", killer.server.log());
    for mut session in open {
        // It sees only now that it was cut.
        let _ = session.send_line("SELECT 1;");
        session.close_input();
        let outcome = session.wait_exit(SOON).unwrap();
        assert!(!outcome.success(), "{sum}: a session was not cut: {outcome:?}");
    }
}

/// Says to everybody that it is over.
struct Over<'f>(&'f Field);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

/// Everything is over: what is still to be found, and what still opens.
fn left(field: &Field, killer: &Killer<'_>) -> Vec<String> {
    let db = killer.database();
    let ledger = Ledger::read(&db);
    let mut wrong = field.memory().complaints(&ledger, &facts(&db));
    for shop in 0..field.shops.len() {
        let mut last = standing(&field.shop(shop));
        // A session that was cut is listed until its backend has gone.
        let bare = wait_until("the target to be bare", SOON, || {
            last = standing(&field.shop(shop));
            last.is_bare()
        });
        if bare.is_err() {
            wrong.push(format!("left at target {shop}: {last:?}"));
        }
    }
    for one in &field.memory().passwords {
        let login = field.shop(one.shop).psql_as(&one.user, &one.password, "shop", "SELECT 1").unwrap();
        if login.success() {
            wrong.push(format!("the password of {} still works", one.user));
        }
    }
    let works = |certificate: &&std::path::PathBuf| field.ssh(certificate).run("id -un").unwrap().success();
    wrong.extend(field.memory().certificates.iter().filter(works).map(|c| format!("{} still works", c.display())));
    wrong
}

/// Where a longer run wants to be told of it.
fn report(line: &str) {
    if let Some(file) = std::env::var_os("WANE_SOAK_REPORT") {
        let mut file = std::fs::File::options().append(true).create(true).open(Path::new(&file)).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}
