//! One lane's turn: facts into its deal, settled orders out of their slots, the deal closed when it is
//! over, wanted compared with known, and the answer to "what do you wait for?".

use std::sync::Arc;

use tranche_model::{
    decimal::MathError,
    ids::Slot,
    instrument::Instrument,
    money::Price,
    order::{OrderStatus, Side},
    record::DealRow,
    time::{Millis, Timestamp},
};

use super::{
    desk::{AccountState, Desk, Entries, World},
    exposure::Share,
    reads::Read,
};
use crate::{
    bot::{Bot, BotStatus, Head, Lane, RETRY_LAST},
    dca::{Config, Deal, Fact, Permission, Scene, draft::Start},
    event::{Effects, LaneKey, StepError, WatchKey},
    order::{Cancel, Order, Stage},
    watch::Watch,
    why::{BlockReason, Ended, NoDeal, Why, WhyRecord},
};

/// How long fills that a status has announced may take to arrive before they are read.
const FILLS_AWAITED: Millis = Millis::from_secs(2);
/// How long a price stays unfit for a deal before it is looked at again.
const UNFIT_FOR: Millis = Millis::from_secs(60);
/// How much earlier than an order's creation its trades are looked for: clocks differ.
pub(super) const TRADES_MARGIN: Millis = Millis::from_secs(60);

/// A lane with everything that its turn may touch.
pub(super) struct Turn<'a> {
    pub(super) head: &'a mut Head,
    pub(super) lane: &'a mut Lane,
    pub(super) desk: &'a mut Desk,
    pub(super) world: &'a World<'a>,
    pub(super) instrument: &'a Instrument,
    pub(super) key: LaneKey,
    /// Open deals of the bot, this lane's included.
    pub(super) active_deals: u16,
}

impl<'a> Turn<'a> {
    /// `None` when the bot or lane is gone.
    pub(super) fn new(
        bot: Option<&'a mut Bot>,
        desk: &'a mut Desk,
        key: LaneKey,
        world: &'a World<'a>,
    ) -> Result<Option<Self>, StepError> {
        let Some(bot) = bot else { return Ok(None) };
        let active_deals = bot.active_deals();
        let Some(lane) = bot.lanes.get_mut(usize::from(key.lane)) else { return Ok(None) };
        let id = lane.instrument;
        let instrument = world.instruments.get(id).ok_or(StepError::NoInstrument(id))?;
        Ok(Some(Self { head: &mut bot.head, lane, desk, world, instrument, key, active_deals }))
    }

    /// Everything that follows from new facts. Returns whether the deal ended.
    pub(super) fn run(&mut self, out: &mut Effects) -> Result<bool, StepError> {
        out.dirty(self.key.bot);
        self.settle(out)?;
        self.await_fills();
        if self.is_quarantined() {
            return Ok(false);
        }
        let closed = self.close_when_over(out)?;
        // Nothing is bought at a price of some time ago: the next one says whether it is still wanted.
        self.drop_passed(|is_old| is_old);
        self.reconcile(out)?;
        self.answer(out)?;
        Ok(closed)
    }

    /// A bot that an input broke: what happens to its orders is written down, and nothing else done.
    pub(super) const fn is_quarantined(&self) -> bool {
        matches!(self.head.status, BotStatus::Quarantined { .. })
    }

    /// Tells the deal a fact. What a bot in quarantine makes of it may fail: it is computed anew when
    /// the bot is started.
    pub(super) fn tell(&mut self, fact: Fact<'_>, out: &mut Effects) -> Result<(), StepError> {
        let Some((config, _)) = self.config() else { return Ok(()) };
        let scene = self.scene(&config);
        let Some(deal) = &mut self.lane.deal else { return Ok(()) };
        let mut log = Vec::new();
        let applied = deal.apply(fact, &scene, &mut log);
        if !self.is_quarantined() {
            applied?;
        }
        for why in log {
            self.note(why, out);
        }
        Ok(())
    }

