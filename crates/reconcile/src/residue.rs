//! What is known of the traces at each target, and what an ended lease can have left of them.
//!
//! Owns: when a target is scanned, and which line may be whose. Refuses to know: how a target is
//! asked and how a finding is booked. In memory alone: after a start, only leases that begin later
//! are judged.
//!
//! A scan says of each line when it was first seen. A line that was there before a lease began is
//! not of it; one that was first seen later may be. So one scan serves all leases at a target, short
//! or long, and none is needed when something is made.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound;

use serde_json::Value;
use wane_app::Residue;
use wane_domain::id::{LeaseId, ResourceId};
use wane_domain::lease::lease_of_artifact;
use wane_domain::time::{Span, Time};

/// The most lines that are kept of one target; one with more is not scanned.
pub(crate) const MOST_LINES: usize = 50_000;
/// The longest a scan waits, from the first end, for the queue of its target to be idle.
const LONGEST_WAIT: Span = Span::from_secs(5);
/// The most lines one record names.
const MOST_LEFT: usize = 200;
/// The most lines all records of one scan name together, as long as that leaves each a few.
const MOST_TOLD: usize = 20_000;
const FEW: usize = 5;
/// How many moments of scans are kept of one target.
const MOST_SCANS: usize = 1_000;
/// How many ended leases wait at one target that cannot be scanned.
const MOST_ENDED: usize = 100_000;
/// So many times as long as a scan took, its target is left in peace after it.
const REST: u64 = 4;
const LONGEST_REST: Span = Span::from_secs(60);
/// How many targets are scanned at once.
const AT_ONCE: usize = 4;

/// The traces of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Each line that is there, with the end of the scan that saw it first.
    lines: HashMap<String, Time>,
    /// Beginning and end of scans, oldest first; the first of all is always kept.
    scans: VecDeque<(Time, Time)>,
    /// Whether this target ever showed a trace: one that never does has none to show.
    spoke: bool,
}

/// Too many lines to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {0} traces, more than {MOST_LINES}; it is not scanned for residue")]
pub(crate) struct TooMany(usize);

impl Ledger {
    /// Enters what a scan saw. Without one before it, it is the baseline.
    pub(crate) fn enter(before: Option<Self>, lines: Vec<String>, begun: Time, over: Time) -> Result<Self, TooMany> {
        if lines.len() > MOST_LINES {
            return Err(TooMany(lines.len()));
        }
        let (mut known, mut scans, spoke) = before.map_or_else(Default::default, |b| (b.lines, b.scans, b.spoke));
        let spoke = spoke || !lines.is_empty();
        let lines = lines
            .into_iter()
            .map(|line| {
                let first = known.remove(&line).unwrap_or(over);
                (line, first)
            })
            .collect();
        scans.push_back((begun, over));
        if scans.len() > MOST_SCANS {
            // Of the older half, every second goes: an old lease is told a somewhat older moment.
            let mut place = 0usize;
            scans.retain(|_| {
                place = place.saturating_add(1);
                place > MOST_SCANS / 2 || place % 2 == 1
            });
        }
        Ok(Self { lines, scans, spoke })
    }

    /// Beginning and end of the last scan.
    pub(crate) fn last(&self) -> Option<(Time, Time)> {
        self.scans.back().copied()
    }

    /// When the last scan began that was over before a lease did.
    fn before(&self, lease: Time) -> Option<Time> {
        let later = self.scans.partition_point(|(_, over)| *over <= lease);
        self.scans.get(later.checked_sub(1)?).map(|(begun, _)| *begun)
    }

    /// The leases that lines name which came after the first of these began, without these themselves.
    pub(crate) fn others(&self, ended: &[(LeaseId, Time)]) -> Vec<LeaseId> {
        let Some(first) = ended.iter().map(|(_, at)| *at).min() else { return Vec::new() };
        let own: HashSet<LeaseId> = ended.iter().map(|(id, _)| *id).collect();
        let fresh = self.lines.iter().filter(|(_, seen)| **seen > first);
        let named: HashSet<LeaseId> = fresh.flat_map(|(line, _)| names(line)).filter(|id| !own.contains(id)).collect();
        named.into_iter().collect()
    }

    /// What each of these leases, with when it began, may have left. `open` are leases that still
    /// stand. A lease that began before the baseline is not judged, nor is any at a target that never
    /// showed a trace.
    pub(crate) fn judge(&self, ended: &[(LeaseId, Time)], open: &HashSet<LeaseId>) -> Vec<Residue> {
        let Some(until) = self.last().map(|(_, over)| over).filter(|_| self.spoke) else { return Vec::new() };
        let mut named: HashMap<LeaseId, Vec<(&str, Time)>> = ended.iter().map(|(id, _)| (*id, Vec::new())).collect();
        // By when they were first seen.
        let mut anybodys: BTreeMap<Time, Vec<&str>> = BTreeMap::new();
        for (line, seen) in &self.lines {
            let whose = names(line);
            let mut taken = false;
            for id in &whose {
                if let Some(lines) = named.get_mut(id) {
                    lines.push((line, *seen));
                    taken = true;
                }
            }
            if !taken && !whose.iter().any(|id| open.contains(id)) {
                anybodys.entry(*seen).or_default().push(line);
            }
        }
        named.values_mut().for_each(|lines| lines.sort_unstable());
        anybodys.values_mut().for_each(|lines| lines.sort_unstable());
        let most = MOST_TOLD.checked_div(ended.len()).unwrap_or(MOST_LEFT).clamp(FEW, MOST_LEFT);
        let judge = |(id, at): &(LeaseId, Time)| {
            let since = self.before(*at)?;
            // Its own first: they are surely of it.
            let own = named.get(id).into_iter().flatten().filter(|(_, seen)| *seen > *at).map(|(line, _)| *line);
            let later = || anybodys.range((Bound::Excluded(*at), Bound::Unbounded)).map(|(_, lines)| lines);
            let all = own.clone().count().saturating_add(later().map(Vec::len).sum());
            let left: Vec<String> = own.chain(later().flatten().copied()).take(most).map(str::to_owned).collect();
            let more = all.saturating_sub(left.len());
            Some(Residue { lease: *id, since, until, left, more })
        };
        ended.iter().filter_map(judge).collect()
    }
}

