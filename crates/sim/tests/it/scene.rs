//! A driver with a small market, and short words for what a test does to it.

use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    balance::{Balance, FeeAsset, FeeRates},
    candle::Tick,
    client_order_id::Origin,
    filter::Filter,
    ids::{AccountId, BotId, CommandId, DealNo, Incarnation, Installation, InstrumentId, UserId},
    instrument::{Instrument, Instruments},
    money::{Amount, Fraction, Price, Qty, Quote},
    time::{Millis, Timestamp},
};
use tranche_sim::driver::{Driver, Setup, Told};
use tranche_trading::{
    account::Account,
    bot::{Bot, Lane},
    dca::{
        Config, Deal, Draft,
        draft::{
            BaseOrderType, DeviationReference, LadderOrigin, Pct, QtyRounding, Start,
            StopLossReference, TakeProfitType,
        },
    },
    event::{Command, CommandBody, Settings, Timing},
    why::Why,
};

pub(crate) use crate::market::asset;

pub(crate) const A: InstrumentId = InstrumentId::new(0);
pub(crate) const B: InstrumentId = InstrumentId::new(1);
pub(crate) const OURS: AccountId = AccountId::new(1);
pub(crate) const THEIRS: AccountId = AccountId::new(2);
pub(crate) const BOT: BotId = BotId::new(7);
pub(crate) const FIRST_DEAL: DealNo = DealNo::new(1);

/// What is the same for the accounts of a scene.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) fees: FeeRates,
    pub(crate) fee_asset: FeeAsset,
    /// Of the quote asset.
    pub(crate) funds: i64,
}

impl Default for Terms {
    fn default() -> Self {
        let fee = Fraction::new(Decimal::new(1, 3));
        Self {
            fees: FeeRates { maker: fee, taker: fee },
            fee_asset: FeeAsset::Received,
            funds: 10_000,
        }
    }
}

/// A driver with what a test wants to remember.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) driver: Driver,
    pub(crate) whys: Vec<Why>,
    pub(crate) told: Vec<Told>,
    last_command: u128,
}

impl Scene {
    /// Two instruments, one account with a rich purse.
    pub(crate) fn new() -> Self {
        Self::with(Setup::default(), Terms::default())
    }

    pub(crate) fn with(setup: Setup, terms: Terms) -> Self {
        Self::on(vec![instrument(A, "AAA/USDT"), instrument(B, "BBB/USDT")], setup, terms)
    }

    pub(crate) fn on(list: Vec<Instrument>, setup: Setup, terms: Terms) -> Self {
        let instruments = Instruments::new(list).unwrap();
        let mut driver = Driver::new(instruments, setup, Timestamp::from_ms(1_000_000));
        driver.exchange.set_rate(asset("BNB"), asset("USDT"), price("300"));
        let mut scene = Self { driver, whys: Vec::new(), told: Vec::new(), last_command: 0 };
        scene.open_account(OURS, terms);
        scene
    }

    pub(crate) fn open_account(&mut self, account: AccountId, terms: Terms) {
        let purse = [("USDT", terms.funds), ("BNB", 1)].map(|(name, units)| Balance {
            asset: asset(name),
            free: Amount::new(Decimal::from(units)),
            locked: Amount::ZERO,
        });
        let Terms { fees, fee_asset, .. } = terms;
        self.driver.exchange.add_account(account, fees, fee_asset, purse.to_vec()).unwrap();
        self.driver.own(account, settings(terms));
        self.listen();
    }

    pub(crate) fn tick(&mut self, instrument: InstrumentId, at: &str) {
        self.tick_with(instrument, at, "0");
    }

    /// Half a second later.
    pub(crate) fn tick_with(&mut self, instrument: InstrumentId, at: &str, qty: &str) {
        let now = self.driver.now().plus(Millis::new(500));
        let qty = Qty::parse(qty).unwrap();
        self.driver.tick(&Tick { instrument, price: price(at), qty, at: now });
        self.listen();
    }

    pub(crate) fn wait(&mut self, seconds: u32) {
        self.driver.advance(self.driver.now().plus(Millis::from_secs(seconds)));
        self.listen();
    }

    /// Minutes with a tick every five seconds.
    pub(crate) fn minutes(&mut self, instrument: InstrumentId, at: &str, minutes: u32) {
        for _ in 0..minutes * 12 {
            self.wait(4);
            self.tick(instrument, at);
        }
    }

    pub(crate) fn evict(&mut self) {
        self.driver.evict(OURS);
        self.listen();
    }

    /// Returns the verdict.
    pub(crate) fn command(&mut self, body: CommandBody) -> Result<(), String> {
        self.command_for(OURS, body)
    }

    pub(crate) fn command_for(
        &mut self,
        account: AccountId,
        body: CommandBody,
    ) -> Result<(), String> {
        self.last_command += 1;
        let id = CommandId::new(self.last_command);
        self.driver.command(account, Command { id, body });
        self.listen();
        let stored = self.driver.memory.memory().stored(account).unwrap();
        stored.verdicts.get(&id).map(|row| row.verdict.clone()).unwrap()
    }

