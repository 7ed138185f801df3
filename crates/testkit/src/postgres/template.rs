//! A freshly initialised data folder, made once per machine and PostgreSQL version, then copied.
//!
//! Initialising takes seconds and copying a fraction of one. Many test processes start at once:
//! the first makes the template under a lock and moves it into place whole, so whoever sees it
//! sees it finished, and nobody changes it afterwards.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::installation::Installation;
use crate::{folder, program};

/// Raise this when the way the template is made changes.
const REVISION: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Template {
    folder: PathBuf,
}

impl Template {
    /// The machine's template for this version, made now if it is the first use.
    pub(super) fn obtain(installation: &Installation) -> Result<Self> {
        let shared = folder::shared()?;
        let name = format!("postgres-{}-r{REVISION}", installation.version());
        let finished = shared.join(&name);
        let _lock = folder::lock(&shared.join(format!("{name}.lock")))?;
        if !finished.exists() {
            // A maker that was killed leaves its half-made folder here.
            let making = shared.join(format!("{name}.making"));
            if making.exists() {
                fs::remove_dir_all(&making)?;
            }
            make(installation, &making)?;
            fs::rename(&making, &finished)?;
        }
        Ok(Self { folder: finished })
    }

    /// The superuser's password in every copy.
    pub(super) fn password(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.join("password"))?)
    }

    pub(super) fn copy_to(&self, data: &Path) -> Result<()> {
        let mut command = Command::new("cp");
        command.args(["-a", "--reflink=auto", "--"]);
        command.arg(self.folder.join("data")).arg(data);
        program::run(&mut command, "", PATIENCE)?.into_stdout().context("cannot copy the database template")?;
        Ok(())
    }
}

fn make(installation: &Installation, folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o711))?;
    let password = folder.join("password");
    fs::write(&password, random_password()?)?;
    fs::set_permissions(&password, Permissions::from_mode(0o600))?;
    installation.give(&password)?;
    let data = folder.join("data");
    fs::create_dir(&data)?;
    installation.give(&data)?;
    let mut command = installation.server_command("initdb");
    command
        .args(["-A", "scram-sha-256", "-U", "postgres", "--no-sync"])
        // Small log segments: the copy is a third of the size.
        .args(["--locale=C", "-E", "UTF8", "--wal-segsize=1"])
        .arg("--pwfile")
        .arg(&password)
        .arg("-D")
        .arg(&data);
    program::run(&mut command, "", PATIENCE)?.into_stdout().context("initdb failed")?;
    Ok(())
}

fn random_password() -> Result<String> {
    let mut random = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
