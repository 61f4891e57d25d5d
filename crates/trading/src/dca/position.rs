//! What a deal bought and sold so far, and what it paid for that.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tranche_model::{
    decimal::{self, MathError, Rounding},
    fill::Fill,
    instrument::Instrument,
    money::{Price, Qty, Quote},
    order::Side,
};

use super::digits;

/// Digits after the point of an average.
const AVERAGE_SCALE: u32 = 24;

/// Digits after the point of a fee that was valued from a third coin. Sums of such fees must not run
/// out of digits: each is rounded up, against us.
const FEE_SCALE: u32 = 12;

/// The sums over the fills of a deal. Nothing is forgotten when a part is sold: the average stays
/// that of all buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    pub bought: Qty,
    /// Paid for `bought`, without fees.
    pub cost: Quote,
    /// Fees of buys that were not taken from the bought coin.
    pub entry_fees: Quote,
    /// Fees of buys and sells that were taken from the held coin.
    pub base_fees: Qty,
    pub sold: Qty,
    /// Received for `sold`, without fees.
    pub proceeds: Quote,
    /// Fees of sells that were not taken from the held coin.
    pub exit_fees: Quote,
}

impl Position {
    /// Adds an execution, whole or not at all. A fee in a third coin counts with the worth stamped
    /// on it, and as nothing when there is none.
    pub fn book(&mut self, fill: &Fill, instrument: &Instrument) -> Result<(), MathError> {
        let mut next = *self;
        let symbol = instrument.symbol;
        let fee = if fill.fee.asset == symbol.base {
            next.base_fees = next.base_fees.plus(fill.fee.amount.qty())?;
            Quote::ZERO
        } else if fill.fee.asset == symbol.quote {
            fill.fee.amount.quote()
        } else {
            let worth = fill.fee.in_quote.unwrap_or_default();
            worth.to_step(Quote::new(Decimal::new(1, FEE_SCALE)), Rounding::Up)?
        };
        match fill.side {
            Side::Buy => {
                next.bought = next.bought.plus(fill.qty)?;
                next.cost = next.cost.plus(fill.quote)?;
                next.entry_fees = plus(next.entry_fees, fee)?;
            }
            Side::Sell => {
                next.sold = next.sold.plus(fill.qty)?;
                next.proceeds = next.proceeds.plus(fill.quote)?;
                next.exit_fees = plus(next.exit_fees, fee)?;
            }
        }
        *self = next;
        Ok(())
    }

    /// Base units in the account because of this deal; never below zero.
    pub fn held(&self) -> Result<Qty, MathError> {
        self.bought.minus(self.sold)?.minus_floored(self.base_fees)
    }

    /// What of it can be sold: whole steps.
    pub fn sellable(&self, instrument: &Instrument) -> Result<Qty, MathError> {
        instrument.sellable(self.held()?)
    }

    /// Cost over quantity of all buys, to 24 digits; `None` before the first.
    pub fn average(&self) -> Result<Option<Price>, MathError> {
        self.per_bought(self.cost)
    }

    /// Cost and fees over quantity of all buys, to 24 digits; `None` before the first.
    pub fn average_with_fees(&self) -> Result<Option<Price>, MathError> {
        self.per_bought(self.spent()?)
    }

    /// Cost and fees of all buys.
    pub fn spent(&self) -> Result<Quote, MathError> {
        plus(self.cost, self.entry_fees)
    }

    /// What sells brought after fees.
    pub fn received(&self) -> Result<Quote, MathError> {
        minus(self.proceeds, self.exit_fees)
    }

    /// Received less spent. What is still held counts as nothing.
    pub fn profit(&self) -> Result<Quote, MathError> {
        minus(self.received()?, self.spent()?)
    }

    /// What was made with the part that was sold: received less that part of what was spent, rounded
    /// against us. The rest is the user's, and neither won nor lost.
    pub fn realized(&self) -> Result<Quote, MathError> {
        let gained = self.bought.minus_floored(self.base_fees)?;
        if gained <= self.sold {
            return self.profit();
        }
        let share = decimal::div(self.sold.get(), gained.get(), AVERAGE_SCALE, Rounding::Up)?;
        let spent = digits::mul(self.spent()?.get(), share)?;
        minus(self.received()?, Quote::new(spent))
    }

    fn per_bought(&self, quote: Quote) -> Result<Option<Price>, MathError> {
        if !self.bought.is_positive() {
            return Ok(None);
        }
        let average =
            decimal::div(quote.get(), self.bought.get(), AVERAGE_SCALE, Rounding::HalfUp)?;
        Ok(Some(Price::new(average)))
    }
}

// A fee that was valued from a third coin may have many digits; it must not stop the booking.
fn plus(a: Quote, b: Quote) -> Result<Quote, MathError> {
    digits::add(a.get(), b.get()).map(Quote::new)
}

fn minus(a: Quote, b: Quote) -> Result<Quote, MathError> {
    digits::sub(a.get(), b.get()).map(Quote::new)
}
