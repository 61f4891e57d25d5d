//! Both sides' books: the exchange's own, and what the database holds.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    client_order_id::ClientOrderId,
    decimal::MathError,
    fill::Fill,
    ids::{BotId, DealNo, Epoch, Seq},
    money::Quote,
    order::Side,
    record::{Batch, DealRow, FillRow, IntentRow, Snapshot},
    time::Timestamp,
};
use tranche_sim::{
    audit::{Auditor, Books},
    exchange::Exchange,
    memory::Memory,
};
use tranche_trading::{account::Account, bot::Lane, codec, order::Stage};

use super::world::{OURS, World};

/// What the database holds of the account.
struct Stored {
    account: Option<Account>,
    intents: Vec<IntentRow>,
    fills: Vec<FillRow>,
    deals: Vec<DealRow>,
}

fn stored(world: &World) -> Stored {
    world.read(async |store| {
        let snapshot = store.snapshot(OURS).await.unwrap();
        Stored {
            account: account(&snapshot),
            intents: store.intents(OURS, Timestamp::MIN).await.unwrap(),
            fills: store.fills(OURS).await.unwrap(),
            deals: store.deals(OURS).await.unwrap(),
        }
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
pub(super) fn orders(world: &World) {
    // First the exchange: what is sent meanwhile was committed before it is read.
    let (seen, many) = world.server.look(|exchange| {
        let open = exchange.open_orders(OURS).into_iter().map(|order| order.client_id);
        let traded = trades(world, exchange).into_iter().filter_map(|fill| fill.client_id);
        let seen: BTreeSet<ClientOrderId> = open.chain(traded).collect();
        let is_many = |id: &&ClientOrderId| 1 < exchange.orders_with_id(OURS, **id).len();
        let many: Vec<ClientOrderId> = seen.iter().filter(is_many).copied().collect();
        (seen, many)
    });
    let intents = stored(world).intents;
    let committed: BTreeSet<ClientOrderId> =
        intents.iter().map(|row| row.request.client_id).collect();

    assert_eq!(intents.len(), committed.len(), "an intent was committed twice");
    assert_eq!(many, [], "orders that were sent twice");
    let strange: Vec<&ClientOrderId> = seen.difference(&committed).collect();
    assert!(strange.is_empty(), "sent before it was committed: {strange:?}");
}

/// What differs, in words.
pub(super) fn books(world: &World) -> Vec<String> {
    let stored = stored(world);
    let Some(account) = stored.account else { return vec!["no account".to_owned()] };
    let mut memory = Memory::default();
    memory.add_account(OURS, Snapshot::default());
    let batch = Batch {
        account: OURS,
        epoch: Epoch::new(0),
        seq_before: Seq::new(0),
        seq: Seq::new(1),
        journal: Vec::new(),
        snapshots: Vec::new(),
        intents: Vec::new(),
        fills: stored.fills.clone(),
        deals: Vec::new(),
        verdicts: Vec::new(),
    };
    memory.commit(&batch).unwrap();
    world.server.look(|exchange| {
        let books = Books {
            exchange,
            memory: &memory,
            instruments: &world.instruments,
            now: Timestamp::from_ms(0),
        };
        let found = Auditor::new().check(books, [&account]);
        let mut found: Vec<String> = found.iter().map(ToString::to_string).collect();
        found.extend(open_orders(&account, exchange));
        found.extend(deals(&account, &stored.deals, &trades(world, exchange)).unwrap());
        found
    })
}

/// The exchange's open orders are those that our side believes to rest.
fn open_orders(account: &Account, exchange: &Exchange) -> Vec<String> {
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
        found.push(format!("{} is {:?}", order.client_id, order.stage));
    }
    found.extend(theirs.difference(&ours).map(|id| format!("{id} is an orphan")));
    found.extend(ours.difference(&theirs).map(|id| format!("{id} is not at the exchange")));
    found
}

/// Every deal of which the exchange has trades is open or closed once, with what the exchange says that it
/// spent.
fn deals(account: &Account, closed: &[DealRow], trades: &[Fill]) -> Result<Vec<String>, MathError> {
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
            found.push(format!("deal {}: {spent} was spent, {} is booked", row.deal, row.bought));
        }
    }
    for bot in account.bots.values() {
        for deal in bot.lanes.iter().filter_map(|lane| lane.deal.as_ref()) {
            let spent = bought.remove(&(bot.head.id, deal.no)).unwrap_or_default();
            if spent != deal.position.cost {
                let cost = deal.position.cost;
                found.push(format!("open deal {}: {spent} was spent, {cost} is booked", deal.no));
            }
        }
    }
    found.extend(bought.keys().map(|key| format!("nobody knows the deal of {key:?}")));
    Ok(found)
}
