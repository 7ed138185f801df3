//! API keys: what one says, how it is narrowed without asking anybody, and whether it is ours.
//!
//! A key is `wane_key_`, then what it says and a MAC over it in base64url, then a checksum by which a scanner of logs and
//! repositories knows one from any other text. The MAC is the last of a chain: the first is HMAC-SHA-256 under a secret of the
//! gateway over which grant and issue it is, each further one is under the one before it, over one caveat. So whoever holds a
//! key can add caveats, and nobody can take one away; nothing is kept of any key.
//!
//! INVARIANT: what is added to a key only ever takes away from what it opens (held by `nothing_that_is_added_widens_a_key`,
//! fuzz target `http_key`).

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use wane_domain::id::GrantId;
use wane_domain::secret::Secret;
use wane_domain::time::Time;

use crate::path::{Path, Pattern};

/// What every key begins with.
pub(crate) const PREFIX: &str = "wane_key_";
/// The longest key that is read.
const LONGEST: usize = 8 * 1024;
const MOST_CAVEATS: usize = 32;
const MAC: usize = 32;
const CHECKSUM: usize = 8;

/// The secret under which keys are made.
pub(crate) struct Root(hmac::Key);

impl Root {
    /// From the gateway's own secret, for this and nothing else.
    pub(crate) fn new(secret: &Secret) -> Self {
        let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose()), b"wane.key.root.v1");
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }

    fn first(&self, about: &str) -> hmac::Tag {
        hmac::sign(&self.0, format!("wane.key.v1\n{about}").as_bytes())
    }
}

/// A key as it was read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) grant: GrantId,
    pub(crate) serial: u64,
    pub(crate) resource: String,
    /// What it is narrowed to, in the order in which it was.
    pub(crate) caveats: Vec<Caveat>,
    mac: [u8; MAC],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("grant", &self.grant).field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// One thing that a key is narrowed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caveat {
    /// Good before this moment.
    Until(Time),
    Methods(BTreeSet<String>),
    Paths(BTreeSet<Pattern>),
    /// Good from these addresses.
    From(BTreeSet<IpAddr>),
    /// Good for so many requests, of everybody together who holds it or one narrowed from it.
    Uses(u64),
}

/// Why a key is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("it is no key of Wane, or a part of one; copy it whole, from `wane_key_` on")]
    NoKey,
    #[error("a key says `{0}`, which this version does not know; it is refused for that")]
    Caveat(String),
    #[error("it is not a key that this server made")]
    Foreign,
}

impl Key {
    /// A key of an issue, with nothing taken away.
    pub(crate) fn made(root: &Root, grant: GrantId, serial: u64, resource: &str) -> Self {
        let mac = tag(&root.first(&about(grant, serial, resource)));
        Self { grant, serial, resource: resource.to_owned(), caveats: Vec::new(), mac }
    }

    /// Reads one; whether it is ours is not known by that.
    pub(crate) fn read(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(PREFIX).filter(|_| text.len() <= LONGEST).ok_or(KeyError::NoKey)?;
        let (body, sum) =
            rest.len().checked_sub(CHECKSUM).and_then(|at| rest.split_at_checked(at)).ok_or(KeyError::NoKey)?;
        if checksum(body) != sum {
            return Err(KeyError::NoKey);
        }
        let bytes = BASE64URL_NOPAD.decode(body.as_bytes()).map_err(|_| KeyError::NoKey)?;
        let (says, mac) = bytes.split_last_chunk::<MAC>().ok_or(KeyError::NoKey)?;
        let mut lines = std::str::from_utf8(says).map_err(|_| KeyError::NoKey)?.split('\n');
        let mut line = || lines.next().ok_or(KeyError::NoKey);
        let grant = line()?.parse().map_err(|_| KeyError::NoKey)?;
        let serial: &str = line()?;
        let number = serial.parse().ok().filter(|number: &u64| number.to_string() == serial).ok_or(KeyError::NoKey)?;
        let resource = line()?.to_owned();
        let caveats: Vec<Caveat> = lines.map(Caveat::read).collect::<Result<_, _>>()?;
        if caveats.len() > MOST_CAVEATS {
            return Err(KeyError::NoKey);
        }
        Ok(Self { grant, serial: number, resource, caveats, mac: *mac })
    }

