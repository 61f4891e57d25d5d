//! A paper run and a backtest of the same inputs write the same journal, byte for byte: one test for
//! each feature of the bot. The paper run commits everything to a store and keeps the venue's limits on
//! calls; the backtest writes nothing and sees only the ticks at which something can happen.

use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    balance::{Balance, FeeAsset, FeeRates},
    candle::Tick,
    filter::Filter,
    ids::{BotId, CommandId, InstrumentId},
    instrument::{Instrument, Instruments},
    money::{Amount, Fraction, Price, Qty, Quote},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    backtest::{self, Happening, Market, Mode, Plan, Script},
    driver::{Driver, Setup},
    exchange::{self, Path},
};
use tranche_trading::{
    codec,
    dca::{
        Draft,
        draft::{
            BaseOrderType, DeviationReference, LadderOrigin, QtyRounding, Start, StopLossReference,
            TakeProfitType,
        },
    },
    dispatch::limits::Limits,
    event::{Command, CommandBody, Event, KillLevel, RiskLimits, Scope, Settings},
    shard::{Options, Output},
    why::WhyRecord,
};

use crate::scene::{
    A, B, BOT, FIRST_DEAL, OURS, Terms, asset, config, draft, instrument, pct, price, settings,
};

const BEGIN: i64 = 1_600_000_000_000;
const HOUR: i64 = 3_600_000;

/// What a feature needs, and what must have happened lest the test shows nothing.
struct Feature {
    drafts: Vec<Draft>,
    /// Hours after the beginning.
    happenings: Vec<(i64, Happening)>,
    funds: i64,
    fee_asset: FeeAsset,
    shows: &'static str,
}

/// The journal, its rows as time and bytes, and what happened in words.
#[derive(Debug, PartialEq, Eq)]
struct Journal {
    rows: Vec<(Timestamp, Vec<u8>)>,
    deals: Vec<String>,
}

#[test]
fn base_order_at_market() {
    same(&Feature::of(draft(), "take_profit"));
}

#[test]
fn base_order_with_a_limit() {
    let base_order_type = BaseOrderType::Limit;
    same(&Feature::of(Draft { base_order_type, ..draft() }, "take_profit"));
}

#[test]
fn base_order_with_a_limit_that_moves_often() {
    let draft = Draft {
        base_order_type: BaseOrderType::Limit,
        entry_reprice_seconds: 5,
        entry_timeout_seconds: 5,
        ..draft()
    };
    same(&Feature::of(draft, "take_profit"));
}

#[test]
fn ladder_with_scales_and_every_order_resting() {
    let draft = Draft {
        max_safety_orders: 5,
        active_safety_orders_count: Some(5),
        step_scale: Fraction::new(Decimal::new(13, 1)),
        volume_scale: Fraction::new(Decimal::new(15, 1)),
        ..draft()
    };
    same(&Feature::of(draft, "take_profit"));
}

#[test]
fn ladder_of_which_one_order_rests() {
    let draft = Draft { max_safety_orders: 4, active_safety_orders_count: Some(1), ..draft() };
    same(&Feature::of(draft, "take_profit"));
}

#[test]
fn ladder_that_is_only_watched() {
    let draft = Draft { max_safety_orders: 4, active_safety_orders_count: Some(0), ..draft() };
    same(&Feature::of(draft, "take_profit"));
}

#[test]
fn ladder_from_the_average_and_from_the_order_before() {
    for deviation_reference in [DeviationReference::Average, DeviationReference::Previous] {
        let most = if deviation_reference == DeviationReference::Average { 1 } else { 3 };
        for active in [0, 1, most] {
            let active_safety_orders_count = Some(active);
            let draft = Draft {
                deviation_reference,
                active_safety_orders_count,
                max_safety_orders: 3,
                ..draft()
            };
            same(&Feature::of(draft, "take_profit"));
        }
    }
}

#[test]
fn ladder_from_the_price_with_fees() {
    let ladder_origin = LadderOrigin::FeeInclusive;
    let qty_rounding = QtyRounding::Up;
    same(&Feature::of(Draft { ladder_origin, qty_rounding, ..draft() }, "take_profit"));
}

#[test]
fn take_profit_of_the_base_order() {
    let take_profit_type = TakeProfitType::Base;
    same(&Feature::of(Draft { take_profit_type, ..draft() }, "take_profit"));
}

#[test]
fn take_profit_that_trails() {
    for active in [0, 2] {
        let draft = Draft {
            trailing_deviation_pct: Some(pct("0.4")),
            active_safety_orders_count: Some(active),
            ..draft()
        };
        same(&Feature::of(draft, "trailing_take_profit"));
    }
}

