//! The way out: through `dispatch` under a venue's limits, or straight when there are none.

use tranche_model::{
    ids::AccountId,
    record::{Call, CallLane, Reply},
    time::Timestamp,
};
use tranche_trading::dispatch::{Action, Applicant, CallNumber, Dispatch, limits::Limits};

/// Places given when there are no limits: as many as are wanted.
const PLACES: u16 = u16::MAX;

/// Calls on their way out.
#[derive(Debug, Clone)]
pub struct Sender {
    dispatch: Option<Box<Dispatch>>,
    /// Without limits: what leaves at the next turn.
    straight: Vec<Action>,
    /// Left and not answered.
    in_flight: Vec<(CallNumber, AccountId, Call)>,
}

impl Sender {
    pub(crate) fn new(limits: Option<Limits>) -> Self {
        Self {
            dispatch: limits.map(|limits| Box::new(Dispatch::new(limits))),
            straight: Vec::new(),
            in_flight: Vec::new(),
        }
    }

    /// The dispatch, when there are limits.
    pub fn dispatch(&self) -> Option<&Dispatch> {
        self.dispatch.as_deref()
    }

    pub fn dispatch_mut(&mut self) -> Option<&mut Dispatch> {
        self.dispatch.as_deref_mut()
    }

    pub(crate) fn send(&mut self, who: Applicant, lane: CallLane, call: Call, now: Timestamp) {
        if let Some(dispatch) = &mut self.dispatch {
            dispatch.send(who, lane, call, now);
        } else {
            let account = who.account;
            self.straight.push(Action::Transmit { number: CallNumber::NONE, account, call });
        }
    }

    pub(crate) fn ask(&mut self, who: Applicant, lane: CallLane, places: u16, now: Timestamp) {
        if let Some(dispatch) = &mut self.dispatch {
            dispatch.ask(who, lane, places, now);
        } else {
            let account = who.account;
            self.straight.push(Action::Granted { account, lane, n: PLACES });
        }
    }

    pub(crate) fn hand_back(&mut self, account: AccountId, lane: CallLane, places: u16) {
        if let Some(dispatch) = &mut self.dispatch {
            dispatch.hand_back(account, lane, places);
        }
    }

    pub(crate) fn forget(&mut self, account: AccountId) {
        match &mut self.dispatch {
            // Orders that were queued never leave: the loaded account looks for them in vain.
            Some(dispatch) => drop(dispatch.forget(account)),
            None => self.straight.retain(|action| match action {
                Action::Transmit { account: owner, .. }
                | Action::Granted { account: owner, .. }
                | Action::NotSent { account: owner, .. } => *owner != account,
            }),
        }
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next_time().is_some_and(|due| due <= now)
    }

    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        match &self.dispatch {
            Some(dispatch) => dispatch.next_time(),
            None => (!self.straight.is_empty()).then_some(Timestamp::MIN),
        }
    }

    pub(crate) fn turn(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = std::mem::take(&mut self.straight);
        if let Some(dispatch) = &mut self.dispatch {
            dispatch.advance(now, &mut actions);
            let sent = actions.iter().filter_map(|action| match action {
                Action::Transmit { number, account, call } => Some((*number, *account, *call)),
                Action::Granted { .. } | Action::NotSent { .. } => None,
            });
            self.in_flight.extend(sent);
        }
        actions
    }

    /// An answer came; a second one to the same call has no flight any more.
    pub(crate) fn replied(&mut self, account: AccountId, reply: &Reply, now: Timestamp) {
        let Some(dispatch) = &mut self.dispatch else { return };
        let is_it = |(_, owner, call): &(CallNumber, AccountId, Call)| {
            *owner == account && *call == reply.call
        };
        if let Some(place) = self.in_flight.iter().position(is_it) {
            let (number, ..) = self.in_flight.swap_remove(place);
            dispatch.reply(number, &reply.outcome, now);
        }
    }

    /// The venue says what it counted, with a call that is under way; `false` when there is none.
    pub(crate) fn report_weight(&mut self, used: u32, now: Timestamp) -> bool {
        let (Some(dispatch), Some((number, ..))) = (&mut self.dispatch, self.in_flight.last())
        else {
            return false;
        };
        dispatch.weight_report(*number, used, now);
        true
    }
}
