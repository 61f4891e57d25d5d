//! A small web server that says what a test tells it to, and one that has candles of a pair.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// What the peer's clock says: 2025-03-01.
pub(crate) const NOW: i64 = 1_740_787_200_000;
const MINUTE: i64 = 60_000;
const JSON: &str = "content-type: application/json";

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) header: &'static str,
    pub(crate) body: String,
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    ends: Arc<AtomicBool>,
}

impl Answer {
    pub(crate) fn new(status: u16, header: &'static str, body: impl Into<String>) -> Self {
        Self { status, header, body: body.into() }
    }
}

impl Peer {
    /// Answers each target, path and query, with what `answer` says.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let (answer, is_over) = (Arc::new(answer), Arc::clone(&ends));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                thread::spawn(move || serve(stream.unwrap(), &*answer));
            }
        });
        Self { address, ends }
    }

    /// An exchange with one-minute candles of BTC/USDT from `first` on, in milliseconds. `before` may
    /// answer in its place; it is told how many questions for candles came before.
    pub(crate) fn with_candles(
        first: i64,
        before: impl Fn(usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let count = AtomicUsize::new(0);
        Self::start(move |target| match target.split('?').next().unwrap() {
            "/api/v3/time" => Answer::new(200, JSON, format!(r#"{{"serverTime":{NOW}}}"#)),
            "/api/v3/exchangeInfo" => Answer::new(200, JSON, LISTINGS),
            "/api/v3/klines" => before(count.fetch_add(1, Ordering::SeqCst))
                .unwrap_or_else(|| Answer::new(200, JSON, candles(target, first))),
            _ => Answer::new(404, "", "nothing"),
        })
    }

    pub(crate) fn rest(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

const LISTINGS: &str = r#"{"timezone":"UTC","serverTime":1740787200000,"rateLimits":[],
    "exchangeFilters":[],"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC",
    "baseAssetPrecision":8,"quoteAsset":"USDT","quotePrecision":8,"quoteAssetPrecision":8,
    "isSpotTradingAllowed":true,"permissions":[],"permissionSets":[["SPOT"]],
    "orderTypes":["LIMIT","LIMIT_MAKER","MARKET"],"filters":[
    {"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000","tickSize":"0.01"},
    {"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000","stepSize":"0.00001"},
    {"filterType":"NOTIONAL","minNotional":"5","applyMinToMarket":true,"maxNotional":"9000000",
    "applyMaxToMarket":false,"avgPriceMins":5}]}]}"#;

/// Klines of a price that swings by a few per cent (Binance spot API documents, "Kline/Candlestick
/// data"): closed and running ones between both times, at most `limit`.
fn candles(target: &str, first: i64) -> String {
    let param = |name: &str| -> i64 {
        let query = target.split_once('?').unwrap().1;
        let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap().parse().unwrap()
    };
    let (start, end, limit) = (param("startTime").max(first), param("endTime"), param("limit"));
    let mut open_at = start.div_euclid(MINUTE) * MINUTE;
    if open_at < start {
        open_at += MINUTE;
    }
    let mut rows = String::from("[");
    let mut count = 0;
    while open_at <= end.min(NOW) && count < limit {
        let price = |minute: i64| 60_000 + (minute % 400 - 200).abs() * 12 + minute * 37 % 91;
        let minute = open_at / MINUTE;
        let (open, close) = (price(minute), price(minute + 1));
        let (high, low) = (open.max(close) + 9, open.min(close) - 8);
        let close_at = open_at + MINUTE - 1;
        let comma = if count == 0 { "" } else { "," };
        write!(
            rows,
            r#"{comma}[{open_at},"{open}.00","{high}.50","{low}.00","{close}.00","5.25000000",{close_at},"1.0",7,"1.0","1.0","0"]"#
        )
        .unwrap();
        open_at += MINUTE;
        count += 1;
    }
    rows + "]"
}

fn serve(stream: TcpStream, answer: &(impl Fn(&str) -> Answer + ?Sized)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim().is_empty() => break,
                Ok(_) => head.push(line),
            }
        }
        let Some(target) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
        let Answer { status, header, body } = answer(target);
        let header = if header.is_empty() { "x: y" } else { header };
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{header}\r\n\r\n{body}");
        if writer.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}