#[test]
fn stop_loss_at_once_and_after_a_while() {
    for seconds in [0, 120] {
        for stop_loss_reference in [StopLossReference::Base, StopLossReference::Average] {
            let draft = Draft {
                stop_loss_pct: Some(pct("2.5")),
                stop_loss_timeout_seconds: seconds,
                stop_loss_reference,
                ..draft()
            };
            same(&Feature::of(draft, "stop_loss"));
        }
    }
}

#[test]
fn stop_loss_that_ends_the_bot() {
    let draft =
        Draft { stop_loss_pct: Some(pct("2.5")), stop_bot_after_stop_loss: true, ..draft() };
    same(&Feature::of(draft, "stop_loss"));
}

#[test]
fn pause_between_deals() {
    same(&Feature::of(Draft { cooldown_seconds: 900, ..draft() }, "take_profit"));
}

#[test]
fn a_last_deal() {
    same(&Feature::of(Draft { stop_after_deals: Some(3), ..draft() }, "take_profit"));
}

#[test]
fn several_pairs_of_one_bot() {
    for max_active_deals in [None, Some(1)] {
        same(&Feature::of(Draft { max_active_deals, ..on_both(draft()) }, "take_profit"));
    }
}

#[test]
fn several_bots_that_share_a_small_purse() {
    let trailing = Draft { trailing_deviation_pct: Some(pct("0.3")), ..on_both(draft()) };
    let watched = Draft { active_safety_orders_count: Some(0), ..on_both(draft()) };
    let drafts = vec![on_both(draft()), trailing, watched];
    same(&Feature { drafts, funds: 650, ..Feature::of(draft(), "take_profit") });
}

#[test]
fn fees_in_quote_and_in_a_third_asset() {
    for fee_asset in [FeeAsset::Quote, FeeAsset::Third(asset("BNB"))] {
        same(&Feature { fee_asset, ..Feature::of(draft(), "take_profit") });
    }
}

#[test]
fn a_start_by_hand() {
    let bodies = (1..25).map(|n| (n * 4, CommandBody::StartDeal { bot: BOT, instrument: A }));
    let draft = Draft { start: Start::Manual, ..draft() };
    same(&Feature::of(draft, "take_profit").with(bodies.collect()));
}

#[test]
fn pauses_and_resumptions() {
    for scope in [Scope::Account, Scope::Bot(BOT)] {
        let bodies = (0..20).flat_map(|n| {
            let pause = CommandBody::PauseEntries { scope };
            [(n * 5 + 2, pause), (n * 5 + 4, CommandBody::Resume { scope })]
        });
        same(&Feature::of(draft(), "take_profit").with(bodies.collect()));
    }
}

#[test]
fn stops_and_starts_of_the_bot() {
    let bodies = (0..20).flat_map(|n| {
        [
            (n * 5 + 1, CommandBody::StopBot { bot: BOT }),
            (n * 5 + 3, CommandBody::StartBot { bot: BOT }),
        ]
    });
    same(&Feature::of(draft(), "take_profit").with(bodies.collect()));
}

#[test]
fn edits_of_open_deals() {
    let bodies = (0..20).map(|n| {
        let take_profit_pct = pct(["1", "2", "3"][usize::try_from(n % 3).unwrap()]);
        let config = Box::new(config(Draft { take_profit_pct, ..draft() }));
        (n * 5 + 1, CommandBody::EditBot { bot: BOT, config, open_deals: n % 2 == 0 })
    });
    same(&Feature::of(draft(), "take_profit").with(bodies.collect()));
}

#[test]
fn deals_closed_and_cancelled_by_hand() {
    let close = |bot, n| CommandBody::CloseDeal { bot, deal: nth_deal(n) };
    let cancel = |bot, n| CommandBody::CancelDeal { bot, deal: nth_deal(n) };
    let bodies = vec![(1, close(BOT, 0)), (2, cancel(BOT, 1)), (3, close(BOT, 2))];
    same(&Feature::of(draft(), "closed_by_command").with(bodies));
}

#[test]
fn kill_switch_and_rearming() {
    let levels = [KillLevel::PauseEntries, KillLevel::CancelEntries, KillLevel::CloseAll];
    for level in levels {
        let bodies = (0..10).flat_map(|n| {
            [(n * 9 + 2, CommandBody::Kill { level }), (n * 9 + 6, CommandBody::Rearm)]
        });
        same(&Feature::of(draft(), "take_profit").with(bodies.collect()));
    }
}

