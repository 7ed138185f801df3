//! One simulator for each template, after the public documentation that the template names: paths, statuses, the shape of
//! answers, and what is asked of who calls. None of them is the real thing.

use serde_json::{Value, json};

use crate::sim::{Asked, Handler, Said, State, Thing};
use crate::stage::CREDENTIAL;

/// The simulator of a template, and the credential it wants.
pub(crate) fn of(template: &str) -> Option<(Handler, &'static str)> {
    let handler: Handler = match template {
        "cloudflare-token" => cloudflare,
        "couchdb-user" => couchdb,
        "datadog-api-key" => return Some((datadog, DATADOG)),
        "elasticsearch-api-key" => elasticsearch,
        "gitea-token" => gitea,
        "gitlab-group-token" => gitlab_group,
        "gitlab-project-token" => gitlab_project,
        "grafana-token" => grafana,
        "harbor-robot" => harbor,
        "influxdb-token" => influxdb,
        "netbox-token" => netbox,
        "proxmox-token" => proxmox,
        _ => return None,
    };
    Some((handler, CREDENTIAL))
}

const DATADOG: &str = r#"{"DD-API-KEY":"ddapi","DD-APPLICATION-KEY":"ddapp"}"#;

fn header(asked: &Asked, name: &str, value: &str) -> bool {
    asked.headers.get(name).is_some_and(|given| given == value)
}

fn basic(asked: &Asked, user: &str) -> bool {
    let pair = data_encoding::BASE64.encode(format!("{user}:{CREDENTIAL}").as_bytes());
    header(asked, "authorization", &format!("Basic {pair}"))
}

fn text<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn segments(asked: &Asked) -> Vec<&str> {
    asked.path.iter().map(String::as_str).collect()
}

/// A page of all there is, counted from one.
fn page<'a>(state: &'a State, asked: &Asked, size: &str, first: usize) -> impl Iterator<Item = &'a Thing> {
    let number = |key: &str, usual: usize| asked.query.get(key).and_then(|n| n.parse().ok()).unwrap_or(usual);
    let (page, size): (usize, usize) = (number("page", first).max(first) - first, number(size, 20));
    state.things.iter().skip(page * size).take(size)
}

/// `POST /user/tokens` and so on, below `/client/v4`; answers are wrapped in `result`.
fn cloudflare(state: &mut State, asked: &Asked) -> Said {
    let wrapped =
        |result: Value| (200, Some(json!({ "success": true, "errors": [], "messages": [], "result": result })));
    let refused = |status, message: &str| {
        (status, Some(json!({ "success": false, "errors": [{ "code": 1001, "message": message }], "result": null })))
    };
    if !header(asked, "authorization", &format!("Bearer {CREDENTIAL}")) {
        return refused(401, "Invalid API Token");
    }
    let shown = |t: &Thing| json!({ "id": t.id.to_string(), "name": t.name, "status": "active" });
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["client", "v4", "user", "tokens"]) => {
            let policies = asked.body["policies"].as_array().is_some_and(|p| !p.is_empty());
            let until = text(&asked.body, "/expires_on");
            // Whole seconds, as the documentation has them.
            if !policies || !until.ends_with('Z') || until.contains('.') {
                return refused(400, "policies and expires_on have to be as documented");
            }
            let made = state.make(text(&asked.body, "/name"), None, Value::Null);
            let mut result = shown(&made);
            result["value"] = json!(made.secret);
            wrapped(result)
        }
        ("GET", ["client", "v4", "user", "tokens"]) => wrapped(page(state, asked, "per_page", 1).map(shown).collect()),
        ("GET", ["client", "v4", "user", "tokens", id]) => match state.by_id(id) {
            Some(thing) => wrapped(shown(thing)),
            None => refused(404, "API token not found"),
        },
        ("DELETE", ["client", "v4", "user", "tokens", id]) => {
            if state.remove(|t| t.id.to_string() == *id) {
                wrapped(json!({ "id": id }))
            } else {
                refused(404, "not found")
            }
        }
        _ => refused(404, "no route"),
    }
}

