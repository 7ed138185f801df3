//! Packets and words of the wire format (RFC 4251 section 5).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::peer::Trouble;

const TAG: usize = 16;
const BLOCK: usize = 16;
/// More than any side sends that is in its right mind.
const LONGEST: usize = 1 << 20;

/// One direction, encrypted.
pub(super) struct Sealed {
    key: LessSafeKey,
    nonce: [u8; 12],
}

impl Sealed {
    pub(super) fn new(key: &[u8; 32], nonce: &[u8; 32]) -> Result<Self, Trouble> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Trouble::Crypto)?;
        let nonce = nonce.first_chunk().copied().ok_or(Trouble::Crypto)?;
        Ok(Self { key: LessSafeKey::new(key), nonce })
    }

    /// Four bytes stay, eight count.
    fn next(&mut self) -> Nonce {
        let now = self.nonce;
        if let Some((_, counter)) = self.nonce.split_last_chunk::<8>() {
            let next = u64::from_be_bytes(*counter).wrapping_add(1).to_be_bytes();
            for (place, byte) in self.nonce.iter_mut().skip(4).zip(next) {
                *place = byte;
            }
        }
        Nonce::assume_unique_for_key(now)
    }
}

/// A payload with its padding, before its length.
fn padded(payload: &[u8], beside: usize) -> Vec<u8> {
    let bare = payload.len().saturating_add(1);
    let mut padding = BLOCK - bare.saturating_add(beside) % BLOCK;
    if padding < 4 {
        padding += BLOCK;
    }
    let mut body = vec![u8::try_from(padding).unwrap_or(u8::MAX)];
    body.extend_from_slice(payload);
    body.resize(bare.saturating_add(padding), 0);
    body
}

fn length(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// A packet, encrypted or not.
pub(super) fn packet(payload: &[u8], sealed: Option<&mut Sealed>) -> Vec<u8> {
    let Some(sealed) = sealed else {
        let body = padded(payload, 4);
        return [&length(&body)[..], &body].concat();
    };
    let mut body = padded(payload, 0);
    let length = length(&body);
    let nonce = sealed.next();
    let tag = sealed.key.seal_in_place_separate_tag(nonce, Aad::from(length), &mut body);
    let tag = tag.map(|tag| tag.as_ref().to_vec()).unwrap_or_default();
    [&length[..], &body, &tag].concat()
}

/// Takes the next payload from what came in, if it is there whole.
pub(super) fn unpacked(came: &mut Vec<u8>, sealed: Option<&mut Sealed>) -> Result<Option<Vec<u8>>, Trouble> {
    let Some(length) = came.first_chunk::<4>().copied() else { return Ok(None) };
    let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(2..=LONGEST).contains(&size) {
        return Err(Trouble::Length(size));
    }
    let whole = 4 + size + if sealed.is_some() { TAG } else { 0 };
    if came.len() < whole {
        return Ok(None);
    }
    let mut body: Vec<u8> = came.drain(..whole).skip(4).collect();
    if let Some(sealed) = sealed {
        let nonce = sealed.next();
        let open = sealed.key.open_in_place(nonce, Aad::from(length), &mut body);
        let size = open.map_err(|_| Trouble::Crypto)?.len();
        body.truncate(size);
    }
    let padding = usize::from(body.first().copied().unwrap_or(0));
    let end = body.len().checked_sub(padding).filter(|end| *end >= 1).ok_or(Trouble::Length(padding))?;
    Ok(Some(body.get(1..end).unwrap_or_default().to_vec()))
}

/// Words of the wire format: of each its length, then itself.
#[must_use]
pub fn words(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&length(part)[..], part].concat()).collect()
}

/// Takes a message apart.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a>(pub &'a [u8]);

impl<'a> Words<'a> {
    /// The next bytes, if there are so many.
    pub fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(head)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// The next number.
    pub fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// The next word.
    pub fn word(&mut self) -> Option<&'a [u8]> {
        let size = usize::try_from(self.number()?).ok()?;
        self.take(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_as_it_was_written() {
        for size in 0..70 {
            let payload = vec![7; size];
            let mut came = [packet(&payload, None), packet(b"next", None)].concat();
            assert_eq!(came.len() % 8, 0);
            assert_eq!(unpacked(&mut came, None).unwrap().unwrap(), payload);
            assert_eq!(unpacked(&mut came, None).unwrap().unwrap(), b"next");
            let (mut to, mut from) =
                (Sealed::new(&[1; 32], &[2; 32]).unwrap(), Sealed::new(&[1; 32], &[2; 32]).unwrap());
            let mut came = [packet(&payload, Some(&mut to)), packet(b"next", Some(&mut to))].concat();
            assert_eq!(unpacked(&mut came, Some(&mut from)).unwrap().unwrap(), payload);
            assert_eq!(unpacked(&mut came, Some(&mut from)).unwrap().unwrap(), b"next");
            assert_eq!(unpacked(&mut came, Some(&mut from)).unwrap(), None);
        }
    }
}
