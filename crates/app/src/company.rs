//! Who joined one session: what they see of its terminal, what they type, that they came and left.
//!
//! INVARIANT: nobody who joined holds up the session. What waits for each is bounded, and who does not take it is
//! out (held by `who_is_slow_is_out_and_the_session_goes_on`). Refuses to know: who may join.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use wane_connector::broker::Typed;
use wane_domain::id::PersonId;
use wane_recording::{Event, Side, Size};

/// Who joined one session at once.
const MOST: usize = 8;
/// Pieces of output that wait for one of them.
const MOST_WAIT: usize = 1024;
/// What was on the terminal last, for whoever joins.
const RECENT: usize = 16 * 1024;
/// Pieces of input that wait for the target.
const MOST_TYPED: usize = 64;
/// The longest piece.
pub(crate) const LONGEST_TYPED: usize = 4096;

/// What somebody who joined sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The terminal has this size.
    Size(u32, u32),
    /// It shows this.
    Output(Arc<[u8]>),
}

/// What is to be said and written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody joined.
    Came {
        /// Their name.
        name: String,
    },
    /// Somebody is there no more.
    Left {
        /// Who.
        person: PersonId,
        /// Their name.
        name: String,
        /// How many bytes they typed.
        typed: u64,
    },
}

/// Why nobody can join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// There is no terminal in it.
    NoTerminal,
    /// There are enough.
    Full,
    /// It is over.
    Over,
}

/// Why something typed does not go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTyped {
    /// They are not there, or not any more.
    NotThere,
    /// The target does not take as much.
    Full,
}

struct Guest {
    person: PersonId,
    name: String,
    sees: mpsc::Sender<Seen>,
    channel: u32,
    typed: u64,
}

#[derive(Default)]
struct Inner {
    terminals: BTreeMap<u32, Size>,
    /// What it showed last.
    recent: VecDeque<u8>,
    /// Whose output that is.
    shown: Option<u32>,
    guests: BTreeMap<String, Guest>,
    over: bool,
}

/// Who is in one session besides its person.
pub struct Company {
    inner: Mutex<Inner>,
    types: mpsc::Sender<Typed>,
    typed: tokio::sync::Mutex<mpsc::Receiver<Typed>>,
    says: mpsc::UnboundedSender<News>,
    news: tokio::sync::Mutex<mpsc::UnboundedReceiver<News>>,
}

impl Default for Company {
    fn default() -> Self {
        let (types, typed) = mpsc::channel(MOST_TYPED);
        let (says, news) = mpsc::unbounded_channel();
        let (typed, news) = (tokio::sync::Mutex::new(typed), tokio::sync::Mutex::new(news));
        Self { inner: Mutex::default(), types, typed, says, news }
    }
}

impl std::fmt::Debug for Company {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Company").field("guests", &self.inner().guests.len()).finish_non_exhaustive()
    }
}

impl Company {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is about to pass in the session.
    pub fn sees(&self, event: &Event<'_>) {
        match event {
            Event::Terminal { channel, size, .. } => {
                let mut inner = self.inner();
                inner.terminals.insert(*channel, *size);
                let first = inner.terminals.keys().next().copied();
                if inner.shown != first {
                    inner.shown = first;
                    inner.recent.clear();
                }
            }
            Event::Resized { channel, size } => {
                let mut inner = self.inner();
                inner.terminals.entry(*channel).and_modify(|at| *at = *size);
                self.show(&mut inner, *channel, &Seen::Size(size.columns, size.rows));
            }
            Event::Data { channel, from: Side::Target | Side::TargetError | Side::Wane, bytes } => {
                let mut inner = self.inner();
                if !inner.terminals.contains_key(channel) {
                    return;
                }
                if inner.shown == Some(*channel) {
                    let tail = bytes.get(bytes.len().saturating_sub(RECENT)..).unwrap_or_default();
                    let over = inner.recent.len().saturating_add(tail.len()).saturating_sub(RECENT);
                    let over = over.min(inner.recent.len());
                    inner.recent.drain(..over);
                    inner.recent.extend(tail);
                }
                if !inner.guests.is_empty() {
                    self.show(&mut inner, *channel, &Seen::Output(Arc::from(&**bytes)));
                }
            }
            Event::Closed { channel } => {
                let mut inner = self.inner();
                if inner.terminals.remove(channel).is_some() && inner.shown == Some(*channel) {
                    inner.recent.clear();
                    inner.shown = inner.terminals.keys().next().copied();
                    let there: Vec<_> =
                        inner.guests.iter().filter(|(_, g)| g.channel == *channel).map(|(k, _)| k.clone()).collect();
                    there.iter().for_each(|seat| self.part(&mut inner, seat));
                }
            }
            Event::Opened { .. }
            | Event::Refused { .. }
            | Event::Environment { .. }
            | Event::Started { .. }
            | Event::Data { from: Side::Client, .. }
            | Event::Eof { .. }
            | Event::Signal { .. }
            | Event::Exited { .. }
            | Event::File { .. }
            | Event::Gap { .. }
            | Event::Over { .. }
            | Event::Allowed { .. }
            | Event::Command { .. }
            | Event::Done { .. }
            | Event::Transferred { .. }
            | Event::Tried { .. }
            | Event::Unclear { .. }
            | Event::Finding { .. }
            | Event::Withheld { .. }
            | Event::Typed { .. }
            | Event::Request { .. }
            | Event::Answer { .. } => {}
        }
    }