/// Documents of `_users`: revisions, conflicts, and a list with keys in JSON.
fn couchdb(state: &mut State, asked: &Asked) -> Said {
    const PREFIX: &str = "org.couchdb.user:";
    let refused = |status, error: &str| (status, Some(json!({ "error": error, "reason": error })));
    if !basic(asked, "admin") {
        return refused(401, "unauthorized");
    }
    let rev = |t: &Thing| format!("1-{}", t.id);
    let row = |t: &Thing| {
        let id = format!("{PREFIX}{}", t.name);
        json!({ "id": id, "key": id, "value": { "rev": rev(t) } })
    };
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("GET", ["_users", "_all_docs"]) => {
            let key = |name: &str| -> Option<String> { serde_json::from_str(asked.query.get(name)?).ok() };
            let (only, from, to) = (key("key"), key("startkey"), key("endkey"));
            let is_in = |id: &str| match &only {
                Some(only) => id == only,
                None => from.as_deref().is_none_or(|from| id >= from) && to.as_deref().is_none_or(|to| id <= to),
            };
            let rows: Vec<Value> = state
                .things
                .iter()
                .filter(|t| is_in(&format!("{PREFIX}{}", t.name)))
                .map(row)
                .chain(
                    from.iter().filter(|from| from.is_empty()).map(|_| json!({ "id": "_design/_auth", "value": {} })),
                )
                .collect();
            (200, Some(json!({ "total_rows": rows.len(), "offset": 0, "rows": rows })))
        }
        (method, ["_users", id]) => {
            let Some(name) = id.strip_prefix(PREFIX) else { return refused(403, "forbidden") };
            let there = state.by_name(name).cloned();
            match (method, there) {
                ("PUT", Some(_)) => refused(409, "conflict"),
                ("PUT", None) => {
                    let good = text(&asked.body, "/name") == name
                        && text(&asked.body, "/type") == "user"
                        && asked.body["roles"].is_array();
                    if !good {
                        return refused(403, "forbidden");
                    }
                    let made = state.make(name, Some(text(&asked.body, "/password")), Value::Null);
                    (201, Some(json!({ "ok": true, "id": id, "rev": rev(&made) })))
                }
                ("GET", Some(thing)) => (200, Some(json!({ "_id": id, "_rev": rev(&thing), "name": name }))),
                ("DELETE", Some(thing)) => {
                    if asked.query.get("rev") != Some(&rev(&thing)) {
                        return refused(409, "conflict");
                    }
                    state.remove(|t| t.id == thing.id);
                    (200, Some(json!({ "ok": true, "id": id, "rev": "2-x" })))
                }
                _ => refused(404, "not_found"),
            }
        }
        _ => refused(404, "not_found"),
    }
}

/// JSON:API, two headers, pages from zero in brackets.
fn datadog(state: &mut State, asked: &Asked) -> Said {
    let refused = |status, message: &str| (status, Some(json!({ "errors": [message] })));
    if !header(asked, "dd-api-key", "ddapi") || !header(asked, "dd-application-key", "ddapp") {
        return refused(403, "Forbidden");
    }
    let shown = |t: &Thing| json!({ "type": "api_keys", "id": t.id.to_string(), "attributes": { "name": t.name, "last4": "abcd" } });
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["api", "v2", "api_keys"]) => {
            if text(&asked.body, "/data/type") != "api_keys" {
                return refused(400, "Invalid type");
            }
            let made = state.make(text(&asked.body, "/data/attributes/name"), None, Value::Null);
            let mut data = shown(&made);
            data["attributes"]["key"] = json!(made.secret);
            (201, Some(json!({ "data": data })))
        }
        ("GET", ["api", "v2", "api_keys"]) => {
            let number = |key: &str, usual: usize| asked.query.get(key).and_then(|n| n.parse().ok()).unwrap_or(usual);
            let (at, size) = (number("page[number]", 0), number("page[size]", 10));
            let filter = asked.query.get("filter").map(String::as_str).unwrap_or_default();
            let all = state.things.iter().filter(|t| t.name.contains(filter));
            (200, Some(json!({ "data": all.skip(at * size).take(size).map(shown).collect::<Vec<_>>() })))
        }
        ("GET", ["api", "v2", "api_keys", id]) => match state.by_id(id) {
            Some(thing) => (200, Some(json!({ "data": shown(thing) }))),
            None => refused(404, "API key not found"),
        },
        ("DELETE", ["api", "v2", "api_keys", id]) => {
            if state.remove(|t| t.id.to_string() == *id) {
                (204, None)
            } else {
                refused(404, "API key not found")
            }
        }
        _ => refused(404, "Not found"),
    }
}

