//! A simulator of Active Directory's LDAP, after the published protocol (MS-ADTS), for what the real one cannot be had
//! for here: pages of bounded size, values told range by range, binary ids, referrals to other partitions, and a
//! primary group that is in nobody's `member`.
//!
//! Owns: what a client that reads meets there. Refuses to know: writes, and everything no reader meets. Reading and
//! writing of messages is a library's.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindResponse, LdapFilter, LdapMsg, LdapOp, LdapPartialAttribute, LdapResult, LdapResultCode,
    LdapSearchRequest, LdapSearchResultEntry, LdapSearchResultReference, LdapSearchScope,
};
use tokio_util::codec::{Decoder as _, Encoder as _};

/// The domain.
const DOMAIN: &str = "DC=corp,DC=example";
/// Who reads, in both forms, and their password.
const READER: [&str; 2] = ["CN=wane,CN=Users,DC=corp,DC=example", "wane@corp.example"];
const PASSWORD: &str = "the reader's own";
/// `ldapDisplayName`-independent rule of bits (MS-ADTS 3.1.1.3.4.4.1).
const BIT_AND: &str = "1.2.840.113556.1.4.803";
/// `NORMAL_ACCOUNT` and `ACCOUNTDISABLE` (MS-ADTS 2.2.16).
const NORMAL: u32 = 0x200;
const DISABLED: u32 = 0x2;
/// `Domain Users` (MS-ADTS 6.1.1.6).
const DOMAIN_USERS: u32 = 513;
/// The sub-authorities of the domain's identifier.
const DOMAIN_SID: [u32; 4] = [21, 1_004_336_348, 1_177_238_915, 682_003_330];

