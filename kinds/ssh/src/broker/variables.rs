//! Which of a person's variables pass to a host.

/// Variables that only say how to show things, and what `git` needs to say its version.
const VARIABLES: [&str; 5] = ["LANG", "COLORTERM", "NO_COLOR", "TZ", "GIT_PROTOCOL"];
const LONGEST_VALUE: usize = 256;

/// Whether a variable only says how to show things.
pub(super) fn is_harmless(name: &str, value: &str) -> bool {
    let plain = |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.:=/+@".contains(&c));
    let known = VARIABLES.contains(&name) || name.strip_prefix("LC_").is_some_and(|rest| rest.len() < 32);
    known && plain(name) && value.len() <= LONGEST_VALUE && plain(value)
}

#[cfg(test)]
mod tests {
    use super::is_harmless;

    #[test]
    fn variables_that_change_what_runs_do_not_pass() {
        for (name, value, good) in [
            ("LANG", "de_DE.UTF-8", true),
            ("LC_ALL", "C", true),
            ("GIT_PROTOCOL", "version=2", true),
            ("LD_PRELOAD", "/tmp/x.so", false),
            ("PATH", "/tmp", false),
            ("LC_", "C", true),
            ("LC_ALL\0", "C", false),
            ("LANG", "() { :; }; id", false),
            ("LANG", "a\nb", false),
            ("BASH_ENV", "x", false),
            ("lang", "C", false),
        ] {
            assert_eq!(is_harmless(name, value), good, "{name}={value}");
        }
    }
}
