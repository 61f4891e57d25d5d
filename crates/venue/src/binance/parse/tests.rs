//! Messages as the exchange writes them, and what they say.

use tranche_model::{
    asset::Symbol,
    ids::{BotId, DealNo, Generation, Incarnation, InstrumentId, Slot},
    instrument::Instrument,
};

use super::*;
use crate::{
    binance::{
        events::{self, Frame as PrivateFrame},
        frames::{self, Frame, stream_name},
        refusal::Word,
    },
    catalog::Catalog,
    venue::Topic,
};

const HOUSE: Installation = Installation::new(7);
const NOW: Timestamp = Timestamp::from_ms(1_795_000_020_001);

/// Order texts of the samples; `{id}` stands for an id of ours.
const RESTING: &str = r#"{"symbol":"BTCUSDT","orderId":700001,"orderListId":-1,"clientOrderId":"{id}","transactTime":1795000000123,"price":"48000.00000000","origQty":"0.00210000","executedQty":"0.00000000","origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","workingTime":1795000000123,"selfTradePreventionMode":"EXPIRE_MAKER"}"#;
const BOUGHT: &str = r#"{"symbol":"BTCUSDT","orderId":700002,"orderListId":-1,"clientOrderId":"{id}","transactTime":1795000000456,"price":"0.00000000","origQty":"0.00200000","executedQty":"0.00200000","origQuoteOrderQty":"100.00000000","cummulativeQuoteQty":"99.98200000","status":"FILLED","timeInForce":"GTC","type":"MARKET","side":"BUY","workingTime":1795000000456,"fills":[{"price":"49990.00000000","qty":"0.00150000","commission":"0.00000150","commissionAsset":"BTC","tradeId":910001},{"price":"49994.00000000","qty":"0.00050000","commission":"0.00000050","commissionAsset":"BTC","tradeId":910002}],"selfTradePreventionMode":"EXPIRE_MAKER"}"#;
const EXPIRED: &str = r#"{"symbol":"BTCUSDT","orderId":700003,"orderListId":-1,"clientOrderId":"{id}","price":"50010.00000000","origQty":"0.01000000","executedQty":"0.00400000","cummulativeQuoteQty":"200.04000000","status":"EXPIRED","timeInForce":"IOC","type":"LIMIT","side":"BUY","stopPrice":"0.00000000","icebergQty":"0.00000000","time":1795000001000,"updateTime":1795000001000,"isWorking":true,"workingTime":1795000001000,"origQuoteOrderQty":"0.00000000","selfTradePreventionMode":"EXPIRE_MAKER","expiryReason":"UNFILLED_IOC_QUANTITY_EXPIRED"}"#;
const CANCELLED: &str = r#"{"symbol":"BTCUSDT","origClientOrderId":"{id}","orderId":700001,"orderListId":-1,"clientOrderId":"Ux1f2mCancelAuto00001","transactTime":1795000002000,"price":"48000.00000000","origQty":"0.00210000","executedQty":"0.00000000","origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"CANCELED","timeInForce":"GTC","type":"LIMIT","side":"BUY","selfTradePreventionMode":"EXPIRE_MAKER"}"#;
const TRADED: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1795000000458,"s":"BTCUSDT","c":"{id}","S":"BUY","o":"MARKET","f":"GTC","q":"0.00200000","p":"0.00000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":700002,"l":"0.00150000","z":"0.00150000","L":"49990.00000000","n":"0.00000150","N":"BTC","T":1795000000456,"t":910001,"I":1500101,"w":false,"m":false,"M":true,"O":1795000000456,"Z":"74.98500000","Y":"74.98500000","Q":"100.00000000","W":1795000000456,"V":"EXPIRE_MAKER"}}"#;
const TAKEN_BACK: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1795000002001,"s":"BTCUSDT","c":"Ux1f2mCancelAuto00001","S":"BUY","o":"LIMIT","f":"GTC","q":"0.00210000","p":"48000.00000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"{id}","x":"CANCELED","X":"CANCELED","r":"NONE","i":700001,"l":"0.00000000","z":"0.00000000","L":"0.00000000","n":"0","N":null,"T":1795000002000,"t":-1,"I":1500140,"w":false,"m":false,"M":false,"O":1795000000123,"Z":"0.00000000","Y":"0.00000000","Q":"0.00000000","W":1795000000123,"V":"EXPIRE_MAKER"}}"#;
const POSITION: &str = r#"{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":1795000002001,"u":1795000002000,"B":[{"a":"BTC","f":"0.00199800","l":"0.00000000"},{"a":"USDT","f":"900.01800000","l":"0.00000000"}]}}"#;
const CANDLE: &str = r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1795000019999,"s":"BTCUSDT","k":{"t":1794999960000,"T":1795000019999,"s":"BTCUSDT","i":"1m","f":100,"L":140,"o":"50000.00","c":"50003.10","h":"50010.00","l":"49995.50","v":"12.34500","n":41,"x":true,"q":"617270.30","V":"6.1","Q":"305020.10","B":"0"}}}"#;
const BEST: &str = r#"{"stream":"btcusdt@bookTicker","data":{"u":400900300,"s":"BTCUSDT","b":"50003.00000000","B":"1.20000000","a":"50003.10000000","A":"0.80000000"}}"#;
const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;
/// Every sample, for the tests with damaged bytes.
pub(in crate::binance) const SAMPLES: [&str; 10] =
    [RESTING, BOUGHT, EXPIRED, CANCELLED, TRADED, TAKEN_BACK, POSITION, CANDLE, BEST, TRADE];

