//! Book-keeping of one order, from intent to settlement.
//!
//! `Intent → Open → Ended`, with `Unknown` reachable from `Intent` and `Missing` from `Open`; only
//! evidence leaves either. An order is settled when it ended *and* the booked fills add up to what the venue says
//! was executed. Fills are truth, the status is a hint: `executed` never falls and an end is final.

use serde::{Deserialize, Serialize, Serializer};
use tranche_model::{
    client_order_id::ClientOrderId,
    decimal::MathError,
    fill::Fill,
    ids::TradeId,
    money::{Amount, Fraction, Qty, Quote},
    order::{OrderKind, OrderReport, OrderStatus, Side},
    record::CallLane,
    time::Timestamp,
};

/// An order that may exist at the venue. There are millions of them, and most only wait.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Saved")]
pub struct Order {
    pub client_id: ClientOrderId,
    pub side: Side,
    pub kind: OrderKind,
    pub lane: CallLane,
    pub stage: Stage,
    /// Until when the order may have left.
    pub send_by: Timestamp,
    pub created_at: Timestamp,
    /// The venue's time of the last report.
    pub reported_at: Timestamp,
    /// An order that waits has none of it, and takes no room for it.
    story: Option<Box<Story>>,
}

/// What happened to an order since it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Story {
    executions: Executions,
    /// Of an order whose fate is in doubt.
    evidence: Evidence,
    cancel: Cancel,
}

/// An order as it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    client_id: ClientOrderId,
    side: Side,
    kind: OrderKind,
    lane: CallLane,
    stage: SavedStage,
    executions: Option<Executions>,
    send_by: Timestamp,
    created_at: Timestamp,
    reported_at: Timestamp,
    cancel: Cancel,
}

#[derive(Serialize, Deserialize)]
enum SavedStage {
    Intent,
    Open,
    Unknown(Evidence),
    Ending,
    Missing(Evidence),
    Ended(OrderStatus),
}

/// What of an order was executed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Executions {
    executed: Qty,
    booked: Qty,
    booked_quote: Quote,
    /// Fills that were booked, to notice repeats.
    trades: Vec<TradeId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Committed, or about to be; may be on its way.
    Intent,
    Open,
    /// It may exist or not; see [`Order::evidence`].
    Unknown,
    /// The venue said once, unasked, that it ended; a second reading decides.
    Ending,
    /// It was seen, and now the venue says that it knows no such order.
    Missing,
    Ended(OrderStatus),
}

/// What was learned about an order whose fate is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// How often the venue said explicitly that it knows no such order, when that counted.
    pub not_found: u8,
    pub first_not_found_at: Option<Timestamp>,
    /// All trades from before the order's creation on were read, and none was of it.
    pub trades_read: bool,
    /// The balances were read, and did not show it.
    pub balances_read: bool,
    /// The list of open orders was read, and it was not there.
    pub unlisted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Cancel {
    #[default]
    No,
    /// Asked, for the `attempts`th time; the answer is awaited.
    Asked { attempts: u16 },
    /// The asking failed and is repeated at this time. A cancel is harmless to repeat.
    Again { at: Timestamp, attempts: u16 },
}

/// How a venue's word on an order came, which says how far an end in it is believed: venues have said
/// of orders that were filled, or rested, that they were cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Unasked, or in a list. An end is never believed.
    Hint,
    /// The answer to a question about the order. An end is believed when it was said before.
    Reading,
    /// The answer to the order's own placement or cancel.
    Reply,
}

/// What a fill or report meant for the book-keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booking {
    New,
    Repeated,
}

impl Evidence {
    /// Whether an answer to a question of `asked_at` speaks of the order: it was asked after the first
    /// not-found that counted.
    pub(crate) fn counts(&self, asked_at: Option<Timestamp>) -> bool {
        self.first_not_found_at.zip(asked_at).is_some_and(|(first, asked_at)| first <= asked_at)
    }

    /// Whether nothing shows the order wherever it could have left a trace.
    pub(crate) const fn is_traceless(&self) -> bool {
        self.trades_read && self.balances_read && self.unlisted
    }