#[derive(Clone, Debug)]
struct Object {
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

#[derive(Debug, Default)]
struct Content {
    /// By name, as it was written.
    objects: Vec<(String, Object)>,
    next_rid: u32,
}

/// The bounds of a domain controller's policy (MS-ADTS 3.1.1.3.4.6).
#[derive(Clone, Copy, Debug)]
struct Policy {
    max_page_size: usize,
    max_val_range: usize,
}

/// A simulated domain controller on loopback, without TLS. It ends with this value.
#[derive(Debug)]
pub struct ActiveDirectory {
    port: u16,
    content: Arc<Mutex<Content>>,
    pages: Arc<AtomicUsize>,
    ranges: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    listening: Option<thread::JoinHandle<()>>,
}

impl ActiveDirectory {
    /// Begins, with small bounds, so that a few people are many: `MaxPageSize` entries, `MaxValRange` values.
    pub fn start(max_page_size: usize, max_val_range: usize) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let content = Arc::new(Mutex::new(Content { objects: Vec::new(), next_rid: 1_104 }));
        let (pages, ranges) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let stop = Arc::new(AtomicBool::new(false));
        let controller = Controller {
            content: Arc::clone(&content),
            policy: Policy { max_page_size, max_val_range },
            pages: Arc::clone(&pages),
            ranges: Arc::clone(&ranges),
        };
        let ended = Arc::clone(&stop);
        let listening = thread::Builder::new().name("active-directory".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), controller) = (stream, controller.clone()) else { continue };
                // Who hangs up, or says what is no LDAP, is met by the end of the connection.
                thread::spawn(move || drop(controller.serve(stream)));
            }
        })?;
        let server = Self { port, content, pages, ranges, stop, listening: Some(listening) };
        server.group("Domain Users", Some(DOMAIN_USERS));
        Ok(server)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where people and groups are.
    #[must_use]
    pub fn base(&self) -> &'static str {
        "CN=Users,DC=corp,DC=example"
    }

    /// Who may read, as `name@domain`, and their password.
    #[must_use]
    pub fn reader(&self) -> (&'static str, &'static str) {
        (READER[1], PASSWORD)
    }

    /// Somebody comes; their name.
    pub fn person(&self, account: &str) -> String {
        let dn = format!("CN={account},{}", self.base());
        let flags = NORMAL.to_string();
        let primary = DOMAIN_USERS.to_string();
        self.add(
            &dn,
            &[
                ("objectClass", &["top", "person", "organizationalPerson", "user"]),
                ("objectCategory", &["CN=Person,CN=Schema,CN=Configuration,DC=corp,DC=example"]),
                ("cn", &[account]),
                ("sAMAccountName", &[account]),
                ("displayName", &[&format!("Person {account}")]),
                ("userAccountControl", &[&flags]),
                ("primaryGroupID", &[&primary]),
                // Kept, and told to nobody (MS-ADTS 3.1.1.3.1.5).
                ("unicodePwd", &["a secret of theirs"]),
            ],
            None,
        );
        dn
    }

    /// A machine's account, which is a `user` as well, and no person.
    pub fn machine(&self, account: &str) {
        let dn = format!("CN={account},{}", self.base());
        let flags = 0x1000.to_string();
        self.add(
            &dn,
            &[
                ("objectClass", &["top", "person", "organizationalPerson", "user", "computer"]),
                ("objectCategory", &["CN=Computer,CN=Schema,CN=Configuration,DC=corp,DC=example"]),
                ("cn", &[account]),
                ("sAMAccountName", &[&format!("{account}$")]),
                ("userAccountControl", &[&flags]),
            ],
            None,
        );
    }

    /// A group, with the last part of its identifier if that is to be a certain one; its name.
    pub fn group(&self, name: &str, rid: Option<u32>) -> String {
        let dn = format!("CN={name},{}", self.base());
        self.add(&dn, &[("objectClass", &["top", "group"]), ("cn", &[name]), ("sAMAccountName", &[name])], rid);
        dn
    }

    /// Puts somebody into a group.
    pub fn join(&self, group: &str, member: &str) {
        self.edit(group, |object| {
            object.attributes.entry("member".to_owned()).or_default().push(member.as_bytes().to_vec());
        });
    }

    /// Takes somebody out of a group.
    pub fn leave(&self, group: &str, member: &str) {
        self.edit(group, |object| {
            if let Some(members) = object.attributes.get_mut("member") {
                members.retain(|one| one != member.as_bytes());
            }
        });
    }

    /// Sets or clears `ACCOUNTDISABLE`.
    pub fn disable(&self, dn: &str) {
        self.edit(dn, |object| {
            let flags = (NORMAL | DISABLED).to_string().into_bytes();
            object.attributes.insert("userAccountControl".to_owned(), vec![flags]);
        });
    }

    /// Gives an entry another name; it stays who it is.
    pub fn rename(&self, dn: &str, to: &str) {
        let new = format!("CN={to},{}", self.base());
        let mut content = self.content();
        for (name, object) in &mut content.objects {
            if name == dn {
                new.clone_into(name);
                object.attributes.insert("cn".to_owned(), vec![to.as_bytes().to_vec()]);
            }
            // Links follow what they point to (MS-ADTS 3.1.1.1.6).
            for member in object.attributes.get_mut("member").into_iter().flatten() {
                if member == dn.as_bytes() {
                    *member = new.as_bytes().to_vec();
                }
            }
        }
    }

    /// How many pages were told, and how many ranges of values.
    #[must_use]
    pub fn told(&self) -> (usize, usize) {
        (self.pages.load(Ordering::SeqCst), self.ranges.load(Ordering::SeqCst))
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, dn: &str, attributes: &[(&str, &[&str])], rid: Option<u32>) {
        let mut content = self.content();
        let given = rid.unwrap_or(content.next_rid);
        content.next_rid += 1;
        let mut guid = [0xa5_u8; 16];
        guid.iter_mut().zip(given.to_be_bytes()).for_each(|(to, from)| *to = from);
        let values = |all: &[&str]| all.iter().map(|one| one.as_bytes().to_vec()).collect();
        let mut all: BTreeMap<String, Vec<Vec<u8>>> =
            attributes.iter().map(|(name, all)| ((*name).to_owned(), values(all))).collect();
        all.insert("objectGUID".to_owned(), vec![guid.to_vec()]);
        all.insert("objectSid".to_owned(), vec![sid(given)]);
        all.insert("distinguishedName".to_owned(), vec![dn.as_bytes().to_vec()]);
        content.objects.push((dn.to_owned(), Object { attributes: all }));
    }

    fn edit(&self, dn: &str, change: impl FnOnce(&mut Object)) {
        if let Some((_, object)) = self.content().objects.iter_mut().find(|(name, _)| name == dn) {
            change(object);
        }
    }
}

