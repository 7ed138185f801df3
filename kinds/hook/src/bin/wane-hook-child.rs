//! What confines a program, by itself: the tests of this crate start it as the server starts its own binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    wane_kind_hook::confine::confined(std::env::args_os()).unwrap_or(ExitCode::FAILURE)
}
