//! Text of others among HTML.
//!
//! Owns: how text is written where it could be read as markup, or could move or hide what stands around it. Refuses to
//! know: pages, mails, who reads them.
//!
//! INVARIANT: what comes out is text wherever HTML takes text, and inside attributes that are quoted; nowhere else may it
//! be put (held by `nothing_that_is_put_among_markup_is_markup`).

/// Writes text so that it is text among markup and inside quoted attributes (HTML, section 13.1.2.3). Controls, and
/// what hides or turns round the text beside it, are shown as U+FFFD.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || is_unseen(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// What has no width of its own, or changes the direction of what follows (UAX #9).
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_put_among_markup_is_markup() {
        for (text, written) in [
            ("plain, über 東京", "plain, über 東京"),
            ("<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"),
            ("\" onclick=\"a&b", "&quot; onclick=&quot;a&amp;b"),
            ("&lt;", "&amp;lt;"),
            ("a\u{202e}b\u{200b}c\u{2067}d\u{1b}[2J\n", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}[2J\u{fffd}"),
            ("", ""),
        ] {
            assert_eq!(escaped(text), written);
        }
        // Whatever character it is: never one by which markup begins or a quoted attribute ends.
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let one = escaped(&c.to_string());
            assert!(!one.contains(['<', '>', '"', '\'']), "{c:?}: {one}");
            assert!(one.starts_with('&') == (one.len() > 1 && one.ends_with(';')), "{c:?}: {one}");
        }
    }
}
