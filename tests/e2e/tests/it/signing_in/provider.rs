//! A certified OpenID Connect provider (`oidc-provider` from npm) on loopback, with people that a test makes up.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wane_testkit::{Interactive, WaneServer, free_port};

use super::roaming::{Roaming, http};
use crate::people::SOON;

/// A running provider; ends with this value.
pub(super) struct Provider {
    _process: Interactive,
    pub(super) issuer: String,
}

/// Where the chore that sets tests up puts what comes from npm.
pub(super) fn modules() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/node/node_modules");
    assert!(folder.join("oidc-provider").is_dir(), "run `cargo xtask deps` first: {} is not there", folder.display());
    folder
}

impl Provider {
    /// One that knows a server as the client `wane`, public or with the secret `quiet`.
    pub(super) fn for_server(wane: &WaneServer, more: &Value) -> Self {
        let port = free_port().unwrap();
        let at = format!("{}/sign-in/oidc/corp", wane.url());
        let mut client = json!({
            "client_id": "wane", "token_endpoint_auth_method": "none",
            "redirect_uris": [format!("{at}/callback")], "response_types": ["code"], "grant_types": ["authorization_code"],
            "backchannel_logout_uri": format!("{at}/logout"), "backchannel_logout_session_required": true,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            client[name] = value.clone();
        }
        let mut node = Command::new("node");
        node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node/provider.mjs"))
            .arg(modules())
            .arg(port.to_string())
            .arg(json!([client]).to_string())
            .stdin(Stdio::null());
        let process = Interactive::spawn(&mut node).unwrap();
        process.wait_for("listening", SOON).unwrap_or_else(|e| panic!("{e}: {}", process.stderr()));
        Self { _process: process, issuer: format!("http://127.0.0.1:{port}") }
    }

    /// Makes somebody up, or up anew.
    pub(super) fn person(&self, sub: &str, claims: &Value, shown: &Value) {
        let mut body = json!({ "sub": sub, "claims": claims });
        for (name, value) in shown.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.control("person", &body);
    }

    /// Signs with other keys from now on.
    pub(super) fn rotates(&self) {
        self.control("rotate", &json!({}));
    }

    /// Says to its client that somebody signed out; the token it said it with.
    pub(super) fn signs_out(&self, sub: &str) -> Value {
        self.control("logout", &json!({ "client": "wane", "sub": sub }))
    }

    fn control(&self, what: &str, body: &Value) -> Value {
        let answer = http(
            "POST",
            &format!("{}/test/{what}", self.issuer),
            "Content-Type: application/json\r\n",
            &body.to_string(),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.text).unwrap()
    }

    /// Takes a browser that was sent here through the sign-in of somebody, to the address it is sent back to.
    pub(super) fn vouches(&self, browser: &mut Roaming, at: &str, sub: &str) -> String {
        let mut at = at.to_owned();
        for _ in 0..12 {
            if at.contains("/callback") && !at.starts_with(&self.issuer) {
                return at;
            }
            if at.contains("/interaction/") {
                at = format!("{at}?as={sub}");
            }
            let page = browser.open(&at);
            at = page.location().unwrap_or_else(|| panic!("nothing follows {at}: {page:?}"));
            if at.starts_with('/') {
                at = format!("{}{at}", self.issuer);
            }
        }
        panic!("the provider goes in circles at {at}");
    }
}
