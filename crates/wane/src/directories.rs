//! The directories that people and groups come from, from the settings, and when each is read.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wane_app::{App, Followed, Newcomers, PullRules, PulledDirectory};
use wane_config::{LdapDirectory, Provision, SecretError, Settings};
use wane_domain::secret::Secret;
use wane_domain::text::{Name, TextError};
use wane_ldap::{Place, Tls, Wrong};
use wane_runtime::Supervisor;

use crate::deployment::span;

/// How soon a directory that was lost is tried again at first; twice as long after each time.
const LOST_AGAIN: Duration = Duration::from_secs(1);
/// How often that is doubled at most; it is never longer than the directory's interval.
const MOST_DOUBLED: u32 = 7;

/// Why a directory cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    #[error("the directory `{name}`: {why}")]
    Name { name: String, why: TextError },
    #[error("the directory `{name}`: {why}")]
    Secret { name: String, why: SecretError },
    #[error("the directory `{name}`: `{path}` cannot be read: {why}")]
    Ca { name: String, path: PathBuf, why: std::io::Error },
    #[error("the directory `{name}`: {why}")]
    Place { name: String, why: Wrong },
}

/// Has people and groups kept by the directories of the settings, each read when its time has come.
pub(crate) fn follow(supervisor: &mut Supervisor, app: &Arc<App>, settings: &Settings) -> Result<(), DirectoryError> {
    let all = settings.directories.iter().map(directory).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<Name> = all.iter().map(|one| one.rules.name.clone()).collect();
    app.keep_by(all);
    for (name, one) in names.into_iter().zip(&settings.directories) {
        let (app, every) = (Arc::clone(app), one.every);
        supervisor.spawn("directory", move |stop| {
            let (app, name) = (Arc::clone(&app), name.clone());
            async move {
                let mut lost = 0_u32;
                loop {
                    let followed = tokio::select! {
                        () = stop.cancelled() => return Ok::<(), Infallible>(()),
                        followed = app.follow_directory(&name, every) => followed,
                    };
                    let wait = match followed {
                        Ok(Followed::Read) => {
                            lost = 0;
                            every
                        }
                        Ok(Followed::Lost) => {
                            lost = 0;
                            LOST_AGAIN.min(every)
                        }
                        Ok(Followed::Silent) => {
                            lost = lost.saturating_add(1).min(MOST_DOUBLED);
                            (LOST_AGAIN * 2_u32.pow(lost.saturating_sub(1))).min(every)
                        }
                        Err(error) => {
                            tracing::warn!(directory = %name, %error, "what a directory says could not be kept; it is read again");
                            every.min(LOST_AGAIN * 5)
                        }
                    };
                    tokio::select! {
                        () = stop.cancelled() => return Ok::<(), Infallible>(()),
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        });
    }
    Ok(())
}

fn directory(one: &LdapDirectory) -> Result<PulledDirectory, DirectoryError> {
    let called = || one.name.clone();
    let name = |text: &str| text.parse::<Name>().map_err(|why| DirectoryError::Name { name: called(), why });
    let password = one.password.read(|name| std::env::var(name).ok());
    let password = password.map_err(|why| DirectoryError::Secret { name: called(), why })?;
    let ca_pem = match &one.ca {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            Some(read.map_err(|why| DirectoryError::Ca { name: called(), path: path.clone(), why })?)
        }
        None => None,
    };
    let tls = (ca_pem.is_some() || one.spki_sha256.is_some()).then(|| Tls {
        ca_pem,
        spki_sha256: one.spki_sha256.clone(),
        allow_tls12: one.allow_tls12,
    });
    let place = Place { urls: one.urls.clone(), starttls: one.starttls, tls, bind_dn: one.bind_dn.clone() };
    place.check().map_err(|why| DirectoryError::Place { name: called(), why })?;
    let groups = one.groups.iter().map(|(theirs, ours)| Ok((theirs.clone(), name(ours)?)));
    let attributes = one.attributes.iter().map(|(ours, theirs)| Ok((name(ours)?, theirs.clone())));
    let rules = PullRules {
        name: name(&one.name)?,
        people_base: one.people_base.clone(),
        people_filter: one.people_filter.clone(),
        disabled_filter: one.disabled_filter.clone(),
        name_attribute: one.name_attribute.clone(),
        display_attribute: one.display_attribute.clone(),
        newcomers: match one.provision {
            Provision::None => Newcomers::Left,
            Provision::Create => Newcomers::Entered,
        },
        attributes: attributes.collect::<Result<_, DirectoryError>>()?,
        groups: groups.collect::<Result<_, DirectoryError>>()?,
        member_attribute: one.member_attribute.clone(),
        shrink_percent: one.shrink_percent,
        stale_after: span(one.stale_after),
    };
    Ok(PulledDirectory { rules, place, credential: Secret::new(password.into_bytes()) })
}
