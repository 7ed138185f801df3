//! Orders: what may be ordered is what the role gives, and a certificate comes of each once.
//!
//! The grant is the proof of the right to its names, so that what is ordered under it need not be proved again: every
//! authorization is valid from the start (RFC 8555, section 7.1.4), and no challenge is set.

use serde_json::json;
use wane_acme::{Finalize, Identifier, NewOrder, Refused, Sort, thumbprint};
use wane_audit::{Actor, Outcome};
use wane_connector::{CertNames, CertRequest};
use wane_domain::id::AcmeOrderId;
use wane_domain::time::{Span, Time};
use wane_failpoint::point;
use wane_store::{AcmeIssued, AcmeName, AcmeOrder, Issuance, Put, Versioned, Write};

use super::{ACCOUNTS, Asked, Ground, Stop, again};
use crate::App;
use crate::change::{Change, about_grant};
use crate::error::AppError;

/// For how long a certificate may be had for an order.
const OPEN: Span = Span::from_mins(60);
/// For how long an order is kept once nothing can come of it, or what came of it has run out.
const KEPT: Span = Span::from_mins(60);
/// Orders of one account of which no certificate came yet.
const MOST_OPEN: usize = 32;
/// Orders of one account that are kept.
const MOST: usize = 512;

/// An order, as its client is shown it.
#[derive(Clone, Debug)]
pub struct AcmeOrderShown {
    /// Which.
    pub id: AcmeOrderId,
    /// `ready`, `valid` or `invalid`.
    pub status: &'static str,
    /// Until when a certificate may be had for it.
    pub expires: Time,
    /// For which names.
    pub names: Vec<Identifier>,
    /// The certificate that its own is to take the place of (RFC 9773, section 5).
    pub replaces: Option<String>,
}

impl App {
    /// Orders a certificate.
    ///
    /// # Errors
    /// When a name is not the role's, policy refuses, or too much is ordered.
    pub async fn acme_new_order(&self, body: &[u8]) -> Result<AcmeOrderShown, Refused> {
        let asked = self.acme_asked(body, "/acme/new-order").await.map_err(Refused::from)?;
        let says = asked.call.says::<NewOrder>()?;
        let (names, replaces) = (says.names()?, says.replaces()?);
        let order = again!(self.acme_order_for(&asked, &names, replaces))?;
        Ok(shown(&order, self.now()))
    }

    async fn acme_order_for(
        &self,
        asked: &Asked,
        names: &[Identifier],
        replaces: Option<&str>,
    ) -> Result<AcmeOrder, Stop> {
        let account = &asked.account.value;
        let ground = self.acme_ground(account).await?;
        let now = self.steady_now().await?;
        self.acme_gives(&ground, names)?;
        let caller = Self::acme_holder(account, &ground)?;
        self.permit_to_use(&caller, &ground.world, &ground.grant.value, now).await?;
        let all = self.store.acme_orders(account.id).await?;
        let open = all.iter().filter(|order| order.value.issued.is_none() && now < order.value.expires).count();
        if open >= MOST_OPEN || all.len() >= MOST {
            return Err(
                Refused::new(Sort::RateLimited, "too many orders are kept of this account; wait an hour").into()
            );
        }
        let expires = now.plus(OPEN).min(ground.until);
        let order = AcmeOrder {
            id: self.ambient.id(),
            account: account.id,
            at: now,
            expires,
            names: names.iter().map(kept).collect(),
            forget: expires.plus(KEPT),
            issued: None,
            replaces: replaces.map(str::to_owned),
        };
        let mut change = self.change_at(Actor::Person(account.person), &ground.world, now);
        let said: Vec<String> = names.iter().map(ToString::to_string).collect();
        let detail = json!({ "account": account.id, "order": order.id, "names": said });
        change.note("acme.ordered", Outcome::Done, about_grant(&ground.grant.value), detail);
        change.write(Write::ForgetAcme(now));
        change.write(Write::AcmeOrder(Put::new(order.clone())));
        change.write(Write::Still(ground.grant.value.id, ground.grant.generation));
        change.commit(point!("app.acme.order.commit")).await?;
        Ok(order)
    }

    /// Whether the role gives all of these names.
    fn acme_gives(&self, ground: &Ground, names: &[Identifier]) -> Result<(), Stop> {
        let (resource, role) = self.grant_parts(&ground.world, &ground.grant.value)?;
        let acme = self.kind(&resource.kind)?.acme();
        let acme = acme.ok_or_else(|| AppError::missing("authority that certifies names at", &resource.name))?;
        let given = acme.names(&role.definition).map_err(AppError::from)?;
        // INVARIANT: nothing is ordered that the role does not give (held by
        // `what_the_role_does_not_name_is_not_certified_over_acme`).
        let gives = |name: &Identifier| match name {
            Identifier::Dns(name) => given.dns.contains(name),
            Identifier::Ip(address) => given.ip.contains(address),
        };
        let others: Vec<Identifier> = names.iter().filter(|name| !gives(name)).cloned().collect();
        if others.is_empty() {
            return Ok(());
        }
        let why = format!("`{}` does not give this name; ask for a role that does", role.name);
        Err(Refused { names: others, ..Refused::new(Sort::RejectedIdentifier, why) }.into())
    }

