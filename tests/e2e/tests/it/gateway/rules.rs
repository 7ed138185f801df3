//! Those who keep to no rule of the protocol, once the keys are changed: before a login, in the middle of it,
//! after it, and behind it. Nothing of it reaches anybody else, or anything at all before a login.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use wane_testkit::{RawKey, RawStream, wait_until, words};

use super::lab::{Lab, NOTHING};
use super::raw::{
    AUTH_FAILURE, AUTH_REQUEST, AUTH_SUCCESS, DATA, HostEnd, OFFER_IS_GOOD, OPENED, Rebel, SERVICE_ACCEPT,
    SERVICE_REQUEST, add_host, asked, connect_from, keyed, message, open, raw_host, request,
};
use crate::people::{SOON, granted};

fn nobody_was_let_in(lab: &Lab) {
    assert!(lab.sessions().is_empty(), "{:?}", lab.sessions());
    assert!(!lab.sshd.log().contains("Connection from"), "the host was asked nothing: {}", lab.sshd.log());
    let arrivals = lab.wane.ada.json(&["log", "--event", "arrival."]).unwrap();
    assert_eq!(arrivals["items"], serde_json::json!([]), "nobody was invited");
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}

/// What is said to a login that is none: it failed, or that is the end of it.
fn is_refused(raw: &mut RawStream) -> bool {
    loop {
        match raw.hear().map(|message| message[0]) {
            Ok(AUTH_FAILURE) | Err(_) => return true,
            Ok(AUTH_SUCCESS) => return false,
            Ok(_) => {}
        }
    }
}

#[test]
fn a_key_that_was_offered_is_not_the_one_that_was_proved() {
    let lab = Lab::new(NOTHING);
    let maya = Rebel::comes(&lab, &lab.wane.maya, "web", 1);
    let other = RawKey::from_seed(&[2; 32]).unwrap();
    let (user, cert) = (maya.user.as_str(), maya.certificate.as_slice());
    let root = user.replace(lab.sshd.user().name(), "root");
    type Try<'a> = (&'a str, Option<&'a [u8]>, Box<dyn Fn(&[u8]) -> Vec<u8> + 'a>);
    let tries: Vec<Try<'_>> = vec![
        ("the right certificate and another key", Some(cert), Box::new(|id| other.login(id, user, cert))),
        ("another key after the right certificate", Some(cert), Box::new(|id| other.login(id, user, &other.blob()))),
        ("its own key without the certificate", Some(cert), Box::new(|id| maya.key.login(id, user, &maya.key.blob()))),
        ("a signature over another connection", None, Box::new(|_| maya.key.login(&[0; 32], user, cert))),
        (
            "a signature as somebody else",
            Some(cert),
            Box::new(|id| {
                let good = maya.key.login(id, user, cert);
                let (from, to) = (words(&[user.as_bytes()]), words(&[root.as_bytes()]));
                [&good[..1], &to, &good[1 + from.len()..]].concat()
            }),
        ),
        (
            "no signature, and yet it says so",
            Some(cert),
            Box::new(|_| {
                let mut offer = RawKey::offer(user, cert);
                let says = 1 + words(&[user.as_bytes(), b"ssh-connection", b"publickey"]).len();
                offer[says] = 1;
                offer
            }),
        ),
        (
            "a signature cut short",
            None,
            Box::new(|id| {
                let mut login = maya.key.login(id, user, cert);
                login.truncate(login.len() - 3);
                login
            }),
        ),
        (
            "another service",
            None,
            Box::new(|id| {
                let login = maya.key.login(id, user, cert);
                let text = String::from_utf8_lossy(&login).find("ssh-connection").unwrap();
                let mut login = login;
                login[text..text + 14].copy_from_slice(b"ssh-nonsense-x");
                login
            }),
        ),
    ];
    for (n, (what, offered, login)) in (0..).zip(&tries) {
        let mut raw = asked(&lab, n);
        if let Some(offered) = offered {
            raw.say(&RawKey::offer(user, offered)).unwrap();
            raw.hear_number(OFFER_IS_GOOD).unwrap();
        }
        let id = raw.session();
        raw.say(&login(&id)).unwrap();
        assert!(is_refused(&mut raw), "{what}");
        // Nor is a channel there for whoever does not wait for the answer.
        let _ = raw.say(&open(0));
        let _ = raw.say(&request(0, "exec", &words(&[b"id"])));
        let _ = raw.say(&message(AUTH_REQUEST, &[user.as_bytes(), b"ssh-connection", b"none"]));
        assert!(is_refused(&mut raw), "{what}");
    }
    nobody_was_let_in(&lab);

    // The other way round it is whoever proved it who is in.
    let dan = lab.wane.server.newcomer(&lab.wane.ada, "dan", &["engineers"]).unwrap();
    let dan = Rebel::comes(&lab, &dan, "web", 3);
    let mut raw = asked(&lab, 99);
    raw.say(&RawKey::offer(user, &dan.certificate)).unwrap();
    raw.hear_number(OFFER_IS_GOOD).unwrap();
    raw.say(&maya.key.login(&raw.session(), user, cert)).unwrap();
    raw.hear_number(AUTH_SUCCESS).unwrap();
    let sessions = lab.sessions();
    assert_eq!((sessions.len(), &sessions[0]["person"]), (1, &"maya".into()), "{sessions:?}");
    assert_eq!(sessions[0]["grant"], maya.grant.as_str());
    // One connection is one login.
    raw.say(&dan.key.login(&raw.session(), user, &dan.certificate)).unwrap();
    raw.say(&open(0)).unwrap();
    raw.hear_number(OPENED).unwrap();
    assert_eq!(lab.sessions().len(), 1);
}

