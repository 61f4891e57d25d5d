//! The recorded market: its trades fill resting orders and set the price for taking ones.

use tranche_model::{
    candle::Tick,
    decimal::Rounding,
    fill::Liquidity,
    ids::InstrumentId,
    instrument::TradingStatus,
    money::{Price, Qty},
    order::{OrderStatus, Side},
    time::Timestamp,
};

use super::{Exchange, order::Number, settings::FillRule, settle::Execution};

impl Exchange {
    /// The market traded. Calls that arrived by then are answered first; ticks of unknown
    /// instruments and impossible prices are left out.
    pub fn trade(&mut self, tick: &Tick) {
        self.advance(tick.at);
        let allowance = self.allowance_of(tick);
        let Some(market) = self.market_mut(tick.instrument) else { return };
        if !tick.price.is_positive() {
            return;
        }
        market.record(tick);
        market.allowance = allowance;
        let status = self.instruments.get(tick.instrument).map(|instrument| instrument.status);
        if status != Some(TradingStatus::Trading) {
            return;
        }
        for side in [Side::Buy, Side::Sell] {
            while let Some((price, number)) = self.reached(tick, side) {
                if !self.fill_resting(number, price, tick.at) {
                    break;
                }
            }
        }
        if self.market(tick.instrument).is_some_and(|market| !market.stops.is_empty()) {
            self.pull_triggers(tick.instrument, tick.price, tick.at);
        }
        self.follow_up(tick.at);
    }

    /// The resting order that is first to trade at the tick.
    fn reached(&self, tick: &Tick, side: Side) -> Option<(Price, Number)> {
        let best = self.market(tick.instrument)?.book.best(side);
        let reached = best.filter(|(price, _)| match (self.settings.fill, side) {
            (FillRule::Through, Side::Buy) => tick.price < *price,
            (FillRule::Through, Side::Sell) => *price < tick.price,
            (FillRule::Touch, Side::Buy) => tick.price <= *price,
            (FillRule::Touch, Side::Sell) => *price <= tick.price,
        });
        reached.map(|(price, place)| (price, self.at_place(place)))
    }

    /// Whether there may be more to fill.
    fn fill_resting(&mut self, number: Number, price: Price, at: Timestamp) -> bool {
        let Some(order) = self.orders.get(number).copied() else { return false };
        let Ok(remaining) = order.remaining() else {
            self.close(number, OrderStatus::Expired, at);
            return true;
        };
        let allowance = self.market(order.draft.instrument).and_then(|market| market.allowance);
        let qty = allowance.map_or(remaining, |allowance| allowance.min(remaining));
        if !qty.is_positive() {
            return false;
        }
        self.use_allowance(order.draft.instrument, qty);
        self.take_over(number, at);
        self.execute(Execution { number, price, qty, liquidity: Liquidity::Maker, at });
        true
    }

    pub(super) fn use_allowance(&mut self, instrument: InstrumentId, qty: Qty) {
        if let Some(market) = self.market_mut(instrument)
            && let Some(allowance) = market.allowance.as_mut()
        {
            *allowance = allowance.minus_floored(qty).unwrap_or(Qty::ZERO);
        }
    }

    /// Whole steps of the share of a tick that our orders may have.
    fn allowance_of(&self, tick: &Tick) -> Option<Qty> {
        let cap = self.settings.volume_cap?;
        let instrument = self.instruments.get(tick.instrument)?;
        if tick.qty.is_zero() {
            return None;
        }
        let share = tick.qty.scaled(cap.get()).unwrap_or(tick.qty);
        Some(instrument.round_qty(share, Rounding::Down).unwrap_or(Qty::ZERO))
    }
}
