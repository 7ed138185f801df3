//! A directory that tells of its changes: each is judged as it comes. At its interval it is read as well, like one that
//! does not tell.
//!
//! INVARIANT: what is told by notice is held back, and is silent, like what is read (held by
//! `what_is_told_by_notice_is_not_believed_blindly`).

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use wane_domain::text::Name;
use wane_failpoint::{around, point};
use wane_ldap::{Fail, Listening, Notice, Offer, Scope, Session, Watched, code};

use super::image::{Image, MOST_PEOPLE, Members};
use super::plan::Loss;
use super::{Hears, PullRules, PulledDirectory, read};
use crate::App;
use crate::error::AppError;

/// How long a server may take until it tells the next of all there is.
const QUIET: Duration = Duration::from_secs(30);
/// For so long notices are gathered that come together, so that many changes at once are judged once.
const GATHER: Duration = Duration::from_millis(200);

/// What came of following a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// It was read, and is to be read again at its interval.
    Read,
    /// It was listened to until it was gone: soon again.
    Lost,
    /// It could not be reached: later each time.
    Silent,
}

impl App {
    /// Follows a directory: listens to it for as long as it tells of its changes, or reads it once if it does not. One
    /// that cannot be reached changes nothing.
    ///
    /// # Errors
    /// When there is no such directory or the store cannot be used.
    pub async fn follow_directory(&self, name: &Name, every: Duration) -> Result<Followed, AppError> {
        let directory = self.pulled_directory(name.as_str()).ok_or_else(|| AppError::missing("directory", name))?;
        // Known before it is asked, so that nothing new begins for its people if it stays silent.
        let kept = self.kept_people(directory).await?;
        self.state_of(name, |state| state.kept = kept.values().map(|p| p.id).collect());
        match self.hear(directory, every).await {
            Ok(followed) => Ok(followed),
            Err(Heard::Store(error)) => Err(error),
            Err(Heard::Silent(fail)) => {
                tracing::warn!(directory = %name, %fail, "a directory cannot be read; nothing changes");
                let mut heard = None;
                self.state_of(name, |state| {
                    state.silent = Some(fail.to_string());
                    heard = state.hears.take();
                });
                Ok(if heard == Some(Hears::AtOnce) { Followed::Lost } else { Followed::Silent })
            }
        }
    }

    async fn hear(&self, directory: &PulledDirectory, every: Duration) -> Result<Followed, Heard> {
        let (rules, now) = (&directory.rules, self.now());
        let session = around(point!("app.pulled.read"), directory.open(now)).await?;
        let mut session = match session.listen(&watched(rules)).await? {
            Offer::No(session) => session,
            Offer::Listening(listening) => match self.listen(directory, *listening, every).await {
                // It says that it tells of changes, and not of these.
                Err(Heard::Silent(fail)) if fail.is(code::NO_EXTENSION) => directory.open(now).await?,
                Err(other) => return Err(other),
                Ok(never) => match never {},
            },
        };
        let image = read::read(&mut session, rules).await?;
        self.state_of(&rules.name, |state| state.hears = Some(Hears::AtIntervals));
        self.take_word(directory, image.word(rules), now, &mut Loss::default()).await?;
        Ok(Followed::Read)
    }

    async fn listen(
        &self,
        directory: &PulledDirectory,
        mut listening: Listening,
        every: Duration,
    ) -> Result<std::convert::Infallible, Heard> {
        let rules = &directory.rules;
        let (mut image, mut changed) = (Image::default(), BTreeSet::new());
        loop {
            match listening.next(QUIET).await? {
                Some(Notice::Whole) => break,
                Some(notice) => take(rules, &mut image, &mut changed, notice, &mut listening).await?,
                None => return Err(Fail::Unreachable("it does not tell all there is".to_owned()).into()),
            }
        }
        read::disabled(listening.session(), rules, &mut image).await?;
        self.state_of(&rules.name, |state| state.hears = Some(Hears::AtOnce));
        let mut loss = Loss::default();
        self.take_word(directory, image.word(rules), self.now(), &mut loss).await?;
        let mut looked = Instant::now();
        loop {
            changed.clear();
            let mut next = listening.next(every.saturating_sub(looked.elapsed())).await?;
            let until = Instant::now() + GATHER;
            while let Some(notice) = next {
                take(rules, &mut image, &mut changed, notice, &mut listening).await?;
                next = listening.next(until.saturating_duration_since(Instant::now())).await?;
            }
            if looked.elapsed() >= every {
                // What was not told, for whatever reason, is seen no later than where nothing is told.
                image = read::read(listening.session(), rules).await?;
                (looked, loss) = (Instant::now(), Loss::default());
            }
            if let Some(also) = &rules.disabled_filter {
                for id in &changed {
                    let Some(dn) = image.dn(id).map(str::to_owned) else { continue };
                    let found = listening.session().few(&dn, Scope::Base, also, &["objectClass"]).await;
                    if is_meant(found)? {
                        image.disable(id);
                    }
                }
            }
            self.take_word(directory, image.word(rules), self.now(), &mut loss).await?;
        }
    }
}

