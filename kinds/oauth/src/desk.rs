//! Tokens that come back: read for resource servers, and what everybody is told of this issuer (RFC 8414, RFC 7517).

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wane_connector::{ConnectError, HostDocs, Paper, Published, Revoked, Target, TokenProof, TokenRead, Tokens};
use wane_domain::catalogue::Resource;
use wane_domain::id::LeaseId;
use wane_domain::time::Time;
use x509_cert::der::pem::{self, LineEnding};

use crate::claims::{Claims, LONGEST_TOKEN, read};
use crate::heard::Heard;
use crate::keys::TokenKeys;
use crate::proof::{For, Proofs};
use crate::settings::Settings;
use crate::{NAME, TOKEN_ENDPOINT, input};

/// What is known of tokens.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Whose tokens they are: where people open this server.
    pub(crate) issuer: String,
    pub(crate) keys: Arc<TokenKeys>,
    pub(crate) proofs: Proofs,
    pub(crate) heard: Heard,
}

impl Desk {
    /// What a token says that a key of ours signed, whenever it is good.
    pub(crate) fn signed(&self, text: &str) -> Option<Claims> {
        if text.len() > LONGEST_TOKEN {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = read(message).ok()?;
        let key = self.keys.find(&header.kid).filter(|key| key.algorithm == header.alg)?;
        // One spelling of the signature as well.
        BASE64URL_NOPAD.decode(signature.as_bytes()).ok().filter(|bytes| bytes.len() == 64)?;
        (claims.iss == self.issuer && key.verifies(signature, message.as_bytes())).then_some(claims)
    }

    /// The same of one whose time is now: what is over is over to the second, for whoever asks here.
    pub(crate) fn claims(&self, text: &str, now: Time) -> Option<Claims> {
        self.signed(text).filter(|claims| claims.nbf <= now.seconds() && now < claims.expires())
    }

    fn metadata_of(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "jwks_uri": at(&format!("/v1/published/{NAME}/{KEY_SET}")),
            "token_endpoint": at(TOKEN_ENDPOINT),
            "token_endpoint_auth_methods_supported": ["none"],
            "grant_types_supported": ["urn:ietf:params:oauth:grant-type:token-exchange"],
            "response_types_supported": [],
            "introspection_endpoint": at("/oauth2/introspect"),
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
            "revocation_endpoint": at("/oauth2/revoke"),
            "revocation_endpoint_auth_methods_supported": ["none"],
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
            "tls_client_certificate_bound_access_tokens": true,
        })
    }
}

/// The names of what is published.
const KEY_SET: &str = "jwks.json";
const METADATA: &str = "authorization-server.json";

impl Tokens for Desk {
    fn read(&self, text: &str, now: Time) -> Option<TokenRead> {
        let claims = self.claims(text, now)?;
        let bound = claims.cnf.clone().unwrap_or_default();
        Some(TokenRead {
            id: claims.jti.to_string(),
            grant: claims.wane_grant,
            lease: claims.jti.lease,
            serial: claims.jti.serial,
            holder: claims.sub,
            scope: claims.scope.clone(),
            until: claims.expires(),
            key: bound.jkt,
            certificate: bound.x5t,
            said: serde_json::to_value(&claims).ok()?,
        })
    }

    fn is_for(&self, token: &TokenRead, resource: &Resource) -> bool {
        let audience = token.said.get("aud").and_then(Value::as_str);
        audience.is_some_and(|audience| self.is_named(resource, audience))
    }

    fn is_named(&self, resource: &Resource, audience: &str) -> bool {
        resource.kind.as_str() == NAME && Settings::read(&resource.settings).is_ok_and(|s| s.audience == audience)
    }

    fn id(&self, lease: LeaseId, serial: u64) -> String {
        crate::claims::Jti { lease, serial }.to_string()
    }

    fn metadata(&self) -> Option<Value> {
        (!self.keys.is_empty()).then(|| self.metadata_of())
    }

    fn discovery(&self) -> Option<Value> {
        let mut said = self.metadata()?;
        if let Some(map) = said.as_object_mut() {
            // As Kubernetes says it of itself: there is nobody to be sent here, and tokens are told apart by who checks them.
            map.insert("response_types_supported".to_owned(), json!(["id_token"]));
            map.insert("subject_types_supported".to_owned(), json!(["public"]));
            map.insert("id_token_signing_alg_values_supported".to_owned(), json!(self.keys.algorithms()));
        }
        Some(said)
    }

    fn take_proof(&self, proof: &TokenProof<'_>) -> Result<String, String> {
        let TokenProof { text, method, url, token, now } = *proof;
        let urls = [url.split(['?', '#']).next().unwrap_or_default().to_owned()];
        self.proofs.take(text, &For { method, urls: &urls, token: Some(token), now })
    }

    fn certificate(&self, pem: &str) -> Result<String, String> {
        input::of_certificate(pem)
    }

    fn certificate_of(&self, der: &[u8]) -> String {
        // Whatever is no certificate is refused when it is read.
        pem::encode_string("CERTIFICATE", LineEnding::LF, der).unwrap_or_default()
    }

    fn told(&self, lease: LeaseId, is_good: bool, runs_out: Time, now: Time) {
        self.heard.note(lease, is_good, runs_out, now);
    }
}

/// What anybody may fetch.
pub(crate) struct Papers(pub(crate) Arc<Desk>);

impl Published for Papers {
    fn paper(&self, name: &str, _number: u64, _at: Time, _revoked: &[Revoked]) -> Result<Option<Paper>, ConnectError> {
        let paper = |value: Value| Some(Paper { media: "application/json", bytes: value.to_string().into_bytes() });
        Ok(match name {
            KEY_SET => paper(self.0.keys.set()),
            METADATA => self.0.metadata().and_then(paper),
            _ => None,
        })
    }
}

/// What a resource server is given when it joins, and may pull.
pub(crate) struct ServerDocs(pub(crate) Arc<Desk>);

impl HostDocs for ServerDocs {
    fn revocations(&self, version: u64, at: Time, revoked: &[String]) -> Result<Value, ConnectError> {
        Ok(json!({ "version": version, "at": at, "grants": revoked }))
    }

    fn enrol(&self, target: &Target<'_>, sent: &Value, _serial: u64) -> Result<Value, ConnectError> {
        if sent.get("host_keys").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty()) {
            return Err(ConnectError::Input("a resource server has no host keys; leave `host_keys` out".to_owned()));
        }
        let refused = |why: String| ConnectError::Refused { target: target.resource.name.to_string(), why };
        let settings = Settings::read(&target.resource.settings).map_err(|e| refused(e.to_string()))?;
        Ok(json!({ "audience": settings.audience, "metadata": self.0.metadata_of(), "keys": self.0.keys.set() }))
    }
}
