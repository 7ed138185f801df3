//! What approvers sign: its bytes, and where a signature counts.

use proptest::prelude::*;
use wane_domain::approval::{
    ApproverKey, KeyMaterial, LONGEST_STATEMENT, Removed, Says, Seat, Signature, Signed, Statement, StatementError,
    Voucher,
};
use wane_domain::canonical::Digest;
use wane_domain::request::{AccessRequest, Approval, ItemEvent, Opening, Start};
use wane_domain::terms::{Need, Terms};
use wane_domain::time::{Span, Time};

use crate::fixtures::{T0, as_json, ask, id, person, terms};

/// A moment that can be read.
const AT: Time = Time::from_micros(1_795_000_000_000_000);

fn statement() -> Statement {
    Statement {
        org: "org_0000000000000000000000000g".parse().unwrap(),
        request: Digest::from([0xab; 32]),
        narrowed: None,
        seats: vec![Seat { item: 0, stage: 1 }],
        decision: Says::Approve,
        approver: "per_0000000000000000000000000o".parse().unwrap(),
        instead_of: None,
        key: "apk_00000000000000000000000010".parse().unwrap(),
        at: AT,
        nonce: "00112233445566778899aabbccddeeff".to_owned(),
    }
}

/// The vectors of `docs/approvals.md`. Never change these: what was signed stays signed.
#[test]
fn the_bytes_that_are_signed_are_these() {
    let ab = "ab".repeat(32);
    let plain = format!(
        "wane.approval.v1\n{{\"approver\":\"per_0000000000000000000000000o\",\"at\":1795000000000000,\"decision\":\"approve\",\"key\":\"apk_00000000000000000000000010\",\"nonce\":\"00112233445566778899aabbccddeeff\",\"org\":\"org_0000000000000000000000000g\",\"request\":\"{ab}\",\"seats\":[{{\"item\":0,\"stage\":1}}]}}"
    );
    assert_eq!(statement().text().unwrap(), plain);
    let cd = "cd".repeat(32);
    let narrowed = Statement {
        narrowed: Some(Digest::from([0xcd; 32])),
        seats: vec![Seat { item: 0, stage: 0 }, Seat { item: 2, stage: 0 }],
        ..statement()
    };
    let text = plain
        .replace(",\"nonce\"", &format!(",\"narrowed\":\"{cd}\",\"nonce\""))
        .replace("[{\"item\":0,\"stage\":1}]", "[{\"item\":0,\"stage\":0},{\"item\":2,\"stage\":0}]");
    assert_eq!(narrowed.text().unwrap(), text);
    assert_eq!(
        Statement::challenge(&plain).to_string(),
        "ece8bff6d5438f0d83805e07d1b352588705205536eedbe17535b0b810a85303"
    );
}

#[test]
fn a_statement_has_one_spelling() {
    let text = statement().text().unwrap();
    assert_eq!(Statement::read(&text).unwrap(), statement());
    // Who stands in for somebody says so in a statement of its own sort, and nobody else does.
    let instead = Statement { instead_of: Some(person(9)), ..statement() };
    let theirs = instead.text().unwrap();
    assert!(theirs.starts_with("wane.approval.v2\n") && theirs.contains("\"instead_of\":\"per_"), "{theirs}");
    assert_eq!(Statement::read(&theirs).unwrap(), instead);
    assert_eq!(Statement::read(&theirs.replace("v2", "v1")), Err(StatementError::Spelling));
    assert_eq!(Statement::read(&text.replace("v1", "v2")), Err(StatementError::Spelling));
    assert_eq!(Statement::read(&text.replace("v1", "v3")), Err(StatementError::Domain));
    assert_eq!(Statement::read(&text.replace(':', ": ")), Err(StatementError::Spelling));
    assert!(Statement::read(&text.replace("\"item\":0", "\"item\":0.0")).is_err());
    for bad in
        ["", "wane.approval.v1", "wane.approval.v1\n", "wane.approval.v1\n{}", &text.replace("approve\"", "deny\"")]
    {
        assert!(Statement::read(bad).is_err(), "{bad:?}");
    }
    let more = text.replace("{\"approver\"", "{\"also\":1,\"approver\"");
    assert!(matches!(Statement::read(&more), Err(StatementError::Shape(_))));
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(
        seats in prop::collection::vec((0u16..40, 0u16..9), 0..40), at in 0i64..4_000_000_000_000_000,
        nonce in "[0-9a-f]{32}", narrowed in any::<Option<[u8; 32]>>(),
        instead in any::<Option<u8>>(),
    ) {
        let seats = seats.into_iter().map(|(item, stage)| Seat { item, stage }).collect();
        let said = Statement { seats, at: Time::from_micros(at), nonce, narrowed: narrowed.map(Digest::from), instead_of: instead.map(person), ..statement() };
        prop_assert_eq!(Statement::read(&said.text().unwrap()), Ok(said));
    }
}

