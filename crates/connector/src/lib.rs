//! The contract a kind of target fulfils, the registry, and the conformance kit every kind must pass.
