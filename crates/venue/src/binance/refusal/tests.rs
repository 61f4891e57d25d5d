//! What each status, code and text means.

use reqwest::header::{HeaderMap, HeaderValue};

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_795_000_003_500);

fn answer(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
}

fn error(status: u16, code: i32, msg: &str) -> Word {
    word(&answer(status, &serde_json::json!({ "code": code, "msg": msg }).to_string()), NOW)
}

fn reason_of(code: i32, msg: &str) -> RefusalReason {
    let word = error(400, code, msg);
    let Word::No(refusal) = word else { panic!("{code} {msg}: {word:?}") };
    assert_eq!((refusal.code, refusal.text.as_str()), (code, msg));
    refusal.reason
}

fn wait(ms: i64, is_ban: bool) -> Word {
    Word::Wait { retry_at: Timestamp::from_ms(ms), is_ban }
}

#[test]
fn refusals_name_what_can_be_done() {
    use RefusalReason as R;
    let cases = [
        (-1013, "Filter failure: NOTIONAL", R::Rule(Rule::Notional)),
        (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", R::Rule(Rule::PercentPriceBySide)),
        (-1013, "Filter failure: PERCENT_PRICE", R::Rule(Rule::PercentPrice)),
        (-1013, "Filter failure: EXCHANGE_MAX_NUM_ORDERS", R::Rule(Rule::ExchangeMaxNumOrders)),
        (-1013, "Filter failure: SOME_NEW_ONE", R::Other),
        (-1013, "Invalid quantity.", R::Rule(Rule::LotSize)),
        (-1111, "Parameter 'quantity' has too much precision.", R::Rule(Rule::Precision)),
        (-2010, "Account has insufficient balance for requested action.", R::InsufficientFunds),
        (-2010, "Duplicate order sent.", R::DuplicateId),
        (-2010, "Order would immediately match and take.", R::WouldTrade),
        (-2010, "Market is closed.", R::MarketClosed),
        (-2010, "This action is disabled on this account.", R::Key),
        (-2010, "Words of a later day.", R::Other),
        (-1021, "Timestamp for this request is outside of the recvWindow.", R::Other),
        (-1022, "Signature for this request is not valid.", R::Key),
        (-2014, "API-key format invalid.", R::Key),
        (-2015, "Invalid API-key, IP, or permissions for action.", R::Key),
        (-1121, "Invalid symbol.", R::Other),
        (-1100, "Illegal characters found in parameter 'newClientOrderId'.", R::Other),
        (-2011, "Unknown order sent.", R::Other),
        (-2013, "Order does not exist.", R::Other),
        (-3456, "A code of a later day.", R::Other),
    ];
    for (code, msg, reason) in cases {
        assert_eq!(reason_of(code, msg), reason, "{code} {msg}");
    }
}

#[test]
fn what_may_have_happened_is_unknown() {
    for code in [-1000, -1001, -1006, -1007, -1008, -1016, -1098] {
        assert_eq!(error(400, code, ""), Word::Unknown { status: 400 }, "{code}");
        assert_eq!(error(504, code, ""), Word::Unknown { status: 504 }, "{code}");
    }
    for status in [408, 500, 502, 503, 504, 520, 599] {
        assert_eq!(word(&answer(status, "<html>"), NOW), Word::Unknown { status });
        assert_eq!(error(status, -9999, "new"), Word::Unknown { status });
    }
}

#[test]
fn the_code_decides_before_the_status() {
    assert!(matches!(error(500, -2010, "Duplicate order sent."), Word::No(_)));
    assert!(matches!(error(503, -1013, "Filter failure: LOT_SIZE"), Word::No(_)));
}

#[test]
fn limits_say_until_when() {
    let mut limited = answer(429, r#"{"code":-1003,"msg":"Too much request weight used."}"#);
    limited.headers.insert("retry-after", HeaderValue::from_static("17"));
    assert_eq!(word(&limited, NOW), wait(NOW.ms() + 17_000, false));

    let ban = "Way too much request weight used; IP banned until 1795000120000. Please use \
               WebSocket Streams for live updates to avoid bans.";
    assert_eq!(error(418, -1003, ban), wait(1_795_000_120_000, true));
    assert_eq!(word(&answer(418, "<html>"), NOW), wait(NOW.ms() + 120_000, true));
    assert_eq!(word(&answer(429, ""), NOW), wait(NOW.ms() + 60_000, false));
}

#[test]
fn too_many_orders_wait_for_the_next_window() {
    let ten = "Too many new orders; current limit is 100 orders per 10 SECOND.";
    assert_eq!(error(429, -1015, ten), wait(1_795_000_010_000, false));
    let day = "Too many new orders; current limit is 200000 orders per 1 DAY.";
    assert_eq!(error(429, -1015, day), wait(1_795_046_400_000, false));
}

#[test]
fn the_firewall_stops_everything_for_a_while() {
    assert_eq!(word(&answer(403, "<html>403"), NOW), wait(NOW.ms() + 300_000, true));
}

#[test]
fn a_page_that_is_not_json_is_not_the_exchange() {
    for status in [301, 400, 401, 404] {
        assert_eq!(word(&answer(status, "<html>hello"), NOW), Word::Alien, "{status}");
    }
}

#[test]
fn bans_on_the_socket_carry_their_end() {
    let text =
        r#"{"code":-1003,"msg":"banned","data":{"serverTime":1,"retryAfter":1795000120000}}"#;
    let error: wire::Error<'_> = serde_json::from_str(text).unwrap();
    assert_eq!(of_error(418, &error, None, NOW), wait(1_795_000_120_000, true));
}

#[test]
fn a_text_that_repeats_what_was_sent_shows_neither_key_nor_signature() {
    let (key, signature) = ("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv".repeat(2), "0f".repeat(32));
    let id = "x-tr0123456789abcdefghijklmnop";
    let echo = format!("Bad request: key {key}, newClientOrderId={id}&signature={signature}.");

    let Word::No(refusal) = error(400, -1100, &echo) else { panic!("{echo}") };

    assert_eq!(refusal.text, format!("Bad request: key …, newClientOrderId={id}&signature=…."));
    assert_eq!(shown(&"ü".repeat(5_000)).chars().count(), 300);
    assert_eq!(shown(&"a".repeat(5_000)), "…");
}
