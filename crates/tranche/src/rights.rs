//! What the exchange says that a key may do.

use std::time::Duration;

use tokio::time::timeout;
use tranche_model::time::Timestamp;
use tranche_venue::venue::{KeyReport, ReadError, VenueAccount};

use crate::trouble::Trouble;

/// Nobody waits longer for it.
const WITHIN: Duration = Duration::from_secs(5);

/// What became of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rights {
    /// `may_withdraw` is `None` where the exchange does not say.
    Told { may_withdraw: Option<bool> },
    /// A key that bots must not have, or cannot use.
    Refused { may_withdraw: Option<bool>, trouble: Trouble },
    NotReached {
        /// Until then the exchange wants to be left alone.
        until: Option<Timestamp>,
        trouble: Trouble,
    },
}

/// Asks the exchange at `address`.
pub(crate) async fn ask(account: &dyn VenueAccount, address: &str) -> Rights {
    match timeout(WITHIN, account.check_key()).await {
        Ok(Ok(report)) => judge(&report),
        Ok(Err(error @ ReadError::Refused(_))) => {
            Rights::Refused { may_withdraw: None, trouble: Trouble::of_read(&error, address) }
        }
        Ok(Err(error)) => {
            let until = match error {
                ReadError::Throttled { retry_at, .. } => Some(retry_at),
                ReadError::Http(_)
                | ReadError::Refused(_)
                | ReadError::Failed { .. }
                | ReadError::Unreadable(_)
                | ReadError::NotThisVenue { .. }
                | ReadError::NoInstrument(_) => None,
            };
            Rights::NotReached { until, trouble: Trouble::of_read(&error, address) }
        }
        Err(_) => {
            let what = format!("{address}: no answer within {} s", WITHIN.as_secs());
            Rights::NotReached { until: None, trouble: Trouble::new(what, "try again later") }
        }
    }
}

/// What is wrong with a key that may withdraw.
pub(crate) fn withdraws() -> Trouble {
    Trouble::new(
        "the key may withdraw, and is refused for it",
        "take that right away, or make a new key without it: bots never need it, thieves do",
    )
}

/// What is wrong with a key that may not trade.
pub(crate) fn cannot_trade() -> Trouble {
    let mend = "allow spot trading for the key where the exchange manages keys";
    Trouble::new("the key may not trade", mend)
}

fn judge(report: &KeyReport) -> Rights {
    let may_withdraw = report.can_withdraw;
    if may_withdraw == Some(true) {
        return Rights::Refused { may_withdraw, trouble: withdraws() };
    }
    if !report.can_trade {
        return Rights::Refused { may_withdraw, trouble: cannot_trade() };
    }
    Rights::Told { may_withdraw }
}
