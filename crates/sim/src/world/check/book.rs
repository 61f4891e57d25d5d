//! What one account has at the exchange and in the store, kept up event by event.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    asset::Asset,
    client_order_id::ClientOrderId,
    fill::Fill,
    ids::{BotId, DealNo, InstrumentId, Slot, TradeId, VenueOrderId},
    instrument::{Instrument, Instruments},
    money::{Qty, Quote},
    order::{OrderKind, OrderReport, OrderRequest, OrderStatus, Side, Size},
    record::{DealRow, FillRow, IntentRow},
};

use super::model::{Broken, Checked, hold};
use crate::{
    memory::Stored,
    world::{Counts, State},
};

type DealKey = (BotId, DealNo);

/// An order from its intent on.
#[derive(Debug)]
struct Known {
    request: OrderRequest,
    venue: Option<VenueOrderId>,
    status: OrderStatus,
    executed: Qty,
    leaves: Qty,
    /// It was proved never placed.
    is_absent: bool,
    /// Its end was acknowledged to us.
    is_acknowledged: bool,
}

/// A deal as the exchange's executions have it.
#[derive(Debug, Default)]
struct Sums {
    held: Qty,
    /// On buys, fees included.
    spent: Quote,
    selling: Qty,
    /// Worth of buys that rest.
    buying: Quote,
    /// Safety orders that rest or were filled.
    levels: BTreeSet<u16>,
    booked: Vec<Fill>,
    is_closed: bool,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Book {
    bases: BTreeMap<InstrumentId, Asset>,
    orders: BTreeMap<ClientOrderId, Known>,
    live: BTreeMap<(BotId, DealNo, Slot), ClientOrderId>,
    fills: BTreeMap<(InstrumentId, TradeId), (Fill, bool)>,
    deals: BTreeMap<DealKey, Sums>,
    is_restored: bool,
}

impl Book {
    pub(super) fn new(instruments: &Instruments) -> Self {
        let bases = instruments.iter().map(|known| (known.id, known.symbol.base));
        Self {
            bases: bases.collect(),
            orders: BTreeMap::new(),
            live: BTreeMap::new(),
            fills: BTreeMap::new(),
            deals: BTreeMap::new(),
            is_restored: false,
        }
    }

    /// An order may be on its way from now on.
    pub(super) fn intend<'a>(
        &mut self,
        row: &IntentRow,
        mut rules: impl Iterator<Item = &'a Instrument>,
    ) -> Checked {
        let request = row.request;
        let id = request.client_id;
        hold(rules.any(|rules| obeys(&request, rules)), "I-19", || {
            format!("{id}: {:?} breaks the rules that we know", request.kind)
        })?;
        let known = Known {
            request,
            venue: None,
            status: OrderStatus::Open,
            executed: Qty::ZERO,
            leaves: Qty::ZERO,
            is_absent: false,
            is_acknowledged: false,
        };
        hold(self.orders.insert(id, known).is_none(), "I-01", || format!("two intents with {id}"))?;
        Ok(())
    }

    /// A placement leaves.
    pub(super) fn leaves(&self, request: &OrderRequest) -> Checked {
        let known = self.orders.get(&request.client_id);
        hold(known.is_some_and(|known| known.request == *request), "I-03", || {
            format!("{} leaves without an intent", request.client_id)
        })
    }

