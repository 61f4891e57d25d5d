//! One bot over recorded candles: the one place here that runs a backtest.

use tranche_model::{
    balance::Balance,
    candle::Candle,
    cast,
    ids::BotId,
    instrument::{Instrument, Instruments},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    backtest::{self, BacktestError, Mode, Plan, Report, Series},
    exchange::{self, Path},
};
use tranche_trading::{dca::Config, event::Settings};

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

/// The candles of a range, made ready for any number of runs, with the prices that they are valued at.
#[derive(Debug, Clone)]
pub struct Window {
    pub range: Range,
    pub marks: Marks,
    market: backtest::Market,
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

    /// Makes a range ready.
    pub fn window(&self, range: Range) -> Result<Window, BacktestError> {
        let candles = self.candles(range);
        let instruments: Vec<&Instrument> = self.instruments.iter().collect();
        let of_instruments = instruments.iter().zip(&candles);
        let series: Vec<Series<'_>> = of_instruments
            .map(|(instrument, candles)| Series {
                instrument: instrument.id,
                candles,
                interval: self.interval(),
            })
            .collect();
        Ok(Window {
            range,
            marks: Marks::new(&instruments, &candles, self.interval()),
            market: backtest::Market::new(self.instruments.clone(), &series)?,
        })
    }

    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| cast::count(file.candles.len())).sum()
    }
}

/// Runs one bot over a window.
pub fn run(
    window: &Window,
    terms: &Terms,
    config: &Config,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, BacktestError> {
    let plan = Plan {
        account: terms.account.clone(),
        balances: terms.balances.clone(),
        bots: vec![(BOT, config.clone())],
        exchange: terms.exchange,
        path: terms.path,
        mode: terms.mode,
        record: terms.record,
    };
    backtest::run_on(&window.market, &plan, progress)
}
