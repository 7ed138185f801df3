//! What leaves this machine by itself: to which addresses, for how long, and how little is believed of the way there.
//!
//! Owns: which address may be asked, and a client that looks a name up once, checks what it leads to and connects to
//! exactly that; how a body is signed that goes to somebody who knows a secret. Refuses to know: what is asked, and of whom.
//!
//! INVARIANT: nothing is followed, nothing but `https` is spoken unless the other side is on this machine, and no
//! name leads to an address that is nobody's to ask: this machine, its link, its metadata service (held by
//! `a_name_leads_to_no_address_of_this_machine` and the tests of whoever asks).

mod sign;

pub use sign::{HookSecret, SecretShape, signatures};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};

/// The longest a call takes, whole.
pub const LONGEST: Duration = Duration::from_secs(10);

/// Where the other side may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On this machine, and nowhere else; plain `http` is enough there.
    Here,
    /// On another machine, be it of a private network.
    Away,
    /// On another machine that everybody can reach: no private network's.
    Public,
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The authorities it is to be trusted by.
    #[error("its certificate authorities cannot be read: {0}")]
    Ca(String),
    /// Something else.
    #[error("{0}")]
    Client(String),
}

impl Reach {
    /// Where an address that somebody set leads to: on this machine if it says so itself.
    #[must_use]
    pub fn of(url: &Url, away: Self) -> Self {
        if is_loopback(url) { Self::Here } else { away }
    }

    /// Whether an address may be asked at all; what its name leads to is looked at when it is.
    #[must_use]
    pub fn allows(self, url: &Url) -> bool {
        let allowed = match (url.scheme(), self) {
            ("https", Self::Away | Self::Public) => literal(url).is_none_or(|address| self.allows_address(address)),
            ("https" | "http", Self::Here) => is_loopback(url),
            (_, Self::Here | Self::Away | Self::Public) => false,
        };
        let bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        allowed && bare && url.host().is_some()
    }

    /// Whether something at an address may be asked.
    #[must_use]
    pub fn allows_address(self, address: IpAddr) -> bool {
        let address = plainly(address);
        let loopback = address.is_loopback();
        match self {
            Self::Here => loopback,
            Self::Away => !loopback && !is_nobodys(address),
            Self::Public => !loopback && !is_nobodys(address) && !is_private(address),
        }
    }

    /// A client that reaches so far. Names are looked up by it, once, and checked.
    ///
    /// # Errors
    /// When it cannot be trusted by what was given.
    pub fn client(self, ca_pem: Option<&[u8]>) -> Result<Client, ReachError> {
        // Somebody else in the process may have chosen a provider of cryptography already; then theirs stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut http = Client::builder()
            .connect_timeout(LONGEST)
            .timeout(LONGEST)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("wane/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Guarded(self)));
        if let Some(pem) = ca_pem {
            let certs = Certificate::from_pem_bundle(pem).map_err(|e| ReachError::Ca(e.to_string()))?;
            if certs.is_empty() {
                return Err(ReachError::Ca("it holds no certificate".to_owned()));
            }
            http = http.tls_certs_only(certs);
        }
        http.build().map_err(|e| ReachError::Client(e.to_string()))
    }
}

/// Whether an address names this machine itself, whatever is looked up.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    url.host_str() == Some("localhost") || literal(url).is_some_and(|address| address.to_canonical().is_loopback())
}

/// An error without the address it is about, which may carry secrets in its query.
#[must_use]
pub fn told(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if error.is_timeout() { "it takes too long".to_owned() } else { deepest.to_string() }
}

fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The address that is meant, where one is written inside another: mapped, NAT64 (RFC 6052), 6to4, compatible.
fn plainly(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    let IpAddr::V6(v6) = address else { return address };
    let inside = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inside(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if v6 != Ipv6Addr::LOCALHOST && v6 != Ipv6Addr::UNSPECIFIED => inside(high, low),
        _ => address,
    }
}

/// Addresses at which nobody else is: of the link, of metadata services, of several at once, of none.
fn is_nobodys(address: IpAddr) -> bool {
    let link = match address {
        IpAddr::V4(v4) => {
            // Where clouds answer about the machine itself, besides the link.
            let metadata = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
            v4.is_link_local() || v4.is_broadcast() || v4.octets().first() == Some(&0) || metadata.contains(&v4)
        }
        // fe80::/10, the local NAT64 prefix, and the address of cloud metadata services in fd00:ec2::/32.
        IpAddr::V6(v6) => {
            let head = v6.segments();
            head.first().is_some_and(|first| first & 0xffc0 == 0xfe80)
                || head.starts_with(&[0xfd00, 0x0ec2])
                || head.starts_with(&[0x64, 0xff9b, 1])
        }
    };
    link || address.is_unspecified() || address.is_multicast()
}