    /// Whether it is ours, and nothing was taken away from what it is narrowed to.
    pub(crate) fn check(&self, root: &Root) -> Result<(), KeyError> {
        let mut key =
            hmac::Key::new(hmac::HMAC_SHA256, root.first(&about(self.grant, self.serial, &self.resource)).as_ref());
        let Some((last, before)) = self.caveats.split_last() else {
            let about = format!("wane.key.v1\n{}", about(self.grant, self.serial, &self.resource));
            return hmac::verify(&root.0, about.as_bytes(), &self.mac).map_err(|_| KeyError::Foreign);
        };
        for caveat in before {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, caveat.to_string().as_bytes()).as_ref());
        }
        hmac::verify(&key, last.to_string().as_bytes(), &self.mac).map_err(|_| KeyError::Foreign)
    }

    /// The same, narrowed further.
    pub(crate) fn narrowed(mut self, caveat: Caveat) -> Result<Self, KeyError> {
        if self.caveats.len() >= MOST_CAVEATS {
            return Err(KeyError::Caveat("more than 32 things".to_owned()));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.mac);
        self.mac = tag(&hmac::sign(&key, caveat.to_string().as_bytes()));
        self.caveats.push(caveat);
        Ok(self)
    }

    /// As it is handed over.
    pub(crate) fn text(&self) -> String {
        let mut says = about(self.grant, self.serial, &self.resource);
        for caveat in &self.caveats {
            says.push('\n');
            says.push_str(&caveat.to_string());
        }
        let body = BASE64URL_NOPAD.encode(&[says.as_bytes(), &self.mac].concat());
        let sum = checksum(&body);
        format!("{PREFIX}{body}{sum}")
    }

    /// Why it does not open this, if it does not.
    pub(crate) fn refuses(&self, asked: &Use<'_>) -> Option<String> {
        self.caveats.iter().find_map(|caveat| caveat.refuses(asked))
    }

    /// By what its session is known here; whoever reads it has not the key.
    pub(crate) fn mark(&self) -> [u8; 32] {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        context.update(b"wane.key.mark.v1\n");
        context.update(self.text().as_bytes());
        let digest = context.finish();
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        out
    }

    /// What it gives a number of uses of, each with the number: every one is spent with each request.
    pub(crate) fn uses(&self) -> Vec<(String, u64)> {
        let mut said = about(self.grant, self.serial, &self.resource);
        let mut uses = Vec::new();
        for caveat in &self.caveats {
            said.push('\n');
            said.push_str(&caveat.to_string());
            if let Caveat::Uses(number) = caveat {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, said.as_bytes());
                uses.push((data_encoding::HEXLOWER.encode(digest.as_ref()), *number));
            }
        }
        uses
    }
}

/// What a key is used for.
pub(crate) struct Use<'a> {
    pub(crate) now: Time,
    pub(crate) peer: IpAddr,
    pub(crate) method: &'a str,
    pub(crate) path: &'a Path,
}

impl Caveat {
    /// Reads one as it stands in a key: in the one spelling that it has.
    fn read(line: &str) -> Result<Self, KeyError> {
        let unknown = || KeyError::Caveat(line.chars().take(64).collect());
        let (name, value) = line.split_once('=').ok_or_else(unknown)?;
        let read = Self::said(name, value).map_err(|_| unknown())?;
        if read.to_string() == line { Ok(read) } else { Err(unknown()) }
    }

