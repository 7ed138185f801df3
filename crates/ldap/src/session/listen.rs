//! Notices of change (RFC 4533, `refreshAndPersist`): everything that is there first, then each change as it comes.
//!
//! Owns: what of a server's word is a notice. Every connection begins with all there is, so that no cookie has to be
//! kept and nothing is missed while nobody listened. Refuses to know: what follows from a notice.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use ldap3::asn1::PL;
use ldap3::controls::{
    ControlType, EntryState, MakeCritical as _, RefreshMode, SyncInfo, SyncRequest, SyncState, parse_syncinfo,
};
use ldap3::{ResultEntry, Scope, SearchEntry, SearchStream};

use super::{Fail, Session, failed, no_ldap, refused, wanted};
use crate::entry::{Entry, EntryId};
use crate::screen;

/// The control by which changes are asked for.
const OFFER: &str = "1.3.6.1.4.1.4203.1.9.1.1";
/// Searches that are listened to over one connection.
const MOST: usize = 200;

/// What is listened to.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Below which entry, or which.
    pub base: String,
    /// How far below.
    pub scope: Scope,
    /// Which entries there.
    pub filter: String,
    /// What of them.
    pub attributes: Vec<String>,
}

/// What a server tells whoever listens. The number is that of the search it is about.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An entry is there, as it is now.
    There(usize, Entry),
    /// An entry is there no more, or is no longer meant by the search.
    Gone(usize, EntryId),
    /// There is nothing that the search is about.
    Nothing(usize),
    /// All there was has been told, of every search: what follows are changes. Told once.
    Whole,
}

/// Whether a server tells of changes.
#[derive(Debug)]
pub enum Offer {
    /// It does, from now on.
    Listening(Box<Listening>),
    /// It does not, and may be read instead.
    No(Session),
}

/// A connection over which changes are told.
pub struct Listening {
    session: Session,
    searches: Vec<Search>,
    told: VecDeque<Notice>,
    whole: bool,
}

struct Search {
    stream: SearchStream<'static, String, Vec<String>>,
    whole: bool,
    over: bool,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Session {
    /// Asks to be told of changes, if the server offers that.
    ///
    /// # Errors
    /// When it answers in no other way than by an error.
    pub async fn listen(mut self, what: &[Watched]) -> Result<Offer, Fail> {
        let root = self.entry("", &["supportedControl"]).await?;
        let offers = root.is_some_and(|root| root.texts("supportedControl").any(|control| control == OFFER));
        if !offers || what.len() > MOST {
            return Ok(Offer::No(self));
        }
        let mut searches = Vec::with_capacity(what.len());
        for Watched { base, scope, filter, attributes } in what {
            let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
            let wanted = wanted(&attributes);
            let mut ldap = self.ldap.clone();
            let ask = SyncRequest { mode: RefreshMode::RefreshAndPersist, cookie: None, reload_hint: false };
            ldap.with_controls(vec![ask.critical().into()]);
            let asked = async move { ldap.streaming_search(base, *scope, filter, wanted).await };
            let stream = self.run(asked).await?;
            searches.push(Search { stream, whole: false, over: false });
        }
        let listening = Listening { session: self, searches, told: VecDeque::new(), whole: false };
        Ok(Offer::Listening(Box::new(listening)))
    }
}

impl Listening {
    /// The connection, for whatever else is to be asked.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The next notice; nothing if none comes for so long.
    ///
    /// # Errors
    /// When the server says no, or says what is no notice, or is gone.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Notice>, Fail> {
        loop {
            if let Some(notice) = self.told.pop_front() {
                return Ok(Some(notice));
            }
            if !self.whole && self.searches.iter().all(|search| search.whole) {
                self.whole = true;
                return Ok(Some(Notice::Whole));
            }
            let Ok(item) = tokio::time::timeout(patience, self.item()).await else { return Ok(None) };
            let (number, item) = item?;
            match item {
                Some(item) => self.read(number, item)?,
                None => self.ended(number).await?,
            }
        }
    }

