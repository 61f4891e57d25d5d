//! `tranche sweep`: many settings of one bot, and whether the best are to be believed.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, bail};
use comfy_table::{Table, TableStyle};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tranche_lab::{
    stats::METRICS,
    sweep::{self, End, Journal, Judged, Progress, Ranked, Scene, Span, Study, Windows},
};
use tranche_model::asset::Asset;
use tranche_sim::backtest::Mode;

use crate::{
    backtest,
    bot_file::BotFile,
    cli::SweepTask,
    console::{self, Stopwatch},
    market::{self, Chosen},
    results::{self, Shown},
    runtime::{self, Stop},
    settings::Settings,
    space_file::SpaceFile,
};

/// The result for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    study: &'a str,
    metric: &'a str,
    tries: u32,
    refused: u32,
    ranked: Vec<Best<'a>>,
    folds: Vec<Step<'a>>,
    journal: String,
}

#[derive(Debug, Serialize)]
struct Best<'a> {
    #[serde(rename = "try")]
    number: u32,
    settings: std::collections::BTreeMap<&'a str, &'a str>,
    training: std::collections::BTreeMap<&'a str, Option<f64>>,
    holdout: Option<std::collections::BTreeMap<&'a str, Option<f64>>>,
    neighbours_mean: Option<f64>,
    neighbours_worst: Option<f64>,
    random_entries_as_good: Option<f64>,
    grade: &'a str,
    doubts: &'a [String],
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    from: String,
    cut: String,
    to: String,
    settings: &'a [(String, String)],
    chosen: Option<f64>,
    tried: Option<f64>,
}

