//! Text from elsewhere made safe to show: a name or a reason never moves the cursor, sets a title,
//! writes the clipboard or reverses what is read.

use std::fmt::Write as _;

/// Whether a character shows as something other than itself: controls (C0, DEL, C1), marks that turn
/// the direction of reading, and characters without any width.
pub(crate) const fn hides(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if !hides(c) || keep(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    shown
}

/// One line: what cannot be seen is spelt out.
///
/// INVARIANT: nothing that reaches a terminal holds a control but the line breaks and colours we
/// put there, and what is played again of another terminal (held by `nothing_shown_moves_a_terminal`).
pub(crate) fn line(text: &str) -> String {
    escape(text, |_| false)
}

/// Several lines: as [`line()`], but line breaks and tabs stay.
pub(crate) fn block(text: &str) -> String {
    escape(text, |c| matches!(c, '\n' | '\t'))
}

/// JSON whose text holds nothing that moves a terminal, of the same meaning: such characters can only
/// stand inside strings, where JSON has its own escape for them.
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hides(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_is_spelt_out() {
        for (given, shown) in [
            ("plain", "plain"),
            ("Zoë 名前 🙂", "Zoë 名前 🙂"),
            ("\u{1b}]52;c;aGk=\u{7}", "\\u{1b}]52;c;aGk=\\u{7}"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("two\nlines\r\t", "two\\nlines\\r\\t"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ] {
            assert_eq!(line(given), shown, "{given:?}");
        }
        assert_eq!(block("a\n\tb\u{1b}c\r"), "a\n\tb\\u{1b}c\\r");
    }

    /// Text of any characters, half of them such that do not show: `any::<String>()` has no controls.
    fn hostile() -> impl Strategy<Value = String> {
        let hidden: Vec<char> = ('\0'..=char::MAX).filter(|c| hides(*c)).collect();
        let mixed = prop_oneof![any::<char>(), proptest::sample::select(hidden)];
        proptest::collection::vec(mixed, 0..64).prop_map(|text| text.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_shown_moves_a_terminal(text in hostile()) {
            prop_assert!(!line(&text).chars().any(hides));
            prop_assert!(!block(&text).chars().any(|c| hides(c) && c != '\n' && c != '\t'));
        }

        #[test]
        fn json_keeps_its_meaning(text in hostile()) {
            let value = serde_json::json!({ &text: [&text, "\u{9b}\u{e0041}\u{202e}"] });
            let shown = json(&serde_json::to_string_pretty(&value).unwrap());
            prop_assert!(!shown.chars().any(|c| hides(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
