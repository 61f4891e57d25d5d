//! What an account has, pays and may still do.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tranche_model::{
    balance::{Balance, FeeAsset},
    ids::AccountId,
    time::Timestamp,
};

use crate::world::{Key, World};

use super::{info::rate_limit, refused::Refused, words::decimal};

/// Basis points in one.
const BASIS_POINTS: i64 = 10_000;

impl World {
    pub(super) fn account_status(&self, key: &Key, omits_zero: bool, now: Timestamp) -> Value {
        let balances = self.exchange.balances(key.account);
        self.account_shown(key, (balances, omits_zero), now)
    }

    /// The answer to a question for the account.
    pub(super) fn account_shown(
        &self,
        key: &Key,
        (balances, omits_zero): (Vec<Balance>, bool),
        now: Timestamp,
    ) -> Value {
        let account = key.account;
        let balances: Vec<Value> = balances
            .into_iter()
            .filter(|it| !omits_zero || it.free.is_positive() || it.locked.is_positive())
            .map(|it| {
                json!({
                    "asset": it.asset.as_str(),
                    "free": decimal(it.free.get()),
                    "locked": decimal(it.locked.get()),
                })
            })
            .collect();
        let (maker, taker) = self.rates(account);
        let zero = decimal(Decimal::ZERO);
        json!({
            "makerCommission": self.basis_points(account, true),
            "takerCommission": self.basis_points(account, false),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": maker, "taker": taker, "buyer": zero, "seller": zero},
            "canTrade": key.rights.trade,
            "canWithdraw": key.rights.withdraw,
            "canDeposit": true,
            "brokered": false,
            "requireSelfTradePrevention": false,
            "preventSor": false,
            "updateTime": now.ms(),
            "accountType": "SPOT",
            "balances": balances,
            "permissions": ["SPOT"],
            "uid": account.get(),
        })
    }

    /// Fee rates of a maker and of a taker.
    pub(super) fn rates(&self, account: AccountId) -> (String, String) {
        let fees = self.account(account).map(|account| account.settings.fees);
        let shown = |rate: Option<Decimal>| decimal(rate.unwrap_or_default());
        (shown(fees.map(|fees| fees.maker.get())), shown(fees.map(|fees| fees.taker.get())))
    }

    fn basis_points(&self, account: AccountId, is_maker: bool) -> Value {
        let fees = self.account(account).map(|account| account.settings.fees);
        let rate = fees.map(|fees| if is_maker { fees.maker } else { fees.taker });
        let points = rate.and_then(|rate| rate.get().checked_mul(Decimal::from(BASIS_POINTS)));
        points.and_then(|points| i64::try_from(points).ok()).unwrap_or(0).into()
    }

    pub(super) fn commission(&self, account: AccountId, symbol: &str) -> Result<Value, Refused> {
        self.id_of(symbol)?;
        let (maker, taker) = self.rates(account);
        let zero = decimal(Decimal::ZERO);
        let none = json!({"maker": zero, "taker": zero, "buyer": zero, "seller": zero});
        Ok(json!({
            "symbol": symbol,
            "standardCommission": {"maker": maker, "taker": taker, "buyer": zero, "seller": zero},
            "specialCommission": none,
            "taxCommission": none,
            "discount": self.discount(account),
        }))
    }

    /// Fees in a third asset are taken at the full rate here.
    pub(super) fn discount(&self, account: AccountId) -> Value {
        let asset = self.account(account).and_then(|it| match it.settings.fee_asset {
            FeeAsset::Third(asset) => Some(asset),
            FeeAsset::Received | FeeAsset::Quote => None,
        });
        json!({
            "enabledForAccount": asset.is_some(),
            "enabledForSymbol": asset.is_some(),
            "discountAsset": asset.map_or_else(|| "BNB".to_owned(), |asset| asset.to_string()),
            "discount": decimal(Decimal::ZERO),
        })
    }

    /// Unfilled orders by their limits.
    pub(super) fn order_counts(&self, account: AccountId, now: Timestamp) -> Value {
        let limits = self.limits.limits();
        let (ten_seconds, day) = self.limits.orders(account, now);
        let mut rows = [
            (rate_limit("ORDERS", "SECOND", 10, limits.orders_per_ten_seconds), ten_seconds),
            (rate_limit("ORDERS", "DAY", 1, limits.orders_per_day), day),
        ];
        for (row, count) in &mut rows {
            if let Some(row) = row.as_object_mut() {
                row.insert("count".to_owned(), (*count).into());
            }
        }
        rows.into_iter().map(|(row, _)| row).collect()
    }
}
