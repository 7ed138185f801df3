//! The life of one thing at a target: made and read back, taken away and read back absent, found by its name.
//!
//! Owns: the order, and what is believed. Refuses to know: how the target is reached.
//!
//! INVARIANT: what a target says it did is not believed until it is asked again (held by `a_target_that_lies_is_found_out`).

use std::time::Duration;

use serde_json::{Map, Value};
use wane_connector::{EndOutcome, Presence};
use wane_domain::lease::lease_of_artifact;
use wane_failpoint::{around, point};

use crate::declared::Again;
use crate::fail::{Fail, told, told_without};
use crate::line::{Item, Line, Listed, Made, Seen};
use crate::settings::Offers;
use crate::text::Piece;

/// Some targets show what was made only a moment later: so often, and so long, it is asked for again.
const SETTLING: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];
/// The most that a holder is shown besides, as JSON: it is kept.
const MOST_SHOWN: usize = 16 * 1024;
/// Of how many things of one name the ids are told.
const MOST_TOLD: usize = 3;

/// Makes it and reads back that it is there.
pub(crate) async fn make(
    line: &dyn Line,
    offers: Offers,
    piece: &Piece,
    role: &Map<String, Value>,
    secret: Option<&str>,
) -> Result<Made, Fail> {
    // One that is there already has a secret that nobody has any more, and several of one name would be one too many.
    if offers.again == Again::RevokeFirst {
        clear(line, offers, piece).await?;
    }
    let made = around(point!("hook.make"), line.make(piece, role, secret)).await?;
    let hidden = made.secret.as_ref().map(|secret| secret.as_str()).or(secret);
    let fail = match accept(line, offers, piece, &made, hidden).await {
        Ok(()) => return Ok(made),
        Err(fail) => fail,
    };
    // An end goes by what a list shows, and what was answered just now is known to nobody later.
    let Err(met) = take_back(line, piece, made.id.as_deref()).await else { return Err(fail) };
    // It says which call it was, and that may have the id in it.
    let plain = no_secret_id(made.id.as_deref(), hidden).is_ok();
    let met = told_without(&met.to_string(), &[hidden.unwrap_or_default()]).filter(|_| plain).unwrap_or_default();
    Err(fail.reworded(|why| format!("{why}; nor could it be revoked at once: {met}")))
}

/// Whether what was made is kept: it is there, is found again by its name, and gives no secret away.
async fn accept(line: &dyn Line, offers: Offers, piece: &Piece, made: &Made, hidden: Option<&str>) -> Result<(), Fail> {
    kept(made, hidden)?;
    if !offers.proves() {
        return Ok(());
    }
    let mut waits = SETTLING.iter();
    loop {
        match (ask(line, offers, piece, made.id.as_deref()).await?, waits.next()) {
            // INVARIANT: where an end goes by a list, nothing is handed out that the list does not show by its name (held by
            // `what_no_list_shows_is_not_handed_out`).
            ((Seen::Present(_), found), _) if !offers.list || !found.is_empty() => {
                return same(made, &found, piece, hidden);
            }
            (_, Some(wait)) => tokio::time::sleep(*wait).await,
            ((Seen::Present(seen), _), None) => {
                return Err(Fail::Refused(format!(
                    "it is there, and no list shows it as `{}`, so nobody could end it: {seen}",
                    piece.name
                )));
            }
            ((Seen::Absent(proof), _), None) => {
                let why = format!("it was said to be made, and read back it is not there: {proof}");
                return Err(Fail::Refused(why));
            }
        }
    }
}

/// What is kept of what was made and told on: nothing without bound, and no secret.
fn kept(made: &Made, hidden: Option<&str>) -> Result<(), Fail> {
    if Value::Object(made.shows.clone()).to_string().len() > MOST_SHOWN {
        return Err(Fail::Refused(format!(
            "what its holder would be shown besides is larger than {MOST_SHOWN} bytes; change `shows`"
        )));
    }
    let shown = |hidden: &str| made.shows.iter().any(|(key, value)| key.contains(hidden) || holds(value, hidden));
    if hidden.is_some_and(shown) {
        return Err(Fail::refused("what its holder would be shown besides has the secret in it; change `shows`"));
    }
    no_secret_id(made.id.as_deref(), hidden)
}

/// An id is written down, told, and stands in URLs.
fn no_secret_id(id: Option<&str>, hidden: Option<&str>) -> Result<(), Fail> {
    if id.zip(hidden).is_some_and(|(id, hidden)| id.contains(hidden)) {
        return Err(Fail::refused("the target's own id of it has the secret in it; take the id from somewhere else"));
    }
    Ok(())
}

/// Whether a text stands anywhere in a value, however JSON would write it.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(number) => number.to_string().contains(text),
        Value::String(inside) => inside.contains(text),
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains(text) || holds(value, text)),
    }
}