/// Bodies that mean something to one message or another.
fn bodies() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        vec![0; 9],
        open(0)[1..].to_vec(),
        request(0, "exec", &words(&[b"touch /tmp/wane-was-here"]))[1..].to_vec(),
        [&words(&[b"tcpip-forward"])[..], &[1], &words(&[b"127.0.0.1"]), &[0; 4]].concat(),
        words(&[b"ssh-connection"]),
    ]
}

/// What ends a connection, or begins another key exchange, or is a login.
const DECISIVE: [u8; 9] = [1, SERVICE_REQUEST, SERVICE_ACCEPT, 20, 21, 30, 31, AUTH_REQUEST, 61];

#[test]
fn no_message_there_is_does_anything_before_a_login() {
    let lab = Lab::new(NOTHING);
    lab.wane.paper_host("unused", "gate=open");
    let plain = |message: &[u8]| {
        let padding = 8 - (message.len() + 5) % 8 + 8;
        let size = u32::try_from(message.len() + padding + 1).unwrap().to_be_bytes();
        [&size[..], &[u8::try_from(padding).unwrap()], message, &vec![0; padding]].concat()
    };
    // Before the keys are changed: each as the first thing that is said, and each as the second.
    let hello = super::evil::hello("curve25519-sha256,kex-strict-c-v00@openssh.com");
    for number in 1..=255_u8 {
        for (address, before) in [(1000, &[][..]), (2000, &hello[..])] {
            let mut stream = connect_from(&lab, address + u16::from(number)).unwrap();
            let body = &bodies()[usize::from(number) % 6];
            let sent = [b"SSH-2.0-raw\r\n", before, &plain(&[&[number][..], body].concat())].concat();
            let _ = stream.write_all(&sent);
            let mut heard = Vec::new();
            // It has to be closed, whatever is said about it.
            match stream.read_to_end(&mut heard) {
                Ok(_) => {}
                Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "message {number} is waited on"),
            }
        }
    }
    // Afterwards: none of them moves a connection on, and none is answered by more than “what is that”.
    let says_everything = |raw: &mut RawStream| {
        for number in (1..=255_u8).filter(|number| !DECISIVE.contains(number)) {
            for body in bodies() {
                raw.say(&[&[number][..], &body].concat()).unwrap();
            }
        }
    };
    let answers = |raw: &mut RawStream, last: u8| loop {
        match raw.hear().unwrap()[0] {
            number if number == last => return,
            // UNIMPLEMENTED, DEBUG, IGNORE, a banner; and the failure of what is no login.
            2 | 3 | 4 | 53 => {}
            number => panic!("{number} was the answer"),
        }
    };
    let mut raw = keyed(&lab, 3000);
    says_everything(&mut raw);
    raw.say(&message(SERVICE_REQUEST, &[b"ssh-userauth"])).unwrap();
    answers(&mut raw, SERVICE_ACCEPT);
    says_everything(&mut raw);
    raw.say(&message(AUTH_REQUEST, &[b"x%web", b"ssh-connection", b"none"])).unwrap();
    answers(&mut raw, AUTH_FAILURE);
    // What is decisive: in either state, with every body, and then it is not a login either.
    for number in DECISIVE {
        for (n, body) in (0..).zip(bodies()) {
            for asks in [false, true] {
                let address = 4000 + u16::from(number) * 16 + n * 2 + u16::from(asks);
                let mut raw = if asks { asked(&lab, address) } else { keyed(&lab, address) };
                let _ = raw.say(&[&[number][..], &body].concat());
                let _ = raw.say(&open(0));
                let _ = raw.say(&request(0, "exec", &words(&[b"id"])));
                let _ = raw.socket().shutdown(std::net::Shutdown::Write);
                while let Ok(said) = raw.hear() {
                    assert!(![AUTH_SUCCESS, OPENED, 81, 99].contains(&said[0]), "{number} was answered by {said:?}");
                }
            }
        }
    }
    nobody_was_let_in(&lab);
    assert!(!fs::exists("/tmp/wane-was-here").unwrap());
    let maya = lab.comes(&lab.wane.maya, "10m");
    assert!(maya.run("true").success(), "{}", lab.wane.server.log());
}

