//! What a figure came out as: rows with ours, the peer's, their ratio, the goal, and whether it was met.
//! Owns the table, the file under `target/bench`, and the words of a verdict.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::sample::Sample;

/// What a row is held to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Goal {
    /// Ours by the peer's must be at least this.
    RatioAtLeast(f64),
    /// Ours by the peer's must be at most this.
    RatioAtMost(f64),
    /// Ours must be at most this.
    AtMost(f64),
    /// It is told, and held to nothing.
    Told,
}

/// One line of a figure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    what: String,
    unit: &'static str,
    ours: Sample,
    peer: Option<Sample>,
    goal: Goal,
}

impl Row {
    /// What was measured, in which unit.
    pub(crate) fn new(what: impl Into<String>, unit: &'static str, ours: Sample) -> Self {
        Self { what: what.into(), unit, ours, peer: None, goal: Goal::Told }
    }

    /// Beside what: the same measurement of the peer, round by round.
    #[must_use]
    pub(crate) fn beside(mut self, peer: Sample) -> Self {
        self.peer = Some(peer);
        self
    }

    /// What it is held to.
    #[must_use]
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    fn ratio(&self) -> Option<Sample> {
        self.peer.as_ref().map(|peer| self.ours.over(peer))
    }

    /// Whether the goal is met; none if there is none.
    fn met(&self) -> Option<bool> {
        let ratio = self.ratio().map_or(f64::NAN, |ratio| ratio.median());
        let ours = self.ours.median();
        // A number that is none meets nothing.
        match self.goal {
            Goal::RatioAtLeast(goal) => Some(ratio >= goal),
            Goal::RatioAtMost(goal) => Some(ratio <= goal),
            Goal::AtMost(goal) => Some(ours <= goal),
            Goal::Told => None,
        }
    }

    fn verdict(&self) -> &'static str {
        match self.met() {
            Some(true) => "PASS",
            Some(false) => "SHORT",
            None => "",
        }
    }

    fn cells(&self) -> [String; 6] {
        let goal = match self.goal {
            Goal::RatioAtLeast(goal) => format!("≥ {}×", number(goal)),
            Goal::RatioAtMost(goal) => format!("≤ {}×", number(goal)),
            Goal::AtMost(goal) => format!("≤ {} {}", number(goal), self.unit),
            Goal::Told => String::new(),
        };
        [
            self.what.clone(),
            with_range(&self.ours, self.unit),
            self.peer.as_ref().map(|peer| with_range(peer, self.unit)).unwrap_or_default(),
            self.ratio().map(|ratio| format!("{}×", number(ratio.median()))).unwrap_or_default(),
            goal,
            self.verdict().to_owned(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "unit": self.unit,
            "ours": self.ours.json(),
            "peer": self.peer.as_ref().map(Sample::json),
            "ratio": self.ratio().map(|ratio| ratio.json()),
            "goal": format!("{:?}", self.goal),
            "met": self.met(),
            "cells": self.cells(),
        })
    }
}

/// A figure with all its rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Who the peer is; empty if there is none.
    pub(crate) peer: String,
    /// The lines.
    pub(crate) rows: Vec<Row>,
    /// What a reader of the figures must know: what was not measured, or measured smaller.
    pub(crate) remarks: Vec<String>,
}

impl Report {
    /// Beside whom, or beside nobody.
    pub(crate) fn beside(peer: impl Into<String>) -> Self {
        Self { peer: peer.into(), ..Self::default() }
    }

    /// Adds a line.
    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a remark.
    pub(crate) fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    /// How many lines fall short.
    pub(crate) fn short(&self) -> usize {
        self.rows.iter().filter(|row| row.met() == Some(false)).count()
    }

    /// Everything, for the file.
    pub(crate) fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        json!({ "peer": self.peer, "rows": rows, "remarks": self.remarks })
    }

    /// As a table in Markdown, which reads well on a terminal too.
    pub(crate) fn table(&self) -> String {
        let rows: Vec<[String; 6]> = self.rows.iter().map(Row::cells).collect();
        table(&self.peer, &rows, &self.remarks)
    }
}

/// The table of a report, or of one that was read back from its file.
pub(crate) fn table(peer: &str, rows: &[[String; 6]], remarks: &[String]) -> String {
    let peer = if peer.is_empty() { "beside" } else { peer };
    let head = ["figure", "Wane", peer, "ratio", "goal", ""].map(str::to_owned);
    let lines = || std::iter::once(&head).chain(rows);
    let widths: Vec<usize> = (0..head.len())
        .map(|at| lines().filter_map(|row| row.get(at)).map(|c| c.chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for (number, row) in lines().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(out, "| {cell:width$} ");
        }
        out.push_str("|\n");
        if number == 0 {
            for width in &widths {
                let _ = write!(out, "|{}", "-".repeat(width + 2));
            }
            out.push_str("|\n");
        }
    }
    for remark in remarks {
        let _ = write!(out, "\n- {remark}");
    }
    if !remarks.is_empty() {
        out.push('\n');
    }
    out
}

fn with_range(sample: &Sample, unit: &str) -> String {
    let (low, high) = sample.range();
    let median = number(sample.median());
    if sample.values().len() < 2 {
        return format!("{median} {unit}");
    }
    format!("{median} {unit} ({}–{})", number(low), number(high))
}

/// Three digits that count, and thousands apart.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "none".to_owned();
    }
    let size = value.abs();
    if size < 1000.0 {
        let places = if size == 0.0 || size >= 100.0 {
            0
        } else if size >= 10.0 {
            1
        } else if size >= 1.0 {
            2
        } else {
            3
        };
        let text = format!("{value:.places$}");
        if !text.contains('.') {
            return text;
        }
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        let left = digits.len() - at;
        if at > 0 && left % 3 == 0 && digit.is_ascii_digit() && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Goal, Report, Row, number};
    use crate::bench::sample::Sample;

    #[test]
    fn numbers_are_short_and_readable() {
        for (value, text) in [
            (0.0, "0"),
            (0.1234, "0.123"),
            (0.15, "0.15"),
            (1.234, "1.23"),
            (3.0, "3"),
            (12.34, "12.3"),
            (123.4, "123"),
            (999.9, "1000"),
            (1234.5, "1,234"),
            (12_345_678.0, "12,345,678"),
            (f64::NAN, "none"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
    }

    #[test]
    fn a_goal_is_met_or_not_and_nothing_measured_meets_none() {
        let sample = |values: &[f64]| values.iter().copied().collect::<Sample>();
        let row = |goal| Row::new("x", "/s", sample(&[300.0, 330.0])).beside(sample(&[100.0, 110.0])).goal(goal);
        for (goal, verdict) in [
            (Goal::RatioAtLeast(3.0), "PASS"),
            (Goal::RatioAtLeast(3.1), "SHORT"),
            (Goal::RatioAtMost(2.9), "SHORT"),
            (Goal::AtMost(315.0), "PASS"),
            (Goal::AtMost(314.0), "SHORT"),
            (Goal::Told, ""),
        ] {
            assert_eq!(row(goal.clone()).verdict(), verdict, "{goal:?}");
        }
        assert_eq!(Row::new("x", "/s", Sample::default()).goal(Goal::AtMost(1.0)).verdict(), "SHORT");
        let mut report = Report::beside("peer");
        report.row(row(Goal::RatioAtLeast(3.1)));
        report.row(row(Goal::Told));
        assert_eq!(report.short(), 1);
        assert!(report.table().starts_with("| figure | Wane"), "{}", report.table());
    }
}
