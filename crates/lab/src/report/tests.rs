use tranche_model::time::Timestamp;

use super::*;
use crate::stats::{Equity, Figures, Sample};
use tranche_model::{
    asset::Symbol,
    candle::Candle,
    ids::InstrumentId,
    instrument::Instruments,
    money::{Price, Qty},
    time::Millis,
};
use tranche_sim::backtest;

use crate::{candles::CandleFile, depot::Range, instruments, source::Source};

const EVIL: &str = "</script><img src=x onerror=alert(1)>{{data}}\u{2028}'\"&";

fn market(count: i64) -> Market {
    let symbol = Symbol::parse("BTC/USDT").unwrap();
    let instrument = instruments::known(InstrumentId::new(0), symbol).unwrap();
    let price = |value: i64| Price::new(value.into());
    let candle = |number: i64| Candle {
        open_at: Timestamp::from_ms(1_704_067_200_000 + number * 3_600_000),
        open: price(100 + number % 7),
        high: price(110 + number % 7),
        low: price(90),
        close: price(100),
        volume: Qty::ZERO,
    };
    let file = CandleFile {
        source: Source::Recorded { file: EVIL.to_owned() },
        interval: Millis::from_secs(3600),
        candles: (0..count).map(candle).collect(),
        gaps: Vec::new(),
    };
    Market { instruments: Instruments::new(vec![instrument]).unwrap(), files: vec![file] }
}

/// A run in which nothing happened.
fn empty(words: Words) -> Report {
    let market = market(1500);
    let marks = market.window(Range::ALL).unwrap().marks;
    let hourly =
        marks.times().iter().map(|at| Sample { at: Timestamp::from_ms(*at), worth: 1000.0 });
    let hourly: Vec<Sample> = hourly.collect();
    let held = vec![0.0; hourly.len()];
    let equity = Equity { hourly, held, flows: Vec::new() };
    let detail = Detail {
        report: backtest::Report::default(),
        equity,
        deals: Vec::new(),
        figures: Figures::default(),
    };
    Report::of_run(words, &market, &marks, &detail)
}

fn evil() -> Words {
    let text = || EVIL.to_owned();
    Words {
        title: text(),
        subtitle: text(),
        notes: vec![text()],
        settings: vec![(text(), text())],
        quote: text(),
    }
}

#[test]
fn names_cannot_become_markup() {
    let page = page(&empty(evil())).unwrap();

    assert!(!page.contains("<img src=x"), "a name became an element");
    assert!(!page.contains("alert(1)>"), "a name kept its brackets");
    // One element for the data, three scripts in all: nothing closed one early.
    assert_eq!(page.matches("</script").count(), 3);
    assert_eq!(page.matches("<script").count(), 3);
    let data = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    assert!(!data.contains(['\u{2028}', '<', '>', '&']));
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["title"], EVIL);
    assert_eq!(data["notes"][0], EVIL);
}

#[test]
fn a_page_asks_nobody_for_anything() {
    let page = page(&empty(Words::default())).unwrap();

    assert!(page.contains("default-src 'none'"));
    for word in ["<link", "src=\"http", "@import", "fetch(", "XMLHttpRequest", "innerHTML ="] {
        let ours = page.replace(
            include_str!(
                "../../assets/lightweight-charts/lightweight-charts.standalone.production.js"
            ),
            "",
        );
        assert!(!ours.contains(word), "{word}");
    }
}

#[test]
fn a_run_without_deals_is_shown() {
    let report = empty(Words::default());
    let json: Value = serde_json::from_str(&report.json().unwrap()).unwrap();

    assert_eq!(json["deals"].as_array().unwrap().len(), 0);
    assert_eq!(json["metrics"].as_array().unwrap().len(), METRICS.len());
    assert_eq!(json["equity"].as_array().unwrap().len(), 1501);
    assert_eq!(json["pairs"][0]["candles"].as_array().unwrap().len(), 1500);
    assert_eq!(json["months"].as_array().unwrap().len(), 3);
    assert_eq!(json["months"][0]["month"], "2024-01");
}

#[test]
fn the_libraries_notice_is_kept() {
    let page = page(&empty(Words::default())).unwrap();

    assert!(page.contains("@license"));
    assert!(page.contains("TradingView Lightweight Charts™ v5.2.1"));
    assert!(page.contains("https://www.tradingview.com/"));
}
