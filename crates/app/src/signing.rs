//! Approvals that are signed: what an approver is to sign, and what they signed.
//!
//! Owns: the drafts that are out to be signed, in memory, each good once. What was drafted is drawn up again when it
//! comes back, and refused if that is not the same to the byte: what is signed is what is granted.
//!
//! INVARIANT: a signature is taken for the draft that its signer was given, while everything in it still is as it was
//! (held by `what_is_signed_is_what_was_drafted`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use wane_approval::{Counter, Good};
use wane_domain::approval::{ApproverKey, KeyMaterial, Says, Seat, Signature, Signed, Statement};
use wane_domain::id::{ApproverKeyId, PersonId, RequestId};
use wane_domain::request::{AccessRequest, Approval};
use wane_domain::time::{Span, Time};
use wane_domain::world::World;
use wane_failpoint::point;

use crate::App;
use crate::approver_keys::{key_for, keys_of};
use crate::asked::Mine;
use crate::caller::Caller;
use crate::error::AppError;
use crate::narrow::Narrower;

/// Drafts, of everybody together, and of one person.
const MOST: usize = 4096;
const MOST_OF_ONE: usize = 16;
/// How long one may be out.
const LIFE: Span = Span::from_mins(10);

/// Which sort of key somebody wants to sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WithKey {
    /// This one: by its id.
    This(ApproverKeyId),
    /// This one: by its public part.
    Public(String),
    /// The one SSH key they have.
    Ssh,
    /// The one passkey they have.
    Passkey,
}

/// What somebody is to sign.
#[derive(Clone, Debug)]
pub struct ToSign {
    /// Which draft; it stands in the text as well.
    pub reference: String,
    /// The bytes.
    pub text: String,
    /// What they say.
    pub statement: Statement,
    /// With which key.
    pub key: ApproverKey,
    /// What a browser asks a passkey.
    pub options: Option<Value>,
    /// Until when.
    pub until: Time,
}

/// A signature that came back.
#[derive(Clone, Debug)]
pub struct Answered {
    /// For which draft; the one it is good for if left out.
    pub reference: Option<String>,
    /// It.
    pub signature: Signature,
}

/// A draft that is out.
#[derive(Clone)]
struct Draft {
    person: PersonId,
    request: RequestId,
    item: Option<usize>,
    less: Narrower,
    /// The nonce of the narrower request, if there is to be one.
    child: String,
    text: String,
    until: Time,
}

/// What was signed, ready to be counted.
pub(crate) struct Taken {
    pub(crate) item: Option<usize>,
    pub(crate) less: Narrower,
    pub(crate) child: String,
    pub(crate) reference: String,
    pub(crate) good: Good,
    pub(crate) signed: Signed,
}

/// The book of drafts.
#[derive(Default)]
pub(crate) struct Drafts(Mutex<HashMap<String, Draft>>);

impl Drafts {
    fn enter(&self, reference: String, draft: Draft, now: Time) -> bool {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.retain(|_, draft| now < draft.until);
        let mut theirs: Vec<(String, Time)> =
            book.iter().filter(|(_, d)| d.person == draft.person).map(|(r, d)| (r.clone(), d.until)).collect();
        if theirs.len() >= MOST_OF_ONE {
            theirs.sort_by_key(|(_, until)| *until);
            theirs.first().map(|(oldest, _)| book.remove(oldest));
        }
        if book.len() >= MOST {
            return false;
        }
        book.insert(reference, draft);
        true
    }

    fn of(&self, person: PersonId, request: RequestId, reference: Option<&str>, now: Time) -> Vec<(String, Draft)> {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(name, draft): &(&String, &Draft)| {
            draft.person == person
                && draft.request == request
                && now < draft.until
                && reference.is_none_or(|wanted| wanted == name.as_str())
        };
        book.iter().filter(fits).map(|(name, draft)| (name.clone(), draft.clone())).collect()
    }

    pub(crate) fn spend(&self, reference: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(reference);
    }
}

impl fmt::Debug for Drafts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drafts(…)")
    }
}

