//! Ending many accounts of one server in one round: the steps of [`end`](crate::end), each for all of them
//! before the next for any.
//!
//! Owns: which accounts can share a round. Refuses to know: what an account can leave behind. Whose end
//! is not plain (it owns something, it is not there, it is not ours) is ended by itself, and so is
//! everybody if the server refuses a step: one that cannot be dropped spoils no other's end (held by
//! `one_that_cannot_be_dropped_spoils_no_others_end`).

use wane_connector::EndOutcome;
use wane_failpoint::point;

use crate::end::{block, cut_sessions, drop_roles, revokes, sessions, still_there};
use crate::facts::{Account, Desk, Found, Left, Who, find_all};
use crate::session::{Fail, Session};

/// How many accounts share a round: their statements fit into one message, and are done well within the
/// bound of an effect.
pub(crate) const ROUND: usize = 64;

/// Runs the whole sequence once for all of them; nothing for those that have to be ended by themselves.
pub(crate) async fn end_together(desk: &Desk<'_>, all: &[Who]) -> Result<Vec<Option<EndOutcome>>, Fail> {
    let mut session = desk.any().await?;
    let found = find_all(&mut session, &all.iter().collect::<Vec<_>>()).await?;
    let mut out: Vec<Option<EndOutcome>> = found.iter().map(|_| None).collect();
    let mut round: Vec<(usize, &Account)> = Vec::new();
    for (place, found) in found.iter().enumerate() {
        if let Found::Ours(account) = found {
            round.push((place, account));
        }
    }
    // One gains nothing from company.
    if round.len() > 1 {
        match end_round(&mut session, &round).await {
            Ok(ended) => {
                for (place, outcome) in ended {
                    if let Some(slot) = out.get_mut(place) {
                        *slot = Some(outcome);
                    }
                }
            }
            Err(other @ (Fail::Unreachable(_) | Fail::Trust(_))) => return Err(other),
            Err(refused) => {
                session.run(point!("postgres.together.refused"), "ROLLBACK").await?;
                if refused.is_contention() {
                    desk.keep(session);
                    return Err(refused);
                }
                tracing::debug!(%refused, accounts = round.len(), "a round of ends was refused; each is ended by itself");
            }
        }
    }
    desk.keep(session);
    Ok(out)
}

async fn end_round(session: &mut Session, round: &[(usize, &Account)]) -> Result<Vec<(usize, EndOutcome)>, Fail> {
    let accounts: Vec<&Account> = round.iter().map(|(_, account)| *account).collect();
    let oids: Vec<u32> = accounts.iter().map(|account| account.oid).collect();
    session.run(point!("postgres.together.block"), &block(&accounts)?).await?;
    let mut left = Left::of(session, &oids).await?;
    if sessions(&left) > 0 {
        // What they have by membership goes before they do.
        let open = accounts.iter().zip(&left).filter(|(_, left)| left.sessions > 0);
        let revokes = revokes(session, &open.map(|(account, _)| *account).collect::<Vec<_>>()).await?;
        if !revokes.is_empty() {
            session.run(point!("postgres.together.strip"), &revokes.join("; ")).await?;
        }
    }
    left = cut_sessions(session, &oids, left).await?;
    let mut ended = Vec::new();
    let mut plain = Vec::new();
    for ((place, account), left) in round.iter().zip(&left) {
        if left.sessions > 0 {
            ended.push((*place, still_there(left.sessions)));
        } else if left.is_nothing() {
            ended.push((*place, EndOutcome::Done));
            plain.push(*account);
        }
    }
    if !plain.is_empty() {
        drop_roles(session, &plain).await?;
    }
    Ok(ended)
}