    /// The next thing any of the searches is told, while the connection is driven. What came is taken before more is
    /// read, so that a server that talks faster than it is listened to waits.
    async fn item(&mut self) -> Result<(usize, Option<ResultEntry>), Fail> {
        let Self { session, searches, .. } = self;
        if let Some(over) = &session.over {
            return Err(Fail::Unreachable(over.clone()));
        }
        let next = poll_fn(|context| {
            for (number, search) in searches.iter_mut().enumerate().filter(|(_, search)| !search.over) {
                // What it waits for is a queue, which loses nothing when nobody waits any more.
                if let Poll::Ready(item) = pin!(search.stream.next()).poll(context) {
                    return Poll::Ready((number, item));
                }
            }
            Poll::Pending
        });
        tokio::select! {
            biased;
            item = AssertUnwindSafe(next).catch_unwind() => match item {
                Ok((number, item)) => Ok((number, item.map_err(failed)?)),
                Err(_) => {
                    session.over = Some(no_ldap().to_string());
                    Err(no_ldap())
                }
            },
            over = &mut session.driver => {
                session.over = Some(over.clone());
                Err(Fail::Unreachable(over))
            }
        }
    }

    /// A search that came to its end: there was nothing to search, or the server has had enough.
    async fn ended(&mut self, number: usize) -> Result<(), Fail> {
        let Some(search) = self.searches.get_mut(number) else { return Ok(()) };
        let answer = search.stream.finish().await;
        search.over = true;
        match answer.rc {
            super::code::NO_SUCH_OBJECT if !search.whole => {
                search.whole = true;
                self.told.push_back(Notice::Nothing(number));
                Ok(())
            }
            0 => Err(Fail::Unreachable("the server tells of no more changes".to_owned())),
            _ => Err(refused(&answer)),
        }
    }

    fn read(&mut self, number: usize, item: ResultEntry) -> Result<(), Fail> {
        let (notices, whole) = heard(number, item)?;
        self.told.extend(notices);
        if let Some(search) = self.searches.get_mut(number) {
            search.whole |= whole;
        }
        Ok(())
    }
}

/// Reads a message as the library does, which gives up by panicking.
fn heard(number: usize, item: ResultEntry) -> Result<(Vec<Notice>, bool), Fail> {
    std::panic::catch_unwind(AssertUnwindSafe(|| notices(number, item))).map_err(|_| no_ldap())?
}

/// The notices in one message, and whether it says that all there was has been told.
fn notices(number: usize, item: ResultEntry) -> Result<(Vec<Notice>, bool), Fail> {
    let gone = |uuid: &[u8]| EntryId::of_uuid(uuid).map(|id| Notice::Gone(number, id)).ok_or_else(no_ldap);
    if item.is_ref() {
        return Ok((Vec::new(), false));
    }
    if item.is_intermediate() {
        if !is_shallow(&item) {
            return Err(no_ldap());
        }
        return match parse_syncinfo(item) {
            SyncInfo::NewCookie(_) => Ok((Vec::new(), false)),
            SyncInfo::RefreshDelete { refresh_done, .. } | SyncInfo::RefreshPresent { refresh_done, .. } => {
                Ok((Vec::new(), refresh_done))
            }
            SyncInfo::SyncIdSet { refresh_deletes: false, .. } => Ok((Vec::new(), false)),
            SyncInfo::SyncIdSet { sync_uuids, .. } => {
                Ok((sync_uuids.iter().map(|uuid| gone(uuid)).collect::<Result<_, _>>()?, false))
            }
        };
    }
    let state = item.1.iter().find(|control| matches!(control.0, Some(ControlType::SyncState)));
    let raw = state.map(|control| &control.1).ok_or_else(no_ldap)?;
    if !raw.val.as_deref().is_some_and(screen::is_shallow) {
        return Err(no_ldap());
    }
    let state = raw.parse::<SyncState>();
    match state.state {
        // Without a cookie there is nothing that could be as it was told before.
        EntryState::Present => Ok((Vec::new(), false)),
        EntryState::Delete => Ok((vec![gone(&state.entry_uuid)?], false)),
        EntryState::Add | EntryState::Modify => {
            Ok((vec![Notice::There(number, Entry::of(SearchEntry::construct(item)))], false))
        }
    }
}

