//! The book of sessions by what browsers keep of them, and of those that are over, so that it can be said why.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wane_domain::time::{Span, Time};

use crate::cookie::Mark;
use crate::session::AppSession;

/// Ended sessions that are remembered.
const MOST_OVER: usize = 10_000;
const MINUTE: Span = Span::from_mins(1);

/// The book. Memory only, as the sessions are.
#[derive(Default)]
pub(crate) struct Book(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    open: HashMap<Mark, Arc<AppSession>>,
    over: HashMap<Mark, Over>,
    order: VecDeque<Mark>,
    /// When something was told of a key last.
    told: HashMap<Mark, Time>,
}

/// A session that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    pub(crate) origin: String,
    pub(crate) why: String,
    /// What asks for the like of it again.
    pub(crate) again: String,
}

/// What a browser's session is.
pub(crate) enum Found {
    Open(Arc<AppSession>),
    Over(Over),
    Unknown,
}

impl Book {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, mark: Mark, session: Arc<AppSession>) {
        self.inner().open.insert(mark, session);
    }

    /// A session is over: from now on it is found as that.
    pub(crate) fn close(&self, mark: &Mark, over: Over) {
        let mut inner = self.inner();
        inner.open.remove(mark);
        while inner.order.len() >= MOST_OVER {
            if let Some(oldest) = inner.order.pop_front() {
                inner.over.remove(&oldest);
            }
        }
        inner.order.push_back(*mark);
        inner.over.insert(*mark, over);
    }

    /// Whether something is told of a key now: each key's once a minute, and of so many at most.
    pub(crate) fn tells(&self, mark: Mark, now: Time) -> bool {
        let mut inner = self.inner();
        inner.told.retain(|_, at| now < at.plus(MINUTE));
        if inner.told.len() >= MOST_OVER || inner.told.contains_key(&mark) {
            return false;
        }
        inner.told.insert(mark, now);
        true
    }

    /// INVARIANT: a session is found at its own origin, and nowhere else (held by
    /// `a_session_is_good_at_its_own_origin_only`).
    pub(crate) fn find(&self, mark: Option<Mark>, origin: &str) -> Found {
        let Some(mark) = mark else { return Found::Unknown };
        let inner = self.inner();
        if let Some(session) = inner.open.get(&mark).filter(|session| session.settings.origin.as_str() == origin) {
            return Found::Open(Arc::clone(session));
        }
        match inner.over.get(&mark).filter(|over| over.origin == origin) {
            Some(over) => Found::Over(over.clone()),
            None => Found::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(origin: &str) -> Over {
        Over { origin: origin.to_owned(), why: "its time is up".to_owned(), again: "viewer@app --for 1h".to_owned() }
    }

    #[test]
    fn of_those_that_are_over_some_are_remembered() {
        let book = Book::default();
        for n in 0..=u32::try_from(MOST_OVER).unwrap() {
            let mut mark = [0; 32];
            mark[..4].copy_from_slice(&n.to_be_bytes());
            book.close(&mark, over("https://a.example.com"));
        }
        assert_eq!(book.inner().over.len(), MOST_OVER);
        assert!(matches!(book.find(Some([0; 32]), "https://a.example.com"), Found::Unknown), "the oldest");
        let mut last = [0; 32];
        last[..4].copy_from_slice(&u32::try_from(MOST_OVER).unwrap().to_be_bytes());
        assert!(matches!(book.find(Some(last), "https://a.example.com"), Found::Over(_)));
        assert!(matches!(book.find(Some(last), "https://b.example.com"), Found::Unknown), "another origin");
        assert!(matches!(book.find(None, "https://a.example.com"), Found::Unknown));
    }
}
