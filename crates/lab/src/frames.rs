//! Recorded lines of an exchange's stream: `<nanoseconds since 1970> <text>`, in `.txt` or
//! `.txt.zst` files. What the text means is the reader's business.

use std::{path::Path, str};

use tranche_model::time::Timestamp;

use crate::{
    bytes,
    candles::{TIME_MS_MAX, TIME_MS_MIN},
    fault::{Fault, FileError, shown},
    source::Source,
};

const NANOSECONDS_PER_MS: i64 = 1_000_000;

/// The lines of a file, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameFile {
    pub source: Source,
    pub lines: Vec<Line>,
}

/// A line as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    pub at: Timestamp,
    pub text: String,
}

/// Reads a `.txt` or `.txt.zst` file.
pub fn read(path: &Path) -> Result<FrameFile, FileError> {
    parse(&bytes::name(path), &bytes::read_text(path)?)
}

/// Reads the text of a file; `name` is what errors and the source call it.
pub fn parse(name: &str, text: &[u8]) -> Result<FrameFile, FileError> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let line = line(number, bytes).map_err(|fault| FileError::at(name, number, fault))?;
        if let Some(before) = lines.last().filter(|before| line.at < before.at) {
            let (before, value) = (before.at.ms(), line.at.ms());
            let fault = Fault::TimeUnsorted { field: "time", before, value };
            return Err(FileError::at(name, number, fault));
        }
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(FileError::whole(name, Fault::NoLine));
    }
    Ok(FrameFile { source: Source::Recorded { file: name.to_owned() }, lines })
}

fn line(number: u64, bytes: &[u8]) -> Result<Line, Fault> {
    let refused = || Fault::NotAFrame { value: shown(bytes) };
    let whole = str::from_utf8(bytes).map_err(|_| refused())?.trim();
    let (time, text) = whole.split_once(' ').ok_or_else(refused)?;
    let time: i64 = time.parse().map_err(|_| refused())?;
    let value = time / NANOSECONDS_PER_MS;
    if !(TIME_MS_MIN..TIME_MS_MAX).contains(&value) {
        let (min, max) = (TIME_MS_MIN, TIME_MS_MAX);
        return Err(Fault::TimeOutOfRange { field: "time", min, max, value });
    }
    Ok(Line { number, at: Timestamp::from_ms(value), text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_time_and_text() {
        let text = b"1723161253937085768 {\"a\": 1}\n\n1723161253937085769 {\"b\": 2}\r\n";

        let file = parse("x.txt", text).unwrap();

        let at = Timestamp::from_ms(1_723_161_253_937);
        let line = |number, text: &str| Line { number, at, text: text.to_owned() };
        assert_eq!(file.lines, [line(1, "{\"a\": 1}"), line(3, "{\"b\": 2}")]);
    }

    #[test]
    fn what_is_no_line_is_refused_with_its_number() {
        let fault = |text: &[u8]| parse("x.txt", text).unwrap_err().to_string();

        assert!(fault(b"").contains("x.txt: the file has no line"));
        assert!(fault(b"1723161253937085768 {}\nhello\n").contains("x.txt, line 2: "));
        assert!(fault(b"1723161253 {}\n").contains("between"), "seconds are not nanoseconds");
        let back = b"1723161253937085768 {}\n1723161252937085768 {}\n";
        assert!(fault(back).contains("line 2: time: must be after the line before"));
        assert!(fault(b"\xff\xfe {}\n").contains("line 1"));
    }
}
