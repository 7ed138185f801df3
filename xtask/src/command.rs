//! Running other programs: shown before they run, from the root of the checkout, and an error when
//! they fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs a program with our own input and output; its line is printed first.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<()> {
    run_with(program, arguments, &[])
}

/// As [`run`], with additions to the environment.
pub(crate) fn run_with(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    run_in(root(), program, arguments, environment)
}

/// As [`run_with`], from another folder.
pub(crate) fn run_in(folder: &Path, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let line = shown(program, arguments);
    println!("\n$ {line}");
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(folder)
        .status()
        .with_context(|| format!("cannot run `{line}`"))?;
    ensure!(status.success(), "`{line}` failed with {status}");
    Ok(())
}

/// The standard output of a program that is run quietly.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let line = shown(program, arguments);
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .with_context(|| format!("cannot run `{line}`"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{line}` failed: {complaint}");
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed no text"))
}

/// Where a program is, looking in `PATH` and in the folders of system programs.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The root of the checkout: the folder above this crate's own.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The cargo that runs us, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn shown(program: &str, arguments: &[&str]) -> String {
    let name = Path::new(program).file_name().unwrap_or(program.as_ref());
    std::iter::once(name.to_string_lossy().into_owned())
        .chain(arguments.iter().map(|word| (*word).to_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}
