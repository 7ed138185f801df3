//! The book of sign-ins that were begun and are at a provider: each for one browser, used once.
//!
//! Memory only: what is not in it was not begun here, or too long ago.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_oidc::Begun;

use crate::arrivals::network;

/// Sign-ins at providers, of everybody together.
const MOST: usize = 4096;
/// Those from one address.
const MOST_HERE: usize = 64;
/// How long somebody may take at a provider.
const LIFE: Span = Span::from_mins(15);

/// A sign-in that was begun.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) provider: Name,
    pub(crate) begun: Begun,
    /// The page that comes after it.
    pub(crate) then: String,
    browser: String,
    from: Option<IpAddr>,
    until: Time,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct BegunBook(Mutex<HashMap<String, Waiting>>);

impl BegunBook {
    fn book(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters one; false if too many are at providers.
    pub(crate) fn enter(
        &self,
        (provider, begun): (Name, Begun),
        (browser, from): (&str, Option<IpAddr>),
        then: String,
        now: Time,
    ) -> bool {
        let mut book = self.book();
        book.retain(|_, waiting| now < waiting.until);
        let from = from.map(network);
        let here = book.values().filter(|waiting| from.is_some() && waiting.from == from).count();
        if book.len() >= MOST || here >= MOST_HERE {
            return false;
        }
        let until = now.plus(LIFE);
        let state = begun.state.clone();
        book.insert(state, Waiting { provider, begun, then, browser: browser.to_owned(), from, until });
        true
    }

    /// Takes the one that an answer is to, from the browser it was begun in. Whatever comes of it, it is used.
    ///
    /// INVARIANT: one answer, from the browser that asked, once (held by `an_answer_counts_once_and_where_it_was_asked_for`).
    pub(crate) fn take(&self, state: &str, browser: &str, provider: &Name, now: Time) -> Option<Waiting> {
        let waiting = self.book().remove(state)?;
        let same: bool = waiting.browser.as_bytes().ct_eq(browser.as_bytes()).into();
        (same && !browser.is_empty() && waiting.provider == *provider && now < waiting.until).then_some(waiting)
    }
}
