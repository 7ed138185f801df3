//! X.509 certificates issued per second, stored and on record before the answer leaves, beside OpenBao's `pki`; access
//! tokens issued, and asked about by the servers they are for.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Figure;
use super::deployment::Deployment;
use super::ground::{Ground, text, with};
use super::issuance::{Cell, loaded, syncs_of};
use super::openbao::{self, OpenBao};
use super::report::{Goal, Report, Row};
use super::sample::Sample;
use crate::command;

/// The figure.
pub(crate) const FIGURE: Figure = Figure {
    name: "credentials",
    about: "X.509 certificates and access tokens, recorded on disk before the answer",
    measure,
};

const CLIENTS: [usize; 3] = [1, 8, 32];
/// Twice as many as clients, so that callers who take turns do not meet on one.
const GRANTS: usize = 64;
const AUDIENCE: &str = "https://orders.example";

fn measure(ground: &Ground) -> Result<Report> {
    let mut wane = Deployment::start(ground, ground.size(8, 2))?;
    keys(&mut wane)?;
    let (certificates, tokens) = (certificate_calls(&wane)?, token_calls(&wane)?);
    let bao = OpenBao::start()?;
    let (ours, theirs, sign) = (wane.server.pid()?, bao.pid(), bao_call(&bao, &wane)?);
    let seconds = json!(ground.cell().as_secs_f64());
    let mine = |clients: usize, calls: &[Value]| with(wane.plan(clients, calls.to_vec()), "seconds", seconds.clone());
    let bao_plan =
        |clients: usize| json!({ "address": bao.address(), "clients": clients, "calls": [sign], "seconds": seconds });
    for plan in [mine(8, &certificates), bao_plan(8), mine(8, &tokens)] {
        loaded(ground, &plan)?;
    }
    let asks = asked(ground, &wane, &tokens)?;
    let mut cells: Vec<(Cell, Cell)> = CLIENTS.map(|_| Default::default()).into();
    let mut of_tokens: Vec<(Cell, Cell)> = CLIENTS.map(|_| Default::default()).into();
    for round in 0..ground.rounds {
        for ((clients, (a, b)), (issued, asked)) in CLIENTS.iter().zip(&mut cells).zip(&mut of_tokens) {
            // Who goes first takes turns.
            if round % 2 == 0 {
                a.measure(ground, ours, &mine(*clients, &certificates))?;
                b.measure(ground, theirs, &bao_plan(*clients))?;
            } else {
                b.measure(ground, theirs, &bao_plan(*clients))?;
                a.measure(ground, ours, &mine(*clients, &certificates))?;
            }
            issued.measure(ground, ours, &mine(*clients, &tokens))?;
            asked.measure(ground, ours, &mine(*clients, &asks))?;
        }
    }
    let mut report = Report::beside(format!("OpenBao {}", openbao::VERSION));
    for (clients, (a, b)) in CLIENTS.iter().zip(cells) {
        let goal = if *clients == 1 { Goal::RatioAtLeast(1.5) } else { Goal::RatioAtLeast(4.0) };
        let of = |what: &str| format!("{clients} clients: {what}");
        report.row(Row::new(of("X.509 certificates"), "/s", a.rate).beside(b.rate).goal(goal));
        report.row(Row::new(of("half within"), "ms", a.p50).beside(b.p50));
        report.row(Row::new(of("99 of 100 within"), "ms", a.p99).beside(b.p99));
        report.row(Row::new(of("processor each"), "ms", a.cpu).beside(b.cpu));
    }
    for (clients, most) in [(1, 1.0), (32, 0.1)] {
        let each = syncs_of(ground, &wane, ours, (clients, &certificates))?;
        let what = format!("{clients} clients: syncs of the disk per certificate");
        report.row(Row::new(what, "", Sample::one(each)).goal(Goal::AtMost(most)));
    }
    for (clients, (issued, asked)) in CLIENTS.iter().zip(of_tokens) {
        let of = |what: &str| format!("{clients} clients: {what}");
        report.row(Row::new(of("access tokens issued"), "/s", issued.rate));
        report.row(Row::new(of("access tokens issued, processor each"), "ms", issued.cpu));
        report.row(Row::new(of("access tokens asked about"), "/s", asked.rate));
        report.row(Row::new(of("access tokens asked about, processor each"), "ms", asked.cpu));
    }
    report.remark("over plain HTTP on loopback on both sides, one load generator on the same cores for both");
    report.remark("ECDSA on P-256 on both sides; OpenBao's role stores what it issues, as Wane always does");
    report.remark("issued again under live grants; every certificate is read back before it leaves");
    report.remark("checks of API keys are the small calls of `web`");
    Ok(report)
}

