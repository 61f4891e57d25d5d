//! Results as people and programs take them away: reports and tables.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use tranche_lab::{
    export,
    report::{self, Report, Words},
    stats::{Figures, Metric, Unit},
    sweep::{Detail, Judged, Outcome, Scene},
    trial::{Terms, Window},
};
use tranche_model::{asset::Asset, balance::FeeAsset};

use crate::{
    backtest::{sources, span},
    bot_file::BotFile,
    cli::ResultOptions,
    market::Chosen,
};

/// A run with what it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) chosen: &'a Chosen,
    pub(crate) terms: &'a Terms,
    pub(crate) bot: &'a BotFile,
    pub(crate) detail: &'a Detail,
    /// The part of the market that it ran over.
    pub(crate) window: &'a Window,
}

/// Refuses, before anything is computed, what could not be written afterwards.
pub(crate) fn check(options: &ResultOptions) -> Result<()> {
    if let Some(path) = &options.report {
        let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        if !ending.is_some_and(|ending| ending == "html" || ending == "json") {
            bail!("report: {} ends neither in .html nor in .json", path.display());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            bail!("report: there is no folder {}; make it, or name another", folder.display());
        }
    }
    if let Some(folder) = &options.export {
        fs::create_dir_all(folder)
            .with_context(|| format!("export: {} cannot be made", folder.display()))?;
    }
    Ok(())
}

/// Writes what was asked for of a run.
pub(crate) fn write(options: &ResultOptions, shown: &Shown<'_>) -> Result<()> {
    if let Some(path) = &options.report {
        put(path, &of_run(shown))?;
    }
    if let Some(folder) = &options.export {
        tables(folder, shown)?;
    }
    Ok(())
}

/// Writes what was asked for of a sweep; `best` is the run of its best settings, if any.
pub(crate) fn write_sweep<'a>(
    options: &ResultOptions,
    best: &Shown<'_>,
    (scene, judged): (&Scene<'_>, &Judged),
    outcomes: impl Iterator<Item = &'a Outcome> + Clone,
) -> Result<()> {
    if let Some(path) = &options.report {
        put(path, &of_run(best).with_sweep(scene, judged, outcomes.clone()))?;
    }
    if let Some(folder) = &options.export {
        tables(folder, best)?;
        export::tries(&folder.join("tries.parquet"), scene, outcomes)?;
    }
    Ok(())
}

fn tables(folder: &Path, shown: &Shown<'_>) -> Result<()> {
    let (detail, instruments) = (shown.detail, &shown.chosen.market.instruments);
    export::fills(&folder.join("fills.parquet"), &detail.report, instruments)?;
    export::deals(&folder.join("deals.parquet"), &detail.report, instruments)?;
    export::equity(&folder.join("equity.parquet"), &detail.equity)?;
    Ok(())
}

fn put(path: &Path, report: &Report) -> Result<()> {
    let is_page = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html"));
    let text = if is_page { report::page(report)? } else { report.json()? };
    fs::write(path, text).with_context(|| format!("report: {} cannot be written", path.display()))
}

fn of_run(shown: &Shown<'_>) -> Report {
    let Shown { chosen, terms, bot, detail, window } = shown;
    let market = &chosen.market;
    let quote = market.instruments.iter().next().map(|it| it.symbol.quote.to_string());
    let mut notes = chosen.notes.clone();
    let ambiguous = detail.report.ambiguous_candles;
    if 0 < ambiguous {
        notes.push(format!(
            "In {ambiguous} candles the order of high and low decided what happened; the run assumed one."
        ));
    }
    if detail.report.deals_closed < 100 {
        let count = detail.report.deals_closed;
        notes.push(format!("Only {count} deals closed: fewer than 100 prove little."));
    }
    if window.range.to < market.span().to {
        notes.push(format!(
            "The run that is shown ends at {}: the candles after it were held out from the search.",
            window.range.to
        ));
    }
    let words = Words {
        title: bot.config.name().to_owned(),
        subtitle: format!("{}, {}", sources(market), span(market)),
        notes,
        settings: settings(bot, terms),
        quote: quote.unwrap_or_default(),
    };
    Report::of_run(words, market, &window.marks, detail)
}

fn settings(bot: &BotFile, terms: &Terms) -> Vec<(String, String)> {
    let draft = serde_json::to_value(&bot.draft).unwrap_or_default();
    let mut list: Vec<(String, String)> = draft
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect();
    let balances = terms.balances.iter().map(|it| format!("{} {}", it.free, it.asset));
    list.push(("begins with".to_owned(), balances.collect::<Vec<_>>().join(", ")));
    let (maker, taker) = (terms.account.fees.maker, terms.account.fees.taker);
    let asset = match terms.account.fee_asset {
        FeeAsset::Received => "what the trade brings".to_owned(),
        FeeAsset::Quote => "the quote asset".to_owned(),
        FeeAsset::Third(asset) => asset.to_string(),
    };
    list.push(("fees".to_owned(), format!("{maker} resting, {taker} taking, from {asset}")));
    list.push(("inside a candle".to_owned(), format!("{:?}", terms.path)));
    list.push(("resting orders fill".to_owned(), format!("{:?}", terms.exchange.fill)));
    list.push(("latency, slippage".to_owned(), {
        format!("{}, {}", terms.exchange.latency, terms.exchange.slippage)
    }));
    list
}

/// A figure for a table on a terminal.
pub(crate) fn shown(metric: &Metric, figures: &Figures, quote: Asset) -> String {
    value(metric, metric.of(figures), quote)
}

pub(crate) fn value(metric: &Metric, value: Option<f64>, quote: Asset) -> String {
    let Some(value) = value else { return "none".to_owned() };
    match metric.unit {
        Unit::Quote => format!("{value:.2} {quote}"),
        // Per cent without arithmetic: the exponent is moved by the formatter of decimals.
        Unit::Share => format!("{} %", percent(value)),
        Unit::Percent => format!("{value:.2} %"),
        Unit::Hours => format!("{value:.1} h"),
        Unit::Count => format!("{value:.0}"),
        Unit::Ratio => format!("{value:.3}"),
    }
}

fn percent(share: f64) -> String {
    let exact: rust_decimal::Decimal = format!("{share:.6}").parse().unwrap_or_default();
    let percent = exact.checked_mul(rust_decimal::Decimal::ONE_HUNDRED).unwrap_or_default();
    format!("{:.2}", percent.round_dp(2))
}
