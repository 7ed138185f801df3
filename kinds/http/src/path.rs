//! Paths of requests, and what of them a role names.
//!
//! Owns: reading a path once, refusing whatever another reader could read as another path, and patterns over its
//! segments. A path that was read is passed on byte for byte, so that what was decided about is what arrives.
//!
//! INVARIANT: of a path that is read, decoding it again changes nothing, and no decoded segment has in it what
//! separates segments or leads out of them (held by `a_path_is_read_in_one_way`, fuzz target `http_path`).

use std::fmt;

/// The longest path that is read, in bytes.
pub(crate) const LONGEST: usize = 8 * 1024;
/// Segments of a path.
const MOST: usize = 128;

/// A path, decoded once: its segments between the slashes, the first slash left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

/// Why a path is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ambiguous {
    #[error("the path is longer than 8 KiB or has more than 128 parts")]
    Long,
    #[error("the path does not begin with `/`")]
    Rootless,
    #[error("the path has an empty part (`//`)")]
    Empty,
    #[error("the path has `.` or `..` for a part")]
    Dots,
    #[error("the path has a character that servers read in different ways")]
    Character,
    #[error("the path is not UTF-8, encoded once")]
    Encoding,
}

impl Path {
    /// Reads the path of a request, without its query.
    pub(crate) fn read(raw: &str) -> Result<Self, Ambiguous> {
        if raw.len() > LONGEST {
            return Err(Ambiguous::Long);
        }
        let rest = raw.strip_prefix('/').ok_or(Ambiguous::Rootless)?;
        let mut segments = Vec::new();
        let mut parts = rest.split('/').peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            if part.is_empty() && !last {
                return Err(Ambiguous::Empty);
            }
            let segment = decoded(part)?;
            // With blanks around them some readers take them for what they stand around.
            if matches!(segment.trim(), "." | "..") {
                return Err(Ambiguous::Dots);
            }
            segments.push(segment);
            if segments.len() > MOST {
                return Err(Ambiguous::Long);
            }
        }
        Ok(Self(segments))
    }

    /// Its segments; the last is empty where the path ends with a slash.
    pub(crate) fn segments(&self) -> &[String] {
        &self.0
    }
}

/// One segment, decoded once.
fn decoded(part: &str) -> Result<String, Ambiguous> {
    let mut bytes = part.bytes();
    let mut out = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let hex = |digit: Option<u8>| digit.and_then(|d| char::from(d).to_digit(16));
                let (high, low) = (hex(bytes.next()), hex(bytes.next()));
                let (Some(high), Some(low)) = (high, low) else { return Err(Ambiguous::Encoding) };
                u8::try_from(high * 16 + low).map_err(|_| Ambiguous::Encoding)?
            }
            plain if is_plain(plain) => plain,
            _ => return Err(Ambiguous::Character),
        };
        if matches!(byte, b'/' | b'\\' | b';' | b'%' | b'?' | b'#') || byte.is_ascii_control() {
            return Err(Ambiguous::Character);
        }
        out.push(byte);
    }
    String::from_utf8(out).map_err(|_| Ambiguous::Encoding)
}

/// What may stand in a path as it is (`pchar` of RFC 3986 but for `;`), and what browsers send besides.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@[]|^".contains(&byte)
}

/// A pattern over paths: segments, `*` for any one, `**` at the end for any that follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Exactly(String),
    Any,
}

impl Pattern {
    /// Reads what people write: `/api/*/runs/**`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let wrong = |why: &dyn fmt::Display| format!("`{}` is no pattern: {why}", short(text));
        let (head, open) = match text.strip_suffix("/**") {
            Some(head) => (head, true),
            None => (text, false),
        };
        if head.is_empty() && open {
            return Ok(Self { parts: Vec::new(), open });
        }
        if text.bytes().any(|b| b == b'?' || b == b'#') {
            return Err(wrong(&"a pattern is about the path alone, without a query"));
        }
        // A part that is nothing but a star is any one; a star elsewhere would be read as itself, which nobody means.
        let path = Path::read(head).map_err(|why| wrong(&why))?;
        let parts = path.0.into_iter().map(|segment| match segment.as_str() {
            "*" => Ok(Part::Any),
            s if s.contains('*') => {
                Err(wrong(&"`*` stands for one whole part, and `**` for all that follow, at the end"))
            }
            _ => Ok(Part::Exactly(segment)),
        });
        Ok(Self { parts: parts.collect::<Result<_, _>>()?, open })
    }

    /// Whether a path is named by it. `/a/**` names `/a` and all that is below.
    pub(crate) fn names(&self, path: &Path) -> bool {
        let segments = path.segments();
        let fits = if self.open { segments.len() >= self.parts.len() } else { segments.len() == self.parts.len() };
        fits && self.parts.iter().zip(segments).all(|(part, segment)| match part {
            Part::Exactly(text) => text == segment,
            Part::Any => !segment.is_empty(),
        })
    }

    /// Whether it names nothing that `wide` does not.
    pub(crate) fn is_within(&self, wide: &Self) -> bool {
        let long_enough = self.parts.len() >= wide.parts.len();
        let closed = wide.open || (!self.open && self.parts.len() == wide.parts.len());
        long_enough
            && closed
            && wide.parts.iter().zip(&self.parts).all(|(wide, narrow)| match (wide, narrow) {
                (Part::Any, Part::Exactly(text)) => !text.is_empty(),
                (Part::Any, Part::Any) => true,
                (Part::Exactly(wide), Part::Exactly(narrow)) => wide == narrow,
                (Part::Exactly(_), Part::Any) => false,
            })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Exactly(text) => write!(f, "/{}", encoded(text))?,
                Part::Any => f.write_str("/*")?,
            }
        }
        if self.open { f.write_str("/**") } else { Ok(()) }
    }
}