/// A statement is no place to keep things.
#[test]
fn a_statement_has_a_longest_length() {
    let room = LONGEST_STATEMENT - statement().text().unwrap().len();
    let padded = |more: usize| {
        let said = Statement { nonce: format!("{}{}", statement().nonce, "0".repeat(more)), ..statement() };
        (Statement::read(&said.text().unwrap()), said)
    };
    let (longest, said) = padded(room);
    assert_eq!(longest, Ok(said));
    for more in [room + 1, room + 1000] {
        assert!(matches!(padded(more).0, Err(StatementError::Shape(_))), "{more}");
    }
}

/// One item for as many people, whose path asks for signatures.
fn needs(quorum: u16) -> AccessRequest {
    let terms = Terms { signature: Need::Required, ..terms(Span::from_hours(8), &[quorum]) };
    let path = Opening::Path { terms, path: "path".to_owned() };
    let asked = ask(Span::from_hours(2), Start::Now, None);
    AccessRequest::open(id(30), asked, vec![path], T0, T0.plus(Span::from_hours(24))).unwrap().0
}

/// That somebody says yes to it, as it is asked.
fn yes(to: &AccessRequest, who: u8) -> Statement {
    Statement {
        org: to.ask.org,
        request: to.digest,
        seats: vec![Seat { item: 0, stage: 0 }],
        approver: person(who),
        at: T0,
        ..statement()
    }
}

fn signed(said: &Statement) -> Signed {
    Signed {
        statement: said.text().unwrap(),
        key: KeyMaterial::Ssh(String::new()),
        signature: Signature::Ssh(String::new()),
    }
}

fn by(who: u8, signed: Option<Signed>, digest: Digest) -> Approval {
    Approval {
        approver: person(who),
        instead_of: None,
        asked_after: None,
        stage: 0,
        digest,
        at: T0,
        signed: signed.map(Box::new),
    }
}

#[test]
fn a_signed_approval_counts_where_it_says_and_nowhere_else() {
    let request = needs(1);
    let good = yes(&request, 12);
    let other = Digest::from([1; 32]);
    for (what, approval) in [
        ("unsigned", by(12, None, request.digest)),
        ("by another", by(13, Some(signed(&good)), request.digest)),
        ("over another", by(12, Some(signed(&Statement { request: other, ..good.clone() })), request.digest)),
        ("over less", by(12, Some(signed(&Statement { narrowed: Some(other), ..good.clone() })), request.digest)),
        (
            "for another item",
            by(
                12,
                Some(signed(&Statement { seats: vec![Seat { item: 1, stage: 0 }], ..good.clone() })),
                request.digest,
            ),
        ),
        (
            "for another stage",
            by(
                12,
                Some(signed(&Statement { seats: vec![Seat { item: 0, stage: 1 }], ..good.clone() })),
                request.digest,
            ),
        ),
        ("for nothing", by(12, Some(signed(&Statement { seats: vec![], ..good.clone() })), request.digest)),
        (
            "in another's place",
            by(12, Some(signed(&Statement { instead_of: Some(person(13)), ..good.clone() })), request.digest),
        ),
        ("elsewhere", by(12, Some(signed(&Statement { org: id(99), ..good.clone() })), request.digest)),
    ] {
        assert!(needs(1).apply(0, ItemEvent::Approve(approval), T0).is_err(), "{what}");
    }
    let (approved, fact) =
        needs(1).apply(0, ItemEvent::Approve(by(12, Some(signed(&good)), request.digest)), T0).unwrap();
    assert_eq!(approved.items[0].state.name(), "approved");
    assert!(fact.detail["signed"]["statement"].as_str().is_some_and(|said| said.starts_with("wane.approval.v1\n")));
}

