//! The points that stand in the source, and which are reached by a kill here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Whose points must all be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Account,
    Certificate,
}

/// What both families share: the lifecycle. One that is neither here nor below fails the check.
const SHARED: &[&str] = &[
    "app.ask.commit",
    "app.end.commit",
    "app.end.target",
    "app.end.read_back",
    "app.try_end.commit",
    "app.answer.commit",
    "store.commit",
    "http.credential.leaves",
];
const ACCOUNT: &[&str] = &[
    "app.approve.commit",
    "app.activate.commit",
    "app.intend.commit",
    "app.create",
    "app.made.commit",
    "app.inventory",
    "app.traces",
];
const CERTIFICATE: &[&str] =
    &["app.sign", "app.sign.commit", "app.confirm.read_back", "app.confirm.commit", "app.revocations.sign"];

/// Reached by no life here: administration (each one commit by itself), and detours of a life that other
/// tests take without a kill. A new point belongs into a life, not into this list.
const ELSEWHERE: &[&str] = &[
    "app.answer_lost.commit",
    "app.connector.",
    "app.decline.commit",
    "app.enrol.commit",
    "app.extend.",
    "app.extend_target.commit",
    "app.give_up.commit",
    "app.group.commit",
    "app.group_new.commit",
    "app.join.",
    "app.lapse.commit",
    "app.lock.commit",
    "app.orphan",
    "app.person_",
    "app.policy.commit",
    "app.probe",
    "app.prove.commit",
    "app.residue.commit",
    "app.resource_",
    "app.role_",
    "app.role.",
    "app.session.",
    "app.session_used.",
    "app.shorten.commit",
    "app.sign_in_failed.commit",
    "app.sign_out.commit",
    "app.step_up.commit",
    "app.storeless.",
    "app.sweep.commit",
    "app.token.commit",
    "app.unlock.commit",
    "http.join.leaves",
    "init.",
    "postgres.connect",
    "postgres.create.elsewhere",
    "postgres.create.missing",
    "postgres.create.taken",
    "postgres.end.block.refused",
    "postgres.end.clear",
    "postgres.end.cut",
    "postgres.end.disarm",
    "postgres.end.drop_owned",
    "postgres.end.place",
    "postgres.end.prepared",
    "postgres.end.quarantine",
    "postgres.end.reassign",
    "postgres.end.rights_lock",
    "postgres.end.strip",
    "postgres.end.wait",
    "postgres.extend",
    "postgres.first",
    "postgres.read_one",
    "ssh.host.sign",
    "store.found",
];

/// Fails if a point in the source is reached by no life of its family, or belongs to none.
pub(crate) fn assert_reached(reached: &BTreeSet<String>, family: Family) {
    let all = in_source();
    assert!(all.len() > 50, "only {} points were found in the source", all.len());
    let mut wrong = Vec::new();
    for point in &all {
        let of = |list: &[&str]| list.contains(&point.as_str());
        let elsewhere = ELSEWHERE.iter().any(|e| {
            point == e || (e.ends_with(['.', '_']) && point.starts_with(e)) || point.starts_with(&format!("{e}."))
        });
        let mine = match family {
            Family::Account => of(SHARED) || of(ACCOUNT) || point.starts_with("postgres."),
            Family::Certificate => of(SHARED) || of(CERTIFICATE) || point.starts_with("ssh."),
        };
        let known = elsewhere
            || of(SHARED)
            || of(ACCOUNT)
            || of(CERTIFICATE)
            || point.starts_with("postgres.")
            || point.starts_with("ssh.");
        if mine && !elsewhere && !reached.contains(point) {
            wrong.push(format!("`{point}` is reached by no life"));
        }
        if !known {
            wrong.push(format!("`{point}` belongs to no family: let a life reach it"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\nreached: {reached:#?}");
}

fn in_source() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<PathBuf> = ["crates", "kinds"].map(|f| root.join(f)).into();
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") && !path.ends_with("failpoint") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.extend(
                    text.split("point!(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned),
                );
            }
        }
    }
    found
}
