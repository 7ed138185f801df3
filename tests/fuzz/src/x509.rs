//! What holders of X.509 certificates send, and what the authority's key is asked to sign: one spelling, and nothing taken
//! that another reader would not take.

use data_encoding::BASE64;
use wane_kind_x509::{check_list, fuzzed};
use x509_parser::prelude::FromDer as _;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use super::{CERTIFICATE, KEY, LIST, REQUEST, decoded};

    pub(crate) fn x509_request() -> Vec<Vec<u8>> {
        vec![decoded(REQUEST), decoded(KEY)]
    }

    pub(crate) fn x509_certificate() -> Vec<Vec<u8>> {
        vec![decoded(CERTIFICATE), decoded(LIST), decoded(REQUEST)]
    }
}

/// A signing request and its key, ECDSA on P-256, made once with OpenSSL.
const REQUEST: &str = "MIHGMG4CAQAwDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEAs8nPFyW2U3J5JitgQScoCjuibXSWYT+fA31tuPFIZXAfMJxP0Ls4TVtc+rIvE7veMjpWY6Nkn/r/LT+hx2c+gADAKBggqhkjOPQQDAgNIADBFAiAZXaORvG/0adY7WPs90S9woOiMzFPRlaF8arTnw3KcFwIhAIjipTajHvetunkKzbEqdw9tHpemNXaRJqGyq1KEyr+5";
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQCzyc8XJbZTcnkmK2BBJygKO6JtdJZhP58DfW248UhlcB8wnE/QuzhNW1z6si8Tu94yOlZjo2Sf+v8tP6HHZzw==";
/// What is to be signed of a certificate and of a list in our form, likewise.
const CERTIFICATE: &str = "MIIBb6ADAgECAhR9IdlzuMciFNak1zI6IYtQ1QdF6zAKBggqhkjOPQQDAjAMMQowCAYDVQQDDAF4MB4XDTI2MTEyOTAyNTgyMloXDTI2MTEzMDAyNTgyMlowIzEKMAgGA1UEAwwBeDEVMBMGCgmSJomT8ixkAQEMBWdydF8wMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4USWV+ENhykMuiGbslI4PLG3dCAaZ/NL5zSzWExoAtqOS7nzPlpF8QluhRoSDp4cSkVFISKam8QUAqquF6Ht2aOBlzCBlDAMBgNVHRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcDAjAfBgNVHREEGDAWhhR1cm46d2FuZTpncmFudDpncnRfMDAdBgNVHQ4EFgQUDJ9hcgKNMVOlaJmGjJiqRYeiGwEwHwYDVR0jBBgwFoAU+jfpe89P5ksypE49+UWbVbelFnQ=";
const LIST: &str = "MGwCAQEwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBeBcNMjYxMTI5MDI1ODIyWhcNMjYxMTMwMDI1ODIyWqAvMC0wHwYDVR0jBBgwFoAU+jfpe89P5ksypE49+UWbVbelFnQwCgYDVR0UBAMCAQE=";

fn decoded(text: &str) -> Vec<u8> {
    BASE64.decode(text.as_bytes()).unwrap()
}

pub(crate) fn x509_request(data: &[u8]) {
    if let Ok(key) = fuzzed::request(data) {
        // What is certified is the key that another reader finds there, and it says so itself.
        let (rest, other) = x509_parser::certification_request::X509CertificationRequest::from_der(data).unwrap();
        assert!(rest.is_empty());
        assert_eq!(other.certification_request_info.subject_pki.raw, key);
        assert_eq!(fuzzed::public_key(&key).unwrap(), key);
    }
    if let Ok(key) = fuzzed::public_key(data) {
        assert_eq!(key, data, "a key with two spellings");
        let (rest, _) = x509_parser::x509::SubjectPublicKeyInfo::from_der(data).unwrap();
        assert!(rest.is_empty());
    }
}

pub(crate) fn x509_certificate(data: &[u8]) {
    let (certificate, list) = (fuzzed::certificate(data), check_list(data));
    assert!(certificate.is_err() || list.is_err(), "bytes that are a certificate and a list");
    if let Ok((serial, _, _, not_after)) = certificate {
        let (rest, other) = x509_parser::certificate::TbsCertificate::from_der(data).unwrap();
        assert!(rest.is_empty() && !other.is_ca());
        assert_eq!(other.validity.not_after.timestamp(), not_after);
        assert!(other.raw_serial().ends_with(&serial));
    }
    if list.is_ok() {
        let (rest, _) = x509_parser::revocation_list::TbsCertList::from_der(data).unwrap();
        assert!(rest.is_empty());
    }
}
