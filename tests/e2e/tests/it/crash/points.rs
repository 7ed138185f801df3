//! The points that stand in the source, and which are reached by a kill here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Whose points must all be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Account,
    Certificate,
    Membership,
    Declared,
    Application,
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
    "app.ends.commit",
    "app.try_ends.commit",
    "app.end.together",
    "app.end.together.read_back",
    "app.inventory",
    "app.traces",
];
const CERTIFICATE: &[&str] =
    &["app.sign", "app.sign.commit", "app.confirm.read_back", "app.confirm.commit", "app.revocations.sign"];

const MEMBERSHIP: &[&str] = &[
    "app.join.look",
    "app.intend.commit",
    "app.create",
    "app.made.commit",
    "app.leave.target",
    "app.leave.read_back",
    "app.memberships.look",
    "app.memberships.read_back",
    "app.inventory.beside",
];

/// Killed at in `detours`: ways that a life takes now and then.
pub(crate) const DETOURS: &[&str] = &[
    "app.decline.commit",
    "app.lapse.commit",
    "app.extend.commit",
    "app.extend.target",
    "app.extend_target.commit",
    "app.shorten.commit",
    "app.lock.commit",
    "app.unlock.commit",
    "app.give_up.commit",
    "app.sweep.commit",
    "app.orphan.intend.commit",
    "app.orphan",
    "app.orphan.commit",
    "postgres.extend",
    "postgres.end.strip",
    "postgres.end.cut",
    "postgres.end.place",
    "postgres.end.prepared.become",
    "postgres.end.prepared",
    "postgres.end.clear.begin",
    "postgres.end.rights_lock",
    "postgres.end.quarantine",
    "postgres.end.disarm",
    "postgres.end.reassign",
    "postgres.end.quarantine.over",
    "postgres.end.drop_owned",
    "postgres.end.clear.over",
];

/// Killed at in `steps`: administration, each one commit by itself.
pub(crate) const STEPS: &[&str] = &[
    "app.person_add.commit",
    "app.person_change.commit",
    "app.leave.commit",
    "app.group_new.commit",
    "app.group.commit",
    "app.token.commit",
    "app.enrol.commit",
    "app.prove.commit",
    "app.session.commit",
    "app.sign_out.commit",
    "app.sign_in_failed.commit",
    "app.policy.commit",
    "app.package_add.commit",
    "app.package_give.commit",
    "app.package_remove.commit",
    "app.role_add.commit",
    "app.role_change.commit",
    "app.role_remove.commit",
    "app.role.probe",
    "app.resource_add.probe",
    "app.resource_add.commit",
    "app.resource_change.commit",
    "app.resource_remove.commit",
    "app.connector.probe",
    "app.connector.commit",
    "app.probe",
    "app.join.sign",
    "app.join.commit",
    "http.join.leaves",
    "ssh.host.sign",
];

/// Killed at in `sessions`: what goes through the gateway, and its recording.
pub(crate) const SESSIONS: &[&str] = &[
    "gateway.key.commit",
    "app.front.sign",
    "ssh.gateway.sign",
    "app.front.commit",
    "app.brokered.sign",
    "ssh.session.sign",
    "app.brokered.open.commit",
    "app.brokered.begun.commit",
    "app.brokered.closed.commit",
    "app.brokered.kill.commit",
    "archive.journal",
    "archive.seal",
    "archive.direct",
    "app.recording.settle.commit",
    "app.recording.read.commit",
    "app.recording.verified.commit",
    "app.recording.searched.commit",
    "app.recording.refused.commit",
    "app.recording.delete.commit",
];

/// Killed at in `logins`: who comes in by a link and a code.
pub(crate) const LOGINS: &[&str] =
    &["app.arrival.commit", "app.brokered.open.commit", "app.brokered.begun.commit", "app.brokered.closed.commit"];

/// Killed at in `pushed`: directories, and what they push.
pub(crate) const PUSHED: &[&str] = &[
    "app.directory.add.commit",
    "app.directory.change.commit",
    "app.directory.rotate.commit",
    "app.directory.remove.commit",
    "app.directory.silence.commit",
    "app.directory.orphans.commit",
    "app.pushed.person_new.commit",
    "app.pushed.person.commit",
    "app.pushed.person_ended.commit",
    "app.pushed.person_left.commit",
    "app.pushed.group_new.commit",
    "app.pushed.group.commit",
    "app.pushed.group_left.commit",
];

