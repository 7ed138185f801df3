//! Slice and whole agree: Cedar over the whole set, with entities and context built another way and
//! checked against the schema, is the oracle for what the index and the engine say.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use cedar_policy::{Authorizer, Context, Decision as Cedar, Entities, Request, Schema};
use proptest::prelude::*;
use serde_json::{Value, json};
use wane_domain::decision::{Decision, Why};
use wane_domain::time::Span;
use wane_policy::explain::why;
use wane_policy::judge::judge;
use wane_policy::set::PolicySet;

use crate::world::{Question, line, load, name, parts, question};

const PEOPLE: [&str; 3] = ["ana", "bob", "cy"];
const GROUPS: [&str; 4] = ["sre", "dba", "eng", "ana"];
const LABELS: [&str; 3] = ["env=prod", "env=dev", "tier=1"];

fn one(from: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(from)
}

/// One policy of any kind.
pub(crate) fn policy() -> impl Strategy<Value = String> {
    let principal = prop_oneof![
        Just("principal".to_owned()),
        Just("principal is Person".to_owned()),
        one(&PEOPLE).prop_map(|p| format!("principal == Person::\"{p}\"")),
        one(&PEOPLE).prop_map(|p| format!("principal in Person::\"{p}\"")),
        one(&GROUPS).prop_map(|g| format!("principal in Group::\"{g}\"")),
        one(&GROUPS).prop_map(|g| format!("principal is Person in Group::\"{g}\"")),
    ];
    let action = one(&[
        "action == Action::\"access\"",
        "action in [Action::\"access\", Action::\"approve\"]",
        "action in [Action::\"access\"]",
        "action == Action::\"approve\"",
    ]);
    let resource = prop_oneof![
        Just("resource".to_owned()),
        one(&["Host", "Database"]).prop_map(|k| format!("resource is {k}")),
        Just("resource == Host::\"one\"".to_owned()),
        Just("resource in Host::\"one\"".to_owned()),
        Just("resource == Database::\"one\"".to_owned()),
        one(&LABELS).prop_map(|l| format!("resource in Label::\"{l}\"")),
        one(&LABELS).prop_map(|l| format!("resource is Host in Label::\"{l}\"")),
    ];
    let condition = one(&[
        "",
        "",
        "when { context.role == \"deploy\" }",
        "when { context.duration <= 3600 }",
        // Overflows for anything longer than a second: a policy that validates and fails.
        "when { context.duration * 9223372036854775807 > 5 }",
        "when { context.justified }",
        "when { principal.hasTag(\"team\") && principal.getTag(\"team\") == \"red\" }",
        "when { resource.hasTag(\"tier\") && resource.getTag(\"tier\") == \"1\" }",
        "when { resource has ownerGroup && principal in resource.ownerGroup }",
        "unless { context has residual_sessions && context.residual_sessions < 60 }",
        "when { context.local.weekday == \"sat\" && context.now > datetime(\"2026-01-01\") }",
    ]);
    let of_terms = one(&[
        "when { context has terms && !context.terms.recording }",
        "unless { context has terms && context.terms.human_stages == 0 }",
        "unless { context has terms && context.terms.quorum > 0 }",
        "when { context has \"t\\u{65}rms\" && !context[\"t\\u{65}rms\"].recording }",
        "when { {whole: context}.whole has terms && !{whole: context}.whole.terms.recording }",
    ]);
    (principal, action, resource, condition, of_terms, 0..6u8).prop_map(|(p, a, r, condition, of_terms, sort)| {
        let approves = a.contains("approve");
        // What the context of `approve` does not have, no policy about it may read.
        let c = if approves && (condition.contains("justified") || condition.contains("residual")) {
            ""
        } else {
            condition
        };
        let ttl = if a.contains("access") { "@max_ttl(\"8h\") " } else { "" };
        match sort {
            0 => format!("forbid ({p}, {a}, {r}) {c};"),
            1 if !approves => format!("forbid ({p}, {a}, {r}) {of_terms};"),
            _ => format!("{ttl}permit ({p}, {a}, {r}) {c};"),
        }
    })
}

