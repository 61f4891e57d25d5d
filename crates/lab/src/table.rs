//! Comma separated lines under a header whose columns may stand in any order.

use crate::fault::{Fault, FileError, shown};

/// The columns of a kind of file. The last `optional` of them may be absent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout<const N: usize> {
    pub(crate) names: [&'static str; N],
    pub(crate) optional: usize,
}

/// The lines of a file after its header.
#[derive(Debug)]
pub(crate) struct Table<'a, const N: usize> {
    file: &'a str,
    rest: &'a [u8],
    /// The number of the line that was read last.
    line: u64,
    /// For each place in a line, its column in the layout.
    places: Vec<usize>,
}

/// The fields of one line, in the order of the layout; an absent column is empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a, const N: usize> {
    pub(crate) line: u64,
    pub(crate) fields: [&'a [u8]; N],
}

impl<'a, const N: usize> Table<'a, N> {
    /// Reads the header.
    pub(crate) fn open(
        file: &'a str,
        bytes: &'a [u8],
        layout: Layout<N>,
    ) -> Result<Self, FileError> {
        // Spreadsheets put a byte order mark in front.
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let (header, rest) = next_line(bytes);
        if bytes.is_empty() {
            return Err(FileError::whole(file, Fault::Empty { header: layout.header() }));
        }
        let places = layout.places(header).map_err(|fault| FileError::at(file, 1, fault))?;
        Ok(Self { file, rest, line: 1, places })
    }

    fn fields(&self, text: &'a [u8]) -> Result<[&'a [u8]; N], Fault> {
        let mut fields: [&[u8]; N] = [&[]; N];
        let mut parts = text.split(|&byte| byte == b',');
        let mut found = 0;
        for (&place, part) in self.places.iter().zip(&mut parts) {
            found += 1;
            if let Some(field) = fields.get_mut(place) {
                *field = part;
            }
        }
        found += parts.count();
        if found == self.places.len() {
            return Ok(fields);
        }
        Err(Fault::FieldCount { found, expected: self.places.len() })
    }
}

impl<'a, const N: usize> Iterator for Table<'a, N> {
    type Item = Result<Row<'a, N>, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (text, rest) = next_line(self.rest);
        self.rest = rest;
        self.line += 1;
        let fields = self.fields(text).map_err(|fault| FileError::at(self.file, self.line, fault));
        Some(fields.map(|fields| Row { line: self.line, fields }))
    }
}

impl<const N: usize> Layout<N> {
    fn places(&self, header: &[u8]) -> Result<Vec<usize>, Fault> {
        let mut places = Vec::with_capacity(N);
        for column in header.split(|&byte| byte == b',') {
            let place = self.names.iter().position(|name| name.as_bytes() == column);
            let place = place.ok_or_else(|| Fault::UnknownColumn {
                column: shown(column),
                header: self.header(),
            })?;
            if places.contains(&place) {
                let column = self.names.get(place).copied().unwrap_or_default();
                return Err(Fault::RepeatedColumn { column });
            }
            places.push(place);
        }
        let required = self.names.iter().take(N.saturating_sub(self.optional));
        match required.enumerate().find(|(place, _)| !places.contains(place)) {
            Some((_, column)) => Err(Fault::MissingColumn { column, header: self.header() }),
            None => Ok(places),
        }
    }

    fn header(&self) -> String {
        self.names.join(",")
    }
}

/// The first line without its end, and what follows.
fn next_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
}
