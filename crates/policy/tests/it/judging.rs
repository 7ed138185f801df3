//! What is decided, and by which path.

use wane_domain::decision::{Decision, Why};
use wane_domain::directory::Standing;
use wane_domain::time::Span;
use wane_policy::administer::{ActionQuery, Object, allows};
use wane_policy::judge::judge;
use wane_policy::query::{Capabilities, Ways};
use wane_policy::schema::Action;
use wane_policy::set::PolicySet;

use crate::world::{Question, load, question};

fn ask() -> Question {
    question("ana", &["eng"], "deploy", "ssh:web1", &[("env", "prod")])
}

fn reasons(set: &PolicySet, q: &Question) -> Vec<Why> {
    match judge(set, &q.query()) {
        Decision::Permit(permit) => panic!("permitted by {:?}", permit.basis().path),
        Decision::Deny(denial) => denial.reasons,
    }
}

fn path(set: &PolicySet, q: &Question) -> String {
    match judge(set, &q.query()) {
        Decision::Permit(permit) => permit.basis().path.clone().unwrap(),
        Decision::Deny(denial) => panic!("denied: {:?}", denial.reasons),
    }
}

fn access(id: &str, annotations: &str) -> String {
    format!(
        "@id(\"{id}\") {annotations} permit (principal in Group::\"eng\", action == Action::\"access\", resource);\n"
    )
}

/// Paths in the order they are preferred; each is tried with only those after it.
#[test]
fn the_path_that_asks_least_is_taken() {
    let ladder = [
        ("z0", "@max_ttl(\"1h\")"),
        ("y1", "@max_ttl(\"8h\") @mode(\"direct\")"),
        ("x2", "@max_ttl(\"8h\") @mode(\"brokered\")"),
        ("w3", "@max_ttl(\"8h\") @recording(\"required\")"),
        ("v4", "@max_ttl(\"8h\") @step_up(\"15m\")"),
        ("u5", "@max_ttl(\"8h\") @approve(\"1 of owner\")"),
        ("t6", "@max_ttl(\"8h\") @approve(\"2 of group:a\")"),
        ("s7", "@max_ttl(\"8h\") @approve(\"1 of owner; then 1 of manager\")"),
        ("s8", "@max_ttl(\"8h\") @approve(\"1 of owner; then 1 of manager\")"),
    ];
    for first in 0..ladder.len() {
        let mut rest: Vec<_> = ladder[first..].iter().map(|(id, a)| access(id, a)).collect();
        rest.reverse();
        assert_eq!(path(&load(&rest.concat()), &ask()), ladder[first].0);
    }
}

/// INVARIANT: one path is taken whole. The lax path caps at an hour; a longer ask gets the strict one with all it asks.
#[test]
fn one_path_is_taken_whole() {
    let set = load(
        &(access("lax", "@max_ttl(\"1h\")")
            + &access("strict", "@max_ttl(\"8h\") @approve(\"1 of owner\") @recording(\"required\")")),
    );
    for (hours, expected) in [(1, "lax"), (2, "strict"), (8, "strict")] {
        let mut q = ask();
        q.duration = Span::from_hours(hours);
        assert_eq!(path(&set, &q), expected, "{hours}h");
        let Decision::Permit(permit) = judge(&set, &q.query()) else { panic!("denied") };
        assert_eq!(permit.terms(), set.terms_of(expected).unwrap());
    }
    let mut q = ask();
    q.duration = Span::from_hours(8).micros().checked_add(1).map(Span::from_micros).unwrap();
    assert_eq!(reasons(&set, &q), [Why::TooLong { most_micros: Span::from_hours(8).micros() }]);
}

#[test]
fn what_is_lacking_is_said() {
    let check = |annotations: &str, change: fn(&mut Question), expected: &[Why]| {
        let set = load(&access("p", annotations));
        let mut q = ask();
        change(&mut q);
        assert_eq!(reasons(&set, &q), expected, "{annotations}");
    };
    check("@max_ttl(\"1h\") @justification(\"required\")", |_| {}, &[Why::JustificationNeeded]);
    check("@max_ttl(\"1h\") @ticket(\"required\")", |_| {}, &[Why::TicketNeeded]);
    check(
        "@max_ttl(\"1h\") @step_up(\"15m\") @ticket(\"required\")",
        |q| q.proof_age = Span::from_micros(Span::from_mins(15).micros() + 1),
        &[Why::TicketNeeded, Why::StepUpNeeded { max_age_micros: Span::from_mins(15).micros() }],
    );
    check(
        "@max_ttl(\"1h\") @recording(\"required\")",
        |q| q.serves = Capabilities { brokered: true, recording: false },
        &[Why::CannotServe { what: "recorded sessions".to_owned() }],
    );
    check(
        "@max_ttl(\"1h\") @mode(\"brokered\")",
        |q| q.serves = Capabilities { brokered: false, recording: false },
        &[Why::CannotServe { what: "sessions through the gateway".to_owned() }],
    );
    check("@max_ttl(\"1h\")", |q| q.groups.clear(), &[Why::NoPath]);
    check("@max_ttl(\"1h\")", |q| q.person.standing = Standing::Disabled, &[Why::Disabled]);
    check("@max_ttl(\"1h\")", |q| q.role.kind = "postgres".parse().unwrap(), &[Why::NoPath]);
    check(
        "@max_ttl(\"1h\")",
        |q| {
            q.role.kind = "vnc".parse().unwrap();
            q.resource.kind = "vnc".parse().unwrap();
        },
        &[Why::CannotServe { what: "kind `vnc`".to_owned() }],
    );
    // Exactly as old, exactly as long as allowed is allowed.
    let mut q = ask();
    q.proof_age = Span::from_mins(15);
    assert_eq!(path(&load(&access("p", "@max_ttl(\"1h\") @step_up(\"15m\")")), &q), "p");
}

