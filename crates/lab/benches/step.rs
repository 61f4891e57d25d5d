//! One account's step, and the bytes of its journal, beside the bare arithmetic of a deal.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a benchmark: its input is its own, it looks at the clock, and not all use all of the scene"
)]

#[path = "scene/mod.rs"]
mod scene;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tranche_model::{
    ids::{AccountId, BotId, InstrumentId, Slot},
    instrument::Instruments,
    money::{Price, Qty},
    order::{OrderRequest, OrderStatus},
    record::{Answer, Call, Outcome, PrivateEvent, Reply},
    time::Timestamp,
};
use tranche_trading::{
    account::{self, Account},
    codec,
    event::{Effects, Event, LaneKey},
    shard::{Durability, Options},
    watch::Cause,
};

use self::scene::{
    dca,
    world::{self, World},
};

const ACCOUNT: AccountId = AccountId::new(1);
const BOT: BotId = BotId::new(1);
const PRICE: &str = "61837.63";

/// An account whose only bot waits in an open deal with five safety orders.
struct Waiting {
    account: Account,
    instruments: Instruments,
    now: Timestamp,
}

impl Waiting {
    fn new() -> Self {
        let options = Options { durability: Durability::Volatile, ..Options::default() };
        let mut world = World::new(world::instruments(1), options);
        let extra = r#","safety_order_step_pct":"1.5","take_profit_pct":"1.5","active_safety_orders_count":5"#;
        world.own(ACCOUNT);
        world.create(ACCOUNT, BOT, &world::config(world::symbol(0), extra));
        world.tick(InstrumentId::new(0), Price::parse(PRICE).unwrap());
        world.settle();
        let account = world.shard.account(ACCOUNT).unwrap().clone();
        assert_eq!(account.bots[&BOT].lanes[0].orders().count(), 6);
        Self { account, instruments: world.shard.instruments().as_ref().clone(), now: world.now }
    }

    fn step(&self, account: &mut Account, event: &Event) -> Effects {
        let world = account::World { now: self.now, instruments: &self.instruments };
        let mut effects = Effects::default();
        account.step(event, &world, &mut effects).unwrap();
        effects
    }

    /// The first safety order is filled, the take profit is taken back, and a new one rests.
    fn safety_fill(&self) -> Vec<Event> {
        let mut account = self.account.clone();
        let lane = &account.bots[&BOT].lanes[0];
        let order = lane.seat(Slot::safety(1).unwrap()).unwrap().order.clone().unwrap();
        let request = request(&order);
        let traded = (order.kind.price().unwrap(), order.kind.qty().unwrap());
        let fill = world::fill(order.client_id, &request, traded, 1_000);
        let mut events = vec![Event::Private(PrivateEvent::Fill(fill))];
        while let Some(event) = events.last() {
            let effects = self.step(&mut account, event);
            let Some((_, call)) = effects.calls.first() else { break };
            let answer = self.answer(&account, call);
            events.push(Event::Reply(Reply { call: *call, outcome: Outcome::Done(answer) }));
        }
        assert_eq!(events.len(), 3);
        events
    }

    fn answer(&self, account: &Account, call: &Call) -> Answer {
        let (id, status) = if let Call::Cancel { client_id, .. } = call {
            (*client_id, OrderStatus::Cancelled)
        } else if let Call::Place { request, .. } = call {
            (request.client_id, OrderStatus::Open)
        } else {
            panic!("not expected: {call:?}");
        };
        let mut orders = account.bots[&BOT].lanes[0].orders();
        let (_, order) = orders.find(|(_, order)| order.client_id == id).unwrap();
        let report = world::report(&request(order), (status, Qty::ZERO), 1_001, self.now);
        Answer::Order { report, fills: Vec::new() }
    }
}

fn idle_wake() -> Event {
    let lane = LaneKey { bot: BOT, lane: 0 };
    Event::Wake { lane, cause: Cause::Below, price: Price::parse("61500").ok() }
}

fn request(order: &tranche_trading::order::Order) -> OrderRequest {
    let (client_id, instrument) = (order.client_id, InstrumentId::new(0));
    OrderRequest { client_id, instrument, side: order.side, kind: order.kind }
}

fn steps(criterion: &mut Criterion) {
    let waiting = Waiting::new();
    let events = waiting.safety_fill();
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(3));
    group.bench_function("safety-fill", |bencher| {
        let all = |account: &mut Account| {
            for event in &events {
                black_box(waiting.step(account, event));
            }
        };
        bencher.iter_batched_ref(|| waiting.account.clone(), all, BatchSize::SmallInput);
    });
    group.throughput(Throughput::Elements(1));
    let (idle, mut account) = (idle_wake(), waiting.account.clone());
    assert!(waiting.step(&mut account, &idle).calls.is_empty());
    group.bench_function("idle-wake", |bencher| {
        bencher.iter(|| waiting.step(&mut account, black_box(&idle)));
    });
    let config = dca::Config::of_bench();
    let deal = dca::Deal::open(6_183_763, 0.01, &config);
    group.bench_function("limit", |bencher| {
        bencher.iter(|| {
            let mut deal = black_box(deal);
            deal.fill(0.01, black_box(&config));
            deal
        });
    });
    group.finish();
}

fn journal(criterion: &mut Criterion) {
    let waiting = Waiting::new();
    let events = waiting.safety_fill();
    let named = [("fill", &events[0]), ("reply", &events[2]), ("wake", &idle_wake())];
    let mut group = criterion.benchmark_group("journal");
    for (name, event) in named {
        let bytes = codec::encode_event(event).unwrap();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("encode-{name}"), |bencher| {
            bencher.iter(|| codec::encode_event(black_box(event)).unwrap());
        });
        group.bench_function(format!("decode-{name}"), |bencher| {
            bencher.iter(|| codec::decode_event(black_box(&bytes)).unwrap());
        });
    }
    let bot = &waiting.account.bots[&BOT];
    let bytes = codec::encode_bot(bot).unwrap();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode-bot", |bencher| {
        bencher.iter(|| codec::encode_bot(black_box(bot)).unwrap());
    });
    group.bench_function("decode-bot", |bencher| {
        bencher.iter(|| codec::decode_bot(black_box(&bytes)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, steps, journal);
criterion_main!(benches);
