//! One account: looked up, made or woken, put to sleep or deleted, and read back.
//!
//! INVARIANT: an account that was active before is left as it is, and one that was there at all is never deleted (held by
//! `what_was_there_before_is_never_deleted`).

use serde_json::{Value, json};
use wane_connector::{Created, EndOutcome, Handed, Prepared, Presence};
use wane_domain::directory::Person;
use wane_domain::lease::LeaseData;
use wane_failpoint::{around, point};

use crate::application::{Application, Change, Fail, Sort};
use crate::notes::{Before, Notes};
use crate::resource::Resource;
use crate::role::AtEnd;
use crate::settings::{Settings, USER_NAME};
use crate::who;

const TRIES: u32 = 8;

/// An account, as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account<'a> {
    pub(crate) user_name: &'a str,
    pub(crate) id: Option<&'a str>,
    pub(crate) before: Before,
    pub(crate) at_end: AtEnd,
    /// What it is made of.
    pub(crate) body: &'a Value,
}

impl Account<'_> {
    /// Whether it goes: only what was not there before does.
    fn is_to_go(&self) -> bool {
        self.at_end == AtEnd::Deleted && self.before == Before::Nothing
    }
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
    let body = if before == Before::Nothing { body(settings, user_name, holder) } else { Value::Null };
    let id = found.map(|found| found.id);
    let notes = Notes::Account { user_name: user_name.to_owned(), id, before, at_end, body };
    Ok(Prepared {
        object: format!("account/{user_name}"),
        notes: notes.json()?,
        there: (before == Before::Awake)
            .then(|| format!("the account `{user_name}` was active, seen at {}", app.name())),
    })
}

/// The account as it is now: by its id once that is known.
async fn locate(app: &Application, account: Account<'_>) -> Result<Option<Resource>, Fail> {
    match account.id {
        Some(id) => app.get(Sort::User, id).await,
        None => who::account(app, USER_NAME, account.user_name).await,
    }
}

/// What an account is made of.
fn body(settings: &Settings, user_name: &str, holder: &Person) -> Value {
    let mut body = json!({
        "userName": user_name,
        // By which it is told later that Wane made it.
        "externalId": holder.id.to_string(),
        "displayName": holder.display.as_str(),
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
    let Account { user_name, before, at_end, body, .. } = account;
    let mut id = account.id.map(str::to_owned);
    for _ in 0..TRIES {
        let found = locate(app, Account { id: id.as_deref(), ..account }).await?;
        if let Some(found) = found.as_ref().filter(|found| found.is_awake()) {
            let notes = Notes::Account {
                user_name: user_name.to_owned(),
                id: Some(found.id.clone()),
                before,
                at_end,
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
            Some(asleep) => {
                let awake = Change::active(true);
                around(point!("scim.account.wake"), app.change(Sort::User, asleep, &awake)).await
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

/// Ends the account of a lease: nobody gets in by it, then it goes if it is to go; and reads back.
pub(crate) async fn end(app: &Application, account: Account<'_>) -> Result<EndOutcome, Fail> {
    for _ in 0..TRIES {
        let Some(found) = locate(app, account).await? else { return Ok(EndOutcome::Done) };
        let done = match (found.is_awake(), account.is_to_go()) {
            (true, _) => {
                let asleep = Change::active(false);
                around(point!("scim.account.sleep"), app.change(Sort::User, &found, &asleep)).await
            }
            (false, true) => around(point!("scim.account.delete"), app.delete(Sort::User, &found)).await,
            (false, false) => return Ok(EndOutcome::Done),
        };
        match done {
            Err(no) if no.is(412) || no.is(404) => {}
            other => other?,
        }
    }
    Ok(EndOutcome::Retry { why: format!("read back, the account `{}` is still as it was", account.user_name) })
}

/// Whether an account is there, which one is by which somebody gets in.
pub(crate) async fn read_back(app: &Application, account: Account<'_>) -> Result<Presence, Fail> {
    let (at, user_name) = (app.name(), account.user_name);
    Ok(match locate(app, account).await? {
        None => Presence::Absent { proof: format!("{at}: there is no account `{user_name}`") },
        Some(found) if found.is_awake() => {
            Presence::Present { seen: format!("{at}: the account `{user_name}` ({}) is active", found.id) }
        }
        Some(found) if account.is_to_go() => Presence::Present {
            seen: format!("{at}: the account `{user_name}` ({}) is not active, and there still", found.id),
        },
        Some(found) => {
            Presence::Absent { proof: format!("{at}: the account `{user_name}` ({}) is not active", found.id) }
        }
    })
}
