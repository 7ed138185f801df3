//! How fast it is, beside what people use today: real servers, release builds, ratios.
//!
//! `cargo xtask bench [FIGURE…] [--rounds N] [--quick [--dev]] [--write]`. Each figure is a file here with a
//! `FIGURE`: a name, what it measures in a line, and a function that measures. To add one, add the
//! file, its `mod` line, and its entry in [`FIGURES`]. The function is given a [`Ground`] (release
//! builds of `wane` and of the tools, the number of rounds, the pace) and returns a [`Report`] of
//! [`Row`]s: a [`Sample`] of ours with one value per round, the peer's of the same rounds, a [`Goal`].
//!
//! Rules: ours and the peer's are measured in turn within each round; nothing is measured while
//! something else is set up; a figure that cannot be measured is an error, never a zero; `--quick`
//! goes through everything in small, and with `--dev` over builds that are not released, to see that a
//! new figure can be measured at all. Set-up goes over the command line (`wane_testkit::WaneServer`
//! with `.binary(ground.wane())`); load comes from a tool of `tests/bench`, run by [`Ground::tool`]
//! with a plan in JSON, so that it is a release build and needs no crates here. What a figure came
//! out as is printed and kept as `target/bench/FIGURE.json`; with `--write` the tables between
//! `<!-- bench:FIGURE -->` and `<!-- /bench -->` in `docs/performance.md` are made from those files.
#![expect(clippy::disallowed_methods, reason = "what is measured is measured by the machine's own clock")]

mod credentials;
mod database;
mod decision;
mod deployment;
mod directory;
mod document;
mod gateway;
mod ground;
mod issuance;
mod memory;
mod openbao;
mod pages;
mod process;
mod report;
mod sample;
mod signer;
mod start;
mod web;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use ground::{Build, Ground, Pace};
use report::Report;

/// A figure: what is typed, what it measures, and how.
pub(crate) struct Figure {
    name: &'static str,
    about: &'static str,
    measure: fn(&Ground) -> Result<Report>,
}

const FIGURES: &[Figure] = &[
    issuance::FIGURE,
    signer::FIGURE,
    decision::FIGURE,
    start::FIGURE,
    memory::FIGURE,
    database::FIGURE,
    gateway::FIGURE,
    directory::FIGURE,
    credentials::FIGURE,
    web::FIGURE,
    pages::FIGURE,
];

/// Measures what is named, or everything.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let asked = Asked::read(words)?;
    if asked.write {
        return document::write();
    }
    let chosen: Vec<&Figure> =
        FIGURES.iter().filter(|figure| asked.figures.is_empty() || asked.figures.contains(&figure.name)).collect();
    if chosen.iter().any(|figure| figure.name == pages::FIGURE.name) {
        // Before the server is built, which has the web UI in it.
        crate::web::build()?;
        crate::node::install()?;
    }
    let ground = Ground::prepare(asked.pace, asked.rounds, asked.build)?;
    let mut short = 0;
    for figure in chosen {
        println!("\n== {}: {}", figure.name, figure.about);
        let (before, begun) = (ground::load_average(), Instant::now());
        let report = (figure.measure)(&ground).with_context(|| format!("figure `{}`", figure.name))?;
        let (after, took) = (ground::load_average(), begun.elapsed().as_secs());
        println!("\n{}", report.table());
        println!("{} rounds in {took} s; load average {before} before, {after} after", ground.rounds);
        short += report.short();
        let kept = json!({
            "figure": figure.name,
            "about": figure.about,
            "rounds": ground.rounds,
            "pace": format!("{:?}", ground.pace),
            "build": format!("{:?}", asked.build),
            "machine": ground::machine(),
            "load_average": { "before": before, "after": after },
            "report": report.json(),
        });
        fs::write(ground::kept().join(format!("{}.json", figure.name)), format!("{kept:#}\n"))?;
    }
    println!("\n{}", if short == 0 { "every goal is met".to_owned() } else { format!("{short} lines fall short") });
    Ok(())
}

/// What was asked for.
struct Asked<'a> {
    figures: Vec<&'a str>,
    rounds: usize,
    pace: Pace,
    build: Build,
    write: bool,
}

impl<'a> Asked<'a> {
    fn read(words: &[&'a str]) -> Result<Self> {
        let mut asked = Self { figures: Vec::new(), rounds: 5, pace: Pace::Full, build: Build::Release, write: false };
        let mut rounds = None;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--quick" => asked.pace = Pace::Quick,
                "--dev" => asked.build = Build::Dev,
                "--write" => asked.write = true,
                "--rounds" => {
                    let given = words.next().context("`--rounds` needs a number")?;
                    rounds = Some(given.parse().with_context(|| format!("`{given}` is no number of rounds"))?);
                }
                name => {
                    let known = FIGURES.iter().map(|figure| figure.name).collect::<Vec<_>>().join(", ");
                    ensure!(FIGURES.iter().any(|f| f.name == name), "`{name}` is no figure; there are: {known}");
                    asked.figures.push(name);
                }
            }
        }
        asked.rounds = rounds.unwrap_or(if asked.pace == Pace::Quick { 1 } else { 5 });
        ensure!(
            asked.build == Build::Release || asked.pace == Pace::Quick,
            "`--dev` goes with `--quick`: what it measures means nothing"
        );
        ensure!(asked.rounds > 0, "`--rounds` must be at least 1");
        Ok(asked)
    }
}