    fn show(&self, inner: &mut Inner, channel: u32, seen: &Seen) {
        let slow: Vec<String> = inner
            .guests
            .iter()
            .filter(|(_, guest)| guest.channel == channel && guest.sees.try_send(seen.clone()).is_err())
            .map(|(seat, _)| seat.clone())
            .collect();
        slow.iter().for_each(|seat| self.part(inner, seat));
    }

    /// Whether somebody could join.
    pub(crate) fn has_place(&self) -> Result<(), NoPlace> {
        let inner = self.inner();
        match inner.shown {
            _ if inner.over => Err(NoPlace::Over),
            None => Err(NoPlace::NoTerminal),
            Some(_) if inner.guests.len() >= MOST => Err(NoPlace::Full),
            Some(_) => Ok(()),
        }
    }

    /// Somebody joins under a number of theirs.
    pub(crate) fn enter(&self, seat: String, person: PersonId, name: String) -> Result<mpsc::Receiver<Seen>, NoPlace> {
        self.has_place()?;
        let mut inner = self.inner();
        let channel = inner.shown.ok_or(NoPlace::NoTerminal)?;
        let (sees, hears) = mpsc::channel(MOST_WAIT);
        if let Some(size) = inner.terminals.get(&channel) {
            let _ = sees.try_send(Seen::Size(size.columns, size.rows));
        }
        let recent: Vec<u8> = inner.recent.iter().copied().collect();
        let _ = sees.try_send(Seen::Output(recent.into()));
        inner.guests.insert(seat, Guest { person, name: name.clone(), sees, channel, typed: 0 });
        let _ = self.says.send(News::Came { name });
        Ok(hears)
    }

