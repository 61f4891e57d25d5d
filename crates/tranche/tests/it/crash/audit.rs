//! Both sides' books: the exchange's own, and what the database holds.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    client_order_id::ClientOrderId,
    decimal::MathError,
    fill::Fill,
    ids::{BotId, DealNo, Epoch, Seq},
    money::Quote,
    order::Side,
    record::{Batch, DealRow, FillRow, Snapshot},
    time::Timestamp,
};
use tranche_sim::{
    audit::{Auditor, Books, Violation},
    exchange::Exchange,
    memory::Memory,
};
use tranche_trading::{account::Account, bot::Lane, codec, order::Stage};

use super::{
    tally::{Finding, Kind},
    world::{OURS, Past, World},
};

/// What the database holds of the account.
struct Stored {
    account: Option<Account>,
    fills: Vec<FillRow>,
    deals: Vec<DealRow>,
}

fn stored(world: &World) -> Stored {
    world.read(&async |store| {
        let snapshot = store.snapshot(OURS).await?;
        Ok(Stored {
            account: account(&snapshot),
            fills: store.fills(OURS).await?,
            deals: store.deals(OURS).await?,
        })
    })
}

fn account(snapshot: &Snapshot) -> Option<Account> {
    if snapshot.account.is_empty() {
        return None;
    }
    let desk = codec::decode_desk(&snapshot.account).unwrap();
    let bots = snapshot.bots.iter().map(|(id, body)| (*id, codec::decode_bot(body).unwrap()));
    Some(Account::from_parts(desk, bots.collect()))
}

fn trades(world: &World, exchange: &Exchange) -> Vec<Fill> {
    let of = |id| exchange.trades(OURS, id, Timestamp::MIN);
    world.instruments.iter().flat_map(|instrument| of(instrument.id)).collect()
}

/// Each order at the exchange was committed before it was sent, and is there once.
pub(super) fn orders(world: &World) -> Vec<Finding> {
    // First the exchange: what is sent meanwhile was committed before it is read.
    let (seen, many) = world.server.look(|exchange| {
        let open = exchange.open_orders(OURS).into_iter().map(|order| order.client_id);
        let traded = trades(world, exchange).into_iter().filter_map(|fill| fill.client_id);
        let seen: BTreeSet<ClientOrderId> = open.chain(traded).collect();
        let is_many = |id: &&ClientOrderId| 1 < exchange.orders_with_id(OURS, **id).len();
        let many: Vec<ClientOrderId> = seen.iter().filter(is_many).copied().collect();
        (seen, many)
    });
    let intents = committed(world);
    let committed: BTreeSet<ClientOrderId> = intents.iter().copied().collect();

    let mut found = Vec::new();
    if intents.len() != committed.len() {
        found.push(Finding::new(Kind::Doubled, "an intent was committed twice"));
    }
    let twice = |id: &ClientOrderId| Finding::new(Kind::Doubled, format!("{id} was sent twice"));
    found.extend(many.iter().map(twice));
    let known = |id: &&ClientOrderId| committed.contains(id) || world.past.committed.contains(id);
    let strange = seen.iter().filter(|id| !known(id));
    let what = |id| format!("{id} was sent before it was committed");
    found.extend(strange.map(|id| Finding::new(Kind::Orphaned, what(id))));
    found
}

/// The id of each intent that the database knows.
pub(super) fn committed(world: &World) -> Vec<ClientOrderId> {
    let intents = world.read(&async |store| store.intents(OURS, Timestamp::MIN).await);
    intents.into_iter().map(|row| row.request.client_id).collect()
}

/// The deals that the database knows, open and closed.
pub(super) fn deals_known(world: &World) -> BTreeSet<(BotId, DealNo)> {
    let stored = stored(world);
    let bots = stored.account.iter().flat_map(|account| account.bots.values());
    let open = bots.flat_map(|bot| {
        let deals = bot.lanes.iter().filter_map(|lane| lane.deal.as_ref());
        deals.map(|deal| (bot.head.id, deal.no))
    });
    open.chain(stored.deals.iter().map(|row| (row.bot, row.deal))).collect()
}

/// What differs, when nothing is under way.
pub(super) fn books(world: &World) -> Vec<Finding> {
    let stored = stored(world);
    let Some(account) = stored.account else {
        return vec![Finding::new(Kind::Ledger, "no account")];
    };
    world.server.look(|exchange| {
        let trades = trades(world, exchange);
        let memory = memory(stored.fills, &world.past, &trades);
        let books = Books {
            exchange,
            memory: &memory,
            instruments: &world.instruments,
            now: Timestamp::from_ms(0),
        };
        let violations = Auditor::new().check(books, [&account]);
        let mut found: Vec<Finding> = violations.iter().map(finding).collect();
        found.extend(open_orders(&account, exchange));
        found.extend(deals((&account, &stored.deals), &trades, &world.past).unwrap());
        found
    })
}

