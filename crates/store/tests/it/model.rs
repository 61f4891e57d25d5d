//! Whatever is committed and loaded, in whatever order: both databases answer and hold what a plain map
//! of the rules says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tranche_model::{
    asset::Asset,
    fill::{Fee, Fill, Liquidity},
    ids::{AccountId, BotId, CommandId, DealNo, Epoch, InstrumentId, Seq, TradeId, VenueOrderId},
    money::{Amount, Price, Qty, Quote},
    order::{OrderKind, OrderRequest, Side, Size, TimeInForce},
    record::{Batch, DealRow, FillRow, IntentRow, JournalRow, Snapshot, SnapshotRow, VerdictRow},
    time::Timestamp,
};
use tranche_store::{Store, StoreError};

use crate::bench::{Bench, client_id, paper};

/// What is done, one after the other.
#[derive(Debug, Clone)]
enum Act {
    Load(u32),
    Add(u32),
    /// Batches of accounts, each with how far off its epoch and its input are.
    Commit(Vec<(u32, Off, Rows)>),
}

#[derive(Debug, Clone, Copy)]
enum Off {
    Right,
    Epoch,
    Seq,
}

/// What a batch writes.
#[derive(Debug, Clone)]
struct Rows {
    inputs: Vec<Vec<u8>>,
    snapshots: Vec<(Option<u32>, Vec<u8>)>,
    intents: Vec<(OrderKind, u16, i64)>,
    fills: Vec<(u8, Fill)>,
    deals: Vec<(u8, Quote)>,
    verdicts: Vec<(u8, Result<(), String>)>,
}

/// The rules, in a map.
#[derive(Debug, Default)]
struct Reference {
    accounts: BTreeMap<u32, Stored>,
}

#[derive(Debug, Default)]
struct Stored {
    epoch: u64,
    seq: u64,
    account: Vec<u8>,
    bots: BTreeMap<u32, Vec<u8>>,
    journal: Vec<JournalRow>,
    intents: Vec<IntentRow>,
    fills: BTreeMap<(InstrumentId, TradeId), FillRow>,
    deals: BTreeMap<(BotId, DealNo), DealRow>,
    verdicts: BTreeMap<CommandId, VerdictRow>,
}

#[test]
fn sqlite_holds_what_the_rules_say() {
    hold(24, || Bench::sqlite("model"));
}

#[test]
fn postgres_holds_what_the_rules_say() {
    hold(12, Bench::postgres);
}

fn hold(cases: u32, bench: impl Fn() -> Bench) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner
        .run(&vec(act(), 1..14), |acts| {
            runtime.block_on(check(&bench(), acts));
            Ok(())
        })
        .unwrap();
}

async fn check(bench: &Bench, acts: Vec<Act>) {
    let store = bench.open().await;
    let mut reference = Reference::default();
    for act in acts {
        match act {
            Act::Add(account) => {
                let snapshot = Snapshot { account: vec![7], bots: vec![(BotId::new(1), vec![8])] };
                let added = store.add_account(&paper(account), &snapshot).await.unwrap();
                assert_eq!(added, reference.add(account));
            }
            Act::Load(account) => {
                let loaded = store.load(AccountId::new(account)).await;
                match (loaded, reference.load(account)) {
                    (Ok(loaded), Some((epoch, seq, snapshot))) => {
                        assert_eq!((loaded.epoch.get(), loaded.seq.get()), (epoch, seq));
                        assert_eq!(loaded.snapshot, snapshot);
                    }
                    (Err(StoreError::NoAccount(_)), None) => {}
                    (loaded, expected) => panic!("{loaded:?}, not {expected:?}"),
                }
            }
            Act::Commit(parts) => {
                let batches: Vec<Batch> = reference.batches(parts);
                let expected: Vec<_> =
                    batches.iter().map(|batch| reference.commit(batch)).collect();
                assert_eq!(store.commit(batches).await, expected);
            }
        }
    }
    for (account, stored) in &reference.accounts {
        compare(&store, AccountId::new(*account), stored).await;
    }
    assert_eq!(store.verify().await, Ok(Vec::new()));
    store.close().await;
}

