//! Small scope, exhaustively: every order of a few events, with every fault at every place.
//!
//! A failure that needs many things at once is for the storms and worlds; here nothing is left to
//! chance. Each run ends with calm, in which everything must come to rest and agree.

mod long;

use tranche_model::{ids::CommandId, time::Millis};
use tranche_sim::{
    driver::Setup,
    exchange,
    line::{CallFault, EventFault},
    memory::CommitFault,
};
use tranche_trading::{
    dca::{
        Draft,
        draft::{BaseOrderType, DeviationReference, StopLossReference, TakeProfitType},
    },
    event::{Command, CommandBody, KillLevel, Scope},
};

use crate::{
    books::{self, Disturbed},
    scene::{A, BOT, FIRST_DEAL, OURS, Scene, Terms, draft, instrument, pct},
};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Price(&'static str),
    Wait(u32),
    Close,
    CancelDeal,
    Pause,
    Resume,
    Stop,
    Kill(KillLevel),
    Stream(bool),
    Gap,
    Meddle,
}

/// What goes wrong, and at which call, event, commit or move from the beginning.
#[derive(Debug, Clone, Copy)]
enum Hurt {
    Nothing,
    Call(u64, CallFault),
    Event(u64, EventFault),
    Commit(u64, CommitFault),
    /// The process dies before this move.
    Death(usize),
}

const CALLS: [CallFault; 7] = [
    CallFault::LoseRequest,
    CallFault::LoseReply,
    CallFault::LateRequest(Millis::new(4_000)),
    CallFault::LateReply(Millis::new(3_000)),
    CallFault::DoubleReply,
    CallFault::Acknowledged,
    CallFault::LaggingRead(Millis::new(6_000)),
];
const EVENTS: [EventFault; 3] =
    [EventFault::Drop, EventFault::Double, EventFault::Delay(Millis::new(4_000))];
const COMMITS: [CommitFault; 4] = [
    CommitFault::Fail,
    CommitFault::ApplyLoseReply,
    CommitFault::Lose,
    CommitFault::Delay { turns: 2 },
];

/// How many calls, events and commits a run made.
#[derive(Debug, Clone, Copy)]
struct Made {
    calls: u64,
    events: u64,
    commits: u64,
}

fn scene(draft: &Draft) -> Scene {
    let exchange = exchange::Settings { latency: Millis::new(40), ..exchange::Settings::default() };
    let setup = Setup { exchange, ..Setup::default() };
    let list = vec![instrument(A, "AAA/USDT")];
    let mut scene = Scene::on(list, setup, Terms::default());
    scene.create(BOT, draft.clone());
    scene
}

/// Lives a story through, with one thing going wrong in it.
fn endure(draft: &Draft, story: &[Move], hurt: Hurt) -> Result<Made, String> {
    live(draft, story, |scene, place| match hurt {
        Hurt::Call(n, fault) if place == 0 => scene.next_call(n, fault),
        Hurt::Event(n, fault) if place == 0 => scene.next_event(n, fault),
        Hurt::Commit(n, fault) if place == 0 => scene.next_commit(n, fault),
        Hurt::Death(at) if at == place => die(scene),
        Hurt::Nothing | Hurt::Call(..) | Hurt::Event(..) | Hurt::Commit(..) | Hurt::Death(_) => {}
    })
}

/// Lives a story through; `before` each move, and behind the last, something may go wrong. Then nothing does
/// any more, and everything has to come to rest.
fn live(draft: &Draft, story: &[Move], before: impl Fn(&mut Scene, usize)) -> Result<Made, String> {
    let mut scene = scene(draft);
    let mut last_command = 1_000;
    for (place, step) in story.iter().enumerate() {
        before(&mut scene, place);
        take(&mut scene, *step, &mut last_command);
        look(&scene)?;
    }
    before(&mut scene, story.len());
    let made = Made {
        calls: scene.driver.line.counts().0,
        events: scene.driver.line.counts().1,
        commits: scene.driver.memory.submitted(),
    };
    scene.driver.line.plan_mut().calls.clear();
    scene.driver.line.plan_mut().events.clear();
    scene.driver.memory.plan_mut().clear();
    scene.driver.stream(OURS, true);
    rest(&mut scene)?;
    Ok(made)
}

