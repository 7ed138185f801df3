//! Which words of providers were heard: each counts once while it is believed at all. Memory only: said again
//! after a restart, a sign-out ends nothing more than it did.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wane_domain::time::Time;

/// How many are remembered. More than a provider says in the minutes that one is believed.
const MOST: usize = 100_000;

/// The words, with until when each is remembered.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<HashMap<String, Time>>);

impl Heard {
    /// Hears a word; false if it was heard before, or there is no room to remember it.
    pub(crate) fn hear(&self, word: &str, until: Time, now: Time) -> bool {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= MOST {
            heard.retain(|_, until| now < *until);
        }
        if heard.len() >= MOST || heard.get(word).is_some_and(|until| now < *until) {
            return false;
        }
        heard.insert(word.to_owned(), until);
        true
    }

    /// What it says could not be done; it may be said again.
    pub(crate) fn unhear(&self, word: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(word);
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::time::Span;

    use super::*;

    #[test]
    fn a_word_counts_once_while_it_is_believed() {
        let (heard, now) = (Heard::default(), Time::from_micros(1_000_000));
        let until = now.plus(Span::from_mins(5));
        assert!(heard.hear("a", until, now));
        assert!(!heard.hear("a", until, now));
        assert!(heard.hear("b", until, now));
        heard.unhear("a");
        assert!(heard.hear("a", until, now));
        assert!(heard.hear("a", until.plus(Span::from_mins(5)), until), "it is no longer believed by then");
    }

    #[test]
    fn of_too_many_words_those_are_forgotten_that_are_no_longer_believed() {
        let now = Time::from_micros(1_000_000);
        let until = now.plus(Span::from_mins(5));
        let heard = Heard(Mutex::new((0..MOST).map(|n| (n.to_string(), until)).collect()));
        assert!(!heard.hear("a", until, now), "there is no room");
        assert!(heard.hear("a", until.plus(Span::from_mins(5)), until));
        assert_eq!(heard.0.lock().unwrap().len(), 1);
    }
}
