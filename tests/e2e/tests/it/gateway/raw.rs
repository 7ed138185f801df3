//! People and hosts who speak SSH as they like.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::json;
use wane_testkit::{PersonSession, RawKey, RawPeer, RawStream, words};

use super::lab::Lab;
use crate::people::{SOON, granted, text};

/// Messages of RFC 4252 and 4254.
pub(super) const SERVICE_REQUEST: u8 = 5;
pub(super) const SERVICE_ACCEPT: u8 = 6;
pub(super) const AUTH_REQUEST: u8 = 50;
pub(super) const AUTH_FAILURE: u8 = 51;
pub(super) const AUTH_SUCCESS: u8 = 52;
pub(super) const OFFER_IS_GOOD: u8 = 60;
pub(super) const OPEN: u8 = 90;
pub(super) const OPENED: u8 = 91;
pub(super) const DATA: u8 = 94;
pub(super) const REQUEST: u8 = 98;
pub(super) const SUCCESS: u8 = 99;

/// A connection to the gateway from one of the addresses of this machine: 127.1.0.0 and so many more.
pub(super) fn connect_from(lab: &Lab, address: u16) -> std::io::Result<TcpStream> {
    let [high, low] = address.to_be_bytes();
    let from = SocketAddr::from((Ipv4Addr::new(127, 1, high, low), 0));
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, lab.port));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(from)?;
        socket.connect(to).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(SOON))?;
    stream.set_write_timeout(Some(SOON))?;
    Ok(stream)
}

/// A connection whose keys are changed, and nothing more.
pub(super) fn keyed(lab: &Lab, address: u16) -> RawStream {
    let peer = RawPeer::client(&[9; 32]).unwrap();
    RawStream::keyed(connect_from(lab, address).unwrap(), peer, SOON).unwrap()
}

/// As far as the question who it is.
pub(super) fn asked(lab: &Lab, address: u16) -> RawStream {
    let mut raw = keyed(lab, address);
    raw.say(&message(SERVICE_REQUEST, &[b"ssh-userauth"])).unwrap();
    raw.hear_number(SERVICE_ACCEPT).unwrap();
    raw
}

/// A message of this number and these words.
pub(super) fn message(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[number][..], &words(parts)].concat()
}

/// A request on a channel that wants an answer.
pub(super) fn request(channel: u32, kind: &str, more: &[u8]) -> Vec<u8> {
    [&[REQUEST][..], &channel.to_be_bytes(), &words(&[kind.as_bytes()]), &[1], more].concat()
}

/// A session channel is asked for, under this number.
pub(super) fn open(channel: u32) -> Vec<u8> {
    let window = (1_u32 << 30).to_be_bytes();
    [&message(OPEN, &[b"session"])[..], &channel.to_be_bytes(), &window, &32_768_u32.to_be_bytes()].concat()
}

/// Somebody with a key, a certificate of a grant, and a program of their own.
pub(super) struct Rebel {
    pub(super) key: RawKey,
    pub(super) certificate: Vec<u8>,
    pub(super) grant: String,
    pub(super) user: String,
}

impl Rebel {
    pub(super) fn comes(lab: &Lab, person: &PersonSession, host: &str, seed: u8) -> Self {
        let key = RawKey::from_seed(&[seed; 32]).unwrap();
        let grant = granted(person, &format!("deploy@{host}"), "20m");
        let input = json!({ "public_key": key.line() }).to_string();
        let made = person.json(&["credential", &grant, "--input", &input]).unwrap();
        let certificate = RawKey::blob_of(&text(&made["public"]["certificate"])).unwrap();
        let user = format!("{}%{host}", lab.sshd.user().name());
        Self { key, certificate, grant, user }
    }

    /// Logged in.
    pub(super) fn enters(&self, lab: &Lab, address: u16) -> RawStream {
        let mut raw = asked(lab, address);
        raw.say(&self.key.login(&raw.session(), &self.user, &self.certificate)).unwrap();
        raw.hear_number(AUTH_SUCCESS).unwrap();
        raw
    }

