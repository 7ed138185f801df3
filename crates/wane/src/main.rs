//! The binary: reads settings, chooses the store, takes the kinds, starts.
//!
//! Everything ambient is decided here and handed down: the clock, entropy, the process's streams,
//! the one TLS provider. Commands for people live in `wane-cli`; what needs the data folder
//! (`init`, `server`, `config`) lives here and comes in as extra commands.

mod approval;
mod authority;
mod config;
mod deployment;
mod depot;
mod directories;
mod ends;
mod gateway;
mod init;
mod kinds;
mod notices;
mod one_line;
mod providers;
mod recordings;
mod rules;
mod serve;
mod server;
mod signer;
mod token_key;
mod turning;
mod verbs;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before there is a second thread.
    if let Some(code) = kinds::confined() {
        return code;
    }
    // One provider for the process; a second call would find it installed, which is as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::FAILURE,
    };
    let ambient = wane_runtime::ambient();
    let code =
        runtime.block_on(wane_cli::run(std::env::args_os().collect(), verbs::env(&ambient), verbs::extra(&ambient)));
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