/// Whether what stands in an intermediate message as a plain value may be read.
fn is_shallow(item: &ResultEntry) -> bool {
    let PL::C(parts) = &item.0.payload else { return false };
    let value = parts.iter().find(|part| part.id == 1);
    value.is_some_and(|part| matches!(&part.payload, PL::P(bytes) if screen::is_shallow(bytes)))
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::{StructureTag, TagClass};
    use ldap3::controls::{Control, RawControl};

    use super::*;

    const UUID: [u8; 16] = *b"0123456789abcdef";

    fn part(id: u64, class: TagClass, bytes: &[u8]) -> StructureTag {
        StructureTag { id, class, payload: PL::P(bytes.to_vec()) }
    }

    fn whole(id: u64, parts: Vec<StructureTag>) -> StructureTag {
        StructureTag { id, class: TagClass::Application, payload: PL::C(parts) }
    }

    fn intermediate(value: &[u8]) -> ResultEntry {
        let oid = part(0, TagClass::Context, b"1.3.6.1.4.1.4203.1.9.1.4");
        ResultEntry::new(whole(25, vec![oid, part(1, TagClass::Context, value)]))
    }

    fn entry(state: Option<&[u8]>) -> ResultEntry {
        let attributes = StructureTag { id: 16, class: TagClass::Universal, payload: PL::C(Vec::new()) };
        let mut entry = ResultEntry::new(whole(4, vec![part(4, TagClass::Universal, b"uid=anna"), attributes]));
        let raw = |value: &[u8]| RawControl { ctype: String::new(), crit: false, val: Some(value.to_vec()) };
        entry.1.extend(state.map(|value| Control(Some(ControlType::SyncState), raw(value))));
        entry
    }

    fn state(word: u8) -> Vec<u8> {
        let mut value = vec![0x30, 21, 0x0a, 1, word, 0x04, 16];
        value.extend(UUID);
        value
    }

    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = vec![0x05, 0x00];
        for _ in 0..depth {
            let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
            bytes = [&[0x30, 0x84][..], &length, &bytes].concat();
        }
        bytes
    }

    fn said(item: ResultEntry) -> Result<(Vec<String>, bool), Fail> {
        let (notices, whole) = heard(7, item)?;
        let word = |notice: &Notice| match notice {
            Notice::There(number, entry) => format!("{number} there {}", entry.dn),
            Notice::Gone(number, id) => format!("{number} gone {id}"),
            Notice::Nothing(number) => format!("{number} nothing"),
            Notice::Whole => "whole".to_owned(),
        };
        Ok((notices.iter().map(word).collect(), whole))
    }

    #[test]
    fn what_is_told_is_read() {
        let gone = "7 gone entryUUID=30313233-3435-3637-3839-616263646566".to_owned();
        let set = [&[0xa3, 23, 0x01, 1, 0xff, 0x31, 18, 0x04, 16][..], &UUID].concat();
        let present = [&[0xa3, 20, 0x31, 18, 0x04, 16][..], &UUID].concat();
        for (what, item, expected) in [
            ("an entry that came", entry(Some(&state(1))), (vec!["7 there uid=anna".to_owned()], false)),
            ("an entry that changed", entry(Some(&state(2))), (vec!["7 there uid=anna".to_owned()], false)),
            ("an entry that is as it was", entry(Some(&state(0))), (vec![], false)),
            ("an entry that is gone", entry(Some(&state(3))), (vec![gone.clone()], false)),
            ("a cookie", intermediate(b"\x80\x03abc"), (vec![], false)),
            ("the end of all there is", intermediate(b"\xa1\x00"), (vec![], true)),
            ("the end of all that is present", intermediate(b"\xa2\x00"), (vec![], true)),
            ("what is present, with more to come", intermediate(b"\xa2\x03\x01\x01\x00"), (vec![], false)),
            ("several that are gone", intermediate(&set), (vec![gone], false)),
            ("several that are present", intermediate(&present), (vec![], false)),
        ] {
            assert_eq!(said(item), Ok(expected), "{what}");
        }
    }

    #[test]
    fn what_is_no_notice_is_refused() {
        for (what, item) in [
            ("an entry without a word of what became of it", entry(None)),
            ("a word that there is none of", entry(Some(&state(9)))),
            ("a word that breaks off", entry(Some(&[0x30, 21, 0x0a]))),
            ("a word that is nested without end", entry(Some(&nested(20_000)))),
            ("an id that is too short", entry(Some(b"\x30\x08\x0a\x01\x03\x04\x03abc"))),
            ("a message that is nested without end", intermediate(&nested(20_000))),
            ("a message of another sort", intermediate(b"\xa7\x00")),
            ("a message that breaks off", intermediate(b"\xa1\x09")),
            ("nothing at all", ResultEntry::new(whole(25, Vec::new()))),
        ] {
            assert!(matches!(said(item), Err(Fail::Unreachable(_))), "{what}");
        }
    }
}
