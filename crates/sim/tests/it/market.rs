//! A small market, and what may happen on it.

use proptest::prelude::*;
use rust_decimal::Decimal;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::{Balance, FeeAsset, FeeRates},
    candle::Tick,
    client_order_id::{ClientOrderId, OrderKey, Origin},
    filter::Filter,
    ids::{AccountId, BotId, DealNo, Generation, Incarnation, Installation, InstrumentId, Slot},
    instrument::{Instrument, Instruments},
    money::{Amount, Fraction, Price, Qty, Quote},
    order::{OrderKind, OrderRequest, Side, Size, TimeInForce},
    time::Timestamp,
};
use tranche_sim::exchange::{Exchange, FillRule, Hand, SelfTradePrevention, Settings};

pub(crate) const BTC: InstrumentId = InstrumentId::new(0);
pub(crate) const ACCOUNTS: u32 = 4;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Happening {
    Place { account: u32, id: u16, side: Side, kind: OrderKind },
    Hand { account: u32, side: Side, kind: OrderKind },
    Cancel { account: u32, id: u16 },
    Tick { price: Price, qty: Qty },
    Deposit { account: u32, units: i64 },
    Withdraw { account: u32, units: i64 },
}

pub(crate) fn asset(name: &str) -> Asset {
    Asset::parse(name).unwrap()
}

pub(crate) fn client_id(generation: u16) -> ClientOrderId {
    let origin = Origin { installation: Installation::new(3), incarnation: Incarnation::new(0) };
    let key = OrderKey {
        bot: BotId::new(5),
        deal: DealNo::new(1),
        slot: Slot::BASE,
        generation: Generation::new(generation),
    };
    ClientOrderId::pack(origin, key).unwrap()
}

/// Four accounts that pay their fees in different ways, poor enough to be refused at times.
pub(crate) fn exchange(settings: Settings) -> Exchange {
    let filters = vec![
        Filter::Price { min: price(1), max: price(1_000_000), tick: price(1) },
        Filter::LotSize { min: qty(1), max: qty(1_000_000), step: qty(1) },
        Filter::MinNotional { min: Quote::new(Decimal::ONE), market: true },
        Filter::MaxNumOrders { limit: 20 },
    ];
    let instrument = Instrument::new(BTC, Symbol::parse("BTC/USDT").unwrap(), filters);
    let mut exchange = Exchange::new(Instruments::new(vec![instrument]).unwrap(), settings);
    let fee_assets =
        [FeeAsset::Received, FeeAsset::Quote, FeeAsset::Third(asset("BNB")), FeeAsset::Received];
    let rate = |digits| Fraction::new(Decimal::new(digits, 5));
    for (account, fee_asset) in (0..ACCOUNTS).zip(fee_assets) {
        let fees = FeeRates { maker: rate(75), taker: rate(101) };
        let purse = [("BTC", 5), ("USDT", 700), ("BNB", 1)].map(|(name, units)| Balance {
            asset: asset(name),
            free: Amount::new(Decimal::from(units)),
            locked: Amount::ZERO,
        });
        exchange.add_account(AccountId::new(account), fees, fee_asset, purse.to_vec()).unwrap();
    }
    exchange.set_rate(asset("BNB"), asset("USDT"), Price::new(Decimal::new(30_007, 2)));
    exchange
}

/// Refusals are fine: only the books matter here.
pub(crate) fn happen(exchange: &mut Exchange, happening: Happening, now: Timestamp) {
    match happening {
        Happening::Place { account, id, side, kind } => {
            let request = OrderRequest { client_id: client_id(id), instrument: BTC, side, kind };
            let _outcome = exchange.place(AccountId::new(account), &request, now);
        }
        Happening::Hand { account, side, kind } => {
            let hand = Hand { instrument: BTC, side, kind };
            let _outcome = exchange.place_foreign(AccountId::new(account), hand, now);
        }
        Happening::Cancel { account, id } => {
            let _outcome = exchange.cancel(AccountId::new(account), client_id(id), now);
        }
        Happening::Tick { price, qty } => {
            exchange.trade(&Tick { instrument: BTC, price, qty, at: now });
        }
        Happening::Deposit { account, units } => {
            let amount = Amount::new(Decimal::from(units));
            exchange.deposit(AccountId::new(account), asset("USDT"), amount).unwrap();
        }
        Happening::Withdraw { account, units } => {
            let amount = Amount::new(Decimal::from(units));
            let _outcome = exchange.withdraw(AccountId::new(account), asset("USDT"), amount);
        }
    }
}