    /// Takes in what was read and did not show the order, if it speaks of it; `part` says what was read.
    /// Returns whether that was the last of these: the order itself may be asked for now.
    pub(crate) fn note(
        &mut self,
        asked_at: Option<Timestamp>,
        part: impl FnOnce(&mut Self) -> &mut bool,
    ) -> bool {
        let was_traceless = self.is_traceless();
        if self.counts(asked_at) {
            *part(self) = true;
        }
        !was_traceless && self.is_traceless()
    }
}

impl Order {
    pub(crate) fn intent(
        client_id: ClientOrderId,
        (side, kind, lane): (Side, OrderKind, CallLane),
        send_by: Timestamp,
        created_at: Timestamp,
    ) -> Self {
        Self {
            client_id,
            side,
            kind,
            lane,
            stage: Stage::Intent,
            send_by,
            created_at,
            reported_at: Timestamp::MIN,
            story: None,
        }
    }

    /// What the venue says was executed, or more when fills arrived first.
    pub fn executed(&self) -> Qty {
        self.story.as_ref().map_or(Qty::ZERO, |story| story.executions.executed)
    }

    /// What was booked from fills.
    pub fn booked(&self) -> Qty {
        self.story.as_ref().map_or(Qty::ZERO, |story| story.executions.booked)
    }

    pub fn booked_quote(&self) -> Quote {
        self.story.as_ref().map_or(Quote::ZERO, |story| story.executions.booked_quote)
    }

    /// Ended, and every execution booked.
    pub fn is_settled(&self) -> bool {
        self.end().is_some() && self.booked() == self.executed()
    }

    /// The fills that were booked, of an order that is settled.
    pub(crate) fn into_trades(self) -> Vec<TradeId> {
        self.story.map(|story| story.executions.trades).unwrap_or_default()
    }

    pub const fn end(&self) -> Option<OrderStatus> {
        match self.stage {
            Stage::Ended(status) => Some(status),
            Stage::Intent | Stage::Open | Stage::Unknown | Stage::Ending | Stage::Missing => None,
        }
    }

    pub const fn is_unknown(&self) -> bool {
        match self.stage {
            Stage::Unknown => true,
            Stage::Intent | Stage::Open | Stage::Ending | Stage::Missing | Stage::Ended(_) => false,
        }
    }

    const fn is_in_doubt(&self) -> bool {
        match self.stage {
            Stage::Unknown | Stage::Missing => true,
            Stage::Intent | Stage::Open | Stage::Ending | Stage::Ended(_) => false,
        }
    }

    /// What was learned of it while its fate is in doubt.
    pub fn evidence(&self) -> Option<Evidence> {
        let evidence = || self.story.as_ref().map(|story| story.evidence).unwrap_or_default();
        self.is_in_doubt().then(evidence)
    }

    pub(crate) fn evidence_mut(&mut self) -> Option<&mut Evidence> {
        self.is_in_doubt().then(|| &mut self.story.get_or_insert_default().evidence)
    }

    pub fn cancel(&self) -> Cancel {
        self.story.as_ref().map_or(Cancel::No, |story| story.cancel)
    }

    pub(crate) fn set_cancel(&mut self, cancel: Cancel) {
        self.story.get_or_insert_default().cancel = cancel;
    }

    /// What was learned in the former stage is forgotten, and room given back that nothing needs.
    fn enter(&mut self, stage: Stage) {
        if stage == self.stage {
            return;
        }
        self.stage = stage;
        if let Some(story) = &mut self.story {
            story.evidence = Evidence::default();
        }
        self.story.take_if(|story| **story == Story::default());
    }

    /// Takes in a venue's word.
    pub(crate) fn report(&mut self, report: &OrderReport, word: Word) {
        if self.executed() < report.executed {
            self.story.get_or_insert_default().executions.executed = report.executed;
        }
        // Reads lag: one from before the last report says nothing new.
        if self.end().is_some() || report.updated_at < self.reported_at {
            return;
        }
        self.reported_at = report.updated_at;
        let stage = match report.status {
            OrderStatus::Filled => Stage::Ended(OrderStatus::Filled),
            OrderStatus::Cancelled | OrderStatus::Rejected | OrderStatus::Expired => {
                let is_believed = match word {
                    Word::Hint => false,
                    Word::Reading => self.stage == Stage::Ending,
                    Word::Reply => true,
                };
                if is_believed { Stage::Ended(report.status) } else { Stage::Ending }
            }
            OrderStatus::Open | OrderStatus::PartiallyFilled => Stage::Open,
            OrderStatus::Unrecognized if self.stage == Stage::Intent => Stage::Open,
            OrderStatus::Unrecognized => self.stage,
        };
        self.enter(stage);
    }

