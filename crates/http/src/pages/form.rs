//! A form as a browser sends it: from a page of this server, each field once.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, ORIGIN};

use super::html::{self, Html};

/// Whether a call says that it comes from a page of this server, as far as a browser says where from. Every browser says
/// one of the two of what changes something; whoever says neither is no browser, and has nobody's cookie.
pub(super) fn is_from_own_page(headers: &HeaderMap, own: &str) -> bool {
    let origin = headers.get_all(ORIGIN).iter().all(|origin| origin.as_bytes() == own.as_bytes());
    let site = headers.get_all("sec-fetch-site").iter().all(|site| site.as_bytes() == b"same-origin");
    origin && site
}

/// Fields of a form.
pub(super) struct Form<'b>(Vec<(Cow<'b, str>, Cow<'b, str>)>);

impl<'b> Form<'b> {
    /// Reads a form; refuses one that comes from a page of somebody else.
    pub(super) fn read(headers: &HeaderMap, body: &'b [u8], own: &str) -> Result<Self, Html> {
        let kind = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !is_from_own_page(headers, own) || !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(html::foreign());
        }
        let fields: Vec<_> = form_urlencoded::parse(body).collect();
        let twice =
            fields.iter().enumerate().any(|(n, (name, _))| fields.iter().skip(n + 1).any(|(key, _)| key == name));
        if twice { Err(html::foreign()) } else { Ok(Self(fields)) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }
}
