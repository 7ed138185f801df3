//! Inputs that get somewhere.

use wane_testkit::words;

use super::world::world;

pub(crate) fn ssh_packets() -> Vec<Vec<u8>> {
    let hello = world().hello.clone();
    let packet = |said: &[u8]| [&[u8::try_from(said.len()).unwrap()][..], said].concat();
    let service = [&[5][..], &words(&[b"ssh-userauth"])].concat();
    let none = [&[50][..], &words(&[b"deploy%web", b"ssh-connection", b"none"])].concat();
    let open = [&[90][..], &words(&[b"session"]), &[0; 12]].concat();
    let exec = [&[98, 0, 0, 0, 0][..], &words(&[b"exec"]), &[1], &words(&[b"id"])].concat();
    vec![
        [&[0][..], &hello].concat(),
        [&[0][..], b"SSH-2.0-x\r\n"].concat(),
        [&[1][..], &[0, 0, 0, 44, 6, 30, 0, 0, 0, 32], &[9; 38]].concat(),
        [&[2][..], &packet(&service), &packet(&none), &packet(&open), &packet(&exec)].concat(),
        [&[2][..], &packet(&open), &packet(&exec), &packet(&[20; 30]), &packet(&[2, 0, 0, 0, 0])].concat(),
        [&[2][..], &packet(&[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]), &packet(&[21])].concat(),
        [&[3][..], &[0, 0, 0, 16], &[7; 32]].concat(),
        [&[3][..], &[255; 40]].concat(),
    ]
}

pub(crate) fn ssh_userauth() -> Vec<Vec<u8>> {
    // The script, then steps of four bytes: what, as whom, showing what, and how.
    let script = [1, 0, 1, 2, 3];
    let with = |steps: &[[u8; 4]]| [&script[..], &steps.concat()].concat();
    vec![
        with(&[[2, 0, 0, 0], [8, 0, 0, 0]]),
        with(&[[0, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 1], [2, 0, 1, 0], [2, 0, 2, 0], [2, 0, 3, 0]]),
        with(&[[4, 0, 0, 0], [5, 0, 0, 0], [5, 0, 0, 0], [5, 0, 0, 1], [5, 0, 0, 0], [8, 0, 0, 0]]),
        with(&[[4, 0, 0, 0], [5, 0, 0, 0], [4, 3, 0, 0], [5, 0, 0, 0], [5, 0, 0, 0], [5, 0, 0, 0]]),
        with(&[[1, 0, 0, 0], [2, 1, 0, 0], [2, 2, 0, 0], [7, 0, 0, 0], [2, 0, 0, 2], [2, 0, 0, 4], [2, 0, 0, 6]]),
        with(&[[2, 0, 0, 64], [9, 0, 0, 21], [9, 0, 0, 98], [3, 0, 0, 0], [2, 0, 0, 0]]),
    ]
}

pub(crate) fn ssh_channels() -> Vec<Vec<u8>> {
    // Steps of five bytes: who, which message, about which channel, what, and how.
    let with = |all: u8, steps: &[[u8; 5]]| [&[all][..], &steps.concat()].concat();
    let open = [0, 0, 0, 0, 255];
    vec![
        // A host that opens what nobody asked for.
        with(0, &[open, [1, 0, 0, 3, 9], [1, 0, 0, 2, 9], [1, 0, 0, 4, 9], [0, 8, 0, 0, 0]]),
        with(
            0,
            &[
                open,
                [0, 10, 0, 0, 1],
                [0, 5, 0, 0, 9],
                [1, 5, 0, 0, 9],
                [1, 8, 0, 0, 0],
                [1, 9, 0, 0, 0],
                [0, 9, 0, 0, 0],
            ],
        ),
        with(
            1,
            &[
                open,
                [0, 10, 0, 2, 1],
                [0, 10, 0, 1, 1],
                [0, 10, 0, 7, 1],
                [0, 10, 0, 8, 1],
                [1, 0, 0, 3, 9],
                [1, 0, 0, 4, 9],
                [0, 2, 0, 0, 9],
            ],
        ),
        with(
            1,
            &[[0, 0, 0, 1, 9], [0, 13, 0, 0, 1], [1, 0, 0, 2, 9], [0, 13, 0, 1, 1], [0, 5, 0, 0, 5], [1, 5, 0, 0, 5]],
        ),
        with(
            0,
            &[[0, 5, 3, 0, 9], [0, 9, 4, 0, 9], [1, 5, 7, 0, 9], [1, 2, 5, 0, 9], [0, 0, 0, 5, 1], [0, 0, 0, 7, 1]],
        ),
        with(
            0,
            &[
                open,
                [0, 10, 0, 4, 1],
                [0, 10, 0, 4, 3],
                [0, 10, 0, 3, 1],
                [0, 10, 0, 3, 3],
                [0, 10, 0, 5, 0],
                [0, 10, 0, 6, 0],
            ],
        ),
        with(
            1,
            &[
                open,
                [0, 10, 0, 0, 1],
                [1, 10, 0, 9, 0],
                [1, 10, 0, 10, 0],
                [1, 4, 0, 0, 255],
                [1, 7, 0, 0, 1],
                [1, 18, 0, 0, 1],
            ],
        ),
    ]
}

/// A session with a program that is told something.
#[cfg(test)]
pub(super) fn session() -> [Vec<Vec<u8>>; 2] {
    let open = [&[90][..], &words(&[b"session"]), &[0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 128, 0]].concat();
    let exec = [&[98, 0, 0, 0, 0][..], &words(&[b"exec"]), &[1], &words(&[b"id"])].concat();
    let data = [&[94, 0, 0, 0, 0][..], &words(&[b"words"])].concat();
    [vec![open, exec, data], Vec::new()]
}
