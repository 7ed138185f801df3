//! Peers that stand still: who says nothing, or a byte now and then; who reads nothing; who is stopped in the
//! middle; a store that does not answer. And very many who are busy, all of whom end at once.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use wane_testkit::{WaneServer, wait_until, words};

use super::ending::{SECOND, last_tick, now};
use super::lab::{Lab, NOTHING, TERMINAL};
use super::raw::{DATA, Rebel, add_host, connect_from, raw_host};
use crate::crash::auditor::sqlite;
use crate::people::SOON;

/// What somebody says who then says no more.
fn beginnings() -> [Vec<u8>; 5] {
    let hello = super::evil::hello("curve25519-sha256,kex-strict-c-v00@openssh.com");
    let version = b"SSH-2.0-OpenSSH_9.9\r\n".to_vec();
    [
        Vec::new(),
        b"SSH-2.".to_vec(),
        version.clone(),
        [&version[..], &hello[..40]].concat(),
        [&version[..], &hello].concat(),
    ]
}

/// More than there are places for strangers.
const HELD: usize = 300;
const HALF_OPEN: u16 = 2500;

/// BUG-91, FLT-10.
#[test]
fn thousands_who_say_nothing_keep_nobody_out() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "20m");
    let mut honest = maya.open(&["-T"], &["cat"]);
    let beginnings = beginnings();
    let mut held = VecDeque::new();
    let come = |n: u16, held: &mut VecDeque<TcpStream>| {
        let mut stream = connect_from(&lab, 100 + n).unwrap();
        let _ = stream.write_all(&beginnings[usize::from(n) % beginnings.len()]);
        held.push_back(stream);
        if held.len() > HELD {
            held.pop_front();
        }
    };
    for n in 0..HALF_OPEN {
        come(n, &mut held);
        if n % 250 == 249 {
            // No login takes so long that it has to go, while every place is taken.
            assert!(maya.run("true").success(), "after {n}: {}", lab.wane.server.log());
        }
    }
    // They go on coming from ever new addresses while somebody logs in.
    let stop = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let (ends, held) = (Arc::clone(&stop), &mut held);
        scope.spawn(move || {
            for n in HALF_OPEN..u16::MAX - 100 {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                come(n, held);
                // A login has as long as it takes until all places are taken anew.
                thread::sleep(Duration::from_millis(100));
            }
        });
        let logins = (0..5).map(|_| maya.run("true").success()).collect::<Vec<_>>();
        stop.store(true, Ordering::SeqCst);
        assert_eq!(logins, [true; 5], "{}", lab.wane.server.log());
    });
    honest.send_line("still here").unwrap();
    honest.wait_for("still here", SOON).unwrap();
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}

/// Says these bytes one by one, until nobody takes them any more or they are over.
fn drips(mut stream: TcpStream, bytes: Vec<u8>) -> thread::JoinHandle<TcpStream> {
    thread::spawn(move || {
        for byte in bytes {
            if stream.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(150));
        }
        stream
    })
}

/// FLT-10.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long a login may take is what is asked")]
fn a_login_that_is_drawn_out_is_over_in_time() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "20m");
    let begun = std::time::Instant::now();
    let [_, _, version, _, hello] = beginnings();
    let slow_banner = [b"SSH-2.0-".to_vec(), vec![b'x'; 200], b"\r\n".to_vec()].concat();
    let mut slow = vec![
        drips(connect_from(&lab, 1).unwrap(), slow_banner),
        drips(connect_from(&lab, 2).unwrap(), hello),
        drips(connect_from(&lab, 3).unwrap(), version),
    ];
    // One who asks again and again, and reads none of the answers.
    let mut deaf = super::raw::asked(&lab, 4);
    let (none, socket) = (super::raw::message(50, &[b"x%web", b"ssh-connection", b"none"]), deaf.socket().try_clone());
    slow.push(thread::spawn(move || {
        while deaf.say(&none).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
        socket.unwrap()
    }));
    // Nobody waits for any of them.
    for _ in 0..3 {
        assert!(maya.run("true").success(), "{}", lab.wane.server.log());
    }
    for stream in slow {
        let mut stream = stream.join().unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut heard = [0; 4096];
        while !matches!(stream.read(&mut heard), Ok(0)) {
            // A reset is an end as well; silence is none.
            if let Err(e) = stream.read(&mut heard) {
                assert_ne!(e.kind(), std::io::ErrorKind::WouldBlock, "it is still open");
                break;
            }
        }
    }
    assert!(begun.elapsed() < SOON, "a login took {:?}", begun.elapsed());
}

