//! Connections to a PostgreSQL server.
//!
//! A server may fall silent without a word: it lost its power, or something between forgot the line. Each
//! question ends therefore by our own clock, and a connection goes back to its pool only when everything
//! that was asked on it was answered and no transaction is open on it. Any other is closed: the next user
//! would go on inside somebody else's question, or the pool would wait without end for an answer.

use std::{io, time::Duration};

use sqlx::{
    Postgres,
    pool::PoolConnection,
    postgres::{PgArguments, PgPool, PgRow},
    query::Query,
    raw_sql,
};
use tokio::time::{error::Elapsed, timeout};

use crate::tasks;

type PgQuery = Query<'static, Postgres, PgArguments>;

/// Connections to one server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pool: PgPool,
    /// How long an answer is waited for.
    within: Duration,
}

/// A transaction. Dropped, it is rolled back.
#[derive(Debug)]
pub(crate) struct ServerTx(Line);

/// A connection that the pool lent.
#[derive(Debug)]
struct Line {
    connection: PoolConnection<Postgres>,
    within: Duration,
    /// Everything that was asked on it was answered.
    is_answered: bool,
    in_transaction: bool,
}

/// How long a connection may take to say that it is alive, when it goes back.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// How long the end of all connections may take: over TLS each waits for the server's last word.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

impl Server {
    pub(crate) const fn new(pool: PgPool, within: Duration) -> Self {
        Self { pool, within }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn begin(&self) -> Result<ServerTx, sqlx::Error> {
        let mut line = self.line().await?;
        line.in_transaction = true;
        line.say("BEGIN").await?;
        Ok(ServerTx(line))
    }

    pub(super) async fn run(&self, query: PgQuery) -> Result<u64, sqlx::Error> {
        self.line().await?.run(query).await
    }

    pub(super) async fn rows(&self, query: PgQuery) -> Result<Vec<PgRow>, sqlx::Error> {
        self.line().await?.rows(query).await
    }

    pub(super) async fn close(&self) {
        if timeout(CLOSE_WITHIN, self.pool.close()).await.is_err() {
            tracing::warn!("the database server did not say goodbye");
        }
    }

    async fn line(&self) -> Result<Line, sqlx::Error> {
        let connection = self.pool.acquire().await?;
        Ok(Line { connection, within: self.within, is_answered: true, in_transaction: false })
    }
}

impl ServerTx {
    pub(super) async fn run(&mut self, query: PgQuery) -> Result<u64, sqlx::Error> {
        self.0.run(query).await
    }

    pub(super) async fn rows(&mut self, query: PgQuery) -> Result<Vec<PgRow>, sqlx::Error> {
        self.0.rows(query).await
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.0.say("COMMIT").await?;
        self.0.in_transaction = false;
        Ok(())
    }
}

impl Line {
    async fn say(&mut self, word: &'static str) -> Result<(), sqlx::Error> {
        self.is_answered = false;
        let told = timeout(self.within, raw_sql(word).execute(&mut *self.connection)).await;
        self.hear(told).map(drop)
    }

    async fn run(&mut self, query: PgQuery) -> Result<u64, sqlx::Error> {
        self.is_answered = false;
        let told = timeout(self.within, query.execute(&mut *self.connection)).await;
        self.hear(told).map(|done| done.rows_affected())
    }

    async fn rows(&mut self, query: PgQuery) -> Result<Vec<PgRow>, sqlx::Error> {
        self.is_answered = false;
        let told = timeout(self.within, query.fetch_all(&mut *self.connection)).await;
        self.hear(told)
    }

    /// Takes an answer down; what the server refuses is one.
    fn hear<T>(&mut self, told: Result<Result<T, sqlx::Error>, Elapsed>) -> Result<T, sqlx::Error> {
        let silent =
            || io::Error::new(io::ErrorKind::TimedOut, "the server gave no answer in time");
        let told = told.unwrap_or_else(|_| Err(silent().into()));
        self.is_answered = match &told {
            Ok(_) => true,
            Err(error) => error.as_database_error().is_some(),
        };
        told
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.is_answered || self.in_transaction {
            self.connection.close_on_drop();
            return;
        }
        // The pool asks first whether it is alive.
        let back = self.connection.return_to_pool();
        tasks::spawn(async move { drop(timeout(BACK_WITHIN, back).await) });
    }
}
