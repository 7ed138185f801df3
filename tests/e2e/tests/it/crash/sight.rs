//! The auditor can see: what is planted is complained about, and nothing else.

use std::path::Path;

use super::auditor::{Ledger, sqlite, standing};
use super::database::Bench;
use super::lab::{Lab, Who};
use crate::people::text;

#[test]
fn the_auditor_sees_what_is_planted() {
    let mut bench = Bench::new();
    let asked = bench.lab.say(Who::Maya, &["request", "readonly@shop", "--for", "20m"]);
    let request = text(&Lab::said(&asked).unwrap()["id"]);
    bench.lab.say(Who::Omar, &["approve", &request]);
    let grant = bench.lab.grant_of(&request);
    assert!(bench.credential_for(&grant), "nothing was handed out");
    assert_eq!(bench.complaints(), Vec::<String>::new());

    // A role in our name that is nobody's.
    bench.postgres.psql("postgres", "CREATE ROLE wane_stray LOGIN").unwrap();
    assert!(bench.complaints().concat().contains("belongs to no lease"), "{:?}", bench.complaints());
    bench.postgres.psql("postgres", "DROP ROLE wane_stray").unwrap();
    assert_eq!(bench.complaints(), Vec::<String>::new());

    // The rest is planted in a copy of the ledger.
    bench.lab.wane.server.stop().unwrap();
    let own = bench.lab.wane.server.data().join("wane.db");
    let copy = |name: &str, change: &str| {
        let copy = bench.lab.wane.server.folder().join(name);
        sqlite(&own, &format!("VACUUM INTO '{}'", copy.display()));
        sqlite(&copy, "DROP TRIGGER trail_keeps_what_it_has");
        sqlite(&copy, change);
        audited(&bench, &copy)
    };
    for (name, change, expected) in [
        ("hidden", "UPDATE leases SET phase = 'gone'", "is said to be gone"),
        ("unrecorded", "DELETE FROM trail WHERE event = 'lease.made'", "record: false"),
        ("unintended", "DELETE FROM trail WHERE event = 'lease.intended'", "not with an intent"),
        ("rowless", "DELETE FROM leases", "there is no such row"),
        ("over", "UPDATE grants SET phase = 'closed'", "nothing is owed"),
        ("asked", "DELETE FROM trail WHERE event = 'request.opened'", "opened without a record"),
    ] {
        let wrong = copy(name, change);
        assert!(wrong.concat().contains(expected), "{name}: {wrong:?}");
    }
}

fn audited(bench: &Bench, db: &Path) -> Vec<String> {
    let ledger = Ledger::read(db);
    [ledger.complaints(&bench.lab.handed), ledger.against(&standing(&bench.postgres))].concat()
}
