//! What is kept of ACME clients (RFC 8555): their accounts, each under one grant, and what they ordered.

use serde::{Deserialize, Serialize};
use wane_domain::id::{AcmeAccountId, AcmeOrderId, GrantId, LeaseId, PersonId};
use wane_domain::time::Time;

/// An account. It begins as an offer: a key that binds whoever comes with it to the grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeAccount {
    /// Which; also the key identifier of its binding.
    pub id: AcmeAccountId,
    /// The grant it stands under, with which it is over.
    pub grant: GrantId,
    /// Who holds that.
    pub person: PersonId,
    /// When it was offered.
    pub at: Time,
    /// When whoever it was offered to had last proved who they are.
    pub proved: Time,
    /// How, in a word.
    pub proof: String,
    /// When it may be forgotten, if its grant is over by then.
    pub forget: Time,
    /// Where it stands.
    pub state: AcmeState,
}

/// Where an account stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcmeState {
    /// Its binding was handed out, and nobody came with it yet.
    Offered,
    /// A client came with it, and with this key.
    Taken(AcmeKey),
    /// Its client gave it up; the key stays given up.
    GivenUp(AcmeKey),
    /// Its grant was over, and its client went to another account with its key.
    Left,
}

/// The public key of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeKey {
    /// What it is looked up by (RFC 7638).
    pub thumbprint: String,
    /// The key itself (RFC 7517).
    pub jwk: serde_json::Value,
}

impl AcmeAccount {
    /// The key it has, in use or given up.
    #[must_use]
    pub fn key(&self) -> Option<&AcmeKey> {
        match &self.state {
            AcmeState::Taken(key) | AcmeState::GivenUp(key) => Some(key),
            AcmeState::Offered | AcmeState::Left => None,
        }
    }
}

/// A name that a certificate is ordered for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcmeName {
    /// A DNS name.
    Dns(String),
    /// An address.
    Ip(std::net::IpAddr),
}

/// An order of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeOrder {
    /// Which.
    pub id: AcmeOrderId,
    /// Whose.
    pub account: AcmeAccountId,
    /// When it was made.
    pub at: Time,
    /// Until when a certificate may be had for it.
    pub expires: Time,
    /// For which names, sorted.
    pub names: Vec<AcmeName>,
    /// When it may be forgotten.
    pub forget: Time,
    /// What was issued for it.
    pub issued: Option<AcmeIssued>,
    /// The certificate that this one is to take the place of, as its client knows it (RFC 9773, section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// A certificate that was issued for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeIssued {
    /// The lease it was issued under.
    pub lease: LeaseId,
    /// Its number among everything that was issued.
    pub serial: u64,
    /// What clients know it by (RFC 9773, section 4.1).
    pub certificate: String,
    /// The thumbprint of its key.
    pub key: String,
    /// It, with what is above it, in PEM.
    pub chain: String,
    /// When it was issued.
    pub at: Time,
    /// When it runs out by itself.
    pub not_after: Time,
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;

    use super::*;

    #[test]
    fn an_order_of_an_earlier_release_is_read() {
        let now = Time::from_micros(1_795_255_200_000_000);
        let order = AcmeOrder {
            id: AcmeOrderId::mint(now, &[1; 10]),
            account: AcmeAccountId::mint(now, &[1; 10]),
            at: now,
            expires: now,
            names: vec![AcmeName::Dns("shop.example".to_owned())],
            forget: now,
            issued: None,
            replaces: None,
        };
        let written = serde_json::to_value(&order).unwrap();
        assert!(written.get("replaces").is_none(), "{written}");
        assert_eq!(serde_json::from_value::<AcmeOrder>(written).unwrap(), order);
    }
}
