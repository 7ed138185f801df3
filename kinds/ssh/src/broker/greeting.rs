//! The first bytes of a connection: does the other side insist on strict key exchange?
//!
//! Without it, whoever sits in between can drop messages at the start of a connection unseen
//! (CVE-2023-48795). The library takes part in it where it is offered and does not demand it, so what is
//! offered is read here: the version line (RFC 4253 section 4.2), then the list of key exchanges in the
//! first packet (section 7.1), which is not encrypted yet.

/// What a person's program has to offer (OpenSSH PROTOCOL, section 1.9).
const STRICT: &[u8] = b"kex-strict-c-v00@openssh.com";
const KEXINIT: u8 = 20;
const COOKIE: usize = 16;
/// Of the version line, with its end.
const LONGEST_LINE: usize = 255;
/// More than any program sends before its first key exchange.
const LONGEST: usize = 64 * 1024;

/// What the bytes so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// Not enough yet.
    More,
    /// It is offered.
    Strict,
    /// It is not offered, or this is no SSH.
    Lax,
}

/// Reads the beginning of what a client sends.
pub(crate) fn strict_kex(bytes: &[u8]) -> Greeting {
    if bytes.len() > LONGEST {
        return Greeting::Lax;
    }
    let Some(rest) = after_version(bytes) else {
        let begins = b"SSH-2.0-".starts_with(bytes.get(..8).unwrap_or(bytes));
        return if begins && bytes.len() < LONGEST_LINE { Greeting::More } else { Greeting::Lax };
    };
    // Length of the packet, length of its padding, its number.
    let Some((head, body)) = rest.split_first_chunk::<6>() else { return Greeting::More };
    let [a, b, c, d, _padding, number] = *head;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if number != KEXINIT || length > LONGEST {
        return Greeting::Lax;
    }
    let Some((size, names)) = body.get(COOKIE..).and_then(|rest| rest.split_first_chunk::<4>()) else {
        return Greeting::More;
    };
    let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
    if size > length {
        return Greeting::Lax;
    }
    match names.get(..size) {
        None => Greeting::More,
        Some(names) if names.split(|byte| *byte == b',').any(|name| name == STRICT) => Greeting::Strict,
        Some(_) => Greeting::Lax,
    }
}

/// What follows the version line.
fn after_version(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n')?;
    bytes.starts_with(b"SSH-2.0-").then(|| bytes.get(end.saturating_add(1)..))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: &str, names: &str) -> Vec<u8> {
        let mut out = version.as_bytes().to_vec();
        let mut payload = vec![4, KEXINIT];
        payload.extend([7; COOKIE]);
        payload.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
        payload.extend(names.as_bytes());
        out.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        out.extend(payload);
        out
    }

    #[test]
    fn strict_key_exchange_is_seen_as_soon_as_it_is_there() {
        let good = hello("SSH-2.0-OpenSSH_9.2\r\n", "curve25519-sha256,kex-strict-c-v00@openssh.com");
        assert_eq!(strict_kex(&good), Greeting::Strict);
        for cut in 0..good.len() {
            assert_eq!(strict_kex(&good[..cut]), Greeting::More, "cut at {cut}");
        }
        for lax in [
            hello("SSH-2.0-old\r\n", "curve25519-sha256,ext-info-c"),
            hello("SSH-2.0-server\r\n", "kex-strict-s-v00@openssh.com"),
            hello("SSH-2.0-x\r\n", "xkex-strict-c-v00@openssh.com"),
            hello("SSH-1.5-old\r\n", "kex-strict-c-v00@openssh.com"),
            b"GET / HTTP/1.1\r\n".to_vec(),
            vec![b'S'; 70_000],
            [b"SSH-2.0-x\r\n".as_slice(), &[0, 0, 1, 0, 4, 21]].concat(),
        ] {
            assert_eq!(strict_kex(&lax), Greeting::Lax, "{:?}", String::from_utf8_lossy(&lax));
        }
    }
}
