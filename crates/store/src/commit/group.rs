//! One transaction for many accounts, each part guarded by where its account stands.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;
use tranche_model::{
    ids::{AccountId, Epoch, Seq},
    record::Batch,
};

use super::rows;
use crate::{
    error::StoreError,
    leases::bind_all,
    settings::Versions,
    sql::{Move, Pool, Statement, Tx, in_lists, padded, places},
};

type Answers = Vec<Result<(), StoreError>>;

/// Beyond this nobody knows what became of a transaction: a load tells.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where an account stands, and where this transaction brings it.
struct Standing {
    epoch: Epoch,
    before: Seq,
    now: Seq,
}

/// Why a transaction had no result.
enum Fault {
    /// The database refused a row, and took back the whole.
    Row(StoreError),
    Other(StoreError),
}

/// Commits what can be committed, and answers for each batch.
pub(super) async fn commit(pool: &Pool, versions: Versions, batches: &[&Batch]) -> Answers {
    match attempt(pool, versions, batches).await {
        Ok(answers) => answers,
        // One account's row must not cost the others their commit: each stands alone.
        Err(Fault::Row(error)) if 1 < batches.len() => {
            tracing::error!(%error, "a row was refused, the batches are committed one by one");
            one_by_one(pool, versions, batches).await
        }
        Err(Fault::Row(error) | Fault::Other(error)) => vec![Err(error); batches.len()],
    }
}

async fn one_by_one(pool: &Pool, versions: Versions, batches: &[&Batch]) -> Answers {
    let mut answers = Vec::with_capacity(batches.len());
    for batch in batches {
        let answer = match attempt(pool, versions, &[batch]).await {
            Ok(answers) => answers.into_iter().next().unwrap_or(Err(StoreError::Stale)),
            Err(Fault::Row(error) | Fault::Other(error)) => Err(error),
        };
        answers.push(answer);
    }
    answers
}

async fn attempt(pool: &Pool, versions: Versions, batches: &[&Batch]) -> Result<Answers, Fault> {
    match timeout(PATIENCE, transact(pool, versions, batches)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Fault::Other(StoreError::Failed("no answer in time".to_owned()))),
    }
}

async fn transact(pool: &Pool, versions: Versions, batches: &[&Batch]) -> Result<Answers, Fault> {
    if let Some(standings) = expected(batches) {
        match write_expected(pool, &standings, batches, versions).await {
            Ok(true) => return Ok(vec![Ok(()); batches.len()]),
            // Somebody stands elsewhere, or brings a row that is refused: each is looked at.
            Ok(false) | Err(Fault::Row(_)) => {}
            Err(Fault::Other(error)) => return Err(Fault::Other(error)),
        }
    }
    let mut tx = pool.begin().await.map_err(other)?;
    let mut standings = standings(&mut tx, batches).await.map_err(Fault::Other)?;
    let mut accepted = Vec::with_capacity(batches.len());
    let mut answers = Vec::with_capacity(batches.len());
    for batch in batches {
        let answer = judge(&mut standings, batch);
        if answer.is_ok() {
            accepted.push(*batch);
        }
        answers.push(answer);
    }
    standings.retain(|account, _| accepted.iter().any(|batch| batch.account == *account));
    if accepted.is_empty() || write(tx, &standings, &accepted, versions).await? {
        return Ok(answers);
    }
    let what = "an account moved while its row was locked".to_owned();
    Err(Fault::Other(StoreError::Failed(what)))
}

/// Where the accounts stand when every batch finds its account where it begins: the usual case, in which
/// nobody needs to ask first.
fn expected(batches: &[&Batch]) -> Option<BTreeMap<AccountId, Standing>> {
    let mut standings = BTreeMap::new();
    for batch in batches {
        let (epoch, before) = (batch.epoch, batch.seq_before);
        standings.entry(batch.account).or_insert(Standing { epoch, before, now: before });
        judge(&mut standings, batch).ok()?;
    }
    Some(standings)
}

