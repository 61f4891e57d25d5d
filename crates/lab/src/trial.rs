//! One bot over recorded candles: the one place here that runs a backtest.

use tranche_model::{
    balance::Balance,
    candle::Candle,
    cast,
    ids::BotId,
    instrument::{Instrument, Instruments},
    record::FillRow,
    time::{Millis, Timestamp},
};
use tranche_sim::{
    backtest::{self, BacktestError, Mode, Plan, Report, Series},
    exchange::{self, Path},
};
use tranche_trading::{dca::Config, event::Settings, shard::Output};

use crate::{candles::CandleFile, depot::Range, stats::equity::Marks};

/// Candles of several instruments, in their order, all of one interval.
#[derive(Debug, Clone)]
pub struct Market {
    pub instruments: Instruments,
    pub files: Vec<CandleFile>,
}

/// What the exchange gives and takes.
#[derive(Debug, Clone)]
pub struct Terms {
    pub account: Settings,
    pub balances: Vec<Balance>,
    pub exchange: exchange::Settings,
    pub path: Path,
    pub mode: Mode,
    /// Keeps everything that was told, for `tranche replay`.
    pub record: bool,
}

/// What came of a run, with every fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub report: Report,
    pub fills: Vec<FillRow>,
}

/// Who trades in a trial.
pub const BOT: BotId = BotId::new(1);

impl Market {
    /// The candles of each instrument in a range.
    pub fn candles(&self, range: Range) -> Vec<&[Candle]> {
        let part = |file: &'_ CandleFile| {
            let place = |at: Timestamp| file.candles.partition_point(|it| it.open_at < at);
            (place(range.from), place(range.to))
        };
        let cut = self.files.iter().map(|file| {
            let (from, to) = part(file);
            file.candles.get(from..to).unwrap_or_default()
        });
        cut.collect()
    }

    pub fn interval(&self) -> Millis {
        self.files.first().map_or(Millis::ZERO, |file| file.interval)
    }

    /// From the first candle's opening to the last one's end.
    pub fn span(&self) -> Range {
        let first = self.files.iter().filter_map(|file| file.candles.first());
        let last = self.files.iter().filter_map(|file| file.candles.last());
        Range {
            from: first.map(|candle| candle.open_at).min().unwrap_or(Timestamp::MIN),
            to: last
                .map(|candle| candle.open_at.plus(self.interval()))
                .max()
                .unwrap_or(Timestamp::MIN),
        }
    }

    /// The prices that runs over a range are valued at.
    pub fn marks(&self, range: Range) -> Marks {
        let instruments: Vec<&Instrument> = self.instruments.iter().collect();
        Marks::new(&instruments, &self.candles(range), self.interval())
    }

    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| cast::count(file.candles.len())).sum()
    }
}

/// Runs one bot over the candles of a range.
pub fn run(
    market: &Market,
    terms: &Terms,
    config: &Config,
    range: Range,
    progress: &mut dyn FnMut(u64),
) -> Result<Run, BacktestError> {
    let plan = Plan {
        account: terms.account.clone(),
        balances: terms.balances.clone(),
        bots: vec![(BOT, config.clone())],
        exchange: terms.exchange,
        path: terms.path,
        mode: terms.mode,
        // Fills are told only to who records.
        record: true,
    };
    let instruments = market.instruments.iter();
    let series: Vec<Series<'_>> = instruments
        .zip(market.candles(range))
        .map(|(instrument, candles)| Series {
            instrument: instrument.id,
            candles,
            interval: market.interval(),
        })
        .collect();
    let mut report = backtest::run(market.instruments.clone(), &plan, &series, progress)?;
    let fills = report.told.iter().filter_map(fill).collect();
    if !terms.record {
        report.told = Vec::new();
    }
    Ok(Run { report, fills })
}

fn fill(told: &Output) -> Option<FillRow> {
    if let Output::Booked { row, .. } = told { Some(**row) } else { None }
}
