//! Notices: mail as a whole or not at all, webhooks, and how long anything is tried.

use std::path::PathBuf;

use super::Reader;
use crate::layer::Origin;
use crate::notices::{Email, EmailSecurity, Notices};
use crate::parse;
use crate::secret::SecretRef;

const HOST: &str = "notices.email.host";
const FROM: &str = "notices.email.from";
const USER: &str = "notices.email.user";
const PASSWORD: [&str; 2] = ["notices.email.password.file", "notices.email.password.env"];
/// What says nothing by itself.
const BESIDE: &[&str] = &[
    "notices.email.port",
    "notices.email.security",
    USER,
    "notices.email.password.file",
    "notices.email.password.env",
    FROM,
    "notices.email.ca",
    "notices.email.timeout",
];

impl Reader {
    pub(super) fn notices(&mut self) -> Option<Notices> {
        let try_for = self.read("notices.try_for", parse::duration);
        let keep = self.read("notices.keep", parse::duration);
        let email = self.email();
        let webhooks = self.layers.webhooks.iter().map(|(webhook, _)| webhook.clone()).collect();
        Some(Notices { email: email?, webhooks, try_for: try_for?, keep: keep? })
    }

    /// Mail; none unless a mail server is set.
    fn email(&mut self) -> Option<Option<Email>> {
        if self.layers.get(HOST).is_none() {
            self.explain(HOST, String::new(), Origin::Default);
            let mut good = true;
            for key in BESIDE {
                if self.layers.get(key).is_some() {
                    self.refuse(key, format!("`{key}` needs `{HOST}`; set it, or leave `[notices.email]` out"));
                    good = false;
                } else {
                    self.explain(key, String::new(), Origin::Default);
                }
            }
            return good.then_some(None);
        }
        let host = self.read(HOST, |text| {
            let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
            if plain { Ok(text.to_owned()) } else { Err("write a host's name or address, without a port".to_owned()) }
        });
        let security = self.read("notices.email.security", |t| {
            let words =
                [("starttls", EmailSecurity::StartTls), ("tls", EmailSecurity::Tls), ("none", EmailSecurity::None)];
            parse::word(t, &words)
        });
        let usual = match security {
            Some(EmailSecurity::Tls) => "465",
            Some(EmailSecurity::None) => "25",
            Some(EmailSecurity::StartTls) | None => "587",
        };
        let port = self.read_or("notices.email.port", usual, |t| parse::count(t, 1, 65_535));
        let timeout = self.read("notices.email.timeout", parse::duration);
        let ca = self.maybe("notices.email.ca").map(PathBuf::from);
        let from = self.maybe(FROM);
        if from.is_none() {
            self.refuse(HOST, format!("`{HOST}` needs `{FROM}`: who mail is from, such as `wane@example.org`"));
        }
        let login = self.email_login()?;
        let port = u16::try_from(port?).ok()?;
        Some(Some(Email { host: host?, port, security: security?, login, from: from?, ca, timeout: timeout? }))
    }

    /// Name and password: both or none.
    fn email_login(&mut self) -> Option<Option<(String, SecretRef)>> {
        let [in_file, in_env] = PASSWORD;
        let password = match (self.maybe(in_file), self.maybe(in_env)) {
            (Some(path), None) => Some(SecretRef::File(path.into())),
            (None, Some(name)) => Some(SecretRef::Env(name)),
            (None, None) => None,
            (Some(_), Some(_)) => {
                let why = "`notices.email.password` is given as a file and as an environment variable; choose one";
                self.refuse(in_env, why.to_owned());
                return None;
            }
        };
        match (self.maybe(USER), password) {
            (Some(user), Some(password)) => Some(Some((user, password))),
            (None, None) => Some(None),
            (Some(_), None) => {
                self.refuse(USER, format!("`{USER}` needs `notices.email.password`; refer to it, or leave both out"));
                None
            }
            (None, Some(_)) => {
                self.refuse(in_file, format!("`notices.email.password` needs `{USER}`; set both or none"));
                None
            }
        }
    }
}
