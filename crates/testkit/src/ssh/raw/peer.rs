//! One side of one connection, without a socket: bytes go in, messages come out, and the other way round.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::digest::{SHA256, digest};

use super::key::RawKey;
use super::wire::{Sealed, Words, packet, unpacked, words};

const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
const ECDH_INIT: u8 = 30;
const ECDH_REPLY: u8 = 31;
const CIPHER: &[u8] = b"aes256-gcm@openssh.com";

/// Why there is no going on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A packet that cannot be so long.
    #[error("a packet of {0} bytes")]
    Length(usize),
    /// What came does not open, or a key is none.
    #[error("what came in does not open")]
    Crypto,
    /// The other side left, and said why.
    #[error("the other side left: {0}")]
    Left(String),
    /// Something else than what comes next in a key exchange.
    #[error("message {0} in the middle of a key exchange")]
    Order(u8),
}

enum Role {
    Client,
    Server(Box<RawKey>),
}

/// One side.
pub struct RawPeer {
    role: Role,
    secret: PrivateKey,
    own_version: Vec<u8>,
    own_init: Vec<u8>,
    their_version: Option<Vec<u8>>,
    their_init: Vec<u8>,
    came: Vec<u8>,
    out: Vec<u8>,
    session: Option<Vec<u8>>,
    /// Keys that count from the next packet on.
    next: Option<Sealed>,
    sends: Option<Sealed>,
    hears: Option<Sealed>,
}

impl std::fmt::Debug for RawPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawPeer").field("keyed", &self.is_keyed()).finish_non_exhaustive()
    }
}

impl RawPeer {
    /// A client, whose secrets come of this seed.
    ///
    /// # Errors
    /// When the library refuses it.
    pub fn client(seed: &[u8; 32]) -> Result<Self, Trouble> {
        Self::new(Role::Client, seed, b"SSH-2.0-raw", b"curve25519-sha256,kex-strict-c-v00@openssh.com")
    }

    /// A server that shows this key.
    ///
    /// # Errors
    /// When the library refuses the seed.
    pub fn server(key: RawKey, seed: &[u8; 32]) -> Result<Self, Trouble> {
        let kex = b"curve25519-sha256,kex-strict-s-v00@openssh.com";
        Self::new(Role::Server(Box::new(key)), seed, b"SSH-2.0-raw", kex)
    }

    fn new(role: Role, seed: &[u8; 32], version: &[u8], kex: &[u8]) -> Result<Self, Trouble> {
        let secret = PrivateKey::from_private_key(&X25519, seed).map_err(|_| Trouble::Crypto)?;
        // Whoever shows a key shows the key itself.
        let shows: &[u8] = match &role {
            Role::Client => b"ssh-ed25519,ssh-ed25519-cert-v01@openssh.com",
            Role::Server(_) => b"ssh-ed25519",
        };
        // For either way: the host key's sort, cipher, authentication of messages, compression, language.
        let lists = words(&[
            kex,
            shows,
            CIPHER,
            CIPHER,
            b"hmac-sha2-256-etm@openssh.com",
            b"hmac-sha2-256-etm@openssh.com",
            b"none",
            b"none",
            b"",
            b"",
        ]);
        let own_init = [&[KEXINIT][..], &[7; 16], &lists, &[0; 5]].concat();
        let mut out = [version, b"\r\n"].concat();
        out.extend(packet(&own_init, None));
        let (own_version, came, their_init) = (version.to_vec(), Vec::new(), Vec::new());
        let (their_version, session, next, sends, hears) = (None, None, None, None, None);
        Ok(Self {
            role,
            secret,
            own_version,
            own_init,
            their_version,
            their_init,
            came,
            out,
            session,
            next,
            sends,
            hears,
        })
    }

