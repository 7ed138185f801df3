//! The annotations that carry a policy's terms, read strictly.
//!
//! INVARIANT: an annotation that is not understood in full is an error when the set is loaded,
//! never a term left out (held by `annotations_are_read_strictly`).

use std::collections::BTreeMap;
use std::str::FromStr;

use cedar_policy::{Effect, Policy};
use wane_domain::terms::{Approvers, Later, Mode, Need, Stage, Terms};
use wane_domain::text::{Line, Name};
use wane_domain::time::Span;

/// Most stages one path may have.
pub const MOST_STAGES: usize = 8;
/// Most rules one stage may list, those that come in later among them.
pub const MOST_APPROVERS: usize = 16;

const PATH: [&str; 13] = [
    "id",
    "description",
    "max_ttl",
    "approve",
    "approval_window",
    "activation_window",
    "justification",
    "ticket",
    "step_up",
    "reproof",
    "signature",
    "recording",
    "mode",
];
const GUARD: [&str; 3] = ["id", "description", "reason"];
const OTHER: [&str; 2] = ["id", "description"];

type Given<'a> = BTreeMap<&'a str, &'a str>;

/// What a policy is, by its effect and actions, with what its annotations say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A permit that covers `access`: a path, with its terms.
    Path(Box<Terms>),
    /// A forbid: a guardrail.
    Guard {
        /// What people are told.
        reason: Option<String>,
    },
    /// A permit of other actions.
    Other,
}

/// A policy's annotations, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) id: Name,
    pub(crate) description: Option<String>,
    pub(crate) part: Part,
}

/// One thing wrong with one annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

fn fault(message: impl Into<String>, hint: impl Into<String>) -> Fault {
    Fault { message: message.into(), hint: Some(hint.into()) }
}

/// Reads the annotations of one policy. `access` says whether it covers the action `access`.
pub(crate) fn read(policy: &Policy, access: Covers) -> Result<Notes, Vec<Fault>> {
    let mut faults = Vec::new();
    let (known, what): (&[&str], _) = match (policy.effect(), access) {
        (Effect::Permit, Covers::Access) => (&PATH, "a permit of `access`"),
        (Effect::Permit, Covers::OtherOnly) => (&OTHER, "a permit of other actions than `access`"),
        (Effect::Forbid, _) => (&GUARD, "a forbid"),
    };
    // Looked up here and not in Cedar, which parses the key anew each time.
    let given: Given<'_> = policy.annotations().collect();
    for key in given.keys().copied() {
        if !known.contains(&key) {
            faults.push(unknown(key, known, what));
        }
    }
    let mut take = |result: Result<(), Fault>| {
        if let Err(f) = result {
            faults.push(f);
        }
    };
    let id = match given.get("id").copied() {
        Some(text) => {
            text.parse::<Name>().map_err(|e| fault(format!("@id: {e}"), "give each policy a short unique name"))
        }
        None => Err(fault("the policy has no @id", "give each policy a short unique name: `@id(\"deploy-staging\")`")),
    };
    let description = line(&given, "description");
    let part = match (policy.effect(), access) {
        (Effect::Permit, Covers::Access) => terms(&given, &mut take).map(|t| Part::Path(Box::new(t))),
        (Effect::Permit, Covers::OtherOnly) => Some(Part::Other),
        (Effect::Forbid, _) => match line(&given, "reason") {
            Ok(reason) => Some(Part::Guard { reason }),
            Err(f) => {
                take(Err(f));
                None
            }
        },
    };
    let id = id.map_err(|f| take(Err(f))).ok();
    let description = description.map_err(|f| take(Err(f))).ok();
    match (id, description, part) {
        (Some(id), Some(description), Some(part)) if faults.is_empty() => Ok(Notes { id, description, part }),
        _ => Err(faults),
    }
}

/// Whether a policy covers the action `access`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covers {
    /// It does, perhaps among others.
    Access,
    /// It does not.
    OtherOnly,
}

fn unknown(key: &str, known: &[&str], what: &str) -> Fault {
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(key, k), *k)).min().filter(|(d, _)| *d <= 3);
    let hint = match near {
        Some((_, near)) => format!("did you mean `@{near}`?"),
        None => format!("{what} takes {}", known.iter().map(|k| format!("@{k}")).collect::<Vec<_>>().join(", ")),
    };
    fault(format!("`@{key}` is no annotation of {what}"), hint)
}

