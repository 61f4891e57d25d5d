//! Bytes per waiting bot with an open deal: growth of the resident memory from 10,000 to 110,000.

use std::fs;

use tranche_model::{
    ids::{AccountId, BotId, InstrumentId},
    money::Price,
};
use tranche_trading::shard::Options;

use crate::scene::{
    figures::Figures,
    state::State,
    world::{self, World},
};

const FROM: usize = 10_000;
const TO: usize = 110_000;
const INSTRUMENTS: usize = 500;
const PAGE: f64 = 4096.0;

pub(crate) fn measure(figures: &mut Figures) {
    let mut state = State::default();
    state.grow(FROM);
    let before = resident();
    state.grow(TO);
    figures.put("memory/limit".to_owned(), growth(before));
    // All are kept: the next one must not live in the memory that the one before gives back.
    let crowds = [("one-rests", 1, 10), ("all-rest", 5, 10), ("alone", 1, 1)]
        .map(|(name, active, bots)| (name, measure_crowd(name, Crowd::new(active, bots), figures)));
    for (name, crowd) in crowds {
        let index = crowd.world.shard.index().resident_bytes();
        figures.put(format!("memory/{name}/index"), index as f64 / TO as f64);
    }
}

fn measure_crowd(name: &str, mut crowd: Crowd, figures: &mut Figures) -> Crowd {
    crowd.grow(FROM);
    let before = resident();
    crowd.grow(TO);
    figures.put(format!("memory/{name}"), growth(before));
    crowd
}

/// Accounts with bots that wait in an open deal.
struct Crowd {
    world: World,
    active: u16,
    bots_per_account: usize,
    bots: usize,
}

impl Crowd {
    fn new(active: u16, bots_per_account: usize) -> Self {
        let instruments = world::instruments(INSTRUMENTS as u32);
        let world = World::new(instruments, Options::default());
        Self { world, active, bots_per_account, bots: 0 }
    }

    fn grow(&mut self, to: usize) {
        while self.bots < to {
            let account = AccountId::new((self.bots / self.bots_per_account) as u32 + 1);
            self.world.own(account);
            for bot in self.bots..self.bots + self.bots_per_account {
                let instrument = (bot % INSTRUMENTS) as u32;
                let extra = format!(
                    r#","safety_order_step_pct":"1.5","take_profit_pct":"1.5","active_safety_orders_count":{}"#,
                    self.active
                );
                let config = world::config(world::symbol(instrument), &extra);
                self.world.create(account, BotId::new(bot as u32 + 1), &config);
                self.world.tick(InstrumentId::new(instrument), Price::parse("61837.63").unwrap());
                self.world.settle();
            }
            self.check(account);
            self.bots += self.bots_per_account;
        }
    }

    fn check(&self, account: AccountId) {
        let account = self.world.shard.account(account).unwrap();
        let lanes = account.bots.values().flat_map(|bot| &bot.lanes);
        let orders = lanes.map(|lane| lane.orders().count()).sum::<usize>();
        assert_eq!(orders, (usize::from(self.active) + 1) * self.bots_per_account);
    }
}

fn resident() -> f64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * PAGE
}

fn growth(before: f64) -> f64 {
    (resident() - before) / (TO - FROM) as f64
}
