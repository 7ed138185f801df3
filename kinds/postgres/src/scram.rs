//! What a server keeps of a password instead of it: a SCRAM verifier (RFC 5803, RFC 7677), in the form
//! PostgreSQL stores.
//!
//! Owns: that form, and how many rounds it is worth. Refuses to know: where passwords come from. They are
//! letters, digits, `-` and `_`, which SASLprep (RFC 4013) leaves as they are.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use data_encoding::BASE64;
use zeroize::Zeroizing;

/// What RFC 7677 asks for at least, and what every client takes.
pub(crate) const USUAL_ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4_095);

/// The verifier of a password. The server goes through all rounds once more when it is handed one, to see
/// that it is not that of an empty password, and so does a client at each login.
pub(crate) fn verifier(password: &str, salt: &[u8], rounds: NonZeroU32) -> String {
    let mut salted = Zeroizing::new([0u8; digest::SHA256_OUTPUT_LEN]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut *salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
    let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let [salt, stored, server] = [salt, stored.as_ref(), server.as_ref()].map(|part| BASE64.encode(part));
    format!("SCRAM-SHA-256${rounds}:{salt}${stored}:{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn a_verifier_is_the_one_of_the_standard() {
        let salt = BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(
            verifier("pencil", &salt, USUAL_ROUNDS),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
             wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
