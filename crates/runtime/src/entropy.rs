//! The operating system's randomness.

use std::thread::sleep;
use std::time::Duration;

use wane_domain::ambient::Entropy;

/// How often the operating system is asked before it is taken to have none.
const TRIES: u32 = 50;

/// The operating system's randomness (`getrandom(2)`).
///
/// A machine that cannot give any ends the process: ids, nonces and keys that can be guessed are worse
/// than no service, and a caller has no way to go on without them. On Linux the call fails only where
/// it is forbidden (a seccomp filter) or before the pool is seeded, so it is tried for a second first.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is where entropy lives")]
    fn fill(&self, buf: &mut [u8]) {
        for _ in 0..TRIES {
            match getrandom::fill(buf) {
                Ok(()) => return,
                Err(e) => tracing::warn!(error = %e, "the operating system gave no randomness; asking again"),
            }
            sleep(Duration::from_millis(20));
        }
        tracing::error!(
            "the operating system gives no randomness; ending, because nothing safe can be done without it"
        );
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_all_of_it_and_never_twice_the_same() {
        let (mut one, mut other) = ([0u8; 64], [0u8; 64]);
        OsEntropy.fill(&mut one);
        OsEntropy.fill(&mut other);
        assert_ne!(one, other);
        for part in one.chunks(16) {
            assert_ne!(part, [0; 16], "a part was left as it was");
        }
        OsEntropy.fill(&mut []);
    }
}
