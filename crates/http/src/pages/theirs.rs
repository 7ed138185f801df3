//! A form of somebody who is signed in, from the page it was shown on: read here for every page that has one.
//!
//! INVARIANT: what is handed on was sent from a page of this server, by the person in whose browser that page was shown,
//! and is about what it is taken for (held by `a_form_is_good_only_from_its_own_page`).

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::form::Form;
use super::html::{self, Ways};
use super::visitor::Visitor;
use super::whither::Whither;
use crate::shared::Shared;

/// Reads a form that is `about` something; whoever is not signed in any more signs in, and is led to where it is from.
pub(super) async fn theirs<'b>(
    shared: &Shared,
    headers: &HeaderMap,
    body: &'b [u8],
    about: &str,
    then: &Whither,
) -> Result<(Form<'b>, Visitor), Response> {
    let form = Form::read(headers, body, shared.app.public_url());
    let form = form.map_err(|refused| refused.page(StatusCode::FORBIDDEN))?;
    let Some(visitor) = Visitor::of(shared, headers).await else {
        let page = html::sign_in(then, &Ways::of(&shared.app), Some("You are not signed in any more."));
        return Err(page.page(StatusCode::UNAUTHORIZED));
    };
    if visitor.wrote(about, form.get("token").unwrap_or_default()) {
        Ok((form, visitor))
    } else {
        Err(html::foreign().page(StatusCode::FORBIDDEN))
    }
}
