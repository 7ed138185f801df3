//! Ctrl-C: noticed instead of dying at once, so that accounts and folders are removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody asked for the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on for SIGINT and SIGTERM.
    pub(crate) fn listen() -> Result<Self> {
        let heard = Self::default();
        let told = heard.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Listening before the first program starts: they get signals of their own again.
        let mut signals = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = signals.0.recv() => {}
                        _ = signals.1.recv() => {}
                    }
                });
                told.0.store(true, Ordering::SeqCst);
            })
            .context("cannot listen for Ctrl-C")?;
        Ok(heard)
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Fails once the end was asked for.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(!self.is_heard(), "interrupted; everything is stopped");
        Ok(())
    }
}
