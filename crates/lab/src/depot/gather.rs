//! Adding candles: every input is looked through, then all are put in one order and written.

use std::{collections::BTreeSet, iter::Peekable};

use tranche_model::{
    asset::Symbol,
    candle::Candle,
    time::{Millis, Timestamp},
};

use super::{Depot, Entry, Series, file, numbers::Needs, writer::Writer};
use crate::{
    candles::CandleFile,
    fault::{Fault, FileError},
    import::Input,
};

/// What is added, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Additions {
    pub venue: String,
    pub symbol: Symbol,
    /// The smallest distance between two candles if it is not named.
    pub interval: Option<Millis>,
    /// Forgets what was there before.
    pub replace: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// All that is there now.
    pub entry: Entry,
    /// Candles that were not there before.
    pub new: u64,
    /// Candles that were there twice, in one input or in several.
    pub repeated: u64,
    /// Volumes with more digits than can be held.
    pub rounded: u64,
    /// How the inputs write times, each form once.
    pub times: Vec<String>,
}

/// What a look through an input found.
struct Survey {
    first: Timestamp,
    distance: i64,
    needs: Needs,
    times: Option<String>,
    repeated: u64,
    rounded: u64,
}

type Candles = Box<dyn Iterator<Item = Result<Candle, FileError>>>;

/// One of several streams that are put in one order.
struct Stream {
    name: String,
    candles: Peekable<Candles>,
}

pub(super) fn add(
    depot: &Depot,
    additions: &Additions,
    inputs: &[Input],
) -> Result<Added, FileError> {
    let mut needs = Needs::default();
    let (mut distance, mut times) = (i64::MAX, BTreeSet::new());
    let (mut repeated, mut rounded) = (0_u64, 0_u64);
    let mut order: Vec<(Timestamp, &Input)> = Vec::new();
    for input in inputs {
        let survey = survey(input, &mut needs)?;
        distance = distance.min(survey.distance);
        needs = survey.needs;
        times.extend(survey.times);
        repeated = repeated.saturating_add(survey.repeated);
        rounded = rounded.saturating_add(survey.rounded);
        order.push((survey.first, input));
    }
    order.sort_by_key(|(first, _)| *first);
    let names = inputs.first().map(Input::name).unwrap_or_default();
    let interval = match additions.interval {
        Some(interval) => interval,
        None => interval(distance).map_err(|fault| FileError::whole(&names, fault))?,
    };
    let series = Series::new(&additions.venue, additions.symbol, interval)
        .map_err(|error| FileError::whole(&names, Fault::Unreadable(error.to_string())))?;
    let path = depot.path(&series);
    let mut streams = Vec::new();
    let mut before = 0;
    if path.exists() && !additions.replace {
        before = file::entry(&path)?.rows;
        for candle in file::stream(&path)? {
            needs.look_at(&candle?);
        }
        streams.push(stream(path.display().to_string(), Box::new(file::stream(&path)?)));
    }
    for (_, input) in order {
        streams.push(stream(input.name(), Box::new(input.rows()?)));
    }
    let scales =
        needs.scales().map_err(|digits| FileError::whole(&names, Fault::TooFine { digits }))?;
    let mut writer = Writer::create(&path, &series, scales)?;
    let mut merge = Merge { streams, last: None, first: None, interval, repeated: 0 };
    loop {
        let pushed = match merge.next() {
            Ok(None) => break,
            Ok(Some(candle)) => writer.push(&candle),
            Err(error) => Err(error),
        };
        if let Err(error) = pushed {
            writer.abandon();
            return Err(error);
        }
    }
    let (entry, cut) = writer.finish()?;
    Ok(Added {
        new: entry.rows.saturating_sub(before),
        entry,
        repeated: repeated.saturating_add(merge.repeated),
        rounded: rounded.saturating_add(cut),
        times: times.into_iter().collect(),
    })
}

