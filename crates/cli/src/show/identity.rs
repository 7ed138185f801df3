//! Who one is, and codes and secrets that are shown once.

use wane_api::session::{Enrolled, Me, OneTimeCode};

use crate::table::{Fields, Layout};
use crate::when::Now;

pub(crate) fn me(me: &Me, server: &str, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("person", &me.person)
        .put("name", &me.display)
        .put("groups", me.groups.join(", "))
        .put("server", server)
        .put("session ends", now.both(me.session.expires))
        .put("proved", now.both(me.session.proved));
    fields.render(layout)
}

pub(crate) fn enrolled(enrolled: &Enrolled, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields
        .put("person", &enrolled.person)
        .put("secret", enrolled.totp_secret.expose())
        .put("address", enrolled.otpauth_url.expose());
    // A long address must stay in one piece to be copied.
    let whole = Layout { width: None, ..layout };
    format!(
        "{}\nEnter the secret, or the address, into your authenticator app now: it is shown only once.\nThen sign in with `wane login`.\n",
        fields.render(whole)
    )
}

pub(crate) fn code(code: &OneTimeCode, with: &str, now: &Now, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields.put("code", code.code.expose()).put("ends", now.both(code.expires)).put("use with", with);
    let whole = Layout { width: None, ..layout };
    format!("{}\nIt works once, and is shown only once.\n", fields.render(whole))
}