/// Addresses of private networks (RFC 1918, RFC 4193, RFC 6598), and those for tests and documentation's neighbours.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = matches!(v4.octets(), [100, second, ..] if second & 0xc0 == 64);
            let benchmarks = matches!(v4.octets(), [198, 18 | 19, ..]);
            let special =
                matches!(v4.octets(), [192, 0, 0, _]) || v4.octets().first().is_some_and(|first| *first >= 240);
            v4.is_private() || shared || benchmarks || special
        }
        // fc00::/7, fec0::/10.
        IpAddr::V6(v6) => {
            v6.segments().first().is_some_and(|first| first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0)
        }
    }
}

/// Looks names up and keeps the addresses that may be asked: the ones that are then connected to.
#[derive(Debug)]
struct Guarded(Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(kept(reach, found)?.into_iter()) as Addrs)
        })
    }
}

/// Of what a name leads to, what may be asked.
fn kept(reach: Reach, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, &'static str> {
    let kept: Vec<_> = found.into_iter().filter(|address| reach.allows_address(address.ip())).collect();
    if kept.is_empty() { Err("its name leads to no address that may be asked") } else { Ok(kept) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_address_of_this_machine() {
        for (text, public, away, here) in [
            ("192.0.2.7", true, true, false),
            ("2001:db8::7", true, true, false),
            ("10.1.2.3", false, true, false),
            ("172.16.0.1", false, true, false),
            ("192.168.1.1", false, true, false),
            ("100.64.0.1", false, true, false),
            ("fd12:3456::1", false, true, false),
            ("198.18.0.1", false, true, false),
            ("::ffff:10.1.2.3", false, true, false),
            ("64:ff9b::a01:203", false, true, false),
            ("2002:a01:203::1", false, true, false),
            ("::10.1.2.3", false, true, false),
            ("127.0.0.1", false, false, true),
            ("::1", false, false, true),
            ("::ffff:127.0.0.1", false, false, true),
            ("169.254.169.254", false, false, false),
            ("::ffff:169.254.169.254", false, false, false),
            ("64:ff9b::a9fe:a9fe", false, false, false),
            ("64:ff9b:1::a9fe:a9fe", false, false, false),
            ("2002:a9fe:a9fe::1", false, false, false),
            ("100.100.100.200", false, false, false),
            ("192.0.0.192", false, false, false),
            ("fe80::1", false, false, false),
            ("fd00:ec2::254", false, false, false),
            ("0.0.0.0", false, false, false),
            ("0.1.2.3", false, false, false),
            ("::", false, false, false),
            ("224.0.0.1", false, false, false),
            ("255.255.255.255", false, false, false),
        ] {
            let address = text.parse().unwrap();
            let allowed = [Reach::Public, Reach::Away, Reach::Here].map(|reach| reach.allows_address(address));
            assert_eq!(allowed, [public, away, here], "{text}");
        }
    }

    #[test]
    fn an_address_is_asked_safely_or_not_at_all() {
        for (text, public, away, here) in [
            ("https://login.example.org/token", true, true, false),
            ("https://10.1.2.3/token", false, true, false),
            ("http://login.example.org/token", false, false, false),
            ("https://127.0.0.1/token", false, false, true),
            ("https://0x7f.1/token", false, false, true),
            ("https://2852039166/latest", false, false, false),
            ("https://169.254.169.254/latest", false, false, false),
            ("https://[::1]/token", false, false, true),
            ("http://localhost:1/token", false, false, true),
            ("https://user:word@login.example.org/", false, false, false),
            ("https://login.example.org/#part", false, false, false),
            ("file:///etc/passwd", false, false, false),
            ("javascript:alert(1)", false, false, false),
        ] {
            let url = text.parse().unwrap();
            let allowed = [Reach::Public, Reach::Away, Reach::Here].map(|reach| reach.allows(&url));
            assert_eq!(allowed, [public, away, here], "{text}");
        }
    }

    /// A name that leads somewhere else at the second look leads nowhere by it: of what one look finds, only what may
    /// be asked is connected to.
    #[test]
    fn of_what_a_name_leads_to_only_what_may_be_asked_is_kept() {
        let both: Vec<SocketAddr> = ["192.0.2.7:0", "169.254.169.254:0", "[::1]:0"].map(|a| a.parse().unwrap()).into();
        assert_eq!(kept(Reach::Public, both.clone()).unwrap(), both[..1]);
        assert!(kept(Reach::Public, both[1..].to_vec()).is_err());
    }
}
