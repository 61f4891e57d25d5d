//! Any settings that the door lets through, any market, any faults: the books agree at every moment,
//! and everything comes to rest.

mod draw;

use std::collections::BTreeMap;

use proptest::prelude::*;
use rust_decimal::Decimal;
use tranche_model::{
    candle::Tick,
    filter::Filter,
    ids::{AccountId, BotId, CommandId, DealNo, InstrumentId, Slot},
    instrument::{Instrument, TradingStatus},
    money::{Amount, Price, Qty, Quote},
    order::{OrderKind, Side, Size, TimeInForce},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    driver::{Driver, Setup, Told},
    exchange::{self, Hand},
    line::{CallFault, EventFault},
    memory::CommitFault,
};
use tranche_trading::{
    codec,
    dca::Config,
    event::{Command, CommandBody, KillLevel, Scope},
    shard::Options,
    why::{Why, WhyRecord},
};

use self::draw::storm;
use crate::{
    books::{self, Disturbed},
    scene::{OURS, Scene, THEIRS, Terms, asset},
};

/// Prices start at 100.00.
const START: i64 = 10_000;
const BOTS: u32 = 4;

#[derive(Debug, Clone)]
enum Step {
    Tick {
        instrument: u32,
        permille: i64,
        qty: i64,
    },
    Wait {
        ms: u32,
    },
    Command {
        account: u32,
        bot: u32,
        what: What,
    },
    Call {
        ahead: u64,
        fault: CallFault,
    },
    Event {
        ahead: u64,
        fault: EventFault,
    },
    Commit {
        ahead: u64,
        fault: CommitFault,
    },
    Evict {
        account: u32,
    },
    Crash,
    Gap {
        instrument: u32,
    },
    Stream {
        account: u32,
        live: bool,
    },
    Deposit {
        account: u32,
        units: i64,
    },
    Withdraw {
        account: u32,
        units: i64,
    },
    Hand {
        account: u32,
        instrument: u32,
        side: Side,
        permille: i64,
        steps: i64,
    },
    /// The exchange changes the rules: the least worth of an order, and whether it trades.
    Rules {
        instrument: u32,
        least: i64,
        status: TradingStatus,
    },
    /// A person takes back an order of ours.
    Meddle {
        account: u32,
        which: usize,
    },
}

#[derive(Debug, Clone)]
enum What {
    Create(Box<Config>),
    Edit(Box<Config>, bool),
    Delete,
    Pause,
    Resume,
    PauseAll,
    ResumeAll,
    Stop,
    Start,
    StartDeal(u32),
    Cancel,
    Close,
    Kill(KillLevel),
    Rearm,
}

/// What faults a storm may have.
#[derive(Debug, Clone, Copy)]
struct Weather {
    line: u32,
    commits: u32,
    hands: u32,
    commands: u32,
}

#[derive(Debug, Clone)]
struct Storm {
    instruments: Vec<Instrument>,
    exchange: exchange::Settings,
    terms: Terms,
    events_first: bool,
    bots: Vec<(u32, Config)>,
    steps: Vec<Step>,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_config_that_the_door_lets_through_breaks_the_books(storm in storm(FAIR)) {
        weather(&storm)?;
    }

    #[test]
    fn no_command_breaks_the_books(storm in storm(COMMANDS)) {
        weather(&storm)?;
    }

    #[test]
    fn no_fault_of_the_line_breaks_the_books(storm in storm(LINE)) {
        weather(&storm)?;
    }

    #[test]
    fn no_fault_of_the_store_breaks_the_books(storm in storm(COMMITS)) {
        weather(&storm)?;
    }

    #[test]
    fn no_other_hand_breaks_the_books(storm in storm(HANDS)) {
        weather(&storm)?;
    }

    #[test]
    fn nothing_at_once_breaks_the_books(storm in storm(EVERYTHING)) {
        weather(&storm)?;
    }
}

