//! When the store is asked what is due, and from which place on.
//!
//! Owns: that what is due is read page by page, each thing about once, however much there is. Two
//! readers take turns. *Onward* goes on where the last look ended in time: what falls due by the clock
//! is found there at once. *Round* begins at the beginning, at the start and every few seconds: it finds
//! whatever else is owed, and rests in proportion to what it read, so that it costs little beside what is
//! done about it. Refuses to know: what is done about it.

use wane_domain::id::{RequestId, TypedId as _};
use wane_domain::time::{Span, Time};
use wane_store::{Due, DueWhat};

/// How many due things one page has.
pub(crate) const PAGE: u32 = 1_000;
/// The longest time between two looks, and between two rounds while little is due.
pub(crate) const LOOK_AT_LEAST: Span = Span::from_secs(5);
/// How long a round rests for each thing it read: reading one costs a thirtieth of that.
const REST_EACH: Span = Span::from_micros(100);
/// The longest rest.
const LONGEST_REST: Span = Span::from_secs(60);

/// Where both readers stand.
#[derive(Debug)]
pub(crate) struct Looking {
    /// When the store is asked next.
    pub(crate) next: Time,
    /// What fell due by then was read.
    seen_to: Time,
    /// Where Onward stands inside its look.
    onward: Option<Due>,
    round: Round,
}

#[derive(Clone, Copy, Debug)]
enum Round {
    /// It begins then.
    Rests(Time),
    /// It goes on after this place; so much was read.
    At(Option<Due>, usize),
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Onward,
    Round,
}

impl Looking {
    /// Nothing was read yet.
    pub(crate) fn new(now: Time) -> Self {
        Self { next: now, seen_to: now, onward: None, round: Round::Rests(now) }
    }

    /// A look is wanted by then.
    pub(crate) fn by(&mut self, at: Time) {
        self.next = self.next.min(at);
    }

    /// Something is owed that Onward has passed.
    pub(crate) fn round_by(&mut self, at: Time) {
        if let Round::Rests(until) = &mut self.round {
            // What is waiting for a long round is in line already; a short one may come at once.
            *until = (*until).min(at);
        }
        self.by(at);
    }

    /// Which pages a look reads, after which place each; the last place is none for the beginning.
    pub(crate) fn pages(&mut self, now: Time) -> Vec<(Reader, Option<Due>)> {
        if let Round::Rests(until) = self.round
            && now >= until
        {
            self.round = Round::At(None, 0);
        }
        let onward = (Reader::Onward, Some(self.onward.unwrap_or_else(|| just_after(self.seen_to))));
        match self.round {
            Round::At(place, _) => vec![onward, (Reader::Round, place)],
            Round::Rests(_) => vec![onward],
        }
    }

    /// A page was read at `now`.
    pub(crate) fn read(&mut self, reader: Reader, page: &[Due], now: Time) {
        let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        let last = page.last().copied().filter(|_| full);
        match reader {
            Reader::Onward => {
                self.onward = last;
                if last.is_none() {
                    // A clock that went back does not make everything new again.
                    self.seen_to = now.max(self.seen_to);
                }
            }
            Reader::Round => {
                let Round::At(_, before) = self.round else { return };
                let all = before.saturating_add(page.len());
                self.round = match last {
                    Some(place) => Round::At(Some(place), all),
                    None => Round::Rests(now.plus(rest(all))),
                };
            }
        }
    }

    /// Whether a reader stopped at the end of a full page.
    pub(crate) fn is_midway(&self) -> bool {
        self.onward.is_some() || matches!(self.round, Round::At(..))
    }

    /// When the next round begins.
    pub(crate) fn next_round(&self) -> Option<Time> {
        match self.round {
            Round::Rests(until) => Some(until),
            Round::At(..) => None,
        }
    }
}

fn rest(read: usize) -> Span {
    let each = REST_EACH.micros().saturating_mul(u64::try_from(read).unwrap_or(u64::MAX));
    Span::from_micros(each).max(LOOK_AT_LEAST).min(LONGEST_REST)
}

/// The last place of a moment: what comes after it is due later.
fn just_after(at: Time) -> Due {
    // The last of the three prefixes, the last millisecond an id can name.
    let last = RequestId::mint(Time::from_micros(LAST_MILLI * 1_000), &[0xff; 10]);
    Due { at, what: DueWhat::Request(last) }
}

const LAST_MILLI: i64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use wane_domain::id::{GrantId, LeaseId};

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    fn page(of: usize, secs: i64) -> Vec<Due> {
        let grant = |n: usize| GrantId::mint(at(secs), &[u8::try_from(n % 251).unwrap(); 10]);
        (0..of).map(|n| Due { at: at(secs), what: DueWhat::Grant(grant(n)) }).collect()
    }

    #[test]
    fn a_round_goes_on_page_by_page_and_rests_by_what_it_read() {
        let mut looking = Looking::new(at(0));
        let full = page(1_000, -5);
        let mut place = None;
        for _ in 0..90 {
            let pages = looking.pages(at(1));
            assert_eq!(pages.last().unwrap(), &(Reader::Round, place), "begun again");
            looking.read(Reader::Round, &full, at(1));
            assert!(looking.is_midway());
            place = full.last().copied();
        }
        looking.pages(at(1));
        looking.read(Reader::Round, &[], at(1));
        assert!(!looking.is_midway());
        assert_eq!(looking.next_round(), Some(at(10)), "90,000 rows are 9 s of rest");
        assert_eq!(looking.pages(at(9)).len(), 1);
        assert_eq!(looking.pages(at(10)).last().unwrap(), &(Reader::Round, None));
    }

    #[test]
    fn what_falls_due_is_read_from_where_the_last_look_ended() {
        let mut looking = Looking::new(at(0));
        looking.read(Reader::Onward, &page(3, 7), at(8));
        assert_eq!(looking.pages(at(9))[0].1.map(|due| due.at), Some(at(8)));
        looking.read(Reader::Onward, &page(1_000, 9), at(10));
        assert_eq!(looking.pages(at(10))[0].1, page(1_000, 9).last().copied());
        looking.read(Reader::Onward, &[], at(10));
        // The clock goes back an hour and comes again.
        looking.read(Reader::Onward, &[], at(-3_590));
        assert_eq!(looking.pages(at(11))[0].1.map(|due| due.at), Some(at(10)));
    }

    /// The store puts what falls due in one moment in the order of its ids, as text.
    #[test]
    fn nothing_of_a_moment_that_was_read_comes_after_it() {
        let DueWhat::Request(place) = just_after(at(8)).what else { panic!("no request is the last of a moment") };
        let place = place.to_string();
        // From 1970 to the year 9892.
        for minted in [0, 8, 2_000_000_000, 250_000_000_000].map(at) {
            let most = &[0xff; 10];
            let request = RequestId::mint(minted, most).to_string();
            for id in [request, GrantId::mint(minted, most).to_string(), LeaseId::mint(minted, most).to_string()] {
                assert!(id <= place, "{id} comes after {place}");
            }
        }
    }

    #[test]
    fn what_onward_has_passed_is_looked_for_soon() {
        let mut looking = Looking::new(at(0));
        looking.pages(at(0));
        looking.read(Reader::Round, &[], at(0));
        looking.next = at(5);
        assert_eq!(looking.next_round(), Some(at(5)));
        looking.round_by(at(1));
        assert_eq!((looking.next, looking.next_round()), (at(1), Some(at(1))));
    }
}
