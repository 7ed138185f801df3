//! Where a provider's endpoints are, as it says itself (OpenID Connect Discovery 1.0, RFC 8414).

use serde_json::Value;

use crate::egress::Egress;
use crate::members::Members;
use crate::provider::OidcError;

/// What a provider says of itself, as far as it is used.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) authorization: String,
    pub(crate) token: String,
    pub(crate) keys: String,
    pub(crate) userinfo: Option<String>,
    /// Whether its answers name it (RFC 9207).
    pub(crate) says_issuer: bool,
    /// How this server shows who it is when it redeems a code.
    pub(crate) shows: Shows,
}

/// How a client with a secret shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// In a header.
    Basic,
    /// In the form.
    Post,
}

/// Where an issuer's keys are that hands out tokens and signs nobody in.
pub(crate) async fn keys_of(egress: &Egress, issuer: &str) -> Result<String, OidcError> {
    let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let said = egress.get(&at, None).await?;
    let text = |name: &'static str| said.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(OidcError::Discovery("its `issuer` is another than the one that is registered"));
    }
    let keys = text("jwks_uri").ok_or(OidcError::Discovery("it names no `jwks_uri`"))?;
    Ok(egress.address(keys)?.to_string())
}

impl Metadata {
    pub(crate) async fn fetch(egress: &Egress, issuer: &str) -> Result<Self, OidcError> {
        let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        Self::read(&egress.get(&at, None).await?, issuer, egress)
    }

    pub(crate) fn read(said: &Members, issuer: &str, egress: &Egress) -> Result<Self, OidcError> {
        let text = |name: &'static str| said.get(name).and_then(Value::as_str);
        // Exactly: whoever answers for somebody else is somebody else.
        if text("issuer") != Some(issuer) {
            return Err(OidcError::Discovery("its `issuer` is another than that in the settings"));
        }
        let endpoint = |name: &'static str, missing: &'static str| -> Result<String, OidcError> {
            let url = text(name).ok_or(OidcError::Discovery(missing))?;
            Ok(egress.address(url)?.to_string())
        };
        let lists = |name: &str, word: &str| {
            said.get(name).and_then(Value::as_array).map(|all| all.iter().any(|one| one == word))
        };
        if lists("response_types_supported", "code") == Some(false) {
            return Err(OidcError::Discovery("it has no code flow"));
        }
        if lists("code_challenge_methods_supported", "S256") == Some(false) {
            return Err(OidcError::Discovery("it takes no PKCE with S256"));
        }
        const SHOWN: &str = "token_endpoint_auth_methods_supported";
        let by_post =
            lists(SHOWN, "client_secret_basic") == Some(false) && lists(SHOWN, "client_secret_post") == Some(true);
        Ok(Self {
            authorization: endpoint("authorization_endpoint", "it names no `authorization_endpoint`")?,
            token: endpoint("token_endpoint", "it names no `token_endpoint`")?,
            keys: endpoint("jwks_uri", "it names no `jwks_uri`")?,
            userinfo: match text("userinfo_endpoint") {
                Some(url) => Some(egress.address(url)?.to_string()),
                None => None,
            },
            says_issuer: said.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
            shows: if by_post { Shows::Post } else { Shows::Basic },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://login.example.org";

    #[test]
    fn a_provider_is_believed_about_itself_only() {
        let egress = Egress::new(&ISSUER.parse().unwrap(), None).unwrap();
        let said = |name: &str, value: Value| {
            let mut all = json!({
                "issuer": ISSUER,
                "authorization_endpoint": "https://login.example.org/a",
                "token_endpoint": "https://login.example.org/t",
                "jwks_uri": "https://login.example.org/k",
            });
            all[name] = value;
            Metadata::read(&Members(all.as_object().unwrap().clone()), ISSUER, &egress)
        };
        let good = said("authorization_response_iss_parameter_supported", json!(true)).unwrap();
        assert!(good.says_issuer && good.shows == Shows::Basic);
        let post = said("token_endpoint_auth_methods_supported", json!(["client_secret_post"])).unwrap();
        assert_eq!(post.shows, Shows::Post);
        for (name, value) in [
            ("issuer", json!("https://login.example.org/")),
            ("issuer", json!("https://evil.example")),
            ("issuer", json!(null)),
            ("token_endpoint", json!("http://login.example.org/t")),
            ("token_endpoint", json!("https://169.254.169.254/t")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("jwks_uri", json!("https://127.0.0.1/k")),
            ("jwks_uri", json!(null)),
            ("userinfo_endpoint", json!("http://login.example.org/u")),
            ("response_types_supported", json!(["id_token"])),
            ("code_challenge_methods_supported", json!(["plain"])),
        ] {
            assert!(said(name, value.clone()).is_err(), "{name} {value}");
        }
    }
}