impl Drop for ActiveDirectory {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // So that it looks up; also if it has ended.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

/// A security identifier (MS-DTYP 2.4.2.2): revision, count, authority in big-endian, parts in little-endian.
fn sid(rid: u32) -> Vec<u8> {
    let parts: Vec<u32> = DOMAIN_SID.iter().copied().chain([rid]).collect();
    let mut sid = vec![1, u8::try_from(parts.len()).unwrap_or(u8::MAX), 0, 0, 0, 0, 0, 5];
    sid.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
    sid
}

#[derive(Clone, Debug)]
struct Controller {
    content: Arc<Mutex<Content>>,
    policy: Policy,
    pages: Arc<AtomicUsize>,
    ranges: Arc<AtomicUsize>,
}

impl Controller {
    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        let (mut codec, mut buffer, mut bound) = (LdapCodec::new(Some(1024 * 1024), None), BytesMut::new(), false);
        loop {
            while let Some(message) = codec.decode(&mut buffer)? {
                let LdapMsg { msgid, op, ctrl } = message;
                let answers = match op {
                    LdapOp::BindRequest(bind) => {
                        let known = READER.iter().any(|name| name.eq_ignore_ascii_case(&bind.dn));
                        bound = known && matches!(&bind.cred, LdapBindCred::Simple(given) if given == PASSWORD);
                        let res = if bound { success() } else { refused_bind() };
                        vec![(LdapOp::BindResponse(LdapBindResponse { res, saslcreds: None }), Vec::new())]
                    }
                    LdapOp::UnbindRequest => {
                        // It is gone anyway.
                        drop(stream.shutdown(Shutdown::Both));
                        return Ok(());
                    }
                    LdapOp::SearchRequest(ask) if ask.base.is_empty() && ask.scope == LdapSearchScope::Base => {
                        vec![(root(&ask), Vec::new()), (LdapOp::SearchResultDone(success()), Vec::new())]
                    }
                    LdapOp::SearchRequest(_) if !bound => {
                        let why = "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v4563";
                        vec![(done(LdapResultCode::OperationsError, why), Vec::new())]
                    }
                    LdapOp::SearchRequest(ask) => self.search(&ask, &ctrl),
                    _ => vec![(done(LdapResultCode::UnwillingToPerform, "a simulator that is only read"), Vec::new())],
                };
                let mut out = BytesMut::new();
                for (op, ctrl) in answers {
                    codec.encode(LdapMsg { msgid, op, ctrl }, &mut out)?;
                }
                stream.write_all(&out)?;
            }
            let mut part = [0; 16 * 1024];
            let count = stream.read(&mut part)?;
            if count == 0 {
                return Ok(());
            }
            buffer.extend_from_slice(part.get(..count).context("more than was read")?);
        }
    }

