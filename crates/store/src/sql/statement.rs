//! A text of SQL with its values. Only constant texts of this crate get here: values are bound.

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::value::Value;

/// A statement that is ready to run.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(super) text: SqlStr,
    pub(super) values: Vec<Value>,
}

/// Rows of one insert. Few sizes, so that a connection keeps few prepared statements.
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

/// Inserts for all `rows`; `into` names the table and its columns.
pub(crate) fn insert<const N: usize>(
    into: &'static str,
    rows: Vec<[Value; N]>,
) -> impl Iterator<Item = Statement> + Send {
    insert_with(into, rows, "")
}

/// The same with what to do about rows that are there.
pub(crate) fn insert_with<const N: usize>(
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

/// Slices of the few sizes.
pub(crate) fn in_chunks<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| *size <= rest.len())?;
        let (chunk, after) = rest.split_at_checked(size)?;
        rest = after;
        Some(chunk)
    })
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

        let statements: Vec<Statement> = insert("t (a)", rows).collect();

        let sizes: Vec<usize> = statements.iter().map(|statement| statement.values.len()).collect();
        assert_eq!(sizes, [64, 8, 1, 1, 1]);
        assert_eq!(statements[4].values, [Value::Int(Some(74))]);
    }
}
