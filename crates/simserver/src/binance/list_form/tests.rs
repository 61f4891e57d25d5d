//! What the forms of lists take, and what they refuse with which code.

use super::*;

fn read(
    form: fn(&Params) -> Result<ListForm, Refused>,
    query: &str,
) -> Result<Vec<String>, (i32, String)> {
    let params = Params::of_request(format!("symbol=BTCUSDT&{query}").as_bytes(), b"").unwrap();
    let list = form(&params).map_err(|refused| (refused.code, refused.text))?;
    Ok(list.shape.legs().into_iter().map(shown).collect())
}

fn shown(leg: &LegForm) -> String {
    let trigger = leg.trigger.map_or_else(String::new, |it| {
        let price = it.price.map_or_else(|| "-".to_owned(), |price| price.to_string());
        format!(" {:?} at {price} trailing {:?}", it.kind, it.trailing)
    });
    format!("{} {}{trigger}", leg.side, leg.kind)
}

#[test]
fn an_oco_names_its_orders_above_and_below() {
    let query = "side=SELL&quantity=2&aboveType=LIMIT_MAKER&abovePrice=110&belowType=STOP_LOSS_LIMIT\
        &belowStopPrice=90&belowPrice=89&belowTimeInForce=GTC&belowTrailingDelta=50";

    let legs = read(oco, query).unwrap();

    assert_eq!(legs, ["sell 2 @ 89 StopLoss at 90 trailing Some(50)", "sell 2 @ 110 (maker only)"]);
}

#[test]
fn the_older_form_is_read_as_well() {
    let plain = "side=BUY&quantity=2&price=90&stopPrice=110";

    let market = read(legacy_oco, plain).unwrap();
    let limit = format!("{plain}&stopLimitPrice=111&stopLimitTimeInForce=GTC");
    let limit = read(legacy_oco, &limit).unwrap();
    let lacking = read(legacy_oco, &format!("{plain}&stopLimitPrice=111")).unwrap_err();

    assert_eq!(
        market,
        ["buy 2 at market StopLoss at 110 trailing None", "buy 2 @ 90 (maker only)"]
    );
    assert_eq!(limit[0], "buy 2 @ 111 StopLoss at 110 trailing None");
    assert_eq!(lacking.0, -1102);
}

#[test]
fn chains_have_a_working_and_a_pending_part() {
    let working = "workingType=LIMIT&workingSide=BUY&workingPrice=95&workingQuantity=2\
        &workingTimeInForce=GTC";

    let one = "pendingType=MARKET&pendingSide=SELL&pendingQuantity=2";
    let one = read(oto, &format!("{working}&{one}")).unwrap();
    let two = "pendingSide=SELL&pendingQuantity=2&pendingAboveType=TAKE_PROFIT\
        &pendingAboveStopPrice=110&pendingBelowType=STOP_LOSS&pendingBelowTrailingDelta=100";
    let two = read(otoco, &format!("{working}&{two}")).unwrap();

    assert_eq!(one, ["buy 2 @ 95", "sell 2 at market"]);
    assert_eq!(
        two,
        [
            "buy 2 @ 95",
            "sell 2 at market StopLoss at - trailing Some(100)",
            "sell 2 at market TakeProfit at 110 trailing None",
        ]
    );
    let market = working.replace("LIMIT", "MARKET");
    let refused = read(oto, &format!("{market}&pendingType=MARKET&pendingSide=SELL")).unwrap_err();
    assert_eq!(refused.0, -1159);
}

#[test]
fn each_wrong_pair_has_its_code() {
    let cases = [
        ("SELL", "LIMIT_MAKER", "LIMIT_MAKER", -1168),
        ("BUY", "LIMIT_MAKER", "STOP_LOSS", -1165),
        ("SELL", "STOP_LOSS", "LIMIT_MAKER", -1166),
        ("BUY", "STOP_LOSS", "STOP_LOSS", -1196),
        ("SELL", "STOP_LOSS", "STOP_LOSS", -1197),
        ("BUY", "TAKE_PROFIT", "LIMIT_MAKER", -1198),
        ("SELL", "LIMIT_MAKER", "TAKE_PROFIT", -1199),
        ("SELL", "LIMIT", "STOP_LOSS", -1158),
        ("SELL", "LIMIT_MAKER", "MARKET", -1158),
    ];
    for (side, above, below, code) in cases {
        let query = format!("side={side}&quantity=1&aboveType={above}&belowType={below}");
        assert_eq!(read(oco, &query).unwrap_err().0, code, "{query}");
    }
    let rest = "side=SELL&quantity=1&aboveType=LIMIT_MAKER&abovePrice=2&belowType=STOP_LOSS";
    let cases = [
        (format!("{rest}&belowStopPrice=1&belowPrice=1"), -1106),
        (format!("{rest}&belowStopPrice=1&aboveTimeInForce=GTC"), -1106),
        (format!("{rest}&belowStopPrice=1&aboveStopPrice=1"), -1106),
        (format!("{rest}&belowStopPrice=1&aboveQuantity=1"), -1104),
        (format!("{rest}&belowStopPrice=1&colour=red"), -1104),
        (format!("{rest}&belowStopPrice=1e3"), -1100),
        (format!("{rest}&belowStopPrice=1&aboveStrategyType=5"), -1134),
        (format!("{rest}&belowStopPrice=1&aboveIcebergQty=1"), -2010),
        (format!("{rest}&belowStopPrice=1&listClientOrderId=a.b"), -1100),
        (rest.to_owned(), -1102),
    ];
    for (query, code) in cases {
        assert_eq!(read(oco, &query).unwrap_err().0, code, "{query}");
    }
}