/// Writes candles that are in order and on their grid.
pub(super) fn put(
    depot: &Depot,
    (venue, symbol): (&str, Symbol),
    file: &CandleFile,
) -> Result<Entry, FileError> {
    let name = file.source.to_string();
    let series = Series::new(venue, symbol, file.interval)
        .map_err(|error| FileError::whole(&name, Fault::Unreadable(error.to_string())))?;
    let mut needs = Needs::default();
    file.candles.iter().for_each(|candle| needs.look_at(candle));
    let scales =
        needs.scales().map_err(|digits| FileError::whole(&name, Fault::TooFine { digits }))?;
    let mut writer = Writer::create(&depot.path(&series), &series, scales)?;
    for candle in &file.candles {
        if let Err(error) = writer.push(candle) {
            writer.abandon();
            return Err(error);
        }
    }
    writer.finish().map(|(entry, _)| entry)
}

fn stream(name: String, candles: Candles) -> Stream {
    Stream { name, candles: candles.peekable() }
}

/// Looks through an input: every fault of its rows is found here.
fn survey(input: &Input, needs: &mut Needs) -> Result<Survey, FileError> {
    let mut rows = input.rows()?;
    let mut ends: Option<(Timestamp, Timestamp)> = None;
    let mut distance = i64::MAX;
    while let Some(candle) = rows.next().transpose()? {
        needs.look_at(&candle);
        let at = candle.open_at;
        if let Some((_, last)) = ends {
            distance = distance.min(at.ms().saturating_sub(last.ms()));
        }
        ends = Some((ends.map_or(at, |(first, _)| first), at));
    }
    let (first, _) = ends.ok_or_else(|| FileError::whole(&input.name(), Fault::NoRow))?;
    Ok(Survey {
        first,
        distance,
        needs: *needs,
        times: rows.times(),
        repeated: rows.repeated(),
        rounded: rows.rounded(),
    })
}

fn interval(distance: i64) -> Result<Millis, Fault> {
    if distance == i64::MAX {
        return Err(Fault::IntervalUnknown);
    }
    u32::try_from(distance)
        .map(Millis::new)
        .map_err(|_| Fault::IntervalTooLong { interval_ms: distance, interval_ms_max: u32::MAX })
}

/// Streams in order of time as one. The same candle in several of them comes once.
struct Merge {
    streams: Vec<Stream>,
    first: Option<Timestamp>,
    last: Option<(Candle, String)>,
    interval: Millis,
    repeated: u64,
}

impl Merge {
    fn next(&mut self) -> Result<Option<Candle>, FileError> {
        loop {
            let Some((candle, name)) = self.take()? else { return Ok(None) };
            match &self.last {
                Some((last, _)) if *last == candle => self.repeated += 1,
                Some((last, other)) if last.open_at == candle.open_at => {
                    let fault = Fault::Contradicts { at: candle.open_at, other: other.clone() };
                    return Err(FileError::whole(&name, fault));
                }
                Some(_) | None => {
                    self.look_at(&candle, &name)?;
                    self.last = Some((candle, name));
                    return Ok(Some(candle));
                }
            }
        }
    }

    /// The earliest candle of all streams.
    fn take(&mut self) -> Result<Option<(Candle, String)>, FileError> {
        let mut earliest: Option<(Timestamp, &mut Stream)> = None;
        for stream in &mut self.streams {
            let at = match stream.candles.peek() {
                None => continue,
                Some(Ok(candle)) => candle.open_at,
                // A fault is handed out at once.
                Some(Err(_)) => Timestamp::MIN,
            };
            if earliest.as_ref().is_none_or(|(other, _)| at < *other) {
                earliest = Some((at, stream));
            }
        }
        let Some((_, stream)) = earliest else { return Ok(None) };
        let next = stream.candles.next().transpose()?;
        Ok(next.map(|candle| (candle, stream.name.clone())))
    }

    /// Whether the candle stands on the grid.
    fn look_at(&mut self, candle: &Candle, name: &str) -> Result<(), FileError> {
        let (value, step) = (candle.open_at.ms(), i64::from(self.interval.ms()));
        let first = self.first.get_or_insert(candle.open_at).ms();
        if value.saturating_sub(first).checked_rem(step) != Some(0) {
            let interval_ms = self.interval.ms();
            let fault = Fault::TimeOffGrid { field: "time", interval_ms, first, value };
            return Err(FileError::whole(name, fault));
        }
        Ok(())
    }
}
