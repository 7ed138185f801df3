//! What comes to a host, from a host, and to the private agent.

use std::sync::LazyLock;

use data_encoding::BASE64;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::encoding::Encode as _;
use russh::keys::{Algorithm, Certificate, PrivateKey, ssh_key};
use serde_json::{Value, json};
use wane_connector::{Kind, Target as At};
use wane_domain::catalogue::{Resource, Role};
use wane_domain::issue::IssuePermit;
use wane_domain::time::{Span, Time};
use wane_kind_ssh::fuzzed::{self, PrivateAgent};
use wane_kind_ssh::{KRL, SshKind, USER_CA, check_user_certificate};
use wane_testkit::Held;

use crate::access::{NOW, SeedSigner, ambient, hold};
use crate::draw::Draw;

pub(crate) mod seeds;

/// The bytes of the largest text about a refusal: what was sent is never given back at length.
pub(crate) const LONGEST_REFUSAL: usize = 2048;

pub(crate) fn ssh_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match fuzzed::public_key(&text) {
        Ok(line) => {
            assert_eq!(fuzzed::public_key(&line), Ok(line.clone()), "its one spelling is read as itself");
            assert_eq!(fuzzed::public_key(&format!(" {line} somebody@somewhere\n")), Ok(line.clone()));
            let mut words = line.split(' ');
            let (kind, blob, end) = (words.next().unwrap(), words.next().unwrap(), words.next());
            assert!(end.is_none() && !kind.contains("cert") && !kind.contains("dss"), "{line}");
            assert!(text.contains(blob), "the key is another one than was sent");
        }
        Err(why) => assert!(why.len() < LONGEST_REFUSAL, "{why}"),
    }
}