    pub(crate) fn create(&mut self, bot: BotId, draft: Draft) {
        self.create_for(OURS, bot, draft);
    }

    pub(crate) fn create_for(&mut self, account: AccountId, bot: BotId, draft: Draft) {
        let config = Box::new(config(draft));
        self.command_for(account, CommandBody::CreateBot { bot, config }).unwrap();
    }

    pub(crate) fn listen(&mut self) {
        for told in self.driver.take_told() {
            if let Told::Why { record, .. } = &told {
                self.whys.push(record.why.clone());
            }
            self.told.push(told);
        }
    }

    pub(crate) fn account(&self) -> &Account {
        self.driver.shard.account(OURS).unwrap()
    }

    pub(crate) fn bot(&self, bot: BotId) -> &Bot {
        &self.account().bots[&bot]
    }

    pub(crate) fn lane(&self, bot: BotId) -> &Lane {
        &self.bot(bot).lanes[0]
    }

    pub(crate) fn deal(&self, bot: BotId) -> &Deal {
        self.lane(bot).deal.as_ref().unwrap()
    }

    /// The open orders at the exchange, as short lines.
    pub(crate) fn open(&self) -> Vec<String> {
        let lines = self.driver.exchange.open_orders(OURS).into_iter().map(|order| {
            let slot = order.client_id.key().slot;
            format!("{slot}: {} {}", order.side, order.kind)
        });
        lines.collect()
    }

    /// How the deals of the account ended, in order.
    pub(crate) fn ended(&self) -> Vec<String> {
        let stored = self.driver.memory.memory().stored(OURS).unwrap();
        stored.deals.iter().map(|row| row.ended.clone()).collect()
    }

    pub(crate) fn orders_placed(&self) -> usize {
        let stored = self.driver.memory.memory().stored(OURS).unwrap();
        stored.intents.len()
    }

    /// The faults of calls by how many calls from now: 1 is the next.
    pub(crate) fn next_call(&mut self, ahead: u64, fault: tranche_sim::line::CallFault) {
        let (calls, _) = self.driver.line.counts();
        self.driver.line.plan_mut().calls.insert(calls + ahead, fault);
    }

    pub(crate) fn next_event(&mut self, ahead: u64, fault: tranche_sim::line::EventFault) {
        let (_, events) = self.driver.line.counts();
        self.driver.line.plan_mut().events.insert(events + ahead, fault);
    }

    pub(crate) fn next_commit(&mut self, ahead: u64, fault: tranche_sim::memory::CommitFault) {
        let submitted = self.driver.memory.submitted();
        self.driver.memory.plan_mut().insert(submitted + ahead, fault);
    }
}

pub(crate) fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

pub(crate) fn settings(terms: Terms) -> Settings {
    Settings {
        user: UserId::new(1),
        origin: Origin { installation: Installation::new(3), incarnation: Incarnation::new(1) },
        fees: terms.fees,
        fee_asset: terms.fee_asset,
        timing: Timing::default(),
    }
}

/// Ticks of 0.01, steps of 0.001, at least 5 quote.
pub(crate) fn instrument(id: InstrumentId, symbol: &str) -> Instrument {
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize {
            min: Qty::parse("0.001").unwrap(),
            max: Qty::parse("100000").unwrap(),
            step: Qty::parse("0.001").unwrap(),
        },
        Filter::MinNotional { min: Quote::parse("5").unwrap(), market: true },
    ];
    Instrument::new(id, Symbol::parse(symbol).unwrap(), filters)
}

pub(crate) fn config(draft: Draft) -> Config {
    Config::try_from(draft).unwrap()
}

/// A base order of 100 at market, two safety orders of 100, 1 % apart, 2 % profit.
pub(crate) fn draft() -> Draft {
    Draft {
        name: "plain".to_owned(),
        pairs: vec![Symbol::parse("AAA/USDT").unwrap()],
        base_order_volume: Quote::parse("100").unwrap(),
        base_order_type: BaseOrderType::default(),
        entry_reprice_seconds: 20,
        entry_timeout_seconds: 60,
        safety_order_volume: Quote::parse("100").unwrap(),
        safety_order_step_pct: pct("1"),
        step_scale: Fraction::ONE,
        volume_scale: Fraction::ONE,
        max_safety_orders: 2,
        active_safety_orders_count: Some(2),
        deviation_reference: DeviationReference::default(),
        ladder_origin: LadderOrigin::default(),
        take_profit_pct: pct("2"),
        take_profit_type: TakeProfitType::default(),
        trailing_deviation_pct: None,
        stop_loss_pct: None,
        stop_loss_reference: StopLossReference::default(),
        stop_loss_timeout_seconds: 0,
        stop_bot_after_stop_loss: false,
        cooldown_seconds: 0,
        max_active_deals: None,
        stop_after_deals: None,
        start: Start::default(),
        qty_rounding: QtyRounding::default(),
    }
}

pub(crate) fn pct(text: &str) -> Pct {
    Pct::parse(text).unwrap()
}
