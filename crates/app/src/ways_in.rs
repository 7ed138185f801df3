//! The ways somebody comes in besides a password: identities at providers, passkeys. Entering, listing and
//! taking them away.

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::approval::ApproverKey;
use wane_domain::id::{PersonId, WayId};
use wane_domain::proved::ProvedBy;
use wane_domain::time::Time;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{EnteredBy, Put, Token, Versioned, Way, WayIn, Write, identity_key};

use crate::approver_keys::keys_of;
use crate::caller::Caller;
use crate::error::AppError;
use crate::{App, decide};

/// The longest identifier of somebody at a provider.
const LONGEST_SUBJECT: usize = 255;
/// Ways in of one person.
pub(crate) const MOST_WAYS: usize = 32;

/// A way in, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayShown {
    /// Which.
    pub id: WayId,
    /// What its person calls it.
    pub name: String,
    /// Since when.
    pub since: Time,
    /// When somebody last came in by it.
    pub used: Option<Time>,
    /// What it is.
    pub what: WayKind,
}

/// What a way in is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayKind {
    /// Who somebody is at a provider.
    Identity {
        /// What the provider is called here; its issuer once it is not in the settings any more.
        provider: String,
        /// Who they are there.
        subject: String,
    },
    /// A passkey.
    Passkey,
}

impl App {
    /// Somebody's ways in besides a password; one's own without leave.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such person.
    pub async fn ways_in(&self, caller: &Caller, name: &str) -> Result<Vec<WayShown>, AppError> {
        let world = self.world().await?;
        if caller.name.as_str() != name {
            self.allow(caller, &world, Action::ReadDirectory)?;
        }
        let person = world.person(name).ok_or_else(|| AppError::missing("person", name))?.id;
        Ok(self.store.ways_in(person).await?.iter().map(|way| self.way_shown(&way.value)).collect())
    }

    pub(crate) fn way_shown(&self, way: &WayIn) -> WayShown {
        let what = match &way.what {
            Way::Identity { issuer, subject } => {
                WayKind::Identity { provider: self.provider_named(issuer), subject: subject.clone() }
            }
            Way::Passkey { .. } => WayKind::Passkey,
        };
        WayShown { id: way.id, name: way.name.to_string(), since: way.at, used: way.used, what }
    }

    /// Says who a provider's identity is here. The one way, besides the settings, to make somebody somebody.
    ///
    /// # Errors
    /// When policy does not let the caller, there is no such person or provider, or the identity is somebody's.
    pub async fn link_identity(
        &self,
        caller: &Caller,
        name: &str,
        provider: &str,
        subject: &str,
    ) -> Result<WayShown, AppError> {
        let plain = (1..=LONGEST_SUBJECT).contains(&subject.len()) && !subject.chars().any(char::is_control);
        if !plain {
            return Err(AppError::invalid("subject", "write the provider's `sub` of this person: 1 to 255 characters"));
        }
        decide!(async {
            let world = self.world().await?;
            self.allow(caller, &world, Action::ManageDirectory)?;
            let issuer = match self.directory_issuer(provider) {
                Some(directory) => directory,
                None => self.provider(provider)?.provider.issuer().to_owned(),
            };
            let person = world.person(name).ok_or_else(|| AppError::missing("person", name))?.id;
            self.check_no_workload(&world, person)?;
            let key = identity_key(&issuer, subject);
            if let Some(taken) = self.store.way_in(&key).await? {
                let whose = world.people.get(&taken.value.person).map(|p| p.name.to_string()).unwrap_or_default();
                return Err(AppError::Taken(format!("that identity is `{whose}`'s already; take it away there first")));
            }
            if self.store.ways_in(person).await?.len() >= MOST_WAYS {
                return Err(AppError::Taken(format!("`{name}` has {MOST_WAYS} ways to sign in, which is the most")));
            }
            let now = self.now();
            let way = WayIn {
                id: self.ambient.id(),
                key,
                person,
                name: provider.parse().map_err(|e: wane_domain::text::TextError| AppError::invalid("provider", e))?,
                at: now,
                entered_by: EnteredBy::Person(caller.person),
                used: None,
                what: Way::Identity { issuer: issuer.clone(), subject: subject.to_owned() },
            };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            let detail = json!({ "way": way.id, "provider": provider, "issuer": issuer, "subject": subject });
            change.note("identity.linked", Outcome::Done, about(person), detail);
            change.write(Write::WayIn(Put::new(way.clone())));
            change.commit(point!("app.way_in.link.commit")).await?;
            Ok(self.way_shown(&way))
        })
    }

    /// Takes a way in away, with the sessions that were begun by it. One's own may go without leave, but for the
    /// last one.
    ///
    /// # Errors
    /// When policy does not let the caller, there is no such way, or it is the caller's last.
    pub async fn remove_way_in(&self, caller: &Caller, name: &str, id: WayId) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            let may_all = self.allows(caller, &world, Action::ManageDirectory)?;
            if caller.name.as_str() != name && !may_all {
                return Err(AppError::NotAllowed { what: Action::ManageDirectory.name() });
            }
            let person = world.person(name).ok_or_else(|| AppError::missing("person", name))?.id;
            let ways = self.store.ways_in(person).await?;
            let Some(way) = ways.iter().find(|way| way.value.id == id) else {
                return Err(AppError::missing("way to sign in", id));
            };
            if !may_all && matches!(way.value.what, Way::Identity { .. }) {
                return Err(AppError::NotAllowed { what: Action::ManageDirectory.name() });
            }
            let has_password = self.store.login(person).await?.is_some_and(|login| login.value.totp.is_some());
            if caller.person == person && ways.len() == 1 && !has_password {
                return Err(AppError::Taken(
                    "it is your last way to sign in; set up another first, or ask an administrator".to_owned(),
                ));
            }
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            let event = match way.value.what {
                Way::Identity { .. } => "identity.unlinked",
                Way::Passkey { .. } => "passkey.removed",
            };
            change.note(event, Outcome::Done, about(person), json!({ "way": id, "name": way.value.name }));
            change.write(Write::RemoveWayIn(id));
            if let Way::Passkey { credential } = &way.value.what
                && let Ok(material) = self.passkey_material(credential)
            {
                let is_it = |key: &ApproverKey| key.is_there() && wane_approval::is_same(&key.material, &material);
                let keys: Vec<ApproverKey> = keys_of(&world, person).into_iter().filter(is_it).collect();
                self.remove_keys_in(&mut change, caller.person, &keys).await?;
            }
            for token in self.store.tokens_of(person).await? {
                if Some(token.value.id) != caller.token && came_by(&token, &way.value.what) {
                    change.write(Write::RemoveToken(token.value.id));
                }
            }
            change.commit(point!("app.way_in.remove.commit")).await.map(|_| ())
        })
    }
}

/// Whether a session may have been begun by a way in. Which of several passkeys it was is not kept.
pub(crate) fn came_by(token: &Versioned<Token>, what: &Way) -> bool {
    match (&token.value.by, what) {
        (ProvedBy::Provider { issuer, subject, .. }, Way::Identity { issuer: at, subject: who }) => {
            issuer == at && subject == who
        }
        (ProvedBy::Passkey, Way::Passkey { .. }) => true,
        (
            ProvedBy::Provider { .. }
            | ProvedBy::Passkey
            | ProvedBy::PasswordAndCode
            | ProvedBy::RecoveryCode
            | ProvedBy::Job,
            Way::Identity { .. } | Way::Passkey { .. },
        ) => false,
    }
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