async fn compare(store: &Store, account: AccountId, stored: &Stored) {
    let standing = store.standing(account).await.unwrap().unwrap();
    assert_eq!(standing, (Epoch::new(stored.epoch), Seq::new(stored.seq)));
    assert_eq!(store.snapshot(account).await.unwrap(), stored.snapshot());
    let journal = store.journal(account, Seq::new(0), 10_000).await.unwrap();
    assert_eq!(journal.into_iter().map(|entry| entry.row).collect::<Vec<_>>(), stored.journal);
    assert_eq!(store.intents(account, Timestamp::MIN).await.unwrap(), stored.intents);
    let mut fills = store.fills(account).await.unwrap();
    fills.sort_by_key(|row| (row.fill.instrument, row.fill.trade_id));
    assert_eq!(fills, stored.fills.values().copied().collect::<Vec<_>>());
    let mut deals = store.deals(account).await.unwrap();
    deals.sort_by_key(|row| (row.bot, row.deal));
    assert_eq!(deals, stored.deals.values().cloned().collect::<Vec<_>>());
    for verdict in stored.verdicts.values() {
        assert_eq!(
            store.verdict(account, verdict.command).await.as_ref(),
            Ok(&Some(verdict.clone()))
        );
    }
    for (instrument, trade) in stored.fills.keys() {
        let known = store.fills_known(account, *instrument, &[*trade]).await;
        assert_eq!(known, Ok(BTreeSet::from([*trade])));
    }
}

impl Reference {
    fn add(&mut self, account: u32) -> bool {
        if self.accounts.contains_key(&account) {
            return false;
        }
        let bots = BTreeMap::from([(1, vec![8])]);
        self.accounts.insert(account, Stored { account: vec![7], bots, ..Stored::default() });
        true
    }

    fn load(&mut self, account: u32) -> Option<(u64, u64, Snapshot)> {
        let stored = self.accounts.get_mut(&account)?;
        stored.epoch += 1;
        Some((stored.epoch, stored.seq, stored.snapshot()))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let stored = self.accounts.get_mut(&batch.account.get());
        let stored = stored.ok_or(StoreError::NoAccount(batch.account))?;
        if (stored.epoch, stored.seq) != (batch.epoch.get(), batch.seq_before.get()) {
            return Err(StoreError::Stale);
        }
        stored.seq = batch.seq.get();
        for SnapshotRow { bot, body } in &batch.snapshots {
            match bot.map(BotId::get) {
                None => stored.account.clone_from(body),
                Some(bot) if body.is_empty() => drop(stored.bots.remove(&bot)),
                Some(bot) => drop(stored.bots.insert(bot, body.clone())),
            }
        }
        for row in &batch.fills {
            stored.fills.entry((row.fill.instrument, row.fill.trade_id)).or_insert(*row);
        }
        for row in &batch.deals {
            stored.deals.entry((row.bot, row.deal)).or_insert_with(|| row.clone());
        }
        for row in &batch.verdicts {
            stored.verdicts.entry(row.command).or_insert_with(|| row.clone());
        }
        stored.journal.extend_from_slice(&batch.journal);
        stored.intents.extend_from_slice(&batch.intents);
        Ok(())
    }

    /// Batches as their owners would make them, one behind the other, but for those that are off.
    fn batches(&self, parts: Vec<(u32, Off, Rows)>) -> Vec<Batch> {
        let mut next: BTreeMap<u32, u64> = BTreeMap::new();
        parts
            .into_iter()
            .map(|(account, off, rows)| {
                let (epoch, seq) =
                    self.accounts.get(&account).map_or((0, 0), |stored| (stored.epoch, stored.seq));
                let seq = *next.get(&account).unwrap_or(&seq);
                let (epoch, seq) = match off {
                    Off::Right => (epoch, seq),
                    Off::Epoch => (epoch + 1, seq),
                    Off::Seq => (epoch, seq + 1),
                };
                let batch = rows.batch(account, epoch, seq);
                if matches!(off, Off::Right) {
                    next.insert(account, batch.seq.get());
                }
                batch
            })
            .collect()
    }
}

impl Stored {
    fn snapshot(&self) -> Snapshot {
        let bots = self.bots.iter().map(|(bot, body)| (BotId::new(*bot), body.clone())).collect();
        Snapshot { account: self.account.clone(), bots }
    }
}

impl Rows {
    fn batch(self, account: u32, epoch: u64, seq: u64) -> Batch {
        let journal: Vec<JournalRow> = (seq + 1..)
            .zip(self.inputs)
            .map(|(seq, body)| JournalRow { seq: Seq::new(seq), at: Timestamp::from_ms(5), body })
            .collect();
        let last = journal.last().map_or(seq, |row| row.seq.get());
        Batch {
            account: AccountId::new(account),
            epoch: Epoch::new(epoch),
            seq_before: Seq::new(seq),
            seq: Seq::new(last),
            journal,
            snapshots: self
                .snapshots
                .into_iter()
                .map(|(bot, body)| SnapshotRow { bot: bot.map(BotId::new), body })
                .collect(),
            intents: self.intents.into_iter().map(intent).collect(),
            fills: self
                .fills
                .into_iter()
                .map(|(bot, fill)| FillRow {
                    bot: BotId::new(bot.into()),
                    deal: DealNo::new(1),
                    fill,
                })
                .collect(),
            deals: self.deals.into_iter().map(deal).collect(),
            verdicts: self
                .verdicts
                .into_iter()
                .map(|(command, verdict)| VerdictRow {
                    command: CommandId::new(command.into()),
                    verdict,
                })
                .collect(),
        }
    }
}

