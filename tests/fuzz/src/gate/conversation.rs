//! Two ends and the front between them, in one thread; what each end heard.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use wane_testkit::{RawKey, RawPeer, Words, words};

use super::world::{Gate, HOST_SEED, Script, USERS, hosts, world};

/// No conversation in memory takes so long, unless something waits that must not.
const FOR_EVER: Duration = Duration::from_secs(60);
/// Turns that the other side gets before the next thing is said.
const TURNS: usize = 24;

type Signs<'a> = Box<dyn FnOnce(&[u8]) -> Vec<Vec<u8>> + 'a>;

/// What both sides of a session say, and in which order.
type Talked = ([Vec<Vec<u8>>; 2], Vec<usize>);

/// What the person's end does.
pub(super) struct Client<'a> {
    /// Sent as it is, in place of a key exchange.
    instead: Option<Vec<u8>>,
    /// Said once the keys are changed.
    says: Signs<'a>,
    /// Sent as it is at the end.
    then: Vec<u8>,
    /// What is said in a session, by the person and by the host, and in which order.
    session: Option<Talked>,
}

impl<'a> Client<'a> {
    pub(super) fn bytes(first: Vec<u8>, then: Vec<u8>) -> Self {
        Self { instead: Some(first), says: Box::new(|_| Vec::new()), then, session: None }
    }

    pub(super) fn keyed(says: Vec<Vec<u8>>, then: Vec<u8>) -> Self {
        Self { instead: None, says: Box::new(|_| says), then, session: None }
    }

    pub(super) fn signing(says: impl FnOnce(&[u8]) -> Vec<Vec<u8>> + 'a) -> Self {
        Self { instead: None, says: Box::new(says), then: Vec::new(), session: None }
    }

    pub(super) fn in_session(said: [Vec<Vec<u8>>; 2], order: Vec<usize>) -> Self {
        let logs_in = |session: &[u8]| {
            let service = [&[5][..], &words(&[b"ssh-userauth"])].concat();
            vec![service, world().key.login(session, USERS[0], &world().shown[0])]
        };
        Self { instead: None, says: Box::new(logs_in), then: Vec::new(), session: Some((said, order)) }
    }
}

/// What an end heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) bytes: usize,
}

impl Heard {
    pub(super) fn said(&self, number: u8) -> bool {
        self.messages.iter().any(|message| message.first() == Some(&number))
    }

    /// What was asked for: channels that were opened, global requests, requests on channels.
    pub(super) fn asked(&self) -> Vec<(u8, String)> {
        let asks = |message: &Vec<u8>| {
            let mut rest = Words(message);
            let number = rest.byte()?;
            if number == 98 {
                rest.number()?;
            }
            [80, 90, 98].contains(&number).then_some(())?;
            Some((number, String::from_utf8_lossy(rest.word()?).into_owned()))
        };
        self.messages.iter().filter_map(asks).collect()
    }
}

/// An end that is spoken at.
struct End {
    stream: DuplexStream,
    peer: RawPeer,
    heard: Heard,
    over: bool,
}

impl End {
    fn new(stream: DuplexStream, peer: RawPeer) -> Self {
        Self { stream, peer, heard: Heard::default(), over: false }
    }

    /// Sends what there is to send.
    async fn flush(&mut self) {
        let out = self.peer.take_output();
        if self.stream.write_all(&out).await.is_err() {
            self.over = true;
        }
    }

    /// Hears what comes next; the messages in it.
    async fn hear(&mut self) -> usize {
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes).await {
            Ok(0) | Err(_) => self.over = true,
            Ok(size) => {
                self.heard.bytes += size;
                match self.peer.hears(&bytes[..size]) {
                    Ok(messages) => {
                        let new = messages.len();
                        self.heard.messages.extend(messages);
                        return new;
                    }
                    Err(_) => self.over = true,
                }
            }
        }
        0
    }

    /// Has others go on, and hears what comes of it.
    async fn turn(&mut self) {
        for _ in 0..TURNS {
            tokio::select! {
                biased;
                _ = self.hear(), if !self.over => {}
                () = tokio::task::yield_now() => {}
            }
        }
    }
}

