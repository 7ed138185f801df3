//! Who is here for a time and who leaves, with a database account, a certificate and sessions through the gateway open.

use serde_json::Value;
use wane_testkit::{Ended, Interactive, PersonSession, Postgres, WaneServer, WaneServerBuilder, wait_until};

use super::ending::{SECOND, last_tick};
use super::lab::{Lab, TERMINAL, Visitor};
use crate::database::{furnished, register};
use crate::people::{SOON, ask_and_wait, granted, items, refused, text};

/// Says the time again and again.
const TICKS: &str = "while :; do date +%s.%N; sleep 0.02; done";

/// A gateway with the host `web` behind it, and the database `shop`.
struct Office {
    lab: Lab,
    postgres: Postgres,
}

/// What somebody has open.
struct Open {
    web: Visitor,
    shop: String,
    user: String,
    password: String,
    psql: Interactive,
    ssh: Interactive,
}

impl Office {
    fn new(builder: WaneServerBuilder) -> Self {
        let lab = Lab::built(builder, TERMINAL, &[]);
        let postgres = furnished(Postgres::launch().unwrap());
        register(&lab.wane, &postgres, "shop", "open");
        lab.wane.ada.json(&["role", "add", "postgres/readonly", "--set", r#"member_of=["app_read"]"#]).unwrap();
        Self { lab, postgres }
    }

    fn ada(&self) -> &PersonSession {
        &self.lab.wane.ada
    }

    /// Opens a session at the database and one through the gateway.
    fn opens(&self, person: &PersonSession, on_web: &str) -> Open {
        let shop = granted(person, "readonly@shop", "30m");
        let made = person.json(&["credential", &shop]).unwrap();
        let (user, password) = (text(&made["public"]["user"]), text(&made["secret"]));
        let mut psql = self.postgres.client(&user, &password, "shop").open().unwrap();
        psql.send_line("SELECT item FROM orders;").unwrap();
        psql.wait_for("teapot", SOON).unwrap();
        let web = self.lab.comes(person, on_web);
        let ssh = web.open(&["-tt"], &[TICKS]);
        wait_until("the terminal to tick", SOON, || ssh.stdout().lines().count() > 3).unwrap();
        Open { web, shop, user, password, psql, ssh }
    }

    fn person(&self, name: &str) -> Value {
        self.ada().json(&["person", "show", name]).unwrap()
    }

    fn accounts(&self) -> String {
        let sql = r"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wane\_%' AND rolname <> 'wane_left_behind'";
        self.postgres.psql("shop", sql).unwrap().trim().to_owned()
    }

    /// The report, and how the command came out.
    fn report(&self, name: &str) -> (Value, Ended) {
        let outcome = self.ada().run(&["--json", "offboard", name, "--report"]).unwrap();
        (serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {outcome:?}")), outcome.ended)
    }

    fn is_out(&self, person: &PersonSession) {
        refused(person, &["me"], 3);
        refused(person, &["request", "readonly@shop", "--for", "5m"], 3);
        let password = person.password_file().display().to_string();
        refused(person, &["login", "--person", person.name(), "--password-file", &password, "--totp", "000000"], 3);
    }
}

impl Open {
    /// Both sessions were cut and open nothing any more; what the one through the gateway showed.
    fn comes_cut(mut self, office: &Office, why: &str) -> String {
        let ssh = self.ssh.wait_exit(SOON).unwrap();
        assert!(!ssh.success() && format!("{}{}", ssh.stdout, ssh.stderr).contains(why), "{why}: {ssh:?}");
        wait_until("the accounts to be gone", SOON, || office.accounts() == "0").unwrap();
        let _ = self.psql.send_line("SELECT 1;");
        let psql = self.psql.wait_exit(SOON).unwrap();
        assert!(!psql.success(), "the session at the database was not cut: {psql:?}");
        assert!(!office.postgres.psql_as(&self.user, &self.password, "shop", "SELECT 1").unwrap().success());
        let again = self.web.run("id");
        assert!(!again.success() && again.stdout.is_empty(), "{again:?}");
        ssh.stdout
    }
}

fn seconds(at: &str) -> f64 {
    let said = std::process::Command::new("date").args(["-d", at, "+%s.%N"]).output().unwrap();
    String::from_utf8_lossy(&said.stdout).trim().parse().unwrap()
}

#[test]
fn when_somebodys_time_is_over_everything_open_is_cut() {
    let office = Office::new(WaneServer::builder());
    let (ada, maya) = (office.ada(), &office.lab.wane.maya);
    let open = office.opens(maya, "10m");
    ada.json(&["person", "sponsor", "maya", "ada"]).unwrap();
    let shown = ada.json(&["person", "until", "maya", "+12s"]).unwrap();
    let until = text(&shown["until"]);
    assert_eq!(shown["sponsor"], "ada");
    let ends = |grant: &str| seconds(&text(&office.lab.wane.grant(grant)["end"]));
    wait_until("what is held to be brought forward", SOON, || {
        [&open.shop, &open.web.grant].iter().all(|grant| ends(grant) <= seconds(&until))
    })
    .unwrap();
    let (shop, web) = (open.shop.clone(), open.web.grant.clone());
    let last = last_tick(&open.comes_cut(&office, "its time is up"));
    assert!(last < seconds(&until) + SECOND, "a byte passed {} s after it was over", last - seconds(&until));
    office.is_out(maya);
    assert_eq!(office.lab.wane.wait_closed(&shop)["closure"]["cause"], "expired");
    wait_until("that they left to be booked", SOON, || office.person("maya")["left"].is_string()).unwrap();
    let person = office.person("maya");
    assert_eq!((&person["standing"], &person["groups"]), (&"disabled".into(), &Value::Array(Vec::new())));
    let log = ada.json(&["log", "--event", "person.left"]).unwrap();
    assert_eq!(items(&log)[0]["detail"]["why"], "their time is over", "{log}");
    assert_eq!(office.lab.wane.grant(&web)["ending"]["cause"], "expired");
}

/// A server that was off at that moment starts into a world in which they are out.
#[test]
fn a_server_that_was_off_when_somebodys_time_was_over_lets_nobody_in() {
    let mut office = Office::new(WaneServer::builder());
    let maya = office.lab.wane.maya.clone();
    let open = office.opens(&maya, "10m");
    let until = text(&office.ada().json(&["person", "until", "maya", "+8s"]).unwrap()["until"]);
    let end = |office: &Office, grant: &str| seconds(&text(&office.lab.wane.grant(grant)["end"]));
    wait_until("what is held to be brought forward", SOON, || end(&office, &open.shop) <= seconds(&until)).unwrap();
    office.lab.wane.server.kill_9().unwrap();
    wait_until("their time to be over", SOON, || super::ending::now() > seconds(&until)).unwrap();
    office.lab.wane.server.start().unwrap();
    refused(&maya, &["me"], 3);
    wait_until("that they left to be booked", SOON, || office.person("maya")["left"].is_string()).unwrap();
    wait_until("the accounts to be gone", SOON, || office.accounts() == "0").unwrap();
    assert!(!office.postgres.psql_as(&open.user, &open.password, "shop", "SELECT 1").unwrap().success());
    let (report, _) = office.report("maya");
    assert_eq!(report["by"], Value::Null, "{report:#}");
}

#[test]
fn whoever_is_sent_away_is_out_everywhere_and_the_report_proves_it() {
    let office = Office::new(WaneServer::builder());
    let (ada, maya) = (office.ada(), &office.lab.wane.maya);
    // Somebody made her an account of her own once, and a policy that nobody was asked about yet.
    office.postgres.psql("shop", "CREATE ROLE maya LOGIN; GRANT SELECT ON orders TO maya").unwrap();
    let address = ["host", "add", "gated", "--label", "gate=one", "--address", "127.0.0.1:9", "--read-back", "none"];
    ada.json(&address).unwrap();
    let waits = ask_and_wait(maya, "deploy@gated", "5m");
    refused(maya, &["offboard", "maya"], 3);
    refused(ada, &["offboard", "ada"], 5);
    refused(ada, &["offboard", "maya", "--report"], 5);
    // Last: her certificate has to be good still when she is sent away.
    let open = office.opens(maya, "25s");

    // The certificate cannot be called back at a host that is not read back, and the report says so until it ran out.
    let said = ada.run(&["--json", "offboard", "maya", "-m", "contract over", "--wait", "1s"]).unwrap();
    assert_eq!(said.ended, Ended::Code(9), "{said:?}");
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&report["complete"], &report["by"]), (&false.into(), &"ada".into()), "{report:#}");
    open.comes_cut(&office, "contract over");
    office.is_out(maya);
    wait_until("everything to be over", SOON, || office.report("maya").1 == Ended::Code(0)).unwrap();
    let (report, _) = office.report("maya");
    assert_eq!(report["owed"], 0);
    let words: Vec<String> = items_of(&report["held"]).iter().map(|held| text(&held["closure"]["word"])).collect();
    assert!(words.contains(&"gone".to_owned()) && words.contains(&"ran out".to_owned()), "{words:?}");
    assert_eq!(report["requests"], Value::Array(vec![waits.into()]));
    assert_eq!((&report["password"], &report["groups"][0]), (&true.into(), &"engineers".into()), "{report:#}");
    let strangers = items_of(&report["accounts"]["found"]);
    assert!(strangers.iter().any(|a| a["principal"] == "maya" && a["resource"] == "shop"), "{report:#}");
    let still = office.postgres.psql("shop", "SELECT count(*) FROM pg_roles WHERE rolname = 'maya'").unwrap();
    assert_eq!(still.trim(), "1", "what was never made here was touched");
    // In words, for people, and said again.
    let words = ada.run(&["offboard", "maya"]).unwrap();
    assert!(words.success() && words.stdout.contains("everything they held, with evidence"), "{words:?}");
    assert!(words.stdout.contains("ran out") && words.stdout.contains("not touched"), "{}", words.stdout);
}

fn items_of(list: &Value) -> &Vec<Value> {
    list.as_array().unwrap_or_else(|| panic!("no list: {list}"))
}

/// A target that is down is owed: said, with why and when it is tried next, until it is done.
#[test]
fn what_a_dead_target_owes_is_said_until_it_is_done() {
    let mut office = Office::new(WaneServer::builder());
    let maya = office.lab.wane.maya.clone();
    let shop = granted(&maya, "readonly@shop", "30m");
    maya.json(&["credential", &shop]).unwrap();
    office.postgres.stop().unwrap();
    let said = office.ada().run(&["--json", "offboard", "maya", "--wait", "3s"]).unwrap();
    assert_eq!(said.ended, Ended::Code(9), "{said:?}");
    let mut report = Value::Null;
    wait_until("the first try to be booked", SOON, || {
        report = office.report("maya").0;
        let debt = &report["held"][0]["leases"][0]["debt"];
        debt["last"].is_string() && debt["next"].is_string()
    })
    .unwrap_or_else(|e| panic!("{e}: {report:#}"));
    let lease = &report["held"][0]["leases"][0];
    assert_eq!((&report["complete"], &report["owed"], &lease["state"]), (&false.into(), &1.into(), &"revoking".into()));
    let unseen = items_of(&report["accounts"]["unseen"]);
    assert!(unseen.iter().any(|u| u["resource"] == "shop"), "a target that is down was said to be seen: {report:#}");
    office.postgres.start().unwrap();
    wait_until("it to be done", SOON, || office.report("maya").1 == Ended::Code(0)).unwrap();
    let (report, _) = office.report("maya");
    assert_eq!(report["held"][0]["closure"]["word"], "gone", "{report:#}");
    assert_eq!(office.accounts(), "0");
}

/// The server dies over booking that somebody's time is over, on either side: nobody gets in, and it is booked once.
#[test]
fn a_kill_over_booking_that_somebody_left_lets_nobody_in() {
    let mut office = Office::new(WaneServer::builder().failpoints());
    for (name, side) in [("gil", "before"), ("kim", "after")] {
        let wane = &mut office.lab.wane;
        let person = wane.server.newcomer(&wane.ada, name, &["engineers"]).unwrap();
        let shop = granted(&person, "readonly@shop", "30m");
        person.json(&["credential", &shop]).unwrap();
        wane.server.plan(&format!("app.leave.commit:{side}=kill")).unwrap();
        wane.ada.json(&["person", "until", name, "+4s"]).unwrap();
        wait_until("the server to die over it", SOON, || wane.server.died().is_some()).unwrap();
        wane.server.plan("").unwrap();
        wane.server.start().unwrap();
        refused(&person, &["me"], 3);
        wait_until("that they left to be booked", SOON, || office.person(name)["left"].is_string()).unwrap();
        wait_until("the accounts to be gone", SOON, || office.accounts() == "0").unwrap();
        let log = office.ada().json(&["log", "--event", "person.left", "--person", name]).unwrap();
        assert_eq!(items(&log).len(), 1, "{log}");
    }
}