const FAIR: Weather = Weather { line: 0, commits: 0, hands: 0, commands: 0 };
const COMMANDS: Weather = Weather { commands: 6, ..FAIR };
const LINE: Weather = Weather { line: 6, commits: 1, ..FAIR };
const COMMITS: Weather = Weather { commits: 6, ..FAIR };
const HANDS: Weather = Weather { hands: 4, ..FAIR };
const EVERYTHING: Weather = Weather { line: 4, commits: 3, hands: 1, commands: 3 };

fn weather(storm: &Storm) -> Result<(), TestCaseError> {
    let mut run = Run::new(storm);
    run.check()?;
    for (bot, config) in &storm.bots {
        let (account, bot) = (OURS, BotId::new(*bot));
        run.command(account, CommandBody::CreateBot { bot, config: Box::new(config.clone()) });
        run.check()?;
    }
    let steps = storm.steps.iter().try_for_each(|step| run.step(step));
    steps.and_then(|()| run.calm()).map_err(|error| {
        let last = run.log.len().saturating_sub(40);
        TestCaseError::fail(format!("{error}\n{}", run.log[last..].join("\n")))
    })
}

/// A slot of a deal.
type Place = (AccountId, Option<BotId>, Option<DealNo>, Slot);

struct Run {
    scene: Scene,
    now: Timestamp,
    prices: [i64; 2],
    tick: [Price; 2],
    disturbed: Disturbed,
    commands: BTreeMap<CommandId, (AccountId, CommandBody)>,
    last_command: u128,
    stopped: BTreeMap<(AccountId, BotId), DealNo>,
    /// How often each slot was filled with an order within a second from a moment on.
    placed: BTreeMap<Place, (Timestamp, u32)>,
    /// When the price last passed watched safety orders.
    passed: BTreeMap<(AccountId, Option<BotId>), Timestamp>,
    /// Whether decisions may be lost with their commit.
    forgets: bool,
    /// What was decided, for the message of a failure.
    log: Vec<String>,
}

impl Run {
    fn new(storm: &Storm) -> Self {
        let mut setup = Setup {
            exchange: storm.exchange,
            shard: Options { chunk: 2, ..Options::default() },
            ..Setup::default()
        };
        setup.line.events_first = storm.events_first;
        let mut scene = Scene::on(storm.instruments.clone(), setup, storm.terms);
        scene.open_account(THEIRS, storm.terms);
        let now = scene.driver.now();
        let tick = [storm.instruments[0].tick, storm.instruments[1].tick];
        Self {
            scene,
            now,
            prices: [START, START],
            tick,
            disturbed: Disturbed::default(),
            commands: BTreeMap::new(),
            last_command: 0,
            stopped: BTreeMap::new(),
            placed: BTreeMap::new(),
            passed: BTreeMap::new(),
            forgets: false,
            log: Vec::new(),
        }
    }

    fn driver(&mut self) -> &mut Driver {
        &mut self.scene.driver
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.forgets |= matches!(step, Step::Commit { .. } | Step::Evict { .. } | Step::Crash);
        match step {
            Step::Tick { instrument, permille, qty } => {
                self.go(Millis::new(200))?;
                self.log.push(format!("{} {step:?}", self.now.ms()));
                self.tick_by(*instrument, *permille, *qty);
            }
            Step::Wait { ms } => self.go(Millis::new(*ms))?,
            Step::Command { account, bot, what } => self.order(*account, *bot, what),
            Step::Call { ahead, fault } => self.scene.next_call(*ahead, *fault),
            Step::Event { ahead, fault } => self.scene.next_event(*ahead, *fault),
            Step::Commit { ahead, fault } => self.scene.next_commit(*ahead, *fault),
            Step::Evict { account } => self.driver().evict(account_of(*account)),
            Step::Crash => {
                self.driver().memory.crash();
                self.driver().evict(OURS);
                self.driver().evict(THEIRS);
            }
            Step::Gap { instrument } => self.driver().gap(InstrumentId::new(*instrument)),
            Step::Stream { account, live } => self.driver().stream(account_of(*account), *live),
            Step::Deposit { account, units } => self.deposit(*account, *units),
            Step::Withdraw { account, units } => self.deposit(*account, -*units),
            Step::Hand { account, instrument, side, permille, steps } => {
                self.by_hand((*account, *instrument), *side, (*permille, *steps));
            }
            Step::Rules { instrument, least, status } => {
                self.rules(*instrument, Some(*least), *status);
            }
            Step::Meddle { account, which } => self.meddle(*account, *which),
        }
        self.check()
    }

