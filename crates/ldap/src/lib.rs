//! LDAP directories, as a client of theirs (RFC 4511, MS-ADTS).
//!
//! Owns: how a server is reached and trusted, that every answer is bounded and read without trust, how an entry
//! is told from another of its name. Refuses to know: what is looked for and why.

mod entry;
mod place;
mod screen;
mod session;
mod tls;

pub use entry::{Entry, EntryId, IDS};
pub use ldap3::Scope;
pub use place::{Place, Tls, Wrong};
pub use session::{Fail, Listening, Notice, Offer, Session, Watched, code};

/// A value as it stands in a filter (RFC 4515): whatever it holds, it is one value.
#[must_use]
pub fn in_filter(value: &str) -> String {
    ldap3::ldap_escape(value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::in_filter;

    #[test]
    fn a_value_stays_one_value() {
        for (value, expected) in [
            ("alice", "alice"),
            ("*", "\\2a"),
            (")(uid=*", "\\29\\28uid=\\2a"),
            ("\0", "\\00"),
            ("\\00", "\\5c00"),
            (" #,+\"<>;= ", " #,+\"<>;= "),
            ("Zoë", "Zoë"),
        ] {
            assert_eq!(in_filter(value), expected, "{value:?}");
        }
    }
}
