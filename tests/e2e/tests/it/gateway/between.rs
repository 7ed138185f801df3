//! Somebody sits between the person and the gateway, or between the gateway and the host, and drops, adds or
//! rewrites what passes there (CVE-2023-48795 and its like). Whatever they do, it does not go unseen.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wane_testkit::{Outcome, wait_until};

use super::lab::{Lab, NOTHING, Visitor};
use crate::people::SOON;

/// Which way something goes that is tampered with: away from whoever connected, or back to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Out,
    Back,
}

/// What is done to it.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Nothing: the man in the middle is there and can be had.
    Nothing,
    /// The words of the first packet are other ones of the same length.
    Rewrites(&'static str, &'static str),
    /// A packet that means nothing is put in before the keys are changed.
    Adds,
    /// The first packets after the keys are changed are dropped.
    Drops(usize),
    /// One put in before, one dropped after: the count of packets is right again.
    AddsAndDrops,
}

const NEWKEYS: u8 = 21;
/// IGNORE, with nothing in it.
const IGNORE: [u8; 16] = [0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Passes one direction on, packet by packet. AES-GCM leaves lengths in the open (RFC 5647).
fn passes(mut from: TcpStream, mut to: TcpStream, does: Does, acted: &AtomicUsize) -> std::io::Result<()> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.last() != Some(&b'\n') {
        from.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    to.write_all(&line)?;
    let (mut changed, mut sealed) = (false, 0);
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let size = usize::try_from(u32::from_be_bytes(length)).unwrap();
        let mut body = vec![0; size + if changed { 16 } else { 0 }];
        from.read_exact(&mut body)?;
        let mut packet = [&length[..], &body].concat();
        if changed {
            sealed += 1;
            let dropped = match does {
                Does::Drops(n) => sealed <= n,
                Does::AddsAndDrops => sealed == 1,
                Does::Nothing | Does::Rewrites(..) | Does::Adds => false,
            };
            if dropped {
                acted.fetch_add(1, Ordering::SeqCst);
                continue;
            }
        } else {
            if let Does::Rewrites(what, with) = does {
                let found = packet.windows(what.len()).position(|part| part == what.as_bytes());
                if let Some(at) = found {
                    packet[at..at + what.len()].copy_from_slice(with.as_bytes());
                    acted.fetch_add(1, Ordering::SeqCst);
                }
            }
            changed = body[1] == NEWKEYS;
            if changed && matches!(does, Does::Adds | Does::AddsAndDrops) {
                to.write_all(&IGNORE)?;
                acted.fetch_add(1, Ordering::SeqCst);
            }
        }
        to.write_all(&packet)?;
    }
}

/// Somebody in front of this port; where, and how often they did something.
fn between(upstream: u16, way: Way, does: Does) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let acted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&acted);
    thread::spawn(move || {
        for person in listener.incoming().take(8).flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else { return };
            for (here, from, to) in [(Way::Out, &person, &server), (Way::Back, &server, &person)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let does = if here == way { does } else { Does::Nothing };
                let count = Arc::clone(&count);
                thread::spawn(move || {
                    let ends = to.try_clone();
                    let _ = passes(from, to, does, &count);
                    if let Ok(ends) = ends {
                        let _ = ends.shutdown(Shutdown::Both);
                    }
                });
            }
        }
    });
    (port, acted)
}

const TRIES: [(Way, Does); 13] = [
    (Way::Out, Does::Rewrites("kex-strict-c-v00@openssh.com", "kex-strict-x-v00@openssh.com")),
    (Way::Back, Does::Rewrites("kex-strict-s-v00@openssh.com", "kex-strict-x-v00@openssh.com")),
    (Way::Out, Does::Rewrites("aes256-gcm@openssh.com", "aes256-cbc@openssh.com")),
    (Way::Back, Does::Rewrites("ext-info", "ext-none")),
    (Way::Out, Does::Rewrites("ext-info-c", "ext-info-x")),
    (Way::Out, Does::Adds),
    (Way::Back, Does::Adds),
    (Way::Out, Does::Drops(1)),
    (Way::Back, Does::Drops(1)),
    (Way::Back, Does::Drops(2)),
    (Way::Out, Does::AddsAndDrops),
    (Way::Back, Does::AddsAndDrops),
    (Way::Back, Does::Nothing),
];

/// Logs in through somebody in between, over the one cipher whose packets they can tell apart.
fn comes(visitor: &Visitor) -> Outcome {
    visitor
        .run_with(&["-T", "-oBatchMode=yes", "-oCiphers=aes256-gcm@openssh.com", "-oHostKeyAlias=127.0.0.1"], "id -un")
}

/// `fine` is what comes of it when nobody interferes.
fn assert_seen(outcome: &Outcome, fine: impl Fn(&Outcome) -> bool, acted: usize, what: (Way, Does)) {
    match what.1 {
        Does::Nothing => assert!(fine(outcome), "{what:?}: {outcome:?}"),
        // Where nothing of the sort is said, there is nothing to be changed.
        Does::Rewrites(..) if acted == 0 => assert!(fine(outcome), "{what:?}: {outcome:?}"),
        _ => {
            assert!(acted > 0, "{what:?}: nothing was done");
            assert!(!fine(outcome) && !outcome.success() && outcome.stdout.is_empty(), "{what:?}: {outcome:?}");
        }
    }
}

#[test]
fn nobody_in_between_drops_or_adds_anything_unseen() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "30m");
    let user = lab.sshd.user().name();
    // In front of the gateway.
    let known = std::fs::read_to_string(&maya.known).unwrap();
    let anywhere = known.replace(&format!("[127.0.0.1]:{}", lab.port), "127.0.0.1");
    std::fs::write(&maya.known, anywhere).unwrap();
    for (way, does) in TRIES {
        let (port, acted) = between(lab.port, way, does);
        let visitor = Visitor { port, ..copy(&maya) };
        let outcome = comes(&visitor);
        let fine = |outcome: &Outcome| outcome.success() && outcome.stdout.trim() == user;
        assert_seen(&outcome, fine, acted.load(Ordering::SeqCst), (way, does));
    }
    // Of all of them only those with whom nobody interfered were somebody.
    let leases = lab.leases(&maya.grant).len();
    let fine = TRIES.iter().filter(|(_, does)| matches!(does, Does::Nothing | Does::Rewrites(..))).count();
    assert!(leases <= fine, "{leases} sessions were begun");

    // In front of the host, which is reached through whoever is in between.
    let maya = lab.comes(&lab.wane.maya, "30m");
    for (way, does) in TRIES {
        let (port, acted) = between(lab.sshd.port(), way, does);
        let address = format!("address=127.0.0.1:{port}");
        let words = ["resource", "change", "web", "--set", &address, "--set", "read_back=none"];
        lab.wane.ada.json(&words).unwrap();
        let outcome = maya.run("id -un");
        let fine = |outcome: &Outcome| outcome.success() && outcome.stdout.trim() == user;
        assert_seen(&outcome, fine, acted.load(Ordering::SeqCst), (way, does));
    }
    wait_until("the sessions to be gone", SOON, || {
        let leases = lab.leases(&maya.grant);
        !leases.is_empty() && leases.iter().all(|lease| lease["state"] == "gone")
    })
    .unwrap();
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}

fn copy(of: &Visitor) -> Visitor {
    Visitor {
        grant: of.grant.clone(),
        key: of.key.clone(),
        certificate: of.certificate.clone(),
        known: of.known.clone(),
        port: of.port,
        name: of.name.clone(),
    }
}
