//! `scim2-tester`, which holds a server against RFC 7643 and RFC 7644. It lies under `target/scim2`, where
//! `cargo xtask deps` puts it.

use std::path::Path;
use std::process::Command;

use super::corp::deployed;

#[test]
fn the_standards_own_tester_finds_nothing() {
    let (wane, corp) = deployed(&[]);
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/scim2/venv/bin/scim2");
    let output = Command::new(&program)
        .args(["--url", &corp.url, "test"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {}", corp.token))
        .output()
        .unwrap_or_else(|e| panic!("`{}`: {e}; run `cargo xtask deps`", program.display()));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let good = said.lines().filter(|line| line.starts_with("SUCCESS")).count();
    assert!(output.status.success() && good > 80, "{good} checks are good:\n{said}\n{}", wane.server.log());
}
