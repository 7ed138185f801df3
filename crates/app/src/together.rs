//! Ending several leases at one target in one round.
//!
//! Owns: that each of them is read back, booked and answered for by itself, whatever becomes of the
//! others: what the round leaves out is ended alone. Refuses to know: how a kind does it, and when.

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::iter;
use wane_connector::{ConnectError, Effects, EndOutcome};
use wane_domain::id::{LeaseId, ResourceId};
use wane_domain::lease::{LeaseData, LeaseKind};
use wane_domain::world::World;
use wane_failpoint::{around, point};

use crate::App;
use crate::end::{LONGEST_END, Owed, Owing, Tried, TryEnd, failed, settle, short_of_done, too_long};
use crate::error::AppError;

/// How many of those that the round left out are ended at once.
const ALONE_AT_ONCE: usize = 8;

impl App {
    /// How many ends at a target are best tried in one round.
    #[must_use]
    pub fn ends_in_one_round(&self, world: &World, target: ResourceId) -> usize {
        let resource = world.resources.get(&target);
        let kind = resource.and_then(|resource| self.kinds.get(resource.kind.as_str()));
        kind.map_or(1, |kind| Effects::in_one_round(&*kind.effects()))
    }

    /// Tries once to end leases at one target, together where its kind can, and to read back the absence of
    /// each. Each has an outcome of its own, as [`App::try_end`] has.
    pub async fn try_end_together(
        &self,
        target: ResourceId,
        ids: &[LeaseId],
    ) -> Vec<(LeaseId, Result<TryEnd, AppError>)> {
        if let [only] = ids {
            return vec![(*only, self.try_end(*only).await)];
        }
        let mut out = Vec::with_capacity(ids.len());
        let mut owed = Vec::new();
        let all = match self.all_owed(ids).await {
            Ok(all) => all,
            // Each by itself then, so that each has an answer of its own.
            Err(_) => {
                for (id, owing) in ids.iter().zip(join_all(ids.iter().map(|id| self.owed(*id))).await) {
                    match owing {
                        Ok(Owing::Settled(how)) => out.push((*id, Ok(how))),
                        Ok(Owing::Owed(one)) => owed.push(*one),
                        Err(error) => out.push((*id, Err(error))),
                    }
                }
                Vec::new()
            }
        };
        for (id, owing) in all {
            match owing {
                Owing::Settled(how) => out.push((id, Ok(how))),
                Owing::Owed(one) => owed.push(*one),
            }
        }
        // One that a person has to look at would have the server refuse the round.
        let (round, mut alone): (Vec<Owed>, Vec<Owed>) = owed.into_iter().partition(|owed| {
            let by_itself = matches!(owed.lease.what, LeaseKind::Session | LeaseKind::Membership);
            let alone = owed.lease.debt.quarantined.is_some() || by_itself;
            owed.lease.resource == target && !alone
        });
        let mut tried = Vec::new();
        let outcomes = self.touch_together(target, &round.iter().map(|owed| &*owed.lease).collect::<Vec<_>>()).await;
        for (owed, outcome) in round.into_iter().zip(outcomes) {
            match outcome {
                Some(outcome) => tried.push((owed, outcome)),
                None => alone.push(owed),
            }
        }
        let (booked, rest) = self.settle_together(tried).await;
        out.extend(booked.into_iter().map(|(id, how)| (id, Ok(how))));
        out.extend(join_all(rest.into_iter().map(|(owed, outcome)| self.settled(owed, outcome))).await);
        let one_by_one = iter(alone).map(|owed| async move {
            let outcome = self.touch_target(&owed.lease).await;
            self.settled(owed, outcome).await
        });
        out.extend(one_by_one.buffer_unordered(ALONE_AT_ONCE).collect::<Vec<_>>().await);
        out
    }

    /// What the round came to for each of them; nothing for those that are to be ended alone.
    async fn touch_together(&self, target: ResourceId, leases: &[&LeaseData]) -> Vec<Option<Tried>> {
        let all = |tried: &Tried| leases.iter().map(|_| Some(tried.clone())).collect();
        if leases.len() < 2 {
            return leases.iter().map(|_| None).collect();
        }
        let handle = match self.target(target).await {
            Ok(handle) => handle,
            Err(error) => return all(&Tried::not(error.to_string())),
        };
        let now = self.now();
        let (effects, target) = (handle.kind.effects(), handle.target(now));
        let work = async {
            let ended = around(point!("app.end.together"), effects.end_together(&target, leases)).await;
            let ended = match ended {
                Ok(ended) if ended.len() == leases.len() => ended,
                // Who answers for others than were asked about has answered for nobody.
                Ok(_) => return leases.iter().map(|_| None).collect(),
                Err(error @ (ConnectError::Unreachable { .. } | ConnectError::Trust { .. })) => {
                    return all(&failed(&error));
                }
                Err(_) => return leases.iter().map(|_| None).collect(),
            };
            let done = ended.iter().zip(leases).filter(|(outcome, _)| **outcome == Some(EndOutcome::Done));
            let done: Vec<&LeaseData> = done.map(|(_, lease)| *lease).collect();
            let read_back = effects.read_back_together(&target, &done);
            let seen = around(point!("app.end.together.read_back"), read_back).await;
            let mut seen = match seen {
                Ok(seen) if seen.len() == done.len() => Ok(seen.into_iter()),
                Ok(_) => Err(None),
                Err(error) => Err(Some(failed(&error))),
            };
            let each = ended.into_iter().zip(leases).map(|(outcome, lease)| match short_of_done(outcome?, now) {
                Some(tried) => Some(tried),
                // Each by what the target says of it, never by what was said of the round.
                None => match &mut seen {
                    Ok(seen) => seen.next().map(|presence| settle(lease, presence, now)),
                    Err(failed) => failed.clone(),
                },
            });
            each.collect()
        };
        tokio::time::timeout(LONGEST_END, work).await.unwrap_or_else(|_| all(&too_long()))
    }

    async fn settled(&self, owed: Owed, tried: Tried) -> (LeaseId, Result<TryEnd, AppError>) {
        (owed.lease.id, self.settle_try(&owed, tried).await)
    }
}
