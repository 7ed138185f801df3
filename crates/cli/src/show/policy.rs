//! The policy set.

use wane_api::policy::{PolicyChecked, PolicyLoaded, PolicyView};

use crate::escape;
use crate::table::{Fields, Layout, Text, Tone};
use crate::when::Now;

/// The text as it can be edited and loaded again; what is known of it as a comment before.
pub(crate) fn set(p: &PolicyView, now: &Now) -> String {
    let by = p.by.as_ref().map_or_else(|| "the deployment began with it".to_owned(), |by| format!("loaded by {by}"));
    let head = format!("// version {}, {by} {}, digest {}", p.version, now.both(p.at), p.digest);
    let text = escape::block(&p.text);
    format!("{}\n\n{}\n", escape::line(&head), text.trim_end())
}

pub(crate) fn loaded(p: &PolicyLoaded, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields.put("version", p.version.to_string()).put("digest", &p.digest);
    fields.each("warning", p.warnings.iter().map(|w| Text::new(w).tone(Tone::Warn)));
    fields.render(layout)
}

pub(crate) fn checked(p: &PolicyChecked, layout: Layout) -> String {
    let mut fields = Fields::default();
    fields.put(
        "result",
        if p.ok { Text::new("would load").tone(Tone::Good) } else { Text::new("would not load").tone(Tone::Bad) },
    );
    for problem in &p.problems {
        let line = problem.line.map_or(String::new(), |line| format!("line {line}: "));
        let policy = problem.policy.as_ref().map_or(String::new(), |policy| format!("`{policy}`: "));
        fields.put("problem", format!("{line}{policy}{}", problem.message));
        fields.maybe("  what to do", problem.hint.as_ref());
    }
    fields.each("warning", p.warnings.iter().map(|w| Text::new(w).tone(Tone::Warn)));
    fields.render(layout)
}
