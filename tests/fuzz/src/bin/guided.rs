//! libFuzzer around the target that `WANE_FUZZ_TARGET` names; `cargo xtask fuzz` builds and starts it.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wane_fuzz::Target;

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("WANE_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = Target::find(&name) else {
        unreachable!("`{name}` is no target; set WANE_FUZZ_TARGET");
    };
    if let Some(folder) = std::env::var_os("WANE_FUZZ_SEEDS") {
        target.sow(Path::new(&folder));
    }
    target
});

fuzz_target!(
    init: {
        LazyLock::force(&CHOSEN);
    },
    |data: &[u8]| (CHOSEN.run)(data)
);
