//! One run: from stop to stop, and what was told between.

use tranche_model::{
    decimal::MathError,
    fill::{Fill, Liquidity},
    ids::{BotId, CommandId, InstrumentId},
    instrument::Instrument,
    money::{Price, Quote},
    order::Side,
    record::VerdictRow,
    time::{Millis, Timestamp},
};
use tranche_trading::{
    event::{Command, CommandBody},
    shard::{Durability, Options, Output},
    why::Ended,
};

use super::{
    ACCOUNT, BacktestError, Happening, Mode, Plan, Report, Script,
    feed::Leaf,
    market::{Market, Track},
};
use crate::driver::{Driver, Setup};

/// After so many fed rows closed orders are forgotten, which nobody asks for any more.
const FORGET_EVERY: u64 = 256;
const FORGET_OLDER_THAN: Millis = Millis::from_secs(86_400);

pub(super) struct Run<'a> {
    pub(super) market: &'a Market,
    pub(super) plan: &'a Plan,
    pub(super) script: &'a Script,
    pub(super) driver: Driver,
    /// One for each series.
    pub(super) cursors: Vec<Cursor>,
    /// How much of the script has happened.
    pub(super) happened: usize,
    pub(super) leaves: Vec<Leaf>,
    pub(super) report: Report,
    /// What was told last; kept for its memory.
    told: Vec<Output>,
    /// The instruments that fills were told on since this was last emptied.
    pub(super) filled: Vec<InstrumentId>,
    since_forgotten: u64,
}

/// Where a series stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Cursor {
    /// The first row that was not fed and not passed over.
    pub(super) next: usize,
    /// The last search: it holds until the bounds are others.
    found: Option<Found>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    bounds: (i64, i64),
    place: Option<usize>,
}

