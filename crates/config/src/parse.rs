//! One value out of its text. Each says what to write instead of what it refuses.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// An IP address and port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and port, for instance `127.0.0.1:7440` or `[::]:443`".to_owned())
}

/// A host and a port, as people write them to a program that connects.
pub(crate) fn host_port(text: &str) -> Result<(String, u16), String> {
    let want = || "write `host:port`, for instance `ssh.example.org:22` or `[2001:db8::7]:2222`".to_owned();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").ok_or_else(want)?,
        None => text.rsplit_once(':').filter(|(host, _)| !host.contains(':')).ok_or_else(want)?,
    };
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:".contains(&b);
    let host = host.to_ascii_lowercase();
    let good = !host.is_empty() && host.len() <= 253 && !host.starts_with('-') && host.bytes().all(letters);
    match port.parse::<u16>() {
        Ok(port)
            if good && port != 0 && port.to_string().len() == text.rsplit(':').next().unwrap_or_default().len() =>
        {
            Ok((host, port))
        }
        _ => Err(want()),
    }
}

/// An `http` or `https` URL without path, query or user.
pub(crate) fn origin_url(text: &str) -> Result<String, String> {
    let bare = text.strip_suffix('/').unwrap_or(text);
    let host = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b)) => {
            Ok(bare.to_owned())
        }
        _ => Err(
            "write `https://` or `http://` with host and, if need be, port, for instance `https://wane.example.org`"
                .to_owned(),
        ),
    }
}

/// An IANA time zone.
pub(crate) fn zone(text: &str) -> Result<String, String> {
    match jiff::tz::TimeZone::get(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("write an IANA time zone, for instance `Europe/Berlin`".to_owned()),
    }
}

/// A length of time longer than zero; a day is 24 hours.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let want = || "write a length of time longer than zero, for instance `30s`, `15m` or `8h`".to_owned();
    let span: jiff::Span = text.parse().map_err(|_| want())?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| want())?;
    match Duration::try_from(length) {
        Ok(length) if !length.is_zero() => Ok(length),
        _ => Err(want()),
    }
}

/// A count of bytes: a number, or one with `KiB` or `MiB`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    const MOST: u64 = 64 * 1024 * 1024;
    let (number, unit) = match text.strip_suffix("iB") {
        Some(rest) if rest.ends_with('K') => (rest.trim_end_matches('K'), 1024),
        Some(rest) if rest.ends_with('M') => (rest.trim_end_matches('M'), 1024 * 1024),
        _ => (text, 1),
    };
    let count = number.trim().parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    match count {
        Some(n) if (1024..=MOST).contains(&n) => Ok(n),
        _ => Err("write a number of bytes from `1 KiB` to `64 MiB`, for instance `1 MiB`".to_owned()),
    }
}

/// A whole number in a range.
pub(crate) fn count(text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.parse() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(format!("write a whole number from {least} to {most}")),
    }
}

/// So many in a minute.
pub(crate) fn rate(text: &str) -> Result<NonZeroU32, String> {
    const MOST: u32 = 1_000_000;
    let read = text.parse().ok().filter(|rate: &NonZeroU32| rate.get() <= MOST);
    read.ok_or_else(|| format!("write a whole number from 1 to {MOST}"))
}

/// `true` or `false`.
pub(crate) fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "write `true` or `false`".to_owned())
}

/// One of a few words.
pub(crate) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(w, _)| *w == text).map(|(_, value)| *value).ok_or_else(|| {
        let all = words.iter().map(|(w, _)| format!("`{w}`")).collect::<Vec<_>>();
        match all.as_slice() {
            [only] => format!("write {only}"),
            [first @ .., last] => format!("write {} or {last}", first.join(", ")),
            [] => String::new(),
        }
    })
}

/// A bucket's name: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>, and capitals, which
/// other stores take.
pub(crate) fn bucket(text: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if (3..=63).contains(&bytes.len()) && bytes.iter().all(|b| good(*b)) && ends(bytes.first()) && ends(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err("write a bucket's name: 3 to 63 letters, digits, dots and hyphens".to_owned())
    }
}

/// The beginning of the names of objects; slashes around it are left out.
pub(crate) fn prefix(text: &str) -> Result<String, String> {
    let bare = text.trim_matches('/');
    let part = |part: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(good)
    };
    if bare.len() <= 256 && bare.split('/').all(part) {
        Ok(bare.to_owned())
    } else {
        Err("write letters, digits, dots, hyphens and single slashes, for instance `audit/wane`".to_owned())
    }
}

/// Letters, digits and hyphens.
pub(crate) fn word_of_its_own(text: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(good) {
        Ok(text.to_owned())
    } else {
        Err("write letters, digits and hyphens, for instance `eu-central-1`".to_owned())
    }
}

/// A text that is not empty.
pub(crate) fn filled(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("write something, or leave it out".to_owned()) } else { Ok(text.to_owned()) }
}
