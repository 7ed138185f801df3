//! The command line: exit codes, live events, commands that hold access for as long as it lasts.

use wane_testkit::{Ended, WaneServer, wait_until};

use crate::database::Shop;
use crate::people::{Deployment, SOON, approve, ask_and_wait, granted, text};

#[test]
fn exit_codes_are_as_published() {
    let mut here = Deployment::new();
    here.deploy_role();
    here.paper_host("free", "gate=open");
    here.paper_host("asked", "gate=one");
    here.paper_host("shut", "gate=none");
    let grant = granted(&here.maya, "deploy@free", "10m");
    let maya = &here.maya;
    for (words, code) in [
        (vec!["me"], 0),
        (vec!["request", "deploy@asked", "--for", "5m"], 6),
        (vec!["request", "deploy@shut", "--for", "5m"], 3),
        (vec!["request", "deploy@nowhere", "--for", "5m"], 4),
        (vec!["request", "deploy@free", "--for", "soon"], 2),
        (vec!["request"], 2),
        (vec!["nonsense"], 2),
        (vec!["grant", "grt_00000000000000000000000000"], 4),
        (vec!["person", "add", "eve"], 3),
        (vec!["done", &grant], 0),
        (vec!["exit-codes"], 0),
        (vec!["--server", "http://127.0.0.1:1", "me"], 7),
    ] {
        let outcome = maya.run(&words).unwrap();
        assert_eq!(outcome.ended, Ended::Code(code), "`wane {}`: {outcome:?}", words.join(" "));
        // A result goes to standard output, what is wrong to standard error.
        assert_eq!(outcome.stderr.is_empty(), code == 0 || code == 6, "`wane {}`: {outcome:?}", words.join(" "));
    }
    let twice = here.ada.run(&["group", "add", "engineers"]).unwrap();
    assert_eq!(twice.ended, Ended::Code(5), "{twice:?}");
    here.server.stop().unwrap();
    assert_eq!(here.maya.run(&["me"]).unwrap().ended, Ended::Code(7));
    let elsewhere = WaneServer::builder().prepare().unwrap();
    let nowhere = elsewhere.person("nobody").unwrap();
    let words = elsewhere.server_words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = nowhere.run(&words).unwrap();
    assert_eq!(outcome.ended, Ended::Code(1), "{outcome:?}");
    assert!(outcome.stderr.contains("wane init"), "{outcome:?}");
}

#[test]
fn json_may_be_asked_for_before_and_behind() {
    let server = WaneServer::builder().prepare().unwrap();
    let somebody = server.person("somebody").unwrap();
    let settings = server.server_words().split_off(1);
    let with = |before: &[&str], behind: &[&str]| {
        let mut words = [before, &["config", "check"]].concat();
        words.extend(settings.iter().map(String::as_str));
        words.extend(behind);
        somebody.run(&words).unwrap().into_stdout().unwrap()
    };
    let json = with(&["--json"], &[]);
    assert!(json.starts_with('{'), "{json}");
    assert_eq!(with(&[], &["--json"]), json);
    assert_ne!(with(&[], &[]), json);
}

#[test]
fn an_approval_is_seen_live_by_whoever_watches() {
    let here = Deployment::new();
    here.deploy_role();
    here.paper_host("web", "gate=one");
    let omar = here.approver("omar");
    let watch = here.ada.interactive(&["log", "--follow", "--event", "request.", "--json"]).unwrap();
    // It tells what happens once it is open: something happens until it is.
    wait_until("the log to be followed", SOON, || {
        let passing = ask_and_wait(&here.maya, "deploy@web", "11m");
        here.maya.json(&["withdraw", &passing]).unwrap();
        watch.stdout().contains("request.")
    })
    .unwrap_or_else(|e| panic!("{e}: {}", watch.stderr()));
    let request = ask_and_wait(&here.maya, "deploy@web", "10m");
    // She waits for her approval with the request open.
    let waiting = here.maya.interactive(&["ssh", "--role", "deploy", "--for", "9m", "web", "--", "true"]).unwrap();
    waiting.wait_for("asked for", SOON).unwrap();
    approve(&omar, &request);
    let approved = |line: &str| line.contains("request.item.approved") && line.contains(&request);
    wait_until("the approval to be seen", SOON, || watch.stdout().lines().any(approved))
        .unwrap_or_else(|e| panic!("{e}: {}\n{}", watch.stdout(), watch.stderr()));
}

#[test]
fn exec_ends_its_command_with_the_access() {
    let shop = Shop::with_gate("open");
    let maya = &shop.wane.maya;
    let script = r#"test -z "$PGPASSWORD" && psql -Xtc 'SELECT item FROM orders' && echo "grant $WANE_GRANT file $WANE_SECRET_FILE" && exec sleep 600"#;
    let begun = |time: &str| {
        let mut running = maya.interactive(&["exec", "shop", "--for", time, "--", "sh", "-c", script]).unwrap();
        wait_until("the command to be at work, or to come too late", SOON, || {
            running.stdout().contains("file ") || !running.is_running()
        })
        .unwrap_or_else(|e| panic!("{e}: {}\n{}", running.stdout(), running.stderr()));
        running.is_running().then_some(running)
    };
    // For longer on a machine that is too slow to do that in so little.
    let running = ["8s", "40s"].into_iter().find_map(begun).unwrap();
    let said = running.stdout();
    assert!(said.contains("teapot"), "{said}");
    let grant = said.split_whitespace().find(|word| word.starts_with("grt_")).unwrap().to_owned();
    let file = said.split_whitespace().last().unwrap().to_owned();
    assert!(std::path::Path::new(&file).is_file(), "{file}");
    let outcome = running.wait_exit(SOON).unwrap();
    assert_eq!(outcome.ended, Ended::Code(3), "{outcome:?}");
    assert!(!std::path::Path::new(&file).exists(), "{file} is still there");
    shop.wane.wait_closed(&grant);
    assert!(shop.accounts().is_empty());
}

#[test]
fn exec_comes_out_as_its_command_and_gives_back() {
    let shop = Shop::with_gate("open");
    let maya = &shop.wane.maya;
    let outcome = maya.run(&["exec", "shop", "--for", "5m", "--return", "--", "sh", "-c", "exit 42"]).unwrap();
    assert_eq!(outcome.ended, Ended::Code(42), "{outcome:?}");
    shop.wait_no_accounts();
    let grants = shop.wane.ada.json(&["grants"]).unwrap();
    shop.wane.wait_closed(&text(&grants["items"][0]["id"]));
}