pub(in crate::binance) fn btc_usdt() -> Listed {
    let symbol = Symbol::parse("BTC/USDT").unwrap();
    let instrument = Instrument::new(InstrumentId::new(3), symbol, Vec::new());
    Listed { text: "BTCUSDT".to_owned(), instrument }
}

pub(in crate::binance) fn id(installation: Installation) -> ClientOrderId {
    let origin =
        tranche_model::client_order_id::Origin { installation, incarnation: Incarnation::new(1) };
    let key = tranche_model::client_order_id::OrderKey {
        bot: BotId::new(5),
        deal: DealNo::new(1),
        slot: Slot::BASE,
        generation: Generation::new(0),
    };
    ClientOrderId::pack(origin, key).unwrap()
}

#[test]
fn what_an_execution_came_to_has_no_more_digits_than_the_exchange_books() {
    let text =
        BOUGHT.replace("49990.00000000", "49990.12345678").replace("{id}", &id(HOUSE).to_string());
    let row = serde_json::from_str(&text).unwrap();
    let Seen::Own(report) = order(&row, &btc_usdt(), HOUSE).unwrap() else { panic!("ours") };

    let fills = order_fills(&row, &report, &btc_usdt()).unwrap();

    // 74.98518518517.
    assert_eq!(fills[0].quote.to_string(), "74.98518518");
}

fn seen(text: &str, installation: Installation) -> Seen {
    let text = text.replace("{id}", &id(installation).to_string());
    order(&serde_json::from_str(&text).unwrap(), &btc_usdt(), HOUSE).unwrap()
}

fn report(text: &str) -> OrderReport {
    match seen(text, HOUSE) {
        Seen::Own(report) => report,
        Seen::Foreign(order) => panic!("{order:?}"),
    }
}

fn private(text: &str) -> Private {
    let text = text.replace("{id}", &id(HOUSE).to_string());
    let Ok(PrivateFrame::Event { text, subscription: 0 }) = events::read(&text) else {
        panic!("{text}")
    };
    let catalog = Catalog::new([btc_usdt()]);
    events::private_of(&text, HOUSE, &catalog).unwrap().unwrap()
}

#[test]
fn a_resting_order_is_open() {
    let report = report(RESTING);
    assert_eq!(report.client_id, id(HOUSE));
    assert_eq!(report.venue_id, VenueOrderId::new(700_001));
    assert_eq!(report.status, OrderStatus::Open);
    assert_eq!(report.kind.to_string(), "0.0021 @ 48000");
    assert_eq!(report.updated_at.ms(), 1_795_000_000_123);
}

#[test]
fn a_market_order_brings_its_fills() {
    let text = BOUGHT.replace("{id}", &id(HOUSE).to_string());
    let row: wire::Order<'_> = serde_json::from_str(&text).unwrap();
    let report = report(BOUGHT);
    let fills = order_fills(&row, &report, &btc_usdt()).unwrap();

    assert_eq!(report.kind.to_string(), "for 100 at market");
    assert_eq!((report.status, report.executed.to_string()), (OrderStatus::Filled, "0.002".into()));
    let booked = fills[0].quote.plus(fills[1].quote).unwrap();
    assert_eq!(booked, report.executed_quote);
    assert_eq!(fills[0].trade_id, TradeId::new(910_001));
    assert_eq!(fills[0].client_id, Some(id(HOUSE)));
    assert_eq!(fills[0].fee.amount.to_string(), "0.0000015");
    assert_eq!(fills[0].fee.in_quote.unwrap().to_string(), "0.074985");
    assert_eq!(fills[0].liquidity, Liquidity::Taker);
}

