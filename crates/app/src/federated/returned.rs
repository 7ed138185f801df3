//! A sign-in at a provider, from the button to the session.

use std::net::IpAddr;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::directory::{Group, Person, Standing};
use wane_domain::id::PersonId;
use wane_domain::proved::ProvedBy;
use wane_domain::text::{Line, Name};
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_failpoint::{around, point};
use wane_oidc::{Fresh, Identity};
use wane_store::{EnteredBy, Put, Versioned, Way, WayIn, Write, identity_key};

use super::{Federated, ProviderAnswer, ProviderRules, Strangers};
use crate::auth::SignedIn;
use crate::change::Change;
use crate::error::AppError;
use crate::{App, decide};

/// Somebody who came back from a provider.
#[derive(Debug)]
pub struct Returned {
    /// Their session.
    pub signed_in: SignedIn,
    /// The page they began on.
    pub then: String,
}

/// What is to become of an identity.
enum Whose {
    /// This person's.
    Known(Versioned<WayIn>),
    /// Somebody's who is entered now.
    New(Person),
}

impl App {
    /// Begins a sign-in at a provider: where the browser `browser` goes, and `then` is the page after it.
    ///
    /// # Errors
    /// When there is no such provider, it cannot be asked, or too many sign-ins are under way.
    pub async fn begin_at_provider(
        &self,
        name: &str,
        fresh: Freshness,
        (browser, from): (&str, Option<IpAddr>),
        then: String,
    ) -> Result<String, AppError> {
        let one = self.provider(name)?;
        let fresh = match fresh {
            Freshness::AsItIs => Fresh::Within(self.limits.session_max),
            Freshness::Again => Fresh::Required,
        };
        let (url, begun) = one.provider.begin(fresh, &self.ambient).await.map_err(|e| failed(one, &e.to_string()))?;
        let entry = (one.rules.name.clone(), begun);
        if self.begun.enter(entry, (browser, from), then, self.now()) {
            Ok(url.to_string())
        } else {
            Err(AppError::Crowded)
        }
    }

