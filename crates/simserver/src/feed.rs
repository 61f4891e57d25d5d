//! What the market does: ticks, or frames of a recorded stream, handed in by the caller.

use std::fmt;

use tranche_model::{candle::Tick, time::Timestamp};

/// One thing that happens on the market, at its time in the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedItem {
    Tick(Tick),
    Frame(Frame),
}

/// A recorded line of a combined stream, sent on as it is. A frame of a trade also moves the price
/// of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub at: Timestamp,
    /// `btcusdt@trade`.
    pub stream: String,
    /// The JSON text of `data`.
    pub data: String,
}

/// Where the market comes from, in order of time.
pub trait Feed: Send {
    /// `None` when the recording is over; the exchange goes on at its last prices.
    fn next(&mut self) -> Option<FeedItem>;
}

impl FeedItem {
    pub(crate) const fn at(&self) -> Timestamp {
        match self {
            Self::Tick(tick) => tick.at,
            Self::Frame(frame) => frame.at,
        }
    }
}

struct Items<I>(I);

impl<I: Iterator<Item = FeedItem> + Send> Feed for Items<I> {
    fn next(&mut self) -> Option<FeedItem> {
        self.0.next()
    }
}

impl fmt::Debug for dyn Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

/// A feed of ticks.
pub fn ticks<I>(ticks: I) -> Box<dyn Feed>
where
    I: IntoIterator<Item = Tick>,
    I::IntoIter: Send + 'static,
{
    Box::new(Items(ticks.into_iter().map(FeedItem::Tick)))
}

/// A feed of recorded frames.
pub fn frames<I>(frames: I) -> Box<dyn Feed>
where
    I: IntoIterator<Item = Frame>,
    I::IntoIter: Send + 'static,
{
    Box::new(Items(frames.into_iter().map(FeedItem::Frame)))
}

/// A market on which nothing happens by itself.
pub fn quiet() -> Box<dyn Feed> {
    ticks([])
}

/// Reads a line of a combined stream, `{"stream":…,"data":…}`; `None` for anything else.
pub fn frame(at: Timestamp, line: &str) -> Option<Frame> {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        stream: String,
        #[serde(borrow)]
        data: &'a serde_json::value::RawValue,
    }
    let read: Line<'_> = serde_json::from_str(line).ok()?;
    Some(Frame { at, stream: read.stream, data: read.data.get().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_line_keeps_its_data_as_it_is() {
        let line = r#"{"stream":"btcusdt@trade","data":{"e":"trade", "p":"1.50"}}"#;

        let read = frame(Timestamp::from_ms(7), line).unwrap();

        assert_eq!(read.stream, "btcusdt@trade");
        assert_eq!(read.data, r#"{"e":"trade", "p":"1.50"}"#);
        assert_eq!(frame(Timestamp::from_ms(7), "{}"), None);
    }
}
