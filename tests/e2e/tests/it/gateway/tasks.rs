//! Grants for one exact command: approved as it stands, run once, and over with it.

use std::fs;

use serde_json::{Value, json};
use wane_testkit::{Ended, WaneServer, wait_until};

use super::lab::{ALL, Lab, NOTHING, Visitor};
use crate::people::{POLICY, SOON, approve, ask_coming_out, items, text};

/// A lab where a task needs an approval, and a role without one.
fn lab(extensions: &str) -> Lab {
    let lab = Lab::built(WaneServer::builder().failpoints(), extensions, &[]);
    lab.wane.load(&format!(
        "{POLICY}\n@id(\"one-task\")\n@max_ttl(\"1h\")\n@approve(\"1 of group:approvers\")\npermit (principal in Group::\"engineers\", action == Action::\"access\", resource in Label::\"gate=task\");\n@id(\"tasks-only\")\n@reason(\"only single commands here\")\nforbid (principal, action == Action::\"access\", resource in Label::\"gate=task\") unless {{ context has task && context.task != \"reboot\" }};\n"
    ));
    lab
}

/// A grant for this task, granted by policy alone, and a certificate of it.
fn for_task(lab: &Lab, task: &str) -> Visitor {
    let asked = ask_coming_out(&lab.wane.maya, &["deploy@web", "--for", "20m", "--task", task], 0);
    lab.visits(&lab.wane.maya, text(&asked["items"][0]["grant"]))
}

/// A command that leaves a line in a file at the host, so that what ran is known.
fn marked(lab: &Lab, word: &str) -> (String, std::path::PathBuf) {
    let mark = lab.sshd.user().home().join("ran");
    (format!("echo {word} | tee -a {}; exit 7", mark.display()), mark)
}

fn ran(mark: &std::path::Path) -> usize {
    fs::read_to_string(mark).map_or(0, |text| text.lines().count())
}

fn refused(visitor: &Visitor, options: &[&str], remote: &str, why: &str) {
    let outcome = visitor.run_with(&[&["-o", "BatchMode=yes"], options].concat(), remote);
    assert!(!outcome.success() && outcome.stderr.contains(why), "{remote}: {outcome:?}");
}

#[test]
fn a_task_is_run_once_and_nothing_else_is() {
    let lab = lab(ALL);
    let (task, mark) = marked(&lab, "first");
    let maya = for_task(&lab, &task);
    let approved = format!("what was approved is `{task}`, once and exactly so");
    for (options, remote) in
        [(&["-T"][..], "id"), (&["-T"], &format!("{task} ")), (&["-T"], &format!("{task}; id")), (&["-tt"], "bash")]
    {
        refused(&maya, options, remote, &approved);
    }
    for terminal in ["-T", "-tt"] {
        let mut shell = maya.open(&[terminal], &[]);
        let _ = shell.send_line("id");
        let outcome = shell.wait_exit(SOON).unwrap();
        let heard = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(heard.contains("what was approved is") && !heard.contains("uid="), "{outcome:?}");
    }
    let mut sftp = maya.program("sftp");
    sftp.args(["-o", &format!("User={}", maya.name), "-b", "/dev/null", "127.0.0.1"]);
    let outcome = wane_testkit::Interactive::spawn(&mut sftp).unwrap().wait_exit(SOON).unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("what was approved is"), "{outcome:?}");
    // Not through it either, although the role names forwards.
    let through = maya.open(&["-T", "-W", "127.0.0.1:22"], &[]).wait_exit(SOON).unwrap();
    assert!(!through.success() && through.stdout.is_empty(), "{through:?}");
    wait_until("the refusal to be written down", SOON, || {
        let page = lab.wane.ada.json(&["log", "--grant", &maya.grant, "--event", "session.closed", "--all"]).unwrap();
        page.to_string().contains("refused: direct-tcpip 127.0.0.1:22")
    })
    .unwrap();
    assert_eq!(ran(&mark), 0);
    let open = lab.wane.grant(&maya.grant);
    assert_eq!((&open["state"], &open["task"]["text"]), (&json!("active"), &json!(task)), "{open:#}");
    assert!(open["task"]["spent"].is_null(), "{open:#}");

    let outcome = maya.run(&task);
    assert_eq!((outcome.ended, outcome.stdout.as_str()), (Ended::Code(7), "first\n"), "{}", lab.wane.server.log());
    let closed = lab.wane.wait_closed(&maya.grant);
    assert_eq!(closed["ending"]["cause"], "task done", "{closed:#}");
    assert_eq!(closed["ending"]["reason"], "it exited with status 7", "{closed:#}");
    assert!(closed["task"]["spent"].is_string(), "{closed:#}");
    assert_eq!(closed["closure"]["word"], "gone", "{closed:#}");
    refused(&maya, &["-T", "-o", "PreferredAuthentications=publickey"], &task, "");
    assert_eq!(ran(&mark), 1);

    let events = lab.wane.events(&maya.grant);
    let place = |event: &str| events.iter().position(|e| e == event).unwrap_or_else(|| panic!("{event}: {events:?}"));
    assert!(place("grant.task_spent") < place("grant.ending"), "{events:?}");
    let story = lab.wane.ada.run(&["story", &maya.grant]).unwrap().into_stdout().unwrap();
    for told in ["ran its task", &text(&closed["task"]["digest"]), "it exited with status 7", "for the one command"] {
        assert!(story.contains(told), "{told}: {story}");
    }
}