#[test]
fn some_way_is_left_by_the_path_and_by_the_ask_and_is_served() {
    let (gateway, directly) = (Some("sessions through the gateway"), Some("this role or task without the gateway"));
    for (mode, ways, brokered, missing) in [
        ("any", Ways::Any, true, None),
        ("any", Ways::Any, false, None),
        ("any", Ways::GatewayOnly, true, None),
        ("any", Ways::GatewayOnly, false, gateway),
        ("direct", Ways::Any, true, None),
        ("direct", Ways::Any, false, None),
        ("direct", Ways::GatewayOnly, true, directly),
        ("direct", Ways::GatewayOnly, false, gateway),
        ("brokered", Ways::Any, true, None),
        ("brokered", Ways::Any, false, gateway),
        ("brokered", Ways::GatewayOnly, true, None),
        ("brokered", Ways::GatewayOnly, false, gateway),
    ] {
        let set = load(&access("p", &format!("@max_ttl(\"1h\") @mode(\"{mode}\")")));
        let mut q = ask();
        q.ways = ways;
        q.serves.brokered = brokered;
        match missing {
            None => assert_eq!(path(&set, &q), "p", "{mode} {ways:?} {brokered}"),
            Some(what) => {
                let expected = Why::CannotServe { what: what.to_owned() };
                assert_eq!(reasons(&set, &q), [expected], "{mode} {ways:?} {brokered}");
            }
        }
    }
}

/// INVARIANT: doubt is a no, for a permit as for a forbid, whatever else applies.
#[test]
fn a_failing_policy_denies() {
    let open = access("open", "@max_ttl(\"8h\")");
    let overflow = "when { context.duration * 9223372036854775807 > 0 }";
    for (id, failing) in [
        ("f", format!("@id(\"f\") forbid (principal, action == Action::\"access\", resource) {overflow};")),
        ("g", format!("@id(\"g\") @max_ttl(\"1h\") permit (principal, action == Action::\"access\", resource) {overflow};")),
        ("h", format!("@id(\"h\") forbid (principal, action, resource) when {{ true }} {overflow};").replace("action,", "action == Action::\"access\",")),
        (
            "t",
            "@id(\"t\") forbid (principal, action == Action::\"access\", resource) when { context has terms && context.terms.max_ttl * 9223372036854775807 > 0 };"
                .to_owned(),
        ),
    ] {
        let got = reasons(&load(&(open.clone() + &failing)), &ask());
        assert!(matches!(got.as_slice(), [Why::PolicyError { policy, .. }] if policy == id), "{failing}: {got:?}");
        let Decision::Deny(denial) = judge(&load(&(open.clone() + &failing)), &ask().query()) else { panic!("{failing}") };
        assert_eq!(denial.basis.determining, [id], "what failed is what decided");
        // Alone too: that it failed is the reason, not that there is no path.
        if id != "t" {
            let got = reasons(&load(&failing), &ask());
            assert!(matches!(got.as_slice(), [Why::PolicyError { .. }]), "{failing}: {got:?}");
        }
    }
    // Out of scope, it neither applies nor fails.
    let elsewhere =
        format!("@id(\"e\") forbid (principal, action == Action::\"access\", resource is Database) {overflow};");
    assert_eq!(path(&load(&(open + &elsewhere)), &ask()), "open");
}