/// Whether what was found of it is what was made, and nothing else.
fn same(made: &Made, found: &[Item], piece: &Piece, hidden: Option<&str>) -> Result<(), Fail> {
    found.iter().try_for_each(|item| no_secret_id(item.id.as_deref(), hidden))?;
    let other = found.iter().filter_map(|item| item.id.as_ref()).find(|id| Some(*id) != made.id.as_ref());
    match (&made.id, other) {
        (Some(id), Some(other)) => {
            let (id, other) = (told(id).unwrap_or_default(), told(other).unwrap_or_default());
            Err(Fail::Refused(format!("read back, `{}` is `{other}` and not `{id}`, or there are several", piece.name)))
        }
        (Some(_) | None, _) => Ok(()),
    }
}

/// Takes away whatever has the name.
async fn clear(line: &dyn Line, offers: Offers, piece: &Piece) -> Result<(), Fail> {
    for id in ids(line, offers, piece).await? {
        take_back(line, piece, id.as_deref()).await?;
    }
    Ok(())
}

/// Takes away what a make left that is not remembered.
async fn take_back(line: &dyn Line, piece: &Piece, id: Option<&str>) -> Result<(), Fail> {
    around(point!("hook.clear"), line.revoke(piece, id)).await
}

/// The ids of what has the name; where there is no list, it is addressed by the name alone.
async fn ids(line: &dyn Line, offers: Offers, piece: &Piece) -> Result<Vec<Option<String>>, Fail> {
    if !offers.list {
        return Ok(vec![None]);
    }
    let found = around(point!("hook.find"), line.list(Some(piece))).await?;
    Ok(named(&found, &piece.name).into_iter().map(|item| item.id).collect())
}

/// What of a list has exactly this name.
fn named(listed: &Listed, name: &str) -> Vec<Item> {
    listed.items.iter().filter(|item| item.name == name).cloned().collect()
}

/// Takes it away.
pub(crate) async fn end(line: &dyn Line, offers: Offers, piece: &Piece) -> Result<EndOutcome, Fail> {
    for id in ids(line, offers, piece).await? {
        around(point!("hook.revoke"), line.revoke(piece, id.as_deref())).await?;
    }
    Ok(EndOutcome::Done)
}

/// Asks for it in every way there is: it is gone if all of them say so.
async fn ask(line: &dyn Line, offers: Offers, piece: &Piece, id: Option<&str>) -> Result<(Seen, Vec<Item>), Fail> {
    let mut proofs = Vec::new();
    let mut found = Vec::new();
    if offers.list {
        let listed = around(point!("hook.look"), line.list(Some(piece))).await?;
        found = named(&listed, &piece.name);
        if !found.is_empty() {
            let ids: Vec<String> = found.iter().filter_map(|item| told(item.id.as_deref()?)).take(MOST_TOLD).collect();
            let ids = if ids.is_empty() { String::new() } else { format!(" as `{}`", ids.join("`, `")) };
            return Ok((Seen::Present(format!("`{}` lists `{}`{ids}", listed.asked, piece.name)), found));
        }
        proofs.push(format!("`{}`: of {}, none is `{}`", listed.asked, listed.items.len(), piece.name));
    }
    // What was never made has no id to be asked by, and the list has spoken.
    if offers.verify && (!line.verifies_by_id() || id.is_some()) {
        match around(point!("hook.verify"), line.verify(piece, id)).await? {
            Seen::Present(seen) => return Ok((Seen::Present(seen), found)),
            Seen::Absent(proof) => proofs.push(proof),
        }
    }
    if proofs.is_empty() {
        return Err(Fail::refused("nothing at the target says whether it is there"));
    }
    Ok((Seen::Absent(proofs.join("; ")), found))
}

/// Asks whether it is there.
pub(crate) async fn read_back(
    line: &dyn Line,
    offers: Offers,
    piece: &Piece,
    id: Option<&str>,
) -> Result<Presence, Fail> {
    Ok(match ask(line, offers, piece, id).await?.0 {
        Seen::Present(seen) => Presence::Present { seen },
        Seen::Absent(proof) => Presence::Absent { proof },
    })
}

/// Everything there that has a name of ours.
pub(crate) async fn ours(line: &dyn Line) -> Result<Vec<Item>, Fail> {
    let listed = around(point!("hook.list"), line.list(None)).await?;
    let ours = listed.items.into_iter().filter(|item| lease_of_artifact(&item.name).is_some());
    Ok(ours.collect())
}

/// Tells the target of another end, of all that has the name.
pub(crate) async fn extend(line: &dyn Line, offers: Offers, piece: &Piece) -> Result<(), Fail> {
    let ids = ids(line, offers, piece).await?;
    if ids.is_empty() {
        return Err(Fail::refused(format!("`{}` is not there to be given more time", piece.name)));
    }
    for id in ids {
        around(point!("hook.extend"), line.extend(piece, id.as_deref())).await?;
    }
    Ok(())
}
