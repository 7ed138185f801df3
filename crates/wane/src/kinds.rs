//! The kinds this binary takes. Nothing outside a kind's own folder names it, except this list.

use std::sync::Arc;

use wane_connector::verb::Verb;
use wane_connector::{Checker, Document, Kind, Namer, Reader, Registry, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_keys::seal::SealName;
use wane_kind_hook::{HookKind, ProgramSettings};
use wane_kind_http::HttpKind;
use wane_kind_ldap::LdapKind;
use wane_kind_oauth::OauthKind;
use wane_kind_postgres::PostgresKind;
use wane_kind_scim::ScimKind;
use wane_kind_ssh::SshKind;
use wane_kind_x509::X509Kind;

/// The authorities of certificates, as their kind has them.
pub(crate) mod authority {
    pub(crate) use wane_kind_x509::AUTHORITY_KEYS;
    pub(crate) use wane_kind_x509::authority::{
        Authorities, Authority, AuthorityError, Confined, State, drop_idle, take_over, vacant,
    };
}

/// The keys of access tokens, as their kind has them.
pub(crate) mod token {
    pub(crate) use wane_kind_oauth::TOKEN_KEYS;
    pub(crate) use wane_kind_oauth::keys::{Going, KeptKey, KeyError, TokenKeys, another, remove};
}

/// The signing keys the kinds need, and under which seal each is kept. What ends access opens unattended.
pub(crate) const PURPOSES: [(&str, SealName); 3] = [
    (wane_kind_ssh::USER_CA, SealName::Issuing),
    (wane_kind_ssh::HOST_CA, SealName::Issuing),
    (wane_kind_ssh::KRL, SealName::Ends),
];

/// What the signer checks before it signs for a purpose.
pub(crate) fn checkers() -> Vec<(&'static str, Checker)> {
    vec![(wane_kind_ssh::USER_CA, wane_kind_ssh::check_user_certificate)]
}

/// The same for the key of an authority.
pub(crate) const AUTHORITY_CHECKER: Checker = wane_kind_x509::check_certificate;
/// What an authority's key publishes.
pub(crate) const AUTHORITY_DOCUMENT: Document = wane_kind_x509::check_list;

/// What the signer checks before it signs with the key of access tokens.
pub(crate) const TOKEN_CHECKER: Checker = wane_kind_oauth::check_token;

/// What the signer knows of the bytes of a purpose, where people may have to sign.
pub(crate) fn readers() -> Vec<(&'static str, Reader)> {
    let mut readers = vec![(wane_kind_ssh::USER_CA, wane_kind_ssh::USER_CERTIFICATES)];
    readers.extend(wane_kind_x509::AUTHORITY_KEYS.map(|purpose| (purpose, wane_kind_x509::CERTIFICATES)));
    readers.extend(wane_kind_oauth::TOKEN_KEYS.map(|purpose| (purpose, wane_kind_oauth::TOKENS)));
    readers
}

/// What the kinds are given that was read from the store.
pub(crate) struct Given {
    pub(crate) authorities: Arc<authority::Authorities>,
    pub(crate) token_keys: Arc<token::TokenKeys>,
    /// How programs are run for targets.
    pub(crate) programs: ProgramSettings,
}

/// How programs are run: by this very binary, started once more to confine itself and become one.
pub(crate) fn programs(hooks: &wane_config::Hooks) -> ProgramSettings {
    if let Some(Err(why)) = hooks.programs.as_deref().map(HookKind::check_programs) {
        tracing::warn!(%why, "no program of `hooks.programs` will be run");
    }
    ProgramSettings {
        folder: hooks.programs.clone(),
        launcher: ("/proc/self/exe".into(), vec![wane_kind_hook::confine::WORD.to_owned()]),
        without_landlock: hooks.without_landlock,
    }
}

/// What this process is, if it was started to confine itself and become a program.
pub(crate) fn confined() -> Option<std::process::ExitCode> {
    wane_kind_hook::confine::confined(std::env::args_os())
}

/// What the signer knows of the bytes of a purpose that certifies names.
pub(crate) fn namers() -> Vec<(&'static str, Namer)> {
    vec![(wane_kind_ssh::HOST_CA, wane_kind_ssh::host_names)]
}

/// The kinds. `url` is where people open this server.
pub(crate) fn registry(
    signer: &Arc<dyn Signer>,
    given: Given,
    url: &str,
    ambient: &Ambient,
    web: Option<&Secret>,
) -> Registry {
    let Given { authorities, token_keys, programs } = given;
    let kinds: [Arc<dyn Kind>; 8] = [
        Arc::new(SshKind::new(Arc::clone(signer))),
        Arc::new(PostgresKind::new(ambient.clone())),
        Arc::new(LdapKind::new()),
        Arc::new(ScimKind::new()),
        Arc::new(X509Kind::new(Arc::clone(signer), authorities, ambient.clone())),
        Arc::new(OauthKind::new(Arc::clone(signer), token_keys, url, ambient)),
        Arc::new(HttpKind::new(web)),
        Arc::new(HookKind::new(ambient.clone(), programs)),
    ];
    Registry::new(kinds)
}

/// The kind that serves sessions to SSH hosts.
pub(crate) const SSH: &str = wane_kind_ssh::NAME;

/// The kind that serves sessions to web applications.
pub(crate) const HTTP: &str = wane_kind_http::NAME;

/// The client verbs of the kinds.
pub(crate) fn verbs() -> Vec<Arc<dyn Verb>> {
    let mut verbs = wane_kind_ssh::verbs::all();
    verbs.extend(wane_kind_postgres::verbs());
    verbs.extend(wane_kind_x509::verbs::all());
    verbs.extend(wane_kind_oauth::verbs::all());
    verbs.extend(wane_kind_http::verbs::all());
    verbs.extend(wane_kind_hook::verbs::all());
    verbs
}
