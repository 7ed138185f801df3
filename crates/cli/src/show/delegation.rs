//! Who stands in for whom.

use wane_api::delegation::{DelegationState, DelegationView};

use crate::table::{Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

pub(crate) fn list(delegations: &[DelegationView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("DELEGATION", 0),
        ("AWAY", 0),
        ("STANDS IN", 0),
        ("FROM", 2),
        ("UNTIL", 1),
        ("STATE", 0),
        ("FOR", WRAPS | 1),
        ("REASON", WRAPS | 3),
    ]);
    for d in delegations {
        let (words, tone) = match d.state {
            DelegationState::ToCome => ("to come", Tone::Warn),
            DelegationState::Holds => ("holds", Tone::Good),
            DelegationState::Over => ("over", Tone::Dim),
            DelegationState::TakenBack => ("taken back", Tone::Dim),
        };
        let about: Vec<&str> = d.resources.iter().chain(&d.policies).map(String::as_str).collect();
        sheet.row([
            (&d.id).into(),
            (&d.by).into(),
            (&d.to).into(),
            now.both(d.from).into(),
            now.both(d.until).into(),
            Text::new(words).tone(tone),
            if about.is_empty() { "everything".into() } else { about.join(", ").into() },
            d.reason.as_deref().unwrap_or_default().into(),
        ]);
    }
    sheet.render(layout, "nobody stands in for anybody")
}
