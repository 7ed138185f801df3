//! What is on stage: the servers, and the people once they have a sign-in.

use anyhow::{Context, Result};
use wane_testkit::{Interactive, PersonSession, Postgres, PreparedSshd, Sshd, WaneServer};

use super::narrator::Narrator;

/// Names that are typed.
pub(crate) const ADMIN: &str = "ada";
pub(crate) const ENGINEER: &str = "maya";
pub(crate) const OWNER: &str = "omar";
pub(crate) const HOST: &str = "web1";
pub(crate) const DATABASE: &str = "shop";

/// The host's sshd, before and after it starts.
#[derive(Debug)]
pub(crate) enum Host {
    Prepared(PreparedSshd),
    Running(Sshd),
}

/// Everything that runs. Dropping it stops and removes all of it.
#[derive(Debug)]
pub(crate) struct Stage {
    // First: it asks the server, which therefore outlives it.
    pub(crate) puller: Option<Interactive>,
    pub(crate) server: WaneServer,
    pub(crate) host: Option<Host>,
    pub(crate) postgres: Postgres,
    admin: Option<PersonSession>,
    engineer: Option<PersonSession>,
    owner: Option<PersonSession>,
}

impl Stage {
    /// A PostgreSQL that runs, an sshd that does not yet, and an empty folder for Wane.
    pub(crate) fn set(say: &Narrator) -> Result<Self> {
        say.scene("Two servers that know nothing of Wane");
        let postgres = Postgres::launch()?;
        let sshd = Sshd::builder().user_prefix("deploy").prepare()?;
        say.remark(&format!(
            "PostgreSQL {} on 127.0.0.1:{}; OpenSSH on 127.0.0.1:{} with the account `{}`, not started yet.",
            postgres.version(),
            postgres.port(),
            sshd.port(),
            sshd.user().name()
        ));
        let server = WaneServer::builder().admin(ADMIN).prepare()?;
        Ok(Self {
            puller: None,
            server,
            host: Some(Host::Prepared(sshd)),
            postgres,
            admin: None,
            engineer: None,
            owner: None,
        })
    }

    pub(crate) fn admin(&self) -> Result<&PersonSession> {
        self.admin.as_ref().context("the administrator is not there yet")
    }

    pub(crate) fn engineer(&self) -> Result<&PersonSession> {
        self.engineer.as_ref().context("the engineer is not there yet")
    }

    pub(crate) fn owner(&self) -> Result<&PersonSession> {
        self.owner.as_ref().context("the owner is not there yet")
    }

    /// Everybody who has a sign-in, with what they are.
    pub(crate) fn cast(&self) -> impl Iterator<Item = (&'static str, &PersonSession)> {
        [("administrator", &self.admin), ("engineer", &self.engineer), ("owner of the database", &self.owner)]
            .into_iter()
            .filter_map(|(what, person)| Some((what, person.as_ref()?)))
    }

    pub(crate) fn enter(&mut self, person: PersonSession) {
        match person.name() {
            ADMIN => self.admin = Some(person),
            ENGINEER => self.engineer = Some(person),
            _ => self.owner = Some(person),
        }
    }

    /// The sshd that runs.
    pub(crate) fn sshd(&self) -> Result<&Sshd> {
        match &self.host {
            Some(Host::Running(sshd)) => Ok(sshd),
            Some(Host::Prepared(_)) | None => anyhow::bail!("sshd does not run yet"),
        }
    }

    /// The last lines the server wrote.
    pub(crate) fn end_of_log(&self) -> String {
        let log = self.server.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(30);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}
