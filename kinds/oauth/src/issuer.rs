//! Issues tokens: at most what the role gives, signed in memory, read back, handed out.

use std::collections::BTreeSet;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wane_connector::{ConnectError, Handed, Issued, Issuer, KindError, Signer, Target};
use wane_domain::catalogue::Role;
use wane_domain::issue::{IssuePermit, Reach};
use wane_domain::lease::LeaseData;
use wane_domain::secret::SecretOnce;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around_call, point};

use crate::LONGEST;
use crate::claims::{Bound, CLIENT, Claims, Header, Jti, to_be_signed};
use crate::describe;
use crate::desk::Desk;
use crate::input::Sent;
use crate::keys::TokenKey;
use crate::notes::Notes;
use crate::proof::For;
use crate::role::{Definition, Environment, Must, joined, scopes_of};
use crate::settings::Settings;

/// Issues tokens.
pub(crate) struct TokenIssuer {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) desk: Arc<Desk>,
}

fn input(e: KindError) -> ConnectError {
    ConnectError::Input(e.to_string())
}

fn off(what: &str, why: impl std::fmt::Display) -> ConnectError {
    ConnectError::Input(format!("{what}: {why}"))
}

impl Issuer for TokenIssuer {
    fn issue(
        &self,
        target: &Target<'_>,
        role: &Role,
        lease: &LeaseData,
        permit: IssuePermit,
        sent: &Value,
        serial: u64,
    ) -> Result<Issued, ConnectError> {
        let refused = |why: String| ConnectError::Refused { target: target.resource.name.to_string(), why };
        let settings = Settings::read(&target.resource.settings).map_err(|e| refused(e.to_string()))?;
        let definition = Definition::read(&role.definition).map_err(|e| refused(e.to_string()))?;
        if permit.lease() != lease.id || permit.item().resource != target.resource.id || permit.item().role != role.id {
            return Err(ConnectError::Input("the permit is for another lease, resource or role".to_owned()));
        }
        if permit.reach() != Reach::Target {
            return Err(refused("nothing of this kind goes through the gateway".to_owned()));
        }
        let from = permit.not_before();
        let key = self.desk.keys.signing(from).ok_or_else(|| {
            refused(
                "there is no key that signs tokens; its administrator makes one with `wane token-key new`".to_owned(),
            )
        })?;
        let key = &*key;
        let sent = Sent::read(sent).map_err(input)?;
        let within = self.within(&sent, &permit, lease, &settings, from)?;
        let claims = Claims {
            iss: self.desk.issuer.clone(),
            sub: permit.holder(),
            aud: settings.audience.clone(),
            exp: ends(&permit, &definition, &sent, within.as_ref()).seconds(),
            nbf: from.seconds(),
            iat: from.seconds(),
            jti: Jti { lease: lease.id, serial },
            client_id: CLIENT.to_owned(),
            scope: joined(&scopes(&definition, &sent, within.as_ref())?),
            wane_grant: permit.grant(),
            cnf: self.bound(&definition, &sent, &permit, within.as_ref(), from)?,
        };
        if claims.exp <= claims.iat {
            let why = "the grant, or the token this one is to be within, ends within the second; ask for access again";
            return Err(ConnectError::Over(why.to_owned()));
        }
        let token = self.sign(&claims, key, permit)?;
        let not_after = claims.expires();
        let jti = claims.jti.to_string();
        let inventory = json!({
            "jti": jti,
            "key": key.kid,
            "audience": claims.aud,
            "scope": claims.scope,
            "bound": claims.cnf,
            "within": within.map(|within| within.jti),
            "not_before": claims.nbf,
            "not_after": claims.exp,
        });
        let public = json!({
            "token_type": if claims.cnf.as_ref().is_some_and(|cnf| cnf.jkt.is_some()) { "DPoP" } else { "Bearer" },
            "issuer": claims.iss,
            "audience": claims.aud,
            "scope": claims.scope,
            "jti": jti,
            "bound": claims.cnf,
            "not_after": not_after,
            "environment": definition.environment == Environment::Allowed,
            "residual": describe::of(&settings).survives,
        });
        let notes = Notes { jti, not_after }.after(&lease.notes);
        let handed = Handed { public, secret: Some(SecretOnce::new(token)), not_after: Some(not_after) };
        Ok(Issued { notes: notes.json(), inventory, handed })
    }

    fn longest(&self) -> Span {
        LONGEST
    }
}

