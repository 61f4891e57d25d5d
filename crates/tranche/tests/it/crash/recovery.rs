//! How soon a killed process with many bots is ready again: everything loaded, every account compared
//! with its exchange, no order of unknown fate.

use std::{fmt::Write as _, thread, time::Duration};

use serde_json::{Value, json};

use super::{
    plan::{Faults, Plan},
    process::Process,
    world::{Setting, World},
};
use crate::patience::{Patience, Stopwatch};

/// What the tests do.
const BOTS: u64 = 40;
const KILLS: u64 = 2;
/// `docs/reliability.md`: for a thousand bots, of twenty kills or more.
const GOAL: Duration = Duration::from_secs(5);
const BOTS_OF_AN_ACCOUNT: u64 = 100;
const PAIRS: u32 = 50;
const ORDERS_OF_A_BOT: u64 = 4;
/// The exchange's limits are counted by it.
const MINUTE: Duration = Duration::from_secs(61);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const WITHIN: Duration = Duration::from_mins(15);

#[test]
fn killed_with_many_bots_it_is_soon_ready_again() {
    let plan = Plan::of(KILLS, Faults::default());
    let bots = plan.bots.unwrap_or(BOTS);
    let accounts = u32::try_from(bots.div_ceil(BOTS_OF_AN_ACCOUNT)).unwrap();
    let mut world = World::new(Setting {
        accounts,
        pairs: PAIRS,
        leave: plan.leave,
        ..Setting::sqlite("crash-recovery")
    });
    world.rest();
    let bots_flags = write_bots(&world, bots);
    let process = world.serve_first();
    world.add_accounts();
    process.end();
    world.flags = bots_flags;
    let mut process = world.serve_first();
    until_calm(&world, &process, bots);
    world.flags.clear();

    let (mut times, mut worked, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.cycles {
        world.go_on();
        thread::sleep(Duration::from_secs(1));
        world.rest();
        until_calm(&world, &process, bots);
        process.kill();
        // What was read before is not counted against what is read now.
        world.pass(MINUTE);
        let watch = Stopwatch::start();
        process = world.serve();
        while !(process.is_ready() && counts(&process).0 == bots) {
            assert!(watch.elapsed() < WITHIN, "{}", process.log());
            thread::sleep(LOOK_EVERY);
        }
        times.push(watch.elapsed());
        worked.push(Duration::from_millis(process.worked_ms()));
        weights.push(weight(&world));
    }
    times.sort_unstable();
    worked.sort_unstable();
    let line = json!({
        "bots": bots,
        "accounts": accounts,
        "kills": plan.cycles,
        "times_of_binance's_limits": plan.leave,
        "p50_ms": ms(&times, 50),
        "p99_ms": ms(&times, 99),
        "worked_p50_ms": ms(&worked, 50),
        "most_weight": weights.iter().max(),
    });
    plan.close(&line);
    process.end();
    assert!(!plan.is_asked || ms(&times, 99) <= GOAL.as_millis(), "too slow: {line}");
}

/// A file for each bot, and the flags that make them.
fn write_bots(world: &World, bots: u64) -> String {
    let mut flags = String::new();
    for bot in 0..bots {
        let (account, pair) = (bot / BOTS_OF_AN_ACCOUNT, bot % u64::from(PAIRS));
        let pair = World::pair(u32::try_from(pair).unwrap());
        let text = format!(
            "name = \"bot {bot}\"\npairs = [\"{pair}\"]\nbase_order_volume = \"20\"\n\
             safety_order_volume = \"20\"\nsafety_order_step_pct = \"0.8\"\nmax_safety_orders = 3\n\
             active_safety_orders_count = 3\ntake_profit_pct = \"0.6\"\n"
        );
        world.place.write(&format!("bot-{bot}.toml"), &text);
        let name = World::account_name(u32::try_from(account).unwrap());
        write!(flags, " --bot {name}=bot-{bot}.toml").unwrap();
    }
    flags
}

/// Every bot has a deal with all its orders, and nothing is under way.
fn until_calm(world: &World, process: &Process, bots: u64) {
    let until = Patience::of(WITHIN);
    loop {
        if process.is_ready() {
            let (found, deals) = counts(process);
            let state: Value = world.state();
            let open = state["open_orders"].as_u64().unwrap();
            // A deal that has used its safety orders up waits with its take profit alone.
            if found == bots && deals == bots && bots <= open && is_idle(process) {
                assert!(open <= bots * ORDERS_OF_A_BOT, "{open} orders of {bots} bots");
                return;
            }
        }
        assert!(until.lasts(), "it does not come to rest: {}", process.log());
        thread::sleep(Duration::from_millis(100));
    }
}

fn is_idle(process: &Process) -> bool {
    let Some((200, metrics)) = process.health("/metrics") else { return false };
    ["tranche_calls_waiting 0", "tranche_store_waiting 0"]
        .iter()
        .all(|line| metrics.lines().any(|said| said == *line))
}

/// Bots and open deals.
fn counts(process: &Process) -> (u64, u64) {
    let Some((200, text)) = process.health("/status") else { return (0, 0) };
    let status: Value = serde_json::from_str(&text).unwrap();
    let accounts = status["accounts"].as_array().unwrap();
    let sum = |name: &str| accounts.iter().map(|account| account[name].as_u64().unwrap()).sum();
    (sum("bots"), sum("deals"))
}

/// What the exchange has counted in this minute.
fn weight(world: &World) -> u64 {
    let state = world.state();
    let addresses = state["addresses"].as_array().unwrap();
    addresses.iter().map(|address| address["used_weight"].as_u64().unwrap()).sum()
}

/// The nearest rank.
fn ms(sorted: &[Duration], percent: usize) -> u128 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1].as_millis()
}

#[test]
fn rank_is_the_nearest() {
    let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();

    assert_eq!([ms(&times, 50), ms(&times, 99), ms(&times[..1], 99)], [100, 198, 1]);
}