    /// Whether the keys are changed, both ways.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.sends.is_some() && self.hears.is_some()
    }

    /// The id of the connection, which logins are signed over; empty before the keys are changed.
    #[must_use]
    pub fn session(&self) -> &[u8] {
        self.session.as_deref().unwrap_or_default()
    }

    /// What is to be sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Says something, whatever it is.
    pub fn says(&mut self, message: &[u8]) {
        let sealed = packet(message, self.sends.as_mut());
        self.out.extend(sealed);
    }

    /// Hears these bytes; the messages in them, but for the key exchange, which is seen to.
    ///
    /// # Errors
    /// When they make no sense, or the other side says goodbye.
    pub fn hears(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
        self.came.extend_from_slice(bytes);
        if self.their_version.is_none() {
            let Some(end) = self.came.iter().position(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
            let line: Vec<u8> = self.came.drain(..=end).collect();
            self.their_version = Some(line.trim_ascii_end().to_vec());
        }
        let mut messages = Vec::new();
        while let Some(message) = unpacked(&mut self.came, self.hears.as_mut())? {
            match message.first() {
                Some(1) => {
                    let why = Words(message.get(5..).unwrap_or_default()).word().unwrap_or_default();
                    return Err(Trouble::Left(String::from_utf8_lossy(why).into_owned()));
                }
                _ if !self.is_keyed() => self.exchange(&message)?,
                _ => messages.push(message),
            }
        }
        Ok(messages)
    }

    fn exchange(&mut self, message: &[u8]) -> Result<(), Trouble> {
        let own = self.secret.compute_public_key().map_err(|_| Trouble::Crypto)?;
        let mut rest = Words(message);
        match (rest.byte(), &self.role) {
            (Some(KEXINIT), role) => {
                self.their_init = message.to_vec();
                if matches!(role, Role::Client) {
                    self.says(&[&[ECDH_INIT][..], &words(&[own.as_ref()])].concat());
                }
            }
            (Some(ECDH_INIT), Role::Server(key)) => {
                let theirs = rest.word().ok_or(Trouble::Order(ECDH_INIT))?.to_vec();
                let shown = key.blob();
                let (hash, secret) = self.agreed(&shown, &theirs, own.as_ref(), &theirs)?;
                let Role::Server(key) = &self.role else { return Err(Trouble::Crypto) };
                let proof = key.sign(&hash);
                self.says(&[&[ECDH_REPLY][..], &words(&[&shown, own.as_ref(), &proof])].concat());
                self.change(hash, &secret, b"DB", b"CA")?;
            }
            (Some(ECDH_REPLY), Role::Client) => {
                let (shown, theirs) = (rest.word().unwrap_or_default(), rest.word().unwrap_or_default());
                let (hash, secret) = self.agreed(shown, own.as_ref(), theirs, theirs)?;
                self.change(hash, &secret, b"CA", b"DB")?;
            }
            (Some(NEWKEYS), _) => self.hears = self.next.take(),
            (number, _) => return Err(Trouble::Order(number.unwrap_or(0))),
        }
        Ok(())
    }

    /// The hash of the exchange and the secret, as a number of the wire format.
    fn agreed(&self, shown: &[u8], client: &[u8], server: &[u8], theirs: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Trouble> {
        let theirs = UnparsedPublicKey::new(&X25519, theirs);
        let number = agree(&self.secret, theirs, Trouble::Crypto, |secret| {
            let start = secret.iter().position(|byte| *byte != 0).unwrap_or(secret.len());
            let bare = secret.get(start..).unwrap_or_default();
            let sign: &[u8] = if bare.first().is_some_and(|byte| *byte > 127) { &[0] } else { &[] };
            Ok(words(&[&[sign, bare].concat()]))
        })?;
        let their_version = self.their_version.as_deref().unwrap_or_default();
        let (versions, inits) = match self.role {
            Role::Client => ([&self.own_version, their_version], [&self.own_init, &self.their_init]),
            Role::Server(_) => ([their_version, &self.own_version], [&self.their_init, &self.own_init]),
        };
        let head = words(&[versions[0], versions[1], inits[0], inits[1], shown, client, server]);
        Ok((digest(&SHA256, &[head, number.clone()].concat()).as_ref().to_vec(), number))
    }

    /// Sends that the keys change, and has them change. `sends` and `hears` are the letters of key and nonce
    /// (RFC 4253 section 7.2).
    fn change(&mut self, hash: Vec<u8>, secret: &[u8], sends: &[u8; 2], hears: &[u8; 2]) -> Result<(), Trouble> {
        let derived = |letter: u8| -> Result<[u8; 32], Trouble> {
            let made = digest(&SHA256, &[secret, &hash, &[letter], &hash].concat());
            made.as_ref().try_into().map_err(|_| Trouble::Crypto)
        };
        let own = Sealed::new(&derived(sends[0])?, &derived(sends[1])?)?;
        self.next = Some(Sealed::new(&derived(hears[0])?, &derived(hears[1])?)?);
        self.says(&[NEWKEYS]);
        self.sends = Some(own);
        self.session = Some(hash);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sides_understand_each_other() {
        let mut client = RawPeer::client(&[1; 32]).unwrap();
        let mut server = RawPeer::server(RawKey::from_seed(&[2; 32]).unwrap(), &[3; 32]).unwrap();
        for _ in 0..4 {
            let out = client.take_output();
            assert!(server.hears(&out).unwrap().is_empty());
            let out = server.take_output();
            assert!(client.hears(&out).unwrap().is_empty());
        }
        assert!(client.is_keyed() && server.is_keyed());
        assert_eq!(client.session(), server.session());
        client.says(b"\x02hello");
        let out = client.take_output();
        assert_eq!(server.hears(&out).unwrap(), [b"\x02hello"]);
    }
}
