//! The list of cases. Each becomes a test of each exchange: `binance::suite::orders::…`.

/// Makes the tests of one exchange; `start` sets its bench up.
macro_rules! suite {
    ($start:path) => {
        mod suite {
            cases! { $start;
                orders:
                    a_limit_order_rests_with_its_money_locked,
                    a_market_order_answers_with_its_fills,
                    each_kind_of_order_does_what_it_says,
                    an_order_fills_in_parts,
                    a_cancelled_order_gives_its_money_back,
                    a_cancel_after_the_fill_finds_nothing_to_cancel;
                refusals:
                    each_rule_names_itself,
                    what_cannot_be_paid_is_refused,
                    a_maker_only_order_never_takes,
                    an_open_id_is_taken,
                    an_unknown_instrument_is_refused,
                    a_closed_instrument_takes_no_orders;
                evidence:
                    an_order_is_found_by_its_id,
                    a_read_that_lags_is_not_found_and_found_later,
                    open_orders_are_told_apart,
                    executions_since_a_time_are_whole,
                    executions_beyond_one_page_are_whole,
                    executions_of_many_days_are_whole,
                    balances_are_those_of_the_exchange,
                    the_highest_price_since_a_time_is_found;
                lists:
                    listings_say_every_rule,
                    candles_are_closed_ones,
                    last_prices_are_those_of_the_market,
                    fees_are_those_of_the_account;
                streams:
                    the_market_is_told_from_live_on,
                    a_cut_market_stream_is_a_gap_and_nothing_comes_twice,
                    a_candle_is_told_when_it_closed,
                    streams_come_back_after_a_ban,
                    fills_of_others_are_told_without_an_id,
                    a_private_stream_tells_orders_fills_and_balances,
                    a_cut_private_stream_is_lost_and_nothing_comes_twice,
                    an_ended_private_stream_is_asked_for_again;
                events:
                    what_is_told_twice_counts_once,
                    what_happens_in_one_moment_is_told_whole,
                    events_may_come_before_the_reply,
                    events_may_come_after_the_reply,
                    events_may_come_out_of_order,
                    an_unknown_status_is_no_end;
                throttling:
                    who_goes_on_is_throttled_then_banned,
                    a_ban_is_told_with_its_end,
                    too_many_orders_wait_for_the_next_window,
                    what_was_used_is_told,
                    what_is_used_beside_calls_is_told;
                timing:
                    a_clock_that_moved_is_refused_until_it_is_measured,
                    a_refused_stamp_has_the_clock_measured,
                    a_host_that_is_an_hour_off_trades,
                    a_host_that_jumps_trades_on,
                    a_request_that_travelled_too_long_does_nothing,
                    after_its_last_moment_nothing_leaves;
                keys:
                    each_kind_of_key_trades,
                    an_unknown_key_is_refused,
                    a_wrong_secret_is_refused,
                    a_key_without_the_right_to_trade_reads_only,
                    the_right_to_withdraw_is_seen;
                lost:
                    an_order_without_an_answer_is_unknown_and_found,
                    an_order_is_never_sent_twice,
                    a_cancel_without_an_answer_is_unknown_and_found,
                    a_read_without_an_answer_is_unknown,
                    an_answer_that_comes_too_late_is_unknown,
                    an_order_may_take_effect_when_nobody_waits_any_more;
                places:
                    a_closed_port_is_named,
                    another_service_is_named,
                    a_port_without_encryption_is_named,
                    a_certificate_that_nobody_trusts_is_named,
                    an_unknown_host_is_named;
            }
        }
    };
}

macro_rules! cases {
    ($start:path; $($topic:ident: $($case:ident),+;)+) => {
        /// Every case, as the documents name it.
        pub(crate) const CASES: &[&str] =
            &[$($(concat!(stringify!($topic), "::", stringify!($case))),+),+];

        $(mod $topic {
            $(
                #[tokio::test]
                async fn $case() {
                    let scene = $crate::scene::Scene::new($start().await).await;
                    $crate::$topic::$case(scene).await;
                }
            )+
        })+
    };
}
