//! The constructor of a permit. Called by `policy::judge` and nobody else.

use crate::decision::{Basis, Permit};
use crate::terms::Terms;

/// Builds a permit.
#[must_use]
pub fn permit(terms: Terms, basis: Basis) -> Permit {
    Permit { terms, basis }
}
