//! Each kind of fault alone: it strikes, and nothing that must hold is broken.

use super::{lives, quiet_of};
use crate::world::{Choice, Fault};

fn alone(fault: Fault) {
    let mut struck = 0;
    for seed in 1..=12 {
        if 3 <= seed && struck != 0 {
            break;
        }
        let report = lives(seed, 4, Choice::Only([fault].into()));
        quiet_of(&report);
        struck += report.faults.of(fault);
        assert_eq!(report.faults.total(), report.faults.of(fault), "others struck, too");
    }
    assert!(struck != 0, "{fault} never struck");
}

#[test]
fn request_lost() {
    alone(Fault::RequestLost);
}

#[test]
fn response_lost() {
    alone(Fault::ResponseLost);
}

#[test]
fn connect_refused() {
    alone(Fault::ConnectRefused);
}

#[test]
fn dns_failure() {
    alone(Fault::DnsFailure);
}

#[test]
fn tls_failure() {
    alone(Fault::TlsFailure);
}

#[test]
fn latency_spike() {
    alone(Fault::LatencySpike);
}

#[test]
fn slow_body() {
    alone(Fault::SlowBody);
}

#[test]
fn server_error_after() {
    alone(Fault::ServerErrorAfter);
}

#[test]
fn server_error_before() {
    alone(Fault::ServerErrorBefore);
}

#[test]
fn html_error_page() {
    alone(Fault::HtmlErrorPage);
}

#[test]
fn truncated_json() {
    alone(Fault::TruncatedJson);
}

#[test]
fn half_open_socket() {
    alone(Fault::HalfOpenSocket);
}

#[test]
fn drop_event() {
    alone(Fault::DropEvent);
}

#[test]
fn duplicate_now() {
    alone(Fault::DuplicateNow);
}

#[test]
fn duplicate_later() {
    alone(Fault::DuplicateLater);
}

#[test]
fn reorder() {
    alone(Fault::Reorder);
}

#[test]
fn delay() {
    alone(Fault::Delay);
}

#[test]
fn replay_old() {
    alone(Fault::ReplayOld);
}

#[test]
fn event_before_ack() {
    alone(Fault::EventBeforeAck);
}

#[test]
fn deaf_socket() {
    alone(Fault::DeafSocket);
}

#[test]
fn token_expiry() {
    alone(Fault::TokenExpiry);
}

#[test]
fn subscription_refused() {
    alone(Fault::SubscriptionRefused);
}

#[test]
fn reconnect_storm() {
    alone(Fault::ReconnectStorm);
}

#[test]
fn read_lag() {
    alone(Fault::ReadLag);
}

#[test]
fn missing_from_list() {
    alone(Fault::MissingFromList);
}

#[test]
fn wrong_transient_status() {
    alone(Fault::WrongTransientStatus);
}

#[test]
fn unknown_status() {
    alone(Fault::UnknownStatus);
}

#[test]
fn field_changed() {
    alone(Fault::FieldChanged);
}

#[test]
fn partial_fills() {
    alone(Fault::PartialFills);
}

#[test]
fn fee_later() {
    alone(Fault::FeeLater);
}

#[test]
fn exit_refused() {
    alone(Fault::ExitRefused);
}

#[test]
fn self_trade_prevention() {
    alone(Fault::SelfTradePrevention);
}

#[test]
fn halted() {
    alone(Fault::Halted);
}

#[test]
fn rules_changed() {
    alone(Fault::RulesChanged);
}

#[test]
fn endpoint_removed() {
    alone(Fault::EndpointRemoved);
}

#[test]
fn history_limit() {
    alone(Fault::HistoryLimit);
}

#[test]
fn too_many_requests() {
    alone(Fault::TooManyRequests);
}

#[test]
fn banned() {
    alone(Fault::Banned);
}

#[test]
fn weight_changed() {
    alone(Fault::WeightChanged);
}

#[test]
fn clock_skew() {
    alone(Fault::ClockSkew);
}

#[test]
fn clock_jump() {
    alone(Fault::ClockJump);
}

#[test]
fn maintenance() {
    alone(Fault::Maintenance);
}

#[test]
fn bad_tick() {
    alone(Fault::BadTick);
}

#[test]
fn crossed_book() {
    alone(Fault::CrossedBook);
}

#[test]
fn bar_gap() {
    alone(Fault::BarGap);
}

#[test]
fn frozen_price() {
    alone(Fault::FrozenPrice);
}

#[test]
fn empty_book() {
    alone(Fault::EmptyBook);
}

#[test]
fn kill_before_commit() {
    alone(Fault::KillBeforeCommit);
}

#[test]
fn kill_after_commit() {
    alone(Fault::KillAfterCommit);
}

#[test]
fn kill_between_sends() {
    alone(Fault::KillBetweenSends);
}

#[test]
fn kill_after_send() {
    alone(Fault::KillAfterSend);
}

#[test]
fn store_error() {
    alone(Fault::StoreError);
}

#[test]
fn lost_write() {
    alone(Fault::LostWrite);
}

#[test]
fn restored_backup() {
    alone(Fault::RestoredBackup);
}

#[test]
fn paused() {
    alone(Fault::Paused);
}

#[test]
fn second_instance() {
    alone(Fault::SecondInstance);
}

#[test]
fn manual_cancel() {
    alone(Fault::ManualCancel);
}

#[test]
fn manual_trade() {
    alone(Fault::ManualTrade);
}

#[test]
fn transfer() {
    alone(Fault::Transfer);
}

#[test]
fn key_revoked() {
    alone(Fault::KeyRevoked);
}

#[test]
fn command_mid_flight() {
    alone(Fault::CommandMidFlight);
}
