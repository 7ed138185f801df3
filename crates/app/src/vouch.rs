//! Vouching for the key of an approver: what somebody is to sign, and that they signed it. Whether it counts says the
//! signer, which sees the signature itself: whoever holds this server alone makes no key count.

use serde_json::json;
use wane_approval::Counter;
use wane_audit::{Actor, Outcome, Subjects};
use wane_connector::Vouched;
use wane_domain::approval::{ApproverKey, Signature, Voucher};
use wane_domain::id::ApproverKeyId;
use wane_domain::world::World;
use wane_failpoint::point;

use crate::App;
use crate::approver_keys::keys_of;
use crate::caller::Caller;
use crate::error::AppError;
use crate::signing::{WithKey, meant};

/// What somebody is to sign to vouch for a key.
#[derive(Clone, Debug)]
pub struct ToVouch {
    /// The bytes.
    pub text: String,
    /// With which key of theirs.
    pub with: ApproverKey,
    /// For which key.
    pub key: ApproverKey,
    /// Whose that is.
    pub owner: String,
}

impl App {
    /// Draws up what the caller would sign to vouch for a key. Nothing is remembered of it.
    ///
    /// # Errors
    /// When the caller has no key to sign with, or there is no such key.
    pub async fn to_vouch(&self, caller: &Caller, key: ApproverKeyId, with: &WithKey) -> Result<ToVouch, AppError> {
        let world = self.world().await?;
        let with = self.own_key(&world, caller, with)?;
        let key = there(&world, key)?;
        let said = Voucher {
            org: self.org,
            key: key.id,
            person: key.person,
            material: key.material.clone(),
            by: caller.person,
            with: with.id,
            at: self.steady_now().await?,
            nonce: self.nonce(),
        };
        let owner = world.people.get(&key.person).map_or_else(|| key.person.to_string(), |p| p.name.to_string());
        Ok(ToVouch { text: said.text()?, with, key, owner })
    }

    /// Takes a voucher to the signer; it is written down before, and what became of it after.
    ///
    /// # Errors
    /// When it is not the caller's, is not over a key as it is entered here, or the signer does not believe it.
    pub async fn vouch(
        &self,
        caller: &Caller,
        id: ApproverKeyId,
        text: &str,
        signature: &Signature,
    ) -> Result<Vouched, AppError> {
        let said = Voucher::read(text).map_err(|e| AppError::invalid("text", e))?;
        let world = self.world().await?;
        let with = self.own_key(&world, caller, &WithKey::This(said.with))?;
        let key = there(&world, id)?;
        if said.key != id || said.by != caller.person || said.person != key.person || said.material != key.material {
            return Err(AppError::invalid("text", "it is not what was drawn up for you; begin again"));
        }
        wane_approval::verify_text(text, signature, &with.material, Counter::WasChecked)
            .map_err(|e| AppError::invalid("signature", e))?;
        let signer = self.signer.get().ok_or_else(|| AppError::Fault("there is no signer".to_owned()))?;
        let about = || Subjects { person: Some(key.person), ..Subjects::default() };
        let actor = Actor::Person(caller.person);
        let mut change = self.change(actor.clone(), self.now());
        let shown = wane_approval::shown(&key.material);
        let detail = json!({ "key": key.id, "fingerprint": shown.fingerprint, "with": with.id, "voucher": text, "signature": signature });
        change.note("approver_key.vouched", Outcome::Done, about(), detail);
        change.commit(point!("app.vouch.commit")).await?;
        let heard = signer.vouched(text, signature);
        let mut change = self.change(actor, self.now());
        match &heard {
            Ok(vouched) => {
                let detail =
                    json!({ "key": key.id, "have": vouched.have, "of": vouched.of, "counts": vouched.counts() });
                change.note("approver_key.heard", Outcome::Done, about(), detail);
            }
            Err(why) => {
                let detail = json!({ "key": key.id, "why": why.to_string() });
                change.note("approver_key.heard", Outcome::Denied, about(), detail);
            }
        }
        change.commit(point!("app.vouched.commit")).await?;
        Ok(heard?)
    }

    /// The one of the caller's keys that is meant.
    fn own_key(&self, world: &World, caller: &Caller, with: &WithKey) -> Result<ApproverKey, AppError> {
        let there: Vec<ApproverKey> = keys_of(world, caller.person).into_iter().filter(ApproverKey::is_there).collect();
        match meant(&there, with)?.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(AppError::invalid("key", "you have no such approver key: only who has one vouches for another")),
            [..] => Err(AppError::invalid("key", "you have several; say which")),
        }
    }
}

fn there(world: &World, key: ApproverKeyId) -> Result<ApproverKey, AppError> {
    let found = world.approver_keys.get(&key).filter(|key| key.is_there());
    found.cloned().ok_or_else(|| AppError::missing("approver key", key))
}
