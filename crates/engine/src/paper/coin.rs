//! Fees in a third coin on paper: at which price they are taken, and what is said when they are not.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};
use tranche_model::{
    asset::{Asset, Symbol},
    fill::Fill,
    ids::AccountId,
};

/// How long the first order on a pair waits for the price of the coin that pays; less than an order may
/// be on its way.
const WAIT: Duration = Duration::from_secs(1);

/// A coin and the quote asset that it is valued in.
pub(super) type Pair = (Asset, Asset);

/// Who pays in a third coin, and what is known of its price.
#[derive(Debug)]
pub(super) struct Coins {
    of: BTreeMap<AccountId, Asset>,
    all: BTreeSet<Asset>,
    /// Pairs that have a price.
    priced: watch::Sender<BTreeSet<Pair>>,
    /// Pairs for whose price an order has waited in vain: the next one does not.
    missed: BTreeSet<Pair>,
    /// Accounts of which it was said that another coin pays.
    told: BTreeSet<AccountId>,
}

/// What an order waits for.
pub(super) struct Wait {
    pub(super) pair: Pair,
    priced: watch::Receiver<BTreeSet<Pair>>,
}

impl Coins {
    pub(super) fn new() -> Self {
        Self {
            of: BTreeMap::new(),
            all: BTreeSet::new(),
            priced: watch::Sender::default(),
            missed: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The account pays in this coin; `None` in what it trades.
    pub(super) fn set(&mut self, account: AccountId, coin: Option<Asset>) {
        match coin {
            Some(coin) => {
                self.of.insert(account, coin);
                self.all.insert(coin);
            }
            None => drop(self.of.remove(&account)),
        }
    }

    /// Whether anybody pays in this coin.
    pub(super) fn has(&self, coin: Asset) -> bool {
        self.all.contains(&coin)
    }

    pub(super) fn price_is_known(&self, pair: Pair) {
        self.priced.send_if_modified(|known| known.insert(pair));
    }

    /// The price that an order on this symbol has to wait for; `None` where it is known or not needed.
    pub(super) fn lacks(&self, account: AccountId, symbol: Symbol) -> Option<Wait> {
        let coin = self.of.get(&account).copied()?;
        let pair = (coin, symbol.quote);
        let is_traded = coin == symbol.base || coin == symbol.quote;
        let is_known = self.priced.borrow().contains(&pair) || self.missed.contains(&pair);
        (!is_traded && !is_known).then(|| Wait { pair, priced: self.priced.subscribe() })
    }

    pub(super) fn missed(&mut self, pair: Pair) {
        self.missed.insert(pair);
    }

    /// Says when another coin pays, once until the coin pays again.
    pub(super) fn look_at(&mut self, account: AccountId, fill: &Fill, symbol: Symbol) {
        let Some(coin) = self.of.get(&account).copied() else { return };
        if fill.fee.asset == coin || fill.fee.amount.is_zero() {
            self.told.remove(&account);
            return;
        }
        if !self.told.insert(account) {
            return;
        }
        let is_traded = coin == symbol.base || coin == symbol.quote;
        let is_priced = is_traded || self.priced.borrow().contains(&(coin, symbol.quote));
        let reason = if is_priced { "it has not enough" } else { "no price is known" };
        tracing::warn!(%account, %coin, paid_in = %fill.fee.asset, reason,
            "a paper account pays fees in what it trades, not in the coin that was named");
    }
}

impl Wait {
    /// Until there is a price; `false` when there is none in time.
    pub(super) async fn is_over(&mut self) -> bool {
        let pair = self.pair;
        let is_known = self.priced.wait_for(|known| known.contains(&pair));
        timeout(WAIT, is_known).await.is_ok_and(|known| known.is_ok())
    }
}