    /// Logged in, with a program that runs.
    pub(super) fn runs(&self, lab: &Lab, address: u16, command: &str) -> RawStream {
        let mut raw = self.enters(lab, address);
        raw.say(&open(0)).unwrap();
        let opened = raw.hear_number(OPENED).unwrap();
        let channel = u32::from_be_bytes(opened[5..9].try_into().unwrap());
        raw.say(&request(channel, "exec", &words(&[command.as_bytes()]))).unwrap();
        raw.hear_number(SUCCESS).unwrap();
        raw
    }
}

/// A host's end of a session. What it says about channel 0 is said about theirs.
pub(super) struct HostEnd {
    raw: RawStream,
    theirs: [u8; 4],
}

impl HostEnd {
    pub(super) fn say(&mut self, message: &[u8]) -> anyhow::Result<()> {
        let mut message = message.to_vec();
        if matches!(message.first(), Some(91..=100)) && message.get(1..5) == Some(&[0; 4]) {
            message[1..5].copy_from_slice(&self.theirs);
        }
        self.raw.say(&message)
    }

    pub(super) fn say_bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.raw.say_bytes(bytes)
    }

    pub(super) fn hear(&mut self) -> anyhow::Result<Vec<u8>> {
        self.raw.hear()
    }

    pub(super) fn socket(&self) -> &TcpStream {
        self.raw.socket()
    }
}

/// A host that lets everybody in, opens what they want, and then does this to them.
pub(super) fn raw_host(does: impl Fn(HostEnd) + Send + Sync + 'static) -> (u16, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let does = Arc::new(does);
    let line = RawKey::from_seed(&[77; 32]).unwrap().line();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let does = Arc::clone(&does);
            // Whoever breaks off while they log in is of no interest here.
            thread::spawn(move || {
                if let Ok(raw) = let_in(stream) {
                    does(raw)
                }
            });
        }
    });
    (port, line)
}

/// Up to the first program that is asked for, on channel 0 of theirs; ours is 5.
fn let_in(stream: TcpStream) -> anyhow::Result<HostEnd> {
    let peer = RawPeer::server(RawKey::from_seed(&[77; 32])?, &[78; 32])?;
    let mut raw = RawStream::keyed(stream, peer, SOON)?;
    raw.hear_number(SERVICE_REQUEST)?;
    raw.say(&message(SERVICE_ACCEPT, &[b"ssh-userauth"]))?;
    raw.hear_number(AUTH_REQUEST)?;
    raw.say(&[AUTH_SUCCESS])?;
    let asked = raw.hear_number(OPEN)?;
    // CHANNEL_OPEN, `session` with its length, then their number.
    let theirs: [u8; 4] = asked[12..16].try_into()?;
    let (ours, window, most) = (5_u32.to_be_bytes(), (2_u32 << 20).to_be_bytes(), 32_768_u32.to_be_bytes());
    raw.say(&[&[OPENED][..], &theirs, &ours, &window, &most].concat())?;
    loop {
        let request = raw.hear_number(REQUEST)?;
        let size = usize::from(request[8]);
        let (kind, wants) = (&request[9..9 + size], request[9 + size]);
        if wants == 1 {
            raw.say(&[&[SUCCESS][..], &theirs].concat())?;
        }
        if [&b"exec"[..], b"shell"].contains(&kind) {
            return Ok(HostEnd { raw, theirs });
        }
    }
}

/// Registers a host that is known by this key.
pub(super) fn add_host(lab: &Lab, name: &str, port: u16, line: &str) {
    let address = format!("address=127.0.0.1:{port}");
    let keys = format!("host_keys={}", json!([line]));
    let words = ["resource", "add", name, "--kind", "ssh", "--label", "gate=open", "--set", &address, "--set", &keys];
    lab.wane.ada.json(&[&words[..], &["--set", "read_back=none"]].concat()).unwrap();
}
