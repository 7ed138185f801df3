//! The typed client over the HTTP contract.