    /// The exchange's word on an order; the answer is the deal that it touches.
    pub(super) fn order(
        &mut self,
        report: &OrderReport,
        states: &mut Counts<State>,
    ) -> Result<Option<DealKey>, Broken> {
        let id = report.client_id;
        let key = id.key();
        let Some(known) = self.orders.get_mut(&id) else {
            return Err(Broken::new("I-02", format!("{id} has no intent")));
        };
        hold(!known.is_absent, "I-09", || format!("{id} was proved never placed, and is there"))?;
        let venue = *known.venue.get_or_insert(report.venue_id);
        hold(venue == report.venue_id, "I-01", || format!("two orders with {id}"))?;
        hold(!known.status.is_terminal(), "I-07", || format!("{id} lives on after its end"))?;
        hold(known.executed <= report.executed, "I-07", || format!("{id}: executed falls"))?;
        let most = report.kind.qty().unwrap_or(report.executed);
        hold(report.executed <= most, "I-07", || format!("{id}: more is executed than asked"))?;
        let leaves = if report.status.is_terminal() {
            Qty::ZERO
        } else {
            report.kind.qty().unwrap_or_default().minus_floored(report.executed)?
        };
        if report.status == OrderStatus::PartiallyFilled {
            states.add(State::PartlyFilled);
        }
        let former = std::mem::replace(&mut known.leaves, leaves);
        (known.status, known.executed) = (report.status, report.executed);
        self.seat(report)?;
        let sums = self.deals.entry((key.bot, key.deal)).or_default();
        match report.side {
            Side::Sell => sums.selling = sums.selling.minus(former)?.plus(leaves)?,
            Side::Buy => {
                if let Some(price) = report.kind.price() {
                    let (former, now) = (price.times(former)?, price.times(leaves)?);
                    sums.buying = sums.buying.minus(former)?.plus(now)?;
                }
                if let Some(number) = key.slot.safety_number() {
                    let counts = report.executed.is_positive() || !report.status.is_terminal();
                    if counts {
                        sums.levels.insert(number);
                    } else {
                        sums.levels.remove(&number);
                    }
                }
            }
        }
        if !self.is_restored {
            hold(sums.selling <= sums.held || report.side == Side::Buy, "I-13", || {
                format!(
                    "bot {} deal {}: sells {} of {}",
                    key.bot, key.deal, sums.selling, sums.held
                )
            })?;
        }
        Ok((report.side == Side::Buy).then_some((key.bot, key.deal)))
    }

    /// One live order in a slot.
    fn seat(&mut self, report: &OrderReport) -> Checked {
        let key = report.client_id.key();
        let slot = (key.bot, key.deal, key.slot);
        if report.status.is_terminal() {
            if self.live.get(&slot) == Some(&report.client_id) {
                self.live.remove(&slot);
            }
            return Ok(());
        }
        let former = self.live.insert(slot, report.client_id);
        hold(former.is_none_or(|former| former == report.client_id), "I-10", || {
            format!("bot {} deal {} {}: two live orders", key.bot, key.deal, key.slot)
        })
    }

    /// The exchange executed.
    pub(super) fn fill(&mut self, fill: &Fill) -> Result<Option<DealKey>, Broken> {
        let Some(id) = fill.client_id else { return Ok(None) };
        let key = (fill.instrument, fill.trade_id);
        let is_new = self.fills.insert(key, (*fill, false)).is_none();
        hold(is_new, "I-04", || format!("trade {} came twice", fill.trade_id))?;
        let deal = (id.key().bot, id.key().deal);
        let base = self.bases.get(&fill.instrument).copied();
        let is_base_fee = base == Some(fill.fee.asset);
        let sums = self.deals.entry(deal).or_default();
        match fill.side {
            Side::Buy => {
                sums.held = sums.held.plus(fill.qty)?;
                sums.spent = sums.spent.plus(fill.quote)?;
                if !is_base_fee {
                    sums.spent = sums.spent.plus(fill.fee.in_quote.unwrap_or_default())?;
                }
            }
            Side::Sell => sums.held = sums.held.minus(fill.qty)?,
        }
        if is_base_fee {
            sums.held = sums.held.minus(fill.fee.amount.qty())?;
        }
        if !self.is_restored {
            hold(!sums.held.is_negative(), "I-13", || {
                format!("bot {} deal {} sold more than it had", deal.0, deal.1)
            })?;
        }
        Ok((fill.side == Side::Buy).then_some(deal))
    }

    /// An execution is in the store.
    pub(super) fn booked(&mut self, row: &FillRow) -> Checked {
        let fill = row.fill;
        let key = (fill.instrument, fill.trade_id);
        let Some((theirs, is_booked)) = self.fills.get_mut(&key) else {
            return Err(Broken::new("I-04", format!("trade {} was never made", fill.trade_id)));
        };
        hold(*theirs == fill, "I-04", || format!("{fill:?} is not the exchange's {theirs:?}"))?;
        hold(!*is_booked, "I-04", || format!("trade {} is booked twice", fill.trade_id))?;
        *is_booked = true;
        let named = fill.client_id.map(ClientOrderId::key);
        let is_named = named.is_some_and(|named| (named.bot, named.deal) == (row.bot, row.deal));
        hold(is_named, "I-04", || format!("{row:?} is booked elsewhere"))?;
        self.deals.entry((row.bot, row.deal)).or_default().booked.push(fill);
        Ok(())
    }

