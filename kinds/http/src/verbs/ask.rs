//! Programs that ask for a credential in words of their own: Docker's and git's credential helpers, Terraform's external data.
//!
//! INVARIANT: a key is given for the host that it opens, and for no other that a program asks about (held by
//! `a_key_is_given_for_its_own_host_alone`).

use std::io::Read;

use serde_json::json;
use url::Url;
use wane_connector::verb::VerbError;
use wane_domain::time::Time;

/// More than any of them says.
const MOST_SAID: u64 = 64 * 1024;
/// A key is whoever's that has it; this stands where programs want a name.
const NAME: &str = "wane";

/// To whom a key is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum As {
    /// Whoever reads it.
    Text,
    /// Docker, podman and their like (`docker-credential-…`).
    Docker,
    /// git (`credential.helper`).
    Git,
    /// Terraform (`data "external"`).
    Terraform,
}

/// What a program asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A key; for which server, as it says it.
    Key(As, Option<String>),
    /// Something that is answered like this without one: what it would have kept or forgotten is kept nowhere.
    Nothing(&'static str),
}

/// A key that was made.
pub(super) struct Given<'a> {
    pub(super) key: &'a str,
    /// Where it opens.
    pub(super) url: &'a str,
    pub(super) grant: &'a str,
    pub(super) end: Time,
}

impl As {
    /// Reads what a program asks for.
    pub(super) fn asked(self, action: Option<&str>, from: &mut dyn Read) -> Result<Asked, VerbError> {
        let whole = |from: &mut dyn Read| {
            let mut text = String::new();
            let read = from.take(MOST_SAID).read_to_string(&mut text);
            read.map(|_| text).map_err(|e| VerbError::Failed(format!("standard input cannot be read: {e}")))
        };
        let unknown = |action: &str| Err(VerbError::Usage(format!("`{action}` is nothing that a helper is asked for")));
        match (self, action) {
            (Self::Text, None) => Ok(Asked::Key(self, None)),
            (Self::Terraform, None) => {
                // Its query; there is nothing to ask about.
                whole(from)?;
                Ok(Asked::Key(self, None))
            }
            (Self::Docker | Self::Git, None) => {
                Err(VerbError::Usage("say what is asked for, as the program does: `get`".to_owned()))
            }
            (Self::Docker, Some("get")) => {
                let server = whole(from)?.trim().to_owned();
                Ok(Asked::Key(self, Some(server)))
            }
            (Self::Git, Some("get")) => {
                let said = whole(from)?;
                let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                let server = format!("{}://{}", line("protocol="), line("host="));
                Ok(Asked::Key(self, Some(server)))
            }
            (Self::Docker | Self::Git, Some("store" | "erase")) => whole(from).map(|_| Asked::Nothing("")),
            (Self::Docker, Some("list")) => Ok(Asked::Nothing("{}")),
            (Self::Docker | Self::Git | Self::Text | Self::Terraform, Some(other)) => unknown(other),
        }
    }
}

/// The answer to a program, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A person reads it.
    ToRead,
    Words(String),
    /// It asked about another server: what it is told, and the exit code by which it knows.
    Elsewhere(&'static str, i32),
}

impl As {
    pub(super) fn answer(self, server: Option<&str>, given: &Given<'_>) -> Answer {
        if let Some(server) = server
            && !is_at(server, given.url)
        {
            return match self {
                // As Docker's own helpers say it, which its programs look for.
                Self::Docker => Answer::Elsewhere("credentials not found in native keychain", 1),
                // It goes on to the next helper, or asks its person.
                Self::Git | Self::Text | Self::Terraform => Answer::Elsewhere("", 0),
            };
        }
        match self {
            Self::Text => Answer::ToRead,
            Self::Docker => Answer::Words(
                json!({ "ServerURL": server.unwrap_or_default(), "Username": NAME, "Secret": given.key }).to_string(),
            ),
            Self::Git => Answer::Words(format!(
                "username={NAME}\npassword={}\npassword_expiry_utc={}",
                given.key,
                given.end.micros().div_euclid(1_000_000)
            )),
            // Texts only, and no object in another.
            Self::Terraform => {
                let (url, end) = (given.url, given.end.to_string());
                let said = json!({ "key": given.key, "username": NAME, "url": url, "grant": given.grant, "end": end });
                Answer::Words(said.to_string())
            }
        }
    }
}

