//! The host's side: reached, proved to be itself, and kept to what was asked of it.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, ChannelOpenHandle};
use russh::keys::{PrivateKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, ChannelOpenFailure, Names, kex, server};
use wane_connector::broker::Line;
use wane_domain::time::Time;
use wane_recording::Event;

use super::flow::{Flow, Gated, Side};
use super::front::preferred;
use super::pass::Shown;
use super::session::Session;
use crate::query::{Distrust, HOST_CERTIFICATES, HostCheck};

/// Connecting, proving, logging in: all of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a host offers that is kept to FIPS 140; people's programs need none of it.
const NIST_CURVES: [kex::Name; 2] = [kex::ECDH_SHA2_NISTP256, kex::ECDH_SHA2_NISTP384];

/// Where the host's side finds the session, once there is one.
pub(super) type Slot = Arc<OnceLock<Arc<Session>>>;

/// Connects to the host and logs in with what the session has to show.
pub(super) async fn reach(
    line: Arc<dyn Line>,
    shown: Shown,
    key: PrivateKey,
    flow: Arc<Flow>,
    slot: Slot,
    now: Time,
) -> Result<Arc<client::Handle<Host>>, String> {
    let reaching = async {
        let address = shown.settings.address.clone();
        let pipe =
            line.dial(&address.host, address.port).await.map_err(|e| format!("the host does not answer: {e}"))?;
        let distrust = Arc::new(Mutex::new(None));
        let check = HostCheck::new(&shown.settings, shown.host_ca, now, &distrust);
        let host = Host { check, session: slot, distrust: Arc::clone(&distrust) };
        let mut config = client::Config {
            preferred: preferred(&NIST_CURVES),
            inactivity_timeout: None,
            keepalive_interval: Some(Duration::from_secs(30)),
            keepalive_max: 3,
            channel_buffer_size: super::front::QUEUE,
            nodelay: true,
            ..client::Config::default()
        };
        config.preferred.host_key_certificates = Cow::Borrowed(&HOST_CERTIFICATES);
        let connecting = client::connect_stream(Arc::new(config), Gated::new(pipe, &flow, Side::Host), host);
        let mut handle = connecting.await.map_err(|e| {
            let distrust = distrust.lock().unwrap_or_else(PoisonError::into_inner).take();
            distrust.unwrap_or_else(|| format!("the host does not speak with us: {e}"))
        })?;
        let login = shown.login;
        match handle.authenticate_openssh_cert(login, Arc::new(key), shown.certificate).await {
            Ok(AuthResult::Success) => {}
            Ok(AuthResult::Failure { .. }) => {
                return Err("the host does not let the session in; look at its sshd log".to_owned());
            }
            Err(e) => return Err(format!("the host broke off while the session logged in: {e}")),
        }
        line.begun().await.map_err(|refused| refused.to_string())?;
        Ok(Arc::new(handle))
    };
    let late = |_| Err(format!("the host did not let the session in within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, reaching).await.unwrap_or_else(late)
}

/// What the host may do: answer, and open what the person asked to be passed back.
pub(super) struct Host {
    check: HostCheck,
    session: Slot,
    distrust: Distrust,
}

/// What came in at the host for the person.
type Incoming = Channel<client::Msg>;

impl Host {
    /// Passes a channel that the host opens on to the person, beside the connection: whoever serves the
    /// connection must never wait for the other side.
    fn pass_on<F>(
        &self,
        (kind, about): (&'static str, String),
        incoming: Incoming,
        reply: ChannelOpenHandle,
        open: impl FnOnce(server::Handle) -> F,
    ) where
        F: Future<Output = Result<Channel<server::Msg>, russh::Error>> + Send + 'static,
    {
        let Some(session) = self.session.get().map(Arc::clone) else { return };
        let Some(person) = session.person.get().cloned() else { return };
        let opening = open(person);
        let tasks = session.tasks.clone();
        let task = async move {
            let Ok(number) = session.opens(kind, &about).await else { return };
            let Ok(person) = opening.await else {
                let _ = session.tap(&Event::Closed { channel: number }).await;
                return reply.reject(ChannelOpenFailure::ConnectFailed).await;
            };
            reply.accept().await;
            session.join(number, person, incoming);
        };
        let _ = tasks.send(Box::pin(task));
    }

    fn session(&self) -> Option<&Arc<Session>> {
        self.session.get()
    }

    fn came(&self, channel: ChannelId, data: &[u8]) {
        if let Some(link) = self.session().and_then(|session| session.by_host(channel)) {
            link.down.came(data.len());
        }
    }

    async fn refuse(&self, what: &str) {
        if let Some(session) = self.session() {
            session.refuse(None, &format!("{what}, by the host")).await;
        }
    }
}

impl client::Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(self.check.believes(shown))
    }

    async fn kex_done(
        &mut self,
        _secret: Option<&[u8]>,
        names: &Names,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        // INVARIANT: nothing can be dropped unseen from the start of either connection (held by
        // `strict_key_exchange_is_seen_as_soon_as_it_is_there`).
        if names.strict_kex() {
            return Ok(());
        }
        let why = "the host does not offer strict key exchange; its sshd needs an update".to_owned();
        *self.distrust.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        Err(russh::Error::KexInit)
    }

    async fn channel_success(&mut self, channel: ChannelId, _: &mut client::Session) -> Result<(), Self::Error> {
        if let Some(session) = self.session() {
            session.answered(channel, true);
        }
        Ok(())
    }

    async fn channel_failure(&mut self, channel: ChannelId, _: &mut client::Session) -> Result<(), Self::Error> {
        if let Some(session) = self.session() {
            session.answered(channel, false);
        }
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _: &mut client::Session) -> Result<(), Self::Error> {
        self.came(channel, data);
        Ok(())
    }

    async fn extended_data(
        &mut self,
        channel: ChannelId,
        _sort: u32,
        data: &[u8],
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.came(channel, data);
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Incoming,
        address: &str,
        port: u32,
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        if !self.session().is_some_and(|session| session.is_forwarded(address, port)) {
            self.refuse("forwarded-tcpip that nobody asked for").await;
            return Ok(());
        }
        let (address, from) = (address.to_owned(), from.to_owned());
        let what = ("forwarded-tcpip", format!("{address}:{port}"));
        self.pass_on(what, channel, reply, |person| async move {
            person.channel_open_forwarded_tcpip(address, port, from, from_port).await
        });
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Incoming,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        if !self.session().is_some_and(|session| session.agent.load(Ordering::Relaxed)) {
            self.refuse("auth-agent that nobody asked for").await;
            return Ok(());
        }
        self.pass_on(("auth-agent", String::new()), channel, reply, |person| async move {
            person.channel_open_agent().await
        });
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        channel: Incoming,
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        if !self.session().is_some_and(|session| session.x11.load(Ordering::Relaxed)) {
            self.refuse("x11 that nobody asked for").await;
            return Ok(());
        }
        let from = from.to_owned();
        self.pass_on(("x11", String::new()), channel, reply, |person| async move {
            person.channel_open_x11(from, from_port).await
        });
        Ok(())
    }

    // A host opens none of these; the library would let it.

    async fn server_channel_open_session(
        &mut self,
        _: Incoming,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.refuse("session").await;
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Incoming,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.refuse("direct-tcpip").await;
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Incoming,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.refuse("direct-streamlocal").await;
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Incoming,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.refuse("forwarded-streamlocal").await;
        Ok(())
    }
}
