//! Every reader of what others wrote: the one list for `make fuzz` and for the test that reads the
//! corpora (`crates/tranche/tests/it/fuzz.rs`). A target says whether it understood its input.

use std::{cell::RefCell, fs, path::PathBuf, sync::Arc};

use serde_json::Value;
use tranche::bot_file::BotFile;
use tranche_lab::{candles, frames, trades};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    client_order_id::ClientOrderId,
    filter::Filter,
    ids::{Installation, InstrumentId},
    instrument::Instrument,
    money::{Amount, Price, Qty, Quote},
    time::{Millis, Timestamp},
};
use tranche_sim::replay::{self, Entry, Recording};
use tranche_simserver::{
    AccountSettings, Clock, FaultProfile, KeySecret, KeySettings, Settings, probe::Exchange,
};
use tranche_trading::codec;
use tranche_venue::{
    address::Address,
    binance::probe::{self, Pen, Readers},
    catalog::Listed,
    secret::{ApiKey, ApiSecret},
};

pub(crate) type Target = fn(&[u8]) -> bool;

pub(crate) const TARGETS: [(&str, Target); 22] = [
    ("venue_market_frame", |data| readers().market_frame(&text(data))),
    ("venue_private_frame", |data| readers().private_frame(&text(data))),
    ("venue_order", |data| readers().order(data)),
    ("venue_rows", |data| readers().rows(data)),
    ("venue_account", probe::account),
    ("venue_listings", probe::listings),
    ("venue_answer", venue_answer),
    ("venue_key", venue_key),
    ("venue_address", venue_address),
    ("simserver_request", simserver_request),
    ("simserver_frame", simserver_frame),
    ("simserver_stream", simserver_stream),
    ("simserver_control", simserver_control),
    ("lab_candles", lab_candles),
    ("lab_trades", |data| trades::parse("fuzz.csv", data).is_ok()),
    ("lab_frames", |data| frames::parse("fuzz.txt", data).is_ok()),
    ("lab_archive", |data| tranche_lab::unpack(data).is_ok()),
    ("lab_part", lab_part),
    ("bot_file", |data| BotFile::parse("fuzz.toml", text(data).into_owned()).is_ok()),
    ("fault_profile", fault_profile),
    ("saved_state", saved_state),
    ("model_text", model_text),
];

const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
const KEY: &str = "key";
const SECRET: &str = "secret";
const HOUSE: Installation = Installation::new(7);

fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

fn instrument(id: u32) -> Instrument {
    let price = |text: &str| Price::parse(text).unwrap();
    let qty = |text: &str| Qty::parse(text).unwrap();
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.00001"), max: qty("9000"), step: qty("0.00001") },
        Filter::Notional {
            min: Quote::parse("5").unwrap(),
            min_market: true,
            max: Quote::parse("9000000").unwrap(),
            max_market: false,
        },
    ];
    Instrument::new(InstrumentId::new(id), Symbol::parse("BTC/USDT").unwrap(), filters)
}

fn readers() -> Readers {
    Readers::new(Listed { text: "BTCUSDT".to_owned(), instrument: instrument(3) }, HOUSE)
}

/// `STATUS`, the line of the header `retry-after`, that of the used weight, then the body.
fn venue_answer(data: &[u8]) -> bool {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let status = text(line()).trim().parse().unwrap_or(200);
    let (retry, weight) = (text(line()), text(line()));
    let headers = [
        ("retry-after", retry.as_ref()),
        ("x-mbx-used-weight-1m", weight.as_ref()),
        ("x-mbx-order-count-10s", weight.as_ref()),
    ];
    probe::answer(status, &headers, line())
}

/// What a user pastes in as a key or a secret.
fn venue_key(data: &[u8]) -> bool {
    let text = text(data);
    let is_key = ApiKey::new(&text).is_ok();
    let Ok(secret) = ApiSecret::new(text.into_owned()) else { return is_key };
    let Ok(pen) = Pen::new(&secret) else { return false };
    pen.sign(b"symbol=BTCUSDT").is_some()
}

