//! Keys that approvers vouch for: read from their signatures and from nothing else, and counted by people.

use std::collections::BTreeMap;

use wane_approval::{Counter, verify_text};
use wane_connector::Vouched;
use wane_domain::approval::{Signature, Voucher};
use wane_domain::id::OrgId;
use wane_domain::time::{Span, Time};

use super::judge::SKEW;
use super::root::{Known, Pending, Root};

/// How old a voucher may be, and how long one waits for others.
const VOUCHED_WITHIN: Span = Span::from_hours(24);
/// Keys that wait for more to vouch for them.
const MOST_PENDING: usize = 64;

/// A voucher, and what was shown for it.
pub(super) struct Vouching<'a> {
    pub(super) org: OrgId,
    pub(super) text: &'a str,
    pub(super) said: &'a Voucher,
    pub(super) signature: &'a Signature,
    pub(super) now: Time,
}

impl Vouching<'_> {
    /// Enters it; the key counts once as many people vouched as the strictest guard asks for.
    ///
    /// INVARIANT: no key counts but by the signatures of as many people as have to sign for anything, with keys that
    /// count (held by `no_key_counts_that_nobody_vouched_for`, `one_approver_alone_makes_no_second_one`).
    pub(super) fn enter(&self, root: &mut Root) -> Result<Vouched, String> {
        let refuse = |why: &str| Err(why.to_owned());
        let said = self.said;
        if said.org != self.org {
            return refuse("it was vouched for elsewhere");
        }
        if self.now.since(said.at) > VOUCHED_WITHIN || said.at > self.now.plus(SKEW) {
            return refuse("it was vouched for too long ago");
        }
        let by = root.keys.get(&said.with).filter(|known| known.person == said.by);
        let by = by.ok_or("who vouches is not known here")?;
        verify_text(self.text, self.signature, &by.material, Counter::WasChecked).map_err(|e| e.to_string())?;
        if root.keys.contains_key(&said.key) {
            return refuse("that key is known already");
        }
        if root.forgotten.contains(&said.key) {
            return refuse("that key was told to count no more; enter another");
        }
        let of = root.guards.values().map(|guard| guard.quorum).max().unwrap_or_default().max(1);
        for pending in &mut root.vouched {
            pending.by.retain(|_, at| self.now.since(*at) <= VOUCHED_WITHIN);
        }
        root.vouched.retain(|pending| !pending.by.is_empty());
        let same = |p: &Pending| p.key == said.key && p.person == said.person && p.material == said.material;
        let at = match root.vouched.iter().position(same) {
            Some(at) => at,
            None if root.vouched.len() >= MOST_PENDING => {
                return refuse("too many keys wait to be vouched for already");
            }
            None => {
                let (key, person, material) = (said.key, said.person, said.material.clone());
                root.vouched.push(Pending { key, person, material, by: BTreeMap::new() });
                root.vouched.len().saturating_sub(1)
            }
        };
        let mut pending = root.vouched.swap_remove(at);
        pending.by.insert(said.by, said.at);
        let vouched = Vouched { have: u16::try_from(pending.by.len()).unwrap_or(u16::MAX), of };
        if vouched.counts() {
            let known = Known { person: pending.person, material: pending.material, since: self.now };
            root.keys.insert(pending.key, known);
            root.vouched.retain(|other| other.key != said.key);
        } else {
            root.vouched.push(pending);
        }
        Ok(vouched)
    }
}
