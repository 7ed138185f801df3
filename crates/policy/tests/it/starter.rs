//! The starter policy, as a table: who may do what.

use wane_domain::decision::Decision;
use wane_domain::time::Span;
use wane_policy::STARTER;
use wane_policy::administer::{ActionQuery, Object, allows};
use wane_policy::judge::judge;
use wane_policy::schema::Action;

use crate::world::{Question, golden, load, question, shown};

fn verdict(question: &Question) -> String {
    match judge(&load(STARTER), &question.query()) {
        Decision::Permit(permit) => permit.basis().path.clone().unwrap(),
        Decision::Deny(denial) => denial.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn it_loads_without_a_warning() {
    let set = load(STARTER);
    assert_eq!(shown(set.warnings()), "");
    assert!(!set.is_empty());
}

#[test]
fn access() {
    let staging = [("env", "staging")];
    let prod = [("env", "prod")];
    let restricted = [("classification", "restricted"), ("env", "staging")];
    let check = |mut q: Question, hours: u64, justified: bool, expected: &str| {
        q.duration = Span::from_hours(hours);
        q.justified = justified;
        assert_eq!(verdict(&q), expected, "{} on {}", q.role.name, q.resource.name);
    };
    let ana = |role, on, labels: &[(&str, &str)]| question("ana", &["engineers"], role, on, labels);
    check(ana("deploy", "ssh:web1", &staging), 8, false, "engineers-on-staging");
    check(ana("deploy", "ssh:web1", &staging), 9, false, "too long; the most you can ask for is 8h");
    check(ana("root", "ssh:web1", &staging), 1, false, "no policy gives you this role on this resource");
    check(ana("deploy", "ssh:web2", &prod), 1, false, "no policy gives you this role on this resource");
    check(ana("readonly", "postgres:orders", &prod), 4, true, "prod-databases-readonly");
    check(ana("readonly", "postgres:orders", &prod), 4, false, "a justification is needed; say why you need it");
    check(
        ana("readonly", "postgres:orders", &prod),
        5,
        true,
        "guardrail `prod-at-most-4h` forbids it: on production, ask for four hours at most",
    );
    check(
        question("cy", &["engineers", "contractors"], "deploy", "ssh:web3", &restricted),
        1,
        true,
        "guardrail `no-contractors-on-restricted` forbids it: contractors have no access to what is labelled classification=restricted",
    );
    check(
        question("bob", &["admins"], "deploy", "ssh:web1", &staging),
        1,
        true,
        "no policy gives you this role on this resource",
    );
}

#[test]
fn the_stage_of_the_prod_database() {
    let mut q = question("ana", &["engineers"], "readonly", "postgres:orders", &[("env", "prod")]);
    q.justified = true;
    let Decision::Permit(permit) = judge(&load(STARTER), &q.query()) else { panic!("denied") };
    let stages: Vec<_> = permit.terms().stages.iter().map(ToString::to_string).collect();
    assert_eq!(stages, ["1 of owner, group:dba"]);
    assert_eq!((permit.terms().max_ttl, permit.terms().approval_window), (Span::from_hours(4), Span::from_hours(8)));
}

/// Every action, by admin, owner and somebody else, on the system, themselves, another and a resource.
#[test]
fn every_action_by_everyone() {
    let set = load(STARTER);
    let mut table = String::new();
    for action in Action::ALL {
        for (who, groups) in [("admin", &["admins"][..]), ("owner", &["dba"][..]), ("else", &[][..])] {
            let mut asker = question(who, groups, "readonly", "postgres:orders", &[("env", "prod")]);
            asker.owner = Some("dba".parse().unwrap());
            let other = question("zoe", &[], "readonly", "postgres:orders", &[]);
            let objects = [
                ("system", Object::System),
                ("self", Object::Person(asker.subject())),
                ("other", Object::Person(other.subject())),
                ("database", Object::Thing(asker.thing())),
                (
                    "ask",
                    Object::Ask {
                        what: asker.thing(),
                        role: &asker.role,
                        requester: other.subject(),
                        duration: Span::from_hours(1),
                        instead_of: None,
                    },
                ),
            ];
            let mut cells = Vec::new();
            for (on, object) in objects {
                let q = ActionQuery { who: asker.subject(), on: object, proof: asker.proof(), moment: asker.moment() };
                if allows(&set, action, &q).allowed {
                    cells.push(on);
                }
            }
            table.push_str(&format!(
                "{:<17} {who:<6} {}\n",
                action.name(),
                if cells.is_empty() { "-".to_owned() } else { cells.join(" ") }
            ));
        }
    }
    golden("starter-actions.txt", &table);
}
