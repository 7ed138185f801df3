//! The binary: reads settings, chooses the store, takes the kinds, starts.
fn main() {}
