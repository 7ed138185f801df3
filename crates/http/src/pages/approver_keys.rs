//! The page of the keys that somebody signs approvals with: which there are, which passkey may become one.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use wane_app::{AppError, WayKind};

use super::html::{self, Ways, escaped};
use super::theirs::theirs;
use super::visitor::Visitor;
use super::whither::Whither;
use super::{failed, status};
use crate::shared::Shared;
use crate::view::approval;

const ABOUT: &str = "approver keys";

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route("/approver-keys", get(listing).post(change))
}

async fn listing(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match Visitor::of(&shared, &headers).await {
        None => html::sign_in(&Whither::Home, &Ways::of(&shared.app), None).page(StatusCode::OK),
        Some(visitor) => shown(&shared, &visitor, None, StatusCode::OK).await,
    }
}

async fn change(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let (form, visitor) = match theirs(&shared, &headers, &body, ABOUT, &Whither::Home).await {
        Ok(theirs) => theirs,
        Err(refused) => return refused,
    };
    let missing = |what| AppError::Missing { what, name: "of yours".to_owned() };
    let done = match (form.get("enter"), form.get("remove")) {
        (Some(way), None) => match way.parse() {
            Ok(way) => shared.app.add_passkey_approver_key(&visitor.caller, None, way).await.map(drop),
            Err(_) => Err(missing("passkey")),
        },
        (None, Some(key)) => match key.parse() {
            Ok(key) => shared.app.remove_approver_key(&visitor.caller, key).await,
            Err(_) => Err(missing("approver key")),
        },
        (Some(_), Some(_)) | (None, None) => return html::foreign().page(StatusCode::UNPROCESSABLE_ENTITY),
    };
    match done {
        Ok(()) => shown(&shared, &visitor, None, StatusCode::OK).await,
        Err(error) => {
            let why = html::sentence(&error.to_string());
            shown(&shared, &visitor, Some(&why), status(&error)).await
        }
    }
}

async fn shown(shared: &Shared, visitor: &Visitor, problem: Option<&str>, code: StatusCode) -> Response {
    let name = visitor.caller.name.as_str();
    let listed = async {
        let keys = shared.app.approver_keys(&visitor.caller, name).await?;
        let ways = shared.app.ways_in(&visitor.caller, name).await?;
        Ok::<_, AppError>((keys, ways))
    };
    let (keys, ways) = match listed.await {
        Ok(listed) => listed,
        Err(error) => return failed(&error),
    };
    let token = escaped(&visitor.token(ABOUT));
    let button = |field: &str, value: &str, words: &str| {
        format!(
            "<form method=\"post\" action=\"/approver-keys\">\n<input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
             <button name=\"{field}\" value=\"{}\">{words}</button>\n</form>\n",
            escaped(value)
        )
    };
    let there = keys.iter().filter(|key| key.is_there()).map(|key| {
        let view = approval::key(key);
        let rows = [("Name", view.name), ("Sort", view.sort), ("Fingerprint", view.fingerprint)];
        format!("{}{}", html::table(&rows), button("remove", &view.id, "Take it away"))
    });
    let passkeys = ways.iter().filter(|way| way.what == WayKind::Passkey).map(|way| {
        format!("<p><b>{}</b></p>\n{}", escaped(&way.name), button("enter", &way.id.to_string(), "Let it approve"))
    });
    let (there, passkeys): (String, String) = (there.collect(), passkeys.collect());
    let body = format!(
        "{}<p>With these you sign approvals, where that is asked for. A key approves what is asked after it was \
         entered; what it approved and nobody began to use is void once it is taken away.</p>\n{there}\
         <h2>Your passkeys</h2>\n<p>Sign in with a passkey just before.</p>\n{passkeys}",
        html::problem_text(problem)
    );
    html::page("Your approver keys", &body).page(code)
}
