//! What the tests need from the machine: real servers, real clients, the test runner. Root on a
//! Debian-like system gets what is missing; everybody else is told the exact command.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command;

/// One thing that must be there, and the package that brings it.
struct Need {
    package: &'static str,
    is_met: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need { package: "openssh-server", is_met: || command::find("sshd").is_some() },
    Need { package: "openssh-client", is_met: || has_all(&["ssh", "ssh-keygen", "ssh-agent"]) },
    Need { package: "postgresql", is_met: has_postgres_server },
    Need { package: "postgresql-client", is_met: || command::find("psql").is_some() },
    Need { package: "slapd", is_met: || Path::new("/usr/sbin/slapd").is_file() || command::find("slapd").is_some() },
    Need { package: "ldap-utils", is_met: || command::find("ldapmodify").is_some() },
    Need {
        package: "nginx-light",
        is_met: || Path::new("/usr/sbin/nginx").is_file() || command::find("nginx").is_some(),
    },
    Need { package: "stunnel4", is_met: || command::find("stunnel").is_some() },
    Need { package: "curl", is_met: || command::find("curl").is_some() },
    Need { package: "sqlite3", is_met: || command::find("sqlite3").is_some() },
    Need { package: "openssl", is_met: || command::find("openssl").is_some() },
    Need { package: "lego", is_met: || command::find("lego").is_some() },
    Need { package: "caddy", is_met: || command::find("caddy").is_some() },
    Need { package: "passwd", is_met: || has_all(&["useradd", "userdel"]) },
    Need { package: "faketime", is_met: || command::find("faketime").is_some() },
    Need { package: "rsync", is_met: || command::find("rsync").is_some() },
    Need { package: "git", is_met: || command::find("git").is_some() },
    Need { package: "xauth", is_met: || command::find("xauth").is_some() },
    Need {
        package: "chromium",
        is_met: || ["chromium", "chromium-browser", "google-chrome"].iter().any(|b| command::find(b).is_some()),
    },
    Need { package: "rabbitmq-server", is_met: || Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server").is_file() },
    Need { package: "redis-server", is_met: || command::find("redis-server").is_some() },
    Need { package: "redis-tools", is_met: || command::find("redis-cli").is_some() },
    Need { package: "python3", is_met: || command::find("python3").is_some() },
    Need { package: "util-linux", is_met: || command::find("setpriv").is_some() },
];

/// Makes sure that everything the tests need is installed.
pub(crate) fn ensure() -> Result<()> {
    system_packages()?;
    test_runner()
}

/// Makes sure of the real servers and clients alone.
pub(crate) fn system_packages() -> Result<()> {
    installed(NEEDS)
}

/// Makes sure of a Python that can make virtual environments.
pub(crate) fn python() -> Result<()> {
    let is_met = || command::output("python3", &["-c", "import ensurepip, venv"]).is_ok();
    installed(&[Need { package: "python3-venv", is_met }])
}

/// Makes sure of Node and npm.
pub(crate) fn node() -> Result<()> {
    installed(&[
        Need { package: "nodejs", is_met: || command::find("node").is_some() },
        Need { package: "npm", is_met: || command::find("npm").is_some() },
    ])
}

/// Makes sure of what makes pictures small.
pub(crate) fn pngquant() -> Result<()> {
    installed(&[Need { package: "pngquant", is_met: || command::find("pngquant").is_some() }])
}

/// Makes sure of what libFuzzer is built with.
pub(crate) fn cxx() -> Result<()> {
    installed(&[Need { package: "g++", is_met: || command::find("c++").is_some() }])
}

fn installed(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> = needs.iter().filter(|need| !(need.is_met)()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = [&["install", "-y", "--no-install-recommends"], &missing[..]].concat();
    if !is_root() || command::find("apt-get").is_none() {
        bail!(
            "these system packages are needed: {}\n  on Debian or Ubuntu: sudo apt-get {}",
            missing.join(" "),
            install.join(" ")
        );
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    command::run_with("apt-get", &["update"], &quiet)?;
    command::run_with("apt-get", &install, &quiet)?;
    if let Some(need) = needs.iter().find(|need| !(need.is_met)()) {
        bail!("`{}` is installed and still not usable", need.package);
    }
    Ok(())
}

fn test_runner() -> Result<()> {
    if command::output(&command::cargo(), &["nextest", "--version"]).is_ok() {
        return Ok(());
    }
    command::run(&command::cargo(), &["install", "cargo-nextest", "--locked"])
}

/// Makes sure of the program that breaks the code, in the version whose words we read.
pub(crate) fn mutation_tester() -> Result<()> {
    const VERSION: &str = "27.1.0";
    let present = command::output(&command::cargo(), &["mutants", "--version"]).unwrap_or_default();
    if present.split_whitespace().any(|word| word == VERSION) {
        return Ok(());
    }
    command::run(&command::cargo(), &["install", "cargo-mutants", "--locked", "--version", VERSION])
}

fn has_all(programs: &[&str]) -> bool {
    programs.iter().all(|name| command::find(name).is_some())
}

/// Debian keeps the server's programs out of `PATH`, in a folder per version.
fn has_postgres_server() -> bool {
    let debian = Path::new("/usr/lib/postgresql")
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .any(|version| version.path().join("bin/initdb").is_file());
    debian || command::find("initdb").is_some()
}

fn is_root() -> bool {
    command::output("id", &["-u"]).is_ok_and(|id| id.trim() == "0")
}
