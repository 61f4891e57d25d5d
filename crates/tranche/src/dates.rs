//! Dates as people write them, in UTC.

use anyhow::{Context as _, Result};
use tranche_model::time::Timestamp;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// The years that files of candles may be of.
const YEARS: std::ops::RangeInclusive<i64> = 2000..=2099;

/// `2025-01-01` or `2025-01-01T12:00`; `what` is the flag's name.
pub(crate) fn moment(what: &str, text: &str) -> Result<Timestamp> {
    read(text.trim()).with_context(|| {
        format!(
            "{what}: `{text}` is no moment from 2000 to 2099; write 2025-01-01 or 2025-01-01T12:00, \
             in UTC"
        )
    })
}

fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let day = number(parts.next()?, 2)?;
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    let is_whole = parts.next().is_none() && YEARS.contains(&year) && hour < 24 && minute < 60;
    if !is_whole || !(1..=days_in(year, month)?).contains(&day) {
        return None;
    }
    let days = days_before(year) + (1..month).filter_map(|it| days_in(year, it)).sum::<i64>() + day;
    let minutes = hour * 60 + minute;
    Some(Timestamp::from_ms((days - 1) * DAY_MS + minutes * MINUTE_MS))
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if is_leap(year) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

/// From 1970-01-01 to the first day of the year.
fn days_before(year: i64) -> i64 {
    (1970..year).map(|it| if is_leap(it) { 366 } else { 365 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_shown() {
        for text in ["2000-01-01", "2018-02-06T08:40", "2024-02-29", "2025-12-31T23:59Z"] {
            let shown = moment("from", text).unwrap().to_string();
            assert!(shown.starts_with(text.trim_end_matches('Z')), "{text}: {shown}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in
            ["", "2025", "2025-1-1", "2025-02-29", "2025-13-01", "2025-01-00", "1999-12-31", "T"]
        {
            assert!(moment("from", text).is_err(), "{text}");
        }
        let error = moment("to", "2025-01-01T24:00").unwrap_err().to_string();
        assert!(error.starts_with("to: `2025-01-01T24:00` is no moment"), "{error}");
    }
}