fn venue_address(data: &[u8]) -> bool {
    let text = text(data);
    Address::http(&text, false).is_ok() | Address::socket(&text, true).is_ok()
}

/// It is always the same moment.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

fn exchange(faults: FaultProfile) -> Exchange {
    let key = KeySettings::new(KEY, KeySecret::Hmac(SECRET.to_owned()));
    let purse = |name: &str, units: i64| Balance {
        asset: Asset::parse(name).unwrap(),
        free: Amount::new(units.into()),
        locked: Amount::ZERO,
    };
    let purses = vec![purse("USDT", 10_000), purse("BTC", 1)];
    let account = AccountSettings::new("ann", vec![key], purses);
    let mut settings = Settings::new(vec![instrument(0)], vec![account]);
    settings.faults = faults;
    let exchange = Exchange::new(&settings, Arc::new(Still)).unwrap();
    exchange.market().push(InstrumentId::new(0), Price::parse("50000").unwrap(), Qty::ZERO);
    exchange
}

fn signature(payload: &str) -> String {
    thread_local! {
        static PEN: Pen = Pen::new(&ApiSecret::new(SECRET.to_owned()).unwrap()).unwrap();
    }
    PEN.with(|pen| pen.sign(payload.as_bytes())).unwrap_or_default()
}

/// Lines of `METHOD /path?query body`. What is not signed gets its signature, so that it goes as far
/// as a request of a client with a key.
fn simserver_request(data: &[u8]) -> bool {
    let exchange = exchange(FaultProfile::default());
    let mut is_good = false;
    for line in text(data).lines() {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (method, target, body) = (word(), word(), word());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut query = query.to_owned();
        if !query.contains("signature=") {
            let body = if method == "GET" { "" } else { body };
            query = format!("{query}&signature={}", signature(&format!("{query}{body}")));
        }
        let answer = exchange.request((method, path), (&query, body), Some(KEY));
        is_good = answer.is_some_and(|(status, _)| status == 200);
    }
    assert!(exchange.is_sound(), "the books do not add up");
    is_good
}

/// Lines of frames to the WebSocket API, signed as above.
fn simserver_frame(data: &[u8]) -> bool {
    let exchange = exchange(FaultProfile::default());
    let text = text(data);
    let frames: Vec<String> = text.lines().map(signed_frame).collect();
    let answers = exchange.api_frames("", frames.iter().map(String::as_str));
    assert!(exchange.is_sound(), "the books do not add up");
    answers.iter().any(|answer| answer.contains("\"status\":200"))
}

fn signed_frame(line: &str) -> String {
    let Ok(mut frame) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let params = frame.get_mut("params").and_then(Value::as_object_mut);
    if let Some(params) = params.filter(|params| !params.contains_key("signature")) {
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut pairs: Vec<String> =
            params.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
        pairs.sort();
        params.insert("signature".to_owned(), signature(&pairs.join("&")).into());
    }
    frame.to_string()
}

