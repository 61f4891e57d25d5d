use super::*;
use crate::{asset::Symbol, ids::InstrumentId};

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

fn quote(text: &str) -> Quote {
    Quote::parse(text).unwrap()
}

/// The rules of BTC/USDT, close to those of the live venue.
pub(crate) fn btc_usdt() -> Instrument {
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.00001"), max: qty("9000"), step: qty("0.00001") },
        Filter::MarketLotSize { min: qty("0"), max: qty("100"), step: qty("0") },
        Filter::Notional {
            min: quote("5"),
            min_market: true,
            max: quote("9000000"),
            max_market: false,
        },
        Filter::PercentPriceBySide {
            bid_up: price("5"),
            bid_down: price("0.2"),
            ask_up: price("5"),
            ask_down: price("0.2"),
        },
        Filter::PercentPrice { up: price("5"), down: price("0.2") },
        Filter::IcebergParts { limit: 100 },
        Filter::MaxNumOrders { limit: 200 },
        Filter::MaxNumAlgoOrders { limit: 5 },
        Filter::MaxNumIcebergOrders { limit: 5 },
        Filter::MaxPosition { max: qty("1000") },
        Filter::TrailingDelta { above: (10, 2000), below: (10, 2000) },
        Filter::MaxNumOrderAmends { limit: 10 },
        Filter::MaxNumOrderLists { limit: 20 },
        Filter::ExchangeMaxNumOrders { limit: 1000 },
        Filter::ExchangeMaxNumAlgoOrders { limit: 200 },
        Filter::ExchangeMaxNumIcebergOrders { limit: 10 },
        Filter::ExchangeMaxNumOrderLists { limit: 20 },
        Filter::MaxAsset {
            asset: Asset::parse("USDT").unwrap(),
            limit: Amount::parse("2000000").unwrap(),
        },
    ];
    Instrument::new(InstrumentId::new(0), Symbol::parse("BTC/USDT").unwrap(), filters)
}

fn limit(price_text: &str, qty_text: &str) -> Proposal {
    Proposal {
        side: Side::Buy,
        is_market: false,
        price: Some(price(price_text)),
        stop_price: None,
        qty: Some(qty(qty_text)),
        quote: None,
        iceberg_qty: None,
        is_algo: false,
        trailing: None,
        is_list: false,
        amends: 0,
    }
}

fn market(qty_text: &str) -> Proposal {
    Proposal { is_market: true, price: None, ..limit("1", qty_text) }
}

fn state() -> MarketState {
    MarketState { reference: Some(price("60000")), ..MarketState::default() }
}

fn broken(proposal: Proposal, market: MarketState) -> Rule {
    btc_usdt().check(&proposal, &market).unwrap_err().rule
}

#[test]
fn a_plain_order_keeps_every_rule() {
    assert_eq!(btc_usdt().check(&limit("60000", "0.001"), &state()), Ok(()));
    assert_eq!(btc_usdt().check(&market("0.001"), &state()), Ok(()));
}

#[test]
fn each_rule_names_itself_when_broken() {
    let plain = limit("60000", "0.001");
    let with = |change: fn(&mut MarketState)| {
        let mut state = state();
        change(&mut state);
        state
    };
    let cases = [
        (limit("60000", "0.000000001"), state(), Rule::Precision),
        (limit("60000.001", "0.001"), state(), Rule::PriceFilter),
        (limit("1000001", "0.001"), state(), Rule::PriceFilter),
        (limit("60000", "0.000015"), state(), Rule::LotSize),
        (limit("60000", "9001"), state(), Rule::LotSize),
        (market("101"), state(), Rule::MarketLotSize),
        (limit("60000", "0.00008"), state(), Rule::Notional),
        (market("0.00008"), state(), Rule::Notional),
        (limit("300001", "0.001"), state(), Rule::PercentPriceBySide),
        (limit("11999", "0.001"), state(), Rule::PercentPriceBySide),
        (plain, with(|state| state.open.all = 200), Rule::MaxNumOrders),
        (
            Proposal { is_algo: true, ..plain },
            with(|state| state.open.algo = 5),
            Rule::MaxNumAlgoOrders,
        ),
        (plain, with(|state| state.position = qty("1000")), Rule::MaxPosition),
        (Proposal { trailing: Some((true, 5)), ..plain }, state(), Rule::TrailingDelta),
        (Proposal { amends: 11, ..plain }, state(), Rule::MaxNumOrderAmends),
        (
            Proposal { is_list: true, ..plain },
            with(|state| state.open.lists = 20),
            Rule::MaxNumOrderLists,
        ),
        (plain, with(|state| state.open_account.all = 1000), Rule::ExchangeMaxNumOrders),
        (
            Proposal { is_algo: true, ..plain },
            with(|state| state.open_account.algo = 200),
            Rule::ExchangeMaxNumAlgoOrders,
        ),
        (limit("60000", "50"), state(), Rule::MaxAsset),
    ];
    for (proposal, market, rule) in cases {
        assert_eq!(broken(proposal, market), rule, "{proposal:?}");
    }
}

#[test]
fn an_iceberg_of_too_many_parts_is_refused() {
    let proposal = Proposal { iceberg_qty: Some(qty("0.00001")), ..limit("60000", "0.00101") };
    assert_eq!(broken(proposal, state()), Rule::IcebergParts);

    let mut many = state();
    many.open.iceberg = 5;
    let proposal = Proposal { iceberg_qty: Some(qty("0.001")), ..limit("60000", "0.001") };
    assert_eq!(broken(proposal, many), Rule::MaxNumIcebergOrders);
}

#[test]
fn the_error_says_value_and_bound() {
    let text = btc_usdt().check(&limit("60000", "0.00008"), &state()).unwrap_err().to_string();
    assert_eq!(text, "NOTIONAL: notional 4.8 (must be at least 5)");
}