    /// The rules of the instrument changed: what was refused for the old ones is tried anew, and prices
    /// are brought onto the new grid.
    pub(super) fn take_rules(&mut self, out: &mut Effects) -> Result<(), StepError> {
        if self.is_quarantined() {
            return Ok(());
        }
        self.lane.look_at_price_again();
        for seat in &mut self.lane.seats {
            seat.unblock_unless(|blocked| !blocked.reason.hangs_on_rules());
        }
        self.tell(Fact::Rules, out)
    }

    /// Whether the deal has fixed a price that the instrument's rules do not know.
    pub(super) fn is_off_grid(&self) -> Result<bool, MathError> {
        let Some((config, _)) = self.config().filter(|_| !self.is_quarantined()) else {
            return Ok(false);
        };
        let scene = self.scene(&config);
        self.lane.deal.as_ref().map_or(Ok(false), |deal| deal.is_off_grid(&scene))
    }

    /// Safety orders that were passed and are not out are looked at anew: the price may have left them.
    pub(super) fn look_anew(&mut self) {
        self.drop_passed(|_is_old| true);
    }

    fn drop_passed(&mut self, is_meant: impl FnOnce(bool) -> bool) {
        let Self { lane, world, .. } = self;
        let passed = lane.deal.as_ref().and_then(|deal| deal.merged_slot(world.now));
        if let Some((slot, is_old)) = passed
            && is_meant(is_old)
            && lane.seat(slot).is_none_or(|seat| seat.order.is_none())
            && let Some(deal) = &mut lane.deal
        {
            deal.drop_merge();
        }
    }

    /// Opens a deal at a fresh price if nothing speaks against it.
    pub(super) fn start(&mut self, price: Price, out: &mut Effects) -> Result<bool, StepError> {
        let Some(config) = self.head.current() else { return Ok(false) };
        if self.no_deal(&config).is_some() || !self.is_start_due(&config) {
            return Ok(false);
        }
        if config.check_instrument(self.instrument, Some(price)).is_err() {
            let unfit = NoDeal::Unfit { until: self.world.now.plus(UNFIT_FOR) };
            self.note(Why::NoDeal(unfit), out);
            self.lane.no_deal = Some(Box::new(unfit));
            return Ok(false);
        }
        let scene = self.scene(&config);
        let no = self.head.next_deal;
        let deal = Deal::open(no, self.head.version, price, &scene)?;
        self.head.next_deal = tranche_model::ids::DealNo::new(no.get().saturating_add(1));
        self.head.deals_opened = self.head.deals_opened.saturating_add(1);
        self.lane.deal = Some(deal);
        self.lane.seats = Box::default();
        let by_command = self.lane.start_wanted;
        self.lane.start_wanted = false;
        self.lane.trades_read_to = self.world.now;
        self.lane.no_deal = None;
        self.note(Why::DealOpened { price, by_command }, out);
        Ok(true)
    }

    /// Answers what the lane waits for.
    pub(super) fn answer(&mut self, out: &mut Effects) -> Result<(), StepError> {
        let mut watch = match self.config() {
            Some((config, true)) => {
                let scene = self.scene(&config);
                self.lane.deal.as_ref().map(|deal| deal.watch(&scene)).transpose()?
            }
            Some((config, false)) => Some(self.watch_for_start(&config, out)),
            None => None,
        }
        .unwrap_or_default();
        let retry = self.lane.seats.iter().filter_map(|seat| {
            let blocked = seat.blocked().filter(|_| seat.order.is_none());
            let blocked = blocked.map(|blocked| blocked.retry_at);
            let again = seat.order.as_ref().and_then(|order| match order.cancel() {
                Cancel::Again { at, .. } => Some(at),
                Cancel::No | Cancel::Asked { .. } => None,
            });
            [blocked, again].into_iter().flatten().min()
        });
        // A time that is past already was made use of in this turn.
        let next = retry.filter(|at| self.world.now < *at).chain(watch.at).min();
        watch.at = next;
        out.watches.push((WatchKey::Lane(self.key), Some((self.lane.instrument, watch))));
        Ok(())
    }

