//! Deals as people look at them: what was bought and sold, and how far it went for and against.
#![expect(clippy::float_arithmetic, reason = "statistics describe results and never become orders")]

use std::collections::BTreeMap;

use tranche_model::{
    asset::Asset,
    candle::Candle,
    ids::{DealNo, InstrumentId, Slot},
    order::Side,
    record::{DealRow, FillRow},
    time::{Millis, Timestamp},
};
use tranche_sim::backtest::Report;

use super::{equity::Marks, float};

/// A deal, closed or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Deal {
    pub number: DealNo,
    pub instrument: InstrumentId,
    pub opened_at: Timestamp,
    /// Of an open one the end of the data.
    pub closed_at: Timestamp,
    pub is_closed: bool,
    /// How it ended, in the words of the strategy; `open` if it did not.
    pub ended: String,
    /// Realised, or what it would be at the last price without the fee of selling.
    pub profit: f64,
    pub fees: f64,
    pub bought: f64,
    pub safety_orders: u16,
    pub fills: Vec<DealFill>,
    /// The worst price while it was open against the average paid with fees, as a share; below 0
    /// when it went against. `None` until the candles were looked at.
    pub mae: Option<f64>,
    pub mfe: Option<f64>,
    /// The same in quote: the most that what was held at the time was worth less, or more, than its
    /// cost with fees. The worst moment in quote may be another one than the worst in price.
    pub mae_quote: Option<f64>,
    pub mfe_quote: Option<f64>,
}

/// One execution of a deal.
#[derive(Debug, Clone, PartialEq)]
pub struct DealFill {
    pub at: Timestamp,
    pub is_buy: bool,
    /// Which safety order; 0 is the base order, `None` an exit.
    pub level: Option<u16>,
    pub price: f64,
    pub qty: f64,
    pub quote: f64,
    pub fee: f64,
    /// What is still held in base when the fee was taken from it.
    pub(super) received: f64,
}

/// Puts the fills to their deals. `marks` has the last price of each instrument.
pub fn deals(report: &Report, marks: &Marks) -> Vec<Deal> {
    let end = Timestamp::from_ms(marks.times().last().copied().unwrap_or(0));
    let last = marks.ends();
    let mut deals: Vec<Deal> = Vec::new();
    let mut places: BTreeMap<(InstrumentId, DealNo), usize> = BTreeMap::new();
    for row in &report.booked {
        let place = usize::try_from(row.fill.instrument.get()).unwrap_or(usize::MAX);
        let base = marks.bases().get(place).copied();
        let Some(fill) = of_fill(row, base) else { continue };
        let place = *places.entry((row.fill.instrument, row.deal)).or_insert(deals.len());
        match deals.get_mut(place) {
            Some(deal) => deal.fills.push(fill),
            None => deals.push(begun(row, fill, end)),
        }
    }
    let closed: BTreeMap<(InstrumentId, DealNo), &DealRow> =
        report.deals.iter().map(|row| ((row.instrument, row.deal), row)).collect();
    for deal in &mut deals {
        let row = closed.get(&(deal.instrument, deal.number));
        deal.bought = deal.fills.iter().filter(|it| it.is_buy).map(|it| it.quote).sum();
        deal.fees = deal.fills.iter().map(|fill| fill.fee).sum();
        let deepest = deal.fills.iter().filter_map(|fill| fill.level).max();
        deal.safety_orders = deepest.unwrap_or(0);
        if let Some(row) = row {
            deal.is_closed = true;
            deal.ended.clone_from(&row.ended);
            deal.closed_at = row.closed_at;
            deal.profit = float::of(row.profit.get());
            deal.safety_orders = row.safety_orders;
        } else {
            let place = usize::try_from(deal.instrument.get()).unwrap_or(usize::MAX);
            let price = last.get(place).map_or(f64::NAN, |(_, last)| *last);
            deal.profit = deal.open_profit(price);
        }
    }
    deals
}

fn begun(row: &FillRow, fill: DealFill, end: Timestamp) -> Deal {
    Deal {
        number: row.deal,
        instrument: row.fill.instrument,
        opened_at: row.fill.at,
        closed_at: end,
        is_closed: false,
        ended: "open".to_owned(),
        profit: 0.0,
        fees: 0.0,
        bought: 0.0,
        safety_orders: 0,
        fills: vec![fill],
        mae: None,
        mfe: None,
        mae_quote: None,
        mfe_quote: None,
    }
}

fn of_fill(row: &FillRow, base: Option<Asset>) -> Option<DealFill> {
    let fill = &row.fill;
    let slot = fill.client_id?.key().slot;
    let level = if slot == Slot::BASE { Some(0) } else { slot.safety_number() };
    let (qty, fee) = (float::of(fill.qty.get()), fill.fee.in_quote);
    let fee = fee.map_or(0.0, |fee| float::of(fee.get()));
    let quote = float::of(fill.quote.get());
    // A fee from the bought coins leaves fewer of them.
    let received = if Some(fill.fee.asset) == base && fill.side == Side::Buy {
        qty - float::of(fill.fee.amount.get())
    } else {
        qty
    };
    Some(DealFill {
        at: fill.at,
        is_buy: fill.side == Side::Buy,
        level,
        price: float::of(fill.price.get()),
        qty,
        quote,
        fee,
        received,
    })
}

impl Deal {
    fn open_profit(&self, price: f64) -> f64 {
        let mut profit = 0.0;
        for fill in &self.fills {
            let sign = if fill.is_buy { -1.0 } else { 1.0 };
            profit += sign * fill.quote - fill.fee - sign * fill.received * price;
        }
        profit
    }

    /// Looks through the candles of its instrument for the worst and the best price against the
    /// average at that moment.
    pub fn look_at(&mut self, candles: &[Candle], interval: Millis) {
        let from = candles.partition_point(|it| it.open_at.plus(interval) <= self.opened_at);
        let to = candles.partition_point(|it| it.open_at < self.closed_at);
        let mut fills = self.fills.iter().filter(|fill| fill.is_buy).peekable();
        let (mut qty, mut cost) = (0.0, 0.0);
        let (mut worst, mut best) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut worst_quote, mut best_quote) = (worst, best);
        for candle in candles.get(from..to).unwrap_or_default() {
            while let Some(fill) = fills.next_if(|fill| fill.at < candle.open_at.plus(interval)) {
                qty += fill.received;
                cost += fill.quote + fill.fee;
            }
            let Some(average) = float::ratio(cost, qty) else { continue };
            let (low, high) = (float::of(candle.low.get()), float::of(candle.high.get()));
            worst = worst.min(low / average - 1.0);
            best = best.max(high / average - 1.0);
            worst_quote = worst_quote.min(low * qty - cost);
            best_quote = best_quote.max(high * qty - cost);
        }
        self.mae_quote = float::finite(worst_quote);
        self.mfe_quote = float::finite(best_quote);
        self.mae = float::finite(worst);
        self.mfe = float::finite(best);
    }
}