fn line(given: &Given<'_>, key: &str) -> Result<Option<String>, Fault> {
    given
        .get(key)
        .copied()
        .map(|text| {
            text.parse::<Line>().map(String::from).map_err(|e| fault(format!("@{key}: {e}"), "write one short line"))
        })
        .transpose()
}

fn terms(given: &Given<'_>, take: &mut impl FnMut(Result<(), Fault>)) -> Option<Terms> {
    fn keep<T>(result: Result<T, Fault>, take: &mut impl FnMut(Result<(), Fault>)) -> Option<T> {
        result.map_err(|f| take(Err(f))).ok()
    }
    let max_ttl = keep(span(given, "max_ttl"), take).and_then(|found| {
        if found.is_none() {
            take(Err(fault(
                "a policy that permits `access` needs @max_ttl",
                "say how long access lasts at most: `@max_ttl(\"8h\")`; or name the policy's actions, if it is not about access",
            )));
        }
        found
    });
    let stages = keep(given.get("approve").copied().map_or(Ok(Vec::new()), stages), take);
    let approval_window = keep(span(given, "approval_window"), take).map(|w| w.unwrap_or(Span::from_hours(24)));
    let activation_window = keep(span(given, "activation_window"), take).map(|w| w.unwrap_or(Span::from_hours(1)));
    let justification = keep(need(given, "justification"), take);
    let ticket = keep(need(given, "ticket"), take);
    let step_up = keep(span(given, "step_up"), take);
    let reproof = keep(span(given, "reproof"), take);
    let signature = keep(need(given, "signature"), take);
    let recording = keep(need(given, "recording"), take);
    let mode = keep(mode(given), take);
    let terms = Terms {
        max_ttl: max_ttl?,
        stages: stages?,
        approval_window: approval_window?,
        activation_window: activation_window?,
        justification: justification?,
        ticket: ticket?,
        step_up: step_up?,
        reproof: reproof?,
        signature: signature?,
        recording: recording?,
        mode: mode?,
    };
    if terms.stages.is_empty() && given.get("approval_window").copied().is_some() {
        take(Err(fault("@approval_window without @approve", "leave it out, or say who approves")));
    }
    for later in terms.stages.iter().flat_map(|stage| &stage.later).filter(|l| l.after >= terms.approval_window) {
        take(Err(fault(
            format!(
                "@approve: nobody is asked after {}, since a request lapses after {}",
                later.after, terms.approval_window
            ),
            "ask sooner, or let it wait longer: `@approval_window(\"24h\")`",
        )));
    }
    if terms.stages.is_empty() && terms.signature == Need::Required {
        take(Err(fault(
            "@signature(\"required\") without @approve",
            "an approval is what is signed: say who approves",
        )));
    }
    if terms.recording == Need::Required && terms.mode == Mode::Direct {
        take(Err(fault("only a brokered session can be recorded", "leave out `@mode(\"direct\")`, or @recording")));
    }
    if terms.reproof.is_some() && terms.mode != Mode::Brokered {
        take(Err(fault(
            "only a brokered session can be paused for a proof",
            "add `@mode(\"brokered\")`, or leave out @reproof",
        )));
    }
    Some(terms)
}

fn span(given: &Given<'_>, key: &str) -> Result<Option<Span>, Fault> {
    given
        .get(key)
        .copied()
        .map(|text| {
            Span::from_str(text).map_err(|e| fault(format!("@{key}: {e}"), format!("for instance `@{key}(\"1h\")`")))
        })
        .transpose()
}

fn need(given: &Given<'_>, key: &str) -> Result<Need, Fault> {
    match given.get(key).copied() {
        None | Some("optional") => Ok(Need::Optional),
        Some("required") => Ok(Need::Required),
        Some(other) => Err(fault(
            format!("@{key}: `{other}` is neither `required` nor `optional`"),
            format!("`@{key}(\"required\")`"),
        )),
    }
}

fn mode(given: &Given<'_>) -> Result<Mode, Fault> {
    match given.get("mode").copied() {
        None | Some("any") => Ok(Mode::Any),
        Some("direct") => Ok(Mode::Direct),
        Some("brokered") => Ok(Mode::Brokered),
        Some(other) => {
            Err(fault(format!("@mode: `{other}` is none of `any`, `direct`, `brokered`"), "`@mode(\"brokered\")`"))
        }
    }
}

