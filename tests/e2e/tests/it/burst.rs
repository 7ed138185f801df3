//! Very many ends in the same second, and a start with as many overdue, on the real server: whoever asks for
//! something meanwhile is answered, every end is done once, and the trail has all of it.
//!
//! The grants are copies, made in the data file, of one that was made over the API. How many is said by
//! `WANE_ENDS`; `cargo xtask soak` says 50,000.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wane_testkit::{SshKey, WaneServer};

use crate::crash::auditor::sqlite;
use crate::people::{Deployment, granted, text};

/// As many as a run of the tests has time for.
const FEW: u64 = 1_000;
/// Longer than this nobody waits for an answer, also on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many ends are done in a second at the least.
const SLOWEST: u64 = 20;
const HALF_AN_HOUR: i64 = 30 * 60;

fn how_many() -> u64 {
    std::env::var("WANE_ENDS").map_or(FEW, |many| many.parse().unwrap())
}

struct Bench {
    wane: Deployment,
    many: u64,
    key: SshKey,
    /// Asks so far: each for a second longer, or it would be covered by the last.
    asked: u64,
}

/// What was seen while the ends were done.
struct Seen {
    took: Duration,
    answered: usize,
    slowest: Duration,
}

impl Bench {
    fn new() -> Self {
        let wane = Deployment::with(WaneServer::builder().with_clock());
        for host in ["web", "west"] {
            wane.paper_host(host, "gate=open");
        }
        wane.deploy_role();
        let key = SshKey::generate(wane.maya.home(), "id").unwrap();
        Self { wane, many: how_many(), key, asked: 0 }
    }

    fn db(&self) -> PathBuf {
        self.wane.server.data().join("wane.db")
    }

    /// A live grant with its certificate, and so many copies of both; the server is stopped. The ids of the
    /// copies begin with this digit.
    fn many_live(&mut self, digit: u8) {
        let grant = granted(&self.wane.maya, "deploy@web", "29m");
        self.certificate(&grant);
        self.wane.server.stop().unwrap();
        // The last digit of an id has two bits that are never set.
        let id = |kind: &str| format!("'{kind}_{digit}' || printf('%024d', i) || '0'");
        let (grants, leases) = (id("grt"), id("lse"));
        let copies =
            format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) ", self.many);
        let made = sqlite(
            &self.db(),
            &format!(
                "PRAGMA synchronous = OFF; BEGIN;
                {copies} INSERT INTO grants (id, generation, holder, resource, role, request, phase, due_at, doc)
                SELECT {grants}, generation, holder, resource, role, request, phase, due_at, json_set(doc, '$.id', {grants})
                FROM n, grants WHERE grants.id = '{grant}';
                {copies} INSERT INTO leases (id, generation, grant_id, resource, role, phase, due_at, doc)
                SELECT {leases}, generation, {grants}, resource, role, phase, due_at,
                    json_set(doc, '$.id', {leases}, '$.grant', {grants}, '$.confirmed', json_extract(doc, '$.at'))
                FROM n, leases WHERE leases.grant_id = '{grant}';
                COMMIT;
                SELECT count(*) AS n FROM grants WHERE id GLOB 'grt_{digit}000*'"
            ),
        );
        assert_eq!(made.last().unwrap()["n"], self.many);
    }

    fn certificate(&self, grant: &str) -> Value {
        let input = json!({ "public_key": self.key.public_line().unwrap() }).to_string();
        self.wane.maya.json(&["credential", grant, "--input", &input]).unwrap()
    }

    /// Works as people do until the last copy is closed.
    #[expect(clippy::disallowed_methods, reason = "how long an answer took is what is judged")]
    fn work_until_closed(&mut self, digit: u8, began: Instant) -> Seen {
        let most = Duration::from_secs(60 + self.many / SLOWEST);
        let (mut answered, mut slowest) = (0, Duration::ZERO);
        loop {
            let open = self.count(&format!(
                "SELECT count(*) AS n FROM grants WHERE id GLOB 'grt_{digit}000*' AND phase <> 'closed'"
            ));
            assert!(
                began.elapsed() < most,
                "{open} of {} are not closed after {most:?}: {}",
                self.many,
                self.wane.server.log()
            );
            self.asked += 1;
            let (time, asks) = (format!("{}s", 60 + self.asked), Instant::now());
            let grant = granted(&self.wane.maya, "deploy@west", &time);
            let asked = asks.elapsed();
            assert!(self.certificate(&grant)["public"]["certificate"].is_string());
            let issued = asks.elapsed().saturating_sub(asked);
            assert!(!self.wane.maya.json(&["requests"]).unwrap()["items"].as_array().unwrap().is_empty());
            let listed = asks.elapsed().saturating_sub(asked + issued);
            for (what, took) in [("an ask", asked), ("a certificate", issued), ("a list", listed)] {
                assert!(took < PATIENCE, "{what} took {took:?} with {open} ends to do");
                slowest = slowest.max(took);
            }
            answered += 3;
            if open == 0 {
                return Seen { took: began.elapsed(), answered, slowest };
            }
        }
    }

    fn count(&self, sql: &str) -> u64 {
        sqlite(&self.db(), sql)[0]["n"].as_u64().unwrap()
    }

    /// Each is ended, gone and closed, and each of that is in the trail once.
    fn assert_whole(&self, digit: u8) {
        let left = format!("SELECT count(*) AS n FROM leases WHERE id GLOB 'lse_{digit}000*' AND phase <> 'gone'");
        assert_eq!(self.count(&left), 0, "leases that are not gone");
        let events = sqlite(
            &self.db(),
            &format!(
                "SELECT event, count(*) AS n, count(DISTINCT grant_id) AS ids FROM trail
                WHERE grant_id GLOB 'grt_{digit}000*' GROUP BY event"
            ),
        );
        for expected in ["grant.ending", "lease.ending", "lease.gone", "grant.closed"] {
            let row = events.iter().find(|row| text(&row["event"]) == expected);
            let row = row.unwrap_or_else(|| panic!("no `{expected}`: {events:?}"));
            assert_eq!((row["n"].as_u64(), row["ids"].as_u64()), (Some(self.many), Some(self.many)), "{events:?}");
        }
        let gaps = "SELECT max(seq) - min(seq) + 1 - count(*) AS n FROM trail";
        assert_eq!(self.count(gaps), 0, "the trail has gaps");
    }
}

fn tell(what: &str, many: u64, seen: &Seen) {
    if let Ok(report) = std::env::var("WANE_SOAK_REPORT") {
        let Seen { took, answered, slowest } = seen;
        let line = format!("{many} ends {what}: {took:.1?}, {answered} answers meanwhile, the slowest {slowest:.1?}\n");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(Path::new(&report)).unwrap();
        std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it took is what is told")]
fn very_many_ends_in_one_second_and_at_one_start_keep_nobody_waiting() {
    let mut bench = Bench::new();
    bench.many_live(1);
    bench.wane.server.start().unwrap();
    // The machine's clock reaches the end of all of them at once.
    let began = Instant::now();
    bench.wane.server.set_clock(HALF_AN_HOUR).unwrap();
    let seen = bench.work_until_closed(1, began);
    bench.assert_whole(1);
    tell("in one second", bench.many, &seen);

    bench.many_live(2);
    bench.wane.server.set_clock(2 * HALF_AN_HOUR).unwrap();
    let began = Instant::now();
    bench.wane.server.start().unwrap();
    let seen = bench.work_until_closed(2, began);
    bench.assert_whole(2);
    tell("overdue at the start", bench.many, &seen);
    assert!(!bench.wane.server.log().contains("panic"), "{}", bench.wane.server.log());
}
