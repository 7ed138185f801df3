//! One account: looked up, made or woken, put to sleep or deleted, and read back.
//!
//! INVARIANT: an account that was active before is left as it is, and one that was there at all is never deleted (held by
//! `what_was_there_before_is_never_deleted`).
//!
//! INVARIANT: an account that somebody else made under the name meanwhile is not given, not put to sleep and not deleted (held by
//! `what_somebody_else_makes_meanwhile_is_theirs`).

use serde_json::{Value, json};
use wane_connector::{Created, EndOutcome, Handed, Prepared, Presence};
use wane_domain::directory::Person;
use wane_domain::lease::{LeaseData, LeaseState};
use wane_failpoint::{around, point};

use crate::application::{Application, Change, Fail, Sort};
use crate::notes::{Before, Notes};
use crate::resource::Resource;
use crate::role::AtEnd;
use crate::settings::{Settings, USER_NAME};
use crate::who;

/// By which it is told later that Wane made an account.
const MARK: &str = "externalId";
const DISPLAY: &str = "displayName";
const TRIES: u32 = 8;
/// So often an account is put to sleep only as it was read. After that, who changes it all the time keeps nobody awake.
const CAREFUL_TRIES: u32 = 4;

/// An account, as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account<'a> {
    pub(crate) user_name: &'a str,
    pub(crate) id: Option<&'a str>,
    pub(crate) before: Before,
    pub(crate) at_end: AtEnd,
    pub(crate) mark: &'a str,
    /// What it is made of.
    pub(crate) body: &'a Value,
}

impl Account<'_> {
    /// Whether it goes: only what was not there before does, and only what says that Wane made it.
    fn is_to_go(&self, found: &Resource) -> bool {
        self.at_end == AtEnd::Deleted && self.before == Before::Nothing && self.is_marked(found)
    }

    /// Whether Wane made it, by its own word.
    fn is_marked(&self, found: &Resource) -> bool {
        !self.mark.is_empty() && found.text(MARK) == Some(self.mark)
    }

    /// Whether Wane may have made what has the name. Of an application that keeps no mark it has to look like it.
    fn may_be_ours(&self, found: &Resource) -> bool {
        match found.text(MARK).filter(|mark| !mark.is_empty()) {
            Some(_) => self.is_marked(found),
            None => found.text(DISPLAY).is_some_and(|is| self.body.get(DISPLAY).and_then(Value::as_str) == Some(is)),
        }
    }
}

/// What has the name of an account whose id is not known, or is the account.
enum Located {
    Nothing,
    /// Somebody else made it.
    Theirs(Resource),
    Ours(Resource),
}

/// Whose account is meant, and whether it is there.
pub(crate) async fn prepare(
    app: &Application,
    settings: &Settings,
    at_end: AtEnd,
    holder: &Person,
) -> Result<Prepared, Fail> {
    if settings.accounts.is_none() {
        return Err(Fail::refused("the resource's settings do not let accounts be given (`accounts`)"));
    }
    let user_name = who::value_of(&settings.people, holder)?;
    let found = who::account(app, USER_NAME, user_name).await?;
    let before = match &found {
        None => Before::Nothing,
        Some(found) if found.is_awake() => Before::Awake,
        Some(_) => Before::Asleep,
    };
    let mark = holder.id.to_string();
    let body = if before == Before::Nothing { body(settings, user_name, holder, &mark) } else { Value::Null };
    let id = found.map(|found| found.id);
    let notes = Notes::Account { user_name: user_name.to_owned(), id, before, at_end, mark, body };
    Ok(Prepared {
        object: format!("account/{user_name}"),
        notes: notes.json()?,
        there: (before == Before::Awake)
            .then(|| format!("the account `{user_name}` was active, seen at {}", app.name())),
    })
}

/// The account as it is now: by its id once that is known.
async fn locate(app: &Application, account: Account<'_>, is_ours: impl Fn(&Resource) -> bool) -> Result<Located, Fail> {
    if let Some(id) = account.id {
        return Ok(app.get(Sort::User, id).await?.map_or(Located::Nothing, Located::Ours));
    }
    let found = who::account(app, USER_NAME, account.user_name).await?;
    Ok(match found {
        None => Located::Nothing,
        Some(found) if is_ours(&found) => Located::Ours(found),
        Some(found) => Located::Theirs(found),
    })
}

/// What an account is made of.
fn body(settings: &Settings, user_name: &str, holder: &Person, mark: &str) -> Value {
    let mut body = json!({
        "userName": user_name,
        MARK: mark,
        DISPLAY: holder.display.as_str(),
        "name": { "formatted": holder.display.as_str() },
        "active": true,
    });
    let named = settings.accounts.as_ref().and_then(|accounts| accounts.email.as_ref());
    if let (Some(email), Some(map)) = (named.and_then(|named| who::attribute(named, holder)), body.as_object_mut()) {
        map.insert("emails".to_owned(), json!([{ "value": email, "type": "work", "primary": true }]));
    }
    body
}

