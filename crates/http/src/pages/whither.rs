//! The page that comes after signing in: one of ours, and none that somebody else can name.

/// Letters of what a page is about.
const LONGEST: usize = 64;
const UI: &str = "ui";

/// Where somebody goes once they are signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whither {
    /// The page that says who they are.
    Home,
    /// The web UI, which knows by itself which of its pages it was.
    Ui,
    /// The question about a login at the gateway.
    Login(String),
    /// The question about a command line that wants to be signed in.
    Device(String),
    /// The question about a request, by the part of its id behind the prefix.
    Approve(String),
    /// Back to an application that a browser came from.
    App(String),
}

impl Whither {
    /// Reads what a link or a form of ours says; whatever else it says leads home.
    pub(super) fn read(text: &str) -> Self {
        if text == UI {
            return Self::Ui;
        }
        match text.split_once('/') {
            Some(("login", about)) if is_plain(about) => Self::Login(about.to_owned()),
            Some(("device", about)) if is_plain(about) => Self::Device(about.to_owned()),
            Some(("approve", about)) if is_plain(about) => Self::Approve(about.to_owned()),
            Some(("app", about)) if is_plain(about) => Self::App(about.to_owned()),
            _ => Self::Home,
        }
    }

    /// What [`Whither::read`] reads.
    pub(super) fn word(&self) -> String {
        match self {
            Self::Home => "home".to_owned(),
            Self::Ui => UI.to_owned(),
            Self::Login(about) => format!("login/{}", plain(about)),
            Self::Device(about) => format!("device/{}", plain(about)),
            Self::Approve(about) => format!("approve/{}", plain(about)),
            Self::App(about) => format!("app/{}", plain(about)),
        }
    }

    /// Its path.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Home => "/sign-in".to_owned(),
            Self::Ui => format!("/{UI}/"),
            Self::Login(_) | Self::Device(_) | Self::Approve(_) => format!("/{}", self.word()),
            Self::App(_) => format!("/{}{}", self.word(), super::visit::GO),
        }
    }

    /// Where its form to sign in is sent.
    pub(super) fn form(&self) -> String {
        match self {
            Self::Home => "/sign-in".to_owned(),
            Self::Ui | Self::Login(_) | Self::Device(_) | Self::Approve(_) | Self::App(_) => {
                format!("/{}/sign-in", self.word())
            }
        }
    }
}

fn is_plain(about: &str) -> bool {
    (1..=LONGEST).contains(&about.len()) && about.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// What of a reference can stand in a path: it is letters and digits, or none of ours.
pub(super) fn plain(reference: &str) -> String {
    reference.chars().filter(char::is_ascii_alphanumeric).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_says_where_somebody_goes() {
        for (text, path) in [
            ("login/abc123", "/login/abc123"),
            ("device/abc123", "/device/abc123"),
            ("approve/abc123", "/approve/abc123"),
            ("approve/a/../x", "/sign-in"),
            ("app/abc123", "/app/abc123/go"),
            ("app/a/go", "/sign-in"),
            ("home", "/sign-in"),
            ("ui", "/ui/"),
            ("ui/", "/sign-in"),
            ("ui//evil.example", "/sign-in"),
            ("", "/sign-in"),
            ("//evil.example", "/sign-in"),
            ("https://evil.example", "/sign-in"),
            ("login//evil.example", "/sign-in"),
            ("login/a/../../x", "/sign-in"),
            ("login/a?b", "/sign-in"),
            ("device/a\r\nx", "/sign-in"),
            ("login/", "/sign-in"),
        ] {
            let whither = Whither::read(text);
            assert_eq!(whither.path(), path, "{text:?}");
            assert_eq!(Whither::read(&whither.word()), whither);
        }
    }
}
