//! Accounts as the database has them, handed to the engine; also those that are added while it runs.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use tokio::time::sleep;
use tranche_engine::{Handle, Owning, paper::Paper};
use tranche_model::{
    asset::Asset,
    balance::Balance,
    client_order_id::Origin,
    ids::{AccountId, UserId},
    money::Amount,
    record::Snapshot,
};
use tranche_store::{Account, Identity, MasterKeys, Secret};
use tranche_trading::event::{self, Timing};
use tranche_venue::{
    secret::{ApiKey, ApiSecret, Credentials},
    venue::{Venue, VenueAccount},
};

use crate::{bot_file::BotFile, ground::Ground, settings::Terms, steer};

/// What a paper account begins with when nobody says otherwise.
const FUNDS: i64 = 10_000;

pub(super) struct Accounts {
    ground: Arc<Ground>,
    paper: Arc<Paper>,
    venue: Arc<dyn Venue>,
    terms: Terms,
    identity: Identity,
    keys: MasterKeys,
    owned: BTreeSet<AccountId>,
}

impl Accounts {
    /// Makes the master key and the first account where there are none.
    pub(super) async fn new(
        ground: Arc<Ground>,
        paper: Arc<Paper>,
        venue: Arc<dyn Venue>,
        terms: Terms,
    ) -> Result<Self> {
        let keys = ground.master_keys()?;
        ground.store.check_master_keys(&keys, ground.now()).await?;
        let identity = ground.store.identity(ground.now()).await?;
        if let Some(quarantine) = &identity.quarantine {
            tracing::warn!(
                reason = quarantine.reason,
                "restored: nothing is sent until \
                `tranche account release`"
            );
        }
        if ground.store.accounts().await?.is_empty() {
            let first = steer::paper_account(AccountId::new(1), "paper", venue.name(), &ground);
            ground.store.add_account(&first, &Snapshot::default()).await?;
        }
        Ok(Self { ground, paper, venue, terms, identity, keys, owned: BTreeSet::new() })
    }

    /// Hands the engine every account that it does not have.
    pub(super) async fn begin(&mut self, engine: &Handle) -> Result<()> {
        let all = self.ground.store.accounts().await?;
        let new = all.into_iter().filter(|account| !self.owned.contains(&account.account));
        let mut owning = Vec::new();
        for account in new.collect::<Vec<_>>() {
            self.owned.insert(account.account);
            if account.venue != self.venue.name() {
                tracing::warn!(
                    account = account.name,
                    venue = account.venue,
                    "an account of another exchange is left alone"
                );
                continue;
            }
            match self.door(&account).await {
                Ok(venue) => owning.push(Owning {
                    account: account.account,
                    settings: self.settings(&account),
                    venue,
                    is_held: self.identity.quarantine.is_some(),
                }),
                Err(error) => {
                    tracing::error!(account = account.name, "cannot be traded for: {error:#}");
                }
            }
        }
        if !owning.is_empty() {
            engine.own_all(owning).await?;
        }
        Ok(())
    }

    /// Looks for new accounts again and again; returns only when the engine is gone.
    pub(super) async fn look_after(&mut self, engine: &Handle, every: Duration) -> anyhow::Error {
        loop {
            sleep(every).await;
            if self.identity.quarantine.is_some()
                && let Err(error) = self.look_at_quarantine(engine).await
            {
                tracing::warn!("the quarantine cannot be looked at: {error:#}");
            }
            match self.begin(engine).await {
                Ok(()) => {}
                Err(error) if error.is::<tranche_engine::Gone>() => return error,
                Err(error) => tracing::warn!("accounts cannot be looked at: {error:#}"),
            }
        }
    }

    async fn look_at_quarantine(&mut self, engine: &Handle) -> Result<()> {
        self.identity = self.ground.store.identity(self.ground.now()).await?;
        if self.identity.quarantine.is_none() {
            tracing::info!("released: orders are sent again");
            for account in &self.owned {
                engine.hold(*account, false).await?;
            }
        }
        Ok(())
    }

    /// Makes the bots that `ACCOUNT=FILE` name, unless they are there.
    pub(super) async fn make_bots(&self, wishes: &[String]) -> Result<()> {
        for wish in wishes {
            let (name, path) = wish.split_once('=').with_context(|| {
                format!("bot: `{wish}` is not of the form ACCOUNT=FILE, such as paper=dca.toml")
            })?;
            let account = steer::account(&self.ground, name).await?;
            let file = BotFile::read(Path::new(path))?;
            let bots = self.ground.store.bots().await?;
            let is_there = bots.iter().any(|bot| {
                bot.account == account.account
                    && bot.ended_at.is_none()
                    && bot.name == file.config.name()
            });
            if !is_there {
                steer::submit_bot(&self.ground, account.account, &file).await?;
            }
        }
        Ok(())
    }

    async fn door(&self, account: &Account) -> Result<Box<dyn VenueAccount>> {
        let Some(credential) = account.credential else {
            let fees = (self.terms.fees, self.terms.fee_asset);
            return Ok(self.paper.open(account.account, fees, self.purse())?);
        };
        let open = self.ground.store.open_credential(&self.keys, credential).await?;
        let field = |name: &str| {
            let secret = open.field(name);
            secret.ok_or_else(|| anyhow!("the sealed key has no {name}")).map(Secret::expose)
        };
        let credentials = Credentials {
            name: account.name.clone(),
            key: ApiKey::new(field("key")?)?,
            secret: ApiSecret::new(field("secret")?.to_owned())?,
        };
        Ok(self.venue.account(credentials, self.identity.installation)?)
    }

    fn purse(&self) -> Vec<Balance> {
        if !self.terms.balances.is_empty() {
            return self.terms.balances.clone();
        }
        let usual = ["USDT", "USDC"].map(|name| Asset::parse(name).ok());
        let balance =
            |asset| Balance { asset, free: Amount::new(FUNDS.into()), locked: Amount::ZERO };
        usual.into_iter().flatten().map(balance).collect()
    }

    fn settings(&self, account: &Account) -> event::Settings {
        let Identity { installation, incarnation, .. } = self.identity;
        event::Settings {
            user: account.user.unwrap_or(UserId::new(1)),
            origin: Origin { installation, incarnation },
            fees: self.terms.fees,
            fee_asset: self.terms.fee_asset,
            timing: Timing::default(),
        }
    }
}
