//! A private ssh-agent: one key and its newest certificate, in memory only, for one `ssh`.
//!
//! Speaks the two requests a login needs (draft-miller-ssh-agent, sections 3.5 and 3.6) and refuses
//! all others. It signs nothing but logins, with a certificate it serves, for its own account.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key;
use russh::keys::ssh_key::encoding::{self, Decode, Encode};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{Certificate, PrivateKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use zeroize::Zeroizing;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const USERAUTH_REQUEST: u8 = 50;
/// A login request is well under this; OpenSSH's own agent stops at 256 KiB.
const LARGEST_FRAME: usize = 64 * 1024;
const MOST_CONNECTIONS: usize = 32;
/// The newest, and the one before it: a client may be in the middle of a login with that.
const KEPT: usize = 2;

/// One key with its certificates, newest first.
pub(crate) struct Agent {
    key: PrivateKey,
    account: u32,
    certificates: Mutex<Vec<Vec<u8>>>,
}

impl Agent {
    /// A fresh key from unguessable bytes, served to this account only.
    pub(crate) fn new(seed: &Zeroizing<[u8; 32]>, account: u32) -> Result<Self, ssh_key::Error> {
        let key = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(seed)), "wane")?;
        Ok(Self { key, account, certificates: Mutex::new(Vec::new()) })
    }

    /// The public half as one line.
    pub(crate) fn public_line(&self) -> Result<String, ssh_key::Error> {
        self.key.public_key().to_openssh()
    }

    /// Serves this certificate from now on.
    pub(crate) fn renew(&self, cert: &Certificate) -> Result<(), String> {
        if cert.public_key() != self.key.public_key().key_data() {
            return Err("the server certified another key".to_owned());
        }
        let bytes = cert.to_bytes().map_err(|e| e.to_string())?;
        let mut kept = self.kept();
        kept.insert(0, bytes);
        kept.truncate(KEPT);
        Ok(())
    }

    /// Serves nothing from now on.
    pub(crate) fn forget(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers on this socket for as long as it is polled.
    pub(crate) async fn serve(&self, listener: &UnixListener) {
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if open.len() < MOST_CONNECTIONS => match accepted {
                    Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == self.account) => open.push(self.converse(stream)),
                    Ok(_) => {}
                    // Out of descriptors, most likely: let some close before trying again.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(()) = open.next(), if !open.is_empty() => {}
            }
        }
    }

    async fn converse(&self, mut stream: UnixStream) {
        // A peer that hangs up or sends nonsense ends its own conversation and no other.
        while let Some(frame) = read_frame(&mut stream).await {
            let reply = self.reply(&frame);
            let length = u32::try_from(reply.len()).unwrap_or(0).to_be_bytes();
            if stream.write_all(&[&length[..], &reply].concat()).await.is_err() {
                return;
            }
        }
    }

    /// The answer to one message.
    pub(crate) fn reply(&self, frame: &[u8]) -> Vec<u8> {
        let answer = match frame.split_first() {
            Some((&REQUEST_IDENTITIES, [])) => self.identities(),
            Some((&SIGN_REQUEST, rest)) => self.sign(rest),
            Some(_) | None => None,
        };
        answer.unwrap_or_else(|| vec![FAILURE])
    }

    fn identities(&self) -> Option<Vec<u8>> {
        let mut out = vec![IDENTITIES_ANSWER];
        match self.kept().first() {
            Some(cert) => {
                1_u32.encode(&mut out).ok()?;
                cert.as_slice().encode(&mut out).ok()?;
                "wane".encode(&mut out).ok()?;
            }
            None => 0_u32.encode(&mut out).ok()?,
        }
        Some(out)
    }

    fn sign(&self, mut rest: &[u8]) -> Option<Vec<u8>> {
        let cert = Vec::<u8>::decode(&mut rest).ok()?;
        let message = Vec::<u8>::decode(&mut rest).ok()?;
        let _flags = u32::decode(&mut rest).ok()?;
        if !rest.is_empty() || !self.kept().contains(&cert) || !is_login(&message, &cert) {
            return None;
        }
        let signature = self.key.try_sign(&message).ok()?;
        let mut out = vec![SIGN_RESPONSE];
        signature.encode_prefixed(&mut out).ok()?;
        Some(out)
    }
}

/// Whether these bytes are a login with this certificate (RFC 4252 section 7), and nothing else that
/// a signature could stand for.
fn is_login(mut message: &[u8], cert: &[u8]) -> bool {
    let mut read = || -> Result<bool, encoding::Error> {
        let _session = Vec::<u8>::decode(&mut message)?;
        let kind = u8::decode(&mut message)?;
        let _user = Vec::<u8>::decode(&mut message)?;
        let service = Vec::<u8>::decode(&mut message)?;
        let method = Vec::<u8>::decode(&mut message)?;
        let signed = u8::decode(&mut message)?;
        let _algorithm = Vec::<u8>::decode(&mut message)?;
        let key = Vec::<u8>::decode(&mut message)?;
        let known = method == b"publickey" || method == b"publickey-hostbound-v00@openssh.com";
        Ok(kind == USERAUTH_REQUEST && service == b"ssh-connection" && known && signed == 1 && key == cert)
    };
    read().unwrap_or(false)
}

