//! Policy text, its annotations, and the facts it is judged over.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::decision::Decision;
use wane_domain::directory::{Person, Standing};
use wane_domain::text::{Line, Name, Ticket};
use wane_domain::time::Span;
use wane_policy::judge::judge;
use wane_policy::query::{AccessQuery, Capabilities, Facts, Moment, OwnedBy, Proof, Subject, Thing, Ways};
use wane_policy::schema::{KindFragment, SchemaParts};
use wane_policy::set::PolicySet;

use crate::access::{NOW, ambient};
use crate::draw::Draw;
use crate::ssh::LONGEST_REFUSAL;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use crate::draw::{texts, words};

    pub(crate) fn policy_text() -> Vec<Vec<u8>> {
        texts(&[
            r#"@id("a") @max_ttl("8h") @approve("1 of group:leads, owner") @step_up("15m") permit (principal in Group::"staff", action == Action::"access", resource in Label::"env=prod") when { context.role == "deploy" && context.duration <= duration("1h") };"#,
            r#"@id("g") @reason("not at night") forbid (principal, action == Action::"access", resource is Host) unless { context.terms.recording || principal.hasTag("team") && principal.getTag("team") == "red" };"#,
            r#"@id("s") permit (principal, action in [Action::"read_log", Action::"lock"], resource);"#,
            r#"@id("b") @max_ttl("1h") permit (principal, action == Action::"access", resource) when { if resource.name like "a*b\*" then [1,2].contains(1) else ip("10.0.0.1").isInRange(ip("10.0.0.0/8")) };"#,
            wane_policy::STARTER,
        ])
    }

    pub(crate) fn policy_notes() -> Vec<Vec<u8>> {
        [
            ["max_ttl", "8h"],
            ["approve", "1 of group:leads"],
            ["approve", "2 of owner, manager; 1 of person:ada"],
            ["step_up", "15m"],
            ["mode", "direct"],
            ["recording", "required"],
            ["justification", "required"],
            ["approval_window", "2h"],
            ["max_tll", "8h"],
            ["description", "a \" quote"],
        ]
        .iter()
        .map(|pair| words(pair))
        .collect()
    }

    pub(crate) fn policy_facts() -> Vec<Vec<u8>> {
        vec![words(&["prod", "red", "env", "INC-1"]), words(&["prod\" || true || \"", "x=prod", "__entity", "${env}"])]
    }
}

static PARTS: LazyLock<SchemaParts> = LazyLock::new(|| {
    let kind = |kind: &str, entity: &str| KindFragment { kind: kind.parse().unwrap(), entity: entity.to_owned() };
    SchemaParts::new([kind("ssh", "Host"), kind("postgres", "Database")]).unwrap()
});

const NO_TO_ALL: &str = "\n;@id(\"zz-no-to-all\") forbid (principal, action, resource);";
const NO_TO_ACCESS: &str = "\n@id(\"zz-no-to-all\") forbid (principal, action == Action::\"access\", resource);";

struct Question {
    person: Person,
    resource: Resource,
    role: Role,
    ticket: Option<Ticket>,
}

fn question() -> Question {
    let ambient = ambient();
    let person = Person {
        id: ambient.id(),
        name: "ana".parse().unwrap(),
        display: "Ana".parse().unwrap(),
        manager: None,
        attributes: BTreeMap::from([("team".parse().unwrap(), "red".parse().unwrap())]),
        standing: Standing::Active,
        since: NOW,
        stay: wane_domain::directory::Stay::default(),
        kept_by: None,
    };
    let resource = Resource {
        id: ambient.id(),
        name: "one".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        labels: BTreeMap::from([("env".parse().unwrap(), "prod".parse().unwrap())]),
        owner: None,
        settings: serde_json::Value::Null,
        since: NOW,
    };
    let role = Role {
        id: ambient.id(),
        name: "deploy".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        description: "".parse().unwrap(),
        definition: serde_json::json!({}),
        since: NOW,
    };
    Question { person, resource, role, ticket: Some("INC-1".parse().unwrap()) }
}

impl Question {
    fn judged(&self, set: &PolicySet) -> Decision {
        let (staff, leads) = ("staff".parse::<Name>().unwrap(), "leads".parse::<Name>().unwrap());
        let query = AccessQuery {
            who: Subject { person: &self.person, groups: BTreeSet::from([&staff]) },
            what: Thing { resource: &self.resource, owner: Some(OwnedBy::Group(&leads)) },
            role: &self.role,
            facts: Facts {
                job: None,
                duration: Span::from_hours(1),
                start_in: Span::ZERO,
                justified: true,
                ticket: self.ticket.as_ref(),
                task: None,
                proof: Proof::said("password+totp", Span::from_mins(1)),
                moment: Moment { now: NOW, zone: &TimeZone::UTC },
                residual_sessions: None,
            },
            ways: Ways::Any,
            serves: Capabilities { brokered: true, recording: true },
        };
        judge(set, &query)
    }
}

