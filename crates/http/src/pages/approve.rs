//! The page on which somebody approves a request, by a passkey where that is asked for, or denies it.
//!
//! What is shown is what is signed: the page with the ceremony shows what is left of the ask, and the very statement.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use wane_api::request::{ItemView, RequestView};
use wane_app::{Answered, AppError, Ceremony, Narrower, ToSign, WithKey};
use wane_domain::approval::Signature;
use wane_domain::id::RequestId;
use wane_domain::text::Reason;

use super::form::Form;
use super::html::{self, Html, Ways, escaped};
use super::passkeys::ceremony_form;
use super::theirs::theirs;
use super::visitor::Visitor;
use super::whither::{Whither, plain};
use super::{entrance, failed, status};
use crate::shared::Shared;
use crate::view::{Names, request as view};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/approve/{request}", get(question).post(decide))
        .route("/approve/{request}/answer", post(answer))
        .route("/approve/{request}/sign-in", post(sign_in))
}

/// The part of a request's id that stands in a path of ours.
fn suffix(named: &str) -> String {
    plain(named.strip_prefix("req_").unwrap_or(named))
}

fn id(named: &str) -> Result<RequestId, AppError> {
    format!("req_{}", suffix(named)).parse().map_err(|_| AppError::Missing { what: "request", name: plain(named) })
}

/// What a form is about; no form about something else is good here.
fn about(named: &str) -> String {
    format!("approve {}", suffix(named))
}

async fn sign_in(
    State(shared): State<Arc<Shared>>,
    Path(named): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    entrance::sign_in(&shared, &Whither::Approve(suffix(&named)), &headers, &body).await
}

/// The question, to whoever is signed in; else the way to sign in, which says nothing about it.
async fn question(State(shared): State<Arc<Shared>>, Path(named): Path<String>, headers: HeaderMap) -> Response {
    let Some(visitor) = Visitor::of(&shared, &headers).await else {
        let ways = Ways::of(&shared.app);
        return html::sign_in(&Whither::Approve(suffix(&named)), &ways, None).page(StatusCode::OK);
    };
    match shown(&shared, &visitor, &named).await {
        Ok((request, may)) => asked(&visitor, &named, &request, may, None).page(StatusCode::OK),
        Err(error) => failed(&error),
    }
}

/// A request as the visitor may see it, and what they may say to it.
async fn shown(shared: &Shared, visitor: &Visitor, named: &str) -> Result<(RequestView, May), AppError> {
    let world = shared.app.world().await?;
    let seen = shared.app.request_for(&visitor.caller, &world, id(named)?).await?.value;
    let own = [seen.ask.requester, seen.ask.beneficiary].contains(&visitor.caller.person);
    let mut may = May::Look;
    for index in 0..seen.items.len() {
        if !own && shared.app.who_could(&world, &seen, index)?.people.contains_key(&visitor.caller.person) {
            let signs = seen.items.get(index).is_some_and(|item| item.needs_signatures());
            may = if signs || may == May::Sign { May::Sign } else { May::Approve };
        }
    }
    Ok((view::request(&shared.app, Names(&world), &seen)?, may))
}

/// What somebody may say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    /// Nothing.
    Look,
    /// Yes, without more.
    Approve,
    /// Yes, by signature.
    Sign,
}

/// A form that whoever is signed in was given on this page.
async fn answered<'b>(
    shared: &Shared,
    named: &str,
    headers: &HeaderMap,
    body: &'b Bytes,
) -> Result<(Form<'b>, Visitor), Response> {
    theirs(shared, headers, body, &about(named), &Whither::Approve(suffix(named))).await
}

async fn decide(
    State(shared): State<Arc<Shared>>,
    Path(named): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (form, visitor) = match answered(&shared, &named, &headers, &body).await {
        Ok(theirs) => theirs,
        Err(refused) => return refused,
    };
    let done = match form.get("answer") {
        Some("sign") => match draft(&shared, &visitor, &named, &form).await {
            Ok(page) => return page,
            Err(error) => Err(error),
        },
        Some("yes") => said_yes(&shared, &visitor, &named, &form).await,
        Some("no") => said_no(&shared, &visitor, &named, &form).await,
        Some(_) | None => return html::foreign().page(StatusCode::UNPROCESSABLE_ENTITY),
    };
    match done {
        Ok(page) => page.page(StatusCode::OK),
        Err(error) => again(&shared, &visitor, &named, &error).await,
    }
}

/// The question once more, with what was wrong.
async fn again(shared: &Shared, visitor: &Visitor, named: &str, error: &AppError) -> Response {
    match shown(shared, visitor, named).await {
        Ok((request, may)) => {
            asked(visitor, named, &request, may, Some(&html::sentence(&error.to_string()))).page(status(error))
        }
        Err(_) => failed(error),
    }
}

fn less(form: &Form<'_>) -> Result<Narrower, AppError> {
    let said = |name: &str| form.get(name).map(str::trim).filter(|text| !text.is_empty());
    let duration = said("duration").map(str::parse).transpose();
    let duration = duration.map_err(|e: wane_domain::time::TimeError| AppError::Invalid {
        field: "duration".to_owned(),
        why: e.to_string(),
    })?;
    Ok(Narrower { duration, role: said("role").map(str::to_owned) })
}

async fn draft(shared: &Shared, visitor: &Visitor, named: &str, form: &Form<'_>) -> Result<Response, AppError> {
    let less = less(form)?;
    let draft = shared.app.to_sign(&visitor.caller, id(named)?, None, &less, &WithKey::Passkey).await?;
    let (request, _) = shown(shared, visitor, named).await?;
    Ok(signing(visitor, named, &request, &less, draft).page_with_script(StatusCode::OK))
}

