//! How soon somebody whom their directory disables is out: the session through the gateway, the account at a
//! database.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use wane_testkit::free_port;

use super::super::database::{OURS, at, registered, shop};
use super::super::gateway::roads::{EACH, Recorded, Roads, listening};
use super::super::ground::{Ground, number, text};
use super::super::report::{Goal, Report, Row};
use super::super::sample::Sample;
use super::corp::Corp;

/// What the issue of identity asks for.
const AT_MOST_MS: f64 = 2_000.0;

pub(super) fn measure(ground: &Ground, report: &mut Report) -> Result<()> {
    let times = ground.rounds * ground.size(8, 2);
    let port = free_port()?;
    let (wane, corp, ids) = Corp::keeping(listening(port, Recorded::All), ground, times + 2)?;
    let postgres = shop()?;
    registered(&wane, &postgres)?;
    let roads = Roads::over(wane, port)?;
    let tickets = roads.ask_crowd(times * EACH, "1h")?;
    let (mut cut, mut gone) = (Sample::default(), Sample::default());
    for (turn, ticket) in tickets.iter().enumerate() {
        let (person, id) = (roads.crowd_person(turn)?, ids.get(turn + 2).context("nobody was pushed")?);
        let asked = person.json(&["request", "readonly@shop", "--for", "1h"])?;
        let grant = text(&asked, "/items/0/grant").context("policy did not grant at once")?;
        person.json(&["credential", grant])?;
        let mut session = ground.begin("sessions", &roads.crowd(std::slice::from_ref(ticket), 1)?)?;
        session.says()?;
        let plan = json!({ "at": at(&postgres), "like": OURS, "seconds": 60.0, "until_gone": 1 });
        let watch = ground.begin("watch", &plan)?;
        // It has to have seen the account before it goes.
        std::thread::sleep(std::time::Duration::from_millis(400));
        let pushed = corp.disable(ground, std::slice::from_ref(id))?;
        let began = number(&pushed, "/began")?;
        let after = |at: Option<&Value>| at.and_then(Value::as_f64).map(|at| (at - began) * 1e3);
        let closed = session.finish()?;
        cut.push(after(closed.pointer("/closed/0")).context("the session was not closed")?);
        let went = watch.finish()?;
        gone.push(after(went.pointer("/gone_at/0")).context("the account was not gone within a minute")?);
    }
    let label = |what: &str| format!("disabled by a push of the directory, until {what}");
    report.row(Row::new(label("the session through the gateway is closed"), "ms", cut).goal(Goal::AtMost(AT_MOST_MS)));
    report.row(Row::new(label("the account at PostgreSQL is gone"), "ms", gone).goal(Goal::AtMost(AT_MOST_MS)));
    report.remark("from before the push is sent, over HTTP on loopback; the account is looked for every 4 ms");
    Ok(())
}
