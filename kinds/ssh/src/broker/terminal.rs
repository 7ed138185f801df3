//! The program behind a terminal in a page: an SSH client that comes to the gateway of its own server.
//!
//! Owns: a key that lives as long as the terminal, one login with it, one channel. Refuses to know: who looks at the page.
//! What comes of the session is the gateway's to say; it says so here as to every other client, in the terminal.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use russh::client::{self, AuthResult, KeyboardInteractiveAuthResponse};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{Certificate, PrivateKey, PublicKeyOrCertificate};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Disconnect, SshId};
use serde_json::{Value, json};
use wane_connector::ConnectError;
use wane_connector::broker::{Pipe, Refused};
use wane_connector::terminal::{Comer, Keys, Over, Screen, Shown, Size, Terminal, Terminals, Visit};
use zeroize::Zeroizing;

use super::front::preferred;
use crate::key;
use crate::query::HOST_CERTIFICATES;
use crate::role::is_principal;

/// Logging in, reaching the host, having a terminal: all of it.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long the gateway gets to hear that somebody hung up.
const GOODBYE: Duration = Duration::from_millis(150);
/// Messages that wait to be shown, 32 KiB each at most: whoever looks on more slowly is waited for.
const QUEUE: usize = 16;
const TERM: &str = "xterm-256color";

/// Makes them.
pub(super) struct SshTerminals;

impl Terminals for SshTerminals {
    fn begin(&self, fill: &dyn Fn(&mut [u8])) -> Result<Box<dyn Comer>, ConnectError> {
        let mut seed = Zeroizing::new([0; 32]);
        fill(seed.as_mut_slice());
        let key = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "")
            .map_err(|e| ConnectError::Input(format!("no key could be made: {e}")))?;
        let line = key::line(key.public_key().key_data()).map_err(ConnectError::Input)?;
        Ok(Box::new(SshComer { key, line }))
    }
}

/// One that has not come in yet.
struct SshComer {
    key: PrivateKey,
    line: String,
}

#[async_trait]
impl Comer for SshComer {
    fn input(&self) -> Value {
        json!({ "public_key": self.line })
    }

    async fn come_in(self: Box<Self>, pipe: Pipe, handed: &Value, visit: &Visit<'_>) -> Result<Terminal, Refused> {
        let (user, certificate) = shown(handed, visit)?;
        let late = |_| Err(Refused(format!("there was no terminal within {} s", PATIENCE.as_secs())));
        let opening = open(pipe, user, self.key, certificate, visit);
        tokio::time::timeout(PATIENCE, opening).await.unwrap_or_else(late)
    }
}

/// As whom, and with what.
fn shown(handed: &Value, visit: &Visit<'_>) -> Result<(String, Certificate), Refused> {
    let text = handed.get("certificate").and_then(Value::as_str).unwrap_or_default();
    let certificate = Certificate::from_openssh(text)
        .map_err(|e| Refused(format!("what was handed out cannot be shown at the gateway: {e}")))?;
    let login = login(handed, visit.login).ok_or_else(|| Refused("the role is not for that login name".to_owned()))?;
    Ok((format!("{login}%{}", visit.resource), certificate))
}

/// The login name that is wanted, or else the first, of those that it is good for.
fn login<'h>(handed: &'h Value, wanted: Option<&str>) -> Option<&'h str> {
    let names = handed.get("principals").and_then(Value::as_array)?;
    let mut names = names.iter().filter_map(Value::as_str).filter(|name| is_principal(name));
    names.find(|name| wanted.is_none_or(|wanted| wanted == *name))
}

async fn open(
    pipe: Pipe,
    user: String,
    key: PrivateKey,
    certificate: Certificate,
    visit: &Visit<'_>,
) -> Result<Terminal, Refused> {
    let lost = |e: russh::Error| Refused(format!("the gateway broke off: {e}"));
    let mut config = client::Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Wane_page")),
        preferred: preferred(&[]),
        inactivity_timeout: None,
        keepalive_interval: None,
        channel_buffer_size: QUEUE,
        nodelay: true,
        ..client::Config::default()
    };
    config.preferred.host_key_certificates = Cow::Borrowed(&HOST_CERTIFICATES);
    let mut handle = client::connect_stream(Arc::new(config), pipe, Here).await.map_err(lost)?;
    match handle.authenticate_openssh_cert(user.clone(), Arc::new(key), certificate).await.map_err(lost)? {
        AuthResult::Success => {}
        AuthResult::Failure { .. } => return Err(why_not(&mut handle, user).await),
    }
    let channel = handle.channel_open_session().await.map_err(lost)?;
    let (mut read, write) = channel.split();
    let (columns, rows) = (u32::from(visit.size.columns()), u32::from(visit.size.rows()));
    write.request_pty(true, TERM, columns, rows, 0, 0, &[]).await.map_err(lost)?;
    if !is_granted(&mut read).await {
        return Err(Refused("the role does not let you have a terminal".to_owned()));
    }
    match visit.task {
        None => write.request_shell(true).await,
        Some(task) => write.exec(true, task).await,
    }
    .map_err(lost)?;
    if !is_granted(&mut read).await {
        return Err(Refused("nothing can be run there".to_owned()));
    }
    let handle = Arc::new(handle);
    let screen = SshScreen { read, over: None, _handle: Arc::clone(&handle) };
    Ok(Terminal { screen: Box::new(screen), keys: Box::new(SshKeys { write, handle }) })
}