impl Cursor {
    /// The first row that begins at or after the stop; the search for the stop mostly knows it.
    pub(super) fn landing(&self, track: &Track, at: Timestamp) -> usize {
        let found = self.found.and_then(|found| found.place);
        let is_it = |place: &usize| self.next <= *place && track.rows.at(*place) == Some(at);
        // Of ticks of one moment the first is wanted.
        let known =
            found.filter(|_| track.rows.span != Millis::ZERO).into_iter().chain([self.next]);
        known.into_iter().find(is_it).unwrap_or_else(|| track.rows.place_of(at))
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(
        market: &'a Market,
        plan: &'a Plan,
        script: &'a Script,
    ) -> Result<Self, BacktestError> {
        let start = market.begins_at().ok_or(BacktestError::NoCandles)?;
        let first = script.happenings.first().map(|(at, _)| *at);
        let mut run = Self {
            driver: driver(market, (plan, script), first.unwrap_or(start).min(start))?,
            market,
            plan,
            script,
            cursors: vec![Cursor::default(); market.tracks().len()],
            happened: 0,
            leaves: Vec::new(),
            report: Report::default(),
            told: Vec::new(),
            filled: Vec::new(),
            since_forgotten: 0,
        };
        for (number, (bot, config)) in (1_u128..).zip(&plan.bots) {
            let body = CommandBody::CreateBot { bot: *bot, config: Box::new(config.clone()) };
            run.driver.command(ACCOUNT, Command { id: CommandId::new(number), body });
            run.take_told(Some(*bot))?;
        }
        Ok(run)
    }

    /// Runs over everything.
    pub(super) fn carry_out(
        mut self,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Report, BacktestError> {
        while let Some(at) = self.next_stop() {
            self.feed(at)?;
            progress(self.done());
        }
        self.happen(Timestamp::MAX);
        self.take_told(None)?;
        Ok(self.finish())
    }

    /// The beginning of the next row in which something can happen.
    fn next_stop(&mut self) -> Option<Timestamp> {
        let scripted = self.script.happenings.get(self.happened).map(|(at, _)| *at);
        let due = [self.driver.next_due(), scripted].into_iter().flatten().min();
        let mut stop: Option<Timestamp> = None;
        for number in 0..self.cursors.len() {
            let Some(track) = self.market.tracks().get(number) else { continue };
            let place = self.next_place(number, track, due);
            let at = place.and_then(|place| track.rows.at(place));
            stop = [stop, at].into_iter().flatten().min();
        }
        stop
    }

    fn next_place(
        &mut self,
        number: usize,
        track: &Track,
        due: Option<Timestamp>,
    ) -> Option<usize> {
        let from = self.cursors.get(number)?.next;
        if self.plan.mode == Mode::Every {
            return Some(from);
        }
        let bounds = self.bounds(track);
        let known = self.cursors.get(number)?.found;
        let holds =
            |found: &Found| found.bounds == bounds && found.place.is_none_or(|place| from <= place);
        let by_price = if let Some(found) = known.filter(holds) {
            found.place
        } else {
            let place = match self.plan.mode {
                Mode::Scan => track.scan(from, bounds),
                Mode::Jump | Mode::Every => track.jump(from, bounds),
            };
            self.cursors.get_mut(number)?.found = Some(Found { bounds, place });
            place
        };
        let by_time = due.map(|due| track.rows.lasting_to(due).max(from));
        by_price.into_iter().chain(by_time).min()
    }

    /// The integer prices at or beyond which a lane or an own order is touched.
    pub(super) fn bounds(&self, track: &Track) -> (i64, i64) {
        let id = track.instrument.id;
        let (low, high) = self.driver.shard.band(id);
        let known = self.driver.shard.instruments().get(id);
        // When the venue changes its tick, the band is on the new grid.
        let moved = known.filter(|known| known.price_scale != track.instrument.price_scale);
        let on_grid = |units: i64, snap: fn(&Instrument, Price) -> i64| match moved {
            Some(known) if units != i64::MAX => {
                snap(&track.instrument, known.price_from_units(units))
            }
            Some(_) | None => units,
        };
        let low = low.map_or(i64::MIN, |low| on_grid(low, Instrument::units_floor));
        let high = high.map_or(i64::MAX, |high| on_grid(high, Instrument::units_ceil));
        let (bid, ask) = self.driver.exchange.nearest(id);
        let units = |price: Price, snap: fn(&Instrument, Price) -> i64| {
            let exact = track.instrument.price_units(price);
            exact.unwrap_or_else(|| snap(&track.instrument, price))
        };
        let bid = bid.map_or(i64::MIN, |price| units(price, Instrument::units_ceil));
        let ask = ask.map_or(i64::MAX, |price| units(price, Instrument::units_floor));
        (low.max(bid), high.min(ask))
    }

    /// Lets happen what the script has up to a moment.
    pub(super) fn happen(&mut self, until: Timestamp) {
        let script = self.script;
        while let Some((at, happening)) = script.happenings.get(self.happened)
            && *at <= until
        {
            self.happened = self.happened.saturating_add(1);
            self.driver.advance(*at);
            match happening {
                Happening::Command(command) => self.driver.command(ACCOUNT, command.clone()),
                Happening::Rules(rules) => self.driver.change_rules(rules.as_ref().clone()),
                Happening::Gap(instrument) => self.driver.gap(*instrument),
                Happening::Stream { live } => self.driver.stream(ACCOUNT, *live),
            }
        }
    }

    /// From time to time the exchange forgets what is long over, unless somebody may ask for it.
    pub(super) fn forget(&mut self) {
        if !self.script.happenings.is_empty() || self.script.reads_again {
            return;
        }
        self.since_forgotten = self.since_forgotten.saturating_add(1);
        if FORGET_EVERY <= self.since_forgotten {
            self.since_forgotten = 0;
            let before = self.driver.now().minus(FORGET_OLDER_THAN);
            self.driver.exchange.forget_closed_before(before);
        }
    }

    /// Counts what was told. A refusal of a bot of the plan ends the run.
    pub(super) fn take_told(&mut self, creating: Option<BotId>) -> Result<(), BacktestError> {
        let mut told = std::mem::take(&mut self.told);
        self.driver.swap_told(&mut told);
        for told in told.drain(..) {
            match &told {
                Output::Booked { row, .. } => {
                    self.report.fills = self.report.fills.saturating_add(1);
                    let fee = row.fill.fee.in_quote.unwrap_or_default();
                    self.report.fees = self.report.fees.plus(fee)?;
                    let slipped = slippage(&self.driver, &row.fill)?;
                    self.report.slippage = self.report.slippage.plus(slipped)?;
                    self.filled.push(row.fill.instrument);
                    self.report.booked.push(**row);
                }
                Output::Closed { row, .. } => {
                    // A deal whose base order never filled was none.
                    let was_one = row.ended != Ended::NoEntry.name();
                    self.report.deals_closed += u32::from(was_one);
                    self.report.profit = self.report.profit.plus(row.profit)?;
                    self.report.deals.push(row.as_ref().clone());
                }
                Output::Verdict { row, .. } => refused(row, creating)?,
                Output::Quarantined { reason, .. } | Output::Dead { reason, .. } => {
                    return Err(BacktestError::Dead(reason.clone()));
                }
                Output::Commit { .. }
                | Output::Reload { .. }
                | Output::Forget { .. }
                | Output::Call { .. }
                | Output::Ask { .. }
                | Output::HandBack { .. }
                | Output::Lookup { .. }
                | Output::Why { .. }
                | Output::BadTick { .. }
                | Output::Recorded { .. }
                | Output::More => {}
            }
            if self.plan.record {
                self.report.told.push(told);
            }
        }
        self.told = told;
        Ok(())
    }

    fn done(&self) -> u64 {
        tranche_model::cast::count(self.cursors.iter().map(|cursor| cursor.next).sum())
    }

    fn finish(mut self) -> Report {
        self.report.candles = self.market.candles();
        let bots = self.driver.shard.accounts().flat_map(|account| account.bots.values());
        let opened = bots.map(|bot| bot.head.deals_opened);
        self.report.deals_opened = opened.fold(0, u32::saturating_add);
        self.report
    }
}

fn driver(
    market: &Market,
    (plan, script): (&Plan, &Script),
    start: Timestamp,
) -> Result<Driver, BacktestError> {
    let setup = Setup {
        exchange: plan.exchange,
        shard: Options {
            durability: Durability::Volatile,
            record: plan.record,
            why: plan.record,
            // Nothing is lost here, so nothing is written down or read again for safety.
            checkpoint_every: script.checkpoint_every.unwrap_or(Millis::MAX),
            ..Options::default()
        },
        limits: script.limits.clone(),
        ..Setup::default()
    };
    let mut driver = Driver::new(market.instruments().as_ref().clone(), setup, start);
    let (fees, fee_asset) = (plan.account.fees, plan.account.fee_asset);
    driver.exchange.add_account(ACCOUNT, fees, fee_asset, plan.balances.clone())?;
    let settings = if script.reads_again { plan.account.clone() } else { plan.settings() };
    driver.own(ACCOUNT, settings);
    Ok(driver)
}

/// Zero for an order with a price of its own, which it never misses.
fn slippage(driver: &Driver, fill: &Fill) -> Result<Quote, MathError> {
    if fill.liquidity == Liquidity::Maker {
        return Ok(Quote::ZERO);
    }
    let Some(decided) = fill.client_id.and_then(|id| driver.decided(id)) else {
        return Ok(Quote::ZERO);
    };
    let fair = decided.times(fill.qty)?;
    match fill.side {
        Side::Buy => fill.quote.minus(fair),
        Side::Sell => fair.minus(fill.quote),
    }
}

fn refused(row: &VerdictRow, creating: Option<BotId>) -> Result<(), BacktestError> {
    match (&row.verdict, creating) {
        (Err(reason), Some(bot)) => Err(BacktestError::BotRefused { bot, reason: reason.clone() }),
        (Err(_), None) | (Ok(()), _) => Ok(()),
    }
}
