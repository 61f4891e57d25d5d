//! What the outside holds of a running engine.

use std::{collections::BTreeMap, fmt};

use tokio::sync::{mpsc, oneshot, watch};
use tranche_model::{ids::AccountId, instrument::Instrument, record::VerdictRow};
use tranche_trading::{
    event::{Command, Settings},
    shard::{Output, Shard},
};
use tranche_venue::venue::VenueAccount;

use crate::measure::Slowest;

/// Something worth telling whoever watches.
pub type Told = Output;

/// A question that looks at the shard between two steps.
pub(crate) type Look = Box<dyn FnOnce(&Shard, &Running) + Send>;

/// What came of a command; `Err` says why not.
pub(crate) type Verdict = Result<(), String>;

/// What the outside asks of an engine.
pub(crate) enum Ask {
    Own(Vec<Owning>),
    /// Whether anything but questions may be sent for the account.
    Hold {
        account: AccountId,
        is_held: bool,
    },
    /// What the exchange said of the account's key.
    Key {
        account: AccountId,
        may_withdraw: bool,
    },
    Command {
        account: AccountId,
        command: Command,
        verdict: oneshot::Sender<Verdict>,
    },
    Evict(AccountId),
    Terms {
        account: AccountId,
        settings: Box<Settings>,
    },
    Sync,
    Rules(Box<Instrument>),
    Look(Look),
    Stop,
}

/// An account that is to be traded for, with the way to its venue.
#[derive(Debug)]
pub struct Owning {
    pub account: AccountId,
    pub settings: Settings,
    pub venue: Box<dyn VenueAccount>,
    /// After a restored backup: nothing but questions is sent until [`Handle::hold`] lifts it.
    pub is_held: bool,
    /// Its key may withdraw: no deal begins until [`Handle::key`] says otherwise.
    pub may_withdraw: bool,
}

/// How an engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to.
    Stopped,
    /// By a fault of its own, which the log shows. What it had committed stands; start anew.
    Died,
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
    /// Transactions that were asked for, and those that failed or whose answer was lost.
    pub commits: u64,
    pub commits_failed: u64,
    /// How many of the last transactions failed in a row.
    pub commits_failing: u32,
    /// The longest that a transaction took, in microseconds, of the last 1024.
    pub commit_micros: Slowest,
    /// Calls that left, and those of them whose outcome nobody knows.
    pub sent: u64,
    pub unknown: u64,
    /// Calls that were not sent because the account was not ours any more, or is held.
    pub withheld: u64,
    /// Accounts that were lost to another engine, or whose lease ran out.
    pub leases_lost: u64,
    /// Accounts that are to be traded for, loaded or not.
    pub owned: u32,
    /// Instruments whose market data has a gap at present.
    pub dark: u32,
    /// Accounts whose news waits for what a fee in a third coin is worth.
    pub pricing: u32,
    /// Fees in a third coin that were booked without a worth: profits of their deals are too high by them.
    pub fees_unvalued: u64,
    /// Weight used of this address in the present minute, as far as is known.
    pub weight_used: u64,
}

/// One transaction may fail; when so many did in a row, the store is down.
const FAILING: u32 = 3;

impl Running {
    /// Whether nothing is under way.
    pub const fn is_quiet(&self) -> bool {
        self.calls == 0 && self.stored == 0 && self.pricing == 0
    }