/// Keys that are invalidated and still shown; names with a wildcard at the end.
fn elasticsearch(state: &mut State, asked: &Asked) -> Said {
    let refused = |status: u16, reason: &str| {
        (status, Some(json!({ "error": { "type": "security_exception", "reason": reason }, "status": status })))
    };
    if !basic(asked, "wane") {
        return refused(401, "unable to authenticate");
    }
    let shown =
        |t: &Thing| json!({ "id": t.id.to_string(), "name": t.name, "invalidated": t.revoked, "username": "wane" });
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["_security", "api_key"]) => {
            let expiration = text(&asked.body, "/expiration");
            let secs = expiration.strip_suffix('s').and_then(|n| n.parse::<u64>().ok());
            if secs.is_none() || !asked.body["role_descriptors"].is_object() {
                return refused(400, "expiration");
            }
            let made = state.make(text(&asked.body, "/name"), None, Value::Null);
            (
                200,
                Some(
                    json!({ "id": made.id.to_string(), "name": made.name, "api_key": "half", "encoded": made.secret }),
                ),
            )
        }
        ("GET", ["_security", "api_key"]) => {
            if asked.query.get("owner").map(String::as_str) != Some("true") {
                return refused(403, "only with owner=true");
            }
            let by_id = asked.query.get("id");
            let is_it = |t: &Thing| match (by_id, asked.query.get("name")) {
                (Some(id), _) => t.id.to_string() == *id,
                (None, Some(name)) => match name.strip_suffix('*') {
                    Some(prefix) => t.name.starts_with(prefix),
                    None => t.name == *name,
                },
                (None, None) => true,
            };
            let found: Vec<Value> = state.things.iter().filter(|t| is_it(t)).map(shown).collect();
            let status = if by_id.is_some() && found.is_empty() { 404 } else { 200 };
            (status, Some(json!({ "api_keys": found })))
        }
        ("DELETE", ["_security", "api_key"]) => {
            if asked.body["owner"] != json!(true) {
                return refused(403, "only with owner=true");
            }
            let ids: Vec<&str> = asked.body["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut done = Vec::new();
            for id in ids {
                if let Some(thing) = state.by_id(id).filter(|t| !t.revoked) {
                    thing.revoked = true;
                    done.push(id);
                }
            }
            (
                200,
                Some(json!({ "invalidated_api_keys": done, "previously_invalidated_api_keys": [], "error_count": 0 })),
            )
        }
        _ => refused(404, "no handler"),
    }
}

/// Tokens of a user, made with the user's password; a name is used once.
fn gitea(state: &mut State, asked: &Asked) -> Said {
    let refused =
        |status, message: &str| (status, Some(json!({ "message": message, "url": "https://git/api/swagger" })));
    if !basic(asked, "deploy") {
        return refused(401, "auth required");
    }
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["api", "v1", "users", "deploy", "tokens"]) => {
            let name = text(&asked.body, "/name");
            if state.by_name(name).is_some() {
                return refused(400, "access token name has been used already");
            }
            if asked.body["scopes"].as_array().is_none_or(Vec::is_empty) {
                return refused(400, "access token must have a scope");
            }
            let made = state.make(name, None, asked.body["scopes"].clone());
            (201, Some(json!({ "id": made.id, "name": made.name, "sha1": made.secret, "scopes": made.more })))
        }
        ("GET", ["api", "v1", "users", "deploy", "tokens"]) => {
            let shown = |t: &Thing| json!({ "id": t.id, "name": t.name, "sha1": "", "scopes": t.more });
            (200, Some(page(state, asked, "limit", 1).map(shown).collect()))
        }
        ("DELETE", ["api", "v1", "users", "deploy", "tokens", id]) => {
            if state.remove(|t| t.id.to_string() == *id || t.name == *id) {
                (204, None)
            } else {
                refused(404, "not found")
            }
        }
        _ => refused(404, "not found"),
    }
}

