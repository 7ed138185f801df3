//! The signer behind its desk: it is told in messages, which are data, and sees for itself.
//!
//! Owns: the keys that sign, and a root of its own of whose approvals it believes and what it asks them for. Whoever
//! sends the messages (the server, or who has taken it over) can have signed what policy alone grants; what is guarded
//! here is signed only if people signed for it, whatever the store says. Where it runs is not known here.

pub mod chest;
pub mod frame;
mod judge;
pub mod message;
pub mod root;
mod vouching;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use wane_connector::{PublicKey, PublishPermit, Reader, SignError, Signature, Signer, Vouched};
use wane_domain::ambient::Ambient;
use wane_domain::approval::{Signature as Signed, Voucher};
use wane_domain::id::{GrantId, OrgId};
use wane_domain::issue::{IssuePermit, Right};
use wane_failpoint::{around_call, point};

use crate::signer::LocalSigner;
use judge::{Question, SKEW, forget};
use message::{Bytes, Call, LONGEST_FRAME, Refusal, Reply};
use root::{Root, RootError, RootFile, Shown};
use vouching::Vouching;

/// The signer.
pub struct Desk {
    org: OrgId,
    keys: LocalSigner,
    readers: BTreeMap<&'static str, Reader>,
    file: RootFile,
    /// The newest state of its root that it has seen: an older one is not believed.
    seen: Mutex<u64>,
    ambient: Ambient,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Desk {
    /// With these keys, and what is known of the bytes of some purposes. A root that cannot be read keeps nobody
    /// from ending what there is: what ends access is signed without it, and nothing is issued.
    #[must_use]
    pub fn open(
        org: OrgId,
        keys: LocalSigner,
        readers: Vec<(&'static str, Reader)>,
        file: RootFile,
        ambient: Ambient,
    ) -> Self {
        let seen = Mutex::new(file.read().map(|root| root.version).unwrap_or_default());
        Self { org, keys, readers: readers.into_iter().collect(), file, seen, ambient }
    }

    /// Answers one call. Whatever comes in, one reply comes out.
    #[must_use]
    pub fn answer(&self, frame: &[u8]) -> Vec<u8> {
        let call = if frame.len() > LONGEST_FRAME { None } else { serde_json::from_slice::<Call>(frame).ok() };
        let reply = match call {
            None => Err(Refusal::Broken("the call cannot be read".to_owned())),
            Some(call) => self.handle(call),
        };
        let reply = reply.unwrap_or_else(Reply::Refused);
        serde_json::to_vec(&reply).unwrap_or_default()
    }

    fn handle(&self, call: Call) -> Result<Reply, Refusal> {
        match call {
            Call::PublicKey { purpose } => {
                let key = self.keys.key(self.purpose(&purpose)?)?;
                Ok(Reply::Key(Bytes(key.bytes().to_vec())))
            }
            Call::Issue { purpose, right, message } => self.issue(&purpose, &right, &message.0),
            Call::Publish { purpose, what, message } => {
                let signed = self.keys.publish(self.purpose(&purpose)?, PublishPermit { what }, &message.0)?;
                Ok(Reply::Signature(Bytes(signed.0.to_vec())))
            }
            Call::Ended { grant } => self.change(|root, now| {
                // Of what was never used here there is nothing to remember.
                if root.used.values().any(|used| used.grant == grant) {
                    root.ended.entry(grant).or_insert(now);
                }
                Ok(Reply::Done)
            }),
            Call::Enrol { voucher, signature } => self.enrol(&voucher, &signature),
            Call::Show => {
                let Root { version, keys, guards, .. } = self.read()?;
                Ok(Reply::Shown(Box::new(Shown { version, keys, guards })))
            }
        }
    }

    fn purpose(&self, named: &str) -> Result<&'static str, Refusal> {
        self.keys.purposes().into_iter().find(|known| *known == named).ok_or_else(|| Refusal::NoKey(named.to_owned()))
    }

    fn issue(&self, purpose: &str, right: &Right, message: &[u8]) -> Result<Reply, Refusal> {
        let purpose = self.purpose(purpose)?;
        // Whoever holds the server for an hour has nothing to use for longer.
        if right.not_before() > self.ambient.now().plus(SKEW) {
            return Err(Refusal::Exceeds("it begins later than now".to_owned()));
        }
        if let Some(reader) = self.readers.get(purpose) {
            self.signed_for(*reader, right, message)?;
        }
        let signed = self.keys.issue_right(purpose, right, message)?;
        Ok(Reply::Signature(Bytes(signed.0.to_vec())))
    }

    /// Refuses what is guarded and was not signed for. That it was used is on disk before anything is signed.
    fn signed_for(&self, reader: Reader, right: &Right, message: &[u8]) -> Result<(), Refusal> {
        let root = self.read()?;
        let ask = |root: &Root| {
            let question = Question { org: self.org, root, reader, right, message, now: self.ambient.now() };
            let Some(guard) = question.guard()? else { return Ok(None) };
            let authority = right.authority().ok_or("nobody signed for it")?;
            question.judge(guard, authority).map(Some)
        };
        let Some(remember) = ask(&root).map_err(Refusal::Unsigned)? else { return Ok(()) };
        if root.used.get(&remember.key) == Some(&remember.used) {
            return Ok(());
        }
        self.change(|root, _| {
            // Judged again, now that nobody else changes it.
            if let Some(remember) = ask(root).map_err(Refusal::Unsigned)? {
                root.used.insert(remember.key, remember.used);
            }
            Ok(Reply::Done)
        })
        .map(drop)
    }

    fn enrol(&self, voucher: &str, signature: &Signed) -> Result<Reply, Refusal> {
        let said = Voucher::read(voucher).map_err(|e| Refusal::Unsigned(e.to_string()))?;
        self.change(|root, now| {
            let statement = Vouching { org: self.org, text: voucher, said: &said, signature, now };
            statement.enter(root).map(Reply::Vouched).map_err(Refusal::Unsigned)
        })
    }

    fn read(&self) -> Result<Root, Refusal> {
        let root = self.file.read().map_err(|e| Refusal::Broken(e.to_string()))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if root.version < *seen {
            return Err(Refusal::Broken("what the signer knows is older than it was; restore it".to_owned()));
        }
        *seen = root.version;
        Ok(root)
    }

    /// Changes the root, on disk before it counts.
    fn change(
        &self,
        act: impl FnOnce(&mut Root, wane_domain::time::Time) -> Result<Reply, Refusal>,
    ) -> Result<Reply, Refusal> {
        let broken = |e: RootError| Refusal::Broken(e.to_string());
        let held = self.file.hold().map_err(broken)?;
        let before = self.read()?;
        let mut root = before.clone();
        let now = self.ambient.now();
        let reply = act(&mut root, now)?;
        forget(&mut root, now);
        if root != before {
            root.version = root.version.saturating_add(1);
            around_call(point!("signer.root.write"), || self.file.write(&root)).map_err(broken)?;
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = root.version;
        }
        drop(held);
        Ok(reply)
    }
}

/// How a call gets to a desk.
pub trait Carry: Send + Sync + fmt::Debug {
    /// Brings a frame there and the reply back.
    ///
    /// # Errors
    /// When it does not get there, or nothing comes back.
    fn carry(&self, frame: &[u8]) -> Result<Vec<u8>, String>;