#[test]
fn a_key_counts_while_it_is_there() {
    let later = |n| T0.plus(Span::from_secs(n));
    let key = ApproverKey {
        id: id(3),
        person: person(1),
        name: "k".parse().unwrap(),
        material: KeyMaterial::Ssh(String::new()),
        since: later(10),
        proof: "passkey".to_owned(),
        removed: None,
    };
    let gone = ApproverKey { removed: Some(Removed { by: person(1), at: later(30) }), ..key.clone() };
    assert!(key.is_there() && !gone.is_there());
    for (key, asked, used, counts) in [
        (&key, 11, None, true),
        (&key, 10, None, false),
        (&key, 9, None, false),
        (&key, 9, Some(20), false),
        (&gone, 11, None, false),
        (&gone, 11, Some(29), true),
        (&gone, 11, Some(30), false),
        (&gone, 11, Some(31), false),
    ] {
        assert_eq!(key.counts_for(later(asked), used.map(later)), counts, "{asked} {used:?}");
    }
}

/// Also where what is stored was changed: an approval whose signature is no longer there opens nothing.
#[test]
fn a_path_that_asks_for_signatures_yields_a_grant_on_signatures_alone() {
    let request = needs(1);
    let approval = by(12, Some(signed(&yes(&request, 12))), request.digest);
    let approved = request.apply(0, ItemEvent::Approve(approval), T0).unwrap().0;
    assert!(approved.clone().mint_from(0, id(40)).is_ok());
    let mut changed = as_json(&approved);
    changed["items"][0]["approvals"][0].as_object_mut().unwrap().remove("signed").unwrap();
    let unsigned = wane_domain::stored::request(serde_json::from_value(changed).unwrap());
    assert!(unsigned.mint_from(0, id(40)).is_err());
}

/// By whoever gave them: when a key is taken away, these are what is lost.
#[test]
fn the_approvals_that_were_signed_with_a_key_are_found() {
    let mut request = needs(4);
    for (who, key) in [(11, 1), (12, 2), (13, 1)] {
        let said = Statement { key: id(key), ..yes(&request, who) };
        let approval = by(who, Some(signed(&said)), request.digest);
        request = request.apply(0, ItemEvent::Approve(approval), T0).unwrap().0;
    }
    let mut item = request.items[0].clone();
    item.approvals.push(by(14, None, request.digest));
    for (key, by) in [(1, vec![person(11), person(13)]), (2, vec![person(12)]), (3, vec![])] {
        assert_eq!(item.signed_with(id(key)).map(|a| a.approver).collect::<Vec<_>>(), by, "{key}");
    }
}

/// Terms from before there were signatures read as those that need none, and are written as they were.
#[test]
fn terms_that_need_no_signature_are_stored_as_before() {
    for (signature, stored) in [(Need::Optional, None), (Need::Required, Some("required"))] {
        let terms = Terms { signature, ..terms(Span::from_hours(8), &[1]) };
        let written = as_json(&terms);
        assert_eq!(written.get("signature").and_then(|v| v.as_str()), stored);
        assert_eq!(serde_json::from_value::<Terms>(written).unwrap(), terms);
    }
}

/// The bytes of `docs/approvals.md`. Never change these: what was vouched for stays vouched for.
#[test]
fn a_voucher_has_one_spelling() {
    let voucher = Voucher {
        org: "org_0000000000000000000000000g".parse().unwrap(),
        key: "apk_00000000000000000000000010".parse().unwrap(),
        person: "per_0000000000000000000000000o".parse().unwrap(),
        material: KeyMaterial::Ssh("ssh-ed25519 AAAA".to_owned()),
        by: "per_0000000000000000000000000g".parse().unwrap(),
        with: "apk_0000000000000000000000000g".parse().unwrap(),
        at: AT,
        nonce: "00112233445566778899aabbccddeeff".to_owned(),
    };
    let text = "wane.approver-key.v1\n{\"at\":1795000000000000,\"by\":\"per_0000000000000000000000000g\",\"key\":\"apk_00000000000000000000000010\",\"material\":{\"ssh\":\"ssh-ed25519 AAAA\"},\"nonce\":\"00112233445566778899aabbccddeeff\",\"org\":\"org_0000000000000000000000000g\",\"person\":\"per_0000000000000000000000000o\",\"with\":\"apk_0000000000000000000000000g\"}";
    assert_eq!(voucher.text().unwrap(), text);
    assert_eq!(Voucher::read(text), Ok(voucher));
    assert_eq!(Voucher::read(&text.replace(':', ": ")), Err(StatementError::Spelling));
    for other in ["", "wane.approver-key.v1", &text.replace("v1", "v2"), &statement().text().unwrap()] {
        assert_eq!(Voucher::read(other), Err(StatementError::Domain), "{other}");
    }
    let more = text.replace("{\"at\"", "{\"also\":1,\"at\"");
    assert!(matches!(Voucher::read(&more), Err(StatementError::Shape(_))));
}
