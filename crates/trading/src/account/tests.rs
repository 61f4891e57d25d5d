//! What an account does by itself, whatever the venue answers.

use tranche_model::{
    balance::{FeeAsset, FeeRates},
    ids::{Incarnation, Installation, UserId},
    instrument::Instruments,
    money::Fraction,
    record::{Answer, Call, Outcome, Refusal, RefusalReason, Reply},
    time::Millis,
};

use super::*;
use crate::event::Timing;

/// The calls that the account makes within so many seconds, when the venue answers like this.
fn calls_within(seconds: u32, answer: impl Fn(&Call) -> Outcome) -> (Account, Vec<Call>) {
    let settings = Settings {
        user: UserId::new(1),
        origin: Origin { installation: Installation::new(3), incarnation: Incarnation::new(1) },
        fees: FeeRates { maker: Fraction::ZERO, taker: Fraction::ZERO },
        fee_asset: FeeAsset::Received,
        timing: Timing::default(),
    };
    let instruments = Instruments::new(Vec::new()).unwrap();
    let mut account = Account::new(AccountId::new(1), settings.clone());
    let (mut now, mut made) = (Timestamp::from_ms(0), Vec::new());
    let end = now.plus(Millis::from_secs(seconds));
    let mut events = vec![Event::Loaded { settings: Box::new(settings) }];
    while now < end && made.len() < 5000 {
        for event in std::mem::take(&mut events) {
            let mut effects = Effects::default();
            let world = World { now, instruments: &instruments };
            account.step(&event, &world, &mut effects).unwrap();
            for (_, call) in effects.calls {
                made.push(call);
                events.push(Event::Reply(Reply { call, outcome: answer(&call) }));
            }
        }
        if events.is_empty() {
            let Some(due) = account.desk.timer else { break };
            now = now.max(due);
            events.push(Event::Timer);
        } else {
            // Answers take a moment.
            now = now.plus(Millis::new(50));
        }
    }
    (account, made)
}

/// There is nothing at the venue.
fn nothing(call: &Call) -> Outcome {
    Outcome::Done(if *call == Call::OpenOrders {
        Answer::OpenOrders { own: Vec::new(), foreign: Vec::new() }
    } else {
        Answer::Balances(Vec::new())
    })
}

fn key_refused() -> Outcome {
    let reason = RefusalReason::Key;
    Outcome::Refused(Refusal { reason, code: -2015, text: "Invalid API-key".into() })
}

#[test]
fn a_key_that_may_ask_one_thing_and_not_another_is_tried_ever_more_rarely() {
    for refused in [Call::OpenOrders, Call::Balances] {
        let (account, calls) =
            calls_within(3600, |call| if *call == refused { key_refused() } else { nothing(call) });

        assert!(calls.len() < 100, "{} calls in an hour", calls.len());
        assert_eq!(account.desk.state, AccountState::KeyInvalid);
    }
}

#[test]
fn a_key_that_works_again_makes_the_account_ready() {
    let count = std::cell::Cell::new(0);
    let (account, _) = calls_within(1200, |call| {
        count.set(count.get() + 1);
        if count.get() < 12 { key_refused() } else { nothing(call) }
    });

    assert_eq!(account.desk.state, AccountState::Ready);
}
