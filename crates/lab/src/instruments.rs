//! The rules of well-known pairs, for simulations: like those of Binance spot, in one table.
//!
//! A pair that is not in the table gets rules that fit its candles; whoever shows results says so.

use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    candle::Candle,
    filter::Filter,
    ids::InstrumentId,
    instrument::Instrument,
    money::{Price, Qty, Quote},
};

/// Base, quote, and digits after the point of tick and step.
type Row = (&'static str, u32, u32);

/// Pairs against US dollars, one way or another: the rules of the USDT pair hold for all.
const DOLLARS: [&str; 3] = ["USDT", "USDC", "USD"];
const IN_DOLLARS: [Row; 12] = [
    ("BTC", 2, 5),
    ("ETH", 2, 4),
    ("BNB", 2, 3),
    ("SOL", 2, 3),
    ("LTC", 2, 3),
    ("AVAX", 2, 2),
    ("LINK", 2, 2),
    ("XRP", 4, 1),
    ("ADA", 4, 1),
    ("TRX", 4, 1),
    ("XLM", 4, 0),
    ("DOGE", 5, 0),
];
const IN_BTC: [Row; 7] = [
    ("ETH", 5, 4),
    ("BNB", 6, 3),
    ("LTC", 6, 3),
    ("SOL", 7, 2),
    ("XRP", 8, 0),
    ("ADA", 8, 0),
    ("TRX", 8, 0),
];

/// Five dollars, and what that is in bitcoin and ether.
const NOTIONAL_MIN_IN_DOLLARS: Decimal = Decimal::from_parts(5, 0, 0, false, 0);
const NOTIONAL_MIN_IN_COINS: Decimal = Decimal::from_parts(1, 0, 0, false, 4);
const ORDERS_MAX: u32 = 200;
/// The finest tick and step that are derived from candles.
const DIGITS_MAX: u32 = 8;

/// Where the rules of an instrument come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The table of well-known pairs.
    Table,
    /// Derived from the digits of candles.
    Candles,
}

/// An instrument with rules from the table, or else such as fit the candles.
pub fn choose(id: InstrumentId, symbol: Symbol, candles: &[Candle]) -> (Instrument, Origin) {
    match known(id, symbol) {
        Some(instrument) => (instrument, Origin::Table),
        None => (derived(id, symbol, candles), Origin::Candles),
    }
}

/// An instrument of the table.
pub fn known(id: InstrumentId, symbol: Symbol) -> Option<Instrument> {
    let (base, quote) = (symbol.base.as_str(), symbol.quote.as_str());
    let (rows, least): (&[Row], _) = match quote {
        "BTC" => (&IN_BTC, NOTIONAL_MIN_IN_COINS),
        _ if DOLLARS.contains(&quote) => (&IN_DOLLARS, NOTIONAL_MIN_IN_DOLLARS),
        _ => return None,
    };
    let (_, tick, step) = rows.iter().find(|(name, ..)| *name == base)?;
    Some(built(id, symbol, (*tick, *step), Quote::new(least)))
}

/// The pairs of the table, for messages.
pub fn names() -> impl Iterator<Item = String> {
    let dollars = IN_DOLLARS.iter().map(|(base, ..)| format!("{base}/USDT"));
    dollars.chain(IN_BTC.iter().map(|(base, ..)| format!("{base}/BTC")))
}

/// An instrument whose tick has the most digits that a price of the candles has, with steps of about
/// the same worth.
pub fn derived(id: InstrumentId, symbol: Symbol, candles: &[Candle]) -> Instrument {
    let prices =
        candles.iter().flat_map(|candle| [candle.open, candle.high, candle.low, candle.close]);
    let tick = prices.map(|price| price.get().normalize().scale()).max().unwrap_or(2);
    let step = candles.first().map_or(DIGITS_MAX, |candle| step_digits(candle.close));
    let quote = symbol.quote.as_str();
    let least = if DOLLARS.contains(&quote) || quote == "EUR" {
        NOTIONAL_MIN_IN_DOLLARS
    } else {
        NOTIONAL_MIN_IN_COINS
    };
    built(id, symbol, (tick.min(DIGITS_MAX), step), Quote::new(least))
}

/// A price of 60 000 wants five digits of quantity, one of 1 none: a step stays below one unit of
/// the quote asset.
fn step_digits(price: Price) -> u32 {
    let mut digits = 0;
    let mut worth = price.get();
    while Decimal::ONE <= worth && digits < DIGITS_MAX {
        worth = worth.checked_div(Decimal::TEN).unwrap_or(Decimal::ZERO);
        digits += 1;
    }
    digits
}

fn built(
    id: InstrumentId,
    symbol: Symbol,
    (tick, step): (u32, u32),
    notional_min: Quote,
) -> Instrument {
    let tick = Price::new(Decimal::new(1, tick));
    let step = Qty::new(Decimal::new(1, step));
    let filters = vec![
        Filter::Price { min: tick, max: Price::new(Decimal::new(1_000_000, 0)), tick },
        Filter::LotSize { min: step, max: Qty::new(Decimal::new(1_000_000_000, 0)), step },
        Filter::Notional {
            min: notional_min,
            min_market: true,
            max: Quote::new(Decimal::new(9_000_000, 0)),
            max_market: false,
        },
        Filter::MaxNumOrders { limit: ORDERS_MAX },
    ];
    Instrument::new(id, symbol, filters)
}

#[cfg(test)]
mod tests {
    use tranche_model::time::Timestamp;

    use super::*;

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).unwrap()
    }

    #[test]
    fn well_known_pairs_have_their_rules() {
        let bitcoin = known(InstrumentId::new(0), symbol("BTC/USD")).unwrap();

        assert_eq!(
            (bitcoin.tick.to_string(), bitcoin.step.to_string()),
            ("0.01".into(), "0.00001".into())
        );
        assert_eq!(bitcoin.notional_min.to_string(), "5");
        assert!(names().all(|name| known(InstrumentId::new(0), symbol(&name)).is_some()));
    }

    #[test]
    fn rules_of_others_follow_from_the_candles() {
        let price = |text| Price::parse(text).unwrap();
        let candle = Candle {
            open_at: Timestamp::from_ms(0),
            open: price("12.5"),
            high: price("12.625"),
            low: price("12"),
            close: price("12.1"),
            volume: Qty::ZERO,
        };

        let (instrument, origin) = choose(InstrumentId::new(0), symbol("FOO/USDT"), &[candle]);

        assert_eq!(origin, Origin::Candles);
        assert_eq!(instrument.tick.to_string(), "0.001");
        assert_eq!(instrument.step.to_string(), "0.01");
    }
}
