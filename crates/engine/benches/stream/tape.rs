//! What passes: the recording for each instrument, each beginning at another moment of it.

use std::{fs::File, io::Read as _, path::Path};

use ruzstd::decoding::StreamingDecoder;
use tranche_model::money::Price;

pub(crate) const INSTRUMENTS: u32 = 500;

/// A frame of the recording, as far as it is of use.
struct Line {
    /// Microseconds since the first one.
    at: u64,
    body: Body,
}

enum Body {
    /// Price and quantity.
    Trade(String, String),
    /// Bid, its quantity, ask, its quantity.
    Best([String; 4]),
}

/// When which instrument says what.
struct Event {
    due: u64,
    instrument: u32,
    line: usize,
}

pub(crate) struct Tape {
    lines: Vec<Line>,
    events: Vec<Event>,
}

impl Tape {
    pub(crate) fn read(path: &Path, seconds: u64) -> Self {
        let mut text = String::new();
        let mut decoder = StreamingDecoder::new(File::open(path).unwrap()).unwrap();
        decoder.read_to_string(&mut text).unwrap();
        let mut lines: Vec<Line> = text.lines().filter_map(line).collect();
        let first = lines[0].at;
        for line in &mut lines {
            line.at -= first;
        }
        let mut events = Vec::new();
        for instrument in 0..INSTRUMENTS {
            add(&mut events, &lines, instrument, seconds);
        }
        events.sort_by_key(|event| (event.due, event.instrument, event.line));
        Self { lines, events }
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn trades(&self) -> usize {
        self.prices().count()
    }

    /// Each trade in the order in which it passes.
    pub(crate) fn prices(&self) -> impl Iterator<Item = (u32, Price)> {
        self.events.iter().filter_map(|event| match &self.lines[event.line].body {
            Body::Trade(price, _) => Some((event.instrument, Price::parse(price).unwrap())),
            Body::Best(_) => None,
        })
    }

    /// The price at which the bots of an instrument enter.
    pub(crate) fn entry(&self, instrument: u32) -> Price {
        self.prices().find(|(of, _)| *of == instrument).unwrap().1
    }

    /// The frames as they are written, with the end of each block and when it is due.
    pub(crate) fn encode(&self, block_micros: u64) -> (Vec<u8>, Vec<(u64, usize)>) {
        let mut bytes = Vec::with_capacity(self.events.len() * 180);
        let mut blocks: Vec<(u64, usize)> = Vec::new();
        for (number, event) in self.events.iter().enumerate() {
            let due = event.due / block_micros * block_micros + block_micros;
            push_frame(&mut bytes, &self.text(number, event, due));
            match blocks.last_mut() {
                Some((at, end)) if *at == due => *end = bytes.len(),
                _ => blocks.push((due, bytes.len())),
            }
        }
        (bytes, blocks)
    }

    /// Numbers rise and the time is the moment of writing in microseconds: what comes can be compared
    /// with what was to come.
    fn text(&self, number: usize, event: &Event, due: u64) -> String {
        let id = event.instrument;
        match &self.lines[event.line].body {
            Body::Trade(price, qty) => format!(
                r#"{{"stream":"c{id}usdt@trade","data":{{"e":"trade","E":{due},"s":"C{id}USDT","t":{number},"p":"{price}","q":"{qty}","T":{due},"m":true,"M":true}}}}"#
            ),
            Body::Best([bid, bid_qty, ask, ask_qty]) => format!(
                r#"{{"stream":"c{id}usdt@bookTicker","data":{{"u":{number},"s":"C{id}USDT","b":"{bid}","B":"{bid_qty}","a":"{ask}","A":"{ask_qty}"}}}}"#
            ),
        }
    }
}

/// The instrument's part: from its own moment on, round the end of the recording.
fn add(events: &mut Vec<Event>, lines: &[Line], instrument: u32, seconds: u64) {
    let whole = lines[lines.len() - 1].at + 1;
    let shift = whole * u64::from(instrument) / u64::from(INSTRUMENTS);
    for (line, Line { at, .. }) in lines.iter().enumerate() {
        let due = (at + whole - shift) % whole;
        if due < seconds * 1_000_000 {
            events.push(Event { due, instrument, line });
        }
    }
}

fn line(text: &str) -> Option<Line> {
    let (nanos, frame) = text.split_once(' ')?;
    let field = |name: &str| {
        let rest = frame.split_once(&format!("\"{name}\":\""))?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let body = if frame.contains("@trade\"") {
        Body::Trade(field("p")?, field("q")?)
    } else if frame.contains("@bookTicker\"") {
        Body::Best([field("b")?, field("B")?, field("a")?, field("A")?])
    } else {
        return None;
    };
    Some(Line { at: nanos.parse::<u64>().ok()? / 1000, body })
}

/// A text frame of a server (RFC 6455, 5.2).
fn push_frame(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(0x81);
    if text.len() < 126 {
        bytes.push(text.len() as u8);
    } else {
        bytes.push(126);
        bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    }
    bytes.extend(text.as_bytes());
}
