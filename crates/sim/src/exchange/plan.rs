//! What an arriving order would trade with, worked out before anything moves.

use tranche_model::{
    decimal::{MathError, Rounding},
    instrument::Instrument,
    money::{Price, Qty, Quote},
    order::{OrderKind, Side, Size},
};

use super::{
    Exchange,
    book::{Market, accepts},
    market_step,
    order::{Draft, Number},
    settings::SelfTradePrevention,
};

/// One thing that happens to an arriving order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Maker { number: Number, price: Price, qty: Qty },
    Tape { price: Price, qty: Qty },
    ExpireMaker(Number),
}

/// Why an order takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It has all that it asked for, or its quote buys no further step.
    Done,
    /// Nobody trades at its price.
    Dry,
    /// The next would be an order of the same account.
    SelfTrade,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) qty: Qty,
    pub(super) quote: Quote,
    pub(super) stop: Stop,
}

/// What an arriving order can take at one price.
#[derive(Debug, Clone, Copy)]
struct Offer {
    /// `None` is the tape.
    maker: Option<Number>,
    price: Price,
    /// `None` is without bound.
    qty: Option<Qty>,
}

impl Plan {
    fn new() -> Self {
        Self { steps: Vec::new(), qty: Qty::ZERO, quote: Quote::ZERO, stop: Stop::Dry }
    }

    fn take(&mut self, offer: Offer, qty: Qty, quote: Quote) -> Result<(), MathError> {
        self.qty = self.qty.plus(qty)?;
        self.quote = self.quote.plus(quote)?;
        let price = offer.price;
        self.steps.push(match offer.maker {
            Some(number) => Step::Maker { number, price, qty },
            None => Step::Tape { price, qty },
        });
        Ok(())
    }

    /// How much more the order takes at `price`.
    fn wanted(
        &self,
        draft: &Draft,
        instrument: &Instrument,
        price: Price,
    ) -> Result<Qty, MathError> {
        match draft.kind {
            OrderKind::Market { size: Size::Quote(quote) } => {
                let left = quote.minus(self.quote)?;
                left.buys(price, market_step(instrument), Rounding::Down)
            }
            OrderKind::Market { size: Size::Base(qty) }
            | OrderKind::Limit { qty, .. }
            | OrderKind::LimitMaker { qty, .. } => qty.minus(self.qty),
        }
    }
}

impl Exchange {
    pub(super) fn plan(&self, draft: &Draft) -> Result<Plan, MathError> {
        let mut plan = Plan::new();
        let (Some(market), Some(instrument)) =
            (self.market(draft.instrument), self.instruments.get(draft.instrument))
        else {
            return Ok(plan);
        };
        for offer in self.offers(market, instrument, draft) {
            if let Some(stop) = self.self_trade(&mut plan, draft, offer) {
                plan.stop = stop;
                return Ok(plan);
            }
            if self.is_own(draft, offer) && self.settings.self_trade != SelfTradePrevention::None {
                continue;
            }
            let wanted = plan.wanted(draft, instrument, offer.price)?;
            let qty = offer.qty.map_or(wanted, |qty| qty.min(wanted));
            if qty.is_positive() {
                plan.take(offer, qty, self.notional(offer.price, qty)?)?;
            }
            if qty == wanted {
                plan.stop = Stop::Done;
                return Ok(plan);
            }
        }
        Ok(plan)
    }

    /// Whether the order would trade at once, whoever the other side is.
    pub(super) fn would_trade(&self, draft: &Draft) -> bool {
        let limit = draft.kind.price();
        let side = draft.side;
        self.market(draft.instrument).is_some_and(|market| {
            let best = market.book.best(side.opposite()).map(|(price, _)| price);
            best.into_iter().chain(market.last).any(|price| accepts(side, limit, price))
        })
    }

    /// All that the order may trade with, best price first; at one price participants come before
    /// the tape, because they were there when it printed.
    fn offers(&self, market: &Market, instrument: &Instrument, draft: &Draft) -> Vec<Offer> {
        let (side, limit) = (draft.side, draft.kind.price());
        let tape = self.tape_offer(market, instrument, draft);
        let mut offers = Vec::new();
        let mut tape_left = tape;
        for (price, number) in market.book.iter(side.opposite()) {
            if !accepts(side, limit, price) {
                break;
            }
            if let Some(offer) = tape_left
                && !accepts(side, Some(offer.price), price)
            {
                offers.push(offer);
                tape_left = None;
            }
            if tape.is_some_and(|offer| offer.qty.is_none()) && tape_left.is_none() {
                // Behind a tape without bound nothing can be reached.
                break;
            }
            let number = self.at_place(number);
            let qty = self.orders.get(number).and_then(|order| order.remaining().ok());
            offers.extend(qty.map(|qty| Offer { maker: Some(number), price, qty: Some(qty) }));
        }
        offers.extend(tape_left);
        offers
    }

    fn tape_offer(&self, market: &Market, instrument: &Instrument, draft: &Draft) -> Option<Offer> {
        let last = market.last?;
        let limit = draft.kind.price();
        if !accepts(draft.side, limit, last) {
            return None;
        }
        let price = self.slipped(instrument, draft.side, last).unwrap_or(last);
        let price = match (draft.side, limit) {
            (_, None) => price,
            (Side::Buy, Some(limit)) => price.min(limit),
            (Side::Sell, Some(limit)) => price.max(limit),
        };
        Some(Offer { maker: None, price, qty: market.allowance })
    }

    fn slipped(
        &self,
        instrument: &Instrument,
        side: Side,
        last: Price,
    ) -> Result<Price, MathError> {
        let slippage = self.settings.slippage;
        if slippage.is_zero() {
            return Ok(last);
        }
        let price = match side {
            Side::Buy => instrument.round_price(last.scaled(slippage.grown()?)?, Rounding::Up)?,
            Side::Sell => instrument.round_price(last.scaled(slippage.rest()?)?, Rounding::Down)?,
        };
        Ok(if price.is_positive() { price } else { last })
    }

    fn is_own(&self, draft: &Draft, offer: Offer) -> bool {
        let maker = offer.maker.and_then(|number| self.orders.get(number));
        maker.is_some_and(|order| order.draft.account == draft.account)
    }

    /// Carries out the rule for an offer of the same account; `Some` ends the order.
    fn self_trade(&self, plan: &mut Plan, draft: &Draft, offer: Offer) -> Option<Stop> {
        let number = offer.maker.filter(|_| self.is_own(draft, offer))?;
        match self.settings.self_trade {
            SelfTradePrevention::ExpireTaker => Some(Stop::SelfTrade),
            SelfTradePrevention::ExpireMaker => {
                plan.steps.push(Step::ExpireMaker(number));
                None
            }
            SelfTradePrevention::ExpireBoth => {
                plan.steps.push(Step::ExpireMaker(number));
                Some(Stop::SelfTrade)
            }
            SelfTradePrevention::None => None,
        }
    }
}