/// What the gateway said to a login that it refused: it is told in answer to the next try.
async fn why_not(handle: &mut client::Handle<Here>, user: String) -> Refused {
    let said = match handle.authenticate_keyboard_interactive_start(user, None::<String>).await {
        Ok(KeyboardInteractiveAuthResponse::InfoRequest { instructions, .. }) => instructions,
        Ok(_) | Err(_) => String::new(),
    };
    let line = said.lines().next().unwrap_or_default().trim_start_matches("Wane: ").trim_end_matches('.');
    Refused(if line.is_empty() { "the gateway does not let this in".to_owned() } else { line.to_owned() })
}

/// Waits for the answer to what was just asked for.
async fn is_granted(read: &mut ChannelReadHalf) -> bool {
    loop {
        match read.wait().await {
            Some(ChannelMsg::Success) => return true,
            Some(ChannelMsg::Failure | ChannelMsg::Close) | None => return false,
            Some(_) => {}
        }
    }
}

/// The gateway of this very process is at the other end.
struct Here;

impl client::Handler for Here {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        // The pipe lies in this process's memory: nobody else can be at its end, whatever key is shown.
        Ok(true)
    }
}

struct SshScreen {
    read: ChannelReadHalf,
    over: Option<Over>,
    _handle: Arc<client::Handle<Here>>,
}

#[async_trait]
impl Screen for SshScreen {
    async fn next(&mut self) -> Shown {
        loop {
            let said = self.read.wait().await;
            let over = self.over.get_or_insert_default();
            match said {
                Some(ChannelMsg::Data { data }) => return Shown::Output(data.to_vec()),
                Some(ChannelMsg::ExtendedData { data, .. }) => return Shown::Output(with_returns(&data)),
                Some(ChannelMsg::ExitStatus { exit_status }) => over.status = Some(exit_status),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => over.signal = Some(format!("{signal_name:?}")),
                Some(ChannelMsg::Close) | None => return Shown::Over(over.clone()),
                Some(_) => {}
            }
        }
    }
}

/// What did not come through a terminal ends its lines as a terminal wants it.
fn with_returns(data: &[u8]) -> Vec<u8> {
    let each = |byte: &u8| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] };
    data.iter().flat_map(each).collect()
}

struct SshKeys {
    write: ChannelWriteHalf<client::Msg>,
    handle: Arc<client::Handle<Here>>,
}

fn gone(_: russh::Error) -> Refused {
    Refused("the session is over".to_owned())
}

#[async_trait]
impl Keys for SshKeys {
    async fn types(&self, bytes: &[u8]) -> Result<(), Refused> {
        self.write.data(bytes).await.map_err(gone)
    }

    async fn resized(&self, size: Size) -> Result<(), Refused> {
        let (columns, rows) = (u32::from(size.columns()), u32::from(size.rows()));
        self.write.window_change(columns, rows, 0, 0).await.map_err(gone)
    }

    async fn hangs_up(&self) {
        let bye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        let _ = tokio::time::timeout(GOODBYE, bye).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_login_of_the_role_is_taken() {
        let handed = json!({ "principals": ["Not a name", "deploy", "ops"] });
        for (wanted, taken) in
            [(None, Some("deploy")), (Some("ops"), Some("ops")), (Some("root"), None), (Some("Not a name"), None)]
        {
            assert_eq!(login(&handed, wanted), taken, "{wanted:?}");
        }
        assert_eq!(login(&json!({}), None), None);
    }

    #[test]
    fn each_has_a_key_of_its_own() {
        let key = |seed: u8| SshTerminals.begin(&move |buf| buf.fill(seed)).unwrap().input();
        assert_ne!(key(1), key(2));
        assert!(key::read(key(1)["public_key"].as_str().unwrap()).is_ok());
    }

    #[test]
    fn lines_of_errors_begin_at_the_left() {
        assert_eq!(with_returns(b"a\nb\n"), b"a\r\nb\r\n");
    }
}