#[test]
fn limits_on_risk() {
    let limits = |daily: &str| RiskLimits {
        daily_loss_max: Some(Quote::parse(daily).unwrap()),
        order_notional_max: Some(Quote::parse("5000").unwrap()),
        allowed: Some(vec![A]),
    };
    let bodies = vec![(1, CommandBody::SetRisk(limits("1")))];
    let draft = Draft { stop_loss_pct: Some(pct("2.5")), ..draft() };
    same(&Feature::of(draft, "stop_loss").with(bodies));
}

#[test]
fn the_end_of_a_bot() {
    let bodies = vec![
        (1, CommandBody::StopBot { bot: BOT }),
        (2, CommandBody::CloseDeal { bot: BOT, deal: FIRST_DEAL }),
        (90, CommandBody::DeleteBot { bot: BOT }),
    ];
    same(&Feature::of(draft(), "").with(bodies));
}

#[test]
fn other_rules_of_the_instrument() {
    let mut feature = Feature::of(draft(), "take_profit");
    for (hour, tick) in [(9, "0.05"), (30, "0.01"), (55, "0.1")] {
        let mut filters = instrument(A, "AAA/USDT").filters;
        let (min, max) = (price(tick), price("1000000"));
        filters[0] = Filter::Price { min, max, tick: price(tick) };
        let rules = Instrument::new(A, Symbol::parse("AAA/USDT").unwrap(), filters);
        feature.happenings.push((hour, Happening::Rules(Box::new(rules))));
    }
    same(&feature);
}

#[test]
fn gaps_in_the_market_and_a_private_stream_that_breaks() {
    let (plain, trails) = ((None, "take_profit"), (Some(pct("0.4")), "trailing_take_profit"));
    for (trailing, shows) in [plain, trails] {
        let draft = Draft { trailing_deviation_pct: trailing, ..draft() };
        let mut feature = Feature::of(draft, shows);
        for n in 0..15 {
            let at = n * 6;
            feature.happenings.extend([
                (at + 1, Happening::Gap(A)),
                (at + 2, Happening::Stream { live: false }),
                (at + 3, Happening::Stream { live: true }),
            ]);
        }
        same(&feature);
    }
}

impl Feature {
    fn of(draft: Draft, shows: &'static str) -> Self {
        let (happenings, drafts) = (Vec::new(), vec![draft]);
        Self { drafts, happenings, funds: 10_000, fee_asset: FeeAsset::Received, shows }
    }

    fn with(mut self, bodies: Vec<(i64, CommandBody)>) -> Self {
        for (number, (hour, body)) in (100..).zip(bodies) {
            let command = Command { id: CommandId::new(number), body };
            self.happenings.push((hour, Happening::Command(command)));
        }
        self
    }

    fn terms(&self) -> Terms {
        let fee = Fraction::new(Decimal::new(1, 3));
        let fees = FeeRates { maker: fee, taker: fee };
        Terms { fees, fee_asset: self.fee_asset, funds: self.funds }
    }

    fn purse(&self) -> Vec<Balance> {
        let purse = [("USDT", Decimal::from(self.funds)), ("BNB", Decimal::ONE)];
        let balance = |(name, free)| Balance {
            asset: asset(name),
            free: Amount::new(free),
            locked: Amount::ZERO,
        };
        purse.map(balance).to_vec()
    }

    /// Commands in order: first those that make the bots, at the beginning.
    fn happenings(&self) -> Vec<(Timestamp, Happening)> {
        let mut happenings = Vec::new();
        for (number, draft) in (0..).zip(&self.drafts) {
            let config = Box::new(config(draft.clone()));
            let body = CommandBody::CreateBot { bot: BotId::new(BOT.get() + number), config };
            let id = CommandId::new(u128::from(number) + 1);
            happenings.push((BEGIN, Happening::Command(Command { id, body })));
        }
        let later = self.happenings.iter();
        happenings.extend(later.map(|(hour, what)| (BEGIN + hour * HOUR + 7, what.clone())));
        happenings.into_iter().map(|(ms, what)| (Timestamp::from_ms(ms), what)).collect()
    }
}

fn same(feature: &Feature) {
    let ticks = [trades(A, 11), trades(B, 12)];
    let paper = paper(feature, &ticks);
    let scripted = [Mode::Every, Mode::Jump].map(|mode| backtested(feature, &ticks, mode));

    assert!(100 < paper.rows.len(), "{} events", paper.rows.len());
    let shows = feature.shows;
    assert!(
        shows.is_empty() || paper.deals.iter().any(|ended| ended == shows),
        "{:?}",
        paper.deals
    );
    for backtested in scripted {
        for (number, (ours, theirs)) in paper.rows.iter().zip(&backtested.rows).enumerate() {
            assert_eq!(ours, theirs, "event {number}: {} and {}", shown(ours), shown(theirs));
        }
        assert_eq!(paper, backtested);
    }
}

