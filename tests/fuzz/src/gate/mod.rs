//! What comes to the gateway over SSH, in front and from behind: the real front over pipes in memory, with somebody
//! at either end who completes the key exchange and then says what the input says.

mod conversation;
pub(crate) mod seeds;
mod world;

use std::collections::HashSet;

use conversation::{Client, Heard, converse};
use wane_connector::broker::By;
use wane_testkit::{RawKey, words};
use world::{PASSES, Script, USERS, world};

use crate::draw::Draw;

/// Messages of RFC 4252 and 4254.
const AUTH_REQUEST: u8 = 50;
const AUTH_SUCCESS: u8 = 52;
const OPENED: u8 = 91;
const DATA: u8 = 94;

/// More than this is said to nobody who has not logged in.
const MOST_ANSWERED: usize = 64 * 1024;

/// Bytes before and after the key exchange: before a login nothing is opened, whatever they are.
pub(crate) fn ssh_packets(data: &[u8]) {
    let mut draw = Draw::new(data);
    let how = draw.byte() % 4;
    let rest = draw.rest();
    let client = match how {
        0 => Client::bytes(rest.to_vec(), Vec::new()),
        1 => Client::bytes(world().hello.clone(), rest.to_vec()),
        2 => Client::keyed(packets(rest), Vec::new()),
        _ => Client::keyed(Vec::new(), rest.to_vec()),
    };
    let (gate, heard) = converse(Script::refusing(), client);
    let seen = gate.seen();
    assert!(seen.claims.is_empty(), "somebody came in: {:?}", seen.claims);
    assert!(seen.arrivals.is_empty() || data.windows(8).any(|part| part == b"keyboard"), "{:?}", seen.arrivals);
    assert!(seen.events.is_empty() && seen.dialled == 0);
    assert!(!heard.said(AUTH_SUCCESS) && !heard.said(OPENED), "{heard:?}");
    assert!(heard.bytes <= MOST_ANSWERED + 16 * data.len(), "{} bytes came of {}", heard.bytes, data.len());
}

/// An input as messages: of each its length, then itself.
fn packets(data: &[u8]) -> Vec<Vec<u8>> {
    let mut draw = Draw::new(data);
    let mut packets = Vec::new();
    while !draw.is_empty() && packets.len() < 64 {
        let size = usize::from(draw.byte());
        packets.push((0..size).map_while(|_| (!draw.is_empty()).then(|| draw.byte())).collect());
    }
    packets
}

/// One step of a login.
enum Step {
    /// Said as it is.
    Said(Vec<u8>),
    /// Signed over this connection: as whom, showing what, by which key, and what is spoilt of it.
    Signed { user: usize, shown: usize, own_key: bool, spoilt: u8 },
}

impl Step {
    fn draw(draw: &mut Draw<'_>) -> Self {
        let (kind, user, shown, more) = (draw.byte() % 10, draw.byte(), draw.byte(), draw.byte());
        let (user, shown) = (usize::from(user) % USERS.len(), usize::from(shown) % world().shown.len());
        let name = USERS[user].as_bytes();
        let request = |method: &[u8], rest: &[u8]| {
            let service: &[u8] = if more & 64 == 0 { b"ssh-connection" } else { b"ssh-userauth" };
            [&[AUTH_REQUEST][..], &words(&[name, service, method]), rest].concat()
        };
        match kind {
            0 => Self::Said(request(b"none", &[])),
            1 => Self::Said(RawKey::offer(USERS[user], &world().shown[shown])),
            2 | 3 => Self::Signed { user, shown, own_key: more & 1 == 0, spoilt: more >> 1 & 7 },
            4 => Self::Said(request(b"keyboard-interactive", &words(&[b"", b""]))),
            5 | 6 => {
                let answers = u32::from(more % 3);
                let mut said = [&[61][..], &answers.to_be_bytes()].concat();
                (0..answers).for_each(|_| said.extend(words(&[b"1"])));
                Self::Said(said)
            }
            7 => Self::Said(
                [&[5][..], &words(&[if more & 1 == 0 { b"ssh-userauth" } else { b"ssh-connection" }])].concat(),
            ),
            8 => Self::Said([&[90][..], &words(&[b"session"]), &[0; 12]].concat()),
            _ => Self::Said([&[more][..], &words(&[name]), &[0; 4]].concat()),
        }
    }

