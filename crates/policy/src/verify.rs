//! From text to compiled policies: parsing, strict validation, names, annotations.

use std::collections::BTreeMap;

use cedar_policy::{Effect, EntityUid, Policy, PolicyId, ValidationMode, Validator};
use miette::Diagnostic;
use wane_domain::text::Name;

use crate::annotation::{Covers, Fault, read};
use crate::index::Scope;
use crate::nesting::too_deep;
use crate::schema::{Action, SchemaParts};
use crate::set::{Compiled, LoadProblem, MOST_POLICIES, MOST_TEXT};
use crate::speaks::Speaks;

type Verified = (Vec<(Compiled, Scope)>, Vec<LoadProblem>);

/// Compiles a text, or says everything wrong with it.
pub(crate) fn compile(text: &str, parts: &SchemaParts) -> Result<Verified, Vec<LoadProblem>> {
    let whole = |message: String, hint: &str| {
        vec![LoadProblem { line: None, policy: None, message, hint: Some(hint.to_owned()) }]
    };
    if text.len() > MOST_TEXT {
        return Err(whole(
            format!("the text is {} bytes long; the most is {MOST_TEXT}", text.len()),
            "use groups and labels instead of one policy each",
        ));
    }
    let schema = parts.schema().map_err(|e| whole(e, "one of the kinds gives an unusable entity type"))?;
    let lines = Lines::of(text);
    // INVARIANT: no text brings the process down that reads it (held by
    // `what_is_nested_without_end_is_refused_and_brings_nobody_down`).
    if let Some(at) = too_deep(text) {
        return Err(vec![LoadProblem {
            line: Some(lines.at(at)),
            policy: None,
            message:
                "a policy goes too deep here: brackets in brackets, or operators or conditions one after the other"
                    .to_owned(),
            hint: Some("write several policies, or use groups, labels and sets".to_owned()),
        }]);
    }
    let parsed: cedar_policy::PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        errors.iter().map(|e| diagnosed(e, None, &lines)).collect::<Vec<_>>()
    })?;
    if parsed.num_of_policies() > MOST_POLICIES {
        return Err(whole(
            format!("there are {} policies; the most is {MOST_POLICIES}", parsed.num_of_policies()),
            "use groups and labels instead of one policy each",
        ));
    }
    let mut problems = Vec::new();
    for template in parsed.templates() {
        problems.push(LoadProblem {
            line: template.as_ref().loc().map(|l| lines.at(l.span.offset())),
            policy: template.annotation("id").map(str::to_owned),
            message: "the policy has a slot (`?principal` or `?resource`); templates are not used here".to_owned(),
            hint: Some("write a group or a label in place of the slot".to_owned()),
        });
    }
    let mut warnings = Vec::new();
    let result = Validator::new(schema).validate(&parsed, ValidationMode::Strict);
    for error in result.validation_errors() {
        problems.push(diagnosed(error, parsed.policy(error.policy_id()), &lines));
    }
    for warning in result.validation_warnings() {
        warnings.push(diagnosed(warning, parsed.policy(warning.policy_id()), &lines));
    }
    let mut out = Vec::new();
    let mut first_line: BTreeMap<String, u64> = BTreeMap::new();
    for policy in parsed.policies() {
        let line = line_of(policy, &lines);
        let problem = |fault: Fault| LoadProblem {
            line,
            policy: policy.annotation("id").map(str::to_owned),
            message: fault.message,
            hint: fault.hint,
        };
        problems.extend(policy.entity_literals().iter().filter_map(|uid| misnamed(uid, parts)).map(problem));
        let scope = Scope::of(policy);
        let covers = if scope.actions.contains(&Action::Access) { Covers::Access } else { Covers::OtherOnly };
        let speaks = Speaks::of(policy);
        if policy.effect() == Effect::Permit && speaks == Speaks::Outright {
            problems.push(problem(Fault {
                message: "a path cannot depend on `context.terms`, which are its own".to_owned(),
                hint: Some("write the condition as a forbid".to_owned()),
            }));
        }
        match read(policy, covers) {
            Err(faults) => problems.extend(faults.into_iter().map(problem)),
            Ok(notes) => {
                let id = String::from(notes.id);
                if let Some(first) = first_line.insert(id.clone(), line.unwrap_or(0)) {
                    problems.push(problem(Fault {
                        message: format!("@id: `{id}` is the name of another policy as well, on line {first}"),
                        hint: Some("give each policy a name of its own".to_owned()),
                    }));
                }
                let named = policy.new_id(PolicyId::new(&id));
                let mut alone = cedar_policy::PolicySet::new();
                if let Err(e) = alone.add(named) {
                    problems.push(problem(Fault { message: e.to_string(), hint: None }));
                }
                let compiled = Compiled {
                    id,
                    line,
                    description: notes.description,
                    effect: policy.effect(),
                    part: notes.part,
                    speaks_of_terms: speaks != Speaks::Never,
                    alone,
                };
                out.push((compiled, scope));
            }
        }
    }
    out.sort_by_key(|(compiled, _)| compiled.line);
    problems.sort_by(|a, b| (a.line, &a.policy, &a.message).cmp(&(b.line, &b.policy, &b.message)));
    problems.dedup();
    warnings.sort_by_key(|w| w.line);
    if problems.is_empty() { Ok((out, warnings)) } else { Err(problems) }
}

/// A name in a policy that nothing can ever have is a slip of the pen, and a policy that never applies.
fn misnamed(uid: &EntityUid, parts: &SchemaParts) -> Option<Fault> {
    let id = uid.id().unescaped();
    let name = || (id.parse::<Name>().is_ok(), "a name is 1 to 63 of a-z, 0-9, `.`, `_`, `-`");
    let (good, form) = match uid.type_name().to_string().as_str() {
        "System" => (id == "wane", "write `System::\"wane\"`"),
        "Label" => {
            (id.split_once('=').is_some_and(|(key, _)| key.parse::<Name>().is_ok()), "write `Label::\"env=prod\"`")
        }
        "Person" | "Group" => name(),
        _ if parts.is_resource_type(uid.type_name()) => name(),
        // Actions and unknown types are the validator's to report.
        _ => return None,
    };
    (!good).then(|| Fault { message: format!("nothing can be called `{uid}`"), hint: Some(form.to_owned()) })
}

fn line_of(policy: &Policy, lines: &Lines) -> Option<u64> {
    policy.as_ref().loc().map(|l| lines.at(l.span.offset()))
}

fn diagnosed(error: &(impl Diagnostic + std::fmt::Display), policy: Option<&Policy>, lines: &Lines) -> LoadProblem {
    let label = error.labels().and_then(|mut labels| labels.next()).map(|l| lines.at(l.offset()));
    let id = policy.and_then(|p| p.annotation("id")).map(str::to_owned);
    // Cedar numbers policies; people know them by their own names.
    let named = |text: String| match (&id, policy) {
        (Some(id), Some(policy)) => text
            .replace(&format!("for policy `{}`, ", policy.id()), "")
            .replace(&format!("`{}`", policy.id()), &format!("`{id}`")),
        _ => text,
    };
    let (message, hint) = (named(error.to_string()), error.help().map(|h| named(h.to_string())));
    LoadProblem { line: label.or_else(|| policy.and_then(|p| line_of(p, lines))), policy: id, message, hint }
}

/// Where lines begin, so that an offset becomes a line.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn at(&self, offset: usize) -> u64 {
        u64::try_from(self.0.partition_point(|start| *start <= offset)).unwrap_or(u64::MAX)
    }
}
