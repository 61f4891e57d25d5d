//! Lists of pairs, usual and strange.

use super::*;

const USUAL: &str = r#"{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","baseAssetPrecision":8,
"quoteAsset":"USDT","quotePrecision":8,"quoteAssetPrecision":8,"orderTypes":["LIMIT"],
"isSpotTradingAllowed":true,"someNewField":{"a":[1]},"filters":[
{"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},
{"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},
{"filterType":"ICEBERG_PARTS","limit":100},
{"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"71.58000000","stepSize":"0.00000000"},
{"filterType":"TRAILING_DELTA","minTrailingAboveDelta":10,"maxTrailingAboveDelta":2000,"minTrailingBelowDelta":10,"maxTrailingBelowDelta":2000},
{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2","askMultiplierUp":"5","askMultiplierDown":"0.2","avgPriceMins":5},
{"filterType":"PERCENT_PRICE","multiplierUp":"5","multiplierDown":"0.2","avgPriceMins":5},
{"filterType":"MIN_NOTIONAL","minNotional":"1.0","applyToMarket":true,"avgPriceMins":5},
{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5},
{"filterType":"MAX_NUM_ORDERS","maxNumOrders":200},
{"filterType":"MAX_NUM_ORDER_LISTS","maxNumOrderLists":20},
{"filterType":"MAX_NUM_ALGO_ORDERS","maxNumAlgoOrders":5},
{"filterType":"MAX_NUM_ICEBERG_ORDERS","maxNumIcebergOrders":5},
{"filterType":"MAX_POSITION","maxPosition":"10.00000000"},
{"filterType":"MAX_ASSET","asset":"USDT","limit":"42.00000000"},
{"filterType":"MAX_NUM_ORDER_AMENDS","maxNumOrderAmends":10},
{"filterType":"OF_A_LATER_DAY","x":1}]}"#;

fn list(symbols: &[String], exchange_filters: &str) -> Listings {
    let text = format!(
        r#"{{"timezone":"UTC","serverTime":1,"rateLimits":[
        {{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000}},
        {{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100}},
        {{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000}},
        {{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":300000}}],
        "exchangeFilters":[{exchange_filters}],"symbols":[{}]}}"#,
        symbols.join(",")
    );
    listings(text.as_bytes()).unwrap()
}

#[test]
fn every_filter_is_read() {
    let listings = list(&[USUAL.to_owned()], "");

    let [listing] = listings.list.as_slice() else { panic!("{listings:?}") };
    let draft = &listing.draft;
    assert_eq!((listing.text.as_str(), draft.status), ("BTCUSDT", TradingStatus::Trading));
    assert_eq!(draft.symbol.to_string(), "BTC/USDT");
    assert_eq!(draft.tick.to_string(), "0.01");
    assert_eq!(draft.step.to_string(), "0.00001");
    assert_eq!(draft.market_qty_max.to_string(), "71.58");
    assert_eq!(draft.notional_min.to_string(), "5");
    assert_eq!(draft.filters.len(), 16);
    let usdt = Asset::parse("USDT").unwrap();
    let limit = Amount::parse("42").unwrap();
    assert!(draft.filters.contains(&Filter::MaxAsset { asset: usdt, limit }));
    assert!(draft.filters.contains(&Filter::IcebergParts { limit: 100 }));
    assert_eq!(listings.unknown_filters.iter().collect::<Vec<_>>(), ["OF_A_LATER_DAY"]);
}

#[test]
fn limits_are_read() {
    let listings = list(&[], "");
    assert_eq!(listings.weight_per_minute, Some(6000));
    let windows = [(Millis::from_secs(10), 100), (Millis::from_secs(86_400), 200_000)];
    assert_eq!(listings.order_limits, windows);
}

#[test]
fn filters_of_the_account_hold_for_each_pair() {
    let filters = r#"{"filterType":"EXCHANGE_MAX_NUM_ORDERS","maxNumOrders":1000},
        {"filterType":"EXCHANGE_MAX_NUM_ALGO_ORDERS","maxNumAlgoOrders":200}"#;
    let listings = list(&[USUAL.to_owned()], filters);
    let draft = &listings.list[0].draft;
    assert!(draft.filters.contains(&Filter::ExchangeMaxNumOrders { limit: 1000 }));
    assert!(draft.filters.contains(&Filter::ExchangeMaxNumAlgoOrders { limit: 200 }));
}

#[test]
fn strange_pairs_do_not_spoil_the_others() {
    let symbols = [
        USUAL.to_owned(),
        USUAL.replace(r#""baseAsset":"BTC""#, r#""baseAsset":"币安人生""#),
        USUAL.replace(r#""minPrice":"0.01000000","#, ""),
        USUAL.replace(r#""tickSize":"0.01000000""#, r#""tickSize":"a lot""#),
        "{}".to_owned(),
        USUAL.replace("TRADING", "OF_A_LATER_DAY").replace("BTCUSDT", "ETHUSDT"),
        USUAL.replace("TRADING", "CANCEL_ONLY").replace("BTCUSDT", "LTCUSDT"),
    ];
    let listings = list(&symbols, "");

    assert_eq!((listings.unnamed, listings.unreadable), (1, 3));
    let found: Vec<_> =
        listings.list.iter().map(|it| (it.text.as_str(), it.draft.status)).collect();
    let wanted = [
        ("BTCUSDT", TradingStatus::Trading),
        ("ETHUSDT", TradingStatus::Halted),
        ("LTCUSDT", TradingStatus::CancelOnly),
    ];
    assert_eq!(found, wanted);
}
