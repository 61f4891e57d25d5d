//! What a seed says: the market, the accounts, the bots, and everything that will go wrong.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::{FeeAsset, FeeRates},
    filter::Filter,
    ids::{AccountId, InstrumentId},
    instrument::{Instrument, Instruments},
    money::{Fraction, Price, Qty, Quote},
    time::{Millis, Timestamp},
};
use tranche_trading::{
    dca::{
        Config, Draft,
        draft::{
            BaseOrderType, DeviationReference, LadderOrigin, Pct, QtyRounding, Start,
            StopLossReference, TakeProfitType,
        },
    },
    dispatch::limits::Limits,
};

use super::{chance::Chance, fault::Fault};
use crate::exchange::{self, FillRule};

/// When worlds begin: 2026-01-01 UTC.
pub(super) const BEGINNING: Timestamp = Timestamp::from_ms(1_767_225_600_000);
pub(super) const MINUTE: Millis = Millis::from_secs(60);
const MINUTES_PER_DAY: u32 = 1_440;
/// Bots of a world.
pub const BOTS: u32 = 10;
/// A world as long as this holds one year of a bot, with ten bots.
pub const DAYS_PER_BOT_YEAR: u32 = 36;
/// Each so often faults pause, and everything is looked at.
const EPISODE: u32 = 3 * MINUTES_PER_DAY;
/// Without faults at the end of each episode, in minutes: longer than the longest pause between two
/// attempts and the longest proof.
pub(super) const CALM: u32 = 45;
/// So many minutes after the last fault no order is in doubt any more, and accounts trade.
pub(super) const SOON: u32 = 5;

/// In each so many-th world every event is repeated.
const REPEATED_EVERY: u64 = 16;
/// One world of so many is spoken: it costs several times as much as another one.
const SPOKEN_EVERY: u64 = 16;
/// Draws them apart from everything else that a seed decides.
const SPOKEN: u64 = 0x7370_6F6B_656E;
/// Digits after the point of amounts on the wire.
const WIRE_DIGITS: u32 = 8;

/// Which faults a run may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A subset of all, another one for each seed.
    Swarm,
    /// These and no others.
    Only(BTreeSet<Fault>),
}

/// What of a plan is carried out, when a failure is made smaller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keep {
    /// Numbers of acts; `None` is all.
    pub acts: Option<BTreeSet<u32>>,
    /// Minutes in which the market trades; `None` is all.
    pub minutes: Option<BTreeSet<u32>>,
    /// Numbers of bots; `None` is all.
    pub bots: Option<BTreeSet<u32>>,
}

/// What a run is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub seed: u64,
    pub days: u32,
    pub faults: Choice,
    pub keep: Keep,
}

/// One fault at its time. All that is left to chance in it follows from `detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// In order of time, from 0.
    pub number: u32,
    pub at: Timestamp,
    pub fault: Fault,
    pub detail: u64,
}

/// A world before it begins.
#[derive(Debug, Clone)]
pub struct Plan {
    pub wish: Wish,
    pub minutes: u32,
    pub instruments: Instruments,
    pub exchange: exchange::Settings,
    pub fees: FeeRates,
    pub fee_asset: FeeAsset,
    /// Of the quote asset, in each account.
    pub funds: i64,
    /// One or two.
    pub accounts: Vec<AccountId>,
    pub limits: Option<Limits>,
    /// How long an answer and an event travel back.
    pub way_back: Millis,
    pub bots: Vec<(AccountId, Config)>,
    pub acts: Vec<Act>,
    /// How far the price moves in a minute, in hundred-thousandths.
    pub restlessness: i64,
    /// Whether every event is given to a second account at once, which must decide the same. Rules do not
    /// change then: a process that starts under new ones tells nobody of them.
    pub repeats: bool,
    /// Whether this is one of the worlds in which everything said passes as text, if there is a wire.
    /// Amounts have eight digits then, as on the wire.
    pub is_spoken: bool,
    pub(super) market: Chance,
    pub(super) people: Chance,
}

