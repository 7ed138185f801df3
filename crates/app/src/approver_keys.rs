//! Keys that people sign approvals with: entered under a fresh proof of identity, taken away at once.
//!
//! INVARIANT: a key is one person's for good, and what it approved is void from the moment it is taken away, but for
//! what was begun before (held by `a_key_that_is_taken_away_voids_what_was_not_begun`).

use serde_json::json;
use wane_approval::is_same;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::approval::{ApproverKey, KeyMaterial, Removed};
use wane_domain::id::{ApproverKeyId, PersonId, WayId};
use wane_domain::proved::is_phishing_resistant;
use wane_domain::request::{Item, ItemEvent};
use wane_domain::text::Line;
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::point;
use wane_policy::schema::Action;
use wane_store::{Put, RequestFilter, Slice, Way, Write};

use crate::caller::Caller;
use crate::change::{Change, about_request};
use crate::error::AppError;
use crate::{App, decide};

/// How fresh a proof has to be for a new key.
const FRESH: Span = Span::from_mins(10);
/// Keys of one person.
const MOST_KEYS: usize = 16;

impl App {
    /// Somebody's keys, oldest first; one's own without leave.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such person.
    pub async fn approver_keys(&self, caller: &Caller, name: &str) -> Result<Vec<ApproverKey>, AppError> {
        let world = self.world().await?;
        if caller.name.as_str() != name {
            self.allow(caller, &world, Action::ReadDirectory)?;
        }
        let person = world.person(name).ok_or_else(|| AppError::missing("person", name))?.id;
        Ok(keys_of(&world, person))
    }

    /// Enters an SSH key of the caller's.
    ///
    /// # Errors
    /// When the caller's last proof of identity is not fresh, or the key is none that is taken, or is there.
    pub async fn add_ssh_approver_key(
        &self,
        caller: &Caller,
        name: &Line,
        public: &str,
    ) -> Result<ApproverKey, AppError> {
        let material = wane_approval::ssh_key(public).map_err(|e| AppError::invalid("public_key", e))?;
        self.add_approver_key(caller, name, &material).await
    }

    /// Enters a passkey of the caller's, which they sign in with already.
    ///
    /// # Errors
    /// When the caller did not just prove who they are by what cannot be phished, or there is no such passkey.
    pub async fn add_passkey_approver_key(
        &self,
        caller: &Caller,
        name: Option<&Line>,
        way: WayId,
    ) -> Result<ApproverKey, AppError> {
        if !is_phishing_resistant(&caller.proof) {
            let why = "sign in with a passkey first: only then may one of yours approve";
            return Err(AppError::invalid("proof", why));
        }
        let ways = self.store.ways_in(caller.person).await?;
        let way = ways.into_iter().map(|way| way.value).find(|found| found.id == way);
        let way = way.ok_or_else(|| AppError::missing("passkey", "of yours"))?;
        let Way::Passkey { credential } = &way.what else {
            return Err(AppError::invalid("passkey", "that way to sign in is no passkey"));
        };
        let material = self.passkey_material(credential)?;
        self.add_approver_key(caller, name.unwrap_or(&way.name), &material).await
    }

    /// A passkey as what approves here.
    pub(crate) fn passkey_material(&self, credential: &serde_json::Value) -> Result<KeyMaterial, AppError> {
        let none = || AppError::Taken("passkeys need a `server.public_url` with a name, over https".to_owned());
        let origin = self.webauthn.as_ref().and_then(|w| w.get_allowed_origins().first()).ok_or_else(none)?;
        let rp = origin.domain().ok_or_else(none)?;
        let origin_text = origin.origin().ascii_serialization();
        wane_approval::passkey(credential, rp, &origin_text).map_err(|e| AppError::Fault(e.to_string()))
    }

