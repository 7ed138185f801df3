//! Words of the contract into values of the domain, each refusal naming its field.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use wane_api::{Class, Edit, MOST_ON_A_PAGE, Page, SecretText, USUAL_PAGE};
use wane_app::listing::{Cursor, Slice};
use wane_domain::id::TypedId;
use wane_domain::secret::{Secret, SecretOnce};
use wane_domain::text::{Line, Name};
use wane_domain::time::{Span, Time};

use crate::rim::{Answer, Failure};

/// A name, a reason, a ticket, a span: whatever the domain reads from text.
pub(crate) fn text<T: FromStr<Err: Display>>(field: &str, text: &str) -> Answer<T> {
    text.parse().map_err(|e: T::Err| Failure::field(field, e.to_string()))
}

/// As [`text`], where it may be left out.
pub(crate) fn maybe<T: FromStr<Err: Display>>(field: &str, given: Option<&str>) -> Answer<Option<T>> {
    given.map(|given| text(field, given)).transpose()
}

/// How long.
pub(crate) fn duration(field: &str, given: &str) -> Answer<Span> {
    text(field, given)
}

/// An id out of a path or a query. What is no id is not there, so that both look alike.
pub(crate) fn id<T: TypedId>(what: &str, given: &str) -> Answer<T> {
    given.parse().map_err(|_| {
        let shown = given.chars().take(64).collect::<String>();
        Failure::new(Class::Missing, "missing", format!("there is no {what} `{shown}`"))
    })
}

/// A moment.
pub(crate) fn time(given: Timestamp) -> Time {
    Time::from_micros(given.as_microsecond())
}

/// Labels or attributes.
pub(crate) fn facts(field: &str, given: &BTreeMap<String, String>) -> Answer<BTreeMap<Name, Line>> {
    let fact = |(key, value): (&String, &String)| {
        let field = format!("{field}.{}", key.chars().take(64).collect::<String>());
        Ok((text(&field, key)?, text(&field, value)?))
    };
    given.iter().map(fact).collect()
}

/// What an edit does to a field that may be empty; none keeps it.
pub(crate) fn edit<T>(edit: Edit<T>) -> Option<Option<T>> {
    match edit {
        Edit::Keep => None,
        Edit::Clear => Some(None),
        Edit::Set(value) => Some(Some(value)),
    }
}

/// A secret coming in.
pub(crate) fn secret(given: SecretText) -> Secret {
    Secret::new(given.expose().as_bytes().to_vec())
}

/// A secret going out, once.
pub(crate) fn reveal(secret: SecretOnce) -> SecretText {
    SecretText::new(secret.reveal().to_string())
}

/// How many entries a page is to hold.
pub(crate) fn limit(limit: Option<u32>) -> Answer<u32> {
    match limit {
        None => Ok(USUAL_PAGE),
        Some(limit @ 1..=MOST_ON_A_PAGE) => Ok(limit),
        Some(other) => Err(Failure::field("limit", format!("`{other}` is not between 1 and {MOST_ON_A_PAGE}"))),
    }
}

/// Which part of a stored listing.
pub(crate) fn slice(cursor: Option<&str>, given: Option<u32>) -> Answer<Slice> {
    Ok(Slice { after: cursor.map(this_cursor).transpose()?, limit: limit(given)? })
}

fn this_cursor(cursor: &str) -> Answer<Cursor> {
    let plain =
        (1..=128).contains(&cursor.len()) && cursor.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
    if plain {
        Ok(Cursor(cursor.to_owned()))
    } else {
        Err(Failure::field("cursor", "send the `next` of the page before, as it was"))
    }
}

/// A page of a listing that is held whole, in its own order. `key` names an entry for good.
pub(crate) fn page<T>(
    items: Vec<T>,
    cursor: Option<&str>,
    given: Option<u32>,
    key: impl Fn(&T) -> String,
) -> Answer<Page<T>> {
    let limit = usize::try_from(limit(given)?).unwrap_or(usize::MAX);
    let start = match cursor {
        None => 0,
        Some(cursor) => {
            let found = items.iter().position(|item| key(item) == cursor);
            let gone = || {
                Failure::new(
                    Class::Conflict,
                    "cursor-gone",
                    "the listing changed where the page before ended; begin again",
                )
            };
            found.ok_or_else(gone)?.saturating_add(1)
        }
    };
    let more = items.len() > start.saturating_add(limit);
    let items: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let next = if more { items.last().map(&key) } else { None };
    Ok(Page { items, next })
}

#[cfg(test)]
mod tests {
    use wane_domain::id::GrantId;

    use super::*;

    #[test]
    fn pages_cover_a_listing_once() {
        let all: Vec<u32> = (0..10).collect();
        for limit in 1..=12 {
            let (mut seen, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let page = page(all.clone(), cursor.as_deref(), Some(limit), ToString::to_string).unwrap();
                assert!(page.items.len() <= limit as usize);
                seen.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, all, "limit {limit}");
        }
        assert!(page(all, Some("77"), None, ToString::to_string).is_err());
    }

    #[test]
    fn bounds_hold() {
        assert!(limit(Some(0)).is_err() && limit(Some(1001)).is_err() && limit(Some(1000)).is_ok());
        for bad in ["", "a b", "../x", &"x".repeat(129)] {
            assert!(slice(Some(bad), None).is_err(), "{bad:?}");
        }
        assert!(id::<GrantId>("grant", "grt_x").is_err());
        assert!(facts("labels", &BTreeMap::from([("Env".to_owned(), "prod".to_owned())])).is_err());
    }

    #[test]
    fn microseconds_survive() {
        let at: Timestamp = "2026-11-21T09:00:00.000001Z".parse().unwrap();
        assert_eq!(crate::view::at(time(at)), at);
    }
}
