//! `schemathesis` over the OpenAPI document, against the real binary: what the document says is what the
//! server does, for an administrator and for an ordinary person, whatever is sent.
//!
//! The generator is seeded and bounded, so that a finding comes again. It lives in a virtual environment
//! of its own under `target/`, at the version named here.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use wane_testkit::{PersonSession, WaneServer};

use crate::{command, deps};

/// The version that is installed from PyPI.
const VERSION: &str = "4.32.5";
/// Where the cases begin.
const SEED: &str = "20261122";
/// Routes that are left out: a stream has no end, and a session that ends, or goes on under another
/// token, leaves the rest of the run without one. They have tests of their own.
const LEFT_OUT: [&str; 3] = ["events", "sign_out", "prove"];
/// Beyond what a schema can say, a call is refused for what it means (422), for who calls (401, 403), for
/// what is there (404, 409), and for how often (429). None of these contradicts the document.
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
}

impl Length {
    /// Cases for each route, and seconds for each person.
    const fn bounds(self) -> (&'static str, &'static str) {
        match self {
            Self::Short => ("4", "20"),
            Self::Long => ("200", "900"),
        }
    }
}

/// Builds, sets a deployment up, and sends as each of two people.
pub(crate) fn run(length: Length) -> Result<()> {
    deps::python()?;
    let folder = command::root().join("target/schemathesis");
    let program = installed(&folder)?;
    command::run(&command::cargo(), &["build", "--workspace", "--bin", "wane"])?;
    let (server, admin) = WaneServer::launch()?;
    let ordinary = furnish(&server, &admin)?;
    let settings = folder.join("schemathesis.toml");
    fs::write(&settings, SETTINGS).with_context(|| format!("cannot write `{}`", settings.display()))?;
    for person in [&admin, &ordinary] {
        println!("\nas {}:", person.name());
        send(&program, &settings, person, length)?;
    }
    let log = server.log();
    let broken: Vec<&str> = log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked")).collect();
    ensure!(broken.is_empty(), "the server's log says:\n{}", broken.join("\n"));
    Ok(())
}

fn send(program: &Path, settings: &Path, person: &PersonSession, length: Length) -> Result<()> {
    let (examples, most) = length.bounds();
    let document = command::root().join("docs/openapi.json").display().to_string();
    let (program, settings, url) = (program.display().to_string(), settings.display().to_string(), person.server());
    let mut words = vec!["--config-file", &settings, "run", &document, "--url", url, "--checks", "all", "--seed", SEED];
    words.extend(["--workers", "1", "--max-examples", examples, "--max-time", most, "--request-timeout", "30"]);
    words.extend(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color"]);
    words.extend(["--suppress-health-check", "all"]);
    for id in LEFT_OUT {
        words.extend(["--exclude-operation-id", id]);
    }
    let token = person.token()?;
    command::run_with(&program, &words, &[("WANE_SCHEMATHESIS_TOKEN", &token)])
}

/// Something of each sort to meet, and an ordinary person.
fn furnish(server: &WaneServer, admin: &PersonSession) -> Result<PersonSession> {
    admin.json(&["group", "add", "staff"])?;
    // Nothing listens there, and nothing has to.
    let address = "address=\"127.0.0.1:9\"";
    admin.json(&["resource", "add", "web1", "--kind", "ssh", "--set", address, "--set", "read_back=\"none\""])?;
    admin.json(&["role", "add", "ssh/deploy", "--set", "principals=[\"deploy\"]"])?;
    server.newcomer(admin, "bo", &["staff"])
}

/// The program, installed if it is not there at this version.
fn installed(folder: &Path) -> Result<PathBuf> {
    let (venv, marker) = (folder.join("venv"), folder.join("version"));
    let program = venv.join("bin/schemathesis");
    if fs::read_to_string(&marker).is_ok_and(|kept| kept == VERSION) && program.is_file() {
        return Ok(program);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    command::run("python3", &["-m", "venv", "--clear", &venv.display().to_string()])?;
    let pip = venv.join("bin/pip").display().to_string();
    command::run(&pip, &["install", "--quiet", "--disable-pip-version-check", &format!("schemathesis=={VERSION}")])?;
    fs::write(&marker, VERSION)?;
    Ok(program)
}
