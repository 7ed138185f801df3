//! The words of the pages. Whatever is not written here is escaped.

use std::net::IpAddr;

use wane_app::{App, ArrivalShown, Goal, ProviderChoice};
pub(super) use wane_markup::escaped;

use super::whither::{Whither, plain};

/// The ways to sign in that there are here besides a password.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) providers: Vec<ProviderChoice>,
    pub(super) passkeys: bool,
}

impl Ways {
    pub(super) fn of(app: &App) -> Self {
        Self { providers: app.provider_choices(), passkeys: app.serves_passkeys() }
    }
}

/// A page, whole.
pub(super) struct Html(String);

impl Html {
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

pub(super) fn page(title: &str, body: &str) -> Html {
    whole(title, "", body)
}

fn whole(title: &str, head: &str, body: &str) -> Html {
    let title = escaped(title);
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/login.css\">\n{head}<main>\n<h1>{title}</h1>\n{body}</main>\n"
    ))
}

/// One sentence under a title.
pub(super) fn notice(title: &str, text: &str) -> Html {
    page(title, &format!("<p>{}</p>\n", escaped(text)))
}

/// A form that no page of ours has, or not for this session.
pub(super) fn foreign() -> Html {
    notice("Wane", "This form was not sent from its own page. Open the link in your terminal again.")
}

/// Where somebody signs in. Says nothing about what for.
pub(super) fn sign_in(then: &Whither, ways: &Ways, problem: Option<&str>) -> Html {
    page("Sign in to Wane", &format!("{}{}", problem_text(problem), sign_in_form(then, ways, Anew::No)))
}

/// The way to prove who one is once more.
pub(super) fn prove(then: &Whither, ways: &Ways) -> Html {
    let asked = "<p>This asks for a fresh proof of who you are: sign in again.</p>\n";
    page("Prove who you are", &format!("{asked}{}", sign_in_form(then, ways, Anew::Yes)))
}

/// Whether a provider is to ask its person anew, whatever it remembers of them.
#[derive(Clone, Copy)]
enum Anew {
    Yes,
    No,
}

fn sign_in_form(then: &Whither, ways: &Ways, anew: Anew) -> String {
    let (words, more) = match anew {
        Anew::Yes => ("Prove it again at", "&amp;fresh=yes"),
        Anew::No => ("Sign in with", ""),
    };
    let providers: String = ways.providers.iter().map(|way| provider_link(then, way, words, more)).collect();
    let (passkey, recovery) = if ways.passkeys { (passkey_form(then), RECOVERY) } else { (String::new(), "") };
    format!(
        "{passkey}{providers}<form method=\"post\" action=\"{}\">\n\
         <label>Name <input name=\"person\" autocomplete=\"username\" required></label>\n\
         <label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\n\
         <label>Six-digit code <input name=\"totp\" inputmode=\"numeric\" autocomplete=\"one-time-code\"></label>\n\
         <button>Sign in</button>\n</form>\n{recovery}",
        then.form()
    )
}

const RECOVERY: &str = "<details><summary>You have a recovery code?</summary>\n\
     <form method=\"post\" action=\"/sign-in/recovery\">\n\
     <label>Recovery code <input name=\"code\" autocomplete=\"off\" required></label>\n\
     <button>Use the code</button>\n</form>\n</details>\n";

fn passkey_form(then: &Whither) -> String {
    format!(
        "<form method=\"post\" action=\"/sign-in/passkey\">\n<input type=\"hidden\" name=\"then\" value=\"{}\">\n\
         <button>Sign in with a passkey</button>\n</form>\n",
        then.word()
    )
}

fn provider_link(then: &Whither, way: &ProviderChoice, words: &str, more: &str) -> String {
    let name: String = way.name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let (then, display) = (then.word(), escaped(&way.display));
    format!("<p><a class=\"way\" href=\"/sign-in/oidc/{name}?then={then}{more}\">{words} {display}</a></p>\n")
}

