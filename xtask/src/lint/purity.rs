//! The pure rooms have no runtime, no SQL and no HTTP anywhere below them.

use std::collections::{BTreeMap, VecDeque};

use super::finding::Finding;
use super::metadata::Metadata;

const RULE: &str = "purity";
const PURE: &[&str] =
    &["wane-domain", "wane-policy", "wane-audit", "wane-recording", "wane-finding", "wane-notice", "wane-markup"];
/// A crate of one of these names, or of a family that begins with one.
const IMPURE: &[&str] = &["tokio", "async-std", "smol", "sqlx", "rusqlite", "axum", "hyper", "reqwest", "tower-http"];

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    metadata
        .resolved
        .iter()
        .filter(|(_, found)| PURE.contains(&found.name.as_str()))
        .flat_map(|(id, _)| impurities(metadata, id))
        .collect()
}

/// Walks everything below `root`, remembering the way, so that the message can show it.
fn impurities(metadata: &Metadata, root: &str) -> Vec<Finding> {
    let mut way: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut next = VecDeque::from([(root, Vec::new())]);
    let mut findings = Vec::new();
    while let Some((id, mut path)) = next.pop_front() {
        let Some(found) = metadata.resolved.get(id) else {
            continue;
        };
        if way.contains_key(id) {
            continue;
        }
        path.push(found.name.as_str());
        if is_impure(&found.name) {
            let message = format!("is pure and must not reach {}", path.join(" → "));
            let place = path.first().copied().unwrap_or_default();
            findings.push(Finding::new(RULE, place, message));
        } else {
            next.extend(found.needs.iter().map(|below| (below.as_str(), path.clone())));
        }
        way.insert(id, path);
    }
    findings
}

fn is_impure(name: &str) -> bool {
    IMPURE.iter().any(|impure| name.strip_prefix(impure).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
}

#[cfg(test)]
mod tests {
    use super::super::metadata::Resolved;
    use super::{Metadata, check};

    #[test]
    fn an_impurity_is_found_at_any_depth_and_its_way_is_shown() {
        let mut metadata = Metadata::default();
        for (name, needs) in [
            ("wane-domain", vec!["serde", "clever"]),
            ("clever", vec!["tokio-util"]),
            ("tokio-util", vec![]),
            ("serde", vec![]),
            ("wane-app", vec!["tokio-util"]),
        ] {
            let needs = needs.into_iter().map(str::to_owned).collect();
            let name = name.to_owned();
            metadata.resolved.insert(name.clone(), Resolved { name, needs });
        }
        let found: Vec<String> = check(&metadata).iter().map(ToString::to_string).collect();
        let way = "wane-domain → clever → tokio-util";
        let expected = format!("wane-domain: is pure and must not reach {way} (purity)");
        assert_eq!(found, [expected]);
    }
}
