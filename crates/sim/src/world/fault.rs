//! The kinds of faults: what a world may do to a bot, each a switch of its own.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Transport,
    Stream,
    Venue,
    Limits,
    Market,
    Process,
    People,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The venue never sees the request; the caller waits in vain.
    RequestLost,
    /// It takes effect; the caller waits in vain.
    ResponseLost,
    /// No connection came about: nothing left.
    ConnectRefused,
    /// The name was not found for a while: nothing leaves.
    DnsFailure,
    /// No handshake came about: nothing left.
    TlsFailure,
    /// The request travels for up to fifteen seconds.
    LatencySpike,
    /// The answer trickles in for up to fifteen seconds.
    SlowBody,
    /// 5xx, although it took effect.
    ServerErrorAfter,
    /// 5xx, and nothing was done.
    ServerErrorBefore,
    /// A page for people instead of an answer.
    HtmlErrorPage,
    /// The answer ends in the middle.
    TruncatedJson,
    /// For a while requests arrive and no answer comes back.
    HalfOpenSocket,

    /// An event is not told.
    DropEvent,
    /// An event is told twice.
    DuplicateNow,
    /// An event is told again up to an hour later.
    DuplicateLater,
    /// Two events change places.
    Reorder,
    /// Events come up to fifteen seconds late.
    Delay,
    /// What was told last is told again, all of it.
    ReplayOld,
    /// The answer to an order comes behind its events.
    EventBeforeAck,
    /// The stream tells nothing, and nobody notices for up to a minute.
    DeafSocket,
    /// The stream's token expires, with or without notice.
    TokenExpiry,
    /// The stream is refused for up to ten minutes.
    SubscriptionRefused,
    /// The stream goes down and comes up many times.
    ReconnectStorm,

    /// Questions are answered from a state of up to thirty seconds ago.
    ReadLag,
    /// An open order is missing from the list of open orders.
    MissingFromList,
    /// An order is said to have ended, once, although it has not.
    WrongTransientStatus,
    /// An order has a status that nobody knows.
    UnknownStatus,
    /// A field is missing, null or new.
    FieldChanged,
    /// The market takes orders in small parts for a while.
    PartialFills,
    /// The answer tells no executions and no fees; they come later.
    FeeLater,
    /// The venue refuses to sell what is there (on futures: reduce-only).
    ExitRefused,
    /// An order expires because another of the same account crossed it.
    SelfTradePrevention,
    /// The instrument is halted or only takes cancels, or is delisted for a while.
    Halted,
    /// Tick, step or least notional change.
    RulesChanged,
    /// A kind of question is not answered any more (410) for a while.
    EndpointRemoved,
    /// Old executions are not told any more.
    HistoryLimit,

    /// 429 with a time.
    TooManyRequests,
    /// 418: the address is shut out.
    Banned,
    /// The venue counts more weight than we did.
    WeightChanged,
    /// The process's clock is ahead or behind.
    ClockSkew,
    /// The process's clock is corrected at once.
    ClockJump,
    /// 503 for minutes; orders are kept, or all are cancelled.
    Maintenance,

    /// A price of zero, below it, or a thousand times too high.
    BadTick,
    /// Two prices at once that contradict each other.
    CrossedBook,
    /// No prices for up to an hour, and the break is told.
    BarGap,
    /// The price stands still here while it moves there.
    FrozenPrice,
    /// Nobody trades: orders at market find nothing.
    EmptyBook,

    /// The process dies before its commit.
    KillBeforeCommit,
    /// It dies after its commit, before anything is sent.
    KillAfterCommit,
    /// It dies between two sends.
    KillBetweenSends,
    /// It dies after a send, before anything is known of it.
    KillAfterSend,
    /// The store refuses a write, is slow, or does not say how it went.
    StoreError,
    /// The machine dies with writes that are not yet carried out: some are, some are not.
    LostWrite,
    /// The store is replaced by an older copy of itself.
    RestoredBackup,
    /// The process stands still for up to ten minutes, while another takes over.
    Paused,
    /// A second process takes the account over while the first one runs.
    SecondInstance,

    /// A person takes back an order of ours.
    ManualCancel,
    /// A person trades beside us.
    ManualTrade,
    /// Funds come and go.
    Transfer,
    /// The key does not work for a while.
    KeyRevoked,
    /// Settings change, deals are closed, bots stopped and deleted in the midst of it.
    CommandMidFlight,
}

