//! Every target over its seeds, the inputs kept in the tree, and mutations of them: the same ones on
//! every run, so that what is found is found again.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod mutation;
mod server;

use mutation::Mutation;
use wane_fuzz::{TARGETS, Target};

/// Inputs are no longer than this after mutation.
const LONGEST: usize = 16 * 1024;

fn short(name: &str) {
    let target = Target::find(name).unwrap();
    let inputs = target.inputs();
    assert!(!inputs.is_empty(), "`{name}` has nothing to begin with");
    (target.run)(&[]);
    for input in &inputs {
        (target.run)(input);
    }
    let mut mutation = Mutation::new(name);
    for _ in 0..target.rounds {
        let mut input = mutation.of(&inputs);
        input.truncate(LONGEST);
        // What a failure is made again from.
        let shown = Shown(&input);
        (target.run)(&input);
        drop(shown);
    }
}

/// Says which input it was, if the target panics.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("input: {}", data_encoding::BASE64.encode(self.0));
            eprintln!("text: {:?}", String::from_utf8_lossy(self.0));
        }
    }
}

macro_rules! tests {
    ($($name:ident $module:ident $rounds:literal,)*) => {
        $(
            #[test]
            fn $name() {
                short(stringify!($name));
            }
        )*
    };
}

wane_fuzz::for_each_target!(tests);

#[test]
fn every_kept_input_belongs_to_a_target() {
    let folder = TARGETS[0].kept();
    for entry in std::fs::read_dir(folder.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert!(TARGETS.iter().any(|target| target.kept() == path), "no target reads `{}`", path.display());
    }
}