/// The process dies, and another one loads what was committed.
fn die(scene: &mut Scene) {
    scene.driver.memory.crash();
    scene.evict();
}

fn take(scene: &mut Scene, step: Move, last_command: &mut u128) {
    let body = match step {
        Move::Price(at) => return scene.tick(A, at),
        Move::Wait(seconds) => return scene.wait(seconds),
        Move::Stream(live) => return scene.driver.stream(OURS, live),
        Move::Gap => return scene.driver.gap(A),
        Move::Meddle => {
            let open = scene.driver.exchange.open_orders(OURS);
            let now = scene.driver.now();
            if let Some(order) = open.first() {
                scene.driver.exchange.cancel_foreign(OURS, order.venue_id, now).unwrap();
            }
            return;
        }
        Move::Close => CommandBody::CloseDeal { bot: BOT, deal: FIRST_DEAL },
        Move::CancelDeal => CommandBody::CancelDeal { bot: BOT, deal: FIRST_DEAL },
        Move::Pause => CommandBody::PauseEntries { scope: Scope::Bot(BOT) },
        Move::Resume => CommandBody::Resume { scope: Scope::Bot(BOT) },
        Move::Stop => CommandBody::StopBot { bot: BOT },
        Move::Kill(level) => CommandBody::Kill { level },
    };
    *last_command += 1;
    let id = CommandId::new(*last_command);
    // Given again until it has a verdict, as whoever feeds a shard does it.
    for _ in 0..6 {
        let command = Command { id, body: body.clone() };
        scene.driver.command(OURS, command);
        let stored = scene.driver.memory.memory().stored(OURS).unwrap();
        if stored.verdicts.contains_key(&id) {
            break;
        }
    }
}

fn look(scene: &Scene) -> Result<(), String> {
    books::always(&scene.driver, OURS, Disturbed::default())
}

/// Nothing goes wrong any more: within the time of the longest proof and pause all is quiet.
fn rest(scene: &mut Scene) -> Result<(), String> {
    let last =
        scene.driver.exchange.last_price(A).map_or_else(|| "100".to_owned(), |p| p.to_string());
    for round in 0..90_u32 {
        scene.wait(14);
        scene.tick(A, &last);
        if 4 <= round && books::quiet(&scene.driver, OURS).is_ok() {
            return look(scene);
        }
    }
    books::quiet(&scene.driver, OURS)
}

/// Every fault at every place of a story.
fn every_fault(name: &str, draft: &Draft, story: &[Move]) -> u64 {
    let mut runs = 0;
    let mut run = |hurt| {
        runs += 1;
        let made = endure(draft, story, hurt);
        made.unwrap_or_else(|error| panic!("{name}, {story:?}, {hurt:?}: {error}"))
    };
    let made = run(Hurt::Nothing);
    for n in 1..=made.calls {
        for fault in CALLS {
            run(Hurt::Call(n, fault));
        }
    }
    for n in 1..=made.events {
        for fault in EVENTS {
            run(Hurt::Event(n, fault));
        }
    }
    for n in 1..=made.commits {
        for fault in COMMITS {
            run(Hurt::Commit(n, fault));
        }
    }
    for place in 0..story.len() {
        run(Hurt::Death(place));
    }
    runs
}

/// Every order of the moves.
fn orders(moves: &[Move]) -> Vec<Vec<Move>> {
    if moves.len() <= 1 {
        return vec![moves.to_vec()];
    }
    let mut all = Vec::new();
    for (place, first) in moves.iter().enumerate() {
        let mut rest = moves.to_vec();
        rest.remove(place);
        all.extend(orders(&rest).into_iter().map(|rest| [vec![*first], rest].concat()));
    }
    all.sort_by_key(|order| format!("{order:?}"));
    all.dedup();
    all
}

