//! One value per lane.

use tranche_model::record::CallLane;

/// From the first to leave to the last.
pub const LANES: [CallLane; 5] =
    [CallLane::Protect, CallLane::Evidence, CallLane::Exit, CallLane::Entry, CallLane::History];

/// One value per lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lanes<T> {
    pub protect: T,
    pub evidence: T,
    pub exit: T,
    pub entry: T,
    pub history: T,
}

impl<T> Lanes<T> {
    pub const fn get(&self, lane: CallLane) -> &T {
        match lane {
            CallLane::Protect => &self.protect,
            CallLane::Evidence => &self.evidence,
            CallLane::Exit => &self.exit,
            CallLane::Entry => &self.entry,
            CallLane::History => &self.history,
        }
    }

    pub const fn get_mut(&mut self, lane: CallLane) -> &mut T {
        match lane {
            CallLane::Protect => &mut self.protect,
            CallLane::Evidence => &mut self.evidence,
            CallLane::Exit => &mut self.exit,
            CallLane::Entry => &mut self.entry,
            CallLane::History => &mut self.history,
        }
    }
}

/// Whether the lane may use what is kept in reserve.
pub(super) const fn is_reserved(lane: CallLane) -> bool {
    match lane {
        CallLane::Protect | CallLane::Evidence => true,
        CallLane::Exit | CallLane::Entry | CallLane::History => false,
    }
}
