//! The market's side of the exchange: a recording that passes, or ticks that a test pushes.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tranche_model::{
    candle::Tick,
    ids::InstrumentId,
    money::{Price, Qty},
    time::{Millis, Timestamp},
};

use crate::{
    feed::{Feed, FeedItem, Frame},
    settings::Speed,
    tasks::Stopping,
    world::{Shared, World},
};

/// Items that pass under one lock.
const AT_ONCE: usize = 256;
/// The longest sleep between two looks at the clock.
const NAP: Millis = Millis::new(250);
const BEAT: std::time::Duration = std::time::Duration::from_millis(100);

/// Lets tests and operators trade on the market.
#[derive(Debug, Clone)]
pub struct Market {
    shared: Arc<Shared>,
}

impl Market {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The market trades, now.
    pub fn push(&self, instrument: InstrumentId, price: Price, qty: Qty) {
        let at = Timestamp::MIN;
        self.shared.world().trade(&Tick { instrument, price, qty, at });
    }
}

/// The recording and how far it has come.
#[derive(Debug, Clone)]
pub(crate) struct Recording(Arc<Mutex<Reel>>);

#[derive(Debug)]
struct Reel {
    feed: Box<dyn Feed>,
    next: Option<FeedItem>,
    speed: Speed,
    /// The recording's time of the first item, and the clock's time at which it passed.
    origin: Option<(Timestamp, Timestamp)>,
}

/// How far a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// This many items.
    Items(u32),
    /// This many milliseconds of the recording.
    Ms(u32),
}

impl Recording {
    pub(crate) fn new(feed: Box<dyn Feed>, speed: Speed) -> Self {
        Self(Arc::new(Mutex::new(Reel { feed, next: None, speed, origin: None })))
    }

    pub(crate) fn speed(&self) -> Speed {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).speed
    }

    /// Moves on by hand; how many items passed.
    pub(crate) fn step(&self, shared: &Shared, step: Step) -> usize {
        let reel = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = shared.world();
        let mut passed = 0;
        let until = match step {
            Step::Items(_) => None,
            Step::Ms(ms) => {
                let from = world.progress.at.or_else(|| reel.peek().map(FeedItem::at));
                from.map(|from| from.plus(Millis::new(ms)))
            }
        };
        let most = match step {
            Step::Items(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Step::Ms(_) => usize::MAX,
        };
        while passed < most
            && reel.peek().is_some_and(|item| until.is_none_or(|until| item.at() <= until))
        {
            reel.pass(&mut world);
            passed += 1;
        }
        if let Some(until) = until {
            world.progress.at = Some(until);
        }
        passed
    }

    /// Lets everything pass whose turn has come; how long to wait for the next, `None` at the end.
    fn run(&self, shared: &Shared) -> Option<Millis> {
        let reel = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Speed::Times(speed) = reel.speed else { return None };
        let mut world = shared.world();
        for _ in 0..AT_ONCE {
            let now = world.now();
            let Some(item) = reel.peek() else {
                world.progress.is_over = true;
                return None;
            };
            let at = item.at();
            let (first, started) = *reel.origin.get_or_insert((at, now));
            let way = at.ms().saturating_sub(first.ms()) / i64::from(speed.max(1));
            let due = Timestamp::from_ms(started.ms().saturating_add(way));
            if now < due {
                return Some(due.since(now).min(NAP));
            }
            reel.pass(&mut world);
        }
        Some(Millis::ZERO)
    }
}

impl Reel {
    fn peek(&mut self) -> Option<&FeedItem> {
        if self.next.is_none() {
            self.next = self.feed.next();
        }
        self.next.as_ref()
    }

    fn pass(&mut self, world: &mut World) {
        let Some(item) = self.next.take() else { return };
        world.progress.items = world.progress.items.saturating_add(1);
        world.progress.at = Some(item.at());
        match item {
            FeedItem::Tick(tick) => world.trade(&tick),
            FeedItem::Frame(frame) => world.replay(&frame),
        }
    }
}

/// Lets the recording pass at its speed.
pub(crate) async fn pass(recording: Recording, shared: Arc<Shared>, mut stop: Stopping) {
    while let Some(nap) = recording.run(&shared) {
        let nap = std::time::Duration::from_millis(u64::from(nap.ms()).max(1));
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = stop.wait() => return,
        }
    }
}

/// Tells streams what they are told at fixed times.
pub(crate) async fn beat(shared: Arc<Shared>, mut stop: Stopping) {
    let mut number = 0_u64;
    let mut beats = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            _ = beats.tick() => {}
            () = stop.wait() => return,
        }
        shared.world().beat(number);
        number = number.wrapping_add(1);
    }
}

impl World {
    /// Sends a recorded frame on as it is; one of a trade moves the exchange as well.
    fn replay(&mut self, frame: &Frame) {
        #[derive(Deserialize)]
        struct Trade {
            p: String,
            q: String,
        }
        if let Some((symbol, _)) = frame.stream.split_once('@')
            && self.hub.recorded.insert(format!("{symbol}@"))
        {
            tracing::info!(symbol, "an instrument is replayed from frames");
        }
        self.hub.publish(&frame.stream, &frame.data);
        if let Some((symbol, "trade")) = frame.stream.split_once('@')
            && let Some(instrument) = self.instrument(&symbol.to_uppercase()).map(|it| it.id)
            && let Ok(trade) = serde_json::from_str::<Trade>(&frame.data)
            && let (Ok(price), Ok(qty)) = (Price::parse(&trade.p), Qty::parse(&trade.q))
        {
            self.trade(&Tick { instrument, price, qty, at: frame.at });
        }
    }
}
