//! The providers people sign in at, from the settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wane_app::{App, Federated, ProviderRules, Says, Strangers};
use wane_config::{OidcProvider, Provision, SecretError, Settings, Strength};
use wane_domain::secret::Secret;
use wane_domain::text::{Name, TextError};
use wane_oidc::{Provider, ProviderSettings, SettingsError, Userinfo};

/// Why nobody can sign in at a provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error("the provider `{name}`: {why}")]
    Name { name: String, why: TextError },
    #[error("the provider `{name}`: {why}")]
    Secret { name: String, why: SecretError },
    #[error("the provider `{name}`: `{path}` cannot be read: {why}")]
    Ca { name: String, path: PathBuf, why: std::io::Error },
    #[error("the provider `{name}`: {why}")]
    Settings { name: String, why: SettingsError },
}

/// Has people sign in at the providers of the settings as well.
pub(crate) fn federate(app: &App, settings: &Settings) -> Result<(), ProviderError> {
    let url = &settings.server.public_url;
    let providers = settings.login.providers.iter().map(|one| federated(one, url)).collect::<Result<_, _>>()?;
    app.federate(providers);
    Ok(())
}

fn federated(one: &OidcProvider, public_url: &str) -> Result<Federated, ProviderError> {
    let called = || one.name.clone();
    let name = |text: &str| text.parse::<Name>().map_err(|why| ProviderError::Name { name: called(), why });
    let secret = match &one.client_secret {
        Some(reference) => {
            let read = reference.read(|name| std::env::var(name).ok());
            let text = read.map_err(|why| ProviderError::Secret { name: called(), why })?;
            Some(Secret::new(text.into_bytes()))
        }
        None => None,
    };
    let ca_pem = match &one.ca {
        Some(path) => {
            let read = std::fs::read(path);
            Some(read.map_err(|why| ProviderError::Ca { name: called(), path: path.clone(), why })?)
        }
        None => None,
    };
    let provider = Provider::new(ProviderSettings {
        issuer: one.issuer.clone(),
        client_id: one.client_id.clone(),
        secret,
        scopes: one.scopes.clone(),
        acr_values: one.acr_values.clone(),
        userinfo: if one.userinfo { Userinfo::Asked } else { Userinfo::NotAsked },
        ca_pem,
        redirect_uri: format!("{public_url}/sign-in/oidc/{}/callback", one.name),
    })
    .map_err(|why| ProviderError::Settings { name: called(), why })?;
    let groups = one.groups.iter().map(|(theirs, ours)| Ok((theirs.clone(), name(ours)?)));
    let attributes = one.attributes.iter().map(|(ours, claim)| Ok((name(ours)?, claim.clone())));
    let rules = ProviderRules {
        name: name(&one.name)?,
        display: one.display.clone(),
        strangers: match one.provision {
            Provision::None => Strangers::Refused,
            Provision::Create => Strangers::Entered { name_claim: one.person_claim.clone() },
        },
        display_claim: one.display_claim.clone(),
        groups_claim: one.groups_claim.clone(),
        groups: groups.collect::<Result<BTreeMap<_, _>, ProviderError>>()?,
        attributes: attributes.collect::<Result<BTreeMap<_, _>, ProviderError>>()?,
        several_factors: says(&one.mfa),
        phishing_resistant: says(&one.phishing_resistant),
    };
    Ok(Federated { rules, provider })
}

fn says(strength: &Strength) -> Says {
    Says { acr: strength.acr.clone(), amr: strength.amr.clone() }
}
