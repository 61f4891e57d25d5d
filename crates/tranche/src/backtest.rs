//! `tranche backtest`: one bot over recorded candles.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};
use comfy_table::{CellAlignment, Table, TableStyle};
use cpu_time::ProcessTime;
use indicatif::{ProgressBar, ProgressStyle};
use rust_decimal::Decimal;
use serde::Serialize;
use tranche_lab::{
    depot::Range,
    stats::{self, METRICS},
    sweep::{self, Detail},
    trial::{self, Market, Terms, Window},
};
use tranche_model::{
    asset::Asset,
    balance::{Balance, FeeAsset},
    decimal,
    money::{Amount, Quote},
    time::Timestamp,
};
use tranche_sim::{
    backtest::{Mode, Report},
    exchange,
};
use tranche_trading::dca::ladder;

use crate::{
    bot_file::BotFile,
    cli::{BacktestTask, TermsOptions},
    console::{self, Stopwatch},
    market,
    recording::Recorder,
    results::{self, Shown},
    settings::Settings,
};

/// The result for programs.
#[derive(Debug, Serialize)]
struct Line {
    deals_opened: u32,
    deals_closed: u32,
    fills: u64,
    profit_quote: Quote,
    fees_quote: Quote,
    ambiguous_candles: u64,
    candles: u64,
    /// Of docs/backtesting.md, by their keys.
    metrics: BTreeMap<&'static str, Option<f64>>,
    wall_seconds: f64,
    core_seconds: f64,
}

