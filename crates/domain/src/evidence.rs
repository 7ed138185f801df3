//! The constructor of a permit. Called by `policy::judge` and nobody else.

use crate::decision::{Basis, Permit};
use crate::terms::Terms;
use crate::time::Time;

/// Builds a permit. `latest` is when the time of whoever it is for is over; none for those who stay.
#[must_use]
pub fn permit(terms: Terms, basis: Basis, latest: Option<Time>) -> Permit {
    Permit { terms, basis, latest }
}