/// Writes the batches and commits, if all the accounts stand where they are expected to: in one statement
/// where that is enough, because a transaction around it costs two more walks to the server.
async fn write_expected(
    pool: &Pool,
    standings: &BTreeMap<AccountId, Standing>,
    batches: &[&Batch],
    versions: Versions,
) -> Result<bool, Fault> {
    let moves = moves(standings);
    let alone = rows::write_alone(pool, &moves, batches, versions).await.map_err(refused)?;
    if let Some(count) = alone {
        return Ok(usize::try_from(count) == Ok(moves.len()));
    }
    let tx = pool.begin().await.map_err(other)?;
    write(tx, standings, batches, versions).await
}

/// Writes the batches and commits, if all the accounts stand where they are said to.
async fn write(
    mut tx: Tx,
    standings: &BTreeMap<AccountId, Standing>,
    batches: &[&Batch],
    versions: Versions,
) -> Result<bool, Fault> {
    let moves = moves(standings);
    let count = rows::write(&mut tx, &moves, batches, versions).await.map_err(refused)?;
    if usize::try_from(count) != Ok(moves.len()) {
        return Ok(false);
    }
    tx.commit().await.map_err(other)?;
    Ok(true)
}

fn moves(standings: &BTreeMap<AccountId, Standing>) -> Vec<Move> {
    let moves = standings.iter().map(|(account, Standing { epoch, before, now })| Move {
        account: *account,
        epoch: *epoch,
        before: *before,
        now: *now,
    });
    moves.collect()
}

/// Where the accounts stand. Their rows stay locked, in one order for all, so that nobody waits in a
/// circle.
async fn standings(
    tx: &mut Tx,
    batches: &[&Batch],
) -> Result<BTreeMap<AccountId, Standing>, StoreError> {
    let mut accounts: Vec<AccountId> = batches.iter().map(|batch| batch.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let mut standings = BTreeMap::new();
    let lock = if tx.is_postgres() { "FOR UPDATE" } else { "" };
    for list in in_lists(&accounts) {
        let list = padded(list);
        let text = format!(
            "SELECT account, epoch, seq FROM accounts WHERE account IN {} ORDER BY account {lock}",
            places(1, list.len())
        );
        let statement = bind_all(Statement::composed(text), &list);
        for mut row in tx.rows("accounts", statement).await? {
            let account = row.id().map(AccountId::new)?;
            let (epoch, seq) = (row.id().map(Epoch::new)?, row.seq()?);
            standings.insert(account, Standing { epoch, before: seq, now: seq });
        }
    }
    Ok(standings)
}

/// Lets a batch in when its account stands where the batch begins, and moves the account on.
fn judge(standings: &mut BTreeMap<AccountId, Standing>, batch: &Batch) -> Result<(), StoreError> {
    let standing = standings.get_mut(&batch.account);
    let standing = standing.ok_or(StoreError::NoAccount(batch.account))?;
    if (standing.epoch, standing.now) != (batch.epoch, batch.seq_before) {
        return Err(StoreError::Stale);
    }
    if !batch.is_whole() {
        let what = format!("the journal of account {} has a gap", batch.account);
        return Err(StoreError::Failed(what));
    }
    standing.now = batch.seq;
    Ok(())
}

fn other(error: sqlx::Error) -> Fault {
    Fault::Other(error.into())
}

/// A refusal that is about a row: a constraint, a trigger or a type.
fn refused(error: sqlx::Error) -> Fault {
    use sqlx::error::ErrorKind;
    let kind = error.as_database_error().map(sqlx::error::DatabaseError::kind);
    match kind {
        Some(
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::NotNullViolation
            | ErrorKind::CheckViolation
            | ErrorKind::ExclusionViolation,
        ) => Fault::Row(error.into()),
        Some(_) | None => Fault::Other(error.into()),
    }
}
