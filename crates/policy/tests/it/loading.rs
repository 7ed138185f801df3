//! What does not load, and what people are told.

use wane_domain::terms::{Mode, Need};
use wane_domain::time::Span;
use wane_policy::schema::{KindFragment, SchemaError, SchemaParts};
use wane_policy::set::{MOST_POLICIES, MOST_TEXT, PolicySet};

use crate::world::{golden, load, name, problems, shown};

const SCOPE: &str = "permit (principal, action == Action::\"access\", resource);";

/// INVARIANT: annotations are read strictly. Everything wrong with each text, as people see it, is in the golden file.
#[test]
fn annotations_are_read_strictly() {
    let forbid = "forbid (principal, action == Action::\"access\", resource);";
    let admin = "permit (principal, action == Action::\"read_log\", resource);";
    let bad = [
        SCOPE.to_owned(),
        format!("@id(\"a\") {SCOPE}"),
        format!("@id(\"A b\") @max_ttl(\"1h\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"soon\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"0s\") {SCOPE}"),
        format!("@id(\"a\") @max_tll(\"1h\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @colour(\"red\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @reason(\"x\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @justification(\"yes\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @justification {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @ticket(\"Required\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @mode(\"proxied\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @mode(\"direct\") @recording(\"required\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @approval_window(\"1h\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @step_up(\"\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @reproof(\"15m\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @mode(\"direct\") @reproof(\"15m\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @description(\"two\\nlines\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") @max_ttl(\"2h\") {SCOPE}"),
        format!("@id(\"a\") @max_ttl(\"1h\") {forbid}"),
        format!("@id(\"a\") @max_ttl(\"1h\") {admin}"),
        "@id(\"a\") permit (principal, action, resource);".to_owned(),
        format!("@id(\"a\") @max_ttl(\"1h\") {SCOPE}\n\n@id(\"a\") @max_ttl(\"2h\") {SCOPE}"),
    ];
    let stages = [
        "",
        "owner",
        "0 of owner",
        "-1 of owner",
        "+1 of owner",
        "99999 of owner",
        "1 of",
        "1 of ",
        "1 of everyone",
        "1 of group:",
        "1 of group:SRE",
        "1 of group:a,",
        "1 of owner;",
        "1 of owner; ; 1 of manager",
        "then 1 of owner",
        "2 of manager",
        "2 of person:a, manager, person:a",
        "3 of person:a, manager",
        "1 of a of b",
        "1 of owner, or after 2h",
        "1 of owner, or after 2h also",
        "1 of owner, or after 2h group:leads",
        "1 of owner, or after soon also group:leads",
        "1 of owner, or after 0s also group:leads",
        "1 of owner, or after 24h also group:leads",
        "1 of owner, or after 2h also owner",
        "1 of owner, or after 2h also group:leads, group:leads",
        "1 of owner, or after 2h also group:leads, or after 3h also group:leads",
        "1 of owner, or after 2h also group:leads, or after 2h also group:heads",
        "1 of owner, or after 3h also group:leads, or after 2h also group:heads",
        "2 of manager, or after 2h also group:leads",
        "1 of owner or after 2h also group:leads",
        "1 of , or after 2h also group:leads",
        "1 of owner then 1 of manager",
        "1 of owner;1 of owner;1 of owner;1 of owner;1 of owner;1 of owner;1 of owner;1 of owner;1 of owner",
    ];
    let stages = stages.iter().map(|s| format!("@id(\"a\") @max_ttl(\"1h\") @approve(\"{s}\") {SCOPE}"));
    let mut out = String::new();
    for text in bad.into_iter().chain(stages) {
        let found = problems(&text);
        assert!(!found.is_empty(), "this loaded:\n{text}");
        out.push_str(&format!("{text}\n{}\n", shown(&found).lines().map(|l| format!("  {l}\n")).collect::<String>()));
    }
    golden("bad-annotations.txt", &out);
}