    /// The orders of an account.
    ///
    /// # Errors
    /// When it is not the caller's.
    pub async fn acme_orders(&self, body: &[u8], id: &str) -> Result<Vec<AcmeOrderId>, Refused> {
        let asked = self.acme_asked(body, &format!("{ACCOUNTS}{id}/orders")).await.map_err(Refused::from)?;
        asked.is_about(id)?;
        asked.asks()?;
        let all = self.store.acme_orders(asked.account.value.id).await;
        Ok(all.map_err(Stop::from)?.into_iter().map(|order| order.value.id).collect())
    }

    /// An order.
    ///
    /// # Errors
    /// When it is not the caller's.
    pub async fn acme_order(&self, body: &[u8], id: &str) -> Result<AcmeOrderShown, Refused> {
        let asked = self.acme_asked(body, &format!("/acme/order/{id}")).await.map_err(Refused::from)?;
        asked.asks()?;
        let order = self.acme_own_order(&asked, id).await?;
        Ok(shown(&order.value, self.now()))
    }

    /// One of the authorizations of an order: which, and the order.
    ///
    /// # Errors
    /// When it is not the caller's.
    pub async fn acme_authorization(
        &self,
        body: &[u8],
        id: &str,
        at: &str,
    ) -> Result<(Identifier, AcmeOrderShown), Refused> {
        let asked = self.acme_asked(body, &format!("/acme/authz/{id}/{at}")).await.map_err(Refused::from)?;
        asked.asks()?;
        let order = self.acme_own_order(&asked, id).await?;
        let order = shown(&order.value, self.now());
        let name = at.parse::<usize>().ok().and_then(|at| order.names.get(at)).cloned();
        let name = name.ok_or_else(|| Refused::new(Sort::Missing, "there is no such authorization"))?;
        Ok((name, order))
    }

    /// The certificate of an order, with what is above it, in PEM.
    ///
    /// # Errors
    /// When it is not the caller's, or none was issued.
    pub async fn acme_certificate(&self, body: &[u8], id: &str) -> Result<String, Refused> {
        let asked = self.acme_asked(body, &format!("/acme/cert/{id}")).await.map_err(Refused::from)?;
        asked.asks()?;
        let order = self.acme_own_order(&asked, id).await?;
        let issued = order.value.issued.ok_or_else(|| Refused::new(Sort::Missing, "no certificate was issued yet"))?;
        Ok(issued.chain)
    }

    async fn acme_own_order(&self, asked: &Asked, id: &str) -> Result<Versioned<AcmeOrder>, Refused> {
        let none = || Refused::new(Sort::Missing, "there is no such order");
        let id: AcmeOrderId = id.parse().map_err(|_| none())?;
        let order = self.store.acme_order(id).await.map_err(Stop::from)?.ok_or_else(none)?;
        // INVARIANT: to another account an order is not there (held by `an_order_is_its_own_accounts`).
        if order.value.account != asked.account.value.id {
            return Err(none());
        }
        Ok(order)
    }

    /// Has the certificate issued that was ordered, under the grant and as whatever is handed out under it.
    ///
    /// # Errors
    /// When the signing request is not exactly for what was ordered, policy refuses now, or a certificate came of it before.
    pub async fn acme_finalize(&self, body: &[u8], id: &str) -> Result<AcmeOrderShown, Refused> {
        let path = format!("/acme/order/{id}/finalize");
        let asked = self.acme_asked(body, &path).await.map_err(Refused::from)?;
        let seen = self.acme_own_order(&asked, id).await?;
        open(&seen.value, self.now())?;
        let der = asked.call.says::<Finalize>()?.request()?;
        let acme = self.acme().map_err(Stop::from)?;
        let bad = |why: String| Refused::new(Sort::BadCsr, why);
        let request = acme.request(&der).map_err(bad)?;
        fits(&request, &seen.value, &asked.key.thumbprint)?;
        let account = &asked.account.value;
        let ground = self.acme_ground(account).await.map_err(Refused::from)?;
        let caller = Self::acme_holder(account, &ground).map_err(Stop::from)?;
        // What comes of the order is committed with the certificate: it came of it, and once, or it did not.
        let also = |change: &mut Change<'_>, booked: &Issuance, public: &serde_json::Value| -> Result<(), AppError> {
            let (read, chain) = acme.handed(public).map_err(AppError::Fault)?;
            let issued = AcmeIssued {
                lease: booked.lease,
                serial: booked.serial,
                certificate: read.id,
                key: thumbprint(&read.jwk),
                chain,
                at: booked.at,
                not_after: booked.not_after,
            };
            let detail = json!({ "account": account.id, "order": seen.value.id, "serial": booked.serial });
            change.note("acme.finalized", Outcome::Done, about_grant(&ground.grant.value), detail);
            // INVARIANT: one certificate comes of an order (held by `one_certificate_comes_of_an_order`).
            change.write(Write::AcmeOrder(Put::over(&seen, with(&seen.value, issued))));
            Ok(())
        };
        let done = self.hand_out_with(&caller, account.grant, &request.input, &|_| None, &also).await;
        if let Err(error) = done {
            let now = self.acme_own_order(&asked, id).await?;
            open(&now.value, self.now())?;
            return Err(Stop::from(error).into());
        }
        let order = self.acme_own_order(&asked, id).await?;
        Ok(shown(&order.value, self.now()))
    }
}

