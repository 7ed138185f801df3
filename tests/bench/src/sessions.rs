//! Many SSH sessions held by one process: how soon they are there, and when each is over.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use russh::client::{self, AuthResult, Handle};
use russh::keys::{Certificate, PrivateKey, PublicKeyOrCertificate, load_secret_key};
use russh::{Channel, ChannelMsg};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

/// Who logs in where, and how often.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    /// Where the server listens.
    address: SocketAddr,
    /// The login name.
    user: String,
    /// The private key, and certificates for it, which take turns.
    key: PathBuf,
    certificates: Vec<PathBuf>,
    /// What each runs.
    command: String,
    /// How many sessions, and how many of them set up at once.
    sessions: usize,
    at_once: usize,
}

/// The other side is known: it was started for this.
struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// One session.
struct Held {
    handle: Handle<Trusting>,
    channel: Channel<client::Msg>,
}

/// Opens all, says so, and tells when each was told that it is over and when it was closed. Lets go of them
/// when its input ends.
pub(crate) fn run(plan: &str) -> Result<Value> {
    let plan: Plan = serde_json::from_str(plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(hold(&plan));
    // Somebody may still be reading the input, and that is waited for by nobody.
    runtime.shutdown_background();
    found
}

async fn hold(plan: &Plan) -> Result<Value> {
    let key = Arc::new(load_secret_key(&plan.key, None)?);
    let certificates = plan.certificates.iter().map(|path| Certificate::read_file(path));
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let begun = Instant::now();
    let opening = futures::stream::iter(certificates.iter().cycle().take(plan.sessions))
        .map(|certificate| open(plan, Arc::clone(&key), certificate.clone()))
        .buffer_unordered(plan.at_once);
    let held: Vec<Result<Held>> = opening.collect().await;
    let held = held.into_iter().collect::<Result<Vec<_>>>()?;
    println!("{}", json!({ "open": held.len(), "seconds": begun.elapsed().as_secs_f64() }));

    let (release, released) = watch::channel(false);
    let watching: FuturesUnordered<_> = held.into_iter().map(|held| over(held, released.clone())).collect();
    let waiting = async {
        // Whatever comes, and also if it fails: from then on nobody wants them any more.
        let _ = tokio::io::stdin().read(&mut [0; 1]).await;
        release.send_replace(true);
        std::future::pending::<()>().await;
    };
    let ends: Vec<(Option<f64>, f64)> = tokio::select! {
        ends = watching.collect() => ends,
        () = waiting => Vec::new(),
    };
    let told: Vec<f64> = ends.iter().filter_map(|(told, _)| *told).collect();
    let closed: Vec<f64> = ends.iter().map(|(_, closed)| *closed).collect();
    Ok(json!({ "told": told, "closed": closed }))
}

async fn open(plan: &Plan, key: Arc<PrivateKey>, certificate: Certificate) -> Result<Held> {
    let config = client::Config { nodelay: true, ..client::Config::default() };
    let mut handle = client::connect(Arc::new(config), plan.address, Trusting).await.context("no connection")?;
    let login = handle.authenticate_openssh_cert(plan.user.clone(), key, certificate).await?;
    ensure!(matches!(login, AuthResult::Success), "`{}` is not let in", plan.user);
    let mut channel = handle.channel_open_session().await?;
    channel.exec(true, plan.command.as_str()).await?;
    loop {
        match channel.wait().await.context("the session ended at once")? {
            ChannelMsg::Success => return Ok(Held { handle, channel }),
            ChannelMsg::Failure => anyhow::bail!("`{}` is refused", plan.command),
            _ => {}
        }
    }
}

/// When the person was told, if they were, and when it was closed; in seconds since 1970.
async fn over(mut held: Held, mut released: watch::Receiver<bool>) -> (Option<f64>, f64) {
    let mut told = None;
    loop {
        let message = tokio::select! {
            message = held.channel.wait() => message,
            // An error means that nobody waits for them any more, either.
            _ = released.wait_for(|released| *released) => None,
        };
        match message {
            Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => {
                if told.is_none() && data.windows(4).any(|word| word == b"over") {
                    told = Some(now());
                }
            }
            Some(ChannelMsg::Close) | None => {
                let closed = now();
                drop(held.handle);
                return (told, closed);
            }
            Some(_) => {}
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::NAN, |since| since.as_secs_f64())
}