/// Has both ends say what they say until all is over.
pub(super) fn converse(script: Script, client: Client<'_>) -> (Arc<Gate>, Heard) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (come, came) = mpsc::unbounded_channel();
    let (to_host, host_says) = mpsc::unbounded_channel();
    let gate = Gate::new(script, come);
    let own = Arc::clone(&gate);
    let talk = async {
        let (person, front) = tokio::io::duplex(1 << 20);
        let serving = world().front.serve(Box::new(front), Arc::<Gate>::clone(&gate));
        let behind = hosts(came, Arc::clone(&gate), host_says);
        let speaking = speak(person, client, to_host);
        let both = async { tokio::join!(serving, speaking).1 };
        let mut behind = Box::pin(behind);
        let mut both = Box::pin(both);
        let mut left = false;
        let heard = tokio::select! {
            heard = &mut both => heard,
            () = &mut behind => {
                left = true;
                (&mut both).await
            }
        };
        drop(both);
        // The host's end hears to the last what was said to it, if there was one.
        if !left && gate.seen().dialled > 0 {
            behind.await;
        }
        heard
    };
    let heard = runtime.block_on(async { tokio::time::timeout(FOR_EVER, talk).await });
    (own, heard.unwrap_or_else(|_| panic!("it never ends")))
}

async fn speak(stream: DuplexStream, client: Client<'_>, host: mpsc::UnboundedSender<Vec<u8>>) -> Heard {
    let mut end = End::new(stream, RawPeer::client(&[9; 32]).unwrap());
    if let Some(first) = client.instead {
        let _ = end.stream.write_all(&first).await;
    } else {
        end.flush().await;
        while !end.peer.is_keyed() && !end.over {
            end.hear().await;
            end.flush().await;
        }
        for message in (client.says)(end.peer.session()) {
            end.peer.says(&message);
            end.flush().await;
        }
        if let Some((said, order)) = client.session {
            while !end.heard.said(52) && !end.heard.said(51) && !end.over {
                end.hear().await;
            }
            let mut said = said.map(|messages| messages.into_iter());
            for side in order {
                let Some(message) = said[side].next() else { continue };
                if side == 0 {
                    let opened = end.heard.messages.iter().rev().find(|m| m[0] == 91 && m.len() >= 9);
                    let message = about(&message, opened.map(|m| &m[5..9]));
                    end.peer.says(&message);
                    end.flush().await;
                } else {
                    let _ = host.send(message);
                }
                end.turn().await;
            }
        }
    }
    let _ = end.stream.write_all(&client.then).await;
    end.turn().await;
    // The host leaves as well.
    drop(host);
    let _ = end.stream.shutdown().await;
    while !end.over {
        end.hear().await;
    }
    end.heard
}

/// A host that lets everybody in, opens and grants whatever it is asked for, and says the rest as it is told to.
pub(super) async fn host(stream: DuplexStream, says: &mut mpsc::UnboundedReceiver<Vec<u8>>) -> Heard {
    let peer = RawPeer::server(RawKey::from_seed(&HOST_SEED).unwrap(), &[6; 32]).unwrap();
    let mut end = End::new(stream, peer);
    let (mut answered, mut channels, mut told) = (0, Vec::<[u8; 4]>::new(), true);
    while !end.over {
        end.flush().await;
        tokio::select! {
            _ = end.hear() => {}
            message = says.recv(), if told => match message {
                Some(message) => {
                    let message = about(&message, channels.first().map(|theirs| &theirs[..]));
                    end.peer.says(&message);
                }
                // Nobody has anything more to say.
                None => told = false,
            }
        }
        while let Some(message) = end.heard.messages.get(answered) {
            answered += 1;
            if let Some(answer) = answer(message, &mut channels) {
                end.peer.says(&answer);
            }
        }
    }
    end.heard
}

/// A message about channel 0, said about the one that there is.
fn about(message: &[u8], channel: Option<&[u8]>) -> Vec<u8> {
    let mut message = message.to_vec();
    if let (Some(91..=100), Some(channel)) = (message.first(), channel)
        && message.get(1..5) == Some(&[0; 4])
    {
        message[1..5].copy_from_slice(channel);
    }
    message
}

/// What an obliging host answers. `channels` are theirs, in the order of ours.
fn answer(message: &[u8], channels: &mut Vec<[u8; 4]>) -> Option<Vec<u8>> {
    let mut rest = Words(message);
    match rest.byte()? {
        5 => Some([&[6][..], &words(&[b"ssh-userauth"])].concat()),
        50 => Some(vec![52]),
        90 => {
            rest.word()?;
            let theirs: [u8; 4] = rest.take(4)?.try_into().ok()?;
            let ours = u32::try_from(channels.len()).ok()?.to_be_bytes();
            channels.push(theirs);
            Some([&[91][..], &theirs, &ours, &(1_u32 << 20).to_be_bytes(), &[0, 0, 128, 0]].concat())
        }
        98 => {
            let ours = usize::try_from(rest.number()?).ok()?;
            rest.word()?;
            (rest.byte()? == 1).then(|| Some([&[99][..], channels.get(ours)?].concat())).flatten()
        }
        80 => {
            rest.word()?;
            (rest.byte()? == 1).then(|| vec![81])
        }
        _ => None,
    }
}
