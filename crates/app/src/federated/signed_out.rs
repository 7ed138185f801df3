//! A provider's word that somebody signed out there: what came out of that sign-in ends here too.

use serde_json::json;
use wane_audit::{Actor, Outcome, Subjects};
use wane_domain::proved::ProvedBy;
use wane_failpoint::point;
use wane_oidc::LoggedOut;
use wane_store::{Token, Versioned, Write, identity_key, provider_session};

use crate::error::AppError;
use crate::{App, decide};

impl App {
    /// Takes a logout token of a provider (OpenID Connect Back-Channel Logout 1.0). Who sends it is no matter;
    /// whose it is, is.
    ///
    /// # Errors
    /// When it is not the provider's, or was said before.
    pub async fn signed_out_at_provider(&self, name: &str, token: &str) -> Result<(), AppError> {
        let one = self.provider(name)?;
        let now = self.now();
        let word = one.provider.logged_out(token, now).await.map_err(|e| AppError::invalid("logout_token", e))?;
        let said = provider_session(one.provider.issuer(), &word.id);
        if !self.heard.hear(&said, word.until, now) {
            return Err(AppError::invalid("logout_token", "it was said before"));
        }
        let done = decide!(self.end_those_of(name, one.provider.issuer(), &word));
        if done.is_err() {
            self.heard.unhear(&said);
        }
        done
    }

    async fn end_those_of(&self, name: &str, issuer: &str, word: &LoggedOut) -> Result<(), AppError> {
        let (ending, person) = match (&word.session, &word.subject) {
            (Some(session), _) => (self.store.tokens_via(&provider_session(issuer, session)).await?, None),
            (None, Some(subject)) => match self.store.way_in(&identity_key(issuer, subject)).await? {
                Some(way) => (self.store.tokens_of(way.value.person).await?, Some(way.value.person)),
                None => (Vec::new(), None),
            },
            (None, None) => (Vec::new(), None),
        };
        let ending: Vec<_> = ending.into_iter().filter(|token| is_of(token, issuer, word)).collect();
        let mut change = self.change(Actor::System, self.now());
        let ids: Vec<_> = ending.iter().map(|token| token.value.id).collect();
        let about = Subjects { person: person.or_else(|| ending.first().and_then(owner)), ..Subjects::default() };
        change.note("session.ended_by_provider", Outcome::Done, about, json!({ "provider": name, "tokens": ids }));
        for id in ids {
            change.write(Write::RemoveToken(id));
        }
        change.commit(point!("app.federated.out.commit")).await.map(|_| ())
    }
}

/// Whether a session came out of what a provider ends: where it names both, both must be so.
fn is_of(token: &Versioned<Token>, issuer: &str, word: &LoggedOut) -> bool {
    let ProvedBy::Provider { issuer: at, subject, session, .. } = &token.value.by else { return false };
    let of_session = word.session.is_none() || *session == word.session;
    let of_subject = word.subject.as_ref().is_none_or(|said| said == subject);
    at == issuer && of_session && of_subject
}

fn owner(token: &Versioned<Token>) -> Option<wane_domain::id::PersonId> {
    match token.value.owner {
        wane_store::TokenOwner::Person(id) => Some(id),
        wane_store::TokenOwner::Resource(_) | wane_store::TokenOwner::Directory(_) | wane_store::TokenOwner::Job(_) => {
            None
        }
    }
}
