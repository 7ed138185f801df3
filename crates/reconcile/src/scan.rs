//! One look for residue at one target: ask, compare, book. Delays no end and fails alone: what could
//! not be judged waits for the next look.

use wane_app::{App, AppError};

use crate::residue::{Ledger, Scan};

/// How many findings one commit carries.
const TOGETHER: usize = 100;

/// Scans a target and books what the leases that ended there left.
pub(crate) async fn scan(app: &App, mut scan: Scan) -> Scan {
    let begun = app.now();
    let lines = app.traces(scan.target).await;
    let over = app.now();
    scan.took = over.since(begun);
    match lines {
        Ok(lines) => match Ledger::enter(scan.ledger.take(), lines, begun, over) {
            Ok(ledger) => scan.ledger = Some(ledger),
            Err(error) => {
                tracing::warn!(target_id = %scan.target, %error, unjudged = scan.ended.len(), "too many, not scanned");
                scan.ended.clear();
            }
        },
        Err(error) => {
            tracing::warn!(target_id = %scan.target, %error, "a target could not be scanned for residue");
            return scan;
        }
    }
    if let Err(error) = judge(app, &mut scan).await {
        tracing::error!(target_id = %scan.target, %error, "residue could not be booked; it is tried again");
    }
    scan
}

async fn judge(app: &App, scan: &mut Scan) -> Result<(), AppError> {
    let Some(ledger) = &scan.ledger else { return Ok(()) };
    let Some((begun, _)) = ledger.last() else { return Ok(()) };
    let mut ended = Vec::new();
    for id in &scan.ended {
        if let Some(lease) = app.store().lease(*id).await? {
            ended.push((*id, lease.value.at));
        }
    }
    let open = app.open_since(&ledger.others(&ended), begun).await?;
    for found in ledger.judge(&ended, &open).chunks(TOGETHER) {
        app.book_residue(found).await?;
        for booked in found {
            scan.ended.remove(&booked.lease);
        }
    }
    // The rest began before the baseline, or is at a target without traces: never to be judged.
    scan.ended.clear();
    Ok(())
}
