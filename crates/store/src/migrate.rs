//! The steps that bring a database to the schema of this version: two folders, the same numbers.

use sqlx::{
    SqlSafeStr as _, SqlStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use crate::{
    error::{OpenError, StoreError},
    sql::{Pool, Statement},
};

/// Number, name, and the text for SQLite and for PostgreSQL.
type Step = (i64, &'static str, &'static str, &'static str);

const STEPS: [Step; 4] = [
    (
        1,
        "ground",
        include_str!("../migrations/sqlite/0001_ground.sql"),
        include_str!("../migrations/postgres/0001_ground.sql"),
    ),
    (
        2,
        "released",
        include_str!("../migrations/sqlite/0002_released.sql"),
        include_str!("../migrations/postgres/0002_released.sql"),
    ),
    (
        3,
        "append",
        include_str!("../migrations/sqlite/0003_append.sql"),
        include_str!("../migrations/postgres/0003_append.sql"),
    ),
    (
        4,
        "rights",
        include_str!("../migrations/sqlite/0004_rights.sql"),
        include_str!("../migrations/postgres/0004_rights.sql"),
    ),
];

/// The number of the last step that this version knows.
pub(crate) const KNOWN: i64 = 4;

/// Brings the database to this version; refuses one that is newer.
pub(crate) async fn upgrade(pool: &Pool) -> Result<(), OpenError> {
    let outcome = match pool {
        Pool::Sqlite(pool) => steps(|(_, _, sqlite, _)| sqlite.into_sql_str()).run(pool).await,
        Pool::Postgres(server) => {
            steps(|(_, _, _, postgres)| postgres.into_sql_str()).run(server.pool()).await
        }
    };
    match outcome {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => Err(OpenError::Newer { found, known: KNOWN }),
        Err(MigrateError::VersionMismatch(step)) => Err(OpenError::Foreign(step)),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(error.into())
        }
        Err(error) => Err(OpenError::Failed(error.to_string())),
    }
}

/// Refuses a database that is not at the schema of this version, and changes nothing.
pub(crate) async fn check(pool: &Pool) -> Result<(), OpenError> {
    let found = applied(pool).await.map_err(|_| OpenError::NotReady)?;
    match found {
        Some(KNOWN) => Ok(()),
        Some(found) if KNOWN < found => Err(OpenError::Newer { found, known: KNOWN }),
        Some(found) => Err(OpenError::Older { found, known: KNOWN }),
        None => Err(OpenError::NotReady),
    }
}

/// The last step that was applied.
async fn applied(pool: &Pool) -> Result<Option<i64>, StoreError> {
    let statement = Statement::new("SELECT MAX(version) FROM _sqlx_migrations");
    match pool.row("schema steps", statement).await? {
        Some(mut cells) => cells.int_or_null(),
        None => Ok(None),
    }
}

fn steps(text: impl Fn(Step) -> SqlStr) -> Migrator {
    let migrations = STEPS.into_iter().map(|step| {
        Migration::new(step.0, step.1.into(), MigrationType::Simple, text(step), false)
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_through() {
        let numbers: Vec<i64> = STEPS.iter().map(|(number, ..)| *number).collect();

        assert_eq!(numbers, (1..=KNOWN).collect::<Vec<_>>());
    }
}
