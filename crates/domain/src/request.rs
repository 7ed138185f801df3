//! The frozen ask, and the life of each of its items.
//!
//! What was asked never changes after it was asked: its canonical bytes have one digest, and
//! that digest is what policy judges, approvers approve and the issuer honours. Each item
//! (a role on a resource) then lives its own life, in one state machine: [`AccessRequest::apply`].

mod ask;
mod item;
mod waiting;

use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::canonical::Digest;
use crate::delegation::InsteadOf;
use crate::id::{GrantId, JobId, PersonId, RequestId};
use crate::terms::Terms;
use crate::text::Ticket;
use crate::time::{Span, Time};
use crate::transition::{Fact, IllegalTransition};

pub use ask::{Ask, AskItem, Parent, Start};
pub use item::{Approval, Escalated, Item, ItemState};

/// Most items one request can bundle.
pub const MOST_ITEMS: usize = 32;

/// The stored shape of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestData {
    /// Its id.
    pub id: RequestId,
    /// What was asked.
    pub ask: Ask,
    /// The digest of what was asked.
    pub digest: Digest,
    /// When.
    pub at: Time,
    /// When it lapses if nobody decides.
    pub lapses: Time,
    /// One entry per item of the ask, in its order.
    pub items: Vec<Item>,
    /// How often it was said that it still waits.
    #[serde(default, skip_serializing_if = "is_never")]
    pub reminded: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
const fn is_never(count: &u16) -> bool {
    *count == 0
}

/// A request. Its ask never changes; its items change only through [`AccessRequest::apply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AccessRequest {
    pub(crate) data: RequestData,
}

impl Deref for AccessRequest {
    type Target = RequestData;
    fn deref(&self) -> &RequestData {
        &self.data
    }
}

/// How policy answered for one item when it was asked.
#[derive(Clone, Debug)]
pub enum Opening {
    /// A path exists; stages may be empty, which approves at once.
    Path {
        /// Its terms.
        terms: Terms,
        /// Its policy id.
        path: String,
    },
    /// A live grant covers it already; nothing new is granted.
    Covered {
        /// That grant.
        grant: GrantId,
    },
    /// No.
    Denied {
        /// Why, for people.
        reason: String,
    },
}

/// What can happen to an item.
#[derive(Clone, Debug)]
pub enum ItemEvent {
    /// Somebody eligible says yes.
    Approve(Approval),
    /// Somebody eligible, or policy judged again, says no.
    Deny {
        /// Who; none for policy.
        by: Option<PersonId>,
        /// In whose place, if they stood in for somebody.
        instead_of: Option<InsteadOf>,
        /// Why.
        reason: String,
    },
    /// The requester takes it back.
    Withdraw {
        /// Who.
        by: PersonId,
    },
    /// Its stage is still open after so long that more people are asked.
    Escalate,
    /// Its time to be decided ran out.
    Lapse,
    /// What somebody's yes rested on is taken away (the key they signed with, the leave to stand in): they have said
    /// nothing.
    Void {
        /// Whose yes.
        approver: PersonId,
    },
    /// Somebody eligible approves less, in a child request.
    Narrow {
        /// Who.
        by: PersonId,
        /// The child.
        child: RequestId,
    },
}

impl ItemEvent {
    /// The event's name, for people and tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Approve(_) => "be approved",
            Self::Deny { .. } => "be denied",
            Self::Withdraw { .. } => "be withdrawn",
            Self::Escalate => "have more people asked",
            Self::Lapse => "lapse",
            Self::Void { .. } => "lose an approval",
            Self::Narrow { .. } => "be narrowed",
        }
    }
}

/// An item whose approvals are complete. Made only by [`AccessRequest::mint_from`]; minting or extending a grant consumes it.
#[derive(Debug)]
pub struct ApprovedItem {
    pub(crate) request: RequestId,
    pub(crate) digest: Digest,
    pub(crate) holder: PersonId,
    pub(crate) item: AskItem,
    pub(crate) start: Start,
    pub(crate) duration: Span,
    pub(crate) approvals: Vec<Approval>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) parent: Option<Parent>,
    pub(crate) job: Option<JobId>,
    pub(crate) grant: GrantId,
}

