//! Grants by the only road there is: asked for, given by a path that demands nothing, begun, leased.
//! What a test needs of its own, whom and what for, it asks for itself; the rest is said here once.

use wane_domain::ambient::Ambient;
use wane_domain::canonical::Digest;
use wane_domain::decision::{Basis, Permit};
use wane_domain::evidence;
use wane_domain::grant::{Grant, GrantEvent};
use wane_domain::issue::IssuePermit;
use wane_domain::lease::{Lease, LeaseKind};
use wane_domain::request::{AccessRequest, Ask, AskItem, Opening, Start};
use wane_domain::session::SessionPermit;
use wane_domain::terms::{Mode, Need, Terms};
use wane_domain::time::{Span, Time};

/// The name of the path that gives it.
const PATH: &str = "lax";

/// Nothing is demanded, for up to eight hours.
fn terms() -> Terms {
    Terms {
        stages: Vec::new(),
        max_ttl: Span::from_hours(8),
        approval_window: Span::from_hours(1),
        activation_window: Span::from_hours(1),
        justification: Need::Optional,
        ticket: Need::Optional,
        step_up: None,
        reproof: None,
        signature: Need::Optional,
        recording: Need::Optional,
        mode: Mode::Any,
    }
}

/// Judged at `now`: yes, by a path that demands nothing.
pub fn lax_permit(now: Time) -> Permit {
    let digest = Digest::of_bytes("test", b"world");
    let basis = Basis {
        policy_set: digest,
        path: Some(PATH.to_owned()),
        determining: vec![PATH.to_owned()],
        facts: digest,
        at: now,
    };
    evidence::permit(terms(), basis, None)
}

/// Somebody asks for this, for themselves and from now on.
pub fn plain_ask(ambient: &Ambient, item: AskItem, duration: Span) -> Ask {
    let person = ambient.id();
    Ask {
        org: ambient.id(),
        requester: person,
        beneficiary: person,
        items: vec![item],
        start: Start::Now,
        duration,
        justification: None,
        ticket: None,
        parent: None,
        nonce: "00".repeat(16),
        arrival: None,
        package: None,
        job: None,
    }
}

/// An active grant with its one lease, and the request it came from.
#[derive(Debug)]
pub struct Held {
    pub request: AccessRequest,
    pub grant: Grant,
    pub lease: Lease,
}

/// What is asked for, given and begun at `now`, with one lease of this kind.
///
/// # Panics
///
/// When the domain refuses a step, which is a defect of the test that asks.
#[expect(clippy::unwrap_used, reason = "each step is legal by construction")]
pub fn hold(ambient: &Ambient, ask: Ask, kind: &str, artifact: LeaseKind, now: Time) -> Held {
    let opening = Opening::Path { terms: terms(), path: PATH.to_owned() };
    let lapses = now.plus(Span::from_hours(1));
    let (request, _) = AccessRequest::open(ambient.id(), ask, vec![opening], now, lapses).unwrap();
    let (request, item) = request.mint_from(0, ambient.id()).unwrap();
    let (grant, _) = Grant::mint(item, lax_permit(now), now).unwrap();
    let (grant, _) = grant.apply(GrantEvent::Activate(lax_permit(now)), now).unwrap();
    let (lease, _) = grant.lease(ambient.id(), kind.parse().unwrap(), artifact, now).unwrap();
    Held { request, grant, lease }
}

impl Held {
    /// The right to one issue.
    ///
    /// # Panics
    ///
    /// When the grant is not active or the lease not open.
    #[expect(clippy::unwrap_used, reason = "a test that asks for what there is not")]
    pub fn permit(&self, now: Time) -> IssuePermit {
        self.grant.issue_permit(&self.lease, lax_permit(now), now).unwrap()
    }

    /// The right to open the session that the lease stands for.
    ///
    /// # Panics
    ///
    /// When the grant is not active or the lease is no session that is about to begin.
    #[expect(clippy::unwrap_used, reason = "a test that asks for what there is not")]
    pub fn session_permit(&self, now: Time) -> SessionPermit {
        self.grant.session_permit(&self.lease, lax_permit(now), now).unwrap()
    }
}