fn gitlab_project(state: &mut State, asked: &Asked) -> Said {
    gitlab(state, asked, "projects", "team/app")
}

fn gitlab_group(state: &mut State, asked: &Asked) -> Said {
    gitlab(state, asked, "groups", "team")
}

/// Tokens that are revoked and still shown; they end at the beginning of a day.
fn gitlab(state: &mut State, asked: &Asked, plural: &str, whose: &str) -> Said {
    let refused = |status: u16, message: &str| (status, Some(json!({ "message": message })));
    if !header(asked, "private-token", CREDENTIAL) {
        return refused(401, "401 Unauthorized");
    }
    let shown = |t: &Thing| json!({ "id": t.id, "name": t.name, "revoked": t.revoked, "active": !t.revoked, "user_id": 166, "scopes": t.more });
    let segments = segments(asked);
    let ["api", "v4", of, id, "access_tokens", rest @ ..] = segments.as_slice() else {
        return refused(404, "404 Not Found");
    };
    if *of != plural || *id != whose {
        return refused(404, "404 Not Found");
    }
    match (asked.method.as_str(), rest) {
        ("POST", []) => {
            let day = text(&asked.body, "/expires_at");
            let good = day.len() == 10
                && asked.body["scopes"].is_array()
                && asked.body["access_level"].as_u64().is_some_and(|l| [10, 20, 30, 40].contains(&l));
            if !good {
                return refused(400, "400 Bad request");
            }
            let made = state.make(text(&asked.body, "/name"), None, asked.body["scopes"].clone());
            let mut document = shown(&made);
            document["token"] = json!(made.secret);
            (201, Some(document))
        }
        ("GET", []) => {
            let active = asked.query.get("state").is_some_and(|state| state == "active");
            let all = page(state, asked, "per_page", 1).filter(|t| !active || !t.revoked);
            (200, Some(all.map(shown).collect()))
        }
        ("GET", [id]) => match state.by_id(id) {
            Some(thing) => (200, Some(shown(thing))),
            None => refused(404, "404 Access Token Not Found"),
        },
        ("DELETE", [id]) => match state.by_id(id) {
            Some(thing) => {
                thing.revoked = true;
                (204, None)
            }
            None => refused(404, "404 Access Token Not Found"),
        },
        _ => refused(405, "405 Method Not Allowed"),
    }
}

/// Tokens of a service account, which have no page of their own.
fn grafana(state: &mut State, asked: &Asked) -> Said {
    let refused = |status, message: &str| (status, Some(json!({ "message": message })));
    if !header(asked, "authorization", &format!("Bearer {CREDENTIAL}")) {
        return refused(401, "Unauthorized");
    }
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["api", "serviceaccounts", "7", "tokens"]) => {
            let name = text(&asked.body, "/name");
            if state.by_name(name).is_some() {
                return refused(409, "service account token with given name already exists in the organization");
            }
            if asked.body["secondsToLive"].as_u64().is_none() {
                return refused(400, "bad request data");
            }
            let made = state.make(name, None, Value::Null);
            (200, Some(json!({ "id": made.id, "name": made.name, "key": made.secret })))
        }
        ("GET", ["api", "serviceaccounts", "7", "tokens"]) => {
            let shown = |t: &Thing| json!({ "id": t.id, "name": t.name, "hasExpired": false, "isRevoked": false });
            (200, Some(state.things.iter().map(shown).collect()))
        }
        ("DELETE", ["api", "serviceaccounts", "7", "tokens", id]) => {
            if state.remove(|t| t.id.to_string() == *id) {
                (200, Some(json!({ "message": "Service account token deleted" })))
            } else {
                refused(404, "service account token not found")
            }
        }
        _ => refused(404, "Not found"),
    }
}

