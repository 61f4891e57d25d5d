//! What an exchange does not take, and why.

use tranche_model::{
    filter::Rule,
    ids::InstrumentId,
    instrument::TradingStatus,
    order::{OrderKind, OrderRequest, Side},
    record::{Outcome, RefusalReason},
};

use crate::scene::{BTC, ETH, NOWHERE, Scene, UNNAMED, limit, market, price, qty};

/// An order that breaks one rule and no other, on each instrument that has the rule.
fn breach(rule: Rule) -> Option<(Side, InstrumentId, OrderKind)> {
    Some(match rule {
        Rule::Precision => (Side::Buy, BTC, limit("40000.123456789", "0.01")),
        Rule::PriceFilter => (Side::Buy, BTC, limit("40000.001", "0.01")),
        Rule::LotSize => (Side::Buy, BTC, limit("40000", "0.0105")),
        Rule::MarketLotSize => (Side::Sell, BTC, market("6")),
        Rule::PercentPriceBySide => (Side::Buy, BTC, limit("20000", "0.01")),
        Rule::Notional => (Side::Buy, BTC, limit("40000", "0.001")),
        Rule::PercentPrice => (Side::Sell, ETH, limit("5000", "0.01")),
        Rule::MinNotional => (Side::Buy, ETH, limit("1900", "0.001")),
        Rule::MaxPosition => (Side::Buy, ETH, limit("1900", "21")),
        Rule::MaxNumOrders => (Side::Buy, BTC, limit("40000", "0.01")),
        Rule::ExchangeMaxNumOrders => (Side::Buy, ETH, limit("1900", "0.01")),
        Rule::IcebergParts
        | Rule::MaxNumAlgoOrders
        | Rule::MaxNumIcebergOrders
        | Rule::TrailingDelta
        | Rule::MaxNumOrderAmends
        | Rule::MaxNumOrderLists
        | Rule::ExchangeMaxNumAlgoOrders
        | Rule::ExchangeMaxNumIcebergOrders
        | Rule::ExchangeMaxNumOrderLists
        | Rule::MaxAsset => return None,
    })
}

/// Sends orders until no more than `rule` allows are open.
async fn crowd(scene: &Scene, rule: Rule) {
    let (side, instrument, kind) = breach(rule).unwrap();
    for _ in 0..20 {
        let request = OrderRequest { instrument, ..scene.order(side, kind) };
        if let Outcome::Refused(_) = scene.send(request).await {
            return;
        }
    }
    panic!("{rule} has no end");
}

pub(crate) async fn each_rule_names_itself(scene: Scene) {
    let instruments = scene.bench.instruments();
    let mut rules = vec![Rule::Precision];
    for filter in instruments.iter().flat_map(|instrument| &instrument.filters) {
        if !rules.contains(&filter.rule()) {
            rules.push(filter.rule());
        }
    }
    for rule in rules {
        let found = breach(rule).unwrap_or_else(|| panic!("no order is known that breaks {rule}"));
        let (side, instrument, kind) = found;
        if matches!(rule, Rule::MaxNumOrders | Rule::ExchangeMaxNumOrders) {
            crowd(&scene, rule).await;
        }
        let before = scene.bench.books();

        let refusal = scene.refused(OrderRequest { instrument, ..scene.order(side, kind) }).await;

        assert_eq!(refusal.reason, RefusalReason::Rule(rule), "{refusal:?}");
        assert_eq!(scene.bench.books(), before, "{rule}: a refused order does nothing");
    }
}

pub(crate) async fn what_cannot_be_paid_is_refused(scene: Scene) {
    let before = scene.bench.books();
    for (side, kind) in [(Side::Buy, limit("49000", "3")), (Side::Sell, limit("39000", "10.001"))] {
        let refusal = scene.refused(scene.order(side, kind)).await;
        assert_eq!(refusal.reason, RefusalReason::InsufficientFunds, "{refusal:?}");
    }
    assert_eq!(scene.bench.books(), before);
}

pub(crate) async fn a_maker_only_order_never_takes(scene: Scene) {
    let kind = OrderKind::LimitMaker { price: price("51000"), qty: qty("0.01") };

    let refusal = scene.refused(scene.order(Side::Buy, kind)).await;

    assert_eq!(refusal.reason, RefusalReason::WouldTrade, "{refusal:?}");
    assert!(scene.bench.books().fills.is_empty());
}

pub(crate) async fn an_open_id_is_taken(scene: Scene) {
    let request = scene.resting();
    scene.place(request).await;

    let refusal = scene.refused(request).await;

    assert_eq!(refusal.reason, RefusalReason::DuplicateId, "{refusal:?}");
    assert_eq!(scene.bench.books().open.len(), 1);
}

pub(crate) async fn an_unknown_instrument_is_refused(scene: Scene) {
    for instrument in [NOWHERE, UNNAMED] {
        let refusal = scene.refused(OrderRequest { instrument, ..scene.resting() }).await;
        assert_eq!(refusal.reason, RefusalReason::Other, "{refusal:?}");
    }
    assert!(scene.bench.books().open.is_empty());
}

pub(crate) async fn a_closed_instrument_takes_no_orders(scene: Scene) {
    let resting = scene.resting();
    scene.place(resting).await;

    for status in [TradingStatus::Halted, TradingStatus::CancelOnly, TradingStatus::Delisted] {
        scene.bench.set_status(BTC, status);
        let refusal = scene.refused(scene.resting()).await;
        assert_eq!(refusal.reason, RefusalReason::MarketClosed, "{status:?}: {refusal:?}");
    }

    let (ended, _) = crate::scene::order_of(scene.query(resting.client_id).await);
    assert!(ended.status.is_terminal(), "what was delisted ended its orders: {ended:?}");
    assert!(scene.bench.books().open.is_empty());
}
