//! Doors for the fuzz targets; see the crate's own.

use super::greeting::{Greeting, strict_kex};
use super::jump::Place;
use super::login::{self, Wanted};

pub(crate) fn wanted(user: &str) -> Option<(String, String)> {
    Wanted::read(user).map(|wanted| (wanted.login, wanted.resource.to_string()))
}

pub(crate) fn refusal(user: &str, why: Option<&str>) -> String {
    login::refusal(Place::Front.wants(user).as_ref(), why)
}

pub(crate) fn offers_strict_kex(bytes: &[u8]) -> Option<bool> {
    match strict_kex(bytes) {
        Greeting::More => None,
        Greeting::Strict => Some(true),
        Greeting::Lax => Some(false),
    }
}
