//! Signatures of webhooks, after Standard Webhooks: HMAC-SHA-256 over id, moment and body, as `v1,BASE64`.
//!
//! The moment is in the signature and the id is the delivery's: what is sent again by somebody else is known by its age or
//! by its id.

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use wane_domain::secret::Secret;

/// How a secret begins that is given in base64.
const PREFIX: &str = "whsec_";
/// The least key, in bytes.
const LEAST: usize = 24;
/// The largest.
const MOST: usize = 64;

/// A secret that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a webhook's secret is `whsec_` and 24 to 64 bytes in base64; make one with `echo whsec_$(openssl rand -base64 32)`"
)]
pub struct SecretShape;

/// A secret that signs.
pub struct HookSecret(hmac::Key);

impl std::fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookSecret(..)")
    }
}

impl HookSecret {
    /// Reads it.
    ///
    /// # Errors
    /// When it is of another shape.
    pub fn read(secret: &Secret) -> Result<Self, SecretShape> {
        let text = secret.expose_str().map(str::trim).ok_or(SecretShape)?;
        let key = BASE64.decode(text.strip_prefix(PREFIX).ok_or(SecretShape)?.as_bytes()).map_err(|_| SecretShape)?;
        if !(LEAST..=MOST).contains(&key.len()) {
            return Err(SecretShape);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }
}

/// The header that vouches for a body: one signature for each secret, so that secrets can be exchanged one by one.
#[must_use]
pub fn signatures(secrets: &[HookSecret], id: &str, moment: i64, body: &[u8]) -> String {
    let one = |secret: &HookSecret| {
        let mut context = hmac::Context::with_key(&secret.0);
        context.update(format!("{id}.{moment}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign().as_ref()))
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<HookSecret, SecretShape> {
        HookSecret::read(&Secret::new(text.as_bytes().to_vec()))
    }

    /// The example of the specification.
    #[test]
    fn the_example_of_the_specification_comes_out() {
        let secrets = [secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()];
        let signed = signatures(&secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_whole_or_none() {
        for text in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64 at all!"] {
            assert!(secret(text).is_err(), "{text}");
        }
    }
}