    /// Reads what somebody says by a name.
    pub(crate) fn said(name: &str, value: &str) -> Result<Self, String> {
        let listed = || value.split(' ');
        let few = |caveat| {
            if (1..=64).contains(&listed().count()) { Ok(caveat) } else { Err("say 1 to 64 of them".to_owned()) }
        };
        match name {
            "until" => {
                let secs = value.parse::<i64>().map_err(|_| "write seconds since 1970".to_owned())?;
                let micros = secs.checked_mul(1_000_000).ok_or("that is no moment")?;
                Ok(Self::Until(Time::from_micros(micros)))
            }
            "methods" => {
                let plain =
                    |method: &str| !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
                match listed().find(|method| !plain(method)) {
                    Some(bad) => Err(format!("`{bad}` is no method; write it in capitals")),
                    None => few(Self::Methods(listed().map(str::to_owned).collect())),
                }
            }
            "paths" => few(Self::Paths(listed().map(Pattern::read).collect::<Result<_, _>>()?)),
            "from" => {
                let read = |text: &str| {
                    text.parse::<IpAddr>().map(|a| a.to_canonical()).map_err(|_| format!("`{text}` is no address"))
                };
                few(Self::From(listed().map(read).collect::<Result<_, _>>()?))
            }
            "uses" => match value.parse::<u64>() {
                Ok(number @ 1..=1_000_000) => Ok(Self::Uses(number)),
                Ok(_) | Err(_) => Err("write 1 to 1000000".to_owned()),
            },
            other => Err(format!("`{other}` is nothing that a key can be narrowed to")),
        }
    }

    fn refuses(&self, asked: &Use<'_>) -> Option<String> {
        match self {
            Self::Until(until) if asked.now >= *until => {
                Some("it was good for a shorter time, which is over".to_owned())
            }
            Self::Methods(methods) if !methods.contains(asked.method) => Some("it is not for this method".to_owned()),
            Self::Paths(paths) if !paths.iter().any(|pattern| pattern.names(asked.path)) => {
                Some("it is not for this path".to_owned())
            }
            Self::From(from) if !from.contains(&asked.peer.to_canonical()) => {
                Some(format!("it may not be used from {}", asked.peer.to_canonical()))
            }
            Self::Until(_) | Self::Methods(_) | Self::Paths(_) | Self::From(_) | Self::Uses(_) => None,
        }
    }
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn joined<T: fmt::Display>(all: &BTreeSet<T>) -> String {
            all.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
        }
        match self {
            Self::Until(until) => write!(f, "until={}", until.micros().div_euclid(1_000_000)),
            Self::Methods(methods) => write!(f, "methods={}", joined(methods)),
            // No pattern has a blank: it is written encoded.
            Self::Paths(paths) => write!(f, "paths={}", joined(paths)),
            Self::From(from) => write!(f, "from={}", joined(from)),
            Self::Uses(number) => write!(f, "uses={number}"),
        }
    }
}

fn about(grant: GrantId, serial: u64, resource: &str) -> String {
    format!("{grant}\n{serial}\n{resource}")
}

