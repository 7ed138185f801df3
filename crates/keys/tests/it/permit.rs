//! A permit by the only road there is.

use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseKind;
use wane_domain::request::AskItem;
use wane_domain::time::Span;
use wane_testkit::{hold, plain_ask};

/// A permit that runs out ten minutes from now.
pub(crate) fn issue_permit(ambient: &Ambient) -> IssuePermit {
    let item = AskItem {
        resource: ambient.id(),
        role: ambient.id(),
        role_digest: Digest::of_bytes("test", b"role"),
        task: None,
    };
    let ask = plain_ask(ambient, item, Span::from_mins(10));
    hold(ambient, ask, "ssh", LeaseKind::Credential, ambient.now()).permit(ambient.now())
}
