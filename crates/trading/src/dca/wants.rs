//! Which orders a deal wants at the exchange now. A pure function of its state: a lost command or a
//! repeated event heals at the next reconcile.

use tranche_model::{
    decimal::MathError,
    ids::Slot,
    money::{Price, Quote},
    order::{OrderKind, Side, Size, TimeInForce},
    record::CallLane,
};

use super::{
    deal::{Deal, Entry, EntryOrder, Holding, Phase, Scene, even_part},
    draft::QtyRounding,
    ladder,
};
use crate::bot::Wanted;

/// What may be wanted, from outside the deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Base and safety orders.
    pub entries: bool,
}

impl Deal {
    /// Writes the wanted orders into `wanted`.
    pub fn wanted(
        &self,
        permission: Permission,
        scene: &Scene<'_>,
        wanted: &mut Vec<Wanted>,
    ) -> Result<(), MathError> {
        match self.phase {
            Phase::Entering(entry) if permission.entries => self.want_base(entry, scene, wanted),
            Phase::Holding(holding) => {
                self.want_take_profit(scene, wanted)?;
                if permission.entries {
                    self.want_safeties(holding, scene, wanted)?;
                }
                Ok(())
            }
            Phase::Exiting { .. } => self.want_exit(scene, wanted),
            Phase::Entering(_) | Phase::Abandoned => Ok(()),
        }
    }

    fn want_base(
        &self,
        entry: Entry,
        scene: &Scene<'_>,
        wanted: &mut Vec<Wanted>,
    ) -> Result<(), MathError> {
        if entry.given_up {
            return Ok(());
        }
        let kind = match entry.order {
            EntryOrder::Market => {
                let volume = self.market_base_volume(scene)?;
                let rest = volume.minus_floored(self.progress(Slot::BASE).1)?;
                OrderKind::Market { size: Size::Quote(scene.instrument.cut_quote(rest)?) }
            }
            EntryOrder::Limit { leaves, .. } if leaves.is_zero() => return Ok(()),
            EntryOrder::Limit { price, leaves, .. } => resting(price, leaves),
        };
        wanted.push(buy(Slot::BASE, kind));
        Ok(())
    }

    /// A market order is sized in quote, so that no price can make it spend more. When quantities are
    /// rounded up, the size is that of the quantity at the price that the deal was opened at.
    fn market_base_volume(&self, scene: &Scene<'_>) -> Result<Quote, MathError> {
        let volume = scene.config.base_order_volume();
        match scene.config.qty_rounding() {
            QtyRounding::Down => Ok(volume),
            QtyRounding::Up => {
                self.seen.times(ladder::qty_for(scene.config, scene.instrument, volume, self.seen)?)
            }
        }
    }

    fn want_take_profit(
        &self,
        scene: &Scene<'_>,
        wanted: &mut Vec<Wanted>,
    ) -> Result<(), MathError> {
        let Some(price) = self.take_profit else { return Ok(()) };
        let qty = self.sellable(scene)?;
        // A resting order that is filled in part may leave a rest too small for a new order.
        let is_tradable = scene.instrument.is_tradable(qty, price);
        let is_under_way = self.position.sold.is_positive() && qty.is_positive();
        if scene.config.trailing_deviation().is_none() && (is_tradable || is_under_way) {
            // What is too much for one order follows when this one is filled: it keeps the size that it
            // was placed with.
            let filled = self.progress(Slot::TAKE_PROFIT).0;
            let instrument = scene.instrument;
            let whole = even_part(qty.plus(filled)?, instrument.qty_max, instrument.step)?;
            let kind = resting(price, whole.minus_floored(filled)?);
            wanted.push(Wanted {
                slot: Slot::TAKE_PROFIT,
                side: Side::Sell,
                kind,
                lane: CallLane::Exit,
            });
        }
        Ok(())
    }

    fn want_safeties(
        &self,
        holding: Holding,
        scene: &Scene<'_>,
        wanted: &mut Vec<Wanted>,
    ) -> Result<(), MathError> {
        let config = scene.config;
        if let Some(merge) = holding.merge {
            let Some(slot) = Slot::safety(merge.to) else { return Ok(()) };
            let rest = merge.quote.minus_floored(self.progress(slot).1)?;
            let size = Size::Quote(scene.instrument.cut_quote(rest)?);
            wanted.push(buy(slot, OrderKind::Market { size }));
            return Ok(());
        }
        let stop = self.stop(scene)?;
        let active = usize::from(config.active_safety_orders_count());
        for number in self.levels.open(config.max_safety_orders()).take(active) {
            let (Some(slot), Some(price)) =
                (Slot::safety(number), self.level_price(number, scene)?)
            else {
                return Ok(());
            };
            // The stop sells before the price gets there.
            if stop.is_some_and(|stop| price <= stop) {
                return Ok(());
            }
            let full = ladder::qty(config, scene.instrument, number, price)?;
            let rest = full.minus_floored(self.progress(slot).0)?;
            if rest.is_positive() {
                wanted.push(buy(slot, resting(price, rest)));
            }
        }
        Ok(())
    }

    fn want_exit(&self, scene: &Scene<'_>, wanted: &mut Vec<Wanted>) -> Result<(), MathError> {
        let qty = self.sellable_at_once(scene)?;
        if scene.instrument.is_tradable(qty, self.seen) {
            let kind = OrderKind::Market { size: Size::Base(qty) };
            wanted.push(Wanted {
                slot: Slot::CLOSE,
                side: Side::Sell,
                kind,
                lane: CallLane::Protect,
            });
        }
        Ok(())
    }
}

fn buy(slot: Slot, kind: OrderKind) -> Wanted {
    Wanted { slot, side: Side::Buy, kind, lane: CallLane::Entry }
}

fn resting(price: Price, qty: tranche_model::money::Qty) -> OrderKind {
    OrderKind::Limit { price, qty, time_in_force: TimeInForce::GoodTillCancelled }
}
