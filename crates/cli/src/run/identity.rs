//! Signing in and out, setting up a sign-in, proving identity again.

use std::path::Path;
use std::time::Duration;

use wane_api::SecretText;
use wane_api::device::{AskDevice, DeviceState, NewDevice};
use wane_api::session::{Enrol, Prove, SignIn, SignedIn};
use wane_client::{Bearer, Client};

use super::Done;
use crate::access::Session;
use crate::args::identity as args;
use crate::escape;
use crate::exit::{Exit, Stop};
use crate::show;
use crate::signed_in::SignedInFile;

pub(super) async fn login(args: args::Login, s: &Session) -> Done {
    // Whoever was signed in before is not who signs in now.
    let client = s.client()?.with_token(None);
    let signed_in = match args.person {
        Some(person) => {
            let password = password(s, &args.password, &format!("Password of {person}: "))?;
            let totp = totp(s, args.totp)?;
            let input = SignIn { person, password, totp };
            s.out.busy("you are being signed in", client.sign_in(&input)).await?
        }
        None if args.password.password_file.is_some() || args.password.password_stdin || args.totp.is_some() => {
            return Err(Stop::usage("a password is somebody's").todo("say whose: --person NAME"));
        }
        None => by_browser(s, &client, Wants::SignIn).await?,
    };
    let bearer = Bearer::new(SecretText::new(signed_in.token.expose().to_owned()));
    let me = client.with_token(Some(bearer)).me().await?;
    let whither = s.whither()?;
    let ca = whither.ca.map(|ca| std::path::absolute(&ca).unwrap_or(ca));
    s.remember(&SignedInFile {
        server: whither.server.clone(),
        ca,
        person: Some(me.person.clone()),
        token: Some(signed_in.token),
        expires: Some(signed_in.expires),
    })?;
    s.out.put(&me, |layout| show::identity::me(&me, &whither.server, &s.present(), layout));
    Ok(Exit::Done)
}

/// What a browser is wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    SignIn,
    Proof,
}

/// Shows a link and a code, and waits until their person has answered.
async fn by_browser(s: &Session, client: &Client, wants: Wants) -> Result<SignedIn, Stop> {
    let client_is = format!("wane {}{}", env!("CARGO_PKG_VERSION"), on_machine());
    let asked = NewDevice { client: Some(client_is), prove: wants == Wants::Proof };
    let begun = s.out.busy("a link is made", client.begin_device(&asked)).await?;
    s.out.raw_err(&format!(
        "Open this page in any browser, and sign in there:\n\n    {}\n\nThen enter this code:\n\n    {}\n\n\
         Nobody but you needs this code. Waiting until {}.\n",
        escape::block(&begun.link),
        escape::block(&begun.code),
        s.present().both(begun.expires)
    ));
    let asked = AskDevice { device_code: begun.device_code };
    let mut interval = begun.interval;
    loop {
        tokio::time::sleep(Duration::from_secs(interval.clamp(1, 60))).await;
        let answer = client.ask_device(&asked).await?;
        interval = answer.interval.unwrap_or(interval);
        match (answer.state, answer.session) {
            (DeviceState::Waits | DeviceState::SlowDown, _) => {}
            (DeviceState::SignedIn, Some(session)) => return Ok(session),
            (DeviceState::SignedIn, None) => return Err(Stop::failed("the server signs in and gives no session")),
        }
    }
}

/// What this machine calls itself, if it says.
fn on_machine() -> String {
    let said =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|file| std::fs::read_to_string(file).ok());
    let name = said.as_deref().and_then(|text| text.lines().next()).unwrap_or_default().trim().to_owned();
    if name.is_empty() { name } else { format!(" on {name}") }
}

pub(super) async fn logout(s: &Session) -> Done {
    let remembered = s.remembered()?;
    let ended = match s.client() {
        Ok(client) => client.sign_out().await.map_err(Stop::from),
        Err(stop) => Err(stop),
    };
    if let Some(file) = remembered {
        s.remember(&SignedInFile { token: None, expires: None, ..file })?;
    }
    match ended {
        Ok(()) => {}
        // It had ended before.
        Err(stop) if stop.problem.as_ref().is_some_and(|p| p.status == 401) => {}
        Err(stop) => {
            return Err(Stop {
                message: format!("it is forgotten here, but the session did not end on the server: {}", stop.message),
                ..stop
            });
        }
    }
    s.put(&serde_json::json!({ "signed_out": true }), "signed out");
    Ok(Exit::Done)
}

pub(super) async fn enrol(args: args::Enrol, s: &Session) -> Done {
    let server = s.server()?;
    let code = match args.code {
        Some(code) => SecretText::new(code),
        None => hidden(s, "One-time code: ", "CODE")?,
    };
    let asked = args.password.password_file.is_none() && !args.password.password_stdin;
    let password = password(s, &args.password, "New password: ")?;
    if asked {
        let again = hidden(s, "The same again: ", "--password-file")?;
        if again.expose() != password.expose() {
            return Err(Stop::usage("the passwords differ").todo("run this again; the code is not used up"));
        }
    }
    let client = s.client()?.with_token(None);
    let enrolled = s.out.busy("your sign-in is being set up", client.enrol(&Enrol { code, password })).await?;
    let remembered = s.remembered()?;
    if remembered.is_none() {
        let whither = s.whither()?;
        s.remember(&SignedInFile {
            server,
            ca: whither.ca.map(|ca| std::path::absolute(&ca).unwrap_or(ca)),
            person: Some(enrolled.person.clone()),
            token: None,
            expires: None,
        })?;
    }
    s.out.put(&enrolled, |layout| show::identity::enrolled(&enrolled, layout));
    Ok(Exit::Done)
}

