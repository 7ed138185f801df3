//! Chores: demo, test, lint, ci.
fn main() {}
