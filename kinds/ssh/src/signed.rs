//! What a signer that asks people to sign reads in a user certificate: what it gives, and whether the role gives that.

use wane_connector::{Given, Guarded, Place, Reader};
use wane_domain::catalogue::Role;
use wane_domain::id::ResourceId;
use wane_domain::issue::Right;

use crate::certificate::parse_unsigned;
use crate::role::{Definition, FORCE_COMMAND, SOURCE_ADDRESS, is_principal, login_in, principal_at, principal_for};

/// How user certificates are read.
pub const USER_CERTIFICATES: Reader = Reader { gives, within, names };

/// Each login name at each host: `deploy@res_…`, wherever it is good.
fn gives(tbs: &[u8]) -> Result<Given, String> {
    let cert = parse_unsigned(tbs)?;
    let names = cert.valid_principals().iter().map(|name| login_in(name).to_owned()).collect();
    Ok(Given { names, place: Place::Signed })
}

fn names(text: &str) -> Option<Guarded> {
    let (login, host) = text.split_once('@')?;
    let host: ResourceId = host.parse().ok()?;
    is_principal(login).then(|| Guarded { name: principal_at(login, host), place: Place::Signed })
}

/// Whether a role gives all that a certificate says, and the certificate leaves nothing out that the role demands. The
/// addresses a role may be used from the gateway checks itself, and its own certificates do without.
fn within(role: &Role, right: &Right, tbs: &[u8]) -> Result<(), String> {
    let cert = parse_unsigned(tbs)?;
    let definition = Definition::read(&role.definition).map_err(|e| e.to_string())?;
    if role.kind.as_str() != crate::NAME {
        return Err("the role is of another kind".to_owned());
    }
    let host = right.item().resource;
    let given =
        |name: &String| definition.principals.iter().any(|login| *name == principal_for(right.reach(), login, host));
    if let Some(odd) = cert.valid_principals().iter().find(|name| !given(name)) {
        return Err(format!("the role does not give {odd:?}"));
    }
    if let Some((odd, _)) = cert.extensions().iter().find(|(name, _)| !definition.allows(name)) {
        return Err(format!("the role does not allow {odd:?}"));
    }
    let mut demanded = definition.critical_options();
    if let Some(task) = &right.item().task {
        demanded.insert(FORCE_COMMAND.to_owned(), definition.line_of(task)?);
    }
    let said = &cert.critical_options().0;
    let mut without = demanded.clone();
    without.remove(SOURCE_ADDRESS);
    if *said == demanded || *said == without { Ok(()) } else { Err("it leaves out what the role demands".to_owned()) }
}
