//! One provider: a sign-in begun and finished there, and its word that somebody signed out.
//!
//! Owns: what is fetched from it and how long that is believed. A sign-in is begun and finished with the same
//! [`Begun`], which whoever calls keeps for the one browser it was begun in, and takes away when it is used.

use std::fmt;

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use reqwest::Url;
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;
use wane_domain::ambient::Ambient;
use wane_domain::time::{Span, Time};

use crate::claims::Claims;
use crate::discovery::{Metadata, Shows};
use crate::egress::{Egress, EgressError, word};
use crate::keys::Keys;
use crate::looks::Looks;
use crate::members::Members;
use crate::settings::{self, ProviderSettings, SettingsError, Userinfo};
use crate::token::{Rules, Sort, TokenError, check, moment};

/// How long what a provider says of itself is believed.
pub(crate) const BELIEVED: Span = Span::from_hours(1);
/// A provider that did not answer is left alone for so long.
pub(crate) const REST: Span = Span::from_secs(2);

/// Why nobody was signed in, or out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// It cannot be asked, or did not answer as it must.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// What it says of itself cannot be used.
    #[error("the provider cannot be used: {0}")]
    Discovery(&'static str),
    /// It refused.
    #[error("the provider says `{0}`")]
    Refused(String),
    /// Its answer is not the one to what was begun.
    #[error("the answer does not belong to what was begun: {0}")]
    Foreign(&'static str),
    /// It handed out something that is no token for us.
    #[error("the provider's token is not taken: {0}")]
    Token(#[from] TokenError),
    /// What it said when the code was redeemed is incomplete.
    #[error("the provider's answer lacks `{0}`")]
    Lacks(&'static str),
}

/// A sign-in that was begun.
pub struct Begun {
    /// Says which one an answer is to.
    pub state: String,
    nonce: String,
    verifier: String,
    at: Time,
    fresh: Fresh,
}

/// Whether somebody has to show who they are once more, although the provider knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// They have to.
    Required,
    /// It is enough if they did within this time.
    Within(Span),
}

/// What a browser brings back from a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// To which sign-in.
    pub state: Option<String>,
    /// What is redeemed.
    pub code: Option<String>,
    /// Whose answer it is (RFC 9207).
    pub issuer: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

/// Who somebody is, as their provider says.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Who says so.
    pub issuer: String,
    /// Who it is there: the same for ever, and nobody else's.
    pub subject: String,
    /// When they showed it; none if the provider does not say.
    pub proved: Option<Time>,
    /// The provider's session, if it says.
    pub session: Option<String>,
    /// All it says.
    pub claims: Claims,
}

/// That somebody signed out at their provider. One of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOut {
    /// Everywhere, or in the session below.
    pub subject: Option<String>,
    /// In this session of the provider.
    pub session: Option<String>,
    /// Which word it is: one counts once.
    pub id: String,
    /// After when it is no longer believed anyway.
    pub until: Time,
}

/// A provider.
pub struct Provider {
    settings: ProviderSettings,
    egress: Egress,
    kept: Mutex<Kept>,
}

/// What was fetched of a provider.
#[derive(Default)]
struct Kept {
    metadata: Option<(Time, Metadata)>,
    keys: Option<(Time, Keys)>,
    looks: Looks,
    /// Since when it does not answer.
    failed: Option<(Time, OidcError)>,
}

impl Provider {
    /// A provider; nothing is asked yet.
    ///
    /// # Errors
    /// When its settings cannot be used.
    pub fn new(settings: ProviderSettings) -> Result<Self, SettingsError> {
        let issuer = settings::issuer(&settings.issuer)?;
        let egress = Egress::new(&issuer, settings.ca_pem.as_deref())?;
        Ok(Self { settings, egress, kept: Mutex::default() })
    }

