//! One connection to one database, and what its failures mean.
//!
//! The connection is driven by whoever waits for an answer on it: there is no task behind it, so
//! nothing happens on it between two effects.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Either, select};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row, SimpleQueryMessage, SimpleQueryRow};
use wane_connector::{ConnectError, Target};
use wane_domain::time::Time;
use wane_failpoint::{Point, around, point};

use crate::quote::QuoteError;
use crate::settings::{Place, Settings};
use crate::tls;

/// How long a server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(250);
/// What the server does by itself if we are gone, and names mean what they say whatever a database's
/// owner put into its `search_path`.
const OPTIONS: &str = "-c search_path=pg_catalog,pg_temp -c statement_timeout=8000 -c lock_timeout=3000 \
                       -c idle_in_transaction_session_timeout=15000 -c row_security=on -c client_min_messages=error";

/// The first question. A connection that nobody uses any more is ended by the server itself, and what is
/// answered as done is on its disk: a server that takes this lightly for others would have an account back
/// after a crash.
const FIRST: &str = "SELECT current_setting('server_version_num'), \
     CASE WHEN current_setting('server_version_num')::int4 >= 140000 THEN set_config('idle_session_timeout', '60000', false) END, \
     CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'local', false) END";

/// Why something at a server failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fail {
    /// No answer, or not in time.
    #[error("{0}")]
    Unreachable(String),
    /// Who it is, or who we are, was refused.
    #[error("{0}")]
    Trust(String),
    /// It said no.
    #[error("{why}")]
    Refused {
        /// The SQLSTATE, if it came from the server.
        code: Option<SqlState>,
        /// What it said.
        why: String,
    },
}

impl Fail {
    /// A refusal of our own.
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { code: None, why: why.into() }
    }

    pub(crate) fn is(&self, state: &SqlState) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if code == state)
    }

    /// Whether others were at the same rows in the same moment, so that nothing was decided. The server
    /// has no code of its own for the second; its text is never translated.
    pub(crate) fn is_contention(&self) -> bool {
        self.is(&SqlState::T_R_SERIALIZATION_FAILURE)
            || self.is(&SqlState::T_R_DEADLOCK_DETECTED)
            || (self.is(&SqlState::INTERNAL_ERROR) && self.to_string().starts_with("tuple concurrently "))
    }

    /// Whether it is one database that is closed to us, and not the server.
    pub(crate) fn is_shut(&self) -> bool {
        let shut = [
            SqlState::INVALID_CATALOG_NAME,
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            SqlState::INSUFFICIENT_PRIVILEGE,
        ];
        shut.iter().any(|state| self.is(state))
    }

    pub(crate) fn at(self, target: &Target<'_>) -> ConnectError {
        let target = target.resource.name.to_string();
        match self {
            Self::Unreachable(why) => ConnectError::Unreachable { target, why },
            Self::Trust(why) => ConnectError::Trust { target, why },
            Self::Refused { why, .. } => ConnectError::Refused { target, why },
        }
    }
}

impl From<QuoteError> for Fail {
    fn from(error: QuoteError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return from_transport(&error);
        };
        let code = db.code();
        let mut why = format!("{} ({})", db.message(), code.code());
        if let Some(detail) = db.detail() {
            why.push_str(": ");
            why.push_str(&detail.replace('\n', "; "));
        }
        let class = code.code().get(..2).unwrap_or_default();
        match class {
            "28" => Self::Trust(why),
            // Starting, shutting down, full, or the connection itself; nothing was decided.
            "08" | "53" | "57" if *code != SqlState::QUERY_CANCELED => Self::Unreachable(why),
            _ => Self::Refused { code: Some(code.clone()), why },
        }
    }
}

fn from_transport(error: &Error) -> Fail {
    let mut why = error.to_string();
    let mut identity = false;
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        // Inside an I/O error the cause is not in the chain of sources.
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        identity |= cause.is::<rustls::Error>() || inner.is_some_and(|e| e.is::<rustls::Error>());
        source = cause.source();
    }
    if identity { Fail::Trust(why) } else { Fail::Unreachable(why) }
}

/// A connection to one database, logged in as the connector.
pub(crate) struct Session {
    client: Client,
    driver: Option<BoxFuture<'static, ()>>,
    /// The database it is in.
    pub(crate) database: String,
    /// The server's version, such as 150018.
    pub(crate) version: i32,
}

