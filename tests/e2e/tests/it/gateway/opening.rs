//! What a host opens that nobody asked for: refused, written down, and never heard of by the person.

use std::sync::mpsc::channel;

use serde_json::json;
use wane_testkit::words;

use super::lab::{ALL, Lab};
use super::raw::{DATA, HostEnd, OPEN, OPENED, Rebel, add_host, message, raw_host};
use crate::people::SOON;

/// The answer to an opening that is refused: RFC 4254, section 5.1.
const OPEN_FAILED: u8 = 92;

/// What a host might open, and what comes after the words that every opening has.
fn openings() -> [(&'static str, Vec<u8>); 6] {
    let port = 22_u32.to_be_bytes();
    let between = [&words(&[b"127.0.0.1"])[..], &port, &words(&[b"127.0.0.1"]), &port].concat();
    [
        ("auth-agent", Vec::new()),
        ("x11", [&words(&[b"127.0.0.1"])[..], &port].concat()),
        ("forwarded-tcpip", between.clone()),
        ("session", Vec::new()),
        ("direct-tcpip", between),
        ("forwarded-streamlocal", words(&[b"/run/x.sock", b""])),
    ]
}

#[test]
fn a_host_opens_nothing_that_nobody_asked_for() {
    // The role names all of it: what is missing is somebody who asked.
    let lab = Lab::new(ALL);
    let (tell, told) = channel();
    let (port, line) = raw_host(move |mut host: HostEnd| {
        for (at, (kind, more)) in (20_u32..).zip(openings()) {
            let name = match kind {
                "auth-agent" | "forwarded-streamlocal" => format!("{kind}@openssh.com"),
                _ => kind.to_owned(),
            };
            let flow = [at, 1 << 20, 32_768].map(u32::to_be_bytes).concat();
            host.say(&[&message(OPEN, &[name.as_bytes()])[..], &flow, &more].concat()).unwrap();
            let answer = loop {
                let heard = host.hear().unwrap();
                if [OPENED, OPEN_FAILED].contains(&heard[0]) {
                    break heard;
                }
            };
            tell.send((kind, answer[0], u32::from_be_bytes(answer[1..5].try_into().unwrap()) == at)).unwrap();
        }
        host.say(&[&[DATA][..], &[0; 4], &words(&[b"over"])].concat()).unwrap();
        while host.hear().is_ok() {}
    });
    add_host(&lab, "pushy", port, &line);
    let maya = Rebel::comes(&lab, &lab.wane.maya, "pushy", 1);
    let mut raw = maya.runs(&lab, 1, "id");
    loop {
        let said = raw.hear().unwrap();
        assert_ne!(said[0], OPEN, "the person hears of a channel that they never asked for: {said:?}");
        if said[0] == DATA {
            assert_eq!(&said[9..], b"over");
            break;
        }
    }
    for (kind, _) in openings() {
        assert_eq!(told.recv_timeout(SOON).unwrap(), (kind, OPEN_FAILED, true));
    }
    drop(raw);
    let tally = lab.tally(&maya.grant);
    assert_eq!(tally["channels"], json!({ "session": 1 }), "{tally:#}");
    let refused = json!({
        "auth-agent that nobody asked for, by the host": 1,
        "x11 that nobody asked for, by the host": 1,
        "forwarded-tcpip that nobody asked for, by the host": 1,
        "session, by the host": 1,
        "direct-tcpip, by the host": 1,
        "forwarded-streamlocal, by the host": 1,
    });
    assert_eq!(tally["refused"], refused, "{tally:#}");
}