impl TokenIssuer {
    /// The token that this one is to be within, if it is to be within one: good now, of this lease and audience.
    fn within(
        &self,
        sent: &Sent<'_>,
        permit: &IssuePermit,
        lease: &LeaseData,
        settings: &Settings,
        now: Time,
    ) -> Result<Option<Claims>, ConnectError> {
        let Some(text) = sent.within else { return Ok(None) };
        let claims = self
            .desk
            .claims(text, now)
            .ok_or_else(|| off("within", "it is no token of this server that is good now"))?;
        // INVARIANT: a token whose lease is over gives no other, whatever its grant still gives (held by
        // `what_is_exchanged_is_within_and_never_more`).
        if claims.wane_grant != permit.grant() || claims.jti.lease != lease.id {
            return Err(ConnectError::Over("the token that this one is to be within is over".to_owned()));
        }
        if claims.aud != settings.audience {
            return Err(off("within", "it is for another audience"));
        }
        Ok(Some(claims))
    }

    /// What the token is bound to.
    fn bound(
        &self,
        definition: &Definition,
        sent: &Sent<'_>,
        permit: &IssuePermit,
        within: Option<&Claims>,
        now: Time,
    ) -> Result<Option<Bound>, ConnectError> {
        let urls = [
            format!("{}/v1/grants/{}/credential", self.desk.issuer, permit.grant()),
            format!("{}{}", self.desk.issuer, crate::TOKEN_ENDPOINT),
        ];
        let whom = For { method: "POST", urls: &urls, token: None, now };
        let jkt =
            sent.dpop.map(|proof| self.desk.proofs.take(proof, &whom).map_err(|why| off("dpop", why))).transpose()?;
        let mut bound = Bound { jkt, x5t: sent.x5t.clone() };
        // INVARIANT: what is got for a bound token is bound to the same (held by
        // `what_is_exchanged_is_within_and_never_more`).
        if let Some(before) = within.and_then(|within| within.cnf.as_ref()) {
            if before.jkt.is_some() && bound.jkt != before.jkt {
                return Err(off("dpop", "the token is bound to a key; send a proof of that key"));
            }
            if before.x5t.is_some() && bound.x5t.is_some() && bound.x5t != before.x5t {
                return Err(off("certificate", "the token is bound to another certificate"));
            }
            bound.x5t = bound.x5t.or_else(|| before.x5t.clone());
        }
        if !definition.bound.is_met_by(Some(&bound)) {
            let why = match definition.bound {
                Must::Certificate => "the role's tokens are bound to a certificate: send the client's as `certificate`",
                Must::Nothing | Must::Either | Must::Key => {
                    "the role's tokens are bound to their holder: send a proof of a key as `dpop` (`--dpop-key FILE`)"
                }
            };
            return Err(off("dpop", why));
        }
        Ok((bound != Bound::default()).then_some(bound))
    }

    /// Signs, and reads the finished token back with the key that is published.
    fn sign(&self, claims: &Claims, key: &TokenKey, permit: IssuePermit) -> Result<String, ConnectError> {
        let wrong = |why: String| ConnectError::Input(format!("the token did not come out as meant: {why}"));
        let header = Header::new(key.algorithm, key.kid.clone());
        let message = to_be_signed(&header, claims).map_err(wrong)?;
        let signature =
            around_call(point!("oauth.sign"), || self.signer.issue(key.purpose, permit, message.as_bytes()))?;
        let token = format!("{message}.{}", BASE64URL_NOPAD.encode(&signature.0));
        // INVARIANT: no token leaves that does not say, read again, what was meant (held by
        // `a_token_that_is_signed_by_another_key_does_not_leave`).
        match self.desk.signed(&token) {
            Some(read) if read == *claims => Ok(token),
            Some(_) | None => Err(wrong("read back, it is another".to_owned())),
        }
    }
}

/// When it ends: with the first of all that it is within.
fn ends(permit: &IssuePermit, definition: &Definition, sent: &Sent<'_>, within: Option<&Claims>) -> Time {
    let life = sent.life.map_or(definition.life, |life| life.min(definition.life)).min(LONGEST);
    let end = permit.not_after().min(permit.not_before().plus(life));
    within.map_or(end, |within| end.min(within.expires()))
}

/// Which scopes: all of the role's, or those that were asked for, if the role and the token before give them.
fn scopes(definition: &Definition, sent: &Sent<'_>, within: Option<&Claims>) -> Result<BTreeSet<String>, ConnectError> {
    let most = match within {
        None => definition.scopes.clone(),
        Some(within) => {
            let before = scopes_of(&within.scope).map_err(|why| off("within", why))?;
            before.intersection(&definition.scopes).cloned().collect()
        }
    };
    let wanted = sent.scopes.clone().unwrap_or_else(|| most.clone());
    match wanted.iter().find(|scope| !most.contains(*scope)) {
        Some(more) => Err(off(
            "scope",
            format!("`{}` is more than is given; given is `{}`", crate::settings::short(more), joined(&most)),
        )),
        None if wanted.is_empty() => Err(off("scope", "nothing is left of what the token gave")),
        None => Ok(wanted),
    }
}