/// Every order of four moves after a beginning, with deaths at every place and, in the first, the
/// middle and the last order, every fault at every place.
fn exhaust(name: &str, draft: &Draft, beginning: &[Move], moves: [Move; 4]) {
    let all = orders(&moves);
    let deep = [0, all.len() / 2, all.len() - 1];
    for (number, order) in all.iter().enumerate() {
        let story = [beginning, order].concat();
        if deep.contains(&number) {
            every_fault(name, draft, &story);
            continue;
        }
        for place in 0..=story.len() {
            let made = endure(draft, &story, Hurt::Death(place));
            made.unwrap_or_else(|error| panic!("{name}, {story:?}, death {place}: {error}"));
        }
        for n in 1..8 {
            for hurt in [
                Hurt::Call(n, CallFault::LoseReply),
                Hurt::Event(n, EventFault::Drop),
                Hurt::Commit(n, CommitFault::ApplyLoseReply),
            ] {
                let made = endure(draft, &story, hurt);
                made.unwrap_or_else(|error| panic!("{name}, {story:?}, {hurt:?}: {error}"));
            }
        }
    }
}

/// What is exhausted: what goes before, and four moves in every order; the long run takes all six.
struct Subject {
    name: &'static str,
    draft: Draft,
    beginning: &'static [Move],
    moves: [Move; 6],
}

impl Subject {
    fn exhaust(&self) {
        let [first, second, third, fourth, ..] = self.moves;
        exhaust(self.name, &self.draft, self.beginning, [first, second, third, fourth]);
    }
}

const BOUGHT: &[Move] = &[Move::Price("100")];

fn placing() -> Subject {
    use Move::{Pause, Price, Resume, Stream};
    let moves = [Price("100"), Stream(false), Stream(true), Pause, Resume, Price("98.9")];
    Subject { name: "place", draft: draft(), beginning: &[], moves }
}

fn filling() -> Subject {
    use Move::{Gap, Price, Stop, Wait};
    let moves = [Price("98.9"), Price("97.9"), Gap, Stop, Price("103"), Wait(20)];
    Subject { name: "fill", draft: draft(), beginning: BOUGHT, moves }
}

fn cancel_race() -> Subject {
    use Move::{Close, Meddle, Pause, Price, Wait};
    let moves = [Close, Price("102.5"), Meddle, Price("98.5"), Pause, Wait(20)];
    Subject { name: "cancel race", draft: draft(), beginning: BOUGHT, moves }
}

fn take_profit() -> Subject {
    use Move::{Close, Meddle, Price, Wait};
    let moves = [Price("98.9"), Price("102.5"), Meddle, Wait(20), Price("97.9"), Close];
    Subject { name: "take profit", draft: draft(), beginning: BOUGHT, moves }
}

fn stop() -> Subject {
    use Move::{CancelDeal, Price, Stream, Wait};
    let stop = Draft { stop_loss_pct: Some(pct("5")), ..draft() };
    let moves = [Price("94"), Price("102.5"), CancelDeal, Stream(false), Price("98.9"), Wait(20)];
    Subject { name: "stop", draft: stop, beginning: BOUGHT, moves }
}

#[test]
fn placing_endures_everything() {
    placing().exhaust();
}

#[test]
fn filling_endures_everything() {
    filling().exhaust();
}

#[test]
fn a_cancel_that_races_a_fill_endures_everything() {
    cancel_race().exhaust();
}

#[test]
fn a_take_profit_that_moves_endures_everything() {
    take_profit().exhaust();
}

#[test]
fn a_stop_before_a_take_profit_endures_everything() {
    stop().exhaust();
}