    /// Time passes; everything is looked at wherever something happens.
    fn go(&mut self, span: Millis) -> Result<(), TestCaseError> {
        let until = self.now.plus(span);
        let mut rounds = 0;
        while let Some(due) = self.scene.driver.next_due().filter(|due| *due < until) {
            rounds += 1;
            prop_assert!(rounds < 10_000, "time stands still at {:?}", due);
            self.scene.driver.advance(due.max(self.now));
            let now = self.scene.driver.now();
            if now == self.now {
                // Something is due at this very moment; a step of the clock takes it along.
                self.scene.driver.advance(self.now.plus(Millis::new(1)));
            }
            self.now = self.scene.driver.now();
            self.check()?;
        }
        self.scene.driver.advance(until);
        self.now = until.max(self.scene.driver.now());
        Ok(())
    }

    fn tick_by(&mut self, instrument: u32, permille: i64, qty: i64) {
        let place = usize::try_from(instrument).unwrap();
        let former = self.prices[place];
        let moved = (former + former * permille / 1000).clamp(50, 1_000_000_000);
        self.prices[place] = moved;
        let price = Decimal::new(moved, 2);
        let tick = self.tick[place].get();
        let price = ((price / tick).floor() * tick).max(tick);
        let tick = Tick {
            instrument: InstrumentId::new(instrument),
            price: Price::new(price),
            qty: Qty::new(Decimal::new(qty, 1)),
            at: self.now,
        };
        self.scene.driver.tick(&tick);
    }

    fn command(&mut self, account: AccountId, body: CommandBody) {
        self.last_command += 1;
        let id = CommandId::new(self.last_command);
        self.commands.insert(id, (account, body));
    }

    fn order(&mut self, account: u32, bot: u32, what: &What) {
        let account = account_of(account);
        let bot = BotId::new(bot + 1);
        let deal = self.scene.driver.shard.account(account).and_then(|account| {
            let known = account.bots.get(&bot)?;
            known.lanes.iter().find_map(|lane| lane.deal.as_ref()).map(|deal| deal.no)
        });
        let deal = deal.unwrap_or(DealNo::new(1));
        let body = match what {
            What::Create(config) => CommandBody::CreateBot { bot, config: config.clone() },
            What::Edit(config, open_deals) => {
                self.disturbed.edits |= *open_deals;
                CommandBody::EditBot { bot, config: config.clone(), open_deals: *open_deals }
            }
            What::Delete => CommandBody::DeleteBot { bot },
            What::Pause => CommandBody::PauseEntries { scope: Scope::Bot(bot) },
            What::Resume => CommandBody::Resume { scope: Scope::Bot(bot) },
            What::PauseAll => CommandBody::PauseEntries { scope: Scope::Account },
            What::ResumeAll => CommandBody::Resume { scope: Scope::Account },
            What::Stop => CommandBody::StopBot { bot },
            What::Start => CommandBody::StartBot { bot },
            What::StartDeal(instrument) => {
                CommandBody::StartDeal { bot, instrument: InstrumentId::new(*instrument) }
            }
            What::Cancel => CommandBody::CancelDeal { bot, deal },
            What::Close => CommandBody::CloseDeal { bot, deal },
            What::Kill(level) => CommandBody::Kill { level: *level },
            What::Rearm => CommandBody::Rearm,
        };
        self.command(account, body);
    }

    /// Commands are given until they have a verdict, as whoever feeds a shard does it.
    fn insist(&mut self) {
        for (id, (account, body)) in self.commands.clone() {
            let stored = self.scene.driver.memory.memory().stored(account).unwrap();
            if !stored.verdicts.contains_key(&id) {
                self.scene.driver.command(account, Command { id, body: body.clone() });
            }
            let stored = self.scene.driver.memory.memory().stored(account).unwrap();
            if let Some(row) = stored.verdicts.get(&id) {
                let is_done = row.verdict.is_ok();
                self.commands.remove(&id);
                self.note_status(account, &body, is_done);
            }
        }
    }

