//! Times as others write them: numbers in four units, and dates with or without a zone.

use std::fmt;

use crate::fault::{Fault, shown};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// A day has at most 14 hours more or less than in London.
const OFFSET_MINUTES_MAX: i64 = 14 * 60;

/// How far clocks are ahead of UTC, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zone(i64);

impl Zone {
    /// `UTC`, `Z`, `+02:00` or `-0330`.
    pub fn parse(text: &str) -> Option<Self> {
        if matches!(text, "UTC" | "utc" | "Z" | "GMT") {
            return Some(Self(0));
        }
        let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, rest),
            (None, Some(rest)) => (-1, rest),
            (None, None) => return None,
        };
        let digits: String = rest.chars().filter(|letter| *letter != ':').collect();
        let (hours, minutes) = match digits.len() {
            2 => (whole(&digits)?, 0),
            4 => {
                let (hours, minutes) = digits.split_at_checked(2)?;
                (whole(hours)?, whole(minutes)?)
            }
            _ => return None,
        };
        let offset = hours * 60 + minutes;
        (minutes < 60 && offset <= OFFSET_MINUTES_MAX).then_some(Self(sign * offset))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, minutes) = if self.0 < 0 { ('-', -self.0) } else { ('+', self.0) };
        match minutes {
            0 => write!(f, "UTC"),
            _ => write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60),
        }
    }
}

/// How a file writes its times. The first one decides; another form later is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// So many of them are a millisecond; zero stands for seconds.
    Number {
        per_ms: i64,
    },
    Text {
        zone: Option<Zone>,
    },
}

/// The times of one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    /// Of times that name none.
    zone: Zone,
    form: Option<Form>,
}

impl Moments {
    pub(super) const fn new(zone: Zone) -> Self {
        Self { zone, form: None }
    }

    /// For people, once a row was read.
    pub(super) fn form(&self) -> Option<String> {
        Some(match self.form? {
            Form::Text { zone: None } => format!("without a zone, read as {}", self.zone),
            form @ (Form::Number { .. } | Form::Text { zone: Some(_) }) => form.to_string(),
        })
    }

    /// Milliseconds since 1970.
    pub(super) fn read(&mut self, field: &'static str, text: &str) -> Result<i64, Fault> {
        let bad = || Fault::NotATime { field, value: shown(text.as_bytes()) };
        let (form, value) = match text.parse::<i64>() {
            Ok(value) => (unit(value), value),
            Err(_) => dated(text).map(|(ms, zone)| (Form::Text { zone }, ms)).ok_or_else(bad)?,
        };
        let was = *self.form.get_or_insert(form);
        if was != form {
            let (was, is) = (was.to_string(), form.to_string());
            return Err(Fault::MixedTimes { field, was, is, value: shown(text.as_bytes()) });
        }
        match form {
            Form::Number { per_ms: 0 } => value.checked_mul(1000).ok_or_else(bad),
            Form::Number { per_ms } if value % per_ms == 0 => Ok(value / per_ms),
            Form::Number { .. } => Err(bad()),
            Form::Text { zone } => Ok(value - zone.unwrap_or(self.zone).0 * MINUTE_MS),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { per_ms: 0 } => write!(f, "seconds since 1970"),
            Self::Number { per_ms: 1 } => write!(f, "milliseconds since 1970"),
            Self::Number { per_ms: 1000 } => write!(f, "microseconds since 1970"),
            Self::Number { .. } => write!(f, "nanoseconds since 1970"),
            Self::Text { zone: Some(zone) } => write!(f, "dates in {zone}"),
            Self::Text { zone: None } => write!(f, "dates without a zone"),
        }
    }
}

/// The unit follows from the size: from 2000 to 2100 they do not overlap.
const fn unit(value: i64) -> Form {
    let per_ms = match value {
        ..10_000_000_000 => 0,
        10_000_000_000..10_000_000_000_000 => 1,
        10_000_000_000_000..10_000_000_000_000_000 => 1000,
        10_000_000_000_000_000.. => 1_000_000,
    };
    Form::Number { per_ms }
}

/// `2024-01-31`, `2024-01-31 12:00[:00[.000]]`, with `T` or a space, and a zone or none. Gives the
/// milliseconds as if in UTC.
fn dated(text: &str) -> Option<(i64, Option<Zone>)> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split(['-', '/']);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let is_date = year.len() == 4 && month.len() == 2 && day.len() == 2 && parts.next().is_none();
    let days = days(whole(year)?, whole(month)?, whole(day)?).filter(|_| is_date)?;
    let (time, zone) = match rest.strip_prefix(['T', ' ']) {
        None if rest.is_empty() => return Some((days.checked_mul(DAY_MS)?, None)),
        None => return None,
        Some(rest) => split_zone(rest)?,
    };
    let mut parts = time.split(':');
    let (hour, minute) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let (second, fraction) = match parts.next() {
        None => (0, ""),
        Some(text) => {
            let (second, fraction) = text.split_once('.').unwrap_or((text, ""));
            (whole(second)?, fraction)
        }
    };
    // Candles open at whole seconds.
    let is_whole = fraction.bytes().all(|byte| byte == b'0') && parts.next().is_none();
    if !is_whole || 24 <= hour || 60 <= minute || 60 <= second {
        return None;
    }
    let ms = ((hour * 60 + minute) * 60 + second) * 1000;
    Some((days.checked_mul(DAY_MS)?.checked_add(ms)?, zone))
}

fn split_zone(text: &str) -> Option<(&str, Option<Zone>)> {
    let start = text.find(|letter: char| !matches!(letter, '0'..='9' | ':' | '.'));
    match start.and_then(|start| text.split_at_checked(start)) {
        None => Some((text, None)),
        Some((time, zone)) => Zone::parse(zone.trim()).map(|zone| (time, Some(zone))),
    }
}

fn whole(text: &str) -> Option<i64> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits && text.len() <= 4)
}

/// The day number since 1970-01-01, by Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if 2 < month { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<i64> {
        Moments::new(Zone::default()).read("time", text).ok()
    }

    #[test]
    fn the_same_moment_in_many_forms() {
        let noon = Some(1_706_702_400_000);
        for text in [
            "1706702400",
            "1706702400000",
            "1706702400000000",
            "1706702400000000000",
            "2024-01-31 12:00",
            "2024-01-31T12:00:00",
            "2024-01-31T12:00:00.000Z",
            "2024/01/31 12:00:00 UTC",
            "2024-01-31T14:00:00+02:00",
            "2024-01-31T08:30:00-0330",
        ] {
            assert_eq!(read(text), noon, "{text}");
        }
        assert_eq!(read("2024-02-29"), Some(1_709_164_800_000));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "2023-02-29",
            "2024-13-01",
            "2024-01-31T24:00",
            "2024-01-31T12:00:00.5Z",
            "2024-1-3",
            "2024-01-31T12:00 CET",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn one_file_has_one_form() {
        let mut moments = Moments::new(Zone::parse("+01:00").unwrap());
        assert_eq!(moments.read("time", "2024-01-31 13:00"), Ok(1_706_702_400_000));
        assert_eq!(moments.form().unwrap(), "without a zone, read as +01:00");

        let error = moments.read("time", "2024-01-31T13:00:00Z").unwrap_err();

        assert!(matches!(error, Fault::MixedTimes { .. }), "{error}");
        assert!(moments.read("time", "1706702400000").is_err());
    }
}
