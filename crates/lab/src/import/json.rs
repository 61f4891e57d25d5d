//! `[[time, open, high, low, close, volume], …]`, as freqtrade writes it, row by row.

use std::io::Read as _;

use serde_json::value::RawValue;

use super::{Line, pack::Reader};
use crate::fault::{Fault, FileError, shown};

const ROW_MAX: usize = 4096;

pub(super) struct Lines {
    reader: Reader,
    line: u64,
    is_open: bool,
    is_over: bool,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("line", &self.line).finish_non_exhaustive()
    }
}

impl Lines {
    pub(super) const fn new(reader: Reader) -> Self {
        Self { reader, line: 1, is_open: false, is_over: false }
    }

    pub(super) fn next(&mut self, name: &str) -> Result<Option<Line>, FileError> {
        let row = self.row().map_err(|fault| FileError::at(name, self.line, fault))?;
        let number = self.line;
        row.map(|text| cells(&text).map(|cells| Line { number, cells }))
            .transpose()
            .map_err(|fault| FileError::at(name, number, fault))
    }

    /// The text of the next inner list.
    fn row(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let mut row = Vec::new();
        while let Some(byte) = self.byte()? {
            if byte == b'\n' {
                self.line += 1;
            }
            match (byte, row.is_empty()) {
                (b'[', true) if !self.is_open => self.is_open = true,
                (b'[', true) if !self.is_over => row.push(byte),
                (b']', true) if self.is_open && !self.is_over => self.is_over = true,
                (b']', false) => {
                    row.push(byte);
                    return Ok(Some(row));
                }
                (_, false) if row.len() < ROW_MAX => row.push(byte),
                (_, false) => return Err(Fault::LineTooLong { bytes_max: ROW_MAX }),
                (b' ' | b'\t' | b'\r' | b'\n', true) => {}
                (b',', true) if self.is_open && !self.is_over => {}
                (_, true) => return Err(not_a_list(&[byte])),
            }
        }
        if self.is_over && row.is_empty() {
            return Ok(None);
        }
        let text = "the list has no end".to_owned();
        Err(Fault::DamagedKind { kind: "JSON", text })
    }

    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(u8::from_le_bytes(byte))),
            Err(error) => Err(Fault::Unreadable(error.to_string())),
        }
    }
}

fn not_a_list(text: &[u8]) -> Fault {
    let text =
        format!("lists of [time, open, high, low, close, volume] are read, not `{}`", shown(text));
    Fault::DamagedKind { kind: "JSON", text }
}

/// Numbers keep their digits: they are taken as they stand in the text.
fn cells(text: &[u8]) -> Result<Vec<String>, Fault> {
    let row: Vec<&RawValue> = serde_json::from_slice(text).map_err(|_| not_a_list(text))?;
    Ok(row.iter().map(|cell| cell.get().trim_matches('"').to_owned()).collect())
}
