//! Access tokens that come back: asked about by resource servers, ended by whoever has them, exchanged for less. The news
//! of those that are over is `over`'s.
//!
//! Owns: whether what a token stands under still stands. Refuses to know: what is in one, which is its kind's business.
//!
//! INVARIANT: a token is good while its own end, its lease, its grant and its holder's standing all say so, looked at anew
//! each time and by the clock (held by `a_token_is_over_with_whatever_it_stands_under`), and only for the server it is for
//! (held by `nobody_is_told_of_a_token_that_is_for_another`).

mod over;

use std::sync::Arc;

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome};
use wane_connector::{TokenProof, TokenRead, Tokens};
use wane_domain::catalogue::Resource;
use wane_domain::id::{GrantId, ResourceId};
use wane_domain::lease::{Lease, LeaseEvent, LeaseKind, LeaseState};
use wane_domain::text::Name;
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_failpoint::point;
use wane_store::{GrantFilter, GrantPhase, Issuance, Put, Slice, Write};

use crate::caller::Caller;
use crate::change::about_lease;
use crate::credential::HandedOut;
use crate::error::AppError;
use crate::{App, decide};

pub use over::TokensOver;

/// Grants of one person on one resource that are looked at.
const MOST_GRANTS: u32 = 100;

/// A token that is good now.
#[derive(Clone, Debug)]
pub struct GoodToken {
    /// What it says.
    pub read: TokenRead,
    /// What its holder is called.
    pub holder: Name,
}

/// Why a token does not open a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotGood {
    /// It is none, is over, or is for another; never which.
    Token,
    /// It is bound to its holder, and the call does not show that it is theirs.
    Unproved,
}

/// What a resource server says of a call that came with a token.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The token.
    pub token: &'a str,
    /// The proof of a key that came with it.
    pub proof: Option<&'a str>,
    /// The method of the call.
    pub method: Option<&'a str>,
    /// Its address.
    pub url: Option<&'a str>,
    /// The client's certificate, in PEM.
    pub certificate: Option<&'a str>,
}

/// What somebody exchanges.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The session of somebody who is signed in.
    Session(&'a str),
    /// An access token.
    Token(&'a str),
}

/// A token that is asked for with what somebody has.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// What they have.
    pub subject: Subject<'a>,
    /// For which server: its audience, or its name here.
    pub audience: Option<&'a str>,
    /// Under which grant, if there are several.
    pub grant: Option<GrantId>,
    /// Some of the scopes.
    pub scope: Option<&'a str>,
    /// The proof of a key.
    pub proof: Option<&'a str>,
}