impl AccessRequest {
    /// Freezes an ask with policy's answer to each item.
    ///
    /// # Errors
    /// When the ask has no items or too many, or the answers do not match the items one to one.
    pub fn open(
        id: RequestId,
        ask: Ask,
        answers: Vec<Opening>,
        at: Time,
        lapses: Time,
    ) -> Result<(Self, Fact), IllegalTransition> {
        let refuse = |detail: String| IllegalTransition {
            aggregate: "request",
            state: "new",
            event: "be opened",
            detail: Some(detail),
        };
        if ask.items.is_empty() || ask.items.len() > MOST_ITEMS {
            return Err(refuse(format!("a request has 1 to {MOST_ITEMS} items, this one {}", ask.items.len())));
        }
        if answers.len() != ask.items.len() {
            return Err(refuse("each item needs one answer".to_owned()));
        }
        let digest = ask.digest().map_err(|e| refuse(e.to_string()))?;
        let items = answers.into_iter().map(|answer| open_item(answer, at)).collect::<Vec<_>>();
        let answers = items.iter().map(told).collect::<Vec<_>>();
        let fact =
            Fact::new("request.opened", json!({ "request": id, "digest": digest, "ask": ask, "items": answers }));
        Ok((Self { data: RequestData { id, ask, digest, at, lapses, items, reminded: 0 } }, fact))
    }