/// Robots of the system, whose names get a prefix.
fn harbor(state: &mut State, asked: &Asked) -> Said {
    let refused = |status, message: &str| (status, Some(json!({ "errors": [{ "code": "X", "message": message }] })));
    if !basic(asked, "admin") {
        return refused(401, "unauthorized");
    }
    let shown =
        |t: &Thing| json!({ "id": t.id, "name": format!("robot${}", t.name), "level": "system", "disable": false });
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["api", "v2.0", "robots"]) => {
            let name = text(&asked.body, "/name");
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
            let good = plain
                && asked.body["duration"].as_i64().is_some_and(|days| days > 0)
                && text(&asked.body, "/level") == "system"
                && text(&asked.body, "/permissions/0/namespace") == "library";
            if !good {
                return refused(400, "bad request");
            }
            if state.by_name(name).is_some() {
                return refused(409, "robot account already exists");
            }
            let made = state.make(name, None, Value::Null);
            let mut document = shown(&made);
            document["secret"] = json!(made.secret);
            (201, Some(document))
        }
        ("GET", ["api", "v2.0", "robots"]) => (200, Some(page(state, asked, "page_size", 1).map(shown).collect())),
        ("GET", ["api", "v2.0", "robots", id]) => match state.by_id(id) {
            Some(thing) => (200, Some(shown(thing))),
            None => refused(404, "robot not found"),
        },
        ("DELETE", ["api", "v2.0", "robots", id]) => {
            if state.remove(|t| t.id.to_string() == *id) {
                (200, None)
            } else {
                refused(404, "robot not found")
            }
        }
        _ => refused(404, "not found"),
    }
}

/// Authorizations, known by their description.
fn influxdb(state: &mut State, asked: &Asked) -> Said {
    let refused = |status, code: &str| (status, Some(json!({ "code": code, "message": code })));
    if !header(asked, "authorization", &format!("Token {CREDENTIAL}")) {
        return refused(401, "unauthorized");
    }
    let shown = |t: &Thing| json!({ "id": t.id.to_string(), "description": t.name, "status": "active" });
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["api", "v2", "authorizations"]) => {
            if text(&asked.body, "/orgID").is_empty() || !asked.body["permissions"].is_array() {
                return refused(400, "invalid");
            }
            let made = state.make(text(&asked.body, "/description"), None, Value::Null);
            let mut document = shown(&made);
            document["token"] = json!(made.secret);
            (201, Some(document))
        }
        ("GET", ["api", "v2", "authorizations"]) => {
            (200, Some(json!({ "links": {}, "authorizations": state.things.iter().map(shown).collect::<Vec<_>>() })))
        }
        ("GET", ["api", "v2", "authorizations", id]) => match state.by_id(id) {
            Some(thing) => (200, Some(shown(thing))),
            None => refused(404, "not found"),
        },
        ("DELETE", ["api", "v2", "authorizations", id]) => {
            if state.remove(|t| t.id.to_string() == *id) {
                (204, None)
            } else {
                refused(404, "not found")
            }
        }
        _ => refused(404, "not found"),
    }
}

/// Paths with a slash at the end; the list says itself where it goes on.
fn netbox(state: &mut State, asked: &Asked) -> Said {
    let refused = |status, detail: &str| (status, Some(json!({ "detail": detail })));
    if !header(asked, "authorization", &format!("Token {CREDENTIAL}")) {
        return refused(403, "Invalid token");
    }
    let shown = |t: &Thing| json!({ "id": t.id, "description": t.name, "expires": t.more });
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["api", "users", "tokens", ""]) => {
            let good = asked.body["user"].is_u64()
                && asked.body["write_enabled"].is_boolean()
                && text(&asked.body, "/expires").ends_with('Z');
            if !good {
                return refused(400, "bad");
            }
            let made = state.make(text(&asked.body, "/description"), None, asked.body["expires"].clone());
            let mut document = shown(&made);
            document["key"] = json!(made.secret);
            (201, Some(document))
        }
        ("GET", ["api", "users", "tokens", ""]) => {
            // Without this it lists the tokens of everybody, also what other resources made.
            if asked.query.get("user_id").map(String::as_str) != Some("12") {
                return refused(400, "whose tokens");
            }
            let number = |key: &str, usual: usize| asked.query.get(key).and_then(|n| n.parse().ok()).unwrap_or(usual);
            // It gives fewer than it is asked for, as one may set it.
            let (at, size) = (number("offset", 0), number("limit", 50).min(3));
            let results: Vec<Value> = state.things.iter().skip(at).take(size).map(shown).collect();
            let more = at + size < state.things.len();
            let next = more.then(|| {
                format!("http://other.example/api/users/tokens/?limit={size}&offset={}&user_id=12", at + size)
            });
            (200, Some(json!({ "count": state.things.len(), "next": next, "results": results })))
        }
        (method, ["api", "users", "tokens", id, ""]) => match (method, state.by_id(id)) {
            ("GET", Some(thing)) => (200, Some(shown(thing))),
            ("PATCH", Some(thing)) => {
                thing.more = asked.body["expires"].clone();
                (200, Some(shown(thing)))
            }
            ("DELETE", Some(thing)) => {
                let id = thing.id;
                state.remove(|t| t.id == id);
                (204, None)
            }
            _ => refused(404, "No Token matches the given query."),
        },
        _ => refused(404, "Not found"),
    }
}

