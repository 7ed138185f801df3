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
use crate::fail::Fail;
use crate::line::{Item, Line, Listed, Made, Seen};
use crate::settings::Offers;
use crate::text::Piece;

/// Some targets show what was made only a moment later: so often, and so long, it is asked for again.
const SETTLING: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];

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
    let shown = Value::Object(made.shows.clone()).to_string();
    let hidden = made.secret.as_ref().map(|secret| secret.as_str()).or(secret);
    if hidden.is_some_and(|secret| shown.contains(secret)) {
        return Err(Fail::refused("what its holder would be shown besides has the secret in it; change `shows`"));
    }
    if !offers.proves() {
        return Ok(made);
    }
    let mut waits = SETTLING.iter();
    loop {
        match (ask(line, offers, piece, made.id.as_deref()).await?, waits.next()) {
            ((Seen::Present(_), found), _) => return same(made, &found, piece),
            ((Seen::Absent(_), _), Some(wait)) => tokio::time::sleep(*wait).await,
            ((Seen::Absent(proof), _), None) => {
                let why = format!("it was said to be made, and read back it is not there: {proof}");
                return Err(Fail::Refused(why));
            }
        }
    }
}

/// What was made, if what was found of it is that and nothing else.
fn same(made: Made, found: &[Item], piece: &Piece) -> Result<Made, Fail> {
    let other = found.iter().filter_map(|item| item.id.as_ref()).find(|id| Some(*id) != made.id.as_ref());
    match (&made.id, other) {
        (Some(id), Some(other)) => {
            Err(Fail::Refused(format!("read back, `{}` is `{other}` and not `{id}`, or there are several", piece.name)))
        }
        (Some(_) | None, _) => Ok(made),
    }
}

/// Takes away whatever has the name.
async fn clear(line: &dyn Line, offers: Offers, piece: &Piece) -> Result<(), Fail> {
    for id in ids(line, offers, piece).await? {
        around(point!("hook.clear"), line.revoke(piece, id.as_deref())).await?;
    }
    Ok(())
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
            let ids: Vec<&str> = found.iter().filter_map(|item| item.id.as_deref()).collect();
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
