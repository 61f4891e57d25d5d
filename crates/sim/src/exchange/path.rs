//! The way of the price inside a candle.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tranche_model::{
    candle::{Candle, Tick},
    decimal::Rounding,
    ids::InstrumentId,
    money::{Price, Qty},
    time::Millis,
};

/// In which order a candle touched its extremes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// Falls first: the hard way for one who buys.
    OpenLowHighClose,
    OpenHighLowClose,
    /// The extreme nearer to the open first; the low when both are as near.
    #[default]
    Nearest,
}

/// The four prices of a candle in the order in which they were traded.
pub fn points(candle: &Candle, path: Path) -> [Price; 4] {
    let high_first = match path {
        Path::OpenLowHighClose => false,
        Path::OpenHighLowClose => true,
        Path::Nearest => {
            let up = candle.high.get().checked_sub(candle.open.get());
            let down = candle.open.get().checked_sub(candle.low.get());
            up < down
        }
    };
    let (first, second) =
        if high_first { (candle.high, candle.low) } else { (candle.low, candle.high) };
    [candle.open, first, second, candle.close]
}

/// The ticks of a candle, spread over `span`, each with a quarter of the volume. A candle without
/// volume gives ticks of unknown quantity.
pub fn candle(instrument: InstrumentId, candle: &Candle, path: Path, span: Millis) -> [Tick; 4] {
    let quarter = candle.volume.scaled(Decimal::new(25, 2)).unwrap_or(Qty::ZERO);
    let grid = Qty::new(Decimal::new(1, 8));
    let qty = quarter.to_step(grid, Rounding::Down).unwrap_or(Qty::ZERO);
    let [open, first, second, close] = points(candle, path);
    let tick = |price: Price, ms: u32| Tick {
        instrument,
        price,
        qty,
        at: candle.open_at.plus(Millis::new(ms)),
    };
    let third = span.ms() / 3;
    [
        tick(open, 0),
        tick(first, third),
        tick(second, third.saturating_mul(2)),
        tick(close, span.ms().saturating_sub(1)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tranche_model::time::Timestamp;

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
