//! How long a decision takes, its explanation included, with few policies and with many, beside Cedar
//! over the whole set in the same process.

use anyhow::Result;
use serde_json::json;

use super::Figure;
use super::ground::{Ground, number};
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure =
    Figure { name: "decision", about: "policy decisions with their explanation, few policies and many", measure };

const FEW: u32 = 100;
const MANY: u32 = 10_000;

/// What is seen with one number of policies.
#[derive(Debug, Default)]
struct Seen {
    told: (Sample, Sample),
    judged: (Sample, Sample),
    whole: (Sample, Sample),
    load: Sample,
}

fn measure(ground: &Ground) -> Result<Report> {
    let mut seen = [(FEW, Seen::default()), (MANY, Seen::default())];
    for _ in 0..ground.rounds {
        for (policies, seen) in &mut seen {
            let times = ground.size(20_000, 2_000);
            // Whole, ten thousand policies take a hundred times as long as a hundred.
            let whole = if *policies == MANY { ground.size(200, 20) } else { ground.size(5_000, 500) };
            let found = ground.tool("decide", &json!({ "policies": policies, "times": times, "whole": whole }))?;
            for (what, (p50, p99)) in
                [("told", &mut seen.told), ("judged", &mut seen.judged), ("whole", &mut seen.whole)]
            {
                p50.push(number(&found, &format!("/{what}/p50_us"))?);
                p99.push(number(&found, &format!("/{what}/p99_us"))?);
            }
            seen.load.push(number(&found, "/load_seconds")?);
        }
    }
    let [(_, few), (_, many)] = seen;
    let mut report = Report::beside("Cedar over the whole set");
    let growth = many.told.0.over(&few.told.0);
    for (policies, goal, seen) in [(FEW, Goal::Told, few), (MANY, Goal::AtMost(200.0), many)] {
        let of = |what: &str| format!("{policies} policies: {what}");
        report.row(Row::new(of("decided and explained, half within"), "µs", seen.told.0).beside(seen.whole.0));
        report.row(
            Row::new(of("decided and explained, 99 of 100 within"), "µs", seen.told.1).beside(seen.whole.1).goal(goal),
        );
        report.row(Row::new(of("decided alone, half within"), "µs", seen.judged.0));
        report.row(Row::new(of("decided alone, 99 of 100 within"), "µs", seen.judged.1));
        report.row(Row::new(of("loaded, checked and indexed"), "s", seen.load));
    }
    report.row(
        Row::new("decided and explained, half within: 10,000 policies by 100", "×", growth).goal(Goal::AtMost(2.0)),
    );
    report.remark("four entities for each policy; every question is answered with yes; looking up the person and the host is included");
    report.remark(
        "Cedar alone decides and explains nothing; its rows are `is_authorized` over all policies and entities",
    );
    Ok(report)
}
