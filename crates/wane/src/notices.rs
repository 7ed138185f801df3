//! The channels of notices, from the settings: couriers over the post, and the pass that has them carry.
//!
//! A channel that is yet to come (chat, push) is one more [`Courier`] here.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use wane_app::{App, Carries, Channel, Courier, NotCarried, Notices, Parcel};
use wane_config::{Email, EmailSecurity, SecretError, SecretRef, Settings, Webhook};
use wane_domain::secret::Secret;
use wane_notice::{Kind, MAIL, hook_channel, letter, message};
use wane_post::{Hook, HookError, HookSettings, Mail, MailError, MailSettings, Refused, Security, SmtpLogin};
use wane_reconcile::Couriers;
use wane_runtime::Supervisor;

use crate::deployment::span;

/// How many deliveries go over one channel at once.
const AT_ONCE: usize = 4;

/// Why nobody is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoticesError {
    #[error("`notices.email`: {0}")]
    Mail(#[from] MailError),
    #[error("the webhook `{name}`: {why}")]
    Hook { name: String, why: HookError },
    #[error("the webhook `{name}`: there is no kind of notice `{kind}`; there are {}", kinds())]
    Kind { name: String, kind: String },
    #[error("`{of}`: {why}")]
    Secret { of: String, why: SecretError },
    #[error("`{of}`: `{path}` cannot be read: {why}")]
    Ca { of: String, path: PathBuf, why: std::io::Error },
}

fn kinds() -> String {
    Kind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ")
}

struct ByMail(Mail);

#[async_trait]
impl Courier for ByMail {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), NotCarried> {
        let to = parcel.address.ok_or_else(|| NotCarried::Never("nobody is there to get it".to_owned()))?;
        self.0.send(to, &letter(parcel.delivery, parcel.server)).await.map_err(met)
    }
}

struct ByHook(Hook);

#[async_trait]
impl Courier for ByHook {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), NotCarried> {
        let body = message(parcel.delivery, parcel.org).to_string();
        self.0.send(&parcel.delivery.id.to_string(), parcel.now, body).await.map_err(met)
    }
}

fn met(refused: Refused) -> NotCarried {
    match refused {
        Refused::Away { why, after } => NotCarried::Away { why, after },
        Refused::NotNow { why, after } => NotCarried::NotNow { why, after },
        Refused::Never(why) => NotCarried::Never(why),
        Refused::Closed(why) => NotCarried::Closed(why),
    }
}

/// Has the use-cases tell over the channels of the settings.
pub(crate) fn tell(app: &App, settings: &Settings) -> Result<(), NoticesError> {
    let mut channels = Vec::new();
    if let Some(email) = &settings.notices.email {
        let courier = Arc::new(ByMail(Mail::new(&mail(email)?)?));
        channels.push(Channel { name: MAIL.to_owned(), carries: Carries::ToPeople, at_once: AT_ONCE, courier });
    }
    for webhook in &settings.notices.webhooks {
        let carries = Carries::Messages(wanted(webhook)?);
        let hook = Hook::new(&hook(webhook)?);
        let hook = hook.map_err(|why| NoticesError::Hook { name: webhook.name.clone(), why })?;
        let (name, courier) = (hook_channel(&webhook.name), Arc::new(ByHook(hook)));
        channels.push(Channel { name, carries, at_once: AT_ONCE, courier });
    }
    let (try_for, keep) = (span(settings.notices.try_for), span(settings.notices.keep));
    app.notify_over(Notices { channels, try_for, keep });
    Ok(())
}

/// Has notices carried for as long as the server runs.
pub(crate) fn keep(supervisor: &mut Supervisor, app: &Arc<App>) {
    let app = Arc::clone(app);
    supervisor.spawn("notices", move |stop| {
        let couriers = Couriers::new(Arc::clone(&app));
        async move {
            couriers.run(stop).await;
            Ok::<(), Infallible>(())
        }
    });
}

fn wanted(webhook: &Webhook) -> Result<BTreeSet<Kind>, NoticesError> {
    let named = |word: &String| {
        Kind::named(word).ok_or_else(|| NoticesError::Kind { name: webhook.name.clone(), kind: word.clone() })
    };
    webhook.events.iter().map(named).collect()
}

fn mail(email: &Email) -> Result<MailSettings, NoticesError> {
    const OF: &str = "notices.email";
    let login = match &email.login {
        Some((user, password)) => Some(SmtpLogin { user: user.clone(), password: secret(OF, password)? }),
        None => None,
    };
    Ok(MailSettings {
        host: email.host.clone(),
        port: email.port,
        security: match email.security {
            EmailSecurity::StartTls => Security::StartTls,
            EmailSecurity::Tls => Security::Tls,
            EmailSecurity::None => Security::Plain,
        },
        login,
        from: email.from.clone(),
        ca_pem: pem(OF, email.ca.as_ref())?,
        timeout: email.timeout,
    })
}

fn hook(webhook: &Webhook) -> Result<HookSettings, NoticesError> {
    let of = format!("notices.webhook {}", webhook.name);
    let secrets = std::iter::once(&webhook.secret).chain(&webhook.other_secret);
    Ok(HookSettings {
        url: webhook.url.clone(),
        secrets: secrets.map(|from| secret(&of, from)).collect::<Result<_, _>>()?,
        private: webhook.private,
        ca_pem: pem(&of, webhook.ca.as_ref())?,
    })
}

fn secret(of: &str, from: &SecretRef) -> Result<Secret, NoticesError> {
    let read = from.read(|name| std::env::var(name).ok());
    let text = read.map_err(|why| NoticesError::Secret { of: of.to_owned(), why })?;
    Ok(Secret::new(text.into_bytes()))
}

fn pem(of: &str, path: Option<&PathBuf>) -> Result<Option<Vec<u8>>, NoticesError> {
    let Some(path) = path else { return Ok(None) };
    let read = std::fs::read(path);
    read.map(Some).map_err(|why| NoticesError::Ca { of: of.to_owned(), path: path.clone(), why })
}
