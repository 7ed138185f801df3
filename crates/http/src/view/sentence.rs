//! What a record says, in a sentence for people: names instead of ids, moments instead of numbers.
//!
//! An event that has no sentence of its own is told by its name and particulars, so that nothing is left out.

use serde::de::DeserializeOwned;
use serde_json::Value;
use wane_audit::{Actor, Outcome, Record};
use wane_domain::closure::{ClosureBasis, EndCause};
use wane_domain::delegation::{Delegation, InsteadOf};
use wane_domain::grant::Window;
use wane_domain::id::PersonId;
use wane_domain::request::{Ask, Parent, Start};
use wane_domain::time::{Span, Time};

use super::Names;
use super::trail::actor;

/// A record with what is needed to tell it.
#[derive(Clone, Copy)]
struct Told<'a> {
    names: Names<'a>,
    record: &'a Record,
}

/// What a record says.
pub(crate) fn sentence(names: Names<'_>, record: &Record) -> String {
    let told = Told { names, record };
    told.own().unwrap_or_else(|| told.plain())
}

impl Told<'_> {
    fn own(self) -> Option<String> {
        let artifact = self.text("artifact").unwrap_or_default();
        let met = self.text("met").unwrap_or_default();
        Some(match self.record.event.as_str() {
            "request.opened" => self.opened()?,
            "request.item.approved" => self.approved()?,
            "request.item.denied" => {
                let by = self.read::<PersonId>("by").map_or_else(|| "policy".to_owned(), |by| self.names.person(by));
                format!("{by}{} denied it: {}", self.instead(), self.text("reason")?)
            }
            "request.item.withdrawn" => format!("{} took the ask back", self.names.person(self.read("by")?)),
            "request.item.lapsed" => "nobody decided in time: the ask lapsed".to_owned(),
            "request.item.escalated" => {
                let who: Vec<String> = self.read("approvers")?;
                format!("nobody decided within {}: {} is asked as well", self.read::<Span>("after")?, who.join(", "))
            }
            "request.still_waiting" => "it still waits; whoever may decide it is reminded".to_owned(),
            "request.item.approval_void" => {
                let whose = self.names.person(self.read("approver")?);
                format!("what the approval by {whose} rested on was taken away: it is void")
            }
            "request.item.narrowed" => {
                format!("{} settled the wider ask by that", self.names.person(self.read("by")?))
            }
            "grant.minted" => self.minted()?,
            "grant.activated" => format!("{} activated it, until {}", self.who(), self.time("end")?),
            "grant.extended" => format!("extended from {} to {}", self.time("from")?, self.time("end")?),
            "grant.shortened" => {
                format!("policy now allows less: shortened from {} to {}", self.time("from")?, self.time("end")?)
            }
            "grant.task_spent" => format!("{} ran its task (SHA-256 {})", self.who(), self.text("task")?),
            "grant.ending" => format!("it ends because {}", self.cause()?),
            "grant.closed" => match self.text("word") {
                Some(word) => format!("closed: {word}"),
                None => format!("closed, because {}; nothing was made", self.cause()?),
            },
            "lease.intended" => match self.text("what")? {
                "account" => format!("an account is to be made on {}: {artifact}", self.resource()),
                what => format!("a {what} is to be issued for {}: {artifact}", self.resource()),
            },
            "lease.made" => match self.text("object") {
                Some(object) => {
                    format!("account {artifact} was made on {} and read back, object {object}", self.resource())
                }
                None => format!("{artifact} was made"),
            },
            "lease.confirmed" => format!("{} was read back accepting {artifact}", self.resource()),
            "lease.reissued" => format!("{artifact} was handed out anew; what was handed out before may not work"),
            "lease.moved" => format!("{artifact} now ends at {}", self.time("end")?),
            "lease.ending" if self.record.detail.get("was_live") == Some(&Value::Bool(false)) => {
                format!("{artifact} may be half made, and is to be ended")
            }
            "lease.ending" => format!("{artifact} is to be ended"),
            "lease.end_tried" => self.tried(artifact, met)?,
            "lease.gone" => self.gone(artifact)?,
            "lease.create_failed" => format!("{} could not make it: {met}", self.resource()),
            "lease.extend_failed" => format!("{} could not be told the new end: {met}", self.resource()),
            "credential.issued" => {
                format!(
                    "credential with serial {} issued, good until {}",
                    self.number("serial")?,
                    self.time("not_after")?
                )
            }
            "credential.replay_refused" => {
                "an answer with a secret was asked for again; what it handed out ends instead".to_owned()
            }
            "acme.offered" => {
                format!("{} was given a binding for a client of ACME, account {}", self.who(), self.text("account")?)
            }
            "acme.account_made" => format!("a client of ACME came with its binding: account {}", self.text("account")?),
            "acme.binding_refused" => {
                format!("somebody else came with the binding of account {}, and was refused", self.text("account")?)
            }
            "acme.ordered" => {
                let names: Vec<String> = self.read("names")?;
                format!("its client of ACME ordered a certificate for {}", names.join(", "))
            }
            "acme.key_changed" => format!("account {} has another key", self.text("account")?),
            "acme.given_up" => format!("its client gave account {} up", self.text("account")?),
            "residue.scanned" => format!("nothing that {artifact} could have left behind is on {}", self.resource()),
            "residue.found" => self.residue(artifact)?,
            "notice.delivered" => format!("{} was told of it over {}", self.told(), self.text("channel")?),
            "notice.tried" => {
                format!("telling {} over {} failed: {}", self.told(), self.text("channel")?, self.text("why")?)
            }
            "notice.given_up" => {
                format!("telling {} over {} was given up: {}", self.told(), self.text("channel")?, self.text("why")?)
            }
            "notice.dropped" => {
                format!("{} was not told over {}: {}", self.told(), self.text("channel")?, self.text("why")?)
            }
            "storeless.said" => format!(
                "ended because {}, at {}, while the store could not be written; kept in {} until now",
                self.cause()?,
                self.time("acted")?,
                self.text("kept_in")?
            ),
            "storeless.ended" => format!(
                "{artifact} was ended on {} and read back at {}, while the store could not be written",
                self.resource(),
                self.time("acted")?
            ),
            "inventory.changed" | "inventory.taken" => format!(
                "{} says what stands there: {} made from here, {} that were not, {} that belong to nothing",
                self.resource(),
                self.number("made")?,
                self.number("standing")?,
                self.number("orphans")?
            ),
            "delegation.given" | "delegation.ended" => self.delegated()?,
            _ => return None,
        })
    }

    /// In whose place somebody answered, if they stood in.
    fn instead(self) -> String {
        let whom = self.read::<InsteadOf>("instead_of").map(|instead| self.names.person(instead.person));
        whom.map(|whom| format!(", in the place of {whom},")).unwrap_or_default()
    }

    fn delegated(self) -> Option<String> {
        let Delegation { by, to, from, until, ended, .. } = self.read("delegation")?;
        let (by, to) = (self.names.person(by), self.names.person(to));
        Some(match ended {
            None => format!("{by} said that {to} stands in for them from {from} to {until}"),
            Some(ended) => format!("{} took it back that {to} stands in for {by}", self.names.person(ended.by)),
        })
    }

    /// Whom a notice was for, and what it was about.
    fn told(self) -> String {
        let notice = self.text("notice").unwrap_or_default();
        match self.record.about.person {
            Some(person) if self.text("channel") == Some("mail") => format!("{} ({notice})", self.names.person(person)),
            _ => format!("whoever listens ({notice})"),
        }
    }

    /// What a target has now and had not before.
    fn residue(self, artifact: &str) -> Option<String> {
        let left = self.record.detail.get("left")?.as_array()?;
        let told: Vec<&str> = left.iter().filter_map(Value::as_str).take(3).collect();
        let unnamed = u64::try_from(left.len().saturating_sub(told.len())).unwrap_or(u64::MAX);
        let more = match self.number("more").unwrap_or(0).saturating_add(unnamed) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let note = self.text("note").unwrap_or_default();
        Some(format!("found on {} after {artifact}: {}{more}; {note}", self.resource(), told.join("; ")))
    }

    /// The ask, or what an approver left of it, or the ask for more time, and policy's answer at once.
    fn opened(self) -> Option<String> {
        let ask: Ask = self.read("ask")?;
        let items: Vec<String> = ask
            .items
            .iter()
            .map(|i| {
                let task = i.task.as_ref().map_or(String::new(), |task| format!(" for the one command `{task}`"));
                format!("{} on {}{task}", self.names.role(i.role), self.names.resource(i.resource))
            })
            .collect();
        let (what, who) = (items.join(", "), self.names.person(ask.requester));
        let mut text = match ask.parent {
            Some(Parent::Narrows { .. }) => {
                return Some(format!("{} approved less than was asked: {what} for {}", self.who(), ask.duration));
            }
            Some(Parent::Extends { .. }) => format!("{who} asked for {} more of {what}", ask.duration),
            None => format!("{who} asked for {what} for {}", ask.duration),
        };
        if ask.beneficiary != ask.requester {
            text.push_str(&format!(", to be held by {}", self.names.person(ask.beneficiary)));
        }
        match ask.start {
            Start::Now => {}
            Start::At(at) => text.push_str(&format!(", from {at}")),
        }
        if let Some(ticket) = &ask.ticket {
            text.push_str(&format!(", under ticket {ticket}"));
        }
        if let Some(reason) = &ask.justification {
            text.push_str(&format!(": {reason}"));
        }
        for (item, asked) in self.record.detail.get("items")?.as_array()?.iter().zip(items) {
            let of = if ask.items.len() > 1 { format!("{asked}: ") } else { String::new() };
            let field = |name: &str| item.get(name).and_then(Value::as_str);
            let answer = match (field("state")?, field("path"), field("reason")) {
                ("waiting", Some(path), _) => format!("needs approval by policy `{path}`"),
                ("approved", Some(path), _) => format!("granted by policy `{path}` alone"),
                ("approved", None, _) => "covered by a grant that is there".to_owned(),
                ("denied", _, Some(reason)) => format!("denied by policy: {reason}"),
                (state, ..) => state.to_owned(),
            };
            text.push_str(&format!("; {of}{answer}"));
        }
        Some(text)
    }

    fn approved(self) -> Option<String> {
        let approver: PersonId = self.read("approver")?;
        let (name, instead) = (self.names.person(approver), self.instead());
        let stage = match self.number("stage") {
            Some(n @ 1..) => format!(" (stage {})", n.saturating_add(1)),
            Some(_) | None => String::new(),
        };
        // An approval of the wider ask is carried over by whoever approves less.
        Some(if self.record.actor == Actor::Person(approver) {
            let signed = if self.record.detail.get("signed").is_some() { " and signed it" } else { "" };
            format!("{name}{instead} approved it{signed}{stage}")
        } else {
            format!("the approval by {name}{instead} of the wider ask counts for this too{stage}")
        })
    }

    fn minted(self) -> Option<String> {
        let window: Window = self.read("window")?;
        let path = self.text("path").map_or(String::new(), |path| format!(" by policy `{path}`"));
        let approvers: Vec<PersonId> = self.read("approvers").unwrap_or_default();
        let approvers = match self.names.people(approvers) {
            none if none.is_empty() => String::new(),
            some => format!(", approved by {}", some.join(" and ")),
        };
        let task = self.text("task").map_or(String::new(), |task| format!(", to run `{task}` once"));
        Some(format!(
            "granted{path}{approvers}: {} may be {} on {} for {}{task}, to be activated before {}",
            self.names.person(self.read("holder")?),
            self.names.role(self.read("role")?),
            self.names.resource(self.read("resource")?),
            window.duration,
            window.activate_by
        ))
    }

    fn cause(self) -> Option<String> {
        Some(match self.read::<EndCause>("cause")? {
            EndCause::Expired => "its time was up".to_owned(),
            EndCause::Returned => format!("{} gave it back", self.who()),
            EndCause::Revoked { by, reason } => format!("{} revoked it: {reason}", self.names.person(by)),
            EndCause::DeniedAfterApproval { by, reason } => {
                format!("{} took the approval back: {reason}", self.names.person(by))
            }
            EndCause::Locked { lock } => format!("a lock covers it ({lock})"),
            EndCause::LostEligibility { reason } => format!("policy no longer allows it: {reason}"),
            EndCause::NeverActivated => "nobody activated it in time".to_owned(),
            EndCause::TakenAway { seen } => format!("somebody took at the target what it gave: {seen}"),
            EndCause::TaskDone { outcome } => format!("its task is done: {outcome}"),
            EndCause::JobOver { how } => format!("the job that it was for is over: {how}"),
        })
    }

    fn tried(self, artifact: &str, met: &str) -> Option<String> {
        let mut text = format!("try {} to end {artifact} met: {met}", self.number("attempts")?);
        if let Some(why) = self.text("quarantined").filter(|why| *why != met) {
            text.push_str(&format!("; a person has to look: {why}"));
        } else if self.text("quarantined").is_some() {
            text.push_str("; a person has to look");
        }
        if let Some(until) = self.time("unrecallable_until") {
            text.push_str(&format!("; nothing can call it back before {until}"));
        }
        text.push_str(&format!("; next try {}", self.time("next")?));
        Some(text)
    }

    fn gone(self, artifact: &str) -> Option<String> {
        Some(match self.read::<ClosureBasis>("basis")? {
            ClosureBasis::AbsentReadBack { proof } => format!("{artifact} is gone, read back: {proof}"),
            ClosureBasis::LoginRefusedReadBack { proof } => {
                format!("{artifact} no longer logs in, read back: {proof}; sessions opened before are not known")
            }
            ClosureBasis::StillGiven { by, proof } => {
                let by: Vec<String> = by.iter().map(ToString::to_string).collect();
                format!("{artifact} stays, because {} gives the same: {proof}", by.join(", "))
            }
            ClosureBasis::Standing { proof } => {
                format!("{artifact} stays, as it was before Wane and not because of it: {proof}")
            }
            ClosureBasis::Unrecallable { until } => format!("{artifact} ran out by itself at {until}"),
        })
    }

    /// Any event: its name and what is known of it.
    fn plain(self) -> String {
        let mut text = format!("{}: {}", self.who(), words(&self.record.event));
        match self.record.outcome {
            Outcome::Done => {}
            Outcome::Denied => text.push_str(" (refused)"),
            Outcome::Failed => text.push_str(" (failed)"),
        }
        for (field, word) in [
            ("artifact", ""),
            ("reason", ""),
            ("proof", ""),
            ("met", "met "),
            ("name", ""),
            ("rule", "by the rule "),
            ("then", "then "),
        ] {
            if let Some(said) = self.text(field) {
                text.push_str(&format!(", {word}{said}"));
            }
        }
        if let Some(verdict) = self.record.detail.pointer("/tally/verdict/word").and_then(Value::as_str) {
            text.push_str(&format!(", verdict {verdict}"));
        }
        if let Some(end) = self.time("end") {
            text.push_str(&format!(", until {end}"));
        }
        text
    }

    fn who(self) -> String {
        actor(self.names, &self.record.actor)
    }

    fn resource(self) -> String {
        self.record.about.resource.map_or_else(|| "the target".to_owned(), |id| self.names.resource(id))
    }

    fn read<T: DeserializeOwned>(self, field: &str) -> Option<T> {
        T::deserialize(self.record.detail.get(field)?).ok()
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.record.detail.get(field)?.as_str().filter(|text| !text.is_empty())
    }

    fn number(self, field: &str) -> Option<u64> {
        self.record.detail.get(field)?.as_u64()
    }

    fn time(self, field: &str) -> Option<Time> {
        self.read(field)
    }
}

/// An event's name as words: `grant.activated` as `grant activated`.
fn words(event: &str) -> String {
    event.replace(['.', '_'], " ")
}