    /// Why nothing gets there right now, if that is known.
    fn away(&self) -> Option<String> {
        None
    }

    /// Brings a frame there whose reply nobody waits for.
    fn tell(&self, frame: Vec<u8>) {
        let _ = self.carry(&frame);
    }
}

impl Carry for Desk {
    fn carry(&self, frame: &[u8]) -> Result<Vec<u8>, String> {
        Ok(self.answer(frame))
    }
}

/// A signer that is told in messages, wherever it is.
#[derive(Clone, Debug)]
pub struct Messenger(pub Arc<dyn Carry>);

impl Messenger {
    /// One call.
    ///
    /// # Errors
    /// When the signer does not answer, or refuses.
    pub fn call(&self, call: &Call) -> Result<Reply, SignError> {
        let away = |why: String| SignError::Away(why);
        let frame = serde_json::to_vec(call).map_err(|e| away(e.to_string()))?;
        let reply = self.0.carry(&frame).map_err(away)?;
        match serde_json::from_slice(&reply).map_err(|e| away(e.to_string()))? {
            Reply::Refused(refusal) => Err(refusal.into()),
            reply => Ok(reply),
        }
    }

    fn signature(&self, call: &Call) -> Result<Signature, SignError> {
        let Reply::Signature(Bytes(bytes)) = self.call(call)? else { return Err(another_answer()) };
        bytes.try_into().map(Signature).map_err(|_| another_answer())
    }
}

fn another_answer() -> SignError {
    SignError::Away("it answered something else than it was asked".to_owned())
}

impl Signer for Messenger {
    fn key(&self, purpose: &'static str) -> Result<PublicKey, SignError> {
        let asked = Call::PublicKey { purpose: purpose.to_owned() };
        let Reply::Key(Bytes(bytes)) = self.call(&asked)? else { return Err(another_answer()) };
        PublicKey::read(&bytes).ok_or_else(another_answer)
    }

    fn issue(&self, purpose: &'static str, permit: IssuePermit, message: &[u8]) -> Result<Signature, SignError> {
        let right = Box::new(permit.into_right());
        self.signature(&Call::Issue { purpose: purpose.to_owned(), right, message: Bytes(message.to_vec()) })
    }

    fn publish(&self, purpose: &'static str, permit: PublishPermit, message: &[u8]) -> Result<Signature, SignError> {
        let message = Bytes(message.to_vec());
        self.signature(&Call::Publish { purpose: purpose.to_owned(), what: permit.what, message })
    }

    fn away(&self) -> Option<String> {
        self.0.away()
    }

    fn ended(&self, grant: GrantId) {
        // The end is said and acted on already; by its window it is over for the signer in any case.
        if let Ok(frame) = serde_json::to_vec(&Call::Ended { grant }) {
            self.0.tell(frame);
        }
    }

    fn vouched(&self, voucher: &str, signature: &Signed) -> Result<Vouched, SignError> {
        let call = Call::Enrol { voucher: voucher.to_owned(), signature: signature.clone() };
        let Reply::Vouched(vouched) = self.call(&call)? else { return Err(another_answer()) };
        Ok(vouched)
    }
}
