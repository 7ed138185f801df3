//! Whether people signed for what is to be signed: read from their signatures and from nothing else.

use std::collections::BTreeSet;

use wane_approval::{Counter, verify};
use wane_connector::{Place, Reader};
use wane_domain::approval::Statement;
use wane_domain::id::{OrgId, PersonId};
use wane_domain::issue::{Authority, Right};
use wane_domain::request::{Ask, Parent, Start};
use wane_domain::time::{Span, Time};

use super::root::{Guard, Root, Used};

/// How long after the last signature something is used for the first time, at the latest.
const USED_WITHIN: Span = Span::from_hours(7 * 24);
/// How long after its end that something was used is remembered.
const REMEMBERED: Span = Span::from_hours(24);
/// By how much a server's clock may be off ours.
pub(super) const SKEW: Span = Span::from_mins(5);

/// What has to be remembered before the signature is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remember {
    pub(super) key: String,
    pub(super) used: Used,
}

/// One question.
pub(super) struct Question<'a> {
    pub(super) org: OrgId,
    pub(super) root: &'a Root,
    pub(super) reader: Reader,
    pub(super) right: &'a Right,
    pub(super) message: &'a [u8],
    pub(super) now: Time,
}

impl Question<'_> {
    /// The strictest of the guards over what the message gives; none if nothing of it is guarded.
    ///
    /// INVARIANT: what is good at one resource is not had by what people signed for another, though the setting that says
    /// which is in a store that can be rewritten (held by `whoever_holds_the_server_gets_no_certificate_that_people_have_to_sign_for`,
    /// `whoever_holds_the_server_gets_no_token_that_people_have_to_sign_for`).
    pub(super) fn guard(&self) -> Result<Option<Guard>, String> {
        let given = (self.reader.gives)(self.message)?;
        let guards: Vec<&Guard> = given.names.iter().filter_map(|what| self.root.guards.get(what)).collect();
        let strictest = guards.iter().copied().copied().reduce(|a, b| Guard {
            quorum: a.quorum.max(b.quorum),
            most: a.most.min(b.most),
            at: a.at.or(b.at),
        });
        let Some(strictest) = strictest else { return Ok(None) };
        if guards.iter().any(|guard| guard.at.is_some_and(|at| at != self.right.item().resource)) {
            return Err("it is guarded as another resource's".to_owned());
        }
        if given.place == Place::Unsigned && strictest.at.is_none() {
            return Err("nothing that people sign says of which resource it is; guard it with `--at`".to_owned());
        }
        Ok(Some(strictest))
    }

    /// Whether enough people signed for exactly this.
    ///
    /// INVARIANT: what is guarded is given to whom, for what, and for as long as people signed, once (held by
    /// `whoever_holds_the_server_gets_nothing_that_people_have_to_sign_for`).
    pub(super) fn judge(&self, guard: Guard, authority: &Authority) -> Result<Remember, String> {
        let Authority { ask, item, role, .. } = authority;
        let refuse = |why: &str| Err(why.to_owned());
        if ask.org != self.org {
            return refuse("it was asked elsewhere");
        }
        let asked = ask.items.get(usize::from(*item)).ok_or("the request has no such item")?;
        if ask.beneficiary != self.right.holder() {
            return refuse("it was asked for somebody else");
        }
        if asked != self.right.item() {
            return refuse("something else was asked");
        }
        if role.id != asked.role || role.digest().ok() != Some(asked.role_digest) {
            return refuse("the role is not the one that was approved");
        }
        (self.reader.within)(role, self.right, self.message)?;
        let latest = self.signed(guard, authority, ask, *item)?;
        self.window(guard, authority, latest)
    }

    /// When the last of enough people signed for this item of this ask.
    fn signed(&self, guard: Guard, authority: &Authority, ask: &Ask, item: u16) -> Result<Time, String> {
        let digest = ask.digest().map_err(|e| e.to_string())?;
        let (mut people, mut count) = (BTreeSet::<PersonId>::new(), 0_usize);
        let mut latest = Time::from_micros(0);
        for approval in &authority.approvals {
            let Some(signed) = &approval.signed else { continue };
            let Ok(said) = Statement::read(&signed.statement) else { continue };
            let Some(known) = self.root.keys.get(&said.key) else { continue };
            let fits = said.org == self.org
                && said.over() == digest
                && said.seats(usize::from(item), approval.stage)
                && said.approver == known.person
                && said.at > known.since
                && said.at <= self.now.plus(SKEW)
                && !said.people().any(|who| [ask.requester, ask.beneficiary].contains(&who));
            // Whoever stands in and whoever they stand in for are one, whichever of them signed.
            let is_new = !said.people().any(|who| people.contains(&who));
            if fits && is_new && verify(signed, &known.material, Counter::WasChecked).is_ok() {
                people.extend(said.people());
                count = count.saturating_add(1);
                latest = latest.max(said.at);
            }
        }
        if count < usize::from(guard.quorum.max(1)) {
            return Err(format!(
                "{count} of {} signed it with keys that are known here; see that their keys are vouched for",
                guard.quorum
            ));
        }
        Ok(latest)
    }

    /// Whether it is within what was signed, and used nowhere else.
    fn window(&self, guard: Guard, authority: &Authority, latest: Time) -> Result<Remember, String> {
        let refuse = |why: &str| Err(why.to_owned());
        let (right, ask) = (self.right, &authority.ask);
        if self.root.ended.contains_key(&right.grant()) {
            return refuse("the grant is over");
        }
        if ask.duration > guard.most {
            return Err(format!("it was asked for {}, and {} is the most here", ask.duration, guard.most));
        }
        let key = format!("{}/{}", ask.digest().map_err(|e| e.to_string())?, authority.item);
        let mut used = match self.root.used.get(&key) {
            Some(used) if used.grant != right.grant() => return refuse("it was used for another grant"),
            Some(used) => *used,
            None if self.now > latest.plus(USED_WITHIN) => return refuse("it was signed too long ago"),
            None => {
                let until = match ask.start {
                    Start::Now => self.now.plus(ask.duration),
                    Start::At(start) => start.plus(ask.duration),
                };
                Used { grant: right.grant(), first: self.now, until }
            }
        };
        if let Start::At(start) = ask.start
            && (right.not_before() < start || self.now.plus(SKEW) < start)
        {
            return refuse("it begins later");
        }
        if right.not_before() > self.now.plus(SKEW) {
            return refuse("it begins later than now");
        }
        used.until = used.until.max(self.until(guard, authority, &used)?);
        // A certificate is good to the second.
        if right.not_after() > used.until.plus(Span::from_secs(1)) || self.now >= used.until {
            return refuse("it lasts longer than was signed");
        }
        Ok(Remember { key, used })
    }
}

