//! Has the crate built again when the web UI was. Makes nothing: that is `cargo xtask web`.

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