/// A user name at the gateway: one login name at one resource, and nothing of it moves a terminal.
pub(crate) fn ssh_login(data: &[u8]) {
    let user = String::from_utf8_lossy(data);
    if let Some((login, resource)) = fuzzed::login_name(&user) {
        let spellings = ['%', '@'].map(|between| format!("{login}{between}{resource}"));
        assert!(spellings.iter().any(|spelling| *spelling == user), "one of its two spellings, not {spellings:?}");
        for part in [&login, &resource] {
            assert!(!part.is_empty() && !part.contains(['%', ',', ' ', '/', '@', '*', '?', '\n', '\0']), "{part:?}");
        }
    }
    let said = fuzzed::login_refusal(&user, None);
    assert!(said.len() < LONGEST_REFUSAL && said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
}

/// A command line where commands are listed: words and nothing else, and to a shell the same words again.
pub(crate) fn ssh_command(data: &[u8]) {
    match fuzzed::command_words(data) {
        Ok((words, quoted)) => {
            assert!(
                !words.is_empty() && !words.iter().flat_map(|word| word.chars()).any(char::is_control),
                "{words:?}"
            );
            assert_eq!(by_hand(&quoted).as_ref(), Some(&words), "{quoted}");
            assert_eq!(fuzzed::command_words(quoted.as_bytes()), Ok((words, quoted)));
        }
        Err(why) => assert!(why.len() < LONGEST_REFUSAL && !why.chars().any(char::is_control), "{why:?}"),
    }
}

/// Reads a line as a POSIX shell does (XCU 2.2), if nothing in it is more than a word.
fn by_hand(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut chars) = (Vec::new(), None::<String>, line.chars());
    while let Some(c) = chars.next() {
        match c {
            ' ' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('$' | '`' | '"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        '$' | '`' => return None,
                        c => word.push(c),
                    }
                }
            }
            c if c.is_ascii_alphanumeric() || "%+,-./:=@]_".contains(c) => word.get_or_insert_default().push(c),
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// The first bytes of a client: what is decided on a beginning stays so, whatever follows.
pub(crate) fn ssh_greeting(data: &[u8]) {
    let mut decided = None;
    for end in (0..=data.len()).step_by(1 + data.len() / 64).chain([data.len()]) {
        let verdict = fuzzed::offers_strict_kex(data.get(..end).unwrap());
        assert!(decided.is_none() || verdict == decided || end > 64 * 1024, "{decided:?} became {verdict:?} at {end}");
        decided = verdict;
    }
    let named = data.windows(28).any(|part| part == b"kex-strict-c-v00@openssh.com");
    assert!(decided != Some(true) || named, "it is offered by those who name it");
}

/// What every certificate here is judged against.
struct Judged {
    permit: IssuePermit,
    resource: Resource,
    /// The to-be-signed bytes of a certificate the permit allows.
    genuine: Vec<u8>,
    notes: Value,
}

static JUDGED: LazyLock<Judged> = LazyLock::new(|| {
    let (ambient, signer) = (ambient(), SeedSigner::shared());
    let kind = SshKind::new(std::sync::Arc::<SeedSigner>::clone(&signer));
    let resource = Resource {
        id: ambient.id(),
        name: "web".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        labels: Default::default(),
        owner: None,
        settings: kind.settings(&json!({ "address": "127.0.0.1:22", "read_back": "none" })).unwrap(),
        since: NOW,
    };
    let definition = json!({ "principals": ["deploy", "www"], "extensions": ["permit-pty"], "force_command": "uptime", "source_address": ["192.0.2.0/24"] });
    let role = Role {
        id: ambient.id(),
        name: "deploy".parse().unwrap(),
        kind: "ssh".parse().unwrap(),
        description: String::new().try_into().unwrap(),
        definition: kind.definition(&definition).unwrap(),
        since: NOW,
    };
    let held: Held = hold(&ambient, &resource, &role);
    let at = At { resource: &resource, credential: None, now: NOW };
    let line = SeedSigner::private("client").public_key().to_openssh().unwrap();
    let input = json!({ "public_key": line });
    let issued = kind.issuer().unwrap().issue(&at, &role, &held.lease, held.permit(NOW), &input, 1).unwrap();
    let genuine = signer.signed.lock().unwrap().clone();
    Judged { permit: held.permit(NOW), genuine, notes: issued.notes, resource }
});

pub(crate) fn ssh_certificate(data: &[u8]) {
    let judged = &*JUDGED;
    if check_user_certificate(&judged.permit, data).is_err() {
        assert_ne!(data, judged.genuine, "a certificate within its permit was refused");
        return;
    }
    // Read by the library alone: what passed says no more than the permit.
    let mut whole = data.to_vec();
    ssh_key::Signature::new(Algorithm::Ed25519, vec![0; 64]).unwrap().encode_prefixed(&mut whole).unwrap();
    let cert = Certificate::from_bytes(&whole).unwrap();
    assert_eq!(cert.cert_type(), CertType::User);
    assert_eq!(cert.key_id(), judged.permit.grant().to_string());
    let host = format!("@{}", judged.resource.id);
    assert!(!cert.valid_principals().is_empty());
    for name in cert.valid_principals() {
        let login = name.strip_suffix(&host).unwrap();
        assert!(!login.is_empty() && login.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{name}");
    }
    let seconds = |time: Time| u64::try_from(time.seconds()).unwrap();
    assert!(cert.valid_after() >= seconds(NOW.minus(Span::from_mins(1))));
    assert!(cert.valid_before() <= seconds(judged.permit.not_after().min(NOW.plus(Span::from_mins(15)))));
    assert!(cert.critical_options().keys().all(|name| ["force-command", "source-address"].contains(&name.as_str())));
    assert!(cert.extensions().iter().all(|(name, data)| name.starts_with("permit-") && data.is_empty()));
}

static AGENT: LazyLock<(PrivateAgent, Vec<u8>)> = LazyLock::new(|| {
    let mut bytes = Vec::new();
    let agent = PrivateAgent::new([7; 32], |line| {
        let key: ssh_key::PublicKey = line.parse().unwrap();
        let mut builder = ssh_key::certificate::Builder::new([1; 32], key.key_data().clone(), 0, 10).unwrap();
        builder.valid_principal("deploy").unwrap();
        let ca: PrivateKey = SeedSigner::private(USER_CA);
        let cert = builder.sign(&ca).unwrap();
        bytes = cert.to_bytes().unwrap();
        cert.to_openssh().unwrap()
    });
    (agent.unwrap(), bytes)
});

/// A string of the SSH wire format, and what follows it.
fn wire(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

pub(crate) fn ssh_agent(data: &[u8]) {
    let (agent, cert) = &*AGENT;
    let reply = agent.reply(data);
    assert!(reply.len() <= cert.len() + 256, "an answer of {} bytes", reply.len());
    match reply[0] {
        5 => assert_eq!(reply.len(), 1),
        12 => assert_eq!(data, [11]),
        14 => {
            let (served, rest) = wire(&data[1..]).unwrap();
            let (message, flags) = wire(rest).unwrap();
            assert_eq!((data[0], served, flags.len()), (13, cert.as_slice(), 4));
            // session, 50, user, service, method, true, algorithm, key
            let (_, rest) = wire(message).unwrap();
            assert_eq!(rest[0], 50);
            let (_, rest) = wire(&rest[1..]).unwrap();
            let (service, rest) = wire(rest).unwrap();
            let (method, rest) = wire(rest).unwrap();
            assert!(service == b"ssh-connection" && method.starts_with(b"publickey"));
            assert_eq!(rest[0], 1, "an offer is not a login");
            let (_, rest) = wire(&rest[1..]).unwrap();
            assert_eq!(wire(rest).unwrap().0, cert.as_slice());
        }
        other => unreachable!("an answer of type {other}"),
    }
}

pub(crate) fn ssh_revocations(data: &[u8]) {
    if let Ok((version, generated)) = fuzzed::revocation_stamp(data) {
        assert!(data.starts_with(b"SSHKRL\n\0\0\0\0\x01"));
        assert_eq!((&data[12..20], &data[20..28]), (&version.to_be_bytes()[..], &generated.to_be_bytes()[..]));
    }
    let mut draw = Draw::new(data);
    let (version, at) = (draw.number(), draw.number());
    let mut ids = Vec::new();
    while !draw.is_empty() {
        ids.push(draw.word());
    }
    let ca = SeedSigner::private(USER_CA).public_key().to_openssh().unwrap();
    let at = Time::from_micros(i64::try_from(at >> 1).unwrap());
    let list = fuzzed::revocation_list(version, at, &ca, &ids).unwrap();
    assert_eq!(fuzzed::revocation_stamp(&list), Ok((version, u64::try_from(at.seconds()).unwrap())));
    assert!(list.len() <= 256 + ids.iter().map(|id| id.len() + 4).sum::<usize>(), "a list that grows");
    for id in ids.iter().filter(|id| !id.is_empty()) {
        let entry = [&u32::try_from(id.len()).unwrap().to_be_bytes()[..], id.as_bytes()].concat();
        assert!(list.windows(entry.len()).any(|part| part == entry), "`{id}` is not on the list");
    }
    ids.reverse();
    assert_eq!(fuzzed::revocation_list(version, at, &ca, &ids), Ok(list), "the order of ids matters");
}

static PUBLISHED: LazyLock<(Value, Vec<u8>, String)> = LazyLock::new(|| {
    let kind = SshKind::new(SeedSigner::shared());
    let answer = kind.host_docs().unwrap().revocations(7, NOW, &["grt_1".to_owned()]).unwrap();
    let list = BASE64.decode(answer["krl"].as_str().unwrap().as_bytes()).unwrap();
    (answer, list, SeedSigner::private(KRL).public_key().to_openssh().unwrap())
});

pub(crate) fn ssh_revocation_answer(data: &[u8]) {
    let Ok(answer) = serde_json::from_slice::<Value>(data) else { return };
    let (_, list, signer) = &*PUBLISHED;
    match fuzzed::revocations_verified(&answer, signer) {
        Ok(read) => assert_eq!(&read, list, "a list that was never signed was taken"),
        Err(why) => assert!(why.len() < LONGEST_REFUSAL, "{why}"),
    }
}

pub(crate) fn ssh_notes(data: &[u8]) {
    let Ok(given) = serde_json::from_slice::<Value>(data) else { return };
    if let Some(notes) = fuzzed::notes(&given) {
        assert_eq!(fuzzed::notes(&notes).as_ref(), Some(&notes));
        for (key, value) in notes.as_object().unwrap() {
            if key == "gateway_only" {
                // Notes from before there was a gateway do not have it.
                assert_eq!(value.as_bool(), Some(given[key] == true), "only what says so is good there alone");
            } else {
                assert_eq!(&given[key], value, "`{key}` became something else");
            }
        }
    }
}

pub(crate) fn ssh_cidr(data: &[u8]) {
    let mut draw = Draw::new(data);
    let (one, other) = (draw.word(), draw.word());
    let Some(range) = fuzzed::cidr(&one) else { return };
    assert_eq!(fuzzed::cidr(&range).as_ref(), Some(&range));
    assert_eq!(fuzzed::cidr_covers(&range, &range), Some(true));
    let Some(second) = fuzzed::cidr(&other) else { return };
    let network = |range: &str| -> (Vec<bool>, usize) {
        let (address, bits) = range.split_once('/').unwrap();
        let octets = match address.parse().unwrap() {
            std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
            std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let all = octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1));
        (all.collect(), bits.parse().unwrap())
    };
    let ((wide, bits), (narrow, more)) = (network(&range), network(&second));
    let covers = wide.len() == narrow.len() && bits <= more && wide[..bits] == narrow[..bits];
    assert_eq!(fuzzed::cidr_covers(&range, &second), Some(covers), "{range} and {second}");
    assert!(wide[bits..].iter().all(|bit| !bit), "sshd refuses {range}");
}

pub(crate) fn ssh_host_name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(name) = fuzzed::host(&text) else { return };
    assert_eq!(fuzzed::host(&name).as_ref(), Some(&name));
    assert_eq!(name, name.to_ascii_lowercase());
    assert!((1..=253).contains(&name.len()) && !name.starts_with('-'), "{name}");
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)), "{name}");
}

/// The normal form of what people write about a target is its own normal form.
pub(crate) fn normal(data: &[u8], read: impl Fn(&Value) -> Result<Value, wane_connector::KindError>) -> Option<Value> {
    let given = serde_json::from_slice::<Value>(data).ok()?;
    match read(&given) {
        Ok(normal) => {
            assert_eq!(read(&normal).unwrap(), normal, "read from {given}");
            Some(normal)
        }
        Err(why) => {
            assert!(why.to_string().len() < data.len() + LONGEST_REFUSAL, "{why}");
            None
        }
    }
}

pub(crate) fn ssh_settings(data: &[u8]) {
    let kind = SshKind::new(SeedSigner::shared());
    let Some(settings) = normal(data, |given| kind.settings(given)) else { return };
    for name in settings["host_names"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        assert_eq!(fuzzed::host(name).as_deref(), Some(name));
    }
    // A host that cannot be asked is described no better than one that can.
    let mut unasked = settings.clone();
    unasked["read_back"] = json!("none");
    let (asked, unasked) = (kind.describe(&settings), kind.describe(&unasked));
    assert!(asked.residual_logins_secs <= unasked.residual_logins_secs);
}

pub(crate) fn ssh_role(data: &[u8]) {
    let kind = SshKind::new(SeedSigner::shared());
    let Some(role) = normal(data, |given| kind.definition(given)) else { return };
    let principals = role["principals"].as_array().unwrap();
    assert!((1..=32).contains(&principals.len()));
    for name in principals {
        let name = name.as_str().unwrap();
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b)), "{name}");
    }
    assert!(!kind.is_narrower(&role, &role));
    let one = json!({ "principals": [principals[0]], "source_address": ["192.0.2.7/32"] });
    let one = kind.definition(&one).unwrap();
    assert!(!kind.is_narrower(&role, &one) || !kind.is_narrower(&one, &role), "each narrower than the other");
}

pub(crate) fn sshd_config(data: &[u8]) {
    let before = String::from_utf8_lossy(data);
    let Ok(one) = fuzzed::with_block(&before, "TrustedUserCAKeys /one") else { return };
    let other = fuzzed::with_block(&one, "TrustedUserCAKeys /other").unwrap();
    assert_eq!(fuzzed::with_block(&one, "TrustedUserCAKeys /one").unwrap(), one);
    assert_eq!(other, one.replacen("/one", "/other", 1), "something else than the block was changed");
    let mut lines = one.lines();
    assert!(lines.next().unwrap().starts_with("# >>> wane") && lines.next() == Some("TrustedUserCAKeys /one"));
}

/// What the seeds of this room are made of.
pub(crate) fn genuine() -> (Vec<u8>, Value, Vec<u8>, Value) {
    (JUDGED.genuine.clone(), JUDGED.notes.clone(), AGENT.1.clone(), PUBLISHED.0.clone())
}
