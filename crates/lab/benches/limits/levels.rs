//! The limit of finding the bots that a price crosses: two levels a bot, in two ordered sets; and what
//! a program does that asks every bot.

use std::collections::BTreeSet;

/// A bot that buys at or below one level and sells at or above another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels {
    pub(crate) buy: i64,
    pub(crate) sell: i64,
}

/// Asks every bot, and sets those anew that were crossed. Returns how many.
pub(crate) fn visit_all(bots: &mut [Levels], price: i64) -> u64 {
    let mut hits = 0;
    for bot in bots {
        if price <= bot.buy {
            hits += 1;
            bot.buy = below(price);
        }
        if bot.sell <= price {
            hits += 1;
            bot.sell = above(price);
        }
    }
    hits
}

/// Asks only the bots that are crossed.
#[derive(Debug)]
pub(crate) struct Ordered {
    buys: BTreeSet<(i64, u32)>,
    sells: BTreeSet<(i64, u32)>,
}

impl Ordered {
    pub(crate) fn new(bots: &[Levels]) -> Self {
        let ids = || bots.iter().zip(0_u32..);
        Self {
            buys: ids().map(|(bot, id)| (bot.buy, id)).collect(),
            sells: ids().map(|(bot, id)| (bot.sell, id)).collect(),
        }
    }

    pub(crate) fn tick(&mut self, price: i64) -> u64 {
        let mut hits = 0;
        while let Some((_, id)) = self.buys.last().copied().filter(|(level, _)| price <= *level) {
            self.buys.pop_last();
            self.buys.insert((below(price), id));
            hits += 1;
        }
        while let Some((_, id)) = self.sells.first().copied().filter(|(level, _)| *level <= price) {
            self.sells.pop_first();
            self.sells.insert((above(price), id));
            hits += 1;
        }
        hits
    }
}

/// Where a bot buys next.
pub(crate) const fn below(price: i64) -> i64 {
    price - price * 15 / 1000
}

/// Where a bot sells next.
pub(crate) const fn above(price: i64) -> i64 {
    price + price * 15 / 1000
}
