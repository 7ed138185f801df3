//! The bytes of one channel, one task for each direction.
//!
//! INVARIANT: every byte is reported before it goes on, and none goes on that is refused there (held by
//! `no_byte_passes_after_the_end`).

use std::sync::Arc;

use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, server};
use wane_connector::broker::{Event, Whose};

use super::session::{Link, Session};

/// Extended data of this sort is what a program complains about (RFC 4254 section 5.2).
pub(super) const STDERR: u32 = 1;

/// From the person to the host, until either closes.
pub(super) async fn up(session: Arc<Session>, link: Arc<Link>, mut from: ChannelReadHalf) {
    while let Some(message) = from.wait().await {
        let went = match message {
            ChannelMsg::Data { data } => {
                let size = data.len();
                let event = Event::Bytes { channel: link.number, whose: Whose::Person, data: &data };
                let went = session.tap(&event).is_ok() && link.host.data_bytes(data).await.is_ok();
                link.up.went(size);
                went
            }
            // A client has nothing to complain about; what is not passed on does not wait either.
            ChannelMsg::ExtendedData { data, .. } => {
                link.up.went(data.len());
                true
            }
            ChannelMsg::Eof => link.host.eof().await.is_ok(),
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
}

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

/// From the host to the person, until either closes.
pub(super) async fn down(
    session: Arc<Session>,
    link: Arc<Link>,
    mut from: ChannelReadHalf,
    to: ChannelWriteHalf<server::Msg>,
) {
    let channel = link.number;
    let then = loop {
        let Some(message) = from.wait().await else {
            // Not the channel was closed, but all there was behind it.
            session.host_lost();
            break Then::Stop;
        };
        let (event, size) = match &message {
            ChannelMsg::Data { data } => (Some(Event::Bytes { channel, whose: Whose::Target, data }), data.len()),
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                (Some(Event::Bytes { channel, whose: Whose::TargetErrors, data }), data.len())
            }
            ChannelMsg::ExtendedData { data, .. } => (None, data.len()),
            _ => (None, 0),
        };
        if event.is_some_and(|event| session.tap(&event).is_err()) {
            break Then::Stop;
        }
        let then = match message {
            ChannelMsg::Data { data } => or_close(to.data_bytes(data).await),
            ChannelMsg::ExtendedData { data, ext: STDERR } => or_close(to.extended_data_bytes(STDERR, data).await),
            ChannelMsg::Eof => or_close(to.eof().await),
            ChannelMsg::ExitStatus { exit_status } => {
                match session.tap(&Event::Exit { channel, how: &format!("status {exit_status}") }) {
                    Ok(()) => or_close(to.exit_status(exit_status).await),
                    Err(_) => Then::Stop,
                }
            }
            ChannelMsg::ExitSignal { signal_name, core_dumped, .. } => {
                match session.tap(&Event::Exit { channel, how: &format!("signal {signal_name:?}") }) {
                    Ok(()) => exit_signal(&session, &link, signal_name, core_dumped).await,
                    Err(_) => Then::Stop,
                }
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
        let _ = to.close().await;
        let _ = session.tap(&Event::Closes { channel });
        session.part(&link);
    }
}

/// What the host adds in words stays behind: nobody has checked it.
async fn exit_signal(session: &Session, link: &Link, signal: Sig, core_dumped: bool) -> Then {
    let Some(person) = session.person.get() else { return Then::Close };
    match person.exit_signal_request(link.person_id, signal, core_dumped, String::new(), String::new()).await {
        Ok(()) => Then::On,
        Err(()) => Then::Close,
    }
}
