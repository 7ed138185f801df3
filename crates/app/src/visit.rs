//! A browser that came from an application to sign in: whose it is, what they hold there, and back with a code.
//!
//! INVARIANT: nothing is decided here that is decided elsewhere: what is opened goes through [`App::open_session`], which
//! judges for itself.

use std::net::IpAddr;

use url::Url;
use wane_connector::broker::{By, Claim, Goal};
use wane_connector::web::{Ticket, Visit};
use wane_domain::catalogue::Resource;
use wane_domain::id::GrantId;
use wane_domain::time::Time;
use wane_domain::world::World;

use crate::App;
use crate::arrivals::Arriving;
use crate::caller::Caller;
use crate::error::AppError;

/// What somebody is shown of where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitShown {
    /// The resource, by name.
    pub resource: String,
    /// The origin they opened it at.
    pub origin: String,
    /// The grants they hold that are good there.
    pub grants: Vec<VisitGrant>,
    /// Roles they could ask for, by name.
    pub roles: Vec<String>,
}

/// A grant that is good there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitGrant {
    /// Which.
    pub grant: GrantId,
    /// Its role, by name.
    pub role: String,
    /// Until when; none if it has not begun.
    pub until: Option<Time>,
}

impl App {
    /// The resource of a kind that is reached by an origin. One that two are registered with, or that is this server's
    /// own, is nobody's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn resource_at(&self, kind: &str, origin: &str) -> Result<Option<Resource>, AppError> {
        // INVARIANT: no application is served at the origin of this server's own pages (held by
        // `an_application_is_never_served_at_our_own_origin`).
        if is_own_origin(&self.public_url, origin) {
            return Ok(None);
        }
        let world = self.world().await?;
        let Some(broker) = self.kinds.get(kind).and_then(|kind| kind.broker()) else { return Ok(None) };
        let of_kind = world.resources.values().filter(|resource| resource.kind.as_str() == kind);
        let mut there = of_kind.filter(|resource| broker.origin(resource).as_deref() == Some(origin));
        let found = there.next().cloned();
        Ok(found.filter(|_| there.next().is_none()))
    }

    /// Whether a resource may be registered with the origin it is reached at, if it is reached at one: that is no other's,
    /// and not this server's own.
    pub(crate) fn check_origin(&self, world: &World, resource: &Resource) -> Result<(), AppError> {
        let origin_of = |resource: &Resource| {
            let broker = self.kinds.get(resource.kind.as_str()).and_then(|kind| kind.broker());
            broker.and_then(|broker| broker.origin(resource))
        };
        let Some(origin) = origin_of(resource) else { return Ok(()) };
        if is_own_origin(&self.public_url, &origin) {
            let why =
                format!("`{origin}` is at the host of this server's own pages; give the application a host of its own");
            return Err(AppError::invalid("origin", why));
        }
        let others = world.resources.values().filter(|other| other.id != resource.id);
        match others.into_iter().find(|other| origin_of(other).as_deref() == Some(origin.as_str())) {
            None => Ok(()),
            Some(other) => Err(AppError::Taken(format!(
                "`{}` is opened at `{origin}` already, and one origin is one application; write another",
                other.name
            ))),
        }
    }

    /// Begins a sign-in for a browser that came from an application; answers with the page that its person opens.
    ///
    /// # Errors
    /// When there is no such application, or too many are on their way.
    pub async fn visit(&self, kind: &str, visit: &Visit, peer: IpAddr) -> Result<String, AppError> {
        let found = self.resource_at(kind, &visit.origin).await?;
        let resource = found.ok_or_else(|| AppError::missing("application", &visit.origin))?.name.to_string();
        let reference = self.nonce();
        if !self.visits.enter(&reference, resource, visit.clone(), peer, self.now()) {
            return Err(AppError::Taken("too many are signing in; try again in a few minutes".to_owned()));
        }
        Ok(format!("{}/app/{reference}", self.public_url))
    }

    /// What somebody holds where their browser comes from.
    ///
    /// # Errors
    /// When no such browser is on its way.
    pub async fn visit_shown(&self, caller: &Caller, reference: &str) -> Result<VisitShown, AppError> {
        let now = self.now();
        let guest = self.visits.open(reference, now).ok_or_else(|| AppError::missing("sign-in", reference))?;
        let world = self.world().await?;
        let live = self.live_for(&world, caller, (&guest.resource, ""), now).await?;
        let grants = live.iter().map(|grant| VisitGrant {
            grant: grant.id,
            role: world.roles.get(&grant.item.role).map_or_else(String::new, |role| role.name.to_string()),
            until: grant.usable_until(now).ok(),
        });
        let grants: Vec<VisitGrant> = grants.collect();
        let roles = if grants.is_empty() { self.open_roles(&world, caller, &guest.resource, now)? } else { Vec::new() };
        Ok(VisitShown { resource: guest.resource, origin: guest.visit.origin, grants, roles })
    }

    /// Lets somebody into the application their browser comes from, under a grant they hold; answers with where their
    /// browser goes.
    ///
    /// # Errors
    /// When the grant is none of theirs that is good there, or the browser is not on its way any more.
    pub async fn admit_visit(&self, caller: &Caller, reference: &str, grant: GrantId) -> Result<String, AppError> {
        let shown = self.visit_shown(caller, reference).await?;
        let good = shown.grants.into_iter().find(|held| held.grant == grant);
        let good = good.ok_or_else(|| AppError::missing("grant", grant))?;
        self.activate(caller, grant).await?;
        let code = self.visits.admit(reference, (caller.clone(), grant, good.role), &self.ambient);
        let code = code.ok_or_else(|| AppError::missing("sign-in", reference))?;
        Ok(format!("{}/.well-known/wane/enter?code={code}", shown.origin))
    }

    /// What somebody claims who brings a code back, and the path they go back to.
    ///
    /// # Errors
    /// When the code is none, was used, or is shown elsewhere than where it was begun.
    pub fn take_visit(&self, ticket: &Ticket, peer: IpAddr) -> Result<(Claim, String), AppError> {
        let taken = self.visits.take(ticket, self.now()).ok_or_else(|| {
            AppError::Taken(
                "this link was used, is too old, or is for another browser; open the application again".to_owned(),
            )
        })?;
        let goal = Goal::Session { resource: taken.resource.clone(), login: taken.role.clone() };
        let who = Arriving { goal, peer, client: ticket.client.clone() };
        let arrival = self.arrivals.enter_ready(who, taken.caller, taken.grant, &self.ambient, self.nonce());
        let claim = Claim {
            grant: taken.grant,
            by: By::Confirmed(arrival),
            resource: taken.resource,
            login: taken.role,
            public_key: String::new(),
            peer,
            client: ticket.client.clone(),
        };
        Ok((claim, taken.back))
    }
}

/// Whether an origin is at the host of our own pages, whatever the port: cookies know no ports. What cannot be read is
/// taken for ours.
fn is_own_origin(own: &str, origin: &str) -> bool {
    let host = |url: &str| Url::parse(url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
    match (host(own), host(origin)) {
        (Some(own), Some(origin)) => own == origin,
        (_, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::is_own_origin;

    #[test]
    fn an_application_is_never_served_at_our_own_origin() {
        for (own, origin, same) in [
            ("https://wane.example.com", "https://wane.example.com", true),
            ("https://Wane.example.com/", "https://wane.example.com:8443", true),
            ("http://127.0.0.1:7440", "https://127.0.0.1", true),
            ("https://[::1]:7440", "https://[0::1]", true),
            ("https://wane.example.com", "https://u@wane.example.com", true),
            ("https://wane.example.com", "no origin at all", true),
            ("https://wane.example.com", "https://app.example.com", false),
            ("https://wane.example.com", "https://wane.example.com.evil.example", false),
        ] {
            assert_eq!(is_own_origin(own, origin), same, "{own} {origin}");
        }
    }
}
