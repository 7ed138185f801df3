//! A range of addresses a login may come from, as sshd reads it: `192.0.2.0/24`.

use std::fmt;
use std::net::IpAddr;

/// An address and how many of its leading bits count; the others are zero, as sshd demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or one address alone.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = width(address);
        let bits = match bits {
            None => width,
            Some(bits) if (1..=3).contains(&bits.len()) && bits.bytes().all(|c| c.is_ascii_digit()) => {
                bits.parse().ok()?
            }
            Some(_) => return None,
        };
        let own = Self { address, bits };
        (bits <= width && own.masked(number(address)) == number(address)).then_some(own)
    }

    /// Whether every address of `other` is one of this.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.bits <= other.bits
            && self.masked(number(other.address)) == number(self.address)
    }

    /// Whether this address is one of it.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        // A listener for both families sees the older one in the newer one's dress.
        let address = address.to_canonical();
        self.covers(Self { address, bits: width(address) })
    }

    fn masked(self, number: u128) -> u128 {
        let rest = u32::from(width(self.address).saturating_sub(self.bits));
        number.checked_shr(rest).and_then(|kept| kept.checked_shl(rest)).unwrap_or(0)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_and_contain() {
        for (given, shown) in [
            ("192.0.2.0/24", Some("192.0.2.0/24")),
            ("192.0.2.7", Some("192.0.2.7/32")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("::/0", Some("::/0")),
            ("2001:DB8::/32", Some("2001:db8::/32")),
            ("192.0.2.1/24", None),
            ("192.0.2.0/33", None),
            ("192.0.2.0/+24", None),
            ("192.0.2.0/", None),
            ("!192.0.2.0/24", None),
            ("192.0.2.*", None),
            ("10.0.0.0/8,0.0.0.0/0", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(Cidr::read(given).map(|c| c.to_string()).as_deref(), shown, "{given}");
        }
        let wide = Cidr::read("10.0.0.0/8").unwrap();
        for (other, inside) in
            [("10.1.0.0/16", true), ("10.0.0.0/8", true), ("0.0.0.0/0", false), ("11.0.0.0/16", false), ("::/0", false)]
        {
            assert_eq!(wide.covers(Cidr::read(other).unwrap()), inside, "{other}");
        }
    }
}