/// Who somebody is.
pub(super) fn home(name: &str, token: &str, ways: &Ways) -> Html {
    let passkeys = if ways.passkeys { passkey_forms(token) } else { String::new() };
    let again: String = ways
        .providers
        .iter()
        .map(|way| provider_link(&Whither::Home, way, "Prove it again at", "&amp;fresh=yes"))
        .collect();
    let body = format!(
        "<p>You are signed in as <b>{}</b>.</p>\n<p><a class=\"way\" href=\"/ui/\">Go to what you hold</a></p>\n\
         <p><a class=\"way\" href=\"/waiting\">What waits for you</a></p>\n\
         <form method=\"post\" action=\"/sign-in/out\">\n\
         <input type=\"hidden\" name=\"token\" value=\"{}\">\n<button>Sign out</button>\n</form>\n{passkeys}\
         <details><summary>You are somebody else, or have to prove it again?</summary>\n{again}{}</details>\n",
        escaped(name),
        escaped(token),
        sign_in_form(&Whither::Home, ways, Anew::No),
    );
    page("Wane", &body)
}

fn passkey_forms(token: &str) -> String {
    let hidden = format!("<input type=\"hidden\" name=\"token\" value=\"{}\">\n", escaped(token));
    format!(
        "<form method=\"post\" action=\"/sign-in/passkeys\">\n{hidden}\
         <label>Name of a new passkey <input name=\"name\" placeholder=\"this phone\"></label>\n\
         <button>Set up a passkey</button>\n</form>\n\
         <form method=\"post\" action=\"/sign-in/recovery-codes\">\n{hidden}<button>New recovery codes</button>\n</form>\n\
         <p><a class=\"way\" href=\"/approver-keys\">Keys you sign approvals with</a></p>\n"
    )
}

/// A page that runs our script.
pub(super) fn scripted(title: &str, body: &str) -> Html {
    whole(title, "<script src=\"/passkey.js\" defer></script>\n", body)
}

/// Leads on, once somebody is signed in.
pub(super) fn onward(then: &Whither) -> Html {
    let path = then.path();
    let head = format!("<meta http-equiv=\"refresh\" content=\"0; url={path}\">\n");
    whole("Signed in", &head, &format!("<p><a class=\"way\" href=\"{path}\">Go on</a></p>\n"))
}

/// Leads on by itself.
pub(super) fn leads(title: &str, to: &str) -> Html {
    let to = escaped(to);
    let head = format!("<meta http-equiv=\"refresh\" content=\"0; url={to}\">\n");
    whole(title, &head, &format!("<p><a class=\"way\" href=\"{to}\">Go on</a></p>\n"))
}

/// Why nobody is signed in, and the way to try again.
pub(super) fn came_to_nothing(then: &Whither, why: &str) -> Html {
    let then = match then {
        Whither::Home => "/sign-in".to_owned(),
        Whither::Ui | Whither::Login(_) | Whither::Device(_) | Whither::Approve(_) | Whither::App(_) => then.path(),
    };
    let body =
        format!("<p class=\"warn\">{}</p>\n<p><a class=\"way\" href=\"{then}\">Begin again</a></p>\n", escaped(why));
    page("Not signed in", &body)
}

/// The question.
pub(super) fn question(
    reference: &str,
    arrival: &ArrivalShown,
    (name, ways): (&str, &Ways),
    here: Option<IpAddr>,
    token: &str,
    problem: Option<&str>,
) -> Html {
    let elsewhere = here.filter(|here| here.to_canonical() != arrival.peer.to_canonical());
    let elsewhere = elsewhere.map_or_else(String::new, |here| {
        format!(
            "<p class=\"warn\">You are looking at this from another address, <b>{here}</b>. \
             Refuse, unless you know that machine and sit at it.</p>\n"
        )
    });
    let body = format!(
        "{problem}<p>Somebody wants to come in there as <b>you, {name}</b>:</p>\n{about}{elsewhere}\
         <p>Enter the code that <b>your own terminal</b> shows, and only if you began this yourself just now. \
         Whoever sent you a link or a code, and asks you to enter it here, wants your access for themselves.</p>\n\
         <form method=\"post\" action=\"/login/{path}\">\n<input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
         <label>Code <input name=\"code\" autocomplete=\"off\" autocapitalize=\"characters\" required></label>\n\
         <button name=\"answer\" value=\"yes\">Let me in</button>\n\
         <button name=\"answer\" value=\"no\" formnovalidate>Refuse</button>\n</form>\n\
         <details><summary>You are not {name}?</summary>\n{form}</details>\n",
        problem = problem_text(problem),
        name = escaped(name),
        about = about(arrival),
        path = plain(reference),
        token = escaped(token),
        form = sign_in_form(&Whither::Login(reference.to_owned()), ways, Anew::No),
    );
    let title = match &arrival.goal {
        Goal::Session { resource, login } => format!("Log in to {resource} as {login}?"),
        Goal::Passage => "Log in to go on to hosts?".to_owned(),
    };
    page(&title, &body)
}

