//! How long somebody waits: for being signed in, and from asking until the credential is there.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wane_testkit::{PersonSession, WaneServer};

use super::super::deployment::{Deployment, public_key};
use super::super::ground::{Ground, number, text, with};
use super::super::report::{Goal, Report, Row};
use super::super::sample::Sample;

/// Somebody who approves has to be asked for this host.
const GUARDED: &str = r#"
@id("guarded-on-the-bench")
@max_ttl("8h")
@approve("1 of group:approvers")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"env=guarded");

@id("whoever-is-asked-may-answer")
permit (principal, action == Action::"approve", resource);
"#;

const PASSWORD: &str = "a password of nobody but the bench";

pub(super) fn measure(ground: &Ground, report: &mut Report) -> Result<()> {
    signing_in(ground, report)?;
    time_to_access(ground, report)
}

/// Sign-ins with password and code, all by different people: a code counts once. So few that the last one's code is
/// still good when their turn comes: that is half a minute at least.
fn signing_in(ground: &Ground, report: &mut Report) -> Result<()> {
    let many = ground.size(80, 8);
    let wane = Deployment::bare(WaneServer::builder(), ground)?;
    let mut people = enrolled(ground, &wane, many)?;
    let mut rates = [(1, Sample::default(), Sample::default()), (8, Sample::default(), Sample::default())];
    for _ in 0..ground.rounds {
        for (clients, rate, half) in &mut rates {
            let calls = people.iter_mut().map(|person| {
                let body = json!({ "person": person.name(), "password": PASSWORD, "totp": person.totp()? });
                Ok(json!({ "method": "POST", "path": "/v1/sessions", "body": body }))
            });
            let found = loaded(ground, &wane.plan(*clients, calls.collect::<Result<_>>()?))?;
            rate.push(number(&found, "/per_second")?);
            half.push(number(&found, "/p50_us")? / 1e3);
        }
    }
    for (clients, rate, half) in rates {
        report.row(Row::new(format!("sign-ins with password and code, {clients} at once"), "/s", rate));
        report.row(Row::new(format!("sign-ins with password and code, {clients} at once: half within"), "ms", half));
    }
    report.remark("a sign-in is mostly one Argon2id hash over 64 MiB, which is meant to cost; sign-ins at a provider and by passkey were not measured");
    Ok(())
}

/// People who have set their sign-in up, over the API.
fn enrolled(ground: &Ground, wane: &Deployment, many: usize) -> Result<Vec<PersonSession>> {
    let bearer = json!([["authorization", format!("Bearer {}", wane.admin.token()?)]]);
    let names: Vec<String> = (0..many).map(|n| format!("signer-{n}")).collect();
    let post = |path: String, body: Value| json!({ "method": "POST", "path": path, "body": body });
    let entered = names.iter().map(|name| post("/v1/people".to_owned(), json!({ "name": name }))).collect();
    loaded(ground, &with(wane.plan(4, entered), "headers", bearer.clone()))?;
    let codes = names.iter().map(|name| post(format!("/v1/people/{name}/enrolment"), json!({}))).collect();
    let codes = with(with(wane.plan(4, codes), "headers", bearer), "keep", json!("/code"));
    let enrol = kept(&loaded(ground, &codes)?)?
        .into_iter()
        .map(|code| post("/v1/enrolments".to_owned(), json!({ "code": code, "password": PASSWORD })))
        .collect();
    let found = loaded(ground, &with(wane.plan(2, enrol), "keep", json!("/otpauth_url")))?;
    let urls = kept(&found)?;
    ensure!(urls.len() == many, "{} of {many} enrolled", urls.len());
    names
        .iter()
        .zip(urls)
        .map(|(name, url)| {
            let mut person = wane.server.person(name)?;
            person.keep_otpauth(&url)?;
            Ok(person)
        })
        .collect()
}

