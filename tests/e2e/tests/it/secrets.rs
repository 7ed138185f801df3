//! Secrets: where they never are, and that each is handed out once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use wane_api::SecretText;
use wane_client::{Bearer, Client, ClientError, Connect};
use wane_testkit::PersonSession;

use crate::database::Shop;
use crate::people::{Deployment, granted, text};

#[test]
fn a_secret_is_written_nowhere() {
    let shop = Shop::with(wane_testkit::WaneServer::builder().set("log.level", "trace"), "open");
    let maya = &shop.wane.maya;
    let grant = granted(maya, "readonly@shop", "30m");
    let account = shop.account(maya, &grant);
    assert!(shop.run(&account, "SELECT item FROM orders").success());
    let connector = fs::read_to_string(shop.wane.server.person("connector").unwrap().password_file()).unwrap();
    let password = fs::read_to_string(maya.password_file()).unwrap();
    let secrets = [account.password.clone(), connector, password, maya.token().unwrap()];
    maya.json(&["done", &grant]).unwrap();
    shop.wane.wait_closed(&grant);

    let mut looked_at = Vec::new();
    // Store, write-ahead log, keys, while the server runs and has them open; and what it logged.
    let mut files = files_below(&shop.wane.server.data());
    files.push(shop.wane.server.log_path());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        for secret in &secrets {
            assert!(!contains(&bytes, secret.as_bytes()), "a secret stands in `{}`", file.display());
        }
        looked_at.push(file.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(
        looked_at.iter().any(|name| name == "wane.db") && looked_at.iter().any(|name| name.ends_with("-wal")),
        "{looked_at:?}"
    );
    // The database logs every statement: the password never reached it in the clear.
    let log = shop.postgres.log().unwrap();
    assert!(log.contains(&account.user), "the account is not in the database's log at all");
    assert!(!log.contains(&account.password), "the password stands in the database's log");
    for said in [shop.wane.ada.json(&["log", "--all"]).unwrap(), shop.wane.ada.json(&["story", &grant]).unwrap()] {
        assert!(!said.to_string().contains(&account.password));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_twice_is_done_once() {
    let here = tokio::task::spawn_blocking(|| {
        let here = Deployment::new();
        here.deploy_role();
        here.paper_host("web", "gate=open");
        here
    })
    .await
    .unwrap();
    let client = client(&here.maya, "one-key");
    let body = json!({ "items": [{ "resource": "web", "role": "deploy" }], "duration": "10m" });
    let first = client.call("POST", "/v1/requests", None, Some(&body)).await.unwrap();
    let again = client.call("POST", "/v1/requests", None, Some(&body)).await.unwrap();
    assert_eq!(first, again);
    let other = json!({ "items": [{ "resource": "web", "role": "deploy" }], "duration": "11m" });
    let refused = client.call("POST", "/v1/requests", None, Some(&other)).await.unwrap_err();
    assert_eq!(status(&refused), 422, "{refused}");
    tokio::task::block_in_place(|| {
        let page = here.ada.json(&["requests"]).unwrap();
        assert_eq!(crate::people::items(&page).len(), 1);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_not_replayed_and_asking_again_ends_it() {
    let shop = tokio::task::spawn_blocking(|| Shop::with_gate("open")).await.unwrap();
    let grant = tokio::task::block_in_place(|| granted(&shop.wane.maya, "readonly@shop", "10m"));
    let client = client(&shop.wane.maya, "credential-key");
    let path = format!("/v1/grants/{grant}/credential");
    let body = json!({ "input": {} });
    let made = client.call("POST", &path, None, Some(&body)).await.unwrap();
    let secret = text(&made["secret"]);
    let again = client.call("POST", &path, None, Some(&body)).await.unwrap_err();
    assert_eq!(status(&again), 409, "{again}");
    assert!(!again.to_string().contains(&secret));
    tokio::task::block_in_place(|| {
        shop.wait_no_accounts();
        assert!(!shop.postgres.psql_as(&text(&made["public"]["user"]), &secret, "shop", "SELECT 1").unwrap().success());
        // The grant lives; another credential can be had.
        let account = shop.account(&shop.wane.maya, &grant);
        assert!(shop.run(&account, "SELECT 1").success());
    });
}

fn client(person: &PersonSession, key: &str) -> Client {
    let key = key.to_owned();
    Client::new(Connect {
        server: person.server(),
        token: Some(Bearer::new(SecretText::new(person.token().unwrap()))),
        ca_pem: None,
        keys: Arc::new(move || key.clone()),
    })
    .unwrap()
}

fn status(error: &ClientError) -> u16 {
    match error {
        ClientError::Problem(problem) => problem.status,
        other => panic!("{other}"),
    }
}

/// Every file of a folder and of those in it.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path))
        } else if path.is_file() {
            found.push(path)
        }
    }
    found
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