/// Reads `1 of owner, group:sre; then 2 of group:security`.
fn stages(text: &str) -> Result<Vec<Stage>, Fault> {
    const FORM: &str = "write stages as `1 of owner, group:sre; then 2 of group:security`";
    let mut out = Vec::new();
    for (i, part) in text.split(';').enumerate() {
        let part = part.trim();
        let part = if i == 0 { part } else { part.strip_prefix("then ").map_or(part, str::trim_start) };
        let Some((quorum, who)) = part.split_once(" of ") else {
            return Err(fault(format!("@approve: `{part}` is no stage"), FORM));
        };
        let quorum = quorum.trim();
        let digits = !quorum.is_empty() && quorum.bytes().all(|c| c.is_ascii_digit());
        let quorum = match quorum.parse::<u16>() {
            Ok(n) if digits && n >= 1 => n,
            _ => return Err(fault(format!("@approve: `{quorum}` is not a number of people"), "at least 1, in digits")),
        };
        let mut parts = who.split(", or after ");
        let approvers = named(parts.next().unwrap_or_default(), &[])?;
        let mut all = approvers.clone();
        let mut later: Vec<Later> = Vec::new();
        for part in parts {
            let next = asked_later(part, &all)?;
            if later.last().map_or(Span::ZERO, |before| before.after) >= next.after {
                return Err(fault(
                    format!("@approve: `after {}` is not later than what stands before it", next.after),
                    "name who comes in later in the order in which they do",
                ));
            }
            all.extend(next.approvers.iter().cloned());
            later.push(next);
        }
        if all.len() > MOST_APPROVERS {
            return Err(fault(
                format!("@approve: a stage names {} rules", all.len()),
                format!("at most {MOST_APPROVERS}; use a group"),
            ));
        }
        let bounded = approvers.iter().all(|a| matches!(a, Approvers::Manager | Approvers::Person(_)));
        if bounded && approvers.len() < usize::from(quorum) {
            return Err(fault(
                format!("@approve: {quorum} people are asked for where at most {} can be meant", approvers.len()),
                FORM,
            ));
        }
        out.push(Stage { quorum, approvers, later });
    }
    if out.len() > MOST_STAGES {
        return Err(fault(format!("@approve: {} stages", out.len()), format!("at most {MOST_STAGES}")));
    }
    Ok(out)
}

/// Reads `owner, group:sre`: nobody twice, nor anybody who was named before.
fn named(text: &str, before: &[Approvers]) -> Result<Vec<Approvers>, Fault> {
    let mut out = Vec::new();
    for who in text.split(',') {
        let who = approver(who.trim())?;
        if out.contains(&who) || before.contains(&who) {
            return Err(fault(format!("@approve: `{who}` stands twice in one stage"), "name each once"));
        }
        out.push(who);
    }
    Ok(out)
}

/// Reads `2h also group:leads`, which stands behind `, or after `.
fn asked_later(text: &str, before: &[Approvers]) -> Result<Later, Fault> {
    const FORM: &str = "write who is asked later as `1 of owner, or after 2h also group:leads`";
    let (after, who) = text
        .split_once(" also ")
        .ok_or_else(|| fault(format!("@approve: `or after {text}` says not who is asked then"), FORM))?;
    let after = Span::from_str(after.trim()).map_err(|e| fault(format!("@approve: {e}"), FORM))?;
    Ok(Later { after, approvers: named(who, before)? })
}

fn approver(text: &str) -> Result<Approvers, Fault> {
    let name =
        |name: &str| name.parse::<Name>().map_err(|e| fault(format!("@approve: {e}"), "for instance `group:sre`"));
    match (text, text.split_once(':')) {
        ("manager", _) => Ok(Approvers::Manager),
        ("owner", _) => Ok(Approvers::Owner),
        (_, Some(("group", group))) => Ok(Approvers::Group(name(group)?)),
        (_, Some(("person", person))) => Ok(Approvers::Person(name(person)?)),
        _ => Err(fault(
            format!("@approve: `{text}` is nobody"),
            "name approvers as `manager`, `owner`, `group:NAME` or `person:NAME`",
        )),
    }
}