/// R12: from the request to a certificate in hand, by policy alone and with one approver who acts at once.
fn time_to_access(ground: &Ground, report: &mut Report) -> Result<()> {
    let wane = Deployment::start(ground, 2)?;
    let [asker, approver] = wane.people.as_slice() else { anyhow::bail!("there are not two people") };
    wane.admin.json(&["group", "add", "approvers"])?;
    wane.admin.json(&["group", "join", "approvers", approver.name()])?;
    let address = ["--address", "127.0.0.1:9", "--read-back", "none"];
    wane.admin.json(&[&["host", "add", "vault", "--label", "env=guarded"][..], &address[..]].concat())?;
    let policy = format!("{}\n{GUARDED}", super::super::deployment::POLICY);
    let loaded = wane.admin.run_with(&["policy", "load", "-"], &policy)?;
    ensure!(loaded.success(), "the policy was not loaded: {}", loaded.stderr);
    let key = public_key(wane.server.folder(), "bench-key")?;
    let times = ground.size(300, 5);
    let (mut alone, mut alone_most, mut approved, mut approved_most) =
        (Sample::default(), Sample::default(), Sample::default(), Sample::default());
    let mut asked = 0;
    for _ in 0..ground.rounds {
        for (resource, half, most) in
            [("web", &mut alone, &mut alone_most), ("vault", &mut approved, &mut approved_most)]
        {
            let chains: Vec<Value> = (0..times)
                .map(|_| {
                    asked += 1;
                    chain((asker, approver), resource, &key, asked)
                })
                .collect::<Result<_>>()?;
            let found = ground.tool("chain", &json!({ "address": wane.address(), "chains": chains }))?;
            half.push(number(&found, "/p50_ms")?);
            most.push(number(&found, "/p99_ms")?);
        }
    }
    let label = |how: &str, what: &str| format!("from the request to a certificate, {how}: {what}");
    for (how, half, most) in
        [("by policy alone", alone, alone_most), ("with one approver who acts at once", approved, approved_most)]
    {
        report.row(Row::new(label(how, "half within"), "ms", half).goal(Goal::AtMost(100.0)));
        report.row(Row::new(label(how, "99 of 100 within"), "ms", most));
    }
    report.remark("time to access: two calls of the asker, and one of the approver between them, over one connection; the certificate is new");
    Ok(())
}

/// The calls of one access. Each is for a moment longer than the last, so that no grant covers another.
fn chain(
    (asker, approver): (&PersonSession, &PersonSession),
    resource: &str,
    key: &str,
    asked: usize,
) -> Result<Value> {
    let by = |who: &PersonSession, step: &str| -> Result<Value> {
        let key = format!("wait-{asked}-{step}");
        Ok(json!([["authorization", format!("Bearer {}", who.token()?)], ["idempotency-key", key]]))
    };
    let body = json!({ "items": [{ "resource": resource, "role": "deploy" }], "duration": format!("1h {asked}s") });
    let guarded = resource != "web";
    let keep = if guarded { json!({ "request": "/id" }) } else { json!({ "grant": "/items/0/grant" }) };
    let mut steps = vec![json!({
        "method": "POST", "path": "/v1/requests", "headers": by(asker, "ask")?, "body": body, "keep": keep,
    })];
    if guarded {
        steps.push(json!({
            "method": "POST", "path": "/v1/requests/{request}/approve", "headers": by(approver, "approve")?, "body": {},
            "keep": { "grant": "/items/0/grant" },
        }));
    }
    steps.push(json!({
        "method": "POST", "path": "/v1/grants/{grant}/credential", "headers": by(asker, "use")?,
        "body": { "input": { "public_key": key } },
    }));
    Ok(Value::Array(steps))
}

fn kept(found: &Value) -> Result<Vec<String>> {
    let kept = found.get("kept").and_then(Value::as_array).context("nothing was kept")?;
    Ok(kept.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn loaded(ground: &Ground, plan: &Value) -> Result<Value> {
    let found = ground.tool("load", plan)?;
    let failed = number(&found, "/failed")?;
    ensure!(failed == 0.0, "{failed} calls failed, the first: {}", text(&found, "/failure").unwrap_or("?"));
    Ok(found)
}
