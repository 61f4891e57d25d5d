//! The limit of memory: a bot and its open deal as plain rows of integers, and two price indexes.

use std::collections::BTreeSet;

const INSTRUMENTS: usize = 500;

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Bot {
    id: u64,
    owners: [u32; 3],
    counts: [u16; 2],
    volumes: [i64; 2],
    settings: [i32; 6],
    deals: [u16; 2],
    closed: u32,
    profit: i64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Deal {
    sums: [i64; 6],
    safety_prices: [i64; 5],
    safety_ids: [u64; 5],
    take_profit_id: u64,
    bot: u32,
    flags: [u8; 4],
}

/// Waiting bots, each with an open deal of five safety orders.
#[derive(Debug, Default)]
pub(crate) struct State {
    bots: Vec<Bot>,
    deals: Vec<Deal>,
    buys: Vec<BTreeSet<(i64, u32)>>,
    sells: Vec<BTreeSet<(i64, u32)>>,
}

impl State {
    pub(crate) fn grow(&mut self, to: usize) {
        self.buys.resize(INSTRUMENTS, BTreeSet::new());
        self.sells.resize(INSTRUMENTS, BTreeSet::new());
        for place in self.bots.len()..to {
            let price = 1_000_000 + (place as i64 * 7919) % 60_000;
            self.bots.push(Bot { id: place as u64, ..Bot::default() });
            self.deals.push(Deal { sums: [price; 6], bot: place as u32, ..Deal::default() });
            self.buys[place % INSTRUMENTS].insert((price * 985 / 1000, place as u32));
            self.sells[place % INSTRUMENTS].insert((price * 1015 / 1000, place as u32));
        }
    }
}