fn intent((kind, generation, at): (OrderKind, u16, i64)) -> IntentRow {
    let request = OrderRequest {
        client_id: client_id(u32::from(generation), generation),
        instrument: InstrumentId::new(u32::MAX),
        side: Side::Buy,
        kind,
    };
    IntentRow { request, send_by: Timestamp::from_ms(at), at: Timestamp::from_ms(at) }
}

fn deal((number, profit): (u8, Quote)) -> DealRow {
    DealRow {
        bot: BotId::new(1),
        deal: DealNo::new(number.into()),
        instrument: InstrumentId::new(0),
        opened_at: Timestamp::from_ms(-1),
        closed_at: Timestamp::from_ms(1),
        ended: "take profit".to_owned(),
        profit,
        fees: profit,
        bought: profit,
        safety_orders: u16::MAX,
    }
}

fn act() -> impl Strategy<Value = Act> {
    let account = 1..4_u32;
    let off = prop_oneof![8 => Just(Off::Right), 1 => Just(Off::Epoch), 1 => Just(Off::Seq)];
    let part = (account.clone(), off, rows());
    prop_oneof![
        2 => account.clone().prop_map(Act::Add),
        3 => account.prop_map(Act::Load),
        6 => vec(part, 1..5).prop_map(Act::Commit),
    ]
}

fn rows() -> impl Strategy<Value = Rows> {
    let body = || vec(any::<u8>(), 0..4);
    let snapshot = (proptest::option::of(1..4_u32), body());
    let intent = (kind(), any::<u16>(), -4_102_444_800_000..4_102_444_800_000_i64);
    let text = "\\PC{0,8}";
    let verdict = (0..6_u8, prop_oneof![Just(Ok(())), text.prop_map(Err)]);
    (
        vec(body(), 1..4),
        vec(snapshot, 0..4),
        vec(intent, 0..12),
        vec((any::<u8>(), fill()), 0..12),
        vec((0..4_u8, decimal().prop_map(Quote::new)), 0..3),
        vec(verdict, 0..3),
    )
        .prop_map(|(inputs, snapshots, intents, fills, deals, verdicts)| Rows {
            inputs,
            snapshots,
            intents,
            fills,
            deals,
            verdicts,
        })
}

/// Any number that money can be, to the last digit.
fn decimal() -> impl Strategy<Value = rust_decimal::Decimal> {
    let bits = (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>(), 0..=28_u32);
    let any = bits.prop_map(|(low, mid, high, negative, scale)| {
        rust_decimal::Decimal::from_parts(low, mid, high, negative, scale).normalize()
    });
    prop_oneof![
        any,
        (0..1000_i64, 0..9_u32)
            .prop_map(|(n, scale)| { rust_decimal::Decimal::new(n, scale).normalize() })
    ]
}

fn kind() -> impl Strategy<Value = OrderKind> {
    (0..6_u8, decimal(), decimal()).prop_map(|(word, price, amount)| {
        let (price, qty) = (Price::new(price), Qty::new(amount));
        let limit = |time_in_force| OrderKind::Limit { price, qty, time_in_force };
        match word {
            0 => OrderKind::Market { size: Size::Base(qty) },
            1 => OrderKind::Market { size: Size::Quote(Quote::new(amount)) },
            2 => limit(TimeInForce::GoodTillCancelled),
            3 => limit(TimeInForce::ImmediateOrCancel),
            4 => limit(TimeInForce::FillOrKill),
            _ => OrderKind::LimitMaker { price, qty },
        }
    })
}

fn fill() -> impl Strategy<Value = Fill> {
    let trade = prop_oneof![0..5_u128, Just(u128::MAX)];
    let money = (decimal(), decimal(), decimal(), decimal(), proptest::option::of(decimal()));
    (trade, 0..3_u32, any::<u128>(), money, any::<bool>(), any::<u16>()).prop_map(
        |(trade, instrument, order, (price, qty, quote, fee, in_quote), flag, generation)| Fill {
            trade_id: TradeId::new(trade),
            client_id: flag.then(|| client_id(9, generation)),
            venue_order_id: VenueOrderId::new(order),
            instrument: InstrumentId::new(instrument),
            side: if flag { Side::Buy } else { Side::Sell },
            price: Price::new(price),
            qty: Qty::new(qty),
            quote: Quote::new(quote),
            fee: Fee {
                asset: Asset::parse("1000SATS").unwrap(),
                amount: Amount::new(fee),
                in_quote: in_quote.map(Quote::new),
            },
            liquidity: if flag { Liquidity::Maker } else { Liquidity::Taker },
            at: Timestamp::from_ms(i64::from(generation)),
        },
    )
}
