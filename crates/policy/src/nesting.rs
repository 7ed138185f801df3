//! How deep a text goes, looked at before anybody reads it who recurses: a parser that runs out of its stack takes
//! the whole process with it.
//!
//! Knows strings, comments and brackets, and nothing else of the language: what it lets pass may still be nonsense.

/// Brackets within brackets.
const MOST_DEEP: usize = 50;
/// Operators and conditions in one policy: each is one more around what stands before it, or behind.
const MOST_STEPS: usize = 400;

/// Where a text goes too deep, as an offset in bytes.
pub(crate) fn too_deep(text: &str) -> Option<usize> {
    let (mut deep, mut steps) = (0_usize, 0_usize);
    let mut bytes = text.bytes().enumerate().peekable();
    let mut before = b' ';
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                // To its end; what stands behind a backslash ends nothing.
                while let Some((_, byte)) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'/' if bytes.peek().is_some_and(|(_, next)| *next == b'/') => {
                // The reader of policies takes either for the end of a line.
                while bytes.next_if(|(_, byte)| !matches!(byte, b'\n' | b'\r')).is_some() {}
            }
            b'(' => deep = deep.saturating_add(1),
            // An index is one more around what stands before it, a condition around those behind.
            b'[' | b'{' => {
                deep = deep.saturating_add(1);
                steps = steps.saturating_add(1);
            }
            b')' | b']' | b'}' => deep = deep.saturating_sub(1),
            b'.' | b'!' | b'-' | b'+' | b'*' => steps = steps.saturating_add(1),
            b'&' | b'|' if before == byte => steps = steps.saturating_add(1),
            // `if`, which holds three others.
            b'f' if before == b'i' => steps = steps.saturating_add(1),
            b';' => steps = 0,
            _ => {}
        }
        if deep > MOST_DEEP || steps > MOST_STEPS {
            return Some(at);
        }
        before = byte;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps that one policy may take are counted for each by itself, and in no string or comment.
    #[test]
    fn what_goes_too_deep_is_found_before_it_is_read() {
        let many = |part: &str, times: usize| part.repeat(times);
        for part in ["(", "[", "{a:", "!", "-", "if true then ", ".a", " && true", " || x", "[\"a\"]", " + 1"] {
            let text = format!("permit (principal, action, resource) when {{ x{}", many(part, 100_000));
            assert!(too_deep(&text).is_some_and(|at| at < 10_000), "{part}");
        }
        let quoted = format!("@a(\"{}\\\"{}\") // {}\n permit;", many("(", 500), many("[", 500), many("!", 500));
        assert_eq!(too_deep(&quoted), None);
        assert_eq!(too_deep(&many("permit (principal, action, resource) when { a.b && !c[\"d\"] };", 10_000)), None);
        assert_eq!(too_deep(&format!("x in [{}]", many("User::\"a\", ", 10_000))), None, "a long list is not deep");
        assert_eq!(too_deep(&format!("{}{}", many("(", MOST_DEEP), many(")", MOST_DEEP))), None);
    }

    /// Said is where it is: within the first part that is one too many.
    #[test]
    fn a_text_goes_as_deep_as_it_may_and_not_one_further() {
        for (part, most) in [
            ("(", MOST_DEEP),
            ("{", MOST_DEEP),
            ("[", MOST_DEEP),
            ("[a]", MOST_STEPS),
            (" when { a }", MOST_STEPS),
            (".a", MOST_STEPS),
            ("!", MOST_STEPS),
            ("-", MOST_STEPS),
            (" + a", MOST_STEPS),
            (" * a", MOST_STEPS),
            (" && a", MOST_STEPS),
            (" || a", MOST_STEPS),
            ("if a then a else ", MOST_STEPS),
        ] {
            assert_eq!(too_deep(&part.repeat(most)), None, "{part}");
            let found = too_deep(&part.repeat(most + 1)).map(|at| at / part.len());
            assert_eq!(found, Some(most), "{part}");
        }
        assert_eq!(too_deep(&"()".repeat(MOST_STEPS + 1)), None, "what is closed is not deep");
        let policy = format!("{};", "!".repeat(MOST_STEPS));
        assert_eq!(too_deep(&policy.repeat(2)), None, "each policy has its own steps");
    }

    #[test]
    fn strings_and_comments_are_passed_over_to_their_ends_and_no_further() {
        let deep = "(".repeat(MOST_DEEP + 1);
        for (before, hides) in [
            ("", false),
            ("\"", true),
            ("\"a\"", false),
            ("\"\\\"", true),
            ("\"\\\\\"", false),
            ("\"\\\\\\\"", true),
            ("\"//\"", false),
            ("\"\n", true),
            ("//", true),
            ("// a ", true),
            ("// \"\n", false),
            ("///\n", false),
            ("// a\r\n", false),
            ("// a\r", false),
            ("/", false),
            ("a / ", false),
            ("/ /", false),
        ] {
            assert_eq!(too_deep(&format!("{before}{deep}")).is_none(), hides, "{before}");
        }
    }

    #[test]
    fn a_letter_or_half_an_operator_is_no_step() {
        for (part, counts) in [
            ("if ", true),
            // In doubt it is one.
            ("notify ", true),
            ("i f ", false),
            ("fi ", false),
            ("of ", false),
            ("in ", false),
            ("a & ", false),
            ("a | ", false),
            ("&|", false),
            ("a / ", false),
        ] {
            assert_eq!(too_deep(&part.repeat(MOST_STEPS + 1)).is_some(), counts, "{part}");
        }
    }
}