    /// Finishes a sign-in that was begun in this browser.
    ///
    /// # Errors
    /// When the answer is not to one that was begun there, the provider does not stand by it, or whoever it is
    /// may not come in.
    pub async fn finish_at_provider(
        &self,
        name: &str,
        answer: &ProviderAnswer,
        browser: &str,
    ) -> Result<Returned, AppError> {
        let one = self.provider(name)?;
        let state = answer.state.as_deref().unwrap_or_default();
        let Some(waiting) = self.begun.take(state, browser, &one.rules.name, self.now()) else {
            return Err(AppError::NotSignedIn(
                "this answer belongs to no sign-in that was begun in this browser in the last minutes".to_owned(),
            ));
        };
        let redeemed = one.provider.finish(waiting.begun, answer, self.now());
        let identity = match around(point!("app.federated.redeem"), redeemed).await {
            Ok(identity) => identity,
            Err(error) => {
                self.note_not_in(one, None, &error.to_string()).await?;
                return Err(failed(one, &error.to_string()));
            }
        };
        match decide!(self.let_in(one, &identity)) {
            Ok(signed_in) => {
                self.nudge();
                Ok(Returned { signed_in, then: waiting.then })
            }
            Err(error @ AppError::NotSignedIn(_)) => {
                self.note_not_in(one, Some(&identity), &error.to_string()).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Lets somebody in whose provider vouches for them, as whoever they are here.
    async fn let_in(&self, one: &Federated, identity: &Identity) -> Result<SignedIn, AppError> {
        let (world, now, rules) = (self.world().await?, self.now(), &one.rules);
        let whose = self.whose(&world, rules, identity, now).await?;
        let person = match &whose {
            Whose::Known(way) => world.people.get(&way.value.person).cloned().ok_or_else(|| not_in(rules, GONE))?,
            Whose::New(person) => person.clone(),
        };
        if person.standing != Standing::Active {
            return Err(not_in(rules, GONE));
        }
        let mut said = self.change_at(Actor::Person(person.id), &world, now);
        self.write_person(&mut said, rules, identity, (&whose, &person)).await?;
        let skipped = self.write_groups(&mut said, &world, rules, identity, person.id).await?;
        let by = ProvedBy::Provider {
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            session: identity.session.clone(),
            strength: rules.strength(&identity.claims),
        };
        // A provider that does not say when identity was shown: then it may have been any time.
        let proved = identity.proved.unwrap_or(now.minus(self.limits.session_max));
        let detail = json!({ "provider": rules.name, "subject": identity.subject, "not_kept": skipped });
        let signed_in = self.session_in(&mut said, person.id, (by, proved.min(now)), None, detail);
        said.commit(point!("app.federated.commit")).await?;
        if !skipped.is_empty() {
            tracing::warn!(provider = %rules.name, groups = ?skipped, "groups of the mapping are kept here or by another provider; they stay as they are");
        }
        Ok(signed_in)
    }

    async fn whose(
        &self,
        world: &World,
        rules: &ProviderRules,
        identity: &Identity,
        now: Time,
    ) -> Result<Whose, AppError> {
        if let Some(way) = self.store.way_in(&identity_key(&identity.issuer, &identity.subject)).await? {
            return Ok(Whose::Known(way));
        }
        let Strangers::Entered { name_claim } = &rules.strangers else {
            let why = format!(
                "nobody here is known by that; ask an administrator for `wane person identity add YOUR-NAME --provider {} --subject {}`",
                rules.name, identity.subject
            );
            return Err(not_in(rules, &why));
        };
        let said = identity.claims.text(name_claim).unwrap_or_default();
        // As it stands: to change a letter of it could make it somebody else's.
        let name: Name = said.parse().map_err(|_| {
            not_in(rules, &format!("its `{name_claim}` is no name that people have here: a-z, 0-9, `.`, `_` and `-`"))
        })?;
        if world.person(name.as_str()).is_some() {
            let why = format!(
                "there is a `{name}` here already, who may be somebody else; if it is you, ask an administrator for `wane person identity add {name} --provider {} --subject {}`",
                rules.name, identity.subject
            );
            return Err(not_in(rules, &why));
        }
        let display: Option<Line> = identity.claims.text(&rules.display_claim).and_then(|text| text.parse().ok());
        let display = match display {
            Some(display) => display,
            None => line(name.as_str())?,
        };
        Ok(Whose::New(Person {
            id: self.ambient.id(),
            name,
            display,
            manager: None,
            attributes: rules.facts(&identity.claims),
            standing: Standing::Active,
            since: now,
            stay: wane_domain::directory::Stay::default(),
            kept_by: None,
        }))
    }

    /// Enters who is new, and keeps who is known as their provider has them.
    async fn write_person(
        &self,
        change: &mut Change<'_>,
        rules: &ProviderRules,
        identity: &Identity,
        (whose, person): (&Whose, &Person),
    ) -> Result<(), AppError> {
        let now = change.at();
        match whose {
            Whose::New(person) => {
                change.note_of(
                    Actor::System,
                    "person.entered",
                    about(person.id),
                    by(rules, json!({ "person": person })),
                );
                change.write(Write::Person(Put::new(person.clone())));
                let way = WayIn {
                    id: self.ambient.id(),
                    key: identity_key(&identity.issuer, &identity.subject),
                    person: person.id,
                    name: line(rules.name.as_str())?,
                    at: now,
                    entered_by: EnteredBy::Settings,
                    used: Some(now),
                    what: Way::Identity { issuer: identity.issuer.clone(), subject: identity.subject.clone() },
                };
                let detail = json!({ "way": way.id, "issuer": identity.issuer, "subject": identity.subject });
                change.note_of(Actor::System, "identity.linked", about(person.id), by(rules, detail));
                change.write(Write::WayIn(Put::new(way)));
            }
            Whose::Known(way) => {
                let described = rules.described(person, &identity.claims);
                if described != *person {
                    let seen = self.seen(person.id).await?;
                    let detail = by(rules, json!({ "person": described }));
                    change.note_of(Actor::System, "person.changed", about(person.id), detail);
                    change.write(Write::Person(Put { value: described, seen }));
                }
                // Of one that is taken away at the same time, this finds nothing, and nobody comes in by it.
                change.write(Write::WayIn(Put::over(way, WayIn { used: Some(now), ..way.value.clone() })));
            }
        }
        Ok(())
    }

    /// Has somebody in those of the provider's groups that it says, and in no other of them. Groups that are not
    /// the provider's stay as they are, and are named.
    async fn write_groups(
        &self,
        change: &mut Change<'_>,
        world: &World,
        rules: &ProviderRules,
        identity: &Identity,
        person: PersonId,
    ) -> Result<Vec<Name>, AppError> {
        let theirs = rules.groups_of(&identity.claims);
        let mut skipped = Vec::new();
        for name in rules.all_groups() {
            let is_in = theirs.contains(name);
            let (mut group, seen) = match world.group(name.as_str()) {
                Some(group) if group.kept_by.as_ref() == Some(&rules.name) => {
                    (group.clone(), self.seen(group.id).await?)
                }
                Some(_) => {
                    skipped.push(name.clone());
                    continue;
                }
                None => (kept_group(self.ambient.id(), name, rules)?, wane_store::Seen::Nothing),
            };
            let changed = if is_in { group.members.insert(person) } else { group.members.remove(&person) };
            if changed {
                let detail = by(rules, json!({ "group": group }));
                change.note_of(Actor::System, "group.changed", about(person), detail);
                change.write(Write::Group(Put { value: group, seen }));
            }
        }
        Ok(skipped)
    }

    async fn note_not_in(&self, one: &Federated, who: Option<&Identity>, why: &str) -> Result<(), AppError> {
        let mut change = self.change(Actor::Unknown, self.now());
        let detail = json!({ "provider": one.rules.name, "subject": who.map(|who| &who.subject), "why": why });
        change.note("login.failed", Outcome::Denied, Subjects::default(), detail);
        change.commit(point!("app.federated.failed.commit")).await.map(|_| ())
    }
}

/// Whether somebody has to show their provider again who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is enough that the provider knows them.
    AsItIs,
    /// They have to.
    Again,
}

const GONE: &str = "whoever that is here may not sign in";

fn kept_group(id: wane_domain::id::GroupId, name: &Name, rules: &ProviderRules) -> Result<Group, AppError> {
    let description = line(&format!("kept by the provider {}", rules.name))?;
    let members = std::collections::BTreeSet::new();
    Ok(Group { id, name: name.clone(), description, members, kept_by: Some(rules.name.clone()) })
}

fn line(text: &str) -> Result<Line, AppError> {
    text.parse().map_err(|e: wane_domain::text::TextError| AppError::Fault(e.to_string()))
}

fn by(rules: &ProviderRules, mut detail: Value) -> Value {
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("provider".to_owned(), json!(rules.name));
    }
    detail
}

fn failed(one: &Federated, why: &str) -> AppError {
    not_in(&one.rules, why)
}

fn not_in(rules: &ProviderRules, why: &str) -> AppError {
    AppError::NotSignedIn(format!("signing in at {} came to nothing: {why}", rules.display))
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
