//! Somebody who comes to an application with a credential that was handed out to them for something else: a certificate,
//! an access token. It says who they are; what they may do there is for a grant of theirs at that application to say.
//!
//! INVARIANT: what is opened so rests on both: on the grant, and on the credential with whatever that stands under (held
//! by `a_certificate_says_who_somebody_is_and_no_more`, `a_token_says_who_somebody_is_where_it_is_for_that`).

use std::net::IpAddr;

use wane_connector::CertificateRead;
use wane_connector::broker::{By, Claim};
use wane_connector::web::{Introduced, Means, ShownToken};
use wane_domain::grant::Grant;
use wane_domain::id::{GrantId, LeaseId, PersonId};
use wane_domain::lease::{LeaseKind, LeaseState};
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_store::Issuance;

use crate::App;
use crate::access_tokens::Shown;
use crate::caller::Caller;
use crate::error::AppError;
use crate::open_session::Issued;

/// What a session stands on besides its grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The grant that the credential was handed out under.
    pub grant: GrantId,
    /// Its lease.
    pub lease: LeaseId,
    /// When the credential runs out by itself.
    pub until: Time,
}

/// By what a credential is known among those that were handed out under a grant.
#[derive(Clone, Copy, Debug)]
enum KnownBy<'a> {
    /// Its own number, under this lease.
    Number(LeaseId, u64),
    /// The serial number of its certificate.
    Serial(&'a str),
}

/// A credential that is good now, as it was handed out.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) ground: Ground,
    pub(crate) issued: Issued,
    holder: PersonId,
    serial: u64,
    grant: Grant,
}

impl App {
    /// Whose a credential is that somebody shows at an origin, if it is good there.
    ///
    /// # Errors
    /// When it is none of ours, is over, is for another server, or is bound to what was not shown; never which.
    pub async fn known_by(&self, origin: &str, means: &Means) -> Result<PersonId, AppError> {
        self.read_means(origin, means).await.map(|standing| standing.holder)
    }

    /// What somebody claims who shows one: a session under the grant of theirs that is good there.
    ///
    /// # Errors
    /// When it is not good, or they hold no such grant, or several and do not say which.
    pub async fn introduced(&self, who: &Introduced, peer: IpAddr) -> Result<Claim, AppError> {
        let standing = self.read_means(&who.origin, &who.means).await?;
        let (world, now) = (self.world().await?, self.steady_now().await?);
        let caller = caller_of(&world, &standing)?;
        let mut live = self.live_for(&world, &caller, (&who.resource, ""), now).await?;
        // What a job was handed out opens what that job holds, and nothing of another job of its workload.
        live.retain(|grant| grant.job == standing.grant.job && who.grant.is_none_or(|wanted| wanted == grant.id));
        let grant = match live.as_slice() {
            [one] => one.id,
            [] => {
                let roles = self.open_roles(&world, &caller, &who.resource, now)?;
                let asks: Vec<String> =
                    roles.iter().map(|role| format!("`wane request {role}@{}`", who.resource)).collect();
                let ask = if asks.is_empty() { String::new() } else { format!("; ask for it: {}", asks.join(", ")) };
                return Err(AppError::Taken(format!("you hold no access to `{}`{ask}", who.resource)));
            }
            several => {
                let ids: Vec<String> = several.iter().map(|grant| grant.id.to_string()).collect();
                let which = format!("you hold several grants there; say which in `Wane-Grant`: {}", ids.join(", "));
                return Err(AppError::Taken(which));
            }
        };
        self.activate(&caller, grant).await?;
        Ok(Claim {
            grant,
            by: By::Known { lease: standing.ground.lease, serial: standing.serial },
            resource: who.resource.clone(),
            login: match who.means {
                Means::Certificate(_) => "certificate".to_owned(),
                Means::Token(_) => "token".to_owned(),
            },
            public_key: String::new(),
            peer,
            client: who.client.clone(),
        })
    }

    async fn read_means(&self, origin: &str, means: &Means) -> Result<Standing, AppError> {
        let now = self.steady_now().await?;
        match means {
            Means::Certificate(der) => {
                let read = self.kinds.iter().find_map(|kind| kind.certificates()?.read(der, now));
                let CertificateRead { grant, serial } = read.ok_or_else(no_good)?;
                self.handed_out(grant, KnownBy::Serial(&serial)).await?.ok_or_else(no_good)
            }
            Means::Token(token) => self.shown_token(origin, token).await,
        }
    }

