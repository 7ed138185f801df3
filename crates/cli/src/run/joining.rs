//! Sitting down at the terminal of somebody's session: what it shows comes, what is typed goes.

use std::io::stdin;
use std::pin::pin;

use futures::StreamExt as _;
use nix::sys::termios::{SetArg, SpecialCharacterIndices, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::read;
use tokio::sync::mpsc;
use wane_client::{Client, ClientError};

use super::Done;
use super::recordings::{Stage, bytes};
use crate::access::Session;
use crate::args::recordings as args;
use crate::exit::{Exit, Stop};
use crate::playback::Screen;

/// The most that is sent in one piece.
const PIECE: usize = 4096;
/// Pieces that wait to be sent; who types faster than that waits.
const MOST_WAIT: usize = 64;

pub(super) async fn join(args: args::Join, s: &Session) -> Done {
    if !s.interactive || !s.out.to_terminal || s.out.json {
        return Err(Stop::usage("this needs a terminal of your own; `wane watch` shows the session without one"));
    }
    let client = s.client()?;
    let mut lines = pin!(client.join(&args.session).await?);
    let place = match lines.next().await {
        Some(line) => line?.text.unwrap_or_default(),
        None => return Err(Stop::failed("the session is over")),
    };
    s.say("you have joined the session, and its person is told; `~.` at the beginning of a line leaves");
    let (to, typed) = mpsc::channel(MOST_WAIT);
    let mut sending = pin!(send(&client, &args.session, &place, typed));
    let raw = Raw::begin()?;
    let stage = Stage { screen: Screen::new(), restores: true, session: s };
    let ended = at_terminal(&mut lines, &mut sending, &to, stage).await;
    drop(raw);
    s.say(&ended?);
    Ok(Exit::Done)
}

/// Shows and sends until it is over; says why.
async fn at_terminal(
    lines: &mut (impl futures::Stream<Item = Result<wane_api::recording::EventLine, ClientError>> + Unpin),
    sending: &mut (impl Future<Output = Result<(), ClientError>> + Unpin),
    to: &mpsc::Sender<Vec<u8>>,
    mut stage: Stage<'_>,
) -> Result<String, Stop> {
    let mut leaving = Leaving::default();
    let mut keys = tokio::task::spawn_blocking(keys);
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Some(line) => {
                    let line = line?;
                    match line.what.as_str() {
                        "data" => stage.session.out.raw(&stage.screen.feed(&bytes(&line))),
                        "end" => return Ok(line.text.unwrap_or_else(|| "the session is over".to_owned())),
                        // The size is its person's; what is shown is for that.
                        _ => {}
                    }
                }
                None => return Ok("the server ended it".to_owned()),
            },
            sent = &mut *sending => {
                sent?;
                return Ok("the session is over".to_owned());
            }
            typed = &mut keys => {
                let typed = typed.map_err(|e| Stop::failed(e.to_string()))?;
                let (typed, leaves) = leaving.feed(&typed.map_err(|e| Stop::failed(format!("the terminal is gone: {e}")))?);
                if !typed.is_empty() && to.try_send(typed).is_err() {
                    stage.session.out.raw("\u{7}");
                }
                if leaves {
                    return Ok("you have left the session".to_owned());
                }
                keys = tokio::task::spawn_blocking(self::keys);
            }
        }
    }
}

/// Sends what is typed, in its order.
async fn send(
    client: &Client,
    session: &str,
    place: &str,
    mut typed: mpsc::Receiver<Vec<u8>>,
) -> Result<(), ClientError> {
    while let Some(mut bytes) = typed.recv().await {
        while bytes.len() < PIECE / 2
            && let Ok(more) = typed.try_recv()
        {
            bytes.extend(more);
        }
        client.type_in(session, place, bytes).await?;
    }
    Ok(())
}

/// What was typed within a tenth of a second; nothing if nothing was.
fn keys() -> nix::Result<Vec<u8>> {
    let mut buffer = [0; PIECE / 2];
    match read(stdin(), &mut buffer) {
        Ok(count) => Ok(buffer.get(..count).unwrap_or_default().to_vec()),
        Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The terminal hands over every key as it is pressed, until this goes.
struct Raw(Termios);

impl Raw {
    fn begin() -> Result<Self, Stop> {
        let failed = |e: nix::errno::Errno| Stop::failed(format!("the terminal cannot be used: {e}"));
        let before = tcgetattr(stdin()).map_err(failed)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        // A read comes back after a tenth of a second, so that nobody waits for a key in order to end.
        for (which, value) in [(SpecialCharacterIndices::VMIN, 0), (SpecialCharacterIndices::VTIME, 1)] {
            if let Some(at) = raw.control_chars.get_mut(which as usize) {
                *at = value;
            }
        }
        tcsetattr(stdin(), SetArg::TCSADRAIN, &raw).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nobody left to tell if the terminal is gone.
        let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// Looks for `~.` at the beginning of a line, as `ssh` does; `~~` is one `~`.
#[derive(Debug)]
struct Leaving {
    at_beginning: bool,
    tilde: bool,
}

impl Default for Leaving {
    fn default() -> Self {
        Self { at_beginning: true, tilde: false }
    }
}

impl Leaving {
    /// What of it is for the session, and whether they leave.
    fn feed(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(typed.len());
        for byte in typed.iter().copied() {
            if std::mem::take(&mut self.tilde) {
                match byte {
                    b'.' => return (out, true),
                    b'~' => {}
                    _ => out.push(b'~'),
                }
            } else if self.at_beginning && byte == b'~' {
                self.tilde = true;
                continue;
            }
            self.at_beginning = matches!(byte, b'\r' | b'\n');
            out.push(byte);
        }
        (out, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_and_a_dot_at_the_beginning_of_a_line_leave() {
        for (typed, sent, leaves) in [
            (&["ls\r"][..], "ls\r", false),
            (&["~."], "", true),
            (&["~", "."], "", true),
            (&["ls ~.\r"], "ls ~.\r", false),
            (&["ls\r~.rest"], "ls\r", true),
            (&["~~."], "~.", false),
            (&["~a", "b"], "~ab", false),
            (&["a~", "."], "a~.", false),
        ] {
            let mut leaving = Leaving::default();
            let mut out = Vec::new();
            let mut left = false;
            for piece in typed {
                let (bytes, leaves) = leaving.feed(piece.as_bytes());
                out.extend(bytes);
                left |= leaves;
            }
            assert_eq!((String::from_utf8(out).unwrap().as_str(), left), (sent, leaves), "{typed:?}");
        }
    }
}
