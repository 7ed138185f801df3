//! What a signer that asks people to sign reads in a certificate: which names it gives, and whether the role gives those.
//!
//! A guard is over what peers go by: `x509:dns:db.example`, `x509:ip:10.0.0.7`, `x509:cn:operator`, `x509:uri:spiffe://…`, a tree of
//! names (`x509:dns:*.example`, `x509:uri:spiffe://example.org/ns/*`), or everything for one end of a connection (`x509:client`).

use wane_connector::{Given, Guarded, Place, Reader};
use wane_domain::catalogue::Role;
use wane_domain::issue::Right;

use crate::certificate::{grant_uri, is_spiffe_id};
use crate::role::Definition;
use crate::said::{self, Said};
use crate::settings::dns_name;

/// How certificates are read.
pub const CERTIFICATES: Reader = Reader { gives, within, names };

const OURS: &str = "x509:";
const SPIFFE: &str = "spiffe://";

/// INVARIANT: a name that peers take for another's spelling is not read as a name of its own (held by
/// `no_spelling_gets_round_a_guard`).
fn gives(tbs: &[u8]) -> Result<Given, String> {
    let Said { usage, common_name, grant, uri, dns_names, ip_addresses, .. } = said::read(tbs)?;
    let mut names = vec![format!("{OURS}{}", usage.word())];
    if common_name != grant {
        names.push(common(&common_name));
    }
    for name in &dns_names {
        if dns_name(name).as_ref() != Some(name) {
            return Err(format!("its name {name:?} has another spelling, or is no name of one server"));
        }
        names.push(format!("{OURS}dns:{name}"));
        names.extend(above(name).map(|above| format!("{OURS}dns:*.{above}")));
    }
    names.extend(ip_addresses.iter().map(|address| format!("{OURS}ip:{}", address.to_canonical())));
    let identity = uri.strip_prefix(SPIFFE);
    if let Some(path) = identity {
        names.push(format!("{OURS}uri:{uri}"));
        let trees = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        names.extend(trees.map(|tree| format!("{OURS}uri:{SPIFFE}{tree}/*")));
    }
    // A trust domain is a setting of the service.
    let place = if identity.is_some() { Place::Unsigned } else { Place::Signed };
    Ok(Given { names, place })
}

/// Peers that go by a common name often compare it without case.
fn common(name: &str) -> String {
    format!("{OURS}cn:{}", name.to_ascii_lowercase())
}

/// Everything a name is below.
fn above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').filter_map(move |(at, _)| name.get(at.saturating_add(1)..))
}

fn names(text: &str) -> Option<Guarded> {
    let (sort, rest) = text.strip_prefix(OURS)?.split_once(':').unwrap_or((text.strip_prefix(OURS)?, ""));
    let signed = |name: String| Guarded { name, place: Place::Signed };
    match sort {
        "client" | "server" if rest.is_empty() => Some(signed(text.to_owned())),
        "cn" if !rest.is_empty() => Some(signed(common(rest))),
        "dns" => match rest.strip_prefix("*.") {
            Some(tree) => dns_name(tree).map(|tree| signed(format!("{OURS}dns:*.{tree}"))),
            None => dns_name(rest).map(|name| signed(format!("{OURS}dns:{name}"))),
        },
        "ip" => rest.parse::<std::net::IpAddr>().ok().map(|ip| signed(format!("{OURS}ip:{}", ip.to_canonical()))),
        "uri" => {
            let whole = rest.strip_suffix("/*").map_or_else(|| rest.to_owned(), |tree| format!("{tree}/below"));
            is_spiffe_id(&whole).then(|| Guarded { name: text.to_owned(), place: Place::Unsigned })
        }
        _ => None,
    }
}

/// Whether a role gives exactly what a certificate says. The trust domain is not in a role: of which service it is has to be
/// said with the guard.
fn within(role: &Role, right: &Right, tbs: &[u8]) -> Result<(), String> {
    let said = said::read(tbs)?;
    let definition = Definition::read(&role.definition).map_err(|e| e.to_string())?;
    if role.kind.as_str() != crate::NAME {
        return Err("the role is of another kind".to_owned());
    }
    let domain = said.uri.strip_prefix(SPIFFE).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let identity = definition.spiffe_id(domain, &right.holder().to_string());
    let fields = [
        ("end of a connection", said.usage == definition.usage),
        ("names", said.dns_names == definition.dns_names && said.ip_addresses == definition.ip_addresses),
        ("subject", said.common_name == definition.common_name.unwrap_or_else(|| said.grant.clone())),
        ("identity", said.uri == identity.unwrap_or_else(|| grant_uri(right.grant()))),
        ("life", said.not_after <= right.not_before().plus(definition.life).seconds()),
    ];
    match fields.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(format!("its {field} is not what the role gives")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_has_one_spelling() {
        for (text, name) in [
            ("x509:client", Some("x509:client")),
            ("x509:dns:DB.Example", Some("x509:dns:db.example")),
            ("x509:dns:*.example", Some("x509:dns:*.example")),
            ("x509:ip:::ffff:10.0.0.7", Some("x509:ip:10.0.0.7")),
            ("x509:cn:Operator", Some("x509:cn:operator")),
            ("x509:uri:spiffe://a.example/ns/shop", Some("x509:uri:spiffe://a.example/ns/shop")),
            ("x509:uri:spiffe://a.example/*", Some("x509:uri:spiffe://a.example/*")),
            ("x509:client:all", None),
            ("x509:dns:*", None),
            ("x509:dns:a.*.example", None),
            ("x509:ip:10.0.0.0/8", None),
            ("x509:uri:https://a.example/", None),
            ("x509:uri:spiffe://A.example/ns", None),
            ("x509:cn:", None),
            ("x509:", None),
            ("deploy@res_x", None),
        ] {
            assert_eq!(names(text).map(|guarded| guarded.name).as_deref(), name, "{text}");
        }
        assert_eq!(names("x509:uri:spiffe://a.example/*").unwrap().place, Place::Unsigned);
    }

    #[test]
    fn a_name_is_below_all_that_it_ends_with() {
        assert_eq!(above("a.b.c").collect::<Vec<_>>(), ["b.c", "c"]);
        assert_eq!(above("a").count(), 0);
    }
}