    /// Which bots are stopped, and at which deal.
    fn note_status(&mut self, account: AccountId, body: &CommandBody, is_done: bool) {
        if let CommandBody::StartBot { bot } | CommandBody::DeleteBot { bot } = body {
            self.stopped.remove(&(account, *bot));
        }
        let CommandBody::StopBot { bot } = body else { return };
        let known = self.scene.driver.shard.account(account);
        if let Some(bot) = known.and_then(|known| known.bots.get(bot)).filter(|_| is_done) {
            self.stopped.insert((account, bot.head.id), bot.head.next_deal);
        }
    }

    fn deposit(&mut self, account: u32, units: i64) {
        self.disturbed.funds = true;
        let amount = Amount::new(Decimal::from(units));
        // More than is free cannot be taken out.
        let _refused =
            self.scene.driver.exchange.deposit(account_of(account), asset("USDT"), amount);
    }

    fn by_hand(
        &mut self,
        (account, instrument): (u32, u32),
        side: Side,
        (permille, steps): (i64, i64),
    ) {
        self.disturbed.funds = true;
        let place = usize::try_from(instrument).unwrap();
        let tick = self.tick[place].get();
        let price = Decimal::new(self.prices[place] + self.prices[place] * permille / 1000, 2);
        let price = Price::new(((price / tick).floor() * tick).max(tick));
        let id = InstrumentId::new(instrument);
        let step = self.scene.driver.exchange.instruments().get(id).unwrap().step;
        let qty = step.scaled(Decimal::from(steps)).unwrap();
        let kind = match side {
            Side::Buy => {
                OrderKind::Limit { price, qty, time_in_force: TimeInForce::GoodTillCancelled }
            }
            Side::Sell => OrderKind::Market { size: Size::Base(qty) },
        };
        // A sale by hand may only sell what no deal holds, or the deals cannot be closed.
        if side == Side::Sell {
            return;
        }
        let hand = Hand { instrument: id, side, kind };
        let now = self.now;
        let _refused = self.scene.driver.exchange.place_foreign(account_of(account), hand, now);
    }

    fn rules(&mut self, instrument: u32, least: Option<i64>, status: TradingStatus) {
        let instruments = self.scene.driver.exchange.instruments();
        let mut rules = instruments.get(InstrumentId::new(instrument)).unwrap().clone();
        if let Some(least) = least {
            rules.notional_min = Quote::new(Decimal::from(least));
            for filter in &mut rules.filters {
                if let Filter::MinNotional { min, .. } = filter {
                    *min = rules.notional_min;
                }
            }
        }
        rules.status = status;
        self.scene.driver.change_rules(rules);
    }