impl App {
    /// Draws up what the caller would sign to approve a request, one item of it, or less than was asked.
    ///
    /// # Errors
    /// When the caller may not approve it, or has no key that counts for it.
    pub async fn to_sign(
        &self,
        caller: &Caller,
        id: RequestId,
        item: Option<usize>,
        less: &Narrower,
        with: &WithKey,
    ) -> Result<ToSign, AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        let request = self.request_for(caller, &world, id).await?.value;
        let items = self.approvable(caller, &world, &request, item)?;
        let key = chosen(&world, caller, &request, with)?;
        let child = self.nonce();
        let (seats, narrowed) = self.seats(&world, &request, &items, less, &child)?;
        let instead_of = in_place_of(&items).ok_or_else(|| {
            let why = "you would answer several of these in the place of different people; sign each alone";
            AppError::invalid("item", format!("{why}: `--item N`"))
        })?;
        let reference = self.nonce();
        let statement = Statement {
            org: self.org,
            request: request.digest,
            narrowed,
            seats,
            decision: Says::Approve,
            approver: caller.person,
            instead_of,
            key: key.id,
            at: now,
            nonce: reference.clone(),
        };
        let text = statement.text()?;
        let options = match &key.material {
            KeyMaterial::Ssh(_) => None,
            KeyMaterial::Passkey { .. } => {
                Some(wane_approval::passkey_options(&key.material, &text).map_err(|e| AppError::Fault(e.to_string()))?)
            }
        };
        let until = now.plus(LIFE);
        let draft =
            Draft { person: caller.person, request: id, item, less: less.clone(), child, text: text.clone(), until };
        if !self.drafts.enter(reference.clone(), draft, now) {
            return Err(AppError::Crowded);
        }
        Ok(ToSign { reference, text, statement, key, options, until })
    }

    /// Which items at which stages an approval is for, and the digest of what is granted if that is less.
    pub(crate) fn seats(
        &self,
        world: &World,
        request: &AccessRequest,
        items: &[Mine],
        less: &Narrower,
        child: &str,
    ) -> Result<(Vec<Seat>, Option<wane_domain::canonical::Digest>), AppError> {
        let seat = |item: usize, stage: u16| {
            u16::try_from(item).map(|item| Seat { item, stage }).map_err(|e| AppError::Fault(e.to_string()))
        };
        if less.is_nothing() {
            let stage = |index: usize| request.items.get(index).and_then(|i| i.open_stage()).unwrap_or_default();
            let seats = items.iter().map(|mine| seat(mine.index, stage(mine.index))).collect::<Result<_, _>>()?;
            return Ok((seats, None));
        }
        let (ask, _) = self.narrowed(world, request, items, less, child)?;
        // What carries on is a request of its own, whose items are those that were approved, in their order.
        let seats = (0..items.len()).map(|index| seat(index, 0)).collect::<Result<_, _>>()?;
        Ok((seats, Some(ask.digest()?)))
    }

    /// The draft that a signature is good for.
    pub(crate) async fn signed(&self, caller: &Caller, id: RequestId, answered: &Answered) -> Result<Taken, AppError> {
        let (world, now) = (self.world().await?, self.now());
        let mut why = None;
        for (reference, draft) in self.drafts.of(caller.person, id, answered.reference.as_deref(), now) {
            let Ok(statement) = Statement::read(&draft.text) else { continue };
            let Some(key) = world.approver_keys.get(&statement.key).filter(|key| key.is_there()) else { continue };
            let signed = Signed {
                statement: draft.text.clone(),
                key: key.material.clone(),
                signature: answered.signature.clone(),
            };
            match wane_approval::verify(&signed, &key.material, Counter::Moves) {
                Ok(good) => {
                    let Draft { item, less, child, .. } = draft;
                    return Ok(Taken { item, less, child, reference, good, signed });
                }
                Err(bad) => why = Some(bad),
            }
        }
        match why {
            Some(why) => {
                let mut change = self.change(wane_audit::Actor::Person(caller.person), now);
                let about = wane_audit::Subjects { request: Some(id), ..wane_audit::Subjects::default() };
                let detail = serde_json::json!({ "why": why.to_string() });
                change.note("approval.signature_refused", wane_audit::Outcome::Denied, about, detail);
                change.commit(point!("app.signature_refused.commit")).await?;
                Err(AppError::invalid("signature", why))
            }
            None => Err(AppError::invalid(
                "signature",
                "nothing of this request waits for a signature of yours: it is too old, or was used; begin again",
            )),
        }
    }

    /// Who of those whose right it was to approve has it signed, by themselves or who stood in, with keys that count.
    pub(crate) fn signers(&self, world: &World, held: &[Approval], used: Option<Time>) -> Vec<PersonId> {
        let signed = held.iter().filter(|approval| {
            let Some(signed) = &approval.signed else { return false };
            let Ok(said) = Statement::read(&signed.statement) else { return false };
            let fits = said.org == self.org
                && said.over() == approval.digest
                && said.approver == approval.approver
                && said.instead_of == approval.instead_of.map(|instead| instead.person);
            let key = key_for(world, said.key, approval.approver, said.at, used);
            let good = |key: &ApproverKey| wane_approval::verify(signed, &key.material, Counter::WasChecked).is_ok();
            fits && key.is_some_and(good)
        });
        signed.map(Approval::by_right_of).collect()
    }
}

