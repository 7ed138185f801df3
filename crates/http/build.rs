//! Has the crate built again when the web UI was. Makes nothing: that is `cargo xtask web`.
#![expect(clippy::print_stdout, reason = "a build script tells cargo so")]

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
