//! A signer that asks people to sign for tokens, and somebody who has taken over everything else: the store, the server,
//! and every message the signer is sent.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tempfile::TempDir;
use wane_connector::{SignError, Signer as _};
use wane_domain::ambient::Ambient;
use wane_domain::catalogue::Role;
use wane_domain::id::{OrgId, ResourceId};
use wane_domain::issue::Authority;
use wane_domain::lease::LeaseKind;
use wane_domain::request::{Ask, AskItem};
use wane_domain::time::Span;
use wane_keys::desk::message::{Bytes, Call, Reply};
use wane_keys::desk::root::{Guard, Known, Root, RootFile};
use wane_keys::desk::{Desk, Messenger};
use wane_keys::envelope::Keyring;
use wane_keys::seal::{Seal, SealName};
use wane_kind_oauth::{TOKEN_KEYS, TOKENS};
use wane_testkit::{Approver, FakeClock, Held, plain_ask};

use crate::world::{AUDIENCE, ISSUER, With, machine_now, new_key, signer};

/// A signer with its root, those who sign, and whoever makes up what it is asked.
struct Office {
    folder: TempDir,
    ambient: Ambient,
    org: OrgId,
    desk: Messenger,
    approvers: Vec<Approver>,
    api: ResourceId,
    other: ResourceId,
}

impl Office {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(machine_now());
        let ambient = clock.ambient(seed);
        let org: OrgId = ambient.id();
        let keys = signer(&[(TOKEN_KEYS[0], new_key(With::P256, &ambient))]);
        let approvers: Vec<Approver> =
            ["omar", "nina"].iter().map(|name| Approver::new(folder.path(), name, &ambient)).collect();
        let (api, other): (ResourceId, ResourceId) = (ambient.id(), ambient.id());

