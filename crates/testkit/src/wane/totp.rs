//! The authenticator app in a person's pocket (RFC 6238).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use totp_rs::Totp;

use crate::wait::wait_until;

/// A code is good for one step, and for one use.
const STEP_SECS: u64 = 30;

/// Gives each code once.
#[derive(Clone, Debug)]
pub(super) struct Authenticator {
    totp: Totp,
    last: Option<u64>,
}

impl Authenticator {
    /// From the `otpauth://` address that is shown at enrolment.
    pub(super) fn new(otpauth: &str) -> Result<Self> {
        let totp = Totp::from_url(otpauth).ok().context("the otpauth address cannot be read")?;
        Ok(Self { totp, last: None })
    }

    /// The code of the present step; of the next one, once it has come, if this one's was given.
    pub(super) fn code(&mut self) -> Result<String> {
        if let Some(last) = self.last {
            let long_enough = Duration::from_secs(2 * STEP_SECS);
            wait_until("the next code of the authenticator", long_enough, || seconds() / STEP_SECS > last)?;
        }
        let now = seconds();
        self.last = Some(now / STEP_SECS);
        Ok(self.totp.generate(now).to_string())
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
