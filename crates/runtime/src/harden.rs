//! Keeps the process's memory to itself.

use nix::sys::resource::{Resource, setrlimit};

/// A protection the kernel refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HardenError {
    /// Core dumps cannot be turned off.
    #[error("core dumps cannot be turned off: {0}")]
    CoreDumps(nix::Error),
    /// Other processes of the account can still read the memory.
    #[error("the memory cannot be closed to debuggers: {0}")]
    Dumpable(nix::Error),
}

/// Turns core dumps off, and closes the memory and `/proc` entries to other processes of the same account.
/// Call it first in `main`, before any secret is in memory. Children inherit the first, not the second.
///
/// # Errors
/// When the kernel refuses; the caller decides whether to go on.
pub fn harden() -> Result<(), HardenError> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(HardenError::CoreDumps)?;
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_dumpable(false).map_err(HardenError::Dumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_here() {
        harden().unwrap();
        assert_eq!(nix::sys::resource::getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        #[cfg(target_os = "linux")]
        assert!(!nix::sys::prctl::get_dumpable().unwrap());
    }
}
