//! How a storm is drawn: markets, settings, steps.

use proptest::prelude::*;
use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    balance::{FeeAsset, FeeRates},
    filter::Filter,
    ids::InstrumentId,
    instrument::{Instrument, TradingStatus},
    money::{Fraction, Price, Qty, Quote},
    order::Side,
    time::Millis,
};
use tranche_sim::{
    exchange::{self, FillRule},
    line::{CallFault, EventFault},
    memory::CommitFault,
};
use tranche_trading::{
    dca::{
        Config, Draft,
        draft::{
            BaseOrderType, DeviationReference, LadderOrigin, Pct, QtyRounding, Start,
            StopLossReference, TakeProfitType,
        },
    },
    event::KillLevel,
};

use super::{BOTS, START, Step, Storm, Weather, What};
use crate::scene::{A, B, Terms, asset};

pub(super) fn storm(weather: Weather) -> impl Strategy<Value = Storm> {
    (instrument(A, "AAA/USDT"), instrument(B, "BBB/USDT")).prop_flat_map(move |(a, b)| {
        let list = vec![a, b];
        let bots = prop::collection::vec((1..=BOTS, config(list.clone())), 1..6);
        let steps = prop::collection::vec(step(weather, list.clone()), 10..120);
        (exchange(), terms(), any::<bool>(), bots, steps).prop_map(
            move |(exchange, terms, events_first, bots, steps)| Storm {
                instruments: list.clone(),
                exchange,
                terms,
                events_first,
                bots,
                steps,
            },
        )
    })
}

fn instrument(id: InstrumentId, symbol: &'static str) -> impl Strategy<Value = Instrument> {
    let tick = prop_oneof![Just("0.01"), Just("0.05"), Just("0.5")];
    let step = prop_oneof![Just("0.00001"), Just("0.001"), Just("0.05")];
    let notional = prop_oneof![Just("1"), Just("5"), Just("10")];
    let orders = prop_oneof![Just(0_u32), Just(4), Just(200)];
    let market = prop_oneof![4 => Just("0"), 1 => Just("2.5")];
    (tick, step, notional, orders, market).prop_map(
        move |(tick, step, notional, orders, market)| {
            let (tick, step) = (Price::parse(tick).unwrap(), Qty::parse(step).unwrap());
            let min = Quote::parse(notional).unwrap();
            let mut filters = vec![
                Filter::Price { min: tick, max: Price::parse("10000000").unwrap(), tick },
                Filter::LotSize { min: step, max: Qty::parse("9000000").unwrap(), step },
                Filter::MinNotional { min, market: true },
            ];
            if market != "0" {
                let max = Qty::parse(market).unwrap();
                filters.push(Filter::MarketLotSize { min: Qty::ZERO, max, step: Qty::ZERO });
            }
            if orders != 0 {
                filters.push(Filter::MaxNumOrders { limit: orders });
            }
            Instrument::new(id, Symbol::parse(symbol).unwrap(), filters)
        },
    )
}

