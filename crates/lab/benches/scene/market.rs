//! The prices that benchmarks run on: recorded ones where they are found, and generated ones where not.

use std::{fs::File, io::Read as _, path::Path};

use ruzstd::decoding::StreamingDecoder;
use tranche_lab::{
    candles::{self, CandleFile},
    folder::{Recorded, recorded},
    generate::{Generator, Params},
    source::Source,
};
use tranche_model::{money::Price, time::Millis};

const YEAR: &str = "bitfinex-BTCUSD-1m-2018.csv.zst";
const YEAR_MINUTES: usize = 525_600;
const STREAM: &str = "binance-spot-BTCUSDT-ws-20240808.txt.zst";
const STREAM_TICKS: usize = 9_757;
const SEED: u64 = 1;

/// A year of one-minute candles of BTC/USD without gaps.
pub(crate) fn year() -> CandleFile {
    match recorded(YEAR) {
        Recorded::Found(path) => {
            let mut file =
                candles::read(&path, Some(Millis::from_secs(60))).unwrap().dense().unwrap();
            file.source = Source::Recorded { file: YEAR.to_owned() };
            file
        }
        Recorded::Missing(_) => {
            let generator = Generator::new(SEED, &Params::btc_usdt()).unwrap();
            let (source, interval) = (generator.source(), generator.interval());
            let candles = generator.take(YEAR_MINUTES).collect();
            CandleFile { source, interval, candles, gaps: Vec::new() }
        }
    }
}

/// Trade after trade of BTC/USDT.
pub(crate) fn trades() -> (Source, Vec<Price>) {
    match recorded(STREAM) {
        Recorded::Found(path) => {
            let prices = traded_prices(&unpacked(&path));
            (Source::Recorded { file: STREAM.to_owned() }, prices)
        }
        Recorded::Missing(_) => {
            let params = Params { interval: Millis::from_secs(1), ..Params::btc_usdt() };
            let generator = Generator::new(SEED, &params).unwrap();
            let source = generator.source();
            let prices = generator.take(STREAM_TICKS).map(|candle| candle.close).collect();
            (source, prices)
        }
    }
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    let mut decoder = StreamingDecoder::new(File::open(path).unwrap()).unwrap();
    decoder.read_to_string(&mut text).unwrap();
    text
}

/// The prices of the trade messages of a recorded stream, a message on each line.
fn traded_prices(text: &str) -> Vec<Price> {
    let price = |line: &str| {
        let (_, rest) = line.split_once("\"e\":\"trade\"")?;
        let (_, rest) = rest.split_once("\"p\":\"")?;
        let (price, _) = rest.split_once('"')?;
        Price::parse(price).ok()
    };
    text.lines().filter_map(price).collect()
}
