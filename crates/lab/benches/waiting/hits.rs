//! A hit with everything behind it: from the tick to the committed intent, and on until the new take
//! profit rests.

use std::time::Instant;

use tranche_model::{
    ids::{AccountId, BotId, InstrumentId},
    money::Price,
};
use tranche_trading::shard::{Durability, Options};

use crate::scene::{
    figures::{Figures, Times, slope},
    world::{self, World},
};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const BOTS_PER_ACCOUNT: usize = 10;
const INSTRUMENT: InstrumentId = InstrumentId::new(0);

pub(crate) fn measure(trades: &[Price], figures: &mut Figures) {
    let clock = Times::of_clock();
    for (name, durability) in
        [("committed", Durability::Committed), ("volatile", Durability::Volatile)]
    {
        let mut quiet = Vec::new();
        for bots in SIZES {
            let options = Options { durability, ..Options::default() };
            let mut world = watching(bots, trades[0], options);
            let replay = replay(&mut world, trades);
            tell(figures, &format!("hits/{name}/{bots}"), &replay);
            quiet.push((bots, replay.quiet.steady_mean() - clock));
        }
        figures.put(format!("slope/shard-{name}"), slope(&quiet));
    }
}

#[derive(Default)]
struct Replay {
    quiet: Times,
    busy: Times,
    /// From the intents to the resting take profits.
    after: Times,
    hits: usize,
}

fn tell(figures: &mut Figures, name: &str, replay: &Replay) {
    let hits = replay.hits.max(1) as f64;
    figures.put(format!("{name}/p50"), replay.quiet.quantile(0.5));
    figures.put(format!("{name}/p99"), replay.quiet.quantile(0.99));
    figures.put(format!("{name}/hits"), replay.hits as f64);
    figures.put(format!("{name}/per-hit"), replay.busy.sum() / hits);
    figures.put(format!("{name}/after"), replay.after.sum() / hits);
}

/// Bots in open deals that watch their safety orders, with first levels up to 5 % away.
fn watching(bots: usize, price: Price, options: Options) -> World {
    let mut world = World::new(world::instruments(1), options);
    for first in (0..bots).step_by(BOTS_PER_ACCOUNT) {
        let account = AccountId::new((first / BOTS_PER_ACCOUNT) as u32 + 1);
        world.own(account);
        for bot in first..first + BOTS_PER_ACCOUNT {
            let step = 0.01 + 5.0 * bot as f64 / bots as f64;
            let extra = format!(
                r#","safety_order_step_pct":"{step:.5}","take_profit_pct":"3","active_safety_orders_count":0"#
            );
            world.create(
                account,
                BotId::new(bot as u32 + 1),
                &world::config(world::symbol(0), &extra),
            );
        }
        world.tick(INSTRUMENT, price);
        world.settle();
    }
    world
}

fn replay(world: &mut World, trades: &[Price]) -> Replay {
    let mut replay = Replay::default();
    for price in trades {
        let since = Instant::now();
        world.tick(INSTRUMENT, *price);
        let hits = world.finish();
        if hits == 0 {
            replay.quiet.push(since);
            continue;
        }
        replay.busy.push(since);
        replay.hits += hits;
        let since = Instant::now();
        world.settle();
        replay.after.push(since);
    }
    replay
}