fn exchange() -> impl Strategy<Value = exchange::Settings> {
    let fill = prop_oneof![Just(FillRule::Through), Just(FillRule::Touch)];
    let cap =
        prop::option::weighted(0.4, (50_i64..1000).prop_map(|n| Fraction::new(Decimal::new(n, 3))));
    let latency = prop_oneof![3 => Just(0_u32), 1 => Just(80), 1 => Just(700)];
    let digits = prop_oneof![Just(16_u32), Just(8)];
    (fill, cap, latency, digits, 0_i64..4).prop_map(
        |(fill, volume_cap, latency, amount_digits, slippage)| exchange::Settings {
            fill,
            volume_cap,
            latency: Millis::new(latency),
            amount_digits,
            slippage: Fraction::new(Decimal::new(slippage, 4)),
            ..exchange::Settings::default()
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    let asset = prop_oneof![
        Just(FeeAsset::Received),
        Just(FeeAsset::Quote),
        Just(FeeAsset::Third(asset("BNB")))
    ];
    let funds = prop_oneof![Just(10_000_i64), Just(300), Just(1000)];
    (asset, funds, prop_oneof![Just(75_i64), Just(100)]).prop_map(|(fee_asset, funds, maker)| {
        let rate = |digits| Fraction::new(Decimal::new(digits, 5));
        Terms { fees: FeeRates { maker: rate(maker), taker: rate(100) }, fee_asset, funds }
    })
}

fn pct(hundredths: std::ops::Range<i64>) -> impl Strategy<Value = Pct> {
    hundredths.prop_map(|n| Pct::new(Decimal::new(n, 2)))
}

fn volume() -> impl Strategy<Value = Quote> {
    (1_000_i64..20_000).prop_map(|cents| Quote::new(Decimal::new(cents, 2)))
}

fn scale() -> impl Strategy<Value = Fraction> {
    (5_i64..20).prop_map(|tenths| Fraction::new(Decimal::new(tenths, 1)))
}

#[expect(clippy::too_many_lines, reason = "every setting of a bot, one after the other")]
fn config(list: Vec<Instrument>) -> impl Strategy<Value = Config> {
    let pairs = prop_oneof![Just(&["AAA/USDT"][..]), Just(&["BBB/USDT", "AAA/USDT"][..])];
    let first = (
        pairs,
        volume(),
        prop_oneof![Just(BaseOrderType::Market), Just(BaseOrderType::Limit)],
        (5_u32..40, 5_u32..120),
        volume(),
        pct(20..400),
        scale(),
        scale(),
        0_u16..6,
    );
    let second = (
        prop::option::of(0_u16..6),
        prop_oneof![
            Just(DeviationReference::Base),
            Just(DeviationReference::Previous),
            Just(DeviationReference::Average)
        ],
        prop_oneof![Just(LadderOrigin::Fill), Just(LadderOrigin::FeeInclusive)],
        prop_oneof![pct(20..150), pct(20..500)],
        prop_oneof![Just(TakeProfitType::Total), Just(TakeProfitType::Base)],
        prop::option::weighted(0.3, pct(10..300)),
        prop::option::weighted(0.5, prop_oneof![pct(50..400), pct(50..4000)]),
        prop_oneof![Just(StopLossReference::Base), Just(StopLossReference::Average)],
        prop_oneof![Just(0_u32), 1_u32..60],
    );
    let third = (
        any::<bool>(),
        prop_oneof![2 => Just(0_u32), 1 => 1_u32..90],
        prop::option::of(1_u16..3),
        prop::option::weighted(0.2, 1_u32..4),
        prop_oneof![9 => Just(Start::Asap), 1 => Just(Start::Manual)],
        prop_oneof![Just(QtyRounding::Down), Just(QtyRounding::Up)],
    );
    (first, second, third).prop_filter_map("the door refuses it", move |(first, second, third)| {
        let (pairs, base_order_volume, base_order_type, (reprice, timeout), so, step, ss, vs, max) =
            first;
        let (active, reference, ladder_origin, tp, tp_type, trailing, stop, stop_ref, stop_timeout) =
            second;
        let (stop_bot, cooldown_seconds, max_active_deals, stop_after_deals, start, qty_rounding) =
            third;
        let draft = Draft {
            name: "storm".to_owned(),
            pairs: pairs.iter().map(|name| Symbol::parse(name).unwrap()).collect(),
            base_order_volume,
            base_order_type,
            entry_reprice_seconds: reprice.min(timeout),
            entry_timeout_seconds: timeout,
            safety_order_volume: so,
            safety_order_step_pct: step,
            step_scale: ss,
            volume_scale: vs,
            max_safety_orders: max,
            active_safety_orders_count: active.map(|active| active.min(max)),
            deviation_reference: reference,
            ladder_origin,
            take_profit_pct: tp,
            take_profit_type: tp_type,
            trailing_deviation_pct: trailing,
            stop_loss_pct: stop,
            stop_loss_reference: if stop.is_some() { stop_ref } else { StopLossReference::Base },
            stop_loss_timeout_seconds: if stop.is_some() { stop_timeout } else { 0 },
            stop_bot_after_stop_loss: stop.is_some() && stop_bot,
            cooldown_seconds,
            max_active_deals: max_active_deals.map(|most| {
                most.min(u16::try_from(pairs.len()).unwrap())
            }),
            stop_after_deals,
            start,
            qty_rounding,
        };
        let config = Config::try_from(draft).ok()?;
        let start = Some(Price::new(Decimal::new(START, 2)));
        list.iter()
            .all(|instrument| config.check_instrument(instrument, start).is_ok())
            .then_some(config)
    })
}

#[expect(clippy::too_many_lines, reason = "everything that may happen, one after the other")]
fn step(weather: Weather, list: Vec<Instrument>) -> impl Strategy<Value = Step> {
    let Weather { line, commits, hands, commands } = weather;
    let ahead = || 1_u64..6;
    let span = || prop_oneof![1_u32..500, 500_u32..15_000].prop_map(Millis::new);
    let permille = prop_oneof![6 => -20_i64..21, 4 => -60_i64..61, 1 => -450_i64..450];
    let qty = prop_oneof![Just(0_i64), 1_i64..100];
    let call = prop_oneof![
        Just(CallFault::LoseRequest),
        Just(CallFault::LoseReply),
        (1_u32..14_000).prop_map(|ms| CallFault::LateRequest(Millis::new(ms))),
        span().prop_map(CallFault::LateReply),
        Just(CallFault::DoubleReply),
        (1_u32..8_000).prop_map(|ms| CallFault::LaggingRead(Millis::new(ms))),
    ];
    let event = prop_oneof![
        Just(EventFault::Drop),
        Just(EventFault::Double),
        span().prop_map(EventFault::Delay)
    ];
    let commit = prop_oneof![
        Just(CommitFault::Fail),
        Just(CommitFault::ApplyLoseReply),
        Just(CommitFault::Lose),
        (1_u32..3).prop_map(|turns| CommitFault::Delay { turns })
    ];
    let status = prop_oneof![
        3 => Just(TradingStatus::Trading),
        1 => Just(TradingStatus::Halted),
        1 => Just(TradingStatus::CancelOnly)
    ];
    let account = || 0_u32..2;
    let all = vec![
        (
            20,
            (0_u32..2, permille, qty)
                .prop_map(|(instrument, permille, qty)| Step::Tick { instrument, permille, qty })
                .boxed(),
        ),
        (4, prop_oneof![1_u32..5_000, 5_000_u32..90_000].prop_map(|ms| Step::Wait { ms }).boxed()),
        (line, (ahead(), call).prop_map(|(ahead, fault)| Step::Call { ahead, fault }).boxed()),
        (line, (ahead(), event).prop_map(|(ahead, fault)| Step::Event { ahead, fault }).boxed()),
        (line / 3, (0_u32..2).prop_map(|instrument| Step::Gap { instrument }).boxed()),
        (
            line / 2,
            (account(), any::<bool>())
                .prop_map(|(account, live)| Step::Stream { account, live })
                .boxed(),
        ),
        (
            commits,
            (ahead(), commit).prop_map(|(ahead, fault)| Step::Commit { ahead, fault }).boxed(),
        ),
        (commits, account().prop_map(|account| Step::Evict { account }).boxed()),
        (commits / 2, Just(Step::Crash).boxed()),
        (
            hands,
            (account(), 1_i64..300)
                .prop_map(|(account, units)| Step::Deposit { account, units })
                .boxed(),
        ),
        (
            hands,
            (account(), 1_i64..300)
                .prop_map(|(account, units)| Step::Withdraw { account, units })
                .boxed(),
        ),
        (
            hands,
            (account(), 0_u32..2, -200_i64..50, 1_i64..50_000)
                .prop_map(|(account, instrument, permille, steps)| Step::Hand {
                    account,
                    instrument,
                    side: Side::Buy,
                    permille,
                    steps,
                })
                .boxed(),
        ),
        (
            hands,
            (0_u32..2, 1_i64..20, status)
                .prop_map(|(instrument, least, status)| Step::Rules { instrument, least, status })
                .boxed(),
        ),
        (
            hands,
            (account(), 0_usize..4)
                .prop_map(|(account, which)| Step::Meddle { account, which })
                .boxed(),
        ),
        (
            commands,
            (account(), 0..BOTS, what(list))
                .prop_map(|(account, bot, what)| Step::Command { account, bot, what })
                .boxed(),
        ),
    ];
    prop::strategy::Union::new_weighted(
        all.into_iter().filter(|(weight, _)| *weight != 0).collect(),
    )
}

fn what(list: Vec<Instrument>) -> impl Strategy<Value = What> {
    let level = prop_oneof![
        Just(KillLevel::PauseEntries),
        Just(KillLevel::CancelEntries),
        Just(KillLevel::CloseAll)
    ];
    prop_oneof![
        3 => config(list.clone()).prop_map(|config| What::Create(Box::new(config))),
        3 => (config(list), any::<bool>())
            .prop_map(|(config, open)| What::Edit(Box::new(config), open)),
        1 => Just(What::Delete),
        2 => Just(What::Pause),
        3 => Just(What::Resume),
        1 => Just(What::PauseAll),
        2 => Just(What::ResumeAll),
        2 => Just(What::Stop),
        3 => Just(What::Start),
        2 => (0_u32..2).prop_map(What::StartDeal),
        2 => Just(What::Cancel),
        2 => Just(What::Close),
        1 => level.prop_map(What::Kill),
        2 => Just(What::Rearm),
    ]
}
