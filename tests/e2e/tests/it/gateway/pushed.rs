//! A directory says that somebody is not active any more: what they have open is cut, at the database and at the gateway.

use serde_json::json;
use wane_testkit::wait_until;

use super::ending::now;
use super::lab::{Lab, TERMINAL};
use crate::database::{Account, database, register};
use crate::directory::corp::{Corp, arrives, policy};
use crate::people::{SOON, granted};

/// BUG-14, LIV-1.
#[test]
fn who_is_taken_out_of_the_directory_is_cut_off_everywhere() {
    let lab = Lab::new(TERMINAL);
    let postgres = database();
    let wane = &lab.wane;
    register(wane, &postgres, "shop", "open");
    wane.ada.json(&["role", "add", "postgres/readonly", "--set", r#"member_of=["app_read"]"#]).unwrap();
    let corp = Corp::added(&wane.ada, "corp", &[]);
    let (nia, omar) = (corp.person("nia", &json!({})), corp.person("omar", &json!({})));
    corp.group("staff", &[&nia, &omar]);
    wane.load(&policy("corp.staff"));

    let opened = |name: &str| {
        let person = arrives(&wane.server, &wane.ada, name);
        let visitor = lab.comes(&person, "30m");
        let mut shell = visitor.open(&["-T"], &["cat"]);
        shell.send_line("fed").unwrap();
        shell.wait_for("fed", SOON).unwrap();
        let grant = granted(&person, "readonly@shop", "30m");
        let account = Account::of(&person.json(&["credential", &grant]).unwrap());
        let mut psql = postgres.client(&account.user, &account.password, "shop").open().unwrap();
        psql.send_line("SELECT item FROM orders;").unwrap();
        psql.wait_for("teapot", SOON).unwrap();
        (visitor, shell, grant, account, psql)
    };
    let (visitor, shell, grant, account, mut psql) = opened("nia");
    let (_, mut other_shell, _, _, mut other_psql) = opened("omar");

    let began = now();
    corp.disables(&nia);
    let over = shell.wait_exit(SOON).unwrap();
    let cut = now() - began;
    assert!(!over.success(), "{over:?}");
    let gone =
        || postgres.psql("shop", &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{}'", account.user)).unwrap();
    wait_until("the account to be gone", SOON, || gone().trim() == "0").unwrap();
    let ended = now() - began;
    assert!(cut < 10.0 && ended < 10.0, "cut after {cut} s, gone after {ended} s\n{}", wane.server.log());
    let _ = psql.send_line("SELECT 1;");
    assert!(!psql.wait_exit(SOON).unwrap().success(), "the session at the database was not cut");
    wane.wait_closed(&grant);
    let leases = || lab.leases(&visitor.grant);
    wait_until("the session to be written down as gone", SOON, || {
        !leases().is_empty() && leases().iter().all(|lease| lease["state"] == "gone")
    })
    .unwrap();
    assert_eq!(wane.grant(&visitor.grant)["ending"]["reason"], "the holder is disabled");

    // Nobody else noticed.
    other_shell.send_line("still").unwrap();
    other_shell.wait_for("still", SOON).unwrap();
    other_psql.send_line("SELECT 'sti' || 'll';").unwrap();
    other_psql.wait_for("still", SOON).unwrap();
}
