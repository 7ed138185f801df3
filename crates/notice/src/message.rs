//! A notice as a webhook's body: JSON with `type`, `timestamp` and `data`, as Standard Webhooks proposes.

use serde_json::{Value, json};
use wane_domain::id::OrgId;

use crate::delivery::Delivery;

/// The version of `data`: it grows members, and never changes what one means.
pub const SCHEMA: u32 = 1;

/// The body of a delivery.
#[must_use]
pub fn message(delivery: &Delivery, org: OrgId) -> Value {
    let notice = &delivery.notice;
    json!({
        "type": notice.kind.word(),
        "timestamp": notice.at.to_string(),
        "data": {
            "schema": SCHEMA,
            "id": delivery.id,
            "org": org,
            "text": notice.subject,
            "lines": notice.lines,
            "todo": notice.todo,
            "person": notice.about.person,
            "by": notice.about.by,
            "resource": notice.about.resource,
            "role": notice.about.role,
            "request": notice.about.request,
            "grant": notice.about.grant,
            "session": notice.about.session,
            "ticket": notice.about.ticket,
            "end": notice.about.end.map(|at| at.to_string()),
            "reason": notice.about.reason,
        },
    })
}
