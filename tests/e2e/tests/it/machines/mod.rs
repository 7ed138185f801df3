//! A pipeline that stores no key: what it reaches, who else gets in by its token, and what is left after it.

mod elsewhere;
pub(crate) mod lab;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::json;
use wane_testkit::{Ended, Interactive, PersonSession, Sshd, WaneServer, wait_until};

use crate::database::Shop;
use crate::people::{SOON, items, text};
use lab::{Actions, Runner, events};

/// What the command says of what it was given: the secret itself last, so that the test can look for it.
const LOOKS: &str = r#"
set -e
psql -Atc 'SELECT item FROM orders'
stat -f -c 'on %T' "$PGPASSFILE"; stat -c 'mode %a' "$PGPASSFILE" "$(dirname "$PGPASSFILE")"
echo "at $(dirname "$PGPASSFILE")"
env | grep -c '^WANE_ID_TOKEN\|^WANE_TOKEN' || true
cut -d: -f5 "$PGPASSFILE"
read -r wait
exit 7
"#;

fn line<'o>(out: &'o str, begins: &str) -> &'o str {
    out.lines().find_map(|line| line.strip_prefix(begins)).unwrap_or_else(|| panic!("no `{begins}`: {out}"))
}

#[test]
fn a_pipeline_that_stores_no_key_uses_a_database_and_leaves_nothing() {
    let shop = Shop::with_gate("open");
    let wane = &shop.wane;
    let (actions, runner) = (Actions::for_deployment(wane), Runner::of(wane));
    // The runner hands the token out, GitHub's own library fetches it, and the job shows it once.
    let token = actions.token();
    let mut run = runner.start(&token, &["exec", "--role", "readonly", "--on", "shop", "--", "sh", "-c", LOOKS]);
    run.wait_for("mode 700", SOON).unwrap_or_else(|e| panic!("{e}: {} {}", run.stdout(), run.stderr()));
    wait_until("the secret", SOON, || run.stdout().lines().count() >= 7).unwrap();
    let out = run.stdout();
    assert_eq!(out.lines().next(), Some("teapot"), "{out}");
    assert_eq!((line(&out, "on "), line(&out, "mode ")), ("tmpfs", "600"), "{out}");
    assert!(out.lines().any(|line| line == "0"), "the token went on to the command: {out}");
    let (folder, secret) = (line(&out, "at ").to_owned(), out.lines().last().unwrap().to_owned());
    assert!(secret.len() > 16 && folder.starts_with("/dev/shm/"), "{out}");
    // While it runs the secret is in no argument and no environment, and nothing is on the disk.
    runner.assert_clean(&[&secret]);
    assert_eq!(shop.accounts().len(), 1);
    let jobs = wane.ada.json(&["workload", "jobs"]).unwrap();
    assert_eq!(items(&jobs)[0]["workload"], "deploy", "{jobs}");
    run.send_line("").unwrap();
    let outcome = run.wait_exit(SOON).unwrap();
    assert_eq!(outcome.ended, Ended::Code(7), "the command's own exit code: {outcome:?}");
    assert!(outcome.stderr.contains("the job is over, and what it held ends: grt_"), "{outcome:?}");
    // After the job nothing is left: at the target, in memory, on the disk, in the list of processes.
    shop.wait_no_accounts();
    assert!(!std::path::Path::new(&folder).exists(), "{folder}");
    runner.assert_clean(&[&secret, &token]);
    let grant = text(&events(wane, "job.over")[0]["grants"][0]);
    let closed = wane.wait_closed(&grant);
    assert_eq!(
        (&closed["closure"]["word"], &closed["ending"]["cause"]),
        (&json!("gone"), &json!("job over")),
        "{closed:#}"
    );
    assert_eq!(closed["holder"], "deploy");
    assert!(items(&wane.ada.json(&["workload", "jobs"]).unwrap()).is_empty());
    // The token is good for nothing more, wherever it was copied to.
    let stolen = Runner::of(wane).run(&token, &["exec", "shop/readonly", "--", "true"]);
    assert_eq!(stolen.ended, Ended::Code(3), "{stolen:?}");
    assert!(stolen.stderr.contains("began a job already"), "{stolen:?}");
    let log = wane.ada.json(&["log", "--all"]).unwrap().to_string();
    assert!(!log.contains(&secret) && !log.contains(&token), "a secret is in the log");
    assert!(!wane.server.log().contains(&secret) && !wane.server.log().contains(&token));
}

