//! Points in time and spans between them, in microseconds, UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z. Shown as RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

/// A length of time in microseconds, never negative. Shown as `1h30m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(u64);

impl Time {
    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    /// This moment plus a span; the far end of time if that overflows.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
    /// This moment less a span.
    #[must_use]
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// From microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }
    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }
    /// From whole minutes.
    #[must_use]
    pub const fn from_mins(mins: u64) -> Self {
        Self::from_secs(mins.saturating_mul(60))
    }
    /// From whole hours.
    #[must_use]
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_mins(hours.saturating_mul(60))
    }
    /// Microseconds.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }
    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000
    }
    /// The same span for the standard library.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => fmt::Display::fmt(&at, f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no moment or span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("`{0}` is not a date and time; write RFC 3339, for instance `2026-11-21T09:00:00Z`")]
    NotATime(String),
    /// Not a duration.
    #[error("`{0}` is not a duration; write whole units from days down, for instance `2h`, `90m` or `1d 12h`")]
    NotASpan(String),
    /// Zero or negative.
    #[error("`{0}` is not longer than zero")]
    NotPositive(String),
}

impl FromStr for Time {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let at: jiff::Timestamp = text.parse().map_err(|_| TimeError::NotATime(text.chars().take(64).collect()))?;
        let micros = at.as_microsecond();
        // The last moments of the year 9999 are read and cannot be shown again.
        match jiff::Timestamp::from_microsecond(micros) {
            Ok(_) => Ok(Self(micros)),
            Err(_) => Err(TimeError::NotATime(text.chars().take(64).collect())),
        }
    }
}

impl FromStr for Span {
    type Err = TimeError;
    /// Reads `2h`, `90m`, `1d 12h` (a day is 24 hours) and ISO 8601 `PT2H`.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let shown = || text.chars().take(64).collect::<String>();
        let span: jiff::Span = text.parse().map_err(|_| TimeError::NotASpan(shown()))?;
        let total =
            span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| TimeError::NotASpan(shown()))?;
        match u64::try_from(total.as_micros()) {
            Ok(micros) if micros > 0 => Ok(Self(micros)),
            _ => Err(TimeError::NotPositive(shown())),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.secs();
        let parts = [(secs / 86_400, "d"), (secs / 3_600 % 24, "h"), (secs / 60 % 60, "m"), (secs % 60, "s")];
        let mut shown = false;
        for (n, unit) in parts {
            if n > 0 {
                write!(f, "{n}{unit}")?;
                shown = true;
            }
        }
        if shown { Ok(()) } else { write!(f, "{}ms", self.0 / 1_000) }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_show() {
        for (text, micros, shown) in [
            ("2h", 7_200_000_000, "2h"),
            ("90m", 5_400_000_000, "1h30m"),
            ("1d 12h", 129_600_000_000, "1d12h"),
            ("PT2M", 120_000_000, "2m"),
            ("45s", 45_000_000, "45s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.micros(), span.to_string().as_str()), (micros, shown), "{text}");
        }
        for bad in ["", "0s", "-1h", "h", "1 fortnight", "1mo"] {
            assert!(bad.parse::<Span>().is_err(), "{bad} was taken for a span");
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        let at: Time = "2026-11-21T09:00:00Z".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-21T09:00:00Z");
        assert_eq!("2026-11-21T10:00:00+01:00".parse::<Time>().unwrap(), at);
        assert!("tomorrow".parse::<Time>().is_err());
        assert!("9999-12-30T22:00:00.999999999Z".parse::<Time>().is_err(), "it could not be shown");
    }
}
