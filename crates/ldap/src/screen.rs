//! What a server says, looked at before the reader of it is: no message is nested or long without end.
//!
//! The library that reads answers follows nesting by calling itself, so that a server could run this process
//! out of its stack, which ends it (BUG-93). Nothing reaches it here but whole shapes of BER (X.690) as LDAP uses
//! them (RFC 4511, 5.1): short tags, definite lengths, and no deeper than any answer is.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Deeper than any answer: message, operation, attributes, attribute, values, value, with room for controls.
const DEEPEST: usize = 12;
/// The longest message: an entry with a hundred thousand names.
const LONGEST: u64 = 32 * 1024 * 1024;

/// Where the reading of the stream stands.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// What is still to come of each open shape, outermost first.
    open: Vec<u64>,
    /// What is still to come of a plain value.
    plain: u64,
    head: Head,
}

#[derive(Clone, Copy, Debug, Default)]
enum Head {
    #[default]
    Tag,
    Length {
        holds: bool,
    },
    More {
        holds: bool,
        left: u8,
        length: u64,
        head: u64,
    },
}

/// Why a stream goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server says something that no LDAP server says: nested or long without end, or out of shape")]
pub(crate) struct OutOfShape;

impl Screen {
    /// Looks at the next bytes.
    pub(crate) fn look(&mut self, mut bytes: &[u8]) -> Result<(), OutOfShape> {
        loop {
            if self.plain > 0 {
                let here = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(self.plain);
                let (_, rest) =
                    bytes.split_at_checked(usize::try_from(here).map_err(|_| OutOfShape)?).ok_or(OutOfShape)?;
                self.plain = self.plain.saturating_sub(here);
                bytes = rest;
                if self.plain > 0 {
                    return Ok(());
                }
                self.close();
            }
            let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.step(*byte)?;
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), OutOfShape> {
        match self.head {
            Head::Tag if byte & 0x1f == 0x1f => Err(OutOfShape),
            Head::Tag => {
                self.head = Head::Length { holds: byte & 0x20 != 0 };
                Ok(())
            }
            Head::Length { holds } if byte < 0x80 => self.begin(holds, u64::from(byte), 2),
            Head::Length { .. } if byte == 0x80 || byte > 0x84 => Err(OutOfShape),
            Head::Length { holds } => {
                let left = byte & 0x7f;
                self.head = Head::More { holds, left, length: 0, head: u64::from(left).saturating_add(2) };
                Ok(())
            }
            Head::More { holds, left, length, head } => {
                let length = (length << 8) | u64::from(byte);
                match left.saturating_sub(1) {
                    0 => self.begin(holds, length, head),
                    left => {
                        self.head = Head::More { holds, left, length, head };
                        Ok(())
                    }
                }
            }
        }
    }

    /// A shape of this length begins: it is part of the one it stands in.
    fn begin(&mut self, holds: bool, length: u64, head: u64) -> Result<(), OutOfShape> {
        let whole = length.saturating_add(head);
        match self.open.last_mut() {
            Some(left) => *left = left.checked_sub(whole).ok_or(OutOfShape)?,
            None if whole > LONGEST => return Err(OutOfShape),
            None => {}
        }
        self.head = Head::Tag;
        match (holds, length) {
            (_, 0) => self.close(),
            (false, _) => self.plain = length,
            (true, _) if self.open.len() >= DEEPEST => return Err(OutOfShape),
            (true, _) => self.open.push(length),
        }
        Ok(())
    }

    fn close(&mut self) {
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
    }
}

/// Whether some bytes are whole, shallow shapes; for what a library is to read that came as a plain value.
pub(crate) fn is_shallow(bytes: &[u8]) -> bool {
    let mut screen = Screen::default();
    screen.look(bytes).is_ok() && screen.open.is_empty() && screen.plain == 0 && matches!(screen.head, Head::Tag)
}

/// Carries a connection on, looking at what the server says.
pub(crate) async fn carry(server: impl AsyncRead + AsyncWrite, reader: impl AsyncRead + AsyncWrite) -> io::Result<()> {
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (mut from_reader, mut to_reader) = tokio::io::split(reader);
    let answers = async {
        let mut screen = Screen::default();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = from_server.read(&mut buffer).await?;
            let said = buffer.get(..count).unwrap_or_default();
            if said.is_empty() {
                to_reader.shutdown().await?;
                return Ok(());
            }
            screen.look(said).map_err(io::Error::other)?;
            to_reader.write_all(said).await?;
        }
    };
    let questions = async {
        tokio::io::copy(&mut from_reader, &mut to_server).await?;
        to_server.shutdown().await
    };
    tokio::select! {
        done = answers => done,
        done = questions => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bind's answer: success, no name, no words.
    const BOUND: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";

    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = vec![0x05, 0x00];
        for _ in 0..depth {
            let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
            let mut outer = vec![0x30, 0x84];
            outer.extend(length);
            outer.extend(bytes);
            bytes = outer;
        }
        bytes
    }

    #[test]
    fn what_servers_say_passes_however_it_comes() {
        let mut all = BOUND.repeat(3);
        all.extend(nested(DEEPEST));
        for step in [1, 2, 3, 7, all.len()] {
            let mut screen = Screen::default();
            for part in all.chunks(step) {
                screen.look(part).unwrap();
            }
            assert!(screen.open.is_empty() && screen.plain == 0, "{step}");
        }
        assert!(is_shallow(BOUND) && !is_shallow(&BOUND[..5]));
    }

    #[test]
    fn what_is_nested_or_long_without_end_does_not_pass() {
        for (what, bytes) in [
            ("nested deeply", nested(DEEPEST + 1)),
            ("nested without end", nested(20_000)),
            ("longer than anything", b"\x30\x84\x7f\xff\xff\xff".to_vec()),
            ("of no length", b"\x30\x80".to_vec()),
            ("with a length of lengths", b"\x30\x85\x00\x00\x00\x00\x01".to_vec()),
            ("longer than what it is in", b"\x30\x03\x04\x05ab".to_vec()),
            ("with a long tag", b"\x1f\x81\x01\x00".to_vec()),
        ] {
            let mut screen = Screen::default();
            assert_eq!(screen.look(&bytes), Err(OutOfShape), "{what}");
        }
    }
}
