//! Mail over SMTP.
//!
//! INVARIANT: what people wrote stands in a subject and in bodies, never in an address or a header of its own, and those
//! are encoded by the library that makes the message (held by `nothing_in_a_mail_becomes_a_header`).

use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters, TlsVersion};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use wane_domain::secret::Secret;
use wane_notice::Letter;

use crate::Refused;

/// How the way to the mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It begins plain and must turn to TLS before anything is said.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Not at all: on this machine only.
    Plain,
}

/// Who this server is to the mail server.
#[derive(Debug)]
pub struct SmtpLogin {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// How mail goes, as somebody who runs this server enters it.
#[derive(Debug)]
pub struct MailSettings {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is kept.
    pub security: Security,
    /// Who this server is to it; none if it need not say.
    pub login: Option<SmtpLogin>,
    /// Who mail is from: an address, or `Name <address>`.
    pub from: String,
    /// PEM of the only authorities it is trusted by.
    pub ca_pem: Option<Vec<u8>>,
    /// How long one mail may take, whole.
    pub timeout: Duration,
}

/// Why no mail goes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Who it is from.
    #[error("`{from}` is no address that mail can be from: {why}")]
    From {
        /// As it was given.
        from: String,
        /// Why not.
        why: String,
    },
    /// Plain to elsewhere.
    #[error("mail to `{0}` would go in the clear; only a mail server on this machine is spoken to without TLS")]
    Clear(String),
    /// TLS.
    #[error("the mail server cannot be trusted by what was given: {0}")]
    Tls(String),
}

/// Carries mail.
pub struct Mail {
    from: Mailbox,
    domain: String,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    timeout: Duration,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("from", &self.from.email).finish_non_exhaustive()
    }
}

impl Mail {
    /// A way to a mail server; nothing is said to it yet.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: &MailSettings) -> Result<Self, MailError> {
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|e: AddressError| MailError::From { from: settings.from.clone(), why: e.to_string() })?;
        let here = settings.host == "localhost"
            || settings.host.parse().is_ok_and(|address: std::net::IpAddr| address.to_canonical().is_loopback());
        let tls = match settings.security {
            Security::Plain if !here => return Err(MailError::Clear(settings.host.clone())),
            Security::Plain => Tls::None,
            Security::StartTls => Tls::Required(parameters(settings)?),
            Security::Tls => Tls::Wrapper(parameters(settings)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .timeout(Some(settings.timeout))
            .tls(tls);
        if let Some(SmtpLogin { user, password }) = &settings.login {
            let password = password.expose_str().unwrap_or_default().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        let domain = from.email.domain().to_owned();
        Ok(Self { from, domain, transport: builder.build(), timeout: settings.timeout })
    }

    /// Sends a mail to an address.
    ///
    /// # Errors
    /// When the mail server did not take it.
    pub async fn send(&self, to: &str, letter: &Letter) -> Result<(), Refused> {
        let message = self.message(to, letter)?;
        let away = |why: String| Refused::Away { why, after: None };
        match tokio::time::timeout(self.timeout, self.transport.send(message)).await {
            Err(_) => Err(away("the mail server takes too long".to_owned())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(&error)),
        }
    }

    fn message(&self, to: &str, letter: &Letter) -> Result<Message, Refused> {
        let never = |why: String| Refused::Never(format!("the person's `email` is no address: {why}"));
        let to: Address = to.parse().map_err(|e: AddressError| never(e.to_string()))?;
        let date =
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(u64::try_from(letter.at.micros()).unwrap_or(0)));
        let id = format!("<{}@{}>", letter.id, self.domain);
        let thread = format!("<{}@{}>", letter.thread, self.domain);
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&letter.subject)
            .date(date.unwrap_or(SystemTime::UNIX_EPOCH))
            .message_id(Some(id))
            .in_reply_to(thread.clone())
            .references(thread)
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|e| Refused::Never(format!("it cannot be made a mail: {e}")))
    }
}

/// RFC 3834: no machine answers this.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn parameters(settings: &MailSettings) -> Result<TlsParameters, MailError> {
    let wrong = |e: lettre::transport::smtp::Error| MailError::Tls(e.to_string());
    let mut builder = TlsParameters::builder(settings.host.clone()).set_min_tls_version(TlsVersion::Tlsv12);
    if let Some(pem) = &settings.ca_pem {
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_pem(pem).map_err(wrong)?);
    }
    builder.build_rustls().map_err(wrong)
}

/// What the mail server's answer means.
fn refused(error: &lettre::transport::smtp::Error) -> Refused {
    let mut why = error.to_string();
    let mut deeper: &dyn std::error::Error = error;
    while let Some(source) = deeper.source() {
        why = source.to_string();
        deeper = source;
    }
    match error.status().map(u16::from) {
        // It is about this recipient, or this mail.
        Some(status @ (550 | 551 | 552 | 553 | 554 | 501 | 555)) => {
            Refused::Never(format!("the mail server answers {status}: {why}"))
        }
        Some(status @ 450..=452) => {
            Refused::NotNow { why: format!("the mail server answers {status}: {why}"), after: None }
        }
        // 421 (it closes), 454 (TLS), 530, 535 (who we are): it takes nothing from us.
        Some(status) => Refused::Away { why: format!("the mail server answers {status}: {why}"), after: None },
        None => Refused::Away { why: format!("the mail server does not answer as it must: {why}"), after: None },
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::{DeliveryId, TypedId as _};
    use wane_domain::time::Time;

    use super::*;

    fn settings(host: &str, security: Security) -> MailSettings {
        MailSettings {
            host: host.to_owned(),
            port: 25,
            security,
            login: None,
            from: "Wane <wane@example.org>".to_owned(),
            ca_pem: None,
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn nothing_goes_in_the_clear_to_another_machine() {
        assert!(matches!(Mail::new(&settings("mail.example.org", Security::Plain)), Err(MailError::Clear(_))));
        for host in ["127.0.0.1", "::1", "localhost"] {
            assert!(Mail::new(&settings(host, Security::Plain)).is_ok(), "{host}");
        }
    }

    #[test]
    fn nothing_in_a_mail_becomes_a_header() {
        let mail = Mail::new(&settings("127.0.0.1", Security::Plain)).unwrap();
        let id = DeliveryId::mint(Time::from_micros(1_795_251_600_000_000), &[7; 10]);
        let letter = Letter {
            id,
            at: Time::from_micros(1_795_251_600_000_000),
            thread: "grt_1".to_owned(),
            subject: "a\r\nBcc: eve@example.org\r\n\r\nbody".to_owned(),
            text: "one\r\n.\r\nMAIL FROM:<eve@example.org>".to_owned(),
            html: "<p>one</p>".to_owned(),
        };
        let bytes = mail.message("maya@example.org", &letter).unwrap().formatted();
        let text = String::from_utf8(bytes).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
        for header in [
            format!("Message-ID: <{id}@example.org>"),
            "References: <grt_1@example.org>".to_owned(),
            "Auto-Submitted: auto-generated".to_owned(),
            "To: maya@example.org".to_owned(),
        ] {
            assert!(head.contains(&header), "{header} in {head}");
        }
        for to in ["maya@example.org\r\nBcc: eve@example.org", "a@b, eve@example.org", "maya", "Eve <eve@example.org>"]
        {
            assert!(matches!(mail.message(to, &letter), Err(Refused::Never(_))), "{to}");
        }
    }
}
