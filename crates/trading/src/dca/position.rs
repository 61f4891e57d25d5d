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

/// Digits after the point of what is counted against us and comes out of a division or a conversion: a
/// fee in a third coin, the cost of a part. Sums of such amounts must not run out of digits.
const SHARE_SCALE: u32 = 12;

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
            rounded_up(fill.fee.in_quote.unwrap_or_default())?
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
        let spent = Quote::new(digits::mul(self.spent()?.get(), share)?);
        minus(self.received()?, rounded_up(spent)?)
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

fn rounded_up(amount: Quote) -> Result<Quote, MathError> {
    amount.to_step(Quote::new(Decimal::new(1, SHARE_SCALE)), Rounding::Up)
}

// A fee that was valued from a third coin may have many digits; it must not stop the booking.
fn plus(a: Quote, b: Quote) -> Result<Quote, MathError> {
    digits::add(a.get(), b.get()).map(Quote::new)
}

fn minus(a: Quote, b: Quote) -> Result<Quote, MathError> {
    digits::sub(a.get(), b.get()).map(Quote::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_a_part_can_be_added_up() {
        let quote = |text: &str| Quote::parse(text).unwrap();
        let qty = |text: &str| Qty::parse(text).unwrap();
        let position = Position {
            bought: qty("2.583"),
            cost: quote("148.2642"),
            base_fees: qty("0.002583"),
            sold: qty("0.088"),
            proceeds: quote("4.7784"),
            exit_fees: quote("0.0047784"),
            ..Position::default()
        };

        let realized = position.realized().unwrap();

        // 4.7736216 less 148.2642 · 0.088 / 2.580417, rounded against us.
        assert_eq!(realized.to_string(), "-0.282634656257");
        assert!(quote("-1079317042.12345678").plus(realized).is_ok());
    }
}
