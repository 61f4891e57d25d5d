//! The engine's store in a database.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tranche_model::{
    ids::{AccountId, CommandId, InstrumentId, TradeId},
    record::{Batch, VerdictRow},
    time::Millis,
};
use tranche_store::{self as database, BalancesNote, Database, Listing, PriceRow, UsedWeight};
use tranche_trading::{
    codec,
    dispatch::Usage,
    event::{Command, CommandBody},
};
use tranche_venue::venue::Later;

use crate::{
    notes::Notes,
    store::{Loaded, Store, StoreError},
};

/// A database that other engines may use too, if it is one for several.
#[derive(Debug)]
pub struct DatabaseStore {
    inner: Arc<database::Store>,
    /// Whether others may have an account, so that each is leased.
    lease: Option<Duration>,
    /// The exchange that notes are about.
    venue: &'static str,
    /// Which of our addresses the exchange sees: nobody can tell that from inside, so it is named.
    egress: String,
}

/// Which limit of the exchange is noted.
const SPAN: &str = "1M";

impl DatabaseStore {
    /// `lease` is that of the settings that the database was opened with.
    pub fn new(inner: Arc<database::Store>, lease: Millis) -> Self {
        let lease = match inner.database() {
            // The file belongs to this process as long as it lives.
            Database::Sqlite(_) => None,
            Database::Postgres(_) => Some(Duration::from_millis(lease.ms().into())),
        };
        Self { inner, lease, venue: "", egress: String::new() }
    }

    /// What is noted is about this exchange, as it is reached from the address of that name. An exchange
    /// counts what comes from an address: whoever shares one has to share its name.
    #[must_use]
    pub fn about(self, venue: &'static str, egress: String) -> Self {
        Self { venue, egress, ..self }
    }

    /// What was noted of the use of an exchange's limit, by the name of the address.
    pub async fn usages_of(
        inner: &database::Store,
        venue: &str,
    ) -> Result<BTreeMap<String, Usage>, database::StoreError> {
        let all = inner.weights().await?;
        let ours = all.into_iter().filter(|row| row.venue == venue && row.span == SPAN);
        let usage = |row: UsedWeight| {
            let UsedWeight { address, began_at, used, banned_until, .. } = row;
            (address, Usage { began_at, used, banned_until })
        };
        Ok(ours.map(usage).collect())
    }

    fn rows(&self, notes: Notes) -> database::Notes {
        let Notes { balances, prices, usage } = notes;
        let balances = balances.into_iter().map(|(account, holdings)| {
            let listing = if holdings.is_whole { Listing::Complete } else { Listing::Partial };
            let (balances, at) = (holdings.balances.into_values().collect(), holdings.at);
            BalancesNote { account, balances, listing, at }
        });
        let prices =
            prices.into_iter().map(|(instrument, (price, at))| PriceRow { instrument, price, at });
        let weight = usage.map(|usage| UsedWeight {
            venue: self.venue.to_owned(),
            address: self.egress.clone(),
            span: SPAN.to_owned(),
            began_at: usage.began_at,
            used: usage.used,
            banned_until: usage.banned_until,
        });
        let venue = self.venue.to_owned();
        database::Notes { balances: balances.collect(), venue, prices: prices.collect(), weight }
    }

    /// Takes accounts over in few transactions.
    async fn load_list(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<Result<Loaded, StoreError>>, database::StoreError> {
        let ours = match self.lease {
            Some(_) => self.inner.lease(accounts).await?,
            None => accounts.to_vec(),
        };
        let mut loaded: BTreeMap<_, _> = self.inner.load_all(&ours).await?.into_iter().collect();
        let mut answer = |account: &AccountId| match loaded.remove(account) {
            Some(database::Loaded { epoch, seq, snapshot }) => Ok(Loaded { epoch, seq, snapshot }),
            None if self.lease.is_some() => Err(StoreError::Held("its lease runs".to_owned())),
            None => Err(StoreError::NoAccount(*account)),
        };
        Ok(accounts.iter().map(&mut answer).collect())
    }

    /// One whose bytes are not ours is handed in too: it is refused, with a verdict, as any other.
    fn read(queued: database::QueuedCommand) -> (AccountId, Command) {
        let database::Command { command: id, account, body, .. } = queued.command;
        let body = codec::decode(&body).unwrap_or_else(|error| {
            tracing::error!(command = %id, %error, "a command cannot be read; it is refused");
            CommandBody::Unreadable { error: error.to_string() }
        });
        (account, Command { id, body })
    }
}

impl Store for DatabaseStore {
    fn commit(&self, batches: Vec<Batch>) -> Later<'_, Vec<Result<(), StoreError>>> {
        Box::pin(async move {
            let answers = self.inner.commit(batches).await;
            answers.into_iter().map(|answer| answer.map_err(StoreError::from)).collect()
        })
    }

    fn load(&self, accounts: Vec<AccountId>) -> Later<'_, Vec<Result<Loaded, StoreError>>> {
        Box::pin(async move {
            match self.load_list(&accounts).await {
                Ok(answers) => answers,
                // What is wrong with one fails all; who asks for each alone next finds which it is.
                Err(error) => accounts.iter().map(|_| Err(error.clone().into())).collect(),
            }
        })
    }

    fn fills_known(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        trades: Vec<TradeId>,
    ) -> Later<'_, Result<BTreeSet<TradeId>, StoreError>> {
        Box::pin(async move { Ok(self.inner.fills_known(account, instrument, &trades).await?) })
    }

    fn verdict(
        &self,
        account: AccountId,
        command: CommandId,
    ) -> Later<'_, Result<Option<VerdictRow>, StoreError>> {
        Box::pin(async move { Ok(self.inner.verdict(account, command).await?) })
    }

    fn commands(
        &self,
        accounts: Vec<AccountId>,
    ) -> Later<'_, Result<Vec<(AccountId, Command)>, StoreError>> {
        Box::pin(async move {
            let open = self.inner.open_commands(&accounts).await?;
            Ok(open.into_iter().map(Self::read).collect())
        })
    }

    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    fn renew(&self, accounts: Vec<AccountId>) -> Later<'_, Result<Vec<AccountId>, StoreError>> {
        Box::pin(async move {
            let ours: BTreeSet<AccountId> = self.inner.renew().await?.into_iter().collect();
            Ok(accounts.into_iter().filter(|account| ours.contains(account)).collect())
        })
    }

    fn release(&self, accounts: Vec<AccountId>) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async move { Ok(self.inner.release(&accounts).await?) })
    }

    fn note(&self, notes: Notes) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async move { Ok(self.inner.put_notes(&self.rows(notes)).await?) })
    }

    fn usage(&self) -> Later<'_, Result<Option<Usage>, StoreError>> {
        Box::pin(
            async move { Ok(Self::usages_of(&self.inner, self.venue).await?.remove(&self.egress)) },
        )
    }
}

impl From<database::StoreError> for StoreError {
    fn from(error: database::StoreError) -> Self {
        match error {
            database::StoreError::Stale => Self::Stale,
            database::StoreError::NoAccount(account) => Self::NoAccount(account),
            database::StoreError::NoBot(_)
            | database::StoreError::Taken(_)
            | database::StoreError::Failed(_)
            | database::StoreError::Corrupt { .. } => Self::Failed(error.to_string()),
        }
    }
}
