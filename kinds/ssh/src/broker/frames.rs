//! Messages that say how long they are, out of bytes that come in pieces: of each its sort and its beginning.

/// The longest message. OpenSSH takes 256 KiB; others a little more.
const LONGEST: u32 = 1024 * 1024;
/// How much is kept of a message that is to be read whole: two paths, and what stands around them.
const MOST_KEPT: usize = 16 * 1024;

/// What there is of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) sort: u8,
    /// Its beginning, without the sort.
    pub(crate) head: &'a [u8],
}

/// Where one is in a stream of messages.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The length, then the beginning of the message under way.
    head: Vec<u8>,
    /// How much of it is wanted, with its length, and how much of it then passes by; once its sort is known.
    wanted: Option<(usize, usize)>,
    /// How much of the message before is still to pass by.
    skip: usize,
}

/// It is no stream of messages.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) &'static str);

/// Length and sort.
const FIRST: usize = 5;

impl Frames {
    /// Says what messages these bytes make whole. `keeps` says how much is wanted of one, by its sort; all of it
    /// if it does not say.
    pub(crate) fn bytes<E: From<Broken>>(
        &mut self,
        mut bytes: &[u8],
        keeps: impl Fn(u8) -> Option<usize>,
        mut tell: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            bytes = bytes.get(skipped..).unwrap_or_default();
            self.skip -= skipped;
            let wanted = self.wanted.map_or(FIRST, |(wanted, _)| wanted);
            let (new, rest) = bytes.split_at(wanted.saturating_sub(self.head.len()).min(bytes.len()));
            self.head.extend_from_slice(new);
            bytes = rest;
            if self.head.len() < wanted {
                continue;
            }
            let (wanted, skip) = match self.wanted {
                Some(known) => known,
                None => *self.wanted.insert(measured(&self.head, &keeps)?),
            };
            if self.head.len() < wanted {
                continue;
            }
            if let [_, _, _, _, sort, head @ ..] = self.head.as_slice() {
                tell(Frame { sort: *sort, head })?;
            }
            self.head.clear();
            (self.wanted, self.skip) = (None, skip);
        }
        Ok(())
    }
}

/// How much is kept of a message with its length, and how much of it then passes by.
fn measured(head: &[u8], keeps: &impl Fn(u8) -> Option<usize>) -> Result<(usize, usize), Broken> {
    let Some(([a, b, c, d, sort], _)) = head.split_first_chunk::<FIRST>() else {
        return Err(Broken("a message is shorter than it says"));
    };
    let length = u32::from_be_bytes([*a, *b, *c, *d]);
    if length == 0 || length > LONGEST {
        return Err(Broken("a message is longer than any"));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let keep = match keeps(*sort) {
        Some(most) => length.min(most),
        None if length > MOST_KEPT => return Err(Broken("a message is longer than any of its sort")),
        None => length,
    };
    Ok((keep + 4, length - keep))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(pieces: &[&[u8]]) -> (Vec<(u8, Vec<u8>)>, bool) {
        let (mut frames, mut out) = (Frames::default(), Vec::new());
        let keeps = |sort| (sort == 6).then_some(4);
        for piece in pieces {
            let read = frames.bytes(piece, keeps, |frame| {
                out.push((frame.sort, frame.head.to_vec()));
                Ok::<(), Broken>(())
            });
            assert!(frames.head.capacity() <= 4 * MOST_KEPT);
            if read.is_err() {
                return (out, false);
            }
        }
        (out, true)
    }

    #[test]
    fn messages_are_told_one_by_one_and_long_ones_by_their_beginning() {
        let stream =
            [&[0, 0, 0, 3, 9, 1, 2][..], &[0, 0, 0, 8, 6, 1, 2, 3, 4, 5, 6, 7], &[0, 0, 0, 1, 5], &[0, 0]].concat();
        let expected = vec![(9, vec![1, 2]), (6, vec![1, 2, 3]), (5, vec![])];
        assert_eq!(told(&[&stream]), (expected, true));
        for bad in [&[0, 0, 0, 0, 1][..], &[0, 16, 0, 1, 1], &[0, 0, 0x40, 1, 9], &[0x7f, 0, 0, 0, 6], b"SSH-2.0"] {
            assert_eq!(told(&[bad]), (vec![], false), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(messages in proptest::collection::vec((prop_oneof![Just(6_u8), any::<u8>()], 0_u8..40), 0..8), cut in 0_usize..200, again in 0_usize..200) {
            let stream: Vec<u8> = messages.iter().flat_map(|(sort, more)| {
                let head = [0, 0, 0, more + 1, *sort];
                head.into_iter().chain((0..*more).map(|n| n ^ sort)).collect::<Vec<_>>()
            }).collect();
            let (cut, again) = (cut.min(stream.len()), again.min(stream.len()));
            let (from, to) = (cut.min(again), cut.max(again));
            prop_assert_eq!(told(&[&stream[..from], &stream[from..to], &stream[to..]]), told(&[&stream]));
        }
    }
}