    /// Its issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Begins a sign-in: where the browser goes, and what is kept until it is back.
    ///
    /// # Errors
    /// When the provider cannot be asked where that is.
    pub async fn begin(&self, fresh: Fresh, ambient: &Ambient) -> Result<(Url, Begun), OidcError> {
        let now = ambient.now();
        let mut kept = self.kept.lock().await;
        let metadata = self.metadata(&mut kept, now).await?;
        let mut url = self.egress.address(&metadata.authorization)?;
        let random = || BASE64URL_NOPAD.encode(&ambient.bytes::<32>());
        let begun = Begun { state: random(), nonce: random(), verifier: random(), at: now, fresh };
        let challenge = BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, begun.verifier.as_bytes()).as_ref());
        let scopes = std::iter::once("openid").chain(self.settings.scopes.iter().map(String::as_str));
        let scope = scopes.collect::<Vec<_>>().join(" ");
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.settings.redirect_uri)
            .append_pair("scope", &scope)
            .append_pair("state", &begun.state)
            .append_pair("nonce", &begun.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        // With a bound on its age the provider has to say when somebody showed who they are.
        match fresh {
            Fresh::Required => query.append_pair("max_age", "0").append_pair("prompt", "login"),
            Fresh::Within(age) => query.append_pair("max_age", &age.secs().to_string()),
        };
        if !self.settings.acr_values.is_empty() {
            query.append_pair("acr_values", &self.settings.acr_values.join(" "));
        }
        drop(query);
        Ok((url, begun))
    }

    /// Finishes a sign-in.
    ///
    /// # Errors
    /// When the answer is not to what was begun, or the provider does not stand by it.
    pub async fn finish(&self, begun: Begun, answer: &Answer, now: Time) -> Result<Identity, OidcError> {
        let metadata = {
            let mut kept = self.kept.lock().await;
            self.metadata(&mut kept, now).await?.clone()
        };
        let code = self.code(&begun, answer, &metadata)?;
        let said = self.redeem(&metadata, code, &begun).await?;
        let text = |name: &'static str| said.get(name).and_then(Value::as_str);
        let access_token = text("access_token");
        let sort = Sort::Identity { nonce: &begun.nonce, access_token };
        let token = text("id_token").ok_or(OidcError::Lacks("id_token"))?;
        let mut claims = self.check(&metadata, token, &sort, now).await?;
        let subject = claims.text("sub").unwrap_or_default().to_owned();
        if let (Userinfo::Asked, Some(at)) = (self.settings.userinfo, &metadata.userinfo) {
            let bearer = access_token.ok_or(OidcError::Lacks("access_token"))?;
            let more = self.egress.get(at, Some(bearer)).await?;
            // OpenID Connect Core section 5.3.2: without this, somebody else's could be put in its place.
            if more.get("sub").and_then(Value::as_str) != Some(subject.as_str()) {
                return Err(OidcError::Foreign("its userinfo is about somebody else"));
            }
            for (name, value) in more.0 {
                claims.0.0.entry(name).or_insert(value);
            }
        }
        let proved = moment(&claims.0, "auth_time")?;
        if begun.fresh == Fresh::Required && proved.is_none_or(|at| at.plus(Span::from_secs(60)) < begun.at) {
            return Err(OidcError::Foreign("it does not say that identity was shown again"));
        }
        Ok(Identity {
            issuer: self.settings.issuer.clone(),
            subject,
            proved: proved.map(|at| at.min(now)),
            session: claims.text("sid").filter(|sid| !sid.is_empty()).map(str::to_owned),
            claims,
        })
    }

    /// Believes a provider's word that somebody signed out.
    ///
    /// # Errors
    /// When it is not the provider's, not for us, or not about that.
    pub async fn logged_out(&self, token: &str, now: Time) -> Result<LoggedOut, OidcError> {
        let metadata = {
            let mut kept = self.kept.lock().await;
            self.metadata(&mut kept, now).await?.clone()
        };
        let claims = self.check(&metadata, token, &Sort::Logout, now).await?;
        let text = |name: &str| claims.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let until = moment(&claims.0, "exp")?.unwrap_or(now).plus(Span::from_mins(2));
        Ok(LoggedOut {
            subject: text("sub"),
            session: text("sid"),
            id: text("jti").ok_or(OidcError::Lacks("jti"))?,
            until,
        })
    }

    /// The code of an answer that is to what was begun, and from whom it was begun with.
    fn code<'a>(&self, begun: &Begun, answer: &'a Answer, metadata: &Metadata) -> Result<&'a str, OidcError> {
        let state = answer.state.as_deref().unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(begun.state.as_bytes())) {
            return Err(OidcError::Foreign("its `state` is another"));
        }
        match &answer.issuer {
            Some(issuer) if *issuer != self.settings.issuer => {
                return Err(OidcError::Foreign("it comes from another provider (`iss`)"));
            }
            None if metadata.says_issuer => return Err(OidcError::Foreign("it does not say whose it is (`iss`)")),
            Some(_) | None => {}
        }
        if let Some(error) = &answer.error {
            return Err(OidcError::Refused(word(error)));
        }
        answer.code.as_deref().filter(|code| !code.is_empty()).ok_or(OidcError::Lacks("code"))
    }

    async fn redeem(&self, metadata: &Metadata, code: &str, begun: &Begun) -> Result<Members, OidcError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.settings.redirect_uri),
            ("code_verifier", &begun.verifier),
        ];
        let secret = self.settings.secret.as_ref();
        let basic = match (secret, metadata.shows) {
            // RFC 6749 section 2.3.1: both are spelled as in a form before they stand in the header.
            (Some(secret), Shows::Basic) => Some((spelled(&self.settings.client_id), spelled_secret(secret))),
            (Some(secret), Shows::Post) => {
                form.push(("client_id", &self.settings.client_id));
                form.push(("client_secret", secret.expose_str().unwrap_or_default()));
                None
            }
            (None, _) => {
                form.push(("client_id", &self.settings.client_id));
                None
            }
        };
        let form = pairs(&form);
        let basic = basic.as_ref().map(|(id, secret)| (id.as_str(), secret));
        Ok(self.egress.post(&metadata.token, form, basic).await?)
    }

    /// Checks a token; if it names a key that is not known, the provider's keys are looked up once more.
    async fn check(&self, metadata: &Metadata, token: &str, sort: &Sort<'_>, now: Time) -> Result<Claims, OidcError> {
        let rules = Rules { issuer: &self.settings.issuer, client_id: &self.settings.client_id, now };
        let mut kept = self.kept.lock().await;
        let mut is_new = false;
        if kept.keys.as_ref().is_none_or(|(at, _)| now.since(*at) >= BELIEVED) {
            kept.keys = Some((now, Keys::of(&self.egress.get(&metadata.keys, None).await?)));
            is_new = true;
        }
        let try_it = |kept: &Kept| match &kept.keys {
            Some((_, keys)) => check(token, keys, &rules, sort),
            None => Err(TokenError::UnknownKey),
        };
        match try_it(&kept) {
            Err(TokenError::UnknownKey) if !is_new && kept.looks.may(now) => {
                kept.keys = Some((now, Keys::of(&self.egress.get(&metadata.keys, None).await?)));
                Ok(try_it(&kept)?)
            }
            checked => Ok(checked?),
        }
    }

    async fn metadata<'k>(&self, kept: &'k mut Kept, now: Time) -> Result<&'k Metadata, OidcError> {
        let is_old = kept.metadata.as_ref().is_none_or(|(at, _)| now.since(*at) >= BELIEVED);
        if is_old {
            if let Some((at, error)) = &kept.failed
                && now.since(*at) < REST
            {
                return Err(error.clone());
            }
            match Metadata::fetch(&self.egress, &self.settings.issuer).await {
                Ok(metadata) => {
                    kept.failed = None;
                    kept.metadata = Some((now, metadata));
                }
                Err(error) => {
                    kept.failed = Some((now, error.clone()));
                    return Err(error);
                }
            }
        }
        kept.metadata.as_ref().map(|(_, metadata)| metadata).ok_or(OidcError::Discovery("it said nothing"))
    }
}

/// A form as it is sent.
fn pairs(pairs: &[(&str, &str)]) -> String {
    let all: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", spelled(value))).collect();
    all.join("&")
}

/// A text as it stands in a form: what is not plainly itself is escaped.
fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn spelled_secret(secret: &wane_domain::secret::Secret) -> wane_domain::secret::Secret {
    wane_domain::secret::Secret::new(spelled(secret.expose_str().unwrap_or_default()).into_bytes())
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("at", &self.at).finish_non_exhaustive()
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_spelled_so_that_nothing_ends_a_field() {
        assert_eq!(pairs(&[("a", "b c&d=é+%"), ("n", "-._~")]), "a=b%20c%26d%3D%C3%A9%2B%25&n=-._~");
    }
}