/// Stories of all that a deal can live through.
fn stories() -> Vec<(&'static str, Draft, Vec<Move>)> {
    use Move::{CancelDeal, Close, Gap, Kill, Meddle, Pause, Price, Resume, Stop, Stream, Wait};
    let plain = draft;
    let limit = || Draft { base_order_type: BaseOrderType::Limit, ..draft() };
    let stop = || Draft { stop_loss_pct: Some(pct("5")), ..draft() };
    let patient = || Draft { stop_loss_timeout_seconds: 3, ..stop() };
    let trailing = || Draft { trailing_deviation_pct: Some(pct("0.5")), ..draft() };
    let watched = || Draft { active_safety_orders_count: Some(0), ..draft() };
    let single = || Draft { active_safety_orders_count: Some(1), ..draft() };
    let average = || Draft {
        deviation_reference: DeviationReference::Average,
        active_safety_orders_count: Some(1),
        ..draft()
    };
    let of_average = || Draft { stop_loss_reference: StopLossReference::Average, ..stop() };
    let of_base = || Draft { take_profit_type: TakeProfitType::Base, ..draft() };
    let cool = || Draft { cooldown_seconds: 30, ..draft() };
    let once = || Draft { stop_after_deals: Some(1), ..draft() };
    let bare = || Draft { max_safety_orders: 0, active_safety_orders_count: Some(0), ..draft() };
    let begin = Price("100");
    let (down, deep, up) = (Price("98.9"), Price("97.5"), Price("103"));
    vec![
        ("a round", plain(), vec![begin, up]),
        ("one rung", plain(), vec![begin, down, up]),
        ("two rungs", plain(), vec![begin, down, deep, up]),
        ("a jump over both", plain(), vec![begin, Price("90"), up]),
        ("there and back", plain(), vec![begin, down, Price("100"), deep, Price("99.5")]),
        ("a limit entry", limit(), vec![begin, Price("99.5"), up]),
        ("a limit entry that follows", limit(), vec![begin, Price("101"), Wait(25), Price("102")]),
        ("a limit entry given up", limit(), vec![begin, Price("105"), Wait(70), Price("106")]),
        ("a stop", stop(), vec![begin, down, Price("94")]),
        ("a patient stop", patient(), vec![begin, Price("94"), Wait(5), Price("93")]),
        ("a stop left again", patient(), vec![begin, Price("94"), Price("99"), Wait(5), up]),
        ("a stop of the average", of_average(), vec![begin, down, Price("94")]),
        ("a trailing exit", trailing(), vec![begin, up, Price("104"), Price("103")]),
        ("a trailing exit after a rung", trailing(), vec![begin, down, up, Price("101")]),
        ("a watched ladder", watched(), vec![begin, down, deep, up]),
        ("a watched ladder jumped over", watched(), vec![begin, Price("90"), up]),
        ("one rung at a time", single(), vec![begin, down, deep, up]),
        ("rungs of the average", average(), vec![begin, down, deep, up]),
        ("profit of the base", of_base(), vec![begin, down, up]),
        ("a cooldown", cool(), vec![begin, up, begin, Wait(31), begin]),
        ("one deal and no more", once(), vec![begin, up, begin]),
        ("no ladder", bare(), vec![begin, up, begin]),
        ("a user who closes", plain(), vec![begin, down, Close, begin]),
        ("a user who cancels", plain(), vec![begin, down, CancelDeal, Stop]),
        ("a pause", plain(), vec![begin, Pause, down, Resume, down, up]),
        ("a kill switch", plain(), vec![begin, down, Kill(KillLevel::CloseAll), up]),
        ("other hands", plain(), vec![begin, Meddle, down, Meddle, up]),
        ("a deaf stream", plain(), vec![begin, Stream(false), down, Stream(true), up]),
        ("a gap", watched(), vec![begin, Gap, down, Gap, deep]),
    ]
}

#[test]
fn every_story_endures_every_failure_of_store_and_network() {
    let stories = stories();
    assert!(25 <= stories.len());
    let runs: u64 =
        stories.iter().map(|(name, draft, story)| every_fault(name, draft, story)).sum();
    assert!(5_000 < runs, "{runs} runs");
}