    /// The message, and whether it proves what it says.
    fn message(&self, session: &[u8]) -> (Vec<u8>, Option<usize>) {
        match self {
            Self::Said(bytes) => (bytes.clone(), None),
            Self::Signed { user, shown, own_key, spoilt } => {
                let world = world();
                let key = if *own_key { &world.key } else { &world.other };
                let over = if *spoilt == 1 { &[0; 32][..] } else { session };
                let mut login = key.login(over, USERS[*user], &world.shown[*shown]);
                match spoilt {
                    2 => login.truncate(login.len() - 1),
                    3 => *login.last_mut().unwrap() ^= 1,
                    4 => login.push(0),
                    _ => {}
                }
                let proves = *own_key && *shown == 0 && ![1, 2, 3, 4].contains(spoilt);
                (login, proves.then_some(*user))
            }
        }
    }
}

/// Messages of a login in any order, by any keys: nobody is in who has not proved it, and nobody as somebody else.
pub(crate) fn ssh_userauth(data: &[u8]) {
    let mut draw = Draw::new(data);
    let script = Script::drawn(&mut draw);
    let mut steps = Vec::new();
    while !draw.is_empty() && steps.len() < 40 {
        steps.push(Step::draw(&mut draw));
    }
    let mut proved = HashSet::new();
    let client = Client::signing(|session| {
        let mut messages = vec![[&[5][..], &words(&[b"ssh-userauth"])].concat()];
        for step in &steps {
            let (message, user) = step.message(session);
            proved.extend(user.map(|user| USERS[user].replace('@', "%")));
            messages.push(message);
        }
        messages
    });
    let (gate, heard) = converse(script, client);
    let seen = gate.seen();
    for (claim, invited) in &seen.claims {
        let name = format!("{}%{}", claim.login, claim.resource);
        match &claim.by {
            By::Credential { .. } => {
                assert!(proved.contains(&name), "nobody proved to be {name}");
                assert_eq!(claim.grant, world().held.grant.id, "a grant that nobody proved");
            }
            By::Known { .. } => panic!("nobody is known by anything else here"),
            By::Confirmed(arrival) => {
                assert_eq!(invited.as_ref(), Some(&name), "another login was confirmed");
                assert!(seen.entered.contains(arrival), "nobody confirmed that");
            }
        }
    }
    let entered = seen.accepted;
    assert!(entered <= 1, "{entered} sessions on one connection");
    assert!(entered == 1 || !heard.said(AUTH_SUCCESS), "in without a session");
    assert!(entered == 1 || !heard.said(OPENED), "a channel without a session");
    assert!(seen.events.is_empty() || entered == 1);
}

/// Channels, requests and data from both sides after a login, in any order and about any channel: nothing reaches the
/// other side that was not reported first, and nothing at all that the role does not name.
pub(crate) fn ssh_channels(data: &[u8]) {
    let mut draw = Draw::new(data);
    let script = Script::letting_in(draw.byte());
    let all = script.all;
    let mut said: [Vec<Vec<u8>>; 2] = Default::default();
    let mut order = Vec::new();
    while !draw.is_empty() && order.len() < 60 {
        let side = usize::from(draw.byte() % 2);
        said[side].push(channel_message(&mut draw));
        order.push(side);
    }
    let client = Client::in_session(said, order);
    let (gate, heard) = converse(script, client);
    let seen = gate.seen();
    assert_eq!(seen.accepted, 1, "it is let in: {:?}", heard.messages);
    if let Some(why) = seen.disorder() {
        panic!("{why}");
    }
    let passed = |heard: &Heard| -> usize { heard.messages.iter().filter(|m| m[0] == DATA).map(|m| m.len() - 9).sum() };
    let (up, down) = seen.reported();
    assert!(passed(&seen.host) <= up, "{} bytes reached the host, and {up} were reported", passed(&seen.host));
    assert!(passed(&heard) <= down, "{} bytes reached the person, and {down} were reported", passed(&heard));
    for (sort, names) in seen.host.asked() {
        assert!(PASSES.host(sort, all).contains(&names.as_str()), "the host was asked for `{names}` ({sort})");
    }
    for (sort, names) in heard.asked() {
        assert!(PASSES.person(sort, all).contains(&names.as_str()), "the person was asked for `{names}` ({sort})");
    }
}

/// Channels as a side may name them.
const IDS: [u32; 8] = [0, 0, 0, 1, 2, 5, 63, u32::MAX];
const OPENS: [&str; 8] = [
    "session",
    "direct-tcpip",
    "forwarded-tcpip",
    "auth-agent@openssh.com",
    "x11",
    "direct-streamlocal@openssh.com",
    "forwarded-streamlocal@openssh.com",
    "tun@openssh.com",
];
const REQUESTS: [&str; 14] = [
    "exec",
    "shell",
    "pty-req",
    "env",
    "subsystem",
    "window-change",
    "signal",
    "auth-agent-req@openssh.com",
    "x11-req",
    "exit-status",
    "exit-signal",
    "xon-xoff",
    "eow@openssh.com",
    "keepalive@openssh.com",
];
const GLOBALS: [&str; 5] = [
    "tcpip-forward",
    "cancel-tcpip-forward",
    "streamlocal-forward@openssh.com",
    "keepalive@openssh.com",
    "hostkeys-00@openssh.com",
];

