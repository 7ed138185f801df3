//! Nonces: made without being remembered, taken once.
//!
//! One carries its moment, and a code over that by a key that this process drew. Only those that were taken are remembered,
//! and no longer than they could come again; if they become too many, what was made before the middle of them is taken no
//! more, and whoever has such a one is told to come with another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use wane_domain::time::{Span, Time};

/// For how long one may be taken.
const GOOD: Span = Span::from_mins(60);
/// Those that were taken and are remembered.
const MOST: usize = 50_000;
const MOMENT: usize = 8;
const DRAWN: usize = 8;

/// The nonces of this process.
pub struct Nonces {
    key: hmac::Key,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: BTreeMap<(i64, [u8; DRAWN]), ()>,
    /// Nothing that was made up to here is taken.
    floor: i64,
}

impl Nonces {
    /// With a key that nobody else has.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), taken: Mutex::default() }
    }

    /// Another one; `drawn` is drawn anew for each.
    #[must_use]
    pub fn make(&self, now: Time, drawn: [u8; DRAWN]) -> String {
        let mut bytes = now.micros().to_be_bytes().to_vec();
        bytes.extend(drawn);
        let code = hmac::sign(&self.key, &bytes);
        bytes.extend(code.as_ref());
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Takes one; whether it was good.
    #[must_use]
    pub fn take(&self, text: &str, now: Time) -> bool {
        let Some((made, drawn)) = self.read(text) else { return false };
        if made > now.micros() || made <= now.minus(GOOD).micros() {
            return false;
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if made <= taken.floor {
            return false;
        }
        if taken.all.len() >= MOST {
            taken.forget(now);
            if made <= taken.floor {
                return false;
            }
        }
        taken.all.insert((made, drawn), ()).is_none()
    }

    fn read(&self, text: &str) -> Option<(i64, [u8; DRAWN])> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (said, code) = bytes.split_at_checked(MOMENT + DRAWN)?;
        hmac::verify(&self.key, said, code).ok()?;
        let (moment, drawn) = said.split_at_checked(MOMENT)?;
        Some((i64::from_be_bytes(moment.try_into().ok()?), drawn.try_into().ok()?))
    }
}

impl Taken {
    /// Forgets those that could not come again, and the older half of the others if that does not help.
    fn forget(&mut self, now: Time) {
        self.floor = self.floor.max(now.minus(GOOD).micros());
        self.all = self.all.split_off(&(self.floor.saturating_add(1), [0; DRAWN]));
        if self.all.len() >= MOST {
            let middle = self.all.keys().nth(MOST / 2).map_or(self.floor, |(made, _)| *made);
            self.floor = self.floor.max(middle);
            self.all = self.all.split_off(&(self.floor.saturating_add(1), [0; DRAWN]));
        }
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);

    #[test]
    fn a_nonce_is_taken_once() {
        let nonces = Nonces::new(&[7; 32]);
        let one = nonces.make(NOW, [1; 8]);
        assert!(nonces.take(&one, NOW.plus(Span::from_secs(5))));
        assert!(!nonces.take(&one, NOW.plus(Span::from_secs(6))), "it was taken");
        assert!(nonces.take(&nonces.make(NOW, [2; 8]), NOW), "another of the same moment is another");
        for (what, other) in [
            ("of another process", Nonces::new(&[8; 32]).make(NOW, [3; 8])),
            ("nothing", String::new()),
            ("short", nonces.make(NOW, [3; 8]).chars().take(20).collect()),
            ("with more behind it", format!("{}AAAA", nonces.make(NOW, [3; 8]))),
            ("of tomorrow", nonces.make(NOW.plus(Span::from_hours(24)), [3; 8])),
            ("of yesterday", nonces.make(NOW.minus(Span::from_hours(24)), [3; 8])),
        ] {
            assert!(!nonces.take(&other, NOW), "{what}");
        }
        let mut bytes = BASE64URL_NOPAD.decode(nonces.make(NOW, [4; 8]).as_bytes()).unwrap();
        bytes[15] ^= 1;
        assert!(!nonces.take(&BASE64URL_NOPAD.encode(&bytes), NOW), "drawn by somebody else");
    }

    #[test]
    fn many_have_a_bound_and_none_is_taken_twice() {
        let nonces = Nonces::new(&[7; 32]);
        let at = |n: usize| NOW.plus(Span::from_micros(u64::try_from(n).unwrap()));
        let all: Vec<String> = (0..MOST + 10).map(|n| nonces.make(at(n), [0; 8])).collect();
        let late = at(MOST + 20);
        assert!(all.iter().all(|one| nonces.take(one, late)));
        assert!(nonces.taken.lock().unwrap().all.len() < MOST);
        assert!(all.iter().all(|one| !nonces.take(one, late)), "those that were forgotten are too old");
        assert!(nonces.take(&nonces.make(late, [0; 8]), late));
    }
}
