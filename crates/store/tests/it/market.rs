//! Instruments keep their numbers; balances, prices and weights are the last ones told.

use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    filter::Filter,
    ids::{AccountId, InstrumentId},
    instrument::{Instrument, Instruments, TradingStatus},
    money::{Amount, Price, Qty},
    time::{Millis, Timestamp},
};
use tranche_store::{BalancesNote, Listing, Notes, PriceRow, StoreError, UsedWeight};

use crate::bench::{Bench, NOW, add_paper, contract};

contract! {
    instrument_keeps_its_number_for_ever,
    balances_are_the_last_ones_told,
    older_price_replaces_no_newer_one,
    used_weight_outlives_a_restart,
    host_that_heard_less_hides_no_ban_of_its_address,
    notes_are_written_together_or_not_at_all,
}

async fn instrument_keeps_its_number_for_ever(bench: &Bench) {
    let store = bench.open().await;
    let (btc, eth, sol) =
        (pair("BTC/USDT", "0.01"), pair("ETH/USDT", "0.01"), pair("SOL/USDT", "0.1"));
    let list = [eth.clone(), btc.clone()];
    let first = store.adopt_instruments("binance", &list, Listing::Complete, NOW).await.unwrap();
    let number = |symbol: &str, list: &Instruments| {
        let symbol = Symbol::parse(symbol).unwrap();
        (first.find(symbol).map(|one| one.id), list.find(symbol).unwrap().clone())
    };

    // The exchange adds one and changes one, later it drops one.
    let changed = pair("ETH/USDT", "0.05");
    let list = [sol.clone(), changed.clone()];
    let second = store.adopt_instruments("binance", &list, Listing::Partial, NOW).await.unwrap();
    let (before, eth) = number("ETH/USDT", &second);
    assert_eq!(before, Some(eth.id));
    assert_eq!(eth.tick, changed.tick);
    assert_eq!(number("BTC/USDT", &second).1.status, TradingStatus::Trading);

    let list = [sol, changed];
    let third = store.adopt_instruments("binance", &list, Listing::Complete, NOW).await.unwrap();
    let (before, btc_now) = number("BTC/USDT", &third);
    assert_eq!((before, btc_now.status), (Some(btc_now.id), TradingStatus::Delisted));
    assert_eq!(number("SOL/USDT", &third).1.id, InstrumentId::new(2));

    let list = [btc];
    let back = store.adopt_instruments("binance", &list, Listing::Partial, NOW).await.unwrap();
    assert_eq!(number("BTC/USDT", &back).1.status, TradingStatus::Trading);
    assert_eq!(store.instruments("binance").await, Ok(back));
    assert!(store.instruments("bybit").await.unwrap().is_empty());
}

async fn balances_are_the_last_ones_told(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let account = AccountId::new(1);
    let all = [balance("USDT", "0.0000000000000000000000000001"), balance("BTC", "2")];
    store.put_balances(account, &all, Listing::Complete, NOW).await.unwrap();

    let some = [balance("BTC", "3"), balance("BTC", "4")];
    let later = NOW.plus(Millis::from_secs(1));
    store.put_balances(account, &some, Listing::Partial, later).await.unwrap();
    let told = store.balances(account).await.unwrap();
    assert_eq!(told, [(some[1], later), (all[0], NOW)]);

    store.put_balances(account, &some[..1], Listing::Complete, later).await.unwrap();
    assert_eq!(store.balances(account).await.unwrap(), [(some[0], later)]);
    let nowhere = store.put_balances(AccountId::new(9), &some, Listing::Partial, NOW).await;
    assert!(matches!(nowhere, Err(StoreError::Failed(_))));
}

async fn older_price_replaces_no_newer_one(bench: &Bench) {
    let store = bench.open().await;
    let price = |instrument, price: &str, seconds| PriceRow {
        instrument: InstrumentId::new(instrument),
        price: Price::parse(price).unwrap(),
        at: NOW.plus(Millis::from_secs(seconds)),
    };

    let told = [price(1, "10", 5), price(1, "9", 4), price(0, "0.00000001", 0)];
    store.put_prices("binance", &told).await.unwrap();
    store.put_prices("binance", &[price(1, "8", 3), price(0, "7", 1)]).await.unwrap();

    let prices = store.prices("binance").await.unwrap();
    assert_eq!(prices, [price(0, "7", 1), price(1, "10", 5)]);
    assert_eq!(store.prices("bybit").await, Ok(Vec::new()));
}

