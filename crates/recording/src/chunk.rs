//! One chunk: pressed, sealed, chained. Everything that knows how a frame looks is here.

use std::fmt;
use std::io::Cursor;

use aws_lc_rs::aead::{self, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use wane_domain::secret::Secret;

pub(crate) const MAGIC: &[u8; 16] = b"wane.recording.1";
pub(crate) const LINK: usize = 32;
const TAG: usize = 16;
/// Kind and length of a frame.
pub(crate) const FRAME_HEAD: usize = 1 + size_of::<u32>();
/// The most bytes of events in one chunk: four full packets of SSH, and what stands before each.
pub const MOST_EVENTS: usize = 129 * 1024;
/// The most bytes of one frame: events that do not get smaller, what zstd and the seal add, and head
/// and link.
pub const MOST_FRAME: usize = MOST_EVENTS + MOST_EVENTS / 128 + 1024;
/// Quick: a recorder that is slower than the session it records slows the session.
const LEVEL: i32 = 1;

/// What the chain says after a chunk.
pub(crate) type Link = [u8; LINK];

/// Whether more is to come after a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    More,
    Last,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::More => 0,
            Self::Last => 1,
        }
    }

    pub(crate) const fn of(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::More),
            1 => Some(Self::Last),
            _ => None,
        }
    }
}

/// The key of one session's recording. Used for nothing else: chunks are numbered, and the number is
/// the nonce.
pub struct SessionKey(LessSafeKey);

impl SessionKey {
    /// From 32 bytes that were drawn for this session alone; nothing if they are not 32.
    #[must_use]
    pub fn new(bytes: &Secret) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, bytes.expose()).ok().map(LessSafeKey::new).map(Self)
    }

    /// Makes what is in `plain` the body of chunk `number`, but for the tag.
    fn seal(&self, number: u64, aad: &[u8], plain: &mut [u8]) -> Option<aead::Tag> {
        self.0.seal_in_place_separate_tag(nonce(number), Aad::from(aad), plain).ok()
    }

    pub(crate) fn open(&self, number: u64, before: &Link, kind: Kind, mut body: Vec<u8>) -> Option<Vec<u8>> {
        let length = self.0.open_in_place(nonce(number), Aad::from(aad(before, kind)), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// INVARIANT: a number is used once under a key: a recorder counts up, has a key that was drawn for
/// it, and there is no way to go on with a recording that was left (held by
/// `no_two_chunks_are_sealed_alike`).
fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    for (to, from) in bytes.iter_mut().rev().zip(number.to_le_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(bytes)
}

fn aad(before: &Link, kind: Kind) -> [u8; LINK + 1] {
    let mut aad = [kind.byte(); LINK + 1];
    for (to, from) in aad.iter_mut().zip(before) {
        *to = *from;
    }
    aad
}

/// Compresses. Holds a good deal of memory, and is therefore shared by the recorders of many sessions.
pub struct Press(zstd::bulk::Compressor<'static>);

/// The compressor did not come about or gave up.
#[derive(Debug, thiserror::Error)]
#[error("the recording could not be compressed")]
pub struct PressError(#[from] std::io::Error);

impl Press {
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self, PressError> {
        Ok(Self(zstd::bulk::Compressor::new(LEVEL)?))
    }

    /// Adds what is left of the events to `out`.
    fn press(&mut self, events: &[u8], out: &mut Vec<u8>) -> Result<(), PressError> {
        out.reserve(zstd::compress_bound(events.len()));
        let mut behind = Cursor::new(&mut *out);
        behind.set_position(behind.get_ref().len() as u64);
        self.0.compress_to_buffer(events, &mut behind)?;
        Ok(())
    }
}

impl fmt::Debug for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Press(…)")
    }
}

/// The events of a chunk, out of its opened body; nothing if they are not what was pressed.
pub(crate) fn unpress(pressed: &[u8]) -> Option<Vec<u8>> {
    zstd::bulk::decompress(pressed, MOST_EVENTS).ok()
}

/// Why a chunk was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Press(#[from] PressError),
    #[error("the cipher refused")]
    Cipher,
}

/// Adds one whole frame to `out`; says the link after it.
pub(crate) fn frame(
    press: &mut Press,
    key: &SessionKey,
    number: u64,
    before: &Link,
    kind: Kind,
    events: &[u8],
    out: &mut Vec<u8>,
) -> Result<Link, SealError> {
    let start = out.len();
    out.push(kind.byte());
    let length_at = out.len();
    out.extend_from_slice(&[0; size_of::<u32>()]);
    let body_at = out.len();
    press.press(events, out)?;
    let plain = out.get_mut(body_at..).ok_or(SealError::Cipher)?;
    let tag = key.seal(number, &aad(before, kind), plain).ok_or(SealError::Cipher)?;
    out.extend_from_slice(tag.as_ref());
    let length = u32::try_from(out.len() - body_at).map_err(|_| SealError::Cipher)?;
    out.get_mut(length_at..body_at).ok_or(SealError::Cipher)?.copy_from_slice(&length.to_be_bytes());
    let after = link(before, out.get(start..).ok_or(SealError::Cipher)?);
    out.extend_from_slice(&after);
    Ok(after)
}

/// The length of the body that follows this head, if a recorder can have written it.
pub(crate) fn body_length(head: [u8; FRAME_HEAD]) -> Option<(Kind, usize)> {
    let [kind, length @ ..] = head;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let kind = Kind::of(kind)?;
    (length >= TAG && length + FRAME_HEAD + LINK <= MOST_FRAME).then_some((kind, length))
}

/// The link before the first chunk: of magic, length and header.
pub(crate) fn first_link(head: &[u8]) -> Link {
    Sha256::digest(head).into()
}

/// The link after a frame, given without its own.
pub(crate) fn link(before: &Link, frame: &[u8]) -> Link {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(frame);
    hash.finalize().into()
}