#[test]
fn an_expired_order_keeps_what_it_traded() {
    let report = report(EXPIRED);
    assert_eq!(report.status, OrderStatus::Expired);
    assert_eq!(report.executed.to_string(), "0.004");
    let is_ioc = matches!(
        report.kind,
        OrderKind::Limit { time_in_force: TimeInForce::ImmediateOrCancel, .. }
    );
    assert!(is_ioc);
}

#[test]
fn a_cancel_names_the_order_and_not_itself() {
    let report = report(CANCELLED);
    assert_eq!((report.client_id, report.status), (id(HOUSE), OrderStatus::Cancelled));
}

#[test]
fn ids_of_others_name_foreign_orders() {
    let other = seen(RESTING, Installation::new(8));
    assert!(matches!(other, Seen::Foreign(order) if order.venue_id == VenueOrderId::new(700_001)));
    let by_hand = RESTING.replace("{id}", "web_0123456789abcdef");
    let row: wire::Order<'_> = serde_json::from_str(&by_hand).unwrap();
    assert!(matches!(order(&row, &btc_usdt(), HOUSE), Ok(Seen::Foreign(_))));
    let mangled = RESTING.replace("{id}", &id(HOUSE).to_string().replace('a', "b"));
    let row: wire::Order<'_> = serde_json::from_str(&mangled).unwrap();
    assert!(matches!(order(&row, &btc_usdt(), HOUSE), Ok(Seen::Foreign(_))));
}

#[test]
fn a_status_of_a_later_day_is_no_end() {
    for word in ["HALTED", "", "filled"] {
        let text = RESTING.replace("\"NEW\"", &format!("\"{word}\""));
        assert_eq!(report(&text).status, OrderStatus::Unrecognized, "{word}");
    }
    let stp = RESTING.replace("\"NEW\"", "\"EXPIRED_IN_MATCH\"");
    assert_eq!(report(&stp).status, OrderStatus::Expired);
}

#[test]
fn stops_by_hand_are_read_as_what_they_become() {
    let stop = RESTING.replace("\"LIMIT\"", "\"STOP_LOSS_LIMIT\"").replace("{id}", "by-hand");
    let row: wire::Order<'_> = serde_json::from_str(&stop).unwrap();
    let Ok(Seen::Foreign(foreign)) = order(&row, &btc_usdt(), HOUSE) else { panic!() };
    assert_eq!(foreign.kind.to_string(), "0.0021 @ 48000");
}

#[test]
fn numbers_that_cannot_be_held_are_refused() {
    for bad in ["", "1,5", "NaN", "1e400", "0.00000000000000000000000000001"] {
        let text = RESTING.replace("0.00210000", bad).replace("{id}", "x");
        let row: wire::Order<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(order(&row, &btc_usdt(), HOUSE), Err(Unreadable::Number), "{bad}");
    }
}

#[test]
fn a_trade_on_the_private_stream_is_a_fill_and_a_report() {
    let private = private(TRADED);

    let [PrivateEvent::Fill(fill), PrivateEvent::Order(report)] = private.events.as_slice() else {
        panic!("{private:?}")
    };
    assert_eq!((fill.trade_id, fill.client_id), (TradeId::new(910_001), Some(id(HOUSE))));
    assert_eq!((fill.qty.to_string(), fill.quote.to_string()), ("0.0015".into(), "74.985".into()));
    assert_eq!(report.status, OrderStatus::PartiallyFilled);
    assert_eq!(report.executed.to_string(), "0.0015");
    assert_eq!(report.kind.to_string(), "for 100 at market");
}

