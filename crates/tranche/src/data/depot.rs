//! `tranche data import`, `list`, `check` and `resample`: the data folder.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use comfy_table::{CellAlignment, Table, TableStyle};
use serde::Serialize;
use tranche_lab::{
    depot::{self, Added, Additions, Checked, Depot, Entry, Range},
    import::{self, Options, Zone},
    resample::resample,
};
use tranche_model::asset::Symbol;

use crate::{
    cli::{ImportTask, ListTask, ResampleTask},
    console, market,
    settings::Settings,
};

/// Gaps that are shown one by one.
const GAPS_SHOWN: usize = 10;

/// A series for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    venue: &'a str,
    pair: String,
    interval: String,
    from_ms: i64,
    last_ms: i64,
    candles: u64,
    gaps: u64,
    missing: u64,
    bytes: u64,
    sha256: &'a str,
    file: String,
}

pub(super) fn import(task: &ImportTask, settings: &Settings) -> Result<ExitCode> {
    let symbol = Symbol::parse(&task.pair).context("pair")?;
    let zone = match task.zone.as_deref() {
        None => Zone::default(),
        Some(text) => Zone::parse(text)
            .with_context(|| format!("zone: `{text}` is no zone; write UTC or +02:00"))?,
    };
    let options = Options { columns: task.columns.clone(), zone, symbol: Some(symbol) };
    let mut inputs = Vec::new();
    for path in &task.files {
        inputs.extend(import::inputs(path, &options)?);
    }
    let interval = task.interval.as_deref().map(market::interval).transpose()?;
    let additions =
        Additions { venue: task.venue.clone(), symbol, interval, replace: task.replace };
    let depot = settings.depot(&task.folder);
    let added = depot.add(&additions, &inputs)?;
    if task.json {
        console::say(&json(&depot, &added.entry)?)?;
    } else {
        console::say(&told(&added))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What an addition came to, for people.
pub(super) fn told(added: &Added) -> String {
    let Added { entry, new, repeated, rounded, times } = added;
    let mut lines = vec![format!("{}: {new} new candles, now {}", entry.series, described(entry))];
    for form in times.iter().filter(|form| form.starts_with("without")) {
        lines.push(format!("times {form}; name another zone with --zone"));
    }
    if 0 < *repeated {
        lines.push(format!("{repeated} candles were there twice and are kept once"));
    }
    if 0 < *rounded {
        lines.push(format!(
            "{rounded} volumes had more than 8 digits behind the point and are rounded"
        ));
    }
    lines.join("\n")
}

fn described(entry: &Entry) -> String {
    let Entry { rows, first, last, gaps, missing, .. } = entry;
    let holes = match missing {
        0 => "no gap".to_owned(),
        _ => format!("{missing} missing in {gaps} gaps"),
    };
    format!("{rows} from {first} to {last}, {holes}")
}

pub(super) fn list(task: &ListTask, settings: &Settings) -> Result<ExitCode> {
    let depot = settings.depot(&task.folder);
    let (entries, faults) = depot.list();
    for fault in &faults {
        console::complain(&format!("error: {fault}"));
    }
    if task.json {
        for entry in &entries {
            console::say(&json(&depot, entry)?)?;
        }
    } else if entries.is_empty() {
        let folder = depot.folder().display();
        console::say(&format!(
            "{folder} holds no candles; fill it with `tranche data fetch` or import"
        ))?;
    } else {
        console::say(&table(&entries))?;
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(entries: &[Entry]) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table
        .set_header(["exchange", "pair", "interval", "from", "to", "candles", "missing", "sha256"]);
    for entry in entries {
        let series = &entry.series;
        table.add_row([
            series.venue().to_owned(),
            series.symbol().to_string(),
            depot::interval_name(series.interval()),
            entry.first.to_string(),
            entry.last.to_string(),
            entry.rows.to_string(),
            entry.missing.to_string(),
            entry.checksum.chars().take(16).collect(),
        ]);
    }
    for place in [5, 6] {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

pub(super) fn check(task: &ListTask, settings: &Settings) -> Result<ExitCode> {
    let depot = settings.depot(&task.folder);
    let (entries, mut faults) = depot.list();
    for entry in &entries {
        match depot.check(entry) {
            Ok(checked) if task.json => {
                console::say(&json(&depot, &checked.entry)?)?;
            }
            Ok(checked) => console::say(&whole(&checked))?,
            Err(fault) => faults.push(fault),
        }
    }
    for fault in &faults {
        console::complain(&format!("error: {fault}"));
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn whole(checked: &Checked) -> String {
    let Checked { entry, gaps } = checked;
    let mut lines = vec![format!("{}: whole, {}", entry.series, described(entry))];
    for gap in gaps.iter().take(GAPS_SHOWN) {
        let (from, to, missing) = (gap.from, gap.to, gap.missing);
        lines.push(format!("  {missing} missing from {from} to {to}"));
    }
    if let Some(more) = gaps.len().checked_sub(GAPS_SHOWN).filter(|more| 0 < *more) {
        lines.push(format!("  and {more} more gaps"));
    }
    lines.join("\n")
}

pub(super) fn longer(task: &ResampleTask, settings: &Settings) -> Result<ExitCode> {
    let symbol = Symbol::parse(&task.pair).context("pair")?;
    let depot = settings.depot(&task.folder);
    let from = task.from_interval.as_deref().map(market::interval).transpose()?;
    let to = market::interval(&task.interval)?;
    let entry = depot.find(symbol, task.venue.as_deref(), from)?;
    if entry.series.interval() == to {
        bail!("interval: {} has this length already", entry.series);
    }
    let file = resample(&depot.read(&entry, Range::ALL)?, to)?;
    let written = depot.put(entry.series.venue(), symbol, &file)?;
    console::say(&format!("{}: {}", written.series, described(&written)))?;
    Ok(ExitCode::SUCCESS)
}

/// A series for programs, as one line.
pub(super) fn json(depot: &Depot, entry: &Entry) -> serde_json::Result<String> {
    serde_json::to_string(&line(depot, entry))
}

fn line<'a>(depot: &Depot, entry: &'a Entry) -> Line<'a> {
    let series = &entry.series;
    Line {
        venue: series.venue(),
        pair: series.symbol().to_string(),
        interval: depot::interval_name(series.interval()),
        from_ms: entry.first.ms(),
        last_ms: entry.last.ms(),
        candles: entry.rows,
        gaps: entry.gaps,
        missing: entry.missing,
        bytes: entry.bytes,
        sha256: &entry.checksum,
        file: depot.path(series).display().to_string(),
    }
}