    /// Books a fill once. A fill proves that the order exists, whatever was believed.
    pub(crate) fn fill(&mut self, fill: &Fill) -> Result<Booking, MathError> {
        let executions = &mut self.story.get_or_insert_default().executions;
        if executions.trades.contains(&fill.trade_id) {
            return Ok(Booking::Repeated);
        }
        executions.trades.push(fill.trade_id);
        executions.booked = executions.booked.plus(fill.qty)?;
        executions.booked_quote = executions.booked_quote.plus(fill.quote)?;
        executions.executed = executions.executed.max(executions.booked);
        let booked = executions.booked;
        let is_filled = self.kind.qty().is_some_and(|qty| qty <= booked);
        match self.stage {
            Stage::Intent | Stage::Unknown | Stage::Open | Stage::Ending | Stage::Missing
                if is_filled =>
            {
                self.enter(Stage::Ended(OrderStatus::Filled));
            }
            Stage::Intent | Stage::Unknown | Stage::Missing => self.enter(Stage::Open),
            Stage::Open | Stage::Ending | Stage::Ended(_) => {}
        }
        Ok(Booking::New)
    }

    /// The definite no of a venue, or proof that the order never got there.
    pub(crate) fn refused(&mut self) {
        if self.end().is_none() {
            self.enter(Stage::Ended(OrderStatus::Rejected));
        }
    }

    /// The venue says that it knows no order that it has shown before.
    pub(crate) fn missed(&mut self) {
        if matches!(self.stage, Stage::Open | Stage::Ending) {
            self.enter(Stage::Missing);
        }
    }

    /// Proof that it is not there any more: what was booked is what was executed.
    pub(crate) fn forgotten(&mut self) {
        if self.end().is_none() {
            self.enter(Stage::Ended(OrderStatus::Expired));
            if let Some(story) = &mut self.story {
                story.executions.executed = story.executions.booked;
            }
        }
    }

    /// No usable answer came: from here on only evidence counts.
    pub(crate) fn lost(&mut self) {
        if self.stage == Stage::Intent {
            self.enter(Stage::Unknown);
        }
    }

    /// Whether a cancel was asked for is not remembered by a new owner: it may be asked for again.
    pub(crate) fn forget_cancel(&mut self, now: Timestamp) {
        if self.cancel() != Cancel::No {
            self.set_cancel(Cancel::Again { at: now, attempts: 0 });
        }
    }

    /// The order is wanted as it is: a cancel that a former owner asked for is not repeated. One of this owner
    /// keeps its pause, although the wish comes and goes.
    pub(crate) fn stay(&mut self) {
        if matches!(self.cancel(), Cancel::Again { attempts: 0, .. }) {
            self.set_cancel(Cancel::No);
            self.story.take_if(|story| **story == Story::default());
        }
    }

    /// What the order holds back: quote for a buy, base for a sale.
    pub(crate) fn reserved(&self, fee: Fraction) -> Result<Amount, MathError> {
        if self.is_settled() {
            return Ok(Amount::ZERO);
        }
        match (self.side, self.kind.qty()) {
            (Side::Sell, Some(qty)) => Ok(qty.minus_floored(self.booked())?.amount()),
            (Side::Sell, None) => Ok(Amount::ZERO),
            (Side::Buy, _) => {
                let most = self.kind.quote_max().transpose()?.unwrap_or(Quote::ZERO);
                let open = most.minus_floored(self.booked_quote())?;
                Ok(open.scaled(fee.grown()?)?.amount())
            }
        }
    }
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Saved::from(self).serialize(serializer)
    }
}