pub(crate) fn policy_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let set = match PolicySet::load(&text, &PARTS) {
        Ok(set) => set,
        Err(problems) => {
            assert!(!problems.is_empty());
            let lines = u64::try_from(text.lines().count()).unwrap() + 1;
            for problem in problems {
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem:?}");
                assert!(problem.to_string().len() < data.len() * 4 + LONGEST_REFUSAL, "{problem}");
            }
            return;
        }
    };
    assert_eq!(set.digest(), PolicySet::digest_of(&text));
    let asked = question();
    let said = asked.judged(&set);
    assert_eq!(format!("{said:?}"), format!("{:?}", asked.judged(&set)), "a second judgement differs");
    assert!(matches!(said, Decision::Deny(_)) || !set.is_empty(), "no policy permits");
    for no in [NO_TO_ALL, NO_TO_ACCESS] {
        if let Ok(set) = PolicySet::load(&format!("{text}{no}"), &PARTS) {
            assert!(matches!(asked.judged(&set), Decision::Deny(_)), "a guardrail was crossed");
        }
    }
}

pub(crate) fn policy_notes(data: &[u8]) {
    let mut draw = Draw::new(data);
    let (key, value) = (draw.word(), draw.text());
    if !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') || key.is_empty() {
        return;
    }
    let quoted: String = value.chars().map(|c| format!("\\u{{{:x}}}", u32::from(c))).collect();
    let more = if key == "max_ttl" { "" } else { "@max_ttl(\"8h\")" };
    let text =
        format!("@id(\"a\") {more} @{key}(\"{quoted}\") permit (principal, action == Action::\"access\", resource);");
    let Ok(set) = PolicySet::load(&text, &PARTS) else { return };
    let terms = set.terms_of("a").unwrap();
    let span = Span::from_str(&value);
    match key.as_str() {
        "max_ttl" => assert_eq!(Ok(terms.max_ttl), span),
        "step_up" => assert_eq!(terms.step_up, span.ok()),
        "approval_window" => assert_eq!(Ok(terms.approval_window), span),
        "activation_window" => assert_eq!(Ok(terms.activation_window), span),
        "approve" => {
            assert!(!terms.stages.is_empty(), "`{value}` asks for nobody");
            assert!(terms.stages.iter().all(|stage| stage.quorum > 0 && !stage.approvers.is_empty()), "{value}");
        }
        "description" | "id" => {}
        "mode" | "recording" | "justification" | "ticket" => {
            assert!(["direct", "brokered", "any", "required", "optional"].contains(&value.as_str()), "{value}");
        }
        other => unreachable!("`@{other}` is no annotation"),
    }
}

static LABELLED: LazyLock<PolicySet> = LazyLock::new(|| {
    let text = "@id(\"a\") @max_ttl(\"8h\") permit (principal, action == Action::\"access\", resource in Label::\"env=prod\");
@id(\"b\") @max_ttl(\"8h\") permit (principal, action == Action::\"access\", resource) when { resource.hasTag(\"env\") && resource.getTag(\"env\") == \"prod\" };
@id(\"c\") @max_ttl(\"8h\") permit (principal, action == Action::\"access\", resource) when { principal.hasTag(\"team\") && principal.getTag(\"team\") == \"red\" };";
    PolicySet::load(text, &PARTS).ok().unwrap()
});

pub(crate) fn policy_facts(data: &[u8]) {
    let mut draw = Draw::new(data);
    let [env, team, key, ticket] = std::array::from_fn(|_| draw.word());
    let (Ok(label), Ok(attribute)) = (env.parse::<Line>(), team.parse::<Line>()) else { return };
    let mut asked = question();
    asked.ticket = ticket.parse().ok();
    asked.resource.labels = BTreeMap::from([("env".parse().unwrap(), label)]);
    asked.person.attributes = BTreeMap::from([("team".parse().unwrap(), attribute)]);
    let mut meant = env == "prod" || team == "red";
    if let (Ok(key), Ok(other)) = (key.parse::<Name>(), "prod".parse::<Line>()) {
        meant |= key.as_str() == "env";
        asked.resource.labels.insert(key.clone(), other.clone());
        asked.person.attributes.insert(key, other);
        meant &= asked.resource.labels.get("env").is_some_and(|env| env.as_str() == "prod")
            || asked.person.attributes.get("team").is_some_and(|team| team.as_str() == "red");
    }
    assert_eq!(matches!(asked.judged(&LABELLED), Decision::Permit(_)), meant);
}
