//! The bytes of one channel, one task for each direction.
//!
//! INVARIANT: every byte is reported before it goes on, and none goes on that is refused there (held by
//! `no_byte_passes_after_the_end`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, server};
use wane_recording::{Event, Exit, Side};

use super::sense::{over, understand};
use super::session::{Link, Session};

/// Extended data of this sort is what a program complains about (RFC 4254 section 5.2).
pub(super) const STDERR: u32 = 1;

/// From the person to the host, until either closes.
pub(super) async fn up(session: Arc<Session>, link: Arc<Link>, mut from: ChannelReadHalf) {
    while let Some(message) = from.wait().await {
        let went = match message {
            // What was not run takes nothing.
            ChannelMsg::Data { data } if link.was_refused() => {
                link.up.went(data.len());
                true
            }
            ChannelMsg::Data { data } => {
                let size = data.len();
                let event = said(&session, &link, &data);
                let went = session.tap(&event).await.is_ok()
                    && understand(&session, &link, Side::Client, &data).await
                    && link.host.data_bytes(data).await.is_ok();
                link.up.went(size);
                went
            }
            // A client has nothing to complain about; what is not passed on does not wait either.
            ChannelMsg::ExtendedData { data, .. } => {
                link.up.went(data.len());
                true
            }
            ChannelMsg::Eof => {
                let event = Event::Eof { channel: link.number, from: Side::Client };
                session.tap(&event).await.is_ok() && link.host.eof().await.is_ok()
            }
            ChannelMsg::Close => false,
            // Requests are seen to where they come in, in their order.
            _ => true,
        };
        if !went {
            break;
        }
    }
    link.up.done();
    let _ = link.host.close().await;
    if link.was_refused() {
        let _ = session.tap(&Event::Closed { channel: link.number }).await;
        session.part(&link);
    }
}

/// What the person said. At a terminal there are passwords among it that nobody echoes: only how much it was is
/// recorded there, and what is echoed is in the output.
fn said<'a>(session: &Session, link: &Link, data: &'a [u8]) -> Event<'a> {
    if link.is_terminal() {
        return Event::Gap { channel: link.number, bytes: data.len() as u64, why: TYPED.into() };
    }
    passes(session, link, Side::Client, data)
}

/// Bytes that pass; of files by how much it is, where only their names are recorded.
fn passes<'a>(session: &Session, link: &Link, from: Side, data: &'a [u8]) -> Event<'a> {
    let channel = link.number;
    if link.withholds(session.line.files()) {
        return Event::Withheld { channel, from, bytes: data.len() as u64 };
    }
    Event::Data { channel, from, bytes: data.into() }
}

const TYPED: &str = "typed";

/// How it goes on with a channel after a message.
enum Then {
    On,
    /// Either side closed it: so is the other.
    Close,
    /// It must not go on. Whoever carries the session closes the channel, once it has said why.
    Stop,
}

fn or_close(went: Result<(), russh::Error>) -> Then {
    if went.is_ok() { Then::On } else { Then::Close }
}

/// How long the end of the output waits for the status of a program that is ending.
const STATUS_WAIT: Duration = Duration::from_millis(200);

/// The next message; but the status of a program before the end of its output, if it comes soon after. A client
/// whose own input has ended closes the channel once it reads that end, and what comes later is lost to it.
async fn after_its_status(from: &mut ChannelReadHalf, next: &mut VecDeque<ChannelMsg>) -> Option<ChannelMsg> {
    let message = from.wait().await?;
    if !matches!(message, ChannelMsg::Eof) {
        return Some(message);
    }
    match tokio::time::timeout(STATUS_WAIT, from.wait()).await {
        Ok(Some(status @ (ChannelMsg::ExitStatus { .. } | ChannelMsg::ExitSignal { .. }))) => {
            next.push_back(message);
            Some(status)
        }
        Ok(Some(other)) => {
            next.push_back(other);
            Some(message)
        }
        // What is lost for good is seen by whoever asks next.
        Ok(None) | Err(_) => Some(message),
    }
}

/// From the host to the person, until either closes.
pub(super) async fn down(
    session: Arc<Session>,
    link: Arc<Link>,
    mut from: ChannelReadHalf,
    to: ChannelWriteHalf<server::Msg>,
) {
    let channel = link.number;
    let mut next = VecDeque::new();
    let then = loop {
        let message = match next.pop_front() {
            Some(message) => Some(message),
            None => after_its_status(&mut from, &mut next).await,
        };
        let Some(message) = message else {
            // Not the channel was closed, but all there was behind it.
            session.host_lost();
            break Then::Stop;
        };
        let size = match &message {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => data.len(),
            _ => 0,
        };
        if let Some(event) = happens(&session, &link, &message)
            && session.tap(&event).await.is_err()
        {
            break Then::Stop;
        }
        if let ChannelMsg::Data { data } = &message
            && !understand(&session, &link, Side::Target, data).await
        {
            break Then::Stop;
        }
        let then = match message {
            ChannelMsg::Data { data } => or_close(to.data_bytes(data).await),
            ChannelMsg::ExtendedData { data, ext: STDERR } => or_close(to.extended_data_bytes(STDERR, data).await),
            ChannelMsg::Eof => or_close(to.eof().await),
            ChannelMsg::ExitStatus { exit_status } => or_close(to.exit_status(exit_status).await),
            ChannelMsg::ExitSignal { signal_name, core_dumped, .. } => {
                exit_signal(&session, &link, signal_name, core_dumped).await
            }
            ChannelMsg::Close => Then::Close,
            _ => Then::On,
        };
        if size > 0 {
            link.down.went(size);
        }
        if !matches!(then, Then::On) {
            break then;
        }
    };
    link.down.done();
    if matches!(then, Then::Close) {
        over(&session, &link).await;
        let _ = to.close().await;
        let _ = session.tap(&Event::Closed { channel }).await;
        session.part(&link);
    }
}

/// What of a host's message goes into the record, before it goes on.
fn happens<'a>(session: &Session, link: &Link, message: &'a ChannelMsg) -> Option<Event<'a>> {
    let channel = link.number;
    Some(match message {
        ChannelMsg::Data { data } => passes(session, link, Side::Target, data),
        ChannelMsg::ExtendedData { data, ext: STDERR } => {
            Event::Data { channel, from: Side::TargetError, bytes: (&**data).into() }
        }
        ChannelMsg::Eof => Event::Eof { channel, from: Side::Target },
        ChannelMsg::ExitStatus { exit_status } => Event::Exited { channel, exit: Exit::Status(*exit_status) },
        ChannelMsg::ExitSignal { signal_name, .. } => {
            Event::Exited { channel, exit: Exit::Signal(format!("{signal_name:?}").into()) }
        }
        _ => return None,
    })
}

/// What the host adds in words stays behind: nobody has checked it.
async fn exit_signal(session: &Session, link: &Link, signal: Sig, core_dumped: bool) -> Then {
    let Some(person) = session.person.get() else { return Then::Close };
    match person.exit_signal_request(link.person_id, signal, core_dumped, String::new(), String::new()).await {
        Ok(()) => Then::On,
        Err(()) => Then::Close,
    }
}