/// The booked executions. Those of deals that an older copy of the database never heard of are nobody's.
fn memory(fills: Vec<FillRow>, past: &Past, trades: &[Fill]) -> Memory {
    let mut memory = Memory::default();
    memory.add_account(OURS, Snapshot::default());
    let known: BTreeSet<_> =
        fills.iter().map(|row| (row.fill.instrument, row.fill.trade_id)).collect();
    let forgotten = trades.iter().filter_map(|fill| {
        let key = fill.client_id?.key();
        let is_lost = past.deals.contains(&(key.bot, key.deal))
            && !known.contains(&(fill.instrument, fill.trade_id));
        is_lost.then_some(FillRow { bot: key.bot, deal: key.deal, fill: *fill })
    });
    let batch = Batch {
        account: OURS,
        epoch: Epoch::new(0),
        seq_before: Seq::new(0),
        seq: Seq::new(0),
        journal: Vec::new(),
        snapshots: Vec::new(),
        intents: Vec::new(),
        fills: forgotten.collect::<Vec<_>>().into_iter().chain(fills).collect(),
        deals: Vec::new(),
        verdicts: Vec::new(),
    };
    memory.commit(&batch).unwrap();
    memory
}

fn finding(violation: &Violation) -> Finding {
    let kind = match violation.invariant {
        "I-10" => Kind::Doubled,
        "I-07" | "I-13" | "I-18" => Kind::Lost,
        _ => Kind::Ledger,
    };
    Finding::new(kind, violation.to_string())
}

/// The exchange's open orders are those that our side believes to rest.
fn open_orders(account: &Account, exchange: &Exchange) -> Vec<Finding> {
    let theirs: BTreeSet<ClientOrderId> =
        exchange.open_orders(OURS).into_iter().map(|order| order.client_id).collect();
    let lanes = account.bots.values().flat_map(|bot| &bot.lanes);
    let orders: Vec<_> = lanes.flat_map(Lane::orders).map(|(_, order)| order).collect();
    let ours: BTreeSet<ClientOrderId> = orders
        .iter()
        .filter(|order| order.stage == Stage::Open)
        .map(|order| order.client_id)
        .collect();
    let mut found = Vec::new();
    if let Some(order) = orders.iter().find(|order| order.stage != Stage::Open) {
        let what = format!("{} is {:?}", order.client_id, order.stage);
        found.push(Finding::new(Kind::Lost, what));
    }
    let orphan = |id| Finding::new(Kind::Orphaned, format!("{id} is an orphan"));
    found.extend(theirs.difference(&ours).map(orphan));
    let lost = |id| Finding::new(Kind::Lost, format!("{id} is not at the exchange"));
    found.extend(ours.difference(&theirs).map(lost));
    found
}

/// Every deal of which the exchange has trades is open or closed once, with what the exchange says that it
/// spent.
fn deals(
    (account, closed): (&Account, &[DealRow]),
    trades: &[Fill],
    past: &Past,
) -> Result<Vec<Finding>, MathError> {
    let mut found = Vec::new();
    let mut bought: BTreeMap<(BotId, DealNo), Quote> = BTreeMap::new();
    for trade in trades {
        let Some(id) = trade.client_id else { continue };
        let spent = bought.entry((id.key().bot, id.key().deal)).or_default();
        if trade.side == Side::Buy {
            *spent = spent.plus(trade.quote)?;
        }
    }
    for row in closed {
        let spent = bought.remove(&(row.bot, row.deal)).unwrap_or_default();
        if spent != row.bought {
            let text = format!("deal {}: {spent} was spent, {} is booked", row.deal, row.bought);
            found.push(Finding::new(Kind::Ledger, text));
        }
    }
    for bot in account.bots.values() {
        for deal in bot.lanes.iter().filter_map(|lane| lane.deal.as_ref()) {
            let spent = bought.remove(&(bot.head.id, deal.no)).unwrap_or_default();
            if spent != deal.position.cost {
                let cost = deal.position.cost;
                let text = format!("open deal {}: {spent} was spent, {cost} is booked", deal.no);
                found.push(Finding::new(Kind::Ledger, text));
            }
        }
    }
    let strange = bought.keys().filter(|key| !past.deals.contains(key));
    let nobodys = |key| Finding::new(Kind::Orphaned, format!("nobody knows the deal of {key:?}"));
    found.extend(strange.map(nobodys));
    Ok(found)
}