/// Killed at nowhere, and why not. A new point belongs into a life, not into this list.
const ELSEWHERE: &[(&str, &str)] = &[
    ("app.answer_lost.commit", "the command line never calls twice under one key; the rim's own tests do"),
    ("app.ask_refused.commit", "a note about what was refused; nothing begins, and who asks again is refused again"),
    ("app.residue.commit", "a note about what was found, booked again at the next scan; the random kills come by"),
    (
        "app.inventory.commit",
        "a note of how much stands at a target, only where that changed; nothing rests on it, and the random kills come by",
    ),
    ("app.session_used.commit", "a courtesy once a minute, which no life is sure to come by"),
    (
        "app.step_up.commit",
        "needs the authenticator's next code, half a minute later; shaped as a sign-in, which is here",
    ),
    ("app.directory.used.commit", "a courtesy once a minute, as `app.session_used.commit`"),
    ("app.storeless.", "what happens without a store has tests of its own, with its kills"),
    (
        "app.policy.proposed.commit",
        "a record of what is proposed, and nothing rests on it; who looks again sees whether it is there",
    ),
    ("app.policy.withdrawn.commit", "as `app.policy.proposed.commit`"),
    ("app.pulled.held.commit", "a note about what is not believed; nothing rests on it"),
    ("app.pulled.", "needs a directory in the settings; killed at on either side by `kept`"),
    (
        "app.federated.",
        "a code is redeemed once whatever comes of it, and all that follows is one commit, shaped as a sign-in, which is here",
    ),
    (
        "app.arrival.lost.commit",
        "at a start, and again at the next; `gateway::arriving` kills a server while a login waits",
    ),
    ("app.arrival.shut_out.commit", "a note about who failed too often; what is counted is memory only"),
    ("app.brokered.spend.commit", "killed at on either side by `gateway::tasks`"),
    ("app.brokered.use.commit", "killed at on either side by `applications::uses`"),
    ("app.key.refused.commit", "a note about what was refused; nothing rests on it"),
    ("app.token.refused.commit", "a note about what was refused; nothing rests on it"),
    ("http.probe", "asks an application and changes nothing there"),
    (
        "app.notices.",
        "notices are no part of an access; `notices` kills at those that follow a record, the others are one commit",
    ),
    ("app.passage.", "notes about connections that are memory only; what is inside them is a session, `app.brokered.`"),
    ("app.company.", "notes about who joined a session and left it; the session is memory only, and ends with a kill"),
    ("ssh.stands_for.sign", "in memory, inside `app.passage.sign`"),
    (
        "app.device.",
        "what waits is memory only: a kill ends it; what is handed out is one commit, shaped as a sign-in, which is here",
    ),
    (
        "app.vouch.commit",
        "a record of who vouched; whether the key counts the signer knows, and a voucher is said again",
    ),
    ("app.vouched.commit", "as `app.vouch.commit`, of what the signer said"),
    ("app.approver_key.", "one commit by itself, which needs a key; killed at on either side by `signing`"),
    ("app.delegate.refused.commit", "a note about what was refused; nothing rests on it"),
    ("app.delegate.", "one commit by itself under a fresh proof of identity; killed at on either side by `delegating`"),
    ("app.sign_refused.commit", "a note about what was refused; nothing rests on it"),
    ("app.signature_refused.commit", "a note about what was refused; nothing rests on it"),
    ("app.passkey.", "needs a browser; each is one commit, shaped as an enrolment or a sign-in, which are here"),
    (
        "app.way_in.",
        "one commit by itself, which needs a provider in the settings; shaped as a change of a person, which is here",
    ),
    ("app.recording.file.remove", "on the way to an object store, killed at each step by `gateway::stored`"),
    ("app.recording.lies.commit", "as `app.recording.file.remove`"),
    (
        "archive.sync",
        "where a journal is to forget, after much that was little; the archive's own tests cut it off anywhere",
    ),
    ("app.brokered.finding.commit", "a note that is said again until it is written down; nothing rests on it"),
    ("app.brokered.turn.commit", "a note that a session is paused or goes on, said again until it is written down"),
    ("app.rules.loaded.commit", "a note at the start about the rules in force, said at the next start again"),
    ("archive.bucket.", "killed at each step by `gateway::stored`"),
    ("init.", "an installation that died half made says so and is made anew"),
    ("store.found", "as `init.`"),
    ("signer.", "a signer that is a process of its own, and a server's keys on their way to it; killed at by `apart`"),
    ("app.paper.sign", "a list is signed in memory, and nothing rests on it: whoever asks again gets it signed again"),
    ("x509.list.sign", "in memory, inside `app.paper.sign`"),
    ("x509.sign", "in memory, inside `app.sign`; killed at on either side by `certificates`"),
    ("x509.offer", "asks a service and changes nothing there"),
    ("oauth.sign", "in memory, inside `app.sign`; killed at on either side by `tokens::crash`"),
    ("http.token.leaves", "killed at by `tokens::crash`"),
    ("app.end_token.commit", "killed at on either side by `tokens::crash`"),
    ("app.acme.refused.commit", "a note about what was refused; nothing rests on it"),
    ("app.acme.", "needs a client of ACME; killed at on either side by `acme::crash`"),
    ("http.acme.leaves", "killed at by `acme::crash`"),
    ("http.acme_binding.leaves", "killed at by `acme::crash`"),
    ("token_key.commit", "killed at on either side by `tokens::crash`"),
    (
        "hook.clear",
        "takes away what a make that is not remembered left, in the call that `hook.revoke` is about; the kind's own tests make twice",
    ),
    (
        "hook.extend",
        "told to a target that declares it, between two points of the life that are killed at; the kind's own tests tell one",
    ),
    ("authority.commit", "killed at on either side by `rotation`"),
    ("turning.before", "killed at by `rotation`: what is on disk is what the next start begins with"),
    ("ldap.end.swap", "as `ldap.end.take`, in one change; the kind's own tests take the last member"),
    ("app.job.keys", "fetches keys and changes nothing"),
    ("app.job.refused.commit", "a note about what was refused; nothing rests on it"),
    ("app.job.", "one commit each, which needs an issuer; killed at on either side by `machines`"),
    ("app.issuer.", "one commit by itself, shaped as a directory that is added or removed, which are here"),
    ("app.workload.", "one commit by itself, shaped as a person who is entered, changed or sent away, which are here"),
    ("postgres.connect", "before any effect, between two points of the life that are killed at"),
    ("postgres.first", "as `postgres.connect`"),
    ("postgres.read_one", "reads only"),
    ("postgres.create.elsewhere", "rights in a second database: the end clears every database, whoever died"),
    ("postgres.create.missing", "an account somebody else removed is made again, in the transaction that is killed in"),
    ("postgres.create.taken", "a stranger's name: nothing was made"),
    ("postgres.end.block.refused", "a refusal, rolled back"),
    ("postgres.together.refused", "a refusal, rolled back"),
    ("postgres.together.strip", "as `postgres.end.strip`, which is killed at, for several at once"),
    ("postgres.end.wait", "a lock that is waited for, and nothing else"),
];

