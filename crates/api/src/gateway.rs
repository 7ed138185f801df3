//! Where sessions go through.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The gateways there are.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GatewaysView {
    /// One per kind of target, if sessions to it can go through this server.
    pub items: Vec<GatewayView>,
}

/// A gateway.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GatewayView {
    /// For which kind of target.
    pub kind: String,
    /// The host by which people reach it.
    pub host: String,
    /// The port by which people reach it.
    pub port: u16,
    /// By what they know it, as their programs keep it: a line for `known_hosts`.
    pub known_by: String,
    /// By what they know the targets that they reach inside a connection to it, such as with `ssh -J`: a line for
    /// `known_hosts`, for every name.
    pub targets_known_by: String,
}