/// The address of a market stream, then lines of requests on it, then a trade.
fn simserver_stream(data: &[u8]) -> bool {
    let exchange = exchange(FaultProfile::default());
    let text = text(data);
    let (address, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let answers = exchange.stream_frames((path, query), rest.lines());
    answers.iter().any(|answer| answer.contains("stream") || answer.contains("\"result\":"))
}

/// Lines of `METHOD /path body` to the control address, and a request after them.
fn simserver_control(data: &[u8]) -> bool {
    let exchange = exchange(FaultProfile::default());
    let mut is_good = false;
    for line in text(data).lines() {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (method, path, body) = (word(), word(), word());
        is_good = exchange.control(method, path, body).0 == 200;
    }
    assert!(exchange.is_sound(), "the books do not add up");
    is_good
}

fn lab_candles(data: &[u8]) -> bool {
    let guessed = candles::parse("fuzz.csv", data, None);
    let Ok(file) = candles::parse("fuzz.csv", data, Some(Millis::from_secs(60))).or(guessed) else {
        return false;
    };
    drop(file.columns(file.price_scale()));
    // Years of missing minutes take longer than they tell.
    if file.gaps.iter().all(|gap| gap.missing < 10_000) {
        assert!(file.dense().is_ok_and(|file| file.gaps.is_empty()), "gaps are filled");
    }
    true
}

/// A fetched file that was cut off.
fn lab_part(data: &[u8]) -> bool {
    thread_local! {
        static PLACE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
    }
    PLACE.with_borrow_mut(|place| {
        let path = place.get_or_insert_with(|| {
            let thread = format!("{:?}", std::thread::current().id());
            let number: String = thread.chars().filter(char::is_ascii_digit).collect();
            let name = format!("tranche-fuzz-{}-{number}.csv", std::process::id());
            std::env::temp_dir().join(name)
        });
        let part = path.with_extension("csv.part");
        fs::write(&part, data).unwrap();
        let grown = candles::Growing::open(path, Millis::from_secs(60));
        let is_good = grown.is_ok_and(|grown| grown.found().is_some());
        fs::remove_file(&part).unwrap();
        is_good
    })
}

fn fault_profile(data: &[u8]) -> bool {
    let Ok(profile) = toml::from_str::<FaultProfile>(&text(data)) else { return false };
    let again: FaultProfile = toml::from_str(&toml_of(&profile)).unwrap();
    assert_eq!(again, profile, "a profile reads as it was written");
    true
}

/// Through JSON, which the control address speaks.
fn toml_of(profile: &FaultProfile) -> String {
    let json = serde_json::to_value(profile).unwrap();
    let rules = json.get("rule").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = vec![format!("seed = {}", json.get("seed").unwrap_or(&Value::Null))];
    for rule in &rules {
        lines.push("[[rule]]".to_owned());
        let fields = rule.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        lines.extend(fields.map(|(name, value)| format!("{name} = {}", inline(value))));
    }
    lines.join("\n")
}

fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name} = {}", inline(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let letters = text.chars().map(|letter| format!("\\U{:08X}", u32::from(letter)));
    format!("\"{}\"", letters.collect::<Vec<_>>().concat())
}

/// Snapshots, journal entries and recordings.
fn saved_state(data: &[u8]) -> bool {
    let bot = codec::decode_bot(data);
    if let Ok(bot) = &bot {
        assert!(codec::encode_bot(bot).is_ok(), "what was read can be written");
    }
    let is_known = bot.is_ok()
        | codec::decode_desk(data).is_ok()
        | codec::decode_event(data).is_ok()
        | codec::decode_trace(data).is_ok();
    let Ok(recording) = Recording::open(data) else { return is_known };
    let instruments = recording.header.instruments.clone();
    let told = |entry: &Entry| replay::lines(entry, &instruments).is_ok();
    recording.take(1000).all(|entry| entry.is_ok_and(|entry| told(&entry)))
}

fn model_text(data: &[u8]) -> bool {
    let text = text(data);
    let id = ClientOrderId::parse(&text);
    if let Some(id) = id {
        assert_eq!(id.to_string(), text, "an id is written as it was read");
    }
    let symbol = Symbol::parse(&text);
    if let Ok(symbol) = symbol {
        assert_eq!(Symbol::parse(&symbol.to_string()), Ok(symbol));
    }
    let price = Price::parse(&text);
    if let Ok(price) = price {
        assert_eq!(Price::parse(&price.to_string()), Ok(price), "{text}");
        drop((price.times(Qty::new(price.get())), Quote::parse(&text), Amount::parse(&text)));
    }
    id.is_some() | symbol.is_ok() | price.is_ok() | Asset::parse(&text).is_ok()
}