/// In whose place these would be answered, in nobody's or one person's; none where it is not the same for all.
pub(crate) fn in_place_of(items: &[Mine]) -> Option<Option<PersonId>> {
    let mut whose = items.iter().map(|mine| mine.footing.instead_of.map(|instead| instead.person));
    let first = whose.next().flatten();
    whose.all(|other| other == first).then_some(first)
}

/// Which of some keys are meant.
pub(crate) fn meant<'a>(there: &'a [ApproverKey], with: &WithKey) -> Result<Vec<&'a ApproverKey>, AppError> {
    Ok(match with {
        WithKey::This(id) => there.iter().filter(|key| key.id == *id).collect(),
        WithKey::Public(line) => {
            let material = wane_approval::ssh_key(line).map_err(|e| AppError::invalid("key", e))?;
            there.iter().filter(|key| wane_approval::is_same(&key.material, &material)).collect()
        }
        WithKey::Ssh => there.iter().filter(|key| matches!(key.material, KeyMaterial::Ssh(_))).collect(),
        WithKey::Passkey => there.iter().filter(|key| matches!(key.material, KeyMaterial::Passkey { .. })).collect(),
    })
}

/// The key that the caller means, if it counts for the request.
fn chosen(world: &World, caller: &Caller, request: &AccessRequest, with: &WithKey) -> Result<ApproverKey, AppError> {
    let there: Vec<ApproverKey> = keys_of(world, caller.person).into_iter().filter(ApproverKey::is_there).collect();
    let mut fit = meant(&there, with)?;
    if fit.is_empty() {
        return Err(AppError::invalid(
            "key",
            "you have no such approver key; enter one with `wane approver-key add`, before the next request is made",
        ));
    }
    fit.retain(|key| key.counts_for(request.at, None));
    match fit.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            Err(AppError::invalid("key", "it was entered after this was asked for, and approves only what comes later"))
        }
        several => {
            let names: Vec<String> = several.iter().map(|key| format!("`{}` ({})", key.id, key.name)).collect();
            Err(AppError::invalid("key", format!("you have several; say which: {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;

    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);
    const REQUEST: [u8; 10] = [9; 10];

    fn person(n: u8) -> PersonId {
        PersonId::mint(NOW, &[n; 10])
    }

    fn until(secs: u64) -> Time {
        NOW.plus(LIFE).plus(Span::from_secs(secs))
    }

    fn draft(who: u8, until: Time) -> Draft {
        Draft {
            person: person(who),
            request: RequestId::mint(NOW, &REQUEST),
            item: None,
            less: Narrower::default(),
            child: String::new(),
            text: String::new(),
            until,
        }
    }

    /// What somebody has out.
    fn out(drafts: &Drafts, who: u8) -> Vec<String> {
        let found = drafts.of(person(who), RequestId::mint(NOW, &REQUEST), None, NOW);
        let mut names: Vec<String> = found.into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    }

    #[test]
    fn one_person_has_so_many_drafts_out_and_their_oldest_goes() {
        let drafts = Drafts::default();
        let most = u64::try_from(MOST_OF_ONE).unwrap();
        assert!(drafts.enter("of another".to_owned(), draft(2, until(0)), NOW));
        for n in 0..=most {
            assert!(drafts.enter(format!("{n:02}"), draft(1, until(n)), NOW));
        }
        let names: Vec<String> = (1..=most).map(|n| format!("{n:02}")).collect();
        assert_eq!(out(&drafts, 1), names);
        assert_eq!(out(&drafts, 2), ["of another"], "the draft of another went for them");
        // Once used it is none; and when its time is over it takes no room.
        drafts.spend("01");
        assert_eq!(out(&drafts, 1), names[1..]);
        assert!(drafts.enter("late".to_owned(), draft(3, until(60)), until(most)));
        assert_eq!(drafts.0.lock().unwrap().len(), 1);
    }
}
