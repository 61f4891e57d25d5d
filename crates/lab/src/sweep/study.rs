//! All that the results of a sweep depend on.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tranche_model::{balance::Balance, time::Timestamp};
use tranche_sim::{
    backtest::{BacktestError, Mode},
    exchange::{self, Path},
};
use tranche_trading::{
    dca::{Config, Draft},
    event::Settings,
};

use super::{Point, Space};
use crate::{
    depot::Range,
    stats::{self, Metric},
    trial::{Market, Terms, Window},
};

/// Raised when the same study would give other results, or other figures of them.
const VERSION: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Every combination, in order.
    Grid,
    /// Combinations by chance, none twice.
    Random,
    /// Combinations near those that did well (tree-structured Parzen estimator).
    Bayes,
}

/// How the time is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    pub from_ms: i64,
    pub to_ms: i64,
    /// The last part, which no search sees; 0 to 80 per cent.
    pub holdout_pct: u8,
    /// How many times a bot is chosen on one stretch and tried on the next; 0 to 50.
    pub walk_forward: u8,
}

/// A sweep, before it is run. Its JSON is its whole meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    pub version: u32,
    /// The bot's settings, which the parameters replace.
    pub bot: Value,
    pub space: Space,
    pub method: Method,
    pub tries: u32,
    pub seed: u64,
    /// The key of a [`Metric`].
    pub metric: String,
    pub windows: Windows,
    /// What the candles of each pair are: name and checksum.
    pub data: Vec<String>,
    pub account: Settings,
    pub balances: Vec<Balance>,
    pub exchange: exchange::Settings,
    pub path: Path,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StudyError {
    #[error("metric: there is none called `{0}`")]
    Metric(String),
    #[error("tries: must be from 1 to 1000000: {0}")]
    Tries(u32),
    #[error("holdout: must be from 0 to 80 %: {0}")]
    Holdout(u8),
    #[error("walk_forward: must be from 0 to 50: {0}")]
    WalkForward(u8),
    #[error(
        "a stretch of time has no candles: take more data, a smaller holdout or fewer stretches"
    )]
    NoCandles,
    #[error("the candles cannot be used: {0}")]
    Candles(BacktestError),
    #[error("the piece is of another study: {0}")]
    Other(String),
    #[error("the bot's settings cannot be read: {0}")]
    Bot(String),
    #[error("parameters.{name}: {text}")]
    Parameter { name: String, text: String },
}

/// A study beside its candles, with what all tries share.
#[derive(Debug)]
pub struct Scene<'a> {
    pub id: String,
    pub study: &'a Study,
    pub market: &'a Market,
    pub metric: &'static Metric,
    pub terms: Terms,
    /// What a search sees.
    pub training: Window,
    /// Empty without a holdout.
    pub holdout: Option<Window>,
    /// Stretches one after the other: one more than the walk-forward has steps, or none.
    pub stretches: Vec<Window>,
}

impl Study {
    pub const fn version() -> u32 {
        VERSION
    }

    /// The checksum of its JSON: the same study has the same everywhere.
    pub fn id(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let digest = Sha256::digest(&text);
        let digits = digest.into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).take(16).collect()
    }

    /// How many tries there will be; a grid never has more than its combinations.
    pub fn tries(&self) -> u32 {
        let size = u32::try_from(self.space.size()).unwrap_or(u32::MAX);
        self.tries.min(size)
    }

    /// The bot with the settings of a point; the error is the one a person would get.
    pub fn config(&self, point: &[u32]) -> Result<Config, StudyError> {
        let settings = self.space.settings(point).unwrap_or_default();
        let mut bot = self.bot.clone();
        let table = bot.as_object_mut().ok_or_else(|| StudyError::Bot("no table".to_owned()))?;
        for (name, value) in &settings {
            table.insert((*name).to_owned(), (*value).clone());
        }
        let draft: Draft =
            serde_json::from_value(bot).map_err(|error| StudyError::Bot(error.to_string()))?;
        Config::try_from(draft).map_err(|error| StudyError::Parameter {
            name: error.field.to_owned(),
            text: error.to_string(),
        })
    }

    fn check(&self) -> Result<&'static Metric, StudyError> {
        if !(1..=1_000_000).contains(&self.tries) {
            return Err(StudyError::Tries(self.tries));
        }
        if 80 < self.windows.holdout_pct {
            return Err(StudyError::Holdout(self.windows.holdout_pct));
        }
        if 50 < self.windows.walk_forward {
            return Err(StudyError::WalkForward(self.windows.walk_forward));
        }
        stats::metric(&self.metric).ok_or_else(|| StudyError::Metric(self.metric.clone()))
    }
}

impl<'a> Scene<'a> {
    pub fn new(study: &'a Study, market: &'a Market) -> Result<Self, StudyError> {
        let metric = study.check()?;
        let Windows { from_ms, to_ms, holdout_pct, walk_forward } = study.windows;
        let length = to_ms.saturating_sub(from_ms);
        let step = i64::from(market.interval().ms()).max(1);
        let part = |of: i64, parts: i64| {
            let ms = length.saturating_mul(of).checked_div(parts).unwrap_or(0);
            from_ms.saturating_add(ms - ms.rem_euclid(step))
        };
        let cut = part(i64::from(100_u8.saturating_sub(holdout_pct)), 100);
        let range = |from: i64, to: i64| Range {
            from: Timestamp::from_ms(from),
            to: Timestamp::from_ms(to),
        };
        let marked = |range: Range| {
            let candles = market.candles(range);
            if candles.iter().any(|list| list.is_empty()) {
                return Err(StudyError::NoCandles);
            }
            market.window(range).map_err(StudyError::Candles)
        };
        let mut stretches = Vec::new();
        if 0 < walk_forward {
            let count = i64::from(walk_forward).saturating_add(1);
            for number in 0..count {
                stretches.push(marked(range(part(number, count), part(number + 1, count)))?);
            }
        }
        Ok(Self {
            id: study.id(),
            study,
            market,
            metric,
            terms: Terms {
                account: study.account.clone(),
                balances: study.balances.clone(),
                exchange: study.exchange,
                path: study.path,
                mode: Mode::Jump,
                record: false,
            },
            training: marked(range(from_ms, cut))?,
            holdout: (0 < holdout_pct).then(|| marked(range(cut, to_ms))).transpose()?,
            stretches,
        })
    }

    /// What is run for each try: the training range, then each stretch but the last.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        let folds = self.stretches.len().saturating_sub(1);
        std::iter::once(&self.training).chain(self.stretches.iter().take(folds))
    }

    /// The settings of a point as people read them.
    pub fn named(&self, point: &Point) -> Vec<(String, String)> {
        let settings = self.study.space.settings(point).unwrap_or_default();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        settings.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
    }
}