/// Numbers of channels that nobody opened.
const STRANGE: [u32; 7] = [1, 2, 5, 63, 0x7fff_ffff, u32::MAX - 1, u32::MAX];

/// Every message about a channel that needs one to be there.
fn about(channel: u32) -> Vec<Vec<u8>> {
    let id = channel.to_be_bytes();
    let with = |number: u8, more: &[u8]| [&[number][..], &id, more].concat();
    vec![
        with(93, &u32::MAX.to_be_bytes()),
        with(DATA, &words(&[b"stray"])),
        with(95, &[&1_u32.to_be_bytes()[..], &words(&[b"stray"])].concat()),
        with(96, &[]),
        with(97, &[]),
        request(channel, "exec", &words(&[b"touch /tmp/wane-was-here"])),
        request(channel, "exit-status", &[0; 4]),
        request(channel, "shell", &[]),
        with(99, &[]),
        with(100, &[]),
    ]
}

#[test]
fn what_is_said_about_a_channel_that_nobody_opened_reaches_nobody() {
    let lab = Lab::new(NOTHING);
    let honest = lab.comes(&lab.wane.maya, "20m");
    let mut open_all_along = honest.open(&["-T"], &["cat"]);
    let maya = Rebel::comes(&lab, &lab.wane.maya, "web", 1);
    let mut raw = maya.enters(&lab, 1);
    for channel in STRANGE.into_iter().chain([0]) {
        for said in about(channel) {
            raw.say(&said).unwrap();
        }
    }
    // What they do open works, and holds nothing of it.
    raw.say(&open(0)).unwrap();
    let opened = raw.hear_number(OPENED).unwrap();
    let ours = u32::from_be_bytes(opened[5..9].try_into().unwrap());
    for channel in STRANGE.into_iter().filter(|channel| *channel != ours) {
        for said in about(channel) {
            raw.say(&said).unwrap();
        }
    }
    raw.say(&request(ours, "exec", &words(&[b"cat; echo done"]))).unwrap();
    raw.say(&[&[DATA][..], &ours.to_be_bytes(), &words(&[b"own "])].concat()).unwrap();
    raw.say(&[&[96][..], &ours.to_be_bytes()].concat()).unwrap();
    let mut said = Vec::new();
    while let Ok(message) = raw.hear() {
        match message[0] {
            DATA => said.extend_from_slice(&message[9..]),
            97 => break,
            _ => {}
        }
    }
    assert_eq!(String::from_utf8_lossy(&said), "own done\n");
    drop(raw);
    let tally = lab.tally(&maya.grant);
    assert_eq!((&tally["channels"]["session"], &tally["programs"]["exec"]), (&1.into(), &1.into()), "{tally:#}");
    assert!(!fs::exists("/tmp/wane-was-here").unwrap());

    // An answer to what was never asked breaks the connection, and nothing else.
    for (n, number) in (2..).zip([91, 92]) {
        let mut raw = maya.enters(&lab, n);
        raw.say(&[&[number][..], &7_u32.to_be_bytes(), &[0; 12]].concat()).unwrap();
        let _ = raw.say(&open(0));
        let _ = raw.socket().shutdown(std::net::Shutdown::Write);
        while raw.hear().is_ok() {}
    }
    open_all_along.send_line("still here").unwrap();
    open_all_along.wait_for("still here", SOON).unwrap();
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}

