//! What a signer that asks people to sign reads in a token: which scopes at which audience, and whether the role gives those.
//!
//! A guard is over an audience (`oauth:https://api.example`) or a scope there (`oauth:orders.write@https://api.example`).

use wane_connector::{Given, Guarded, Place, Reader};
use wane_domain::catalogue::Role;
use wane_domain::issue::Right;
use wane_domain::time::Time;

use crate::claims::{Claims, read};
use crate::role::{Definition, is_scope, scopes_of};
use crate::settings::is_audience;

/// How tokens are read.
pub const TOKENS: Reader = Reader { gives, within, names };

const OURS: &str = "oauth:";

fn claims(bytes: &[u8]) -> Result<Claims, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
    read(text).map(|(_, claims)| claims)
}

/// The audience is a setting of the resource server, and in nothing that people sign.
fn gives(bytes: &[u8]) -> Result<Given, String> {
    let Claims { aud, scope, .. } = claims(bytes)?;
    let mut names = vec![format!("{OURS}{aud}")];
    names.extend(scopes_of(&scope)?.iter().map(|scope| format!("{OURS}{scope}@{aud}")));
    Ok(Given { names, place: Place::Unsigned })
}

fn names(text: &str) -> Option<Guarded> {
    let rest = text.strip_prefix(OURS)?;
    let is_scope_there = rest.split_once('@').is_some_and(|(scope, at)| is_scope(scope) && is_audience(at));
    (is_scope_there || is_audience(rest)).then(|| Guarded { name: text.to_owned(), place: Place::Unsigned })
}

/// Whether a role gives all that a token says, for no longer, and it is bound as the role demands.
fn within(role: &Role, _right: &Right, bytes: &[u8]) -> Result<(), String> {
    let said = claims(bytes)?;
    let definition = Definition::read(&role.definition).map_err(|e| e.to_string())?;
    if role.kind.as_str() != crate::NAME {
        return Err("the role is of another kind".to_owned());
    }
    if let Some(more) = scopes_of(&said.scope)?.iter().find(|scope| !definition.scopes.contains(*scope)) {
        return Err(format!("the role does not give `{}`", crate::settings::short(more)));
    }
    if said.exp > Time::from_micros(said.iat.saturating_mul(1_000_000)).plus(definition.life).seconds() {
        return Err("it lasts longer than the role's do".to_owned());
    }
    if definition.bound.is_met_by(said.cnf.as_ref()) {
        Ok(())
    } else {
        Err("it is not bound as the role demands".to_owned())
    }
}
