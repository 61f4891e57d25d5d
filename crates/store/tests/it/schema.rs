//! Both databases show the same tables and columns.

use crate::bench::Bench;

/// Journal and intents of a file are views of rows with a number; what finds the rows is the file's own.
const SQLITE: &str = "SELECT replace(tables.name, '_rows', '') || '.' || columns.name || ' ' || \
    CASE columns.type WHEN 'INTEGER' THEN 'number' WHEN 'BLOB' THEN 'bytes' ELSE 'text' END \
    || ' ' || CASE WHEN columns.\"notnull\" = 1 OR columns.pk > 0 THEN 'always' ELSE 'perhaps' END \
    FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns \
    WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%' \
    AND tables.name NOT IN ('_sqlx_migrations', 'journal_index', 'intents_index', 'indexed') \
    AND columns.name <> 'row'";
/// The columns of what shows rows, and of the rows themselves.
const SHOWN: [[&str; 2]; 2] = [["journal", "journal_rows"], ["intents", "intents_rows"]];
const POSTGRES: &str = "SELECT table_name || '.' || column_name || ' ' || \
    CASE data_type WHEN 'bigint' THEN 'number' WHEN 'bytea' THEN 'bytes' ELSE 'text' END \
    || ' ' || CASE is_nullable WHEN 'NO' THEN 'always' ELSE 'perhaps' END \
    FROM information_schema.columns \
    WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";
/// Columns of money: the only ones whose types differ.
const MONEY: &str = "SELECT column_name::text FROM information_schema.columns \
    WHERE table_schema = 'public' AND data_type = 'numeric' ORDER BY 1";

#[tokio::test]
async fn databases_have_the_same_columns() {
    let (lite, server) = (Bench::sqlite("schema"), Bench::postgres());
    lite.open().await.close().await;
    server.open().await.close().await;

    let mut on_sqlite = lite.raw().await.texts(SQLITE).await;
    let mut on_postgres = server.raw().await.texts(POSTGRES).await;

    on_sqlite.sort();
    on_postgres.sort();
    assert!(100 < on_sqlite.len(), "{}", on_sqlite.len());
    assert_eq!(on_sqlite, on_postgres);
    let mut money = server.raw().await.texts(MONEY).await;
    money.dedup();
    let expected = [
        "amount",
        "bought",
        "fee",
        "fee_in_quote",
        "fees",
        "free",
        "locked",
        "price",
        "profit",
        "qty",
        "quote",
    ];
    assert_eq!(money, expected);
}

#[tokio::test]
async fn views_of_the_file_show_whole_rows() {
    let lite = Bench::sqlite("views");
    lite.open().await.close().await;
    let raw = lite.raw().await;

    for pair in SHOWN {
        let [view, rows] = pair.map(|name| {
            format!("SELECT name FROM pragma_table_info('{name}') WHERE name <> 'row' ORDER BY cid")
        });
        assert_eq!(raw.texts(&view).await, raw.texts(&rows).await, "{pair:?}");
        assert!(!raw.texts(&view).await.is_empty());
    }
}

#[tokio::test]
async fn every_table_of_the_file_is_strict() {
    let lite = Bench::sqlite("strict");
    lite.open().await.close().await;

    let loose = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
        AND strict = 0 AND name NOT LIKE 'sqlite%' AND name <> '_sqlx_migrations'";

    assert_eq!(lite.raw().await.texts(loose).await, Vec::<String>::new());
}