/// Memory of the server that is in use, in MiB.
fn memory(lab: &Lab) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", lab.wane.server.pid().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

/// So much more may be in use for one hostile host: what may wait in both directions, and room to breathe.
const ROOM: u64 = 160;
/// So often a host says a thing, at most so many bytes of it.
const VERY_OFTEN: usize = 20_000;
const VERY_MUCH: usize = 96 << 20;

#[test]
fn what_a_host_does_after_the_login_ends_the_sessions_with_it_and_no_other() {
    let lab = Lab::new(NOTHING);
    let honest = lab.comes(&lab.wane.maya, "30m");
    let mut open_all_along = honest.open(&["-T"], &["cat"]);
    open_all_along.send_line("first").unwrap();
    open_all_along.wait_for("first", SOON).unwrap();
    let before = memory(&lab);

    let again = |said: Vec<u8>| {
        move |mut raw: HostEnd| {
            let (mut times, mut bytes) = (0, 0);
            while times < VERY_OFTEN && bytes < VERY_MUCH && raw.say(&said).is_ok() {
                times += 1;
                bytes += said.len();
            }
        }
    };
    let once = |said: Vec<Vec<u8>>| {
        move |mut raw: HostEnd| {
            for message in &said {
                let _ = raw.say(message);
            }
            let _ = raw.socket().shutdown(std::net::Shutdown::Write);
            while raw.hear().is_ok() {}
        }
    };
    let theirs = 0_u32.to_be_bytes();
    let data = |more: &[u8]| [&[DATA][..], &theirs, more].concat();
    let opening = |kind: &str| [&message(90, &[kind.as_bytes()])[..], &[0; 64]].concat();
    let global = |kind: &str| [&message(80, &[kind.as_bytes()])[..], &[1]].concat();
    let strange: Vec<Vec<u8>> = STRANGE.into_iter().flat_map(about).collect();
    type Does = Box<dyn Fn(HostEnd) + Send + Sync>;
    let hosts: Vec<(&str, Does)> = vec![
        ("endless", Box::new(again(data(&words(&[&[b'x'; 32_000]]))))),
        ("beyond-the-window", Box::new(again(data(&words(&[&[b'x'; 250_000]]))))),
        ("complaints", Box::new(again([&[95][..], &theirs, &[0, 0, 0, 1], &words(&[&[b'e'; 32_000]])].concat()))),
        ("empty-data", Box::new(again(data(&words(&[b""]))))),
        ("ignore", Box::new(again(message(2, &[&[0; 32_000]])))),
        ("debug", Box::new(again([&[4, 0][..], &words(&[b"debug", b""])].concat()))),
        ("channels", Box::new(again(opening("auth-agent@openssh.com")))),
        ("globals", Box::new(again(global("hostkeys-00@openssh.com")))),
        ("requests", Box::new(again(request(0, "keepalive@openssh.com", &[])))),
        ("statuses", Box::new(again([&request(0, "exit-status", &[])[..], &[0; 4]].concat()))),
        ("windows", Box::new(again([&[93][..], &theirs, &[0xff; 4]].concat()))),
        ("strangers", Box::new(once(strange))),
        ("confirmed", Box::new(once(vec![[&[91][..], &[0, 0, 0, 9], &[0; 12]].concat()]))),
        ("answers", Box::new(once(vec![[&[99][..], &theirs].concat(), vec![81], vec![82]]))),
        (
            "opens",
            Box::new(once(["session", "x11", "forwarded-tcpip", "direct-tcpip", "nonsense"].map(opening).into())),
        ),
        ("half-data", Box::new(once(vec![data(&[0, 0, 1, 0, b'x'])]))),
        ("login-again", Box::new(once(vec![vec![AUTH_SUCCESS], vec![AUTH_FAILURE], vec![SERVICE_ACCEPT]]))),
        ("every-message", Box::new(once((2..=255_u8).filter(|n| *n != 20).map(|n| vec![n; 12]).collect()))),
        (
            "after-the-end",
            Box::new(once(vec![
                [&[96][..], &theirs].concat(),
                data(&words(&[b"late"])),
                [&[97][..], &theirs].concat(),
                data(&words(&[b"later"])),
                [&[96][..], &theirs].concat(),
                [&[97][..], &theirs].concat(),
            ])),
        ),
        (
            "keys-again",
            Box::new(|mut raw: HostEnd| {
                let _ = raw.say(&[&[20][..], &[7; 16], &[0; 45]].concat());
                while raw.hear().is_ok() {}
            }),
        ),
        (
            "a-length",
            Box::new(|mut raw: HostEnd| {
                let _ = raw.say_bytes(&[0xff; 64]);
                while raw.hear().is_ok() {}
            }),
        ),
        (
            "garbage",
            Box::new(|mut raw: HostEnd| {
                let _ = raw.say_bytes(&[[0, 0, 1, 0].to_vec(), vec![0xa5; 400]].concat());
                while raw.hear().is_ok() {}
            }),
        ),
    ];
    let mut most = before;
    for (name, does) in hosts {
        let (port, line) = raw_host(does);
        add_host(&lab, name, port, &line);
        let grant = granted(&lab.wane.maya, &format!("deploy@{name}"), "20m");
        let mut visitor = lab.visits(&lab.wane.maya, grant);
        visitor.name = visitor.name.replace("%web", &format!("%{name}"));
        let mut ssh = visitor.ssh(&["-T", "-n", "-o", "BatchMode=yes"], &["id"]);
        let ssh = ssh.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut ssh = Killed(ssh);
        wait_until("the session to be over", SOON, || {
            most = most.max(memory(&lab));
            matches!(ssh.0.try_wait(), Ok(Some(_)))
        })
        .unwrap_or_else(|e| panic!("{name}: {e}\n{}", lab.wane.server.log()));
        wait_until("its session to be gone", SOON, || {
            let leases = lab.leases(&visitor.grant);
            leases.len() == 1 && leases[0]["state"] == "gone"
        })
        .unwrap_or_else(|e| panic!("{name}: {e}: {:#?}", lab.leases(&visitor.grant)));
        open_all_along.send_line(name).unwrap();
        open_all_along.wait_for(name, SOON).unwrap();
        assert!(most < before + ROOM, "{name}: {before} MiB became {most} MiB");
    }
    assert!(!fs::exists("/tmp/wane-was-here").unwrap());
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}

