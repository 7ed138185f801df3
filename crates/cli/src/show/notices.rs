//! Notices, and the channels they go over.

use wane_api::notice::{ChannelView, NoticeState, NoticeView};

use crate::table::{Layout, Sheet, Text, Tone, WRAPS};
use crate::when::Now;

pub(crate) fn list(notices: &[NoticeView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("TIME", 0),
        ("STATE", 0),
        ("CHANNEL", 0),
        ("TO", 0),
        ("NOTICE", WRAPS),
        ("TRIES", 2),
        ("WHY", WRAPS),
        ("ID", 1),
    ]);
    for n in notices {
        let tone = match n.state {
            NoticeState::Waiting => Tone::Warn,
            NoticeState::Delivered => Tone::Good,
            NoticeState::GivenUp => Tone::Bad,
            NoticeState::Dropped => Tone::Plain,
        };
        sheet.row([
            now.stamp(n.at).into(),
            Text::new(n.state.name().replace('_', " ")).tone(tone),
            (&n.channel).into(),
            n.to.as_deref().unwrap_or_default().into(),
            (&n.text).into(),
            n.tries.to_string().into(),
            n.why.as_deref().unwrap_or_default().into(),
            (&n.id).into(),
        ]);
    }
    sheet.render(layout, "no notices")
}

pub(crate) fn channels(channels: &[ChannelView], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("CHANNEL", 0), ("STATE", WRAPS), ("WAITING", 0), ("NEXT", 1), ("GIVEN UP", 0)]);
    for c in channels {
        let state = match (&c.closed, c.set) {
            (Some(why), _) => Text::new(format!("closed: {why}")).tone(Tone::Bad),
            (None, false) => Text::new("not in the settings").tone(Tone::Warn),
            (None, true) => Text::new("open").tone(Tone::Good),
        };
        let given_up = Text::new(c.given_up.to_string()).tone(if c.given_up == 0 { Tone::Plain } else { Tone::Bad });
        sheet.row([
            (&c.name).into(),
            state,
            c.waiting.to_string().into(),
            c.next.map(|at| now.both(at)).unwrap_or_default().into(),
            given_up,
        ]);
    }
    sheet.render(layout, "notices go nowhere: the settings have no `[notices.email]` and no `[[notices.webhook]]`")
}
