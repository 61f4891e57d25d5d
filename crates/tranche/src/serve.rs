//! `tranche serve`: bots that trade for good, on a database that outlives the process.

mod accounts;
mod fees;
mod health;
mod keys;
mod pairs;
mod retention;
mod rounds;
mod timetable;
mod venue;

use std::{ops::RangeInclusive, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{sync::mpsc, time::sleep};
use tranche_engine::{Ending, Engine, Handle, Setup, Told, database::DatabaseStore, paper::Paper};
use tranche_model::time::Millis;
use tranche_sim::exchange::{self, Exchange};
use tranche_store::Settings as StoreSettings;
use tranche_trading::shard::Options;
use tranche_venue::{binance::Binance, venue::Venue};

pub(crate) use self::fees::words as fee_words;
use self::{accounts::Accounts, health::Health, retention::Retained, venue::Reached};
use crate::{
    cli::ServeTask,
    console,
    ground::Ground,
    runtime,
    runtime::Stop,
    settings::{self, Settings},
};

/// How often the database is looked at for new accounts.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LEASES: RangeInclusive<Duration> = Duration::from_secs(6)..=Duration::from_mins(2);
/// What `--keep-journal` is when nobody says otherwise.
const KEEP_JOURNAL: &str = "30d";
/// How long after a second signal the process is gone whatever it does.
const LAST_WORDS: Duration = Duration::from_millis(100);

pub(crate) fn run(task: &ServeTask, settings: &Settings) -> Result<ExitCode> {
    runtime::run(serve(task, settings))
}

async fn serve(task: &ServeTask, settings: &Settings) -> Result<ExitCode> {
    let mut stop = Stop::listen().context("signals cannot be listened to")?;
    let terms = settings.terms_with(&task.terms, "received")?;
    let lease = lease(task)?;
    settings::check_name("egress", &task.egress)?;
    let keep = settings::keep_journal(task.keep_journal.as_deref().unwrap_or(KEEP_JOURNAL))?;
    let ground = Arc::new(Ground::for_engine(&task.store, lease).await?);
    let health = Health::listen(task.health).await?.serve();
    let reached = tokio::select! {
        reached = venue::reach(task, settings, &ground) => reached?,
        () = stop.wait() => return Ok(ExitCode::SUCCESS),
    };
    let Reached { exchange, instruments, limits } = reached;
    let door: Arc<dyn Venue> = Arc::<Binance>::clone(&exchange.venue);
    let market = Exchange::new(instruments.clone(), exchange::Settings::default());
    let paper = Paper::new(market, Arc::clone(&door));
    let store = DatabaseStore::new(Arc::clone(&ground.store), lease);
    let store = store.about(door.name(), task.egress.clone());
    let (engine, news) = Engine::start(Setup {
        instruments,
        shard: Options::default(),
        limits,
        venue: Arc::clone(&door),
        store: Arc::new(store),
        paper: Some(Arc::clone(&paper)),
    });
    let mut accounts = Accounts::new(Arc::clone(&ground), paper, Arc::clone(&door), terms).await?;
    accounts.begin(&engine).await?;
    accounts.make_bots(&task.bot).await?;
    let retained = Arc::<Retained>::default();
    let store = Arc::clone(&ground.store);
    health.began(engine.clone(), door.name(), store, Arc::clone(&retained));
    // Bots may be at work when whoever read this has enough of it.
    drop(console::say(&hello(&ground, &exchange.addresses.rest, health.address())));
    let listen = tell(news);
    let pairs = pairs::look_after(&ground, &exchange, &engine);
    let retention = retention::look_after(&ground, &*door, &engine, (keep, &retained));
    let ending = tokio::select! {
        ending = engine.ended() => ending,
        error = accounts.look_after(&engine, LOOK_EVERY) => return Err(error),
        never = pairs => match never {},
        never = retention => match never {},
        () = listen => Ending::Died,
        () = stop.wait() => return wind_down(&engine, stop, &ground).await,
    };
    match ending {
        Ending::Stopped => Ok(ExitCode::SUCCESS),
        Ending::Died => {
            bail!("the engine died, see the log; what it committed stands: start again")
        }
    }
}

/// Shorter ones would be lost to a slow network, longer ones leave positions alone for too long.
fn lease(task: &ServeTask) -> Result<Millis> {
    let Some(text) = &task.lease else { return Ok(StoreSettings::LEASE) };
    let lease = settings::duration(text)?;
    if !LEASES.contains(&lease) {
        let (least, most) = (LEASES.start().as_secs(), LEASES.end().as_secs());
        bail!("lease: {text} (must be from {least}s to {most}s)");
    }
    Ok(Millis::from_secs(u32::try_from(lease.as_secs())?))
}

/// A second signal does not wait for the first one's end: nothing depends on it.
async fn wind_down(engine: &Handle, mut stop: Stop, ground: &Ground) -> Result<ExitCode> {
    console::complain("stopping: orders stay at the exchange");
    tokio::select! {
        stopped = engine.stop() => stopped.context("while it was stopped")?,
        () = stop.wait() => {
            console::complain("stopped at once");
            sleep(LAST_WORDS).await;
            return Ok(ExitCode::SUCCESS);
        }
    }
    ground.store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// What happened, in the log.
async fn tell(mut news: mpsc::Receiver<Told>) {
    while let Some(told) = news.recv().await {
        match told {
            Told::Closed { account, row } => {
                tracing::info!(%account, bot = %row.bot, deal = %row.deal, ended = row.ended,
                    profit = %row.profit, "deal closed");
            }
            Told::Quarantined { account, bot, reason, .. } => {
                tracing::error!(%account, ?bot, reason, "an input broke a bot: it is put aside");
            }
            Told::Dead { account, reason } => {
                tracing::error!(%account, reason, "the account cannot go on: a person has to look");
            }
            Told::BadTick { instrument, reason } => {
                tracing::warn!(%instrument, ?reason, "a price was not believed");
            }
            Told::Verdict { account, row } => {
                tracing::info!(%account, command = %row.command, verdict = ?row.verdict, "command");
            }
            Told::Commit { .. }
            | Told::Reload { .. }
            | Told::Forget { .. }
            | Told::Call { .. }
            | Told::Ask { .. }
            | Told::HandBack { .. }
            | Told::Lookup { .. }
            | Told::Booked { .. }
            | Told::Why { .. }
            | Told::Recorded { .. }
            | Told::More => {}
        }
    }
}

fn hello(ground: &Ground, rest: &str, health: Option<std::net::SocketAddr>) -> String {
    let health = health.map_or_else(|| "off".to_owned(), |address| format!("http://{address}"));
    format!(
        "tranche serves process {}\n\
         database       {}\n\
         exchange       {rest}\n\
         health         {health}\n\
         try            tranche bot create --account paper examples/first.toml",
        std::process::id(),
        ground.store.database(),
    )
}
