//! Trade files, good and bad.

use proptest::prelude::*;

use super::*;
use crate::{excerpt, folder::recorded};

const HEADER: &str = "time_ms,id,side,price,amount,cost\n";
const FIRST: &str = "1570752011620,13519807,sell,0.00141342,23,0.03250866\n";

#[test]
fn trades_are_read_exactly() {
    let file = parse("t.csv", format!("{HEADER}{FIRST}").as_bytes()).unwrap();

    let trade = Trade {
        at: Timestamp::from_ms(1_570_752_011_620),
        id: TradeId::new(13_519_807),
        side: Side::Sell,
        price: Price::parse("0.00141342").unwrap(),
        qty: Qty::parse("23").unwrap(),
    };
    assert_eq!(file.trades, [trade]);
    let tick = file.ticks(InstrumentId::new(4)).next().unwrap();
    assert_eq!((tick.instrument, tick.price), (InstrumentId::new(4), trade.price));
    assert_eq!((tick.qty, tick.at), (trade.qty, trade.at));
}

#[test]
fn every_wrong_line_is_named_with_field_and_value() {
    let cases = [
        ("1570752011620,13519807,sell,1,1,1", "id: must be above the one before (13519807)"),
        ("1570752011619,13519808,sell,1,1,1", "time_ms: must be after the line before"),
        ("1570752011,13519808,sell,1,1,1", "(2100-01-01): 1570752011"),
        ("1570752011620,-5,sell,1,1,1", "id: not a whole number: `-5`"),
        ("1570752011620,13519808,SELL,1,1,1", "side: must be `buy` or `sell`: `SELL`"),
        ("1570752011620,13519808,buy,0,1,1", "price: must be above 0: 0"),
        ("1570752011620,13519808,buy,1,0.0,1", "amount: must be above 0: 0"),
        ("1570752011620,13519808,buy,1,one,1", "amount: not a decimal number"),
        ("1570752011620,13519808,buy,3,7,20.9999", "cost: must be price × amount (21) to one"),
        ("1570752011620,13519808,buy,3,7", "the line has 5 fields where the header has 6"),
    ];
    for (line, words) in cases {
        let text = format!("{HEADER}{FIRST}{line}\n");
        let shown = parse("t.csv", text.as_bytes()).unwrap_err().to_string();
        assert!(shown.starts_with("t.csv, line 3: ") && shown.contains(words), "{shown}");
    }
}

#[test]
fn the_cost_may_be_absent_or_off_by_a_float() {
    let absent = "time_ms,id,side,price,amount\n1570752011620,1,buy,3,7\n";
    assert!(parse("t.csv", absent.as_bytes()).is_ok());
    let float = format!("{HEADER}1570752011620,1,buy,3,7,21.000000000000004\n");
    assert!(parse("t.csv", float.as_bytes()).is_ok());
}

#[test]
fn recorded_trades_are_read_whole() {
    let recorded = recorded("binance-XRPETH-trades.csv.zst");
    println!("{recorded}");
    let Some(path) = recorded.path() else {
        let file = excerpt::trades().unwrap();
        println!("used instead: {}", file.source);
        return;
    };

    assert_eq!(read(path).unwrap().trades.len(), 12_477);
}

proptest! {
    #[test]
    fn no_bytes_stop_the_program(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _file = parse("t.csv", &bytes);
    }

    #[test]
    fn no_lines_stop_the_program(lines in "([-0-9.eE,\n]|1570752011620,|buy,){0,200}") {
        let _file = parse("t.csv", format!("{HEADER}{lines}").as_bytes());
    }
}
