//! The report of somebody's leaving.

use wane_api::leaving::{AccountsView, ClosedIdentity, KeptGroup, LeavingView, TheirAccountView, UnseenView};
use wane_app::{AccountsSeen, App, Leaving};

use super::{Names, at, grant};

pub(crate) fn report(app: &App, names: Names<'_>, report: &Leaving) -> LeavingView {
    let owed = report.held.iter().flat_map(|(_, leases)| leases).filter(|lease| lease.is_open()).count();
    LeavingView {
        person: report.person.name.to_string(),
        left: at(report.at),
        by: report.by.map(|id| names.person(id)),
        why: report.why.clone(),
        complete: report.is_complete(),
        owed: u32::try_from(owed).unwrap_or(u32::MAX),
        sessions: report.sessions,
        codes: report.codes,
        password: report.password,
        passkeys: report.passkeys.clone(),
        identities: report
            .identities
            .iter()
            .map(|[provider, subject]| ClosedIdentity { provider: provider.clone(), subject: subject.clone() })
            .collect(),
        groups: report.groups.clone(),
        kept: report
            .kept
            .iter()
            .map(|[group, kept_by]| KeptGroup { group: group.clone(), kept_by: kept_by.clone() })
            .collect(),
        requests: report.requests.clone(),
        held: report.held.iter().map(|(held, leases)| grant::grant(app, names, held, leases)).collect(),
        accounts: report.strangers.as_ref().map(|seen| accounts(names, seen)),
    }
}

fn accounts(names: Names<'_>, seen: &AccountsSeen) -> AccountsView {
    let found = seen.accounts.iter().map(|account| TheirAccountView {
        resource: names.resource(account.resource),
        principal: account.principal.clone(),
        right: account.right.clone(),
    });
    let unseen =
        seen.unseen.iter().map(|one| UnseenView { resource: names.resource(one.resource), why: one.why.clone() });
    AccountsView { found: found.collect(), unseen: unseen.collect() }
}