impl Plan {
    pub fn new(wish: Wish) -> Self {
        let mut chance = Chance::new(wish.seed);
        let (market, people) = (chance.fork(), chance.fork());
        let instruments = instruments(&mut chance);
        let minutes = wish.days.max(1).saturating_mul(MINUTES_PER_DAY);
        let accounts = if chance.hits(1, 3) { 2 } else { 1 };
        let accounts: Vec<_> = (1..=accounts).map(AccountId::new).collect();
        let rate = |digits| Fraction::new(Decimal::new(digits, 5));
        let taker = chance.among(100, &[75, 60]);
        let fees = FeeRates { maker: rate(chance.among(taker, &[50])), taker: rate(taker) };
        let bots = bots(&mut chance, &accounts, &instruments);
        let mut plan = Self {
            minutes,
            exchange: settings(&mut chance),
            fees,
            fee_asset: fee_asset(&mut chance),
            funds: chance.among(100_000, &[30_000, 6_000]),
            limits: chance.hits(1, 2).then(Limits::default),
            way_back: chance.span(1, 120),
            restlessness: chance.between(25, 90),
            repeats: wish.seed.is_multiple_of(REPEATED_EVERY),
            is_spoken: Chance::new(wish.seed ^ SPOKEN).hits(1, SPOKEN_EVERY),
            accounts,
            bots,
            acts: Vec::new(),
            instruments,
            wish,
            market,
            people,
        };
        if plan.is_spoken {
            plan.exchange.amount_digits = WIRE_DIGITS;
        }
        plan.acts = plan.draw_acts(&mut chance);
        plan
    }

    /// Whether faults pause in this minute.
    pub(super) const fn is_calm(&self, minute: u32) -> bool {
        let end = self.episode_end(minute);
        end <= minute.saturating_add(CALM)
    }

    /// Whether the last fault was [`SOON`] ago in this minute.
    pub(super) const fn is_soon(&self, minute: u32) -> bool {
        self.episode_end(minute) == minute.saturating_add(CALM).saturating_sub(SOON)
    }

    /// The minute in which the episode of `minute` is over.
    pub(super) const fn episode_end(&self, minute: u32) -> u32 {
        let end = minute.saturating_div(EPISODE).saturating_add(1).saturating_mul(EPISODE);
        if self.minutes < end.saturating_add(EPISODE / 2) { self.minutes } else { end }
    }

    /// Whether the minute begins an episode.
    pub(super) const fn is_beginning(&self, minute: u32) -> bool {
        minute == 0 || self.episode_end(minute) != self.episode_end(minute.saturating_sub(1))
    }

    fn draw_acts(&self, chance: &mut Chance) -> Vec<Act> {
        let mut drawn = Vec::new();
        let days = u64::from(self.minutes / MINUTES_PER_DAY).max(1);
        for fault in Fault::ALL {
            let mut own = chance.fork();
            let has_other_rules = matches!(fault, Fault::RulesChanged | Fault::Halted);
            let is_on = match &self.wish.faults {
                Choice::Swarm => own.hits(1, 2),
                Choice::Only(only) => only.contains(&fault),
            };
            // A third part, so that also rare ones come up.
            let thirds = own.among(1_u64, &[3, 3, 9]).saturating_mul(rarity(fault));
            let times = days.saturating_mul(thirds).div_ceil(60);
            let is_on = is_on && !(self.repeats && has_other_rules);
            for _ in 0..if is_on { times } else { 0 } {
                let minute = u32::try_from(own.below(u64::from(self.minutes))).unwrap_or(0);
                let at = BEGINNING.plus(MINUTE.times(minute)).plus(own.span(0, 59_999));
                let detail = own.draw();
                if !self.is_calm(minute) {
                    drawn.push((at, fault, detail));
                }
            }
        }
        drawn.sort_unstable();
        let acts = (0_u32..).zip(drawn);
        acts.map(|(number, (at, fault, detail))| Act { number, at, fault, detail }).collect()
    }
}