    /// Whether the store does not take what is to be committed.
    pub const fn is_stuck(&self) -> bool {
        FAILING <= self.commits_failing
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
    ended: watch::Receiver<Option<Ending>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    pub(crate) const fn new(
        asks: mpsc::Sender<Ask>,
        ended: watch::Receiver<Option<Ending>>,
    ) -> Self {
        Self { asks, ended }
    }

    /// Begins to trade for an account that the store knows.
    pub async fn own(
        &self,
        account: AccountId,
        settings: Settings,
        venue: Box<dyn VenueAccount>,
    ) -> Result<(), Gone> {
        self.own_all(vec![Owning { account, settings, venue, is_held: false, may_withdraw: false }])
            .await
    }

    /// Begins to trade for several accounts. Those that have something to sell are told first what
    /// happened meanwhile.
    pub async fn own_all(&self, accounts: Vec<Owning>) -> Result<(), Gone> {
        self.ask(Ask::Own(accounts)).await
    }

    /// Sends nothing but questions for the account, or everything again.
    pub async fn hold(&self, account: AccountId, is_held: bool) -> Result<(), Gone> {
        self.ask(Ask::Hold { account, is_held }).await
    }

    /// The exchange said whether the account's key may withdraw. While it may, no deal begins; those that
    /// are open run to their end.
    pub async fn key(&self, account: AccountId, may_withdraw: bool) -> Result<(), Gone> {
        self.ask(Ask::Key { account, may_withdraw }).await
    }

    /// Hands a user's command over and waits for its verdict, which is committed when it comes.
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

    /// Brings an account other settings, such as fees that the venue changed: it is loaded with them.
    pub async fn terms(&self, account: AccountId, settings: Settings) -> Result<(), Gone> {
        self.ask(Ask::Terms { account, settings: Box::new(settings) }).await
    }

    /// Compares every account with its venue, as after the private stream was lost.
    pub async fn sync(&self) -> Result<(), Gone> {
        self.ask(Ask::Sync).await
    }

    /// The rules of an instrument changed, or it is the next new one.
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

    /// Ends the engine: nothing more is decided, what was committed is sent, and what left is heard, within
    /// ten seconds. Orders stay at the venue.
    pub async fn stop(&self) -> Result<(), Gone> {
        self.ask(Ask::Stop).await?;
        self.ended().await;
        Ok(())
    }

    /// Waits until the engine has ended.
    pub async fn ended(&self) -> Ending {
        let mut ended = self.ended.clone();
        let ending = ended.wait_for(Option::is_some).await;
        // The sender goes only with the engine's task.
        ending.ok().and_then(|ending| *ending).unwrap_or(Ending::Died)
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

struct Waiting {
    command: Command,
    /// `None` where another process wrote the command; it reads the verdict from the store.
    verdict: Option<oneshot::Sender<Verdict>>,
}

impl Pending {
    pub(crate) fn add(
        &mut self,
        account: AccountId,
        command: Command,
        verdict: oneshot::Sender<Verdict>,
    ) {
        let waiting = Waiting { command, verdict: Some(verdict) };
        self.waiting.entry(account).or_default().push(waiting);
    }

    /// Those that the store holds without a verdict take the place of those that it held before. Returns
    /// the new ones.
    pub(crate) fn renew(&mut self, stored: Vec<(AccountId, Command)>) -> Vec<(AccountId, Command)> {
        for (account, waiting) in &mut self.waiting {
            let is_stored = |id| stored.iter().any(|(of, known)| of == account && known.id == id);
            waiting.retain(|one| one.verdict.is_some() || is_stored(one.command.id));
        }
        let mut new = stored;
        new.retain(|(account, command)| {
            let waiting = self.waiting.entry(*account).or_default();
            let is_new = waiting.iter().all(|one| one.command.id != command.id);
            if is_new {
                waiting.push(Waiting { command: command.clone(), verdict: None });
            }
            is_new
        });
        new
    }

    /// Those of an account.
    pub(crate) fn of(&self, account: AccountId) -> Vec<Command> {
        let waiting = self.waiting.get(&account).into_iter().flatten();
        waiting.map(|one| one.command.clone()).collect()
    }

    /// The verdict is committed: whoever waits hears it.
    pub(crate) fn give(&mut self, account: AccountId, row: &VerdictRow) {
        let Some(waiting) = self.waiting.get_mut(&account) else { return };
        let Some(place) = waiting.iter().position(|one| one.command.id == row.command) else {
            return;
        };
        let Some(verdict) = waiting.remove(place).verdict else { return };
        if verdict.send(row.verdict.clone()).is_err() {
            tracing::debug!(command = %row.command, "nobody waited for the verdict");
        }
    }
}

#[cfg(test)]
mod tests;