/// Somebody who asks.
pub(crate) fn asked() -> impl Strategy<Value = Question> {
    (
        one(&PEOPLE),
        proptest::sample::subsequence(GROUPS.to_vec(), 0..=3),
        one(&["deploy", "root"]),
        one(&["ssh:one", "ssh:two", "postgres:one"]),
        proptest::sample::subsequence(LABELS[1..].to_vec(), 0..=2),
        (1u64..9, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
    )
        .prop_map(|(who, groups, role, on, labels, (hours, justified, red, owned, residual))| {
            let labels: Vec<_> = labels.iter().map(|l| l.split_once('=').unwrap()).collect();
            let mut q = question(who, &groups, role, on, &labels);
            q.duration = if hours == 1 { Span::from_secs(1) } else { Span::from_hours(hours - 1) };
            q.justified = justified;
            q.residual = residual.then(|| Span::from_secs(30));
            q.owner = owned.then(|| name("sre"));
            if red {
                q.person.attributes.insert(name("team"), line("red"));
            }
            q
        })
}

/// What Cedar says to the whole text: the decision, what determined it, and what failed.
fn whole(
    set: &cedar_policy::PolicySet,
    q: &Question,
    terms: Option<Value>,
) -> (bool, BTreeSet<String>, BTreeSet<String>) {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| Schema::from_cedarschema_str(&parts().text()).unwrap().0);
    let entity = |kind: &str, id: &str, attrs: Value, parents: Vec<Value>, tags: Value| json!({ "uid": { "type": kind, "id": id }, "attrs": attrs, "parents": parents, "tags": tags });
    let kind = if q.resource.kind.as_str() == "ssh" { "Host" } else { "Database" };
    let mut entities = vec![
        entity(
            "Person",
            q.person.name.as_str(),
            json!({ "name": q.person.name, "disabled": false }),
            q.groups.iter().map(|g| json!({ "type": "Group", "id": g })).collect(),
            json!(q.person.attributes),
        ),
        entity(
            kind,
            q.resource.name.as_str(),
            match &q.owner {
                Some(group) => {
                    json!({ "name": q.resource.name, "kind": q.resource.kind, "ownerGroup": { "__entity": { "type": "Group", "id": group } } })
                }
                None => json!({ "name": q.resource.name, "kind": q.resource.kind }),
            },
            q.resource.labels.iter().map(|(k, v)| json!({ "type": "Label", "id": format!("{k}={v}") })).collect(),
            json!(q.resource.labels),
        ),
    ];
    entities.extend(GROUPS.iter().map(|g| entity("Group", g, json!({}), vec![], json!({}))));
    entities.extend(LABELS.iter().map(|l| entity("Label", l, json!({}), vec![], json!({}))));
    let entities = Entities::from_json_value(Value::Array(entities), Some(schema)).unwrap();
    let mut context = json!({
        "role": q.role.name, "kind": q.resource.kind, "duration": q.duration.secs(), "start_in": 0, "justified": q.justified,
        "proof": "password+totp", "proof_age": 60, "phishing_resistant": false, "now": "2026-11-21T10:00:00.000Z",
        "local": { "hour": 10, "minute": 0, "weekday": "sat", "zone": "UTC" },
    });
    if let Some(residual) = q.residual {
        context["residual_sessions"] = json!(residual.secs());
    }
    if let Some(terms) = terms {
        context["terms"] = terms;
    }
    let action: cedar_policy::EntityUid = "Action::\"access\"".parse().unwrap();
    let context = Context::from_json_value(context, Some((schema, &action))).unwrap();
    let principal = format!("Person::\"{}\"", q.person.name).parse().unwrap();
    let resource = format!("{kind}::\"{}\"", q.resource.name).parse().unwrap();
    let request = Request::new(principal, action, resource, context, Some(schema)).unwrap();
    let named = |id: &cedar_policy::PolicyId| set.annotation(id, "id").unwrap().to_owned();
    let response = Authorizer::new().is_authorized(&request, set, &entities);
    let errors = response.diagnostics().errors().map(|e| match e {
        cedar_policy::AuthorizationError::PolicyEvaluationError(e) => named(e.policy_id()),
    });
    (response.decision() == Cedar::Allow, response.diagnostics().reason().map(named).collect(), errors.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn the_slice_and_the_whole_agree(
        policies in proptest::collection::vec(policy(), 0..16),
        questions in proptest::collection::vec(asked(), 10),
    ) {
        let text: String = policies.iter().enumerate().map(|(i, p)| format!("@id(\"p{i:02}\") {p}\n")).collect();
        let (set, whole_set) = (load(&text), text.parse().unwrap());
        for q in &questions {
            agree(&set, &whole_set, &text, q)?;
        }
    }
}

fn agree(set: &PolicySet, whole_set: &cedar_policy::PolicySet, text: &str, q: &Question) -> Result<(), TestCaseError> {
    let terms = json!({
        "human_stages": 0, "quorum": 0, "recording": false, "step_up": false, "reproof": false, "signature": false, "mode": "any", "max_ttl": 28800
    });
    let (_, before, failed) = whole(whole_set, q, None);
    let (allowed, determining, failed_later) = whole(whole_set, q, Some(terms));
    let expected = allowed && failed.is_empty() && failed_later.is_empty();
    match judge(set, &q.query()) {
        Decision::Permit(permit) => {
            prop_assert!(expected, "permitted where Cedar does not:\n{}", text);
            // All terms are equal here, so the first by name is the one that applies.
            prop_assert_eq!(permit.basis().path.as_ref(), determining.iter().next());
        }
        Decision::Deny(denial) => {
            prop_assert!(!expected, "denied where Cedar allows:\n{}", text);
            let of = |why: &Why| match why {
                Why::PolicyError { policy, .. } => Some(policy.clone()),
                _ => None,
            };
            let errors: BTreeSet<_> = denial.reasons.iter().filter_map(of).collect();
            prop_assert_eq!(&errors, &failed);
            for why in &denial.reasons {
                if let Why::Forbidden { policy, .. } = why {
                    prop_assert!(before.contains(policy) || determining.contains(policy));
                }
            }
        }
    }
    prop_assert!(why(set, &q.query()).candidates <= set.len());
    Ok(())
}

/// 10,000 policies, each about one group and one label: a question meets a handful.
#[test]
fn ten_thousand_policies_leave_a_handful() {
    let mut text =
        String::from("@id(\"guard\") forbid (principal, action, resource) when { context.proof_age > 86400 };\n");
    for i in 0..10_000 {
        text.push_str(&format!(
            "@id(\"p{i}\") @max_ttl(\"8h\") permit (principal in Group::\"g{}\", action == Action::\"access\", resource in Label::\"app={}\");\n",
            i % 500,
            i / 500
        ));
    }
    let set = load(&text);
    assert_eq!(set.len(), 10_001);
    let groups: Vec<String> = (0..20).map(|i| format!("g{i}")).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let q = question("ana", &groups, "deploy", "ssh:one", &[("app", "7"), ("env", "prod"), ("tier", "1")]);
    let explained = why(&set, &q.query());
    assert_eq!((explained.candidates, explained.of), (21, 10_001));
    assert_eq!(explained.paths.iter().filter(|p| p.satisfied).count(), 20);
    assert!(matches!(judge(&set, &q.query()), Decision::Permit(_)));
    let stranger = question("ana", &["h"], "deploy", "ssh:one", &[("app", "7")]);
    assert_eq!(why(&set, &stranger.query()).candidates, 1);
}