/// Ticks of 0.01.
pub(crate) fn price(ticks: i64) -> Price {
    Price::new(Decimal::new(ticks, 2))
}

/// Steps of 0.001.
pub(crate) fn qty(steps: i64) -> Qty {
    Qty::new(Decimal::new(steps, 3))
}

pub(crate) fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn kind() -> impl Strategy<Value = OrderKind> {
    let force = prop_oneof![
        4 => Just(TimeInForce::GoodTillCancelled),
        1 => Just(TimeInForce::ImmediateOrCancel),
        1 => Just(TimeInForce::FillOrKill),
    ];
    let prices = || (9_500_i64..10_500).prop_map(price);
    let quantities = || (1_i64..3_000).prop_map(qty);
    let quotes = (1_i64..50_000).prop_map(|cents| Quote::new(Decimal::new(cents, 2)));
    prop_oneof![
        6 => (prices(), quantities(), force).prop_map(|(price, qty, time_in_force)| {
            OrderKind::Limit { price, qty, time_in_force }
        }),
        1 => (prices(), quantities()).prop_map(|(price, qty)| OrderKind::LimitMaker { price, qty }),
        1 => quantities().prop_map(|qty| OrderKind::Market { size: Size::Base(qty) }),
        1 => quotes.prop_map(|quote| OrderKind::Market { size: Size::Quote(quote) }),
    ]
}

/// With a tape only when `tape` says so.
pub(crate) fn happenings(tape: bool) -> impl Strategy<Value = Vec<Happening>> {
    let account = || 0..ACCOUNTS;
    let happening = prop_oneof![
        12 => (account(), 0_u16..60, side(), kind())
            .prop_map(|(account, id, side, kind)| Happening::Place { account, id, side, kind }),
        2 => (account(), side(), kind())
            .prop_map(|(account, side, kind)| Happening::Hand { account, side, kind }),
        3 => (account(), 0_u16..60).prop_map(|(account, id)| Happening::Cancel { account, id }),
        u32::from(tape) * 6 => (9_400_i64..10_600, 0_i64..5_000)
            .prop_map(|(ticks, steps)| Happening::Tick { price: price(ticks), qty: qty(steps) }),
        1 => (account(), 1_i64..300)
            .prop_map(|(account, units)| Happening::Deposit { account, units }),
        1 => (account(), 1_i64..300)
            .prop_map(|(account, units)| Happening::Withdraw { account, units }),
    ];
    prop::collection::vec(happening, 1..120)
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let fill = prop_oneof![Just(FillRule::Through), Just(FillRule::Touch)];
    let self_trade = prop_oneof![
        Just(SelfTradePrevention::ExpireTaker),
        Just(SelfTradePrevention::ExpireMaker),
        Just(SelfTradePrevention::ExpireBoth),
        Just(SelfTradePrevention::None),
    ];
    let share = |digits| Fraction::new(Decimal::new(digits, 3));
    let cap = prop::option::of((1_i64..1_000).prop_map(share));
    let amount_digits = prop_oneof![Just(16_u32), Just(8), Just(3)];
    (fill, self_trade, cap, 0_i64..20, amount_digits).prop_map(
        move |(fill, self_trade, volume_cap, slippage, amount_digits)| Settings {
            fill,
            self_trade,
            volume_cap,
            slippage: share(slippage),
            amount_digits,
            ..Settings::default()
        },
    )
}
