//! `wane ssh` and `wane ssh-config` through the gateway, and access that is good there only.

use std::fs;
use std::process::Command;

use wane_testkit::{Interactive, SshClient};

use super::lab::{Lab, NOTHING};
use crate::people::{POLICY, SOON, granted, items};

/// The tests' policy, under which whatever is open has to go through the gateway.
fn brokered() -> String {
    POLICY.replace("@id(\"open\")", "@id(\"open\")\n@mode(\"brokered\")")
}

#[test]
fn what_has_to_go_through_the_gateway_opens_nothing_elsewhere() {
    let lab = Lab::new(NOTHING);
    let user = lab.sshd.user().name().to_owned();
    let straight = |visitor: &super::lab::Visitor| {
        let known = lab.wane.server.folder().join("host-known");
        let key = lab.sshd.setup().host_key().public_line().unwrap();
        fs::write(&known, format!("[127.0.0.1]:{} {key}\n", lab.sshd.port())).unwrap();
        let ssh = SshClient::new(&user, lab.sshd.port()).identity(&visitor.key).certificate(&visitor.certificate);
        ssh.known_hosts(&known).option("HostKeyAlgorithms=ssh-ed25519").run("id -un").unwrap()
    };
    // The control: without that term the same way is open.
    let before = lab.comes(&lab.wane.maya, "10m");
    assert!(straight(&before).success(), "{:?}", straight(&before));
    lab.wane.maya.json(&["done", &before.grant]).unwrap();
    lab.wane.load(&brokered());

    let maya = lab.comes(&lab.wane.maya, "10m");
    let outcome = straight(&maya);
    assert!(!outcome.success() && outcome.stderr.contains("Permission denied"), "{outcome:?}");
    let through = maya.run("id -un");
    assert!(through.success() && through.stdout.trim() == user, "{through:?}\n{}", lab.wane.server.log());

    lab.wane.maya.json(&["done", &maya.grant]).unwrap();
    let closed = lab.wane.wait_closed(&maya.grant);
    let text = closed.to_string();
    assert!(text.contains("for the gateway only"), "{closed:#}");
    assert!(!maya.run("true").success());
}

#[test]
fn wane_ssh_goes_through_the_gateway() {
    let lab = Lab::new(NOTHING);
    lab.wane.load(&brokered());
    let user = lab.sshd.user().name().to_owned();
    let outcome = lab.wane.maya.run(&["ssh", "--for", "10m", "web", "id", "-un"]).unwrap();
    assert!(outcome.success() && outcome.stdout.trim() == user, "{outcome:?}\n{}", lab.wane.server.log());
    let log = lab.wane.ada.json(&["log", "--event", "session.opened"]).unwrap();
    assert_eq!(items(&log).len(), 1, "{log}");
    let left: Vec<_> = fs::read_dir(lab.wane.maya.runtime_dir()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let straight = lab.wane.maya.run(&["ssh", "--direct", "web", "id"]).unwrap();
    assert!(!straight.success() && straight.stderr.contains("through the gateway only"), "{straight:?}");
}

#[test]
fn the_plain_programs_find_the_gateway_by_the_printed_settings() {
    let lab = Lab::new(NOTHING);
    let (maya, user) = (&lab.wane.maya, lab.sshd.user().name());
    let grant = granted(maya, "deploy@web", "10m");
    let visitor = lab.visits(maya, grant);
    let printed = maya.run(&["ssh-config", &format!("{user}@web")]).unwrap().into_stdout().unwrap();
    let config = maya.home().join("ssh-config");
    // Each for itself here: what is shared would outlive the test by its minute.
    fs::write(&config, printed.replace("ControlMaster auto", "ControlMaster no")).unwrap();
    let identity = |program: &str| {
        let mut command = Command::new(program);
        maya.surround(&mut command);
        command.arg("-F").arg(&config);
        for option in ["BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none"] {
            command.args(["-o", option]);
        }
        command.arg("-o").arg(format!("IdentityFile={}", visitor.key.display()));
        command.arg("-o").arg(format!("CertificateFile={}", visitor.certificate.display()));
        command
    };
    let done = |mut command: Command| Interactive::spawn(&mut command).unwrap().wait_exit(SOON).unwrap();
    let mut ssh = identity("ssh");
    ssh.args(["-n", "web", "echo there"]);
    let outcome = done(ssh);
    assert!(outcome.success() && outcome.stdout.trim() == "there", "{outcome:?}\n{printed}");
    let mut scp = identity("scp");
    scp.arg(&config).arg("web:copied");
    let outcome = done(scp);
    assert!(outcome.success(), "{outcome:?}");
    assert!(lab.sshd.user().home().join("copied").exists());
    for bad in ["web", "root@", "a b@web", "a@b\nHost *"] {
        assert!(!maya.run(&["ssh-config", bad]).unwrap().success(), "{bad:?}");
    }
}