    fn search(&self, ask: &LdapSearchRequest, controls: &[LdapControl]) -> Vec<(LdapOp, Vec<LdapControl>)> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let lower = |text: &str| text.to_lowercase();
        let base = lower(&ask.base);
        let inside = base == lower(DOMAIN) || base.ends_with(&format!(",{}", lower(DOMAIN)));
        let there = |dn: &str| content.objects.iter().any(|(name, _)| lower(name) == dn);
        let containers = [DOMAIN, "CN=Users,DC=corp,DC=example"].map(lower);
        if !inside || !(there(&base) || containers.contains(&base)) {
            let why = "0000208D: NameErr: DSID-03100241, problem 2001 (NO_OBJECT), data 0, best match of:";
            return vec![(done(LdapResultCode::NoSuchObject, why), Vec::new())];
        }
        let found: Vec<&(String, Object)> = content
            .objects
            .iter()
            .filter(|(name, _)| match ask.scope {
                LdapSearchScope::Base => lower(name) == base,
                LdapSearchScope::OneLevel => lower(name).split_once(',').is_some_and(|(_, above)| above == base),
                LdapSearchScope::Subtree => lower(name) == base || lower(name).ends_with(&format!(",{base}")),
                LdapSearchScope::Children => lower(name).ends_with(&format!(",{base}")),
            })
            .filter(|(_, object)| meets(object, &ask.filter))
            .collect();
        let paged = controls.iter().find_map(|control| match control {
            LdapControl::SimplePagedResults { size, cookie } => Some((*size, cookie)),
            _ => None,
        });
        let from = paged.and_then(|(_, cookie)| std::str::from_utf8(cookie).ok()?.parse::<usize>().ok()).unwrap_or(0);
        let asked = paged.and_then(|(size, _)| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        let limit = usize::try_from(ask.sizelimit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let most = asked.min(self.policy.max_page_size).min(limit);
        let page: Vec<_> = found.iter().skip(from).take(most).collect();
        let next = from + page.len();
        let mut out: Vec<_> =
            page.iter().map(|(dn, object)| (self.told_entry(dn, object, &ask.attrs), Vec::new())).collect();
        if ask.scope == LdapSearchScope::Subtree && base == lower(DOMAIN) {
            // Other partitions below the domain are elsewhere (MS-ADTS 3.1.1.4.6).
            for elsewhere in ["ForestDnsZones", "DomainDnsZones"] {
                let uris = vec![format!("ldap://{elsewhere}.corp.example/DC={elsewhere},{DOMAIN}")];
                out.push((LdapOp::SearchResultReference(LdapSearchResultReference { uris }), Vec::new()));
            }
        }
        let more = next < found.len();
        match paged {
            Some(_) => {
                self.pages.fetch_add(1, Ordering::SeqCst);
                let cookie = if more { next.to_string().into_bytes() } else { Vec::new() };
                let control = LdapControl::SimplePagedResults { size: 0, cookie };
                out.push((LdapOp::SearchResultDone(success()), vec![control]));
            }
            None if more => out.push((done(LdapResultCode::SizeLimitExceeded, "MaxPageSize"), Vec::new())),
            None => out.push((LdapOp::SearchResultDone(success()), Vec::new())),
        }
        out
    }

    fn told_entry(&self, dn: &str, object: &Object, asked: &[String]) -> LdapOp {
        let all = asked.is_empty() || asked.iter().any(|name| name == "*");
        let mut attributes = Vec::new();
        for (name, values) in &object.attributes {
            let wanted = asked
                .iter()
                .find(|wanted| wanted.split(';').next().is_some_and(|plain| plain.eq_ignore_ascii_case(name)));
            // What proves somebody is read by nobody.
            if name == "unicodePwd" || (wanted.is_none() && !all) {
                continue;
            }
            attributes.extend(self.told_values(name, values, wanted.map(String::as_str)));
        }
        LdapOp::SearchResultEntry(LdapSearchResultEntry { dn: dn.to_owned(), attributes })
    }

    /// All values, or a range of them with the name that says which (MS-ADTS 3.1.1.3.1.3.3).
    fn told_values(&self, name: &str, values: &[Vec<u8>], wanted: Option<&str>) -> Vec<LdapPartialAttribute> {
        let range = wanted.and_then(|wanted| wanted.split_once(';')).and_then(|(_, option)| {
            let (from, to) = option.strip_prefix("range=")?.split_once('-')?;
            Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()))
        });
        let most = self.policy.max_val_range;
        let told = |atype: String, vals: &[Vec<u8>]| LdapPartialAttribute { atype, vals: vals.to_vec() };
        if range.is_none() && values.len() <= most {
            return vec![told(name.to_owned(), values)];
        }
        self.ranges.fetch_add(1, Ordering::SeqCst);
        let (from, to) = range.unwrap_or((0, None));
        let end = to.map_or(values.len(), |to| to.saturating_add(1)).min(from.saturating_add(most)).min(values.len());
        let part = values.get(from..end).unwrap_or_default();
        let last = if end == values.len() { "*".to_owned() } else { end.saturating_sub(1).to_string() };
        let mut all = vec![told(format!("{name};range={from}-{last}"), part)];
        if range.is_none() {
            // Beside it stands the attribute that was asked for, with nothing in it.
            all.insert(0, told(name.to_owned(), &[]));
        }
        all
    }
}

