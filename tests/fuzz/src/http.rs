//! What anybody sends to an application behind the gateway: a path is one path, and our cookies go no further.

use wane_kind_http::fuzzed;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    pub(crate) fn http_path() -> Vec<Vec<u8>> {
        ["/", "/api/a%20b/%C3%BC", "/a/*/b/**", "/a/../b", "/%2e%2e%2f", "/a;b", "//", "/a%252fb"]
            .map(|p| p.as_bytes().to_vec())
            .to_vec()
    }

    pub(crate) fn http_key() -> Vec<Vec<u8>> {
        vec![wane_kind_http::fuzzed::a_key().into_bytes(), b"wane_key_AA00000000".to_vec()]
    }

    pub(crate) fn http_cookies() -> Vec<Vec<u8>> {
        let session = format!("a=1; __Host-wane-app={}; __HOST-wane=x", "A".repeat(43));
        let code = format!("code={}", "0123456789abcdef".repeat(4));
        vec![session.into_bytes(), code.into_bytes(), b"__Host-wane-app-begun=; b".to_vec()]
    }
}

pub(crate) fn http_key(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        fuzzed::key(text);
    }
}

pub(crate) fn http_path(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        fuzzed::path(text);
    }
}

pub(crate) fn http_cookies(data: &[u8]) {
    fuzzed::cookies(data);
}
