//! The storage port and its conformance kit.
