//! What the command line gives a verb, with the server behind it played by the kind itself.

use std::fs::File;
use std::io::Read as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use wane_connector::Kind as _;
use wane_connector::verb::{Access, AccessPort, Credential, VerbError, Want};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::time::Time;
use wane_testkit::Held;

use crate::world::{World, machine_now};

pub(crate) const CODE: &str = "join-me-once";
pub(crate) const TOKEN: &str = "host-token";

/// A server with one host, one role and one grant, all in memory.
pub(crate) struct TestPort<'a> {
    pub(crate) world: &'a World,
    pub(crate) resource: Resource,
    pub(crate) role: Role,
    pub(crate) held: Held,
    /// Everything said, line by line.
    pub(crate) said: Mutex<Vec<String>>,
    pub(crate) results: Mutex<Vec<Value>>,
    /// Every filling of a buffer with entropy.
    pub(crate) entropy: Mutex<Vec<Vec<u8>>>,
    pub(crate) wants: Mutex<Vec<Want>>,
    pub(crate) issues: AtomicU64,
    /// How the next questions are answered.
    pub(crate) standing: Mutex<Result<Time, VerbError>>,
    /// What the host pulls, or why it cannot.
    pub(crate) list: Mutex<Result<Value, String>>,
    /// How far the port's clock is ahead of the machine's, in seconds.
    pub(crate) ahead: AtomicU64,
}

impl<'a> TestPort<'a> {
    pub(crate) fn new(world: &'a World, resource: &Resource, definition: &Value) -> Self {
        let role = world.role(definition);
        let held = world.hold(resource, &role, wane_domain::time::Span::from_hours(1));
        let end = held.lease.end;
        let port = Self {
            world,
            resource: resource.clone(),
            role,
            held,
            said: Mutex::default(),
            results: Mutex::default(),
            entropy: Mutex::default(),
            wants: Mutex::default(),
            issues: AtomicU64::new(0),
            standing: Mutex::new(Ok(end)),
            list: Mutex::new(Err("down".to_owned())),
            ahead: AtomicU64::new(0),
        };
        port.publish(1, &[]);
        port
    }

    /// The server has this list from now on.
    pub(crate) fn publish(&self, version: u64, revoked: &[String]) {
        let docs = self.world.kind.host_docs().unwrap().revocations(version, self.world.now(), revoked).unwrap();
        *self.list.lock().unwrap() = Ok(docs);
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

#[async_trait]
impl AccessPort for TestPort<'_> {
    async fn ensure(&self, want: &Want) -> Result<Access, VerbError> {
        self.wants.lock().unwrap().push(want.clone());
        Ok(Access { grant: self.held.grant.id.to_string(), end: self.held.lease.end })
    }

    async fn credential(&self, grant: &str, input: Value) -> Result<Credential, VerbError> {
        assert_eq!(grant, self.held.grant.id.to_string());
        let serial = self.issues.fetch_add(1, Ordering::SeqCst) + 1;
        let issuer = self.world.kind.issuer().unwrap();
        let permit = self.held.permit(self.world.now());
        let issued = issuer
            .issue(&self.world.target(&self.resource), &self.role, &self.held.lease, permit, &input, serial)
            .map_err(|e| VerbError::Failed(e.to_string()))?;
        Ok(Credential {
            public: issued.handed.public,
            secret: issued.handed.secret,
            not_after: issued.handed.not_after,
            grant_end: self.held.lease.end,
        })
    }

    async fn standing(&self, grant: &str) -> Result<Access, VerbError> {
        match &*self.standing.lock().unwrap() {
            Ok(end) => Ok(Access { grant: grant.to_owned(), end: *end }),
            Err(VerbError::Denied(why)) => Err(VerbError::Denied(why.clone())),
            Err(other) => Err(VerbError::Failed(other.to_string())),
        }
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Option<Value>,
    ) -> Result<Value, VerbError> {
        let list = self.list.lock().unwrap().clone().map_err(VerbError::Failed);
        match (method, path, bearer) {
            ("POST", "/v1/hosts/join", None) => {
                let body = body.unwrap();
                if body["code"] != CODE {
                    return Err(VerbError::Denied("the code is not good".to_owned()));
                }
                let docs = self.world.kind.host_docs().unwrap();
                let sent = json!({ "host_keys": body["host_keys"] });
                let mut answer = docs
                    .enrol(&self.world.target(&self.resource), &sent, 1)
                    .map_err(|e| VerbError::Failed(e.to_string()))?;
                answer["host_token"] = json!(TOKEN);
                answer["resource"] = json!(self.resource.name);
                answer["revocations"] = list?;
                Ok(answer)
            }
            ("GET", "/v1/hosts/revocations", Some(TOKEN)) => list,
            ("GET", "/v1/gateways", None) => Ok(json!({ "items": [] })),
            other => Err(VerbError::Failed(format!("no such call: {other:?}"))),
        }
    }

    fn say(&self, line: &str) {
        self.said.lock().unwrap().push(line.to_owned());
    }

    fn put(&self, json: &Value, text: &str) {
        self.results.lock().unwrap().push(json.clone());
        self.say(text);
    }

    fn now(&self) -> Time {
        machine_now().plus(wane_domain::time::Span::from_secs(self.ahead.load(Ordering::SeqCst)))
    }

    fn entropy(&self, buf: &mut [u8]) {
        // Real entropy: tests that run beside each other share the folder of temporary files.
        File::open("/dev/urandom").unwrap().read_exact(buf).unwrap();
        self.entropy.lock().unwrap().push(buf.to_vec());
    }

    fn beat(&self) -> Duration {
        Duration::from_millis(20)
    }
}
