//! What was probably meant.

use crate::key::KEYS;

/// The key nearest to a name that is none, if any is near.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let last = |full: &str| full.rsplit('.').next().unwrap_or_default().to_owned();
    let near = KEYS.iter().map(|k| {
        // A key in the wrong section is near as well.
        let whole = distance(name, k.name);
        let by_last_word = distance(&last(name), &last(k.name)) + 1;
        (whole.min(by_last_word), whole, k.name)
    });
    let (best, _, key) = near.min()?;
    (best <= 3).then_some(key)
}

/// Levenshtein distance, by characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, swap), drop) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let add = next.last().copied().unwrap_or(i + 1) + 1;
            next.push((swap + usize::from(x != *y)).min(drop + 1).min(add));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, want) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("listen", "listne", 2),
            ("same", "same", 0),
        ] {
            assert_eq!(distance(a, b), want, "{a} {b}");
            assert_eq!(distance(b, a), want, "{b} {a}");
        }
    }

    #[test]
    fn suggestions() {
        for (name, want) in [
            ("server.listne", Some("server.listen")),
            ("server.data-dir", Some("server.data_dir")),
            ("log.fromat", Some("log.format")),
            ("data_dir", Some("server.data_dir")),
            ("engine.session_idle", Some("login.session_idle")),
            ("colour.of.the.bike.shed", None),
        ] {
            assert_eq!(nearest(name), want, "{name}");
        }
    }
}