    pub(super) fn note(&self, why: Why, out: &mut Effects) {
        out.whys.push(WhyRecord {
            at: self.world.now,
            bot: Some(self.key.bot),
            deal: self.lane.deal.as_ref().map(|deal| deal.no),
            instrument: Some(self.lane.instrument),
            why,
        });
    }

    /// The settings of the open deal, or of the next one; and whether a deal is open.
    pub(super) fn config(&self) -> Option<(Arc<Config>, bool)> {
        match &self.lane.deal {
            Some(deal) => self.head.config(deal.version).map(|config| (config, true)),
            None => self.head.current().map(|config| (config, false)),
        }
    }

    pub(super) fn scene<'c>(&self, config: &'c Config) -> Scene<'c>
    where
        'a: 'c,
    {
        Scene {
            config,
            instrument: self.instrument,
            fees: self.desk.settings.fees,
            now: self.world.now,
            is_whole: !self.is_reading(),
        }
    }

    /// What the bot and the account allow, the stricter.
    pub(super) fn entries(&self) -> Entries {
        if self.is_quarantined() {
            return Entries::Frozen;
        }
        let of_account = self.desk.entries();
        if self.head.entries_paused {
            Entries::Withdrawn
        } else if (self.is_unread() || self.has_strays(None)) && of_account == Entries::Allowed {
            Entries::Frozen
        } else {
            of_account
        }
    }

    /// Whether an order of the deal that a former life left may rest at the venue, of that side when one is
    /// named.
    pub(super) fn has_strays(&self, side: Option<Side>) -> bool {
        let (bot, instrument) = (self.key.bot, self.lane.instrument);
        let which = (side, self.desk.settings.origin);
        let of_deal = |deal: &Deal| self.desk.strays.are_of((bot, deal.no), instrument, which);
        self.lane.deal.as_ref().is_some_and(of_deal)
    }

    /// Whether the venue refuses to tell what was traded on the instrument.
    fn is_unread(&self) -> bool {
        self.desk.unread.contains(&self.lane.instrument)
    }

    pub(super) fn permission(&self) -> Permission {
        Permission { entries: self.entries() != Entries::Withdrawn }
    }

    /// Changes an order and what it holds back, together.
    pub(super) fn change<T>(
        &mut self,
        slot: Slot,
        change: impl FnOnce(&mut Order) -> Result<T, MathError>,
    ) -> Result<Option<T>, MathError> {
        let place = (self.lane.instrument, self.instrument.symbol);
        let fee = self.desk.buy_fee();
        let seat = self.lane.seats.iter_mut().find(|seat| seat.slot == slot);
        let Some(order) = seat.and_then(|seat| seat.order.as_deref_mut()) else { return Ok(None) };
        let before = Share::of(order, place, fee)?;
        let result = change(order)?;
        let after = Share::of(order, place, fee)?;
        self.desk.exposure.shift(before, after)?;
        Ok(Some(result))
    }

    /// Puts an order into its slot; from now on it holds funds and a place back.
    pub(super) fn seat_order(&mut self, slot: Slot, order: Order) -> Result<(), MathError> {
        let place = (self.lane.instrument, self.instrument.symbol);
        let share = Share::of(&order, place, self.desk.buy_fee())?;
        self.desk.exposure.shift(None, share)?;
        self.lane.seat_mut(slot).order = Some(Box::new(order));
        Ok(())
    }

    /// Frees the slots of settled orders and tells the deal.
    fn settle(&mut self, out: &mut Effects) -> Result<(), StepError> {
        loop {
            let settled = self.lane.seats.iter_mut().find_map(|seat| {
                let order = seat.order.take_if(|order| order.is_settled())?;
                let status = order.end().unwrap_or(OrderStatus::Expired);
                let executed = order.executed();
                let pauses = seat.blocked().is_some_and(|blocked| {
                    let is_answer =
                        matches!(blocked.reason, BlockReason::Refused(_) | BlockReason::NotSent);
                    is_answer && self.world.now < blocked.retry_at
                });
                if executed.is_positive() {
                    seat.unblock_unless(|_| false);
                } else if order.cancel() == Cancel::No && !pauses {
                    // Nothing of it was traded, and nobody took it back: asking again at once would ask
                    // for ever.
                    seat.block(BlockReason::EndedUntraded, self.world.now);
                }
                seat.remember_trades(order.into_trades());
                Some((seat.slot, executed, status))
            });
            let Some((slot, executed, status)) = settled else { return Ok(()) };
            self.tell(Fact::Settled { slot, executed, status }, out)?;
        }
    }

    /// Fills that a status has announced and that do not come are read.
    fn await_fills(&mut self) {
        let now = self.world.now;
        let missing = self.lane.orders().filter(|(_, order)| order.booked() < order.executed());
        let wanted = missing.map(|(_, order)| {
            (due_after(order.reported_at, now), order.created_at.minus(TRADES_MARGIN))
        });
        let wanted = wanted.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)));
        let read = Read::Trades(self.lane.instrument);
        match wanted {
            Some(wanted) => self.desk.reads.want_for(self.key, read, wanted),
            None => self.desk.reads.release(self.key, read),
        }
        // A market order is over at once: one that only was taken is asked for.
        let instrument = self.lane.instrument;
        for (_, order) in self.lane.orders() {
            if order.stage == Stage::Open && !order.kind.rests() {
                let read = Read::Order(order.client_id, instrument);
                let due = due_after(order.created_at, now);
                self.desk.reads.want_for(self.key, read, (due, due));
            }
        }
    }

    fn close_when_over(&mut self, out: &mut Effects) -> Result<bool, StepError> {
        if self.lane.has_orders() || self.is_reading() {
            return Ok(false);
        }
        self.tell(Fact::Quiet, out)?;
        let Some((config, true)) = self.config() else { return Ok(false) };
        let scene = self.scene(&config);
        let Some(deal) = &self.lane.deal else { return Ok(false) };
        let Some(ended) = deal.over(&scene)? else { return Ok(false) };
        let profit = match ended {
            Ended::Cancelled => deal.position.realized()?,
            Ended::TakeProfit
            | Ended::TrailingTakeProfit
            | Ended::StopLoss
            | Ended::ClosedByCommand
            | Ended::NoEntry
            | Ended::Dust => deal.position.profit()?,
        };
        let row = DealRow {
            bot: self.key.bot,
            deal: deal.no,
            instrument: self.lane.instrument,
            opened_at: deal.opened_at,
            closed_at: self.world.now,
            ended: ended.name().to_owned(),
            profit,
            fees: deal.position.entry_fees.plus(deal.position.exit_fees)?,
            bought: deal.position.cost,
            safety_orders: deal.levels.count(),
        };
        let held = deal.position.held()?;
        let asset = self.instrument.symbol.base;
        if held.is_positive() && ended != Ended::Cancelled {
            self.head.add_dust(asset, held)?;
            self.note(Why::Dust { qty: held, asset }, out);
        }
        self.note(Why::DealClosed { ended, profit: row.profit }, out);
        self.head.profit = self.head.profit.plus(row.profit)?;
        self.head.deals_closed = self.head.deals_closed.saturating_add(1);
        self.desk.losses.add(self.instrument.symbol.quote, row.profit, self.world.now)?;
        out.account_dirty = true;
        out.deals.push(row);
        let pause = self.lane.pause_after(ended).max(config.cooldown());
        self.lane.deal = None;
        self.lane.seats = Box::default();
        self.lane.cooldown_until = self.world.now.plus(pause);
        self.active_deals = self.active_deals.saturating_sub(1);
        self.stop_bot_if_due(ended, &config, out);
        Ok(true)
    }

    fn stop_bot_if_due(&mut self, ended: Ended, config: &Config, out: &mut Effects) {
        if ended == Ended::NoEntry {
            self.head.deals_opened = self.head.deals_opened.saturating_sub(1);
        }
        let deals = self.head.deals_opened;
        let is_last = config.stop_after_deals().is_some_and(|most| most <= deals);
        let is_stopped_out = ended == Ended::StopLoss && config.stop_bot_after_stop_loss();
        if (is_last || is_stopped_out) && self.head.status == BotStatus::Running {
            self.head.status = BotStatus::Stopped;
            self.note(Why::BotDisabled { deals }, out);
        }
    }

    fn is_start_due(&self, config: &Config) -> bool {
        self.lane.start_wanted || config.start() == Start::Asap
    }

    /// What speaks against a new deal.
    fn no_deal(&self, config: &Config) -> Option<NoDeal> {
        let now = self.world.now;
        let is_named = config.pairs().contains(&self.instrument.symbol);
        let is_spent = config.stop_after_deals().is_some_and(|most| most <= self.head.deals_opened);
        if self.head.status != BotStatus::Running || !is_named || is_spent {
            return Some(NoDeal::Stopped);
        }
        if self.desk.rights.may_withdraw() {
            return Some(NoDeal::KeyMayWithdraw);
        }
        if self.is_unread() {
            return Some(NoDeal::Unread);
        }
        if self.entries() != Entries::Allowed || self.desk.state != AccountState::Ready {
            return Some(NoDeal::EntriesPaused);
        }
        if !self.is_allowed() {
            return Some(NoDeal::NotAllowed);
        }
        if self.is_daily_loss_reached() {
            return Some(NoDeal::DailyLoss);
        }
        let most = config.max_active_deals();
        if most <= self.active_deals {
            return Some(NoDeal::MaxActiveDeals { most });
        }
        if let Some(NoDeal::Unfit { until }) = self.lane.no_deal.as_deref()
            && now < *until
        {
            return Some(NoDeal::Unfit { until: *until });
        }
        if now < self.lane.cooldown_until && !self.lane.start_wanted {
            return Some(NoDeal::Cooldown { until: self.lane.cooldown_until });
        }
        None
    }

    fn watch_for_start(&mut self, config: &Config, out: &mut Effects) -> Watch {
        if !self.is_start_due(config) {
            return Watch::default();
        }
        let reason = self.no_deal(config);
        if reason.as_ref() != self.lane.no_deal.as_deref()
            && let Some(reason) = reason
        {
            self.note(Why::NoDeal(reason), out);
        }
        self.lane.no_deal = reason.map(Box::new);
        match reason {
            None => Watch { any_price: true, ..Watch::default() },
            Some(NoDeal::Cooldown { until } | NoDeal::Unfit { until }) => at(until),
            Some(NoDeal::DailyLoss) => at(next_day(self.world.now)),
            Some(
                NoDeal::MaxActiveDeals { .. }
                | NoDeal::EntriesPaused
                | NoDeal::NotAllowed
                | NoDeal::Unread
                | NoDeal::KeyMayWithdraw
                | NoDeal::Stopped,
            ) => Watch::default(),
        }
    }
}

/// When to ask for what should have been told since `since`: the longer it is missing, the rarer.
fn due_after(since: Timestamp, now: Timestamp) -> Timestamp {
    let half = Millis::new(now.since(since).ms() / 2);
    now.plus(half.clamp(FILLS_AWAITED, RETRY_LAST))
}

fn at(moment: Timestamp) -> Watch {
    Watch { at: Some(moment), ..Watch::default() }
}

fn next_day(now: Timestamp) -> Timestamp {
    Timestamp::from_ms(now.utc_day().saturating_add(1).saturating_mul(86_400_000))
}
