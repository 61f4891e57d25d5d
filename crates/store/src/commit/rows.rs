//! Writing the rows of batches, in few and wide inserts.

use std::collections::BTreeMap;

use tranche_model::{
    ids::{AccountId, BotId, Seq},
    record::{Batch, DealRow, FillRow, IntentRow, Snapshot, SnapshotRow, VerdictRow},
};

use crate::{
    settings::Versions,
    sql::{self, Insert, Move, Pool, Statement, Tx, Value, in_lists, padded, places},
    words,
};

const JOURNAL: Table = Table {
    sqlite: "journal_rows (account, seq, epoch, at, schema_version, rules_version, body)",
    postgres: "journal (account, seq, epoch, at, schema_version, rules_version, body)",
};
const SNAPSHOTS: &str = "snapshots (account, bot, seq, schema_version, rules_version, body)";
const SNAPSHOTS_REPLACE: &str = "ON CONFLICT (account, bot) DO UPDATE SET seq = excluded.seq, \
    schema_version = excluded.schema_version, rules_version = excluded.rules_version, \
    body = excluded.body";
const INTENTS: Table = Table {
    sqlite: "intents_rows (account, seq, place, client_id, instrument, side, kind, price, amount, \
        send_by, at)",
    postgres: "intents (account, seq, place, client_id, instrument, side, kind, price, amount, \
        send_by, at)",
};
const FILLS: &str = "fills (account, instrument, trade_id, seq, bot, deal, client_id, \
    venue_order_id, side, price, qty, quote, fee_asset, fee, fee_in_quote, liquidity, at)";
const DEALS: &str = "deals (account, bot, deal, seq, instrument, opened_at, closed_at, ended, \
    profit, fees, bought, safety_orders)";
const VERDICTS: &str = "verdicts (account, command, seq, accepted, reason)";
const FIRST_STAYS: &str = "ON CONFLICT DO NOTHING";

/// A table with its columns, by its name in each database.
struct Table {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Table {
    const fn of(&self, is_postgres: bool) -> &'static str {
        if is_postgres { self.postgres } else { self.sqlite }
    }
}

/// Moves the accounts on and writes everything that the batches hold; says how many accounts moved. When
/// these are not all, the transaction must not be committed. `moves` are sorted by account.
pub(super) async fn write(
    tx: &mut Tx,
    moves: &[Move],
    batches: &[&Batch],
    versions: Versions,
) -> Result<u64, sqlx::Error> {
    let (snapshots, gone) = snapshots(batches, versions);
    let inserts = inserts(snapshots, batches, versions, tx.is_postgres());
    let moved = sql::write(tx, moves, inserts).await?;
    for (account, bot) in gone {
        let gone = Statement::new("DELETE FROM snapshots WHERE account = $1 AND bot = $2");
        tx.run(gone.bind(account).bind(bot)).await?;
    }
    mark_answered(tx, batches).await?;
    Ok(moved)
}

/// The same as a transaction of its own, all or nothing; says how many accounts moved. `None` where it
/// takes more than one statement: then nothing was done.
pub(super) async fn write_alone(
    pool: &Pool,
    moves: &[Move],
    batches: &[&Batch],
    versions: Versions,
) -> Result<Option<u64>, sqlx::Error> {
    let has_answers = batches.iter().any(|batch| !batch.verdicts.is_empty());
    if has_answers || !pool.is_postgres() {
        return Ok(None);
    }
    let (snapshots, gone) = snapshots(batches, versions);
    if !gone.is_empty() {
        return Ok(None);
    }
    let inserts = inserts(snapshots, batches, versions, pool.is_postgres());
    sql::write_alone(pool, moves, inserts).await
}

fn inserts(
    snapshots: Insert,
    batches: &[&Batch],
    versions: Versions,
    is_postgres: bool,
) -> Vec<Insert> {
    let journal = batches.iter().flat_map(|batch| journal(batch, versions)).collect();
    let intents = batches.iter().flat_map(|batch| intents(batch)).collect();
    let fills = batches.iter().flat_map(|batch| fills(batch)).collect();
    let deals = batches.iter().flat_map(|batch| deals(batch)).collect();
    let verdicts = batches.iter().flat_map(|batch| verdicts(batch)).collect();
    vec![
        Insert::new(JOURNAL.of(is_postgres), journal),
        snapshots,
        Insert::new(INTENTS.of(is_postgres), intents),
        Insert::new(FILLS, fills).on_conflict(FIRST_STAYS),
        Insert::new(DEALS, deals).on_conflict(FIRST_STAYS),
        Insert::new(VERDICTS, verdicts).on_conflict(FIRST_STAYS),
    ]
}

fn journal(batch: &Batch, versions: Versions) -> impl Iterator<Item = [Value; 7]> {
    batch.journal.iter().map(move |row| {
        [
            batch.account.into(),
            row.seq.into(),
            batch.epoch.into(),
            row.at.into(),
            versions.schema.into(),
            versions.rules.into(),
            row.body.as_slice().into(),
        ]
    })
}

