//! The signer behind its desk: it is told in messages, which are data, and sees for itself.
//!
//! Owns: the keys that sign, and a root of its own of whose approvals it believes and what it asks them for. Whoever
//! sends the messages (the server, or who has taken it over) can have signed what policy alone grants; what is guarded
//! here is signed only if people signed for it, whatever the store says. Where it runs is not known here.

pub mod chest;
pub mod frame;
mod judge;
pub mod message;
pub mod names;
pub mod rate;
pub mod root;
mod vouching;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use wane_connector::{Named, Namer, PublicKey, PublishPermit, Reader, SignError, Signature, Signer, Vouched};
use wane_domain::ambient::Ambient;
use wane_domain::approval::{Signature as Signed, Voucher};
use wane_domain::id::{GrantId, OrgId};
use wane_domain::issue::{IssuePermit, Right};
use wane_domain::time::Span;
use wane_failpoint::{around_call, point};

use crate::signer::LocalSigner;
use crate::turning::Turning;
use judge::{Question, SKEW, forget};
use message::{Bytes, Call, LONGEST_FRAME, Refusal, Reply};
use rate::{Rates, USUAL};
use root::{Limited, Root, RootError, RootFile, Shown};
use vouching::Vouching;

/// The signer.
pub struct Desk {
    org: OrgId,
    keys: Arc<Turning>,
    readers: BTreeMap<&'static str, Reader>,
    namers: BTreeMap<&'static str, Namer>,
    rates: Rates<&'static str>,
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
        let (readers, namers, rates) = (readers.into_iter().collect(), BTreeMap::new(), Rates::new(USUAL));
        let keys = Arc::new(Turning::new(keys));
        Self { org, keys, readers, namers, rates, file, seen, ambient }
    }

    /// With what is known of the bytes of purposes that certify names.
    #[must_use]
    pub fn naming(self, namers: Vec<(&'static str, Namer)>) -> Self {
        Self { namers: namers.into_iter().collect(), ..self }
    }

    /// With keys that sign so often in a minute, each.
    #[must_use]
    pub fn signing_at_most(self, in_a_minute: NonZeroU32) -> Self {
        Self { rates: Rates::new(in_a_minute), ..self }
    }

    /// Its keys, for whoever puts others in their place. What is measured and asked of each stays.
    #[must_use]
    pub fn keys(&self) -> Arc<Turning> {
        Arc::clone(&self.keys)
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
                let purpose = self.purpose(&purpose)?;
                let key = self.keys.of(purpose).key(purpose)?;
                Ok(Reply::Key(Bytes(key.bytes().to_vec())))
            }
            Call::Issue { purpose, right, message } => self.issue(&purpose, &right, &message.0),
            Call::Publish { purpose, what, message } => self.publish(&purpose, what, &message.0),
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
        self.within_its_rate(purpose)?;
        let signed = self.keys.of(purpose).issue_right(purpose, right, message)?;
        Ok(Reply::Signature(Bytes(signed.0.to_vec())))
    }

    /// What ends access is not measured, and needs nothing that is known here.
    fn publish(&self, purpose: &str, what: String, message: &[u8]) -> Result<Reply, Refusal> {
        let purpose = self.purpose(purpose)?;
        if let Some(namer) = self.namers.get(purpose) {
            let named = namer(message, self.ambient.now()).map_err(Refusal::Named)?;
            self.within_its_rate(purpose)?;
            self.name(&named)?;
        }
        let signed = self.keys.of(purpose).publish(purpose, PublishPermit { what }, message)?;
        Ok(Reply::Signature(Bytes(signed.0.to_vec())))
    }

    /// Remembers whose names are whose, on disk before anything is signed.
    fn name(&self, named: &Named) -> Result<(), Refusal> {
        let root = self.read()?;
        let mut after = root.clone();
        names::enter(&mut after, named, self.ambient.now()).map_err(Refusal::Named)?;
        if after == root {
            return Ok(());
        }
        let entered = self.change(|root, now| {
            names::enter(root, named, now).map_err(Refusal::Named)?;
            Ok(Reply::Done)
        });
        entered.map(drop)
    }

    /// INVARIANT: no key signs more often than was said, whoever asks (held by `no_key_signs_more_than_was_said`,
    /// `whoever_holds_the_server_leaves_with_so_much_and_no_more`). That it was asked to is kept, once a minute.
    fn within_its_rate(&self, purpose: &'static str) -> Result<(), Refusal> {
        let Err(wait) = self.rates.take(purpose, self.ambient.now()) else { return Ok(()) };
        let refusal = Refusal::TooMany { purpose: purpose.to_owned(), wait };
        let kept = self.read().and_then(|root| {
            let before = root.limited.get(purpose).map(|limited| limited.last);
            if before.is_some_and(|last| self.ambient.now() < last.plus(Span::from_mins(1))) {
                return Ok(Reply::Done);
            }
            self.change(|root, now| {
                let limited = root.limited.entry(purpose.to_owned()).or_insert(Limited { minutes: 0, last: now });
                *limited = Limited { minutes: limited.minutes.saturating_add(1), last: now };
                Ok(Reply::Done)
            })
        });
        // Whether or not that could be kept, nothing is signed.
        Err(kept.map_or_else(|broken| broken, |_| refusal))
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