async fn said_yes(shared: &Shared, visitor: &Visitor, named: &str, form: &Form<'_>) -> Result<Html, AppError> {
    shared.app.approve(&visitor.caller, id(named)?, None, &less(form)?).await?;
    done(shared, visitor, named, "Approved").await
}

async fn said_no(shared: &Shared, visitor: &Visitor, named: &str, form: &Form<'_>) -> Result<Html, AppError> {
    let reason: Result<Reason, _> = form.get("reason").unwrap_or_default().parse();
    let reason = reason.map_err(|e| AppError::Invalid { field: "reason".to_owned(), why: e.to_string() })?;
    shared.app.deny(&visitor.caller, id(named)?, None, &reason).await?;
    done(shared, visitor, named, "Denied").await
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(named): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (form, visitor) = match answered(&shared, &named, &headers, &body).await {
        Ok(theirs) => theirs,
        Err(refused) => return refused,
    };
    let done = async {
        let assertion = serde_json::from_str(form.get("answer").unwrap_or_default()).map_err(|_| {
            AppError::Invalid { field: "signature".to_owned(), why: "the passkey's answer cannot be read".to_owned() }
        })?;
        let reference = Some(form.get("reference").unwrap_or_default().to_owned());
        let answered = Answered { reference, signature: Signature::Passkey(assertion) };
        shared.app.approve_signed(&visitor.caller, id(&named)?, &answered).await?;
        done(&shared, &visitor, &named, "Approved and signed").await
    };
    match done.await {
        Ok(page) => page.page(StatusCode::OK),
        Err(error) => again(&shared, &visitor, &named, &error).await,
    }
}

async fn done(shared: &Shared, visitor: &Visitor, named: &str, title: &str) -> Result<Html, AppError> {
    let (request, _) = shown(shared, visitor, named).await?;
    Ok(html::page(title, &format!("<p>It is on record.</p>\n{}", rows(&request, &request.duration.text, None))))
}

/// What is asked for, with what would be left of it.
fn rows(request: &RequestView, duration: &str, role: Option<&str>) -> String {
    let mut rows = vec![("For", request.beneficiary.clone())];
    if request.requester != request.beneficiary {
        rows.push(("Asked by", request.requester.clone()));
    }
    for item in &request.items {
        rows.push(("Access", format!("{} on {} ({})", role.unwrap_or(&item.role), item.resource, item.state.name())));
        rows.extend(item.task.clone().map(|task| ("For this alone", task)));
    }
    rows.push(("For as long as", duration.to_owned()));
    rows.extend(request.start.map(|start| ("From", start.to_string())));
    rows.push(("Because", request.reason.clone().unwrap_or_else(|| "no reason was given".to_owned())));
    rows.extend(request.ticket.clone().map(|ticket| ("Ticket", ticket)));
    let waits = |item: &ItemView| {
        let open = item.stages.iter().find(|stage| stage.have < stage.needs);
        open.map(|stage| format!("{} ({} of {} so far)", stage.text, stage.have, stage.needs))
    };
    rows.extend(request.items.iter().find_map(waits).map(|stage| ("It waits for", stage)));
    let left = request.items.iter().find_map(|item| item.residual.as_ref());
    rows.extend(left.map(|residual| ("What outlives its end", residual.survives.clone())));
    rows.push(("Digest", request.digest.clone()));
    html::table(&rows)
}

fn asked(visitor: &Visitor, named: &str, request: &RequestView, may: May, problem: Option<&str>) -> Html {
    let token = visitor.token(&about(named));
    let form = match may {
        May::Look => "<p>There is nothing for you to decide here.</p>\n".to_owned(),
        May::Approve => forms(named, &token, "<button name=\"answer\" value=\"yes\">Approve</button>"),
        May::Sign => forms(
            named,
            &token,
            "<p>This asks for your signature. A passkey signs here, if you entered it as an \
             <a href=\"/approver-keys\">approver key</a>; an SSH key signs with <code>wane approve --sign-with</code>.</p>\n\
             <button name=\"answer\" value=\"sign\">Sign with a passkey</button>",
        ),
    };
    let rows = rows(request, &request.duration.text, None);
    html::page("Approve this?", &format!("{}{rows}{form}", html::problem_text(problem)))
}

fn forms(named: &str, token: &str, button: &str) -> String {
    let (path, token) = (suffix(named), escaped(token));
    format!(
        "<form method=\"post\" action=\"/approve/{path}\">\n<input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
         <label>No longer than <input name=\"duration\" placeholder=\"as asked\"></label>\n\
         <label>No more than the role <input name=\"role\" placeholder=\"as asked\"></label>\n{button}\n</form>\n\
         <form method=\"post\" action=\"/approve/{path}\">\n<input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
         <label>Why not <input name=\"reason\" required></label>\n\
         <button name=\"answer\" value=\"no\">Deny</button>\n</form>\n"
    )
}

/// The page that has the browser ask the passkey.
fn signing(visitor: &Visitor, named: &str, request: &RequestView, less: &Narrower, draft: ToSign) -> Html {
    let duration = less.duration.map_or_else(|| request.duration.text.clone(), |duration| duration.to_string());
    let ceremony = Ceremony { reference: draft.reference, options: draft.options.unwrap_or(serde_json::Value::Null) };
    let more = [("token", visitor.token(&about(named)))];
    let action = format!("/approve/{}/answer", suffix(named));
    let body = format!(
        "<p>Your passkey signs this, and nothing else:</p>\n{}<details><summary>To the byte</summary>\n\
         <pre>{}</pre>\n</details>\n{}",
        rows(request, &duration, less.role.as_deref()),
        escaped(&draft.text.replace('\n', " ")),
        ceremony_form(("get", &action), &ceremony, &more),
    );
    html::scripted("Sign your approval", &body)
}
