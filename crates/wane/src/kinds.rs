//! The kinds this binary takes. Nothing outside a kind's own folder names it, except this list.

use std::sync::Arc;

use wane_connector::verb::Verb;
use wane_connector::{Checker, Document, Kind, Reader, Registry, Signer};
use wane_domain::ambient::Ambient;
use wane_domain::secret::Secret;
use wane_keys::seal::SealName;
use wane_kind_http::HttpKind;
use wane_kind_ldap::LdapKind;
use wane_kind_oauth::OauthKind;
use wane_kind_postgres::PostgresKind;
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
    vec![(wane_kind_ssh::USER_CA, wane_kind_ssh::USER_CERTIFICATES)]
}

/// What the kinds are given that was read from the store.
pub(crate) struct Given {
    pub(crate) authorities: authority::Authorities,
    pub(crate) token_keys: token::TokenKeys,
}

/// The kinds. `url` is where people open this server.
pub(crate) fn registry(
    signer: &Arc<dyn Signer>,
    given: Given,
    url: &str,
    ambient: &Ambient,
    web: Option<&Secret>,
) -> Registry {
    let Given { authorities, token_keys } = given;
    let kinds: [Arc<dyn Kind>; 6] = [
        Arc::new(SshKind::new(Arc::clone(signer))),
        Arc::new(PostgresKind::new(ambient.clone())),
        Arc::new(LdapKind::new()),
        Arc::new(X509Kind::new(Arc::clone(signer), authorities, ambient.clone())),
        Arc::new(OauthKind::new(Arc::clone(signer), token_keys, url, ambient)),
        Arc::new(HttpKind::new(web)),
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
    verbs
}