/// A program that ends with the test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_host_is_not_another_one_that_is_registered() {
    let lab = Lab::new(NOTHING);
    // Both are known by certificates of our own authority, each for its own name.
    let address = format!("address=127.0.0.1:{}", lab.sshd.port());
    let add = |name: &str, more: &[&str]| {
        let words = ["resource", "add", name, "--kind", "ssh", "--label", "gate=open", "--set", &address];
        lab.wane.ada.json(&[&words[..], &["--set", "read_back=none"], more].concat()).unwrap();
    };
    add("db", &["--set", r#"host_names=["db.example.org"]"#]);
    let come = |name: &str| {
        let grant = granted(&lab.wane.maya, &format!("deploy@{name}"), "10m");
        let mut visitor = lab.visits(&lab.wane.maya, grant);
        visitor.name = visitor.name.replace("%web", &format!("%{name}"));
        visitor.run("id")
    };
    let swapped = come("db");
    assert!(!swapped.success() && swapped.stdout.is_empty(), "{swapped:?}");
    assert!(
        swapped.stderr.contains("its host certificate is for `127.0.0.1`, not for `db.example.org`"),
        "{swapped:?}"
    );
    assert!(!lab.sshd.log().contains("Accepted"), "nothing was shown to it: {}", lab.sshd.log());
    // The key of a host in between is no key of the host behind it.
    let (port, line) = raw_host(|mut raw| while raw.hear().is_ok() {});
    add_host(&lab, "jump", port, &line);
    let own = lab.sshd.setup().host_key().public_line().unwrap();
    add_host(&lab, "behind", port, &own);
    let behind = come("behind");
    assert!(!behind.success() && behind.stderr.contains("another host key than was registered"), "{behind:?}");
}
