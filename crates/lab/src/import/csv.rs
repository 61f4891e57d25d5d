//! Lines of text, cut at the mark that their first line uses.

use std::io::{BufRead as _, Read as _};

use super::{Line, pack::Reader};
use crate::fault::{Fault, FileError};

/// No candle is longer; what is, is no text.
const LINE_MAX: usize = 4096;

pub(super) struct Lines {
    reader: Reader,
    number: u64,
    mark: Option<char>,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Lines {
    pub(super) const fn new(reader: Reader) -> Self {
        Self { reader, number: 0, mark: None, buffer: Vec::new() }
    }

    pub(super) fn next(&mut self, name: &str) -> Result<Option<Line>, FileError> {
        loop {
            self.buffer.clear();
            self.number += 1;
            let number = self.number;
            let at = |fault| FileError::at(name, number, fault);
            let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
            let read = (&mut self.reader).take(most).read_until(b'\n', &mut self.buffer);
            let read = read.map_err(|error| at(Fault::Unreadable(error.to_string())))?;
            if read == 0 {
                return Ok(None);
            }
            if LINE_MAX <= read {
                return Err(at(Fault::LineTooLong { bytes_max: LINE_MAX }));
            }
            let has_end = self.buffer.last() == Some(&b'\n');
            let text = String::from_utf8_lossy(&self.buffer);
            let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
            if text.is_empty() {
                continue;
            }
            let mark = *self.mark.get_or_insert_with(|| mark_of(text));
            let cells = text.split(mark).map(|cell| cell.trim().trim_matches('"').to_owned());
            let cells: Vec<String> = cells.collect();
            if cells.len() == 1 {
                // A title above the table says nothing about its marks.
                self.mark = None;
            }
            if !has_end {
                // Its last number may have had more digits.
                return Err(at(Fault::CutLine));
            }
            return Ok(Some(Line { number, cells }));
        }
    }
}

fn mark_of(text: &str) -> char {
    [',', ';', '\t', '|'].into_iter().find(|mark| text.contains(*mark)).unwrap_or(',')
}
