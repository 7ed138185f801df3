//! `wane server`: API, engine, and the store's writer, until told to stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures::future::BoxFuture;
use serde_json::json;
use wane_api::settings::SettingView;
use wane_app::App;
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_config::{Loaded, LogFormat, Settings};
use wane_domain::ambient::Ambient;
use wane_reconcile::{Engine, Storeless};
use wane_runtime::{Backoff, Cause, Supervisor};

use crate::config::{From, parse};
use crate::deployment::{Expect, OpenError, open, span};
use crate::gateway::{Bound, GatewayError};
use crate::one_line::OneLine;
use crate::rules::{RulesError, Watched};
use crate::serve::{Listener, ServeError};

/// How long tasks get to end.
const GRACE: Duration = Duration::from_secs(10);

/// The command.
pub(crate) struct Server {
    pub(crate) ambient: Ambient,
}

/// Run the server: API, engine and store.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    from: From,
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Provider(#[from] crate::providers::ProviderError),
    #[error(transparent)]
    Directory(#[from] crate::directories::DirectoryError),
    #[error(transparent)]
    Notices(#[from] crate::notices::NoticesError),
    #[error(transparent)]
    Harden(#[from] wane_runtime::HardenError),
    #[error(transparent)]
    Failpoints(#[from] wane_failpoint::PlanError),
    #[error("signals cannot be waited for: {0}")]
    Signals(std::io::Error),
    #[error("the task `{0}`, on which everything rests, ended; see the log")]
    Lost(&'static str),
}

impl ExtraCommand for Server {
    fn words(&self) -> &'static [&'static str] {
        &["server"]
    }
    fn about(&self) -> &'static str {
        "Run the server"
    }
    fn group(&self) -> Group {
        Group::Machine
    }
    fn json(&self) -> Json {
        Json::Ours
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            let arguments = parse("wane server", args, session);
            let loaded = match arguments.and_then(|arguments: Arguments| arguments.from.load(session)) {
                Ok(loaded) => loaded,
                Err(exit) => return exit,
            };
            log_as(&loaded.settings);
            match self.serve(&loaded, session).await {
                Ok(()) => Exit::Done,
                Err(error) => session.report(&Stop::failed(error.to_string())),
            }
        })
    }
}

impl Server {
    async fn serve(&self, loaded: &Loaded, session: &Session) -> Result<(), RunError> {
        let settings = &loaded.settings;
        wane_failpoint::arm()?;
        wane_runtime::harden()?;
        // Bound before anything is opened: a port in use is the likeliest mistake.
        let listener = Listener::bind(settings).await?;
        let bound = match &settings.gateway.ssh {
            Some(listen) => Some(Bound::bind(listen).await?),
            None => None,
        };
        let web = match &settings.gateway.http {
            Some(listen) => Some(crate::web::Bound::bind(listen).await?),
            None => None,
        };
        let rules = settings.gateway.rules.as_deref().map(Watched::read).transpose()?;
        let mut supervisor = Supervisor::new(Backoff::default());
        let (opening, writer) = open(settings, &self.ambient, Expect::There).await?;
        supervisor.keep("store", writer.run());
        let mut deployment = opening.finish(settings, &self.ambient).await?;
        if let Some(link) = deployment.link.take() {
            link.keep(&mut supervisor).await;
        }
        crate::providers::federate(&deployment.app, settings)?;
        crate::notices::tell(&deployment.app, settings)?;
        if let Some(bound) = &bound {
            bound.announce(&deployment.app)?;
        }
        if let Some(web) = &web {
            web.announce(&deployment.app)?;
        }
        keep_ends(&mut supervisor, &deployment.app, settings);
        crate::directories::follow(&mut supervisor, &deployment.app, settings)?;
        let (app, engine) = (Arc::clone(&deployment.app), engine_settings(settings));
        supervisor.spawn("engine", move |stop| {
            let engine = Engine::new(Arc::clone(&app), engine.clone());
            async move {
                engine.run(stop).await;
                Ok::<(), Infallible>(())
            }
        });
        crate::notices::keep(&mut supervisor, &deployment.app);
        // Before anything else is waited for: the engine runs already, and settles what was recorded.
        let archive = crate::recordings::keep(&mut supervisor, &deployment.app, settings);
        if let Some(rules) = rules {
            rules.keep(&mut supervisor, &deployment.app).await;
        }
        match deployment.app.take_back_lost_logins().await {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!(count, "logins waited when the server ended; what they asked for is taken back")
            }
            Err(error) => tracing::warn!(%error, "what lost logins asked for is not taken back; it lapses by itself"),
        }
        if let (Some(bound), Some(key)) = (bound, deployment.gateway_key.take()) {
            bound.keep(settings, &mut supervisor, &deployment.app, key, &self.ambient).await?;
        }
        if let (Some(web), Some(key)) = (web, deployment.web_key.take()) {
            web.keep(&mut supervisor, &deployment.app, &key, &self.ambient)?;
        }
        let limits = wane_http::Limits {
            body: usize::try_from(settings.limits.body_bytes).unwrap_or(usize::MAX),
            settings: told(loaded),
            ..wane_http::Limits::default()
        };
        let router = wane_http::router(Arc::clone(&deployment.app), &limits, supervisor.token());
        let address = listener.address();
        let listener = Arc::new(listener);
        supervisor.spawn("api", move |stop| {
            let (listener, router) = (Arc::clone(&listener), router.clone());
            async move { listener.serve(router, stop).await }
        });
        session.put(
            &json!({ "listening": address.to_string(), "url": settings.server.public_url }),
            &format!("listening on {address}"),
        );
        let shutdown = supervisor.run_until_shutdown(GRACE).await.map_err(RunError::Signals)?;
        deployment.store.close().await;
        if let Some(archive) = archive {
            archive.close();
        }
        supervisor.finish(GRACE).await;
        match shutdown.cause {
            Cause::Signal(_) | Cause::Asked => Ok(()),
            Cause::Lost(task) => Err(RunError::Lost(task)),
        }
    }
}