impl Question<'_> {
    /// Until when it lasts with the time that people signed for since; each extension counts once.
    ///
    /// INVARIANT: more time is signed for as the first was, for this grant, while it runs (held by
    /// `more_time_is_signed_for_as_the_first_was`).
    fn until(&self, guard: Guard, authority: &Authority, used: &Used) -> Result<Time, String> {
        let Authority { ask, item, extensions, .. } = authority;
        let (first, asked) = (ask.digest().map_err(|e| e.to_string())?, ask.items.get(usize::from(*item)));
        let begins = match ask.start {
            Start::Now => used.first,
            Start::At(start) => start,
        };
        let (mut end, mut counted) = (begins.plus(ask.duration), BTreeSet::new());
        for more in extensions {
            let longer = end.plus(more.duration);
            let fits = more.org == self.org
                && more.beneficiary == self.right.holder()
                && more.items.len() == 1
                && more.items.first() == asked
                && more.start == Start::Now
                && more.parent == Some(Parent::Extends { digest: first, grant: self.right.grant() })
                && longer.since(begins) <= guard.most;
            let is_new = counted.insert(more.digest().map_err(|e| e.to_string())?);
            let while_it_ran = |signed: Time| signed <= end.plus(SKEW);
            if fits && is_new && self.signed(guard, authority, more, 0).is_ok_and(while_it_ran) {
                end = longer;
            }
        }
        Ok(end)
    }
}

/// Forgets what can be used no more: the signatures for it are too old by then.
pub(super) fn forget(root: &mut Root, now: Time) {
    let keep = USED_WITHIN.micros().saturating_add(REMEMBERED.micros());
    let keep = Span::from_micros(keep);
    root.used.retain(|_, used| now < used.until.plus(keep).max(used.first.plus(keep)));
    root.ended.retain(|_, at| now < at.plus(Span::from_micros(keep.micros().saturating_mul(8))));
}