/// Whether a filter means an entry; one that is gone since it was told of it does not.
fn is_meant<T>(found: Result<Vec<T>, Fail>) -> Result<bool, Fail> {
    match found {
        Err(no) if no.is(code::NO_SUCH_OBJECT) => Ok(false),
        found => Ok(!found?.is_empty()),
    }
}

/// The searches whose results are people and members: the people first, then each group.
fn watched(rules: &PullRules) -> Vec<Watched> {
    let people = Watched {
        base: rules.people_base.clone(),
        scope: Scope::Subtree,
        filter: rules.people_filter.clone(),
        attributes: read::of_people(rules).into_iter().map(str::to_owned).collect(),
    };
    let group = |dn: &String| Watched {
        base: dn.clone(),
        scope: Scope::Base,
        filter: "(objectClass=*)".to_owned(),
        attributes: vec![rules.member_attribute.clone(), "objectSid".to_owned()],
    };
    std::iter::once(people).chain(rules.groups.keys().map(group)).collect()
}

/// Moves the image along.
async fn take(
    rules: &PullRules,
    image: &mut Image,
    changed: &mut BTreeSet<String>,
    notice: Notice,
    listening: &mut Listening,
) -> Result<(), Fail> {
    let group = |number: usize| number.checked_sub(1).and_then(|at| rules.groups.keys().nth(at));
    match notice {
        Notice::There(0, entry) => {
            image.person(rules, &entry);
            changed.extend(entry.id().map(|id| id.to_string()));
            if image.len() > MOST_PEOPLE {
                return Err(Fail::refused(format!("it has more than {MOST_PEOPLE} people")));
            }
        }
        Notice::There(number, entry) => {
            let Some(dn) = group(number) else { return Ok(()) };
            let members = match entry.next_range(&rules.member_attribute) {
                Some(_) => read::members(listening.session(), rules, dn).await?,
                None => Some(Members::of(&entry, entry.texts(&rules.member_attribute).map(str::to_owned).collect())),
            };
            image.group(dn, members);
        }
        Notice::Gone(0, id) => image.gone(&id.to_string()),
        // One of that name may come again, of which a search that began before is not told by every server.
        Notice::Gone(..) => return Err(Fail::Unreachable("a group of it is gone; it is read anew".to_owned())),
        Notice::Nothing(0) => {
            return Err(Fail::Refused {
                code: code::NO_SUCH_OBJECT,
                why: format!("there is no `{}`, or it is not to be seen", rules.people_base),
            });
        }
        Notice::Nothing(number) => {
            if let Some(dn) = group(number) {
                image.group(dn, None);
            }
        }
        Notice::Whole => {}
    }
    Ok(())
}

impl PulledDirectory {
    async fn open(&self, now: wane_domain::time::Time) -> Result<Session, Fail> {
        Session::open(&self.place, Some(&self.credential), now).await
    }
}

/// Why it went no further.
enum Heard {
    /// For the directory.
    Silent(Fail),
    /// For us.
    Store(AppError),
}

impl From<Fail> for Heard {
    fn from(fail: Fail) -> Self {
        Self::Silent(fail)
    }
}

impl From<AppError> for Heard {
    fn from(error: AppError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::rules;
    use super::*;

    /// By its number it is known what a notice is about.
    #[test]
    fn people_are_listened_to_first_and_then_each_group() {
        let groups = ["cn=ops", "cn=dba"].map(|dn| (dn.to_owned(), "ops".parse().unwrap())).into();
        let watched = watched(&PullRules { groups, ..rules() });
        let of: Vec<_> = watched.iter().map(|one| (one.base.as_str(), one.scope, one.filter.as_str())).collect();
        let group = |base| (base, Scope::Base, "(objectClass=*)");
        assert_eq!(of, [("ou=people", Scope::Subtree, "(uid=*)"), group("cn=dba"), group("cn=ops")]);
        for (number, attribute) in [(0, "uid"), (1, "member"), (2, "member")] {
            assert!(watched[number].attributes.iter().any(|one| one == attribute), "{number}: {watched:?}");
        }
    }

    #[test]
    fn one_that_is_gone_when_it_is_looked_at_ends_no_listening() {
        assert_eq!(is_meant(Ok(vec![()])), Ok(true));
        assert_eq!(is_meant(Ok(Vec::<()>::new())), Ok(false));
        let says = |code| Fail::Refused { code, why: String::new() };
        assert_eq!(is_meant::<()>(Err(says(code::NO_SUCH_OBJECT))), Ok(false));
        for fail in [says(code::BUSY), Fail::Unreachable(String::new())] {
            assert_eq!(is_meant::<()>(Err(fail.clone())), Err(fail));
        }
    }
}
