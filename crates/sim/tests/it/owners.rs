//! A new owner of an account: what it is told, what it takes over, what it must read again.

use tranche_model::{
    balance::FeeRates,
    ids::{Incarnation, Ticket},
    money::Fraction,
    record::Call,
    time::Millis,
};
use tranche_sim::{
    driver::Setup,
    line::{CallFault, EventFault},
    memory::CommitFault,
    replay::{Entry, Header, Recording, Verifier, begin, entry},
};
use tranche_trading::{
    dca::Draft,
    event::Event,
    shard::{Input, Options, Output},
    why::Why,
};

use crate::{
    books,
    scene::{A, BOT, OURS, Scene, Terms, draft, pct, settings},
};

#[test]
fn an_owner_brings_its_own_settings() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");

    // A backup was restored, and the fees have risen meanwhile.
    let fee = Fraction::parse("0.002").unwrap();
    let mut renewed = settings(Terms::default());
    renewed.origin.incarnation = Incarnation::new(9);
    renewed.fees = FeeRates { maker: fee, taker: fee };
    scene.driver.own(OURS, renewed.clone());
    scene.listen();
    assert_eq!(scene.account().desk.settings, renewed);

    scene.tick(A, "103");
    scene.tick(A, "103");
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    let newest = stored.intents.last().unwrap().request.client_id;
    assert_eq!(newest.origin().incarnation, Incarnation::new(9));
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn a_new_owner_reads_what_was_traded_although_no_order_is_out() {
    let mut scene = Scene::new();
    // Its safety orders are watched and its take profit trails: nothing rests.
    let watched = Draft {
        active_safety_orders_count: Some(0),
        trailing_deviation_pct: Some(pct("1")),
        ..draft()
    };
    scene.create(BOT, watched);
    scene.tick(A, "100");
    scene.wait(30);
    assert_eq!(scene.open().len(), 0);
    let (opened_at, now) = (scene.deal(BOT).opened_at, scene.driver.now());
    let (epoch, seq, snapshot) = scene.driver.memory.load(OURS).unwrap();

    // A fill that came late, and whose question to the store died with its owner, is among them.
    let shard = &mut scene.driver.shard;
    let mut out = Vec::new();
    shard.step(Input::Evict { account: OURS }, now, &mut out);
    let snapshot = Box::new(snapshot);
    shard.step(Input::Loaded { account: OURS, epoch, seq, snapshot }, now, &mut out);
    out.clear();
    shard.flush(&mut out);
    let committed = Input::Committed(ticket(&out));
    shard.step(committed, now, &mut out);
    let reads_all = |output: &Output| matches!(output, Output::Call { call: Call::Trades { since, .. }, .. } if *since <= opened_at);
    assert!(out.iter().any(reads_all), "{out:?}");
}

#[test]
fn a_recording_with_failed_commits_replays() {
    let shard = Options { record: true, ..Options::default() };
    let mut scene = Scene::with(Setup { shard, ..Setup::default() }, Terms::default());
    scene.create(BOT, draft());
    for (ahead, fault) in [
        (2, CommitFault::Fail),
        (6, CommitFault::Lose),
        (9, CommitFault::ApplyLoseReply),
        (14, CommitFault::Fail),
    ] {
        scene.next_commit(ahead, fault);
    }
    for price in ["100", "98.9", "100", "103", "99", "104", "100"] {
        scene.tick(A, price);
        scene.wait(30);
    }

    let header = Header {
        written_by: String::new(),
        market: String::new(),
        instruments: (**scene.driver.shard.instruments()).clone(),
    };
    let mut bytes = begin(&header).unwrap();
    for recorded in scene.told.iter().filter_map(Entry::of) {
        bytes.extend(entry(&recorded).unwrap());
    }
    let mut recording = Recording::open(&bytes).unwrap();
    let mut verifier = Verifier::new(&recording.header);
    for entry in recording.by_ref() {
        verifier.repeat(&entry.unwrap()).map_err(|differs| differs.to_string()).unwrap();
    }
    assert!(20 < verifier.same);
}

#[test]
fn a_commit_of_a_dead_life_confirms_nothing() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let now = scene.driver.now().plus(Millis::from_secs(1));
    let loaded = scene.driver.memory.load(OURS).unwrap();
    let shard = &mut scene.driver.shard;
    let mut out = Vec::new();
    shard.step(Input::Time, now, &mut out);
    let event = Box::new(Event::Stream { live: true });
    shard.step(Input::Event { account: OURS, event }, now, &mut out);
    shard.flush(&mut out);
    let old = ticket(&out);
    out.clear();
    shard.step(Input::Evict { account: OURS }, now, &mut out);
    let (epoch, seq, snapshot) = loaded;
    let snapshot = Box::new(snapshot);
    shard.step(Input::Loaded { account: OURS, epoch, seq, snapshot }, now, &mut out);
    out.clear();
    shard.flush(&mut out);
    let new = ticket(&out);

    let mut after = Vec::new();
    shard.step(Input::Committed(old), now, &mut after);
    assert!(after.is_empty(), "{after:?}");
    shard.step(Input::Committed(new), now, &mut after);
    assert!(after.iter().any(|output| matches!(output, Output::Call { .. })), "{after:?}");
}

#[test]
fn answers_to_a_former_owner_prove_nothing() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.next_call(1, CallFault::LoseRequest);
    for ahead in 1..10 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "100");
    let sent = scene.driver.now();

    // Each life asks, and dies before the answer: the next one asks the same again.
    for _ in 0..20 {
        scene.wait(1);
        scene.evict();
    }
    while scene.orders_placed() == 1 {
        scene.wait(1);
        assert!(scene.driver.now().since(sent) < Millis::from_secs(120));
    }
    assert!(Millis::from_secs(45) <= scene.driver.now().since(sent));
    assert!(scene.whys.iter().any(|why| matches!(why, Why::ProvedNotPlaced { .. })));
}

fn ticket(out: &[Output]) -> Ticket {
    let commit = out.iter().find_map(|output| {
        if let Output::Commit { ticket, .. } = output { Some(*ticket) } else { None }
    });
    commit.unwrap()
}
