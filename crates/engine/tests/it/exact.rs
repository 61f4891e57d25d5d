//! The same ticks through the live engine on the paper exchange and through the backtest in every mode:
//! the same deals, to the last digit and millisecond.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rust_decimal::Decimal;
use tokio::sync::{mpsc, watch};
use tranche_engine::{Engine, Handle, Setup, paper::Paper, store::MemoryStore};
use tranche_model::{
    balance::{Balance, FeeAsset},
    candle::{Candle, Tick},
    client_order_id::Origin,
    ids::{BotId, CommandId, Incarnation, Installation, InstrumentId, TradeId, UserId},
    instrument::Instruments,
    money::{Amount, Fraction, Price, Qty},
    record::DealRow,
    time::Timestamp,
};
use tranche_sim::{
    backtest::{self, Mode, Plan},
    exchange::{self, Exchange, FillRule, Path},
};
use tranche_trading::{
    account::AccountState,
    dca::{
        Config, Draft,
        draft::{DeviationReference, Pct, StopLossReference},
    },
    dispatch::limits::Limits,
    event::{Command, CommandBody, Settings, Timing},
    shard::Options,
};
use tranche_venue::{
    secret::Credentials,
    venue::{
        Aside, BadKey, CandleRange, Later, Listings, Market, MarketEvent, ReadError, Venue,
        VenueAccount,
    },
};

use crate::scene::{OURS, PAIR, draft, instrument};

const BEGIN: i64 = 1_600_000_000_000;
const TICKS: i64 = 2500;

#[tokio::test]
async fn live_engine_and_backtest_make_the_same_deals() {
    let ticks = ticks();
    let live = live(&ticks).await;
    let market = backtest::Market::of_ticks(instruments(), &[(PAIR, &ticks)]).unwrap();
    let backtested = [Mode::Every, Mode::Scan, Mode::Jump].map(|mode| {
        let report = backtest::run_on(&market, &plan(mode), &mut |_| {}).unwrap();
        report.deals
    });

    let ended = |name: &str| live.iter().filter(|deal| deal.ended == name).count();
    let kinds = ["take_profit", "trailing_take_profit", "stop_loss"].map(ended);
    assert!(kinds.iter().all(|count| 0 < *count), "{kinds:?} of {}", live.len());
    for deals in backtested {
        for (ours, theirs) in live.iter().zip(&deals) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(live.len(), deals.len());
    }
}

/// One tick after the other, as they come from an exchange; the engine is given the time to do what follows.
async fn live(ticks: &[Tick]) -> Vec<DealRow> {
    let (events, market) = mpsc::channel(16);
    let (watched, _) = watch::channel(tranche_venue::venue::Watched::new());
    let market = Mutex::new(Some(Market::new(market, watched, 16)));
    let tape = Arc::new(Tape { now: AtomicI64::new(BEGIN), market });
    let venue: Arc<dyn Venue> = Arc::<Tape>::clone(&tape);
    let paper = Paper::new(Exchange::new(instruments(), settings()), Arc::clone(&venue));
    let account = account();
    let purse = (account.fees, account.fee_asset);
    let way = paper.open(OURS, purse, balances()).unwrap();
    let store = Arc::new(MemoryStore::default());
    store.add_account(OURS);
    let (engine, _news) = Engine::start(Setup {
        instruments: instruments(),
        shard: Options::default(),
        limits: Limits::default(),
        venue,
        store: Arc::<MemoryStore>::clone(&store),
        paper: Some(paper),
    });
    engine.own(OURS, account, way).await.unwrap();
    settle(&engine, &tape, 0).await;
    for (number, (bot, config)) in (1..).zip(bots()) {
        let body = CommandBody::CreateBot { bot, config: Box::new(config) };
        let command = Command { id: CommandId::new(number), body };
        engine.command(OURS, command).await.unwrap().unwrap();
    }
    for (number, tick) in (1..).zip(ticks) {
        tape.now.store(tick.at.ms(), Ordering::SeqCst);
        let trade_id = TradeId::new(u128::from(number));
        let received = tick.at;
        events.send(MarketEvent::Trade { tick: *tick, trade_id, received }).await.unwrap();
        settle(&engine, &tape, number).await;
    }
    engine.stop().await.unwrap();
    store.look(|memory| memory.stored(OURS).unwrap().deals.clone())
}