/// What fails denies whatever else is asked, too: a forbid that could not be evaluated is not skipped.
#[test]
fn a_failing_policy_denies_every_action() {
    let open = "@id(\"open\") permit (principal, action == Action::\"approve\", resource);";
    let failing = "@id(\"f\") forbid (principal, action == Action::\"approve\", resource) when { context.duration * 9223372036854775807 > 0 };";
    let asker = ask();
    let requester = question("zoe", &[], "deploy", "ssh:web1", &[]);
    let allowed = |text: &str| {
        let on = Object::Ask {
            what: asker.thing(),
            role: &asker.role,
            requester: requester.subject(),
            duration: Span::from_hours(1),
            instead_of: None,
        };
        let query = ActionQuery { who: asker.subject(), on, proof: asker.proof(), moment: asker.moment() };
        allows(&load(text), Action::Approve, &query)
    };
    assert!(allowed(open).allowed);
    let denied = allowed(&format!("{open}\n{failing}"));
    assert!(!denied.allowed && denied.errors.iter().any(|why| why.contains("`f`")), "{denied:?}");
    assert!(denied.is_objected_to(), "what fails is no lack of a permit");
}

/// Whoever may load policies may put in force what somebody proposed, which a guardrail knows; nothing else can be done to that.
#[test]
fn a_proposal_is_put_in_force_and_nothing_else() {
    let everything = "@id(\"all\") @max_ttl(\"1h\") permit (principal, action, resource);";
    let not_alone = "@id(\"two\") forbid (principal, action == Action::\"manage_policy\", resource) when { context has proposed_by && context.proposed_by == principal };";
    let asker = ask();
    let other = question("zoe", &[], "deploy", "ssh:web1", &[]);
    let set = load(&format!("{everything}{not_alone}"));
    for action in Action::ALL {
        for (by, good) in [(&other, action == Action::ManagePolicy), (&asker, false)] {
            let on = Object::Proposal(by.subject());
            let query = ActionQuery { who: asker.subject(), on, proof: asker.proof(), moment: asker.moment() };
            let said = allows(&set, action, &query);
            assert_eq!(said.allowed, good, "{} by {}: {said:?}", action.name(), by.person.name);
            assert_eq!(said.errors.is_empty(), action == Action::ManagePolicy, "{}: {said:?}", action.name());
        }
    }
}

/// Of whoever stands in for another a guardrail is heard, and a permit is not asked for.
#[test]
fn a_guardrail_objects_and_the_lack_of_a_permit_does_not() {
    let asker = ask();
    let (requester, away) =
        (question("zoe", &[], "deploy", "ssh:web1", &[]), question("kim", &["sre"], "deploy", "ssh:web1", &[]));
    let permit =
        "@id(\"security\") permit (principal in Group::\"security\", action == Action::\"approve\", resource);";
    let nobody = "@id(\"no\") forbid (principal, action == Action::\"approve\", resource) when { context has instead_of && context.instead_of in Group::\"sre\" };";
    for (text, stands_in, objected) in [
        (permit.to_owned(), true, false),
        (format!("{permit}{nobody}"), true, true),
        (format!("{permit}{nobody}"), false, false),
    ] {
        let on = Object::Ask {
            what: asker.thing(),
            role: &asker.role,
            requester: requester.subject(),
            duration: Span::from_hours(1),
            instead_of: stands_in.then(|| away.subject()),
        };
        let query = ActionQuery { who: asker.subject(), on, proof: asker.proof(), moment: asker.moment() };
        let said = allows(&load(&text), Action::Approve, &query);
        assert_eq!((said.allowed, said.is_objected_to()), (false, objected), "{text}: {said:?}");
    }
}

#[test]
fn guardrails_see_the_terms_of_the_path() {
    let lax = access("lax", "@max_ttl(\"8h\")");
    let strict = access("strict", "@max_ttl(\"8h\") @recording(\"required\") @approve(\"1 of owner\")");
    let floors = [
        "@id(\"floor\") @reason(\"recorded only\") forbid (principal, action == Action::\"access\", resource) when { context has terms && !context.terms.recording };",
        "@id(\"floor\") @reason(\"recorded only\") forbid (principal, action == Action::\"access\", resource) unless { context has terms && context.terms.recording };",
        "@id(\"floor\") @reason(\"recorded only\") forbid (principal, action == Action::\"access\", resource) when { context has terms && context.terms.human_stages < 1 };",
    ];
    for floor in floors {
        assert_eq!(path(&load(&format!("{lax}{strict}{floor}")), &ask()), "strict", "{floor}");
        let forbidden = Why::Forbidden { policy: "floor".to_owned(), reason: Some("recorded only".to_owned()) };
        assert_eq!(reasons(&load(&format!("{lax}{floor}")), &ask()), [forbidden], "{floor}");
        assert_eq!(reasons(&load(floor), &ask()), [Why::NoPath], "{floor}");
    }
}

