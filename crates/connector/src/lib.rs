//! The contract a kind of target fulfils, the registry of kinds, and the conformance kit.
//!
//! Owns: what a kind must be able to say and do. Refuses to know: any particular kind, the store,
//! the use-cases. A kind is one folder under `kinds/`; the binary lists the kinds it takes.

pub mod acme;
pub mod broker;
pub mod certificates;
pub mod conformance;
pub mod contract;
pub mod kind;
pub mod registry;
pub mod signer;
pub mod strict;
pub mod terminal;
pub mod tokens;
pub mod verb;
pub mod web;
pub mod words;

pub use acme::{Acme, CertNames, CertRead, CertRequest};
pub use broker::Broker;
pub use certificates::{CertificateRead, Certificates};
pub use contract::{
    Artifact, ConnectError, Created, Describe, Effects, EndOutcome, Handed, Inventory, Issued, Issuer, Prepared,
    Presence, Residue, StandingRight, Target, permits,
};
pub use kind::{ConnectLine, Held, HostDocs, Kind, KindError, Paper, Published, Revoked, RoleProbe};
pub use registry::Registry;
pub use signer::{
    Checker, Document, Given, Guarded, Named, Namer, Place, PublicKey, PublishPermit, Reader, SignError, Signature,
    Signer, Vouched,
};
pub use tokens::{TokenProof, TokenRead, Tokens};