/// A segment as it is written in a pattern.
fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_read_in_one_way() {
        for (raw, read) in [
            ("/", Ok(vec![""])),
            ("/a/b", Ok(vec!["a", "b"])),
            ("/a/b/", Ok(vec!["a", "b", ""])),
            ("/a%20b/%C3%BC", Ok(vec!["a b", "ü"])),
            ("/A/a", Ok(vec!["A", "a"])),
            ("a", Err(Ambiguous::Rootless)),
            ("*", Err(Ambiguous::Rootless)),
            ("//a", Err(Ambiguous::Empty)),
            ("/a//b", Err(Ambiguous::Empty)),
            ("/a/./b", Err(Ambiguous::Dots)),
            ("/a/../b", Err(Ambiguous::Dots)),
            ("/a/%2e%2e/b", Err(Ambiguous::Dots)),
            ("/a/.%2E/b", Err(Ambiguous::Dots)),
            ("/a/%20..%20/b", Err(Ambiguous::Dots)),
            ("/a%2fb", Err(Ambiguous::Character)),
            ("/a%5Cb", Err(Ambiguous::Character)),
            ("/a\\b", Err(Ambiguous::Character)),
            ("/a;x=1/b", Err(Ambiguous::Character)),
            ("/a%3bx/b", Err(Ambiguous::Character)),
            ("/a%252e", Err(Ambiguous::Character)),
            ("/a%00", Err(Ambiguous::Character)),
            ("/a%0d%0a", Err(Ambiguous::Character)),
            ("/a%3f", Err(Ambiguous::Character)),
            ("/a%23", Err(Ambiguous::Character)),
            ("/a#b", Err(Ambiguous::Character)),
            ("/a b", Err(Ambiguous::Character)),
            ("/ü", Err(Ambiguous::Character)),
            ("/a%", Err(Ambiguous::Encoding)),
            ("/a%4", Err(Ambiguous::Encoding)),
            ("/a%zz", Err(Ambiguous::Encoding)),
            ("/%ff", Err(Ambiguous::Encoding)),
            ("/%c0%ae", Err(Ambiguous::Encoding)),
        ] {
            let path = Path::read(raw).map(|path| path.0);
            assert_eq!(path, read.map(|parts| parts.into_iter().map(str::to_owned).collect()), "{raw}");
        }
        assert_eq!(Path::read(&"/a".repeat(129)), Err(Ambiguous::Long));
        assert_eq!(Path::read(&format!("/{}", "a".repeat(LONGEST))), Err(Ambiguous::Long));
    }

    #[test]
    fn a_pattern_names_what_it_says() {
        for (pattern, path, named) in [
            ("/", "/", true),
            ("/", "/a", false),
            ("/**", "/", true),
            ("/**", "/a/b", true),
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("/a/", "/a/", true),
            ("/a", "/A", false),
            ("/a/**", "/a", true),
            ("/a/**", "/a/", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/ab", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/", false),
            ("/a/*", "/a/b/c", false),
            ("/a/*/c", "/a/b/c", true),
            ("/a%20b", "/a%20b", true),
            ("/ab", "/%61b", true),
        ] {
            let read = Pattern::read(pattern).unwrap();
            assert_eq!(read.names(&Path::read(path).unwrap()), named, "{pattern} {path}");
            assert_eq!(Pattern::read(&read.to_string()).unwrap(), read, "{pattern}");
        }
        for (bad, word) in [
            ("", "begin"),
            ("a", "begin"),
            ("/a*", "whole part"),
            ("/**/a", "whole part"),
            ("/a?b", "query"),
            ("/a/../b", ".."),
        ] {
            let error = Pattern::read(bad).unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn what_is_narrower_names_no_more() {
        for (narrow, wide, within) in [
            ("/a", "/**", true),
            ("/**", "/a", false),
            ("/a/b", "/a/*", true),
            ("/a/", "/a/*", false),
            ("/a/*", "/a/b", false),
            ("/a/*", "/a/**", true),
            ("/a/**", "/a/*", false),
            ("/a/**", "/a/**", true),
            ("/ab/**", "/a/**", false),
            ("/a/b/**", "/*/**", true),
        ] {
            let (narrow, wide) = (Pattern::read(narrow).unwrap(), Pattern::read(wide).unwrap());
            assert_eq!(narrow.is_within(&wide), within, "{narrow} {wide}");
        }
    }

    fn pattern() -> impl Strategy<Value = String> {
        (prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("*")], 1..4), any::<bool>())
            .prop_map(|(parts, open)| format!("/{}{}", parts.join("/"), if open { "/**" } else { "" }))
    }

    proptest! {
        #[test]
        fn within_is_about_every_path(narrow in pattern(), wide in pattern(), parts in prop::collection::vec("[ab]?", 1..5)) {
            let (narrow, wide) = (Pattern::read(&narrow).unwrap(), Pattern::read(&wide).unwrap());
            if let Ok(path) = Path::read(&format!("/{}", parts.join("/"))) {
                prop_assert!(!narrow.is_within(&wide) || !narrow.names(&path) || wide.names(&path));
            }
        }
    }
}
