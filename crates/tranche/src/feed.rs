//! The ticks of several markets in the order of their time.

use std::{collections::VecDeque, vec};

use anyhow::Result;
use tranche_lab::{
    generate::{Generator, Params},
    source::Source,
};
use tranche_model::{
    candle::{Candle, Tick},
    ids::InstrumentId,
    instrument::{Instrument, Instruments},
    time::{Millis, Timestamp},
};
use tranche_sim::exchange::{self, Path};

use crate::market::Market;

/// What a generated market has when nobody names a pair.
pub(crate) const GENERATED: [&str; 3] = ["BTC/USDT", "ETH/USDT", "SOL/USDT"];

#[derive(Debug)]
pub(crate) struct Feed {
    tracks: Vec<Track>,
    pub(crate) source: Source,
}

#[derive(Debug)]
struct Track {
    instrument: InstrumentId,
    candles: Candles,
    interval: Millis,
    /// The rest of the candle at hand.
    ticks: VecDeque<Tick>,
}

#[derive(Debug)]
enum Candles {
    Generated(Box<Generator>),
    Recorded(vec::IntoIter<Candle>),
}

impl Feed {
    /// Endless markets, each from its own seed, which follows from the given one.
    pub(crate) fn generated(seed: u64, instruments: &Instruments) -> Result<Self> {
        let mut tracks = Vec::new();
        for (instrument, own) in instruments.iter().zip(0_u64..) {
            let params = Params::of(instrument.symbol).unwrap_or_else(Params::sol_usdt);
            let interval = params.interval;
            let generator = Generator::new(seed.wrapping_add(own), &params)?;
            tracks.push(Track::new(instrument, interval, Candles::Generated(Box::new(generator))));
        }
        Ok(Self { tracks, source: Source::Generated { seed } })
    }

    pub(crate) fn recorded(market: Market) -> Option<Self> {
        let source = market.files.first()?.source.clone();
        let files = market.instruments.iter().zip(market.files);
        let tracks = files.map(|(instrument, file)| {
            let candles = Candles::Recorded(file.candles.into_iter());
            Track::new(instrument, file.interval, candles)
        });
        Some(Self { tracks: tracks.collect(), source })
    }

    /// The time of the next tick; `None` at the end of the market.
    pub(crate) fn next_at(&mut self) -> Option<Timestamp> {
        self.next_track().map(|(at, _)| at)
    }

    pub(crate) fn take(&mut self) -> Option<Tick> {
        let (_, place) = self.next_track()?;
        self.tracks.get_mut(place)?.ticks.pop_front()
    }

    /// Of ticks of the same moment the first instrument's goes first.
    fn next_track(&mut self) -> Option<(Timestamp, usize)> {
        let tracks = self.tracks.iter_mut().enumerate();
        tracks.filter_map(|(place, track)| track.next_at().map(|at| (at, place))).min()
    }
}

impl Track {
    const fn new(instrument: &Instrument, interval: Millis, candles: Candles) -> Self {
        Self { instrument: instrument.id, candles, interval, ticks: VecDeque::new() }
    }

    fn next_at(&mut self) -> Option<Timestamp> {
        if self.ticks.is_empty() {
            let candle = self.candles.next()?;
            let ticks = exchange::candle(self.instrument, &candle, Path::Nearest, self.interval);
            self.ticks.extend(ticks);
        }
        self.ticks.front().map(|tick| tick.at)
    }
}

impl Candles {
    fn next(&mut self) -> Option<Candle> {
        match self {
            Self::Generated(generator) => generator.next_bar().map(|bar| bar.candle),
            Self::Recorded(candles) => candles.next(),
        }
    }
}
