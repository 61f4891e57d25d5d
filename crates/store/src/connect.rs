//! Connections with the settings that keep what was committed, and keep a stopped process from
//! holding the others up.

use std::{path::Path, time::Duration};

use sqlx::{
    Connection as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{
        SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};
use tokio::time::timeout;
use tranche_model::time::Millis;

use crate::{
    error::OpenError,
    log, private,
    settings::{Database, Role},
    sql::{Pool, Server},
};

/// How long a connection is waited for, and how long a writer of another process.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an idle connection is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);
/// How long one that was idle may take to say that it is alive.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);
/// A connection is used for so long: what the server keeps for it grows.
const OLD: Duration = Duration::from_mins(30);
/// The longest statement that writes. Retention works in small steps, so none is long.
const STATEMENT_MS: u32 = 10_000;
/// The longest that reads, for those who trade, and for those who verify: these look at whole tables.
const READ_MS: u32 = 10_000;
const VERIFY_MS: u32 = 600_000;
/// A transaction of ours must not end because this machine is busy for a moment.
const IDLE_MIN_MS: u32 = 500;
/// Readers of a SQLite file, and connections to a server beside the committer's.
const READERS: u32 = 4;

/// The connections of a store. SQLite has one writer, so that all writes stand in one line.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    pub(crate) write: Pool,
    pub(crate) read: Pool,
    /// Of an engine on SQLite: the connection that looks after the log.
    pub(crate) log: Option<Pool>,
}

pub(crate) async fn connect(
    database: &Database,
    role: Role,
    lease: Millis,
) -> Result<Connections, OpenError> {
    match database {
        Database::Sqlite(path) => sqlite(path, role).await,
        Database::Postgres(options) => postgres(options, role, lease).await,
    }
}

async fn sqlite(path: &Path, role: Role) -> Result<Connections, OpenError> {
    if role == Role::Engine {
        // SQLite would make it readable for all; what it puts beside it has the file's own mode. What is
        // wrong with the path it says itself.
        drop(private::options().create_new(true).open(path));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        // A commit is on the disk before it is answered, also when the machine loses its power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("trusted_schema", "OFF")
        .create_if_missing(role == Role::Engine);
    let options = match role {
        Role::Engine => options
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("wal_autocheckpoint", log::PAGES_MAX.to_string()),
        // Both stand in the file.
        Role::Client => options,
    };
    // On a full disk SQLite ends a transaction by itself, and the driver counts it as open for ever: such
    // a connection is replaced.
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }));
    let write = writer.connect_with(options.clone()).await?;
    let some = |count| SqlitePoolOptions::new().max_connections(count).acquire_timeout(PATIENCE);
    let log = (role == Role::Engine).then(|| some(1).connect_lazy_with(options.clone()));
    let read = some(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(Connections {
        write: Pool::Sqlite(write),
        read: Pool::Sqlite(read),
        log: log.map(Pool::Sqlite),
    })
}

async fn postgres(
    options: &PgConnectOptions,
    role: Role,
    lease: Millis,
) -> Result<Connections, OpenError> {
    // A process that was stopped inside a transaction loses it well before its leases end.
    let idle = (lease.ms() / 4).max(IDLE_MIN_MS);
    let limits = |statement| {
        [
            ("idle_in_transaction_session_timeout", idle),
            ("statement_timeout", statement),
            ("lock_timeout", (lease.ms() / 2).clamp(IDLE_MIN_MS * 2, STATEMENT_MS)),
        ]
    };
    let options = |statement| {
        let limits = limits(statement).map(|(name, ms)| (name, format!("{ms}ms")));
        let options = options.clone().application_name("tranche").options(limits);
        options.options([("synchronous_commit", "on")])
    };
    let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(PATIENCE);
    // Left to itself the pool closes what is idle or old, and waits without end for a server that is silent.
    let pool = pool.idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    // A connection that was used a moment ago is taken to be alive: asking it costs a walk to the server.
    let pool = pool.before_acquire(|connection, meta| {
        Box::pin(async move {
            if OLD < meta.age {
                return Ok(false);
            }
            if FRESH < meta.idle_for {
                let silent = |_| sqlx::Error::PoolTimedOut;
                timeout(ALIVE_WITHIN, connection.ping()).await.map_err(silent)??;
            }
            Ok(true)
        })
    });
    let write = pool.clone().connect_with(options(STATEMENT_MS)).await?;
    let reading = match role {
        Role::Engine => READ_MS,
        Role::Client => VERIFY_MS,
    };
    let read = pool.connect_lazy_with(options(reading));
    let server = |pool, statement: u32| {
        Pool::Postgres(Server::new(pool, PATIENCE + Duration::from_millis(statement.into())))
    };
    Ok(Connections { write: server(write, STATEMENT_MS), read: server(read, reading), log: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Statement;

    #[tokio::test]
    async fn connection_whose_transaction_ended_behind_the_drivers_back_is_replaced() {
        let path = std::env::temp_dir().join(format!("tranche-behind-{}.db", std::process::id()));
        let connections = sqlite(&path, Role::Engine).await.unwrap();
        for _ in 0..3 {
            let mut tx = connections.write.begin().await.unwrap();
            // As a full disk does at a commit.
            tx.run(Statement::new("ROLLBACK")).await.unwrap();
            drop(tx);
        }

        let mut tx = connections.write.begin().await.unwrap();
        tx.run(Statement::new("CREATE TABLE found (a INTEGER)")).await.unwrap();
        tx.commit().await.unwrap();

        let found = Statement::new("SELECT name FROM sqlite_schema WHERE name = 'found'");
        assert!(connections.read.row("schema", found).await.unwrap().is_some());
        for pool in [connections.write, connections.read] {
            pool.close().await;
        }
        std::fs::remove_file(&path).unwrap();
    }
}
