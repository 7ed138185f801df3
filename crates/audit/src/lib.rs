//! The encoding of audit records. Pure.
