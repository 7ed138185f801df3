//! The conformance kit every kind passes against its real target.
//!
//! Owns: what must hold for any kind, measured against what the kind itself declares. A kind that
//! does not end sessions is not asked to; one that says it does must show it. Refuses to know: how
//! a target is started, what a credential looks like, and how it is used: that is the [`Subject`].
//!
//! The kit asserts nothing by panicking: it returns a [`Report`], or the first claim that fails.

mod account;
mod credential;
mod membership;
mod subject;

pub use subject::{Given, Live, Subject, Used};

use wane_domain::lease::LeaseKind;

/// What was shown, one line per claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The claims, in the order they were shown.
    pub shown: Vec<String>,
    /// From the moment the end was asked for until a login was refused, in microseconds.
    pub logins_refused_after: Option<u64>,
    /// From the same moment until an open session was cut, in microseconds.
    pub session_cut_after: Option<u64>,
}

impl Report {
    fn show(&mut self, claim: &str) {
        self.shown.push(claim.to_owned());
    }
}

/// Runs everything that applies to the subject's kind.
///
/// # Errors
/// The first claim that does not hold, and what was seen instead.
pub async fn run(subject: &dyn Subject) -> Result<Report, String> {
    let mut report = Report::default();
    match subject.kind().gives() {
        LeaseKind::Account => account::run(subject, &mut report).await?,
        LeaseKind::Credential => credential::run(subject, &mut report).await?,
        LeaseKind::Membership => membership::run(subject, &mut report).await?,
        LeaseKind::Session => {
            return Err("a kind gives accounts or credentials; sessions come through its broker".to_owned());
        }
    }
    names(subject, &mut report)?;
    Ok(report)
}

/// Settings and definitions hold no surprises: unknown keys are refused, and normal forms are stable.
fn names(subject: &dyn Subject, report: &mut Report) -> Result<(), String> {
    let kind = subject.kind();
    let settings = &subject.target().resource.settings;
    let definition = &subject.role().definition;
    if kind.settings(settings).as_ref() != Ok(settings) {
        return Err("the normal form of the settings is not its own normal form".to_owned());
    }
    if kind.definition(definition).as_ref() != Ok(definition) {
        return Err("the normal form of the role is not its own normal form".to_owned());
    }
    for hostile in ["x\"; drop role y; --", "$$", "a\0b", "__proto__"] {
        let with = |given: &serde_json::Value| {
            let mut given = given.clone();
            if let Some(object) = given.as_object_mut() {
                object.insert(hostile.to_owned(), serde_json::Value::Null);
            }
            given
        };
        if kind.settings(&with(settings)).is_ok() || kind.definition(&with(definition)).is_ok() {
            return Err(format!("the unknown key {hostile:?} was taken"));
        }
    }
    if kind.is_narrower(definition, definition) {
        return Err("a role counts as narrower than itself".to_owned());
    }
    report.show("settings and roles are read strictly and have one normal form");
    Ok(())
}

fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Whether a secret shows in a text.
fn hides(text: &str, secret: &str, place: &str) -> Result<(), String> {
    must(secret.is_empty() || !text.contains(secret), || format!("the secret shows in {place}"))
}
