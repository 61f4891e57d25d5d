//! The way of the price inside a candle.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tranche_model::{
    candle::{Candle, Tick},
    decimal::Rounding,
    ids::InstrumentId,
    money::{Price, Qty},
    time::{Millis, Timestamp},
};

/// In which order a candle touched its extremes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// Falls first.
    OpenLowHighClose,
    OpenHighLowClose,
    /// The extreme nearer to the open first; the low when both are as near.
    #[default]
    Nearest,
    /// In a backtest, whichever leaves the account worth less at the close; the low first when both leave
    /// the same. Where nobody can try both, the low first.
    Worst,
    /// In a backtest, whichever leaves the account worth more; else as [`Path::Worst`].
    Best,
}

/// The extreme that a candle touched first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Low,
    High,
}

impl Path {
    /// Which extreme comes first, from the ways up and down from the open.
    pub(crate) fn first<T: PartialOrd>(self, up: &T, down: &T) -> First {
        match self {
            Self::OpenHighLowClose => First::High,
            Self::Nearest if up < down => First::High,
            Self::OpenLowHighClose | Self::Nearest | Self::Worst | Self::Best => First::Low,
        }
    }
}

/// The four prices of a candle in the order in which they were traded.
pub fn points(candle: &Candle, path: Path) -> [Price; 4] {
    let up = candle.high.get().checked_sub(candle.open.get());
    let down = candle.open.get().checked_sub(candle.low.get());
    let (first, second) = match path.first(&up, &down) {
        First::High => (candle.high, candle.low),
        First::Low => (candle.low, candle.high),
    };
    [candle.open, first, second, candle.close]
}

/// The ticks of a candle, spread over `span`, each with a quarter of the volume. A candle without
/// volume gives ticks of unknown quantity.
pub fn candle(instrument: InstrumentId, candle: &Candle, path: Path, span: Millis) -> [Tick; 4] {
    ticks(instrument, candle.open_at, points(candle, path), (quarter(candle.volume), span))
}

/// Four prices as ticks, each with its part of the quantity.
pub(crate) fn ticks(
    instrument: InstrumentId,
    at: Timestamp,
    [open, first, second, close]: [Price; 4],
    (qty, span): (Qty, Millis),
) -> [Tick; 4] {
    let tick =
        |price: Price, ms: u32| Tick { instrument, price, qty, at: at.plus(Millis::new(ms)) };
    let third = span.ms() / 3;
    [
        tick(open, 0),
        tick(first, third),
        tick(second, third.saturating_mul(2)),
        tick(close, span.ms().saturating_sub(1)),
    ]
}

/// A candle's volume for each of its ticks.
pub(crate) fn quarter(volume: Qty) -> Qty {
    let quarter = volume.scaled(Decimal::new(25, 2)).unwrap_or(Qty::ZERO);
    quarter.to_step(Qty::new(Decimal::new(1, 8)), Rounding::Down).unwrap_or(Qty::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        Price::parse(text).unwrap()
    }

    #[test]
    fn the_path_names_the_order_of_the_extremes() {
        let candle = Candle {
            open_at: Timestamp::from_ms(0),
            open: price("10"),
            high: price("12"),
            low: price("7"),
            close: price("8"),
            volume: Qty::ZERO,
        };
        let cases = [
            (Path::OpenLowHighClose, ["10", "7", "12", "8"]),
            (Path::OpenHighLowClose, ["10", "12", "7", "8"]),
            (Path::Nearest, ["10", "12", "7", "8"]),
        ];
        for (path, want) in cases {
            assert_eq!(points(&candle, path), want.map(price), "{path:?}");
        }
        let even = Candle { high: price("13"), ..candle };
        assert_eq!(points(&even, Path::Nearest), ["10", "7", "13", "8"].map(price));
    }

    #[test]
    fn the_ticks_of_a_candle_stay_inside_it() {
        let all = Candle {
            open_at: Timestamp::from_ms(60_000),
            open: price("1"),
            high: price("1"),
            low: price("1"),
            close: price("1"),
            volume: Qty::parse("10").unwrap(),
        };

        let ticks = candle(InstrumentId::new(0), &all, Path::Nearest, Millis::from_secs(60));

        let times = ticks.map(|tick| tick.at.ms());
        assert_eq!(times, [60_000, 80_000, 100_000, 119_999]);
        assert!(ticks.iter().all(|tick| tick.qty == Qty::parse("2.5").unwrap()));
    }
}