/// Those whose command line holds this.
fn signal(signal: &str, of: &str) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let pid = entry.file_name().to_string_lossy().into_owned();
        if String::from_utf8_lossy(&line).contains(of) && pid.parse::<u32>().is_ok_and(|pid| pid != std::process::id())
        {
            found += usize::from(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        }
    }
    found
}

/// Goes on again when it goes.
struct Stopped(String);

impl Stopped {
    fn those(of: &str) -> Self {
        assert!(signal("-STOP", of) > 0, "nobody is called `{of}`");
        Self(of.to_owned())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

/// FLT-10, INV-14.
#[test]
fn an_end_waits_for_nobody_who_stands_still() {
    let lab = Lab::new(NOTHING);
    let gone = |grant: &str, what: &str| {
        lab.wane.ada.json(&["revoke", grant, "--reason", "enough"]).unwrap();
        wait_until("the session to be proved gone", SOON, || {
            let leases = lab.leases(grant);
            !leases.is_empty() && leases.iter().all(|lease| lease["state"] == "gone")
        })
        .unwrap_or_else(|e| panic!("{what}: {e}: {:#?}\n{}", lab.leases(grant), lab.wane.server.log()));
    };
    let left = || crate::crash::book::Alive::at(lab.sshd.port(), lab.sshd.user().uid());

    // The person's program is stopped while the host sends without end.
    let maya = lab.comes(&lab.wane.maya, "20m");
    let flooded = maya.open(&["-T"], &["yes wane"]);
    wait_until("it to flow", SOON, || flooded.stdout().len() > 1000).unwrap();
    let stopped = Stopped::those(&maya.key.display().to_string());
    gone(&maya.grant, "a program that is stopped");
    wait_until("the host to be rid of it", SOON, || left() == crate::crash::book::Alive::NOTHING).unwrap();
    drop((stopped, flooded));

    // They read nothing, ever.
    let deaf = Rebel::comes(&lab, &lab.wane.maya, "web", 1);
    let raw = deaf.runs(&lab, 1, "yes wane");
    gone(&deaf.grant, "somebody who does not read");
    wait_until("the host to be rid of it", SOON, || left() == crate::crash::book::Alive::NOTHING).unwrap();
    drop(raw);

    // The host is stopped while the person sends.
    let maya = lab.comes(&lab.wane.maya, "20m");
    let mut fed = maya.open(&["-T"], &["cat"]);
    fed.send_line("there").unwrap();
    fed.wait_for("there", SOON).unwrap();
    let stopped = Stopped::those(&format!("sshd: {}", lab.sshd.user().name()));
    for n in 0..100 {
        let _ = fed.send_line(&format!("unheard {n}"));
    }
    gone(&maya.grant, "a host that is stopped");
    assert!(!fed.wait_exit(SOON).unwrap().success());
    drop(stopped);
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}

/// FLT-10, INV-22, LIV-10.
#[test]
fn sessions_end_in_time_though_the_store_hangs_and_are_booked_later() {
    let lab = Lab::built(WaneServer::builder().failpoints(), TERMINAL, &[]);
    let maya = lab.comes(&lab.wane.maya, "25s");
    let ticking = maya.open(&["-T"], &["while date +%s.%N; do sleep 0.02; done"]);
    wait_until("it to tick", SOON, || ticking.stdout().lines().count() > 3).unwrap();
    let end: String = lab.wane.grant(&maya.grant)["end"].as_str().unwrap().to_owned();
    let due = Command::new("date").args(["-d", &end, "+%s.%N"]).output().unwrap();
    let due: f64 = String::from_utf8_lossy(&due.stdout).trim().parse().unwrap();
    // From here on nothing is written down until somebody lets it.
    let go_on = lab.wane.server.folder().join("go-on");
    lab.wane.server.plan(&format!("store.commit:before=hold:{}", go_on.display())).unwrap();
    let outcome = ticking.wait_exit(SOON).unwrap();
    assert!(!outcome.success() && outcome.stderr.contains("its time is up"), "{outcome:?}");
    let last = last_tick(&outcome.stdout);
    assert!(last < due + SECOND, "the last byte passed {} s after the end", last - due);
    // Whatever the store does, the host hears no more of it.
    let (port, uid) = (lab.sshd.port(), lab.sshd.user().uid());
    wait_until("the host to be rid of it", SOON, || {
        crate::crash::book::Alive::at(port, uid) == crate::crash::book::Alive::NOTHING
    })
    .unwrap();
    let held = || go_on.with_extension("reached").exists();
    wait_until("the store to hang", SOON, held).unwrap();
    std::fs::write(&go_on, "").unwrap();
    lab.wane.server.plan("").unwrap();
    wait_until("it to be written down", SOON, || {
        let leases = lab.leases(&maya.grant);
        leases.len() == 1 && leases[0]["state"] == "gone"
    })
    .unwrap();
    lab.tally(&maya.grant);
    lab.wane.wait_closed(&maya.grant);
}

/// How many sessions at once; a soak says more.
fn many() -> usize {
    std::env::var("WANE_SESSIONS").map_or(200, |many| many.parse().unwrap())
}

/// Of one grant, at one host.
const TOGETHER: usize = 50;

/// FLT-9, INV-14, BUG-56.
#[test]
fn very_many_busy_sessions_end_at_once() {
    let lab = Lab::new(NOTHING);
    let (port, line) = raw_host(|mut raw| {
        let padding = " ".repeat(400);
        let said = |now: f64| {
            let tick = format!("{now:.6}{padding}\n");
            [&[DATA][..], &0_u32.to_be_bytes(), &words(&[tick.as_bytes()])].concat()
        };
        while raw.say(&said(now())).is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let many = many();
    let mut grants = Vec::new();
    let last: Arc<Mutex<Vec<(f64, usize)>>> = Arc::new(Mutex::new(vec![(0.0, 0); many]));
    let mut readers = Vec::new();
    for first in (0..many).step_by(TOGETHER) {
        let name = format!("busy-{first}");
        add_host(&lab, &name, port, &line);
        let rebel = Rebel::comes(&lab, &lab.wane.maya, &name, u8::try_from(first / TOGETHER % 250).unwrap());
        for n in first..many.min(first + TOGETHER) {
            let mut raw = rebel.runs(&lab, u16::try_from(n).unwrap(), "time");
            let last = Arc::clone(&last);
            readers.push(thread::spawn(move || {
                while let Ok(message) = raw.hear() {
                    if message[0] == DATA
                        && let Ok(tick) = String::from_utf8_lossy(&message[9..]).trim().parse()
                    {
                        let mut last = last.lock().unwrap();
                        last[n] = (tick, last[n].1 + 1);
                    }
                }
            }));
        }
        grants.push(rebel.grant);
    }
    wait_until("all of them to be busy", SOON, || last.lock().unwrap().iter().all(|(_, ticks)| *ticks > 3)).unwrap();
    assert_eq!(lab.sessions().len(), many);
    // A lock on everything of one sort: all end with one word.
    lab.wane.ada.json(&["lock", "add", "--person", "maya", "--reason", "incident"]).unwrap();
    let ended = now();
    for reader in readers {
        reader.join().unwrap();
    }
    let last = last.lock().unwrap().clone();
    for (n, (tick, _)) in last.iter().enumerate() {
        assert!(*tick < ended + SECOND, "a byte passed session {n} {} s after the end", tick - ended);
    }
    let db = lab.wane.server.data().join("wane.db");
    let count = |sql: &str| sqlite(&db, sql)[0]["n"].as_u64().unwrap();
    let open = "SELECT count(*) AS n FROM leases WHERE json_extract(doc, '$.what') = 'session' AND phase <> 'gone'";
    wait_until("all of them to be proved gone", SOON, || count(open) == 0).unwrap();
    let closed = "SELECT count(*) AS n, count(DISTINCT json_extract(body, '$.about.lease')) AS ids FROM trail WHERE event = 'session.closed'";
    // The end is booked as soon as it is proved, and the close right after it.
    wait_until("each to be written down as closed", SOON, || count(closed) >= many as u64).unwrap();
    assert_eq!(count(closed), many as u64, "each is closed once");
    assert!(lab.sessions().is_empty());
    if let Ok(report) = std::env::var("WANE_SOAK_REPORT") {
        let late = last.iter().map(|(tick, _)| tick - ended).fold(f64::MIN, f64::max);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(report).unwrap();
        writeln!(file, "{many} busy sessions ended at once: the last byte {late:.3} s after").unwrap();
    }
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}
