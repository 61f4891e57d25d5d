//! Which column holds what: from a header in the words of many, or as the user says.

use super::{Cells, Line, Options};
use crate::fault::{Fault, FileError, shown};

/// Time, open, high, low, close, volume, as most write them.
pub(super) const USUAL: [&str; 6] = ["time", "open", "high", "low", "close", "volume"];

/// What a column is called, the first choice first.
const TIME_NAMES: [&str; 12] = [
    "open_time_ms",
    "open_time",
    "opentime",
    "unix",
    "timestamp",
    "unix timestamp",
    "ts",
    "t",
    "start",
    "datetime",
    "date",
    "time",
];
const PRICE_NAMES: [(&str, [&str; 3]); 4] = [
    ("open", ["open", "o", "open_price"]),
    ("high", ["high", "h", "high_price"]),
    ("low", ["low", "l", "low_price"]),
    ("close", ["close", "c", "close_price"]),
];
const VOLUME_NAMES: [&str; 4] = ["volume", "vol", "v", "base_volume"];
/// The archive of Binance has no header before 2025: twelve columns, of which the first six are ours.
const BINANCE_COLUMNS: usize = 12;

/// The place of each of the six columns in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    places: [usize; 6],
    width: usize,
}

impl Layout {
    pub(super) fn pick<'a>(&self, cells: &'a [String]) -> Result<[&'a str; 6], Fault> {
        if cells.len() != self.width {
            return Err(Fault::FieldCount { found: cells.len(), expected: self.width });
        }
        Ok(self.places.map(|place| cells.get(place).map_or("", String::as_str)))
    }

    const fn in_order(width: usize) -> Self {
        Self { places: [0, 1, 2, 3, 4, 5], width }
    }
}

/// Finds the layout; a first line that is no header is handed back.
pub(super) fn find(
    name: &str,
    cells: &mut Cells,
    options: &Options,
) -> Result<(Layout, Option<Line>), FileError> {
    let whole = |fault| FileError::whole(name, fault);
    if let Some(header) = cells.header() {
        return Ok((of_header(&header, options).map_err(whole)?, None));
    }
    let Some(mut first) = cells.next(name)? else {
        return Err(whole(Fault::Empty { header: USUAL.join(",") }));
    };
    // Some put their address above the table.
    if first.cells.len() == 1 {
        first = cells.next(name)?.ok_or_else(|| whole(Fault::NoRow))?;
    }
    let at = |fault| FileError::at(name, first.number, fault);
    let has_header = !first.cells.iter().any(|cell| is_number(cell));
    if !options.columns.is_empty() {
        let layout = named(&options.columns).map_err(whole)?;
        return Ok((layout, (!has_header).then_some(first)));
    }
    if has_header {
        return Ok((of_header(&first.cells, options).map_err(at)?, None));
    }
    if first.cells.len() == BINANCE_COLUMNS {
        return Ok((Layout::in_order(BINANCE_COLUMNS), Some(first)));
    }
    let value = shown(first.cells.join(",").as_bytes());
    Err(at(Fault::NoHeader { value }))
}

fn is_number(cell: &str) -> bool {
    let mut letters = cell.bytes().filter(|byte| !matches!(byte, b'-' | b'+' | b'.'));
    letters.next().is_some_and(|byte| byte.is_ascii_digit())
}

fn of_header(header: &[String], options: &Options) -> Result<Layout, Fault> {
    let names: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
    let mut places = [0; 6];
    let mut wanted = places.iter_mut();
    let mut set = |place: usize| {
        if let Some(slot) = wanted.next() {
            *slot = place;
        }
    };
    set(first_of("time", &TIME_NAMES, &names)?);
    for (what, choices) in PRICE_NAMES {
        set(first_of(what, &choices, &names)?);
    }
    set(volume(&names, options)?);
    Ok(Layout { places, width: header.len() })
}

fn first_of(wanted: &'static str, choices: &[&str], names: &[String]) -> Result<usize, Fault> {
    for choice in choices {
        let mut places = names.iter().enumerate().filter(|(_, name)| name == choice);
        if let Some((place, _)) = places.next() {
            return match places.next() {
                None => Ok(place),
                Some(_) => {
                    Err(Fault::SeveralColumns { wanted, found: format!("two columns `{choice}`") })
                }
            };
        }
    }
    Err(Fault::NoColumn { wanted, found: found(names) })
}

/// `Volume BTC` beside `Volume USDT` is the one for BTC/USDT.
fn volume(names: &[String], options: &Options) -> Result<usize, Fault> {
    if let Ok(place) = first_of("volume", &VOLUME_NAMES, names) {
        return Ok(place);
    }
    let of_base = options.symbol.map(|symbol| symbol.base.as_str().to_lowercase());
    let volumes = names.iter().enumerate().filter_map(|(place, name)| {
        let asset = name.strip_prefix("volume").map(|rest| rest.trim_matches([' ', '_', '(', ')']));
        asset.map(|asset| (place, asset))
    });
    let volumes: Vec<(usize, &str)> = volumes.collect();
    let fitting = volumes.iter().find(|(_, asset)| Some(*asset) == of_base.as_deref());
    match (fitting, volumes.as_slice()) {
        (Some((place, _)), _) | (None, [(place, _)]) => Ok(*place),
        (None, []) => Err(Fault::NoColumn { wanted: "volume", found: found(names) }),
        (None, _) => Err(Fault::SeveralColumns { wanted: "volume", found: found(names) }),
    }
}

/// The columns as a user names them, in order.
fn named(columns: &[String]) -> Result<Layout, Fault> {
    let names: Vec<String> = columns.iter().map(|name| name.trim().to_lowercase()).collect();
    let mut places = [0; 6];
    for (slot, wanted) in places.iter_mut().zip(USUAL) {
        *slot = first_of(wanted, &[wanted], &names)?;
    }
    Ok(Layout { places, width: names.len() })
}

fn found(names: &[String]) -> String {
    shown(names.join(", ").as_bytes())
}
