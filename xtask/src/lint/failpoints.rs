//! Every effect on the outside world has a failpoint beside it, and every failpoint its own name.
//!
//! An effect without one is a step at which no test ever kills the server. What takes a point as an
//! argument (`Change::commit`, a PostgreSQL session's `run`) is held by the compiler; this finds the
//! calls below those, by their text. That every point is reached by a test is the crash tests' claim.

use std::collections::BTreeMap;

use super::code;
use super::finding::Finding;
use super::tree::{Source, Tree};

const RULE: &str = "failpoints";
const NAME: &str = "point!(\"";

/// Calls that reach out of the process or make something durable, and the rooms in which they do.
const EFFECTS: &[(&str, &[&str])] = &[
    ("crates/", &["store.commit(", ".execute(\"COMMIT\")", "progress.end("]),
    (
        "crates/app/src/",
        &[
            "effects.create(",
            "effects.extend(",
            "effects.end(",
            "effects.read_back(",
            "effects.inventory(",
            "effects.remove_orphan(",
            "effects.traces(",
            "effects.clock_skew(",
            "effects().",
            "kind.probe(",
            "issuer.issue(",
            "docs.enrol(",
            "docs.revocations(",
        ],
    ),
    ("crates/reconcile/src/", &["effects(", "issuer("]),
    ("crates/http/src/", &["effects(", "issuer(", "HostJoined {", "CredentialView {"]),
    (
        "kinds/",
        &[
            ".batch_execute(",
            ".execute(",
            ".query(",
            ".query_one(",
            ".query_opt(",
            ".simple_query(",
            ".copy_in(",
            " connect(config",
            "client::connect(",
            ".authenticate_certificate_with(",
            "signer.issue(",
            "signer.publish(",
            "line.make(",
            "line.revoke(",
            "line.verify(",
            "line.list(",
            "line.extend(",
        ],
    ),
];

/// What runs on a person's or a host's own machine is no effect of the server.
const ELSEWHERE: &[&str] = &["kinds/ssh/src/verbs/", "kinds/postgres/src/psql.rs", "crates/store/src/conformance"];

/// What stands around an effect.
const BESIDE: &[&str] = &["around(", "around_call(", "failpoint::at("];
/// How many lines above the effect it may stand, and below.
const ABOVE: usize = 3;
const BELOW: usize = 2;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for file in tree.rust() {
        if file.is_test() || file.path.starts_with("xtask/") || file.path.starts_with("crates/failpoint/") {
            continue;
        }
        let code = code::of(&file.text);
        names(file, &code, &mut named, &mut findings);
        if !ELSEWHERE.iter().any(|elsewhere| file.path.starts_with(elsewhere)) {
            effects(file, &code, &mut findings);
        }
    }
    findings
}

fn names(file: &Source, code: &str, named: &mut BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    for (number, line) in (1..).zip(code.lines()) {
        for after in line.split(NAME).skip(1) {
            let name = after.split('"').next().unwrap_or_default();
            let here = format!("{}:{number}", file.path);
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_');
            if name.split('.').count() < 2 || name.split('.').any(str::is_empty) || !name.chars().all(letters) {
                let message = format!("the failpoint `{name}` is not named `room.what` in lower case");
                findings.push(Finding::at(RULE, &file.path, number, message));
            }
            if let Some(first) = named.insert(name.to_owned(), here) {
                let message = format!("the failpoint `{name}` has its name from {first}; give it one of its own");
                findings.push(Finding::at(RULE, &file.path, number, message));
            }
        }
    }
}

fn effects(file: &Source, code: &str, findings: &mut Vec<Finding>) {
    let calls: Vec<&str> = EFFECTS
        .iter()
        .filter(|(room, _)| file.path.starts_with(room))
        .flat_map(|(_, calls)| calls.iter().copied())
        .collect();
    let lines: Vec<&str> = code.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        // An address has a query too, and is asked for it with nothing.
        let asked = line.replace(".query()", "");
        let Some(call) = calls.iter().find(|call| asked.contains(**call)) else { continue };
        let declared = line.contains("fn ") || line.contains("struct ") || line.trim_start().starts_with("use ");
        let from = index.saturating_sub(ABOVE);
        let beside =
            lines.iter().skip(from).take(index - from + 1 + BELOW).any(|line| BESIDE.iter().any(|b| line.contains(b)));
        if !declared && !beside {
            let message = format!(
                "`{call}…` has no failpoint beside it, so no test ever kills the server there; \
                 write `around(point!(\"room.what\"), …)` around it"
            );
            findings.push(Finding::at(RULE, &file.path, index + 1, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_effect_without_a_failpoint_is_found() {
        for (path, text, expected) in [
            ("crates/app/src/x.rs", "effects.create(&target).await", 1),
            ("crates/app/src/x.rs", "around(point!(\"app.x\"), effects.create(&target)).await", 0),
            ("crates/app/src/x.rs", "around(\n    point!(\"app.x\"),\n    effects.create(&target),\n)", 0),
            ("crates/app/src/x.rs", "around(point!(\"app.x\"), f);\n\n\n\nhandle.kind.effects().end(&t)", 1),
            ("crates/app/src/x.rs", "// effects.create(&target)", 0),
            ("crates/app/src/x.rs", "self.store.commit(commit).await", 1),
            ("crates/store-sql/src/x.rs", "conn.execute(\"COMMIT\").await", 1),
            ("crates/store-sql/src/x.rs", "conn.execute(\"BEGIN\").await", 0),
            ("crates/store/src/conformance/x.rs", "store.commit(commit).await", 0),
            ("crates/reconcile/src/x.rs", "handle.kind.effects().end(&t)", 1),
            ("crates/http/src/x.rs", "Ok(made(HostJoined { token }))", 1),
            ("crates/http/src/x.rs", "failpoint::at(point!(\"http.x\")).await;\nOk(made(HostJoined { token }))", 0),
            ("kinds/postgres/src/x.rs", "self.client.batch_execute(sql).await", 1),
            ("kinds/postgres/src/x.rs", "self.client.query_one(sql, params).await", 1),
            ("kinds/ssh/src/x.rs", "self.signer.issue(USER_CA, permit, tbs)", 1),
            ("kinds/ssh/src/verbs/x.rs", "client::connect(config)", 0),
            ("kinds/ssh/tests/it/x.rs", "signer.issue(USER_CA, permit, tbs)", 0),
        ] {
            assert_eq!(found(path, text).len(), expected, "{path}: {text}: {:?}", found(path, text));
        }
    }

    #[test]
    fn a_name_stands_at_one_place_and_is_spelled_one_way() {
        let tree = Tree::of(&[
            ("crates/app/src/a.rs", "at(point!(\"app.a\"))"),
            ("crates/app/src/b.rs", "at(point!(\"app.b\"));\nat(point!(\"app.a\"))"),
        ]);
        let findings: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].contains("`app.a`") && findings[0].contains("crates/app/src/a.rs:1"), "{findings:?}");
        for bad in ["app", "App.a", "app..a", "app.a-b", ""] {
            assert_eq!(found("crates/app/src/a.rs", &format!("at(point!(\"{bad}\"))")).len(), 1, "{bad}");
        }
    }
}