/// Makes or wakes the account of a lease, or finds that done.
pub(crate) async fn create(app: &Application, account: Account<'_>, lease: &LeaseData) -> Result<Created, Fail> {
    let Account { user_name, before, at_end, mark, body, .. } = account;
    let mut id = account.id.map(str::to_owned);
    for _ in 0..TRIES {
        let found = match locate(app, Account { id: id.as_deref(), ..account }, |found| account.is_marked(found))
            .await?
        {
            Located::Nothing => None,
            Located::Ours(found) => Some(found),
            Located::Theirs(found) => {
                return Err(Fail::refused(format!(
                    "somebody else has made the account `{user_name}` ({}) meanwhile; return the grant and ask anew",
                    found.id
                )));
            }
        };
        if let Some(found) = found.as_ref().filter(|found| found.is_awake()) {
            let notes = Notes::Account {
                user_name: user_name.to_owned(),
                id: Some(found.id.clone()),
                before,
                at_end,
                mark: mark.to_owned(),
                body: body.clone(),
            };
            return Ok(Created { object: lease.object.clone(), notes: notes.json()?, handed: handed(app, user_name) });
        }
        // INVARIANT: nothing is made or woken in the name of what was there before: it would stay (held by the kit).
        if lease.standing.is_some() {
            return Err(Fail::refused(format!(
                "the account `{user_name}` was active before this grant, and somebody has ended it since; return the grant and ask anew"
            )));
        }
        let done = match &found {
            // INVARIANT: an account that somebody put to sleep past Wane is not woken by asking once more (held by
            // `an_account_put_to_sleep_past_wane_is_taken_and_not_woken_again`).
            Some(_) if matches!(lease.state, LeaseState::Live { .. }) => {
                return Err(Fail::refused(format!(
                    "somebody put the account `{user_name}` to sleep since; return the grant and ask anew"
                )));
            }
            Some(asleep) => {
                let awake = Change::active(true);
                let waking = app.change(Sort::User, &asleep.id, asleep.version.as_deref(), &awake);
                around(point!("scim.account.wake"), waking).await
            }
            None if before != Before::Nothing || account.id.is_some() => {
                return Err(Fail::refused(format!(
                    "the account `{user_name}` is gone from the application; another of its name is not meant"
                )));
            }
            None => match around(point!("scim.account.make"), app.make(Sort::User, body.clone())).await {
                Ok(made) => {
                    id = Some(made.id);
                    Ok(())
                }
                Err(other) => Err(other),
            },
        };
        match done {
            // Somebody else was quicker; what counts is read back.
            Err(no) if no.is(409) || no.is(412) => {}
            other => other?,
        }
    }
    Err(Fail::refused(format!("read back, there is no active account `{user_name}`")))
}

fn handed(app: &Application, user_name: &str) -> Handed {
    Handed {
        public: json!({
            "account": user_name,
            "application": app.name(),
            "how": "sign in to the application as you usually do; this is no password",
        }),
        secret: None,
        not_after: None,
    }
}

/// Ends the account of a lease: nobody gets in by it, then it goes if it is to go; and reads back. `nothing` is what it comes to
/// that there is nothing to be ended.
pub(crate) async fn end(app: &Application, account: Account<'_>, nothing: EndOutcome) -> Result<EndOutcome, Fail> {
    let mut ended = nothing;
    for tried in 0..TRIES {
        let found = match locate(app, account, |found| account.may_be_ours(found)).await? {
            Located::Nothing => return Ok(ended),
            // Nor can another of the name come.
            Located::Theirs(_) => return Ok(EndOutcome::Done),
            Located::Ours(found) => found,
        };
        let done = match (found.is_awake(), account.is_to_go(&found)) {
            (true, _) => {
                let asleep = Change::active(false);
                let version = found.version.as_deref().filter(|_| tried < CAREFUL_TRIES);
                around(point!("scim.account.sleep"), app.change(Sort::User, &found.id, version, &asleep)).await
            }
            (false, true) => around(point!("scim.account.delete"), app.delete(Sort::User, &found)).await,
            (false, false) => return Ok(ended),
        };
        match done {
            Err(no) if no.is(412) || no.is(404) => {}
            other => {
                other?;
                ended = EndOutcome::Done;
            }
        }
    }
    Ok(EndOutcome::Retry { why: format!("read back, the account `{}` is still as it was", account.user_name) })
}

/// Whether an account is there, which one is by which somebody gets in. While its lease lives it is taken once nobody does; after
/// that it is gone once it is, if it is to go.
pub(crate) async fn read_back(app: &Application, account: Account<'_>, lease: &LeaseData) -> Result<Presence, Fail> {
    let (at, user_name) = (app.name(), account.user_name);
    let is_live = matches!(lease.state, LeaseState::Live { .. });
    Ok(match locate(app, account, |found| account.may_be_ours(found)).await? {
        Located::Nothing => Presence::Absent { proof: format!("{at}: there is no account `{user_name}`") },
        Located::Theirs(found) => Presence::Absent {
            proof: format!("{at}: the account `{user_name}` ({}) is somebody else's, and there is no other", found.id),
        },
        Located::Ours(found) if found.is_awake() => {
            Presence::Present { seen: format!("{at}: the account `{user_name}` ({}) is active", found.id) }
        }
        Located::Ours(found) if account.is_to_go(&found) && !is_live => Presence::Present {
            seen: format!("{at}: the account `{user_name}` ({}) is not active, and there still", found.id),
        },
        Located::Ours(found) => {
            Presence::Absent { proof: format!("{at}: the account `{user_name}` ({}) is not active", found.id) }
        }
    })
}
