//! A text of SQL with its values. Only constant texts of this crate get here: values are bound.

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::value::Value;

/// A statement that is ready to run.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(super) text: SqlStr,
    pub(super) values: Vec<Value>,
}

/// Sizes of lists and inserts. They are few, so that a connection keeps few prepared statements.
const SIZES: [usize; 4] = [1, 8, 64, LIST_MAX];
const LIST_MAX: usize = 256;
/// Sizes of inserts.
const ROWS: [usize; 6] = [1, 4, 16, 64, 128, ROWS_MAX];
const ROWS_MAX: usize = 256;

impl Statement {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.into_sql_str(), values: Vec::new() }
    }

    /// A text that this crate put together from its own constants.
    pub(crate) fn composed(text: String) -> Self {
        Self { text: AssertSqlSafe(text).into_sql_str(), values: Vec::new() }
    }

    /// The same with all its values.
    pub(super) fn with(text: String, values: Vec<Value>) -> Self {
        Self { values, ..Self::composed(text) }
    }

    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// Rows of `columns` values in lists of the few sizes. What is missing at the end is absent.
pub(super) fn sized(
    mut values: Vec<Value>,
    columns: usize,
) -> impl Iterator<Item = (usize, Vec<Value>)> + Send {
    std::iter::from_fn(move || {
        if values.is_empty() {
            return None;
        }
        let most = ROWS_MAX.saturating_mul(columns);
        let later = if most < values.len() { values.split_off(most) } else { Vec::new() };
        let mut list = std::mem::replace(&mut values, later);
        let rows = list.len().checked_div(columns)?;
        let size = ROWS.into_iter().find(|size| rows <= *size)?;
        list.resize(size.saturating_mul(columns), Value::Int(None));
        Some((size, list))
    })
}

/// `(?, ?), (?, ?)` for two rows of two. SQLite looks up a place with a name or a number by going through
/// all of them.
pub(super) fn rows_of(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row.as_str(); rows].join(", ")
}

/// Slices that fit into one list.
pub(crate) fn in_lists<T>(items: &[T]) -> std::slice::Chunks<'_, T> {
    items.chunks(LIST_MAX)
}

/// The next of the few sizes, and the items with the last one repeated up to it. Twice in a list is once.
pub(crate) fn padded<T: Clone>(items: &[T]) -> Vec<T> {
    let size = SIZES.into_iter().find(|size| items.len() <= *size).unwrap_or(items.len());
    let mut padded = items.to_vec();
    if let Some(last) = items.last() {
        padded.resize(size, last.clone());
    }
    padded
}

/// `($1, $2), ($3, $4)` for two rows of two.
pub(crate) fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let first = row.saturating_mul(columns);
        let cells: Vec<String> =
            (1..=columns).map(|column| format!("${}", first.saturating_add(column))).collect();
        format!("({})", cells.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_through() {
        assert_eq!(places(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }

    #[test]
    fn every_row_is_in_a_list_of_one_of_few_sizes() {
        let values: Vec<Value> = (0..600_i64).map(Value::from).collect();

        let lists: Vec<(usize, Vec<Value>)> = sized(values, 2).collect();

        let sizes: Vec<(usize, usize)> =
            lists.iter().map(|(rows, values)| (*rows, values.len())).collect();
        assert_eq!(sizes, [(256, 512), (64, 128)]);
        assert_eq!(lists[1].1[87], Value::Int(Some(599)));
        assert!(lists[1].1[88..].iter().all(|value| *value == Value::Int(None)));
        assert_eq!(sized(Vec::new(), 2).count(), 0);
        assert_eq!(rows_of(2, 3), "(?, ?, ?), (?, ?, ?)");
    }

    #[test]
    fn lists_have_few_sizes() {
        assert_eq!(padded(&[1, 2]), [1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(padded(&[1]), [1]);
        let sizes: Vec<usize> = in_lists(&[0; 300]).map(|list| padded(list).len()).collect();
        assert_eq!(sizes, [256, 64]);
    }
}