    fn meddle(&mut self, account: u32, which: usize) {
        let account = account_of(account);
        let orders = self.scene.driver.exchange.open_orders(account);
        if let Some(order) = orders.get(which) {
            let id = order.venue_id;
            let now = self.now;
            self.scene.driver.exchange.cancel_foreign(account, id, now).unwrap();
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.insist();
        for told in self.scene.driver.take_told() {
            if let Told::Quarantined { reason, input, .. } = &told {
                let input = codec::decode_event(input);
                return Err(TestCaseError::fail(format!("quarantined: {reason}, by {input:?}")));
            }
            if let Told::Dead { reason, .. } = &told {
                return Err(TestCaseError::fail(format!("dead: {reason}")));
            }
            if let Told::Why { account, record } = &told {
                self.hear(record)?;
                self.count(*account, record)?;
                self.check_passed(*account, record)?;
                let (bot, deal) = (record.bot.map(BotId::get), record.deal.map(DealNo::get));
                let at = record.at.ms();
                self.log.push(format!("{at} {bot:?} {deal:?} {}", record.why));
            }
        }
        for account in [OURS, THEIRS] {
            books::always(&self.scene.driver, account, self.disturbed)
                .map_err(TestCaseError::fail)?;
        }
        for ((account, bot), next_deal) in &self.stopped {
            let account = self.scene.driver.shard.account(*account);
            let known = account.and_then(|account| account.bots.get(bot));
            if let Some(bot) = known {
                prop_assert_eq!(bot.head.next_deal, *next_deal, "a stopped bot opened a deal");
            }
        }
        Ok(())
    }

    /// No order is placed again and again without a pause, whatever becomes of it.
    fn count(&mut self, account: AccountId, record: &WhyRecord) -> Result<(), TestCaseError> {
        let key = |slot| (account, record.bot, record.deal, slot);
        if let Why::Filled { slot, .. } = record.why {
            // What is too much for one order goes out in parts.
            self.placed.remove(&key(slot));
        }
        let Why::Placed { slot, .. } = record.why else { return Ok(()) };
        let key = key(slot);
        let (since, count) = self.placed.entry(key).or_insert((record.at, 0));
        if since.plus(Millis::from_secs(1)) < record.at {
            (*since, *count) = (record.at, 0);
        }
        *count += 1;
        prop_assert!(*count <= 20, "{slot} placed {count} times within a second");
        Ok(())
    }

    /// A watched safety order is bought at the price that passed it, not at one of long ago.
    fn check_passed(
        &mut self,
        account: AccountId,
        record: &WhyRecord,
    ) -> Result<(), TestCaseError> {
        let key = (account, record.bot);
        if let Why::SafetyTriggered { .. } = record.why {
            self.passed.insert(key, record.at);
        }
        let Why::Placed { slot, kind: OrderKind::Market { .. }, .. } = record.why else {
            return Ok(());
        };
        if slot.safety_number().is_some() && !self.forgets {
            let since = self.passed.get(&key).map(|passed| record.at.since(*passed));
            prop_assert!(
                since.is_some_and(|since| since <= Millis::from_secs(2)),
                "{slot} is bought {since:?} after its price was passed"
            );
        }
        Ok(())
    }

    /// Nothing that we send may break a rule that we know.
    fn hear(&self, record: &WhyRecord) -> Result<(), TestCaseError> {
        let Why::Refused { slot, text, code, .. } = &record.why else { return Ok(()) };
        // Since the deal last looked, or on the way, the market may have moved, or closed.
        let is_sized =
            ["LOT_SIZE", "NOTIONAL", "closed", "recvWindow"].iter().any(|rule| text.contains(rule));
        let is_theirs = ["insufficient", "MAX_NUM_ORDERS"].iter().any(|rule| text.contains(rule));
        prop_assert!(
            (self.disturbed.funds && is_theirs) || is_sized,
            "{} refused: {} ({})",
            slot,
            text,
            code
        );
        Ok(())
    }

    /// No faults any more: within the time that proofs and pauses take, all is quiet.
    fn calm(&mut self) -> Result<(), TestCaseError> {
        let plan = self.scene.driver.line.plan_mut();
        plan.calls.clear();
        plan.events.clear();
        self.scene.driver.memory.plan_mut().clear();
        for account in [OURS, THEIRS] {
            self.scene.driver.stream(account, true);
        }
        for instrument in [0, 1] {
            self.rules(instrument, None, TradingStatus::Trading);
        }
        let minutes = 22;
        for round in 0..(minutes * 4) {
            self.go(Millis::from_secs(15))?;
            for instrument in [0, 1] {
                let sway = if round % 2 == 0 { 1 } else { -1 };
                self.tick_by(instrument, sway, 0);
            }
            self.check()?;
        }
        // What the last ticks moved gets the time of a few answers.
        for _ in 0..3 {
            self.go(Millis::from_secs(5))?;
            self.check()?;
            let mut accounts = [OURS, THEIRS].into_iter();
            if accounts.all(|account| books::quiet(&self.scene.driver, account).is_ok()) {
                break;
            }
        }
        for account in [OURS, THEIRS] {
            books::quiet(&self.scene.driver, account).map_err(TestCaseError::fail)?;
        }
        prop_assert!(self.commands.is_empty(), "no verdict: {:?}", self.commands);
        Ok(())
    }
}

fn account_of(number: u32) -> AccountId {
    if number == 0 { OURS } else { THEIRS }
}
