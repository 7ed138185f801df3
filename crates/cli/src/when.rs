//! Moments and spans as people read them: how far away, and exactly when.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::exit::Stop;

/// The present moment and the zone people read times in.
#[derive(Clone, Debug)]
pub(crate) struct Now {
    pub(crate) at: Timestamp,
    pub(crate) zone: TimeZone,
}

impl Now {
    /// `in 1h 58m (14:02 UTC)`, `5m ago (13:57 UTC)`.
    pub(crate) fn both(&self, at: Timestamp) -> String {
        format!("{} ({})", self.away(at), self.exact(at))
    }

    /// `in 1h 58m`, `now`, `5m ago`.
    pub(crate) fn away(&self, at: Timestamp) -> String {
        let secs = at.duration_since(self.at).as_secs();
        match secs {
            0 => "now".to_owned(),
            1.. => format!("in {}", span(secs.unsigned_abs())),
            _ => format!("{} ago", span(secs.unsigned_abs())),
        }
    }

    /// `14:02 UTC`; with the day if it is another one, with the year if that is another one.
    pub(crate) fn exact(&self, at: Timestamp) -> String {
        let then = at.to_zoned(self.zone.clone());
        let today = self.at.to_zoned(self.zone.clone());
        let shape = if then.date() == today.date() {
            "%H:%M %Z"
        } else if then.year() == today.year() {
            "%b %-d %H:%M %Z"
        } else {
            "%Y-%m-%d %H:%M %Z"
        };
        then.strftime(shape).to_string()
    }

    /// To the second, for logs.
    pub(crate) fn stamp(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// Reads a moment: `2026-11-21T14:00Z`, `2026-11-21 14:00` and `14:00` here, `+30m` from now.
    pub(crate) fn parse(&self, text: &str) -> Result<Timestamp, Stop> {
        let bad = || {
            Stop::usage(format!("`{text}` is not a moment"))
                .todo("write `+30m`, `14:00`, `2026-11-21 14:00` or `2026-11-21T14:00:00Z`")
        };
        if let Some(span) = text.strip_prefix('+') {
            let span: SignedDuration = span.trim().parse().map_err(|_| bad())?;
            if span.is_negative() {
                return Err(bad());
            }
            return self.at.checked_add(span).map_err(|_| bad());
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(at);
        }
        let here = |civil: jiff::civil::DateTime| -> Result<Zoned, jiff::Error> { civil.to_zoned(self.zone.clone()) };
        // A day and a time would also read as a time alone.
        if let (false, Ok(time)) = (text.contains('-'), text.parse::<jiff::civil::Time>()) {
            let today = self.at.to_zoned(self.zone.clone());
            let then = here(today.date().to_datetime(time)).map_err(|_| bad())?;
            if then.timestamp() >= self.at {
                return Ok(then.timestamp());
            }
            let tomorrow = today.date().tomorrow().map_err(|_| bad())?;
            return Ok(here(tomorrow.to_datetime(time)).map_err(|_| bad())?.timestamp());
        }
        let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| bad())?;
        Ok(here(civil).map_err(|_| bad())?.timestamp())
    }
}

/// The two largest units of a span: `45s`, `5m`, `1h 58m`, `3d 4h`.
pub(crate) fn span(secs: u64) -> String {
    let (d, h, m, s) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60, secs % 60);
    let two = |a: u64, unit: char, b: u64, next: char| {
        if b == 0 { format!("{a}{unit}") } else { format!("{a}{unit} {b}{next}") }
    };
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        // Seconds matter only when little is left.
        (0, 0, m) if m < 5 => two(m, 'm', s, 's'),
        (0, 0, m) => format!("{m}m"),
        (0, h, m) => two(h, 'h', m, 'm'),
        (d, h, _) => two(d, 'd', h, 'h'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Now {
        Now { at: "2026-11-21T12:04:00Z".parse().unwrap(), zone: TimeZone::UTC }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (secs, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (119, "1m 59s"),
            (300, "5m"),
            (359, "5m"),
            (3_600, "1h"),
            (7_080, "1h 58m"),
            (90_000, "1d 1h"),
            (86_400 * 400, "400d"),
        ] {
            assert_eq!(span(secs), text, "{secs}");
        }
    }

    #[test]
    fn a_moment_says_how_far_and_when() {
        for (at, text) in [
            ("2026-11-21T14:02:00Z", "in 1h 58m (14:02 UTC)"),
            ("2026-11-21T12:04:00Z", "now (12:04 UTC)"),
            ("2026-11-21T11:59:00Z", "5m ago (11:59 UTC)"),
            ("2026-11-23T12:04:00Z", "in 2d (Nov 23 12:04 UTC)"),
            ("2027-01-01T00:00:00Z", "in 40d 11h (2027-01-01 00:00 UTC)"),
        ] {
            assert_eq!(now().both(at.parse().unwrap()), text);
        }
        let berlin = Now { zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(), ..now() };
        assert_eq!(berlin.both("2026-11-21T14:02:00Z".parse().unwrap()), "in 1h 58m (15:02 CET)");
    }

    #[test]
    fn a_moment_is_read() {
        for (text, at) in [
            ("2026-11-21T14:00:00Z", "2026-11-21T14:00:00Z"),
            ("2026-11-21T14:00+01:00", "2026-11-21T13:00:00Z"),
            ("2026-11-22 14:00", "2026-11-22T14:00:00Z"),
            ("14:00", "2026-11-21T14:00:00Z"),
            ("12:00", "2026-11-22T12:00:00Z"),
            ("+30m", "2026-11-21T12:34:00Z"),
            ("+1h30m", "2026-11-21T13:34:00Z"),
        ] {
            assert_eq!(now().parse(text).unwrap(), at.parse().unwrap(), "{text}");
        }
        for bad in ["", "soon", "+", "+-5m", "25:00", "30m"] {
            let stop = now().parse(bad).unwrap_err();
            assert_eq!(stop.message, format!("`{bad}` is not a moment"));
            assert_eq!(stop.exit.code(), 2);
        }
    }
}
