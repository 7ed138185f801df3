//! Rust source with what rules must not see taken out. Line numbers stay as they were.

/// The code of a file: comments and inline test modules become blank lines.
pub(super) fn of(text: &str) -> String {
    without_tests(&without_comments(text))
}

/// Blanks the test module at the end of a file. A test module in a file of its own, `mod tests;`,
/// is left: it names nothing.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let begins = code.match_indices(MARK).map(|(at, _)| at).find(|at| {
        let rest = code.get(at + MARK.len()..).unwrap_or_default();
        let item: String = rest.chars().take_while(|c| !matches!(c, '{' | ';')).collect();
        item.trim_start().starts_with("mod ") && rest.chars().nth(item.chars().count()) == Some('{')
    });
    match begins {
        Some(at) => code.get(..at).unwrap_or_default().to_owned(),
        None => code.to_owned(),
    }
}

fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, keep) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (block_comment(rest), false),
            '"' => (quoted(rest), true),
            'r' if raw_string(rest) > 0 && !ends_in_word(&code) => (raw_string(rest), true),
            '\'' => (character(rest), true),
            _ => (first.len_utf8(), true),
        };
        let (taken, left) = rest.split_at(length);
        if keep {
            code.push_str(taken);
        } else {
            code.extend(taken.chars().filter(|c| *c == '\n'));
        }
        rest = left;
    }
    code
}

fn ends_in_word(code: &str) -> bool {
    code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Length of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of the string literal at the start, with both its quotes.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw string literal at the start, or 0 if there is none.
fn raw_string(text: &str) -> usize {
    let hashes = text.chars().skip(1).take_while(|c| *c == '#').count();
    let opening = 1 + hashes;
    if !text.get(opening..).is_some_and(|rest| rest.starts_with('"')) {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    let body = text.get(opening + 1..).unwrap_or_default();
    body.find(&closing).map_or(text.len(), |end| opening + 1 + end + closing.len())
}

/// Length of the character literal at the start; 1 if the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        // The character behind the backslash may itself be a quote.
        Some((_, '\\')) => chars.skip(1).find(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn comments_go_and_everything_that_only_looks_like_one_stays() {
        for (text, expected) in [
            ("a // b\nc", "a \nc"),
            ("a /* b\n/* c */ */ d", "a \n d"),
            (r#"let x = "// no";"#, r#"let x = "// no";"#),
            (r#"let x = "\"// no";"#, r#"let x = "\"// no";"#),
            (r##"r#"/* " no"# // yes"##, r##"r#"/* " no"# "##),
            (r"'\'' // yes", r"'\'' "),
            ("'\"' // yes", "'\"' "),
            ("fn f<'a>(x: &'a str) // yes", "fn f<'a>(x: &'a str) "),
            ("//! only", ""),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn an_inline_test_module_goes_and_a_declared_one_stays() {
        assert_eq!(of("a\n#[cfg(test)]\nmod tests {\n b }"), "a\n");
        let declared = "#[cfg(test)]\nmod tests;\nfn f() {}";
        assert_eq!(of(declared), declared);
        let function = "#[cfg(test)]\nfn f() {}\nfn g() {}";
        assert_eq!(of(function), function);
    }
}
