//! The boards: all live access, and every end that is owed.

use wane_api::board::{Access, DebtView, LiveSession, LiveView};
use wane_app::{DebtLine, LiveLine, SessionLine, Standing};
use wane_domain::grant::GrantState;
use wane_domain::terms::Mode;
use wane_domain::time::Time;

use super::{Names, at, catalogue};

pub(crate) fn live(names: Names<'_>, line: &LiveLine, now: Time) -> LiveView {
    let grant = &line.grant;
    let (since, end) = match &grant.state {
        GrantState::Active { since, end } => (*since, *end),
        GrantState::Ending { since, at, .. } => (since.unwrap_or(*at), *at),
        GrantState::Scheduled | GrantState::Closed { .. } => (grant.at, line.end.unwrap_or(grant.at)),
    };
    let ends_by = match &grant.state {
        GrantState::Ending { cause, .. } => format!("ending: {}", cause.name()),
        GrantState::Scheduled | GrantState::Active { .. } | GrantState::Closed { .. } => {
            let logins = if line.residual.revokes_logins { "login revoked" } else { "credential runs out" };
            let sessions = if line.residual.kills_sessions { "sessions cut" } else { "open sessions stay" };
            format!("{logins}, {sessions}")
        }
    };
    LiveView {
        grant: grant.id.to_string(),
        person: names.person(grant.holder),
        resource: names.resource(grant.item.resource),
        role: names.role(grant.item.role),
        kind: names.kind(grant.item.resource),
        access: match grant.terms.mode {
            Mode::Any | Mode::Direct => Access::Direct,
            Mode::Brokered => Access::Brokered,
        },
        since: at(since),
        end: at(end),
        left_secs: line.end.map_or(0, |end| end.since(now).secs()),
        ends_by,
        sessions_cut: line.residual.kills_sessions,
        leases: u32::try_from(line.leases.len()).unwrap_or(u32::MAX),
    }
}

pub(crate) fn session(names: Names<'_>, line: &SessionLine) -> LiveSession {
    let (bytes_up, bytes_down) = line.meter.read();
    let (verdict, findings) = line.meter.verdict();
    LiveSession {
        id: line.session.to_string(),
        grant: line.grant.to_string(),
        person: names.person(line.holder),
        resource: names.resource(line.resource),
        role: names.role(line.role),
        login: line.login.clone(),
        peer: line.peer.to_string(),
        client: line.client.clone(),
        since: at(line.since),
        end: match line.standing {
            Standing::Until(end) => Some(at(end)),
            Standing::Over(_) => None,
        },
        prove_by: line.reproof.map(|reproof| at(reproof.pauses())),
        bytes_up,
        bytes_down,
        verdict: verdict.name().to_owned(),
        findings,
    }
}

pub(crate) fn debt(names: Names<'_>, line: &DebtLine, now: Time) -> DebtView {
    let lease = &line.lease;
    let owner = names.0.resources.get(&lease.resource).and_then(|r| r.owner);
    DebtView {
        lease: lease.id.to_string(),
        grant: lease.grant.to_string(),
        resource: names.resource(lease.resource),
        owner: owner.map(|o| catalogue::owner(names, o).to_string()),
        artifact: lease.artifact.clone(),
        since: at(line.since),
        age_secs: now.since(line.since).secs(),
        attempts: lease.debt.attempts,
        next: lease.debt.next.map(at),
        last: lease.debt.last.clone(),
        quarantined: lease.debt.quarantined.clone(),
        unrecallable_until: lease.debt.unrecallable_until.map(at),
    }
}