/// As much as a policy may ask for, and not one more.
#[test]
fn stages_and_their_approvers_are_bounded() {
    let loads =
        |approve: &str| problems(&format!("@id(\"a\") @max_ttl(\"1h\") @approve(\"{approve}\") {SCOPE}")).is_empty();
    let rules = |many: usize| {
        let groups: Vec<String> = (0..many).map(|n| format!("group:g{n}")).collect();
        format!("1 of {}", groups.join(", "))
    };
    let later = |many: usize| {
        let groups: Vec<String> = (0..many).map(|n| format!(", or after {}h also group:g{n}", n + 1)).collect();
        format!("1 of owner{}", groups.concat())
    };
    let stages = |many: usize| vec!["1 of owner"; many].join("; then ");
    for (approve, good) in [
        (rules(16), true),
        (rules(17), false),
        (rules(18), false),
        (later(15), true),
        (later(16), false),
        (stages(8), true),
        (stages(9), false),
        (stages(10), false),
        ("2 of person:a, manager".to_owned(), true),
        // How many a group has is not known here.
        ("3 of group:a".to_owned(), true),
    ] {
        assert_eq!(loads(&approve), good, "{approve}");
    }
}

/// As long as may be, and not a byte longer.
#[test]
fn a_text_is_bounded() {
    assert_eq!(shown(&problems(&" ".repeat(MOST_TEXT))), "");
    let said = shown(&problems(&" ".repeat(MOST_TEXT + 1)));
    assert!(said.starts_with("the text is 16777217 bytes long; the most is 16777216"), "{said}");
}

#[test]
fn the_policies_of_a_text_are_bounded() {
    let said = shown(&problems(&"forbid(principal,action,resource);".repeat(MOST_POLICIES + 1)));
    assert!(said.starts_with("there are 50001 policies; the most is 50000"), "{said}");
}

#[test]
fn what_does_not_validate_does_not_load() {
    let access = |condition: &str| {
        format!("@id(\"a\") @max_ttl(\"1h\")\npermit (principal, action == Action::\"access\", resource)\n{condition};")
    };
    let bad = [
        "permit (principal, action == Action::\"access\", resource)".to_owned(),
        access("when { context.rôle == \"x\" }"),
        access("when { context.rolle == \"x\" }"),
        access("when { context.role == 1 }"),
        access("when { context.ticket == \"OPS-1\" }"),
        access("when { principal.department == \"x\" }"),
        access("when { principal.getTag(\"team\") == \"red\" }"),
        access("when { principal in Group::\"SRE\" }"),
        access("when { resource in Label::\"prod\" }"),
        access("when { resource == Host::\"Web1\" }"),
        access("when { context has terms && context.terms.recording }"),
        access("when { ip(context.role).isLoopback() }"),
        "@id(\"a\") @max_ttl(\"1h\") permit (principal == ?principal, action == Action::\"access\", resource);"
            .to_owned(),
        "@id(\"a\") permit (principal, action == Action::\"acces\", resource);".to_owned(),
        "@id(\"a\") permit (principal is Persn, action == Action::\"read_log\", resource);".to_owned(),
        "@id(\"a\") permit (principal, action == Action::\"read_log\", resource == System::\"Wane\");".to_owned(),
        "@id(\"a\") forbid (principal, action, resource) when { context.role == \"x\" };".to_owned(),
    ];
    let mut out = String::new();
    for text in bad {
        let found = problems(&text);
        assert!(!found.is_empty(), "this loaded:\n{text}");
        out.push_str(&format!("{text}\n{}\n", shown(&found).lines().map(|l| format!("  {l}\n")).collect::<String>()));
    }
    golden("bad-policies.txt", &out);
}

/// Of what has a type that nothing has, the name is no matter.
#[test]
fn an_unknown_type_is_not_called_a_bad_name() {
    let text = |uid: &str| {
        format!("@id(\"a\") @max_ttl(\"1h\")\npermit (principal, action == Action::\"access\", resource == {uid});")
    };
    for (uid, misnamed) in
        [("Gadget::\"Big One\"", false), ("Host::\"Big One\"", true), ("Database::\"Big One\"", true)]
    {
        let said = shown(&problems(&text(uid)));
        assert!(!said.is_empty() && said.contains("nothing can be called") == misnamed, "{uid}: {said}");
    }
    assert!(problems(&text("Host::\"big-one\"")).is_empty());
}

#[test]
fn problems_name_the_line() {
    let text = format!(
        "// one\n\n@id(\"a\") @max_ttl(\"1h\")\n{SCOPE}\n\n@id(\"b\")\n@max_ttl(\"x\")\n{SCOPE}\n@id(\"c\") permit (\n"
    );
    assert_eq!(problems(&text)[0].line, Some(9), "{}", shown(&problems(&text)));
    let text = text.replace("@id(\"c\") permit (\n", "");
    let found = problems(&text);
    assert_eq!((found.len(), found[0].line, found[0].policy.as_deref()), (1, Some(6), Some("b")), "{}", shown(&found));
}

