//! One execution: coins, money and fee move, the order and its events follow.

use rust_decimal::Decimal;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::FeeAsset,
    decimal::{self, MathError, Rounding},
    fill::{Fee, Fill, Liquidity},
    ids::{AccountId, InstrumentId, TradeId},
    money::{Amount, Fraction, Price, Qty, Quote},
    order::{OrderStatus, Side},
    record::PrivateEvent,
    time::Timestamp,
};

use super::{
    Exchange,
    ledger::{Entry, LedgerError, Place, negated},
    order::{Number, Order},
};

/// One side of a trade.
#[derive(Debug, Clone, Copy)]
pub(super) struct Execution {
    pub(super) number: Number,
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) liquidity: Liquidity,
    pub(super) at: Timestamp,
}

/// An execution with all that its postings need.
#[derive(Clone, Copy)]
struct Case {
    execution: Execution,
    /// As it stands before.
    order: Order,
    symbol: Symbol,
    quote: Quote,
}

impl Exchange {
    /// Settles one side; an order that cannot be settled is expired, and nothing moves.
    pub(super) fn execute(&mut self, execution: Execution) -> Option<Fill> {
        let fill = self.settle(execution).ok();
        if fill.is_none() {
            self.close(execution.number, OrderStatus::Expired, execution.at);
        }
        fill
    }

    fn settle(&mut self, execution: Execution) -> Result<Fill, LedgerError> {
        let order = self.orders.get(execution.number).copied().filter(Order::is_open);
        let order = order.ok_or(LedgerError::NoOrder)?;
        let instrument = self.instruments.get(order.draft.instrument);
        let symbol = instrument.ok_or(LedgerError::NoOrder)?.symbol;
        let quote = self.notional(execution.price, execution.qty)?;
        let case = Case { execution, order, symbol, quote };
        let (fee, after) = self.post(&case)?;
        Ok(self.book_fill(&case, after, fee))
    }

