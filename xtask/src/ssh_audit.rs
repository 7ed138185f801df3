//! `ssh-audit` against the gateway of the real binary: nothing it has to say but what is good.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wane_testkit::{WaneServer, free_port};

use crate::{command, python};

/// The version that is installed from PyPI.
const VERSION: &str = "3.9.0";

/// What it may find: OpenSSH before 9.9 has no hybrid exchange that we have, so this one stays beside it, after it.
const ACCEPTED: [&str; 2] = ["curve25519-sha256", "curve25519-sha256@libssh.org"];
const NO_HYBRID: &str = "does not provide protection against post-quantum attacks";

/// Sets a deployment up and has it looked at.
pub(crate) fn run() -> Result<()> {
    let folder = command::root().join("target/ssh-audit");
    let program = python::environment("ssh-audit", VERSION, &folder)?.join("bin/ssh-audit");
    let port = free_port()?;
    let (_server, _admin) = WaneServer::builder().set("gateway.ssh.listen", &format!("127.0.0.1:{port}")).start()?;
    // How often one may connect is bounded, and tested where that is: the rate is not this program's to try.
    let words = ["--json", "--skip-rate-test", "-p", &port.to_string(), "127.0.0.1"];
    // Its exit code says what its report says.
    let output = std::process::Command::new(program).args(words).output().context("ssh-audit does not run")?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("ssh-audit gave no report: {}", String::from_utf8_lossy(&output.stderr)))?;
    let (mut seen, mut faults) = (0, Vec::new());
    for sort in ["kex", "key", "enc", "mac"] {
        for algorithm in
            report.get(sort).and_then(Value::as_array).with_context(|| format!("the report names no `{sort}`"))?
        {
            seen += 1;
            let name = algorithm.get("algorithm").and_then(Value::as_str).unwrap_or_default();
            for level in ["fail", "warn"] {
                for fault in
                    algorithm.pointer(&format!("/notes/{level}")).and_then(Value::as_array).into_iter().flatten()
                {
                    if !(fault == NO_HYBRID && ACCEPTED.contains(&name)) {
                        faults.push(format!("{sort} {name}: {level}: {fault}"));
                    }
                }
            }
        }
    }
    let cves = report.get("cves").and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(
        faults.is_empty() && cves == 0,
        "ssh-audit finds fault with the gateway:\n{}\n{report:#}",
        faults.join("\n")
    );
    println!("ssh-audit {VERSION} finds no other fault with the {seen} algorithms of the gateway");
    Ok(())
}