/// As in live trading: every event is committed before anything of it leaves, under the venue's limits.
fn paper(feature: &Feature, ticks: &[Vec<Tick>; 2]) -> Journal {
    let setup = Setup { limits: Some(Limits::default()), ..Setup::default() };
    let mut driver = Driver::new(instruments(), setup, Timestamp::from_ms(BEGIN));
    let Terms { fees, fee_asset, .. } = feature.terms();
    driver.exchange.add_account(OURS, fees, fee_asset, feature.purse()).unwrap();
    driver.own(OURS, settings(feature.terms()));
    let mut happenings = feature.happenings().into_iter().peekable();
    let mut all: Vec<Tick> = ticks.iter().flatten().copied().collect();
    all.sort_by_key(|tick| tick.at);
    for tick in all {
        while let Some((at, happening)) = happenings.next_if(|(at, _)| *at <= tick.at) {
            driver.advance(at);
            match happening {
                Happening::Command(command) => driver.command(OURS, command),
                Happening::Rules(rules) => driver.change_rules(*rules),
                Happening::Gap(instrument) => driver.gap(instrument),
                Happening::Stream { live } => driver.stream(OURS, live),
            }
        }
        driver.tick(&tick);
    }
    let stored = driver.memory.memory().stored(OURS).unwrap();
    let rows = stored.journal.iter().map(|row| (row.at, row.body.clone())).collect();
    let deals = stored.deals.iter().map(|row| row.ended.clone()).collect();
    Journal { rows, deals }
}

fn backtested(feature: &Feature, ticks: &[Vec<Tick>; 2], mode: Mode) -> Journal {
    let [a, b] = ticks;
    let market = Market::of_ticks(instruments(), &[(A, a), (B, b)]).unwrap();
    let account: Settings = settings(feature.terms());
    let plan = Plan {
        account,
        balances: feature.purse(),
        bots: Vec::new(),
        exchange: exchange::Settings::default(),
        path: Path::default(),
        mode,
        record: true,
    };
    let script = Script {
        happenings: feature.happenings(),
        limits: Some(Limits::default()),
        checkpoint_every: Some(Options::default().checkpoint_every),
        reads_again: true,
    };
    let report = backtest::run_script(&market, &plan, &script, &mut |_| {}).unwrap();
    // An event is told first, and then why the account did what it did.
    let mut entries: Vec<(Timestamp, Event, Vec<WhyRecord>)> = Vec::new();
    for told in &report.told {
        if let Output::Recorded { at, event, .. } = told {
            entries.push((*at, codec::decode_event(event).unwrap(), Vec::new()));
        } else if let Output::Why { record, .. } = told {
            entries.last_mut().unwrap().2.push((**record).clone());
        }
    }
    let rows =
        entries.iter().map(|(at, event, whys)| (*at, codec::encode_entry(event, whys).unwrap()));
    Journal {
        rows: rows.collect(),
        deals: report.deals.iter().map(|row| row.ended.clone()).collect(),
    }
}

fn shown((at, entry): &(Timestamp, Vec<u8>)) -> String {
    format!("{at} {:?}", codec::decode_entry(entry))
}

fn instruments() -> Instruments {
    Instruments::new(vec![instrument(A, "AAA/USDT"), instrument(B, "BBB/USDT")]).unwrap()
}

fn on_both(draft: Draft) -> Draft {
    let pairs = ["AAA/USDT", "BBB/USDT"].map(|pair| Symbol::parse(pair).unwrap());
    Draft { pairs: pairs.to_vec(), ..draft }
}

fn nth_deal(n: u32) -> tranche_model::ids::DealNo {
    tranche_model::ids::DealNo::new(FIRST_DEAL.get() + n)
}

/// A hundred hours of trades around 100.
fn trades(instrument: InstrumentId, seed: u64) -> Vec<Tick> {
    let mut state = seed;
    let mut below = |bound: i64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap() % bound
    };
    let (mut cents, mut ms) = (10_000_i64, BEGIN);
    let mut ticks = Vec::new();
    while ms < BEGIN + 100 * HOUR {
        ms += 1 + below(120_000);
        cents = (cents + (below(61) - 30) / 10 * 10).clamp(5_000, 20_000);
        let price = Price::new(Decimal::new(cents, 2));
        ticks.push(Tick { instrument, price, qty: Qty::ZERO, at: Timestamp::from_ms(ms) });
    }
    ticks
}

/// The default of the plan's account reads again every quarter of an hour.
#[test]
fn the_paper_run_reads_everything_again() {
    let every = settings(Feature::of(draft(), "").terms()).timing.reconcile_every;
    assert!(Millis::ZERO < every && every < Millis::from_secs(3600));
}
