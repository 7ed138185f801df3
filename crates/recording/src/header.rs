//! Whose session it is. Stands in the open, so that a recording found on a disk can be given back
//! to its session without its key; it names ids, and nothing that was said.

use serde::{Deserialize, Serialize};
use wane_domain::id::{GrantId, OrgId, PersonId, ResourceId, RoleId, SessionId};
use wane_domain::text::Name;
use wane_domain::time::Time;

/// The first thing in a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Whose deployment.
    pub org: OrgId,
    /// The session.
    pub session: SessionId,
    pub grant: GrantId,
    /// Who holds the grant.
    pub holder: PersonId,
    pub resource: ResourceId,
    pub role: RoleId,
    /// The kind of target.
    pub kind: Name,
    /// When it began; events count from here.
    pub began: Time,
}