pub(crate) fn run(task: &BacktestTask, settings: &Settings) -> Result<ExitCode> {
    let watch = Stopwatch::start();
    results::check(&task.result)?;
    let bot = BotFile::read(&task.bot)?;
    let chosen = market::choose(&task.market, settings, bot.pairs())?;
    for note in &chosen.notes {
        console::complain(&format!("note: {note}"));
    }
    let market = &chosen.market;
    check(&bot, market)?;
    let path = task.path.unwrap_or(settings.path).into();
    let mode = task.mode.unwrap_or(settings.mode).into();
    let mut terms = terms(&task.terms, settings, &bot, (path, mode))?;
    terms.record = task.record.is_some();
    tracing::info!(bot = bot.config.name(), candles = market.rows(), "backtest begins");
    let window = market.window(Range::ALL)?;
    let detail = carry_out(&window, market.rows(), &terms, &bot)?;
    if let Some(path) = &task.record {
        let mut recorder = Recorder::create(path, sources(market), market.instruments.clone())?;
        detail.report.told.iter().try_for_each(|told| recorder.observe(told))?;
        let events = recorder.finish()?;
        tracing::info!(events, "recorded");
    }
    let (detail, window) = (&detail, &window);
    let shown = Shown { chosen: &chosen, terms: &terms, bot: &bot, detail, window };
    results::write(&task.result, &shown)?;
    let wall = watch.elapsed();
    let core = ProcessTime::try_now().map_or(wall, |now| now.as_duration());
    if task.result.json {
        console::say(&serde_json::to_string(&line(detail, (wall, core)))?)?;
    } else {
        console::say(&summary(market, &terms, detail, (wall, core))?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a bot whose orders an instrument does not take.
pub(crate) fn check(bot: &BotFile, market: &Market) -> Result<()> {
    for (instrument, file) in market.instruments.iter().zip(&market.files) {
        if let Some(first) = file.candles.first() {
            bot.check(instrument, first.open)?;
        }
    }
    Ok(())
}

/// What the exchange gives and takes, looked at beside the bot.
pub(crate) fn terms(
    options: &TermsOptions,
    settings: &Settings,
    bot: &BotFile,
    (path, mode): (exchange::Path, Mode),
) -> Result<Terms> {
    let terms = settings.terms(options)?;
    if let FeeAsset::Third(asset) = terms.fee_asset {
        bail!(
            "fee-asset: no price of {asset} is known in a backtest; take the fee that you pay with it from \
             the quote asset, such as --fee-asset quote --fee 0.075%"
        );
    }
    let quote = bot.pairs().first().context("the bot has no pair")?.quote;
    let mut balances = terms.balances.clone();
    if balances.is_empty() {
        balances.push(usual_balance(quote));
    }
    let have = balances.iter().find(|balance| balance.asset == quote).map(|balance| balance.free);
    let have = have.with_context(|| {
        format!("balance: no {quote}, which the bot buys with; add --balance {quote}=10000")
    })?;
    if have.quote() < bot.config.base_order_volume() {
        let need = bot.config.base_order_volume();
        let text = format!(
            "base_order_volume is {need} (must be at most the balance, {have} {quote}); lower it or \
             begin with more"
        );
        bail!(bot.fault("base_order_volume", &text));
    }
    let need = ladder::funds_per_deal(&bot.config)?;
    if have.quote() < need {
        console::complain(&format!(
            "note: a deal with all safety orders needs {need} {quote} and the account begins with \
             {have}: late safety orders may find no funds"
        ));
    }
    Ok(Terms {
        account: terms.account(),
        balances,
        exchange: exchange::Settings::default(),
        path,
        mode,
        record: false,
    })
}

fn usual_balance(quote: Asset) -> Balance {
    let free = if quote.as_str() == "BTC" { Decimal::ONE } else { Decimal::new(10_000, 0) };
    Balance { asset: quote, free: Amount::new(free), locked: Amount::ZERO }
}

fn carry_out(window: &Window, rows: u64, terms: &Terms, bot: &BotFile) -> Result<Detail> {
    let bar = ProgressBar::new(rows).with_style(ProgressStyle::with_template(
        "{bar:40} {percent:>3} %  {pos} of {len} candles, {eta} left",
    )?);
    let mut shown = 0_u64;
    let mut progress = |done: u64| {
        // A terminal that is told of every candle would be the slowest part.
        if shown.saturating_add(1024) <= done {
            shown = done;
            bar.set_position(done);
        }
    };
    let report = trial::run(window, terms, &bot.config, &mut progress);
    bar.finish_and_clear();
    Ok(sweep::detail_of(report?, &window.marks, terms, &bot.config))
}

pub(crate) fn sources(market: &Market) -> String {
    let names = market.instruments.iter().zip(&market.files);
    let names = names.map(|(instrument, file)| format!("{} {}", instrument.symbol, file.source));
    names.collect::<Vec<_>>().join(", ")
}

fn line(detail: &Detail, (wall, core): (Duration, Duration)) -> Line {
    let report = &detail.report;
    Line {
        deals_opened: report.deals_opened,
        deals_closed: report.deals_closed,
        fills: report.fills,
        profit_quote: report.profit,
        fees_quote: report.fees,
        ambiguous_candles: report.ambiguous_candles,
        candles: report.candles,
        metrics: METRICS.iter().map(|it| (it.key, it.of(&detail.figures))).collect(),
        wall_seconds: wall.as_secs_f64(),
        core_seconds: core.as_secs_f64(),
    }
}

fn summary(
    market: &Market,
    terms: &Terms,
    detail: &Detail,
    (wall, core): (Duration, Duration),
) -> Result<String> {
    let report = &detail.report;
    let quote = market.instruments.iter().next().context("no instrument")?.symbol.quote;
    let opened = terms.balances.iter().find(|balance| balance.asset == quote);
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("market", sources(market));
    row("time", span(market));
    row("deals", format!("{} opened, {} closed", report.deals_opened, report.deals_closed));
    row("ended by", endings(report));
    row("fills", report.fills.to_string());
    row("profit", profit(report, opened, quote)?);
    row("fees", format!("{} {quote}", short(report.fees)));
    for key in ["total_return", "hold_return", "drawdown_pct", "win_rate", "sharpe", "median_hours"]
    {
        if let Some(metric) = stats::metric(key) {
            row(&metric.name.to_lowercase(), results::shown(metric, &detail.figures, quote));
        }
    }
    row(
        "ambiguous",
        format!("{} candles in which the order of high and low decided", report.ambiguous_candles),
    );
    row("candles", format!("{} in {wall:.2?} ({core:.2?} of processor time)", report.candles));
    if let Some(column) = table.column_mut(0) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Ok(table.trim_fmt())
}

pub(crate) fn span(market: &Market) -> String {
    let first = market.files.iter().filter_map(|file| file.candles.first());
    let last = market.files.iter().filter_map(|file| file.candles.last());
    let from = first.map(|candle| candle.open_at).min().unwrap_or(Timestamp::MIN);
    let to = last.map(|candle| candle.open_at).max().unwrap_or(Timestamp::MIN);
    format!("{from} to {to}")
}

fn endings(report: &Report) -> String {
    let mut names: Vec<&str> = report.deals.iter().map(|deal| deal.ended.as_str()).collect();
    names.sort_unstable();
    let groups = names.chunk_by(|a, b| a == b);
    let counts = groups.filter_map(|group| {
        let name = group.first()?.replace('_', " ");
        Some(format!("{name} {}", group.len()))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    if counts.is_empty() { "nothing closed".to_owned() } else { counts }
}

fn profit(report: &Report, opened: Option<&Balance>, quote: Asset) -> Result<String> {
    let shown = format!("{} {quote}, realised by closed deals", short(report.profit));
    let Some(balance) = opened.filter(|balance| balance.free.is_positive()) else {
        return Ok(shown);
    };
    let share =
        decimal::div(report.profit.get(), balance.free.get(), 6, decimal::Rounding::HalfUp)?;
    let pct = share.checked_mul(Decimal::ONE_HUNDRED).unwrap_or_default().round_dp(2);
    Ok(format!("{shown} ({} % of {})", pct.normalize(), balance.free))
}

/// Eight digits after the point say enough to a person.
fn short(quote: Quote) -> String {
    quote.get().round_dp(8).normalize().to_string()
}