/// Forms instead of documents, a token by its name; what is not there is an error of the server.
fn proxmox(state: &mut State, asked: &Asked) -> Said {
    let data = |data: Value| (200, Some(json!({ "data": data })));
    let none = |status| (status, Some(json!({ "data": null })));
    if !header(asked, "authorization", &format!("PVEAPIToken={CREDENTIAL}")) {
        return none(401);
    }
    let segments = segments(asked);
    let ["api2", "json", "access", "users", "deploy@pve", "token", rest @ ..] = segments.as_slice() else {
        return none(501);
    };
    let expire = || text(&asked.body, "/expire").parse::<u64>().ok();
    match (asked.method.as_str(), rest) {
        ("POST", [name]) => {
            if state.by_name(name).is_some()
                || expire().is_none()
                || !["0", "1"].contains(&text(&asked.body, "/privsep"))
            {
                return none(400);
            }
            let made = state.make(name, None, json!(expire()));
            data(
                json!({ "full-tokenid": format!("deploy@pve!{name}"), "value": made.secret, "info": { "privsep": 0 } }),
            )
        }
        ("GET", []) => {
            data(state.things.iter().map(|t| json!({ "tokenid": t.name, "expire": t.more, "privsep": 0 })).collect())
        }
        ("PUT", [name]) => match state.by_name(name) {
            Some(thing) => {
                thing.more = json!(expire());
                data(json!({ "info": {} }))
            }
            None => none(500),
        },
        ("DELETE", [name]) => {
            if state.remove(|t| t.name == *name) {
                data(Value::Null)
            } else {
                none(500)
            }
        }
        _ => none(501),
    }
}

/// Things under `/things`: the API that tests of faults declare.
pub(crate) fn things(state: &mut State, asked: &Asked) -> Said {
    if !header(asked, "x-key", CREDENTIAL) {
        return (401, Some(json!({ "error": "who are you" })));
    }
    let shown = |t: &Thing| json!({ "id": t.id, "name": t.name, "until": t.more });
    match (asked.method.as_str(), segments(asked).as_slice()) {
        ("POST", ["things"]) => {
            let made = state.make(text(&asked.body, "/name"), None, Value::Null);
            (201, Some(json!({ "id": made.id, "token": made.secret })))
        }
        ("GET", ["things"]) => (200, Some(state.things.iter().map(shown).collect())),
        ("GET", ["things", id]) => match state.by_id(id) {
            Some(thing) => (200, Some(shown(thing))),
            None => (404, Some(json!({ "error": "not found" }))),
        },
        ("PUT", ["things", id]) => match state.by_id(id) {
            Some(thing) => {
                thing.more = asked.body["until"].clone();
                (200, Some(shown(thing)))
            }
            None => (404, Some(json!({ "error": "not found" }))),
        },
        ("DELETE", ["things", id]) => {
            if state.remove(|t| t.id.to_string() == *id) {
                (204, None)
            } else {
                (404, Some(json!({ "error": "not found" })))
            }
        }
        _ => (404, Some(json!({ "error": "no route" }))),
    }
}
