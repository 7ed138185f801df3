//! The page on which somebody confirms that a command line is theirs.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use wane_app::{AppError, DeviceAsks, DeviceShown};

use super::html::{self, Html, Ways, escaped};
use super::theirs::theirs;
use super::visitor::Visitor;
use super::whither::{Whither, plain};
use super::{entrance, failed};
use crate::addresses::Peer;
use crate::shared::Shared;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/device/{reference}", get(question).post(answer))
        .route("/device/{reference}/sign-in", post(sign_in))
}

async fn sign_in(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    entrance::sign_in(&shared, &Whither::Device(reference), &headers, &body).await
}

/// The question, to whoever is signed in; else the way to sign in, which says nothing about it.
async fn question(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let Some(visitor) = Visitor::of(&shared, &headers).await else {
        let ways = Ways::of(&shared.app);
        return html::sign_in(&Whither::Device(reference), &ways, None).page(StatusCode::OK);
    };
    match shared.app.device(&visitor.caller, &reference) {
        Ok(device) if device.unproved => {
            html::prove(&Whither::Device(reference), &Ways::of(&shared.app)).page(StatusCode::OK)
        }
        Ok(device) => asked(&reference, &device, &visitor, peer, None).page(StatusCode::OK),
        Err(error) => failed(&error),
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(reference): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let then = Whither::Device(reference.clone());
    let (form, visitor) = match theirs(&shared, &headers, &body, &about(&reference), &then).await {
        Ok(theirs) => theirs,
        Err(refused) => return refused,
    };
    // Read before it is answered: afterwards it is nobody's to read.
    let device = match shared.app.device(&visitor.caller, &reference) {
        Ok(device) => device,
        Err(error) => return failed(&error),
    };
    let code = form.get("code").unwrap_or_default();
    let is_yes = form.get("answer") == Some("yes");
    let done = match form.get("answer") {
        Some("yes") => shared.app.confirm_device(&visitor.caller, &reference, code).await,
        Some("no") => shared.app.refuse_device(&visitor.caller, &reference).await,
        Some(_) | None => return html::foreign().page(StatusCode::UNPROCESSABLE_ENTITY),
    };
    match done {
        Ok(()) if is_yes => {
            let text = "<p>Confirmed: the command line that shows this code is signed in as you. Go back to it.</p>\n";
            html::page("Signed in", &format!("{text}{}", table(&device))).page(StatusCode::OK)
        }
        Ok(()) => {
            let text =
                "<p>Refused: it is not signed in. If you did not begin it, tell whoever looks after your Wane.</p>\n";
            html::page("Refused", &format!("{text}{}", table(&device))).page(StatusCode::OK)
        }
        Err(error @ AppError::Invalid { .. }) => {
            let why = html::sentence(&error.to_string());
            asked(&reference, &device, &visitor, peer, Some(&why)).page(StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(error) => failed(&error),
    }
}

/// What the form is about; no form about something else is good here.
fn about(reference: &str) -> String {
    format!("device {reference}")
}

fn asked(
    reference: &str,
    device: &DeviceShown,
    visitor: &Visitor,
    peer: Option<Extension<Peer>>,
    problem: Option<&str>,
) -> Html {
    let here = peer.map(|Extension(Peer(address))| address);
    let (name, token) = (visitor.caller.name.as_str(), visitor.token(&about(reference)));
    page(reference, device, (name, &token), here, problem)
}

fn page(
    reference: &str,
    device: &DeviceShown,
    (name, token): (&str, &str),
    here: Option<IpAddr>,
    problem: Option<&str>,
) -> Html {
    let differs = here.zip(device.peer).filter(|(here, peer)| here.to_canonical() != peer.to_canonical());
    let elsewhere = differs.map_or_else(String::new, |(here, _)| {
        format!(
            "<p class=\"warn\">You are looking at this from another address, <b>{here}</b>. \
             Refuse, unless you know that machine and sit at it.</p>\n"
        )
    });
    let (wants, command, title) = match device.asks {
        DeviceAsks::SignIn => ("wants to be signed in", "wane login", "Sign a command line in"),
        DeviceAsks::Proof => {
            ("wants the proof you just gave, to go on", "wane prove", "Hand your proof to a command line")
        }
    };
    let body = format!(
        "{problem}<p>A command line there {wants} as <b>you, {name}</b>, for as long as you are signed in \
         here:</p>\n{table}{elsewhere}<p>Enter the code that <b>your own terminal</b> shows, and only if you ran \
         <code>{command}</code> yourself just now. Whoever sent you a link or a code, and asks you to enter it here, \
         wants your access for themselves.</p>\n\
         <form method=\"post\" action=\"/device/{path}\">\n<input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
         <label>Code <input name=\"code\" autocomplete=\"off\" autocapitalize=\"characters\" required></label>\n\
         <button name=\"answer\" value=\"yes\">Sign it in</button>\n\
         <button name=\"answer\" value=\"no\" formnovalidate>Refuse</button>\n</form>\n",
        problem = html::problem_text(problem),
        name = escaped(name),
        table = table(device),
        path = plain(reference),
        token = escaped(token),
    );
    html::page(&format!("{title} as {name}?"), &body)
}

fn table(device: &DeviceShown) -> String {
    let peer = device.peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_canonical().to_string());
    html::table(&[
        ("From the address", peer),
        ("It says it is", device.client.clone()),
        ("Time left", device.left.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(peer: &str) -> DeviceShown {
        let left = wane_domain::time::Span::from_mins(5);
        DeviceShown {
            peer: peer.parse().ok(),
            client: "wane\"><script>alert(1)</script>\u{202e}".to_owned(),
            left,
            asks: DeviceAsks::SignIn,
            unproved: false,
        }
    }

    #[test]
    fn what_a_command_line_says_is_never_markup() {
        let evil = "'\"><script>alert(1)</script>";
        let here = "198.51.100.1".parse().ok();
        let text = page(evil, &device("192.0.2.7"), (evil, evil), here, Some(evil)).into_text();
        for bad in ["<script", "\u{202e}", "'\"", "\">'"] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
    }

    #[test]
    fn another_address_is_pointed_out() {
        let shown =
            |peer: &str, here: &str| page("r", &device(peer), ("maya", "t"), here.parse().ok(), None).into_text();
        assert!(shown("192.0.2.7", "192.0.2.8").contains("another address"));
        for (peer, here) in [("192.0.2.7", "::ffff:192.0.2.7"), ("", "192.0.2.7"), ("192.0.2.7", "")] {
            assert!(!shown(peer, here).contains("another address"), "{peer} {here}");
        }
    }
}
