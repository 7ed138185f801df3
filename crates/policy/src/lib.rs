//! Cedar behind a candidate index: snapshot in, decision with terms and reasons out. Pure.