impl App {
    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        self.kinds.iter().find_map(|kind| kind.tokens())
    }

    /// What this server says of itself as an issuer of tokens.
    ///
    /// # Errors
    /// When it issues none.
    pub fn token_metadata(&self) -> Result<Value, AppError> {
        let said = self.tokens().and_then(|tokens| tokens.metadata());
        said.ok_or_else(|| AppError::missing("issuer of tokens at", &self.public_url))
    }

    /// The same as OpenID Connect has it.
    ///
    /// # Errors
    /// When it issues none.
    pub fn token_discovery(&self) -> Result<Value, AppError> {
        let said = self.tokens().and_then(|tokens| tokens.discovery());
        said.ok_or_else(|| AppError::missing("issuer of tokens at", &self.public_url))
    }

    /// The resource server that calls, by the credential it was given when it joined, and its name if it gives one.
    ///
    /// # Errors
    /// When it is none; never says why.
    pub async fn resource_server(&self, name: Option<&str>, credential: &str) -> Result<ResourceId, AppError> {
        let id = self.authenticate_host(credential).await?;
        let world = self.world().await?;
        let resource = world.resources.get(&id).ok_or(AppError::SignedOut)?;
        let takes_tokens = self.kind(&resource.kind)?.tokens().is_some();
        let named = name.is_none_or(|name| name == resource.name.as_str());
        if takes_tokens && named { Ok(id) } else { Err(AppError::SignedOut) }
    }

    /// A token, for a resource server that asks about it. Of any that is not good, and for it, nothing is said.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn introspect(&self, server: ResourceId, text: &str) -> Result<Option<GoodToken>, AppError> {
        let Some(tokens) = self.tokens() else { return Ok(None) };
        let now = self.now();
        let Some(read) = tokens.read(text, now) else { return Ok(None) };
        let Some(lease) = self.store.lease(read.lease).await? else { return Ok(None) };
        let world = self.world().await?;
        let resource = world.resources.get(&server);
        // INVARIANT: of a token that is for another nothing is said (held by
        // `nobody_is_told_of_a_token_that_is_for_another`).
        if lease.value.resource != server || !resource.is_some_and(|resource| tokens.is_for(&read, resource)) {
            self.token_misused(&read, server, "it was shown to another server than the one it is for").await;
            return Ok(None);
        }
        let stands = self.token_stands(&world, &read, &lease.value, now).await?;
        if stands.is_none() {
            self.token_misused(&read, server, "it was used after the end of what it was handed out under").await;
        }
        tokens.told(read.lease, stands.is_some(), read.until, now);
        if stands.is_some() && lease.value.confirmed.is_none() && !self.is_storeless() {
            // That the server asks is what its later refusal is compared with; whether it can be written down is not its affair.
            if let Err(error) = self.confirm(read.lease).await {
                tracing::warn!(lease = %read.lease, %error, "that a server asks about a token could not be written down");
            }
        }
        let holder = world.people.get(&read.holder).map(|person| person.name.clone());
        Ok(stands.and(holder).map(|holder| GoodToken { read, holder }))
    }

    /// The same for a call that came with it: what it is bound to has to be shown.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn check_call(
        &self,
        server: ResourceId,
        call: &Shown<'_>,
    ) -> Result<Result<GoodToken, NotGood>, AppError> {
        let (Some(good), Some(tokens)) = (self.introspect(server, call.token).await?, self.tokens()) else {
            return Ok(Err(NotGood::Token));
        };
        if let Some(key) = &good.read.key {
            let (Some(text), Some(method), Some(url)) = (call.proof, call.method, call.url) else {
                self.token_misused(&good.read, server, "it is bound to a key, and came without a proof of that").await;
                return Ok(Err(NotGood::Unproved));
            };
            let proof = TokenProof { text, method, url, token: call.token, now: self.now() };
            // INVARIANT: a token that is bound to a key opens nothing without a proof of that key (held by
            // `a_bound_token_opens_nothing_without_what_it_is_bound_to`).
            if tokens.take_proof(&proof).as_ref() != Ok(key) {
                let why = "the proof that came with it is of another key or call, or was used before";
                self.token_misused(&good.read, server, why).await;
                return Ok(Err(NotGood::Unproved));
            }
        }
        if let Some(bound) = &good.read.certificate {
            let shown = call.certificate.and_then(|pem| tokens.certificate(pem).ok());
            if shown.as_ref() != Some(bound) {
                self.token_misused(&good.read, server, "it is bound to a certificate, and came without that").await;
                return Ok(Err(NotGood::Unproved));
            }
        }
        Ok(Ok(good))
    }

    /// Whether what a token stands under still stands; if so, as what it was issued.
    async fn token_stands(
        &self,
        world: &World,
        read: &TokenRead,
        lease: &Lease,
        now: Time,
    ) -> Result<Option<Issuance>, AppError> {
        let live = lease.what == LeaseKind::Credential && matches!(lease.state, LeaseState::Live { .. });
        if !live || lease.grant != read.grant || lease.holder != read.holder || now >= read.until {
            return Ok(None);
        }
        let Some(grant) = self.store.grant(read.grant).await? else { return Ok(None) };
        if self.as_it_is(grant.value).usable_until(now).is_err() || !world.is_active(read.holder) {
            return Ok(None);
        }
        if world.lock_on(lease.holder, lease.resource, lease.role, Some(lease.grant)).is_some() {
            return Ok(None);
        }
        // A signature alone is not enough: that it was issued is written down. One row, however many there are under its lease:
        // servers ask with each call.
        Ok(Issuance::standing(self.store.issuance(read.serial).await?, |issued| issued.lease == read.lease))
    }

    /// Ends what a token stands under, with every other token under it: whoever has it may. Of one that is over, or is none,
    /// nothing is said.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_token(&self, text: &str) -> Result<(), AppError> {
        let now = self.now();
        let Some(read) = self.tokens().and_then(|tokens| tokens.read(text, now)) else { return Ok(()) };
        decide!(async {
            let Some(seen) = self.store.lease(read.lease).await? else { return Ok(()) };
            let open = matches!(seen.value.state, LeaseState::Intended | LeaseState::Live { .. });
            if !open || seen.value.grant != read.grant {
                return Ok(());
            }
            let grant = self.store.grant(read.grant).await?;
            let mut change = self.change(Actor::Unknown, self.now());
            let about = about_lease(&seen.value, grant.as_ref().map(|grant| &grant.value));
            let detail = json!({ "lease": seen.value.id, "jti": read.id, "by": "whoever has it" });
            change.note("credential.revoked", Outcome::Done, about.clone(), detail);
            let (lease, fact) = seen.value.clone().apply(LeaseEvent::End, change.at())?;
            change.fact(about, fact);
            change.write(Write::Lease(Put::over(&seen, lease)));
            change.commit(point!("app.end_token.commit")).await.map(|_| self.nudge())
        })
    }

    /// Hands out a token for what somebody has: never for more, or longer.
    ///
    /// # Errors
    /// When what they have is not good, nothing of theirs is live there, or more is asked for.
    pub async fn exchange(&self, ask: &Exchange<'_>) -> Result<HandedOut, AppError> {
        let world = self.world().await?;
        let mut input = json!({});
        let mut send = |key: &str, value: Option<&str>| {
            if let (Some(map), Some(value)) = (input.as_object_mut(), value) {
                map.insert(key.to_owned(), json!(value));
            }
        };
        send("scope", ask.scope);
        send("dpop", ask.proof);
        match ask.subject {
            Subject::Session(token) => {
                let caller = self.authenticate(token).await?;
                let grant = self.grant_to_exchange(&world, &caller, ask).await?;
                self.hand_out(&caller, grant, &input).await
            }
            Subject::Token(text) => {
                let (caller, read) = self.bearer_of(&world, text).await?;
                let other = ask.audience.is_some_and(|audience| !self.is_at(&world, &read, audience));
                if other || ask.grant.is_some_and(|grant| grant != read.grant) {
                    return Err(AppError::missing("access of this token at", ask.audience.unwrap_or("that grant")));
                }
                send("within", Some(text));
                self.hand_out(&caller, read.grant, &input).await
            }
        }
    }

    /// Whoever has a token that is good: they have proved what its holder had when it was issued, and no more.
    async fn bearer_of(&self, world: &World, text: &str) -> Result<(Caller, TokenRead), AppError> {
        let now = self.now();
        let read = self.tokens().and_then(|tokens| tokens.read(text, now)).ok_or(AppError::SignedOut)?;
        let lease = self.store.lease(read.lease).await?.ok_or(AppError::SignedOut)?;
        let issued = self.token_stands(world, &read, &lease.value, now).await?.ok_or(AppError::SignedOut)?;
        let person = world.people.get(&read.holder).ok_or(AppError::SignedOut)?;
        let proved =
            issued.detail.get("proved").and_then(Value::as_i64).map_or(Time::from_micros(0), Time::from_micros);
        let proof = issued.detail.get("proof").and_then(Value::as_str).unwrap_or("none").to_owned();
        let name = person.name.clone();
        let caller = Caller { person: person.id, name, token: None, proved, proof, expires: read.until, job: None };
        Ok((caller, read))
    }

    fn is_at(&self, world: &World, read: &TokenRead, audience: &str) -> bool {
        let Some(tokens) = self.tokens() else { return false };
        world.resources.values().any(|resource| self.is_called(resource, audience) && tokens.is_for(read, resource))
    }

    fn is_called(&self, resource: &Resource, audience: &str) -> bool {
        self.kind(&resource.kind)
            .ok()
            .and_then(|kind| kind.tokens())
            .is_some_and(|tokens| resource.name.as_str() == audience || tokens.is_named(resource, audience))
    }

    /// The one live grant of somebody for a server.
    async fn grant_to_exchange(&self, world: &World, caller: &Caller, ask: &Exchange<'_>) -> Result<GrantId, AppError> {
        let audience = ask.audience.ok_or_else(|| AppError::invalid("audience", "say for which server"))?;
        let now = self.now();
        let mut live = Vec::new();
        for resource in world.resources.values().filter(|resource| self.is_called(resource, audience)) {
            let filter = GrantFilter {
                holder: Some(caller.person),
                resource: Some(resource.id),
                phases: vec![GrantPhase::Active],
                ..GrantFilter::default()
            };
            let page = self.store.grants(filter, Slice::first(MOST_GRANTS)).await?;
            live.extend(page.items.into_iter().map(|grant| self.as_it_is(grant.value)));
        }
        live.retain(|grant| grant.usable_until(now).is_ok() && ask.grant.is_none_or(|wanted| wanted == grant.id));
        match live.as_slice() {
            [one] => Ok(one.id),
            [] => Err(AppError::missing("live grant of yours at", audience)),
            several => {
                let ids: Vec<String> = several.iter().map(|grant| format!("`{}`", grant.id)).collect();
                Err(AppError::invalid("wane_grant", format!("you hold several there; say which: {}", ids.join(", "))))
            }
        }
    }
}
