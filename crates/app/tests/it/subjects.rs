//! Whom and what each record is about: nobody finds what happened to a person, a resource or a grant by a
//! record that does not name it.

use wane_audit::Record;

/// What the records of these events always name.
const SUBJECTS: &[(&[&str], &[&str])] = &[
    (
        &["person"],
        &[
            "answer.kept",
            "approver_key.added",
            "approver_key.removed",
            "arrival.confirmed",
            "delegation.ended",
            "delegation.given",
            "delegation.refused",
            "device.confirmed",
            "device.mistaken",
            "device.refused",
            "job.begun",
            "job.over",
            "login.enrolled",
            "login.proved",
            "person.changed",
            "person.entered",
            "person.left",
            "recovery.used",
            "request.refused",
            "session.begun",
            "session.ended",
            "session.proved",
            "session.used",
            "storeless.locked",
            "workload.changed",
            "workload.entered",
            "workload.removed",
        ],
    ),
    (&["request"], &["approval.signature_refused"]),
    (
        &["resource"],
        &[
            "host.joined",
            "inventory.changed",
            "inventory.taken",
            "resource.registered",
            "orphan.ending",
            "orphan.removed",
            "resource.changed",
        ],
    ),
    (&["person", "request"], &["notice.delivered", "notice.dropped", "request.opened", "request.still_waiting"]),
    (&["person", "resource", "grant"], &["storeless.said"]),
    (
        &["person", "resource", "request"],
        &[
            "request.item.approval_void",
            "request.item.approved",
            "request.item.denied",
            "request.item.escalated",
            "request.item.lapsed",
            "request.item.narrowed",
            "request.item.withdrawn",
        ],
    ),
    (&["person", "resource", "grant", "lease"], &["recording.replayed", "storeless.ended"]),
    (
        &["person", "resource", "request", "grant"],
        &[
            "credential.replay_refused",
            "grant.activated",
            "grant.closed",
            "grant.ending",
            "grant.extended",
            "grant.minted",
            "grant.shortened",
            "key.refused",
        ],
    ),
    (
        &["person", "resource", "request", "grant", "lease"],
        &[
            "credential.issued",
            "grant.task_spent",
            "grant.used",
            "lease.create_failed",
            "lease.end_tried",
            "lease.ending",
            "lease.gone",
            "lease.intended",
            "lease.made",
            "lease.moved",
            "lease.prepared",
            "lease.reissued",
            "session.closed",
            "session.opened",
        ],
    ),
];

/// Fails where a record leaves out somebody.
pub(crate) fn say_whom_they_are_about(record: &Record) {
    let event = record.event.as_str();
    let about = serde_json::to_value(&record.about).unwrap();
    for subject in SUBJECTS.iter().filter(|(_, events)| events.contains(&event)).flat_map(|(subjects, _)| *subjects) {
        assert!(about.get(subject).is_some(), "`{event}` names no {subject}: {record:?}");
    }
    if event == "token.made" {
        let kind = record.detail["kind"].as_str().unwrap();
        let owner = match kind {
            "session" | "enrol" | "recovery" => Some("person"),
            "join" | "host" => Some("resource"),
            _ => None,
        };
        assert!(owner.is_none_or(|owner| about.get(owner).is_some()), "a token of kind {kind} is nobody's: {record:?}");
    }
    // A login leads to a resource, or to whatever its connection carries; one that is lost leaves its request.
    if event.starts_with("arrival.") {
        for subject in ["resource", "request"].into_iter().filter(|subject| record.detail[*subject].is_string()) {
            assert!(about.get(subject).is_some(), "`{event}` names no {subject}: {record:?}");
        }
    }
    // A role is no subject: its lock is found by what it says.
    if event == "lock.imposed" {
        let target = record.detail["target"].as_object().and_then(|target| target.keys().next()).unwrap();
        assert!(target == "role" || about.get(target).is_some(), "`{event}` names no {target}: {record:?}");
    }
}
