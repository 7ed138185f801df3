//! The policy set.

use serde::Serialize;
use wane_api::policy::{PolicyChecked, PolicyLoaded, PolicyVersionView, PolicyView};

use crate::escape;
use crate::table::{Fields, Layout, Sheet, Text, Tone};
use crate::when::Now;

/// The text as it can be edited and loaded again; what is known of it as a comment before.
pub(crate) fn set(p: &PolicyView, now: &Now) -> String {
    let by = p.by.as_ref().map_or_else(|| "the deployment began with it".to_owned(), |by| format!("loaded by {by}"));
    let head = format!("// version {}, {by} {}, digest {}", p.version, now.both(p.at), p.digest);
    let text = escape::block(&p.text);
    format!("{}\n\n{}\n", escape::line(&head), text.trim_end())
}

pub(crate) fn versions(versions: &[PolicyVersionView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("VERSION", 0), ("LOADED", 0), ("AT", 1), ("BY", 0), ("IN FORCE", 0), ("DIGEST", 2)]);
    for v in versions {
        sheet.row([
            v.version.to_string().into(),
            now.away(v.at).into(),
            now.exact(v.at).into(),
            v.by.as_deref().unwrap_or("-").into(),
            if v.in_force { Text::new("yes").tone(Tone::Good) } else { Text::new("") },
            (&v.digest).into(),
        ]);
    }
    sheet.render(layout, "no versions")
}

/// What changed from one version to another.
#[derive(Debug, Serialize)]
pub(crate) struct Diff {
    from: u64,
    to: u64,
    /// A unified diff; empty if the texts are the same.
    diff: String,
}

impl Diff {
    pub(crate) fn between(from: &PolicyView, to: &PolicyView) -> Self {
        let names = |p: &PolicyView| format!("policy version {}", p.version);
        let lines = similar::TextDiff::from_lines(&from.text, &to.text);
        let diff = lines.unified_diff().context_radius(3).header(&names(from), &names(to)).to_string();
        Self { from: from.version, to: to.version, diff }
    }

    pub(crate) fn text(&self) -> String {
        match self.diff.as_str() {
            "" => format!("versions {} and {} say the same\n", self.from, self.to),
            diff => escape::block(diff),
        }
    }
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
