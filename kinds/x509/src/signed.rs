//! What a signer that asks people to sign reads in a certificate: which names it gives, and whether the role gives those.
//!
//! A guard is over what peers go by: `x509:dns:db.example`, `x509:ip:10.0.0.7`, `x509:cn:operator`, `x509:uri:spiffe://…`, a tree of
//! names (`x509:dns:*.example`, `x509:uri:spiffe://example.org/ns/*`), or everything for one end of a connection (`x509:client`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use wane_connector::{Given, Guarded, Place, Reader};
use wane_domain::catalogue::Role;
use wane_domain::issue::Right;

use crate::certificate::{grant_uri, is_spiffe_id};
use crate::role::{Definition, is_common_name};
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
        names.extend(common_names(&common_name)?);
    }
    for name in &dns_names {
        if dns_name(name).as_ref() != Some(name) {
            return Err(format!("its name {name:?} has another spelling, or is no name of one server"));
        }
        names.extend(dns(name));
    }
    names.extend(ip_addresses.iter().copied().map(ip));
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

/// What a common name is to peers. Some take it for the name of a server, or its address, where no other is of that sort.
fn common_names(name: &str) -> Result<Vec<String>, String> {
    // INVARIANT: a name that is guarded is guarded as a common name too (held by `no_common_name_gets_round_a_guard`).
    let mut names = vec![common(name)];
    // What ends with a dot is the same name.
    let plain = name.trim_end_matches('.');
    match (plain.parse(), dns_name(plain)) {
        (Ok(address), _) => names.push(ip(address)),
        (Err(_), Some(name)) => names.extend(dns(&name)),
        (Err(_), None) if is_common_name(name) => {}
        (Err(_), None) => return Err("its common name is none that a role gives".to_owned()),
    }
    Ok(names)
}

/// A name of a server, and every tree that it is in.
fn dns(name: &str) -> Vec<String> {
    let trees = above(name).map(|above| format!("{OURS}dns:*.{above}"));
    std::iter::once(format!("{OURS}dns:{name}")).chain(trees).collect()
}

fn ip(address: IpAddr) -> String {
    format!("{OURS}ip:{}", address.to_canonical())
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
        "ip" => rest.parse().ok().map(|address| signed(ip(address))),
        "uri" => {
            let whole = rest.strip_suffix("/*").map_or_else(|| rest.to_owned(), |tree| format!("{tree}/below"));
            is_spiffe_id(&whole).then(|| Guarded { name: text.to_owned(), place: Place::Unsigned })
        }
        _ => None,
    }
}

/// Whether a role gives what a certificate says: some of its names or all of them, and everything else exactly. The trust domain
/// is not in a role: of which service it is has to be said with the guard.
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
        ("names", has_names(&said, &definition)),
        ("subject", has_subject(&said, &definition)),
        ("identity", said.uri == identity.unwrap_or_else(|| grant_uri(right.grant()))),
        ("life", said.not_after <= right.not_before().plus(definition.life).seconds()),
    ];
    match fields.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(format!("its {field} is not what the role gives")),
        None => Ok(()),
    }
}

/// Whether it is for some of the role's names, if that has any.
fn has_names(said: &Said, role: &Definition) -> bool {
    let is_nameless = |dns: &BTreeSet<String>, ip: &BTreeSet<IpAddr>| dns.is_empty() && ip.is_empty();
    said.dns_names.is_subset(&role.dns_names)
        && said.ip_addresses.is_subset(&role.ip_addresses)
        && is_nameless(&said.dns_names, &said.ip_addresses) == is_nameless(&role.dns_names, &role.ip_addresses)
}

/// Whether its common name is the role's; without one in the role it is the grant, or one of the certificate's own names.
fn has_subject(said: &Said, role: &Definition) -> bool {
    let name = &said.common_name;
    match &role.common_name {
        Some(given) => name == given,
        None if *name == said.grant || said.dns_names.contains(name) => true,
        None => said.ip_addresses.iter().any(|address| address.to_string() == *name),
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
    fn a_certificate_has_some_names_where_its_role_has_any() {
        let role = |given| Definition::read(&given).unwrap();
        let server = role(serde_json::json!({ "use": "server", "dns_names": ["a", "b"], "ip_addresses": ["::1"] }));
        let client = role(serde_json::json!({ "use": "client" }));
        let said = |dns: &[&str], ip: &[&str]| Said {
            serial: Vec::new(),
            issuer: Vec::new(),
            authority_key_id: Vec::new(),
            not_before: 0,
            not_after: 0,
            common_name: String::new(),
            grant: String::new(),
            usage: server.usage,
            uri: String::new(),
            dns_names: dns.iter().map(|name| (*name).to_owned()).collect(),
            ip_addresses: ip.iter().map(|ip| ip.parse().unwrap()).collect(),
            spki: Vec::new(),
            subject_key_id: Vec::new(),
        };
        for (dns, ip, of_server, of_client) in [
            (&["a", "b"][..], &["::1"][..], true, false),
            (&["b"], &[], true, false),
            (&[], &["::1"], true, false),
            (&["a", "c"], &[], false, false),
            (&["a"], &["::2"], false, false),
            (&[], &[], false, true),
        ] {
            assert_eq!(has_names(&said(dns, ip), &server), of_server, "{dns:?} {ip:?}");
            assert_eq!(has_names(&said(dns, ip), &client), of_client, "{dns:?} {ip:?}");
        }
    }

    #[test]
    fn a_name_is_below_all_that_it_ends_with() {
        assert_eq!(above("a.b.c").collect::<Vec<_>>(), ["b.c", "c"]);
        assert_eq!(above("a").count(), 0);
    }
}
