use wane_domain::decision::{Basis, Permit};
use wane_domain::terms::Terms;

fn forge(terms: Terms, basis: Basis) -> Permit {
    Permit { terms, basis, latest: None }
}

fn main() {}