/// Waits until so many ticks were taken in and nothing is under way.
async fn settle(engine: &Handle, tape: &Arc<Tape>, ticks: u64) {
    let mut quiet = 0;
    for round in 0..20_000 {
        // Private news goes through a task of its own: what is quiet once may not be yet.
        if quiet == 3 {
            return;
        }
        let now = tape.now();
        let look = engine.look(move |shard, running| {
            let is_ready = shard
                .account(OURS)
                .is_some_and(|account| account.desk.state == AccountState::Ready);
            let is_due = shard.next_time().is_some_and(|due| due <= now);
            is_ready && !is_due && running.is_quiet() && running.ticks == ticks
        });
        quiet = if look.await.unwrap() { quiet + 1 } else { 0 };
        if round % 100 == 99 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::task::yield_now().await;
    }
    panic!("the engine does not come to rest");
}

/// A venue that is only a clock and a market; accounts are on paper.
#[derive(Debug)]
struct Tape {
    now: AtomicI64,
    market: Mutex<Option<Market>>,
}

impl Venue for Tape {
    fn name(&self) -> &'static str {
        "tape"
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.now.load(Ordering::SeqCst))
    }

    fn clock_offset_ms(&self) -> Option<i64> {
        Some(0)
    }

    fn server_time(&self) -> Later<'_, Result<Timestamp, ReadError>> {
        Box::pin(async move { Ok(self.now()) })
    }

    fn sync_clock(&self) -> Later<'_, Result<(), ReadError>> {
        Box::pin(async move { Ok(()) })
    }

    fn listings(&self) -> Later<'_, Result<Listings, ReadError>> {
        unreachable!("nobody asks a tape for its pairs")
    }

    fn market(&self) -> Market {
        self.market.lock().unwrap().take().unwrap()
    }

    fn prices(
        &self,
        _instruments: BTreeSet<InstrumentId>,
    ) -> Later<'_, Result<Vec<(InstrumentId, Price)>, ReadError>> {
        unreachable!("a tape never breaks")
    }

    fn aside(&self) -> Aside {
        Aside::default()
    }

    fn candles(&self, _range: CandleRange) -> Later<'_, Result<Vec<Candle>, ReadError>> {
        unreachable!("nobody asks a tape for candles")
    }

    fn candles_max(&self) -> usize {
        1
    }

    fn account(
        &self,
        _credentials: Credentials,
        _installation: Installation,
    ) -> Result<Box<dyn VenueAccount>, BadKey> {
        unreachable!("accounts are on paper")
    }
}

/// Plain, trailing with watched orders, and with a stop; they share the account and the pair.
fn bots() -> Vec<(BotId, Config)> {
    let pct = |text: &str| Pct::parse(text).unwrap();
    let trailing = Draft {
        trailing_deviation_pct: Some(pct("0.4")),
        active_safety_orders_count: Some(0),
        deviation_reference: DeviationReference::Average,
        ..draft()
    };
    let stopped = Draft {
        stop_loss_pct: Some(pct("2.5")),
        stop_loss_reference: StopLossReference::Average,
        ..draft()
    };
    let drafts = [draft(), trailing, stopped];
    (1..).zip(drafts).map(|(n, draft)| (BotId::new(n), Config::try_from(draft).unwrap())).collect()
}

fn plan(mode: Mode) -> Plan {
    Plan {
        account: account(),
        balances: balances(),
        bots: bots(),
        exchange: settings(),
        path: Path::default(),
        mode,
        record: false,
    }
}

fn account() -> Settings {
    let rate = Fraction::new(Decimal::new(1, 3));
    Settings {
        user: UserId::new(1),
        origin: Origin { installation: Installation::new(3), incarnation: Incarnation::new(1) },
        fees: tranche_model::balance::FeeRates { maker: rate, taker: rate },
        fee_asset: FeeAsset::Received,
        timing: Timing::default(),
    }
}

fn settings() -> exchange::Settings {
    exchange::Settings { fill: FillRule::Touch, ..exchange::Settings::default() }
}

fn balances() -> Vec<Balance> {
    let asset = instrument().symbol.quote;
    vec![Balance { asset, free: Amount::new(Decimal::from(10_000)), locked: Amount::ZERO }]
}

fn instruments() -> Instruments {
    Instruments::new(vec![instrument()]).unwrap()
}

/// A walk around 100, about a minute between trades.
fn ticks() -> Vec<Tick> {
    let mut state = 5_u64;
    let mut below = |bound: i64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap() % bound
    };
    let (mut cents, mut ms) = (10_000_i64, BEGIN);
    let mut tick = |_| {
        ms += 1000 + below(120_000);
        cents = (cents + below(61) - 30).clamp(8_000, 12_000);
        let price = Price::new(Decimal::new(cents, 2));
        Tick { instrument: PAIR, price, qty: Qty::ZERO, at: Timestamp::from_ms(ms) }
    };
    (0..TICKS).map(&mut tick).collect()
}