#[test]
fn nobody_elses_job_gets_in() {
    let shop = Shop::with_gate("open");
    let wane = &shop.wane;
    let (actions, runner) = (Actions::for_deployment(wane), Runner::of(wane));
    let usual = json!({
        "repository": "octo-org/octo-repo", "repository_id": "74", "ref": "refs/heads/main", "event_name": "push",
        "sub": "repo:octo-org/octo-repo:environment:prod", "environment": "prod",
    });
    let run = |token: &str| runner.run(token, &["exec", "--role", "readonly", "--on", "shop", "--", "true"]);
    for (what, claims) in [
        ("another repository", json!({ "repository": "octo-org/other", "repository_id": "75" })),
        ("a repository that took the name", json!({ "repository_id": "99" })),
        ("another branch", json!({ "ref": "refs/heads/evil", "sub": "repo:octo-org/octo-repo:ref:refs/heads/evil" })),
        (
            "a fork's pull request",
            json!({ "event_name": "pull_request", "sub": "repo:octo-org/octo-repo:pull_request", "head_ref": "evil" }),
        ),
        ("a pull request on the branch itself", json!({ "event_name": "pull_request_target" })),
    ] {
        actions.says(&usual);
        actions.says(&claims);
        let outcome = run(&actions.token());
        assert_eq!(outcome.ended, Ended::Code(3), "{what}: {outcome:?}");
        assert!(outcome.stderr.contains("no workload here has such jobs"), "{what}: {outcome:?}");
    }
    actions.says(&usual);
    // Another environment begins a job, and policy gives it nothing.
    actions.says(&json!({ "environment": "test", "sub": "repo:octo-org/octo-repo:environment:test" }));
    let outcome = run(&actions.token());
    assert!(!outcome.success() && outcome.stderr.contains("the job is over"), "{outcome:?}");
    actions.says(&usual);
    // Made for somebody else, or by somebody else.
    let outcome = run(&actions.token_for("https://github.com/octo-org"));
    assert!(outcome.ended == Ended::Code(3) && outcome.stderr.contains("`aud`"), "{outcome:?}");
    let other = actions.token().replacen("eyJ0eXA", "eyJ0eXB", 1);
    assert!(!run(&other).success());
    assert_eq!(shop.accounts(), Vec::<String>::new());
    assert_eq!(events(wane, "job.refused").len(), 7, "each is in the log");
    // Renamed, it is the repository that it was; the runner is asked by `wane` itself.
    actions.says(&json!({ "repository": "octo-org/renamed", "sub": "repo:octo-org/renamed:environment:prod" }));
    let words = ["exec", "--role", "readonly", "--on", "shop", "--", "psql", "-Atc", "SELECT item FROM orders"];
    let outcome = Interactive::spawn(&mut runner.on_actions(&actions, &words)).unwrap().wait_exit(SOON).unwrap();
    assert!(outcome.success() && outcome.stdout.contains("teapot"), "{outcome:?}");
    shop.wait_no_accounts();
}

/// Whatever is killed, and however hard: what the job holds ends.
#[test]
fn whatever_is_killed_the_access_ends() {
    let mut shop = Shop::with_gate("open");
    let (actions, runner) = (Actions::with_silence(&shop.wane, "5s"), Runner::of(&shop.wane));
    let words = ["exec", "--role", "readonly", "--on", "shop", "--", "sh", "-c", "echo begun; exec sleep 600"];
    let begin = |actions: &Actions| {
        let run = runner.start(&actions.token(), &words);
        run.wait_for("begun", SOON).unwrap_or_else(|e| panic!("{e}: {}", run.stderr()));
        run
    };
    // The command line is killed: nothing more is heard of the job.
    let run = begin(&actions);
    assert_eq!(shop.accounts().len(), 1);
    kill("-KILL", run.pid());
    shop.wait_no_accounts();
    let how = text(&events(&shop.wane, "job.over")[0]["how"]);
    assert!(how.contains("nothing was heard"), "{how}");
    // The server is killed and comes back: a job that goes on goes on, and ends when it is done.
    let run = begin(&actions);
    shop.wane.server.kill_9().unwrap();
    shop.wane.server.start().unwrap();
    assert_eq!(shop.accounts().len(), 1);
    wait_until("a word of the job", SOON, || {
        let jobs = shop.wane.ada.json(&["workload", "jobs"]).unwrap();
        items(&jobs).first().is_some_and(|job| job["heard"] != job["since"])
    })
    .unwrap();
    kill("-TERM", run.pid());
    let outcome = run.wait_exit(SOON).unwrap();
    assert_eq!(outcome.ended, Ended::Code(128 + 15), "the signal reached the command: {outcome:?}");
    shop.wait_no_accounts();
    // Both are killed, and only the server comes back.
    let run = begin(&actions);
    kill("-KILL", run.pid());
    shop.wane.server.kill_9().unwrap();
    assert_eq!(shop.accounts().len(), 1, "nobody is there who could end it");
    shop.wane.server.start().unwrap();
    shop.wait_no_accounts();
    assert!(events(&shop.wane, "job.over").len() == 3);
}

