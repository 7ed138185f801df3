//! Where everything unguessable comes from.

use std::collections::HashSet;
use std::process::Command;

use wane_domain::ambient::Entropy;
use wane_domain::id::TokenId;
use wane_runtime::{OsEntropy, ambient};

/// What a forked process or a restored snapshot would repeat is state, and there is none: each draw is
/// the operating system's own, which reseeds itself after both.
#[test]
fn entropy_has_no_state_to_repeat() {
    assert_eq!(size_of::<OsEntropy>(), 0);
    // Two sources made apart yield apart, and so does one and its copy.
    let one = OsEntropy;
    let copy = one;
    let draw = |source: OsEntropy| {
        let mut bytes = [0; 32];
        source.fill(&mut bytes);
        bytes
    };
    assert_eq!(HashSet::from([draw(one), draw(copy), draw(OsEntropy), draw(one)]).len(), 4);
}

/// A million draws of eight bytes from several threads: by chance two are alike once in 37 million runs.
#[test]
fn a_million_draws_are_all_different() {
    const THREADS: usize = 4;
    const EACH: usize = 250_000;
    let draws = std::thread::scope(|scope| {
        let drawing = || {
            let mut all = vec![0u8; EACH * 8];
            for draw in all.chunks_mut(8) {
                OsEntropy.fill(draw);
            }
            all
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(drawing)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it draws")).collect::<Vec<u8>>()
    });
    let mut draws: Vec<&[u8]> = draws.chunks(8).collect();
    draws.sort_unstable();
    assert!(draws.windows(2).all(|pair| pair[0] != pair[1]), "the same bytes twice");
    // Every bit is drawn, as often as not.
    for bit in 0..64 {
        let ones = draws.iter().filter(|draw| draw[bit / 8] >> (bit % 8) & 1 == 1).count();
        let half = THREADS * EACH / 2;
        assert!(ones.abs_diff(half) < half / 50, "bit {bit} is one {ones} times");
    }
}

const CHILD: &str = "WANE_TEST_DRAWS";

/// Processes begun at once from one image draw nothing twice, ids of the same millisecond included.
#[test]
fn processes_of_one_image_draw_apart() {
    if std::env::var_os(CHILD).is_some() {
        let ambient = ambient();
        for _ in 0..2000 {
            println!("id {}", ambient.id::<TokenId>());
        }
        return;
    }
    let own = std::env::current_exe().expect("this program");
    let begin = || {
        let mut command = Command::new(&own);
        command.args(["--exact", "entropy::processes_of_one_image_draw_apart", "--nocapture"]);
        command.env(CHILD, "1").stdout(std::process::Stdio::piped()).spawn().expect("it starts")
    };
    let children: Vec<_> = (0..8).map(|_| begin()).collect();
    let mut drawn = Vec::new();
    for child in children {
        let said = child.wait_with_output().expect("it ends");
        let said = String::from_utf8(said.stdout).expect("text");
        drawn.extend(said.lines().filter_map(|line| line.split_once("id ")).map(|(_, id)| id.to_owned()));
    }
    assert_eq!(drawn.len(), 16_000);
    assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), drawn.len(), "two processes drew the same");
}
