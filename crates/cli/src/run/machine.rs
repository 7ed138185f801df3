//! This machine: whether it, the server and the session work together.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::fmt::rfc2822;
use nix::unistd::{AccessFlags, access};
use serde::Serialize;
use serde_json::json;
use wane_api::directory::PersonView;
use wane_api::query::Listing;
use wane_client::Client;

use super::Done;
use crate::access::{Session, pages};
use crate::args::Many;
use crate::exit::{CODES, Exit, Stop, table_of_codes};
use crate::table::{Sheet, Text, Tone, WRAPS};

/// More than this, and times that must agree do not.
const MOST_SKEW_SECS: i64 = 30;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

impl Check {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Ok, found: found.into(), todo: None }
    }

    fn not(what: &'static str, verdict: Verdict, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { what, verdict, found: found.into(), todo: Some(todo.into()) }
    }

    fn failed(what: &'static str, stop: Stop) -> Self {
        Self { what, verdict: Verdict::Fail, found: stop.message, todo: stop.todo }
    }
}

pub(super) async fn doctor(s: &Session) -> Done {
    let mut checks = Vec::new();
    server(s, &mut checks).await;
    checks.push(agent_dir(s));
    checks.extend(s.programs.iter().map(|program| present(s, program)));
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    s.out.put(&json!({ "ok": !failed, "checks": checks }), |layout| {
        let mut sheet = Sheet::new(&[("", 0), ("CHECK", 0), ("FOUND", WRAPS), ("WHAT TO DO", WRAPS)]);
        for check in &checks {
            let (word, tone) = match check.verdict {
                Verdict::Ok => ("ok", Tone::Good),
                Verdict::Warn => ("warn", Tone::Warn),
                Verdict::Fail => ("fail", Tone::Bad),
            };
            sheet.row([
                Text::new(word).tone(tone),
                check.what.into(),
                (&check.found).into(),
                check.todo.as_deref().unwrap_or_default().into(),
            ]);
        }
        sheet.render(layout, "")
    });
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

async fn server(s: &Session, checks: &mut Vec<Check>) {
    let client = match s.client() {
        Ok(client) => client,
        Err(stop) => return checks.push(Check::failed("server", stop)),
    };
    match s.out.busy("the server is asked", client.health()).await {
        Err(error) => return checks.push(Check::failed("server", error.into())),
        Ok(health) => {
            let found = format!("{} answers, version {}", client.server(), health.version);
            checks.push(if health.version == env!("CARGO_PKG_VERSION") {
                Check::ok("server", found)
            } else {
                let todo = format!("this program is version {}; use the same on both sides", env!("CARGO_PKG_VERSION"));
                Check::not("server", Verdict::Warn, found, todo)
            });
            let unbooked = health.unbooked;
            checks.push(match health.store.as_str() {
                "ok" if unbooked == 0 => Check::ok("store", "can be written; every end is in the log"),
                "ok" => Check::not("store", Verdict::Warn, format!("{unbooked} ends are not in the log yet"), "wait"),
                _ => {
                    let found =
                        format!("cannot be used: nothing begins, ends still happen ({unbooked} not in the log yet)");
                    Check::not("store", Verdict::Fail, found, "see the server's log; often its disk is full")
                }
            });
            if health.signer == "limited" {
                let found = "a key was asked for more than it signs in a minute";
                let todo = "see in the log who asks; if that is as it should be, raise `signer.most_per_minute`";
                checks.push(Check::not("signer", Verdict::Warn, found, todo));
            } else if health.signer != "ok" {
                let found = "does not answer: nothing that it signs is issued, and everything ends";
                checks.push(Check::not(
                    "signer",
                    Verdict::Fail,
                    found,
                    "see that `wane signer serve` runs; the server's log says why",
                ));
            }
            if health.directories_behind > 0 {
                let found = format!("{} cannot be read, or what they say is held back", health.directories_behind);
                let todo = "see the server's log; after `stale_after` nothing new begins for their people";
                checks.push(Check::not("directories", Verdict::Warn, found, todo));
            }
        }
    }
    let said = client.server_date().await;
    match said.map(|date| date.and_then(|date| rfc2822::parse(&date).ok())) {
        Ok(Some(there)) => {
            let there = there.timestamp();
            let skew = s.now().duration_since(there).as_secs();
            checks.push(if skew.abs() <= MOST_SKEW_SECS {
                Check::ok("clock", "agrees with the server's")
            } else {
                let way = if skew > 0 { "ahead of" } else { "behind" };
                let away = crate::when::span(skew.unsigned_abs());
                Check::not("clock", Verdict::Warn, format!("{away} {way} the server's"), "set it by NTP, here or there")
            });
        }
        Ok(None) => checks.push(Check::not(
            "clock",
            Verdict::Warn,
            "the server does not tell its time",
            "check the proxy before it",
        )),
        Err(error) => checks.push(Check::failed("clock", error.into())),
    }
    checks.extend(guests(&client).await);
    notices(&client, checks).await;
    checks.push(match client.me().await {
        Ok(me) => Check::ok("session", format!("{}, ends {}", me.person, s.present().both(me.session.expires))),
        Err(error) => Check::failed("session", error.into()),
    });
}

/// Whom nobody answers for any more, for whoever may see who is here.
async fn guests(client: &Client) -> Option<Check> {
    let all = Many { limit: 1, all: true };
    let listing = pages(all.into(), |cursor, limit| async move { client.people(&Listing { cursor, limit }).await });
    let people = listing.await.ok()?.items;
    let gone = |p: &&PersonView| p.unsponsored && p.left.is_none();
    let alone: Vec<&str> = people.iter().filter(gone).map(|p| p.name.as_str()).collect();
    let found = format!("nobody answers any more for {}", alone.join(", "));
    let todo = "`wane person sponsor PERSON SPONSOR`, or `wane offboard PERSON`";
    (!alone.is_empty()).then(|| Check::not("guests", Verdict::Warn, found, todo))
}

/// Whether notices arrive, for those who may know.
async fn notices(client: &Client, checks: &mut Vec<Check>) {
    let Ok(channels) = client.notice_channels().await else { return };
    for channel in channels.items {
        let name = &channel.name;
        let found = match (&channel.closed, channel.given_up) {
            (Some(why), _) => format!("`{name}` is closed: {why}"),
            (None, 0) if channel.set || channel.waiting == 0 => continue,
            (None, 0) => format!("{} notices wait for `{name}`, which the settings no longer have", channel.waiting),
            (None, given_up) => format!("{given_up} notices over `{name}` were given up"),
        };
        let todo = format!("see `wane notices --channel {name}`, then `wane notices test {name}`");
        checks.push(Check::not("notices", Verdict::Warn, found, todo));
    }
}

/// Keys live in memory behind a socket; the socket needs a folder of one's own.
fn agent_dir(s: &Session) -> Check {
    let what = "agent folder";
    let Some(dir) = s.var("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute()) else {
        return Check::not(
            what,
            Verdict::Warn,
            "XDG_RUNTIME_DIR is not set",
            "a private folder under TMPDIR or /tmp is used",
        );
    };
    let shown = dir.display().to_string();
    let Ok(meta) = dir.metadata() else {
        return Check::not(
            what,
            Verdict::Fail,
            format!("{shown} is not there"),
            "make it, mode 0700, or unset XDG_RUNTIME_DIR",
        );
    };
    if meta.mode() & 0o077 != 0 {
        return Check::not(what, Verdict::Warn, format!("{shown} is open to others"), format!("chmod 700 {shown}"));
    }
    if access(&dir, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return Check::not(
            what,
            Verdict::Fail,
            format!("{shown} is not writable"),
            "set XDG_RUNTIME_DIR to a folder of yours",
        );
    }
    Check::ok(what, shown)
}

fn present(s: &Session, program: &'static str) -> Check {
    let path = s.var("PATH").unwrap_or_default();
    let runs = |file: &Path| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    match std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| runs(file)) {
        Some(found) => Check::ok(program, found.display().to_string()),
        None => {
            Check::not(program, Verdict::Warn, "not found on PATH", format!("install it, if you use `wane {program}`"))
        }
    }
}

pub(super) fn version(s: &Session) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    s.put(&json!({ "version": version }), &format!("wane {version}"));
    Exit::Done
}

pub(super) fn exit_codes(s: &Session) -> Exit {
    let codes: Vec<_> =
        CODES.iter().map(|(exit, meaning)| json!({ "code": exit.code(), "meaning": meaning })).collect();
    s.put(&json!(codes), &table_of_codes());
    Exit::Done
}
