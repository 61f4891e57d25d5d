//! Three recorded minutes that every clone carries: Binance spot, 2025-03-25 23:07 to 23:10 UTC.
//!
//! Origin and licence are in `data/NOTICE`. A second without a trade has no candle.

use crate::{
    candles::{self, CandleFile},
    fault::FileError,
    trades::{self, TradeFile},
};

use tranche_model::time::Millis;

/// What the excerpt has candles of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Market {
    BtcUsdt,
    EthUsdt,
    SolUsdt,
}

impl Market {
    pub const ALL: [Self; 3] = [Self::BtcUsdt, Self::EthUsdt, Self::SolUsdt];

    const fn file(self) -> (&'static str, &'static [u8]) {
        match self {
            Self::BtcUsdt => {
                ("binance-BTCUSDT-1s.csv", include_bytes!("../data/binance-BTCUSDT-1s.csv"))
            }
            Self::EthUsdt => {
                ("binance-ETHUSDT-1s.csv", include_bytes!("../data/binance-ETHUSDT-1s.csv"))
            }
            Self::SolUsdt => {
                ("binance-SOLUSDT-1s.csv", include_bytes!("../data/binance-SOLUSDT-1s.csv"))
            }
        }
    }
}

/// One-second candles of BTC/USDT.
pub fn candles() -> Result<CandleFile, FileError> {
    candles_of(Market::BtcUsdt)
}

/// One-second candles.
pub fn candles_of(market: Market) -> Result<CandleFile, FileError> {
    let (name, text) = market.file();
    candles::parse(name, text, Some(Millis::from_secs(1)))
}

/// Every trade of BTC/USDT in the first two minutes.
pub fn trades() -> Result<TradeFile, FileError> {
    let text = include_bytes!("../data/binance-BTCUSDT-trades.csv");
    trades::parse("binance-BTCUSDT-trades.csv", text)
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    #[test]
    fn the_candles_are_whole() {
        for market in Market::ALL {
            let file = candles_of(market).unwrap();
            assert_eq!(file.interval, Millis::from_secs(1), "{market:?}");
            assert!(100 < file.candles.len(), "{market:?}");
            assert_eq!(file.dense().unwrap().gaps, []);
        }
    }

    #[test]
    fn trades_and_candles_tell_of_the_same_market() {
        let (trades, candles) = (trades().unwrap().trades, candles().unwrap().candles);
        let until = trades.last().unwrap().at;

        let traded: Decimal = trades.iter().map(|trade| trade.qty.get()).sum();
        let whole = candles.iter().filter(|candle| candle.open_at <= until);
        let volume: Decimal = whole.map(|candle| candle.volume.get()).sum();

        assert_eq!(trades.len(), 2492);
        assert_eq!(traded, volume);
    }
}
