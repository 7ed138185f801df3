//! Directories that push people and groups.

use wane_api::directories::{DirectoryToken, DirectoryView};

use crate::table::{Fields, Layout, Sheet};
use crate::when::Now;

pub(crate) fn directories(all: &[DirectoryView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("DIRECTORY", 0), ("PEOPLE", 0), ("GROUPS", 0), ("SEEN", 0), ("REFUSED", 1)]);
    for one in all {
        sheet.row([
            (&one.name).into(),
            one.people.to_string().into(),
            one.groups.to_string().into(),
            one.seen.map(|at| now.both(at)).unwrap_or_default().into(),
            one.refused.to_string().into(),
        ]);
    }
    sheet.render(layout, "no directory pushes people or groups")
}

pub(crate) fn directory(one: &DirectoryView, now: &Now, layout: Layout) -> String {
    let rules = &one.rules;
    let sign_in = rules.sign_in.as_ref().map(|sign_in| format!("{} as {}", sign_in.provider, sign_in.subject));
    let refused = one.last_refused.as_ref().map(|last| format!("{}: {}", now.both(last.at), last.why));
    let mut fields = Fields::default();
    fields
        .put("directory", &one.name)
        .put("url", &one.url)
        .put("people", one.people.to_string())
        .put("groups", one.groups.to_string())
        .put("seen", one.seen.map_or_else(|| "never".to_owned(), |at| now.both(at)))
        .put("refused", one.refused.to_string())
        .maybe("last refused", refused.as_ref())
        .put("name is", &rules.name)
        .put("display is", &rules.display)
        .each("attributes", rules.attributes.iter().map(|(ours, path)| format!("{ours}={path}")))
        .each("groups are", rules.groups.iter().map(|(theirs, ours)| format!("{theirs}={ours}")))
        .maybe("sign in at", sign_in.as_ref())
        .each("tokens end", one.tokens.iter().map(|at| now.both(*at)))
        .put("since", now.both(one.since));
    fields.render(layout)
}

pub(crate) fn token(made: &DirectoryToken, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields.put("directory", &made.directory.name).put("url", &made.directory.url).put("token", made.token.expose());
    // What is copied stays in one piece.
    let whole = Layout { width: None, ..layout };
    format!("{}\nGive both to the directory: the token is shown only once.\n", fields.render(whole))
}
