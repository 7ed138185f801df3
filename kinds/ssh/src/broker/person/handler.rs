//! What a client of SSH may send, and where each goes.

use std::sync::atomic::Ordering;

use russh::keys::Certificate;
use russh::server::{self, Auth, ChannelOpenHandle, PublicKeyOffer, Response, VerifiedPublicKey};
use russh::{Channel, ChannelId, Pty, Sig};
use wane_recording::{Event, Program, Size};

use super::super::asks::{Ask, Open};
use super::super::variables::is_harmless;
use super::{Person, WAYS, reject, shown};
use crate::role::FORWARDING;

/// Keys that may be offered before one is used.
const MOST_OFFERS: u32 = 20;
const LONGEST_TERM: usize = 64;
const SFTP: &str = "sftp";
const PTY: &str = "permit-pty";
const AGENT: &str = "permit-agent-forwarding";
const X11: &str = "permit-X11-forwarding";

impl server::Handler for Person {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.come_in_known(user).await
    }

    async fn auth_publickey_offered(&mut self, _user: &str, _offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        // An offer proves nothing and is only counted; what counts is the signature, and what was certified.
        self.offers = self.offers.saturating_add(1);
        if self.offers > MOST_OFFERS { Err(russh::Error::Disconnect) } else { Ok(Auth::Accept) }
    }

    async fn auth_publickey(&mut self, _user: &str, _key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.attempt()?;
        self.silence().await;
        Ok(reject(&WAYS))
    }

    async fn auth_openssh_certificate(&mut self, user: &str, cert: &Certificate) -> Result<Auth, Self::Error> {
        self.attempt()?;
        self.silence().await;
        match self.log_in(user, cert).await {
            Ok(()) => Ok(Auth::Accept),
            Err(why) => {
                self.refused = Some(why);
                Ok(reject(&WAYS))
            }
        }
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        match response {
            None => self.invite(user).await,
            Some(mut response) => {
                let answer = response.next();
                self.go_on(answer.as_deref()).await
            }
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<server::Msg>,
        reply: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.open(("session", ""), channel, reply, Open::Session).await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<server::Msg>,
        host: &str,
        port: u32,
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if let Some(jump) = &mut self.jump {
            return jump.open(channel, (host, port), reply, session).await;
        }
        let about = format!("{}:{port}", shown(host));
        if self.may(FORWARDING, None, &format!("direct-tcpip {about}")).await {
            self.open(
                ("direct-tcpip", &about),
                channel,
                reply,
                Open::Tcp { to: (host, port), from: (from, from_port) },
            )
            .await;
        }
        Ok(())
    }

    // Whoever drops the reply refuses.

    async fn channel_open_direct_streamlocal(
        &mut self,
        _: Channel<server::Msg>,
        path: &str,
        _: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.note_refused(&format!("direct-streamlocal {}", shown(path))).await;
        Ok(())
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<server::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.note_refused("forwarded-tcpip").await;
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _: Channel<server::Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.note_refused("x11").await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut server::Session) -> Result<(), Self::Error> {
        if let Some(jump) = &mut self.jump {
            jump.closed(channel);
        }
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _: &mut server::Session) -> Result<(), Self::Error> {
        self.came(channel, data);
        Ok(())
    }

    async fn extended_data(
        &mut self,
        channel: ChannelId,
        _sort: u32,
        data: &[u8],
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.came(channel, data);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        pixels_across: u32,
        pixels_down: u32,
        modes: &[(Pty, u32)],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        // Whoever could not be brought to their host is told so by the program they ask for next.
        if self.is_unreached(channel) {
            return session.channel_success(channel);
        }
        let Some(link) = self.requested(channel)? else { return session.channel_failure(channel) };
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"_-.+".contains(&c);
        if !self.may(PTY, Some(channel), "pty").await || term.len() > LONGEST_TERM || !term.bytes().all(plain) {
            return session.channel_failure(channel);
        }
        let (size, pixels) = ((columns, rows), (pixels_across, pixels_down));
        let event = Event::Terminal { channel: link.number, size: Size { columns, rows }, name: term.into() };
        if self.ask(&link, &event, Ask::Terminal { term, size, pixels, modes }, session).await? {
            link.resized(columns);
            link.terminal.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        pixels_across: u32,
        pixels_down: u32,
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        let Some(link) = self.requested(channel)? else { return Ok(()) };
        let event = Event::Resized { channel: link.number, size: Size { columns, rows } };
        if link.is_terminal() && self.session()?.tap(&event).await.is_ok() {
            link.resized(columns);
            let _ = link.host.window_change(columns, rows, pixels_across, pixels_down).await;
        }
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        let Some(link) = self.requested(channel)? else { return session.channel_failure(channel) };
        if !is_harmless(name, value) {
            return self.refuse(channel, &format!("env {}", shown(name)), session).await;
        }
        let event = Event::Environment { channel: link.number, name: name.into(), value: value.into() };
        // The host has its own list; what it does not take it leaves out.
        if self.session()?.tap(&event).await.is_ok() && link.host.set_env(false, name, value).await.is_ok() {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut server::Session) -> Result<(), Self::Error> {
        self.run(channel, Program::Shell, Ask::Shell, session).await
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        let program = Program::Command(String::from_utf8_lossy(command));
        self.run(channel, program, Ask::Command(command), session).await
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if name != SFTP {
            return self.refuse(channel, &format!("subsystem {}", shown(name)), session).await;
        }
        self.run(channel, Program::Subsystem(name.into()), Ask::Subsystem(name), session).await
    }

    async fn signal(&mut self, channel: ChannelId, signal: Sig, _: &mut server::Session) -> Result<(), Self::Error> {
        let Some(link) = self.requested(channel)? else { return Ok(()) };
        let own = self.session()?;
        if let Sig::Custom(name) = &signal {
            own.refuse(Some(link.number), &format!("signal {}", shown(name))).await;
            return Ok(());
        }
        let event = Event::Signal { channel: link.number, name: format!("{signal:?}").into() };
        if own.tap(&event).await.is_ok() {
            let _ = link.host.signal(signal).await;
        }
        Ok(())
    }

    async fn agent_request(&mut self, channel: ChannelId, _: &mut server::Session) -> Result<bool, Self::Error> {
        let Some(link) = self.requested(channel)? else { return Ok(false) };
        if !self.may(AGENT, Some(channel), "agent").await {
            return Ok(false);
        }
        let event = Event::Allowed { channel: Some(link.number), what: "agent".into() };
        let yes = self.answer(&link, &event, Ask::Agent).await?;
        self.session()?.agent.fetch_or(yes, Ordering::Relaxed);
        Ok(yes)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        single: bool,
        protocol: &str,
        cookie: &str,
        screen: u32,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        let Some(link) = self.requested(channel)? else { return session.channel_failure(channel) };
        if !self.may(X11, Some(channel), "x11").await {
            return session.channel_failure(channel);
        }
        let event = Event::Allowed { channel: Some(link.number), what: "x11".into() };
        let yes = self.ask(&link, &event, Ask::X11 { single, protocol, cookie, screen }, session).await?;
        self.session()?.x11.fetch_or(yes, Ordering::Relaxed);
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        _: &mut server::Session,
    ) -> Result<bool, Self::Error> {
        let what = format!("tcpip-forward {}:{port}", shown(address));
        if !self.may(FORWARDING, None, &what).await {
            return Ok(false);
        }
        let own = self.session()?;
        if own.tap(&Event::Allowed { channel: None, what: what.as_str().into() }).await.is_err() {
            return Ok(false);
        }
        let _heard = self.flow.asks();
        let Ok(host) = own.reached().await else { return Ok(false) };
        let Ok(bound) = host.tcpip_forward(address, *port).await else { return Ok(false) };
        if *port == 0 {
            *port = bound;
        }
        own.forward(address, *port);
        Ok(true)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _: &mut server::Session,
    ) -> Result<bool, Self::Error> {
        let own = self.session()?;
        if !own.is_forwarded(address, port) {
            return Ok(false);
        }
        own.unforward(address, port);
        let Ok(host) = own.reached().await else { return Ok(false) };
        Ok(host.cancel_tcpip_forward(address, port).await.is_ok())
    }

    async fn streamlocal_forward(&mut self, path: &str, _: &mut server::Session) -> Result<bool, Self::Error> {
        self.note_refused(&format!("streamlocal-forward {}", shown(path))).await;
        Ok(false)
    }
}
