//! What a person's side asks of a host, once it may.

use russh::{Channel, ChannelWriteHalf, Pty, client};

/// What can be asked of a host on a channel.
pub(super) enum Ask<'a> {
    Terminal { term: &'a str, size: (u32, u32), pixels: (u32, u32), modes: &'a [(Pty, u32)] },
    Shell,
    Command(&'a [u8]),
    Subsystem(&'a str),
    Agent,
    X11 { single: bool, protocol: &'a str, cookie: &'a str, screen: u32 },
}

impl Ask<'_> {
    pub(super) async fn of(self, host: &ChannelWriteHalf<client::Msg>) -> Result<(), russh::Error> {
        match self {
            Self::Terminal { term, size, pixels, modes } => {
                host.request_pty(true, term, size.0, size.1, pixels.0, pixels.1, modes).await
            }
            Self::Shell => host.request_shell(true).await,
            Self::Command(command) => host.exec(true, command).await,
            Self::Subsystem(name) => host.request_subsystem(true, name).await,
            Self::Agent => host.agent_forward(true).await,
            Self::X11 { single, protocol, cookie, screen } => {
                host.request_x11(true, single, protocol, cookie, screen).await
            }
        }
    }
}

/// What can be opened at a host.
pub(super) enum Open<'a> {
    Session,
    Tcp { to: (&'a str, u32), from: (&'a str, u32) },
}

impl Open<'_> {
    pub(super) async fn at(
        self,
        host: &client::Handle<super::host::Host>,
    ) -> Result<Channel<client::Msg>, russh::Error> {
        match self {
            Self::Session => host.channel_open_session().await,
            Self::Tcp { to, from } => host.channel_open_direct_tcpip(to.0, to.1, from.0, from.1).await,
        }
    }
}