pub(super) async fn prove(args: args::Prove, s: &Session) -> Done {
    let client = s.client()?;
    let told = args.password.password_file.is_some() || args.password.password_stdin || args.totp.is_some();
    let by_password = told || (!args.browser && client.me().await?.session.proof == BY_PASSWORD);
    if !by_password {
        return prove_by_browser(s, &client).await;
    }
    let input = Prove { password: password(s, &args.password, "Password: ")?, totp: totp(s, args.totp)? };
    let proved = s.out.busy("the server is asked", client.prove(&input)).await?;
    // The session goes on under a new token; the former one is dead, wherever it came from.
    let when = format!("proved {}\n", s.present().both(proved.proved));
    match s.remembered()? {
        Some(file) if !s.is_told_token() => {
            let shown = serde_json::json!({ "proved": proved.proved, "expires": proved.expires });
            s.remember(&SignedInFile { token: Some(proved.token), expires: Some(proved.expires), ..file })?;
            s.out.put(&shown, |_| when);
        }
        Some(_) | None => {
            s.out.put(&proved, |_| format!("{when}Set WANE_TOKEN anew: {}\n", proved.token.expose()));
        }
    }
    Ok(Exit::Done)
}

/// The proof of a session that began with a password, in the API's word.
const BY_PASSWORD: &str = "password+totp";

/// A new session, on the proof that its person gives in a browser, in place of the one before.
async fn prove_by_browser(s: &Session, client: &Client) -> Done {
    let before = client.me().await?;
    let signed_in = by_browser(s, &client.with_token(None), Wants::Proof).await?;
    let bearer = Bearer::new(SecretText::new(signed_in.token.expose().to_owned()));
    let fresh = client.with_token(Some(bearer));
    let me = fresh.me().await?;
    if me.person != before.person {
        fresh.sign_out().await?;
        let why = format!("`{}` proved who they are, and this is the session of `{}`", me.person, before.person);
        return Err(Stop::failed(why).todo("confirm it in a browser where you are signed in yourself"));
    }
    let when = format!("proved {}\n", s.present().both(me.session.proved));
    match s.remembered()? {
        Some(file) if !s.is_told_token() => {
            let shown = serde_json::json!({ "proved": me.session.proved, "expires": signed_in.expires });
            s.remember(&SignedInFile { token: Some(signed_in.token), expires: Some(signed_in.expires), ..file })?;
            s.out.put(&shown, |_| when);
        }
        Some(_) | None => {
            s.out.put(&signed_in, |_| format!("{when}Set WANE_TOKEN anew: {}\n", signed_in.token.expose()));
        }
    }
    client.sign_out().await?;
    Ok(Exit::Done)
}

pub(super) async fn passkey(args: args::Passkey, s: &Session) -> Done {
    let client = s.client()?;
    let me = s.out.busy("the server is asked", client.me()).await?;
    match args {
        args::Passkey::List => {
            let ways = s.out.busy("the server is asked", client.ways_in(&me.person)).await?;
            s.out.put(&ways, |layout| show::directory::ways_in(&ways.items, &s.present(), layout));
        }
        args::Passkey::Remove(args) => {
            s.out.busy("it is taken away", client.remove_way_in(&me.person, &args.way)).await?;
            s.put(&serde_json::json!({ "removed": args.way }), &format!("{} no longer lets you in", args.way));
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn me(s: &Session) -> Done {
    let client = s.client()?;
    let me = s.out.busy("the server is asked", client.me()).await?;
    let server = s.server()?;
    s.out.put(&me, |layout| show::identity::me(&me, &server, &s.present(), layout));
    Ok(Exit::Done)
}

fn password(s: &Session, from: &args::PasswordFrom, prompt: &str) -> Result<SecretText, Stop> {
    let text = match &from.password_file {
        Some(file) => first_line(s, file)?,
        None if from.password_stdin => s.read_line()?,
        None => return hidden(s, prompt, "--password-file or --password-stdin"),
    };
    if text.is_empty() {
        return Err(Stop::usage("the password is empty"));
    }
    Ok(SecretText::new(text))
}

fn first_line(s: &Session, file: &Path) -> Result<String, Stop> {
    let text =
        String::from_utf8(s.read(file)?).map_err(|_| Stop::usage(format!("`{}` is not text", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The six-digit code: as said, or asked for; none where nobody can be asked. The server says if one is needed.
fn totp(s: &Session, said: Option<String>) -> Result<Option<SecretText>, Stop> {
    let code = match said {
        Some(code) => SecretText::new(code),
        None if s.interactive => hidden(s, "Six-digit code: ", "--totp")?,
        None => return Ok(None),
    };
    Ok((!code.expose().is_empty()).then_some(code))
}

/// Asks without showing what is typed.
fn hidden(s: &Session, prompt: &str, instead: &str) -> Result<SecretText, Stop> {
    if !s.interactive {
        return Err(nobody_to_ask(prompt, instead));
    }
    rpassword::prompt_password(prompt)
        .map(SecretText::new)
        .map_err(|e| Stop::failed(format!("the terminal cannot be read: {e}")))
}

fn nobody_to_ask(prompt: &str, instead: &str) -> Stop {
    let what = prompt.trim_end_matches(": ").to_lowercase();
    Stop::usage(format!("there is no terminal to ask for `{what}` on")).todo(format!("give {instead}"))
}
