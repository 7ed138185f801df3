//! A server on loopback for one test, and a client to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use wane_api::SecretText;
use wane_client::{Bearer, Client, Connect};

pub(crate) struct Served {
    pub(crate) client: Client,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn client_to(server: &str) -> Client {
    let count = AtomicU32::new(0);
    Client::new(Connect {
        server,
        token: Some(Bearer::new(SecretText::new("wns_canary".to_owned()))),
        ca_pem: None,
        keys: Arc::new(move || format!("key-{}", count.fetch_add(1, Ordering::Relaxed))),
    })
    .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the server of one test")]
pub(crate) async fn serve(router: Router) -> Served {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Served { client: client_to(&server), task }
}