/// Killed at every step of a job's life: it is over, and its token began one job or none.
#[test]
fn killed_over_a_job_it_began_once_or_not_at_all_and_ends() {
    let mut shop = Shop::with(WaneServer::builder().failpoints(), "open");
    let (actions, runner) = (Actions::with_silence(&shop.wane, "5s"), Runner::of(&shop.wane));
    let words = ["exec", "--role", "readonly", "--on", "shop", "--", "psql", "-Atc", "SELECT item FROM orders"];
    for (place, spent) in [
        ("app.job.begin.commit:before", false),
        ("app.job.begin.commit:after", true),
        ("app.job.over.commit:before", true),
        ("app.job.over.commit:after", true),
    ] {
        let token = actions.token();
        shop.wane.server.plan(&format!("{place}=kill")).unwrap();
        let cut = runner.run(&token, &words);
        assert_eq!(cut.success(), place.contains("over"), "{place}: {cut:?}");
        wait_until("the server to be dead", SOON, || shop.wane.server.died().is_some()).unwrap();
        shop.wane.server.plan("").unwrap();
        shop.wane.server.start().unwrap();
        // The same token once more: good only if nothing was written down.
        let again = runner.run(&token, &words);
        assert_eq!(again.success(), !spent, "{place}: {again:?}");
        shop.wait_no_accounts();
        wait_until("all jobs to be over", SOON, || {
            items(&shop.wane.ada.json(&["workload", "jobs"]).unwrap()).is_empty()
        })
        .unwrap_or_else(|e| panic!("{place}: {e}: {}", shop.wane.server.log()));
    }
    assert_eq!(events(&shop.wane, "job.begun").len(), events(&shop.wane, "job.over").len());
}

/// A workload waits for people as people do, within a bound, and takes back what it does not wait for any more.
#[test]
fn a_job_waits_for_approval_within_a_bound() {
    let shop = Shop::with_gate("one");
    let (actions, runner) = (Actions::with_silence(&shop.wane, "5s"), Runner::of(&shop.wane));
    let bo = shop.wane.approver("bo");
    let exec = |wait: &'static str| {
        ["exec", "shop/readonly", "-m", "release 7", "--wait", wait, "--", "psql", "-Atc", "SELECT item FROM orders"]
    };
    let outcome = runner.run(&actions.token(), &exec("2s"));
    assert_eq!(outcome.ended, Ended::Code(6), "{outcome:?}");
    let waiting = bo.json(&["waiting"]).unwrap();
    assert!(items(&waiting).is_empty(), "it is taken back: {waiting}");
    let mut run = runner.start(&actions.token(), &exec("10m"));
    run.close_input();
    let waits = |bo: &PersonSession| items(&bo.json(&["waiting"]).unwrap()).first().map(|one| text(&one["id"]));
    wait_until("the request", SOON, || waits(&bo).is_some()).unwrap_or_else(|e| panic!("{e}: {}", run.stderr()));
    let request = waits(&bo).unwrap();
    // Longer than it may be silent: waiting is no silence, and a word comes at least every second and a quarter.
    let mut heard = BTreeSet::new();
    wait_until("many words of it", SOON, || {
        let jobs = shop.wane.ada.json(&["workload", "jobs"]).unwrap();
        heard.extend(items(&jobs).iter().map(|job| text(&job["heard"])));
        heard.len() > 6
    })
    .unwrap_or_else(|e| panic!("{e}: {}", run.stderr()));
    bo.json(&["approve", &request]).unwrap();
    let outcome = run.wait_exit(SOON).unwrap();
    assert!(outcome.success() && outcome.stdout.contains("teapot"), "{outcome:?}");
    shop.wait_no_accounts();
}

#[test]
fn a_host_is_reached_with_a_key_that_was_never_on_a_disk() {
    let sshd = Sshd::builder().prepare().unwrap();
    let wane = crate::people::Deployment::with(WaneServer::builder());
    let address = format!("127.0.0.1:{}", sshd.port());
    wane.ada.json(&["host", "add", "web", "--label", "gate=open", "--address", &address, "--pull-secs", "1"]).unwrap();
    let principals = format!("principals={}", json!([sshd.user().name()]));
    wane.ada.json(&["role", "add", "ssh/deploy", "--set", &principals]).unwrap();
    let code = text(&wane.ada.json(&["host", "join-code", "web"]).unwrap()["code"]);
    let root = wane.server.person("root").unwrap();
    let (config, dir) = (sshd.config_path().display().to_string(), sshd.folder().join("wane").display().to_string());
    let outcome =
        root.run(&["host", "setup", "--server-code", &code, "--sshd-config", &config, "--dir", &dir]).unwrap();
    assert!(outcome.success(), "{outcome:?}");
    let sshd = sshd.start().unwrap();
    let (actions, runner) = (Actions::for_deployment(&wane), Runner::of(&wane));
    let looks = r#"
        stat -f -c 'on %T' "$WANE_SSH_CONFIG"; ls "$(dirname "$WANE_SSH_CONFIG")"
        grep -rls 'PRIVATE KEY' "$(dirname "$WANE_SSH_CONFIG")" || echo 'no key'
        ssh -F "$WANE_SSH_CONFIG" web id -un
    "#;
    let outcome = runner.run(&actions.token(), &["exec", "--role", "deploy", "--on", "web", "--", "sh", "-c", looks]);
    assert!(outcome.success(), "{outcome:?}\n{}", sshd.log());
    assert_eq!(outcome.stdout, format!("on tmpfs\nagent\nknown_hosts\nssh_config\nno key\n{}\n", sshd.user().name()));
    runner.assert_clean(&[]);
    assert_eq!(events(&wane, "job.over").len(), 1);
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").arg(signal).arg(pid.to_string()).status().unwrap().success());
}
