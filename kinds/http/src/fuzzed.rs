//! What the fuzz targets reach: readers of what anybody on the network sends.

use hyper::header::{COOKIE, HeaderMap, HeaderValue};
use wane_domain::secret::Secret;

use crate::key::{Caveat, Key, Root};
use crate::path::{Path, Pattern};
use crate::{cookie, site};

/// Reads a path and holds it to what is promised about it.
///
/// # Panics
/// When it is not so.
pub fn path(raw: &str) {
    let Ok(path) = Path::read(raw) else { return };
    for segment in path.segments() {
        assert!(!segment.contains(['/', '\\', ';', '%', '?', '#']), "{raw:?}: {segment:?} leads elsewhere");
        assert!(!segment.chars().any(|c| c.is_ascii_control()), "{raw:?}: {segment:?}");
        assert!(!matches!(segment.trim(), "." | ".."), "{raw:?}: {segment:?}");
    }
    let joined = path.segments().join("/");
    assert_eq!(joined.split('/').count(), path.segments().len(), "{raw:?} has another number of parts once decoded");
    // What people copy into a role names what they copied it from.
    if let Ok(pattern) = Pattern::read(raw) {
        let again = Pattern::read(&pattern.to_string());
        assert_eq!(again.as_ref(), Ok(&pattern), "{raw:?} is written as another pattern");
        assert!(raw.contains('*') || pattern.names(&path), "{raw:?} does not name itself");
    }
}

/// Reads what a browser sends of ours, and holds the application to getting none of it.
///
/// # Panics
/// When it does.
pub fn cookies(raw: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(raw) else { return };
    let mut headers = HeaderMap::new();
    headers.append(COOKIE, value);
    let _ = (cookie::session(&headers), cookie::begun(&headers));
    cookie::hide_own(&mut headers);
    assert!(cookie::session(&headers).is_none() && cookie::begun(&headers).is_none());
    let left: Vec<String> =
        headers.get_all(COOKIE).iter().map(|v| String::from_utf8_lossy(v.as_bytes()).to_lowercase()).collect();
    let ours = left.iter().flat_map(|v| v.split(';')).any(|pair| pair.trim().starts_with("__host-wane"));
    assert!(!ours, "{left:?}");
    if let Some((text, code)) = std::str::from_utf8(raw).ok().and_then(|text| Some((text, site::code_in(text)?))) {
        assert!(code.len() == 64 && text == format!("code={code}"));
    }
}

/// Reads what somebody shows as a key, and holds it to having one spelling, and to being nobody's.
///
/// # Panics
/// When it is not so.
pub fn key(raw: &str) {
    let Ok(key) = Key::read(raw) else { return };
    assert_eq!(key.text(), raw, "another spelling");
    let root = Root::new(&Secret::new(vec![7; 32]));
    assert!(key.check(&root).is_err(), "somebody made a key: {raw}");
    let Ok(narrow) = key.clone().narrowed(Caveat::Uses(1)) else { return };
    assert!(narrow.check(&root).is_err(), "somebody made a key of {raw}");
    assert_eq!(Key::read(&narrow.text()).as_ref(), Ok(&narrow), "{raw}");
}

/// A key that can be read, of a server that is not there, for a fuzz target to begin with.
#[must_use]
pub fn a_key() -> String {
    let root = Root::new(&Secret::new(vec![1; 32]));
    let grant = "grt_00000000000000000000000000".parse();
    grant.map_or_else(|_| String::new(), |grant| Key::made(&root, grant, 7, "app").text())
}