/// Whether what a program calls a server is where a key opens: its host and port, over TLS.
fn is_at(server: &str, url: &str) -> bool {
    let read = |text: &str| {
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        Url::parse(&whole).ok().filter(|url| url.scheme() == "https")
    };
    match (read(server), read(url)) {
        (Some(asked), Some(own)) => asked.origin() == own.origin() && asked.host_str().is_some(),
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Given<'static> {
        Given {
            key: "wane_key_x",
            url: "https://registry.example.com:8443/",
            grant: "grt_1",
            end: Time::from_micros(60_000_000),
        }
    }

    fn answer(by: As, action: Option<&str>, said: &str) -> Result<Answer, String> {
        match by.asked(action, &mut said.as_bytes()).map_err(|e| e.to_string())? {
            Asked::Key(by, server) => Ok(by.answer(server.as_deref(), &given())),
            Asked::Nothing(answer) => Ok(Answer::Words(answer.to_owned())),
        }
    }

    fn words(by: As, action: Option<&str>, said: &str) -> String {
        match answer(by, action, said) {
            Ok(Answer::Words(words)) => words,
            other => panic!("{by:?} {action:?}: {other:?}"),
        }
    }

    #[test]
    fn each_is_answered_in_its_own_words() {
        let docker = words(As::Docker, Some("get"), "registry.example.com:8443\n");
        let docker: serde_json::Value = serde_json::from_str(&docker).unwrap();
        assert_eq!(
            docker,
            json!({ "ServerURL": "registry.example.com:8443", "Username": "wane", "Secret": "wane_key_x" })
        );
        let git = words(As::Git, Some("get"), "protocol=https\nhost=registry.example.com:8443\nwwwauth[]=Basic\n\n");
        assert_eq!(git, "username=wane\npassword=wane_key_x\npassword_expiry_utc=60");
        let terraform: serde_json::Value = serde_json::from_str(&words(As::Terraform, None, "{}")).unwrap();
        assert!(terraform.as_object().unwrap().values().all(serde_json::Value::is_string), "{terraform}");
        assert_eq!(answer(As::Text, None, ""), Ok(Answer::ToRead));
        assert_eq!(words(As::Docker, Some("list"), ""), "{}");
        for (by, action) in [(As::Docker, "store"), (As::Docker, "erase"), (As::Git, "store"), (As::Git, "erase")] {
            assert_eq!(words(by, Some(action), "anything"), "", "{by:?} {action}");
        }
        for (by, action) in
            [(As::Docker, None), (As::Git, Some("list")), (As::Text, Some("get")), (As::Terraform, Some("get"))]
        {
            assert!(answer(by, action, "").is_err(), "{by:?} {action:?}");
        }
    }

    #[test]
    fn a_key_is_given_for_its_own_host_alone() {
        for (server, good) in [
            ("https://registry.example.com:8443", true),
            ("https://registry.example.com:8443/v2/", true),
            ("Registry.Example.com:8443", true),
            ("registry.example.com", false),
            ("http://registry.example.com:8443", false),
            ("https://evil.example/registry.example.com:8443", false),
            ("https://registry.example.com:8443@evil.example", false),
            ("https://registry.example.com.evil.example:8443", false),
            ("", false),
        ] {
            let given = answer(As::Docker, Some("get"), server).unwrap();
            assert_eq!(matches!(given, Answer::Words(_)), good, "{server}: {given:?}");
        }
        for said in [
            "protocol=http\nhost=registry.example.com:8443\n",
            "host=registry.example.com:8443\n",
            "protocol=https\n",
            "",
        ] {
            assert_eq!(answer(As::Git, Some("get"), said), Ok(Answer::Elsewhere("", 0)), "{said}");
        }
    }
}