    /// Somebody who joined types.
    pub(crate) fn type_in(&self, seat: &str, person: PersonId, bytes: &[u8]) -> Result<(), NotTyped> {
        let mut inner = self.inner();
        let guest = inner.guests.get_mut(seat).filter(|guest| guest.person == person).ok_or(NotTyped::NotThere)?;
        let typed = Typed { who: guest.name.clone(), channel: guest.channel, bytes: bytes.to_vec() };
        self.types.try_send(typed).map_err(|_| NotTyped::Full)?;
        guest.typed = guest.typed.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Somebody leaves.
    pub(crate) fn leave(&self, seat: &str) {
        self.part(&mut self.inner(), seat);
    }

    /// The same, if it is theirs to leave.
    pub(crate) fn leave_as(&self, seat: &str, person: PersonId) {
        let mut inner = self.inner();
        if inner.guests.get(seat).is_some_and(|guest| guest.person == person) {
            self.part(&mut inner, seat);
        }
    }

    fn part(&self, inner: &mut Inner, seat: &str) {
        if let Some(Guest { person, name, typed, .. }) = inner.guests.remove(seat) {
            let _ = self.says.send(News::Left { person, name, typed });
        }
    }

    /// The session is over, for them too.
    pub fn end(&self) {
        let mut inner = self.inner();
        inner.over = true;
        let all: Vec<String> = inner.guests.keys().cloned().collect();
        all.iter().for_each(|seat| self.part(&mut inner, seat));
    }

    /// What is left to be said once the session is over.
    pub fn last(&self) -> Vec<News> {
        self.end();
        let mut out = Vec::new();
        if let Ok(mut news) = self.news.try_lock() {
            while let Ok(one) = news.try_recv() {
                out.push(one);
            }
        }
        out
    }

    /// Waits for what is to be said next.
    pub async fn news(&self) -> News {
        match self.news.lock().await.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    /// Waits for what somebody types next.
    pub async fn typed(&self) -> Typed {
        match self.typed.lock().await.recv().await {
            Some(typed) => typed,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;
    use wane_domain::time::Time;

    use super::*;

    fn person(n: u8) -> PersonId {
        PersonId::mint(Time::from_micros(1), &[n; 10])
    }

    fn terminal(company: &Company, channel: u32) {
        let size = Size { columns: 80, rows: 24 };
        company.sees(&Event::Terminal { channel, size, name: "xterm".into() });
    }

    fn says(company: &Company, text: &str) {
        company.sees(&Event::Data { channel: 0, from: Side::Target, bytes: text.as_bytes().into() });
    }

    #[test]
    fn who_joins_sees_what_was_there_and_what_comes() {
        let company = Company::default();
        let join = |seat: &str| company.enter(seat.to_owned(), person(1), "ada".to_owned());
        assert_eq!(join("a").err(), Some(NoPlace::NoTerminal));
        terminal(&company, 0);
        says(&company, "before");
        company.sees(&Event::Data { channel: 1, from: Side::Target, bytes: b"elsewhere".as_slice().into() });
        company.sees(&Event::Data { channel: 0, from: Side::Client, bytes: b"secret".as_slice().into() });
        let mut hears = join("a").unwrap();
        says(&company, "after");
        let output = |text: &str| Seen::Output(Arc::from(text.as_bytes()));
        let seen: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok()).collect();
        assert_eq!(seen, [Seen::Size(80, 24), output("before"), output("after")]);
        // What is typed is theirs to type, and nobody else's under their number.
        assert_eq!(company.type_in("a", person(2), b"x"), Err(NotTyped::NotThere));
        assert_eq!(company.type_in("b", person(1), b"x"), Err(NotTyped::NotThere));
        assert_eq!(company.type_in("a", person(1), b"id\r"), Ok(()));
        company.end();
        assert_eq!(company.type_in("a", person(1), b"x"), Err(NotTyped::NotThere), "it is over");
        assert_eq!(join("c").err(), Some(NoPlace::Over));
        let left = News::Left { person: person(1), name: "ada".to_owned(), typed: 3 };
        assert_eq!(company.last(), [News::Came { name: "ada".to_owned() }, left]);
    }

    #[test]
    fn who_is_slow_is_out_and_the_session_goes_on() {
        let company = Company::default();
        terminal(&company, 0);
        let mut slow = company.enter("slow".to_owned(), person(1), "ada".to_owned()).unwrap();
        let mut quick = company.enter("quick".to_owned(), person(2), "dan".to_owned()).unwrap();
        for _ in 0..MOST_WAIT * 2 {
            says(&company, "x");
            while quick.try_recv().is_ok() {}
        }
        let taken = std::iter::from_fn(|| slow.try_recv().ok()).count();
        assert_eq!((taken, slow.is_closed()), (MOST_WAIT, true));
        says(&company, "on");
        assert!(quick.try_recv().is_ok(), "which is nobody else's trouble");
        // Input that the target does not take is refused, and nothing waits for it.
        let typed = (0..MOST_TYPED * 2).filter(|_| company.type_in("quick", person(2), b"y").is_ok()).count();
        assert_eq!(typed, MOST_TYPED);
        for n in 3..=9 {
            assert!(company.enter(format!("{n}"), person(n), "eve".to_owned()).is_ok(), "{n}");
        }
        assert_eq!(company.has_place(), Err(NoPlace::Full));
    }

    #[test]
    fn a_terminal_that_closes_takes_those_who_see_it_along_and_nobody_else() {
        let company = Company::default();
        let joins = |seat: &str, n| company.enter(seat.to_owned(), person(n), "ada".to_owned()).unwrap();
        terminal(&company, 1);
        let stays = joins("a", 1);
        terminal(&company, 0);
        let goes = joins("b", 2);
        company.sees(&Event::Closed { channel: 0 });
        assert_eq!((stays.is_closed(), goes.is_closed()), (false, true));
    }

    #[test]
    fn who_joined_is_let_leave_by_nobody_else() {
        let company = Company::default();
        terminal(&company, 0);
        let hears = company.enter("a".to_owned(), person(1), "ada".to_owned()).unwrap();
        for (leaves, is_out) in [(2, false), (1, true)] {
            company.leave_as("a", person(leaves));
            assert_eq!(hears.is_closed(), is_out, "{leaves}");
        }
    }
}