    /// The whole life of an item in one function.
    ///
    /// INVARIANT: nobody approves for themselves, nor through who stands in, and one person counts once over all
    /// stages, whoever stood in for them or for whom they did (held by `nobody_approves_for_themselves`,
    /// `one_person_counts_once`, `whoever_stands_in_is_nobody_new`).
    ///
    /// # Errors
    /// When the lifecycle has no such step.
    pub fn apply(mut self, index: usize, event: ItemEvent, now: Time) -> Result<(Self, Fact), IllegalTransition> {
        let RequestData { id, ask, digest, lapses, items, at: asked, .. } = &mut self.data;
        let refuse = |state: &'static str, event: &ItemEvent, detail: Option<&str>| IllegalTransition {
            aggregate: "request item",
            state,
            event: event.name(),
            detail: detail.map(str::to_owned),
        };
        let Some(item) = items.get_mut(index) else {
            return Err(refuse("absent", &event, Some("the request has no such item")));
        };
        let (next, fact) = match (&item.state, event) {
            (ItemState::Waiting, ItemEvent::Approve(approval)) => {
                let event = ItemEvent::Approve(approval.clone());
                if now >= *lapses {
                    return Err(refuse("waiting", &event, Some("its time to be decided has run out")));
                }
                if approval.people().any(|who| who == ask.requester || who == ask.beneficiary) {
                    return Err(refuse("waiting", &event, Some("nobody approves for themselves")));
                }
                if approval.instead_of.is_some_and(|instead| instead.person == approval.approver) {
                    return Err(refuse("waiting", &event, Some("nobody stands in for themselves")));
                }
                if item.approvals.iter().flat_map(Approval::people).any(|who| approval.people().any(|new| new == who)) {
                    let why = "you, or whoever you stand in for, have approved it already; another person must";
                    return Err(refuse("waiting", &event, Some(why)));
                }
                if !is_over(ask, *digest, &approval) {
                    return Err(refuse("waiting", &event, Some("the approval is over a different request")));
                }
                if item.needs_signatures()
                    && (approval.digest != *digest || approval.statement(ask.org, index).is_none())
                {
                    return Err(refuse("waiting", &event, Some("its path asks for a signature over exactly this")));
                }
                if item.open_stage() != Some(approval.stage) {
                    return Err(refuse("waiting", &event, Some("the approval is for a stage that is not open")));
                }
                let mut detail = json!({ "request": id, "item": index, "approver": approval.approver, "stage": approval.stage, "digest": approval.digest });
                let told = [
                    ("instead_of", approval.instead_of.map(|instead| json!(instead))),
                    ("asked_after", approval.asked_after.map(|after| json!(after))),
                    ("signed", approval.signed.as_ref().map(|signed| json!(signed))),
                ];
                if let Some(detail) = detail.as_object_mut() {
                    let there = told.into_iter().filter_map(|(member, value)| Some((member.to_owned(), value?)));
                    detail.extend(there);
                }
                let fact = Fact::new("request.item.approved", detail);
                item.approvals.push(approval);
                let next = if item.open_stage().is_none() {
                    ItemState::Approved { at: now, grant: None }
                } else {
                    ItemState::Waiting
                };
                (next, fact)
            }
            // Policy judged again in the commit that would mint the grant, or a person before it.
            (
                ItemState::Waiting | ItemState::Approved { grant: None, .. },
                ItemEvent::Deny { by, instead_of, reason },
            ) => {
                let mut detail = json!({ "request": id, "item": index, "by": by, "reason": reason });
                if let (Some(instead_of), Some(detail)) = (instead_of, detail.as_object_mut()) {
                    detail.insert("instead_of".to_owned(), json!(instead_of));
                }
                let fact = Fact::new("request.item.denied", detail);
                (ItemState::Denied { by, reason, at: now }, fact)
            }
            (ItemState::Waiting, ItemEvent::Withdraw { by }) => {
                if by != ask.requester && by != ask.beneficiary {
                    return Err(refuse(
                        "waiting",
                        &ItemEvent::Withdraw { by },
                        Some("only who asked, or who it is for, can withdraw it"),
                    ));
                }
                (
                    ItemState::Withdrawn { at: now },
                    Fact::new("request.item.withdrawn", json!({ "request": id, "item": index, "by": by })),
                )
            }
            (ItemState::Waiting, ItemEvent::Escalate) => {
                let next = item.next_escalation(*asked).filter(|(_, _, due)| *due <= now && now < *lapses);
                let Some((stage, later, _)) = next else {
                    return Err(refuse("waiting", &ItemEvent::Escalate, Some("nobody more is to be asked now")));
                };
                let after = later.after;
                let who: Vec<String> = later.approvers.iter().map(ToString::to_string).collect();
                let fact = Fact::new(
                    "request.item.escalated",
                    json!({ "request": id, "item": index, "stage": stage, "after": after, "approvers": who }),
                );
                item.escalated.push(Escalated { stage, after, at: now });
                (ItemState::Waiting, fact)
            }
            (ItemState::Waiting, ItemEvent::Lapse) => {
                if now < *lapses {
                    return Err(refuse("waiting", &ItemEvent::Lapse, Some("its time to be decided is not over")));
                }
                (
                    ItemState::Lapsed { at: now },
                    Fact::new("request.item.lapsed", json!({ "request": id, "item": index })),
                )
            }
            (ItemState::Waiting, ItemEvent::Void { approver }) => {
                if !item.approvals.iter().any(|a| a.approver == approver) {
                    return Err(refuse("waiting", &ItemEvent::Void { approver }, Some("they have not approved it")));
                }
                item.approvals.retain(|a| a.approver != approver);
                let fact = Fact::new(
                    "request.item.approval_void",
                    json!({ "request": id, "item": index, "approver": approver }),
                );
                (ItemState::Waiting, fact)
            }
            (ItemState::Waiting, ItemEvent::Narrow { by, child }) => {
                if by == ask.requester || by == ask.beneficiary {
                    return Err(refuse(
                        "waiting",
                        &ItemEvent::Narrow { by, child },
                        Some("nobody approves for themselves"),
                    ));
                }
                let fact = Fact::new(
                    "request.item.narrowed",
                    json!({ "request": id, "item": index, "by": by, "child": child }),
                );
                (ItemState::Narrowed { child, at: now }, fact)
            }
            (
                state @ (ItemState::Approved { .. }
                | ItemState::Denied { .. }
                | ItemState::Withdrawn { .. }
                | ItemState::Lapsed { .. }
                | ItemState::Narrowed { .. }),
                event,
            ) => return Err(refuse(state.name(), &event, None)),
        };
        item.state = next;
        Ok((self, fact))
    }

    /// Takes the right to one grant out of an approved item, once.
    ///
    /// INVARIANT: what is granted is what was asked and approved: the ask still has the digest it was
    /// frozen under, and every approval is over that digest or the wider one it narrows (held by
    /// `what_was_changed_after_it_was_approved_yields_nothing`).
    ///
    /// # Errors
    /// When the item is not approved, its grant exists already, or the ask was changed after it was frozen.
    pub fn mint_from(mut self, index: usize, grant: GrantId) -> Result<(Self, ApprovedItem), IllegalTransition> {
        let refuse = |state, detail: &str| IllegalTransition {
            aggregate: "request item",
            state,
            event: "yield a grant",
            detail: Some(detail.to_owned()),
        };
        let data = &mut self.data;
        let (Some(item), Some(asked)) = (data.items.get_mut(index), data.ask.items.get(index)) else {
            return Err(refuse("absent", "the request has no such item"));
        };
        if data.ask.digest().ok() != Some(data.digest) {
            return Err(refuse(item.state.name(), "what is asked is not what was frozen"));
        }
        if !item.approvals.iter().all(|a| is_over(&data.ask, data.digest, a)) {
            return Err(refuse(item.state.name(), "an approval is over a different request"));
        }
        if item.needs_signatures() && !item.approvals.iter().all(|a| a.statement(data.ask.org, index).is_some()) {
            return Err(refuse(item.state.name(), "its path asks for signatures, and an approval has none over this"));
        }
        match &mut item.state {
            ItemState::Approved { grant: slot @ None, .. } => *slot = Some(grant),
            other => return Err(refuse(other.name(), "only an approved item yields a grant, once")),
        }
        let approved = ApprovedItem {
            request: data.id,
            digest: data.digest,
            holder: data.ask.beneficiary,
            item: asked.clone(),
            start: data.ask.start,
            duration: data.ask.duration,
            approvals: item.approvals.clone(),
            ticket: data.ask.ticket.clone(),
            parent: data.ask.parent,
            job: data.ask.job.as_ref().map(|asks| asks.job),
            grant,
        };
        Ok((self, approved))
    }

    /// Whether any item still waits.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.items.iter().any(|i| i.state == ItemState::Waiting)
    }

    /// One word for the whole request: the state its items share, `waiting` while any waits, else `mixed`.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        if self.is_waiting() {
            return "waiting";
        }
        let mut names = self.items.iter().map(|i| i.state.name());
        let first = names.next().unwrap_or("denied");
        if names.all(|n| n == first) { first } else { "mixed" }
    }
}

