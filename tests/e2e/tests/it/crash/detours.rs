//! Ways a life takes now and then, with a kill at every step: more time, no decision, a refusal, a lock,
//! a target that cannot make it, an account that owns things, an orphan.

use wane_testkit::{Interactive, wait_until};

use super::auditor::standing;
use super::database::Bench;
use super::lab::{Lab, Who};
use super::points;
use crate::people::{POLICY, SOON, text};

/// The ways, on one deployment: the database is known as `shop`, where one must approve, and as `stock`.
struct Detours {
    bench: Bench,
}

impl Detours {
    fn new() -> Self {
        let bench = Bench::new();
        bench.register("stock", "open");
        bench.lab.wane.paper_host("brief", "gate=brief");
        bench.lab.wane.deploy_role();
        Self { bench }
    }

    fn lab(&mut self) -> &mut Lab {
        &mut self.bench.lab
    }

    fn request(&mut self, item: &str, time: &str) -> serde_json::Value {
        let asked = self.lab().say(Who::Maya, &["request", item, "--for", time]);
        Lab::said(&asked).unwrap_or_else(|| panic!("{asked:?}"))
    }

    fn granted(&mut self) -> String {
        text(&self.request("readonly@stock", "20m")["items"][0]["grant"])
    }

    fn assert_sound(&self) {
        let wrong = self.bench.complaints();
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", self.bench.lab.wane.server.log());
    }

    /// Nothing is owed and nothing is left.
    fn assert_over(&mut self) {
        self.lab().settle(None);
        self.assert_sound();
        let left = standing(&self.bench.postgres);
        assert!(left.is_bare(), "{left:?}");
    }

    /// Nobody decides, somebody says no, somebody takes it back: there is no grant of it.
    fn nobody_is_granted(&mut self) {
        for (place, words) in
            [("app.decline.commit:before", ["deny", "-m", "no"]), ("app.decline.commit:after", ["withdraw", "", ""])]
        {
            let request = text(&self.request("readonly@shop", "20m")["id"]);
            let who = if words[0] == "deny" { Who::Omar } else { Who::Maya };
            let words: Vec<&str> =
                [words[0], &request, words[1], words[2]].into_iter().filter(|w| !w.is_empty()).collect();
            self.lab().die_over(place, who, &words);
            self.assert_ungranted(&request);
        }
        for place in ["app.lapse.commit:before", "app.lapse.commit:after"] {
            // Before it is asked: it lapses in no time.
            self.lab().wane.server.plan(&format!("{place}=kill")).unwrap();
            let request = text(&self.request("deploy@brief", "20m")["id"]);
            self.lab().die_at(place);
            self.lab().start();
            let ada = &self.bench.lab.wane.ada;
            wait_until("it to lapse", SOON, || ada.json(&["requests", &request]).unwrap()["state"] == "lapsed")
                .unwrap();
            self.assert_ungranted(&request);
        }
        self.assert_sound();
    }

    fn assert_ungranted(&self, request: &str) {
        assert!(self.bench.lab.ledger().grants.iter().all(|g| g["request"] != request), "{request} became a grant");
    }

