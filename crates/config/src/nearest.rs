//! What was probably meant.

use strsim::levenshtein;

use crate::key::KEYS;

/// The key nearest to a name that is none, if any is near.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let last = |full: &str| full.rsplit('.').next().unwrap_or_default().to_owned();
    let near = KEYS.iter().map(|k| {
        // A key in the wrong section is near as well.
        let whole = levenshtein(name, k.name);
        let by_last_word = levenshtein(&last(name), &last(k.name)) + 1;
        (whole.min(by_last_word), whole, k.name)
    });
    let (best, _, key) = near.min()?;
    (best <= 3).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

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
