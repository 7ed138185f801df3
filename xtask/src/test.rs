//! Every test of the workspace. The test runner's own summary is the last thing printed.

use std::num::NonZero;

use anyhow::Result;

use crate::schemathesis::{self, Length};
use crate::{aiosmtpd, ansible, certbot, command, deps, node, python_libraries, scim2, seaweedfs, ssh_audit, web};

/// Installs what is missing, builds, then runs the documentation tests, a minute of generated calls,
/// a look at the gateway from outside, and all others.
pub(crate) fn run() -> Result<()> {
    deps::ensure()?;
    seaweedfs::ensure()?;
    node::install()?;
    web::build()?;
    let cargo = command::cargo();
    // In CI nothing is built twice, so incremental files only cost; and the lock file is law.
    let in_ci = std::env::var_os("CI").is_some();
    let environment: &[(&str, &str)] = if in_ci { &[("CARGO_INCREMENTAL", "0")] } else { &[] };
    let locked: &[&str] = if in_ci { &["--locked"] } else { &[] };

    let chore = |words: &[&str]| {
        let words = [words, &["--workspace"], locked].concat();
        command::run_with(&cargo, &words, environment)
    };
    chore(&["build", "--all-targets"])?;
    // Documentation tests hold the claims about what must not compile.
    chore(&["test", "--doc", "--quiet"])?;
    schemathesis::call(Length::Short)?;
    ssh_audit::run()?;
    ansible::install()?;
    scim2::install()?;
    aiosmtpd::install()?;
    python_libraries::install()?;
    certbot::install()?;
    chore(&["nextest", "run", "--test-threads", &at_once().to_string()])
}

/// How many tests run at once: half as many again as there are cores, because most wait for servers more than they
/// compute.
fn at_once() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores + cores.div_ceil(2)
}
