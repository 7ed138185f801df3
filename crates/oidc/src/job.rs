//! An issuer of tokens about jobs: where its keys are, and when a token of its says something.
//!
//! Owns: what is fetched of it and how long that is believed, and what a token is known by, so that it counts once.
//! Refuses to know: whose a job is.

use aws_lc_rs::digest;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jsonwebtoken::Algorithm;
use reqwest::Url;
use serde_json::Value;
use tokio::sync::Mutex;
use wane_domain::time::{Span, Time};

use crate::claims::Claims;
use crate::discovery::keys_of;
use crate::egress::Egress;
use crate::keys::Keys;
use crate::looks::Looks;
use crate::members::Members;
use crate::provider::{BELIEVED, OidcError, REST};
use crate::settings::{self, SettingsError};
use crate::token::{ALGORITHMS, Rules, Sort, TokenError, check, moment};

/// So long after its end a token may still be taken for good.
const AFTER: Span = Span::from_mins(2);

/// What is known of an issuer beforehand.
#[derive(Debug)]
pub struct JobIssuerSettings {
    /// Its issuer identifier, exactly as its tokens say it.
    pub issuer: String,
    /// For whom its tokens have to be made.
    pub audience: String,
    /// How they may be signed, by the standard's names.
    pub algorithms: Vec<&'static str>,
    /// The only certificate authorities it is trusted by, in PEM; none for those the machine trusts.
    pub ca_pem: Option<Vec<u8>>,
    /// Its keys, if they are never fetched.
    pub keys: Option<Value>,
}

/// What a token says of a job.
#[derive(Debug)]
pub struct JobIdentity {
    /// All it says.
    pub claims: Claims,
    /// What the token is known by: its own name for itself, or a hash of what is signed of it. The signature is no part
    /// of it: of some algorithms everybody can make another that holds as well.
    pub name: String,
    /// From when on it is certainly not taken any more.
    pub forget: Time,
}

/// An issuer of tokens about jobs.
#[derive(Debug)]
pub struct JobIssuer {
    settings: JobIssuerSettings,
    algorithms: Vec<Algorithm>,
    egress: Egress,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    at: Option<(Time, String)>,
    keys: Option<(Time, Keys)>,
    looks: Looks,
    failed: Option<(Time, OidcError)>,
}

/// Whose a token says it is, before anything of it is believed.
#[must_use]
pub fn issuer_of(token: &str) -> Option<String> {
    const LONGEST: usize = 64 * 1024;
    let claims = token.split('.').nth(1).filter(|_| token.len() <= LONGEST)?;
    let said = Members::read(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()?;
    said.get("iss")?.as_str().map(str::to_owned)
}

impl JobIssuer {
    /// An issuer; nothing is asked yet.
    ///
    /// # Errors
    /// When its settings cannot be used.
    pub fn new(settings: JobIssuerSettings) -> Result<Self, SettingsError> {
        let issuer: Url = settings::issuer(&settings.issuer)?;
        let egress = Egress::new(&issuer, settings.ca_pem.as_deref())?;
        let named = |algorithm: &Algorithm| settings.algorithms.iter().any(|name| format!("{algorithm:?}") == *name);
        let algorithms: Vec<Algorithm> = ALGORITHMS.into_iter().filter(named).collect();
        let keys = settings.keys.as_ref().map(Keys::read);
        if algorithms.is_empty() || keys.as_ref().is_some_and(Keys::is_empty) {
            return Err(SettingsError::Keys);
        }
        let kept = Kept { keys: keys.map(|keys| (Time::from_micros(0), keys)), ..Kept::default() };
        Ok(Self { settings, algorithms, egress, kept: Mutex::new(kept) })
    }

    /// Believes a token about a job, or says why not.
    ///
    /// # Errors
    /// When it is not exactly what it must be, or the issuer's keys cannot be had.
    pub async fn check(&self, token: &str, now: Time) -> Result<JobIdentity, OidcError> {
        let claims = self.believed(token, now).await?;
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        let name = match claims.text("jti") {
            Some(jti) => format!("jti:{jti}"),
            None => format!("sha256:{}", HEXLOWER.encode(digest::digest(&digest::SHA256, signed.as_bytes()).as_ref())),
        };
        let forget = moment(&claims.0, "exp")?.unwrap_or(now).plus(AFTER);
        Ok(JobIdentity { claims, name, forget })
    }

    async fn believed(&self, token: &str, now: Time) -> Result<Claims, OidcError> {
        let rules = Rules { issuer: &self.settings.issuer, client_id: &self.settings.audience, now };
        let sort = Sort::Job { algorithms: &self.algorithms };
        let mut kept = self.kept.lock().await;
        let pinned = self.settings.keys.is_some();
        let mut is_new = false;
        if !pinned && kept.keys.as_ref().is_none_or(|(at, _)| now.since(*at) >= BELIEVED) {
            self.fetch(&mut kept, now).await?;
            is_new = true;
        }
        let try_it = |kept: &Kept| match &kept.keys {
            Some((_, keys)) => check(token, keys, &rules, &sort),
            None => Err(TokenError::UnknownKey),
        };
        match try_it(&kept) {
            Err(TokenError::UnknownKey) if !is_new && !pinned && kept.looks.may(now) => {
                self.fetch(&mut kept, now).await?;
                Ok(try_it(&kept)?)
            }
            checked => Ok(checked?),
        }
    }

    /// Fetches its keys. One that did not answer is left alone for a moment.
    async fn fetch(&self, kept: &mut Kept, now: Time) -> Result<(), OidcError> {
        if let Some((at, error)) = &kept.failed
            && now.since(*at) < REST
        {
            return Err(error.clone());
        }
        let fetched = async {
            let at = match &kept.at {
                Some((since, at)) if now.since(*since) < BELIEVED => at.clone(),
                Some(_) | None => keys_of(&self.egress, &self.settings.issuer).await?,
            };
            let keys = Keys::of(&self.egress.get(&at, None).await?);
            Ok::<_, OidcError>((at, keys))
        };
        match fetched.await {
            Ok((at, keys)) => {
                kept.failed = None;
                if kept.at.as_ref().is_none_or(|(since, _)| now.since(*since) >= BELIEVED) {
                    kept.at = Some((now, at));
                }
                kept.keys = Some((now, keys));
                Ok(())
            }
            Err(error) => {
                kept.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }
}
