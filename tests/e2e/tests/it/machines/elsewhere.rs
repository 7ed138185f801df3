//! Jobs of GitLab and pods of Kubernetes, as simulators of both say what they are: the same rules, the same policies.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wane_testkit::{Ended, Interactive, Outcome, free_port};

use super::lab::{Runner, events};
use crate::database::Shop;
use crate::people::{Deployment, POLICY, SOON};
use crate::signing_in::roaming::http;

/// Whoever is let in by what is said of their job, or of their pod.
const PATHS: &str = r#"
@id("gitlab-jobs") @max_ttl("30m")
permit (principal == Person::"deploy", action == Action::"access", resource in Label::"gate=open")
when { context has workload && context.workload has project_path && context.workload.project_path == "shop/api"
  && context.workload has ref_protected && context.workload.ref_protected
  && context.workload has deployment_tier && context.workload.deployment_tier == "production" };

@id("pods") @max_ttl("30m")
permit (principal == Person::"deploy", action == Action::"access", resource in Label::"gate=open")
when { context has workload && context.workload has namespace && context.workload.namespace == "shop"
  && context.workload has serviceaccount && context.workload.serviceaccount == "deploy" };
"#;

/// A simulator of one of them.
struct Issuer {
    process: Interactive,
    url: String,
}

impl Issuer {
    fn start(sort: &str) -> Self {
        let port = free_port().unwrap();
        let mut node = Command::new("node");
        node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node/issuer.mjs"));
        node.args([sort, &port.to_string()]).stdin(Stdio::null());
        let process = Interactive::spawn(&mut node).unwrap();
        process.wait_for("listening", SOON).unwrap_or_else(|e| panic!("{e}: {}", process.stderr()));
        Self { process, url: format!("http://127.0.0.1:{port}") }
    }

    fn token(&self, audience: &str, claims: &Value) -> String {
        let asked = json!({ "aud": audience, "claims": claims }).to_string();
        let answer = http("POST", &format!("{}/test/token", self.url), "", &asked);
        let said: Value = serde_json::from_str(&answer.text).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
        said["token"].as_str().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> String {
        http("GET", &format!("{}{path}", self.url), "", "").text
    }
}

fn set_up(wane: &Deployment, issuer: &[&str], claims: &[&str]) {
    wane.load(&format!("{POLICY}{PATHS}"));
    wane.ada.json(&[&["workload", "issuer", "add", "there"], issuer].concat()).unwrap();
    let words = ["workload", "add", "deploy", "--sponsor", "ada", "--issuer", "there"];
    wane.ada.json(&[&words[..], claims].concat()).unwrap();
}

const WORDS: [&str; 9] =
    ["exec", "--role", "readonly", "--on", "shop", "--", "psql", "-Atc", "SELECT item FROM orders"];

fn refused(outcome: &Outcome, what: &str) {
    assert_eq!(outcome.ended, Ended::Code(3), "{what}: {outcome:?}");
    assert!(outcome.stderr.contains("no workload here has such jobs"), "{what}: {outcome:?}");
}

#[test]
fn a_job_of_gitlab_is_known_by_what_gitlab_says_of_it() {
    let shop = Shop::with_gate("open");
    let wane = &shop.wane;
    let gitlab = Issuer::start("gitlab");
    let claims = ["--claim", "project_id=20", "--claim", "ref=main", "--claim", "ref_protected=true"];
    set_up(wane, &["--sort", "gitlab", "--url", &gitlab.url], &claims);
    let audience = wane.server.url();
    let run = |claims: &Value| Runner::of(wane).run(&gitlab.token(&audience, claims), &WORDS);
    let outcome = run(&json!({}));
    assert!(outcome.success() && outcome.stdout.contains("teapot"), "{outcome:?}");
    for (what, claims) in [
        ("another project", json!({ "project_id": "21", "project_path": "shop/other" })),
        ("a project that took the name", json!({ "project_id": "99" })),
        ("another branch", json!({ "ref": "evil", "ref_protected": "false" })),
        ("a branch that is protected no more", json!({ "ref_protected": "false" })),
        ("a merge request", json!({ "pipeline_source": "merge_request_event" })),
        ("an external pull request", json!({ "pipeline_source": "external_pull_request_event" })),
    ] {
        refused(&run(&claims), what);
    }
    // It begins a job, and policy gives it nothing.
    let outcome = run(&json!({ "deployment_tier": "staging", "environment": "staging" }));
    assert!(!outcome.success() && outcome.stderr.contains("the job is over"), "{outcome:?}");
    assert_eq!(events(wane, "job.refused").len(), 6, "each is in the log");
    shop.wait_no_accounts();
}

#[test]
fn a_pod_is_known_by_its_service_account_and_its_cluster_is_not_asked() {
    let shop = Shop::with_gate("open");
    let wane = &shop.wane;
    let cluster = Issuer::start("kubernetes");
    let keys = wane.server.folder().join("jwks.json");
    std::fs::write(&keys, cluster.get("/openid/v1/jwks")).unwrap();
    let audience = wane.server.url();
    let tokens = [
        json!({}),
        json!({ "sub": "system:serviceaccount:shop:other", "kubernetes.io": { "namespace": "shop", "serviceaccount": { "name": "other", "uid": "1" } } }),
        json!({ "sub": "system:serviceaccount:evil:deploy", "kubernetes.io": { "namespace": "evil", "serviceaccount": { "name": "deploy", "uid": "2" } } }),
        json!({ "aud": [audience, "https://kubernetes.default.svc"] }),
    ];
    let [good, other, elsewhere, shared] = tokens.map(|claims| cluster.token(&audience, &claims));
    let issuer = ["--sort", "kubernetes", "--url", &cluster.url, "--jwks", keys.to_str().unwrap()];
    set_up(wane, &issuer, &["--claim", "namespace=shop", "--claim", "serviceaccount=deploy"]);
    // Its keys were entered by hand: nobody has to reach it, nor be let in by it.
    drop(cluster.process);
    let runner = Runner::of(wane);
    // As it is projected into a pod.
    let projected = wane.server.folder().join("token");
    let run = |token: &str| {
        std::fs::write(&projected, token).unwrap();
        let mut command = runner.command("", &WORDS);
        command.env_remove("WANE_ID_TOKEN").env("WANE_ID_TOKEN_FILE", &projected);
        let mut run = Interactive::spawn(&mut command).unwrap();
        run.close_input();
        run.wait_exit(SOON).unwrap()
    };
    let outcome = run(&good);
    assert!(outcome.success() && outcome.stdout.contains("teapot"), "{outcome:?}");
    refused(&run(&other), "another service account");
    refused(&run(&elsewhere), "one of the same name elsewhere");
    let outcome = run(&shared);
    assert!(outcome.ended == Ended::Code(3) && outcome.stderr.contains("aud"), "for somebody else too: {outcome:?}");
    // A pod that is started again within the life of its token shows it once more.
    let outcome = run(&good);
    assert!(outcome.ended == Ended::Code(3) && outcome.stderr.contains("began a job already"), "{outcome:?}");
    shop.wait_no_accounts();
}
