//! Typed, prefixed, time-ordered ids: `req_…`, `grt_…`, `lse_…`.
//!
//! An id is a UUID version 7 (RFC 9562), written as its type's prefix, `_`, and 26 characters
//! of lower-case base32hex (RFC 4648 section 7), whose order as text is their order in time.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_DNSSEC;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Time;

/// What every id type offers.
pub trait TypedId: Copy + fmt::Display + FromStr<Err = IdError> {
    /// The prefix before the underscore.
    const PREFIX: &'static str;
    /// Makes an id from a moment and ten bytes of entropy.
    fn mint(at: Time, entropy: &[u8; 10]) -> Self;
}

/// Why a text is not an id of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{got}` is not an id of the form `{prefix}_` followed by 26 characters of 0-9a-v")]
pub struct IdError {
    got: String,
    prefix: &'static str,
}

fn uuid_from(at: Time, entropy: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(at.micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, entropy).into_uuid()
}

fn encode(id: &Uuid) -> String {
    BASE32_DNSSEC.encode(id.as_bytes())
}

fn decode(text: &str) -> Option<Uuid> {
    let bytes = BASE32_DNSSEC.decode(text.as_bytes()).ok()?;
    let id = Uuid::from_slice(&bytes).ok()?;
    // One spelling only: what does not encode back to itself (upper case) is not an id.
    (encode(&id) == text).then_some(id)
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl TypedId for $name {
            const PREFIX: &'static str = $prefix;
            fn mint(at: Time, entropy: &[u8; 10]) -> Self { Self(uuid_from(at, entropy)) }
        }
        impl $name {
            /// Its sixteen bytes.
            #[must_use]
            pub fn bytes(&self) -> [u8; 16] { *self.0.as_bytes() }
            /// The 26 characters after the prefix.
            #[must_use]
            pub fn suffix(&self) -> String { encode(&self.0) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), encode(&self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| IdError { got: text.chars().take(64).collect(), prefix: $prefix })
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

typed_ids! {
    /// The organisation this deployment belongs to.
    OrgId = "org";
    /// A person. Opaque: never derived from a name.
    PersonId = "per";
    /// A group of people.
    GroupId = "grp";
    /// A resource.
    ResourceId = "res";
    /// A role that can be asked for on resources of one kind.
    RoleId = "rol";
    /// A request for access.
    RequestId = "req";
    /// A grant.
    GrantId = "grt";
    /// One thing that must end.
    LeaseId = "lse";
    /// A lock.
    LockId = "lck";
    /// An access package.
    PackageId = "pkg";
    /// A record of the log.
    EventId = "evt";
    /// A session through the gateway; the same one as the lease of its number.
    SessionId = "ses";
    /// A login through the gateway that its person is to confirm.
    ArrivalId = "arr";
    /// A login session, an enrolment code, or another bearer Wane issued.
    TokenId = "tok";
    /// A directory that pushes people and groups.
    DirectoryId = "dir";
    /// One notice to one recipient over one channel.
    DeliveryId = "dlv";
    /// A way in besides a local password: an identity at a provider, a passkey.
    WayId = "way";
    /// A key whose signatures count as approvals.
    ApproverKeyId = "apk";
    /// That somebody stands in for an approver who is away.
    DelegationId = "dlg";
    /// An issuer of tokens about jobs.
    IssuerId = "iss";
    /// A workload: what works by itself.
    WorkloadId = "wkl";
    /// A job of a workload.
    JobId = "job";
    /// An account of an ACME client.
    AcmeAccountId = "acm";
    /// An order of an ACME client.
    AcmeOrderId = "aco";
}

impl SessionId {
    /// The session that a lease stands for.
    #[must_use]
    pub fn of(lease: LeaseId) -> Self {
        Self(lease.0)
    }

    /// The lease that stands for it.
    #[must_use]
    pub fn lease(self) -> LeaseId {
        LeaseId(self.0)
    }
}