fn tag(tag: &hmac::Tag) -> [u8; MAC] {
    let mut out = [0; MAC];
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

fn checksum(body: &str) -> String {
    format!("{:08x}", crc32fast::hash(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wane_domain::id::TypedId as _;

    use super::*;

    fn grant() -> GrantId {
        GrantId::mint(Time::from_micros(1_795_255_200_000_000), &[7; 10])
    }

    fn root(byte: u8) -> Root {
        Root::new(&Secret::new(vec![byte; 32]))
    }

    fn caveat() -> impl Strategy<Value = Caveat> {
        let said = |name: &'static str, value: &str| Caveat::said(name, value).unwrap();
        prop_oneof![
            (0i64..4_000_000_000).prop_map(|secs| Caveat::Until(Time::from_micros(secs * 1_000_000))),
            (1u64..100).prop_map(Caveat::Uses),
            prop::sample::subsequence(vec!["GET", "POST", "PUT"], 1..3)
                .prop_map(move |m| said("methods", &m.join(" "))),
            prop::sample::subsequence(vec!["/a", "/a/**", "/**", "/a%20b,c"], 1..3)
                .prop_map(move |p| said("paths", &p.join(" "))),
            prop::sample::subsequence(vec!["192.0.2.1", "2001:db8::1"], 1..2)
                .prop_map(move |a| said("from", &a.join(" "))),
        ]
    }

    #[test]
    fn a_key_is_ours_whole_or_not_at_all() {
        let key = Key::made(&root(1), grant(), 7, "app");
        let text = key.text();
        assert!(text.starts_with("wane_key_"));
        let read = Key::read(&text).unwrap();
        assert!(read == key && read.check(&root(1)).is_ok());
        assert_eq!(read.check(&root(2)), Err(KeyError::Foreign), "of another server");
        let narrow = key.clone().narrowed(Caveat::said("paths", "/a").unwrap()).unwrap();
        let narrow = narrow.narrowed(Caveat::said("uses", "1").unwrap()).unwrap();
        assert!(Key::read(&narrow.text()).unwrap().check(&root(1)).is_ok());
        // Without the last thing it was narrowed to, with another, in another order, of another issue.
        for forged in [
            Key { caveats: narrow.caveats[..1].to_vec(), ..narrow.clone() },
            Key { caveats: Vec::new(), ..narrow.clone() },
            Key { caveats: vec![narrow.caveats[0].clone(), Caveat::Uses(2)], ..narrow.clone() },
            Key { caveats: narrow.caveats.iter().rev().cloned().collect(), ..narrow.clone() },
            Key { serial: 8, ..narrow.clone() },
            Key { resource: "other".to_owned(), ..narrow.clone() },
        ] {
            assert_eq!(Key::read(&forged.text()).unwrap().check(&root(1)), Err(KeyError::Foreign), "{forged:?}");
        }
        let cut = &text[..text.len() - 1];
        let other = text.replacen(&text[12..13], if &text[12..13] == "A" { "B" } else { "A" }, 1);
        for bad in ["", "wane_key_", "wane_key_é", cut, &other, &format!("{text} "), &"x".repeat(10_000)] {
            assert_eq!(Key::read(bad), Err(KeyError::NoKey), "{bad:?}");
        }
        assert!(!format!("{key:?}").contains(&text[20..40]));
    }

    #[test]
    fn what_it_is_narrowed_to_holds() {
        let path = Path::read("/api/x").unwrap();
        let asked =
            Use { now: Time::from_micros(100_000_000), peer: "192.0.2.1".parse().unwrap(), method: "GET", path: &path };
        for (name, value, refused) in [
            ("until", "101", false),
            ("until", "100", true),
            ("methods", "GET HEAD", false),
            ("methods", "POST", true),
            ("paths", "/api/**", false),
            ("paths", "/api", true),
            ("from", "192.0.2.1", false),
            ("from", "192.0.2.2", true),
            ("uses", "1", false),
        ] {
            let key = Key::made(&root(1), grant(), 1, "app").narrowed(Caveat::said(name, value).unwrap()).unwrap();
            assert_eq!(key.refuses(&asked).is_some(), refused, "{name} {value}");
        }
        for (name, value) in [
            ("until", "x"),
            ("methods", "get"),
            ("methods", ""),
            ("paths", "/a/../b"),
            ("from", "192.0.2.0/24"),
            ("uses", "0"),
            ("role", "x"),
        ] {
            assert!(Caveat::said(name, value).is_err(), "{name} {value}");
        }
        let once = Key::made(&root(1), grant(), 1, "app").narrowed(Caveat::Uses(1)).unwrap();
        let both = once.clone().narrowed(Caveat::said("paths", "/a").unwrap()).unwrap();
        assert_eq!(once.uses(), both.uses(), "what is narrowed from it has the same uses");
        assert_ne!(once.uses(), Key::made(&root(1), grant(), 2, "app").narrowed(Caveat::Uses(1)).unwrap().uses());
    }

    proptest! {
        #[test]
        fn nothing_that_is_added_widens_a_key(first in prop::collection::vec(caveat(), 0..4), more in caveat()) {
            let mut key = Key::made(&root(1), grant(), 3, "app");
            for caveat in first {
                key = key.narrowed(caveat).unwrap();
            }
            let narrow = key.clone().narrowed(more).unwrap();
            let read = Key::read(&narrow.text()).unwrap();
            prop_assert!(read.check(&root(1)).is_ok());
            prop_assert_eq!(&read.caveats[..key.caveats.len()], key.caveats.as_slice());
            for method in ["GET", "POST", "DELETE"] {
                for path in ["/a", "/a/b", "/c", "/a%20b,c"] {
                    for peer in ["192.0.2.1", "192.0.2.9"] {
                        let path = Path::read(path).unwrap();
                        let asked = Use { now: Time::from_micros(1_795_255_200_000_000), peer: peer.parse().unwrap(), method, path: &path };
                        prop_assert!(key.refuses(&asked).is_none() || narrow.refuses(&asked).is_some());
                    }
                }
            }
            prop_assert!(key.uses().iter().all(|uses| narrow.uses().contains(uses)));
        }
    }
}
