//! Numbers and lines as people read them.

use std::time::Duration;

use rust_decimal::Decimal;
use tranche_lab::source::Source;
use tranche_model::{
    instrument::Instruments,
    money::{Price, Quote},
    record::FillRow,
    time::Timestamp,
};
use tranche_trading::why::WhyRecord;

use super::{pace::Pace, world::World};

/// With two digits after the point and a sign.
pub(crate) fn signed(quote: Quote) -> String {
    let rounded = quote.get().round_dp(2);
    let sign = if rounded.is_sign_negative() && !rounded.is_zero() { "" } else { "+" };
    format!("{sign}{:.2}", if rounded.is_zero() { Decimal::ZERO } else { rounded })
}

/// With at most seven digits, or as many as stand before the point.
pub(crate) fn price(price: Price) -> String {
    let price = price.get().normalize();
    let whole = price.trunc().to_string().len();
    let digits = u32::try_from(7_usize.saturating_sub(whole)).unwrap_or(0);
    price.round_dp(digits.max(2)).normalize().to_string()
}

pub(crate) fn price_or(known: Option<Price>) -> String {
    known.map_or_else(|| "–".to_owned(), price)
}

/// `2 d 14 h` or `5 h 03 min`.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let minutes = to.ms().saturating_sub(from.ms()) / 60_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    if days == 0 { format!("{hours} h {minutes:02} min") } else { format!("{days} d {hours:02} h") }
}

/// `2018-02-06 08:40`.
pub(crate) fn minute(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    text.get(..16).unwrap_or(&text).to_owned()
}

/// `08:40`.
fn clock(at: Timestamp) -> String {
    let text = minute(at);
    text.get(11..).unwrap_or(&text).to_owned()
}

/// Where prices come from, without the folder of a file.
pub(crate) fn source(source: &Source) -> String {
    match source {
        Source::Generated { .. } => source.to_string(),
        Source::Recorded { file } => {
            let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
            Source::Recorded { file: name.to_owned() }.to_string()
        }
    }
}

pub(crate) fn quote_of(world: &World) -> String {
    let first = world.floor.instruments().iter().next();
    first.map_or_else(String::new, |instrument| instrument.symbol.quote.to_string())
}

pub(crate) fn fill(row: &FillRow, instruments: &Instruments) -> String {
    let fill = &row.fill;
    let symbol = instruments.get(fill.instrument).map(|instrument| instrument.symbol);
    let base = symbol.map_or_else(String::new, |symbol| symbol.base.to_string());
    let (at, side) = (clock(fill.at), fill.side);
    format!("{at} {side:<4} {} {base} at {}", fill.qty, price(fill.price))
}

pub(crate) fn why(record: &WhyRecord, is_wide: bool) -> String {
    let name = if is_wide { "bot " } else { "" };
    let bot = record.bot.map_or_else(String::new, |bot| format!("{name}{bot}"));
    let deal = record.deal.map_or_else(String::new, |deal| format!("#{deal}"));
    format!(" {} {bot}{deal} {}", clock(record.at), record.why)
}

/// One line for those who watch no screen.
pub(crate) fn progress(world: &World, pace: &Pace, elapsed: Duration) -> String {
    let tally = world.tally;
    let now = world.floor.now();
    let state = if world.violations.is_empty() { "books balance" } else { "BOOKS DIFFER" };
    let lag = if pace.lags { ", slower than asked" } else { "" };
    format!(
        "{:>4} s  {} of market time ({now}){lag}: {} deals closed, {} fills, profit {} {}, \
         {} restarts, {state}",
        elapsed.as_secs(),
        span(world.start, now),
        tally.deals_closed,
        tally.fills,
        signed(tally.profit),
        quote_of(world),
        tally.restarts,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(signed(Quote::parse("1.239").unwrap()), "+1.24");
        assert_eq!(signed(Quote::parse("-0.001").unwrap()), "+0.00");
        assert_eq!(price(Price::parse("60123.4567891").unwrap()), "60123.46");
        assert_eq!(price(Price::parse("0.0001234567").unwrap()), "0.000123");
    }

    #[test]
    fn times_are_short() {
        let start = Timestamp::from_ms(1_517_906_400_000);

        assert_eq!((minute(start).as_str(), clock(start).as_str()), ("2018-02-06 08:40", "08:40"));
        assert_eq!(span(start, Timestamp::from_ms(start.ms() + 3_780_000)), "1 h 03 min");
    }
}
