//! Whether what a policy says can depend on the terms of the path in question.
//!
//! Owns: reading that off the policy's own expressions, as Cedar parsed them. A policy that never looks at
//! `context.terms`, nor at the context as a whole, says the same with terms in the context and without, so
//! that it need not be asked twice. Refuses to know: what it says.
//!
//! INVARIANT: what is held to be silent on terms never depends on them (held by
//! `whoever_can_see_the_terms_is_known`, `asked_once_or_twice_the_answer_is_the_same`). In doubt it speaks.

use cedar_policy::Policy;
use serde_json::{Map, Value};

/// How a policy's conditions look at the terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Speaks {
    /// Not at all.
    Never,
    /// It takes the context whole, in which they are.
    Perhaps,
    /// By their name.
    Outright,
}

impl Speaks {
    pub(crate) fn of(policy: &Policy) -> Self {
        // `context` is a word of the language: unlike a name in quotes it has one spelling.
        if !policy.to_string().contains("context") {
            return Self::Never;
        }
        policy.to_json().map_or(Self::Perhaps, |json| json.get("conditions").map_or(Self::Perhaps, seen_in))
    }
}

/// Looks through an expression, or whatever holds some.
fn seen_in(expression: &Value) -> Speaks {
    match expression {
        Value::Object(fields) => match of_context(fields) {
            Some("terms") => Speaks::Outright,
            Some(_) => Speaks::Never,
            None if is_context(expression) => Speaks::Perhaps,
            None => most(fields.values()),
        },
        Value::Array(items) => most(items.iter()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Speaks::Never,
    }
}

fn most<'a>(expressions: impl Iterator<Item = &'a Value>) -> Speaks {
    expressions.map(seen_in).max().unwrap_or(Speaks::Never)
}

fn is_context(expression: &Value) -> bool {
    expression.get("Var").and_then(Value::as_str) == Some("context")
}

/// The name, if this is `context.name`, `context has name` or `context has name.and.more`, and nothing else.
fn of_context(fields: &Map<String, Value>) -> Option<&str> {
    // In a record of the policy's own, a field of this name holds an expression, which has no `left`.
    let operands = fields.get(".").or_else(|| fields.get("has"))?;
    if !is_context(operands.get("left")?) {
        return None;
    }
    let name = operands.get("attr")?;
    name.as_str().or_else(|| name.as_array()?.first()?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_can_see_the_terms_is_known() {
        for (conditions, expected) in [
            ("", Speaks::Never),
            ("when { principal.name == \"terms\" }", Speaks::Never),
            ("when { context.role == \"terms\" }", Speaks::Never),
            ("when { context has ticket && context.ticket like \"terms*\" }", Speaks::Never),
            ("when { context has local.hour && context.local.hour > 3 }", Speaks::Never),
            ("when { context.local.terms }", Speaks::Never),
            ("unless { [context.duration, 3].contains(context[\"start_in\"]) }", Speaks::Never),
            ("when { resource.terms == context.duration }", Speaks::Never),
            // A record of the policy's own, whatever its fields are called.
            ("when { {Var: \"context\", \"has\": {left: 1, attr: \"terms\"}}.Var == \"x\" }", Speaks::Never),
            ("when { context has terms && !context.terms.recording }", Speaks::Outright),
            ("when { context has terms }", Speaks::Outright),
            ("unless { context has terms.quorum }", Speaks::Outright),
            ("when { true } unless { context[\"terms\"].quorum > 0 }", Speaks::Outright),
            ("when { context has \"t\\u{65}rms\" }", Speaks::Outright),
            ("when { context[\"\\x74erms\"].quorum > 0 }", Speaks::Outright),
            ("when { (if context.justified then context else context).terms.recording }", Speaks::Perhaps),
            ("when { {a: context}.a.terms.recording }", Speaks::Perhaps),
            ("when { {\".\": {left: context, attr: \"role\"}, \"has\": 1}[\"has\"] == 1 }", Speaks::Perhaps),
            ("when { context == context }", Speaks::Perhaps),
            ("when { [context].contains({role: context.role}) }", Speaks::Perhaps),
            ("when { if context has terms then context == context else true }", Speaks::Outright),
        ] {
            let policy: Policy = format!("forbid (principal, action, resource) {conditions};").parse().unwrap();
            assert_eq!(Speaks::of(&policy), expected, "{conditions}");
        }
    }
}
