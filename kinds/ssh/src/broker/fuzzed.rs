//! Doors for the fuzz targets; see the crate's own.

use wane_recording::{Event, Side};

use super::greeting::{Greeting, strict_kex};
use super::jump::Place;
use super::login::{self, Wanted};
use super::scp::Scp;
use super::sftp::Sftp;
use super::shell::Shell;

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

pub(crate) fn sftp(said: &[(Side, &[u8])]) -> Vec<Event<'static>> {
    let mut sftp = Sftp::new(0);
    let mut events: Vec<_> = said.iter().flat_map(|(from, bytes)| sftp.heard(*from, bytes)).collect();
    events.extend(sftp.over());
    events
}

pub(crate) fn scp(line: &str, said: &[(Side, &[u8])]) -> Option<Vec<Event<'static>>> {
    let mut scp = Scp::of(0, line)?;
    Some(said.iter().flat_map(|(from, bytes)| scp.heard(*from, bytes)).collect())
}

pub(crate) fn shell(columns: u32, said: &[(Side, &[u8])]) -> Vec<Event<'static>> {
    let mut shell = Shell::new(0, columns);
    let heard = said.iter().flat_map(|(from, bytes)| match from {
        Side::Client => shell.typed(bytes),
        Side::Target | Side::TargetError | Side::Wane => shell.shown(bytes),
    });
    heard.collect()
}
