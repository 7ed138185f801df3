//! Ed25519 signatures and nothing else: the floor under every certificate.

use std::time::Instant;

use anyhow::{Result, anyhow};
use aws_lc_rs::signature::Ed25519KeyPair;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Plan {
    /// How many.
    times: u32,
}

/// Signs as many bytes as an OpenSSH certificate has, over and over, on one core.
pub(crate) fn run(plan: &str) -> Result<Value> {
    let plan: Plan = serde_json::from_str(plan)?;
    let key = Ed25519KeyPair::generate().map_err(|e| anyhow!("no key: {e}"))?;
    let mut text = [0_u8; 480];
    let begun = Instant::now();
    for number in 0..plan.times {
        for (to, from) in text.iter_mut().zip(number.to_be_bytes()) {
            *to = from;
        }
        std::hint::black_box(key.sign(std::hint::black_box(&text)));
    }
    let took = begun.elapsed().as_secs_f64();
    Ok(json!({ "per_second": f64::from(plan.times) / took, "ms_each": took * 1e3 / f64::from(plan.times) }))
}
