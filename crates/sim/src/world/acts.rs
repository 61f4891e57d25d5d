//! Each fault at its time.

use rust_decimal::Decimal;
use tranche_model::{
    asset::Asset,
    filter::Filter,
    ids::{AccountId, Incarnation, InstrumentId},
    instrument::{Instrument, TradingStatus},
    money::{Amount, Price, Qty, Quote},
    order::{OrderKind, Side, TimeInForce},
    time::{Millis, Timestamp},
};
use tranche_trading::shard::Input;

use super::{
    World,
    chance::Chance,
    fault::Fault,
    line::{Caller, What},
    market,
    plan::Act,
    run::account_of,
    state::State,
};
use crate::exchange::Hand;

const SECOND: u32 = 1_000;
const MINUTE: u32 = 60 * SECOND;

impl World<'_> {
    pub(super) fn take_acts(&mut self) {
        while let Some(act) = self.plan.acts.get(self.next_act).copied() {
            if self.now < act.at {
                return;
            }
            self.next_act = self.next_act.saturating_add(1);
            let kept = self.plan.wish.keep.acts.as_ref();
            if kept.is_none_or(|kept| kept.contains(&act.number)) {
                self.checks.struck(act.fault, self.now);
                self.act(act);
            }
        }
    }

    fn act(&mut self, act: Act) {
        let mut chance = Chance::new(act.detail);
        match act.fault {
            Fault::RequestLost
            | Fault::ResponseLost
            | Fault::ConnectRefused
            | Fault::TlsFailure
            | Fault::LatencySpike
            | Fault::SlowBody
            | Fault::ServerErrorAfter
            | Fault::ServerErrorBefore
            | Fault::HtmlErrorPage
            | Fault::TruncatedJson
            | Fault::DropEvent
            | Fault::DuplicateNow
            | Fault::DuplicateLater
            | Fault::Reorder
            | Fault::Delay
            | Fault::ReplayOld
            | Fault::EventBeforeAck
            | Fault::ReadLag
            | Fault::MissingFromList
            | Fault::WrongTransientStatus
            | Fault::UnknownStatus
            | Fault::FieldChanged
            | Fault::FeeLater
            | Fault::ExitRefused
            | Fault::TooManyRequests => self.line.arm(act),
            Fault::DnsFailure => self.spell(act, chance.span(MINUTE, 20 * MINUTE)),
            Fault::HalfOpenSocket => self.spell(act, chance.span(10 * SECOND, 5 * MINUTE)),
            Fault::EndpointRemoved => self.spell(act, chance.span(MINUTE, 60 * MINUTE)),
            Fault::HistoryLimit => self.spell(act, chance.span(5 * MINUTE, 120 * MINUTE)),
            Fault::Banned => self.spell(act, chance.span(30 * SECOND, 5 * MINUTE)),
            Fault::KeyRevoked => self.revoke(act, &mut chance),
            Fault::Maintenance => self.maintain(act, &mut chance),
            Fault::DeafSocket
            | Fault::TokenExpiry
            | Fault::SubscriptionRefused
            | Fault::ReconnectStorm => self.disturb_stream(act, &mut chance),
            Fault::KillBeforeCommit
            | Fault::KillAfterCommit
            | Fault::KillBetweenSends
            | Fault::KillAfterSend => self.deaths.push(act),
            Fault::StoreError | Fault::LostWrite => self.store_faults.push(act),
            Fault::RestoredBackup => self.restore(),
            Fault::Paused | Fault::SecondInstance => self.usurp(act, &mut chance),
            Fault::ClockSkew => self.set_clock(act, chance.between(-400, 400)),
            Fault::ClockJump => self.set_clock(act, chance.between(-1_500, 1_500)),
            Fault::WeightChanged => self.weights.push(act),
            Fault::PartialFills
            | Fault::EmptyBook
            | Fault::BadTick
            | Fault::CrossedBook
            | Fault::BarGap
            | Fault::FrozenPrice => self.disturb_market(act, &mut chance),
            Fault::Halted | Fault::RulesChanged => self.change_rules(act, &mut chance),
            Fault::SelfTradePrevention | Fault::ManualCancel => self.end_an_order(act, &mut chance),
            Fault::ManualTrade => self.trade_by_hand(&mut chance),
            Fault::Transfer => self.transfer(&mut chance),
            Fault::CommandMidFlight => {
                self.struck.add(act.fault);
                self.meddle(act.detail);
            }
        }
    }

    fn spell(&mut self, act: Act, span: Millis) {
        self.line.begin_spell(act.fault, self.now.plus(span), act.detail);
    }

    /// Whoever makes the key anew may let it withdraw, and take that right away later.
    fn revoke(&mut self, act: Act, chance: &mut Chance) {
        let span = chance.span(MINUTE, 20 * MINUTE);
        self.spell(act, span);
        if chance.hits(1, 2)
            && let Some(life) = self.owner_life()
        {
            let account = account_of(&self.plan, chance.draw());
            let to = Caller { life, account, load: 0 };
            let told_at = self.now.plus(chance.span(SECOND, 20 * MINUTE));
            let mended_at = told_at.plus(chance.span(MINUTE, 120 * MINUTE));
            self.line.tell_at(to, What::KeyMayWithdraw(true), told_at);
            self.line.tell_at(to, What::KeyMayWithdraw(false), mended_at);
        }
    }

    fn maintain(&mut self, act: Act, chance: &mut Chance) {
        self.spell(act, chance.span(MINUTE, 15 * MINUTE));
        if chance.hits(1, 2) {
            return;
        }
        for account in self.plan.accounts.clone() {
            for order in self.exchange.open_orders(account) {
                // It was open a moment ago.
                let _gone = self.exchange.cancel_foreign(account, order.venue_id, self.now);
            }
        }
        self.collect();
    }

    fn disturb_stream(&mut self, act: Act, chance: &mut Chance) {
        self.struck.add(act.fault);
        let account = account_of(&self.plan, chance.draw());
        let Some(life) = self.owner_life() else { return };
        let to = Caller { life, account, load: 0 };
        let mut at = self.now;
        let rounds = if act.fault == Fault::ReconnectStorm { chance.between(4, 15) } else { 1 };
        for _ in 0..rounds {
            self.line.tell_at(to, What::Flow { open: false }, at);
            let unnoticed = if act.fault == Fault::DeafSocket {
                chance.span(SECOND, MINUTE)
            } else if act.fault == Fault::TokenExpiry {
                chance.among(Millis::ZERO, &[Millis::from_secs(45)])
            } else {
                Millis::ZERO
            };
            at = at.plus(unnoticed);
            self.line.tell_at(to, What::Stream { live: false }, at);
            let away = if act.fault == Fault::SubscriptionRefused {
                chance.span(MINUTE, 10 * MINUTE)
            } else if act.fault == Fault::ReconnectStorm {
                chance.span(50, 2_000)
            } else {
                chance.span(300, 8_000)
            };
            at = at.plus(away);
            self.line.tell_at(to, What::Flow { open: true }, at);
            self.line.tell_at(to, What::Stream { live: true }, at);
            at = at.plus(chance.span(50, 1_500));
        }
    }

    fn owner_life(&self) -> Option<u64> {
        self.nodes.get(self.owner)?.as_ref().map(|node| node.life)
    }

    fn set_clock(&mut self, act: Act, skew: i64) {
        if let Some(node) = self.nodes.get_mut(self.owner).and_then(Option::as_mut) {
            node.skew = skew;
            self.struck.add(act.fault);
        }
    }

    /// Every process is gone, and the store is as it was some time ago.
    fn restore(&mut self) {
        self.struck.add(Fault::RestoredBackup);
        self.states.add(State::Restored);
        for place in 0..self.nodes.len() {
            if let Some(node) = self.nodes.get_mut(place).and_then(Option::take) {
                self.bury(place, &node);
            }
        }
        self.memory = self.backup.clone();
        for settings in self.settings.values_mut() {
            let life = settings.origin.incarnation.get().saturating_add(1);
            settings.origin.incarnation = Incarnation::new(life);
        }
        self.checks.restored(&self.memory);
        self.people.retell(AccountId::new(0));
        self.starts_at = Some(self.now.plus(Millis::from_secs(5)));
    }

    /// Another process takes over, while the present one stands still or goes on.
    fn usurp(&mut self, act: Act, chance: &mut Chance) {
        let is_paused = act.fault == Fault::Paused;
        let has_room = self.nodes.iter().any(Option::is_none);
        let now = self.now;
        let Some(node) = self.nodes.get_mut(self.owner).and_then(Option::as_mut) else { return };
        if !has_room || node.is_fenced {
            return;
        }
        self.struck.add(act.fault);
        self.states.add(State::Fenced);
        if is_paused {
            let until = now.plus(chance.span(SECOND, 10 * MINUTE));
            node.paused_until = Some(until);
            node.ends_at = Some(until.plus(chance.span(SECOND, MINUTE)));
        } else {
            node.ends_at = Some(now.plus(chance.span(SECOND, 3 * MINUTE)));
        }
        node.is_fenced = true;
        let wait = if is_paused { chance.span(100, MINUTE) } else { Millis::ZERO };
        self.starts_at = Some(now.plus(wait));
    }

    fn disturb_market(&mut self, act: Act, chance: &mut Chance) {
        self.struck.add(act.fault);
        let now = self.now;
        let number = u32::try_from(chance.below(3)).unwrap_or(0);
        let place = usize::try_from(number).unwrap_or(0);
        let id = InstrumentId::new(number);
        let parts = self.market.price(place);
        if act.fault == Fault::PartialFills {
            self.thin_until = now.plus(chance.span(MINUTE, 120 * MINUTE));
        } else if act.fault == Fault::EmptyBook {
            self.dry_until = now.plus(chance.span(MINUTE, 20 * MINUTE));
        } else if act.fault == Fault::BarGap {
            self.gaps.insert(number, now.plus(chance.span(2 * MINUTE, 50 * MINUTE)));
            self.break_off(id);
        } else if act.fault == Fault::FrozenPrice {
            self.frozen.insert(number, now.plus(chance.span(5 * MINUTE, 240 * MINUTE)));
            self.market.jump(place, chance.between(-8, 8));
        } else if act.fault == Fault::CrossedBook {
            for parts in [parts.saturating_mul(98) / 100, parts.saturating_mul(102) / 100] {
                let tick = market::tick(self.exchange.instruments(), id, parts, now);
                self.show(&tick);
            }
        } else {
            let mut tick = market::tick(self.exchange.instruments(), id, parts, now);
            let wrong = [Decimal::NEGATIVE_ONE, Decimal::ONE_THOUSAND];
            let factor = chance.among(Decimal::ZERO, &wrong);
            tick.price = Price::new(tick.price.get().checked_mul(factor).unwrap_or_default());
            self.show(&tick);
        }
    }

    /// Every process hears that the market data of an instrument broke.
    fn break_off(&mut self, id: InstrumentId) {
        self.checks.gap(id);
        for place in 0..self.nodes.len() {
            if let Some(node) = self.nodes.get_mut(place).and_then(Option::as_mut) {
                node.step(Input::Gap(id), self.now);
                self.pump(place);
            }
        }
    }

    fn change_rules(&mut self, act: Act, chance: &mut Chance) {
        let number = u32::try_from(chance.below(3)).unwrap_or(0);
        let Some(known) = self.exchange.instruments().get(InstrumentId::new(number)) else {
            return;
        };
        let mut rules = known.clone();
        if act.fault == Fault::Halted {
            rules.status = chance.among(
                TradingStatus::Halted,
                &[TradingStatus::CancelOnly, TradingStatus::Delisted],
            );
            self.mended_at.insert(number, self.now.plus(chance.span(MINUTE, 90 * MINUTE)));
        } else {
            rules = other_rules(&rules, chance);
        }
        self.struck.add(act.fault);
        self.take_rules(&rules);
    }

    /// What was halted trades again when its time has come, or at once.
    pub(super) fn mend(&mut self, is_all: bool) {
        let due: Vec<u32> = self
            .mended_at
            .iter()
            .filter(|(_, at)| is_all || **at <= self.now)
            .map(|(number, _)| *number)
            .collect();
        for number in due {
            self.mended_at.remove(&number);
            let known = self.exchange.instruments().get(InstrumentId::new(number));
            if let Some(mut rules) = known.cloned() {
                rules.status = TradingStatus::Trading;
                self.take_rules(&rules);
            }
        }
    }

    fn take_rules(&mut self, rules: &Instrument) {
        if rules.status == TradingStatus::Delisted && self.has_deal_on(rules.id) {
            self.states.add(State::DelistedDuringDeal);
        }
        if let Some(former) = self.exchange.instruments().get(rules.id) {
            self.checks.ruled(former, self.now);
        }
        self.exchange.replace_instrument(rules.clone(), self.now);
        self.collect();
        let read = self.wire.and_then(|wire| wire.rules(rules, self.now));
        let rules = read.as_ref().unwrap_or(rules);
        for place in 0..self.nodes.len() {
            if let Some(node) = self.nodes.get_mut(place).and_then(Option::as_mut) {
                node.step(Input::Rules(Box::new(rules.clone())), self.now);
                self.pump(place);
            }
        }
    }

    fn has_deal_on(&self, id: InstrumentId) -> bool {
        self.plan.accounts.iter().filter_map(|account| self.account(*account)).any(|account| {
            let mut lanes = account.bots.values().flat_map(|bot| &bot.lanes);
            lanes.any(|lane| lane.instrument == id && lane.deal.is_some())
        })
    }

    fn end_an_order(&mut self, act: Act, chance: &mut Chance) {
        let account = account_of(&self.plan, chance.draw());
        let open = self.exchange.open_orders(account);
        let count = u64::try_from(open.len()).unwrap_or(0);
        let drawn = usize::try_from(chance.below(count)).unwrap_or(0);
        let Some(order) = open.get(drawn) else { return };
        self.struck.add(act.fault);
        if act.fault == Fault::ManualCancel {
            // It was open a moment ago.
            let _gone = self.exchange.cancel_foreign(account, order.venue_id, self.now);
        } else {
            self.exchange.prevent(account, order.venue_id, self.now);
        }
        self.collect();
    }

    fn trade_by_hand(&mut self, chance: &mut Chance) {
        let account = account_of(&self.plan, chance.draw());
        let number = u32::try_from(chance.below(3)).unwrap_or(0);
        let id = InstrumentId::new(number);
        let place = usize::try_from(number).unwrap_or(0);
        let Some(instrument) = self.exchange.instruments().get(id) else { return };
        let parts = self.market.price(place).saturating_mul(chance.between(800, 1_020)) / 1_000;
        let qty = Qty::new(Decimal::new(chance.between(1, 40), 1));
        let qty = instrument.round_qty(qty, tranche_model::decimal::Rounding::Up).unwrap_or(qty);
        let price = market::tick(self.exchange.instruments(), id, parts, self.now).price;
        let kind = OrderKind::Limit { price, qty, time_in_force: TimeInForce::GoodTillCancelled };
        let hand = Hand { instrument: id, side: Side::Buy, kind };
        if let Ok(placed) = self.exchange.place_foreign(account, hand, self.now) {
            self.struck.add(Fault::ManualTrade);
            self.checks.by_hand(account, placed.order.venue_id);
        }
        self.collect();
    }

    fn transfer(&mut self, chance: &mut Chance) {
        let account = account_of(&self.plan, chance.draw());
        let Ok(usdt) = Asset::parse("USDT") else { return };
        let units = self.plan.funds.saturating_mul(chance.between(-40, 20)) / 100;
        // More than is free cannot be taken out.
        if self.exchange.deposit(account, usdt, Amount::new(Decimal::from(units))).is_ok() {
            self.struck.add(Fault::Transfer);
            self.checks.disturbed.funds = true;
        }
        self.collect();
    }

    /// No faults from now on: the world heals, and what still troubles us is our own doing.
    pub(super) fn begin_calm(&mut self) {
        self.line.calm();
        self.deaths.clear();
        self.store_faults.clear();
        self.weights.clear();
        self.gaps.clear();
        self.frozen.clear();
        (self.dry_until, self.thin_until) = (Timestamp::MIN, Timestamp::MIN);
        self.mend(true);
        for account in self.plan.accounts.clone() {
            for order in self.exchange.foreign_open_orders(account) {
                let taken_back = self.exchange.cancel_foreign(account, order.venue_id, self.now);
                if taken_back.is_ok() {
                    self.checks.hand_gone(account, order.venue_id);
                }
            }
        }
        self.collect();
        if let Some(life) = self.owner_life() {
            for account in self.plan.accounts.clone() {
                let to = Caller { life, account, load: 0 };
                self.line.tell_at(to, What::Flow { open: true }, self.now);
                self.line.tell_at(to, What::Stream { live: true }, self.now);
                self.line.tell_at(to, What::KeyMayWithdraw(false), self.now);
            }
        }
        if let Some(node) = self.nodes.get_mut(self.owner).and_then(Option::as_mut) {
            node.skew = 0;
        }
    }
}

/// The same instrument with another grid, or another least worth of an order.
fn other_rules(known: &Instrument, chance: &mut Chance) -> Instrument {
    let tick =
        Price::new(chance.among(Decimal::new(1, 2), &[Decimal::new(5, 2), Decimal::new(1, 1)]));
    let step =
        Qty::new(chance.among(Decimal::new(1, 5), &[Decimal::new(1, 3), Decimal::new(1, 2)]));
    let least = Quote::new(Decimal::from(chance.among(5_u32, &[1, 10, 15])));
    let (changes_tick, changes_step) = (chance.hits(1, 2), chance.hits(1, 3));
    let mut filters = known.filters.clone();
    for filter in &mut filters {
        if let Filter::Price { min, tick: known, .. } = filter
            && changes_tick
        {
            (*min, *known) = (tick, tick);
        }
        if let Filter::LotSize { min, step: known, .. } = filter
            && changes_step
        {
            (*min, *known) = (step, step);
        }
        if let Filter::MinNotional { min, .. } = filter {
            *min = least;
        }
    }
    let mut rules = Instrument::new(known.id, known.symbol, filters);
    rules.status = known.status;
    rules
}