#[test]
fn a_policy_that_can_never_apply_is_a_warning() {
    let set = load(
        "@id(\"a\") @max_ttl(\"1h\")\npermit (principal, action == Action::\"access\", resource is Host) when { resource is Database };",
    );
    assert_eq!(set.warnings().len(), 1);
    assert_eq!(set.warnings()[0].policy.as_deref(), Some("a"));
}

#[test]
fn terms_and_their_defaults() {
    let set = load(&format!(
        "@id(\"least\") @max_ttl(\"90m\") {SCOPE}
         @id(\"most\") @description(\"all of it\") @max_ttl(\"1d 12h\") @approve(\"1 of owner, group:sre, or after 1h 30m also manager, group:leads, or after 2h also person:cto; then 2 of group:security, person:zoe\")
         @approval_window(\"4h\") @activation_window(\"30m\") @justification(\"required\") @ticket(\"required\") @step_up(\"15m\")
         @reproof(\"30m\") @recording(\"required\") @mode(\"brokered\") {SCOPE}"
    ));
    let least = set.terms_of("least").unwrap();
    assert_eq!(
        (least.stages.len(), least.max_ttl, least.approval_window),
        (0, Span::from_mins(90), Span::from_hours(24))
    );
    assert_eq!(
        (least.activation_window, least.justification, least.ticket),
        (Span::from_hours(1), Need::Optional, Need::Optional)
    );
    assert_eq!((least.step_up, least.recording, least.mode), (None, Need::Optional, Mode::Any));
    let most = set.terms_of("most").unwrap();
    let stages: Vec<_> = most.stages.iter().map(ToString::to_string).collect();
    // What is shown is what can be written.
    let first = "1 of owner, group:sre, or after 1h30m also manager, group:leads, or after 2h also person:cto";
    assert_eq!(stages, [first, "2 of group:security, person:zoe"]);
    assert_eq!((most.stages[0].approvers.len(), most.stages[0].later.len(), most.stages[1].later.len()), (2, 2, 0));
    assert_eq!(
        (most.max_ttl, most.approval_window, most.activation_window),
        (Span::from_hours(36), Span::from_hours(4), Span::from_mins(30))
    );
    assert_eq!(
        (most.justification, most.ticket, most.step_up),
        (Need::Required, Need::Required, Some(Span::from_mins(15)))
    );
    assert_eq!((most.recording, most.mode), (Need::Required, Mode::Brokered));
    assert_eq!((least.reproof, most.reproof), (None, Some(Span::from_mins(30))));
}

#[test]
fn the_digest_is_the_texts() {
    let a = format!("@id(\"a\") @max_ttl(\"1h\") {SCOPE}");
    assert_eq!(load(&a).digest(), PolicySet::digest_of(&a));
    assert_ne!(load(&a).digest(), load(&(a + " ")).digest());
    assert_eq!(load("").len(), 0);
    assert!(load("").is_empty() && !load(&format!("@id(\"a\") @max_ttl(\"1h\") {SCOPE}")).is_empty());
}

#[test]
fn kinds_bring_usable_names() {
    let parts = |kinds: &[(&str, &str)]| {
        SchemaParts::new(kinds.iter().map(|(k, e)| KindFragment { kind: name(k), entity: (*e).to_owned() }))
    };
    for bad in ["", "host", "Person", "Action", "Ho st", "Host;", "Host, Group", "Hôst", "A::B", "Long"] {
        assert!(
            matches!(parts(&[("x", bad)]), Err(SchemaError::NotAType { .. })),
            "`{bad}` was taken for an entity type"
        );
    }
    assert_eq!(parts(&[("a", "Host"), ("b", "Host")]), Err(SchemaError::Twice("Host".to_owned())));
    assert_eq!(parts(&[]), Err(SchemaError::NoKinds));
    golden("schema.cedarschema", &parts(&[("ssh", "Host"), ("postgres", "Database")]).unwrap().text());
}

/// What the documentation shows is what loads.
#[test]
fn the_examples_of_the_documentation_load() {
    let page = include_str!("../../../../docs/policy.md");
    let examples: Vec<&str> = page.split("```cedar\n").skip(1).filter_map(|part| part.split("```").next()).collect();
    assert_eq!(examples.len(), 5);
    let set = load(&examples.concat());
    assert_eq!((set.len(), shown(set.warnings()).as_str()), (10, ""));
    for action in wane_policy::schema::Action::ALL {
        assert!(page.contains(&format!("`{}`", action.name())), "`{}` is not in the table of actions", action.name());
    }
}