impl Session {
    /// Connects as the connector.
    pub(crate) async fn open(settings: &Settings, target: &Target<'_>, database: &str) -> Result<Self, Fail> {
        let mut config = Config::new();
        config.user(&settings.user).dbname(database).connect_timeout(CONNECT).options(OPTIONS).application_name("wane");
        if let Some(secret) = target.credential {
            config.password(secret.expose());
        }
        let place = settings.place().map_err(|e| Fail::refused(e.to_string()))?;
        let connecting = around(point!("postgres.connect"), connect(config, place, target.now));
        let (client, driver) = tokio::time::timeout(CONNECT, connecting)
            .await
            .map_err(|_| Fail::Unreachable(format!("no login within {} s", CONNECT.as_secs())))??;
        let mut session = Self { client, driver: Some(driver), database: database.to_owned(), version: 0 };
        let answers = session.batch(point!("postgres.first"), FIRST).await?;
        session.version = number(answers.first().and_then(|rows| rows.first()), 0)?;
        Ok(session)
    }

    /// Whether the server has not ended the connection, as far as is known without asking it.
    pub(crate) fn stands(&mut self) -> bool {
        let ended = self.driver.as_mut().is_none_or(|driver| driver.now_or_never().is_some());
        if ended {
            self.driver = None;
        }
        !ended && !self.client.is_closed()
    }

    /// Says goodbye, so that the server does not log a lost client.
    pub(crate) async fn close(self) {
        let Self { client, driver, .. } = self;
        drop(client);
        if let Some(driver) = driver {
            let _ = tokio::time::timeout(GOODBYE, driver).await;
        }
    }

    /// Runs statements without parameters. Whatever stands in them went through `quote`. `step` is
    /// where a test may stop us.
    pub(crate) async fn run(&mut self, step: Point, sql: &str) -> Result<(), Fail> {
        Ok(around(step, drive(&mut self.driver, self.client.batch_execute(sql))).await?)
    }

    /// As [`run`](Self::run), in one round trip; the rows of each, as text.
    pub(crate) async fn batch(&mut self, step: Point, sql: &str) -> Result<Vec<Vec<SimpleQueryRow>>, Fail> {
        let mut answers = Vec::new();
        let mut rows = Vec::new();
        for message in around(step, drive(&mut self.driver, self.client.simple_query(sql))).await? {
            match message {
                SimpleQueryMessage::Row(row) => rows.push(row),
                SimpleQueryMessage::CommandComplete(_) => answers.push(std::mem::take(&mut rows)),
                _ => {}
            }
        }
        Ok(answers)
    }

    /// The rows of a query.
    pub(crate) async fn rows(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fail> {
        let reading = drive(&mut self.driver, self.client.query(sql, params));
        Ok(around(point!("postgres.read"), reading).await?)
    }

    /// The single row of a query.
    pub(crate) async fn one(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Fail> {
        let reading = drive(&mut self.driver, self.client.query_one(sql, params));
        Ok(around(point!("postgres.read_one"), reading).await?)
    }

    /// The first column of all rows, as text.
    pub(crate) async fn texts(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<String>, Fail> {
        self.rows(sql, params).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// A number.
    pub(crate) async fn count(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<i64, Fail> {
        Ok(self.one(sql, params).await?.try_get(0)?)
    }
}

/// A column of a row that came as text; nothing where the server said NULL.
pub(crate) fn text(row: &SimpleQueryRow, column: usize) -> Result<Option<&str>, Fail> {
    Ok(row.try_get(column)?)
}

/// A number out of a row that came as text.
pub(crate) fn number<T: std::str::FromStr>(row: Option<&SimpleQueryRow>, column: usize) -> Result<T, Fail> {
    let text = row.map(|row| text(row, column)).transpose()?.flatten();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Fail::refused(format!("the server answered `{}`, which is no number", text.unwrap_or("nothing")))
    })
}

async fn connect(config: Config, place: Place<'_>, now: Time) -> Result<(Client, BoxFuture<'static, ()>), Fail> {
    use tokio_postgres::config::SslMode;
    let mut config = config;
    match place {
        Place::Tcp { host, port, tls } => {
            config.host(host).port(port).ssl_mode(SslMode::Require);
            let tls = tls::client_config(tls, now).map_err(Fail::Trust)?;
            let (client, connection) = config.connect(tokio_postgres_rustls::MakeRustlsConnect::new(tls)).await?;
            Ok((client, connection.map(drop).boxed()))
        }
        Place::Socket { folder, port } => {
            config.host_path(folder).port(port).ssl_mode(SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await?;
            Ok((client, connection.map(drop).boxed()))
        }
    }
}

/// Waits for an answer while driving the connection it comes on.
async fn drive<T>(
    driver: &mut Option<BoxFuture<'static, ()>>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(connection) = driver.as_mut() else {
        return work.await;
    };
    let work = std::pin::pin!(work);
    match select(work, connection).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), work)) => {
            // The connection has ended; what it still delivered, or that it is closed, is in the channel.
            *driver = None;
            work.await
        }
    }
}