/// What was confirmed.
pub(super) fn confirmed(arrival: &ArrivalShown, code: &str) -> Html {
    let code = escaped(&code.chars().take(16).collect::<String>());
    let body = format!("<p>Confirmed with the code <b>{code}</b>. Go back to your terminal.</p>\n{}", about(arrival));
    page("Confirmed", &body)
}

/// What was refused.
pub(super) fn refused(arrival: &ArrivalShown) -> Html {
    let body = format!(
        "<p>Refused: nobody comes in. If you did not begin it, tell whoever looks after your Wane.</p>\n{}",
        about(arrival)
    );
    page("Refused", &body)
}

fn about(arrival: &ArrivalShown) -> String {
    let to = match &arrival.goal {
        Goal::Session { resource, login } => [("Resource", resource.clone()), ("Login name", login.clone())],
        // Which ones nobody knows yet: they are named inside the connection, one after the other.
        Goal::Passage => [
            (
                "Resource",
                "every host that you hold access to or ask for here, as long as this connection lasts".to_owned(),
            ),
            ("Login name", "whichever it asks for".to_owned()),
        ],
    };
    let here = [
        ("From the address", arrival.peer.to_canonical().to_string()),
        ("The program says it is", arrival.client.clone()),
        ("Time left", arrival.left.to_string()),
    ];
    table(&[&to[..], &here].concat())
}

/// Rows of what something is, each cut where it gets long.
pub(super) fn table(rows: &[(&str, String)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(what, is)| {
            format!("<tr><th>{}<td>{}\n", escaped(what), escaped(&is.chars().take(128).collect::<String>()))
        })
        .collect();
    format!("<table>\n{rows}</table>\n")
}

pub(super) fn problem_text(problem: Option<&str>) -> String {
    problem.map_or_else(String::new, |text| format!("<p class=\"warn\">{}</p>\n", escaped(text)))
}

/// An error as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_never_markup() {
        let arrival = ArrivalShown {
            goal: Goal::Session { resource: "web<script>".to_owned(), login: "\"><img src=x>".to_owned() },
            peer: "192.0.2.7".parse().unwrap(),
            client: "SSH-2.0-<b onclick='x'>&\u{202e}\u{1b}[2J".to_owned(),
            left: wane_domain::time::Span::from_mins(5),
        };
        let evil = "'\"><script>alert(1)</script>";
        let here = Some("198.51.100.1".parse().unwrap());
        let providers = vec![ProviderChoice { name: evil.to_owned(), display: evil.to_owned() }];
        let ways = Ways { providers, passkeys: true };
        for html in [
            question(evil, &arrival, (evil, &ways), here, evil, Some(evil)),
            confirmed(&arrival, evil),
            refused(&arrival),
            sign_in(&Whither::Login(evil.to_owned()), &ways, Some(evil)),
            home(evil, evil, &ways),
            onward(&Whither::Device(evil.to_owned())),
            came_to_nothing(&Whither::Login(evil.to_owned()), evil),
            notice(evil, evil),
        ] {
            let text = html.into_text();
            for bad in ["<script", "<img", "<b o", "onclick='", "\u{202e}", "\u{1b}", "'\"", "\">'"] {
                assert!(!text.contains(bad), "{bad}: {text}");
            }
        }
    }

    #[test]
    fn another_address_is_pointed_out() {
        let mut arrival = ArrivalShown {
            goal: Goal::Passage,
            peer: "::ffff:192.0.2.7".parse().unwrap(),
            client: String::new(),
            left: wane_domain::time::Span::from_mins(5),
        };
        let here = "192.0.2.7".parse().ok();
        assert!(
            !question("r", &arrival, ("maya", &Ways::default()), here, "t", None)
                .into_text()
                .contains("another address")
        );
        arrival.peer = "192.0.2.8".parse().unwrap();
        assert!(
            question("r", &arrival, ("maya", &Ways::default()), here, "t", None)
                .into_text()
                .contains("another address")
        );
    }
}