    /// More time, less time, and a target that cannot be told.
    fn time_is_changed(&mut self) {
        let grant = self.granted();
        assert!(self.bench.credential_for(&grant));
        let more = ["extend", &grant, "--for", "1m"];
        for place in [
            "app.extend.commit:before",
            "app.extend.commit:after",
            "app.extend.target:before",
            "postgres.extend:before",
            "postgres.extend:after",
            "app.extend.target:after",
        ] {
            let extended = self.lab().die_over(place, Who::Maya, &more);
            assert!(extended.success(), "{place}: {extended:?}");
        }
        self.bench.postgres.stop().unwrap();
        for place in ["app.extend_target.commit:before", "app.extend_target.commit:after"] {
            self.lab().die_over(place, Who::Maya, &more);
        }
        self.bench.postgres.start().unwrap();
        let less = POLICY.replacen(r#"@max_ttl("1h")"#, r#"@max_ttl("10m")"#, 1);
        let file = self.bench.lab.wane.server.folder().join("less.cedar");
        std::fs::write(&file, less).unwrap();
        self.lab().wane.server.plan("app.shorten.commit:before=kill").unwrap();
        let before = self.lab().deaths;
        self.lab().say(Who::Ada, &["policy", "load", &file.display().to_string()]);
        let lab = &mut self.bench.lab;
        wait_until("the server to die over less time", SOON, || {
            lab.revive();
            lab.deaths > before
        })
        .unwrap();
        lab.reached.insert("app.shorten.commit:before".to_owned());
        wait_until("the grant to be shorter", SOON, || {
            lab.revive();
            lab.ledger().times("grant.shortened", &grant) > 0
        })
        .unwrap_or_else(|e| panic!("{e}\n{}", lab.wane.server.log()));
        self.bench.lab.wane.load(POLICY);
        self.assert_over();
    }

    /// A lock ends what it covers, whatever died over it, and lets in again what it let in.
    fn a_lock_holds(&mut self) {
        for place in ["app.lock.commit:before", "app.lock.commit:after"] {
            let grant = self.granted();
            assert!(self.bench.credential_for(&grant));
            let locked = self.lab().die_over(place, Who::Ada, &["lock", "add", "--person", "maya", "-m", "test"]);
            assert!(locked.success(), "{place}: {locked:?}");
            let lab = &mut self.bench.lab;
            wait_until("what is locked to be over", SOON, || lab.ledger().is_settled())
                .unwrap_or_else(|e| panic!("{place}: {e}\n{}", lab.wane.server.log()));
            let refused = lab.say(Who::Maya, &["request", "readonly@stock", "--for", "5m"]);
            assert!(!refused.success(), "{place}: {refused:?}");
            let list = lab.wane.ada.json(&["lock", "list"]).unwrap();
            let locks: Vec<String> = list["items"].as_array().unwrap().iter().map(|l| text(&l["id"])).collect();
            assert!(!locks.is_empty(), "{place}: no lock holds");
            for (n, lock) in locks.iter().enumerate() {
                let side = if n == 0 && place.ends_with("before") { "before" } else { "after" };
                lab.die_over(&format!("app.unlock.commit:{side}"), Who::Ada, &["lock", "lift", lock]);
            }
            self.assert_over();
        }
    }

    /// A making that fails, and an intent whose maker died: ended, whoever dies over that.
    fn a_making_is_given_up(&mut self) {
        for side in ["before", "after"] {
            let grant = self.granted();
            self.bench.postgres.stop().unwrap();
            let refused =
                self.lab().die_over(&format!("app.give_up.commit:{side}"), Who::Maya, &["credential", &grant]);
            assert!(!refused.success(), "{refused:?}");
            self.bench.postgres.start().unwrap();
            self.assert_over();

            let grant = self.granted();
            self.lab().wane.server.plan("app.create:after=kill").unwrap();
            let unheard = self.bench.lab.wane.maya.run(&["credential", &grant]).unwrap();
            assert!(!unheard.success(), "{unheard:?}");
            wait_until("the server to die", SOON, || self.bench.lab.wane.server.died().is_some()).unwrap();
            // An account is there that nobody heard of; who would end it dies over that.
            self.lab().die_at(&format!("app.sweep.commit:{side}"));
            self.lab().start();
            self.assert_over();
        }
    }

    /// An account with a session, a table, a function of its rights and a prepared transaction: one end,
    /// with a death at each step of it.
    fn an_account_that_owns_things_ends(&mut self) {
        let grant = self.granted();
        let (user, password) = self.bench.credential(&grant).unwrap();
        let open = self.plant(&user, &password);
        self.lab().wane.server.plan("postgres.end.strip:before=kill").unwrap();
        // Once, whether it is answered or not: said again to a server that was started again, it would be over.
        self.bench.lab.wane.maya.run(&["done", &grant]).unwrap();
        let lab = &mut self.bench.lab;
        for place in [
            "postgres.end.strip:before",
            "postgres.end.strip:after",
            "postgres.end.cut:before",
            "postgres.end.cut:after",
            "postgres.end.place:before",
            "postgres.end.place:after",
            "postgres.end.prepared.become:before",
            "postgres.end.prepared.become:after",
            "postgres.end.prepared:before",
            "postgres.end.prepared:after",
            "postgres.end.clear.begin:before",
            "postgres.end.clear.begin:after",
            "postgres.end.rights_lock:before",
            "postgres.end.rights_lock:after",
            "postgres.end.quarantine:before",
            "postgres.end.quarantine:after",
            "postgres.end.disarm:before",
            "postgres.end.disarm:after",
            "postgres.end.reassign:before",
            "postgres.end.reassign:after",
            "postgres.end.quarantine.over:before",
            "postgres.end.quarantine.over:after",
            "postgres.end.drop_owned:before",
            "postgres.end.drop_owned:after",
            "postgres.end.clear.over:before",
            "postgres.end.clear.over:after",
        ] {
            lab.die_at(place);
        }
        lab.start();
        self.assert_over();
        assert!(!cut(open).success(), "its session was not cut");
        let kept =
            self.bench.postgres.psql("shop", "SELECT tableowner FROM pg_tables WHERE tablename = 'mine'").unwrap();
        assert_eq!(kept, "wane_left_behind", "what it owned is not where it belongs");
    }

    /// Gives an account everything that stands in the way of its end; a session that is open.
    fn plant(&mut self, user: &str, password: &str) -> Interactive {
        let postgres = &self.bench.postgres;
        let sql = format!(
            "CREATE TABLE mine (x int); ALTER TABLE mine OWNER TO {user}; \
             CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER FUNCTION f() OWNER TO {user}; \
             GRANT CREATE ON SCHEMA public TO wane_left_behind"
        );
        postgres.psql("shop", &sql).unwrap();
        let prepared =
            postgres.psql_as(user, password, "shop", "BEGIN; DELETE FROM mine; PREPARE TRANSACTION 'p';").unwrap();
        assert!(prepared.success(), "{prepared:?}");
        let mut open = postgres.client(user, password, "shop").open().unwrap();
        open.send_line("SELECT 'open';").unwrap();
        open.wait_for("open", SOON).unwrap();
        open
    }

    /// What carries our mark and belongs to nobody is removed, whoever dies over it.
    fn an_orphan_is_removed(&mut self) {
        let grant = self.granted();
        let (user, _) = self.bench.credential(&grant).unwrap();
        let mark = self
            .bench
            .postgres
            .psql(
                "postgres",
                &format!("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{user}'"),
            )
            .unwrap();
        self.lab().settle(None);
        // Before it is there: at its second sighting it is removed.
        self.lab().wane.server.plan("app.orphan.intend.commit:before=kill").unwrap();
        self.bench
            .postgres
            .psql(
                "postgres",
                &format!("CREATE ROLE {user} LOGIN; COMMENT ON ROLE {user} IS '{}'", mark.replace('\'', "''")),
            )
            .unwrap();
        assert!(!self.bench.complaints().is_empty(), "an orphan was planted and is not seen");
        for place in ["app.orphan.intend.commit:before", "app.orphan:before", "app.orphan.commit:before"] {
            self.lab().die_at(place);
        }
        self.lab().start();
        wait_until("the orphan to be gone", SOON, || standing(&self.bench.postgres).is_bare()).unwrap();
        self.assert_over();
    }
}

/// How psql came out, whose session was cut.
fn cut(mut open: Interactive) -> wane_testkit::Outcome {
    // It sees that only when it is asked for something.
    let _ = open.send_line("SELECT 1;");
    open.close_input();
    open.wait_exit(SOON).unwrap()
}

/// BUG-47, INV-2, INV-8, INV-9, INV-11, INV-13, LIV-3, FLT-1.
#[test]
fn killed_at_every_step_of_a_detour_nothing_is_forgotten() {
    let mut detours = Detours::new();
    detours.nobody_is_granted();
    detours.time_is_changed();
    detours.a_lock_holds();
    detours.a_making_is_given_up();
    detours.an_account_that_owns_things_ends();
    detours.an_orphan_is_removed();
    points::assert_killed(&detours.bench.lab.reached, points::DETOURS);
}