#[test]
fn an_execution_whose_fee_or_side_of_the_book_is_not_told_is_not_read() {
    let read = |text: String| {
        let text = text.replace("{id}", &id(HOUSE).to_string());
        let Ok(PrivateFrame::Event { text, .. }) = events::read(&text) else { panic!("{text}") };
        events::private_of(&text, HOUSE, &Catalog::new([btc_usdt()])).map(|_| ())
    };
    let without = [
        (r#""n":"0.00000150","#, ""),
        (r#""n":"0.00000150""#, r#""n":null"#),
        (r#""N":"BTC","#, ""),
        (r#""N":"BTC""#, r#""N":null"#),
        (r#""m":false,"#, ""),
        (r#""m":false"#, r#""m":null"#),
    ];

    assert_eq!(read(TRADED.to_owned()), Ok(()));
    for (field, instead) in without {
        assert!(TRADED.contains(field));
        assert_eq!(read(TRADED.replace(field, instead)), Err(Unreadable::Execution), "{field}");
    }
    // Nothing was taken: no asset is named.
    let free = TRADED.replace(r#""n":"0.00000150","N":"BTC""#, r#""n":"0","N":null"#);
    assert_eq!(read(free), Ok(()));
}

#[test]
fn a_cancel_on_the_private_stream_names_the_order() {
    let private = private(TAKEN_BACK);
    let [PrivateEvent::Order(report)] = private.events.as_slice() else { panic!("{private:?}") };
    assert_eq!((report.client_id, report.status), (id(HOUSE), OrderStatus::Cancelled));
}

#[test]
fn fills_of_others_carry_no_id() {
    let private = private(&TRADED.replace("{id}", "by-hand"));
    let [PrivateEvent::Fill(fill)] = private.events.as_slice() else { panic!("{private:?}") };
    assert_eq!(fill.client_id, None);
}

#[test]
fn balances_on_the_private_stream_are_absolute() {
    let private = private(POSITION);
    let [PrivateEvent::Balances(balances)] = private.events.as_slice() else { panic!() };
    assert_eq!(balances[0].free.to_string(), "0.001998");
    assert_eq!(balances[1].asset.as_str(), "USDT");
}

#[test]
fn balances_that_change_twice_in_one_millisecond_are_told_twice() {
    let later = POSITION.replace("900.018", "800.018");

    assert_eq!(private(POSITION).mark, private(POSITION).mark);
    assert_ne!(private(POSITION).mark, private(&later).mark);
}

#[test]
fn answers_on_the_socket_are_told_apart() {
    let yes = r#"{"id":1,"status":200,"result":{"subscriptionId":0},"rateLimits":[]}"#;
    assert_eq!(events::read(yes), Ok(PrivateFrame::Answer { id: 1, result: Ok(0) }));
    let no = r#"{"id":2,"status":400,"error":{"code":-2015,"msg":"Invalid API-key."}}"#;
    let Ok(PrivateFrame::Answer { id: 2, result: Err(Word::No(refusal)) }) = events::read(no)
    else {
        panic!()
    };
    assert_eq!(refusal.reason, tranche_model::record::RefusalReason::Key);
    let ban = r#"{"id":3,"status":418,"error":{"code":-1003,"msg":"IP banned until 1795000120000.","data":{"serverTime":1795000000000,"retryAfter":1795000120000}}}"#;
    let Ok(PrivateFrame::Answer { result: Err(Word::Wait { retry_at, is_ban: true }), .. }) =
        events::read(ban)
    else {
        panic!()
    };
    assert_eq!(retry_at.ms(), 1_795_000_120_000);
    let end = r#"{"event":{"e":"serverShutdown","E":1795000003000}}"#;
    assert_eq!(events::read(end), Ok(PrivateFrame::Shutdown));
    let ended = r#"{"subscriptionId":4,"event":{"e":"eventStreamTerminated","E":1}}"#;
    assert_eq!(events::read(ended), Ok(PrivateFrame::Ended { subscription: 4 }));
    let new = r#"{"subscriptionId":4,"event":{"e":"ofALaterDay","E":1}}"#;
    assert_eq!(events::read(new), Ok(PrivateFrame::Other));
}

#[test]
fn a_subscription_is_signed_over_its_sorted_parameters() {
    let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    let secret = crate::secret::ApiSecret::new(secret.to_owned()).unwrap();
    let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    let pen = crate::binance::rest::Pen {
        key: crate::secret::ApiKey::new(key).unwrap(),
        signer: crate::binance::sign::Signer::new(&secret).unwrap(),
    };

    let text = events::subscribe(9, &pen, Timestamp::from_ms(1_795_000_000_000)).unwrap();

    let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(frame["id"], 9);
    assert_eq!(frame["method"], "userDataStream.subscribe.signature");
    assert_eq!(frame["params"]["timestamp"], 1_795_000_000_000_u64);
    let signature = "32fe9e01277a3716480bf5cf8eb43ae78bf56114a443868b98962ed9b9b47c78";
    assert_eq!(frame["params"]["signature"], signature);
}

#[test]
fn market_frames_are_read() {
    let catalog = Catalog::new([btc_usdt()]);
    let read = |text: &str| frames::read(text, &catalog, NOW).unwrap();

    let Frame::Trade { tick, trade_id, received: NOW } = read(TRADE) else { panic!() };
    assert_eq!(
        (trade_id, tick.price.to_string()),
        (TradeId::new(3_735_683_259), "61837.63".into())
    );
    assert_eq!(tick.at.ms(), 1_723_161_255_342);
    let Frame::Best { best, update: 400_900_300 } = read(BEST) else { panic!() };
    assert_eq!((best.bid.to_string(), best.ask.to_string()), ("50003".into(), "50003.1".into()));
    let Frame::Candle { candle, .. } = read(CANDLE) else { panic!() };
    assert_eq!(
        (candle.high.to_string(), candle.volume.to_string()),
        ("50010".into(), "12.345".into())
    );
    assert_eq!(read(&CANDLE.replace("\"x\":true", "\"x\":false")), Frame::Other);
    assert_eq!(read(&TRADE.replace("BTCUSDT", "NEWUSDT")), Frame::Other);
    let swapped =
        r#"{"data":{"s":"BTCUSDT","t":1,"p":"1","q":"1","T":5},"stream":"btcusdt@trade"}"#;
    assert!(matches!(read(swapped), Frame::Trade { .. }));
    assert_eq!(read(r#"{"result":null,"id":3}"#), Frame::Answer { id: 3, is_ok: true });
    assert_eq!(
        read(r#"{"error":{"code":2,"msg":"Invalid request"},"id":4}"#),
        Frame::Answer { id: 4, is_ok: false }
    );
    assert_eq!(read(r#"{"e":"serverShutdown","E":1}"#), Frame::Shutdown);
    let combined = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#;
    assert_eq!(read(combined), Frame::Shutdown);
    assert_eq!(stream_name("BTCUSDT", Topic::Best), "btcusdt@bookTicker");
}

#[test]
fn prices_that_cannot_be_are_refused() {
    let catalog = Catalog::new([btc_usdt()]);
    for price in ["0.00000000", "-1"] {
        let text = TRADE.replace("61837.63000000", price);
        assert_eq!(frames::read(&text, &catalog, NOW), Err(Unreadable::Number), "{price}");
    }
    let crossed = BEST.replace("50003.10000000", "50002.90000000");
    assert_eq!(frames::read(&crossed, &catalog, NOW), Err(Unreadable::Number));
    let torn = CANDLE.replace("50010.00", "49990.00");
    assert_eq!(frames::read(&torn, &catalog, NOW), Err(Unreadable::Candle));
}

#[test]
fn rates_add_up_and_take_the_dearer_side() {
    let text = r#"{"symbol":"BTCUSDT","standardCommission":{"maker":"0.00100000","taker":"0.00100000","buyer":"0","seller":"0.0001"},"specialCommission":{"maker":"0.0002","taker":"0.0003","buyer":"0","seller":"0"},"taxCommission":{"maker":"0","taker":"0","buyer":"0","seller":"0"},"discount":{"enabledForAccount":true,"enabledForSymbol":true,"discountAsset":"BNB","discount":"0.75"}}"#;
    let rates = fee_rates(&serde_json::from_str(text).unwrap()).unwrap();
    assert_eq!(
        (rates.maker.to_string(), rates.taker.to_string()),
        ("0.0013".into(), "0.0014".into())
    );
}

#[test]
fn a_row_of_candles_may_grow() {
    for tail in ["", r#","617270.30",41,"6.1","305020.10","0""#, r#","1",2,"3","4","0",{"a":1}"#] {
        let text = format!(
            r#"[1794999960000,"50000.0","50010.0","49995.5","50003.1","12.345",1795000019999{tail}]"#
        );
        let row: wire::Kline<'_> = serde_json::from_str(&text).unwrap();
        let (candle, close) = kline(&row).unwrap();
        assert_eq!((candle.low.to_string(), close.ms()), ("49995.5".into(), 1_795_000_019_999));
    }
}

#[test]
fn executions_carry_fee_and_liquidity() {
    let text = r#"{"symbol":"BTCUSDT","id":910003,"orderId":700009,"orderListId":-1,"price":"50000.00","qty":"0.001","quoteQty":"50.0","commission":"0.00007","commissionAsset":"BNB","time":1795000000456,"isBuyer":false,"isMaker":true,"isBestMatch":true}"#;
    let fill = trade(&serde_json::from_str(text).unwrap(), &btc_usdt()).unwrap();
    assert_eq!((fill.side, fill.liquidity), (Side::Sell, Liquidity::Maker));
    assert_eq!((fill.fee.asset.as_str(), fill.fee.in_quote), ("BNB", None));
}