impl Asked {
    /// Whether this only asks (RFC 8555, section 6.3).
    fn asks(&self) -> Result<(), Refused> {
        if self.call.is_asking() {
            return Ok(());
        }
        Err(Refused::new(
            Sort::Malformed,
            "this is asked for with an empty payload, and nothing about it can be changed",
        ))
    }
}

/// Whether a certificate may still come of an order.
fn open(order: &AcmeOrder, now: Time) -> Result<(), Refused> {
    if order.issued.is_some() {
        return Err(Refused::new(Sort::OrderNotReady, "its certificate was issued; fetch it, or order another"));
    }
    if now >= order.expires {
        return Err(Refused::new(Sort::OrderNotReady, "its time is over; order again"));
    }
    Ok(())
}

/// Whether a signing request is for exactly what was ordered, and not for the account's own key.
fn fits(request: &CertRequest, order: &AcmeOrder, account: &str) -> Result<(), Refused> {
    let bad = |why: &str| Err(Refused::new(Sort::BadCsr, why));
    let mut ordered = CertNames::default();
    for name in &order.names {
        let _ = match name {
            AcmeName::Dns(name) => ordered.dns.insert(name.clone()),
            AcmeName::Ip(address) => ordered.ip.insert(*address),
        };
    }
    if request.names != ordered {
        return bad("the signing request is not for exactly the names that were ordered");
    }
    if thumbprint(&request.jwk) == account {
        return bad("the signing request has the account's own key; make another for the certificate");
    }
    Ok(())
}

fn kept(name: &Identifier) -> AcmeName {
    match name {
        Identifier::Dns(name) => AcmeName::Dns(name.clone()),
        Identifier::Ip(address) => AcmeName::Ip(*address),
    }
}

/// An order with what was issued for it: kept as long as that may be revoked, or is renewed.
fn with(order: &AcmeOrder, issued: AcmeIssued) -> AcmeOrder {
    AcmeOrder { forget: issued.not_after.plus(KEPT), issued: Some(issued), ..order.clone() }
}

fn shown(order: &AcmeOrder, now: Time) -> AcmeOrderShown {
    let name = |name: &AcmeName| match name {
        AcmeName::Dns(name) => Identifier::Dns(name.clone()),
        AcmeName::Ip(address) => Identifier::Ip(*address),
    };
    let status = match &order.issued {
        Some(_) => "valid",
        None if now < order.expires => "ready",
        None => "invalid",
    };
    AcmeOrderShown {
        id: order.id,
        status,
        expires: order.expires,
        names: order.names.iter().map(name).collect(),
        replaces: order.replaces.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use wane_domain::id::{AcmeAccountId, LeaseId, TypedId as _};

    use super::*;

    pub(in crate::acme) const AT: Time = Time::from_micros(1_800_000_000_000_000);

    fn order() -> AcmeOrder {
        AcmeOrder {
            id: AcmeOrderId::mint(AT, &[1; 10]),
            account: AcmeAccountId::mint(AT, &[1; 10]),
            at: AT,
            expires: AT.plus(OPEN),
            names: vec![AcmeName::Dns("shop.example".to_owned())],
            forget: AT.plus(OPEN).plus(KEPT),
            issued: None,
            replaces: None,
        }
    }

    pub(in crate::acme) fn issued(life: Span) -> AcmeIssued {
        AcmeIssued {
            lease: LeaseId::mint(AT, &[1; 10]),
            serial: 7,
            certificate: "AAAA.AAAA".to_owned(),
            key: "key".to_owned(),
            chain: String::new(),
            at: AT,
            not_after: AT.plus(life),
        }
    }

    #[test]
    fn an_order_is_shown_as_what_may_still_come_of_it() {
        let (waits, done) = (order(), with(&order(), issued(Span::from_hours(24))));
        let before = waits.expires.minus(Span::from_micros(1));
        for (order, now, status) in [
            (&waits, AT, "ready"),
            (&waits, before, "ready"),
            (&waits, waits.expires, "invalid"),
            (&done, before, "valid"),
            (&done, waits.expires, "valid"),
        ] {
            assert_eq!(shown(order, now).status, status, "at {now}");
            assert_eq!(open(order, now).is_ok(), status == "ready", "at {now}");
        }
    }

    #[test]
    fn an_order_is_kept_as_long_as_what_came_of_it() {
        let (order, issued) = (order(), issued(Span::from_hours(24)));
        let done = with(&order, issued.clone());
        assert_eq!(done.forget, issued.not_after.plus(KEPT));
        assert_eq!(done, AcmeOrder { forget: done.forget, issued: Some(issued), ..order });
    }
}
