//! A role that lists the commands it is for, at the gateway and nowhere else.

use std::fs;

use serde_json::json;
use wane_testkit::{Ended, SshClient, wait_until};

use super::lab::{Lab, NOTHING, Visitor};
use crate::people::{Deployment, SOON, granted, refused, text};

/// A role of the lab's user with these commands.
fn role(lab: &Lab, name: &str, commands: &str, extensions: &str) {
    let principals = format!("principals={}", json!([lab.sshd.user().name()]));
    let (commands, extensions) = (format!("commands={commands}"), format!("extensions={extensions}"));
    let words = ["role", "add", &format!("ssh/{name}"), "--set", &principals, "--set", &commands, "--set", &extensions];
    lab.wane.ada.json(&words).unwrap();
}

fn not_run(visitor: &Visitor, options: &[&str], remote: &str) -> String {
    let outcome = visitor.run_with(&[&["-o", "BatchMode=yes"], options].concat(), remote);
    assert!(outcome.ended == Ended::Code(126) && outcome.stdout.is_empty(), "{remote:?}: {outcome:?}");
    outcome.stderr
}

#[test]
fn only_the_commands_that_the_role_lists_are_run() {
    let lab = Lab::new(NOTHING);
    role(&lab, "operate", r#"[["echo","*","**"],["ls","/etc/hostname"],["env"]]"#, r#"["permit-pty"]"#);
    let maya = lab.visits(&lab.wane.maya, granted(&lab.wane.maya, "operate@web", "20m"));
    let outcome = maya.run(r#"echo 'a;  b' "it's" \$HOME '*' -n"#);
    assert!(outcome.success() && outcome.stdout == "a;  b it's $HOME * -n\n", "{outcome:?}\n{}", lab.wane.server.log());
    let inside = lab.tally(&maya.grant);
    assert_eq!(inside["verdict"], json!({ "word": "inside", "because": [] }), "{inside}");
    // A terminal that the role names is of no more use than for these.
    let tty = maya.run_with(&["-tt"], "echo there");
    assert!(tty.success() && tty.stdout.contains("there"), "{tty:?}");

    for (remote, why) in [
        ("echo a; id", "`;` means more than itself"),
        ("echo a & id", "`&` means more"),
        ("echo `id`", "means more"),
        ("echo \"$(id)\"", "`$` means more"),
        ("echo a\nid", "control character"),
        ("echo a > /tmp/x", "`>` means more"),
        ("ls /etc/*", "`*` means more"),
        ("ls /etc/shadow", "none of those that the role allows"),
        ("echo -n", "none of those that the role allows"),
        ("/bin/echo a", "none of those that the role allows"),
        ("'echo a'", "none of those that the role allows"),
        ("id", "none of those that the role allows"),
    ] {
        let said = not_run(&maya, &["-T"], remote);
        assert!(said.contains(why) && said.contains("for these commands alone: `echo * **`"), "{remote}: {said}");
    }
    // No shell, with a terminal or without.
    for terminal in ["-T", "-tt"] {
        let mut shell = maya.open(&[terminal], &[]);
        let _ = shell.send_line("id; echo in-a-shell");
        let outcome = shell.wait_exit(SOON).unwrap();
        let heard = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(heard.contains("for these commands alone") && !heard.contains("uid="), "{terminal}: {outcome:?}");
        assert_eq!(outcome.ended, Ended::Code(126), "{outcome:?}");
    }
    // No files, the new way or the old.
    let from = lab.wane.server.folder().join("from-here");
    fs::write(&from, "x").unwrap();
    for old in [None, Some("-O")] {
        let mut scp = maya.program("scp");
        scp.args(old).args(["-o", &format!("User={}", maya.name)]).arg(&from).arg("127.0.0.1:copied");
        let outcome = wane_testkit::Interactive::spawn(&mut scp).unwrap().wait_exit(SOON).unwrap();
        assert!(!outcome.success() && outcome.stderr.contains("for these commands alone"), "{old:?}: {outcome:?}");
    }
    assert!(!lab.sshd.user().home().join("copied").exists());
    let told = || {
        let words = ["log", "--grant", &maya.grant, "--event", "session.closed", "--all"];
        lab.wane.ada.json(&words).unwrap().to_string()
    };
    for what in ["exec id", "exec ls", "shell", "subsystem sftp", "exec scp"] {
        wait_until("the refusal to be written down", SOON, || told().contains(&format!("refused: {what}")))
            .unwrap_or_else(|e| panic!("{e}: {what}: {}", told()));
    }
    assert!(!told().contains("shadow"), "of what was refused only the program is noted: {}", told());
}

#[test]
fn a_role_with_commands_opens_nothing_at_the_host_itself() {
    let lab = Lab::new(NOTHING);
    // Before there is a narrower role that would do.
    let plain = lab.comes(&lab.wane.maya, "10m");
    role(&lab, "operate", r#"[["id"]]"#, NOTHING);
    let (user, known) = (lab.sshd.user().name().to_owned(), lab.wane.server.folder().join("host-known"));
    let key = lab.sshd.setup().host_key().public_line().unwrap();
    fs::write(&known, format!("[127.0.0.1]:{} {key}\n", lab.sshd.port())).unwrap();
    let straight = |visitor: &Visitor| {
        let ssh = SshClient::new(&user, lab.sshd.port()).identity(&visitor.key).certificate(&visitor.certificate);
        ssh.known_hosts(&known).option("HostKeyAlgorithms=ssh-ed25519").run("id").unwrap()
    };
    // The control: under a role without a list the same way is open.
    assert!(straight(&plain).success());
    let maya = lab.visits(&lab.wane.maya, granted(&lab.wane.maya, "operate@web", "10m"));
    let outcome = straight(&maya);
    assert!(!outcome.success() && outcome.stderr.contains("Permission denied"), "{outcome:?}");
    assert!(maya.run("id").success());
    let direct = lab.wane.maya.run(&["ssh", "--direct", "--role", "operate", "web", "id"]).unwrap();
    assert!(!direct.success() && direct.stderr.contains("through the gateway only"), "{direct:?}");
}

#[test]
fn a_server_without_a_gateway_gives_no_role_with_commands() {
    let wane = Deployment::new();
    wane.paper_host("web", "gate=open");
    let words = ["role", "add", "ssh/operate", "--set", r#"principals=["deploy"]"#, "--set", r#"commands=[["id"]]"#];
    wane.ada.json(&words).unwrap();
    let said = refused(&wane.maya, &["request", "operate@web"], 3);
    assert!(said.contains("needs sessions through the gateway, which is not available here"), "{said}");
    let said =
        refused(&wane.ada, &[&words[..2], &["ssh/both"], &words[3..], &["--set", "force_command=id"]].concat(), 2);
    assert!(said.contains("leave one out"), "{said}");
    // Nor is there anything to hold anybody to one task.
    wane.deploy_role();
    let said = refused(&wane.maya, &["request", "deploy@web", "--task", "id"], 3);
    assert!(said.contains("needs sessions through the gateway"), "{said}");
    assert!(!text(&wane.ada.json(&["role", "show", "ssh/operate"]).unwrap()["name"]).is_empty());
}