    /// A token is shown to the application as to any server: the one that it is for.
    async fn shown_token(&self, origin: &str, token: &ShownToken) -> Result<Standing, AppError> {
        let world = self.world().await?;
        let tokens = self.kinds.iter().find_map(|kind| kind.tokens()).ok_or_else(no_good)?;
        let server = world.resources.values().find(|resource| tokens.is_named(resource, origin)).ok_or_else(no_good)?;
        let certificate = token.certificate.as_deref().map(|der| tokens.certificate_of(der));
        let call = Shown {
            token: &token.text,
            proof: token.proof.as_deref(),
            method: Some(&token.method),
            url: Some(&token.url),
            certificate: certificate.as_deref(),
        };
        let good = self.check_call(server.id, &call).await?.map_err(|_| no_good())?;
        let by = KnownBy::Number(good.read.lease, good.read.serial);
        self.handed_out(good.read.grant, by).await?.ok_or_else(no_good)
    }

    /// A credential that was handed out under a grant, if all it stands under still stands.
    async fn handed_out(&self, grant: GrantId, by: KnownBy<'_>) -> Result<Option<Standing>, AppError> {
        let now = self.now();
        let Some(held) = self.store.standing(grant).await? else { return Ok(None) };
        let world = self.world().await?;
        let grant = self.as_it_is(held.grant.value);
        let locked = world.lock_on(grant.holder, grant.item.resource, grant.item.role, Some(grant.id)).is_some();
        if grant.usable_until(now).is_err() || !world.is_active(grant.holder) || locked {
            return Ok(None);
        }
        for open in held.open.iter().map(|open| &open.value) {
            let live = open.what == LeaseKind::Credential && matches!(open.state, LeaseState::Live { .. });
            if !live {
                continue;
            }
            let found = match by {
                // One row, however many there are under the lease.
                KnownBy::Number(lease, number) if lease == open.id => {
                    Issuance::standing(self.store.issuance(number).await?, |issue| issue.lease == lease)
                }
                KnownBy::Number(..) => None,
                KnownBy::Serial(serial) => {
                    let says = |issue: &Issuance| issue.detail.get("serial").and_then(|s| s.as_str()) == Some(serial);
                    Issuance::standing(self.store.issuances(open.id).await?, says)
                }
            };
            if let Some(issue) = found.filter(|issue| now < issue.not_after) {
                let ground = Ground { grant: grant.id, lease: open.id, until: issue.not_after };
                let (issued, holder, serial) = (Issued::of(&issue), open.holder, issue.serial);
                return Ok(Some(Standing { ground, issued, holder, serial, grant }));
            }
        }
        Ok(None)
    }

    /// Whether what a session was asked for with is good still, now that whoever ends it finds the session.
    pub(crate) async fn still_grounded(&self, by: &By) -> Result<(), AppError> {
        let By::Known { lease, serial } = by else { return Ok(()) };
        let seen = self.store.lease(*lease).await?.ok_or_else(no_good)?;
        let standing = self.handed_out(seen.value.grant, KnownBy::Number(*lease, *serial)).await?;
        standing.map(drop).ok_or_else(no_good)
    }

    /// What a session that is asked for with such a credential stands on, as it is now.
    pub(crate) async fn ground_of(
        &self,
        holder: PersonId,
        lease: LeaseId,
        serial: u64,
    ) -> Result<(Issued, Ground), AppError> {
        let seen = self.store.lease(lease).await?.ok_or_else(no_good)?;
        let standing = self.handed_out(seen.value.grant, KnownBy::Number(lease, serial)).await?;
        let standing = standing.filter(|standing| standing.holder == holder).ok_or_else(no_good)?;
        Ok((standing.issued, standing.ground))
    }
}

/// Never why: whoever shows one may have found it.
fn no_good() -> AppError {
    AppError::SignedOut
}

/// Whoever has a credential that is good: they have proved what its holder had when it was issued, and no more.
fn caller_of(world: &World, standing: &Standing) -> Result<Caller, AppError> {
    let person = world.people.get(&standing.holder).ok_or_else(no_good)?;
    Ok(Caller {
        person: person.id,
        name: person.name.clone(),
        token: None,
        proved: standing.issued.proved,
        proof: standing.issued.proof.clone(),
        expires: standing.ground.until,
        job: None,
    })
}
