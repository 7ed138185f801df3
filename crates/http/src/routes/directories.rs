//! Directories that push people and groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use wane_api::directories::{
    Directories, DirectoryRemoved, DirectoryRules, DirectorySignIn, DirectoryToken, DirectoryView, NewDirectory,
    Orphans, RefusedPush, RemoveDirectory, RotateDirectory,
};
use wane_app::DirectoryShown;
use wane_domain::directory;
use wane_domain::secret::SecretOnce;
use wane_domain::text::Name;
use wane_domain::time::Span;

use super::made;
use crate::once::HandsOut;
use crate::openapi::Problems;
use crate::read;
use crate::rim::{Answer, Failure, Input, Nothing, Of, Query};
use crate::shared::{Shared, Signed};
use crate::view::at;

/// How long a former token goes on if nothing is said.
const OVERLAP: Span = Span::from_hours(24);

type Handed = (Extension<HandsOut>, (StatusCode, Json<DirectoryToken>));

/// Directories, by name.
#[utoipa::path(get, path = "/v1/directories", tag = "directory", responses((status = 200, body = Directories), Problems))]
pub(crate) async fn directories(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<Json<Directories>> {
    let there = shared.app.directories(&caller).await?;
    Ok(Json(Directories { items: there.into_iter().map(|one| view(&shared, one)).collect() }))
}

/// Adds a directory; its token is shown once.
#[utoipa::path(post, path = "/v1/directories", tag = "directory", request_body = NewDirectory, responses((status = 201, body = DirectoryToken), Problems))]
pub(crate) async fn new_directory(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Input(input): Input<NewDirectory>,
) -> Answer<Handed> {
    let name: Name = read::text("name", &input.name)?;
    if name.as_str().len() > 32 || !name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(Failure::field("name", "use 1 to 32 of a-z, 0-9 and `-`"));
    }
    let (shown, token) = shared.app.add_directory(&caller, &name, &rules(&input.rules)?).await?;
    Ok(handed(&shared, shown, token))
}

/// One directory.
#[utoipa::path(get, path = "/v1/directories/{name}", tag = "directory", params(("name" = String, Path)), responses((status = 200, body = DirectoryView), Problems))]
pub(crate) async fn directory(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
) -> Answer<Json<DirectoryView>> {
    Ok(Json(view(&shared, shared.app.directory(&caller, &name).await?)))
}

/// Changes what of a directory's word counts, from its next word of each on.
#[utoipa::path(put, path = "/v1/directories/{name}/rules", tag = "directory", params(("name" = String, Path)), request_body = DirectoryRules, responses((status = 200, body = DirectoryView), Problems))]
pub(crate) async fn directory_rules(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<DirectoryRules>,
) -> Answer<Json<DirectoryView>> {
    Ok(Json(view(&shared, shared.app.change_directory(&caller, &name, &rules(&input)?).await?)))
}

/// Makes a directory another token, shown once; the former one goes on for a while.
#[utoipa::path(post, path = "/v1/directories/{name}/token", tag = "directory", params(("name" = String, Path)), request_body = RotateDirectory, responses((status = 201, body = DirectoryToken), Problems))]
pub(crate) async fn rotate_directory(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<RotateDirectory>,
) -> Answer<Handed> {
    let overlap = match input.overlap.as_deref() {
        None => OVERLAP,
        Some("0s") => Span::from_secs(0),
        Some(text) => read::duration("overlap", text)?,
    };
    let (shown, token) = shared.app.rotate_directory(&caller, &name, overlap).await?;
    Ok(handed(&shared, shown, token))
}

/// Removes a directory. The people it kept are disabled, with everything they hold, unless they are to be kept.
#[utoipa::path(delete, path = "/v1/directories/{name}", tag = "directory", params(("name" = String, Path)), request_body = RemoveDirectory, responses((status = 200, body = DirectoryRemoved), Problems))]
pub(crate) async fn remove_directory(
    State(shared): State<Arc<Shared>>,
    Signed(caller): Signed,
    Of(name): Of<String>,
    Input(input): Input<RemoveDirectory>,
) -> Answer<Json<DirectoryRemoved>> {
    let orphans = match input.people {
        Orphans::Disabled => wane_app::Orphans::Disabled,
        Orphans::Kept => wane_app::Orphans::Kept,
    };
    let removed = shared.app.remove_directory(&caller, &name, orphans).await?;
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Ok(Json(DirectoryRemoved { people: count(removed.people), disabled: count(removed.disabled) }))
}

fn handed(shared: &Shared, shown: DirectoryShown, token: SecretOnce) -> Handed {
    let view = DirectoryToken { directory: view(shared, shown), token: read::reveal(token) };
    (Extension(HandsOut(None)), made(view))
}

fn rules(given: &DirectoryRules) -> Answer<directory::DirectoryRules> {
    let attribute = |(ours, path): (&String, &String)| Ok((read::text("rules.attributes", ours)?, path.clone()));
    let group = |(theirs, ours): (&String, &String)| Ok((theirs.clone(), read::text("rules.groups", ours)?));
    let sign_in = match &given.sign_in {
        Some(sign_in) => Some(directory::DirectorySignIn {
            provider: read::text("rules.sign_in.provider", &sign_in.provider)?,
            subject: sign_in.subject.clone(),
        }),
        None => None,
    };
    Ok(directory::DirectoryRules {
        name: given.name.clone(),
        display: given.display.clone(),
        attributes: given.attributes.iter().map(attribute).collect::<Answer<BTreeMap<_, _>>>()?,
        groups: given.groups.iter().map(group).collect::<Answer<BTreeMap<_, _>>>()?,
        sign_in,
    })
}

fn view(shared: &Shared, shown: DirectoryShown) -> DirectoryView {
    let DirectoryShown { directory: one, people, groups, seen, tokens, refused, last_refused } = shown;
    DirectoryView {
        name: one.name.to_string(),
        url: shared.app.scim_base(),
        rules: DirectoryRules {
            name: one.rules.name,
            display: one.rules.display,
            attributes: one.rules.attributes.into_iter().map(|(ours, path)| (ours.into(), path)).collect(),
            groups: one.rules.groups.into_iter().map(|(theirs, ours)| (theirs, ours.into())).collect(),
            sign_in: one
                .rules
                .sign_in
                .map(|sign_in| DirectorySignIn { provider: sign_in.provider.into(), subject: sign_in.subject }),
        },
        people: u64::try_from(people).unwrap_or(u64::MAX),
        groups: u64::try_from(groups).unwrap_or(u64::MAX),
        since: at(one.since),
        seen: seen.map(at),
        tokens: tokens.into_iter().map(at).collect(),
        refused,
        last_refused: last_refused.map(|(time, why)| RefusedPush { at: at(time), why }),
    }
}