    /// A deal is over: once, and with the profit of its executions.
    pub(super) fn closed(&mut self, row: &DealRow) -> Checked {
        let base = self.bases.get(&row.instrument).copied();
        let sums = self.deals.entry((row.bot, row.deal)).or_default();
        if self.is_restored {
            return Ok(());
        }
        let is_again = std::mem::replace(&mut sums.is_closed, true);
        hold(!is_again, "I-15", || format!("closed twice: {row:?}"))?;
        if row.ended == "cancelled" {
            return Ok(());
        }
        let mut profit = Quote::ZERO;
        for fill in &sums.booked {
            profit = match fill.side {
                Side::Buy => profit.minus(fill.quote)?,
                Side::Sell => profit.plus(fill.quote)?,
            };
            if base != Some(fill.fee.asset) {
                profit = profit.minus(fill.fee.in_quote.unwrap_or_default())?;
            }
        }
        hold(profit == row.profit, "I-15", || format!("{row:?} made {profit}"))
    }

    /// A deal spends no more than its budget, on no more safety orders than it may.
    pub(super) fn within(&self, (bot, deal): DealKey, budget: Quote, most: u16) -> Checked {
        let Some(sums) = self.deals.get(&(bot, deal)) else { return Ok(()) };
        let committed = sums.spent.plus(sums.buying)?;
        hold(committed <= budget, "I-11", || {
            format!("bot {bot} deal {deal}: {committed} of {budget}")
        })?;
        let levels = sums.levels.len();
        hold(levels <= usize::from(most), "I-11", || {
            format!("bot {bot} deal {deal}: {levels} safety orders of {most}")
        })
    }

    pub(super) fn proved_absent(&mut self, id: ClientOrderId) -> Checked {
        let Some(known) = self.orders.get_mut(&id) else { return Ok(()) };
        known.is_absent = true;
        hold(known.venue.is_none(), "I-09", || format!("{id} is proved absent, and was there"))
    }

    pub(super) fn acknowledged(&mut self, id: ClientOrderId, status: OrderStatus) {
        if let Some(known) = self.orders.get_mut(&id) {
            known.is_acknowledged |= status.is_terminal();
        }
    }

    /// Whether the execution came after the end of its order was acknowledged.
    pub(super) fn was_acknowledged(&self, id: ClientOrderId) -> bool {
        self.orders.get(&id).is_some_and(|known| known.is_acknowledged)
    }

    pub(super) fn status_of(&self, id: ClientOrderId) -> Option<OrderStatus> {
        self.orders.get(&id).map(|known| known.status)
    }

    /// Whether all that the report speaks of is in the store.
    pub(super) fn is_all_booked(&self, report: &OrderReport) -> bool {
        let of_order = self
            .fills
            .values()
            .rev()
            .take(200)
            .filter(|(fill, _)| fill.client_id == Some(report.client_id));
        of_order.into_iter().all(|(_, is_booked)| *is_booked)
    }

    pub(super) fn has_live_orders(&self, bot: BotId) -> bool {
        self.live.keys().any(|(owner, ..)| *owner == bot)
    }

    /// What was written since the copy was taken is forgotten.
    pub(super) fn restored(&mut self, stored: Option<&Stored>) {
        self.is_restored = true;
        for (key, (_, is_booked)) in &mut self.fills {
            *is_booked = stored.is_some_and(|stored| stored.fills.contains_key(key));
        }
    }
}

/// Whether the order is on the instrument's grid and within its bounds.
fn obeys(request: &OrderRequest, rules: &Instrument) -> bool {
    let price_fits =
        request.kind.price().is_none_or(|p| p.is_positive() && p.is_multiple_of(rules.tick));
    let qty_fits = request
        .kind
        .qty()
        .is_none_or(|q| rules.qty_min <= q && q.is_positive() && q.is_multiple_of(rules.step));
    let worth = match request.kind {
        OrderKind::Market { size: Size::Quote(quote) } => Some(quote),
        OrderKind::Market { size: Size::Base(_) } => None,
        OrderKind::Limit { price, qty, .. } | OrderKind::LimitMaker { price, qty } => {
            price.times(qty).ok()
        }
    };
    price_fits && qty_fits && worth.is_none_or(|worth| rules.notional_min <= worth)
}