    /// Moves the amounts, with the fee in the first asset that has enough of it.
    fn post(&mut self, case: &Case) -> Result<(Fee, Order), LedgerError> {
        let after = case.order_after()?;
        let mut outcome = Err(LedgerError::NoAccount(case.order.draft.account));
        for fee in self.fees(case)?.into_iter().flatten() {
            let mut after = after;
            let release = self.release(case, &after, &fee)?;
            after.locked = case.order.locked.minus(release)?;
            outcome = self.ledger.post(&case.entries(release, &fee)).map(|()| (fee, after));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// How much of the lock the execution sets free.
    fn release(&self, case: &Case, after: &Order, fee: &Fee) -> Result<Amount, MathError> {
        let locked = case.order.locked;
        if after.status == OrderStatus::Filled {
            return Ok(locked);
        }
        match (case.order.draft.side, after.price()) {
            (Side::Sell, _) => Ok(case.execution.qty.amount().min(locked)),
            (Side::Buy, Some(price)) => {
                locked.minus(self.buy_lock(price, after.remaining()?, after.reserve)?)
            }
            (Side::Buy, None) => {
                let in_quote = fee.asset == case.symbol.quote;
                let fee = if in_quote { fee.amount } else { Amount::ZERO };
                Ok(case.quote.amount().plus(fee)?.min(locked))
            }
        }
    }

    /// The fee in the assets in which it may be taken, preferred first.
    fn fees(&self, case: &Case) -> Result<[Option<Fee>; 2], MathError> {
        let Some(terms) = self.terms.get(&case.order.draft.account) else {
            return Ok([None, None]);
        };
        let rate = terms.fees.rate(case.execution.liquidity);
        let in_quote = Quote::new(self.portion(case.quote.get(), rate)?);
        let quote_fee =
            Fee { asset: case.symbol.quote, amount: in_quote.amount(), in_quote: Some(in_quote) };
        let received = match case.order.draft.side {
            Side::Sell => quote_fee,
            Side::Buy => {
                let qty = Qty::new(self.portion(case.execution.qty.get(), rate)?);
                Fee {
                    asset: case.symbol.base,
                    amount: qty.amount(),
                    in_quote: Some(self.notional(case.execution.price, qty)?),
                }
            }
        };
        Ok(match terms.fee_asset {
            FeeAsset::Received => [Some(received), None],
            FeeAsset::Quote => [Some(quote_fee), Some(received)],
            FeeAsset::Third(asset) => [self.third_fee(case, asset, in_quote), Some(received)],
        })
    }

    /// The fee in a third asset; `None` when nobody said what that is worth.
    fn third_fee(&self, case: &Case, asset: Asset, in_quote: Quote) -> Option<Fee> {
        let symbol = case.symbol;
        let price = if asset == symbol.quote {
            Price::new(Decimal::ONE)
        } else if asset == symbol.base {
            case.execution.price
        } else {
            *self.rates.get(&(asset, symbol.quote))?
        };
        let digits = self.settings.amount_digits;
        let amount = decimal::div(in_quote.get(), price.get(), digits, Rounding::Down).ok()?;
        Some(Fee { asset, amount: Amount::new(amount), in_quote: Some(in_quote) })
    }

    fn book_fill(&mut self, case: &Case, order: Order, fee: Fee) -> Fill {
        let (draft, execution) = (order.draft, case.execution);
        let fee = if self.tells_plain_fees { plain(fee, case) } else { fee };
        let fill = Fill {
            trade_id: self.next_trade(draft.instrument),
            client_id: draft.client_id,
            venue_order_id: order.venue_id(),
            instrument: draft.instrument,
            side: draft.side,
            price: execution.price,
            qty: execution.qty,
            quote: case.quote,
            fee,
            liquidity: execution.liquidity,
            at: execution.at,
        };
        if !order.is_open()
            && let Some(price) = order.price()
        {
            self.dequeue(&order, price);
        }
        self.orders.put(order);
        self.fills.entry((draft.account, draft.instrument)).or_default().push(fill);
        self.tell_order(&order);
        self.events.push((draft.account, PrivateEvent::Fill(fill)));
        self.tell_moved(draft.account, draft.instrument, fee.asset);
        if !order.is_open() {
            self.after_end(&order, execution.at);
        }
        fill
    }

    fn tell_moved(&mut self, account: AccountId, instrument: InstrumentId, fee: Asset) {
        let Some(symbol) = self.instruments.get(instrument).map(|instrument| instrument.symbol)
        else {
            return;
        };
        let mut assets = vec![symbol.base, symbol.quote];
        if !assets.contains(&fee) {
            assets.push(fee);
        }
        self.tell_balances(account, &assets);
    }

    pub(super) fn tell_order(&mut self, order: &Order) {
        let event = order.report().map(|report| (order.draft.account, PrivateEvent::Order(report)));
        self.events.extend(event);
    }

    pub(super) fn tell_balances(&mut self, account: AccountId, assets: &[Asset]) {
        let balances = assets.iter().map(|asset| self.ledger.balance(account, *asset)).collect();
        self.events.push((account, PrivateEvent::Balances(balances)));
    }

    fn next_trade(&mut self, instrument: InstrumentId) -> TradeId {
        let number = self.market_mut(instrument).map_or(0, |market| {
            market.last_trade = market.last_trade.saturating_add(1);
            market.last_trade
        });
        TradeId::new(u128::from(number))
    }

    /// Price × quantity, rounded down where it has too many digits.
    pub(super) fn notional(&self, price: Price, qty: Qty) -> Result<Quote, MathError> {
        self.product(price.get(), qty.get()).map(Quote::new)
    }

    fn portion(&self, value: Decimal, rate: Fraction) -> Result<Decimal, MathError> {
        self.product(value, rate.get())
    }

    /// What a resting buy holds. Rounding everything down, parts never need more than the whole.
    pub(super) fn buy_lock(
        &self,
        price: Price,
        qty: Qty,
        reserve: Fraction,
    ) -> Result<Amount, MathError> {
        self.with_reserve(self.notional(price, qty)?, reserve)
    }

    pub(super) fn with_reserve(
        &self,
        quote: Quote,
        reserve: Fraction,
    ) -> Result<Amount, MathError> {
        self.product(quote.get(), reserve.grown()?).map(Amount::new)
    }

    fn product(&self, a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
        let product = match decimal::mul(a, b) {
            Ok(product) => product,
            Err(_) => a.checked_mul(b).ok_or(MathError::Overflow)?,
        };
        let grid = Decimal::new(1, self.settings.amount_digits);
        if product.scale() <= self.settings.amount_digits {
            return Ok(product);
        }
        decimal::to_step(product, grid, Rounding::Down)
    }
}

impl Case {
    fn order_after(&self) -> Result<Order, MathError> {
        let mut order = self.order;
        order.executed = order.executed.plus(self.execution.qty)?;
        order.executed_quote = order.executed_quote.plus(self.quote)?;
        order.updated_at = self.execution.at;
        let is_whole = order.draft.kind.qty() == Some(order.executed);
        order.status = if is_whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        Ok(order)
    }

    fn entries(&self, release: Amount, fee: &Fee) -> [Entry; 7] {
        let account = self.order.draft.account;
        let place = Place::Account(account);
        let symbol = self.symbol;
        let (base, quote) = (self.execution.qty.amount(), self.quote.amount());
        let (held, paid, received, gained) = match self.order.draft.side {
            Side::Buy => (symbol.quote, quote, symbol.base, base),
            Side::Sell => (symbol.base, base, symbol.quote, quote),
        };
        [
            Entry::lock(account, held, negated(release)),
            Entry::free(place, held, negated(paid)),
            Entry::free(Place::Market, held, paid),
            Entry::free(place, received, gained),
            Entry::free(Place::Market, received, negated(gained)),
            Entry::free(place, fee.asset, negated(fee.amount)),
            Entry::free(Place::Fees, fee.asset, fee.amount),
        ]
    }
}

/// The fee with the worth that whoever reads of it can tell.
fn plain(fee: Fee, case: &Case) -> Fee {
    let in_quote = if fee.amount.is_zero() {
        Some(Quote::ZERO)
    } else if fee.asset == case.symbol.quote {
        Some(fee.amount.quote())
    } else if fee.asset == case.symbol.base {
        case.execution.price.times(fee.amount.qty()).ok()
    } else {
        None
    };
    Fee { in_quote, ..fee }
}
