//! Passwords of local people: Argon2id (RFC 9106) in PHC string format.
//!
//! Owns the cost and the promise that a person who does not exist costs as much as one who does.
//! Refuses to know people, and how many may try at once: the caller bounds that, and keeps this
//! work off async threads.

use std::fmt;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;

const SALT: usize = 16;
/// The longest password that is hashed.
pub const MOST_PASSWORD: usize = 1024;

/// The most that a stored hash may ask for: some times what [`Cost::Standard`] does, in KiB, passes and lanes.
/// Checking one is work that a stranger orders, so it has to stay bounded whatever is stored.
const MOST_WORK: (u32, u32, u32) = (256 * 1024, 8, 4);

/// How much work one password takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// 64 MiB, 3 passes, 1 lane. A tenth of a second or two.
    Standard,
    /// 64 KiB, 1 pass: worthless as protection, for tests that sign in a hundred times.
    WeakForTests,
}

impl Cost {
    const fn params(self) -> (u32, u32, u32) {
        match self {
            Self::Standard => (64 * 1024, 3, 1),
            Self::WeakForTests => (64, 1, 1),
        }
    }
}

/// What came of checking a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Right,
    /// It is the one, but its hash was made with less work than asked now: hash it again and store that.
    RightButWeak,
    /// It is not, or there is nobody whose it could be.
    Wrong,
}

impl Verdict {
    /// Whether the password is the one.
    #[must_use]
    pub const fn is_right(self) -> bool {
        match self {
            Self::Right | Self::RightButWeak => true,
            Self::Wrong => false,
        }
    }
}

/// Hashes and verifies passwords at one cost.
pub struct Hasher {
    cost: Cost,
    params: Params,
    /// A hash of bytes nobody knows, for people who do not exist.
    nobody: PasswordHash,
    /// Hashes made since the start.
    made: AtomicU64,
}

impl Hasher {
    /// A hasher; hashes once to have something to compare absent people with.
    ///
    /// # Errors
    /// When the work cannot be done here.
    pub fn new(cost: Cost, ambient: &Ambient) -> Result<Self, PasswordError> {
        let (memory_kib, passes, lanes) = cost.params();
        let params = Params::new(memory_kib, passes, lanes, None).map_err(|e| PasswordError::Work(e.to_string()))?;
        let nobody = make(&params, &ambient.bytes::<32>(), &ambient.bytes::<SALT>())?;
        Ok(Self { cost, params, nobody, made: AtomicU64::new(0) })
    }

    /// How many hashes were made since the start, for whomever: what signing in costs this server.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// A PHC string to store.
    ///
    /// # Errors
    /// When the password is empty or longer than [`MOST_PASSWORD`] bytes, or the work cannot be done here.
    pub fn hash(&self, password: &Secret, ambient: &Ambient) -> Result<String, PasswordError> {
        match password.expose().len() {
            0 => Err(PasswordError::Empty),
            1..=MOST_PASSWORD => {
                self.made.fetch_add(1, Ordering::Relaxed);
                Ok(make(&self.params, password.expose(), &ambient.bytes::<SALT>())?.to_string())
            }
            _ => Err(PasswordError::TooLong),
        }
    }

    /// Checks a password against a stored PHC string.
    ///
    /// INVARIANT: does one full hash whatever the password and whatever is stored (held by
    /// `absent_people_cost_as_much`).
    ///
    /// # Errors
    /// When what is stored is not an Argon2id hash of ours.
    pub fn verify(&self, password: &Secret, stored: &str) -> Result<Verdict, PasswordError> {
        let Some((hash, params)) = read(stored) else {
            self.verify_absent(password);
            return Err(PasswordError::Unreadable);
        };
        if !self.matches(password, &hash) {
            return Ok(Verdict::Wrong);
        }
        let weaker = params.m_cost() < self.params.m_cost() || params.t_cost() < self.params.t_cost();
        Ok(if weaker { Verdict::RightButWeak } else { Verdict::Right })
    }

    /// The same work for somebody who does not exist or has no password; always [`Verdict::Wrong`].
    pub fn verify_absent(&self, password: &Secret) -> Verdict {
        black_box(self.matches(black_box(password), &self.nobody));
        Verdict::Wrong
    }

    fn matches(&self, password: &Secret, hash: &PasswordHash) -> bool {
        self.made.fetch_add(1, Ordering::Relaxed);
        // No password that was ever stored is longer; the work is done all the same.
        let within = password.expose().get(..MOST_PASSWORD).unwrap_or(password.expose());
        let same = argon2id(&self.params).verify_password(within, hash).is_ok();
        same && within.len() == password.expose().len()
    }
}

fn argon2id(params: &Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
}

fn make(params: &Params, password: &[u8], salt: &[u8]) -> Result<PasswordHash, PasswordError> {
    argon2id(params).hash_password_with_salt(password, salt).map_err(|e| PasswordError::Work(e.to_string()))
}

/// An Argon2id hash within bounds.
fn read(stored: &str) -> Option<(PasswordHash, Params)> {
    let hash = PasswordHash::new(stored).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let (memory_kib, passes, lanes) = MOST_WORK;
    let bounded = params.m_cost() <= memory_kib && params.t_cost() <= passes && params.p_cost() <= lanes;
    (bounded && hash.algorithm == argon2::ARGON2ID_IDENT && hash.salt.is_some() && hash.hash.is_some())
        .then_some((hash, params))
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}

/// Why a password was not hashed, or could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing to hash.
    #[error("the password is empty; choose one")]
    Empty,
    /// Over the bound.
    #[error("a password has at most {MOST_PASSWORD} bytes; choose a shorter one")]
    TooLong,
    /// Not a hash of ours.
    #[error("the stored password hash is not an Argon2id hash within bounds; set the password anew")]
    Unreadable,
    /// The work could not be done.
    #[error("cannot hash a password here: {0}")]
    Work(String),
}
