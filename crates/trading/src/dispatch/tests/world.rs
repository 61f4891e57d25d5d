//! A dispatch in a test, and the calls to feed it with.

use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey, Origin},
    ids::{
        AccountId, BotId, DealNo, Generation, Incarnation, Installation, InstrumentId, Slot, UserId,
    },
    money::{Price, Qty},
    order::{OrderKind, OrderRequest, Side, TimeInForce},
    record::{Call, CallLane, Outcome},
    time::{Millis, Timestamp},
};

use crate::dispatch::{
    Action, Applicant, CallNumber, Dispatch,
    limits::{Limits, Weights},
};

pub(super) const START: i64 = 600_200;

/// A dispatch with what it has done so far.
pub(super) struct World {
    pub(super) dispatch: Dispatch,
    pub(super) now: Timestamp,
    pub(super) done: Vec<Action>,
}

/// One place a second for the lower lanes, `saved` of them in store at most.
pub(super) fn narrow(saved: u32) -> Limits {
    let weights = Weights {
        place: 1,
        cancel: 1,
        query_order: 1,
        open_orders: 1,
        trades: 1,
        balances: 1,
        highs: 1,
    };
    Limits {
        weight_per_minute: 75,
        burst: Millis::from_secs(saved),
        credit: 0,
        weights,
        ..Limits::default()
    }
}

fn client_id(number: u32) -> ClientOrderId {
    let origin = Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) };
    let key = OrderKey {
        bot: BotId::new(number),
        deal: DealNo::new(1),
        slot: Slot::BASE,
        generation: Generation::new(1),
    };
    ClientOrderId::pack(origin, key).unwrap()
}

pub(super) fn place(number: u32, send_by: Timestamp) -> Call {
    let request = OrderRequest {
        client_id: client_id(number),
        instrument: InstrumentId::new(1),
        side: Side::Buy,
        kind: OrderKind::Limit {
            price: Price::parse("100").unwrap(),
            qty: Qty::parse("1").unwrap(),
            time_in_force: TimeInForce::GoodTillCancelled,
        },
    };
    Call::Place { request, send_by }
}

pub(super) fn cancel(number: u32) -> Call {
    Call::Cancel { client_id: client_id(number), instrument: InstrumentId::new(1) }
}

pub(super) fn query(number: u32) -> Call {
    Call::QueryOrder { client_id: client_id(number), instrument: InstrumentId::new(1) }
}

pub(super) fn name(call: &Call) -> String {
    match call {
        Call::Place { request, .. } => format!("place {}", request.client_id.key().bot),
        Call::Cancel { .. } => "cancel".to_owned(),
        Call::CancelByVenueId { .. } => "cancel by venue id".to_owned(),
        Call::QueryOrder { .. } => "query".to_owned(),
        Call::OpenOrders => "open orders".to_owned(),
        Call::Trades { .. } => "trades".to_owned(),
        Call::Balances => "balances".to_owned(),
        Call::Highs { .. } => "highs".to_owned(),
    }
}

impl World {
    pub(super) fn new(limits: Limits) -> Self {
        let mut world =
            Self { dispatch: Dispatch::new(limits), now: Timestamp::from_ms(START), done: vec![] };
        world.advance(0);
        world
    }

    pub(super) fn advance(&mut self, ms: i64) {
        self.now = Timestamp::from_ms(self.now.ms() + ms);
        self.dispatch.advance(self.now, &mut self.done);
    }

    fn who(number: u32) -> Applicant {
        Applicant { account: AccountId::new(number), user: UserId::new(number) }
    }

    pub(super) fn ask(&mut self, account: u32, lane: CallLane, n: u16) {
        self.dispatch.ask(Self::who(account), lane, n, self.now);
    }

    pub(super) fn send(&mut self, account: u32, lane: CallLane, call: Call) {
        self.dispatch.send(Self::who(account), lane, call, self.now);
    }

    pub(super) fn order(&mut self, account: u32, lane: CallLane, number: u32) {
        self.send(account, lane, place(number, self.now.plus(Millis::from_secs(3))));
    }

    pub(super) fn answer(&mut self, number: u64, outcome: &Outcome) {
        self.dispatch.reply(CallNumber(number), outcome, self.now);
    }

    /// Sends cancels, each of which gets no answer.
    pub(super) fn fail(&mut self, count: u32) {
        for _ in 0..count {
            self.send(9, CallLane::Protect, cancel(999));
            self.advance(0);
            let number = self.dispatch.last_number;
            self.answer(number, &Outcome::Unknown);
        }
    }

    pub(super) fn sent(&self) -> Vec<Call> {
        let calls = self.done.iter().map(|action| match action {
            Action::Transmit { call, .. } => Some(*call),
            Action::Granted { .. } | Action::NotSent { .. } => None,
        });
        calls.flatten().collect()
    }

    pub(super) fn unsent(&self) -> Vec<Call> {
        let calls = self.done.iter().map(|action| match action {
            Action::NotSent { call, .. } => Some(*call),
            Action::Granted { .. } | Action::Transmit { .. } => None,
        });
        calls.flatten().collect()
    }

    pub(super) fn granted(&self, account: u32) -> u16 {
        let account = AccountId::new(account);
        let granted = self.done.iter().map(|action| match action {
            Action::Granted { account: to, n, .. } if *to == account => *n,
            Action::Granted { .. } | Action::Transmit { .. } | Action::NotSent { .. } => 0,
        });
        granted.sum()
    }
}
