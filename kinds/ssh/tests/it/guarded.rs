//! A signer that asks people to sign, and somebody who has taken over everything else: the store, the server, and every
//! message the signer is sent.

mod longer;
mod named;
mod office;

use std::io::Write as _;
use std::sync::Arc;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};
use serde_json::json;
use wane_connector::{ConnectError, Kind as _, PublishPermit, SignError, Signer as _, Target, Vouched};
use wane_domain::approval::{Signature, Statement, Voucher};
use wane_domain::catalogue::Role;
use wane_domain::grant::GrantState;
use wane_domain::id::{ApproverKeyId, PersonId};
use wane_domain::issue::{Authority, Right};
use wane_domain::request::{Ask, AskItem, Start};
use wane_domain::time::{Span, Time};
use wane_keys::desk::Messenger;
use wane_keys::desk::frame::{HEAD, THE_LINE, VERSION, frame};
use wane_keys::desk::message::{Bytes, Call, Reply};
use wane_keys::desk::root::RootFile;
use wane_keys::signer::SignerKeys;
use wane_kind_ssh::{KRL, SshKind, USER_CA};

use self::office::{KEY, Office, Wire, desk, key, material, parts, ring};

#[test]
fn what_people_signed_for_is_signed_again_and_again_until_its_end() {
    let mut office = Office::open(2);
    let ask = office.ask();
    let (mut held, authority) = (office.grant(&ask), office.authority(&ask, &[0, 1]));
    for _ in 0..3 {
        office.issue(&held, &office.role, Some(authority.clone())).unwrap();
        office.clock.advance(Span::from_mins(14));
        office.reopen();
    }
    // The store is made to say that the grant lasts longer than was signed.
    let (mut grant, mut lease) = ((*held.grant).clone(), (*held.lease).clone());
    let long = office.ambient.now().plus(Span::from_hours(2));
    grant.state = GrantState::Active { since: grant.at, end: long };
    lease.end = long;
    (held.grant, held.lease) = (wane_domain::stored::grant(grant), wane_domain::stored::lease(lease));
    let late = office.refused("longer than was signed", &held, &office.role, Some(authority));
    assert!(late.contains("longer than was signed"), "{late}");
    // What is not guarded is signed as the server says, and needs nobody.
    let (_, other) = parts(&office.ambient, &json!({ "principals": ["backup"] }));
    let item = AskItem { role: other.id, role_digest: other.digest().unwrap(), ..ask.items[0].clone() };
    let free = office.grant(&Ask { items: vec![item], ..office.ask() });
    office.issue(&free, &other, None).unwrap();
}

/// With full control of the store and of every message: no certificate that people have to sign for.
#[test]
fn whoever_holds_the_server_gets_nothing_that_people_have_to_sign_for() {
    attack(&Office::open(1));
}

/// The same where the signer is a process of its own, and the attacker has the server's end of the line to it.
#[test]
fn whoever_holds_the_servers_end_of_the_line_gets_no_more() {
    let (office, mut signer) = Office::apart(1);
    let mine = key(9);
    let voucher = Voucher {
        org: office.org,
        key: office.ambient.id(),
        person: office.ambient.id(),
        material: material(&mine),
        by: office.approvers[0].0,
        with: office.approvers[0].1,
        at: office.ambient.now(),
        nonce: "22".repeat(16),
    };
    let text = voucher.text().unwrap();
    let by = |key: &PrivateKey| {
        let armored = SshSig::sign(key, wane_approval::NAMESPACE, HashAlg::Sha512, text.as_bytes()).unwrap();
        let signature = Signature::Ssh(armored.to_pem(LineEnding::LF).unwrap());
        office.desk.call(&Call::Enrol { voucher: text.clone(), signature })
    };
    assert!(matches!(by(&mine), Err(SignError::Unsigned(_))), "a key is vouched for by itself");
    // Neither the keys that sign nor the others' are to be had, whatever is asked for.
    for purpose in [KRL, "x"] {
        assert!(office.desk.call(&Call::PublicKey { purpose: purpose.to_owned() }).is_err(), "{purpose}");
    }
    attack(&office);
    // What was used is on disk: the next process knows it as well.
    let ask = office.ask();
    let held = office.grant(&ask);
    let good = office.authority(&ask, &[0]);
    office.issue(&held, &office.role, Some(good.clone())).unwrap();
    signer.kill_9().unwrap();
    signer.start().unwrap();
    let office = Office { desk: Messenger(Arc::new(Wire::to(&signer))), ..office };
    let office = Office { kind: SshKind::new(Arc::new(office.desk.clone())), ..office };
    office.refused("replayed after a kill", &office.grant(&ask), &office.role, Some(good.clone()));
    office.issue(&held, &office.role, Some(good)).unwrap();
}

