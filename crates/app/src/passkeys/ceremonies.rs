//! The book of ceremonies that are under way: what was asked, of whom, and what for. Memory only, used once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use wane_domain::id::{PersonId, TokenId};
use wane_domain::text::Line;
use wane_domain::time::{Span, Time};
use webauthn_rs::prelude::{DiscoverableAuthentication, PasskeyRegistration};

/// Ceremonies, of everybody together.
const MOST: usize = 4096;
/// How long one may take.
const LIFE: Span = Span::from_mins(5);

/// What a ceremony is for.
pub(crate) enum Purpose {
    /// Somebody signs in.
    SignIn(Box<DiscoverableAuthentication>),
    /// A passkey is set up.
    Enrol {
        /// For whom.
        person: PersonId,
        /// What they call it.
        name: Line,
        /// By what leave.
        leave: Leave,
        /// What was asked.
        state: Box<PasskeyRegistration>,
    },
}

/// By what leave somebody sets a passkey up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// In this session, with a fresh proof.
    Session(TokenId),
    /// With this one-time code.
    Code(TokenId),
}

/// The book.
#[derive(Default)]
pub(crate) struct Ceremonies(Mutex<HashMap<String, (Purpose, Time)>>);

impl Ceremonies {
    /// Enters one; false if too many are under way.
    pub(crate) fn enter(&self, reference: String, purpose: Purpose, now: Time) -> bool {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if book.len() >= MOST {
            book.retain(|_, (_, until)| now < *until);
        }
        if book.len() >= MOST {
            return false;
        }
        book.insert(reference, (purpose, now.plus(LIFE)));
        true
    }

    /// Takes one. Whatever comes of it, it is used.
    pub(crate) fn take(&self, reference: &str, now: Time) -> Option<Purpose> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(reference);
        taken.filter(|(_, until)| now < *until).map(|(purpose, _)| purpose)
    }
}

impl fmt::Debug for Ceremonies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ceremonies(…)")
    }
}