/// Whether no life is sure to come by a point.
pub(crate) fn is_elsewhere(point: &str) -> bool {
    ELSEWHERE.iter().any(|(e, _)| {
        point == *e || (e.ends_with(['.', '_']) && point.starts_with(e)) || point.starts_with(&format!("{e}."))
    })
}

/// Fails if one of the points was killed at on neither side.
pub(crate) fn assert_killed(killed: &BTreeSet<String>, points: &[&str]) {
    let places: Vec<&str> = killed.iter().map(|place| place.split(':').next().unwrap()).collect();
    let missing: Vec<&&str> = points.iter().filter(|point| !places.contains(point)).collect();
    assert!(missing.is_empty(), "killed at none of {missing:?}");
}

/// Fails if a point in the source is reached by no life of its family, or belongs to none.
pub(crate) fn assert_reached(reached: &BTreeSet<String>, family: Family) {
    let all = in_source();
    assert!(all.len() > 50, "only {} points were found in the source", all.len());
    let mut wrong = Vec::new();
    for point in &all {
        let of = |list: &[&str]| list.contains(&point.as_str());
        let elsewhere = is_elsewhere(point) || of(DETOURS) || of(STEPS) || of(SESSIONS) || of(LOGINS) || of(PUSHED);
        let mine = match family {
            Family::Account => of(SHARED) || of(ACCOUNT) || point.starts_with("postgres."),
            Family::Certificate => of(SHARED) || of(CERTIFICATE) || point.starts_with("ssh."),
            // The rest of what is shared is reached by the two above, by the same code.
            Family::Membership => of(MEMBERSHIP) || point.starts_with("ldap."),
            Family::Declared => point.starts_with("hook."),
            Family::Application => point.starts_with("scim."),
        };
        let known = elsewhere
            || of(SHARED)
            || of(ACCOUNT)
            || of(CERTIFICATE)
            || of(MEMBERSHIP)
            || point.starts_with("ldap.")
            || point.starts_with("hook.")
            || point.starts_with("scim.")
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
