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
/// The same from above, for inserts: a row must not be there twice.
const CHUNKS: [usize; 3] = [64, 8, 1];

impl Statement {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.into_sql_str(), values: Vec::new() }
    }

    /// A text that this crate put together from its own constants.
    pub(crate) fn composed(text: String) -> Self {
        Self { text: AssertSqlSafe(text).into_sql_str(), values: Vec::new() }
    }

    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// Inserts for all `rows` by values, in chunks; `into` names the table and its columns.
pub(super) fn by_values<const N: usize>(
    into: &'static str,
    rows: Vec<[Value; N]>,
    conflict: &'static str,
) -> impl Iterator<Item = Statement> + Send {
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| *size <= rows.len())?;
        let places = places(size, N);
        let text = format!("INSERT INTO {into} VALUES {places} {conflict}");
        let mut statement = Statement::composed(text);
        statement.values.extend(rows.by_ref().take(size).flatten());
        Some(statement)
    })
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
    fn every_row_is_in_one_of_few_shapes() {
        let rows: Vec<[Value; 1]> = (0..75_i64).map(|row| [row.into()]).collect();

        let statements: Vec<Statement> = by_values("t (a)", rows, "").collect();

        let sizes: Vec<usize> = statements.iter().map(|statement| statement.values.len()).collect();
        assert_eq!(sizes, [64, 8, 1, 1, 1]);
        assert_eq!(statements[4].values, [Value::Int(Some(74))]);
    }

    #[test]
    fn lists_have_few_sizes() {
        assert_eq!(padded(&[1, 2]), [1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(padded(&[1]), [1]);
        let sizes: Vec<usize> = in_lists(&[0; 300]).map(|list| padded(list).len()).collect();
        assert_eq!(sizes, [256, 64]);
    }
}
