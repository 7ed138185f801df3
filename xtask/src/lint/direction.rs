//! The rooms of the house and which may know which. Dependencies of tests are free.

use super::finding::Finding;
use super::metadata::Metadata;

const RULE: &str = "direction";

/// A room, and every room it may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("wane-domain", &[]),
    ("wane-policy", &["wane-domain"]),
    ("wane-audit", &["wane-domain"]),
    ("wane-approval", &["wane-domain"]),
    // Known to every room that has effects, and to none of the pure ones.
    ("wane-failpoint", &[]),
    ("wane-recording", &["wane-domain"]),
    ("wane-archive", &["wane-domain", "wane-recording", "wane-runtime", "wane-failpoint"]),
    ("wane-finding", &["wane-recording"]),
    ("wane-connector", &["wane-domain", "wane-recording", "wane-finding"]),
    ("wane-keys", &["wane-domain", "wane-connector", "wane-approval", "wane-failpoint"]),
    ("wane-scim", &[]),
    ("wane-acme", &["wane-domain"]),
    // Known to whoever writes text of others among markup.
    ("wane-markup", &[]),
    ("wane-ldap", &["wane-domain"]),
    ("wane-notice", &["wane-domain", "wane-audit", "wane-markup"]),
    ("wane-store", &["wane-domain", "wane-audit", "wane-notice"]),
    ("wane-egress", &["wane-domain"]),
    ("wane-oidc", &["wane-domain", "wane-egress"]),
    ("wane-post", &["wane-domain", "wane-notice", "wane-egress"]),
    ("wane-store-sql", &["wane-domain", "wane-audit", "wane-notice", "wane-store", "wane-failpoint"]),
    ("wane-app", APP),
    ("wane-reconcile", RECONCILE),
    ("wane-http", HTTP),
    ("wane-gateway", GATEWAY),
    // No private door: the command line knows what any other client knows.
    ("wane-api", &[]),
    ("wane-client", &["wane-api"]),
    ("wane-cli", &["wane-api", "wane-client"]),
    ("wane-config", &[]),
    ("wane-runtime", &["wane-domain"]),
    ("wane-testkit", &["wane-domain"]),
    ("wane-e2e", &[]),
    // Measures rooms of the core by themselves, and everything else from outside.
    ("wane-bench", &["wane-domain", "wane-policy"]),
    ("xtask", &["wane-testkit"]),
];

const APP: &[&str] = &[
    "wane-domain",
    "wane-approval",
    "wane-policy",
    "wane-audit",
    "wane-recording",
    "wane-finding",
    "wane-connector",
    "wane-store",
    "wane-keys",
    "wane-oidc",
    "wane-scim",
    "wane-acme",
    "wane-ldap",
    "wane-notice",
    "wane-failpoint",
];

const RECONCILE: &[&str] = &[
    "wane-domain",
    "wane-policy",
    "wane-audit",
    "wane-recording",
    "wane-connector",
    "wane-store",
    "wane-keys",
    "wane-app",
    "wane-failpoint",
];

/// Neither store nor keys: what the outside asks for goes through a use-case.
const HTTP: &[&str] = &[
    "wane-domain",
    "wane-policy",
    "wane-audit",
    "wane-recording",
    "wane-connector",
    "wane-markup",
    "wane-notice",
    "wane-app",
    "wane-reconcile",
    "wane-scim",
    "wane-acme",
    "wane-api",
    "wane-failpoint",
];

/// The gateway reaches the rest through one port and never holds a database handle.
const GATEWAY: &[&str] = &["wane-domain", "wane-recording", "wane-finding", "wane-connector", "wane-app"];

const KIND: &[&str] = &[
    "wane-domain",
    "wane-connector",
    "wane-recording",
    "wane-finding",
    "wane-failpoint",
    "wane-ldap",
    "wane-egress",
    "wane-markup",
];

/// The binary puts the house together and may know every room, but not the tests' kit.
const BINARY: &str = "wane";
const ONLY_FOR_TESTS: &[&str] = &["wane-testkit", "wane-e2e", "wane-bench", "wane-fuzz", "xtask"];
/// The fuzz targets reach every reader of hostile bytes, wherever it is.
const FUZZ: &str = "wane-fuzz";

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let own = |name: &str| metadata.members.contains_key(name);
    let mut findings = Vec::new();
    for (room, uses) in &metadata.members {
        let Some(allowed) = allowed(room) else {
            let advice = "is not on the map of rooms; add it to xtask/src/lint/direction.rs";
            findings.push(Finding::new(RULE, room, advice.to_owned()));
            continue;
        };
        for used in uses.iter().filter(|used| own(used)) {
            if !allowed.permits(used) {
                let message = format!("must not depend on `{used}`");
                findings.push(Finding::new(RULE, room, message));
            }
        }
    }
    findings
}

enum Allowed {
    These(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

impl Allowed {
    fn permits(&self, used: &str) -> bool {
        match self {
            Self::These(rooms) => rooms.contains(&used),
            Self::AllBut(rooms) => !rooms.contains(&used),
        }
    }
}

fn allowed(room: &str) -> Option<Allowed> {
    if room == FUZZ {
        return Some(Allowed::AllBut(&["wane-e2e", "xtask"]));
    }
    if room == BINARY {
        return Some(Allowed::AllBut(ONLY_FOR_TESTS));
    }
    if room.starts_with("wane-kind-") {
        return Some(Allowed::These(KIND));
    }
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, rooms)| Allowed::These(rooms))
}

#[cfg(test)]
mod tests {
    use super::{Metadata, check};

    fn broken(members: &[(&str, &[&str])]) -> Vec<String> {
        let mut metadata = Metadata::default();
        for (name, uses) in members {
            let uses = uses.iter().map(|used| (*used).to_owned()).collect();
            metadata.members.insert((*name).to_owned(), uses);
        }
        check(&metadata).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn edges_on_the_map_pass_and_others_do_not() {
        let fine: &[(&str, &[&str])] = &[
            ("wane-domain", &["serde"]),
            ("wane-app", &["wane-domain", "tokio"]),
            ("wane-kind-ssh", &["wane-domain"]),
            ("wane", &["wane-kind-ssh", "wane-app"]),
        ];
        assert_eq!(broken(fine), Vec::<String>::new());
        for (room, used) in [
            ("wane-domain", "wane-app"),
            ("wane-cli", "wane-app"),
            ("wane-kind-ssh", "wane-keys"),
            ("wane-kind-ssh", "wane-kind-postgres"),
            ("wane-http", "wane-store"),
            ("wane", "wane-testkit"),
        ] {
            let found = broken(&[(room, &[used]), (used, &[])]);
            assert_eq!(found, [format!("{room}: must not depend on `{used}` (direction)")]);
        }
    }

    #[test]
    fn a_room_that_is_not_on_the_map_is_told() {
        let found = broken(&[("wane-attic", &[])]);
        assert!(found.concat().contains("not on the map"), "{found:?}");
    }
}
