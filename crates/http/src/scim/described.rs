//! What the server says about itself (RFC 7644 section 4).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;
use wane_scim::{Page, about_server, list, resource_types as types, schemas as all_schemas};

use super::answer::{Refusal, answer};
use super::call::Pushing;
use crate::shared::Shared;

type Answer = Result<Response, Refusal>;

pub(crate) async fn server(State(shared): State<Arc<Shared>>, Pushing(_): Pushing) -> Answer {
    Ok(answer(200, &about_server(&shared.app.scim_base())))
}

pub(crate) async fn resource_types(State(shared): State<Arc<Shared>>, Pushing(_): Pushing) -> Answer {
    Ok(whole(types(&shared.app.scim_base())))
}

pub(crate) async fn resource_type(
    State(shared): State<Arc<Shared>>,
    Pushing(_): Pushing,
    Path(id): Path<String>,
) -> Answer {
    one(types(&shared.app.scim_base()), &id)
}

pub(crate) async fn schemas(State(shared): State<Arc<Shared>>, Pushing(by): Pushing) -> Answer {
    Ok(whole(all_schemas(&shared.app.scim_base(), &by.name_path)))
}

pub(crate) async fn schema(State(shared): State<Arc<Shared>>, Pushing(by): Pushing, Path(id): Path<String>) -> Answer {
    one(all_schemas(&shared.app.scim_base(), &by.name_path), &id)
}

fn whole(all: Vec<Value>) -> Response {
    let total = all.len();
    answer(200, &list(all, total, Page::read(None, None)))
}

fn one(all: Vec<Value>, id: &str) -> Answer {
    let found = all.iter().find(|one| one.get("id").and_then(Value::as_str) == Some(id));
    found.map(|one| answer(200, one)).ok_or_else(|| Refusal::status(404, "there is nothing of that id"))
}
