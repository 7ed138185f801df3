//! A permit by the only road there is: ask, approve, mint, activate, lease.
#![expect(clippy::unwrap_used, reason = "tests")]

use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::decision::{Basis, Permit};
use wane_domain::evidence;
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::LeaseKind;
use wane_domain::request::{AccessRequest, Ask, AskItem, Opening, Start};
use wane_domain::terms::{Mode, Need, Terms};
use wane_domain::time::Span;

fn terms() -> Terms {
    Terms {
        stages: Vec::new(),
        max_ttl: Span::from_hours(1),
        approval_window: Span::from_hours(1),
        activation_window: Span::from_hours(1),
        justification: Need::Optional,
        ticket: Need::Optional,
        step_up: None,
        recording: Need::Optional,
        mode: Mode::Any,
    }
}

fn judged(ambient: &Ambient) -> Permit {
    let digest = Digest::of_bytes("test", b"facts");
    let basis = Basis {
        policy_set: digest,
        path: Some("test".into()),
        determining: Vec::new(),
        facts: digest,
        at: ambient.now(),
    };
    evidence::permit(terms(), basis)
}

/// A permit that runs out ten minutes from now.
pub(crate) fn issue_permit(ambient: &Ambient) -> IssuePermit {
    let now = ambient.now();
    let person = ambient.id();
    let ask = Ask {
        org: ambient.id(),
        requester: person,
        beneficiary: person,
        items: vec![AskItem {
            resource: ambient.id(),
            role: ambient.id(),
            role_digest: Digest::of_bytes("test", b"role"),
        }],
        start: Start::Now,
        duration: Span::from_mins(10),
        justification: None,
        ticket: None,
        parent: None,
        nonce: "00".repeat(16),
    };
    let path = Opening::Path { terms: terms(), path: "test".into() };
    let (request, _) = AccessRequest::open(ambient.id(), ask, vec![path], now, now.plus(Span::from_hours(1))).unwrap();
    let (_, item) = request.mint_from(0, ambient.id()).unwrap();
    let (grant, _) = Grant::mint(item, judged(ambient), now).unwrap();
    let (grant, _) = grant.apply(GrantEvent::Activate(judged(ambient)), now).unwrap();
    let (lease, _) = grant.lease(ambient.id(), "ssh".parse().unwrap(), LeaseKind::Credential, now).unwrap();
    grant.issue_permit(&lease, judged(ambient), now).unwrap()
}
