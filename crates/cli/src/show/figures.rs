//! Figures: day by day, and how long things took; what stands at the resources.

use wane_api::figures::{FiguresView, InventoryLine, SpreadView};

use crate::table::{Layout, Sheet, Text, Tone};
use crate::when::Now;

const LONG: [(&str, u8); 4] = [("HOW MANY", 0), ("HALF WITHIN", 0), ("NINE OF TEN WITHIN", 1), ("LONGEST", 0)];

pub(crate) fn all(figures: &FiguresView, now: &Now, layout: Layout) -> String {
    let mut text = days(figures, layout);
    if figures.more {
        text.push_str("There is more than is read for this; the oldest days are not whole.\n");
    }
    text.push_str("\nFrom an ask to its grant, of what somebody had to approve\n");
    let mut waits = Sheet::new(&LONG);
    if figures.to_grant.count > 0 {
        waits.row(long(&figures.to_grant));
    }
    text.push_str(&waits.render(layout, "nothing had to be approved in this time"));
    text.push_str("\nFrom an end to the proof, against what is promised\n");
    let [count, half, most, longest] = LONG;
    let mut ends = Sheet::new(&[("KIND", 0), count, half, most, longest, ("PROMISED", 0), ("LATE", 0)]);
    for one in &figures.ends {
        let [count, half, most, longest] = long(&one.took);
        let late = Text::new(one.late.to_string()).tone(if one.late == 0 { Tone::Plain } else { Tone::Warn });
        ends.row([(&one.kind).into(), count, half, most, longest, (&one.promised.text).into(), late]);
    }
    text.push_str(&ends.render(layout, "nothing ended in this time"));
    text.push_str("\nGranted again and again\n");
    let mut again = Sheet::new(&[("PERSON", 0), ("WHAT", 0), ("TIMES", 0), ("LAST", 1)]);
    for one in &figures.again {
        let what = format!("{}@{}", one.role, one.resource);
        again.row([(&one.person).into(), what.into(), one.times.to_string().into(), now.away(one.last).into()]);
    }
    text.push_str(&again.render(layout, "nothing was granted to the same person three times"));
    text
}

fn days(figures: &FiguresView, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[
        ("DAY", 0),
        ("ASKED", 2),
        ("BY POLICY", 0),
        ("APPROVED", 0),
        ("PROVEN OVER", 1),
        ("MADE", 3),
        ("STANDING", 0),
        ("ORPHANS", 2),
        ("JUST IN TIME", 0),
    ]);
    for day in &figures.days {
        let stands = |of: fn(&wane_api::figures::StandsView) -> u32| -> Text {
            day.stands.as_ref().map(|stands| of(stands).to_string()).unwrap_or_default().into()
        };
        sheet.row([
            day.begins.strftime("%Y-%m-%d").to_string().into(),
            day.asked.to_string().into(),
            day.by_policy.to_string().into(),
            day.approved.to_string().into(),
            day.closed.to_string().into(),
            stands(|s| s.made),
            stands(|s| s.standing),
            stands(|s| s.orphans),
            day.just_in_time_percent.map(|share| format!("{share} %")).unwrap_or_default().into(),
        ]);
    }
    sheet.render(layout, "no days")
}

fn long(spread: &SpreadView) -> [Text; 4] {
    let SpreadView { count, half, most, longest } = spread;
    [count.to_string().into(), (&half.text).into(), (&most.text).into(), (&longest.text).into()]
}

pub(crate) fn inventories(lines: &[InventoryLine], now: &Now, layout: Layout) -> String {
    let mut sheet = Sheet::new(&[("RESOURCE", 0), ("LOOKED AT", 1), ("MADE", 0), ("STANDING", 0), ("ORPHANS", 0)]);
    for line in lines {
        let Some(last) = &line.last else {
            let never = Text::new("never").tone(Tone::Warn);
            sheet.row([(&line.resource).into(), never, "".into(), "".into(), "".into()]);
            continue;
        };
        let orphans =
            Text::new(last.orphans.to_string()).tone(if last.orphans == 0 { Tone::Plain } else { Tone::Warn });
        sheet.row([
            (&line.resource).into(),
            now.away(last.at).into(),
            last.made.to_string().into(),
            last.standing.to_string().into(),
            orphans,
        ]);
    }
    sheet.render(layout, "there are no resources")
}