#[test]
fn each_term_is_what_a_guardrail_sees() {
    for (annotations, seen) in [
        ("@max_ttl(\"7h\")", "max_ttl == 25200"),
        ("@max_ttl(\"8h\") @approve(\"2 of owner; then 1 of manager\")", "human_stages == 2"),
        ("@max_ttl(\"8h\") @approve(\"2 of owner; then 1 of manager\")", "quorum == 3"),
        ("@max_ttl(\"8h\") @approve(\"1 of owner\") @signature(\"required\")", "signature"),
        ("@max_ttl(\"8h\") @recording(\"required\")", "recording"),
        ("@max_ttl(\"8h\") @step_up(\"15m\")", "step_up"),
        ("@max_ttl(\"8h\") @mode(\"brokered\") @reproof(\"15m\")", "reproof"),
        ("@max_ttl(\"8h\") @mode(\"brokered\")", "mode == \"brokered\""),
        ("@max_ttl(\"8h\") @mode(\"direct\")", "mode == \"direct\""),
    ] {
        let only = format!(
            "@id(\"only\") forbid (principal, action == Action::\"access\", resource) unless {{ context has terms && context.terms.{seen} }};"
        );
        assert_eq!(path(&load(&(access("p", annotations) + &only)), &ask()), "p", "{annotations}");
        let forbidden = Why::Forbidden { policy: "only".to_owned(), reason: None };
        assert_eq!(reasons(&load(&(access("p", "@max_ttl(\"8h\")") + &only)), &ask()), [forbidden], "{seen}");
    }
}

/// Another that applies does not stand in for a path that its own terms close.
#[test]
fn a_path_that_takes_the_context_whole_stands_or_falls_by_itself() {
    let taking =
        |id: &str, condition: &str| access(id, "@max_ttl(\"8h\")").replace(';', &format!(" when {{ {condition} }};"));
    let open = |id: &str| taking(id, "context == context");
    let closed = |id: &str| taking(id, "!({whole: context}.whole has terms)");
    assert_eq!(path(&load(&open("a")), &ask()), "a");
    assert_eq!(path(&load(&(open("a") + &closed("b"))), &ask()), "a");
    for text in [closed("a"), closed("a") + &open("b")] {
        let got = reasons(&load(&text), &ask());
        assert!(matches!(got.as_slice(), [Why::PolicyError { policy, .. }] if policy == "a"), "{text}: {got:?}");
    }
}

#[test]
fn a_forbid_wins_over_every_path() {
    let text = access("a", "@max_ttl(\"8h\")")
        + "@id(\"weekend\") forbid (principal, action == Action::\"access\", resource) when { [\"sat\", \"sun\"].contains(context.local.weekday) };"
        + "@id(\"slow\") forbid (principal, action == Action::\"access\", resource) unless { context has residual_sessions && context.residual_sessions <= 60 };";
    let set = load(&text);
    let mut q = ask();
    let forbidden = |policy: &str| Why::Forbidden { policy: policy.to_owned(), reason: None };
    assert_eq!(reasons(&set, &q), [forbidden("weekend"), forbidden("slow")]);
    q.now = "2026-11-20T10:00:00Z".parse().unwrap();
    assert_eq!(reasons(&set, &q), [forbidden("slow")]);
    q.residual = Some(Span::from_micros(60_000_001));
    assert_eq!(reasons(&set, &q), [forbidden("slow")], "seconds round up");
    q.residual = Some(Span::from_secs(60));
    assert_eq!(path(&set, &q), "a");
}

#[test]
fn the_basis_says_what_was_judged() {
    let set = load(&access("a", "@max_ttl(\"8h\")"));
    let facts = |q: &Question| match judge(&set, &q.query()) {
        Decision::Permit(p) => p.basis().facts,
        Decision::Deny(d) => d.basis.facts,
    };
    let Decision::Permit(permit) = judge(&set, &ask().query()) else { panic!("denied") };
    assert_eq!(permit.basis().policy_set, set.digest());
    assert_eq!(permit.basis().determining, ["a"]);
    assert_eq!(permit.basis().at, ask().now);
    let changes: [fn(&mut Question); 10] = [
        |q| q.person.name = "bob".parse().unwrap(),
        |q| q.groups.push("dba".parse().unwrap()),
        |q| drop(q.person.attributes.insert("team".parse().unwrap(), "red".parse().unwrap())),
        |q| drop(q.resource.labels.insert("tier".parse().unwrap(), "1".parse().unwrap())),
        |q| q.owner = Some("dba".parse().unwrap()),
        |q| q.role.definition = serde_json::json!({ "user": "root" }),
        |q| q.duration = Span::from_micros(q.duration.micros() + 1),
        |q| q.ticket = Some("OPS-1".parse().unwrap()),
        |q| q.proof_age = Span::from_secs(61),
        |q| q.now = q.now.plus(Span::from_micros(1)),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut q = ask();
        change(&mut q);
        assert_ne!(facts(&q), facts(&ask()), "change {i} left the digest of the facts as it was");
    }
}