fn meets(object: &Object, filter: &LdapFilter) -> bool {
    let values = |name: &str| {
        let found = object.attributes.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, values)| values.as_slice()).unwrap_or_default()
    };
    let texts = |name: &str| values(name).iter().filter_map(|value| std::str::from_utf8(value).ok());
    match filter {
        LdapFilter::And(all) => all.iter().all(|one| meets(object, one)),
        LdapFilter::Or(some) => some.iter().any(|one| meets(object, one)),
        LdapFilter::Not(one) => !meets(object, one),
        LdapFilter::Present(name) => name.eq_ignore_ascii_case("objectClass") || !values(name).is_empty(),
        // A category may be said by the name of its class (MS-ADTS 3.1.1.3.1.3.5).
        LdapFilter::Equality(name, wanted) if name.eq_ignore_ascii_case("objectCategory") => {
            let full = format!("CN={wanted},CN=Schema,CN=Configuration,{DOMAIN}");
            texts(name).any(|value| value.eq_ignore_ascii_case(wanted) || value.eq_ignore_ascii_case(&full))
        }
        LdapFilter::Equality(name, wanted) => texts(name).any(|value| value.eq_ignore_ascii_case(wanted)),
        LdapFilter::Extensible(rule) if rule.matching_rule.as_deref() == Some(BIT_AND) => {
            let mask = rule.match_value.parse::<u32>().unwrap_or_default();
            let name = rule.type_.as_deref().unwrap_or_default();
            texts(name).filter_map(|value| value.parse::<u32>().ok()).any(|bits| bits & mask == mask)
        }
        LdapFilter::Substring(..)
        | LdapFilter::GreaterOrEqual(..)
        | LdapFilter::LessOrEqual(..)
        | LdapFilter::Approx(..)
        | LdapFilter::Extensible(_) => false,
    }
}

/// The root (MS-ADTS 3.1.1.3.2): no control by which RFC 4533 is asked for.
fn root(ask: &LdapSearchRequest) -> LdapOp {
    let values = |all: &[&str]| all.iter().map(|one| one.as_bytes().to_vec()).collect();
    let all = [
        ("defaultNamingContext", values(&[DOMAIN])),
        ("supportedControl", values(&["1.2.840.113556.1.4.319", "1.2.840.113556.1.4.841", "1.2.840.113556.1.4.528"])),
        ("supportedCapabilities", values(&["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670"])),
    ];
    let wanted = |name: &str| ask.attrs.is_empty() || ask.attrs.iter().any(|one| one.eq_ignore_ascii_case(name));
    let told = all.into_iter().filter(|(name, _)| wanted(name));
    let attributes = told.map(|(name, vals)| LdapPartialAttribute { atype: name.to_owned(), vals }).collect();
    LdapOp::SearchResultEntry(LdapSearchResultEntry { dn: String::new(), attributes })
}

fn success() -> LdapResult {
    LdapResult { code: LdapResultCode::Success, matcheddn: String::new(), message: String::new(), referral: Vec::new() }
}

fn done(code: LdapResultCode, why: &str) -> LdapOp {
    LdapOp::SearchResultDone(LdapResult { code, message: why.to_owned(), ..success() })
}

fn refused_bind() -> LdapResult {
    let why = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563";
    LdapResult { code: LdapResultCode::InvalidCredentials, message: why.to_owned(), ..success() }
}