impl Fault {
    pub const ALL: [Self; 61] = [
        Self::RequestLost,
        Self::ResponseLost,
        Self::ConnectRefused,
        Self::DnsFailure,
        Self::TlsFailure,
        Self::LatencySpike,
        Self::SlowBody,
        Self::ServerErrorAfter,
        Self::ServerErrorBefore,
        Self::HtmlErrorPage,
        Self::TruncatedJson,
        Self::HalfOpenSocket,
        Self::DropEvent,
        Self::DuplicateNow,
        Self::DuplicateLater,
        Self::Reorder,
        Self::Delay,
        Self::ReplayOld,
        Self::EventBeforeAck,
        Self::DeafSocket,
        Self::TokenExpiry,
        Self::SubscriptionRefused,
        Self::ReconnectStorm,
        Self::ReadLag,
        Self::MissingFromList,
        Self::WrongTransientStatus,
        Self::UnknownStatus,
        Self::FieldChanged,
        Self::PartialFills,
        Self::FeeLater,
        Self::ExitRefused,
        Self::SelfTradePrevention,
        Self::Halted,
        Self::RulesChanged,
        Self::EndpointRemoved,
        Self::HistoryLimit,
        Self::TooManyRequests,
        Self::Banned,
        Self::WeightChanged,
        Self::ClockSkew,
        Self::ClockJump,
        Self::Maintenance,
        Self::BadTick,
        Self::CrossedBook,
        Self::BarGap,
        Self::FrozenPrice,
        Self::EmptyBook,
        Self::KillBeforeCommit,
        Self::KillAfterCommit,
        Self::KillBetweenSends,
        Self::KillAfterSend,
        Self::StoreError,
        Self::LostWrite,
        Self::RestoredBackup,
        Self::Paused,
        Self::SecondInstance,
        Self::ManualCancel,
        Self::ManualTrade,
        Self::Transfer,
        Self::KeyRevoked,
        Self::CommandMidFlight,
    ];

    pub const fn family(self) -> Family {
        match self {
            Self::RequestLost
            | Self::ResponseLost
            | Self::ConnectRefused
            | Self::DnsFailure
            | Self::TlsFailure
            | Self::LatencySpike
            | Self::SlowBody
            | Self::ServerErrorAfter
            | Self::ServerErrorBefore
            | Self::HtmlErrorPage
            | Self::TruncatedJson
            | Self::HalfOpenSocket => Family::Transport,
            Self::DropEvent
            | Self::DuplicateNow
            | Self::DuplicateLater
            | Self::Reorder
            | Self::Delay
            | Self::ReplayOld
            | Self::EventBeforeAck
            | Self::DeafSocket
            | Self::TokenExpiry
            | Self::SubscriptionRefused
            | Self::ReconnectStorm => Family::Stream,
            Self::ReadLag
            | Self::MissingFromList
            | Self::WrongTransientStatus
            | Self::UnknownStatus
            | Self::FieldChanged
            | Self::PartialFills
            | Self::FeeLater
            | Self::ExitRefused
            | Self::SelfTradePrevention
            | Self::Halted
            | Self::RulesChanged
            | Self::EndpointRemoved
            | Self::HistoryLimit => Family::Venue,
            Self::TooManyRequests
            | Self::Banned
            | Self::WeightChanged
            | Self::ClockSkew
            | Self::ClockJump
            | Self::Maintenance => Family::Limits,
            Self::BadTick
            | Self::CrossedBook
            | Self::BarGap
            | Self::FrozenPrice
            | Self::EmptyBook => Family::Market,
            Self::KillBeforeCommit
            | Self::KillAfterCommit
            | Self::KillBetweenSends
            | Self::KillAfterSend
            | Self::StoreError
            | Self::LostWrite
            | Self::RestoredBackup
            | Self::Paused
            | Self::SecondInstance => Family::Process,
            Self::ManualCancel
            | Self::ManualTrade
            | Self::Transfer
            | Self::KeyRevoked
            | Self::CommandMidFlight => Family::People,
        }
    }

