//! `tranche backtest`: one bot over recorded candles.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};
use comfy_table::{CellAlignment, Table, TableStyle};
use cpu_time::ProcessTime;
use indicatif::{ProgressBar, ProgressStyle};
use rust_decimal::Decimal;
use serde::Serialize;
use tranche_lab::candles::CandleFile;
use tranche_model::{
    asset::Asset,
    balance::Balance,
    cast, decimal,
    ids::BotId,
    instrument::Instrument,
    money::{Amount, Quote},
    time::Timestamp,
};
use tranche_sim::{
    backtest::{self, Plan, Report, Series},
    exchange,
};
use tranche_trading::dca::ladder;

use crate::{
    bot_file::BotFile,
    cli::BacktestTask,
    console::{self, Stopwatch},
    market::Market,
    recording::Recorder,
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
    wall_seconds: f64,
    core_seconds: f64,
}

pub(crate) fn run(task: &BacktestTask, settings: &Settings) -> Result<ExitCode> {
    let watch = Stopwatch::start();
    let bot = BotFile::read(&task.bot)?;
    let market = Market::read(&task.candles, bot.pairs())?;
    for (instrument, file) in market.instruments.iter().zip(&market.files) {
        if let Some(first) = file.candles.first() {
            bot.check(instrument, first.open)?;
        }
    }
    let plan = plan(task, settings, &bot)?;
    tracing::info!(bot = bot.config.name(), candles = candles(&market), "backtest begins");
    let report = carry_out(&market, &plan)?;
    if let Some(path) = &task.record {
        let mut recorder = Recorder::create(path, sources(&market), market.instruments.clone())?;
        report.told.iter().try_for_each(|told| recorder.observe(told))?;
        let events = recorder.finish()?;
        tracing::info!(events, "recorded");
    }
    let wall = watch.elapsed();
    let core = ProcessTime::try_now().map_or(wall, |now| now.as_duration());
    if task.json {
        console::say(&serde_json::to_string(&line(&report, (wall, core)))?)?;
    } else {
        console::say(&summary(&market, &plan, &report, (wall, core))?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn plan(task: &BacktestTask, settings: &Settings, bot: &BotFile) -> Result<Plan> {
    let terms = settings.terms(&task.terms)?;
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
    Ok(Plan {
        account: terms.account(),
        balances,
        bots: vec![(BotId::new(1), bot.config.clone())],
        exchange: exchange::Settings::default(),
        path: task.path.unwrap_or(settings.path).into(),
        mode: task.mode.unwrap_or(settings.mode).into(),
        record: task.record.is_some(),
    })
}

fn usual_balance(quote: Asset) -> Balance {
    let free = if quote.as_str() == "BTC" { Decimal::ONE } else { Decimal::new(10_000, 0) };
    Balance { asset: quote, free: Amount::new(free), locked: Amount::ZERO }
}

fn carry_out(market: &Market, plan: &Plan) -> Result<Report> {
    let series = market.instruments.iter().zip(&market.files).map(series).collect::<Vec<_>>();
    let bar = ProgressBar::new(candles(market)).with_style(ProgressStyle::with_template(
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
    let report = backtest::run(market.instruments.clone(), plan, &series, &mut progress);
    bar.finish_and_clear();
    Ok(report?)
}

fn series<'a>((instrument, file): (&Instrument, &'a CandleFile)) -> Series<'a> {
    Series { instrument: instrument.id, candles: &file.candles, interval: file.interval }
}

fn candles(market: &Market) -> u64 {
    market.files.iter().map(|file| cast::count(file.candles.len())).sum()
}

fn sources(market: &Market) -> String {
    let names = market.instruments.iter().zip(&market.files);
    let names = names.map(|(instrument, file)| format!("{} {}", instrument.symbol, file.source));
    names.collect::<Vec<_>>().join(", ")
}

fn line(report: &Report, (wall, core): (Duration, Duration)) -> Line {
    Line {
        deals_opened: report.deals_opened,
        deals_closed: report.deals_closed,
        fills: report.fills,
        profit_quote: report.profit,
        fees_quote: report.fees,
        ambiguous_candles: report.ambiguous_candles,
        candles: report.candles,
        wall_seconds: wall.as_secs_f64(),
        core_seconds: core.as_secs_f64(),
    }
}

fn summary(
    market: &Market,
    plan: &Plan,
    report: &Report,
    (wall, core): (Duration, Duration),
) -> Result<String> {
    let quote = market.instruments.iter().next().context("no instrument")?.symbol.quote;
    let opened = plan.balances.iter().find(|balance| balance.asset == quote);
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

fn span(market: &Market) -> String {
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