async fn read_frame(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.ok()?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok().filter(|length| *length <= LARGEST_FRAME)?;
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::ssh_key::certificate::Builder;

    fn certificate(agent: &Agent, ca: &PrivateKey) -> Certificate {
        let mut builder = Builder::new([0; 32], agent.key.public_key().key_data().clone(), 0, 10).unwrap();
        builder.valid_principal("deploy").unwrap();
        builder.sign(ca).unwrap()
    }

    fn agent(seed: u8) -> Agent {
        Agent::new(&Zeroizing::new([seed; 32]), 0).unwrap()
    }

    fn login(service: &str, signed: u8, cert: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        b"session".as_slice().encode(&mut out).unwrap();
        USERAUTH_REQUEST.encode(&mut out).unwrap();
        for part in ["deploy", service, "publickey"] {
            part.encode(&mut out).unwrap();
        }
        signed.encode(&mut out).unwrap();
        "ssh-ed25519-cert-v01@openssh.com".encode(&mut out).unwrap();
        cert.encode(&mut out).unwrap();
        out
    }

    fn request(cert: &[u8], message: &[u8]) -> Vec<u8> {
        let mut out = vec![SIGN_REQUEST];
        cert.encode(&mut out).unwrap();
        message.encode(&mut out).unwrap();
        0_u32.encode(&mut out).unwrap();
        out
    }

    #[test]
    fn it_signs_logins_with_its_own_certificate_only() {
        let (agent, ca) = (agent(1), agent(9).key);
        assert_eq!(agent.reply(&[REQUEST_IDENTITIES]), [IDENTITIES_ANSWER, 0, 0, 0, 0]);
        let cert = certificate(&agent, &ca);
        let bytes = cert.to_bytes().unwrap();
        agent.renew(&cert).unwrap();
        assert!(agent.reply(&[REQUEST_IDENTITIES]).windows(bytes.len()).any(|part| part == bytes));
        let good = request(&bytes, &login("ssh-connection", 1, &bytes));
        assert_eq!(agent.reply(&good)[0], SIGN_RESPONSE);
        let foreign = certificate(&self::agent(2), &ca).to_bytes().unwrap();
        let plain = agent.key.public_key().to_bytes().unwrap();
        for (bad, why) in [
            (request(&foreign, &login("ssh-connection", 1, &foreign)), "a foreign certificate"),
            (request(&plain, &login("ssh-connection", 1, &plain)), "the bare key"),
            (request(&bytes, &login("ssh-connection", 1, &foreign)), "a login with another key"),
            (request(&bytes, &login("sftp", 1, &bytes)), "another service"),
            (request(&bytes, &login("ssh-connection", 0, &bytes)), "an offer"),
            (request(&bytes, b"SSHSIG a file"), "a file"),
            ([good.clone(), vec![0]].concat(), "a tail"),
            (vec![17], "adding a key"),
            (vec![], "nothing"),
        ] {
            assert_eq!(agent.reply(&bad), [FAILURE], "{why}");
        }
        for cut in 0..good.len() {
            assert_eq!(agent.reply(&good[..cut]), [FAILURE], "cut at {cut}");
        }
        agent.forget();
        assert_eq!(agent.reply(&good), [FAILURE]);
        assert!(self::agent(2).renew(&cert).is_err(), "somebody else's certificate");
    }

    /// What a peer hears that asks for the identities, having announced a frame of this length.
    async fn heard(account: u32, announced: u32) -> Vec<u8> {
        let agent = Agent::new(&Zeroizing::new([1; 32]), account).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        let ask = async {
            let mut stream = UnixStream::connect(&socket).await.unwrap();
            // The agent may hang up before all of this is sent.
            let _ = stream.write_all(&[&announced.to_be_bytes()[..], &[REQUEST_IDENTITIES]].concat()).await;
            let mut heard = [0; 5];
            stream.read_exact(&mut heard).await.map(|_| heard.to_vec()).unwrap_or_default()
        };
        tokio::select! {
            heard = ask => heard,
            () = agent.serve(&listener) => unreachable!("it serves for as long as it is polled"),
        }
    }

    #[tokio::test]
    async fn other_accounts_and_oversized_frames_are_hung_up_on() {
        let own = nix::unistd::geteuid().as_raw();
        assert_eq!(heard(own, 1).await, [0, 0, 0, 5, IDENTITIES_ANSWER]);
        assert_eq!(heard(own + 1, 1).await, [0; 0]);
        assert_eq!(heard(own, u32::MAX).await, [0; 0]);
    }
}
