//! The programs people have, each as it is, through the settings that `wane ssh-config` prints: they know nothing of
//! Wane, and share one connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wane_testkit::wait_until;

use super::lab::{Lab, NOTHING};
use crate::people::{SOON, granted, items};

/// The settings in a file of their own, for somebody with a certificate.
struct Settings {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Settings {
    fn printed(lab: &Lab, words: &[&str]) -> Self {
        let maya = &lab.wane.maya;
        let visitor = lab.visits(maya, granted(maya, "deploy@web", "10m"));
        let printed = maya.run(&[&["ssh-config"], words].concat()).unwrap().into_stdout().unwrap();
        assert!(printed.contains("ControlMaster auto") && printed.contains("ControlPath ~/.ssh/wane-%C"), "{printed}");
        // What is shared lies in the folder of the test, which the name of a socket has room for.
        let folder = tempfile::Builder::new().prefix("w").tempdir_in("/tmp").unwrap();
        let printed = printed.replace("~/.ssh/wane-%C", &folder.path().join("%C").display().to_string());
        let (key, certificate) = (visitor.key.display(), visitor.certificate.display());
        let ours = format!("    IdentityFile {key}\n    CertificateFile {certificate}\n    IdentityAgent none\n");
        let config = folder.path().join("config");
        fs::write(&config, format!("{printed}\n\nHost *\n{ours}    IdentitiesOnly yes\n    BatchMode yes\n")).unwrap();
        Self { folder, config }
    }

    /// A program, given up after a while.
    fn program(&self, name: &str) -> Command {
        self.patiently(name, SOON)
    }

    /// A program, given up after this long.
    fn patiently(&self, name: &str, patience: Duration) -> Command {
        let ssh = format!("ssh -F {}", self.config.display());
        let mut command = Command::new("timeout");
        command.arg(patience.as_secs().to_string()).arg(name).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("LC_ALL", "C.UTF-8").env("HOME", self.folder.path()).env("RSYNC_RSH", &ssh);
        command.env("GIT_SSH_COMMAND", &ssh).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// One of those that read the settings themselves.
    fn ssh(&self, name: &str) -> Command {
        let mut command = self.program(name);
        command.arg("-F").arg(&self.config);
        command
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        for host in ["web", "wane-gateway"] {
            let _ = self.ssh("ssh").args(["-O", "exit", host]).stderr(Stdio::null()).status();
        }
    }
}

fn good(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn all_programs(settings: &Settings, there: &Path) {
    let here = settings.folder.path();
    fs::write(here.join("file"), "what is in it\n").unwrap();
    let place = there.display();
    good(settings.ssh("scp").args(["-q", "file", &format!("web:{place}/by-scp")]));
    fs::write(here.join("batch"), format!("put file {place}/by-sftp\nget {place}/by-scp back\n")).unwrap();
    good(settings.ssh("sftp").args(["-b", "batch", "web"]));
    assert_eq!(fs::read_to_string(here.join("back")).unwrap(), "what is in it\n");
    good(settings.program("rsync").args(["-rlt", "file", &format!("web:{place}/by-rsync")]));
    let git = |words: &[&str]| good(settings.program("git").args(words));
    good(settings.ssh("ssh").args(["web", &format!("git init -q --bare -b main {place}/shared.git")]));
    git(&["-c", "init.defaultBranch=main", "init", "-q", "work"]);
    let identity = ["-C", "work", "-c", "user.name=maya", "-c", "user.email=maya@example.org"];
    git(&[&identity[..], &["commit", "-q", "--allow-empty", "-m", "one"]].concat());
    git(&["-C", "work", "push", "-q", &format!("web:{place}/shared.git"), "main"]);
    assert!(git(&["ls-remote", &format!("web:{place}/shared.git")]).contains("refs/heads/main"));
    let listed = good(settings.ssh("ssh").args(["web", &format!("cat {place}/by-*")]));
    assert_eq!(listed, "what is in it\n".repeat(3));
}

/// A folder that the login account can write to.
fn there() -> tempfile::TempDir {
    let there = tempfile::Builder::new().prefix("wane-there-").tempdir_in("/tmp").unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(there.path(), open).unwrap();
    there
}

#[test]
fn scp_sftp_rsync_and_git_share_one_session() {
    let lab = Lab::new(NOTHING);
    let user = format!("{}@web", lab.sshd.user().name());
    let settings = Settings::printed(&lab, &[&user]);
    let there = there();
    all_programs(&settings, there.path());
    assert_eq!(items(&lab.wane.ada.json(&["log", "--event", "session.opened"]).unwrap()).len(), 1);
    drop(settings);
    wait_until("the session to be closed", SOON, || lab.sessions().is_empty()).unwrap();
}

#[test]
fn they_jump_as_well() {
    let lab = Lab::new(NOTHING);
    let user = format!("{}@web", lab.sshd.user().name());
    let settings = Settings::printed(&lab, &["--jump", &user]);
    let there = there();
    all_programs(&settings, there.path());
    assert_eq!(items(&lab.wane.ada.json(&["log", "--event", "passage.opened"]).unwrap()).len(), 1, "one connection");
    assert!(items(&lab.wane.ada.json(&["log", "--event", "session.opened"]).unwrap()).len() > 3);
}

#[test]
fn ansible_plays_through_the_gateway() {
    let lab = Lab::new(NOTHING);
    let user = format!("{}@web", lab.sshd.user().name());
    let settings = Settings::printed(&lab, &[&user]);
    let (here, there) = (settings.folder.path(), there());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/ansible/venv/bin/ansible-playbook");
    assert!(root.exists(), "`{}` is not there; `cargo xtask test` installs it", root.display());
    let place = there.path().display();
    fs::write(here.join("hosts"), "web ansible_python_interpreter=/usr/bin/python3\n").unwrap();
    let play = format!(
        "- hosts: web\n  gather_facts: true\n  tasks:\n    - command: id -un\n      register: who\n    \
         - copy:\n        content: 'by {{{{ who.stdout }}}}'\n        dest: {place}/played\n    \
         - stat:\n        path: {place}/played\n      register: seen\n    - assert:\n        that: seen.stat.exists\n"
    );
    fs::write(here.join("play.yml"), play).unwrap();
    // It begins a program at either end for each step of each task.
    let mut ansible = settings.patiently(&root.display().to_string(), SOON * 3);
    ansible.args(["-i", "hosts", "play.yml"]).env("ANSIBLE_SSH_ARGS", format!("-F {}", settings.config.display()));
    ansible.env("ANSIBLE_LOCAL_TEMP", here.join("local")).env("ANSIBLE_NOCOLOR", "1");
    let said = good(&mut ansible);
    assert!(said.contains("failed=0") && said.contains("unreachable=0"), "{said}");
    let played = fs::read_to_string(there.path().join("played")).unwrap();
    assert_eq!(played, format!("by {}", lab.sshd.user().name()));
    assert_eq!(items(&lab.wane.ada.json(&["log", "--event", "session.opened"]).unwrap()).len(), 1);
}
