//! Those who mean harm, in front of the gateway and behind it. Whatever they do is theirs alone.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use wane_testkit::wait_until;

use super::lab::{Lab, NOTHING};
use crate::people::{SOON, granted};

fn connect(lab: &Lab) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", lab.port)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

/// Reads until the other side closes, which it has to.
fn closed(mut stream: TcpStream, what: &str) {
    let mut heard = [0; 4096];
    loop {
        match stream.read(&mut heard) {
            Ok(0) => return,
            Ok(_) => {}
            Err(e) if [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&e.kind()) => return,
            Err(e) => panic!("{what}: the gateway keeps the connection: {e}"),
        }
    }
}

/// A first packet that offers these key exchanges.
pub(super) fn hello(kex: &str) -> Vec<u8> {
    let mut payload = vec![20];
    payload.extend([7; 16]);
    for names in
        [kex, "ssh-ed25519", "aes256-gcm@openssh.com", "aes256-gcm@openssh.com", "", "", "none", "none", "", ""]
    {
        payload.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
        payload.extend(names.as_bytes());
    }
    payload.extend([0; 5]);
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let mut out = u32::try_from(payload.len() + padding + 1).unwrap().to_be_bytes().to_vec();
    out.push(u8::try_from(padding).unwrap());
    out.extend(payload);
    out.extend(vec![0; padding]);
    out
}

#[test]
fn what_a_stranger_sends_ends_their_own_connection_and_no_other() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "20m");
    let mut open = maya.open(&["-T"], &["cat"]);
    let mut works = |what: &str| {
        open.send_line(what).unwrap();
        open.wait_for(what, SOON).unwrap_or_else(|e| panic!("{what}: {e:#}\n{}", lab.wane.server.log()));
    };
    works("before");
    let version = b"SSH-2.0-OpenSSH_9.9\r\n".to_vec();
    let strict = "curve25519-sha256,kex-strict-c-v00@openssh.com";
    for (what, sent) in [
        ("another protocol", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("a version line without an end", vec![b'S'; 1 << 20]),
        ("zeros", vec![0; 1 << 16]),
        ("an old version", b"SSH-1.5-x\r\n".to_vec()),
        ("a packet of four gigabytes", [version.clone(), vec![0xff; 64]].concat()),
        ("an empty packet", [version.clone(), vec![0; 64]].concat()),
        ("no strict key exchange", [version.clone(), hello("curve25519-sha256")].concat()),
        ("nothing we could agree on", [version.clone(), hello("kex-strict-c-v00@openssh.com,none")].concat()),
        ("nonsense after the greeting", [version.clone(), hello(strict), vec![0xa5; 1 << 16]].concat()),
        // A login before the keys are changed: every message there is.
        ("messages out of order", {
            let packet = |number: u8| [&[0, 0, 0, 12, 10, number][..], &[0; 10]].concat();
            [version.clone(), hello(strict), (1..=255).flat_map(packet).collect()].concat()
        }),
    ] {
        let mut stream = connect(&lab);
        let _ = stream.write_all(&sent);
        closed(stream, what);
        works(what);
    }
    // Those who say nothing, one of them a byte at a time, have half a minute; and there are only so many.
    let silent: Vec<TcpStream> = (0..16).map(|_| connect(&lab)).collect();
    wait_until("the last place to be taken", SOON, || {
        let mut one_more = connect(&lab);
        one_more.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        matches!(one_more.read(&mut [0; 64]), Ok(0) | Err(_))
    })
    .unwrap();
    works("while every place for strangers is taken");
    assert!(!maya.run("true").success(), "from this address nobody new comes in now");
    let mut slow = silent.first().unwrap();
    for byte in b"SSH-2.0-" {
        let _ = slow.write_all(&[*byte]);
    }
    for stream in silent {
        closed(stream, "silence");
    }
    works("after they have gone");
    assert!(maya.run("true").success(), "{}", lab.wane.server.log());
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}

/// A host that does this to everybody who connects.
fn evil_host(does: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let does = std::sync::Arc::new(does);
    std::thread::spawn(move || {
        for stream in listener.incoming().take(16).flatten() {
            let does = std::sync::Arc::clone(&does);
            std::thread::spawn(move || does(stream));
        }
    });
    port
}

#[test]
fn what_a_host_does_ends_the_sessions_with_it_and_no_other() {
    let lab = Lab::new(NOTHING);
    let maya = lab.comes(&lab.wane.maya, "20m");
    let mut open = maya.open(&["-T"], &["cat"]);
    let pour = |bytes: Vec<u8>| move |mut stream: TcpStream| while stream.write_all(&bytes).is_ok() {};
    let hosts = [
        ("endless", evil_host(pour(vec![b'x'; 1 << 16]))),
        ("endless-lines", evil_host(pour(b"not ssh\r\n".repeat(1000)))),
        ("garbage", evil_host(pour([b"SSH-2.0-evil\r\n".to_vec(), vec![0xff; 4096]].concat()))),
        ("zeros", evil_host(pour([b"SSH-2.0-evil\r\n".to_vec(), vec![0; 4096]].concat()))),
        ("lax", evil_host(pour([b"SSH-2.0-evil\r\n".to_vec(), hello("curve25519-sha256")].concat()))),
        ("gone", evil_host(drop)),
        (
            "silent",
            evil_host(|stream| {
                std::thread::sleep(Duration::from_secs(60));
                drop(stream);
            }),
        ),
    ];
    for (name, port) in &hosts {
        let address = format!("127.0.0.1:{port}");
        let words = ["host", "add", name, "--label", "gate=open", "--address", &address, "--read-back", "none"];
        lab.wane.ada.json(&words).unwrap();
        let grant = granted(&lab.wane.maya, &format!("deploy@{name}"), "10m");
        let mut visitor = lab.visits(&lab.wane.maya, grant);
        visitor.name = visitor.name.replace("%web", &format!("%{name}"));
        let outcome = visitor.run("id");
        assert!(!outcome.success() && outcome.stdout.is_empty(), "{name}: {outcome:?}");
        assert!(outcome.stderr.contains("Wane: the host"), "{name}: {outcome:?}\n{}", lab.wane.server.log());
        wait_until("its session to be gone", SOON, || {
            let leases = lab.leases(&visitor.grant);
            leases.len() == 1 && leases[0]["state"] == "gone"
        })
        .unwrap();
        open.send_line(name).unwrap();
        open.wait_for(name, SOON).unwrap();
    }
    assert!(!lab.wane.server.log().contains("panic"), "{}", lab.wane.server.log());
}
