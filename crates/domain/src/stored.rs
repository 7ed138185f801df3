//! Brings aggregates back from their stored shape. Called by the store's adapters and nobody else.

use crate::grant::{Grant, GrantData};
use crate::lease::{Lease, LeaseData};
use crate::request::{AccessRequest, RequestData};

/// A request from its stored shape.
#[must_use]
pub fn request(data: RequestData) -> AccessRequest {
    AccessRequest { data }
}

/// A grant from its stored shape.
#[must_use]
pub fn grant(data: GrantData) -> Grant {
    Grant { data }
}

/// A lease from its stored shape.
#[must_use]
pub fn lease(data: LeaseData) -> Lease {
    Lease { data }
}