/// How often a fault strikes, in sixtieths of a day: what lasts long is rare.
const fn rarity(fault: Fault) -> u64 {
    match fault {
        Fault::KillBeforeCommit
        | Fault::KillAfterCommit
        | Fault::KillBetweenSends
        | Fault::KillAfterSend => 90,
        Fault::HalfOpenSocket
        | Fault::DnsFailure
        | Fault::ReconnectStorm
        | Fault::SubscriptionRefused
        | Fault::Halted
        | Fault::EndpointRemoved
        | Fault::HistoryLimit
        | Fault::Banned
        | Fault::Maintenance
        | Fault::BarGap
        | Fault::FrozenPrice
        | Fault::KeyRevoked
        | Fault::Paused
        | Fault::SecondInstance
        | Fault::EmptyBook => 10,
        Fault::RestoredBackup => 2,
        Fault::ClockJump | Fault::RulesChanged | Fault::Transfer | Fault::ManualTrade => 20,
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
        | Fault::DeafSocket
        | Fault::TokenExpiry
        | Fault::ReadLag
        | Fault::MissingFromList
        | Fault::WrongTransientStatus
        | Fault::UnknownStatus
        | Fault::FieldChanged
        | Fault::PartialFills
        | Fault::FeeLater
        | Fault::ExitRefused
        | Fault::SelfTradePrevention
        | Fault::TooManyRequests
        | Fault::WeightChanged
        | Fault::ClockSkew
        | Fault::BadTick
        | Fault::CrossedBook
        | Fault::StoreError
        | Fault::LostWrite
        | Fault::ManualCancel
        | Fault::CommandMidFlight => 60,
    }
}

fn instruments(chance: &mut Chance) -> Instruments {
    let names = ["AAA/USDT", "BBB/USDT", "CCC/USDT"];
    let list = (0_u32..).zip(names).filter_map(|(id, name)| {
        let symbol = Symbol::parse(name).ok()?;
        let tick = Price::new(chance.among(Decimal::new(1, 2), &[Decimal::new(5, 2)]));
        let step = Qty::new(chance.among(Decimal::new(1, 5), &[Decimal::new(1, 3)]));
        let least = Quote::new(Decimal::from(chance.among(5_u32, &[1, 10])));
        let most = Qty::new(Decimal::from(9_000_000_u32));
        let mut filters = vec![
            Filter::Price { min: tick, max: Price::new(Decimal::from(10_000_000_u32)), tick },
            Filter::LotSize { min: step, max: most, step },
            Filter::MinNotional { min: least, market: true },
        ];
        if chance.hits(1, 4) {
            let limit = chance.among(200, &[12]);
            filters.push(Filter::MaxNumOrders { limit });
        }
        Some(Instrument::new(InstrumentId::new(id), symbol, filters))
    });
    Instruments::new(list.collect()).unwrap_or_default()
}

fn settings(chance: &mut Chance) -> exchange::Settings {
    exchange::Settings {
        fill: chance.among(FillRule::Through, &[FillRule::Touch]),
        volume_cap: Some(Fraction::new(Decimal::new(1, 1))),
        latency: chance.span(1, 300),
        slippage: Fraction::new(Decimal::new(chance.between(0, 3), 4)),
        amount_digits: chance.among(16, &[8]),
        ..exchange::Settings::default()
    }
}

fn fee_asset(chance: &mut Chance) -> FeeAsset {
    let third = Asset::parse("BNB").map_or(FeeAsset::Quote, FeeAsset::Third);
    chance.among(FeeAsset::Received, &[FeeAsset::Quote, third])
}