/// Whether an approval is over an ask of this digest, or over the wider one that it narrows.
fn is_over(ask: &Ask, digest: Digest, approval: &Approval) -> bool {
    approval.digest == digest
        || matches!(ask.parent, Some(Parent::Narrows { digest: wider, .. }) if wider == approval.digest)
}

/// What the record of an ask says about policy's answer to one item.
fn told(item: &Item) -> serde_json::Value {
    let mut told = json!({ "state": item.state.name(), "path": item.path });
    if let (ItemState::Denied { reason, .. }, Some(told)) = (&item.state, told.as_object_mut()) {
        told.insert("reason".to_owned(), json!(reason));
    }
    told
}

fn open_item(answer: Opening, at: Time) -> Item {
    match answer {
        Opening::Path { terms, path } => {
            let state =
                if terms.stages.is_empty() { ItemState::Approved { at, grant: None } } else { ItemState::Waiting };
            Item { terms: Some(terms), path: Some(path), approvals: Vec::new(), escalated: Vec::new(), state }
        }
        Opening::Covered { grant } => Item {
            terms: None,
            path: None,
            approvals: Vec::new(),
            escalated: Vec::new(),
            state: ItemState::Approved { at, grant: Some(grant) },
        },
        Opening::Denied { reason } => Item {
            terms: None,
            path: None,
            approvals: Vec::new(),
            escalated: Vec::new(),
            state: ItemState::Denied { by: None, reason, at },
        },
    }
}
