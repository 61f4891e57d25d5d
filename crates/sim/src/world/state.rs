//! Rare states that a long run has to reach, or it has not tested what it claims.

use std::fmt;

use tranche_trading::why::{Ended, Why};

/// A state that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No usable answer to an order came.
    OutcomeUnknown,
    /// An order whose outcome was unknown was found at the exchange.
    UnknownAdopted,
    /// An order whose outcome was unknown was proved never placed.
    ProvedNotPlaced,
    /// An execution was told after the cancel of its order was acknowledged.
    FillAfterCancel,
    /// A cancel was refused because the order had been filled.
    CancelTooLate,
    /// The status said FILLED before the executions came.
    FilledBeforeFills,
    /// A deal held less than the least worth of an order.
    PartialBelowMinimum,
    /// An execution was booked after its order was settled.
    LateFill,
    /// A commit of a former owner lost.
    EpochLost,
    /// With it a user's command was lost, and given again.
    EpochLostWithCommand,
    /// A commit stood, and its owner did not hear of it.
    CommitReplyLost,
    /// A stop took the place of a resting take profit.
    StopPreempts,
    /// The instrument was delisted while a deal was open on it.
    DelistedDuringDeal,
    /// An order of ours that nobody remembered was taken back.
    StrayCancelled,
    /// Funds moved outside our orders.
    BalanceMoved,
    /// The exchange refused to answer a question.
    ReadRefused,
    /// An order could not be sent in time.
    NotSent,
    /// The exchange said "too much".
    Throttled,
    /// An answer came for a life that was over.
    AnswerForNobody,
    /// A trailing take profit sold.
    TrailingFired,
    /// A base order followed the market.
    EntryRepriced,
    /// A base order was given up.
    EntryGivenUp,
    /// Coins were left that could not be sold.
    Dust,
    /// An exit was late.
    ExitLate,
    /// A price was not believed.
    BadTick,
    /// A process that was not the owner any more lived on.
    Fenced,
    /// The store was replaced by an older copy.
    Restored,
    /// A kill switch was pulled.
    Killed,
    /// An order was executed in parts.
    PartlyFilled,
}

impl State {
    pub const ALL: [Self; 29] = [
        Self::OutcomeUnknown,
        Self::UnknownAdopted,
        Self::ProvedNotPlaced,
        Self::FillAfterCancel,
        Self::CancelTooLate,
        Self::FilledBeforeFills,
        Self::PartialBelowMinimum,
        Self::LateFill,
        Self::EpochLost,
        Self::EpochLostWithCommand,
        Self::CommitReplyLost,
        Self::StopPreempts,
        Self::DelistedDuringDeal,
        Self::StrayCancelled,
        Self::BalanceMoved,
        Self::ReadRefused,
        Self::NotSent,
        Self::Throttled,
        Self::AnswerForNobody,
        Self::TrailingFired,
        Self::EntryRepriced,
        Self::EntryGivenUp,
        Self::Dust,
        Self::ExitLate,
        Self::BadTick,
        Self::Fenced,
        Self::Restored,
        Self::Killed,
        Self::PartlyFilled,
    ];

    /// The state that a decision shows.
    pub(super) const fn of(why: &Why) -> Option<Self> {
        Some(match why {
            Why::OutcomeUnknown { .. } => Self::OutcomeUnknown,
            Why::ProvedPlaced { .. } => Self::UnknownAdopted,
            Why::ProvedNotPlaced { .. } => Self::ProvedNotPlaced,
            Why::LateFill { .. } => Self::LateFill,
            Why::ExitPreempted { .. } => Self::StopPreempts,
            Why::ExitLate { .. } => Self::ExitLate,
            Why::StrayCancelled { .. } => Self::StrayCancelled,
            Why::BalanceMoved { .. } => Self::BalanceMoved,
            Why::ReadRefused { .. } => Self::ReadRefused,
            Why::TrailingFired { .. } => Self::TrailingFired,
            Why::EntryRepriced { .. } => Self::EntryRepriced,
            Why::EntryGivenUp { .. } => Self::EntryGivenUp,
            Why::Dust { .. } => Self::Dust,
            Why::Killed { .. } => Self::Killed,
            Why::DealClosed { ended: Ended::Dust, .. } => Self::PartialBelowMinimum,
            Why::DealClosed { .. }
            | Why::DealOpened { .. }
            | Why::NoDeal(_)
            | Why::Placed { .. }
            | Why::CancelAsked { .. }
            | Why::Filled { .. }
            | Why::Refused { .. }
            | Why::Blocked { .. }
            | Why::BaseFilled { .. }
            | Why::SafetyTriggered { .. }
            | Why::TakeProfitSet { .. }
            | Why::TrailingArmed { .. }
            | Why::StopTouched { .. }
            | Why::StopLeft { .. }
            | Why::StopFired { .. }
            | Why::ClosedByCommand
            | Why::CancelledByCommand
            | Why::BotDisabled { .. }
            | Why::Adopted { .. }
            | Why::Forgotten { .. }
            | Why::Quarantined { .. } => return None,
        })
    }

    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutcomeUnknown => "outcome_unknown",
            Self::UnknownAdopted => "unknown_adopted",
            Self::ProvedNotPlaced => "proved_not_placed",
            Self::FillAfterCancel => "fill_after_cancel",
            Self::CancelTooLate => "cancel_too_late",
            Self::FilledBeforeFills => "filled_before_fills",
            Self::PartialBelowMinimum => "partial_below_minimum",
            Self::LateFill => "late_fill",
            Self::EpochLost => "epoch_lost",
            Self::EpochLostWithCommand => "epoch_lost_with_command",
            Self::CommitReplyLost => "commit_reply_lost",
            Self::StopPreempts => "stop_preempts",
            Self::DelistedDuringDeal => "delisted_during_deal",
            Self::StrayCancelled => "stray_cancelled",
            Self::BalanceMoved => "balance_moved",
            Self::ReadRefused => "read_refused",
            Self::NotSent => "not_sent",
            Self::Throttled => "throttled",
            Self::AnswerForNobody => "answer_for_nobody",
            Self::TrailingFired => "trailing_fired",
            Self::EntryRepriced => "entry_repriced",
            Self::EntryGivenUp => "entry_given_up",
            Self::Dust => "dust",
            Self::ExitLate => "exit_late",
            Self::BadTick => "bad_tick",
            Self::Fenced => "fenced",
            Self::Restored => "restored",
            Self::Killed => "killed",
            Self::PartlyFilled => "partly_filled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