/// A message about channels, whole for the most part.
fn channel_message(draw: &mut Draw<'_>) -> Vec<u8> {
    let (number, id, what, more) = (draw.byte(), draw.byte(), draw.byte(), draw.byte());
    let id = IDS[usize::from(id) % IDS.len()].to_be_bytes();
    let number =
        [90, 90, 91, 92, 93, 94, 94, 95, 96, 97, 98, 98, 98, 80, 99, 100, 81, 82, 20, 50][usize::from(number) % 20];
    let at = |list: &[&'static str]| list[usize::from(what) % list.len()];
    let address = words(&[b"127.0.0.1"]);
    let port = 80_u32.to_be_bytes();
    let wants = [more & 1];
    let text = b"some words"[..usize::from(more) % 10].to_vec();
    let mut said = vec![number];
    match number {
        90 => {
            said.extend(words(&[at(&OPENS).as_bytes()]));
            said.extend([&id[..], &(u32::from(more) << 12).to_be_bytes(), &[0, 0, 128, 0]].concat());
            said.extend([&address[..], &port, &address, &port].concat());
        }
        91 => said.extend([&id[..], &id, &(u32::from(more) << 12).to_be_bytes(), &[0, 0, 128, 0]].concat()),
        92 => said.extend([&id[..], &[0, 0, 0, 1], &words(&[b"no", b""])].concat()),
        93 => said.extend([&id[..], &[more; 4]].concat()),
        94 => said.extend([&id[..], &words(&[&text])].concat()),
        95 => said.extend([&id[..], &u32::from(more & 3).to_be_bytes(), &words(&[&text])].concat()),
        98 => {
            let kind = at(&REQUESTS);
            said.extend([&id[..], &words(&[kind.as_bytes()]), &wants].concat());
            said.extend(match kind {
                "exec" => words(&[b"uptime"]),
                "pty-req" => [&words(&[b"xterm"])[..], &[0; 16], &words(&[&[0]])].concat(),
                "env" => words(&[if more & 2 == 0 { b"LANG" } else { b"EVIL" }, b"C"]),
                "subsystem" => words(&[if more & 2 == 0 { b"sftp" } else { b"echo" }]),
                "window-change" => vec![0; 16],
                "signal" => words(&[b"TERM"]),
                "x11-req" => [&[0][..], &words(&[b"MIT-MAGIC-COOKIE-1", b"00"]), &[0; 4]].concat(),
                "exit-status" => vec![0; 4],
                "exit-signal" => [&words(&[b"TERM"])[..], &[0], &words(&[b"", b""])].concat(),
                "xon-xoff" => vec![1],
                _ => Vec::new(),
            });
        }
        80 => {
            let kind = at(&GLOBALS);
            said.extend([&words(&[kind.as_bytes()])[..], &wants].concat());
            if kind.contains("forward") {
                said.extend([&address[..], &port].concat());
            }
        }
        81 | 82 => {}
        20 | 50 => said.extend([more; 40]),
        _ => said.extend(id),
    }
    // One in many is cut off, or has something behind it.
    match more {
        250..252 => said.truncate(said.len() / 2),
        252..254 => said.extend([7; 3]),
        _ => {}
    }
    said
}

/// Whether somebody comes in at all who should: without that none of the others would mean anything.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_proves_it_is_in_and_what_is_said_comes_through() {
        let (gate, heard) = converse(Script::letting_in(1), Client::in_session(seeds::session(), vec![0; 3]));
        let seen = gate.seen();
        assert!(heard.said(AUTH_SUCCESS) && heard.said(OPENED), "{heard:?}");
        assert_eq!(seen.reported().0, 5, "{:?}", seen.events);
        assert!(seen.host.asked().iter().any(|(sort, name)| *sort == 98 && name == "exec"), "{:?}", seen.host);
        assert!(seen.host.messages.iter().any(|m| m[0] == DATA && m.ends_with(b"words")), "{:?}", seen.host);
    }

    #[test]
    fn who_confirmed_it_is_in() {
        let start =
            [&[AUTH_REQUEST][..], &words(&[b"deploy%web", b"ssh-connection", b"keyboard-interactive", b"", b""])]
                .concat();
        let answer = vec![61, 0, 0, 0, 0];
        let client =
            Client::signing(|_| vec![[&[5][..], &words(&[b"ssh-userauth"])].concat(), start, answer.clone(), answer]);
        let (gate, heard) = converse(Script::confirming(), client);
        assert!(heard.said(AUTH_SUCCESS), "{heard:?}");
        assert!(matches!(gate.seen().claims[0].0.by, By::Confirmed(_)));
    }
}
