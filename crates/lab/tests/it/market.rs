//! The prices that the tests of this folder run on.

use tranche_lab::{
    candles,
    excerpt::{self, Market},
    folder::{self, Recorded},
    generate::{Generator, Params},
};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::{Balance, FeeAsset, FeeRates},
    candle::Candle,
    client_order_id::Origin,
    filter::Filter,
    ids::{BotId, Incarnation, Installation, InstrumentId, UserId},
    instrument::{Instrument, Instruments},
    money::{Amount, Fraction, Price, Qty, Quote},
    time::Millis,
};
use tranche_sim::{
    backtest::{self, Mode, Plan, Report, Series},
    exchange::{self, Path},
};
use tranche_trading::{
    dca::{Config, Draft},
    event::{Settings, Timing},
};

/// One-minute candles of 2018, or the bundled excerpt when the recorded year is not there.
pub(crate) fn year() -> (Vec<Candle>, Millis) {
    let name = "bitfinex-BTCUSD-1m-2018.csv.zst";
    match folder::recorded(name) {
        Recorded::Found(path) => {
            let file = candles::read(&path, Some(Millis::from_secs(60))).unwrap();
            (file.candles, file.interval)
        }
        missing @ Recorded::Missing(_) => {
            println!("{missing}; using the bundled excerpt");
            let file = excerpt::candles_of(Market::BtcUsdt).unwrap();
            (file.candles, file.interval)
        }
    }
}

pub(crate) fn generated(seed: u64, count: usize) -> Vec<Candle> {
    Generator::new(seed, &Params::btc_usdt()).unwrap().take(count).collect()
}

pub(crate) fn instrument(id: u32, symbol: &str) -> Instrument {
    let price = |text: &str| Price::parse(text).unwrap();
    let qty = |text: &str| Qty::parse(text).unwrap();
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("10000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.00001"), max: qty("9000"), step: qty("0.00001") },
        Filter::Notional {
            min: Quote::parse("5").unwrap(),
            min_market: true,
            max: Quote::parse("9000000").unwrap(),
            max_market: false,
        },
        Filter::MaxNumOrders { limit: 200 },
    ];
    Instrument::new(InstrumentId::new(id), Symbol::parse(symbol).unwrap(), filters)
}

pub(crate) fn instruments() -> Instruments {
    Instruments::new(vec![instrument(0, "BTC/USD"), instrument(1, "ETH/USD")]).unwrap()
}

/// A plan for one bot, from the settings that differ from the usual ones.
pub(crate) fn plan(settings: &str, mode: Mode) -> Plan {
    let rate = |text: &str| Fraction::parse(text).unwrap();
    let fees = FeeRates { maker: rate("0.001"), taker: rate("0.001") };
    let cash = Balance {
        asset: Asset::parse("USD").unwrap(),
        free: Amount::parse("100000").unwrap(),
        locked: Amount::ZERO,
    };
    Plan {
        account: Settings {
            user: UserId::new(1),
            origin: Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) },
            fees,
            fee_asset: FeeAsset::Received,
            timing: Timing::default(),
        },
        balances: vec![cash],
        bots: vec![(BotId::new(1), config(settings))],
        exchange: exchange::Settings::default(),
        path: Path::OpenLowHighClose,
        mode,
        record: false,
    }
}

pub(crate) fn config(settings: &str) -> Config {
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(
        r#"{"name": "test", "pairs": ["BTC/USD"], "base_order_volume": "100",
            "safety_order_volume": "100", "safety_order_step_pct": "1.5", "volume_scale": "1.5",
            "max_safety_orders": 5, "active_safety_orders_count": 5, "take_profit_pct": "1.5"}"#,
    )
    .unwrap();
    let changes: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(settings).unwrap();
    fields.extend(changes);
    let draft: Draft = serde_json::from_value(fields.into()).unwrap();
    Config::try_from(draft).unwrap()
}

pub(crate) fn run(plan: &Plan, candles: &[Candle], interval: Millis) -> Report {
    let series = Series { instrument: InstrumentId::new(0), candles, interval };
    backtest::run(instruments(), plan, &[series], &mut |_| {}).unwrap()
}
