//! The gateway itself, with a port that opens sessions under one grant as the use-cases do, without policy or store.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wane_app::{Arriving, SessionEnd, SessionFinding, SessionOpened, Standing};
use wane_connector::broker::{By, Claim, Inside, Invitation, Kept, Next, Proof, Refused, Unspent};
use wane_connector::web::{Introduced, Means, Ticket, Uninvited, Visit};
use wane_connector::{Kind as _, Target};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::grant::Grant;
use wane_domain::id::{ArrivalId, GrantId, PersonId, SessionId};
use wane_domain::lease::LeaseKind;
use wane_domain::secret::Secret;
use wane_domain::time::Time;
use wane_gateway::{Hall, Limits, Port, WebPort};
use wane_kind_http::{HttpKind, NAME};
use wane_testkit::lax_permit;

/// What may be opened, and whether it still may.
pub(crate) struct Gate {
    pub(crate) kind: Arc<HttpKind>,
    pub(crate) ambient: Ambient,
    pub(crate) resource: Resource,
    pub(crate) role: Role,
    pub(crate) credential: Secret,
    pub(crate) grant: Grant,
    /// What each session is told.
    pub(crate) told: watch::Sender<Standing>,
    pub(crate) closed: AtomicU64,
    /// How often a key was said to be used where it may not be.
    pub(crate) misused: AtomicU64,
}

fn nobody() -> Refused {
    Refused("nobody comes in like that here".to_owned())
}

impl Gate {
    /// Serves until the test is over; where.
    pub(crate) fn serve(self: &Arc<Self>) -> SocketAddr {
        let broker = self.kind.broker().unwrap();
        let site = broker.site(&Secret::new(vec![5; 32]), "https://wane.example").unwrap();
        let port: Arc<dyn WebPort> = Arc::<Self>::clone(self);
        let hall = Hall::new(NAME, port, site, self.ambient.clone(), Limits::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                hall.serve(&listener, CancellationToken::new()).await;
            });
        });
        at
    }
}

#[async_trait]
impl Port for Gate {
    async fn open(&self, claim: &Claim, _: Option<ArrivalId>) -> Result<SessionOpened, Refused> {
        let Standing::Until(end) = self.told.borrow().clone() else {
            return Err(Refused("there is no live grant for that".to_owned()));
        };
        let By::Credential { serial: 1, .. } = claim.by else { return Err(nobody()) };
        if claim.grant != self.grant.id || claim.resource != self.resource.name.as_str() {
            return Err(nobody());
        }
        let now = self.ambient.now();
        let refused = |why: String| Refused(why);
        let (lease, _) = self
            .grant
            .lease(self.ambient.id(), self.resource.kind.clone(), LeaseKind::Session, now)
            .map_err(|e| refused(e.to_string()))?;
        let right = self.grant.session_permit(&lease, lax_permit(now), now).map_err(|e| refused(e.to_string()))?;
        let target = Target { resource: &self.resource, credential: Some(&self.credential), now };
        let broker = self.kind.broker().ok_or_else(nobody)?;
        let pass = broker.pass(&target, &self.role, &lease, right.into_issue(), claim, 2);
        let pass = pass.map_err(|e| refused(e.to_string()))?;
        Ok(SessionOpened {
            session: SessionId::of(lease.id),
            end,
            pass: pass.public,
            told: self.told.subscribe(),
            proof: watch::channel(None).1,
            meter: Arc::default(),
            company: Arc::default(),
            roll: None,
            began: now,
            again: "viewer@app --for 1h".to_owned(),
            rules: Vec::new(),
            kept: Kept {
                person: "maya".to_owned(),
                secret: Some(Secret::new(self.credential.expose().to_vec())),
                ..Kept::default()
            },
        })
    }
    async fn begun(&self, _: SessionId, _: &Value) -> Result<(), Refused> {
        Ok(())
    }
    async fn closed(&self, _: SessionId, _: &SessionEnd) -> bool {
        self.closed.fetch_add(1, Ordering::SeqCst);
        true
    }
    async fn spend(&self, _: SessionId, _: &[u8]) -> Result<(), Refused> {
        Err(nobody())
    }
    async fn spend_use(&self, _: SessionId, _: &[(String, u64)]) -> Result<(), Unspent> {
        Err(nobody().into())
    }
    async fn finding(&self, _: SessionId, _: &SessionFinding) -> bool {
        true
    }
    async fn proofs(&self) {
        std::future::pending().await
    }
    async fn beat(&self) {}
    async fn arrive(&self, _: Arriving) -> Result<(ArrivalId, Invitation), Refused> {
        Err(nobody())
    }
    async fn known(&self, _: ArrivalId, _: Arriving) -> Result<ArrivalId, Refused> {
        Err(nobody())
    }
    async fn next(&self, _: ArrivalId, _: Option<&str>) -> Result<(Next, Time), Refused> {
        Err(nobody())
    }
    async fn left(&self, _: ArrivalId) {}
    async fn admit(&self, _: &Proof, _: IpAddr, _: &str) -> Result<ArrivalId, Refused> {
        Err(nobody())
    }
    async fn inside(&self, _: ArrivalId, _: &str, _: u16, _: &str) -> Result<Inside, Refused> {
        Err(nobody())
    }
    async fn passed(&self, _: ArrivalId) {}
    async fn guest_left(&self, _: SessionId, _: PersonId, _: u64) {}
}

#[async_trait]
impl WebPort for Gate {
    async fn meant(&self, _: &'static str, origin: &str) -> Option<String> {
        let own = self.kind.broker()?.origin(&self.resource)?;
        (own == origin).then(|| self.resource.name.to_string())
    }
    async fn visit(&self, _: &'static str, _: &Visit, _: IpAddr) -> Result<String, Refused> {
        Err(nobody())
    }
    async fn ticket(&self, _: &Ticket, _: IpAddr) -> Result<(Claim, String), Refused> {
        Err(nobody())
    }
    async fn introduced(&self, _: &Introduced, _: IpAddr) -> Result<Claim, Uninvited> {
        Err(Uninvited::Credential)
    }
    async fn vouch(&self, _: &str, _: &Means, _: IpAddr) -> Result<(), Refused> {
        Err(nobody())
    }
    async fn is_over(&self, _: GrantId) -> bool {
        matches!(*self.told.borrow(), Standing::Over(_))
    }
    async fn misused(&self, _: GrantId, _: u64, _: &str, _: IpAddr) {
        self.misused.fetch_add(1, Ordering::SeqCst);
    }
}