    async fn add_approver_key(
        &self,
        caller: &Caller,
        name: &Line,
        material: &KeyMaterial,
    ) -> Result<ApproverKey, AppError> {
        decide!(async {
            let (world, now) = (self.world().await?, self.steady_now().await?);
            if caller.is_by_credential() || caller.proof_age(now) > FRESH {
                let why = format!("prove your identity again first (`wane prove`): the last proof may be {FRESH} old");
                return Err(AppError::invalid("proof", why));
            }
            if !world.is_active(caller.person) {
                return Err(AppError::SignedOut);
            }
            let same = |key: &&ApproverKey| is_same(&key.material, material);
            let twin = world.approver_keys.values().filter(same).find(|k| k.person != caller.person || k.is_there());
            if let Some(twin) = twin {
                let whose = if twin.person == caller.person { "yours" } else { "somebody else's" };
                return Err(AppError::Taken(format!("that key is {whose} already (`{}`)", twin.id)));
            }
            if keys_of(&world, caller.person).iter().filter(|key| key.is_there()).count() >= MOST_KEYS {
                return Err(AppError::Taken(format!("you have {MOST_KEYS} keys; take one away first")));
            }
            let key = ApproverKey {
                id: self.ambient.id(),
                person: caller.person,
                name: name.clone(),
                material: material.clone(),
                since: now,
                proof: caller.proof.clone(),
                removed: None,
            };
            let mut change = self.change_at(Actor::Person(caller.person), &world, now);
            let shown = wane_approval::shown(material);
            let detail = json!({ "key": key.id, "name": name, "sort": shown.sort, "fingerprint": shown.fingerprint, "public": material, "proof": caller.proof });
            change.note("approver_key.added", Outcome::Done, about(caller.person), detail);
            change.write(Write::ApproverKey(Put::new(key.clone())));
            change.commit(point!("app.approver_key.add.commit")).await?;
            Ok(key)
        })
    }

    /// Takes a key away; what it approved and what was not begun yet has to be approved again.
    ///
    /// # Errors
    /// When it is neither the caller's nor theirs to manage, or is not there.
    pub async fn remove_approver_key(&self, caller: &Caller, id: ApproverKeyId) -> Result<(), AppError> {
        decide!(async {
            let world = self.world().await?;
            let missing = || AppError::missing("approver key", id);
            let key = world.approver_keys.get(&id).filter(|key| key.is_there()).ok_or_else(missing)?;
            if key.person != caller.person && !self.allows(caller, &world, Action::ManageDirectory)? {
                return Err(missing());
            }
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            self.remove_keys_in(&mut change, caller.person, std::slice::from_ref(key)).await?;
            change.commit(point!("app.approver_key.remove.commit")).await.map(|_| self.nudge())
        })
    }

    /// Takes keys away in a change, with what they approved and nobody used yet.
    pub(crate) async fn remove_keys_in(
        &self,
        change: &mut Change<'_>,
        by: PersonId,
        keys: &[ApproverKey],
    ) -> Result<(), AppError> {
        let removed = Removed { by, at: change.at() };
        for key in keys {
            let seen = self.store.seen(&key.id.to_string()).await?;
            let detail = json!({ "key": key.id, "name": key.name });
            change.note("approver_key.removed", Outcome::Done, about(key.person), detail);
            let value = ApproverKey { removed: Some(removed), ..key.clone() };
            change.write(Write::ApproverKey(Put { value, seen }));
        }
        if keys.is_empty() {
            return Ok(());
        }
        let signed = |item: &Item| keys.iter().flat_map(|key| item.signed_with(key.id)).map(|a| a.approver).collect();
        self.void_in(change, signed).await
    }

    /// Makes void what waits and these approved: of each item, the approvers of whom nothing counts any more.
    pub(crate) async fn void_in(
        &self,
        change: &mut Change<'_>,
        of: impl Fn(&Item) -> Vec<PersonId> + Send,
    ) -> Result<(), AppError> {
        let mut slice = Slice::first(200);
        loop {
            let page = self.store.requests(RequestFilter { person: None, waiting: Some(true) }, slice.clone()).await?;
            for seen in &page.items {
                let mut request = seen.value.clone();
                let mut voided = false;
                for index in crate::asked::waiting_items(&request, None) {
                    let item = request.items.get(index);
                    for approver in item.map(&of).unwrap_or_default() {
                        let (next, fact) = request.apply(index, ItemEvent::Void { approver }, change.at())?;
                        change.fact(about_request(&next, Some(index)), fact);
                        (request, voided) = (next, true);
                    }
                }
                if voided {
                    change.write(Write::Request(Put::over(seen, request)));
                }
            }
            match page.next {
                Some(next) => slice.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// A person's keys, oldest first.
pub(crate) fn keys_of(world: &World, person: PersonId) -> Vec<ApproverKey> {
    let mut keys: Vec<ApproverKey> = world.approver_keys.values().filter(|k| k.person == person).cloned().collect();
    keys.sort_by_key(|key| key.id);
    keys
}

/// The key that a statement was signed with, if what it signed counts: it is its approver's, and is there, or was
/// when what was approved was begun.
pub(crate) fn key_for(
    world: &World,
    id: ApproverKeyId,
    approver: PersonId,
    asked: Time,
    used: Option<Time>,
) -> Option<&ApproverKey> {
    let key = world.approver_keys.get(&id)?;
    (key.person == approver && key.counts_for(asked, used)).then_some(key)
}

fn about(person: PersonId) -> Subjects {
    Subjects { person: Some(person), ..Subjects::default() }
}