/// The last body of each, and the bots that are deleted: their last body is empty.
fn snapshots(batches: &[&Batch], versions: Versions) -> (Insert, Vec<(AccountId, BotId)>) {
    let mut last: BTreeMap<(AccountId, BotId), (Seq, &[u8])> = BTreeMap::new();
    for batch in batches {
        for SnapshotRow { bot, body } in &batch.snapshots {
            let key = (batch.account, bot.unwrap_or_default());
            last.insert(key, (batch.seq, body));
        }
    }
    let (gone, kept): (Vec<_>, Vec<_>) = last
        .into_iter()
        .partition(|((_, bot), (_, body))| *bot != BotId::default() && body.is_empty());
    let rows = kept.into_iter().map(|((account, bot), (seq, body))| {
        [
            account.into(),
            bot.into(),
            seq.into(),
            versions.schema.into(),
            versions.rules.into(),
            body.into(),
        ]
    });
    let kept = Insert::new(SNAPSHOTS, rows.collect()).on_conflict(SNAPSHOTS_REPLACE);
    (kept, gone.into_iter().map(|(key, _)| key).collect())
}

/// The rows of an account that begins.
pub(crate) fn first_snapshots(
    account: AccountId,
    snapshot: &Snapshot,
    versions: Versions,
) -> Insert {
    let bodies = snapshot.bots.iter().map(|(bot, body)| (*bot, body));
    let rows = [(BotId::default(), &snapshot.account)].into_iter().chain(bodies);
    let rows = rows.map(|(bot, body)| {
        [
            account.into(),
            bot.into(),
            Seq::default().into(),
            versions.schema.into(),
            versions.rules.into(),
            body.as_slice().into(),
        ]
    });
    Insert::new(SNAPSHOTS, rows.collect())
}

fn intents(batch: &Batch) -> impl Iterator<Item = [Value; 11]> {
    (0_u32..).zip(&batch.intents).map(|(place, IntentRow { request, send_by, at })| {
        let kind = words::kind(&request.kind);
        [
            batch.account.into(),
            batch.seq.into(),
            place.into(),
            request.client_id.into(),
            request.instrument.into(),
            words::side(request.side).into(),
            kind.word.into(),
            kind.price.into(),
            kind.amount.into(),
            (*send_by).into(),
            (*at).into(),
        ]
    })
}

fn fills(batch: &Batch) -> impl Iterator<Item = [Value; 17]> {
    batch.fills.iter().map(|FillRow { bot, deal, fill }| {
        [
            batch.account.into(),
            fill.instrument.into(),
            fill.trade_id.into(),
            batch.seq.into(),
            (*bot).into(),
            (*deal).into(),
            fill.client_id.into(),
            fill.venue_order_id.into(),
            words::side(fill.side).into(),
            fill.price.into(),
            fill.qty.into(),
            fill.quote.into(),
            fill.fee.asset.into(),
            fill.fee.amount.into(),
            fill.fee.in_quote.into(),
            words::liquidity(fill.liquidity).into(),
            fill.at.into(),
        ]
    })
}

fn deals(batch: &Batch) -> impl Iterator<Item = [Value; 12]> {
    batch.deals.iter().map(|deal: &DealRow| {
        [
            batch.account.into(),
            deal.bot.into(),
            deal.deal.into(),
            batch.seq.into(),
            deal.instrument.into(),
            deal.opened_at.into(),
            deal.closed_at.into(),
            deal.ended.as_str().into(),
            deal.profit.into(),
            deal.fees.into(),
            deal.bought.into(),
            deal.safety_orders.into(),
        ]
    })
}

fn verdicts(batch: &Batch) -> impl Iterator<Item = [Value; 5]> {
    batch.verdicts.iter().map(|VerdictRow { command, verdict }| {
        let reason = verdict.as_ref().err().map_or("", String::as_str);
        [
            batch.account.into(),
            (*command).into(),
            batch.seq.into(),
            verdict.is_ok().into(),
            reason.into(),
        ]
    })
}

/// Takes answered commands off the list of open ones.
async fn mark_answered(tx: &mut Tx, batches: &[&Batch]) -> Result<(), sqlx::Error> {
    let commands: Vec<[Value; 2]> = batches
        .iter()
        .flat_map(|batch| {
            batch.verdicts.iter().map(|verdict| [batch.account.into(), verdict.command.into()])
        })
        .collect();
    for list in in_lists(&commands) {
        let list = padded(list);
        let text = format!(
            "UPDATE commands SET answered = 1 WHERE answered = 0 AND (account, command) IN \
             (VALUES {})",
            places(list.len(), 2)
        );
        let answered = list.into_iter().flatten().fold(Statement::composed(text), Statement::bind);
        tx.run(answered).await?;
    }
    Ok(())
}