/// Makes the authority and the key of tokens, with the server stopped.
fn keys(wane: &mut Deployment) -> Result<()> {
    wane.server.stop()?;
    for word in ["authority", "token-key"] {
        let settings = wane.server.server_words();
        let words: Vec<&str> = settings.iter().skip(1).map(String::as_str).collect();
        let binary = wane.server.binary().display().to_string();
        command::output(&binary, &[&[word][..], &words, &["new"]].concat())
            .with_context(|| format!("`wane {word} new`"))?;
    }
    wane.server.start()?;
    let add = |name: &str, kind: &str, settings: &Value| {
        let words =
            ["resource", "add", name, "--kind", kind, "--label", "env=bench", "--settings", &settings.to_string()];
        wane.admin.json(&words).map(drop)
    };
    add("console", "x509", &json!({ "crl_pull_secs": 30 }))?;
    add("orders", "oauth", &json!({ "audience": AUDIENCE, "hears": "introspection" }))?;
    wane.admin.json(&["role", "add", "x509/operate", "--set", "use=client"])?;
    wane.admin.json(&["role", "add", "oauth/use", "--set", r#"scopes=["read"]"#])?;
    Ok(())
}

/// The calls that issue under grants of a role, one each.
fn calls(wane: &Deployment, item: &str, input: &Value) -> Result<Vec<Value>> {
    let mut many = Vec::new();
    for person in wane.people.iter().cycle().take(GRANTS) {
        let asked = person.json(&["request", item, "--for", "6h"])?;
        let grant = text(&asked, "/items/0/grant").context("policy did not grant at once")?;
        many.push(json!({
            "method": "POST",
            "path": format!("/v1/grants/{grant}/credential"),
            "headers": [["authorization", format!("Bearer {}", person.token()?)]],
            "body": { "input": input },
        }));
    }
    Ok(many)
}

fn certificate_calls(wane: &Deployment) -> Result<Vec<Value>> {
    let key = wane.server.folder().join("bench.pem").display().to_string();
    command::output("openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &key])?;
    let public = command::output("openssl", &["pkey", "-in", &key, "-pubout"])?;
    calls(wane, "operate@console", &json!({ "public_key": public }))
}

fn token_calls(wane: &Deployment) -> Result<Vec<Value>> {
    calls(wane, "use@orders", &json!({}))
}

/// The calls by which the server `orders` asks about tokens that are good.
fn asked(ground: &Ground, wane: &Deployment, tokens: &[Value]) -> Result<Vec<Value>> {
    let code = wane.admin.json(&["api", "code", "orders"])?;
    let out = wane.server.folder().join("orders.credential");
    wane.admin.json(&["api", "join", "--code", text(&code, "/code")?, "--out", &out.display().to_string()])?;
    let credential = std::fs::read_to_string(&out)?;
    let (_, credential) = credential.trim().split_once(':').context("the credential has no name")?;
    let made = loaded(ground, &with(wane.plan(8, tokens.to_vec()), "keep", json!("/secret")))?;
    let kept = made.pointer("/kept").and_then(Value::as_array).context("no tokens were kept")?;
    ensure!(!kept.is_empty(), "no token was issued");
    Ok(kept
        .iter()
        .filter_map(Value::as_str)
        .map(|token| {
            // As nginx asks with `auth_request`: it needs no form.
            let headers = json!([["wane-server", credential], ["authorization", format!("Bearer {token}")]]);
            json!({ "method": "GET", "path": "/oauth2/check", "headers": headers })
        })
        .collect())
}

/// The call that has OpenBao sign a request and keep what it signed.
fn bao_call(bao: &OpenBao, wane: &Deployment) -> Result<Value> {
    bao.bao(&["secrets", "enable", "pki"])?;
    bao.bao(&["secrets", "tune", "-max-lease-ttl=87600h", "pki"])?;
    let root = ["write", "pki/root/generate/internal", "common_name=bench", "key_type=ec", "key_bits=256", "ttl=8760h"];
    bao.bao(&root)?;
    let role =
        ["write", "pki/roles/client", "allow_any_name=true", "enforce_hostnames=false", "key_type=ec", "key_bits=256"];
    let more = ["server_flag=false", "client_flag=true", "no_store=false", "ttl=15m"];
    bao.bao(&[&role[..], &more[..]].concat())?;
    let token = bao.token_for(r#"path "pki/sign/client" { capabilities = ["update"] }"#)?;
    let key = wane.server.folder().join("bench.pem").display().to_string();
    let csr = command::output("openssl", &["req", "-new", "-key", &key, "-subj", "/CN=somebody"])?;
    Ok(json!({
        "method": "POST",
        "path": "/v1/pki/sign/client",
        "headers": [["x-vault-token", token]],
        "body": { "csr": csr, "common_name": "somebody" },
    }))
}