impl From<&Order> for Saved {
    fn from(order: &Order) -> Self {
        let evidence = order.evidence().unwrap_or_default();
        let stage = match order.stage {
            Stage::Intent => SavedStage::Intent,
            Stage::Open => SavedStage::Open,
            Stage::Unknown => SavedStage::Unknown(evidence),
            Stage::Ending => SavedStage::Ending,
            Stage::Missing => SavedStage::Missing(evidence),
            Stage::Ended(status) => SavedStage::Ended(status),
        };
        let cancel = order.cancel();
        let Order { client_id, side, kind, lane, send_by, created_at, reported_at, .. } = *order;
        let executions = order.story.as_ref().map(|story| &story.executions);
        let executions = executions.filter(|executions| **executions != Executions::default());
        let executions = executions.cloned();
        Self {
            client_id,
            side,
            kind,
            lane,
            stage,
            executions,
            send_by,
            created_at,
            reported_at,
            cancel,
        }
    }
}

impl From<Saved> for Order {
    fn from(saved: Saved) -> Self {
        let Saved { client_id, side, kind, lane, send_by, created_at, reported_at, cancel, .. } =
            saved;
        let (stage, evidence) = match saved.stage {
            SavedStage::Intent => (Stage::Intent, Evidence::default()),
            SavedStage::Open => (Stage::Open, Evidence::default()),
            SavedStage::Unknown(evidence) => (Stage::Unknown, evidence),
            SavedStage::Ending => (Stage::Ending, Evidence::default()),
            SavedStage::Missing(evidence) => (Stage::Missing, evidence),
            SavedStage::Ended(status) => (Stage::Ended(status), Evidence::default()),
        };
        let executions = saved.executions.unwrap_or_default();
        let story = Story { executions, evidence, cancel };
        let story = (story != Story::default()).then(|| Box::new(story));
        Self { client_id, side, kind, lane, stage, send_by, created_at, reported_at, story }
    }
}

#[cfg(test)]
mod tests {
    use tranche_model::{
        client_order_id::{OrderKey, Origin},
        fill::{Fee, Liquidity},
        ids::{
            BotId, DealNo, Generation, Incarnation, Installation, InstrumentId, Slot, VenueOrderId,
        },
        money::Price,
        order::TimeInForce,
    };

    use super::*;

    #[test]
    fn an_order_that_waits_stays_small() {
        assert!(size_of::<Order>() <= 88, "{}", size_of::<Order>());
    }

    #[test]
    fn an_order_is_saved_with_all_that_happened_to_it() {
        let mut orders = [order("2"), order("2"), order("2"), order("2"), order("2")];
        orders[1].lost();
        orders[1].evidence_mut().unwrap().not_found = 2;
        orders[2].fill(&fill(1, "0.5")).unwrap();
        orders[2].set_cancel(Cancel::Asked { attempts: 1 });
        orders[3].report(&report(OrderStatus::Cancelled, "0"), Word::Reply);
        orders[4].report(&report(OrderStatus::Open, "0"), Word::Reply);
        orders[4].missed();
        orders[4].evidence_mut().unwrap().unlisted = true;

        for order in orders {
            let bytes = postcard::to_allocvec(&order).unwrap();
            assert_eq!(postcard::from_bytes::<Order>(&bytes).unwrap(), order);
        }
    }

    #[test]
    fn what_was_learned_in_doubt_is_forgotten_when_it_ends() {
        let mut order = order("2");
        order.lost();
        order.evidence_mut().unwrap().not_found = 2;

        order.report(&report(OrderStatus::Open, "0"), Word::Reply);

        assert_eq!(order.evidence(), None);
        assert!(order.story.is_none());
        order.missed();
        assert_eq!(order.evidence(), Some(Evidence::default()));
    }

    #[test]
    fn an_order_is_settled_when_its_fills_add_up() {
        let mut order = order("2");
        order.report(&report(OrderStatus::Filled, "2"), Word::Hint);
        assert!(!order.is_settled());

        order.fill(&fill(1, "1.5")).unwrap();
        order.fill(&fill(1, "1.5")).unwrap();
        assert!(!order.is_settled());

        order.fill(&fill(2, "0.5")).unwrap();
        assert!(order.is_settled());
        assert_eq!(order.booked(), qty("2"));
    }

    #[test]
    fn an_unasked_end_needs_a_second_reading() {
        let mut order = order("2");
        order.report(&report(OrderStatus::Cancelled, "0"), Word::Hint);
        assert_eq!(order.stage, Stage::Ending);

        // The second reading shows that the first was passing nonsense.
        order.report(&report(OrderStatus::Filled, "2"), Word::Hint);
        assert_eq!(order.end(), Some(OrderStatus::Filled));
    }

