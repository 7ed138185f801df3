//! Doors for the fuzz targets into what the verbs read. Not an interface.

use russh::keys::ssh_key::public::KeyData;
use serde_json::Value;

use super::{pull, sshd_config};

pub(crate) fn verified(answer: &Value, signer: &KeyData) -> Result<Vec<u8>, String> {
    pull::verified(answer, signer)
}

pub(crate) fn with_block(config: &str, line: &str) -> Result<String, String> {
    sshd_config::with_block(config, &[line.to_owned()]).map_err(|e| e.to_string())
}