#[test]
fn what_is_no_call_of_this_version_ends_the_line_and_nothing_else() {
    let (office, signer) = Office::apart(1);
    let good = frame(7, 5000, &serde_json::to_vec(&Call::Show).unwrap()).unwrap();
    let long = [[VERSION].as_slice(), &7_u64.to_be_bytes(), &5000_u32.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
    let late =
        [[VERSION].as_slice(), &7_u64.to_be_bytes(), &0_u32.to_be_bytes(), &4_u32.to_be_bytes(), b"null"].concat();
    for (what, bytes, id, goes_on) in [
        ("a call", good.clone(), 7, true),
        ("garbage in a frame", frame(8, 5000, b"\0\xff{[").unwrap(), 8, true),
        ("another version", [[VERSION + 1].as_slice(), &good[1..]].concat(), THE_LINE, false),
        ("longer than is read", long, THE_LINE, false),
        ("no frame", b"GET / HTTP/1.1\r\nHost: signer\r\n\r\n".to_vec(), THE_LINE, false),
    ] {
        let wire = Wire::to(&signer);
        let (reply_to, reply) = wire.exchange(&bytes).unwrap();
        assert_eq!(reply_to, id, "{what}: {reply:?}");
        assert_eq!(matches!(reply, Reply::Refused(_)), what != "a call", "{what}: {reply:?}");
        assert_eq!(wire.exchange(&good).is_some(), goes_on, "{what}");
    }
    // What came too late is not begun; whatever it was, it has its one reply.
    assert_eq!(Wire::to(&signer).exchange(&late).unwrap().0, 7);
    // Many at once on one line: a reply to each, whatever their order.
    let wire = Wire::to(&signer);
    let all: Vec<u8> = (1..=200).flat_map(|id| frame(id, 60_000, &good[HEAD..]).unwrap()).collect();
    (&wire.0).write_all(&all).unwrap();
    let answered: std::collections::BTreeSet<u64> = (1..=200).map(|_| wire.read().unwrap().0).collect();
    assert_eq!(answered.len(), 200);
    drop(office);
}

fn attack(office: &Office) {
    let ask = office.ask();
    let held = office.grant(&ask);
    let good = office.authority(&ask, &[0]);
    let with = |change: &dyn Fn(&mut Authority)| {
        let mut forged = good.clone();
        change(&mut forged);
        Some(forged)
    };
    let said = |change: &dyn Fn(&mut Statement)| {
        let mut said = office.statement(&ask, 0);
        change(&mut said);
        said
    };
    let by = |said: &Statement, key: &PrivateKey| {
        with(&|forged: &mut Authority| forged.approvals = vec![office.approval(said, key)])
    };
    let role = &office.role;
    let mine = key(9);
    let refuse = |what: &str, authority| office.refused(what, &held, role, authority);

    refuse("the store says it is approved", None);
    refuse("nobody approved", with(&|a| a.approvals.clear()));
    refuse("an approval without a signature", with(&|a| a.approvals[0].signed = None));
    refuse("a key of one's own, under an approver's name", by(&said(&|_| {}), &mine));
    refuse("a key of one's own, entered in the store", by(&said(&|s| s.key = office.ambient.id()), &mine));
    refuse(
        "an approver's key for somebody else",
        by(&said(&|s| s.approver = office.ambient.id()), &office.approvers[0].2),
    );
    refuse(
        "over another request",
        by(&said(&|s| s.request = wane_domain::canonical::Digest::from([1; 32])), &office.approvers[0].2),
    );
    refuse(
        "over something narrower",
        by(&said(&|s| s.narrowed = Some(wane_domain::canonical::Digest::from([1; 32]))), &office.approvers[0].2),
    );
    refuse("for another item", by(&said(&|s| s.seats[0].item = 1), &office.approvers[0].2));
    refuse("for another stage", by(&said(&|s| s.seats[0].stage = 1), &office.approvers[0].2));
    refuse("in the place of who asks", by(&said(&|s| s.instead_of = Some(ask.requester)), &office.approvers[0].2));
    refuse("in another organisation", by(&said(&|s| s.org = office.ambient.id()), &office.approvers[0].2));
    refuse("before the key was known", by(&said(&|s| s.at = Time::from_micros(1)), &office.approvers[0].2));
    refuse("in a time to come", by(&said(&|s| s.at = s.at.plus(Span::from_hours(1))), &office.approvers[0].2));

    // The request rewritten under an approval that was given.
    refuse("a longer window", with(&|a| a.ask.duration = Span::from_hours(2)));
    refuse("another time of beginning", with(&|a| a.ask.start = Start::At(Time::from_micros(0))));
    refuse("another beneficiary", with(&|a| a.ask.beneficiary = office.ambient.id()));
    refuse("another organisation's request", with(&|a| a.ask.org = office.ambient.id()));
    refuse("an item more", with(&|a| a.ask.items.push(a.ask.items[0].clone())));
    refuse("an item that is not there", with(&|a| a.item = 7));
    refuse("asked by the approver", with(&|a| a.ask.requester = office.approvers[0].0));
    refuse("the role's command left out", with(&|a| a.role.definition = json!({ "principals": ["deploy"] })));
    refuse("another role's id", with(&|a| a.role.id = office.ambient.id()));

    // The role rewritten, and the grant with it.
    let wider = Role { definition: json!({ "principals": ["deploy"], "extensions": ["permit-pty"] }), ..role.clone() };
    office.refused("another definition", &held, &wider, Some(good.clone()));
    office.refused("another definition, said twice", &held, &wider, with(&|a| a.role = wider.clone()));
    let item = AskItem { role_digest: wider.digest().unwrap(), ..ask.items[0].clone() };
    let rewritten = office.grant(&Ask { items: vec![item], ..ask.clone() });
    office.refused("a grant of another definition", &rewritten, &wider, with(&|a| a.role = wider.clone()));
    // Under another role that gives the same login name.
    let (_, alike) = parts(&office.ambient, &json!({ "principals": ["backup", "deploy"] }));
    let item = AskItem { role: alike.id, role_digest: alike.digest().unwrap(), ..ask.items[0].clone() };
    let other = office.grant(&Ask { items: vec![item], ..ask.clone() });
    office.refused("another role that gives it as well", &other, &alike, None);
    office.refused("another role, and what was signed", &other, &alike, Some(good.clone()));
    // For somebody else.
    let theirs = office.grant(&Ask { beneficiary: office.ambient.id(), ..ask.clone() });
    office.refused("somebody else's grant", &theirs, role, Some(good.clone()));
    // Too long, though people signed for it.
    let long = Ask { duration: Span::from_hours(3), ..ask.clone() };
    office.refused("longer than the most", &office.grant(&long), role, Some(office.authority(&long, &[0])));

    // What is not guarded is signed as the server says, but not for a time to come.
    let (_, free) = parts(&office.ambient, &json!({ "principals": ["backup"] }));
    let item = AskItem { role: free.id, role_digest: free.digest().unwrap(), ..ask.items[0].clone() };
    let free_held = office.grant(&Ask { items: vec![item], ..office.ask() });
    let later = free_held.permit(office.ambient.now().plus(Span::from_mins(30)));
    let target = Target { resource: &office.host, credential: None, now: office.ambient.now() };
    let kept =
        office.kind.issuer().unwrap().issue(&target, &free, &free_held.lease, later, &json!({ "public_key": KEY }), 1);
    assert!(matches!(kept, Err(ConnectError::Sign(SignError::Exceeds(_)))), "for later: {kept:?}");
    office.issue(&free_held, &free, None).unwrap();

    // And what people signed for, as they did.
    office.issue(&held, role, Some(good.clone())).unwrap();
    // Once: for no other grant, whatever it is called.
    let again = office.grant(&ask);
    office.refused("replayed for another grant", &again, role, Some(good.clone()));
    // And not once the grant is over.
    office.desk.ended(held.grant.id);
    office.refused("replayed for a grant that is over", &held, role, Some(good));
}

#[test]
fn as_many_people_as_were_said_have_to_sign() {
    let office = Office::open(2);
    let ask = office.ask();
    let held = office.grant(&ask);
    office.refused("one", &held, &office.role, Some(office.authority(&ask, &[0])));
    office.refused("one twice", &held, &office.role, Some(office.authority(&ask, &[0, 0])));
    let mut second = office.approvers[1].clone();
    // A second key of the same person, as a store could say it.
    second.0 = office.approvers[0].0;
    let said = Statement { approver: second.0, ..office.statement(&ask, 1) };
    let mut two = office.authority(&ask, &[0]);
    two.approvals.push(office.approval(&said, &second.2));
    office.refused("one under two names", &held, &office.role, Some(two));
    // Whoever stands in is one with whom they stand in for, whichever of them signs first.
    for (first, then) in [(0, 1), (1, 0)] {
        let stands_in = Statement { instead_of: Some(office.approvers[then].0), ..office.statement(&ask, first) };
        let mut two = office.authority(&ask, &[]);
        two.approvals = vec![
            office.approval(&stands_in, &office.approvers[first].2),
            office.approval(&office.statement(&ask, then), &office.approvers[then].2),
        ];
        office.refused("who stands in, and for whom", &held, &office.role, Some(two.clone()));
        two.approvals.reverse();
        office.refused("the same the other way round", &held, &office.role, Some(two));
    }
    office.issue(&held, &office.role, Some(office.authority(&ask, &[0, 2]))).unwrap();
}

#[test]
fn no_key_counts_that_nobody_vouched_for() {
    let office = Office::open(1);
    let mine = key(9);
    let (me, my_key): (PersonId, ApproverKeyId) = (office.ambient.id(), office.ambient.id());
    let voucher = |by: usize| Voucher {
        org: office.org,
        key: my_key,
        person: me,
        material: material(&mine),
        by: office.approvers[by].0,
        with: office.approvers[by].1,
        at: office.ambient.now(),
        nonce: "22".repeat(16),
    };
    let enrol = |said: &Voucher, text: Option<String>, with: &PrivateKey| {
        let text = text.unwrap_or_else(|| said.text().unwrap());
        let armored = SshSig::sign(with, wane_approval::NAMESPACE, HashAlg::Sha512, text.as_bytes()).unwrap();
        let signature = Signature::Ssh(armored.to_pem(LineEnding::LF).unwrap());
        office.desk.call(&Call::Enrol { voucher: said.text().unwrap(), signature })
    };
    let theirs = &office.approvers[0].2;
    let ask = office.ask();
    let said = Statement { approver: me, key: my_key, ..office.statement(&ask, 0) };
    let approved = || {
        let mut authority = office.authority(&ask, &[]);
        authority.approvals = vec![office.approval(&said, &mine)];
        Some(authority)
    };
    for (what, refused) in [
        ("by itself", enrol(&voucher(0), None, &mine)),
        ("by itself, as itself", enrol(&Voucher { by: me, with: my_key, ..voucher(0) }, None, &mine)),
        ("in another's name", enrol(&Voucher { by: me, ..voucher(0) }, None, theirs)),
        ("elsewhere", enrol(&Voucher { org: office.ambient.id(), ..voucher(0) }, None, theirs)),
        ("long ago", enrol(&Voucher { at: Time::from_micros(1), ..voucher(0) }, None, theirs)),
        (
            "for another key",
            enrol(&voucher(0), Some(Voucher { material: material(theirs), ..voucher(0) }.text().unwrap()), theirs),
        ),
        ("by an approval", enrol(&voucher(0), Some(office.statement(&ask, 0).text().unwrap()), theirs)),
        ("over a key that is there", enrol(&Voucher { key: office.approvers[1].1, ..voucher(0) }, None, theirs)),
    ] {
        assert!(matches!(refused, Err(SignError::Unsigned(_))), "{what}: {refused:?}");
    }
    // Nor what was told to count no more.
    let path = office.folder.path().join("signer.root");
    let file = RootFile::at(path, ring(office.folder.path(), office.org, &office.ambient));
    let mut root = file.read().unwrap();
    let gone = office.ambient.id();
    root.forgotten.insert(gone);
    root.version += 1;
    file.write(&root).unwrap();
    let again = enrol(&Voucher { key: gone, ..voucher(0) }, None, theirs);
    assert!(matches!(again, Err(SignError::Unsigned(_))), "told to count no more: {again:?}");
    let held = office.grant(&ask);
    office.refused("before anybody vouched", &held, &office.role, approved());
    assert_eq!(enrol(&voucher(0), None, theirs).unwrap(), Reply::Vouched(Vouched { have: 1, of: 1 }));
    // What it signed before counts as little as what it never signed.
    office.refused("signed before anybody vouched", &held, &office.role, approved());
    office.clock.advance(Span::from_secs(1));
    let said = Statement { at: office.ambient.now(), ..said };
    let mut authority = office.authority(&ask, &[]);
    authority.approvals = vec![office.approval(&said, &mine)];
    office.issue(&held, &office.role, Some(authority)).unwrap();
}

/// As many people as have to sign for the most guarded thing have to vouch: else one of them would make the others up.
#[test]
fn one_approver_alone_makes_no_second_one() {
    let office = Office::open(2);
    let mine = key(9);
    let (me, my_key): (PersonId, ApproverKeyId) = (office.ambient.id(), office.ambient.id());
    let vouch = |office: &Office, by: usize, key: &PrivateKey| {
        let said = Voucher {
            org: office.org,
            key: my_key,
            person: me,
            material: material(key),
            by: office.approvers[by].0,
            with: office.approvers[by].1,
            at: office.ambient.now(),
            nonce: "22".repeat(16),
        };
        let text = said.text().unwrap();
        let with = &office.approvers[by].2;
        let armored = SshSig::sign(with, wane_approval::NAMESPACE, HashAlg::Sha512, text.as_bytes()).unwrap();
        office.desk.vouched(&text, &Signature::Ssh(armored.to_pem(LineEnding::LF).unwrap()))
    };
    let counts = |of: &Office| {
        let Reply::Shown(shown) = of.desk.call(&Call::Show).unwrap() else { panic!("nothing was shown") };
        shown.keys.contains_key(&my_key)
    };
    for _ in 0..2 {
        assert_eq!(vouch(&office, 0, &mine).unwrap(), Vouched { have: 1, of: 2 });
    }
    // For another key under the same name is no word for this one.
    assert_eq!(vouch(&office, 1, &key(8)).unwrap(), Vouched { have: 1, of: 2 });
    assert!(!counts(&office));
    // A day later the first is too old.
    office.clock.advance(Span::from_hours(25));
    assert_eq!(vouch(&office, 1, &mine).unwrap(), Vouched { have: 1, of: 2 });
    assert!(!counts(&office));
    // It outlives the process, and is whole with a second within the day.
    let desk = Messenger(Arc::new(desk(office.folder.path(), office.org, &office.ambient)));
    let office = Office { desk, ..office };
    assert_eq!(vouch(&office, 0, &mine).unwrap(), Vouched { have: 2, of: 2 });
    assert!(counts(&office));
    assert!(matches!(vouch(&office, 1, &mine), Err(SignError::Unsigned(_))));
}

#[test]
fn a_root_that_is_older_than_it_was_is_not_believed() {
    let office = Office::open(1);
    let path = office.folder.path().join("signer.root");
    let before = std::fs::read(&path).unwrap();
    let ask = office.ask();
    let held = office.grant(&ask);
    office.issue(&held, &office.role, Some(office.authority(&ask, &[0]))).unwrap();
    std::fs::write(&path, before).unwrap();
    let again = office.issue(&office.grant(&ask), &office.role, Some(office.authority(&ask, &[0])));
    assert!(matches!(again, Err(ConnectError::Sign(SignError::Away(_)))), "{again:?}");
    // One that was changed does not open, and nothing is signed.
    std::fs::write(&path, b"{}").unwrap();
    assert!(office.issue(&office.grant(&ask), &office.role, None).is_err());
    // A signer that begins with it issues nothing, and signs what ends access.
    let mut office = office;
    office.reopen();
    assert!(office.issue(&office.grant(&ask), &office.role, None).is_err());
    let what = PublishPermit { what: "krl version 1".to_owned() };
    office.desk.publish(KRL, what, b"a list").unwrap();
}

#[test]
fn whatever_is_sent_one_reply_comes_back_and_nothing_is_signed() {
    let office = Office::open(1);
    let ask = office.ask();
    let held = office.grant(&ask);
    let right: Right = held.permit(office.ambient.now()).into_right();
    let good = Call::Issue { purpose: USER_CA.to_owned(), right: Box::new(right), message: Bytes(vec![1, 2, 3]) };
    let frame = serde_json::to_vec(&good).unwrap();
    for cut in 0..frame.len() {
        let reply: Reply = serde_json::from_slice(&office.desk.0.carry(&frame[..cut]).unwrap()).unwrap();
        assert!(matches!(reply, Reply::Refused(_)), "{cut}: {reply:?}");
    }
    for (what, call) in [
        ("bytes that are no certificate", good),
        ("no such key", Call::PublicKey { purpose: "ssh-user-ca2".to_owned() }),
        (
            "a certificate on the other road",
            Call::Publish { purpose: USER_CA.to_owned(), what: String::new(), message: Bytes(vec![]) },
        ),
    ] {
        assert!(office.desk.call(&call).is_err(), "{what}");
    }
    let long = vec![b' '; wane_keys::desk::message::LONGEST_FRAME + 1];
    let reply: Reply = serde_json::from_slice(&office.desk.0.carry(&long).unwrap()).unwrap();
    assert!(matches!(reply, Reply::Refused(_)));
    assert!(SignerKeys::generate(&[USER_CA], &office.ambient).len() == 1);
}