#[test]
fn what_is_approved_is_the_command_itself() {
    let lab = lab(NOTHING);
    lab.wane.ada.json(&["resource", "change", "web", "--label", "gate=task"]).unwrap();
    let (maya, dan) = (&lab.wane.maya, lab.wane.approver("dan"));
    for words in [&["request", "deploy@web"][..], &["request", "deploy@web", "--task", "reboot"]] {
        let said = crate::people::refused(maya, words, 3);
        assert!(said.contains("only single commands here"), "{said}");
    }
    let bad = crate::people::refused(maya, &["request", "deploy@web", "--task", "id\nid"], 2);
    assert!(bad.contains("control character"), "{bad}");

    let task = "uptime -p";
    let asked = ask_coming_out(maya, &["deploy@web", "--for", "20m", "--task", task], 6);
    let request = text(&asked["id"]);
    let listed = dan.run(&["requests"]).unwrap().into_stdout().unwrap();
    assert!(listed.contains(&format!("deploy@web for `{task}`")), "{listed}");
    // An approval for less time is one for the same command.
    let less = dan.json(&["approve", &request, "--for", "10m"]).unwrap();
    assert_eq!(less["items"][0]["task"], task, "{less:#}");
    let grant = text(&less["items"][0]["grant"]);
    let visitor = lab.visits(maya, grant);
    refused(&visitor, &["-T"], "uptime", "what was approved is `uptime -p`");
    assert!(visitor.run(task).success(), "{}", lab.wane.server.log());
    lab.wane.wait_closed(&visitor.grant);

    // Another ask for the same is another approval.
    let again = ask_coming_out(maya, &["deploy@web", "--for", "20m", "--task", task], 6);
    approve(&dan, &text(&again["id"]));
    let outcome = maya.run(&["ssh", "web", "--", "uptime", "-p"]).unwrap();
    assert!(outcome.success() && outcome.stdout.contains("up"), "{outcome:?}\n{}", lab.wane.server.log());
    let grants = lab.wane.ada.json(&["grants"]).unwrap();
    assert!(items(&grants).iter().all(|grant| grant["task"]["text"] == task), "{grants:#}");
}

#[test]
fn of_two_that_come_at_once_one_runs_the_task() {
    let lab = lab(NOTHING);
    let (task, mark) = marked(&lab, "once");
    let maya = for_task(&lab, &task);
    let sessions: Vec<_> = (0..4)
        .map(|_| {
            let mut ssh = maya.open(&["-T", "-o", "BatchMode=yes"], &[&task]);
            ssh.close_input();
            ssh
        })
        .collect();
    let outcomes: Vec<_> = sessions.into_iter().map(|ssh| ssh.wait_exit(SOON).unwrap()).collect();
    let did = outcomes.iter().filter(|outcome| outcome.ended == Ended::Code(7)).count();
    assert_eq!((did, ran(&mark)), (1, 1), "{outcomes:#?}\n{}", lab.wane.server.log());
    let closed = lab.wane.wait_closed(&maya.grant);
    assert_eq!(closed["ending"]["cause"], "task done", "{closed:#}");
}

#[test]
fn a_task_that_was_spent_is_not_run_again_after_a_crash() {
    for (place, spent) in [("app.brokered.spend.commit:before", false), ("app.brokered.spend.commit:after", true)] {
        let mut lab = lab(NOTHING);
        let (task, mark) = marked(&lab, "crash");
        let maya = for_task(&lab, &task);
        lab.wane.server.plan(&format!("{place}=kill")).unwrap();
        assert!(!maya.run(&task).success());
        wait_until("the server to be dead", SOON, || lab.wane.server.died().is_some()).unwrap();
        assert_eq!(ran(&mark), 0, "{place}: the host was asked before it was written down");
        lab.wane.server.plan("").unwrap();
        lab.wane.server.start().unwrap();
        if spent {
            let closed = lab.wane.wait_closed(&maya.grant);
            assert_eq!(closed["ending"]["cause"], "task done", "{closed:#}");
            assert!(text(&closed["ending"]["reason"]).contains("nobody saw how it ended"), "{closed:#}");
            assert!(!maya.run(&task).success());
            assert_eq!(ran(&mark), 0);
        } else {
            let outcome = maya.run(&task);
            assert_eq!(outcome.ended, Ended::Code(7), "{outcome:?}\n{}", lab.wane.server.log());
            assert_eq!(ran(&mark), 1);
            lab.wane.wait_closed(&maya.grant);
        }
    }
}

#[test]
fn a_task_that_is_cut_off_is_over_all_the_same() {
    let lab = lab(NOTHING);
    let maya = for_task(&lab, "echo begun; sleep 600");
    let ssh = maya.open(&["-T"], &["echo begun; sleep 600"]);
    ssh.wait_for("begun", SOON).unwrap();
    let sessions: Vec<Value> = lab.sessions();
    lab.wane.ada.json(&["kill", sessions[0]["id"].as_str().unwrap(), "-m", "too long"]).unwrap();
    assert!(!ssh.wait_exit(SOON).unwrap().success());
    let closed = lab.wane.wait_closed(&maya.grant);
    assert_eq!(closed["ending"]["cause"], "task done", "{closed:#}");
}
