//! How calls and replies stand on a line: a head of one length, and as many bytes as it says.
//!
//! Owns the head, which is the same in every version, so that each side can say which one it speaks. Does no I/O.

use super::message::LONGEST_FRAME;

/// The version of heads and messages that is spoken here.
pub const VERSION: u8 = 1;
/// How long a head is: version (1 byte), id (8), time (4), length (4); numbers big-endian.
pub const HEAD: usize = 17;
/// The id of what concerns the line and no call: a refusal of whoever is at the other end.
pub const THE_LINE: u64 = 0;

/// What stands before a call or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which call; its reply bears the same.
    pub id: u64,
    /// For how many milliseconds the caller waits; nothing is begun after that. Of no meaning in a reply.
    pub within_ms: u32,
    /// How many bytes follow.
    pub length: u32,
}

/// Why a head is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// Another version.
    #[error("the other side speaks version {0} and this one {VERSION}; run the same release of `wane` on both")]
    Version(u8),
    /// Longer than either side reads.
    #[error("a message of {0} bytes is longer than {LONGEST_FRAME}")]
    TooLong(u32),
}

impl Head {
    /// Reads one.
    ///
    /// INVARIANT: nothing is read of what another version says, nor of what is too long (held by
    /// `a_head_bounds_what_is_read`).
    ///
    /// # Errors
    /// When it is another version's, or announces too much.
    pub fn read(bytes: &[u8; HEAD]) -> Result<Self, BadHead> {
        let [version, i0, i1, i2, i3, i4, i5, i6, i7, w0, w1, w2, w3, l0, l1, l2, l3] = *bytes;
        if version != VERSION {
            return Err(BadHead::Version(version));
        }
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if usize::try_from(length).is_ok_and(|length| length <= LONGEST_FRAME) {
            let id = u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
            return Ok(Self { id, within_ms: u32::from_be_bytes([w0, w1, w2, w3]), length });
        }
        Err(BadHead::TooLong(length))
    }
}

/// A head and its body, as they are sent.
///
/// # Errors
/// When the body is longer than the other side reads.
pub fn frame(id: u64, within_ms: u32, body: &[u8]) -> Result<Vec<u8>, BadHead> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    if body.len() > LONGEST_FRAME {
        return Err(BadHead::TooLong(length));
    }
    let mut bytes = Vec::with_capacity(HEAD.saturating_add(body.len()));
    bytes.push(VERSION);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&within_ms.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_bounds_what_is_read() {
        let of = |bytes: &[u8]| Head::read(bytes.first_chunk().unwrap());
        let good = frame(7, 5000, b"call").unwrap();
        assert_eq!(of(&good), Ok(Head { id: 7, within_ms: 5000, length: 4 }));
        for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
            let mut other = good.clone();
            other[0] = version;
            assert_eq!(of(&other), Err(BadHead::Version(version)));
        }
        let longest = u32::try_from(LONGEST_FRAME).unwrap();
        for (length, good) in [(0, true), (longest, true), (longest + 1, false), (u32::MAX, false)] {
            let mut bytes = frame(7, 0, b"").unwrap();
            bytes[13..17].copy_from_slice(&length.to_be_bytes());
            assert_eq!(of(&bytes).is_ok(), good, "{length}");
        }
        assert!(frame(1, 0, &vec![0; LONGEST_FRAME]).is_ok());
        assert!(frame(1, 0, &vec![0; LONGEST_FRAME + 1]).is_err());
    }
}