fn bots(
    chance: &mut Chance,
    accounts: &[AccountId],
    instruments: &Instruments,
) -> Vec<(AccountId, Config)> {
    let mut bots = Vec::new();
    for (account, _) in accounts.iter().cycle().zip(0..BOTS) {
        bots.extend(config(chance, instruments).map(|config| (*account, config)));
    }
    bots
}

/// Settings that the door lets through.
pub(super) fn config(chance: &mut Chance, instruments: &Instruments) -> Option<Config> {
    (0..100).find_map(|_| {
        let config = Config::try_from(draft(chance, instruments)).ok()?;
        let start = Some(Price::new(Decimal::from(super::market::START)));
        let fits = |symbol: &Symbol| {
            let known = instruments.find(*symbol);
            known.is_some_and(|known| config.check_instrument(known, start).is_ok())
        };
        config.pairs().iter().all(fits).then_some(config)
    })
}

fn draft(chance: &mut Chance, instruments: &Instruments) -> Draft {
    let mut pairs: Vec<_> = instruments.iter().map(|instrument| instrument.symbol).collect();
    let first = usize::try_from(chance.below(3)).unwrap_or(0);
    let turned = first.min(pairs.len());
    pairs.rotate_left(turned);
    pairs.truncate(if chance.hits(1, 4) { 2 } else { 1 });
    let count = u16::try_from(pairs.len()).unwrap_or(1);
    let pct = |hundredths| Pct::new(Decimal::new(hundredths, 2));
    let quote = |cents| Quote::new(Decimal::new(cents, 2));
    let tenths = |n| Fraction::new(Decimal::new(n, 1));
    let most = u16::try_from(chance.below(6)).unwrap_or(0);
    let active = chance.hits(3, 4).then(|| u16::try_from(chance.below(6)).unwrap_or(0));
    let timeout = u32::try_from(chance.between(70, 600)).unwrap_or(70);
    let stop = chance.hits(2, 5).then(|| pct(chance.between(150, 2_500)));
    let has_stop = stop.is_some();
    Draft {
        name: "of a world".to_owned(),
        pairs,
        base_order_volume: quote(chance.between(2_000, 20_000)),
        base_order_type: chance.among(BaseOrderType::Market, &[BaseOrderType::Limit]),
        entry_reprice_seconds: timeout / 4,
        entry_timeout_seconds: timeout,
        safety_order_volume: quote(chance.between(2_000, 20_000)),
        safety_order_step_pct: pct(chance.between(40, 300)),
        step_scale: tenths(chance.between(8, 15)),
        volume_scale: tenths(chance.between(8, 15)),
        max_safety_orders: most,
        active_safety_orders_count: active.map(|active| active.min(most)),
        deviation_reference: chance.among(
            DeviationReference::Base,
            &[DeviationReference::Previous, DeviationReference::Average],
        ),
        ladder_origin: chance.among(LadderOrigin::Fill, &[LadderOrigin::FeeInclusive]),
        take_profit_pct: pct(chance.between(60, 400)),
        take_profit_type: chance.among(TakeProfitType::Total, &[TakeProfitType::Base]),
        trailing_deviation_pct: chance.hits(1, 4).then(|| pct(chance.between(20, 150))),
        stop_loss_pct: stop,
        stop_loss_reference: if has_stop && chance.hits(1, 2) {
            StopLossReference::Average
        } else {
            StopLossReference::Base
        },
        stop_loss_timeout_seconds: if has_stop && chance.hits(1, 2) { 90 } else { 0 },
        stop_bot_after_stop_loss: has_stop && chance.hits(1, 8),
        cooldown_seconds: chance.among(0, &[90, 1_800, 7_200]),
        max_active_deals: chance.hits(1, 3).then(|| 1_u16.min(count)),
        stop_after_deals: chance.hits(1, 20).then_some(5),
        start: Start::Asap,
        qty_rounding: chance.among(QtyRounding::Down, &[QtyRounding::Up]),
    }
}
