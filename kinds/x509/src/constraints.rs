//! Name constraints of authorities (RFC 5280, section 4.2.1.10): what none of them may name is not certified.

use std::net::IpAddr;

use rcgen::{CidrSubnet, GeneralSubtree};
use x509_cert::Certificate;
use x509_cert::ext::pkix::NameConstraints;
use x509_cert::ext::pkix::name::GeneralName;

/// What the certificates of a chain let an authority name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Constraints(Vec<Level>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Level {
    permitted: Vec<Tree>,
    excluded: Vec<Tree>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    Dns(String),
    Addresses {
        network: Vec<u8>,
        mask: Vec<u8>,
    },
    /// Of another sort, which nothing here is named by.
    Other,
}

impl Constraints {
    /// Those of all certificates of a chain.
    pub(crate) fn of(chain: &[Certificate]) -> Result<Self, String> {
        let mut levels = Vec::new();
        for cert in chain {
            let found = cert.tbs_certificate().get_extension::<NameConstraints>();
            let Some((_, constraints)) = found.map_err(|e| format!("its name constraints cannot be read: {e}"))? else {
                continue;
            };
            let trees = |trees: Option<Vec<_>>| trees.unwrap_or_default().iter().map(tree).collect();
            levels.push(Level {
                permitted: trees(constraints.permitted_subtrees),
                excluded: trees(constraints.excluded_subtrees),
            });
        }
        Ok(Self(levels))
    }

    /// Whether a server may be named so.
    pub(crate) fn permit_name(&self, name: &str) -> bool {
        self.0.iter().all(|level| {
            level.judge(
                |tree| matches!(tree, Tree::Dns(_)),
                |tree| matches!(tree, Tree::Dns(base) if is_below(name, base)),
            )
        })
    }

    /// Whether a server may have this address.
    pub(crate) fn permit_address(&self, address: IpAddr) -> bool {
        let bytes = match address {
            IpAddr::V4(four) => four.octets().to_vec(),
            IpAddr::V6(sixteen) => sixteen.octets().to_vec(),
        };
        self.0.iter().all(|level| level.judge(|tree| matches!(tree, Tree::Addresses { .. }), |tree| tree.holds(&bytes)))
    }
}

impl Level {
    /// Within one that is permitted, if any of that sort is, and within none that is excluded.
    fn judge(&self, is_sort: impl Fn(&Tree) -> bool, holds: impl Fn(&Tree) -> bool) -> bool {
        let permitted = !self.permitted.iter().any(&is_sort) || self.permitted.iter().any(&holds);
        permitted && !self.excluded.iter().any(holds)
    }
}

impl Tree {
    fn holds(&self, address: &[u8]) -> bool {
        let Self::Addresses { network, mask } = self else { return false };
        network.len() == address.len()
            && address.iter().zip(mask).zip(network).all(|((byte, mask), network)| byte & mask == network & mask)
    }
}

fn tree(tree: &x509_cert::ext::pkix::constraints::name::GeneralSubtree) -> Tree {
    match &tree.base {
        GeneralName::DnsName(name) => Tree::Dns(name.as_str().to_ascii_lowercase()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let (network, mask) = bytes.split_at(bytes.len() / 2);
            Tree::Addresses { network: network.to_vec(), mask: mask.to_vec() }
        }
        _ => Tree::Other,
    }
}

fn is_below(name: &str, base: &str) -> bool {
    match base.strip_prefix('.') {
        Some(above) => name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.')),
        None => base.is_empty() || name == base || name.strip_suffix(base).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// What an authority of our own is to be confined to.
pub(crate) fn subtrees(dns: &[String], networks: &[(IpAddr, u8)]) -> Vec<GeneralSubtree> {
    let names = dns.iter().cloned().map(GeneralSubtree::DnsName);
    let networks =
        networks.iter().map(|(ip, bits)| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*ip, *bits)));
    names.chain(networks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_permitted_is_within_and_not_excluded() {
        let dns = |name: &str| Tree::Dns(name.to_owned());
        let ten = Tree::Addresses { network: vec![10, 0, 0, 0], mask: vec![255, 0, 0, 0] };
        let level = Level { permitted: vec![dns("corp.example"), ten], excluded: vec![dns("secret.corp.example")] };
        let constraints = Constraints(vec![level]);
        for (name, permitted) in [
            ("corp.example", true),
            ("a.corp.example", true),
            ("notcorp.example", false),
            ("secret.corp.example", false),
            ("x.secret.corp.example", false),
            ("example", false),
        ] {
            assert_eq!(constraints.permit_name(name), permitted, "{name}");
        }
        for (address, permitted) in [("10.1.2.3", true), ("11.0.0.1", false), ("::1", false)] {
            assert_eq!(constraints.permit_address(address.parse().unwrap()), permitted, "{address}");
        }
        assert!(Constraints::default().permit_name("anything"), "no constraint constrains nothing");
        assert!(is_below("a.b", ".b") && !is_below("b", ".b"));
    }
}
