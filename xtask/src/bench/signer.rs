//! SSH certificates issued per second where the signer is a process of its own, beside the same server that signs by itself: what
//! the way over the socket costs. Both record each on disk before the answer leaves.

use anyhow::Result;
use serde_json::{Value, json};

use super::Figure;
use super::deployment::{Deployment, public_key};
use super::ground::{Ground, number, with};
use super::issuance::{CLIENTS, GRANTS, loaded};
use super::report::{Goal, Report, Row};
use super::sample::Sample;

/// The figure.
pub(crate) const FIGURE: Figure =
    Figure { name: "signer", about: "SSH certificates over the socket of a signer of its own", measure };

/// What is seen of one server under one number of clients, one value per round.
#[derive(Debug, Default)]
struct Cell {
    rate: Sample,
    p50: Sample,
    p99: Sample,
}

impl Cell {
    fn measure(&mut self, ground: &Ground, plan: &Value) -> Result<()> {
        let found = loaded(ground, plan)?;
        self.rate.push(number(&found, "/per_second")?);
        self.p50.push(number(&found, "/p50_us")? / 1e3);
        self.p99.push(number(&found, "/p99_us")? / 1e3);
        Ok(())
    }
}

fn calls(wane: &Deployment) -> Result<Vec<Value>> {
    let key = public_key(wane.server.folder(), "bench-key")?;
    let people = wane.people.iter().cycle().take(GRANTS);
    people.map(|person| wane.certificate_call(person, &wane.grant(person)?, &key)).collect()
}

fn measure(ground: &Ground) -> Result<Report> {
    let people = ground.size(8, 2);
    let within = Deployment::start(ground, people)?;
    let (apart, _signer) = Deployment::apart(ground, people)?;
    let both = [(&apart, calls(&apart)?), (&within, calls(&within)?)];
    let seconds = ground.cell().as_secs_f64();
    let plan = |(wane, calls): &(&Deployment, Vec<Value>), clients: usize| {
        with(wane.plan(clients, calls.clone()), "seconds", json!(seconds))
    };
    for one in &both {
        loaded(ground, &plan(one, 8))?;
    }
    let mut cells: Vec<[Cell; 2]> = CLIENTS.map(|_| Default::default()).into();
    for round in 0..ground.rounds {
        for (clients, pair) in CLIENTS.iter().zip(&mut cells) {
            let mut turns: Vec<_> = both.iter().zip(pair).collect();
            // Who goes first takes turns.
            if round % 2 == 1 {
                turns.reverse();
            }
            for (one, cell) in turns {
                cell.measure(ground, &plan(one, *clients))?;
            }
        }
    }
    let mut report = Report::beside("signing by itself".to_owned());
    for (clients, [apart, within]) in CLIENTS.iter().zip(cells) {
        let of = |what: &str| format!("{clients} clients: {what}");
        let goal = if *clients == 32 { Goal::RatioAtLeast(0.7) } else { Goal::Told };
        report.row(Row::new(of("certificates"), "/s", apart.rate).beside(within.rate).goal(goal));
        report.row(Row::new(of("half within"), "ms", apart.p50).beside(within.p50));
        report.row(Row::new(of("99 of 100 within"), "ms", apart.p99).beside(within.p99));
    }
    report.remark("both over plain HTTP on loopback; server, signer and load share the cores");
    Ok(report)
}