        let seal = Seal::open_machine(SealName::Issuing, &folder.path().join("issuing"), &ambient).unwrap();
        let (ring, _) = Keyring::create(&seal, org, &ambient).unwrap();
        let file = RootFile::at(folder.path().join("signer.root"), ring);
        let known = approvers
            .iter()
            .map(|one| (one.key, Known { person: one.person, material: one.material.clone(), since: ambient.now() }));
        let guard = |what: &str, quorum, at| {
            let name = (TOKENS.names)(what).unwrap().name;
            (name, Guard { quorum, most: Span::from_hours(2), at })
        };
        let guards = [
            guard(&format!("oauth:orders.write@{AUDIENCE}"), 1, Some(api)),
            guard(&format!("oauth:orders.drop@{AUDIENCE}"), 2, Some(api)),
            guard("oauth:https://vault.example", 1, Some(api)),
            guard("oauth:https://adrift.example", 1, None),
        ];
        let root = Root { version: 1, keys: known.collect(), guards: guards.into(), ..Root::default() };
        file.write(&root).unwrap();
        clock.advance(Span::from_mins(1));
        let readers = vec![(TOKEN_KEYS[0], TOKENS)];
        let desk = Messenger(Arc::new(Desk::open(org, keys, readers, file, ambient.clone())));
        Self { folder, ambient, org, desk, approvers, api, other }
    }

    fn role(&self, definition: &Value) -> Role {
        Role {
            id: self.ambient.id(),
            name: "use".parse().unwrap(),
            kind: "oauth".parse().unwrap(),
            description: String::new().try_into().unwrap(),
            definition: definition.clone(),
            since: self.ambient.now(),
        }
    }

    fn ask(&self, at: ResourceId, role: &Role) -> Ask {
        let item = AskItem { resource: at, role: role.id, role_digest: role.digest().unwrap(), task: None };
        Ask { org: self.org, ..plain_ask(&self.ambient, item, Span::from_hours(1)) }
    }

    /// A grant that the server says is there.
    fn grant(&self, ask: &Ask) -> Held {
        wane_testkit::hold(&self.ambient, ask.clone(), "oauth", LeaseKind::Credential, self.ambient.now())
    }

    /// What people really signed.
    fn authority(&self, ask: &Ask, role: &Role, who: &[usize]) -> Authority {
        let approvals = who.iter().map(|n| self.approvers[*n].approve(ask, &self.ambient)).collect();
        Authority { ask: ask.clone(), item: 0, role: role.clone(), extensions: Vec::new(), approvals }
    }

    /// What a token of this grant says that is good at this audience, in the order of its one spelling.
    fn token(&self, held: &Held, audience: &str, scope: &str, secs: i64, bound: &str) -> Vec<u8> {
        let now = self.ambient.now().seconds();
        let claims = format!(
            r#"{{"iss":"{ISSUER}","sub":"{}","aud":"{audience}","exp":{},"nbf":{now},"iat":{now},"jti":"tok_{}_7","client_id":"wane","scope":"{scope}","wane_grant":"{}"{bound}}}"#,
            held.grant.holder,
            now + secs,
            held.lease.id.suffix(),
            held.grant.id,
        );
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}", part(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#), part(&claims)).into_bytes()
    }

    fn sign(&self, held: &Held, rests_on: Option<Authority>, message: &[u8]) -> Result<(), SignError> {
        let permit = held.permit(self.ambient.now());
        let right = match rests_on {
            Some(authority) => permit.resting_on(authority).into_right(),
            None => permit.into_right(),
        };
        let right = Box::new(right);
        let call = Call::Issue { purpose: TOKEN_KEYS[0].to_owned(), right, message: Bytes(message.to_vec()) };
        match self.desk.call(&call)? {
            Reply::Signature(_) => Ok(()),
            other => panic!("it answered {other:?}"),
        }
    }

    fn refused(&self, what: &str, held: &Held, rests_on: Option<Authority>, message: &[u8]) -> String {
        match self.sign(held, rests_on, message) {
            Err(SignError::Unsigned(why)) => why,
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// With full control of the store and of every message: no token that people have to sign for.
#[test]
fn whoever_holds_the_server_gets_no_token_that_people_have_to_sign_for() {
    let office = Office::new(1);
    let role = office.role(&json!({ "scopes": ["orders.read", "orders.write"], "life_secs": 600, "bound": "key" }));
    let bound = r#","cnf":{"jkt":"thumb"}"#;
    let ask = office.ask(office.api, &role);
    let held = office.grant(&ask);
    let message = office.token(&held, AUDIENCE, "orders.read orders.write", 600, bound);
    let good = office.authority(&ask, &role, &[0]);
    let with = |change: &dyn Fn(&mut Authority)| {
        let mut forged = good.clone();
        change(&mut forged);
        Some(forged)
    };
    let refuse = |what: &str, rests_on| office.refused(what, &held, rests_on, &message);

    refuse("the store says it is approved", None);
    refuse("nobody approved", with(&|a| a.approvals.clear()));
    let mine = Approver::new(office.folder.path(), "mallory", &office.ambient);
    refuse("a key of one's own", with(&|a| a.approvals = vec![mine.approve(&ask, &office.ambient)]));
    refuse("a longer window", with(&|a| a.ask.duration = Span::from_hours(2)));
    refuse("somebody else's", with(&|a| a.ask.beneficiary = office.ambient.id()));
    let wide = Role { definition: json!({ "scopes": ["orders.write", "orders.drop"] }), ..role.clone() };
    refuse("the role rewritten", with(&|a| a.role = wide.clone()));

    // Another token than the role gives, with what people signed for that role.
    for (what, token) in [
        ("a scope more", office.token(&held, AUDIENCE, "admin orders.write", 600, bound)),
        ("bound to nothing", office.token(&held, AUDIENCE, "orders.write", 600, "")),
        ("bound to something else", office.token(&held, AUDIENCE, "orders.write", 600, r#","cnf":{"x5t#S256":"c"}"#)),
        ("longer than the role's", office.token(&held, AUDIENCE, "orders.write", 601, bound)),
        ("another scope that two sign for", office.token(&held, AUDIENCE, "orders.drop orders.write", 600, bound)),
    ] {
        office.refused(what, &held, Some(good.clone()), &token);
    }
    // At another resource, whose settings are made to say this audience.
    let there = office.ask(office.other, &role);
    let there_held = office.grant(&there);
    let token = office.token(&there_held, AUDIENCE, "orders.write", 600, bound);
    let signed_there = office.authority(&there, &role, &[0]);
    let why = office.refused("signed for another server", &there_held, Some(signed_there), &token);
    assert!(why.contains("another resource's"), "{why}");
    let token = office.token(&there_held, "https://vault.example", "anything", 600, bound);
    office.refused("a whole audience", &there_held, None, &token);
    let token = office.token(&there_held, "https://adrift.example", "anything", 600, bound);
    let why = office.refused("guarded without saying where", &there_held, None, &token);
    assert!(why.contains("--at"), "{why}");

    // What nobody guards is signed as the server says.
    office.sign(&there_held, None, &office.token(&there_held, AUDIENCE, "orders.read", 600, "")).unwrap();
    // And what people signed for, as they did; less of it too, which is what exchanges give.
    office.sign(&held, Some(good.clone()), &message).unwrap();
    office.sign(&held, Some(good.clone()), &office.token(&held, AUDIENCE, "orders.write", 60, bound)).unwrap();
    let again = office.grant(&ask);
    let replayed = office.token(&again, AUDIENCE, "orders.write", 600, bound);
    office.refused("replayed for another grant", &again, Some(good.clone()), &replayed);
    office.desk.ended(held.grant.id);
    office.refused("replayed once it is over", &held, Some(good), &message);
    let publish = Call::Publish { purpose: TOKEN_KEYS[0].to_owned(), what: String::new(), message: Bytes(message) };
    assert!(matches!(office.desk.call(&publish), Err(SignError::WrongRoad { .. })));
}

#[test]
fn as_many_as_were_said_sign_for_a_scope() {
    let office = Office::new(2);
    let role = office.role(&json!({ "scopes": ["orders.drop", "orders.write"] }));
    let ask = office.ask(office.api, &role);
    let held = office.grant(&ask);
    let token = office.token(&held, AUDIENCE, "orders.drop orders.write", 600, "");
    office.refused("one of two", &held, Some(office.authority(&ask, &role, &[0])), &token);
    office.sign(&held, Some(office.authority(&ask, &role, &[0, 1])), &token).unwrap();
}
