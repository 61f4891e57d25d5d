//! Longer candles out of shorter ones.

use tranche_model::{
    candle::Candle,
    decimal::MathError,
    time::{Millis, Timestamp},
};

use crate::candles::{CandleFile, Gap};

/// Why candles cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResampleError {
    #[error("{to} is not a whole number of {from}, the length of these candles")]
    NotAMultiple { from: Millis, to: Millis },
    #[error("no whole candle of {to} is in the range")]
    TooShort { to: Millis },
    #[error(transparent)]
    Volume(#[from] MathError),
}

/// Puts candles together to such of length `to`, which begin at whole multiples of it in UTC. The first
/// and the last are left out when the range cuts them. Where candles were missing, those that are there
/// make the longer one; where none is there, there is a gap again.
pub fn resample(file: &CandleFile, to: Millis) -> Result<CandleFile, ResampleError> {
    let from = file.interval;
    if from == Millis::ZERO || !to.ms().is_multiple_of(from.ms()) || to < from {
        return Err(ResampleError::NotAMultiple { from, to });
    }
    let length = i64::from(to.ms());
    let begin = |at: Timestamp| at.ms().div_euclid(length).saturating_mul(length);
    let ends = file.candles.first().zip(file.candles.last());
    let (first, last) = ends.ok_or(ResampleError::TooShort { to })?;
    let whole_from = if begin(first.open_at) == first.open_at.ms() {
        first.open_at.ms()
    } else {
        begin(first.open_at).saturating_add(length)
    };
    let whole_to = begin(last.open_at.plus(from));
    let mut candles: Vec<Candle> = Vec::new();
    for candle in &file.candles {
        let at = begin(candle.open_at);
        if at < whole_from || whole_to <= at {
            continue;
        }
        match candles.last_mut().filter(|open| open.open_at.ms() == at) {
            Some(open) => {
                open.high = open.high.max(candle.high);
                open.low = open.low.min(candle.low);
                open.close = candle.close;
                open.volume = open.volume.plus(candle.volume)?;
            }
            None => candles.push(Candle { open_at: Timestamp::from_ms(at), ..*candle }),
        }
    }
    if candles.is_empty() {
        return Err(ResampleError::TooShort { to });
    }
    let gaps = gaps(&candles, to);
    Ok(CandleFile { source: file.source.clone(), interval: to, candles, gaps })
}

/// The gaps between candles that stand on the grid of `interval`.
pub(crate) fn gaps(candles: &[Candle], interval: Millis) -> Vec<Gap> {
    let pairs = candles.windows(2).filter_map(|pair| {
        let [before, next] = pair else { return None };
        gap(before.open_at, next.open_at, interval)
    });
    pairs.collect()
}

/// What is missing between two candles.
pub(crate) fn gap(before: Timestamp, next: Timestamp, interval: Millis) -> Option<Gap> {
    let from = before.plus(interval);
    let missing = next.ms().saturating_sub(from.ms()).checked_div(i64::from(interval.ms()))?;
    let missing = u64::try_from(missing).ok().filter(|missing| 0 < *missing)?;
    Some(Gap { from, to: next, missing })
}

#[cfg(test)]
mod tests {
    use tranche_model::money::{Price, Qty};

    use super::*;
    use crate::source::Source;

    const MINUTE: i64 = 60_000;

    fn minute(number: i64, low: i64, high: i64) -> Candle {
        let price = |value: i64| Price::new(value.into());
        Candle {
            open_at: Timestamp::from_ms(1_600_000_200_000 + number * MINUTE),
            open: price(low + 1),
            high: price(high),
            low: price(low),
            close: price(high - 1),
            volume: Qty::new(2.into()),
        }
    }

    fn file(candles: Vec<Candle>) -> CandleFile {
        let interval = Millis::from_secs(60);
        let gaps = gaps(&candles, interval);
        let source = Source::Recorded { file: "x".to_owned() };
        CandleFile { source, interval, candles, gaps }
    }

    #[test]
    fn five_minutes_are_their_extremes_first_and_last() {
        let minutes = (0..5).map(|number| minute(number, 10 + number, 20 - number));

        let five = resample(&file(minutes.collect()), Millis::from_secs(300)).unwrap();

        let want = Candle {
            open: Price::new(11.into()),
            high: Price::new(20.into()),
            low: Price::new(10.into()),
            close: Price::new(15.into()),
            volume: Qty::new(10.into()),
            ..minute(0, 1, 9)
        };
        assert_eq!(five.candles, [want]);
    }

    #[test]
    fn cut_candles_at_the_ends_are_left_out_and_gaps_stay() {
        let numbers = (-2..7).chain(20..26);
        let minutes: Vec<Candle> = numbers.map(|number| minute(number, 10, 20)).collect();

        let five = resample(&file(minutes), Millis::from_secs(300)).unwrap();

        let starts: Vec<i64> = five.candles.iter().map(|it| it.open_at.ms()).collect();
        let of = |number: i64| 1_600_000_200_000 + number * MINUTE;
        assert_eq!(starts, [of(0), of(5), of(20)]);
        assert_eq!(five.gaps.iter().map(|gap| gap.missing).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn odd_lengths_are_refused() {
        let minutes = file(vec![minute(0, 10, 20)]);

        assert!(resample(&minutes, Millis::from_secs(90)).is_err());
        assert!(resample(&minutes, Millis::from_secs(30)).is_err());
        assert!(resample(&minutes, Millis::from_secs(300)).is_err());
    }
}
