//! What is known of a provider beforehand.

use reqwest::Url;
use wane_domain::secret::Secret;
use wane_egress::is_loopback;

/// A provider, as somebody who runs this server enters it.
#[derive(Debug)]
pub struct ProviderSettings {
    /// Its issuer identifier, exactly as its tokens say it.
    pub issuer: String,
    /// Who this server is to it.
    pub client_id: String,
    /// What proves that; none for a public client, which PKCE protects alone.
    pub secret: Option<Secret>,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// Which kinds of sign-in are asked for (`acr_values`), most wanted first.
    pub acr_values: Vec<String>,
    /// Whether its userinfo endpoint is asked for what its tokens leave out.
    pub userinfo: Userinfo,
    /// The only certificate authorities it is trusted by, in PEM; none for those the machine trusts.
    pub ca_pem: Option<Vec<u8>>,
    /// Where it sends people back to: exactly this.
    pub redirect_uri: String,
}

/// Whether a provider's userinfo endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Userinfo {
    /// It is; what it says fills in what the token leaves out.
    Asked,
    /// The token is all there is.
    NotAsked,
}

/// Why a provider cannot be worked with as it was entered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not an issuer identifier.
    #[error(
        "`{0}` is no issuer: write the `https://` address that the provider's tokens say, without query or fragment; `http://` only on this machine"
    )]
    Issuer(String),
    /// Not usable PEM.
    #[error("the CA file of the provider is not usable PEM: {0}")]
    Ca(String),
    /// Nothing that it signs could be checked.
    #[error(
        "there is no key or no algorithm of the issuer that can be used; give its JWKS with RSA, P-256 or Ed25519 keys"
    )]
    Keys,
    /// The client cannot be made.
    #[error("no client can be made for the provider: {0}")]
    Client(String),
}

/// Whether an issuer is one, and whether it is on this machine.
pub(crate) fn issuer(text: &str) -> Result<Url, SettingsError> {
    let wrong = || SettingsError::Issuer(text.chars().take(128).collect());
    let url: Url = text.parse().map_err(|_| wrong())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if plain && scheme && url.password().is_none() && url.host().is_some() { Ok(url) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::issuer;

    #[test]
    fn an_issuer_is_an_address_others_cannot_change() {
        for (text, good) in [
            ("https://login.example.org", true),
            ("https://login.example.org/realms/one", true),
            ("http://127.0.0.1:8000", true),
            ("http://[::1]:8000/a", true),
            ("http://localhost:8000", true),
            ("http://login.example.org", false),
            ("http://127.0.0.1.example.org", false),
            ("https://login.example.org/?a", false),
            ("https://login.example.org/#a", false),
            ("https://me@login.example.org", false),
            ("ftp://login.example.org", false),
            ("login.example.org", false),
            ("", false),
        ] {
            assert_eq!(issuer(text).is_ok(), good, "{text}");
        }
    }
}
