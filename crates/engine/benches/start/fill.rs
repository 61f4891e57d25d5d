//! The life before: accounts with bots, half of them in an open deal, committed by a process that is killed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use tranche_model::{
    ids::{AccountId, BotId, InstrumentId},
    money::Price,
    record::{Batch, JournalRow, Snapshot},
    time::Timestamp,
};
use tranche_store::{Account, Store};
use tranche_trading::{codec, shard::Options};

use crate::{
    BOTS_PER_ACCOUNT, open,
    world::{self, World},
};

/// What the child says when everything is committed.
const FILLED: &str = "filled";
/// Where the open deals were opened.
const PRICE: &str = "100";

/// Lets another process fill the file, and kills it.
pub(crate) fn by_another_process(file: &Path, accounts: u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--fill", &file.display().to_string(), &accounts.to_string()]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == FILLED), "the file is not filled");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The child: fills the file, and waits for its end.
pub(crate) async fn run(file: &Path, accounts: u32) {
    let world = lived(accounts);
    let store = open(file).await;
    for number in 1..=accounts {
        add(&store, &world, AccountId::new(number)).await;
    }
    drop(world);
    let accounts: Vec<AccountId> = (1..=accounts).map(AccountId::new).collect();
    let loaded = store.load_all(&accounts).await.unwrap();
    let batches = loaded.into_iter().map(|(account, loaded)| {
        let seq = loaded.seq.next();
        let row = JournalRow { seq, at: Timestamp::from_ms(0), body: vec![0] };
        Batch {
            account,
            epoch: loaded.epoch,
            seq_before: loaded.seq,
            seq,
            journal: vec![row],
            snapshots: Vec::new(),
            intents: Vec::new(),
            fills: Vec::new(),
            deals: Vec::new(),
            verdicts: Vec::new(),
        }
    });
    assert!(store.commit(batches.collect()).await.iter().all(Result::is_ok));
    println!("{FILLED}");
    std::io::stdout().flush().unwrap();
    sleep(Duration::from_mins(10));
}

/// Half of the bots of each account have an open deal with a take profit and a safety order at the
/// exchange; the others wait for their first price.
fn lived(accounts: u32) -> World {
    let mut world = World::new(world::instruments(1), Options::default());
    let extra =
        r#","safety_order_step_pct":"1.5","take_profit_pct":"1.5","active_safety_orders_count":1"#;
    let config = world::config(world::symbol(0), extra);
    let half = BOTS_PER_ACCOUNT / 2;
    for number in 1..=accounts {
        world.own(AccountId::new(number));
        for bot in 1..=half {
            world.create(AccountId::new(number), bot_id(number, bot), &config);
        }
    }
    world.tick(InstrumentId::new(0), Price::parse(PRICE).unwrap());
    world.settle();
    for number in 1..=accounts {
        for bot in half + 1..=BOTS_PER_ACCOUNT {
            world.create(AccountId::new(number), bot_id(number, bot), &config);
        }
    }
    world
}

fn bot_id(account: u32, bot: u32) -> BotId {
    BotId::new((account - 1) * BOTS_PER_ACCOUNT + bot)
}

async fn add(store: &Store, world: &World, account: AccountId) {
    let state = world.shard.account(account).unwrap();
    let bots = state.bots.iter().map(|(id, bot)| (*id, codec::encode_bot(bot).unwrap()));
    let snapshot =
        Snapshot { account: codec::encode_desk(&state.desk).unwrap(), bots: bots.collect() };
    let row = Account {
        account,
        user: None,
        venue: "binance".to_owned(),
        name: format!("paper-{account}"),
        is_paper: true,
        credential: None,
        created_at: Timestamp::from_ms(0),
    };
    assert!(store.add_account(&row, &snapshot).await.unwrap());
}
