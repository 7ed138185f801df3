//! Hosts that join and pull: what a registered target fetches from Wane by itself.

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::id::ResourceId;
use wane_domain::secret::SecretOnce;
use wane_domain::time::Span;
use wane_failpoint::{around_call, point};
use wane_keys::token::BearerKind;
use wane_store::{Put, Token, TokenOwner, Write};

use crate::error::AppError;
use crate::{App, decide};

/// How far behind a host's clock may be for the list to keep refusing there what has run out here.
const FARTHEST_BEHIND: Span = Span::from_hours(1);

/// What a host gets when it joins.
#[derive(Debug)]
pub struct Joined {
    /// The resource it now is.
    pub resource: String,
    /// Its token for pulling, once.
    pub host_token: SecretOnce,
    /// What its kind hands it: CA keys, certificates, the first revocation list.
    pub documents: Value,
}

impl App {
    /// A host joins with a one-time code and what it says about itself (its public host keys).
    ///
    /// # Errors
    /// When the code is no good, or what was sent is unusable.
    pub async fn join_host(&self, code: &str, sent: &Value) -> Result<Joined, AppError> {
        let token = self.token(BearerKind::Join, code).await?;
        let TokenOwner::Resource(id) = token.value.owner else { return Err(AppError::SignedOut) };
        let handle = self.target(id).await?;
        let docs = handle.kind.host_docs().ok_or_else(|| AppError::invalid("code", "nothing of this kind joins"))?;
        let serial = self.store.next_serial().await?;
        let signed = around_call(point!("app.join.sign"), || docs.enrol(&handle.target(self.now()), sent, serial));
        let mut documents = match signed {
            Ok(documents) => documents,
            Err(error) => {
                self.signer_refused(Actor::Host(id), about(id), &error).await;
                return Err(error.into());
            }
        };
        let list = self.revocation_list(&handle).await?;
        if let Some(documents) = documents.as_object_mut() {
            documents.insert("revocations".to_owned(), list);
        }
        // One commit: a code that is spent has a token to show for it.
        let host_token = decide!(async {
            let now = self.now();
            let token = self.token(BearerKind::Join, code).await?;
            let mut change = self.change(Actor::Host(id), now);
            change.note("host.joined", Outcome::Done, about(id), json!({ "serial": serial, "sent": sent }));
            change.write(Write::Token(Put::over(&token, Token { spent: Some(now), ..token.value.clone() })));
            // A host that joins again leaves its former token behind.
            for former in self.store.tokens_of_resource(id).await? {
                if former.value.id != token.value.id {
                    change.write(Write::RemoveToken(former.value.id));
                }
            }
            let host_token = self.host_token(&mut change, id);
            change.commit(point!("app.join.commit")).await?;
            Ok(host_token)
        })?;
        Ok(Joined { resource: handle.resource.name.to_string(), host_token, documents })
    }

    /// The signed revocation list a joined host pulls.
    ///
    /// # Errors
    /// When the signer refuses or the store cannot be read.
    pub async fn revocations(&self, host: ResourceId) -> Result<Value, AppError> {
        let handle = self.target(host).await?;
        self.revocation_list(&handle).await
    }

    async fn revocation_list(&self, handle: &crate::targets::TargetHandle) -> Result<Value, AppError> {
        let docs =
            handle.kind.host_docs().ok_or_else(|| AppError::missing("revocation list", &handle.resource.name))?;
        let now = self.now();
        // The trail only grows, and every revocation is in it: its head is a version that rises with each.
        let version = self.store.head().await?;
        // INVARIANT: what was revoked stays so on a host whose clock is behind (held by
        // `a_host_that_is_behind_is_told_for_an_hour`).
        let behind = now.minus(FARTHEST_BEHIND);
        let mut ids: Vec<String> =
            self.store.revoked(&handle.resource.kind, behind).await?.iter().map(|i| i.grant.to_string()).collect();
        // What was ended from memory is refused like the rest.
        ids.extend(self.storeless.spool.all_said().iter().map(|(grant, _)| grant.to_string()));
        ids.sort();
        ids.dedup();
        Ok(around_call(point!("app.revocations.sign"), || docs.revocations(version, now, &ids))?)
    }
}

fn about(id: ResourceId) -> Subjects {
    Subjects { resource: Some(id), ..Subjects::default() }
}
