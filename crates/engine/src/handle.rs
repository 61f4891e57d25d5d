//! What the outside holds of a running engine.

use std::{collections::BTreeMap, fmt};

use tokio::sync::{mpsc, oneshot};
use tranche_model::{ids::AccountId, instrument::Instrument, record::VerdictRow};
use tranche_trading::{
    event::{Command, Settings},
    shard::{Output, Shard},
};
use tranche_venue::venue::VenueAccount;

/// Something worth telling whoever watches.
pub type Told = Output;

/// A question that looks at the shard between two steps.
pub(crate) type Look = Box<dyn FnOnce(&Shard, &Running) + Send>;

/// What came of a command; `Err` says why not.
pub(crate) type Verdict = Result<(), String>;

/// What the outside asks of an engine.
pub(crate) enum Ask {
    Own { account: AccountId, settings: Box<Settings>, venue: Box<dyn VenueAccount> },
    Command { account: AccountId, command: Command, verdict: oneshot::Sender<Verdict> },
    Evict(AccountId),
    Rules(Box<Instrument>),
    Look(Look),
    Stop,
}

/// How much is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Running {
    /// Calls that left and are not answered, or wait to leave.
    pub calls: u32,
    /// Commits and loads that are not answered.
    pub stored: u32,
    /// News that nobody took in time.
    pub untold: u64,
    /// Ticks that were taken in.
    pub ticks: u64,
    /// How often prices were asked for because the market stream was down.
    pub polls: u64,
}

impl Running {
    /// Whether nothing is under way.
    pub const fn is_quiet(&self) -> bool {
        self.calls == 0 && self.stored == 0
    }
}

/// The engine is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has stopped")]
pub struct Gone;

/// The way into a running engine. It may be cloned.
#[derive(Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    pub(crate) const fn new(asks: mpsc::Sender<Ask>) -> Self {
        Self { asks }
    }

    /// Begins to trade for an account that the store knows.
    pub async fn own(
        &self,
        account: AccountId,
        settings: Settings,
        venue: Box<dyn VenueAccount>,
    ) -> Result<(), Gone> {
        self.ask(Ask::Own { account, settings: Box::new(settings), venue }).await
    }

    /// Hands a user's command over and waits for its verdict, which is committed when it comes. A command
    /// that was carried out before is answered by nobody: its verdict is in the store.
    pub async fn command(
        &self,
        account: AccountId,
        command: Command,
    ) -> Result<Result<(), String>, Gone> {
        let (verdict, answer) = oneshot::channel();
        self.ask(Ask::Command { account, command, verdict }).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Drops an account from memory and loads it again, as after a crash.
    pub async fn evict(&self, account: AccountId) -> Result<(), Gone> {
        self.ask(Ask::Evict(account)).await
    }

    /// The rules of an instrument changed.
    pub async fn rules(&self, instrument: Instrument) -> Result<(), Gone> {
        self.ask(Ask::Rules(Box::new(instrument))).await
    }

    /// Looks at the shard between two steps.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Shard, &Running) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (sender, answer) = oneshot::channel();
        let look: Look = Box::new(move |shard, running| {
            // Whoever asked may have gone.
            drop(sender.send(look(shard, running)));
        });
        self.ask(Ask::Look(look)).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Ends the engine: nothing more is decided, and what left is left. Orders stay at the venue.
    pub async fn stop(&self) -> Result<(), Gone> {
        self.ask(Ask::Stop).await
    }

    async fn ask(&self, ask: Ask) -> Result<(), Gone> {
        self.asks.send(ask).await.map_err(|_| Gone)
    }
}

/// Commands whose verdict is not out yet, in the order in which they came. They are handed in again when
/// their account is loaded anew: a command is carried out once, however often it is told.
#[derive(Default)]
pub(crate) struct Pending {
    waiting: BTreeMap<AccountId, Vec<Waiting>>,
}

/// A command with whoever waits for its verdict.
type Waiting = (Command, oneshot::Sender<Verdict>);

impl Pending {
    pub(crate) fn add(
        &mut self,
        account: AccountId,
        command: Command,
        verdict: oneshot::Sender<Verdict>,
    ) {
        self.waiting.entry(account).or_default().push((command, verdict));
    }

    /// Those of an account.
    pub(crate) fn of(&self, account: AccountId) -> Vec<Command> {
        let waiting = self.waiting.get(&account).into_iter().flatten();
        waiting.map(|(command, _)| command.clone()).collect()
    }

    /// The verdict is committed: whoever waits hears it.
    pub(crate) fn give(&mut self, account: AccountId, row: &VerdictRow) {
        let Some(waiting) = self.waiting.get_mut(&account) else { return };
        let Some(place) = waiting.iter().position(|(command, _)| command.id == row.command) else {
            return;
        };
        let (_, verdict) = waiting.remove(place);
        if verdict.send(row.verdict.clone()).is_err() {
            tracing::debug!(command = %row.command, "nobody waited for the verdict");
        }
    }
}