fn weight(address: &str, used: u64, banned_until: Option<Timestamp>) -> UsedWeight {
    UsedWeight {
        venue: "binance".to_owned(),
        address: address.to_owned(),
        span: "1m".to_owned(),
        began_at: NOW,
        used,
        banned_until,
    }
}

async fn host_that_heard_less_hides_no_ban_of_its_address(bench: &Bench) {
    let store = bench.open().await;
    let later = |seconds| Some(NOW.plus(Millis::from_secs(seconds)));
    let told = async |told: UsedWeight| {
        store.put_weight(&told).await.unwrap();
        store.weights().await.unwrap().remove(0)
    };

    assert_eq!(told(weight("one", 700, later(9))).await, weight("one", 700, later(9)));
    assert_eq!(told(weight("one", 5, None)).await, weight("one", 700, later(9)));
    assert_eq!(told(weight("one", 701, later(3))).await, weight("one", 701, later(9)));
    assert_eq!(told(weight("one", 701, later(20))).await, weight("one", 701, later(20)));
    let next = NOW.plus(Millis::from_secs(60));
    let of_next = |used| UsedWeight { began_at: next, ..weight("one", used, later(20)) };
    assert_eq!(told(UsedWeight { banned_until: None, ..of_next(2) }).await, of_next(2));
}

async fn used_weight_outlives_a_restart(bench: &Bench) {
    let store = bench.open().await;
    store.put_weight(&weight("one", 5, None)).await.unwrap();
    store.put_weight(&weight("Two", 6, None)).await.unwrap();
    store.put_weight(&weight("one", 700, Some(NOW))).await.unwrap();
    store.close().await;
    drop(store);

    let store = bench.open().await;

    let weights = store.weights().await.unwrap();
    assert_eq!(weights, [weight("Two", 6, None), weight("one", 700, Some(NOW))]);
}

fn pair(symbol: &str, tick: &str) -> Instrument {
    let filters = vec![
        Filter::Price {
            min: Price::parse("0.01").unwrap(),
            max: Price::parse("1000000").unwrap(),
            tick: Price::parse(tick).unwrap(),
        },
        Filter::LotSize {
            min: Qty::parse("0.00001").unwrap(),
            max: Qty::parse("9000").unwrap(),
            step: Qty::parse("0.00001").unwrap(),
        },
    ];
    Instrument::new(InstrumentId::new(77), Symbol::parse(symbol).unwrap(), filters)
}

fn balance(asset: &str, free: &str) -> Balance {
    Balance {
        asset: Asset::parse(asset).unwrap(),
        free: Amount::parse(free).unwrap(),
        locked: Amount::parse("0").unwrap(),
    }
}

async fn notes_are_written_together_or_not_at_all(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    add_paper(&store, 2).await;
    let of = |account, listing, balances| BalancesNote {
        account: AccountId::new(account),
        balances,
        listing,
        at: NOW,
    };
    let weight = UsedWeight {
        venue: "binance".to_owned(),
        address: "default".to_owned(),
        span: "1M".to_owned(),
        began_at: NOW,
        used: 120,
        banned_until: None,
    };
    let price = |text: &str| PriceRow {
        instrument: InstrumentId::new(0),
        price: Price::parse(text).unwrap(),
        at: NOW,
    };
    let notes = Notes {
        balances: vec![
            of(1, Listing::Complete, vec![balance("BTC", "2"), balance("USDT", "5")]),
            of(2, Listing::Partial, vec![balance("USDT", "7")]),
        ],
        venue: "binance".to_owned(),
        prices: vec![price("60000")],
        weight: Some(weight.clone()),
    };
    store.put_notes(&notes).await.unwrap();
    store.put_notes(&Notes::default()).await.unwrap();

    // One of the accounts is not there: nothing is written.
    let next = Notes {
        balances: vec![
            of(1, Listing::Complete, vec![balance("USDT", "6")]),
            of(9, Listing::Partial, vec![balance("USDT", "1")]),
        ],
        venue: "binance".to_owned(),
        prices: vec![price("61000")],
        weight: Some(UsedWeight { used: 180, ..weight.clone() }),
    };
    assert!(store.put_notes(&next).await.is_err());

    let held = store.balances(AccountId::new(1)).await.unwrap();
    assert_eq!(held, [(balance("BTC", "2"), NOW), (balance("USDT", "5"), NOW)]);
    let held = store.balances(AccountId::new(2)).await.unwrap();
    assert_eq!(held, [(balance("USDT", "7"), NOW)]);
    assert_eq!(store.prices("binance").await.unwrap(), [price("60000")]);
    assert_eq!(store.weights().await.unwrap(), [weight]);
}