    /// As the command line and reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestLost => "request_lost",
            Self::ResponseLost => "response_lost",
            Self::ConnectRefused => "connect_refused",
            Self::DnsFailure => "dns_failure",
            Self::TlsFailure => "tls_failure",
            Self::LatencySpike => "latency_spike",
            Self::SlowBody => "slow_body",
            Self::ServerErrorAfter => "server_error_after",
            Self::ServerErrorBefore => "server_error_before",
            Self::HtmlErrorPage => "html_error_page",
            Self::TruncatedJson => "truncated_json",
            Self::HalfOpenSocket => "half_open_socket",
            Self::DropEvent => "drop_event",
            Self::DuplicateNow => "duplicate_now",
            Self::DuplicateLater => "duplicate_later",
            Self::Reorder => "reorder",
            Self::Delay => "delay",
            Self::ReplayOld => "replay_old",
            Self::EventBeforeAck => "event_before_ack",
            Self::DeafSocket => "deaf_socket",
            Self::TokenExpiry => "token_expiry",
            Self::SubscriptionRefused => "subscription_refused",
            Self::ReconnectStorm => "reconnect_storm",
            Self::ReadLag => "read_lag",
            Self::MissingFromList => "missing_from_list",
            Self::WrongTransientStatus => "wrong_transient_status",
            Self::UnknownStatus => "unknown_status",
            Self::FieldChanged => "field_changed",
            Self::PartialFills => "partial_fills",
            Self::FeeLater => "fee_later",
            Self::ExitRefused => "exit_refused",
            Self::SelfTradePrevention => "self_trade_prevention",
            Self::Halted => "halted",
            Self::RulesChanged => "rules_changed",
            Self::EndpointRemoved => "endpoint_removed",
            Self::HistoryLimit => "history_limit",
            Self::TooManyRequests => "too_many_requests",
            Self::Banned => "banned",
            Self::WeightChanged => "weight_changed",
            Self::ClockSkew => "clock_skew",
            Self::ClockJump => "clock_jump",
            Self::Maintenance => "maintenance",
            Self::BadTick => "bad_tick",
            Self::CrossedBook => "crossed_book",
            Self::BarGap => "bar_gap",
            Self::FrozenPrice => "frozen_price",
            Self::EmptyBook => "empty_book",
            Self::KillBeforeCommit => "kill_before_commit",
            Self::KillAfterCommit => "kill_after_commit",
            Self::KillBetweenSends => "kill_between_sends",
            Self::KillAfterSend => "kill_after_send",
            Self::StoreError => "store_error",
            Self::LostWrite => "lost_write",
            Self::RestoredBackup => "restored_backup",
            Self::Paused => "paused",
            Self::SecondInstance => "second_instance",
            Self::ManualCancel => "manual_cancel",
            Self::ManualTrade => "manual_trade",
            Self::Transfer => "transfer",
            Self::KeyRevoked => "key_revoked",
            Self::CommandMidFlight => "command_mid_flight",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No fault has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no fault is called {0:?}")]
pub struct NoSuchFault(String);

impl FromStr for Fault {
    type Err = NoSuchFault;

    fn from_str(text: &str) -> Result<Self, NoSuchFault> {
        let found = Self::ALL.into_iter().find(|fault| fault.name() == text);
        found.ok_or_else(|| NoSuchFault(text.to_owned()))
    }
}

/// How often each thing happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts<T: Ord>(BTreeMap<T, u64>);

impl<T: Ord> Default for Counts<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord + Copy> Counts<T> {
    pub fn add(&mut self, what: T) {
        let count = self.0.entry(what).or_default();
        *count = count.saturating_add(1);
    }

    pub fn merge(&mut self, other: &Self) {
        for (what, more) in &other.0 {
            let count = self.0.entry(*what).or_default();
            *count = count.saturating_add(*more);
        }
    }

    pub fn of(&self, what: T) -> u64 {
        self.0.get(&what).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub fn kinds(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (T, u64)> + '_ {
        self.0.iter().map(|(what, count)| (*what, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_sixty_one_kinds_each_with_its_name() {
        let names: std::collections::BTreeSet<_> = Fault::ALL.map(Fault::name).into();
        let kinds: std::collections::BTreeSet<_> = Fault::ALL.into();

        assert_eq!((names.len(), kinds.len()), (61, 61));
        assert!(Fault::ALL.into_iter().all(|fault| fault.name().parse() == Ok(fault)));
        assert!("rain".parse::<Fault>().is_err());
    }

    #[test]
    fn the_families_are_as_large_as_the_list_says() {
        let mut counts = Counts::default();
        for fault in Fault::ALL {
            counts.add(fault.family());
        }
        let counts: Vec<_> = counts.iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [12, 11, 13, 6, 5, 9, 5]);
    }
}
