//! The block of lines that ties sshd to Wane, and reading what sshd makes of a configuration.

use std::path::Path;
use std::process::Command;

use wane_connector::verb::VerbError;

const BEGIN: &str = "# >>> wane: written by `wane host setup`; edits inside are lost";
const END: &str = "# <<< wane";

/// The configuration with this block on top and no other of ours. In sshd the first value of a
/// keyword wins, so the block has to stand before everything, also before an `Include`.
pub(super) fn with_block(config: &str, lines: &[String]) -> Result<String, VerbError> {
    let rest = without_block(config)?;
    Ok(format!("{BEGIN}\n{}\n{END}\n{rest}", lines.join("\n")))
}

fn without_block(config: &str) -> Result<String, VerbError> {
    let damaged = || {
        VerbError::Failed(format!(
            "the configuration has half a block of ours: put `{BEGIN}` and `{END}` right, or remove both with what is between"
        ))
    };
    let rest = match config.split_once(&format!("{BEGIN}\n")) {
        None => config.to_owned(),
        Some((before, rest)) => {
            let (_, after) = rest.split_once(&format!("{END}\n")).ok_or_else(damaged)?;
            format!("{before}{after}")
        }
    };
    // What is left would be taken for a block the next time.
    if rest.contains(BEGIN) || rest.contains(END) { Err(damaged()) } else { Ok(rest) }
}

/// What sshd takes a configuration to mean, of what matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effective {
    pub(super) host_keys: Vec<String>,
    pub(super) user_ca: Option<String>,
    pub(super) revoked_keys: Option<String>,
    pub(super) principals_command: Option<String>,
}

/// Has sshd print the configuration it would run with.
pub(super) fn effective(sshd: &Path, config: &Path) -> Result<Effective, VerbError> {
    let mut out = Effective::default();
    for line in ask(sshd, "-T", config)?.lines() {
        let (word, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = Some(value.trim()).filter(|value| !value.is_empty() && *value != "none");
        match (word, value) {
            ("hostkey", Some(path)) => out.host_keys.push(path.to_owned()),
            ("trustedusercakeys", Some(path)) => out.user_ca = Some(path.to_owned()),
            ("revokedkeys", Some(path)) => out.revoked_keys = Some(path.to_owned()),
            ("authorizedprincipalscommand", Some(command)) => out.principals_command = Some(command.to_owned()),
            _ => {}
        }
    }
    Ok(out)
}

/// Has sshd judge a configuration, including the files it names.
pub(super) fn check(sshd: &Path, config: &Path) -> Result<(), VerbError> {
    ask(sshd, "-t", config).map(drop)
}

fn ask(sshd: &Path, question: &str, config: &Path) -> Result<String, VerbError> {
    let said = Command::new(sshd)
        .arg(question)
        .arg("-f")
        .arg(config)
        .output()
        .map_err(|e| VerbError::Failed(format!("cannot run `{}`: {e}; name sshd with `--sshd`", sshd.display())))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    Err(VerbError::Failed(format!(
        "sshd does not take `{}`: {}",
        config.display(),
        String::from_utf8_lossy(&said.stderr).trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_on_top_and_there_once() {
        let lines = ["TrustedUserCAKeys /a".to_owned()];
        let first = with_block("Include x\nPort 22\n", &lines).unwrap();
        assert!(first.starts_with(BEGIN) && first.ends_with("# <<< wane\nInclude x\nPort 22\n"), "{first}");
        assert_eq!(with_block(&first, &lines).unwrap(), first);
        let other = with_block(&first, &["RevokedKeys /b".to_owned()]).unwrap();
        assert!(!other.contains("/a") && other.contains("/b"));
        assert_eq!(without_block(&other).unwrap(), "Include x\nPort 22\n");
        assert_eq!(without_block("no newline at the end").unwrap(), "no newline at the end");
    }

    #[test]
    fn half_a_block_is_left_alone() {
        let whole = with_block("Port 22\n", &[]).unwrap();
        let bad = [
            whole.replace("# <<< wane\n", ""),
            format!("Port 22\n{END}\n"),
            format!("{whole}{whole}"),
            BEGIN.to_owned(),
            format!("Port 22\n{END}"),
            format!("{whole}# see {END}"),
        ];
        for bad in bad {
            assert!(with_block(&bad, &[]).is_err(), "{bad}");
        }
    }
}
