//! The conformance kit: one suite that every adapter of the port passes.