/// The leases whose artifacts a line names.
fn names(line: &str) -> Vec<LeaseId> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.split(|c| !word(c)).filter_map(lease_of_artifact).collect()
}

/// A scan that is to be made, with what it is judged by.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) target: ResourceId,
    /// Which registration of the target it is of.
    turn: u64,
    /// What was known before; afterwards, what is known then.
    pub(crate) ledger: Option<Ledger>,
    /// The leases to be judged; afterwards, those that could not be.
    pub(crate) ended: BTreeSet<LeaseId>,
    /// How long the target took to answer.
    pub(crate) took: Span,
}

/// One target.
#[derive(Debug)]
struct Watched {
    settings: Value,
    turn: u64,
    ledger: Option<Ledger>,
    ended: BTreeSet<LeaseId>,
    /// When it is scanned at the latest; none while nothing asks for it.
    due: Option<Time>,
    /// It is left in peace until then.
    rest: Time,
    /// Whether it is scanned now.
    scanning: bool,
}

/// All targets.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    targets: HashMap<ResourceId, Watched>,
    turns: u64,
    running: usize,
}

impl Watch {
    /// These are the targets there are. A new one is scanned at once, and so is one whose settings
    /// changed: it may be another machine, so that what was known says nothing.
    pub(crate) fn only<'a>(&mut self, targets: impl Iterator<Item = (ResourceId, &'a Value)>, now: Time) {
        let mut before = std::mem::take(&mut self.targets);
        for (id, settings) in targets {
            let watched = before.remove(&id).filter(|known| known.settings == *settings).unwrap_or_else(|| {
                self.turns = self.turns.saturating_add(1);
                let (turn, settings) = (self.turns, settings.clone());
                let (ended, due) = (BTreeSet::new(), Some(now));
                Watched { settings, turn, ledger: None, ended, due, rest: now, scanning: false }
            });
            self.targets.insert(id, watched);
        }
    }

    /// A lease there is gone.
    pub(crate) fn ended(&mut self, target: ResourceId, lease: LeaseId, now: Time) {
        let Some(watched) = self.targets.get_mut(&target) else { return };
        if watched.ended.len() < MOST_ENDED {
            watched.ended.insert(lease);
        }
        watched.due.get_or_insert(now.plus(LONGEST_WAIT));
    }

    /// All targets were visited: each is scanned anew.
    pub(crate) fn visited(&mut self, now: Time) {
        for watched in self.targets.values_mut() {
            watched.due = Some(watched.due.map_or(now, |due| due.min(now)));
        }
    }

    /// The scans that begin now: those whose time is up, or whose target has nothing left to end.
    pub(crate) fn start(&mut self, now: Time, busy: impl Fn(ResourceId) -> bool) -> Vec<Scan> {
        let mut out = Vec::new();
        for (target, watched) in &mut self.targets {
            let Some(due) = watched.due.filter(|_| !watched.scanning) else { continue };
            if self.running >= AT_ONCE || watched.rest > now || (due > now && busy(*target)) {
                continue;
            }
            (watched.due, watched.scanning) = (None, true);
            self.running = self.running.saturating_add(1);
            let (ledger, ended) = (watched.ledger.take(), std::mem::take(&mut watched.ended));
            out.push(Scan { target: *target, turn: watched.turn, ledger, ended, took: Span::ZERO });
        }
        out
    }

    /// A scan is over. What it could not judge waits for the next: an end there, or a visit.
    pub(crate) fn done(&mut self, scan: Scan, now: Time) {
        self.running = self.running.saturating_sub(1);
        let Some(watched) = self.targets.get_mut(&scan.target).filter(|w| w.turn == scan.turn) else { return };
        watched.scanning = false;
        let rest = scan.took.micros().saturating_mul(REST);
        watched.rest = now.plus(Span::from_micros(rest).min(LONGEST_REST));
        watched.ledger = scan.ledger;
        watched.ended.extend(scan.ended);
    }

    /// When the next scan is due that waits for its target. None if as many run as may.
    pub(crate) fn next(&self, now: Time) -> Option<Time> {
        let waiting = self.targets.values().filter(|w| !w.scanning && self.running < AT_ONCE);
        waiting.filter_map(|w| w.due.map(|due| if w.rest > now { w.rest } else { due })).min()
    }
}

#[cfg(test)]
mod tests;