    #[test]
    fn an_end_that_was_read_once_is_read_again() {
        let mut order = order("2");
        order.report(&report(OrderStatus::Cancelled, "0"), Word::Reading);
        assert_eq!(order.stage, Stage::Ending);
        order.report(&report(OrderStatus::Open, "0"), Word::Reading);
        assert_eq!(order.stage, Stage::Open);

        order.report(&report(OrderStatus::Expired, "0"), Word::Reading);
        order.report(&report(OrderStatus::Expired, "0"), Word::Reading);
        assert_eq!(order.end(), Some(OrderStatus::Expired));
    }

    #[test]
    fn an_unasked_end_is_not_believed_although_a_cancel_is_under_way() {
        let mut order = order("2");
        order.set_cancel(Cancel::Asked { attempts: 1 });
        order.report(&report(OrderStatus::Cancelled, "0"), Word::Hint);
        assert_eq!(order.stage, Stage::Ending);
        order.report(&report(OrderStatus::Cancelled, "0"), Word::Reply);
        assert_eq!(order.end(), Some(OrderStatus::Cancelled));
    }

    #[test]
    fn an_end_is_final_but_late_executions_count() {
        let mut order = order("2");
        order.report(&report(OrderStatus::Cancelled, "1"), Word::Reply);
        order.report(&report(OrderStatus::Open, "0"), Word::Hint);
        assert_eq!(order.end(), Some(OrderStatus::Cancelled));
        assert_eq!(order.executed(), qty("1"));

        order.fill(&fill(1, "1")).unwrap();
        assert!(order.is_settled());
    }

    #[test]
    fn an_unknown_word_is_never_an_end() {
        let mut order = order("2");
        order.report(&report(OrderStatus::Unrecognized, "0"), Word::Reply);
        assert_eq!(order.stage, Stage::Open);
    }

    #[test]
    fn a_fill_proves_a_lost_order_alive() {
        let mut order = order("2");
        order.lost();
        assert!(order.is_unknown());
        order.fill(&fill(1, "1")).unwrap();
        assert_eq!(order.stage, Stage::Open);
    }

    fn qty(text: &str) -> Qty {
        Qty::parse(text).unwrap()
    }

    fn id() -> ClientOrderId {
        let origin =
            Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) };
        let key = OrderKey {
            bot: BotId::new(1),
            deal: DealNo::new(1),
            slot: Slot::BASE,
            generation: Generation::new(1),
        };
        ClientOrderId::pack(origin, key).unwrap()
    }

    fn kind(amount: &str) -> OrderKind {
        OrderKind::Limit {
            price: Price::parse("100").unwrap(),
            qty: qty(amount),
            time_in_force: TimeInForce::GoodTillCancelled,
        }
    }

    fn order(amount: &str) -> Order {
        let ask = (Side::Buy, kind(amount), CallLane::Entry);
        Order::intent(id(), ask, Timestamp::from_ms(3000), Timestamp::from_ms(0))
    }

    fn report(status: OrderStatus, executed: &str) -> OrderReport {
        OrderReport {
            client_id: id(),
            venue_id: VenueOrderId::new(7),
            instrument: InstrumentId::new(0),
            side: Side::Buy,
            kind: kind("2"),
            status,
            executed: qty(executed),
            executed_quote: Quote::ZERO,
            updated_at: Timestamp::from_ms(1),
        }
    }

    fn fill(trade: u128, amount: &str) -> Fill {
        Fill {
            trade_id: TradeId::new(trade),
            client_id: Some(id()),
            venue_order_id: VenueOrderId::new(7),
            instrument: InstrumentId::new(0),
            side: Side::Buy,
            price: Price::parse("100").unwrap(),
            qty: qty(amount),
            quote: Price::parse("100").unwrap().times(qty(amount)).unwrap(),
            fee: Fee {
                asset: tranche_model::asset::Asset::parse("USDT").unwrap(),
                amount: Amount::ZERO,
                in_quote: Some(Quote::ZERO),
            },
            liquidity: Liquidity::Maker,
            at: Timestamp::from_ms(1),
        }
    }
}
