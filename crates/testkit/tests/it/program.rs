//! Programs under a deadline, waits, ports.

use std::collections::HashSet;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use wane_testkit::{Ended, Interactive, eventually, free_port, wait_until};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_conversation_is_seen_as_it_comes_and_ends_when_the_input_does() {
    let mut cat = Interactive::spawn(&mut Command::new("cat")).unwrap();
    cat.send_line("one").unwrap();
    cat.wait_for("one", SOON).unwrap();
    assert!(cat.is_running());
    cat.close_input();
    let outcome = cat.wait_exit(SOON).unwrap();
    assert!(outcome.success());
    assert_eq!(outcome.into_stdout().unwrap(), "one");
}

#[test]
fn a_program_that_does_not_end_is_ended_with_its_children() {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 600 & echo $!; wait"]);
    let shell = Interactive::spawn(&mut command).unwrap();
    shell.wait_for("\n", SOON).unwrap();
    let child = shell.stdout().trim().to_owned();
    let outcome = shell.wait_exit(Duration::ZERO).unwrap();
    assert_eq!(outcome.ended, Ended::TimedOut);
    wait_until("the grandchild to be gone", SOON, || !is_alive(&child)).unwrap();
}

#[test]
fn a_dropped_program_is_gone() {
    let sleeper = Interactive::spawn(Command::new("sleep").arg("600")).unwrap();
    let pid = sleeper.pid().to_string();
    assert!(is_alive(&pid));
    drop(sleeper);
    assert!(!is_alive(&pid));
}

#[test]
fn ports_are_free_and_never_given_twice() {
    let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
    let distinct: HashSet<u16> = ports.iter().copied().collect();
    assert_eq!(distinct.len(), ports.len());
    for port in ports {
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}

#[test]
fn a_wait_in_vain_says_what_it_waited_for() {
    let error = wait_until("the moon", Duration::ZERO, || false).unwrap_err();
    assert!(error.to_string().contains("the moon"), "{error}");
}

#[tokio::test]
async fn an_asynchronous_wait_lets_other_tasks_go_on() {
    let (send, receive) = std::sync::mpsc::channel();
    let other = async move {
        tokio::task::yield_now().await;
        send.send(()).unwrap();
    };
    let waiting = eventually("the other task", SOON, async || receive.try_recv().is_ok());
    let ((), waited) = tokio::join!(other, waiting);
    waited.unwrap();
}

/// A zombie is as good as gone: someone else has to collect it.
fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
