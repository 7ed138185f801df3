//! Certificates that came of orders: revoked by whoever has their key or their account, and when to renew them (RFC 9773).

use serde_json::json;
use wane_acme::{By, Call, Refused, Revoke, Sort};
use wane_audit::{Actor, Outcome};
use wane_domain::lease::LeaseState;
use wane_domain::time::{Span, Time};
use wane_failpoint::point;
use wane_store::{AcmeIssued, AcmeOrder, Write};

use super::{Stop, again};
use crate::App;
use crate::change::about_lease;

const PATH: &str = "/acme/revoke-cert";

/// When a certificate is best renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcmeRenewal {
    /// From when on.
    pub start: Time,
    /// Until when.
    pub end: Time,
    /// After how long to ask again.
    pub ask_again: Span,
}

/// Who wants a certificate revoked.
enum Whose {
    /// An account, of this grant.
    Grant(wane_domain::id::GrantId),
    /// Whoever has this key.
    Key(String),
}

impl App {
    /// Revokes one certificate; what else was issued under its grant goes on.
    ///
    /// # Errors
    /// When it is none of ours, the caller has neither its key nor an account of its grant, or it does not work any more.
    pub async fn acme_revoke(&self, body: &[u8]) -> Result<(), Refused> {
        let call = Call::read(body)?;
        call.is_for(&self.acme_url(PATH))?;
        let (whose, call) = match call.by() {
            By::Key(key) => {
                call.is_signed_by(key)?;
                self.acme_take(&call)?;
                (Whose::Key(key.thumbprint().to_owned()), call)
            }
            By::Account(_) => {
                let asked = self.acme_by_account(call).await.map_err(Refused::from)?;
                (Whose::Grant(asked.account.value.grant), asked.call)
            }
        };
        let says: Revoke = call.says()?;
        let (der, reason) = (says.certificate()?, says.reason()?);
        let acme = self.acme().map_err(Stop::from)?;
        let read = acme.certificate(&der).map_err(|why| Refused::new(Sort::Malformed, why))?;
        again!(self.acme_revoke_one(&read.id, &whose, reason))
    }

    async fn acme_revoke_one(&self, certificate: &str, whose: &Whose, reason: u64) -> Result<(), Stop> {
        let none = || Refused::new(Sort::Missing, "no such certificate came of an order here");
        let order = self.store.acme_order_of(certificate).await?.ok_or_else(none)?.value;
        let issued = order.issued.as_ref().ok_or_else(none)?;
        let account = self.store.acme_account(order.account).await?.ok_or_else(none)?.value;
        // INVARIANT: a certificate is revoked by whoever has its key or an account of its grant, and by nobody else (held by
        // `strangers_revoke_nothing`).
        let may = match whose {
            Whose::Grant(grant) => *grant == account.grant,
            Whose::Key(key) => *key == issued.key,
        };
        if !may {
            let why = "a certificate is revoked with its own key, or by an account under the same grant";
            return Err(Refused::new(Sort::Unauthorized, why).into());
        }
        let now = self.now();
        let lease = self.store.lease(issued.lease).await?.ok_or_else(none)?.value;
        let booked = self.store.issuance(issued.serial).await?.ok_or_else(none)?;
        if booked.revoked.is_some() || !matches!(lease.state, LeaseState::Live { .. }) || now >= issued.not_after {
            return Err(Refused::new(Sort::AlreadyRevoked, "it is revoked, or has run out").into());
        }
        let grant = self.store.grant(account.grant).await?.map(|grant| grant.value);
        let actor = match whose {
            Whose::Grant(_) => Actor::Person(account.person),
            Whose::Key(_) => Actor::Unknown,
        };
        let by = match whose {
            Whose::Grant(_) => "its account",
            Whose::Key(_) => "whoever has its key",
        };
        let mut change = self.change(actor, now);
        let detail =
            json!({ "lease": lease.id, "serial": issued.serial, "order": order.id, "by": by, "reason": reason });
        change.note("credential.revoked", Outcome::Done, about_lease(&lease, grant.as_ref()), detail);
        change.write(Write::RevokeIssuance(issued.serial, now));
        change.commit(point!("app.acme.revoke.commit")).await?;
        Ok(())
    }

    /// When a certificate is best renewed. One that does not work any more is, now.
    ///
    /// # Errors
    /// When no such certificate came of an order here.
    pub async fn acme_renewal(&self, certificate: &str) -> Result<AcmeRenewal, Refused> {
        let none = || Refused::new(Sort::Missing, "no such certificate came of an order here");
        let order = self.store.acme_order_of(certificate).await.map_err(Stop::from)?.ok_or_else(none)?.value;
        let issued = order.issued.as_ref().ok_or_else(none)?;
        let stands = self.acme_works(&order, issued).await.map_err(Refused::from)?;
        Ok(renewal(issued, stands, self.now()))
    }

    async fn acme_works(&self, order: &AcmeOrder, issued: &AcmeIssued) -> Result<bool, Stop> {
        // One row, however many there are under its lease: anybody asks this.
        let booked = self.store.issuance(issued.serial).await?;
        let Some(account) = self.store.acme_account(order.account).await? else { return Ok(false) };
        match self.acme_ground(&account.value).await {
            Ok(_) => Ok(booked.is_some_and(|booked| booked.revoked.is_none())),
            Err(Stop::Refused(_)) => Ok(false),
            Err(stop) => Err(stop),
        }
    }
}

/// When a certificate is best renewed: in the last third of its life, with time left to try again, or at once.
fn renewal(issued: &AcmeIssued, works: bool, now: Time) -> AcmeRenewal {
    let life = issued.not_after.since(issued.at).micros();
    let after = |parts: u64| issued.at.plus(Span::from_micros(life / 6 * parts));
    let (start, end) = if works {
        (after(4), after(5))
    } else {
        (issued.at.min(now.minus(Span::from_mins(2))), now.minus(Span::from_mins(1)))
    };
    let ask_again = Span::from_micros(life / 12).max(Span::from_secs(10));
    AcmeRenewal { start, end, ask_again }
}

#[cfg(test)]
mod tests {
    use super::super::orders::tests::{AT, issued};
    use super::*;

    #[test]
    fn a_certificate_that_works_is_renewed_before_its_last_sixth() {
        let (hours, mins) = (|n| AT.plus(Span::from_hours(n)), Span::from_mins);
        for now in [hours(1), hours(5)] {
            let expected = AcmeRenewal { start: hours(4), end: hours(5), ask_again: mins(30) };
            assert_eq!(renewal(&issued(Span::from_hours(6)), true, now), expected);
        }
        // However short it lives, nobody asks all the time.
        let brief = renewal(&issued(Span::from_secs(60)), true, AT);
        let secs = |n| AT.plus(Span::from_secs(n));
        assert_eq!(brief, AcmeRenewal { start: secs(40), end: secs(50), ask_again: Span::from_secs(10) });
    }

    #[test]
    fn a_certificate_that_does_not_work_is_renewed_at_once() {
        let hour = issued(Span::from_hours(1));
        for (since, start) in [(Span::from_mins(20), AT), (Span::from_secs(0), AT.minus(Span::from_mins(2)))] {
            let now = AT.plus(since);
            let expected = AcmeRenewal { start, end: now.minus(Span::from_mins(1)), ask_again: Span::from_mins(5) };
            assert_eq!(renewal(&hour, false, now), expected);
        }
    }
}