/// What is told of the settings: as `wane config explain` tells them.
fn told(loaded: &Loaded) -> Vec<SettingView> {
    let told = |one: &wane_config::Explained| SettingView {
        key: one.key.to_owned(),
        value: one.value.clone(),
        origin: one.origin.to_string(),
        doc: one.doc.to_owned(),
    };
    loaded.explain().iter().map(told).collect()
}

fn engine_settings(settings: &Settings) -> wane_reconcile::Settings {
    wane_reconcile::Settings {
        inventory_every: span(settings.engine.inventory_every),
        retry_cap: span(settings.engine.retry_cap),
    }
}

/// Has what is ended without the store done, kept and booked.
fn keep_ends(supervisor: &mut Supervisor, app: &Arc<App>, settings: &Settings) {
    crate::ends::open(app, &settings.server.data_dir);
    let keeper = Arc::clone(app);
    supervisor.spawn("journal", move |stop| {
        let keeper = Arc::clone(&keeper);
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = keeper.keep_journal() => {}
            }
            Ok::<(), Infallible>(())
        }
    });
    let (app, cap) = (Arc::clone(app), span(settings.engine.retry_cap));
    supervisor.spawn("storeless", move |stop| {
        let storeless = Storeless::new(Arc::clone(&app), cap);
        async move {
            storeless.run(stop).await;
            Ok::<(), Infallible>(())
        }
    });
}

pub(crate) fn log_as(settings: &Settings) {
    let filter = tracing_subscriber::EnvFilter::new(format!("warn,{}", wane_crates(settings.log.level.name())));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| OneLine(std::io::stderr()))
        // Colours are control characters, which one of a name or a message could not be told from.
        .with_ansi(false);
    // Set once per process; a second server in one process keeps the first's.
    let _ = match settings.log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

fn wane_crates(level: &str) -> String {
    let rooms = [
        "wane",
        "wane_app",
        "wane_http",
        "wane_gateway",
        "wane_reconcile",
        "wane_archive",
        "wane_store_sql",
        "wane_kind_ssh",
        "wane_kind_postgres",
        "wane_kind_ldap",
        "wane_kind_http",
        "wane_kind_hook",
        "wane_ldap",
        "wane_runtime",
    ];
    rooms.map(|room| format!("{room}={level}")).join(",")
}
