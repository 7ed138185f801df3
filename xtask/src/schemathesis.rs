//! `schemathesis` over the OpenAPI document, against the real binary: what the document says is what the
//! server does, for an administrator, for an ordinary person and for nobody, whatever is sent.
//!
//! The generator is seeded and bounded, so that a finding comes again. It lives in a virtual environment
//! of its own under `target/`, at the version named here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use wane_testkit::{PersonSession, WaneServer};

use crate::{command, python};

/// The version that is installed from PyPI.
const VERSION: &str = "4.32.5";
/// Where the cases begin.
const SEED: &str = "20261122";
/// Routes that are left out: a stream has no end, and a session that ends, or goes on under another
/// token, leaves the rest of the run without one. They have tests of their own.
const LEFT_OUT: [&str; 3] = ["events", "sign_out", "prove"];
/// Beyond what a schema can say, a call is refused for what it means (422), for who calls (401, 403), for
/// what is there (404, 409), and for how often (429). None of these contradicts the document. Of meaning are spans
/// (`2h`, `PT2H`, more than nothing), the settings of each kind, policies, and what excludes one another.
const SETTINGS: &str = "\
[headers]
Authorization = \"Bearer ${WANE_SCHEMATHESIS_TOKEN}\"

[checks.positive_data_acceptance]
expected-statuses = [\"2xx\", 401, 403, 404, 409, 422, 429]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429]
";

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// So that it can be part of every run of the tests.
    Short,
    /// Many more cases.
    Long,
    /// As many of them as so many seconds allow, for all callers together.
    Within(u32),
}

/// How many callers there are.
const CALLERS: u32 = 4;

impl Length {
    /// Cases for each route, and seconds for each caller.
    fn bounds(self) -> (&'static str, String) {
        match self {
            Self::Short => ("4", "15".to_owned()),
            Self::Long => ("200", "900".to_owned()),
            Self::Within(seconds) => ("200", (seconds / CALLERS).max(1).to_string()),
        }
    }
}

/// Who calls, and what is said of the paths they call.
struct Caller<'a> {
    name: &'a str,
    token: String,
    paths: &'a str,
}

/// What [`furnish`] makes of each sort.
const THERE: &str = "\n[parameters]\n\"path.name\" = \"web1\"\n\"path.person\" = \"web1\"\n\"path.kind\" = \"ssh\"\n";
/// Of the shape of a token, and nobody's.
const NOBODY: &str = "wane_sess_nobody";

/// Builds, then calls.
pub(crate) fn run(length: Length) -> Result<()> {
    command::run(&command::cargo(), &["build", "--workspace", "--bin", "wane"])?;
    call(length)
}

/// Sets a deployment of the binary up that was built, and sends as each caller.
pub(crate) fn call(length: Length) -> Result<()> {
    let folder = command::root().join("target/schemathesis");
    let program = python::environment("schemathesis", VERSION, &folder)?.join("bin/schemathesis");
    let (server, admin) = WaneServer::launch()?;
    let ordinary = furnish(&server, &admin)?;
    let callers: [Caller<'_>; CALLERS as usize] = [
        Caller { name: "nobody", token: NOBODY.to_owned(), paths: "" },
        Caller { name: "an ordinary person", token: ordinary.token()?, paths: "" },
        Caller { name: "an administrator", token: admin.token()?, paths: "" },
        // Last: it takes away what is there.
        Caller { name: "an administrator, about what is there", token: admin.token()?, paths: THERE },
    ];
    for caller in &callers {
        println!("\nas {}:", caller.name);
        send(&program, &folder, &server.url(), caller, length)?;
    }
    let log = server.log();
    let broken: Vec<&str> = log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked")).collect();
    ensure!(broken.is_empty(), "the server's log says:\n{}", broken.join("\n"));
    Ok(())
}

fn send(program: &Path, folder: &Path, url: &str, caller: &Caller<'_>, length: Length) -> Result<()> {
    let settings = folder.join("schemathesis.toml");
    fs::write(&settings, format!("{SETTINGS}{}", caller.paths))
        .with_context(|| format!("cannot write `{}`", settings.display()))?;
    let (examples, most) = length.bounds();
    let document = command::root().join("docs/openapi.json").display().to_string();
    let (program, settings) = (program.display().to_string(), settings.display().to_string());
    let mut words = vec!["--config-file", &settings, "run", &document, "--url", url, "--checks", "all", "--seed", SEED];
    words.extend(["--workers", "1", "--max-examples", examples, "--max-time", &most, "--request-timeout", "30"]);
    words.extend(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color"]);
    words.extend(["--suppress-health-check", "all"]);
    for id in LEFT_OUT {
        words.extend(["--exclude-operation-id", id]);
    }
    // It keeps a cache where it stands.
    command::run_in(folder, &program, &words, &[("WANE_SCHEMATHESIS_TOKEN", &caller.token)])
}

/// Something of each sort to meet, all of one name, and an ordinary person.
fn furnish(server: &WaneServer, admin: &PersonSession) -> Result<PersonSession> {
    admin.json(&["group", "add", "staff"])?;
    admin.json(&["group", "add", "web1"])?;
    admin.json(&["person", "add", "web1"])?;
    // Nothing listens there, and nothing has to.
    let address = "address=\"127.0.0.1:9\"";
    admin.json(&["resource", "add", "web1", "--kind", "ssh", "--set", address, "--set", "read_back=\"none\""])?;
    admin.json(&["role", "add", "ssh/web1", "--set", "principals=[\"deploy\"]"])?;
    server.newcomer(admin, "bo", &["staff"])
}
