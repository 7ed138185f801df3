//! Text of people, made so that in a notice it is nothing but text.
//!
//! INVARIANT: what comes out is one line, shows in the order it is written, and holds nothing that a mail program
//! makes a link of (held by `what_people_wrote_is_text_and_nothing_else`).

/// The longest piece of people's text in a notice, in characters.
const LONGEST: usize = 300;

/// One line: without control characters, without what hides or reorders, of a bounded length.
#[must_use]
pub fn line(text: &str) -> String {
    let shown: String = text.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c }).collect();
    let shown: String = shown.chars().filter(|c| !is_unseen(*c)).collect();
    let words: Vec<&str> = shown.split_whitespace().collect();
    let whole = words.join(" ");
    match whole.char_indices().nth(LONGEST) {
        None => whole,
        Some((at, _)) => format!("{}…", whole.get(..at).unwrap_or_default()),
    }
}

/// As [`line`], and whatever reads like an address does not lead anywhere: `example[.]org`.
#[must_use]
pub fn quoted(text: &str) -> String {
    let text = line(text);
    let all: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, c) in all.iter().copied().enumerate() {
        let before = at.checked_sub(1).and_then(|before| all.get(before)).copied().unwrap_or(' ');
        let after = all.get(at + 1).copied().unwrap_or(' ');
        match c {
            // A dot inside a word, unless it stands in a number.
            '.' | '。' | '．' | '｡' if before.is_alphanumeric() && after.is_alphabetic() => out.push_str("[.]"),
            '.' if before.is_alphabetic() && after.is_alphanumeric() => out.push_str("[.]"),
            '@' if !before.is_whitespace() && !after.is_whitespace() => out.push_str("[@]"),
            // `scheme:` of any sort, and `//host`.
            ':' if before.is_alphanumeric() && !after.is_whitespace() && !after.is_ascii_digit() => out.push_str("[:]"),
            '/' if after == '/' => out.push_str("/ "),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character shows nothing by itself and changes how others show.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