pub(crate) fn run(task: &SweepTask, settings: &Settings) -> Result<ExitCode> {
    let watch = Stopwatch::start();
    results::check(&task.result)?;
    let bot = BotFile::read(&task.bot)?;
    let space = SpaceFile::read(&task.space)?;
    let chosen = market::choose(&task.market, settings, bot.pairs())?;
    for note in &chosen.notes {
        console::complain(&format!("note: {note}"));
    }
    backtest::check(&bot, &chosen.market)?;
    let study = study(task, settings, &bot, (space, &chosen))?;
    let scene = Scene::new(&study, &chosen.market)?;
    let path = task.journal.clone().unwrap_or_else(|| journal_name(&scene.id));
    let mut journal = Journal::open(&path, &study)?;
    let known = journal.known().len();
    if 0 < known {
        console::complain(&format!("note: {known} tries are in {} already", path.display()));
    }
    let threads = task.threads.or_else(|| thread::available_parallelism().ok());
    let end = carry_out(&scene, &mut journal, threads.unwrap_or(NonZeroUsize::MIN))?;
    if end == End::Stopped {
        let done = journal.known().len();
        console::complain(&format!(
            "stopped after {done} of {} tries, which are kept in {}: run the same command to go on",
            study.tries(),
            path.display()
        ));
        return Ok(ExitCode::FAILURE);
    }
    let judged = sweep::judge(&scene, journal.known(), usize::from(task.top));
    let Some(best) = judged.ranked.first() else {
        bail!(nothing(&journal));
    };
    let named = shown_best(&bot, &scene, best)?;
    let config = study.config(&best.point)?;
    let detail = sweep::detail(&scene, &config, &scene.training).map_err(anyhow::Error::msg)?;
    let shown = Shown {
        chosen: &chosen,
        terms: &scene.terms,
        bot: &named,
        detail: &detail,
        window: &scene.training,
    };
    results::write_sweep(&task.result, &shown, (&scene, &judged), journal.known().values())?;
    if task.result.json {
        console::say(&serde_json::to_string(&line(&scene, &judged, &path))?)?;
    } else {
        let quote = bot.pairs().first().context("the bot has no pair")?.quote;
        console::say(&summary(&scene, &judged, quote))?;
        console::say(&format!("{} tries in {:.2?}", judged.tries, watch.elapsed()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All that results depend on.
fn study(
    task: &SweepTask,
    settings: &Settings,
    bot: &BotFile,
    (space, chosen): (SpaceFile, &Chosen),
) -> Result<Study> {
    let path = task.path.unwrap_or(settings.path).into();
    let terms = backtest::terms(&task.terms, settings, bot, (path, Mode::Jump))?;
    let span = chosen.market.span();
    let SpaceFile { space, method, tries, seed, metric, holdout_pct, walk_forward } = space;
    Ok(Study {
        version: Study::version(),
        bot: serde_json::to_value(&bot.draft)?,
        space,
        method,
        tries,
        seed,
        metric,
        windows: Windows {
            from_ms: span.from.ms(),
            to_ms: span.to.ms(),
            holdout_pct,
            walk_forward,
        },
        data: chosen.data(),
        account: terms.account,
        balances: terms.balances,
        exchange: terms.exchange,
        path: terms.path,
    })
}

fn journal_name(id: &str) -> PathBuf {
    PathBuf::from(format!("sweep-{id}.jsonl"))
}

/// Runs on all threads until it is done, or until a signal comes.
fn carry_out(scene: &Scene<'_>, journal: &mut Journal, threads: NonZeroUsize) -> Result<End> {
    let stop = Arc::new(AtomicBool::new(false));
    let wanted = Arc::clone(&stop);
    let listener = runtime::build()?;
    let mut signals = listener.block_on(async { Stop::listen() })?;
    // It ends with the process, or with the signal that it waits for.
    thread::spawn(move || {
        listener.block_on(signals.wait());
        wanted.store(true, Ordering::Relaxed);
    });
    let bar = ProgressBar::new(u64::from(scene.study.tries())).with_style(
        ProgressStyle::with_template("{bar:30} {pos} of {len}, {per_sec}, {eta} left  {msg}")?,
    );
    let known = u64::try_from(journal.known().len()).unwrap_or(0);
    // Speed and time left are of what is done now.
    let bar = bar.with_position(known);
    bar.reset_eta();
    let mut progress = |progress: Progress| {
        bar.set_position(u64::from(progress.done));
        if let Some(best) = progress.best {
            bar.set_message(format!("best {} {best:.4}", scene.metric.key));
        }
    };
    let end = sweep::carry_out(scene, journal, threads, &stop, &mut progress);
    bar.finish_and_clear();
    Ok(end?)
}

/// Why there is no best try.
fn nothing(journal: &Journal) -> String {
    let reason = journal.known().values().find_map(|outcome| outcome.result.as_ref().err());
    match reason {
        Some(reason) => format!("no try could be run and measured; the first refusal: {reason}"),
        None => "no try has a value of the metric: take more data or another metric".to_owned(),
    }
}

/// The bot with the best settings, under a name that says so.
fn shown_best(bot: &BotFile, scene: &Scene<'_>, best: &Ranked) -> Result<BotFile> {
    let mut draft = serde_json::to_value(&bot.draft)?;
    let settings = scene.study.space.settings(&best.point).unwrap_or_default();
    if let Some(table) = draft.as_object_mut() {
        for (name, value) in settings {
            table.insert(name.to_owned(), value.clone());
        }
        let name = format!("{}: best of {} tries", bot.config.name(), scene.study.tries());
        table.insert("name".to_owned(), name.chars().take(200).collect::<String>().into());
    }
    bot.with(serde_json::from_value(draft)?)
}

fn line<'a>(scene: &'a Scene<'_>, judged: &'a Judged, journal: &Path) -> Line<'a> {
    let figures = |span: &Span| {
        METRICS.iter().map(|metric| metric.key).zip(span.figures.iter().copied()).collect()
    };
    let ranked = judged.ranked.iter().map(|best| Best {
        number: best.number,
        settings: best.settings.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect(),
        training: figures(&best.training),
        holdout: best.holdout.as_ref().map(figures),
        neighbours_mean: best.neighbours.map(|beside| beside.mean),
        neighbours_worst: best.neighbours.map(|beside| beside.worst),
        random_entries_as_good: best.baseline.map(|baseline| baseline.share_better),
        grade: best.grade,
        doubts: &best.doubts,
    });
    let folds = judged.folds.iter().map(|fold| Step {
        from: fold.from.to_string(),
        cut: fold.cut.to_string(),
        to: fold.to.to_string(),
        settings: &fold.settings,
        chosen: fold.chosen,
        tried: fold.tried,
    });
    Line {
        study: &scene.id,
        metric: scene.metric.key,
        tries: judged.tries,
        refused: judged.refused,
        ranked: ranked.collect(),
        folds: folds.collect(),
        journal: journal.display().to_string(),
    }
}

fn summary(scene: &Scene<'_>, judged: &Judged, quote: Asset) -> String {
    let metric = scene.metric;
    let value = |value: Option<f64>| results::value(metric, value, quote);
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_header(["", "settings", metric.key, "held out", "beside it", "deals", "grade"]);
    for (place, best) in judged.ranked.iter().enumerate() {
        let deals = best.training.value("deals").unwrap_or(0.0);
        table.add_row([
            (place + 1).to_string(),
            named(&best.settings),
            value(best.training.value(metric.key)),
            value(best.holdout.as_ref().and_then(|span| span.value(metric.key))),
            value(best.neighbours.map(|beside| beside.mean)),
            format!("{deals:.0}"),
            best.grade.to_owned(),
        ]);
    }
    let mut lines = vec![table.trim_fmt()];
    if let Some(best) = judged.ranked.first() {
        lines.push("\nwhat speaks against the first:".to_owned());
        lines.extend(best.doubts.iter().map(|doubt| format!("  {doubt}")));
        if best.doubts.is_empty() {
            lines.push("  nothing that was looked at".to_owned());
        }
    }
    if !judged.folds.is_empty() {
        lines.push("\nwalk-forward, chosen on one stretch and tried on the next:".to_owned());
    }
    for fold in &judged.folds {
        let (from, cut) = (fold.from, fold.cut);
        let (chosen, tried) = (value(fold.chosen), value(fold.tried));
        let settings = named(&fold.settings);
        lines.push(format!("  {from} to {cut}: {settings}: {chosen}, then {tried}"));
    }
    if 0 < judged.refused {
        lines.push(format!("\n{} tries cannot be run with these settings", judged.refused));
    }
    lines.join("\n")
}

fn named(settings: &[(String, String)]) -> String {
    let pairs = settings.iter().map(|(name, value)| format!("{name} {value}"));
    pairs.collect::<Vec<_>>().join(", ")
}
