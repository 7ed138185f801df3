//! A passkey's assertion (W3C Web Authentication): checked by `webauthn-rs-core`, with a challenge of ours.
//!
//! The library draws challenges itself; what it waits with is data that it writes and reads, so that a state with our
//! challenge is read in, as one that was put away would be.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use url::Url;
use wane_domain::approval::KeyMaterial;
use wane_domain::canonical::Digest;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{AuthenticationState, Credential, PublicKeyCredential};

use crate::{BadSignature, Counter, KeyError, LONGEST_SIGNATURE, Shown};

/// How long a browser waits for its authenticator, in milliseconds.
const PATIENCE: u64 = 300_000;

fn credential(kept: &Value) -> Result<Credential, KeyError> {
    // What is kept for signing in has the credential as a member.
    let inner = kept.get("cred").filter(|inner| inner.get("cred_id").is_some()).unwrap_or(kept);
    serde_json::from_value(inner.clone()).map_err(|e| KeyError::Passkey(e.to_string()))
}

fn plain(credential: &Credential) -> Result<Value, KeyError> {
    serde_json::to_value(credential).map_err(|e| KeyError::Passkey(e.to_string()))
}

pub(crate) fn material(kept: &Value, rp: &str, origin: &str) -> Result<KeyMaterial, KeyError> {
    let credential = plain(&credential(kept)?)?;
    Ok(KeyMaterial::Passkey { credential, rp: rp.to_owned(), origin: origin.to_owned() })
}

fn parts(key: &KeyMaterial) -> Result<(Credential, &str, &str), KeyError> {
    match key {
        KeyMaterial::Passkey { credential: kept, rp, origin } => Ok((credential(kept)?, rp, origin)),
        KeyMaterial::Ssh(_) => Err(KeyError::Passkey("it is an SSH key".to_owned())),
    }
}

pub(crate) fn is_same(one: &KeyMaterial, other: &KeyMaterial) -> bool {
    match (parts(one), parts(other)) {
        (Ok((one, rp, origin)), Ok((other, other_rp, other_origin))) => {
            one.cred_id == other.cred_id && one.cred == other.cred && rp == other_rp && origin == other_origin
        }
        (Err(_), _) | (_, Err(_)) => false,
    }
}

pub(crate) fn shown(key: &KeyMaterial) -> Shown {
    let fingerprint = parts(key).ok().map(|(credential, ..)| {
        let digest = Digest::of_bytes("wane.passkey.v1", credential.cred_id.as_ref());
        format!("SHA256:{}", BASE64URL_NOPAD.encode(digest.as_bytes()))
    });
    Shown { sort: "passkey".to_owned(), fingerprint: fingerprint.unwrap_or_default() }
}

pub(crate) fn options(key: &KeyMaterial, statement: &str) -> Result<Value, KeyError> {
    let (credential, rp, _) = parts(key)?;
    let challenge = wane_domain::approval::Statement::challenge(statement);
    Ok(json!({ "publicKey": {
        "challenge": BASE64URL_NOPAD.encode(challenge.as_bytes()),
        "rpId": rp,
        "timeout": PATIENCE,
        "userVerification": "required",
        "allowCredentials": [{ "type": "public-key", "id": BASE64URL_NOPAD.encode(credential.cred_id.as_ref()) }],
    } }))
}

/// The key with its counter where it is now.
pub(crate) fn verify(
    assertion: &Value,
    key: &KeyMaterial,
    challenge: &Digest,
    counter: Counter,
) -> Result<KeyMaterial, BadSignature> {
    let (mut credential, rp, origin) = parts(key)?;
    if assertion.to_string().len() > LONGEST_SIGNATURE {
        return Err(BadSignature::Unreadable);
    }
    let shown: PublicKeyCredential = serde_json::from_value(assertion.clone()).map_err(|_| BadSignature::Unreadable)?;
    let stood = credential.counter;
    if counter == Counter::WasChecked {
        credential.counter = 0;
    }
    let page = Url::parse(origin).map_err(|e| KeyError::Passkey(e.to_string()))?;
    let core =
        WebauthnCore::new_unsafe_experts_only("Wane", rp, vec![page], Duration::from_millis(PATIENCE), None, None);
    let state: AuthenticationState = serde_json::from_value(json!({
        "credentials": [plain(&credential)?],
        "policy": "required",
        "challenge": BASE64URL_NOPAD.encode(challenge.as_bytes()),
        "appid": null,
        "allow_backup_eligible_upgrade": false,
    }))
    .map_err(|e| KeyError::Passkey(e.to_string()))?;
    let checked =
        core.authenticate_credential(&shown, &state).map_err(|why| BadSignature::Answer(format!("{why:?}")))?;
    if !checked.user_verified() {
        return Err(BadSignature::Answer("it was not unlocked".to_owned()));
    }
    credential.counter = checked.counter().max(stood);
    credential.backup_state = checked.backup_state();
    Ok(KeyMaterial::Passkey { credential: plain(&credential)?, rp: rp.to_owned(), origin: origin.to_owned() })
}
