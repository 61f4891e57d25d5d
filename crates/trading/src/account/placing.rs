//! From moves to intents and cancels, past every guard.

use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey},
    decimal::{MathError, Rounding},
    filter::{MarketState, OpenOrders, Proposal},
    ids::{Generation, Slot},
    instrument::TradingStatus,
    money::{Amount, Qty},
    order::{OrderKind, OrderRequest, Side, Size},
    record::{Call, CallLane, IntentRow},
    time::Timestamp,
};

use super::{desk::Entries, turn::Turn};
use crate::{
    bot::{Move, Wanted, moves},
    dca::Phase,
    event::{Effects, StepError},
    order::{Cancel, Order},
    why::{BlockReason, CancelReason, Why},
};

impl Turn<'_> {
    /// Compares wanted with known and does what brings them together.
    pub(super) fn reconcile(&mut self, out: &mut Effects) -> Result<(), StepError> {
        if !self.desk.may_send() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        if let Some((config, true)) = self.config() {
            let scene = self.scene(&config);
            if let Some(deal) = &self.lane.deal {
                deal.wanted(self.permission(), &scene, &mut wanted)?;
            }
        }
        let mut steps = Vec::new();
        moves(self.lane, &wanted, self.world.now, &mut steps);
        for step in steps {
            match step {
                Move::Cancel { slot, .. } if self.is_frozen(slot) => {}
                Move::Cancel { slot, reason } => self.cancel(slot, reason, out)?,
                Move::Place(wish) if wish.lane == CallLane::Entry && self.is_frozen(wish.slot) => {}
                // What a former life left would be sold twice.
                Move::Place(wish)
                    if wish.lane == CallLane::Exit && self.has_strays(Some(Side::Sell)) => {}
                Move::Place(wish) => self.place(&wish, out)?,
            }
        }
        Ok(())
    }

    /// Entries stay as they are while they are frozen.
    fn is_frozen(&self, slot: Slot) -> bool {
        let is_entry = slot == Slot::BASE || slot.safety_number().is_some();
        let is_held = self
            .lane
            .deal
            .as_ref()
            .is_some_and(|deal| matches!(deal.phase, Phase::Entering(_) | Phase::Holding(_)));
        is_entry && is_held && self.entries() == Entries::Frozen
    }

    fn cancel(
        &mut self,
        slot: Slot,
        reason: CancelReason,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let asked = self.change(slot, |order| {
            let attempts = match order.cancel() {
                Cancel::No => 1,
                Cancel::Asked { attempts } | Cancel::Again { attempts, .. } => {
                    attempts.saturating_add(1)
                }
            };
            order.set_cancel(Cancel::Asked { attempts });
            Ok(order.client_id)
        })?;
        let Some(client_id) = asked else { return Ok(()) };
        let instrument = self.lane.instrument;
        out.calls.push((CallLane::Protect, Call::Cancel { client_id, instrument }));
        self.note(Why::CancelAsked { slot, reason }, out);
        Ok(())
    }

    fn place(&mut self, wish: &Wanted, out: &mut Effects) -> Result<(), StepError> {
        if let Err(reason) = self.guard(wish)? {
            self.block(wish.slot, reason, out);
            return Ok(());
        }
        let Some((generation, client_id)) = self.next_id(wish.slot) else {
            self.block(wish.slot, BlockReason::Exhausted, out);
            return Ok(());
        };
        let seat = self.lane.seat_mut(wish.slot);
        if !self.desk.take_place(wish.lane, seat.queued, out) {
            seat.queued = true;
            self.desk.queued.insert(self.key);
            return Ok(());
        }
        let now = self.world.now;
        let send_by = now.plus(self.desk.settings.timing.send_within);
        seat.queued = false;
        seat.generation = Some(generation);
        let order = Order::intent(client_id, (wish.side, wish.kind, wish.lane), send_by, now);
        self.seat_order(wish.slot, order)?;
        let request = OrderRequest {
            client_id,
            instrument: self.lane.instrument,
            side: wish.side,
            kind: wish.kind,
        };
        out.intents.push(IntentRow { request, send_by, at: now });
        out.calls.push((wish.lane, Call::Place { request, send_by }));
        self.note(Why::Placed { slot: wish.slot, side: wish.side, kind: wish.kind }, out);
        self.note_preemption(wish, out);
        Ok(())
    }

    fn note_preemption(&self, wish: &Wanted, out: &mut Effects) {
        let phase = self.lane.deal.as_ref().map(|deal| deal.phase);
        if let Some(Phase::Exiting { since, .. }) = phase
            && wish.slot == Slot::CLOSE
            && since < self.world.now
        {
            self.note(Why::ExitPreempted { waited: self.world.now.since(since) }, out);
        }
    }

    fn next_id(&self, slot: Slot) -> Option<(Generation, ClientOrderId)> {
        let generation = match self.lane.seat(slot).and_then(|seat| seat.generation) {
            Some(last) => last.next()?,
            None => Generation::new(1),
        };
        let deal = self.lane.deal.as_ref()?.no;
        let key = OrderKey { bot: self.key.bot, deal, slot, generation };
        ClientOrderId::pack(self.desk.settings.origin, key).map(|id| (generation, id))
    }

    fn block(&mut self, slot: Slot, reason: BlockReason, out: &mut Effects) {
        let now = self.world.now;
        let seat = self.lane.seat_mut(slot);
        let is_news = seat.block(reason, now);
        let until = seat.blocked().map_or(Timestamp::MAX, |blocked| blocked.retry_at);
        // An order that makes way for another will free its funds in a moment.
        let makes_way = reason == BlockReason::Funds
            && self.lane.orders().any(|(_, order)| matches!(order.cancel(), Cancel::Asked { .. }));
        if is_news && !makes_way {
            self.note(Why::Blocked { slot, reason, until }, out);
        }
    }

    /// Whether the order may go out now.
    fn guard(&self, wish: &Wanted) -> Result<Result<(), BlockReason>, MathError> {
        if self.instrument.status != TradingStatus::Trading {
            return Ok(Err(BlockReason::MarketClosed));
        }
        let checks = [
            self.guard_risk(wish)?,
            self.guard_rules(wish),
            self.guard_crossing(wish),
            self.guard_funds(wish)?,
        ];
        Ok(checks.into_iter().collect())
    }

    fn guard_risk(&self, wish: &Wanted) -> Result<Result<(), BlockReason>, MathError> {
        let Some(deal) = &self.lane.deal else { return Ok(Ok(())) };
        if wish.lane != CallLane::Entry {
            return Ok(Ok(()));
        }
        if !self.is_allowed() {
            return Ok(Err(BlockReason::NotAllowed));
        }
        if self.is_daily_loss_reached() {
            return Ok(Err(BlockReason::DailyLoss));
        }
        let Some(worth) = wish.kind.quote_max().transpose()? else { return Ok(Ok(())) };
        if self.desk.risk.order_notional_max.is_some_and(|most| most < worth) {
            return Ok(Err(BlockReason::OrderNotionalMax));
        }
        let fee = self.desk.settings.fees.taker;
        let mut committed = deal.position.spent()?.plus(worth.scaled(fee.grown()?)?)?;
        for (_, order) in self.lane.orders().filter(|(_, order)| order.side == Side::Buy) {
            committed = committed.plus(order.reserved(fee)?.quote())?;
        }
        Ok(if deal.budget < committed { Err(BlockReason::Budget) } else { Ok(()) })
    }

    fn guard_rules(&self, wish: &Wanted) -> Result<(), BlockReason> {
        let instrument = self.lane.instrument;
        let foreign = self.desk.foreign_open.get(&instrument).copied().unwrap_or(0);
        let foreign_all = self.desk.foreign_open.values().copied().fold(0, u32::saturating_add);
        let count = |own: u32, others: u32| OpenOrders {
            all: own.saturating_add(others),
            ..OpenOrders::default()
        };
        let market = MarketState {
            reference: self.lane.deal.as_ref().map(|deal| deal.seen),
            open: count(self.desk.exposure.open(instrument), foreign),
            open_account: count(self.desk.exposure.open_all(), foreign_all),
            position: self.desk.ledger.total(self.instrument.symbol.base).qty(),
        };
        let mut proposal = Proposal::new(wish.side, wish.kind);
        if let (OrderKind::Market { size: Size::Quote(quote) }, Some(price)) =
            (wish.kind, market.reference)
        {
            // The venue buys whole steps for it, and judges those.
            proposal.qty = quote.buys(price, self.instrument.step, Rounding::Down).ok();
        }
        let checked = self.instrument.check(&proposal, &market);
        checked.map_err(|broken| BlockReason::Rule(broken.rule))
    }

    fn guard_crossing(&self, wish: &Wanted) -> Result<(), BlockReason> {
        // An exit in need waits for nothing: a buy of ours above the last trade rests no more.
        if wish.lane == CallLane::Protect {
            return Ok(());
        }
        let seen = self.lane.deal.as_ref().map(|deal| deal.seen);
        let Some(price) = wish.kind.price().or(seen) else { return Ok(()) };
        let crosses = self.desk.exposure.crosses(self.lane.instrument, wish.side, price);
        if crosses { Err(BlockReason::SelfCross) } else { Ok(()) }
    }

    fn guard_funds(&self, wish: &Wanted) -> Result<Result<(), BlockReason>, MathError> {
        let (asset, needed) = match (wish.side, wish.kind) {
            (Side::Sell, kind) => {
                (self.instrument.symbol.base, kind.qty().map_or(Amount::ZERO, Qty::amount))
            }
            (Side::Buy, kind) => {
                let worth = kind.quote_max().transpose()?.unwrap_or_default();
                let worth = worth.scaled(self.desk.buy_fee().grown()?)?;
                (self.instrument.symbol.quote, worth.amount())
            }
        };
        if wish.side == Side::Buy && self.desk.short.contains(&asset) {
            return Ok(Err(BlockReason::Funds));
        }
        if wish.side == Side::Sell && self.unsold()? < needed {
            return Ok(Err(BlockReason::Funds));
        }
        let free = self.desk.ledger.ours(asset)?.minus(self.desk.exposure.reserved(asset))?;
        Ok(if free < needed { Err(BlockReason::Funds) } else { Ok(()) })
    }

    /// What the deal holds and none of its orders sells: coins of other deals are not for it to sell.
    fn unsold(&self) -> Result<Amount, MathError> {
        let Some(deal) = &self.lane.deal else { return Ok(Amount::ZERO) };
        let mut unsold = deal.position.held()?.amount();
        for (_, order) in self.lane.orders().filter(|(_, order)| order.side == Side::Sell) {
            unsold = unsold.minus(order.reserved(self.desk.buy_fee())?)?;
        }
        Ok(unsold)
    }

    pub(super) fn is_allowed(&self) -> bool {
        let allowed = self.desk.risk.allowed.as_ref();
        allowed.is_none_or(|allowed| allowed.contains(&self.lane.instrument))
    }

    pub(super) fn is_daily_loss_reached(&self) -> bool {
        let lost = self.desk.losses.on_day_of(self.instrument.symbol.quote, self.world.now);
        self.desk.risk.daily_loss_max.is_some_and(|most| most <= lost)
    }
}
