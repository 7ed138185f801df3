//! `wane init`: makes a deployment, its keys, its first administrator.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;
use futures::future::BoxFuture;
use serde_json::json;
use wane_audit::{Actor, Outcome, Record, Subjects};
use wane_cli::{Exit, ExtraCommand, Group, Json, Session, Stop};
use wane_domain::ambient::Ambient;
use wane_domain::directory::{Group as People, Person, Standing};
use wane_domain::id::OrgId;
use wane_domain::text::Name;
use wane_domain::time::Time;
use wane_failpoint::{around, point};
use wane_store::{Commit, Put, Store, Write};

use crate::config::{From, begin_writing};
use crate::deployment::{Expect, OpenError, open};

/// The command.
pub(crate) struct Init {
    pub(crate) ambient: Ambient,
}

/// What was made.
struct Made {
    org: OrgId,
    /// The first administrator's one-time code.
    code: String,
    expires: Time,
}

/// Make a deployment: data folder, store, keys, and the first administrator.
#[derive(Parser)]
struct Arguments {
    /// The login name of the first administrator.
    #[arg(long, value_name = "NAME", default_value = "admin")]
    admin: Name,
    #[command(flatten)]
    from: From,
}

impl ExtraCommand for Init {
    fn words(&self) -> &'static [&'static str] {
        &["init"]
    }
    fn about(&self) -> &'static str {
        "Make a deployment: data folder, store, keys, first administrator"
    }
    fn group(&self) -> Group {
        Group::Machine
    }
    fn json(&self) -> Json {
        Json::Ours
    }
    fn run<'a>(&'a self, args: Vec<String>, session: &'a Session) -> BoxFuture<'a, Exit> {
        Box::pin(async move {
            let (arguments, settings) = match begin_writing("wane init", args, session, |a: &Arguments| &a.from) {
                Ok(begun) => begun,
                Err(exit) => return exit,
            };
            match self.make(&settings, &arguments.admin).await {
                Ok(Made { org, code, expires }) => {
                    let signer = match &settings.signer.socket {
                        Some(_) => format!(
                            "\n  wane signer init --org {org}, as the signer's own user; then wane signer serve"
                        ),
                        None => String::new(),
                    };
                    let folder = settings.server.data_dir.display().to_string();
                    let text = format!(
                        "made a deployment in {folder}\n\nThe first administrator is `{}`. Their one-time code, good until {expires}:\n\n  {code}\n\n\
                         Next:{signer}\n  wane server --data {folder}\n  wane enrol --server {}",
                        arguments.admin, settings.server.public_url
                    );
                    session.put(&json!({ "org": org, "admin": arguments.admin, "code": code, "expires": expires.to_string(), "data": folder }), &text);
                    Exit::Done
                }
                Err(error @ OpenError::ThereAlready(_)) => {
                    session.report(&Stop::new(Exit::Conflict, error.to_string()))
                }
                Err(error) => session.report(&Stop::failed(error.to_string())),
            }
        })
    }
}

impl Init {
    async fn make(&self, settings: &wane_config::Settings, admin: &Name) -> Result<Made, OpenError> {
        let (opening, writer) = open(settings, &self.ambient, Expect::New).await?;
        let work = async {
            let deployment = opening.finish(settings, &self.ambient).await?;
            let made = self.first_admin(&deployment, admin).await;
            deployment.store.close().await;
            made
        };
        let (made, ()) = tokio::join!(work, writer.run());
        made
    }

    async fn first_admin(&self, deployment: &crate::deployment::Deployment, name: &Name) -> Result<Made, OpenError> {
        let now = self.ambient.now();
        let person = Person {
            id: self.ambient.id(),
            name: name.clone(),
            display: name.as_str().parse()?,
            manager: None,
            attributes: BTreeMap::new(),
            standing: Standing::Active,
            since: now,
            stay: wane_domain::directory::Stay::default(),
            kept_by: None,
        };
        let admins = People {
            id: self.ambient.id(),
            name: "admins".parse()?,
            description: "May arrange everything; named by the starter policy".parse()?,
            members: BTreeSet::from([person.id]),
            kept_by: None,
        };
        let org = deployment.store.world().await?.org;
        let record = Record {
            id: self.ambient.id(),
            org,
            at: now,
            actor: Actor::System,
            event: "deployment.made".to_owned(),
            outcome: Outcome::Done,
            about: Subjects { person: Some(person.id), ..Subjects::default() },
            detail: json!({ "admin": person, "group": admins }),
        };
        let id = person.id;
        let writes = vec![Write::Person(Put::new(person)), Write::Group(Put::new(admins))];
        let commit = deployment.store.commit(Commit::new(writes, vec![record])?);
        around(point!("init.admin.commit"), commit).await?;
        let (code, expires) = deployment.app.first_code(id).await?;
        Ok(Made { org, code: code.reveal().to_string(), expires })
    }
}
